"""SAP's stand-in is as strict as SAP's gateway, and a client that knows nothing of this project reads what we land."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyodata
import pytest
import requests

from simulator import store
from simulator.sap_api import SapSystem
from simulator.serve import Endpoints, start
from simulator.units import unit
from tieout.errors import AuthError
from tieout.extract import Window
from tieout.extract.odata import OdataExtractor
from tieout.landing.parse import Parser
from tieout.spec import Company, Connection, Stream

NOW = "2026-06-30 12:00:00"
ORDERS, BILLING = "API_SALES_ORDER_SRV", "API_BILLING_DOCUMENT_SRV"
FULL = Window(None, datetime(2026, 7, 1, tzinfo=UTC), full=True)
DOCUMENTS = 250


def _insert(database: Any, table: str, *rows: dict[str, Any]) -> None:
    for row in rows:
        store.write(database, f"sap__{table}", list(row), [list(row.values())], replace=True)


def _company(folder: Path) -> Path:
    """Orders with numbers of several lengths, a cancelled pair, a pro forma, yen and dinar; keys with their zeros."""
    state = store.State(seed=0, size="1k", level=1, now=NOW, unit="manufacturing")
    database = store.create(folder, state.tables())
    store.write_state(folder, state)
    for number in range(1, DOCUMENTS + 1):
        key = f"{number * 37_000 if number % 2 else number:010d}"
        changed = f"2026-05-{1 + number % 28:02d} 10:00:{number % 60:02d}" if number % 5 else None
        _insert(database, "A_SalesOrder", {
            "SalesOrder": key, "SalesOrderType": "OR", "SalesOrganization": "1011", "SoldToParty": "0000004711",
            "TransactionCurrency": "EUR", "TotalNetAmount": f"{number}.10", "SalesOrderDate": "2026-05-01",
            "CreationDate": "2026-05-01", "LastChangeDateTime": changed, "PurchaseOrderByCustomer": "O'Neill & Söhne"})
        for item in (10, 20):
            _insert(database, "A_SalesOrderItem", {
                "SalesOrder": key, "SalesOrderItem": f"{item:06d}", "Material": "C-100", "NetAmount": "0.05",
                "RequestedQuantity": "1", "TransactionCurrency": "EUR"})
    for number, kind, category, cancelled, cancels, currency, net in (
        ("0090000001", "F2", "M", 1, None, "EUR", "1250.00"),
        ("0090000002", "S1", "N", 0, "0090000001", "EUR", "1250.00"),
        ("0090000003", "F5", "U", 0, None, "JPY", "1234"), ("0090000004", "F2", "M", 0, None, "KWD", "12.340"),
    ):
        _insert(database, "A_BillingDocument", {
            "BillingDocument": number, "BillingDocumentType": kind, "SDDocumentCategory": category,
            "BillingDocumentIsCancelled": cancelled, "CancelledBillingDocument": cancels,
            "TransactionCurrency": currency, "TotalNetAmount": net,
            "BillingDocumentDate": "1969-12-31" if kind == "F5" else "2026-01-01",
            "CreationDate": "2026-01-01", "CreationTime": "09:15:02", "LastChangeDateTime": "2026-01-01 09:15:02"})
    store.finish(database, state.tables())
    database.close()
    return folder


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    with start(_company(tmp_path_factory.mktemp("company")), sap=SapSystem.calm()) as endpoints:
        yield endpoints


@pytest.fixture
def system(endpoints: Endpoints) -> Iterator[SapSystem]:
    """The system's habits, put back after the test."""
    found = endpoints.apps["sap"].system
    before = dict(vars(found))
    yield found
    vars(found).update(before)


@pytest.fixture
def connection(endpoints: Endpoints) -> Connection:
    return Company(version=1, connections=endpoints.connections()).connection("sap_manufacturing")


