"""Backfills: exact, from the vendor or the archive, resumable after any death, foretold without asking."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from tests.conftest import clear_settings
from tests.integration.conftest import Rows, current, stream_of
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.errors import ConfigError, GateError, LandingError, SourceError
from tieout.landing import backfill, estimate
from tieout.landing.land import land_connection, reland
from tieout.spec import Connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

STREAMS = ("transaction", "transactionline")
FIRST, LAST = date(2025, 5, 1), date(2025, 5, 4)
NOW = datetime(2025, 6, 1, tzinfo=UTC)


def document(number: int, day: int, memo: str = "a") -> dict:
    return {"id": str(number), "memo": memo, "foreigntotal": "1.10", "lastmodifieddate": f"2025-05-{day:02d} 09:00:00"}


class Vendor(FakeExtractor):
    """Three documents, one a day from the first of May in Los Angeles, each with one line; serves by window."""

    documents = tuple(document(n, n) for n in (1, 2, 3))

    def __init__(self, **options: Any) -> None:
        super().__init__({"transaction": self._headers, "transactionline": self._lines}, now=NOW, **options)

    def _headers(self, window, parents):
        def inside(record):
            at = datetime.fromisoformat(record["lastmodifieddate"]).replace(tzinfo=UTC) + timedelta(hours=7)
            return (window.start is None or window.start <= at) and at < window.end

        return [json_page("transaction", [record for record in self.documents if inside(record)])]

    def _lines(self, window, parents):
        keys = [record["id"] for record in self.documents] if parents is None else parents
        lines = [{"uniquekey": f"1{key}", "transaction": key, "memo": "line", "foreignamount": "1.10"} for key in keys]
        return [json_page("transactionline", lines, parents=tuple(keys))]


class Company:
    """The steps of a backfill over a vendor of the test's own; `asked` names what was called."""

    def __init__(self, connection: Connection, vendor: type[Vendor] = Vendor) -> None:
        self.connection, self.vendor, self.asked, self.run_id = connection, vendor, [], 0
        self.fail_at: int | None = None
        self.red = False

    def steps(self) -> backfill.Steps:
        return backfill.Steps(self.land, self.reland, self.check)

    def land(self, name, *, start, end, streams, backfill, progress):
        self.asked.append(("land", start, tuple(streams)))
        source = self.vendor()
        if self.fail_at is not None and len(self.asked) > self.fail_at:
            source.pages_by_stream["transactionline"] = _refuse
        land_connection(self.connection, self._run(), start=start, end=end, streams=streams, backfill=backfill,
                        on_progress=progress, extractor=source)
        return SimpleNamespace(run_id=self.run_id)

    def reland(self, name, batch_ids, *, progress):
        self.asked.append(("reland", tuple(batch_ids)))
        reland(self.connection, batch_ids, self._run(), progress)
        return SimpleNamespace(run_id=self.run_id)

    def check(self, run_id):
        self.asked.append(("check", run_id))
        if self.red:
            raise GateError("planted")

    def _run(self) -> int:
        from tieout.warehouse import connect

        with connect("loader") as db:
            self.run_id = db.execute(
                "insert into ops.run (kind, label) values ('land', 'netsuite') returning run_id").fetchone()[0]
        return self.run_id

    def called(self, verb: str) -> list[tuple]:
        return [each[1:] for each in self.asked if each[0] == verb]


def _refuse(window, parents):
    raise SourceError("netsuite: 503", hint="again")


@pytest.fixture
def company(netsuite: Connection) -> Company:
    return Company(netsuite)


def request(**options: Any) -> backfill.Request:
    return backfill.Request("netsuite", FIRST, LAST, **{"streams": STREAMS, **options})


def work(company: Company, asked: backfill.Request | None = None, *, resume: bool | None = None,
         or_vendor: bool = False) -> backfill.Work:
    with backfill.opened(company.connection, asked or request(), resume=resume) as found:
        backfill.run(company.connection, found, company.steps(), or_vendor=or_vendor)
    return found


def contents(rows: Rows) -> list[tuple]:
    return rows("select 't', _key, memo, _is_deleted from raw.netsuite__transaction union all "
                "select 'l', _key, memo, _is_deleted from raw.netsuite__transactionline order by 1, 2")


def test_a_backfill_lands_each_window_checks_it_and_is_finished(company: Company, rows: Rows) -> None:
    done = work(company)
    assert [len(streams) for _, streams in company.called("land")] == [2, 2, 2]
    assert len(company.called("check")) == 3
    assert {unit.state for unit in done.units} == {"done"} and len(done.units) == 6
    assert [key for _, key, *_ in contents(rows)] == ["11", "12", "13", "1", "2", "3"]
    (one,) = backfill.overview()
    ((received,),) = rows("select sum(received)::int from ops.load where state = 'committed'")
    assert (one["state"], one["units"], one["done"], one["received"]) == ("finished", 6, 6, received)


