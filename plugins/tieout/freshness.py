"""What is promised of each stream, and whether it is kept.

The promise follows from the connection's schedule: an interval that ended should be landed a grace later. Where
`tieout.yml` says `freshness: 2h`, data may be at most that old instead. Instants are aware; a schedule is a cron in the
connection's time zone, read as Airflow's interval timetable reads it, the two nights a year included on which clocks
move.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from tieout import settings
from tieout.spec import CRON_PRESETS, Connection

if TYPE_CHECKING:
    import psycopg

GRACE = timedelta(minutes=30)  # a landing takes its time, and tries again
SKEW = timedelta(minutes=10)  # a window ends at the vendor's now: its clock may be behind ours
CATCH_UP = timedelta(days=1)  # that one connection may be ahead of another before the gate says so
State = Literal["fresh", "late", "never_landed", "not_offered", "paused", "unscheduled"]

# As `ledger.covered_until`, for all streams at once: a backfill of some month in the middle fills no gap before it.
_COVERED = """
with windows as (
    select connection, stream, window_start, window_end,
           max(window_end) over (partition by connection, stream order by window_start nulls first, window_end
                                 rows between unbounded preceding and 1 preceding) as before
      from ops.load
     where state = 'committed' and mode in ('incremental', 'full') and window_end is not null
), gaps as (
    select connection, stream, min(window_start) as at from windows
     where window_start is not null and (before is null or window_start > before) group by 1, 2
)
select w.connection, w.stream, max(w.window_end)
  from windows w left join gaps g using (connection, stream)
 where g.at is null or w.window_start is null or w.window_start < g.at
 group by 1, 2"""

# What the newest run over all streams of a connection found the vendor not to offer.
_NOT_OFFERED = """
select distinct on (r.label) r.label, coalesce(s.facts -> 'not_offered', '[]')
  from ops.step s join ops.run r using (run_id)
 where s.step = 'land' and s.state = 'succeeded' and not coalesce((s.facts ->> 'partial')::boolean, false)
 order by r.label, s.step_id desc"""


@dataclass(frozen=True)
class Freshness:
    """How one stream stands against its promise.

    landed_until: data are complete up to here; None: never landed. due_at: where they should be by now; None: nothing
    is promised. late_seconds: by how much they are behind `due_at`; 0 unless `state` is late.
    """

    connection: str
    stream: str
    table: str
    state: State
    landed_until: datetime | None
    due_at: datetime | None
    late_seconds: int
    promise: str

    @property
    def broken(self) -> bool:
        """The promise is not kept: somebody should look."""
        return self.state == "late" or (self.state == "never_landed" and self.due_at is not None)


def last_tick(schedule: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The newest instant of the cron `schedule`, on the wall clock of `zone`, at or before `now`; in UTC.

    A time that the clock skips happens when it jumps; one that it repeats happens the second time; a cron that names
    every hour ticks in both.
    """
    from croniter import croniter

    wall = now.astimezone(zone).replace(tzinfo=None, fold=0)
    expression = CRON_PRESETS.get(schedule, schedule)
    if croniter(expression, wall).expanded[1] == ["*"]:
        tick = croniter(expression, wall + timedelta(seconds=1)).get_prev(datetime)
        if (since := wall - tick) < timedelta(hours=1):
            return (now - since).astimezone(UTC)
    ticks = croniter(expression, wall + timedelta(hours=3))  # a tick near a move of the clock may lie ahead of the wall
    while (tick := _instant(ticks.get_prev(datetime), zone)) > now:
        pass
    return tick


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    skipped = second.astimezone(zone).replace(tzinfo=None, fold=0) != wall
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC) if skipped else second


def due(connection: Connection, now: datetime) -> datetime | None:
    """Up to when the connection's streams should be landed at `now`; None where nothing is promised."""
    if connection.freshness:
        return now.astimezone(UTC) - connection.freshness
    if connection.schedule is None:
        return None
    return last_tick(connection.schedule, connection.zone, now - GRACE) - SKEW


def promise(connection: Connection) -> str:
    """The promise in words."""
    if connection.freshness:
        return f"at most {short(connection.freshness)} old"
    return f"{connection.schedule} {connection.time_zone}" if connection.schedule else "none: landed by hand"


