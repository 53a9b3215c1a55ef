"""What a step has to tell: vendor stream → raw table, raw → marts model by model, marts → reporting, verdicts of gates.

Names follow OpenLineage's naming of datasets: `postgres://host:port` and `database.schema.table`; a vendor's stream is
`<system>://<connection>` and the stream's name. The same step of the same warehouse always has the same run id.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attr
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    schema_dataset,
)

from tieout import __version__, settings

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Stream
    from tieout.stepbook import Entry

PRODUCER = f"urn:tieout:{__version__}"


@attr.define
class TieoutRunFacet(RunFacet):
    """Where to look in the books: `ops.run`, `ops.step`, `ops.load`."""

    run_id: int
    step: str
    attempt: int
    label: str
    stands_for: str | None = None
    batch_ids: list[int] = attr.field(factory=list)

    @staticmethod
    def _get_schema() -> str:
        return "urn:tieout:facet:run:1"


def start(entry: Entry) -> list[RunEvent]:
    """The event that the step begins."""
    with _books() as books:
        return [_Step(entry, books).event(RunState.START, _now())]


def end(entry: Entry, error: BaseException | None) -> list[RunEvent]:
    """The events of the step's end; for a build, first those of each model."""
    with _books() as books:
        step = _Step(entry, books)
        told: list[RunEvent] = []
        inputs: list[InputDataset] = []
        outputs: list[OutputDataset] = []
        if entry.step == "land":
            inputs, outputs = step.landed()
        elif entry.step.startswith("check_"):
            inputs = step.judged()
        elif entry.step == "build":
            told, inputs, outputs = step.built()
        elif entry.step == "publish" and error is None:
            inputs, outputs = step.published()
        state = RunState.COMPLETE if error is None else RunState.FAIL
        return [*told, step.event(state, _now(), inputs, outputs, error)]


