"""`tieout backfill` without services: what it hands on, what it says, how it ends."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from rich.console import Console

from tests.conftest import clear_settings
from tieout import cli, cli_backfill, place, steps
from tieout.errors import SourceError
from tieout.landing import backfill, estimate

DAYS = ["--from", "2026-01-01", "--to", "2026-01-04"]


@pytest.fixture(autouse=True)
def company(tmp_path, monkeypatch):
    (tmp_path / "tieout.yml").write_text(
        "version: 1\nconnections:\n"
        "  crm: {system: salesforce, auth: client_credentials, time_zone: Asia/Tokyo, options: {login_url: 'http://x'}}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    monkeypatch.setenv("TIEOUT_HOME", str(tmp_path))
    clear_settings()
    monkeypatch.setattr(place, "find", lambda: place.Place("own", tmp_path, embedded=False))
    yield
    monkeypatch.undo()
    clear_settings()
    root = logging.getLogger()
    for handler in [h for h in root.handlers if h.get_name() == "tieout"]:
        root.removeHandler(handler)


class Books:
    """The books of backfills in memory: `opened` as the room has it, with units per window of one stream."""

    def __init__(self, monkeypatch) -> None:
        self.asked, self.resumes, self.resumed = [], [], False
        monkeypatch.setattr(backfill, "opened", self.opened)

    @contextmanager
    def opened(self, connection, request, *, resume):
        self.asked.append(request)
        self.resumes.append(resume)
        units = [backfill.Unit(at, "Account", *span) for at, span in enumerate(request.windows())]
        work = SimpleNamespace(backfill_id=4, request=request, units=units, resumed=self.resumed, left=len(units),
                               db=SimpleNamespace(execute=lambda *_: SimpleNamespace(fetchone=lambda: (5,))))

        def mark(unit, **values):
            units[unit.position] = replace(unit, **values)
            return units[unit.position]

        work.mark = mark
        yield work


@pytest.fixture
def books(monkeypatch):
    return Books(monkeypatch)


@pytest.fixture
def called(monkeypatch):
    calls = []

    def land(connection, *, start, end, streams, backfill, progress):
        calls.append(("land", start, end, backfill))
        progress(SimpleNamespace(stream="Account", batch_id=1, received=1200))
        return steps.LandReport("crm", 5, start, end, (), 0.1)

    monkeypatch.setattr(steps, "land", land)
    monkeypatch.setattr(steps, "check", lambda stage, run_id: calls.append(("check", stage, run_id)))
    monkeypatch.setattr(
        steps, "revenue", lambda: calls.append(("revenue",)) or SimpleNamespace(run_id=9, publication={"run_id": 9}))
    return calls


def test_exact_windows_are_landed_and_checked_and_published(books, called, capsys):
    assert cli.main(["backfill", "crm", *DAYS, "--days", "2", "--json"]) == 0
    assert [call[0] for call in called] == ["land", "check", "land", "check", "revenue"]
    landed = [(f"{call[1]:%d}", f"{call[2]:%d}", call[3]) for call in called if call[0] == "land"]
    assert landed == [("01", "03", True), ("03", "04", True)]
    shown = json.loads(capsys.readouterr().out)
    assert shown["backfill"] == 4 and shown["publication"] == {"run_id": 9}
    assert [unit["state"] for unit in shown["units"]] == ["done", "done"]


def test_no_publish_lands_only(books, called):
    assert cli.main(["backfill", "crm", *DAYS, "--no-publish", "--json"]) == 0
    assert ("revenue",) not in called and len(called) == 6


def test_days_of_the_connection_begin_at_its_midnight(books, called):
    assert cli.main(["backfill", "crm", *DAYS, "--time-zone", "connection", "--no-publish", "--json"]) == 0
    assert called[0][1] == datetime(2025, 12, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize(("options", "resume"), [([], None), (["--resume"], True), (["--restart"], False)])
def test_resume_and_restart_are_handed_on(books, called, options, resume):
    assert cli.main(["backfill", "crm", *DAYS, "--no-publish", "--json", *options]) == 0
    assert books.resumes == [resume]


def test_going_on_is_said_and_lines_are_plain_without_a_terminal(books, called, capfd):
    books.resumed = True
    assert cli.main(["backfill", "crm", *DAYS, "--no-publish"]) == 0
    out = capfd.readouterr().out
    assert "going on with backfill 4" in out and "--restart begins afresh" in out
    assert "1/3 Account 2026-01-01 00:00 – 2026-01-02 00:00: 1,200 rows" in out
    assert "nothing was published" in out and "\x1b" not in out


def test_on_a_terminal_there_is_a_bar_with_rows_rate_and_time_left():
    import io

    out = Console(file=io.StringIO(), force_terminal=True, width=160)
    request = backfill.Request("crm", datetime(2026, 1, 1).date(), datetime(2026, 1, 4).date())
    units = [backfill.Unit(at, "Account", *span) for at, span in enumerate(request.windows())]
    work = SimpleNamespace(units=units, left=3)
    with cli_backfill._shown(out, work, False) as tell:
        tell(replace(units[0], received=1200))
    text = out.file.getvalue()
    assert "1/3" in text and "1,200 rows" in text and "rows/s" in text and "━" in text and "-:--" in text


def test_ctrl_c_is_clean_and_says_how_to_go_on(books, called, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "land", stop)
    assert cli.main(["backfill", "crm", *DAYS, "--json"]) == 130
    out, err = capsys.readouterr()
    assert out == "" and "backfill 4 is stopped" in err and "same command again" in err and "Traceback" not in err


def test_a_vendors_failure_has_its_own_exit_code(books, called, monkeypatch, capsys):
    def refuse(*_, **__):
        raise SourceError("crm: 503", hint="again")

    monkeypatch.setattr(steps, "land", refuse)
    assert cli.main(["backfill", "crm", *DAYS, "--json"]) == 3
    assert capsys.readouterr().err.count("crm: 503") == 1


@pytest.mark.parametrize(("arguments", "said"), [
    (["crm"], "--from and --to are needed"),
    (["crm", "--from", "2026-13-01", "--to", "2026-01-02"], "--from '2026-13-01' is not a day"),
    (["crm", "--from", "2026-01-02", "--to", "2026-01-02"], "--to is the day after the last"),
    (["crm", "7", *DAYS], "an id belongs to `tieout backfill show`"),
    (["erp", *DAYS], "no connection 'erp'"),
    (["crm", *DAYS, "--or-vendor"], "--or-vendor belongs to --from-archive"),
    (["crm", *DAYS, "--time-zone", "mars"], "connection for Asia/Tokyo"),
])
def test_wrong_use_says_what_to_do(arguments, said, capsys):
    assert cli.main(["backfill", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_dry_run_foretells_and_does_nothing(books, called, monkeypatch, capfd):
    found = [estimate.Expected("Account", 3, 12, 3400, basis="7 past loads"),
             estimate.Expected("Contact", 3, 3, None, basis="assumed: no past load")]
    monkeypatch.setattr(estimate, "expected", lambda *_, **__: found)
    assert cli.main(["backfill", "crm", *DAYS, "--dry-run", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["total"] == {"requests": 15, "rows": 3400, "bytes": 0} and len(shown["windows"]) == 3
    assert shown["streams"][1] == {"stream": "Contact", "units": 3, "requests": 3, "rows": None, "bytes": 0,
                                   "basis": "assumed: no past load", "unreadable": 0}
    assert cli.main(["backfill", "crm", *DAYS, "--dry-run"]) == 0
    text = capfd.readouterr().out
    assert "3,400" in text and "15 requests" in text and "half-open" in text
    assert called == [] and books.asked == []


def test_list_and_show(monkeypatch, capsys):
    row = {"backfill_id": 4, "connection": "crm", "source": "vendor", "arguments": {"first": "2026-01-01", "last": "x"},
           "state": "stopped", "requested_by": "me", "started_at": None, "units": 3, "done": 1, "received": 9}
    monkeypatch.setattr(backfill, "overview", lambda number=None: [row] if number in (None, 4) else [])
    assert cli.main(["backfill", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "stopped"
    assert cli.main(["backfill", "show", "5"]) == 2
    assert "no backfill 5" in capsys.readouterr().err
