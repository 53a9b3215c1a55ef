"""What a query costs: asked for before it runs, and found after; and the bucket that it is taken from.

Source: shopify.dev, "API usage: rate limits". An object is a point, a scalar none, a connection as many of its records
as are asked for, a mutation ten.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_named_type,
)
from graphql.type import is_composite_type

from simulator.shopify_api.account import ShopAccount


class Bucket:
    """Points of cost, which come back with time."""

    def __init__(self, account: ShopAccount) -> None:
        self._account, self._lock = account, Lock()
        self._held, self._seen = account.bucket, time.monotonic()

    def available(self) -> float:
        """The points that are there."""
        with self._lock:
            now = time.monotonic()
            self._held = min(self._account.bucket, self._held + (now - self._seen) * self._account.restore)
            self._seen = now
            return self._held

    def take(self, points: float) -> bool:
        """Take points where they are there."""
        if self.available() < points:
            return False
        with self._lock:
            self._held -= points
        return True

    def give_back(self, points: float) -> None:
        """What was reserved and not spent."""
        with self._lock:
            self._held = min(self._account.bucket, self._held + points)

    def status(self) -> dict[str, float]:
        """As an answer tells it."""
        return {"maximumAvailable": float(self._account.bucket), "currentlyAvailable": int(self.available()),
                "restoreRate": float(self._account.restore)}


def requested(schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: dict[str, Any],
              variables: dict[str, Any]) -> int:
    """What an operation may cost at most."""
    root = schema.mutation_type if operation.operation is OperationType.MUTATION else schema.query_type
    base = 10 if operation.operation is OperationType.MUTATION else 0
    return base + _of(schema, operation.selection_set, root, fragments, variables)


def _of(schema: GraphQLSchema, selection: Any, kind: Any, fragments: dict[str, Any], variables: dict[str, Any]) -> int:
    total, typed = 0, [0]
    for node in selection.selections if selection else ():
        if isinstance(node, InlineFragmentNode | FragmentSpreadNode):
            told = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            inner = schema.get_type(told.type_condition.name.value) if told.type_condition else kind
            typed.append(_of(schema, told.selection_set, inner, fragments, variables))
        elif isinstance(node, FieldNode) and node.name.value in getattr(kind, "fields", {}):
            total += _of_field(schema, node, kind.fields[node.name.value], fragments, variables)
    return total + max(typed)


def _of_field(schema: GraphQLSchema, node: FieldNode, field: Any, fragments: dict[str, Any],
              variables: dict[str, Any]) -> int:
    inner = get_named_type(field.type)
    if not is_composite_type(inner):
        return 0
    below = _of(schema, node.selection_set, inner, fragments, variables)
    if inner.name.endswith("Connection"):
        return max(1, _first(node, variables)) * max(1, below)
    if inner.name.endswith(("Edge", "PageInfo", "MoneyV2")):
        return below
    return 1 + below


def _first(node: FieldNode, variables: dict[str, Any]) -> int:
    for argument in node.arguments or ():
        if argument.name.value in ("first", "last"):
            if isinstance(argument.value, IntValueNode):
                return int(argument.value.value)
            if isinstance(argument.value, VariableNode):
                return int(variables.get(argument.value.name.value) or 1)
    return 1


def actual(value: Any) -> int:
    """The objects in an answer."""
    if isinstance(value, dict):
        return 1 + sum(actual(each) for each in value.values())
    return sum(actual(each) for each in value) if isinstance(value, list) else 0
