"""The Dataverse Web API, stood in for: strict where Dataverse is, with its habits, over a company's `sim.db`."""

from __future__ import annotations

import base64
import itertools
import json
import re
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from simulator import dataverse_schema
from simulator.dataverse_rows import OWNER, UNIT, guid
from simulator.dataverse_schema import HIDDEN, Entity
from simulator.entra import PATHS, TENANT, Entra, Refusal
from simulator.habits import Habits
from simulator.odata_v4 import Filter, Invalid, NoProperty, order_by, selected
from simulator.served import Clock, Database
from simulator.units import Unit

ROOT = "/api/data/v9.2/"
MOST = 5_000
_OPTIONS = {"$select", "$filter", "$orderby", "$top", "$expand", "$count", "$apply", "$skiptoken", "$deltatoken"}
_LIMITS = (
    ("0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."),
    ("0x80072321", "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time "
                   "window of 300 seconds. Decrease number of concurrent requests or reduce the duration of requests."),
    ("0x80072326", "Number of concurrent requests exceeded the limit of 52."),
)
_ANNOTATIONS = {
    "formatted": "OData.Community.Display.V1.FormattedValue", "logical": "Microsoft.Dynamics.CRM.lookuplogicalname",
    "navigation": "Microsoft.Dynamics.CRM.associatednavigationproperty",
}
_NAMES = {UNIT: "Each", OWNER: "Ada Brandt"}


@dataclass
class DataverseEnvironment:
    """Fields may be changed while a server runs; counts are of requests, so that a run is repeatable.

    throttled_every: each n-th call is refused with 429, by each of the three limits in turn; retry_after: seconds that
    it asks for. unavailable_every: each n-th call is answered 503, a page in HTML (0: never).
    untracked: set names without change tracking. token_days: life of a delta link. hidden: sets, or columns
    ('accounts.new_taxid'), that do not exist. member: the app registration is an application user here.
    link_host: what links say in place of the host that was asked.
    """

    throttled_every: int = 37
    retry_after: int = 0
    unavailable_every: int = 53
    untracked: set[str] = field(default_factory=set)
    token_days: int = 7
    hidden: set[str] = field(default_factory=set)
    member: bool = True
    link_host: str | None = None

    @classmethod
    def calm(cls) -> DataverseEnvironment:
        """An environment on its best day."""
        return cls(throttled_every=0, unavailable_every=0)


