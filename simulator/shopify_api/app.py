"""The Admin API of one shop over a company's `sim.db`: an ASGI app with the vendor's answers, errors and habits."""

from __future__ import annotations

import itertools
import json
import re
import secrets
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from graphql import GraphQLError, GraphQLSchema, execute_sync, get_operation_ast, parse, validate
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from simulator.habits import Habits
from simulator.served import Clock, Database
from simulator.shopify_api.account import ShopAccount
from simulator.shopify_api.bulk import Operations
from simulator.shopify_api.cost import Bucket, actual, requested
from simulator.shopify_api.errors import THROTTLED, internal, refused, too_costly
from simulator.shopify_api.records import Context, Records
from simulator.shopify_api.schema import resolve, schema_of, versions
from simulator.shopify_api.whole import planned
from simulator.units import Unit

SHOP = "halden"
_PATH = re.compile(r"/admin/api/([\w-]+)/graphql\.json")
_STORAGE = re.compile(r"/storage/([\w-]+)/result\.jsonl")
_VERSION = re.compile(r"\d{4}-(01|04|07|10)")
_UNKNOWN = "[API] Invalid API key or access token (unrecognized login or wrong password)"


class ShopifyApi:
    """An ASGI app over one folder; see `systems.StandIn`. `shop` may be changed while it runs."""

    secret_names = ("client_id", "client_secret")

    def __init__(
        self, folder: Path, keys: dict[str, str], account: ShopAccount | None, habits: Habits, clock: Clock
    ) -> None:
        self.shop, self.habits, self.clock = account or ShopAccount(), habits, clock
        self.database = Database(folder, lambda _connection: None)
        self.records = Records(self.database, clock, self.shop)
        self.operations = Operations(clock, self.shop, self._whole)
        self.bucket = Bucket(self.shop)
        self._keys, self._lock = keys, Lock()
        self._tokens: dict[str, float] = {keys["access_token"]: float("inf")}
        self._calls, self._queries = itertools.count(1), itertools.count(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._answer, request, body)
        response.headers["Date"] = self.clock.http_date()
        response.headers["x-request-id"] = str(uuid4())
        await response(scope, receive, send)

    @staticmethod
    def make_keys() -> dict[str, str]:
        """An app of the shop's own organisation, and a token that was made by hand."""
        return {"client_id": secrets.token_hex(16), "client_secret": f"shpss_{secrets.token_hex(16)}",
                "access_token": f"shpat_{secrets.token_hex(16)}"}

    def connection(self, url: str, unit: Unit) -> dict[str, Any]:
        """As in tieout.yml."""
        entities = list(unit.entities.values())
        return {
            "system": "shopify", "auth": "client_credentials", "time_zone": "UTC", "legal_entity": entities[0].code,
            "legal_entities": {str(each.number): each.code for each in entities},
            "options": {"shop": SHOP, "base_url": url, "result_hosts": [self._storage(url).partition("//")[2]]},
        }

    def start(self, url: str) -> None:
        """The port is open: results lie at another host name of it."""
        self.operations.url = self._storage(url)

    def _storage(self, url: str) -> str:
        return self.shop.bulk_host or url.replace("127.0.0.1", "localhost")

    def close(self) -> None:
        """Free connections; the server must have stopped."""
        self.database.close()

    # --- requests

    def _answer(self, request: Request, body: bytes) -> Response:
        path, token = request.url.path, request.headers.get("x-shopify-access-token", "")
        if found := _STORAGE.fullmatch(path):
            signature = dict(parse_qsl(request.url.query)).get("X-Goog-Signature", "")
            status, headers, content = self.operations.download(
                found[1], signature, request.headers.get("range", ""), token)
            return Response(content, status, headers, "application/x-ndjson" if status < 300 else "application/xml")
        if path == "/admin/oauth/access_token":
            return self._grant(request, body)
        found = _PATH.fullmatch(path)
        if not found or not (_VERSION.fullmatch(found[1]) or found[1] == "unstable"):
            return _json({"errors": "Not Found"}, 404)
        if request.method != "POST":
            return _json({"errors": "Not Acceptable"}, 406)
        if self._tokens.get(token, 0.0) <= self.clock.now().timestamp():
            return _json({"errors": _UNKNOWN}, 401)
        call = next(self._calls)
        if self.shop.unavailable_every and call % self.shop.unavailable_every == 0:
            return Response("<html><head><title>503</title></head></html>", 503, {"retry-after": "0"}, "text/html")
        if "application/json" not in request.headers.get("content-type", ""):
            return _json({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        version = self._version(found[1])
        response = self._query(body, version)
        response.headers["x-shopify-api-version"] = version
        return response

    def _version(self, asked: str) -> str:
        """A version that is no longer served falls forward to the oldest one that is."""
        served = [each for each in versions() if each >= self.shop.oldest]
        return served[-1] if asked == "unstable" else asked if asked in served else served[0]

    def _grant(self, request: Request, body: bytes) -> Response:
        kind = request.headers.get("content-type", "")
        try:
            told = json.loads(body) if "json" in kind else dict(parse_qsl(body.decode()))
        except ValueError:
            return _json({"error": "invalid_request"}, 400)
        if told.get("grant_type") != "client_credentials":
            return _json({"error": "unsupported_grant_type"}, 400)
        ours = self._keys
        if (told.get("client_id"), told.get("client_secret")) != (ours["client_id"], ours["client_secret"]):
            return _json({"error": "application_cannot_be_found", "error_description":
                          "The application cannot be found. Did you get the client ID and client secret correct?"}, 400)
        made = f"shpat_{secrets.token_hex(16)}"
        with self._lock:
            self._tokens[made] = self.clock.now().timestamp() + self.shop.token_seconds
        return _json({"access_token": made, "scope": ",".join(sorted(self.shop.scopes)),
                      "expires_in": self.shop.token_seconds}, 200)

    # --- GraphQL

    def _query(self, body: bytes, version: str) -> Response:
        try:
            told = json.loads(body)
            query, variables = told["query"], told.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return _json({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        schema = schema_of(version)
        try:
            document = parse(query)
        except GraphQLError as error:
            return _json({"errors": [{"message": error.message, "locations": [
                {"line": each.line, "column": each.column} for each in error.locations or ()]}]}, 200)
        if errors := validate(schema, document):
            return _json({"errors": [refused(error, document) for error in errors]}, 200)
        operation = get_operation_ast(document, told.get("operationName"))
        fragments = {each.name.value: each for each in document.definitions if each.kind == "fragment_definition"}
        cost = requested(schema, operation, fragments, variables)
        if cost > self.shop.most:
            return _json({"errors": [too_costly(cost, self.shop.most)]}, 200)
        number = next(self._queries)
        if self.shop.failing_every and number % self.shop.failing_every == 0:
            return _json({"errors": [internal()]}, 200)
        is_refused = bool(self.shop.throttled_every) and number % self.shop.throttled_every == 0
        if is_refused or not self.bucket.take(cost):
            return self._throttled(cost, is_habit=is_refused)
        return self._executed(schema, document, told, version, cost)

    def _throttled(self, cost: int, *, is_habit: bool) -> Response:
        status = self.bucket.status()
        if is_habit:
            status["currentlyAvailable"] = max(0, cost - 50)
        told = {"requestedQueryCost": cost, "actualQueryCost": None, "throttleStatus": status}
        return _json({"errors": [THROTTLED], "extensions": {"cost": told}}, 200)

    def _executed(self, schema: GraphQLSchema, document: Any, told: dict[str, Any], version: str,
                  cost: int) -> Response:
        context = self._context(version)
        result = execute_sync(
            schema, document, variable_values=told.get("variables") or {}, context_value=context,
            operation_name=told.get("operationName"), field_resolver=resolve)
        spent = min(cost, actual(result.data))
        self.bucket.give_back(cost - spent)
        extensions: dict[str, Any] = {"cost": {"requestedQueryCost": cost, "actualQueryCost": spent,
                                               "throttleStatus": self.bucket.status()}}
        if context.searches:
            extensions["search"] = context.searches
        body: dict[str, Any] = {"data": result.data, "extensions": extensions}
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        return _json(body, 200)

    def _context(self, version: str) -> Context:
        context = Context(self.records, self.operations, self.shop)
        context.version = version  # type: ignore[attr-defined]
        return context

    def _whole(self, query: str, version: str) -> dict[str, Any] | None:
        """The data of a bulk operation; None where the app may not see all of it."""
        root, given, plan = planned(schema_of(version), get_operation_ast(parse(query), None))
        if plan.asks_protected and not self.shop.protected:
            return None
        context = self._context(version)
        context.is_bulk = True
        found = self.records.connection(root, given, context)
        return {root: {"edges": [{"node": plan(each["node"])} for each in found["edges"]]}}


def _json(body: Any, status: int) -> Response:
    return Response(json.dumps(body, separators=(",", ":")), status, None, "application/json; charset=utf-8")
