"""What changed since a link that the service gave: OData 2 (`__delta`) and 4 (`@odata.deltaLink`).

Sources: OData 2.0 JSON, OData 4.01 (11.3 requesting changes), SAP Gateway (delta query support), SAP ODP (modes).

A deleted record shows in one of three ways: its change mode says so (`ODQ_CHANGEMODE` of SAP's operational data
provisioning), its context ends in `$deletedEntity`, or it bears `@removed`. SAP's older gateways show none in JSON: of
a set without a change mode nobody hears of deletions, so it is read whole again once a day. So is one that the service
does not track but that has a stamp of change; between, its stamp is asked for.

A link brings the fields that it was made for: where others are wanted now, the complete set is read again.

Services deliver at least once, and a record that changed twice may come twice, in order: the last word counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote

import msgspec

from tieout.errors import SourceError
from tieout.extract import MANNERS, Page
from tieout.extract.deliveries import KnownFile
from tieout.extract.http import Damaged
from tieout.extract.odata_page import names_of
from tieout.extract.odata_select import CHANGE_MODE, Select

NOISE = (*MANNERS["odata"][0], CHANGE_MODE, "ODQ_ENTITYCNTR")
COMPLETE_EVERY = timedelta(days=1)  # of a set that tells no deletions
GONE = (400, 404, 410)  # what a service answers to a link that it no longer knows
UNTRACKED = (400, 403, 501)  # what it answers where it keeps no track of the set, or not for this user
_LINK, _UNTIL = "delta link", "read until"
_ROWS = 5_000
_PART = re.compile(r"(?:(\w+)=)?(?:([a-zA-Z]*)'((?:[^']|'')*)'|([^,'()]+))(?:,|$)")
_DECODER = msgspec.json.Decoder(float_hook=str)


@dataclass(frozen=True)
class Held:
    """Where the last delivery ended: a link, or without one the moment `until` which the set was read.

    complete_at: when the complete set was read that it goes back to.
    """

    link: str | None
    complete_at: datetime
    until: datetime

    def is_old(self, now: datetime) -> bool:
        """Whether the set should be read whole, for what was deleted since."""
        return now - self.complete_at >= COMPLETE_EVERY


def held(known: Iterable[KnownFile], select: Select) -> Held | None:
    """Where the last delivery ended. None where nothing was kept, or not what goes on from there:

    what is asked for now are other fields, or the service gave no link and the records bear no stamp.
    """
    found = [one for one in known if one.name in (_LINK, _UNTIL)]
    last = found[-1] if found else None
    if last is None or not last.version or last.sha256 != _made_for(select):
        return None
    complete_at = datetime.fromisoformat(last.sequence)
    if last.name == _LINK:
        return Held(last.version, complete_at, complete_at)
    has_stamp = select.stream.mode == "incremental" and select.stream.cursor is not None
    return Held(None, complete_at, datetime.fromisoformat(last.version)) if has_stamp else None


def kept(told: Held, select: Select, rows: int) -> KnownFile:
    """What is remembered of a delivery: where the next one goes on, with the batch that it goes with."""
    name, version = (_LINK, told.link) if told.link else (_UNTIL, told.until.astimezone(UTC).isoformat())
    return KnownFile(name, version, _made_for(select), told.complete_at.astimezone(UTC).isoformat(), "landed", rows)


def _made_for(select: Select) -> str:
    """A digest of the fields that are asked for."""
    return blake2b("\n".join(sorted(select.wanted)).encode(), digest_size=16).hexdigest()


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
            self.records[key] = None if gone else _object(row, self.select.wanted)
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
    if len(select.key) == 1 and address and "(" not in address:
        return (address,)  # Dataverse gives the bare id
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
    return ("@removed" in row or "@odata.removed" in row or context.rstrip(b'"').endswith(b"$deletedEntity")
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
