"""Typed Arrow columns → rows of Postgres's binary COPY format with a hash per row, without a Python object per value.

pgpq writes the rows; numerics are laid out here, because their display scale should be the value's own. The hash is
taken of a row's encoded bytes. The encoding of a value depends on the value alone, so the same record has the same hash
through JSON, CSV and Arrow.

Formats: https://www.postgresql.org/docs/current/sql-copy.html (binary), numeric_recv in numeric.c (base 10000).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pgpq import ArrowToPostgresBinaryEncoder

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
BLOCK = 1 << 20
NUMERIC_BYTES = 28
_FIXED = {pa.int64(): 8, pa.bool_(): 1, pa.date32(): 4, pa.timestamp("us", "UTC"): 8,
          pa.binary(NUMERIC_BYTES): NUMERIC_BYTES}
_SCALE = 18
_POWERS = 10 ** np.arange(_SCALE + 1, dtype=np.int64)


class Rows(NamedTuple):
    """COPY rows: row i is `data[starts[i]:starts[i + 1]]`, the last one ends the data. `hashes`: int64, one per row."""

    data: memoryview
    starts: np.ndarray
    hashes: np.ndarray


def copy_rows(columns: Sequence[pa.Array], tail: Sequence[pa.Array], *, json: Sequence[int] = ()) -> Rows:
    """COPY rows of `columns`, their hash (bigint), and `tail`, which the hash does not cover.

    Takes string, int64, bool, date32, timestamp[us, UTC], decimal128(38, 18). `json`: positions of the string columns
    that are bound for jsonb.
    """
    count = len(columns[0])
    arrays = [_payload(column, at in json) for at, column in enumerate(columns)]
    after = [_payload(column, False) for column in tail]
    data = _encoded([*arrays, pa.array(np.zeros(count, np.int64)), *after])
    content = 2 + _widths(arrays, count)  # each row begins with its number of fields
    whole = content + 12 + _widths(after, count)
    starts = np.cumsum(whole) - whole
    if count and starts[-1] + whole[-1] != len(data):
        raise AssertionError("the rows are not as long as their fields")
    hashes = _hashes(memoryview(data), starts + 2, starts + content)
    data[(starts + content + 4)[:, None] + np.arange(8)] = hashes.astype(">i8").view(np.uint8).reshape(count, 8)
    return Rows(memoryview(data), starts, hashes)


def narrow_rows(columns: Sequence[pa.Array]) -> memoryview:
    """COPY rows of `columns`, without a hash of their own."""
    return memoryview(_encoded([_payload(column, False) for column in columns]))


def _encoded(arrays: Sequence[pa.Array]) -> np.ndarray:
    """The rows as writable bytes, neither header nor trailer."""
    batch = pa.RecordBatch.from_arrays(arrays, [str(at) for at in range(len(arrays))])
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    encoder.write_header()
    data = bytearray(encoder.write_batch(batch))
    data += encoder.finish()
    return np.frombuffer(data, np.uint8)[: -len(TRAILER)]


def blocks(data: memoryview) -> Iterator[memoryview]:
    """The bytes in pieces that a socket takes well."""
    for start in range(0, len(data), BLOCK):
        yield data[start : start + BLOCK]


def _hashes(data: memoryview, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    digest = xxhash.xxh3_64_intdigest
    found = [digest(data[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return np.array(found, np.uint64).view(np.int64)


def _payload(column: pa.Array, is_json: bool) -> pa.Array:
    """The column in a type that pgpq writes as it should stand in the stream."""
    if pa.types.is_decimal(column.type):
        return _numeric(column)
    if is_json:
        return pc.binary_join_element_wise(b"\x01", pc.cast(column, pa.binary()), b"")  # jsonb's version, then the text
    return column


def _widths(arrays: Sequence[pa.Array], count: int) -> np.ndarray:
    """Bytes per row: four for each field's length, and the values of those that are not null."""
    total = np.full(count, 4 * len(arrays), np.int64)
    for array in arrays:
        if array.null_count == count:
            continue
        if width := _FIXED.get(array.type):
            total += width * array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else width
        else:
            lengths = pc.binary_length(array)
            total += (pc.fill_null(lengths, 0) if array.null_count else lengths).to_numpy(zero_copy_only=False)
    return total


def _numeric(column: pa.Array) -> pa.Array:
    """decimal128(38, 18), |x| < 10^18, as numeric: always ten base-10000 digits, five on each side of the point.

    Postgres strips leading and trailing zeros when it reads them. The display scale is the smallest that shows all.
    """
    count = len(column)
    whole = _low_words(pc.cast(column, pa.decimal128(38, 0), safe=False))  # cut towards zero
    with np.errstate(over="ignore"):
        rest = _low_words(column) - whole * _POWERS[_SCALE]  # modulo 2^64 exact, because |rest| < 10^18
    digits = np.zeros((count, NUMERIC_BYTES // 2), ">i2")
    digits[:, 0] = 10  # number of digits
    digits[:, 1] = 4  # the weight of the first, in powers of 10000
    digits[:, 2] = np.where((whole < 0) | (rest < 0), np.int16(0x4000), 0)
    whole, rest = np.abs(whole), np.abs(rest)
    digits[:, 3] = _scales(rest)
    for position in range(8, 3, -1):
        if not whole.any():
            break
        whole, digits[:, position] = np.divmod(whole, 10_000)
    for position in range(9, 13):
        if not rest.any():
            break
        digits[:, position], rest = np.divmod(rest, _POWERS[_SCALE - 4 * (position - 8)])
    digits[:, 13] = rest * 100  # two of the eighteen decimals are left
    validity = column.is_valid().buffers()[1] if column.null_count else None
    return pa.Array.from_buffers(pa.binary(NUMERIC_BYTES), count, [validity, pa.py_buffer(digits)])


def _scales(rest: np.ndarray) -> np.ndarray:
    """How many decimals each fraction (in units of 10^-18) needs."""
    scales = np.zeros(len(rest), np.int16)
    for decimals in range(_SCALE):
        more = rest % _POWERS[_SCALE - decimals] != 0
        if not more.any():
            break
        scales += more
    return scales


def _low_words(column: pa.Array) -> np.ndarray:
    words = np.frombuffer(column.buffers()[1], np.int64)
    low = words[2 * column.offset : 2 * (column.offset + len(column)) : 2]
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), low, 0) if column.null_count else low
