"""SuiteQL SELECT → SQLite: sources, ROWNUM, FETCH FIRST, set operations, sub-selects; and the page as JSON text.

A statement yields one text per row, already rendered: columns that are NULL are left out, as NetSuite leaves them out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from simulator.netsuite_api.catalog import Record
from simulator.netsuite_api.errors import no_record, unsupported
from simulator.netsuite_api.expressions import Expressions, Scope, Source
from simulator.netsuite_api.typed import Preferences, Typed

MOST_RESULTS = 100_000
_SELECT_PARTS = {"expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct",
                 "with_"}
_SET_WORDS = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}


@dataclass(frozen=True)
class Relation:
    """A translated query. `columns`: (name, kind). `counting`: the same rows, cheap to count."""

    sql: str
    columns: tuple[tuple[str, str], ...]
    counting: str


@dataclass(frozen=True)
class Statement:
    """`page` yields (text,) per row and takes `:page_limit` and `:page_offset`; `count` yields at most MOST_RESULTS.

    `binders` turn the values of the template into what SQLite takes.
    """

    page: str
    count: str
    binders: dict[str, Callable[[Any], Any]]

    def bound(self, values: dict[str, Any]) -> dict[str, Any]:
        """Parameters for both. NetSuiteError when a value does not fit its column."""
        return {name: self.binders[name](value) for name, value in values.items()}


def translate(
    text: str, records: dict[str, Record], preferences: Preferences, json_numbers: frozenset[str]
) -> Statement:
    """The statement for a query's template. NetSuiteError for whatever SuiteQL does not know."""
    try:
        trees = sqlglot.parse(text, read="oracle")
    except SqlglotError as error:
        raise unsupported(str(error).splitlines()[0]) from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Select | exp.SetOperation | exp.Subquery):
        raise unsupported("only one SELECT is allowed")
    relation = Translator(records, preferences).select(trees[0], None)
    pieces = [_json_piece(f'q."{name}"', name, kind, preferences, json_numbers) for name, kind in relation.columns]
    row = " || ".join(["'{\"links\":[]'", *pieces, "'}'"])
    return Statement(
        page=f"SELECT {row} FROM (SELECT * FROM ({relation.sql}) LIMIT :page_limit OFFSET :page_offset) AS q",
        count=f"SELECT count(*) FROM (SELECT 1 FROM ({relation.counting}) LIMIT {MOST_RESULTS})",
        binders=preferences.binders,
    )


def _json_piece(sql: str, name: str, kind: str, preferences: Preferences, json_numbers: frozenset[str]) -> str:
    """`,"name":"value"`, or nothing for NULL; the empty text is NULL."""
    key = f",\"{name}\":".replace("'", "''")
    if kind == "text":
        return f"CASE WHEN {sql} IS NULL OR {sql} = '' THEN '' ELSE '{key}' || json_quote({sql}) END"
    quote = "" if name in json_numbers and kind in ("id", "integer", "decimal") else '"'
    value = sql if kind in ("id", "integer", "number") else preferences.text(Typed(sql, kind))
    return f"coalesce('{key}{quote}' || {value} || '{quote}', '')" if quote else f"coalesce('{key}' || {value}, '')"


@dataclass
class _Names:
    """Aliases of sources, unique over the statement."""

    used: int = 0
    common: dict[str, Relation] = field(default_factory=dict)

    def fresh(self) -> str:
        self.used += 1
        return f"s{self.used}"


