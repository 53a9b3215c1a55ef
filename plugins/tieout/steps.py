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
from tieout.progress import Event, tell, timed
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
    kind: Literal["land", "revenue"],
    label: str = "revenue",
    logical_at: datetime | None = None,
    *,
    dag_run_id: str | None = None,
) -> int:
    """Draw a run id. `logical_at`: the instant for which the run stands; for a revenue run `landed_until()`.

    Earlier runs of the same kind and label that were cut off are closed.
    """
    from tieout.warehouse import runs

    if kind == "revenue" and logical_at is None:
        logical_at = landed_until()
    with _books() as books:
        runs.close_interrupted(books, kind, label)
        return runs.draw(books, kind, label, logical_at, dag_run_id)


def landed_until() -> datetime:
    """The instant up to which every connection of the company is landed. LandingError while one has landed nothing."""
    names = list(settings().company.connections)
    with _books() as books:
        ends = dict(
            books.execute(
                "select connection, max(window_end) from ops.load where state = 'committed' and connection = any(%s)"
                " group by connection",
                (names,),
            ).fetchall()
        )
    missing = [name for name in names if ends.get(name) is None]
    if missing:
        raise LandingError(
            f"nothing has been landed for {', '.join(missing)}", hint=f"run `tieout land {missing[0]}` first"
        )
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
    leaves the cursor alone. Raises SourceError and its kin, LandingError, SecretError; nothing of a failed stream is
    visible.
    """
    from tieout.landing.land import land_connection

    chosen = settings().company.connection(connection)
    started = time.monotonic()
    with (
        _landing_run(connection, end, dag_run_id) as run_id,
        timed("land", connection) as step,
        _recording(run_id, "land", close=True) as facts,
        logs.bound(run=run_id, connection=connection),
    ):
        loads = tuple(
            land_connection(
                chosen,
                run_id,
                start=start,
                end=end,
                streams=streams,
                full=full,
                backfill=backfill,
                on_progress=progress or _tell_load,
            )
        )
        result = LandReport(connection, run_id, start, end, loads, time.monotonic() - started)
        facts |= {
            word: result.total(word)
            for word in ("received", "landed", "unchanged", "quarantined", "deleted", "requests")
        }
        facts["streams"] = len(loads)
        step.facts = f"{facts['received']:,} received, {facts['landed']:,} landed, {facts['quarantined']:,} quarantined"
    return result


def check(stage: Stage, run_id: int) -> Verdict:
    """Evaluate the stage's suites. Raises GateError when a critical one failed; readers keep the last publication."""
    from tieout.quality import gate

    ends = stage == "landing"  # a landing run ends with its check; a revenue run goes on to publish
    with (
        timed("check", f"{stage} of run {run_id}") as step,
        _recording(run_id, f"check_{stage}", close=ends) as facts,
    ):
        if stage == "marts":
            _newest_build(run_id)
        verdict = gate.check(stage, run_id)
        facts |= {
            "passed": verdict.passed,
            "evaluated": verdict.evaluated,
            "failures": [f"{failure.suite}.{failure.expectation}" for failure in verdict.failures],
        }
        blocks, warns = len(verdict.failures), len(verdict.warnings)
        step.facts = f"{verdict.evaluated} of {verdict.declared} checks, {blocks} block, {warns} warn"
        if not verdict.passed:
            raise GateError(
                str(verdict), hint=f"see ops.gate_result of run {run_id}, or {verdict.docs}; nothing was published"
            )
    return verdict


def build(run_id: int, *, full_refresh: bool = False) -> BuildReport:
    """Run dbt for this run. Waits while another build is running."""
    from tieout.transform import build as transform

    with timed("build", f"run {run_id}") as step, _recording(run_id, "build") as facts, logs.bound(run=run_id):
        result = transform.run(run_id, full_refresh)
        _close_overtaken()
        facts |= _plain(result)
        how = "complete" if result.is_full else "incremental"
        step.facts = f"{result.models} models, {result.rows:,} rows, {how} ({result.reason})"
    return result


def match(run_id: int) -> None:
    """The door for matching in Python, between two dbt selections. Every rule is SQL so far: nothing to do."""
    with _recording(run_id, "match"):
        log.debug("no Python matching in this version")


def publish(run_id: int) -> Publication:
    """Move the pointer to this run. PublishError for a run whose marts were not checked, did not pass, or are no longer
    the newest: what the gate saw would not be what readers get.
    """
    from tieout.publish import pointer

    with timed("publish", f"run {run_id}") as step, _recording(run_id, "publish") as facts:
        _newest_build(run_id)
        publication = pointer.publish(run_id)
        facts |= _plain(publication)
        step.facts = f"publication {publication.publication_id}, as of {publication.as_of_date}"
    return publication


