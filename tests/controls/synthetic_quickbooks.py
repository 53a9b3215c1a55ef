"""QuickBooks in miniature: an invoice of 97.20 with a discount and tax, and what the books say of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def fill(put: Callable[..., None]) -> None:
    """Sound rows; `put(table, key, **columns)`."""
    system = "quickbooks__"
    put(f"{system}preferences", "1", company="1", home_currency="USD")
    put(f"{system}account", "79", id="79", accounttype="Income")
    put(f"{system}invoice", "130", id="130", customer="24", txndate="2026-05-04", currency="EUR", exchangerate="1.1",
        totalamt="97.20", totaltax="7.20")
    for place, kind, amount in (("1", "SalesItemLineDetail", "100"), ("2", "SubTotalLineDetail", "100"),
                                ("3", "DiscountLineDetail", "10")):
        put(f"{system}invoiceline", f"130|{place}", document="130", position=place, kind="line", detailtype=kind,
            amount=amount)
    put(f"{system}deposit", "60", id="60", txndate="2026-05-04", currency="USD", totalamt="115.00")
    put(f"{system}deposit", "61", id="61", txndate="2026-05-04", currency="USD", totalamt="20.00")
    put(f"{system}exchangerate", "EUR|2026-05-04", sourcecurrencycode="EUR", targetcurrencycode="USD", rate="1.1",
        asofdate="2026-05-04")
    put(f"{system}profitandloss", "79|2026-05-01", account="79", start_date="2026-05-01", amount="99", basis="Accrual")
    for account, debit, credit in (("84", "99", None), ("79", None, "99")):
        put(f"{system}generalledger", f"2026-05|{account}|1", month="2026-05", account=account, position="1",
            debit=debit, credit=credit)


def fill_marts(put: Callable[..., None], common: dict[str, Any]) -> None:
    """The invoice, and what it made of income."""
    for event, net, tax, functional in (("billing", 90, "7.20", 99), ("recognition", 90, 0, 99)):
        total = net if event == "recognition" else "97.20"
        put("fct_revenue", event_key=f"q{event}", connection="quickbooks", source_system="quickbooks",
            document_key="Invoice-130", document_id="Invoice-130", document_type="invoice", document_number="1037",
            line_id="1", event_type=event, leg="item", product_key="p1", net_amount=net, tax_amount=tax,
            total_amount=total, source_sign=1, functional_net_amount=functional, functional_total_amount=functional,
            posted_functional_amount=functional if event == "recognition" else None,
            group_net_amount=functional, group_total_amount=functional, event_date="2026-05-04",
            document_date="2026-05-04", posting_period="2026-05", original_period="2026-05", scope="in",
            basis="document", batch_id=1, source_url="https://example.invalid/130", **common)
