"""Runs that a crash left open are closed by the next one, runs that are alive never; orphans of builds are ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import psycopg
import pytest

from tests.conftest import clear_settings
from tieout import health, settings, stepbook, steps
from tieout.errors import WarehouseError
from tieout.transform import build
from tieout.warehouse import connect

pytestmark = pytest.mark.usefixtures("clean_raw")
COMPANY = """\
version: 1
connections:
  crm: {system: salesforce, auth: client_credentials, time_zone: UTC, options: {login_url: "http://x"}}
  erp: {system: netsuite, auth: tba, time_zone: UTC, options: {account: "1"}}
"""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def company(warehouse, tmp_path, monkeypatch):
    (tmp_path / "tieout.yml").write_text(COMPANY, encoding="utf-8")
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    clear_settings()
    yield
    monkeypatch.undo()
    clear_settings()


def state(run_id: int) -> tuple[str, str | None]:
    with connect("loader") as db:
        return db.execute("select state, error from ops.run where run_id = %s", (run_id,)).fetchone()


def cut_off(kind: str, label: str) -> int:
    """A run whose process is gone."""
    with connect("loader") as db:
        return db.execute("insert into ops.run (kind, label, logical_at) values (%s, %s, %s) returning run_id",
                          (kind, label, NOON)).fetchone()[0]


@contextmanager
def at_work(run_id: int) -> Iterator[None]:
    """A process that works for the run, here: a session that holds the lock of a step."""
    entry = stepbook.begin(run_id, "build")
    try:
        yield
    finally:
        entry.close()


def built(run_id: int) -> None:
    with connect("transformer") as db:
        db.execute("insert into ops.build_watermark (run_id, batch_id) values (%s, 0)", (run_id,))


def published(run_id: int) -> None:
    with connect("publisher") as db:
        db.execute("insert into ops.publication (run_id, as_of_date) values (%s, '2026-03-01')", (run_id,))


def test_the_next_landing_closes_one_that_was_cut_off(monkeypatch):
    monkeypatch.setattr("tieout.landing.land.land_connection", lambda *_, **__: [])
    dead, other = cut_off("land", "crm"), cut_off("land", "erp")
    run_id = steps.land("crm").run_id
    assert state(dead) == ("failed", "interrupted: its process ended before it was done")
    assert state(run_id) == ("succeeded", None)
    assert state(other) == ("running", None), "another connection's runs are its own affair"


def test_two_landings_of_one_connection_at_once_leave_each_other_alone(monkeypatch):
    seen = []

    def land_connection(connection, run_id, **_):
        if not seen:
            seen.append(run_id)
            seen.append(steps.land("crm", backfill=True).run_id)
            seen.append(state(seen[0]))
        return []

    monkeypatch.setattr("tieout.landing.land.land_connection", land_connection)
    steps.land("crm")
    assert seen[2] == ("running", None)
    assert [state(run_id)[0] for run_id in seen[:2]] == ["succeeded", "succeeded"]


def test_a_landing_is_alive_from_the_moment_it_can_be_seen(monkeypatch):
    """Its row, its step and the step's lock appear in one transaction."""
    seen = []
    open_run = stepbook.open_run

    def opened(books, *arguments):
        run_id = open_run(books, *arguments)
        with connect("loader") as looking:
            seen.append(looking.execute("select count(*) from ops.run where run_id = %s", (run_id,)).fetchone()[0])
        return run_id

    monkeypatch.setattr(stepbook, "open_run", opened)
    monkeypatch.setattr("tieout.landing.land.land_connection", lambda *_, **__: seen.append(_closed_now("crm")))
    with pytest.raises(TypeError):
        steps.land("crm")
    assert seen == [0, []]


def _closed_now(connection: str) -> list[int]:
    with connect("loader") as db:
        return stepbook.close_interrupted(db, "land", connection)


