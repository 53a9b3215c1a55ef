"""Results that are read in pages: computed once, at the time of the query, as a cursor at Salesforce is."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile

from simulator.salesforce_api.errors import ApiError
from simulator.salesforce_api.ids import new_id

_IN_MEMORY = 16 * 1024 * 1024


class Spool:
    """Rendered records in the order of the result; large results go to a temporary file. Safe between threads."""

    def __init__(self, separator: bytes) -> None:
        self._separator = separator
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._ends = array("Q")
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ends)

    def extend(self, records: Iterable[str]) -> None:
        """Append records."""
        with self._lock:
            position = self._file.seek(0, 2) or self._file.tell()
            for record in records:
                data = record.encode() + self._separator
                self._file.write(data)
                position += len(data)
                self._ends.append(position)

    def read(self, start: int, count: int) -> tuple[bytes, int]:
        """Records [start, start + count), separated; and how many there are."""
        stop = min(start + count, len(self._ends))
        if start >= stop:
            return b"", 0
        begin, end = (self._ends[start - 1] if start else 0), self._ends[stop - 1]
        with self._lock:
            self._file.seek(begin)
            data = self._file.read(end - begin)
        return data[:-len(self._separator)], stop - start

    def close(self) -> None:
        """Free the memory or the file."""
        self._file.close()


class Cursors:
    """Open query cursors. The oldest is dropped when there are too many; its locator is then unknown."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Spool] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, spool: Spool, most: int) -> str:
        """Register a result; the cursor's 18-character id."""
        name = new_id("01g")
        with self._lock:
            self._open[name] = spool
            while len(self._open) > most:
                self._open.popitem(last=False)[1].close()
        return name

    def find(self, locator: str) -> tuple[str, Spool, int]:
        """(cursor, result, offset) of a locator `<cursor>-<offset>`. ApiError INVALID_QUERY_LOCATOR."""
        name, _, offset = locator.partition("-")
        with self._lock:
            spool = self._open.get(name)
        if spool is None or not offset.isdigit() or not 0 < int(offset) < len(spool):
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return name, spool, int(offset)

    def clear(self) -> None:
        """Drop all."""
        with self._lock:
            for spool in self._open.values():
                spool.close()
            self._open.clear()
