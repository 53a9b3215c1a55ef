"""REST interfaces that nobody knows beforehand: what their pages look like is data (`spec_transports.RestOptions`).

Paging: page numbers, offsets, a token, the header `Link` (RFC 8288), or a link in the body, relative ones included. A
link to another host is refused. Pages by number or offset move under the reader when rows come or go: they are read
until an empty page, each key may come twice, and landing counts a repeated row once.

Auth: basic, bearer, an API key in a header, or OAuth 2 client credentials (RFC 6749, section 4.4).
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urljoin

import httpx
import msgspec

from tieout.errors import AuthError, ConfigError, SourceError
from tieout.extract import Facts, Page, Window
from tieout.extract.address import checked_address
from tieout.extract.auth import Bearer, Token
from tieout.extract.http import OK, Answer, Call, Client, Verdict, by_status, decode
from tieout.extract.loopguard import LoopGuard
from tieout.spec import Connection, Stream
from tieout.spec_transports import Paging, RestOptions, stream_options

_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*?\brel\s*=\s*"?[^",;]*\bnext\b', re.IGNORECASE)


class _Fixed:
    """One header that never changes."""

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def apply(self, request: httpx.Request) -> str:
        request.headers[self._name] = self._value
        return ""

    def renew(self, used: str) -> None:
        """There is nothing to renew."""


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int | str | None = None


class RestExtractor:
    """See the module's docstring, and `extract.Extractor`."""

    at_hand = False

    def __init__(self, connection: Connection, secrets: dict[str, str], *, transport: httpx.BaseTransport | None = None,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self.facts = Facts()
        self._connection, self._secrets = connection, secrets
        self._base = checked_address(str(connection.options["base_url"]), f"{connection.name}: options.base_url")
        self._headers = {str(k): str(v) for k, v in (connection.options.get("headers") or {}).items()}
        origins = [self._base]
        if connection.auth == "client_credentials":
            if not connection.options.get("token_url"):
                raise ConfigError(f"{connection.name}: options.token_url is needed for client_credentials")
            origins.append(checked_address(str(connection.options["token_url"]), f"{connection.name}: token_url"))
        self._client = Client.of(
            connection, classify=self._classify, facts=self.facts, origins=tuple(origins), transport=transport,
            sleep=sleep)
        self._client.auth = self._auth()
        self._error = ""
        self._pause = 1 / float(connection.options["per_second"]) if connection.options.get("per_second") else 0.0
        self._sleep, self._last = sleep, 0.0

    def __enter__(self) -> RestExtractor:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.close()

    def now(self) -> datetime:
        """The vendor's clock, from the last answer's `Date`; ours before the first."""
        if self._client.date is None:
            self._first_look()
        return self._client.date or datetime.now(UTC)

    def available(self, stream: Stream) -> bool:
        """A path that is not there is an error."""
        return True

    def by_document(self, stream: Stream) -> bool:
        """Lines that can only be asked for document by document, never as a whole."""
        return "{parent}" in self._options(stream).path

    def test(self) -> str:
        """One page of the first stream."""
        self._first_look()
        return f"{self._base} answers"

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """See `extract.Extractor`."""
        options = self._options(stream)
        if parents is None:
            if "{parent}" in options.path:
                raise ConfigError(f"{self._connection.name}.{stream.name}: {options.path} needs a document's key",
                                  hint="such lines are read for documents that changed: declare `parent`")
            yield from self._all(stream, options, window, options.path)
            return
        for key in parents:
            path = options.path.replace("{parent}", quote(key, safe=""))
            if path == options.path:
                raise ConfigError(f"{self._connection.name}.{stream.name}: the path has no {{parent}}",
                                  hint="say where the document's key goes, or give the lines a `cursor` of their own")
            yield from self._all(stream, options, window, path)
            yield Page(stream.name, b"[]", parents=(key,))

    # --- paging -------------------------------------------------------------------------------------------------------

    def _all(self, stream: Stream, options: RestOptions, window: Window, path: str) -> Iterator[Page]:
        guard = LoopGuard(self._connection.name, stream.name)
        url, params = f"{self._base}/{path.lstrip('/')}", self._params(options, window)
        paging, seen = options.paging, 0
        position = paging.start if paging.by == "page" else 0
        if paging.size_param:
            params[paging.size_param] = str(paging.size)
        while True:
            if paging.by in ("page", "offset"):
                params[paging.param] = str(position)
            answer, document = self._ask(stream, options, url, params)
            count = self._count(document, options, stream)
            guard.page(answer.body, count)
            if count:  # the body as received: its numbers keep every digit
                yield Page(stream.name, answer.body, records=options.records, omits_nulls=True)
            seen += count
            position += 1 if paging.by == "page" else count
            link, token = self._following(paging, answer, document, url, count, position)
            if not link and not token:
                self._whole(paging, document, seen, stream)
                return
            guard.place(link or token)
            if link:
                self._client.check(link, stream.name)
                url, params = link, {}
            elif paging.by == "cursor":
                params[paging.param] = token

    def _following(self, paging: Paging, answer: Answer, document: Any, url: str, count: int, position: int,
                   ) -> tuple[str, str]:
        """(link, token) of the next page; both empty where the vendor said that there is no more."""
        if paging.by == "none" or (paging.more and not _at(document, paging.more)):
            return "", ""
        if paging.by == "link":
            found = _NEXT.search(answer.headers.get("link", ""))
            return (urljoin(url, found[1]) if found else ""), ""
        if paging.by in ("body", "cursor"):
            value = _at(document, paging.path)
            told = "" if value in (None, False) else str(value)
            return (urljoin(url, told) if told else "", "") if paging.by == "body" else ("", told)
        return "", str(position) if count else ""  # a short page is no end; an empty one is

    def _whole(self, paging: Paging, document: Any, seen: int, stream: Stream) -> None:
        """The vendor's own count, where it gives one, against what came."""
        total = _at(document, paging.total) if paging.total else None
        if total is not None and seen < int(total):
            raise SourceError(f"{self._connection.name}.{stream.name}: the vendor counts {int(total):,} records, "
                              f"{seen:,} came", hint="nothing was landed; run again, and check `paging` if it stays")

    def _count(self, document: Any, options: RestOptions, stream: Stream) -> int:
        found = _at(document, options.records)
        if not isinstance(found, list):
            raise SourceError(f"{self._connection.name}.{stream.name}: the answer holds no list under "
                              f"{options.records!r}", hint="check `records`; nothing was landed")
        return len(found)

    def _ask(self, stream: Stream, options: RestOptions, url: str, params: dict[str, str]) -> tuple[Answer, Any]:
        if self._pause:
            rest = self._last + self._pause - time.monotonic()
            if rest > 0:
                self._sleep(rest)
                self.facts.waited_seconds += rest
            self._last = time.monotonic()
        self._error = options.error

        def read(answer: Answer) -> tuple[Answer, Any]:
            return answer, decode(answer.body, Any)

        return self._client.request(Call("GET", url, stream.name, params=params, headers=self._headers), read)

    def _params(self, options: RestOptions, window: Window) -> dict[str, str]:
        found = {}
        for name, text in options.params.items():
            if "{start}" in text and (window.start is None or window.full):
                continue
            if "{end}" in text and window.full:
                continue
            start = _stamp(window.start, options.stamps) if window.start else ""
            found[name] = text.replace("{start}", start).replace("{end}", _stamp(window.end, options.stamps))
        return found

    def _options(self, stream: Stream) -> RestOptions:
        return stream_options("rest", self._connection.options, stream.options)

    def _first_look(self) -> None:
        for stream in self._connection.selected():
            if stream.explode:
                continue
            options = self._options(stream)
            if "{parent}" not in options.path:
                params = {options.paging.size_param: "1"} if options.paging.size_param else {}
                self._ask(stream, options, f"{self._base}/{options.path.lstrip('/')}",
                          params | {k: v for k, v in options.params.items() if "{" not in v})
                return

    # --- credentials and errors ---------------------------------------------------------------------------------------

    def _auth(self) -> Any:
        told, secrets = self._connection.options, self._secrets
        if self._connection.auth == "basic":
            pair = f"{told.get('username', '')}:{secrets['password']}".encode()
            return _Fixed("Authorization", f"Basic {base64.b64encode(pair).decode()}")
        if self._connection.auth == "bearer":
            return _Fixed("Authorization", f"Bearer {secrets['token']}")
        if self._connection.auth == "api_key":
            return _Fixed(str(told.get("api_key_header", "X-API-Key")), secrets["api_key"])
        return Bearer(self._token, self.facts) if self._connection.auth == "client_credentials" else None

    def _token(self) -> Token:
        form = {"grant_type": "client_credentials", "client_id": self._secrets["client_id"],
                "client_secret": self._secrets["client_secret"]}
        if scope := self._connection.options.get("scope"):
            form["scope"] = str(scope)
        call = Call("POST", str(self._connection.options["token_url"]).rstrip("/"), "token", form=lambda: form,
                    headers={"accept": "application/json"}, signed=False)
        granted = self._client.request(call, lambda answer: decode(answer.body, _Granted))
        lifetime = None if granted.expires_in in (None, "") else float(granted.expires_in)
        return Token(granted.access_token, lifetime)

    def _classify(self, answer: Answer) -> Verdict:
        verdict = by_status(answer)
        if answer.status == 401 and self._connection.auth == "client_credentials":
            return Verdict("reauth", answer.excerpt())
        if answer.status in (401, 403):
            return Verdict("fatal", answer.excerpt(), error=AuthError, hint="check the connection's secrets and rights")
        if verdict is OK and self._error:
            try:
                told = _at(msgspec.json.decode(answer.body), self._error)
            except msgspec.DecodeError:
                return OK  # the reader says so
            if told not in (None, False, "", [], {}):
                return Verdict("fatal", f"answered 200 and says {str(told)[:300]}", code="body")
        return verdict


def _at(document: Any, path: str) -> Any:
    """What stands under `a.b.c`; None where nothing does."""
    for step in path.split(".") if path else ():
        if not isinstance(document, dict):
            return None
        document = document.get(step)
    return document


def _stamp(at: datetime, form: str) -> str:
    if form == "epoch":
        return str(int(at.timestamp()))
    if form == "epoch_ms":
        return str(int(at.timestamp() * 1000))
    return at.astimezone(UTC).strftime(form)
