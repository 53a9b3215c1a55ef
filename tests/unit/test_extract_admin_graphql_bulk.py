"""Bulk operations of the Admin API: their life, their files, and the ways in which both go wrong."""

from __future__ import annotations

import json
import random

import httpx
import msgspec
import pytest

from tests.unit.extract_stub import NOW, Sleeps, Wire
from tests.unit.shopify_stub import (
    PATH,
    SHOP,
    STORAGE,
    agreement,
    answering,
    data,
    line,
    opened,
    order,
    page,
    sale,
    shopify,
)
from tieout.errors import RateLimitError, SourceError, UnsafeLinkError
from tieout.extract import Window, admin_graphql_bulk, pieces

ALL = Window(None, NOW, full=True)
GID = "gid://shopify/BulkOperation/7"
FILE = r"/bulk/result\.jsonl"


def bare(record: dict, *lists: str, parent: str = "") -> dict:
    """A record as a line: without its connections."""
    found = {name: value for name, value in record.items() if name not in lists}
    return found | ({"__parentId": parent} if parent else {})


def lines_of(*numbers: int) -> list[bytes]:
    """Orders, each with a line and an agreement of one entry."""
    found = []
    for number in numbers:
        name = f"gid://shopify/Order/{number}"
        deal = f"gid://shopify/SalesAgreement/{number}"
        found += [bare(order(number), "lineItems", "agreements", "shippingLines"),
                  bare(line(number), parent=name), bare(agreement(number, None), "sales", parent=name),
                  bare(sale(number), parent=deal)]
    return [json.dumps(each).encode() for each in found]


def told(status="COMPLETED", body: bytes | None = b"", roots: int = 0, **more) -> dict:
    count = len(body.splitlines()) if body else 0
    return {"id": GID, "status": status, "errorCode": None, "createdAt": "2026-03-01T12:00:00Z", "query": "q",
            "objectCount": str(count), "rootObjectCount": str(roots), "partialDataUrl": None,
            "fileSize": str(len(body)) if body else None, "url": STORAGE if body else None, **more}


def started(*refusals: dict) -> tuple[str, object]:
    replies = list(refusals)

    def reply(_query):
        if replies:
            return data({"bulkOperationRunQuery": {"bulkOperation": None, "userErrors": [replies.pop(0)]}})
        return data({"bulkOperationRunQuery": {"bulkOperation": {"id": GID, "status": "CREATED"}, "userErrors": []}})

    return "bulkOperationRunQuery", reply


def polled(*states: dict) -> tuple[str, object]:
    left = list(states)
    return "... on BulkOperation", lambda _query: data({"node": left.pop(0) if len(left) > 1 else left[0]})


def served(body: bytes, *, seen: list | None = None):
    def reply(request):
        start, end = (int(each) for each in request.headers["range"].removeprefix("bytes=").split("-"))
        if seen is not None:
            seen.append(request)
        part = body[start:end + 1]
        return httpx.Response(206, content=part, headers={
            "content-range": f"bytes {start}-{start + len(part) - 1}/{len(body)}"})

    return reply


RULES = (("currentAppInstallation", data(SHOP)), ("orders(", data({"orders": page([])})))


def read(*rules, files=(), sleeps=None, **options) -> list[dict]:
    wire = Wire().on("POST", PATH, answering(*rules, *RULES), always=True)
    if files:
        wire.on("GET", FILE, *files, always=True)
    with opened(wire, shopify(bulk="always", **options), sleeps) as extractor:
        stream = next(each for each in extractor._connection.selected() if each.name == "orders")
        pages = list(extractor.pages(stream, ALL))
        read.notes = extractor.facts.notes
    return [each for found in pages for each in msgspec.json.decode(found.body)]


def test_lines_are_put_together_whatever_their_order():
    """A child may come before its parent, and a grandchild before both."""
    for seed in range(5):
        shuffled = lines_of(1, 2, 3)
        random.Random(seed).shuffle(shuffled)
        body = b"\n".join(shuffled) + b"\n"
        found = read(started(), polled(told(body=body, roots=3)), files=[served(body)])
        assert sorted(each["legacyResourceId"] for each in found) == ["1", "2", "3"]
        for each in found:
            assert [one["id.#"] for one in each["@line_items"]] == [each["legacyResourceId"]]
            assert [one["id.#"] for one in each["@sales"]] == [each["legacyResourceId"]]
            assert each["@sales"][0]["^^.legacyResourceId"] == each["legacyResourceId"]


