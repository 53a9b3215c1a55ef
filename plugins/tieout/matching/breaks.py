"""What stays open, and what matched groups differ by: one reason of the closed list each; their sum is the gap.

An item without a partner: F1 repeats what was matched already · A9 its reference names nothing · E1 its name is on an
item of another party · G1 the other side was voided; otherwise what its side means:

    kind        left only                      right only
    payments    A7 cash not applied            B3 not yet paid
    bank        A7 money nobody booked         B1 not yet on the statement
    ledger      A5 not in the ledger           A6 only in the ledger
    documents   A2 not yet followed            A4 without a predecessor
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieout.matching.book import Book, Groups
from tieout.matching.facts import Facts
from tieout.matching.joins import pairs
from tieout.matching.parties import UNKNOWN
from tieout.matching.references import WHOLE, mixed, own_names

REASONS = {
    "A1": "won deal without an order",
    "A2": "not followed by the next document",
    "A3": "delivered, not billed",
    "A4": "without the document before it",
    "A5": "not in the ledger",
    "A6": "only in the ledger",
    "A7": "cash not applied",
    "A8": "deal lost or reopened",
    "A9": "reference that names nothing",
    "B1": "cut-off",
    "B2": "after the lock",
    "B3": "not yet due or paid",
    "B4": "day shift of a time zone",
    "B5": "another period",
    "C1": "price or discount",
    "C2": "quantity",
    "C3": "tax",
    "C4": "freight or fee",
    "C5": "credit, return or sign",
    "C6": "rounding",
    "C7": "scale",
    "C8": "header is not the lines",
    "C9": "several years",
    "D1": "rate type or date",
    "D2": "rate inverted",
    "D3": "currency code",
    "D4": "rate",
    "D5": "revaluation",
    "E1": "another party",
    "E2": "bill-to or entity",
    "E3": "product",
    "E4": "code unmapped",
    "E5": "two entities against one",
    "F1": "duplicate",
    "F2": "our own fan-out",
    "F3": "synced twice",
    "G1": "void on one side",
    "G2": "credit and rebill",
    "H1": "intercompany",
    "H2": "no posting",
    "H3": "other channel",
    "H4": "excluded",
    "X": "not explained",
}
ALONE = {"payments": ("A7", "B3"), "bank": ("A7", "B1"), "ledger": ("A5", "A6"), "documents": ("A2", "A4")}


@dataclass(frozen=True)
class Breaks:
    """Columns. `side`: left, right or match. `row`: the item's row, or the confirmed group's number. `amount`: minor
    units, left minus right: an open right item counts negative. `suggestion`: number of a suggested group, or −1.
    """

    side: np.ndarray
    row: np.ndarray
    currency: np.ndarray
    amount: np.ndarray
    reason: np.ndarray
    suggestion: np.ndarray


def classify(
    facts: Facts, book: Book, confirmed: list[tuple[str, Groups]], suggested: list[tuple[str, Groups]]
) -> Breaks:
    """Breaks of groups first, then open left items, then open right ones."""
    parts = [*_of_groups(facts, confirmed), *_of_items(facts, book, suggested)]
    return Breaks(*(np.concatenate(each) if each else np.zeros(0) for each in zip(*parts, strict=True)))


Part = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _part(
    side: str, row: np.ndarray, currency: np.ndarray, amount: np.ndarray, reason: np.ndarray, suggestion: np.ndarray
) -> Part:
    return (
        np.full(len(row), side, "U5"),
        row.astype(np.int64),
        currency.astype(np.int64),
        amount.astype(np.int64),
        reason.astype("U2"),
        suggestion.astype(np.int64),
    )


def _of_groups(facts: Facts, confirmed: list[tuple[str, Groups]]) -> list[Part]:
    parts, first, wide = [], 0, max(len(facts.currencies), 1)
    for _, made in confirmed:
        gap = np.zeros(made.count * wide, np.int64)
        np.add.at(gap, made.left_group * wide + facts.left_currency[made.left], facts.left.amount[made.left])
        np.subtract.at(gap, made.right_group * wide + facts.right_currency[made.right], facts.right.amount[made.right])
        at = np.flatnonzero(gap)
        reason = np.where(made.reason[at // wide] == "", "X", made.reason[at // wide])
        parts.append(_part("match", at // wide + first, at % wide, gap[at], reason, np.full(len(at), -1)))
        first += made.count
    return parts


def _of_items(facts: Facts, book: Book, suggested: list[tuple[str, Groups]]) -> list[Part]:
    number_l, number_r = np.full(len(facts.left), -1), np.full(len(facts.right), -1)
    first = 0
    for _, made in suggested:
        number_l[made.left] = made.left_group + first
        number_r[made.right] = made.right_group + first
        first += made.count
    left, right = np.flatnonzero(book.open_left), np.flatnonzero(book.open_right)
    why_l, why_r = _left_reasons(facts, book, left), _right_reasons(facts, book, right)
    return [
        _part("left", left, facts.left_currency[left], facts.left.amount[left], why_l, number_l[left]),
        _part("right", right, facts.right_currency[right], -facts.right.amount[right], why_r, number_r[right]),
    ]


def _left_reasons(facts: Facts, book: Book, rows: np.ndarray) -> np.ndarray:
    reason = np.full(len(facts.left), ALONE[facts.rules.kind][0], "U2")
    spoken = np.zeros(len(facts.left), bool)
    spoken[facts.edges.left[facts.edges.strength >= WHOLE]] = True
    spoken[facts.equal.left[facts.equal.strength >= WHOLE]] = True
    reason[_says_something(facts.left.references, len(facts.left)) & ~spoken] = "A9"
    edges = facts.equal.only(facts.equal.strength >= WHOLE)
    other = facts.other_party(edges.left, edges.right) & ~facts.parties.alike[edges.left]
    reason[edges.left[other & book.open_right[edges.right]]] = "E1"
    voided = np.array(sorted(book.scoped_right), np.int64)
    reason[facts.edges.left[np.isin(facts.edges.right, voided) & (facts.edges.strength >= WHOLE)]] = "G1"
    settled = ~book.open_right[edges.right] & ~np.isin(edges.right, voided)
    reason[edges.left[settled]] = "F1"
    return reason[rows]


def _right_reasons(facts: Facts, book: Book, rows: np.ndarray) -> np.ndarray:
    reason = np.full(len(facts.right), ALONE[facts.rules.kind][1], "U2")
    voided = np.array(sorted(book.scoped_left), np.int64)
    reason[facts.edges.right[np.isin(facts.edges.left, voided) & (facts.edges.strength >= WHOLE)]] = "G1"
    for row in _repeats(facts, book, rows):
        reason[row] = "F1"
    return reason[rows]


def _repeats(facts: Facts, book: Book, rows: np.ndarray) -> list[int]:
    """Open right items that repeat a matched one: one reference, amount, currency and party."""
    names = own_names(facts.right.references, facts.rules.references.min_length)
    strong = names.strength == WHOLE
    value, row = names.value[strong], names.row[strong]
    key = mixed(value, facts.right.amount[row], facts.right_currency[row], facts.parties.right[row])
    taken = ~book.open_right
    taken[list(book.scoped_right)] = False
    opened = np.zeros(len(facts.right), bool)
    opened[rows] = True
    i, _ = pairs(key[opened[row]], np.unique(key[taken[row]]))
    return row[opened[row]][i].tolist()


def _says_something(columns: tuple[pa.Array, ...], size: int) -> np.ndarray:
    some = np.zeros(size, bool)
    for column in columns:
        some |= np.asarray(pc.fill_null(pc.match_substring_regex(column, r"\d{3}"), False))
    return some


__all__ = ["ALONE", "REASONS", "UNKNOWN", "Breaks", "classify"]
