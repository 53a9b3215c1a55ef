"""Reading an entity through QuickBooks' query endpoint, whose pages are no snapshot.

`startposition` counts in what is there now: a record that changes while it is paged moves to the end of the order or
out of the window, all behind it move up, and one of them is never seen. So pages go by value: each begins at the last
stamp of the one before (`MetaData.LastUpdatedTime >= …`), and what is known of that second is left out. Only where one
second fills whole pages is it read by position, each page beginning with the last record of the one before: where that
has moved, the second is read again from its start.

Without an upper bound a record that changes meanwhile comes again at the end, so that a complete set is complete. A
page that is shorter than asked for ends nothing: a server may serve less at once. An empty one does, or one that is
shorter than an earlier one and brought nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from tieout.errors import SourceError
from tieout.extract.qbo_page import Row

MOST_ROWS = 1000
STAMP = "MetaData.LastUpdatedTime"
_RESTARTS = 5

Ask = Callable[[str], list[Row]]


@dataclass
class _Place:
    """How far the reading is. seen: ids at the second `low`. passed: records of it that are behind us by position, and
    `last` the last of them. largest: records of the fullest page."""

    low: datetime | None
    seen: set[str] = field(default_factory=set)
    passed: int = 0
    last: str = ""
    largest: int = 0
    restarts: int = 0


class Walk:
    """One reading of one entity. `where`: conditions besides those on the stamp. ask: a statement → its records."""

    def __init__(self, entity: str, about: str, ask: Ask, *, zone: tzinfo, rows: int = MOST_ROWS,
                 where: tuple[str, ...] = ()) -> None:
        self._entity, self._about, self._ask, self._zone, self._rows = entity, about, ask, zone, min(rows, MOST_ROWS)
        self._where = where

    def pages(self, start: datetime | None, end: datetime | None) -> Iterator[list[Row]]:
        """Records of [start, end) in the order of their stamp; each once, unless it changed meanwhile."""
        place = _Place(start.astimezone(UTC).replace(microsecond=0) if start else None)
        while True:
            rows = self._ask(self._statement(place, end))
            self._check(rows, place)
            if place.passed:
                if not rows or rows[0].id != place.last:
                    self._again(place)
                    continue
                rows = rows[1:]
            fresh = [row for row in rows if row.at != place.low or row.id not in place.seen]
            if fresh:
                yield fresh
            if not rows or (not fresh and not place.passed and len(rows) < place.largest):
                return
            self._move(place, rows)

    @staticmethod
    def _move(place: _Place, rows: list[Row]) -> None:
        """On to the last second of the page; or on within it, where the page held no other."""
        place.largest = max(place.largest, len(rows))
        last = rows[-1]
        if last.at == place.low:
            place.seen |= {row.id for row in rows}
            place.passed, place.last = place.passed + len(rows), last.id
            return
        place.low, place.passed, place.last = last.at, 0, ""
        place.seen = {row.id for row in rows if row.at == last.at}

    def _again(self, place: _Place) -> None:
        """Read the second from its start: what is known of it is left out."""
        place.restarts += 1
        if place.restarts > _RESTARTS:
            raise SourceError(f"{self._about}: records of {place.low} move while they are read",
                              hint="run again when nobody changes them in bulk")
        place.passed, place.last = 0, ""

    def _check(self, rows: list[Row], place: _Place) -> None:
        """Paging by value stands and falls with the order."""
        previous = place.low
        for row in rows:
            if previous is not None and row.at < previous:
                raise SourceError(f"{self._about}: records are not in the order of {STAMP} ({row.at} after {previous})",
                                  hint="the vendor ignored orderby or the bound; report it")
            previous = row.at

    def _statement(self, place: _Place, end: datetime | None) -> str:
        bounds = [*self._where]
        if place.low is not None:
            bounds.append(f"{STAMP} >= {stamp(place.low, self._zone)}")
        if end is not None:
            bounds.append(f"{STAMP} < {stamp(end, self._zone)}")
        where = f" where {' and '.join(bounds)}" if bounds else ""
        return (f"select * from {self._entity}{where} orderby {STAMP}, Id startposition {max(1, place.passed)} "
                f"maxresults {self._rows}")


def stamp(at: datetime, zone: tzinfo) -> str:
    """A moment as a statement writes it: with the company's offset, to the second."""
    return f"'{at.astimezone(zone).replace(microsecond=0).isoformat()}'"
