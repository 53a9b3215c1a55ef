"""Dates and stamps as NetSuite tells them: in the user's zone, in the format of a preference or of TO_CHAR.

`sim.db` holds UTC. A stamp in local time ("wall") is 'YYYY-MM-DD HH:MM:SS' without a zone, so that an hour in autumn
exists twice and one in spring not at all, as at the vendor.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from simulator.netsuite_api.errors import unsupported

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ELEMENT = re.compile(r"YYYY|YY|HH24|HH12|HH|MI|SS|MONTH|MON|MM|DDD|DD|DY|DAY|AM|PM|Q|FM|\"[^\"]*\"|.", re.IGNORECASE)


class Zone:
    """Conversions between UTC and a zone's wall clock."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._zone = ZoneInfo(name)
        self.wall = lru_cache(maxsize=200_000)(self._wall)

    def _wall(self, stamp: str | None) -> str | None:
        """Canonical UTC → wall clock."""
        if stamp is None:
            return None
        moment = datetime.fromisoformat(stamp).replace(tzinfo=UTC).astimezone(self._zone)
        return moment.strftime("%Y-%m-%d %H:%M:%S")

    def utc(self, wall: str) -> str | None:
        """Wall clock → canonical UTC; None where that hour exists twice or not at all."""
        local = datetime.fromisoformat(wall)
        one = local.replace(tzinfo=self._zone, fold=0).astimezone(UTC)
        other = local.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        return one.strftime("%Y-%m-%d %H:%M:%S") if one == other else None


@lru_cache(maxsize=50_000)
def preferred(wall: str | None, preference: str) -> str | None:
    """A date, or a stamp's date, in the user's format."""
    if wall is None:
        return None
    day = date.fromisoformat(wall[:10])
    return {
        "M/D/YYYY": f"{day.month}/{day.day}/{day.year}",
        "D/M/YYYY": f"{day.day}/{day.month}/{day.year}",
        "DD.MM.YYYY": f"{day.day:02d}.{day.month:02d}.{day.year}",
        "DD-Mon-YYYY": f"{day.day:02d}-{_MONTHS[day.month - 1]}-{day.year}",
        "YYYY-MM-DD": day.isoformat(),
    }[preference]


def from_preferred(text: str, preference: str) -> str:
    """A date written in the user's format → 'YYYY-MM-DD'. NetSuiteError otherwise."""
    pattern = {"M/D/YYYY": "%m/%d/%Y", "D/M/YYYY": "%d/%m/%Y", "DD.MM.YYYY": "%d.%m.%Y", "DD-Mon-YYYY": "%d-%b-%Y",
               "YYYY-MM-DD": "%Y-%m-%d"}[preference]
    try:
        return datetime.strptime(text, pattern).date().isoformat()
    except ValueError:
        raise unsupported(f"'{text}' is not a date in the format {preference}") from None


def parsed(text: str, pattern: str) -> str:
    """TO_DATE and TO_TIMESTAMP of a literal (pattern as in strptime) → wall clock; at midnight the date alone."""
    try:
        moment = datetime.strptime(text, pattern)
    except ValueError:
        raise unsupported(f"literal '{text}' does not match the format") from None
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return moment.date().isoformat()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


@lru_cache(maxsize=50_000)
def to_char(wall: str | None, picture: str) -> str | None:
    """Oracle's TO_CHAR of a date or wall-clock stamp."""
    if wall is None:
        return None
    moment = datetime.fromisoformat(wall)
    made = {
        "YYYY": f"{moment.year:04d}", "YY": f"{moment.year % 100:02d}", "MM": f"{moment.month:02d}",
        "MON": _MONTHS[moment.month - 1], "MONTH": moment.strftime("%B").ljust(9), "DD": f"{moment.day:02d}",
        "DDD": moment.strftime("%j"), "DY": moment.strftime("%a"), "DAY": moment.strftime("%A").ljust(9),
        "HH24": f"{moment.hour:02d}", "HH12": moment.strftime("%I"), "HH": moment.strftime("%I"),
        "MI": f"{moment.minute:02d}", "SS": f"{moment.second:02d}", "Q": str((moment.month + 2) // 3), "FM": "",
        "AM": "AM" if moment.hour < 12 else "PM", "PM": "AM" if moment.hour < 12 else "PM",
    }
    pieces = []
    for element in _ELEMENT.findall(picture):
        text = made.get(element.upper(), element.strip('"'))
        pieces.append(text.upper() if element.upper() in ("MON", "MONTH", "DY", "DAY") and element.isupper() else text)
    return "".join(pieces)


def written(wall: str | None, pattern: str) -> str | None:
    """A date or wall-clock stamp in a pattern of strftime."""
    return None if wall is None else datetime.fromisoformat(wall).strftime(pattern)


def add_days(wall: str | None, days: float | str | None) -> str | None:
    """A date plus days stays a date when the days are whole."""
    if wall is None or days is None:
        return None
    moment = datetime.fromisoformat(wall) + timedelta(days=float(days))
    whole = len(wall) == 10 and float(days).is_integer()
    return moment.date().isoformat() if whole else moment.strftime("%Y-%m-%d %H:%M:%S")
