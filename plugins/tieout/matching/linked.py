"""Passes over items that name one another: explicit links, the cross-reference table, strong keys, sums by key,
explained differences, and what is named with a difference that nothing explains.
"""

from __future__ import annotations

import numpy as np

from tieout.matching import variance
from tieout.matching.book import Book, Groups, couples, groups
from tieout.matching.facts import Edges, Facts
from tieout.matching.items import NO_DATE
from tieout.matching.joins import components, counts, distinct, sums
from tieout.matching.references import TAIL, WHOLE, mixed


def still(facts: Facts, book: Book, edges: Edges, *, currency: bool = True) -> Edges:
    """The edges between open items, of one currency."""
    keep = book.open_left[edges.left] & book.open_right[edges.right]
    if currency:
        keep &= facts.same_currency(edges.left, edges.right)
    return edges.only(keep)


def believable(facts: Facts, edges: Edges) -> Edges:
    """Without edges to another party, and without short names unless the party is the same."""
    same = facts.same_party(edges.left, edges.right)
    other = facts.other_party(edges.left, edges.right)
    return edges.only((~other & (edges.strength >= TAIL)) | same)


def by_links(facts: Facts, book: Book, edges: Edges) -> None:
    """What somebody linked is one group, whatever the amounts: the difference is a break of the group."""
    edges = still(facts, book, edges, currency=False)
    proposed = _whole_components(facts, edges, 10**9)
    book.take(variance.explained(facts, proposed, fallback=True))


def by_keys(facts: Facts, book: Book) -> None:
    """One left and one right item of equal amount that share a name, each the other's only such partner."""
    amount = mixed(facts.right.amount, facts.right_currency)
    _, of, size = np.unique(amount, return_inverse=True, return_counts=True)
    only_amount = size[of] == 1
    for least, party in ((WHOLE, True), (WHOLE, False), (TAIL, False), (1, True)):
        edges = still(facts, book, facts.equal)
        edges = edges.only(edges.strength >= least)
        if party:
            edges = edges.only(facts.same_party(edges.left, edges.right))
        elif least < WHOLE:
            edges = edges.only(~facts.other_party(edges.left, edges.right))
        edges = _rivals_removed(facts, book, edges)
        alone = (counts(edges.left, len(facts.left))[edges.left] == 1) & (
            counts(edges.right, len(facts.right))[edges.right] == 1
        )
        pair = edges.only(alone)
        # A whole name on another party's item: believed where the amount is on no other item, else shown.
        other = facts.other_party(pair.left, pair.right) & ~facts.parties.alike[pair.left]
        doubtful = other & ~only_amount[pair.right]
        proposed = couples(pair.left, pair.right, 0.999 if least == WHOLE else 0.995)
        book.take(proposed.only(~doubtful))
        book.suggest(proposed.only(doubtful))
    for flip in (False, True):
        _first_of_several(facts, book, flip)


def _rivals_removed(facts: Facts, book: Book, edges: Edges) -> Edges:
    """Without left items that also wholly name other open items which together make more sense (their sum)."""
    everything = still(facts, book, facts.edges)
    strong = everything.only(everything.strength >= WHOLE)
    if not len(strong.left):
        return edges
    named = counts(strong.left, len(facts.left))
    total = sums(strong.left, facts.right.amount[strong.right], len(facts.left))
    return edges.only(~((named[edges.left] > 1) & (total[edges.left] == facts.left.amount[edges.left])))


def _first_of_several(facts: Facts, book: Book, flip: bool) -> None:
    """Several left items of one amount name one right item: the earliest settles it, the others are duplicates."""
    edges = still(facts, book, facts.equal)
    edges = edges.only((edges.strength >= TAIL) & ~facts.other_party(edges.left, edges.right))
    many, one = (edges.right, edges.left) if flip else (edges.left, edges.right)
    day = (facts.right if flip else facts.left).day[many]
    size_one = len(facts.left) if flip else len(facts.right)
    size_many = len(facts.right) if flip else len(facts.left)
    clear = (counts(one, size_one)[one] > 1) & (counts(many, size_many)[many] == 1) & (day != NO_DATE)
    one, many, day = one[clear], many[clear], day[clear]
    first = np.full(size_one, 2**31 - 1, np.int64)
    np.minimum.at(first, one, day)
    chosen = day == first[one]
    chosen &= counts(one[chosen], size_one)[one] == 1
    pair = (one[chosen], many[chosen]) if flip else (many[chosen], one[chosen])
    if flip is False or facts.right.references:
        book.take(couples(*pair, 0.99))


