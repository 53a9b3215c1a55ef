"""Plain files → pages: CSV in a dialect, JSON lines, Parquet. Columnar, a block at a time, nothing lost.

A row with too few or too many values, and a line that is no JSON, are records that cannot be read: they go to the
quarantine with their text. `$file`, `$row` (from 1) and `$delivered_at` are fields that a stream may declare.
"""

from __future__ import annotations

import csv as csv_module
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tieout.errors import SchemaError, SourceError
from tieout.extract import Page
from tieout.extract.file_dialect import Dialect
from tieout.extract.file_listing import unlisted
from tieout.extract.file_unpack import Plain
from tieout.spec_transports import PSEUDO_FIELDS, Csv, FileOptions

if TYPE_CHECKING:
    from tieout.spec import Stream

BLOCK = 8 << 20
TAIL = 64 << 10
BATCH_ROWS = 65_536


@dataclass
class Reading:
    """A plain file being read. `rows`: records so far, those that cannot be read included. `floats`: rounded money.

    passed: rows of them that do not count (`only`). lots: the values of the columns that hold one value (`one_of`).
    """

    stream: Stream
    options: FileOptions
    file: str
    delivered_at: datetime | None
    rows: int = 0
    passed: int = 0
    floats: set[str] = field(default_factory=set)
    lots: dict[str, str] = field(default_factory=dict)

    @property
    def pseudo(self) -> list[str]:
        """The pseudo fields that the stream declares."""
        return [c.field for c in self.stream.columns if c.field in PSEUDO_FIELDS]


def read(plain: Plain, reading: Reading) -> Iterator[Page]:
    """The file's pages. SourceError, SchemaError name the file."""
    readers = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
    yield from readers[reading.options.format](plain, reading)


# --- CSV --------------------------------------------------------------------------------------------------------------


def _csv(plain: Plain, reading: Reading) -> Iterator[Page]:
    csv = reading.options.csv
    if csv.listing:
        plain = unlisted(plain, csv)
    if csv.quote and not csv.escape and plain.quotes % 2:
        raise SourceError(f"{plain.name}: a quoted value does not end: the file holds {plain.quotes:,} quotes",
                          hint="it is cut, or quotes are plain text in it: then say `csv: {quote: null}`")
    size, told = _without_trailer(plain, csv)
    names = _names(plain, csv)
    if names is None:
        return
    dialect = Dialect(csv, reading.stream.columns)
    broken: list[tuple[str, str]] = []

    def ragged(row: Any) -> str:
        broken.append((row.text, f"{plain.name}: {row.actual_columns} values for {row.expected_columns} columns"))
        return "skip"

    with _Part(plain.path, size) as source:
        for batch in _batches(source, names, csv, ragged, plain.name):
            page = _page(dialect.normalise(batch), reading, tuple(broken))
            broken.clear()
            yield page
    if broken:
        reading.rows += len(broken)
        yield Page(reading.stream.name, b"[]", broken=tuple(broken))
    if told is not None and told != reading.rows:
        raise SourceError(f"{plain.name}: the last line tells of {told:,} records, {reading.rows:,} came",
                          hint="nothing of it was landed; let the file be delivered again")


def _batches(source: _Part, names: list[str], csv: Csv, ragged: Any, where: str) -> Iterator[pa.RecordBatch]:
    """All columns as text, under the names that the stream knows."""
    own = csv.header is not True
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[*csv.nulls], strings_can_be_null=True,
        quoted_strings_can_be_null=True)
    parse = pyarrow.csv.ParseOptions(
        delimiter=csv.delimiter, quote_char=csv.quote or False, double_quote=bool(csv.quote and not csv.escape),
        escape_char=csv.escape or False, newlines_in_values=bool(csv.quote), invalid_row_handler=ragged)
    reading = pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK, skip_rows=csv.skip_rows,
                                      column_names=names if own else None)
    try:
        with pyarrow.csv.open_csv(source, read_options=reading, parse_options=parse, convert_options=options) as reader:
            if any(kind != pa.string() for kind in reader.schema.types):
                raise SourceError(f"{where}: the header reads {', '.join(reader.schema.names)}, and not as expected",
                                  hint="check delimiter, quote and escape under `csv`")
            known = [csv.aliases.get(name.strip(), name.strip()) for name in names]
            for batch in reader:
                yield pa.RecordBatch.from_arrays(batch.columns, known)
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return
        raise SourceError(f"{where}: cannot be read as CSV: {error}",
                          hint="check delimiter, quote and encoding under `csv`") from error


