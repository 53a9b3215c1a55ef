"""A web shop and NetSuite from end to end: landed, built, reconciled; then a day later by pages."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from simulator.company import advance, generate
from simulator.score import score
from simulator.serve import start
from tests.conftest import clear_settings, open_folder
from tests.integration.transform_company import own_warehouse
from tests.payout_answers import CURRENT, amounts_are_conserved, judged_as_planted
from tieout import steps
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.slow
SHOP, ERP = "shopify_ecommerce", "netsuite_ecommerce"
DEPOSITS = ("select count(*), sum(foreigntotal) from raw.netsuite__transaction where type = 'Deposit' "
            "and _superseded_batch is null and not _is_deleted")


def rows(sql: str) -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(sql).fetchall()


@pytest.fixture(scope="module")
def shop() -> Iterator[Path]:
    """The unit's folder, landed and published once, with its vendors still there, all their habits on."""
    with open_folder() as folder:
        generate(folder, seed=17, size="1k", level=1, of="ecommerce")
        with start(folder) as vendors, own_warehouse(vendors.tieout_yml(folder / "tieout.yml").read_text()):
            os.environ.update(vendors.environment())
            clear_settings()
            migrate()
            for connection in (SHOP, ERP):
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


def test_nothing_is_unexplained_and_every_planted_difference_is_found(shop):
    everything_is_explained(shop)


def test_nothing_is_quarantined_and_no_field_is_a_surprise(shop):
    assert rows("select stream, reason from ops.quarantine limit 5") == []
    assert rows(f"select stream, field, kind from ops.drift where connection = '{SHOP}' limit 5") == []


def test_orders_came_in_bulk_and_so_did_their_lines(shop):
    loads = dict(rows(f"select stream, received from ops.load where connection = '{SHOP}' and state = 'committed'"))
    assert loads["orders"] > 1_000 and loads["sales"] >= loads["line_items"] > 2_000
    assert rows("select count(*) from raw.shopify__orders o where not exists (select 1 from raw.shopify__sales s "
                "where s.order_id = o.id)") == [(0,)]


def test_the_rules_that_move_money_hold(shop):
    report = build.test(
        int(rows("select max(run_id) from ops.build_watermark")[0][0]),
        select=["path:models/staging/shopify", "test_type:singular"])
    assert sum(node.resource_type == "unit_test" for node in report.nodes) == 5


def test_what_is_booked_is_the_ledger_less_what_is_no_revenue(shop):
    booked = rows(f"select sum(net_amount) from marts.fct_revenue where {CURRENT} and source_system = 'shopify' "
                  "and document_type = 'deal' and scope = 'in'")
    ledger = rows("select sum(s.total_paid - s.tax_paid) from raw.shopify__sales s join raw.shopify__orders o "
                  "on o.id = s.order_id where s.line_type in ('PRODUCT', 'SHIPPING', 'ADJUSTMENT') and not o.is_test "
                  "and s._superseded_batch is null and o._superseded_batch is null")
    assert booked == ledger


def test_gift_cards_tips_and_tests_are_in_the_fact_and_out_of_scope(shop):
    found = rows(f"select distinct f.event_type, s.line_type, o.is_test from marts.fct_revenue f "
                 "join raw.shopify__sales s on s.id = f.line_id join raw.shopify__orders o on o.id = s.order_id "
                 f"where f.{CURRENT} and f.document_type = 'deal' and f.scope_reason = 'H4' order by 1, 2")
    assert found == [("booking", "PRODUCT", True), ("deferral", "GIFT_CARD", False), ("deferral", "TIP", False)]


def test_prices_with_tax_and_without_are_booked_alike(shop):
    assert rows("select count(distinct taxes_included) from raw.shopify__orders") == [(2,)]
    assert rows("select count(*) from raw.shopify__sales where tax_shop <> 0")[0][0] > 1_000


def test_a_line_whose_product_was_deleted_keeps_its_product_by_its_number(shop):
    assert rows("select count(*) > 10 from raw.shopify__line_items where variant_id is null and sku is not null") == [
        (True,)]
    assert rows("select count(*) from staging.stg_shopify__sales s join raw.shopify__line_items l "
                "on l.id = s.line_item_id where l.sku is not null and s.product_id is null") == [(0,)]


