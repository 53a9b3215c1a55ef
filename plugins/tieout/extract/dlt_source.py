"""Any dlt source: extracted and normalised by dlt into a private folder, landed by us. See `one_run.py` for its state.

Source: dlt's documentation of pipelines, schemas, write dispositions and incremental loading (dlt 1.x).

The declared streams are its resources. Nested lists are not made tables by dlt: they stay in their record, and a stream
with `explode` lands them. Values come as text wherever the source gives no type, so that landing types them and none
is changed on the way; a value that does not fit a type that the source gives is quarantined as it came.

A resource's write disposition decides: replace (and merge as scd2) brings the complete set; merge and append add and
replace by key, and what `merge_key` names is replaced value by value (`partition` of the stream).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from typing import Any

import httpx
import msgspec

from tieout import logs, settings
from tieout.errors import ConfigError, SchemaError, SourceError, TieoutError
from tieout.extract import MANNERS, Page
from tieout.extract.deliveries import Bookmark
from tieout.extract.dlt_hints import Table, declare
from tieout.extract.one_run import OneRun, Taken
from tieout.extract.private_folder import PrivateFolder
from tieout.extract.record_marks import Marks
from tieout.spec import Connection, Defaults, Stream
from tieout.spec_transports import DltSource, with_secrets

_ROWS = 8_192
# Airflow's variables would be asked for every word of dlt's configuration.
_QUIET = {"PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false", "RUNTIME__DLTHUB_TELEMETRY": "false",
          "RUNTIME__LOG_LEVEL": "CRITICAL", "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true"}
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])


class DltExtractor(OneRun):
    """See the module's docstring."""

    def __init__(self, connection: Connection, secrets: dict[str, str], *, transport: httpx.BaseTransport | None = None,
                 ) -> None:
        super().__init__(connection)
        told = {word: value for word, value in connection.options.items() if word not in Defaults.model_fields}
        self._told = DltSource.model_validate(told)
        self._arguments = with_secrets(self._told.arguments, secrets)
        self._folder: PrivateFolder | None = None
        self._tables: dict[str, Table] = {}

    def close(self) -> None:
        """The private folder is gone with all that dlt wrote."""
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def test(self) -> str:
        """Whether dlt and the source are there."""
        found(self._told, self._connection.name)
        return f"{self._told.source} is there; what it reads shows `tieout sources check {self._connection.name}`"

    def take(self, state: Bookmark | None) -> Taken:
        """See `OneRun.take`. A source that fails has brought nothing."""
        dlt, function = found(self._told, self._connection.name)
        self.close()
        self._folder = PrivateFolder()
        try:
            value = self._extract(dlt, function, state.value if state else None)
        except TieoutError:
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            raise SourceError(f"{self._connection.name}: {self._told.source} failed: {said(error)}",
                              hint="nothing was landed; mend the cause and run again") from None
        complete = {name for name in self._streams if self._tables[name].is_complete}
        return Taken(self._pages, value, complete)

    def _extract(self, dlt: Any, function: Any, value: str | None) -> str:
        """Run the source from the state; the state where it ended, in dlt's own words."""
        from dlt.common import json

        source = as_source(dlt, function(**self._arguments))
        pipeline = pipeline_in(dlt, self._folder, self._connection.name)
        if value is not None:
            with pipeline.managed_state() as state:
                state["sources"] = json.typed_loads(value)
        wanted = {stream.options["resource"] for stream in self._streams.values()}
        if missing := sorted(wanted - source.resources.keys()):
            raise SchemaError(f"{self._connection.name}: {self._told.source} has no resource {', '.join(missing)}",
                              hint=f"it has: {', '.join(sorted(source.resources))}")
        source = source.with_resources(*wanted)
        source.max_table_nesting = 0
        for stream in self._streams.values():
            declare(source.resources[stream.options["resource"]], stream)
        try:
            pipeline.extract(source)
            pipeline.normalize()
            self._find_tables(pipeline, source)
            return json.typed_dumps(pipeline.state.get("sources", {}))
        finally:
            pipeline.deactivate()

    def _find_tables(self, pipeline: Any, source: Any) -> None:
        schema = pipeline.schemas[source.schema.name]
        files = sorted(self._folder.path.glob("*/load/normalized/*/new_jobs/*"))
        for stream in self._streams.values():
            word = stream.options.get("table") or source.resources[stream.options["resource"]].name
            name = schema.naming.normalize_table_identifier(word)
            table = Table(name, schema.tables.get(name) or {}, [f for f in files if f.name.split(".")[0] == name])
            table.check(stream, f"{self._connection.name}.{stream.name}")
            self._tables[stream.name] = table
        named = {table.name for table in self._tables.values()}
        if others := sorted({name for f in files if not (name := f.name.split(".")[0]).startswith("_dlt")} - named):
            raise SchemaError(f"{self._connection.name}: the source brings the tables {', '.join(others)}, which are "
                              "not declared", hint="declare each as a stream with `options: {resource: …, table: …}`: "
                              "left out now, its history would be missing later")

    def _pages(self, stream: Stream) -> Iterator[Page]:
        table, (noise, omits_nulls) = self._tables[stream.name], MANNERS["dlt"]
        where = f"{self._connection.name}.{stream.name}"
        marks = Marks(stream, where, table.hard_delete, noise)
        parts: set[str] = set()
        for path in table.files:
            with path.open("rb") as lines:
                while lot := [line.rstrip(b"\n") for line in islice(lines, _ROWS)]:
                    if table.variants:
                        lot = [table.as_received(_DECODER.decode(line), line) for line in lot]
                    if table.merge_key:
                        parts.update(_part(_DECODER.decode(line), table.merge_key) for line in lot)
                    if marks:
                        lot = [marks.on(line) for line in lot]
                    yield Page(stream.name, b"[" + b",".join(lot) + b"]", noise=noise, omits_nulls=omits_nulls)
        if parts:
            yield Page(stream.name, b"[]", parents=tuple(sorted(parts)), noise=noise, omits_nulls=omits_nulls)


