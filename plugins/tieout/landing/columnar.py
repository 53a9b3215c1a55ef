"""JSON records straight to Arrow columns, without a Python object per value: half the cost of the way through objects.

Only for pages where Arrow reads exactly what the careful way (parse.py) reads. Anything else (an undeclared field, a
number where a text was declared, a value that does not fit, a name that comes twice, a broken character) yields None:
the page is then read the careful way, which tells the values apart and says what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from tieout.landing.typed import AMOUNT, LARGEST
from tieout.spec import Column

# Wide enough that a number which is too large for an amount is seen to be: at 38 digits Arrow's JSON reader wraps
# around and says nothing. At 76 it wraps from 59 digits before the point on: such pages are left to the careful way.
_WIDE = pa.decimal256(76, 18)
_LONG = b"0" * 59
_DIGITS = bytes(48 if 48 <= code <= 57 else 46 for code in range(256))
_ARROW = {"text": pa.string(), "date": pa.string(), "timestamp": pa.string(), "boolean": pa.bool_(),
          "amount": _WIDE, "rate": _WIDE, "integer": _WIDE}
_PATIENCE = 3  # pages in a row that Arrow could not read, until the stream is taken to be none for it


class ColumnarJson:
    """Reads the records of one stream. `noise`: keys that are the protocol's, read over."""

    def __init__(self, columns: Sequence[Column], noise: Iterable[str]) -> None:
        self._columns = {column.field: column for column in columns if column.field}
        self._noise = frozenset(noise)
        self._left = _PATIENCE
        self._options: pa.json.ParseOptions | None = None
        if any(self._columns[c.field].type != c.type or c.type == "json" for c in columns if c.field):
            self._left = 0

    def read(self, body: bytes, texts: Sequence[bytes]) -> dict[str, pa.Array] | None:
        """{field: array} of the records `texts`, all of them in `body`. Numbers are exact; other values as received.

        None where this is not the way to read them.
        """
        if not texts or self._left <= 0 or not _is_plain(body):
            return None
        if self._options is None:
            self._options = self._schema(texts[0])
        try:
            found = self._converted(_batch(texts, self._options))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
            found = None
        self._left = _PATIENCE if found else self._left - 1
        return found

    def _schema(self, sample: bytes) -> pa.json.ParseOptions:
        """Flags come as JSON's own or as words such as T: the first record tells."""
        first = msgspec.json.decode(sample, type=dict[str, Any])
        kinds = {name: pa.string() if isinstance(first.get(name), str) and column.type == "boolean"
                 else _ARROW[column.type] for name, column in self._columns.items()}
        return pa.json.ParseOptions(explicit_schema=pa.schema(kinds.items()), unexpected_field_behavior="infer")

    def _converted(self, batch: pa.RecordBatch) -> dict[str, pa.Array] | None:
        others = set(batch.schema.names) - self._columns.keys() - self._noise
        if any("@" not in name or "@" not in self._noise for name in others):
            return None
        found = {}
        for name, column in self._columns.items():
            values = batch.column(name)
            if values.type == _WIDE:
                values = pc.cast(values, AMOUNT)
                ends = pc.min_max(values).as_py()
                if ends["max"] is not None and max(abs(ends["min"]), abs(ends["max"])) >= LARGEST:
                    return None
                if column.type == "integer":
                    values = pc.cast(values, pa.int64())
            found[name] = values
        return found


def _is_plain(body: bytes) -> bool:
    """Sound characters, and no number that would wrap around."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            return False
    return _LONG not in body.translate(_DIGITS)


def _batch(texts: Sequence[bytes], options: pa.json.ParseOptions) -> pa.RecordBatch:
    lines = b"\n".join(texts) + b"\n"  # the last line break keeps Arrow from cutting within a record
    table = pa.json.read_json(
        pa.BufferReader(lines), parse_options=options,
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1))
    return table.combine_chunks().to_batches()[0]