def test_one_payout_is_many_orders_less_the_fees(shop):
    found = rows("select count(*), sum(case when movement_amount = net_amount then 0 else 1 end), max(order_count), "
                 "sum(fee_amount) from staging.stg_shopify__payouts")[0]
    assert found[0] > 50 and found[1] == 0 and found[2] > 3 and found[3] > 0


def given_back(folder: Path) -> None:
    """What the key says was given back, and when, is what the fact takes back of bookings. #CANC is in no key."""
    told = Counter()
    for each in json.loads((folder / "key.json").read_text())["refunds"]:
        told[each["deal"], each["day"]] += Decimal(each["net"])
    found = rows(f"select document_id, event_date::text, -sum(net_amount) from marts.fct_revenue where {CURRENT} "
                 "and event_type = 'booking_cancel' and document_number <> '#CANC-3' group by 1, 2")
    assert {(deal, day): amount for deal, day, amount in found} == told and len(told) > 15


def test_what_is_given_back_takes_a_booking_back_on_its_own_day(shop):
    given_back(shop)
    assert rows(f"select count(*) > 0 from marts.fct_revenue where {CURRENT} and event_type = 'booking_cancel' "
                "and leg = 'freight' and net_amount < 0") == [(True,)]
    assert rows("select sum(refunded_paid) from raw.shopify__refunds where _superseded_batch is null") == rows(
        "select sum(amount_paid) from raw.shopify__transactions where kind = 'REFUND' and _superseded_batch is null")


def test_what_is_given_back_leaves_the_payout_of_its_week(shop):
    assert rows("select sum(refunds_gross) < 0, sum(refunds_gross) = (select sum(amount) from "
                "raw.shopify__balance_transactions where type = 'REFUND' and _superseded_batch is null) "
                "from raw.shopify__payouts where _superseded_batch is null") == [(True, True)]


def test_shipping_is_freight_of_deal_order_and_bill(shop):
    found = dict(rows(f"select event_type, count(*) from marts.fct_revenue where {CURRENT} and leg = 'freight' "
                      "and scope = 'in' and freight_amount <> 0 group by 1"))
    assert set(found) == {"booking", "booking_cancel", "order", "billing", "billing_credit"}
    assert min(found["booking"], found["order"], found["billing"]) > 50


def test_payouts_meet_the_deposits_of_netsuite_as_planted(shop):
    counts = judged_as_planted(rows, shop)
    assert min(counts[reason] for reason in ("matched", "fee_differs", "deposit_missing", "deposited_twice")) >= 1
    amounts_are_conserved(rows, DEPOSITS)


def test_a_cancelled_order_counts_as_nothing(shop):
    assert rows(f"select net_amount, is_void from intermediate.int_rec_documents where {CURRENT} "
                "and document_number = '#CANC-3' and role = 'deal'") == [(0, True)]


def test_a_day_later_changes_come_by_pages_and_a_deletion_by_the_vendors_list(shop):
    advance(shop, 1)
    loads = {load.stream: load for connection in (SHOP, ERP) for load in steps.land(connection).loads}
    assert loads["orders"].mode == "incremental"
    assert 0 < loads["orders"].received < 60
    assert rows("select count(*) from raw.shopify__orders where _is_deleted and _superseded_batch is null") == [(1,)]
    assert rows("select type from raw.shopify__deletions") == [("ORDER",)]
    assert rows("select count(*) > 0 from raw.shopify__sales where reason = 'ORDER_EDIT'") == [(True,)]
    steps.revenue()
    everything_is_explained(shop)
    given_back(shop)
    assert rows("select count(*) from raw.shopify__refunds r where r._batch_id > (select min(_batch_id) from "
                "raw.shopify__refunds) and _superseded_batch is null") == [(1,)]
    judged_as_planted(rows, shop)
    amounts_are_conserved(rows, DEPOSITS)
    assert rows("select sum(abs(unexplained_amount) + abs(unexplained_revenue_amount)) from marts.rec_net_sales "
                f"where {CURRENT}") == [(0,)]
