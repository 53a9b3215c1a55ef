"""Build the marts: one dbt invocation over all models, under a lock, recorded node by node.

The first build, and any build after a change of the project, of the seeds or of `tieout.yml`, reads everything; the
others read what was landed since the last good build. Versions of the marts are never dropped: a complete build closes
what is gone and leaves alone what is equal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.errors import BuildError
from tieout.settings import settings
from tieout.transform import inputs as reading
from tieout.transform.runner import NodeResult, Progress, Runner, failed

if TYPE_CHECKING:
    import psycopg

DBT = "tieout dbt"  # application_name in profiles.yml
ORPHAN_MILLISECONDS = 30_000
# What identity matching reads: built before it, the rest after it.
IDENTIFYING = ("+int_customers__unioned", "+int_products__unioned")


@dataclass(frozen=True)
class BuildReport:
    """What one build (or one test run) did. `rows`: inserted into tables, where the engine says."""

    run_id: int
    previous_run_id: int
    previous_batch_id: int
    batch_id: int
    as_of_date: date
    is_full: bool
    reason: str
    models: int
    rows: int
    seconds: float
    nodes: tuple[NodeResult, ...] = ()

    @property
    def slowest(self) -> tuple[NodeResult, ...]:
        """The five nodes that took longest."""
        return tuple(sorted(self.nodes, key=lambda node: -node.seconds)[:5])


def run(
    run_id: int, full_refresh: bool = False, select: Sequence[str] | str | None = None, progress: Progress | None = None
) -> BuildReport:
    """Build all models (or `select`, in dbt's selection syntax) as run `run_id`.

    Waits while another build is running. Writes ops.model_run for every node and, when all models of a whole build
    succeeded, ops.build_watermark. Raises BuildError that names the models that failed; a build publishes nothing.
    """
    started = time.monotonic()
    with _locked() as books:
        inputs = reading.read(books, run_id, settings().company, settings().dbt_project, full_refresh=full_refresh)
        runner = _runner(settings().dbt_project, settings().home / "dbt", inputs.systems, settings().dbt_threads)
        books.execute(
            "insert into ops.model_run (run_id, node_id, resource_type, status, seconds)"
            " values (%s, %s, %s, 'begun', 0)",
            (run_id, reading.BEGUN, reading.INPUT))
        results: list[NodeResult] = []
        if "seeds" in inputs.stale or full_refresh:
            results += runner.invoke("seed", inputs.variables, ("--full-refresh",), progress)
        if not failed(results):
            arguments = _selection(select)
            how = ["--full-refresh"] if inputs.is_full else []
            if not select and (inputs.is_full or not inputs.is_clean):
                results += runner.invoke("run", inputs.variables, ["--select", *IDENTIFYING, *how], progress)
                arguments += ["--exclude", *IDENTIFYING]
            elif not select:
                arguments += ["--exclude", "tag:settled,config.materialized:view"]
        if not failed(results):
            if not select:
                _match_identities(books, inputs, full_refresh)
            results += runner.invoke("run", inputs.variables, [*arguments, *how], progress)
        _record(books, run_id, results)
        if broken := failed(results):
            raise _failure("models", run_id, broken)
        if not select:
            _complete(books, inputs)
    return _report(inputs, results, started)


def test(
    run_id: int, select: Sequence[str] | str | None = None, progress: Progress | None = None
) -> BuildReport:
    """Run the project's data tests and unit tests against what was built. Raises BuildError that names the failed."""
    started = time.monotonic()
    with _locked() as books:
        inputs = reading.read(books, run_id, settings().company, settings().dbt_project, full_refresh=False)
        runner = _runner(settings().dbt_project, settings().home / "dbt", inputs.systems, settings().dbt_threads)
        results = runner.invoke("test", inputs.variables, _selection(select), progress)
        _record(books, run_id, results)
    if not results:
        raise BuildError("no test was run", hint="the selection matches none")
    if broken := failed(results):
        raise _failure("tests", run_id, broken)
    return _report(inputs, results, started)


def _match_identities(books: psycopg.Connection, inputs: reading.Inputs, full_refresh: bool) -> None:
    """Who is who and what is what, before the models that ask."""
    from tieout.matching import identity, products

    units = {found["name"]: found["unit"] for found in inputs.company["connections"]}
    identity.run(books, inputs.run_id, units, everything=full_refresh)
    products.run(books, inputs.run_id, everything=full_refresh)


@lru_cache(maxsize=4)
def _runner(project: Path, folder: Path, systems: tuple[str, ...], threads: int) -> Runner:
    return Runner(project, folder, systems, threads)


@contextmanager
def _locked() -> Iterator[psycopg.Connection]:
    from tieout.warehouse import BUILD_LOCK, connect, present

    with present("a build"), connect("transformer", autocommit=True, application="tieout build") as books:
        books.execute("select pg_advisory_lock(%s, %s)", BUILD_LOCK)
        _end_orphans(books)
        try:
            yield books
        except BuildError:
            books.execute("select 1")  # where Postgres went away, no model is to blame
            raise


def _end_orphans(books: psycopg.Connection) -> None:
    """Whoever holds the lock builds alone. A killed build's lock is free at once, but what its dbt asked last goes on
    until Postgres notices: it would meet this build in the same tables.
    """
    ended = books.execute(
        "select count(*) filter (where pg_terminate_backend(pid, %s)), count(*) from pg_stat_activity"
        " where datname = current_database() and usename = current_user and application_name = %s",
        (ORPHAN_MILLISECONDS, DBT)).fetchone()
    if ended[0] < ended[1]:
        raise BuildError("a statement of an earlier build does not end", hint=f"see pg_stat_activity, {DBT!r}")


def _selection(select: Sequence[str] | str | None) -> list[str]:
    if not select:
        return []
    return ["--select", *([select] if isinstance(select, str) else select)]


def _record(books: psycopg.Connection, run_id: int, results: Sequence[NodeResult]) -> None:
    with books.cursor() as cursor:
        cursor.executemany(
            "insert into ops.model_run (run_id, node_id, resource_type, status, seconds, rows_affected, message)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            [(run_id, found.node_id, found.resource_type, found.status, found.seconds, found.rows, found.message)
             for found in results])


