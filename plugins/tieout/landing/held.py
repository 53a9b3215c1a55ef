"""Encoded rows of a batch, held until the database has said which of them are new: in memory, then on disk.

Most rows of a repeated window are known already. So only keys and hashes travel first; the rows wait here, and those
that count are copied straight into the raw table, without being parsed a second time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tieout.landing.encode import Rows

IN_MEMORY = 16_000_000


class _Piece(NamedTuple):
    """Where a chunk's rows are in the file: `first` is the position of its first row in the batch."""

    first: int
    count: int
    offset: int
    size: int


class Held:
    """Rows in the order of their arrival. The file has no name and is readable by nobody else."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, "w+b")  # noqa: SIM115 - lives as long as the batch
        self._pieces: list[_Piece] = []
        self._end = 0
        self.total = 0

    def add(self, rows: Rows) -> None:
        """Keep the rows' bytes and give them the next positions."""
        self._file.seek(self._end)
        self._file.write(rows.data)
        self._file.write(rows.starts.astype(np.uint32))
        self._pieces.append(_Piece(self.total, len(rows.starts), self._end, len(rows.data)))
        self._end = self._file.tell()
        self.total += len(rows.starts)

    def blocks(self, wanted: Positions) -> Iterator[bytes | memoryview]:
        """The bytes of the wanted rows, chunk by chunk."""
        for piece in self._pieces:
            chosen = wanted.within(piece.first, piece.count)
            if not chosen.any():
                continue
            self._file.seek(piece.offset)
            data = memoryview(self._file.read(piece.size))
            if chosen.all():
                yield data
                continue
            starts = np.frombuffer(self._file.read(4 * piece.count), np.uint32)
            ends = np.append(starts[1:], piece.size)
            yield b"".join(
                data[start:end] for start, end in zip(starts[chosen].tolist(), ends[chosen].tolist(), strict=True))

    def close(self) -> None:
        """Give the file up."""
        self._file.close()


class Positions:
    """A set of positions below `total`, one bit each."""

    def __init__(self, total: int) -> None:
        self._bits = np.zeros(total // 8 + 1, np.uint8)
        self.count = 0

    def add(self, positions: np.ndarray) -> None:
        """Put in positions that are not in it yet."""
        self.count += len(positions)
        np.bitwise_or.at(self._bits, positions >> 3, np.left_shift(1, positions & 7).astype(np.uint8))

    def within(self, first: int, count: int) -> np.ndarray:
        """Which of the `count` positions from `first` on are in the set, as booleans."""
        bits = np.unpackbits(self._bits[first >> 3 : (first + count + 7) >> 3], bitorder="little").astype(bool)
        return bits[first & 7 : (first & 7) + count]
