"""Ways to prove who asks: bearer tokens from a token endpoint, signed assertions, and OAuth 1.0a signatures.

Standards: RFC 6749 (client credentials), RFC 7523 (JWT bearer and client assertions), RFC 5849 (OAuth 1.0a).
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING, Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256
from oauthlib.oauth1 import Client as OAuth1Client

from tieout import logs
from tieout.errors import SecretError
from tieout.extract import Facts

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_EARLY = 0.9  # renew when so much of a token's life is over


@dataclass(frozen=True)
class Token:
    """A bearer token, and the seconds it lives where the vendor says so."""

    value: str
    lifetime: float | None = None


class Bearer:
    """`Authorization: Bearer …`. The token is fetched when first needed, before it ends, and when it is refused."""

    def __init__(
        self, fetch: Callable[[], Token], facts: Facts, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch, self._facts, self._monotonic = fetch, facts, monotonic
        self._token: Token | None = None
        self._ends: float | None = None
        self._lock = RLock()

    def apply(self, request: httpx.Request) -> str:
        """Sets the header; returns the token, which `renew` takes."""
        value = self.token()
        request.headers["Authorization"] = f"Bearer {value}"
        return value

    def token(self) -> str:
        """The current token; fetched when there is none or when it is about to end."""
        with self._lock:
            if self._token is None or (self._ends is not None and self._monotonic() >= self._ends):
                self._get()
            return self._token.value

    def renew(self, used: str) -> None:
        """Fetch another token, unless another thread already replaced `used`."""
        with self._lock:
            if self._token is None or self._token.value == used:
                self._get()

    def _get(self) -> None:
        renewal = self._token is not None
        self._token = self._fetch()
        logs.register_secret(self._token.value)
        lifetime = self._token.lifetime
        self._ends = None if lifetime is None else self._monotonic() + lifetime * _EARLY
        if renewal:
            self._facts.token_refreshes += 1


class Basic:
    """A user and a password on every request (RFC 7617)."""

    def __init__(self, user: str, password: str) -> None:
        word = b64encode(f"{user}:{password}".encode()).decode()
        logs.register_secret(word)
        self.header = f"Basic {word}"

    def apply(self, request: httpx.Request) -> str:
        """Sets the header."""
        request.headers["Authorization"] = self.header
        return ""

    def renew(self, used: str) -> None:
        """There is nothing to renew: a wrong password stays wrong."""


class OAuth1:
    """OAuth 1.0a, HMAC-SHA256, in the header; a new nonce and stamp for every try. A JSON body is not signed."""

    def __init__(
        self, *, realm: str, consumer_key: str, consumer_secret: str, token: str, token_secret: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._words = {
            "client_key": consumer_key, "client_secret": consumer_secret, "resource_owner_key": token,
            "resource_owner_secret": token_secret, "realm": realm, "signature_method": SIGNATURE_HMAC_SHA256,
        }

    def apply(self, request: httpx.Request) -> str:
        """Sets the header for the request's method and address, query included."""
        request.headers["Authorization"] = self.header(request.method, str(request.url))
        return ""

    def renew(self, used: str) -> None:
        """There is nothing to renew: the next try has a new signature anyway."""

    def header(self, method: str, url: str, *, nonce: str | None = None, timestamp: str | None = None) -> str:
        """The header's value. `nonce` and `timestamp` are for test vectors only."""
        stamp = timestamp or str(int(self._clock().timestamp()))
        signer = OAuth1Client(**self._words, nonce=nonce, timestamp=stamp)
        # No body is passed: oauthlib would add `oauth_body_hash`, which changes the signature.
        _, headers, _ = signer.sign(url, http_method=method)
        return headers["Authorization"]


def assertion(
    private_key: str, claims: dict[str, Any], *, rsa: str, kid: str | None = None, x5t: str | None = None,
    x5t_s256: str | None = None,
) -> str:
    """A signed JWT. `rsa`: the algorithm for an RSA key (RS256, PS256); an EC key's curve names its own.

    kid, x5t, x5t_s256: by which the verifier finds the key: its name, or its certificate's digest (SHA-1, SHA-256).
    """
    key, algorithm = _signing_key(private_key)
    named = {"kid": kid, "x5t": x5t, "x5t#S256": x5t_s256}
    header = {"typ": "JWT", "alg": algorithm or rsa, **{word: value for word, value in named.items() if value}}
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


def pem_certificate(connection: str, text: str) -> Certificate:
    """The (first) certificate in PEM form that the secret `certificate` holds. SecretError where it holds none."""
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(text.encode())
    except ValueError:
        raise SecretError(
            f"connection {connection}: the secret `certificate` is not a PEM certificate",
            hint="it begins with -----BEGIN CERTIFICATE-----; keep its line breaks, or write them as \\n") from None


@lru_cache(maxsize=16)
def _signing_key(private_key: str) -> tuple[ECKey | RSAKey, str]:
    """The key, and the algorithm of its curve. Remembered: an RSA key's check takes a tenth of a second."""
    pem = private_key.encode()
    loaded = load_pem_private_key(pem, password=None)
    if isinstance(loaded, EllipticCurvePrivateKey):
        return ECKey.import_key(pem), _EC_ALGORITHMS[loaded.curve.name]
    return RSAKey.import_key(pem), ""