@pytest.fixture
def ask(endpoints: Endpoints) -> Iterator[httpx.Client]:
    keys = endpoints.secrets["sap_manufacturing"]
    with httpx.Client(base_url=f"{endpoints.urls['sap']}/sap/opu/odata/sap/", timeout=10,
                      auth=(keys["username"], keys["password"])) as client:
        yield client


def landed(connection: Connection, endpoints: Endpoints, name: str, **options: Any) -> tuple[Stream, list[dict], Any]:
    """(stream, records as received, the extractor's facts) through our own extractor."""
    given = connection.model_copy(update={"options": {**connection.options, **options}})
    stream = next(s for s in given.selected() if s.name == name)
    with OdataExtractor(given, endpoints.secrets["sap_manufacturing"], sleep=lambda _: None) as source:
        found = []
        for page in source.pages(stream, FULL):
            value: Any = json.loads(page.body)
            for step in page.records.split("."):
                value = value[step]
            found += value
        return stream, found, source.facts


# --- as strict as the gateway


@pytest.mark.parametrize(("path", "status", "text"), [
    (f"{ORDERS}/A_SalesOrder?$select=Nonsense", 400, "Property Nonsense not found"),
    (f"{ORDERS}/A_SalesOrder?$filter=Nonsense eq '1'", 400, "Property Nonsense not found"),
    (f"{ORDERS}/A_SalesOrder?$filter=LastChangeDateTime ge datetime'2026-01-01T00:00:00'", 400, "Invalid param"),
    (f"{ORDERS}/A_SalesOrder?$filter=CreationDate ge datetimeoffset'2026-01-01T00:00:00Z'", 400, "Invalid param"),
    (f"{ORDERS}/A_SalesOrder?$filter=SalesOrder eq 1", 400, "Invalid param"),
    (f"{ORDERS}/A_SalesOrder?$filter=SalesOrder", 400, "ends too early"),
    (f"{ORDERS}/A_SalesOrder?$orderby=SalesOrder down", 400, "no direction"),
    (f"{ORDERS}/A_SalesOrder?$apply=groupby", 400, "SystemQueryOptions '$apply'"),
    (f"{ORDERS}/A_Foo", 404, "Resource not found for the segment 'A_Foo'"),
    ("API_NONE_SRV/A_Foo", 404, "No service found"),
])
def test_what_sap_refuses_is_refused_with_its_error_body(ask, path, status, text):
    answer = ask.get(path, headers={"accept": "application/json"})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["message"]["lang"] == "en"
    assert text in error["message"]["value"]
    assert re.fullmatch(r"[0-9A-F]{32}", error["innererror"]["transactionid"])


def test_without_credentials_there_is_an_html_page(endpoints):
    answer = httpx.get(f"{endpoints.urls['sap']}/sap/opu/odata/sap/{ORDERS}/$metadata")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "WWW-Authenticate" in answer.headers


def test_another_client_is_no_client(ask):
    assert ask.get(f"{ORDERS}/A_SalesOrder?sap-client=200").status_code == 401
    assert ask.get(f"{ORDERS}/A_SalesOrder?sap-client=100&$top=1&$format=json").status_code == 200


def test_without_asking_for_json_there_is_atom(ask):
    assert ask.get(f"{ORDERS}/A_SalesOrder?$top=1").headers["content-type"].startswith("application/atom+xml")


def test_values_are_written_as_the_wire_writes_them(ask):
    row = ask.get(f"{BILLING}/A_BillingDocument('90000001')?$format=json").json()["d"]
    assert row["BillingDocument"] == "90000001"  # without the zeros it is kept with
    assert row["BillingDocumentDate"] == "/Date(1767225600000)/"
    assert row["LastChangeDateTime"] == "/Date(1767258902000+0000)/"
    assert row["CreationTime"] == "PT09H15M02S"
    assert row["TotalNetAmount"] == "1250.00"
    assert row["BillingDocumentIsCancelled"] is True
    assert row["CancelledBillingDocument"] == ""
    assert row["LastChangeDate"] is None
    assert row["to_Item"] == {"__deferred": {"uri": row["__metadata"]["uri"] + "/to_Item"}}
    pro_forma = f"{BILLING}/A_BillingDocument?$format=json&$filter=BillingDocumentType eq 'F5'"
    rows = ask.get(pro_forma).json()["d"]["results"]
    assert (rows[0]["BillingDocumentDate"], rows[0]["TotalNetAmount"]) == ("/Date(-86400000)/", "1234")


