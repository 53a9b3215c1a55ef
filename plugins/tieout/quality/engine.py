"""Great Expectations at work: suites in, one result per expectation out. Nothing here decides what a result means.

Importing Great Expectations takes 7 to 13 seconds, so that happens inside functions, once per process.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieout import settings
from tieout.errors import ConfigError, WarehouseError
from tieout.quality import statements
from tieout.quality.suites import Declared, Severity, Suite

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context import EphemeralDataContext
    from great_expectations.expectations.expectation import Expectation as GxExpectation

OURS = ("tieout_sql", "tieout_share")
NOT_ARGUMENTS = {"id", "meta", "notes", "description", "severity", "result_format", "catch_exceptions",
                 "rendered_content", "batch_id", "windows"}


@dataclass(frozen=True)
class GateResult:
    """What one expectation found. `evaluated` is false where it could not be run at all (`observed` says why).

    `sample_keys`: at most 20 offending rows, of the suite's key columns, or of what the statement returns.
    """

    suite: str
    expectation: str
    severity: Severity
    passed: bool
    observed: str
    evaluated_rows: int | None = None
    failed_rows: int | None = None
    sample_keys: tuple[dict[str, str | None], ...] = ()
    statement: str = ""
    evaluated: bool = True

    @property
    def blocks(self) -> bool:
        """A failed critical expectation, or one that did not run: an unknown answer is no pass."""
        return not self.passed and (self.severity == "critical" or not self.evaluated)


def verify(suites: Iterable[Suite]) -> None:
    """Resolve each type and argument in Great Expectations' registry. Raises ConfigError with file and line."""
    for suite in suites:
        for declared in suite.expectations:
            _built(suite, declared, run_id=0)


def evaluate(suites: Iterable[Suite], run_id: int, *, docs: Path | None = None) -> list[GateResult]:
    """Run suites on the warehouse (as transformer, read only); `docs`: a folder for Data Docs of these results.

    Returns exactly one result per declared expectation that Great Expectations answered for; the caller compares the
    counts. Raises ConfigError and WarehouseError; a failing statement is a result, not an error.
    """
    suites = list(suites)
    context, source = _context(docs)
    results: list[GateResult] = []
    for suite in suites:
        outcome = _validate(context, source, suite, run_id)
        results += [_result(suite, declared, outcome, run_id) for declared in suite.expectations
                    if any(_id(found) == declared.id for found in outcome.results)]
    if docs is not None:
        context.build_data_docs()
    source.get_engine().dispose()
    return results


