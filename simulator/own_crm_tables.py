"""The proprietary CRM's own database, as a real one: Postgres or MariaDB, with a user who may only read.

A row's `written_at` is when it was written, by the real clock: what a client must go by, for a simulated day is no
real one. Stamps are Berlin's and have no offset. What is gone from the CRM is deleted, and leaves no trace.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from simulator.own_crm_drops import BERLIN, in_berlin
from simulator.own_crm_meaning import LINES, streams
from simulator.own_crm_rows import OwnCrm
from simulator.schema import Table
from simulator.served import Database

if TYPE_CHECKING:
    import sqlalchemy as sa

USER, SCHEMA = "own_crm_reader", "own_crm"
_AT = (f"{USER}@localhost", f"{USER}@'%%'")  # MariaDB asks where a user comes from
_MANY = 5_000  # rows in one statement
Rows = dict[tuple, tuple]


class Tables:
    """Tables in step with `sim.db`. `owner`: a SQLAlchemy url of one who may make a schema (a database) and a user."""

    def __init__(self, database: Database, keys: dict[str, str], owner: str) -> None:
        import sqlalchemy as sa

        self._database, self._lock = database, threading.Lock()
        self._engine = sa.create_engine(sa.make_url(owner), hide_parameters=True)
        self._is_postgres = self._engine.dialect.name == "postgresql"
        self._known: dict[str, Rows] = {}
        self._prepare(keys["password"])
        meta = sa.MetaData(schema=SCHEMA)
        self._tables = {table.sql_name: _table(meta, table) for table in OwnCrm.tables()}
        with self._engine.begin() as db:
            meta.create_all(db)
            self._allow(db)
        self.follow()

    def words(self) -> dict[str, Any]:
        """The connection's part in tieout.yml."""
        import sqlalchemy as sa

        theirs = self._engine.url
        url = sa.URL.create("postgresql" if self._is_postgres else "mariadb", USER, None, theirs.host, theirs.port,
                            theirs.database if self._is_postgres else SCHEMA)
        return {"protocol": "sql", "auth": "password", "streams": streams(_read),
                "options": {"url": url.render_as_string(), "page_rows": 500}}

    def follow(self) -> None:
        """Bring the tables up to the current moment, in one transaction: what is new, what changed, what is gone."""
        with self._lock, self._engine.begin() as db:
            for table in OwnCrm.tables():
                self._known[table.sql_name] = self._written(db, table)
            self._database.release()

    def close(self) -> None:
        """Leave nothing behind."""
        with self._engine.begin() as db:
            self._clear(db)
        self._engine.dispose()

    def _prepare(self, password: str) -> None:
        """An empty schema and the reader: a Postgres role, or a MariaDB user."""
        with self._engine.begin() as db:
            self._clear(db)
            if self._is_postgres:
                db.exec_driver_sql(f"create schema {SCHEMA}")
                db.exec_driver_sql(f"create role {USER} login password '{password}'")
                return
            db.exec_driver_sql(f"create database {SCHEMA} character set utf8mb4 collate utf8mb4_bin")
            for user in _AT:
                db.exec_driver_sql(f"create user {user} identified by '{password}'")

    def _clear(self, db: sa.Connection) -> None:
        if self._is_postgres:
            db.exec_driver_sql(f"drop schema if exists {SCHEMA} cascade")
            if db.exec_driver_sql(f"select 1 from pg_roles where rolname = '{USER}'").first():
                db.exec_driver_sql(f"drop owned by {USER}")
                db.exec_driver_sql(f"drop role {USER}")
            return
        db.exec_driver_sql(f"drop database if exists {SCHEMA}")
        for user in _AT:
            db.exec_driver_sql(f"drop user if exists {user}")

    def _allow(self, db: sa.Connection) -> None:
        if self._is_postgres:
            db.exec_driver_sql(f"grant connect on database {self._engine.url.database} to {USER}")
            db.exec_driver_sql(f"grant usage on schema {SCHEMA} to {USER}")
            db.exec_driver_sql(f"grant select on all tables in schema {SCHEMA} to {USER}")
            return
        for user in _AT:
            db.exec_driver_sql(f"grant select on {SCHEMA}.* to {user}")

    def _written(self, db: sa.Connection, table: Table) -> Rows:
        """Write the difference to what was written before; what stands now."""
        target, before, now = self._tables[table.sql_name], self._known.get(table.sql_name, {}), self._rows(table)
        at = datetime.now(BERLIN).replace(tzinfo=None)
        lost = [key for key, row in before.items() if now.get(key) != row]
        for some in _lots(lost):
            keys = [dict(zip(table.key, key, strict=True)) for key in some]
            db.execute(target.delete().where(*(_is(target, name) for name in table.key)),
                       [{f"at_{name}": value for name, value in one.items()} for one in keys])
        fresh = [{**dict(zip(table.columns, row, strict=True)), "written_at": at}
                 for key, row in now.items() if before.get(key) != row]
        for some in _lots(fresh):
            db.execute(target.insert(), some)
        return now

    def _rows(self, table: Table) -> Rows:
        kinds = [field.kind for field in table.fields]
        places = [table.columns.index(name) for name in table.key]
        names = ", ".join(f'"{one}"' for one in table.columns)
        found = {}
        for row in self._database.connection().execute(f'select {names} from "{table.sql_name}"'):
            typed = tuple(None if v is None else _typed(v, kind) for v, kind in zip(row, kinds, strict=True))
            found[tuple(typed[at] for at in places)] = typed
        return found


def _read(table: str) -> dict[str, Any]:
    """How a table is read: whole, by when it was written, or with its document."""
    told: dict[str, Any] = {"options": {"table": f"{SCHEMA}.{table}"}}
    if table in LINES:
        stream, column = LINES[table]
        return told | {"parent": {"stream": stream, "column": column}}
    if table in ("deal", "sales_order"):
        return told | {"cursor": "written_at", "columns": {"written_at": "timestamp"}}
    return told | {"mode": "full"}


def _table(meta: sa.MetaData, table: Table) -> sa.Table:
    import sqlalchemy as sa

    kinds = {"integer": sa.Integer(), "amount": sa.Numeric(20, 5), "date": sa.Date(), "stamp": sa.DateTime(),
             "text": sa.String(200)}
    columns = [sa.Column(f.name, kinds[f.kind], primary_key=f.name in table.key, autoincrement=False)
               for f in table.fields]
    return sa.Table(table.name, meta, *columns, sa.Column("written_at", sa.DateTime(), nullable=False))


def _is(target: sa.Table, name: str) -> Any:
    import sqlalchemy as sa

    return target.c[name] == sa.bindparam(f"at_{name}")


def _typed(value: Any, kind: str) -> Any:
    if kind == "amount":
        return Decimal(value)
    if kind == "date":
        return date.fromisoformat(value)
    return in_berlin(value) if kind == "stamp" else value


def _lots(rows: list) -> Iterator[list]:
    for start in range(0, len(rows), _MANY):
        yield rows[start:start + _MANY]