def test_the_server_pages_by_itself_also_when_top_is_larger(ask, system):
    system.page_rows = 100
    first = ask.get(f"{ORDERS}/A_SalesOrder?$format=json&$top=150&$inlinecount=allpages&$select=SalesOrder").json()["d"]
    assert (len(first["results"]), first["__count"]) == (100, str(DOCUMENTS))
    second = ask.get(first["__next"]).json()["d"]
    assert len(second["results"]) == 50
    assert "__next" not in second


def test_reading_needs_no_csrf_token_and_writing_does(ask):
    refused = ask.post(f"{ORDERS}/A_SalesOrder", json={}, headers={"accept": "application/json"})
    assert (refused.status_code, refused.headers["x-csrf-token"]) == (403, "Required")
    fetched = ask.get(f"{ORDERS}/A_SalesOrder?$top=1&$format=json", headers={"x-csrf-token": "Fetch"})
    token = fetched.headers["x-csrf-token"]
    answer = ask.post(f"{ORDERS}/A_SalesOrder", json={}, headers={"x-csrf-token": token, "accept": "application/json"})
    assert answer.status_code == 405


# --- we survive it


def test_all_rows_come_whatever_the_server_does_to_pages(endpoints, connection, system):
    for habits in ({"page_rows": 100}, {"page_rows": None, "most_top": 40}, {"page_rows": 30, "most_top": 70},
                   {"page_rows": 70, "unavailable_every": 3, "throttled_every": 5, "dumps_every": 7}):
        vars(system).update(vars(SapSystem.calm()) | habits)
        _, rows, _ = landed(connection, endpoints, "A_SalesOrder", page_size=80)
        assert len(rows) == DOCUMENTS, habits
        assert len({row["SalesOrder"] for row in rows}) == DOCUMENTS, habits


def test_rows_that_come_and_change_during_paging_move_no_page(endpoints, connection):
    """By `$skip`, a row inserted before the page would push another onto the next one, and it would come twice."""
    database = store.open_for_writing(endpoints.folder)
    stream = next(s for s in connection.selected() if s.name == "A_SalesOrder")
    small = connection.model_copy(update={"options": {**connection.options, "page_size": 40}})
    late = {"SalesOrder": "0000000000", "TransactionCurrency": "EUR", "TotalNetAmount": "1.00"}
    found: list[str] = []
    try:
        with OdataExtractor(small, endpoints.secrets["sap_manufacturing"], sleep=lambda _: None) as source:
            for number, page in enumerate(source.pages(stream, FULL)):
                found += [row["SalesOrder"] for row in json.loads(page.body)["d"]["results"]]
                if number == 1:
                    _insert(database, "A_SalesOrder", late)
                    database.execute('update "sap__A_SalesOrder" set "TotalNetAmount" = ? where "SalesOrder" = ?',
                                     ("9.99", f"{int(found[0]):010d}"))
                    database.commit()
    finally:
        database.execute('delete from "sap__A_SalesOrder" where "SalesOrder" = ?', (late["SalesOrder"],))
        database.commit()
        database.close()
    assert len(found) == len(set(found)) == DOCUMENTS


def test_a_token_that_ends_in_the_midst_is_renewed(endpoints, connection, system):
    system.token_requests = 3
    token_url = f"{endpoints.urls['sap']}/sap/bc/sec/oauth2/token"
    oauth = connection.model_copy(update={"auth": "client_credentials"})
    _, rows, facts = landed(oauth, endpoints, "A_SalesOrder", page_size=40, token_url=token_url)
    assert len(rows) == DOCUMENTS
    assert facts.token_refreshes >= 1


