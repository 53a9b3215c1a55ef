"""One sound row in every raw table of Shopify: an order with its ledger, its charge and the payout."""

from __future__ import annotations

from collections.abc import Callable

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
    put("shopify__deletions", "4400|ORDER", id="4400", type="ORDER", created_at=_AT)
