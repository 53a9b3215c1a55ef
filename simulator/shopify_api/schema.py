"""The vendor's schema, executed: records are objects as the API serves them, and what they leave out is blank."""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
)
from graphql.type import GraphQLEnumType, GraphQLList, GraphQLResolveInfo

_HERE = Path(__file__).parent
_ABSENT = object()
_ROOTS = frozenset({"QueryRoot", "Mutation"})
_SPECIAL = _ROOTS | {"Customer", "ShopifyPaymentsAccount"}
_PROTECTED = frozenset({"defaultEmailAddress", "defaultPhoneNumber", "defaultAddress", "firstName", "lastName"})


@cache
def versions() -> tuple[str, ...]:
    """The versions whose schema is here, oldest first."""
    return tuple(sorted(path.name.removeprefix("admin_").removesuffix(".graphql.gz")
                        for path in _HERE.glob("admin_*.graphql.gz")))


@cache
def schema_of(version: str) -> GraphQLSchema:
    """A version's schema, ready to be executed."""
    with gzip.open(_HERE / f"admin_{version}.graphql.gz", "rt", encoding="utf-8") as text:
        found = build_schema(text.read(), assume_valid=True)
    for kind in found.type_map.values():
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            kind.resolve_type = _type_of
        elif isinstance(kind, GraphQLScalarType) and kind.name not in ("Int", "Float", "Boolean", "ID", "String"):
            kind.serialize = lambda value: value
    return found


def _type_of(value: Any, info: GraphQLResolveInfo, kind: Any) -> str:
    """The type of a record; an order's unnamed interface members are named in their records."""
    if "__typename" in value:
        return str(value["__typename"])
    raise GraphQLError(f"a {kind.name} without a type")


def is_connection(field: GraphQLField) -> bool:
    """Whether a field is a connection."""
    return get_named_type(field.type).name.endswith("Connection")


def resolve(source: Any, info: GraphQLResolveInfo, **given: Any) -> Any:
    """A field of a record. Roots are functions of the context."""
    parent, name = info.parent_type, info.field_name
    if not given and type(source) is dict and parent.name not in _SPECIAL:
        value = source.get(name, _ABSENT)
        if value is not _ABSENT and type(value) is not list:
            return value
    if parent.name in _ROOTS:
        return info.context.root(name, info, given)
    if name == "metafield":
        value = source.get("metafields", {}).get(f"{given['namespace']}.{given['key']}")
        return None if value is None else {"id": "gid://shopify/Metafield/1", "value": value, **given}
    if parent.name == "Customer" and name in _PROTECTED:
        info.context.check_protected(name)
    if parent.name == "ShopifyPaymentsAccount":
        return info.context.payments(name, given)
    value = source.get(name, _ABSENT)
    field = parent.fields[name]
    if is_connection(field):
        return page([] if value is _ABSENT else value, given, info.context)
    return blank(field.type) if value is _ABSENT else value


def blank(kind: Any) -> Any:
    """What a record shows that says nothing."""
    if not isinstance(kind, GraphQLNonNull):
        return None
    inner = kind.of_type
    if isinstance(inner, GraphQLList):
        return []
    if isinstance(inner, GraphQLEnumType):
        return next(iter(inner.values))
    if isinstance(inner, GraphQLObjectType):
        return {"__typename": inner.name}
    return {"Int": 0, "Float": 0.0, "Boolean": False, "Decimal": "0.0", "Money": "0.00", "CurrencyCode": "USD",
            "UnsignedInt64": "0", "BigInt": "0", "DateTime": "2024-01-01T00:00:00Z"}.get(getattr(inner, "name", ""), "")


def page(records: list[Any], given: dict[str, Any], context: Any) -> dict[str, Any]:
    """A connection over a list. A bulk operation gets all of it."""
    if context.is_bulk:
        return {"edges": [{"node": each} for each in records]}
    first = given.get("first")
    if first is None and given.get("last") is None:
        raise GraphQLError("you must provide one of first or last")
    if first is not None and not 0 < first <= context.most_rows:
        raise GraphQLError(f"first cannot exceed {context.most_rows}")
    start = 0
    if given.get("after"):
        start = place_of(given["after"]) + 1
    shown = records[start:start + first] if first is not None else records[-given["last"]:]
    edges = [{"cursor": cursor_of(start + number), "node": each} for number, each in enumerate(shown)]
    return paged(edges, more=start + len(shown) < len(records), before=start > 0)


def paged(edges: list[dict[str, Any]], *, more: bool, before: bool) -> dict[str, Any]:
    """A page of a connection."""
    return {"edges": edges, "nodes": [each["node"] for each in edges], "pageInfo": {
        "hasNextPage": more, "hasPreviousPage": before, "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None}}


def cursor_of(value: Any) -> str:
    """An opaque cursor."""
    return base64.b64encode(json.dumps(value).encode()).decode()


def place_of(cursor: str) -> Any:
    """What a cursor stands for. GraphQLError for what is none."""
    try:
        return json.loads(base64.b64decode(cursor, validate=True))
    except ValueError:
        raise GraphQLError("Invalid cursor for current pagination sort.") from None
