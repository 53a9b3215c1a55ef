"""`match(left, right, rules)`: the passes in their order, then breaks, then the invariants. No files, no command line.

result = match(items_of(payments), items_of(invoices), Rules())
result.pairs()      # rows of each confirmed (left, right) couple
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieout.errors import MatchError
from tieout.matching import combined, linked, scored, spelling
from tieout.matching.book import Book, Groups, groups, pair_key
from tieout.matching.breaks import Breaks, classify
from tieout.matching.facts import Alias, Facts, crossed, gather, links
from tieout.matching.items import Items
from tieout.matching.joins import components, counts, pairs, sums
from tieout.matching.references import WHOLE, mixed, own_names
from tieout.matching.rules import Rules


@dataclass(frozen=True)
class Decisions:
    """What people decided, by id. `match`: (left, right) belong together. `never`: they do not. `exclude`: out of
    scope.
    """

    match: tuple[tuple[str, str], ...] = ()
    never: tuple[tuple[str, str], ...] = ()
    exclude_left: tuple[str, ...] = ()
    exclude_right: tuple[str, ...] = ()


@dataclass(frozen=True)
class PassReport:
    """What one pass took: groups, items and right amount per currency (minor units), and what it left for review."""

    name: str
    groups: int
    left: int
    right: int
    amount: dict[str, int]
    scoped: int = 0


@dataclass(frozen=True)
class Result:
    """Groups are numbered through `confirmed` in order; suggestions likewise. Rows are rows of `facts.left` and
    `.right`.
    """

    facts: Facts
    confirmed: list[tuple[str, Groups]]
    suggested: list[tuple[str, Groups]]
    breaks: Breaks
    scoped_left: dict[int, str]
    scoped_right: dict[int, str]
    reports: list[PassReport] = field(default_factory=list)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """(left row, right row) of every couple inside a confirmed group."""
        found = []
        for _, made in self.confirmed:
            i, j = pairs(made.left_group, made.right_group, total=2**40)
            found.append((made.left[i], made.right[j]))
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate([i for i, _ in found]), np.concatenate([j for _, j in found])


def match(
    left: Items,
    right: Items,
    rules: Rules,
    *,
    decisions: Decisions | None = None,
    aliases: Sequence[Alias] = (),
    tell: Callable[[str, str], None] | None = None,
) -> Result:
    """Reconcile two sides. Raises MatchError where an invariant does not hold. `tell(pass, facts)`: progress."""
    decisions = decisions or Decisions()
    facts = gather(left, right, rules, aliases)
    book = Book(len(left), len(right), never=_never(facts, decisions))
    reports = []
    for name in rules.passes():
        before, out = len(book.confirmed), len(book.scoped_left) + len(book.scoped_right)
        if name == "scored":
            scored.learn_lag(facts, book)
        if name == "slips":  # what is known of names from here on includes those with a slip
            facts = replace(facts, edges=spelling.merged(facts, spelling.edges(facts, book)))
        book.current = name
        _PASSES[name](facts, book, decisions)
        report = _report(facts, name, book.confirmed[before:], len(book.scoped_left) + len(book.scoped_right) - out)
        reports.append(report)
        if tell:
            tell(name, f"{report.groups:,} groups, {report.left:,} left and {report.right:,} right items")
    suggested = book.still_open()
    breaks = classify(facts, book, book.confirmed, suggested)
    result = Result(facts, book.confirmed, suggested, breaks, book.scoped_left, book.scoped_right, reports)
    check(result)
    return result


def check(result: Result) -> None:
    """The invariants: each item in one place, and breaks that add up to the gap, per side and currency. Raises
    MatchError.
    """
    facts = result.facts
    for side, scoped in (("left", result.scoped_left), ("right", result.scoped_right)):
        items = getattr(facts, side)
        where = np.zeros(len(items), np.int64)
        for _, made in result.confirmed:
            where += counts(getattr(made, side), len(items))
        if len(twice := np.flatnonzero(where > 1)):
            raise MatchError(f"{side} item {items.ids[int(twice[0])]} is in two confirmed matches")
        where[list(scoped)] += 1
        where += counts(result.breaks.row[result.breaks.side == side], len(items))
        if len(wrong := np.flatnonzero(where != 1)):
            raise MatchError(
                f"{len(wrong)} {side} items are not in exactly one of matched, broken and scoped, "
                f"the first is {items.ids[int(wrong[0])]}"
            )
    for code, word in enumerate(facts.currencies):
        gap = 0
        for side, sign, scoped in (("left", 1, result.scoped_left), ("right", -1, result.scoped_right)):
            inside = getattr(facts, f"{side}_currency") == code
            inside[list(scoped)] = False
            gap += sign * int(getattr(facts, side).amount[inside].sum())
        told = int(result.breaks.amount[result.breaks.currency == code].sum())
        if gap != told:
            raise MatchError(f"breaks of {word} add up to {told} minor units, the gap is {gap}")
    _no_group_is_one_sided(result)


def _no_group_is_one_sided(result: Result) -> None:
    for name, made in result.confirmed:
        if (counts(made.left_group, made.count) == 0).any() or (counts(made.right_group, made.count) == 0).any():
            raise MatchError(f"pass {name} made a group without items of one side")


def _report(facts: Facts, name: str, taken: list[tuple[str, Groups]], scoped: int) -> PassReport:
    amount: dict[str, int] = {}
    for _, made in taken:
        total = sums(facts.right_currency[made.right], facts.right.amount[made.right], len(facts.currencies))
        for word, each in zip(facts.currencies, total.tolist(), strict=True):
            amount[word] = amount.get(word, 0) + each
    return PassReport(
        name,
        sum(made.count for _, made in taken),
        sum(len(made.left) for _, made in taken),
        sum(len(made.right) for _, made in taken),
        {w: a for w, a in amount.items() if a},
        scoped,
    )


def _never(facts: Facts, decisions: Decisions) -> np.ndarray:
    left, right = _rows(facts, decisions.never)
    return np.sort(pair_key(left, right))


def _rows(facts: Facts, wanted: tuple[tuple[str, str], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of decided pairs; ids that no longer exist are passed over."""
    i, j = (
        np.asarray(
            pc.fill_null(pc.index_in(pa.array([pair[side] for pair in wanted], pa.string()), value_set=ids), -1)
        ).astype(np.int64)
        for side, ids in ((0, facts.left.ids), (1, facts.right.ids))
    )
    both = (i >= 0) & (j >= 0)
    return i[both], j[both]