def test_the_file_is_read_in_pieces_without_the_token(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 700)
    body, seen = b"\n".join(lines_of(1, 2, 3)), []
    assert len(read(started(), polled(told(body=body, roots=3)), files=[served(body, seen=seen)])) == 3
    assert len(seen) > 5
    for request in seen:
        assert "x-shopify-access-token" not in request.headers
        assert b"shpat_1" not in str(request.headers).encode()


def test_no_object_at_all_is_no_file_and_no_error():
    assert read(started(), polled(told(body=None))) == []


def test_objects_and_no_file_are_an_error():
    with pytest.raises(SourceError, match="12 records and no file"):
        read(started(), polled(told(body=None, objectCount="12", rootObjectCount="12")))


def test_an_operation_is_waited_for_with_longer_and_longer_pauses():
    sleeps, body = Sleeps(), b"\n".join(lines_of(1))
    waiting = [told("CREATED"), told("RUNNING"), told("RUNNING"), told(body=body, roots=1)]
    assert len(read(started(), polled(*waiting), files=[served(body)], sleeps=sleeps)) == 1
    assert len(sleeps) == 3 and sorted(sleeps) == sleeps and sleeps[0] < 1


def test_another_operation_in_progress_is_waited_for():
    busy = {"field": None, "code": "OPERATION_IN_PROGRESS", "message": (
        "A bulk query operation for this app and shop is already in progress: gid://shopify/BulkOperation/99.")}
    other = {**told("RUNNING"), "id": "gid://shopify/BulkOperation/99", "query": "of somebody else"}
    body, sleeps = b"\n".join(lines_of(1)), Sleeps()
    found = read(started(busy, busy), polled(other, other, told(body=body, roots=1)), files=[served(body)],
                 sleeps=sleeps)
    assert len(found) == 1 and len(sleeps) == 2


def test_others_that_never_end_are_a_limit(monkeypatch):
    monkeypatch.setattr(admin_graphql_bulk, "LONGEST_QUEUE", 10)
    busy = [{"field": None, "code": "LIMIT_REACHED", "message": "The limit was reached"}] * 20
    with pytest.raises(RateLimitError, match="do not end"):
        read(started(*busy))


def test_our_own_operation_whose_creation_was_never_answered_is_found_again():
    """The answer was lost, the second try finds an operation in progress: ours, by its query and its time."""
    body, seen = b"\n".join(lines_of(1)), []
    busy = {"field": None, "code": "OPERATION_IN_PROGRESS", "message": f"already in progress: {GID}"}

    def start(query):
        return started(busy)[1](query)

    def poll(_query):
        seen.append(1)
        return data({"node": {**told(body=body, roots=1), "query": read.query}})

    def remembering(request):
        found = json.loads(request.content)
        if "bulkOperationRunQuery" in found["query"]:
            read.query = found["variables"]["query"]
        return answering(("bulkOperationRunQuery", start), ("... on BulkOperation", poll), *RULES)(request)

    wire = Wire().on("POST", PATH, remembering, always=True).on("GET", FILE, served(body), always=True)
    with opened(wire, shopify(bulk="always")) as extractor:
        stream = next(each for each in extractor._connection.selected() if each.name == "orders")
        assert sum(len(msgspec.json.decode(each.body)) for each in extractor.pages(stream, ALL)) == 1
    assert len(seen) == 2  # looked at once to know it, once to read it


def test_an_address_that_ended_is_asked_for_anew():
    body = b"\n".join(lines_of(1))
    expired = httpx.Response(400, content=b"<Error><Code>ExpiredToken</Code></Error>")
    assert len(read(started(), polled(told(body=body, roots=1)), files=[expired, served(body)])) == 1


def test_a_file_that_stays_away_is_an_error_that_names_the_operation():
    gone = httpx.Response(404, content=b"<Error><Code>NoSuchKey</Code></Error>")
    body = b"\n".join(lines_of(1))
    with pytest.raises(SourceError, match=r"BulkOperation/7 cannot be read(.|\n)*seven days"):
        read(started(), polled(told(body=body, roots=1)), files=[gone])


@pytest.mark.parametrize("url", [
    "https://evil.example/result.jsonl", "http://storage.googleapis.com/result.jsonl", "https://acme.myshopify.com/x",
    "https://storage.googleapis.com.evil.example/x", "https://storage.googleapis.com@evil.example/x",
])  # fmt: skip
def test_a_result_at_a_host_that_is_not_allowed_is_not_asked_for(url):
    body = b"\n".join(lines_of(1))
    with pytest.raises(UnsafeLinkError, match="not allowed"):
        read(started(), polled(told(body=body, roots=1, url=url)))


