"""What nobody has matched, asked of all passes at once: which open documents may belong together. A person decides.

The build believes only what is certain (docs/matching-documents.md). Here the engine of `tieout match` looks at what is
open of each hop and business unit, and says what it would take, by which pass and how sure it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tieout.errors import ConfigError
from tieout.matching import cash
from tieout.matching import identity_store as store
from tieout.matching.engine import Decisions, Result, match
from tieout.matching.identity_cluster import Record
from tieout.matching.items import items_of
from tieout.matching.money import units
from tieout.matching.rules import Rules

if TYPE_CHECKING:
    import psycopg

    from tieout.matching.book import Groups

HOPS = ("deal_order", "order_invoice", cash.HOP)  # where a person's word counts
# What is open of the left side, and what of the right: all of it, or a rest.
OPEN = {
    "deal_order": (("A1", "C2", "E1"), ("A4", "A9", "E1")),
    "order_invoice": (("A2", "A3", "B3", "E1"), ("A4", "A9", "E1")),
    "invoice_cash": (("A10", "B3"), ("A7",)),
}
KINDS = {"deal_order": "documents", "order_invoice": "documents", "invoice_cash": "payments"}
COLUMNS = (
    "hop", "proposal", "pass", "is_sure", "confidence", "connection_a", "record_id_a", "number_a", "date_a", "open_a",
    "connection_b", "record_id_b", "number_b", "date_b", "open_b", "currency", "customer", "difference", "explained_by",
    "applied", "verdict", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Open:
    """A document of which something is open on its side; `amount` is what is open of it, positive."""

    document_key: str
    hop: str
    side: str
    business_unit: str
    connection: str
    document_type: str
    document_id: str
    document_number: str | None
    document_date: date | None
    legal_entity_id: str | None
    customer_key: str | None
    customer: str | None
    amount: Decimal
    currency_code: str
    names: tuple[str, ...] = ()  # what others may call it, and what it calls others
    texts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.connection}:{self.document_id}"


@dataclass(frozen=True)
class Proposal:
    """Documents that may belong together. `difference`: left less right; `reason`: a code that explains it, or none."""

    hop: str
    business_unit: str
    pass_name: str
    is_sure: bool
    confidence: float
    currency_code: str
    difference: Decimal
    reason: str
    left: tuple[Open, ...]
    right: tuple[Open, ...]

    @property
    def amount(self) -> Decimal:
        """What is open of the left side."""
        return sum((one.amount for one in self.left), Decimal(0))


def propose(books: psycopg.Connection, hops: Sequence[str] = HOPS) -> list[Proposal]:
    """What may belong together, the surest and largest first. Needs the transformer."""
    found: list[Proposal] = []
    for hop in hops:
        sides: dict[str, tuple[list[Open], list[Open]]] = {}
        for one in filter(_is_exact, _open(books, hop)):
            sides.setdefault(one.business_unit, ([], []))[one.side == "right"].append(one)
        parted = [(each.a, each.b) for each in store.decisions(books, hop) if not each.same]
        for unit in sorted(sides):
            left, right = sides[unit]
            if left and right:
                found += _proposals(hop, unit, left, right, parted)
    return sorted(found, key=lambda each: (not each.is_sure, -each.confidence, -each.amount, str(each.left[0])))


def _is_exact(one: Open) -> bool:
    """An amount finer than its currency's minor unit is compared with nothing: subsets are exact or they are chance."""
    return one.amount == round(one.amount, units(one.currency_code))


def _open(books: psycopg.Connection, hop: str) -> Iterator[Open]:
    """Both sides, each document once. Names: its number, its reference, those of the CRM's copies of a deal."""
    rows = books.execute(
        """
        with broken as (
            select document_key, sum(amount) as amount, min(currency_code) as currency_code
              from marts.rec_break
             where superseded_run = 9223372036854775807 and hop = %(hop)s
               and ((amount > 0 and reason_code = any(%(left)s)) or (amount < 0 and reason_code = any(%(right)s)))
             group by document_key
        )
        select b.document_key, case when b.amount > 0 then 'left' else 'right' end, coalesce(d.business_unit, ''),
               d.connection, d.document_type, d.document_id, d.document_number, d.document_date, d.legal_entity_id,
               d.customer_key, c.name, abs(b.amount), b.currency_code, d.reference, d.external_id,
               array(select copy.document_number
                       from intermediate.int_document_links__unioned as link
                       join intermediate.int_rec_documents as copy on copy.document_key = link.to_document_key
                        and copy.superseded_run = 9223372036854775807
                      where %(hop)s = 'deal_order' and link.from_document_key = b.document_key
                        and link.link_type = 'deal_order' and copy.document_number is not null)
          from broken as b
          join intermediate.int_rec_documents as d
            on d.document_key = b.document_key and d.superseded_run = 9223372036854775807
          left join marts.dim_customer as c
            on c.customer_key = d.customer_key and c.superseded_run = 9223372036854775807
         where b.amount <> 0
         order by b.document_key
        """,
        {"hop": hop, "left": list(OPEN[hop][0]), "right": list(OPEN[hop][1])},
    )
    for *told, amount, currency, reference, external, copies in rows:
        number = told[6]
        yield Open(
            told[0], hop, *told[1:], amount.normalize(), currency,
            names=tuple(dict.fromkeys([*([number] if number else []), *copies])),
            texts=tuple(word for word in (reference, external) if word),
        )  # fmt: skip


