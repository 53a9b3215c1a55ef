"""When to try again, how long to wait, and where never to go. Answers follow RFC 9110."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from tests.unit.extract_stub import NOW, Sleeps, Wire, answer
from tieout import logs
from tieout.errors import AuthError, ConfigError, RateLimitError, SourceError, UnsafeLinkError
from tieout.extract import Facts
from tieout.extract import http as room
from tieout.extract.address import checked_address
from tieout.extract.http import Answer, Call, Client, Damaged, Refused, Verdict, by_status, decode

URL = "https://api.example.com/v1/things"


def client(wire: httpx.BaseTransport, *, classify=by_status, sleep=None, **words) -> Client:
    origins = words.pop("origins", ("https://api.example.com",))
    sleep = Sleeps() if sleep is None else sleep
    return Client("crm_eu", classify=classify, facts=Facts(), origins=origins, transport=wire, sleep=sleep, **words)


def get(a_client: Client, url: str = URL, **words) -> dict:
    return a_client.request(Call("GET", url, "Order", **words), lambda got: decode(got.body, dict))


def test_an_answer_at_once_costs_one_request():
    wire = Wire().on("GET", "/v1/things", answer({"a": 1}))
    subject = client(wire)
    assert get(subject) == {"a": 1}
    assert subject.facts == Facts(requests=1, bytes=len(b'{"a":1}'))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_answers_that_can_heal_are_tried_again(status):
    wire = Wire().on("GET", "/v1/things", httpx.Response(status), answer({"a": 1}))
    subject, sleeps = client(wire), Sleeps()
    subject.sleep = sleeps
    assert get(subject) == {"a": 1}
    assert subject.facts.requests == 2
    assert subject.facts.retries == 1
    assert subject.facts.waited_seconds == sum(sleeps) > 0


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 409, 410, 415, 422, 501])
def test_answers_that_cannot_heal_are_never_tried_again(status):
    wire = Wire().on("GET", "/v1/things", httpx.Response(status, text="no"))
    sleeps = Sleeps()
    with pytest.raises(Refused, match=f"connection crm_eu, Order: GET {URL}: {status}: no"):
        get(client(wire, sleep=sleeps))
    assert len(wire.requests) == 1
    assert sleeps == []


@pytest.mark.parametrize(
    "broken",
    [
        httpx.ConnectError("connection refused"), httpx.ReadError("connection reset by peer"),
        httpx.ReadTimeout("too slow"), httpx.ConnectTimeout("too slow"),
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    ],
)
def test_broken_connections_and_truncated_bodies_are_tried_again(broken):
    wire = Wire().on("GET", "/v1/things", broken, answer({"a": 1}))
    assert get(client(wire)) == {"a": 1}


def test_a_certificate_that_is_not_trusted_is_final():
    wire = Wire().on("GET", "/v1/things", httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"))
    with pytest.raises(SourceError, match="certificate is not trusted"):
        get(client(wire))
    assert len(wire.requests) == 1


def test_retry_after_in_seconds_is_obeyed():
    wire = Wire().on("GET", "/v1/things", answer({}, 429, retry_after="17"), answer({"a": 1}))
    sleeps = Sleeps()
    get(client(wire, sleep=sleeps))
    assert sleeps == [17.0]


def test_retry_after_as_an_http_date_counts_from_the_vendors_clock():
    """Our clock may be hours off: the date is compared with the same answer's Date."""
    limited = answer(
        {}, 503, retry_after="Sun, 01 Mar 2026 12:00:30 GMT", date="Sun, 01 Mar 2026 12:00:05 GMT"
    )
    wire, sleeps = Wire().on("GET", "/v1/things", limited, answer({"a": 1})), Sleeps()
    get(client(wire, sleep=sleeps, clock=lambda: datetime(2030, 1, 1, tzinfo=UTC)))
    assert sleeps == [25.0]


def test_retry_after_in_the_past_means_now():
    limited = answer({}, 429, retry_after="Sun, 01 Mar 2026 11:00:00 GMT", date="Sun, 01 Mar 2026 12:00:00 GMT")
    wire, sleeps = Wire().on("GET", "/v1/things", limited, answer({"a": 1})), Sleeps()
    get(client(wire, sleep=sleeps))
    assert sleeps == [0.0]


def test_without_retry_after_waits_double_with_jitter():
    wire = Wire().on("GET", "/v1/things", *[httpx.Response(503)] * 5, answer({"a": 1}))
    sleeps = Sleeps()
    get(client(wire, sleep=sleeps))
    assert len(sleeps) == 5
    for wait, longest in zip(sleeps, (1, 2, 4, 8, 16), strict=True):
        assert longest / 2 <= wait <= longest
    assert len(set(sleeps)) == 5


def test_a_longer_wait_than_allowed_is_a_rate_limit_error_and_is_not_waited():
    wire = Wire().on("GET", "/v1/things", answer({}, 429, retry_after="3600"))
    sleeps = Sleeps()
    told = r"429(.|\n)*wait 3,600 s, until 2026-03-01 13:00:00 UTC, and TIEOUT_HTTP_MAX_WAIT_SECONDS is 300"
    with pytest.raises(RateLimitError, match=told):
        get(client(wire, sleep=sleeps, max_wait=300, clock=lambda: NOW))
    assert sleeps == []
    assert len(wire.requests) == 1