def _names(plain: Plain, csv: Csv) -> list[str] | None:
    """The columns' names as written; None for a file that has not even a header."""
    if csv.header is not True:
        return [*csv.header]
    with plain.path.open("rb") as file:
        for _ in range(csv.skip_rows):
            file.readline()
        text = io.TextIOWrapper(file, "utf-8", newline="")
        dialect: dict[str, Any] = {"quotechar": csv.quote} if csv.quote else {"quoting": csv_module.QUOTE_NONE}
        try:
            names = next(csv_module.reader(text, delimiter=csv.delimiter, escapechar=csv.escape, **dialect), None)
        except csv_module.Error as error:
            raise SourceError(f"{plain.name}: the header cannot be read: {error}",
                              hint="check delimiter and quote under `csv`") from error
    known = [csv.aliases.get(name.strip(), name.strip()) for name in names or ()]
    if twice := sorted({name for name in known if known.count(name) > 1}):
        raise SchemaError(f"{plain.name}: the header names a column twice: {', '.join(twice)}",
                          hint="which one is meant cannot be known; have the file's maker name each once")
    return names or None


def _without_trailer(plain: Plain, csv: Csv) -> tuple[int, int | None]:
    """The bytes before the last line, and the count that it tells; SourceError where it is missing."""
    size = plain.path.stat().st_size
    if csv.trailer is None:
        return size, None
    with plain.path.open("rb") as file:
        file.seek(max(size - TAIL, 0))
        tail = file.read()
    kept = tail.rstrip(b"\r\n")
    last = kept[max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1:]
    found = re.search(csv.trailer, last.decode("utf-8", "replace"))
    if not found:
        raise SourceError(f"{plain.name}: the last line is not the declared trailer ({csv.trailer})",
                          hint="the file is cut; let it be delivered again")
    return size - (len(tail) - len(kept)) - len(last), int(found[1])


class _Part(io.RawIOBase):
    """The first bytes of a file, as a file."""

    def __init__(self, path: Path, size: int) -> None:
        self._file, self._left = path.open("rb"), size

    def readable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        wanted = self._left if count is None or count < 0 else min(count, self._left)
        data = self._file.read(wanted)
        self._left -= len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


# --- JSON lines -------------------------------------------------------------------------------------------------------


def _jsonl(plain: Plain, reading: Reading) -> Iterator[Page]:
    with plain.path.open("rb") as file:
        lines: list[bytes] = []
        size = 0
        ended = True
        for line in file:
            ended = line.endswith(b"\n")
            if text := line.strip():
                lines.append(text)
                size += len(text)
            if size >= BLOCK:
                yield _json_page(lines, reading, plain.name)
                lines, size = [], 0
        if lines and not ended and not _is_json(lines[-1]):
            raise SourceError(f"{plain.name}: the last line ends within a record",
                              hint="the file is cut; nothing of it was landed")
        if lines:
            yield _json_page(lines, reading, plain.name)


def _json_page(lines: list[bytes], reading: Reading, name: str) -> Page:
    import msgspec

    first = reading.rows + 1
    reading.rows += len(lines)
    body = b"[" + b",".join(lines) + b"]"
    broken: list[tuple[str, str]] = []
    try:
        sound = len(msgspec.json.decode(body, type=list[dict[str, msgspec.Raw]])) == len(lines)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        sound = False
    numbers = [*range(first, first + len(lines))]
    if not sound:
        numbers = [number for number, line in zip(numbers, lines, strict=True) if _is_json(line)]
        broken = [(line.decode("utf-8", "backslashreplace"), f"{name}: line {number} is no JSON object")
                  for number, line in enumerate(lines, start=first) if not _is_json(line)]
        lines = [line for line in lines if _is_json(line)]
    if reading.pseudo:
        lines = [_with_pseudo(line, number, reading) for line, number in zip(lines, numbers, strict=True)]
    body = b"[" + b",".join(lines) + b"]"
    return Page(reading.stream.name, body, broken=tuple(broken), omits_nulls=True)


