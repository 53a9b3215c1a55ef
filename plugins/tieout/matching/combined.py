"""Passes over sums that no name points to: a whole open balance, the sum of a day, and the capped exact step.

Only exact minor units. A sum found by trying many subsets may be an accident: before a subset is believed it must be
the only one, and the number of hits that chance alone would bring must be small. Otherwise it is shown for review.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from tieout.matching.book import Book, Groups, groups
from tieout.matching.facts import Facts
from tieout.matching.items import NO_DATE
from tieout.matching.joins import counts, distinct, pairs, stretches, sums
from tieout.matching.parties import UNKNOWN
from tieout.matching.references import WHOLE, mixed


def by_balance(facts: Facts, book: Book) -> None:
    """One item that equals all that the party has open; then one that equals the sum of a day."""
    if facts.parties.comparable:
        for flip in (False, True):
            book.take(_whole_balance(facts, book, flip))
    for party in (True, False) if facts.parties.comparable else (False,):
        for flip in (False, True):
            book.take(_day_sums(facts, book, flip, party))


def _open(facts: Facts, book: Book, side: str, *, party: bool) -> np.ndarray:
    opened, codes = (book.open_left, facts.parties.left) if side == "left" else (book.open_right, facts.parties.right)
    return np.flatnonzero(opened & (codes != UNKNOWN) if party else opened)


def _sides(facts: Facts, flip: bool) -> tuple[str, str]:
    return ("right", "left") if flip else ("left", "right")


def _columns(facts: Facts, side: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Amount, currency, day, party of a side."""
    items = getattr(facts, side)
    return items.amount, getattr(facts, f"{side}_currency"), items.day, getattr(facts.parties, side)


def _whole_balance(facts: Facts, book: Book, flip: bool) -> Groups:
    """The only open item of a party on one side equals the sum of all of the party's open items on the other."""
    one, many = _sides(facts, flip)
    at, of = _open(facts, book, one, party=True), _open(facts, book, many, party=True)
    amount, currency, _, party = _columns(facts, one)
    amount_m, currency_m, _, party_m = _columns(facts, many)
    key, key_m = mixed(party[at], currency[at]), mixed(party_m[of], currency_m[of])
    labels, number, size = np.unique(key_m, return_inverse=True, return_counts=True)
    if not len(labels):
        return _made(flip, *[np.zeros(0, np.int64)] * 4, 0)
    total = sums(number, amount_m[of], len(labels))
    place = np.minimum(np.searchsorted(labels, key), len(labels) - 1)
    _, of_key, alone = np.unique(key, return_inverse=True, return_counts=True)
    good = (labels[place] == key) & (total[place] == amount[at]) & (size[place] > 1) & (alone[of_key] == 1)
    good &= size[place] <= facts.rules.balance.members
    chosen, group = at[good], place[good]
    renumber = np.full(len(labels), -1)
    renumber[group] = np.arange(len(chosen))
    members = renumber[number] >= 0
    made = _made(flip, chosen, np.arange(len(chosen)), of[members], renumber[number[members]], len(chosen))
    return made.only(_in_window(facts, made))


