"""Errors as the Admin API writes them: in a list, with status 200."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from graphql import DocumentNode, FieldNode, GraphQLError

_RATE_LIMITS = "https://shopify.dev/api/usage/rate-limits"
THROTTLED = {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": _RATE_LIMITS}}


def too_costly(cost: int, most: float) -> dict[str, Any]:
    """The refusal of a query that asks for too much at once."""
    text = f"Query cost is {cost}, which exceeds the single query max cost limit ({most:.0f})."
    return {"message": text, "extensions": {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": most,
                                            "documentation": _RATE_LIMITS}}


def internal() -> dict[str, Any]:
    """What went wrong at the vendor."""
    name = str(uuid4())
    text = ("Internal error. Looks like something went wrong on our end.\n"
            f"Request ID: {name} (include this in support requests).")
    return {"message": text, "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": name}}


def refused(error: GraphQLError, document: DocumentNode) -> dict[str, Any]:
    """A refusal of a query that does not fit the schema."""
    places = [{"line": each.line, "column": each.column} for each in error.locations or ()]
    if found := re.match(r"Cannot query field '(\w+)' on type '(\w+)'", error.message):
        path = ["query", *_path_to((error.nodes or [None])[0], document.definitions[0])]
        return {"message": f"Field '{found[1]}' doesn't exist on type '{found[2]}'", "path": path, "locations": places,
                "extensions": {"code": "undefinedField", "typeName": found[2], "fieldName": found[1]}}
    code = "missingRequiredArguments" if "required" in error.message else "argumentLiteralsIncompatible"
    return {"message": error.message, "locations": places, "extensions": {"code": code}}


def _path_to(wanted: Any, node: Any) -> list[str]:
    """The fields above the one that is meant, and that one; empty where it is not below."""
    for each in node.selection_set.selections if getattr(node, "selection_set", None) else ():
        name = each.name.value if isinstance(each, FieldNode) else f"... on {each.type_condition.name.value}"
        if each is wanted:
            return [name]
        if below := _path_to(wanted, each):
            return [name, *below]
    return []
