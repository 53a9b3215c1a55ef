"""SOQL tree → SQLite. The statement yields one text per record, already rendered as JSON or as a CSV line.

SQLite does the rendering, so that decimals leave as they are stored and a page costs little Python.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from simulator.salesforce_api.catalog import Catalog, Entity, SalesforceField
from simulator.salesforce_api.errors import ApiError, located, malformed
from simulator.salesforce_api.literals import Span, canonical
from simulator.salesforce_api.render import csv_value, json_value, quote
from simulator.salesforce_api.soql import (
    Aggregate,
    Both,
    Children,
    Compare,
    Condition,
    Fields,
    Not,
    Ordering,
    Path,
    Query,
    Value,
    Within,
)

MAX_OFFSET = 2000
_NO_COLUMN = (
    "No such column '{0}' on entity '{1}'. If you are attempting to use a custom field, be sure to append the '__c' "
    "after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
)
_NO_OBJECT = (
    "sObject type '{0}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' "
    "after the entity name. Please reference your WSDL or the describe call for the appropriate names."
)
_NO_RELATIONSHIP = (
    "Didn't understand relationship '{0}' in field path. If you are attempting to use a custom relationship, be sure "
    "to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the "
    "appropriate names."
)


@dataclass(frozen=True)
class Statement:
    """`select` yields (text,) per record; `count` is for `counts_only`. Both take `parameters` by name.

    columns: the names in a CSV header. Flags tell what the Bulk API refuses.
    """

    entity: str
    select: str
    count: str
    parameters: dict[str, Any]
    columns: tuple[str, ...]
    counts_only: bool
    has_aggregates: bool
    has_offset: bool
    has_children: bool
    has_compound: bool


@dataclass(frozen=True)
class CsvForm:
    """How a bulk job wants its lines."""

    delimiter: str = ","


def compile_query(
    query: Query, catalog: Catalog, *, version: str, now: datetime, include_deleted: bool, csv: CsvForm | None = None
) -> Statement:
    """Check every name and type, and translate. ApiError with Salesforce's codes and texts."""
    scope = _Scope(query, catalog, version, now, include_deleted, _Names())
    return scope.statement(csv)


