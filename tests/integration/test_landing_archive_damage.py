"""An archive that is damaged, cut short or missing; what crashes leave there; where it is no local folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlparse

import fsspec
import psycopg
import pyarrow as pa
import pytest

from tests.conftest import clear_settings
from tests.integration.conftest import END, Rows, current, land, stream_of
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.errors import ArchiveDamaged, LandingError
from tieout.extract import Window
from tieout.landing import archive as archive_room
from tieout.landing import parents
from tieout.landing.land import land_again, land_connection, land_pages, land_stream, reland
from tieout.landing.ledger import LoadResult
from tieout.spec import Connection, ParentLink

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")
Damage = Callable[[Path], Any]


def path_of(result: LoadResult) -> Path:
    return Path(urlparse(result.archive_uri).path)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def flip(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "truncated": (cut, "bytes where"), "tampered": (flip, "was changed"), "missing": (Path.unlink, "is missing"),
}


@pytest.fixture(params=DAMAGES)
def damage(request: pytest.FixtureRequest) -> tuple[Damage, str]:
    """What happened to a file, and the word of the error."""
    return DAMAGES[request.param]


def account(number: int, name: str) -> dict[str, str]:
    return {"id": str(number), "fullname": name}


def test_a_damaged_file_is_believed_by_no_reader(netsuite: Connection, damage: tuple[Damage, str]) -> None:
    result = land(netsuite, "account", [json_page("account", [account(1, "a")])], full=True)
    archive_room.verify(result.archived)
    damage[0](path_of(result))
    stream = stream_of(netsuite, "account")
    readers = (
        lambda: list(archive_room.pages(result.archived, "account")),
        lambda: list(archive_room.keys(result.archived)),
        lambda: archive_room.verify(result.archived),
        lambda: list(parents.exploded(netsuite, _nested(stream), result.archived)),
    )
    for reader in readers:
        with pytest.raises(ArchiveDamaged, match=f"netsuite.account, batch {result.batch_id}: .*{damage[1]}") as caught:
            reader()
        assert path_of(result).name in str(caught.value)


def _nested(parent: Any) -> Any:
    """As much of a stream as reading nested records needs."""
    return SimpleNamespace(name="nested", explode="lines", column=lambda _: SimpleNamespace(field="account"),
                           parent=SimpleNamespace(stream=parent.name, column="account"))


def test_a_reland_from_a_damaged_file_names_the_backfill(
    netsuite: Connection, damage: tuple[Damage, str], rows: Rows
) -> None:
    result = land(netsuite, "transaction", [json_page("transaction", [{"id": "1"}])])
    damage[0](path_of(result))
    with pytest.raises(ArchiveDamaged, match="tieout backfill netsuite --from 2025-01-01 --to 2025-06-01 "
                                             "--stream transaction"):
        reland(netsuite, [result.batch_id])
    assert rows("select count(*) from raw.netsuite__transaction") == [(1,)]
    (failed,) = rows("select error from ops.load where state = 'failed'")
    assert "ArchiveDamaged" in failed[0]


def test_lines_whose_parents_archive_is_damaged_are_all_asked_of_the_vendor(
    netsuite: Connection, damage: tuple[Damage, str], loader: psycopg.Connection
) -> None:
    documents = [json_page("transaction", [{"id": "1"}, {"id": "2"}])]
    first = land(netsuite, "transaction", documents)
    lines = [json_page("transactionline", [{"uniquekey": "10", "transaction": "1"}], parents=("1",))]
    land(netsuite, "transactionline", lines)
    damage[0](path_of(first))
    both = [json_page("transactionline", [{"uniquekey": "10", "transaction": "1"},
                                          {"uniquekey": "20", "transaction": "2"}])]
    vendor = FakeExtractor({"transactionline": both})
    result = land_again(netsuite, stream_of(netsuite, "transactionline"), Window(datetime(2025, 1, 1, tzinfo=UTC), END),
                        vendor, None, first.archived)
    assert (result.mode, result.landed) == ("full", 1)
    (asked,) = vendor.asked
    assert asked[1].full and asked[2] is None
    assert set(current(loader, "netsuite__transactionline", "transaction")) == {"10", "20"}


def test_a_scheduled_backfill_survives_a_damaged_parent(
    netsuite: Connection, monkeypatch: pytest.MonkeyPatch, loader: psycopg.Connection
) -> None:
    pages = {
        "transaction": [json_page("transaction", [{"id": "1"}])],
        "transactionline": [json_page("transactionline", [{"uniquekey": "10", "transaction": "1"}])],
    }
    start = datetime(2025, 5, 1, tzinfo=UTC)

    def run() -> list[LoadResult]:
        return land_connection(netsuite, None, start=start, end=END, streams=list(pages), backfill=True,
                               extractor=FakeExtractor(pages), on_progress=spoil)

    def spoil(result: LoadResult) -> None:
        if result.stream == "transaction":
            cut(path_of(result))

    run()
    assert [result.mode for result in run()] == ["incremental", "full"]
    assert set(current(loader, "netsuite__transactionline", "transaction")) == {"10"}


# --- nested records are read from the parent's archive ---------------------------------------------------------------


def _nested_lines(netsuite: Connection) -> Any:
    return stream_of(netsuite, "transactionline").model_copy(
        update={"explode": "lines", "parent": ParentLink(stream="transaction", column="transaction")})


def _document(number: str) -> dict[str, Any]:
    return {"id": number, "lines": [{"uniquekey": f"{number}0"}]}


def test_nested_records_of_a_damaged_archive_are_asked_of_the_vendor_again(
    netsuite: Connection, damage: tuple[Damage, str], rows: Rows
) -> None:
    """One window covers what the damaged batches stood for; what is sound is read where it lies."""
    documents = [land(netsuite, "transaction", [json_page("transaction", [_document(number)])],
                      end=datetime(2025, 6, day, tzinfo=UTC)) for day, number in ((1, "1"), (2, "2"), (3, "3"))]
    for one in documents[:2]:
        damage[0](path_of(one))
    vendor = FakeExtractor({"transaction": [json_page("transaction", [_document("1"), _document("2")])]})
    nested, window = _nested_lines(netsuite), Window(None, datetime(2025, 6, 4, tzinfo=UTC))
    land_stream(netsuite, nested, window, vendor, None)
    assert [(name, asked) for name, asked, _ in vendor.asked] == [
        ("transaction", Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 6, 2, tzinfo=UTC)))]
    assert rows("select _key from raw.netsuite__transactionline order by 1") == [("10",), ("20",), ("30",)]
    land_stream(netsuite, nested, window, vendor, None)
    assert len(vendor.asked) == 1, "what was made up for is not asked again"


def test_a_damaged_batch_without_a_window_makes_the_parent_be_read_whole(
    netsuite: Connection, rows: Rows
) -> None:
    replayed = land_pages(netsuite, stream_of(netsuite, "transaction"),
                          [json_page("transaction", [_document("1")])], mode="incremental")
    flip(path_of(replayed))
    vendor = FakeExtractor({"transaction": [json_page("transaction", [_document("1"), _document("2")])]})
    land_stream(netsuite, _nested_lines(netsuite), Window(None, END), vendor, None)
    assert [asked for _, asked, _ in vendor.asked] == [Window(None, END, full=True)]
    assert rows("select _key from raw.netsuite__transactionline order by 1") == [("10",), ("20",)]


def test_an_archive_that_is_damaged_after_the_look_stops_the_load(
    netsuite: Connection, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    """Nothing is passed over in silence: the load fails, and the next one asks the vendor."""
    batch = land(netsuite, "transaction", [json_page("transaction", [_document("1")])])
    monkeypatch.setattr("tieout.landing.land._is_sound", lambda _: True)
    cut(path_of(batch))
    vendor = FakeExtractor({"transaction": [json_page("transaction", [_document("1")])]})
    with pytest.raises(ArchiveDamaged):
        land_stream(netsuite, _nested_lines(netsuite), Window(None, END), vendor, None)
    monkeypatch.undo()
    assert rows("select count(*) from raw.netsuite__transactionline") == [(0,)]


# --- what crashes leave -----------------------------------------------------------------------------------------------


def _cut_off(loader: psycopg.Connection, stream: str, window_end: datetime | None) -> int:
    return loader.execute(
        "insert into ops.load (connection, system, stream, table_name, mode, window_end)"
        " values ('netsuite', 'netsuite', %s, 't', 'full', %s) returning batch_id", (stream, window_end)).fetchone()[0]


def _leave(archive: Path, stream: str, month: str, batch_id: int, ending: str) -> Path:
    left = archive / "netsuite" / stream / month / f"{batch_id:012d}-0badcafe.parquet{ending}"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half a file")
    return left


def test_the_next_load_removes_what_a_cut_off_one_left(
    netsuite: Connection, archive: Path, loader: psycopg.Connection
) -> None:
    windowed, replayed = _cut_off(loader, "account", END), _cut_off(loader, "account", None)
    elsewhere = _cut_off(loader, "item", END)
    now = f"{datetime.now(UTC):%Y/%m}"
    gone = [_leave(archive, "account", "2025/06", windowed, ".part"), _leave(archive, "account", now, replayed, "")]
    stays = [_leave(archive, "item", "2025/06", elsewhere, ".part"),
             _leave(archive, "account", "2025/06", 999_999, ".part")]
    result = land(netsuite, "account", [json_page("account", [account(1, "a")])], full=True)
    assert [path.exists() for path in gone] == [False, False]
    assert [path.exists() for path in stays] == [True, True], "another stream may be alive; another batch is unknown"
    assert path_of(result).is_file()


def test_a_new_writer_does_not_trip_over_an_old_file(archive: Path) -> None:
    at = datetime(2025, 6, 1, tzinfo=UTC)
    writers = [archive_room.Writer(archive.as_uri(), "netsuite", "item", 7, at) for _ in range(3)]
    for writer in writers:
        _fill(writer)
    assert len({writer.finish().uri for writer in writers}) == 3


def _fill(writer: archive_room.Writer) -> None:
    writer.write(archive_room.RECORD, "json", pa.array(["1"]), pa.nulls(1, pa.timestamp("us", "UTC")),
                 pa.array([False]), pa.array([b"{}"]))


def test_a_commit_whose_answer_never_came_keeps_its_evidence(
    netsuite: Connection, archive: Path, loader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres commits, and the connection breaks before it can say so."""
    from tieout.landing import ledger

    seen: list[psycopg.Connection] = []
    original = ledger.commit

    def remembering(db: psycopg.Connection, batch_id: int, values: dict[str, Any]) -> None:
        original(db, batch_id, values)
        seen.append(db)

    def broken(self: psycopg.Transaction, *arguments: Any) -> Any:
        done = leave(self, *arguments)
        if seen and self.connection is seen[-1] and not arguments[0]:
            self.connection.pgconn.finish()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return done

    leave = psycopg.Transaction.__exit__
    monkeypatch.setattr(ledger, "commit", remembering)
    monkeypatch.setattr(psycopg.Transaction, "__exit__", broken)
    with pytest.raises(Exception, match="Postgres went away while landing"):
        land(netsuite, "account", [json_page("account", [account(1, "a")])], full=True)
    monkeypatch.undo()
    (state, uri), = loader.execute("select state, archive_uri from ops.load").fetchall()
    assert state == "committed" and Path(urlparse(uri).path).is_file()