def _decided(facts: Facts, book: Book, decisions: Decisions) -> None:
    """People's decisions: they come before everything and hold whatever the amounts."""
    for side, ids in (("left", decisions.exclude_left), ("right", decisions.exclude_right)):
        if ids:
            known = getattr(facts, side).ids
            book.scope(side, np.flatnonzero(np.asarray(pc.is_in(known, value_set=pa.array(ids, pa.string())))), "H4")
    left, right = _rows(facts, decisions.match)
    if len(left):
        label_l, label_r = components(left, right, len(facts.left), len(facts.right))
        rows_l, rows_r = np.unique(left), np.unique(right)
        _, number = np.unique(np.r_[label_l[rows_l], label_r[rows_r]], return_inverse=True)
        made = groups(rows_l, number[: len(rows_l)], rows_r, number[len(rows_l) :], int(number.max()) + 1)
        book.take(linked.variance.explained(facts, made, fallback=True))


def _voids(facts: Facts, book: Book, _: Decisions) -> None:
    """Net what one side itself cancelled: an item and the one that reverses it. Not where the other side has both
    too.
    """
    found = {side: _void_pairs(facts, side) for side in ("left", "right")}
    both = np.intersect1d(found["left"][2], found["right"][2])
    for side, (one, other, key) in found.items():
        alone = ~np.isin(key, both)
        rows = np.r_[one[alone], other[alone]]
        book.scope(side, rows[counts(rows, len(getattr(facts, side)))[rows] == 1], "void pair")


def _void_pairs(facts: Facts, side: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, row that reverses it, key of what they share): opposite amounts that name each other or share a
    reference.
    """
    items, currency, party = (getattr(facts, side), getattr(facts, f"{side}_currency"), getattr(facts.parties, side))
    if items.reverses is not None:
        place = np.asarray(pc.fill_null(pc.index_in(items.reverses, value_set=items.ids), -1)).astype(np.int64)
        rows = np.flatnonzero(place >= 0)
        one, other = place[rows], rows
        good = (items.amount[one] == -items.amount[other]) & (currency[one] == currency[other])
        one, other = one[good], other[good]
        return one, other, mixed(np.abs(items.amount[one]), currency[one], party[one])
    names = own_names(items.references, facts.rules.references.min_length)
    strong = (names.strength == WHOLE) & (items.amount[names.row] != 0)
    value, row = names.value[strong], names.row[strong]
    key = mixed(value, np.abs(items.amount[row]), currency[row], party[row])
    i, j = pairs(key[items.amount[row] > 0], key[items.amount[row] < 0], 1)
    one, other = row[items.amount[row] > 0][i], row[items.amount[row] < 0][j]
    return one, other, mixed(value[items.amount[row] > 0][i], np.abs(items.amount[one]), currency[one])


def _slips(facts: Facts, book: Book, _: Decisions) -> None:
    linked.by_sums(facts, book)
    linked.by_variance(facts, book)
    spelling.earlier_claims(facts, book)


def _named(facts: Facts, book: Book, _: Decisions) -> None:
    linked.other_currency(facts, book)
    linked.by_name(facts, book)


_PASSES: dict[str, Callable[[Facts, Book, Decisions], None]] = {
    "voids": _voids,
    "decisions": _decided,
    "links": lambda facts, book, _: linked.by_links(facts, book, links(facts)),
    "crossref": lambda facts, book, _: linked.by_links(facts, book, crossed(facts)),
    "keys": lambda facts, book, _: linked.by_keys(facts, book),
    "sums": lambda facts, book, _: linked.by_sums(facts, book),
    "variance": lambda facts, book, _: linked.by_variance(facts, book),
    "scored": lambda facts, book, _: scored.by_score(facts, book),
    "slips": _slips,
    "balance": lambda facts, book, _: combined.by_balance(facts, book),
    "exact": lambda facts, book, _: combined.by_exact(facts, book),
    "named": _named,
}
