"""COPY and set-based comparison: from typed chunks to versions in a raw table, inside the caller's transaction.

Two ways. Direct: nothing of this connection was landed before, so each row is a new version and is copied straight into
the raw table; a key received twice makes the unique index refuse, and the batch is loaded again by the other way.
Compared: only positions, keys, stamps and hashes go to the temporary table `stage`, while the encoded rows are held;
one statement finds what is new or changed, and only those rows are copied. What is known already costs little.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from queue import Queue
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.copy import QueuedLibpqWriter

from tieout.errors import LandingError
from tieout.landing import encode, phases
from tieout.landing.ddl import PG_TYPES
from tieout.landing.held import Held, Positions
from tieout.landing.typed import fold_is_possible
from tieout.spec_transports import DOORS

if TYPE_CHECKING:
    from psycopg.abc import Buffer

    from tieout.landing.ledger import Totals
    from tieout.landing.shape import Shaped
    from tieout.spec import Connection, Stream

QUEUED_BLOCKS = 64  # of 128 KB: when the server is slower than we are, we wait instead of piling rows up


@dataclass(frozen=True)
class Target:
    """One stream of one connection, and the batch that writes to it.

    `source_batch`: for a batch from the archive; versions younger than its source stay. A version that itself came from
    the archive is as old as its own source.
    """

    connection: Connection
    stream: Stream
    batch_id: int
    source_batch: int | None = None

    @property
    def table(self) -> sql.Composed:
        return sql.SQL("raw.{}").format(sql.Identifier(self.stream.table))

    @property
    def declared(self) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(c.name) for c in self.stream.columns)

    @property
    def columns(self) -> list[str]:
        """Names of a raw table's columns in the order in which rows are encoded."""
        return [*self._hashed, "_row_hash", *self._behind]

    @property
    def _hashed(self) -> list[str]:
        """What a record says: the hash covers it."""
        told = [c.name for c in self.stream.columns if c.name not in self.stream.touch]
        return [*told, "_extra", "_is_deleted", *([] if self.stream.touch else ["_modified_at"]), "_key"]

    @property
    def _behind(self) -> list[str]:
        """What stands behind the hash: ours, and what only touches a record."""
        return ["_connection", "_batch_id", *([*self.stream.touch, "_modified_at"] if self.stream.touch else [])]

    def rows(self, chunk: Shaped) -> encode.Rows:
        """The chunk as COPY rows of `columns`."""
        count = len(chunk.key)
        arrays = dict(zip((c.name for c in self.stream.columns), chunk.columns, strict=True)) | {
            "_extra": chunk.extra, "_is_deleted": chunk.is_deleted, "_modified_at": chunk.modified_at,
            "_key": chunk.key, "_connection": pa.repeat(self.connection.name, count),
            "_batch_id": pa.repeat(self.batch_id, count)}
        documents = {"_extra", *(c.name for c in self.stream.columns if c.type == "json")}
        return encode.copy_rows(
            [arrays[name] for name in self._hashed], [arrays[name] for name in self._behind],
            json=[at for at, name in enumerate(self._hashed) if name in documents])

    @property
    def in_order(self) -> bool:
        """Whether records of a key came in the order of its changes: the last word counts, and the others are no doubt.
        """
        return self.connection.source.protocol in DOORS

    def compose(self, text: str, **parts: Any) -> sql.Composed:
        """SQL with {table}, {declared} and, as literals, {connection}, {stream}, {batch}; {stays}: it stays."""
        return sql.SQL(text).format(
            table=self.table, declared=self.declared, connection=sql.Literal(self.connection.name),
            stream=sql.Literal(self.stream.name), batch=sql.Literal(self.batch_id), stays=self._stays(), **parts)

    def older(self, one: str, other: str) -> sql.Composable:
        """SQL: the stamp `one` is certainly older than `other` (null where either is).

        In the hour that the clock repeats, local stamps are ambiguous: of two stamps of that hour none is the older.
        """
        if not fold_is_possible(self.connection.zone):
            return sql.SQL(f"({one} < {other})")
        one_hour = sql.SQL(f"({{}} and {{}} and {other} - {one} < interval '2 hours')").format(
            self._ambiguous(one), self._ambiguous(other))
        return sql.SQL(f"({one} < {other} and not {{}})").format(one_hour)

    def age(self, stamp: str) -> sql.Composable:
        """SQL: what orders the staged rows `s` of a key by `stamp`; equal for all stamps of one repeated hour."""
        if not fold_is_possible(self.connection.zone):
            return sql.SQL(stamp)
        return sql.SQL("case when {twice} then max({stamp}) over (partition by s._key, {twice}, "
                       "date_trunc('day', {stamp} at time zone {zone})) else {stamp} end").format(
            twice=self._ambiguous(stamp), stamp=sql.SQL(stamp), zone=sql.Literal(self.connection.time_zone))

    def _ambiguous(self, stamp: str) -> sql.Composable:
        """SQL: local time shows this moment, stored as its first occurrence, twice. Postgres reads it as the second."""
        return sql.SQL("coalesce(({stamp} at time zone {zone}) at time zone {zone} <> {stamp}, false)").format(
            stamp=sql.SQL(stamp), zone=sql.Literal(self.connection.time_zone))

    def _stays(self) -> sql.Composable:
        if self.source_batch is None:
            return sql.SQL("false")
        return sql.SQL(
            "(r._batch_id > {source} and r._batch_id not in (select l.batch_id from ops.load l "
            "where l.source_batch_id <= {source}))").format(source=sql.Literal(self.source_batch))


