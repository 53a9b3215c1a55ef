"""The stand-in of QuickBooks: its language, its tokens, and documents whose lines are their total. No server."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from decimal import Decimal

import pytest

from simulator import systems
from simulator.clock import LAST_DAY, end_of
from simulator.company import Company
from simulator.habits import Habits
from simulator.quickbooks_api import query
from simulator.quickbooks_api.auth import Auth, make_keys
from simulator.quickbooks_api.errors import Fault, TokenError
from simulator.scenarios import told_by
from simulator.units import UNITS, Unit

NOW = end_of(LAST_DAY)


# --- the language


def test_a_statement_is_understood():
    found = query.parse("SELECT * FROM invoice WHERE MetaData.LastUpdatedTime >= '2026-01-01T00:00:00-08:00' AND "
                        "DocNumber LIKE 'O\\'N%' ORDERBY MetaData.LastUpdatedTime, Id DESC STARTPOSITION 11 "
                        "MAXRESULTS 5")
    assert (found.entity, found.start, found.limit) == ("Invoice", 11, 5)
    assert found.order == (("MetaData.LastUpdatedTime", False), ("Id", True))
    assert found.where[1] == ("DocNumber", "like", ("O'N%",))
    assert query.condition(found)[1] == ["2026-01-01 08:00:00", "O'N%"]


def test_inactive_records_are_hidden_unless_asked_for():
    assert query.condition(query.parse("select * from Customer")) == ("active = 1", [])
    told, values = query.condition(query.parse("select * from Customer where Active in (true, false)"))
    assert (told, values) == ("active in (?, ?)", [1, 0])


@pytest.mark.parametrize(("statement", "code"), [
    ("select * from Invoice where Line.Amount > 5", "4001"), ("select * from Nonsense", "4001"),
    ("select * from Invoice maxresults 1001", "4001"), ("select * from Invoice startposition 0", "4001"),
    ("select * from Invoice where Id = '1' or Id = '2'", "4000"), ("select from Invoice", "4000"),
    ("select * from Invoice where Id <> '1'", "4000"), ("delete from Invoice", "4000")])
def test_what_the_language_lacks_is_refused(statement, code):
    with pytest.raises(Fault) as wrong:
        query.condition(query.parse(statement))
    assert wrong.value.code == code


# --- tokens


@pytest.fixture
def keys() -> dict[str, str]:
    return make_keys()


def refreshed(auth: Auth, keys: dict[str, str], token: str) -> dict:
    pair = base64.b64encode(f"{keys['client_id']}:{keys['client_secret']}".encode()).decode()
    return auth.token({"authorization": f"Basic {pair}"}, {"grant_type": "refresh_token", "refresh_token": token})


def test_a_former_token_lives_until_its_successor_is_used(tmp_path, keys):
    auth = Auth(tmp_path, keys, Habits())
    first = refreshed(auth, keys, keys["refresh_token"])["refresh_token"]
    assert refreshed(auth, keys, keys["refresh_token"])["refresh_token"] == first
    second = refreshed(auth, keys, first)["refresh_token"]
    with pytest.raises(TokenError):
        refreshed(auth, keys, keys["refresh_token"])
    assert Auth(tmp_path, keys, Habits()).current == second, "a stand-in that is started again knows its tokens"


def test_a_former_token_dies_with_its_grace(tmp_path, keys):
    auth = Auth(tmp_path, keys, Habits(quickbooks_grace_seconds=0))
    refreshed(auth, keys, keys["refresh_token"])
    with pytest.raises(TokenError):
        refreshed(auth, keys, keys["refresh_token"])


def test_an_access_token_ends_after_so_many_requests(tmp_path, keys):
    auth = Auth(tmp_path, keys, Habits(quickbooks_token_requests=1))
    headers = {"authorization": f"Bearer {refreshed(auth, keys, keys['refresh_token'])['access_token']}"}
    auth.check(headers)
    with pytest.raises(Fault) as wrong:
        auth.check(headers)
    assert (wrong.value.status, wrong.value.code, wrong.value.gateway) == (401, "3200", True)


# --- documents


@pytest.fixture(scope="module")
def rendered() -> dict[str, list]:
    """{entity: its records} and the postings, of two years."""
    company = Company(5, "1k", 1, "web_shop")
    found: dict[str, list] = defaultdict(list)
    for number in range(company.history):
        for table, row in company.rows(company.chain(number), NOW):
            name = table.removeprefix("quickbooks__")
            if table == "quickbooks__posting":
                found[name].append(row)
            elif table.startswith("quickbooks__"):
                found[name].append(row[1] if name == "deleted" else json.loads(row[3], parse_float=Decimal))
    return found


def worth(lines: list[dict]) -> Decimal:
    total = Decimal(0)
    for line in lines:
        if line["DetailType"] == "GroupLineDetail":
            assert worth(line["GroupLineDetail"]["Line"]) == line["Amount"]
        if line["DetailType"] in ("SalesItemLineDetail", "GroupLineDetail"):
            total += line["Amount"]
        if line["DetailType"] == "DiscountLineDetail":
            assert line["Amount"] > 0
            total -= line["Amount"]
    return total


@pytest.mark.parametrize("entity", ["Invoice", "SalesReceipt", "CreditMemo", "RefundReceipt", "Estimate"])
def test_items_less_discounts_with_tax_are_the_total(rendered, entity):
    assert rendered[entity]
    for record in rendered[entity]:
        assert worth(record["Line"]) + record["TxnTaxDetail"]["TotalTax"] == record["TotalAmt"], record["Id"]
        assert record["TotalAmt"] >= 0


def test_awkward_documents_are_among_them(rendered):
    kinds = {line["DetailType"] for record in rendered["Invoice"] for line in record["Line"]}
    assert kinds == {"SalesItemLineDetail", "GroupLineDetail", "DiscountLineDetail", "SubTotalLineDetail",
                     "DescriptionOnly"}
    assert {record.get("GlobalTaxCalculation") for record in rendered["Invoice"]} == {"TaxExcluded", "TaxInclusive"}
    assert any("ExchangeRate" in record and "HomeTotalAmt" in record for record in rendered["Invoice"])
    assert any(record["TotalAmt"] == 0 and record["Line"] for record in rendered["Payment"])


def test_postings_of_each_document_balance(rendered):
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entity, identity, _, _, _, debit, credit, *_ in rendered["posting"]:
        sums[entity, identity] += Decimal(debit or 0) - Decimal(credit or 0)
    assert len(sums) > 500 and not any(sums.values())


def test_no_two_transactions_share_an_id(rendered):
    ids = [record["Id"] for entity, records in rendered.items() if entity not in ("posting", "deleted")
           for record in records]
    assert len(ids) == len(set(ids)) > 800


# --- what the books cannot tell


def test_what_these_books_cannot_tell_is_not_planted():
    unit = UNITS["web_shop"]
    names = {scenario.name for scenario in told_by(systems.kinds(unit.erp), systems.lacks(unit))}
    every = {scenario.name for scenario in told_by(frozenset())}
    assert every - names == {"cut_off", "after_the_lock", "billed_by_sister", "intercompany", "pending_invoice",
                             "never_posted", "header_off", "other_currency"}


def test_units_of_other_books_are_as_they_were():
    assert all(systems.lacks(unit) == frozenset() for unit in UNITS.values() if unit.erp != "quickbooks")


def test_a_company_is_one_legal_entity(monkeypatch):
    monkeypatch.setitem(UNITS, "pair", Unit("pair", "Pair", "salesforce", "quickbooks", "01"))
    with pytest.raises(ValueError, match="one legal entity"):
        Company(5, "1k", 1, "pair")
