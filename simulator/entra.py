"""Microsoft Entra ID's token endpoint, as both Dynamics stand-ins answer it: client credentials, and its refusals."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from uuid import uuid4

from simulator.served import Clock

TENANT = "72f988bf-0000-4000-8000-000000000001"
PATHS = (f"/{TENANT}/oauth2/v2.0/token", f"/{TENANT}/oauth2/token")


class Refusal(Exception):
    """A refusal of the token endpoint: status and body."""

    def __init__(self, status: int, error: str, number: int, text: str, clock: Clock) -> None:
        super().__init__(text)
        trace = str(uuid4())
        self.status = status
        self.body = {
            "error": error, "error_description": f"AADSTS{number}: {text} Trace ID: {trace}", "error_codes": [number],
            "timestamp": f"{clock.now():%Y-%m-%d %H:%M:%SZ}", "trace_id": trace, "correlation_id": str(uuid4()),
        }


class Entra:
    """Tokens for one app registration. A token lives for `seconds`, and ends after `requests` where that is said."""

    def __init__(self, keys: dict[str, str], clock: Clock) -> None:
        self._keys, self._clock = keys, clock
        self.seconds = 3600
        self.requests: int | None = None
        self._tokens: dict[str, tuple[datetime, int]] = {}
        self._lock = Lock()

    @staticmethod
    def make_keys() -> dict[str, str]:
        """The app's id and secret."""
        return {"client_id": str(uuid4()), "client_secret": f"{secrets.token_urlsafe(8)}~{secrets.token_urlsafe(24)}"}

    def token(self, path: str, form: Mapping[str, str], audience: str) -> dict[str, Any]:
        """A token for `audience` (the environment's address). Raises Refusal."""
        if form.get("grant_type") != "client_credentials":
            raise self._no(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if form.get("client_id") != self._keys["client_id"]:
            raise self._no(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        if not secrets.compare_digest(form.get("client_secret", ""), self._keys["client_secret"]):
            raise self._no(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if "/v2.0/" in path:
            if not form.get("scope", "").endswith("/.default"):
                raise self._no(400, "invalid_scope", 70011, "The provided value for scope is not valid.")
            told = form["scope"].removesuffix("/.default")
        else:
            told = form.get("resource", "")
        if told != audience:
            raise self._no(400, "invalid_resource", 500011, f"The resource principal named {told} was not found.")
        made = f"eyJ{secrets.token_urlsafe(40)}"
        with self._lock:
            self._tokens[made] = (self._clock.now() + timedelta(seconds=self.seconds), 0)
        lifetime = {"expires_in": self.seconds - 1, "ext_expires_in": self.seconds - 1}
        return {"token_type": "Bearer", **lifetime, "access_token": made}

    def is_alive(self, header: str) -> bool:
        """Whether the request's Authorization is a token that has not ended."""
        kind, _, token = header.partition(" ")
        with self._lock:
            if kind != "Bearer" or token not in self._tokens:
                return False
            ends, used = self._tokens[token]
            self._tokens[token] = ends, used + 1
            return self._clock.now() < ends and (self.requests is None or used < self.requests)

    def _no(self, status: int, error: str, number: int, text: str) -> Refusal:
        return Refusal(status, error, number, text, self._clock)
