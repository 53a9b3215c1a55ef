"""Documents of finance and operations: sales orders, the journal of posted invoices, transactions of customers and how
they settle each other, vouchers of the general journal; payments come from journals of their own (`fno_payments`).

Invoices are gross, those that take back are below zero. Nothing that was posted is deleted: a reversal, which names the
record it takes back, stands beside it. What is not posted yet is a free-text invoice and in no journal. A settlement
has a row for each side. Invoices with terms of cash post to the till and leave nothing open. Each tenth voucher has a
twin in another posting layer, which is not the books.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from simulator import fno_master, fno_payments, fno_schema
from simulator.clock import date_text, month_of, stamp_text
from simulator.customers import Party
from simulator.documents import CREDITS, Chain, Deal, Doc, Line, gone, lines_at
from simulator.fno_master import ACCOUNTS, Values, account_record, customer_account
from simulator.fno_numbers import RECORDS, area, ledger
from simulator.money import CURRENCIES, ENTITIES, amount_text, converted, decimal_text, rate_text, tax_on
from simulator.plan import World
from simulator.schema import Table

BILLS = ("CustInvc", "CashSale", "CustCred", "CashRfnd")
CASH = ("CashSale", "CashRfnd")
PROFORMA = ("Estimate", "ProForma")
_REVERSING = 1 << 36  # from a record's RecId to that of its reversal
_TABLE = {"line": 1 << 37, "settlement": 1 << 38, "voucher": 1 << 39, "entry": 1 << 40, "layer": 1 << 44}


@dataclass(slots=True)
class Entry:
    """A line of a voucher; amounts signed, debit positive, in minor units."""

    role: str
    posting: str
    amount: int
    functional: int | None = None


class DynamicsFinance:
    """The ERP's records of a company; see `systems.System`. Holds no state of its own."""

    system, role, kinds = "dynamics_finance", "erp", frozenset({"ProForma", fno_payments.DRAFT})
    columns = fno_schema.columns()

    def __init__(self, world: World) -> None:
        self._world, self._products = world, world.products

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """All entity sets."""
        return fno_schema.tables()

    @staticmethod
    def customer_id(number: int) -> str:
        """A party's number: the same customer in every company."""
        return f"P{number:08d}"

    @staticmethod
    def document_id(kind: str, number: int) -> str:
        """An order's number, or the RecId of any other document."""
        return f"SO-{number:08d}" if kind == "SalesOrd" else str(RECORDS + number)

    @staticmethod
    def document_number(kind: str, number: int) -> str:
        """An invoice's number."""
        return f"{'CCN' if kind in CREDITS else 'CIV'}-{number:08d}"

    def key_id(self, record: Deal | Doc) -> str:
        """`document_id` of staging: an order's company and number, the kind of record and its RecId for the rest."""
        if isinstance(record, Deal):
            return str(record.id)
        if record.kind == "SalesOrd":
            return f"{area(record.entity)}|{record.id}"
        if record.kind == fno_payments.DRAFT:
            return f"P{fno_payments.line_id(record)}"
        prefix = "T" if record.kind == "CustPymt" else "G" if record.kind == "Journal" else "J"
        return f"{'F' if not record.approved else prefix}{record.id}"

    @staticmethod
    def cancelling_id(doc: Doc, now: int) -> str | None:
        """The reversal of an invoice, once there is one."""
        return f"J{_reversal(doc)}" if doc.kind in BILLS and doc.approved and _void(doc, now) else None

    def reference(self, now: int) -> Iterator[tuple[str, tuple]]:
        """Master data but for customers."""
        return map(_row, fno_master.rows(self._world, now))

    def party(self, party: Party, now: int) -> Iterator[tuple[str, tuple]]:
        """The party as a customer of each company."""
        return map(_row, fno_master.customer_rows(self._world, party, now))

    def chain(self, chain: Chain, now: int) -> Iterator[tuple[str, tuple]]:
        """All documents of the chain that are seen at `now`."""
        seen = [doc for doc in chain.docs if _seen(doc, now)]
        for doc in seen:
            for values in self._document(doc, seen, now):
                yield _row(values)

    def _document(self, doc: Doc, seen: list[Doc], now: int) -> Iterator[Values]:
        if doc.kind == "SalesOrd":
            yield from self._order(doc, seen, now)
        elif doc.kind in PROFORMA:
            yield from self._journal_rows(doc, str(doc.id), now, is_proforma=True)
        elif doc.kind in BILLS and not doc.approved:
            yield from self._unposted(doc)
        elif doc.kind in BILLS:
            yield from self._bill(doc, seen, now)
        elif doc.kind == "CustPymt":
            yield from self._payment(doc, seen, now)
        elif doc.kind == fno_payments.DRAFT:
            yield from fno_payments.rows(doc)
        elif doc.kind == "Journal":
            yield from self._voucher(doc, f"GJ-{doc.id}", "None", [
                Entry("expense", "LedgerJournal", doc.amount), Entry("accrual", "LedgerJournal", -doc.amount)])

    # --- orders

    def _order(self, doc: Doc, seen: list[Doc], now: int) -> Iterator[Values]:
        lines, cancelled = lines_at(doc, now), doc.is_cancelled(now)
        bills = [bill for bill in seen if bill.source is doc and bill.kind in BILLS and not _void(bill, now)]
        billed = sum(line.quantity for bill in bills for line in bill.lines)
        done = billed >= sum(line.quantity for line in lines)
        status = "Canceled" if cancelled else "Invoiced" if done else "Backorder"
        points = doc.entity.tax if doc.taxed else 0
        yield "SalesOrderHeadersV3", {
            "dataAreaId": area(doc.entity), "SalesOrderNumber": doc.id, "SalesOrderName": doc.customer.name,
            "OrderingCustomerAccountNumber": customer_account(doc.customer),
            "InvoiceCustomerAccountNumber": customer_account(doc.customer), "CurrencyCode": doc.currency,
            "SalesOrderStatus": status, "SalesOrderProcessingStatus": "Active", "FixedExchangeRate": "0",
            "CustomersOrderReference": doc.reference, "CRMOrderId": doc.external, "AreTotalsCalculated": "Yes",
            "OrderTotalTaxAmount": _money(tax_on(sum(line.amount for line in lines), points), doc.currency),
            "SubBillCreatedFromSubscriptionBilling": "Yes" if doc.schedule else "No",
            "RequestedShippingDate": date_text(doc.day),
            "OrderCreationDateTime": f"{date_text(doc.day)} {stamp_text(doc.created)[11:]}",
        }
        for number, line in enumerate(lines):
            product = self._products[line.product]
            yield "SalesOrderLines", {
                "dataAreaId": area(doc.entity), "InventoryLotId": _lot(doc, line), "SalesOrderNumber": doc.id,
                "LineCreationSequenceNumber": number + 1, "LineNumber": str(number + 1), "ItemNumber": product.code,
                "LineDescription": product.name, "SalesUnitSymbol": _unit(product.family),
                "CurrencyCode": doc.currency, "SalesOrderLineStatus": status,
                "OrderedSalesQuantity": decimal_text(line.quantity, 5), "SalesPriceQuantity": "100",
                "SalesPrice": _money(line.price * 100, doc.currency), "LineDiscountAmount": "0",
                "LineAmount": _money(line.amount, doc.currency), "RequestedShippingDate": date_text(doc.day),
            }

    # --- invoices

    def _unposted(self, doc: Doc) -> Iterator[Values]:
        """An invoice that nobody posted yet."""
        yield "FreeTextInvoiceHeaders", {
            "dataAreaId": area(doc.entity), "InvoiceIdentifier": int(doc.id), "FreeTextNumber": doc.number,
            "InvoiceAccount": customer_account(doc.customer), "CustomerAccount": customer_account(doc.customer),
            "CustomerReference": doc.reference, "CurrencyCode": doc.currency, "IsPosted": "No", "IsCorrection": "No",
            "ExchangeRate": _rate(doc), "InvoiceDate": date_text(doc.day),
            "DueDate": date_text(doc.due_day) if doc.due_day else None,
        }
        for number, (line, tax) in enumerate(zip(doc.lines, _taxes(doc), strict=True), 1):
            product = self._products[line.product]
            yield "FreeTextInvoiceLines", {
                "dataAreaId": area(doc.entity), "LineNumber": str(number), "ParentRecId": int(doc.id),
                "Description": product.name, "CurrencyCode": doc.currency,
                "MainAccountDisplayValue": ACCOUNTS[product.family][0], "Quantity": decimal_text(line.quantity, 5),
                "UnitPrice": _money(line.price, doc.currency), "SalesTaxAmount": _money(doc.sign * tax, doc.currency),
                "TransactionCurrencyAmount": _money(doc.sign * line.amount, doc.currency),
            }

    def _bill(self, doc: Doc, seen: list[Doc], now: int) -> Iterator[Values]:
        void, undone = _void(doc, now), doc.voided or doc.deleted
        yield from self._journal_rows(doc, str(doc.id), now)
        entries = self._bill_entries(doc)
        yield from self._posted(doc, _voucher(doc), entries)
        if doc.kind not in CASH:
            yield from self._transaction(doc, seen, undone if void else None, now)
        if doc.kind == "CustCred":
            yield from self._settlements(doc, seen, now)
        if void and undone is not None:
            yield from self._journal_rows(doc, str(_reversal(doc)), now, reverses=doc, entered=undone)
            for entry in entries:
                entry.amount = -entry.amount
                entry.functional = None if entry.functional is None else -entry.functional
            yield from self._posted(doc, f"{_voucher(doc)}-R", entries, entered=undone, shift=1 << 35)

    def _journal_rows(
        self, doc: Doc, record: str, now: int, *, is_proforma: bool = False, reverses: Doc | None = None,
        entered: int | None = None,
    ) -> Iterator[Values]:
        sign = -doc.sign if reverses else doc.sign
        taxes, lines = _taxes(doc), doc.lines
        net, tax = sign * sum(line.amount for line in lines), sign * sum(taxes)
        total = net + tax + sign * doc.header_extra
        booked = [sign * self._functional(doc, line.amount) for line in lines]
        created = doc.created if entered is None else entered
        head = {
            "dataAreaId": area(doc.entity), "InvoiceId": f"{doc.number}-R" if reverses else doc.number,
            "InvoiceDate": date_text(doc.day), "CurrencyCode": doc.currency, "CreatedOn": stamp_text(created),
            "SysDataAreaId": area(doc.entity), "SysModifiedDateTime": stamp_text(created),
        }
        yield "CustInvoiceJourBiEntities", {
            **head, "SourceKey": int(record), "LedgerVoucher": f"{_voucher(doc)}{'-R' if reverses else ''}",
            "InvoiceAccount": customer_account(doc.customer), "OrderAccount": customer_account(doc.customer),
            "InvoicingName": doc.customer.name, "SalesId": self._order_of(doc),
            "SalesType": "ReturnItem" if doc.kind in CREDITS else "Sales", "CustomerRef": doc.reference,
            "Payment": "CASH" if doc.kind in CASH else fno_master.terms(doc.party),
            "Proforma": "Yes" if is_proforma else "No", "Prepayment": "No",
            "IsCorrection": "Yes" if reverses else "No", "ReversedRecId": int(reverses.id) if reverses else 0,
            "InterCompanyPosted": "Yes" if doc.intercompany else "No",
            "InterCompanyCompanyId": _sister(doc) if doc.intercompany else None, "ExchRate": _rate(doc),
            "InvoiceAmount": _money(total, doc.currency),
            "InvoiceAmountMST": _money(self._functional(doc, total), doc.base),
            "SalesBalance": _money(net, doc.currency), "SalesBalanceMST": _money(sum(booked), doc.base),
            "SumTax": _money(tax, doc.currency), "SumMarkup": "0", "InvoiceRoundOff": "0",
            "DueDate": date_text(doc.due_day) if doc.due_day else None, "DocumentDate": date_text(doc.day),
        }
        for number, (line, line_tax, base) in enumerate(zip(lines, taxes, booked, strict=True)):
            product = self._products[line.product]
            yield "CustInvoiceTransBiEntities", {
                **head, "SourceKey": int(record) * 64 + number + _TABLE["line"],
                "LineCreationSequenceNumber": int(record) % 2**24 * 64 + number, "LineNum": str(number + 1),
                "ItemId": product.code, "Name": product.name, "SalesUnit": _unit(product.family),
                "SalesId": self._order_of(doc), "OrigSalesId": self._order_of(doc),
                "InventTransId": _lot(_order_behind(doc), line) if _order_behind(doc) else None,
                "Qty": decimal_text(sign * line.quantity, 5), "SalesPrice": _money(line.price * 100, doc.currency),
                "PriceUnit": "100", "LineAmount": _money(sign * line.amount, doc.currency),
                "LineAmountMST": _money(base, doc.base), "LineAmountTax": _money(sign * line_tax, doc.currency),
                "TaxAmount": _money(sign * line_tax, doc.currency), "SumLineDisc": "0",
            }

    @staticmethod
    def _order_of(doc: Doc) -> str | None:
        """The order's number; one that leads to nothing where that was planted."""
        if doc.dangling:
            return str(doc.dangling)
        order = _order_behind(doc)
        return str(order.id) if order else None

    def _bill_entries(self, doc: Doc) -> list[Entry]:
        sign, tax = doc.sign, sum(_taxes(doc))
        total = sum(line.amount for line in doc.lines) + tax + doc.header_extra
        role = "cash" if doc.kind in CASH else "sisters" if doc.intercompany else "receivable"
        found = [Entry(role, "Bank" if doc.kind in CASH else "CustBalance", sign * total)]
        for line in doc.lines:
            family = "sister sales" if doc.intercompany else self._products[line.product].family
            found.append(Entry(family, "IntercompanyRevenue" if doc.intercompany else "SalesRevenue",
                               -sign * line.amount))
        if tax:
            found.append(Entry("tax", "Tax", -sign * tax))
        return found

    # --- customers' transactions

    def _transaction(self, doc: Doc, seen: list[Doc], undone: int | None, now: int) -> Iterator[Values]:
        total = doc.sign * (sum(line.amount for line in doc.lines) + sum(_taxes(doc)) + doc.header_extra)
        changed = _settled_at(doc, seen, undone, now)
        yield "CustTransBiEntities", self._trans(doc, int(doc.id), _voucher(doc), total, "Sales", changed)
        if undone is not None:
            yield "CustTransBiEntities", self._trans(doc, _reversal(doc), f"{_voucher(doc)}-R", -total, "Sales", undone)

    def _trans(self, doc: Doc, record: int, voucher: str, amount: int, kind: str, changed: int) -> dict[str, Any]:
        is_payment = kind == "Payment"
        return {
            "dataAreaId": area(doc.entity), "SourceKey": record, "AccountNum": customer_account(doc.customer),
            "Voucher": voucher, "Invoice": None if is_payment else doc.number, "TransType": kind,
            "CurrencyCode": doc.currency, "PaymMode": "EFT" if is_payment else None, "Prepayment": "No",
            "PaymReference": doc.reference if is_payment else None, "CancelledPayment": "No", "Approved": "Yes",
            "ExchRate": _rate(doc), "AmountCur": _money(amount, doc.currency),
            "AmountMST": _money(self._functional(doc, amount), doc.base), "TransDate": date_text(doc.posting_day),
            "DocumentDate": date_text(doc.day), "DueDate": date_text(doc.due_day) if doc.due_day else None,
            "CreatedOn": stamp_text(doc.created), "SysModifiedDateTime": stamp_text(max(doc.created, changed)),
        }

    def _payment(self, doc: Doc, seen: list[Doc], now: int) -> Iterator[Values]:
        yield from fno_payments.rows(doc)
        changed = max([doc.created, *(b.created for b, _ in doc.applied if b.seen(now))])
        yield "CustTransBiEntities", self._trans(doc, int(doc.id), _voucher(doc), -doc.amount, "Payment", changed)
        yield from self._settlements(doc, seen, now)
        entries = [Entry("bank", "Bank", doc.amount, self._functional(doc, doc.amount))]
        rest = doc.amount
        for bill, amount in doc.applied:
            rest -= amount
            entries.append(Entry("receivable", "CustBalance", -amount,
                                 -converted(amount, doc.currency, doc.base, bill.rate)))
        if rest:
            entries.append(Entry("receivable", "CustBalance", -rest, -self._functional(doc, rest)))
        difference = sum(entry.functional or 0 for entry in entries)
        if difference:
            entries.append(Entry("fx", "ExchRateLoss" if difference < 0 else "ExchRateGain", 0, -difference))
        yield from self._voucher(doc, _voucher(doc), "Payment", entries)

    def _settlements(self, doc: Doc, seen: list[Doc], now: int) -> Iterator[Values]:
        """A row for what is settled and one for what settles it."""
        for number, (bill, amount) in enumerate((b, a) for b, a in doc.applied if b in seen):
            sides = ((int(bill.id), int(doc.id), _voucher(doc), amount),
                     (int(doc.id), int(bill.id), _voucher(bill), -amount))
            for place, (record, offset, voucher, told) in enumerate(sides):
                yield "CustSettlementBiEntities", {
                    "dataAreaId": area(doc.entity), "AccountNum": customer_account(doc.customer),
                    "SourceKey": int(doc.id) * 64 + number * 2 + place + _TABLE["settlement"], "TransRecId": record,
                    "OffsetRecid": offset, "OffsetTransVoucher": voucher, "TransType": "Payment",
                    "SettleAmountCur": _money(told, doc.currency),
                    "SettleAmountMST": _money(self._functional(doc, told), doc.base), "UtilizedCashDisc": "0",
                    "ExchAdjustment": "0", "TransDate": date_text(doc.posting_day), "CanBeReversed": "Yes",
                    "CreatedOn": stamp_text(max(doc.created, bill.created)),
                }

    # --- the general journal

    def _posted(
        self, doc: Doc, voucher: str, entries: list[Entry], *, entered: int | None = None, shift: int = 0
    ) -> Iterator[Values]:
        if doc.posted:
            yield from self._voucher(doc, voucher, "Sales", entries, entered=entered, shift=shift)

    def _voucher(
        self, doc: Doc, voucher: str, category: str, entries: list[Entry], *, entered: int | None = None, shift: int = 0
    ) -> Iterator[Values]:
        """The lines of a voucher; the first takes what rounding leaves."""
        booked = [self._functional(doc, each.amount) if each.functional is None else each.functional
                  for each in entries]
        booked[0] -= sum(booked)
        record = int(doc.id) + shift
        layers = [("Current", 0), *([("Operations", _TABLE["layer"])] if doc.slot % 10 == 3 else [])]
        for layer, apart in layers:
            head = record + _TABLE["voucher"] + apart
            yield "GeneralJournalEntryBiEntities", {
                "SourceKey": head, "JournalNumber": f"{area(doc.entity)}{head}",
                "FiscalCalendarYear": RECORDS + month_of(doc.posting_day)[0], "Ledger": ledger(doc.entity),
                "SubledgerVoucher": voucher, "SubledgerVoucherDataAreaId": area(doc.entity),
                "JournalCategory": category, "PostingLayer": layer, "DocumentNumber": doc.number,
                "AccountingDate": date_text(doc.posting_day), "DocumentDate": date_text(doc.day),
                "CreatedOn": stamp_text(doc.created if entered is None else entered),
            }
            for number, (entry, functional) in enumerate(zip(entries, booked, strict=True)):
                account = ACCOUNTS[entry.role][0]
                is_credit = functional < 0 or (not functional and entry.amount < 0)
                yield "GeneralJournalAccountEntryBiEntities", {
                    "SourceKey": record * 64 + number + _TABLE["entry"] + apart, "GeneralJournalEntry": head,
                    "MainAccount": account_record(entry.role), "LedgerAccount": f"{account}-001-022",
                    "PostingType": entry.posting, "IsCredit": "Yes" if is_credit else "No", "IsCorrection": "No",
                    "TransactionCurrencyCode": doc.currency, "Text": doc.customer.name[:60],
                    "TransactionCurrencyAmount": _money(entry.amount, doc.currency),
                    "AccountingCurrencyAmount": _money(functional, doc.base), "ReportingCurrencyAmount": "0",
                }

    @staticmethod
    def _functional(doc: Doc, minor: int) -> int:
        return converted(minor, doc.currency, doc.base, doc.rate)


