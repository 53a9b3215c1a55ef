"""OData of finance and operations, stood in for: strict where it is, with its habits, over a company's `sim.db`."""

from __future__ import annotations

import gzip
import itertools
import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from simulator import fno_schema
from simulator.clock import LOCK_DAYS
from simulator.entra import PATHS, TENANT, Entra, Refusal
from simulator.fno_numbers import company
from simulator.fno_packages import ACTIONS, STORAGE, DataManagement, Exports, Wrong
from simulator.fno_schema import EntitySet
from simulator.habits import Habits
from simulator.odata_v4 import Filter, Invalid, NoProperty, Property, known, order_by, read, selected
from simulator.served import Clock, Database
from simulator.units import Unit

ROOT = "/data/"
MOST = 10_000
_OPTIONS = {"$filter", "$count", "$orderby", "$skip", "$top", "$expand", "$select", "$skiptoken"}
_SEGMENT = re.compile(r"(\w+)(?:\((.*)\))?")
_KEY = re.compile(r"(\w+)=('(?:[^']|'')*'|[^,']+)")


@dataclass
class FinanceEnvironment:
    """Fields may be changed while a server runs; counts are of requests, so that a run is repeatable.

    rows: of a page, whatever `maxpagesize` says above it. home: the company of the mapped user, in lower case; rows of
    others come with `cross-company=true` only. mapped: the app registration is mapped to a user.
    throttled_every: each n-th call is answered 429, every second time without saying for how long;
    unavailable_every: each n-th a page of maintenance; broken_every: each n-th an error of the business logic (0: no).
    hidden: sets, or properties ('CustomersV3.TaxExemptNumber'), that this release does not have.
    packages: how data management exports.
    """

    rows: int = 400
    home: str = "ustc"
    mapped: bool = True
    throttled_every: int = 0
    unavailable_every: int = 45
    broken_every: int = 0
    hidden: set[str] = field(default_factory=set)
    packages: DataManagement = field(default_factory=DataManagement)

    @classmethod
    def calm(cls) -> FinanceEnvironment:
        """An environment on its best day."""
        return cls(rows=MOST, unavailable_every=0)


