"""What SuiteQL statements look like: pure text, nothing is sent from here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from tieout.errors import ConfigError, SourceError
from tieout.spec import Column, Stream

MOST_PARENTS, LONGEST_LIST = 500, 6_000  # ids, and characters of them, in one statement
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FORMATS = {"date": "YYYY-MM-DD", "timestamp": "YYYY-MM-DD HH24:MI:SS"}
_FOLD = timedelta(hours=3)  # a clock change within this reach of a bound widens it


@dataclass(frozen=True)
class Select:
    """What is read of a stream at this account.

    columns: the served ones. constants: columns that the account's table lacks, having one value (the only book).
    """

    stream: Stream
    columns: tuple[Column, ...]
    constants: tuple[tuple[str, int], ...] = ()
    filters: tuple[str, ...] = ()

    @property
    def keyset(self) -> str:
        """The column whose values the pages follow; a whole number."""
        return name(str(self.stream.options.get("keyset") or self.stream.key[0]))

    @property
    def is_unique(self) -> bool:
        """Each value of the keyset column is on one row only."""
        return len(self.stream.key) == 1

    def statement(self, *filters: str) -> str:
        """The statement with further conditions, in the order of the keyset column and the rest of the key."""
        fixed = {word for word, _ in self.constants}
        rest = [self.stream.column(key).field.lower() for key in self.stream.key]
        order = dict.fromkeys([self.keyset, *(word for word in rest if word not in fixed)])
        return f"{self.head()}{self._where(filters)} ORDER BY {', '.join(f't.{word}' for word in order)}"

    def counting(self, *filters: str) -> str:
        """How many rows the statement has, as `rows_there`."""
        return f"SELECT COUNT(*) AS rows_there FROM {table(self.stream)} t{self._where(filters)}"

    @property
    def names(self) -> frozenset[str]:
        """What a record may hold: the columns, and the protocol's links."""
        return frozenset({*(c.field.lower() for c in self.columns), *(word for word, _ in self.constants), "links"})

    def _where(self, filters: tuple[str, ...]) -> str:
        conditions = (*self.filters, *filters)
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def head(self) -> str:
        """`SELECT … FROM … t`. Result names are the vendor's words in lower case."""
        expressions = [expression(column) for column in self.columns]
        expressions += [f"{value} AS {word}" for word, value in self.constants]
        return f"SELECT {', '.join(dict.fromkeys(expressions))} FROM {table(self.stream)} t"


def table(stream: Stream) -> str:
    """The vendor's name of the stream's table."""
    return name(str(stream.options.get("table", stream.name)))


def expression(column: Column) -> str:
    """A column's expression. Dates and stamps are formatted, because their plain form is a user's preference."""
    field = name(column.field)
    if form := _FORMATS.get(column.type):
        return f"TO_CHAR(t.{field}, '{form}') AS {field.lower()}"
    return f"t.{field}"


def name(word: str) -> str:
    """A column's or table's name, or ConfigError: names go into statements unquoted."""
    if not _NAME.fullmatch(word):
        raise ConfigError(f"{word!r} is not a name of a NetSuite table or column", hint="letters, digits and _ only")
    return word


def number(value: object, what: str) -> int:
    """An internal id, which NetSuite serves as text or as a number; SourceError for anything else."""
    text = str(value)
    if not re.fullmatch(r"-?\d+", text):
        raise SourceError(f"{what}: {text[:40]!r} is not an internal id", hint="internal ids are whole numbers")
    return int(text)


def window_filters(field: str, start: datetime | None, end: datetime, zone: tzinfo) -> tuple[str, ...]:
    """Conditions for `start <= field < end`, in the local time that the field is compared in.

    Without a start, rows that have no stamp belong to the window too: no other window would ever hold them.
    """
    low, high = local_bounds(start, end, zone)
    if low is None:
        return (f"(t.{name(field)} < {_stamp(high)} OR t.{name(field)} IS NULL)",)
    return (f"t.{name(field)} >= {_stamp(low)}", f"t.{name(field)} < {_stamp(high)}")


def local_bounds(start: datetime | None, end: datetime, zone: tzinfo) -> tuple[datetime | None, datetime]:
    """Naive local bounds that hold every instant of [start, end).

    When clocks go back, an hour of local time happens twice: an instant after `start` may read earlier than `start`,
    and one before `end` later than `end`. The bound then takes the offset that widens the window. When clocks go
    forward, an hour is missing, and no bound made from an instant falls into it.
    """
    low = None
    if start is not None:
        start = start.astimezone(UTC)
        low = start + min(_offset(start, zone), _offset(start + _FOLD, zone))
        low = low.replace(tzinfo=None, microsecond=0)
    end = end.astimezone(UTC)
    high = end + max(_offset(end, zone), _offset(end - _FOLD, zone))
    if high.microsecond:
        high += timedelta(seconds=1)
    return low, high.replace(tzinfo=None, microsecond=0)


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset()


def _stamp(local: datetime) -> str:
    return f"TO_TIMESTAMP('{local:%Y-%m-%d %H:%M:%S}', '{_FORMATS['timestamp']}')"


def chunks(ids: Iterable[str], what: str) -> Iterator[tuple[str, ...]]:
    """Parents' ids in groups that fit into one statement, each checked to be a number."""
    group: list[str] = []
    length = 0
    for each in ids:
        number(each, what)
        if group and (len(group) >= MOST_PARENTS or length + len(each) >= LONGEST_LIST):
            yield tuple(group)
            group, length = [], 0
        group.append(each)
        length += len(each) + 1
    if group:
        yield tuple(group)