# --- other systems ----------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """An archive that is no local folder."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    monkeypatch.setenv("TIEOUT_ARCHIVE_URL", "memory://bucket/archive")
    clear_settings()
    yield system
    system.store.clear()


def test_an_object_has_its_name_only_when_it_is_whole(bucket: fsspec.AbstractFileSystem) -> None:
    writer = archive_room.Writer("memory://bucket/archive", "netsuite", "item", 7, END)
    _fill(writer)
    writer._wait()
    assert [name.endswith(".part") for name in bucket.find("/bucket")] == [True]
    finished = writer.finish()
    assert list(bucket.find("/bucket")) == [bucket._strip_protocol(finished.uri)]
    archive_room.verify(finished)


def test_a_crash_between_the_last_write_and_the_name_leaves_no_object_that_could_be_believed(
    bucket: fsspec.AbstractFileSystem, netsuite: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(self: Any, *arguments: Any, **options: Any) -> None:
        raise SystemExit("killed")

    monkeypatch.setattr(type(bucket), "mv", dies)
    with pytest.raises(SystemExit):
        land(netsuite, "account", [json_page("account", [account(1, "a")])], full=True)
    monkeypatch.undo()
    assert not [name for name in bucket.find("/bucket") if name.endswith(".parquet")]


def test_a_partial_object_under_the_finished_name_is_not_believed(
    bucket: fsspec.AbstractFileSystem, netsuite: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIEOUT_ARCHIVE_URL", "memory://bucket/archive")
    clear_settings()
    result = land(netsuite, "account", [json_page("account", [account(1, "a")])], full=True)
    path = bucket._strip_protocol(result.archive_uri)
    whole = bucket.cat(path)
    bucket.pipe(path, whole[: len(whole) // 2])
    with pytest.raises(ArchiveDamaged, match="bytes where"):
        reland(netsuite, [result.batch_id])


def test_an_archive_out_of_reach_is_not_called_damaged(netsuite: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    result = land(netsuite, "account", [json_page("account", [account(1, "a")])], full=True)

    def refuses(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("fsspec.open", refuses)
    with pytest.raises(LandingError, match="cannot be read") as caught:
        archive_room.verify(result.archived)
    assert not isinstance(caught.value, ArchiveDamaged)


def test_the_folders_made_for_a_file_are_as_durable_as_the_file(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the commit must not take a new month's folder along."""
    synced: list[str] = []
    fsync = os.fsync

    def remembering(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", remembering)
    writer = archive_room.Writer(archive.as_uri(), "netsuite", "item", 7, END)
    _fill(writer)
    path = Path(urlparse(writer.finish().uri).path)
    assert synced[0].endswith(".part"), "the content first"
    assert set(synced[1:]) == {str(folder) for folder in path.parents if folder.is_relative_to(archive.parent)}


def test_pages_of_files_are_verified_too(netsuite: Connection) -> None:
    """A window that falls back from the direct way reads its own archive again: the same check."""
    twice = [json_page("item", [{"id": "1", "itemid": "a"}]), json_page("item", [{"id": "1", "itemid": "b"}])]
    result = land_pages(netsuite, stream_of(netsuite, "item"), twice, mode="incremental")
    assert result.received == 2
    archive_room.verify(result.archived)
