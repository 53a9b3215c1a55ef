"""A first load of files on this machine builds the indexes after the rows; nobody waits for it, nothing is lost."""

from __future__ import annotations

import psycopg
import pytest

from tests.integration.conftest import END, Rows, current, stream_of
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.extract import Window
from tieout.landing import loader as room
from tieout.landing.land import LoadResult, land_stream
from tieout.spec import Connection
from tieout.warehouse import connect

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

INDEXES = "select indexname, indexdef from pg_indexes where schemaname = 'raw' and tablename = 'netsuite__currency'"


def land(connection: Connection, pages: list, *, at_hand: bool = True) -> LoadResult:
    window = Window(None, END, full=True)
    found = FakeExtractor({"currency": pages}, at_hand=at_hand)
    return land_stream(connection, stream_of(connection, "currency"), window, found, None)


def page(*records: dict) -> list:
    return [json_page("currency", [{"id": str(r["id"]), "symbol": r["symbol"]} for r in records])]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What each attempt to take the indexes off answered."""
    answers: list[bool] = []
    real = room.suspend_indexes

    def watched(db: psycopg.Connection, target: room.Target) -> bool:
        answers.append(real(db, target))
        return answers[-1]

    monkeypatch.setattr(room, "suspend_indexes", watched)
    return answers


def test_indexes_are_back_after_a_first_load(netsuite: Connection, rows: Rows, asked: list[bool]) -> None:
    before = sorted(rows(INDEXES))
    assert len(before) >= 3
    assert land(netsuite, page({"id": 1, "symbol": "USD"}, {"id": 2, "symbol": "EUR"})).landed == 2
    assert asked == [True]
    assert sorted(rows(INDEXES)) == before
    assert rows("select count(*) from pg_index where not indisvalid") == [(0,)]


def test_a_key_that_comes_twice_is_found_although_no_index_watched(
        netsuite: Connection, rows: Rows, loader: psycopg.Connection, asked: list[bool]) -> None:
    before = sorted(rows(INDEXES))
    result = land(netsuite, page({"id": 1, "symbol": "USD"}, {"id": 2, "symbol": "EUR"}, {"id": 1, "symbol": "USX"}))
    assert asked == [True]
    assert (result.received, result.landed, result.quarantined) == (3, 2, 1)
    assert set(current(loader, "netsuite__currency", "symbol")) == {"1", "2"}
    assert sorted(rows(INDEXES)) == before


def test_a_load_that_fails_leaves_the_indexes(netsuite: Connection, rows: Rows, asked: list[bool]) -> None:
    before = sorted(rows(INDEXES))

    def broken(window, parents):
        yield from page({"id": 1, "symbol": "USD"})
        raise RuntimeError("the disk was pulled out")

    with pytest.raises(RuntimeError):
        land(netsuite, broken)
    assert asked == [True]
    assert sorted(rows(INDEXES)) == before
    assert rows("select count(*) from raw.netsuite__currency") == [(0,)]


def test_a_vendor_behind_a_network_keeps_nobody_waiting(netsuite: Connection, asked: list[bool]) -> None:
    assert land(netsuite, page({"id": 1, "symbol": "USD"}), at_hand=False).landed == 1
    assert asked == [], "an hour of paging must not hold an exclusive lock"


def test_a_table_in_use_keeps_its_indexes(netsuite: Connection, asked: list[bool]) -> None:
    with connect("transformer") as reader:
        reader.execute("select count(*) from raw.netsuite__currency")  # and its transaction stays open
        assert land(netsuite, page({"id": 1, "symbol": "USD"})).landed == 1
    assert asked == [False]


def test_a_table_that_another_connection_filled_keeps_its_indexes(netsuite: Connection, asked: list[bool]) -> None:
    land(netsuite, page({"id": 1, "symbol": "USD"}))
    other = netsuite.model_copy(update={"name": "netsuite_uk"})
    assert land(other, page({"id": 1, "symbol": "GBP"})).landed == 1
    assert asked == [True, False]


def test_the_loader_can_hand_over_no_statement_of_its_own(loader: psycopg.Connection) -> None:
    for statement in ("insert into ops.suspended_index values ('x', 'drop table ops.load')",
                      "select * from ops.suspended_index", "drop index raw.netsuite__currency_key"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            loader.execute(statement)
    for name in ("no_such_table", 'x"; drop table ops.load; --', "pg_class"):
        assert loader.execute("select ops.suspend_indexes(%s)", (name,)).fetchone() == (False,)
    assert loader.execute("select ops.resume_indexes('no_such_table')").fetchone() is not None


def test_only_what_changed_travels_in_full(netsuite: Connection, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[int] = []
    real = room.copy_held

    def watched(db, into, target, held, wanted):
        copied.append(wanted.count)
        return real(db, into, target, held, wanted)

    land(netsuite, page(*({"id": n, "symbol": f"A{n}"} for n in range(50))))
    monkeypatch.setattr(room, "copy_held", watched)
    changed = [{"id": n, "symbol": "new" if n in (7, 31) else f"A{n}"} for n in range(51)]
    result = land(netsuite, page(*changed))
    assert (result.landed, result.unchanged, copied) == (3, 48, [3])
    assert rows("select _key from raw.netsuite__currency where symbol = 'new' order by 1") == [("31",), ("7",)]
