"""What the levels of a pair add up to, and in which zone that puts it.

The score is the prior plus the weight of every attribute's level, in bits: +1 doubles the odds. Three zones: *auto*
(the same), *review* (a person decides), *no*. A pair is auto from a score on, and only if it beats the next best of
either side by a margin: two candidates that look alike are a question, not an answer. Vetoes overrule the sum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tieout.errors import ConfigError
from tieout.matching.identity_compare import ATTRIBUTES
from tieout.matching.identity_compare import levels as compare
from tieout.matching.identity_records import Records

ZONES = ("no", "review", "auto")
NO, REVIEW, AUTO = range(3)
VETOES = ("", "tax_id", "affiliate", "kind", "relative")
RELATIVE = 4  # names that share a rare word and differ in others: a person looks, whatever else they share
LIMITS = ("auto", "review", "margin", "duplicate")
NEVER = -1e9


@dataclass(frozen=True, eq=False)
class Weights:
    """The seed `rec_identity_weights`, checked. `of[attribute]`: weight per level, 'unknown' being 0."""

    prior: float
    of: dict[str, np.ndarray]
    auto: float
    review: float
    margin: float
    duplicate: float
    digest: str


@dataclass(eq=False)
class Pairs:
    """Compared pairs, left < right by position. `margin`: by how much it beats the next best; 0 within one system."""

    left: np.ndarray
    right: np.ndarray
    score: np.ndarray
    veto: np.ndarray
    zone: np.ndarray
    margin: np.ndarray

    def __len__(self) -> int:
        return len(self.left)


def weights(rows: Iterable[tuple[str, str, float]]) -> Weights:
    """Of (attribute, level, weight). ConfigError for a level that no comparison yields, one without a weight, or limits
    that leave no room for the margin.
    """
    told = {(attribute, level): float(weight) for attribute, level, weight in rows}
    known = {(attribute, level) for attribute, found in ATTRIBUTES.items() for level in found if level != "unknown"}
    known -= {("kind", "same")}
    known |= {("prior", "any"), *(("zone", word) for word in LIMITS)}
    if told.keys() != known:
        wrong = sorted(f"{a}.{b}" for a, b in told.keys() ^ known)
        raise ConfigError(
            f"rec_identity_weights: {', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} unknown or missing",
            hint="one row for each level that identity_compare yields",
        )
    limits = {word: told["zone", word] for word in LIMITS}
    if limits["auto"] - limits["review"] < limits["margin"] or limits["duplicate"] < limits["review"]:
        raise ConfigError(
            "rec_identity_weights: auto is less than the margin above review, or duplicate below review",
            hint="a runner-up that nobody looks at must not matter",
        )
    of = {
        attribute: np.array([told.get((attribute, level), 0.0) for level in found])
        for attribute, found in ATTRIBUTES.items()
    }
    digest = hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()
    return Weights(told["prior", "any"], of, **limits, digest=digest)


def score(levels: dict[str, np.ndarray], by: Weights) -> np.ndarray:
    """Bits per pair, rounded to a thousandth, so that the same levels give the same score everywhere."""
    total = np.full(len(levels["name"]), by.prior)
    for attribute in ATTRIBUTES:
        total += by.of[attribute][levels[attribute]]
    return np.round(total, 3)


def vetoes(levels: dict[str, np.ndarray]) -> np.ndarray:
    """Why a pair is not the same whatever its score, as an index into VETOES."""

    def level(attribute: str, *names: str) -> np.ndarray:
        return np.isin(levels[attribute], [ATTRIBUTES[attribute].index(name) for name in names])

    affiliate = (
        level("site", "same", "same_shared") & level("country", "other") & ~level("tax_id", "same", "same_checked")
    )
    return np.select(
        [level("tax_id", "other_checked"), level("kind", "other"), affiliate, level("name", "family")],
        [1, 3, 2, RELATIVE],
        0,
    ).astype(np.int8)


def against(records: Records, pairs: Pairs, by: Weights, same: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """Pairs inside what the auto zone would bring together whose evidence speaks against it: all of it together (a
    score below the prior), or two different tax ids. Compared afresh, whether or not they shared a block.
    """
    auto = pairs.zone == AUTO
    forced = np.array(list(same), dtype=np.int64).reshape(-1, 2)
    component = joined(len(records), np.r_[pairs.left[auto], forced[:, 0]], np.r_[pairs.right[auto], forced[:, 1]])
    order = np.argsort(component, kind="stable")
    starts = np.flatnonzero(np.r_[True, component[order][1:] != component[order][:-1]]) if len(order) else order
    sizes = np.diff(np.r_[starts, len(order)])
    left, right = [], []
    for start, size in zip(starts[sizes > 2], sizes[sizes > 2], strict=True):
        rows, columns = np.triu_indices(size, 1)
        left.append(order[start : start + size][rows])
        right.append(order[start : start + size][columns])
    if not left:
        return []
    a, b = np.concatenate(left), np.concatenate(right)
    levels = compare(records, a, b)
    other = [ATTRIBUTES["tax_id"].index(level) for level in ("other", "other_checked")]
    speaks = (score(levels, by) < by.prior) | np.isin(levels["tax_id"], other)
    return list(zip(a[speaks].tolist(), b[speaks].tolist(), strict=True))


def zones(records: Records, pairs: Pairs, by: Weights, parted: np.ndarray | None = None) -> None:
    """Set `margin` and `zone`. `parted`: mask of pairs that a steward called NOT SAME; they are nobody's rival."""
    source = records.source
    open_ = np.isin(pairs.veto, (0, RELATIVE)) & (pairs.score >= by.review)
    if parted is not None:
        open_ &= ~parted
    within = source[pairs.left] == source[pairs.right]
    plain = pairs.veto == 0
    twins = open_ & plain & within & (pairs.score >= by.duplicate)
    group = joined(len(records), pairs.left[twins], pairs.right[twins])
    pairs.margin = np.zeros(len(pairs))
    across = np.flatnonzero(open_ & ~within)
    left, right, points = pairs.left[across], pairs.right[across], pairs.score[across]
    rival = np.maximum(_rivals(left, right, points, source, group), _rivals(right, left, points, source, group))
    pairs.margin[across] = np.minimum(points - np.maximum(rival, by.review - 100), 99)
    auto = np.zeros(len(pairs), dtype=bool)
    auto[across] = plain[across] & (points >= by.auto) & (pairs.margin[across] >= by.margin)
    auto |= twins
    pairs.zone = np.where(auto, AUTO, np.where(open_, REVIEW, NO)).astype(np.int8)


def _rivals(of: np.ndarray, other: np.ndarray, points: np.ndarray, source: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Per pair: the best score of `of` with another one of the system of `other` that is no duplicate of it."""
    if not len(of):
        return np.empty(0)
    slot = of * (source.max() + 1) + source[other]
    order = np.lexsort((group[other], -points, slot))
    at, to, score_ = slot[order], group[other][order], points[order]
    first = np.r_[True, at[1:] != at[:-1]]
    number = np.cumsum(first) - 1
    best, best_group = score_[first], to[first]
    second = np.full(len(best), NEVER)
    rest = to != best_group[number]
    np.maximum.at(second, number[rest], score_[rest])
    found = np.empty(len(of))
    found[order] = np.where(rest, best[number], second[number])
    return found


def joined(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Connected components: the least position of each record's component."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    least = np.full(label.max() + 1 if count else 0, count, dtype=np.int64)
    np.minimum.at(least, label, np.arange(count))
    return least[label]
