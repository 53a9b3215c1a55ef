"""What of dbt is kept within a process, and for whom."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tieout import settings
from tieout.transform import manifests
from tieout.transform.runner import MOST_PARSED, Runner


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of one seed, and a process that has parsed nothing yet."""
    monkeypatch.setenv("TIEOUT_WAREHOUSE_DATABASE", "one")
    monkeypatch.delenv("TIEOUT_DBT_PARSED")
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


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that dbt is asked for."""
    asked: list[str] = []
    whole = Runner._call
    monkeypatch.setattr(Runner, "_call", lambda self, runner, command, *rest: (
        asked.append(command), whole(self, runner, command, *rest))[1])
    return asked


def content(manifest: Any) -> dict[str, Any]:
    """All that dbt writes down, but for when it was parsed."""
    return {name: said for name, said in manifest.writable_manifest().to_dict().items() if name != "metadata"}


def another_process(project: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setattr(Runner, "_parsed", {})
    return Runner(project, project / "out", [], 1)


def test_another_process_reads_what_was_parsed(
    project: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = another_process(project, monkeypatch).parsed()
    second = another_process(project, monkeypatch).parsed()
    assert calls == ["parse"]
    assert second is not first and content(second) == content(first)
    (project / "seeds" / "rates.csv").write_text("code\nUSD\n")
    another_process(project, monkeypatch).parsed()
    settings.apply({"TIEOUT_WAREHOUSE_DATABASE": "twin"})
    another_process(project, monkeypatch).parsed()
    assert calls == ["parse"] * 3


def test_no_command_looks_through_the_call_stack(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspect.stack", lambda *_: pytest.fail("seconds, in a process with many modules"))
    assert another_process(project, monkeypatch).parsed()


def test_what_cannot_be_read_is_parsed_anew(
    project: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    another_process(project, monkeypatch).parsed()
    (kept,) = (project / "out" / "parsed").iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])
    assert len(another_process(project, monkeypatch).parsed().nodes) == 1
    assert calls == ["parse"] * 2 and str(kept) in caplog.text
    assert len(another_process(project, monkeypatch).parsed().nodes) == 1
    assert calls == ["parse"] * 2


def test_the_oldest_are_removed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "MOST_KEPT", 2)
    for code in ("EUR", "USD", "GBP"):
        (project / "seeds" / "rates.csv").write_text(f"code\n{code}\n")
        another_process(project, monkeypatch).parsed()
    assert len(list((project / "out" / "parsed").iterdir())) == 2


def test_another_process_may_have_removed_one_meanwhile(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = project / "out" / "parsed" / "gone.msgpack.gz"
    gone.parent.mkdir(parents=True)
    gone.symlink_to("nowhere")
    monkeypatch.setattr(manifests, "MOST_KEPT", 1)
    assert another_process(project, monkeypatch).parsed()
    assert not gone.is_symlink()
