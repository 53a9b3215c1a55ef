"""SAP's documents: orders, deliveries, billing documents and their cancellations, accounting documents.

Amounts of orders and billing documents have no sign: what a document is (SDDocumentCategory) says which way it counts.
Accounting documents are signed, debit positive. A billing document is followed by an accounting document of the day on
which it posts; a cancelled one stays, and its cancellation (S1) takes back both. What bills a delivery refers to it, as
the delivery does to the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from simulator import sap_master
from simulator.catalog import Product
from simulator.clock import DAY, date_text, month_of, stamp_text
from simulator.customers import Party
from simulator.documents import CREDITS, Chain, Deal, Doc, Line, gone, lines_at
from simulator.money import CURRENCIES, ENTITIES, amount_text, converted, rounded, tax_on
from simulator.plan import World
from simulator.sap_api import entities
from simulator.sap_api.entities import inner
from simulator.sap_master import CHART, Values
from simulator.sap_numbers import company_code, plant, sales_organisation
from simulator.schema import Table

# (first number of the range); numbers of sales documents never meet, those of accounting repeat by company and year
_RANGES = {
    "SalesOrd": 10_000_000, "Delivery": 1_000_000_000, "CustInvc": 300_000_000, "CashSale": 300_000_000,
    "CustCred": 300_000_000, "CashRfnd": 300_000_000, "Estimate": 300_000_000, "ProForma": 300_000_000,
    "Return": 1_000_000_000, "CustPymt": 1_400_000_000,
    "Journal": 2_000_000_000,
}
_CANCELLING = 300_000_000  # from a billing document's number to its cancellation's
# kind: (billing type, category, cancelling type, cancelling category, type of accounting document)
_BILLING = {
    "CustInvc": ("F2", "M", "S1", "N", "RV"),
    "CashSale": ("BV", "M", "SV", "N", "RV"),
    "CustCred": ("G2", "O", "S2", "S", "RV"),
    "CashRfnd": ("ZBVR", "O", "S2", "S", "RV"),
    "Estimate": ("F5", "U", "", "", ""),
    "ProForma": ("F5", "U", "", "", ""),
}
# kind: (type, category)
_MOVES = {"Delivery": ("LF", "J"), "Return": ("LR", "T")}
RECEIVABLE, SISTERS, TAX, BANK, CASH, FX, EXPENSE, ACCRUAL = (
    "12100000", "12190000", "22000000", "11001000", "10010000", "72040000", "61000000", "21300000")
REVENUE = {"Hardware": "41000000", "Services": "41100000", "Software": "41200000"}
SISTER_SALES = "41900000"


@dataclass(slots=True)
class Entry:
    """A line of an accounting document; amounts signed in minor units. `invoice`: the item it refers to (REBZG)."""

    account: str
    amount: int
    functional: int | None = None
    kind: str = "S"
    role: str = ""
    material: str | None = None
    order: str | None = None
    order_item: str | None = None
    assignment: str | None = None
    invoice: Doc | None = None
    clearing: Doc | None = None
    due_day: int | None = None


class Sap:
    """The ERP's records of a company; see `systems.System`. Holds no state of its own."""

    system, role, kinds = "sap", "erp", frozenset({"Delivery", "Return", "ProForma"})
    tells_locks = False
    columns = {f"sap__{name}": tuple(f.name for f in table.fields) for name, table in entities.tables().items()}

    def __init__(self, world: World) -> None:
        self._world, self._products = world, world.products

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """All entity sets."""
        return tuple(entities.tables().values())

    @staticmethod
    def customer_id(number: int) -> str:
        """A customer's and its business partner's number, without the zeros."""
        return str(1_000_000 + number)

    @staticmethod
    def document_id(kind: str, number: int) -> str:
        """A document's number, without the zeros."""
        return str(_RANGES[kind] + number)

    @staticmethod
    def document_number(kind: str, number: int) -> str:
        """The id, but as the number permutation has it: people see nothing else than the id."""
        return str(_RANGES[kind] + number)

    def key_id(self, record: Deal | Doc) -> str:
        """`document_id` of staging: an accounting document's number means something beside its company and year."""
        if isinstance(record, Doc) and record.kind in ("CustPymt", "Journal"):
            return f"{company_code(record.entity)}/{record.id}/{month_of(record.posting_day)[0]}"
        return str(record.id)

    @staticmethod
    def held_rate(base: str, transaction: str, rate: int) -> int:
        """A rate has five decimals, and is posted with."""
        return sap_master.held(transaction, base, rate)

    @staticmethod
    def cancelling_id(doc: Doc, now: int) -> str | None:
        """The billing document that cancels `doc`, once there is one."""
        return str(int(str(doc.id)) + _CANCELLING) if doc.kind in _BILLING and _void(doc, now) else None

    def reference(self, now: int) -> Iterator[tuple[str, tuple]]:
        """Master data but for partners."""
        return map(_row, sap_master.rows(self._world, now))

    def party(self, party: Party, now: int) -> Iterator[tuple[str, tuple]]:
        """The party's business partners."""
        return map(_row, sap_master.partner_rows(party, now))

    def chain(self, chain: Chain, now: int) -> Iterator[tuple[str, tuple]]:
        """All documents of the chain that are seen at `now`."""
        seen = [doc for doc in chain.docs if _seen(doc, now)]
        for doc in seen:
            for values in self._document(doc, seen, now):
                yield _row(values)

    def _document(self, doc: Doc, seen: list[Doc], now: int) -> Iterator[Values]:
        if doc.kind == "SalesOrd":
            yield from self._order(doc, seen, now)
        elif doc.kind in _MOVES:
            yield from self._delivery(doc, now)
        elif doc.kind in _BILLING:
            yield from self._billing(doc, seen, now)
        elif doc.kind in ("CustPymt", "Journal"):
            entries = self._payment(doc, seen, now) if doc.kind == "CustPymt" else [
                Entry(EXPENSE, doc.amount), Entry(ACCRUAL, -doc.amount)]
            kind = "DZ" if doc.kind == "CustPymt" else "SA"
            yield from _accounting(doc, str(doc.id), kind, entries)

    # --- orders

    def _order(self, doc: Doc, seen: list[Doc], now: int) -> Iterator[Values]:
        number, lines = inner(str(doc.id), 10), lines_at(doc, now)
        cancelled = doc.is_cancelled(now)
        bills = [bill for bill in seen if bill.source is doc and not _void(bill, now)]
        billed = sum(line.quantity for bill in bills for line in bill.lines)
        progress = "A" if not billed else "C" if billed >= sum(line.quantity for line in lines) else "B"
        changes = [doc.earlier[0] if doc.earlier else 0, doc.cancelled or 0]
        changes += [moment for bill in seen if bill.source is doc for moment in (bill.created, bill.voided or 0)]
        stamps = _stamps(doc.created, changes, now)
        del stamps["CreationTime"]
        yield "A_SalesOrder", {
            "SalesOrder": number, "SalesOrderType": "OR", "SalesOrganization": sales_organisation(doc.entity),
            "DistributionChannel": "10", "OrganizationDivision": "00", "SoldToParty": inner(str(doc.customer.id), 10),
            "CreatedByUser": "CB9980000010", "SalesOrderDate": date_text(doc.day), "PricingDate": date_text(doc.day),
            "ExternalDocumentID": doc.external, "PurchaseOrderByCustomer": doc.reference,
            "TotalNetAmount": _money(sum(line.amount for line in lines) + doc.header_extra, doc.currency),
            "TransactionCurrency": doc.currency, "AccountingExchangeRate": _rate5(doc),
            "OverallSDProcessStatus": "C" if cancelled else progress, "OverallDeliveryStatus": progress,
            "OverallTotalDeliveryStatus": progress, "OverallOrdReltdBillgStatus": progress,
            "OverallSDDocumentRejectionSts": "C" if cancelled else "A", **stamps,
        }
        for place, (line, tax) in enumerate(zip(lines, _taxes(doc, lines), strict=True)):
            product = self._products[line.product]
            yield "A_SalesOrderItem", {
                "SalesOrder": number, "SalesOrderItem": _item(place), "TaxAmount": _money(tax, doc.currency),
                "SalesOrderItemCategory": "TAO" if doc.schedule else _category(product),
                "SalesOrderItemText": product.name, "Material": product.code, "MaterialGroup": product.family[:9],
                "RequestedQuantity": _quantity(line), "RequestedQuantityUnit": _unit(product),
                "TransactionCurrency": doc.currency, "NetAmount": _money(line.amount, doc.currency),
                "ProductionPlant": plant(doc.entity), "SalesDocumentRjcnReason": "10" if cancelled else None,
                "SDProcessStatus": progress,
            }

    # --- deliveries

    def _delivery(self, doc: Doc, now: int) -> Iterator[Values]:
        """Goods that left, or came back. A goods issue that was reversed leaves a delivery that delivered nothing."""
        number, kind, category = inner(str(doc.id), 10), *_MOVES[doc.kind]
        void = _void(doc, now)
        status = "A" if void else "C"
        order = doc.source
        yield "A_OutbDeliveryHeader", {
            "DeliveryDocument": number, "DeliveryDocumentType": kind, "SDDocumentCategory": category,
            "SalesOrganization": sales_organisation(doc.entity), "SoldToParty": inner(str(doc.customer.id), 10),
            "ShipToParty": inner(str(doc.customer.id), 10), "TransactionCurrency": doc.currency,
            "OverallGoodsMovementStatus": status, "OverallSDProcessStatus": status, "OverallPickingStatus": "C",
            "DocumentDate": date_text(doc.day), "ActualGoodsMovementDate": None if void else date_text(doc.day),
            "CreationDate": date_text(doc.created // DAY), "CreationTime": stamp_text(doc.created)[11:],
            "LastChangeDate": date_text(doc.voided // DAY) if void and doc.voided else None,
        }
        for place, line in enumerate(doc.lines):
            product = self._products[line.product]
            yield "A_OutbDeliveryItem", {
                "DeliveryDocument": number, "DeliveryDocumentItem": _item(place), "Material": product.code,
                "Plant": plant(doc.entity), "StorageLocation": "101A", "ActualDeliveryQuantity": _quantity(line),
                "DeliveryQuantityUnit": "PC", "BaseUnit": "PC", "DeliveryDocumentItemCategory": "TAN",
                "ReferenceSDDocument": inner(str(order.id), 10) if order else None,
                "ReferenceSDDocumentCategory": "C" if order else None,
                "ReferenceSDDocumentItem": _item(_place(order, line, now)) if order else None,
                "GoodsMovementStatus": status, "CreationDate": date_text(doc.created // DAY),
            }

    # --- billing

    def _billing(self, doc: Doc, seen: list[Doc], now: int) -> Iterator[Values]:
        kind, category, reverse, reverse_category, fi_type = _BILLING[doc.kind]
        if doc.intercompany:
            kind, category = "IV", "5"
        void, number = _void(doc, now), str(doc.id)
        posts = doc.approved and doc.posted and bool(fi_type)
        status = "D" if not fi_type else "A" if not doc.approved else "B" if not doc.posted else "C"
        undone = doc.voided or doc.deleted
        changes = [undone or 0, *(o.created for o in seen if any(t is doc for t, _ in o.applied))]
        yield from self._bill_rows(doc, number, kind, category, now, status=status, is_cancelled=void, cancels=None,
                                   stamps=_stamps(doc.created, changes, now))
        entries = self._bill_entries(doc, seen, now) if posts else []
        if posts:
            yield from _accounting(doc, _fi_number(doc), fi_type, entries, bill=number, undone=undone if void else None,
                                   reversed_by=_fi_number(doc, reverse=True) if void else None)
        if void and undone is not None:
            cancelling = str(self.cancelling_id(doc, now))
            yield from self._bill_rows(doc, cancelling, reverse, reverse_category, now, status=status,
                                       is_cancelled=False, cancels=number, stamps=_stamps(undone, [], now))
            if posts:
                for entry in entries:
                    entry.amount = -entry.amount
                yield from _accounting(doc, _fi_number(doc, reverse=True), fi_type, entries, bill=cancelling,
                                       reverses=_fi_number(doc), undone=undone)

    def _bill_rows(
        self, doc: Doc, number: str, kind: str, category: str, now: int, *, status: str, is_cancelled: bool,
        cancels: str | None, stamps: dict[str, Any],
    ) -> Iterator[Values]:
        taxes = _taxes(doc, doc.lines)
        net, tax = sum(line.amount for line in doc.lines) + doc.header_extra, sum(taxes)
        posted = status == "C"
        yield "A_BillingDocument", {
            "BillingDocument": inner(number, 10), "SDDocumentCategory": category, "BillingDocumentType": kind,
            "BillingDocumentCategory": "L", "SalesOrganization": sales_organisation(doc.entity),
            "CompanyCode": company_code(doc.entity), "DistributionChannel": "10", "Division": "00",
            "BillingDocumentDate": date_text(doc.day), "BillingDocumentIsCancelled": int(is_cancelled),
            "CancelledBillingDocument": inner(cancels, 10), "TotalNetAmount": _money(net, doc.currency),
            "TransactionCurrency": doc.currency, "TaxAmount": _money(tax, doc.currency),
            "TotalGrossAmount": _money(net + tax, doc.currency), "PayerParty": inner(str(doc.customer.id), 10),
            "SoldToParty": inner(str(doc.customer.id), 10), "PurchaseOrderByCustomer": doc.reference,
            "CustomerPaymentTerms": f"NT{doc.party.terms_days}", "AssignmentReference": number,
            "FiscalYear": str(month_of(doc.posting_day)[0]) if posted else None,
            "AccountingDocument": inner(_fi_number(doc, reverse=cancels is not None), 10) if posted else None,
            "AccountingTransferStatus": status, "AccountingPostingStatus": "C" if posted else "A",
            "AbsltAccountingExchangeRate": _rate5(doc), "AcctgExchangeRateIsIndrctQtan": int(_quoted(doc)[1]),
            "PartnerCompany": _partner_company(doc), "OverallSDProcessStatus": "C", **stamps,
        }
        for place, (line, item_tax) in enumerate(zip(doc.lines, taxes, strict=True)):
            product = self._products[line.product]
            order, order_item = self._order_of(doc, line, now)
            source, source_item, source_category = _predecessor(doc, line, order, order_item)
            yield "A_BillingDocumentItem", {
                "BillingDocument": inner(number, 10), "BillingDocumentItem": _item(place),
                "SalesDocumentItemCategory": _category(product), "Material": product.code, "Plant": plant(doc.entity),
                "BillingDocumentItemText": product.name, "BillingQuantity": _quantity(line),
                "BillingQuantityUnit": _unit(product), "NetAmount": _money(line.amount, doc.currency),
                "TaxAmount": _money(item_tax, doc.currency), "TransactionCurrency": doc.currency,
                "GrossAmount": _money(line.amount + item_tax, doc.currency), "SalesDocument": order,
                "SalesDocumentItem": order_item, "ReferenceSDDocument": source, "ReferenceSDDocumentItem": source_item,
                "ReferenceSDDocumentCategory": source_category, "SalesSDDocumentCategory": "C" if order else None,
                "ProfitCenter": "YB110",
            }

    def _order_of(self, doc: Doc, line: Line, now: int) -> tuple[str | None, str | None]:
        """The order's number and item behind a line; an order's number that leads to nothing where one was planted."""
        if doc.dangling:
            return inner(str(doc.dangling), 10), _item(0)
        source = doc.source
        while source is not None and source.kind != "SalesOrd":
            source = source.source
        return (inner(str(source.id), 10), _item(_place(source, line, now))) if source else (None, None)

    def _bill_entries(self, doc: Doc, seen: list[Doc], now: int) -> list[Entry]:
        sign, taxes = doc.sign, _taxes(doc, doc.lines)
        total = sum(line.amount for line in doc.lines) + sum(taxes) + doc.header_extra
        settles_itself = doc.kind in ("CashSale", "CashRfnd")
        account = CASH if settles_itself else SISTERS if doc.intercompany else RECEIVABLE
        found = [Entry(account, sign * total, kind="S" if settles_itself else "D", due_day=doc.due_day)]
        if doc.applied:
            found[0].invoice = doc.applied[0][0]
        found[0].clearing = _cleared_by(doc, seen, now)
        for line in doc.lines:
            product = self._products[line.product]
            order, order_item = self._order_of(doc, line, now)
            found.append(Entry(SISTER_SALES if doc.intercompany else REVENUE[product.family], -sign * line.amount,
                               material=product.code, order=order, order_item=order_item))
        if sum(taxes):
            found.append(Entry(TAX, -sign * sum(taxes), role="MWS"))
        return found

    def _payment(self, doc: Doc, seen: list[Doc], now: int) -> list[Entry]:
        """A payment that clears has one line for all it clears; a part payment refers to its invoice, line by line."""
        found = [Entry(BANK, doc.amount, converted(doc.amount, doc.currency, doc.base, doc.rate))]
        rest, cleared, carried_of_cleared = doc.amount, 0, 0
        for bill, amount in doc.applied:
            rest -= amount
            carried = converted(amount, doc.currency, doc.base, bill.rate)
            if not bill.posted or not bill.approved:  # nothing to clear: only a note says what was meant
                found.append(Entry(RECEIVABLE, -amount, -carried, kind="D", assignment=str(bill.id)))
            elif _cleared_by(bill, seen, now) is doc:
                cleared, carried_of_cleared = cleared + amount, carried_of_cleared + carried
            else:
                found.append(Entry(RECEIVABLE, -amount, -carried, kind="D", invoice=bill))
        if cleared:
            found.append(Entry(RECEIVABLE, -cleared, -carried_of_cleared, kind="D", clearing=doc))
        if rest:
            found.append(Entry(RECEIVABLE, -rest, -converted(rest, doc.currency, doc.base, doc.rate), kind="D"))
        difference = sum(entry.functional or 0 for entry in found)
        if difference:
            found.append(Entry(FX, 0, -difference, role="KDF"))
        return found


def _accounting(
    doc: Doc, number: str, kind: str, entries: list[Entry], *, bill: str | None = None, reverses: str | None = None,
    reversed_by: str | None = None, undone: int | None = None,
) -> Iterator[Values]:
    """The items of an accounting document; the first takes what rounding leaves. `undone`: when it was reversed."""
    functional = [
        converted(entry.amount, doc.currency, doc.base, doc.rate) if entry.functional is None else entry.functional
        for entry in entries
    ]
    functional[0] -= sum(functional)
    year = str(month_of(doc.posting_day)[0])
    created = undone if reverses and undone is not None else doc.created
    for place, (entry, amount) in enumerate(zip(entries, functional, strict=True), 1):
        clearing = entry.clearing
        cleared_day = max(clearing.day, doc.day) if clearing else None
        if undone is not None:
            cleared_day = undone // DAY
        cleared_in = (_fi_id(clearing) if clearing else reverses and number or reversed_by)
        invoice = entry.invoice
        is_item = entry.kind == "D"
        yield "A_OperationalAcctgDocItemCube", {
            "CompanyCode": company_code(doc.entity), "FiscalYear": year, "AccountingDocument": inner(number, 10),
            "AccountingDocumentItem": f"{place:03d}", "ChartOfAccounts": CHART,
            "AccountingDocumentItemType": "T" if entry.role == "MWS" else None, "FinancialAccountType": entry.kind,
            "DebitCreditCode": "S" if amount > 0 or (not amount and entry.amount >= 0) else "H",
            "TransactionTypeDetermination": entry.role or None, "GLAccount": inner(entry.account, 10),
            "OperationalGLAccount": inner(entry.account, 10),
            "Customer": None if doc.kind == "Journal" else inner(str(doc.customer.id), 10),
            "IsBalanceSheetAccount": int(entry.account < "4"),
            "ProfitLossAccountType": None if entry.account < "4" else "X",
            "AssignmentReference": entry.assignment or bill,
            "PartnerCompany": _partner_company(doc), "ReferenceDocumentType": "VBRK" if bill else "BKPFF",
            "OriginalReferenceDocument": inner(bill, 10) or f"{inner(number, 10)}{company_code(doc.entity)}{year}",
            "BillingDocument": inner(bill, 10), "SalesDocument": entry.order, "SalesDocumentItem": entry.order_item,
            "Material": entry.material, "Product": entry.material,
            "DocumentReferenceID": (bill or doc.reference or "")[:16] or None, "AccountingDocumentType": kind,
            "AccountingDocumentCategory": None, "FiscalPeriod": f"{month_of(doc.posting_day)[1]:03d}",
            "InvoiceReference": inner(_fi_id(invoice), 10) if invoice else None,
            "InvoiceReferenceFiscalYear": str(month_of(invoice.posting_day)[0]) if invoice else None,
            "InvoiceItemReference": "001" if invoice else None,
            "ClearingAccountingDocument": inner(cleared_in, 10) if is_item and cleared_day is not None else None,
            "ClearingDocFiscalYear": _year_of(clearing, year) if is_item and cleared_day is not None else None,
            "ClearingDate": date_text(cleared_day) if is_item and cleared_day is not None else None,
            "ClearingCreationDate": date_text(cleared_day) if is_item and cleared_day is not None else None,
            "IsCleared": int(is_item and cleared_day is not None),
            "ReverseDocument": inner(reverses or reversed_by, 10), "IsReversal": int(reverses is not None),
            "ReverseDocumentFiscalYear": year if reverses or reversed_by else None,
            "IsReversed": int(reversed_by is not None), "PostingDate": date_text(doc.posting_day),
            "DocumentDate": date_text(doc.day), "NetDueDate": date_text(entry.due_day) if entry.due_day else None,
            "CompanyCodeCurrency": doc.base, "AmountInCompanyCodeCurrency": _money(amount, doc.base),
            "TransactionCurrency": doc.currency, "AmountInTransactionCurrency": _money(entry.amount, doc.currency),
            "ExchangeRate": _rate5(doc), "Ledger": "0L",
            "AccountingDocumentCreationDate": date_text(created // DAY), "CreationTime": stamp_text(created)[11:],
            "LastChangeDate": date_text(undone // DAY) if undone is not None and reversed_by else None,
        }


@cache
def _columns(name: str) -> tuple[str, ...]:
    return Sap.columns[f"sap__{name}"]


def _row(values: Values) -> tuple[str, tuple]:
    name, told = values
    if strange := told.keys() - set(_columns(name)):
        raise KeyError(f"{name} has no {', '.join(sorted(strange))}")
    return f"sap__{name}", tuple(told.get(column) for column in _columns(name))


def _seen(doc: Doc, now: int) -> bool:
    """SAP deletes no billing document: one that is gone elsewhere is cancelled here. An order may be deleted."""
    if doc.kind in _BILLING:
        return (doc.late or doc.created) < now
    return doc.seen(now)


def _void(doc: Doc, now: int) -> bool:
    return doc.is_void(now) or gone(doc, now)


def _cleared_by(bill: Doc, seen: list[Doc], now: int) -> Doc | None:
    """The payment that settled the rest of an invoice; None while something is open, or where a credit did."""
    if bill.kind != "CustInvc" or _void(bill, now):
        return None
    settling = [(doc, amount) for doc in seen for target, amount in doc.applied if target is bill]
    if not settling or sum(amount for _, amount in settling) != bill.total(now) + bill.header_extra:
        return None
    last = max((doc for doc, _ in settling), key=lambda doc: doc.created)
    return last if last.kind == "CustPymt" else None


def _taxes(doc: Doc, lines: list[Line]) -> list[int]:
    """Tax by line, unsigned; the first line takes what rounding leaves."""
    if not doc.taxed:
        return [0] * len(lines)
    points = ENTITIES[doc.entity.code].tax
    parts = [tax_on(line.amount, points) for line in lines]
    parts[0] += tax_on(sum(line.amount for line in lines), points) - sum(parts)
    return parts


def _predecessor(
    doc: Doc, line: Line, order: str | None, order_item: str | None
) -> tuple[str | None, str | None, str | None]:
    """(number, item, category) of what a billing item was made from: a delivery's, an invoice's, or an order's."""
    for source, category in ((doc.delivery, "J"), (doc.source if doc.kind in CREDITS else None, "M")):
        made = [each.source for each in source.lines] if source else []
        if line.source in made:
            return inner(str(source.id), 10), _item(made.index(line.source)), category
    return (order, order_item, "C") if order else (None, None, None)


def _place(order: Doc, line: Line, now: int) -> int:
    sources = [each.source for each in lines_at(order, now)]
    return sources.index(line.source) if line.source in sources else 0


def _stamps(created: int, changes: list[int], now: int) -> dict[str, Any]:
    """A record that never changed has no stamp of change."""
    changed = max((moment for moment in changes if created < moment < now), default=None)
    return {
        "CreationDate": date_text(created // DAY), "CreationTime": stamp_text(created)[11:],
        "LastChangeDate": date_text(changed // DAY) if changed else None,
        "LastChangeDateTime": stamp_text(changed) if changed else None,
    }


def _fi_number(doc: Doc, *, reverse: bool = False) -> str:
    return str(int(doc.id) - 210_000_000 + (_CANCELLING if reverse else 0))


def _fi_id(doc: Doc) -> str:
    return str(doc.id) if doc.kind in ("CustPymt", "Journal") else _fi_number(doc)


def _year_of(doc: Doc | None, otherwise: str) -> str:
    return str(month_of(doc.posting_day)[0]) if doc else otherwise


def _partner_company(doc: Doc) -> str | None:
    return sap_master.trading_partner(doc.party) if doc.intercompany else None


def _item(place: int) -> str:
    return f"{(place + 1) * 10:06d}"


def _category(product: Product) -> str:
    return "TAN" if product.family == "Hardware" else "TAD"


def _unit(product: Product) -> str:
    return "PC" if product.family == "Hardware" else "LE"


def _quantity(line: Line) -> str:
    """QUAN holds three decimals."""
    return amount_text(rounded(line.quantity, 100), 3)


def _money(minor: int, currency: str) -> str:
    return amount_text(minor, CURRENCIES[currency].decimals)


def _quoted(doc: Doc) -> tuple[int, bool]:
    """The document's rate as the currency pair is quoted: (1/100,000, whether indirectly)."""
    if doc.currency == doc.base:
        return 10**5, False
    rate = sap_master.quoted(doc.currency, doc.base, doc.rate)[0]
    return abs(rate), rate < 0


def _rate5(doc: Doc) -> str:
    return sap_master.rate_text(_quoted(doc)[0])
