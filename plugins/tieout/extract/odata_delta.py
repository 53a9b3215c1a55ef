"""What changed since a link that the service gave: OData 2 (`__delta`) and 4 (`@odata.deltaLink`).

Sources: OData 2.0 JSON, OData 4.01 (11.3 requesting changes), SAP Gateway (delta query support), SAP ODP (modes).

A deleted record shows in one of three ways: its change mode says so (`ODQ_CHANGEMODE` of SAP's operational data
provisioning), its context ends in `$deletedEntity`, or it bears `@removed`. SAP's older gateways show none in JSON: of
a set without a change mode nobody hears of deletions, so it is read whole again once a day.

Services deliver at least once, and a record that changed twice may come twice, in order: the last word counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import unquote

import msgspec

from tieout.errors import SourceError
from tieout.extract import MANNERS, Page
from tieout.extract.deliveries import KnownFile
from tieout.extract.http import Damaged
from tieout.extract.odata_page import names_of
from tieout.extract.odata_select import CHANGE_MODE, Select

TRACKING = "odata.track-changes"
NOISE = (*MANNERS["odata"][0], CHANGE_MODE, "ODQ_ENTITYCNTR")
COMPLETE_EVERY = timedelta(days=1)  # of a set that tells no deletions
GONE = (400, 404, 410)  # what a service answers to a link that it no longer knows
_NAME = "delta link"
_ROWS = 5_000
_PART = re.compile(r"(?:(\w+)=)?(?:([a-zA-Z]*)'((?:[^']|'')*)'|([^,'()]+))(?:,|$)")
_DECODER = msgspec.json.Decoder(float_hook=str)


@dataclass(frozen=True)
class Held:
    """A link that was kept, and when the complete set was read that it goes back to."""

    link: str
    complete_at: datetime


def held(known: Iterable[KnownFile]) -> Held | None:
    """The latest link that was kept; None where none was, or where the service stopped giving one."""
    found = [one for one in known if one.name == _NAME]
    if not found or not found[-1].version:
        return None
    return Held(found[-1].version, datetime.fromisoformat(found[-1].sequence))


def kept(link: str | None, complete_at: datetime, rows: int) -> KnownFile:
    """What is remembered of a delivery: the link for the next one, with the batch that it goes with."""
    return KnownFile(_NAME, link or "", "", complete_at.astimezone(UTC).isoformat(), "landed", rows)


@dataclass(frozen=True)
class Changed:
    """A page of changes. following: where it goes on; link: where to ask the next time, on the last page."""

    body: bytes
    rows: list[dict[str, msgspec.Raw]]
    following: str | None
    link: str | None


@dataclass
class Changes:
    """The changes of one link, page by page: key → its record as received, or None where it is gone."""

    select: Select
    records: dict[tuple[str, ...], bytes | None] = field(default_factory=dict)
    link: str | None = None

    def add(self, page: Changed) -> None:
        """Take a page in. SourceError for a record without a key."""
        for row in page.rows:
            gone = _is_gone(row)
            key = self._key(row, gone)
            self.records.pop(key, None)
            self.records[key] = None if gone else _object(row, self.select.fields)
        self.link = page.link

    def pages(self) -> Iterable[Page]:
        """Records, then notices of deletion; the keys of those as the service writes them in records."""
        name = self.select.stream.name
        records = [record for record in self.records.values() if record is not None]
        for part in _parts(records):
            yield Page(name, part, noise=NOISE)
        gone = [msgspec.json.encode(dict(zip(self.select.key, key, strict=True)))
                for key, record in self.records.items() if record is None]
        for part in _parts(gone):
            yield Page(name, part, noise=NOISE, deleted=True)

    def _key(self, row: dict[str, msgspec.Raw], gone: bool) -> tuple[str, ...]:
        if all(name in row for name in self.select.key):
            return tuple(_DECODER.decode(bytes(row[name])) for name in self.select.key)
        if not gone:
            raise SourceError(f"stream {self.select.stream.name}: a changed record lacks its key "
                              f"({', '.join(self.select.key)})", hint="report it to the vendor")
        address = next((row[word] for word in ("id", "@id", "@odata.id") if word in row), None)
        told = _DECODER.decode(bytes(address)) if address is not None else ""
        return key_of(str(told), self.select)


def key_of(address: str, select: Select) -> tuple[str, ...]:
    """The key that stands in a record's address, as records write it. SourceError where it is not all of it."""
    predicate = unquote(address).partition("(")[2].rpartition(")")[0]
    found: dict[str, str] = {}
    for name, kind, quoted, bare in _PART.findall(predicate):
        value = bare or quoted.replace("''", "'")
        found[name or select.key[0]] = value.partition("T")[0] if kind == "datetime" else value
    if set(found) != set(select.key):
        raise SourceError(f"stream {select.stream.name}: {address[:200]!r} does not tell the key of a deleted record",
                          hint=f"expected {', '.join(select.key)}; report it, and read the set with --full meanwhile")
    return tuple(found[name] for name in select.key)


def _is_gone(row: dict[str, msgspec.Raw]) -> bool:
    context = bytes(row.get("@odata.context") or row.get("@context") or b"")
    return ("@removed" in row or context.rstrip(b'"').endswith(b"$deletedEntity")
            or bytes(row.get(CHANGE_MODE) or b"") == b'"D"')


def _object(row: dict[str, msgspec.Raw], fields: tuple[str, ...]) -> bytes:
    """Only what was asked for: a link answers with all properties, and the complete set came without the others."""
    return msgspec.json.encode({name: row[name] for name in fields if name in row})


def _parts(objects: list[bytes]) -> Iterable[bytes]:
    for start in range(0, len(objects), _ROWS):
        yield b"[" + b",".join(objects[start:start + _ROWS]) + b"]"


def changed_of(body: bytes, version: int) -> Changed:
    """The page. Damaged where it is cut short."""
    try:
        found: Any = _shape(version).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(str(error)) from None
    found = found.d if version == 2 else found
    return Changed(body, found.rows, found.following or None, found.delta or None)


@cache
def _shape(version: int) -> msgspec.json.Decoder:
    words: list[Any] = [("rows", list[dict[str, msgspec.Raw]]), ("following", str | None, None),
                        ("delta", str | None, None)]
    outline = msgspec.defstruct("Changed", words, rename=names_of(version))
    return msgspec.json.Decoder(outline if version == 4 else msgspec.defstruct("Wrapped", [("d", outline)]))
