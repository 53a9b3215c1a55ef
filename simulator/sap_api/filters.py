"""`$filter` and `$orderby` of OData V2, as SQL over `sim.db`. Anything unknown is refused, as SAP does."""

from __future__ import annotations

import re
from typing import Any

from simulator.odata_grammar import SIGNS, Grammar
from simulator.sap_api.entities import EntitySet
from simulator.sap_api.errors import BAD_OPTION, SapError
from simulator.sap_api.wire import read_literal

_TOKEN = re.compile(
    r"\s*(?:([()])|(,)|((?:datetimeoffset|datetime|time|guid)?'(?:[^']|'')*')|(-?\d+(?:\.\d+)?[mMdDfFlL]?)(?![\w])|(\w+))")
_FUNCTIONS = {"startswith": ("{}%", False), "endswith": ("%{}", False), "substringof": ("%{}%", True)}


class Filter(Grammar):
    """See `Grammar`."""

    token = _TOKEN

    def __init__(self, entity: EntitySet, text: str) -> None:
        self.entity = entity
        super().__init__(text)

    def _refusal(self, problem: str) -> SapError:
        return _invalid(problem)

    def _condition(self, word: str) -> str:
        if word in _FUNCTIONS and self._peek() == "(":
            return self._function(word)
        prop = _property(self.entity, word)
        sign = self._next()
        if sign not in SIGNS:
            raise _invalid(f"'{sign}' is no operator")
        value = read_literal(prop, self._next())
        column = f'"{prop.name}"'
        if value is None:
            if sign not in ("eq", "ne"):
                raise _invalid("null can only be compared with eq and ne")
            return f"{column} IS {'NOT ' if sign == 'ne' else ''}NULL"
        if value == "" and sign in ("eq", "ne"):  # ABAP's initial value
            return f"coalesce({column}, '') {SIGNS[sign]} ''"
        if prop.kind in ("amount", "rate"):
            column = f"CAST(coalesce({column}, '0') AS REAL)"
            value = float(value)
        self.values.append(value)
        return f"{column} {SIGNS[sign]} ?"

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


def _invalid(what: str) -> SapError:
    return SapError(400, BAD_OPTION, f"Invalid system query option: $filter: {what}")
