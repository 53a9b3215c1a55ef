"""SuiteQL expressions → SQLite. Every node of the syntax tree is handled by name; the rest is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlglot import exp

from simulator.netsuite_api.catalog import Record
from simulator.netsuite_api.dates import parsed
from simulator.netsuite_api.display import displayed
from simulator.netsuite_api.errors import no_field, unsupported
from simulator.netsuite_api.typed import DATED, NATIVE, NULL, NUMERIC, Preferences, Typed, literal

if TYPE_CHECKING:
    from simulator.netsuite_api.select import Relation

_COMPARISONS = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_TEXT_FUNCTIONS = {exp.Upper: "upper", exp.Lower: "lower"}

@dataclass(frozen=True)
class Source:
    """A table or sub-select in FROM: its name in error messages, its alias in the query, and its columns."""

    record: str
    alias: str
    columns: dict[str, Typed]


@dataclass
class Scope:
    """Where names are looked up: the sources of a SELECT, then those around it."""

    sources: list[Source]
    around: Scope | None = None

    def column(self, name: str, table: str | None) -> Typed:
        """NetSuiteError when it is unknown, or of several sources."""
        candidates = [source for source in self.sources if table is None or source.alias == table]
        found = [source.columns[name] for source in candidates if name in source.columns]
        if len(found) == 1 or (found and table):
            return found[0]
        if found:
            raise unsupported(f"column '{name}' is ambiguous")
        if self.around is not None:
            return self.around.column(name, table)
        raise no_field(name if table is None or candidates else f"{table}.{name}", self.blamed(candidates))

    def blamed(self, candidates: list[Source]) -> str:
        """The record that an error names."""
        pool = candidates or self.sources
        return pool[0].record if pool else "dual"


class Expressions:
    """Translates within one scope. `select` translates a sub-select."""

    def __init__(
        self, scope: Scope, preferences: Preferences, records: dict[str, Record],
        select: Callable[[exp.Expr, Scope], Relation],
    ) -> None:
        self.scope, self.preferences, self.records, self.select = scope, preferences, records, select

    # --- conditions

    def condition(self, node: exp.Expr) -> str:
        """A truth value in SQL."""
        kind = type(node)
        if node.args.get("negate"):
            positive = node.copy()
            positive.set("negate", None)
            return f"NOT ({self.condition(positive)})"
        if kind in (exp.And, exp.Or):
            word = "AND" if kind is exp.And else "OR"
            return f"({self.condition(node.this)} {word} {self.condition(node.expression)})"
        if kind is exp.Not:
            return f"NOT ({self.condition(node.this)})"
        if kind is exp.Paren:
            return f"({self.condition(node.this)})"
        if kind in _COMPARISONS:
            return self.preferences.compare(self.value(node.this), _COMPARISONS[kind], self.value(node.expression))
        if kind is exp.Is and isinstance(node.expression, exp.Null):
            return f"{self.value(node.this).sql} IS NULL"
        if kind is exp.Between:
            value = self.value(node.this)
            low, high = self.value(node.args["low"]), self.value(node.args["high"])
            return f"({self.preferences.compare(value, '>=', low)} AND {self.preferences.compare(value, '<=', high)})"
        if kind is exp.In:
            return self._within(node)
        if kind is exp.Like:
            return f"{self._text(node.this)} LIKE {self._text(node.expression)}"
        if kind is exp.Exists:
            return f"EXISTS ({self.select(node.this, self.scope).sql})"
        raise unsupported(node.sql(dialect="oracle"))

    def _within(self, node: exp.Expr) -> str:
        left = self.value(node.this)
        if node.args.get("query") is not None:
            inner = self.select(node.args["query"], self.scope)
            if len(inner.columns) != 1:
                raise unsupported("a sub-select after IN has one column")
            (_, kind), = inner.columns
            if kind == left.kind or (kind in NATIVE and left.kind in NATIVE):
                return f"{left.sql} IN ({inner.sql})"
            return f"{self.preferences.text(left)} IN ({self._as_text(inner)})"
        items = node.expressions
        if len(items) == 1 and isinstance(items[0], exp.Placeholder) and items[0].name.startswith("l"):
            return self.preferences.within(left, items[0].name)
        return "(" + " OR ".join(self.preferences.compare(left, "=", self.value(item)) for item in items) + ")"

    def _as_text(self, inner: Relation) -> str:
        """A one-column sub-select, its values as text."""
        (name, kind), = inner.columns
        value = Typed(f'v."{name}"', kind)
        return f"SELECT {self.preferences.text(value)} FROM ({inner.sql}) AS v"

    # --- values

    def value(self, node: exp.Expr) -> Typed:
        """A value with its kind."""
        kind = type(node)
        if kind is exp.Column:
            return self._column(node)
        if kind is exp.Literal:
            return literal(node.this) if node.is_string else _numeric(node.this)
        if kind is exp.Placeholder and node.name.startswith("n"):
            self.preferences.binders.setdefault(node.name, _bindable)
            return Typed(f":{node.name}", "number")
        if kind is exp.Null:
            return NULL
        if kind is exp.Paren:
            inner = self.value(node.this)
            return Typed(f"({inner.sql})", inner.kind, inner.constant, aggregate=inner.aggregate)
        if kind is exp.Neg:
            return self._arithmetic("-", Typed("0", "integer", "0"), self.value(node.this))
        if kind in _ARITHMETIC:
            return self._arithmetic(_ARITHMETIC[kind], self.value(node.this), self.value(node.expression))
        if kind in (exp.Subquery, exp.Select):
            inner = self.select(node, self.scope)
            if len(inner.columns) != 1:
                raise unsupported("a scalar sub-select has one column")
            return Typed(f"({inner.sql})", inner.columns[0][1])
        return self._function(node)

    def _column(self, node: exp.Expr) -> Typed:
        if node.args.get("join_mark"):
            raise unsupported("(+)")
        name, table = node.name.lower(), node.table.lower() or None
        if name == "rownum" and table is None:
            return Typed("row_number() OVER ()", "integer")
        if name == "sysdate" and table is None:
            return Typed("local_now()", "wall")
        return self.scope.column(name, table)

    def _arithmetic(self, operator: str, left: Typed, right: Typed) -> Typed:
        aggregate = left.aggregate or right.aggregate
        if left.kind in DATED and right.kind in NUMERIC and operator in "+-":
            moved = self.preferences.wall(left).sql if left.kind == "stamp" else left.sql
            kind = "date" if left.kind == "date" else "wall"
            return Typed(f"add_days({moved}, {operator}({self.preferences.number(right)}))", kind)
        if left.kind not in (*NUMERIC, "null") or right.kind not in (*NUMERIC, "null"):
            raise unsupported("arithmetic needs numbers")
        if left.kind in NATIVE and right.kind in NATIVE and operator in "+-*" \
                and not any("." in (value.constant or "") for value in (left, right)):
            return Typed(f"({left.sql} {operator} {right.sql})", "integer", aggregate=aggregate)
        return Typed(f"exact('{operator}', {left.sql}, {right.sql})", "decimal", aggregate=aggregate)

    # --- functions

    def _function(self, node: exp.Expr) -> Typed:
        kind = type(node)
        if kind is exp.Dot:
            return self._builtin(node)
        if isinstance(node, exp.Count | exp.Sum | exp.Min | exp.Max | exp.Avg):
            return self._aggregate(node)
        if kind is exp.Coalesce:
            return self._call("coalesce", self._unified([node.this, *node.expressions]))
        if kind is exp.Nvl2:
            true, false = self._unified([node.args["true"], node.args["false"]])
            asked = self.value(node.this).sql
            return Typed(f"CASE WHEN {asked} IS NOT NULL THEN {true.sql} ELSE {false.sql} END", true.kind)
        if kind is exp.Case:
            return self._case(node)
        if kind is exp.DecodeCase:
            return self._decode(node.expressions)
        if kind in (exp.StrToDate, exp.StrToTime):
            return self._date_literal(node)
        if kind is exp.ToChar:
            return self._to_char(node)
        if kind is exp.TimeToStr:  # TO_CHAR again, where the parser saw that it is given a date
            wall = self.preferences.wall(self.value(node.this)).sql
            return Typed(f"written({wall}, {literal(node.args['format'].this).sql})", "text")
        if kind is exp.ToNumber:
            return Typed(self.value(node.this).sql, "decimal")
        if kind in (exp.CurrentTimestamp, exp.CurrentDate):
            return Typed("local_now()", "wall")
        if kind in _TEXT_FUNCTIONS:
            return Typed(f"{_TEXT_FUNCTIONS[kind]}({self._text(node.this)})", "text")
        return self._more_functions(node)

    def _more_functions(self, node: exp.Expr) -> Typed:
        kind = type(node)
        if kind is exp.Trim and node.expression is None:
            name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or ""), "trim")
            return Typed(f"nullif({name}({self._text(node.this)}), '')", "text")
        if kind is exp.Substring:
            given = [node.args[part] for part in ("start", "length") if node.args.get(part)]
            numbers = [self.preferences.number(self.value(one)) for one in given]
            return Typed(f"nullif(substr({', '.join([self._text(node.this), *numbers])}), '')", "text")
        if kind is exp.Length:
            return Typed(f"length({self._text(node.this)})", "integer")
        if kind is exp.DPipe:
            left, right = self._text(node.this), self._text(node.expression)
            return Typed(f"nullif(coalesce({left}, '') || coalesce({right}, ''), '')", "text")
        if kind is exp.Concat:
            joined = " || ".join(f"coalesce({self._text(one)}, '')" for one in node.expressions)
            return Typed(f"nullif({joined}, '')", "text")
        if kind is exp.Abs:
            value = self.value(node.this)
            if value.kind == "decimal":
                return Typed(f"ltrim({value.sql}, '-')", "decimal")
            return self._call("abs", [value])
        if kind is exp.Round:
            places = self.preferences.number(self.value(node.args["decimals"])) if node.args.get("decimals") else "0"
            return Typed(f"exact('r', {self.value(node.this).sql}, {places})", "decimal")
        if kind is exp.Anonymous and node.name.upper() == "TRUNC" and len(node.expressions) == 1:
            return self._trunc(node)
        raise unsupported(node.sql(dialect="oracle"))

    def _trunc(self, node: exp.Expr) -> Typed:
        """A stamp's day on the user's clock."""
        value = self.value(node.expressions[0])
        if value.kind not in DATED:
            raise unsupported(node.sql(dialect="oracle"))
        return Typed(f"substr({self.preferences.wall(value).sql}, 1, 10)", "date")

    def _text(self, node: exp.Expr) -> str:
        return self.preferences.text(self.value(node))

    def _unified(self, nodes: list[exp.Expr]) -> list[Typed]:
        return self.preferences.unified([self.value(node) for node in nodes])

    def _call(self, name: str, values: list[Typed]) -> Typed:
        aggregate = any(value.aggregate for value in values)
        return Typed(f"{name}({', '.join(value.sql for value in values)})", values[0].kind, aggregate=aggregate)

    def _aggregate(self, node: exp.Expr) -> Typed:
        name, inner = type(node).__name__.lower(), node.this
        if isinstance(node, exp.Count):
            if inner is None or isinstance(inner, exp.Star):
                return Typed("count(*)", "integer", aggregate=True)
            if isinstance(inner, exp.Distinct):
                return Typed(f"count(DISTINCT {self.value(inner.expressions[0]).sql})", "integer", aggregate=True)
            return Typed(f"count({self.value(inner).sql})", "integer", aggregate=True)
        value = self.value(inner)
        if value.kind == "decimal" or name == "avg":
            return Typed(f"exact_{name}({value.sql})", "decimal", aggregate=True)
        if name == "sum" and value.kind not in NUMERIC:
            raise unsupported("SUM needs numbers")
        return Typed(f"{name}({value.sql})", value.kind, aggregate=True)

    def _case(self, node: exp.Expr) -> Typed:
        branches = node.args["ifs"]
        operand = self.value(node.this) if node.this is not None else None
        conditions = [
            self.condition(b.this) if operand is None else self.preferences.compare(operand, "=", self.value(b.this))
            for b in branches
        ]
        default = node.args.get("default") or exp.Null()
        values = self._unified([*(b.args["true"] for b in branches), default])
        whens = " ".join(f"WHEN {c} THEN {v.sql}" for c, v in zip(conditions, values, strict=False))
        aggregate = any(value.aggregate for value in values)
        return Typed(f"CASE {whens} ELSE {values[-1].sql} END", values[0].kind, aggregate=aggregate)

    def _decode(self, arguments: list[exp.Expr]) -> Typed:
        operand, rest = self.value(arguments[0]), arguments[1:]
        searches, results = rest[0:len(rest) - len(rest) % 2:2], rest[1::2]
        default = rest[-1] if len(rest) % 2 else exp.Null()
        values = self._unified([*results, default])
        whens = " ".join(
            f"WHEN {self.preferences.compare(operand, '=', self.value(search))} THEN {value.sql}"
            for search, value in zip(searches, values, strict=False)
        )
        return Typed(f"CASE {whens} ELSE {values[-1].sql} END", values[0].kind)

    def _date_literal(self, node: exp.Expr) -> Typed:
        text, picture = node.this, node.args.get("format")
        if not (isinstance(text, exp.Literal) and isinstance(picture, exp.Literal)):
            raise unsupported("TO_DATE and TO_TIMESTAMP take literals")
        wall = parsed(text.this, picture.this)
        return Typed(f"'{wall}'", "date" if len(wall) == 10 else "wall", wall)

    def _to_char(self, node: exp.Expr) -> Typed:
        value, picture = self.value(node.this), node.args.get("format")
        if picture is None or value.kind not in DATED:
            if picture is not None:
                raise unsupported("TO_CHAR of a number takes no format here")
            return Typed(self.preferences.text(value), "text")
        wall, wanted = self.preferences.wall(value).sql, picture.this.upper()
        if wanted == "YYYY-MM-DD HH24:MI:SS":
            return Typed(wall, "text")
        if wanted == "YYYY-MM-DD":
            return Typed(value.sql if value.kind == "date" else f"substr({wall}, 1, 10)", "text")
        return Typed(f"to_char({wall}, {literal(picture.this).sql})", "text")

    def _builtin(self, node: exp.Expr) -> Typed:
        call = node.expression
        if node.this.name.upper() != "BUILTIN" or call.name.upper() != "DF" or len(call.expressions) != 1:
            raise unsupported(node.sql(dialect="oracle"))
        return displayed(self.value(call.expressions[0]), self.records, self.preferences)


def _bindable(number: int | Decimal) -> int | float:
    """SQLite takes no Decimal; the other side of the comparison is cast to a number as well."""
    return number if isinstance(number, int) else float(number)


def _numeric(text: str) -> Typed:
    return Typed(f"'{text}'" if "." in text else text, "decimal" if "." in text else "integer", text)
