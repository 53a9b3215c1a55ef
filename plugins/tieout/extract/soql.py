"""SOQL over REST, with large results through Bulk API 2.0 (bulk2.py).

Source: Salesforce REST API Developer Guide (query, queryAll, describe, limits), Bulk API 2.0 Developer Guide.

A window is first asked for by REST. Its first page says how many rows there are in all (`totalSize` counts the whole
result): from `bulk_from_rows` on, the rows come by a bulk job instead, whose pages are CSV; where a job fails or the
object is not offered to jobs, paging by REST goes on. `bulk_from_rows: 0` never asks by REST first.

Options: `login_url`, `audience` (of the JWT), `api_version`, `bulk_from_rows`, `api_usage_limit_pct`, `instance_hosts`
(hosts outside of salesforce.com that the token answer may name as the organisation's home), `objects` (a stream's
object where the organisation calls it otherwise, as managed packages do).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urljoin

import httpx
import msgspec

from tieout import logs
from tieout.errors import ConfigError, RateLimitError, SchemaError, SourceError, UnsafeLinkError
from tieout.extract import MANNERS, Facts, Page, Window
from tieout.extract.address import checked_address, origin
from tieout.extract.auth import Bearer, Token, assertion
from tieout.extract.bulk2 import BulkFailed, BulkJobs
from tieout.extract.bulk2_strays import Strays
from tieout.extract.http import Answer, Call, Client, Damaged, Refused, decode
from tieout.extract.loopguard import LoopGuard
from tieout.extract.soql_errors import classify
from tieout.extract.soql_select import Query, check_only, name, query_of
from tieout.spec import Column, Connection, Stream

T = TypeVar("T")
log = logs.logger(__name__)

_ASSERTION_LIFE = 180  # seconds; the vendor refuses more than about five minutes
_LONGEST_QUERY = 8_000  # characters once encoded; address and headers must stay under 16 KB
_SHARED_LOGINS = {"login.salesforce.com", "test.salesforce.com"}
_RESTARTS = 3
_TOO_BIG_FOR_REST = {
    "QUERY_TIMEOUT", "QUERY_TOO_COMPLICATED", "EXCEEDED_ID_LIMIT", "OPERATION_TOO_LARGE", "414", "431",
}
# A compound field repeats its parts; base64 is a file. Neither is a value.
_NOT_SELECTABLE = {"address", "location", "base64"}


class _Field(msgspec.Struct):
    name: str
    type: str = ""
    filterable: bool = True


class _Describe(msgspec.Struct):
    fields: list[_Field]


class _Attributes(msgspec.Struct):
    type: str = ""


class _Row(msgspec.Struct):
    """Any object: only counted here, and checked to be whole and of the kind that was asked for."""

    attributes: _Attributes | None = None


class _Answer(msgspec.Struct, rename="camel"):
    total_size: int
    done: bool
    records: list[_Row]
    next_records_url: str | None = None


class _Granted(msgspec.Struct):
    access_token: str
    instance_url: str
    id: str = ""  # an address that ends in the user's id


class _Limit(msgspec.Struct, rename="pascal"):
    max: int
    remaining: int


class SoqlExtractor:
    """Extractor for one Salesforce organisation: see the module's docstring, and `tieout.extract.Extractor`."""

    at_hand = False

    def __init__(
        self,
        connection: Connection,
        secrets: dict[str, str],
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.facts = Facts()
        self._connection, self._secrets = connection, secrets
        options = connection.options
        self._login = _login(connection)
        self._bulk_from = int(options.get("bulk_from_rows", 2000))
        self._usage_limit = int(options.get("api_usage_limit_pct", 80))
        self._page_size = min(max(connection.defaults.page_size, 200), 2000)
        version = str(options.get("api_version", "67.0")).removeprefix("v")
        self._path = f"/services/data/v{version if '.' in version else f'{version}.0'}"
        self._client = Client.of(
            connection, classify=classify, facts=self.facts, origins=(self._login,), transport=transport,
            sleep=sleep, clock=clock)
        self._bearer = self._client.auth = Bearer(self._token, self.facts)
        self._instance, self._user = "", ""
        self._usage: tuple[int, int] | None = None
        self._described: dict[str, dict[str, _Field] | None] = {}
        strays = Strays(
            self._request, lambda link: urljoin(self._root, link), lambda: self._user, self.now, self.facts
        )
        self._jobs = BulkJobs(self._request, lambda: self._root, self.facts, connection.name, strays, sleep)

    def __enter__(self) -> SoqlExtractor:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._jobs.close()
        finally:
            self._client.close()

    def now(self) -> datetime:
        """The `Date` of the latest answer: a little behind the vendor's clock, never ahead of it."""
        if self._client.date is None:
            self._bearer.token()
        return self._client.date or self._client.clock()

    def available(self, stream: Stream) -> bool:
        """False for an object of a feature (multicurrency, advanced currency management) that is not switched on."""
        return "feature" not in stream.options or self._describe(self._named(stream).name) is not None

    def test(self) -> str:
        """Authenticate and read the limits."""
        limits = self._get("limits", f"{self._path}/limits", dict[str, Any])
        daily = msgspec.convert(limits.get("DailyApiRequests"), _Limit | None)
        used = f", {daily.max - daily.remaining:,} of {daily.max:,} API requests used today" if daily else ""
        return f"Salesforce at {self._instance}{used}"

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """See `Extractor.pages`. JSON pages from REST, CSV pages from bulk jobs."""
        stream = self._named(stream)
        query = query_of(stream, window, self._fields(stream))
        first, reason = None, f"bulk_from_rows is {self._bulk_from}"
        if self._bulk_from > 0:
            first, reason = self._first(query)
        if first is None or first[1].total_size >= self._bulk_from:
            log.debug("reading by bulk job", extra={"stream": stream.name, "reason": reason})
            try:
                for body in self._jobs.pages(stream.name, query.call, query.select):
                    yield Page(stream.name, body, media="csv")
                return
            except BulkFailed as failure:
                log.warning("bulk job failed, reading by REST", extra={"stream": stream.name, "reason": str(failure)})
                self._note("bulk_fallbacks", stream.name, str(failure))
        yield from self._rest(query, first)

    def _named(self, stream: Stream) -> Stream:
        """The stream under its object's name."""
        objects = self._connection.options.get("objects") or {}
        return stream.model_copy(update={"name": str(objects.get(stream.name, stream.name))})

    def _first(self, query: Query) -> tuple[tuple[bytes, _Answer] | None, str]:
        """The first page by REST, or None and the reason where REST cannot serve the statement."""
        if len(str(httpx.QueryParams({"q": query.ordered}))) > _LONGEST_QUERY:
            return None, "the statement is too long for an address"
        try:
            page = self._start(query)
        except Refused as refusal:
            if refusal.code not in _TOO_BIG_FOR_REST:
                raise
            return None, refusal.code
        return page, f"{page[1].total_size} rows"

    def _rest(self, query: Query, page: tuple[bytes, _Answer] | None) -> Iterator[Page]:
        """All pages by REST. A lost cursor, or a result that shrank while it was read, starts the window again."""
        for restart in range(_RESTARTS + 1):
            guard = LoopGuard(self._connection.name, query.stream.name)
            received = 0
            try:
                body, answer = page or self._start(query)
                expected = answer.total_size
                while True:
                    guard.page(body, len(answer.records))
                    received += len(answer.records)
                    yield Page(query.stream.name, body, records="records", noise=MANNERS["soql"][0])
                    if answer.done or received > expected:
                        break
                    guard.place(answer.next_records_url)
                    body, answer = self._get(query.stream.name, answer.next_records_url, _Answer, with_body=True)
                if received == expected:
                    return
                reason = f"{received} of {expected} rows came"
            except Refused as refusal:
                if refusal.code != "INVALID_QUERY_LOCATOR":
                    raise
                reason = "the cursor expired"
            page = None
            log.warning("starting the window again", extra={"stream": query.stream.name, "reason": reason})
            self._note("restarts", query.stream.name, restart + 1)
        raise SourceError(
            f"connection {self._connection.name}, stream {query.stream.name}: {reason}, after {_RESTARTS} restarts",
            hint="land smaller windows, or set options.bulk_from_rows to 0",
        )

    def _start(self, query: Query) -> tuple[bytes, _Answer]:
        path = f"{self._path}/{query.call}"
        headers = {"Sforce-Query-Options": f"batchSize={self._page_size}"}
        return self._get(query.stream.name, path, _Answer, with_body=True, params={"q": query.ordered}, headers=headers)

    def _fields(self, stream: Stream) -> dict[str, str]:
        """Column → field, for the fields that are served.

        SchemaError for a field that is not optional and not served: absent, or hidden from the integration user.
        """
        described = self._describe(stream.name)
        if described is None:
            raise SchemaError(
                f"connection {self._connection.name}: object {stream.name} is not served",
                hint="give the integration user read access to it, or leave it out of `streams`",
            )
        served, missing = {}, []
        for column in stream.columns:
            field = described.get(column.field.lower()) if column.field else None
            if field and field.type not in _NOT_SELECTABLE:
                served[column.name] = name(self._spelled(stream, column, field))
            elif not column.optional:
                missing.append(column.field or column.name)
        if missing:
            raise SchemaError(
                f"connection {self._connection.name}: object {stream.name} has no field {', '.join(missing)}",
                hint="it was removed or renamed, or field-level security hides it from the integration user; "
                f"a renamed field is told under `fields.{stream.name}`",
            )
        check_only(stream, {word for word, field in described.items() if field.filterable}, self._connection.name)
        absent = sorted(column.field for column in stream.columns if column.field and column.name not in served)
        declared = {column.field.lower() for column in stream.columns}
        # Standard fields that are not declared are the spec's choice; an organisation's own are news.
        new = sorted(f.name for word, f in described.items() if word not in declared and word.endswith("__c"))
        for word, names in (("absent_fields", absent), ("undeclared_fields", new)):
            if names:
                self._note(word, stream.name, names)
        return served

    def _spelled(self, stream: Stream, column: Column, field: _Field) -> str:
        """The field's name. Answers spell it the organisation's way: another spelling would land as nothing at all."""
        if field.name != column.field:
            raise SchemaError(
                f"connection {self._connection.name}: object {stream.name} spells {column.field} as {field.name}",
                hint=f"set `fields.{stream.name}.{column.name}: {field.name}`",
            )
        return field.name

    def _describe(self, word: str) -> dict[str, _Field] | None:
        """The object's fields by name in lower case; None where there is no such object for this user."""
        if word not in self._described:
            try:
                answer = self._get(word, f"{self._path}/sobjects/{name(word)}/describe", _Describe)
                self._described[word] = {field.name.lower(): field for field in answer.fields}
            except Refused as refusal:
                if refusal.code not in ("NOT_FOUND", "INVALID_TYPE"):  # a 404 of a proxy's is not the vendor's word
                    raise
                self._described[word] = None
        return self._described[word]

    def _get(
        self, about: str, path: str, shape: type[T], *, with_body: bool = False, params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """GET an address of the instance; `path` may be a link out of an answer. Returns `shape`, or (body, shape)."""
        url = urljoin(self._root, path)
        call = Call("GET", url, about, params or {}, {"accept": "application/json", **(headers or {})})

        def read(answer: Answer) -> Any:
            value = decode(answer.body, shape)
            if isinstance(value, _Answer):
                _check(value, about)
            return (answer.body, value) if with_body else value

        return self._request(call, read)

    def _request(self, call: Call, read: Callable[[Answer], T], *, always: bool = False) -> T:
        """Send to the instance. RateLimitError before the share of the daily requests that is ours would be passed.

        always: for tidying up, which must happen even so.
        """
        if not always and self._usage and self._usage[0] * 100 >= self._usage_limit * self._usage[1]:
            used, allowed = self._usage
            raise RateLimitError(
                f"connection {self._connection.name}: {used:,} of {allowed:,} API requests of the last 24 hours are "
                f"used, {self._usage_limit} % is the limit",
                hint="run again later, or raise options.api_usage_limit_pct",
            )

        def watched(answer: Answer) -> T:
            if found := re.search(r"(?:^|[;\s])api-usage=(\d+)/(\d+)", answer.headers.get("sforce-limit-info", "")):
                self._usage = int(found[1]), int(found[2])
                self.facts.notes["api_usage"] = f"{found[1]}/{found[2]}"
            return read(answer)

        return self._client.request(call, watched)

    @property
    def _root(self) -> str:
        """The address under which the organisation is served; known once a token was granted."""
        self._bearer.token()
        return f"{self._instance}{self._path}"

    def _token(self) -> Token:
        """Ask for a token. The session's end is announced nowhere: it shows as INVALID_SESSION_ID."""
        form = self._jwt_form if self._connection.auth == "jwt_bearer" else self._client_form
        call = Call("POST", f"{self._login}/services/oauth2/token", "authentication", form=form, signed=False,
                    headers={"accept": "application/json"})
        granted = self._client.request(call, lambda answer: decode(answer.body, _Granted))
        logs.register_secret(granted.access_token)
        self._instance, self._user = self._home(granted.instance_url), granted.id.rpartition("/")[2]
        return Token(granted.access_token)

    def _jwt_form(self) -> dict[str, str]:
        claims = {
            "iss": self._secrets["consumer_key"], "sub": self._secrets["username"],
            "aud": str(self._connection.options.get("audience") or audience(self._login)),
            "exp": int(self._client.time().timestamp()) + _ASSERTION_LIFE,
        }
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": assertion(self._secrets["private_key"], claims, rsa="RS256"),
        }

    def _client_form(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials", "client_id": self._secrets["consumer_key"],
            "client_secret": self._secrets["consumer_secret"],
        }

    def _home(self, url: str) -> str:
        """The instance address of a token answer, once judged: an answer may not send our token where it likes."""
        scheme, host, _ = origin(url)
        allowed = self._connection.options.get("instance_hosts") or ()
        allowed = (allowed,) if isinstance(allowed, str) else tuple(allowed)
        known = scheme == "https" and (host.endswith(".salesforce.com") or host in allowed)
        if origin(url) != origin(self._login) and not known:
            raise UnsafeLinkError(
                f"connection {self._connection.name}, authentication: the token answer names {scheme}://{host} as "
                "the organisation's address, which is neither the login host nor under salesforce.com",
                hint=f"if it is yours, add {host} to options.instance_hosts",
            )
        self._client.allow(url)
        self.facts.notes["instance_url"] = url.rstrip("/")
        return url.rstrip("/")

    def _note(self, word: str, stream: str, value: Any) -> None:
        self.facts.notes.setdefault(word, {})[stream] = value


def _check(page: _Answer, wanted: str) -> None:
    """Damaged for a page that leads nowhere, and for one that answers another question."""
    if not page.done and not page.next_records_url:
        raise Damaged("neither done nor a next page")
    kinds = {row.attributes.type for row in page.records if row.attributes}
    if kinds - {wanted}:
        raise Damaged(f"records of {', '.join(sorted(kinds))}")


def audience(login: str) -> str:
    """The JWT's audience: the login host that stands behind a My Domain address; any other address is its own."""
    host = httpx.URL(login).host
    if host == "test.salesforce.com" or host.endswith(".sandbox.my.salesforce.com"):
        return "https://test.salesforce.com"
    return "https://login.salesforce.com" if host.endswith(".salesforce.com") else login


def _login(connection: Connection) -> str:
    """The configured login host."""
    value = checked_address(str(connection.options["login_url"]), f"connection {connection.name}: options.login_url")
    if connection.auth == "client_credentials" and httpx.URL(value).host in _SHARED_LOGINS:
        raise ConfigError(
            f"connection {connection.name}: client_credentials is not served by {httpx.URL(value).host}",
            hint="set options.login_url to your My Domain, https://<name>.my.salesforce.com",
        )
    return value