def by_sums(facts: Facts, book: Book) -> None:
    """One item and the several that it names, or that name it; all items of one name; all that hang together."""
    for least in (WHOLE, TAIL, 1):
        for shape in (_left_stars, _right_stars, _by_name, _whole_components):
            edges = believable(facts, still(facts, book, facts.edges))
            edges = edges.only(edges.strength >= least)
            members = facts.rules.sums.members
            proposed = _by_name(facts, book) if shape is _by_name else shape(facts, edges, members)
            left, right = totals(facts, proposed)
            several = (_sizes(proposed) > 2) & (left == right) & (left != 0)
            book.take(proposed.only(several & _one_currency(facts, proposed)))


def by_variance(facts: Facts, book: Book) -> None:
    """Named items whose difference a table, a rate or rounding explains."""
    for least in (WHOLE, TAIL):
        for shape in (_lone_pairs, _left_stars, _right_stars):
            edges = believable(facts, still(facts, book, facts.edges))
            proposed = shape(facts, edges.only(edges.strength >= least), facts.rules.sums.members)
            proposed = variance.explained(facts, proposed)
            book.take(proposed.only(proposed.reason != ""))
    _across_currencies(facts, book)


def by_name(facts: Facts, book: Book) -> None:
    """What a whole name joins, although the amounts differ and nothing explains it: a group with a break.

    A short payment, an instalment, an overpayment. The party must be the same, or not be known.
    """
    known = len(facts.left) and facts.parties.comparable
    for shape in (_lone_pairs, _left_stars, _right_stars):
        edges = believable(facts, still(facts, book, facts.edges))
        trusted = edges.strength >= WHOLE
        if known:
            trusted = facts.same_party(edges.left, edges.right) | (trusted & (facts.parties.left[edges.left] == -1))
        edges = edges.only(trusted)
        proposed = shape(facts, edges, facts.rules.sums.members)
        proposed = variance.explained(facts, proposed, fallback=True)
        left, right = totals(facts, proposed)
        plausible = (left != 0) & (right != 0) & _overlap(facts, proposed)
        book.take(proposed.only(plausible))
        book.suggest(proposed.only(~plausible))


def _overlap(facts: Facts, proposed: Groups) -> np.ndarray:
    """Not out of all proportion: within a factor of ten, or exactly a scale or a sign apart."""
    left, right = totals(facts, proposed)
    near = (np.abs(left) <= np.abs(right) * 10) & (np.abs(right) <= np.abs(left) * 10) & ((left > 0) == (right > 0))
    return near | np.isin(proposed.reason, ("C7", "C5", "D3"))


def _across_currencies(facts: Facts, book: Book) -> None:
    rates = facts.rules.variance.fx.rates
    if not rates:
        return
    edges = still(facts, book, facts.edges, currency=False)
    edges = edges.only(~facts.same_currency(edges.left, edges.right) & (edges.strength >= WHOLE))
    good = variance.converts(facts, edges.left, edges.right)
    edges = edges.only(good)
    proposed = _lone_pairs(facts, edges, 2)
    proposed.reason[:] = "D4"
    book.take(proposed)


def other_currency(facts: Facts, book: Book) -> None:
    """One number under one whole name in two currencies: the code is wrong on one side. A pair with a break."""
    edges = still(facts, book, facts.edges, currency=False)
    edges = edges.only((edges.strength >= WHOLE) & ~facts.same_currency(edges.left, edges.right))
    edges = edges.only(variance.same_number(facts, edges.left, edges.right))
    proposed = _lone_pairs(facts, edges, 2)
    proposed.reason[:] = "D3"
    book.take(proposed)


def totals(facts: Facts, proposed: Groups) -> tuple[np.ndarray, np.ndarray]:
    """The sum of each group's left and right amounts."""
    return (
        sums(proposed.left_group, facts.left.amount[proposed.left], proposed.count),
        sums(proposed.right_group, facts.right.amount[proposed.right], proposed.count),
    )


def _sizes(proposed: Groups) -> np.ndarray:
    return counts(proposed.left_group, proposed.count) + counts(proposed.right_group, proposed.count)


def _one_currency(facts: Facts, proposed: Groups) -> np.ndarray:
    good = np.ones(proposed.count, bool)
    first = np.full(proposed.count, -1, np.int64)
    first[proposed.left_group] = facts.left_currency[proposed.left]
    good[proposed.left_group[facts.left_currency[proposed.left] != first[proposed.left_group]]] = False
    good[proposed.right_group[facts.right_currency[proposed.right] != first[proposed.right_group]]] = False
    return good


