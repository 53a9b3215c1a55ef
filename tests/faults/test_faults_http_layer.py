"""The layer itself: each fault really is what its name says, as a plain client sees it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.faults.http_layer import KINDS, Canary, Fault, Layer, Manners, Reply

BODY = json.dumps({"rows": [1, 2, 3], "next": "http://127.0.0.1:1/more"}).encode()
MANNERS = Manners(
    family=lambda request: request.target.strip("/").split("?")[0],
    expired=Reply(401, (), b"expired"), refusal=Reply(500, (), b"refused"), ahead=lambda request: None,
    elsewhere=lambda reply, canary: reply,
)


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """A server that answers everything with the same body."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def ask(upstream: str, *faults: Fault, times: int = 1, **headers: str) -> tuple[list[object], Layer]:
    """The answers to so many requests of the family `page`, or the errors in their place."""
    found: list[object] = []
    with Layer(upstream, MANNERS, faults, canary="http://127.0.0.1:2", silence=1) as layer, \
            httpx.Client(timeout=0.5, trust_env=False, headers=headers) as client:
        for _ in range(times):
            try:
                found.append(client.get(f"{layer.url}/page"))
            except httpx.HTTPError as error:
                found.append(error)
    return found, layer


def once(upstream: str, kind: str) -> object:
    found, layer = ask(upstream, Fault(kind, "page"))
    assert layer.struck == [(Fault(kind, "page"), "page")]
    return found[0]


def test_without_a_fault_the_answer_is_the_servers(upstream):
    (found,), layer = ask(upstream)
    assert (found.status_code, found.content, found.headers["content-type"]) == (200, BODY, "application/json")
    assert (layer.log, layer.struck) == (["page"], [])


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", httpx.NetworkError), ("reset_unasked", httpx.NetworkError), ("reset_in_body", httpx.NetworkError),
        ("closed_in_body", httpx.RemoteProtocolError), ("chunks_closed", httpx.RemoteProtocolError),
        ("chunks_reset", httpx.NetworkError), ("silent", httpx.ReadTimeout),
    ],
)
def test_connections_break(kind, error, upstream):
    assert isinstance(once(upstream, kind), error)


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("500", 500, b"not now"), ("502", 502, b"not now"), ("503", 503, b"not now"), ("504", 504, b"not now"),
        ("html_200", 200, b"<!DOCTYPE html>"), ("html_401", 401, b"<!DOCTYPE html>"), ("redirected", 302, b"not now"),
        ("expired", 401, b"expired"), ("error_200", 200, b"refused"), ("empty", 200, b""), ("truncated", 200, BODY[:9]),
        ("last_value_lost", 200, BODY[:9]), ("dripping", 200, BODY), ("gzip_whole", 200, BODY),
        ("wrong_type", 200, BODY), ("headers_lost", 200, BODY),
    ],
)
def test_answers_are_wrong(kind, status, body, upstream):
    found = once(upstream, kind)
    assert found.status_code == status
    assert found.content.startswith(body)
    if kind in ("truncated", "last_value_lost"):
        assert len(found.content) == int(found.headers["content-length"]) < len(BODY)


def test_a_zipped_body_is_cut_and_its_length_is_told_right(upstream):
    found = once(upstream, "gzip_cut")
    assert isinstance(found, httpx.DecodingError) or found.content != BODY


@pytest.mark.parametrize(("kind", "seconds"), [("429_seconds", 7), ("429_date", 9), ("429_long_date", 7200)])
def test_both_forms_of_retry_after(kind, seconds, upstream):
    told = once(upstream, kind).headers["retry-after"]
    if not told.isdigit():
        told = round((parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    assert abs(int(told) - seconds) <= 2


@pytest.mark.parametrize(("kind", "shift"), [("date_ahead", 600), ("date_behind", -600)])
def test_the_date_is_shifted(kind, shift, upstream):
    told = parsedate_to_datetime(once(upstream, kind).headers["date"])
    assert abs((told - datetime.now(UTC)).total_seconds() - shift) <= 2


def test_a_fault_strikes_as_often_as_its_plan_says(upstream):
    statuses = [found.status_code for found in ask(upstream, Fault("503", "page", 1, 2), times=5)[0]]
    assert statuses == [200, 503, 503, 200, 200]
    statuses = [found.status_code for found in ask(upstream, Fault("503", "page", 1, None), times=4)[0]]
    assert statuses == [200, 503, 503, 503]
    assert [found.status_code for found in ask(upstream, Fault("503", "other"), times=2)[0]] == [200, 200]


def test_an_expired_credential_stays_expired(upstream):
    found, _ = ask(upstream, Fault("expired", "page", 1), times=3, authorization="Bearer one")
    assert [each.status_code for each in found] == [200, 401, 401]


def test_a_page_before_the_first_cannot_be_repeated(upstream):
    (found,), layer = ask(upstream, Fault("repeated", "page"))
    assert (found.content, layer.struck) == (BODY, [])


def test_the_canary_counts_who_comes():
    canary = Canary()
    with pytest.raises(httpx.HTTPError):
        httpx.get(canary.url, trust_env=False)
    assert canary.visits == 1
    canary.close()


def test_every_kind_is_tried_here_or_in_the_campaign():
    assert len(KINDS) == len(set(KINDS)) >= 35
