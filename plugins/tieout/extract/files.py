"""File drops: CSV, JSON lines and Parquet from a folder, SFTP, S3 or any fsspec URL.

What arrived is listed, held against what the ledger knows (name, size, stamp, then content), and yielded as deliveries,
oldest first: each becomes a batch of its own, and is remembered in the batch's own transaction. A file that is not
complete is waited for; one that differs from what was announced is an error that names it.

Streams of `mode: full`: the youngest delivery is the complete set; older ones that come later are remembered and not
landed. Others: every delivery is landed; a record's own stamp (`cursor`) keeps an old one from overwriting a young one,
and a partition that a younger delivery told is not told again by an older one that comes late.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from tieout.errors import ConfigError, SchemaError, SourceError
from tieout.extract import Facts, Page, Window, file_manifest, file_tables
from tieout.extract.deliveries import Delivery, KnownFile
from tieout.extract.file_manifest import Lot
from tieout.extract.file_place import Place
from tieout.extract.file_unpack import unpack
from tieout.spec import Connection, Stream
from tieout.spec_transports import FileOptions, stream_options

SHOWN = 5  # files that are waited for, by name, in the run's facts


class FilesExtractor:
    """See `extract.Extractor`, and `extract.deliveries.Delivers`."""

    at_hand = True

    def __init__(self, connection: Connection, secrets: dict[str, str], *, transport: httpx.BaseTransport | None = None,
                 ) -> None:
        self.facts = Facts()
        self._connection = connection
        self._place = Place(connection, secrets, self.facts)
        self._folder: Path | None = None

    def __enter__(self) -> FilesExtractor:
        return self

    def __exit__(self, *exc: object) -> None:
        self._place.__exit__(*exc)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def now(self) -> datetime:
        """Our clock: files have no other, and no stamp of theirs decides what is read."""
        return datetime.now(UTC)

    def available(self, stream: Stream) -> bool:
        """A stream for which no file ever came is an error when it is read, not a feature that is off."""
        return True

    def test(self) -> str:
        """One look at the folder."""
        return self._place.check()

    def has_any(self, stream: Stream) -> bool:
        """Whether a file of the stream is there, complete or not."""
        return bool(self._place.find(self._options(stream).files))

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """All there is, as a first landing would read it: for a look at a sample."""
        for delivery in self.deliveries(stream, Window(None, window.end, full=True), ()):
            yield from delivery.pages()

    def deliveries(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Iterator[Delivery]:
        """See `Delivers`."""
        options = self._options(stream)
        listed = self._place.find(options.files)
        lots, waiting = file_manifest.complete(self._place, listed, options.files, options.ready, self.now())
        if waiting:
            notes = self.facts.notes.setdefault("files_waited_for", {})
            notes[stream.name] = {"count": len(waiting), "names": sorted(waiting)[:SHOWN]}
        if not lots and not known:
            raise SourceError(
                f"{self._connection.name}.{stream.name}: no complete file matches {options.files!r}",
                hint=f"waited for: {', '.join(sorted(waiting)[:SHOWN])}" if waiting else "check `url` and `files`")
        lots = _joined([self._dated(lot, options) for lot in lots], options)
        versions = {(one.name, one.version) for one in known}
        fresh = [lot for lot in lots if window.full or any((f.name, f.version) not in versions for f, _ in lot.files)]
        if stream.mode == "full":
            yield from self._newest(stream, options, fresh, known, again=window.full)
            return
        seen = {(one.name, one.sha256) for one in known}
        youngest = _youngest(known)
        for lot in fresh:
            yield self._delivery(stream, options, lot, set() if window.full else seen, _overtaken(lot, youngest))

    # --- which --------------------------------------------------------------------------------------------------------

    def _newest(self, stream: Stream, options: FileOptions, fresh: list[Lot], known: Collection[KnownFile], *,
                again: bool) -> Iterator[Delivery]:
        """The youngest complete set, if it is not older than the last one landed; the others are only remembered."""
        landed = max((one.sequence for one in known if one.state == "landed"), default="")
        late = fresh[:-1] + [lot for lot in fresh[-1:] if lot.sequence < landed]
        if late:
            self.facts.notes.setdefault("deliveries_superseded", []).extend(lot.name for lot in late)
            yield Delivery(late[-1].name, "incremental", None, lambda: iter(()), [
                KnownFile(found.name, found.version, "", lot.sequence, "superseded", bytes=found.bytes)
                for lot in late for found, _ in lot.files])
        if fresh and fresh[-1].sequence >= landed:
            last = {(one.name, one.sha256) for one in known if one.state != "superseded" and one.sequence == landed}
            yield self._delivery(stream, options, fresh[-1], set() if again else last)

    def _dated(self, lot: Lot, options: FileOptions) -> Lot:
        """The lot with the moment that its name tells, and what orders it among the others."""
        if lot.as_of is None and options.stamp is not None:
            lot.as_of = self._stamp(lot.name, options)
        if not lot.sequence:
            first = lot.files[0][0] if lot.files else None
            written = first.modified_at.isoformat() if first and first.modified_at else ""
            told = lot.as_of.astimezone(UTC).isoformat() if lot.as_of else ""
            lot.sequence = f"{told or (written if options.order == 'modified' else '')}|{lot.name}"
        return lot

    def _stamp(self, name: str, options: FileOptions) -> datetime:
        found = re.search(options.stamp.pattern, name)
        text, form = found[1] if found else "", options.stamp.format
        try:
            read = datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows
        except ValueError:
            raise SourceError(f"{self._connection.name}: {name} does not tell its moment as `stamp` says "
                              f"({options.stamp.pattern}, {form})", hint="mend `stamp`, or narrow `files`") from None
        zone = UTC if form.endswith("Z") else self._connection.zone
        return read if read.tzinfo else read.replace(tzinfo=zone)

    # --- one delivery -------------------------------------------------------------------------------------------------

    def _delivery(self, stream: Stream, options: FileOptions, lot: Lot, seen: set[tuple[str, str]],
                  late: Collection[str] = ()) -> Delivery:
        """Fetched and verified; without pages where all of it is known. `late`: partitions that it is too old for."""
        mode = "full" if stream.mode == "full" else "incremental"
        ends = lot.as_of or max((f.modified_at for f, _ in lot.files if f.modified_at), default=None)
        made = Delivery(lot.name, mode, ends, lambda: iter(()))
        fetched = self._fetch(lot)
        repeated = [(found.name, digest) in seen for found, _, digest, _ in fetched]
        if fetched and all(repeated):
            made.mode = "incremental"
            made.files += [KnownFile(f.name, f.version, digest, lot.sequence, "repeated", bytes=f.bytes)
                           for f, _, digest, _ in fetched]
            self._forget(fetched)
            return made
        made.pages = lambda: self._read(stream, options, lot, fetched, made, late)
        return made

    def _fetch(self, lot: Lot) -> list[tuple[Any, Any, str, Path]]:
        """Every file of the lot here, verified before any is read: a lot is landed whole or not at all."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tieout-files-"))
        fetched = []
        for number, (found, told) in enumerate(lot.files):
            target = self._folder / f"packed-{number}"
            digest = self._place.fetch(found, target)
            file_manifest.verify(self._place, found, told, target, digest)
            fetched.append((found, told, digest, target))
        return fetched

    def _forget(self, fetched: list[tuple[Any, Any, str, Path]]) -> None:
        for *_, path in fetched:
            path.unlink(missing_ok=True)

    def _read(self, stream: Stream, options: FileOptions, lot: Lot, fetched: list[tuple[Any, Any, str, Path]],
              made: Delivery, late: Collection[str]) -> Iterator[Page]:
        made.files.clear()
        checking = _Sums(self._connection.name, lot, stream)
        rows = 0
        for found, told, digest, packed in fetched:
            count, values = 0, set()
            for plain in unpack(packed, f"{self._connection.name}: {found.name}", options, self._folder or Path()):
                reading = file_tables.Reading(stream, options, found.name, lot.as_of, rows=count)
                for page in file_tables.read(plain, reading):
                    checking.add(page)
                    values |= _partitions(stream, page)
                    yield _without(stream, page, late)
                count, rows = reading.rows, rows - reading.passed
                if reading.passed:
                    notes = self.facts.notes.setdefault("rows_passed_over", {})
                    notes[stream.name] = notes.get(stream.name, 0) + reading.passed
                if reading.floats:
                    self.facts.notes.setdefault("money_as_floating_point", {})[stream.name] = sorted(reading.floats)
            if told.rows is not None and told.rows != count:
                raise SourceError(f"{self._connection.name}: {found.name}: {count:,} records, its manifest says "
                                  f"{told.rows:,}", hint="nothing of the delivery was landed; let it come again")
            if stream.partition:
                values |= self._named_partition(found.name, options)
                if overtaken := values.intersection(late):
                    self.facts.notes.setdefault("partitions_overtaken", {})[found.name] = sorted(overtaken)[:SHOWN]
                    values -= overtaken
                yield Page(stream.name, b"[]", parents=tuple(sorted(values)))
            rows += count
            made.files.append(KnownFile(found.name, found.version, digest, lot.sequence, "landed", count, found.bytes,
                                        tuple(sorted(values)) if stream.partition else ()))
        checking.verify()
        if stream.mode == "full" and not rows and not options.allow_empty:
            raise SourceError(f"{self._connection.name}.{stream.name}: {lot.name} is a complete set without a record",
                              hint="it would delete everything; if that is right, say `allow_empty: true`")
        self._forget(fetched)

    def _named_partition(self, name: str, options: FileOptions) -> set[str]:
        if options.partition_from is None:
            return set()
        if not (found := re.search(options.partition_from, name)):
            raise SourceError(f"{self._connection.name}: {name} names no partition ({options.partition_from})",
                              hint="mend `partition_from`, or narrow `files`")
        value = found[1]
        return {f"{value[:4]}-{value[4:6]}-{value[6:]}" if re.fullmatch(r"\d{8}", value) else value}

    def _options(self, stream: Stream) -> FileOptions:
        try:
            return stream_options("files", self._connection.options, stream.options)
        except ValidationError as error:
            first = error.errors()[0]
            word = ".".join(map(str, first["loc"]))
            raise ConfigError(f"{self._connection.name}.{stream.name}: options.{word}: {first['msg']}") from None


