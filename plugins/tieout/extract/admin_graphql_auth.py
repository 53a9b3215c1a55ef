"""The token of the Admin API: one that was made by hand, or one of client credentials, which ends after a day.

Source: shopify.dev, "Access tokens" (header X-Shopify-Access-Token; client credentials grant).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import msgspec

from tieout import logs
from tieout.extract import Facts
from tieout.extract.auth import Bearer, Token
from tieout.extract.http import Call, Client, decode
from tieout.spec import Connection

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = "X-Shopify-Access-Token"


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int | None = None


class AccessToken:
    """Puts the token into its header. A fixed one that is refused stays refused."""

    def __init__(
        self, connection: Connection, secrets: Mapping[str, str], client: Client, facts: Facts, base: str
    ) -> None:
        self._secrets, self._client, self._url = secrets, client, f"{base}/admin/oauth/access_token"
        self._fixed = secrets["access_token"] if connection.auth == "access_token" else None
        if self._fixed:
            logs.register_secret(self._fixed)
        self._bearer = Bearer(self._granted, facts)

    def apply(self, request: httpx.Request) -> str:
        """Sets the header."""
        value = self._fixed or self._bearer.token()
        request.headers[HEADER] = value
        return value

    def renew(self, used: str) -> None:
        """Another token, where there can be one."""
        if not self._fixed:
            self._bearer.renew(used)

    def _granted(self) -> Token:
        call = Call("POST", self._url, "token", signed=False, form=lambda: {
            "client_id": self._secrets["client_id"], "client_secret": self._secrets["client_secret"],
            "grant_type": "client_credentials"})
        found = self._client.request(call, lambda answer: decode(answer.body, _Granted))
        return Token(found.access_token, found.expires_in)
