"""What a text names: references found by the other side's vocabulary, whatever the separators, zeros and prefixes.

A reference is cut into runs of letters and of digits. Its names are the whole (`INV-2024-0012` → INV20240012), the
whole without leading zeros (INV202412), and each tail that starts with digits (20240012, 202412). A text names an
item if some neighbouring runs of it spell one of the item's names: `RG.NR 2024/12 v. 3.4.` names it by a tail.

Every substring's hash is taken from prefix sums of a polynomial in 64 bits (odd base, wrapping), so that a million
texts take seconds. Pairs that a hash brings together are compared by amount and currency before anything is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CHUNK = 50_000
SIEVE = 26  # bits
SPAN = 5  # neighbouring runs that may spell one reference
LONGEST = 40
LETTER, DIGIT = 1, 2
WHOLE, TAIL, SHORT = 3, 2, 1  # how much a name says: all of a reference, six characters and more of its end, fewer
_BASE = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - SIEVE)
_CLASS = np.zeros(256, np.uint8)
_CLASS[[*range(65, 91), *range(97, 123)]] = LETTER
_CLASS[48:58] = DIGIT
_UPPER = np.arange(256, dtype=np.uint8)
_UPPER[97:123] -= 32
_SPLIT = np.zeros(256, bool)
_SPLIT[[ord(c) for c in ",;|\n"]] = True


@dataclass(frozen=True)
class Names:
    """(hash, row, strength): by hash. A row may have a name once per strength at most."""

    value: np.ndarray
    row: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class Runs:
    """Runs of one class in a chunk. `a`, `b`: their stretch in `kept`, the letters and digits in a row, upper case.

    `changed`: 1 for a run that lost zeros; None where this is the text as written.
    """

    a: np.ndarray
    b: np.ndarray
    row: np.ndarray
    piece: np.ndarray
    kind: np.ndarray
    kept: np.ndarray
    changed: np.ndarray | None = None


def plain(texts: pa.Array) -> pa.Array:
    """Compatibility forms (full width digits) as plain ones; null as empty."""
    filled = pc.fill_null(texts, "")
    return filled if pc.all(pc.string_is_ascii(filled)).as_py() in (True, None) else pc.utf8_normalize(filled, "NFKC")


def compact(texts: pa.Array) -> pa.Array:
    """Only letters and digits, upper case: what spelling is compared on."""
    return pc.replace_substring_regex(pc.utf8_upper(plain(texts)), r"[^\p{L}\p{N}]", "")


def own_names(references: Sequence[pa.Array], shortest: int) -> Names:
    """All names of the items of a side. A field may list several references, separated by comma, semicolon or bar."""
    found: list[tuple[np.ndarray, ...]] = []
    for texts in references:
        for first, runs in _chunks(texts):
            hashes = _Hashes(runs.kept)
            begins = np.flatnonzero(np.r_[True, runs.piece[1:] != runs.piece[:-1]]) if len(runs.a) else np.zeros(0, int)
            size = np.diff(np.r_[begins, len(runs.a)])
            last = np.repeat(begins + size - 1, size)
            whole = np.zeros(len(runs.a), bool)
            whole[begins] = True
            chosen = (whole | (runs.kind == DIGIT)) & _worth(runs, np.arange(len(runs.a)), last, shortest)
            at = np.flatnonzero(chosen)
            a, b = runs.a[at], runs.b[last[at]]
            long = (b - a) >= np.where(whole[at], 5, 6)
            strength = np.where(whole[at] & long, WHOLE, np.where(long, TAIL, SHORT)).astype(np.uint8)
            found.append((hashes.of(a, b), runs.row[at] + first, strength))
    return _sorted(found)


def named(texts: Sequence[pa.Array], known: np.ndarray, shortest: int) -> tuple[np.ndarray, np.ndarray]:
    """(hash, row) of each name out of `known` (sorted, unique) that a row's texts spell; each pair once."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    sieve = np.zeros(1 << SIEVE, bool)  # most stretches name nothing, and this says so without a search
    sieve[known >> _SHIFT] = True
    for each in texts:
        for first, runs in _chunks(each):
            if not len(known) or not len(runs.a):
                continue
            hashes = _Hashes(runs.kept)
            starts = np.arange(len(runs.a))
            for span in range(SPAN):
                at = starts[: max(len(starts) - span, 0)]
                at = at[runs.row[at] == runs.row[at + span]]
                at = at[_worth(runs, at, at + span, shortest)]
                value = hashes.of(runs.a[at], runs.b[at + span])
                maybe = sieve[value >> _SHIFT]
                at, value = at[maybe], value[maybe]
                place = np.minimum(np.searchsorted(known, value), len(known) - 1)
                hit = known[place] == value
                found.append((value[hit], runs.row[at[hit]] + first))
    if not found:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    value, row = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.lexsort((row, value))
    value, row = value[order], row[order]
    fresh = np.r_[True, (value[1:] != value[:-1]) | (row[1:] != row[:-1])] if len(value) else np.zeros(0, bool)
    return value[fresh], row[fresh]


