"""A small receiver of signed vendor events: whoever has something new says so, and landing begins at once.

An event starts nothing by itself and brings no data: it makes Airflow note an event of the connection's asset, for
which its landing waits beside its schedule, and the landing reads what changed as it always does. So a lost event
costs the time until the next scheduled run, and a forged one, were it possible, a landing of nothing.

    POST /events/<connection>
    Tieout-Timestamp: <seconds since 1970>
    Tieout-Nonce: <16 to 128 letters, digits, - or _; new for every event>
    Tieout-Signature: v1=<hex of HMAC-SHA256, key: the connection's webhook_secret, of "<timestamp>.<nonce>.<body>">

202 accepted; 401 not signed by the connection's secret, or older than five minutes; 409 came before; 413 too long; 503
Airflow is away: the event may be sent again as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tieout import logs, warehouse
from tieout.dag_words import event_asset, land_dag_id
from tieout.errors import TieoutError
from tieout.secrets import webhook_secret
from tieout.settings import settings

if TYPE_CHECKING:
    import httpx
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

WINDOW_SECONDS = 300
MOST_BYTES = 256 * 1024
log = logs.logger(__name__)
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,128}")
_SECONDS = re.compile(r"[0-9]{1,12}")


class Rejected(TieoutError):
    """An event that is not taken. `status`: as in HTTP."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def signature(secret: str, timestamp: str, nonce: str, body: bytes) -> str:
    """What the header Tieout-Signature has to say."""
    signed = f"{timestamp}.{nonce}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


@dataclass
class Receiver:
    """Checks events and tells Airflow. `tell` is given the connection's name, and returns what became of it."""

    tell: Callable[[str], str]
    now: Callable[[], float] = time.time

    def receive(self, name: str, headers: dict[str, str], body: bytes) -> str:
        """Take one event. Raises Rejected. Who has no secret learns nothing, not even which names there are."""
        timestamp, nonce = headers.get("tieout-timestamp", ""), headers.get("tieout-nonce", "")
        if not _SECONDS.fullmatch(timestamp) or not _NONCE.fullmatch(nonce):
            raise Rejected(400, "needed: Tieout-Timestamp (seconds), Tieout-Nonce (16 to 128 letters, digits, - or _)")
        found = settings().company.connections.get(name)
        secret = webhook_secret(found) if found and found.webhook else "no such connection"
        told = headers.get("tieout-signature", "")
        is_signed = hmac.compare_digest(signature(secret, timestamp, nonce, body).encode(), told.encode())
        if found is None or not found.webhook or not is_signed:
            raise Rejected(401, "not signed by the secret of this connection")
        if abs(self.now() - int(timestamp)) > WINDOW_SECONDS:
            raise Rejected(401, f"its timestamp is more than {WINDOW_SECONDS} s from now")
        return self._once(name, nonce)

    def _once(self, name: str, nonce: str) -> str:
        """The nonce is spent in the transaction in which Airflow takes the event: both, or neither."""
        with warehouse.connect("loader", application="tieout webhook") as db:
            db.execute("delete from ops.webhook_nonce where received_at < clock_timestamp() - interval '1 hour'")
            spent = db.execute(
                "insert into ops.webhook_nonce (connection, nonce) values (%s, %s) on conflict do nothing",
                (name, nonce))
            if not spent.rowcount:
                raise Rejected(409, "this event was received before")
            return self.tell(name)


@dataclass
class Airflow:
    """Airflow's REST API, as far as events go.

    A landing that is queued and has not begun will see what the event tells of: such an event joins it, so that a burst
    of events makes one landing run and one that waits, never a pile.
    """

    client: httpx.Client
    user: str
    password: str
    _token: str = ""
    _assets: dict[str, int] = field(default_factory=dict)

    def tell(self, name: str) -> str:
        """Note an event of the connection's asset. Rejected (503) where Airflow does not take it."""
        waiting = self._ask("GET", f"/api/v2/dags/{land_dag_id(name)}/dagRuns", params={"state": "queued", "limit": 1})
        if waiting.get("total_entries"):
            return "joined a landing that waits"
        self._ask("POST", "/api/v2/assets/events", json={"asset_id": self._asset(name), "extra": {"by": "webhook"}})
        return "a landing begins"

    def _asset(self, name: str) -> int:
        if name not in self._assets:
            wanted, uri = event_asset(name)
            found = self._ask("GET", "/api/v2/assets", params={"name_pattern": wanted, "limit": 100})
            numbers = [one["id"] for one in found.get("assets", ()) if one["uri"].rstrip("/") == uri]
            if not numbers:
                raise Rejected(503, f"Airflow knows no asset {wanted}: the DAG {land_dag_id(name)} is not parsed yet")
            self._assets[name] = numbers[0]
        return self._assets[name]

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        import httpx

        for is_last in (False, True):
            try:
                answer = self.client.request(method, path, headers={"authorization": f"Bearer {self._token}"}, **more)
                if answer.status_code == 401 and not is_last:
                    told = self.client.post("/auth/token", json={"username": self.user, "password": self.password})
                    self._token = told.raise_for_status().json()["access_token"]
                    logs.register_secret(self._token)
                    continue
                return answer.raise_for_status().json()
            except (httpx.HTTPError, ValueError, KeyError) as error:
                log.warning("Airflow does not take an event: %s", error)
                break
        raise Rejected(503, "Airflow is away, or does not take the event; send it again")


def application(receiver: Receiver) -> Starlette:
    """The receiver as an ASGI application."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def receive(request: Request) -> Response:
        name = request.path_params["connection"]
        try:
            body = await _body(request)
            said = await run_in_threadpool(receiver.receive, name, dict(request.headers), body)
        except ClientDisconnect:
            return JSONResponse({"error": "the event ended early"}, 400)
        except Rejected as rejection:
            log.warning("event refused: %s", rejection, extra={"connection": name, "status": rejection.status})
            return JSONResponse({"error": str(rejection)}, rejection.status)
        except TieoutError as error:  # the warehouse is away, a secret is missing: what is wrong is ours to know
            log.error("event not taken: %s", error, extra={"connection": name})
            return JSONResponse({"error": "not ready; send it again"}, 503)
        log.info("event: %s", said, extra={"connection": name})
        return JSONResponse({"said": said}, 202)

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "healthy"})

    return Starlette(routes=[Route("/events/{connection}", receive, methods=["POST"]), Route("/health", healthy)])


async def _body(request: Request) -> bytes:
    """The raw body, never more of it than may be."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise Rejected(413, f"more than {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
