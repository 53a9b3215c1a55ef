"""The routes, and what every SuiteQL call goes through: who asks, how many at once, headers, paging."""

from __future__ import annotations

import itertools
import operator
import secrets
import sqlite3
import threading
from collections import OrderedDict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from simulator.credentials import pem
from simulator.habits import Habits, NetSuiteAccount
from simulator.netsuite_api import dates
from simulator.netsuite_api.auth import TOKEN_PATH, Auth
from simulator.netsuite_api.catalog import Record, visible
from simulator.netsuite_api.errors import NetSuiteError, TokenError
from simulator.netsuite_api.select import MOST_RESULTS, Statement, translate
from simulator.netsuite_api.template import template
from simulator.netsuite_api.typed import Preferences
from simulator.served import Clock, Database
from simulator.units import Unit

SUITEQL = "/services/rest/query/v1/suiteql"
RECORDS = "/services/rest/record/v1/"
MOST_ROWS = 1000
_KEY_BITS = 3072
_JSON = "application/vnd.oracle.resource+json; type=collection"
_ERROR = "application/vnd.oracle.resource+json; type=error"
_REMEMBERED = 512
_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod}


class NetSuiteApi:
    """An ASGI app over one folder. `account` and `habits` may be changed while it runs."""

    secret_names = ("consumer_key", "consumer_secret", "token_id", "token_secret", "certificate_id", "private_key")

    def __init__(
        self, folder: Path, keys: dict[str, str], account: NetSuiteAccount | None, habits: Habits, clock: Clock
    ) -> None:
        account = account or NetSuiteAccount()
        self.account, self.habits, self.clock = account, habits, clock
        self.folder = folder
        self.auth = Auth(keys, account, habits)
        self._zone = dates.Zone(account.time_zone)
        self.database = Database(folder, self._prepare)
        self._statements: OrderedDict[tuple[object, ...], Statement] = OrderedDict()
        self._counts: OrderedDict[tuple[object, ...], int] = OrderedDict()
        self._records: tuple[object, dict[str, Record]] = (None, {})
        self._lock = threading.Lock()
        self._calls = itertools.count(1)
        self._running = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        if request.url.path == TOKEN_PATH:
            response = self._token(request, body)
        else:
            self._running += 1  # in the event loop: one thread
            try:
                response = await run_in_threadpool(self._answer, request, body, self._running)
            finally:
                self._running -= 1
        response.headers["Date"] = self.clock.http_date()
        await response(scope, receive, send)

    @staticmethod
    def make_keys() -> dict[str, str]:
        """Consumer, token and certificate."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        curve = pem(ec.generate_private_key(ec.SECP256R1()))
        return {
            **{name: secrets.token_hex(32) for name in ("consumer_key", "consumer_secret", "token_id", "token_secret")},
            "certificate_id": secrets.token_urlsafe(32),
            **pem(key),
            "ec_certificate_id": secrets.token_urlsafe(32),
            "ec_private_key": curve["private_key"],
            "ec_public_key": curve["public_key"],
        }

    def connection(self, url: str, unit: Unit) -> dict[str, Any]:
        """As in tieout.yml."""
        entities = {str(entity.number): entity.code for entity in unit.entities.values()}
        return {
            "system": "netsuite", "auth": "tba", "time_zone": self.account.time_zone,
            "legal_entity": next(iter(unit.entities)), "legal_entities": entities,
            "options": {"account": self.account.account, "base_url": url},
        }

    def start(self, url: str) -> None:
        """It speaks HTTP alone."""

    def close(self) -> None:
        """Free connections; the server must have stopped."""
        self.database.close()

    # --- routes

    def _answer(self, request: Request, body: bytes, running: int) -> Response:
        try:
            return self._routed(request, body, running)
        except NetSuiteError as error:
            headers = {"WWW-Authenticate": error.challenge} if error.challenge else {}
            return Response(orjson.dumps(error.body()), error.status, headers, _ERROR)
        except sqlite3.Error as error:
            failed = NetSuiteError(500, "UNEXPECTED_ERROR", f"An unexpected error occurred. Error ID: {error}")
            return Response(orjson.dumps(failed.body()), 500, None, _ERROR)

    def _routed(self, request: Request, body: bytes, running: int) -> Response:
        path, query = request.url.path, request.url.query
        address = f"{request.url.scheme}://{request.url.netloc}{path}"
        self.auth.check(request.method, address, query, request.headers)
        throttled = self.habits.throttled_every and next(self._calls) % self.habits.throttled_every == 0
        if throttled or running > self.habits.concurrency:
            detail = "Concurrent request limit exceeded. Request blocked."
            raise NetSuiteError(429, "CONCURRENCY_LIMIT_EXCEEDED", detail)
        if path == SUITEQL:
            return self._suiteql(request, body, address)
        if path.startswith(f"{RECORDS}metadata-catalog/") and request.method == "GET":
            return self._metadata(path.removeprefix(f"{RECORDS}metadata-catalog/"))
        if path.startswith(RECORDS) and request.method != "GET":
            detail = "Permission Violation: this role may not change records."
            raise NetSuiteError(403, "INSUFFICIENT_PERMISSION", detail)
        raise NetSuiteError(404, "NOT_FOUND", "The requested resource was not found.", at={"o:errorUrl": path})

    def _token(self, request: Request, body: bytes) -> Response:
        address = f"{request.url.scheme}://{request.url.netloc}{request.url.path}"
        try:
            if request.method != "POST":
                raise TokenError("invalid_request")
            granted = self.auth.token(dict(parse_qsl(body.decode("utf-8", "replace"))), address)
            return Response(orjson.dumps(granted), 200, None, "application/json")
        except TokenError as error:
            return Response(orjson.dumps({"error": error.error}), 400, None, "application/json")

    def _metadata(self, name: str) -> Response:
        record = self.records().get(name.lower())
        if record is None:
            raise NetSuiteError(404, "NONEXISTENT_ID", f"Record type '{name}' does not exist.")
        forms = {"boolean": {"type": "boolean"}, "integer": {"type": "integer"}, "amount": {"type": "number"},
                 "rate": {"type": "number"}, "date": {"type": "string", "format": "date"},
                 "stamp": {"type": "string", "format": "date-time"}}
        properties = {column: forms.get(kind, {"type": "string"}) for column, (kind, _) in record.columns.items()}
        body = orjson.dumps({"type": "object", "properties": properties})
        return Response(body, 200, None, "application/schema+json")

    # --- SuiteQL

    def _suiteql(self, request: Request, body: bytes, address: str) -> Response:
        if request.method != "POST":
            raise NetSuiteError(405, "METHOD_NOT_ALLOWED", f"Method {request.method} is not allowed for this resource.")
        if "transient" not in [part.strip() for part in request.headers.get("prefer", "").lower().split(",")]:
            detail = "The required request header 'Prefer' is missing or invalid. Set it to 'transient'."
            raise NetSuiteError(400, "INVALID_HEADER", detail, at={"o:errorHeader": "Prefer"})
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise NetSuiteError(415, "INVALID_CONTENT_TYPE", "Invalid content type. Use application/json.")
        limit, offset = _paging(request)
        statement, values = self._statement(_query(body))
        parameters = statement.bound(values)
        connection = self.database.connection()
        rows = connection.execute(
            statement.page, {**parameters, "page_limit": limit, "page_offset": offset}).fetchall()
        total = len(rows) if offset == 0 and len(rows) < limit else self._count(connection, statement, parameters)
        rows = rows[:max(0, MOST_RESULTS - offset)]
        more = offset + len(rows) < total
        head = {
            "links": _links(address, limit, offset, total, more), "count": len(rows), "hasMore": more,
        }
        items = ",".join(row for row, in rows)
        text = f'{orjson.dumps(head).decode()[:-1]},"items":[{items}],"offset":{offset},"totalResults":{total}}}'
        return Response(text.encode(), 200, None, _JSON)

    def _statement(self, query: str) -> tuple[Statement, dict[str, Any]]:
        """The translation, remembered by shape; the values differ from page to page."""
        shaped = template(query)
        key = (shaped.text, self._settings())
        with self._lock:
            found = self._statements.get(key)
        if found is None:
            preferences = Preferences(self._zone, self.account.date_format)
            found = translate(shaped.text, self.records(), preferences, self.account.json_numbers)
            _remember(self._statements, key, found, self._lock)
        return found, shaped.values

    def _count(self, connection: sqlite3.Connection, statement: Statement, parameters: dict[str, Any]) -> int:
        """How many rows the whole result has. Remembered until `sim.db` changes: the pages of one query ask again."""
        written = tuple(
            (path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None
            for path in (self.folder / "sim.db", self.folder / "sim.db-wal")
        )
        key = (statement.count, tuple(sorted(parameters.items())), written)
        with self._lock:
            found = self._counts.get(key)
        if found is None:
            found, = connection.execute(statement.count, parameters).fetchone()
            _remember(self._counts, key, found, self._lock)
        return found

    def _settings(self) -> tuple[object, ...]:
        a = self.account
        return (a.oneworld, a.multi_currency, a.multi_book, a.date_format, frozenset(a.hidden), a.json_numbers)

    def records(self) -> dict[str, Record]:
        """The record types as the account's features are now."""
        settings = self._settings()
        if self._records[0] != settings:
            self._records = (settings, visible(self.account))
        return self._records[1]

    # --- SQL functions

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA case_sensitive_like = ON")  # Oracle's LIKE is
        functions = {
            "wall": (1, self._zone.wall, True),
            "to_char": (2, dates.to_char, True),
            "written": (2, dates.written, True),
            "add_days": (2, dates.add_days, True),
            "exact": (3, exact, True),
            "local_now": (0, self._local_now, False),
            "preferred": (1, lambda wall: dates.preferred(wall, self.account.date_format), False),
        }
        for name, (arguments, function, deterministic) in functions.items():
            connection.create_function(name, arguments, function, deterministic=deterministic)

    def _local_now(self) -> str | None:
        return self._zone.wall(self.clock.now().strftime("%Y-%m-%d %H:%M:%S"))


