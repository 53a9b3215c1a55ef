"""Where the last delivery of a QuickBooks stream ended, as `ops.load_file` keeps it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b

from tieout.extract.deliveries import KnownFile
from tieout.spec import Stream

_UNTIL = "until"


@dataclass(frozen=True)
class Held:
    """until: up to when it was read. complete: when all of it was."""

    until: datetime
    complete: datetime


def last_of(known: Collection[KnownFile], stream: Stream) -> Held | None:
    """Where the last delivery ended. None where there was none, or other columns were asked for: then unchanged records
    have to come again."""
    found = [one for one in known if one.name == _UNTIL]
    if not found or found[-1].sha256 != _made_for(stream):
        return None
    return Held(datetime.fromisoformat(found[-1].version), datetime.fromisoformat(found[-1].sequence))


def kept(stream: Stream, until: datetime, rows: int, complete: datetime | None = None) -> KnownFile:
    """What is remembered of a delivery."""
    told = until.astimezone(UTC).isoformat()
    return KnownFile(_UNTIL, told, _made_for(stream), (complete or until).astimezone(UTC).isoformat(), "landed", rows)


def _made_for(stream: Stream) -> str:
    fields = "\n".join(sorted(column.field for column in stream.columns if column.field))
    return blake2b(fields.encode(), digest_size=16).hexdigest()


def months(first: date, last: date) -> Iterator[date]:
    """The first days of all months from one day to another."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)
