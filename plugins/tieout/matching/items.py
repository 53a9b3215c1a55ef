"""One side of a reconciliation as columns. No files here: `reading.py` makes Items of files, the pipeline of its marts.

Row numbers are positions in these columns. They name an item inside one run and never decide anything: results are
the same for shuffled rows, and ids break no tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieout.matching.money import to_minor

NO_DATE = np.int32(-(2**31))
DAY_ZERO = date(1970, 1, 1)


@dataclass(frozen=True)
class Items:
    """`ids` text, unique. `amount` int64 minor units, signed. `currency` ISO codes. `day` int32 days since 1970.

    `party` text, null where unknown. `references` name the item itself, `texts` may name items of the other side,
    `links` hold ids of the other side, `reverses` ids of this side: each text, null where absent. `tax` minor units.
    """

    ids: pa.Array
    amount: np.ndarray
    currency: pa.Array
    day: np.ndarray
    party: pa.Array | None = None
    references: tuple[pa.Array, ...] = ()
    texts: tuple[pa.Array, ...] = ()
    links: tuple[pa.Array, ...] = ()
    tax: np.ndarray | None = None
    reason: pa.Array | None = None
    reverses: pa.Array | None = None

    def __post_init__(self) -> None:
        arrays = (
            self.amount,
            self.currency,
            self.day,
            self.party,
            *self.references,
            *self.texts,
            *self.links,
            self.tax,
            self.reason,
            self.reverses,
        )
        wrong = [len(each) for each in arrays if each is not None and len(each) != len(self.ids)]
        if wrong:
            raise ValueError(f"columns of {wrong} rows beside {len(self.ids)} ids")
        if self.amount.dtype != np.int64:
            raise ValueError(f"amounts are {self.amount.dtype}; whole minor units (int64) are needed")
        if pc.count_distinct(self.ids).as_py() != len(self.ids):
            raise ValueError("ids are not unique")

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Items:
        """The items at these rows, in that order."""

        def at(each: Any) -> Any:
            return None if each is None else each[rows] if isinstance(each, np.ndarray) else each.take(pa.array(rows))

        return Items(
            at(self.ids),
            at(self.amount),
            at(self.currency),
            at(self.day),
            at(self.party),
            *(tuple(at(each) for each in many) for many in (self.references, self.texts, self.links)),
            at(self.tax),
            at(self.reason),
            at(self.reverses),
        )


def items_of(records: Sequence[dict[str, Any]]) -> Items:
    """Items of plain records: id, amount (Decimal or text), currency, and date, party, reference, text, link, tax,
    reason, reverses where there are. For small sets and for tests; a file of a million rows is read in columns.
    """

    def column(word: str) -> pa.Array:
        return pa.array([None if r.get(word) is None else str(r[word]) for r in records], pa.string())

    def several(word: str) -> tuple[pa.Array, ...]:
        return (column(word),) if any(word in record for record in records) else ()

    def minor(word: str) -> np.ndarray:
        return np.array([to_minor(Decimal(str(r.get(word) or 0)), r["currency"]) for r in records], np.int64)

    days = [NO_DATE if r.get("date") is None else (_day(r["date"]) - DAY_ZERO).days for r in records]
    return Items(
        column("id"),
        minor("amount"),
        column("currency"),
        np.array(days, np.int32),
        column("party") if any("party" in r for r in records) else None,
        several("reference"),
        several("text"),
        several("link"),
        minor("tax") if any("tax" in r for r in records) else None,
        *(column(word) if any(word in r for r in records) else None for word in ("reason", "reverses")),
    )


def _day(value: date | str) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)
