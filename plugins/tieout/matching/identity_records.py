"""Records of customers, column by column, and what they are among the others: which words are rare, which hosts shared.

All arrays of a `Records` have one entry per record. Texts are '' where a record does not say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from tieout.matching import identity_normalise as normal

FIELDS = (
    "connection",
    "customer_id",
    "role",
    "name",
    "legal_name",
    "tax_id",
    "domain",
    "email",
    "phone",
    "street",
    "city",
    "postal_code",
    "country_code",
    "external_customer_id",
    "parent_customer_id",
    "is_person",
)
WORDS = 8  # words of a name that are compared; the rarest are kept
DULL = 3  # words of so few letters tell nobody apart, however rare: initials meet by chance
SELDOM, SOMETIMES = -2.0, 1.0  # log2 of how many others: up to a quarter of one, up to two
NAMESAKES = 0.01
Texts = np.ndarray


@dataclass(eq=False)
class Records:
    """`words`: (n, 8) ids of words, -1 where there are none; `rank` of a word: 0 rare, 1 neither, 2 common.

    `chance` of a name: 0 nobody else has it by chance, 1 somebody may, 2 many do.
    `claims`: position of the record that a record's external id names, -1 for none. `has_twin_host`: another record of
    the same connection has the same host.
    """

    connection: Texts
    id: Texts
    role: Texts
    unit: Texts
    name: Texts
    form: Texts
    initials: Texts
    tax: Texts
    register: Texts
    site: Texts
    phone: Texts
    street: Texts
    city: Texts
    postcode: Texts
    country: Texts
    is_person: np.ndarray
    external: Texts
    vocabulary: list[str] = field(default_factory=list)
    words: np.ndarray = field(default_factory=lambda: np.empty((0, WORDS), np.int32))
    frequency: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    rank: np.ndarray = field(default_factory=lambda: np.empty(0, np.int8))
    chance: np.ndarray = field(default_factory=lambda: np.empty(0, np.int8))
    claims: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    has_twin_host: np.ndarray = field(default_factory=lambda: np.empty(0, bool))

    def __len__(self) -> int:
        return len(self.id)

    @property
    def source(self) -> np.ndarray:
        """The connections as numbers."""
        return np.unique(self.connection, return_inverse=True)[1]


def read(rows: Sequence[Mapping[str, object]] | Iterable[Sequence[object]], units: Mapping[str, str]) -> Records:
    """Records of rows in the order of FIELDS (or mappings by those names), normalised; sorted by connection and id.

    units: {connection: business unit}. An external id means something only within one unit.
    """
    told = [tuple(row[name] for name in FIELDS) if isinstance(row, Mapping) else tuple(row) for row in rows]
    told.sort(key=lambda row: (row[0], row[1]))
    columns: dict[str, list] = {
        "connection": [],
        "id": [],
        "role": [],
        "unit": [],
        "name": [],
        "form": [],
        "initials": [],
        "tax": [],
        "register": [],
        "site": [],
        "phone": [],
        "street": [],
        "city": [],
        "postcode": [],
        "country": [],
        "is_person": [],
        "external": [],
    }
    for (
        connection,
        id_,
        role,
        name,
        legal,
        tax,
        domain,
        email,
        phone,
        street,
        city,
        code,
        country,
        external,
        _,
        person,
    ) in told:
        country = (country or "").strip().upper()
        found = normal.name(name or legal, city)
        number, register = normal.tax_id(tax, country)
        row = (
            connection,
            id_,
            role or "",
            units.get(connection, ""),
            found.key,
            found.form or (normal.name(legal).form if legal else ""),
            found.initials,
            number,
            register,
            normal.site(domain, email),
            normal.phone(phone),
            normal.street(street),
            normal.plain(city or ""),
            normal.postcode(code, country),
            country,
            bool(person),
            (external or "").strip(),
        )
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    arrays = {
        word: np.array(values, dtype=bool) if word == "is_person" else _texts(values)
        for word, values in columns.items()
    }
    records = Records(**arrays)
    _look_around(records)
    return records


def _texts(values: list) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _look_around(records: Records) -> None:
    """Fill in what a record is among the others."""
    split = [name.split() for name in records.name]
    counts = Counter(word for words in split for word in set(words))
    records.vocabulary = sorted(counts)
    number = {word: at for at, word in enumerate(records.vocabulary)}
    records.frequency = np.array([counts[word] for word in records.vocabulary], dtype=np.int64)
    rare, common = bounds(len(records))
    records.rank = np.where(records.frequency <= rare, 0, np.where(records.frequency >= common, 2, 1)).astype(np.int8)
    short = np.array([len(word) <= DULL for word in records.vocabulary], dtype=bool)
    records.rank[short] = 2
    records.words = np.full((len(records), WORDS), -1, dtype=np.int32)
    for at, words in enumerate(split):
        kept = sorted({number[word] for word in words}, key=lambda n: (records.frequency[n], n))[:WORDS]
        records.words[at, : len(kept)] = kept
    records.chance = _chance(records)
    if _has_namesakes(records):  # then no name is proof by itself
        records.chance = np.maximum(records.chance, 1)
    records.claims = _claims(records)
    hosts = Counter(zip(records.connection, records.site, strict=True))
    shared = {site for (_, site), count in hosts.items() if site and count > 1}
    records.has_twin_host = np.array([site in shared for site in records.site], dtype=bool)


def bounds(count: int) -> tuple[int, int]:
    """Up to how many records have a rare word, and from how many on a word is common. In steps, so that a few new
    records seldom change what is rare: a company is in a few records however many companies there are.
    """
    steps = (count // 500).bit_length()
    return 6 + steps, 12 + (4 << steps)


def _has_namesakes(records: Records) -> bool:
    """Whether records of one distinctive name and country, in two cities, are often two companies: where both have a
    tax id or else a host, more than a hundredth of them (and more than one) contradict each other.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for at in np.flatnonzero(records.chance == 0):
        if records.name[at] and records.country[at] and records.city[at] and (records.tax[at] or records.site[at]):
            groups.setdefault((records.name[at], records.country[at]), []).append(int(at))
    agree = contradict = 0
    for found in groups.values():
        for a, b in combinations(found[:20], 2):
            if records.city[a] == records.city[b]:
                continue
            column = records.tax if records.tax[a] and records.tax[b] else records.site
            if not column[a] or not column[b]:
                continue
            agree += column[a] == column[b]
            contradict += column[a] != column[b] and (column is records.site or _far(column[a], column[b]))
    return contradict > 1 and contradict > NAMESAKES * (agree + contradict)


