"""A web shop on QuickBooks from end to end: landed, built, reconciled, payouts against deposits, net sales against the
fact; then by its changes a day later, and some days later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.company import advance, generate
from simulator.score import score
from simulator.serve import start
from tests.conftest import clear_settings, open_folder
from tests.integration.transform_company import own_warehouse
from tests.payout_answers import CURRENT, JUDGED, amounts_are_conserved, judged_as_planted, last_of
from tieout import steps
from tieout.errors import BuildError
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.slow
CRM, ERP = "shopify_web_shop", "quickbooks_web_shop"
DEPOSITS = "select count(*), sum(totalamt) from raw.quickbooks__deposit where _superseded_batch is null"


def rows(sql: str) -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(sql).fetchall()


@pytest.fixture(scope="module")
def company() -> Iterator[Path]:
    """The company's folder, landed and published once, with its vendors still there, all their habits on."""
    with open_folder() as folder:
        generate(folder, seed=13, size="1k", level=1, of="web_shop")
        with start(folder) as vendors, own_warehouse(vendors.tieout_yml(folder / "tieout.yml").read_text()):
            os.environ.update(vendors.environment())
            clear_settings()
            migrate()
            for connection in (CRM, ERP):
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
    assert len(told) >= 14, told
    assert {reason: (found["fn"], found["fp"]) for reason, found in told.items() if found["fn"] or found["fp"]} == {}


def test_nothing_is_unexplained_and_every_planted_difference_is_found(company):
    everything_is_explained(company)


def test_nothing_is_quarantined(company):
    assert rows("select stream, reason from ops.quarantine limit 5") == []


def test_the_rules_that_move_money_hold(company):
    report = build.test(int(rows("select max(run_id) from ops.build_watermark")[0][0]), select=[
        "test_type:singular", "rec_net_sales", "fin_net_sales", "rec_payout", "rec_payout_member",
        "int_payouts__paired", "path:models/staging/shopify", "path:models/staging/quickbooks"])
    assert sum(node.resource_type == "unit_test" for node in report.nodes) == 19


def test_what_the_books_show_is_what_documents_make(company):
    found = dict(rows("select expectation, bool_and(passed) from ops.gate_result "
                      "where suite like '%quickbooks%' group by 1"))
    assert {"every_invoice_in_fact", "income_is_what_documents_make"} <= set(found)
    assert all(found.values()), {name for name, passed in found.items() if not passed}


def test_what_the_documents_make_is_what_the_ledger_lists(company):
    """Each posting of the vendor's own ledger against the double entry that staging makes, document by document."""
    assert rows("""
        with made as (
            select entry.document_id, account.id as account_id, sum(entry.functional_amount) as amount
            from staging.stg_quickbooks__gl_entries as entry
            join staging.base_quickbooks__account as account on account.account_code = entry.account_code
            group by 1, 2
        ),
        listed as (
            select replace(case transaction_type when 'Refund' then 'RefundReceipt' else transaction_type end, ' ', '')
                   || '-' || transaction_id as document_id, account_id, sum(functional_amount) as amount
            from staging.base_quickbooks__generalledger group by 1, 2
        )
        select coalesce(made.document_id, listed.document_id), made.amount, listed.amount
        from made full join listed on made.document_id = listed.document_id and made.account_id = listed.account_id
        where coalesce(made.amount, 0) <> coalesce(listed.amount, 0) limit 5""") == []
    assert rows("select count(*) > 9000 from staging.base_quickbooks__generalledger") == [(True,)]


def test_awkward_documents_are_there_and_count_once(company):
    kinds = dict(rows("select detail_type, count(*) from staging.base_quickbooks__invoiceline where kind <> 'link' "
                      "and detail_type is not null group by 1"))
    assert {"DiscountLineDetail", "GroupLineDetail", "SubTotalLineDetail", "DescriptionOnly", "TaxLineDetail"} <= (
        set(kinds))
    assert rows("select count(*) > 10 from raw.quickbooks__invoice "
                "where globaltaxcalculation = 'TaxInclusive'") == [(True,)]
    assert rows("select document.document_id from staging.stg_quickbooks__documents as document join ("
                "select document_id, sum(total_amount) as amount from staging.stg_quickbooks__revenue_events "
                "where event_type in ('billing', 'billing_credit', 'order') group by 1) as event "
                "on event.document_id = document.document_id "
                "where document.header_total_amount <> event.amount limit 5") == []


def test_shipping_is_freight_in_the_books_and_in_the_ledger(company):
    found = dict(rows(f"select event_type, count(*) from marts.fct_revenue where {CURRENT} and leg = 'freight' "
                      "and source_system = 'quickbooks' and freight_amount <> 0 group by 1"))
    assert set(found) == {"order", "billing", "billing_credit"} and found["billing"] > 50
    assert rows("select count(*) from staging.stg_quickbooks__gl_entries where account_code = '4300'") == [
        (found["billing"] + found["billing_credit"],)]


def test_a_discount_is_told_as_one_so_that_the_products_beside_it_can_be_compared(company):
    """It has no product: taken for an item, nothing of its document could be compared with another line by line."""
    assert rows(f"select count(*) > 10, max(net_amount) < 0 from marts.fct_revenue where {CURRENT} "
                "and leg = 'discount' and source_system = 'quickbooks' and event_type in ('order', 'billing')"
                ) == [(True, True)]


