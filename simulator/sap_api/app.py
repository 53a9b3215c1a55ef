"""The routes of the gateway, and what every call goes through: who asks, the habits, the query, the page."""

from __future__ import annotations

import gzip
import itertools
import re
import secrets
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from simulator.habits import Habits
from simulator.sap_api.auth import TOKEN_PATH, Auth
from simulator.sap_api.entities import EntitySet, services
from simulator.sap_api.errors import BAD_OPTION, BUSINESS, NO_SERVICE, TECHNICAL, SapError, Unauthorised
from simulator.sap_api.filters import Filter, order_by, selected
from simulator.sap_api.metadata import metadata
from simulator.sap_api.system import SapSystem
from simulator.sap_api.tracking import Tracking
from simulator.sap_api.wire import read_literal, record
from simulator.sap_numbers import company_code, sales_organisation
from simulator.served import Clock, Database
from simulator.units import Unit

ROOT = "/sap/opu/odata/sap/"
_TOKEN = "!deltatoken"
_OPTIONS = {"$format", "$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$inlinecount", "$skiptoken",
            _TOKEN}
_SEGMENT = re.compile(r"(\w+)(?:\((.*)\))?")
_KEY = re.compile(r"(?:(\w+)=)?((?:datetimeoffset|datetime|time|guid)?'(?:[^']|'')*'|-?\d+\w?|true|false)")


