"""Records that could not be typed: kept with reason and payload until a person mends, maps or waives them."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psycopg import sql

from tieout.errors import LandingError
from tieout.landing import loader
from tieout.landing.mapping import MAPPED

if TYPE_CHECKING:
    import psycopg

    from tieout.landing.held import Held
    from tieout.landing.loader import Target
    from tieout.spec import Stream

IN_MEMORY = 8_000_000


class Spool:
    """Refused records of one batch, on disk beyond some megabytes: a broken feed must not fill the memory."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, "w+b")  # noqa: SIM115 - lives as long as the batch
        self.count = 0

    def add(self, key: str | None, field: str | None, value: str | None, code: str, reason: str, payload: str,
            modified_at: datetime | None, amounts: Mapping[str, Decimal | int | None]) -> None:
        """One refused record. `amounts`: its control columns, as far as they could be read."""
        sums = {name: f"{Decimal(value).normalize():f}" for name, value in amounts.items() if value is not None}
        cells = (key, field, value, code, reason, payload, modified_at and modified_at.isoformat(), json.dumps(sums))
        line = io.StringIO()
        csv.writer(line).writerow(["" if cell is None else "=" + cell.replace("\x00", "\\u0000") for cell in cells])
        self._file.write(line.getvalue().encode("utf-8", "backslashreplace"))
        self.count += 1

    def load(self, db: psycopg.Connection) -> None:
        """Fill the temporary table `bad` (always created, perhaps empty)."""
        db.execute("drop table if exists bad; create temp table bad (record_key text, field text, value text, "
                   "reason_code text, reason text, payload text, modified_at timestamptz, amounts jsonb) "
                   "on commit drop")
        if not self.count:
            return
        with db.cursor() as cursor, cursor.copy(
                "copy bad (record_key, field, value, reason_code, reason, payload, modified_at, amounts) "
                "from stdin") as copy:
            for row in self.rows():
                copy.write_row(row)

    def rows(self) -> Iterator[Sequence[str | None]]:
        """(key, field, value, code, reason, payload, modified_at, amounts) of each record, as text."""
        self._file.seek(0)
        for row in csv.reader(line.decode() for line in self._file):
            yield [cell[1:] if cell else None for cell in row]

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.count = 0

    def close(self) -> None:
        self._file.close()


# The same record refused again is one case: the new entry carries it on, with its age. A waiver holds on where the
# reason is the same.
_STORE = """
insert into ops.quarantine (batch_id, connection, stream, record_key, field, value, reason_code, reason, payload,
                            modified_at, amounts, case_id, first_seen_at, status, note, resolved_at, resolved_by)
select {batch}, {connection}, {stream}, b.record_key, b.field, b.value, b.reason_code, b.reason, b.payload,
       b.modified_at, b.amounts, coalesce(o.case_id, o.quarantine_id), coalesce(o.first_seen_at, clock_timestamp()),
       case when o.is_waived then 'waived' else 'open' end, case when o.is_waived then o.note end,
       case when o.is_waived then o.resolved_at end, case when o.is_waived then o.resolved_by end
  from bad b
  left join lateral (
       select q.*, q.status = 'waived' and q.reason_code = b.reason_code as is_waived from ops.quarantine q
        where q.connection = {connection} and q.stream = {stream} and q.payload_md5 = md5(b.payload)::uuid
          and q.payload = b.payload and q.record_key is not distinct from b.record_key
          and q.status in ('open', 'waived') and q.batch_id < {batch}
        order by q.quarantine_id desc limit 1) o on true
"""
_RECEIVED_AGAIN = """
update ops.quarantine q set status = 'superseded', note = 'received again in batch ' || {batch}, resolved_at = now()
  from bad b
 where q.connection = {connection} and q.stream = {stream} and q.status = 'open' and q.batch_id < {batch}
   and q.payload_md5 = md5(b.payload)::uuid and q.payload = b.payload
   and q.record_key is not distinct from b.record_key
"""
_HEALED = """
update ops.quarantine q
   set status = 'superseded', note = 'a good version landed in batch ' || {batch}, resolved_at = now()
  from {table} r
 where q.connection = {connection} and q.stream = {stream} and q.status = 'open' and q.batch_id < {batch}
   and q.quarantine_id <> all({replaying})
   and r._connection = {connection} and r._key = q.record_key and r._superseded_batch is null and r._batch_id = {batch}
   and coalesce(r._modified_at >= q.modified_at, true)
"""
# A value that landed through a mapping is given back as it was received.
_DUPLICATES = """
insert into bad (record_key, field, value, reason_code, reason, payload, modified_at, amounts)
select s._key, {field}, s._key, 'duplicate_key',
       'the key came twice in one batch with different content and no younger stamp',
       (({record}) - {mapped} || coalesce(s._extra -> {mapped}, '{{}}'))::text, s._modified_at, {amounts}
  from twice s
"""


