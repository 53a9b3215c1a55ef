"""Bulk operations: what may be asked, their life, and the files of their results.

Source: shopify.dev, "Perform bulk operations with the GraphQL Admin API": one root field, at least one and at most five
connections, two levels of nesting, no connection in a list; a line a record, `__parentId` of those that belong to
another.
"""

from __future__ import annotations

import itertools
import json
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    get_named_type,
    parse,
    validate,
)

from simulator.served import Clock
from simulator.shopify_api.account import ShopAccount
from simulator.shopify_api.schema import is_connection
from simulator.shopify_objects import gid

MOST_RUNNING = 5
_DONE = frozenset({"COMPLETED", "FAILED", "CANCELED", "EXPIRED"})


@dataclass
class Operation:
    """One bulk operation. `polls`: how often it was looked at."""

    id: str
    query: str
    created: str
    status: str = "CREATED"
    error: str | None = None
    lines: list[bytes] = field(default_factory=list)
    roots: int = 0
    polls: int = 0
    will_fail: bool = False
    token: str = ""
    part: bool = False
    denied: bool = False

    @property
    def file(self) -> bytes:
        """What is downloaded: all of it, or the half that a failed one left."""
        shown = self.lines[: len(self.lines) // 2] if self.part else self.lines
        return b"".join(line + b"\n" for line in shown)


class Operations:
    """The bulk operations of one app in one shop. `run(query)` executes a query whole and gives its data."""

    def __init__(self, clock: Clock, account: ShopAccount, run: Callable[[str, str], dict[str, Any] | None]) -> None:
        self._clock, self._account, self._run = clock, account, run
        self._numbers, self._lock = itertools.count(720_918_000_001), Lock()
        self.all: dict[str, Operation] = {}
        self.url, self._expired = "", 0

    def root(self, name: str, given: dict[str, Any], info: GraphQLResolveInfo) -> Any:
        """A field of the query or the mutation about bulk operations."""
        if name == "bulkOperationRunQuery":
            return self.start(given["query"], info.schema, info.context.version)
        if name == "bulkOperationCancel":
            return self._cancel(given["id"])
        if name == "bulkOperation":
            return self.found(given["id"])
        if name == "currentBulkOperation":
            return self._told(list(self.all.values())[-1]) if self.all else None
        if name == "bulkOperations":
            edges = [{"cursor": each.id, "node": self._told(each)} for each in reversed(self.all.values())]
            return {"edges": edges, "nodes": [each["node"] for each in edges], "pageInfo": {
                "hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}}
        raise GraphQLError(f"{name} is not stood in for")

    def start(self, query: str, schema: GraphQLSchema, version: str) -> dict[str, Any]:
        """The mutation's payload."""
        if refusal := check(query, schema):
            return _refused(refusal, "INVALID")
        running = [each for each in self.all.values() if each.status not in _DONE]
        if self._account.bulk_busy > 0:
            self._account.bulk_busy -= 1
            return _refused("A bulk query operation for this app and shop is already in progress: "
                            f"{gid('BulkOperation', next(self._numbers))}.", "OPERATION_IN_PROGRESS")
        if len(running) >= MOST_RUNNING:
            return _refused("The limit of bulk operations was reached.", "LIMIT_REACHED")
        with self._lock:
            name = gid("BulkOperation", next(self._numbers))
            made = Operation(name, query, f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}")
            if self._account.bulk_failing > 0:
                self._account.bulk_failing -= 1
                made.will_fail = True
            self.all[made.id] = made
        data = self._run(query, version)
        if data is None:
            made.denied = True
        else:
            made.lines, made.roots = flattened(data)
        if self._account.bulk_shuffled:
            random.Random(made.id).shuffle(made.lines)
        return {"bulkOperation": self._told(made), "userErrors": []}

    def found(self, name: str) -> dict[str, Any] | None:
        """What is told of an operation, a little further on each time."""
        if name not in self.all:
            return {"id": name, "status": "RUNNING", "__typename": "BulkOperation", "query": "another app's"} if (
                "BulkOperation" in name) else None
        one = self.all[name]
        one.polls += 1
        if one.status in ("CREATED", "RUNNING"):
            one.status = "RUNNING"
            if one.polls > self._account.bulk_polls:
                self._end(one)
        return self._told(one)

    def _end(self, one: Operation) -> None:
        one.status, one.token = "COMPLETED", secrets.token_urlsafe(16)
        if one.denied:
            one.status, one.error = "FAILED", "ACCESS_DENIED"
        elif one.will_fail:
            one.status, one.error, one.part = "FAILED", "INTERNAL_SERVER_ERROR", True

    def _cancel(self, name: str) -> dict[str, Any]:
        one = self.all.get(name)
        if one is None or one.status in _DONE:
            told = {"field": ["id"], "message": "Bulk operation is not running"}
            return {"bulkOperation": None, "userErrors": [told]}
        one.status = "CANCELED"
        return {"bulkOperation": self._told(one), "userErrors": []}

    def _told(self, one: Operation) -> dict[str, Any]:
        is_done = one.status in ("COMPLETED", "FAILED")
        url = f"{self.url}/storage/{one.token}/result.jsonl?X-Goog-Expires=604800&X-Goog-Signature={one.token}"
        has_file = is_done and bool(one.file)
        return {
            "__typename": "BulkOperation", "id": one.id, "status": one.status, "errorCode": one.error,
            "createdAt": one.created, "completedAt": one.created if is_done else None, "type": "QUERY",
            "objectCount": str(len(one.lines) if is_done else 0), "rootObjectCount": str(one.roots if is_done else 0),
            "fileSize": str(len(one.file)) if has_file else None, "query": one.query,
            "url": url if has_file and not one.part else None, "partialDataUrl": url if has_file and one.part else None}

    def download(self, token: str, signature: str, wanted: str, token_header: str) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of a file, or of a part of it. The storage knows no token of the API."""
        one = next((each for each in self.all.values() if each.token == token), None)
        if token_header:
            return 400, {}, b"<?xml version='1.0'?><Error><Code>InvalidArgument</Code></Error>"
        if one is None or signature != one.token:
            return 403, {}, b"<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code></Error>"
        if self._account.bulk_expired > 0:
            self._account.bulk_expired -= 1
            one.token = secrets.token_urlsafe(16)
            return 400, {}, b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code></Error>"
        body = one.file
        if wanted.startswith("bytes="):
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end) if end else len(body) - 1, len(body) - 1)
            if first > last:
                return 416, {"content-range": f"bytes */{len(body)}"}, b""
            return 206, {"content-range": f"bytes {first}-{last}/{len(body)}"}, body[first:last + 1]
        return 200, {}, body


def check(query: str, schema: GraphQLSchema) -> str:
    """What is wrong with a bulk query; nothing where it may run."""
    try:
        document = parse(query)
    except GraphQLError as error:
        return f"Invalid bulk query: {error.message}"
    if errors := validate(schema, document):
        return f"Invalid bulk query: {errors[0].message}"
    top = document.definitions[0].selection_set.selections  # type: ignore[union-attr]
    if len(top) != 1:
        return "Bulk queries must have exactly one top-level field."
    if top[0].name.value in ("node", "nodes"):
        return "Bulk queries cannot use the top-level `node` or `nodes` fields."
    found = list(_connections(schema, top[0], schema.query_type, 0, is_in_list=False))
    if not found:
        return "Bulk queries must contain at least one connection."
    if len(found) > 5:
        return "Bulk queries cannot contain more than 5 connections."
    if any(depth > 3 for depth, _ in found):
        return "Bulk queries cannot contain connections with a nesting depth greater than 2."
    if any(is_in_list for _, is_in_list in found):
        return "Queries that contain a connection field within a list field are not currently supported."
    return ""


def _connections(
    schema: GraphQLSchema, node: FieldNode, kind: Any, depth: int, *, is_in_list: bool
) -> Iterator[tuple[int, bool]]:
    """(depth, whether it is in a list) of a field that is a connection, and of those below."""
    told = getattr(kind, "fields", {}).get(node.name.value)
    if told is None:
        return
    outer = told.type.of_type if isinstance(told.type, GraphQLNonNull) else told.type
    is_list = isinstance(outer, GraphQLList) and node.name.value not in ("edges", "nodes")
    if is_connection(told):
        depth += 1
        yield depth, is_in_list
    for each, inner in _fields(schema, node, get_named_type(told.type)):
        yield from _connections(schema, each, inner, depth, is_in_list=is_in_list or is_list)


def _fields(schema: GraphQLSchema, node: Any, kind: Any) -> Iterator[tuple[FieldNode, Any]]:
    """The fields below, each with the type that has it."""
    for each in node.selection_set.selections if node.selection_set else ():
        if isinstance(each, InlineFragmentNode):
            yield from _fields(schema, each, schema.get_type(each.type_condition.name.value))
        elif isinstance(each, FieldNode):
            yield each, kind


def flattened(data: dict[str, Any]) -> tuple[list[bytes], int]:
    """The lines of a result, and how many of them are roots."""
    lines: list[bytes] = []
    held = next(iter(data.values()))
    while held is not None and "edges" not in held:
        held = next(iter(held.values()))
    roots = [each["node"] for each in held["edges"]] if held else []
    for node in roots:
        _flatten(node, None, lines)
    return lines, len(roots)


def _flatten(node: dict[str, Any], parent: str | None, lines: list[bytes]) -> None:
    plain, below = {}, []
    for name, value in node.items():
        if isinstance(value, dict) and set(value) == {"edges"}:
            below += [each["node"] for each in value["edges"]]
        else:
            plain[name] = value
    if parent:
        plain["__parentId"] = parent
    lines.append(json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode())
    for each in below:
        _flatten(each, node.get("id"), lines)


def _refused(text: str, code: str) -> dict[str, Any]:
    return {"bulkOperation": None, "userErrors": [
        {"__typename": "BulkOperationUserError", "field": ["query"], "message": text, "code": code}]}
