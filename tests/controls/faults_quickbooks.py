"""Planted faults of QuickBooks Online, one per expectation; see `faults`."""

from __future__ import annotations

_Q = "raw.quickbooks__"

FAULTS = {
    ("landing/quickbooks__invoice", "lines_are_the_total"):
        f"update {_Q}invoiceline set amount = -amount where detailtype = 'DiscountLineDetail'",
    ("landing/quickbooks__invoice", "customer_present"): f"update {_Q}invoice set customer = null",
    ("landing/quickbooks__invoice", "date_present"): f"update {_Q}invoice set txndate = null",
    ("landing/quickbooks__invoice", "foreign_has_rate"): f"update {_Q}invoice set exchangerate = null",
    ("landing/quickbooks__exchangerate", "rate_positive"): f"update {_Q}exchangerate set rate = 0",
    ("landing/quickbooks__exchangerate", "quoted_in_the_home_currency"):
        f"update {_Q}exchangerate set targetcurrencycode = 'GBP'",
    ("landing/quickbooks__generalledger", "debits_equal_credits"):
        f"update {_Q}generalledger set debit = debit + 1 where debit is not null",
    ("landing/quickbooks__profitandloss", "on_accrual_basis"): f"update {_Q}profitandloss set basis = 'Cash'",
    ("marts/landed_quickbooks_invoices", "every_invoice_in_fact"):
        "delete from marts.fct_revenue where document_id = 'Invoice-130'",
    ("marts/landed_quickbooks_income", "income_is_what_documents_make"):
        f"update {_Q}profitandloss set amount = amount + 1",
    ("marts/landed_quickbooks_deposits", "every_deposit_is_judged"):
        "update marts.rec_payout set deposit_amount = 114 where payout_key = 'z1'",
}
