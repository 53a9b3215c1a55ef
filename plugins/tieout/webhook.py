"""A small receiver of signed vendor events: whoever has something new says so, and landing begins at once.

An event starts nothing by itself and brings no data: it makes Airflow note an event of the connection's asset, for
which its landing waits beside its schedule, and the landing reads what changed as it always does. So a lost event
costs the time until the next scheduled run, and a forged one, were it possible, a landing of nothing.

    POST /events/<connection>
    Tieout-Timestamp: <seconds since 1970>
    Tieout-Nonce: <16 to 128 letters, digits, - or _; new for every event>
    Tieout-Signature: v1=<hex of HMAC-SHA256, key: the connection's webhook_secret, of "<timestamp>.<nonce>.<body>">

A vendor that signs in its own way (`webhook` of its source.yml) sends that: base64 of HMAC-SHA256 of the raw body. Such
a signature holds no time, so an id is remembered for longer than the vendor repeats an event; and a repeated one is
accepted and begins nothing, for a vendor whose events are refused sends no more of them. A vendor that has one address
for all companies of an app tells in the body whose events they are: each connection that shares the secret is told.

202 accepted; 401 not signed by the connection's secret, or older than five minutes; 409 came before; 413 too long; 503
Airflow is away: the event may be sent again as it is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tieout import logs, warehouse, webhook_body
from tieout.dag_words import event_asset, land_dag_id
from tieout.errors import SecretError, TieoutError
from tieout.secrets import webhook_secret
from tieout.settings import settings

if TYPE_CHECKING:
    import httpx
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from tieout.spec import Connection, Webhook

WINDOW_SECONDS = 300
MOST_BYTES = 256 * 1024
MOST_VENDOR_BYTES = 8 * 1024 * 1024  # a vendor sends the record along, whatever its size
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


def vendor_signature(secret: str, body: bytes) -> str:
    """What the header of a vendor that signs its events itself has to say."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


@dataclass
class Receiver:
    """Checks events and tells Airflow. `tell` is given the connection's name, and returns what became of it."""

    tell: Callable[[str], str]
    now: Callable[[], float] = time.time

    def receive(self, name: str, headers: dict[str, str], body: bytes) -> str:
        """Take one event. Raises Rejected. Who has no secret learns nothing, not even which names there are."""
        if (known := _vendors(name)) is not None:
            return self._of_vendor(*known, headers, body)
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
        told = self._once(name, nonce)
        if told is None:
            raise Rejected(409, "this event was received before")
        return told

    def _of_vendor(self, found: Connection, told: Webhook, headers: dict[str, str], body: bytes) -> str:
        """An event that the vendor signed itself."""
        given = headers.get(told.signature.lower(), "").encode()
        if not hmac.compare_digest(vendor_signature(webhook_secret(found), body).encode(), given):
            raise Rejected(401, "not signed by the secret of this connection")
        if told.forms:
            return self._of_body(found, told, body)
        sender = _sender(found, told)
        if sender and headers.get(told.sender.lower(), "").lower() != sender:
            raise Rejected(401, f"not sent by {sender}")
        name, topic = headers.get(told.id.lower(), ""), headers.get(told.topic.lower(), "")
        if not name or len(name) > 128:
            raise Rejected(400, f"needed: {told.id}")
        if not _begins(told, topic):
            log.warning("an event that begins no landing: %s", topic, extra={"connection": found.name})
            return "taken; it begins no landing"
        return self._once(found.name, name) or "received before"

    def _of_body(self, found: Connection, told: Webhook, body: bytes) -> str:
        """Events that their body tells, of this connection and of those that share its secret. A repeated body is known
        by its digest."""
        events = webhook_body.events(body, told.forms)
        if events is None:
            raise Rejected(400, "signed, and no JSON")
        senders = {sender.lower() for sender, topic in events if _begins(told, topic)}
        wanted = [each for each in _sharing(found) if _sender(each, told) in senders]
        if not wanted:
            words = sorted({f"{topic} of {sender}" for sender, topic in events})[:5] or ["nothing that is known"]
            log.warning("events that begin no landing: %s", ", ".join(words), extra={"connection": found.name})
            return "taken; it begins no landing"
        digest = hashlib.sha256(body).hexdigest()
        said = [(each.name, self._once(each.name, digest) or "received before") for each in wanted]
        return "; ".join(f"{name}: {what}" for name, what in said)

    def _once(self, name: str, nonce: str) -> str | None:
        """The nonce is spent in the transaction in which Airflow takes the event. None: it was spent before."""
        with warehouse.connect("loader", application="tieout webhook") as db:
            db.execute("delete from ops.webhook_nonce where received_at < clock_timestamp() - interval '2 days'")
            spent = db.execute(
                "insert into ops.webhook_nonce (connection, nonce) values (%s, %s) on conflict do nothing",
                (name, nonce))
            return self.tell(name) if spent.rowcount else None


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
                # No token yet: no header. An empty one is no header that may be sent.
                headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
                answer = self.client.request(method, path, headers=headers, **more)
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


class _Options(dict):
    """A connection's options; one that is not given is nothing."""

    def __missing__(self, word: str) -> str:
        return ""


def _sender(found: Connection, told: Webhook) -> str:
    """What the vendor calls the sender of this connection's events."""
    return told.sender_is.format_map(_Options(found.options)).lower()


def _begins(told: Webhook, topic: str) -> bool:
    return any(fnmatchcase(topic, each) for each in told.topics)


def _sharing(found: Connection) -> list[Connection]:
    """The connection, and the others of its system whose events are signed by the same secret."""
    secret, same = webhook_secret(found), [found]
    for each in settings().company.connections.values():
        if each.name == found.name or not each.webhook or each.system != found.system:
            continue
        try:
            if hmac.compare_digest(webhook_secret(each).encode(), secret.encode()):
                same.append(each)
        except SecretError as error:  # theirs to mend: this connection's events are no worse for it
            log.warning("not told of events: %s", error, extra={"connection": each.name})
    return same


def _vendors(name: str) -> tuple[Connection, Webhook] | None:
    """The connection, and how its vendor signs; None where we say how."""
    found = settings().company.connections.get(name)
    told = found.source.webhook if found and found.webhook else None
    return (found, told) if found and told else None


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
            body = await _body(request, MOST_BYTES if _vendors(name) is None else MOST_VENDOR_BYTES)
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


async def _body(request: Request, most: int) -> bytes:
    """The raw body, never more of it than may be."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise Rejected(413, f"more than {most} bytes")
        parts.append(part)
    return b"".join(parts)
