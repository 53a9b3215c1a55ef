"""References with one slip of the pen: a digit wrong, one lost or doubled, two exchanged.

Numbers of one series are neighbours, so a slip says little by itself: it is asked only of pairs that something else
brought together, and a stretch of text that is some item's exact number is no slip of another's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieout.matching import references
from tieout.matching.book import Book, pair_key
from tieout.matching.facts import Edges, Facts, strongest
from tieout.matching.items import NO_DATE
from tieout.matching.joins import counts, distinct, pairs
from tieout.matching.parties import UNKNOWN
from tieout.matching.references import TAIL, mixed

BLOCK = 500_000  # pairs whose texts are compared at once
SHORTEST = 6  # a shorter number has too many neighbours
WORDS = 40
MOST_PAIRS = 2_000  # of one party
TEXTS = 1_500_000  # pairs of texts that are compared at all


def joined(columns: tuple[pa.Array, ...]) -> pa.Array | None:
    """One text of several columns; None where there are none."""
    if not columns:
        return None
    return pc.binary_join_element_wise(*(references.plain(each) for each in columns), " ")


def one_slip(facts: Facts, i: np.ndarray, j: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Whether left i's texts hold right j's reference with one slip; asked only where `asked`."""
    slip = np.zeros(len(i), bool)
    rows = np.flatnonzero(asked)
    for of, _ in _found(facts, i[rows], j[rows], frozenset()):
        slip[rows[of]] = True
    return slip


def edges(facts: Facts, book: Book) -> Edges:
    """Open items of one party, one of which names the other with one slip, and no third with that stretch of text."""
    left, right = np.flatnonzero(book.open_left), np.flatnonzero(book.open_right)
    left = left[facts.parties.left[left] != UNKNOWN]
    right = right[facts.parties.right[right] != UNKNOWN]
    i, j = pairs(
        mixed(facts.parties.left[left], facts.left_currency[left]),
        mixed(facts.parties.right[right], facts.right_currency[right]),
        MOST_PAIRS,
        TEXTS,
    )
    i, j = left[i], right[j]
    keep = facts.in_window(i, j)
    i, j = i[keep], j[keep]
    if not len(i):
        return facts.edges.only(np.zeros(len(facts.edges.left), bool))
    exact = _exact(facts, np.unique(facts.parties.right[j]))
    rows, stretches = [], []
    for of, said in _found(facts, i, j, exact):
        rows.append(of)
        stretches.append(said)
    of = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    said = np.concatenate(stretches) if stretches else of
    first = distinct(i[of], said, j[of])
    of, said = of[first], said[first]
    _, group, size = np.unique(mixed(i[of], said), return_inverse=True, return_counts=True)
    of = np.unique(of[size[group] == 1])
    return strongest(i[of], j[of], np.full(len(of), TAIL, np.uint8))


def earlier_claims(facts: Facts, book: Book) -> int:
    """An item paid twice is settled by the earlier payment, also where only the later one spells its number well.

    Looks at open left items with the party and amount of a later one that was matched alone; returns how many changed
    places.
    """
    taken = [
        (number, g)
        for number, (name, g) in enumerate(book.confirmed)
        if name in ("keys", "scored") and len(g.left) == len(g.right) == g.count
    ]
    if not taken:
        return 0
    where = np.concatenate([np.full(g.count, number) for number, g in taken])
    left = np.concatenate([g.left for _, g in taken])
    right = np.empty(len(left), np.int64)
    begin = 0
    for _, made in taken:
        right[begin + made.left_group.argsort()] = made.right[made.right_group.argsort()]
        begin += made.count
    opened = np.flatnonzero(book.open_left & (facts.parties.left != UNKNOWN))

    def key(rows: np.ndarray) -> np.ndarray:
        return mixed(facts.parties.left[rows], facts.left_currency[rows], facts.left.amount[rows])

    i, of = pairs(key(opened), key(left), MOST_PAIRS)
    i = opened[i]
    day = facts.left.day
    keep = (day[i] < day[left[of]]) & (day[i] != NO_DATE) & facts.in_window(i, right[of])
    i, of = i[keep], of[keep]
    shares = np.isin(mixed(i, right[of]), mixed(facts.edges.left, facts.edges.right))
    claims = (shares | one_slip(facts, i, right[of], ~shares)) & ~np.isin(pair_key(i, right[of]), book.never)
    i, of = i[claims], of[claims]
    alone = (counts(i, len(facts.left))[i] == 1) & (counts(of, len(left))[of] == 1)
    for row, pair in zip(i[alone].tolist(), of[alone].tolist(), strict=True):
        made = book.confirmed[where[pair]][1]
        made.left[np.flatnonzero(made.left == left[pair])] = row
        book.open_left[[row, left[pair]]] = False, True
    return int(alone.sum())


def _exact(facts: Facts, parties: np.ndarray) -> frozenset[str]:
    """All numbers of these parties' right items, open or not, whole and by their tail, with and without zeros."""
    rows = np.flatnonzero(np.isin(facts.parties.right, parties))
    found: set[str] = set()
    for column in facts.right.references:
        for name in references.compact(column.take(pa.array(rows))).to_pylist():
            found.update(_forms(name))
    return frozenset(found)


def _forms(name: str) -> set[str]:
    tail = re.sub(r"^[^\W\d_]+", "", name)
    return {each for each in (name, tail, tail.lstrip("0")) if len(each) >= SHORTEST}


def _found(
    facts: Facts, i: np.ndarray, j: np.ndarray, exact: frozenset[str]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(positions of pairs, number of the stretch of text) with one slip, by blocks."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    texts = joined(facts.left.references + facts.left.texts)
    if texts is None or not facts.right.references:
        return
    for column in facts.right.references:
        names = references.compact(column)
        for first in range(0, len(i), BLOCK):
            part = slice(first, first + BLOCK)
            said, wanted, of, place = _windows(texts, names, i[part], j[part], exact)
            if said:
                distance = process.cpdist(said, wanted, scorer=OSA.distance, score_cutoff=1, dtype=np.int32)
                near = distance <= 1
                yield np.array(of, np.int64)[near] + first, np.array(place, np.int64)[near]


def _windows(
    texts: pa.Array, names: pa.Array, i: np.ndarray, j: np.ndarray, exact: frozenset[str]
) -> tuple[list[str], list[str], list[int], list[int]]:
    """Neighbouring words of each text that are about as long as the name: (words, name, pair, place in the text)."""
    said, wanted, of, place = [], [], [], []
    words_of, name_of = texts.take(pa.array(i)).to_pylist(), names.take(pa.array(j)).to_pylist()
    memo: dict[str, list[str]] = {}
    for number, (text, name) in enumerate(zip(words_of, name_of, strict=True)):
        if len(name) < SHORTEST:
            continue
        words = memo.get(text)
        if words is None:
            words = memo[text] = re.findall(r"[^\W_]+", text.upper())[:WORDS]
        for target in _forms(name):
            for start in range(len(words)):
                spelt = ""
                for end, word in enumerate(words[start : start + 4]):
                    spelt += word
                    if len(spelt) > len(target) + 1:
                        break
                    if len(spelt) >= len(target) - 1 and spelt not in exact:
                        said.append(spelt)
                        wanted.append(target)
                        of.append(number)
                        place.append(start + end)  # the word at which the number ends
    return said, wanted, of, place


def merged(facts: Facts, more: Edges) -> Edges:
    """The facts' edges with more of them."""
    return strongest(
        np.r_[facts.edges.left, more.left],
        np.r_[facts.edges.right, more.right],
        np.r_[facts.edges.strength, more.strength],
    )
