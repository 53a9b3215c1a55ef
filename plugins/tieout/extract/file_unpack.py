"""Compressed files, opened with guards: against bombs (size and ratio), names that leave the folder, cut streams.

What comes out is a plain file here; text is turned into UTF-8 on the way, strictly, without its byte order mark.
"""

from __future__ import annotations

import codecs
import fnmatch
import gzip
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from tieout.errors import SourceError
from tieout.spec_transports import FileOptions

BLOCK = 1 << 20
SMALL = 10_000_000  # bytes up to which no ratio is suspicious: a file of zeros is no attack
_MAGIC = {b"\x1f\x8b": "gz", b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x28\xb5\x2f\xfd": "zst"}


class Plain(NamedTuple):
    """A plain file here, and the name of what it came from."""

    path: Path
    name: str
    quotes: int


def unpack(packed: Path, name: str, options: FileOptions, folder: Path) -> Iterator[Plain]:
    """The plain files in a fetched one. `name`: as users know it. SourceError names the file, and the member."""
    kind = options.compression if options.compression != "auto" else _kind(packed)
    if options.format == "parquet" and kind not in ("zip",):
        kind = "none"  # compressed within
    if kind == "zip":
        yield from _members(packed, name, options, folder)
        return
    target = folder / "plain"
    limit = _Limit(name, packed.stat().st_size, options)
    try:
        with _opened(packed, kind) as source:
            quotes = _write(source, target, name, options, limit)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{name}: cannot be unpacked ({kind}): {error}",
                          hint="it is cut or damaged; let it be delivered again") from error
    yield Plain(target, name, quotes)


class _Limit:
    """Counts what comes out of what went in."""

    def __init__(self, name: str, packed: int, options: FileOptions) -> None:
        self._name, self._packed, self._options, self._size = name, max(packed, 1), options, 0

    def add(self, size: int) -> None:
        self._size += size
        if self._size > self._options.max_bytes:
            raise SourceError(f"{self._name}: unpacks to more than {self._options.max_bytes:,} bytes (max_bytes)",
                              hint="a bomb, or raise max_bytes")
        if self._size > SMALL and self._size > self._packed * self._options.max_ratio:
            raise SourceError(f"{self._name}: unpacks to {self._options.max_ratio} times its size and more (max_ratio)",
                              hint="a bomb, or raise max_ratio")


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "none")


def _opened(path: Path, kind: str) -> BinaryIO:
    if kind == "gz":
        return gzip.open(path, "rb")
    if kind == "zst":
        import pyarrow as pa

        return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return path.open("rb")


def _members(packed: Path, name: str, options: FileOptions, folder: Path) -> Iterator[Plain]:
    try:
        archive = zipfile.ZipFile(packed)
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{name}: is no zip file: {error}", hint="let it be delivered again") from error
    with archive:
        limit = _Limit(name, packed.stat().st_size, options)
        infos = [info for info in archive.infolist() if not info.is_dir()]
        for info in infos:
            _safe(info, name)
        wanted = sorted((i for i in infos if fnmatch.fnmatchcase(i.filename, options.member)), key=lambda i: i.filename)
        if not wanted:
            raise SourceError(f"{name}: no member matches {options.member!r}",
                              hint=f"it holds: {', '.join(i.filename for i in infos[:10]) or 'nothing'}")
        if len({i.filename for i in wanted}) < len(wanted):
            raise SourceError(f"{name}: a member comes twice under one name", hint="let it be delivered again")
        for info in wanted:
            shown = f"{name}/{info.filename}"
            target = folder / "plain"
            try:
                with archive.open(info) as source:
                    quotes = _write(source, target, shown, options, limit)
            except (zipfile.BadZipFile, EOFError, OSError, zlib.error, RuntimeError, NotImplementedError) as error:
                raise SourceError(f"{shown}: cannot be unpacked: {error}",
                                  hint="it is damaged, or packed in a way that is not known") from error
            yield Plain(target, shown, quotes)


def _safe(info: zipfile.ZipInfo, name: str) -> None:
    path = PurePosixPath(info.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename:
        raise SourceError(f"{name}: the member {info.filename!r} leads out of the folder",
                          hint="a harmful file; nothing of it was read")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise SourceError(f"{name}: the member {info.filename!r} is a link", hint="nothing of it was read")
    if info.flag_bits & 1:
        raise SourceError(f"{name}: the member {info.filename!r} is encrypted", hint="deliver it without a password")


def _write(source: BinaryIO, target: Path, name: str, options: FileOptions, limit: _Limit) -> int:
    """Copy, in UTF-8 where it is text; the number of quotes in it."""
    is_text = options.format != "parquet"
    encoding = options.csv.encoding if options.format == "csv" else "utf-8"
    decoder = codecs.getincrementaldecoder(encoding)("strict") if is_text else None
    quote = (options.csv.quote or "").encode() if options.format == "csv" else b""
    quotes = read = 0
    first = True
    with target.open("wb") as sink:
        while True:
            block = source.read(BLOCK)
            limit.add(len(block))
            if decoder is not None:
                block, size = _decoded(decoder, block, name, encoding, read), len(block)
                if first and block:
                    block, first = block.removeprefix("\ufeff".encode()), False
            else:
                size = len(block)
            read += size
            quotes += block.count(quote) if quote else 0
            sink.write(block)
            if not size:
                return quotes


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, name: str, encoding: str, at: int) -> bytes:
    try:
        return decoder.decode(block, final=not block).encode()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{name}: byte {at + error.start:,} is not {encoding}",
            hint="say under `csv: {encoding: …}` how the file is written; cp1252 and utf-16 are common") from error
    except UnicodeEncodeError as error:
        raise SourceError(f"{name}: half a character near byte {at:,}", hint="the file is damaged") from error
