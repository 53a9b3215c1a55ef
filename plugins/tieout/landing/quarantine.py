"""Records that could not be typed: kept with reason and payload, replayed or waived by a person."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg import sql

from tieout.errors import LandingError

if TYPE_CHECKING:
    import psycopg

    from tieout.landing.ledger import LoadResult
    from tieout.landing.loader import Target
    from tieout.spec import Stream

IN_MEMORY = 8_000_000


class Spool:
    """Refused records of one batch, on disk beyond some megabytes: a broken feed must not fill the memory."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, "w+b")  # noqa: SIM115 - lives as long as the batch
        self.count = 0

    def add(self, key: str | None, field: str | None, value: str | None, code: str, reason: str, payload: str,
            modified_at: datetime | None) -> None:
        cells = (key, field, value, code, reason, payload, modified_at and modified_at.isoformat())
        line = io.StringIO()
        csv.writer(line).writerow(["" if cell is None else "=" + cell.replace("\x00", "\\u0000") for cell in cells])
        self._file.write(line.getvalue().encode("utf-8", "backslashreplace"))
        self.count += 1

    def load(self, db: psycopg.Connection) -> None:
        """Fill the temporary table `bad` (always created, perhaps empty)."""
        db.execute("drop table if exists bad; create temp table bad (record_key text, field text, value text, "
                   "reason_code text, reason text, payload text, modified_at timestamptz) on commit drop")
        if not self.count:
            return
        self._file.seek(0)
        with db.cursor() as cursor, cursor.copy(
                "copy bad (record_key, field, value, reason_code, reason, payload, modified_at) from stdin") as copy:
            for row in csv.reader(line.decode() for line in self._file):
                copy.write_row([cell[1:] if cell else None for cell in row])

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.count = 0

    def close(self) -> None:
        self._file.close()


# The same record refused again for the same reason is one case: the new row takes its age, and a waiver holds on.
_STORE = """
insert into ops.quarantine (batch_id, connection, stream, record_key, field, value, reason_code, reason, payload,
                            modified_at, status, note, first_seen_at, resolved_at)
select {batch}, {connection}, {stream}, b.record_key, b.field, b.value, b.reason_code, b.reason, b.payload,
       b.modified_at, coalesce(o.status, 'open'), o.note, coalesce(o.first_seen_at, clock_timestamp()), o.resolved_at
  from bad b
  left join lateral (
       select q.status, q.note, q.first_seen_at, q.resolved_at from ops.quarantine q
        where q.connection = {connection} and q.stream = {stream} and q.status in ('open', 'waived')
          and q.record_key is not distinct from b.record_key and q.reason_code = b.reason_code and q.payload = b.payload
        order by q.quarantine_id desc limit 1) o on true
"""
_RECEIVED_AGAIN = """
update ops.quarantine q set status = 'replayed', note = 'received again in batch ' || {batch}, resolved_at = now()
  from bad b
 where q.connection = {connection} and q.stream = {stream} and q.status = 'open' and q.batch_id < {batch}
   and q.record_key is not distinct from b.record_key and q.reason_code = b.reason_code and q.payload = b.payload
"""
_HEALED = """
update ops.quarantine q
   set status = 'replayed', note = 'a good version landed in batch ' || {batch}, resolved_at = now()
  from {table} r
 where q.connection = {connection} and q.stream = {stream} and q.status = 'open' and q.batch_id < {batch}
   and r._connection = {connection} and r._key = q.record_key and r._superseded_batch is null and r._batch_id = {batch}
   and coalesce(r._modified_at >= q.modified_at, true)
"""
_DUPLICATES = """
insert into bad (record_key, field, value, reason_code, reason, payload, modified_at)
select s._key, {field}, s._key, 'duplicate_key',
       'the key came twice in one batch with different content and no younger stamp', ({record})::text, s._modified_at
  from stage s join verdict v on v.at = s.ctid where v.outcome = 'duplicate'
"""


