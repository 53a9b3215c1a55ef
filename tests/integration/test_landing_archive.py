"""The archive is evidence: complete, immutable, verifiable, good for landing again. The quarantine is replayable."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import psycopg
import pyarrow.parquet as pq
import pytest

from tests.conftest import clear_settings, demo_company
from tests.integration.conftest import Rows, current, land, stream_of
from tests.integration.fake_extractor import json_page
from tieout.errors import ArchiveDamaged, LandingError
from tieout.extract import Page
from tieout.landing import archive as archive_room
from tieout.landing import quarantine, replay
from tieout.landing.land import land_pages, reland
from tieout.spec import Connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")


def item(key: str, name: str = "A", stamp: str = "2025-01-02 10:00:00", **more: object) -> dict:
    return {"id": key, "itemid": name, "isinactive": "F", "lastmodifieddate": stamp, **more}


def local(uri: str) -> Path:
    return Path(unquote(urlparse(uri).path))


def test_file_holds_every_record_as_received_and_its_hash(netsuite: Connection) -> None:
    good, bad = item("1", new=1.5), item("2", isinactive="?")
    result = land(netsuite, "item", [json_page("item", [good, bad])])
    path = local(result.archive_uri)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == result.archive_sha256
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    table = pq.read_table(path)
    assert [json.loads(text) for text in table["record"].to_pylist()] == [good, bad]
    assert table["key"].to_pylist() == ["1", "2"]
    assert pq.ParquetFile(path).metadata.row_group(0).column(4).compression == "ZSTD"


def test_archived_pages_land_as_the_originals_did(netsuite: Connection, rows: Rows) -> None:
    pages = [
        json_page(
            "transactionline",
            [{"uniquekey": "11", "transaction": "1", "foreignamount": 1.10, "x": {"y": 2}}],
            parents=("1", "2"),
        ),
        json_page("transactionline", [{"uniquekey": "9"}], deleted=True),
    ]
    result = land(netsuite, "transactionline", pages)
    before = rows("select _key, _row_hash, foreignamount, _extra from raw.netsuite__transactionline")
    kept = list(archive_room.pages(result.archived, "transactionline"))
    assert {key for page in kept for key in page.parents} == {"1", "2"}
    assert [page.deleted for page in kept if page.body != b"[]"] == [False, True]
    other = netsuite.model_copy(update={"name": "copy"})
    land(other, "transactionline", kept)
    assert (
        rows(
            "select _key, _row_hash, foreignamount, _extra from raw.netsuite__transactionline "
            "where _connection = 'copy'"
        )
        == before
    )


def test_csv_batch_is_archived_in_columns_and_lands_again_unchanged(salesforce: Connection) -> None:
    csv = '"Id","Name","Extra__c","SystemModstamp"\n"1","A ""b""\nc","e","2025-01-31T22:04:05.000Z"\n"2","","",""\n'
    first = land(salesforce, "Product2", [Page("Product2", csv.encode(), "csv")])
    assert first.landed == 2
    (again,) = reland(salesforce, [first.batch_id])
    assert (again.mode, again.received, again.unchanged) == ("archive", 2, 2)


def test_a_vendor_that_changes_the_form_within_a_batch_is_refused(salesforce: Connection, rows: Rows) -> None:
    pages = [Page("Product2", b'"Id"\n"1"\n', "csv"), Page("Product2", b'[{"Id":"2"}]')]
    with pytest.raises(LandingError, match="changed the form"):
        land(salesforce, "Product2", pages)
    assert rows("select count(*) from raw.salesforce__product2") == [(0,)]


def test_relanding_an_old_batch_fills_what_is_new_and_leaves_younger_versions(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    old = land(
        netsuite,
        "account",
        [json_page("account", [{"id": "1", "fullname": "a"}, {"id": "2", "fullname": "b"}])],
        full=True,
    )
    land(
        netsuite,
        "account",
        [json_page("account", [{"id": "1", "fullname": "A"}, {"id": "2", "fullname": "b"}])],
        full=True,
    )
    (result,) = reland(netsuite, [old.batch_id])
    assert (result.landed, result.unchanged) == (0, 2), "accounts have no stamp; the younger batch wins"
    assert current(loader, "netsuite__account", "fullname") == {"1": "A", "2": "b"}
    assert result.archive_uri == old.archive_uri


def test_fsspec_url_as_archive(netsuite: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEOUT_ARCHIVE_URL", "memory://bucket/archive")
    clear_settings()
    result = land(netsuite, "item", [json_page("item", [item("1")])])
    assert result.archive_uri.startswith("memory://")
    (page,) = archive_room.pages(result.archived, "item")
    assert json.loads(page.body) == [item("1")]
    with pytest.raises(LandingError):
        land(netsuite, "item", _broken)
    import fsspec

    assert len(fsspec.filesystem("memory").find("/bucket")) == 1


def _broken(window: object, parents: object) -> Iterator[Page]:
    yield json_page("item", [item("2")])
    raise LandingError("stop")


def test_missing_archive_is_an_error(netsuite: Connection) -> None:
    with pytest.raises(LandingError, match="no archive"):
        reland(netsuite, [12345])
    nowhere = archive_room.Archived("file:///nowhere/x.parquet", "00", 1, "netsuite.item, batch 7")
    with pytest.raises(ArchiveDamaged, match="netsuite.item, batch 7: .*x.parquet is missing"):
        list(archive_room.pages(nowhere, "item"))


# --- quarantine -------------------------------------------------------------------------------------------------------


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tieout.yml, from which a replay learns the connection."""
    path = tmp_path / "tieout.yml"
    path.write_text(json.dumps(demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})))
    monkeypatch.setenv("TIEOUT_CONFIG", str(path))
    clear_settings()


