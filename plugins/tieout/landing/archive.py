"""The archive: what the vendor sent, immutable, one Parquet file per batch.

Columns: `kind` (record, notice of deletion, parent read in full), `key`, `modified_at`, `is_deleted`, `record`: the
JSON text as received, or (CSV, Arrow) a struct of the received columns. zstd; a temporary name, then fsync, then
rename; the sha256 is taken of the bytes as they are written, and again of the whole file before a row is believed.

A file counts from the moment a committed row of the ledger names it. What a crash leaves (`….part`, or a finished file
whose batch never committed) is in nobody's way: names are random. The next load of the stream removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tieout.errors import ArchiveDamaged, LandingError
from tieout.extract import Page
from tieout.landing import phases

if TYPE_CHECKING:
    import fsspec

RECORD, NOTICE, PARENT = "record", "notice", "parent"
PAGE_ROWS = 10_000
LEVEL = 1
BLOCK = 1 << 20
# Where an object appears whole at the end of its upload, and a rename would copy it.
WHOLE_PUTS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss"})


@dataclass(frozen=True)
class Archived:
    """A finished file as the ledger knows it. `where` names connection, stream and batch in errors."""

    uri: str
    sha256: str
    bytes: int
    where: str


def place(connection: str, stream: str, batch_id: int) -> str:
    """What errors call a batch."""
    return f"{connection}.{stream}, batch {batch_id}"


class Writer:
    """Writes one batch's file beside the main thread. Use `write`, then `finish` or `discard`."""

    def __init__(self, root: str, connection: str, stream: str, batch_id: int, at: datetime) -> None:
        name = f"{batch_id:012d}-{secrets.token_hex(4)}.parquet"
        self.where = place(connection, stream, batch_id)
        self._target = _Target(root, PurePosixPath(connection, stream, f"{at:%Y}", f"{at:%m}", name))
        self._facts = {"connection": connection, "stream": stream, "batch_id": str(batch_id)}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="archive")
        self._pending: Future[None] | None = None
        self._parquet: pq.ParquetWriter | None = None
        self._sink: _Sink | None = None
        self._record_type: pa.DataType | None = None
        self.finished: Archived | None = None

    @phases.counted("archive")
    def write(self, kind: str, media: str, key: pa.Array, modified_at: pa.Array, is_deleted: pa.Array,
              records: pa.Array) -> None:
        """Append one row group. The previous one is being written meanwhile; its failure is raised here."""
        self._wait()
        if self._record_type not in (None, records.type):
            raise LandingError(f"{self.where}: the vendor changed the form of its records within one batch",
                               hint="run the window again")
        self._record_type = records.type
        kinds = pa.DictionaryArray.from_arrays(pa.array([0] * len(key), pa.int8()), pa.array([kind]))
        batch = pa.record_batch([kinds, key, modified_at, is_deleted, records],
                                names=["kind", "key", "modified_at", "is_deleted", "record"])
        self._pending = self._worker.submit(self._append, batch, media)

    def parents(self, keys: list[str]) -> None:
        """Remember parents whose complete content the batch carries."""
        record_type = self._record_type or pa.binary()
        count = len(keys)
        self.write(PARENT, "", pa.array(keys, pa.string()), pa.nulls(count, pa.timestamp("us", "UTC")),
                   pa.array([False] * count), pa.nulls(count, record_type))

    @phases.counted("archive")
    def finish(self) -> Archived | None:
        """Close, flush to the disk and give the file its name. None when nothing was written."""
        try:
            self._wait()
            if self._parquet is None or self._sink is None:
                return None
            try:
                self._parquet.close()
                self._sink.commit()
            except OSError as error:
                raise self._failed(error) from error
            self.finished = Archived(self._target.uri, self._sink.digest.hexdigest(), self._sink.size, self.where)
            return self.finished
        finally:
            self._worker.shutdown()

    def discard(self, *, in_doubt: bool = False) -> None:
        """Leave nothing behind, neither the temporary file nor the finished one. Never raises.

        `in_doubt`: the connection broke, so that the batch may have been committed after all, and then the finished
        file is its evidence: it stays until the next load of the stream knows.
        """
        self._worker.shutdown()
        if self._sink is not None:
            self._sink.discard()
        if not in_doubt:
            self._target.remove()

    def _append(self, batch: pa.RecordBatch, media: str) -> None:
        if self._parquet is None:
            self._sink = self._target.open()
            schema = batch.schema.with_metadata({f"tieout.{k}": v for k, v in {**self._facts, "media": media}.items()})
            self._parquet = pq.ParquetWriter(
                self._sink, schema, compression="zstd", compression_level=LEVEL, use_dictionary=["kind"],
                write_statistics=False, store_schema=True)
        self._parquet.write_batch(batch)

    def _wait(self) -> None:
        if self._pending is None:
            return
        try:
            self._pending.result()
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self._pending = None

    def _failed(self, error: OSError) -> LandingError:
        return LandingError(f"{self.where}: the archive cannot be written: {error.strerror or error}",
                            hint=f"nothing was committed; make room or mend {self._target.uri} and run again")


