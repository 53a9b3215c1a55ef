"""Streams of `tieout.yml` as a tap describes itself: its catalog, or the SCHEMA messages of its output.

A draft to start from: it knows keys, cursors and JSON types, not which number is money in which currency.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tieout.errors import SourceError

_PLAIN = {"integer": "integer", "number": "amount", "boolean": "boolean", "string": "text", "object": "json",
          "array": "json"}
_FORMATS = {"date-time": "timestamp", "date": "date", "singer.decimal": "amount"}
DIGEST = {"type": "text", "field": "$digest"}


def drafted(text: bytes) -> dict[str, Any]:
    """{stream: its declaration} of a catalog or of messages. Raises SourceError for what is neither."""
    found: dict[str, Any] = {}
    for name, schema, keys, cursor in _told(text):
        properties = (schema or {}).get("properties") or {}
        named = {field: plain(field, "field") for field in properties}
        columns: dict[str, Any] = {}
        for field, column in named.items():
            kind = _type(properties[field])
            said: dict[str, Any] = {} if field == column else {"field": field}
            said |= {} if field in keys else {"optional": True}
            columns[column] = {"type": kind, **said} if said else kind
        stream = found.setdefault(plain(name, "stream"), {"key": [], "columns": {}, "options": {"tap_stream": name}})
        stream["columns"] |= columns
        stream["key"] = [named[key] for key in keys if key in named] or stream["key"]
        if cursor in named and stream["columns"][named[cursor]] in ("timestamp", {"type": "timestamp"}):
            stream["cursor"] = named[cursor]
    for stream in found.values():
        if not stream["key"]:
            stream["key"], stream["columns"]["digest"] = ["digest"], dict(DIGEST)
    return found


def plain(word: str, otherwise: str) -> str:
    """A tap's word as a name: a to z, digits and _, beginning with a letter."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
    name = re.sub(r"[^a-z0-9]+", "_", snake).strip("_").lstrip("0123456789_")
    return name[:40] or otherwise


def _told(text: bytes) -> Iterator[tuple[str, Any, list[str], str | None]]:
    """(stream, schema, key, cursor)"""
    try:
        whole = msgspec.json.decode(text)
    except msgspec.DecodeError:
        whole = None
    if isinstance(whole, dict) and "streams" in whole:
        for entry in whole["streams"]:
            top = next((one["metadata"] for one in entry.get("metadata") or () if not one.get("breadcrumb")), {})
            keys = entry.get("key_properties") or top.get("table-key-properties") or top.get("view-key-properties")
            cursor = entry.get("replication_key") or next(iter(top.get("valid-replication-keys") or ()), None)
            yield entry.get("stream") or entry["tap_stream_id"], entry.get("schema"), keys or [], cursor
        return
    for message in _messages(text.splitlines()):
        if message.get("type") == "SCHEMA":
            cursor = next(iter(message.get("bookmark_properties") or ()), None)
            yield message["stream"], message.get("schema"), message.get("key_properties") or [], cursor


def _messages(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield msgspec.json.decode(line, type=dict[str, Any])
            except msgspec.DecodeError as error:
                raise SourceError(f"line {number} is neither a catalog nor a Singer message: {error}",
                                  hint="pipe `tap --config … --discover` in, or a tap's output") from None


def _type(schema: Any) -> str:
    kinds, form = set(), None
    for one in [schema, *(schema.get("anyOf") or schema.get("oneOf") or ())] if isinstance(schema, dict) else ():
        said = one.get("type")
        kinds |= {said} if isinstance(said, str) else set(said or ())
        form = form or one.get("format")
    kinds.discard("null")
    if kinds == {"integer", "number"}:
        return "amount"
    if len(kinds) != 1:
        return "json" if kinds & {"object", "array"} else "text"
    (kind,) = kinds
    return _FORMATS.get(form or "", "text") if kind == "string" else _PLAIN.get(kind, "text")
