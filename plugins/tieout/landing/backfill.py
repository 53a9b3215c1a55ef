"""Backfills: past windows landed again, from the vendor or from the archive, resumable at any point.

The books (`ops.backfill`, `ops.backfill_window`) hold every unit of work, one stream in one window or one archived
batch, and what became of it. Whoever asks for the same again goes on where it stopped. Landing is idempotent, so a unit
that was committed and not yet marked is landed twice and changes nothing.
"""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from tieout.errors import ConfigError, LandingError
from tieout.landing import archive, windows
from tieout.warehouse import connect

if TYPE_CHECKING:
    import psycopg

    from tieout.landing.ledger import LoadResult
    from tieout.spec import Connection

CHUNK = 100  # archived batches in one landing run: its check comes after them
OPEN = ("running", "failed", "interrupted")


@dataclass(frozen=True)
class Request:
    """What is asked for: [first, last) in days of `zone`, in windows of `days`. `streams` None: all selected."""

    connection: str
    first: date
    last: date
    days: int = 1
    zone: str = "UTC"
    streams: tuple[str, ...] | None = None
    source: Literal["vendor", "archive"] = "vendor"

    def __post_init__(self) -> None:
        if self.last <= self.first:
            raise ConfigError(f"--to {self.last} is not after --from {self.first}",
                              hint="--to is the day after the last")

    @property
    def arguments(self) -> dict[str, Any]:
        """For the books: two requests are the same where these are equal."""
        found = {**asdict(self), "first": self.first.isoformat(), "last": self.last.isoformat()}
        return {**found, "streams": sorted(self.streams) if self.streams else None}

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From the first midnight to the last, in UTC."""
        return self._midnight(self.first), self._midnight(self.last)

    def windows(self) -> list[tuple[datetime, datetime]]:
        """Half-open windows that cover the span without gap or overlap; the last may be shorter. In UTC."""
        lows = [self.first]
        while lows[-1] + timedelta(days=self.days) < self.last:
            lows.append(lows[-1] + timedelta(days=self.days))
        edges = [self._midnight(day) for day in [*lows, self.last]]
        return list(zip(edges[:-1], edges[1:], strict=True))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.zone)).astimezone(UTC)


@dataclass(frozen=True)
class Unit:
    """One stream in one window, or one archived batch (`source_batch_id`). `received`: rows, once landed."""

    position: int
    stream: str
    start: datetime | None
    end: datetime | None
    source_batch_id: int | None = None
    state: Literal["pending", "landed", "done"] = "pending"
    run_id: int | None = None
    batch_id: int | None = None
    received: int | None = None
    note: str | None = None


@dataclass
class Work:
    """A backfill that this process works on: nobody else does meanwhile."""

    backfill_id: int
    request: Request
    units: list[Unit]
    resumed: bool
    db: psycopg.Connection

    @property
    def left(self) -> int:
        """Units that are not done."""
        return sum(unit.state != "done" for unit in self.units)

    def mark(self, unit: Unit, **values: Any) -> Unit:
        """Write a unit's new state to the books."""
        changed = replace(unit, **values)
        self.units[unit.position] = changed
        self.db.execute(
            "update ops.backfill_window set state = %s, run_id = %s, batch_id = %s, received = %s, note = %s, "
            "changed_at = clock_timestamp() where backfill_id = %s and position = %s",
            (changed.state, changed.run_id, changed.batch_id, changed.received, changed.note, self.backfill_id,
             unit.position))
        return changed


@dataclass(frozen=True)
class Steps:
    """What a backfill needs from above: `land(connection, start=, end=, streams=, backfill=, progress=)` and
    `reland(connection, batch_ids, progress=)` return a report with `run_id`; `check(run_id)` raises GateError.
    """

    land: Callable[..., Any]
    reland: Callable[..., Any]
    check: Callable[[int], Any]


Tell = Callable[[Unit], Any]


