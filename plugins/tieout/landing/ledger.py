"""The landing ledger: one row of `ops.load` per attempt, and the lock that makes two runs of a stream wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tieout import logs, settings
from tieout.errors import LandingError
from tieout.extract import Window
from tieout.landing import archive

if TYPE_CHECKING:
    import psycopg

    from tieout.extract import Facts
    from tieout.spec import Connection, Stream

OUTCOMES = ("received", "landed", "unchanged", "replayed", "quarantined")
COST = ("requests", "bytes", "retries", "waited_seconds", "token_refreshes", "phases")


@dataclass
class Totals:
    """Rows and the sums of the control columns, per outcome."""

    columns: tuple[str, ...]
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    sums: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def add(self, outcome: str, rows: int, sums: dict[str, Decimal | None]) -> None:
        self.rows[outcome] += rows
        for column in self.columns:
            per = self.sums.setdefault(column, dict.fromkeys(OUTCOMES, Decimal(0)))
            per[outcome] += sums.get(column) or Decimal(0)

    def verify(self, where: str) -> None:
        """received = landed + unchanged + replayed + quarantined, in rows and in every sum; else LandingError."""
        for what, counts in {"rows": self.rows, **self.sums}.items():
            rest = sum(counts[outcome] for outcome in OUTCOMES[1:])
            if counts["received"] != rest:
                raise LandingError(
                    f"{where}: {what} do not add up: received {counts['received']}, accounted for {rest}",
                    hint="nothing was committed; this is a defect, please report it with the archive of the window")

    def as_json(self) -> dict[str, dict[str, str]]:
        """{column: {outcome: sum as text}}: exact, whatever reads it."""
        return {c: {o: f"{v.normalize():f}" if v else "0" for o, v in per.items()} for c, per in self.sums.items()}


@dataclass(frozen=True)
class LoadResult:
    """What one load of one stream did; the same figures as its row in `ops.load`."""

    batch_id: int
    connection: str
    stream: str
    mode: str
    received: int
    landed: int
    unchanged: int
    replayed: int
    quarantined: int
    deleted: int
    control_totals: dict[str, dict[str, str]]
    drift: dict[str, Any]
    archive_uri: str | None
    archive_sha256: str | None
    archive_bytes: int | None
    cursor_low: datetime | None
    cursor_high: datetime | None
    window_start: datetime | None
    window_end: datetime | None
    requests: int
    seconds: float
    bytes: int = 0
    retries: int = 0
    waited_seconds: float = 0.0
    token_refreshes: int = 0
    phases: dict[str, float] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def archived(self) -> archive.Archived | None:
        """The batch's archive, to be read again."""
        if self.archive_uri is None or self.archive_sha256 is None or self.archive_bytes is None:
            return None
        where = archive.place(self.connection, self.stream, self.batch_id)
        return archive.Archived(self.archive_uri, self.archive_sha256, self.archive_bytes, where)


@dataclass(frozen=True)
class ArchivedBatch:
    """A committed batch with its archive. `window`: what it stood for; None where its records came from elsewhere than
    from the vendor.
    """

    batch_id: int
    stream: str
    archived: archive.Archived
    window: Window | None


def archived_batch(db: psycopg.Connection, connection: str, batch_id: int) -> ArchivedBatch | None:
    """A committed batch that has an archive."""
    found = _archived(db, connection, "batch_id = %s", (batch_id,))
    return found[0] if found else None


def archived_batches(db: psycopg.Connection, connection: str, stream: str, after: int) -> list[ArchivedBatch]:
    """A stream's committed batches with archives after a batch, in order."""
    return _archived(db, connection, "stream = %s and batch_id > %s", (stream, after))


def _archived(db: psycopg.Connection, connection: str, which: str, words: tuple[Any, ...]) -> list[ArchivedBatch]:
    found = db.execute(
        "select batch_id, stream, archive_uri, archive_sha256, archive_bytes, mode, window_start, window_end "
        f"from ops.load where connection = %s and state = 'committed' and archive_uri is not null and {which} "
        "order by batch_id", (connection, *words)).fetchall()
    return [ArchivedBatch(batch_id, stream,
                          archive.Archived(uri, sha256, size, archive.place(connection, stream, batch_id)),
                          Window(start, end, full=mode == "full") if end else None)
            for batch_id, stream, uri, sha256, size, mode, start, end in found]


def summed(results: list[LoadResult]) -> LoadResult:
    """Several batches of one stream as one result: counts and cost added up, the rest as in the last."""
    last = results[-1]
    counts = (*OUTCOMES, "deleted", "requests", "seconds", "bytes", "retries", "waited_seconds", "token_refreshes")
    sums = {word: sum(getattr(one, word) for one in results) for word in counts}
    lows = [one.cursor_low for one in results if one.cursor_low]
    highs = [one.cursor_high for one in results if one.cursor_high]
    return replace(last, **sums, cursor_low=min(lows, default=None), cursor_high=max(highs, default=None))


