"""What a reconciliation of two files may do: columns, keys, tolerances, windows, tables. Data, validated strictly.

`load(path)` reads a rules file; an error names file, line and key. Everything has a default, so that five lines work.
Amounts in a rules file are in the currency's own unit (10.50), percentages are percent (2 is 2 %), windows are days.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from tieout.errors import ConfigError
from tieout.spec import parse

PassName = Literal[
    "decisions",
    "voids",
    "links",
    "crossref",
    "keys",
    "sums",
    "variance",
    "scored",
    "slips",
    "balance",
    "exact",
    "named",
]
PASSES: tuple[PassName, ...] = get_args(PassName)
Code = Annotated[str, Field(pattern=r"^[A-HX][1-9]?$")]  # the closed list of reasons of a break


def _decimal(value: Any) -> Any:
    """YAML reads 2.9 as binary floating point; its shortest text is what was written."""
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")
    return str(value) if isinstance(value, float) else value


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Exact = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, allow_inf_nan=False)]
Columns = Annotated[tuple[str, ...], BeforeValidator(_several)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mapping(_Frozen):
    """Which column of a file holds what. `amount`, or `debit` and `credit` (amount = debit − credit).

    `reference`: what names this item (a document's number). `text`: free text that may name items of the other side.
    `link`: the id of the other side's item, where the file knows it. `tax`: the tax inside `amount`. `reason`: a code
    of the other party for what was deducted. `reverses`: the id of the item of this side that this one cancels.
    """

    id: str | None = None
    date: str | None = None
    amount: str | None = None
    debit: str | None = None
    credit: str | None = None
    currency: str | None = None
    party: str | None = None
    reference: Columns = ()
    text: Columns = ()
    link: Columns = ()
    tax: str | None = None
    reason: str | None = None
    reverses: str | None = None

    @model_validator(mode="after")
    def _amounts(self) -> Mapping:
        if (self.amount is None) == (self.debit is None and self.credit is None):
            raise ValueError("map `amount`, or `debit` and `credit`")
        return self

    def names(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        given = (
            each for value in self.model_dump().values() for each in (value if isinstance(value, tuple) else (value,))
        )
        return tuple(dict.fromkeys(name for name in given if name))


class Dialect(_Frozen):
    """How a CSV is written. `date`: strptime forms, tried in order; empty: ISO. `thousands`: a mark that is dropped."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    encoding: str = "utf-8"
    skip: int = Field(default=0, ge=0)
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", "'", " "] = ""
    date: Columns = ()

    @model_validator(mode="after")
    def _marks(self) -> Dialect:
        if self.decimal == self.thousands:
            raise ValueError(f"`decimal` and `thousands` are both {self.decimal!r}")
        return self


class Side(_Frozen):
    """One file: its columns, how it is written, and the sign of its amounts."""

    columns: Mapping
    format: Dialect = Dialect()
    sign: Literal["as_is", "reversed"] = "as_is"


class Tolerance(_Frozen):
    """What two amounts may differ by: absolute and percent of the right one; the smaller wins. Nothing given:
    nothing.
    """

    absolute: Exact | None = None
    percent: Exact | None = None
    reason: Code = "C1"


class Window(_Frozen):
    """Days from the right item's date to the left one's: from −before to +after. `business`: count Monday to Friday."""

    before: int = Field(default=5, ge=0)
    after: int = Field(default=120, ge=0)
    business: bool = False
    holidays: tuple[date, ...] = ()


class References(_Frozen):
    """`min_length`: characters that a name must have. `common`: a part of a name on more items than this names
    nothing.
    """

    min_length: int = Field(default=4, ge=2, le=20)
    common: int = Field(default=20, ge=1)


class Party(_Frozen):
    """`compare`: auto compares where both files speak of the same parties. `similar`: from which likeness, of 100."""

    compare: Literal["auto", "ignore"] = "auto"
    similar: int = Field(default=90, ge=50, le=100)


class Discount(_Frozen):
    """Terms: so many percent off when paid within so many days (None: whenever)."""

    percent: Exact = Field(gt=0, lt=100)
    days: int | None = Field(default=None, ge=0)


class Fee(_Frozen):
    """What a provider keeps: percent of the right amount and a fixed amount, the sum rounded to the minor unit."""

    percent: Exact = Decimal(0)
    fixed: Exact = Decimal(0)

    @model_validator(mode="after")
    def _some(self) -> Fee:
        if not self.percent and not self.fixed:
            raise ValueError("a fee needs `percent` or `fixed`")
        return self


class Fx(_Frozen):
    """`bp`: how many basis points a difference of rates may make. `rates`: `USD/EUR: 0.92` is what one USD is in
    EUR.
    """

    bp: Exact = Decimal(0)
    rates: dict[Annotated[str, Field(pattern=r"^[A-Z]{3}/[A-Z]{3}$")], Exact] = {}


class Variance(_Frozen):
    """Differences that have an explanation. `rounding`: minor units per item. `reasons`: a payer's code → a reason."""

    discounts: tuple[Discount, ...] = ()
    fees: tuple[Fee, ...] = ()
    tax_rates: tuple[Exact, ...] = ()
    rounding: int = Field(default=1, ge=0, le=10)
    fx: Fx = Fx()
    reasons: dict[str, Code] = {}


class Sums(_Frozen):
    """`members`: items of one group at most."""

    members: int = Field(default=60, ge=2, le=1000)


class Scored(_Frozen):
    """`confirm`, `suggest`: the score from which a pair is believed, or shown. `margin`: its lead over the runner-up.

    `pairs`: an amount that makes more candidate pairs than this within a currency says nothing without a party.
    """

    confirm: float = 6.0
    suggest: float = 3.0
    margin: float = Field(default=1.5, gt=0)
    pairs: int = Field(default=400, ge=1)


class Balance(_Frozen):
    """`batch_days`: how many days after its day the sum of a day may arrive."""

    batch_days: int = Field(default=3, ge=0)
    members: int = Field(default=500, ge=2)


class ExactStep(_Frozen):
    """`items` open at most, `members` of a group at most; `chance`: how many accidental hits may be expected."""

    items: int = Field(default=12, ge=2, le=12)
    members: int = Field(default=6, ge=2, le=6)
    chance: float = Field(default=0.01, gt=0, le=1)


class Rules(_Frozen):
    """A rules file. `kind` says what the sides are, and so what an item without a partner means (see breaks.py)."""

    version: Literal[1] = 1
    kind: Literal["payments", "bank", "ledger", "documents"] = "payments"
    left: Side | None = None
    right: Side | None = None
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    materiality: Exact = Decimal(0)
    order: tuple[PassName, ...] = PASSES
    off: tuple[PassName, ...] = ()
    window: Window = Window()
    tolerance: Tolerance = Tolerance()
    references: References = References()
    party: Party = Party()
    variance: Variance = Variance()
    sums: Sums = Sums()
    scored: Scored = Scored()
    balance: Balance = Balance()
    exact: ExactStep = ExactStep()

    @field_validator("order", "off", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _each_once(self) -> Rules:
        twice = sorted({name for name in self.order if self.order.count(name) > 1})
        if twice:
            raise ValueError(f"order: {', '.join(twice)} named twice")
        return self

    def passes(self) -> tuple[PassName, ...]:
        """The passes that run, in their order."""
        return tuple(name for name in self.order if name not in self.off)


def load(path: Path) -> Rules:
    """Read a rules file. Raises ConfigError with file, line and key."""
    if not path.is_file():
        raise ConfigError(f"{path} does not exist", hint="`tieout match --left … --right … --init` writes one")
    return parse(path, Rules)
