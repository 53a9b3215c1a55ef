"""The pointer: what readers see is the run it names. It moves only to a run whose marts gate passed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tieout import logs, warehouse
from tieout.errors import PublishError
from tieout.publish import views
from tieout.register import log as register_log
from tieout.register.settle import Settled, settle

if TYPE_CHECKING:
    import psycopg

log = logs.logger(__name__)

LOCK = 7_160_003  # any constant: two publications at once wait for one another
GATE = ("gate", "all_declared_evaluated")  # written by quality.gate for every check


@dataclass(frozen=True)
class Publication:
    """A published run. `previous_run_id`: what readers saw before. `is_new`: false when it was published already.

    `breaks`: what it changed in the register of breaks.
    """

    publication_id: int
    run_id: int
    as_of_date: date
    published_at: datetime
    previous_run_id: int | None
    views_changed: tuple[str, ...] = ()
    is_new: bool = True
    seconds: float = 0.0
    breaks: Settled = field(default_factory=Settled)


def publish(run_id: int) -> Publication:
    """Let readers see `run_id`, in one transaction; idempotent. Raises PublishError when it may not be published.

    Readers are never blocked by the move: a query sees the pointer as it was when the query began.
    """
    started = time.monotonic()
    with warehouse.connect("publisher", application="tieout publish") as connection:
        _may_publish(connection, run_id)
    changed = views.refresh()
    with warehouse.connect("publisher", application="tieout publish") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        run = _may_publish(connection, run_id)
        previous = connection.execute("select run_id from ops.pointer").fetchone()
        known = connection.execute(
            "select publication_id, as_of_date, published_at, facts from ops.publication where run_id = %s",
            (run_id,)).fetchone()
        if known:
            publication_id, as_of_date, published_at, facts = known
            return Publication(publication_id, run_id, as_of_date, published_at, facts.get("previous_run_id"),
                               tuple(changed), is_new=False, seconds=time.monotonic() - started)
        previous_run = previous[0] if previous else None
        breaks = settle(connection, run_id, run["as_of_date"])
        events, newest = register_log.head(connection)
        facts = {"previous_run_id": previous_run, "warnings": run["warnings"], "gates": run["gates"],
                 "register": {"events": events, "hash": newest}}
        publication_id, published_at = connection.execute(
            "insert into ops.publication (run_id, as_of_date, facts) values (%s, %s, %s) "
            "returning publication_id, published_at", (run_id, run["as_of_date"], json.dumps(facts))).fetchone()
        connection.execute(
            "insert into ops.pointer (run_id) values (%s) "
            "on conflict (only_row) do update set run_id = excluded.run_id, moved_at = clock_timestamp()", (run_id,))
        changed += views.copy_plain(connection)
    log.info("published run %s as of %s (before: %s)", run_id, run["as_of_date"], previous_run)
    return Publication(publication_id, run_id, run["as_of_date"], published_at, previous_run, tuple(changed),
                       seconds=time.monotonic() - started, breaks=breaks)


def current() -> Publication | None:
    """What readers see now, or None before the first publication."""
    with warehouse.connect("publisher", application="tieout publish") as connection:
        row = connection.execute(
            "select p.publication_id, p.run_id, p.as_of_date, p.published_at, p.facts "
            "from ops.publication p join ops.pointer x on x.run_id = p.run_id").fetchone()
    return Publication(*row[:4], row[4].get("previous_run_id"), is_new=False) if row else None


def _may_publish(connection: psycopg.Connection, run_id: int) -> dict[str, Any]:
    """The run's as-of date and gate counts; PublishError with the reason when it may not be seen."""
    run = connection.execute(
        "select kind, state, coalesce((logical_at at time zone 'UTC')::date, "
        "(started_at at time zone 'UTC')::date) from ops.run where run_id = %s", (run_id,)).fetchone()
    if run is None:
        raise PublishError(f"there is no run {run_id}", hint="see ops.run")
    if run[0] != "revenue":
        raise PublishError(f"run {run_id} is of kind {run[0]}: only revenue runs build marts")
    if run[1] == "failed":
        raise PublishError(f"run {run_id} failed", hint="build a new run; it supersedes the failed candidate")
    newer = connection.execute("select run_id from ops.pointer where run_id > %s", (run_id,)).fetchone()
    if newer:
        raise PublishError(f"run {newer[0]} is published already, and it is newer than {run_id}",
                           hint="read the older state with reporting.as_of()")
    gates, blocking, warnings, own = connection.execute(
        "select count(*), count(*) filter (where severity = 'critical' and not passed), "
        "count(*) filter (where severity = 'warning' and not passed), "
        "count(*) filter (where suite = %s and expectation = %s and passed) "
        "from ops.gate_result where run_id = %s and stage = 'marts'", (*GATE, run_id)).fetchone()
    if not gates or not own:
        raise PublishError(f"run {run_id} has {'no complete' if gates else 'no'} result of the marts gate",
                           hint=f"tieout check marts --run-id {run_id}")
    if blocking:
        raise PublishError(f"the marts gate of run {run_id} failed ({blocking} of {gates}): readers stay put",
                           hint="see ops.gate_result, or Data Docs")
    return {"as_of_date": run[2], "gates": gates, "warnings": warnings}
