"""Planted faults of Dynamics 365 Sales and Finance, one per expectation; see `faults`."""

from __future__ import annotations

_S, _F = "raw.dynamics_sales__", "raw.dynamics_finance__"

FAULTS = {
    ("landing/dynamics_sales__opportunity", "state_known"): f"update {_S}opportunity set statecode = 9",
    ("landing/dynamics_sales__opportunity", "won_has_date"): f"update {_S}opportunity set actualclosedate = null",
    ("landing/dynamics_sales__opportunity", "won_has_value"): f"update {_S}opportunity set actualvalue = null",
    ("landing/dynamics_sales__opportunity", "currency_present"):
        f"update {_S}opportunity set transactioncurrencyid = null",
    ("landing/dynamics_sales__opportunity", "rate_positive"): f"update {_S}opportunity set exchangerate = 0",
    ("landing/dynamics_sales__opportunity", "priced_without_error"):
        f"update {_S}opportunity set pricingerrorcode = 5",
    ("landing/dynamics_sales__opportunityproduct", "deal_present"):
        f"update {_S}opportunityproduct set opportunityid = 'D0'",
    ("landing/dynamics_sales__opportunityproduct", "amount_present"):
        f"update {_S}opportunityproduct set baseamount = null",
    ("landing/dynamics_sales__salesorder", "state_known"): f"update {_S}salesorder set statecode = 9",
    ("landing/dynamics_sales__salesorderdetail", "order_present"):
        f"update {_S}salesorderdetail set salesorderid = 'O0'",
    ("landing/dynamics_sales__transactioncurrency", "rate_positive"):
        f"update {_S}transactioncurrency set exchangerate = 0",
    ("landing/dynamics_sales__transactioncurrency", "currency_is_iso"):
        f"update {_S}transactioncurrency set isocurrencycode = 'US$'",
    ("landing/dynamics_finance__ledgers", "currency_is_iso"): f"update {_F}ledgers set accountingcurrency = 'US$'",
    ("landing/dynamics_finance__exchangerates", "rate_positive"): f"update {_F}exchangerates set rate = 0",
    ("landing/dynamics_finance__exchangerates", "factor_known"):
        f"update {_F}exchangerates set conversionfactor = 'Million'",
    ("landing/dynamics_finance__salesorderheaders", "status_known"):
        f"update {_F}salesorderheaders set salesorderstatus = 'Parked'",
    ("landing/dynamics_finance__salesorderheaders", "company_present"): f"delete from {_F}legalentities",
    ("landing/dynamics_finance__salesorderlines", "order_present"):
        f"update {_F}salesorderlines set salesordernumber = 'SO-9'",
    ("landing/dynamics_finance__custinvoicejour", "sales_type_known"):
        f"update {_F}custinvoicejour set salestype = 'Lease' where sourcekey = 20",
    ("landing/dynamics_finance__custinvoicejour", "currency_is_iso"):
        f"update {_F}custinvoicejour set currencycode = 'US$' where sourcekey = 20",
    ("landing/dynamics_finance__custinvoicejour", "date_sane"):
        f"update {_F}custinvoicejour set invoicedate = '0206-05-04' where sourcekey = 20",
    ("landing/dynamics_finance__custinvoicejour", "rate_positive"):
        f"update {_F}custinvoicejour set exchrate = 0 where sourcekey = 20",
    ("landing/dynamics_finance__custinvoicejour", "reversal_names_its_original"):
        f"update {_F}custinvoicejour set reversedrecid = 99 where sourcekey = 21",
    ("landing/dynamics_finance__custinvoicetrans", "invoice_present"):
        f"update {_F}custinvoicetrans set invoicedate = '2026-05-05' where sourcekey = 200",
    ("landing/dynamics_finance__freetextinvoicelines", "header_present"):
        f"update {_F}freetextinvoicelines set parentrecid = 99",
    ("landing/dynamics_finance__custtrans", "type_known"):
        f"update {_F}custtrans set transtype = 'Barter' where sourcekey = 20",
    ("landing/dynamics_finance__custtrans", "amount_present"):
        f"update {_F}custtrans set amountmst = null where sourcekey = 20",
    ("landing/dynamics_finance__custtrans", "payments_are_credits"):
        f"update {_F}custtrans set amountcur = 100 where sourcekey = 30",
    ("landing/dynamics_finance__customerpaymentjournalheaders", "posted_known"):
        f"update {_F}customerpaymentjournalheaders set isposted = 'Maybe' where journalbatchnumber = 'B2'",
    ("landing/dynamics_finance__customerpaymentjournallines", "journal_present"):
        f"update {_F}customerpaymentjournallines set journalbatchnumber = 'B9' where journalbatchnumber = 'B2'",
    ("landing/dynamics_finance__customerpaymentjournallines", "account_type_known"):
        f"update {_F}customerpaymentjournallines set accounttype = 'Barter'",
    ("landing/dynamics_finance__customerpaymentjournallines", "currency_is_iso"):
        f"update {_F}customerpaymentjournallines set currencycode = 'US$'",
    ("landing/dynamics_finance__customerpaymentjournallines", "agrees_with_its_transactions"):
        f"update {_F}customerpaymentjournallines set creditamount = 99.99",
    ("landing/dynamics_finance__custsettlement", "both_sides_are_there"):
        f"delete from {_F}custsettlement where sourcekey = 41",
    ("landing/dynamics_finance__generaljournalentry", "company_or_ledger_present"):
        f"update {_F}generaljournalentry set subledgervoucherdataareaid = '', ledger = 9",
    ("landing/dynamics_finance__generaljournalentry", "date_present"):
        f"update {_F}generaljournalentry set accountingdate = null",
    ("landing/dynamics_finance__generaljournalaccountentry", "debits_equal_credits"):
        f"update {_F}generaljournalaccountentry set accountingcurrencyamount = 99.99 where sourcekey = 51",
    ("landing/dynamics_finance__generaljournalaccountentry", "sign_agrees_with_debit_or_credit"):
        f"update {_F}generaljournalaccountentry set iscredit = 'Yes' where sourcekey = 51",
    ("landing/dynamics_finance__generaljournalaccountentry", "posting_type_known"):
        f"update {_F}generaljournalaccountentry set postingtype = 'Barter' where sourcekey = 51",
    ("landing/dynamics_finance__generaljournalaccountentry", "account_known"):
        f"update {_F}generaljournalaccountentry set mainaccount = 9 where sourcekey = 51",
    ("landing/dynamics_finance__generaljournalaccountentry", "voucher_present"):
        f"update {_F}generaljournalaccountentry set generaljournalentry = 9",
    ("marts/landed_dynamics_deals", "every_won_deal_in_fact"):
        "delete from marts.fct_revenue where document_id = 'D9'",
    ("marts/landed_dynamics_invoices", "every_invoice_in_fact"):
        "delete from marts.fct_revenue where document_id = 'J20'",
    ("marts/landed_dynamics_payments", "every_payment_in_fact"):
        "delete from marts.fct_revenue where document_id = 'T30'",
    ("marts/landed_dynamics_payment_lines", "every_line_counts_once"):
        "update marts.fct_revenue set document_id = 'Pustc|B1|1' where document_id = 'Pustc|B2|1'",
}
