"""Two small files with labels, readable by a finance person: every couple, every break with its reason."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tieout.matching import job, tables

CASES = Path(__file__).parent / "matching"
NAMES = sorted(path.parent.name for path in CASES.glob("*/expected.csv"))


def found(folder: Path) -> set[tuple[str, str, str]]:
    """(left id, right id, reason) of each couple and each open item, as expected.csv writes them."""
    done = job.run(folder / "left.csv", folder / "right.csv", folder / "rules.yml")
    names = {side: getattr(done, side).items.ids.to_pylist() for side in ("left", "right")}
    reasons, result = {}, done.result
    rows = set()
    for each in tables.breaks(result).to_pylist():
        if each["side"] == "match":
            reasons[each["match_id"]] = each["reason"]
        else:
            open_item = (each["item"], "") if each["side"] == "left" else ("", each["item"])
            rows.add((*open_item, each["reason"]))
    for _, made in result.confirmed:
        for group, name in enumerate(tables.ids(result, made).to_pylist()):
            for left in made.left[made.left_group == group]:
                for right in made.right[made.right_group == group]:
                    rows.add((names["left"][left], names["right"][right], reasons.get(name, "")))
    return rows


def expected(folder: Path) -> set[tuple[str, str, str]]:
    with (folder / "expected.csv").open(encoding="utf-8", newline="") as file:
        return {(row["left_id"], row["right_id"], row["reason"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", NAMES)
def test_case(name):
    assert found(CASES / name) == expected(CASES / name)


def test_there_are_cases_and_they_say_why():
    assert len(NAMES) >= 11
    assert all((CASES / name / "README.md").read_text(encoding="utf-8").startswith("# ") for name in NAMES)


def test_a_wrong_expectation_is_seen():
    assert found(CASES / "duplicates") != expected(CASES / "duplicates") | {("p2", "i1", "")}