def test_a_failed_one_goes_on_where_it_stopped_and_ends_as_an_undisturbed_one(company: Company, rows: Rows) -> None:
    work(company)
    expected = contents(rows)
    _truncate()
    company.asked.clear()
    company.fail_at = 1
    with pytest.raises(SourceError):
        work(company)
    (stopped,) = backfill.overview()
    assert stopped["state"] == "failed" and "503" in stopped["error"] and 0 < stopped["done"] < stopped["units"]
    company.fail_at, before = None, len(company.asked)
    done = work(company)
    assert done.resumed and done.backfill_id == stopped["backfill_id"]
    again = [each for each in company.asked[before:] if each[0] == "land"]
    assert len(again) == 2, "the first window is not landed twice"
    assert set(again[0][2]) == set(STREAMS), "a child's parent is read with it: its lines are those of the window"
    assert contents(rows) == expected


def test_restart_gives_the_unfinished_one_up(company: Company) -> None:
    company.fail_at = 1
    with pytest.raises(SourceError):
        work(company)
    company.fail_at = None
    done = work(company, resume=False)
    assert not done.resumed and len(company.called("land")) == 2 + 3
    assert [each["state"] for each in backfill.overview()] == ["finished", "abandoned"]


def test_resume_without_anything_unfinished_is_refused(company: Company) -> None:
    with pytest.raises(ConfigError, match="no unfinished backfill"):
        work(company, resume=True)
    work(company)
    assert not work(company).resumed, "a finished one begins again"


def test_a_red_gate_stops_it_and_the_check_is_not_skipped_afterwards(company: Company) -> None:
    company.red = True
    with pytest.raises(GateError):
        work(company)
    company.red, landings = False, len(company.called("land"))
    work(company)
    assert len(company.called("land")) == landings + 2, "what was landed is checked, not landed again"
    assert len(company.called("check")) == 1 + 3


def test_a_killed_process_leaves_it_running_and_it_is_shown_as_stopped(company: Company,
                                                                      loader: psycopg.Connection) -> None:
    company.fail_at = 1
    with pytest.raises(SourceError):
        work(company)
    loader.execute("update ops.backfill set state = 'running', finished_at = null")  # as kill -9 leaves it
    assert [each["state"] for each in backfill.overview()] == ["stopped"]
    company.fail_at = None
    assert work(company).resumed


def test_two_processes_never_work_on_the_same_one(company: Company) -> None:
    with backfill.opened(company.connection, request()), pytest.raises(ConfigError, match="another process"):
        work(company)
    with backfill.opened(company.connection, request()), \
            backfill.opened(company.connection, request(streams=("item",))) as other:
        assert not other.resumed, "another request is another backfill"


def test_ctrl_c_is_recorded_as_interrupted(company: Company) -> None:
    with pytest.raises(KeyboardInterrupt), backfill.opened(company.connection, request()):
        raise KeyboardInterrupt
    assert backfill.overview()[0]["state"] == "interrupted"


def test_a_stream_that_the_vendor_does_not_offer_is_done_with_a_note(company: Company) -> None:
    class Without(Vendor):
        def available(self, stream):
            return stream.name != "transactionline"

    company.vendor = Without
    units = work(company).units
    assert {unit.note for unit in units if unit.stream == "transactionline"} == {"the vendor does not offer it"}


# --- from the archive -------------------------------------------------------------------------------------------------


def test_the_archive_fills_a_new_field_without_the_vendor(company: Company, loader: psycopg.Connection) -> None:
    work(company)
    # As if `memo` had not been declared when these were landed.
    _as_owner("update raw.netsuite__transaction set memo = null, _row_hash = 1")
    company.asked.clear()
    done = work(company, request(source="archive"))
    assert company.called("land") == [], "no vendor was asked"
    assert [unit.source_batch_id for unit in done.units] == sorted(unit.source_batch_id for unit in done.units)
    assert current(loader, "netsuite__transaction", "memo") == {"1": "a", "2": "a", "3": "a"}


def test_only_batches_whose_windows_meet_the_days_are_read(company: Company) -> None:
    work(company)
    asked = backfill.Request("netsuite", date(2025, 5, 2), date(2025, 5, 3), streams=("transaction",), source="archive")
    batches = backfill.plan(company.connection, asked)
    assert [unit.end - unit.start for unit in batches] == [timedelta(hours=26)] * 2, "the third overlaps it"
    assert {(unit.start + timedelta(hours=2)).day for unit in batches} == {2, 3}


