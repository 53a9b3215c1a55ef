"""How a scenario is declared, and the openings that several share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.documents import Deal, Doc, Line
from simulator.plan import Plan, repriced

MINIMUM = 4


@dataclass(frozen=True)
class Scenario:
    """`weight` per 10,000; `orders` it makes on average; `daily`: one for each day that `advance` adds; `needs`: what
    one of its systems must have to tell it (see `systems.System.kinds`). `takes`: what most books can tell and some
    cannot: `posting period` (a document in another month than its own), `drafts` (not approved yet), `unposted` (never
    seen by the ledger), `header` (a total that is not its lines'), `other currencies` (than the customer's own),
    `sisters` (several legal entities).
    """

    name: str
    play: Callable[[Plan], None]
    weight: int = 0
    orders: float = 1
    daily: bool = False
    needs: str = ""
    takes: str = ""


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    weight: int = 0, orders: float = 1, *, daily: bool = False, needs: str = "", takes: str = ""
) -> Callable[[Callable], Callable]:
    """Register a function under its name."""

    def register(play: Callable[[Plan], None]) -> Callable[[Plan], None]:
        name = play.__name__
        SCENARIOS[name] = Scenario(name, play, weight, orders, daily, needs, takes)
        return play

    return register


def told_by(kinds: frozenset[str], lacks: frozenset[str] = frozenset()) -> list[Scenario]:
    """The scenarios of systems that have these kinds of documents, and lack those abilities."""
    return [s for s in SCENARIOS.values() if (not s.needs or s.needs in kinds) and s.takes not in lacks]


def won(plan: Plan, **choose: int | bool) -> tuple[Deal, list[Line]]:
    """A deal that is won on the plan's day, and its lines. `choose`: see `Plan.lines`."""
    party = plan.party()
    lines = plan.lines(party, party.currency, **choose)  # type: ignore[arg-type]
    return plan.deal(party, lines), lines


def alone(plan: Plan, kind: str) -> Doc:
    """A document of a customer that the CRM does not know, made from nothing."""
    party = plan.party(plan.world.customers.erp_only)
    doc = plan.doc(kind, party, plan.day, plan.lines(party, party.currency))
    if kind == "CustInvc":
        doc.due_day = plan.day + party.terms_days
    return doc


def cheaper(plan: Plan, lines: list[Line]) -> list[Line]:
    """The lines with the first one 3 to 15 % cheaper."""
    first = lines[0]
    cut = max(5, first.price * plan.days(3, 15) // 100)
    return [repriced(first, first.price - cut), *lines[1:]]
