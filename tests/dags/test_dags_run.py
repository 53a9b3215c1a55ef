"""The DAGs run, with the steps replaced: what they hand to the steps, and what a failure does."""

from __future__ import annotations

import pytest

from tests.dags import programs

PROGRAM = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from tieout import airflow_support, errors, steps

calls, failing = [], json.loads(sys.argv[1])

class Report:
    run_id = 7

def step(name, result):
    def called(*arguments, **options):
        calls.append([name, [str(a) for a in arguments], {k: str(v) for k, v in options.items()}])
        if name in failing:
            raise getattr(errors, failing[name])("planted")
        return result
    return called

for name, result in {"land": Report(), "check": None, "open_run": 7, "build": None, "match": None, "publish": None,
                     "report": Path("r.html"), "close_run": "failed", "prune": (), "waiver_question": None,
                     "waiting_waivers": [{"break_key": "one", "request_id": "4"},
                                         {"break_key": "two", "request_id": "5"}]}.items():
    setattr(steps, name, step(name, result))

airflow_support.migrate_metadata()
dags = airflow_support.load_dags(Path(sys.argv[2]))
at = datetime(2026, 3, 4, 12, tzinfo=UTC)
states = {d: airflow_support.run_dag(dags[d], at) for d in ("land_erp_us", "revenue", "retention", "waivers")}
print("RESULT" + json.dumps({"calls": calls, "states": states}))
"""


def run(home, failing):
    import json

    return programs.run(PROGRAM, home, json.dumps(failing), str(programs.ROOT / "dags"))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run(tmp_path_factory.mktemp("run"), {})


def test_landing_hands_over_the_interval_and_no_backfill(done):
    name, arguments, options = done["calls"][0]
    assert (name, arguments) == ("land", ["erp_us"])
    assert options == {
        "start": "2026-03-03 10:00:00+00:00",  # 02:00 in Los Angeles
        "end": "2026-03-04 10:00:00+00:00",
        "backfill": "False",
        "dag_run_id": "land_erp_us/manual__2026-03-04T12:00:00+00:00",
    }
    assert done["calls"][1][:2] == ["check", ["landing", "7"]]


def test_revenue_calls_the_steps_in_order_with_its_run(done):
    called = [[name, arguments] for name, arguments, _ in done["calls"][2:9]]
    assert called == [
        ["open_run", ["revenue"]],
        ["build", ["7"]],
        ["match", ["7"]],
        ["check", ["marts", "7"]],
        ["publish", ["7"]],
        ["report", ["7"]],
        ["close_run", ["7"]],
    ]
    assert done["states"]["revenue"][""] == "success"


def test_retention_leaves_it_to_the_policy_whether_to_prune(done):
    name, arguments, options = done["calls"][9]
    assert (name, arguments, set(options)) == ("prune", [], {"progress"})
    assert done["states"]["retention"][""] == "success"


def test_a_waiver_that_was_settled_meanwhile_is_not_asked(done):
    """Those that wait: tests/integration/test_waivers_airflow.py."""
    first, *questions = [(name, arguments) for name, arguments, _ in done["calls"][10:]]
    assert first == ("waiting_waivers", [])
    assert sorted(questions) == [  # instances of a mapped task run in any order
        ("waiver_question", ["{'break_key': 'one', 'request_id': '4'}"]),
        ("waiver_question", ["{'break_key': 'two', 'request_id': '5'}"]),
    ]
    assert done["states"]["waivers"][""] == "success"


def test_a_failed_gate_publishes_nothing_closes_the_run_and_fails_the_dag(tmp_path):
    failed = run(tmp_path, {"check": "GateError"})
    called = [name for name, *_ in failed["calls"]][:8]
    assert called == ["land", "check", "open_run", "build", "match", "check", "close_run", "prune"]
    states = failed["states"]["revenue"]
    assert states[""] == "failed" and states["publish_marts"] == "upstream_failed" and states["close_run"] == "success"
    assert failed["states"]["land_erp_us"][""] == "failed"
