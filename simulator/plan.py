"""The hand that scenarios write with: makes deals, orders, bills and payments with plausible dates, amounts and ids."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from simulator import systems
from simulator.catalog import Product, catalog
from simulator.clock import DAY, next_month_start
from simulator.customers import Customers, Party
from simulator.documents import DELIVERIES, FREIGHT, QUANTITY, Chain, CrmOrder, Deal, Doc, Line, Planted, Refund
from simulator.ids import Permutation
from simulator.money import CURRENCIES, ENTITIES, RATE_SCALE, Rates, rounded, tax_on
from simulator.units import FIRST, UNITS, Unit

CHAIN_BITS = {"1k": 13, "50k": 17, "1m": 22}
SLOT_BITS = 6
LINE_BITS = 6
_NICE = {"USD": 100, "EUR": 100, "GBP": 100, "JPY": 100, "KWD": 100}


@dataclass(frozen=True)
class World:
    """What all chains of a unit's company share. Everything follows from seed, size, level and unit."""

    seed: int
    size: str
    level: int
    unit: Unit = UNITS[FIRST]
    market: int | None = None  # what rates are drawn from, where all units of a group share them

    @cached_property
    def rates(self) -> Rates:
        """Daily rates, as the unit's ERP holds them."""
        held = getattr(systems.renders(self.unit.erp), "held_rate", None)
        return Rates(self.seed if self.market is None else self.market, held)

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """What is sold."""
        return catalog(self.seed)

    @cached_property
    def customers(self) -> Customers:
        """Who buys."""
        crm, erp = map(systems.renders, self.unit.systems)
        return Customers(self.seed, self.size, self.level, self.unit, crm.account_id, erp.customer_id)

    @cached_property
    def crm(self) -> systems.System:
        """Renders what happened as the unit's CRM shows it."""
        return systems.renders(self.unit.crm)(self)

    @cached_property
    def erp(self) -> systems.System:
        """Renders what happened as the unit's ERP shows it."""
        return systems.renders(self.unit.erp)(self)

    @cached_property
    def slots(self) -> dict[str, Permutation]:
        """Permutations of slots (one per numbered thing) and of lines."""
        bits = CHAIN_BITS[self.size] + SLOT_BITS
        slots = {name: Permutation(self.seed, name, bits) for name in ("id", "number", "crm", "copy")}
        return slots | {
            "line": Permutation(self.seed, "line", bits + LINE_BITS),
            "crm line": Permutation(self.seed, "crm line", bits + LINE_BITS),
            "order number": Permutation(self.seed, "order number", CHAIN_BITS[self.size] + 3),
        }


