"""The short form of the pairs, and its judge: it finds what it is meant to find."""

from __future__ import annotations

import random

import pytest

from tests.faults import campaign_pairs as pairs
from tieout.landing import loader


@pytest.mark.slow
def test_pairs_end_as_one_after_the_other():
    found = pairs.run(pairs.SHORT, 1, lambda line: None)
    assert found.failures == []
    assert found.tried == pairs.SHORT


def test_the_same_seed_plans_the_same_pairs_of_every_kind():
    plans = [[pairs.plan(random.Random(seed), False) for seed in range(200)] for _ in range(2)]
    assert plans[0] == plans[1]
    assert {each.kind for pair in plans[0] for each in pair} == set(pairs.LANDINGS)
    assert {pairs.plan(random.Random(seed), True)[0].kind for seed in range(50)} == {"build", "gate", "publish"}


def test_another_content_another_error_and_a_hanging_process_are_failures():
    operations = [pairs.Operation("land", None, 1), pairs.Operation("replay", ("item",), 2)]
    fine = pairs.End([None, None], {"raw.a": "1", "raw.b": "1"}, [])
    other = pairs.End([None, None], {"raw.a": "2", "raw.b": "2"}, [])
    assert pairs.judge(operations, [fine, other], fine) == []
    assert "neither order: raw.b" in pairs.judge(operations, [fine, other], pairs.End(
        [None, None], {"raw.a": "1", "raw.b": "3"}, []))[0]
    assert "errors" in pairs.judge(operations, [fine, other], pairs.End(["BuildError", None], fine.content, []))[0]
    assert pairs.judge(operations, [fine, other], pairs.End([], {}, ["hung"])) == ["hung"]


@pytest.mark.slow
def test_a_lost_update_is_found(monkeypatch):
    """As if a batch from the archive did not know which versions are younger: accounts without a stamp fall back."""
    monkeypatch.setattr(loader.Target, "_stays", lambda self: loader.sql.SQL("false"))
    operations = [pairs.Operation("land", ("account",), 1), pairs.Operation("archive", ("account",), 2)]
    with pairs.bench() as place:
        ended = [pairs.serial(place, operations, order) for order in ([0, 1], [1, 0])]
    monkeypatch.undo()
    with pairs.bench() as place:
        sound = [pairs.serial(place, operations, order) for order in ([0, 1], [1, 0])]
    assert sound[0].content["raw.netsuite__account"] == sound[1].content["raw.netsuite__account"]
    assert pairs.judge(operations, sound, ended[0]) != []