@cache
def _columns(name: str) -> tuple[str, ...]:
    return DynamicsFinance.columns[f"dynamics_finance__{name}"]


def _row(values: Values) -> tuple[str, tuple]:
    name, told = values
    if strange := told.keys() - set(_columns(name)):
        raise KeyError(f"{name} has no {', '.join(sorted(strange))}")
    return f"dynamics_finance__{name}", tuple(told.get(column) for column in _columns(name))


def _seen(doc: Doc, now: int) -> bool:
    """No posted invoice is deleted: one that is gone elsewhere is reversed here."""
    if doc.kind in BILLS and doc.approved:
        return (doc.late or doc.created) < now
    return doc.seen(now)


def _void(doc: Doc, now: int) -> bool:
    return doc.is_void(now) or gone(doc, now)


def _settled_at(doc: Doc, seen: list[Doc], undone: int | None, now: int) -> int:
    """When the invoice's own records changed last: by a settlement, or by its reversal."""
    moments = [other.created for other in seen if any(target is doc for target, _ in other.applied)]
    return max([moment for moment in (*moments, undone or 0) if moment < now], default=0)


def _order_behind(doc: Doc) -> Doc | None:
    source = doc.source
    while source is not None and source.kind != "SalesOrd":
        source = source.source
    return source


