"""Journals in which customers' payments are keyed: a header, and a line for each payment.

A journal that is posted stays, beside the customers' transactions that it made: the same money twice. Some companies'
journals give one voucher number to all of their lines, so that a voucher holds payments of several customers. What
nobody posted yet has a voucher number, too, and is in no book.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.clock import DAY, date_text
from simulator.documents import Doc
from simulator.fno_master import ACCOUNTS, Values, customer_account
from simulator.fno_numbers import RECORDS, area, company
from simulator.money import CURRENCIES, amount_text, rate_text

DRAFT = "PaymentDraft"


def voucher(doc: Doc) -> str:
    """Of a payment: one for itself, or that of all lines of its journal."""
    return f"LBX-{_day(doc)}" if _is_one(doc) else f"CPY-{int(doc.id) - RECORDS:08d}"


def line_id(doc: Doc) -> str:
    """A line's key, as it is written where parts of keys are joined."""
    return f"{area(doc.entity)}|{_batch(doc)}|{_line(doc)}"


def rows(doc: Doc) -> Iterator[Values]:
    """(set, values) of a payment's line, and of its journal. Journals of several payments come with each of them."""
    place = {"dataAreaId": area(doc.entity), "JournalBatchNumber": _batch(doc)}
    yield "CustomerPaymentJournalHeaders", {
        **place, "JournalName": "Lockbox" if _is_one(doc) else "CustPay", "Description": "Customer payments",
        "IsPosted": "No" if doc.kind == DRAFT else "Yes",
    }
    settled = [bill for bill, _ in doc.applied]
    marked = settled[0] if len(settled) == 1 else doc.source
    yield "CustomerPaymentJournalLines", {
        **place, "LineNumber": _line(doc), "AccountType": "Cust", "CustomerName": doc.customer.name,
        # What parts an account's segments is escaped within one; customers' numbers here have none.
        "AccountDisplayValue": customer_account(doc.customer), "Company": area(doc.entity),
        "CreditAmount": amount_text(doc.amount, CURRENCIES[doc.currency].decimals), "DebitAmount": "0",
        "CurrencyCode": doc.currency, "ExchangeRate": rate_text(doc.rate * 100),
        "TransactionDate": date_text(doc.posting_day), "Voucher": voucher(doc), "PaymentMethodName": "EFT",
        "PaymentReference": doc.reference, "PaymentId": "", "MarkedInvoice": marked.number if marked else None,
        "MarkedInvoiceCompany": area(marked.entity) if marked else None, "IsPrepayment": "No",
        "OffsetAccountType": "Bank", "OffsetAccountDisplayValue": ACCOUNTS["bank"][0],
        "TransactionText": f"Payment of {doc.customer.name}"[:60],
    }


def _is_one(doc: Doc) -> bool:
    return doc.kind != DRAFT and doc.entity.number % 2 == 1


def _day(doc: Doc) -> str:
    return f"{doc.posting_day:05d}{doc.created // DAY - doc.posting_day}"


def _batch(doc: Doc) -> str:
    if doc.kind == DRAFT:
        return f"{company(doc.entity)}-D{int(doc.id) - RECORDS:08d}"
    return f"{company(doc.entity)}-{_day(doc)}"


def _line(doc: Doc) -> str:
    """Unique in its journal, which others fill, too."""
    return str(int(doc.id) - RECORDS)
