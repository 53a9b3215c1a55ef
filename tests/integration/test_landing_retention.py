"""What landing lets go: by policy, never what something rests on, and safe to stop and to repeat."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

import psycopg
import pytest

from tests.conftest import demo_company
from tests.integration.conftest import END, Rows, current, land, stream_of
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.errors import LandingError
from tieout.landing import archive as archive_room
from tieout.landing import backfill, ledger, parents, quarantine, retention
from tieout.landing.land import land_connection, reland
from tieout.spec import Company, Connection, Retention
from tieout.warehouse import connect

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

POLICY = {"archive_days": 30, "raw_days": 30, "ledger_days": 30}


def company(**policy: object) -> Company:
    return demo_company().model_copy(update={"retention": Retention(**policy)})


def prune(*, apply: bool = True, **policy: object) -> dict[str, int]:
    """{what name: rows} of one pruning."""
    found: list[retention.Gone] = []
    retention.prune(company(**(policy or POLICY)), apply=apply, tell=found.append)
    return {f"{gone.what} {gone.name}": gone.rows for gone in found}


def item(key: str, name: str, day: int = 2) -> dict:
    return {"id": key, "itemid": name, "isinactive": "F", "lastmodifieddate": f"2025-01-{day:02d} 10:00:00"}


def local(uri: str) -> Path:
    return Path(unquote(urlparse(uri).path))


def age(days: int = 60) -> None:
    """Everything that is there now happened so many days earlier."""
    with connect("owner") as db:
        db.execute("update ops.load set started_at = started_at - make_interval(days => %s), "
                   "finished_at = finished_at - make_interval(days => %s)", (days, days))
        db.execute("update ops.run set started_at = started_at - make_interval(days => %s)", (days,))


def built() -> int:
    """A good build that has consumed all that is landed."""
    with connect("owner") as db:
        run_id = db.execute("insert into ops.run (kind, label) values ('revenue', 'r') returning run_id").fetchone()[0]
        db.execute("insert into ops.build_watermark (run_id, batch_id) select %s, max(batch_id) from ops.load",
                   (run_id,))
    return run_id


@pytest.fixture
def history(netsuite: Connection) -> list[int]:
    """Three windows of items, of which one changed twice; all old, all built. Returns their batches."""
    batches = [land(netsuite, "item", [json_page("item", [item("1", f"v{n}", n), item("2", "same")])],
                    end=END + timedelta(hours=n)).batch_id for n in (1, 2, 3)]
    age()
    built()
    return batches


def test_a_dry_run_changes_nothing_and_says_what_would_go(history: list[int], rows: Rows, archive: Path) -> None:
    state = "select 'r', count(*) from raw.netsuite__item union all select 'l', count(*) from ops.load union all " \
            "select 'p', count(*) from ops.load where archive_pruned_at is not null order by 1"
    before, files = rows(state), sorted(archive.rglob("*.parquet"))
    told = prune(apply=False)
    assert told == {"archive netsuite.item": 2, "raw raw.netsuite__item": 2}
    assert rows(state) == before and sorted(archive.rglob("*.parquet")) == files


def test_closed_versions_go_and_the_current_ones_stay(history: list[int], rows: Rows,
                                                      loader: psycopg.Connection) -> None:
    before = current(loader, "netsuite__item", "itemid")
    assert prune(raw_days=30) == {"raw raw.netsuite__item": 2}
    assert current(loader, "netsuite__item", "itemid") == before == {"1": "v3", "2": "same"}
    assert rows("select count(*) from raw.netsuite__item where _superseded_batch is not null") == [(0,)]
    assert prune(raw_days=30) == {}, "a second time there is nothing to do"


def test_the_tombstone_of_a_deleted_key_is_current_and_stays(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "item", [json_page("item", [item("1", "a")])])
    land(netsuite, "item", [json_page("item", [{"id": "1"}], deleted=True)])
    age()
    built()
    assert prune(raw_days=30) == {"raw raw.netsuite__item": 1}
    assert current(loader, "netsuite__item", "itemid", deleted=True) == {"1": "a"}


def test_what_no_build_has_consumed_stays_however_old(netsuite: Connection, rows: Rows) -> None:
    for n in (1, 2):
        land(netsuite, "item", [json_page("item", [item("1", f"v{n}", n)])])
    age()
    assert prune(raw_days=30) == {}, "there is no build"
    built()
    land(netsuite, "item", [json_page("item", [item("1", "v3", 3)])])
    age()
    assert prune(raw_days=30) == {"raw raw.netsuite__item": 1}, "what the third batch closed is still to be read"
    assert rows("select count(*) from raw.netsuite__item") == [(2,)]


def test_young_versions_stay(netsuite: Connection) -> None:
    for n in (1, 2):
        land(netsuite, "item", [json_page("item", [item("1", f"v{n}", n)])])
    built()
    assert prune(raw_days=30) == {}


def test_pruning_in_chunks_may_be_killed_and_done_again(history: list[int], rows: Rows,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 1)
    real = retention._chunks

    def killed(step):
        yield step()
        raise KeyboardInterrupt

    monkeypatch.setattr(retention, "_chunks", killed)
    with pytest.raises(KeyboardInterrupt):
        prune(raw_days=30)
    assert rows("select count(*) from raw.netsuite__item where _superseded_batch is not null") == [(1,)]
    monkeypatch.setattr(retention, "_chunks", real)
    assert prune(raw_days=30) == {"raw raw.netsuite__item": 1}


# --- the archive ------------------------------------------------------------------------------------------------------


def test_old_files_go_the_newest_load_and_the_hashes_stay(history: list[int], rows: Rows, archive: Path) -> None:
    uris = dict(rows("select batch_id, archive_uri from ops.load"))
    assert prune(archive_days=30) == {"archive netsuite.item": 2}
    assert [local(uris[batch]).exists() for batch in history] == [False, False, True]
    assert rows("select archive_sha256 is not null, archive_pruned_at is not null from ops.load order by batch_id") == [
        (True, True), (True, True), (True, False)]
    assert prune(archive_days=30) == {}


def test_a_pruned_batch_says_so_when_it_is_asked_for(history: list[int], netsuite: Connection) -> None:
    prune(archive_days=30)
    files = backfill._files("netsuite", [backfill.Unit(0, "item", None, END, history[0])])
    assert "pruned by the retention policy" in backfill._problem(files[history[0]])
    with pytest.raises(LandingError):
        reland(netsuite, [history[0]])


def test_files_of_open_quarantine_and_of_unfinished_backfills_stay(history: list[int], netsuite: Connection,
                                                                   loader: psycopg.Connection) -> None:
    loader.execute("insert into ops.quarantine (batch_id, connection, stream, reason_code, reason, payload) "
                   "values (%s, 'netsuite', 'item', 'type_error', 'r', '{}')", (history[0],))
    day = datetime.now(UTC).date()
    request = backfill.Request("netsuite", day - timedelta(days=9999), day, streams=("item",), source="archive")
    with pytest.raises(RuntimeError), backfill.opened(netsuite, request) as work:
        for unit in work.units[:1] + work.units[2:]:
            work.mark(unit, state="done")
        raise RuntimeError("stopped")
    assert prune(archive_days=30) == {}
    loader.execute("update ops.quarantine set status = 'waived'")
    assert prune(archive_days=30) == {"archive netsuite.item": 1}
    loader.execute("update ops.backfill set state = 'abandoned'")
    assert prune(archive_days=30) == {"archive netsuite.item": 1}


def test_a_file_that_a_younger_batch_was_landed_from_stays(history: list[int], netsuite: Connection) -> None:
    reland(netsuite, [history[0]])
    assert prune(archive_days=30) == {"archive netsuite.item": 1}, "the first was just read, the third is the newest"


def test_the_newest_complete_set_stays_although_later_windows_followed(netsuite: Connection, archive: Path) -> None:
    land(netsuite, "item", [json_page("item", [item("1", "a")])], full=True)
    for n in (3, 4):
        land(netsuite, "item", [json_page("item", [item("2", "b", n)])])
    age()
    built()
    assert prune(archive_days=30) == {"archive netsuite.item": 1}
    assert len(list(archive.rglob("*.parquet"))) == 2


def test_a_kill_between_the_ledger_and_the_file_leaves_an_orphan_that_goes_later(
        history: list[int], rows: Rows, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(uri):
        raise KeyboardInterrupt

    monkeypatch.setattr(retention, "_remove", killed)
    with pytest.raises(KeyboardInterrupt):
        prune(archive_days=30)
    monkeypatch.undo()
    monkeypatch.setenv("TIEOUT_ARCHIVE_URL", archive.as_uri())
    _old(*archive.rglob("*.parquet"))
    assert prune(archive_days=30) == {"archive netsuite.item": 1, "orphan netsuite.item": 1}
    assert len(list(archive.rglob("*.parquet"))) == 1
    assert rows("select count(*) from ops.load where archive_pruned_at is not null") == [(2,)]


def test_orphans_and_parts_go_after_their_days_and_what_is_not_known_stays(history: list[int], rows: Rows,
                                                                         archive: Path) -> None:
    folder = next(archive.rglob("*.parquet")).parent
    ((failed,),) = rows(
        "insert into ops.load (connection, system, stream, table_name, mode, state, finished_at) values "
        "('netsuite', 'netsuite', 'item', 'raw.netsuite__item', 'full', 'failed', now()) returning batch_id")
    orphan, part = folder / f"{failed:012d}-00000001.parquet", folder / f"{failed:012d}-00000002.parquet.part"
    foreign, other = folder / "000000999999-00000003.parquet", folder / "notes.txt"
    for path in (orphan, part, foreign, other):
        path.write_bytes(b"x" * 10)
    prune()
    assert orphan.exists() and part.exists(), "written today: its batch may be under way"
    _old(*folder.iterdir())
    kept = [path for path in folder.glob("*.parquet") if path not in (orphan, foreign)]
    assert prune(orphan_days=2) == {"orphan netsuite.item": 2}
    assert not orphan.exists() and not part.exists()
    assert foreign.exists() and other.exists(), "a batch that this warehouse never had is somebody else's"
    assert all(path.exists() for path in kept)


def _old(*paths: Path) -> None:
    then = time.time() - 10 * 86_400
    for path in paths:
        os.utime(path, (then, then))


# --- the ledger -------------------------------------------------------------------------------------------------------


def test_rows_of_the_ledger_go_and_the_next_window_is_the_same(netsuite: Connection, rows: Rows,
                                                              loader: psycopg.Connection) -> None:
    def window(hour: int) -> object:
        pages = [json_page("item", [item("1", f"v{hour}", hour)])]
        source = FakeExtractor({"item": pages}, now=END + timedelta(hours=hour))
        land_connection(netsuite, None, streams=["item"], extractor=source)
        return source.asked[0][1].start

    for hour in range(1, 6):
        window(hour)
    land(netsuite, "transactionline", [], parents=["1"])
    loader.execute("update ops.load set parent_batch_id = 77 where stream = 'transactionline'")
    def proved() -> tuple:
        return ledger.covered_until(loader, "netsuite", "item"), ledger.last_complete(loader, "netsuite", "item")

    covered = proved()
    age()
    built()
    assert "ledger ops.load" not in prune(ledger_days=30), "their files are still there"
    gone = prune(**POLICY)
    assert gone["ledger ops.load"] == 3, "of five the complete one and the newest stay"
    assert proved() == covered
    assert window(6) == covered[0] - timedelta(hours=2)
    assert parents.read_until(loader, netsuite, stream_of(netsuite, "transactionline")) == 77
    assert rows("select loads from ops.pruned_load where stream = 'item'") == [(3,)]


def test_ledger_rows_of_quarantined_records_stay(netsuite: Connection, rows: Rows) -> None:
    land(netsuite, "item", [json_page("item", [{**item("1", "a"), "isinactive": "?"}])])
    for n in (3, 4):
        land(netsuite, "item", [json_page("item", [item("2", "b", n)])])
    quarantine.waive([entry.quarantine_id for entry in quarantine.list()], "known")
    age()
    built()
    prune(**POLICY)
    assert rows("select count(*) from ops.quarantine q join ops.load l using (batch_id)") == [(1,)]


def test_evidence_of_old_runs_goes_and_that_of_kept_publications_stays(rows: Rows) -> None:
    with connect("owner") as db:
        db.execute("insert into ops.load (connection, system, stream, table_name, mode) "
                   "values ('c', 's', 's', 't', 'full')")
    runs = [built() for _ in range(3)]
    with connect("owner") as db:
        for run_id in runs:
            db.execute("insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed) "
                       "values (%s, 'marts', 's', 'e', 'critical', true)", (run_id,))
            db.execute("insert into ops.model_run (run_id, node_id, resource_type, status, seconds) "
                       "values (%s, 'n', 'model', 'success', 0)", (run_id,))
        db.execute("insert into ops.publication (run_id, as_of_date) values (%s, '2025-01-01')", (runs[0],))
    age()
    assert prune(ledger_days=30) == {"ledger ops.gate_result, ops.model_run": 2}
    assert rows("select run_id from ops.gate_result order by 1") == [(runs[0],), (runs[2],)]


@pytest.mark.parametrize("statement", [
    "select ops.prune_raw('netsuite__item', now(), 10)",
    "select ops.prune_loads(now(), 'netsuite', 'item')",
    "select ops.prune_evidence(now())",
    "select ops.prune_raw('netsuite__item', null, 10)",
])
def test_nothing_young_can_be_reached_through_the_functions(loader: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="younger than a day"):
        loader.execute(statement)


def test_a_name_that_is_sql_is_no_table(loader: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="is no table"):
        loader.execute("select ops.prune_raw('x; drop table ops.load; --', now() - interval '9 days', 10)")


def test_an_archived_page_is_still_whole_after_its_neighbours_went(history: list[int], rows: Rows) -> None:
    prune(**POLICY)
    ((uri, sha256, size),) = rows(
        "select archive_uri, archive_sha256, archive_bytes from ops.load where archive_pruned_at is null")
    assert len(list(archive_room.pages(archive_room.Archived(uri, sha256, size, "item"), "item"))) == 1