def _reversal(doc: Doc) -> int:
    """RecId of what takes an invoice back."""
    return int(doc.id) + _REVERSING


def _voucher(doc: Doc) -> str:
    return fno_payments.voucher(doc) if doc.kind == "CustPymt" else f"ARI-{int(doc.id) - RECORDS:08d}"


def _sister(doc: Doc) -> str | None:
    """The company that the customer is."""
    name = doc.party.name.removeprefix("IC ")
    return next((area(e) for e in ENTITIES.values() if e.name == name), None)


def _lot(order: Doc | None, line: Line) -> str | None:
    return f"{str(order.id)[3:]}-{line.source:03d}" if order else None


def _taxes(doc: Doc) -> list[int]:
    """Tax by line, unsigned; the first line takes what rounding leaves."""
    if not doc.taxed:
        return [0] * len(doc.lines)
    points = ENTITIES[doc.entity.code].tax
    parts = [tax_on(line.amount, points) for line in doc.lines]
    parts[0] += tax_on(sum(line.amount for line in doc.lines), points) - sum(parts)
    return parts


def _unit(family: str) -> str:
    return "ea" if family == "Hardware" else "svc"


def _money(minor: int, currency: str) -> str:
    return amount_text(minor, CURRENCIES[currency].decimals)


def _rate(doc: Doc) -> str:
    """Units of the accounting currency per 100 units."""
    return rate_text(doc.rate * 100)
