"""Joins and sums over integer columns. Exact: sums stay in int64, keys are compared as whole 64-bit numbers."""

from __future__ import annotations

import numpy as np

TOTAL = 6_000_000


def pairs(
    left: np.ndarray, right: np.ndarray, cap: int | None = None, total: int = TOTAL
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (i, j) with left[i] == right[j]. A key that would make more than `cap` pairs makes none.

    Where all pairs would be more than `total`, the keys that make most of them make none: memory has an end.
    """
    order_l, order_r = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    keys_l, first_l, count_l = _runs(left[order_l])
    keys_r, first_r, count_r = _runs(right[order_r])
    if not len(keys_l) or not len(keys_r):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    place = np.minimum(np.searchsorted(keys_r, keys_l), len(keys_r) - 1)
    both = keys_r[place] == keys_l
    cl, cr, fl, fr = count_l[both], count_r[place[both]], first_l[both], first_r[place[both]]
    if cap is not None:
        few = cl * cr <= cap
        cl, cr, fl, fr = cl[few], cr[few], fl[few], fr[few]
    size = cl * cr
    if size.sum() > total:
        ordered = np.sort(size)
        few = size <= _widest(ordered, total)
        cl, cr, fl, fr, size = cl[few], cr[few], fl[few], fr[few], size[few]
    within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    wide = np.repeat(cr, size)
    return order_l[np.repeat(fl, size) + within // wide], order_r[np.repeat(fr, size) + within % wide]


def _widest(ordered: np.ndarray, total: int) -> int:
    """The largest number of pairs a key may make so that all keys up to it make `total` pairs at most."""
    reached = np.cumsum(ordered)
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])  # all keys of one size, or none of them
    fits = last[reached[last] <= total]
    return int(ordered[fits[-1]]) if len(fits) else 0


def _runs(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not len(ordered):
        return ordered, np.zeros(0, np.int64), np.zeros(0, np.int64)
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return ordered[first], first, np.diff(np.r_[first, len(ordered)])


def stretches(*ordered: np.ndarray) -> list[tuple[int, int]]:
    """(begin, end) of each stretch of equal values in sorted columns."""
    size = len(ordered[0])
    if not size:
        return []
    fresh = np.zeros(size, bool)
    fresh[0] = True
    for column in ordered:
        fresh[1:] |= column[1:] != column[:-1]
    begins = np.flatnonzero(fresh).tolist()
    return list(zip(begins, [*begins[1:], size], strict=True))


def distinct(*columns: np.ndarray) -> np.ndarray:
    """Positions of the first row of each distinct combination, in sorted order of the columns."""
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    order = np.lexsort(columns[::-1])
    fresh = np.zeros(len(order), bool)
    fresh[0] = True
    for column in columns:
        ordered = column[order]
        fresh[1:] |= ordered[1:] != ordered[:-1]
    return order[fresh]


def sums(label: np.ndarray, value: np.ndarray, count: int) -> np.ndarray:
    """Exact sum of `value` by label 0 … count−1."""
    total = np.zeros(count, np.int64)
    np.add.at(total, label, value)
    return total


def counts(label: np.ndarray, count: int) -> np.ndarray:
    """How often each label 0 … count−1 stands there."""
    return np.bincount(label, minlength=count)


def components(left: np.ndarray, right: np.ndarray, size_left: int, size_right: int) -> tuple[np.ndarray, np.ndarray]:
    """Connected components of a bipartite graph: the label of each left and each right row."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size = size_left + size_right
    graph = coo_matrix((np.ones(len(left), np.int8), (left, right + size_left)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    return label[:size_left], label[size_left:]
