"""OAuth at Salesforce: JWT bearer and client credentials; sessions that end without notice.

RFC 7523 (JWT bearer), RFC 6749 (client credentials). A JWT is answered with neither refresh token nor expires_in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import jwt

from simulator.habits import Habits, SalesforceOrg
from simulator.salesforce_api.errors import ApiError, OAuthError

ORGANISATION = "00DHs00000GLOBLMAE"
USER = "005Hs00000INTEGRIAZ"
PRODUCTION = "https://login.salesforce.com"
LONGEST_ASSERTION = 5 * 60
_SKEW = 60
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXPIRED = ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")


@dataclass
class _Session:
    ends: float
    requests_left: int | None


class Sessions:
    """Issues and checks access tokens. Real time counts here, not the simulated clock."""

    def __init__(self, keys: dict[str, str], org: SalesforceOrg, habits: Habits) -> None:
        self._keys, self._org, self._habits = keys, org, habits
        self._open: dict[str, _Session] = {}
        self._issued = 0
        self._lock = threading.Lock()

    def token(self, form: dict[str, str], authorization: str | None, base_url: str) -> dict[str, Any]:
        """Answer the token endpoint. OAuthError otherwise."""
        grant = form.get("grant_type", "")
        if grant == _JWT_BEARER:
            self._check_assertion(form.get("assertion", ""), base_url)
            return self._issue(base_url)
        if grant == "client_credentials":
            self._check_client(form, authorization)
            issued_at = str(int(time.time() * 1000))
            answer = self._issue(base_url)
            text, secret = f"{answer['id']}{issued_at}".encode(), self._keys["consumer_secret"].encode()
            signed = base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()
            return {**answer, "issued_at": issued_at, "signature": signed}
        if grant == "":
            raise OAuthError("invalid_request", "must provide a grant_type")
        raise OAuthError("unsupported_grant_type", "grant type not supported")

    def check(self, authorization: str | None) -> None:
        """Count one request against the session of the header. ApiError 401 when it is unknown or over."""
        if authorization is None:
            raise _EXPIRED
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() not in ("bearer", "oauth") or not token.strip():
            raise ApiError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        with self._lock:
            session = self._open.get(token.strip())
            if session is None:
                raise _EXPIRED
            if time.time() >= session.ends or session.requests_left == 0:
                del self._open[token.strip()]
                raise _EXPIRED
            if session.requests_left is not None:
                session.requests_left -= 1

    def expire_all(self) -> None:
        """End every session now."""
        with self._lock:
            self._open.clear()

    def _issue(self, base_url: str) -> dict[str, Any]:
        token = f"{ORGANISATION[:15]}!AR{secrets.token_urlsafe(70)}"
        with self._lock:
            first = self._issued == 0 and self._habits.first_session_requests is not None
            left = self._habits.first_session_requests if first else self._habits.session_requests
            self._issued += 1
            self._open[token] = _Session(time.time() + self._habits.session_seconds, left)
        return {
            "access_token": token, "scope": "api", "instance_url": base_url,
            "id": f"{PRODUCTION}/id/{ORGANISATION}/{USER}", "token_type": "Bearer",
        }

    def _check_client(self, form: dict[str, str], authorization: str | None) -> None:
        key, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization and authorization.lower().startswith("basic "):
            try:
                decoded = base64.b64decode(authorization[6:], validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise OAuthError("invalid_client", "invalid client credentials") from None
            key, _, secret = (unquote(part) for part in decoded.partition(":"))
        if key != self._keys["consumer_key"]:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(secret.encode(), self._keys["consumer_secret"].encode()):
            raise OAuthError("invalid_client", "invalid client credentials")

    def _check_assertion(self, assertion: str, base_url: str) -> None:
        try:
            claims = jwt.decode(
                assertion, self._keys["public_key"], algorithms=["RS256"], leeway=_SKEW,
                options={"verify_aud": False, "verify_iat": False, "require": ["iss", "sub", "aud", "exp"]},
            )
        except jwt.ExpiredSignatureError:
            raise OAuthError("invalid_grant", "expired access/refresh token") from None
        except jwt.PyJWTError:
            raise OAuthError("invalid_grant", "invalid assertion") from None
        if claims["iss"] != self._keys["consumer_key"]:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if claims["aud"] not in (PRODUCTION, base_url):
            raise OAuthError("invalid_grant", "audience is invalid")
        if claims["exp"] > time.time() + LONGEST_ASSERTION + _SKEW:
            raise OAuthError("invalid_grant", "invalid assertion")
        if self._org.unlinked or claims["sub"] != self._keys["username"]:
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