def _proposals(
    hop: str, unit: str, left: list[Open], right: list[Open], parted: Sequence[tuple[Record, Record]]
) -> Iterable[Proposal]:
    keys = {(one.connection, one.document_id): one.document_key for one in (*left, *right)}
    # In both orders: a decision does not say which of two documents stands on which side.
    never = [(keys[a], keys[b]) for pair in parted for a, b in (pair, pair[::-1]) if a in keys and b in keys]
    # An invoice is what a payment names; of two documents the later one names the earlier.
    mine, theirs = (right, left) if KINDS[hop] == "payments" else (left, right)
    result = match(
        items_of([_record(one) for one in mine]),
        items_of([_record(one) for one in theirs]),
        Rules.model_validate({"kind": KINDS[hop], "window": {"before": 120, "after": 120}, "off": ["voids"]}),
        decisions=Decisions(never=tuple(never)),
    )
    for is_sure, found in ((True, result.confirmed), (False, result.suggested)):
        for name, made in found:
            for group in range(made.count):
                yield _proposal(hop, unit, result, name, made, group, is_sure, mine, theirs, flipped=mine is right)


def _record(one: Open) -> dict[str, Any]:
    record: dict[str, Any] = {"id": one.document_key, "amount": one.amount, "currency": one.currency_code,
                              "date": one.document_date, "party": one.customer}  # fmt: skip
    return record | {"reference": " / ".join(one.names) or None, "text": " / ".join(one.texts) or None}


def _proposal(
    hop: str, unit: str, result: Result, name: str, made: Groups, group: int, is_sure: bool, mine: list[Open],
    theirs: list[Open], *, flipped: bool,
) -> Proposal:  # fmt: skip
    ones = tuple(mine[row] for row in made.left[made.left_group == group].tolist())
    others = tuple(theirs[row] for row in made.right[made.right_group == group].tolist())
    left, right = (others, ones) if flipped else (ones, others)
    difference = sum((one.amount for one in left), Decimal(0)) - sum((one.amount for one in right), Decimal(0))
    confidence, reason = round(float(made.confidence[group]), 4), str(made.reason[group])
    return Proposal(
        hop, unit, name, is_sure, confidence, left[0].currency_code, difference, reason, left, right
    )  # fmt: skip


def rows(proposals: Sequence[Proposal]) -> list[tuple[object, ...]]:
    """One row of COLUMNS for each pair of a proposal; `verdict` and `reason` are for a person to fill in, and of cash
    `applied` where it is not all that both have open.
    """
    return [
        (found.hop, number, found.pass_name, found.is_sure, found.confidence, *_cells(a), *_cells(b),
         found.currency_code, a.customer or b.customer, found.difference, found.reason, "", "", "")
        for number, found in enumerate(proposals, start=1) for a in found.left for b in found.right]  # fmt: skip


def _cells(one: Open) -> tuple[object, ...]:
    return one.connection, one.document_id, one.document_number, one.document_date, one.amount


def hop_of(books: psycopg.Connection, one: tuple[str, str], other: tuple[str, str]) -> str:
    """The hop in which two documents, as (connection, id), stand on two sides. ConfigError where there is none."""
    roles = []
    for connection, id_ in (one, other):
        found = books.execute(
            "select role from intermediate.int_rec_documents where superseded_run = 9223372036854775807"
            " and connection = %s and document_id = %s", (connection, id_)).fetchall()  # fmt: skip
        if not found:
            raise ConfigError(f"no document {connection}:{id_}", hint="connection:id, as `tieout explain` shows it")
        roles.append(found[0][0])
    hop = {("deal", "order"): "deal_order", ("billing", "order"): "order_invoice",
           ("billing", "payment"): cash.HOP}.get(tuple(sorted(roles)))  # fmt: skip
    if hop is None:
        raise ConfigError(
            f"a {roles[0]} and a {roles[1]} are not matched by decision",
            hint="a deal and its order, an order and its billing, an invoice and its payment",
        )
    return hop
