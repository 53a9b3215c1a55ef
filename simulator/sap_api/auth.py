"""Who asks: basic authentication, or a token of `/sap/bc/sec/oauth2/token`; and the token against forged writes."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Lock

from simulator.sap_api.errors import SapError, Unauthorised
from simulator.sap_api.system import SapSystem
from simulator.served import Clock

TOKEN_PATH = "/sap/bc/sec/oauth2/token"


class Auth:
    """`keys`: username, password, client_id, client_secret."""

    def __init__(self, keys: dict[str, str], system: SapSystem, clock: Clock) -> None:
        self._keys, self._system, self._clock = keys, system, clock
        self._tokens: dict[str, tuple[datetime, int]] = {}
        self._lock = Lock()
        self.csrf = secrets.token_urlsafe(24)

    def check(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Raises Unauthorised."""
        kind, _, value = headers.get("authorization", "").partition(" ")
        told = query.get("sap-client") or headers.get("sap-client") or self._system.client
        if told != self._system.client:
            raise Unauthorised
        if kind.lower() == "basic" and self._is(value, "username", "password"):
            return
        if kind.lower() == "bearer" and self._is_alive(value):
            return
        raise Unauthorised

    def token(self, headers: Mapping[str, str], form: Mapping[str, str]) -> dict[str, object]:
        """A token for the client's credentials, which must come in the header."""
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic" or not self._is(value, "client_id", "client_secret"):
            raise Unauthorised
        if form.get("grant_type") != "client_credentials":
            raise SapError(400, "unsupported_grant_type", "grant_type")
        made = secrets.token_urlsafe(32)
        with self._lock:
            self._tokens[made] = (self._clock.now() + timedelta(seconds=self._system.token_seconds), 0)
        return {"access_token": made, "token_type": "Bearer", "expires_in": str(self._system.token_seconds),
                "scope": form.get("scope", "")}

    def check_write(self, headers: Mapping[str, str]) -> None:
        """Whoever changes something must show the token fetched before; this system then changes nothing."""
        if headers.get("x-csrf-token") != self.csrf:
            raise SapError(403, "", "CSRF token validation failed", {"x-csrf-token": "Required"})
        raise SapError(405, "/IWBEP/CM_MGW_RT/021", "Method 'CREATE_ENTITY' not implemented in data provider class")

    def _is(self, value: str, *names: str) -> bool:
        try:
            told = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return secrets.compare_digest(told.encode(), ":".join(self._keys[name] for name in names).encode())

    def _is_alive(self, token: str) -> bool:
        with self._lock:
            if token not in self._tokens:
                return False
            ends, used = self._tokens[token]
            self._tokens[token] = ends, used + 1
            most = self._system.token_requests
            return self._clock.now() < ends and (most is None or used < most)