class DataverseError(Exception):
    """A refusal in Dataverse's own form."""

    def __init__(self, status: int, code: str, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.headers = status, code, text, headers or {}

    def response(self) -> Response:
        body = orjson.dumps({"error": {"code": self.code, "message": self.text}})
        return Response(body, self.status, self.headers, "application/json; odata.metadata=minimal")


@dataclass(frozen=True)
class Wanted:
    """What a request for rows asks: columns, condition, order, and its preferences."""

    entity: Entity
    columns: list[str]
    where: str
    values: list[Any]
    order: str
    top: int | None
    is_counted: bool
    rows: int
    annotations: frozenset[str]
    is_tracked: bool
    echoed: str


class DataverseApi:
    """An ASGI app over one folder; see `systems.StandIn`. `environment` may be changed while it runs."""

    secret_names = ("client_id", "client_secret", "private_key", "certificate")

    def __init__(
        self, folder: Path, keys: dict[str, str], account: DataverseEnvironment | None, habits: Habits, clock: Clock
    ) -> None:
        self.environment, self.habits, self.clock = account or DataverseEnvironment(), habits, clock
        self.auth = Entra(keys, clock)
        self.database = Database(folder, lambda _connection: None)
        self._calls, self._refusals, self._labels = itertools.count(1), itertools.count(), {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._answer, request, body)
        response.headers["Date"] = self.clock.http_date()
        await response(scope, receive, send)

    @staticmethod
    def make_keys() -> dict[str, str]:
        """An app registration."""
        return Entra.make_keys()

    def connection(self, url: str, unit: Unit) -> dict[str, Any]:
        """As in tieout.yml."""
        return {
            "system": "dynamics_sales", "auth": "client_credentials", "time_zone": "UTC",
            "legal_entity": next(iter(unit.entities)),
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
            if not self.auth.is_alive(request.headers.get("authorization", "")):
                authority = f"Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}/oauth2/authorize"
                return Response(b"", 401, {"www-authenticate": authority})
            if page := self._habits():
                return page
            if not self.environment.member:
                raise DataverseError(403, "0x80072560", "The user is not a member of the organization.")
            return self._routed(request, unquote(path))
        except Refusal as refusal:
            return Response(orjson.dumps(refusal.body), refusal.status, None, "application/json")
        except DataverseError as error:
            return error.response()
        except sqlite3.Error as error:
            return DataverseError(500, "0x80044150", f"Generic SQL error. {error}").response()

    def _habits(self) -> Response | None:
        call, ours = next(self._calls), self.environment
        if ours.throttled_every and call % ours.throttled_every == 0:
            code, text = _LIMITS[next(self._refusals) % len(_LIMITS)]
            raise DataverseError(429, code, text, {"retry-after": str(ours.retry_after)})
        if ours.unavailable_every and call % ours.unavailable_every == 0:
            page = "<html><head><title>Service Unavailable</title></head><body>503</body></html>"
            return Response(page, 503, {"retry-after": "0"}, "text/html")
        return None

    # --- routes

    def _routed(self, request: Request, path: str) -> Response:
        if request.method != "GET":
            raise DataverseError(405, "0x80060888", "The requested resource does not support this http method.")
        if not path.startswith(ROOT):
            raise DataverseError(404, "0x80060888", f"Resource not found for the segment '{path.strip('/')}'.")
        rest = path.removeprefix(ROOT).strip("/")
        if rest == "$metadata":
            return Response(dataverse_schema.metadata(self.environment.hidden), 200, {"odata-version": "4.0"},
                            "application/xml")
        if rest == "WhoAmI":
            context = f"{self._root(request)}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"
            return self._json({"@odata.context": context, "BusinessUnitId": guid("businessunit", 1), "UserId": OWNER,
                               "OrganizationId": guid("organization", 1)})
        if rest == "EntityDefinitions":
            return self._json({"value": self._definitions(dict(parse_qsl(request.url.query)))})
        if found := re.fullmatch(r"(\w+)\(([0-9a-fA-F-]{36})\)", rest):
            return self._one(request, self._set(found[1]), found[2].lower())
        return self._many(request, self._set(rest))

    def _definitions(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """What is told of the tables: all of them, or the one of a logical name."""
        wanted = query.get("$filter")
        named = re.fullmatch(r"LogicalName eq '(\w+)'", wanted) if wanted else None
        if wanted and not named:
            raise DataverseError(400, "0x80060888", "Only a condition of LogicalName is known here.")
        return [{"LogicalName": each.name, "EntitySetName": each.set, "PrimaryIdAttribute": each.key,
                 "ChangeTrackingEnabled": each.set not in self.environment.untracked}
                for each in self._sets().values() if not named or each.name == named[1]]

    def _sets(self) -> dict[str, Entity]:
        return {name: each for name, each in dataverse_schema.sets().items() if name not in self.environment.hidden}

    def _set(self, name: str) -> Entity:
        if name not in self._sets():
            raise DataverseError(404, "0x80060888", f"Resource not found for the segment '{name}'.")
        return self._sets()[name]

    def _root(self, request: Request) -> str:
        return f"{request.url.scheme}://{self.environment.link_host or request.url.netloc}{ROOT}"

    def _one(self, request: Request, entity: Entity, key: str) -> Response:
        wanted = self._wanted(request, entity, {})
        rows = self._rows(wanted, f'"{entity.key}" = ?', [key], 1, 0)
        if not rows:
            raise DataverseError(404, "0x80040217", f"{entity.name} With Id = {key} Does Not Exist")
        return self._json(self._shown(wanted, rows[0]))

    def _many(self, request: Request, entity: Entity) -> Response:
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        if strange := [word for word in query if word.startswith("$") and word not in _OPTIONS]:
            raise DataverseError(400, "0x80060888", f"The query parameter {strange[0]} is not supported")
        if "$deltatoken" in query:
            return self._changes(request, entity, query)
        skip = 0
        if "$skiptoken" in query:
            skip, kept = self._cookie(query["$skiptoken"])
            if kept != {name: text for name, text in query.items() if name != "$skiptoken"}:
                raise DataverseError(400, "0x80060888", "The paging cookie does not fit the query.")
        wanted = self._wanted(request, entity, query)
        context = f"{self._root(request)}$metadata#{entity.set}({','.join(wanted.columns)})"
        page = wanted.rows if wanted.top is None else min(wanted.rows, max(0, wanted.top - skip))
        rows = self._rows(wanted, wanted.where, wanted.values, page + 1, skip)
        body: dict[str, Any] = {"@odata.context": context}
        if wanted.is_counted:
            body["@odata.count"] = min(self._count(wanted), MOST)
        body["value"] = [self._shown(wanted, row) for row in rows[:page]]
        link = f"{self._root(request)}{entity.set}"
        if len(rows) > page and (wanted.top is None or skip + page < wanted.top):
            cookie = self._cookie_of(skip + page, query)
            words = "&".join(f"{name}={quote(text, safe='')}" for name, text in {**query, "$skiptoken": cookie}.items())
            body["@odata.nextLink"] = f"{link}?{words}"
        elif wanted.is_tracked:
            body["@odata.deltaLink"] = self._delta_link(link, query)
        return self._json(body, wanted.echoed)

    # --- change tracking

    def _delta_link(self, link: str, query: dict[str, str]) -> str:
        now = self.clock.now()
        token = quote(f"{int(now.timestamp())}!{now:%m/%d/%Y %H:%M:%S}", safe="")
        kept = f"$select={quote(query['$select'], safe='')}&" if "$select" in query else ""
        return f"{link}?{kept}$deltatoken={token}"

    def _changes(self, request: Request, entity: Entity, query: dict[str, str]) -> Response:
        found = re.fullmatch(r"(\d+)!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)", query.pop("$deltatoken"))
        if not found:
            raise DataverseError(400, "0x80060888", "The delta token is not valid.")
        since, made = int(found[1]), datetime.strptime(found[2], "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
        if (self.clock.now() - made).days >= self.environment.token_days:
            raise DataverseError(400, "0x80060899", "The version of delta token has expired. Please do a full sync.")
        done = int(query.pop("$skiptoken", 0))
        wanted = self._wanted(request, entity, query)
        rows = self._rows(wanted, '"versionnumber" >= ?', [since], wanted.rows + 1, done)
        body: dict[str, Any] = {"@odata.context": f"{self._root(request)}$metadata#{entity.set}/$delta"}
        body["value"] = [self._shown(wanted, row) for row in rows[: wanted.rows]]
        link = f"{self._root(request)}{entity.set}"
        if len(rows) > wanted.rows:
            kept = f"$select={quote(query['$select'], safe='')}&" if "$select" in query else ""
            token = quote(f"{since}!{found[2]}", safe="")
            body["@odata.nextLink"] = f"{link}?{kept}$deltatoken={token}&$skiptoken={done + wanted.rows}"
            return self._json(body, wanted.echoed)
        gone = self.database.connection().execute(
            "SELECT id FROM dynamics_sales__tombstone WHERE entity = ? AND versionnumber >= ? ORDER BY id",
            (entity.name, since))
        body["value"] += [{"@odata.context": f"{self._root(request)}$metadata#{entity.set}/$deletedEntity",
                           "id": key, "reason": "deleted"} for (key,) in gone]
        body["@odata.deltaLink"] = self._delta_link(link, query)
        return self._json(body, wanted.echoed)

    # --- queries

    def _wanted(self, request: Request, entity: Entity, query: dict[str, str]) -> Wanted:
        told = _preferences(request.headers.get("prefer", ""))
        is_tracked = "odata.track-changes" in told
        if is_tracked:
            for word in ("$filter", "$orderby", "$expand", "$top"):
                if word in query:
                    text = f'The "{word}" query parameter isn\'t supported when Change Tracking is enabled.'
                    raise DataverseError(400, "0x80060888", text)
            if entity.set in self.environment.untracked:
                raise DataverseError(400, "0x80060888", f"Entity: {entity.name} is not enabled for change tracking.")
        offered = {name: each for name, each in entity.properties.items()
                   if f"{entity.set}.{name}" not in self.environment.hidden}
        try:
            columns = selected(offered, query["$select"]) if query.get("$select") else list(offered)
            found = Filter(offered, query["$filter"]) if query.get("$filter") else None
            order = order_by(offered, query["$orderby"]) if query.get("$orderby") else ""
        except NoProperty as wrong:
            raise DataverseError(400, "0x80060888",
                                 f"{wrong} on type 'Microsoft.Dynamics.CRM.{entity.name}'.") from None
        except Invalid as wrong:
            raise DataverseError(400, "0x80060888", str(wrong)) from None
        if any(entity.words[name] in ("currency", "baseCurrency") for name in columns):
            columns.append("_transactioncurrencyid_value")
        columns = list(dict.fromkeys([*columns, entity.key]))
        asked = told.get("odata.maxpagesize", "")
        top = int(query["$top"]) if query.get("$top", "").isdigit() and not asked else None
        rows = min(int(asked), MOST) if asked.isdigit() and int(asked) else MOST
        names = told.get("odata.include-annotations", "")
        shown = frozenset(word for word, name in _ANNOTATIONS.items() if names == "*" or name in names.split(","))
        echoed = ",".join(f'{name}="{text}"' if "annotations" in name else f"{name}={text}" if text else name
                          for name, text in told.items())
        return Wanted(entity, columns, found.sql if found else "1 = 1", found.values if found else [], order, top,
                      query.get("$count") == "true", rows, shown, is_tracked, echoed)

    def _rows(self, wanted: Wanted, where: str, values: list[Any], limit: int, offset: int) -> list[dict[str, Any]]:
        entity = wanted.entity
        order = f"{wanted.order}, " if wanted.order else ""
        text = f'SELECT * FROM "{entity.table}" WHERE {where} ORDER BY {order}"{entity.key}"'
        cursor = self.database.connection().execute(f"{text} LIMIT {limit} OFFSET {offset}", values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _count(self, wanted: Wanted) -> int:
        text = f'SELECT count(*) FROM "{wanted.entity.table}" WHERE {wanted.where}'
        return self.database.connection().execute(text, wanted.values).fetchone()[0]

    # --- values

    def _shown(self, wanted: Wanted, row: dict[str, Any]) -> dict[str, Any]:
        entity = wanted.entity
        found: dict[str, Any] = {"@odata.etag": f'W/"{row.get("versionnumber") or 1}"'}
        for name in wanted.columns:
            value = row[name]
            found[name] = _value(entity.words[name], entity.properties[name].edm, value)
            if value is None:
                continue
            if "formatted" in wanted.annotations and (label := self._label(entity, name, value)) is not None:
                found[f"{name}@{_ANNOTATIONS['formatted']}"] = label
            if target := row.get(HIDDEN) if name == "_customerid_value" else entity.targets.get(name):
                if "logical" in wanted.annotations:
                    found[f"{name}@{_ANNOTATIONS['logical']}"] = target
                if "navigation" in wanted.annotations:
                    bare = name.removeprefix("_").removesuffix("_value")
                    found[f"{name}@{_ANNOTATIONS['navigation']}"] = (
                        f"{bare}_{target}" if name == "_customerid_value" else bare)
        return found

    def _label(self, entity: Entity, name: str, value: Any) -> str | None:
        """As the calling user would read it."""
        word = entity.words[name]
        if name in entity.labels:
            return entity.labels[name].get(str(value))
        if word in ("lookup", "customer"):
            return _NAMES.get(value)
        if word in ("currency", "baseCurrency"):
            return f"${float(value):,.2f}"
        if word == "boolean":
            return "Yes" if value else "No"
        return f"{value} UTC" if word == "dateTime" else None

    def _json(self, body: Any, echoed: str = "") -> Response:
        headers = {"odata-version": "4.0", "x-ms-ratelimit-burst-remaining-xrm-requests": "5999",
                   "x-ms-ratelimit-time-remaining-xrm-requests": "1,199.97"}
        if echoed:
            headers["preference-applied"] = echoed
        return Response(orjson.dumps(body), 200, headers, "application/json; odata.metadata=minimal")

    @staticmethod
    def _cookie_of(skip: int, query: dict[str, str]) -> str:
        kept = {name: text for name, text in query.items() if name != "$skiptoken"}
        inner = base64.urlsafe_b64encode(json.dumps([skip, kept]).encode()).decode()
        return f'<cookie pagenumber="2" pagingcookie="{inner}" istracking="False" />'

    @staticmethod
    def _cookie(text: str) -> tuple[int, dict[str, str]]:
        found = re.search(r'pagingcookie="([\w=-]+)"', text)
        try:
            return tuple(json.loads(base64.urlsafe_b64decode(found[1])))  # type: ignore[index,return-value]
        except (TypeError, ValueError):
            raise DataverseError(400, "0x80060888", "The paging cookie is malformed.") from None


def _preferences(text: str) -> dict[str, str]:
    """`a,b=1,c="x,y"` of a Prefer header."""
    return {name: quoted or bare for name, quoted, bare in re.findall(r'([\w.-]+)(?:=(?:"([^"]*)"|([^,]*)))?', text)}


def _value(word: str, edm: str, value: Any) -> Any:
    """A value as the wire writes it. Money has four decimals, other decimals ten, whatever they are."""
    if value is None:
        return None
    if edm == "Edm.Decimal":
        whole, _, rest = str(value).partition(".")
        return orjson.Fragment(f"{whole}.{rest.ljust(4 if 'urrency' in word else 10, '0')}".encode())
    if edm == "Edm.Boolean":
        return bool(value)
    if word == "midnight":
        return f"{value}T00:00:00Z"
    if edm == "Edm.DateTimeOffset":
        return f"{value.replace(' ', 'T')}Z"
    return value
