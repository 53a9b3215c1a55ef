"""The routes of one company: query, change data capture, single records, batch, reports, and the token endpoint."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from simulator.clock import FIRST_DAY, date_text, moment_of
from simulator.habits import Habits, QuickBooksApp
from simulator.quickbooks_api import query, reports
from simulator.quickbooks_api.auth import TOKEN_PATH, Auth, make_keys
from simulator.quickbooks_api.errors import Fault, TokenError, not_found, not_supported
from simulator.quickbooks_master import PACIFIC, told
from simulator.quickbooks_schema import FILTERS, LISTS, TRANSACTIONS
from simulator.served import Clock, Database

MOST_OBJECTS, LOOKBACK_DAYS, MOST_BATCHED = 1000, 30, 30
TRACKED = (*TRANSACTIONS, *(name for name in LISTS if name != "CompanyCurrency"))
_FLOOR = 75
AUTHORIZE_PATH, REVOKE_PATH = "/connect/oauth2", "/v2/oauth2/tokens/revoke"
_DISCOVERY = {"/.well-known/openid_configuration": False, "/.well-known/openid_sandbox_configuration": True}
_JSON, _XML = "application/json;charset=UTF-8", "application/xml;charset=UTF-8"


class QuickBooksApi:
    """An ASGI app over one folder. `account` and `habits` may be changed while it runs."""

    secret_names: ClassVar[tuple[str, ...]] = ("client_id", "client_secret", "refresh_token")

    def __init__(
        self, folder: Path, keys: dict[str, str], account: QuickBooksApp | None, habits: Habits, clock: Clock
    ) -> None:
        self.folder, self.habits, self.clock, self._keys = folder, habits, clock, keys
        self.account = account or QuickBooksApp()
        self.auth = Auth(folder, keys, habits)
        self.database = Database(folder, self._prepare)
        self.statements: list[str] = []  # what was asked, for tests
        self._calls, self._throttles = itertools.count(1), itertools.count()
        self._moved: dict[tuple[str, str], str] = {}  # records that changed while they were paged
        self._lock = threading.Lock()

    @property
    def realm(self) -> str:
        """The company's id."""
        return self._keys["realm_id"]

    @staticmethod
    def make_keys() -> dict[str, str]:
        """New credentials."""
        return make_keys()

    def connection(self, url: str, unit: Any) -> dict[str, Any]:
        """This connection as it stands in tieout.yml."""
        (entity,) = unit.entities.values()
        return {
            "system": "quickbooks", "auth": "refresh_token", "time_zone": "America/Los_Angeles",
            "start_date": date_text(FIRST_DAY - 60), "legal_entity": entity.code, "currency": entity.currency,
            "options": {"realm_id": self.realm, "base_url": url, "token_url": f"{url}{TOKEN_PATH}"},
        }

    def start(self, url: str) -> None:
        """Nothing but HTTP is served."""

    def close(self) -> None:
        """Free connections; the server must have stopped."""
        self.database.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._answer, request, body)
        response.headers["Date"] = self.clock.http_date()
        response.headers["intuit_tid"] = f"1-{uuid.uuid4()}"
        await response(scope, receive, send)

    # --- routes

    def _answer(self, request: Request, body: bytes) -> Response:
        wants_json = "application/json" in request.headers.get("accept", "")
        try:
            if (found := self._of_identity(request, body)) is not None:
                return found
            self.auth.check(request.headers)
            self._misbehave()
            return _written(self._routed(request, body), 200, as_json=wants_json)
        except TokenError as error:
            return Response(error.body(), 401 if error.error == "invalid_client" else 400, None, _JSON)
        except Fault as fault:
            found = _written(fault.body(self._time()), fault.status, as_json=wants_json or fault.gateway)
            if fault.after is not None:
                found.headers["Retry-After"] = f"{fault.after:g}"
            return found
        except sqlite3.Error as error:
            return _written(Fault(500, "10000", "SystemFault", "An application error has occurred", str(error))
                            .body(self._time()), 500, as_json=wants_json)

    def _of_identity(self, request: Request, body: bytes) -> Response | None:
        """OAuth 2 and its discovery."""
        path, base = request.url.path, f"{request.url.scheme}://{request.url.netloc}"
        if path in _DISCOVERY:
            return Response(json.dumps({
                "issuer": "https://oauth.platform.intuit.com/op/v1",
                "authorization_endpoint": f"{base}{AUTHORIZE_PATH}",
                "token_endpoint": f"{base}{TOKEN_PATH}", "revocation_endpoint": f"{base}{REVOKE_PATH}",
                "userinfo_endpoint": f"{base}/v1/openid_connect/userinfo", "jwks_uri": f"{base}/op/v1/jwks",
                "scopes_supported": ["openid", "com.intuit.quickbooks.accounting"],
            }), 200, None, _JSON)
        if path == TOKEN_PATH:
            if request.method != "POST":
                return Response("", 405)
            form = dict(parse_qsl(body.decode("utf-8", "replace")))
            return Response(json.dumps(self.auth.token(request.headers, form)), 200, None, _JSON)
        if path == AUTHORIZE_PATH:
            words = request.query_params
            target = f"{words['redirect_uri']}?code={self.auth.code()}&state={words.get('state', '')}"
            return RedirectResponse(f"{target}&realmId={self.realm}", 302)
        if path == REVOKE_PATH:
            self.auth.revoke(body.decode("utf-8", "replace"))
            return Response("", 200)
        return None

    def _misbehave(self) -> None:
        call, habits = next(self._calls), self.habits
        if habits.quickbooks_throttled_every and call % habits.quickbooks_throttled_every == 0:
            status = 429 if next(self._throttles) % 2 else 403
            raise Fault(status, "3001", "SERVICE", "message=ThrottleExceeded; errorCode=003001; statusCode=403",
                        gateway=True, after=habits.quickbooks_retry_after)
        if habits.quickbooks_faults_in_200_every and call % habits.quickbooks_faults_in_200_every == 0:
            raise Fault(200, "10000", "SystemFault", "An application error has occurred while processing your request",
                        "System Failure Error: retry", after=habits.quickbooks_retry_after)

    def _routed(self, request: Request, body: bytes) -> dict[str, Any]:
        _, v3, word, realm, *rest = [*request.url.path.split("/"), "", "", ""]
        rest = [part for part in rest if part]
        if (v3, word) != ("v3", "company") or not rest:
            raise Fault(404, "3100", "SERVICE", "message=NotFound", gateway=True)
        if realm != self.realm:
            raise Fault(403, "3100", "AUTHORIZATION", "message=ApplicationAuthorizationFailed; errorCode=003100; "
                        "statusCode=403", gateway=True)
        words = dict(request.query_params)
        minor = words.get("minorversion", str(_FLOOR))
        if not minor.isdigit() or int(minor) > 200:
            raise not_supported("minorversion")
        head, *more = rest
        if head == "query" and not more:
            is_text = request.headers.get("content-type", "").startswith("application/text")
            if request.method == "POST" and not is_text:
                raise not_supported("Content-Type")
            statement = body.decode() if request.method == "POST" else words.get("query", "")
            return {"QueryResponse": self._queried(statement), "time": self._time()}
        if head == "batch" and request.method == "POST":
            return self._batch(body)
        if request.method != "GET":
            raise Fault(405, "10000", "SystemFault", "This user may only read.")
        if head == "cdc":
            return self._cdc(words)
        if head == "reports" and more:
            return reports.report(self.database.connection(), more[0], words, self._home(), self._time())
        if head == "exchangerate":
            return self._one_rate(words)
        return self._single(head, more)

    def _batch(self, body: bytes) -> dict[str, Any]:
        try:
            items = json.loads(body)["BatchItemRequest"]
        except (ValueError, KeyError, TypeError):
            raise not_supported("BatchItemRequest") from None
        if len(items) > MOST_BATCHED:
            raise Fault(400, "1040", "ValidationFault", "Batch size exceeded", f"at most {MOST_BATCHED} items")
        found = []
        for item in items:
            try:
                found.append({"QueryResponse": self._queried(item.get("Query", "")), "bId": item.get("bId")})
            except Fault as fault:  # with status 200
                found.append({"Fault": fault.body("")["Fault"], "bId": item.get("bId")})
        return {"BatchItemResponse": found, "time": self._time()}

    def _single(self, head: str, more: list[str]) -> dict[str, Any]:
        name = {entity.lower(): entity for entity in FILTERS}.get(head.lower())
        if name is None or name == "ExchangeRate" or (not more and name != "Preferences"):
            raise not_supported(head)
        identity = "1" if name in ("Preferences", "CompanyInfo") else more[0]
        found = self._rows(f"SELECT id, moved, body FROM \"quickbooks__{name}\" WHERE id = ?", [identity])
        if not found:
            raise not_found(f"{name} {identity}")
        return {name: self._record(name, found[0]), "time": self._time()}

    # --- queries and changes

    def _queried(self, text: str) -> dict[str, Any]:
        statement = query.parse(text)
        self.statements.append(text)
        if statement.entity == "ExchangeRate":
            return self._rates(statement)
        where, values = query.condition(statement)
        source = f"(SELECT id, shown('{statement.entity}', id, moved) AS moved, active, body " \
                 f"FROM \"quickbooks__{statement.entity}\")"
        if statement.is_count:
            ((count,),) = self._rows(f"SELECT count(*) FROM {source} WHERE {where}", values)
            return {"totalCount": count}
        order = ", ".join(f"{query.column(name)} {'DESC' if down else 'ASC'}" for name, down in statement.order)
        found = self._rows(f"SELECT id, moved, body FROM {source} WHERE {where} ORDER BY {order or 'id'} "
                           f"LIMIT {statement.limit} OFFSET {statement.start - 1}", values)
        if not found:
            return {}
        records = [self._record(statement.entity, row) for row in found]
        if self.habits.quickbooks_moving and len(found) == statement.limit and statement.entity in TRANSACTIONS:
            self._move(statement.entity, found[0][0])
        if statement.fields:
            kept = {name.partition(".")[0] for name in statement.fields} | {"domain", "sparse", "Id"}
            records = [{name: value for name, value in each.items() if name in kept} for each in records]
        return {statement.entity: records, "startPosition": statement.start, "maxResults": len(records)}

    def _rates(self, statement: query.Statement) -> dict[str, Any]:
        told = {name: values for name, _, values in statement.where}
        codes = told.get("SourceCurrencyCode") or [code for (code,) in self._rows(
            "SELECT DISTINCT source FROM quickbooks__rate", [])]
        day = (told.get("AsOfDate") or (self._today(),))[0]
        rates = [rate for code in codes if (rate := self._rate(code, day))]
        return {"ExchangeRate": rates, "startPosition": 1, "maxResults": len(rates)} if rates else {}

    def _one_rate(self, words: dict[str, str]) -> dict[str, Any]:
        rate = self._rate(words.get("sourcecurrencycode", ""), words.get("asofdate") or self._today())
        if rate is None:
            raise not_found("ExchangeRate")
        return {"ExchangeRate": rate, "time": self._time()}

    def _rate(self, code: str, day: str) -> dict[str, Any] | None:
        """The rate of the day, or the latest that is known."""
        found = self._rows("SELECT day, rate FROM quickbooks__rate WHERE source = ? AND day <= ? ORDER BY day DESC "
                           "LIMIT 1", [code, day])
        if not found:
            return None
        return {"SourceCurrencyCode": code, "TargetCurrencyCode": self._home(), "Rate": float(found[0][1]),
                "AsOfDate": day, "MetaData": {"LastUpdatedTime": self._time(milliseconds=False)}}

    def _cdc(self, words: dict[str, str]) -> dict[str, Any]:
        if strange := set(words) - {"entities", "changedSince", "minorversion"}:
            raise not_supported(min(strange))
        try:
            since = query.utc(words.get("changedSince", ""))
        except ValueError:
            raise not_supported("changedSince") from None
        oldest = self.clock.now() - timedelta(days=LOOKBACK_DAYS)
        if since < oldest.strftime("%Y-%m-%d %H:%M:%S"):
            raise not_supported("changedSince")
        left, found = MOST_OBJECTS, []
        for entity in words.get("entities", "").split(","):
            if entity not in TRACKED:
                raise not_supported(f"entities: {entity}")
            changed = self._changed(entity, since)[:left]
            left -= len(changed)
            found.append({entity: changed, "startPosition": 1, "maxResults": len(changed)} if changed else {})
        return {"CDCResponse": [{"QueryResponse": found}], "time": self._time()}

    def _changed(self, entity: str, since: str) -> list[dict[str, Any]]:
        rows = self._rows(f"SELECT id, shown('{entity}', id, moved) AS moved, body FROM \"quickbooks__{entity}\" "
                          f"WHERE shown('{entity}', id, moved) >= ? ORDER BY 2, id", [since])
        records = [self._record(entity, row) for row in rows]
        gone = self._rows("SELECT id, moved FROM quickbooks__deleted WHERE entity = ? AND moved >= ?", [entity, since])
        return records + [{"domain": "QBO", "status": "Deleted", "Id": identity,
                           "MetaData": {"LastUpdatedTime": _local(moved)}} for identity, moved in gone]

    def _record(self, entity: str, row: tuple[str, str, str]) -> dict[str, Any]:
        identity, moved, body = row
        found = json.loads(body)
        if (entity, identity) in self._moved:
            found["MetaData"]["LastUpdatedTime"] = _local(moved)
            found["SyncToken"] = str(int(found["SyncToken"]) + 1)
        return found

    def _move(self, entity: str, identity: str) -> None:
        """Somebody saves the record while it is paged: it goes to the end of the order, and all behind it move up."""
        with self._lock:
            self._moved.setdefault((entity, identity), self.clock.now().strftime("%Y-%m-%d %H:%M:%S"))

    def _shown(self, entity: str, identity: str, moved: str) -> str:
        return max(moved, self._moved.get((entity, identity), ""))

    # --- words

    def _rows(self, statement: str, values: list[Any]) -> list[Any]:
        return self.database.connection().execute(statement, values).fetchall()

    def _home(self) -> str:
        ((body,),) = self._rows("SELECT body FROM \"quickbooks__Preferences\"", [])
        return json.loads(body)["CurrencyPrefs"]["HomeCurrency"]["value"]

    def _today(self) -> str:
        return str(self.clock.now().astimezone(PACIFIC).date())

    def _time(self, *, milliseconds: bool = True) -> str:
        return self.clock.now().astimezone(PACIFIC).isoformat(timespec="milliseconds" if milliseconds else "seconds")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.create_function("utc", 1, query.utc, deterministic=True)
        connection.create_function("shown", 3, self._shown)


def _local(moved: str) -> str:
    return told(moment_of(moved))


def _written(value: dict[str, Any], status: int, *, as_json: bool) -> Response:
    if as_json:
        return Response(json.dumps(value, separators=(",", ":"), ensure_ascii=False), status, None, _JSON)
    inner = "".join(_xml(name, each) for name, each in value.items() if name != "time")
    text = ('<?xml version="1.0" encoding="UTF-8" standalone="yes"?><IntuitResponse '
            f'xmlns="http://schema.intuit.com/finance/v3" time="{value.get("time", "")}">{inner}</IntuitResponse>')
    return Response(text, status, None, _XML)


def _xml(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_xml(name, each) for each in value)
    if isinstance(value, dict):
        marks = "".join(f' {key}="{escape(str(each))}"' for key, each in value.items()
                        if name in ("Fault", "Error") and key in ("type", "code", "element"))
        inner = "".join(_xml(key, each) for key, each in value.items()
                        if not (marks and key in ("type", "code", "element")))
        return f"<{name}{marks}>{inner}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>"