def _joined(lots: list[Lot], options: FileOptions) -> list[Lot]:
    """Lots in order, those of one delivery as one."""
    found: dict[str, Lot] = {}
    for lot in lots:
        group = re.search(options.delivery, lot.name) if options.delivery else None
        name = group[1] if group else lot.name
        if name in found:
            found[name].files += lot.files
            found[name].sequence = max(found[name].sequence, lot.sequence)
        else:
            found[name] = lot
    return sorted(found.values(), key=lambda lot: (lot.sequence, lot.name))


def _youngest(known: Collection[KnownFile]) -> dict[str, str]:
    """{partition: the moment of the youngest delivery that told it}."""
    found: dict[str, str] = {}
    for one in known:
        for part in one.partitions:
            found[part] = max(found.get(part, ""), _moment(one.sequence))
    return found


def _overtaken(lot: Lot, youngest: dict[str, str]) -> set[str]:
    """Partitions that a younger delivery told already. Names alone tell no age: there the last to come counts."""
    moment = _moment(lot.sequence)
    return {part for part, told in youngest.items() if told > moment} if moment else set()


def _moment(sequence: str) -> str:
    moment, bar, _ = sequence.partition("|")
    return moment if bar else ""


def _partitions(stream: Stream, page: Page) -> set[str]:
    """The partitions that the page has rows of, as text."""
    if not stream.partition:
        return set()
    name = stream.column(stream.partition).field
    if isinstance(page.body, pa.RecordBatch):
        if name not in page.body.schema.names:
            return set()
        return {str(value) for value in pc.unique(page.body.column(name)).to_pylist() if value is not None}
    import msgspec

    rows = msgspec.json.Decoder(float_hook=str).decode(page.body)
    return {str(row[name]) for row in rows if row.get(name) is not None}


