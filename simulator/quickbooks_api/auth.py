"""Who asks: access tokens that end, and refresh tokens that are replaced (OAuth 2 as Intuit has it).

What was given out is kept in the folder: a stand-in that is started again knows its tokens. Real time counts here.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.habits import Habits
from simulator.quickbooks_api.errors import Fault, TokenError

TOKEN_PATH = "/oauth2/v1/tokens/bearer"
_REFRESH_SECONDS = 8_726_400
_DEAD = ("invalid_grant", "Token invalid")
FILE = "quickbooks_tokens.json"


class Auth:
    """Tokens of one company and one app."""

    def __init__(self, folder: Path, keys: dict[str, str], habits: Habits) -> None:
        self._file, self._keys, self._habits = folder / FILE, keys, habits
        self._access: dict[str, list[float]] = {}  # token: its end, and requests that are left
        self._codes: set[str] = set()
        self._lock = threading.Lock()
        self.refreshed: list[str] = []  # the refresh tokens that were taken, in order

    def check(self, headers: Mapping[str, str]) -> None:
        """Fault 401 unless the access token lives."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        with self._lock:
            held = self._access.get(token.strip()) if scheme.lower() == "bearer" else None
            if held and held[0] > time.time() and held[1] > 0:
                held[1] -= 1
                return
        raise Fault(401, "3200", "AUTHENTICATION", "message=ApplicationAuthenticationFailed; errorCode=003200; "
                    "statusCode=401", "Token expired" if held else "AuthenticationFailed", gateway=True)

    def expire_all(self) -> None:
        """End every access token now."""
        with self._lock:
            self._access.clear()

    def code(self) -> str:
        """What a person's consent is worth."""
        code = f"AB1{secrets.token_hex(20)}"
        self._codes.add(code)
        return code

    def token(self, headers: Mapping[str, str], form: Mapping[str, str]) -> dict[str, Any]:
        """The token endpoint. TokenError for a wrong client, and for a token that is dead."""
        self._check_client(headers)
        with self._lock:
            if form.get("grant_type") == "authorization_code":
                if form.get("code") not in self._codes:
                    raise TokenError(*_DEAD)
                self._codes.discard(form["code"])
                self._write({"current": self._made(), "former": {}, "count": 0})
            elif form.get("grant_type") == "refresh_token":
                self._refresh(form.get("refresh_token", ""))
            else:
                raise TokenError("unsupported_grant_type", "grant_type is not supported")
            access = f"eyJ{secrets.token_urlsafe(60)}"
            limit = self._habits.quickbooks_token_requests
            self._access[access] = [time.time() + self._habits.quickbooks_token_seconds,
                                    float("inf") if limit is None else limit]
            return {"token_type": "bearer", "access_token": access, "refresh_token": self._read()["current"],
                    "expires_in": self._habits.quickbooks_token_seconds, "x_refresh_token_expires_in": _REFRESH_SECONDS}

    def _refresh(self, token: str) -> None:
        held, now = self._read(), time.time()
        if token == held["current"]:
            held["count"] += 1
            held["former"] = {}  # its successor is used: the one before is dead
            if held["count"] % self._habits.quickbooks_rotate_every == 0:
                held |= {"current": self._made(),
                         "former": {token: now + self._habits.quickbooks_grace_seconds}}
            self._write(held)
        elif held["former"].get(token, 0.0) <= now:
            raise TokenError(*_DEAD)
        self.refreshed.append(token)

    def revoke(self, token: str) -> None:
        """Disconnect."""
        with self._lock:
            self._write({"current": "", "former": {}, "count": 0})
            self._access.clear()

    @property
    def current(self) -> str:
        """The newest refresh token."""
        return self._read()["current"]

    def _check_client(self, headers: Mapping[str, str]) -> None:
        expected = base64.b64encode(f"{self._keys['client_id']}:{self._keys['client_secret']}".encode()).decode()
        if not hmac.compare_digest(headers.get("authorization", ""), f"Basic {expected}"):
            raise TokenError("invalid_client", "Client authentication failed")

    @staticmethod
    def _made() -> str:
        return f"RT1-{secrets.token_hex(24)}"

    def _read(self) -> dict[str, Any]:
        if self._file.is_file():
            return json.loads(self._file.read_text(encoding="utf-8"))
        return {"current": self._keys["refresh_token"], "former": {}, "count": 0}

    def _write(self, held: dict[str, Any]) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(held), encoding="utf-8")
        draft.replace(self._file)


def make_keys() -> dict[str, str]:
    """New credentials."""
    return {"client_id": f"AB{secrets.token_hex(20)}", "client_secret": secrets.token_urlsafe(30),
            "refresh_token": f"RT1-{secrets.token_hex(24)}",
            "realm_id": f"91303577{secrets.randbelow(10**8):08d}"}
