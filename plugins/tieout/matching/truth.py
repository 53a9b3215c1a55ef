"""A result against labels. `truth.csv` has left_id, right_id and, where known, reason.

A row with both ids says that the two belong together; a row with one id and a reason says why that item stays alone.
Rows of one group share items: their connected parts are the groups. A reason beside both ids labels the difference of
their match.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tieout.errors import ConfigError
from tieout.matching import money
from tieout.matching.decided import read_columns

if TYPE_CHECKING:
    from tieout.matching.book import Groups
    from tieout.matching.engine import Result

COLUMNS = ("left_id", "right_id", "reason")


@dataclass(frozen=True)
class Score:
    """Couples inside groups, whole groups, groups believed wrongly (count and right amount), and reasons of breaks."""

    pairs: int
    found: int
    hit: int
    precision: float
    recall: float
    f1: float
    groups: int
    exact_groups: int
    confirmed: int
    false_auto: int
    false_auto_share: float
    amount: dict[str, str]
    false_auto_amount: dict[str, str]
    reasons: dict[str, dict[str, int]]


def load(path: Path) -> list[tuple[str, str, str]]:
    """Rows of (left id, right id, reason), empty where absent. Raises ConfigError."""
    rows = read_columns(path, COLUMNS, needed=("left_id", "right_id"))
    for line, (left, right, _) in enumerate(rows, start=2):
        if not left and not right:
            raise ConfigError(f"{path}:{line}: neither left_id nor right_id")
    return rows


def score(result: Result, labels: list[tuple[str, str, str]]) -> Score:
    """How well the confirmed matches and the breaks agree with the labels."""
    true = {(left, right) for left, right, _ in labels if left and right}
    names_l, names_r = result.facts.left.ids.to_pylist(), result.facts.right.ids.to_pylist()
    i, j = result.pairs()
    found = {(names_l[a], names_r[b]) for a, b in zip(i.tolist(), j.tolist(), strict=True)}
    hit = len(true & found)
    precision, recall = hit / len(found) if found else 1.0, hit / len(true) if true else 1.0
    believed, wrong, amount, wrong_amount = 0, 0, Counter[str](), Counter[str]()
    made = []
    for couples, currency_amounts in _groups(result, names_l, names_r):
        believed += 1
        amount.update(currency_amounts)
        made.append(couples)
        if not couples[2] <= true:
            wrong += 1
            wrong_amount.update(currency_amounts)
    truth_groups = _components(true)
    exact = len({(left, right) for left, right, _ in made} & set(truth_groups))
    return Score(
        len(true), len(found), hit, round(precision, 6), round(recall, 6),
        round(2 * precision * recall / (precision + recall), 6) if precision + recall else 0.0,
        len(truth_groups), exact, believed, wrong, round(wrong / believed, 6) if believed else 0.0,
        _money(amount), _money(wrong_amount), _confusion(result, labels, names_l, names_r),
    )  # fmt: skip


def _money(amount: Counter[str]) -> dict[str, str]:
    return {word: str(money.from_minor(minor, word)) for word, minor in sorted(amount.items())}


Couples = tuple[frozenset[str], frozenset[str], frozenset[tuple[str, str]]]


def _groups(result: Result, names_l: list[str], names_r: list[str]) -> list[tuple[Couples, dict[str, int]]]:
    found = []
    for _, made in result.confirmed:
        left, right = _by_group(made, "left"), _by_group(made, "right")
        for group in range(made.count):
            ours, theirs = [names_l[row] for row in left[group]], [names_r[row] for row in right[group]]
            total: Counter[str] = Counter()
            for row in right[group]:
                word = result.facts.currencies[result.facts.right_currency[row]]
                total[word] += abs(int(result.facts.right.amount[row]))
            couples = frozenset((a, b) for a in ours for b in theirs)
            found.append(((frozenset(ours), frozenset(theirs), couples), dict(total)))
    return found


def _by_group(made: Groups, side: str) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(made.count)]
    for row, group in zip(getattr(made, side).tolist(), getattr(made, f"{side}_group").tolist(), strict=True):
        rows[group].append(row)
    return rows


def _components(true: set[tuple[str, str]]) -> list[tuple[frozenset[str], frozenset[str]]]:
    from tieout.matching.joins import components

    if not true:
        return []
    lefts, rights = sorted({a for a, _ in true}), sorted({b for _, b in true})
    at_l, at_r = {name: n for n, name in enumerate(lefts)}, {name: n for n, name in enumerate(rights)}
    pairs = sorted(true)
    label_l, label_r = components(np.array([at_l[a] for a, _ in pairs]), np.array([at_r[b] for _, b in pairs]),
                                  len(lefts), len(rights))  # fmt: skip
    found: dict[int, tuple[set[str], set[str]]] = {}
    for side, (names, labels) in enumerate(((lefts, label_l), (rights, label_r))):
        for name, label in zip(names, labels.tolist(), strict=True):
            found.setdefault(label, (set(), set()))[side].add(name)
    return [(frozenset(left), frozenset(right)) for left, right in found.values()]


def _confusion(
    result: Result, labels: list[tuple[str, str, str]], names_l: list[str], names_r: list[str]
) -> dict[str, dict[str, int]]:
    """{expected reason: {found reason: count}}; `none` where an item was matched without a break."""
    told: dict[tuple[str, str], str] = {}
    by_number = {}
    for side, row, reason in zip(result.breaks.side.tolist(), result.breaks.row.tolist(), result.breaks.reason.tolist(),
                                 strict=True):  # fmt: skip
        if side == "match":
            by_number[row] = reason
        else:
            told[side, (names_l if side == "left" else names_r)[row]] = reason
    first = 0
    for _, made in result.confirmed:
        for side, names in (("left", names_l), ("right", names_r)):
            for row, group in zip(getattr(made, side).tolist(), getattr(made, f"{side}_group").tolist(), strict=True):
                if first + group in by_number:
                    told[side, names[row]] = by_number[first + group]
        first += made.count
    table: dict[str, Counter[str]] = {}
    for left, right, reason in labels:
        if reason:
            key = ("left", left) if left else ("right", right)
            table.setdefault(reason, Counter())[told.get(key, "none")] += 1
    return {reason: dict(sorted(found.items())) for reason, found in sorted(table.items())}


def ids_known(result: Result, labels: list[tuple[str, str, str]]) -> tuple[int, int]:
    """How many labelled ids neither side holds: (left, right). Labels for other files score nothing."""
    unknown = []
    for side, items in ((0, result.facts.left), (1, result.facts.right)):
        wanted = pa.array(sorted({row[side] for row in labels if row[side]}), pa.string())
        unknown.append(len(set(wanted.to_pylist()) - set(items.ids.to_pylist())))
    return unknown[0], unknown[1]


def as_lines(score: Score) -> list[tuple[str, Any]]:
    """The score as (what, figure) for a table."""
    return [
        ("labelled pairs", score.pairs), ("pairs found", score.found), ("precision", f"{score.precision:.4f}"),
        ("recall", f"{score.recall:.4f}"), ("F1", f"{score.f1:.4f}"),
        ("groups exact", f"{score.exact_groups:,} of {score.groups:,}"),
        ("wrongly confirmed", f"{score.false_auto:,} of {score.confirmed:,} ({score.false_auto_share:.3%})"),
    ]  # fmt: skip
