"""Planted faults of Shopify, one per expectation; see `faults`."""

from __future__ import annotations

_S = "raw.shopify__"

FAULTS = {
    ("landing/shopify__orders", "has_a_ledger"): f"delete from {_S}sales",
    ("landing/shopify__orders", "date_sane"): f"update {_S}orders set processed_at = '1970-01-01'",
    ("landing/shopify__orders", "currency_is_iso"): f"update {_S}orders set currency_paid = 'US$'",
    ("landing/shopify__sales", "order_present"): f"update {_S}sales set order_id = '9'",
    ("landing/shopify__sales", "code_known"): f"update {_S}sales set action_type = 'UNKNOWN'",
    ("landing/shopify__sales", "tax_has_the_sign_of_its_sale"): f"update {_S}sales set tax_shop = -1",
    ("landing/shopify__sales", "both_currencies_have_one_sign"): f"update {_S}sales set total_paid = -119",
    ("landing/shopify__line_items", "order_present"): f"update {_S}line_items set order_id = '9'",
    ("landing/shopify__line_items", "never_more_than_was_ordered"):
        f"update {_S}line_items set current_quantity = 3",
    ("landing/shopify__transactions", "amount_is_positive"): f"update {_S}transactions set amount_shop = -119",
    ("landing/shopify__payouts", "is_the_sum_of_its_movements"): f"delete from {_S}balance_transactions",
    ("landing/shopify__balance_transactions", "net_is_amount_less_fee"):
        f"update {_S}balance_transactions set net = 119",
    ("marts/landed_shopify_orders", "every_order_in_fact"): "delete from marts.fct_revenue where document_id = '4501'",
}
