"""Money in integers of minor units, the group's legal entities, and the daily rates between its currencies."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from simulator.clock import RATES_FROM

# Rates are drawn with eight decimals. What an ERP quotes the other way round is 1 / its quote, and needs more.
RATE_SCALE = 10**12
_DRAWN = 10**8


@dataclass(frozen=True)
class Currency:
    """`number` is NetSuite's internal id; `micros` the first day's value of one unit in millionths of a US dollar."""

    code: str
    number: int
    decimals: int
    name: str
    sign: str
    micros: int
    corporate_rate: str  # Salesforce: units per 1 US dollar, static


@dataclass(frozen=True)
class Entity:
    """A legal entity: a NetSuite subsidiary, a company code. `number` within its unit; `tax` in basis points of net."""

    code: str
    number: int
    currency: str
    country: str
    tax: int
    name: str
    legal_name: str
    share: int


CURRENCIES = {
    c.code: c
    for c in (
        Currency("USD", 1, 2, "US Dollar", "$", 1_000_000, "1"),
        Currency("GBP", 2, 2, "British Pound", "£", 1_270_000, "0.79"),
        Currency("EUR", 4, 2, "Euro", "€", 1_080_000, "0.92"),
        Currency("JPY", 5, 0, "Japanese Yen", "¥", 6_700, "149.5"),
        Currency("KWD", 6, 3, "Kuwaiti Dinar", "KD", 3_250_000, "0.3077"),
    )
}
ENTITIES = {
    e.code: e
    for e in (
        Entity("US01", 1, "USD", "US", 800, "Halden US", "Halden Inc.", 42),
        Entity("GB01", 2, "GBP", "GB", 2000, "Halden UK", "Halden UK Limited", 21),
        Entity("DE01", 3, "EUR", "DE", 1900, "Halden Germany", "Halden Deutschland GmbH", 21),
        Entity("JP01", 4, "JPY", "JP", 1000, "Halden Japan", "Halden Japan KK", 10),
        Entity("KW01", 5, "KWD", "KW", 0, "Halden Kuwait", "Halden Kuwait WLL", 6),
        Entity("DE10", 1, "EUR", "DE", 1900, "Halden Works", "Halden Werke GmbH", 42),
        Entity("US10", 2, "USD", "US", 800, "Halden Works US", "Halden Works Inc.", 24),
        Entity("GB10", 3, "GBP", "GB", 2000, "Halden Works UK", "Halden Works Limited", 14),
        Entity("JP10", 4, "JPY", "JP", 1000, "Halden Works Japan", "Halden Works KK", 14),
        Entity("KW10", 5, "KWD", "KW", 0, "Halden Works Kuwait", "Halden Works WLL", 6),
        Entity("GB20", 1, "GBP", "GB", 2000, "Halden Stores", "Halden Stores Limited", 42),
        Entity("US20", 2, "USD", "US", 800, "Halden Stores US", "Halden Stores Inc.", 24),
        Entity("DE20", 3, "EUR", "DE", 1900, "Halden Stores Germany", "Halden Stores GmbH", 14),
        Entity("JP20", 4, "JPY", "JP", 1000, "Halden Stores Japan", "Halden Stores KK", 14),
        Entity("KW20", 5, "KWD", "KW", 0, "Halden Stores Kuwait", "Halden Stores WLL", 6),
        Entity("US30", 1, "USD", "US", 800, "Halden Technology", "Halden Technology Inc.", 42),
        Entity("GB30", 2, "GBP", "GB", 2000, "Halden Technology UK", "Halden Technology Limited", 24),
        Entity("DE30", 3, "EUR", "DE", 1900, "Halden Technology Germany", "Halden Technologie GmbH", 14),
        Entity("JP30", 4, "JPY", "JP", 1000, "Halden Technology Japan", "Halden Technology KK", 14),
        Entity("KW30", 5, "KWD", "KW", 0, "Halden Technology Kuwait", "Halden Technology WLL", 6),
        Entity("US40", 1, "USD", "US", 800, "Halden Care US", "Halden Care Inc.", 42),
        Entity("GB40", 2, "GBP", "GB", 2000, "Halden Care UK", "Halden Care Limited", 24),
        Entity("DE40", 3, "EUR", "DE", 1900, "Halden Care", "Halden Kliniken GmbH", 14),
        Entity("JP40", 4, "JPY", "JP", 1000, "Halden Care Japan", "Halden Care KK", 14),
        Entity("KW40", 5, "KWD", "KW", 0, "Halden Care Kuwait", "Halden Care WLL", 6),
        Entity("US50", 1, "USD", "US", 800, "Halden Online", "Halden Online Inc.", 42),
        Entity("GB50", 2, "GBP", "GB", 2000, "Halden Online UK", "Halden Online Limited", 24),
        Entity("DE50", 3, "EUR", "DE", 1900, "Halden Online Germany", "Halden Online GmbH", 14),
        Entity("JP50", 4, "JPY", "JP", 1000, "Halden Online Japan", "Halden Online KK", 14),
        Entity("KW50", 5, "KWD", "KW", 0, "Halden Online Kuwait", "Halden Online WLL", 6),
        Entity("GB60", 1, "GBP", "GB", 2000, "Halden Goods", "Halden Goods Limited", 100),
    )
}
ELIMINATION = Entity("XE01", 6, "USD", "US", 0, "Halden Eliminations", "Halden Eliminations", 0)


def rounded(numerator: int, denominator: int) -> int:
    """The quotient rounded half away from zero, as Postgres rounds numeric."""
    half = (2 * abs(numerator) + denominator) // (2 * denominator)
    return half if numerator >= 0 else -half


def tax_on(net: int, basis_points: int) -> int:
    """Tax in minor units on a net amount in minor units."""
    return rounded(net * basis_points, 10_000)


@cache
def _unit(decimals: int) -> int:
    return 10**decimals


def amount_text(minor: int, decimals: int) -> str:
    """'1234.50' of 123450 with two decimals; no decimal point for yen."""
    if decimals == 0:
        return str(minor)
    unit = 10**decimals
    whole, rest = divmod(abs(minor), unit)
    return f"{'-' if minor < 0 else ''}{whole}.{rest:0{decimals}d}"


def decimal_text(scaled: int, decimals: int) -> str:
    """A decimal without trailing zeros."""
    text = amount_text(scaled, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


@cache
def rate_text(rate: int) -> str:
    """A rate as text, trailing zeros trimmed."""
    return decimal_text(rate, 12)


def inverse(rate: int) -> int:
    """1 / rate, with eight decimals."""
    return rounded(RATE_SCALE * _DRAWN, rate) * (RATE_SCALE // _DRAWN)


class Rates:
    """Daily rates as a walk around the first day's values, in integers, from `clock.RATES_FROM` on.

    held: (base, transaction, rate) → the rate as the books hold it, where they hold less than eight decimals.
    """

    def __init__(self, seed: int, held: Callable[[str, str, int], int] | None = None) -> None:
        self._held = held
        self._draws = {code: random.Random(f"{seed}/rates/{code}") for code in CURRENCIES}
        self._values = {code: [currency.micros * 10**6] for code, currency in CURRENCIES.items()}
        self._cache: dict[tuple[str, str, int], int] = {}

    def _value(self, code: str, day: int) -> int:
        values, start = self._values[code], CURRENCIES[code].micros * 10**6
        while len(values) <= day - RATES_FROM:
            last = values[-1]
            step = 0 if code == "USD" else self._draws[code].randint(-700, 700)
            values.append(last + last * step // 100_000 + (start - last) // 150)
        return values[day - RATES_FROM]

    def rate(self, base: str, transaction: str, day: int) -> int:
        """Units of `base` per 1 unit of `transaction` on that day, in RATE_SCALE."""
        if base == transaction:
            return RATE_SCALE
        key = (base, transaction, day)
        if key not in self._cache:
            drawn = rounded(self._value(transaction, day) * _DRAWN, self._value(base, day))
            self._cache[key] = self.held(base, transaction, drawn * (RATE_SCALE // _DRAWN))
        return self._cache[key]

    def held(self, base: str, transaction: str, rate: int) -> int:
        """A rate as the books hold it: what they post is the amount times this."""
        return rate if self._held is None else self._held(base, transaction, rate)


def converted(minor: int, transaction: str, base: str, rate: int) -> int:
    """Minor units of `base` of an amount in minor units of `transaction`, at a rate in RATE_SCALE."""
    if transaction == base and rate == RATE_SCALE:
        return minor
    numerator = minor * rate * _unit(CURRENCIES[base].decimals)
    return rounded(numerator, RATE_SCALE * _unit(CURRENCIES[transaction].decimals))