def pages(archived: Archived, stream: str) -> Iterator[Page]:
    """The pages of an archived batch, ready to be landed again: same records, same notices, same parents.

    Raises ArchiveDamaged before the first page, LandingError when the archive cannot be reached.
    """
    with _verified(archived) as handle:
        for batch in pq.ParquetFile(handle).iter_batches(PAGE_ROWS):
            yield from _pages_of(batch, stream)


def keys(archived: Archived) -> Iterator[str]:
    """The record keys of an archived batch, repeats included. Raises as `pages` does."""
    with _verified(archived) as handle:
        for batch in pq.ParquetFile(handle).iter_batches(PAGE_ROWS, columns=["kind", "key"]):
            for kind, key in zip(batch["kind"].to_pylist(), batch["key"].to_pylist(), strict=True):
                if kind == RECORD and key is not None:
                    yield key


def verify(archived: Archived) -> None:
    """Read the whole file once. ArchiveDamaged when it is not, byte for byte, what was recorded."""
    with _verified(archived):
        pass


@contextlib.contextmanager
def _verified(archived: Archived) -> Iterator[BinaryIO]:
    """The open file, after one pass over all of it showed that it is what was recorded."""
    import fsspec

    try:
        handle = fsspec.open(archived.uri, "rb").open()
    except FileNotFoundError as error:
        raise _damaged(archived, "is missing") from error
    except OSError as error:
        raise _unreadable(archived, error) from error
    with handle:
        try:
            size, digest = 0, hashlib.sha256()
            while block := handle.read(BLOCK):
                size += len(block)
                digest.update(block)
            handle.seek(0)
        except OSError as error:
            raise _unreadable(archived, error) from error
        if size != archived.bytes:
            raise _damaged(archived, f"has {size:,} bytes where {archived.bytes:,} were written")
        if digest.hexdigest() != archived.sha256:
            raise _damaged(archived, f"was changed: its sha256 is {digest.hexdigest()}, not {archived.sha256}")
        yield handle


def _damaged(archived: Archived, what: str) -> ArchiveDamaged:
    return ArchiveDamaged(f"{archived.where}: the archive {archived.uri} {what}",
                          hint="its records are at the vendor still: extract the window again, see docs/runbook.md")


def _unreadable(archived: Archived, error: OSError) -> LandingError:
    return LandingError(f"{archived.where}: the archive {archived.uri} cannot be read: {error}",
                        hint="is the archive mounted?")


def remove_leavings(root: str, connection: str, stream: str, batch_id: int, months: Iterable[datetime]) -> list[str]:
    """Remove what a batch that was cut off left behind, finished or not; what was removed. Never raises.

    `months`: where its file may lie. Only for a batch that cannot commit any more.
    """
    import fsspec

    removed: list[str] = []
    with contextlib.suppress(OSError):
        system, base = fsspec.core.url_to_fs(root)
        for month in sorted({f"{at:%Y}/{at:%m}" for at in months}):
            folder = f"{base.rstrip('/')}/{connection}/{stream}/{month}"
            for path in system.glob(f"{folder}/{batch_id:012d}-*"):
                system.rm(path)
                removed.append(str(path))
    return removed


