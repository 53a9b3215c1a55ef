"""Who asks: token-based authentication (OAuth 1.0a, RFC 5849, HMAC-SHA256) and OAuth 2.0 machine to machine (RFC 7523).

Signatures are computed here from the standard, not with the library that clients use.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import jwt

from simulator.habits import Habits, NetSuiteAccount
from simulator.netsuite_api.errors import NetSuiteError, TokenError

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS = ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
_NEEDED = ("realm", "oauth_consumer_key", "oauth_token", "oauth_nonce", "oauth_timestamp", "oauth_signature_method",
           "oauth_signature")
_LONGEST_ASSERTION = 3600
_SKEW = 300
_MANY = 100_000
_PARAMETER = re.compile(r'\s*([\w.~-]+)="([^"]*)"\s*(?:,|$)')


class Auth:
    """Checks credentials of one account. Real time counts here, not the simulated clock."""

    def __init__(self, keys: dict[str, str], account: NetSuiteAccount, habits: Habits) -> None:
        self._keys, self._account, self._habits = keys, account, habits
        self._nonces: dict[tuple[str, str], float] = {}
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def realm(self) -> str:
        """The account as OAuth wants it: upper case, with underscores."""
        return self._account.account.upper().replace("-", "_")

    def check(self, method: str, url: str, query: str, headers: Mapping[str, str]) -> None:
        """`url` without the query, `query` as sent. NetSuiteError 401 when the request proves nothing."""
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self._check_bearer(rest.strip())
        elif scheme.lower() == "oauth":
            self._check_signature(method, url, query, rest)
        else:
            raise self._refused("token_rejected", "Invalid login attempt.")

    def expire_all(self) -> None:
        """End every OAuth 2.0 token now."""
        with self._lock:
            self._tokens.clear()

    # --- OAuth 1.0a

    def _check_signature(self, method: str, url: str, query: str, header: str) -> None:
        given = {name: unquote(value) for name, value in _PARAMETER.findall(header)}
        if missing := [name for name in _NEEDED if not given.get(name)]:
            raise self._refused("parameter_absent", f"Parameters absent: {'&'.join(missing)}")
        if given["realm"] != self.realm:
            raise self._refused("token_rejected", "Invalid login attempt: wrong realm.")
        if given["oauth_signature_method"] != "HMAC-SHA256":
            raise self._refused("signature_method_rejected", "Signature method must be HMAC-SHA256.")
        if given.get("oauth_version", "1.0") != "1.0":
            raise self._refused("version_rejected", "Version must be 1.0.")
        if given["oauth_consumer_key"] != self._keys["consumer_key"]:
            raise self._refused("consumer_key_unknown", "Invalid login attempt.")
        if given["oauth_token"] != self._keys["token_id"]:
            raise self._refused("token_rejected", "Invalid login attempt.")
        moment = given["oauth_timestamp"]
        if not moment.isdigit() or abs(time.time() - int(moment)) > _SKEW:
            raise self._refused("timestamp_refused", "Timestamp is out of range.")
        expected = signature(method, url, query, given, self._keys["consumer_secret"], self._keys["token_secret"])
        if not hmac.compare_digest(expected, given["oauth_signature"]):
            raise self._refused("signature_invalid", "Invalid signature.")
        self._use_nonce(given["oauth_nonce"], moment)

    def _use_nonce(self, nonce: str, moment: str) -> None:
        now = time.time()
        with self._lock:
            if len(self._nonces) > _MANY:
                self._nonces = {key: at for key, at in self._nonces.items() if at > now - 2 * _SKEW}
            if (nonce, moment) in self._nonces:
                raise self._refused("nonce_used", "Nonce was used before.")
            self._nonces[nonce, moment] = now

    # --- OAuth 2.0

    def token(self, form: dict[str, str], token_url: str) -> dict[str, Any]:
        """Answer the token endpoint. No refresh token: ask again. TokenError otherwise."""
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != _ASSERTION:
            raise TokenError("invalid_request")
        assertion = form.get("client_assertion", "")
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError:
            raise TokenError("invalid_request") from None
        public_key = self._certificates().get(header.get("kid", ""))
        if public_key is None or header.get("alg") not in _ALGORITHMS or header.get("typ") != "JWT":
            raise TokenError("invalid_client")
        try:
            claims = jwt.decode(assertion, public_key, algorithms=_ALGORITHMS, leeway=60,
                                options={"verify_aud": False, "require": ["iss", "aud", "iat", "exp", "scope"]})
        except jwt.PyJWTError:
            raise TokenError("invalid_grant") from None
        self._check_claims(claims, token_url)
        granted = f"eyJ{secrets.token_urlsafe(90)}"
        with self._lock:
            self._tokens[granted] = time.time() + self._habits.netsuite_token_seconds
        return {"access_token": granted, "expires_in": str(self._habits.netsuite_token_seconds), "token_type": "bearer"}

    def _certificates(self) -> dict[str, str]:
        """Uploaded certificates: the id that NetSuite showed → the public key."""
        return {self._keys["certificate_id"]: self._keys["public_key"],
                self._keys["ec_certificate_id"]: self._keys["ec_public_key"]}

    def _check_claims(self, claims: dict[str, Any], token_url: str) -> None:
        host = self._account.account.lower().replace("_", "-")
        scope = claims["scope"]
        scopes = scope if isinstance(scope, list) else [part.strip() for part in str(scope).split(",")]
        if claims["iss"] != self._keys["consumer_key"]:
            raise TokenError("invalid_client")
        if claims["aud"] not in (token_url, f"https://{host}.suitetalk.api.netsuite.com{TOKEN_PATH}"):
            raise TokenError("invalid_grant")
        if "rest_webservices" not in scopes:
            raise TokenError("invalid_scope")
        if claims["exp"] - claims["iat"] > _LONGEST_ASSERTION:
            raise TokenError("invalid_grant")

    def _check_bearer(self, token: str) -> None:
        with self._lock:
            ends = self._tokens.get(token)
        if ends is None or time.time() >= ends:
            raise self._refused("invalid_token", "Invalid login attempt.")

    def _refused(self, error: str, description: str) -> NetSuiteError:
        challenge = f'OAuth realm="{self.realm}", error="{error}", error_description="{description}"'
        detail = ("Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at Setup > "
                  "Users/Roles > User Management > View Login Audit Trail.")
        return NetSuiteError(401, "INVALID_LOGIN", detail, challenge=challenge)


def signature(
    method: str, url: str, query: str, oauth: Mapping[str, str], consumer_secret: str, token_secret: str
) -> str:
    """RFC 5849, 3.4: HMAC-SHA256 over method, address and sorted parameters; realm and a JSON body are not signed."""
    pairs = [(name, value) for name, value in oauth.items() if name not in ("realm", "oauth_signature")]
    pairs += parse_qsl(query, keep_blank_values=True)
    encoded = sorted((_percent(name), _percent(value)) for name, value in pairs)
    parameters = "&".join(f"{name}={value}" for name, value in encoded)
    text = "&".join((method.upper(), _percent(url), _percent(parameters)))
    key = f"{_percent(consumer_secret)}&{_percent(token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def _percent(text: str) -> str:
    return quote(text, safe="-._~")
