"""A developer's shortcut: `sim.db` straight into `raw.*`, as landing would leave it after one first, full load.

    PYTHONPATH=plugins python -m simulator.shortcut --folder .tieout/company

Needs a running warehouse whose migrations have run (TIEOUT_WAREHOUSE_* with the owner's password). Replaces what the
two connections have in raw. Differences from a real landing: one batch, number 1, without a row in `ops.load`; no
archive; no `_extra`; deletions show only as the vendors' present state.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import store
from simulator.units import FIRST, unit

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Stream

CONNECTIONS = {system: unit(FIRST).connection(system) for system in unit(FIRST).systems}
BATCH = 1


def load_raw(folder: Path, connection_names: Mapping[str, str] = CONNECTIONS) -> dict[str, int]:
    """Load every stream of both systems; {raw table: rows}. `connection_names`: {system: connection}.

    Of the accounting lines only those of the primary book, as the connector selects by default.
    """
    from tieout.landing.ddl import ensure_tables
    from tieout.spec import load_source
    from tieout.warehouse import connect

    counts: dict[str, int] = {}
    source = store.open_for_reading(Path(folder))
    with connect("owner", application="simulator.shortcut") as warehouse:
        for system, name in connection_names.items():
            streams = load_source(system).streams
            ensure_tables(warehouse, streams)
            for stream in streams:
                counts[stream.table] = _load(source, warehouse, system, name, stream)
    source.close()
    return counts


def _load(source: Any, warehouse: psycopg.Connection, system: str, connection: str, stream: Stream) -> int:
    from psycopg import sql

    table = sql.Identifier("raw", stream.table)
    warehouse.execute(sql.SQL("delete from {} where _connection = %s").format(table), (connection,))
    declared = [column.name for column in stream.columns]
    ours = ["_connection", "_key", "_modified_at", "_is_deleted", "_batch_id", "_row_hash"]
    names = sql.SQL(", ").join(map(sql.Identifier, declared + ours))
    count = 0
    with (
        warehouse.cursor() as cursor,
        cursor.copy(sql.SQL("copy raw.{} ({}) from stdin").format(sql.Identifier(stream.table), names)) as copy,
    ):
        for values in _rows(source, system, stream):
            record = dict(zip(declared, values, strict=True))
            key = "|".join(str(record[name]) for name in stream.key)
            deleted = bool(record[stream.deletes.flag]) if stream.deletes.flag else False
            digest = hashlib.blake2b(repr(values).encode(), digest_size=8).digest()
            copy.write_row(
                [
                    *values,
                    connection,
                    key,
                    record[stream.cursor] if stream.cursor else None,
                    deleted,
                    BATCH,
                    int.from_bytes(digest, "big", signed=True),
                ]
            )
            count += 1
    warehouse.execute(sql.SQL("analyze {}").format(table))
    return count


def _rows(source: Any, system: str, stream: Stream) -> Iterator[tuple[Any, ...]]:
    """Declared columns in order. Stamps in sim.db are UTC, and so is the warehouse's session."""
    vendor_table = stream.name if system == "salesforce" else str(stream.options.get("table", stream.name)).lower()
    wanted = ", ".join(f'"{column.field}"' for column in stream.columns)
    where = ""
    if "book" in stream.options:
        where = f' WHERE "{stream.options["book"]}" IN (SELECT id FROM netsuite__accountingbook WHERE isprimary)'
    flags = [column.type == "boolean" for column in stream.columns]
    for row in source.execute(f'SELECT {wanted} FROM "{system}__{vendor_table}"{where}'):
        yield tuple(bool(v) if flag and v is not None else v for v, flag in zip(row, flags, strict=True))


def main() -> int:
    """Load a folder and print the counts."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator.shortcut", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    for table, count in load_raw(parser.parse_args().folder).items():
        print(f"{count:>9,}  raw.{table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
