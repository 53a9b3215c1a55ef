"""Serving a folder: endpoints, credentials, `tieout.yml`, and our connectors against all habits."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from requests_oauthlib import OAuth1Session

from simulator import company
from simulator.habits import Habits, NetSuiteAccount, SalesforceOrg
from simulator.serve import Endpoints, start
from tests.simulated_company import build
from tieout.extract import Window
from tieout.extract.open import open_extractor
from tieout.spec import Company, load_company


def test_a_folder_without_a_company_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="simulator generate"):
        start(tmp_path)


def test_credentials_are_made_once_and_kept_private(tmp_path: Path) -> None:
    build(tmp_path)
    seen = []
    for _ in range(2):
        with start(tmp_path) as endpoints:
            seen.append(endpoints.secrets)
    assert seen[0] == seen[1]
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600


def test_environment_and_tieout_yml_fit_the_specs(tmp_path: Path) -> None:
    with start(build(tmp_path)) as endpoints:
        connected = load_company(endpoints.tieout_yml(tmp_path / "tieout.yml"))
        environment = endpoints.environment()
    assert set(connected.connections) == {"salesforce_global", "netsuite_global"}
    for connection in connected.connections.values():
        for names in connection.source.secrets.values():
            assert {f"TIEOUT_SECRET_{connection.name}__{name}".upper() for name in names} <= set(environment)
    netsuite = connected.connection("netsuite_global")
    assert (netsuite.auth, netsuite.time_zone, netsuite.legal_entities["1"]) == ("tba", "America/Los_Angeles", "US01")


def test_stopping_frees_the_ports(tmp_path: Path) -> None:
    endpoints = start(build(tmp_path))
    address = f"{endpoints.salesforce_url}/services/data/"
    assert httpx.get(address).status_code == 200
    endpoints.stop()
    endpoints.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def test_standing_alone(tmp_path: Path, root: Path) -> None:
    command = [sys.executable, "-m", "simulator", "serve", "--folder", str(build(tmp_path))]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        answered = httpx.get(f"{address}/services/data/").status_code
        os.kill(server.pid, signal.SIGTERM)
        assert (answered, server.wait(timeout=20)) == (200, 0)


def test_gotcha_13_the_clock_moves_and_lines_are_deleted_with_their_parent(tmp_path: Path) -> None:
    company.generate(tmp_path, seed=7, size="1k", level=1)
    with start(tmp_path, habits=Habits.none()) as endpoints:
        before = suiteql(endpoints, "SELECT COUNT(*) n FROM transaction")
        company.advance(tmp_path, 5)
        after = suiteql(endpoints, "SELECT COUNT(*) n FROM transaction")
        changed = suiteql(
            endpoints,
            "SELECT COUNT(*) n FROM transaction WHERE lastmodifieddate >= TO_DATE('2026-07-01', 'YYYY-MM-DD')")
        gone = _number(suiteql(endpoints, "SELECT COUNT(*) n FROM deletedrecord"))
        deleted = soql(endpoints, "SELECT Id FROM Opportunity WHERE IsDeleted = TRUE")
        orphaned = "IsDeleted = FALSE AND Opportunity.IsDeleted = TRUE"
        orphans = soql(endpoints, f"SELECT Id FROM OpportunityLineItem WHERE {orphaned}")
    assert (before.headers["Date"], after.headers["Date"]) == (
        "Tue, 30 Jun 2026 23:00:00 GMT", "Sun, 05 Jul 2026 23:00:00 GMT")
    assert _number(after) > _number(before) and 0 < _number(changed) < _number(after)
    assert gone > 0 and deleted and orphans == [], "lines are deleted with their parent"


def test_gotcha_12_a_deals_amount_is_the_sum_of_its_lines(generated: Endpoints) -> None:
    totals: Counter[str] = Counter()
    for line in soql(generated, "SELECT OpportunityId, TotalPrice FROM OpportunityLineItem"):
        totals[line["OpportunityId"]] += line["TotalPrice"]
    deals = soql(generated, "SELECT Id, Amount, HasOpportunityLineItem FROM Opportunity")
    assert len(totals) > 1000
    assert {deal["Id"]: deal["Amount"] for deal in deals if deal["HasOpportunityLineItem"]} == totals


@pytest.mark.parametrize("query", [
    "SELECT COUNT(*) n FROM transaction WHERE voided = 'T'",
    "SELECT COUNT(*) n FROM transaction WHERE type = 'CashRfnd'",
    "SELECT COUNT(*) n FROM transaction WHERE type = 'Journal'",
    "SELECT COUNT(*) n FROM transactionline WHERE taxline = 'T'",
    "SELECT COUNT(*) n FROM transactionline WHERE iscogs = 'T'",
    "SELECT COUNT(*) n FROM transactionline WHERE eliminate = 'T'",
    "SELECT COUNT(*) n FROM transactionline WHERE mainline = 'F' AND taxline = 'F' AND foreignamount < 0",
    "SELECT COUNT(*) n FROM subsidiary WHERE iselimination = 'T'",
    "SELECT COUNT(*) n FROM accountingbook WHERE isprimary = 'F'",
])
def test_the_generated_company_holds_the_vendors_traps(generated: Endpoints, query: str) -> None:
    assert _number(suiteql(generated, query)) > 0


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    folder = tmp_path_factory.mktemp("generated")
    company.generate(folder, seed=42, size="1k", level=1)
    with start(folder, habits=Habits.none()) as endpoints:
        yield endpoints


def suiteql(endpoints: Endpoints, query: str) -> requests.Response:
    keys = endpoints.secrets["netsuite_global"]
    session = OAuth1Session(keys["consumer_key"], keys["consumer_secret"], keys["token_id"], keys["token_secret"],
                            signature_method="HMAC-SHA256", realm="1234567")
    return session.post(f"{endpoints.netsuite_url}/services/rest/query/v1/suiteql", json={"q": query},
                        headers={"Prefer": "transient"})


def soql(endpoints: Endpoints, query: str) -> list[dict[str, Any]]:
    """All records, deleted ones too; amounts as Decimal."""
    keys = endpoints.secrets["salesforce_global"]
    with httpx.Client(base_url=endpoints.salesforce_url) as client:
        granted = client.post("/services/oauth2/token", data={"grant_type": "client_credentials"},
                              auth=(keys["consumer_key"], keys["consumer_secret"])).json()
        client.headers["Authorization"] = f"Bearer {granted['access_token']}"
        address, found = str(httpx.URL("/services/data/v67.0/queryAll", params={"q": query})), []
        while address:
            page = json.loads(client.get(address).text, parse_float=Decimal, parse_int=Decimal)
            found += page["records"]
            address = page.get("nextRecordsUrl", "")
    return found


def _number(answer: requests.Response) -> int:
    return int(answer.json()["items"][0]["n"])


def read_all(endpoints: Endpoints, connected: Company) -> dict[tuple[str, str], list[str]]:
    """{(connection, stream): keys received}, with our own connectors."""
    found: dict[tuple[str, str], list[str]] = {}
    for connection in connected.connections.values():
        with open_extractor(connection, endpoints.secrets[connection.name]) as extractor:
            for stream in connection.selected():
                if extractor.available(stream):
                    key = next(column for column in stream.columns if column.name == stream.key[0]).field
                    found[connection.name, stream.name] = [
                        str(value) for page in extractor.pages(stream, Window(None, extractor.now()))
                        for value in _values(page.body, page.media, page.records, key)]
    return found


def _values(body: object, media: str, records: str, key: str) -> list[object]:
    assert isinstance(body, bytes)
    rows = csv.DictReader(io.StringIO(body.decode(), newline="")) if media == "csv" else json.loads(body)[records]
    return [{name.lower(): value for name, value in row.items()}[key.lower()] for row in rows]


def expected(folder: Path, system: str, table: str, key: str, where: str = "1") -> Counter[str]:
    database = sqlite3.connect(folder / "sim.db")
    rows = database.execute(f'SELECT "{key}" FROM "{system}__{table}" WHERE {where}').fetchall()
    database.close()
    return Counter(str(value) for value, in rows)


@pytest.mark.parametrize("habits", [Habits.none(), Habits()], ids=["best day", "all habits"])
def test_our_connectors_receive_every_record_once(tmp_path: Path, habits: Habits) -> None:
    if habits.unavailable_every:
        habits.unavailable_every, habits.throttled_every = 10, 12
    with start(build(tmp_path), habits=habits) as endpoints:
        found = read_all(endpoints, load_company(endpoints.tieout_yml(tmp_path / "tieout.yml")))
        states = Counter(seen.status for seen in endpoints.log)
    assert len(found) == 25
    for name in ("Account", "Opportunity", "OpportunityLineItem", "User", "DatedConversionRate"):
        assert Counter(found["salesforce_global", name]) == expected(tmp_path, "salesforce", name, "Id"), name
    for name, key in (("transaction", "id"), ("transactionline", "uniquekey"), ("currency", "id"), ("customer", "id")):
        assert Counter(found["netsuite_global", name]) == expected(tmp_path, "netsuite", name, key), name
    books = expected(tmp_path, "netsuite", "transactionaccountingline", "accountingbook", "accountingbook = 1")
    assert Counter(found["netsuite_global", "transactionaccountingline"]) == books
    if habits.unavailable_every:
        assert states[401] and states[503] and states[429], "the habits were not met"
    else:
        assert set(states) <= {200, 204}


def test_our_connectors_work_without_optional_features(tmp_path: Path) -> None:
    org = SalesforceOrg(multicurrency=False, hidden={"Account.Tax_ID__c", "Order.ERP_Order_ID__c"})
    account = NetSuiteAccount(oneworld=False, multi_currency=False, multi_book=False)
    with start(build(tmp_path), habits=Habits.none(), salesforce=org, netsuite=account) as endpoints:
        found = read_all(endpoints, load_company(endpoints.tieout_yml(tmp_path / "tieout.yml")))
    missing = {"CurrencyType", "DatedConversionRate", "subsidiary", "currency", "currencyrate", "accountingbook"}
    assert not missing & {stream for _, stream in found}
    assert len(found["netsuite_global", "transactionaccountingline"]) == 10, "the primary book only"
    assert len(found["netsuite_global", "transactionline"]) == 30
    assert len(found["salesforce_global", "Account"]) == 3
