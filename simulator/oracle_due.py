"""What is due of an invoice, and when. Every fourth one is due in two instalments, the second one a month later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.clock import DAY, date_text
from simulator.money import CURRENCIES, amount_text, converted
from simulator.oracle_schema import row

if TYPE_CHECKING:
    from simulator.documents import Chain, Doc
    from simulator.systems import Row

FIRST, _SCHEDULES = 300_000_100_000_000, 900_000_000_000_000
_TAKEN = ("CustPymt", "CustCred", "Adjustment")


def surrogate(document_id: str | int) -> int:
    """The key of a document in its table: ids of other tables than transactions carry a prefix."""
    return int(str(document_id).rpartition("-")[2])


def installment_id(doc: Doc, number: int) -> int:
    """The key of an invoice's payment schedule; `number` from 0."""
    return _SCHEDULES + (surrogate(doc.id) - FIRST) * 2 + number


def installments(doc: Doc, chain: Chain, now: int) -> Iterator[Row]:
    """(table, row) of what is due when. An incomplete invoice has none yet; a till sale is paid at once.

    Nothing is ever open of a pro forma.
    """
    if not doc.approved:
        return
    total = 0 if doc.is_void(now) else doc.total(now) + doc.header_extra
    settled = {kind: sum(amount for other in chain.docs if other.kind == kind and other.seen(now)
                         for target, amount in other.applied if target is doc) for kind in _TAKEN}
    if doc.kind == "CashSale":
        settled["CustPymt"] = total
    parts = [total // 2, total - total // 2] if _is_split(doc, chain) else [total]
    decimals, base = CURRENCIES[doc.currency].decimals, CURRENCIES[doc.base].decimals
    for number, part in enumerate(parts):
        taken: dict[str, int] = {}
        for kind in _TAKEN:  # the older instalment first; the last one takes the rest
            most = settled[kind] if number == len(parts) - 1 else part - sum(taken.values())
            taken[kind] = min(most, settled[kind])
            settled[kind] -= taken[kind]
        due = 0 if doc.kind == "Estimate" else part - sum(taken.values())
        day = (doc.due_day or doc.day) + 30 * number
        yield row(
            "receivablesInvoiceInstallments", InstallmentId=installment_id(doc, number),
            InstallmentSequenceNumber=number + 1, InstallmentDueDate=date_text(day),
            OriginalAmount=amount_text(part, decimals), InstallmentBalanceDue=amount_text(due, decimals),
            AccountedBalanceDue=amount_text(converted(due, doc.currency, doc.base, doc.rate), base),
            AmountPaid=amount_text(taken["CustPymt"], decimals),
            InstallmentAmountAdjusted=amount_text(-taken["Adjustment"], decimals),
            InstallmentAmountCredited=amount_text(-taken["CustCred"], decimals),
            InstallmentStatus="Open" if due else "Closed",
            PaymentDaysLate=max(0, now // DAY - day) if due else None, _CustomerTransactionId=surrogate(doc.id))


def _is_split(doc: Doc, chain: Chain) -> bool:
    """Whether it is due in two. Not where some of it alone is ever settled: the answer key knows one due day."""
    settled = [(other, amount) for other in chain.docs for target, amount in other.applied if target is doc]
    return (doc.kind == "CustInvc" and doc.slot % 4 == 0 and not doc.header_extra
            and all(amount == doc.total(other.created + 1) for other, amount in settled))
