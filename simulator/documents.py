"""What happened, independent of any vendor: deals, ERP documents and payments of one chain, and what was planted.

A chain is planned once, for its whole life. What a vendor shows at some moment follows from it: `seen`, `lines_at` and
the moments of changes. Moments are seconds since the epoch, days are day numbers (`clock`), amounts minor units of the
document's currency, quantities hundred-thousandths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.clock import DAY
from simulator.customers import Party, Record
from simulator.money import ENTITIES, Entity, converted, tax_on

QUANTITY = 100_000
FREIGHT = 1_000  # in place of a line's product: what the buyer pays for shipping; no place in the catalogue
BILLS = ("CustInvc", "CashSale")
DELIVERIES = ("Delivery", "Return")  # the lines of a return are positive; it brings the goods back
CREDITS = ("CustCred", "CashRfnd")


@dataclass(slots=True, eq=False)
class Line:
    """`price` is the net price of one unit; `amount` is what counts. `source`: the order's line that this one bills."""

    product: int
    quantity: int
    price: int
    amount: int
    list_price: int
    discount: int = 0
    source: int = 0


@dataclass(slots=True, eq=False)
class CrmOrder:
    """The CRM's copy of an order. `synced` is when the ERP's id was written back to it, if ever."""

    id: str
    slot: int
    number: str
    created: int
    reference: str
    synced: tuple[int, str | int] | None = None


@dataclass(slots=True, eq=False)
class Refund:
    """What a shop gave back of an order: `lines` that came back, and `amount` (with tax), for which nothing did.

    `credit` is the ERP's document of the same; None where the books were not told.
    """

    moment: int
    lines: list[Line]
    amount: int = 0
    credit: Doc | None = None


@dataclass(slots=True, eq=False)
class Deal:
    """An opportunity. `earlier`: (moment, lines before it). `late`: when it became visible, if after its stamp.

    `refunds` are a shop's, which is where deals are paid and given back; no other CRM shows them.
    """

    id: str
    slot: int
    name: str
    party: Party
    account: Record
    currency: str
    created: int
    closed: int
    outcome: str
    lines: list[Line]
    header_only: bool = False
    contract: str | None = None
    order: CrmOrder | None = None
    earlier: tuple[int, list[Line]] | None = None
    deleted: int | None = None
    late: int | None = None
    refunds: list[Refund] = field(default_factory=list)

    def seen(self, now: int) -> bool:
        """Whether the vendor shows the record (a soft-deleted one is still shown)."""
        return (self.late or self.created) < now

    def won(self, now: int) -> bool:
        """Whether it is a booking at `now`."""
        return self.outcome == "won" and self.closed < now and not gone(self, now)

    def net(self, now: int) -> int:
        """The sum of its lines."""
        return sum(line.amount for line in lines_at(self, now))


@dataclass(slots=True, eq=False)
class Doc:
    """An ERP document. `rate` is the posted one; `posting_day` a day of the posting period.

    `source` is the document it was made from, `delivery` of a bill what it bills; `dangling` an id in place of `source`
    that points to nothing. `header_extra` is added to the header's total and is in no line. `applied`: what a payment,
    a credit memo or an adjustment settles.
    """

    kind: str
    id: str | int
    slot: int
    number: str
    party: Party
    customer: Record
    entity: Entity
    currency: str
    day: int
    created: int
    rate: int
    posting_day: int
    lines: list[Line]
    taxed: bool = False
    due_day: int | None = None
    external: str | None = None
    reference: str | None = None
    source: Doc | None = None
    delivery: Doc | None = None
    dangling: str | int | None = None
    deal: Deal | None = None
    garbled: bool = False  # its only reference is misspelled: nothing deterministic joins it
    schedule: bool = False
    approved: bool = True
    posted: bool = True
    intercompany: bool = False
    header_extra: int = 0
    amount: int = 0
    applied: list[tuple[Doc, int]] = field(default_factory=list)
    earlier: tuple[int, list[Line]] | None = None
    cancelled: int | None = None
    voided: int | None = None
    deleted: int | None = None
    late: int | None = None

    @property
    def base(self) -> str:
        """The functional currency."""
        return self.entity.currency

    @property
    def sign(self) -> int:
        """-1 for what takes a sale back."""
        return -1 if self.kind in CREDITS else 1

    def seen(self, now: int) -> bool:
        """Whether the vendor shows the record: a deleted one is gone."""
        return (self.late or self.created) < now and not gone(self, now)

    def net(self, now: int) -> int:
        """Net of tax, in the seller's sign; 0 once voided."""
        return 0 if self.is_void(now) else self.sign * sum(line.amount for line in lines_at(self, now))

    def tax(self, now: int) -> int:
        """Tax, in the seller's sign."""
        return tax_on(self.net(now), ENTITIES[self.entity.code].tax) if self.taxed else 0

    def total(self, now: int) -> int:
        """Net and tax of the lines, in the seller's sign. For a payment, its amount."""
        return self.amount if self.kind == "CustPymt" else self.net(now) + self.tax(now)

    def functional_net(self, now: int, rate: int) -> int:
        """Net in functional minor units at `rate`: each line rounded by itself, as the ledger posts."""
        if self.is_void(now):
            return 0
        return self.sign * sum(converted(line.amount, self.currency, self.base, rate) for line in lines_at(self, now))

    def is_void(self, now: int) -> bool:
        """Whether it was voided by `now`."""
        return self.voided is not None and self.voided < now

    def is_cancelled(self, now: int) -> bool:
        """Whether the order was cancelled by `now`."""
        return self.cancelled is not None and self.cancelled < now


@dataclass(slots=True, eq=False)
class Planted:
    """A difference put there on purpose: it holds once all `documents` are seen. `amount` as the key defines it.

    `evidence`: documents without which it looks like something else, which is the reason `alone`.
    """

    hop: str
    reason: str
    amount: int
    documents: list[Deal | Doc]
    evidence: list[Deal | Doc] = field(default_factory=list)
    alone: str = ""


@dataclass(slots=True, eq=False)
class Chain:
    """Everything that one scenario made."""

    number: int
    scenario: str
    deals: list[Deal] = field(default_factory=list)
    docs: list[Doc] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    dangling: set[int] = field(default_factory=set)

    def moments(self) -> Iterator[int]:
        """All moments at which a record or the meaning of one changes."""
        for deal in self.deals:
            yield from (deal.created, deal.late or deal.created, midway(deal), deal.closed)
            yield from (moment for moment in (deal.deleted, deal.earlier and deal.earlier[0]) if moment)
            if deal.order:
                yield deal.order.created
                if deal.order.synced:
                    yield deal.order.synced[0]
            yield from (refund.moment for refund in deal.refunds)
        for doc in self.docs:
            yield from (doc.created, doc.late or doc.created)
            changes = (doc.deleted, doc.cancelled, doc.voided, doc.earlier and doc.earlier[0])
            yield from (moment for moment in changes if moment)
            if doc.due_day:
                yield (doc.due_day + 1) * DAY

    def next_change(self, now: int) -> int | None:
        """The first moment that `now` has not seen yet."""
        return min((moment for moment in self.moments() if moment >= now), default=None)


def gone(record: Deal | Doc, now: int) -> bool:
    """Whether it was deleted by `now`."""
    return record.deleted is not None and record.deleted < now


def lines_at(record: Deal | Doc, now: int) -> list[Line]:
    """The lines as they are at `now`."""
    if record.earlier and now <= record.earlier[0]:
        return record.earlier[1]
    return record.lines


def midway(deal: Deal) -> int:
    """When the opportunity moved on to a later stage."""
    return (deal.created + deal.closed) // 2