@contextmanager
def stream_lock(db: psycopg.Connection, connection: str, streams: list[str]) -> Iterator[None]:
    """Hold the (connection, stream) locks; another process waits. `db` in autocommit. Taken in one order: no deadlock.

    Whoever holds the lock is alone, so a load that still reads 'running' was cut off: what it left in the archive is
    removed, and then it is recorded as failed. In this order: killed in between, the next one does both again.
    """
    for stream in sorted(streams):
        db.execute("select pg_advisory_lock(ops.stream_lock(%s, %s))", (connection, stream))
    try:
        cut_off = db.execute(
            "select stream, batch_id, window_end, started_at from ops.load"
            " where state = 'running' and connection = %s and stream = any(%s)", (connection, streams)).fetchall()
        for stream, batch_id, *moments in cut_off:
            archive.remove_leavings(settings.settings().archive, connection, stream, batch_id, filter(None, moments))
            db.execute(
                "update ops.load set state = 'failed', finished_at = clock_timestamp(),"
                " error = 'interrupted: its process ended before it could commit'"
                " where batch_id = %s and state = 'running'", (batch_id,))
        yield
    finally:
        if not db.closed and not db.broken:
            db.execute("select pg_advisory_unlock(ops.stream_lock(%s, s)) from unnest(%s::text[]) s",
                       (connection, streams))


def lock_until_commit(db: psycopg.Connection, connection: str, streams: list[str]) -> None:
    """Hold the locks of further streams until the caller's transaction ends. Taken in one order.

    Only what lists deletions asks for them, and what it deletes from never asks for its lock: no deadlock.
    """
    for stream in sorted(streams):
        db.execute("select pg_advisory_xact_lock(ops.stream_lock(%s, %s))", (connection, stream))


def begin(db: psycopg.Connection, connection: Connection, stream: Stream, mode: str, window: Window | None,
          run_id: int | None) -> int:
    """Write the row as 'running' and return its batch id."""
    return db.execute(
        "insert into ops.load (run_id, connection, system, stream, table_name, mode, window_start, window_end) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s) returning batch_id",
        (run_id, connection.name, connection.system, stream.name, f"raw.{stream.table}", mode,
         window and window.start, window and window.end)).fetchone()[0]


def commit(db: psycopg.Connection, batch_id: int, values: dict[str, Any]) -> None:
    """Complete the row, in the data's own transaction."""
    from psycopg import sql

    adapted = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in values.items()}
    sets = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(k), sql.Placeholder(k)) for k in adapted)
    db.execute(sql.SQL("update ops.load set {}, state = 'committed', finished_at = clock_timestamp() "
                       "where batch_id = %(batch_id)s").format(sets), {**adapted, "batch_id": batch_id})


def cost_values(cost: Facts, phases: dict[str, float] | None = None) -> dict[str, Any]:
    """The columns of COST."""
    words = {name: getattr(cost, name) for name in COST if name != "phases"}
    return {**words, "waited_seconds": round(cost.waited_seconds, 3),
            "phases": {name: round(seconds, 3) for name, seconds in (phases or {}).items()}}


def fail(db: psycopg.Connection, batch_id: int, error: BaseException, cost: Facts) -> None:
    """Record the failure and what it cost, after the data's transaction was rolled back."""
    db.execute("update ops.load set state = 'failed', error = %(error)s, finished_at = clock_timestamp(), "
               "requests = %(requests)s, bytes = %(bytes)s, retries = %(retries)s, "
               "waited_seconds = %(waited_seconds)s, token_refreshes = %(token_refreshes)s "
               "where batch_id = %(batch_id)s and state = 'running'",
               {**cost_values(cost), "phases": None, "batch_id": batch_id,
                "error": logs.redact(f"{type(error).__name__}: {error}")[:4000].replace("\x00", "")})


def covered_until(db: psycopg.Connection, connection: str, stream: str) -> datetime | None:
    """Up to when the stream has landed without a gap from the beginning; None: not at all.

    A backfill of some month in the middle is no proof of what lies before it.
    """
    covered = _pruned(db, connection, stream, "covered_until")
    for start, end in db.execute(
            "select window_start, window_end from ops.load where connection = %s and stream = %s "
            "and state = 'committed' and mode in ('incremental', 'full') and window_end is not null "
            "order by window_start nulls first, window_end", (connection, stream)):
        if start is None or (covered is not None and start <= covered):
            covered = end if covered is None else max(covered, end)
    return covered


def last_complete(db: psycopg.Connection, connection: str, stream: str) -> datetime | None:
    """The end of the last window that read the complete set."""
    found = db.execute("select max(window_end) from ops.load where connection = %s and stream = %s "
                       "and state = 'committed' and mode = 'full'", (connection, stream)).fetchone()[0]
    return found or _pruned(db, connection, stream, "last_complete")


def _pruned(db: psycopg.Connection, connection: str, stream: str, word: str) -> datetime | None:
    """What rows of the ledger had proved before retention let them go."""
    found = db.execute(f"select {word} from ops.pruned_load where connection = %s and stream = %s",
                       (connection, stream)).fetchone()
    return found and found[0]
