"""The steps of a run: the only API of the command line, the DAGs and the tests.

    run_id = open_run("revenue")
    build(run_id); match(run_id); check("marts", run_id); publish(run_id); report(run_id); close_run(run_id)

`land` opens and closes a run of its own. Every step writes what it did into `ops.run.facts`, and why it failed into
`ops.run.error`. Rooms are imported when a step needs them, so that a DAG file which imports this module stays light.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tieout import logs
from tieout.errors import GateError, LandingError, PublishError, TieoutError
from tieout.settings import settings

if TYPE_CHECKING:
    import psycopg

    from tieout.landing.land import LoadResult
    from tieout.publish.pointer import Publication
    from tieout.quality.gate import Verdict
    from tieout.transform.build import BuildReport

Stage = Literal["landing", "marts"]
log = logs.logger(__name__)


@dataclass(frozen=True)
class LandReport:
    """What one landing run did. `start` None: each stream's own cursor. `run_id` None: a dry run."""

    connection: str
    run_id: int | None
    start: datetime | None
    end: datetime | None
    loads: tuple[LoadResult, ...]
    seconds: float

    def total(self, field: str) -> int:
        """Sum of a count (received, landed, unchanged, quarantined, deleted, requests) over the streams."""
        return sum(getattr(load, field) or 0 for load in self.loads)


def open_run(
    kind: Literal["land", "revenue"], label: str = "revenue", logical_at: datetime | None = None, *, dag_run_id: str | None = None
) -> int:
    """Draw a run id. `logical_at` is the instant for which the run stands; a revenue run defaults to `landed_until()`."""
    if kind == "revenue" and logical_at is None:
        logical_at = landed_until()
    with _books() as books:
        row = books.execute(
            "insert into ops.run (kind, label, logical_at, dag_run_id) values (%s, %s, %s, %s) returning run_id",
            (kind, label, logical_at, dag_run_id),
        ).fetchone()
    return row[0]


def landed_until() -> datetime:
    """The instant up to which every connection of the company is landed. LandingError while one has landed nothing."""
    names = list(settings().company.connections)
    with _books() as books:
        ends = dict(books.execute(
            "select connection, max(window_end) from ops.load where state = 'committed' and connection = any(%s)"
            " group by connection", (names,)).fetchall())
    missing = [name for name in names if ends.get(name) is None]
    if missing:
        raise LandingError(f"nothing has been landed for {', '.join(missing)}", hint=f"run `tieout land {missing[0]}` first")
    return min(ends.values())


def land(
    connection: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    streams: Sequence[str] | None = None,
    full: bool = False,
    backfill: bool = False,
    dag_run_id: str | None = None,
    progress: Callable[[LoadResult], None] | None = None,
) -> LandReport:
    """Land one connection.

    A scheduled run reaches back to what was last committed, however long ago; `backfill` takes exactly [start, end) and
    leaves the cursor alone. Raises SourceError and its kin, LandingError, SecretError; nothing of a failed stream is visible.
    """
    from tieout.landing.land import land_connection

    chosen = settings().company.connection(connection)
    run_id = open_run("land", connection, end, dag_run_id=dag_run_id)
    started = time.monotonic()
    with _recording(run_id, "land", close=True) as facts, logs.bound(run=run_id, connection=connection):
        loads = tuple(land_connection(
            chosen, run_id, start=start, end=end, streams=streams, full=full, backfill=backfill, on_progress=progress))
        result = LandReport(connection, run_id, start, end, loads, time.monotonic() - started)
        facts |= {word: result.total(word) for word in
                  ("received", "landed", "unchanged", "quarantined", "deleted", "requests")}
        facts["streams"] = len(loads)
    return result


def check(stage: Stage, run_id: int) -> Verdict:
    """Evaluate the stage's suites. Raises GateError when a critical expectation failed; readers keep the last publication."""
    from tieout.quality import gate

    with _recording(run_id, f"check_{stage}") as facts:
        verdict = gate.check(stage, run_id)
        facts["passed"] = verdict.passed
        facts["failures"] = [str(failure) for failure in verdict.failures]
        if not verdict.passed:
            shown = "\n".join(f"  - {failure}" for failure in facts["failures"][:20])
            raise GateError(f"the {stage} of run {run_id} did not pass:\n{shown}",
                            hint="see ops.gate_result, or `tieout report`; nothing was published")
    return verdict


def build(run_id: int, *, full_refresh: bool = False) -> BuildReport:
    """Run dbt for this run. Waits while another build is running."""
    from tieout.transform import build as transform

    with _recording(run_id, "build") as facts, logs.bound(run=run_id):
        result = transform.run(run_id, full_refresh)
        facts |= _plain(result)
    return result