def _day_sums(facts: Facts, book: Book, flip: bool, by_party: bool) -> Groups:
    """One item equals the sum of all open items of one day on the other side, and of no other day near it."""
    one, many = _sides(facts, flip)
    at, of = _open(facts, book, one, party=by_party), _open(facts, book, many, party=by_party)
    amount, currency, day, party = _columns(facts, one)
    amount_m, currency_m, day_m, party_m = _columns(facts, many)
    at, of = at[day[at] != NO_DATE], of[day_m[of] != NO_DATE]
    parts = [currency_m[of], day_m[of], *([party_m[of]] if by_party else [])]
    _, first, number, size = np.unique(mixed(*parts), return_index=True, return_inverse=True, return_counts=True)
    total = sums(number, amount_m[of], len(size))
    head = of[first]
    key_m = [total, currency_m[head], *([party_m[head]] if by_party else [])]
    key = [amount[at], currency[at], *([party[at]] if by_party else [])]
    i, j = pairs(mixed(*key), mixed(*key_m), 10_000)
    lag = day[at[i]].astype(np.int64) - day_m[head[j]]
    lag = -lag if flip else lag
    good = (
        (lag >= 0) & (lag <= facts.rules.balance.batch_days) & (size[j] > 1) & (size[j] <= facts.rules.balance.members)
    )
    i, j = i[good], j[good]
    clear = (counts(i, len(at))[i] == 1) & (counts(j, len(size))[j] == 1) if len(i) else np.zeros(0, bool)
    i, j = i[clear], j[clear]
    renumber = np.full(len(size), -1)
    renumber[j] = np.arange(len(j))
    members = renumber[number] >= 0
    return _made(flip, at[i], np.arange(len(i)), of[members], renumber[number[members]], len(i))


def _made(flip: bool, one: np.ndarray, of_one: np.ndarray, many: np.ndarray, of_many: np.ndarray, count: int) -> Groups:
    sides = (many, of_many, one, of_one) if flip else (one, of_one, many, of_many)
    return groups(*sides, count, 0.97)


def _in_window(facts: Facts, made: Groups) -> np.ndarray:
    """Groups in which every left item is within the window of every right one (both ends are looked at)."""
    good = np.ones(made.count, bool)
    i, j = pairs(made.left_group, made.right_group, total=2**40)
    good[made.left_group[i[~facts.in_window(made.left[i], made.right[j])]]] = False
    return good


# --- the capped exact step --------------------------------------------------------------------------------------------


def by_exact(facts: Facts, book: Book) -> None:
    """Subsets of what one party, or one set of names, has open: unique and no accident, or for review."""
    for flip in (False, True):
        _each(facts, book, _targets(facts, book, flip))
    if facts.parties.comparable:
        _each(facts, book, _both_sides(facts, book))


Found = tuple[list[int], list[int], bool]  # left rows, right rows, believed


def _each(facts: Facts, book: Book, found: Iterator[Found]) -> None:
    sure, doubtful = [], []
    for left, right, believed in found:
        (sure if believed else doubtful).append((left, right))
    book.take(_collected(sure, 0.95))
    book.suggest(_collected(doubtful, 0.6))


def _collected(found: list[tuple[list[int], list[int]]], confidence: float) -> Groups:
    left = np.array([row for each, _ in found for row in each], np.int64)
    right = np.array([row for _, each in found for row in each], np.int64)
    of_l = np.repeat(np.arange(len(found)), [len(each) for each, _ in found]) if found else left
    of_r = np.repeat(np.arange(len(found)), [len(each) for _, each in found]) if found else right
    return groups(left, of_l.astype(np.int64), right, of_r.astype(np.int64), len(found), confidence)


def _targets(facts: Facts, book: Book, flip: bool) -> Iterator[Found]:
    """One item against subsets of the other side: what it names, else what its party has open in the window."""
    one, many = _sides(facts, flip)
    amount, currency, _, party = _columns(facts, one)
    amount_m, currency_m, _, party_m = _columns(facts, many)
    limit = facts.rules.exact
    for named in (True, False):
        if named:
            edges = facts.edges.only(book.open_left[facts.edges.left] & book.open_right[facts.edges.right])
            edges = edges.only(edges.strength >= WHOLE)
            i, j = (edges.right, edges.left) if flip else (edges.left, edges.right)
        elif facts.parties.comparable:
            at, of = _open(facts, book, one, party=True), _open(facts, book, many, party=True)
            i, j = pairs(mixed(party[at], currency[at]), mixed(party_m[of], currency_m[of]), limit.items * 60)
            i, j = at[i], of[j]
        else:
            return
        keep = (currency[i] == currency_m[j]) & (facts.in_window(j, i) if flip else facts.in_window(i, j))
        i, j = i[keep], j[keep]
        order = distinct(i, j)
        i, j = i[order], j[order]
        for begin, end in stretches(i):
            if not 2 <= end - begin <= limit.items:
                continue
            rows = j[begin:end]
            hits = subsets(amount_m[rows], int(amount[i[begin]]), limit.members - 1)
            if not len(hits):
                continue
            accidental = expected(amount_m[rows], limit.members - 1, hits[0])
            chosen = rows[hits[0]].tolist()
            target = [int(i[begin])]
            believed = len(hits) == 1 and (named or accidental <= limit.chance)
            if len(hits) == 1:
                yield (chosen, target, believed) if flip else (target, chosen, believed)