def _part(record: dict[str, msgspec.Raw], name: str) -> str:
    value = msgspec.json.decode(record[name]) if name in record else ""
    return value if isinstance(value, str) else bytes(record[name]).decode()


def found(told: DltSource, where: str) -> tuple[Any, Any]:
    """dlt, and the function that makes the source. Raises ConfigError that says what to install."""
    settings.apply(_QUIET, override=False)
    try:
        import dlt
    except ImportError:
        raise ConfigError(f"{where}: dlt is not installed", hint="install it into Tieout's environment: "
                          "pip install 'dlt>=1.31,<2', with what the source needs") from None
    module, name = told.source.split(":")
    if told.path is not None and told.path not in sys.path:
        sys.path.append(told.path)
    try:
        return dlt, getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where}: no dlt source {told.source}: {error}",
                          hint="install its package, or name the folder it is in under options.path") from None


def pipeline_in(dlt: Any, folder: PrivateFolder, name: str) -> Any:
    """A pipeline that keeps all it has in the folder, and loads nowhere."""
    return dlt.pipeline(f"tieout_{name}", pipelines_dir=str(folder.path), dataset_name="raw",
                        destination=dlt.destinations.dummy(loader_file_format="jsonl"))


def as_source(dlt: Any, resource: Any) -> Any:
    """What the function made: a source, or one resource as a source of its own."""
    if isinstance(resource, dlt.extract.DltSource):
        return resource
    if not isinstance(resource, dlt.extract.DltResource):
        raise ConfigError(f"the function made a {type(resource).__name__}, no dlt source or resource",
                          hint="name a function that is decorated with @dlt.source or @dlt.resource")
    return dlt.extract.DltSource(dlt.Schema(resource.name), resource.name, [resource])


def said(error: BaseException) -> str:
    """The cause in one line, without secrets: dlt wraps what a source raised."""
    while error.__cause__ is not None:
        error = error.__cause__
    return logs.redact(f"{type(error).__name__}: {' '.join(str(error).split())}")[:1000]
