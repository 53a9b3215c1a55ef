"""What a stand-in server reads: `sim.db` through one connection per thread, and the simulated clock."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

from simulator.store import STATE, open_for_reading, read_state

_STAMP = "%Y-%m-%d %H:%M:%S"


class Clock:
    """The simulated now of `state.json`; it stands still until the company advances."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = -1
        self._now = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Aware, UTC."""
        changed = (self._folder / STATE).stat().st_mtime_ns
        if changed != self._seen:
            self._now = datetime.strptime(read_state(self._folder).now, _STAMP).replace(tzinfo=UTC)
            self._seen = changed
        return self._now

    def http_date(self) -> str:
        """Now as an HTTP `Date` header (RFC 9110, 5.6.7)."""
        return format_datetime(self.now(), usegmt=True)


class Database:
    """Read-only connections to `sim.db`, one per thread; `prepare` registers a vendor's SQL functions."""

    def __init__(self, folder: Path, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._folder = folder
        self._prepare = prepare
        self._threads = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        found = getattr(self._threads, "connection", None)
        if found is None:
            found = open_for_reading(self._folder)
            found.row_factory = None
            found.execute("PRAGMA mmap_size = 1073741824")
            _register_exact(found)
            self._prepare(found)
            self._threads.connection = found
            with self._lock:
                self._open.append(found)
        return found

    def release(self) -> None:
        """Close this thread's connection, when the thread ends."""
        found = getattr(self._threads, "connection", None)
        if found is not None:
            found.close()
            del self._threads.connection
            with self._lock:
                self._open.remove(found)

    def close(self) -> None:
        """Close the connections of all threads. The server must have stopped."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._threads = threading.local()


class _Sum:
    """SUM over exact decimals kept as text; NULL over nothing."""

    def __init__(self) -> None:
        self.total: Decimal | None = None

    def step(self, value: str | int | None) -> None:
        if value is not None:
            self.total = (self.total or Decimal(0)) + Decimal(value)

    def finalize(self) -> str | None:
        return None if self.total is None else format(self.total, "f")


class _Average(_Sum):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def step(self, value: str | int | None) -> None:
        super().step(value)
        self.count += value is not None

    def finalize(self) -> str | None:
        return None if self.total is None else format(self.total / self.count, "f")


class _Smallest:
    def __init__(self) -> None:
        self.found: Decimal | None = None

    def step(self, value: str | int | None) -> None:
        if value is not None:
            number = Decimal(value)
            self.found = number if self.found is None else self.choose(self.found, number)

    def choose(self, one: Decimal, other: Decimal) -> Decimal:
        return min(one, other)

    def finalize(self) -> str | None:
        return None if self.found is None else format(self.found, "f")


class _Largest(_Smallest):
    def choose(self, one: Decimal, other: Decimal) -> Decimal:
        return max(one, other)


def _register_exact(connection: sqlite3.Connection) -> None:
    """SQLite's own aggregates are binary floating point; these are not."""
    for name, aggregate in (("sum", _Sum), ("avg", _Average), ("min", _Smallest), ("max", _Largest)):
        connection.create_aggregate(f"exact_{name}", 1, aggregate)
