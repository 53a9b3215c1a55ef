"""The proprietary CRM's stand-in, asked by plain clients: its REST interface is strict, and every paging gives all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import msgspec
import pytest

from simulator import company, serve
from simulator.habits import Habits, OwnCrmSite
from tieout.extract import Window
from tieout.extract.rest import RestExtractor
from tieout.spec import Company

PAGINGS = ("page", "offset", "cursor", "link", "body")


@pytest.fixture(scope="module")
def site() -> OwnCrmSite:
    return OwnCrmSite("rest")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, site: OwnCrmSite) -> Iterator[serve.Endpoints]:
    folder = tmp_path_factory.mktemp("company")
    company.generate(folder, size="1k", level=1, of="retail")
    with serve.start(folder, habits=Habits(own_crm_throttled_every=0), generic=site) as found:
        yield found


@pytest.fixture
def client(running: serve.Endpoints) -> Iterator[httpx.Client]:
    base = running.connections()["generic_retail"]["options"]["base_url"]
    token = running.secrets["generic_retail"]["token"]
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}) as found:
        yield found


def known(folder: Path, table: str) -> dict[str, Decimal]:
    with sqlite3.connect(folder / "sim.db") as theirs:
        return {key: Decimal(net) for key, net in theirs.execute(
            f'select {"deal_no" if table == "deal" else "order_no"}, net from "generic__{table}"')}


@pytest.mark.parametrize("paging", PAGINGS)
def test_every_way_of_paging_gives_every_record_once(running, site, paging):
    site.paging = paging
    made = Company.model_validate({"version": 1, "connections": {"own": running.connections()["generic_retail"]}})
    found: list[dict] = []
    with RestExtractor(made.connection("own"), running.secrets["generic_retail"]) as extractor:
        stream = next(s for s in made.connection("own").selected() if s.name == "deal")
        for page in extractor.pages(stream, Window(None, extractor.now(), full=True)):
            found += msgspec.json.Decoder(float_hook=Decimal).decode(page.body)["items"]
    assert {one["deal_no"]: Decimal(one["net"]) for one in found} == known(running.folder, "deal")
    assert len(found) == len({one["deal_no"] for one in found}) > 500
    assert all(one["lines"] and "deal_no" not in one["lines"][0] for one in found)
    site.paging = "cursor"


@pytest.mark.parametrize(("path", "code"), [
    ("deals?limt=5", "unknown_parameter"), ("deals?page=1", "unknown_parameter"), ("articles?expand=lines",
                                                                                  "unknown_parameter"),
    ("deals?limit=0", "bad_value"), ("deals?limit=5&limit=6", "bad_value"), ("deals?expand=all", "bad_value"),
    ("deals?changed_since=2026-06-01", "bad_value"), ("deals?changed_since=2026-06-01T00:00:00%2B02:00", "bad_value"),
    ("deals?cursor=zzz", "bad_cursor")])
def test_what_it_does_not_know_is_an_error(client, path, code):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_cursor_belongs_to_its_list(client):
    token = client.get("deals?limit=2").json()["next_cursor"]
    assert client.get(f"deals?limit=2&cursor={token}").status_code == 200
    assert client.get(f"deals?limit=2&cursor={token}&expand=lines").json()["error"]["code"] == "bad_cursor"


def test_it_gives_fewer_records_than_asked_for_and_leaves_out_what_is_empty(client):
    found = client.get("deals?limit=1000").json()
    assert len(found["items"]) == 80
    assert any("gone" not in one for one in found["items"])
    assert all(None not in one.values() for one in found["items"])


def test_a_window_holds_what_changed_in_it(client, running):
    since, before = "2026-06-01T00:00:00Z", "2026-06-15T00:00:00Z"
    with sqlite3.connect(running.folder / "sim.db") as theirs:
        (count,) = theirs.execute("select count(*) from generic__deal where changed_at >= '2026-06-01 00:00:00' "
                                  "and changed_at < '2026-06-15 00:00:00'").fetchone()
    found, token = 0, {}
    while True:
        answer = client.get("deals", params={"changed_since": since, "changed_before": before, **token}).json()
        found += len(answer["items"])
        if "next_cursor" not in answer:
            break
        token = {"cursor": answer["next_cursor"]}
    assert found == count > 0


def test_one_record_and_its_lines(client, running):
    number = min(known(running.folder, "sales_order"))
    assert client.get(f"orders/{number}").json()["order_no"] == number
    assert len(client.get(f"orders/{number}/lines").json()["items"]) >= 1
    assert client.get("orders/S999999999/lines").status_code == 404
    assert client.get("articles/1/lines").status_code == 404


def test_who_asks_without_a_token_writes_or_asks_too_often(client, running):
    assert client.get("deals", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.post("deals").status_code == 405
    assert client.get("nothing").status_code == 404
    running.apps["generic"].habits.own_crm_throttled_every = 2
    try:
        answers = [client.get("articles?limit=1") for _ in range(4)]
    finally:
        running.apps["generic"].habits.own_crm_throttled_every = 0
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429]
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 429} == {"1"}
