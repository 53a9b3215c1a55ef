"""The warehouse's own tables, and one raw table per stream. Idempotent: run at every start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tieout import settings
from tieout.errors import WarehouseError
from tieout.warehouse.connect import connect

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Company

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_160_001  # any constant: two migrations at once would create one table twice


def migrate(company: Company | None = None) -> list[str]:
    """Run migrations/*.sql and create the raw tables of all the company's systems, as owner, in one transaction.

    `company` defaults to tieout.yml where it exists; without one only Tieout's own tables are made.
    Returns what was done, in readable words. Raises WarehouseError with the file that failed.
    """
    import psycopg

    from tieout.landing import ddl
    from tieout.spec import staged_together

    if company is None and settings.settings().config.is_file():
        company = settings.settings().company
    done = []
    with connect("owner", application="tieout migrate") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        for path in sorted(MIGRATIONS.glob("*.sql")):
            try:
                connection.execute(path.read_text(encoding="utf-8"))
            except psycopg.Error as error:
                raise WarehouseError(f"migration {path.name} failed: {error}", hint="nothing was changed") from error
            done.append(path.name)
        connections = company.connections.values() if company else ()
        streams = {s.table: s for c in connections for source in staged_together(c.system) for s in source.streams}
        streams |= {s.table: s for c in connections for s in c.source.streams}
        if company:
            done += _readers(connection, company)
        done += ddl.ensure_tables(connection, [streams[table] for table in sorted(streams)])
    return done


def _readers(connection: psycopg.Connection, company: Company) -> list[str]:
    """Make `ops.reader` say what `readers` of tieout.yml says; returns the roles whose rights changed."""
    wanted = {name: (said.cleared, list(said.legal_entities) if said.legal_entities is not None else None)
              for name, said in company.readers.items()}
    rows = connection.execute("select role_name, is_cleared, legal_entities from ops.reader").fetchall()
    present = {name: (cleared, entities) for name, cleared, entities in rows}
    changed = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    for name in changed:
        connection.execute("delete from ops.reader where role_name = %s", (name,))
        if name in wanted:
            connection.execute("insert into ops.reader values (%s, %s, %s)", (name, *wanted[name]))
    return [f"reader {name}" for name in changed]
