"""What an ADF REST collection answers, read with suspicion: is it whole, in order, and does it go on?

Records stay as received, except that a child gets the keys of those above it: no line of an invoice says whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from tieout.errors import SourceError
from tieout.extract.adf_query import number
from tieout.extract.http import Damaged

Record = dict[str, msgspec.Raw]
NOISE = "links"


class _Collection(msgspec.Struct):
    items: list[msgspec.Raw]
    hasMore: bool
    count: int | None = None
    offset: int | None = None
    totalResults: int | None = None


@dataclass(frozen=True)
class Batch:
    """One answer: its body and records as received, whether more follow, and how many there are (if asked for)."""

    body: bytes
    items: list[msgspec.Raw]
    more: bool
    total: int | None = None

    def rest(self, first: int) -> bytes:
        """The body without its first records."""
        return self.body if first == 0 else b'{"items":[%s]}' % b",".join(map(bytes, self.items[first:]))


def batch_of(body: bytes, offset: int | None = None) -> Batch:
    """The answer of a collection. Damaged where it is cut short or contradicts itself."""
    try:
        found = _decoder(_Collection).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(str(error)) from None
    if found.count is not None and found.count != len(found.items):
        raise Damaged(f"{len(found.items)} of {found.count} rows")
    if offset is not None and found.offset is not None and found.offset != offset:
        raise Damaged(f"rows from {found.offset}, asked for from {offset}")
    if found.hasMore and not found.items:
        raise Damaged("more rows announced after none")
    return Batch(body, found.items, found.hasMore, found.totalResults)


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder:
    return msgspec.json.Decoder(shape)


def record_of(raw: msgspec.Raw) -> Record:
    """A record's members, each as received."""
    try:
        return _decoder(Record).decode(raw)
    except msgspec.DecodeError as error:
        raise Damaged(str(error)) from None


def value_of(record: Record, field: str) -> Any:
    """A member's plain value; None where it is absent."""
    return msgspec.json.decode(record[field]) if field in record else None


def keys_of(items: list[msgspec.Raw], field: str, where: str) -> list[int]:
    """The values of the surrogate key. SourceError where a record has none: pages cannot follow it."""
    found = []
    for raw in items:
        value = value_of(record_of(raw), field)
        if value is None:
            raise SourceError(f"{where}: a record without {field}", hint="report it to the vendor")
        found.append(number(value, f"{where}, {field}"))
    return found


def identity(raw: msgspec.Raw, fields: tuple[str, ...]) -> tuple[Any, ...]:
    """What tells a record from others: its key's values, as text, since ids come as numbers or as text."""
    record = record_of(raw)
    values = [value_of(record, field) for field in fields]
    return tuple(map(str, values)) if any(value is not None for value in values) else (bytes(raw),)


@dataclass(frozen=True)
class Capped(Exception):
    """A child collection that came in part only: `hasMore` inside of an expanded record."""

    name: str


def descendants(record: Record, path: tuple[str, ...], inherit: Mapping[str, str], where: str) -> Iterator[Record]:
    """The records at the end of `path` below `record`, each with the members that it inherits.

    `inherit`: {field of the child: field of whichever record above it has it}. Raises Capped where not all came.
    """
    above = {child: record[field] for child, field in inherit.items() if field in record}
    child, *rest = path
    if child not in record:
        raise SourceError(f"{where}: the answer has no {child}", hint="the user's role may not see that child resource")
    for one in _children(record[child], child):
        found = record_of(one)
        if not rest:
            found.pop(NOISE, None)
            yield {**above, **found}
            continue
        for below in descendants(found, tuple(rest), inherit, where):
            yield {**above, **below}


def _children(raw: msgspec.Raw, child: str) -> list[msgspec.Raw]:
    """A list (framework version 1), or a collection with its own paging (2 and later)."""
    if bytes(raw).lstrip()[:1] == b"[":
        return _decoder(list[msgspec.Raw]).decode(raw)
    try:
        found = _decoder(_Collection | None).decode(raw)
    except msgspec.DecodeError as error:
        raise Damaged(f"{child}: {error}") from None
    if found is None:
        return []
    if found.hasMore:
        raise Capped(child)
    return found.items


def child_links(record: Record) -> dict[str, str]:
    """{child's name: address of its collection}, from the links of a record."""
    links = value_of(record, NOISE) or []
    return {str(link["name"]): str(link["href"]) for link in links
            if isinstance(link, dict) and link.get("rel") == "child" and link.get("name") and link.get("href")}


def with_own_key(raw: msgspec.Raw, field: str, where: str) -> Record:
    """The record with what its own address calls it: composite keys are told as a hash, in links only."""
    record = record_of(raw)
    for link in value_of(record, NOISE) or []:
        if isinstance(link, dict) and link.get("rel") in ("self", "canonical") and link.get("href"):
            record.pop(NOISE)
            return {field: msgspec.Raw(msgspec.json.encode(str(link["href"]).rstrip("/").rpartition("/")[2])), **record}
    raise SourceError(f"{where}: a record without a link to itself", hint="report it to the vendor")


def is_within(record: Record, field: str, start: datetime | None, end: datetime) -> bool:
    """The record's stamp is in the window; one without a stamp is, so that it is not lost."""
    text = value_of(record, field)
    if not isinstance(text, str):
        return True
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return True
    return (start is None or start <= moment) and moment < end


def listed(records: list[Record]) -> bytes:
    """Records as the body of a page."""
    return msgspec.json.encode(records)
