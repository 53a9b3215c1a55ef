"""The stand-ins for Dataverse and for finance and operations: strict as the vendor is; and our client against them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from simulator import store
from simulator.dataverse_api import DataverseEnvironment
from simulator.dataverse_rows import guid
from simulator.entra import TENANT
from simulator.fno_api import FinanceEnvironment
from simulator.serve import Endpoints, start
from tieout.errors import SourceError
from tieout.extract import Page, Window
from tieout.extract.deliveries import Delivery, KnownFile
from tieout.extract.odata import OdataExtractor
from tieout.spec import Company, Connection, Stream

NOW, LATER = "2026-06-30 12:00:00", "2026-07-01 12:00:00"
SALES, FINANCE = "dynamics_sales_technology", "dynamics_finance_technology"
ACCOUNTS, INVOICES = 7, 9
API = "/api/data/v9.2"


def put(database: sqlite3.Connection, table: str, **values: Any) -> None:
    store.write(database, table, list(values), [list(values.values())], replace=True)


def account(number: int, **changes: Any) -> dict[str, Any]:
    return {"accountid": guid("account", number), "name": f"O'Neill {number}", "statecode": 0, "merged": 0,
            "createdon": "2026-01-01 08:00:00", "modifiedon": "2026-05-01 08:00:00", "versionnumber": 1_000 + number,
            "_transactioncurrencyid_value": guid("transactioncurrency", "EUR"), "exchangerate": "0.92", **changes}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A few accounts, a deal of a contact, invoices of two companies; no date is no date."""
    state = store.State(seed=0, size="1k", level=1, now=NOW, unit="technology")
    database = store.create(tmp_path, state.tables())
    store.write_state(tmp_path, state)
    with database:
        for number in range(ACCOUNTS):
            put(database, "dynamics_sales__account", **account(number))
        put(database, "dynamics_sales__opportunity", opportunityid=guid("o", 1), name="Deal", statecode=1, statuscode=3,
            _customerid_value=guid("contact", 1), customer_kind="contact", _parentaccountid_value=guid("account", 1),
            actualclosedate="2026-05-02", actualvalue="1234.5", totalamount="1234.5", versionnumber=5,
            _transactioncurrencyid_value=guid("transactioncurrency", "EUR"), createdon="2026-01-01 08:00:00",
            modifiedon="2026-05-02 08:00:00")
        for number in range(INVOICES):
            put(database, "dynamics_finance__CustInvoiceJourBiEntities", SourceKey=9_007_199_254_740_993 + number,
                dataAreaId="ustc" if number % 3 else "gbtc", InvoiceId=f"CIV-{number}", InvoiceDate="2026-05-04",
                SalesType="Sales", InvoiceAmount="1234.50", CurrencyCode="USD", ExchRate="100",
                CreatedOn="2026-05-04 08:00:00", SysModifiedDateTime=f"2026-05-0{1 + number} 08:00:00")
        put(database, "dynamics_finance__SalesOrderHeadersV3", dataAreaId="ustc", SalesOrderNumber="SO-1",
            SalesOrderStatus="Backorder", OrderCreationDateTime="2026-05-04 08:00:00")
    store.finish(database, state.tables())
    database.close()
    return tmp_path


@pytest.fixture
def vendors(folder: Path) -> Iterator[Endpoints]:
    with start(folder, dynamics_sales=DataverseEnvironment.calm(), dynamics_finance=FinanceEnvironment.calm()) as found:
        yield found


def later(folder: Path) -> None:
    store.write_state(folder, replace(store.read_state(folder), now=LATER))


def connection(vendors: Endpoints, name: str, **options: Any) -> Connection:
    found = Company(version=1, connections=vendors.connections()).connection(name)
    return found.model_copy(update={"options": {**found.options, **options}})


def opened(vendors: Endpoints, name: str, **options: Any) -> OdataExtractor:
    given = connection(vendors, name, **options)
    return OdataExtractor(given, vendors.secrets[name], sleep=lambda _: None)


def stream(source: OdataExtractor, name: str) -> Stream:
    return next(s for s in source._connection.selected() if s.name == name)


def token(vendors: Endpoints, system: str, **changes: str) -> httpx.Response:
    url, name = vendors.urls[system], f"{system}_technology"
    own = {word: vendors.secrets[name][word] for word in ("client_id", "client_secret")}
    form = {"grant_type": "client_credentials", **own, "scope": f"{url}/.default", **changes}
    return httpx.post(f"{url}/{TENANT}/oauth2/v2.0/token", data=form)


def asked(vendors: Endpoints, system: str, path: str, **headers: str) -> httpx.Response:
    bearer = token(vendors, system).json()["access_token"]
    return httpx.get(f"{vendors.urls[system]}{path}", headers={"authorization": f"Bearer {bearer}", **headers})


