"""`q`: conditions of attributes, joined by `;`, as SQL. Unknown attributes and malformed conditions are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from simulator.oracle_api.errors import OracleError, invalid
from simulator.schema import Field

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(<=|>=|!=|<>|=|<|>)|([(),])|(-?\d+(?:\.\d+)?)(?![\w.])|([A-Za-z_]\w*))")
_COMPARISONS = {"=", "!=", "<>", "<", "<=", ">", ">="}


def where(text: str, fields: Mapping[str, Field]) -> tuple[str, list[Any]]:
    """A WHERE condition and its values. OracleError 400 for what is no condition on these fields."""
    parts, values = [], []
    for condition in _split(text):
        sql, bound = _Condition(condition, text, fields).parsed()
        parts.append(f"({sql})")
        values += bound
    return " AND ".join(parts) or "1 = 1", values


def _split(text: str) -> list[str]:
    """At semicolons outside of quotes."""
    found = re.findall(r"(?:'(?:[^']|'')*'|[^;'])+", text)
    if not found or "".join(found).replace(";", "") != text.replace(";", "") or not all(part.strip() for part in found):
        raise invalid("q", text)
    return found


class _Condition:
    def __init__(self, condition: str, whole: str, fields: Mapping[str, Field]) -> None:
        self._whole, self._fields = whole, fields
        self._tokens: list[tuple[str, str]] = []
        place = 0
        condition = condition.rstrip()
        while place < len(condition):
            found = _TOKEN.match(condition, place)
            if found is None:
                raise invalid("q", whole)
            kind = ("text", "operator", "mark", "number", "word")[found.lastindex - 1]
            self._tokens.append((kind, found[found.lastindex]))
            place = found.end()
        self._at, self._values = 0, []

    def parsed(self) -> tuple[str, list[Any]]:
        parts = [self._one()]
        while self._at < len(self._tokens):
            joint = self._word()
            if joint not in ("OR", "AND"):
                raise invalid("q", self._whole)
            parts += [joint, self._one()]
        return " ".join(parts), self._values

    def _one(self) -> str:
        field = self._fields.get(self._next("word"))
        if field is None:
            raise invalid("q", self._whole)
        kind, text = self._peek()
        column = f'CAST("{field.name}" AS REAL)' if field.kind in ("amount", "rate") else f'"{field.name}"'
        if kind == "operator":
            self._at += 1
            return f"{column} {text} {self._value(field)}"
        word = self._word()
        if word == "IS":
            negated = self._peek()[1].upper() == "NOT" and bool(self._word())
            if self._word() != "NULL":
                raise invalid("q", self._whole)
            return f"{column} IS {'NOT ' if negated else ''}NULL"
        if word == "BETWEEN":
            low = self._value(field)
            if self._word() != "AND":
                raise invalid("q", self._whole)
            return f"{column} BETWEEN {low} AND {self._value(field)}"
        if word == "IN":
            self._mark("(")
            listed = [self._value(field)]
            while self._peek() == ("mark", ","):
                self._at += 1
                listed.append(self._value(field))
            self._mark(")")
            return f"{column} IN ({', '.join(listed)})"
        if word == "LIKE":
            pattern = self._next("text")[1:-1].replace("''", "'").replace("*", "%")
            self._values.append(pattern)
            return f"{column} LIKE ?"
        raise invalid("q", self._whole)

    def _value(self, field: Field) -> str:
        kind, text = self._peek()
        self._at += 1
        if kind == "number":
            if field.kind in ("text", "date", "stamp"):
                raise invalid("q", self._whole)
            self._values.append(float(text) if "." in text else int(text))
        elif kind == "text":
            self._values.append(self._typed(field, text[1:-1].replace("''", "'")))
        elif kind == "word" and text.lower() in ("true", "false") and field.kind == "boolean":
            self._values.append(int(text.lower() == "true"))
        else:
            raise invalid("q", self._whole)
        return "?"

    def _typed(self, field: Field, text: str) -> Any:
        try:
            if field.kind == "stamp":
                moment = datetime.fromisoformat(text)
                moment = moment.replace(tzinfo=moment.tzinfo or UTC)
                return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
            if field.kind == "date":
                return datetime.fromisoformat(text).date().isoformat()
            if field.kind in ("integer", "amount", "rate"):
                return int(text) if field.kind == "integer" else float(text)
        except ValueError:
            raise invalid("q", self._whole) from None
        return text

    # --- tokens

    def _peek(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise invalid("q", self._whole)
        return self._tokens[self._at]

    def _next(self, kind: str) -> str:
        found = self._peek()
        if found[0] != kind:
            raise invalid("q", self._whole)
        self._at += 1
        return found[1]

    def _word(self) -> str:
        return self._next("word").upper()

    def _mark(self, mark: str) -> None:
        if self._next("mark") != mark:
            raise invalid("q", self._whole)


def order(text: str, fields: Mapping[str, Field]) -> str:
    """`orderBy` as SQL; empty without one."""
    parts = []
    for each in filter(None, text.split(",")):
        name, _, direction = each.strip().partition(":")
        if name not in fields or direction.lower() not in ("", "asc", "desc"):
            raise invalid("orderBy", text)
        parts.append(f'"{name}" {direction or "asc"}')
    return ", ".join(parts)


def finder(text: str) -> tuple[str, dict[str, str]]:
    """A finder's name and variables; values are not quoted."""
    name, _, rest = text.partition(";")
    values = {}
    for pair in filter(None, rest.split(",")):
        word, equals, value = pair.partition("=")
        if not equals:
            raise invalid("finder", text)
        values[word.strip()] = value
    return name.strip(), values


def missing(name: str, variable: str) -> OracleError:
    """A finder without a variable that it needs."""
    detail = f"Finder {name}: the required variable {variable} has no value."
    return OracleError(400, detail, code="27522", path="/finder")
