"""`$filter` and `$orderby` of OData V2, as SQL over `sim.db`. Anything unknown is refused, as SAP does."""

from __future__ import annotations

import re
from typing import Any

from simulator.sap_api.entities import EntitySet
from simulator.sap_api.errors import BAD_OPTION, SapError
from simulator.sap_api.wire import read_literal

_TOKEN = re.compile(
    r"\s*(?:([()])|(,)|((?:datetimeoffset|datetime|time|guid)?'(?:[^']|'')*')|(-?\d+(?:\.\d+)?[mMdDfFlL]?)(?![\w])|(\w+))")
_SIGNS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_FUNCTIONS = {"startswith": ("{}%", False), "endswith": ("%{}", False), "substringof": ("%{}%", True)}


class Filter:
    """A filter's SQL and its values."""

    def __init__(self, entity: EntitySet, text: str) -> None:
        self.entity, self.values = entity, []
        self._tokens = _tokens(text)
        self._at = 0
        self.sql = self._either()
        if self._at < len(self._tokens):
            raise _invalid(f"unexpected '{self._tokens[self._at]}'")

    def _either(self) -> str:
        found = self._both()
        while self._take("or"):
            found = f"({found} OR {self._both()})"
        return found

    def _both(self) -> str:
        found = self._one()
        while self._take("and"):
            found = f"({found} AND {self._one()})"
        return found

    def _one(self) -> str:
        if self._take("not"):
            return f"NOT ({self._one()})"
        if self._take("("):
            found = self._either()
            self._need(")")
            return found
        word = self._next()
        if word in _FUNCTIONS and self._peek() == "(":
            return self._function(word)
        prop = _property(self.entity, word)
        sign = self._next()
        if sign not in _SIGNS:
            raise _invalid(f"'{sign}' is no operator")
        value = read_literal(prop, self._next())
        column = f'"{prop.name}"'
        if value is None:
            if sign not in ("eq", "ne"):
                raise _invalid("null can only be compared with eq and ne")
            return f"{column} IS {'NOT ' if sign == 'ne' else ''}NULL"
        if value == "" and sign in ("eq", "ne"):  # ABAP's initial value
            return f"coalesce({column}, '') {_SIGNS[sign]} ''"
        if prop.kind in ("amount", "rate"):
            column = f"CAST(coalesce({column}, '0') AS REAL)"
            value = float(value)
        self.values.append(value)
        return f"{column} {_SIGNS[sign]} ?"

    def _function(self, name: str) -> str:
        form, is_text_first = _FUNCTIONS[name]
        self._need("(")
        first = self._next()
        self._need(",")
        second = self._next()
        self._need(")")
        text, field = (first, second) if is_text_first else (second, first)
        prop = _property(self.entity, field)
        if self._take("eq") and self._next() not in ("true", "false"):
            raise _invalid("a function is true or false")
        self.values.append(form.format(read_literal(prop, text)))
        return f'"{prop.name}" LIKE ?'

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise _invalid("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, word: str) -> bool:
        if self._peek() == word:
            self._at += 1
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise _invalid(f"'{word}' expected at '{self._peek()}'")


def order_by(entity: EntitySet, text: str) -> str:
    """`A,B desc` as SQL."""
    parts = []
    for part in text.split(","):
        name, _, way = part.strip().partition(" ")
        if way.strip() not in ("", "asc", "desc"):
            raise _invalid(f"'{way}' is no direction")
        parts.append(f'"{_property(entity, name).name}"{" DESC" if way.strip() == "desc" else ""}')
    return ", ".join(parts)


def selected(entity: EntitySet, text: str) -> list[str]:
    """`$select` as property names; navigation properties are left to `$expand`."""
    names = [name.strip() for name in text.split(",")]
    if "*" in names:
        return list(entity.properties)
    return [_property(entity, name).name for name in names if name.partition("/")[0] not in entity.navigations]


def _property(entity: EntitySet, name: str) -> Any:
    if name not in entity.properties:
        raise SapError(400, BAD_OPTION, f"Property {name} not found in type '{entity.type_name}'")
    return entity.properties[name]


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise _invalid(f"at position {at}")
        found.append(next(group for group in match.groups() if group is not None))
        at = match.end()
        while at < len(text) and text[at] == " ":
            at += 1
    return found


def _invalid(what: str) -> SapError:
    return SapError(400, BAD_OPTION, f"Invalid system query option: $filter: {what}")
