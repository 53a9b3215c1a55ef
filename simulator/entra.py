"""Microsoft Entra ID's token endpoint, as both Dynamics stand-ins answer it: client credentials, and its refusals.

An app proves itself by a secret, or by an assertion that it signed with the key of a certificate registered with it.
Assertions are judged by real time, not by the simulated clock; tokens end by the simulated one.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from uuid import uuid4

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from simulator.served import Clock

TENANT = "72f988bf-0000-4000-8000-000000000001"
JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
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
        self._used: set[str] = set()
        self._lock = Lock()

    @staticmethod
    def make_keys() -> dict[str, str]:
        """The app's id, its secret, and its certificate with the key."""
        return {"client_id": str(uuid4()), "client_secret": f"{secrets.token_urlsafe(8)}~{secrets.token_urlsafe(24)}",
                **make_certificate()}

    @property
    def has_certificate(self) -> bool:
        """Keys of a folder that was made before there were certificates have none."""
        return "certificate" in self._keys

    def token(self, path: str, form: Mapping[str, str], audience: str) -> dict[str, Any]:
        """A token for `audience` (the address of the environment, and here of the endpoint). Raises Refusal."""
        if form.get("grant_type") != "client_credentials":
            raise self._no(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if form.get("client_id") != self._keys["client_id"]:
            raise self._no(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        self._prove(form, f"{audience}{path}")
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

    # --- how an app proves itself

    def _prove(self, form: Mapping[str, str], endpoint: str) -> None:
        assertion, kind = form.get("client_assertion"), form.get("client_assertion_type")
        if assertion is not None or kind is not None:
            if "client_secret" in form or not assertion or kind != JWT:
                raise self._no(400, "invalid_request", 9002313, "Invalid request. Request is malformed or invalid.")
            self._assertion(assertion, endpoint)
        elif "client_secret" not in form:
            raise self._no(401, "invalid_client", 7000218,
                           "The request body must contain the following parameter: 'client_assertion' or "
                           "'client_secret'.")
        elif not secrets.compare_digest(form["client_secret"], self._keys["client_secret"]):
            raise self._no(401, "invalid_client", 7000215, "Invalid client secret provided.")

    def _assertion(self, assertion: str, endpoint: str) -> None:
        """All that is said in it must be true: who signed it, for whom, when, and that it was never sent before."""
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError:
            raise self._client(50027, "JWT token is invalid or malformed.") from None
        if header.get("typ") != "JWT" or header.get("alg") not in ("PS256", "RS256"):
            raise self._client(50027, "JWT token is invalid or malformed.")
        told = str(header.get("x5t#S256", "")).rstrip("=")  # MSAL for Python pads it, which the standard does not
        if not self.has_certificate or told != thumbprint(self._keys["certificate"]):
            raise self._client(700027, "The certificate with identifier used to sign the client assertion is not "
                                       "registered on application. [Reason - The key was not found.]")
        certificate = x509.load_pem_x509_certificate(self._keys["certificate"].encode())
        if certificate.not_valid_after_utc < datetime.now(UTC):
            raise self._client(700027, "Client assertion failed signature validation. [Reason - The key used is "
                                       "expired.]")
        app = self._keys["client_id"]
        try:
            claims = jwt.decode(assertion, certificate.public_key(), [header["alg"]], audience=endpoint, issuer=app,
                                subject=app, options={"require": ["aud", "exp", "iss", "jti", "nbf", "sub"],
                                                      "strict_aud": True})
        except jwt.InvalidSignatureError:
            raise self._client(700027, "Client assertion failed signature validation. [Reason - The key was found, "
                                       "but use of the key to verify the signature failed.]") from None
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            now = datetime.now(UTC)
            raise self._client(700024, "Client assertion is not within its valid time range. Current time: "
                                       f"{now:%Y-%m-%dT%H:%M:%S.%fZ}.") from None
        except jwt.InvalidAudienceError:
            raise self._client(700023, "Client assertion audience claim does not match Realm issuer.") from None
        except (jwt.InvalidIssuerError, jwt.exceptions.InvalidSubjectError):
            raise self._client(700021, "Client assertion application identifier doesn't match 'client_id' "
                                       "parameter.") from None
        except jwt.PyJWTError:
            raise self._client(50027, "JWT token is invalid or malformed.") from None
        with self._lock:  # RFC 7523 lets a server refuse what it saw before; nobody may rely on one that does not
            if claims["jti"] in self._used:
                raise self._client(50027, "JWT token is invalid or malformed. [Reason - It was used before.]")
            self._used.add(claims["jti"])

    def _client(self, number: int, text: str) -> Refusal:
        return self._no(401, "invalid_client", number, text)

    # --- tokens

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


def make_certificate(days: int = 365) -> dict[str, str]:
    """`certificate` and `private_key`, in PEM; self-signed, as most that are registered with an app. days: it lasts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tieout")]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days)).sign(key, SHA256())
    )
    return {"certificate": made.public_bytes(Encoding.PEM).decode(),
            "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()}


def thumbprint(certificate: str) -> str:
    """Base64url of the SHA-256 of the DER certificate, without padding (RFC 7515, 4.1.8)."""
    der = x509.load_pem_x509_certificate(certificate.encode()).public_bytes(Encoding.DER)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