def _far(a: str, b: str) -> bool:
    """Whether two numbers differ by more than a digit."""
    return len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) > 1


def _chance(records: Records) -> np.ndarray:
    """How many others would bear a name if its words met by chance: all records times the share of each of its words.
    A company's own two records are no others; a word of two letters is borne by one in 676 whatever is on file.
    """
    count = len(records)
    letters = np.array([min(len(word), 9) for word in records.vocabulary], dtype=float)
    others = np.maximum(records.frequency - 2.0, 0.5)
    share = np.maximum(others / max(count, 1), 26.0**-letters) if len(letters) else others
    bits = np.append(np.log2(np.minimum(share, 1)), 0.0)
    expected = np.log2(max(count, 1)) + bits[records.words].sum(axis=1)
    return np.select([expected <= SELDOM, expected <= SOMETIMES], [0, 1], 2).astype(np.int8)


def _claims(records: Records) -> np.ndarray:
    """Where each external id points: a record of the other role in the same unit. -1 for nowhere, or two places."""
    place: dict[tuple[str, str, str], int] = {}
    for at, key in enumerate(zip(records.unit, records.role, records.id, strict=True)):
        place[key] = -1 if key in place else at
    other = {"crm": "erp", "erp": "crm"}
    return np.array(
        [
            place.get((unit, other.get(role, ""), external), -1) if external else -1
            for unit, role, external in zip(records.unit, records.role, records.external, strict=True)
        ],
        dtype=np.int64,
    )
