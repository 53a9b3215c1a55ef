"""Delta answers of OData 4: changed rows whole, and in the same list a note for each row that is gone.

Sources: OData 4.0 JSON format, 15 (`"@odata.context": "…/$deletedEntity", "id", "reason"`), and 4.01 (`"@removed"`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from tieout.extract.http import Damaged

_KEY_IN_ID = re.compile(r"\(([^()=,']+)\)$")  # …/accounts(0b43…): some services give the whole address


class _Answer(msgspec.Struct, rename={"following": "@odata.nextLink", "delta": "@odata.deltaLink", "rows": "value"}):
    rows: list[msgspec.Raw]
    following: str | None = None
    delta: str | None = None


@dataclass(frozen=True)
class Changes:
    """Rows that changed and notices of rows that are gone, each a JSON list; where it goes on, or the next token."""

    changed: bytes
    gone: bytes
    count: int
    following: str | None
    delta: str | None


def changes_of(body: bytes, key: tuple[str, ...]) -> Changes:
    """The answer. Damaged where it is cut short, names neither a next page nor a token, or a row has no key."""
    try:
        found = msgspec.json.decode(body, type=_Answer)
        rows = [(bytes(raw), msgspec.json.decode(raw, type=dict[str, msgspec.Raw])) for raw in found.rows]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(str(error)) from None
    if not found.following and not found.delta:
        raise Damaged("a page of changes with neither a next link nor a delta link")
    changed, gone = [], []
    for raw, row in rows:
        if _is_gone(row):
            gone.append({key[0]: _id_of(row, key)})
        elif all(name in row for name in key):
            changed.append(raw)
        else:
            raise Damaged(f"a changed row lacks its key: {raw[:200]!r}")
    return Changes(b"[" + b",".join(changed) + b"]", msgspec.json.encode(gone), len(rows), found.following, found.delta)


def _is_gone(row: dict[str, msgspec.Raw]) -> bool:
    context = bytes(row.get("@odata.context", b"")).rstrip(b'"')
    return "@removed" in row or "@odata.removed" in row or context.endswith(b"/$deletedEntity")


def _id_of(row: dict[str, msgspec.Raw], key: tuple[str, ...]) -> Any:
    told = row.get("id", row.get("@odata.id", row.get(key[0])))
    value = None if told is None else msgspec.json.decode(told)
    if value in (None, "") or len(key) != 1:
        raise Damaged("a notice of deletion without an id")
    found = _KEY_IN_ID.search(value) if isinstance(value, str) else None
    return found[1] if found else value


def token_of(link: str, fields: tuple[str, ...]) -> str:
    """A delta link with what it was made for: it brings those fields and no others."""
    return f"{_digest(fields)} {link}"


def link_of(token: str, fields: tuple[str, ...]) -> str | None:
    """The link in a token; None where it was made for other fields."""
    made_for, _, link = token.partition(" ")
    return link if made_for == _digest(fields) else None


def _digest(fields: tuple[str, ...]) -> str:
    return blake2b("\n".join(sorted(fields)).encode(), digest_size=8).hexdigest()
