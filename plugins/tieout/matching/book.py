"""What is open and what was matched. A pass proposes groups; the book takes those that nobody disputes.

An item that stands in two proposals of one step makes both doubtful: neither is taken, whatever the order of rows. So
no item can be in two confirmed matches, and shuffled input gives the same matches.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tieout.matching.joins import counts
from tieout.matching.references import mixed


@dataclass(frozen=True)
class Groups:
    """Proposed groups 0 … count−1: (row, group) of each side's members. `reason`: a code for the difference, or
    empty.
    """

    count: int
    left: np.ndarray
    left_group: np.ndarray
    right: np.ndarray
    right_group: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray
    reason: np.ndarray

    def only(self, keep: np.ndarray) -> Groups:
        """The groups where `keep`, renumbered."""
        number = np.cumsum(keep) - 1
        at_l, at_r = keep[self.left_group], keep[self.right_group]
        return Groups(
            int(keep.sum()),
            self.left[at_l],
            number[self.left_group[at_l]],
            self.right[at_r],
            number[self.right_group[at_r]],
            self.confidence[keep],
            self.margin[keep],
            self.reason[keep],
        )


def groups(
    left: np.ndarray,
    left_group: np.ndarray,
    right: np.ndarray,
    right_group: np.ndarray,
    count: int,
    confidence: float | np.ndarray = 1.0,
    margin: float | np.ndarray = 1.0,
    reason: str | np.ndarray = "",
) -> Groups:
    """Groups with one value, or one per group, of confidence, margin and reason."""

    def wide(value: float | str | np.ndarray, kind: str) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, kind), count).copy()

    return Groups(
        count, left, left_group, right, right_group, wide(confidence, "f8"), wide(margin, "f8"), wide(reason, "U2")
    )


def couples(
    left: np.ndarray,
    right: np.ndarray,
    confidence: float | np.ndarray = 1.0,
    margin: float | np.ndarray = 1.0,
    reason: str | np.ndarray = "",
) -> Groups:
    """Groups of one left and one right item each."""
    number = np.arange(len(left))
    return groups(left, number, right, number, len(left), confidence, margin, reason)


@dataclass
class Book:
    """The state of one run over `size_left` × `size_right` items."""

    size_left: int
    size_right: int
    current: str = ""  # the pass that runs
    never: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))  # pair keys that people forbade, sorted
    confirmed: list[tuple[str, Groups]] = field(default_factory=list)
    suggested: list[tuple[str, Groups]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open_left = np.ones(self.size_left, bool)
        self.open_right = np.ones(self.size_right, bool)
        self.scoped_left: dict[int, str] = {}
        self.scoped_right: dict[int, str] = {}

    def take(self, proposed: Groups) -> int:
        """Confirm the undisputed groups of open items; returns how many."""
        if not proposed.count:
            return 0
        good = np.ones(proposed.count, bool)
        good[proposed.left_group[~self.open_left[proposed.left]]] = False
        good[proposed.right_group[~self.open_right[proposed.right]]] = False
        good[self._forbidden(proposed)] = False
        chosen = proposed.only(good)
        disputed = np.zeros(chosen.count, bool)
        for row, group, size in (
            (chosen.left, chosen.left_group, self.size_left),
            (chosen.right, chosen.right_group, self.size_right),
        ):
            disputed[group[counts(row, size)[row] > 1]] = True
        chosen = chosen.only(~disputed)
        self.open_left[chosen.left] = False
        self.open_right[chosen.right] = False
        if chosen.count:
            self.confirmed.append((self.current, chosen))
        return chosen.count

    def suggest(self, proposed: Groups) -> None:
        """Keep groups for a person's review. Their items stay open for later passes."""
        if proposed.count:
            good = np.ones(proposed.count, bool)
            good[self._forbidden(proposed)] = False
            self.suggested.append((self.current, proposed.only(good)))

    def scope(self, side: str, rows: np.ndarray, reason: str) -> None:
        """Take items out with a reason."""
        opened, scoped = (self.open_left, self.scoped_left) if side == "left" else (self.open_right, self.scoped_right)
        for row in rows[opened[rows]].tolist():
            scoped[row] = reason
        opened[rows] = False

    def still_open(self) -> list[tuple[str, Groups]]:
        """The suggestions whose items are all open, each item in one of them at most: the earliest pass's."""
        found, left, right = [], self.open_left.copy(), self.open_right.copy()
        for name, proposed in self.suggested:
            good = np.ones(proposed.count, bool)
            good[proposed.left_group[~left[proposed.left]]] = False
            good[proposed.right_group[~right[proposed.right]]] = False
            chosen = proposed.only(good)
            disputed = np.zeros(chosen.count, bool)
            disputed[chosen.left_group[counts(chosen.left, self.size_left)[chosen.left] > 1]] = True
            disputed[chosen.right_group[counts(chosen.right, self.size_right)[chosen.right] > 1]] = True
            chosen = chosen.only(~disputed)
            left[chosen.left] = False
            right[chosen.right] = False
            if chosen.count:
                found.append((name, chosen))
        return found

    def _forbidden(self, proposed: Groups) -> np.ndarray:
        """Groups that hold a pair which a person forbade."""
        if not len(self.never):
            return np.zeros(0, np.int64)
        rights: dict[int, list[int]] = {}
        for row, group in zip(proposed.right.tolist(), proposed.right_group.tolist(), strict=True):
            rights.setdefault(group, []).append(row)
        wrong = []
        for row, group in zip(proposed.left.tolist(), proposed.left_group.tolist(), strict=True):
            found = np.array(rights.get(group, []), np.int64)
            if np.isin(pair_key(np.full(len(found), row), found), self.never).any():
                wrong.append(group)
        return np.array(wrong, np.int64)


def pair_key(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """One number for a pair of rows."""
    return mixed(left, right)
