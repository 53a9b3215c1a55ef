"""Typing is exact or refuses, says why, and gives the same value whatever the form it came in."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.landing.typed import type_column
from tieout.spec import Column

ANGELES = ZoneInfo("America/Los_Angeles")


def typed(kind: str, *values: object, zone: ZoneInfo = ANGELES) -> tuple[list, list[tuple[int, str]]]:
    """(values, [(row, code)]) of JSON-like values."""
    column = Column(name="c", type=kind, field="C")
    array, faults = type_column(column, list(values), len(values), zone)
    return array.to_pylist(), [(fault.row, fault.code) for fault in faults]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "received", "value"),
    [
        ("text", "", ""),
        ("text", 12, "12"),
        ("text", True, "true"),
        ("text", "Ä\u2028", "Ä\u2028"),
        ("integer", "12", 12),
        ("integer", 12, 12),
        ("integer", "12.0", 12),
        ("integer", "", None),
        ("integer", -(2**63), -(2**63)),
        ("amount", "1234.50", Decimal("1234.50")),
        ("amount", "-0.1", Decimal("-0.1")),
        ("amount", 7, Decimal(7)),
        ("amount", "1e3", Decimal(1000)),
        ("amount", "", None),
        ("amount", "0.123456789012345678", Decimal("0.123456789012345678")),
        ("amount", "999999999999999999.99", Decimal("999999999999999999.99")),
        ("rate", "0.0000615384615384615384", Decimal("0.000061538461538462")),
        ("boolean", True, True),
        ("boolean", "T", True),
        ("boolean", "F", False),
        ("boolean", "false", False),
        ("boolean", "", None),
        ("date", "2025-01-31", date(2025, 1, 31)),
        ("date", "9999-12-31", date(9999, 12, 31)),
        ("date", "2025-01-31T00:00:00Z", date(2025, 1, 31)),
        ("date", "1900-01-01", date(1900, 1, 1)),
        ("date", "/Date(1767225600000)/", date(2026, 1, 1)),
        ("date", "/Date(-86400000)/", date(1969, 12, 31)),
        ("date", "/Date(253402214400000)/", date(9999, 12, 31)),
        ("date", "2199-12-31", date(2199, 12, 31)),
        ("date", "", None),
        ("timestamp", "2025-01-31T22:04:05.000+0000", utc(2025, 1, 31, 22, 4, 5)),
        ("timestamp", "2025-01-31T22:04:05.000Z", utc(2025, 1, 31, 22, 4, 5)),
        ("timestamp", "2025-01-31T22:04:05+02:00", utc(2025, 1, 31, 20, 4, 5)),
        ("timestamp", "2025-01-31 22:04:05", utc(2025, 2, 1, 6, 4, 5)),
        ("timestamp", "2025-07-31 22:04:05", utc(2025, 8, 1, 5, 4, 5)),
        ("timestamp", "2025-01-31T22:04:05.123456789Z", datetime(2025, 1, 31, 22, 4, 5, 123456, tzinfo=UTC)),
        ("timestamp", "9999-12-31T00:00:00Z", utc(9999, 12, 31)),
    ],
)
def test_value_that_fits(kind: str, received: object, value: object) -> None:
    assert typed(kind, received) == ([value], [])


@pytest.mark.parametrize(
    ("kind", "received", "code"),
    [
        ("text", {"a": 1}, "type_error"),
        ("text", ["a"], "type_error"),
        ("text", "a\x00b", "nul_in_text"),
        ("integer", "12.5", "type_error"),
        ("integer", "twelve", "type_error"),
        ("integer", 2**63, "out_of_range"),
        ("integer", "0x1F", "type_error"),
        ("integer", True, "type_error"),
        ("amount", "12,50", "type_error"),
        ("amount", "n/a", "type_error"),
        ("amount", "NaN", "type_error"),
        ("amount", "Infinity", "type_error"),
        ("amount", "1_000", "type_error"),
        ("amount", True, "type_error"),
        ("amount", {}, "type_error"),
        ("amount", "1000000000000000000", "out_of_range"),
        ("amount", "12345678901234567890123456789012345678901234", "out_of_range"),
        ("amount", "0.1234567890123456789", "out_of_range"),
        ("boolean", "perhaps", "type_error"),
        ("boolean", 2, "type_error"),
        ("date", "31.01.2025", "type_error"),
        ("date", "2025-02-30", "type_error"),
        ("date", "20250131", "type_error"),
        ("date", "2025-01-31T10:00:00Z", "type_error"),
        ("date", 20250131, "type_error"),
        ("date", "9999-12-30", "out_of_range"),
        ("date", "2200-01-01", "out_of_range"),
        ("date", "1899-12-31", "out_of_range"),
        ("date", "0001-01-01", "out_of_range"),
        ("timestamp", "yesterday", "type_error"),
        ("timestamp", 1735689600, "type_error"),
        ("timestamp", "2025-01-31T25:00:00Z", "type_error"),
        ("timestamp", "3025-01-31T22:04:05Z", "out_of_range"),
    ],
)
def test_value_that_does_not_fit(kind: str, received: object, code: str) -> None:
    assert typed(kind, received) == ([None], [(0, code)])


def test_one_bad_value_leaves_its_neighbours_alone() -> None:
    assert typed("amount", "1.5", "x", None, 2) == ([Decimal("1.5"), None, None, Decimal(2)], [(1, "type_error")])


def test_hour_that_the_clock_repeats_is_read_as_its_first_occurrence_and_the_skipped_one_is_defined() -> None:
    values, faults = typed("timestamp", "2025-11-02 01:30:00", "2025-11-02 02:30:00", "2025-03-09 02:30:00")
    assert not faults
    assert values == [utc(2025, 11, 2, 8, 30), utc(2025, 11, 2, 10, 30), utc(2025, 3, 9, 10)]


def test_offsets_and_local_stamps_in_one_column() -> None:
    values, faults = typed("timestamp", "2025-01-31T22:04:05Z", "2025-01-31 22:04:05")
    assert (values, faults) == ([utc(2025, 1, 31, 22, 4, 5), utc(2025, 2, 1, 6, 4, 5)], [])


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**17), max_value=10**17))
def test_amounts_keep_every_digit(amount: Decimal) -> None:
    assert typed("amount", str(amount)) == ([amount], [])


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.decimals(allow_nan=False, places=2, min_value=-(10**12), max_value=10**12).map(str),
            st.sampled_from(["", "x", "1e400", "--1", "1e-30"]),
        ),
        max_size=8,
    )
)
def test_whole_column_and_value_by_value_agree(values: list[str | None]) -> None:
    together, faults = typed("amount", *values)
    apart = [typed("amount", value) for value in values]
    assert together == [one[0][0] for one in apart]
    assert [row for row, _ in faults] == [row for row, one in enumerate(apart) if one[1]]


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1)),
    st.sampled_from(["UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_local_stamps_agree_with_zoneinfo(local: datetime, zone: str) -> None:
    local = local.replace(microsecond=0)
    expected = local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    skipped = expected.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local
    values, faults = typed("timestamp", local.strftime("%Y-%m-%d %H:%M:%S"), zone=ZoneInfo(zone))
    assert not faults
    assert skipped or values == [expected]


@pytest.mark.parametrize(
    ("kind", "array", "value"),
    [
        ("amount", pa.array([Decimal("1.50")], pa.decimal128(10, 2)), Decimal("1.5")),
        ("amount", pa.array([0.1]), Decimal("0.1")),
        ("amount", pa.array([3]), Decimal(3)),
        ("integer", pa.array([3], pa.int32()), 3),
        ("integer", pa.array([3.0]), 3),
        ("text", pa.array([3]), "3"),
        ("text", pa.array(["a"]).dictionary_encode(), "a"),
        ("boolean", pa.array([True]), True),
        ("date", pa.array([date(2025, 1, 31)]), date(2025, 1, 31)),
        ("timestamp", pa.array([datetime(2025, 1, 31, 22)]), utc(2025, 2, 1, 6)),
        ("timestamp", pa.array([utc(2025, 1, 31, 22)]), utc(2025, 1, 31, 22)),
    ],
)
def test_arrow_columns(kind: str, array: pa.Array, value: object) -> None:
    column = Column(name="c", type=kind, field="C")
    found, faults = type_column(column, array, 1, ANGELES)
    assert (found.to_pylist(), faults) == ([value], [])


@pytest.mark.parametrize(
    ("kind", "array"),
    [
        ("date", pa.array([20_090], pa.int32())),
        ("date", pa.array([1.5])),
        ("timestamp", pa.array([1_735_689_600_000])),
        ("timestamp", pa.array([1_735_689_600], pa.int32())),
    ],
)
def test_a_number_is_no_date(kind: str, array: pa.Array) -> None:
    """Arrow's own cast reads it as days, or microseconds, since 1970: a guess."""
    found, faults = type_column(Column(name="c", type=kind, field="C"), array, 1, ANGELES)
    assert found.to_pylist() == [None]
    assert [fault.code for fault in faults] == ["type_error"]


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (pa.array([{"a": [1, None], "b": "x"}]), '{"a":[1,null],"b":"x"}'),
        (pa.array([[1, 2]]), "[1,2]"),
        (pa.array([True]), "true"),
        (pa.array([1.5]), "1.5"),
        (pa.array([7]), "7"),
    ],
)
def test_arrow_structures_are_json(array: pa.Array, text: str) -> None:
    found, faults = type_column(Column(name="c", type="json", field="C"), array, 1, ANGELES)
    assert (found.to_pylist(), faults) == ([text], [])


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', '{"a": 1e999999}', "[" * 5_000 + "]" * 5_000, "{"])
def test_json_that_postgres_would_refuse_is_refused_here(text: str) -> None:
    _, faults = type_column(Column(name="c", type="json", field="C"), pa.array([text]), 1, ANGELES)
    assert len(faults) == 1


