"""What people decide about pairs, of customers and of documents: written once, taken back by another row, carried out
and in as CSV.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.errors import ConfigError
from tieout.matching import cash
from tieout.matching import identity_store as store
from tieout.matching.cash import Applied, Cash
from tieout.matching.identity_cluster import Record

if TYPE_CHECKING:
    import psycopg

VERDICTS = ("SAME", "NOT SAME", "REVOKED")
COLUMNS = (
    "connection_a",
    "record_id_a",
    "name_a",
    "connection_b",
    "record_id_b",
    "name_b",
    "score",
    "margin",
    "zone",
    "verdict",
    "reason",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A pair in review, or one that was decided. `zone`: what matching says of it by itself or by the verdict."""

    a: Record
    name_a: str | None
    b: Record
    name_b: str | None
    score: float
    margin: float
    zone: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did with its rows."""

    decided: int
    unchanged: int
    empty: int


def record(text: str) -> Record:
    """`connection:id` → (connection, id). ConfigError for another form."""
    connection, colon, id_ = text.partition(":")
    if not colon or not connection or not id_:
        raise ConfigError(f"{text!r} names no record", hint="connection:id, as in netsuite_us:1042")
    return connection, id_


def review(books: psycopg.Connection, limit: int | None = None, *, decided: bool = False) -> list[Row]:
    """Pairs that wait for a person, best first; with `decided`, those that one decided too. Needs the transformer."""
    return [
        Row(
            (row[0], row[1]),
            row[2],
            (row[3], row[4]),
            row[5],
            float(row[6]),
            float(row[7]),
            row[8],
            row[9] or "",
            row[10] or "",
        )
        for row in books.execute(
            f"""
        select c.connection_a, c.customer_id_a, a.name, c.connection_b, c.customer_id_b, b.name, c.score, c.margin,
               c.zone, d.verdict, d.reason
          from {store.TABLE.format("compared")} as c
          left join {store.UNIONED} as a on a.connection = c.connection_a and a.customer_id = c.customer_id_a
          left join {store.UNIONED} as b on b.connection = c.connection_b and b.customer_id = c.customer_id_b
          left join ops.identity_decision_now as d
            on d.entity = 'customer'
           and (d.connection_a, d.record_id_a, d.connection_b, d.record_id_b)
             = (c.connection_a, c.customer_id_a, c.connection_b, c.customer_id_b)
         where (c.zone = 'review' and d.verdict is null) or (%s and d.verdict is not null)
         order by c.score desc, c.connection_a, c.customer_id_a, c.connection_b, c.customer_id_b
         limit %s
        """,
            (decided, limit),
        ).fetchall()
    ]


def require(books: psycopg.Connection, records: Sequence[Record]) -> None:
    """ConfigError for a record that is not on file. Needs the transformer."""
    for one in records:
        if not books.execute(
            f"select exists (select from {store.UNIONED} where connection = %s and customer_id = %s)", one
        ).fetchone()[0]:
            raise ConfigError(f"no customer record {':'.join(one)}", hint="connection:id, as in netsuite_us:1042")


def decide(
    books: psycopg.Connection, a: Record, b: Record, verdict: str, reason: str, by: str, entity: str = "customer",
    applied: Applied | None = None,
) -> int | None:
    """Write a decision about two records; its id, or None where the same one counts already. `entity`: customer, or of
    two documents their hop. `applied`: of a payment and an invoice that belong together, how much.

    ConfigError for a verdict that does not exist, no reason, one record twice, nothing to revoke, or a verdict that
    contradicts what other decisions amount to.
    """
    one, two = sorted((a, b))
    if verdict not in VERDICTS:
        raise ConfigError(f"no verdict {verdict!r}", hint=", ".join(VERDICTS))
    if not reason.strip():
        raise ConfigError("a decision needs its reason", hint="--reason: a colleague will ask next year")
    if one == two:
        raise ConfigError(f"{one[0]}:{one[1]} is one record, not two", hint="name the other one")
    books.execute("select pg_advisory_xact_lock(7160, 7)")
    standing = {(found.a, found.b): found for found in store.decisions(books, entity)}
    wanted = {"SAME": True, "NOT SAME": False, "REVOKED": None}[verdict]
    before = standing.get((one, two))
    if before is None and wanted is None:
        told = "`export --decided`" if entity == "customer" else "`list`"
        raise ConfigError("nothing was decided about this pair", hint=f"{told} shows what was")
    amount, currency = applied or (None, None)
    if before is not None and (before.same, before.amount, before.currency_code) == (wanted, amount, currency):
        return None
    if entity != cash.HOP:  # one payment for two invoices makes these no one thing
        _refuse_contradiction({pair: found.same for pair, found in standing.items()} | {(one, two): wanted}, one, two)
    return books.execute(
        "insert into ops.identity_decision (entity, verdict, connection_a, record_id_a, connection_b, record_id_b,"
        " decided_by, reason, amount, currency_code) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " returning decision_id",
        (entity, verdict, *one, *two, by, reason.strip(), amount, currency),
    ).fetchone()[0]


def _refuse_contradiction(decided: dict[tuple[Record, Record], bool | None], one: Record, two: Record) -> None:
    """Records that decisions make one must not be parted by another decision."""
    root: dict[Record, Record] = {}

    def find(at: Record) -> Record:
        while root.setdefault(at, at) != at:
            at = root[at]
        return at

    for (a, b), same in decided.items():
        if same:
            root[find(a)] = find(b)
    for (a, b), same in decided.items():
        if same is False and find(a) == find(b):
            raise ConfigError(
                f"{one[0]}:{one[1]} and {two[0]}:{two[1]}: then {a[0]}:{a[1]} and {b[0]}:{b[1]} would be SAME by other"
                " decisions and NOT SAME by one",
                hint="revoke the decision that is wrong",
            )


def export(rows: Sequence[Row], path: Path) -> int:
    """Write rows as CSV for a spreadsheet; how many."""
    return write(path, COLUMNS, [
        (*row.a, row.name_a, *row.b, row.name_b, row.score, row.margin, row.zone, row.verdict, row.reason)
        for row in rows])  # fmt: skip


def write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Write a CSV for a spreadsheet; how many rows."""
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(columns)
        out.writerows([_calm(cell) for cell in row] for row in rows)
    return len(rows)


