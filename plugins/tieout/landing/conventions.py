"""How a vendor writes days and their absence, where JSON would have had a way: turned into what is meant before typing.

noon_utc   a day is 12:00 UTC of it, no date is 1900-01-01T00:00:00Z, and the last of all is 2154-12-31T23:59:59Z
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from tieout.spec import Column, Stream

_NOON, _LAST = "T12:00:00Z", "2154-12-31T23:59:59Z"
_NONE = ("1900-01-01T00:00:00Z", f"1900-01-01{_NOON}", "1900-01-01")


def meant(stream: Stream, column: Column, values: list[Any] | pa.Array | None) -> list[Any] | pa.Array | None:
    """The column's values as the stream's convention (`dates`) means them; others are left as they are."""
    if not stream.dates or values is None or column.type not in ("date", "timestamp"):
        return values
    if isinstance(values, list):
        return [_one(value, column.type) for value in values]
    if not pa.types.is_string(values.type):
        return values
    values = pc.if_else(pc.is_in(values, pa.array(_NONE)), pa.scalar(None, pa.string()), values)
    if column.type == "date":
        is_day = pc.or_(pc.ends_with(values, _NOON), pc.equal(values, _LAST))
        values = pc.if_else(is_day, pc.utf8_slice_codeunits(values, 0, 10), values)
    return values


def _one(value: Any, kind: str) -> Any:
    if not isinstance(value, str):
        return value
    if value in _NONE:
        return None
    return value[:10] if kind == "date" and (value.endswith(_NOON) or value == _LAST) else value
