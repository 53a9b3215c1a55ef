"""Rows of `ops.run`: drawn, shown to be at work, and closed when a crash left them open.

Whoever works for a run holds a lock of that run, in a session that ends with the process. A run that reads 'running'
is closed by the next one of its kind and label once nothing can go on with it:

- a landing run is one process: nobody holds its lock;
- a revenue run is a row of tasks, with pauses in which no process lives, so a free lock alone proves nothing. But
  builds are stamped in order: once a newer run was built, an older one is refused by every step that is left to it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import psycopg

_LOCK = "hashtextextended('run/' || %s::bigint, 7160005)"
_OPEN = {
    "land": "select run_id, 'its process ended before it was done' from ops.run r"
            " where kind = 'land' and label = %s and state = 'running'",
    "revenue": "select r.run_id, 'it stopped, and run ' || newer.run_id || ' was built after it' from ops.run r"
               " join (select max(run_id) as run_id from ops.build_watermark) newer on newer.run_id > r.run_id"
               " where kind = 'revenue' and label = %s and state = 'running'",
}


def draw(books: psycopg.Connection, kind: str, label: str, logical_at: datetime | None, dag_run_id: str | None) -> int:
    """A new run's id."""
    return books.execute(
        "insert into ops.run (kind, label, logical_at, dag_run_id) values (%s, %s, %s, %s) returning run_id",
        (kind, label, logical_at, dag_run_id)).fetchone()[0]


def show_alive(books: psycopg.Connection, run_id: int) -> None:
    """Hold the run's lock until the session of `books` ends. Any number of sessions may."""
    books.execute(f"select pg_advisory_lock_shared({_LOCK})", (run_id,))


def close_interrupted(books: psycopg.Connection, kind: Literal["land", "revenue"], label: str) -> list[int]:
    """Close what cannot be alive any more; the ids. A run that was published before it was cut off succeeded."""
    closed = []
    for run_id, reason in books.execute(f"{_OPEN[kind]} order by run_id", (label,)).fetchall():
        if not books.execute(f"select pg_try_advisory_xact_lock({_LOCK})", (run_id,)).fetchone()[0]:
            continue  # somebody works for it
        books.execute(
            "update ops.run set finished_at = clock_timestamp(),"
            " state = case when p.run_id is null then 'failed' else 'succeeded' end,"
            " error = case when p.run_id is null then coalesce(error, 'interrupted: ' || %s) end"
            " from (select %s::bigint as id) x left join ops.publication p on p.run_id = x.id"
            " where ops.run.run_id = x.id and state = 'running'", (reason, run_id))
        closed.append(run_id)
    return closed
