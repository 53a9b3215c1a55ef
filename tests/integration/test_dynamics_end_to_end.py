"""The technology unit from end to end: Dynamics on both sides landed, built, reconciled; then a day later by delta."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from simulator import store
from simulator.company import advance, generate
from simulator.score import score
from simulator.serve import start
from tests.conftest import clear_settings, open_folder
from tests.integration.transform_company import own_warehouse
from tieout import steps
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.slow
SALES, FINANCE = "dynamics_sales_technology", "dynamics_finance_technology"
CURRENT = "superseded_run = 9223372036854775807"


def rows(sql: str) -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(sql).fetchall()


@pytest.fixture(scope="module")
def technology() -> Iterator[Path]:
    """The unit's folder, landed and published once, with its vendors still there, all their habits on."""
    with open_folder() as folder:
        generate(folder, seed=13, size="1k", level=1, of="technology")
        with start(folder) as vendors, own_warehouse(vendors.tieout_yml(folder / "tieout.yml").read_text()):
            os.environ.update(vendors.environment())
            clear_settings()
            migrate()
            for connection in (SALES, FINANCE):
                steps.land(connection)
            steps.revenue()
            yield folder


def everything_is_explained(folder: Path) -> None:
    assert rows(f"select count(*) from marts.rec_summary where {CURRENT} and unexplained_amount <> 0") == [(0,)]
    assert rows(f"select count(*) from marts.rec_gl_tieout where {CURRENT} and unexplained_amount <> 0") == [(0,)]
    assert rows("select * from intermediate.int_codes__unmapped") == []
    with connect("transformer") as db:
        found = score(folder, db)
    assert found["false_auto"]["count"] == 0, found["false_auto"]
    told = found["restricted"]["classes"]
    assert len(told) >= 15
    assert {reason: (found["fn"], found["fp"]) for reason, found in told.items() if found["fn"] or found["fp"]} == {}


def test_nothing_is_unexplained_and_every_planted_difference_is_found(technology):
    everything_is_explained(technology)


def test_nothing_is_quarantined_and_no_field_is_a_surprise(technology):
    assert rows("select stream, reason from ops.quarantine limit 5") == []
    assert rows("select stream, field, kind from ops.drift limit 5") == []


def test_the_rules_that_move_money_hold(technology):
    report = build.test(
        int(rows("select max(run_id) from ops.build_watermark")[0][0]),
        select=["path:models/staging/dynamics_sales", "path:models/staging/dynamics_finance", "test_type:singular"])
    assert sum(node.resource_type == "unit_test" for node in report.nodes) == 14


def test_no_date_is_no_date_and_a_day_is_a_day(technology):
    assert rows("select count(*) from raw.dynamics_finance__custinvoicejour where duedate < '1990-01-01'") == [(0,)]
    assert rows("select count(*) > 0 from raw.dynamics_finance__custinvoicejour where duedate is null") == [(True,)]
    assert rows("select count(*) from raw.dynamics_finance__custtrans where closed is not null") == [(0,)]


def test_other_posting_layers_are_landed_and_in_no_book(technology):
    layers = rows("select postinglayer, count(*) > 0 from raw.dynamics_finance__generaljournalentry "
                  "group by 1 order by 1")
    assert layers == [("Current", True), ("Operations", True)]
    assert rows("select count(*) from staging.stg_dynamics_finance__gl_entries as g "
                "join raw.dynamics_finance__generaljournalentry as e on cast(e.sourcekey as text) = g.entry_id "
                "where e.postinglayer <> 'Current'") == [(0,)]


def test_a_reversal_stays_beside_its_original_and_nets_to_nothing(technology):
    pairs = rows(
        "select l.from_id, sum(f.net_amount) from staging.stg_dynamics_finance__document_links l "
        f"join marts.fct_revenue f on f.document_id in (l.from_id, l.to_id) and f.{CURRENT} "
        "and f.event_type in ('billing', 'billing_cancel') where l.to_type = 'invoice_cancellation' "
        "and l.from_type = 'invoice' group by 1")
    assert len(pairs) >= 4
    assert {amount for _, amount in pairs} == {0}


def test_pro_formas_sisters_and_what_is_not_posted_are_out_with_their_reason(technology):
    found = rows("select distinct case when document_id like 'F%' then 'unposted' else document_type end, scope_reason "
                 f"from marts.fct_revenue where {CURRENT} and source_system = 'dynamics_finance' "
                 "and event_type = 'billing' and scope = 'out' order by 1, 2")
    assert found == [("invoice", "H1"), ("pro_forma", "H2"), ("unposted", "H2")]


def test_a_payment_counts_once_though_it_was_keyed_and_posted_and_shares_its_voucher(technology):
    assert rows("select count(*) > 100 from raw.dynamics_finance__custtrans where transtype = 'Payment' and voucher in "
                "(select voucher from raw.dynamics_finance__custtrans where transtype = 'Payment' "
                "group by dataareaid, voucher having count(*) > 1)") == [(True,)]
    posted = rows("select count(*), -sum(amountcur) from raw.dynamics_finance__custtrans where transtype = 'Payment'")
    keyed = rows("select count(*), sum(l.creditamount) from raw.dynamics_finance__customerpaymentjournallines l "
                 "join raw.dynamics_finance__customerpaymentjournalheaders h using (dataareaid, journalbatchnumber) "
                 "where h.isposted = 'Yes'")
    counted = rows(f"select count(*), sum(total_amount) from marts.fct_revenue where {CURRENT} and scope = 'in' "
                   "and source_system = 'dynamics_finance' and event_type = 'cash' and document_type = 'payment'")
    assert posted == keyed == counted