class Plan:
    """One chain in the making. `day` is when its first deal is won or its first document written."""

    def __init__(self, world: World, number: int, scenario: str, ordinal: int, day: int) -> None:
        self.world, self.ordinal, self.day = world, ordinal, day
        self.draw = random.Random((world.seed << 40) + number)
        self.chain = Chain(number, scenario)
        self._slots, self._orders = 0, 0

    # --- choices

    def party(self, among: Sequence[Party] | None = None) -> Party:
        """A customer, the first ones being the busiest."""
        among = self.world.customers.shared if among is None else among
        return among[int(self.draw.random() ** 1.7 * len(among))]

    def days(self, low: int, high: int) -> int:
        """A number of days, both ends included."""
        return self.draw.randint(low, high)

    def at(self, day: int) -> int:
        """A moment in the working hours of that day."""
        return day * DAY + self.draw.randint(6 * 3600, 21 * 3600)

    def lines(
        self, party: Party, currency: str, *, least: int = 1, most: int = 5, single: bool = False, units: int = 1
    ) -> list[Line]:
        """Lines of distinct products. `single`: quantity 1 each; `units`: at least that many of the first product."""
        found = []
        for product in self.draw.sample(self.world.products, self.draw.randint(least, most)):
            quantity = 1 if single else self.draw.choice((1, 1, 2, 3, 5, 8, 10, 12, 20))
            quantity = max(quantity, units if not found else 1)
            price, discount = self._price(product, currency, listed=party.listed)
            net = price * (100 - discount) // 100
            found.append(Line(product.index, quantity * QUANTITY, net, net * quantity, price, discount, len(found)))
        return found

    def freight(self, lines: list[Line], currency: str) -> Line:
        """What the buyer pays for the shipping of these lines; it stands behind them."""
        price = self._worth(self.days(490, 4_990), currency)
        return Line(FREIGHT, QUANTITY, price, price, price, 0, len(lines))

    @staticmethod
    def _worth(cents: int, currency: str) -> int:
        target = CURRENCIES[currency]
        return rounded(cents * 10_000 * 10**target.decimals, target.micros)

    def _price(self, product: Product, currency: str, *, listed: bool) -> tuple[int, int]:
        price = self._worth(product.cents, currency)
        if listed:
            nice = _NICE[currency]
            return max(nice, price // nice * nice), self.draw.choice((0, 0, 0, 5, 10, 20))
        return max(60, price * self.draw.randint(700, 1_300) // 1_000), 0

    # --- ids

    def slot(self) -> int:
        """The next thing to number in this chain."""
        if self._slots >= 1 << SLOT_BITS:
            raise OverflowError(f"chain {self.chain.number} ({self.chain.scenario}) numbers too many things")
        self._slots += 1
        return (self.chain.number << SLOT_BITS) + self._slots - 1

    def erp_id(self, kind: str, slot: int) -> str | int:
        """The ERP's id of a document."""
        return systems.renders(self.world.unit.erp).document_id(kind, self.world.slots["id"](slot))

    def crm_number(self, slot: int) -> int:
        """What the CRM makes an id of."""
        return self.world.slots["crm"](slot)

    @property
    def crm(self) -> type[systems.System]:
        """The unit's CRM, which makes ids."""
        return systems.renders(self.world.unit.crm)

    # --- the CRM

    def deal(
        self,
        party: Party,
        lines: list[Line],
        *,
        closed_day: int | None = None,
        currency: str | None = None,
        outcome: str = "won",
        open_days: int | None = None,
        **more: object,
    ) -> Deal:
        """An opportunity, opened some weeks before it closes."""
        slot, draw = self.slot(), self.draw
        closed_day = self.day if closed_day is None else closed_day
        account = draw.choice(party.crm)
        product = self.world.products[lines[0].product]
        deal = Deal(
            self.crm.deal_id(self.crm_number(slot)),
            slot,
            f"{party.name}: {product.name}",
            party,
            account,
            currency or party.currency,
            self.at(closed_day - (open_days or draw.randint(10, 80))),
            self.at(closed_day),
            outcome,
            lines,
            **more,
        )  # type: ignore[arg-type]
        if outcome == "won" and draw.random() < 0.2:
            deal.contract = self.crm.contract_id(self.crm_number(self.slot()))
        self.chain.deals.append(deal)
        return deal

    def crm_order(self, deal: Deal) -> CrmOrder:
        """The CRM's order of a won deal, up to two days later."""
        slot = self.slot()
        number = self.world.slots["order number"]((self.chain.number << 3) + self._orders)
        self._orders += 1
        is_deal = getattr(self.crm, "order_of", None)  # a shop's order is the deal itself
        deal.order = CrmOrder(
            is_deal(deal.id) if is_deal else self.crm.order_id(self.crm_number(slot)),
            slot,
            f"{number:08d}",
            deal.closed + self.days(0, 2) * DAY + 900,
            f"PO-{self.draw.randrange(10**6):06d}",
        )
        return deal.order

    def give_back(self, deal: Deal, credit: Doc) -> None:
        """A shop gave back what the books credit, as far as it shows such things."""
        deal.refunds.append(Refund(credit.created, credit.lines, credit=credit))

    # --- the ERP

    def doc(self, kind: str, party: Party, day: int, lines: list[Line], **more: object) -> Doc:
        """Any ERP document on that day, posted in its own period at the day's rate unless told otherwise."""
        slot, entity = self.slot(), ENTITIES[party.entity]
        values = {
            "currency": party.currency,
            "taxed": party.taxed and entity.tax > 0,
            "posting_day": day,
            "created": self.at(day),
            **more,
        }
        currency = str(values["currency"])
        values.setdefault("rate", self.world.rates.rate(entity.currency, currency, day))
        customer = self.draw.choice(party.erp)
        number = systems.renders(self.world.unit.erp).document_number(kind, self.world.slots["number"](slot))
        doc = Doc(kind, self.erp_id(kind, slot), slot, number, party, customer, entity, day=day, lines=lines, **values)  # type: ignore[arg-type]
        self.chain.docs.append(doc)
        return doc

    def order(self, deal: Deal, lines: list[Line] | None = None, *, link: str | None = None, **more: object) -> Doc:
        """The ERP's order of a deal, linked in one of the ways that the CRM and the ERP know of each other.

        `link`: `external` (external id = CRM order's id), `both` (and the CRM's order number as reference), `back` (the
        ERP's id written to the CRM's order), `reference` (only the CRM's order number, in somebody's spelling).
        """
        copy = deal.order or self.crm_order(deal)
        day = copy.created // DAY + self.days(0, 3)
        values = {"currency": deal.currency, "deal": deal, "created": max(self.at(day), copy.created + 1_200), **more}
        order = self.doc("SalesOrd", deal.party, day, deal.lines if lines is None else lines, **values)
        link = link or self.draw.choices(("external", "both", "back", "reference"), (45, 20, 10, 25))[0]
        if link in ("external", "both"):
            order.external = copy.id
        if link == "back" or (link != "reference" and self.draw.random() < 0.2):
            copy.synced = (order.created + self.draw.randint(60, 600), order.id)
        order.reference = self._spelled(copy.number) if link in ("both", "reference") else copy.reference
        if link == "reference" and self.world.level >= 3 and self.draw.random() < 0.2:
            order.reference, order.garbled = self._misspelled(copy.number), True
        return order

    def _spelled(self, number: str) -> str:
        forms = [number, number, number.lstrip("0"), f"{number[:4]}-{number[4:]}", f"{number[:4]} {number[4:]}"]
        if self.world.level >= 2:
            forms += [f"PO-{number}", f"order {number}"]
        return self.draw.choice(forms)

    def _misspelled(self, number: str) -> str:
        at = self.draw.randrange(3, len(number))
        return number[:at] + str((int(number[at]) + self.draw.randint(1, 9)) % 10) + number[at + 1 :]

    def bill(
        self,
        order: Doc,
        lines: list[Line] | None = None,
        *,
        kind: str = "CustInvc",
        day: int | None = None,
        **more: object,
    ) -> Doc:
        """An invoice (or cash sale) made from an order, some days after it."""
        day = order.day + self.days(1, 20) if day is None else day
        values = {
            "currency": order.currency,
            "source": order,
            "reference": order.reference,
            "created": max(self.at(day), order.created + 1_800),
            **more,
        }
        lines = order.lines if lines is None else lines
        delivery = self._delivered_for(order, lines, day) if kind == "CustInvc" else None
        doc = self.doc(kind, order.party, day, lines, **values)
        if delivery:
            doc.delivery, doc.created = delivery, max(doc.created, delivery.created + 600)
        doc.customer = order.customer
        doc.due_day = day + order.party.terms_days if kind == "CustInvc" else None
        return doc

    def has(self, kind: str) -> bool:
        """Whether the unit's ERP keeps documents of that kind (see `systems.System.kinds`)."""
        return kind in systems.kinds(self.world.unit.erp)

    def deliver(self, order: Doc, lines: list[Line] | None = None, *, day: int | None = None) -> Doc:
        """Goods of an order leave the house, some days after it. Services and licences are not delivered."""
        day = order.day + self.days(0, 9) if day is None else day
        goods = [line for line in (order.lines if lines is None else lines) if self.is_goods(line)]
        if not goods:
            raise ValueError(f"{self.chain.scenario}: nothing to deliver")
        return self._moved("Delivery", order, goods, day, order.created + 600)

    def take_back(self, delivery: Doc, lines: list[Line], *, day: int) -> Doc:
        """Goods of a delivery come back."""
        return self._moved("Return", delivery.source or delivery, lines, day, delivery.created + 600)

    def is_goods(self, line: Line) -> bool:
        """Whether a line's product is kept in stock."""
        return self.world.products[line.product].item_type == "InvtPart"

    def _moved(self, kind: str, order: Doc, lines: list[Line], day: int, earliest: int) -> Doc:
        doc = self.doc(
            kind, order.party, day, lines, currency=order.currency, source=order, reference=order.reference,
            taxed=False, created=max(self.at(day), earliest),
        )
        doc.customer = order.customer
        return doc

    def _delivered_for(self, order: Doc, lines: list[Line], day: int) -> Doc | None:
        """The delivery that an invoice bills: of what of its lines is not delivered yet, else the order's last one."""
        if not self.has("Delivery") or order.schedule:
            return None
        earlier = [doc for doc in self.chain.docs if doc.kind in DELIVERIES and doc.source is order]
        rest = {line.source: line.quantity for line in order.lines if self.is_goods(line)}
        for doc in earlier:
            for line in doc.lines:
                rest[line.source] -= line.quantity if doc.kind == "Delivery" else -line.quantity
        wanted = [(line, min(line.quantity, rest.get(line.source, 0))) for line in lines]
        goods = [part(line, quantity // QUANTITY) for line, quantity in wanted if quantity > 0]
        if goods:
            return self.deliver(order, goods, day=max(order.day, day - self.days(0, 3)))
        return next((doc for doc in reversed(earlier) if doc.kind == "Delivery"), None)

    def credit(
        self, bill: Doc, lines: list[Line], *, kind: str = "CustCred", day: int | None = None, **more: object
    ) -> Doc:
        """A credit memo for an invoice, applied to it; or a cash refund of a cash sale. 3 to 10 days after it."""
        day = bill.day + self.days(3, 10) if day is None else day
        doc = self.doc(
            kind,
            bill.party,
            day,
            lines,
            currency=bill.currency,
            source=bill,
            reference=bill.reference,
            created=max(self.at(day), bill.created + 1_800),
            taxed=bill.taxed,
            **more,
        )
        doc.customer = bill.customer
        if kind == "CustCred":
            doc.applied.append((bill, -doc.total(doc.created + 1)))
        return doc

    def payment(
        self,
        settles: Sequence[tuple[Doc, int]],
        *,
        extra: int = 0,
        party: Party | None = None,
        currency: str | None = None,
        day: int | None = None,
    ) -> Doc:
        """A payment, `settles` = (invoice, amount applied) each; `extra` stays unapplied."""
        if day is None:
            due = max(doc.due_day or doc.day for doc, _ in settles)
            late = self.draw.choices((self.days(-12, 0), self.days(1, 10), self.days(11, 40)), (75, 20, 5))[0]
            day = max(due + late, max(doc.created // DAY for doc, _ in settles) + 1)
        first = settles[0][0] if settles else None
        party = party or (first.party if first else self.party())
        doc = self.doc(
            "CustPymt",
            party,
            day,
            [],
            currency=currency or (first.currency if first else party.currency),
            amount=sum(amount for _, amount in settles) + extra,
            applied=list(settles),
            taxed=False,
        )
        if first:
            doc.customer = first.customer
        doc.reference = f"{self.draw.randrange(10**8):08d}"
        return doc

    def pay(self, *bills: Doc) -> Doc:
        """One payment for exactly what is open of the invoices, as their headers say."""
        return self.payment([(bill, self.open_amount(bill)) for bill in bills])

    def adjust(self, bill: Doc, amount: int, *, day: int) -> Doc:
        """Somebody takes `amount` off what an invoice asks for: no cash, no credit memo, no revenue."""
        doc = self.doc("Adjustment", bill.party, day, [], currency=bill.currency, rate=bill.rate, amount=amount,
                       source=bill, taxed=False, created=max(self.at(day), bill.created + 1_800))
        doc.customer = bill.customer
        doc.applied.append((bill, amount))
        return doc

    def open_amount(self, bill: Doc) -> int:
        """What a customer who reads the header still owes, after the credits of this chain."""
        end = 1 << 40
        credits = sum(amount for doc in self.chain.docs for target, amount in doc.applied if target is bill)
        return bill.total(end) + bill.header_extra - credits

    def rest(self, deal: Deal, order: Doc) -> Doc:
        """The plain end of a story: billed in full, paid in full."""
        bill = self.bill(order)
        self.pay(bill)
        return bill

    def plant(
        self,
        hop: str,
        reason: str,
        amount: int,
        *documents: Deal | Doc,
        evidence: Sequence[Deal | Doc] = (),
        alone: str = "",
    ) -> None:
        """Note a difference for the key; `evidence`, `alone`: see `Planted`."""
        if amount == 0 and reason not in ("H1", "H2"):
            raise ValueError(f"{self.chain.scenario}: a break of nothing ({reason})")
        self.chain.planted.append(Planted(hop, reason, amount, list(documents), list(evidence), alone))


def repriced(line: Line, price: int) -> Line:
    """The same quantity at another price of a unit."""
    return replace(line, price=price, list_price=price, discount=0, amount=price * (line.quantity // QUANTITY))


def part(line: Line, units: int) -> Line:
    """Some whole units of a line."""
    return replace(line, quantity=units * QUANTITY, amount=line.price * units)


def share(line: Line, number: int, of: int) -> Line:
    """The `number`th of equal instalments (from 1), by cumulative rounding, so that the parts sum to the whole."""

    def upto(whole: int, k: int) -> int:
        return rounded(whole * k, of)

    return replace(
        line,
        quantity=upto(line.quantity, number) - upto(line.quantity, number - 1),
        amount=upto(line.amount, number) - upto(line.amount, number - 1),
    )


def with_tax(lines: list[Line], basis_points: int) -> list[Line]:
    """The lines with the tax on their sum taken into their amounts. For lines of quantity 1."""
    total = tax_on(sum(line.amount for line in lines), basis_points)
    parts = [tax_on(line.amount, basis_points) for line in lines]
    parts[0] += total - sum(parts)
    return [
        replace(line, price=line.amount + tax, list_price=line.amount + tax, discount=0, amount=line.amount + tax)
        for line, tax in zip(lines, parts, strict=True)
    ]


def posted_next(day: int, entered: int) -> tuple[int, int]:
    """(posting day, day of entry) of a document that is posted to the next month while its own is open."""
    first = next_month_start(day)
    return first, first + entered


def posted_late(day: int) -> tuple[int, int]:
    """(posting day, day of entry) of a document that is written after its month was locked."""
    first = next_month_start(day)
    return first, first + 7


def other_rate(world: World, doc_base: str, currency: str, day: int, back: int) -> int:
    """The rate of some days before."""
    return RATE_SCALE if doc_base == currency else world.rates.rate(doc_base, currency, day - back)