def test_a_wrong_password_is_told_and_not_tried_again(endpoints, connection):
    before = len(endpoints.log)
    with OdataExtractor(connection, {"username": "TIEOUT", "password": "wrong"}) as source, pytest.raises(AuthError):
        source.test()
    assert len(endpoints.log) == before + 1


def test_a_window_finds_records_that_never_changed(endpoints, connection):
    stream = next(s for s in connection.selected() if s.name == "A_SalesOrder")
    window = Window(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, 12, tzinfo=UTC))
    with OdataExtractor(connection, endpoints.secrets["sap_manufacturing"]) as source:
        rows = [row for page in source.pages(stream, window) for row in json.loads(page.body)["d"]["results"]]
    assert len(rows) == DOCUMENTS  # all of them are of that day, and every fifth has no stamp of change
    assert sum(row["LastChangeDateTime"] is None for row in rows) == DOCUMENTS // 5


def test_items_of_changed_orders_replace_what_was_there(endpoints, connection):
    stream = next(s for s in connection.selected() if s.name == "A_SalesOrderItem")
    parents = [str(number) for number in range(2, 122, 2)]
    with OdataExtractor(connection, endpoints.secrets["sap_manufacturing"]) as source:
        pages = list(source.pages(stream, FULL, iter(parents)))
    assert [key for page in pages for key in page.parents] == parents
    assert sum(len(json.loads(page.body)["d"]["results"]) for page in pages) == 2 * len(parents)


def test_dates_stamps_and_amounts_arrive_typed(endpoints, connection):
    stream, rows, _ = landed(connection, endpoints, "A_BillingDocument")
    from tieout.extract import Page
    from tieout.landing.typed import type_column

    page = Page(stream.name, json.dumps({"d": {"results": rows}}).encode(), records="d.results", noise=("__metadata",))
    chunk = next(Parser(connection, stream).chunks([page]))
    assert chunk.extra is None, "a field came that nobody declared"
    typed = {c.name: type_column(c, chunk.values[c.name], chunk.count, connection.zone) for c in stream.columns}
    assert [faults for _, faults in typed.values() if faults] == []
    assert str(typed["billingdocumentdate"][0][2]) == "1969-12-31"
    assert typed["lastchangedatetime"][0][0].as_py() == datetime(2026, 1, 1, 9, 15, 2, tzinfo=UTC)
    assert typed["totalnetamount"][0].to_pylist()[2:] == [Decimal("1234"), Decimal("12.340")]


# --- a client that knows nothing of us


def test_pyodata_reads_the_same_orders_with_their_items(endpoints, connection):
    keys = endpoints.secrets["sap_manufacturing"]
    session = requests.Session()
    session.auth = (keys["username"], keys["password"])
    client = pyodata.Client(f"{endpoints.urls['sap']}/sap/opu/odata/sap/{ORDERS}", session)
    theirs = client.entity_sets.A_SalesOrder.get_entities().expand("to_Item").execute()
    _, ours, _ = landed(connection, endpoints, "A_SalesOrder")
    _, items, _ = landed(connection, endpoints, "A_SalesOrderItem")
    assert len(theirs) == len(ours) == DOCUMENTS
    assert {(o.SalesOrder, Decimal(o.TotalNetAmount)) for o in theirs} == {
        (o["SalesOrder"], Decimal(o["TotalNetAmount"])) for o in ours}
    assert {(i.SalesOrder, i.SalesOrderItem) for o in theirs for i in o.to_Item} == {
        (i["SalesOrder"], i["SalesOrderItem"]) for i in items}
    assert {"10", "20"} == {i["SalesOrderItem"] for i in items}
    found = client.entity_sets.A_SalesOrder.get_entities().filter("SalesOrder eq '37000'").execute()
    assert [order.SalesOrder for order in found] == ["37000"]


def test_the_unit_is_salesforce_and_sap():
    assert unit("manufacturing").systems == ("salesforce", "sap")
