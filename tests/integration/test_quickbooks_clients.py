"""Intuit's OAuth client and the usual client of QuickBooks, which know nothing of this project, read the stand-in."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
import requests
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError
from quickbooks import QuickBooks
from quickbooks.cdc import change_data_capture
from quickbooks.exceptions import ObjectNotFoundException, QuickbooksException, ValidationException
from quickbooks.objects import Customer, Invoice, Payment
from quickbooks.objects.companycurrency import CompanyCurrency

from simulator.company import generate
from simulator.habits import Habits
from simulator.quickbooks_api import QuickBooksApi
from simulator.serve import Endpoints, start
from tests.conftest import open_folder

INVOICES = "select * from Invoice orderby MetaData.LastUpdatedTime startposition {} maxresults {}"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as found:
        generate(found, seed=5, size="1k", level=1, of="web_shop")
        yield found


@pytest.fixture
def vendor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoints]:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    (folder / "quickbooks_tokens.json").unlink(missing_ok=True)
    with start(folder, habits=Habits.none()) as endpoints:
        yield endpoints


def api(vendor: Endpoints) -> QuickBooksApi:
    return vendor.apps["quickbooks"]


def auth(vendor: Endpoints) -> AuthClient:
    keys = vendor.secrets["quickbooks_web_shop"]
    discovery = f"{vendor.urls['quickbooks']}/.well-known/openid_sandbox_configuration"
    return AuthClient(keys["client_id"], keys["client_secret"], "https://halden.example/callback", discovery,
                      refresh_token=keys["refresh_token"])


@pytest.fixture
def client(vendor: Endpoints, monkeypatch: pytest.MonkeyPatch) -> QuickBooks:
    monkeypatch.setattr(QuickBooks, "api_url_v3", f"{vendor.urls['quickbooks']}/v3")
    found = auth(vendor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return QuickBooks(auth_client=found, refresh_token=found.refresh_token, company_id=api(vendor).realm,
                          minorversion=75, use_decimal=True)


def test_a_person_connects_and_the_token_rotates_at_each_refresh(vendor):
    found = auth(vendor)
    place = requests.get(found.get_authorization_url([Scopes.ACCOUNTING]), allow_redirects=False, timeout=10)
    words = parse_qs(urlparse(place.headers["location"]).query)
    assert words["realmId"] == [api(vendor).realm]
    found.get_bearer_token(words["code"][0], realm_id=words["realmId"][0])
    first = found.refresh_token
    found.refresh()
    assert found.refresh_token != first and found.expires_in == 3600
    newest = found.refresh_token
    found.refresh(refresh_token=first)  # within its grace the former one brings the newest again
    assert found.refresh_token == newest
    found.refresh()
    with pytest.raises(AuthClientError) as wrong:  # its successor was used
        found.refresh(refresh_token=first)
    assert wrong.value.status_code == 400 and "invalid_grant" in str(wrong.value.content)


def test_documents_are_read_by_position_and_by_id(client):
    first = Invoice.all(max_results=50, order_by="Id", qb=client)
    second = Invoice.all(max_results=50, start_position=51, order_by="Id", qb=client)
    assert len({each.Id for each in (*first, *second)}) == 100
    one = Invoice.get(first[0].Id, qb=client)
    assert one.DocNumber == first[0].DocNumber and one.CustomerRef.value
    signs = {"SalesItemLineDetail": 1, "GroupLineDetail": 1, "DiscountLineDetail": -1}
    lines = sum(signs.get(line.DetailType, 0) * (line.Amount or 0) for line in one.Line)
    assert Decimal(lines) + one.TxnTaxDetail.TotalTax == one.TotalAmt


def test_words_of_the_language_are_understood(client):
    assert Invoice.count(qb=client) > 1_000
    found = Customer.where("DisplayName LIKE '%a%' AND Active IN (true, false)", max_results=1000, qb=client)
    assert found and all("a" in each.DisplayName.lower() for each in found)
    assert Payment.filter(TotalAmt=0, max_results=10, qb=client)[0].PrivateNote.startswith("Created by QB Online")
    assert client.query("select * from Invoice where Id = '0'")["QueryResponse"] == {}


def test_inactive_records_of_lists_are_hidden(client):
    shown = {each.Code for each in CompanyCurrency.all(qb=client)}
    every = {each.Code for each in CompanyCurrency.where("Active IN (true, false)", qb=client)}
    assert every - shown == {"KWD"}


@pytest.mark.parametrize("statement", [
    "select * from Invoice where Nonsense = '1'", "select * from Invoices", "select * from Invoice maxresults 1001",
    "select * from Invoice where Line.Amount = 5", "select * from Invoice where Id = '1' or Id = '2'",
    "select Nonsense from Invoice", "select * from Invoice where TxnDate > 'yesterday'", "update Invoice"])
def test_a_wrong_statement_is_refused(client, statement):
    with pytest.raises(ValidationException) as wrong:
        client.query(statement)
    assert wrong.value.error_code in (4000, 4001)


def test_changes_are_told_for_thirty_days_and_a_thousand_objects(client, vendor):
    now = datetime(2026, 6, 30, 12, tzinfo=UTC)
    found = change_data_capture([Invoice, Payment], "2026-06-20T00:00:00-07:00", qb=client)
    assert 0 < len(found.Invoice._object_list) < 1_000
    with pytest.raises(ValidationException):
        change_data_capture([Invoice], "2026-05-20T00:00:00-07:00", qb=client)
    with pytest.raises(ValidationException):
        client.change_data_capture("TaxCode", now.isoformat())


def test_reports_are_made_of_text_and_an_empty_one_says_so(client):
    words = {"start_date": "2026-03-01", "end_date": "2026-03-31", "accounting_method": "Accrual"}
    found = client.get_report("ProfitAndLoss", dict(words))
    income = next(row for row in found["Rows"]["Row"] if row["group"] == "Income")
    assert Decimal(income["Summary"]["ColData"][1]["value"]) == sum(
        Decimal(row["ColData"][1]["value"]) for row in income["Rows"]["Row"])
    empty = client.get_report("GeneralLedger", {**words, "start_date": "2020-01-01", "end_date": "2020-01-31"})
    assert {"Name": "NoReportData", "Value": "true"} in empty["Header"]["Option"]
    with pytest.raises(ValidationException):
        client.get_report("GeneralLedger", {**words, "columns": "tx_date,nonsense"})


def test_what_is_not_there_is_610_and_a_wrong_realm_is_403(client):
    with pytest.raises(ObjectNotFoundException):
        Invoice.get("0", qb=client)
    client.company_id = "1"
    with pytest.raises(QuickbooksException, match="403"):
        Invoice.all(qb=client)


def test_without_accept_the_answer_is_xml_and_a_batch_holds_faults_with_status_200(client, vendor):
    base = f"{vendor.urls['quickbooks']}/v3/company/{api(vendor).realm}"
    headers = {"authorization": f"Bearer {client.auth_client.access_token}"}
    plain = requests.get(f"{base}/query", params={"query": "select * from CompanyInfo"}, headers=headers, timeout=10)
    assert plain.text.startswith("<?xml") and "<CompanyName>Halden Goods</CompanyName>" in plain.text
    items = [{"bId": "1", "Query": "select * from CompanyInfo"}, {"bId": "2", "Query": "select * from Nonsense"}]
    batch = requests.post(f"{base}/batch", json={"BatchItemRequest": items}, timeout=10,
                          headers={**headers, "accept": "application/json"})
    assert batch.status_code == 200
    assert [("Fault" in each, each["bId"]) for each in batch.json()["BatchItemResponse"]] == [(False, "1"), (True, "2")]
    minor = requests.get(f"{base}/query", params={"query": "select * from Item", "minorversion": "latest"}, timeout=10,
                         headers={**headers, "accept": "application/json"})
    assert minor.status_code == 400 and minor.json()["Fault"]["Error"][0]["element"] == "minorversion"


def test_an_expired_token_is_told_by_the_gateway_in_lower_case(client, vendor):
    api(vendor).auth.expire_all()
    base = f"{vendor.urls['quickbooks']}/v3/company/{api(vendor).realm}"
    found = requests.get(f"{base}/companyinfo/1", timeout=10, headers={
        "accept": "application/json", "authorization": f"Bearer {client.auth_client.access_token}"})
    assert (found.status_code, found.json()["fault"]["error"][0]["code"]) == (401, "3200")


def test_who_pages_by_position_misses_what_moves(client, vendor):
    """The first record of a full page changes once it was served: all behind it move up, and one is never seen."""
    vendor.apps["quickbooks"].habits.quickbooks_moving = True
    seen, start_position = [], 1
    while page := client.query(INVOICES.format(start_position, 500))["QueryResponse"].get("Invoice"):
        seen += [each["Id"] for each in page]
        start_position += len(page)
    assert len(set(seen)) < Invoice.count(qb=client)
