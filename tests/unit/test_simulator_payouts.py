"""Payouts of the simulated shop, and what its books say reached the bank."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from simulator import payouts
from simulator.clock import LAST_DAY, end_of
from simulator.company import advance, generate
from simulator.payouts import Payout, deposits, issued, story

NOW = end_of(LAST_DAY)
SOUND = next(number for number in range(payouts.FIRST + 2_900, payouts.FIRST + 2_913) if story(number) == "sound")


def told(number: int, now: int = NOW) -> list[payouts.Deposit]:
    return list(deposits([Payout(number, "USD", 10_000, 320)], now))


def test_a_payout_is_deposited_two_days_after_it_was_sent():
    (found,) = told(SOUND)
    assert (found.gross, found.fee, found.memo) == (10_000, 320, f"Shop payout {SOUND}")
    assert 2 * 86_400 < found.created - issued(SOUND) < 3 * 86_400
    assert told(SOUND, found.created) == []


def test_every_story_comes_once_in_thirteen_weeks():
    found = Counter(story(number) for number in range(13))
    assert found == Counter(dict.fromkeys(payouts.REASONS, 1) | {"sound": 5})


def test_what_takes_more_than_it_brings_is_no_deposit():
    assert list(deposits([Payout(SOUND, "USD", -5_000, 0)], NOW)) == []


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    generate(folder, seed=5, size="1k", of="web_shop")
    return folder


def records(folder: Path) -> dict[str, dict]:
    with sqlite3.connect(folder / "sim.db") as database:
        return {identity: json.loads(text)
                for identity, text in database.execute("SELECT id, body FROM quickbooks__Deposit")}


def test_deposits_are_the_sum_of_their_lines_and_link_receipts(shop):
    found = records(shop)
    assert len(found) > 90
    for body in found.values():
        assert round(sum(line["Amount"] for line in body["Line"]) - body["TotalAmt"], 6) == 0
    assert sum("LinkedTxn" in line for body in found.values() for line in body["Line"]) >= 5


def test_days_add_deposits_and_change_none(shop):
    before = records(shop)
    advance(shop, 10)
    after = records(shop)
    assert {identity: after[identity] for identity in before} == before
    assert 0 < len(after) - len(before) <= 4