def rows(pages: list) -> list[dict[str, Any]]:
    found = []
    for page in pages:
        held = json.loads(page.body)
        found += held[page.records] if page.records else held
    return found


def everything(source: OdataExtractor) -> Window:
    return Window(None, source.now(), full=True)


# --- Entra ID


@pytest.mark.parametrize(("changes", "status", "number"), [
    ({"client_secret": "wrong"}, 401, 7000215), ({"client_id": "nobody"}, 400, 700016),
    ({"scope": "User.Read"}, 400, 70011), ({"scope": "https://other.example/.default"}, 400, 500011),
    ({"grant_type": "password"}, 400, 70003),
])
def test_the_token_endpoint_refuses_in_its_own_words(vendors, changes, status, number):
    refused = token(vendors, "dynamics_sales", **changes)
    assert refused.status_code == status
    assert refused.json()["error_codes"] == [number]
    assert refused.json()["error_description"].startswith(f"AADSTS{number}")


def test_without_a_token_the_body_is_empty(vendors):
    refused = httpx.get(f"{vendors.urls['dynamics_sales']}{API}/accounts")
    assert (refused.status_code, refused.content) == (401, b"")
    assert "authorization_uri=" in refused.headers["www-authenticate"]


# --- Dataverse


@pytest.mark.parametrize(("query", "code", "text"), [
    ("accounts?$select=nonsense", 400, "Could not find a property named 'nonsense'"),
    ("accounts?$skip=3", 400, "$skip"), ("nothings", 404, "Resource not found for the segment 'nothings'"),
    ("accounts?$filter=name like 'x'", 400, "like"), ("accounts?$filter=modifiedon ge yesterday", 400, "yesterday"),
    ("accounts(00000000-0000-0000-0000-000000000000)", 404, "Does Not Exist"),
])
def test_dataverse_refuses_what_it_does_not_know(vendors, query, code, text):
    refused = asked(vendors, "dynamics_sales", f"{API}/{query}")
    assert refused.status_code == code
    assert text in refused.json()["error"]["message"]
    assert refused.json()["error"]["code"].startswith("0x8")


def test_filters_know_quotes_guids_and_moments(vendors):
    for condition, count in (("name eq 'o''neill 3'", 1), (f"accountid eq {guid('account', 2)}", 1),
                             ("modifiedon ge 2026-05-01T08:00:00Z and statecode eq 0", ACCOUNTS),
                             ("startswith(name,'O')", ACCOUNTS), ("not (statecode eq 0)", 0)):
        found = asked(vendors, "dynamics_sales", f"{API}/accounts?$filter={condition}&$select=name")
        assert len(found.json()["value"]) == count, condition


def test_a_page_without_its_preference_is_a_long_one(vendors):
    first = asked(vendors, "dynamics_sales", f"{API}/accounts?$select=name", prefer="odata.maxpagesize=3")
    assert first.headers["preference-applied"] == "odata.maxpagesize=3"
    link = first.json()["@odata.nextLink"]
    bearer = {"authorization": f"Bearer {token(vendors, 'dynamics_sales').json()['access_token']}"}
    assert len(httpx.get(link, headers={**bearer, "prefer": "odata.maxpagesize=3"}).json()["value"]) == 3
    assert len(httpx.get(link, headers=bearer).json()["value"]) == ACCOUNTS - 3
    assert httpx.get(link.replace("name", "accountnumber"), headers=bearer).status_code == 400  # the cookie is not ours
    assert "pagingcookie" in parse_qs(urlsplit(link).query)["$skiptoken"][0]


def test_tracking_takes_no_condition_and_no_order(vendors):
    refused = asked(vendors, "dynamics_sales", f"{API}/accounts?$filter=statecode eq 0", prefer="odata.track-changes")
    assert refused.json()["error"]["message"] == (
        'The "$filter" query parameter isn\'t supported when Change Tracking is enabled.')


