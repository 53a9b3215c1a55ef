"""What Airflow loads from dags/: exactly these DAGs, with these promises."""

from __future__ import annotations

import pytest

from tests.dags import programs
from tieout.dag_words import Tag

LAND = ("land_crm", "land_erp_us")


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return programs.run(programs.DESCRIBE, tmp_path_factory.mktemp("bag"), str(programs.ROOT / "dags"))


def test_exactly_one_dag_per_connection_and_those_of_the_company(bag):
    assert bag["errors"] == {}
    assert sorted(bag["dags"]) == [*LAND, "retention", "revenue", "waivers"]


def test_a_broken_tieout_yml_is_an_import_error_that_names_the_line(tmp_path):
    (tmp_path / "tieout.yml").write_text(programs.TIEOUT_YML.replace("auth: tba", "auth: password"), encoding="utf-8")
    found = programs.run(programs.DESCRIBE, tmp_path, str(programs.ROOT / "dags"))
    assert sorted(found["dags"]) == ["retention", "waivers"]  # they read the company when they run, and fail then
    assert len(found["errors"]) == 2
    assert all(
        "tieout.yml:9: connections.erp_us: auth 'password' is not offered" in text for text in found["errors"].values()
    )


def test_landing_runs_on_the_connections_own_schedule_in_its_own_zone(bag):
    assert {d: bag["dags"][d]["timetable"] for d in LAND} == dict.fromkeys(LAND, "CronDataIntervalTimetable")
    assert bag["dags"]["land_crm"]["schedule"] == ["15 * * * *", "UTC"]
    assert bag["dags"]["land_erp_us"]["schedule"] == ["0 2 * * *", "America/Los_Angeles"]
    assert bag["dags"]["land_erp_us"]["start"] == "2025-01-01T08:00:00+00:00"  # midnight in Los Angeles


@pytest.mark.parametrize(("schedule", "timetable"), [
    ('"15 * * * *"', "AssetOrTimeSchedule"), ("null", "AssetTriggeredTimetable")])
def test_a_vendors_events_begin_a_landing_beside_its_schedule(tmp_path, schedule, timetable):
    text = programs.TIEOUT_YML.replace('schedule: "15 * * * *"', f"schedule: {schedule}\n    webhook: true", 1)
    (tmp_path / "tieout.yml").write_text(text, encoding="utf-8")
    found = programs.run(programs.DESCRIBE, tmp_path, str(programs.ROOT / "dags"))
    assert found["errors"] == {}
    dags = {name: dag["timetable"] for name, dag in found["dags"].items()}
    assert (dags["land_crm"], dags["land_erp_us"]) == (timetable, "CronDataIntervalTimetable")
    assert found["dags"]["land_crm"]["condition"] == ["Asset", ["event_crm"]]
    assert found["dags"]["revenue"]["condition"] == ["AssetAny", ["AssetAll", "landed_crm"]]


def test_a_connection_without_a_schedule_is_landed_by_hand(tmp_path):
    text = programs.TIEOUT_YML.replace('schedule: "15 * * * *"', "schedule: null")
    (tmp_path / "tieout.yml").write_text(text, encoding="utf-8")
    found = programs.run(programs.DESCRIBE, tmp_path, str(programs.ROOT / "dags"))
    assert found["dags"]["land_crm"]["timetable"] == "NullTimetable"


def test_revenue_waits_for_all_landings(bag):
    assert bag["dags"]["revenue"]["condition"] == ["AssetAll", ["landed_crm", "landed_erp_us"]]


def test_assets_are_emitted_by_what_was_checked(bag):
    outlets = {
        (dag_id, task_id): task["outlets"]
        for dag_id, dag in bag["dags"].items()
        for task_id, task in dag["tasks"].items()
        if task["outlets"]
    }
    assert outlets == {
        ("land_crm", "check_landing"): [["landed_crm", "tieout://landed/crm"]],
        ("land_erp_us", "check_landing"): [["landed_erp_us", "tieout://landed/erp_us"]],
        ("revenue", "publish_marts"): [["marts", "tieout://marts/published"]],
    }


def test_order_of_tasks(bag):
    after = {task_id: task["after"] for task_id, task in bag["dags"]["revenue"]["tasks"].items()}
    assert after.pop("write_report") == ["open_run", "publish_marts"]
    assert after.pop("close_run") == ["open_run", "write_report"]
    assert after == {
        "open_run": [],
        "build_marts": ["open_run"],
        "match_documents": ["build_marts", "open_run"],
        "check_marts": ["match_documents", "open_run"],
        "publish_marts": ["check_marts", "open_run"],
    }
    for dag_id in LAND:
        assert {t: d["after"] for t, d in bag["dags"][dag_id]["tasks"].items()} == {
            "land_streams": [],
            "check_landing": ["land_streams"],
        }


def test_retention_is_one_task_on_sunday_night(bag):
    dag = bag["dags"]["retention"]
    assert dag["schedule"] == ["30 3 * * 0", "UTC"] and dag["timetable"] == "CronDataIntervalTimetable"
    assert {task_id: facts["after"] for task_id, facts in dag["tasks"].items()} == {"prune_old": []}
    assert dag["tags"] == ["retention"]


def test_waivers_are_asked_every_hour_each_with_its_own_answer(bag):
    dag = bag["dags"]["waivers"]
    assert dag["schedule"] == ["0 * * * *", "UTC"] and dag["timetable"] == "CronDataIntervalTimetable"
    assert {task_id: facts["after"] for task_id, facts in dag["tasks"].items()} == {
        "waiting": [], "ask_person": ["waiting"]}  # fmt: skip
    assert dag["tags"] == ["register"]


def test_the_run_is_closed_by_a_teardown(bag):
    tasks = bag["dags"]["revenue"]["tasks"]
    assert [t for t, facts in tasks.items() if facts["teardown"]] == ["close_run"]
    assert [t for t, facts in tasks.items() if facts["setup"]] == ["open_run"]


def test_each_vendor_has_a_pool(bag):
    assert {d: bag["dags"][d]["tasks"]["land_streams"]["pool"] for d in LAND} == {
        "land_crm": "vendor_crm",
        "land_erp_us": "vendor_erp_us",
    }


def test_every_task_retries_ends_and_alerts(bag):
    tasks = {(d, t): facts for d, dag in bag["dags"].items() for t, facts in dag["tasks"].items()}
    assert len(tasks) == 14
    for where, facts in tasks.items():
        assert facts["retries"] == 3, where
        assert facts["timeout"] == 7200, where
        assert facts["callback"] == ["tieout.alerts.task_failed"], where


def test_every_dag_has_a_runbook_tags_and_no_catchup(bag):
    words = {str(tag) for tag in Tag}
    for dag_id, dag in bag["dags"].items():
        assert len(dag["doc"]) > 500 and "fail" in dag["doc"].lower(), dag_id
        assert dag["description"], dag_id
        assert dag["tags"] and set(dag["tags"]) <= words, dag_id
        assert dag["catchup"] is False and dag["max_active_runs"] == 1 and dag["timeout"], dag_id
    assert bag["dags"]["land_crm"]["tags"] == ["crm", "landing"]
    assert bag["dags"]["land_erp_us"]["tags"] == ["erp", "landing"]