def test_the_connection_names_the_hosts_of_results():
    body = b"\n".join(lines_of(1))
    found = read(started(), polled(told(body=body, roots=1, url="https://files.example/bulk/result.jsonl")),
                 files=[served(body)], result_hosts=["files.example"])
    assert len(found) == 1


def test_a_part_of_the_data_is_never_taken_for_the_whole():
    """Failed twice, with half of the data there for the taking: read by pages, and told."""
    failed = told("FAILED", errorCode="INTERNAL_SERVER_ERROR", partialDataUrl=STORAGE)
    rules = (started(), polled(failed), ("currentAppInstallation", data(SHOP)),
             ("orders(", data({"orders": page([order(5)])})))
    wire = Wire().on("POST", PATH, answering(*rules), always=True)
    with opened(wire, shopify(bulk="always")) as extractor:
        stream = next(each for each in extractor._connection.selected() if each.name == "orders")
        [found] = list(extractor.pages(stream, ALL))
        assert "a part of the data, which is not taken" in extractor.facts.notes["bulk_failed"]["orders"]
    assert [each["legacyResourceId"] for each in msgspec.json.decode(found.body)] == ["5"]
    assert wire.asked("GET", FILE) == []


def test_one_that_failed_once_is_started_again():
    body = b"\n".join(lines_of(1))
    states = polled(told("FAILED", errorCode="TIMEOUT"), told(body=body, roots=1))
    assert len(read(started(), states, files=[served(body)])) == 1


@pytest.mark.parametrize(("state", "words"), [
    (told("FAILED", errorCode="ACCESS_DENIED"), "scopes"), (told("CANCELED"), "CANCELED"),
    (told("EXPIRED"), "EXPIRED"),
])  # fmt: skip
def test_other_ends_are_errors(state, words):
    with pytest.raises(SourceError, match=words):
        read(started(), polled(state))


@pytest.mark.parametrize(("change", "words"), [
    (lambda body: body[:-200], "of .* bytes"),
    (lambda body: body.replace(b'"__parentId": "gid://shopify/Order/1"', b'"__parentId": "gid://shopify/Order/8"', 1),
     "belong to no record"),
    (lambda body: body.replace(b'"__typename": "LineItem"', b'"__typename": "Stranger"', 1), "Stranger"),
    (lambda body: body.replace(b"{", b"[", 1), "no record"),
])  # fmt: skip
def test_a_damaged_file_is_not_taken(change, words):
    whole = b"\n".join(lines_of(1, 2))
    body = change(whole)
    with pytest.raises(SourceError, match=words):
        read(started(), polled(told(body=whole, roots=2, fileSize=str(len(whole)))), files=[served(body)])


def test_fewer_records_than_announced_are_an_error():
    body = b"\n".join(lines_of(1, 2))
    with pytest.raises(SourceError, match="announced 3 records and served 2"):
        read(started(), polled(told(body=body, roots=3)), files=[served(body)])


def test_a_query_that_the_vendor_refuses_is_an_error_with_its_words():
    refusal = {"field": ["query"], "code": "INVALID", "message": "Bulk queries cannot contain more than 5 connections."}
    with pytest.raises(SourceError, match="more than 5 connections"):
        read(started(refusal))


def test_an_operation_is_cancelled_when_reading_breaks_off():
    def broken(_query):
        raise KeyboardInterrupt

    wire = Wire().on("POST", PATH, answering(
        started(), ("... on BulkOperation", broken), ("bulkOperationCancel", data({"bulkOperationCancel": {
            "bulkOperation": {"id": GID, "status": "CANCELING"}, "userErrors": []}})), *RULES), always=True)
    with opened(wire, shopify(bulk="always")) as extractor:
        stream = next(each for each in extractor._connection.selected() if each.name == "orders")
        with pytest.raises(KeyboardInterrupt):
            list(extractor.pages(stream, ALL))
    assert "bulkOperationCancel" in wire.requests[-1].content.decode()


@pytest.mark.parametrize(("count", "precision", "is_bulk"), [
    (249, "EXACT", False), (250, "EXACT", True), (10_000, "AT_LEAST", True), (10, "AT_LEAST", True)])
def test_many_records_are_read_in_bulk_and_few_by_pages(count, precision, is_bulk):
    wire = Wire().on("POST", PATH, answering(
        started(), polled(told(body=None)), ("ordersCount", data({"ordersCount": {
            "count": count, "precision": precision}})), *RULES), always=True)
    with opened(wire, shopify()) as extractor:
        stream = next(each for each in extractor._connection.selected() if each.name == "orders")
        list(extractor.pages(stream, ALL))
    assert any(b"bulkOperationRunQuery" in request.content for request in wire.requests) is is_bulk
