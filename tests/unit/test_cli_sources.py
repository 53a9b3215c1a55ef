"""`tieout sources check --sample` in the terminal: the same orders as files, tables and REST; nothing lands."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import clear_settings
from tieout import cli

CLEAN = [("0001", "2026-03-01", "RE", "100.10", "EUR"), ("0002", "2026-03-02", "RE", "50.00", "USD"),
         ("0003", "2026-03-03", "GU", "10.05", "EUR"), ("0004", "2026-03-04", "PF", "999.99", "EUR")]
DIRTY = [*CLEAN, ("0005", "2026-03-05", "RE", "12,x", "EUR"), ("0006", "2026-03-06", "ZZ", "1.00", "EUR")]
NAMES = ("order_no", "day", "kind", "net", "currency")
TOTALS = {("billing", "EUR"): "100.10", ("billing", "USD"): "50.00", ("billing_credit", "EUR"): "-10.05"}
KINDS = {"RE": "invoice", "GU": "credit_memo", "PF": "estimate"}
EVENTS = {"RE": "billing", "GU": "billing_credit", "PF": "billing"}
ORDERS: dict[str, Any] = {
    "key": ["order_no"], "mode": "full",
    "columns": {"order_no": "text", "day": "date", "kind": "text", "net": "amount", "currency": "text"},
    "contracts": {
        "documents": {"columns": {"document_type": {"column": "kind", "map": KINDS}, "document_id": "order_no",
                                  "document_date": "day", "currency_code": "currency"}},
        "revenue_events": {
            "out_of_scope": [{"when": {"kind": "PF"}, "reason": "H2"}],
            "columns": {"document_type": {"column": "kind", "map": KINDS}, "document_id": "order_no",
                        "line_id": {"constant": "1"}, "event_type": {"column": "kind", "map": EVENTS},
                        "net_amount": {"column": "net", "negative_when": {"kind": "GU"}}}}}}
WAYS = ("files", "sql", "rest")


class Place:
    """A company with one system of its own, `shop`, that has these records."""

    def __init__(self, folder: Path, way: str, url: str) -> None:
        self.folder, self.way, self.url = folder, way, url

    def holds(self, rows: list[tuple], **stream: Any) -> None:
        """Write the records, and tieout.yml."""
        options: dict[str, Any] = {"url": str(self.folder), "ready": {"quiet": "0s"}}
        told: dict[str, Any] = {"files": "orders*.csv"}
        if self.way == "files":
            lines = [NAMES, *rows]
            (self.folder / "orders.csv").write_text("".join(";".join(line) + "\n" for line in lines))
            told["csv"] = {"delimiter": ";"}
        elif self.way == "sql":
            with sqlite3.connect(self.folder / "shop.db") as db:
                db.execute("drop table if exists orders")
                db.execute("create table orders (order_no text, day text, kind text, net text, currency text)")
                db.executemany("insert into orders values (?, ?, ?, ?, ?)", rows)
            options, told = {"url": f"sqlite:///{self.folder / 'shop.db'}", "page_rows": 2}, {"table": "orders"}
        else:
            Answers.rows = rows
            options, told = {"base_url": self.url}, {"path": "orders", "records": "items"}
        declared = {**ORDERS, "options": told} | stream
        with (self.folder / "tieout.yml").open("w", encoding="utf-8") as file:
            YAML().dump({"version": 1, "connections": {"shop": {
                "system": "generic", "protocol": self.way, "role": "erp", "auth": "none", "time_zone": "UTC",
                "currency": "EUR", "streams": {"orders": declared}, "options": options}}}, file)
        clear_settings()


class Answers(BaseHTTPRequestHandler):
    """A REST interface with one list."""

    rows: list[tuple] = []
    status = 200

    def do_GET(self) -> None:
        body = json.dumps({"items": [dict(zip(NAMES, row, strict=True)) for row in self.rows]}).encode()
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: Any) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def rest() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=WAYS)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str,
          ) -> Iterator[Place]:
    """No warehouse is there: a look needs none."""
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    monkeypatch.setenv("TIEOUT_HOME", str(tmp_path))
    monkeypatch.setenv("TIEOUT_WAREHOUSE_LOADER_PASSWORD", "nobody")
    monkeypatch.setenv("TIEOUT_WAREHOUSE_PORT", "1")
    Answers.status = 200
    yield Place(tmp_path, request.param, rest)
    monkeypatch.undo()
    clear_settings()


def check(*words: str) -> int:
    return cli.main(["sources", "check", *(words or ("shop", "--sample", "100"))])


def totals(found: dict[str, Any], contract: str) -> dict[tuple[str, str], str]:
    (one,) = (c for c in found["contracts"] if c["contract"] == contract)
    return {(t["kind"], t["currency"]): t["amount"] for t in one["totals"]}


def test_what_would_land_is_shown_with_totals_per_currency(place, capfd):
    place.holds(CLEAN)
    assert check() == 0
    shown = capfd.readouterr().out
    for word in ("shop: read", "mapped", "totals in scope", "billing_credit", "100.10", "50.00", "-10.05", "0001",
                 "credit_memo"):
        assert word in shown, word
    assert "would be quarantined │" not in shown.split("mapped")[1]
    assert "codes that no map knows" not in shown


def test_one_json_document_says_the_same_to_programs(place, capfd):
    place.holds(CLEAN)
    assert check("shop", "--sample", "100", "--json") == 0
    captured = capfd.readouterr()
    found = json.loads(captured.out)
    assert (found["connection"], found["clean"]) == ("shop", True)
    assert found["streams"] == [{"stream": "orders", "read": 4, "would_land": 4, "missing": [], "would_quarantine": []}]
    assert totals(found, "revenue_events") == TOTALS
    (events,) = (c for c in found["contracts"] if c["contract"] == "revenue_events")
    assert events["scope"] == {"in": 3, "H2": 1}
    assert events["sample"][0]["net_amount"] == "100.10"


def test_what_would_be_quarantined_and_unknown_codes_end_with_6(place, capfd):
    place.holds(DIRTY)
    assert check() == 6
    captured = capfd.readouterr()
    for word in ("would be quarantined", "net", "12,x", "codes that no map knows", "ZZ"):
        assert word in captured.out, word
    assert "shop: 1 records of the sample would be quarantined" in captured.err
    assert "mend columns, dialect or maps in tieout.yml; nothing has landed" in captured.err

    assert check("shop", "--json") == 6
    found = json.loads(capfd.readouterr().out)
    (refused,) = found["streams"][0]["would_quarantine"]
    assert (refused["field"], refused["value"], refused["records"]) == ("net", "12,x", 1)
    assert {(one["column"], one["code"]) for c in found["contracts"] for one in c["unmapped"]} == {
        ("document_type", "ZZ"), ("event_type", "ZZ")}
    assert totals(found, "revenue_events") == TOTALS | {("?", "EUR"): "1.00"}, "a line of an unknown kind"


def test_a_system_at_fault_or_a_field_that_is_missing_is_named_with_its_stream(place, capfd):
    place.holds(CLEAN, columns={**ORDERS["columns"], "nope": "text"})
    if place.way == "rest":  # a field that a record lacks is no error there: it may be left out where it is empty
        Answers.status = 403
    assert check() == (6 if place.way == "files" else 3)
    told = capfd.readouterr().err
    assert "shop" in told
    assert "orders" in told
    assert ("403" if place.way == "rest" else "nope") in told


def test_a_mistake_in_the_mapping_ends_with_2_and_names_file_line_and_key(place, capfd):
    wrong = {**ORDERS["contracts"]["documents"]["columns"], "document_date": "dya"}
    place.holds(CLEAN, contracts={"documents": {"columns": wrong}})
    assert check() == 2
    told = capfd.readouterr().err
    assert "tieout.yml:" in told
    assert "connections.shop.streams.orders.contracts.documents" in told
    assert "dya" in told


@pytest.mark.parametrize("place", ["files"], indirect=True)
def test_an_unknown_connection_and_a_sample_of_nothing(place, capfd):
    place.holds(CLEAN)
    assert check("nowhere") == 2
    assert "known: shop" in capfd.readouterr().err
    assert check("shop", "--sample", "0") == 2


@pytest.mark.parametrize("place", ["files"], indirect=True)
def test_a_file_that_is_not_there_is_named(place, capfd):
    place.holds(CLEAN)
    (place.folder / "orders.csv").unlink()
    assert check() == 3
    assert "shop.orders: no complete file matches 'orders*.csv'" in capfd.readouterr().err


@pytest.mark.parametrize("place", ["rest"], indirect=True)
def test_lines_within_their_document_are_looked_at_too(place, capfd, monkeypatch):
    lines = {"key": ["order_no", "line"], "parent": {"stream": "orders", "column": "order_no"}, "explode": "lines",
             "columns": {"order_no": "text", "line": "integer", "net": "amount"},
             "contracts": {"revenue_events": {"columns": {
                 "document_type": {"constant": "invoice"}, "document_id": "order_no", "line_id": "line",
                 "event_type": {"constant": "billing"}, "net_amount": "net"}}}}
    place.holds(CLEAN[:2])
    yaml = YAML()
    told = yaml.load(place.folder / "tieout.yml")
    told["connections"]["shop"]["streams"]["lines"] = lines
    del told["connections"]["shop"]["streams"]["orders"]["contracts"]["revenue_events"]
    yaml.dump(told, place.folder / "tieout.yml")
    clear_settings()
    nested = {"lines": [{"line": 1, "net": "7.50"}]}
    body = {"items": [dict(zip(NAMES, row, strict=True)) | nested for row in CLEAN[:2]]}
    monkeypatch.setattr(Answers, "do_GET", lambda self: (self.send_response(200), self.end_headers(),
                                                         self.wfile.write(json.dumps(body).encode())))
    assert check("shop", "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert totals(found, "revenue_events") == {("billing", "EUR"): "7.50", ("billing", "USD"): "7.50"}


def test_it_explains_itself(capsys):
    assert cli.main(["sources", "check", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for word in ("nothing lands", "--sample", "--json", "Ends with 0", "with 6"):
        assert word in shown


@pytest.mark.parametrize("place", ["files"], indirect=True)
def test_the_command_as_others_call_it(place):
    """A process of its own: nothing but JSON on standard output, nothing written beside tieout.yml and the drop."""
    place.holds(DIRTY)
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from tieout import cli; sys.exit(cli.main())", "sources", "check", "shop",
         "--json"], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True,
        check=False)
    assert done.returncode == 6, done.stderr
    assert json.loads(done.stdout)["clean"] is False
    assert "would be quarantined" in done.stderr
    assert sorted(path.name for path in place.folder.iterdir()) == ["orders.csv", "tieout.yml"]
