"""The simulated company in raw, for tests of the transform room; and changes to raw as landing would leave them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import clear_settings, demo_company, open_folder
from tieout import localpg
from tieout.warehouse import connect, migrate

TIEOUT_YML = """
version: 1
group: {currency: USD}
connections:
  salesforce_global:
    system: salesforce
    auth: jwt_bearer
    time_zone: UTC
    currency: USD
    legal_entity: US01
    options: {login_url: "https://halden.my.salesforce.com"}
  netsuite_global:
    system: netsuite
    auth: tba
    time_zone: America/Los_Angeles
    currency: USD
    legal_entity: US01
    legal_entities: {"1": US01, "2": GB01, "3": DE01, "4": JP01, "5": KW01, "6": XE01}
    options: {account: "1234567"}
"""
CLOSE = "update raw.{table} set _superseded_batch = %s where _superseded_batch is null and {where}"


@contextmanager
def own_warehouse(tieout_yml: str) -> Iterator[Path]:
    """A migrated warehouse of a company's own: other tests leave theirs in the shared one. Yields its folder."""
    with open_folder() as folder:
        before = dict(os.environ)
        (folder / "tieout.yml").write_text(tieout_yml, encoding="utf-8")
        os.environ.update(localpg.start(folder), TIEOUT_HOME=str(folder), TIEOUT_CONFIG=str(folder / "tieout.yml"))
        clear_settings()
        try:
            migrate(demo_company())
            yield folder
        finally:
            localpg.stop(folder)
            os.environ.clear()
            os.environ.update(before)
            clear_settings()


def load(folder: Path) -> None:
    """Generate the company and put it into raw as batch 1."""
    from simulator.company import generate
    from simulator.shortcut import load_raw

    generate(folder, seed=7, size="1k", level=1)
    load_raw(folder)
    new_batch()


def new_batch() -> int:
    """A committed row in ops.load; returns its batch id."""
    with connect("loader") as books:
        return books.execute(
            "insert into ops.load (connection, system, stream, table_name, mode, state)"
            " values ('netsuite_global', 'netsuite', 'all', 'all', 'incremental', 'committed')"
            " returning batch_id").fetchone()[0]


def open_run(logical_at: str = "2026-06-30 23:00Z") -> int:
    """A revenue run."""
    with connect("loader") as books:
        return books.execute(
            "insert into ops.run (kind, label, logical_at) values ('revenue', 'revenue', %s) returning run_id",
            (logical_at,)).fetchone()[0]


def change(table: str, where: str, batch: int, **values: str) -> int:
    """Land a new version of the current rows `where`: `values` are SQL expressions by column. Returns how many."""
    return _close(table, where, batch, values)


def delete(table: str, where: str, batch: int) -> int:
    """Land the deletion of the current rows `where`, as a feed would: a tombstone version."""
    return _close(table, where, batch, {"_is_deleted": "true"})


def drop_lines(table: str, where: str, batch: int) -> int:
    """Close the current rows `where` without a successor, as a shrunken parent does."""
    with connect("owner") as books:
        return books.execute(CLOSE.format(table=table, where=where), (batch,)).rowcount


def _close(table: str, where: str, batch: int, values: dict[str, str]) -> int:
    with connect("owner") as books:
        columns = [name for (name,) in books.execute(
            "select column_name from information_schema.columns where table_schema = 'raw' and table_name = %s"
            " order by ordinal_position", (table,)).fetchall()]
        assert set(values) <= set(columns), f"{table} lacks {set(values) - set(columns)}"
        expressions = {name: f'"{name}"' for name in columns} | values
        expressions |= {"_batch_id": str(batch), "_superseded_batch": "null::bigint", "_row_hash": "_row_hash + 1"}
        books.execute(f"create temp table fresh on commit drop as select * from raw.{table}"
                      f" where _superseded_batch is null and {where}")
        books.execute(CLOSE.format(table=table, where=where), (batch,))
        names = ", ".join(f'"{name}"' for name in columns)
        chosen = ", ".join(expressions[name] for name in columns)
        return books.execute(f"insert into raw.{table} ({names}) select {chosen} from fresh").rowcount
