"""The client over real sockets: what a stub cannot show. Bodies cut short, resets, silence, compression, real time."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tieout.errors import SourceError, UnsafeLinkError
from tieout.extract import Facts
from tieout.extract.http import Call, Client, by_status, decode

BODY = b'{"rows": [1, 2, 3]}'
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
CUT = WHOLE[:-5]
CHUNKED_CUT = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n" + BODY[:5] + b"\r\n"


@contextmanager
def server(*answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """A socket that answers its connections one after the other, each as told, and closes them."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        for each in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                each(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(10)
        listener.close()
        assert not thread.is_alive(), "the client made fewer connections than expected"


def sends(data: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(data)


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def falls_silent(connection: socket.socket) -> None:
    connection.sendall(CUT)
    time.sleep(1.5)


def client(url: str, **words: object) -> Client:
    return Client("erp_us", classify=by_status, facts=Facts(), origins=(url,), **{"sleep": lambda s: None, **words})


def get(subject: Client, url: str) -> dict:
    return subject.request(Call("GET", f"{url}/page", "transaction"), lambda answer: decode(answer.body, dict))


@pytest.mark.parametrize("broken", [sends(CUT), sends(CHUNKED_CUT), sends(b""), resets, falls_silent])
def test_a_broken_answer_is_asked_for_again(broken):
    with server(broken, sends(WHOLE)) as url:
        subject = client(url, timeout=1)
        assert get(subject, url) == {"rows": [1, 2, 3]}
    assert subject.facts.requests == 2
    assert subject.facts.retries == 1


def test_an_answer_that_stays_broken_is_an_error_not_a_short_page():
    told = "erp_us, transaction: GET .*connection broke"
    with server(*[sends(CUT)] * 12) as url, pytest.raises(SourceError, match=told):
        get(client(url, max_wait=10_000), url)


def test_nobody_there_is_an_error_that_names_the_address():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(SourceError, match=f"GET {url}/page: connection broke"):
        get(client(url, max_wait=3), url)


def test_compressed_answers_are_read(httpserver: HTTPServer):
    packed = Response(gzip.compress(BODY), content_type="application/json", headers={"content-encoding": "gzip"})
    httpserver.expect_request("/page").respond_with_response(packed)
    url = httpserver.url_for("").rstrip("/")
    assert get(client(url), url) == {"rows": [1, 2, 3]}


def test_waits_take_real_time(httpserver: HTTPServer):
    httpserver.expect_ordered_request("/page").respond_with_data("", status=429, headers={"retry-after": "1"})
    httpserver.expect_ordered_request("/page").respond_with_json({"rows": []})
    url = httpserver.url_for("").rstrip("/")
    subject = client(url, sleep=time.sleep)
    started = time.monotonic()
    get(subject, url)
    assert time.monotonic() - started >= 1
    assert subject.facts.waited_seconds == 1


def test_a_redirect_to_another_port_is_not_followed(httpserver: HTTPServer):
    target = "http://127.0.0.1:9/elsewhere"
    httpserver.expect_request("/page").respond_with_data("", status=302, headers={"location": target})
    url = httpserver.url_for("").rstrip("/")
    with pytest.raises(SourceError, match="redirects are not followed"):
        get(client(url), url)
    with pytest.raises(UnsafeLinkError):
        get(client(url), "http://127.0.0.1:9")
