"""`tieout status` on real books: each state is reached, each problem is named once, and a monitor can ask for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import clear_settings
from tieout import cli, cli_status, freshness, health, place, steps
from tieout.warehouse import connect

NOW = datetime(2026, 3, 29, 12, 31, tzinfo=UTC)  # the day on which Berlin's clock jumped
COMPANY = """\
version: 1
connections:
  crm:
    system: salesforce
    auth: client_credentials
    time_zone: Europe/Berlin
    schedule: "0 * * * *"
    streams: [Account, Opportunity, CurrencyType]
    options: {login_url: "http://x"}
  erp:
    system: netsuite
    auth: tba
    time_zone: America/Los_Angeles
    freshness: 2h
    streams: [item, customer]
    options: {account: "1"}
"""
HELD = (
    "insert into ops.quarantine (batch_id, connection, stream, reason_code, reason, payload, first_seen_at)"
    " select batch_id, connection, stream, 'type_error', 'r', '{}', clock_timestamp() - %s::interval"
    " from ops.load limit 1"
)


@pytest.fixture(autouse=True)
def books(clean_raw, warehouse, tmp_path, monkeypatch):
    (tmp_path / "tieout.yml").write_text(COMPANY, encoding="utf-8")
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    monkeypatch.delenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", raising=False)
    clear_settings()
    yield
    monkeypatch.undo()
    clear_settings()


def loaded(stream: str, end: datetime, start: datetime | None = None, connection: str = "crm", mode: str = "full"):
    with connect("loader") as db:
        db.execute(
            "insert into ops.load (connection, system, stream, table_name, mode, window_start, window_end, state)"
            " values (%s, 'x', %s, 't', %s, %s, %s, 'committed')", (connection, stream, mode, start, end))  # fmt: skip


def landed_run(not_offered: tuple[str, ...] = (), partial: bool = False) -> int:
    run_id = steps.open_run("land", "crm")
    with steps._recording(run_id, "land", close=True) as facts:
        facts |= {"not_offered": list(not_offered), "partial": partial}
    return run_id


def all_fresh() -> None:
    for stream in ("Account", "Opportunity", "CurrencyType"):
        loaded(stream, NOW - timedelta(minutes=31))
    for stream in ("item", "customer"):
        loaded(stream, NOW - timedelta(hours=1), connection="erp")


def judged(run_id: int, passed: bool, stage: str = "landing") -> None:
    with connect("transformer") as db:
        db.execute(
            "insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed, observed)"
            " values (%s, %s, 'ops.load', 'rows_are_accounted_for', 'critical', %s, '3 rows'),"
            "        (%s, %s, 'ops.load', 'no_stream_lags', 'warning', false, '1 row'),"
            "        (%s, %s, 'gate', 'all_declared_evaluated', 'critical', true, '2 of 2')",
            (run_id, stage, passed, run_id, stage, run_id, stage))  # fmt: skip


def states() -> dict[str, str]:
    return {f"{s['connection']}.{s['stream']}": s["state"] for s in health.overview(NOW)["freshness"]}


def test_all_is_well():
    all_fresh()
    judged(landed_run(), passed=True)
    found = health.overview(NOW)
    assert set(states().values()) == {"fresh"} and found["problems"] == []
    (gate,) = found["gates"]
    assert (gate["label"], gate["passed"], gate["evaluated"]) == ("crm", True, 2)
    assert [f["expectation"] for f in gate["failing"]] == ["no_stream_lags"], "a warning is shown, and is no problem"


def test_late_never_landed_and_not_offered():
    loaded("Account", NOW - timedelta(hours=3))
    landed_run(not_offered=("CurrencyType",))
    landed_run(partial=True)  # a run over some streams knows nothing of the others
    loaded("item", NOW - timedelta(hours=2, minutes=1), connection="erp")
    assert states() == {
        "crm.Account": "late", "crm.Opportunity": "never_landed", "crm.CurrencyType": "not_offered",
        "erp.item": "late", "erp.customer": "never_landed"}  # fmt: skip
    assert health.overview(NOW)["problems"] == [
        "crm.Account is late by 2h 19m", "crm.Opportunity never landed", "erp.customer never landed",
        "erp.item is late by 1m"]  # fmt: skip
    landed_run()
    assert states()["crm.CurrencyType"] == "never_landed", "the vendor offers it now"


def test_a_backfill_behind_a_gap_makes_nothing_fresh():
    """The ledger's own rule, read for all streams at once: what follows a gap does not count."""
    from tieout.landing.ledger import covered_until

    first = datetime(2026, 3, 1, tzinfo=UTC)
    loaded("Account", first)
    loaded("Account", first + timedelta(days=1), first - timedelta(hours=1), mode="incremental")
    loaded("Account", NOW, NOW - timedelta(hours=1), mode="incremental")
    loaded("Account", NOW, first, mode="replay")
    (account,) = [each for each in freshness.streams(NOW) if each.stream == "Account"]
    assert account.landed_until == first + timedelta(days=1) and account.state == "late"
    with connect("loader") as db:
        assert covered_until(db, "crm", "Account") == account.landed_until