def short(length: timedelta) -> str:
    """`2h`, `3d 4h`, `45m`: two units at most."""
    minutes = max(0, int(length.total_seconds()) // 60)
    parts = [(minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m")]
    shown = [f"{count}{unit}" for count, unit in parts if count][:2]
    return " ".join(shown) or f"{max(0, int(length.total_seconds()))}s"


def not_offered() -> set[tuple[str, str]]:
    """(connection, stream) of what a vendor does not offer, as its last whole landing found."""
    with _books() as books:
        return _absent(books)


def _absent(books: psycopg.Connection) -> set[tuple[str, str]]:
    return {(name, stream) for name, found in books.execute(_NOT_OFFERED) for stream in found}


def streams(now: datetime, *, paused: frozenset[str] = frozenset()) -> list[Freshness]:
    """Every selected stream of the company, in the order of `tieout.yml`. `paused`: connections whose DAG is paused."""
    with _books() as books:
        covered = {(name, stream): end for name, stream, end in books.execute(_COVERED)}
        absent = _absent(books)
    return [
        judge(connection, stream.name, covered.get((connection.name, stream.name)), now,
              absent=(connection.name, stream.name) in absent, paused=connection.name in paused, table=stream.table)
        for connection in settings.settings().company.connections.values()
        for stream in connection.selected()
    ]  # fmt: skip


def judge(connection: Connection, stream: str, landed_until: datetime | None, now: datetime, *, absent: bool = False,
          paused: bool = False, table: str = "") -> Freshness:
    """The state of one stream at `now`."""
    due_at = None if absent or paused else due(connection, now)
    behind = due_at - landed_until if due_at and landed_until else timedelta(0)
    state: State
    if absent:
        state = "not_offered"
    elif paused:
        state = "paused"
    elif landed_until is None:
        state = "never_landed"
    elif due_at is None:
        state = "unscheduled"
    else:
        state = "late" if behind > timedelta(0) else "fresh"
    return Freshness(connection.name, stream, f"raw.{table}", state, landed_until, due_at,
                     max(0, int(behind.total_seconds())), promise(connection))  # fmt: skip


def write_promises() -> None:
    """Write into `ops.promise` where each stream should be, for the landing gate: as of the newest window of its own
    connection, and as of a day before the newest of all. So a stream or a connection that stopped while others went on
    is seen, whatever clock the vendors follow, and one that lands a little later than its neighbour is not.
    """
    with _books() as books:
        absent = _absent(books)
        newest = dict(books.execute(
            "select connection, max(window_end) from ops.load where state = 'committed' and window_end is not null"
            " group by 1").fetchall())  # fmt: skip
        rows = []
        for connection in settings.settings().company.connections.values():
            if (latest := newest.get(connection.name)) is None:
                continue  # it has not begun: `tieout status` says so
            at = max(latest, max(newest.values()) - CATCH_UP)
            rows += [
                (connection.name, stream.name, due(connection, at), at)
                for stream in connection.selected()
                if (connection.name, stream.name) not in absent
            ]
        books.execute("delete from ops.promise")
        with books.cursor() as cursor:
            cursor.executemany(
                "insert into ops.promise (connection, stream, due_at, as_of) values (%s, %s, %s, %s)", rows
            )


def paused_connections() -> frozenset[str]:
    """Connections whose DAG is paused in Airflow. Empty where Airflow's metadata cannot be asked."""
    import psycopg

    from tieout.dag_words import land_dag_id

    if (dsn := settings.airflow_dsn()) is None:
        return frozenset()
    names = {land_dag_id(name): name for name in settings.settings().company.connections}
    try:
        with psycopg.connect(dsn, connect_timeout=3) as metadata:
            rows: list[tuple[Any, ...]] = metadata.execute(
                "select dag_id from dag where is_paused and dag_id = any(%s)", (list(names),)
            ).fetchall()
    except psycopg.Error:
        return frozenset()
    return frozenset(names[dag_id] for (dag_id,) in rows)


def _books() -> psycopg.Connection:
    from tieout.warehouse import connect

    return connect("loader", application="tieout freshness")