def test_a_damaged_file_is_refused_and_the_vendor_is_asked_where_that_is_allowed(
        company: Company, rows: Rows, archive) -> None:
    work(company)
    expected = contents(rows)
    (victim,) = rows("select archive_uri from ops.load where stream = 'transaction' order by batch_id limit 1")[0]
    from pathlib import Path
    from urllib.parse import urlparse

    path = Path(urlparse(victim).path)
    path.write_bytes(path.read_bytes()[:-1])
    company.asked.clear()
    with pytest.raises(LandingError, match="bytes where .* were written(.|\n)*--or-vendor"):
        work(company, request(source="archive"))
    done = work(company, request(source="archive"), or_vendor=True)
    assert done.resumed and len(company.called("land")) == 1
    (note,) = [unit.note for unit in done.units if unit.note]
    assert note.startswith("from the vendor: netsuite.transaction, batch ") and path.name in note
    assert contents(rows) == expected
    path.unlink()
    (one,) = [e for e in estimate.expected(company.connection, request(source="archive"), or_vendor=True)
              if e.stream == "transaction"]
    assert (one.unreadable, one.units) == (1, 4) and one.requests >= 1


def test_an_old_archive_never_overwrites_what_landed_meanwhile(netsuite: Connection, loader: psycopg.Connection,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts have no stamp. A scheduled landing that commits while the archive is landed again is younger than it."""
    from tieout.landing import land as room

    def account(name):
        return {"account": [json_page("account", [{"id": "1", "fullname": name}, {"id": "2", "fullname": "b"}])]}

    def scheduled(name):
        return land_connection(netsuite, None, streams=["account"], extractor=FakeExtractor(account(name)))

    (first,), (second,) = scheduled("old"), scheduled("new")
    real, once = room.ledger.stream_lock, []

    def after_the_session_began(db, connection, streams):
        if not once:
            once.append(True)
            scheduled("newest")
        return real(db, connection, streams)

    monkeypatch.setattr(room.ledger, "stream_lock", after_the_session_began)
    reland(netsuite, [first.batch_id, second.batch_id])
    assert once and current(loader, "netsuite__account", "fullname") == {"1": "newest", "2": "b"}


def test_archive_without_anything_in_the_span_is_said(company: Company) -> None:
    with pytest.raises(ConfigError, match="holds nothing from 2025-05-01"):
        work(company, request(source="archive"))


# --- foretold ---------------------------------------------------------------------------------------------------------


def test_without_history_the_assumption_is_stated(company: Company) -> None:
    found = estimate.expected(company.connection, request())
    assert [(one.stream, one.units, one.requests, one.rows) for one in found] == [
        ("transaction", 3, 3, None), ("transactionline", 3, 3, None)]
    assert "assumed" in found[0].basis and "1,000" in found[0].basis


def test_expected_requests_come_from_comparable_loads_and_nothing_is_written(company: Company, rows: Rows) -> None:
    class Polling(Vendor):
        def _headers(self, window, parents):
            pages = super()._headers(window, parents)
            return [*pages, json_page("transaction", []), json_page("transaction", [])]  # three for a window

    company.vendor = Polling
    work(company)
    actual = rows("select sum(requests), sum(received) from ops.load where stream = 'transaction'")[0]
    tables = ("ops.load", "ops.backfill", "ops.backfill_window", "ops.run")
    before = [rows(f"select count(*) from {table}") for table in tables]
    asked, company.asked = len(company.asked), []
    found = {one.stream: one for one in estimate.expected(company.connection, request())}
    assert (found["transaction"].requests, found["transaction"].rows) == (actual[0], actual[1])
    assert "3 past loads" in found["transaction"].basis
    assert asked and company.asked == []
    assert [rows(f"select count(*) from {table}") for table in tables] == before


def test_a_complete_stream_costs_its_whole_set_in_each_window(netsuite: Connection) -> None:
    pages = {"account": [json_page("account", [{"id": str(n), "fullname": "x"}]) for n in range(4)]}
    land_connection(netsuite, None, streams=["account"], extractor=FakeExtractor(pages))
    (one,) = estimate.expected(netsuite, request(streams=("account",)))
    assert (one.units, one.requests, one.rows) == (3, 12, 12)


def _truncate() -> None:
    _as_owner("truncate raw.netsuite__transaction, raw.netsuite__transactionline, ops.backfill, ops.load cascade")


def _as_owner(statement: str) -> None:
    from tieout.warehouse import connect

    with connect("owner") as db:
        db.execute(statement)


def test_streams_are_known(netsuite: Connection) -> None:
    assert {stream_of(netsuite, name).name for name in STREAMS} == set(STREAMS)
    clear_settings()
    with pytest.raises(ConfigError, match="invoices"):
        backfill.plan(netsuite, request(streams=("invoices",)))
