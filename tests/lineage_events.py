"""Reads lineage events back through the client's own classes: one that they do not know, or say otherwise, fails."""

from __future__ import annotations

import json
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any

import attr
from openlineage.client import facet_v2
from openlineage.client.event_v2 import RunEvent
from openlineage.client.serde import Serde

from tieout.lineage.events import PRODUCER, TieoutRunFacet

FACETS = {
    "tieout": TieoutRunFacet,
    "parent": facet_v2.parent_run.ParentRunFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "schema": facet_v2.schema_dataset.SchemaDatasetFacet,
    "columnLineage": facet_v2.column_lineage_dataset.ColumnLineageDatasetFacet,
    "inputStatistics": facet_v2.input_statistics_input_dataset.InputStatisticsInputDatasetFacet,
    "outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    "dataQualityAssertions": facet_v2.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet,
}


def read(path: Path) -> list[RunEvent]:
    """All events of a file, each the same after a round trip."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        event = rebuilt(RunEvent, json.loads(line))
        assert json.loads(Serde.to_json(event)) == json.loads(line)
        found.append(event)
    return found


def rebuilt(kind: Any, value: Any, name: str = "") -> Any:
    """`value` as an object of the class. TypeError for a field that the class does not have, or lacks."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        kind = next(each for each in typing.get_args(kind) if each is not type(None))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return [rebuilt(arguments[0], each) for each in value]
    if origin is dict:
        return {key: rebuilt(arguments[1], each, key) for key, each in value.items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if not attr.has(kind):
        return value
    if name in FACETS and issubclass(FACETS[name], kind):
        kind = FACETS[name]
    hints = typing.get_type_hints(kind)
    words = {}
    for word, each in value.items():
        if word in ("_schemaURL", "schemaURL"):
            continue
        if word not in hints:
            raise TypeError(f"{kind.__name__} has no field {word!r}")
        words[word.lstrip("_")] = rebuilt(hints[word], each, word)
    made = kind(**words)
    if "producer" in words:
        assert words["producer"] == PRODUCER
    return made
