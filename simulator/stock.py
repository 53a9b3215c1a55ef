"""What is on hand, by product, place and day: opening stock, what was received, what left the house and came back.

Follows from the chains alone. Each legal entity keeps its goods in two places; all of an order leaves one of them. A
place receives lots on Mondays when what is left would not last for the weeks ahead at the speed of those behind, so
that some products run short.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simulator.clock import DAY, FIRST_DAY
from simulator.documents import BILLS, DELIVERIES, QUANTITY, Chain, Doc, lines_at
from simulator.plan import World

OPENING = 40  # units
LOT = 50
WEEKS = 3
Issue = tuple[int, str, int, int]  # product, place, day, units (negative: came back)


@dataclass(frozen=True)
class Level:
    """`units` of a product (its place in the catalogue) on hand at a place at the end of a day."""

    product: int
    place: str
    day: int
    units: int


def places(world: World) -> list[str]:
    """Where goods are kept: `<legal entity>-<number>`."""
    return [f"{code}-{number}" for code in world.unit.entities for number in (1, 2)]


def place_of(doc: Doc) -> str:
    """The place that an order and all that follows it leaves from."""
    first = doc
    while first.source:
        first = first.source
    return f"{first.entity.code}-{1 + first.slot // 7 % 2}"


def issues(world: World, chain: Chain, now: int, *, delivers: bool) -> Iterator[Issue]:
    """What a chain took out of stock up to `now`: by its deliveries, or by its bills where the ERP has none."""
    for doc in chain.docs:
        if not doc.seen(now) or doc.is_void(now) or doc.kind not in (DELIVERIES if delivers else BILLS):
            continue
        for line in lines_at(doc, now):
            if world.products[line.product].item_type == "InvtPart":
                units = line.quantity // QUANTITY
                yield line.product, place_of(doc), doc.created // DAY, -units if doc.kind == "Return" else units


def levels(world: World, found: Iterable[Issue], day: int) -> list[Level]:
    """The levels at the end of a day, of every product that is kept at every place."""
    by_day: dict[tuple[int, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for product, place, when, units in found:
        by_day[product, place][when] += units
    kept = [product.index for product in world.products if product.item_type == "InvtPart"]
    return [
        Level(product, place, day, _level(by_day.get((product, place), {}), day))
        for place in places(world)
        for product in kept
    ]


def _level(moved: dict[int, int], day: int) -> int:
    units, recent = OPENING, 0
    for today in range(FIRST_DAY, day + 1):
        if today % 7 == 4:  # 1970-01-05 was a Monday
            recent = sum(moved.get(past, 0) for past in range(today - 7 * WEEKS, today))
            if units < max(recent, LOT // 2):
                units += LOT * (1 + max(recent - units, 0) // LOT)
        units -= moved.get(today, 0)
    return units
