"""The data dictionary is what the models say, and says something about every column."""

from __future__ import annotations

import pytest

from tieout.transform import dictionary


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    target = tmp_path_factory.mktemp("dictionary") / "page.md"
    assert dictionary.main(["--out", str(target)]) == 0
    return target.read_text(encoding="utf-8")


def test_the_committed_page_is_what_the_models_say(page: str) -> None:
    committed = dictionary.settings.ROOT / "docs" / "data-dictionary.md"
    assert committed.read_text(encoding="utf-8") == page, "run `make docs`"


def test_every_mart_and_column_is_described(page: str) -> None:
    assert page.count("\n### fct_revenue\n") == 1
    assert page.count("| event_key | text |") == 1
    silent = [line for line in page.splitlines() if line == "—" or line.endswith("|  |")]
    assert silent == []


def test_an_outdated_page_is_noticed(tmp_path) -> None:
    stale = tmp_path / "page.md"
    stale.write_text("# Data dictionary\n", encoding="utf-8")
    assert dictionary.main(["--check", "--out", str(stale)]) == 1