class _Step:
    """One step of one run, and the books it left."""

    def __init__(self, entry: Entry, books: psycopg.Connection) -> None:
        self.entry, self.books = entry, books
        self.kind, self.label, self.stands_for, self.begun = books.execute(
            "select r.kind, r.label, r.logical_at, s.started_at from ops.run r join ops.step s using (run_id)"
            " where s.step_id = %s", (entry.step_id,)).fetchone()  # fmt: skip
        self.batches: list[int] = []
        place = settings.warehouse()
        self.server, self.database = f"postgres://{place.host}:{place.port}", place.database

    def event(self, state: RunState, at: str, inputs: Iterable[InputDataset] = (),
              outputs: Iterable[OutputDataset] = (), error: BaseException | None = None) -> RunEvent:
        name, parent = f"{self._dag}.{self.entry.step}", (self._id(), self._dag)
        stands_for = self.stands_for and self.stands_for.isoformat()
        facet = TieoutRunFacet(self.entry.run_id, self.entry.step, self.entry.attempt, self.label, stands_for,
                               self.batches, producer=PRODUCER)  # fmt: skip
        facets: dict[str, RunFacet] = {"tieout": facet, **_failure(error, self.entry)}
        return _event(self._id(self.entry), name, parent, facets, "TASK", state, at, inputs, outputs)

    def landed(self) -> tuple[list[InputDataset], list[OutputDataset]]:
        connection = settings.settings().company.connection(self.label)
        streams = {stream.name: stream for stream in connection.selected()}
        inputs, outputs = [], []
        for batch, name, received, size, landed in self.books.execute(
            "select batch_id, stream, received, bytes, landed from ops.load"
            " where run_id = %s and state = 'committed' order by batch_id", (self.entry.run_id,)
        ).fetchall():  # fmt: skip
            self.batches.append(batch)
            stream, vendor = streams[name], f"{connection.system}://{connection.name}"
            read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(received, size, producer=PRODUCER)
            inputs.append(InputDataset(vendor, name, inputFacets={"inputStatistics": read}))
            outputs.append(OutputDataset(
                self.server, f"{self.database}.raw.{stream.table}",
                facets={"schema": _schema(stream), "columnLineage": _columns(stream, vendor)},
                outputFacets={"outputStatistics": _written(landed)},
            ))  # fmt: skip
        return inputs, outputs

    def judged(self) -> list[InputDataset]:
        """The tables of the gate, each with its assertions. No observed values: they may quote records."""
        facets = data_quality_assertions_dataset
        found: dict[str, list[facets.Assertion]] = {}
        for suite, check, severity, passed, failed in self.books.execute(
            "select suite, expectation, severity, passed, failed_rows from ops.gate_result"
            " where run_id = %s and stage = %s and suite <> 'gate' order by suite, expectation",
            (self.entry.run_id, self.entry.step.removeprefix("check_"))):  # fmt: skip
            found.setdefault(suite, []).append(facets.Assertion(
                assertion=check, success=passed, severity="error" if severity == "critical" else "warn",
                actual=None if failed is None else f"{failed} rows",
            ))  # fmt: skip
        known = {f"{schema}.{table}" for schema, table in self._relations("raw", "marts", "ops")}
        return [
            InputDataset(self.server, f"{self.database}.{suite}", inputFacets={
                "dataQualityAssertions": facets.DataQualityAssertionsDatasetFacet(checks, producer=PRODUCER)})
            for suite, checks in found.items() if suite in known
        ]  # fmt: skip

    def built(self) -> tuple[list[RunEvent], list[InputDataset], list[OutputDataset]]:
        """Each model with what it reads and writes, and the sum of it: raw tables in, marts out."""
        nodes = self._manifest()
        events: list[RunEvent] = []
        read: dict[str, InputDataset] = {}
        wrote: list[OutputDataset] = []
        for node_id, status, seconds, rows, at in self.books.execute(
            "select node_id, status, seconds, rows_affected, finished_at from ops.model_run"
            " where run_id = %s and resource_type = 'model' and finished_at >= %s order by finished_at, node_id",
            (self.entry.run_id, self.begun)).fetchall():  # fmt: skip
            node = nodes.get(node_id)
            if node is None or status == "skipped":
                continue
            parents = [nodes[name] for name in node["depends_on"]["nodes"] if name in nodes]
            inputs = [InputDataset(self.server, self._name(parent)) for parent in parents]
            read |= {self._name(p): i for p, i in zip(parents, inputs, strict=True) if p["resource_type"] == "source"}
            outputs = [OutputDataset(self.server, self._name(node), outputFacets={
                "outputStatistics": _written(rows)} if rows is not None else {})]  # fmt: skip
            wrote += outputs if node["schema"] == "marts" else []
            run, name = self._id(self.entry, node_id), f"{self._dag}.build.{node['name']}"
            parent = (self._id(self.entry), f"{self._dag}.build")
            done = RunState.COMPLETE if status == "success" else RunState.FAIL
            began = (at - timedelta(seconds=float(seconds))).isoformat()
            events += [
                _event(run, name, parent, {}, "MODEL", RunState.START, began, inputs, ()),
                _event(run, name, parent, {}, "MODEL", done, at.isoformat(), inputs, outputs),
            ]
        return events, list(read.values()), wrote

    def published(self) -> tuple[list[InputDataset], list[OutputDataset]]:
        found = self._relations("marts", "reporting")
        names = sorted({table for schema, table in found if schema == "reporting" and ("marts", table) in found})
        return (
            [InputDataset(self.server, f"{self.database}.marts.{name}") for name in names],
            [OutputDataset(self.server, f"{self.database}.reporting.{name}") for name in names],
        )

    @property
    def _dag(self) -> str:
        return f"land_{self.label}" if self.kind == "land" else self.label

    def _id(self, entry: Entry | None = None, node: str = "") -> str:
        step = f"/{entry.step}/{entry.attempt}/{node}" if entry else ""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.server}/{self.database}/{self.entry.run_id}{step}"))

    def _name(self, node: dict[str, Any]) -> str:
        return f"{self.database}.{node['schema']}.{node.get('alias') or node.get('identifier') or node['name']}"

    def _relations(self, *schemas: str) -> set[tuple[str, str]]:
        return set(self.books.execute(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = any(%s) and c.relkind in ('r', 'p', 'v')", (list(schemas),)).fetchall())  # fmt: skip

    def _manifest(self) -> dict[str, dict[str, Any]]:
        """Models, seeds and sources of the dbt project as it was built, by unique id."""
        path = settings.settings().home / "dbt" / "target" / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return {**manifest["nodes"], **manifest["sources"]}


def _event(run_id: str, name: str, parent: tuple[str, str], facets: dict[str, RunFacet], kind: str, state: RunState,
           at: str, inputs: Iterable[InputDataset], outputs: Iterable[OutputDataset]) -> RunEvent:
    space = settings.settings().openlineage_namespace
    above = parent_run.ParentRunFacet(
        run=parent_run.Run(parent[0]), job=parent_run.Job(space, parent[1]), producer=PRODUCER)  # fmt: skip
    words: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet("BATCH", "TIEOUT", kind, producer=PRODUCER)}  # fmt: skip
    return RunEvent(
        eventTime=at, producer=PRODUCER, eventType=state, run=Run(run_id, {"parent": above, **facets}),
        job=Job(space, name, words), inputs=[*inputs], outputs=[*outputs],
    )  # fmt: skip


def _schema(stream: Stream) -> schema_dataset.SchemaDatasetFacet:
    fields = [
        schema_dataset.SchemaDatasetFacetFields(column.name, column.type, column.description or None, place)
        for place, column in enumerate(stream.columns, start=1)
    ]
    return schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER)


def _columns(stream: Stream, vendor: str) -> column_lineage_dataset.ColumnLineageDatasetFacet:
    """Each declared column comes from one field of the vendor, unless this connection has none."""
    facets = column_lineage_dataset
    same = [facets.Transformation(type="DIRECT", subtype="IDENTITY")]
    fields = {
        column.name: facets.Fields([facets.InputField(vendor, stream.name, column.field, same)])
        for column in stream.columns if column.field
    }  # fmt: skip
    return facets.ColumnLineageDatasetFacet(fields, producer=PRODUCER)


def _written(rows: int) -> output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet:
    return output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows, producer=PRODUCER)


def _failure(error: BaseException | None, entry: Entry) -> dict[str, RunFacet]:
    """That it failed, and where to read why: the text of an error may quote a record."""
    if error is None:
        return {}
    message = f"{type(error).__name__}; see ops.step of run {entry.run_id}, {entry.step}, attempt {entry.attempt}"
    return {"errorMessage": error_message_run.ErrorMessageRunFacet(message, "python", producer=PRODUCER)}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _books() -> psycopg.Connection:
    from tieout.warehouse import connect

    return connect("loader", autocommit=True, application="tieout lineage")
