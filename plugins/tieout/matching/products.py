"""Which products are one: the same code, else the same GTIN, else a text that is each other's best.

Codes and GTINs decide; a text only proposes, unless it says the same but for order, case and marks. Sizes and other
numbers in a text must be equal: a 250 ml bottle is not nearly a 500 ml one. Yields only products that another code,
or none, would have kept apart; the same code needs no matching.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tieout.matching import identity_store as store
from tieout.matching.identity_normalise import plain

if TYPE_CHECKING:
    import psycopg

Record = tuple[str, str]  # (connection, id)
AUTO, REVIEW, MARGIN = 100.0, 84.0, 6.0
CHUNK = 2_000
VERSION = 1  # of the way of comparing; another one matches everything anew
FIELDS = ("connection", "product_id", "product_code", "gtin", "name", "role")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records, what joins or nearly joins them (gtin, text, decided), its similarity 0–100, and the zone."""

    a: Record
    b: Record
    method: str
    score: float
    zone: str


@dataclass(frozen=True)
class Matched:
    """keys: {record: (product key, method)} of records that found another one's key. pairs: auto and review."""

    keys: dict[Record, tuple[str, str]]
    pairs: tuple[Pair, ...]


def gtin(text: str | None) -> str:
    """Fourteen digits whose check digit stands; '' for anything else."""
    digits = re.sub(r"\D", "", text or "")
    if len(digits) not in (8, 12, 13, 14) or not int(digits):
        return ""
    digits = digits.zfill(14)
    total = sum(int(digit) * (3 if at % 2 == 0 else 1) for at, digit in enumerate(digits[:13]))
    return digits if (10 - total % 10) % 10 == int(digits[13]) else ""


def key_of(connection: str, product_id: str, code: str) -> str:
    """The key of a product by itself, as int_products__identified makes it."""
    parts = ("product", code) if code else ("product", connection, product_id)
    return hashlib.md5("|".join(parts).encode(), usedforsecurity=False).hexdigest()


def match(
    rows: Iterable[Sequence[str | None]],
    same: Iterable[tuple[Record, Record]] = (),
    parted: Iterable[tuple[Record, Record]] = (),
) -> Matched:
    """Match rows in the order of FIELDS. Decisions first; then GTINs, then texts."""
    told = sorted((r[0], r[1], (r[2] or "").strip().upper(), gtin(r[3]), r[4] or "", r[5] or "") for r in rows)
    records = [(row[0], row[1]) for row in told]
    place = {record: at for at, record in enumerate(records)}
    group = _Groups(told, {tuple(sorted(pair)) for pair in parted})
    pairs = []
    for a, b in same:
        if a in place and b in place:
            group.join(place[a], place[b], forced=True)
            pairs.append(Pair(*sorted((a, b)), "decided", 100.0, "same"))
    by_code: dict[str, int] = {}
    for at, row in enumerate(told):
        if row[2]:
            group.join(by_code.setdefault(row[2], at), at, forced=True)
    by_gtin: dict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(told):
        if row[3]:
            by_gtin[row[3]].append(at)
    for found in by_gtin.values():
        for at in found[1:]:
            if group.find(found[0]) != group.find(at):
                zone = "auto" if group.join(found[0], at) else "review"
                pairs.append(Pair(records[found[0]], records[at], "gtin", 100.0, zone))
    for a, b, score, sure in _alike(told, group):
        two_codes = bool(told[a][2] and told[b][2])  # they say that they differ: a person decides
        zone = "auto" if sure and not two_codes and group.join(a, b) else "review"
        pairs.append(Pair(records[a], records[b], "text", score, zone))
    return Matched(_keys(told, group, pairs), tuple(pairs))


class _Groups:
    """Records that are one product. Two codes of one connection, or two GTINs, are two products."""

    def __init__(self, told: Sequence[tuple], parted: set[tuple[Record, Record]]) -> None:
        self._root = list(range(len(told)))
        self._told, self._parted = told, parted
        self.members: dict[int, list[int]] = {at: [at] for at in range(len(told))}

    def find(self, at: int) -> int:
        return self._root[at]

    def join(self, a: int, b: int, *, forced: bool = False) -> bool:
        one, two = self._root[a], self._root[b]
        if one == two:
            return True
        if not forced and not self._fit(self.members[one], self.members[two]):
            return False
        if len(self.members[one]) < len(self.members[two]):
            one, two = two, one
        for at in self.members.pop(two):
            self._root[at] = one
            self.members[one].append(at)
        return True

    def _fit(self, one: list[int], two: list[int]) -> bool:
        rows = [self._told[at] for at in one], [self._told[at] for at in two]
        if any(tuple(sorted(((x[0], x[1]), (y[0], y[1])))) in self._parted for x in rows[0] for y in rows[1]):
            return False
        if any(x[0] == y[0] for x in rows[0] for y in rows[1]):
            return False
        numbers = {row[3] for found in rows for row in found if row[3]}
        return len(numbers) < 2


