"""Time in the simulated company: days and seconds since 1970-01-01 UTC as integers, and their canonical text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache

DAY = 86_400
EPOCH = date(1970, 1, 1)
FIRST_DAY = (date(2024, 7, 1) - EPOCH).days  # history is 24 months …
LAST_DAY = (date(2026, 6, 30) - EPOCH).days  # … which end here; `advance` goes on from this day
RATES_FROM = (date(2024, 1, 1) - EPOCH).days  # rates reach back further, so that no document is without one
NOW_OF_DAY = 23 * 3600  # each simulated day ends at 23:00 UTC; all stamps are before it
LOCK_DAYS = 5  # a month's books are locked this many days after its end


@cache
def date_text(day: int) -> str:
    """'YYYY-MM-DD' of a day number."""
    return (EPOCH + timedelta(days=day)).isoformat()


def stamp_text(moment: int) -> str:
    """'YYYY-MM-DD HH:MM:SS' in UTC of seconds since the epoch."""
    day, rest = divmod(moment, DAY)
    return f"{date_text(day)} {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def moment_of(text: str) -> int:
    """Seconds since the epoch of 'YYYY-MM-DD HH:MM:SS' in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def end_of(day: int) -> int:
    """The moment at which the simulated day ends."""
    return day * DAY + NOW_OF_DAY


@cache
def month_of(day: int) -> tuple[int, int]:
    """(year, month) of a day number."""
    found = EPOCH + timedelta(days=day)
    return found.year, found.month


@cache
def month_start(year: int, month: int) -> int:
    """The first day of a month; months beyond 12 count on into the next years."""
    return (date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1) - EPOCH).days


def next_month_start(day: int) -> int:
    """The first day of the month after the day's."""
    year, month = month_of(day)
    return month_start(year, month + 1)
