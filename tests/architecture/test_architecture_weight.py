"""A DAG file parses in half a second beyond Airflow, without anything heavy; Airflow executes no module of ours."""

from __future__ import annotations

import pytest

from tests.dags import programs

SECONDS = 0.5
HEAVY = ("pandas", "dbt", "great_expectations", "pyarrow", "simulator")

# What Airflow itself has loaded when it parses a file is not ours: it is imported before the clock starts.
PROGRAM = """
import importlib.util, json, sys, time
import airflow.sdk
from airflow.sdk import Asset, CronDataIntervalTimetable, dag, get_current_context, setup, task, teardown
import airflow.sdk.definitions.decorators, airflow.providers.standard.decorators.python, pydantic, httpx
from airflow.providers_manager import ProvidersManager
task  # resolved

from tests import machine
slower = machine.slower()

before, took = set(sys.modules), []
for number, path in enumerate(sys.argv[1:]):
    begun = time.process_time()
    spec = importlib.util.spec_from_file_location(f"parsed_{number}", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    took.append(time.process_time() - begun)
added = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
print("RESULT" + json.dumps({"seconds": took, "added": added, "slower": slower}))
"""

PLUGINS = """
import json, sys
from airflow import plugins_manager

plugins_manager.get_plugins() if hasattr(plugins_manager, "get_plugins") else plugins_manager.ensure_plugins_loaded()
ran = sorted(name for name, module in list(sys.modules.items()) if not name.startswith("tieout")
             and str(getattr(module, "__file__", None)).startswith(sys.argv[1]))
print("RESULT" + json.dumps({"ran": ran, "errors": [str(e) for e in getattr(plugins_manager, "import_errors", {})]}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    files = [str(programs.ROOT / "dags" / name) for name in ("land.py", "revenue.py", "retention.py", "waivers.py")]
    programs.run(PROGRAM, tmp_path_factory.mktemp("first"), *files)  # a fresh checkout is compiled once
    runs = [programs.run(PROGRAM, tmp_path_factory.mktemp("weight"), *files) for _ in range(3)]
    return min(runs, key=lambda run: max(run["seconds"]) / run["slower"])  # the one that was disturbed least


def test_dag_files_import_nothing_heavy(parsed):
    assert "tieout" in parsed["added"]
    assert not set(parsed["added"]) & set(HEAVY)


def test_dag_files_parse_in_half_a_second(parsed):
    """Processor time of this process, in units of a fixed piece of work: a busy or slow machine slows both."""
    assert len(parsed["seconds"]) == 4
    assert max(parsed["seconds"]) <= SECONDS * parsed["slower"], parsed


def test_a_heavy_dag_file_is_seen(tmp_path):
    (tmp_path / "heavy.py").write_text("import pandas\n", encoding="utf-8")
    assert "pandas" in programs.run(PROGRAM, tmp_path, str(tmp_path / "heavy.py"))["added"]


def test_airflow_executes_no_module_of_the_package(tmp_path):
    """Airflow runs every file in plugins/ under its bare stem: without .airflowignore our `secrets` would be."""
    folder = programs.ROOT / "plugins"
    assert len(list(folder.rglob("*.py"))) > 40
    assert programs.run(PLUGINS, tmp_path, f"{folder}/")["ran"] == []


def test_without_the_ignore_file_they_would_run(tmp_path):
    folder = tmp_path / "plugins"
    (folder / "ours").mkdir(parents=True)
    (folder / "ours" / "planted_stem.py").write_text("x = 1\n", encoding="utf-8")
    found = programs.run(PLUGINS, tmp_path, f"{folder}/", AIRFLOW__CORE__PLUGINS_FOLDER=str(folder))
    assert [name.rpartition(".")[2] for name in found["ran"]] == ["planted_stem"]


def test_the_ignore_file_says_so(root):
    assert "tieout/" in (root / "plugins" / ".airflowignore").read_text(encoding="utf-8").split()
