"""Statements: which properties of an entity set, in which order, from where on, and which rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tieout.errors import SchemaError
from tieout.extract import Window
from tieout.extract.odata_dialect import DAYS, DIALECTS, STAMPS, Dialect
from tieout.extract.odata_metadata import Entity
from tieout.extract.odata_ways import whole_days

if TYPE_CHECKING:
    from tieout.spec import Connection, Stream

CHANGE_MODE = "ODQ_CHANGEMODE"  # of SAP's operational data provisioning: C, U, D; blank in a complete set
MOST_PARENTS, LONGEST_LIST = 50, 1000  # keys in a filter, and their letters: addresses of over 8 KB are refused


@dataclass(frozen=True)
class Select:
    """A stream's statement. key: properties of the key, as the service names them. absent: optional ones it lacks.

    annotations: those that come with values and are landed. is_tracked: the service is asked to keep track of changes
    from here on; then it makes the pages, and takes neither order nor condition.
    """

    stream: Stream
    dialect: Dialect
    types: dict[str, str]
    fields: tuple[str, ...]
    key: tuple[str, ...]
    absent: list[str] = field(default_factory=list)
    filters: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    is_tracked: bool = False

    @property
    def version(self) -> int:
        return self.dialect.version

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of what is landed of a record."""
        return self.fields + self.annotations

    def words(self, top: int | None, *, after: tuple[Any, ...] | None = None, counted: bool = False) -> dict[str, str]:
        """The query of one page: `top` rows in the order of the key, those `after` one. None: the server pages."""
        words = dict(self.dialect.fixed)
        words["$select"] = ",".join(self.fields)
        filters = list(self.filters)
        if top is not None:
            words |= {"$orderby": ",".join(self.key), "$top": str(top)}
            filters += [] if after is None else [self._after(after)]
        elif self.stream.options.get("ordered") and not self.is_tracked:
            words["$orderby"] = ",".join(self.key)
        if filters:
            words["$filter"] = filters[0] if len(filters) == 1 else " and ".join(f"({each})" for each in filters)
        return words | self.dialect.counting if counted else words

    def within(self, window: Window, zone: ZoneInfo) -> Select:
        """Only what changed in the window. Days are those of `zone`, the last one included: a day says no more."""
        cursor = self.stream.column(self.stream.cursor).field
        options = self.stream.options
        stamps = dict.fromkeys([cursor, *options.get("stamps", ())])
        asked = [self._between(name, window, zone) for name in stamps if name in self.types]
        found = [each for each in asked if each]
        if len(found) < len(asked) or not found:
            return self
        return self._with(" or ".join(f"({each})" for each in found) if len(found) > 1 else found[0])

    def of_parents(self, keys: Iterable[str]) -> Select:
        """Only the rows of these parents."""
        name = self.stream.column(self.stream.parent.column).field
        return self._with(" or ".join(f"{name} eq {self.dialect.literal(key, self.types[name])}" for key in keys))

    def tracked(self) -> Select:
        """The whole set, with the service keeping track of what changes from then on."""
        return replace(self, is_tracked=True)

    @property
    def tells_deletions(self) -> bool:
        """Whether changes name what is gone, as far as the service describes itself."""
        return self.version == 4 or CHANGE_MODE in self.types

    def _with(self, condition: str) -> Select:
        return replace(self, filters=(*self.filters, condition))

    def _between(self, name: str, window: Window, zone: ZoneInfo) -> str:
        kind, bounds = self.types[name], []
        if kind in DAYS:
            for sign, moment in (("ge", window.start), ("le", window.end)):
                if moment is not None:
                    bounds.append(f"{name} {sign} {self.dialect.literal(_day(moment, zone), kind)}")
        elif kind in STAMPS and self._means_a_day(name):
            first = None if window.start is None else _day(window.start, zone)
            bounds = whole_days(name, first, _day(window.end, zone))
        elif kind in STAMPS:
            for sign, moment in (("ge", window.start), ("lt", window.end)):
                if moment is not None:
                    bounds.append(f"{name} {sign} {self.dialect.literal(moment, kind)}")
        else:
            raise SchemaError(f"stream {self.stream.name}: {name} is {kind}, no date",
                              hint="a cursor must be a date or a timestamp")
        return " and ".join(bounds)

    def _means_a_day(self, name: str) -> bool:
        return any(column.field == name and column.type == "date" for column in self.stream.columns)

    def _after(self, last: tuple[Any, ...]) -> str:
        """Keys after `last` in their order: a greater first part, or the same and a greater second part, …"""
        told = [(name, self.dialect.literal(value, self.types[name]))
                for name, value in zip(self.key, last, strict=True)]
        ways = []
        for place, (name, value) in enumerate(told):
            same = [f"{before} eq {held}" for before, held in told[:place]]
            ways.append(" and ".join([*same, f"{name} gt {value}"]))
        return ways[0] if len(ways) == 1 else " or ".join(f"({way})" for way in ways)


def select_of(connection: Connection, stream: Stream, entity: Entity) -> Select:
    """The statement for what the service offers.

    SchemaError for a property that is not optional and not offered, and for a cursor that may not be filtered by.
    """
    served, absent, missing, annotations = [], [], [], []
    for column in stream.columns:
        name, _, annotation = column.field.partition("@")
        if annotation and name in entity.properties:
            annotations.append(column.field)  # comes with its value
            continue
        if column.field and column.field in entity.properties:
            served.append(column.field)
        elif column.field or not column.optional:
            (absent if column.optional else missing).append(column.field or column.name)
    if missing:
        raise SchemaError(
            f"connection {connection.name}: {stream.name} has no property {', '.join(missing)}",
            hint=f"an older release or a changed service; another name is told under `fields.{stream.name}`",
        )
    cursor = stream.column(stream.cursor).field if stream.cursor else None
    if cursor in entity.unfilterable:
        raise SchemaError(
            f"connection {connection.name}: {stream.name} may not be filtered by {cursor}",
            hint=f"name a property that may be under `fields.{stream.name}`",
        )
    key = tuple(entity.key) if entity.key else tuple(stream.column(name).field for name in stream.key)
    fields = tuple(dict.fromkeys([*served, *key]))
    return Select(stream, DIALECTS[stream.options["version"]], entity.properties, fields, key, absent,
                  (stream.options["filter"],) if stream.options.get("filter") else (), tuple(annotations))


def key_groups(keys: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Parents' keys in groups that fit into one address."""
    group: list[str] = []
    length = 0
    for key in keys:
        if group and (len(group) >= MOST_PARENTS or length + len(key) >= LONGEST_LIST):
            yield tuple(group)
            group, length = [], 0
        group.append(key)
        length += len(key)
    if group:
        yield tuple(group)


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()
