"""The verdict: which suites a check covers, whether all of them were really evaluated, and what blocks."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tieout import logs, settings, warehouse
from tieout.quality import docs, engine, own_tables, statements, suites
from tieout.quality.engine import GateResult
from tieout.quality.suites import Stage, Suite

if TYPE_CHECKING:
    import psycopg

log = logs.logger(__name__)

# The gate's own row in ops.gate_result: a run whose expectations were not all evaluated has not passed.
OWN_SUITE, OWN_CHECK = "gate", "all_declared_evaluated"


@dataclass(frozen=True)
class Verdict:
    """What a gate says. `passed` is false when anything critical failed, did not run, or nothing was declared.

    `declared`, `evaluated`: expectations of the suites in scope. `skipped`: tables that were not in scope, and why.
    `docs`: the folder of Data Docs. `seconds`: wall clock, the first import of Great Expectations included.
    """

    stage: Stage
    run_id: int
    passed: bool
    results: tuple[GateResult, ...]
    declared: int
    evaluated: int
    skipped: tuple[tuple[str, str], ...]
    docs: Path
    seconds: float

    @property
    def failures(self) -> tuple[GateResult, ...]:
        """What blocks: failed critical expectations, and those that could not be evaluated."""
        return tuple(result for result in self.results if result.blocks)

    @property
    def warnings(self) -> tuple[GateResult, ...]:
        """What failed and alerts without blocking."""
        return tuple(result for result in self.results if not result.passed and not result.blocks)

    def __str__(self) -> str:
        word = "passed" if self.passed else "FAILED"
        head = (f"{self.stage} gate {word}: {self.evaluated} of {self.declared} expectations evaluated, "
                f"{len(self.failures)} block, {len(self.warnings)} warn")
        return "\n".join([head, *(_line(result) for result in self.failures + self.warnings)])


def check(stage: Stage, run_id: int) -> Verdict:
    """Evaluate the suites of `stage` for a run, store the results in `ops.gate_result` and write Data Docs.

    landing: the raw tables that were loaded since the last build and did not pass since (all connected ones when
    nothing was loaded), and the load ledger. marts: the candidate, before anybody can read it. A failed gate is a
    verdict, not an exception; ConfigError and WarehouseError mean that there is no verdict. A repeated check replaces
    the run's earlier results.
    """
    started = time.monotonic()
    declared = suites.load(stage=stage) + (_of_own_tables() if stage == "landing" else ())
    engine.verify(declared)
    with warehouse.connect("transformer", application="tieout gate") as connection:
        chosen, skipped = _scope(connection, declared, stage, run_id)
        if stage == "marts":
            _analyze(connection, chosen)
    folder = docs.folder(stage, run_id)
    results = engine.evaluate(chosen, run_id, docs=folder)
    results.append(_completeness(chosen, results))
    docs.close()
    with warehouse.connect("transformer", application="tieout gate") as connection:
        _store(connection, stage, run_id, results)
    verdict = Verdict(
        stage=stage, run_id=run_id, passed=not any(result.blocks for result in results), results=tuple(results),
        declared=_count(chosen), evaluated=_evaluated(results), skipped=tuple(skipped), docs=folder,
        seconds=time.monotonic() - started)
    log.log(logging.INFO if verdict.passed else logging.ERROR, "%s", verdict)
    return verdict


def _of_own_tables() -> tuple[Suite, ...]:
    found = settings.settings()
    return own_tables.suites(found.company, found.expectations) if found.config.is_file() else ()


def _count(chosen: Iterable[Suite]) -> int:
    return sum(len(suite.expectations) for suite in chosen)


def _evaluated(results: Iterable[GateResult]) -> int:
    return sum(result.evaluated for result in results if result.suite != OWN_SUITE)


def _completeness(chosen: Sequence[Suite], results: Sequence[GateResult]) -> GateResult:
    """Fails when an expectation was dropped on the way, could not run, or when there was none."""
    declared, evaluated = _count(chosen), _evaluated(results)
    wanted = {(suite.name, check.id) for suite in chosen for check in suite.expectations}
    missing = sorted(wanted - {(result.suite, result.expectation) for result in results if result.evaluated})
    return GateResult(
        suite=OWN_SUITE, expectation=OWN_CHECK, severity="critical", passed=evaluated == declared > 0,
        observed=f"{evaluated} of {declared} evaluated", evaluated_rows=evaluated, failed_rows=declared - evaluated,
        sample_keys=tuple({"suite": suite, "expectation": check} for suite, check in missing[: statements.SAMPLE_ROWS]),
        statement="evaluated = declared and declared > 0")


# --- scope ------------------------------------------------------------------------------------------------------------


def _scope(connection: psycopg.Connection, declared: Sequence[Suite], stage: Stage,
           run_id: int) -> tuple[list[Suite], list[tuple[str, str]]]:
    """Suites to run, and (table, reason) of the others."""
    present = _tables(connection)
    loaded = _loaded(connection, run_id) if stage == "landing" else {}
    passed = _passed(connection, {*loaded.values()} - {run_id})
    chosen, skipped = [], []
    for suite in declared:
        reason = None
        if suite.table.startswith("raw."):  # an absent mart is a failure, not a reason to skip
            if suite.table not in present:
                reason = "no such table: its system is not connected"
            elif loaded and suite.table not in loaded:
                reason = "not loaded since the last build"
            elif (loaded.get(suite.table), suite.name) in passed:
                reason = f"passed in run {loaded[suite.table]}, and not loaded since"
        if reason:
            skipped.append((suite.table, reason))
            log.info("%s gate skips %s: %s", stage, suite.table, reason)
        else:
            chosen.append(suite)
    return chosen, skipped


def _tables(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute(
        "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname in ('raw', 'ops', 'marts') and c.relkind in ('r', 'p')").fetchall()
    return {table for (table,) in rows}


def _loaded(connection: psycopg.Connection, run_id: int) -> dict[str, int]:
    """{table: run of its newest load} of the loads under check."""
    rows = connection.execute(
        "select table_name, (array_agg(run_id order by batch_id desc))[1] "
        f"from ({statements.rows('ops.load', run_id)}) as loads group by table_name").fetchall()
    return {f"raw.{table.removeprefix('raw.')}": run for table, run in rows}


def _passed(connection: psycopg.Connection, runs: set[int]) -> set[tuple[int, str]]:
    """(run, suite) that nothing blocked. A run is checked after all of its loads, so that its verdict covers them; what
    another run loads into the same table makes that run's verdict the one that counts.
    """
    rows = connection.execute(
        "select run_id, suite from ops.gate_result where stage = 'landing' and run_id = any(%s) "
        "group by run_id, suite having bool_and(passed or severity <> 'critical')",
        ([run for run in runs if run is not None],)).fetchall()
    return {*rows}


def _analyze(connection: psycopg.Connection, chosen: Sequence[Suite]) -> None:
    """A table that was never analysed is joined as if it were small: a check of seconds becomes one of minutes."""
    rows = connection.execute(
        "select schemaname || '.' || relname from pg_stat_user_tables "
        "where schemaname = 'marts' and last_analyze is null and last_autoanalyze is null").fetchall()
    for table in sorted({table for (table,) in rows} & {suite.table for suite in chosen}):
        connection.execute(f"analyze {table}")


# --- evidence ---------------------------------------------------------------------------------------------------------


def _store(connection: psycopg.Connection, stage: Stage, run_id: int, results: Sequence[GateResult]) -> None:
    connection.execute("select from ops.run where run_id = %s for update", (run_id,))  # two checks of a run take turns
    connection.execute("delete from ops.gate_result where run_id = %s and stage = %s", (run_id, stage))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed, observed, "
            "evaluated_rows, failed_rows, sample_keys, statement) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(run_id, stage, result.suite, result.expectation, result.severity, result.passed, result.observed,
              result.evaluated_rows, result.failed_rows, json.dumps(result.sample_keys), result.statement)
             for result in results])


def _line(result: GateResult) -> str:
    keys = "; ".join(", ".join(f"{k}={v}" for k, v in key.items()) for key in result.sample_keys[:3])
    example = f" (e.g. {keys})" if keys else ""
    return f"  {result.severity:8} {result.suite}.{result.expectation}: {result.observed}{example}"


