"""Numbers as finance people read them: thousands separated, the currency's own minor units, a real minus sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

MINUS = "\N{MINUS SIGN}"
ABSENT = "\N{EN DASH}"


@dataclass(frozen=True)
class Numbers:
    """Formats amounts. `minor_units`: digits after the point per currency; `group_currency`: of group figures."""

    group_currency: str
    minor_units: Mapping[str, int]

    def digits(self, currency: str | None = None) -> int:
        """Minor units of a currency; 2 where it is unknown."""
        return self.minor_units.get(currency or self.group_currency, 2)

    def amount(self, value: Decimal | int | None, currency: str | None = None) -> str:
        """`1,234.50`, in the currency's minor units."""
        if value is None:
            return ABSENT
        unit = Decimal(1).scaleb(-self.digits(currency))
        return _signed(f"{Decimal(value).quantize(unit, ROUND_HALF_UP):,}")

    def money(self, value: Decimal | int | None, currency: str | None = None) -> str:
        """`USD 1,234.50`."""
        return f"{currency or self.group_currency} {self.amount(value, currency)}"

    def compact(self, value: Decimal | int | None) -> str:
        """`1.23 M`, for charts and tiles; the exact figure stands in a table."""
        if value is None:
            return ABSENT
        size = abs(Decimal(value))
        for limit, word in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
            if size >= limit:
                scaled = Decimal(value) / limit
                return _signed(f"{scaled:,.{0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2}f}") + f" {word}"
        return _signed(f"{Decimal(value):,.0f}")


def count(value: Any) -> str:
    """`1,204`."""
    return ABSENT if value is None else _signed(f"{int(value):,}")


def percent(part: Decimal | int | None, whole: Decimal | int | None, digits: int = 1) -> str:
    """`98.4 %`, never rounded up to 100 or down to 0 when it is neither; a dash where there is nothing to compare."""
    if not whole or part is None:
        return ABSENT
    share = Decimal(part) * 100 / Decimal(whole)
    shown = share.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    if shown == 100 and share < 100:
        shown = Decimal(100) - Decimal(1).scaleb(-digits)
    if shown == 0 and share > 0:
        return f"< {Decimal(1).scaleb(-digits)} %"
    return _signed(f"{shown:,}") + " %"


def _signed(text: str) -> str:
    """A minus sign, and none before zero."""
    if text.startswith("-") and not text.strip("-0.,"):
        text = text[1:]
    return text.replace("-", MINUS)
