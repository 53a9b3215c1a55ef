"""The answers: which records belong together at each hop, and why two sides differ, as of a moment.

Groups and the breaks that any chain shows while it is under way follow from the records (`answers`). What a scenario
planted is added once its records are seen. What is left of a group's difference must be unbilled (A2, A3, B3) or unpaid
(A10, B3) money: anything else is a fault of the generator and raises.

An entry of `groups` is `{id, hop, left, right, scenario, names_agree}`, of `breaks` `{id, hop, reason, documents,
amount, currency, names_agree, scenario}`. Documents are `[system, id]`. A break's amount is its contribution to
left − right in the document's currency (`invoice_ledger`: functional); where that nets to nothing (B1: two periods,
D3: two currencies, E2: within one cell) it is the amount that moved. H1 and H2 name documents out of scope.

Of a shop there are `refunds`, `{id, deal, day, net, freight, tax, currency, credit, scenario}`: what was given back of
an order, positive, and the ERP's document of it. Each takes a booking back on its day; net holds freight and no tax.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from simulator.clock import DAY, date_text, stamp_text
from simulator.customers import Customers, agree
from simulator.documents import BILLS, CREDITS, DELIVERIES, FREIGHT, Chain, Deal, Doc, Planted, gone, lines_at
from simulator.money import CURRENCIES, ENTITIES, amount_text, tax_on
from simulator.plan import World
from simulator.store import State
from simulator.systems import kinds
from simulator.units import unit

VERSION = 1
HOPS = ("deal_order", "order_invoice", "invoice_cash", "invoice_ledger")


class KeyFault(AssertionError):
    """The generator planted something that does not add up."""


class Answers:
    """The answers of one chain at one moment."""

    def __init__(self, world: World, chain: Chain, now: int) -> None:
        self.chain, self.now, self.today = chain, now, now // DAY
        self._crm, self._erp = world.crm, world.erp
        self.docs = [doc for doc in chain.docs if doc.seen(now)]
        self._taken_back = [doc for doc in chain.docs if gone(doc, now) and self._cancelling([doc])]
        self.deals = [deal for deal in chain.deals if deal.won(now)]
        self.planted = [p for p in chain.planted if all(self._holds(d) for d in p.documents)]
        self.groups: list[dict[str, Any]] = []
        self.breaks: list[dict[str, Any]] = []
        self.refunds = list(self._refunded()) if "Shipping" in kinds(self._crm.system) else []
        self._deal_order()
        self._order_invoice()
        self._invoice_cash()
        self._invoice_ledger()
        for planted in self.planted:
            if planted.reason in ("H1", "H2"):
                self._add_planted(planted, True)

    def entries(self) -> Iterator[tuple[str, str]]:
        """(kind, JSON text) of all entries."""
        for kind, found in (("groups", self.groups), ("breaks", self.breaks), ("refunds", self.refunds)):
            for number, entry in enumerate(found):
                yield kind, json.dumps({"id": f"{self.chain.number}-{kind[0]}{number}", **entry}, separators=(",", ":"))

    # --- what can be seen

    def _holds(self, record: Deal | Doc) -> bool:
        if isinstance(record, Deal):
            return record in self.deals
        if record.earlier and self.now <= record.earlier[0]:
            return False  # a later change is what was planted
        return record in self.docs and all(
            moment is None or moment < self.now for moment in (record.voided, record.cancelled)
        )

    def _bills(self) -> list[Doc]:
        """Bills and credits in scope."""
        return [d for d in self.docs if d.kind in (*BILLS, *CREDITS) and d.approved and not d.intercompany]

    def _refunded(self) -> Iterator[dict[str, Any]]:
        """What the shop gave back by now, net of tax and before it; an amount that is no line's has no tax."""
        for deal in self.deals:
            entity = ENTITIES[deal.party.entity]
            points, decimals = entity.tax if deal.party.taxed else 0, CURRENCIES[deal.currency].decimals
            for refund in deal.refunds:
                if refund.moment >= self.now:
                    continue
                net = refund.amount + sum(line.amount for line in refund.lines)
                freight = sum(line.amount for line in refund.lines if line.product == FREIGHT)
                tax = sum(tax_on(line.amount, points) for line in refund.lines)
                yield {
                    "deal": self._crm.key_id(deal), "day": date_text(refund.moment // DAY),
                    "net": amount_text(net, decimals), "freight": amount_text(freight, decimals),
                    "tax": amount_text(tax, decimals), "currency": deal.currency,
                    "credit": self._erp.key_id(refund.credit) if refund.credit else None,
                    "scenario": self.chain.scenario}

    # --- hops

    def _deal_order(self) -> None:
        orders = [doc for doc in self.docs if doc.kind == "SalesOrd"]
        for deal in self.deals:
            mine = [order for order in orders if order.deal is deal]
            agreed = all(agree(deal.account, order.customer) and not order.garbled for order in mine)
            if not mine:
                self._break("deal_order", "A1", [deal], deal.net(self.now), deal.currency, True)
                continue
            self._group("deal_order", [deal], mine, agreed)
            planted = self._plant("deal_order", [deal, *mine], agreed)
            if all(order.currency == deal.currency for order in mine):
                ordered = sum(order.net(self.now) for order in mine if not order.is_cancelled(self.now))
                self._balance("deal_order", deal.net(self.now) - ordered, planted)
        for order in orders:
            if order.deal is None:
                reason = "A9" if order.external else "A4"
                self._break("deal_order", reason, [order], -order.net(self.now), order.currency, True)

    def _order_invoice(self) -> None:
        bills = self._bills()
        for order in (doc for doc in self.docs if doc.kind == "SalesOrd" and not doc.is_cancelled(self.now)):
            mine = [b for b in bills if b.source is order or (b.source and b.source.source is order)]
            kept = [b for b in self._taken_back if b.source is order]  # gone elsewhere, cancelled here: both are there
            if mine or kept:
                self._group("order_invoice", [order], [*mine, *kept], True)
            planted = self._plant("order_invoice", [order, *mine], True)
            rest = order.net(self.now) - sum(b.net(self.now) for b in mine) - planted
            if rest < 0:
                raise KeyFault(f"{self._where()}: order {order.id} billed {-rest} too much")
            shipped = min(rest, self._shipped(order, mine))
            if shipped:
                self._break("order_invoice", "A3", [order], shipped, order.currency, True)
            if rest > shipped:
                reason = "B3" if order.schedule else "A2"
                self._break("order_invoice", reason, [order], rest - shipped, order.currency, True)
        for bill in bills:
            if bill.source is None:
                reason = "A9" if bill.dangling or bill.reference else "A4"
                self._break("order_invoice", reason, [bill], -bill.net(self.now), bill.currency, True)

    def _shipped(self, order: Doc, bills: list[Doc]) -> int:
        """What left the house and is not billed, at the order's prices."""
        moved: Counter[int] = Counter()
        for doc in self.docs:
            if doc.kind in DELIVERIES and doc.source is order and not doc.is_void(self.now):
                for line in doc.lines:
                    moved[line.source] += line.quantity if doc.kind == "Delivery" else -line.quantity
        for bill in bills:
            if bill.kind in BILLS and not bill.is_void(self.now):
                for line in bill.lines:
                    moved[line.source] -= line.quantity
        units = ((line, min(max(moved[line.source], 0), line.quantity)) for line in lines_at(order, self.now))
        return sum(line.amount * quantity // line.quantity for line, quantity in units)

    def _invoice_cash(self) -> None:
        payments = [doc for doc in self.docs if doc.kind == "CustPymt"]
        memos = [doc for doc in self.docs if doc.kind == "CustCred"]
        for bill in self._bills():
            if bill.kind in ("CashSale", "CashRfnd"):
                self._group("invoice_cash", [bill], [bill], True)
            elif bill.kind == "CustInvc" and not bill.is_void(self.now):
                self._open(bill, payments, memos)
        paid: set[Doc] = set()
        for payment in payments:
            settled = [bill for bill, _ in payment.applied if bill.seen(self.now)]
            if settled:
                credits = [m for m in memos if any(t in settled for t, _ in m.applied)]
                self._group("invoice_cash", [*settled, *credits], [payment], True)
                paid.update(settled)
            unused = payment.amount - sum(a for bill, a in payment.applied if bill.seen(self.now))
            if unused:
                self._break("invoice_cash", "A7", [payment], -unused, payment.currency, True)
        for memo in memos:  # a credit belongs to its invoice also while nobody has paid
            if waiting := [bill for bill, _ in memo.applied if bill.seen(self.now) and bill not in paid]:
                self._group("invoice_cash", [*waiting, memo], [], True)

    def _open(self, bill: Doc, payments: list[Doc], memos: list[Doc]) -> None:
        settled = sum(a for doc in (*payments, *memos) for target, a in doc.applied if target is bill)
        rest = bill.total(self.now) - settled - self._plant("invoice_cash", [bill, *payments], True)
        if rest < 0:
            raise KeyFault(f"{self._where()}: invoice {bill.id} settled {-rest} too much")
        if rest:
            reason = "B3" if bill.due_day is not None and bill.due_day >= self.today else "A10"
            self._break("invoice_cash", reason, [bill], rest, bill.currency, True)

    def _invoice_ledger(self) -> None:
        for bill in self._bills():
            if bill.posted:  # a voided one posts nothing, and zero is zero
                self._group("invoice_ledger", [bill], [bill], True)
            self._plant("invoice_ledger", [bill], True)

    # --- entries

    def _plant(self, hop: str, among: list[Any], agreed: bool) -> int:
        """Write what was planted on these records; return what it contributes to left − right."""
        mine = [
            p
            for p in self.planted
            if p.hop == hop and p.reason not in ("H1", "H2") and any(p.documents[0] is d for d in among)
        ]
        for planted in mine:
            self._add_planted(planted, agreed)
        return sum(planted.amount for planted in mine if planted.reason != "E2")

    def _add_planted(self, planted: Planted, agreed: bool) -> None:
        first = planted.documents[0]
        currency = first.base if planted.hop == "invoice_ledger" and isinstance(first, Doc) else first.currency
        reason = planted.reason if all(self._holds(d) for d in planted.evidence) else planted.alone
        self._break(planted.hop, reason, planted.documents, planted.amount, currency, agreed)

    def _balance(self, hop: str, difference: int, planted: int) -> None:
        if difference != planted:
            raise KeyFault(f"{self._where()}: {hop} differs by {difference}, planted {planted}")

    def _group(self, hop: str, left: Iterable[Deal | Doc], right: Iterable[Deal | Doc], agreed: bool) -> None:
        self.groups.append(
            {
                "hop": hop,
                "left": self._named(left),
                "right": [*self._named(right), *(self._cancelling(right) if hop == "order_invoice" else [])],
                "scenario": self.chain.scenario,
                "names_agree": agreed,
            }
        )

    def _break(
        self, hop: str, reason: str, documents: Iterable[Deal | Doc], amount: int, currency: str, agreed: bool
    ) -> None:
        self.breaks.append(
            {
                "hop": hop,
                "reason": reason,
                "documents": self._named(documents),
                "amount": amount_text(amount, CURRENCIES[currency].decimals),
                "currency": currency,
                "names_agree": agreed,
                "scenario": self.chain.scenario,
            }
        )

    def _named(self, records: Iterable[Deal | Doc]) -> list[list[str]]:
        systems = ((self._crm if isinstance(record, Deal) else self._erp, record) for record in records)
        return [[system.system, system.key_id(record)] for system, record in systems]

    def _cancelling(self, records: Iterable[Deal | Doc]) -> list[list[str]]:
        """The records that cancel bills among these: they stand where what they cancel stands."""
        found = getattr(self._erp, "cancelling_id", None)
        ids = [found(record, self.now) for record in records if isinstance(record, Doc)] if found else []
        return [[self._erp.system, one] for one in ids if one]

    def _where(self) -> str:
        return f"chain {self.chain.number} ({self.chain.scenario}) at {stamp_text(self.now)}"


def answers(world: World, chain: Chain, now: int) -> Iterator[tuple[int, str, str]]:
    """(chain, kind, JSON text) of a chain's groups, breaks and refunds at `now`, as kept in `sim__key`."""
    for kind, entry in Answers(world, chain, now).entries():
        yield chain.number, kind, entry


def write_key(folder: Path, database: sqlite3.Connection, state: State, customers: Customers) -> Path:
    """Write `key.json` (`key.json.gz` above the smallest size) from `sim__key`, as a stream."""
    counts = dict(database.execute("SELECT scenario, count(*) FROM sim__chain GROUP BY 1 ORDER BY 1"))
    path = folder / ("key.json" if state.size == "1k" else "key.json.gz")
    with gzip.open(path, "wt", encoding="utf-8") if path.suffix == ".gz" else path.open("w", encoding="utf-8") as out:
        head = {"version": VERSION, "seed": state.seed, "size": state.size, "level": state.level, "now": state.now,
                "unit": state.unit}
        out.write(json.dumps(head)[:-1])
        for kind in ("groups", "breaks", *(("refunds",) if "Shipping" in kinds(unit(state.unit).crm) else ())):
            found = database.execute("SELECT entry FROM sim__key WHERE kind = ? ORDER BY chain, rowid", (kind,))
            _write_list(out, kind, (entry for (entry,) in found))
        _write_list(out, "customers", (json.dumps(pair) for pair in customers.pairs()))
        out.write(f',\n"counts": {json.dumps(counts)}}}\n')
    return path


def _write_list(out: Any, name: str, entries: Iterator[str]) -> None:
    out.write(f',\n"{name}": [')
    for number, entry in enumerate(entries):
        out.write(f"{',' if number else ''}\n{entry}")
    out.write("]")
