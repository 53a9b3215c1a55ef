"""One sound row in every raw table of Shopify: an order with its ledger, its charge and the payout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_AT = "2026-05-02T10:00:00Z"


def fill(put: Callable[..., None]) -> None:
    """`put(table, key, **values)`."""
    put("shopify__shop", "1", id="1", name="Shop", currency="USD", time_zone="Etc/UTC")
    put("shopify__customers", "71", id="71", display_name="Acme", company="Acme")
    put("shopify__products", "82", id="82", title="Pump", status="ACTIVE")
    put("shopify__variants", "450", id="450", product_id="82", sku="P", title="Default Title")
    put("shopify__orders", "4501", id="4501", name="#1001", processed_at=_AT, created_at=_AT, is_confirmed=True,
        currency_shop="USD", currency_paid="USD", total_shop="119.00", total_paid="119.00", is_test=False)
    put("shopify__line_items", "11", id="11", order_id="4501", quantity=2, current_quantity=2, variant_id="450")
    put("shopify__sales", "21", id="21", order_id="4501", agreement_id="31", happened_at=_AT, reason="ORDER",
        action_type="ORDER", line_type="PRODUCT", quantity=2, line_item_id="11", total_shop="119.00",
        total_paid="119.00", tax_shop="19.00", tax_paid="19.00", discount_shop="0", discount_paid="0")
    put("shopify__sale_taxes", "41", id="41", order_id="4501", sale_id="21", amount_shop="19.00", amount_paid="19.00")
    put("shopify__discounts", "11|0", line_item_id="11", position=0, order_id="4501", amount_shop="0.00")
    put("shopify__shipping_lines", "4501|0", order_id="4501", position=0, price_shop="0.00")
    put("shopify__transactions", "51", id="51", order_id="4501", kind="SALE", status="SUCCESS", amount_shop="119.00")
    put("shopify__refunds", "61", id="61", order_id="4501", refunded_shop="0.00")
    put("shopify__payouts", "91", id="91", issued_at=_AT, status="PAID", net="115.00", currency="USD")
    put("shopify__balance_transactions", "92", id="92", payout_id="91", type="CHARGE", amount="119.00", fee="4.00",
        net="115.00", currency="USD", transaction_date=_AT)
    put("shopify__payouts", "93", id="93", issued_at=_AT, status="SCHEDULED", net="50.00", currency="USD")
    put("shopify__balance_transactions", "94", id="94", payout_id="93", type="CHARGE", amount="50.00", fee="0.00",
        net="50.00", currency="USD", transaction_date=_AT)
    put("shopify__deletions", "4400|ORDER", id="4400", type="ORDER", created_at=_AT)


def fill_marts(put: Callable[..., None], common: dict[str, Any]) -> None:
    """What the shop sold that day, and what the fact holds of it."""
    nothing = {f"{word}_amount": 0 for word in (
        "discount", "return", "shipping", "duty", "fee", "tip", "gift_card", "test", "other", "channel_tax",
        "fact_outside", "difference", "unexplained", "unexplained_revenue")}
    said = {**common, "net_sales_key": "y1", "connection": "shopify", "sale_date": "2026-05-02", **nothing,
            "net_sales_amount": 100}
    put("fin_net_sales", gross_sales_amount=100, tax_amount=19, total_sales_amount=119, entry_count=1, **said)
    put("rec_net_sales", fact_revenue_amount=100, **said)
    _fill_payouts(put, {**common, "connection": "shopify"})


def _fill_payouts(put: Callable[..., None], common: dict[str, Any]) -> None:
    """A payout with its deposit, one that is on its way, and a deposit that is none."""
    money = {f"{word}_amount": 0 for word in (
        "payout_gross", "payout_fee", "payout_net", "deposit_gross", "deposit_fee", "deposit", "gross_difference",
        "fee_difference", "difference")}
    judged = {**common, **money, "movement_count": 1, "order_count": 1, "is_fee_elsewhere": False, "period": "2026-05"}
    payout = {"payout_connection": "shopify", "issued_date": "2026-05-02"}
    deposit = {"deposit_connection": "quickbooks", "deposit_date": "2026-05-04"}
    put("rec_payout", **{
        **judged, **payout, **deposit, "payout_key": "z1", "side": "both", "payout_id": "91", "payout_state": "paid",
        "deposit_id": "Deposit-60", "payout_gross_amount": 119, "payout_fee_amount": 4, "payout_net_amount": 115,
        "deposit_gross_amount": 119, "deposit_fee_amount": 4, "deposit_amount": 115, "outcome": "matched",
        "match_pass": "reference", "days_to_bank": 2})
    put("rec_payout", **{
        **judged, **payout, "payout_key": "z2", "side": "payout", "payout_id": "93", "payout_state": "pending",
        "payout_gross_amount": 50, "payout_net_amount": 50, "gross_difference_amount": 50, "difference_amount": 50,
        "outcome": "scoped_out", "reason": "in_transit"})
    put("rec_payout", **{
        **judged, **deposit, "payout_key": "z3", "side": "deposit", "connection": "quickbooks",
        "deposit_id": "Deposit-61", "deposit_gross_amount": 20, "deposit_amount": 20, "gross_difference_amount": -20,
        "difference_amount": -20, "outcome": "scoped_out", "reason": "other_deposit"})
    put("rec_payout", **{
        **judged, **deposit, "payout_key": "z4", "side": "deposit", "connection": "netsuite",
        "deposit_connection": "netsuite", "deposit_id": "70", "deposit_gross_amount": 30, "deposit_amount": 30,
        "gross_difference_amount": -30, "difference_amount": -30, "outcome": "scoped_out", "reason": "other_deposit"})
    for key, payout_key, side, member, kind, gross, fee in (
        ("z11", "z1", "payout", "92", "charge", 119, 4), ("z12", "z1", "deposit", "Deposit-60/1", "other", 119, 0),
        ("z13", "z1", "deposit", "Deposit-60/2", "fee", 0, 4), ("z21", "z2", "payout", "94", "charge", 50, 0),
        ("z31", "z3", "deposit", "Deposit-61/1", "other", 20, 0), ("z41", "z4", "deposit", "70/1", "other", 30, 0),
    ):
        put("rec_payout_member", member_key=key, payout_key=payout_key, side=side, member_id=member, member_type=kind,
            gross_amount=gross, fee_amount=fee, net_amount=gross - fee, **common)
