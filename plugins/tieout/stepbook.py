"""The books of runs and steps: one row of `ops.step` for each time that a step of a run was tried.

A row reads 'running' while the process that wrote it lives: the process holds a lock for it, and whoever looks without
finding the lock knows that the step was killed. A run that reads 'running' is closed by the next one of its kind and
label once nobody is at work for it and nothing can go on with it:

- a landing run is never without a step while it lives;
- a revenue run is a row of tasks, with pauses in which no process lives, so that no lock proves nothing. But builds are
  stamped in order: once a newer run was built, an older one is refused by every step that is left to it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

Kind = Literal["land", "revenue"]

# Facts that have a column of their own; the others go into `ops.step.facts`.
COLUMNS = ("rows", "bytes", "requests", "retries", "waited_seconds", "token_refreshes")


_STOPPED = {
    "land": "select r.run_id, 'its process ended before it was done' as reason from ops.run r",
    "revenue": "select r.run_id, 'it stopped, and run ' || newer.run_id || ' was built after it' as reason"
               " from ops.run r"
               " join (select max(run_id) as run_id from ops.build_watermark) newer on newer.run_id > r.run_id",
}


@dataclass
class Entry:
    """An open row. `guard` holds the lock that says: this process lives."""

    step_id: int
    run_id: int
    step: str
    attempt: int
    guard: psycopg.Connection
    started: float = field(default_factory=time.monotonic)

    def end(self, books: psycopg.Connection, facts: dict[str, Any], error: str | None) -> None:
        """Complete the row in the caller's transaction. `facts`: words of COLUMNS, and anything that JSON can say."""
        values = {name: facts.get(name) for name in COLUMNS} | {
            "step_id": self.step_id,
            "state": "failed" if error else "succeeded",
            "seconds": round(time.monotonic() - self.started, 3),
            "peak_memory_bytes": peak_memory(),
            "facts": json.dumps({word: value for word, value in facts.items() if word not in COLUMNS}, default=str),
            "error": error and error.replace("\x00", ""),
        }
        sets = ", ".join(f"{name} = %({name})s" for name in values if name != "step_id")
        books.execute(
            f"update ops.step set {sets}, finished_at = clock_timestamp() where step_id = %(step_id)s", values
        )

    def close(self) -> None:
        """Give the lock back. Nothing is raised when Postgres went away meanwhile."""
        self.guard.close()


def open_run(books: psycopg.Connection, kind: Kind, label: str, logical_at: datetime | None,
             dag_run_id: str | None) -> int:
    """Draw a run's id, and close what was cut off, in the caller's transaction."""
    close_interrupted(books, kind, label)
    return books.execute(
        "insert into ops.run (kind, label, logical_at, dag_run_id) values (%s, %s, %s, %s) returning run_id",
        (kind, label, logical_at, dag_run_id),
    ).fetchone()[0]


def close_interrupted(books: psycopg.Connection, kind: Kind, label: str) -> list[int]:
    """Close the runs that cannot be alive any more; their ids. One that was published before it was cut off succeeded.

    Writes down what was killed, too.
    """
    books.execute("select ops.settle_steps()")
    return [run_id for (run_id,) in books.execute(
        f"with stopped as ({_STOPPED[kind]} where r.kind = %s and r.label = %s)"
        " update ops.run r set finished_at = clock_timestamp(),"
        "  state = case when p.run_id is null then 'failed' else 'succeeded' end,"
        "  error = case when p.run_id is null then coalesce(r.error, 'interrupted: ' || stopped.reason) end"
        " from stopped left join ops.publication p using (run_id)"
        " where r.run_id = stopped.run_id and r.state = 'running' and not exists (select from ops.step s"
        "  where s.run_id = r.run_id and s.state = 'running' and ops.step_is_alive(s.step_id))"
        " returning r.run_id", (kind, label))]


def begin(run_id: int, step: str, *, closes: bool = False) -> Entry:
    """Write the row as 'running', and what was killed before as killed. `closes`: the run ends with this step, and so
    runs again until then. Raises WarehouseError.
    """
    return _begin(lambda _: run_id, step, closes)


def begin_landing(connection: str, logical_at: datetime | None, dag_run_id: str | None) -> Entry:
    """A new landing run at its first step, in one transaction: nobody can see the run without the step's lock."""
    return _begin(lambda books: open_run(books, "land", connection, logical_at, dag_run_id), "land", True)


def _begin(run: Callable[[psycopg.Connection], int], step: str, closes: bool) -> Entry:
    from tieout.warehouse import present

    guard = _connect()
    try:
        with present(f"the beginning of {step}"), guard.transaction():
            run_id = run(guard)
            guard.execute("select ops.settle_steps()")
            step_id, attempt = guard.execute(
                "insert into ops.step (run_id, step, attempt) select %s, %s, coalesce(max(attempt), 0) + 1"
                " from ops.step where run_id = %s and step = %s returning step_id, attempt",
                (run_id, step, run_id, step),
            ).fetchone()
            if closes:  # else a check that is killed would stand in a run that succeeded
                guard.execute("update ops.run set state = 'running', finished_at = null"
                              " where run_id = %s and state <> 'running'", (run_id,))
            # Before the row can be seen: a row without its lock is taken for that of a dead process.
            guard.execute("select pg_advisory_lock(ops.step_lock(%s))", (step_id,))
    except BaseException:
        guard.close()
        raise
    return Entry(step_id, run_id, step, attempt, guard)


def peak_memory() -> int | None:
    """The most memory that this process held at once since it began, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _connect() -> psycopg.Connection:
    from tieout.warehouse import connect

    return connect("loader", autocommit=True, application="tieout step")
