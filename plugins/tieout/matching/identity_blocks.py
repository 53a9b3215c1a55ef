"""Which records are worth comparing: a union of blocks, so that one field that is wrong hides nobody.

A block is all records with one key. A block of more than CAP records is narrowed by what else its records say; what is
still too large then is not compared, and is told. Whether two records meet depends on their own keys alone, so a
rescore of changed records finds what a rescore of everything finds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xxhash

from tieout.matching.identity_records import Records

CAP = 80
PREFIX = 6
SHORTEST_SPELLED = 5  # letters of a word whose misspellings are looked for


@dataclass(frozen=True)
class Skipped:
    """Blocks of one kind that stayed too large: so many records in so many blocks were not compared by that key."""

    kind: str
    blocks: int
    records: int


@dataclass(frozen=True, eq=False)
class Blocks:
    """Effective keys: `key[i]` is a key of record `record[i]`; sorted by key."""

    key: np.ndarray
    record: np.ndarray
    narrowed: tuple[Skipped, ...]
    skipped: tuple[Skipped, ...]


def _key(*parts: str) -> int:
    return xxhash.xxh3_64_intdigest("\x1f".join(parts).encode()) >> 1


def make(records: Records) -> Blocks:
    """All effective keys of all records."""
    narrowers = _narrowers(records)
    keys, members, narrowed, skipped = [], [], [], []
    for kind, found_keys, found_records in _kinds(records):
        key, record = np.array(found_keys, dtype=np.int64), np.array(found_records, dtype=np.int64)
        done = 0
        for narrower in (None, *narrowers):
            if narrower is not None:
                if not len(key):
                    break
                done = len(np.unique(key)) if done == 0 else done
                key, record = _narrow(key, record, narrower)
            key, record, fine = _split(key, record)
            keys.append(key[fine])
            members.append(record[fine])
            if narrower is None and not fine.all():
                large = ~fine
                narrowed.append(Skipped(kind, len(np.unique(key[large])), len(np.unique(record[large]))))
            key, record = key[~fine], record[~fine]
        if len(key):
            skipped.append(Skipped(kind, len(np.unique(key)), len(np.unique(record))))
    key, record = np.concatenate(keys), np.concatenate(members)
    order = np.lexsort((record, key))
    return Blocks(key[order], record[order], tuple(narrowed), tuple(skipped))


def pairs(blocks: Blocks, changed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(left, right) positions of records that share a key, left < right, each pair once.

    changed: mask of records; only pairs with at least one of them are yielded.
    """
    key, record = blocks.key, blocks.record
    if not len(key):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    sizes = np.diff(np.r_[starts, len(key)])
    if changed is not None:
        touched = np.add.reduceat(changed[record].astype(np.int64), starts) > 0
        starts, sizes = starts[touched], sizes[touched]
    found = np.empty(0, np.int64)
    waiting: list[np.ndarray] = []
    for size in np.unique(sizes[sizes > 1]):
        rows, columns = np.triu_indices(size, 1)
        at = starts[sizes == size]
        step = max(1, 4_000_000 // len(rows))
        for low in range(0, len(at), step):
            inside = record[at[low : low + step, None] + np.arange(size)]
            left, right = inside[:, rows].ravel(), inside[:, columns].ravel()
            if changed is not None:
                kept = changed[left] | changed[right]
                left, right = left[kept], right[kept]
            waiting.append(np.minimum(left, right) << 32 | np.maximum(left, right))
            if sum(map(len, waiting)) > 20_000_000:
                found, waiting = np.unique(np.concatenate([found, *waiting])), []
    found = np.unique(np.concatenate([found, *waiting]))
    left, right = found >> 32, found & 0xFFFFFFFF
    return left[left != right], right[left != right]


def of_record(blocks: Blocks, count: int) -> np.ndarray:
    """One digest of the effective keys of each record."""
    digest = np.zeros(count, dtype=np.uint64)
    mixed = blocks.key.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    np.add.at(digest, blocks.record, mixed ^ (mixed >> np.uint64(29)))
    return digest


def _split(key: np.ndarray, record: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorted, each (key, record) once, keys of one record dropped; and which are in blocks that are small enough."""
    if not len(key):
        return key, record, np.empty(0, dtype=bool)
    order = np.lexsort((record, key))
    key, record = key[order], record[order]
    once = np.r_[True, (key[1:] != key[:-1]) | (record[1:] != record[:-1])]
    key, record = key[once], record[once]
    _, place, sizes = np.unique(key, return_inverse=True, return_counts=True)
    kept = sizes[place] > 1
    return key[kept], record[kept], sizes[place][kept] <= CAP


def _narrow(key: np.ndarray, record: np.ndarray, narrower: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The keys with what else the records say. `narrower`: (n, m) numbers per record, 0 where it says nothing."""
    keys, members = [], []
    for column in range(narrower.shape[1]):
        more = narrower[record, column]
        kept = more != 0
        mixed = (key[kept].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ more[kept].astype(np.uint64)
        keys.append((mixed >> np.uint64(1)).astype(np.int64))
        members.append(record[kept])
    return np.concatenate(keys), np.concatenate(members)


def _narrowers(records: Records) -> tuple[np.ndarray, ...]:
    """First by any of: city, start of the name, second word; then by any two of the finer ones."""
    hashed = {text: _key(text) if text else 0 for text in {*records.city, *records.country, *records.postcode}}
    country = np.array([hashed[text] for text in records.country], dtype=np.int64)
    city = np.array([hashed[text] for text in records.city], dtype=np.int64)
    code = np.array([hashed[text] for text in records.postcode], dtype=np.int64)
    start = np.array([_key(name[:3]) if name else 0 for name in records.name], dtype=np.int64)
    whole = np.array([_key("=", name) if name else 0 for name in records.name], dtype=np.int64)
    first = np.stack([np.where(country != 0, start ^ country, 0), code, whole], axis=1)
    both = np.where((city != 0) & (start != 0), city ^ (start << 1 & 0x7FFFFFFFFFFFFFFF), 0)
    at = np.where((code != 0) & (start != 0), code ^ (start << 1 & 0x7FFFFFFFFFFFFFFF), 0)
    second = np.stack([both, at, np.where(whole != 0, whole ^ city, 0)], axis=1)
    return first, second


def _kinds(records: Records):
    """(kind, keys, records) for each kind of block."""
    yield "external_id", *_claimed(records)
    for kind, values in (("tax_id", records.tax), ("site", records.site), ("phone", records.phone)):
        yield kind, *_column(kind, values)
    yield "name", *_column("name", np.array([name.replace(" ", "") for name in records.name], dtype=object))
    yield "word", *_rare_words(records)
    yield "spelling", *_spellings(records)
    yield "words", *_word_pairs(records)
    prefixes = [name.replace(" ", "")[:PREFIX] for name in records.name]
    yield (
        "prefix",
        *_column(
            "prefix",
            [f"{p}/{c}" if len(p) == PREFIX and c else "" for p, c in zip(prefixes, records.country, strict=True)],
        ),
    )
    yield "initials", *_initials(records)
    yield (
        "postcode",
        *_column(
            "postcode", [f"{p}/{c}" if p and c else "" for p, c in zip(records.postcode, records.country, strict=True)]
        ),
    )
    yield (
        "address",
        *_column(
            "address",
            [
                f"{s}/{t}/{c}" if s and t else ""
                for s, t, c in zip(records.street, records.city, records.country, strict=True)
            ],
        ),
    )


def _column(kind: str, values) -> tuple[list[int], list[int]]:
    known = {value: _key(kind, value) for value in set(values) if value}
    told = [(known[value], at) for at, value in enumerate(values) if value]
    return [key for key, _ in told], [at for _, at in told]


def _claimed(records: Records) -> tuple[list[int], list[int]]:
    """A block of two for each external id that names a record."""
    keys, members = [], []
    for at, to in enumerate(records.claims):
        if to >= 0:
            key = _key("external", records.connection[at], records.id[at], records.connection[to], records.id[to])
            keys += [key, key]
            members += [at, int(to)]
    return keys, members


def _rare_words(records: Records) -> tuple[list[int], list[int]]:
    keys = np.array([_key("word", word) for word in records.vocabulary], dtype=np.int64)
    rows, columns = np.nonzero((records.words >= 0) & (records.rank[records.words] < 2))
    return list(keys[records.words[rows, columns]]), list(rows)


def _spellings(records: Records) -> tuple[list[int], list[int]]:
    """Words that are not common, each with every one of its letters left out, in one country: a typing error in one
    letter, or two that changed places, meets there.
    """
    made: dict[int, list[str]] = {}
    for number, word in enumerate(records.vocabulary):
        if records.rank[number] < 2 and len(word) >= SHORTEST_SPELLED:
            made[number] = sorted({word, *(word[:at] + word[at + 1 :] for at in range(len(word)))})
    keys, members, known = [], [], {}
    for at in range(len(records)):
        country = records.country[at]
        for number in records.words[at, :3]:
            for variant in made.get(int(number), ()) if country and number >= 0 else ():
                found = known.get((variant, country))
                if found is None:
                    found = known[variant, country] = _key("spelling", variant, country)
                keys.append(found)
                members.append(at)
    return keys, members


def _word_pairs(records: Records) -> tuple[list[int], list[int]]:
    keys, members = [], []
    for at in range(len(records)):
        first, second = records.words[at, 0], records.words[at, 1]
        if second >= 0:
            one, two = sorted((records.vocabulary[first], records.vocabulary[second]))
            keys.append(_key("words", one, two))
            members.append(at)
    return keys, members


def _initials(records: Records) -> tuple[list[int], list[int]]:
    """Initials of three and more letters, and names that are one short word."""
    told = []
    for name, initials, country in zip(records.name, records.initials, records.country, strict=True):
        short = name if 3 <= len(name) <= 5 and " " not in name else initials if len(initials) >= 3 else ""
        told.append(f"{short}/{country}" if short and country else "")
    return _column("initials", told)
