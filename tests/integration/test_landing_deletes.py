"""Lines follow their documents, lists of deletions are applied, complete sets sweep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.integration.conftest import END, Rows, current, land, stream_of
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.extract import Page, Window
from tieout.landing.land import land_connection, land_stream
from tieout.spec import Column, Connection, ParentLink, Stream

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")


def header(key: str, stamp: str = "2025-01-02 10:00:00", **more: object) -> dict:
    return {"id": key, "recordtype": "invoice", "type": "CustInvc", "lastmodifieddate": stamp, **more}


def line(key: str, transaction: str, amount: str = "-5.00") -> dict:
    return {"uniquekey": key, "transaction": transaction, "foreignamount": amount}


def lines(*records: dict, parents: tuple[str, ...] = ()) -> Page:
    return json_page("transactionline", list(records), parents=parents)


def child_window(full: bool = False) -> Window:
    return Window(None if full else datetime(2025, 1, 1, tzinfo=UTC), END, full=full)


def land_lines(netsuite: Connection, extractor: FakeExtractor, *, full: bool = False):
    return land_stream(netsuite, stream_of(netsuite, "transactionline"), child_window(full), extractor, None)


def test_first_load_of_lines_is_the_complete_set_then_only_changed_documents(netsuite: Connection, rows: Rows) -> None:
    land(netsuite, "transaction", [json_page("transaction", [header("1"), header("2"), header("3")])])
    first = FakeExtractor({"transactionline": [lines(line("11", "1"), line("12", "1"), line("21", "2"))]})
    result = land_lines(netsuite, first)
    assert (result.mode, result.landed) == ("full", 3)
    assert [(w.full, keys) for _, w, keys in first.asked] == [(True, None)]

    nothing = FakeExtractor()
    assert land_lines(netsuite, nothing).received == 0
    assert nothing.asked == [], "no document changed, so nobody is asked"

    land(netsuite, "transaction", [json_page("transaction", [header("1", "2025-02-01 00:00:00"), header("2")])])
    second = FakeExtractor({"transactionline": [lines(line("11", "1", "-6.00"), line("13", "1"), parents=("1",))]})
    result = land_lines(netsuite, second)
    assert [keys for _, _, keys in second.asked] == [["1"]]
    assert (result.received, result.landed, result.deleted) == (2, 2, 1)
    assert rows(
        "select _key, foreignamount::int from raw.netsuite__transactionline where _superseded_batch is null "
        "and not _is_deleted order by 1"
    ) == [("11", -6), ("13", -5), ("21", -5)]


def test_lines_are_read_next_time_when_their_load_failed_after_the_documents_landed(netsuite: Connection) -> None:
    land(netsuite, "transaction", [json_page("transaction", [header("1")])])
    land_lines(netsuite, FakeExtractor({"transactionline": [lines(line("11", "1"))]}))
    changed = [json_page("transaction", [header("1", "2025-02-01 00:00:00")])]
    land(netsuite, "transaction", changed)
    with pytest.raises(ZeroDivisionError):
        land_lines(netsuite, FakeExtractor({"transactionline": lambda window, parents: [1 / 0]}))
    land(netsuite, "transaction", changed)
    again = FakeExtractor({"transactionline": [lines(line("11", "1"), parents=("1",))]})
    land_lines(netsuite, again)
    assert [keys for _, _, keys in again.asked] == [["1"]]


def test_parent_without_lines_loses_all_of_them_and_others_keep_theirs(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    land(netsuite, "transactionline", [lines(line("11", "1"), line("21", "2"))], full=True)
    result = land(netsuite, "transactionline", [lines(parents=("1",))], parents=["1"])
    assert (result.received, result.deleted) == (0, 1)
    assert set(current(loader, "netsuite__transactionline", "transaction")) == {"21"}


def test_quarantined_line_is_not_taken_for_deleted(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "transactionline", [lines(line("11", "1"), line("12", "1"))], full=True)
    result = land(netsuite, "transactionline", [lines(line("11", "1", "many"), parents=("1",))], parents=["1"])
    assert (result.quarantined, result.deleted) == (1, 1)
    assert set(current(loader, "netsuite__transactionline", "transaction")) == {"11"}


def deleted(*records: tuple[str, str, str]) -> list[Page]:
    return [
        json_page(
            "deletedrecord",
            [
                {"recordid": key, "recordtypeid": "1", "type": kind, "deleteddate": stamp}
                for key, kind, stamp in records
            ],
        )
    ]


def test_feed_closes_the_right_kind_of_record_and_its_lines(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "transaction", [json_page("transaction", [header("1"), header("2")])])
    land(netsuite, "transactionline", [lines(line("11", "1"), line("21", "2"))], full=True)
    land(netsuite, "customer", [json_page("customer", [{"id": "1", "lastmodifieddate": "2025-01-01 00:00:00"}])])
    land(netsuite, "item", [json_page("item", [{"id": "1"}, {"id": "5"}])])
    result = land(
        netsuite,
        "deletedrecord",
        deleted(
            ("1", "invoice", "2025-02-01 00:00:00"),
            ("5", "inventoryitem", "2025-02-01 00:00:00"),
            ("2", "customrecord_x", "2025-02-01 00:00:00"),
        ),
    )
    assert (result.landed, result.deleted) == (3, 3)
    assert set(current(loader, "netsuite__transaction", "id")) == {"2"}
    assert set(current(loader, "netsuite__transactionline", "transaction")) == {"21"}
    assert set(current(loader, "netsuite__customer", "id")) == {"1"}, "customer 1 is not transaction 1"
    assert set(current(loader, "netsuite__item", "id")) == {"1"}
    ((stamp,),) = loader.execute("select _modified_at from raw.netsuite__transaction where _is_deleted").fetchall()
    assert stamp == datetime(2025, 2, 1, 8, tzinfo=UTC)


def test_old_window_landed_again_does_not_bring_a_deleted_record_back(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    old = [json_page("transaction", [header("1"), header("2")])]
    land(netsuite, "transaction", old)
    land(netsuite, "deletedrecord", deleted(("1", "invoice", "2025-02-01 00:00:00")))
    assert land(netsuite, "transaction", old).unchanged == 2
    assert set(current(loader, "netsuite__transaction", "id")) == {"2"}


def test_feed_that_landed_before_its_records_still_counts(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "deletedrecord", deleted(("1", "invoice", "2025-02-01 00:00:00")))
    result = land(netsuite, "transaction", [json_page("transaction", [header("1"), header("2")])])
    assert (result.landed, result.deleted) == (2, 1)
    assert set(current(loader, "netsuite__transaction", "id")) == {"2"}


def test_record_changed_after_its_deletion_came_back(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "deletedrecord", deleted(("1", "invoice", "2025-02-01 00:00:00")))
    land(netsuite, "transaction", [json_page("transaction", [header("1", "2025-03-01 00:00:00")])])
    assert set(current(loader, "netsuite__transaction", "id")) == {"1"}


def link(key: str, stamp: str = "2025-01-02 10:00:00") -> dict:
    return {
        "previousdoc": key,
        "previousline": "0",
        "nextdoc": "9",
        "nextline": "0",
        "linktype": "Payment",
        "foreignamount": "1",
        "lastmodifieddate": stamp,
    }


def test_sweep_compares_all_keys_once_a_day(netsuite: Connection, loader: psycopg.Connection) -> None:
    windows = []

    def serve(found: list[dict]):
        def pages(window: Window, parents: object) -> list[Page]:
            windows.append(window.full)
            return [json_page("nexttransactionlink", found)]

        return pages

    def run(found: list[dict], now: datetime):
        source = FakeExtractor({"nexttransactionlink": serve(found)}, now=now)
        return land_connection(netsuite, None, streams=["nexttransactionlink"], extractor=source)

    run([link(str(i)) for i in range(10)], END)
    run([], END + timedelta(hours=1))
    assert len(current(loader, "netsuite__nexttransactionlink", "linktype")) == 10
    (result,) = run([link(str(i)) for i in range(9)], END + timedelta(hours=25))
    assert windows == [True, False, True]
    assert (result.mode, result.unchanged, result.deleted) == ("full", 9, 1)
    assert len(current(loader, "netsuite__nexttransactionlink", "linktype")) == 9


@pytest.fixture
def shop(netsuite: Connection, warehouse: dict[str, str]) -> Iterator[Connection]:
    """A connection whose items hold nested bins, as commerce APIs nest lines in orders."""
    from tieout.landing import ddl
    from tieout.warehouse import connect

    bins = Stream(
        name="bin",
        table="netsuite__bin",
        key=("item", "number"),
        mode="incremental",
        explode="storage.bins",
        parent=ParentLink(stream="item", column="item"),
        columns=(
            Column(name="item", type="text", field="item_id"),
            Column(name="number", type="integer", field="number"),
            Column(name="amount", type="amount", field="amount"),
        ),
        control_totals=("amount",),
    )
    with connect("owner") as db:
        ddl.ensure_tables(db, [bins])
    yield _with(netsuite, bins)
    with connect("owner") as db:
        db.execute("drop table raw.netsuite__bin")


def _with(connection: Connection, extra: Stream) -> Connection:
    """The connection with one more stream (its source is frozen and shared)."""

    class Extended(Connection):
        def selected(self) -> tuple[Stream, ...]:
            return (*connection.selected(), extra)

    return Extended.model_construct(**{name: getattr(connection, name) for name in Connection.model_fields})


def test_nested_records_become_rows_and_follow_their_parent(
    shop: Connection, rows: Rows, loader: psycopg.Connection
) -> None:
    def items(*bins: dict, stamp: str = "2025-01-02 10:00:00") -> list[Page]:
        return [
            json_page(
                "item",
                [
                    {"id": "7", "lastmodifieddate": stamp, "storage": {"bins": list(bins)}},
                    {"id": "8", "lastmodifieddate": stamp},
                ],
            )
        ]

    land(shop, "item", items({"number": 1, "amount": 1.10}, {"number": 2, "amount": 2.20}))
    result = land(shop, "bin", [])
    assert (result.received, result.landed) == (2, 2)
    assert result.control_totals["amount"]["landed"] == "3.3"
    assert rows("select _key, item, number, amount::text from raw.netsuite__bin order by 1") == [
        ("7|1", "7", 1, "1.1"),
        ("7|2", "7", 2, "2.2"),
    ]
    assert land(shop, "bin", []).received == 0
    land(shop, "item", items({"number": 2, "amount": 2.20}, stamp="2025-02-02 10:00:00"))
    result = land(shop, "bin", [])
    assert (result.received, result.unchanged, result.deleted) == (1, 1, 1)
    assert set(current(loader, "netsuite__bin", "number")) == {"7|2"}