def _record(stream: Stream) -> sql.Composed:
    """The row as JSON under the vendor's names, so that it can be replayed."""
    pairs = [sql.SQL("{}, s.{}").format(sql.Literal(c.field or c.name), sql.Identifier(c.name)) for c in stream.columns]
    blocks = [sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs[at : at + 40]))
              for at in range(0, len(pairs), 40)]  # a function takes at most 100 arguments
    return sql.SQL(" || ").join([*blocks, sql.SQL("coalesce(s._extra, '{}')")])


def _amounts(controls: Sequence[str]) -> sql.Composable:
    """The row's control columns as {column: text}, nulls left out."""
    pairs = sql.SQL(", ").join(sql.SQL("{}, s.{}::text").format(sql.Literal(name), sql.Identifier(name))
                                for name in controls)
    return sql.SQL("jsonb_strip_nulls(jsonb_build_object({}))").format(pairs)


def store(db: psycopg.Connection, target: Target, held: Held | None, *, replaying: Collection[int] = ()) -> None:
    """Move `bad` (and, of a compared batch, the duplicates among the held rows) into `ops.quarantine`, in the batch's
    transaction.
    """
    if held is not None and (twice := loader.chosen(db, held, ("duplicate",))).count:
        db.execute(target.compose("create temp table twice (like {table} including defaults) on commit drop"))
        loader.copy_held(db, sql.SQL("twice"), target, held, twice)
        db.execute(target.compose(
            _DUPLICATES, field=sql.Literal(", ".join(target.stream.key)), record=_record(target.stream),
            mapped=sql.Literal(MAPPED), amounts=_amounts(target.stream.control_totals)))
    if db.execute("select exists (select 1 from bad)").fetchone()[0]:
        db.execute("analyze bad")
        db.execute(target.compose(_STORE))
        db.execute(target.compose(_RECEIVED_AGAIN))
    db.execute(target.compose(_HEALED, replaying=sql.Literal([*replaying] or [0])))


@dataclass(frozen=True)
class Entry:
    """One quarantined record. `payload` and `value` may hold personal data: only who asks for one record sees them."""

    quarantine_id: int
    case_id: int
    batch_id: int
    connection: str
    stream: str
    record_key: str | None
    field: str | None
    value: str | None
    reason_code: str
    reason: str
    payload: str
    amounts: dict[str, str]
    status: str
    note: str | None
    first_seen_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    corrected_payload: str | None