def test_what_was_keyed_and_is_not_posted_is_kept_and_no_cash(technology):
    found = rows("select count(*), min(document_type), min(scope_reason), max(scope_reason), min(posting_date) "
                 f"from marts.fct_revenue where {CURRENT} and document_id like 'P%'")
    assert found == [(4, "payment", "H2", "H2", None)]
    assert rows(f"select count(*) from marts.fin_ar_ageing where {CURRENT} and document_key in "
                "(select document_key from marts.fct_revenue where document_id like 'P%')") == [(0,)]


def test_deals_of_a_contact_count_for_its_company(technology):
    assert rows("select count(*) > 10, count(customer_type) = count(*) from raw.dynamics_sales__opportunity "
                "where customer_type = 'contact'") == [(True, True)]
    assert rows("select count(*) from staging.stg_dynamics_sales__documents d left join "
                "staging.stg_dynamics_sales__customers c on c.customer_id = d.customer_id "
                "where c.customer_id is null") == [(0,)]


def test_sets_that_come_as_packages_change_nothing_of_what_came_by_pages(technology, monkeypatch):
    told = YAML(typ="safe").load(Path(os.environ["TIEOUT_CONFIG"]).read_text(encoding="utf-8"))
    options = told["connections"][FINANCE]["options"]
    lines = "CustomerPaymentJournalLines"
    sets = {"CustInvoiceJour": "CustInvoiceJourBiEntities", lines: lines}
    options |= {"packages": {name: f"Tieout {each}" for name, each in sets.items()},
                "package_hosts": [options["base_url"]]}
    with open_folder() as folder:
        YAML(typ="safe").dump(told, folder / "tieout.yml")
        monkeypatch.setenv("TIEOUT_CONFIG", str(folder / "tieout.yml"))
        clear_settings()
        report = steps.land(FINANCE, full=True, streams=list(sets))
    monkeypatch.undo()
    clear_settings()
    assert {load.stream for load in report.loads} == set(sets)
    for load in report.loads:
        assert load.received == load.unchanged > 100, load.stream
        assert (load.landed, load.deleted, load.quarantined, load.drift) == (0, 0, 0, {}), load.stream


def test_a_day_later_changes_and_deletions_come_by_delta_and_all_of_it_ties_out(technology):
    advance(technology, 1)
    loads = [load for connection in (SALES, FINANCE) for load in steps.land(connection).loads]
    by_stream = {load.stream: load for load in loads}
    deals = by_stream["opportunity"]
    assert deals.mode == "incremental"
    assert 0 < deals.received < 60
    assert rows("select count(*) from raw.dynamics_sales__opportunity "
                "where _is_deleted and _superseded_batch is null") == [(1,)]  # one deal is withdrawn each day
    assert by_stream["SalesOrderHeaders"].unchanged > by_stream["SalesOrderHeaders"].landed  # compared by hash
    steps.revenue()
    everything_is_explained(technology)


def change(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / store.DATABASE) as database:
        for statement in statements:
            assert database.execute(statement).rowcount == 1, statement


def payments(batch: str) -> list[tuple]:
    """What counts of a journal's one line, however it is known: kind of document, in scope or why not, amount."""
    return rows("select left(f.document_id, 1), f.scope, f.scope_reason, f.total_amount = l.creditamount "
                f"from marts.fct_revenue f, raw.dynamics_finance__customerpaymentjournallines l where f.{CURRENT} "
                f"and l.journalbatchnumber = '{batch}' and l._superseded_batch is null and f.event_type = 'cash' "
                "and f.document_id in ('P' || l._key, 'T5637999999999')")


def test_a_payment_is_keyed_then_posted_then_known_as_a_transaction_and_counts_once_throughout(technology):
    """Each step is a build of what changed. Posted, and its transaction not landed yet: cash that is applied to
    nothing. With it, the transaction alone."""
    ((batch, line),) = rows(
        "select h.journalbatchnumber, l._key from raw.dynamics_finance__customerpaymentjournalheaders h "
        "join raw.dynamics_finance__customerpaymentjournallines l using (dataareaid, journalbatchnumber) "
        "where h.isposted = 'No' order by 1 limit 1")
    assert payments(batch) == [("P", "out", "H2", True)]
    journal = "dynamics_finance__CustomerPaymentJournal"
    change(technology, f'update "{journal}Headers" set "IsPosted" = \'Yes\' where "JournalBatchNumber" = \'{batch}\'')
    steps.land(FINANCE, streams=["CustomerPaymentJournalHeaders"])
    steps.revenue()
    assert payments(batch) == [("P", "in", None, True)]
    assert rows("select b.reason_code from marts.rec_break b join marts.fct_revenue f using (document_key) "
                f"where b.{CURRENT} and f.{CURRENT} and f.document_id = 'P{line}'") == [("A7",)]
    told = store.read_state(technology).now
    change(technology, f"""
        insert into "dynamics_finance__CustTransBiEntities"
          ("dataAreaId", "SourceKey", "AccountNum", "Voucher", "TransType", "CurrencyCode", "CancelledPayment",
          "Approved", "ExchRate", "AmountCur", "AmountMST", "TransDate", "CreatedOn", "SysModifiedDateTime")
        select "dataAreaId", 5637999999999, "AccountDisplayValue", "Voucher", 'Payment', "CurrencyCode", 'No', 'Yes',
          "ExchangeRate", '-' || "CreditAmount", '-' || "CreditAmount", "TransactionDate",
          datetime('{told}', '-1 minute'), datetime('{told}', '-1 minute')
        from "{journal}Lines" where "JournalBatchNumber" = '{batch}'""")
    steps.land(FINANCE, streams=["CustTrans"])
    steps.revenue()
    assert payments(batch) == [("T", "in", None, True)]