def plan(connection: Connection, request: Request) -> list[Unit]:
    """The units in the order in which they are landed. Reads the ledger for the archive; asks no vendor."""
    chosen = windows.chosen(connection, request.streams)
    if request.source == "vendor":
        found = [(stream.name, low, high, None) for low, high in request.windows() for stream in chosen]
    else:
        batches = archived(connection.name, [stream.name for stream in chosen], request)
        found = [(row[1], row[2], row[3], row[0]) for row in batches]
    return [Unit(at, *each) for at, each in enumerate(found)]


def archived(connection: str, streams: Sequence[str], request: Request) -> list[tuple]:
    """(batch, stream, start, end, uri, sha256, bytes, received, pruned at) of the committed batches whose windows meet
    the request's span, oldest first.

    A replay of quarantined records has no window: the stamps of its records stand for it.
    """
    low, high = request.span
    with connect("loader", application="tieout backfill") as db:
        return db.execute(
            "select batch_id, stream, window_start, window_end, archive_uri, archive_sha256, archive_bytes, received, "
            "archive_pruned_at from ops.load where connection = %s and stream = any(%s) and state = 'committed' "
            "and archive_uri is not null and mode <> 'archive' "
            "and coalesce(case when mode = 'replay' then cursor_low else window_start end < %s, true) "
            "and coalesce(case when mode = 'replay' then cursor_high >= %s else window_end > %s end, true) "
            "order by batch_id", (connection, list(streams), high, low, low)).fetchall()


@contextmanager
def opened(connection: Connection, request: Request, *, resume: bool | None = None) -> Iterator[Work]:
    """The backfill of that request, for this process alone. `resume` None: go on with an unfinished one of the same
    arguments, else begin; True: only go on; False: give the unfinished one up and begin.

    Its state in the books ends as finished, failed or interrupted; a process that is killed leaves it running, without
    the lock. Raises ConfigError when there is nothing to resume, nothing to do, or another process is at it.
    """
    with connect("loader", autocommit=True, application=f"tieout backfill {connection.name}") as db:
        lock = f"{connection.name}/{json.dumps(request.arguments, sort_keys=True)}"
        if not db.execute("select pg_try_advisory_lock(hashtextextended(%s, 7160030))", (lock,)).fetchone()[0]:
            raise ConfigError(f"this backfill of {connection.name} is being worked on by another process",
                              hint="see `tieout backfill list`; wait for it, or stop it and give the command again")
        work = _begun(db, connection, request, resume)
        state, problem = "finished", None
        try:
            yield work
        except BaseException as error:
            state = "failed" if isinstance(error, Exception) else "interrupted"
            problem = f"{type(error).__name__}: {error}"[:2000].replace("\x00", "")
            raise
        finally:
            if not db.broken:
                db.execute("update ops.backfill set state = %s, error = %s, finished_at = clock_timestamp() "
                           "where backfill_id = %s", (state, problem, work.backfill_id))


def run(connection: Connection, work: Work, steps: Steps, *, or_vendor: bool = False,
        tell: Tell = lambda _: None) -> None:
    """Land what is not done, in order, and check each landing run. `tell(unit)` after each unit that was landed.

    `or_vendor`: where an archived file is damaged or gone, ask the vendor for its window instead of failing.
    Raises whatever landing and its gate raise; what was landed before stays, in the warehouse and in the books.
    """
    if work.request.source == "vendor":
        for units in _by_window(work.units):
            _land_window(connection, work, units, steps, tell)
    else:
        _land_archive(connection, work, steps, or_vendor, tell)


def _land_window(connection: Connection, work: Work, units: list[Unit], steps: Steps, tell: Tell) -> None:
    pending = {unit.stream: unit for unit in units if unit.state == "pending"}
    if pending:
        def landed(result: LoadResult) -> None:
            if unit := pending.pop(result.stream, None):
                tell(work.mark(unit, state="landed", batch_id=result.batch_id, received=result.received))

        report = steps.land(connection.name, start=units[0].start, end=units[0].end, backfill=True, progress=landed,
                            streams=_with_parents(connection, pending))
        for unit in list(pending.values()):
            tell(work.mark(unit, state="done", note="the vendor does not offer it"))
        _stamp(work, units, report.run_id)
    _check(work, units, steps)