@dataclass(frozen=True)
class Filter:
    """Which records. None and () mean any. `since`: first seen then or later. `ids`: an id names its whole case."""

    connection: str | None = None
    stream: str | None = None
    status: str | None = "open"
    reason_code: str | None = None
    field: str | None = None
    since: datetime | None = None
    ids: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing narrows it down but the status."""
        return not (self.connection or self.stream or self.reason_code or self.field or self.since or self.ids)


WHERE = """
where (%(connection)s::text is null or q.connection = %(connection)s)
  and (%(stream)s::text is null or q.stream = %(stream)s)
  and (%(status)s::text is null or q.status = %(status)s)
  and (%(reason_code)s::text is null or q.reason_code = %(reason_code)s)
  and (%(field)s::text is null or q.field = %(field)s)
  and (%(since)s::timestamptz is null or q.first_seen_at >= %(since)s)
  and (%(ids)s::bigint[] = '{}' or coalesce(q.case_id, q.quarantine_id) in (
       select coalesce(n.case_id, n.quarantine_id) from ops.quarantine n where n.quarantine_id = any(%(ids)s)))
"""
SELECT = """
select q.quarantine_id, coalesce(q.case_id, q.quarantine_id) as case_id, q.batch_id, q.connection, q.stream,
       q.record_key, q.field, q.value, q.reason_code, q.reason, q.payload, q.amounts, q.status, q.note, q.first_seen_at,
       q.resolved_at, q.resolved_by, q.corrected_payload
  from ops.quarantine q
"""


def words(chosen: Filter) -> dict[str, Any]:
    """The filter as parameters of `WHERE`."""
    return {f.name: getattr(chosen, f.name) for f in fields(chosen)} | {"ids": [*chosen.ids]}


def list(connection: str | None = None, stream: str | None = None, status: str | None = "open",
         limit: int = 1000) -> tuple[Entry, ...]:
    """Quarantined records, the youngest first."""
    return find(Filter(connection, stream, status), limit)


def find(chosen: Filter, limit: int = 1000) -> tuple[Entry, ...]:
    """The records that a filter names, the youngest first."""
    from psycopg.rows import class_row

    from tieout.warehouse import connect

    with connect("loader") as db, db.cursor(row_factory=class_row(Entry)) as cursor:
        return tuple(cursor.execute(SELECT + WHERE + "order by q.quarantine_id desc limit %(limit)s",
                                    words(chosen) | {"limit": limit}).fetchall())


def get(quarantine_id: int) -> Entry:
    """The record of that id, or the youngest entry of its case. Raises LandingError where there is none."""
    found = find(Filter(status=None, ids=(quarantine_id,)))
    if not found:
        raise LandingError(f"no quarantined record {quarantine_id}", hint="tieout quarantine list --status all")
    return next((one for one in found if one.status == "open"), found[0])


def summary(chosen: Filter) -> tuple[dict[str, Any], ...]:
    """Records per connection, stream, reason code, field and status, with the oldest."""
    from psycopg.rows import dict_row

    from tieout.warehouse import connect

    with connect("loader") as db, db.cursor(row_factory=dict_row) as cursor:
        return tuple(cursor.execute(
            "select q.connection, q.stream, q.reason_code, q.field, q.status, count(*) as records, "
            "min(q.first_seen_at) as oldest from ops.quarantine q " + WHERE +
            "group by 1, 2, 3, 4, 5 order by records desc, 1, 2, 3, 4, 5", words(chosen)).fetchall())


def waive(which: Iterable[int] | Filter, note: str, by: str = "") -> int:
    """Accept that open records stay out, for the reason given. Returns how many were open.

    Raises LandingError without a reason, and for a filter that names everything.
    """
    from tieout.landing.mapping import said
    from tieout.warehouse import connect

    by = by or who()
    said(by, note)
    chosen = replace(which, status="open") if isinstance(which, Filter) else Filter(ids=tuple(which))
    if chosen.is_empty:
        raise LandingError("a waiver names records, a connection or another filter", hint="nothing was waived")
    with connect("loader") as db:
        return db.execute(
            "update ops.quarantine q set status = 'waived', note = %(note)s, resolved_by = %(by)s, "
            "resolved_at = clock_timestamp() " + WHERE, words(chosen) | {"note": note, "by": by}).rowcount


def who() -> str:
    """The account that runs this process, for decisions that name nobody else."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        return "unknown"