def test_money_comes_with_its_currency_labels_and_the_kind_of_its_customer(vendors):
    found = asked(vendors, "dynamics_sales", f"{API}/opportunities?$select=totalamount,statuscode,_customerid_value",
                  prefer='odata.include-annotations="*"')
    text, row = found.text, found.json()["value"][0]
    assert '"totalamount":1234.5000' in text  # exact, with its zeros
    assert row["_transactioncurrencyid_value"] == guid("transactioncurrency", "EUR")
    assert row["statuscode@OData.Community.Display.V1.FormattedValue"] == "Won"
    assert row["_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"
    assert row["opportunityid"]  # the key comes unasked


def test_our_client_reads_dataverse_page_by_page_with_all_its_habits_on(folder):
    with start(folder, dynamics_sales=DataverseEnvironment(throttled_every=3, unavailable_every=4)) as vendors, \
            opened(vendors, SALES, page_size=2) as source:
        found = rows(list(source.pages(stream(source, "account"), everything(source))))
        assert sorted(row["name"] for row in found) == [f"O'Neill {n}" for n in range(ACCOUNTS)]
        assert source.facts.notes["throttled"]
        assert source.facts.retries > 1


def test_links_of_another_host_need_to_be_named(folder):
    with start(folder, dynamics_sales=DataverseEnvironment.calm()) as vendors:
        port = vendors.urls["dynamics_sales"].rpartition(":")[2]
        vendors.apps["dynamics_sales"].environment.link_host = f"localhost:{port}"
        with opened(vendors, SALES, page_size=2) as source, pytest.raises(SourceError, match="localhost"):
            list(source.pages(stream(source, "account"), everything(source)))
        with opened(vendors, SALES, page_size=2, link_hosts=[f"http://localhost:{port}"]) as source:
            assert len(rows(list(source.pages(stream(source, "account"), everything(source))))) == ACCOUNTS


def change(folder: Path) -> None:
    """One account changes, one is new, one is deleted, one comes and goes between two looks."""
    with sqlite3.connect(folder / store.DATABASE) as database:
        version = 1_782_900_000  # after NOW
        put(database, "dynamics_sales__account", **account(1, name="Renamed", versionnumber=version))
        put(database, "dynamics_sales__account", **account(99, versionnumber=version))
        database.execute("DELETE FROM dynamics_sales__account WHERE accountid = ?", (guid("account", 2),))
        for key in (guid("account", 2), guid("account", 500)):
            put(database, "dynamics_sales__tombstone", entity="account", id=key, versionnumber=version)
    later(folder)


def delivered(source: OdataExtractor, known: list[KnownFile], name: str = "account") -> tuple[Delivery, list[Page]]:
    (made,) = source.deliveries(stream(source, name), Window(None, source.now()), known)
    return made, list(made.pages())


def test_changes_and_deletions_come_by_delta_link(folder, vendors):
    with opened(vendors, SALES, page_size=2) as source:
        first, _ = delivered(source, [])
        change(folder)
        second, pages = delivered(source, first.files)
        assert (first.mode, second.mode) == ("full", "incremental")
        assert sorted(row["name"] for row in rows([p for p in pages if not p.deleted])) == ["O'Neill 99", "Renamed"]
        gone = {row["accountid"] for row in rows([p for p in pages if p.deleted])}
        assert gone == {guid("account", 2), guid("account", 500)}
        assert second.files[0].version != first.files[0].version
        third, pages = delivered(source, second.files)
        assert (third.mode, pages) == ("incremental", [])


def test_a_delta_link_that_expired_means_everything_again(folder, vendors):
    with opened(vendors, SALES) as source:
        first, _ = delivered(source, [])
        vendors.apps["dynamics_sales"].environment.token_days = 1
        store.write_state(folder, replace(store.read_state(folder), now="2026-07-09 12:00:00"))
        vendors.apps["dynamics_sales"].auth.seconds = 10**7
        second, pages = delivered(source, first.files)
        assert (second.mode, len(rows(pages))) == ("full", ACCOUNTS)
        assert "full sync" in source.facts.notes["resynchronised"]["account"]


def test_a_table_that_is_not_tracked_is_read_without(folder, vendors):
    vendors.apps["dynamics_sales"].environment.untracked.add("accounts")
    with opened(vendors, SALES) as source:
        first, pages = delivered(source, [])
        assert (first.mode, len(rows(pages))) == ("full", ACCOUNTS)
        assert source.facts.notes["no_change_tracking"] == ["account"]
        with sqlite3.connect(folder / store.DATABASE) as database:
            put(database, "dynamics_sales__account", **account(1, name="Renamed", modifiedon="2026-06-30 11:59:00"))
        second, pages = delivered(source, first.files)
        assert (second.mode, [row["name"] for row in rows(pages)]) == ("incremental", ["Renamed"])


def test_an_app_that_is_no_user_of_the_environment_is_told_so(vendors):
    vendors.apps["dynamics_sales"].environment.member = False
    refused = asked(vendors, "dynamics_sales", f"{API}/WhoAmI")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "0x80072560")


# --- finance and operations


def test_without_cross_company_one_company_is_all_there_seems_to_be(vendors):
    one = asked(vendors, "dynamics_finance", "/data/CustInvoiceJourBiEntities")
    assert {row["dataAreaId"] for row in one.json()["value"]} == {"ustc"}
    both = asked(vendors, "dynamics_finance", "/data/CustInvoiceJourBiEntities?cross-company=true")
    assert {row["dataAreaId"] for row in both.json()["value"]} == {"ustc", "gbtc"}