def _land_archive(connection: Connection, work: Work, steps: Steps, or_vendor: bool, tell: Tell) -> None:
    files = _files(connection.name, work.units)
    waiting = [unit for unit in work.units if unit.state == "pending"]
    while waiting:
        sound: list[Unit] = []
        problem = None
        for unit in waiting[:CHUNK]:
            problem = _problem(files.get(unit.source_batch_id))
            if problem:
                break
            sound.append(unit)
        if sound:
            _reland(connection, work, sound, steps, tell)
        if problem:
            _instead(connection, work, waiting[len(sound)], problem, steps, or_vendor, tell)
        waiting = waiting[len(sound) + bool(problem):]
    _check(work, work.units, steps)


def _reland(connection: Connection, work: Work, units: list[Unit], steps: Steps, tell: Tell) -> None:
    todo = iter(units)  # reland goes by batch, as the units do

    def landed(result: LoadResult) -> None:
        tell(work.mark(next(todo), state="landed", batch_id=result.batch_id, received=result.received))

    report = steps.reland(connection.name, [unit.source_batch_id for unit in units], progress=landed)
    _stamp(work, units, report.run_id)
    _check(work, units, steps)


def _instead(connection: Connection, work: Work, unit: Unit, problem: str, steps: Steps, or_vendor: bool,
             tell: Tell) -> None:
    """The vendor is asked for the window of an archived batch that cannot be read."""
    where = f"{connection.name}.{unit.stream}: the archive of batch {unit.source_batch_id} cannot be landed: {problem}"
    if not or_vendor:
        raise LandingError(where, hint="give the same command with --or-vendor to ask the vendor for its window, or "
                                       "restore the file; what was landed stays")
    if unit.end is None:
        raise LandingError(f"{where}, and it was a replay, which has no window",
                           hint="backfill the days of its records from the vendor")
    results: list[LoadResult] = []
    report = steps.land(connection.name, start=unit.start, end=unit.end, backfill=True, progress=results.append,
                        streams=_with_parents(connection, [unit.stream]))
    own = next((result for result in results if result.stream == unit.stream), None)
    tell(work.mark(unit, state="landed", run_id=report.run_id, batch_id=own and own.batch_id,
                   received=own and own.received, note=f"from the vendor: {problem}"))
    _check(work, [unit], steps)


def _stamp(work: Work, units: Iterable[Unit], run_id: int) -> None:
    for unit in units:
        if work.units[unit.position].state == "landed":
            work.mark(work.units[unit.position], run_id=run_id)


def _check(work: Work, units: Iterable[Unit], steps: Steps) -> None:
    """The landing gate of what is landed: one evaluation looks at all that no build has consumed yet."""
    landed = [work.units[unit.position] for unit in units if work.units[unit.position].state == "landed"]
    if not landed:
        return
    runs = work.db.execute("select max(run_id) from ops.load where batch_id = any(%s)",
                           ([unit.batch_id for unit in landed],)).fetchone()[0]
    if runs is not None:
        steps.check(runs)
    for unit in landed:
        work.mark(unit, state="done", run_id=unit.run_id or runs)


