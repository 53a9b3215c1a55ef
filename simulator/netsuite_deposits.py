"""Bank deposits of a NetSuite account: what payouts of a payment provider brought to the bank.

A transaction of type Deposit: the bank's line, what was charged out of the clearing account, and the fee, as cash back
to an expense. No link names a receipt: the provider's sales were not received one by one.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.clock import DAY, date_text, stamp_text
from simulator.money import CURRENCIES, RATE_SCALE, amount_text, converted, rate_text
from simulator.netsuite_master import BANK, CLEARING, MERCHANT_FEES, PRIMARY, SECOND, period_id
from simulator.payouts import Deposit
from simulator.plan import World

_FIRST, _KEYS = 40_000_000, 900_000_000  # internal ids of deposits, and keys of their lines, begin here
Row = tuple[str, tuple]


def rows(world: World, found: list[Deposit], second_base: str) -> Iterator[Row]:
    """(table, row) of deposits into the bank of the parent, in its currency; `second_base`: the second book's."""
    entity = next(iter(world.unit.entities.values()))
    for deposit in found:
        if deposit.currency != entity.currency:
            raise ValueError(f"a payout in {deposit.currency} to a bank account in {entity.currency}")
        day, changed = deposit.created // DAY, stamp_text(deposit.created)
        decimals = CURRENCIES[entity.currency].decimals
        net = deposit.gross - deposit.fee
        entries = [(BANK, net, "ASSET"), (CLEARING, -deposit.gross, "ASSET"), (MERCHANT_FEES, deposit.fee, "EXPENSE")]
        entries = [entry for entry in entries if entry[1]]
        identity = _FIRST + deposit.number
        yield "netsuite__transaction", (
            identity, f"DEP{deposit.number}", str(identity), "Deposit", "DEPOSIT", "deposit", None, 2, None,
            CURRENCIES[entity.currency].number, period_id(day), None, None, deposit.memo, None, None,
            rate_text(RATE_SCALE), amount_text(net, decimals), None, None, None, None, 1, 0, 0, date_text(day), None,
            None, changed, changed)
        for place, (_, amount, kind) in enumerate(entries):
            text, main = amount_text(amount, decimals), not place
            yield "netsuite__transactionline", (
                _KEYS + deposit.number * 8 + place, identity, place, place, kind, None, None, None, entity.number, None,
                None, None, None, None, None, text, text, int(main), 0, 0, 0, 0, None if main else 0,
                None if main else 0, None, None if main else 0, changed)
        rate = world.rates.rate(second_base, entity.currency, day)
        other = [converted(amount, entity.currency, second_base, rate) for _, amount, _ in entries]
        other[0] -= sum(other)
        for book, amounts, at, places in (
            (PRIMARY, [amount for _, amount, _ in entries], RATE_SCALE, decimals),
            (SECOND, other, rate, CURRENCIES[second_base].decimals),
        ):
            for place, ((account, _, _), amount) in enumerate(zip(entries, amounts, strict=True)):
                text = amount_text(amount, places)
                yield "netsuite__transactionaccountingline", (
                    book, identity, place, account, rate_text(at), text, text if amount > 0 else None,
                    amount_text(-amount, places) if amount < 0 else None, text, 1, 0, changed)
