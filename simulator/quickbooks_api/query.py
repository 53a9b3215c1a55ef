"""Intuit's query language: one entity, conditions joined by AND, an order, and a position to start from.

There is no OR, no NOT, no join and no grouping. Lines can never be compared, and list entities hide what is inactive
unless a statement says otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from simulator.quickbooks_api.errors import not_parsed, not_valid
from simulator.quickbooks_master import PACIFIC
from simulator.quickbooks_schema import FILTERS, LISTS

MOST_ROWS = 1000
_DEFAULT_ROWS = 100
_TOKEN = re.compile(r"\s*('(?:[^'\\]|\\.)*'|[A-Za-z_][\w.]*|\d+(?:\.\d+)?|<=|>=|!=|[=<>(),*])")
_ENTITIES = {name.lower(): name for name in FILTERS}
_REFERENCE = re.compile(r"\w+Ref")


@dataclass(frozen=True)
class Statement:
    """What a statement asks for. where: (property, operator, values). order: (property, descending)."""

    entity: str
    fields: tuple[str, ...]
    is_count: bool
    where: tuple[tuple[str, str, tuple[str, ...]], ...]
    order: tuple[tuple[str, bool], ...]
    start: int
    limit: int


class _Words:
    def __init__(self, text: str) -> None:
        self._tokens, at = [], 0
        text = text.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise not_parsed(f"Encountered \"{text[at:at + 20]}\" at column {at + 1}")
            self._tokens.append(found[1])
            at = found.end()
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at].lower() if self._at < len(self._tokens) else ""

    def take(self) -> str:
        if self._at >= len(self._tokens):
            raise not_parsed("Encountered \"<EOF>\"")
        self._at += 1
        return self._tokens[self._at - 1]

    def expect(self, word: str) -> None:
        if (found := self.take()).lower() != word:
            raise not_parsed(f"Encountered \"{found}\", was expecting \"{word.upper()}\"")

    def has(self, word: str) -> bool:
        if self.peek() == word:
            self._at += 1
            return True
        return False


def parse(text: str) -> Statement:
    """The statement, or the fault that the vendor has for it."""
    words = _Words(text)
    words.expect("select")
    is_count, fields = _selected(words)
    words.expect("from")
    told = words.take()
    entity = _ENTITIES.get(told.lower())
    if entity is None:
        raise not_valid(f"Invalid context declaration: {told}")
    where = _where(words, entity)
    order: list[tuple[str, bool]] = []
    if words.has("orderby") or (words.has("order") and words.has("by")):
        while True:
            order.append((_property(words.take(), entity), words.has("desc") or (words.has("asc") and False)))
            if not words.has(","):
                break
    start = _whole(words) if words.has("startposition") else 1
    limit = _whole(words) if words.has("maxresults") else _DEFAULT_ROWS
    if words.peek():
        raise not_parsed(f"Encountered \"{words.take()}\"")
    if start < 1 or not 1 <= limit <= MOST_ROWS:
        raise not_valid(f"value of {'startposition' if start < 1 else 'maxresults'} is out of range")
    if strange := [name for name in fields if name.partition(".")[0] not in _members(entity)]:
        raise not_valid(f"Property {strange[0]} not found for Entity {entity}")
    return Statement(entity, fields, is_count, where, tuple(order), start, limit)


def _members(entity: str) -> set[str]:
    return {name.partition(".")[0] for name in FILTERS[entity]} | {"Line", "LinkedTxn", "TxnTaxDetail", "CustomField",
                                                                   "ExchangeRate", "BillAddr", "PrimaryEmailAddr"}


def _selected(words: _Words) -> tuple[bool, tuple[str, ...]]:
    if words.has("*"):
        return False, ()
    if words.peek() == "count":
        words.take()
        for word in ("(", "*", ")"):
            words.expect(word)
        return True, ()
    fields = [words.take()]
    while words.has(","):
        fields.append(words.take())
    return False, tuple(fields)


def _where(words: _Words, entity: str) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    found = []
    if words.has("where"):
        while True:
            name, sign = _property(words.take(), entity), words.take().lower()
            if sign == "in":
                words.expect("(")
                values = [_literal(words.take())]
                while words.has(","):
                    values.append(_literal(words.take()))
                words.expect(")")
            elif sign in ("=", "<", ">", "<=", ">=", "like"):
                values = [_literal(words.take())]
            else:
                raise not_parsed(f"Encountered \"{sign}\"")
            found.append((name, sign, tuple(values)))
            if not words.has("and"):
                break
    return tuple(found)


def _property(told: str, entity: str) -> str:
    known = {name.lower(): name for name in FILTERS[entity]}
    if told.lower() not in known:
        raise not_valid(f"Property {told} not found for Entity {entity}")
    return known[told.lower()]


def _literal(token: str) -> str:
    if token.startswith("'"):
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    if re.fullmatch(r"true|false|\d+(\.\d+)?", token, re.IGNORECASE):
        return token.lower()
    raise not_parsed(f"Encountered \"{token}\", was expecting a value")


def _whole(words: _Words) -> int:
    token = words.take()
    if not token.isdigit():
        raise not_parsed(f"Encountered \"{token}\", was expecting a number")
    return int(token)


def condition(statement: Statement) -> tuple[str, list[Any]]:
    """SQL over the entity's table, and its values."""
    parts, values = [], list[Any]()
    if statement.entity in LISTS and not any(name == "Active" for name, _, _ in statement.where):
        parts.append("active = 1")
    for name, sign, told in statement.where:
        kind = FILTERS[statement.entity][name]
        marks = f"({', '.join('?' * len(told))})" if sign == "in" else "?"
        parts.append(f"{column(name)} {sign} {marks}")
        values += [_value(each, kind, name) for each in told]
    return " AND ".join(parts) or "1 = 1", values


def column(name: str) -> str:
    """A property in SQL."""
    known = {"Id": "id", "Active": "active", "MetaData.LastUpdatedTime": "moved"}
    if name == "MetaData.CreateTime":
        return "utc(json_extract(body, '$.MetaData.CreateTime'))"
    return known.get(name) or f"json_extract(body, '$.{name}{'.value' if _REFERENCE.fullmatch(name) else ''}')"


def _value(told: str, kind: str, name: str) -> Any:
    try:
        if kind == "stamp":
            return utc(told)
        if kind == "date":
            return date.fromisoformat(told).isoformat()
        if kind == "number":
            return float(told)
        if kind == "boolean":
            return {"true": 1, "false": 0}[told]
    except (ValueError, KeyError):
        raise not_valid(f"value {told} is not valid for property {name}") from None
    return told


def utc(told: str) -> str:
    """A stamp as UTC text; without an offset it is the vendor's own. ValueError for one that is none."""
    at = datetime.fromisoformat(told)
    at = at if at.tzinfo else at.replace(tzinfo=PACIFIC)
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