def test_an_absurd_wait_is_told_too():
    wire = Wire().on("GET", "/v1/things", answer({}, 429, retry_after="9" * 30))
    with pytest.raises(RateLimitError, match="asks to wait"):
        get(client(wire))


def test_maintenance_that_takes_longer_than_allowed_says_until_when():
    wire = Wire().on("GET", "/v1/things", answer({}, 503, retry_after="Sun, 01 Mar 2026 18:00:00 GMT",
                                                 date="Sun, 01 Mar 2026 12:00:00 GMT"))
    with pytest.raises(SourceError, match="wait 21,600 s, until 2026-03-01 18:00:00 UTC"):
        get(client(wire, clock=lambda: NOW))
    assert len(wire.requests) == 1


def test_the_total_wait_is_bounded():
    wire = Wire().on("GET", "/v1/things", answer({}, 429, retry_after="40"), always=True)
    sleeps = Sleeps()
    with pytest.raises(RateLimitError):
        get(client(wire, sleep=sleeps, max_wait=100))
    assert sum(sleeps) == 80


def test_a_vendor_that_stays_down_is_no_rate_limit():
    wire = Wire().on("GET", "/v1/things", httpx.Response(503, text="maintenance"), always=True)
    with pytest.raises(SourceError, match="503: maintenance") as caught:
        get(client(wire, max_wait=30))
    assert not isinstance(caught.value, RateLimitError)


def test_no_wait_allowed_means_one_try():
    wire = Wire().on("GET", "/v1/things", httpx.Response(503), always=True)
    with pytest.raises(SourceError):
        get(client(wire, max_wait=0))
    assert len(wire.requests) == 1


def test_half_a_page_is_read_again_and_never_handed_on():
    half = httpx.Response(200, content=b'{"a": [1, 2', headers={"content-type": "application/json"})
    wire = Wire().on("GET", "/v1/things", half, answer({"a": [1, 2, 3]}))
    assert get(client(wire)) == {"a": [1, 2, 3]}


def test_a_page_that_stays_half_names_connection_stream_and_address_without_its_query():
    half = httpx.Response(200, content=b'{"a": [1, 2')
    wire = Wire().on("GET", "/v1/things", half, always=True)
    with pytest.raises(SourceError) as caught:
        get(client(wire), params={"token": "tell-nobody"})
    assert "connection crm_eu, Order: GET https://api.example.com/v1/things: damaged answer" in str(caught.value)
    assert "tell-nobody" not in str(caught.value)
    assert 1 < len(wire.requests) < room.MAX_TRIES


def test_a_200_with_a_maintenance_page_is_no_data():
    page = httpx.Response(200, html="<html><head><title>We are down</title></head></html>")
    wire = Wire().on("GET", "/v1/things", page, always=True)
    with pytest.raises(SourceError, match="HTML page titled 'We are down'"):
        get(client(wire))
    assert len(wire.requests) == 4
    healed = Wire().on("GET", "/v1/things", page, answer({"a": 1}))
    assert get(client(healed)) == {"a": 1}


def test_a_200_with_an_error_body_is_judged_by_the_vendors_table():
    def classify(got: Answer) -> Verdict:
        return Verdict("fatal", "told so", code="E1") if b"error" in got.body else by_status(got)

    wire = Wire().on("GET", "/v1/things", answer({"error": 1}))
    with pytest.raises(Refused, match="told so") as caught:
        get(client(wire, classify=classify))
    assert (caught.value.code, caught.value.status) == ("E1", 200)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.net/v1/things",
        "http://api.example.com/v1/things",
        "https://api.example.com:8443/v1/things",
        "https://api.example.com@evil.example.net/v1/things",
        "https://api.example.com.evil.example.net/v1/things",
        "https://api.example.com\\@evil.example.net/v1/things",
        "http://[::1",
        "",
    ],
)
def test_another_host_scheme_or_port_is_refused_before_anything_is_sent(url):
    wire = Wire()
    with pytest.raises(UnsafeLinkError, match="connection crm_eu, Order"):
        get(client(wire), url)
    assert wire.requests == []


def test_the_schemes_own_port_is_the_same_address():
    wire = Wire().on("GET", "/v1/things", answer({}))
    assert get(client(wire), "https://API.example.com:443/v1/things") == {}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status):
    moved = httpx.Response(status, headers={"location": "https://evil.example.net/"})
    wire = Wire().on("GET", "/v1/things", moved)
    with pytest.raises(Refused, match="redirects are not followed"):
        get(client(wire))
    assert len(wire.requests) == 1


class Signer:
    """Credentials that change on renewal; remembers what it signed."""

    def __init__(self) -> None:
        self.signed, self.renewed, self.word = 0, [], "first"

    def apply(self, request: httpx.Request) -> str:
        self.signed += 1
        request.headers["Authorization"] = f"{self.word} {self.signed}"
        return self.word

    def renew(self, used: str) -> None:
        self.renewed.append(used)
        self.word = "second"


