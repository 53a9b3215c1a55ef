"""A scripted Salesforce organisation for the tests of SOQL and of bulk jobs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx

from tests.unit.extract_stub import NOW, Sleeps, Wire, answer, pem, rsa_key, salesforce
from tieout.extract import Window
from tieout.extract.soql import SoqlExtractor
from tieout.spec import Connection, Stream

HOME = "https://acme.my.salesforce.com"
V = "/services/data/v67.0"
WINDOW = Window(datetime(2026, 1, 31, 22, 4, 5, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
TOKEN = {
    "access_token": "00D!AR.secret-one", "scope": "api", "instance_url": HOME, "token_type": "Bearer",
    "id": "https://login.salesforce.com/id/00D/005",
}


def describe(stream: Stream, *, without: tuple[str, ...] = (), plus: tuple[str, ...] = ()) -> httpx.Response:
    words = [c.field for c in stream.columns if c.field not in without]
    fields = [{"name": word, "type": "string", "label": word} for word in [*words, *plus]]
    return answer({"name": stream.name, "fields": fields, "queryable": True})


def page(stream: str, ids: list[str], total: int, following: str | None = None) -> httpx.Response:
    """As recorded: totalSize counts the whole result, nextRecordsUrl is there only when not done."""
    records = [{"attributes": {"type": stream, "url": f"{V}/sobjects/{stream}/{i}"}, "Id": i} for i in ids]
    value = {"totalSize": total, "done": following is None, "records": records}
    return answer(value if following is None else {**value, "nextRecordsUrl": following})


def org(*, token: object = None) -> Wire:
    return Wire().on("POST", "/services/oauth2/token", answer(token or TOKEN), always=True)


def opened(wire: Wire, connection: Connection | None = None, sleep: Sleeps | None = None) -> SoqlExtractor:
    secrets = {
        "consumer_key": "the-consumer-key", "username": "tieout@acme.com", "private_key": pem(rsa_key()),
        "consumer_secret": "the-consumer-secret",
    }
    sleep = Sleeps() if sleep is None else sleep
    return SoqlExtractor(connection or salesforce(), secrets, transport=wire, sleep=sleep, clock=lambda: NOW)


def stream(name: str, connection: Connection | None = None) -> Stream:
    return next(s for s in (connection or salesforce()).selected() if s.name == name)


def ids(pages: list) -> list[str]:
    return [record["Id"] for each in pages for record in json.loads(each.body)[each.records]]


def order_org(*pages: object, connection: Connection | None = None) -> tuple[Wire, Stream]:
    wanted = stream("Order", connection)
    wire = org().on("GET", f"{V}/sobjects/Order/describe", describe(wanted))
    return wire.on("GET", f"{V}/queryAll", *pages), wanted
