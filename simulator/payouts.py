"""Payouts of a payment provider, and how a bookkeeper tells that they reached the bank.

A payout is a week's movements in the provider's balance, less its fees. The books hold a deposit two days after it was
sent: what was charged, and the fee taken off. What goes wrong follows from the payout's number alone (`story`); one
that took more than it brought is no deposit. `REASONS` is the answer: what a reconciliation must say of each story.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from simulator.clock import DAY

WEEK = 7 * DAY
FIRST = 100_000_000  # a payout's number is this and the number of its week
_TO_BANK = 2 * DAY + 3 * 3_600
_STORIES = {0: "fee unbooked", 2: "fee wrong", 4: "missing", 6: "twice", 8: "unnamed", 10: "short", 11: "stray",
            12: "other"}
# story: (reason of the payout, reason of a deposit that stands by itself); None: matched, or none
REASONS: dict[str, tuple[str | None, str | None]] = {
    "sound": (None, None), "unnamed": (None, None), "fee unbooked": ("fee_differs", None),
    "fee wrong": ("fee_differs", None), "missing": ("deposit_missing", None), "twice": (None, "deposited_twice"),
    "short": ("amount_differs", None), "stray": (None, "deposit_without_payout"), "other": (None, "other_deposit"),
}


@dataclass(frozen=True)
class Payout:
    """What the provider sent, minor units of `currency`."""

    number: int
    currency: str
    gross: int
    fee: int

    @property
    def net(self) -> int:
        """What arrives."""
        return self.gross - self.fee


@dataclass(frozen=True)
class Deposit:
    """What the books say: `gross` less `fee` reached the bank. `week`: (first, last) day of the sales that it is of."""

    number: int
    currency: str
    gross: int
    fee: int
    memo: str
    created: int
    week: tuple[int, int] | None = None


def number_of(moment: int) -> int:
    """The number of the payout that a moment's charges go into: weekly."""
    return FIRST + moment // WEEK


def issued(number: int) -> int:
    """The moment at which a payout is sent: in the morning after its week."""
    return (number - FIRST + 1) * WEEK + 6 * 3_600


def story(number: int) -> str:
    """What happens to a payout in the books."""
    return _STORIES.get(number % 13, "sound")


def deposits(payouts: Iterable[Payout], now: int) -> Iterator[Deposit]:
    """What is in the books at `now`."""
    return (deposit for payout in payouts if payout.net > 0 for deposit in _told(payout) if deposit.created < now)


def _told(payout: Payout) -> Iterator[Deposit]:
    week = (payout.number - FIRST) * 7
    number = 10 * (payout.number - FIRST)
    sound = Deposit(number, payout.currency, payout.gross, payout.fee, f"Shop payout {payout.number}",
                    issued(payout.number) + _TO_BANK, (week, week + 6))
    match story(payout.number):
        case "missing":
            return
        case "fee wrong":
            yield replace(sound, fee=payout.fee + 100)
        case "fee unbooked":
            yield replace(sound, gross=payout.net, fee=0)
        case "short":
            yield replace(sound, gross=payout.gross - 500)
        case "unnamed":
            yield replace(sound, memo="Card settlement")
        case "twice":
            yield sound
            yield replace(sound, number=number + 1, created=sound.created + DAY)
        case "stray":
            yield sound
            yield Deposit(number + 1, payout.currency, 12_300, 300, f"Shop payout {900_000_000 + payout.number}",
                          sound.created + 600)
        case "other":
            yield sound
            yield Deposit(number + 1, payout.currency, 20_000, 0, "Cash register", sound.created + 600)
        case _:
            yield sound