def _without(stream: Stream, page: Page, late: Collection[str]) -> Page:
    """The page without rows of partitions of which a younger delivery has told already."""
    if not late:
        return page
    name = stream.column(stream.partition).field
    if isinstance(page.body, pa.RecordBatch):
        if name not in page.body.schema.names:
            return page
        stays = pa.array([str(value) not in late for value in page.body.column(name).to_pylist()])
        return replace(page, body=page.body.filter(stays))
    import msgspec

    rows = msgspec.json.decode(page.body, type=list[msgspec.Raw])
    told = msgspec.json.Decoder(float_hook=str).decode(page.body)
    kept = [row for row, one in zip(rows, told, strict=True) if str(one.get(name)) not in late]
    return replace(page, body=msgspec.json.encode(kept))


class _Sums:
    """The control totals that a manifest announced, against what came."""

    def __init__(self, connection: str, lot: Lot, stream: Stream) -> None:
        self._where, self._told = f"{connection}: {lot.name}", lot.totals
        by_name = {c.name: c.field for c in stream.columns} | {c.field: c.field for c in stream.columns}
        if unknown := sorted(lot.totals.keys() - by_name.keys()):
            raise SchemaError(f"{self._where}: control totals of {', '.join(unknown)}, which are no declared columns")
        self._fields = {name: by_name[name] for name in lot.totals}
        self._seen = dict.fromkeys(lot.totals, Decimal(0))

    def add(self, page: Page) -> None:
        for name, field in self._fields.items():
            self._seen[name] += _sum(page, field)

    def verify(self) -> None:
        for name, told in self._told.items():
            if told != self._seen[name]:
                raise SourceError(f"{self._where}: {name} adds up to {self._seen[name]}, its manifest says {told}",
                                  hint="nothing of the delivery was landed; let it come again")


def _sum(page: Page, field: str) -> Decimal:
    if isinstance(page.body, pa.RecordBatch):
        values = page.body.column(field).to_pylist() if field in page.body.schema.names else ()
    else:
        import msgspec

        values = [row.get(field) for row in msgspec.json.Decoder(float_hook=str).decode(page.body)]
    total = Decimal(0)
    for value in values:
        try:
            total += Decimal(str(value)) if value is not None else 0
        except ArithmeticError:
            continue  # no number: the quarantine says so, and the announced total will not be met
    return total
