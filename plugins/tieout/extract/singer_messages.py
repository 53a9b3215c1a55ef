"""A tap's messages, line by line, into a spool: SCHEMA, RECORD, STATE, ACTIVATE_VERSION and BATCH.

Source: the Singer specification (SPEC.md), and for versions and batches the Singer SDK. A record's text is kept as it
was received; landing reads it. A line that is no message, a record without its schema, a key other than the declared
one: each is an error that names the line. What came before the last STATE was vouched for by the tap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tieout.errors import SchemaError, SourceError
from tieout.extract import MANNERS, Page
from tieout.extract.record_marks import Marks
from tieout.extract.record_spool import Spool
from tieout.spec import Stream

DELETED = "_sdc_deleted_at"
_PACKED = {None: None, "none": None, "gzip": "gzip"}


class _Message(msgspec.Struct, gc=False):
    type: str
    stream: str = ""
    record: msgspec.Raw = msgspec.Raw()
    version: Any = None
    time_extracted: str | None = None
    schema: dict[str, Any] | None = None
    key_properties: list[str] | None = None
    value: msgspec.Raw = msgspec.Raw()
    encoding: dict[str, Any] = {}
    manifest: list[str] = []


class Messages:
    """What was read of one run. where: the connection. ignored: streams of the tap that nobody wants."""

    def __init__(self, where: str, streams: Mapping[str, Stream], ignored: frozenset[str]) -> None:
        self.state: bytes | None = None
        self.versions: dict[str, Any] = {}
        self.activated: dict[str, Any] = {}
        self.lines = 0
        self.ignored_records = 0
        self._where, self._streams, self._ignored = where, streams, ignored
        self._spool = Spool()
        self.known: set[str] = set()  # streams whose SCHEMA came
        self._marks = {name: Marks(stream, f"{where}.{stream.name}", DELETED) for name, stream in streams.items()}
        self._vouched: dict[str, int] = {}
        self._begins: dict[str, int] = {}  # where the records of a stream's version begin
        self._decode = msgspec.json.Decoder(_Message).decode

    def take(self, line: bytes) -> None:
        """One line. Raises SourceError, SchemaError."""
        self.lines += 1
        try:
            message = self._decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if line.strip():
                raise SourceError(f"{self._where}: line {self.lines} of the tap is no message: {error}",
                                  hint="a tap writes messages to its output and all else to stderr; try it by hand"
                                  ) from None
            return
        if message.type == "RECORD":
            self._record(message)
        elif message.type == "STATE":
            self.state, self._vouched = bytes(message.value) or None, self._spool.counts()
        elif message.type == "SCHEMA":
            self._schema(message)
        elif message.type == "ACTIVATE_VERSION":
            if self._wanted(message):
                self.activated[message.stream] = message.version
        elif message.type == "BATCH":
            self._batch(message)
        else:
            raise SourceError(f"{self._where}: line {self.lines}: unknown message type {message.type[:40]!r}",
                              hint="known: SCHEMA, RECORD, STATE, ACTIVATE_VERSION, BATCH")

    def pages(self, stream: Stream, *, vouched: bool) -> Iterator[Page]:
        """The stream's records; `vouched`: only those before the last STATE."""
        name = stream.options["tap_stream"]
        first, last = self._begins.get(name, 0), self._spool.counts().get(name, 0)
        if vouched:
            first, last = 0, self._vouched.get(name, 0)
        noise, omits_nulls = MANNERS["singer"]
        for body in self._spool.bodies(name, first, last):
            yield Page(stream.name, body, noise=noise, omits_nulls=omits_nulls)

    def close(self) -> None:
        """Let go of the records."""
        self._spool.close()

    def _wanted(self, message: _Message) -> bool:
        name = message.stream
        if name in self.known:
            return True
        if name in self._ignored:
            return False
        if name not in self._streams:
            raise SchemaError(f"{self._where}: the tap sends the stream {name!r}, which is not declared",
                              hint="declare it under `streams`, or name it under `options: {ignore: [...]}`: left out "
                              "now, its history would be missing later")
        raise SourceError(f"{self._where}.{name}: line {self.lines}: {message.type} before the stream's SCHEMA",
                          hint="the tap is at fault; nothing of what it did not vouch for has landed")

    def _record(self, message: _Message) -> None:
        if not self._wanted(message):
            self.ignored_records += 1
            return
        if message.version is not None and self.versions.get(message.stream) != message.version:
            self._begins[message.stream] = self._spool.counts().get(message.stream, 0)
            self.versions[message.stream] = message.version
        self._add(message.stream, bytes(message.record), message.time_extracted)

    def _add(self, name: str, record: bytes, extracted_at: str | None) -> None:
        if record[:1] != b"{":
            raise SourceError(f"{self._where}.{name}: line {self.lines}: a record that is no object: "
                              f"{record[:80].decode(errors='replace')}", hint="the tap is at fault")
        marks = self._marks[name]
        self._spool.add(name, marks.on(record, extracted_at) if marks else record)

    def _batch(self, message: _Message) -> None:
        """Files of records that the tap wrote beside its output: JSON lines, gzip or plain."""
        import fsspec

        if not self._wanted(message):
            return
        form, packed = message.encoding.get("format"), message.encoding.get("compression")
        if form != "jsonl" or packed not in _PACKED:
            raise SourceError(f"{self._where}.{message.stream}: a batch as {form}, {packed}",
                              hint="configure the tap for `format: jsonl` with `compression: gzip` or none")
        for uri in message.manifest:
            try:
                with fsspec.open(uri, "rb", compression=_PACKED[packed]) as lines:
                    for line in lines:
                        if text := line.strip():
                            self._one_of_batch(message.stream, uri, text)
            except (OSError, ValueError, ImportError, EOFError) as error:
                raise SourceError(f"{self._where}.{message.stream}: the batch {uri} cannot be read: {error}",
                                  hint="the tap's storage must be readable from here") from None

    def _one_of_batch(self, name: str, uri: str, text: bytes) -> None:
        try:
            msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceError(f"{self._where}.{name}: {uri} holds a line that is no record: {error}",
                              hint="the tap is at fault") from None
        self._add(name, text, None)

    def _schema(self, message: _Message) -> None:
        name, stream = message.stream, self._streams.get(message.stream)
        if stream is None:
            self._wanted(message)
            return
        where, properties = f"{self._where}.{stream.name}", (message.schema or {}).get("properties")
        if not isinstance(properties, dict):
            raise SourceError(f"{where}: line {self.lines}: a SCHEMA without properties", hint="the tap is at fault")
        keys, declared = [*(message.key_properties or ())], [stream.column(one).field for one in stream.key]
        if keys and set(keys) != set(declared):
            raise SchemaError(f"{where}: the tap's key is {', '.join(keys)}, declared is {', '.join(declared)}",
                              hint="declare the tap's key, under a new stream name if records landed by the old one: "
                              "a key that changes makes every record another one")
        lost = sorted(one.field for one in stream.columns if one.field and not one.optional
                      and one.field not in properties and not one.field.startswith(("$", "_sdc_")))
        if lost:
            raise SchemaError(f"{where}: the tap no longer sends {', '.join(lost)}",
                              hint="mend the column's `field`, say `optional: true`, or select it in the catalog")
        if DELETED in properties and not stream.deletes.flag and not stream.deletes.never:
            raise SchemaError(f"{where}: the tap tells deletions ({DELETED}), and nobody listens",
                              hint="add a column {gone: {type: boolean, field: $deleted}} and `deletes: {flag: gone}`, "
                              "or say `deletes: {never: true}`")
        self.known.add(name)