def _lone_pairs(facts: Facts, edges: Edges, _members: int) -> Groups:
    alone = (counts(edges.left, len(facts.left))[edges.left] == 1) & (
        counts(edges.right, len(facts.right))[edges.right] == 1
    )
    return couples(edges.left[alone], edges.right[alone], 0.98)


def _left_stars(facts: Facts, edges: Edges, members: int) -> Groups:
    """A left item and the right ones that it names, which no other left item names."""
    degree = counts(edges.left, len(facts.left))
    lone = counts(edges.right, len(facts.right))[edges.right] == 1
    shared = np.zeros(len(facts.left), bool)
    shared[edges.left[~lone]] = True
    hubs = np.flatnonzero((degree > 1) & (degree < members) & ~shared)
    number = np.full(len(facts.left), -1)
    number[hubs] = np.arange(len(hubs))
    of = number[edges.left]
    return groups(hubs, np.arange(len(hubs)), edges.right[of >= 0], of[of >= 0], len(hubs), 0.99)


def _right_stars(facts: Facts, edges: Edges, members: int) -> Groups:
    """A right item and the left ones that name it and nothing else."""
    degree = counts(edges.right, len(facts.right))
    lone = counts(edges.left, len(facts.left))[edges.left] == 1
    shared = np.zeros(len(facts.right), bool)
    shared[edges.right[~lone]] = True
    hubs = np.flatnonzero((degree > 1) & (degree < members) & ~shared)
    number = np.full(len(facts.right), -1)
    number[hubs] = np.arange(len(hubs))
    of = number[edges.right]
    return groups(edges.left[of >= 0], of[of >= 0], hubs, np.arange(len(hubs)), len(hubs), 0.99)


def _whole_components(facts: Facts, edges: Edges, members: int) -> Groups:
    """Everything that hangs together by names."""
    if not len(edges.left):
        return couples(edges.left, edges.right)
    label_l, label_r = components(edges.left, edges.right, len(facts.left), len(facts.right))
    left, right = np.unique(edges.left), np.unique(edges.right)
    _, number = np.unique(np.r_[label_l[left], label_r[right]], return_inverse=True)
    of_l, of_r = number[: len(left)], number[len(left) :]
    made = groups(left, of_l, right, of_r, int(number.max()) + 1, 0.985)
    return made.only(_sizes(made) <= members)


def _by_name(facts: Facts, book: Book) -> Groups:
    """All open items under one whole name, in one currency and of one party where parties can be compared."""
    names, (value, row) = facts.hits_right, facts.hits_left
    strong = (names.strength == WHOLE) & book.open_right[names.row]
    opened = book.open_left[row]
    value, row = value[opened], row[opened]
    right, right_value = names.row[strong], names.value[strong]
    parts = (facts.parties.left[row], facts.parties.right[right]) if facts.parties.comparable else (row * 0, right * 0)
    key_l = mixed(value, facts.left_currency[row], parts[0])
    key_r = mixed(right_value, facts.right_currency[right], parts[1])
    both = np.intersect1d(key_l, key_r)
    in_l, in_r = np.isin(key_l, both), np.isin(key_r, both)
    left, of_l = row[in_l], np.searchsorted(both, key_l[in_l])
    right, of_r = right[in_r], np.searchsorted(both, key_r[in_r])
    at_l, at_r = distinct(left, of_l), distinct(right, of_r)
    made = groups(left[at_l], of_l[at_l], right[at_r], of_r[at_r], len(both), 0.985)
    made = made.only(_sizes(made) <= max(facts.rules.sums.members, facts.rules.balance.members))
    left_sum, right_sum = totals(facts, made)
    made = made.only((left_sum == right_sum) & (_sizes(made) > 2))
    return made.only(_first_of_equals(made))


def _first_of_equals(made: Groups) -> np.ndarray:
    """Two names of the same items (with and without zeros) are one group: keep one of them."""

    def fingerprint(row: np.ndarray, group: np.ndarray) -> np.ndarray:
        total = np.zeros(made.count, np.uint64)
        np.add.at(total, group, mixed(row))
        return total

    print_l, print_r = fingerprint(made.left, made.left_group), fingerprint(made.right, made.right_group)
    keep = np.zeros(made.count, bool)
    keep[distinct(print_l, print_r)] = True
    return keep
