"""The routes: what each address answers, and what all of them do first (session, limits, bad days)."""

from __future__ import annotations

import itertools
import re
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from simulator.credentials import pem
from simulator.habits import Habits, SalesforceOrg
from simulator.salesforce_api.catalog import Catalog, Entity
from simulator.salesforce_api.compile import compile_query
from simulator.salesforce_api.errors import ApiError, OAuthError, not_found
from simulator.salesforce_api.jobs import MOST_RECORDS, Jobs
from simulator.salesforce_api.replication import changes
from simulator.salesforce_api.results import Cursors, Spool
from simulator.salesforce_api.sessions import Sessions
from simulator.salesforce_api.soql import parse
from simulator.served import Clock, Database
from simulator.units import Unit

NEWEST, OLDEST = 67, 31
_LONGEST_ADDRESS = 16_384
_KEY_BITS = 2048
_JSON = "application/json;charset=UTF-8"
_DATA = re.compile(r"/services/data/(v(\d+)\.0)/?(.*)")
_RELEASES = ("Winter", "Spring", "Summer")


@dataclass(frozen=True)
class Call:
    """A request to a data API. `rest` is the path after the version, without a slash at either end."""

    method: str
    version: str
    rest: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    base_url: str

    def json(self) -> dict[str, Any]:
        """The body. ApiError JSON_PARSER_ERROR."""
        try:
            found = orjson.loads(self.body or b"{}")
        except orjson.JSONDecodeError as error:
            raise ApiError(400, "JSON_PARSER_ERROR", str(error)) from None
        if not isinstance(found, dict):
            raise ApiError(400, "JSON_PARSER_ERROR", "expected an object")
        return found


@dataclass(frozen=True)
class Answer:
    """What a handler gives back; `body` is bytes, or data to be written as JSON."""

    body: Any
    status: int = 200
    media: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()

    def response(self) -> Response:
        content = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        return Response(content, self.status, dict(self.headers), self.media)


