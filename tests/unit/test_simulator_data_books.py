"""The simulated records by themselves: balanced, consistent, deterministic, and quick to make."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import pytest

from simulator import company, names, store
from simulator.clock import RATES_FROM
from simulator.ids import Permutation, salesforce_id, with_checksum
from simulator.money import CURRENCIES, RATE_SCALE, Rates, amount_text, converted, decimal_text, rounded
from simulator.sap_master import quoted
from simulator.sap_rows import Sap
from simulator.schema import tables
from tests import machine
from tieout.spec import load_source

DECIMALS = {currency.number: currency.decimals for currency in CURRENCIES.values()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    company.generate(folder, seed=5)
    return folder


@pytest.fixture(scope="module")
def database(folder):
    database = sqlite3.connect(folder / store.DATABASE)
    database.row_factory = sqlite3.Row
    return database


def _everything(folder):
    database = sqlite3.connect(folder / store.DATABASE)
    names = [table.sql_name for table in store.read_state(folder).tables()]
    return {name: database.execute(f'select * from "{name}"').fetchall() for name in [*names, "sim__chain", "sim__key"]}


def test_same_seed_same_records_other_seed_other_records(folder, tmp_path):
    company.generate(tmp_path / "again", seed=5)
    company.generate(tmp_path / "other", seed=6)
    assert _everything(folder) == _everything(tmp_path / "again")
    assert (folder / "key.json").read_bytes() == (tmp_path / "again" / "key.json").read_bytes()
    assert _everything(folder)["netsuite__transaction"] != _everything(tmp_path / "other")["netsuite__transaction"]


def test_a_thousand_orders_in_seconds(tmp_path):
    spent = min(_timed(tmp_path) for _ in range(2))
    assert spent < 6 * machine.slower(), f"{spent:.1f} s"


def _timed(tmp_path):
    start = time.process_time()
    company.generate(tmp_path, seed=1)
    return time.process_time() - start


def test_size_is_the_number_of_orders(database):
    orders = database.execute("select count(*) from netsuite__transaction where type = 'SalesOrd'").fetchone()[0]
    assert 900 < orders < 1_150


def test_all_declared_fields_are_known_and_used():
    for system in ("salesforce", "netsuite"):
        for stream in load_source(system).streams:
            vendor = stream.name if system == "salesforce" else str(stream.options.get("table", stream.name)).lower()
            known = tables()[f"{system}__{vendor}"].columns
            assert {column.field for column in stream.columns} <= set(known), vendor


def test_only_known_tables_are_filled_and_none_of_the_vendors_is_empty(folder, database):
    names = [table.sql_name for table in store.read_state(folder).tables()]
    empty = {name for name in names if not database.execute(f'select 1 from "{name}" limit 1').fetchone()}
    assert empty == {"netsuite__deletedrecord"}


def test_every_transaction_balances_in_every_book(database):
    sums = defaultdict(Decimal)
    for row in database.execute("select * from netsuite__transactionaccountingline"):
        sums[row["accountingbook"], row["transaction"]] += Decimal(row["amount"])
        assert Decimal(row["amount"]) == Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0)
    assert {book for book, _ in sums} == {1, 2}
    assert not [key for key, amount in sums.items() if amount]


def test_the_second_book_repeats_what_posts_in_another_currency(database):
    posting = {
        row[0]
        for row in database.execute(
            'select transaction_ from (select distinct "transaction" as transaction_ '
            "from netsuite__transactionaccountingline where posting = 1 and accountingbook = 1)"
        )
    }
    second = {
        row[0]
        for row in database.execute(
            'select distinct "transaction" from netsuite__transactionaccountingline where accountingbook = 2'
        )
    }
    assert posting and posting == second


def test_ledger_lines_are_lines_and_their_amount_is_foreign_times_rate(database):
    base = dict(database.execute("select id, currency from netsuite__subsidiary"))
    checked = 0
    for row in database.execute("""
            select l.*, t.currency as code, t.exchangerate as header_rate, a.amount as booked
            from netsuite__transactionaccountingline a
            join netsuite__transactionline l on l."transaction" = a."transaction" and l.id = a.transactionline
            join netsuite__transaction t on t.id = a."transaction" where a.accountingbook = 1"""):
        assert row["booked"] == row["netamount"]
        if row["accountinglinetype"] in ("INCOME", "TAX", "COGS", "ASSET") and not row["mainline"]:
            unit = Decimal(1).scaleb(-DECIMALS[base[row["subsidiary"]]])
            exact = Decimal(row["foreignamount"]) * Decimal(row["header_rate"])
            assert abs(Decimal(row["booked"]) - exact) <= unit / 2
            checked += 1
    assert checked > 1_000


def test_signs_are_those_of_the_ledger(database):
    signs = defaultdict(set)
    for row in database.execute("""select t.type, l.* from netsuite__transactionline l
            join netsuite__transaction t on t.id = l."transaction"
                                where t.voided = 0 and (mainline = 1 or accountinglinetype = 'INCOME')"""):
        amount = Decimal(row["foreignamount"])
        signs[row["type"], bool(row["mainline"])].add(amount > 0)
        if row["quantity"] is not None:
            assert (Decimal(row["quantity"]) > 0) == (amount > 0)
    assert set(signs) == {
        (kind, main)
        for kind in ("SalesOrd", "Estimate", "CustInvc", "CashSale", "CustCred", "CashRfnd")
        for main in (True, False)
    } | {("CustPymt", True)}
    for (kind, main), positive in signs.items():
        assert positive == {main != (kind in ("CustCred", "CashRfnd"))}, kind


def test_headers_are_the_sum_of_lines_but_for_planted_ones(database):
    lines = defaultdict(Decimal)
    for row in database.execute("select * from netsuite__transactionline where mainline = 0 and iscogs = 0"):
        lines[row["transaction"]] -= Decimal(row["foreignamount"])
    kinds = ("SalesOrd", "CustInvc", "CashSale", "CustCred", "CashRfnd", "Estimate")
    found = [row for row in database.execute("select * from netsuite__transaction") if row["type"] in kinds]
    off = [row["type"] for row in found if lines[row["id"]] != Decimal(row["foreigntotal"])]
    assert len(found) > 2_000
    assert set(off) == {"CustInvc"} and 3 <= len(off) <= 10


def test_opportunity_amounts_are_the_sums_of_their_lines(database):
    lines = defaultdict(Decimal)
    for row in database.execute("select * from salesforce__OpportunityLineItem"):
        lines[row["OpportunityId"]] += Decimal(row["TotalPrice"])
        unit, quantity, discount = Decimal(row["UnitPrice"]), Decimal(row["Quantity"]), Decimal(row["Discount"] or 0)
        assert Decimal(row["TotalPrice"]) == unit * quantity * (100 - discount) / 100
    deals = database.execute("select * from salesforce__Opportunity").fetchall()
    assert deals
    for deal in deals:
        assert bool(deal["HasOpportunityLineItem"]) == (deal["Id"] in lines)
        if deal["Id"] in lines:
            assert Decimal(deal["Amount"]) == lines[deal["Id"]]
    orders = defaultdict(Decimal)
    for row in database.execute("select * from salesforce__OrderItem"):
        orders[row["OrderId"]] += Decimal(row["TotalPrice"])
    for order in database.execute("select * from salesforce__Order"):
        assert Decimal(order["TotalAmount"]) == orders[order["Id"]]


def test_amounts_have_the_minor_units_of_their_currency(database):
    for row in database.execute("select currency, foreigntotal from netsuite__transaction"):
        digits = row["foreigntotal"].partition(".")[2]
        assert len(digits) == DECIMALS[row["currency"]]
    assert {row[0] for row in database.execute("select distinct CurrencyIsoCode from salesforce__Opportunity")} == set(
        CURRENCIES
    )


def test_stamps_are_before_now_and_after_creation(folder, database):
    now = store.read_state(folder).now
    for table in store.read_state(folder).tables():
        stamps = [f.name for f in table.fields if f.kind == "stamp"]
        for name in stamps:
            row = database.execute(f'select max("{name}") from "{table.sql_name}"').fetchone()
            assert row[0] is None or row[0] < now, (table.name, name)
        for created, changed in (
            ("CreatedDate", "SystemModstamp"),
            ("createddate", "lastmodifieddate"),
            ("datecreated", "lastmodifieddate"),
        ):
            if {created, changed} <= set(stamps):
                wrong = database.execute(
                    f'select count(*) from "{table.sql_name}" where "{created}" > "{changed}"'
                ).fetchone()[0]
                assert wrong == 0, table.name


def test_children_have_parents(database):
    for child, column, parent, key in (
        ("netsuite__transactionline", "transaction", "netsuite__transaction", "id"),
        ("netsuite__transaction", "entity", "netsuite__customer", "id"),
        ("netsuite__transaction", "postingperiod", "netsuite__accountingperiod", "id"),
        ("netsuite__transactionline", "item", "netsuite__item", "id"),
        ("netsuite__transactionaccountingline", "account", "netsuite__account", "id"),
        ("netsuite__customeraddressbook", "addressbookaddress", "netsuite__customeraddressbookentityaddress", "nkey"),
        ("netsuite__nexttransactionlinelink", "nextdoc", "netsuite__transaction", "id"),
        ("salesforce__Opportunity", "AccountId", "salesforce__Account", "Id"),
        ("salesforce__Opportunity", "ContractId", "salesforce__Contract", "Id"),
        ("salesforce__OpportunityLineItem", "OpportunityId", "salesforce__Opportunity", "Id"),
        ("salesforce__Order", "OpportunityId", "salesforce__Opportunity", "Id"),
        ("salesforce__OrderItem", "Product2Id", "salesforce__Product2", "Id"),
    ):
        orphans = database.execute(
            f'select count(*) from "{child}" c where "{column}" is not null and not exists '
            f'(select 1 from "{parent}" p where p."{key}" = c."{column}")'
        ).fetchone()[0]
        assert orphans == 0, (child, column)


def test_ids_tell_nothing_about_time(database):
    """The rank correlation of id and creation is near nothing."""
    rows = database.execute(
        "select id from netsuite__transaction where type = 'SalesOrd' order by createddate"
    ).fetchall()
    ranks = {number: rank for rank, number in enumerate(sorted(row[0] for row in rows))}
    n = len(rows)
    squares = sum((time_rank - ranks[row[0]]) ** 2 for time_rank, row in enumerate(rows))
    assert abs(1 - 6 * squares / (n * (n * n - 1))) < 0.12


def test_salesforce_ids_carry_a_valid_checksum(database):
    assert with_checksum("001A0000006Vm9u") == "001A0000006Vm9uIAC"
    prefixes = {
        "Account": "001",
        "Opportunity": "006",
        "OpportunityLineItem": "00k",
        "Order": "801",
        "OrderItem": "802",
        "Product2": "01t",
        "User": "005",
        "Contract": "800",
    }
    for name, prefix in prefixes.items():
        found = [row[0] for row in database.execute(f'select Id from "salesforce__{name}"')]
        assert found and all(len(i) == 18 and i.startswith(prefix) and with_checksum(i[:15]) == i for i in found)
        assert len({i.lower() for i in found}) == len(found)


def test_permutation_is_a_bijection_and_refuses_more():
    permute = Permutation(1, "x", 10)
    assert sorted(permute(n) for n in range(1024)) == list(range(1024))
    assert [permute(n) for n in range(1024)] != list(range(1024))
    with pytest.raises(OverflowError):
        permute(1024)


def test_money_rounds_half_away_from_zero_and_knows_minor_units():
    assert [rounded(n, 10) for n in (14, 15, 25, -15, -14)] == [1, 2, 3, -2, -1]
    assert amount_text(-5, 2) == "-0.05" and amount_text(1234, 0) == "1234" and amount_text(1234, 3) == "1.234"
    assert decimal_text(150_000, 5) == "1.5" and decimal_text(-200_000, 5) == "-2"
    assert converted(1000, "KWD", "JPY", 485 * RATE_SCALE) == 485
    assert converted(485, "JPY", "KWD", 206186 * RATE_SCALE // 10**8) == 1000


def test_sap_posts_at_the_rate_that_it_holds_and_serves():
    """Five decimals of a quotation (twelve of its inverse): 1,800.00 GBP at 198.27472 are 356,894 yen, not 356,895."""
    rates = Rates(7, Sap.held_rate)
    for base, transaction, day in itertools.product(CURRENCIES, CURRENCIES, range(RATES_FROM, RATES_FROM + 40)):
        if base == transaction:
            continue
        rate = rates.rate(base, transaction, day)
        told, units, targets = quoted(transaction, base, rate)
        quote = Fraction(abs(told), 10**5)
        served = (1 / quote if told < 0 else quote) * Fraction(targets, units)
        assert abs(Fraction(rate, RATE_SCALE) - served) <= Fraction(1, 2 * RATE_SCALE)
        assert rates.held(base, transaction, rate) == rate
    fine = 198_27472_223 * RATE_SCALE // 10**8
    assert converted(180_000, "GBP", "JPY", fine) == 356_895
    assert converted(180_000, "GBP", "JPY", rates.held("JPY", "GBP", fine)) == 356_894


def test_names_agree_after_normalising_and_only_then():
    assert (
        names.normalised("NORVATEK Logistics, Inc.") == names.normalised("Norvatek Logistics") == "norvatek logistics"
    )
    assert names.normalised("Norvatek Logistics") != names.normalised("Norvatek Foods")
    assert names.normalised("AG") == "ag"


def test_salesforce_id_is_distinct_per_number():
    assert len({salesforce_id("006", n) for n in range(5_000)}) == 5_000


def test_unknown_size_or_level_is_refused(tmp_path):
    with pytest.raises(ValueError, match="size"):
        company.generate(tmp_path, size="2k")
    with pytest.raises(ValueError, match="level"):
        company.generate(tmp_path, level=4)
