"""What a load shows of its fields beside their values: which came, in which form, and what nobody declared."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

MAX_NEW = 200


@dataclass
class Drift:
    """`new`: sent and not declared (at most MAX_NEW are named; `unnamed` counts the rest). `seen`: declared and sent.

    `twice`: fields that one record holds twice; the last one counts, as for every JSON reader. `forms`: how each
    declared field was written (text, number, flag, object, list), from the first record of each page.
    """

    new: set[str] = field(default_factory=set)
    unnamed: int = 0
    seen: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    forms: dict[str, set[str]] = field(default_factory=dict)
    records: int = 0

    def note_new(self, names: Iterable[str]) -> None:
        """Remember undeclared names; a vendor that invents one per record must not fill the memory."""
        for name in names:
            if name in self.new:
                continue
            if len(self.new) < MAX_NEW:
                self.new.add(name)
            else:
                self.unnamed += 1

    def note_form(self, name: str, form: str | None) -> None:
        """Remember how a field was written; None: it held nothing."""
        if form:
            self.forms.setdefault(name, set()).add(form)


class _Object(list):
    """The pairs of a JSON object, repeats included."""


def look_at(drift: Drift, record: bytes, names: Iterable[str], keys: Set[str]) -> None:
    """Note the forms of a JSON record's declared fields and the names that it holds twice.

    A vendor whose serialiser repeats names repeats them in every record, so one record per page is enough to tell.
    """
    found = json.loads(record, object_pairs_hook=_Object)
    if not isinstance(found, _Object):
        return
    values = dict(found)
    if len(values) < len(found):
        sent = [name for name, _ in found]
        drift.twice.update(name for name in values if sent.count(name) > 1)
    for name in names:
        drift.note_form(name, _json_form(values.get(name), key=name in keys))


def _json_form(value: Any, *, key: bool) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, float):
        return "decimal number" if key else "number"  # 1.0 is another key than 1
    if isinstance(value, int):
        return "number"
    if isinstance(value, str):
        return "text"
    return "object" if isinstance(value, _Object) else "list"


def arrow_form(kind: pa.DataType, *, key: bool) -> str | None:
    """The form of an Arrow column; None for the type null."""
    if pa.types.is_null(kind):
        return None
    if pa.types.is_boolean(kind):
        return "flag"
    if pa.types.is_integer(kind):
        return "number"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "decimal number" if key else "number"
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return "object"
    if pa.types.is_nested(kind):
        return "list"
    return "date" if pa.types.is_date(kind) else "timestamp" if pa.types.is_timestamp(kind) else "text"


def unrenamable(name: str) -> bool:
    """True where msgspec cannot read a field of that name into a record type."""
    return any(one in '"\\' or one < " " for one in name)


def plain_json(row: dict[str, Any]) -> str | None:
    """The values that are there as one JSON text, sorted by name. Not-a-number and infinity stay readable as text."""
    present = {name: _finite(value) for name, value in sorted(row.items()) if value is not None}
    return msgspec.json.encode(present).decode() if present else None


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(name): _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, (list, tuple)) else value
