"""The arrows: dags, cli → steps → rooms → spec, settings, errors; and what may be imported where. Each rule is shown to
fail on a file that breaks it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.imports import Import, imports, modules, reads_environment, within

ROOMS = ("extract", "landing", "transform", "matching", "quality", "publish", "register")
FOUNDATION = ("spec", "spec_streams", "spec_contracts", "spec_transports", "spec_yaml", "settings", "errors")
# What each room may use of the others. Everything else between rooms goes through steps.
BETWEEN_ROOMS = {
    "erasure": {"extract", "landing"},
    "landing": {"extract"},
    "publish": {"quality", "register"},
    "transform": {"matching"},
}
ABOVE = (
    "steps", "stepbook", "freshness", "lineage", "health", "cli", "cli_backfill", "cli_breaks", "cli_demo",
    "cli_erase", "cli_explain", "cli_match", "cli_operate", "cli_quarantine", "cli_retention", "cli_status", "cli_work",
    "demo", "doctor", "scratch", "stack", "status", "place",
)  # fmt: skip
HEAVY = ("pandas", "dbt", "great_expectations")


@pytest.fixture(scope="module")
def package(root):
    found = modules(root / "plugins" / "tieout", "tieout")
    assert len(found) > 40
    return found


@pytest.fixture(scope="module")
def edges(package):
    found = [edge for module, path in package.items() for edge in imports(module, path)]
    assert len(found) > 200
    return found


def room(module: str) -> str | None:
    """The room a module is in, if any."""
    part = module.split(".")[1] if module.startswith("tieout.") else ""
    return part if part in ROOMS else None


def upward(edge: Import) -> bool:
    """A room, or the foundation, that imports what is above it."""
    below = room(edge.module) or edge.module.removeprefix("tieout.").split(".")[0] in (
        *FOUNDATION,
        "warehouse",
        "secrets",
    )
    return bool(below) and any(within(edge.target, f"tieout.{name}") for name in ABOVE)


def sideways(edge: Import) -> bool:
    """A room that imports a room it is not meant to know."""
    here, there = room(edge.module), room(edge.target)
    return bool(here and there and here != there and not edge.typing and there not in BETWEEN_ROOMS.get(here, set()))


def foundation(edge: Import) -> bool:
    """spec, settings and errors import nothing of Tieout but one another."""
    name = edge.module.removeprefix("tieout.")
    return (
        name in FOUNDATION
        and within(edge.target, "tieout")
        and not any(within(edge.target, f"tieout.{each}") for each in FOUNDATION)
    )


def airflow(edge: Import) -> bool:
    """Airflow outside of airflow_support."""
    return within(edge.target, "airflow") and edge.module != "tieout.airflow_support"


def eager_airflow(edge: Import) -> bool:
    """Airflow at the top of a module: the import costs seconds."""
    return within(edge.target, "airflow") and not edge.lazy and not edge.typing


def simulator(edge: Import) -> bool:
    """The simulator outside of the demo and the score, or outside of a function."""
    return within(edge.target, "simulator") and (edge.module not in ("tieout.demo", "tieout.scratch") or not edge.lazy)


def heavy(edge: Import) -> bool:
    """pandas, dbt and Great Expectations at the top of a module."""
    return any(within(edge.target, name) for name in HEAVY) and not edge.lazy and not edge.typing


RULES = {
    upward: ("tieout/landing/broken.py", "from tieout import steps"),
    sideways: ("tieout/extract/broken.py", "def f():\n    from tieout.landing import ledger"),
    foundation: ("tieout/settings.py", "from tieout.warehouse import connect"),
    airflow: ("tieout/quality/broken.py", "def f():\n    from airflow.sdk import dag"),
    eager_airflow: ("tieout/airflow_support.py", "import airflow.models"),
    simulator: ("tieout/steps.py", "def f():\n    import simulator.company"),
    heavy: ("tieout/landing/broken.py", "if True:\n    import pandas as pd"),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule, edges):
    broken = [f"{edge.module}:{edge.line} imports {edge.target}" for edge in edges if rule(edge)]
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_can_fail(rule, tmp_path):
    where, source = RULES[rule]
    path = tmp_path / where
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")
    found = [edge for module, file in modules(tmp_path / "tieout", "tieout").items() for edge in imports(module, file)]
    assert [edge for edge in found if rule(edge)]


def test_a_typing_import_is_seen_as_one(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\nelse:\n    import dbt\n")
    assert [(e.target, e.typing) for e in imports("m", path)][1:] == [("pandas", True), ("dbt", False)]


def test_only_settings_reads_the_environment(package):
    readers = {module: lines for module, path in package.items() if (lines := reads_environment(path))}
    assert list(readers) == ["tieout.settings"]


def test_reading_the_environment_is_seen(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("import os\nfrom os import getenv\nos.environ['A'] = '1'\nx = os.getenv('B')\n", encoding="utf-8")
    assert sorted(reads_environment(path)) == [2, 3, 4]


def test_dags_use_the_steps_and_no_room(root):
    files = modules(root / "dags")
    assert sorted(files) == ["land", "retention", "revenue", "waivers"]
    allowed = ("steps", "airflow_support", "dag_words", "settings", "spec")
    used = {e.target for name, path in files.items() for e in imports(name, path) if within(e.target, "tieout")}
    assert used and all(any(within(target, f"tieout.{name}") for name in allowed) for target in used), used


def test_dag_files_are_short(root):
    for path in sorted((root / "dags").glob("*.py")):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 105, path


def test_the_simulator_does_not_know_the_pipeline(root):
    """A mirror would agree with whatever it mirrors. The shortcut loads raw tables and must know their columns."""
    files = modules(root / "simulator", "simulator")
    assert len(files) > 15
    knows = {e.module for name, path in files.items() for e in imports(name, path) if within(e.target, "tieout")}
    assert knows <= {"simulator.shortcut"}, knows


def test_no_vendor_names_in_protocols(root):
    """extract/ speaks protocols. A vendor's name there would be a rule that belongs into its source.yml or hooks."""
    found = [
        f"{path.name}:{number}"
        for path in sorted((root / "plugins" / "tieout" / "landing").glob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").lower().splitlines(), start=1)
        if "salesforce" in line or "netsuite" in line
    ]
    assert not found


def test_the_import_linter_agrees(root: Path):
    import subprocess
    import sys

    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{root / 'plugins'}:{root}"},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
