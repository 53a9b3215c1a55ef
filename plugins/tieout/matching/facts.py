"""What the passes ask of two sides, worked out once: shared codes, and which item names which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieout.matching import references
from tieout.matching.items import DAY_ZERO, NO_DATE, Items
from tieout.matching.joins import distinct, pairs
from tieout.matching.parties import UNKNOWN, Parties, resolve
from tieout.matching.references import WHOLE, mixed
from tieout.matching.rules import Rules

MOST_PAIRS = 1000  # a name that would join more pairs of items is looked at as a sum only
MOST_EDGES = 24_000_000
LINKED = 9


@dataclass(frozen=True)
class Alias:
    """A row of the cross-reference table: a left word means a right one, from and until a day (None: always)."""

    kind: str  # party or reference
    left: str
    right: str
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Edges:
    """Left row names right row: `strength` as in references.py. Each pair once, its strongest name."""

    left: np.ndarray
    right: np.ndarray
    strength: np.ndarray

    def only(self, keep: np.ndarray) -> Edges:
        """The edges where `keep`."""
        return Edges(self.left[keep], self.right[keep], self.strength[keep])


@dataclass(frozen=True)
class Facts:
    """Both sides with their codes. `edges`: any currency and amount. `hits_*`: (name, row, strength of that name)."""

    left: Items
    right: Items
    rules: Rules
    currencies: tuple[str, ...]
    left_currency: np.ndarray
    right_currency: np.ndarray
    parties: Parties
    hits_left: tuple[np.ndarray, np.ndarray]
    hits_right: references.Names
    edges: Edges
    equal: Edges
    aliases: Sequence[Alias] = ()
    has_names: bool = False
    memo: dict[str, np.ndarray] = field(default_factory=dict)

    def same_currency(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Whether left i and right j are in one currency."""
        return self.left_currency[i] == self.right_currency[j]

    def same_party(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Known on both sides and equal."""
        return (self.parties.left[i] == self.parties.right[j]) & (self.parties.left[i] != UNKNOWN)

    def other_party(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Known on both sides, and different."""
        known = (self.parties.left[i] != UNKNOWN) & (self.parties.right[j] != UNKNOWN) & self.parties.comparable
        return known & (self.parties.left[i] != self.parties.right[j])

    def gap(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Days from right j to left i, as the window counts them; 0 where a date is absent."""
        first, last = self.right.day[j], self.left.day[i]
        known = (first != NO_DATE) & (last != NO_DATE)
        first, last = np.where(known, first, 0), np.where(known, last, 0)
        if not self.rules.window.business:
            return last.astype(np.int64) - first
        holidays = [np.datetime64(day) for day in self.rules.window.holidays]
        return np.busday_count(first.astype("datetime64[D]"), last.astype("datetime64[D]"), holidays=holidays)

    def in_window(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Whether left i is dated within the window of right j."""
        gap = self.gap(i, j)
        return (gap >= -self.rules.window.before) & (gap <= self.rules.window.after)


def gather(left: Items, right: Items, rules: Rules, aliases: Sequence[Alias] = ()) -> Facts:
    """Codes, names and edges of both sides."""
    currencies = sorted({*pc.unique(left.currency).to_pylist(), *pc.unique(right.currency).to_pylist()})
    code = {word: number for number, word in enumerate(currencies)}
    coded_l, coded_r = _codes(left.currency, code), _codes(right.currency, code)
    parties = _parties(left, right, rules, aliases)
    hits_left, hits_right = _names(left, right, rules)
    edges = _edges(hits_left, hits_right, len(right))
    equal = _equal_edges(hits_left, hits_right, left, right, coded_l, coded_r)
    return Facts(
        left,
        right,
        rules,
        tuple(currencies),
        coded_l,
        coded_r,
        parties,
        hits_left,
        hits_right,
        edges,
        equal,
        aliases,
        bool(right.references or left.references),
    )


def _parties(left: Items, right: Items, rules: Rules, aliases: Sequence[Alias]) -> Parties:
    nobody = Parties(np.full(len(left), UNKNOWN), np.full(len(right), UNKNOWN), np.zeros(len(left), bool), False)
    if right.party is None or rules.party.compare == "ignore" or (left.party is None and not left.texts):
        return nobody
    ours = _translated(left, aliases)
    return resolve(
        pa.nulls(len(left), pa.string()) if ours is None else ours, right.party, rules.party.similar, left.texts
    )


def _codes(words: pa.Array, code: Mapping[str, int]) -> np.ndarray:
    coded = pc.dictionary_encode(words)
    table = np.array([code[word] for word in coded.dictionary.to_pylist()] or [0], np.int32)
    return table[np.asarray(coded.indices)] if len(words) else np.zeros(0, np.int32)


def _translated(left: Items, aliases: Sequence[Alias]) -> pa.Array | None:
    """The left side's parties in the right side's words, where the table said so on the item's day."""
    wanted: dict[str, list[Alias]] = {}
    for alias in aliases:
        if alias.kind == "party":
            wanted.setdefault(alias.left, []).append(alias)
    if not wanted or left.party is None:
        return left.party
    words = left.party.to_pylist()
    for row in np.flatnonzero(
        np.asarray(pc.fill_null(pc.is_in(left.party, value_set=pa.array(list(wanted))), False))
    ).tolist():
        held = {alias.right for alias in wanted[words[row]] if holds(alias, int(left.day[row]))}
        if len(held) == 1:
            words[row] = held.pop()
    return pa.array(words, pa.string())


def holds(alias: Alias, day: int) -> bool:
    """Whether the alias counts on that day (days since 1970); an item without a date takes only those without end."""
    if day == NO_DATE:
        return alias.since is None and alias.until is None
    since = -(10**9) if alias.since is None else (alias.since - DAY_ZERO).days
    until = 10**9 if alias.until is None else (alias.until - DAY_ZERO).days
    return since <= day <= until


def _names(left: Items, right: Items, rules: Rules) -> tuple[tuple[np.ndarray, np.ndarray], references.Names]:
    """Names of right items that left rows spell, and of left items that right texts spell, as one list of each side."""
    shortest = rules.references.min_length
    own = _rare(references.own_names(right.references, shortest), rules.references.common)
    value, row = references.named((*left.references, *left.texts), _distinct(own.value), shortest)
    own = _heard(own, value)
    if not right.texts or not left.references:
        return (value, row), own
    mine = _rare(references.own_names(left.references, shortest), rules.references.common)
    said, by = references.named(right.texts, _distinct(mine.value), shortest)
    mine = _heard(mine, said)
    # The left row then holds the name with its strength, the right row spells it: written as hits of the left side.
    place = np.searchsorted(mine.value, said)
    strength = mine.strength[place] if len(mine.value) else np.zeros(len(said), np.uint8)
    both = references.Names(np.r_[own.value, said], np.r_[own.row, by], np.r_[own.strength, strength])
    order = np.argsort(both.value, kind="stable")
    merged = references.Names(both.value[order], both.row[order], both.strength[order])
    return (np.r_[value, mine.value], np.r_[row, mine.row]), merged


def _distinct(value: np.ndarray) -> np.ndarray:
    return value[np.r_[True, value[1:] != value[:-1]]] if len(value) else value


def _heard(own: references.Names, value: np.ndarray) -> references.Names:
    """Only the names that somebody said."""
    keep = np.isin(own.value, _distinct(value))
    return references.Names(own.value[keep], own.row[keep], own.strength[keep])


def _rare(own: references.Names, common: int) -> references.Names:
    """Without parts of names that are on many items: a year, a customer's number."""
    if not len(own.value):
        return own
    begins = np.flatnonzero(np.r_[True, own.value[1:] != own.value[:-1]])
    size = np.diff(np.r_[begins, len(own.value)])
    keep = (own.strength == WHOLE) | (np.repeat(size, size) <= common)
    return references.Names(own.value[keep], own.row[keep], own.strength[keep])


def _edges(hits: tuple[np.ndarray, np.ndarray], own: references.Names, size: int) -> Edges:
    i, j = pairs(hits[0], own.value, MOST_PAIRS, MOST_EDGES)
    return strongest(hits[1][i], own.row[j], own.strength[j])


def _equal_edges(
    hits: tuple[np.ndarray, np.ndarray],
    own: references.Names,
    left: Items,
    right: Items,
    currency_l: np.ndarray,
    currency_r: np.ndarray,
) -> Edges:
    """As edges, of equal amount and currency: also of names that are on very many items."""
    row_l, row_r = hits[1], own.row
    key_l = mixed(hits[0], left.amount[row_l], currency_l[row_l])
    key_r = mixed(own.value, right.amount[row_r], currency_r[row_r])
    i, j = pairs(key_l, key_r, MOST_PAIRS, MOST_EDGES)
    sure = left.amount[row_l[i]] == right.amount[row_r[j]]
    return strongest(row_l[i[sure]], row_r[j[sure]], own.strength[j[sure]])


def strongest(left: np.ndarray, right: np.ndarray, strength: np.ndarray) -> Edges:
    """Edges, each pair once."""
    order = distinct(left, right, -strength.astype(np.int16))
    left, right, strength = left[order], right[order], strength[order]
    fresh = np.r_[True, (left[1:] != left[:-1]) | (right[1:] != right[:-1])] if len(left) else np.zeros(0, bool)
    return Edges(left[fresh], right[fresh], strength[fresh])


def links(facts: Facts) -> Edges:
    """Explicit links: ids of the other side that either file holds."""
    found = []
    for mine, other, flip in ((facts.left, facts.right, False), (facts.right, facts.left, True)):
        for column in mine.links:
            place = np.asarray(pc.fill_null(pc.index_in(column, value_set=other.ids), -1)).astype(np.int64)
            rows = np.flatnonzero(place >= 0)
            found.append((place[rows], rows) if flip else (rows, place[rows]))
    if not found:
        none = np.zeros(0, np.int64)
        return Edges(none, none, none.astype(np.uint8))
    left, right = (np.concatenate(each) for each in zip(*found, strict=True))
    order = distinct(left, right)
    return Edges(left[order], right[order], np.full(len(order), LINKED, np.uint8))


def crossed(facts: Facts) -> Edges:
    """Pairs that the cross-reference table makes: a left reference means a right one on the left item's day."""
    table = [alias for alias in facts.aliases if alias.kind == "reference"]
    left, right = [], []
    if table:
        words_l, words_r = (_by_reference(each) for each in (facts.left, facts.right))
        for alias in table:
            for i in words_l.get(alias.left.strip().upper(), ()):
                if holds(alias, int(facts.left.day[i])):
                    rights = words_r.get(alias.right.strip().upper(), ())
                    left += [i] * len(rights)
                    right += rights
    return strongest(np.array(left, np.int64), np.array(right, np.int64), np.full(len(left), LINKED, np.uint8))


def _by_reference(items: Items) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for column in items.references:
        for row, word in enumerate(column.to_pylist()):
            if word:
                found.setdefault(word.strip().upper(), []).append(row)
    return found
