"""The proprietary CRM's REST interface: lists of articles, customers, deals and orders, with their lines where asked.

    GET /api/v1/{articles|customers|deals|orders}        changed_since, changed_before, expand=lines, and its paging
    GET /api/v1/{deals|orders}/{number}/lines            all lines of one document
    GET /api/v1/{…}/{number}

Bearer token. A parameter that it does not know is an error; so is a stamp without a Z. It gives fewer records than
asked for, leaves out what is empty, counts a client's calls, and answers 429 with Retry-After. `OwnCrmSite.paging` says
how its lists go on; the others' parameters are unknown to it then.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import secrets
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from simulator.habits import Habits, OwnCrmSite
from simulator.own_crm_meaning import LINES, streams
from simulator.own_crm_rows import OwnCrm
from simulator.schema import Table
from simulator.served import Clock, Database

ROOT = "/api/v1/"
_PATHS = {"articles": "article", "customers": "customer", "deals": "deal", "orders": "sales_order"}
_LINES = {head: table for table, (head, _) in LINES.items()}
_TABLES = {table.name: table for table in OwnCrm.tables()}
_PAGING: dict[str, set[str]] = {
    "page": {"page", "per_page"}, "offset": {"offset", "limit"}, "cursor": {"cursor", "limit"},
    "link": {"after", "limit"}, "body": {"after", "limit"}}
_WORDS: dict[str, dict[str, Any]] = {
    "page": {"by": "page", "param": "page", "size_param": "per_page", "size": 100, "total": "total"},
    "offset": {"by": "offset", "param": "offset", "size_param": "limit", "size": 100, "total": "total"},
    "cursor": {"by": "cursor", "param": "cursor", "size_param": "limit", "size": 100, "path": "next_cursor"},
    "link": {"by": "link", "size_param": "limit", "size": 100},
    "body": {"by": "body", "path": "links.next", "size_param": "limit", "size": 100}}
_CHANGED = {"changed_since": ">=", "changed_before": "<"}


class RestError(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.response = Response(json.dumps({"error": {"code": code, "message": message}}), status,
                                 {name.replace("_", "-"): text for name, text in headers.items()}, "application/json")


class Rest:
    """An ASGI app. `site` and `habits` may be changed while it runs."""

    def __init__(self, database: Database, keys: dict[str, str], site: OwnCrmSite, habits: Habits, clock: Clock,
                 ) -> None:
        self._database, self._keys, self._clock = database, keys, clock
        self.site, self.habits = site, habits
        self._calls = itertools.count(1)

    def words(self, url: str) -> dict[str, Any]:
        """The connection's part in tieout.yml."""
        return {"protocol": "rest", "auth": "bearer", "streams": streams(_read), "options": {
            "base_url": f"{url}{ROOT.rstrip('/')}", "paging": _WORDS[self.site.paging]}}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        response = await run_in_threadpool(self._answer, Request(scope, receive))
        response.headers["Date"] = self._clock.http_date()
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        try:
            return self._routed(request)
        except RestError as error:
            return error.response

    def _routed(self, request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given, f"Bearer {self._keys.get('token', secrets.token_hex())}"):
            raise RestError(401, "unauthorized", "send a valid bearer token", WWW_Authenticate="Bearer")
        every = self.habits.own_crm_throttled_every
        if every and next(self._calls) % every == 0:
            raise RestError(429, "too_many_calls", "slow down", Retry_After="1")
        if request.method != "GET":
            raise RestError(405, "method_not_allowed", "this interface only reads", Allow="GET")
        steps = request.url.path.removeprefix(ROOT).split("/")
        if not request.url.path.startswith(ROOT) or steps[0] not in _PATHS:
            raise RestError(404, "not_found", f"there is no {request.url.path}")
        table = _TABLES[_PATHS[steps[0]]]
        if len(steps) == 1:
            return self._list(request, table)
        found = self._rows(table, f'"{table.key[0]}" = ?', [steps[1]])
        if not found or len(steps) > 3 or (len(steps) == 3 and (steps[2] != "lines" or table.name not in _LINES)):
            raise RestError(404, "not_found", f"there is no {request.url.path}")
        self._known(request, set())
        if len(steps) == 2:
            return _json(_record(table, found[0]))
        return _json(f'{{"items":[{",".join(self._lines(table, steps[1]))}]}}')

    # --- lists --------------------------------------------------------------------------------------------------------

    def _list(self, request: Request, table: Table) -> Response:
        stamped = "changed_at" in table.columns
        asked = self._known(request, _PAGING[self.site.paging] | (set(_CHANGED) if stamped else set())
                            | ({"expand"} if table.name in _LINES else set()))
        if asked.get("expand", "lines") != "lines":
            raise RestError(400, "bad_value", f"expand={asked['expand']}: only lines can be expanded")
        conditions, values = ["1 = 1"], []
        for name, sign in _CHANGED.items():
            if name in asked:
                conditions.append(f"changed_at {sign} ?")
                values.append(_stamp(name, asked[name]))
        wanted = _number(asked, "per_page" if self.site.paging == "page" else "limit", 50, 1)
        size = min(wanted, self.habits.own_crm_rows)
        asked_for = {name: asked[name] for name in ("changed_since", "changed_before", "expand") if name in asked}
        return self._page(request, table, " and ".join(conditions), values, size, asked, asked_for)

    def _page(self, request: Request, table: Table, condition: str, values: list[str], size: int, asked: dict[str, str],
              asked_for: dict[str, str]) -> Response:
        key, paging = table.key[0], self.site.paging
        more, headers = [], {}
        if paging in ("page", "offset"):
            start = _number(asked, "offset", 0, 0) if paging == "offset" else (_number(asked, "page", 1, 1) - 1) * size
            rows = self._rows(table, f'{condition} order by "{key}" limit {size} offset {start}', values)
            more.append(f'"total":{self._count(table, condition, values)}')
        else:
            after = self._after(asked.get("cursor" if paging == "cursor" else "after"), asked_for)
            rows = self._rows(table, f'{condition} and "{key}" > ? order by "{key}" limit {size + 1}', [*values, after])
            if len(rows) > size:
                rows = rows[:size]
                token = self._token(str(rows[-1][table.columns.index(key)]), asked_for)
                further = f"{request.url.path}?{urlencode(asked_for | {'after': token, 'limit': str(size)})}"
                if paging == "cursor":
                    more.append(f'"next_cursor":{json.dumps(token)}')
                elif paging == "body":
                    more.append(f'"links":{{"next":{json.dumps(further)}}}')
                else:
                    first = f"{request.url.path}?{urlencode(asked_for)}"
                    headers["Link"] = f'<{first}>; rel="first", <{further}>; rel="next"'
        texts = []
        for row in rows:
            lines = self._lines(table, str(row[table.columns.index(key)])) if "expand" in asked_for else None
            texts.append(_record(table, row, lines))
        return _json("{" + ",".join([f'"items":[{",".join(texts)}]', *more]) + "}", headers)

    def _known(self, request: Request, names: set[str]) -> dict[str, str]:
        asked = request.query_params.multi_items()
        for name, _ in asked:
            if name not in names:
                raise RestError(400, "unknown_parameter", f"{name} is no parameter of {request.url.path}")
        if len({name for name, _ in asked}) < len(asked):
            raise RestError(400, "bad_value", "a parameter comes twice")
        return dict(asked)

    def _token(self, key: str, asked_for: dict[str, str]) -> str:
        """A place in this very list: for another question it is none."""
        mark = hashlib.sha256(json.dumps(asked_for, sort_keys=True).encode()).hexdigest()[:8]
        return base64.urlsafe_b64encode(f"{mark}:{key}".encode()).decode()

    def _after(self, token: str | None, asked_for: dict[str, str]) -> str:
        if token is None:
            return ""
        try:
            _, _, key = base64.urlsafe_b64decode(token).decode().partition(":")
        except ValueError:
            key = ""
        if self._token(key, asked_for) != token:
            raise RestError(400, "bad_cursor", "this cursor is not of this list")
        return key

    # --- records ------------------------------------------------------------------------------------------------------

    def _rows(self, table: Table, rest: str, values: list[str]) -> list[tuple]:
        names = ", ".join(f'"{one}"' for one in table.columns)
        return self._database.connection().execute(f'select {names} from "{table.sql_name}" where {rest}', values
                                                   ).fetchall()

    def _count(self, table: Table, condition: str, values: list[str]) -> int:
        return self._database.connection().execute(f'select count(*) from "{table.sql_name}" where {condition}', values
                                                   ).fetchone()[0]

    def _lines(self, head: Table, number: str) -> list[str]:
        table = _TABLES[_LINES[head.name]]
        owner = table.key[0]
        return [_record(table, row, without=owner)
                for row in self._rows(table, f'"{owner}" = ? order by line_no', [number])]


