"""SAP's tables as files, landed: other tools read from them what we did, row for row and column for column."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars
import pytest

from simulator.company import generate
from simulator.sap_files import write_tables
from tests.conftest import clear_settings
from tests.integration.transform_company import own_warehouse
from tieout import settings
from tieout.landing.windows import land_connection
from tieout.spec import Column, load_source
from tieout.warehouse import connect, migrate

TABLES, UNIVERSAL = "sap_tables_plain", "sap_tables_universal"
STREAMS = {stream.name: stream for stream in load_source("sap_tables").streams}
TIEOUT_YML = """
version: 1
connections:
  sap_tables_plain:
    system: sap_tables
    auth: none
    time_zone: UTC
    options: {url: DROPS, ready: {quiet: 0s}}
  sap_tables_universal:
    system: sap_tables
    auth: none
    time_zone: UTC
    unit: other
    options: {url: DROPS, ready: {quiet: 0s}, journal: ACDOCA}
"""


@pytest.fixture(scope="module")
def drops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The manufacturing unit's tables as files, landed with either journal."""
    folder = tmp_path_factory.mktemp("manufacturing")
    generate(folder, seed=7, size="1k", level=1, of="manufacturing")
    drops = folder / "drops"
    written = write_tables(folder, drops)
    assert set(written) == set(STREAMS)
    with own_warehouse(TIEOUT_YML.replace("DROPS", str(drops))):
        clear_settings()
        company = settings.settings().company
        migrate(company)
        for name in (TABLES, UNIVERSAL):
            results = {each.stream: each for each in land_connection(company.connection(name), None)}
            assert not any(each.quarantined for each in results.values())
            left_out = {"ACDOCA"} if name == TABLES else {"BKPF", "BSEG"}
            assert results.keys() == STREAMS.keys() - left_out, "one journal of the two"
            assert {table: each.landed for table, each in results.items()} == {
                table: count for table, count in written.items() if table not in left_out}
        yield drops


def rows(statement: str) -> list[tuple[Any, ...]]:
    with connect("transformer") as books:
        return books.execute(statement).fetchall()


@pytest.mark.parametrize("table", STREAMS)
def test_duckdb_and_polars_read_the_same_files_row_for_row(drops: Path, table: str) -> None:
    """Each reads a file by its own rules; what we landed is exactly those rows, every value of every column."""
    path, columns = next(drops.glob(f"{table}_*.csv")), STREAMS[table].columns
    header = path.open(encoding="utf-8").readline().strip().split(";")
    wanted = [column for column in columns if column.field in header]
    connection = UNIVERSAL if table == "ACDOCA" else TABLES
    ours = rows(f"select {', '.join(column.name for column in wanted)} from raw.sap_tables__{table.lower()} "
                f"where _connection = '{connection}' and _superseded_batch is null and not _is_deleted")
    ducks = duckdb.sql(f"select {', '.join(_duck(column) for column in wanted)} "
                       f"from read_csv('{path}', delim=';', all_varchar=true, header=true)").fetchall()
    bears = polars.read_csv(path, separator=";", infer_schema=False).select(
        [_bear(column).alias(column.name) for column in wanted]).rows()
    assert len(ours) == len(ducks) == len(bears) > 0
    assert _comparable(ours) == _comparable(ducks) == _comparable(bears)


def _comparable(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    exact = [tuple(value.normalize() if isinstance(value, Decimal) else value for value in row) for row in found]
    return sorted(exact, key=repr)


def _duck(column: Column) -> str:
    text = f"nullif(trim({column.field}), '')"
    if column.type == "date":
        return f"try_strptime(nullif({text}, '00000000'), '%Y%m%d')::date"
    if column.type in ("amount", "rate"):
        signed = f"case when {text} like '%-' then '-' || rtrim({text}, '-') else {text} end"
        return f"cast({signed} as decimal(28, 5))"
    return f"cast({text} as integer)" if column.type == "integer" else text


def _bear(column: Column) -> polars.Expr:
    text = polars.col(column.field).str.strip_chars().replace("", None)
    if column.type == "date":
        return text.replace("00000000", None).str.to_date("%Y%m%d")
    if column.type in ("amount", "rate"):
        signed = polars.when(text.str.ends_with("-")).then("-" + text.str.strip_chars_end("-")).otherwise(text)
        return signed.cast(polars.Decimal(28, 5))
    return text.cast(polars.Int64) if column.type == "integer" else text
