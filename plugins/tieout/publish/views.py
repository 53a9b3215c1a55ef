"""The views of schema reporting: one per mart, showing exactly the versions valid at the published run.

A view is made anew only when its definition changes; publishing never touches one. Owned by tieout_publisher, so that
readers need no right on anything else.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tieout import warehouse
from tieout.errors import PublishError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

log = logging.getLogger(__name__)

VERSION_COLUMNS = ("recorded_run", "superseded_run", "row_hash")
OWN_VIEWS = ("publication", "gate_result", "load")
# A new definition waits behind a running query, and readers wait behind it: give up quickly, try again later.
LOCK_TIMEOUT = "80ms"
GIVE_UP_SECONDS = 60


@dataclass(frozen=True)
class Mart:
    """A table of schema marts: its columns (name, type, comment) in order; versioned or plain."""

    name: str
    comment: str | None
    columns: tuple[tuple[str, str, str | None], ...]

    @property
    def versioned(self) -> bool:
        return {"recorded_run", "superseded_run"} <= {name for name, _, _ in self.columns}

    @property
    def shown(self) -> tuple[tuple[str, str, str | None], ...]:
        """What readers see: all but the version columns."""
        return tuple(column for column in self.columns if not self.versioned or column[0] not in VERSION_COLUMNS)


def refresh() -> list[str]:
    """Make schema reporting match schema marts, in one transaction; returns what changed, in words.

    Raises PublishError when readers keep a view busy for a minute, or when an object of somebody else depends on a view
    whose columns changed.
    """
    import psycopg

    give_up = time.monotonic() + GIVE_UP_SECONDS
    while True:
        try:
            with warehouse.connect("publisher", application="tieout views") as connection:
                connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
                return _refresh(connection)
        except psycopg.errors.LockNotAvailable as error:
            if time.monotonic() > give_up:
                raise PublishError("readers kept a changed view busy for a minute; the old views stay",
                                   hint="end the long queries on schema reporting, then publish again") from error
            time.sleep(0.2)
        except psycopg.errors.DependentObjectsStillExist as error:
            raise PublishError(f"a view cannot change: {error.diag.message_detail or error}",
                               hint="drop what depends on it; reporting is rebuilt by Tieout") from error


def _refresh(connection: psycopg.Connection) -> list[str]:
    changed = _own_objects(connection)
    marts = _marts(connection)
    for mart in marts:
        changed += _view(connection, mart)
    wanted = {mart.name for mart in marts} | set(OWN_VIEWS)
    for name in sorted(_views(connection) - wanted):
        connection.execute(_format("drop view reporting.{}", name))
        changed.append(f"dropped reporting.{name}: its mart is gone")
    for line in changed:
        log.info("%s", line)
    return changed


def _own_objects(connection: psycopg.Connection) -> list[str]:
    text = (Path(__file__).parent / "reporting.sql").read_text(encoding="utf-8")
    mark = f"The run that this session reads ({hashlib.sha256(text.encode()).hexdigest()[:16]})"
    row = connection.execute(
        "select obj_description(to_regprocedure('reporting.published_run()'), 'pg_proc')").fetchone()
    if row and row[0] == mark:
        return []
    connection.execute(text)
    connection.execute(f"comment on function reporting.published_run() is '{mark}'")
    return ["replaced the functions of reporting"]


def _marts(connection: psycopg.Connection) -> list[Mart]:
    """Tables of schema marts, but for dbt's scratch tables."""
    rows = connection.execute(
        """
        select c.relname, obj_description(c.oid, 'pg_class'), a.attname, format_type(a.atttypid, a.atttypmod),
               col_description(c.oid, a.attnum)
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
          join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where n.nspname = 'marts' and c.relkind in ('r', 'p') and c.relname !~ '__dbt_|__candidate$'
         order by c.relname, a.attnum
        """).fetchall()
    found: dict[str, Mart] = {}
    for name, comment, column, kind, said in rows:
        known = found.get(name, Mart(name, comment, ()))
        found[name] = Mart(name, comment, (*known.columns, (column, kind, said)))
    for name in OWN_VIEWS:
        if name in found:
            raise PublishError(f"a mart may not be called {name}: reporting.{name} is Tieout's own")
    return list(found.values())


