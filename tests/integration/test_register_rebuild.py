"""The register on a simulated company, through real builds: its state outlives them, complete ones too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import transform_company as company
from tieout.publish import pointer
from tieout.register import acts, book, log
from tieout.register.acts import Act
from tieout.register.settle import Settled
from tieout.settings import settings
from tieout.spec import BreakPolicy
from tieout.transform import build
from tieout.warehouse import connect


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    from simulator.company import generate
    from simulator.shortcut import load_raw

    with company.own_warehouse(company.TIEOUT_YML) as folder:
        generate(folder / "company", seed=41, size="1k", level=1)
        load_raw(folder / "company")
        yield folder


def publish(*, full_refresh: bool = False) -> pointer.Publication:
    """Build what is landed, and publish it as if its gates had passed."""
    company.new_batch()
    run_id = company.open_run()
    assert build.run(run_id, full_refresh=full_refresh).is_full or not full_refresh
    with connect("transformer") as db:
        for suite, expectation in (("marts.rec_break", "key_unique"), ("gate", "all_declared_evaluated")):
            db.execute("insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed)"
                       " values (%s, 'marts', %s, %s, 'critical', true)", (run_id, suite, expectation))
    return pointer.publish(run_id)


def states() -> dict[str, tuple[Any, ...]]:
    with connect("bi") as db:
        return {key: tuple(rest) for key, *rest in db.execute(
            "select break_key, status, owner, comment, due_date from reporting.rec_break")}


def test_state_outlives_complete_rebuilds(home: Path) -> None:
    opened = publish(full_refresh=True).breaks
    assert opened.opened > 100 and opened == Settled(opened=opened.opened)
    with log.opened() as db:
        first, second, third = book.find(db, book.Filter(), limit=3)
        for entry, word in ((first, "acknowledge"), (second, "waive"), (third, "start")):
            act = Act(word, "ana", "ana", comment="kept", reason="so", owner="ben")
            acts.carry_out(db, entry, act, BreakPolicy(waiver_limit=10**9))
    before = states()
    assert [before[entry.break_key][:3] for entry in (first, second, third)] == [
        ("acknowledged", "ben", "kept"), ("waived", "ben", "kept"), ("in_progress", "ben", "kept")]  # fmt: skip
    assert publish(full_refresh=True).breaks == Settled()
    assert publish().breaks == Settled()
    assert states() == before
    with log.opened() as db:
        assert log.audit(db).broken is None


def test_owners_are_named_by_the_rules_of_the_seed(home: Path) -> None:
    report = build.test(company_run(), select="rec_break,test_type:unit")
    assert {node.name for node in report.nodes} == {"rec_break_goes_to_the_first_rule_that_fits"}
    report = build.test(company_run(), select="rec_owner_rules")
    assert len(report.nodes) == 6
    assert (settings().dbt_project / "seeds" / "reconciliation" / "rec_owner_rules.csv").is_file()


def company_run() -> int:
    with connect("publisher") as db:
        return db.execute("select run_id from ops.pointer").fetchone()[0]