@pytest.mark.usefixtures("configured")
def test_replay_lands_what_fits_now_and_keeps_what_does_not(
    netsuite: Connection, loader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tieout.landing import typed

    land(netsuite, "item", [json_page("item", [item("1", isinactive="yes"), item("2", isinactive="maybe"), item("3")])])
    assert [entry.record_key for entry in quarantine.list("netsuite", "item")] == ["2", "1"]
    monkeypatch.setattr(typed, "_TRUE", typed._TRUE | {"yes"})
    result = replay.replay("netsuite", "item")
    assert (result.mode, result.received, result.landed, result.quarantined) == ("replay", 2, 1, 1)
    assert current(loader, "netsuite__item", "isinactive") == {"1": True, "3": False}
    (left,) = quarantine.list("netsuite", "item")
    assert (left.record_key, left.batch_id) == ("2", result.batch_id)
    assert sorted(entry.status for entry in quarantine.list(status=None)) == ["open", "replayed", "superseded"]


@pytest.mark.usefixtures("configured")
def test_replay_of_an_older_record_does_not_overwrite(
    netsuite: Connection, loader: psycopg.Connection, rows: Rows
) -> None:
    land(netsuite, "item", [json_page("item", [item("1", "old", isinactive="?")])])
    land(netsuite, "item", [json_page("item", [item("1", "new", "2025-02-02 10:00:00")])])
    assert quarantine.list("netsuite", "item") == (), "the younger good version settles the case"
    assert rows("select note like 'a good version landed in batch %' from ops.quarantine") == [(True,)]
    assert replay.replay("netsuite", "item") is None


def test_the_same_bad_record_again_is_one_open_case_with_its_age(netsuite: Connection, rows: Rows) -> None:
    bad = [json_page("item", [item("1", isinactive="?")])]
    land(netsuite, "item", bad)
    ((seen,),) = rows("select first_seen_at from ops.quarantine")
    land(netsuite, "item", bad)
    assert rows("select status, first_seen_at from ops.quarantine order by quarantine_id") == [
        ("superseded", seen),
        ("open", seen),
    ]


def test_waiver_holds_when_the_record_comes_again(netsuite: Connection) -> None:
    bad = [json_page("item", [item("1", isinactive="?")])]
    land(netsuite, "item", bad)
    (entry,) = quarantine.list()
    with pytest.raises(LandingError, match="needs a reason"):
        quarantine.waive([entry.quarantine_id], " ")
    assert quarantine.waive([entry.quarantine_id], "test data, says J. Doe") == 1
    assert land(netsuite, "item", bad).quarantined == 1
    assert quarantine.list() == ()


def test_duplicate_keys_can_be_replayed_under_the_vendors_names(salesforce: Connection, rows: Rows) -> None:
    body = json.dumps([{"Id": "1", "Name": "a"}, {"Id": "1", "Name": "b"}]).encode()
    land(salesforce, "User", [Page("User", body)], full=True)
    (entry,) = quarantine.list()
    assert json.loads(entry.payload)["Name"] == "a"
    result = land_pages(
        salesforce, stream_of(salesforce, "User"), [Page("User", f"[{entry.payload}]".encode())], mode="replay"
    )
    assert (result.quarantined, result.landed, result.drift.get("new_fields")) == (0, 1, None)


def test_thousands_of_refused_records_cost_no_memory_and_lose_nothing(netsuite: Connection, rows: Rows) -> None:
    bad = [item(str(i), isinactive='"\n\\,=?', displayname="x" * 500) for i in range(20_000)]
    result = land(netsuite, "item", [json_page("item", bad)])
    assert (result.quarantined, result.landed) == (20_000, 0)
    assert rows("select count(distinct record_key), min(value) from ops.quarantine") == [(20_000, '"\n\\,=?')]


def test_what_a_killed_load_left_goes_even_if_who_removes_it_is_killed(
    netsuite: Connection, loader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load writes its file and dies; the next one takes the lock and dies before it has removed the file."""
    path = local(land(netsuite, "item", [json_page("item", [item("1")])]).archive_uri)
    batch_id = int(path.name.partition("-")[0])
    loader.execute("update ops.load set state = 'running', finished_at = null where batch_id = %s", (batch_id,))
    loader.commit()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(archive_room, "remove_leavings", killed)
        with pytest.raises(KeyboardInterrupt):
            land(netsuite, "item", [json_page("item", [item("2")])])
    assert path.exists()
    land(netsuite, "item", [json_page("item", [item("2")])])
    assert not path.exists()
    state = loader.execute("select state, error from ops.load where batch_id = %s", (batch_id,)).fetchone()
    assert state[0] == "failed" and state[1].startswith("interrupted")
