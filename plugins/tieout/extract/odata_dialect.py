"""What OData 2 and OData 4 write differently: literals, query words, and where an answer keeps its rows.

Sources: OData 2.0 (URI conventions, JSON format, operations), OData 4.01 (URL conventions, JSON format).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from tieout.errors import SourceError

_TICKS = re.compile(r"/Date\((-?\d{1,15})([+-]\d{1,4})?\)/")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUOTED = {"Edm.Guid": "guid", "Edm.Time": "time", "Edm.Binary": "binary"}
_SUFFIX = {"Edm.Decimal": "M", "Edm.Int64": "L", "Edm.Double": "d", "Edm.Single": "f"}
STAMPS = frozenset({"Edm.DateTimeOffset"})
DAYS = frozenset({"Edm.DateTime", "Edm.Date"})


@dataclass(frozen=True)
class Dialect:
    """One version of the protocol."""

    version: Literal[2, 4]

    @property
    def headers(self) -> dict[str, str]:
        """What every request for data says about itself."""
        if self.version == 2:
            return {"accept": "application/json", "dataserviceversion": "2.0", "maxdataserviceversion": "2.0"}
        return {"accept": "application/json;odata.metadata=minimal;IEEE754Compatible=true", "odata-version": "4.0",
                "odata-maxversion": "4.0"}

    @property
    def fixed(self) -> dict[str, str]:
        """Query words of every request for data."""
        return {"$format": "json"} if self.version == 2 else {}

    @property
    def counting(self) -> dict[str, str]:
        """The query word that asks how many rows there are in all."""
        return {"$inlinecount": "allpages"} if self.version == 2 else {"$count": "true"}

    def literal(self, value: Any, kind: str) -> str:
        """A value of a property as a filter writes it; `value` as an answer writes it, or a date or an instant."""
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if kind in STAMPS or kind in DAYS:
            return self._moment(value, kind)
        if kind == "Edm.String":
            return "'" + str(value).replace("'", "''") + "'"
        if self.version == 2 and kind in _QUOTED:
            return f"{_QUOTED[kind]}'{value}'"
        return f"{value}{_SUFFIX.get(kind, '')}" if self.version == 2 else str(value)

    def _moment(self, value: Any, kind: str) -> str:
        if isinstance(value, str):
            if self.version == 4:
                return value
            value = ticks(value)
        if kind == "Edm.Date":
            return f"{value:%Y-%m-%d}"
        if not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day, tzinfo=UTC)
        value = value.astimezone(UTC)
        text = value.isoformat(timespec="milliseconds" if value.microsecond else "seconds").removesuffix("+00:00")
        if self.version == 4:
            return f"{text}Z"
        return f"datetimeoffset'{text}Z'" if kind in STAMPS else f"datetime'{text}'"


V2, V4 = Dialect(2), Dialect(4)
DIALECTS = {2: V2, 4: V4}


def ticks(text: str) -> datetime:
    """`/Date(ms)/` and `/Date(ms+offset)/`: milliseconds of UTC since 1970, negative before. Raises SourceError."""
    found = _TICKS.fullmatch(text)
    if found is None:
        raise SourceError(f"{text[:80]!r} is no date of OData 2", hint="report it to the vendor")
    return _EPOCH + timedelta(milliseconds=int(found[1]))


def query_string(words: Mapping[str, str]) -> str:
    """Percent-encoded, a blank as %20: a plus sign is a plus sign to an OData server."""
    return "&".join(f"{quote(name, safe='$')}={quote(value, safe='$,()/:')}" for name, value in words.items())
