"""A web shop on QuickBooks from end to end: payouts meet deposits, net sales meet the fact; then some days later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.company import advance, generate
from simulator.serve import start
from tests.conftest import clear_settings, open_folder
from tests.integration.transform_company import own_warehouse
from tests.payout_answers import CURRENT, JUDGED, amounts_are_conserved, judged_as_planted, last_of
from tests.quickbooks_company import GB, books
from tieout import steps
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SHOP, ERP = "shopify_books", "quickbooks_books"
DEPOSITS = "select count(*), sum(totalamt) from raw.quickbooks__deposit where _superseded_batch is null"


def rows(sql: str) -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(sql).fetchall()


@pytest.fixture(scope="module")
def company() -> Iterator[Path]:
    """The company's folder, landed and published once, with its vendors still there, all their habits on."""
    with books(GB, crm="shopify"), open_folder() as folder:
        generate(folder, seed=13, size="1k", level=1, of="books")
        with start(folder) as vendors, own_warehouse(vendors.tieout_yml(folder / "tieout.yml").read_text()):
            os.environ.update(vendors.environment())
            clear_settings()
            migrate()
            for connection in (SHOP, ERP):
                steps.land(connection)
            steps.revenue()
            yield folder


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
        "on o.id = s.order_id where s.line_type = 'PRODUCT' and not o.is_test and s._superseded_batch is null "
        "and o._superseded_batch is null")


def test_readers_see_them(company):
    with connect("publisher") as db:
        for mart in ("fin_net_sales", "rec_net_sales", "rec_payout", "rec_payout_member"):
            assert db.execute(f"select count(*) > 0 from reporting.{mart}").fetchone() == (True,), mart


def test_the_rules_that_move_money_hold(company):
    report = build.test(int(rows("select max(run_id) from ops.build_watermark")[0][0]), select=[
        "test_type:singular", "rec_net_sales", "fin_net_sales", "rec_payout", "rec_payout_member",
        "int_payouts__paired", "path:models/staging/shopify", "path:models/staging/quickbooks"])
    assert sum(node.resource_type == "unit_test" for node in report.nodes) == 19


def test_days_later_a_payout_is_on_its_way_and_all_of_it_still_ties_out(company):
    advance(company, 3)
    for connection in (SHOP, ERP):
        steps.land(connection)
    steps.revenue()
    counts = judged_as_planted(rows, company)
    assert counts["in_transit"] >= 1
    assert last_of(rows) == ("pending", "in_transit")
    amounts_are_conserved(rows, DEPOSITS)
    assert rows("select sum(abs(unexplained_amount) + abs(unexplained_revenue_amount)) from marts.rec_net_sales "
                f"where {CURRENT}") == [(0,)]
