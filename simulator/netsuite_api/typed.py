"""SQL expressions that know what they hold, and how two of them compare.

Kinds: id, integer (native numbers); decimal (exact text); boolean (0, 1); text; date; stamp (UTC); wall (a stamp in the
user's zone); number (a placeholder for a literal number); list (a placeholder for the list after IN); null.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from simulator.netsuite_api.dates import Zone, from_preferred
from simulator.netsuite_api.errors import unsupported

NATIVE = ("id", "integer", "number")
NUMERIC = (*NATIVE, "decimal")
DATED = ("date", "stamp", "wall")


@dataclass(frozen=True)
class Typed:
    """`constant`: the value of a literal, in canonical text. `required`: never NULL. `aggregate`: holds COUNT, SUM …"""

    sql: str
    kind: str
    constant: str | None = None
    required: bool = False
    aggregate: bool = False
    origin: str | None = None  # the column's name in its record, for BUILTIN.DF


NULL = Typed("NULL", "null")


@dataclass
class Preferences:
    """The user's, plus how the placeholders of this statement want their values (`binders`)."""

    zone: Zone
    date_format: str
    binders: dict[str, Callable[[Any], Any]] = field(default_factory=dict)

    # --- forms

    def text(self, value: Typed) -> str:
        """As text in the vendor's form, which is what a client receives."""
        sql = value.sql
        if value.kind in ("id", "integer", "number"):
            return f"CAST({sql} AS TEXT)"
        if value.kind == "decimal":
            return f"CASE WHEN instr({sql}, '.') THEN rtrim(rtrim({sql}, '0'), '.') ELSE CAST({sql} AS TEXT) END"
        if value.kind == "boolean":
            return f"CASE {sql} WHEN 1 THEN 'T' WHEN 0 THEN 'F' END"
        if value.kind == "stamp":
            return f"preferred(wall({sql}))"
        if value.kind in ("date", "wall"):
            return f"preferred({sql})"
        return sql

    def wall(self, value: Typed) -> Typed:
        """A date or stamp as a stamp on the user's clock."""
        if value.kind == "stamp":
            return Typed(f"wall({value.sql})", "wall")
        if value.kind == "date":
            constant = f"{value.constant} 00:00:00" if value.constant else None
            return Typed(f"({value.sql} || ' 00:00:00')", "wall", constant)
        if value.kind == "wall":
            return value
        raise unsupported("a date was expected")

    def number(self, value: Typed) -> str:
        """For comparing and sorting."""
        if value.kind in NATIVE:
            return value.sql
        if value.kind == "decimal":
            return f"CAST({value.sql} AS NUMERIC)"
        if value.kind == "null":
            return "NULL"
        if value.constant is not None:
            return str(_number(value.constant))
        raise unsupported("a number was expected")

    def sort_key(self, value: Typed) -> str:
        """What ORDER BY compares."""
        return self.number(value) if value.kind == "decimal" else value.sql

    # --- comparing

    def compare(self, left: Typed, operator: str, right: Typed) -> str:
        """A condition; NULL where Oracle has NULL. The literal adapts to the column, so that indexes serve."""
        if "null" in (left.kind, right.kind):
            return "NULL"
        if left.constant is not None and right.constant is None:
            turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
            return self.compare(right, turned, left)
        if left.kind in DATED or right.kind in DATED:
            return self._compare_dates(left, operator, right)
        if left.kind == right.kind and left.kind in ("boolean", "text"):
            return f"{left.sql} {operator} {right.sql}"
        if left.kind in NUMERIC and (right.kind in NUMERIC or right.constant is not None):
            return f"{self.number(left)} {operator} {self.number(right)}"
        if left.kind == "boolean" and right.constant in ("T", "F"):
            return f"{left.sql} {operator} {int(right.constant == 'T')}"
        return f"{self.text(left)} {operator} {self.text(right)}"

    def _compare_dates(self, left: Typed, operator: str, right: Typed) -> str:
        left, right = self._dated(left), self._dated(right)
        if left.kind == right.kind:
            return f"{left.sql} {operator} {right.sql}"
        if left.kind == "stamp" and right.constant is not None:
            utc = self.zone.utc(str(self.wall(right).constant))
            if utc is not None:
                return f"{left.sql} {operator} '{utc}'"
        return f"{self.wall(left).sql} {operator} {self.wall(right).sql}"

    def _dated(self, value: Typed) -> Typed:
        if value.kind in DATED:
            return value
        if value.kind == "text" and value.constant is not None:
            day = from_preferred(value.constant, self.date_format)
            return Typed(f"'{day}'", "date", day)
        raise unsupported("a date was expected")

    def within(self, left: Typed, placeholder: str) -> str:
        """`left IN (…)`, the list arriving as a JSON array."""
        convert: Callable[[list[str]], list[Any]]
        column = left.sql
        if left.kind in NUMERIC:
            column = self.number(left)
            convert = _numbers
        elif left.kind == "boolean":
            def convert(items: list[str]) -> list[Any]:
                return [{"T": 1, "F": 0}.get(item) for item in items]
        elif left.kind == "date":
            def convert(items: list[str]) -> list[Any]:
                return [from_preferred(item, self.date_format) for item in items]
        elif left.kind == "text":
            def convert(items: list[str]) -> list[Any]:
                return [item or None for item in items]  # '' is NULL
        else:
            raise unsupported("IN with a list of stamps")
        self.binders[placeholder] = lambda items: json.dumps(convert(items))
        return f"{column} IN (SELECT value FROM json_each(:{placeholder}))"

    # --- one kind for several values

    def unified(self, values: list[Typed]) -> list[Typed]:
        """The values of NVL, CASE and their kin, brought to one kind: that of the first which has one."""
        filled = [value for value in values if value.kind != "null"]
        kinds = {value.kind for value in filled}
        if len(kinds) <= 1:
            kind = filled[0].kind if filled else "text"
            return [value if value.kind != "null" else Typed("NULL", kind) for value in values]
        if all(value.kind in NUMERIC or _is_number(value) for value in filled):
            return [self._as_decimal(value) for value in values]
        if all(value.kind == "boolean" or value.constant in ("T", "F") for value in filled):
            return [self._as_boolean(value) for value in values]
        if all(value.kind in DATED for value in filled):
            return [self.wall(value) if value.kind != "null" else Typed("NULL", "wall") for value in values]
        return [Typed(self.text(value), "text") for value in values]

    def _as_decimal(self, value: Typed) -> Typed:
        if value.kind == "decimal" or value.kind == "null":
            return Typed(value.sql, "decimal")
        return Typed(f"CAST({value.sql} AS TEXT)" if value.constant is None else f"'{value.constant}'", "decimal")

    def _as_boolean(self, value: Typed) -> Typed:
        return value if value.kind in ("boolean", "null") else Typed(str(int(value.constant == "T")), "boolean")


def literal(text: str) -> Typed:
    """A string literal; the empty one is NULL."""
    return Typed("'" + text.replace("'", "''") + "'", "text", text) if text else NULL


def _is_number(value: Typed) -> bool:
    try:
        return value.constant is not None and Decimal(value.constant).is_finite()
    except InvalidOperation:
        return False


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise unsupported(f"invalid number '{text}'") from None


def _numbers(items: list[str]) -> list[Any]:
    found = [_number(item) for item in items if item]
    return [int(number) if number == number.to_integral_value() else float(number) for number in found]