def test_the_wire_knows_no_null(vendors):
    path = "/data/CustInvoiceJourBiEntities?$top=1&$select=SalesId,DueDate,SumTax,InvoiceDate,InvoiceAmount,SourceKey"
    found = asked(vendors, "dynamics_finance", path)
    assert '"InvoiceAmount":1234.5' in found.text
    row = found.json()["value"][0]
    assert (row["SalesId"], row["DueDate"], row["SumTax"]) == ("", "1900-01-01T00:00:00Z", 0)
    assert row["InvoiceDate"] == "2026-05-04T12:00:00Z"
    assert row["SourceKey"] > 2**53


@pytest.mark.parametrize(("query", "status", "text"), [
    ("CustInvoiceJourBiEntities?$select=Nonsense", 400, "Could not find a property named 'Nonsense'"),
    ("CustInvoiceJourBiEntities?$filter=Proforma eq 'Yes'", 400, "incompatible types"),
    ("CustInvoiceJourBiEntities?$filter=contains(InvoiceId,'1')", 400, "unknown function"),
    ("CustInvoiceJourBiEntities?$filter=InvoiceId in ('a')", 400, "in"),
    ("Nothings", 404, "No HTTP resource was found"),
    ("SalesOrderHeadersV2(SalesOrderNumber='SO-1')", 400, "key"),
])
def test_finance_refuses_what_it_does_not_know(vendors, query, status, text):
    refused = asked(vendors, "dynamics_finance", f"/data/{query}")
    assert refused.status_code == status
    assert refused.json()["error"]["code"] == ""
    assert text in refused.json()["error"]["innererror"]["message"]


def test_enums_in_filters_bear_their_full_name_and_texts_take_wildcards(vendors):
    for condition, count in (("SalesType eq Microsoft.Dynamics.DataEntities.SalesType'Sales'", 6),
                             ("InvoiceId eq '*-1'", 1), ("InvoiceDate eq 2026-05-04T12:00:00Z", 6),
                             ("DueDate eq 1900-01-01T00:00:00Z", 6), ("dataAreaId eq 'USTC'", 6)):
        found = asked(vendors, "dynamics_finance", f"/data/CustInvoiceJourBiEntities?$filter={condition}")
        assert len(found.json()["value"]) == count, condition


def test_a_key_is_complete_or_wrong(vendors):
    found = asked(vendors, "dynamics_finance", "/data/SalesOrderHeadersV2(dataAreaId='USTC',SalesOrderNumber='SO-1')")
    assert found.json()["SalesOrderStatus"] == "Backorder"


def test_an_app_without_a_user_is_refused_although_its_token_is_good(vendors):
    vendors.apps["dynamics_finance"].environment.mapped = False
    assert asked(vendors, "dynamics_finance", "/data/LegalEntities").status_code == 401


def test_our_client_reads_all_companies_with_all_habits_on(folder):
    habits = FinanceEnvironment(rows=2, throttled_every=5, unavailable_every=4, broken_every=7)
    with start(folder, dynamics_finance=habits) as vendors, opened(vendors, FINANCE) as source:
        found = rows(list(source.pages(stream(source, "CustInvoiceJour"), everything(source))))
        assert len({row["SourceKey"] for row in found}) == INVOICES
        assert {row["dataAreaId"] for row in found} == {"ustc", "gbtc"}


def test_an_older_release_offers_an_older_set(vendors):
    vendors.apps["dynamics_finance"].environment.hidden |= {"SalesOrderHeadersV3", "SalesOrderHeadersV2.CRMOrderId"}
    with opened(vendors, FINANCE) as source:
        wanted = stream(source, "SalesOrderHeaders")
        assert len(rows(list(source.pages(wanted, everything(source))))) == 1
        assert source.facts.notes["absent_fields"]["SalesOrderHeaders"] == ["CRMOrderId"]


def test_a_release_without_payment_journals_is_read_without_them(vendors):
    hidden = {"CustomerPaymentJournalHeaders", "CustomerPaymentJournalLines"}
    with opened(vendors, FINANCE) as source:
        assert all(source.available(stream(source, name)) for name in hidden)
    vendors.apps["dynamics_finance"].environment.hidden |= hidden
    with opened(vendors, FINANCE) as source:
        assert not any(source.available(stream(source, name)) for name in hidden)


def test_a_window_goes_by_the_stamp_where_there_is_one(vendors):
    with opened(vendors, FINANCE) as source:
        wanted = stream(source, "CustInvoiceJour")
        end = source.now()
        window = Window(end.replace(month=5, day=4, hour=8), end.replace(month=5, day=6, hour=8))
        assert {row["InvoiceId"] for row in rows(list(source.pages(wanted, window)))} == {"CIV-3", "CIV-4"}
