"""Serving a folder: endpoints, credentials, `tieout.yml`, and our connectors against all habits."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

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
        company = load_company(endpoints.tieout_yml(tmp_path / "tieout.yml"))
        environment = endpoints.environment()
    assert set(company.connections) == {"salesforce_global", "netsuite_global"}
    for connection in company.connections.values():
        for names in connection.source.secrets.values():
            assert {f"TIEOUT_SECRET_{connection.name}__{name}".upper() for name in names} <= set(environment)
    netsuite = company.connection("netsuite_global")
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


def read_all(endpoints: Endpoints, company: Company) -> dict[tuple[str, str], list[str]]:
    """{(connection, stream): keys received}, with our own connectors."""
    found: dict[tuple[str, str], list[str]] = {}
    for connection in company.connections.values():
        with open_extractor(connection, endpoints.secrets[connection.name]) as extractor:
            for stream in connection.selected():
                if extractor.available(stream):
                    key = next(column for column in stream.columns if column.name == stream.key[0]).field
                    found[connection.name, stream.name] = [
                        str(value) for page in extractor.pages(stream, Window(None, extractor.now()))
                        for value in _values(page.body, page.media, page.records, key)]
    return found


def _values(body: object, media: str, records: str, key: str) -> list[object]:
    import csv
    import io

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
