"""What the steps write about a run: its state, its facts, why it failed; and which run may be published."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from psycopg.rows import dict_row

from tests.conftest import clear_settings, demo_company
from tieout import logs, progress, steps
from tieout.errors import GateError, LandingError, PublishError, SourceError
from tieout.extract import Facts
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.usefixtures("clean_raw")
COMPANY = """\
version: 1
connections:
  crm: {system: salesforce, auth: client_credentials, time_zone: UTC, options: {login_url: "http://x"}}
  erp: {system: netsuite, auth: tba, time_zone: UTC, options: {account: "1"}}
"""


@pytest.fixture(autouse=True)
def company(warehouse, tmp_path, monkeypatch):
    (tmp_path / "tieout.yml").write_text(COMPANY, encoding="utf-8")
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    clear_settings()
    yield
    monkeypatch.undo()
    clear_settings()


def run_row(run_id: int) -> SimpleNamespace:
    with connect("loader") as db:
        row = db.execute(
            "select state, error, finished_at is not null, logical_at from ops.run where run_id = %s", (run_id,)
        ).fetchone()
    return SimpleNamespace(state=row[0], error=row[1], ended=row[2], logical_at=row[3])


def step_rows(run_id: int) -> list[SimpleNamespace]:
    """The run's steps as they are now, the oldest first."""
    with connect("loader") as db, db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("select * from ops.step_now where run_id = %s order by step_id", (run_id,)).fetchall()
    return [SimpleNamespace(**row) for row in rows]


def loaded(connection: str, end: str, stream: str = "s") -> None:
    with connect("loader") as db:
        db.execute(
            "insert into ops.load (connection, system, stream, table_name, mode, window_end, state)"
            " values (%s, 'x', %s, 't', 'incremental', %s, 'committed')", (connection, stream, end))  # fmt: skip


def built(run_id: int) -> None:
    with connect("transformer") as db:
        db.execute("insert into ops.build_watermark (run_id, batch_id) values (%s, 0)", (run_id,))


def verdict(passed: bool) -> SimpleNamespace:
    failures = () if passed else (SimpleNamespace(suite="marts.fct_revenue", expectation="amounts_are_exact"),)
    return SimpleNamespace(passed=passed, failures=failures, warnings=(), evaluated=3, declared=3, docs="docs")


@pytest.fixture
def landing(monkeypatch):
    """land_connection replaced: what it returns or raises is up to the test."""

    def use(result):
        def land_connection(connection, run_id, **_):
            if isinstance(result, BaseException):
                raise result
            return result

        monkeypatch.setattr("tieout.landing.land.land_connection", land_connection)

    return use


@pytest.fixture
def gate(monkeypatch):
    def use(passed: bool):
        monkeypatch.setattr("tieout.quality.gate.check", lambda stage, run_id: verdict(passed))

    return use


def load(**counts) -> SimpleNamespace:
    words = ("received", "landed", "unchanged", "quarantined", "deleted", "requests")
    return SimpleNamespace(**{**dict.fromkeys(words, 0), **counts})


def test_a_landing_run_is_opened_filled_and_closed(landing):
    landing([load(received=5, landed=3, unchanged=2), load(received=1, quarantined=1)])
    report = steps.land("crm", dag_run_id="land_crm/r1")
    found = run_row(report.run_id)
    assert (found.state, found.error, found.ended) == ("succeeded", None, True)
    (step,) = step_rows(report.run_id)
    words = ("received", "landed", "unchanged", "quarantined", "streams")
    assert [step.facts[word] for word in words] == [6, 3, 2, 1, 2]
    assert (step.step, step.attempt, step.state, step.rows, step.error) == ("land", 1, "succeeded", 6, None)
    assert step.seconds >= 0 and step.peak_memory_bytes > 10_000_000 and step.finished_at >= step.started_at


def test_a_landing_that_fails_is_recorded_without_secrets(landing):
    logs.register_secret("hunter2-hunter2")
    landing(SourceError("the vendor said hunter2-hunter2"))
    with pytest.raises(SourceError):
        steps.land("crm")
    with connect("loader") as db:
        (run_id,) = db.execute("select max(run_id) from ops.run").fetchone()
    found = run_row(run_id)
    assert (found.state, found.error, found.ended) == ("failed", "the vendor said ***", True)


def test_a_landing_whose_check_fails_is_a_failed_run(landing, gate):
    landing([])
    run_id = steps.land("crm").run_id
    gate(False)
    with pytest.raises(GateError):
        steps.check("landing", run_id)
    assert run_row(run_id).state == "failed"
    gate(True)
    steps.check("landing", run_id)
    found = run_row(run_id)
    assert (found.state, found.error, found.ended) == ("succeeded", None, True)


def test_a_revenue_run_stands_for_what_all_connections_have_landed():
    with pytest.raises(LandingError, match="nothing has been landed for crm, erp"):
        steps.open_run("revenue")
    loaded("crm", "2026-03-02T00:00Z")
    loaded("crm", "2026-03-01T00:00Z")
    loaded("gone", "2026-01-01T00:00Z")
    with pytest.raises(LandingError, match="nothing has been landed for erp"):
        steps.open_run("revenue")
    loaded("erp", "2026-03-01T12:00Z")
    assert run_row(steps.open_run("revenue")).logical_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def revenue_run() -> int:
    return steps.open_run("revenue", logical_at=datetime(2026, 3, 1, tzinfo=UTC))