def exact(sign: str, left: Any, right: Any) -> str | None:
    """Decimal arithmetic in SQL; `r` rounds half up, as Oracle does. NULL with NULL."""
    if left is None or right is None:
        return None
    one, other = Decimal(str(left)), Decimal(str(right))
    if sign == "r":
        return format(one.quantize(Decimal(1).scaleb(-int(other)), ROUND_HALF_UP), "f")
    return format(_OPERATIONS[sign](one, other), "f")


def _paging(request: Request) -> tuple[int, int]:
    limit = _number(request, "limit", MOST_ROWS)
    offset = _number(request, "offset", 0)
    if not 1 <= limit <= MOST_ROWS:
        raise _invalid("limit", f"Invalid value '{limit}' for the query parameter limit: 1 to {MOST_ROWS} are allowed.")
    if offset % limit:
        raise _invalid("offset", f"Invalid value '{offset}' for the query parameter offset: not divisible by limit.")
    if offset >= MOST_RESULTS:
        raise _invalid("offset", f"A query returns at most {MOST_RESULTS} results.")
    return limit, offset


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdigit():
        raise _invalid(name, f"Invalid value '{text}' for the query parameter {name}.")
    return int(text)


def _invalid(name: str, detail: str) -> NetSuiteError:
    return NetSuiteError(400, "INVALID_PARAMETER", detail, at={"o:errorQueryParam": name})


def _query(body: bytes) -> str:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("q"), str) or not found["q"].strip():
        raise NetSuiteError(400, "INVALID_CONTENT", "Invalid content in the request body: 'q' is required.",
                            at={"o:errorPath": "q"})
    return found["q"]


def _links(address: str, limit: int, offset: int, total: int, more: bool) -> list[dict[str, str]]:
    last = max(0, (total - 1) // limit * limit)
    wanted = []
    if offset:
        wanted += [("previous", offset - limit), ("first", 0)]
    if more:
        wanted += [("next", offset + limit), ("last", last)]
    wanted.append(("self", offset))
    return [{"rel": rel, "href": f"{address}?limit={limit}&offset={at}"} for rel, at in wanted]


def _remember(cache: OrderedDict[Any, Any], key: object, value: object, lock: threading.Lock) -> None:
    with lock:
        cache[key] = value
        while len(cache) > _REMEMBERED:
            cache.popitem(last=False)
