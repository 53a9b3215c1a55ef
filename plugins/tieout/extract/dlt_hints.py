"""What a dlt table says of itself (key, disposition, deletions), held against what is declared for its stream."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tieout.errors import ConfigError, SchemaError
from tieout.spec import Stream

# Text, wherever it is ours to say: dlt would round nothing, but it reads a stamp without an offset as UTC.
_TYPES = {"json": "json", "boolean": "bool"}
_VARIANT = "__v_"


def declare(resource: Any, stream: Stream) -> None:
    """Tell dlt the types of columns to which the source gives none, and that a complete set is one."""
    try:
        known = resource.compute_table_schema().get("columns", {})
    except Exception:  # noqa: BLE001 - hints that depend on the items: there is nothing to add
        known = {}
    typed = {name for name, column in known.items() if column.get("data_type")}
    columns = {column.field: {"name": column.field, "data_type": _TYPES.get(column.type, "text")}
               for column in stream.columns
               if column.field and not column.field.startswith(("$", "_dlt")) and column.field not in typed}
    resource.apply_hints(columns=columns)
    resource.max_table_nesting = 0  # lists stay in their record: `explode` lands them
    if stream.mode == "full":
        resource.apply_hints(write_disposition="replace")


@dataclass
class Table:
    """A table of the run. files: of JSON lines. variants: {column: {where dlt put values that did not fit}}"""

    name: str
    told: dict[str, Any]
    files: list[Path]

    def __post_init__(self) -> None:
        self._columns: dict[str, dict[str, Any]] = self.told.get("columns", {})
        self.variants = {name: name.rsplit(_VARIANT, 1)[0] for name, one in self._columns.items() if one.get("variant")}
        self.hard_delete = next(iter(self._with("hard_delete")), None)
        self.merge_key = next(iter(self._with("merge_key")), None) if self._disposition == "merge" else None

    @property
    def _disposition(self) -> str:
        return str(self.told.get("write_disposition", "append"))

    @property
    def is_complete(self) -> bool:
        """Whether the run brought the whole set."""
        history = self._disposition == "merge" and self.told.get("x-merge-strategy") == "scd2"
        return self._disposition == "replace" or (history and not self._with("merge_key"))

    def _with(self, hint: str) -> list[str]:
        return [name for name, column in self._columns.items() if column.get(hint)]

    def check(self, stream: Stream, where: str) -> None:
        """Raises SchemaError where the declaration contradicts the source's hints, or leaves one unheard.

        And ConfigError where a set that is read by a cursor is said to be complete.
        """
        keys, declared = self._with("primary_key"), [stream.column(name).field for name in stream.key]
        if keys and set(keys) != set(declared):
            raise SchemaError(f"{where}: the source's key is {', '.join(keys)}, declared is {', '.join(declared)}",
                              hint="declare the source's key, under a new stream name if records landed by the old one")
        if self.hard_delete and not stream.deletes.flag and not stream.deletes.never:
            raise SchemaError(f"{where}: the source tells deletions ({self.hard_delete}), and nobody listens",
                              hint="add a column {gone: {type: boolean, field: $deleted}} and `deletes: {flag: gone}`, "
                              "or say `deletes: {never: true}`")
        part = stream.column(stream.partition).field if stream.partition else None
        if self.merge_key and self.merge_key not in keys and part != self.merge_key:
            raise SchemaError(f"{where}: the source replaces all records of one {self.merge_key}",
                              hint=f"say `partition:` with the column of {self.merge_key}")
        if self.merge_key and part is None:
            self.merge_key = None
        if self.is_complete and (cursors := self._with("incremental")):
            raise ConfigError(f"{where}: said to be the complete set, and the resource reads by the cursor "
                              f"{', '.join(cursors)}: what it leaves out would be deleted",
                              hint="leave `mode: full` out; the cursor is kept here from run to run")
        odd = [path.name for path in self.files if path.suffix != ".jsonl"]
        if odd:
            raise SchemaError(f"{where}: dlt wrote {odd[0]}, which is not read here", hint="let the source yield "
                              "records instead of tables (for sql_database: backend=\"sqlalchemy\")")

    def as_received(self, record: dict[str, msgspec.Raw], line: bytes) -> bytes:
        """The record with values that dlt set aside, for they do not fit their column, back in their column."""
        aside = [name for name in self.variants if name in record]
        if not aside:
            return line
        for name in aside:
            value = record.pop(name)
            record.setdefault(self.variants[name], value)
        return msgspec.json.encode(record)