def _both_sides(facts: Facts, book: Book) -> Iterator[Found]:
    """Small sets of one party's open items whose two sides are equal: several against several, credits among them."""
    limit = facts.rules.exact
    left, right = (_open(facts, book, side, party=True) for side in ("left", "right"))
    key = np.r_[
        mixed(facts.parties.left[left], facts.left_currency[left]),
        mixed(facts.parties.right[right], facts.right_currency[right]),
    ]
    rows, is_left = np.r_[left, right], np.r_[np.ones(len(left), bool), np.zeros(len(right), bool)]
    order = np.argsort(key, kind="stable")
    for begin, end in stretches(key[order]):
        at = order[begin:end]
        if not 3 <= len(at) <= limit.items or is_left[at].all() or not is_left[at].any():
            continue
        ours, theirs = rows[at[is_left[at]]], rows[at[~is_left[at]]]
        signed = np.r_[facts.left.amount[ours], -facts.right.amount[theirs]]
        hits = subsets(signed, 0, limit.members)
        hits = [hit for hit in hits if (hit < len(ours)).any() and (hit >= len(ours)).any()]
        smallest = [hit for hit in hits if not any(set(o) < set(hit) for o in hits)]
        if len(smallest) != 1:
            continue
        hit = smallest[0]
        pair_left, pair_right = ours[hit[hit < len(ours)]], theirs[hit[hit >= len(ours)] - len(ours)]
        near = facts.in_window(np.repeat(pair_left, len(pair_right)), np.tile(pair_right, len(pair_left))).all()
        rare = expected(signed, limit.members, hit) <= limit.chance
        yield pair_left.tolist(), pair_right.tolist(), bool(near and rare)


@cache
def _masks(size: int, members: int) -> np.ndarray:
    """All choices of 2 … members out of `size`, as rows of 0 and 1 (int64)."""
    every = np.arange(1 << size)[:, None] >> np.arange(size) & 1
    chosen = every.sum(axis=1)
    return every[(chosen >= 2) & (chosen <= members)].astype(np.int64)


def subsets(amounts: np.ndarray, target: int, members: int) -> list[np.ndarray]:
    """Positions of every choice of 2 … members amounts whose exact sum is the target. At most 12 amounts."""
    if len(amounts) > 12:
        raise ValueError(f"{len(amounts)} items; the exact step takes 12 at most")
    masks = _masks(len(amounts), members)
    return [np.flatnonzero(mask) for mask in masks[masks @ amounts == target]]


def expected(amounts: np.ndarray, members: int, hit: np.ndarray) -> float:
    """How many subsets would hit a target by chance: those tried, over the distinct sums that they could have.

    Amounts that are all multiples of 50.00 have few sums: their common divisor is the step. One odd cent among them
    must not hide that, so the step of the hit's own amounts is asked too, with all the amounts that have it.
    """
    likely = 0.0
    for step in (int(np.gcd.reduce(amounts)), int(np.gcd.reduce(amounts[hit]))):
        if not step:
            return 1.0
        alike = np.abs(amounts[amounts % step == 0])
        reach = int(np.sort(alike)[::-1][:members].sum()) // step
        likely = max(likely, len(_masks(len(alike), members)) / max(reach, 1))
    return likely
