"""How a client proves itself to an ADF REST pod: a user's password, a token of its identity domain, or its own token.

    basic          username, password
    oauth2_client  client_id, client_secret: client credentials. The client must exist as a user of the pod.
    oauth2_jwt     … and private_key, username: a signed assertion about a user (RFC 7523)
    jwt            certificate, private_key, username: a token signed by ourselves, which the pod's own security console
                   trusts by the certificate (`x5t`)

Options: `token_url` (of the identity domain), `scope`, `issuer` (of our own tokens), `audience` (of assertions).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from tieout.errors import ConfigError
from tieout.extract import Facts
from tieout.extract.address import checked_address
from tieout.extract.auth import Basic, Bearer, Token, assertion, pem_certificate
from tieout.extract.http import Auth, Call, Client, decode
from tieout.spec import Connection

_LIFE = 300  # seconds; the pod refuses long-lived tokens of our own making


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int | str = 3600


def credential(connection: Connection, secrets: dict[str, str], client: Client, facts: Facts) -> Auth:
    """The credential that the connection's `auth` names. ConfigError where an option is missing."""
    if connection.auth == "basic":
        return Basic(secrets["username"], secrets["password"])
    if connection.auth == "jwt":
        return Bearer(_own_token(connection, secrets, client), facts)
    url = checked_address(_option(connection, "token_url"), f"connection {connection.name}: options.token_url")
    client.allow(url)
    return Bearer(_domain_token(connection, secrets, client, url), facts)


def _own_token(connection: Connection, secrets: dict[str, str], client: Client) -> Callable[[], Token]:
    issuer, thumbprint = _option(connection, "issuer"), _thumbprint(connection, secrets["certificate"])

    def fetch() -> Token:
        issued = int(client.time().timestamp())
        claims = {"iss": issuer, "prn": secrets["username"], "iat": issued, "exp": issued + _LIFE}
        return Token(assertion(secrets["private_key"], claims, rsa="RS256", x5t=thumbprint), _LIFE)

    return fetch


def _domain_token(
    connection: Connection, secrets: dict[str, str], client: Client, url: str
) -> Callable[[], Token]:
    scope = _option(connection, "scope")

    def form() -> dict[str, str]:
        if connection.auth == "oauth2_client":
            return {"grant_type": "client_credentials", "scope": scope}
        issued = int(client.time().timestamp())
        audience = str(connection.options.get("audience") or "https://identity.oraclecloud.com/")
        claims = {"iss": secrets["client_id"], "sub": secrets["username"], "aud": [audience], "iat": issued,
                  "exp": issued + _LIFE}
        signed = assertion(secrets["private_key"], claims, rsa="RS256", kid=secrets.get("certificate_alias"))
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed, "scope": scope}

    def fetch() -> Token:
        basic = Basic(secrets["client_id"], secrets["client_secret"]).header
        call = Call("POST", url, "authentication", form=form, signed=False,
                    headers={"accept": "application/json", "authorization": basic})
        granted = client.request(call, lambda answer: decode(answer.body, _Granted))
        return Token(granted.access_token, float(granted.expires_in))

    return fetch


def _thumbprint(connection: Connection, certificate: str) -> str:
    """Base64 of the SHA-1 of the certificate, by which the pod finds it. No security rests on the digest."""
    found = pem_certificate(connection.name, certificate)
    return b64encode(hashlib.sha1(found.public_bytes(Encoding.DER), usedforsecurity=False).digest()).decode()


def _option(connection: Connection, word: str) -> str:
    value = connection.options.get(word)
    if not value:
        raise ConfigError(f"connection {connection.name}: auth {connection.auth} needs options.{word}")
    return str(value)