class SapApi:
    """An ASGI app over one folder; see `systems.StandIn`. `system` may be changed while it runs."""

    secret_names = ("username", "password", "client_id", "client_secret")

    def __init__(
        self, folder: Path, keys: dict[str, str], account: SapSystem | None, habits: Habits, clock: Clock
    ) -> None:
        system = account or SapSystem()
        self.system, self.habits, self.clock = system, habits, clock
        self.auth = Auth(keys, system, clock)
        self.tracking = Tracking(system, clock)
        self.database = Database(folder, lambda _connection: None)
        self._calls = itertools.count(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._answer, request, body)
        response.headers["Date"] = self.clock.http_date()
        await response(scope, receive, send)

    @staticmethod
    def make_keys() -> dict[str, str]:
        """A technical user, and an OAuth client."""
        return {
            "username": "TIEOUT", "password": secrets.token_urlsafe(24),
            "client_id": f"TIEOUT_{secrets.token_hex(4)}", "client_secret": secrets.token_urlsafe(32),
        }

    def connection(self, url: str, unit: Unit) -> dict[str, Any]:
        """As in tieout.yml."""
        entities = {company_code(entity): entity.code for entity in unit.entities.values()}
        entities |= {sales_organisation(entity): entity.code for entity in unit.entities.values()}
        return {
            "system": "sap", "auth": "basic", "time_zone": "UTC", "legal_entity": next(iter(unit.entities)),
            "legal_entities": entities,
            "options": {"base_url": url, "client": self.system.client, "exchange_rate_service": "ZFI_EXCHANGERATE_CDS"},
        }

    def start(self, url: str) -> None:
        """It speaks HTTP only."""

    def close(self) -> None:
        """Free connections; the server must have stopped."""
        self.database.close()

    def _answer(self, request: Request, body: bytes) -> Response:
        path = unquote(request.scope.get("raw_path", request.url.path.encode()).decode().partition("?")[0])
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        service = path.removeprefix(ROOT).partition("/")[0]
        try:
            if path == TOKEN_PATH:
                form = dict(parse_qsl(body.decode("utf-8", "replace")))
                return Response(orjson.dumps(self.auth.token(request.headers, form)), 200, None, "application/json")
            self.auth.check(request.headers, query)
            self._habits()
            if request.method not in ("GET", "HEAD"):
                self.auth.check_write(request.headers)
            response = self._routed(request, path, service, query)
        except Unauthorised as error:
            return Response(error.html(), 401, error.headers, "text/html; charset=utf-8")
        except SapError as error:
            return self._refusal(request, query, service, error)
        except sqlite3.Error as error:
            return self._refusal(request, query, service, SapError(500, TECHNICAL, f"ABAP runtime error: {error}"))
        if request.headers.get("x-csrf-token", "").lower() == "fetch":
            response.headers["x-csrf-token"] = self.auth.csrf
            response.set_cookie("SAP_SESSIONID_S4H_100", "dGVzdA")
        return _packed(request, response)

    def _refusal(self, request: Request, query: dict[str, str], service: str, error: SapError) -> Response:
        if not _wants_json(request, query):
            return Response(error.xml(), error.status, error.headers, "application/xml;charset=utf-8")
        body = orjson.dumps(error.body(service))
        return Response(body, error.status, error.headers, "application/json;charset=utf-8")

    def _habits(self) -> None:
        call, system = next(self._calls), self.system
        if system.unavailable_every and call % system.unavailable_every == 0:
            raise SapError(503, TECHNICAL, "No free dialog process", {"retry-after": "0"})
        if system.throttled_every and call % system.throttled_every == 0:
            raise SapError(429, "policies.ratelimit.QuotaViolation", "Rate limit quota violation", {"retry-after": "0"})
        if system.dumps_every and call % system.dumps_every == 0:
            raise SapError(500, TECHNICAL, "Time limit exceeded (TIME_OUT)")

    # --- routes

    def _routed(self, request: Request, path: str, service: str, query: dict[str, str]) -> Response:
        sets = services().get(service)
        if not path.startswith(ROOT) or sets is None or service in self.system.hidden:
            raise SapError(403 if sets else 404, NO_SERVICE, f"No service found for namespace '', name '{service}'")
        rest = path.removeprefix(ROOT + service).strip("/").split("/")
        if rest == ["$metadata"]:
            return Response(metadata(service, sets), 200, {"dataserviceversion": "2.0"}, "application/xml")
        root = f"{request.url.scheme}://{request.url.netloc}{ROOT}{quote(service, safe=';=')}"
        if rest == [""]:
            return _json({"EntitySets": list(sets)})
        named = _SEGMENT.fullmatch(rest[0])
        if named is None or named[1] not in sets:
            raise SapError(404, BUSINESS, f"Resource not found for the segment '{rest[0]}'")
        entity = sets[named[1]]
        unknown = [word for word in query if word[:1] in "$!" and word not in _OPTIONS]
        if unknown:
            raise SapError(400, BAD_OPTION, f"The Data Services Request contains SystemQueryOptions '{unknown[0]}'")
        if rest[1:] == ["$count"]:
            return Response(str(self._count(entity, *_where(entity, query))), 200, None, "text/plain;charset=utf-8")
        if not _wants_json(request, query):
            return Response('<feed xmlns="http://www.w3.org/2005/Atom"/>', 200, None, "application/atom+xml;type=feed")
        if named[2] is not None:
            return self._one(entity, root, named[2], rest[1:], query)
        if entity.name in self.system.tracked and _TOKEN in query:
            return self._changes(entity, root, query)
        asked = "odata.track-changes" in request.headers.get("prefer", "")
        return self._many(entity, root, query, *_where(entity, query),
                          tracked=asked and entity.name in self.system.tracked)

    def _one(self, entity: EntitySet, root: str, key: str, rest: list[str], query: dict[str, str]) -> Response:
        told = _KEY.findall(key)
        names = entity.key if len(told) == 1 and not told[0][0] else [name for name, _ in told]
        if sorted(names) != sorted(entity.key):
            raise SapError(400, BAD_OPTION, "Invalid key predicate type")
        values = [read_literal(entity.properties[name], text) for name, (_, text) in zip(names, told, strict=True)]
        where = " AND ".join(f'"{name}" = ?' for name in names)
        if rest and rest[0] in entity.navigations:
            target, by = entity.navigations[rest[0]]
            return self._many(services()[entity.service][target], root, query, f'"{by}" = ?', values)
        rows = self._rows(entity, where, values, "", 1, 0)
        if not rows or rest:
            raise SapError(404, BUSINESS, f"Resource not found for the segment '{entity.name}'")
        return _json({"d": self._records(entity, root, rows, query)[0]})

    def _many(self, entity: EntitySet, root: str, query: dict[str, str], where: str, values: list[Any], *,
              tracked: bool = False) -> Response:
        skip, (done, token) = _number(query, "$skip", 0), _place(query)
        if tracked and not token:  # what changes from here on is told later, also what changes before the last page
            token = self.tracking.begin(entity, self._rows(entity, where, values, "", -1, 0))
        top = _number(query, "$top", None)
        if top is not None and self.system.most_top:
            top = min(top, self.system.most_top)
        left = None if top is None else max(0, top - done)
        page = self.system.page_rows
        limit = left if page is None else page if left is None else min(page, left)
        order = order_by(entity, query["$orderby"]) if query.get("$orderby") else ""
        more = 1 if limit is not None else 0
        rows = self._rows(entity, where, values, order, -1 if limit is None else limit + more, skip + done)
        has_more = limit is not None and len(rows) > limit and (left is None or left > limit)
        rows = rows if limit is None else rows[:limit]
        found: dict[str, Any] = {"results": self._records(entity, root, rows, query)}
        if query.get("$inlinecount") == "allpages":
            found = {"__count": str(self._count(entity, where, values)), **found}
        if has_more:
            found["__next"] = _link(entity, root, query, f"{done + limit}{f'-{token}' if token else ''}")
        elif token:
            found["__delta"] = f"{root}/{entity.name}?{_TOKEN}='{token}'"
        return _json({"d": found})

    def _changes(self, entity: EntitySet, root: str, query: dict[str, str]) -> Response:
        """What changed since a token: whole records, and of deleted ones the key."""
        done, _ = _place(query)
        rows, token = self.tracking.changes(
            entity, query[_TOKEN].strip("'"), lambda: self._rows(entity, "1 = 1", [], "", -1, 0), again=bool(done))
        page = self.system.page_rows or len(rows) or 1
        found: dict[str, Any] = {"results": self._records(entity, root, rows[done:done + page], query)}
        if done + page < len(rows):
            found["__next"] = _link(entity, root, query, str(done + page))
        else:
            found["__delta"] = f"{root}/{entity.name}?{_TOKEN}='{token}'"
        return _json({"d": found})

    # --- rows

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

    def _records(self, entity: EntitySet, root: str, rows: list[dict], query: dict[str, str]) -> list[dict[str, Any]]:
        names = selected(entity, query["$select"]) if query.get("$select") else list(entity.properties)
        wanted = [name.strip() for name in query.get("$expand", "").split(",") if name.strip()]
        for name in wanted:
            if name not in entity.navigations:
                raise SapError(400, BAD_OPTION, f"Property {name} not found in type '{entity.type_name}'")
        found = [record(entity, root, row, names) for row in rows]
        for name in entity.navigations:
            if name in wanted:
                target, by = entity.navigations[name]
                other = services()[entity.service][target]
                for row, shown in zip(rows, found, strict=True):
                    below = self._rows(other, f'"{by}" = ?', [row[entity.key[0]]], "", -1, 0)
                    shown[name] = {"results": [record(other, root, each, list(other.properties)) for each in below]}
            elif not query.get("$select"):
                for shown in found:
                    shown[name] = {"__deferred": {"uri": f"{shown['__metadata']['uri']}/{name}"}}
        return found


