"""How an app proves itself to a token endpoint for client credentials (RFC 6749, 4.4).

    client_credentials  client_id, client_secret: in the form, or as Basic (`token_client`)
    certificate         client_id, private_key, certificate: an assertion that we sign (RFC 7523, 2.2), and that names
                        its certificate by digest. Source: Microsoft identity platform, certificate credentials. The
                        certificate is registered with the app; the key never leaves this machine.

An assertion is good for a few minutes and for one request: each try signs another.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from tieout import logs
from tieout.errors import SecretError
from tieout.extract import Facts
from tieout.extract.auth import Basic, Token, assertion, pem_certificate
from tieout.extract.http import Call, Client, decode
from tieout.extract.odata_ways import filled

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from tieout.spec import Connection

log = logs.logger(__name__)

_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFE = 300  # seconds
_SOON = timedelta(days=30)


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int | str = 3600


def fetcher(
    connection: Connection, secrets: dict[str, str], client: Client, facts: Facts, *, url: str, base: str
) -> Callable[[], Token]:
    """What asks `url` for a token. base: the service's address, for the scope.

    SecretError at once where a certificate is none, has ended, or is not that of the private key.
    """
    words = {"grant_type": "client_credentials", **_audience(connection, base)}
    headers = {"accept": "application/json"}
    if connection.auth == "certificate":
        form = _signed(connection, secrets, client, facts, words, url)
    elif connection.source.options.get("token_client", "basic") == "basic":
        headers["authorization"] = Basic(secrets["client_id"], secrets["client_secret"]).header
        form = words.copy
    else:
        form = {**words, "client_id": secrets["client_id"], "client_secret": secrets["client_secret"]}.copy

    def fetch() -> Token:
        call = Call("POST", url, "authentication", form=form, signed=False, headers=headers)
        granted = client.request(call, lambda answer: decode(answer.body, _Granted))
        return Token(granted.access_token, float(granted.expires_in))

    return fetch


def _audience(connection: Connection, base: str) -> dict[str, str]:
    told = {word: filled(connection, word, base, connection.source.options) for word in ("scope", "resource")}
    return {word: value for word, value in told.items() if value}


def _signed(
    connection: Connection, secrets: dict[str, str], client: Client, facts: Facts, words: dict[str, str], url: str
) -> Callable[[], dict[str, str]]:
    name, app, key = connection.name, secrets["client_id"], secrets["private_key"]
    certificate = pem_certificate(name, secrets["certificate"])
    _is_of(name, certificate, key)
    _still_good(name, certificate, client.clock(), facts)
    digest = urlsafe_b64encode(hashlib.sha256(_der(certificate)).digest()).rstrip(b"=").decode()

    def form() -> dict[str, str]:
        issued = int(client.time().timestamp())
        claims = {"aud": url, "iss": app, "sub": app, "jti": str(uuid4()), "nbf": issued, "iat": issued,
                  "exp": issued + _LIFE}
        signed = assertion(key, claims, rsa="PS256", x5t_s256=digest)
        logs.register_secret(signed)
        return {**words, "client_id": app, "client_assertion_type": _JWT, "client_assertion": signed}

    return form


def _is_of(connection: str, certificate: Certificate, private_key: str) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if load_pem_private_key(private_key.encode(), password=None).public_key() != certificate.public_key():
        raise SecretError(f"connection {connection}: the secret `certificate` is not the certificate of `private_key`",
                          hint="both come from one request; set the two that belong together")


def _still_good(connection: str, certificate: Certificate, now: datetime, facts: Facts) -> None:
    """What ends is noted before it does: nothing lands from that day on."""
    ends = certificate.not_valid_after_utc
    if ends <= now:
        raise SecretError(f"connection {connection}: the secret `certificate` ended on {ends:%Y-%m-%d}",
                          hint="make another, register it with the app, and set certificate and private_key")
    if ends - now < _SOON:
        facts.notes["certificate_ends"] = f"{ends:%Y-%m-%d}"
        log.warning("the certificate ends soon: register another", extra={"ends": f"{ends:%Y-%m-%d}"})


def _der(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)
