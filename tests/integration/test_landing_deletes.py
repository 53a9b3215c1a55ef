"""Lines follow their documents, lists of deletions are applied, complete sets sweep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.integration.conftest import END, Rows, current, land, stream_of
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.errors import ReloadGuardError
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
    assert [keys for _, _, keys in nothing.asked] == [None], "no document changed: only the lines' own stamps are asked"

    land(netsuite, "transaction", [json_page("transaction", [header("1", "2025-02-01 00:00:00"), header("2")])])
    of_one = lines(line("11", "1", "-6.00"), line("13", "1"), parents=("1",))
    second = FakeExtractor({"transactionline": lambda window, parents: [of_one] if parents else []})
    result = land_lines(netsuite, second)
    assert [keys for _, _, keys in second.asked] == [None, ["1"]]
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
    assert [keys for _, _, keys in again.asked] == [None, ["1"]]


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


def test_line_that_changed_without_its_document_is_found_by_its_own_stamp(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    land(netsuite, "transaction", [json_page("transaction", [header("1")])])
    land_lines(netsuite, FakeExtractor({"transactionline": [lines(line("11", "1"), line("12", "1"))]}))
    changed = {**line("12", "1", "-7.00"), "linelastmodifieddate": "2025-01-05 10:00:00"}
    asked = FakeExtractor({"transactionline": lambda window, parents: [] if parents else [lines(changed)]})
    result = land_lines(netsuite, asked)
    assert [keys for _, _, keys in asked.asked] == [None]
    assert (result.mode, result.received, result.landed, result.deleted) == ("incremental", 1, 1, 0)
    held = current(loader, "netsuite__transactionline", "foreignamount")
    assert {key: int(amount) for key, amount in held.items()} == {"11": -5, "12": -7}


def test_lines_of_a_document_that_was_gone_before_it_landed_go_too(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    """Document 2 was made after the documents were read and deleted before they were read again; its lines landed."""
    land(netsuite, "transaction", [json_page("transaction", [header("1")])])
    land_lines(netsuite, FakeExtractor({"transactionline": [lines(line("11", "1"), line("21", "2"))]}))
    land(netsuite, "transaction", [])
    land(netsuite, "deletedrecord", deleted(("2", "invoice", "2025-02-01 00:00:00")))
    gone = FakeExtractor({"transactionline": lambda window, parents: [lines(parents=("2",))] if parents else []})
    assert land_lines(netsuite, gone).deleted == 1
    assert [keys for _, _, keys in gone.asked] == [None, ["2"]]
    assert set(current(loader, "netsuite__transactionline", "transaction")) == {"11"}


def test_deletion_in_the_hour_that_the_clock_repeats_counts(netsuite: Connection, loader: psycopg.Connection) -> None:
    """Changed at 01:50, deleted twenty minutes later at 01:10: the list's stamp reads older than the record's."""
    record = [json_page("transaction", [header("1", "2025-11-02 01:50:00")])]
    land(netsuite, "transaction", record)
    assert land(netsuite, "deletedrecord", deleted(("1", "invoice", "2025-11-02 01:10:00"))).deleted == 1
    assert current(loader, "netsuite__transaction", "id") == {}
    again = land(netsuite, "transaction", record)
    assert (again.landed, again.unchanged, again.deleted) == (0, 1, 0)


def test_record_deleted_in_the_second_of_its_last_change_stays_deleted_when_it_lands_again(
    netsuite: Connection, rows: Rows
) -> None:
    record = [json_page("transaction", [header("1", "2025-02-01 00:00:00")])]
    land(netsuite, "transaction", record)
    land(netsuite, "deletedrecord", deleted(("1", "invoice", "2025-02-01 00:00:00")))
    before = rows("select * from raw.netsuite__transaction order by _batch_id, _is_deleted")
    again = land(netsuite, "transaction", record)
    assert (again.landed, again.unchanged, again.deleted) == (0, 1, 0)
    assert rows("select * from raw.netsuite__transaction order by _batch_id, _is_deleted") == before


def test_record_absent_from_a_complete_set_comes_back_with_its_old_stamp(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    """A role that lost and regained sight of a record: nothing about the record changed, and no list names it."""
    records = [json_page("transaction", [header(str(key)) for key in range(10)])]
    land(netsuite, "transaction", records, full=True)
    land(netsuite, "transaction", [json_page("transaction", [header(str(key)) for key in range(9)])], full=True)
    assert len(current(loader, "netsuite__transaction", "id")) == 9
    assert land(netsuite, "transaction", records, full=True).landed == 1
    assert len(current(loader, "netsuite__transaction", "id")) == 10


def item(key: str, stamp: str) -> dict:
    return {"id": key, "itemid": "A", "lastmodifieddate": stamp}


def notice(key: str, stamp: str) -> list[Page]:
    return [json_page("item", [{"id": key, "lastmodifieddate": stamp}], deleted=True)]


def test_stamped_notice_that_lands_before_the_record_is_remembered(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    result = land(netsuite, "item", notice("1", "2025-02-01 00:00:00"))
    assert (result.received, result.landed) == (1, 1)
    older = land(netsuite, "item", [json_page("item", [item("1", "2025-01-01 00:00:00")])])
    assert (older.landed, older.unchanged) == (0, 1)
    assert current(loader, "netsuite__item", "itemid") == {}
    land(netsuite, "item", [json_page("item", [item("1", "2025-03-01 00:00:00")])])
    assert current(loader, "netsuite__item", "itemid") == {"1": "A"}, "it came back after its deletion"


def test_second_deletion_of_a_key_outlives_the_state_between_the_two(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    land(netsuite, "item", [json_page("item", [item("1", "2025-01-01 00:00:00")])])
    land(netsuite, "item", notice("1", "2025-01-02 00:00:00"))
    assert land(netsuite, "item", notice("1", "2025-01-04 00:00:00")).landed == 1
    assert land(netsuite, "item", notice("1", "2025-01-04 00:00:00")).unchanged == 1
    land(netsuite, "item", [json_page("item", [item("1", "2025-01-03 00:00:00")])])
    assert current(loader, "netsuite__item", "itemid") == {}


def product(key: int, *, deleted: bool = False) -> dict:
    return {"Id": f"01t{key}", "Name": "P", "IsDeleted": deleted, "SystemModstamp": "2025-01-31T22:04:05.000+0000"}


def products(*records: dict) -> list[Page]:
    return [json_page("Product2", list(records))]


def test_records_deleted_long_ago_do_not_make_a_set_look_complete(
    salesforce: Connection, loader: psycopg.Connection
) -> None:
    """Ten live; a full answer with five of them and five tombstones of years ago is not eighty percent of ten."""
    bin_ = [product(key, deleted=True) for key in range(50, 55)]
    land(salesforce, "Product2", products(*(product(key) for key in range(10)), *bin_), full=True)
    with pytest.raises(ReloadGuardError, match="brought 5 keys, 10 are current"):
        land(salesforce, "Product2", products(*(product(key) for key in range(5)), *bin_), full=True)
    told = [product(key, deleted=key >= 5) for key in range(10)]
    result = land(salesforce, "Product2", products(*told, *bin_), full=True)
    assert (result.landed, result.deleted) == (5, 0), "deletions that the records themselves tell are believed"
    assert len(current(loader, "salesforce__product2", "name")) == 5
