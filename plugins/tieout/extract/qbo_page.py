"""What QuickBooks answers, read with suspicion, and its records laid flat.

A record nests what landing needs in columns of its own: `MetaData.LastUpdatedTime`, `CustomerRef.value`, custom
fields. Such a column names the path, and the value is put beside the record's own members, as received. Lines, taxes
and links to other documents come as one list `$lines`, whose records are flat: a line's detail stands beside its
amount, whatever the kind of line calls it. The components of a bundle are lines of the bundle (`Group`), which itself
is no line: its amount is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from tieout.extract.http import Damaged

LINES = "$lines"
Record = dict[str, msgspec.Raw]
_NEVER = datetime.min.replace(tzinfo=UTC)
_RECORDS = msgspec.json.Decoder(list[Record])
_RECORD = msgspec.json.Decoder(Record)


class Row(NamedTuple):
    """A record, its id, and when it was last updated (UTC)."""

    id: str
    at: datetime
    record: Record


def rows_of(body: bytes, entity: str, *, stamped: bool = True) -> tuple[list[Row], datetime | None]:
    """The records of a query's answer, and the vendor's clock. Damaged where it is cut short or of another entity.

    stamped: each has to say when it was last updated.
    """
    try:
        outline = _RECORD.decode(body)
        found = _RECORD.decode(outline["QueryResponse"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
        raise Damaged(f"no QueryResponse: {error}") from None
    names = {name.lower(): name for name in found}
    if strange := set(names) - {entity.lower(), "startposition", "maxresults", "totalcount"}:
        raise Damaged(f"records of {min(strange)}, which were not asked for")
    raw = found.get(names.get(entity.lower(), ""))
    rows = [_row(record, entity, stamped=stamped) for record in _RECORDS.decode(raw)] if raw is not None else []
    told = found.get("maxResults")
    if told is not None and raw is not None and int(msgspec.json.decode(told)) != len(rows):
        raise Damaged(f"{len(rows)} of {msgspec.json.decode(told)} records")
    return rows, clock_of(outline)


class Changed(NamedTuple):
    """What changed of one entity: records, ids of deleted ones; `told` counts both."""

    rows: list[Row]
    deleted: list[str]

    @property
    def told(self) -> int:
        return len(self.rows) + len(self.deleted)


def changes_of(body: bytes, entities: Iterable[str]) -> tuple[dict[str, Changed], datetime | None]:
    """Entity → what changed, and the vendor's clock. An entity without a list had no change."""
    found = {entity: Changed([], []) for entity in entities}
    try:
        outline = _RECORD.decode(body)
        for part in _RECORDS.decode(outline["CDCResponse"]):
            for answer in _RECORDS.decode(part["QueryResponse"]) if "QueryResponse" in part else ():
                for name, raw in answer.items():
                    if name not in ("startPosition", "maxResults", "totalCount"):
                        _add_changes(found, name, raw)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
        raise Damaged(f"no CDCResponse: {error}") from None
    return found, clock_of(outline)


def _add_changes(found: dict[str, Changed], entity: str, raw: msgspec.Raw) -> None:
    if entity not in found:
        raise Damaged(f"changes of {entity}, which were not asked for")
    for record in _RECORDS.decode(raw):
        if text(record.get("status")) == "Deleted":
            found[entity].deleted.append(_id(record, entity))
        else:
            found[entity].rows.append(_row(record, entity))


def clock_of(outline: Record) -> datetime | None:
    """The `time` of an answer."""
    told = outline.get("time")
    try:
        return instant(text(told) or "") if told is not None else None
    except ValueError:
        return None


def _id(record: Record, entity: str) -> str:
    if not (found := text(record.get("Id"))):
        raise Damaged(f"a record of {entity} without an Id")
    return found


def _row(record: Record, entity: str, *, stamped: bool = True) -> Row:
    if "sparse" in record and bytes(record["sparse"]) == b"true":
        raise Damaged(f"a sparse record of {entity}: only part of it came")
    stamp = text(dig(record, "MetaData.LastUpdatedTime"))
    if not stamp and stamped:
        raise Damaged(f"a record of {entity} without MetaData.LastUpdatedTime")
    # companies have one of each of these, and no id that means anything
    return Row(text(record.get("Id")) or entity, instant(stamp) if stamp else _NEVER, record)


@lru_cache(maxsize=65_536)
def instant(stamp: str) -> datetime:
    """A stamp with its offset, in UTC, by the second: that is how finely the vendor shows it."""
    return datetime.fromisoformat(stamp).astimezone(UTC).replace(microsecond=0)


