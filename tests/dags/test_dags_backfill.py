"""`airflow backfill create` over ten days gives the same marts as ten scheduled runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import open_folder
from tests.dags import programs
from tieout import localpg


@pytest.fixture(scope="module")
def compared():
    with open_folder() as home:
        variables = programs.environment(home)
        for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "TIEOUT_CONFIG", "TIEOUT_HOME"):
            variables.pop(name)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.dags.backfill_program", str(home)],
                env=variables, cwd=programs.ROOT, capture_output=True, text=True, timeout=580,
            )  # fmt: skip
        finally:
            localpg.stop(home)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return json.loads(lines[-1].removeprefix("RESULT"))


@pytest.mark.slow
def test_ten_days_backfilled_equal_ten_days_scheduled(compared):
    assert {name: len(states) for name, states in compared["runs"].items()} == {
        "salesforce_global": 10, "netsuite_global": 10}  # fmt: skip
    assert all(state == "success" for states in compared["runs"].values() for state in states)
    for schema, least in (("raw", 20), ("marts", 15)):
        tables = compared[schema]
        assert len(tables) >= least
        different = {name: counts for name, counts in tables.items() if counts[2]}
        assert different == {}, schema
    assert compared["marts"]["fct_revenue"][0] > 10_000
    assert compared["marts"]["rec_break"][0] > 100


def test_a_difference_of_a_cent_is_seen(compared):
    assert compared["planted"] == {"fct_revenue": 2}
