"""`$filter`, `$orderby` and `$select` of OData 4 as SQL over `sim.db`. What the service does not know is refused.

A service differs in what null looks like (`Property.empty`) and in how an enum is written; both are the property's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.odata_grammar import SIGNS, Grammar

_TOKEN = re.compile(
    r"\s*(?:([(),])|((?:[A-Za-z][\w.]*)?'(?:[^']|'')*')|"
    r"(\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)|"
    r"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})|"
    r"(-?\d+(?:\.\d+)?)(?![\w])|([\w@.]+))")
_PATTERNS = {"startswith": "{}%", "endswith": "%{}", "contains": "%{}%"}
_ENUM = re.compile(r"([\w.]+)'(\w+)'")


class Invalid(Exception):
    """A query that is not understood; the text is for the service's own error."""


class NoProperty(Invalid):
    """A property that the type does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Could not find a property named '{name}'")
        self.name = name


@dataclass(frozen=True)
class Property:
    """kind: of `sim.db` (see `schema`). empty: what NULL is on the wire and in comparisons. noon: a day is its noon."""

    name: str
    edm: str
    kind: str
    empty: Any = None
    noon: bool = False
    enum: str = ""


class Filter(Grammar):
    """See `Grammar`. `functions`: which the service knows; `wildcards`: * within a literal."""

    token = _TOKEN
    left, short = "Syntax error at '{}' in the filter", "The filter ends too early"
    strange = "Syntax error at position {} in the filter"

    def __init__(
        self, properties: Mapping[str, Property], text: str, *, functions: frozenset[str] = frozenset(_PATTERNS),
        wildcards: bool = False,
    ) -> None:
        self._properties, self._functions, self._wildcards = properties, functions, wildcards
        super().__init__(text)

    def _refusal(self, problem: str) -> Invalid:
        return Invalid(problem)

    def _condition(self, word: str) -> str:
        if self._peek() == "(":
            return self._function(word)
        prop = known(self._properties, word)
        sign = self._next()
        if sign not in SIGNS:
            raise Invalid(f"The operator '{sign}' is not supported")
        if prop.enum and sign not in ("eq", "ne"):
            raise Invalid(f"A binary operator with incompatible types was detected: {sign} on {prop.enum}")
        return self._compared(prop, sign, self._next())

    def _compared(self, prop: Property, sign: str, literal: str) -> str:
        value = read(prop, literal)
        if value is None:
            return f'"{prop.name}" IS {"NOT " if sign == "ne" else ""}NULL'
        if self._wildcards and isinstance(value, str) and "*" in value and sign == "eq":
            self.values.append(value.replace("*", "%"))
            return f'"{prop.name}" LIKE ?'
        column = sql_value(prop)
        if prop.kind in ("amount", "rate"):
            column, value = f"CAST({column} AS REAL)", float(value)
        self.values.append(value)
        caseless = " COLLATE NOCASE" if prop.edm == "Edm.String" and sign in ("eq", "ne") else ""
        return f"{column} {SIGNS[sign]} ?{caseless}"

    def _function(self, name: str) -> str:
        if name not in self._functions:
            raise Invalid(f"An unknown function with name '{name}' was found")
        self._need("(")
        prop = known(self._properties, self._next())
        self._need(",")
        value = read(prop, self._next())
        self._need(")")
        self.values.append(_PATTERNS[name].format(value))
        return f'"{prop.name}" LIKE ?'


def known(properties: Mapping[str, Property], name: str) -> Property:
    """The property, or NoProperty."""
    if name not in properties:
        raise NoProperty(name)
    return properties[name]


def sql_value(prop: Property) -> str:
    """The property as it compares: what NULL is, and a day as its noon."""
    column = f'"{prop.name}"'
    if prop.noon:
        column = f"({column} || ' 12:00:00')"
    if prop.empty is None:
        return column
    empty = "1900-01-01 00:00:00" if prop.edm == "Edm.DateTimeOffset" else prop.empty
    return f"coalesce({column}, {empty!r})"


def order_by(properties: Mapping[str, Property], text: str) -> str:
    """`a,b desc` as SQL."""
    parts = []
    for part in text.split(","):
        name, _, way = part.strip().partition(" ")
        if way.strip() not in ("", "asc", "desc"):
            raise Invalid(f"Syntax error in $orderby: '{way}'")
        parts.append(f"{sql_value(known(properties, name))}{' DESC' if way.strip() == 'desc' else ''}")
    return ", ".join(parts)


def selected(properties: Mapping[str, Property], text: str) -> list[str]:
    """`$select` as property names."""
    return [known(properties, name.strip()).name for name in text.split(",") if name.strip()]


def read(prop: Property, text: str) -> Any:
    """A literal as `sim.db` keeps it. Invalid where it is not of the property's type."""
    if text == "null":
        return None
    if prop.enum:
        found = _ENUM.fullmatch(text)
        if not found or found[1] != prop.enum:
            raise Invalid(f"A binary operator with incompatible types was detected: '{prop.enum}' and {text}")
        return found[2]
    if prop.edm == "Edm.String":
        if not (text.startswith("'") and text.endswith("'") and len(text) > 1):
            raise Invalid(f"{text} is no string, of which {prop.name} is one")
        return text[1:-1].replace("''", "'")
    if prop.edm == "Edm.Guid":
        if not re.fullmatch(r"[0-9a-fA-F-]{36}", text):
            raise Invalid(f"{text} is no Edm.Guid")
        return text.lower()
    if prop.edm == "Edm.Boolean":
        if text not in ("true", "false"):
            raise Invalid(f"{text} is no Edm.Boolean")
        return int(text == "true")
    if prop.edm == "Edm.Date":
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise Invalid(f"{text} is no Edm.Date")
        return text
    if prop.edm == "Edm.DateTimeOffset":
        found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?(?:\.\d+)?Z", text)
        if not found:
            raise Invalid(f"{text} is no Edm.DateTimeOffset")
        return f"{found[1]} {found[2]}{found[3] or ':00'}"
    if not re.fullmatch(r"-?\d+(\.\d+)?", text) or ("." in text and prop.edm.startswith("Edm.Int")):
        raise Invalid(f"{text} is no {prop.edm}")
    return int(text) if prop.edm.startswith("Edm.Int") else text
