"""COPY and set-based comparison: from typed chunks to versions in a raw table, inside the caller's transaction.

Two ways. Direct: nothing of this connection is current in the table, so each row is a new version and is copied
straight into it; a key received twice makes the unique index refuse, and the batch is loaded again by the other way.
Staged: rows are copied to a temporary table and compared with the current versions in one statement each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.copy import QueuedLibpqWriter

from tieout.landing import encode, phases
from tieout.landing.ddl import PG_TYPES

if TYPE_CHECKING:
    from tieout.landing.ledger import Totals
    from tieout.landing.shape import Shaped
    from tieout.spec import Connection, Stream


@dataclass(frozen=True)
class Target:
    """One stream of one connection, and the batch that writes to it.

    `source_batch`, `floor`: for a batch from the archive; versions younger than its source and not of this session
    stay.
    """

    connection: Connection
    stream: Stream
    batch_id: int
    source_batch: int | None = None
    floor: int = 0

    @property
    def table(self) -> sql.Composed:
        return sql.SQL("raw.{}").format(sql.Identifier(self.stream.table))

    @property
    def declared(self) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(c.name) for c in self.stream.columns)

    def compose(self, text: str, **parts: Any) -> sql.Composed:
        """SQL with {table}, {declared} and, as literals, {connection}, {stream}, {batch}; {stays}: it stays."""
        return sql.SQL(text).format(
            table=self.table, declared=self.declared, connection=sql.Literal(self.connection.name),
            stream=sql.Literal(self.stream.name), batch=sql.Literal(self.batch_id), stays=self._stays(), **parts)

    def _stays(self) -> sql.Composable:
        if self.source_batch is None:
            return sql.SQL("false")
        return sql.SQL("(r._batch_id > {} and r._batch_id <= {})").format(
            sql.Literal(self.source_batch), sql.Literal(self.floor))


def has_current(db: psycopg.Connection, target: Target) -> bool:
    """Whether the table holds any current version of this connection."""
    return db.execute(target.compose(
        "select exists (select 1 from {table} where _connection = {connection} and _superseded_batch is null)",
    )).fetchone()[0]


class Copier:
    """An open COPY. `write` sends a chunk while the server still works on the one before."""

    def __init__(self, db: psycopg.Connection, target: Target, *, direct: bool) -> None:
        self.refused = False
        self._target = target
        self._direct = direct
        declared = [c.name for c in target.stream.columns]
        self._json = [at for at, c in enumerate(target.stream.columns) if c.type == "json"] + [len(declared)]
        names = [*declared, "_extra", "_is_deleted", "_modified_at", "_key", "_row_hash",
                 *(["_connection", "_batch_id"] if direct else ["_notice"])]
        into = target.table if direct else sql.SQL("stage")
        statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
            into, sql.SQL(", ").join(map(sql.Identifier, names)))
        self._cursor = db.cursor()
        self._manager = self._cursor.copy(statement, writer=QueuedLibpqWriter(self._cursor))
        self._copy = self._manager.__enter__()
        self._copy.write(encode.HEADER)

    @phases.counted("copy")
    def write(self, chunk: Shaped) -> None:
        count = len(chunk.key)
        if not count:
            return
        if self._direct:
            tail = [pa.repeat(self._target.connection.name, count), pa.repeat(self._target.batch_id, count)]
        else:
            tail = [pa.repeat(chunk.notices, count)]
        rows = encode.copy_rows([*chunk.columns, chunk.extra, chunk.is_deleted, chunk.modified_at, chunk.key], tail,
                                json=self._json)
        try:
            for block in encode.blocks(rows):
                self._copy.write(block)
        except psycopg.errors.UniqueViolation:
            self.refused = True  # the caller reads on, for the archive

    @phases.counted("copy")
    def close(self) -> int:
        """End the COPY; the number of rows. Raises the server's error, UniqueViolation among them."""
        self._copy.write(encode.TRAILER)
        self._manager.__exit__(None, None, None)
        return self._cursor.rowcount

    def abort(self, error: BaseException) -> None:
        """Break the COPY off because of `error`; the server's own complaint about it is of no interest."""
        try:
            self._manager.__exit__(type(error), error, error.__traceback__)
        except (psycopg.Error, type(error)):
            pass


def prepare(db: psycopg.Connection, target: Target) -> None:
    """The temporary tables of a staged load; they vanish with the transaction."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} " + PG_TYPES[c.type]).format(sql.Identifier(c.name)) for c in target.stream.columns)
    db.execute(sql.SQL(
        "drop table if exists stage, verdict; create temp table stage ({}, _extra jsonb, _is_deleted boolean, "
        "_modified_at timestamptz, _key text, _row_hash bigint, _notice boolean) on commit drop").format(columns))


# One verdict per staged row. `place` is 1 for the row of its key that counts: the youngest stamp, then the last to
# arrive (a notice of deletion without a stamp is the youngest). Then it is compared with the current version.
_VERDICT = """
create temp table verdict on commit drop as
with repeated as (
    select _key from stage group by _key having count(*) > 1
), ranked as (
    select s.ctid as at, s._key, s._modified_at, s._row_hash, s._is_deleted, s._notice,
           row_number() over w as place,
           first_value(s._row_hash) over w as first_hash,
           first_value(s._modified_at) over w as first_modified_at,
           first_value(s._notice) over w as first_notice
      from stage s join repeated using (_key)
    window w as (partition by s._key
                 order by case when s._notice then coalesce(s._modified_at, 'infinity') else s._modified_at end
                          desc nulls last, s.ctid desc)
), winners as (
    select ctid as at, _key, _modified_at, _row_hash, _is_deleted, _notice
      from stage where _key not in (select _key from repeated)
    union all
    select at, _key, _modified_at, _row_hash, _is_deleted, _notice from ranked where place = 1
)
select w.at, w._key, w._modified_at,
       case when w._notice then case when r._key is null or r._is_deleted then 'unchanged'
                                     when {late} or {stays} then 'unchanged'
                                     else 'tombstone' end
            when r._key is null then 'new'
            when r._row_hash = w._row_hash and r._is_deleted = w._is_deleted then 'unchanged'
            when {late} or {stays} then 'unchanged'
            else 'changed' end as outcome
  from winners w
  left join {table} r on r._connection = {connection} and r._key = w._key and r._superseded_batch is null
