"""HTTP that tries again only where trying again can help.

One `Client` serves one connection. A protocol gives it a `classify` function (the vendor's error table) and an `Auth`
(auth.py); the client sends, signs every try afresh, waits, counts, and refuses any address but the configured ones.
Nothing here knows a vendor.
"""

from __future__ import annotations

import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import httpx
import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from tieout import logs
from tieout.errors import AuthError, RateLimitError, SourceError, UnsafeLinkError
from tieout.extract import Facts
from tieout.extract.address import is_loopback, origin, safe_url
from tieout.settings import settings

if TYPE_CHECKING:
    from tieout.spec import Connection

T = TypeVar("T")
log = logs.logger(__name__)

MAX_TRIES = 12
MAX_BODY_BYTES = 256 * 1024 * 1024
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529})
_LONGEST_TOLD = 10 * 365 * 86_400.0
_ANSWER_TIMEOUTS = 10  # a whole answer may take so many read timeouts: a byte at a time is no answer
_SKEW, _LONGEST_SKEW = 60.0, 86_400.0  # seconds: of less nobody speaks, with more no certificate would be valid


@dataclass(frozen=True)
class Answer:
    """A whole answer: status, headers, body (decoded from its transfer form), and its address without the query."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str

    @property
    def is_html(self) -> bool:
        """An error page of a proxy or of maintenance, whatever the status says."""
        start = self.body[:64].lstrip().lower()
        return start.startswith((b"<!doctype html", b"<html", b"<head")) or (
            "text/html" in self.headers.get("content-type", "") and start[:1] not in (b"{", b"[")
        )

    def excerpt(self) -> str:
        """What the answer says, on one short line, without registered secrets."""
        text = self.body[:4000].decode("utf-8", "replace")
        if self.is_html:
            title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
            text = f"an HTML page{f' titled {title[1].strip()!r}' if title else ''}"
        return logs.redact(" ".join(text.split()))[:300] or "an empty body"


@dataclass(frozen=True)
class Verdict:
    """What an answer means. `after`: seconds that the vendor asks to wait. `tries`: at most that many for this reason.

    `error`: what to raise for `fatal`, and for `retry` when patience ends. `code`: the vendor's word, for the protocol.
    `stamped`: the vendor refused a credential with a time in it, so our clock may be wrong.
    """

    action: Literal["ok", "retry", "reauth", "fatal"]
    reason: str = ""
    after: float | None = None
    tries: int = MAX_TRIES
    error: type[SourceError] | None = None
    code: str = ""
    hint: str | None = None
    stamped: bool = False


OK = Verdict("ok")


class Refused(SourceError):
    """An answer that the vendor's table calls final. `code` is the vendor's word for it, `reason` its text."""

    def __init__(self, message: str, *, status: int, code: str, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status, self.code, self.reason = status, code, reason


class Damaged(Exception):
    """Raised by a reader of a body that is cut short or not what it should be. The client tries again a few times."""


class _Again(Exception):
    def __init__(self, verdict: Verdict, url: str) -> None:
        super().__init__(verdict.reason)
        self.verdict, self.url = verdict, url


class Auth(Protocol):
    """Puts credentials on a request. Called for every try, so that no signature or nonce is ever sent twice."""

    def apply(self, request: httpx.Request) -> str:
        """Sign `request`; returns a word for the credential used, to hand to `renew`."""

    def renew(self, used: str) -> None:
        """The vendor no longer takes `used`: get another one (unless somebody just did)."""


@dataclass(frozen=True)
class Call:
    """A request to make. `form` is a function because a token's assertion must be new on every try.

    about: the stream or purpose, for messages. signed: False for the token request itself. tries: at most that many.
    """

    method: str
    url: str
    about: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Callable[[], Mapping[str, str]] | None = None
    signed: bool = True
    tries: int = MAX_TRIES


class Client:
    """An HTTP client for one connection; safe to use from several threads.

    max_wait: seconds to wait in all for one request, over all of its tries. origins: the addresses (scheme, host, port)
    that may be asked; more are allowed with `allow`. Redirects are not followed.
    """

    def __init__(
        self,
        name: str,
        *,
        classify: Callable[[Answer], Verdict],
        facts: Facts,
        origins: tuple[str, ...],
        timeout: float = 60,
        max_wait: float = 300,
        max_concurrency: int = 4,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name, self.facts, self.sleep, self.clock = name, facts, sleep, clock
        self.auth: Auth | None = None
        self.max_concurrency = max_concurrency
        self.date: datetime | None = None
        self._classify, self._max_wait, self._skew = classify, max_wait, timedelta(0)
        self._origins = {origin(url) for url in origins}
        self._slots, self._lock = BoundedSemaphore(max_concurrency), Lock()
        self._http = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 15)),
            limits=httpx.Limits(max_connections=max_concurrency, max_keepalive_connections=max_concurrency),
            follow_redirects=False,
            trust_env=not all(is_loopback(url) for url in origins),  # a proxy cannot reach this machine's own servers
            headers={"user-agent": "tieout"},
        )

    @classmethod
    def of(cls, connection: Connection, **words: Any) -> Client:
        """A connection's client, with the limits that it and the settings say. words: see `__init__`."""
        chosen = settings()
        return cls(connection.name, timeout=chosen.http_timeout_seconds, max_wait=chosen.http_max_wait_seconds,
                   max_concurrency=connection.defaults.max_concurrency, **words)

    def close(self) -> None:
        """Close all sockets."""
        self._http.close()

    def allow(self, url: str) -> None:
        """Let this address be asked too. The caller has judged it."""
        self._origins.add(origin(url))

    def time(self) -> datetime:
        """The time to put into a credential: our clock's, or the vendor's once it refused ours."""
        return self.clock() + self._skew

    def check(self, url: str, about: str) -> None:
        """UnsafeLinkError unless `url` is at an allowed address: credentials go nowhere else."""
        if origin(url) not in self._origins:
            raise UnsafeLinkError(
                f"connection {self.name}, {about}: the answer points to {safe_url(url)}, not a configured address",
                hint="credentials are sent to the configured host only; if the vendor moved you, change the connection",
            )

    def request(self, call: Call, read: Callable[[Answer], T]) -> T:
        """Make the request until `read` accepts the answer.

        Raises Refused, AuthError or RateLimitError as the vendor's table says, SourceError when patience ends, and
        UnsafeLinkError before anything is sent to another address.
        """
        self.check(call.url, call.about)
        spent = _Spent()
        retrying = Retrying(
            retry=retry_if_exception_type(_Again),
            wait=_wait,
            stop=lambda state: self._enough(state, call),
            sleep=self._pause,
            before_sleep=lambda state: self._note(state, call),
            reraise=True,
        )
        try:
            return retrying(self._try, call, read, spent)
        except _Again as last:
            raise self._failure(call, last.verdict, last.url, status=0) from None

    def _try(self, call: Call, read: Callable[[Answer], T], spent: _Spent) -> T:
        answer, used = self._send(call)
        verdict = self._judge(answer)
        if verdict.stamped and self._learn_time(answer):
            return self._try(call, read, spent)
        if verdict.action == "reauth":
            if spent.renewal or self.auth is None or not call.signed:
                raise self._failure(call, verdict, answer.url, answer.status, AuthError)
            spent.renewal = True
            log.info("credential expired, asking for another", extra={"url": answer.url})
            self.auth.renew(used)
            return self._try(call, read, spent)
        if verdict.action == "retry":
            raise _Again(replace(verdict, reason=f"{answer.status}: {verdict.reason}"), answer.url)
        if verdict.action == "fatal":
            raise self._failure(call, verdict, answer.url, answer.status)
        try:
            return read(answer)
        except Damaged as damage:
            reason = f"damaged answer: {damage}"
            raise _Again(Verdict("retry", reason, tries=4), answer.url) from None

    def _judge(self, answer: Answer) -> Verdict:
        if answer.status < 300 and answer.is_html:
            return Verdict("retry", f"{answer.excerpt()} instead of data", tries=4)
        verdict = self._classify(answer)
        if verdict.action == "retry" and verdict.after is None:
            return replace(verdict, after=self._retry_after(answer))
        return verdict

    def _learn_time(self, answer: Answer) -> bool:
        """Take the vendor's clock for ours, once; False where that would change nothing."""
        told = http_date(answer.headers.get("date"))
        skew = timedelta(0) if told is None else told - self.clock()
        with self._lock:
            if self._skew or not _SKEW < abs(skew.total_seconds()) < _LONGEST_SKEW:
                return False
            self._skew = skew
            self.facts.notes["clock_skew_seconds"] = round(skew.total_seconds())
        log.warning("this machine's clock is wrong, going by the vendor's", extra={"skew": str(skew)})
        return True

    def _send(self, call: Call) -> tuple[Answer, str]:
        request = self._http.build_request(
            call.method, call.url, params=dict(call.params) or None, headers=dict(call.headers), json=call.json,
            data=dict(call.form()) if call.form else None,
        )
        used = self.auth.apply(request) if self.auth and call.signed else ""
        url = safe_url(call.url)
        with self._lock:
            self.facts.requests += 1
        try:
            with self._slots:
                response = self._http.send(request, stream=True)
                try:
                    body = self._body(response, call)
                finally:
                    response.close()
        except httpx.TimeoutException as error:
            raise _Again(Verdict("retry", f"no answer in time ({type(error).__name__})"), url) from None
        except (httpx.NetworkError, httpx.RemoteProtocolError, httpx.DecodingError, httpx.ProxyError) as error:
            if isinstance(error.__context__, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY" in str(error):
                raise SourceError(
                    f"{self._where(call, url)}: the certificate is not trusted: {error}",
                    hint="install the issuing authority's certificate, or mend the host name",
                ) from None
            raise _Again(Verdict("retry", f"connection broke: {type(error).__name__}: {error}"), url) from None
        except httpx.HTTPError as error:  # ours: a header or address that cannot be sent, which the text might quote
            raise SourceError(f"{self._where(call, url)}: cannot be sent ({type(error).__name__})") from None
        with self._lock:
            self.facts.bytes += len(body)
            self.date = http_date(response.headers.get("date")) or self.date
        return Answer(response.status_code, response.headers, body, url), used

    def _body(self, response: httpx.Response, call: Call) -> bytes:
        pieces, size = [], 0
        last = time.monotonic() + (self._http.timeout.read or 0) * _ANSWER_TIMEOUTS
        for piece in response.iter_bytes():
            size += len(piece)
            if time.monotonic() > last:
                raise httpx.ReadTimeout(f"{size} bytes and no end")
            if size > MAX_BODY_BYTES:
                raise SourceError(
                    f"{self._where(call, safe_url(call.url))}: the answer is larger than {MAX_BODY_BYTES >> 20} MiB",
                    hint="ask for smaller pages: options.page_size",
                )
            pieces.append(piece)
        return b"".join(pieces)

    def _retry_after(self, answer: Answer) -> float | None:
        """Seconds, from either form of `Retry-After`. A date counts from the vendor's clock, not from ours."""
        value = answer.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        if (until := http_date(value)) is None:
            return None
        now = http_date(answer.headers.get("date")) or self.clock()
        return max(0.0, (until - now).total_seconds())

    def _enough(self, state: RetryCallState, call: Call) -> bool:
        """Patience is over. Where the vendor asks for more of it than is left, the failure says until when."""
        last: _Again = state.outcome.exception()
        if (after := last.verdict.after) is not None and state.idle_for + after > self._max_wait:
            until = self.time() + timedelta(seconds=min(after, _LONGEST_TOLD))
            hint = (f"the vendor asks to wait {after:,.0f} s, until {until:%Y-%m-%d %H:%M:%S} UTC, and "
                    f"TIEOUT_HTTP_MAX_WAIT_SECONDS is {self._max_wait:,.0f}: run again then")
            last.verdict = replace(last.verdict, hint=hint)
        tries = min(last.verdict.tries, call.tries)
        return state.attempt_number >= tries or state.idle_for + state.upcoming_sleep > self._max_wait

    def _pause(self, seconds: float) -> None:
        self.sleep(seconds)
        with self._lock:
            self.facts.retries += 1
            self.facts.waited_seconds += seconds

    def _note(self, state: RetryCallState, call: Call) -> None:
        last: _Again = state.outcome.exception()
        words = {"about": call.about, "url": last.url, "reason": last.verdict.reason}
        log.warning("trying again", extra={**words, "wait": round(state.upcoming_sleep, 2)})

    def _where(self, call: Call, url: str) -> str:
        return f"connection {self.name}, {call.about}: {call.method} {url}"

    def _failure(
        self, call: Call, verdict: Verdict, url: str, status: int, error: type[SourceError] | None = None
    ) -> SourceError:
        error = error or verdict.error
        message = f"{self._where(call, url)}: {f'{status}: ' if status else ''}{logs.redact(verdict.reason)}"
        if error is None:
            if verdict.action == "retry":
                return SourceError(message, hint=verdict.hint or "the vendor did not recover in time; run again later")
            return Refused(message, status=status, code=verdict.code, reason=verdict.reason, hint=verdict.hint)
        hint = verdict.hint or ("run again later" if issubclass(error, RateLimitError) else None)
        return error(message, hint=hint)


@dataclass
class _Spent:
    renewal: bool = False


def by_status(answer: Answer) -> Verdict:
    """What the status alone says, for answers that a vendor's table does not know."""
    status, reason = answer.status, answer.excerpt()
    if 200 <= status < 300:
        return OK
    if status == 429:
        return Verdict("retry", reason, error=RateLimitError)
    if status in _TRANSIENT:
        return Verdict("retry", reason)
    if 300 <= status < 400:
        return Verdict("fatal", f"{reason} (redirects are not followed)", hint="configure the address it moved to")
    if status == 401:
        return Verdict("fatal", reason, error=AuthError, hint="check the connection's secrets")
    return Verdict("fatal", reason, code=str(status))


def decode(body: bytes, shape: type[T]) -> T:
    """JSON of that shape, or Damaged: cut short, not JSON, or not what was asked for."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(str(error)) from None


def http_date(value: str | None) -> datetime | None:
    """An HTTP date as an aware UTC instant; None where there is none."""
    try:
        return parsedate_to_datetime(value).astimezone(UTC) if value else None
    except ValueError:
        return None


def _wait(state: RetryCallState) -> float:
    """What the vendor asked for; else one second, two, four … with jitter, so that clients do not march in step."""
    last: _Again = state.outcome.exception()
    if last.verdict.after is not None:
        return last.verdict.after
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**state.attempt_number)
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret
