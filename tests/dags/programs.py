"""Programs that run in a process of their own: Airflow reads its environment on import and keeps it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

TIEOUT_YML = """\
version: 1
connections:
  crm:
    system: salesforce
    auth: client_credentials
    time_zone: UTC
    schedule: "15 * * * *"
    options: {login_url: "http://127.0.0.1:1"}
  erp_us:
    system: netsuite
    auth: tba
    time_zone: America/Los_Angeles
    schedule: "0 2 * * *"
    start_date: "2025-01-01"
    options: {account: "1234567"}
"""

# Prints what the bag holds, as JSON.
DESCRIBE = """
import json, sys
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag

bag = DagBag(sys.argv[1])
dags = {}
for dag in bag.dags.values():
    tasks = {}
    for task in dag.tasks:
        tasks[task.task_id] = {
            "pool": task.pool, "retries": task.retries, "timeout": task.execution_timeout and
            task.execution_timeout.total_seconds(), "after": sorted(task.upstream_task_ids),
            "outlets": [[asset.name, asset.uri] for asset in task.outlets],
            "callback": [f"{c.__module__}.{c.__name__}" for c in task.on_failure_callback or []],
            "teardown": task.is_teardown, "setup": task.is_setup,
        }
    timetable = dag.timetable
    dags[dag.dag_id] = {
        "tasks": tasks, "tags": sorted(map(str, dag.tags)), "doc": dag.doc_md or "", "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs, "timetable": type(timetable).__name__,
        "start": dag.start_date.isoformat(), "timeout": dag.dagrun_timeout and dag.dagrun_timeout.total_seconds(),
        "description": dag.description,
    }
    if hasattr(timetable, "expression"):
        dags[dag.dag_id]["schedule"] = [timetable.expression, str(timetable.timezone)]
    if getattr(timetable, "asset_condition", None) is not None:
        condition = timetable.asset_condition
        dags[dag.dag_id]["condition"] = [type(condition).__name__, sorted(
            getattr(a, "name", type(a).__name__) for a in getattr(condition, "objects", [condition]))]
print("RESULT" + json.dumps({"dags": dags, "errors": {str(k): str(v) for k, v in bag.import_errors.items()}}))
"""


def environment(home: Path, **more: str) -> dict[str, str]:
    """A clean environment: SQLite metadata in `home`, a company of two connections, nothing of the caller's Tieout."""
    config = home / "tieout.yml"
    if not config.exists():
        config.write_text(TIEOUT_YML, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIEOUT_", "AIRFLOW"))}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "plugins"), str(ROOT))),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "TIEOUT_CONFIG": str(config),
        "TIEOUT_HOME": str(home),
        **more,
    }


def run(program: str, home: Path, *arguments: str, **more: str) -> Any:
    """Run a program and return the JSON after RESULT on its standard output. An error shows what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=280,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert done.returncode == 0 and lines, f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return json.loads(lines[-1].removeprefix("RESULT"))
