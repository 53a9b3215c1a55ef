"""Why two records are one customer, or are not: each attribute, what both say, its level, its weight, and the sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tieout.errors import ConfigError
from tieout.matching import identity_compare as compare
from tieout.matching import identity_records as reading
from tieout.matching import identity_score as scoring
from tieout.matching import identity_store as store
from tieout.matching.identity_cluster import Record

if TYPE_CHECKING:
    import psycopg

_SHOWN = {
    "name": "name",
    "legal_form": "name",
    "country": "country_code",
    "tax_id": "tax_id",
    "site": "domain",
    "address": "street",
    "phone": "phone",
    "external_id": "external_customer_id",
    "kind": "is_person",
}
VETOES = {
    "": "",
    "tax_id": "two tax ids whose check digits both stand: two companies",
    "kind": "a person and an organisation",
    "affiliate": "one host in two countries: affiliates, not one company",
    "relative": "names that share a rare word and differ in others: a person decides",
}


@dataclass(frozen=True, slots=True)
class Line:
    """An attribute of a pair: what `a` and `b` say, the level, its weight in bits."""

    attribute: str
    a: str
    b: str
    level: str
    weight: float


@dataclass(frozen=True)
class Explanation:
    """A pair, explained. `zone` and `margin` are the stored ones; '' for a pair that no block brought together, or that
    scored below the review zone.
    """

    a: Record
    b: Record
    prior: float
    lines: tuple[Line, ...]
    score: float
    veto: str
    margin: float | None
    zone: str
    verdict: str
    by: str
    reason: str
    customers: tuple[str, str]

    def text(self) -> str:
        """For people."""
        said = [f"{':'.join(self.a)}  and  {':'.join(self.b)}"]
        said.append(f"  {self.prior:+8.1f}  before anything is known")
        said += [
            f"  {one.weight:+8.1f}  {one.attribute}: {one.level}   ({one.a or '–'} | {one.b or '–'})"
            for one in self.lines
        ]
        margin = "" if self.margin is None else f", {self.margin:.1f} ahead of the next best"
        said.append(f"  {self.score:+8.1f}  in sum{margin}: {self.zone or 'no'}")
        if self.veto:
            said.append(f"            but {VETOES[self.veto]}")
        if self.verdict:
            said.append(f"            {self.by} decided {self.verdict}: {self.reason}")
        same = self.customers[0] == self.customers[1] != ""
        said.append(f"  → {'one customer, ' + self.customers[0] if same else 'two customers'}")
        return "\n".join(said)


@dataclass(frozen=True)
class Cluster:
    """A golden customer: its records with what joined each, and its other names."""

    customer_key: str
    members: tuple[tuple[str, str, str | None, str, float | None], ...]
    affiliates: tuple[tuple[str, str], ...] = ()
    candidates: tuple[Record, ...] = field(default=())


def pair(books: psycopg.Connection, units: Mapping[str, str], a: Record, b: Record) -> Explanation:
    """Explain two records; compared now, against everything on file. ConfigError for a record that is not there."""
    one, two = sorted((a, b))
    told, _ = store.rows(books)
    raw = {(row[0], row[1]): dict(zip(reading.FIELDS, row, strict=True)) for row in told}
    for record in (one, two):
        if record not in raw:
            raise ConfigError(f"no customer record {':'.join(record)}", hint="connection:id, as in netsuite_us:1042")
    records = reading.read(told, units)
    place = {record: at for at, record in enumerate(zip(records.connection, records.id, strict=True))}
    left, right = np.array([place[one]]), np.array([place[two]])
    by = scoring.weights(store.weights(books))
    levels = compare.levels(records, left, right)
    lines = tuple(
        Line(
            attribute,
            _says(raw[one], attribute),
            _says(raw[two], attribute),
            found[levels[attribute][0]],
            float(by.of[attribute][levels[attribute][0]]),
        )
        for attribute, found in compare.ATTRIBUTES.items()
        if levels[attribute][0]
    )
    stored = books.execute(
        f"select margin, zone from {store.TABLE.format('compared')} where (connection_a, customer_id_a) = (%s, %s)"
        " and (connection_b, customer_id_b) = (%s, %s)",
        (*one, *two),
    ).fetchone() or (None, "")
    decided = books.execute(
        "select verdict, decided_by, reason from ops.identity_decision_now where entity = 'customer'"
        " and (connection_a, record_id_a) = (%s, %s) and (connection_b, record_id_b) = (%s, %s)",
        (*one, *two),
    ).fetchone()
    known = store.known(books)
    customers = tuple(known[record].key if record in known else "" for record in (one, two))
    return Explanation(
        one,
        two,
        by.prior,
        lines,
        float(scoring.score(levels, by)[0]),
        scoring.VETOES[scoring.vetoes(levels)[0]],
        None if stored[0] is None else float(stored[0]),
        stored[1],
        *(decided or ("", "", "")),
        customers,
    )


def _says(row: Mapping[str, object], attribute: str) -> str:
    if attribute == "address":
        return ", ".join(str(row[word]) for word in ("street", "postal_code", "city") if row[word])
    value = row[_SHOWN[attribute]]
    if attribute == "site" and not value:
        value = row["email"]
    return "" if value is None else str(value)


def record(books: psycopg.Connection, one: Record) -> Cluster:
    """The golden customer of a record, and the records that it was compared with and not joined to."""
    found = books.execute(
        f"select customer_key from {store.TABLE.format('clustered')} where connection = %s and customer_id = %s", one
    ).fetchone()
    if found is None:
        raise ConfigError(
            f"no customer record {':'.join(one)}", hint="connection:id; `tieout build` matches what was landed"
        )
    members = books.execute(
        "select c.connection, c.customer_id, u.name, c.method, cast(c.score as float8)"
        f" from {store.TABLE.format('clustered')} as c"
        f" left join {store.UNIONED} as u using (connection, customer_id) where c.customer_key = %s order by 1, 2",
        found,
    ).fetchall()
    others = books.execute(
        f"select case when customer_key_a = %s then customer_key_b else customer_key_a end, reason"
        f" from {store.TABLE.format('affiliated')} where %s in (customer_key_a, customer_key_b) order by 1",
        (*found, *found),
    ).fetchall()
    inside = {(row[0], row[1]) for row in members}
    met = books.execute(
        "select connection_a, customer_id_a, connection_b, customer_id_b from"
        f" {store.TABLE.format('compared')} where (connection_a, customer_id_a) = (%s, %s)"
        " or (connection_b, customer_id_b) = (%s, %s) order by score desc",
        (*one, *one),
    ).fetchall()
    candidates = [row[2:] if tuple(row[:2]) == one else row[:2] for row in met]
    return Cluster(
        found[0], tuple(members), tuple(others), tuple(tuple(c) for c in candidates if tuple(c) not in inside)
    )
