"""A wire with a script: what the vendor answers to which request, and what was asked.

Requests without a scripted answer fail the test, so that a client that asks too much or elsewhere is seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from urllib.parse import parse_qs

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tieout.spec import Connection

Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Wire(httpx.BaseTransport):
    """`on(method, path, *replies)`: the replies come in this order; with `always=True` the last one stays."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._rules: list[tuple[str, re.Pattern[str], list[Reply], bool]] = []

    def on(self, method: str, path: str, *replies: Reply, always: bool = False) -> Wire:
        self._rules.insert(0, (method, re.compile(path), list(replies), always))
        return self

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        for method, path, replies, always in self._rules:
            if method == request.method and path.fullmatch(request.url.path) and replies:
                reply = replies[0] if always and len(replies) == 1 else replies.pop(0)
                if isinstance(reply, Exception):
                    raise reply
                if isinstance(reply, httpx.Response):
                    return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
                return reply(request)
        raise AssertionError(f"nobody expected {request.method} {request.url} {request.content[:300]!r}")

    def asked(self, method: str, path: str) -> list[httpx.Request]:
        return [r for r in self.requests if r.method == method and re.fullmatch(path, r.url.path)]

    @property
    def left(self) -> list[str]:
        """Scripted answers that nobody asked for."""
        return [f"{method} {path.pattern}" for method, path, replies, always in self._rules if replies and not always]


class Sleeps(list):
    """A `sleep` that takes no time and remembers how long it was asked to."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def answer(value: object, status: int = 200, **headers: str) -> httpx.Response:
    """A JSON answer; header names are written with underscores."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx.Response(status, json=value, headers=named)


def sf_error(status: int, code: str, message: str = "…") -> httpx.Response:
    """Salesforce: errors are an array."""
    return answer([{"message": message, "errorCode": code}], status)


def ns_error(status: int, code: str, detail: str = "…", **headers: str) -> httpx.Response:
    """NetSuite: errors are an object with o:errorDetails."""
    body = {
        "type": "https://www.rfc-editor.org/rfc/rfc9110.html#section-15.5", "title": "…", "status": status,
        "o:errorDetails": [{"detail": detail, "o:errorCode": code}],
    }
    return answer(body, status, **headers)


def form(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


def body(request: httpx.Request) -> dict:
    return json.loads(request.content)


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def salesforce(auth: str = "jwt_bearer", **options: object) -> Connection:
    options = {"login_url": "https://login.salesforce.com", **options}
    return Connection(name="crm_eu", system="salesforce", auth=auth, time_zone="UTC", options=options)


def netsuite(auth: str = "tba", time_zone: str = "America/Los_Angeles", **options: object) -> Connection:
    options = {"account": "1234567_SB1", **options}
    return Connection(name="erp_us", system="netsuite", auth=auth, time_zone=time_zone, options=options)