def _read(table: str) -> dict[str, Any]:
    """How a table is read: whole, by its stamp, or nested in its document."""
    paths = {name: path for path, name in _PATHS.items()}
    if table in LINES:
        stream, column = LINES[table]
        return {"parent": {"stream": stream, "column": column}, "explode": "lines"}
    told: dict[str, Any] = {"path": paths[table], "records": "items"}
    if table not in _LINES:
        return {"mode": "full", "options": told}
    told["params"] = {"expand": "lines", "changed_since": "{start}", "changed_before": "{end}"}
    return {"cursor": "changed_at", "options": told}


def _record(table: Table, row: tuple, lines: list[str] | None = None, *, without: str = "") -> str:
    """A JSON object; amounts are numbers with all their digits, and what is empty is left out."""
    parts = []
    for field, value in zip(table.fields, row, strict=True):
        if value is None or field.name == without:
            continue
        if field.kind == "stamp":
            value = f"{value[:10]}T{value[11:]}Z"
        parts.append(f'"{field.name}":{value if field.kind in ("amount", "integer") else json.dumps(value)}')
    if lines is not None:
        parts.append(f'"lines":[{",".join(lines)}]')
    return "{" + ",".join(parts) + "}"


def _json(text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(text, 200, headers, "application/json")


def _stamp(name: str, text: str) -> str:
    """2026-03-31T22:00:00Z as `sim.db` has it."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise RestError(400, "bad_value", f"{name}={text}: write 2026-03-31T22:00:00Z") from None


def _number(asked: dict[str, str], name: str, default: int, least: int) -> int:
    text = asked.get(name, str(default))
    if not text.isdigit() or int(text) < least:
        raise RestError(400, "bad_value", f"{name}={text}: a number from {least} on")
    return int(text)
