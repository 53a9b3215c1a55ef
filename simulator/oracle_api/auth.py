"""Who asks: a user's password, a token of the identity domain (served here too), or a token of the client's own making.

Real time counts here, not the simulated clock.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from simulator.habits import Habits
from simulator.oracle_api.errors import OracleError

TOKEN_PATH = "/oauth2/v1/token"
ISSUER, SCOPE, AUDIENCE = "tieout.example", "urn:opc:resource:fusion:demo:erp", "https://identity.oraclecloud.com/"
_ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST = 3600


class TokenError(Exception):
    """An answer of the token endpoint that is not a token."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description


class Auth:
    """Checks the credentials of one pod."""

    def __init__(self, keys: dict[str, str], habits: Habits) -> None:
        self._keys, self._habits = keys, habits
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, headers: Mapping[str, str]) -> None:
        """OracleError 401 when the request proves nothing."""
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        known = {"basic": self._is_user, "bearer": self._is_bearer}.get(scheme.lower())
        if known is None or not known(rest.strip()):
            raise OracleError(401, "Unauthorized")

    def _is_user(self, word: str) -> bool:
        return secrets.compare_digest(_decoded(word), f"{self._keys['username']}:{self._keys['password']}")

    def _is_bearer(self, token: str) -> bool:
        with self._lock:
            ends = self._tokens.get(token)
        if ends is not None:
            return time.time() < ends
        try:
            if jwt.get_unverified_header(token).get("x5t") != thumbprint(self._keys["certificate"]):
                return False
            claims = jwt.decode(token, self._keys["public_key"], ["RS256"], issuer=ISSUER,
                                options={"require": ["iss", "exp", "iat"]})
        except jwt.PyJWTError:
            return False
        return claims.get("prn") == self._keys["username"]

    def token(self, headers: Mapping[str, str], form: Mapping[str, str]) -> dict[str, Any]:
        """The token endpoint's answer."""
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or _decoded(rest) != f"{self._keys['client_id']}:{self._keys['client_secret']}":
            raise TokenError("invalid_client", "Client authentication failed.")
        if form.get("scope") != SCOPE:
            raise TokenError("invalid_scope", "The requested scope is invalid.")
        grant = form.get("grant_type")
        if grant == _ASSERTION:
            self._check_assertion(form.get("assertion", ""))
        elif grant != "client_credentials":
            raise TokenError("unsupported_grant_type", f"The grant type {grant} is not supported.")
        made = secrets.token_urlsafe(48)
        with self._lock:
            self._tokens[made] = time.time() + self._habits.oracle_token_seconds
        return {"access_token": made, "token_type": "Bearer", "expires_in": self._habits.oracle_token_seconds}

    def expire(self) -> None:
        """All tokens end now."""
        with self._lock:
            self._tokens = dict.fromkeys(self._tokens, 0.0)

    def _check_assertion(self, assertion: str) -> None:
        try:
            claims = jwt.decode(
                assertion, self._keys["public_key"], ["RS256"], audience=AUDIENCE, issuer=self._keys["client_id"],
                options={"require": ["iss", "sub", "exp", "iat", "aud"]})
        except jwt.PyJWTError as error:
            raise TokenError("invalid_grant", f"The assertion is not valid: {error}") from None
        if claims["exp"] - claims["iat"] > _LONGEST or claims["sub"] != self._keys["username"]:
            raise TokenError("invalid_grant", "The assertion is not valid.")


def make_keys() -> dict[str, str]:
    """New credentials for every way to authenticate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650)).sign(key, SHA256())
    )
    return {
        "username": "tieout.integration", "password": secrets.token_urlsafe(24), "client_id": secrets.token_hex(16),
        "client_secret": secrets.token_urlsafe(32), "certificate": certificate.public_bytes(Encoding.PEM).decode(),
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "public_key": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    }


def thumbprint(certificate: str) -> str:
    """Base64 of the SHA-1 of the DER certificate."""
    der = x509.load_pem_x509_certificate(certificate.encode()).public_bytes(Encoding.DER)
    return base64.b64encode(hashlib.sha1(der, usedforsecurity=False).digest()).decode()


def _decoded(word: str) -> str:
    try:
        return base64.b64decode(word.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