def _views(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = 'reporting' and c.relkind = 'v' and pg_get_userbyid(c.relowner) = current_user").fetchall()
    return {name for (name,) in rows}


def _view(connection: psycopg.Connection, mart: Mart) -> list[str]:
    """Create or replace the view if it is not what it should be; comments follow the mart's."""
    body = _body(mart)
    wanted = _wanted(connection, body)
    present = _present(connection, mart.name)
    changed = []
    if present is None or present != wanted:
        changed.append(f"{'created' if present is None else 'replaced'} reporting.{mart.name}")
        if present is not None and not _extends(connection, mart):
            connection.execute(_format("drop view reporting.{}", mart.name))
        connection.execute(_format("create or replace view reporting.{} as ", mart.name) + body)
        # Default privileges give this to bi_reader already where bootstrap ran; a bought Postgres may have skipped it.
        connection.execute(_format("grant select on reporting.{} to bi_reader", mart.name))
    return changed + _comments(connection, mart)


def _body(mart: Mart) -> sql.Composed:
    from psycopg import sql

    columns = sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in mart.shown)
    body = sql.SQL("select {} from marts.{}").format(columns, sql.Identifier(mart.name))
    if mart.versioned:
        # A scalar subquery is computed once per query; the bare function would be called per row.
        body += sql.SQL(" where recorded_run <= (select reporting.published_run())"
                        " and superseded_run > (select reporting.published_run())")
    return body


def _wanted(connection: psycopg.Connection, body: sql.Composed) -> str:
    """How Postgres itself would store the definition: the only spelling that can be compared."""
    from psycopg import sql

    connection.execute(sql.SQL("create temporary view definition_ as ") + body)
    text = connection.execute("select pg_get_viewdef('pg_temp.definition_'::regclass)").fetchone()[0]
    connection.execute("drop view pg_temp.definition_")
    return text


def _present(connection: psycopg.Connection, name: str) -> str | None:
    row = connection.execute("select pg_get_viewdef(to_regclass(%s))", (f'reporting."{name}"',)).fetchone()
    return row[0]


def _extends(connection: psycopg.Connection, mart: Mart) -> bool:
    """True where Postgres can replace in place: the old columns, same names and types, are the first of the new."""
    rows = connection.execute(
        "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a "
        "where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped order by a.attnum",
        (f'reporting."{mart.name}"',)).fetchall()
    return rows == [(name, kind) for name, kind, _ in mart.shown][: len(rows)]


def _comments(connection: psycopg.Connection, mart: Mart) -> list[str]:
    rows = connection.execute(
        "select 0, obj_description(to_regclass(%(view)s), 'pg_class') union all "
        "select a.attnum, col_description(a.attrelid, a.attnum) from pg_attribute a "
        "where a.attrelid = to_regclass(%(view)s) and a.attnum > 0 and not a.attisdropped order by 1",
        {"view": f'reporting."{mart.name}"'}).fetchall()
    present = [said for _, said in rows]
    wanted = [mart.comment, *(said for _, _, said in mart.shown)]
    if present == wanted:
        return []
    from psycopg import sql

    if present[0] != wanted[0]:
        connection.execute(_format("comment on view reporting.{} is ", mart.name) + sql.Literal(mart.comment))
    for (column, _, said), old in zip(mart.shown, present[1:], strict=True):
        if said != old:
            connection.execute(_format("comment on column reporting.{}.{} is ", mart.name, column) + sql.Literal(said))
    return [f"described reporting.{mart.name}"]


def _format(text: str, *names: str) -> sql.Composed:
    from psycopg import sql

    return sql.SQL(text).format(*(sql.Identifier(name) for name in names))