def test_a_paused_dag_promises_nothing(monkeypatch):
    monkeypatch.setattr(freshness, "paused_connections", lambda: frozenset({"crm"}))
    loaded("Account", NOW - timedelta(days=9))
    found = states()
    assert {name for name, state in found.items() if state == "paused"} == {
        "crm.Account", "crm.Opportunity", "crm.CurrencyType"}  # fmt: skip


def test_airflow_is_asked_which_dags_are_paused(warehouse, monkeypatch):
    """Airflow's table `dag`, in a database that stands for its metadata; without one nothing is known."""
    assert freshness.paused_connections() == frozenset()
    password = warehouse["TIEOUT_WAREHOUSE_OWNER_PASSWORD"]
    place_ = f"{warehouse['TIEOUT_WAREHOUSE_HOST']}:{warehouse['TIEOUT_WAREHOUSE_PORT']}"
    url = f"tieout_owner:{password}@{place_}/{warehouse['TIEOUT_WAREHOUSE_DATABASE']}?options=-csearch_path%3Dops"
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"postgresql+psycopg2://{url}")
    assert freshness.paused_connections() == frozenset(), "no such table"
    with connect("owner") as db:
        db.execute("create table ops.dag (dag_id text, is_paused boolean)")
        db.execute("insert into ops.dag values ('land_crm', true), ('land_erp', false), ('land_gone', true)")
    try:
        assert freshness.paused_connections() == {"crm"}
    finally:
        with connect("owner") as db:
            db.execute("drop table ops.dag")


def test_a_red_gate_is_a_problem_until_the_next_verdict():
    all_fresh()
    run_id = landed_run()
    judged(run_id, passed=False)
    assert health.overview(NOW)["problems"] == [
        f"landing gate of crm is red in run {run_id}: ops.load.rows_are_accounted_for"]  # fmt: skip
    judged(landed_run(), passed=True)
    assert health.overview(NOW)["problems"] == []


def test_quarantine_is_a_problem_beyond_its_promise():
    all_fresh()
    with connect("loader") as db:
        db.execute(HELD, ("2 days",))
    found = health.overview(NOW)
    (held,) = found["quarantine"]
    assert (held["records"], held["reasons"]) == (1, ["type_error"]) and found["problems"] == []
    with connect("loader") as db:
        db.execute(HELD, ("4 days",))
    assert health.overview(NOW)["problems"] == ["crm.Account has 2 records in quarantine, for 4d"]


