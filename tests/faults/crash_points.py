"""Where a process can be struck, counted: exchanges with Postgres; files made, written, synced, renamed, removed.

`watch(Points(at, strike))` inside the process that is to be struck. The same step on the same input passes the same
points, give or take those of its threads, so that a point is a number.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Points:
    """Counts the points that a process passes; at the point number `at` it calls `strike`, once."""

    def __init__(self, at: int | None, strike: Callable[[], None]) -> None:
        self.count = 0
        self.kinds: Counter[str] = Counter()
        self.struck_at: str | None = None
        self._at, self._strike = at, strike
        self._lock = threading.Lock()
        self._inside = threading.local()

    def passed(self, kind: str) -> None:
        """The process is at a point."""
        if getattr(self._inside, "strike", False):
            return  # the strike's own files and words are none
        with self._lock:
            self.count += 1
            self.kinds[kind] += 1
            hit = self.count == self._at
        if hit:
            self.now(kind)

    def now(self, kind: str) -> None:
        """Strike."""
        self._inside.strike = True
        self.struck_at = kind
        try:
            self._strike()
        finally:
            self._inside.strike = False


def watch(points: Points) -> None:
    """Count from now on, for the rest of this process."""
    _psycopg(points)
    _psycopg2(points)
    _archive(points)
    fsync = os.fsync

    def synced(descriptor: int) -> None:
        points.passed("fsync")
        fsync(descriptor)

    os.fsync = synced
    sys.addaudithook(lambda event, arguments: _audited(points, event, arguments))


def _audited(points: Points, event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        points.passed("open to write")
    elif event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink"):
        points.passed(event.removeprefix("os."))


def _psycopg(points: Points) -> None:
    """Before the words are sent, and after the answer came: between the two Postgres may have done it or not."""
    from psycopg import Connection

    wait = Connection.wait

    def waited(self: Connection, *arguments: Any, **options: Any) -> Any:
        points.passed("psycopg asks")
        answer = wait(self, *arguments, **options)
        points.passed("psycopg answered")
        return answer

    Connection.wait = waited


def _psycopg2(points: Points) -> None:
    """dbt's connections."""
    import psycopg2
    from psycopg2 import extensions

    class Cursor(extensions.cursor):
        def execute(self, *arguments: Any) -> None:
            points.passed("dbt asks")
            super().execute(*arguments)
            points.passed("dbt answered")

    class Connection(extensions.connection):
        def cursor(self, *arguments: Any, **options: Any) -> Any:
            return super().cursor(*arguments, **{"cursor_factory": Cursor, **options})

        def commit(self) -> None:
            points.passed("dbt commits")
            super().commit()
            points.passed("dbt committed")

    connect = psycopg2.connect
    psycopg2.connect = lambda *a, **o: connect(*a, **{"connection_factory": Connection, **o})


def _archive(points: Points) -> None:
    from tieout.landing import archive

    write = archive._Sink.write

    def written(self: Any, data: Any) -> int:
        points.passed("archive write")
        return write(self, data)

    archive._Sink.write = written