def _record(stream: Stream) -> sql.Composed:
    """The staged row as JSON under the vendor's names, so that it can be replayed."""
    pairs = [sql.SQL("{}, s.{}").format(sql.Literal(c.field or c.name), sql.Identifier(c.name)) for c in stream.columns]
    blocks = [sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs[at : at + 40]))
              for at in range(0, len(pairs), 40)]  # a function takes at most 100 arguments
    return sql.SQL(" || ").join([*blocks, sql.SQL("coalesce(s._extra, '{}')")])


def store(db: psycopg.Connection, target: Target, *, staged: bool) -> None:
    """Move `bad` (and the staged duplicates) into `ops.quarantine`, in the batch's transaction."""
    if staged:
        db.execute(target.compose(_DUPLICATES, field=sql.Literal(", ".join(target.stream.key)),
                                  record=_record(target.stream)))
    if db.execute("select exists (select 1 from bad)").fetchone()[0]:
        db.execute("analyze bad")
        db.execute(target.compose(_STORE))
        db.execute(target.compose(_RECEIVED_AGAIN))
    db.execute(target.compose(_HEALED))


@dataclass(frozen=True)
class Entry:
    """One quarantined record."""

    quarantine_id: int
    batch_id: int
    connection: str
    stream: str
    record_key: str | None
    field: str | None
    value: str | None
    reason_code: str
    reason: str
    payload: str
    status: str
    note: str | None
    first_seen_at: datetime


def list(connection: str | None = None, stream: str | None = None, status: str | None = "open",
         limit: int = 1000) -> tuple[Entry, ...]:
    """Quarantined records, the youngest first."""
    from psycopg.rows import class_row

    from tieout.warehouse import connect

    with connect("loader") as db, db.cursor(row_factory=class_row(Entry)) as cursor:
        return tuple(cursor.execute(
            "select quarantine_id, batch_id, connection, stream, record_key, field, value, reason_code, reason, "
            "payload, status, note, first_seen_at from ops.quarantine "
            "where (%(c)s::text is null or connection = %(c)s) and (%(s)s::text is null or stream = %(s)s) "
            "and (%(t)s::text is null or status = %(t)s) "
            "order by quarantine_id desc limit %(n)s",
            {"c": connection, "s": stream, "t": status, "n": limit}).fetchall())


def waive(ids: Iterable[int], note: str) -> int:
    """Accept that these records stay out, for the reason given. Returns how many were open."""
    from tieout.warehouse import connect

    if not note.strip():
        raise LandingError("a waiver needs a reason", hint="say who decided, and why")
    with connect("loader") as db:
        return db.execute("update ops.quarantine set status = 'waived', note = %s, resolved_at = clock_timestamp() "
                          "where quarantine_id = any(%s) and status = 'open'", (note, [*ids])).rowcount


def replay(connection: str, stream: str, run_id: int | None = None) -> LoadResult | None:
    """Land the stream's open records again, after the spec or the landing was mended; what still does not fit stays.

    None when there is nothing open. A record that meanwhile has a younger version does not overwrite it.
    """
    from tieout import settings
    from tieout.extract import Page
    from tieout.landing.land import land_pages

    if not list(connection, stream):
        return None
    company_connection = settings.settings().company.connection(connection)
    spec = next((one for one in company_connection.selected() if one.name == stream), None)
    if spec is None:
        raise LandingError(f"{connection} does not select the stream {stream}", hint="see `streams` in tieout.yml")
    replaying: set[int] = set()

    def pages() -> Iterator[Page]:
        # Read under the stream's lock: a load that ran meanwhile may have brought a good version of a record.
        for entry in reversed(list(connection, stream)):
            replaying.add(entry.quarantine_id)
            yield Page(stream, f"[{entry.payload}]".encode())

    return land_pages(company_connection, spec, pages(), run_id, mode="replay", replaying=replaying)
