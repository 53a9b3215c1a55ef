"""What a backfill will cost, told before it begins: requests and rows from the ledger's own past, nothing asked.

A load's requests are modelled as pages of the connection's page size, plus what past loads needed beside them (a job's
polling, one request for each chunk of parents). Where a stream has no past, one page per window is assumed, and said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from tieout.landing import backfill, windows
from tieout.warehouse import connect

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

    from tieout.landing.backfill import Request
    from tieout.spec import Connection, Stream

PAST = 50  # loads that are looked at


@dataclass(frozen=True)
class Expected:
    """One stream's share. `units`: windows, or archived batches. `bytes`: of archive to read. `basis`: where the
    figures come from. `unreadable`: archived batches whose file is gone (it is looked for, not read).
    """

    stream: str
    units: int
    requests: int
    rows: int | None
    bytes: int = 0
    basis: str = ""
    unreadable: int = 0


def expected(connection: Connection, request: Request, *, or_vendor: bool = False) -> list[Expected]:
    """A row per stream, in the order of landing. Reads the ledger and, for the archive, whether the files are there."""
    chosen = windows.chosen(connection, request.streams)
    with connect("loader", application="tieout estimate") as db:
        if request.source == "vendor":
            return [_from_vendor(db, connection, stream, request.windows()) for stream in chosen]
        rows = backfill.archived(connection.name, [stream.name for stream in chosen], request)
        return [_from_archive(db, connection, stream, [row for row in rows if row[1] == stream.name], or_vendor)
                for stream in chosen]


def _from_vendor(db: psycopg.Connection, connection: Connection, stream: Stream,
                 spans: Sequence[tuple[datetime, datetime]]) -> Expected:
    page = connection.defaults.page_size
    overlap = stream.overlap or connection.defaults.cursor_overlap
    past = _past(db, connection, stream)
    if not past:
        assumed = f"assumed: no past load, one page of {page:,} rows a window"
        return Expected(stream.name, len(spans), len(spans), None, basis=assumed)
    extra = sum(max(0, requests - _pages(received, page)) for received, requests, _ in past) / len(past)
    if stream.mode == "full":
        per_window = [sum(received for received, _, _ in past) / len(past)] * len(spans)
    else:
        covered = sum(seconds for _, _, seconds in past)
        rate = sum(received for received, _, _ in past) / covered if covered else 0.0
        per_window = [rate * (high - low + overlap).total_seconds() for low, high in spans]
    requests = sum(_pages(rows, page) + extra for rows in per_window)
    return Expected(stream.name, len(spans), max(len(spans), round(requests)), round(sum(per_window)),
                    basis=f"{len(past)} past loads, pages of {page:,}")


def _from_archive(db: psycopg.Connection, connection: Connection, stream: Stream, rows: Sequence[tuple],
                  or_vendor: bool) -> Expected:
    gone = [row for row in rows if row[8] is not None or not _is_there(row[4])]
    requests = 0
    if gone and or_vendor:
        spans = [(row[2] or row[3], row[3]) for row in gone if row[3] is not None]
        requests = _from_vendor(db, connection, stream, spans).requests if spans else 0
    return Expected(stream.name, len(rows), requests, sum(row[7] for row in rows), sum(row[6] or 0 for row in rows),
                    "the ledger's counts of these batches", len(gone))


def _past(db: psycopg.Connection, connection: Connection, stream: Stream) -> list[tuple[int, int, float]]:
    """(received, requests, seconds of window) of comparable loads: those of the mode that the stream has in a backfill,
    else complete ones, whose window begins with their oldest record.
    """
    modes = ("full",) if stream.mode == "full" else ("incremental", "full")
    for mode in modes:
        found = db.execute(
            "select received, requests, "
            "coalesce(extract(epoch from window_end - coalesce(window_start, cursor_low)), 0) "
            "from ops.load where connection = %s and stream = %s and state = 'committed' and mode = %s "
            "and (requests > 0 or received > 0) order by batch_id desc limit %s",
            (connection.name, stream.name, mode, PAST)).fetchall()
        if found:
            return [(received, requests, float(seconds)) for received, requests, seconds in found]
    return []


def _pages(rows: float, page: int) -> int:
    return max(1, ceil(rows / page))


def _is_there(uri: str) -> bool:
    import fsspec

    system, path = fsspec.core.url_to_fs(uri)
    return system.exists(path)
