"""Streams of `tieout.yml` as a dlt source describes itself: its hints, and the first items of each resource.

A draft to start from: it knows keys, cursors, dispositions and types, not which number is money in which currency.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from tieout.errors import SourceError, TieoutError
from tieout.extract.dlt_hints import Table
from tieout.extract.dlt_source import as_source, found, pipeline_in, said
from tieout.extract.private_folder import PrivateFolder
from tieout.extract.singer_draft import DIGEST, plain
from tieout.spec_transports import DltSource

_TYPES = {"text": "text", "bigint": "integer", "decimal": "amount", "double": "amount", "wei": "amount",
          "bool": "boolean", "timestamp": "timestamp", "date": "date", "json": "json"}


def drafted(told: DltSource) -> dict[str, Any]:
    """{stream: its declaration}. Reads one item of each resource, and keeps nothing."""
    dlt, function = found(told, "draft")
    with closing(PrivateFolder()) as folder:
        try:
            source = as_source(dlt, function(**told.arguments)).add_limit(1)
            source.max_table_nesting = 0
            pipeline = pipeline_in(dlt, folder, "draft")
            try:
                pipeline.extract(source)
                pipeline.normalize()
                tables = pipeline.schemas[source.schema.name].tables
            finally:
                pipeline.deactivate()
        except TieoutError:
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            raise SourceError(f"{told.source} failed: {said(error)}", hint="mend its arguments") from None
    return {plain(name, "stream"): _stream(name, table) for name, table in tables.items()
            if not name.startswith("_dlt")}


def _stream(name: str, told: dict[str, Any]) -> dict[str, Any]:
    table, resource = Table(name, told, []), told.get("resource", name)
    kept = {field: one for field, one in told.get("columns", {}).items()
            if not field.startswith("_dlt") and not one.get("variant")}
    named = {field: plain(field, "field") for field in kept}
    keys = [field for field, one in kept.items() if one.get("primary_key")]
    columns: dict[str, Any] = {}
    for field, one in kept.items():
        kind = _TYPES.get(one.get("data_type", "text"), "text")
        more = {} if field == named[field] else {"field": field}
        columns[named[field]] = {"type": kind, **more} if more else kind
    made: dict[str, Any] = {"key": [named[key] for key in keys] or ["digest"]}
    if not keys:
        columns["digest"] = dict(DIGEST)
    cursors = [field for field, one in kept.items() if one.get("incremental")]
    if cursors and kept[cursors[0]].get("data_type") == "timestamp":
        made["cursor"] = named[cursors[0]]
    if table.is_complete:
        made["mode"] = "full"
    if table.merge_key:
        made["partition"] = named[table.merge_key]
    if table.hard_delete:
        made["deletes"], columns["is_gone"] = {"flag": "is_gone"}, {"type": "boolean", "field": "$deleted"}
    return {**made, "columns": columns,
            "options": {"resource": resource} if resource == name else {"resource": resource, "table": name}}
