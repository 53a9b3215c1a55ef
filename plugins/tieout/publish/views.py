"""Schema reporting: one view per versioned mart, showing exactly the versions valid at the published run.

A view is made anew only when its definition changes; publishing never touches one. A mart without versions (a calendar,
the currencies) is copied when a run is published: dbt replaces such a table at every build and would take a view on it
along, and readers would lose it until the next publication. All is owned by tieout_publisher: readers need no other
right. `rec_break` is shown with what the register says about each break.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tieout import logs, warehouse
from tieout.errors import PublishError
from tieout.register import overlay

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

log = logs.logger(__name__)

VERSION_COLUMNS = ("recorded_run", "superseded_run", "row_hash")
OWN_VIEWS = ("publication", "gate_result", "load", "break_event")
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
        """What readers see: all but the version columns, and of breaks what the register says."""
        added = tuple(column[:3] for column in overlay.COLUMNS) if self.registered else ()
        return *self.stored, *added

    @property
    def registered(self) -> bool:
        """Whether it is the mart of breaks."""
        return self.name == overlay.MART and self.versioned

    @property
    def stored(self) -> tuple[tuple[str, str, str | None], ...]:
        """What readers see of the table itself."""
        hidden = set(VERSION_COLUMNS) if self.versioned else set()
        hidden |= {column[0] for column in overlay.COLUMNS} if self.registered else set()
        return tuple(column for column in self.columns if column[0] not in hidden)


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
    kinds = _kinds(connection)
    for mart in marts:
        if kinds.get(mart.name) == ("r" if mart.versioned else "v"):
            connection.execute(_drop(mart.name, kinds[mart.name]))
        changed += _view(connection, mart) if mart.versioned else _copy(connection, mart)
    wanted = {mart.name for mart in marts} | set(OWN_VIEWS)
    for name in sorted(set(kinds) - wanted):
        connection.execute(_drop(name, kinds[name]))
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


def _kinds(connection: psycopg.Connection) -> dict[str, str]:
    """Our views (v) and tables (r) in schema reporting."""
    return dict(connection.execute(
        "select c.relname, c.relkind::text from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = 'reporting' and c.relkind in ('v', 'r') "
        "and pg_get_userbyid(c.relowner) = current_user").fetchall())


def _drop(name: str, kind: str) -> sql.Composed:
    return _format("drop table reporting.{}" if kind == "r" else "drop view reporting.{}", name)


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

    # A scalar subquery is computed once per query; the bare function would be called per row.
    shown = _registered(mart) if mart.registered else _select(mart)
    return shown + sql.SQL(" where recorded_run <= (select reporting.published_run())"
                           " and superseded_run > (select reporting.published_run())")


def _select(mart: Mart) -> sql.Composed:
    from psycopg import sql

    columns = sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in mart.shown)
    return sql.SQL("select {} from marts.{}").format(columns, sql.Identifier(mart.name))


def _registered(mart: Mart) -> sql.Composed:
    from psycopg import sql

    columns = [sql.SQL("b.{}").format(sql.Identifier(name)) for name, _, _ in mart.stored]
    columns += [sql.SQL("{} as {}").format(sql.SQL(f"cast({said} as {kind})"), sql.Identifier(name))
                for name, kind, _, said in overlay.COLUMNS]
    return sql.SQL("select {} from {}").format(sql.SQL(", ").join(columns), sql.SQL(overlay.SOURCE))


def _copy(connection: psycopg.Connection, mart: Mart) -> list[str]:
    """The table for a mart without versions: made here when it is new or has other columns, filled by `copy_plain`."""
    columns = _columns(connection, mart.name)
    changed = []
    if columns != [(name, kind) for name, kind, _ in mart.columns]:
        if columns:
            connection.execute(_drop(mart.name, "r"))
        connection.execute(_format("create table reporting.{} as ", mart.name) + _select(mart))
        connection.execute(_format("grant select on reporting.{} to bi_reader", mart.name))
        changed.append(f"copied marts.{mart.name}")
    return changed + _comments(connection, mart)


def copy_plain(connection: psycopg.Connection) -> list[str]:
    """Bring the copies of marts without versions up to date, in the caller's transaction; readers are not blocked."""
    changed = []
    for mart in _marts(connection):
        if mart.versioned:
            continue
        old, new = _format("select * from reporting.{}", mart.name), _select(mart)
        differs = connection.execute(
            _format("select exists (({0} except all {1}) union all ({1} except all {0}))", old, new)).fetchone()[0]
        if differs:
            connection.execute(_format("delete from reporting.{}", mart.name))
            connection.execute(_format("insert into reporting.{} ", mart.name) + new)
            changed.append(f"copied marts.{mart.name}")
    return changed


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
    columns = _columns(connection, mart.name)
    return columns == [(name, kind) for name, kind, _ in mart.shown][: len(columns)]


def _columns(connection: psycopg.Connection, name: str) -> list[tuple[str, str]]:
    """(name, type) of what stands in schema reporting under that name; empty where nothing does."""
    return connection.execute(
        "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a "
        "where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped order by a.attnum",
        (f'reporting."{name}"',)).fetchall()


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
        kind = "comment on view reporting.{} is " if mart.versioned else "comment on table reporting.{} is "
        connection.execute(_format(kind, mart.name) + sql.Literal(mart.comment))
    for (column, _, said), old in zip(mart.shown, present[1:], strict=True):
        if said != old:
            connection.execute(_format("comment on column reporting.{}.{} is ", mart.name, column) + sql.Literal(said))
    return [f"described reporting.{mart.name}"]


def _format(text: str, *parts: str | sql.Composed) -> sql.Composed:
    """`text` with names quoted and composed parts put in."""
    from psycopg import sql

    return sql.SQL(text).format(*(sql.Identifier(part) if isinstance(part, str) else part for part in parts))
