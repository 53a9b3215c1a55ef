"""A layer of faults in front of any HTTP server: a small proxy on loopback that answers wrongly when its plan says so.

It is part of neither the connectors nor the stand-in vendors. Requests go to the real server and its real answers come
back, but for the n-th request of a family, once, several times or for ever, a fault strikes: an answer that was never
the server's, a real answer that is damaged on its way, or a connection that breaks.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import unquote_plus

HOST = "127.0.0.1"
Headers = tuple[tuple[str, str], ...]
_HTML = b"<!DOCTYPE html><html><head><title>Down for maintenance</title></head><body>Back soon</body></html>"
_RESET = struct.pack("ii", 1, 0)
_HOPS = {"transfer-encoding", "content-length", "connection", "keep-alive"}


@dataclass(frozen=True)
class Request:
    """One request as it was received."""

    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """Method, address and body, decoded: what families are told by."""
        return f"{self.method} {unquote_plus(self.target)} {self.body.decode('utf-8', 'replace')}"

    def header(self, name: str) -> str:
        return next((value for word, value in self.headers if word.lower() == name), "")


@dataclass(frozen=True)
class Reply:
    """One answer. Its length is told when it is sent."""

    status: int
    headers: Headers
    body: bytes

    def having(self, **headers: str) -> Reply:
        """With these headers instead of those of the same name; underscores are hyphens."""
        changed = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = tuple((name, value) for name, value in self.headers if name.lower() not in changed)
        return replace(self, headers=kept + tuple(changed.items()))


@dataclass(frozen=True)
class Fault:
    """`kind` strikes the requests of `family`, from the `first` (counted from 0) on, `times` times; None: for ever."""

    kind: str
    family: str
    first: int = 0
    times: int | None = 1

    def __str__(self) -> str:
        often = "for ever" if self.times is None else f"{self.times}x"
        return f"{self.kind} on {self.family}[{self.first}] {often}"


@dataclass(frozen=True)
class Manners:
    """What only a vendor's own protocol can tell.

    family: a request's sort ("token", "query Account"), by which a plan aims.
    expired: the answer to a credential that is over. refusal: an error body, which is sent with status 200.
    ahead: the request for the page after the one that is asked for; None where there is none.
    elsewhere: the answer with its links turned to another address; None where it has none.
    """

    family: Callable[[Request], str]
    expired: Reply
    refusal: Reply
    ahead: Callable[[Request], Request | None]
    elsewhere: Callable[[Reply, str], Reply | None]


@dataclass
class Canary:
    """An address that nobody has any business with: it counts who comes."""

    visits: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server((HOST, 0)))

    def __post_init__(self) -> None:
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, name="canary", daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._listener.accept()[0].close()
                self.visits += 1

    def close(self) -> None:
        self._listener.close()


class Layer:
    """The proxy. A context manager; `url` is its address, `log` the family of each request in order.

    struck: (fault, family) for every time that one struck. `most`: requests after which it answers 400 to everything.
    """

    def __init__(self, upstream: str, manners: Manners, faults: tuple[Fault, ...] = (), *, canary: str = "",
                 silence: float = 1.0, most: int = 5_000) -> None:
        self._upstream, self._manners, self.faults = upstream.removeprefix("http://"), manners, faults
        self._canary, self._silence, self._most = canary, silence, most
        self.log: list[str] = []
        self.struck: list[tuple[Fault, str]] = []
        self._refused: set[str] = set()  # credentials that are over
        self._answered: dict[str, list[Reply]] = {}
        self._lock, self._over = threading.Lock(), threading.Event()
        self._listener = socket.create_server((HOST, 0), backlog=64)
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Layer:
        threading.Thread(target=self._accept, name="faults", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def overrun(self) -> bool:
        """Somebody asked without end."""
        return len(self.log) > self._most

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(client,), name="faults-connection", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            with client, client.makefile("rb") as stream:
                while not self._over.is_set() and (request := _read(stream)):
                    deliver, reply = self._decide(request, lambda asked: _forward(server, asked))
                    if not DELIVERIES[deliver](self, client, stream, reply):
                        break
        except OSError:
            pass  # the client went away, which is its right
        finally:
            server.close()

    def _decide(self, request: Request, ask: Callable[[Request], Reply]) -> tuple[str, Reply | None]:
        family = self._manners.family(request)
        with self._lock:
            position = self.log.count(family)
            self.log.append(family)
            over = self.overrun
            shift = sum(_SHIFTS[f.kind] for f in self.faults if f.kind in _SHIFTS and _hits(f, family, position))
            fault = next((f for f in self.faults if f.kind not in _SHIFTS and _hits(f, family, position)), None)
            for each in self.faults:
                if each.kind in _SHIFTS and _hits(each, family, position):
                    self.struck.append((each, family))
        if over:
            return "whole", Reply(400, (), b"too many requests were made in this plan")
        credential = request.header("authorization")
        if credential in self._refused:
            return "whole", self._manners.expired
        answer = self._unharmed(request, family, ask, shift) if fault is None else self._strike(
            fault, family, request, lambda asked: self._unharmed(asked, family, ask, shift))
        return answer if isinstance(answer, tuple) else ("whole", answer)

    def _unharmed(self, request: Request, family: str, ask: Callable[[Request], Reply], shift: int) -> Reply:
        reply = ask(request)
        if shift:
            told = next((value for name, value in reply.headers if name.lower() == "date"), "")
            moment = parsedate_to_datetime(told) + timedelta(seconds=shift)
            reply = reply.having(date=format_datetime(moment, usegmt=True))
        if reply.status < 300:
            with self._lock:
                self._answered.setdefault(family.split()[0], []).append(reply)
        return reply

    def _strike(self, fault: Fault, family: str, request: Request, ask: Callable[[Request], Reply]) -> object:
        found = self._harm(fault, family, request, ask)
        if found is None:  # there was nothing to harm: no page before this one, no link in the answer
            return ask(request)
        with self._lock:
            self.struck.append((fault, family))
        return found

    def _harm(self, fault: Fault, family: str, request: Request, ask: Callable[[Request], Reply]) -> object:
        kind = fault.kind
        if kind in OWN:
            return OWN[kind](self)
        if kind in DELIVERIES:  # the server does what it was asked to; its answer meets with an accident
            return (kind, None if kind == "reset_unasked" else ask(request))
        if kind == "expired":
            if request.header("authorization").startswith("Bearer "):
                self._refused.add(request.header("authorization"))
            return self._manners.expired
        if kind == "error_200":
            return replace(self._manners.refusal, status=200)
        if kind in ("repeated", "out_of_turn"):
            with self._lock:
                earlier = self._answered.get(family.split()[0], [])
                return earlier[-1 if kind == "repeated" else 0] if earlier else None
        if kind == "ahead":
            following = self._manners.ahead(request)
            reply = ask(following) if following else None
            return reply if reply and reply.status < 300 else None
        if kind == "elsewhere":
            return self._manners.elsewhere(ask(request), self._canary)
        return BODIES[kind](ask(request))


def _hits(fault: Fault, family: str, position: int) -> bool:
    return fault.family in (family, "*") and position >= fault.first and (
        fault.times is None or position < fault.first + fault.times)


def _page(status: int) -> Callable[[Layer], Reply]:
    return lambda layer: Reply(status, (("content-type", "text/html; charset=utf-8"),), _HTML)


def _text(status: int, **headers: str) -> Callable[[Layer], Reply]:
    return lambda layer: Reply(status, (("content-type", "text/plain"),), b"not now").having(**headers)


def _later(seconds: int) -> Callable[[Layer], Reply]:
    """429 with a date; the date counts from the answer's own `Date`."""

    def made(layer: Layer) -> Reply:
        now = datetime.now(UTC)
        words = {"date": now, "retry_after": now + timedelta(seconds=seconds)}
        return _text(429, **{name: format_datetime(value, usegmt=True) for name, value in words.items()})(layer)

    return made


