"""What the books say of connections, streams and runs. Reads only, for the command line; see `health` for `status`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tieout import freshness, settings
from tieout.spec import Connection


def sources() -> list[dict[str, Any]]:
    """Each connection with its system and streams, and how fresh each stream is. Works before anything is landed."""
    loads, absent = _loads(), freshness.not_offered()
    found = []
    for connection in settings.settings().company.connections.values():
        streams = [
            _stream(connection, stream, loads.get((connection.name, stream.name)))
            | {"is_offered": (connection.name, stream.name) not in absent}
            for stream in connection.selected()
        ]
        ends = [stream["landed_until"] for stream in streams if stream["is_offered"]]
        found.append(
            {
                "connection": connection.name,
                "system": connection.system,
                "title": connection.source.title,
                "role": connection.role,
                "auth": connection.auth,
                "time_zone": connection.time_zone,
                "schedule": connection.schedule,
                "landed_until": min(ends) if ends and all(ends) else None,
                "streams": streams,
            }
        )
    return found


def landed_until(connection: str, stream: str) -> datetime | None:
    """The end of the last committed window of a stream; None before the first."""
    load = _loads().get((connection, stream))
    return load["landed_until"] if load else None


def newest_run(kind: str = "revenue") -> int | None:
    """The newest run of that kind."""
    with _books() as books:
        return books.execute("select max(run_id) from ops.run where kind = %s", (kind,)).fetchone()[0]


def published_run() -> int | None:
    """The run that readers see."""
    with _books() as books:
        row = books.execute("select run_id from ops.pointer").fetchone()
    return row[0] if row else None


def waiting_batches() -> dict[str, int]:
    """Committed batches that no build has consumed, as {raw table: rows landed}."""
    with _books() as books:
        rows = books.execute("""
            select table_name, sum(landed + deleted)::bigint from ops.load
            where state = 'committed' and batch_id > (select coalesce(max(batch_id), -1) from ops.build_watermark)
            group by 1 having sum(landed + deleted) > 0 order by 1""").fetchall()
    return dict(rows)


def _stream(connection: Connection, stream: Any, load: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "stream": stream.name,
        "table": f"raw.{stream.table}",
        "mode": stream.mode,
        "landed_until": load and load["landed_until"],
        "landed_at": load and load["landed_at"],
        "loads": load["loads"] if load else 0,
        "landed": load["landed"] if load else 0,
        "quarantined": load["quarantined"] if load else 0,
    }


def _loads() -> dict[tuple[str, str], dict[str, Any]]:
    with _books() as books:
        rows = _all(
            books,
            """
            select connection, stream, max(window_end) as landed_until, max(finished_at) as landed_at,
                   count(*) as loads,
                   sum(landed)::bigint as landed, sum(quarantined)::bigint as quarantined
            from ops.load where state = 'committed' group by 1, 2""",
        )
    return {(row["connection"], row["stream"]): row for row in rows}


def _books() -> Any:
    from tieout.warehouse import connect

    return connect("loader", application="tieout status")


def _all(books: Any, sql: str) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with books.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql).fetchall()
