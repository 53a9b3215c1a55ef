"""What of dbt is kept within a process, and for whom."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tieout import settings
from tieout.transform.runner import MOST_PARSED, Runner


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of one seed, and a process that has parsed nothing yet."""
    monkeypatch.setenv("TIEOUT_WAREHOUSE_DATABASE", "one")
    settings.apply({})
    monkeypatch.setattr(Runner, "_parsed", {})
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "rates.csv").write_text("code\nEUR\n")
    (tmp_path / "dbt_project.yml").write_text(
        "name: tieout\nversion: '1.0.0'\nprofile: tieout\nflags: {send_anonymous_usage_stats: false}\n")
    shutil.copy(ROOT / "dbt_project" / "profiles.yml", tmp_path)
    yield tmp_path
    monkeypatch.undo()
    settings.apply({})


def databases(project: Path) -> set[str]:
    """The databases that a run of this moment would write to."""
    return {node.database for node in Runner(project, project / "out", [], 1).parsed().nodes.values()}


def test_a_parsed_project_is_kept_for_its_own_database_alone(project: Path) -> None:
    first = Runner(project, project / "out", [], 1).parsed()
    assert databases(project) == {"one"}
    settings.apply({"TIEOUT_WAREHOUSE_DATABASE": "twin"})
    assert databases(project) == {"twin"}
    settings.apply({"TIEOUT_WAREHOUSE_DATABASE": "one"})
    assert Runner(project, project / "elsewhere", [], 1).parsed() is first


def test_a_changed_file_is_parsed_and_few_are_kept(project: Path) -> None:
    for number in range(MOST_PARSED + 1):
        (project / "seeds" / f"more_{number}.csv").write_text("code\nUSD\n")
        assert len(Runner(project, project / "out", [], 1).parsed().nodes) == number + 2
    assert len(Runner._parsed) == MOST_PARSED