class Translator:
    """Translates one statement."""

    def __init__(self, records: dict[str, Record], preferences: Preferences) -> None:
        self.records, self.preferences = records, preferences
        self.names = _Names()

    def select(self, node: exp.Expr, around: Scope | None) -> Relation:
        """A query, wherever it stands."""
        if isinstance(node, exp.Subquery):
            return self.select(node.this, around)
        for common in (node.args.get("with_") or exp.With(expressions=[])).expressions:
            self.names.common[common.alias.lower()] = self.select(common.this, None)
        if isinstance(node, exp.SetOperation):
            return self._combined(node, around)
        if not isinstance(node, exp.Select):
            raise unsupported(node.sql(dialect="oracle"))
        if strange := [part for part, value in node.args.items() if value and part not in _SELECT_PARTS]:
            raise unsupported(", ".join(strange))
        return self._simple(node, around)

    # --- set operations

    def _combined(self, node: exp.Expr, around: Scope | None) -> Relation:
        left, right = self.select(node.this, around), self.select(node.expression, around)
        if len(left.columns) != len(right.columns):
            raise unsupported("the queries of a set operation have different numbers of columns")
        columns = tuple(
            (name, kind if kind == other else "text")
            for (name, kind), (_, other) in zip(left.columns, right.columns, strict=True)
        )
        word = next(word for kind, word in _SET_WORDS.items() if isinstance(node, kind))
        word += "" if node.args.get("distinct") else " ALL"
        both = f"{self._cast(left, columns)} {word} {self._cast(right, columns)}"
        alias = self.names.fresh()
        source = Source("query", "", {name: Typed(f'{alias}."{name}"', kind) for name, kind in columns})
        expressions = self._expressions(Scope([source], around))
        order = self._order(node, expressions, list(source.columns.values()), source.columns)
        tail = f" {order}" if order else ""
        listed = ", ".join(f'{alias}."{name}"' for name, _ in columns)
        sql = f"SELECT {listed} FROM ({both}) AS {alias}{tail}{self._limit(node)}"
        return Relation(sql, columns, sql)

    def _cast(self, relation: Relation, columns: tuple[tuple[str, str], ...]) -> str:
        """One side, its columns named and typed as the whole's."""
        values = []
        for (name, kind), (wanted, target) in zip(relation.columns, columns, strict=True):
            value = Typed(f'v."{name}"', kind)
            values.append(f'{value.sql if kind == target else self.preferences.text(value)} AS "{wanted}"')
        return f"SELECT {', '.join(values)} FROM ({relation.sql}) AS v"

    # --- a plain SELECT

    def _simple(self, node: exp.Select, around: Scope | None) -> Relation:
        sources: list[Source] = []
        scope = Scope(sources, around)
        from_sql = self._from(node, scope)
        expressions = self._expressions(scope)
        rownum, conditions = self._where(node, expressions)
        listed = self._projections(node, expressions, scope)
        columns = tuple((name, "integer" if value.kind == "number" else value.kind) for name, value in listed)
        named = dict(listed)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        grouped = self._group(node, expressions, [value for _, value in listed])
        values = ", ".join(f'{value.sql} AS "{name}"' for name, value in listed)
        distinct = "DISTINCT " if node.args.get("distinct") else ""
        order = self._order(node, expressions, [value for _, value in listed], named)
        body = f"{from_sql}{where}{grouped}"
        if rownum is not None:
            sql = self._cut(f"SELECT {distinct}{values} {body}", rownum, order, bool(grouped or distinct), listed, node)
            return Relation(sql + self._limit(node), columns, sql + self._limit(node))
        sql = f"SELECT {distinct}{values} {body}{f' {order}' if order else ''}{self._limit(node)}"
        plain = not grouped and not distinct and not any(value.aggregate for _, value in listed)
        counting = f"SELECT 1 {body}{self._limit(node)}" if plain else sql
        return Relation(sql, columns, counting)

    def _expressions(self, scope: Scope) -> Expressions:
        return Expressions(scope, self.preferences, self.records, self.select)

    def _from(self, node: exp.Select, scope: Scope) -> str:
        """FROM and its joins; fills the scope."""
        start = node.args.get("from_")
        if start is None:
            raise unsupported("FROM is missing")
        if isinstance(start.this, exp.Table) and start.this.name.lower() == "dual":
            return "FROM (SELECT 1) AS dual"
        parts = [f"FROM {self._source(start.this, scope)}"]
        for join in node.args.get("joins") or []:
            if join.args.get("using") or join.args.get("method"):
                raise unsupported("write joins with ON")
            source = self._source(join.this, scope)
            words = " ".join(str(join.args[w]) for w in ("side", "kind") if join.args.get(w)).upper()
            condition = join.args.get("on")
            on = f" ON {self._expressions(scope).condition(condition)}" if condition is not None else ""
            parts.append(f"{words or ('JOIN' if on else 'CROSS')}{'' if not words and on else ' JOIN'} {source}{on}")
        return " ".join(parts)

    def _source(self, node: exp.Expr, scope: Scope) -> str:
        alias = self.names.fresh()
        called = node.alias_or_name.lower()
        if isinstance(node, exp.Subquery):
            relation = self.select(node.this, scope.around)
            scope.sources.append(Source(called or "query", called, _columns(relation, alias)))
            return f"({relation.sql}) AS {alias}"
        if not isinstance(node, exp.Table):
            raise unsupported(node.sql(dialect="oracle"))
        name = node.name.lower()
        if name in self.names.common:
            relation = self.names.common[name]
            scope.sources.append(Source(name, called, _columns(relation, alias)))
            return f"({relation.sql}) AS {alias}"
        record = self.records.get(name)
        if record is None or node.args.get("db"):
            raise no_record(node.name)
        columns = {
            column: Typed(f'{alias}."{column}"', _held(kind), required=required, origin=column)
            for column, (kind, required) in record.columns.items()
        }
        scope.sources.append(Source(record.name, called, columns))
        return f"{record.rows} AS {alias}"

    def _where(self, node: exp.Select, expressions: Expressions) -> tuple[str | None, list[str]]:
        """(how many rows ROWNUM lets pass, the other conditions)."""
        where = node.args.get("where")
        rownum, conditions = None, []
        for part in where.this.flatten() if where is not None and isinstance(where.this, exp.And) else \
                [where.this] if where is not None else []:
            if isinstance(part, exp.LT | exp.LTE | exp.EQ) and _is_rownum(part.this):
                most = expressions.value(part.expression).sql
                rownum = f"({most}) - 1" if isinstance(part, exp.LT) else most
                if isinstance(part, exp.EQ):
                    rownum = f"CASE ({most}) WHEN 1 THEN 1 ELSE 0 END"
            else:
                conditions.append(expressions.condition(part))
        return rownum, conditions

    def _projections(self, node: exp.Select, expressions: Expressions, scope: Scope) -> list[tuple[str, Typed]]:
        found: list[tuple[str, Typed]] = []
        for item in node.expressions:
            if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
                wanted = item.table.lower() if isinstance(item, exp.Column) else None
                for source in scope.sources:
                    if wanted in (None, source.alias):
                        found += [(name, value) for name, value in source.columns.items()]
                continue
            if isinstance(item, exp.Alias):
                name, value = item.alias.lower(), expressions.value(item.this)
            else:
                value = expressions.value(item)
                name = item.name.lower() if isinstance(item, exp.Column) else f"expr{len(found) + 1}"
            if '"' in name:
                raise unsupported(f"column name {name}")
            found.append((name, value))
        return _unique(found)

    def _group(self, node: exp.Select, expressions: Expressions, listed: list[Typed]) -> str:
        group, having = node.args.get("group"), node.args.get("having")
        keys = [expressions.value(key).sql for key in group.expressions] if group is not None else []
        if group is not None or any(value.aggregate for value in listed):
            for value in listed:
                if value.origin and value.sql not in keys:
                    raise unsupported(f"'{value.origin}' must be grouped or aggregated")
        sql = f" GROUP BY {', '.join(keys)}" if keys else ""
        return sql + (f" HAVING {expressions.condition(having.this)}" if having is not None else "")

    def _order(self, node: exp.Expr, expressions: Expressions, listed: list[Typed], named: dict[str, Typed]) -> str:
        order = node.args.get("order")
        if order is None:
            return ""
        keys = []
        for one in order.expressions:
            target = one.this
            if isinstance(target, exp.Literal) and not target.is_string:
                position = int(target.this)
                if not 0 < position <= len(listed):
                    raise unsupported(f"ORDER BY {position}")
                value = listed[position - 1]
            elif isinstance(target, exp.Column) and not target.table and target.name.lower() in named:
                value = named[target.name.lower()]
            else:
                value = expressions.value(target)
            direction = " DESC" if one.args.get("desc") else ""
            nulls = "" if value.required else f" NULLS {'FIRST' if one.args.get('nulls_first') else 'LAST'}"
            keys.append(f"{self.preferences.sort_key(value)}{direction}{nulls}")
        return f"ORDER BY {', '.join(keys)}"

    def _cut(
        self, sql: str, rownum: str, order: str, is_grouped: bool, listed: list[tuple[str, Typed]], node: exp.Select
    ) -> str:
        """ROWNUM is given before ORDER BY: cut first, then sort what is left."""
        if is_grouped:
            raise unsupported("ROWNUM with GROUP BY or DISTINCT: wrap the query")
        if not order:
            return f"{sql} LIMIT {rownum}"
        alias = self.names.fresh()
        columns = {name: Typed(f'{alias}."{name}"', value.kind, required=value.required) for name, value in listed}
        outside = self._expressions(Scope([Source("query", "", columns)]))
        again = self._order(node, outside, list(columns.values()), columns)
        names = ", ".join(f'{alias}."{name}"' for name in columns)
        return f"SELECT {names} FROM ({sql} LIMIT {rownum}) AS {alias} {again}"

    def _limit(self, node: exp.Expr) -> str:
        """TOP n, FETCH FIRST n ROWS ONLY and OFFSET n ROWS."""
        limit, offset = node.args.get("limit"), node.args.get("offset")
        if limit is None and offset is None:
            return ""
        count = "-1"
        if limit is not None:
            count = _whole(limit.args.get("count") or limit.args.get("expression"))
        return f" LIMIT {count}" + (f" OFFSET {_whole(offset.expression)}" if offset is not None else "")


def _columns(relation: Relation, alias: str) -> dict[str, Typed]:
    return {name: Typed(f'{alias}."{name}"', kind) for name, kind in relation.columns}


def _held(kind: str) -> str:
    return "decimal" if kind in ("amount", "rate") else kind


def _is_rownum(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and node.name.lower() == "rownum" and not node.table


def _whole(node: exp.Expr | None) -> str:
    if not isinstance(node, exp.Literal) or node.is_string or not node.this.isdigit():
        raise unsupported("a number of rows is a literal")
    return node.this


def _unique(listed: list[tuple[str, Typed]]) -> list[tuple[str, Typed]]:
    """A second column of a name gets a number, as at NetSuite."""
    seen: dict[str, int] = {}
    found = []
    for name, value in listed:
        count = seen[name] = seen.get(name, -1) + 1
        found.append((f"{name}_{count}" if count else name, value))
    return found