def was_landed(db: psycopg.Connection, target: Target) -> bool:
    """Whether anything of this stream was ever committed, so that the table may hold current versions of it."""
    return db.execute("select exists (select 1 from ops.load where connection = %s and stream = %s "
                      "and state = 'committed' and landed > 0)",
                      (target.connection.name, target.stream.name)).fetchone()[0]


def suspend_indexes(db: psycopg.Connection, target: Target) -> bool:
    """Take the indexes off, where the table is empty and free; `resume_indexes` must follow in this transaction."""
    return db.execute("select ops.suspend_indexes(%s)", (target.stream.table,)).fetchone()[0]


def resume_indexes(db: psycopg.Connection, target: Target) -> None:
    """Build them. Raises UniqueViolation where a key came twice."""
    db.execute("select ops.resume_indexes(%s)", (target.stream.table,))


class Copy:
    """An open binary COPY, fed by a thread, so that the next chunk is made while the server works on this one."""

    def __init__(self, db: psycopg.Connection, into: sql.Composable, columns: Iterable[str]) -> None:
        self._cursor = db.cursor()
        statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
            into, sql.SQL(", ").join(map(sql.Identifier, columns)))
        self._manager = self._cursor.copy(statement, writer=_Writer(self._cursor))
        self._copy = self._manager.__enter__()
        self._copy.write(encode.HEADER)

    @phases.counted("copy")
    def write(self, rows: Buffer) -> None:
        for block in encode.blocks(memoryview(rows)):
            self._copy.write(block)

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


class _Writer(QueuedLibpqWriter):
    def __init__(self, cursor: psycopg.Cursor) -> None:
        super().__init__(cursor)
        self._queue = Queue(QUEUED_BLOCKS)


class Direct:
    """Rows straight into the raw table."""

    def __init__(self, db: psycopg.Connection, target: Target) -> None:
        self.refused = False
        self._target = target
        self._copy = Copy(db, target.table, target.columns)

    def write(self, chunk: Shaped) -> None:
        try:
            self._copy.write(self._target.rows(chunk).data)
        except psycopg.errors.UniqueViolation:
            self.refused = True  # the caller reads on, for the archive

    def close(self) -> None:
        self._copy.close()

    def abort(self, error: BaseException) -> None:
        self._copy.abort(error)


