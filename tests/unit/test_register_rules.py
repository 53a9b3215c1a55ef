"""The rules that name owners: what is spelled wrongly is an error with file and line, before anything is built."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tieout.errors import ConfigError
from tieout.register import rules

SHIPPED = ROOT / "dbt_project"
HEADER = ",".join(rules.COLUMNS)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED / rules.FOLDER, tmp_path / rules.FOLDER)
    return tmp_path


def write(project: Path, *lines: str, header: str = HEADER) -> None:
    (project / rules.FOLDER / "rec_owner_rules.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def test_the_shipped_rules_are_sound():
    assert len(rules.read(SHIPPED)) >= 2


def test_rules_come_in_their_order_and_empty_cells_fit_everything(project):
    write(project, "20,,,,,all the rest,30,", "10,A3,order_invoice,DE01,0.01,billing,0,large")
    first, last = rules.read(project)
    assert (first.order, first.reason, first.hop, first.entity, first.minimum, first.owner, first.due_days) == (
        10, "A3", "order_invoice", "DE01", Decimal("0.01"), "billing", 0)
    assert (last.reason, last.hop, last.entity, last.minimum) == (None, None, None, None)


@pytest.mark.parametrize(("line", "said"), [
    ("10,Z9,,,,me,1,", "2: reason_code 'Z9' is not of the closed list"),
    ("10,a3,,,,me,1,", "reason_code 'a3'"),
    ("10,,deal_invoice,,,me,1,", "there is no hop 'deal_invoice'"),
    ("10,,,,-1,me,1,", "min_group_amount '-1'"),
    ("10,,,,NaN,me,1,", "min_group_amount 'NaN'"),
    ("10,,,,1.000,50,me,1,", "8 cells"),
    ("10,,,,,,1,", "no owner"),
    ("10,,,,, ,1,", "no owner"),
    ("10,,,,,me,soon,", "due_days 'soon'"),
    ("10,,,,,me,-1,", "due_days '-1'"),
    ("10,,,,,me,99999,", "due_days '99999'"),
    ("x,,,,,me,1,", "rule_order 'x'"),
    ("10,A3,,,,me,1", "8 cells"),
    ("10,A3,,,,me,1,\n10,A5,,,,me,1,", "3: rule_order 10 is taken"),
    ("10,A3,,,,me,1,\n20,A3,,,,you,2,", "3: fits exactly what rule 10 fits"),
    ("10,A3,,,,me,1,\n20,A3,,,500,you,2,", "rule 20 can never count: rule 10"),
    ("10,,,,,me,1,\n20,A3,,,,you,2,", "rule 20 can never count"),
])  # fmt: skip
def test_a_wrong_rule_is_refused(project, line, said):
    write(project, *line.split("\n"))
    with pytest.raises(ConfigError, match="rec_owner_rules.csv") as refused:
        rules.read(project)
    assert said in str(refused.value)


def test_a_misspelled_column_is_refused(project):
    write(project, "10,A3,,,,me,1,", header=HEADER.replace("owner", "owners"))
    with pytest.raises(ConfigError, match="rec_owner_rules.csv:1: the columns"):
        rules.read(project)
