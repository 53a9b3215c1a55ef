"""The command line without services: verbs, exit codes, errors told once, JSON alone on standard output."""

from __future__ import annotations

import json
import logging
import re

import pytest

from tests.conftest import clear_settings
from tieout import cli, errors, place, progress, show, status, steps

VERBS = (
    "demo", "land", "build", "check", "match", "publish", "run", "backfill", "status", "sources", "quarantine", "score",
    "report", "prune", "erase", "identity", "documents", "doctor", "up", "down", "setup", "psql", "breaks", "explain",
    "webhook", "suggest",
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_log_handler():
    """The command line sends log lines to standard error, which is this test's own and closed after it."""
    yield
    root = logging.getLogger()
    for handler in [h for h in root.handlers if h.get_name() == "tieout"]:
        root.removeHandler(handler)


@pytest.fixture
def company(tmp_path, monkeypatch):
    """A company of two connections, and a place that starts nothing."""
    (tmp_path / "tieout.yml").write_text(
        "version: 1\nconnections:\n"
        "  crm: {system: salesforce, auth: client_credentials, time_zone: UTC, options: {login_url: 'http://x'}}\n"
        "  erp: {system: netsuite, auth: tba, time_zone: UTC, options: {account: '1'}}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    monkeypatch.setenv("TIEOUT_HOME", str(tmp_path))
    clear_settings()
    monkeypatch.setattr(place, "find", lambda: place.Place("own", tmp_path, embedded=False))
    monkeypatch.setattr(status, "landed_until", lambda *_: None)
    yield tmp_path
    monkeypatch.undo()
    clear_settings()


@pytest.fixture
def called(monkeypatch):
    """Steps that only note that they were called."""
    calls = []

    def note(name, result):
        def step(*arguments, **options):
            calls.append((name, arguments, {k: v for k, v in options.items() if v}))
            return result

        monkeypatch.setattr(steps, name, step)

    note("land", steps.LandReport("crm", 5, None, None, (), 0.1))
    note("check", {"passed": True})
    note("open_run", 9)
    note("build", {"models": 3})
    note("publish", {"publication_id": 1})
    note("close_run", "succeeded")
    return calls


def test_every_verb_is_there(capsys):
    assert cli.main(["--help"]) == 0
    shown = re.findall(r"^│ ([a-z]+)  ", capsys.readouterr().out, re.M)
    assert sorted(shown) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    assert len(capsys.readouterr().out) > 200


def test_exit_codes_are_documented_and_distinct():
    from tieout.demo import DemoError
    from tieout.stack import StackError

    codes = {}
    for error in [*vars(errors).values(), DemoError, StackError]:
        if isinstance(error, type) and issubclass(error, errors.TieoutError) and "exit_code" in vars(error):
            assert error.exit_code not in codes, (error, codes)
            codes[error.exit_code] = error
    assert sorted(codes) == list(range(1, 14))
    documented = {int(code) for code in re.findall(r"(\d+) [a-zA-Z]", cli.app.info.epilog)}
    assert documented == {0, *codes}


def test_an_error_is_told_once_with_what_to_do_and_without_traceback(company, capsys):
    assert cli.main(["backfill", "crm", "--from", "2026-01-02", "--to", "2026-01-01"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("--to 2026-01-01 is not after --from 2026-01-02") == 1 and "→ --to is the day after" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(company):
    with pytest.raises(errors.ConfigError):
        cli.main(["--debug", "check", "nonsense"])
    cli._options.debug = False


def test_usage_errors_exit_with_two(capsys):
    assert cli.main(["land", "--nonsense"]) == 2
    assert "No such option" in capsys.readouterr().err


def test_a_secret_never_reaches_an_error_message(company, monkeypatch, capsys):
    from tieout import logs

    logs.register_secret("hunter2-hunter2")

    def refuse(*_, **__):
        raise errors.AuthError("the vendor refused hunter2-hunter2")

    monkeypatch.setattr(steps, "land", refuse)
    assert cli.main(["land", "crm"]) == 3
    assert "hunter2" not in capsys.readouterr().err


def test_land_checks_what_it_landed(company, called, capsys):
    assert cli.main(["land", "crm", "--full", "--json"]) == 0
    assert called == [("land", ("crm",), {"full": True}), ("check", ("landing", 5), {})]
    (report,) = json.loads(capsys.readouterr().out)
    assert report["run_id"] == 5 and report["connection"] == "crm"


def test_land_means_all_connections(company, called):
    assert cli.main(["land"]) == 0
    assert [arguments for name, arguments, _ in called if name == "land"] == [("crm",), ("erp",)]


def test_land_dry_run_plans_and_lands_nothing(company, called, capsys):
    assert cli.main(["land", "erp", "--stream", "transaction", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"connection": "erp", "stream": "transaction", "mode": "incremental", "since": None, "overlap": 7200.0}
    ]
    assert called == []


def test_publish_dry_run_says_what_readers_see(company, called, monkeypatch, capsys):
    monkeypatch.setattr(status, "newest_run", lambda kind: 12)
    monkeypatch.setattr(status, "published_run", lambda: 9)
    assert cli.main(["publish", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run_id": 12, "published_run_id": 9}
    assert called == []


def test_publish_closes_the_run(company, called, monkeypatch):
    monkeypatch.setattr(status, "newest_run", lambda kind: 12)
    assert cli.main(["publish"]) == 0
    assert [(name, arguments) for name, arguments, _ in called] == [("publish", (12,)), ("close_run", (12,))]


def test_nothing_set_up_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(place, "find", lambda: place.Place("demo", tmp_path, embedded=True))
    assert cli.main(["status"]) == 2
    assert "make demo" in capsys.readouterr().err


def test_progress_lines_end_with_facts(capfd):
    out = show.console()
    with progress.listening(show.Lines(out)):
        with progress.timed("build", "run 3") as step:
            step.facts = "91 models"
        with pytest.raises(ValueError, match="planted"), progress.timed("check", "marts"):
            raise ValueError("planted")
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "✓ build" in lines[0] and lines[0].endswith("91 models") and "✗ check" in lines[1]


def test_json_forms():
    from dataclasses import dataclass
    from datetime import UTC, date, datetime
    from decimal import Decimal
    from pathlib import Path

    @dataclass(frozen=True)
    class Thing:
        amount: Decimal
        at: datetime
        _private: int = 0

    value = {
        "t": Thing(Decimal("1.10"), datetime(2026, 1, 1, tzinfo=UTC)),
        "d": date(2026, 1, 2),
        "p": Path("/a"),
        "s": {1},
    }
    assert json.loads(json.dumps(value, default=show.plain)) == {
        "t": {"amount": "1.10", "at": "2026-01-01T00:00:00+00:00"}, "d": "2026-01-02", "p": "/a", "s": [1]}  # fmt: skip
    with pytest.raises(TypeError):
        show.plain(object())