def text(raw: msgspec.Raw | None) -> str | None:
    """A member that is a text; a number is one, too."""
    if raw is None or bytes(raw) == b"null":
        return None
    found = msgspec.json.decode(raw)
    return found if isinstance(found, str) else bytes(raw).decode()


def dig(record: Record, path: str) -> msgspec.Raw | None:
    """What stands under a path; `CustomField.<name>` is the value of the custom field that people call so."""
    first, _, rest = path.partition(".")
    raw = record.get(first)
    if raw is None or not rest:
        return raw
    if first == "CustomField":
        return _custom(raw, rest)
    try:
        return dig(_RECORD.decode(raw), rest)
    except msgspec.ValidationError:
        return None


def _custom(raw: msgspec.Raw, name: str) -> msgspec.Raw | None:
    for each in _RECORDS.decode(raw):
        if (text(each.get("Name")) or "").lower() == name.lower():
            return next((each[kind] for kind in ("StringValue", "NumberValue", "DateValue", "BooleanValue")
                         if kind in each), None)
    return None


def laid_flat(rows: Iterable[Row], paths: tuple[str, ...], *, has_lines: bool) -> bytes:
    """A JSON list of the records with what the paths lead to, and with their lines."""
    return msgspec.json.encode([_flat(row.record, paths, has_lines=has_lines) for row in rows])


def _flat(record: Record, paths: tuple[str, ...], *, has_lines: bool) -> dict[str, Any]:
    found: dict[str, Any] = dict(record)
    for path in paths:
        if (raw := dig(record, path)) is not None:
            found[path] = raw
    if has_lines:
        found[LINES] = list(lines_of(record))
    return found


def lines_of(record: Record) -> Iterator[dict[str, Any]]:
    """All lines of a document, laid flat: `Kind` line, bundle, tax or link; `Position` tells them apart."""
    for number, line in enumerate(_list(record, "Line"), 1):
        yield from _line(line, str(number), None)
    for number, line in enumerate(_list(_object(record, "TxnTaxDetail"), "TaxLine"), 1):
        yield {"Kind": "tax", "Position": f"t{number}", **_members(line)}
    for number, link in enumerate(_list(record, "LinkedTxn"), 1):
        yield {"Kind": "link", "Position": f"h/l{number}", **link}


def _line(line: Record, position: str, group: str | None) -> Iterator[dict[str, Any]]:
    below = _list(_object(line, "GroupLineDetail"), "Line")
    kind = "bundle" if below else "line"
    yield {"Kind": kind, "Position": position, **({"Group": group} if group else {}), **_members(line)}
    for number, link in enumerate(_list(line, "LinkedTxn"), 1):
        told = {name: line[name] for name in ("Id", "Amount") if name in line}
        yield {"Kind": "link", "Position": f"{position}/l{number}", **told, **link}
    for number, each in enumerate(below, 1):
        yield from _line(each, f"{position}.{number}", position)


def _members(line: Record) -> dict[str, Any]:
    """A line's own members and those of its detail. What both have (no kind of line does) stays the line's."""
    found: dict[str, Any] = {}
    for name, raw in line.items():
        if name.endswith("LineDetail"):
            for inner, value in _RECORD.decode(raw).items():
                if inner != "Line":
                    _put(found, inner, value)
        elif name != "LinkedTxn":
            _put(found, name, raw)
    return found


def _put(found: dict[str, Any], name: str, raw: msgspec.Raw) -> None:
    """A reference is its value, and its name beside it; another object is its members."""
    if bytes(raw)[:1] != b"{":
        found.setdefault(name, raw)
        return
    inner = _RECORD.decode(raw)
    if "value" in inner:
        found.setdefault(name, inner["value"])
        if "name" in inner:
            found.setdefault(f"{name}.name", inner["name"])
        return
    for word, value in inner.items():
        _put(found, f"{name}.{word}", value)


def _object(record: Record, name: str) -> Record:
    raw = record.get(name)
    return {} if raw is None or bytes(raw) == b"null" else _RECORD.decode(raw)


def _list(record: Record, name: str) -> list[Record]:
    raw = record.get(name)
    return [] if raw is None or bytes(raw) == b"null" else _RECORDS.decode(raw)


def quoted(value: str) -> str:
    """A text as a statement writes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def notices(ids: Iterable[str]) -> bytes:
    """Notices of deletion."""
    return json.dumps([{"Id": each} for each in ids]).encode()
