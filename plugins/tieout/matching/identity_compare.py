"""Pairs of records, attribute by attribute: one level each. Columnar: strings are compared in batches by rapidfuzz.

ATTRIBUTES lists every attribute with its levels; 'unknown' always means that one of the two does not say, and weighs
nothing. What a level is worth stands in the seed `rec_identity_weights`, not here.
"""

from __future__ import annotations

import numpy as np

from tieout.matching.identity_records import Records

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "name": (
        "unknown",
        "equal",
        "equal_usual",
        "equal_common",
        "affix",
        "close",
        "truncated",
        "contained",
        "initials",
        "family",
        "similar",
        "different",
    ),
    "legal_form": ("unknown", "same", "other"),
    "country": ("unknown", "same", "other"),
    "tax_id": ("unknown", "same_checked", "same", "close", "other", "other_checked"),
    "site": ("unknown", "same", "same_shared", "other"),
    "address": ("unknown", "street", "postcode", "city", "elsewhere"),
    "phone": ("unknown", "same", "other"),
    "external_id": ("unknown", "both", "one", "other"),
    "kind": ("unknown", "same", "other"),
}
WORKERS = 2
CLOSE, SIMILAR = 86.0, 70.0
STREET_CLOSE = 85.0


def levels(records: Records, left: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """{attribute: int8 level per pair}, an index into ATTRIBUTES[attribute]."""
    return {
        "name": _names(records, left, right),
        "legal_form": _equal(records.form, left, right),
        "country": _equal(records.country, left, right),
        "tax_id": _tax_ids(records, left, right),
        "site": _sites(records, left, right),
        "address": _addresses(records, left, right),
        "phone": _equal(records.phone, left, right),
        "external_id": _external_ids(records, left, right),
        "kind": np.where(records.is_person[left] == records.is_person[right], 0, 2).astype(np.int8),
    }


def _equal(column: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    a, b = column[left], column[right]
    return np.where((a == "") | (b == ""), 0, np.where(a == b, 1, 2)).astype(np.int8)


def _code(attribute: str, level: str) -> int:
    return ATTRIBUTES[attribute].index(level)


def _batch(a: np.ndarray, b: np.ndarray, scorer: str) -> np.ndarray:
    from rapidfuzz import distance, fuzz, process

    if not len(a):
        return np.empty(0, np.float32)
    chosen = distance.OSA.distance if scorer == "osa" else getattr(fuzz, scorer)
    return process.cpdist(list(a), list(b), scorer=chosen, workers=WORKERS)


def _names(records: Records, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    a, b = records.name[left], records.name[right]
    said = (a != "") & (b != "")
    ratio = np.zeros(len(a), np.float32)
    ratio[said] = np.maximum(_batch(a[said], b[said], "ratio"), _batch(a[said], b[said], "token_sort_ratio"))
    squashed = np.array([x.replace(" ", "") == y.replace(" ", "") for x, y in zip(a, b, strict=True)], dtype=bool)
    prefix = np.array([_begins(x, y) for x, y in zip(a, b, strict=True)], dtype=bool)
    initials = np.array(
        [x == i or y == j for x, y, i, j in zip(a, b, records.initials[right], records.initials[left], strict=True)],
        dtype=bool,
    )
    words = _word_facts(records, left, right)
    chance = np.maximum(records.chance[left], records.chance[right])
    equal = squashed | (words["all_shared"] & (words["shared"] > 0))
    rules = (
        (~said, "unknown"),
        (equal & (chance == 0), "equal"),
        (equal & (chance == 1), "equal_usual"),
        (equal, "equal_common"),
        (words["only_soft"] & words["shares_rare"], "affix"),
        (initials, "initials"),
        (prefix & ~words["contains"], "truncated"),
        (
            _misspelt(records, left, right, (ratio >= CLOSE) & said & ~words["conflict"] & ~words["contains"] & ~equal),
            "close",
        ),
        (words["contains"] & words["shares_rare"], "contained"),
        (prefix, "truncated"),
        (words["shares_rare"], "family"),
        (ratio >= SIMILAR, "similar"),
    )
    return np.select(
        [rule for rule, _ in rules], [_code("name", level) for _, level in rules], _code("name", "different")
    ).astype(np.int8)


def _misspelt(records: Records, left: np.ndarray, right: np.ndarray, maybe: np.ndarray) -> np.ndarray:
    """Of the pairs that may be: where the words that differ are alike too: most of a long name may be equal."""
    at = np.flatnonzero(maybe)
    lone_a, lone_b = [], []
    for a, b in zip(records.name[left[at]], records.name[right[at]], strict=True):
        one, two = a.split(), b.split()
        lone_a.append(" ".join(word for word in one if word not in two))
        lone_b.append(" ".join(word for word in two if word not in one))
    found = np.zeros(len(left), dtype=bool)
    found[at] = _batch(np.array(lone_a, dtype=object), np.array(lone_b, dtype=object), "ratio") >= SIMILAR
    return found


def _begins(a: str, b: str) -> bool:
    """One is the start of the other and keeps most of it."""
    short, long = (a, b) if len(a) < len(b) else (b, a)
    return len(short) >= 6 and 2 * len(short) >= len(long) and long.startswith(short)


def _word_facts(records: Records, left: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """What two names share word by word. A misspelt word is rare; where both differ in a common word, they differ."""
    from tieout.matching.identity_words import SOFT

    soft = np.array([word in SOFT for word in records.vocabulary] + [False])
    rank = np.append(records.rank, 0)
    facts: dict[str, list[np.ndarray]] = {}
    for low in range(0, len(left), 200_000):
        a, b = records.words[left[low : low + 200_000]], records.words[right[low : low + 200_000]]
        same = (a[:, :, None] == b[:, None, :]) & (a >= 0)[:, :, None]
        in_a, in_b = same.any(2), same.any(1)
        lone_a, lone_b = (a >= 0) & ~in_a, (b >= 0) & ~in_b
        chunk = {
            "shared": in_a.sum(1),
            "all_shared": ~lone_a.any(1) & ~lone_b.any(1),
            "contains": (lone_a.any(1) != lone_b.any(1)) & in_a.any(1),
            "only_soft": (~lone_a | soft[a]).all(1) & (~lone_b | soft[b]).all(1),
            "shares_rare": (in_a & (rank[a] < 2)).any(1),
            "conflict": (lone_a & (rank[a] == 2)).any(1) & (lone_b & (rank[b] == 2)).any(1),
        }
        for word, values in chunk.items():
            facts.setdefault(word, []).append(values)
    if not facts:
        return dict.fromkeys(
            ("shared", "all_shared", "contains", "only_soft", "shares_rare", "conflict"), np.empty(0, bool)
        )
    return {word: np.concatenate(values) for word, values in facts.items()}


def _tax_ids(records: Records, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    a, b = records.tax[left], records.tax[right]
    known_a, known_b = records.register[left], records.register[right]
    found = _equal(records.tax, left, right)  # 0 unknown, 1 same, 2 other
    here = records.country[left] == records.country[right]
    checked = (known_a == known_b) & (known_a != "")
    differ = found == 2
    close = np.zeros(len(a), dtype=bool)
    close[differ] = _batch(a[differ], b[differ], "osa") == 1
    alike = np.array([len(x) == len(y) for x, y in zip(a, b, strict=True)], dtype=bool)
    mixed = (known_a != known_b) & (known_a != "") & (known_b != "")  # numbers of two registers say nothing
    rules = (
        ((found == 0) | (differ & (~here | mixed)), "unknown"),
        ((found == 1) & checked & here, "same_checked"),
        (found == 1, "same"),
        (differ & checked, "other_checked"),
        (close, "close"),
        (alike, "other"),
    )
    return np.select([rule for rule, _ in rules], [_code("tax_id", level) for _, level in rules], 0).astype(np.int8)


def _sites(records: Records, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    found = _equal(records.site, left, right)
    shared = (found == 1) & records.has_twin_host[left]
    return np.select([found == 2, shared], [3, 2], found).astype(np.int8)


def _addresses(records: Records, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    code, city = _equal(records.postcode, left, right), _equal(records.city, left, right)
    known = _equal(records.street, left, right)
    near = (known > 0) & ((code == 1) | (city == 1))
    street = np.zeros(len(left), dtype=bool)
    street[near] = _batch(records.street[left[near]], records.street[right[near]], "token_sort_ratio") >= STREET_CLOSE
    number = np.array(
        [
            x.split(" ", 1)[0] == y.split(" ", 1)[0]
            for x, y in zip(records.street[left], records.street[right], strict=True)
        ],
        dtype=bool,
    )
    rules = (
        (street & number, "street"),
        (code == 1, "postcode"),
        (city == 1, "city"),
        ((city == 2) | (code == 2), "elsewhere"),
    )
    return np.select([rule for rule, _ in rules], [_code("address", level) for _, level in rules], 0).astype(np.int8)


def _external_ids(records: Records, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Whether one names the other, each the other, or one names a third record of the other's connection."""
    forth, back = records.claims[left] == right, records.claims[right] == left
    source = records.source

    def elsewhere(of: np.ndarray, than: np.ndarray) -> np.ndarray:
        claim = records.claims[of]
        return (claim >= 0) & (claim != than) & (source[np.maximum(claim, 0)] == source[than])

    other = elsewhere(left, right) | elsewhere(right, left)
    return np.select([forth & back, forth | back, other], [1, 2, 3], 0).astype(np.int8)
