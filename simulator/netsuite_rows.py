"""ERP documents as NetSuite keeps them: transaction, lines, accounting lines per book, links.

Signs follow the ledger's nature: a sale's mainline is positive (a debit), its item and tax lines and their quantities
negative; a credit memo or refund is the reverse; orders and estimates look like invoices, but do not post. Functional
amounts are each line's transaction amount times the document's rate, rounded to the base currency's minor units; the
mainline takes the sum, so that every transaction balances to zero in every book.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from simulator import netsuite_deposits, netsuite_master
from simulator.catalog import Product
from simulator.clock import DAY, date_text, stamp_text
from simulator.customers import Party
from simulator.documents import CREDITS, FREIGHT, Chain, Deal, Doc, lines_at
from simulator.money import CURRENCIES, Rates, amount_text, converted, decimal_text, rate_text
from simulator.netsuite_master import (
    ACCRUALS,
    BANK,
    COGS,
    ESTIMATES,
    EXPENSE,
    FX,
    INCOME,
    INVENTORY,
    ORDERS,
    PRIMARY,
    RECEIVABLE,
    SCHEDULE,
    SECOND,
    SERVICES,
    SHIP_ITEM,
    SISTER_SALES,
    SISTERS,
    TAX,
    TAX_ITEM,
    UNDEPOSITED,
    period_id,
)
from simulator.payouts import Deposit
from simulator.plan import LINE_BITS, World
from simulator.schema import Table, names_in, of_system

TRANSACTION_COLUMNS = names_in("""
    id tranid transactionnumber type abbrevtype recordtype status approvalstatus entity currency postingperiod
    otherrefnum externalid memo terms source exchangerate foreigntotal foreignamountpaid foreignamountunpaid
    foreignpaymentamountused foreignpaymentamountunused posting voided isreversal trandate duedate closedate
    createddate lastmodifieddate
""")
LINE_COLUMNS = names_in("""
    uniquekey transaction id linesequencenumber accountinglinetype item itemtype entity subsidiary createdfrom
    billingschedule memo quantity quantitybilled rate foreignamount netamount mainline taxline iscogs
    isinventoryaffecting isfxvariance transactiondiscount donotdisplayline isclosed eliminate
    linelastmodifieddate
""")
LEDGER_COLUMNS = names_in("""
    accountingbook transaction transactionline account exchangerate amount debit credit netamount posting
    processedbyrevcommit lastmodifieddate
""")
LINK_COLUMNS = names_in("""
    previousdoc previousline previoustype previousdate nextdoc nextline nexttype nextdate linktype foreignamount
    lastmodifieddate
""")
DELETED_COLUMNS = names_in("""
    recordid recordtypeid type scriptid name deletedby context iscustomrecord deleteddate