def _cut(reply: Reply) -> Reply | None:
    """Some of the body, whose length is told as if it were all."""
    return replace(reply, body=reply.body[:len(reply.body) * 2 // 3]) if len(reply.body) > 2 else None


def _last_value_lost(reply: Reply) -> Reply | None:
    """A cut that loses only the end of the last record."""
    return replace(reply, body=reply.body.rstrip()[:-1].rpartition(b",")[0]) if b"," in reply.body else None


def _zipped(reply: Reply, keep: float) -> Reply:
    packed = gzip.compress(reply.body)
    return replace(reply, body=packed[:max(12, int(len(packed) * keep))]).having(content_encoding="gzip")


# Answers that the server never gave.
OWN: dict[str, Callable[[Layer], Reply]] = {
    "429_seconds": _text(429, retry_after="7"), "429_date": _later(9), "429_bare": _text(429),
    "429_long": _text(429, retry_after="7200"), "429_long_date": _later(7200),
    "500": _text(500), "502": _text(502), "503": _text(503), "503_seconds": _text(503, retry_after="5"),
    "504": _text(504),
    "html_200": _page(200), "html_401": _page(401), "html_404": _page(404), "html_502": _page(502),
    "redirected": lambda layer: _text(302, location=f"{layer._canary}/elsewhere")(layer),
}
# What happens to the body of a real answer.
BODIES: dict[str, Callable[[Reply], Reply | None]] = {
    "truncated": _cut, "last_value_lost": _last_value_lost, "gzip_cut": lambda reply: _zipped(reply, 0.6),
    "gzip_whole": lambda reply: _zipped(reply, 1), "empty": lambda reply: replace(reply, body=b""),
    "headers_lost": lambda reply: replace(reply, headers=()),
    "wrong_type": lambda reply: reply.having(content_type="text/html"),
}
_SHIFTS = {"date_ahead": 600, "date_behind": -600}


def _whole(layer: Layer, client: socket.socket, stream: object, reply: Reply) -> bool:
    client.sendall(_head(reply, len(reply.body)) + reply.body)
    return True


def _reset(layer: Layer, client: socket.socket, stream: object, reply: Reply | None) -> bool:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return False


def _reset_in_body(layer: Layer, client: socket.socket, stream: object, reply: Reply) -> bool:
    client.sendall(_head(reply, len(reply.body)) + reply.body[:len(reply.body) // 2])
    return _reset(layer, client, stream, reply)


def _closed_in_body(layer: Layer, client: socket.socket, stream: object, reply: Reply) -> bool:
    client.sendall(_head(reply, len(reply.body) + 1) + reply.body)
    return False


def _chunks_closed(layer: Layer, client: socket.socket, stream: object, reply: Reply) -> bool:
    """Chunks whose last one, of no bytes, never comes."""
    client.sendall(_head(reply, None) + b"%x\r\n%s\r\n" % (len(reply.body) or 1, reply.body or b" "))
    return False


def _chunks_reset(layer: Layer, client: socket.socket, stream: object, reply: Reply) -> bool:
    client.sendall(_head(reply, None) + b"%x\r\n%s" % (len(reply.body) + 9, reply.body))
    return _reset(layer, client, stream, reply)


def _dripping(layer: Layer, client: socket.socket, stream: object, reply: Reply) -> bool:
    """Slow, but within all patience."""
    client.sendall(_head(reply, len(reply.body)))
    step = max(1, len(reply.body) // 6)
    for start in range(0, len(reply.body), step):
        client.sendall(reply.body[start:start + step])
        time.sleep(0.01)
    return True


def _dripping_on(layer: Layer, client: socket.socket, stream: object, reply: Reply) -> bool:
    """A byte at a time, each in time for the read timeout, without an end in sight."""
    client.sendall(_head(reply, 1_000_000))
    for _ in range(int(layer._silence / 0.02) * 20):
        client.sendall(b" ")
        if layer._over.wait(0.02):
            break
    return False


def _silent(layer: Layer, client: socket.socket, stream: object, reply: Reply) -> bool:
    """Half an answer, then nothing for longer than anybody waits."""
    client.sendall(_head(reply, len(reply.body) + 1) + reply.body[:len(reply.body) // 2])
    layer._over.wait(layer._silence)
    return False


# How an answer is sent; False: the connection ends with it.
DELIVERIES: dict[str, Callable[[Layer, socket.socket, object, Reply], bool]] = {
    "whole": _whole, "reset_unasked": _reset, "reset": _reset, "reset_in_body": _reset_in_body,
    "closed_in_body": _closed_in_body, "chunks_closed": _chunks_closed, "chunks_reset": _chunks_reset,
    "dripping": _dripping, "dripping_on": _dripping_on, "silent": _silent,
}
KINDS = (
    *OWN, *BODIES, *(kind for kind in DELIVERIES if kind != "whole"), *_SHIFTS, "expired", "error_200", "repeated",
    "out_of_turn", "ahead", "elsewhere",
)


def _head(reply: Reply, length: int | None) -> bytes:
    framing = ("transfer-encoding", "chunked") if length is None else ("content-length", str(length))
    bodiless = reply.status == 204 and not reply.body and length == 0
    lines = [f"{name}: {value}" for name, value in (*reply.headers, *(() if bodiless else (framing,)))]
    return "\r\n".join([f"HTTP/1.1 {reply.status} Told", *lines, "", ""]).encode("latin-1")


def _read(stream: object) -> Request | None:
    """The next request of a connection; None at its end."""
    line = stream.readline()
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = []
    while (line := stream.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip(), value.strip()))
    request = Request(method, target, tuple(headers), b"")
    return replace(request, body=stream.read(int(request.header("content-length") or 0)))


def _forward(server: http.client.HTTPConnection, request: Request) -> Reply:
    """Ask the real server. The host stays the one that was asked for: signatures cover it."""
    server.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers:
        if name.lower() not in _HOPS:
            server.putheader(name, value)
    if request.body:
        server.putheader("content-length", str(len(request.body)))
    server.endheaders(request.body or None)
    with server.getresponse() as answer:
        body = answer.read()
        headers = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in _HOPS)
        return Reply(answer.status, headers, body)