def _worth(runs: Runs, i: np.ndarray, j: np.ndarray, shortest: int) -> np.ndarray:
    """Stretches from run i to run j that are long enough and hold a digit."""
    counted = runs.kind == DIGIT if runs.changed is None else runs.changed  # unchanged stretches were seen as written
    wanted = np.r_[0, np.cumsum(counted)]
    size = runs.b[j] - runs.a[i]
    return (size >= shortest) & (size <= LONGEST) & (wanted[j + 1] > wanted[i])


def _chunks(texts: pa.Array) -> Iterator[tuple[int, Runs]]:
    """Each chunk twice: as written, and with the leading zeros of every run of digits dropped."""
    texts = plain(texts)
    for first in range(0, len(texts), CHUNK):
        part = texts.slice(first, CHUNK)
        part = pa.concat_arrays([part, pa.array([], part.type)]) if part.offset else part
        raw = _runs(part)
        if raw is None:
            continue
        yield first, raw[0]
        if raw[1] is not None:
            yield first, raw[1]


def _runs(texts: pa.Array) -> tuple[Runs, Runs | None] | None:
    buffers = texts.buffers()
    offsets = np.frombuffer(buffers[1], np.int32, len(texts) + 1, texts.offset * 4)
    data = np.frombuffer(buffers[2], np.uint8)[offsets[0] : offsets[-1]] if buffers[2] else np.zeros(0, np.uint8)
    if not len(data):
        return None
    row = np.repeat(np.arange(len(texts)), np.diff(offsets))
    kind = _CLASS[data]
    fresh = np.r_[True, row[1:] != row[:-1]]
    piece = np.cumsum(fresh | _SPLIT[data])
    begins = (kind != 0) & (fresh | np.r_[True, kind[1:] != kind[:-1]])
    keep = kind != 0
    if not keep.any():
        return None
    kept = _UPPER[data[keep]]
    run = np.cumsum(begins[keep]) - 1
    head = np.flatnonzero(begins)
    made = _table(kept, run, row[head], piece[head], kind[head])
    digit_run = kind[head] == DIGIT
    zeros = (kept == 48) & digit_run[run]
    if not zeros.any():
        return made, None
    place = np.arange(len(kept))
    solid = np.minimum.reduceat(np.where(zeros, len(kept), place), made.a)  # first character that is no zero
    solid = np.where(solid >= made.b, made.b - 1, solid)  # 000 stays 0
    stay = place >= solid[run]
    if stay.all():
        return made, None
    lost = np.bincount(run[~stay], minlength=len(made.a)) > 0
    return made, _table(kept[stay], run[stay], made.row, made.piece, made.kind, lost)


def _table(
    kept: np.ndarray,
    run: np.ndarray,
    row: np.ndarray,
    piece: np.ndarray,
    kind: np.ndarray,
    changed: np.ndarray | None = None,
) -> Runs:
    size = np.bincount(run, minlength=len(row))
    b = np.cumsum(size)
    return Runs(b - size, b, row, piece, kind, kept, changed)


class _Hashes:
    """The hash of any stretch of a chunk's characters."""

    _powers = np.ones(1, np.uint64)
    _inverse = np.ones(1, np.uint64)

    def __init__(self, kept: np.ndarray) -> None:
        power, self.inverse = self._tables(len(kept) + 1)
        self.sums = np.zeros(len(kept) + 1, np.uint64)
        np.cumsum((kept.astype(np.uint64) + np.uint64(1)) * power[: len(kept)], out=self.sums[1:])

    @classmethod
    def _tables(cls, size: int) -> tuple[np.ndarray, np.ndarray]:
        if len(cls._powers) < size:
            inverse = np.uint64(pow(int(_BASE), -1, 2**64))
            for name, base in (("_powers", _BASE), ("_inverse", inverse)):
                table = np.full(size, base, np.uint64)
                table[0] = 1
                setattr(cls, name, np.cumprod(table, dtype=np.uint64))
        return cls._powers, cls._inverse

    def of(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        value = (self.sums[b] - self.sums[a]) * self.inverse[a]
        return mixed(value ^ ((b - a).astype(np.uint64) << np.uint64(56)))


def mixed(*parts: np.ndarray) -> np.ndarray:
    """One well spread uint64 of several integer columns (the finaliser of splitmix64, chained)."""
    total = np.zeros(len(parts[0]), np.uint64)
    for part in parts:
        total = (
            total * np.uint64(0xD1342543DE82EF95) + part.astype(np.int64, copy=False).view(np.uint64)
            if part.dtype != np.uint64
            else total * np.uint64(0xD1342543DE82EF95) + part
        )
        total = (total ^ (total >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        total = (total ^ (total >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total ^= total >> np.uint64(31)
    return total


def _sorted(found: list[tuple[np.ndarray, ...]]) -> Names:
    if not found:
        return Names(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.uint8))
    value, row, strength = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.lexsort((-strength.astype(np.int8), row, value))
    value, row, strength = value[order], row[order], strength[order]
    fresh = np.r_[True, (value[1:] != value[:-1]) | (row[1:] != row[:-1])] if len(value) else np.zeros(0, bool)
    return Names(value[fresh], row[fresh], strength[fresh])