def _context(docs: Path | None) -> tuple[EphemeralDataContext, Any]:
    """An in-memory context without analytics, and the warehouse as its data source."""
    gx = _gx()
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    config = DataContextConfig(
        analytics_enabled=False, progress_bars={"globally": False},
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False))
    context = gx.get_context(mode="ephemeral", project_config=config)
    if docs is not None:
        context.add_data_docs_site("tieout", {
            "class_name": "SiteBuilder", "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        })
    try:
        source = context.data_sources.add_postgres(
            "warehouse", connection_string=_url(), create_temp_table=False,
            kwargs={"connect_args": {"options": "-c default_transaction_read_only=on -c TimeZone=UTC",
                                     "application_name": "tieout gate"}})
    except Exception as error:  # noqa: BLE001 - Great Expectations wraps what the driver said in a type of its own
        place = settings.warehouse()
        raise WarehouseError(f"the gate cannot reach Postgres at {place.host}:{place.port}: {error.__cause__ or error}",
                             hint="is it running? `python -m tieout.localpg status`") from None
    return context, source


def _url() -> str:
    from urllib.parse import quote

    place = settings.warehouse()
    if place.transformer_password is None:
        raise WarehouseError("no password for the warehouse role tieout_transformer",
                             hint="set TIEOUT_WAREHOUSE_TRANSFORMER_PASSWORD")
    password = quote(place.transformer_password.get_secret_value(), safe="")
    return (f"postgresql+psycopg://{settings.ROLE_NAMES['transformer']}:{password}@{place.host}:{place.port}/"
            f"{place.database}?sslmode={place.sslmode}")


def _validate(
    context: EphemeralDataContext, source: Any, suite: Suite, run_id: int
) -> ExpectationSuiteValidationResult:
    gx = _gx()
    asset = source.add_query_asset(suite.name, statements.rows(suite.table, run_id))
    batch = asset.add_batch_definition_whole_table("rows under check")
    expectations = context.suites.add(gx.ExpectationSuite(
        suite.name, expectations=[_built(suite, declared, run_id) for declared in suite.expectations]))
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(name=suite.name, data=batch, suite=expectations))
    result_format: dict[str, Any] = {"result_format": "SUMMARY", "partial_unexpected_count": statements.SAMPLE_ROWS}
    if suite.key:
        result_format["unexpected_index_column_names"] = list(suite.key)
    return validation.run(result_format=result_format)


def _built(suite: Suite, declared: Declared, run_id: int) -> GxExpectation:
    """The expectation as Great Expectations' own object; ConfigError where it does not exist or fit."""
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    _gx()
    spec = declared.spec
    try:
        kind = get_expectation_impl("tieout_sql" if spec.type in OURS else spec.type)
    except ExpectationNotFoundError:
        raise ConfigError(f"{declared.where}: {declared.id}: Great Expectations knows no type {spec.type!r}",
                          hint="it would drop it and pass; see its gallery of expectations") from None
    allowed = set(kind.__fields__) - NOT_ARGUMENTS
    kwargs = dict(spec.kwargs)
    if declared.template is not None:
        # The comment keeps Great Expectations from printing a remark about each query without {batch}.
        sql = _escaped(statements.sampled(_sql(suite, declared, run_id)))
        kwargs = {"unexpected_rows_query": sql + "\n/* {batch} */"}
    if unknown := set(kwargs) - allowed:
        raise ConfigError(f"{declared.where}: {declared.id}: {spec.type} takes no {', '.join(sorted(unknown))}",
                          hint=f"it takes {', '.join(sorted(allowed))}")
    try:
        return kind(**kwargs, severity=spec.severity, meta={"id": declared.id}, notes=spec.why or None)
    except ValueError as error:
        raise ConfigError(f"{declared.where}: {declared.id}: {error}") from None


def _sql(suite: Suite, declared: Declared, run_id: int) -> str:
    return statements.render(declared.template or "", suite.table, run_id)


def _escaped(sql: str) -> str:
    """Great Expectations formats the text (`{}`), then SQLAlchemy reads `:word` as a parameter."""
    return re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", sql.replace("{", "{{").replace("}", "}}"))


def _id(found: Any) -> str | None:
    return (found.expectation_config.meta or {}).get("id")


def _result(suite: Suite, declared: Declared, outcome: ExpectationSuiteValidationResult, run_id: int) -> GateResult:
    found = next(found for found in outcome.results if _id(found) == declared.id)
    spec, facts = declared.spec, found.result or {}
    statement = _sql(suite, declared, run_id) if declared.template else _shown(spec.type, spec.kwargs)
    said = {"suite": suite.name, "expectation": declared.id, "severity": spec.severity, "statement": statement}
    if raised := _raised(found.exception_info):
        return GateResult(**said, passed=False, evaluated=False, observed=f"could not be evaluated: {raised}")
    failed = facts.get("unexpected_count")
    observed = facts.get("observed_value")
    if declared.template:
        failed, samples = observed, facts.get("details", {}).get("unexpected_rows", [])
        observed = f"{failed} offending rows"
    else:
        samples = facts.get("partial_unexpected_index_list") or []
        samples = [{key: _text(row[key]) for key in suite.key if key in row} for row in samples]
        observed = observed if observed is not None else f"{failed} of {facts.get('element_count')} rows"
    return GateResult(**said, passed=bool(found.success), observed=_text(observed) or "", failed_rows=failed,
                      evaluated_rows=facts.get("element_count"), sample_keys=tuple(samples))


def _raised(info: dict[str, Any] | None) -> str | None:
    """The first exception's message (Great Expectations nests them by metric), on one line and without the SQL."""
    if not info:
        return None
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if entry.get("raised_exception"):
            return " ".join(str(entry.get("exception_message")).split("[SQL:")[0].split())[:500]
    return None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _shown(kind: str, kwargs: dict[str, Any]) -> str:
    return f"{kind}({', '.join(f'{key}={value!r}' for key, value in kwargs.items())})"


@cache
def _gx() -> Any:
    """Great Expectations, with our type registered under the name `tieout_sql`."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations
    from great_expectations.expectations.core import UnexpectedRowsExpectation

    class TieoutSql(UnexpectedRowsExpectation):
        """Rows that a statement returns are faults. One pass: the query brings its own exact count."""

        metric_dependencies = ("unexpected_rows_query.table",)

        def _validate(self, metrics: dict, runtime_configuration: Any = None, execution_engine: Any = None) -> dict:
            offending = metrics["unexpected_rows_query.table"]
            count = int(offending[0]["failed_rows_"]) if offending else 0
            rows = [{key: _text(value) for key, value in row.items() if key != "failed_rows_"} for row in offending]
            return {"success": count == 0, "result": {"observed_value": count, "details": {"unexpected_rows": rows}}}

    return great_expectations
