"""Exports: what readers see, as CSV or Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tieout.errors import PublishError
from tieout.publish.asof import as_of

if TYPE_CHECKING:
    from datetime import date

    import psycopg
    import pyarrow as pa

BATCH_ROWS = 50_000
# numeric without declared precision: more digits than any amount or rate needs.
DECIMALS = (38, 10)


def export(
    view: str, path: Path, *, when: int | date | None = None, form: Literal["csv", "parquet"] | None = None
) -> int:
    """Write `reporting.<view>` of one publication to `path`; returns the number of rows.

    The form is that of the file's ending unless given. The file appears whole or not at all. Raises PublishError.
    """
    form = form or {".csv": "csv", ".parquet": "parquet"}.get(path.suffix)  # type: ignore[assignment]
    if form not in ("csv", "parquet"):
        raise PublishError(f"{path}: what form?", hint="name the file .csv or .parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.half")
    try:
        with as_of(when) as connection:
            _known(connection, view)
            rows = _csv(connection, view, half) if form == "csv" else _parquet(connection, view, half)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    return rows


def _known(connection: psycopg.Connection, view: str) -> None:
    rows = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'reporting' order by 1").fetchall()
    names = [name for (name,) in rows]
    if view not in names:
        raise PublishError(f"there is no reporting.{view}", hint=f"known: {', '.join(names) or 'nothing is published'}")


def _csv(connection: psycopg.Connection, view: str, path: Path) -> int:
    """RFC 4180 with a header, dates in ISO form, NULL as the empty field."""
    from psycopg import sql

    query = sql.SQL("copy (select * from reporting.{} order by 1) to stdout (format csv, header)")
    with connection.cursor() as cursor, path.open("wb") as handle:
        with cursor.copy(query.format(sql.Identifier(view))) as copy:
            for block in copy:
                handle.write(block)
        return cursor.rowcount


def _parquet(connection: psycopg.Connection, view: str, path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from psycopg import sql

    rows = 0
    with connection.cursor(name="export") as cursor:
        cursor.itersize = BATCH_ROWS
        cursor.execute(sql.SQL("select * from reporting.{} order by 1").format(sql.Identifier(view)))
        schema = pa.schema([(column.name, _arrow_type(column)) for column in cursor.description or ()])
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            while block := cursor.fetchmany(BATCH_ROWS):
                columns = [pa.array(_values(column, field.type), type=field.type)
                           for column, field in zip(zip(*block, strict=True), schema, strict=True)]
                writer.write_batch(pa.record_batch(columns, schema=schema))
                rows += len(block)
    return rows


def _values(column: tuple, kind: pa.DataType) -> list:
    """JSON as text; numbers at the column's declared scale, or rounded to ten places where none is declared."""
    import json
    from decimal import Decimal

    import pyarrow as pa

    if pa.types.is_string(kind):
        plain = (str, type(None))
        return [value if isinstance(value, plain) else json.dumps(value, default=str) for value in column]
    if pa.types.is_decimal(kind):
        unit = Decimal(1).scaleb(-kind.scale)
        return [None if value is None else value.quantize(unit) for value in column]
    return list(column)


def _arrow_type(column: psycopg.Column) -> pa.DataType:
    import pyarrow as pa

    if column.type_display.startswith("numeric"):
        precision, scale = (column.precision, column.scale) if column.precision else DECIMALS
        return pa.decimal128(min(precision, 38), scale)
    return {
        "int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64(), "bool": pa.bool_(), "date": pa.date32(),
        "timestamptz": pa.timestamp("us", tz="UTC"), "timestamp": pa.timestamp("us"),
    }.get(column.type_display.split("(")[0], pa.string())