def match(run_id: int) -> None:
    """The door for matching in Python, between two dbt selections. Every rule is SQL so far, so it has nothing to do."""
    with _recording(run_id, "match"):
        log.debug("no Python matching in this version")


def publish(run_id: int) -> Publication:
    """Move the pointer to this run. Refuses a run whose marts were not checked, or did not pass."""
    from tieout.publish import pointer

    with _recording(run_id, "publish") as facts:
        with _books() as books:
            checked, failed = books.execute(
                "select count(*), count(*) filter (where not passed and severity = 'critical')"
                " from ops.gate_result where run_id = %s and stage = 'marts'", (run_id,)).fetchone()
        if not checked or failed:
            raise PublishError(f"run {run_id} {'did not pass its gates' if failed else 'was never checked'}",
                               hint=f"tieout check marts --run-id {run_id}")
        publication = pointer.publish(run_id)
        facts |= _plain(publication)
    return publication


def report(run_id: int | None = None) -> Path:
    """Write the HTML report of a run (default: the published one) and return its path."""
    from tieout.publish import report as html

    folder = settings().home / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (f"run-{run_id}.html" if run_id else "published.html")
    if run_id is None:
        return html.write(None, path)
    with _recording(run_id, "report") as facts:
        written = html.write(run_id, path)
        facts["path"] = str(written)
    return written


def close_run(run_id: int, state: Literal["succeeded", "failed"] | None = None, error: str | None = None) -> str:
    """Close a run; with no state given, a revenue run succeeded if it was published. Returns the state. Idempotent."""
    with _books() as books:
        state = state or books.execute(
            "select case when exists (select from ops.publication where run_id = %s) then 'succeeded' else 'failed' end",
            (run_id,)).fetchone()[0]
        books.execute(
            "update ops.run set state = %s, error = case when %s = 'failed' then coalesce(%s, error) end,"
            " finished_at = clock_timestamp() where run_id = %s", (state, state, error, run_id))
    return state


def revenue(*, full_refresh: bool = False, logical_at: datetime | None = None) -> RevenueReport:
    """build → match → check → publish → report in one call: what the DAG `revenue` does, task by task."""
    run_id = open_run("revenue", logical_at=logical_at)
    try:
        built = build(run_id, full_refresh=full_refresh)
        match(run_id)
        verdict = check("marts", run_id)
        publication = publish(run_id)
        path = report(run_id)
    except BaseException as error:
        close_run(run_id, None, logs.redact(str(error)))
        raise
    close_run(run_id)
    return RevenueReport(run_id, built, verdict, publication, path)


@dataclass(frozen=True)
class RevenueReport:
    """What a whole revenue run yielded."""

    run_id: int
    build: BuildReport
    verdict: Verdict
    publication: Publication
    report: Path


def _books() -> psycopg.Connection:
    from tieout.warehouse import connect

    return connect("loader", application="tieout steps")


@contextmanager
def _recording(run_id: int, step: str, *, close: bool = False) -> Iterator[dict[str, Any]]:
    """Record the step's facts and seconds in `ops.run.facts`, and its error in `ops.run.error`; `close` the run after it."""
    facts: dict[str, Any] = {}
    started, begun = time.monotonic(), datetime.now(UTC)
    error: str | None = None
    try:
        yield facts
    except BaseException as problem:
        error = logs.redact(str(problem)) or type(problem).__name__
        raise
    finally:
        facts |= {"seconds": round(time.monotonic() - started, 3), "started_at": begun.isoformat()}
        try:
            _write(run_id, step, facts, error, close)
        except TieoutError:
            if error is None:
                raise
            log.warning("the failure of %s could not be recorded: the warehouse is away", step)


def _write(run_id: int, step: str, facts: dict[str, Any], error: str | None, close: bool) -> None:
    state = "failed" if error else "succeeded" if close else None
    with _books() as books:
        books.execute(
            "update ops.run set facts = facts || %s::jsonb, error = %s,"
            " state = coalesce(%s, state), finished_at = case when %s then clock_timestamp() else finished_at end"
            " where run_id = %s",
            (json.dumps({step: facts}, default=str), error, state, bool(error) or close, run_id))


def _plain(result: Any) -> dict[str, Any]:
    """A report's scalar fields, for JSON."""
    fields = getattr(result, "__dataclass_fields__", {})
    values = {name: getattr(result, name) for name in fields}
    return {name: value for name, value in values.items() if isinstance(value, (str, int, float, bool, datetime))}