def test_a_check_of_a_landing_that_is_killed_does_not_stand_in_a_run_that_succeeded(monkeypatch):
    """`tieout status` has to say it, and the next landing closes it."""
    monkeypatch.setattr("tieout.landing.land.land_connection", lambda *_, **__: [])
    run_id = steps.land("crm").run_id
    assert state(run_id) == ("succeeded", None)
    entry = stepbook.begin(run_id, "check_landing", closes=True)
    assert state(run_id) == ("running", None)
    entry.close()  # what a kill does
    (shown,) = [each for each in health.overview(NOON)["running"] if each["run_id"] == run_id]
    assert (shown["step"], shown["state"]) == ("check_landing", "killed")
    steps.land("crm")
    assert state(run_id) == ("failed", "interrupted: its process ended before it was done")
    with connect("loader") as db:
        assert db.execute("select state from ops.step where run_id = %s order by step_id", (run_id,)).fetchall() == [
            ("succeeded",), ("killed",)]


def test_a_revenue_run_between_two_tasks_is_alive_until_a_newer_one_was_built():
    waiting = cut_off("revenue", "revenue")
    newer = steps.open_run("revenue", logical_at=NOON)
    assert state(waiting) == ("running", None), "no process lives between two tasks; it may go on"
    built(waiting)
    steps.open_run("revenue", logical_at=NOON)
    assert state(waiting) == ("running", None)
    built(newer)
    latest = steps.open_run("revenue", logical_at=NOON)
    assert state(waiting) == ("failed", f"interrupted: it stopped, and run {newer} was built after it")
    assert [state(run_id)[0] for run_id in (newer, latest)] == ["running", "running"]


def test_a_build_closes_what_it_overtakes(monkeypatch):
    dead = cut_off("revenue", "revenue")
    run_id = steps.open_run("revenue", logical_at=NOON)
    report = SimpleNamespace(models=1, rows=1, is_full=True, reason="test")
    monkeypatch.setattr("tieout.transform.build.run", lambda run_id, _: built(run_id) or report)
    steps.build(run_id)
    assert state(dead)[0] == "failed" and state(run_id) == ("running", None)


def test_a_revenue_run_that_is_at_work_is_never_closed():
    slow, newer = cut_off("revenue", "revenue"), cut_off("revenue", "revenue")
    built(newer)
    with at_work(slow):
        steps.open_run("revenue", logical_at=NOON)
        assert state(slow) == ("running", None)
    steps.open_run("revenue", logical_at=NOON)
    assert state(slow)[0] == "failed"


def test_a_run_that_was_published_before_it_was_cut_off_succeeded():
    dead, newer = cut_off("revenue", "revenue"), cut_off("revenue", "revenue")
    published(dead)
    built(newer)
    steps.open_run("revenue", logical_at=NOON)
    assert state(dead) == ("succeeded", None)


def test_a_build_ends_the_sessions_that_a_killed_build_left():
    at = settings.warehouse()
    orphan = psycopg.connect(
        host=at.host, port=at.port, dbname=at.database, user="tieout_transformer", application_name=build.DBT,
        password=at.transformer_password.get_secret_value(), sslmode=at.sslmode)
    orphan.execute("create temp table half (x int)")
    with build._locked() as books:
        assert books.execute("select count(*) from pg_stat_activity where application_name = %s and datname ="
                             " current_database()", (build.DBT,)).fetchone()[0] == 0
    with pytest.raises(psycopg.OperationalError):
        orphan.execute("select 1")


def test_dbt_carries_the_name_by_which_orphans_are_found(root):
    assert f"application_name: {build.DBT}" in (root / "dbt_project" / "profiles.yml").read_text(encoding="utf-8")


def test_postgres_that_goes_away_in_a_build_is_not_a_broken_model():
    from tieout.errors import BuildError

    started = time.monotonic()
    with pytest.raises(WarehouseError, match="Postgres went away"), build._locked() as books:
        with connect("transformer", autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 5000)", (books.info.backend_pid,))
        raise BuildError("91 models failed")
    assert time.monotonic() - started < 10
    with pytest.raises(BuildError, match="really"), build._locked():
        raise BuildError("really")


def test_postgres_that_goes_away_in_a_step_is_a_warehouse_error(monkeypatch):
    run_id = cut_off("revenue", "revenue")

    def gone(*_):
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("tieout.transform.build.run", gone)
    with pytest.raises(WarehouseError, match=f"during build of run {run_id}: server closed"):
        steps.build(run_id)