def _where(entity: EntitySet, query: dict[str, str]) -> tuple[str, list[Any]]:
    if not query.get("$filter"):
        return "1 = 1", []
    found = Filter(entity, query["$filter"])
    return found.sql, found.values


def _place(query: dict[str, str]) -> tuple[int, str]:
    """(rows that came before this page, the token that its last page will give)."""
    done, _, token = query.get("$skiptoken", "").partition("-")
    return _number({"$skiptoken": done} if done else {}, "$skiptoken", 0), token


def _link(entity: EntitySet, root: str, query: dict[str, str], place: str) -> str:
    kept = {word: text for word, text in query.items() if word not in ("$skiptoken", "sap-client")}
    words = "".join(f"{quote(word, safe='$!')}={quote(text)}&" for word, text in kept.items())
    return f"{root}/{entity.name}?{words}$skiptoken={place}"


def _number(query: dict[str, str], name: str, default: int | None) -> Any:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise SapError(400, BAD_OPTION, f"Invalid system query option value: {name}={text}")
    return int(text)


def _wants_json(request: Request, query: dict[str, str]) -> bool:
    return query.get("$format") == "json" or "application/json" in request.headers.get("accept", "")


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), 200, {"dataserviceversion": "2.0"}, "application/json")


def _packed(request: Request, response: Response) -> Response:
    if "gzip" in request.headers.get("accept-encoding", "") and len(response.body) > 500:
        response.body = gzip.compress(response.body, 1)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-length"] = str(len(response.body))
    return response