class SalesforceApi:
    """An ASGI app over one folder. `org` and `habits` may be changed while it runs."""

    system = "salesforce"
    fields: ClassVar[dict[str, dict[str, str]]] = {
        "Account": {"erp_customer_id": "ERP_Customer_ID__c", "tax_id": "Tax_ID__c"},
        "Opportunity": {"selling_entity": "Selling_Entity__c"},
        "Order": {"erp_order_id": "ERP_Order_ID__c"},
    }
    secret_names = ("consumer_key", "consumer_secret", "username", "private_key")

    def __init__(
        self, folder: Path, keys: dict[str, str], org: SalesforceOrg | None, habits: Habits, clock: Clock
    ) -> None:
        org = org or SalesforceOrg()
        self.org, self.habits, self.clock = org, habits, clock
        self.database = Database(folder, _prepare)
        self.catalog = Catalog(org, self.system)
        self.sessions = Sessions(keys, org, habits)
        self.cursors = Cursors()
        self.jobs = Jobs(self.database, self.catalog, clock, habits)
        self._calls = itertools.count(1)
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            (method, re.compile(pattern), handler) for method, pattern, handler in (
                ("GET", r"", self._resources),
                ("GET", r"query", lambda call: self._query(call, include_deleted=False)),
                ("GET", r"queryAll", lambda call: self._query(call, include_deleted=True)),
                ("GET", r"query(?:All)?/([^/]+)", self._more),
                ("GET", r"limits", self._limits),
                ("GET", r"sobjects", self._sobjects),
                ("GET", r"sobjects/(\w+)/describe", self._describe),
                ("GET", r"sobjects/(\w+)/(deleted|updated)", self._changes),
                ("POST", r"composite/batch", self._batch),
                ("GET", r"jobs/query", self._list_jobs),
                ("POST", r"jobs/query", self._create_job),
                ("GET", r"jobs/query/(\w+)", self._poll_job),
                ("PATCH", r"jobs/query/(\w+)", self._abort_job),
                ("DELETE", r"jobs/query/(\w+)", self._delete_job),
                ("GET", r"jobs/query/(\w+)/results", self._job_results),
                ("GET", r"jobs/query/(\w+)/resultPages", self._job_pages),
                ("POST", r"sobjects/.*", self._refuse_write),
                ("PATCH", r"sobjects/.*", self._refuse_write),
                ("DELETE", r"sobjects/.*", self._refuse_write),
            )
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._answer, request, body)
        await response(scope, receive, send)

    @staticmethod
    def make_keys() -> dict[str, str]:
        """A connected app and its certificate."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        return {
            "consumer_key": f"3MVG9{secrets.token_urlsafe(60)[:75]}",
            "consumer_secret": secrets.token_hex(32).upper(),
            "username": "integration@global.example",
            **pem(key),
        }

    def connection(self, url: str, unit: Unit) -> dict[str, Any]:
        """As in tieout.yml."""
        return {
            "system": self.system, "auth": "jwt_bearer", "time_zone": "UTC", "legal_entity": next(iter(unit.entities)),
            "fields": self.fields, "options": {"login_url": url},
        }

    def start(self, url: str) -> None:
        """It speaks HTTP alone."""

    def close(self) -> None:
        """Free files and connections; the server must have stopped."""
        self.jobs.close()
        self.cursors.clear()
        self.database.close()

    # --- what every request goes through

    def _answer(self, request: Request, body: bytes) -> Response:
        path, dated = request.url.path, (("Date", self.clock.http_date()),)
        base_url = f"{request.url.scheme}://{request.url.netloc}"
        if path == "/services/oauth2/token":
            return self._token(request, body, base_url, dated)
        if path.rstrip("/") == "/services/data":
            return Answer(_versions(), headers=dated).response()
        used = self.org.used_requests = self.org.used_requests + 1
        limit = (("Sforce-Limit-Info", f"api-usage={used}/{self.org.daily_requests}"), *dated)
        try:
            answer = self._data(request, body, base_url)
        except ApiError as error:
            answer = Answer(error.body(), error.status)
        except sqlite3.Error as error:
            failed = ApiError(500, "UNKNOWN_EXCEPTION", f"An unexpected error occurred: {error}")
            answer = Answer(failed.body(), failed.status)
        return Answer(answer.body, answer.status, answer.media, answer.headers + limit).response()

    def _data(self, request: Request, body: bytes, base_url: str) -> Answer:
        if self.habits.unavailable_every and next(self._calls) % self.habits.unavailable_every == 0:
            raise ApiError(503, "SERVER_UNAVAILABLE", "We are busy. Please try again in a moment.")
        if self.org.used_requests > self.org.daily_requests:
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if len(str(request.url)) > _LONGEST_ADDRESS:
            return Answer(b"<html><head><title>414 URI Too Long</title></head></html>", 414, "text/html")
        self.sessions.check(request.headers.get("authorization"))
        found = _DATA.fullmatch(request.url.path)
        if found is None or not OLDEST <= int(found[2]) <= NEWEST:
            raise not_found()
        call = Call(request.method, found[1], found[3].strip("/"), dict(request.query_params), dict(request.headers),
                    body, base_url)
        return self._route(call)

    def _route(self, call: Call) -> Answer:
        wrong_method = False
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(call.rest)
            if match and method == call.method:
                return handler(call, *match.groups())
            wrong_method = wrong_method or match is not None
        if wrong_method:
            raise ApiError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed")
        raise not_found()

    def _token(self, request: Request, body: bytes, base_url: str, headers: tuple[tuple[str, str], ...]) -> Response:
        form = _form(body)
        try:
            if request.method != "POST":
                raise OAuthError("invalid_request", "must use POST")
            granted = self.sessions.token(form, request.headers.get("authorization"), base_url)
            return Answer(granted, headers=headers).response()
        except OAuthError as error:
            return Answer(error.body(), 400, headers=headers).response()

    # --- queries

    def _query(self, call: Call, *, include_deleted: bool) -> Answer:
        text = call.query.get("q")
        if not text:
            raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
        query = parse(text)
        statement = compile_query(query, self.catalog, version=call.version, now=self.clock.now(),
                                  include_deleted=include_deleted)
        connection = self.database.connection()
        if statement.counts_only:
            total, = connection.execute(statement.count, statement.parameters).fetchone()
            return Answer({"totalSize": total, "done": True, "records": []})
        size = self._page_size(call)
        rows = connection.execute(statement.select, statement.parameters)
        first = rows.fetchmany(size + 1)
        if len(first) <= size:
            return Answer(_page(len(first), None, ",".join(record for record, in first).encode()))
        spool = Spool(b",")
        spool.extend(record for record, in first)
        spool.extend(record for record, in rows)
        name = self.cursors.keep(spool, self.habits.cursors)
        return self._spooled(call, name, spool, 0)

    def _more(self, call: Call, locator: str) -> Answer:
        name, spool, offset = self.cursors.find(locator)
        return self._spooled(call, name, spool, offset)

    def _spooled(self, call: Call, name: str, spool: Spool, offset: int) -> Answer:
        records, count = spool.read(offset, self._page_size(call))
        after = offset + count
        following = f"/services/data/{call.version}/query/{name}-{after}" if after < len(spool) else None
        return Answer(_page(len(spool), following, records))

    def _page_size(self, call: Call) -> int:
        """What `Sforce-Query-Options: batchSize=N` hints at, and a little less when the vendor feels like it."""
        hint = re.search(r"batchSize\s*=\s*(\d+)", call.headers.get("sforce-query-options", ""))
        asked = min(max(int(hint[1]), 200), 2000) if hint else 2000
        return asked * 9 // 10 if self.habits.short_pages else asked

    # --- metadata

    def _resources(self, call: Call) -> Answer:
        root = f"/services/data/{call.version}"
        names = ("query", "queryAll", "sobjects", "limits", "jobs", "composite")
        return Answer({name: f"{root}/{name}" for name in names})

    def _sobjects(self, call: Call) -> Answer:
        summaries = [entity.summary(call.version) for entity in self.catalog.entities.values()]
        return Answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": summaries})

    def _entity(self, name: str) -> Entity:
        entity = self.catalog.entity(name)
        if entity is None:
            raise not_found()
        return entity

    def _describe(self, call: Call, name: str) -> Answer:
        return Answer(self._entity(name).describe(call.version, self.catalog))

    def _changes(self, call: Call, name: str, what: str) -> Answer:
        start, end = call.query.get("start", ""), call.query.get("end", "")
        return Answer(changes(what, self._entity(name), start, end, self.database, self.clock))

    def _limits(self, call: Call) -> Answer:
        left = max(0, self.org.daily_requests - self.org.used_requests)
        return Answer({
            "DailyApiRequests": {"Max": self.org.daily_requests, "Remaining": left},
            "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000 - len(self.jobs.all())},
            "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
            "ConcurrentSyncReportRuns": {"Max": 20, "Remaining": 20},
        })

    def _batch(self, call: Call) -> Answer:
        wanted = call.json().get("batchRequests") or []
        if not 0 < len(wanted) <= 25:
            raise ApiError(400, "INVALID_BATCH_REQUEST", "A batch has 1 to 25 requests")
        results = [self._batched(call, one) for one in wanted]
        return Answer({"hasErrors": any(r["statusCode"] >= 400 for r in results), "results": results})

    def _batched(self, call: Call, wanted: dict[str, Any]) -> dict[str, Any]:
        path, _, query = str(wanted.get("url", "")).partition("?")
        version, _, rest = path.strip("/").partition("/")
        method, parameters = str(wanted.get("method", "")).upper(), _form(query.encode())
        inner = Call(method, version, rest.strip("/"), parameters, call.headers, b"", call.base_url)
        try:
            if inner.rest.startswith(("composite", "jobs")):
                raise ApiError(400, "INVALID_BATCH_REQUEST", f"Not allowed in a batch: {rest}")
            answer = self._route(inner)
        except ApiError as error:
            answer = Answer(error.body(), error.status)
        body = orjson.Fragment(answer.body) if isinstance(answer.body, bytes) else answer.body
        return {"statusCode": answer.status, "result": body}

    def _refuse_write(self, call: Call) -> Answer:
        raise ApiError(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id")

    # --- bulk

    def _create_job(self, call: Call) -> Answer:
        return Answer(self.jobs.create(call.version, call.json()).created_form())

    def _list_jobs(self, call: Call) -> Answer:
        jobs = [job.created_form() for job in self.jobs.all()]
        return Answer({"done": True, "records": jobs, "nextRecordsUrl": None})

    def _poll_job(self, call: Call, name: str) -> Answer:
        return Answer(self.jobs.poll(name).polled_form())

    def _abort_job(self, call: Call, name: str) -> Answer:
        return Answer(self.jobs.abort(name, call.json()).created_form())

    def _delete_job(self, call: Call, name: str) -> Answer:
        self.jobs.delete(name)
        return Answer(b"", 204)

    def _job_results(self, call: Call, name: str) -> Answer:
        most = call.query.get("maxRecords", str(MOST_RECORDS))
        if not most.isdigit() or int(most) == 0:
            raise ApiError(400, "INVALID_QUERY_LOCATOR", f"maxRecords must be a positive number: {most}")
        body, count, locator = self.jobs.results(name, call.version, call.query.get("locator"), int(most))
        headers = (("Sforce-NumberOfRecords", str(count)), ("Sforce-Locator", locator))
        return Answer(body, 200, "text/csv; charset=UTF-8", headers)

    def _job_pages(self, call: Call, name: str) -> Answer:
        return Answer(self.jobs.result_pages(name, call.version, call.query.get("locator")))


def _page(total: int, following: str | None, records: bytes) -> bytes:
    head = f'{{"totalSize":{total},"done":{"false" if following else "true"}'
    middle = f',"nextRecordsUrl":"{following}"' if following else ""
    return f'{head}{middle},"records":['.encode() + records + b"]}"


def _versions() -> list[dict[str, str]]:
    found = []
    for number in range(OLDEST, NEWEST + 1):
        year, season = divmod(number + 13, 3)
        label = f"{_RELEASES[season]} '{year:02d}"
        found.append({"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"})
    return found


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _prepare(connection: sqlite3.Connection) -> None:
    """Salesforce needs no functions of its own."""