def test_json_is_checked_before_postgres_sees_it() -> None:
    import msgspec

    column = Column(name="c", type="json", field="C")
    raws = [msgspec.Raw(text.encode()) for text in ('{"a":1.50}', "null", '"\\u0000"', '"\\ud800"')]
    found, faults = type_column(column, raws, 4, ANGELES)
    assert found.to_pylist() == ['{"a":1.50}', None, None, None]
    assert [(fault.row, fault.code) for fault in faults] == [(2, "nul_in_text"), (3, "bad_json")]
    assert json.loads(found[0].as_py()) == {"a": 1.5}


def test_ticks_with_an_offset_are_an_instant_and_without_one_a_local_clock():
    berlin = ZoneInfo("Europe/Berlin")
    with_offset, without = "/Date(1767258902000+0060)/", "/Date(1767258902000)/"
    assert typed("timestamp", with_offset, zone=berlin) == ([utc(2026, 1, 1, 9, 15, 2)], [])
    assert typed("timestamp", without, zone=berlin) == ([utc(2026, 1, 1, 8, 15, 2)], [])
    assert typed("timestamp", with_offset, without, "2026-01-01T00:00:00Z", zone=berlin) == (
        [utc(2026, 1, 1, 9, 15, 2), utc(2026, 1, 1, 8, 15, 2), utc(2026, 1, 1)], [])


@pytest.mark.parametrize(("sent", "code"), [
    ("/Date(1767225600001)/", "type_error"),  # a time of day is no date
    ("/Date(253402300800000)/", "out_of_range"),
    ("/Date(99999999999999999999)/", "type_error"),
    ("/Date()/", "type_error"),
    ("/Date(-5000054400000)/", "out_of_range"),  # the year 1811
])
def test_ticks_that_are_no_date_are_refused(sent, code):
    assert typed("date", "/Date(0)/", sent) == ([date(1970, 1, 1), None], [(1, code)])


def test_a_stamp_of_a_file_is_no_date_when_it_has_a_time_of_day():
    column = Column(name="c", type="date", field="C")
    stamps = pa.array([datetime(2026, 1, 1), datetime(2026, 1, 1, 12), None], pa.timestamp("us"))
    array, faults = type_column(column, stamps, 3, ANGELES)
    assert array.to_pylist()[0] == date(2026, 1, 1)
    assert [(fault.row, fault.code) for fault in faults] == [(1, "type_error")]