def reauth_on_401(got: Answer) -> Verdict:
    return Verdict("reauth", "expired", error=AuthError) if got.status == 401 else by_status(got)


def test_every_try_is_signed_afresh():
    wire = Wire().on("GET", "/v1/things", httpx.Response(503), httpx.ReadError("reset"), answer({}))
    subject = client(wire)
    subject.auth = Signer()
    get(subject)
    assert [r.headers["Authorization"] for r in wire.requests] == ["first 1", "first 2", "first 3"]


def test_an_expired_credential_is_renewed_once_and_the_request_replayed():
    wire = Wire().on("GET", "/v1/things", httpx.Response(401), answer({"a": 1}))
    subject = client(wire, classify=reauth_on_401)
    subject.auth = Signer()
    assert get(subject) == {"a": 1}
    assert subject.auth.renewed == ["first"]
    assert wire.requests[1].headers["Authorization"] == "second 2"


def test_a_second_refusal_after_renewal_stops():
    wire = Wire().on("GET", "/v1/things", httpx.Response(401), httpx.Response(503), httpx.Response(401))
    subject = client(wire, classify=reauth_on_401)
    subject.auth = Signer()
    with pytest.raises(AuthError, match="expired"):
        get(subject)
    assert len(subject.auth.renewed) == 1
    assert wire.left == []


def test_a_form_is_built_anew_for_every_try():
    numbers = iter("12345")
    wire = Wire().on("POST", "/v1/things", httpx.Response(500), answer({}))
    client(wire).request(
        Call("POST", URL, "authentication", form=lambda: {"assertion": next(numbers)}), lambda got: got.status
    )
    assert [r.content for r in wire.requests] == [b"assertion=1", b"assertion=2"]


def test_an_endless_body_is_cut_off(monkeypatch):
    monkeypatch.setattr(room, "MAX_BODY_BYTES", 1000)
    wire = Wire().on("GET", "/v1/things", httpx.Response(200, content=b"x" * 1001))
    with pytest.raises(SourceError, match="larger than"):
        get(client(wire))
    assert len(wire.requests) == 1


def test_a_byte_at_a_time_is_no_answer(monkeypatch):
    """Each byte comes in time for the read timeout, and the answer never ends."""
    monkeypatch.setattr(room, "_ANSWER_TIMEOUTS", 0.001)

    def drip() -> Iterator[bytes]:
        while True:
            time.sleep(0.001)
            yield b" "

    wire = httpx.MockTransport(lambda request: httpx.Response(200, content=drip()))
    subject = client(wire, timeout=5)
    with pytest.raises(SourceError, match="no answer in time"):
        get(subject, tries=2)
    assert subject.facts.requests == 2


def test_no_more_requests_at_once_than_allowed():
    running, most, lock = 0, 0, threading.Lock()

    def slow(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return httpx.Response(200, json={})

    subject = client(httpx.MockTransport(slow), max_concurrency=2)
    threads = [threading.Thread(target=get, args=(subject,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    assert subject.facts.requests == 8


def test_the_vendors_clock_is_read_from_the_date_header():
    wire = Wire().on("GET", "/v1/things", answer({}, date="Sun, 01 Mar 2026 12:00:05 GMT"), answer({}, date="garbage"))
    subject = client(wire)
    assert subject.date is None
    get(subject)
    assert subject.date == datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
    get(subject)
    assert subject.date == datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


def test_what_a_vendor_echoes_of_our_secrets_is_not_repeated():
    logs.register_secret("hunter2-hunter2")
    wire = Wire().on("GET", "/v1/things", httpx.Response(400, text="bad token hunter2-hunter2"))
    with pytest.raises(Refused, match=r"bad token \*\*\*") as caught:
        get(client(wire))
    assert "hunter2" not in str(caught.value)


def test_a_damaged_reader_is_tried_again_only_a_few_times():
    def read(got: Answer) -> None:
        raise Damaged("3 of 4 rows")

    wire = Wire().on("GET", "/v1/things", answer({}), always=True)
    with pytest.raises(SourceError, match="3 of 4 rows"):
        client(wire).request(Call("GET", URL, "Order"), read)
    assert len(wire.requests) == 4


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com", "ftp://api.example.com", "api.example.com", "https://user:pw@api.example.com",
        "http://[", "",
    ],
)
def test_configured_addresses_are_https_without_credentials(url):
    with pytest.raises(ConfigError):
        checked_address(url, "options.base_url")


def test_a_request_that_cannot_be_sent_does_not_quote_its_headers():
    wire = Wire().on("GET", "/v1/things", httpx.LocalProtocolError("Illegal header value b'Bearer tell-nobody\\n'"))
    with pytest.raises(SourceError, match="cannot be sent") as caught:
        get(client(wire))
    assert "tell-nobody" not in str(caught.value)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("url", ["https://api.example.com/", "http://127.0.0.1:8080", "http://localhost:1"])
def test_this_machines_own_servers_may_speak_http(url):
    assert checked_address(url, "options.base_url") == url.rstrip("/")
