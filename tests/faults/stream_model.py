"""A vendor's table, and what landing must make of its answers: in memory, slow, and plain enough to be believed.

Nothing here knows the product. Moments and stamps are whole seconds since a base; `Clock` says which of them a vendor
that writes local time without an offset makes ambiguous.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

LIVE, FLAGGED, GONE = "live", "flagged", "gone"


@dataclass(frozen=True)
class Event:
    """One committed change of one record. `stamp`: when it was written; readers see it from `seen` on (seen >= stamp).

    traced: a deletion that the vendor tells of (flag, feed, notice), or a change that its own stamp or document shows.
    """

    key: str
    number: int
    stamp: int
    seen: int
    state: str = LIVE
    document: str | None = None
    traced: bool = True


@dataclass
class Table:
    """A vendor's table: all that ever happened, and what it would answer at a moment."""

    events: list[Event] = field(default_factory=list)

    def at(self, moment: int) -> dict[str, Event]:
        """The last visible event of each record; deleted ones included, as GONE or FLAGGED."""
        return {event.key: event for event in sorted(self.events, key=lambda e: e.seen) if event.seen <= moment}

    def living(self, moment: int) -> dict[str, Event]:
        """What a person sees in the vendor's screens."""
        return {key: event for key, event in self.at(moment).items() if event.state == LIVE}

    def last(self, key: str) -> Event | None:
        """The record's last event, visible yet or not."""
        mine = [event for event in self.events if event.key == key]
        return mine[-1] if mine else None


@dataclass(frozen=True)
class Clock:
    """How a vendor writes stamps: in UTC, or in local time without an offset."""

    base: datetime
    zone: ZoneInfo | None = None

    def instant(self, second: int) -> datetime:
        return self.base + timedelta(seconds=second)

    def written(self, second: int) -> datetime:
        """What the vendor writes, without an offset."""
        return self.instant(second).astimezone(self.zone or UTC).replace(tzinfo=None)

    def read(self, second: int) -> int:
        """The stamp as anybody must read it: an hour that occurs twice is read as its first occurrence."""
        local = self.written(second).replace(tzinfo=self.zone or UTC, fold=0)
        return int((local.astimezone(UTC) - self.base).total_seconds())

    def is_ambiguous(self, read: int) -> bool:
        """Whether a stamp that was read as `read` may mean a moment an hour later."""
        return _ambiguous(self.base, self.zone, read) if self.zone else False

    def is_older(self, one: int, other: int) -> bool:
        """Whether stamp `one` is certainly older than `other`."""
        same_night = abs(one - other) < 7200 and self.is_ambiguous(one) and self.is_ambiguous(other)
        return one < other and not same_night


@cache
def _ambiguous(base: datetime, zone: ZoneInfo, read: int) -> bool:
    local = (base + timedelta(seconds=read)).astimezone(zone)
    return local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset() and local.fold == 0 and (
        local.replace(fold=1).astimezone(UTC) > local.astimezone(UTC))


@dataclass(frozen=True)
class Row:
    """A record as it arrives; equal fields, equal answers. notice: it says no more than that the key is deleted."""

    key: str
    number: int | None
    stamp: int | None
    deleted: bool = False
    document: str | None = None
    notice: bool = False
    unreadable: bool = False


@dataclass(frozen=True)
class Version:
    """One stored version: current from batch `born`, until batch `closed`."""

    key: str
    number: int | None
    stamp: int | None
    deleted: bool
    document: str | None
    born: int
    closed: int | None = None


OUTCOMES = ("landed", "unchanged", "replayed", "quarantined")


@dataclass
class Counts:
    """What one load must report. sums: the control total per outcome, in the unit of `Row.number`."""

    received: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    deleted: int = 0

    def add(self, outcome: str, row: Row) -> None:
        self.rows[outcome] += 1
        self.sums[outcome] += row.number or 0


class Refused(Exception):
    """A complete set that is too small to be believed."""


