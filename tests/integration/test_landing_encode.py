"""What the encoder writes is what Postgres reads, for every type; the hash sees values and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tieout.landing import encode
from tieout.landing.typed import AMOUNT, STAMP

pytestmark = pytest.mark.usefixtures("warehouse")

COLUMNS = {
    "t text": pa.string(),
    "i bigint": pa.int64(),
    "n numeric": AMOUNT,
    "b boolean": pa.bool_(),
    "d date": pa.date32(),
    "s timestamptz": STAMP,
    "j jsonb": pa.string(),
}
ROW = st.tuples(
    st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.decimals(allow_nan=False, places=18, min_value=-(10**18) + 1, max_value=10**18 - 1),
    st.none() | st.booleans(),
    st.none() | st.dates(date(1900, 1, 1), date(2199, 12, 31)),
    st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31)).map(lambda d: d.replace(tzinfo=UTC)),
    st.none() | st.sampled_from(['{"a": 1.5}', "[]", '"ä"', "1"]),
)


def written(db: psycopg.Connection, rows: list[tuple], batch: int = 7) -> tuple[list[tuple], list[int]]:
    """(values as Postgres read them, hashes)."""
    arrays = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), COLUMNS.values(), strict=True)]
    db.execute(f"create temp table encoded ({', '.join(COLUMNS)}, h bigint, batch bigint) on commit drop")
    with db.cursor() as cursor, cursor.copy("copy encoded from stdin (format binary)") as copy:
        copy.write(encode.HEADER)
        for block in encode.blocks(encode.copy_rows(arrays, [pa.repeat(batch, len(rows))], json=[6]).data):
            copy.write(block)
        copy.write(encode.TRAILER)
    found = db.execute("select t, i, n, b, d, s, j::text, batch, h from encoded").fetchall()
    db.rollback()
    assert {row[7] for row in found} == {batch}
    return [row[:7] for row in found], [row[8] for row in found]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=1, max_size=8))
def test_every_value_arrives(loader: psycopg.Connection, rows: list[tuple]) -> None:
    loader.autocommit = False
    found, hashes = written(loader, rows)
    assert found == rows
    _, alone = zip(*(written(loader, [row]) for row in rows), strict=True)
    assert [one for (one,) in alone] == hashes, "a row's hash does not depend on its neighbours"
    assert all((hashes[0] == other) == (rows[0] == row) for row, other in zip(rows, hashes, strict=True))


def test_hash_leaves_the_tail_out_and_sees_where_a_value_stands(loader: psycopg.Connection) -> None:
    loader.autocommit = False
    empty = (None,) * 7
    one = ("a", *empty[1:])
    assert written(loader, [one], 1)[1] == written(loader, [one], 2)[1]
    rows = [one, ("", *empty[1:]), empty, (None, 0, *empty[2:]), (None, None, Decimal(0), *empty[3:])]
    _, hashes = written(loader, rows)
    assert len(set(hashes)) == len(rows)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("1234.50", "1234.5"),
        ("100", "100"),
        ("0", "0"),
        ("-0.01", "-0.01"),
        ("0.000000000000000001", "0." + "0" * 17 + "1"),
    ],
)
def test_numeric_shows_the_decimals_it_needs(loader: psycopg.Connection, amount: str, shown: str) -> None:
    loader.autocommit = False
    loader.execute("create temp table shown (n numeric, h bigint) on commit drop")
    with loader.cursor() as cursor, cursor.copy("copy shown from stdin (format binary)") as copy:
        copy.write(encode.HEADER)
        copy.write(encode.copy_rows([pa.array([Decimal(amount)], AMOUNT)], []).data)
        copy.write(encode.TRAILER)
    assert loader.execute("select n::text from shown").fetchone() == (shown,)
    loader.rollback()
