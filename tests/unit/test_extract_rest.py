"""REST interfaces as data: ways of paging, of proving who asks, and what must not happen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tieout.errors import AuthError, SourceError, UnsafeLinkError
from tieout.extract import Window
from tieout.extract.rest import RestExtractor
from tieout.spec import Company, Connection

ROWS = [{"id": str(number), "net": number} for number in range(7)]
FULL = Window(None, datetime(2026, 3, 2, tzinfo=UTC), full=True)


def connection(options: dict[str, Any], auth: str = "none", **more: Any) -> Connection:
    stream = {"key": ["id"], "cursor": "changed", "columns": {"id": "text", "net": "amount", "changed": "timestamp"},
              "options": {"path": "/orders", **options}}
    made = Company.model_validate({"version": 1, "connections": {"shop": {
        "system": "generic", "protocol": "rest", "role": "crm", "auth": auth, "time_zone": "UTC",
        "streams": {"orders": stream}, "options": {"base_url": "https://shop.example/api", **more}}}})
    return made.connection("shop")


def read(found: Connection, answer: Any, window: Window = FULL, secrets: dict[str, str] | None = None) -> list[str]:
    slept: list[float] = []
    with RestExtractor(found, secrets or {}, transport=httpx.MockTransport(answer), sleep=slept.append) as extractor:
        pages = [*extractor.pages(found.selected()[0], window)]
        read.slept = slept  # type: ignore[attr-defined]
    keys = []
    for page in pages:
        rows: Any = json.loads(page.body)
        for step in page.records.split(".") if page.records else ():
            rows = rows[step]
        keys += [row["id"] for row in rows]
    return keys


ALL = [row["id"] for row in ROWS]


def test_page_numbers_go_on_until_an_empty_page_whatever_size_the_server_clamps_to():
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        assert request.url.params["per_page"] == "50"
        return httpx.Response(200, json={"data": {"items": ROWS[(page - 1) * 3:page * 3]}})

    paging = {"by": "page", "param": "page", "size_param": "per_page", "size": 50}
    assert read(connection({"records": "data.items", "paging": paging}), answer) == ALL


def test_offsets_go_by_what_came():
    def answer(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["skip"])
        return httpx.Response(200, json={"rows": ROWS[offset:offset + 2], "total": 7})

    paging = {"by": "offset", "param": "skip", "total": "total"}
    assert read(connection({"records": "rows", "paging": paging}), answer) == ALL


def test_a_count_that_is_not_met_is_an_error():
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"rows": ROWS[:2] if request.url.params["skip"] == "0" else [], "total": 7})

    with pytest.raises(SourceError, match="the vendor counts 7 records, 2 came"):
        read(connection({"records": "rows", "paging": {"by": "offset", "param": "skip", "total": "total"}}), answer)


def test_a_token_in_the_answer():
    def answer(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("after", 0))
        following = str(start + 3) if start + 3 < 7 else None
        return httpx.Response(200, json={"items": ROWS[start:start + 3], "meta": {"next": following}})

    paging = {"by": "cursor", "param": "after", "path": "meta.next"}
    assert read(connection({"records": "items", "paging": paging}), answer) == ALL


def test_the_link_header_and_relative_links():
    def answer(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("s", 0))
        links = '<https://shop.example/api/orders?s=0>; rel="first"'
        if start + 4 < 7:
            links += f', </api/orders?s={start + 4}>; rel="next"'
        return httpx.Response(200, json=ROWS[start:start + 4], headers={"link": links})

    assert read(connection({"paging": {"by": "link"}}), answer) == ALL


@pytest.mark.parametrize("link", [
    "https://evil.example/api/orders?s=1", "http://shop.example/api/orders", "//evil.example"])
def test_a_link_to_another_host_is_refused(link):
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(200, json={"items": ROWS, "next": link})

    with pytest.raises(UnsafeLinkError):
        read(connection({"records": "items", "paging": {"by": "body", "path": "next"}}), answer)
    assert asked == ["shop.example"]


def test_a_link_that_comes_twice_is_no_endless_loop():
    def answer(request: httpx.Request) -> httpx.Response:
        rows = [{"id": request.url.params.get("s", "0")}]
        return httpx.Response(200, json={"items": rows, "next": "/api/orders?s=1"})

    with pytest.raises(SourceError, match="the same place|same page"):
        read(connection({"records": "items", "paging": {"by": "body", "path": "next"}}), answer)


def test_an_error_in_an_answer_of_status_200():
    with pytest.raises(SourceError, match="answered 200 and says quota used up"):
        read(connection({"records": "items", "error": "error"}),
             lambda _: httpx.Response(200, json={"items": [], "error": "quota used up"}))


def test_no_list_where_one_was_declared_lands_nothing():
    with pytest.raises(SourceError, match="holds no list under 'data.items'"):
        read(connection({"records": "data.items"}), lambda _: httpx.Response(200, json={"data": {"rows": []}}))


@pytest.mark.parametrize(("stamps", "start", "end"), [
    ("%Y-%m-%dT%H:%M:%SZ", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"), ("epoch", "1772323200", "1772409600"),
    ("%Y%m%d", "20260301", "20260302")])
def test_the_window_goes_into_the_parameters(stamps, start, end):
    seen: dict[str, str] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen.update(request.url.params)
        return httpx.Response(200, json=[])

    params = {"from": "{start}", "to": "{end}", "fixed": "x"}
    found = connection({"params": params, "stamps": stamps})
    read(found, answer, Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)))
    assert seen == {"from": start, "to": end, "fixed": "x"}
    seen.clear()
    read(found, answer)
    assert seen == {"fixed": "x"}, "all is asked for: no window"


@pytest.mark.parametrize(("auth", "options", "secrets", "header", "value"), [
    ("basic", {"username": "u"}, {"password": "p"}, "authorization", "Basic dTpw"),
    ("bearer", {}, {"token": "t"}, "authorization", "Bearer t"),
    ("api_key", {"api_key_header": "X-Key"}, {"api_key": "k"}, "x-key", "k")])
def test_ways_to_prove_who_asks(auth, options, secrets, header, value):
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.headers.get(header) == value else 401, json=[])

    assert read(connection({}, auth, **options), answer, secrets=secrets) == []
    with pytest.raises(AuthError):
        read(connection({}, auth, **options), answer, secrets=dict.fromkeys(secrets, "other"))


def test_client_credentials_are_asked_for_again_when_they_end():
    tokens: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            assert b"grant_type=client_credentials" in request.content
            tokens.append(f"t{len(tokens)}")
            return httpx.Response(200, json={"access_token": tokens[-1], "expires_in": 3600})
        good = request.headers.get("authorization") == "Bearer t1"
        return httpx.Response(200 if good else 401, json=ROWS if good else {})

    found = connection({}, "client_credentials", token_url="https://shop.example/token")
    assert read(found, answer, secrets={"client_id": "i", "client_secret": "s"}) == ALL


def test_a_limit_is_waited_for_as_the_vendor_says_and_our_own_rate_is_kept():
    calls = iter([httpx.Response(429, headers={"retry-after": "7"}), *(
        httpx.Response(200, json=rows) for rows in (ROWS[:1], ROWS[1:2], []))])
    found = connection({"paging": {"by": "page", "param": "p"}}, per_second=0.5)
    assert read(found, lambda _: next(calls)) == ["0", "1"]
    slept = read.slept  # type: ignore[attr-defined]
    assert 7.0 in slept
    assert sum(1 for one in slept if 1.5 < one <= 2.0) == 2