@dataclass
class _Names:
    """Aliases and parameters, unique over a statement and its sub-selects."""

    tables: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)

    def table(self) -> str:
        self.tables += 1
        return f"t{self.tables}"

    def parameter(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"


@dataclass
class _Node:
    """An object in the record: the queried one, or a parent reached by a lookup."""

    entity: Entity
    alias: str
    via: SalesforceField | None = None
    parents: dict[str, _Node] = field(default_factory=dict)
    items: list[SalesforceField | _Node] = field(default_factory=list)


@dataclass(frozen=True)
class _Column:
    """A resolved field and where it is in SQL."""

    field: SalesforceField
    sql: str
    alias: str
    path: str

    @property
    def number(self) -> str:
        """For comparing and sorting: decimals are kept as text."""
        return f"CAST({self.sql} AS NUMERIC)" if self.field.kind in ("amount", "rate") else self.sql


class _Scope:
    def __init__(
        self, query: Query, catalog: Catalog, version: str, now: datetime, include_deleted: bool, names: _Names
    ) -> None:
        self.query, self.catalog, self.version, self.now = query, catalog, version, now
        self.include_deleted, self.names = include_deleted, names
        entity = catalog.entity(query.object.text)
        if entity is None:
            message = located(query.source, query.object.position, _NO_OBJECT.format(query.object.text))
            raise ApiError(400, "INVALID_TYPE", message)
        self.root = _Node(entity, names.table())
        self.joins: list[str] = []

    # --- the whole

    def statement(self, csv: CsvForm | None) -> Statement:
        query = self.query
        aggregates = [item for item in query.items if isinstance(item, Aggregate)]
        if query.offset is not None and query.offset > MAX_OFFSET:
            raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
        selected: list[_Column] = []
        if query.counts_only:
            record = "''"
        elif aggregates or query.group:
            record = self.aggregated()
        else:
            selected = self.selected()
            record = self.csv_line(selected, csv.delimiter) if csv else self.record(self.root)
        tail = self.tail()
        rows = f"SELECT {record} {tail}"
        return Statement(
            entity=self.root.entity.name,
            select=rows,
            count=f"SELECT count(*) FROM (SELECT 1 {tail})",
            parameters=self.names.parameters,
            columns=tuple(column.path for column in selected),
            counts_only=query.counts_only,
            has_aggregates=bool(aggregates or query.group),
            has_offset=query.offset is not None,
            has_children=any(isinstance(item, Children) for item in query.items),
            has_compound=any(column.field.kind == "address" for column in selected),
        )

    def tail(self, extra: str | None = None) -> str:
        """FROM to OFFSET. Joins are known only after all names were resolved, so it comes last."""
        query = self.query
        conditions = [extra] if extra else []
        if self.root.entity.has_recycle_bin and not self.include_deleted:
            conditions.append(f'{self.root.alias}."IsDeleted" = 0')
        if query.where is not None:
            conditions.append(self.condition(query.where))
        group = ", ".join(self.column(path).sql for path in query.group)
        order = ", ".join(self.ordering(one) for one in query.order)
        limit = f" LIMIT {query.limit if query.limit is not None else -1}"
        parts = [f"FROM {self.root.entity.table} AS {self.root.alias}", *self.joins]
        parts += [f"WHERE {' AND '.join(conditions)}"] if conditions else []
        parts += [f"GROUP BY {group}"] if group else []
        parts += [f"ORDER BY {order}"] if order else []
        parts += [limit] if query.limit is not None or query.offset is not None else []
        parts += [f"OFFSET {query.offset}"] if query.offset is not None else []
        return " ".join(parts)

    # --- names

    def column(self, path: Path) -> _Column:
        """Resolve a path, joining parents on the way."""
        steps = list(path.steps)
        if len(steps) > 1 and steps[0].lower() in (str(self.query.alias).lower(), self.root.entity.name.lower()):
            steps = steps[1:]
        node, names = self.root, []
        for step in steps[:-1]:
            node = self.parent(node, step, path)
            names.append(node.via.relationship if node.via else "")
        found = node.entity.field(steps[-1])
        if found is None:
            message = located(self.query.source, path.position, _NO_COLUMN.format(steps[-1], node.entity.name))
            raise ApiError(400, "INVALID_FIELD", message)
        return _Column(found, f'{node.alias}."{found.name}"', node.alias, ".".join([*names, found.name]))

    def parent(self, node: _Node, relationship: str, path: Path) -> _Node:
        key = relationship.lower()
        if key not in node.parents:
            lookup = node.entity.parent(relationship)
            entity = self.catalog.entity(lookup.reference) if lookup and lookup.reference else None
            if lookup is None or entity is None:
                message = located(self.query.source, path.position, _NO_RELATIONSHIP.format(relationship))
                raise ApiError(400, "INVALID_FIELD", message)
            child = _Node(entity, self.names.table(), lookup)
            condition = f'{child.alias}."Id" = {node.alias}."{lookup.name}"'
            self.joins.append(f"LEFT JOIN {entity.table} AS {child.alias} ON {condition}")
            node.parents[key] = child
        return node.parents[key]

    # --- the select list

    def selected(self) -> list[_Column]:
        columns: list[_Column] = []
        for item in self.query.items:
            if isinstance(item, Path):
                columns.append(self.column(item))
            elif isinstance(item, Fields):
                columns += self.fields(item)
        seen = set()
        for column in columns:
            if column.path in seen:
                raise malformed(f"duplicate field selected: {column.path}")
            seen.add(column.path)
            self.place(column)
        return columns

    def fields(self, item: Fields) -> list[_Column]:
        if self.query.limit is None or self.query.limit > 200:
            raise malformed("The SOQL FIELDS function must have a LIMIT of at most 200")
        wanted = [f for f in self.root.entity.fields
                  if item.which == "ALL" or f.name.endswith("__c") == (item.which == "CUSTOM")]
        return [_Column(f, f'{self.root.alias}."{f.name}"', self.root.alias, f.name) for f in wanted]

    def place(self, column: _Column) -> None:
        """Put a field into the record's tree, so that the parent's fields come together under its name."""
        node = self.root
        for step in column.path.split(".")[:-1]:
            child = node.parents[step.lower()]
            if child not in node.items:
                node.items.append(child)
            node = child
        node.items.append(column.field)

    def record(self, node: _Node) -> str:
        """An SQL expression for the JSON of a record."""
        url = f"/services/data/{self.version}/sobjects/{node.entity.name}/"
        head = f'{{"attributes":{{"type":"{node.entity.name}","url":"{url}'
        pieces = [quote(head), f'{node.alias}."Id"', quote('"}')]
        for item in node.items:
            if isinstance(item, _Node):
                name = item.via.relationship if item.via else ""
                value = f"CASE WHEN {item.alias}.\"Id\" IS NULL THEN 'null' ELSE {self.record(item)} END"
            else:
                name, value = item.name, json_value(item, f'{node.alias}."{item.name}"', node.alias)
            pieces += [quote(f',"{name}":'), value]
        if node is self.root:
            for children in (item for item in self.query.items if isinstance(item, Children)):
                name, value = self.children(children)
                pieces += [quote(f',"{name}":'), value]
        return "||".join([*pieces, quote("}")])

    def children(self, item: Children) -> tuple[str, str]:
        """A nested query: null when there are no rows, else its own result object."""
        wanted = item.query.object
        for plural, child, lookup in self.catalog.children(self.root.entity):
            if plural.lower() == wanted.text.lower():
                inner_query = replace(item.query, object=replace(wanted, text=child.name))
                inner = _Scope(inner_query, self.catalog, self.version, self.now, self.include_deleted, self.names)
                inner.selected()
                record = inner.record(inner.root)
                tail = inner.tail(f'{inner.root.alias}."{lookup.name}" = {self.root.alias}."Id"')
                return plural, (
                    "(SELECT CASE count(*) WHEN 0 THEN 'null' ELSE '{\"totalSize\":'||count(*)||',\"done\":true,'"
                    f"||'\"records\":['||group_concat(r)||']}}' END FROM (SELECT {record} AS r {tail}))"
                )
        message = located(self.query.source, wanted.position, _NO_RELATIONSHIP.format(wanted.text))
        raise ApiError(400, "INVALID_TYPE", message)

    def csv_line(self, columns: list[_Column], delimiter: str) -> str:
        """All values in double quotes; NULL is the empty string."""
        between = quote(f'"{delimiter}"')
        return "'\"'||" + f"||{between}||".join(csv_value(column.field, column.sql) for column in columns) + "||'\"'"

    # --- aggregates

    def aggregated(self) -> str:
        grouped = {self.column(path).path for path in self.query.group}
        pieces, unnamed = [quote('{"attributes":{"type":"AggregateResult"}')], 0
        for item in self.query.items:
            if isinstance(item, Path):
                column = self.column(item)
                if column.path not in grouped:
                    raise malformed(f"Field must be grouped or aggregated: {column.path}")
                name, value = column.field.name, json_value(column.field, column.sql, column.alias)
            elif isinstance(item, Aggregate):
                name = item.alias or f"expr{unnamed}"
                unnamed += item.alias is None
                value = self.aggregate(item)
            else:
                raise malformed("Grouped query cannot use child relationships or FIELDS in the SELECT list")
            pieces += [quote(f',"{name}":'), value]
        return "||".join([*pieces, quote("}")])

    def aggregate(self, item: Aggregate) -> str:
        if item.path is None:
            raise malformed(located(self.query.source, item.position, "unexpected token: 'COUNT'"))
        column = self.column(item.path)
        numeric = column.field.kind in ("amount", "rate", "integer")
        if item.function == "COUNT":
            return f"count({column.sql})"
        if item.function == "COUNT_DISTINCT":
            return f"count(DISTINCT {column.sql})"
        if item.function in ("SUM", "AVG") and not numeric:
            message = f"field {column.path} does not support aggregate operator {item.function}"
            raise ApiError(400, "INVALID_FIELD", message)
        if numeric:
            return f"coalesce(exact_{item.function.lower()}({column.sql}), 'null')"
        return json_value(column.field, f"{item.function.lower()}({column.sql})", column.alias)

    # --- conditions

    def condition(self, condition: Condition) -> str:
        if isinstance(condition, Both):
            return "(" + f" {condition.connective} ".join(self.condition(part) for part in condition.parts) + ")"
        if isinstance(condition, Not):
            return f"NOT coalesce({self.condition(condition.condition)}, 0)"
        column = self.filterable(condition.path)
        if isinstance(condition, Within):
            return self.within(column, condition)
        return self.compare(column, condition)

    def filterable(self, path: Path) -> _Column:
        column = self.column(path)
        if not column.field.filterable:
            message = f"field '{column.field.name}' can not be filtered in a query call"
            raise ApiError(400, "INVALID_FIELD", located(self.query.source, path.position, message))
        return column

    def value(self, value: Value, column: _Column) -> str | int | float | Span | None:
        return canonical(value, column.field, self.query.source, self.now)

    def compare(self, column: _Column, condition: Compare) -> str:
        operator = condition.operator
        if operator == "LIKE":
            return self.like(column, condition)
        value = self.value(condition.value, column)
        if isinstance(value, Span):
            return self.span(column, operator, value)
        if value is None:
            if operator not in ("=", "!="):
                raise malformed(located(self.query.source, condition.value.position, "unexpected token: 'null'"))
            return f"{column.sql} IS {'NOT ' if operator == '!=' else ''}NULL"
        left, mark = _comparable(column), self.names.parameter(value)
        return f"{left} IS NOT {mark}" if operator == "!=" else f"{left} {operator} {mark}"

    def like(self, column: _Column, condition: Compare) -> str:
        if column.field.kind != "text" or condition.value.kind != "string":
            message = f"invalid operator on {column.field.soql_type} field"
            raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR",
                           located(self.query.source, condition.value.position, message))
        return f"{column.sql} LIKE {self.names.parameter(condition.value.pattern)} ESCAPE '\\'"

    def span(self, column: _Column, operator: str, span: Span) -> str:
        start, end = self.names.parameter(span.start), self.names.parameter(span.end)
        return {
            "=": f"({column.sql} >= {start} AND {column.sql} < {end})",
            "!=": f"NOT coalesce({column.sql} >= {start} AND {column.sql} < {end}, 0)",
            "<": f"{column.sql} < {start}", "<=": f"{column.sql} < {end}",
            ">": f"{column.sql} >= {end}", ">=": f"{column.sql} >= {start}",
        }[operator]

    def within(self, column: _Column, condition: Within) -> str:
        if isinstance(condition.values, Query):
            inside = self.semi_join(condition.values)
        else:
            values = [self.value(value, column) for value in condition.values]
            inside = f"SELECT value FROM json_each({self.names.parameter(json.dumps(values))})"
            if any(isinstance(value, Span) for value in values):
                raise malformed("unexpected token in IN list")
        left = _comparable(column)
        return f"({left} IS NULL OR {left} NOT IN ({inside}))" if condition.negated else f"{left} IN ({inside})"

    def semi_join(self, query: Query) -> str:
        inner = _Scope(query, self.catalog, self.version, self.now, self.include_deleted, self.names)
        if len(query.items) != 1 or not isinstance(query.items[0], Path):
            raise malformed("Semi join sub-selects can only have one selected field")
        column = inner.column(query.items[0])
        if column.field.kind != "id":
            raise malformed("The inner and outer selects should both be ids")
        return f"SELECT {column.sql} {inner.tail(f'{column.sql} IS NOT NULL')}"

    def ordering(self, ordering: Ordering) -> str:
        column = self.filterable(ordering.path)
        key = f"{column.number} COLLATE NOCASE" if column.field.kind == "text" else column.number
        if ordering.nulls_last:
            return f"{key} {'DESC' if ordering.descending else 'ASC'} NULLS LAST"
        return f"{key} DESC NULLS FIRST" if ordering.descending else key


def _comparable(column: _Column) -> str:
    return f"{column.sql} COLLATE NOCASE" if column.field.kind == "text" else column.number