def _is_json(line: bytes) -> bool:
    import msgspec

    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _with_pseudo(line: bytes, number: int, reading: Reading) -> bytes:
    known = {"$file": reading.file, "$row": number, "$delivered_at": _iso(reading)}
    ours = json.dumps({word: known[word] for word in reading.pseudo}).encode()[1:-1]
    rest = line[1:].lstrip()
    return b"{" + ours + (b"" if rest.startswith(b"}") else b",") + rest


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _parquet(plain: Plain, reading: Reading) -> Iterator[Page]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(plain.path) as file:
            money = _float_money(file.schema_arrow, reading, plain.name)
            for batch in file.iter_batches(BATCH_ROWS):
                yield _page(_rounded(batch, money, reading), reading, ())
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{plain.name}: cannot be read as Parquet: {error}",
                          hint="it is damaged, or encrypted; let it be delivered again") from error


def _float_money(schema: pa.Schema, reading: Reading, name: str) -> list[str]:
    """Columns of money that are binary floating point: only with a declared number of decimals."""
    money = [c.field for c in reading.stream.columns if c.type == "amount" and c.field in schema.names
             and pa.types.is_floating(schema.field(c.field).type)]
    if money and reading.options.float_scale is None:
        raise SchemaError(f"{name}: {', '.join(money)} is money kept as binary floating point",
                          hint="have it written as decimal, or say `float_scale: 2` to round it to so many decimals")
    reading.floats.update(money)
    return money


def _rounded(batch: pa.RecordBatch, money: list[str], reading: Reading) -> pa.RecordBatch:
    """Money as text with the declared decimals: the nearest, as the double's shortest form reads."""
    if not money:
        return batch
    scale = reading.options.float_scale
    arrays = [pa.array([None if v is None else _fixed(v, scale) for v in array.to_pylist()], pa.string())
              if name in money else array for name, array in zip(batch.schema.names, batch.columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, batch.schema.names)


def _fixed(value: float, scale: int) -> str:
    from decimal import ROUND_HALF_EVEN, Context, Decimal

    number = Decimal(repr(value))
    if not number.is_finite():
        return str(value)
    return f"{number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_EVEN, Context(prec=400)):f}"


# --- both -------------------------------------------------------------------------------------------------------------


def _page(batch: pa.RecordBatch, reading: Reading, broken: tuple[tuple[str, str], ...]) -> Page:
    first = reading.rows + 1
    reading.rows += batch.num_rows + len(broken)
    ours = {"$file": lambda: pa.repeat(pa.scalar(reading.file), batch.num_rows),
            "$row": lambda: pa.array(range(first, first + batch.num_rows), pa.int64()),
            "$delivered_at": lambda: pa.repeat(pa.scalar(_iso(reading), pa.string()), batch.num_rows)}
    for word in reading.pseudo:
        batch = batch.append_column(word, ours[word]())
    return Page(reading.stream.name, _that_count(batch, reading), "arrow", broken=broken)


def _that_count(batch: pa.RecordBatch, reading: Reading) -> pa.RecordBatch:
    """Without the rows that `only` passes over. SourceError where rows of two lots stand side by side (`one_of`)."""
    before = batch.num_rows
    for name, wanted in reading.options.only.items():
        if name in batch.schema.names:
            batch = batch.filter(pc.fill_null(pc.equal(_plain_text(batch.column(name)), wanted), False))
    reading.passed += before - batch.num_rows
    for name in reading.options.one_of:
        if name not in batch.schema.names:
            continue
        found = {text for text in pc.unique(_plain_text(batch.column(name))).to_pylist() if text}
        both = sorted((found | {reading.lots.get(name, "")}) - {""})
        if len(both) > 1:
            raise SourceError(
                f"{reading.file}: holds rows of {name} {' and '.join(both)}: those of one would overwrite the other's",
                hint=f"say which counts: options: {{only: {{{name}: '{both[0]}'}}}}")
        reading.lots |= dict.fromkeys([name], both[0]) if both else {}
    return batch


def _plain_text(array: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(pc.cast(array, pa.string()))


def _iso(reading: Reading) -> str:
    if reading.delivered_at is None:
        raise SchemaError(f"{reading.file}: the stream declares $delivered_at, and nothing tells it",
                          hint="say `stamp: {pattern, format}` for the file's name, or deliver a manifest with as_of")
    return reading.delivered_at.isoformat()
