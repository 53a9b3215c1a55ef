"""Raw tables from specs: declared columns typed, ours beside them, every identifier quoted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tieout.errors import LandingError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

    from tieout.spec import Stream

PG_TYPES = {
    "text": "text", "integer": "bigint", "amount": "numeric", "rate": "numeric", "boolean": "boolean", "date": "date",
    "timestamp": "timestamptz", "json": "jsonb",
}
# Ours. A version is current while `_superseded_batch` is null; `_row_hash` covers the declared columns and `_extra`.
OURS = {
    "_connection": "text not null", "_key": "text not null", "_modified_at": "timestamptz",
    "_is_deleted": "boolean not null", "_batch_id": "bigint not null", "_superseded_batch": "bigint",
    "_landed_at": "timestamptz not null default now()", "_row_hash": "bigint not null", "_extra": "jsonb",
}


def ensure_tables(connection: psycopg.Connection, streams: Iterable[Stream]) -> list[str]:
    """Create absent raw tables and add newly declared columns, as owner, in the caller's transaction.

    Returns a line per change. A column whose declared type changed is refused (LandingError): its history has the old
    type, and silently keeping either would lie.
    """
    done: list[str] = []
    for stream in streams:
        present = _columns(connection, stream.table)
        if not present:
            connection.execute(_create(stream))
            done.append(f"created raw.{stream.table}")
        else:
            done += _extend(connection, stream, present)
        for statement in _indexes(stream) + _grants(stream):
            connection.execute(statement)
    return done


def _columns(connection: psycopg.Connection, table: str) -> dict[str, str]:
    rows = connection.execute(
        "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a "
        "join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = 'raw' and c.relname = %s and a.attnum > 0 and not a.attisdropped order by a.attnum",
        (table,))
    return dict(rows.fetchall())


def _create(stream: Stream) -> sql.Composed:
    from psycopg import sql

    ours = [sql.SQL("{} " + kind).format(sql.Identifier(name)) for name, kind in OURS.items()]
    declared = [sql.SQL("{} " + PG_TYPES[c.type]).format(sql.Identifier(c.name)) for c in stream.columns]
    # toast_tuple_target: with many text columns the default pushes values out of line, and reading them costs 13 times.
    return sql.SQL("create table raw.{} ({}) with (toast_tuple_target = 8160)").format(
        sql.Identifier(stream.table), sql.SQL(", ").join(declared + ours))


def _extend(connection: psycopg.Connection, stream: Stream, present: dict[str, str]) -> list[str]:
    from psycopg import sql

    long_names = {"timestamptz": "timestamp with time zone"}
    done = []
    for column in stream.columns:
        wanted = PG_TYPES[column.type]
        if column.name not in present:
            connection.execute(sql.SQL("alter table raw.{} add column {} " + wanted).format(
                sql.Identifier(stream.table), sql.Identifier(column.name)))
            done.append(f"added raw.{stream.table}.{column.name}")
        elif present[column.name] != long_names.get(wanted, wanted):
            raise LandingError(
                f"raw.{stream.table}.{column.name} is {present[column.name]} and now declared as {wanted}",
                hint="declare it under a new name, or alter the column yourself and land the stream in full")
    return done


def _indexes(stream: Stream) -> list[sql.Composed]:
    """The current version of a key; a batch's rows; the rows that a batch closed; a parent's current lines; lookups.

    The key comes before the connection: few connections share a table, and comparing keys first is a third cheaper.
    """
    from psycopg import sql

    table = sql.Identifier(stream.table)
    made = {
        "key": "create unique index if not exists {} on raw.{} (_key, _connection) where _superseded_batch is null",
        "batch": "create index if not exists {} on raw.{} (_batch_id)",
        "closed": "create index if not exists {} on raw.{} (_superseded_batch) where _superseded_batch is not null",
    }
    statements = [
        sql.SQL(text).format(sql.Identifier(_name(stream.table, suffix)), table) for suffix, text in made.items()]
    found_by = [("parent", stream.parent.column)] if stream.parent else []
    for suffix, column in found_by + [(f"by_{column}", column) for column in stream.lookups]:
        statements.append(sql.SQL(
            "create index if not exists {} on raw.{} (_connection, {}) where _superseded_batch is null").format(
            sql.Identifier(_name(stream.table, suffix)), table, sql.Identifier(column)))
    return statements


def _name(table: str, suffix: str) -> str:
    """Within Postgres's 63 bytes even for the longest table."""
    return f"{table[: 62 - len(suffix)]}_{suffix}"


def _grants(stream: Stream) -> list[sql.Composed]:
    """Versions are append-only by right: the loader may insert, and of a stored version change one column only."""
    from psycopg import sql

    table = sql.Identifier(stream.table)
    return [
        sql.SQL("grant select, insert, update (_superseded_batch) on raw.{} to tieout_loader").format(table),
        sql.SQL("grant select on raw.{} to tieout_transformer").format(table),
    ]