class FinanceError(Exception):
    """A refusal in the vendor's own form: the useful text is inside."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}

    def response(self) -> Response:
        kind = "Microsoft.Dynamics.Platform.Integration.Services.OData.AxODataException"
        inner = {"message": self.text, "type": kind, "stacktrace": "   at Microsoft.Dynamics…"}
        body = {"error": {"code": "", "message": "An error has occurred.", "innererror": inner}}
        return Response(orjson.dumps(body), self.status, self.headers, "application/json; odata.metadata=minimal")


class FinanceApi:
    """An ASGI app over one folder; see `systems.StandIn`. `environment` may be changed while it runs."""

    secret_names = ("client_id", "client_secret", "private_key", "certificate")

    def __init__(
        self, folder: Path, keys: dict[str, str], account: FinanceEnvironment | None, habits: Habits, clock: Clock
    ) -> None:
        self.environment, self.habits, self.clock = account or FinanceEnvironment(), habits, clock
        self.auth = Entra(keys, clock)
        self.database = Database(folder, lambda _connection: None)
        self.exports = Exports(lambda: self.environment.packages, self._all, lambda: self.environment.hidden)
        self._calls, self._refusals = itertools.count(1), itertools.count()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._answer, request, body)
        response.headers["Date"] = self.clock.http_date()
        if "gzip" in request.headers.get("accept-encoding", "") and len(response.body) > 500:
            response.body = gzip.compress(response.body, 1)
            response.headers["content-encoding"] = "gzip"
            response.headers["content-length"] = str(len(response.body))
        await response(scope, receive, send)

    @staticmethod
    def make_keys() -> dict[str, str]:
        """An app registration."""
        return Entra.make_keys()

    def connection(self, url: str, unit: Unit) -> dict[str, Any]:
        """As in tieout.yml."""
        return {
            "system": "dynamics_finance", "time_zone": "UTC",
            "auth": "certificate" if self.auth.has_certificate else "client_credentials",
            "legal_entity": next(iter(unit.entities)), "close_days": LOCK_DAYS,
            "legal_entities": {company(entity): entity.code for entity in unit.entities.values()},
            "options": {"base_url": url, "tenant_id": TENANT, "authority": url},
        }

    def start(self, url: str) -> None:
        """It speaks HTTP only."""

    def close(self) -> None:
        """Free connections; the server must have stopped."""
        self.database.close()

    def _answer(self, request: Request, body: bytes) -> Response:
        path = request.scope.get("raw_path", request.url.path.encode()).decode().partition("?")[0]
        try:
            if path in PATHS:
                form = dict(parse_qsl(body.decode("utf-8", "replace")))
                granted = self.auth.token(path, form, f"{request.url.scheme}://{request.url.netloc}")
                return Response(orjson.dumps(granted), 200, {"cache-control": "no-store"}, "application/json")
            if path.startswith(STORAGE):
                return self.exports.storage(request)
            if not self.auth.is_alive(request.headers.get("authorization", "")) or not self.environment.mapped:
                return Response(b"", 401, {"www-authenticate": "Bearer"})
            if page := self._habits():
                return page
            if request.method == "POST" and path.startswith(ACTIONS):
                return self._acted(request, path.removeprefix(ACTIONS), body)
            return self._routed(request, unquote(path))
        except Refusal as refusal:
            return Response(orjson.dumps(refusal.body), refusal.status, None, "application/json")
        except FinanceError as error:
            return error.response()
        except Wrong as wrong:
            return FinanceError(wrong.status, wrong.text).response()
        except NoProperty as wrong:
            return FinanceError(400, f"{wrong} on type '{wrong.args[0]}'").response()
        except Invalid as wrong:
            return FinanceError(400, str(wrong)).response()
        except sqlite3.Error as error:
            return FinanceError(500, f"Cannot execute the required database operation. {error}").response()

    def _habits(self) -> Response | None:
        call, ours = next(self._calls), self.environment
        if ours.throttled_every and call % ours.throttled_every == 0:
            told = next(self._refusals) % 2 == 0
            raise FinanceError(429, "Too many requests", {"retry-after": "0"} if told else {})
        if ours.broken_every and call % ours.broken_every == 0:
            raise FinanceError(500, "Infolog for task: update conflict.")
        if ours.unavailable_every and call % ours.unavailable_every == 0:
            page = "<!DOCTYPE html><html><head><title>We are updating this environment</title></head></html>"
            return Response(page, 503, {"retry-after": "0"}, "text/html")
        return None

    # --- data management

    def _acted(self, request: Request, action: str, body: bytes) -> Response:
        try:
            words = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise FinanceError(400, "The request body is not valid JSON.") from None
        root = f"{request.url.scheme}://{request.url.netloc}"
        companies = {row["LegalEntityId"].lower() for row in self._all(fno_schema.sets()["LegalEntities"], None)}
        value = self.exports.act(action, words, root, companies)
        return _json({"@odata.context": f"{root}{ROOT}$metadata#Edm.String", "value": value})

    def _all(self, entity: EntitySet, of: str | None) -> list[dict[str, Any]]:
        """All rows of a set, of one company where it has any."""
        is_one = of is not None and entity.has_company
        return self._rows(entity, '"dataAreaId" = ?' if is_one else "1 = 1", [of] if is_one else [], "", -1, 0)

    # --- routes

    def _routed(self, request: Request, path: str) -> Response:
        if request.method != "GET":
            raise FinanceError(405, "The requested resource does not support this http method.")
        if not f"{path.rstrip('/')}/".startswith(ROOT):
            raise FinanceError(404, f"No HTTP resource was found that matches the request '{path}'.")
        rest = path.removeprefix(ROOT.rstrip("/")).strip("/")
        if rest == "$metadata":
            return Response(fno_schema.metadata(self.environment.hidden), 200, {"odata-version": "4.0"},
                            "application/xml")
        root = f"{request.url.scheme}://{request.url.netloc}{ROOT}"
        if not rest:
            return _json({"@odata.context": f"{root}$metadata", "value": [
                {"name": name, "kind": "EntitySet", "url": name} for name in fno_schema.sets()
                if name not in self.environment.hidden]})
        segment, _, below = rest.partition("/")
        found = _SEGMENT.fullmatch(segment)
        if found is None or found[1] not in fno_schema.sets() or found[1] in self.environment.hidden:
            raise FinanceError(404, f"No HTTP resource was found that matches the request '{path}'.")
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        if strange := [word for word in query if word.startswith("$") and word not in _OPTIONS]:
            raise FinanceError(400, f"The query parameter '{strange[0]}' is not supported.")
        entity = fno_schema.sets()[found[1]]
        if found[2] is not None:
            return self._one(entity, root, found[2], query)
        where, values = self._where(entity, query)
        if below == "$count":
            return Response(str(self._count(entity, where, values)), 200, None, "text/plain")
        return self._many(request, entity, root, query, where, values)

    def _one(self, entity: EntitySet, root: str, text: str, query: dict[str, str]) -> Response:
        told = dict(_KEY.findall(text))
        if sorted(told) != sorted(entity.key):
            raise FinanceError(400, "The key in the request does not match the key of the entity.")
        where = " AND ".join(f'"{name}" = ? COLLATE NOCASE' for name in entity.key)
        values = [read(entity.properties[name], told[name]) for name in entity.key]
        rows = self._rows(entity, where, [str(value)[:10] if entity.properties[name].noon else value
                                          for name, value in zip(entity.key, values, strict=True)], "", 1, 0)
        if not rows:
            raise FinanceError(404, f"No resources were found when selecting for {entity.name}.")
        return _json({"@odata.context": f"{root}$metadata#{entity.name}/$entity",
                      **self._shown(rows[0], self._columns(entity, query))})

    def _many(
        self, request: Request, entity: EntitySet, root: str, query: dict[str, str], where: str, values: list[Any]
    ) -> Response:
        columns = self._columns(entity, query)
        order = order_by(self._offered(entity), query["$orderby"]) if query.get("$orderby") else ""
        done, top = _number(query, "$skiptoken", 0), _number(query, "$top", None)
        asked = re.search(r"odata\.maxpagesize=(\d+)", request.headers.get("prefer", ""))
        page = min(self.environment.rows, MOST, int(asked[1]) if asked else MOST)
        left = None if top is None else max(0, top - done)
        limit = page if left is None else min(page, left)
        rows = self._rows(entity, where, values, order, limit + 1, _number(query, "$skip", 0) + done)
        body: dict[str, Any] = {"@odata.context": f"{root}$metadata#{entity.name}({','.join(p.name for p in columns)})"}
        if query.get("$count") == "true":
            body["@odata.count"] = self._count(entity, where, values)
        body["value"] = [self._shown(row, columns) for row in rows[:limit]]
        if len(rows) > limit and (left is None or left > limit):
            kept = {word: text for word, text in query.items() if word != "$skiptoken"}
            words = "&".join(f"{word}={quote(text, safe='')}" for word, text in kept.items())
            body["@odata.nextLink"] = f"{root}{entity.name}?{words}&$skiptoken={done + limit}"
        return _json(body)

    # --- rows

    def _offered(self, entity: EntitySet) -> dict[str, Property]:
        return {name: prop for name, prop in entity.properties.items()
                if f"{entity.name}.{name}" not in self.environment.hidden}

    def _columns(self, entity: EntitySet, query: dict[str, str]) -> list[Property]:
        offered = self._offered(entity)
        try:
            names = selected(offered, query["$select"]) if query.get("$select") else list(offered)
        except NoProperty as wrong:
            raise FinanceError(400, f"{wrong} on type '{entity.type_name}'.") from None
        return [known(offered, name) for name in names]

    def _where(self, entity: EntitySet, query: dict[str, str]) -> tuple[str, list[Any]]:
        """The condition; without `cross-company=true` only the user's own company is seen."""
        sql, values = "1 = 1", []
        if query.get("$filter"):
            found = Filter(self._offered(entity), query["$filter"], functions=frozenset({"startswith", "endswith"}),
                           wildcards=True)
            sql, values = f"({found.sql})", found.values
        if entity.has_company and query.get("cross-company", "").lower() != "true":
            return f'{sql} AND "dataAreaId" = ?', [*values, self.environment.home]
        return sql, values

    def _rows(
        self, entity: EntitySet, where: str, values: list[Any], order: str, limit: int, offset: int
    ) -> list[dict[str, Any]]:
        key = ", ".join(f'"{name}"' for name in entity.key)
        text = (f'SELECT * FROM "{entity.table}" WHERE {where} ORDER BY {f"{order}, " if order else ""}{key} '
                f"LIMIT {limit} OFFSET {offset}")
        cursor = self.database.connection().execute(text, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _count(self, entity: EntitySet, where: str, values: list[Any]) -> int:
        text = f'SELECT count(*) FROM "{entity.table}" WHERE {where}'
        return self.database.connection().execute(text, values).fetchone()[0]

    def _shown(self, row: dict[str, Any], columns: list[Property]) -> dict[str, Any]:
        return {"@odata.etag": 'W/"JzEsNTYzNzE0NDU3Nic="', **{prop.name: _value(prop, row[prop.name])
                                                              for prop in columns}}


def _value(prop: Property, value: Any) -> Any:
    """A value as the wire writes it; NULL is never null."""
    if prop.edm == "Edm.DateTimeOffset":
        if value is None:
            return "1900-01-01T00:00:00Z"
        return f"{value}T12:00:00Z" if prop.noon else f"{value.replace(' ', 'T')}Z"
    if prop.edm == "Edm.Decimal":
        text = "0" if value is None else str(value)
        return orjson.Fragment((text.rstrip("0").rstrip(".") if "." in text else text).encode())
    return prop.empty if value is None else value


def _number(query: dict[str, str], name: str, default: int | None) -> Any:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise FinanceError(400, f"Invalid value '{text}' for {name}.")
    return int(text)


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), 200, {"odata-version": "4.0"}, "application/json; odata.metadata=minimal")
