"""Typed Arrow columns → rows in Postgres's binary COPY format, and a hash per row, without a Python object per row.

A field of the format is a length and a value, both big-endian; a null is the length −1. Columns of fixed width are laid
out by numpy, texts are a length column and a value column, and Arrow joins all of them row by row: the joined buffer *is*
the COPY stream. The encoding of a value depends on the value alone, so the hash of a row's bytes is the hash of its typed
values: the same record gives the same hash through JSON, CSV and Arrow.

Formats: https://www.postgresql.org/docs/current/sql-copy.html (binary), numeric_recv and numeric.c (base 10000).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_POSTGRES_EPOCH_DAYS = 10_957  # 2000-01-01
_POSTGRES_EPOCH_US = _POSTGRES_EPOCH_DAYS * 86_400_000_000
_SCALE = 18
_POWERS = 10 ** np.arange(_SCALE + 1, dtype=np.int64)


def fields(columns: Sequence[pa.Array], *, json: Sequence[bool] = ()) -> pa.Array:
    """The columns' fields joined per row: binary, one value per row.

    Takes string, int64, bool, date32, timestamp[us], decimal128(38, 18). `json[i]`: a string column bound for jsonb.
    """
    count = len(columns[0])
    parts: list[pa.Array] = []
    fixed: list[np.ndarray] = []
    for index, column in enumerate(columns):
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if pa.types.is_string(column.type):
            parts += _flush(fixed, count)
            parts += _text(column, is_json=bool(json) and json[index])
        elif column.null_count == count:
            fixed.append(np.frombuffer(_NULL * count, np.uint8).reshape(count, 4))
        else:
            laid = _fixed(column)
            if column.null_count:
                parts += _flush(fixed, count)
                parts.append(pc.if_else(column.is_valid(), _as_binary(laid), _NULL))
            else:
                fixed.append(laid)
    parts += _flush(fixed, count)
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, b"")


def hashes(rows: pa.Array) -> pa.Array:
    """xxh3 of each row's bytes as signed 64-bit integers."""
    offsets, data = _buffers(rows)
    digest = xxhash.xxh3_64_intdigest
    ends = offsets.tolist()
    found = [digest(data[start:end]) for start, end in zip(ends, ends[1:], strict=False)]
    return pa.array(np.array(found, np.uint64).view(np.int64))


def copy_rows(width: int, *parts: pa.Array | bytes) -> memoryview:
    """The COPY bytes of rows of `width` fields: `parts` are joined fields per row, or constant bytes for every row."""
    joined = pc.binary_join_element_wise(width.to_bytes(2, "big"), *parts, b"")
    offsets, data = _buffers(joined)
    return data[int(offsets[0]) : int(offsets[-1])]


def constant(value: str | int | bool | None) -> bytes:
    """One field that is the same in all rows."""
    if value is None:
        return _NULL
    if isinstance(value, bool):
        raw = b"\x01" if value else b"\x00"
    elif isinstance(value, int):
        raw = value.to_bytes(8, "big", signed=True)
    else:
        raw = value.encode()
    return len(raw).to_bytes(4, "big") + raw


def blocks(data: memoryview, size: int = 1 << 20) -> Iterator[memoryview]:
    """The bytes in pieces that a socket takes well."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _buffers(rows: pa.Array) -> tuple[np.ndarray, memoryview]:
    _, ends, data = rows.buffers()
    offsets = np.frombuffer(ends, np.int32)[rows.offset : rows.offset + len(rows) + 1]
    return offsets, memoryview(data) if data is not None else memoryview(b"")


def _flush(fixed: list[np.ndarray], count: int) -> list[pa.Array]:
    """Neighbouring columns of fixed width and without nulls go as one block."""
    if not fixed:
        return []
    block = fixed[0] if len(fixed) == 1 else np.hstack(fixed)
    fixed.clear()
    return [_as_binary(block)]


def _as_binary(block: np.ndarray) -> pa.Array:
    count, width = block.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(block))])


def _text(column: pa.Array, *, is_json: bool) -> list[pa.Array]:
    """Two parts: length (and jsonb's version byte), and the characters."""
    raw = pc.cast(column, pa.binary())
    lengths = pc.fill_null(pc.binary_length(raw), -1 - is_json).to_numpy(zero_copy_only=False)
    lengths = _big_endian(lengths.astype(np.int32) + is_json, ">i4")
    if raw.null_count:
        raw = pc.fill_null(raw, b"")
    if not is_json:
        return [_as_binary(lengths), raw]
    head = pc.binary_join_element_wise(
        _as_binary(lengths), pc.if_else(column.is_valid(), pa.scalar(b"\x01"), pa.scalar(b"")), b"")
    return [head, raw]


def _fixed(column: pa.Array) -> np.ndarray:
    """(rows, width) bytes of a column's fields; what stands under a null does not matter."""
    kind = column.type
    if pa.types.is_decimal(kind):
        return _numeric(column)
    if pa.types.is_boolean(kind):
        values = pc.cast(column, pa.uint8())
        return _with_length(_numpy(values).reshape(-1, 1))
    if pa.types.is_date32(kind):
        return _with_length(_big_endian(_numpy(column.view(pa.int32())) - np.int32(_POSTGRES_EPOCH_DAYS), ">i4"))
    if pa.types.is_timestamp(kind):
        return _with_length(_big_endian(_numpy(column.view(pa.int64())) - _POSTGRES_EPOCH_US, ">i8"))
    return _with_length(_big_endian(_numpy(column), ">i8"))


def _numpy(column: pa.Array) -> np.ndarray:
    return (pc.fill_null(column, 0) if column.null_count else column).to_numpy(zero_copy_only=False)


def _big_endian(values: np.ndarray, kind: str) -> np.ndarray:
    return values.astype(kind).view(np.uint8).reshape(len(values), -1)


def _with_length(values: np.ndarray) -> np.ndarray:
    count, width = values.shape
    laid = np.empty((count, 4 + width), np.uint8)
    laid[:, :4] = np.frombuffer(width.to_bytes(4, "big"), np.uint8)
    laid[:, 4:] = values
    return laid


def _numeric(column: pa.Array) -> np.ndarray:
    """decimal128(38, 18), |x| < 10^18, as numeric: always ten base-10000 digits, five on each side of the point.

    Postgres strips leading and trailing zeros when it reads them. The display scale is the smallest that shows the value.
    """
    whole = _low_words(pc.cast(column, pa.decimal128(38, 0), safe=False))  # cut towards zero
    with np.errstate(over="ignore"):
        rest = _low_words(column) - whole * _POWERS[_SCALE]  # modulo 2^64 exact, because |rest| < 10^18
    negative = (whole < 0) | (rest < 0)
    whole, rest = np.abs(whole), np.abs(rest)
    digits = np.zeros((len(column), 14), ">i2")
    digits[:, 0] = 10  # number of digits
    digits[:, 1] = 4  # the weight of the first, in powers of 10000
    digits[:, 2] = np.where(negative, np.int16(0x4000), 0)
    digits[:, 3] = _scales(rest)
    for position in range(8, 3, -1):
        if not whole.any():
            break
        whole, digits[:, position] = np.divmod(whole, 10_000)
    for position in range(9, 14):
        if not rest.any():
            break
        step = _POWERS[_SCALE - 4 * (position - 8)] if position < 13 else 1
        if position < 13:
            digits[:, position], rest = np.divmod(rest, step)
        else:
            digits[:, position] = rest * 100  # two decimals are left of the eighteen
            break
    return _with_length(digits.view(np.uint8).reshape(len(column), 28))


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