@dataclass
class Shelf:
    """What landing holds of one stream of one connection."""

    clock: Clock
    versions: list[Version] = field(default_factory=list)
    snapshots: dict[int, dict[str, Version]] = field(default_factory=dict)

    @property
    def current(self) -> dict[str, Version]:
        return {version.key: version for version in self.versions if version.closed is None}

    @property
    def living(self) -> dict[str, int | None]:
        """{key: number} of the current set."""
        return {key: version.number for key, version in self.current.items() if not version.deleted}

    def as_of(self, batch: int) -> dict[str, Version]:
        """What a reader at `batch` sees."""
        return {v.key: v for v in self.versions if v.born <= batch and (v.closed is None or v.closed > batch)}

    def load(self, batch: int, rows: list[Row], *, documents: list[str] | None = None, complete: bool = False,
             guard_pct: int = 80, buried: dict[str, int] | None = None) -> Counts:
        """One load. documents: those whose lines came in full. complete: the set lacks nothing, so the absent are gone.

        buried: {key: stamp of its deletion} of the deletions that are known from elsewhere. Raises Refused.
        """
        before = self.current
        counts = Counts(received=len(rows))
        for key in dict.fromkeys(row.key for row in rows):
            self._one_key(batch, [row for row in rows if row.key == key], counts, buried or {})
        received = {row.key for row in rows}
        held = {key for key, version in before.items() if not version.deleted}
        if complete:
            told = {row.key for row in rows if row.unreadable or not (row.deleted or row.notice)} | (received & held)
            if held and len(told) * 100 < len(held) * max(guard_pct, 1) and guard_pct:
                raise Refused
            counts.deleted += self._close(batch, dict.fromkeys(held - received))
        elif documents:
            lines = {key for key, version in self.current.items()
                     if version.document in documents and not version.deleted}
            counts.deleted += self._close(batch, dict.fromkeys(lines - received))
        return counts

    def bury(self, batch: int, deletions: dict[str, int | None]) -> int:
        """Close the living records of `deletions`, unless they changed after it. Returns how many."""
        current = self.current
        gone = {key: stamp for key, stamp in deletions.items() if key in current and not current[key].deleted
                and not (stamp is not None and current[key].stamp is not None
                         and self.clock.is_older(stamp, current[key].stamp))}
        return self._close(batch, gone)

    def _one_key(self, batch: int, rows: list[Row], counts: Counts, buried: dict[str, int]) -> None:
        """The row that counts is the youngest, of equally young ones the last to arrive."""
        readable = [row for row in rows if not row.unreadable]
        for row in rows:
            if row.unreadable:
                counts.add("quarantined", row)
        if not readable:
            return
        winner = readable[0]
        for row in readable[1:]:
            if not self._is_older(row, winner):
                winner = row
        at = max(place for place, row in enumerate(readable) if row is winner)
        for place, row in enumerate(readable):
            if place != at:
                counts.add(self._repeat(row, winner), row)
        counts.add(self._settle(batch, winner, buried), winner)

    def _is_older(self, row: Row, other: Row) -> bool:
        mine = float("inf") if row.stamp is None and row.notice else row.stamp
        others = float("inf") if other.stamp is None and other.notice else other.stamp
        if mine is None or others is None:
            return mine is None and others is not None
        return mine < others if float("inf") in (mine, others) else self.clock.is_older(mine, others)

    @staticmethod
    def _repeat(row: Row, winner: Row) -> str:
        if row.notice or winner.notice:
            return "unchanged"
        if row == winner:
            return "replayed"
        return "quarantined" if row.stamp == winner.stamp else "unchanged"

    def _settle(self, batch: int, row: Row, buried: dict[str, int]) -> str:
        now = self.current.get(row.key)
        if now and row.stamp is not None and now.stamp is not None and self.clock.is_older(row.stamp, now.stamp):
            return "unchanged"
        if row.notice:
            if now is None and row.stamp is not None:
                self.versions.append(Version(row.key, None, row.stamp, True, None, batch))
                return "landed"
            if now is None or (now.deleted and not (
                    row.stamp is not None and now.stamp is not None and self.clock.is_older(now.stamp, row.stamp))):
                return "unchanged"
            self._close(batch, {row.key: row.stamp})
            return "landed"
        if now and (now.number, now.stamp, now.deleted, now.document) == (
                row.number, row.stamp, row.deleted, row.document):
            return "unchanged"
        if now and now.deleted and row.key in buried and row.stamp is not None and not row.deleted \
                and not self.clock.is_older(buried[row.key], row.stamp):
            return "unchanged"
        self._retire(batch, row.key)
        self.versions.append(Version(row.key, row.number, row.stamp, row.deleted, row.document, batch))
        return "landed"

    def _close(self, batch: int, deletions: dict[str, int | None]) -> int:
        """A tombstone keeps the last content."""
        for key, stamp in deletions.items():
            last = self.current[key]
            self._retire(batch, key)
            self.versions.append(replace(last, deleted=True, born=batch, stamp=last.stamp if stamp is None else stamp))
        return len(deletions)

    def _retire(self, batch: int, key: str) -> None:
        self.versions = [replace(v, closed=batch) if v.key == key and v.closed is None else v for v in self.versions]