union all
select at, _key, _modified_at,
       case when _notice or first_notice then 'unchanged'
            when _row_hash = first_hash then 'replayed'
            when _modified_at is not distinct from first_modified_at then 'duplicate'
            else 'unchanged' end
  from ranked where place > 1
"""


def compare(db: psycopg.Connection, target: Target, zone_folds: bool) -> None:
    """Fill `verdict`. A record older than the current version never overwrites it."""
    late = sql.SQL("w._modified_at < r._modified_at")
    if zone_folds:
        # In the hour that the clock repeats, local stamps are ambiguous: a younger record may look an hour older there.
        zone = sql.Literal(target.connection.time_zone)
        late = sql.SQL("({late} and (r._modified_at at time zone {zone}) at time zone {zone} = r._modified_at)").format(
            late=late, zone=zone)
    db.execute("analyze stage")
    db.execute(target.compose(_VERDICT, late=late))
    db.execute("analyze verdict")


def apply(db: psycopg.Connection, target: Target) -> None:
    """Close the versions that changed, insert the new ones, and tombstones for notices of deletion."""
    db.execute(target.compose(
        "update {table} r set _superseded_batch = {batch} from verdict v where v.outcome in ('changed', 'tombstone') "
        "and r._connection = {connection} and r._key = v._key and r._superseded_batch is null"))
    db.execute(target.compose(
        "insert into {table} ({declared}, _connection, _key, _modified_at, _is_deleted, _batch_id, _row_hash, _extra) "
        "select {declared}, {connection}, s._key, s._modified_at, s._is_deleted, {batch}, s._row_hash, s._extra "
        "from stage s join verdict v on v.at = s.ctid where v.outcome in ('new', 'changed')"))
    _insert_tombstones(db, target, "select _key, _modified_at from verdict where outcome = 'tombstone'")


def refresh_statistics(db: psycopg.Connection, target: Target, landed: int) -> None:
    """Analyze the raw table when this batch is more than a tenth of what the planner believes it to hold."""
    known = db.execute("select reltuples from pg_class where oid = %s::regclass",
                       (target.table.as_string(db),)).fetchone()[0]
    if landed and landed * 10 > known:
        db.execute("select ops.analyze_raw(%s)", (target.stream.table,))


def close_gone(db: psycopg.Connection, target: Target, gone: sql.Composed) -> int:
    """Tombstones for the current rows of `gone`, a query of (_key, _modified_at or null). Returns how many."""
    db.execute("drop table if exists gone")
    db.execute(sql.SQL("create temp table gone on commit drop as {}").format(gone))
    closed = db.execute(target.compose(
        "update {table} r set _superseded_batch = {batch} from gone where r._connection = {connection} "
        "and r._key = gone._key and r._superseded_batch is null and not r._is_deleted and not {stays}")).rowcount
    if closed:
        _insert_tombstones(db, target, "select _key, _modified_at from gone")
    return closed


def _insert_tombstones(db: psycopg.Connection, target: Target, keys: str) -> None:
    """A tombstone repeats the last content, so that a reader knows what was deleted."""
    db.execute(target.compose(
        "insert into {table} ({declared}, _connection, _key, _modified_at, _is_deleted, _batch_id, _row_hash, _extra) "
        "select distinct on (r._key) {declared}, r._connection, r._key, coalesce(k._modified_at, r._modified_at), "
        "true, {batch}, r._row_hash, r._extra from {table} r join (" + keys + ") k on k._key = r._key "
        "where r._connection = {connection} and r._superseded_batch = {batch} and not r._is_deleted "
        "order by r._key, r._batch_id desc"))


def count_staged(db: psycopg.Connection, target: Target, totals: Totals) -> None:
    """Rows and control sums per outcome, from the database's own view of what it holds."""
    words = {"new": "landed", "changed": "landed", "tombstone": "landed", "duplicate": "quarantined"}
    sums = _sums(totals.columns)
    for outcome, rows, *values in db.execute(target.compose(
            "select v.outcome, count(*){sums} from verdict v join stage s on s.ctid = v.at group by 1", sums=sums)):
        totals.add(words.get(outcome, outcome), rows, dict(zip(totals.columns, values, strict=True)))


def count_direct(db: psycopg.Connection, target: Target, totals: Totals) -> None:
    """The same for rows copied straight into the table."""
    rows, *values = db.execute(target.compose(
        "select count(*){sums} from {table} s where _batch_id = {batch} and _connection = {connection}",
        sums=_sums(totals.columns))).fetchone()
    totals.add("landed", rows, dict(zip(totals.columns, values, strict=True)))


def _sums(columns: Iterable[str]) -> sql.Composable:
    return sql.SQL("").join(sql.SQL(", sum(s.{})").format(sql.Identifier(name)) for name in columns)


def total(column: pa.Array) -> Decimal:
    """The exact sum of a typed control column, nulls left out."""
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type):
        column = pc.cast(column, pa.decimal128(20, 0))
    return pc.sum(column).as_py() or Decimal(0)
