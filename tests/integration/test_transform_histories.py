"""The law of partial builds, on random histories: whatever changed or failed, a complete build adds nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.integration import random_company as company
from tests.integration.transform_company import new_batch, open_run, own_warehouse
from tieout.errors import BuildError
from tieout.transform import build
from tieout.warehouse import connect

OPEN = 9223372036854775807
SEEDS = [int(word) for word in os.environ.get("HISTORY_SEEDS", "1").split(",")]
ROUNDS = int(os.environ.get("HISTORY_ROUNDS", "3"))
FIRST_DAY = date(2026, 6, 1)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with own_warehouse(company.TIEOUT_YML) as folder:
        yield folder


def rows(statement: str) -> list[tuple]:
    with connect("transformer") as books:
        return books.execute(statement).fetchall()


def versioned() -> list[str]:
    return [name for (name,) in rows(
        "select table_schema || '.' || table_name from information_schema.columns"
        " where column_name = 'superseded_run' and table_schema in ('staging', 'intermediate', 'marts') order by 1")]


def lines() -> list[str]:
    """Tables that are replaced document by document."""
    return [name for (name,) in rows(
        "select schemaname || '.' || tablename from pg_tables where schemaname = 'staging'"
        " and (tablename like 'stg%' or tablename like 'base%') and tablename !~ '(touched|references)$' order by 1")]


def content(table: str) -> list[tuple]:
    """The rows of a table, by their hashes. A complete build clears away the tombstones of links."""
    kept = "not is_deleted" if "nexttransactionlink" in table else "true"
    return rows(f"select md5(cast(t as text)) from {table} as t where {kept} order by 1")


def recorded(run_id: int) -> dict[str, list[tuple]]:
    """{table: versions that the run recorded or closed}, where there are any."""
    found = {table: rows(f"select * from {table} where recorded_run = {run_id} or superseded_run = {run_id}")
             for table in versioned()}
    return {table: changed for table, changed in found.items() if changed}
# No system of this company tells its stock, none is a payer's, none a shop.
TOLD_BY_NOBODY = {"marts.fin_stock_cover", "marts.fin_revenue_cycle", "marts.fin_net_sales", "marts.rec_net_sales",
                  "marts.rec_payout", "marts.rec_payout_member"}


def day(number: int) -> str:
    return f"{FIRST_DAY + timedelta(number)} 12:00Z"


@pytest.mark.parametrize("seed", SEEDS)
def test_partial_builds_of_a_random_history_equal_a_complete_one(home: Path, seed: int) -> None:
    world = company.begin(seed)
    _clear()
    company.land(world, new_batch())
    for _ in range(12):
        company.decide(world)
    for _ in range(16):
        company.crossref(world)
    today = 0
    build.run(open_run(day(today)), full_refresh=True)
    told = []
    for number in range(ROUNDS):
        today += world.dice.choice((0, 0, 1, 20))
        happened = company.change(world, world.dice.choice((0, 1, 3, 8)))
        company.land(world, new_batch())
        run_id = open_run(day(today))
        if world.dice.random() < 0.3:
            _fail_within(world, run_id)
            happened.append("failed")
            if world.dice.random() < 0.5:
                happened += company.change(world, 2)
                company.land(world, new_batch())
                run_id = open_run(day(today))
        report = build.run(run_id)
        assert not report.is_full, report.reason
        if world.dice.random() < 0.3:
            happened.append("repeated")
            build.run(run_id)
        told.append((today, happened))
        if number == ROUNDS - 1 or os.environ.get("HISTORY_EACH"):
            _assert_complete_adds_nothing(day(today), f"seed {seed}: {told}")


def _clear() -> None:
    with connect("owner", autocommit=True) as books:
        for (name,) in rows("select tablename from pg_tables where schemaname = 'raw'"):
            books.execute(f"truncate raw.{name}")
        books.execute("truncate ops.identity_decision, ops.document_crossref")


def _fail_within(world: company.World, run_id: int) -> None:
    """A build that stops at some mart: what comes before it has been written."""
    table, column = world.dice.choice((("rec_document", "hop"), ("rec_break", "hop"), ("rec_summary", "hop"),
                                       ("rec_document_chain", "stopped_at"), ("fct_revenue", "event_type")))
    with connect("transformer", autocommit=True) as books:
        books.execute(f"alter table marts.{table} add constraint planted check ({column} = 'nothing') not valid")
    try:
        build.run(run_id)
    except BuildError as error:
        assert "planted" in str(error)
    finally:
        with connect("transformer", autocommit=True) as books:
            books.execute(f"alter table marts.{table} drop constraint planted")


def _assert_complete_adds_nothing(when: str, told: str) -> None:
    before = {table: content(table) for table in lines()}
    empty = {table for table in versioned() if not rows(f"select count(*) from {table}")[0][0]}
    # People may have said nothing; what is suggested is no model's work.
    empty -= {"intermediate.int_rec_decisions", "intermediate.int_rec_crossrefs", "marts.rec_suggestion"}
    assert len(before) >= 8 and empty == TOLD_BY_NOBODY, told
    run_id = open_run(when)
    build.run(run_id, full_refresh=True)
    for table, found in before.items():
        assert content(table) == found, f"{table}, {told}"
    found = recorded(run_id)
    assert not found, "\n".join([told, *(f"{table}: {row}" for table, changed in found.items() for row in changed)])


def test_a_deal_of_another_age_is_still_explained_by_the_order_that_carries_its_number(home: Path) -> None:
    """Nothing changed but the date: the deal's break is looked at again, and with it the order that it names. Without,
    a deal that another customer's order refers to (E1) would read as one without any order (A1).
    """
    world = company.begin(1)
    _clear()
    closed = FIRST_DAY - timedelta(20)
    world.put("salesforce__account", "crm_one", "91", id="91", name="Zeta Works", billingcountrycode="US",
              erp_customer_id=None, website="zeta.example", ispersonaccount=False)
    world.put("netsuite__customer", "erp_one", "92", id="92", companyname="Omega Mills", externalid=None,
              url="omega.example", isperson=False)
    world.put("salesforce__opportunity", "crm_one", "9001", id="9001", name="Zeta's deal", accountid="91",
              currencyisocode="USD", selling_entity="1", amount=700, iswon=True, closedate=closed, stagename="x")
    world.put("salesforce__order", "crm_one", "9002", id="9002", ordernumber="C9002", accountid="91",
              opportunityid="9001", statuscode="Activated", ponumber="PO-9900", currencyisocode="USD", totalamount=700,
              effectivedate=closed, erp_order_id=None)
    world.put("salesforce__orderitem", "crm_one", "9002-1", id="9002-1", orderid="9002", product2id="1", quantity=1,
              totalprice=700)
    world.put("netsuite__transaction", "erp_one", "9003", id="9003", tranid="SO9003", type="SalesOrd", status="F",
              approvalstatus="2", entity="92", currency="1", postingperiod="5", otherrefnum="PO-9900", externalid=None,
              exchangerate=1, foreigntotal=650, posting=False, voided=False, duedate=closed,
              trandate=closed + timedelta(15))
    for line in (0, 1):
        world.put("netsuite__transactionline", "erp_one", f"9003-{line}", uniquekey=f"9003-{line}", transaction="9003",
                  id=str(line), item="1" if line else None, itemtype="Service" if line else None, subsidiary="1",
                  quantity=-line, foreignamount=-650 if line else 650, mainline=not line, taxline=False, iscogs=False,
                  eliminate=False, createdfrom=None)
    company.land(world, new_batch())
    build.run(open_run(day(0)), full_refresh=True)
    reasons = (f"select document_id, reason_code from marts.rec_break where superseded_run = {OPEN}"
               " and document_id in ('9001', '9003') and hop = 'deal_order' order by 1")
    assert rows(reasons) == [("9001", "E1"), ("9003", "E1")]
    company.land(world, new_batch())
    report = build.run(open_run(day(20)))
    assert not report.is_full
    assert rows(reasons) == [("9001", "E1"), ("9003", "E1")]
    _assert_complete_adds_nothing(day(20), "20 days later")


def _invoice(world: company.World, erp: str, number: str, posted_rate: float) -> None:
    """100.00 EUR of an entity in USD, posted at this rate."""
    when = FIRST_DAY - timedelta(10)
    world.put("netsuite__transaction", erp, number, id=number, tranid=f"INV{number}", type="CustInvc", status="A",
              approvalstatus="2", entity="1", currency="2", postingperiod="5", createddate=f"{when} 09:00Z",
              exchangerate=posted_rate, foreigntotal=100, posting=True, voided=False, trandate=when, duedate=when)
    for line, sign, account in ((0, 1, "1"), (1, -1, "2")):
        key = f"{number}-{line}"
        world.put("netsuite__transactionline", erp, key, uniquekey=key, transaction=number, id=str(line),
                  item="1" if line else None, itemtype="Service" if line else None, subsidiary="1", quantity=-line,
                  foreignamount=100 * sign, mainline=not line, taxline=False, iscogs=False, eliminate=False,
                  createdfrom=None)
        world.put("netsuite__transactionaccountingline", erp, f"1|{number}|{line}", accountingbook="1",
                  transaction=number, transactionline=str(line), account=account, posting=True,
                  amount=100 * sign * posted_rate)


def test_a_posting_is_judged_by_the_rates_of_its_own_books(home: Path) -> None:
    """Two ERPs, one day: 1.10 and 1.30. What each posts at its own rate is right, at the other's it is D1; a rate that
    is corrected touches the documents of its own books alone.
    """
    world = company.begin(1)
    _clear()
    when = FIRST_DAY - timedelta(10)
    for erp, quote in (("erp_one", 1.1), ("erp_two", 1.3)):
        world.put("netsuite__currencyrate", erp, "own", id="own", basecurrency="1", transactioncurrency="2",
                  effectivedate=when, exchangerate=quote)
    for erp, number, posted_rate in (("erp_one", "9101", 1.1), ("erp_two", "9102", 1.3), ("erp_two", "9103", 1.1)):
        _invoice(world, erp, number, posted_rate)
    company.land(world, new_batch())
    build.run(open_run(day(60)), full_refresh=True)
    found = ("select document_id, reason_code, round(amount, 2)::text from marts.rec_break"
             f" where superseded_run = {OPEN} and hop = 'invoice_ledger' and document_id in ('9101', '9102', '9103')"
             " order by 1")
    assert rows(found) == [("9103", "D1", "20.00")]

    world.put("netsuite__currencyrate", "erp_two", "own", id="own", basecurrency="1", transactioncurrency="2",
              effectivedate=when, exchangerate=1.4)
    company.land(world, new_batch())
    run_id = open_run(day(60))
    assert not build.run(run_id).is_full
    touched = rows("select connection, count(*) from intermediate.int_documents__touched group by 1")
    assert [connection for connection, _ in touched] == ["erp_two"]
    assert rows(f"select distinct connection, currency_code from marts.fct_revenue where recorded_run = {run_id}"
                ) == [("erp_two", "EUR")]
    assert rows(found) == [("9102", "D1", "10.00"), ("9103", "D1", "30.00")]
    _assert_complete_adds_nothing(day(60), "a rate of the second books")
