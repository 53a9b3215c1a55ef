"""What a reconciliation must say of the simulated payouts and deposits: the answers of `simulator.payouts`, as rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from simulator.clock import moment_of
from simulator.payouts import REASONS, deposits, issued, story
from simulator.payouts import Payout as Sent
from simulator.store import read_state

CURRENT = "superseded_run = 9223372036854775807"
JUDGED = f"marts.rec_payout where {CURRENT}"
DAYS_TO_BANK = 5  # seed rec_payout_rules


def _due(number: int, now: int) -> bool:
    sent = datetime.fromtimestamp(issued(number), UTC).date()
    return (datetime.fromtimestamp(now, UTC).date() - sent).days > DAYS_TO_BANK


def answer(number: int, net: Decimal, now: int) -> str | None:
    """The reason of a payout; None: matched."""
    if net <= 0:
        return "negative_payout"
    if not any(deposits([Sent(number, "", 10_000, 300)], now)):
        return "deposit_missing" if _due(number, now) else "in_transit"
    return REASONS[story(number)][0]


def judged_as_planted(rows: Callable[[str], list[tuple]], folder: Path) -> dict[str, int]:
    """Every payout and every deposit has its planted reason; returns how often each. AssertionError names others."""
    now = moment_of(read_state(folder).now)
    told = rows(f"select payout_id, payout_net_amount, reason from {JUDGED} and side <> 'deposit'")
    assert len(told) > 90
    wrong = [(number, story(int(number)), reason, expected) for number, net, reason in told
             if reason != (expected := answer(int(number), net, now))]
    assert wrong == []
    alone = dict(rows(f"select reason, count(*) from {JUDGED} and side = 'deposit' group by 1"))
    expected: dict[str, int] = {}
    for number, net, _ in told:
        reason = REASONS[story(int(number))][1]
        if reason and net > 0 and len(list(deposits([Sent(int(number), "", 10_000, 300)], now))) == 2:
            expected[reason] = expected.get(reason, 0) + 1
    assert alone == expected
    return dict(rows(f"select coalesce(reason, 'matched'), count(*) from {JUDGED} group by 1"))


def amounts_are_conserved(rows: Callable[[str], list[tuple]], deposits_table: str) -> None:
    """Sums over the rows are those of what landed, on both sides; members sum to their payout."""
    assert rows(f"select count(*), sum(payout_net_amount) from {JUDGED} and side <> 'deposit'") == rows(
        "select count(*), sum(net) from raw.shopify__payouts where _superseded_batch is null")
    assert rows(f"select count(*), sum(deposit_amount) from {JUDGED} and side <> 'payout'") == rows(deposits_table)
    assert rows(
        "select p.payout_id from (select payout_key, sum(net_amount) as net from marts.rec_payout_member "
        f"where {CURRENT} and side = 'payout' group by 1) m right join marts.rec_payout p using (payout_key) "
        f"where p.{CURRENT} and p.side <> 'deposit' and p.payout_net_amount is distinct from m.net") == []


def last_of(rows: Callable[[str], list[tuple]]) -> tuple[str, str | None]:
    """(state, reason) of the latest payout that was sent or made up."""
    return rows(f"select payout_state, reason from {JUDGED} and side <> 'deposit' order by issued_date desc limit 1")[0]