def test_a_voided_invoice_stays_with_zeros(company):
    assert rows("select count(*) >= 4, sum(header_total_amount) from staging.stg_quickbooks__documents "
                "where document_type = 'invoice' and is_voided") == [(True, 0)]


def test_credit_memos_are_applied_by_payments_of_zero(company):
    assert rows("select count(*) > 5 from staging.stg_quickbooks__settlements where payment_type = 'credit_memo'") == [
        (True,)]
    assert rows("select count(*) from staging.stg_quickbooks__documents "
                "where document_type = 'payment' and header_total_amount = 0 and not is_voided") == [(0,)]


def test_every_payout_and_deposit_is_judged_as_planted(company):
    counts = judged_as_planted(rows, company)
    assert min(counts[reason] for reason in (
        "matched", "fee_differs", "amount_differs", "deposit_missing", "deposited_twice", "deposit_without_payout",
        "other_deposit", "in_transit", "negative_payout")) >= 1
    amounts_are_conserved(rows, DEPOSITS)


def test_a_deposit_that_names_nothing_is_found_by_its_amount(company):
    found = dict(rows(f"select match_pass, count(*) from {JUDGED} and side = 'both' group by 1"))
    assert found["amount"] >= 5 and found["reference"] > 70


def test_a_payout_shows_its_orders_and_its_deposit_the_receipts(company):
    assert rows(f"select max(order_count) > 3 from {JUDGED} and outcome = 'matched'") == [(True,)]
    assert rows(f"select count(*) from marts.rec_payout_member m where {CURRENT} and side = 'payout' "
                "and member_type = 'charge' and not exists (select from marts.fct_revenue f "
                f"where f.document_key = m.document_key and f.{CURRENT})") == [(0,)]
    assert rows(f"select count(*) >= 5, count(document_key) = count(*) from marts.rec_payout_member where {CURRENT} "
                "and member_type = 'receipt'") == [(True, True)]


def test_net_sales_meet_the_fact_day_by_day(company):
    assert rows("select count(*) > 300, sum(abs(unexplained_amount) + abs(unexplained_revenue_amount)) "
                f"from marts.rec_net_sales where {CURRENT}") == [(True, 0)]
    sums = rows("select sum(tip_amount), sum(gift_card_amount), sum(test_amount) from marts.rec_net_sales "
                f"where {CURRENT}")[0]
    assert min(sums) > 0
    assert rows(f"select count(*) from marts.fin_net_sales where {CURRENT} and net_sales_amount <> "
                "gross_sales_amount + discount_amount + return_amount") == [(0,)]
    assert rows(f"select sum(net_sales_amount) from marts.fin_net_sales where {CURRENT}") == rows(
        "select sum(s.total_shop - s.tax_shop) from raw.shopify__sales s join raw.shopify__orders o "
        "on o.id = s.order_id where s.line_type in ('PRODUCT', 'ADJUSTMENT') and not o.is_test "
        "and s._superseded_batch is null "
        "and o._superseded_batch is null")


def test_readers_see_them(company):
    with connect("publisher") as db:
        for mart in ("fin_net_sales", "rec_net_sales", "rec_payout", "rec_payout_member"):
            assert db.execute(f"select count(*) > 0 from reporting.{mart}").fetchone() == (True,), mart


def test_the_rule_on_payouts_can_fail(company):
    run_id = int(rows("select max(run_id) from ops.build_watermark")[0][0])
    for change in ("+ 0.01", "- 0.01"):  # and back again
        with connect("transformer", autocommit=True) as db:
            assert db.execute(
                f"update marts.rec_payout set payout_net_amount = payout_net_amount {change} where {CURRENT} "
                f"and payout_key = (select min(payout_key) from {JUDGED} and side = 'both')").rowcount == 1
        if change == "+ 0.01":
            with pytest.raises(BuildError, match="assert_payouts_are_conserved"):
                build.test(run_id, select="assert_payouts_are_conserved")
    build.test(run_id, select="assert_payouts_are_conserved")


def test_a_day_later_changes_and_deletions_come_by_change_data_capture_and_all_of_it_ties_out(company):
    advance(company, 1)
    steps.land(CRM)
    loads = {load.stream: load for load in steps.land(ERP).loads}
    assert loads["Invoice"].mode == "incremental" and 0 < loads["Invoice"].received < 60
    assert rows("select count(*) from raw.quickbooks__invoice "
                "where _is_deleted and _superseded_batch is null") == [(1,)]
    assert rows("select count(*) from raw.quickbooks__invoiceline l join raw.quickbooks__invoice i "
                "on i._key = l.document where i._is_deleted and l._superseded_batch is null "
                "and not l._is_deleted") == [(0,)]
    steps.revenue()
    everything_is_explained(company)


def test_days_later_a_payout_is_on_its_way_and_all_of_it_still_ties_out(company):
    advance(company, 2)
    for connection in (CRM, ERP):
        steps.land(connection)
    steps.revenue()
    counts = judged_as_planted(rows, company)
    assert counts["in_transit"] >= 1
    assert last_of(rows) == ("pending", "in_transit")
    amounts_are_conserved(rows, DEPOSITS)
    assert rows("select sum(abs(unexplained_amount) + abs(unexplained_revenue_amount)) from marts.rec_net_sales "
                f"where {CURRENT}") == [(0,)]
