"""The files that were dealt with: `ops.load_file`, written in the transaction of the batch that landed them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tieout.extract.deliveries import KnownFile

if TYPE_CHECKING:
    import psycopg


def known(db: psycopg.Connection, connection: str, stream: str) -> list[KnownFile]:
    """Every file of the stream, in the order in which they were dealt with; a name may have several contents."""
    rows = db.execute(
        "select name, version, sha256, sequence, state, rows, bytes, partitions from ops.load_file "
        "where connection = %s and stream = %s order by batch_id, name", (connection, stream))
    return [KnownFile(*told, partitions=tuple(partitions)) for *told, partitions in rows]


def remember(db: psycopg.Connection, connection: str, stream: str, batch_id: int, files: Iterable[KnownFile]) -> None:
    """Note the files as dealt with by this batch."""
    with db.cursor() as cursor:
        cursor.executemany(
            "insert into ops.load_file "
            "(batch_id, connection, stream, name, version, sha256, sequence, state, rows, bytes, partitions) values "
            "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(batch_id, connection, stream, one.name, one.version, one.sha256, one.sequence, one.state, one.rows,
              one.bytes, list(one.partitions)) for one in files])