def _alike(told: Sequence[tuple], group: _Groups) -> list[tuple[int, int, float, bool]]:
    """(a, b, similarity, whether it decides) of records of two connections that are each other's best by text, where
    neither has found anybody in the other's connection. Best first.
    """
    by_connection: dict[str, list[int]] = defaultdict(list)
    texts, numbers = [], []
    for at, row in enumerate(told):
        by_connection[row[0]].append(at)
        words = plain(row[4]).split()
        texts.append(" ".join(sorted(words)))
        numbers.append(tuple(sorted(word for word in words if any(c.isdigit() for c in word))))
    found = []
    names = sorted(by_connection)
    for n, one in enumerate(names):
        for two in names[n + 1 :]:
            a = _alone(by_connection[one], two, told, group, texts)
            b = _alone(by_connection[two], one, told, group, texts)
            if a and b:
                found += _mutual(a, b, texts, numbers)
    return sorted(found, key=lambda row: (-row[2], told[row[0]][4], told[row[1]][4], row[0], row[1]))


def _alone(found: list[int], other: str, told: Sequence[tuple], group: _Groups, texts: list[str]) -> list[int]:
    return [at for at in found if texts[at] and all(told[m][0] != other for m in group.members[group.find(at)])]


def _mutual(a: list[int], b: list[int], texts: list[str], numbers: list[tuple]) -> list[tuple[int, int, float, bool]]:
    from rapidfuzz import fuzz, process

    right = [texts[at] for at in b]
    best = np.zeros((len(a), 3))  # (column, similarity, the next best)
    top = np.full((len(b), 3), -1.0)
    for low in range(0, len(a), CHUNK):
        part = a[low : low + CHUNK]
        grid = process.cdist(
            [texts[at] for at in part], right, scorer=fuzz.ratio, dtype=np.float32, score_cutoff=REVIEW, workers=2
        )
        for row, at in enumerate(part):
            for column in np.flatnonzero(grid[row]):
                if numbers[at] != numbers[b[column]]:
                    grid[row, column] = 0
        best[low : low + len(part)] = _two_best(grid)
        down = _two_best(grid.T)
        better = down[:, 1] > top[:, 1]
        top[:, 2] = np.maximum(np.maximum(top[:, 2], down[:, 2]), np.minimum(top[:, 1], down[:, 1]))
        top[better, 0] = down[better, 0] + low
        top[better, 1] = down[better, 1]
    found = []
    for row, (column, score, second) in enumerate(best):
        if score >= REVIEW and top[int(column), 0] == row:
            lead = score - max(second, top[int(column), 2])
            found.append((a[row], b[int(column)], round(float(score), 3), bool(score >= AUTO and lead >= MARGIN)))
    return found


def _two_best(grid: np.ndarray) -> np.ndarray:
    """Per row (column of the best, the best, the next best)."""
    column = grid.argmax(axis=1)
    score = grid[np.arange(len(grid)), column]
    rest = grid.copy()
    rest[np.arange(len(grid)), column] = 0
    return np.stack([column.astype(float), score.astype(float), rest.max(axis=1).astype(float)], axis=1)


def _keys(told: Sequence[tuple], group: _Groups, pairs: Sequence[Pair]) -> dict[Record, tuple[str, str]]:
    """The key of the group's first record: with a code before without, the ERP's first."""
    how = {record: pair.method for pair in pairs if pair.zone in ("auto", "same") for record in (pair.a, pair.b)}
    keys: dict[Record, tuple[str, str]] = {}
    for members in group.members.values():
        first = min(
            members, key=lambda at: (not told[at][2], told[at][5] != "erp", told[at][0], len(told[at][1]), told[at][1])
        )
        key = key_of(told[first][0], told[first][1], told[first][2])
        for at in members:
            row = told[at]
            if key != key_of(row[0], row[1], row[2]):
                keys[row[0], row[1]] = (key, how.get((row[0], row[1]), "code"))
    return keys


def run(books: psycopg.Connection, run_id: int, *, everything: bool = False) -> Matched | None:
    """Match the products of the warehouse; None where neither a record nor a decision changed since the last time."""
    decided = store.decisions(books, "product")
    told = sorted(
        books.execute(f"select {', '.join(FIELDS)} from intermediate.int_products__unioned").fetchall(),
        key=lambda row: row[:2],
    )
    digest = hashlib.sha256(repr((VERSION, told, decided)).encode()).hexdigest()
    known = books.execute("select digest from intermediate.int_products__scored").fetchone()
    if not everything and known == (digest,):
        return None
    found = match(
        told, [(one.a, one.b) for one in decided if one.same], [(one.a, one.b) for one in decided if not one.same]
    )
    with books.transaction():
        for table in ("clustered", "compared", "scored"):
            books.execute(f"delete from intermediate.int_products__{table}")
        with books.cursor().copy(
            "copy intermediate.int_products__clustered (connection, product_id, product_key, method) from stdin"
        ) as into:
            for record, (key, method) in sorted(found.keys.items()):
                into.write_row((*record, key, method))
        with books.cursor().copy(
            "copy intermediate.int_products__compared"
            " (connection_a, product_id_a, connection_b, product_id_b, method, score, zone, run_id) from stdin"
        ) as into:
            for pair in found.pairs:
                into.write_row((*pair.a, *pair.b, pair.method, pair.score, pair.zone, run_id))
        books.execute("insert into intermediate.int_products__scored (digest) values (%s)", (digest,))
    return found
