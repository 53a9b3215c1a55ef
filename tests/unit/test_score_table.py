"""The page of scores: its figures follow from the runs, and each goal can be missed."""

from __future__ import annotations

import copy

import pytest

from tieout import cli, score_table, scratch

HOP = {"pairs": 100, "claimed": 100, "tp": 100, "fp": 0, "fn": 0, "precision": 1.0, "recall": 1.0, "f1": 1.0,
       "groups": 90, "exact_groups": 90}
CLASS = {"planted": 40, "found": 40, "tp": 40, "fp": 0, "fn": 0, "amount_exact": 40, "precision": 1.0, "recall": 1.0,
         "f1": 1.0, "missed": []}
RUN = {
    "unit": "global", "seed": 7, "size": "1k", "level": 1, "seconds": 1.0, "planted": {"A1": 40, "C1": 40},
    "classes": {"A1": CLASS, "C1": CLASS}, "confusion": {"A1": {"A1": 40}, "C1": {"C1": 40}},
    "hops": {"deal_order": HOP, "invoice_cash": HOP},
    "false_auto": {"count": 0, "of": 1000, "group_amount": "0", "of_group_amount": "90000.00"},
    "unexplained": {"deal_order": "0.0000"},
    "auto_match_rate": {"deal_order": {"documents": 210, "matched": 190, "review": 10, "scoped_out": 10, "rate": 0.95}},
    "identity": {"pairs": 100, "found": 99, "false_auto": 0, "f1": 0.995, "review": 3},
}  # fmt: skip


def _two(**second):
    other = copy.deepcopy(RUN)
    other.update(seed=11, level=3, **second)
    return [copy.deepcopy(RUN), other]


def _missed(results):
    return {goal.what: goal.where for goal in score_table.goals(results) if not goal.is_reached}


def test_a_flawless_campaign_reaches_every_goal():
    assert len(score_table.goals(_two())) == 8 and _missed(_two()) == {}


@pytest.mark.parametrize(("change", "goal", "where"), [
    ({"hops": {"deal_order": {**HOP, "tp": 90, "claimed": 90}}}, "pair F1 over all hops", "seed 11, level 3"),
    ({"false_auto": {**RUN["false_auto"], "count": 2}}, "false automatic matches by count", "seed 11, level 3"),
    ({"false_auto": {**RUN["false_auto"], "group_amount": "45.01"}}, "the same by amount", "seed 11, level 3"),
    ({"unexplained": {"deal_order": "0.0100"}}, "unexplained money", "seed 11, level 3"),
    ({"classes": {"A1": CLASS, "C1": {**CLASS, "tp": 35}},
      "confusion": {"A1": {"A1": 40}, "C1": {"C1": 35, "none": 5}}},
     "recall of a planted class", "C1"),
    ({"identity": {**RUN["identity"], "found": 95}}, "customers: pair F1 of a level", "level 3"),
    ({"identity": {**RUN["identity"], "false_auto": 1}}, "customers: precision of what was joined", "level 3"),
])  # fmt: skip
def test_each_goal_can_be_missed_and_says_where(change, goal, where):
    assert _missed(_two(**change)) == {goal: where}


def test_a_wrong_reason_misses_both_goals_of_its_class():
    wrong = {"classes": {"A1": CLASS, "C1": {**CLASS, "tp": 30}},
             "confusion": {"A1": {"A1": 40}, "C1": {"C1": 30, "C2": 10}}}  # fmt: skip
    assert _missed(_two(**wrong)) == {"recall of a planted class": "C1", "its right reason": "C1"}
    assert "| C1 |  | 70 | 10 |  |" in score_table.page(_two(**wrong), "x")


def test_a_class_that_was_never_planted_has_precision_alone():
    false = {"classes": {"A1": CLASS, "E1": {**CLASS, "planted": 0, "found": 4, "tp": 0, "fp": 4, "amount_exact": 0}}}
    told = score_table.page(_two(**false), "x")
    assert "| E1 | 0 | 4 | 0 | 0.0000 |  |  |  |" in told


def test_the_page_adds_up_over_runs():
    told = score_table.page(_two(), "tieout score --seeds 7,11")
    assert "`tieout score --seeds 7,11`" in told and "2 runs, 160 planted breaks" in told
    assert "| deal_order | 200 | 200 | 200 | 1.0000 | 1.0000 | 1.0000 | 1.0000 | 1.0000 | 0.9500 |" in told
    assert "| A1 | 80 | 80 | 80 | 1.0000 | 1.0000 | 1.0000 | 1.0000 |" in told


def test_nothing_scored_is_no_page():
    with pytest.raises(ValueError):
        score_table.page([], "x")


def test_the_command_writes_the_page(monkeypatch, tmp_path):
    asked = []

    def campaign(seeds, levels, **rest):
        asked.append((seeds, levels, rest))
        yield from _two()

    monkeypatch.setattr(scratch, "campaign", campaign)
    assert cli.main(["score", "--seeds", "7,11", "--levels", "1,3", "--write", str(tmp_path / "score.md")]) == 0
    assert asked == [([7, 11], [1, 3], {"size": "1k", "unit": "global"})]
    assert (tmp_path / "score.md").read_text().startswith("# Score\n")


@pytest.mark.parametrize("words", [
    ["--seeds", "7,x"], ["--seeds", "7", "--levels", "4"], ["--seeds", "7", "--seed", "7"], ["--write", "score.md"],
    ["--seeds", "7", "--write", "/nowhere/at/all/score.md"],
])  # fmt: skip
def test_what_cannot_be_meant_is_said_before_anything_runs(words, monkeypatch, capsys):
    monkeypatch.setattr(scratch, "campaign", lambda *_, **__: pytest.fail("ran"))
    assert cli.main(["score", *words]) == 2
    assert "→" in capsys.readouterr().err


def test_a_run_that_fails_is_named(monkeypatch):
    class Done:
        returncode, stdout, stderr = 1, "", "no room"

    monkeypatch.setattr(scratch.subprocess, "run", lambda *_, **__: Done())
    with pytest.raises(scratch.TieoutError, match="seed 7, level 2 could not be scored:\nno room"):
        list(scratch.campaign([7], [2], size="1k", unit="global"))