def report(run_id: int | None = None) -> Path:
    """Write the HTML report of a run (default: the published one) and return its path."""
    from tieout.publish import report as html

    folder = settings().home / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (f"run-{run_id}.html" if run_id else "published.html")
    if run_id is None:
        return html.write(None, path)
    with timed("report", f"run {run_id}") as step, _recording(run_id, "report") as facts:
        written = html.write(run_id, path)
        facts["path"] = step.facts = str(written)
    return written


def close_run(run_id: int, state: Literal["succeeded", "failed"] | None = None, error: str | None = None) -> str:
    """Close a run; with no state given, a revenue run succeeded if it was published. Returns the state. Idempotent."""
    with _books() as books:
        state = (
            state
            or books.execute(
                "select case when exists (select from ops.publication where run_id = %s)"
                " then 'succeeded' else 'failed' end",
                (run_id,),
            ).fetchone()[0]
        )
        books.execute(
            "update ops.run set state = %s, error = case when %s = 'failed' then coalesce(%s, error) end,"
            " finished_at = clock_timestamp() where run_id = %s",
            (state, state, error, run_id),
        )
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


def _tell_load(load: LoadResult) -> None:
    words = ("received", "landed", "unchanged", "quarantined", "deleted")
    facts = ", ".join(f"{getattr(load, word):,} {word}" for word in words if getattr(load, word) or word == "received")
    tell(Event("·", f"{load.connection}.{load.stream}", facts, load.seconds))


def _newest_build(run_id: int) -> None:
    with _books() as books:
        newest = books.execute("select max(run_id) from ops.build_watermark").fetchone()[0]
    if newest is None or newest < run_id:
        raise PublishError(f"run {run_id} has not been built", hint=f"tieout build --run-id {run_id}")
    if newest > run_id:
        raise PublishError(
            f"run {newest} was built after run {run_id} and superseded it", hint="go on with the newer run"
        )


@contextmanager
def _landing_run(connection: str, end: datetime | None, dag_run_id: str | None) -> Iterator[int]:
    """A landing run, visibly at work from its first moment until the end."""
    from tieout.warehouse import runs

    with _books() as books:
        runs.close_interrupted(books, "land", connection)
        run_id = runs.draw(books, "land", connection, end, dag_run_id)
        runs.show_alive(books, run_id)
        books.commit()
        yield run_id


def _close_overtaken() -> None:
    """After a build: no earlier revenue run can go on."""
    from tieout.warehouse import runs

    with _books() as books:
        runs.close_interrupted(books, "revenue", "revenue")


@contextmanager
def _books() -> Iterator[psycopg.Connection]:
    from tieout.warehouse import connect, present

    with present("its book-keeping"), connect("loader", application="tieout steps") as books:
        yield books


@contextmanager
def _at_work(run_id: int, step: str) -> Iterator[None]:
    """Show that somebody works for the run, so that no other run closes it as interrupted."""
    from tieout.warehouse import present, runs

    with _books() as books:
        runs.show_alive(books, run_id)
        books.commit()
        with present(f"{step} of run {run_id}"):
            yield


@contextmanager
def _recording(run_id: int, step: str, *, close: bool = False) -> Iterator[dict[str, Any]]:
    """Record the step's facts and seconds in `ops.run.facts`, its error in `ops.run.error`; `close` ends the run."""
    facts: dict[str, Any] = {}
    started, begun = time.monotonic(), datetime.now(UTC)
    error: str | None = None
    try:
        with _at_work(run_id, step):
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
    """`close` ends the run with the step. Otherwise only `close_run` does, and a step that is repeated with success
    opens a failed run again, so that a task can be cleared after its cause was mended.
    """
    state = ("failed" if error else "succeeded") if close else None
    reopen = not close and error is None and step != "report"
    with _books() as books:
        books.execute(
            "update ops.run set facts = facts || %s::jsonb, error = %s,"
            " state = case when %s and state = 'failed' then 'running' else coalesce(%s, state) end,"
            " finished_at = case when %s then clock_timestamp() when %s and state = 'failed' then null"
            " else finished_at end"
            " where run_id = %s",
            (json.dumps({step: facts}, default=str), error, reopen, state, close, reopen, run_id),
        )


def _plain(result: Any) -> dict[str, Any]:
    """A report's scalar fields, for JSON."""
    fields = getattr(result, "__dataclass_fields__", {})
    values = {name: getattr(result, name) for name in fields}
    return {name: value for name, value in values.items() if isinstance(value, (str, int, float, bool, datetime))}