class Compared:
    """Keys and hashes into `stage`; the rows themselves are held, a notice of deletion as a deleted row."""

    refused = False

    def __init__(self, db: psycopg.Connection, target: Target, held: Held) -> None:
        self.held = held
        self._target = target
        self._controls = [at for at, c in enumerate(target.stream.columns) if c.name in target.stream.control_totals]
        controls = [target.stream.columns[at] for at in self._controls]
        columns = sql.SQL("").join(
            sql.SQL(", {} " + PG_TYPES[c.type]).format(sql.Identifier(c.name)) for c in controls)
        db.execute(sql.SQL(
            "drop table if exists stage, verdict; create temp table stage (_at bigint, _key text, "
            "_modified_at timestamptz, _is_deleted boolean, _notice boolean, _row_hash bigint{}) on commit drop",
        ).format(columns))
        self._copy = Copy(db, sql.SQL("stage"), [
            "_at", "_key", "_modified_at", "_is_deleted", "_notice", "_row_hash", *(c.name for c in controls)])

    def write(self, chunk: Shaped) -> None:
        count, first = len(chunk.key), self.held.total
        deleted = replace(chunk, is_deleted=pa.repeat(True, count)) if chunk.notices else chunk
        rows = self._target.rows(deleted)
        self.held.add(rows)
        self._copy.write(encode.narrow_rows([
            pa.array(np.arange(first, first + count)), chunk.key, chunk.modified_at, chunk.is_deleted,
            pa.repeat(chunk.notices, count), pa.array(rows.hashes), *(chunk.columns[at] for at in self._controls)]))

    def close(self) -> None:
        self._copy.close()

    def abort(self, error: BaseException) -> None:
        self._copy.abort(error)


# One verdict per row that is not simply known. `place` is 1 for the row of its key that counts: the youngest stamp,
# then the last to arrive (a notice of deletion without a stamp is the youngest). Compared with the current one.
# A stamped notice of an unknown key is kept ('buried'), so that an older state that lands later does not live.
_VERDICT = """
create temp table verdict on commit drop as
with repeated as (
    select _key from stage group by _key having count(*) > 1
), ranked as (
    select s._at, s._key, s._modified_at, s._row_hash, s._is_deleted, s._notice{controls}, row_number() over w as place,
           first_value(s._row_hash) over w as first_hash,
           first_value(s._modified_at) over w as first_modified_at,
           first_value(s._notice) over w as first_notice
      from (select s.*, {age} as age from stage s join repeated on repeated._key = s._key) s
    window w as (partition by s._key
                 order by case when s._notice then coalesce(s.age, 'infinity') else s.age end
                          desc nulls last, s._at desc)
), winners as (
    select _at, _key, _modified_at, _row_hash, _is_deleted, _notice{controls}
      from stage where _key not in (select _key from repeated)
    union all
    select _at, _key, _modified_at, _row_hash, _is_deleted, _notice{controls} from ranked where place = 1
), judged as (
    select w._at as at, coalesce(w._key, r._key) as _key, w._modified_at,
           case when w._key is null then 'absent'
                when w._notice then case when r._key is null and w._modified_at is null then 'unchanged'
                                         when r._key is null then 'buried'
                                         when {late} or {stays} then 'unchanged'
                                         when r._is_deleted and {younger} is not true then 'unchanged'
                                         else 'tombstone' end
                when r._key is null then 'new'
                when r._row_hash = w._row_hash and r._is_deleted = w._is_deleted then 'unchanged'
                when {late} or {stays} then 'unchanged'
                when r._is_deleted and not w._is_deleted and {named} then 'unchanged'
                else 'changed' end as outcome{of_winner}
      from winners w
      {side} join (select * from {table} where _connection = {connection} and _superseded_batch is null) r
        on r._key = w._key
     where w._key is not null or not r._is_deleted
    union all
    select _at, _key, _modified_at,
           case when _notice or first_notice then 'unchanged'
                when _row_hash = first_hash then 'replayed'
                when not {in_order} and _modified_at is not distinct from first_modified_at then 'duplicate'
                else 'unchanged' end{controls}
      from ranked where place > 1
)
select * from judged where outcome <> 'unchanged'
"""


