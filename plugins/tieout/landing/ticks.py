"""`/Date(ms)/`: how JSON wrote dates before it had a notation (OData 2, ASP.NET).

Milliseconds since 1970, negative before. `/Date(ms)/` is what a clock without a zone shows; with an offset,
`/Date(ms+0060)/`, the milliseconds are an instant's in UTC and the offset (minutes) only says how to show it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_TICKS = re.compile(r"/Date\((?P<ms>-?\d{1,15})(?P<offset>[+-]\d{1,4})?\)/")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a clock without a zone


def holds_ticks(text: pa.Array) -> bool:
    """Whether any value is written so."""
    return bool(pc.any(pc.starts_with(text, "/Date(")).as_py())


def ticks(text: pa.Array) -> tuple[pa.Array, bool]:
    """Milliseconds, and whether they are instants. ArrowInvalid where not all values are of one kind."""
    parts = pc.extract_regex(text, f"^{_TICKS.pattern}$")
    if parts.null_count != text.null_count:
        raise pa.ArrowInvalid("another notation among them")
    instants = pc.not_equal(pc.struct_field(parts, "offset"), "")
    has_offset = bool(pc.any(instants).as_py())
    if has_offset and not pc.all(instants).as_py():
        raise pa.ArrowInvalid("with and without an offset")
    return pc.cast(pc.struct_field(parts, "ms"), pa.int64()), has_offset


def one_tick(value: Any) -> datetime | None:
    """The moment, aware where it has an offset; None for a value in another notation. OverflowError past year 9999."""
    found = _TICKS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    moment = _EPOCH + timedelta(milliseconds=int(found["ms"]))
    return moment.replace(tzinfo=UTC) if found["offset"] else moment