def _pages_of(batch: pa.RecordBatch, stream: str) -> Iterator[Page]:
    kinds = batch["kind"].to_pylist()
    for kind in dict.fromkeys(kinds):
        rows = batch.filter(pa.array([one == kind for one in kinds]))
        if kind == PARENT:
            yield Page(stream, b"[]", parents=tuple(rows["key"].to_pylist()))
            continue
        records = rows["record"]
        if pa.types.is_struct(records.type):
            yield Page(stream, pa.RecordBatch.from_struct_array(records), "arrow", deleted=kind == NOTICE)
        else:
            yield Page(stream, b"[" + b",".join(records.to_pylist()) + b"]", deleted=kind == NOTICE)


def json_texts(records: pa.Array) -> list[str]:
    """Each record as JSON text, for the quarantine's payload."""
    if pa.types.is_struct(records.type):
        return [json.dumps(row, default=str, ensure_ascii=False) for row in records.to_pylist()]
    return [text.decode("utf-8", "backslashreplace") for text in records.to_pylist()]


class _Target:
    """Where the file goes: a local path with fsync and rename, or an fsspec system: under another name until it is
    whole, but where a put is whole or not at all.
    """

    def __init__(self, root: str, path: PurePosixPath) -> None:
        import fsspec

        self.system, base = fsspec.core.url_to_fs(root)
        self.path = f"{base.rstrip('/')}/{path}"
        protocol = self.system.protocol
        words = {protocol} if isinstance(protocol, str) else {*protocol}
        self.is_local = "file" in words
        self.uri = Path(self.path).as_uri() if self.is_local else self.system.unstrip_protocol(self.path)
        self.written_as = self.path if words & WHOLE_PUTS else f"{self.path}.part"
        self.finished = False
        self._fresh: list[Path] = []

    def open(self) -> _Sink:
        if not self.is_local:
            self.system.makedirs(self.path.rsplit("/", 1)[0], exist_ok=True)
            return _Sink(self, self.system.open(self.written_as, "wb"))
        folder = Path(self.path).parent
        self._fresh = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        return _Sink(self, open_local(self.written_as))

    def settle(self) -> None:
        """Give the written file its name. On a local disk the name is as durable as the content: folders made for it
        are synced into theirs.
        """
        if self.is_local:
            os.rename(self.written_as, self.path)
            for folder in (Path(self.path).parent, *(one.parent for one in self._fresh)):
                _sync(folder)
        elif self.written_as != self.path:
            self.system.mv(self.written_as, self.path)
        self.finished = True

    def remove(self) -> None:
        if self.finished and self.system.exists(self.path):
            self.system.rm(self.path)

    def remove_part(self) -> None:
        """The unfinished file, where it shows."""
        if self.is_local:
            Path(self.written_as).unlink(missing_ok=True)
        elif not self.finished and self.system.exists(self.written_as):
            self.system.rm(self.written_as)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_local(path: str) -> BinaryIO:
    """A new local file, readable by its owner only: records hold personal data."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


class _Sink:
    """A file object that hashes what passes."""

    def __init__(self, target: _Target, handle: BinaryIO | fsspec.spec.AbstractBufferedFile) -> None:
        self._target = target
        self._handle: Any = handle
        self.digest = hashlib.sha256()
        self.size = 0
        self.closed = False
        self._is_discarded = False

    def write(self, data: Any) -> int:
        if self._is_discarded:
            return len(data)  # the Parquet writer's own farewell
        self._handle.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing: `commit` flushes to the disk, once."""

    def close(self) -> None:
        """Parquet's close: the file gets its name only at `commit`."""

    def commit(self) -> None:
        if self._target.is_local:
            self._handle.flush()
            os.fsync(self._handle.fileno())
        self._handle.close()
        self._target.settle()

    def discard(self) -> None:
        self._is_discarded = True
        if self._target.finished:
            return
        if hasattr(self._handle, "discard"):
            self._handle.discard()
            with contextlib.suppress(AttributeError):
                self._handle.closed = True  # else the collector of garbage would finish the upload
        with contextlib.suppress(OSError):  # a full disk refuses the last flush, too; the file goes anyway
            if self._target.is_local:
                self._handle.close()
            self._target.remove_part()
