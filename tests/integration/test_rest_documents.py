"""REST interfaces that show lines only with, or below, their document: what a document's deletion takes with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.integration.own_system import current, figures
from tieout.errors import SourceError
from tieout.extract.rest import RestExtractor
from tieout.landing.windows import land_connection
from tieout.spec import Company, Connection
from tieout.warehouse import migrate

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

LINE = {"order_no": "text", "line": "integer", "net": "amount"}


class Shop:
    """A shop in memory: {order: [net of each line]}. Answers as REST interfaces do; `asked` remembers the paths."""

    def __init__(self) -> None:
        self.orders: dict[str, list[str]] = {"A": ["1.10", "2.20"], "B": ["3.30"], "C": []}
        self.stamps = dict.fromkeys(self.orders, "2026-03-01T10:00:00Z")
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/")
        self.asked.append(path)
        if path == "orders":
            since = request.url.params.get("since", "")
            return httpx.Response(200, json=[
                {"order_no": key, "changed": self.stamps[key],
                 "lines": [{"line": at, "net": net} for at, net in enumerate(nets, 1)]}
                for key, nets in self.orders.items() if self.stamps[key] >= since])
        key = path.split("/")[1]
        if key not in self.orders:
            return httpx.Response(404, text="no such order")
        lines = [{"order_no": key, "line": at, "net": net} for at, net in enumerate(self.orders[key], 1)]
        return httpx.Response(200, text=json.dumps(lines))


def connected(lines: dict[str, Any], **head: Any) -> Connection:
    streams = {
        "orders": {"key": ["order_no"], "columns": {"order_no": "text", "changed": "timestamp"},
                   "options": {"path": "orders", "params": {"since": "{start}"}}, **head},
        "lines": {"key": ["order_no", "line"], "columns": LINE, "parent": {"stream": "orders", "column": "order_no"},
                  **lines}}
    made = Company.model_validate({"version": 1, "connections": {"shop": {
        "system": "generic", "protocol": "rest", "role": "crm", "auth": "none", "time_zone": "UTC", "streams": streams,
        "options": {"base_url": "https://shop.example/api"}}}})
    migrate(made)
    return made.connection("shop")


def land(connection: Connection, shop: Shop) -> dict[str, tuple[int, ...]]:
    with RestExtractor(connection, {}, transport=httpx.MockTransport(shop), sleep=lambda _: None) as extractor:
        return {one.stream: figures(one) for one in land_connection(connection, None, extractor=extractor)}


def landed() -> list[tuple[str, str]]:
    return [(key, str(net)) for key, net in current("shop__lines", "order_no", "net")]


BELOW: dict[str, Any] = {"options": {"path": "orders/{parent}/lines"}}
NESTED: dict[str, Any] = {"explode": "lines"}
ALL = [("A", "1.1"), ("A", "2.2"), ("B", "3.3")]


@pytest.mark.parametrize("way", [BELOW, NESTED])
def test_lines_below_or_within_their_document_land_from_the_first_day_on(way):
    shop, found = Shop(), connected(way, cursor="changed")
    land(found, shop)
    assert landed() == ALL
    shop.orders["A"], shop.stamps["A"], shop.asked = ["1.10"], f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", []
    land(found, shop)
    assert landed() == [("A", "1.1"), ("B", "3.3")], "a line that was taken out of its document is gone"
    if way is BELOW:
        assert shop.asked.count("orders/A/lines") == 1
        assert "orders/B/lines" not in shop.asked


@pytest.mark.parametrize("way", [BELOW, NESTED])
def test_the_lines_of_a_deleted_document_are_gone_with_it(way):
    shop, found = Shop(), connected(way, mode="full")
    shop.orders |= {str(number): ["1"] for number in range(20)}
    shop.stamps |= dict.fromkeys(shop.orders, "2026-03-01T10:00:00Z")
    land(found, shop)
    before = landed()
    del shop.orders["A"]
    land(found, shop)
    assert landed() == [row for row in before if row[0] != "A"]
    shop.orders["A"] = ["9"]
    land(found, shop)
    assert ("A", "9") in landed()
    assert len(landed()) == len(before) - 1


def test_a_document_that_goes_between_two_questions_is_no_silent_loss():
    """The document was listed, and its lines are asked for a moment later."""
    shop, found = Shop(), connected(BELOW, cursor="changed")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/B/lines"):
            return httpx.Response(404, text="no such order")
        return shop(request)

    with pytest.raises(SourceError, match="shop.*lines.*404"):
        land(found, answer)
    land(found, shop)
    assert landed() == ALL


def test_nested_lines_have_no_address():
    with pytest.raises(ValueError, match="nested lines come with their parent's record"):
        connected({**NESTED, **BELOW}, cursor="changed")
