"""Pages as received → chunks of raw columns. No types yet, no vendor names; numbers keep every digit.

A `Chunk` holds the records of one or more pages: one list (JSON) or Arrow array (CSV, Arrow) per declared column, the
fields nobody declared as JSON text, and the records themselves for the archive.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.csv

from tieout.errors import SchemaError, SourceError
from tieout.landing.columnar import ColumnarJson
from tieout.landing.erased import Erased
from tieout.landing.forms import Drift, arrow_form, look_at, plain_json, unrenamable
from tieout.landing.names import visible
from tieout.landing.spans import record_spans
from tieout.landing.veil import Veil

if TYPE_CHECKING:
    from tieout.extract import Page
    from tieout.spec import Connection, Stream

CHUNK_ROWS = 8_192
CHUNK_BYTES = 8_000_000
OURS = "_tieout"  # names of a vendor that begin so get one more underscore in `_extra`: the word is ours there


class Broken(NamedTuple):
    """A record that is no readable JSON object, as text."""

    payload: str
    reason: str


@dataclass
class Chunk:
    """`values[column]` is a list (JSON: str, int, bool, None, containers) or an Arrow array of `count` values.

    records: binary (JSON text of each record) or a struct array (CSV, Arrow). extra: JSON text or None per record.
    """

    count: int
    media: str
    notices: bool
    values: dict[str, list[Any] | pa.Array]
    extra: list[str | None] | None
    records: pa.Array
    may_hold_nul: bool
    broken: list[Broken] = field(default_factory=list)
    parents: tuple[str, ...] = ()

    @property
    def is_columnar(self) -> bool:
        """Whether the values are arrays; an empty chunk goes with either kind."""
        return not any(isinstance(values, list) for values in self.values.values())


class Parser:
    """Turns one stream's pages into chunks and remembers drift. Raises SourceError for a page that is cut."""

    def __init__(self, connection: Connection, stream: Stream, erased: Erased | None = None) -> None:
        self.where = f"{connection.name}.{stream.name}"
        self.drift = Drift()
        self._erased = erased
        self._stream = stream
        self._veil = Veil(connection, stream)
        self._noise: tuple[str, ...] = ()
        self._fields = {c.name: c.field for c in stream.columns if c.field}
        self._json = frozenset(c.field for c in stream.columns if c.type == "json")
        self._names = tuple(dict.fromkeys(self._fields.values()))
        self._odd = frozenset(filter(unrenamable, self._names))
        self._keys = frozenset(stream.column(name).field for name in stream.key)
        self._attribute = {name: f"f{i}" for i, name in enumerate(self._names)}
        self._decoders: dict[tuple[str, str], msgspec.json.Decoder] = {}
        self._has_extra = bool(self._odd)
        self._table: pa.Schema | None = None
        self._shape_records()

    def chunks(self, pages: Iterable[Page]) -> Iterator[Chunk]:
        """Pages joined into chunks of some ten thousand records of one kind; each carries its pages' parents."""
        held: list[Chunk] = []
        size = 0
        for page in pages:
            fresh = self._parse(page)
            if held and (fresh.media, fresh.notices, fresh.is_columnar) != (
                    held[0].media, held[0].notices, held[0].is_columnar):
                yield _joined(held)
                held, size = [], 0
            held.append(fresh)
            size += page.body.nbytes if isinstance(page.body, pa.RecordBatch) else len(page.body)
            if sum(chunk.count for chunk in held) >= CHUNK_ROWS or size >= CHUNK_BYTES:
                yield _joined(held)
                held, size = [], 0
        if held:
            yield _joined(held)

    def missing(self, *, optional: bool = False) -> list[str]:
        """Declared fields (those that are not optional, or those that are) in no record, where that means something."""
        if not self.drift.records:
            return []
        wanted = {c.field for c in self._stream.columns if c.field and c.optional == optional}
        return sorted(wanted - self.drift.seen)

    def _parse(self, page: Page) -> Chunk:
        chunk = self._parse_body(page)
        chunk.broken += [Broken(*one) for one in (self._veil.withheld(page) if self._veil else page.broken)]
        if self._erased:
            chunk.broken = [Broken(self._erased.withheld(one.payload), one.reason) for one in chunk.broken]
        return chunk

    def _parse_body(self, page: Page) -> Chunk:
        if page.media == "json":
            page = self._veil.json(page, self._members) if self._veil else page
            return self._parse_json(self._erased.json(page, self._members) if self._erased else page)
        table = self._read_csv(page.body) if page.media == "csv" else page.body
        may_hold_nul = page.media != "csv" or b"\x00" in page.body
        table = self._veil.table(table) if self._veil else table
        return self._parse_table(page, self._erased.table(table) if self._erased else table, may_hold_nul)

    def _members(self, body: bytes, path: str) -> list[dict[str, msgspec.Raw]]:
        return self._decode(body, path, "extra")

    # --- JSON ---------------------------------------------------------------------------------------------------------

    def _shape_records(self) -> None:
        """The types that JSON records are decoded to. A protocol's noise is read over."""
        self._columnar = ColumnarJson(self._stream.columns, self._noise)
        self._strict = self._record_type(forbid=True)
        self._loose = self._record_type(forbid=False)
        self._decoders.clear()

    def _record_type(self, *, forbid: bool) -> type[msgspec.Struct]:
        kinds = {name: msgspec.Raw if name in self._json else Any for name in self._names}
        known = [(f"f{i}", kinds[name], None) for i, name in enumerate(self._names) if name not in self._odd]
        wrapped = [(f"n{i}", msgspec.Raw, None) for i, name in enumerate(self._noise)
                   if name not in kinds and not unrenamable(name)]
        words = {f"f{i}": name for i, name in enumerate(self._names)} | {f"n{i}": n for i, n in enumerate(self._noise)}
        return msgspec.defstruct("Record", known + wrapped, forbid_unknown_fields=forbid, gc=False,
                                 rename={word: words[word] for word, _, _ in known + wrapped})

    def _decode(self, body: bytes, path: str, kind: str) -> list[Any]:
        """The list under `path`, decoded as records (strict or loose), raw texts, or undeclared fields."""
        decoder = self._decoders.get((path, kind))
        if decoder is None:
            item = {"strict": self._strict, "loose": self._loose, "raw": msgspec.Raw, "extra": dict[str, msgspec.Raw]}
            shape: Any = list[item[kind]]
            for step in reversed(path.split(".") if path else []):
                shape = msgspec.defstruct("Wrapper", [("inner", shape)], rename={"inner": step})
            # float_hook: a number with a point stays the text that was received, so that no digit is lost.
            decoder = self._decoders[path, kind] = msgspec.json.Decoder(shape, float_hook=str)
        found = decoder.decode(body)
        for _ in path.split(".") if path else []:
            found = found.inner
        return found

    def _parse_json(self, page: Page) -> Chunk:
        if page.noise != self._noise:
            self._noise = page.noise
            self._shape_records()
        values = extra = None
        broken: list[Broken] = []
        body, path = page.body, page.records
        try:
            texts = [*map(bytes, self._decode(body, path, "raw"))]
            values = None if self._has_extra else self._columns(body, texts)
            if values is None:
                values, extra = self._lists(body, path)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            texts, broken = self._salvage(body, path, error)
            body, path = b"[" + b",".join(texts) + b"]", ""
            values, extra = self._lists(body, path)
        if texts and not page.deleted:
            look_at(self.drift, texts[0], self._names, self._keys)
            if not page.omits_nulls:
                self._note_presence(values, texts[0])
        return Chunk(
            count=len(texts), media="json", notices=page.deleted, values=values, extra=extra,
            records=pa.array(texts, pa.binary()), may_hold_nul=b"\\u0000" in body, broken=broken, parents=page.parents)

    def _columns(self, body: bytes, texts: list[bytes]) -> dict[str, list[Any] | pa.Array] | None:
        """The quick way: see columnar.py."""
        found = self._columnar.read(body, texts)
        return found and {column: found[name] for column, name in self._fields.items()}

    def _lists(self, body: bytes, path: str) -> tuple[dict[str, list[Any] | pa.Array], list[str | None] | None]:
        """The careful way: every value as a Python object."""
        records, every = self._records(body, path)
        values: dict[str, list[Any] | pa.Array] = {}
        for column, name in self._fields.items():
            if name in self._odd:
                values[column] = [self._odd_value(record.get(name), name) for record in every or []]
            else:
                values[column] = [*map(attrgetter(self._attribute[name]), records)]
        return values, every and self._extras(every)

    def _records(self, body: bytes, path: str) -> tuple[list[Any], list[dict[str, msgspec.Raw]] | None]:
        """Decoded strictly until the first undeclared field was met; then with all that each record holds beside."""
        if not self._has_extra:
            try:
                return self._decode(body, path, "strict"), None
            except msgspec.ValidationError:
                self._has_extra = True
        return self._decode(body, path, "loose"), self._decode(body, path, "extra")

    def _extras(self, records: list[dict[str, msgspec.Raw]]) -> list[str | None]:
        """Per record its undeclared fields as one JSON text, sorted, each value as received."""
        known = self._known
        return [self._extra(record, known) for record in records]

    def _extra(self, record: dict[str, msgspec.Raw], known: set[str]) -> str | None:
        names = sorted(record.keys() - known)
        if "@" in self._noise:
            names = [name for name in names if "@" not in name]
        if not names:
            return None
        self.drift.note_new(names)
        return "{" + ",".join(f"{json.dumps(_ours(n))}:{bytes(record[n]).decode()}" for n in names) + "}"

    def _odd_value(self, raw: msgspec.Raw | None, name: str) -> Any:
        """The value of a field whose name no record type can carry (a quote, a backslash, a line break)."""
        if raw is None or name in self._json:
            return raw
        return msgspec.json.Decoder(float_hook=str).decode(raw)

    @property
    def _known(self) -> set[str]:
        return {*self._names, *self._noise}

    def _note_presence(self, values: dict[str, Any], first: bytes) -> None:
        """A field with a value is there; for the others the first record tells whether a null was sent."""
        self.drift.records += 1
        absent = [c for c in values if self._fields[c] not in self.drift.seen]
        if absent:
            sent = set(msgspec.json.decode(first, type=dict[str, msgspec.Raw]))
            for column in absent:
                if self._fields[column] in sent or _has_value(values[column]):
                    self.drift.seen.add(self._fields[column])

    def _salvage(self, body: bytes, path: str, error: Exception) -> tuple[list[bytes], list[Broken]]:
        """The readable records of a page that as a whole is not: a record with a broken character must not stop all.

        Raises SourceError where not even the list can be walked: a page cut in half.
        """
        try:
            spans = record_spans(body, path)
        except (ValueError, KeyError, RecursionError) as wrong:
            raise SourceError(
                f"{self.where}: the vendor's answer is no complete JSON with a list under {path!r}: {error}",
                hint="nothing was landed; run again, and look at the vendor's proxy if it stays") from wrong
        good, broken = [], []
        for span in spans:
            try:
                span.decode()  # what nobody declared is not decoded below, and is kept as text
                msgspec.json.decode(span, type=self._loose)
                msgspec.json.decode(span, type=dict[str, msgspec.Raw])
                good.append(span)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
                broken.append(Broken(span.decode("utf-8", "backslashreplace"), str(wrong)))
        if not broken:
            raise SourceError(f"{self.where}: the vendor's answer cannot be read: {error}", hint="nothing was landed")
        return good, broken

    # --- CSV and Arrow ------------------------------------------------------------------------------------------------

    def _read_csv(self, body: bytes) -> pa.RecordBatch:
        """All columns as text; an empty value is null, quoted or not."""
        if body.count(b'"') % 2:
            raise SourceError(f"{self.where}: a CSV page ends within a quoted value",
                              hint="nothing was landed; run again")
        names = self._csv_names(body)
        if not names:
            return pa.record_batch({})
        self._each_once(names, "a CSV page")
        options = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True,
            quoted_strings_can_be_null=True)
        try:
            table = pyarrow.csv.read_csv(
                io.BytesIO(body), read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=max(len(body), 1)),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True), convert_options=options)
        except pa.ArrowInvalid as error:
            raise SourceError(f"{self.where}: a CSV page cannot be read: {error}",
                              hint="nothing was landed; run again") from error
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.record_batch([pa.array([], pa.string()) for _ in names], names=names)

    def _csv_names(self, body: bytes) -> list[str]:
        """The header: the first record, not the first line, for a quoted name may hold a line break."""
        text = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline="")
        try:
            return next(csv.reader(text), [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise SourceError(f"{self.where}: the header of a CSV page cannot be read: {error}",
                              hint="nothing was landed; run again") from error

    def _each_once(self, names: list[str], what: str) -> None:
        if twice := sorted({visible(name) for name in names if names.count(name) > 1}):
            raise SchemaError(f"{self.where}: {what} names a column twice: {', '.join(twice)}",
                              hint="select each field once")

    def _same_form(self, batch: pa.RecordBatch) -> None:
        """One batch is archived as one table: its pages must agree about their columns."""
        if not batch.num_rows or (self._table is not None and self._table.equals(batch.schema)):
            return
        if self._table is None:
            self._table = batch.schema
            return
        odd = sorted({visible(one.name) for one in {*self._table} ^ {*batch.schema}}) or ["their order"]
        raise SchemaError(
            f"{self.where}: pages of one batch differ in {', '.join(odd[:20])} (name or type)",
            hint="nothing was landed; run the window again, and land files of different forms in batches of their own")

    def _parse_table(self, page: Page, batch: pa.RecordBatch, may_hold_nul: bool) -> Chunk:
        self._each_once(batch.schema.names, f"a page ({page.media})")
        self._same_form(batch)
        self.drift.records += batch.num_rows
        self.drift.seen.update(batch.schema.names)
        if page.media == "arrow" and not page.deleted:
            for name in self._names:
                if name in batch.schema.names:
                    self.drift.note_form(name, arrow_form(batch.schema.field(name).type, key=name in self._keys))
        values = {column: batch.column(name) for column, name in self._fields.items() if name in batch.schema.names}
        others = [name for name in batch.schema.names if name not in self._known]
        extra = None
        if others and batch.num_rows:
            extra = [plain_json({_ours(n): v for n, v in row.items()}) for row in batch.select(others).to_pylist()]
            self.drift.note_new(name for name in others if batch.column(name).null_count < batch.num_rows)
        return Chunk(
            count=batch.num_rows, media=page.media, notices=page.deleted, values=values, extra=extra,
            records=pa.StructArray.from_arrays(batch.columns, fields=list(batch.schema)) if batch.num_columns
            else pa.array([], pa.struct([])), may_hold_nul=may_hold_nul, parents=page.parents)


def _has_value(values: list[Any] | pa.Array) -> bool:
    if isinstance(values, list):
        return any(value is not None for value in values)
    return values.null_count < len(values)


def _ours(name: str) -> str:
    return f"_{name}" if name.startswith(OURS) else name


def _joined(chunks: list[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    full = [chunk for chunk in chunks if chunk.count] or chunks[:1]
    first = full[0]
    values: dict[str, list[Any] | pa.Array] = {}
    for column in dict.fromkeys(name for chunk in full for name in chunk.values):
        parts = [chunk.values.get(column) for chunk in full]
        if all(isinstance(part, list) for part in parts):
            values[column] = [value for part in parts for value in part]
        else:
            kind = next(part.type for part in parts if part is not None)
            filled = zip(parts, full, strict=True)
            values[column] = pa.concat_arrays(
                [pa.nulls(chunk.count, kind) if part is None else part for part, chunk in filled])
    extra = None
    if any(chunk.extra for chunk in full):
        extra = [text for chunk in full for text in (chunk.extra or [None] * chunk.count)]
    return Chunk(
        count=sum(chunk.count for chunk in full), media=first.media, notices=first.notices, values=values, extra=extra,
        records=pa.concat_arrays([chunk.records for chunk in full]),
        may_hold_nul=any(chunk.may_hold_nul for chunk in full),
        broken=[one for chunk in chunks for one in chunk.broken],
        parents=tuple(key for chunk in chunks for key in chunk.parents))
