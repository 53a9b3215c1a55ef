"""What the documents send an operator to look for in a run's facts is written there."""

from __future__ import annotations

import re
from pathlib import Path

from tieout.extract import Facts
from tieout.steps import NOTED, _cost

_TOLD = re.compile(r"`(\w+)` in the run's facts")


def test_notes_for_operators_are_facts_of_the_step_and_others_are_not():
    notes = {"package_failed": {"CustTrans": "why"}, "certificate_ends": "2026-12-01", "anything": "no"}
    found = _cost(Facts(requests=3, retries=1, waited_seconds=0.12345, notes=notes))
    cost = {"requests": 3, "retries": 1, "bytes": 0, "token_refreshes": 0, "waited_seconds": 0.123}
    assert found == {"package_failed": {"CustTrans": "why"}, "certificate_ends": "2026-12-01", **cost}


def test_each_fact_that_the_documents_name_is_noted_and_written_down(root: Path):
    told = {word for page in (root / "docs").glob("*.md") for word in _TOLD.findall(page.read_text(encoding="utf-8"))}
    code = "".join(path.read_text(encoding="utf-8") for path in (root / "plugins/tieout/extract").glob("*.py"))
    assert len(told) > 6
    assert told - set(NOTED) == set()
    assert {word for word in told if f'"{word}"' not in code} == set()
