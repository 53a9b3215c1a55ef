"""The routes of a pod: collections with their parameters, children, finders, describe, and the token endpoint."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from simulator.habits import Habits, OraclePod
from simulator.oracle_api import finders
from simulator.oracle_api.auth import ISSUER, SCOPE, TOKEN_PATH, Auth, TokenError, make_keys
from simulator.oracle_api.errors import OracleError, fault, invalid
from simulator.oracle_api.query import finder, order, where
from simulator.oracle_api.render import links, opaque, opened, text, value
from simulator.oracle_api.resources import BALANCES, RESOURCES, Resource
from simulator.oracle_bicc import drop
from simulator.served import Clock, Database

RELEASES = ("11.13.18.05", "latest")
DEFAULT_ROWS, MOST_ROWS = 25, 500
_JSON = "application/vnd.oracle.adf.resourcecollection+json"
_PARAMETERS = {"q", "finder", "limit", "offset", "totalResults", "onlyData", "fields", "expand", "orderBy",
               "effectiveDate", "dependency", "links"}


@dataclass(frozen=True)
class Asked:
    """What a request wants: its framework version (0: none told), address and parameters."""

    version: int
    address: str
    parameters: dict[str, str]

    def flag(self, name: str) -> bool:
        return self.parameters.get(name, "").lower() == "true"


class OracleApi:
    """An ASGI app over one folder. `account` and `habits` may be changed while it runs."""

    secret_names: ClassVar[tuple[str, ...]] = (
        "username", "password", "client_id", "client_secret", "certificate", "private_key")

    def __init__(
        self, folder: Path, keys: dict[str, str], account: OraclePod | None, habits: Habits, clock: Clock
    ) -> None:
        self.folder, self.habits, self.clock = folder, habits, clock
        self.account = account or OraclePod()
        self.auth = Auth(keys, habits)
        self.database = Database(folder, self._prepare)
        self._calls, self._turns = itertools.count(1), itertools.count(1)

    @staticmethod
    def make_keys() -> dict[str, str]:
        """New credentials."""
        return make_keys()

    def connection(self, url: str, unit: Any) -> dict[str, Any]:
        """This connection as it stands in tieout.yml."""
        entities = list(unit.entities.values())
        options: dict[str, Any] = {
            "base_url": url, "currencies": ["USD", "GBP", "EUR", "JPY", "KWD"],
            "business_units": [f"{entity.name} BU" for entity in entities],
        }
        if self.account.extracts:
            options["extracts"] = str(self.folder / "bicc")
        return {
            "system": "oracle", "auth": self.account.auth, "time_zone": "UTC", "start_date": "2024-01-01",
            "legal_entity": entities[0].code,
            "legal_entities": {str(1000 + entity.number): entity.code for entity in entities},
            "options": options | ({"token_url": f"{url}{TOKEN_PATH}", "scope": SCOPE, "issuer": ISSUER}),
        }

    def start(self, url: str) -> None:
        """Deliver the extracts, where the pod is set up to."""
        if self.account.extracts:
            drop(self.folder, self.folder / "bicc")

    def close(self) -> None:
        """Free connections; the server must have stopped."""
        self.database.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._answer, request, body)
        response.headers["Date"] = self.clock.http_date()
        await response(scope, receive, send)

    # --- routes

    def _answer(self, request: Request, body: bytes) -> Response:
        told = request.headers.get("rest-framework-version", "")
        version = int(told) if told.isdigit() else 0
        try:
            if request.url.path == TOKEN_PATH:
                return self._token(request, body)
            self.auth.check(request.headers)
            self._throttle()
            return Response(self._routed(request, version), 200, None, _JSON)
        except OracleError as error:
            return error.response(version)
        except sqlite3.Error as error:
            return fault(str(error)).response(version)

    def _token(self, request: Request, body: bytes) -> Response:
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        try:
            return Response(text(self.auth.token(request.headers, form)), 200, None, "application/json")
        except TokenError as error:
            told = {"error": error.error, "error_description": error.description}
            return Response(text(told), 401 if error.error == "invalid_client" else 400, None, "application/json")

    def _throttle(self) -> None:
        call = next(self._calls)
        if self.habits.oracle_throttled_every and call % self.habits.oracle_throttled_every == 0:
            raise OracleError(429, "Too many requests.", after=1)
        if self.habits.oracle_unavailable_every and call % self.habits.oracle_unavailable_every == 0:
            raise OracleError(503, "<html><head><title>Service Unavailable</title></head></html>", after=1)

    def _routed(self, request: Request, version: int) -> str:
        _, api, word, release, *rest = request.url.path.split("/") + [""] * (4 - request.url.path.count("/"))
        if request.method != "GET":
            raise OracleError(405, "The method is not allowed: this user may only read.")
        if api not in ("fscmRestApi", "crmRestApi") or word != "resources" or release not in RELEASES or not rest:
            raise OracleError(404, "Not Found")
        name, *rest = rest
        address = f"{request.url.scheme}://{request.url.netloc}{request.url.path}"
        asked = Asked(version, address, dict(request.query_params))
        if strange := set(asked.parameters) - _PARAMETERS:
            raise invalid(min(strange), asked.parameters[min(strange)])
        if name == BALANCES and api == "fscmRestApi" and not rest:
            return self._balances(asked)
        resource = RESOURCES.get(name)
        if resource is None or f"{resource.api}RestApi" != api or name in self.account.hidden:
            raise OracleError(404, f"The resource {name} was not found.")
        if name in self.account.denied:
            raise OracleError(403, "You don't have the privilege to access this resource.")
        if rest == ["describe"]:
            return text(self._described(resource))
        condition, values = "1 = 1", []
        while rest:
            resource, condition, values, rest = self._below(resource, rest, condition, values)
        return self._collection(resource, asked, condition, values)

    def _below(
        self, resource: Resource, rest: list[str], condition: str, values: list[Any]
    ) -> tuple[Resource, str, list[Any], list[str]]:
        """`<key>/child/<name>`: the child, and the condition that its rows belong to that record."""
        key, word, name, *rest = [unquote(each) for each in rest] + [""] * (3 - len(rest))
        child = resource.child(name)
        if word != "child" or child is None or child.join is None:
            raise OracleError(404, f"The resource {name or key} was not found.")
        above, own = child.join
        found = self._rows(
            f'SELECT "{above}" FROM "{resource.table.sql_name}" WHERE CAST("{resource.key}" AS TEXT) = ? '
            f"AND {condition}", [opened(resource, key), *values])
        if not found:
            raise OracleError(404, f"There is no {resource.name} {key}.")
        return child, f'"{own}" = ?', [found[0][0]], rest

    # --- collections

    def _collection(self, resource: Resource, asked: Asked, condition: str, values: list[Any]) -> str:
        fields = {name: field for name, field in resource.fields.items()
                  if f"{resource.name}.{name}" not in self.account.hidden}
        shown, below = self._projected(resource, fields, asked)
        condition, values = self._filtered(resource, fields, asked, condition, values)
        if asked.flag("totalResults") and resource.name in self.habits.oracle_no_totals:
            raise fault("ORA-01555: snapshot too old")
        limit, offset = self._paging(asked)
        sorted_by = order(asked.parameters.get("orderBy", ""), fields) or self._any_order(resource)
        table = resource.table.sql_name
        rows = self._rows(
            f'SELECT * FROM "{table}" WHERE {condition} ORDER BY {sorted_by} LIMIT {limit + 1} OFFSET {offset}', values)
        items = [self._item(resource, row, shown, below, asked, asked.address) for row in rows[:limit]]
        envelope: dict[str, Any] = {"items": items}
        if asked.flag("totalResults"):
            ((count,),) = self._rows(f'SELECT count(*) FROM "{table}" WHERE {condition}', values)
            envelope["totalResults"] = count
        envelope |= {"count": len(items), "hasMore": len(rows) > limit, "limit": limit, "offset": offset,
                     "links": links(resource, asked.address, "collection")[:1]}
        return text(envelope)

    def _filtered(
        self, resource: Resource, fields: dict[str, Any], asked: Asked, condition: str, values: list[Any]
    ) -> tuple[str, list[Any]]:
        found, bound = where(asked.parameters.get("q", ""), fields) if asked.parameters.get("q") else ("1 = 1", [])
        condition, values = f"{condition} AND {found}", [*values, *bound]
        if told := asked.parameters.get("finder"):
            found, bound = finders.condition(resource, *finder(told), told)
            condition, values = f"{condition} AND {found}", [*values, *bound]
        elif resource.by_finder:
            raise OracleError(400, f"{resource.name} needs a finder.", code="27522", path="/finder")
        if resource.unit and self.account.units is not None:  # what is not granted is not there
            condition += f' AND "{resource.unit}" IN ({", ".join("?" * len(self.account.units))})'
            values += sorted(self.account.units)
        return condition, values

    def _projected(
        self, resource: Resource, fields: dict[str, Any], asked: Asked
    ) -> tuple[list[str], dict[str, tuple[list[str], dict[str, Any]]]]:
        """(attributes, {child: (its attributes, its children)}) from `fields` or `expand`."""
        wanted, expand = asked.parameters.get("fields"), asked.parameters.get("expand")
        if wanted and expand:
            raise OracleError(400, "The query parameters fields and expand cannot be used together.", code="27523")
        if expand:
            return list(fields), _expanded(resource, expand)
        if not wanted:
            return list(fields), {}
        names, below = [], {}
        for position, part in enumerate(wanted.split(";")):
            child, colon, listed = part.partition(":")
            if not colon:
                if position:
                    raise invalid("fields", wanted)
                names = [name for name in part.split(",") if name]
                continue
            found = resource.child(child)
            words = [name for name in listed.split(",") if name]
            if found is None or any(name not in found.fields for name in words):
                raise invalid("fields", wanted)
            below[child] = (words, {})
        if any(name not in fields for name in names):
            raise invalid("fields", wanted)
        if self.habits.oracle_weak_fields and set(names) & set(resource.weak):
            raise fault("oracle.jbo.domain.ClobDomain cannot be cast")
        return names, below

    def _paging(self, asked: Asked) -> tuple[int, int]:
        found = []
        for name, default in (("limit", DEFAULT_ROWS), ("offset", 0)):
            told = asked.parameters.get(name, str(default))
            if not told.isdigit():
                raise invalid(name, told)
            found.append(int(told))
        return max(1, min(found[0], MOST_ROWS, self.habits.oracle_rows)), found[1]

    def _any_order(self, resource: Resource) -> str:
        """Without `orderBy` rows come in whichever order: another one for every request."""
        keys = ", ".join(f'"{name}"' for name in resource.table.key)
        return f"turned({next(self._turns)}, {keys})" if self.habits.oracle_any_order else keys

    def _item(self, resource: Resource, row: sqlite3.Row, shown: list[str], below: dict[str, Any], asked: Asked,
              base: str) -> dict[str, Any]:
        found = {name: value(resource.fields[name], row[name], asked.version) for name in shown}
        if "TotalTransactionsDueForAccount" in found:
            found |= finders.account_totals(self._rows, row["AccountId"])
        address = f"{base}/{opaque(resource, row[resource.key])}"
        for name, (fields, deeper) in below.items():
            child = resource.child(name)
            found[name] = self._embedded(child, row, fields or list(child.fields), deeper, asked,
                                         f"{address}/child/{name}")
        if not asked.flag("onlyData"):
            found["links"] = links(resource, address)
        return found

    def _embedded(self, child: Resource, row: sqlite3.Row, fields: list[str], below: dict[str, Any], asked: Asked,
                  address: str) -> Any:
        above, own = child.join
        most = self.habits.oracle_child_rows
        keys = ", ".join(f'"{name}"' for name in child.table.key)
        rows = self._rows(
            f'SELECT * FROM "{child.table.sql_name}" WHERE "{own}" = ? ORDER BY {keys} LIMIT {most + 1}', [row[above]])
        items = [self._item(child, each, fields, below, asked, address) for each in rows[:most]]
        if asked.version < 2:
            return items
        return {"items": items, "count": len(items), "hasMore": len(rows) > most, "limit": most, "offset": 0,
                "links": [{"rel": "self", "href": address, "name": child.name, "kind": "collection"}]}

    def _balances(self, asked: Asked) -> str:
        limit, offset = self._paging(asked)
        name, values = finder(asked.parameters.get("finder", ""))
        found = finders.balances(self._rows, name, values)
        rows = found[offset:offset + limit]
        return text({"items": rows, "count": len(rows), "hasMore": len(found) > offset + limit, "limit": limit,
                     "offset": offset, "links": []})

    def _described(self, resource: Resource) -> dict[str, Any]:
        attributes = [{"name": name, "type": field.kind, "queryable": True} for name, field in resource.fields.items()
                      if f"{resource.name}.{name}" not in self.account.hidden]
        return {"Resources": {resource.name: {
            "attributes": attributes,
            "collection": {"finders": [{"name": finder_name} for finder_name, *_ in resource.finders]},
            "children": {child.name: self._described(child)["Resources"][child.name] for child in resource.children},
        }}}

    # --- the database

    def _rows(self, statement: str, values: list[Any] | None = None) -> list[sqlite3.Row]:
        cursor = self.database.connection().cursor()
        cursor.row_factory = sqlite3.Row
        return cursor.execute(statement, values or []).fetchall()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA case_sensitive_like = ON")
        connection.create_function("turned", -1, lambda turn, *keys: hash((turn, *keys)), deterministic=True)
        connection.create_function("exact", 3, finders.exact, deterministic=True)


def _expanded(resource: Resource, expand: str) -> dict[str, tuple[list[str], dict[str, Any]]]:
    """`all`, or names joined by commas; `a.b` brings a too."""
    if expand == "all":
        return {child.name: ([], {}) for child in resource.children}
    found: dict[str, tuple[list[str], dict[str, Any]]] = {}
    for path in expand.split(","):
        above, place = resource, found
        for name in path.split("."):
            child = above.child(name)
            if child is None:
                raise invalid("expand", expand)
            place = place.setdefault(name, ([], {}))[1]
            above = child
    return found