def test_a_gate_that_fails_is_recorded_and_a_repeated_check_opens_the_run_again(gate):
    run_id = revenue_run()
    built(run_id)
    gate(False)
    with pytest.raises(GateError, match="nothing was published"):
        steps.check("marts", run_id)
    found = run_row(run_id)
    (step,) = step_rows(run_id)
    assert step.facts["failures"] == ["marts.fct_revenue.amounts_are_exact"]
    assert (step.step, step.state, step.attempt) == ("check_marts", "failed", 1) and "see ops.gate_result" in step.error
    assert found.state == "running" and "see ops.gate_result" in found.error
    assert steps.close_run(run_id) == "failed"
    gate(True)
    steps.check("marts", run_id)
    found = run_row(run_id)
    assert (found.state, found.error, found.ended) == ("running", None, False)
    assert [(step.attempt, step.state) for step in step_rows(run_id)] == [(1, "failed"), (2, "succeeded")]


@pytest.mark.parametrize("step", [lambda run: steps.check("marts", run), steps.publish], ids=["check", "publish"])
def test_only_the_newest_build_may_be_judged_and_published(step, gate):
    gate(True)
    older, newer = revenue_run(), revenue_run()
    with pytest.raises(PublishError, match=f"run {older} has not been built"):
        step(older)
    built(older)
    built(newer)
    with pytest.raises(PublishError, match=f"run {newer} was built after run {older}"):
        step(older)


def test_publishing_without_a_verdict_is_refused():
    run_id = revenue_run()
    built(run_id)
    with pytest.raises(PublishError, match="no result of the marts gate"):
        steps.publish(run_id)
    assert steps.close_run(run_id) == "failed"


def test_a_run_that_ends_without_publication_failed_and_closing_twice_is_the_same():
    run_id = revenue_run()
    assert steps.close_run(run_id, error="why") == "failed"
    assert steps.close_run(run_id) == "failed"
    assert run_row(run_id).error == "why"


def test_what_an_extraction_cost_is_kept_also_when_it_failed(monkeypatch):
    def land_connection(connection, run_id, on_facts, **_):
        on_facts(Facts(7, 2, 900, 1.5, 1, {"not_offered": ["CurrencyType"], "secret_note": "x"}))
        raise SourceError("the vendor gave up")

    monkeypatch.setattr("tieout.landing.land.land_connection", land_connection)
    with pytest.raises(SourceError):
        steps.land("crm")
    with connect("loader") as db:
        (run_id,) = db.execute("select max(run_id) from ops.run").fetchone()
    (step,) = step_rows(run_id)
    assert (step.requests, step.retries, step.bytes, float(step.waited_seconds), step.token_refreshes) == (
        7, 2, 900, 1.5, 1)  # fmt: skip
    assert (step.state, step.error, step.facts) == (
        "failed", "the vendor gave up", {"not_offered": ["CurrencyType"]})  # fmt: skip


KILLED = """
import os, signal, sys
from tieout import stepbook
entry = stepbook.begin(int(sys.argv[1]), "build")
print("begun", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_step_is_seen_as_killed_and_written_down_by_the_next():
    run_id = revenue_run()
    command = [sys.executable, "-c", KILLED, str(run_id)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        assert [step.state for step in step_rows(run_id)] == ["running"], "its process lives"
        process.communicate("now\n", timeout=30)
    assert process.returncode == -9
    for _ in range(100):  # Postgres notices within milliseconds that its client is gone
        if step_rows(run_id)[0].state == "killed":
            break
        time.sleep(0.05)
    (step,) = step_rows(run_id)
    assert (step.state, step.finished_at) == ("killed", None)
    with pytest.raises(PublishError, match="has not been built"):
        steps.match(run_id)
    seen = step_rows(run_id)
    assert [(step.step, step.state) for step in seen] == [("build", "killed"), ("match", "failed")]
    assert seen[0].error == "its process ended before the step did" and seen[0].finished_at


def test_facts_of_older_runs_move_to_the_book_of_steps(warehouse):
    run_id = revenue_run()
    with connect("owner") as db:
        db.execute("alter table ops.run add column facts jsonb not null default '{}'")
        db.execute(
            "update ops.run set facts = %s where run_id = %s",
            ('{"build": {"seconds": 1.5, "started_at": "2026-03-01T00:00:00+00:00", "models": 9}}', run_id),
        )
    migrate(demo_company())
    migrate(demo_company())
    (step,) = step_rows(run_id)
    assert (step.step, step.state, float(step.seconds), step.facts) == ("build", "succeeded", 1.5, {"models": 9})
    with connect("owner") as db:
        assert db.execute("select count(*) from information_schema.columns where table_schema = 'ops'"
                          " and table_name = 'run' and column_name = 'facts'").fetchone() == (0,)  # fmt: skip


def test_steps_tell_their_progress(landing):
    landing([load(received=5, landed=3)])
    told = []
    with progress.listening(told.append):
        steps.land("crm")
    assert [(e.step, e.subject, e.state) for e in told] == [("land", "crm", "started"), ("land", "crm", "done")]
    assert told[-1].facts == "5 received, 3 landed, 0 quarantined"
