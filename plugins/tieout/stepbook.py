"""The book of steps: one row of `ops.step` for each time that a step of a run was tried.

A row reads 'running' while the process that wrote it lives: the process holds a lock for it, and whoever looks without
finding the lock knows that the step was killed.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

# Facts that have a column of their own; the others go into `ops.step.facts`.
COLUMNS = ("rows", "bytes", "requests", "retries", "waited_seconds", "token_refreshes")


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


def begin(run_id: int, step: str) -> Entry:
    """Write the row as 'running', and what was killed before as killed. Raises WarehouseError."""
    guard = _connect()
    try:
        with guard.transaction():
            guard.execute("select ops.settle_steps()")
            step_id, attempt = guard.execute(
                "insert into ops.step (run_id, step, attempt) select %s, %s, coalesce(max(attempt), 0) + 1"
                " from ops.step where run_id = %s and step = %s returning step_id, attempt",
                (run_id, step, run_id, step),
            ).fetchone()
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