def _complete(books: psycopg.Connection, inputs: reading.Inputs) -> None:
    with books.transaction():
        with books.cursor() as cursor:
            cursor.executemany(
                "insert into ops.model_run (run_id, node_id, resource_type, status, seconds, message)"
                " values (%s, %s, %s, 'used', 0, %s)",
                [(inputs.run_id, word, reading.INPUT, digest) for word, digest in inputs.fingerprints.items()])
        books.execute(
            "insert into ops.build_watermark (run_id, batch_id, is_full) values (%s, %s, %s)"
            " on conflict (run_id) do update"
            " set batch_id = excluded.batch_id, is_full = excluded.is_full, built_at = clock_timestamp()",
            (inputs.run_id, inputs.batch_id, inputs.is_full))


def _failure(what: str, run_id: int, broken: Sequence[NodeResult]) -> BuildError:
    lines = [f"{found.name}: {(found.message or found.status).strip()}" for found in broken[:10]]
    more = f"\n… and {len(broken) - 10} more" if len(broken) > 10 else ""
    return BuildError(f"{len(broken)} {what} failed in run {run_id}\n" + "\n".join(lines) + more,
                      hint=f"see ops.model_run, and {settings().home / 'dbt' / 'logs' / 'dbt.log'}")


def _report(inputs: reading.Inputs, results: Sequence[NodeResult], started: float) -> BuildReport:
    reason = "changes since the last build"
    if inputs.is_full:
        reason = f"changed: {', '.join(inputs.stale)}" if inputs.stale else "asked for"
        reason = "first build" if inputs.previous_run_id == reading.EVERYTHING else reason
    return BuildReport(
        run_id=inputs.run_id, previous_run_id=inputs.previous_run_id, previous_batch_id=inputs.previous_batch_id,
        batch_id=inputs.batch_id, as_of_date=inputs.as_of_date, is_full=inputs.is_full, reason=reason,
        models=sum(found.resource_type == "model" for found in results), rows=sum(found.rows or 0 for found in results),
        seconds=round(time.monotonic() - started, 3), nodes=tuple(results))