def compare(db: psycopg.Connection, target: Target, named: sql.Composable, *, complete: bool) -> None:
    """Fill `verdict`. A record older than the current version never overwrites it.

    named: SQL that says whether a list of deletions names the staged row `w`, whose current version is `r`.
    complete: the batch is the whole set; a current key that it lacks gets the verdict 'absent'.
    """
    names = [sql.Identifier(c) for c in target.stream.control_totals]
    controls, of_winner = (sql.SQL("").join(sql.SQL(f", {of}{{}}").format(n) for n in names) for of in ("", "w."))
    db.execute("analyze stage (_key)")
    db.execute(target.compose(
        _VERDICT, in_order=sql.Literal(target.in_order), late=target.older("w._modified_at", "r._modified_at"),
        named=named, age=target.age("s._modified_at"),
        younger=target.older("r._modified_at", "w._modified_at"), controls=controls, of_winner=of_winner,
        side=sql.SQL("full" if complete else "left")))
    db.execute("analyze verdict (_key, outcome)")


def apply(db: psycopg.Connection, target: Target, held: Held) -> None:
    """Close the versions that changed, copy the new ones, and write tombstones for notices of deletion."""
    db.execute(target.compose(
        "update {table} r set _superseded_batch = {batch} from verdict v where v.outcome in ('changed', 'tombstone') "
        "and r._connection = {connection} and r._key = v._key and r._superseded_batch is null"))
    wanted = chosen(db, held, ("new", "changed", "buried"))
    copied = copy_held(db, target.table, target, held, wanted)
    if copied != wanted.count:
        raise LandingError(
            f"{target.connection.name}.{target.stream.name}: {copied} of {wanted.count} new versions were stored",
            hint="nothing was committed; this is a defect, please report it with the archive of the window")
    _insert_tombstones(db, target, "select _key, _modified_at from verdict where outcome = 'tombstone'")


def chosen(db: psycopg.Connection, held: Held, outcomes: Iterable[str]) -> Positions:
    """The positions with one of these verdicts."""
    found = Positions(held.total)
    with db.cursor("positions", withhold=False) as cursor:
        cursor.itersize = 8
        cursor.execute("select string_agg(int8send(at), ''::bytea) from verdict where outcome = any(%s) "
                       "group by at / 100000", ([*outcomes],))
        for (packed,) in cursor:
            found.add(np.frombuffer(packed, ">i8").astype(np.int64))
    return found


def copy_held(db: psycopg.Connection, into: sql.Composable, target: Target, held: Held, wanted: Positions) -> int:
    """Copy the wanted rows into a table with a raw table's columns. Returns how many the server took."""
    if not wanted.count:
        return 0
    copy = Copy(db, into, target.columns)
    try:
        for block in held.blocks(wanted):
            copy.write(block)
        return copy.close()
    except BaseException as error:
        copy.abort(error)
        raise


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
        "where r._connection = {connection} and r._superseded_batch = {batch} "
        "order by r._key, r._batch_id desc"))


def count_compared(db: psycopg.Connection, target: Target, totals: Totals) -> None:
    """Rows and control sums per outcome, from the database's own view; what has no verdict is unchanged."""
    words = {"new": "landed", "changed": "landed", "tombstone": "landed", "buried": "landed",
             "duplicate": "quarantined"}
    sums = _sums(totals.columns)
    known_rows, *known_sums = db.execute(sql.SQL("select count(*){sums} from stage s").format(sums=sums)).fetchone()
    rest = [value or Decimal(0) for value in known_sums]
    for outcome, rows, *values in db.execute(sql.SQL(
            "select outcome, count(*){sums} from verdict s where outcome <> 'absent' group by 1").format(sums=sums)):
        totals.add(words.get(outcome, outcome), rows, dict(zip(totals.columns, values, strict=True)))
        known_rows -= rows
        rest = [left - (value or 0) for left, value in zip(rest, values, strict=True)]
    totals.add("unchanged", known_rows, dict(zip(totals.columns, rest, strict=True)))


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
