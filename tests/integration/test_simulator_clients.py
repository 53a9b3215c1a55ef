"""Clients that know nothing of this project read the stand-in vendors: simple-salesforce and requests-oauthlib."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth1Session
from simple_salesforce import Salesforce, SalesforceMalformedRequest

from simulator.habits import Habits
from simulator.serve import Endpoints, start
from tests.simulated_company import DEALS, DOCUMENTS, MERGED, build, deal


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    habits = Habits()  # short pages, jobs in progress; but no errors, which these clients do not survive
    habits.first_session_requests, habits.unavailable_every, habits.throttled_every = None, 0, 0
    with start(build(tmp_path_factory.mktemp("company")), habits=habits) as endpoints:
        yield endpoints


class Plain(HTTPAdapter):
    """simple-salesforce writes https:// before every host; the stand-in speaks http."""

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        assert request.url is not None
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **more)


@pytest.fixture
def salesforce(endpoints: Endpoints) -> Salesforce:
    keys = endpoints.secrets["salesforce_global"]
    claims = {"iss": keys["consumer_key"], "sub": keys["username"], "aud": "https://login.salesforce.com",
              "exp": int(time.time()) + 180}
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": jwt.encode(claims, keys["private_key"], "RS256")}
    token = requests.post(f"{endpoints.salesforce_url}/services/oauth2/token", data=form, timeout=10).json()
    session = requests.Session()
    session.mount("https://", Plain())
    return Salesforce(instance_url=token["instance_url"], session_id=token["access_token"], session=session,
                      version="67.0")


def test_simple_salesforce_reads_all_pages(salesforce: Salesforce) -> None:
    found = salesforce.query_all("SELECT Id, Amount, Account.Name FROM Opportunity ORDER BY Id")
    assert found["totalSize"] == DEALS and found["done"] is True
    assert {record["Id"] for record in found["records"]} == {deal(number)["Id"] for number in range(1, DEALS + 1)}
    assert found["records"][0]["Account"]["Name"] == "Globex"


def test_simple_salesforce_sees_deleted_records(salesforce: Salesforce) -> None:
    query = "SELECT Id FROM Account"
    assert MERGED not in {record["Id"] for record in salesforce.query_all(query)["records"]}
    assert MERGED in {record["Id"] for record in salesforce.query_all(query, include_deleted=True)["records"]}


def test_simple_salesforce_describes_and_lists_changes(salesforce: Salesforce) -> None:
    assert "Amount" in {field["name"] for field in salesforce.Opportunity.describe()["fields"]}
    assert "Opportunity" in {found["name"] for found in salesforce.describe()["sobjects"]}
    assert salesforce.limits()["DailyApiRequests"]["Max"] == 100_000
    with pytest.raises(SalesforceMalformedRequest) as caught:
        salesforce.query("SELECT Nope FROM Account")
    assert caught.value.content[0]["errorCode"] == "INVALID_FIELD"


def test_simple_salesforce_runs_a_bulk_job(salesforce: Salesforce) -> None:
    pages = list(salesforce.bulk2.Opportunity.query(
        "SELECT Id, Name, Account.Name FROM Opportunity ORDER BY Id", max_records=1000, wait=0.1))
    rows = [row for page in pages for row in csv.DictReader(io.StringIO(page))]
    assert len(pages) == 3 and len(rows) == DEALS
    assert rows[0] == {"Id": deal(1)["Id"], "Name": "Deal 00001", "Account.Name": "Globex"}


def test_requests_oauthlib_reads_suiteql(endpoints: Endpoints) -> None:
    keys = endpoints.secrets["netsuite_global"]
    session = OAuth1Session(keys["consumer_key"], keys["consumer_secret"], keys["token_id"], keys["token_secret"],
                            signature_method="HMAC-SHA256", realm="1234567")
    address = f"{endpoints.netsuite_url}/services/rest/query/v1/suiteql?limit=1000&offset=0"
    ids: list[str] = []
    while address:
        answer = session.post(address, json={"q": "SELECT id, tranid FROM transaction ORDER BY id"},
                              headers={"Prefer": "transient"})
        answer.raise_for_status()
        page = answer.json()
        ids += [item["id"] for item in page["items"]]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        assert bool(address) is page["hasMore"]
        assert not address or urlsplit(address).netloc == urlsplit(endpoints.netsuite_url).netloc
    assert ids == [str(number) for number in range(1, DOCUMENTS + 1)]