def test_an_unfinished_erasure_is_a_problem_after_an_hour():
    all_fresh()
    with connect("owner") as db:
        db.execute("insert into ops.erasure (records, requested_by, account, reason) values ('[]', 'DPO', 'a', 't 1')")
    assert health.overview(NOW)["problems"] == []
    with connect("owner") as db:
        number = db.execute("update ops.erasure set started_at = '2026-01-02' returning erasure_id").fetchone()[0]
    assert health.overview(NOW)["problems"] == [
        f"erasure {number} of 2026-01-02 is not finished: run the same `tieout erase` again"]  # fmt: skip
    with connect("owner") as db:
        db.execute("update ops.erasure set state = 'finished'")
    assert health.overview(NOW)["problems"] == []


def test_failures_are_problems_until_a_later_run_succeeds():
    all_fresh()
    run_id = steps.open_run("land", "crm")
    with pytest.raises(ValueError, match="refused"), steps._recording(run_id, "land", close=True):
        raise ValueError("refused\nwith details")
    found = health.overview(NOW)
    (failure,) = found["failures"]
    assert (failure["step"], failure["reason"], failure["mended"]) == ("land", "refused", False)
    assert found["problems"] == [f"run {run_id} of crm failed in land: refused"]
    landed_run()
    found = health.overview(NOW)
    assert (found["problems"], found["failures"][0]["mended"]) == ([], True)


def test_a_killed_step_is_in_progress_no_more():
    all_fresh()
    run_id = steps.open_run("land", "crm")
    entry = steps.stepbook.begin(run_id, "land")
    (running,) = health.overview(NOW)["running"]
    assert (running["step"], running["state"]) == ("land", "running")
    entry.guard.close()
    found = health.overview(NOW)
    assert found["running"][0]["state"] == "killed" and found["failures"][0]["state"] == "killed"
    assert f"run {run_id} of crm was killed in land" in found["problems"]


@pytest.fixture
def at_place(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "find", lambda: place.Place("own", tmp_path, embedded=False))
    monkeypatch.setattr(cli_status, "_now", lambda _: NOW)


def test_a_monitor_gets_an_exit_code(at_place, capfd):
    all_fresh()
    judged(landed_run(), passed=True)
    assert cli.main(["status", "--check"]) == 0
    loaded("Account", NOW)
    with connect("owner", autocommit=True) as db:
        db.execute("update ops.load set window_end = '2026-03-29 09:00Z' where stream = 'Opportunity'")
    assert cli.main(["status"]) == 0, "without --check status only tells"
    capfd.readouterr()
    assert cli.main(["status", "--check", "--json"]) == 1
    found = json.loads(capfd.readouterr().out)
    assert found["problems"] == ["crm.Opportunity is late by 2h 50m"]


def test_the_json_form_is_the_documented_one(at_place, capfd, root):
    """docs/observability.md names every key; none is missing, none is new."""
    import re

    all_fresh()
    run_id = steps.open_run("land", "crm")
    judged(landed_run(), passed=True)
    with pytest.raises(ValueError, match="x"), steps._recording(run_id, "land", close=False):
        raise ValueError("x")
    with connect("loader") as db:
        db.execute(HELD, ("1 day",))
    cli.main(["status", "--json"])
    found = json.loads(capfd.readouterr().out)
    text = (root / "docs" / "observability.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| (.*?) ?\|$", text, re.M))
    assert set(table) == set(found)
    for key, words in table.items():
        documented = set(re.findall(r"`(\w+)`", words))
        value = found[key][0] if isinstance(found[key], list) and found[key] else found[key]
        if isinstance(value, dict):
            assert set(value) == documented, key


def test_people_get_tables(at_place, capfd):
    loaded("Account", NOW - timedelta(hours=3))
    judged(landed_run(not_offered=("CurrencyType",)), passed=False)
    with connect("loader") as db:
        db.execute(HELD, ("5 days",))
    assert cli.main(["status", "--all"]) == 0
    shown = capfd.readouterr().out
    for words in ("nothing is published yet", "not offered", "never landed", "2h 19m", "RED", "open quarantine",
                  "rows_are_accounted_for", "look at", "at most 2h old", "0 * * * * Europe/Berlin"):  # fmt: skip
        assert words in shown, shown
