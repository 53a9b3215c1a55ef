"""A bulk query executed over many records: its selection is made into a plan once, which each record runs through.

What it yields is what the executor of the GraphQL library yields, which a test holds it to; it is much quicker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphql import FieldNode, GraphQLSchema, InlineFragmentNode, OperationDefinitionNode, get_named_type
from graphql.type import is_abstract_type, is_composite_type
from graphql.utilities import value_from_ast_untyped

from simulator.shopify_api.schema import _PROTECTED, blank, is_connection

Take = Callable[[dict[str, Any]], Any]


class Plan:
    """What a selection takes of a record of a type. `asks_protected`: a person's data is among it."""

    def __init__(self, schema: GraphQLSchema, selection: Any, kind: Any) -> None:
        self._schema, self.asks_protected = schema, False
        self._takes = list(self._planned(selection, kind, ""))

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record as the query asked for it."""
        kind = record.get("__typename")
        return {key: take(record) for only, key, take in self._takes if not only or only == kind}

    def _planned(self, selection: Any, kind: Any, only: str) -> Iterator[tuple[str, str, Take]]:
        for node in selection.selections:
            if isinstance(node, InlineFragmentNode):
                name = node.type_condition.name.value
                inner = self._schema.get_type(name)
                yield from self._planned(node.selection_set, inner, "" if is_abstract_type(inner) else name)
            elif isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                yield only, key, self._take(node, kind)

    def _take(self, node: FieldNode, kind: Any) -> Take:
        name = node.name.value
        if name == "__typename":
            return lambda record: record.get("__typename", kind.name)
        if kind.name == "Customer" and name in _PROTECTED:
            self.asks_protected = True
        field = kind.fields[name]
        inner = get_named_type(field.type)
        below = Plan(self._schema, node.selection_set, inner) if is_composite_type(inner) else None
        if below is not None and not is_connection(field):
            self.asks_protected |= below.asks_protected
        if name == "metafield":
            given = {each.name.value: value_from_ast_untyped(each.value) for each in node.arguments or ()}
            place = f"{given['namespace']}.{given['key']}"

            def metafield(record: dict[str, Any]) -> Any:
                value = record.get("metafields", {}).get(place)
                return None if value is None else below({"id": "gid://shopify/Metafield/1", "value": value, **given})

            return metafield
        if is_connection(field):
            edge = next(each for each in node.selection_set.selections if each.name.value == "edges")
            wanted = next(each for each in edge.selection_set.selections if each.name.value == "node")
            held = get_named_type(get_named_type(inner.fields["edges"].type).fields["node"].type)
            plan = Plan(self._schema, wanted.selection_set, held)
            self.asks_protected |= plan.asks_protected
            return lambda record: {"edges": [{"node": plan(each)} for each in record.get(name) or ()]}
        unsaid = blank(field.type)
        if below is None:
            return lambda record: record.get(name, unsaid)

        def nested(record: dict[str, Any]) -> Any:
            value = record.get(name, unsaid)
            if isinstance(value, list):
                return [below(each) for each in value]
            return None if value is None else below(value)

        return nested


def planned(schema: GraphQLSchema, operation: OperationDefinitionNode) -> tuple[str, dict[str, Any], Plan]:
    """(root field, its arguments, the plan of its records) of a bulk query."""
    root = operation.selection_set.selections[0]
    assert isinstance(root, FieldNode)
    connection = get_named_type(schema.query_type.fields[root.name.value].type)
    edge = get_named_type(connection.fields["edges"].type)
    kind = get_named_type(edge.fields["node"].type)
    given = {each.name.value: value_from_ast_untyped(each.value) for each in root.arguments or ()}
    wanted = root.selection_set.selections[0].selection_set.selections[0].selection_set
    return root.name.value, given, Plan(schema, wanted, kind)
