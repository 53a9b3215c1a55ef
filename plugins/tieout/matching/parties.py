"""Whether two files speak of the same parties, and which name is which.

Equal after normalising first (case, accents, punctuation, legal form). What stays without a partner is compared by
likeness, where both files write names rather than codes, and taken only when the runner-up is clearly less alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

UNKNOWN = -1
MOST = 6000  # distinct names a side beyond which likeness is not asked: it grows with their product
LEAD = 6.0  # points by which the best likeness must lead
_FORMS = frozenset(re.findall(r"\S+", """
    AB AG APS AS BV CO CORP CORPORATION CV EK EV GMBH INC INCORPORATED KG KGAA KK LIMITED LLC LLP LTD MBH NV OHG OY
    PLC PTY SA SARL SAS SE SL SPA SRL UG AND THE UND
"""))  # fmt: skip
_FOLD = str.maketrans({"ß": "ss", "Æ": "AE", "Ø": "OE", "Œ": "OE", "Đ": "D", "Ł": "L"})


@dataclass(frozen=True)
class Parties:
    """Codes of each item's party, −1 where unknown; equal codes are the same party. `alike`: left codes found by
    likeness.

    `comparable`: enough of the left file's parties are found in the right file that a difference means something.
    """

    left: np.ndarray
    right: np.ndarray
    alike: np.ndarray
    comparable: bool


def normal(name: str) -> str:
    """`Müller & Söhne GmbH` → `MULLER SOHNE`."""
    folded = unicodedata.normalize("NFKD", name.upper().translate(_FOLD))
    words = re.findall(r"[^\W_]+", "".join(c for c in folded if not unicodedata.combining(c)))
    kept = [word for word in words if word not in _FORMS]
    # Banks write ü as u or as ue: both become u, here and in the name that it is compared with.
    return re.sub(r"([AOU])E", r"\1", " ".join(kept or words))


def in_texts(texts: Sequence[pa.Array], code: dict[str, int], rows: np.ndarray) -> dict[int, int]:
    """{row: code} of texts that hold the name, or its first two words, of exactly one known party."""
    spelt: dict[str, int] = {}
    for name, number in code.items():
        words = name.split()
        for part in {name, " ".join(words[:2])} if len(words) > 1 else {name}:
            if _is_name(part) and len(part) >= 8:
                spelt[part] = number if spelt.get(part, number) == number else UNKNOWN
    longest = max((len(part.split()) for part in spelt), default=0)
    found: dict[int, int] = {}
    if not spelt:
        return found
    for column in texts:
        for row, text in zip(rows.tolist(), column.take(pa.array(rows)).to_pylist(), strict=True):
            words = normal(text).split() if text else []
            seen = {
                spelt[part]
                for start in range(len(words))
                for end in range(start + 1, min(start + longest, len(words)) + 1)
                if (part := " ".join(words[start:end])) in spelt
            }
            seen -= {UNKNOWN}
            if len(seen) == 1:
                found[row] = seen.pop() if found.get(row) is None or found[row] in seen else UNKNOWN
    return found


def resolve(left: pa.Array, right: pa.Array, similar: int, texts: Sequence[pa.Array] = ()) -> Parties:
    """Codes for both sides; `texts` of the left side are searched where it has no party.

    A left name that resembles two right ones alike stays unknown.
    """
    names_l, row_l = _coded(left)
    names_r, row_r = _coded(right)
    code = {name: number for number, name in enumerate(sorted(set(names_r) - {""}))}
    found = np.array([code.get(name, UNKNOWN) for name in names_l] or [UNKNOWN], np.int64)
    missing = [place for place, name in enumerate(names_l) if name and found[place] == UNKNOWN]
    alike = np.zeros(len(found), bool)
    for place, target in _resembling([names_l[place] for place in missing], list(code), similar).items():
        found[missing[place]] = target
        alike[missing[place]] = True
    used = np.array([bool(name) for name in names_l] or [False])
    comparable = bool(used.any()) and (found[used] != UNKNOWN).sum() >= 0.2 * used.sum()
    own: dict[str, int] = {}  # a party that only the left file has is a party all the same
    for place, name in enumerate(names_l):
        if name and found[place] == UNKNOWN and comparable:
            found[place] = len(code) + own.setdefault(name, len(own))
            alike[place] = True  # the name may be another spelling: a difference is weak evidence
    coded_r = np.array([code.get(name, UNKNOWN) for name in names_r] or [UNKNOWN], np.int64)
    party_l = np.where(row_l >= 0, found[np.where(row_l >= 0, row_l, 0)], UNKNOWN)
    alike_l = (row_l >= 0) & alike[np.where(row_l >= 0, row_l, 0)]
    silent = np.flatnonzero(party_l == UNKNOWN)
    if texts and len(silent):
        said = in_texts(texts, code, silent)
        rows = np.array(list(said), np.int64)
        party_l[rows] = np.array(list(said.values()), np.int64)
        alike_l[rows] = True
        comparable |= len(rows) >= max(0.2 * len(left), 1)
    return Parties(party_l, np.where(row_r >= 0, coded_r[np.where(row_r >= 0, row_r, 0)], UNKNOWN), alike_l, comparable)


def _coded(names: pa.Array) -> tuple[list[str], np.ndarray]:
    coded = pc.dictionary_encode(names)
    rows = np.asarray(pc.fill_null(coded.indices, UNKNOWN)).astype(np.int64)
    return [normal(name) if name else "" for name in coded.dictionary.to_pylist()], rows


def _resembling(wanted: list[str], known: list[str], similar: int) -> dict[int, int]:
    """{place in wanted: place in known} where one known name is alike and the next is clearly less."""
    from rapidfuzz import fuzz, process

    wordy = [place for place, name in enumerate(known) if _is_name(name)]
    asked = [place for place, name in enumerate(wanted) if _is_name(name)]
    if not asked or not wordy or len(asked) > MOST or len(wordy) > MOST:
        return {}
    choices = [known[place] for place in wordy]
    found = _cut_short(wanted, asked, choices, wordy)
    asked = [place for place in asked if place not in found]
    for first in range(0, len(asked), 500):
        block = asked[first : first + 500]
        names = [wanted[place] for place in block]
        table = process.cdist(names, choices, scorer=fuzz.token_sort_ratio, dtype=np.float32)
        best = table.argmax(axis=1)
        top = table[np.arange(len(block)), best]
        table[np.arange(len(block)), best] = 0
        lead = top - table.max(axis=1)
        for place, target, points, ahead in zip(block, best.tolist(), top.tolist(), lead.tolist(), strict=True):
            if points >= similar and ahead >= LEAD:
                found[place] = wordy[target]
    return found


def _cut_short(wanted: list[str], asked: list[int], choices: list[str], wordy: list[int]) -> dict[int, int]:
    """Names that are the beginning of exactly one known name: banks cut them."""
    from bisect import bisect_left

    order = sorted(range(len(choices)), key=choices.__getitem__)
    ordered, found = [choices[place] for place in order], {}
    for place in asked:
        name = wanted[place]
        first = bisect_left(ordered, name)
        after = bisect_left(ordered, name + "\U0010ffff")
        if len(name) >= 8 and after - first == 1:
            found[place] = wordy[order[first]]
    return found


def _is_name(text: str) -> bool:
    letters = sum(c.isalpha() for c in text)
    return letters >= 4 and letters * 3 >= len(text.replace(" ", "")) * 2


def _begins(one: str, other: str, **_: object) -> float:
    """100 where the shorter, of eight letters or more, begins the longer."""
    short, long = sorted((one, other), key=len)
    return 100.0 if len(short) >= 8 and long.startswith(short) else 0.0