def _calm(cell: object) -> object:
    """A name that a spreadsheet would take for a formula gets an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


def take(
    books: psycopg.Connection, path: Path, by: str, hops: Sequence[str] = (), opened: Cash | None = None
) -> Imported:
    """Read decisions from a CSV that `export` wrote; all or none. ConfigError names file and line. `hops`: they are
    about documents, each of the hop in its column `hop`, which must be one of these. `opened`: how much payments and
    invoices may take, where the column `applied` is empty or says it.
    """
    decided = unchanged = empty = 0
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        needed = {"connection_a", "record_id_a", "connection_b", "record_id_b", "verdict", "reason"}
        missing = (needed | ({"hop"} if hops else set())) - set(reader.fieldnames or ())
        if missing:
            raise ConfigError(f"{path}: no column {', '.join(sorted(missing))}", hint="start from what `export` writes")
        for row in reader:
            verdict = (row["verdict"] or "").strip().upper()
            if not verdict:
                empty += 1
                continue
            a, b = ((row[f"connection_{x}"], (row[f"record_id_{x}"] or "").removeprefix("'")) for x in "ab")
            entity = row["hop"] if hops else "customer"
            try:
                if hops and entity not in hops:
                    raise ConfigError(f"{entity!r} is no hop to decide about", hint=", ".join(hops))
                is_cash = opened is not None and entity == cash.HOP and verdict == "SAME"
                applied = opened.share(a, b, row.get("applied") or "") if is_cash else None
                made = None
                if applied or not is_cash:
                    made = decide(books, a, b, verdict, row["reason"] or "", by, entity, applied)
            except ConfigError as error:
                raise ConfigError(f"{path}:{reader.line_num}: {error.message}", hint=error.hint) from error
            decided += made is not None
            unchanged += made is None
    return Imported(decided, unchanged, empty)