""")

RECORD_TYPES = {
    "SalesOrd": "salesorder",
    "CustInvc": "invoice",
    "CashSale": "cashsale",
    "CustCred": "creditmemo",
    "CashRfnd": "cashrefund",
    "CustPymt": "customerpayment",
    "Estimate": "estimate",
    "Journal": "journalentry",
}
_PREFIXES = {
    "SalesOrd": "SO", "CustInvc": "INV", "CashSale": "CS", "CustCred": "CM", "CashRfnd": "CR", "CustPymt": "PYMT",
    "Estimate": "EST", "Journal": "JE",
}
NON_POSTING = ("SalesOrd", "Estimate")
_TRANSACTION_RECORDS = -30


@dataclass(slots=True)
class Entry:
    """One line: signed transaction amount (debit positive), its account, and what a line row shows beside it."""

    account: int
    foreign: int
    functional: int | None = None  # given where it is not amount × rate
    kind: str | None = None
    item: int | None = None
    item_type: str | None = None
    quantity: int | None = None
    billed: int = 0
    rate: int | None = None
    main: bool = False
    tax: bool = False
    cogs: bool = False
    variance: bool = False


def second_base(base: str) -> str:
    """The currency in which the second accounting book keeps a subsidiary."""
    return "EUR" if base == "USD" else "USD"


class NetSuite:
    """The ERP's records of a company; see `systems.System`. Holds no state of its own."""

    system, role = "netsuite", "erp"
    columns = netsuite_master.COLUMNS | {
        "netsuite__transaction": TRANSACTION_COLUMNS,
        "netsuite__transactionline": LINE_COLUMNS,
        "netsuite__transactionaccountingline": LEDGER_COLUMNS,
        "netsuite__nexttransactionlinelink": LINK_COLUMNS,
        "netsuite__deletedrecord": DELETED_COLUMNS,
    }

    def __init__(self, world: World) -> None:
        self._world = world
        self._products: tuple[Product, ...] = world.products
        self._rates: Rates = world.rates
        self._lines, self._numbers = world.slots["line"], world.slots["number"]

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """The records that the account has."""
        return of_system("netsuite")

    @staticmethod
    def customer_id(number: int) -> int:
        """The internal id of a customer."""
        return number + 100

    @staticmethod
    def document_id(kind: str, number: int) -> int:
        """The internal id of a transaction."""
        return 1_000 + number

    @staticmethod
    def document_number(kind: str, number: int) -> str:
        """What people call a transaction (`tranid`)."""
        return f"{_PREFIXES[kind]}{100_000 + number}"

    def key_id(self, record: Deal | Doc) -> str:
        """A transaction is named by its internal id."""
        return str(record.id)

    def reference(self, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of accounts, periods, books, currencies, rates and items."""
        return netsuite_master.rows(self._world, now)

    def party(self, party: Party, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of a party's customers."""
        return netsuite_master.customer_rows(party, now)

    def chain(self, chain: Chain, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of all ERP documents of the chain that are seen at `now`."""
        seen = [doc for doc in chain.docs if doc.seen(now)]
        for doc in seen:
            yield from self._document(doc, seen, stamp_text(_changed(doc, chain, now)), now)
        for doc in chain.docs:
            if doc.deleted is not None and doc.deleted < now:
                record = RECORD_TYPES[doc.kind]
                yield (
                    "netsuite__deletedrecord",
                    (
                        doc.id,
                        _TRANSACTION_RECORDS,
                        record,
                        record,
                        f"{record} #{doc.number}",
                        -5,
                        "UI",
                        0,
                        stamp_text(doc.deleted),
                    ),
                )

    def deposits(self, database: sqlite3.Connection, found: list[Deposit]) -> Iterator[tuple[str, tuple]]:
        """(table, row) of payouts at the bank; see `netsuite_deposits`."""
        parent = next(iter(self._world.unit.entities.values()))
        return netsuite_deposits.rows(self._world, found, second_base(parent.currency))

    def _document(self, doc: Doc, seen: list[Doc], changed: str, now: int) -> Iterator[tuple[str, tuple]]:
        entries = self._entries(doc, seen, now)
        decimals, base = CURRENCIES[doc.currency].decimals, CURRENCIES[doc.base].decimals
        functional = [
            converted(e.foreign, doc.currency, doc.base, doc.rate) if e.functional is None else e.functional
            for e in entries
        ]
        functional[0] -= sum(functional)
        yield "netsuite__transaction", self._header(doc, seen, now, changed, decimals)
        yield from self._line_rows(doc, entries, functional, now, changed)
        if doc.posted:
            posting = int(doc.approved and doc.kind not in NON_POSTING)
            yield from _ledger(doc, PRIMARY, entries, functional, base, doc.rate, posting, changed)
            if posting:
                yield from self._second_book(doc, entries, functional, changed)
        yield from self._links(doc, now)

    # --- header

    def _header(self, doc: Doc, seen: list[Doc], now: int, changed: str, decimals: int) -> tuple:
        void = doc.is_void(now)
        total = 0 if void else doc.total(now) + doc.header_extra
        paid = sum(amount for other in seen for target, amount in other.applied if target is doc)
        used = sum(amount for target, amount in doc.applied if target.seen(now))
        status, closed = self._status(doc, seen, now, total - paid, abs(total) - used)
        billed = doc.kind == "CustInvc"
        settles = doc.kind in ("CustPymt", "CustCred")

        def money(minor: int) -> str:
            return amount_text(minor, decimals)

        return (
            doc.id,
            doc.number,
            str(self._numbers(doc.slot) + 1),
            doc.kind,
            doc.kind.upper()[:8],
            RECORD_TYPES[doc.kind],
            status,
            2 if doc.approved else 1,
            None if doc.kind == "Journal" else doc.customer.id,
            CURRENCIES[doc.currency].number,
            None if doc.kind in NON_POSTING else period_id(doc.posting_day),
            doc.reference,
            doc.external,
            "VOID" if void else None,
            doc.party.terms if billed else None,
            None,
            rate_text(doc.rate),
            money(total),
            money(paid) if billed else None,
            money(0 if void else total - paid) if billed else None,
            money(used) if settles else None,
            money(abs(total) - used) if settles else None,
            int(doc.approved and doc.kind not in NON_POSTING),
            int(void),
            0,
            date_text(doc.day),
            date_text(doc.due_day) if doc.due_day else None,
            closed,
            stamp_text(doc.created),
            changed,
        )

    def _status(self, doc: Doc, seen: list[Doc], now: int, unpaid: int, unused: int) -> tuple[str, str | None]:
        if doc.is_void(now):
            return "V", None
        if doc.kind == "CustInvc":
            if not doc.approved:
                return "D", None
            if unpaid > 0:
                return "A", None
            return "B", date_text(max(o.day for o in seen for target, _ in o.applied if target is doc))
        if doc.kind == "CustCred":
            return ("A", None) if unused > 0 else ("B", date_text(doc.day))
        if doc.kind in ("CashSale", "CustPymt"):
            return "C", None
        if doc.kind == "SalesOrd":
            if doc.is_cancelled(now):
                return "C", date_text(doc.cancelled // DAY)  # type: ignore[operator]
            billed = sum(line.quantity for bill in _bills(doc, seen) if not bill.is_void(now) for line in bill.lines)
            if not billed:
                return "F", None
            return ("G", None) if billed >= sum(line.quantity for line in lines_at(doc, now)) else ("E", None)
        return ("B" if doc.kind == "Journal" else "A"), None

    # --- lines

    def _entries(self, doc: Doc, seen: list[Doc], now: int) -> list[Entry]:
        if doc.kind == "CustPymt":
            return self._payment(doc, now)
        if doc.kind == "Journal":
            return [Entry(EXPENSE, doc.amount, kind="EXPENSE"), Entry(ACCRUALS, -doc.amount, kind="LIABILITY")]
        sign, zero = doc.sign, 0 if doc.is_void(now) else 1
        extra = doc.header_extra
        found = [Entry(_main_account(doc), (doc.total(now) + extra) * zero, kind=_main_kind(doc), main=True)]
        bills = _bills(doc, seen) if doc.kind == "SalesOrd" else []
        cost: list[Entry] = []
        for line in lines_at(doc, now):
            if line.product == FREIGHT:
                found.append(Entry(SERVICES, -sign * line.amount * zero, None, "INCOME", SHIP_ITEM, "ShipItem"))
                continue
            product = self._products[line.product]
            income = SISTER_SALES if doc.intercompany else INCOME[product.family]
            billed = sum(
                b.quantity for bill in bills if not bill.is_void(now) for b in bill.lines if b.source == line.source
            )
            found.append(
                Entry(
                    income,
                    -sign * line.amount * zero,
                    None,
                    "INCOME",
                    product.number,
                    product.item_type,
                    -sign * line.quantity * zero,
                    min(billed, line.quantity),
                    line.price,
                )
            )
            if product.item_type == "InvtPart" and doc.kind not in NON_POSTING:
                value = sign * (line.amount * (40 + product.index % 25) // 100) * zero
                cost += [
                    Entry(COGS, value, None, "COGS", product.number, product.item_type, cogs=True),
                    Entry(INVENTORY, -value, None, "ASSET", product.number, product.item_type, cogs=True),
                ]
        if doc.taxed:
            found.append(Entry(TAX, -doc.tax(now), None, "TAX", TAX_ITEM, "TaxItem", tax=True))
        return found + cost

    def _payment(self, doc: Doc, now: int) -> list[Entry]:
        found = [Entry(UNDEPOSITED, doc.amount, kind="ASSET", main=True)]
        found[0].functional = converted(doc.amount, doc.currency, doc.base, doc.rate)
        rest = doc.amount
        for bill, amount in doc.applied:
            rest -= amount
            carried = converted(amount, doc.currency, doc.base, bill.rate)
            found.append(Entry(RECEIVABLE, -amount, -carried, "ACCOUNTSRECEIVABLE"))
        if rest:
            found.append(Entry(RECEIVABLE, -rest, None, "ACCOUNTSRECEIVABLE"))
        booked = sum(
            converted(e.foreign, doc.currency, doc.base, doc.rate) if e.functional is None else e.functional
            for e in found
        )
        if booked:
            found.append(Entry(FX, 0, -booked, "FXVARIANCE", variance=True))
        return found

    def _line_rows(
        self, doc: Doc, entries: list[Entry], functional: list[int], now: int, changed: str
    ) -> Iterator[tuple[str, tuple]]:
        decimals, base = CURRENCIES[doc.currency].decimals, CURRENCIES[doc.base].decimals
        made_from = doc.dangling or (doc.source.id if doc.source else None)
        entity = None if doc.kind == "Journal" else doc.customer.id
        for number, (entry, amount) in enumerate(zip(entries, functional, strict=True)):
            key = self._lines((doc.slot << LINE_BITS) + number) + 10_000
            quantity = None if entry.quantity is None else decimal_text(entry.quantity, 5)
            item = entry.kind == "INCOME"
            yield (
                "netsuite__transactionline",
                (
                    key,
                    doc.id,
                    number,
                    number,
                    entry.kind,
                    entry.item,
                    entry.item_type,
                    entity,
                    doc.entity.number,
                    None if entry.cogs else made_from,
                    SCHEDULE if doc.schedule and item else None,
                    None,
                    quantity,
                    decimal_text(entry.billed, 5) if item and doc.kind == "SalesOrd" else None,
                    None if entry.rate is None else amount_text(entry.rate, decimals),
                    amount_text(entry.foreign, decimals),
                    amount_text(amount, base),
                    int(entry.main),
                    int(entry.tax),
                    int(entry.cogs),
                    int(entry.item_type == "InvtPart" and doc.kind not in NON_POSTING),
                    int(entry.variance),
                    None if entry.main else 0,
                    None if entry.main else 0,
                    int(doc.is_cancelled(now)) if item else None,
                    int(doc.intercompany) if not entry.main or doc.intercompany else None,
                    changed,
                ),
            )

    # --- ledger and links

    def _second_book(
        self, doc: Doc, entries: list[Entry], functional: list[int], changed: str
    ) -> Iterator[tuple[str, tuple]]:
        other = second_base(doc.base)
        rate = self._rates.rate(other, doc.base, doc.day)
        amounts = [converted(amount, doc.base, other, rate) for amount in functional]
        amounts[0] -= sum(amounts)
        yield from _ledger(
            doc,
            SECOND,
            entries,
            amounts,
            CURRENCIES[other].decimals,
            self._rates.rate(other, doc.currency, doc.day),
            1,
            changed,
        )

    def _links(self, doc: Doc, now: int) -> Iterator[tuple[str, tuple]]:
        decimals, stamp = CURRENCIES[doc.currency].decimals, stamp_text(doc.created)
        if doc.source and doc.source.kind == "SalesOrd" and doc.source.seen(now):
            order = doc.source
            sources = [line.source for line in lines_at(order, now)]
            for number, line in enumerate(doc.lines, 1):
                if line.product == FREIGHT:
                    continue  # shipping is no line that another is made from
                yield (
                    "netsuite__nexttransactionlinelink",
                    (
                        order.id,
                        sources.index(line.source) + 1,
                        order.kind,
                        date_text(order.day),
                        doc.id,
                        number,
                        doc.kind,
                        date_text(doc.day),
                        "OrdBill",
                        amount_text(0 if doc.is_void(now) else line.amount, decimals),
                        stamp_text(doc.voided) if doc.is_void(now) else stamp,
                    ),
                )  # type: ignore[arg-type]
        for number, (target, amount) in enumerate(doc.applied):
            if target.seen(now):
                yield (
                    "netsuite__nexttransactionlinelink",
                    (
                        target.id,
                        0,
                        target.kind,
                        date_text(target.day),
                        doc.id,
                        number + (doc.kind == "CustPymt"),
                        doc.kind,
                        date_text(doc.day),
                        "Payment",
                        amount_text(amount, decimals),
                        stamp,
                    ),
                )


def _ledger(
    doc: Doc, book: int, entries: list[Entry], amounts: list[int], decimals: int, rate: int, posting: int, changed: str
) -> Iterator[tuple[str, tuple]]:
    for number, (entry, amount) in enumerate(zip(entries, amounts, strict=True)):
        text = amount_text(amount, decimals)
        yield (
            "netsuite__transactionaccountingline",
            (
                book,
                doc.id,
                number,
                entry.account,
                rate_text(rate),
                text,
                text if amount > 0 else None,
                amount_text(-amount, decimals) if amount < 0 else None,
                text,
                posting,
                0,
                changed,
            ),
        )


def _bills(order: Doc, seen: list[Doc]) -> list[Doc]:
    return [doc for doc in seen if doc.source is order]


def _changed(doc: Doc, chain: Chain, now: int) -> int:
    """When the header was last touched: by itself, or by what was made from it, applied to it, or taken back again."""
    moments = [doc.created, doc.earlier[0] if doc.earlier else 0, doc.cancelled or 0, doc.voided or 0]
    for other in chain.docs:
        if other.source is doc or any(target is doc for target, _ in other.applied):
            moments += [other.created, other.voided or 0, other.deleted or 0]
    return max(moment for moment in moments if moment < now)


def _main_account(doc: Doc) -> int:
    if doc.kind in NON_POSTING:
        return ORDERS if doc.kind == "SalesOrd" else ESTIMATES
    if doc.kind in ("CashSale", "CashRfnd"):
        return UNDEPOSITED if doc.kind == "CashSale" else BANK
    return SISTERS if doc.intercompany else RECEIVABLE


def _main_kind(doc: Doc) -> str | None:
    if doc.kind in NON_POSTING:
        return None
    return "ACCOUNTSRECEIVABLE" if doc.kind == "CustInvc" or doc.kind in CREDITS and doc.kind != "CashRfnd" else "ASSET"
