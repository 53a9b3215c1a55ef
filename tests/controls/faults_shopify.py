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
    ("marts/landed_shopify_sales", "sales_are_the_landed_ledger"):
        "update marts.fin_net_sales set net_sales_amount = 99 where connection = 'shopify'",
    ("marts/fin_net_sales", "key_unique"): "insert into marts.fin_net_sales select * from marts.fin_net_sales",
    ("marts/fin_net_sales", "net_is_gross_less_discounts_and_returns"):
        "update marts.fin_net_sales set gross_sales_amount = 111",
    ("marts/fin_net_sales", "total_is_net_with_what_stands_beside_it"):
        "update marts.fin_net_sales set tip_amount = 5, total_sales_amount = 124",
    ("marts/fin_net_sales", "signs_are_the_sellers"):
        "update marts.fin_net_sales set gross_sales_amount = 90, discount_amount = 10",
    ("marts/rec_net_sales", "key_unique"): "insert into marts.rec_net_sales select * from marts.rec_net_sales",
    ("marts/rec_net_sales", "difference_is_fact_less_net_sales"):
        "update marts.rec_net_sales set fact_outside_amount = 50",
    ("marts/rec_net_sales", "nothing_unexplained"):
        "update marts.rec_net_sales set fact_revenue_amount = 150, difference_amount = 50, unexplained_amount = 50",
    ("marts/landed_shopify_payouts", "every_payout_is_judged"):
        "update marts.rec_payout set payout_net_amount = 114 where payout_key = 'z1'",
    ("marts/landed_netsuite_deposits", "every_deposit_is_judged"):
        "update marts.rec_payout set deposit_amount = 29 where payout_key = 'z4'",
    ("marts/rec_payout", "key_unique"): "update marts.rec_payout set payout_key = 'z2' where payout_key = 'z3'",
    ("marts/rec_payout", "outcome_has_its_reason"):
        "update marts.rec_payout set outcome = 'broken' where payout_key = 'z2'",
    ("marts/rec_payout", "net_is_gross_less_fee"):
        "update marts.rec_payout set payout_gross_amount = 120, gross_difference_amount = 1 where payout_key = 'z1'",
    ("marts/rec_payout", "difference_is_payout_less_deposit"):
        "update marts.rec_payout set difference_amount = 49 where payout_key = 'z2'",
    ("marts/rec_payout", "matched_is_equal"):
        "update marts.rec_payout set deposit_gross_amount = 118, deposit_amount = 114, gross_difference_amount = 1, "
        "difference_amount = 1 where payout_key = 'z1'",
    ("marts/rec_payout", "no_deposit_counts_twice"):
        "update marts.rec_payout set deposit_id = 'Deposit-60' where payout_key = 'z3'",
    ("marts/rec_payout_member", "key_unique"):
        "update marts.rec_payout_member set member_key = 'z12' where member_key = 'z13'",
    ("marts/rec_payout_member", "net_is_gross_less_fee"):
        "update marts.rec_payout_member set net_amount = 119 where member_key = 'z11'",
    ("marts/rec_payout_member", "movements_sum_to_the_payout"):
        "delete from marts.rec_payout_member where side = 'payout'",
    ("marts/rec_payout_member", "lines_sum_to_the_deposit"):
        "delete from marts.rec_payout_member where member_key = 'z13'",
}
