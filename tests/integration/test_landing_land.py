"""One window of one stream: what lands, what does not, and that the figures always add up."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tests.integration.conftest import END, Rows, current, land, stream_of
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.errors import LandingError, ReloadGuardError, SourceError, WarehouseError
from tieout.extract import Page, Window
from tieout.landing import archive as archive_room
from tieout.landing.land import LoadResult, land_stream
from tieout.spec import Connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

EARLY, LATE = "2025-01-02 10:00:00", "2025-01-03 10:00:00"


def tran(key: str, total: object = "10.50", stamp: str = EARLY, **more: object) -> dict:
    return {
        "id": key,
        "foreigntotal": total,
        "posting": "T",
        "trandate": "2025-01-02",
        "lastmodifieddate": stamp,
        "links": [],
        **more,
    }


def page(*records: dict, **options: object) -> Page:
    return json_page("transaction", list(records), noise=("links",), **options)


def figures(result: LoadResult) -> tuple[int, ...]:
    """(received, landed, unchanged, replayed, quarantined, deleted)"""
    return (result.received, result.landed, result.unchanged, result.replayed, result.quarantined, result.deleted)


def assert_conserved(result: LoadResult) -> None:
    assert result.received == result.landed + result.unchanged + result.replayed + result.quarantined
    for sums in result.control_totals.values():
        amounts = {outcome: Decimal(text) for outcome, text in sums.items()}
        assert amounts.pop("received") == sum(amounts.values())


def test_first_load_is_typed_and_recorded(netsuite: Connection, rows: Rows) -> None:
    result = land(netsuite, "transaction", [page(tran("1", "1234.50"), tran("2", 7, posting="F", memo="Grüße"))])
    assert figures(result) == (2, 2, 0, 0, 0, 0)
    assert result.control_totals == {
        "foreigntotal": {
            "received": "1241.5",
            "landed": "1241.5",
            "unchanged": "0",
            "replayed": "0",
            "quarantined": "0",
        }
    }
    found = rows(
        "select id, foreigntotal, posting, trandate::text, lastmodifieddate, memo, _connection, _key, _modified_at, "
        "_is_deleted, _batch_id, _superseded_batch, _extra from raw.netsuite__transaction order by id"
    )
    stamp = datetime(2025, 1, 2, 18, tzinfo=UTC)
    batch = result.batch_id
    assert found == [
        ("1", Decimal("1234.5"), True, "2025-01-02", stamp, None, "netsuite", "1", stamp, False, batch, None, None),
        ("2", Decimal("7"), False, "2025-01-02", stamp, "Grüße", "netsuite", "2", stamp, False, batch, None, None),
    ]
    assert rows(
        "select state, received, landed, control_totals->'foreigntotal'->>'landed', archive_sha256, cursor_low, "
        "requests from ops.load"
    ) == [("committed", 2, 2, "1241.5", result.archive_sha256, stamp, 1)]


def test_same_window_again_changes_nothing(netsuite: Connection, rows: Rows) -> None:
    pages = [page(tran("1"), tran("2"), tran("3"))]
    land(netsuite, "transaction", pages)
    before = rows("select * from raw.netsuite__transaction order by _key")
    again = land(netsuite, "transaction", pages)
    assert figures(again) == (3, 0, 3, 0, 0, 0)
    assert rows("select * from raw.netsuite__transaction order by _key") == before


def test_a_change_closes_one_version_and_opens_another(netsuite: Connection, rows: Rows) -> None:
    first = land(netsuite, "transaction", [page(tran("1"), tran("2"))])
    second = land(netsuite, "transaction", [page(tran("1", "11.00", LATE), tran("2"))])
    assert figures(second) == (2, 1, 1, 0, 0, 0)
    assert rows(
        "select _key, foreigntotal, _batch_id, _superseded_batch from raw.netsuite__transaction order by 1, 3"
    ) == [
        ("1", Decimal("10.5"), first.batch_id, second.batch_id),
        ("1", Decimal(11), second.batch_id, None),
        ("2", Decimal("10.5"), first.batch_id, None),
    ]


def test_an_older_record_never_overwrites_a_younger_version(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "transaction", [page(tran("1", "11.00", LATE))])
    result = land(netsuite, "transaction", [page(tran("1", "10.00", EARLY))])
    assert figures(result) == (1, 0, 1, 0, 0, 0)
    assert current(loader, "netsuite__transaction", "foreigntotal") == {"1": Decimal(11)}


def test_in_the_hour_that_the_clock_repeats_the_last_answer_wins(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    """01:50 before the change and 01:10 after it: the second is younger, though its stamp reads older."""
    land(netsuite, "transaction", [page(tran("1", "1", "2025-11-02 01:50:00"))], end=END + timedelta(days=300))
    land(netsuite, "transaction", [page(tran("1", "2", "2025-11-02 01:10:00"))], end=END + timedelta(days=300))
    assert current(loader, "netsuite__transaction", "foreigntotal") == {"1": Decimal(2)}


@pytest.mark.parametrize("staged", [False, True], ids=["empty table", "compared"])
def test_repeats_within_a_batch(netsuite: Connection, rows: Rows, staged: bool) -> None:
    """An exact repeat is replayed; an older version is unchanged; the same stamp with other content is quarantined."""
    if staged:
        land(netsuite, "transaction", [page(tran("9"))])
    result = land(
        netsuite,
        "transaction",
        [
            page(tran("1", "5"), tran("2", "6")),
            page(tran("1", "5"), tran("2", "7", LATE)),
            page(tran("3", "1")),
            page(tran("3", "2")),
        ],
    )
    assert figures(result) == (6, 3, 1, 1, 1, 0)
    assert_conserved(result)
    assert rows("select _key, foreigntotal::int from raw.netsuite__transaction where _key < '9' order by 1") == [
        ("1", 5),
        ("2", 7),
        ("3", 2),
    ]
    ((key, code, payload),) = rows("select record_key, reason_code, payload from ops.quarantine")
    assert (key, code) == ("3", "duplicate_key")
    assert json.loads(payload)["foreigntotal"] == 1


def test_the_order_of_pages_does_not_matter(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "transaction", [page(tran("1", "2", LATE)), page(tran("1", "1", EARLY))])
    assert current(loader, "netsuite__transaction", "foreigntotal") == {"1": Decimal(2)}


@pytest.mark.parametrize(
    ("bad", "field", "code"),
    [
        (tran("1", "12,50"), "foreigntotal", "type_error"),
        (tran("1", "ten"), "foreigntotal", "type_error"),
        (tran("1", "1000000000000000000"), "foreigntotal", "out_of_range"),
        (tran("1", trandate="9999-01-01"), "trandate", "out_of_range"),
        (tran("1", trandate="31.01.2025"), "trandate", "type_error"),
        (tran("1", posting="X"), "posting", "type_error"),
        (tran("1", memo="a\x00b"), "memo", "nul_in_text"),
        (tran("1", memo={"nested": 1}), "memo", "type_error"),
        (tran("1", newfield="a\x00b"), "newfield", "nul_in_text"),
    ],
)
def test_a_bad_value_sends_its_record_to_quarantine_and_only_it(
    netsuite: Connection, rows: Rows, bad: dict, field: str, code: str
) -> None:
    result = land(netsuite, "transaction", [page(bad, tran("2"))])
    assert figures(result) == (2, 1, 0, 0, 1, 0)
    assert_conserved(result)
    ((key, found_field, found_code, payload, status),) = rows(
        "select record_key, field, reason_code, payload, status from ops.quarantine"
    )
    assert (key, found_field, found_code, status) == ("1", field, code, "open")
    assert json.loads(payload) == bad
    assert rows("select _key from raw.netsuite__transaction") == [("2",)]


def test_amounts_of_refused_records_are_counted_where_they_can_be_read(netsuite: Connection) -> None:
    result = land(netsuite, "transaction", [page(tran("1", "5", trandate="?"), tran("2", "oops"), tran("3", "2.25"))])
    assert result.control_totals["foreigntotal"] == {
        "received": "7.25",
        "landed": "2.25",
        "unchanged": "0",
        "replayed": "0",
        "quarantined": "5",
    }


def test_record_without_a_key(netsuite: Connection, rows: Rows) -> None:
    keyless = tran("1")
    del keyless["id"]
    result = land(netsuite, "transaction", [page(keyless, tran(""), tran("2"))])
    assert figures(result) == (3, 1, 0, 0, 2, 0)
    assert rows("select distinct record_key, field, reason_code from ops.quarantine") == [(None, "id", "missing_key")]


def test_exact_decimals_and_open_end_are_good(netsuite: Connection, rows: Rows) -> None:
    result = land(netsuite, "transaction", [page(tran("1", "0.123456789012345678", trandate="9999-12-31"))])
    assert result.landed == 1
    assert rows("select foreigntotal::text, trandate::text from raw.netsuite__transaction") == [
        ("0.123456789012345678", "9999-12-31")
    ]


def test_page_cut_in_half_commits_nothing_and_leaves_no_file(netsuite: Connection, rows: Rows, archive: Path) -> None:
    whole = page(tran("2"))
    with pytest.raises(SourceError, match=r"netsuite\.transaction"):
        land(
            netsuite,
            "transaction",
            [page(*(tran(str(i)) for i in range(20_000))), Page("transaction", whole.body[:-9], records="items")],
        )
    assert rows("select count(*) from raw.netsuite__transaction") == [(0,)]
    ((state, error),) = rows("select state, error from ops.load")
    assert state == "failed" and "SourceError" in error
    assert [path for path in archive.rglob("*") if path.is_file()] == []


def test_vendor_that_fails_midway_commits_nothing(netsuite: Connection, rows: Rows) -> None:
    class Failing(FakeExtractor):
        def pages(self, stream, window, parents=None):
            yield page(*(tran(str(i)) for i in range(20_000)))
            raise SourceError("netsuite: 503", hint="again")

    window = Window(None, END)
    with pytest.raises(SourceError, match="503"):
        land_stream(netsuite, stream_of(netsuite, "transaction"), window, Failing(), None)
    assert rows("select count(*) from raw.netsuite__transaction") == [(0,)]
    assert land(netsuite, "transaction", [page(tran("1"))]).landed == 1


def test_full_archive_disk_commits_nothing_and_leaves_no_file(
    netsuite: Connection, rows: Rows, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = archive_room.open_local

    class Full:
        def __init__(self, path: str) -> None:
            self._file = real(path)

        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        def __getattr__(self, name: str):
            return getattr(self._file, name)

    monkeypatch.setattr(archive_room, "open_local", Full)
    with pytest.raises(LandingError, match="No space left on device"):
        land(netsuite, "transaction", [page(*(tran(str(i)) for i in range(20_000)))])
    assert rows("select state from ops.load") == [("failed",)]
    assert rows("select count(*) from raw.netsuite__transaction") == [(0,)]
    assert [path for path in archive.rglob("*") if path.is_file()] == []
    monkeypatch.setattr(archive_room, "open_local", real)
    assert land(netsuite, "transaction", [page(tran("1"))]).landed == 1


def test_postgres_that_goes_away_is_named_and_the_next_run_is_clean(
    netsuite: Connection, rows: Rows, warehouse_home: Path, archive: Path
) -> None:
    def cut(window, parents):
        with psycopg.connect(
            host="127.0.0.1",
            port=(warehouse_home / "pg" / "port").read_text(),
            user="postgres",
            dbname="tieout",
            autocommit=True,
            password=(warehouse_home / "pg" / "superuser").read_text(),
        ) as root:
            root.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tieout land %'"
            )
        return [page(*(tran(str(i)) for i in range(40_000)))]

    with pytest.raises(WarehouseError, match=r"netsuite\.transaction"):
        land(netsuite, "transaction", cut)
    assert rows("select state from ops.load") == [("running",)], "nobody could record the failure"
    assert [path for path in archive.rglob("*") if path.is_file()] == []
    assert land(netsuite, "transaction", [page(tran("1"))]).landed == 1
    assert rows("select state, error like 'interrupted%' from ops.load order by 1") == [
        ("committed", None),
        ("failed", True),
    ]


def test_crash_between_archive_and_commit_leaves_a_clean_rerun(
    netsuite: Connection, rows: Rows, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tieout.landing import ledger

    real = ledger.commit

    def crash(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger, "commit", crash)
    with pytest.raises(KeyboardInterrupt):
        land(netsuite, "transaction", [page(tran("1"))])
    assert rows("select count(*) from raw.netsuite__transaction") == [(0,)]
    assert [path for path in archive.rglob("*") if path.is_file()] == []
    monkeypatch.setattr(ledger, "commit", real)
    assert land(netsuite, "transaction", [page(tran("1"))]).landed == 1


def test_two_runs_of_one_window_wait_for_one_another(netsuite: Connection, rows: Rows) -> None:
    inside, results = [], []
    entered = threading.Event()

    def slow(window, parents):
        inside.append(1)
        assert len(inside) == 1, "two runs are in the window at once"
        entered.set()
        threading.Event().wait(0.3)
        inside.pop()
        return [page(*(tran(str(i)) for i in range(50)))]

    threads = [threading.Thread(target=lambda: results.append(land(netsuite, "transaction", slow))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    for thread in threads:
        thread.join(30)
    assert sorted(figures(result) for result in results) == [(50, 0, 50, 0, 0, 0)] * 2 + [(50, 50, 0, 0, 0, 0)]
    assert rows("select count(*) from raw.netsuite__transaction") == [(50,)]


def test_readers_of_batches_stay_behind_a_load_in_flight(netsuite: Connection, rows: Rows) -> None:
    first = land(netsuite, "transaction", [page(tran("1"))])
    seen = []

    def look(window, parents):
        land(netsuite, "item", [json_page("item", [{"id": "1", "lastmodifieddate": EARLY}])])
        seen.append(rows("select ops.settled_batch_id()")[0][0])
        return [page(tran("2"))]

    second = land(netsuite, "transaction", look)
    assert seen == [first.batch_id] and second.batch_id == first.batch_id + 1
    assert rows("select ops.settled_batch_id()") == [(first.batch_id + 2,)]


def test_same_record_has_the_same_hash_through_json_and_csv(salesforce: Connection, loader: psycopg.Connection) -> None:
    record = {
        "attributes": {"type": "Opportunity"},
        "Id": "006A",
        "Name": "Käse",
        "Amount": 1234.5,
        "Probability": 10.0,
        "IsClosed": True,
        "IsWon": False,
        "CloseDate": "2025-01-31",
        "AccountId": None,
        "SystemModstamp": "2025-01-31T22:04:05.000+0000",
        "IsDeleted": False,
    }
    csv = (
        '"Id","Name","Amount","Probability","IsClosed","IsWon","CloseDate","AccountId","SystemModstamp","IsDeleted"\n'
        '"006A","Käse","1234.50","10","true","false","2025-01-31","","2025-01-31T22:04:05.000Z","false"\n'
    )
    land(
        salesforce,
        "Opportunity",
        [Page("Opportunity", json.dumps({"records": [record]}).encode(), records="records", noise=("attributes",))],
    )
    result = land(salesforce, "Opportunity", [Page("Opportunity", csv.encode(), "csv")])
    assert figures(result) == (1, 0, 1, 0, 0, 0)


def test_drift_is_recorded(salesforce: Connection, rows: Rows) -> None:
    record = {"Id": "001", "Surprise__c": 1, "SystemModstamp": "2025-01-31T22:04:05.000+0000", "IsDeleted": False}
    result = land(salesforce, "Product2", [Page("Product2", json.dumps([record]).encode())])
    assert result.drift["new_fields"] == ["Surprise__c"]
    assert "Name" in result.drift["missing_fields"] and "StockKeepingUnit" not in result.drift["missing_fields"]
    assert rows("select _extra from raw.salesforce__product2") == [({"Surprise__c": 1},)]
    assert rows("select drift->'new_fields' from ops.load") == [(["Surprise__c"],)]


def test_full_load_deletes_what_is_absent_and_guards_against_shrinking(netsuite: Connection, rows: Rows) -> None:
    def accounts(count: int) -> list[Page]:
        return [json_page("account", [{"id": str(i), "acctnumber": str(4000 + i)} for i in range(count)])]

    land(netsuite, "account", accounts(10), full=True)
    result = land(netsuite, "account", accounts(8), full=True)
    assert figures(result) == (8, 0, 8, 0, 0, 2)
    assert rows("select _key, acctnumber from raw.netsuite__account where _is_deleted order by 1") == [
        ("8", "4008"),
        ("9", "4009"),
    ]
    with pytest.raises(ReloadGuardError, match="brought 6 keys, 8 are current"):
        land(netsuite, "account", accounts(6), full=True)
    with pytest.raises(ReloadGuardError, match="brought 0 keys"):
        land(netsuite, "account", [], full=True)
    assert rows("select count(*) from raw.netsuite__account where _superseded_batch is null and not _is_deleted") == [
        (8,)
    ]
    again = land(netsuite, "account", accounts(10), full=True)
    assert figures(again) == (10, 2, 8, 0, 0, 0), "what came back is current again"


def test_quarantined_record_of_a_full_load_is_not_taken_for_deleted(netsuite: Connection, rows: Rows) -> None:
    good = [{"id": str(i), "isinactive": "F"} for i in range(10)]
    land(netsuite, "account", [json_page("account", good)], full=True)
    result = land(netsuite, "account", [json_page("account", [{"id": "0", "isinactive": "?"}, *good[1:]])], full=True)
    assert figures(result) == (10, 0, 9, 0, 1, 0)
    result = land(netsuite, "account", [json_page("account", [{"isinactive": "F"}, *good[1:]])], full=True)
    assert figures(result) == (10, 0, 9, 0, 1, 0)
    assert "deletes_withheld" in result.drift


def test_notices_of_deletion_become_tombstones(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "item", [json_page("item", [{"id": "1", "itemid": "A"}, {"id": "2", "itemid": "B"}])])
    result = land(netsuite, "item", [json_page("item", [{"id": "1"}, {"id": "77"}], deleted=True)])
    assert figures(result) == (2, 1, 1, 0, 0, 0)
    assert current(loader, "netsuite__item", "itemid") == {"2": "B"}
    assert current(loader, "netsuite__item", "itemid", deleted=True) == {"1": "A"}
    assert figures(land(netsuite, "item", [json_page("item", [{"id": "1"}], deleted=True)])) == (1, 0, 1, 0, 0, 0)


def test_notice_in_the_very_first_batch(netsuite: Connection, loader: psycopg.Connection) -> None:
    result = land(
        netsuite,
        "item",
        [json_page("item", [{"id": "1"}, {"id": "2"}]), json_page("item", [{"id": "1"}], deleted=True)],
    )
    assert_conserved(result)
    assert current(loader, "netsuite__item", "id") == {"2": "2"}


def test_deleted_flag_of_the_record(salesforce: Connection, loader: psycopg.Connection) -> None:
    def one(deleted: bool) -> list[Page]:
        return [Page("Product2", json.dumps([{"Id": "01t", "Name": "P", "IsDeleted": deleted}]).encode())]

    land(salesforce, "Product2", one(False))
    result = land(salesforce, "Product2", one(True))
    assert figures(result) == (1, 1, 0, 0, 0, 0)
    assert current(loader, "salesforce__product2", "name") == {}
    assert current(loader, "salesforce__product2", "name", deleted=True) == {"01t": "P"}


def test_two_connections_share_a_table_and_not_their_rows(netsuite: Connection, rows: Rows) -> None:
    other = netsuite.model_copy(update={"name": "netsuite_eu"})
    land(netsuite, "account", [json_page("account", [{"id": "1"}, {"id": "2"}])], full=True)
    land(other, "account", [json_page("account", [{"id": "1"}])], full=True)
    land(other, "account", [json_page("account", [{"id": "1"}])], full=True)
    assert rows(
        "select _connection, count(*) from raw.netsuite__account where not _is_deleted group by 1 order by 1"
    ) == [("netsuite", 2), ("netsuite_eu", 1)]
