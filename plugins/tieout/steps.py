"""The steps of a run: the only API of the command line, the DAGs and the tests.

    run_id = open_run("revenue")
    build(run_id); match(run_id); check("marts", run_id); publish(run_id); report(run_id); close_run(run_id)

`land` opens and closes a run of its own. Every step writes what it did, what it cost and why it failed into `ops.step`;
the run's last error is in `ops.run.error` too. Rooms are imported when a step needs them, so that a DAG file which
imports this module stays light.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tieout import freshness, lineage, logs, stepbook
from tieout.errors import GateError, LandingError, PublishError, TieoutError
from tieout.progress import Event, tell, timed
from tieout.settings import settings

if TYPE_CHECKING:
    import psycopg

    from tieout.erasure.job import Report
    from tieout.extract import Facts
    from tieout.landing.land import LoadResult
    from tieout.landing.retention import Gone
    from tieout.matching.suggestions import Suggested
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
    if kind == "revenue" and logical_at is None:
        logical_at = landed_until()
    with _books() as books:
        return stepbook.open_run(books, kind, label, logical_at, dag_run_id)


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
        timed("land", connection) as step,
        logs.bound(connection=connection),
        _landing(connection, end, dag_run_id) as (run_id, facts),
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
                on_facts=lambda cost: facts.update(_cost(cost)),
            )
        )
        result = LandReport(connection, run_id, start, end, loads, time.monotonic() - started)
        facts |= {word: result.total(word) for word in ("received", "landed", "unchanged", "quarantined", "deleted")}
        facts |= {"rows": facts["received"], "streams": len(loads), "partial": streams is not None}
        step.facts = f"{facts['received']:,} received, {facts['landed']:,} landed, {facts['quarantined']:,} quarantined"
    return result


def reland(
    connection: str, batch_ids: Sequence[int], *, progress: Callable[[LoadResult], None] | None = None
) -> LandReport:
    """Land archived batches of a connection again, oldest first, as one run; no vendor is asked. LandingError for a
    batch without an archive; what landed before it stays.
    """
    from tieout.landing import land as room

    chosen = settings().company.connection(connection)
    started = time.monotonic()
    with (
        timed("reland", connection) as step,
        logs.bound(connection=connection),
        _landing(connection) as (run_id, facts),
    ):
        loads = tuple(room.reland(chosen, batch_ids, run_id, progress or _tell_load))
        result = LandReport(connection, run_id, None, None, loads, time.monotonic() - started)
        facts |= {word: result.total(word) for word in ("received", "landed", "unchanged", "quarantined", "deleted")}
        step.facts = f"{len(loads):,} archived batches, {facts['received']:,} received, {facts['landed']:,} landed"
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
        else:
            freshness.write_promises()
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
    from tieout.register import rules
    from tieout.transform import build as transform

    with timed("build", f"run {run_id}") as step, _recording(run_id, "build") as facts:
        rules.read(settings().dbt_project)  # a rule that is spelled wrongly would silently fit nothing
        result = transform.run(run_id, full_refresh)
        with _books() as books:  # no earlier run can go on now
            stepbook.close_interrupted(books, "revenue", "revenue")
        facts |= _plain(result)
        how = "complete" if result.is_full else "incremental"
        step.facts = f"{result.models} models, {result.rows:,} rows, {how} ({result.reason})"
    return result


def match(run_id: int) -> Suggested:
    """Look at what the build left open, with all passes of the matching library, and suggest what belongs together.

    PublishError where another run was built since: what is suggested belongs to one state of the marts.
    """
    from tieout.matching import suggestions
    from tieout.warehouse import BUILD_LOCK, connect, present

    with (
        timed("match", f"run {run_id}") as step,
        _recording(run_id, "match") as facts,
        present("matching"),
        connect("transformer", application="tieout match") as books,
    ):
        books.execute("select pg_advisory_xact_lock(%s, %s)", BUILD_LOCK)  # no build changes the marts meanwhile
        _newest_build(run_id)
        found = suggestions.refresh(books, run_id)
        facts |= _plain(found)
        step.facts = f"{found.suggestions:,} suggestions for {found.documents:,} open documents, {found.sure:,} sure"
    return found


def publish(run_id: int) -> Publication:
    """Move the pointer to this run. PublishError for a run whose marts were not checked, did not pass, or are no longer
    the newest: what the gate saw would not be what readers get.
    """
    from tieout.publish import pointer

    with timed("publish", f"run {run_id}") as step, _recording(run_id, "publish") as facts:
        _newest_build(run_id)
        publication = pointer.publish(run_id)
        facts |= _plain(publication) | {"breaks": asdict(publication.breaks)}
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


def prune(*, apply: bool | None = None, progress: Callable[[Gone], None] | None = None) -> tuple[Gone, ...]:
    """Let go what the company's retention policy no longer keeps, publications first; return what went, by table.

    `apply` False: only say what would go; None: as the policy says. Safe to stop at any point and to repeat.
    """
    from tieout.landing import retention as landed
    from tieout.publish import retention as published

    company = settings().company
    really = company.retention.apply if apply is None else apply
    found: list[landed.Gone] = []

    def told(gone: landed.Gone) -> None:
        found.append(gone)
        if progress:
            progress(gone)

    with timed("prune", "by policy" if really else "dry run") as step:
        published.prune(company.retention, apply=really, tell=lambda *facts: told(landed.Gone(*facts)))
        landed.prune(company, apply=really, tell=told)
        step.facts = f"{sum(gone.rows for gone in found):,} rows and files {'went' if really else 'would go'}"
    return tuple(found)


def erase(record: str | None = None, customer: str | None = None, *, reason: str = "", by: str = "",
          apply: bool = False) -> Report:
    """Erase the person whose customer record (`connection:id`) or golden customer that is; see `erasure.job.erase`."""
    from tieout.erasure import job

    with timed("erase", "for good" if apply else "dry run") as step:
        done = job.erase(settings().company, record, customer, reason=reason, by=by, apply=apply)
        step.facts = f"{sum(done.counts.values()):,} rows and files {'changed' if apply else 'would change'}"
    return done


def waiting_waivers() -> list[dict[str, str]]:
    """The waivers that wait for a second person: {break_key, request_id} of each."""
    from tieout.register import approval

    return approval.requests()


def waiver_question(request: dict[str, str]) -> dict[str, str] | None:
    """What to ask about a request; None where it does not wait any more."""
    from tieout.register import approval

    return approval.question(request)


def answer_waiver(question: dict[str, str], answer: dict[str, Any]) -> str:
    """Record what a person answered in Airflow; what was recorded, in words. RegisterError where it may not be."""
    from tieout.register import approval

    return approval.record(question, answer, settings().company.breaks)


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


def tell_gone(gone: Gone) -> None:
    """Tell what retention let go, or would."""
    size = "" if gone.bytes is None else f", {gone.bytes:,} bytes"
    tell(Event("·", f"{gone.what} {gone.name}", f"{gone.rows:,}{size}: {gone.why}"))


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
def _books() -> Iterator[psycopg.Connection]:
    from tieout.warehouse import connect, present

    with present("its book-keeping"), connect("loader", application="tieout steps") as books:
        yield books


@contextmanager
def _landing(
    connection: str, end: datetime | None = None, dag_run_id: str | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """A landing run of its own, from begin to end. Yields its id and the facts of its step."""
    entry = stepbook.begin_landing(connection, end, dag_run_id)
    with _recorded(entry, close=True) as facts:
        yield entry.run_id, facts


@contextmanager
def _recording(run_id: int, step: str, *, close: bool = False) -> Iterator[dict[str, Any]]:
    """Record the step in `ops.step`, its error in `ops.run.error` too; `close` ends the run. Yields its facts."""
    with _recorded(stepbook.begin(run_id, step, closes=close), close=close) as facts:
        yield facts


@contextmanager
def _recorded(entry: stepbook.Entry, *, close: bool) -> Iterator[dict[str, Any]]:
    from tieout.warehouse import present

    facts: dict[str, Any] = {}
    failure: BaseException | None = None
    error: str | None = None
    step = entry.step
    try:
        with logs.bound(run=entry.run_id, step=step), present(f"{step} of run {entry.run_id}"):
            lineage.started(entry)
            yield facts
    except BaseException as problem:
        failure, error = problem, logs.redact(str(problem)) or type(problem).__name__
        raise
    finally:
        try:
            _write(entry, facts, error, close)
        except TieoutError:
            if error is None:
                raise
            log.warning("the failure of %s could not be recorded: the warehouse is away", step)
        finally:
            lineage.ended(entry, failure)
            entry.close()


def _write(entry: stepbook.Entry, facts: dict[str, Any], error: str | None, close: bool) -> None:
    """`close` ends the run with the step. Otherwise only `close_run` does, and a step that is repeated with success
    opens a failed run again, so that a task can be cleared after its cause was mended.
    """
    state = ("failed" if error else "succeeded") if close else None
    reopen = not close and error is None and entry.step != "report"
    with _books() as books:
        entry.end(books, facts, error)
        books.execute(
            "update ops.run set error = %s,"
            " state = case when %s and state = 'failed' then 'running' else coalesce(%s, state) end,"
            " finished_at = case when %s then clock_timestamp() when %s and state = 'failed' then null"
            " else finished_at end"
            " where run_id = %s",
            (error, reopen, state, close, reopen, entry.run_id),
        )


# Notes of protocols that an operator may look for; no other is written down: a note may hold what nobody should see.
NOTED = (
    "not_offered", "api_usage", "api_version_served", "resynchronised", "no_change_tracking", "throttled", "packages",
    "package_failed", "bulk_failed", "bulk_jobs_left_behind", "certificate_ends", "clock_skew_seconds",
    "deletes_withheld", "eased",
)


def _cost(facts: Facts) -> dict[str, Any]:
    """What an extraction cost, and those of its notes that are meant for operators, as facts of the step."""
    words = ("requests", "retries", "bytes", "token_refreshes")
    cost: dict[str, Any] = {word: getattr(facts, word) for word in words}
    cost["waited_seconds"] = round(facts.waited_seconds, 3)
    return cost | {word: facts.notes[word] for word in NOTED if word in facts.notes}


def _plain(result: Any) -> dict[str, Any]:
    """A report's scalar fields, for JSON; run and seconds have columns of their own."""
    fields = getattr(result, "__dataclass_fields__", {})
    values = {name: getattr(result, name) for name in fields if name not in ("run_id", "seconds")}
    return {name: value for name, value in values.items() if isinstance(value, (str, int, float, bool, datetime))}