def _by_window(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    group: list[Unit] = []
    for unit in units:
        if group and (unit.start, unit.end) != (group[0].start, group[0].end):
            yield [u for u in group if u.state != "done"]
            group = []
        group.append(unit)
    yield [u for u in group if u.state != "done"]


def _with_parents(connection: Connection, names: Iterable[str]) -> list[str]:
    """A child's lines are those of the documents in the window, so that its parent is read with it."""
    selected = {stream.name: stream for stream in connection.selected()}
    wanted = list(names)
    for name in wanted:
        link = selected[name].parent
        if link and link.stream in selected and link.stream not in wanted:
            wanted.append(link.stream)
    return wanted


def _files(connection: str, units: Sequence[Unit]) -> dict[int, tuple[archive.Archived, datetime | None]]:
    with connect("loader", application="tieout backfill") as db:
        rows = db.execute("select batch_id, stream, archive_uri, archive_sha256, archive_bytes, archive_pruned_at "
                          "from ops.load where connection = %s and batch_id = any(%s) and archive_uri is not null",
                          (connection, [unit.source_batch_id for unit in units])).fetchall()
    return {number: (archive.Archived(*facts, archive.place(connection, stream, number)), pruned_at)
            for number, stream, *facts, pruned_at in rows}


def _problem(file: tuple[archive.Archived, datetime | None] | None) -> str | None:
    """Why an archived file cannot be landed again; None where its bytes are the ones that the ledger knows."""
    if file is None:
        return "it is not in the ledger any more"
    archived, pruned_at = file
    if pruned_at is not None:
        return f"it was pruned by the retention policy on {pruned_at:%Y-%m-%d}"
    try:
        archive.verify(archived)
    except LandingError as damage:
        return damage.message
    return None


# --- the books --------------------------------------------------------------------------------------------------------


def _begun(db: psycopg.Connection, connection: Connection, request: Request, resume: bool | None) -> Work:
    known = db.execute(
        "select backfill_id from ops.backfill where connection = %s and arguments = %s::jsonb and state = any(%s) "
        "order by backfill_id desc limit 1",
        (connection.name, json.dumps(request.arguments), list(OPEN))).fetchone()
    if known and resume is not False:
        db.execute("update ops.backfill set state = 'running', error = null, finished_at = null where backfill_id = %s",
                   known)
        return Work(known[0], request, units(db, known[0]), True, db)
    if resume:
        raise ConfigError(f"there is no unfinished backfill of {connection.name} with these arguments",
                          hint="`tieout backfill list` shows what there is; leave --resume out to begin")
    planned = plan(connection, request)
    if not planned:
        raise ConfigError(f"the archive of {connection.name} holds nothing from {request.first} to {request.last}",
                          hint="leave --from-archive out to ask the vendor")
    if known:
        db.execute("update ops.backfill set state = 'abandoned', finished_at = clock_timestamp() "
                   "where backfill_id = %s", known)
    with db.transaction():
        number = db.execute(
            "insert into ops.backfill (connection, source, arguments, requested_by) values (%s, %s, %s, %s) "
            "returning backfill_id",
            (connection.name, request.source, json.dumps(request.arguments), _who())).fetchone()[0]
        with db.cursor() as cursor, cursor.copy(
                "copy ops.backfill_window (backfill_id, position, stream, window_start, window_end, source_batch_id) "
                "from stdin") as copy:
            for unit in planned:
                copy.write_row((number, unit.position, unit.stream, unit.start, unit.end, unit.source_batch_id))
    return Work(number, request, planned, False, db)


def units(db: psycopg.Connection, backfill_id: int) -> list[Unit]:
    """A backfill's units, in order."""
    return [Unit(*row) for row in db.execute(
        "select position, stream, window_start, window_end, source_batch_id, state, run_id, batch_id, received, note "
        "from ops.backfill_window where backfill_id = %s order by position", (backfill_id,))]


def overview(backfill_id: int | None = None) -> list[dict[str, Any]]:
    """The backfills, the youngest first, with how far each got. One that runs without its lock was cut off."""
    from psycopg.rows import dict_row

    with connect("loader", application="tieout backfill") as db, db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "select b.backfill_id, b.connection, b.source, b.arguments, b.state, b.requested_by, b.started_at, "
            "b.finished_at, b.error, count(w.position) as units, count(*) filter (where w.state = 'done') as done, "
            "coalesce(sum(w.received), 0)::bigint as received "
            "from ops.backfill b left join ops.backfill_window w using (backfill_id) "
            "where %(id)s::bigint is null or b.backfill_id = %(id)s group by b.backfill_id order by 1 desc limit 100",
            {"id": backfill_id}).fetchall()
        for row in rows:
            lock = f"{row['connection']}/{json.dumps(row['arguments'], sort_keys=True)}"
            if row["state"] == "running" and cursor.execute(
                    "select pg_try_advisory_lock(hashtextextended(%s, 7160030)) as free", (lock,)).fetchone()["free"]:
                row["state"] = "stopped"
                cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 7160030))", (lock,))
    return rows


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user without a name
        return socket.gethostname()
