"""Records of one run, by stream, in nameless files: what came is held until its stream is landed.

A frame is some thousand records, one JSON text each, packed; a text holds no line break, so a frame can be cut.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from typing import IO

import pyarrow as pa

_ROWS, _BYTES = 8_192, 4_000_000
_HEAD = struct.Struct(">III")  # records, bytes, packed bytes
_BETWEEN = b",\n"


class _Held:
    def __init__(self) -> None:
        self.count = 0
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="tieout-spool-")  # noqa: SIM115 - closed by the spool
        self._codec = pa.Codec("lz4")
        self._fresh: list[bytes] = []
        self._size = 0

    def add(self, record: bytes) -> None:
        self.count += 1
        self._fresh.append(record)
        self._size += len(record)
        if len(self._fresh) >= _ROWS or self._size >= _BYTES:
            self.flush()

    def flush(self) -> None:
        if self._fresh:
            plain = _BETWEEN.join(self._fresh)
            packed = self._codec.compress(plain, asbytes=True)
            self._file.write(_HEAD.pack(len(self._fresh), len(plain), len(packed)))
            self._file.write(packed)
            self._fresh, self._size = [], 0

    def bodies(self, first: int, last: int) -> Iterator[bytes]:
        self.flush()
        self._file.seek(0)
        at = 0
        while at < last and (head := self._file.read(_HEAD.size)):
            rows, size, packed_size = _HEAD.unpack(head)
            packed, low, high = self._file.read(packed_size), max(first - at, 0), min(last - at, rows)
            at += rows
            if low >= high:
                continue
            plain = self._codec.decompress(packed, size, asbytes=True)
            if (low, high) != (0, rows):
                plain = _BETWEEN.join(plain.split(_BETWEEN)[low:high])
            yield b"[" + plain + b"]"

    def close(self) -> None:
        self._file.close()


class Spool:
    """Add records while the program runs, read them stream by stream afterwards, several times if need be."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def add(self, stream: str, record: bytes) -> None:
        """A record as JSON text without a line break."""
        held = self._held.get(stream)
        if held is None:
            held = self._held[stream] = _Held()
        held.add(record)

    def counts(self) -> dict[str, int]:
        """How many records each stream has."""
        return {name: held.count for name, held in self._held.items()}

    def bodies(self, stream: str, first: int, last: int) -> Iterator[bytes]:
        """The records [first, last) as JSON lists."""
        if stream in self._held:
            yield from self._held[stream].bodies(first, last)

    def close(self) -> None:
        """The files are gone with it."""
        for held in self._held.values():
            held.close()
        self._held.clear()
