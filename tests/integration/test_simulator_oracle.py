"""The stand-in for Oracle Fusion over plain HTTP: parameters, errors, versions, grants; a test for each known trap."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from simulator.habits import Habits, OraclePod
from simulator.oracle_api.auth import SCOPE
from simulator.serve import Endpoints, start
from tests.oracle_company import FIRST, INVOICES, build
from tieout.errors import SourceError
from tieout.extract import Window
from tieout.extract.adf_rest import NotGranted
from tieout.extract.open import open_extractor
from tieout.spec import Connection

BASE = "/fscmRestApi/resources/11.13.18.05"
NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    with start(build(tmp_path_factory.mktemp("pod")), habits=Habits.none(), oracle=OraclePod()) as running:
        yield running


@pytest.fixture(autouse=True)
def best_day(endpoints: Endpoints) -> Iterator[None]:
    yield
    vars(endpoints.apps["oracle"].habits).update(vars(Habits.none()))
    vars(endpoints.apps["oracle"].account).update(vars(OraclePod()))


@pytest.fixture
def client(endpoints: Endpoints) -> Iterator[httpx.Client]:
    keys = endpoints.secrets["oracle_retail"]
    with httpx.Client(base_url=endpoints.urls["oracle"], auth=(keys["username"], keys["password"]),
                      headers={"REST-Framework-Version": "4", "Accept": "application/json"}) as found:
        yield found


def invoices(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.get(f"{BASE}/receivablesInvoices", params=asked)
    assert answer.status_code == 200, answer.text[:300]
    return answer.json(parse_float=Decimal)


def refusal(client: httpx.Client, resource: str = "receivablesInvoices", **asked: Any) -> dict[str, Any]:
    answer = client.get(f"{BASE}/{resource}", params=asked)
    assert answer.status_code == 400, answer.text[:300]
    assert answer.headers["content-type"].startswith("application/vnd.oracle.adf.error+json")
    return answer.json()["o:errorDetails"][0]


def test_a_generic_client_that_follows_has_more_reads_everything(client, endpoints):
    """What a careful client does who never saw our code: by offset, in an order, ahead by what came."""
    endpoints.apps["oracle"].habits.oracle_rows = 30
    found, offset = [], 0
    while True:
        page = invoices(client, limit=500, offset=offset, orderBy="CustomerTransactionId:asc", onlyData="true")
        assert page["count"] == len(page["items"])
        found += [row["CustomerTransactionId"] for row in page["items"]]
        offset += page["count"]
        if not page["hasMore"]:
            break
        assert page["limit"] == 30
    assert found == [FIRST + number for number in range(1, INVOICES + 1)]


def test_twenty_five_rows_unless_told_otherwise(client):
    assert invoices(client)["count"] == 25


def test_without_an_order_pages_overlap(client, endpoints):
    endpoints.apps["oracle"].habits.oracle_any_order = True
    found = [row["CustomerTransactionId"] for offset in (0, 100, 200)
             for row in invoices(client, limit=100, offset=offset, onlyData="true")["items"]]
    assert len(set(found)) < len(found)


def test_amounts_are_numbers_without_padded_decimals(client):
    text = client.get(f"{BASE}/receivablesInvoices", params={"q": f"CustomerTransactionId={FIRST + 7}"}).text
    assert '"EnteredAmount":7.5,' in text, text[:300]
    row = json.loads(text)["items"][0]
    assert row["LastUpdateDate"] == "2026-02-08T08:11:03.000+00:00"
    assert row["TransactionDate"] == "2026-01-15"
    assert row["DueDate"] is None


@pytest.mark.parametrize(("q", "count"), [
    (f"CustomerTransactionId={FIRST + 1}", 1), (f"CustomerTransactionId IN ({FIRST + 1},{FIRST + 2})", 2),
    ("BillToCustomerName='O''NEILL LTD'", INVOICES), ("BillToCustomerName LIKE 'O''N*'", INVOICES),
    ("BillToCustomerName LIKE 'o''n*'", 0), ("BusinessUnit='Shops BU';InvoiceBalanceAmount!=0", 43),
    (f"CustomerTransactionId BETWEEN {FIRST + 1} AND {FIRST + 5}", 5), ("DueDate IS NULL", INVOICES),
    (f"CustomerTransactionId={FIRST + 1} OR CustomerTransactionId={FIRST + 2}", 2),
    ("LastUpdateDate>='2026-02-28T10:11:03.000+02:00'", 9), ("EnteredAmount>=260.5", 1),
])  # fmt: skip
def test_conditions_of_q(client, q, count):
    assert len(invoices(client, q=q, limit=500)["items"]) == count


@pytest.mark.parametrize("q", [
    "FooBar='x'", "BusinessUnit", "BusinessUnit=", "BusinessUnit='x", "BusinessUnit LIKE 3", "BusinessUnit='a' Amount",
    "CustomerTransactionId IN 3", "LastUpdateDate>='yesterday'", "_Account=3", "TransactionNumber=7", ";",
])  # fmt: skip
def test_what_is_no_condition_is_refused(client, q):
    found = refusal(client, q=q)
    assert found["o:errorPath"] == "/q"
    assert found["o:errorCode"] == "27520"


def test_an_unknown_attribute_is_refused_wherever_it_stands(client):
    assert refusal(client, fields="CustomerTransactionId,FooBar")["o:errorPath"] == "/fields"
    assert refusal(client, orderBy="FooBar:asc")["o:errorPath"] == "/orderBy"
    assert refusal(client, expand="fooBar")["o:errorPath"] == "/expand"
    assert refusal(client, pageSize="3")["o:errorPath"] == "/pageSize"


def test_fields_and_expand_do_not_go_together(client):
    assert "cannot be used together" in refusal(client, fields="DueDate", expand="all")["detail"]


def test_a_projection_with_long_text_fails(client, endpoints):
    endpoints.apps["oracle"].habits.oracle_weak_fields = True
    answer = client.get(f"{BASE}/receivablesInvoices", params={"fields": "CustomerTransactionId,Comments"})
    assert answer.status_code == 500
    assert "JBO-" in answer.text[:300]


def test_a_total_can_be_too_much(client, endpoints):
    assert invoices(client, totalResults="true", limit=1)["totalResults"] == INVOICES
    endpoints.apps["oracle"].habits.oracle_no_totals = {"receivablesInvoices"}
    answer = client.get(f"{BASE}/receivablesInvoices", params={"totalResults": "true"})
    assert answer.status_code == 500


def test_without_the_framework_header_errors_are_plain_text_and_children_plain_lists(client):
    client.headers.pop("REST-Framework-Version")
    answer = client.get(f"{BASE}/receivablesInvoices", params={"q": "FooBar=1"})
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    asked = {"expand": "receivablesInvoiceLines", "q": f"CustomerTransactionId={FIRST + 2}"}
    assert isinstance(invoices(client, **asked)["items"][0]["receivablesInvoiceLines"], list)


def test_version_nine_tells_ids_as_text(client):
    client.headers["REST-Framework-Version"] = "9"
    (row,) = invoices(client, limit=1, orderBy="CustomerTransactionId")["items"]
    assert row["CustomerTransactionId"] == str(FIRST + 1)


def test_expanded_children_are_capped_and_go_on_at_their_own_address(client, endpoints):
    endpoints.apps["oracle"].habits.oracle_child_rows = 25
    page = invoices(client, expand="receivablesInvoiceLines", q=f"CustomerTransactionId={FIRST + 9}")
    lines = page["items"][0]["receivablesInvoiceLines"]
    assert (lines["count"], lines["hasMore"]) == (25, True)
    assert "CustomerTransactionId" not in lines["items"][0]
    rest = client.get(lines["links"][0]["href"], params={"offset": 25, "limit": 50}).json()
    assert (rest["count"], rest["hasMore"]) == (15, False)


def test_links_lead_to_grandchildren_below_opaque_keys(client):
    batch = client.get(f"{BASE}/journalBatches").json()["items"][0]
    headers = client.get(next(link["href"] for link in batch["links"] if link["rel"] == "child")).json()
    below = next(link["href"] for link in headers["items"][0]["links"] if link["rel"] == "child")
    assert "/00020000000EACED" in below
    assert [row["AccountedDr"] for row in client.get(below).json()["items"]] == [7, None]


def test_what_is_not_there_is_404(client):
    for path in ("fooBar", "receivablesInvoices/1/child/receivablesInvoiceLines",
                 f"receivablesInvoices/{FIRST + 1}/child/fooBar"):
        assert client.get(f"{BASE}/{path}").status_code == 404


def test_a_finder_needs_its_variables(client):
    whole = "fromCurrency=EUR,toCurrency=GBP,userConversionType=Corporate,startDate=2026-01-01,endDate=2026-01-31"
    rates = client.get(f"{BASE}/currencyRates", params={"finder": f"CurrencyRatesFinder;{whole}"}).json()["items"]
    assert [row["ConversionRate"] for row in rates] == [0.85]
    for told in (f"CurrencyRatesFinder;{whole.rpartition(',')[0]}", f"currencyratesfinder;{whole}",
                 f"CurrencyRatesFinder;{whole.replace('2026-01-01', '2024-01-01')}"):
        assert refusal(client, "currencyRates", finder=told)["o:errorPath"] == "/finder"
    assert refusal(client, "currencyRates")["o:errorPath"] == "/finder"


def test_balances_are_text_and_failures_come_with_200(client):
    told = "AccountBalanceFinder;accountCombination=%,accountingPeriod={},currency=GBP,ledgerName=Stores"
    rows = client.get(f"{BASE}/ledgerBalances", params={"finder": told.format("Jan-26")}).json()["items"]
    assert [(row["DetailAccountCombination"], row["PeriodActivity"]) for row in rows] == [("A", "7.00"), ("B", "-7.00")]
    (row,) = client.get(f"{BASE}/ledgerBalances", params={"finder": told.format("01-26")}).json()["items"]
    assert "not valid" in row["ErrorDetail"]


def test_a_missing_grant_is_an_empty_list_with_200(client, endpoints):
    endpoints.apps["oracle"].account.units = set()
    page = invoices(client)
    assert (page["items"], page["hasMore"]) == ([], False)


def test_a_role_without_the_privilege_is_403_and_says_so(client, endpoints):
    """Unlike a missing data grant, which is an empty list."""
    endpoints.apps["oracle"].account.denied = {"receivablesInvoices"}
    answer = client.get(f"{BASE}/receivablesInvoices")
    assert (answer.status_code, "privilege" in answer.text) == (403, True)
    connection, extractor = connector(endpoints)
    with extractor, pytest.raises(SourceError, match="don't have the privilege"):
        list(extractor.pages(connection.source.stream("receivablesInvoices"), Window(None, NOON, full=True)))


def test_numbers_of_transactions_repeat_and_only_ids_tell_them_apart(client, endpoints):
    """A number is unique per source only: two invoices of one number are two."""
    found = [row["CustomerTransactionId"] for row in invoices(client, q="TransactionNumber='7'", limit=500)["items"]]
    assert len(found) == len(set(found)) > 1
    connection, extractor = connector(endpoints)
    extractor.__exit__()
    assert connection.source.stream("receivablesInvoices").key == ("customertransactionid",)


def test_like_knows_upper_from_lower_case(client):
    """Names of customers are often stored in upper case."""
    assert invoices(client, q="BillToCustomerName LIKE '*LTD'")["count"] > 0
    assert invoices(client, q="BillToCustomerName LIKE '*Ltd'")["count"] == 0


def test_wrong_credentials_are_401(endpoints):
    url = f"{endpoints.urls['oracle']}{BASE}/receivablesInvoices"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=("tieout.integration", "wrong")).status_code == 401
    assert httpx.get(url, headers={"authorization": "Bearer nothing"}).status_code == 401


def test_a_token_is_given_for_the_scope_and_ends(endpoints):
    keys, url = endpoints.secrets["oracle_retail"], endpoints.urls["oracle"]
    asked = {"grant_type": "client_credentials", "scope": SCOPE}
    who = (keys["client_id"], keys["client_secret"])
    refused = httpx.post(f"{url}/oauth2/v1/token", data={**asked, "scope": "x"}, auth=who)
    assert refused.json()["error"] == "invalid_scope"
    assert httpx.post(f"{url}/oauth2/v1/token", data=asked, auth=("x", "y")).status_code == 401
    token = httpx.post(f"{url}/oauth2/v1/token", data=asked, auth=who).json()["access_token"]
    bearer = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{url}{BASE}/ledgersLOV", headers=bearer).status_code == 200
    endpoints.apps["oracle"].auth.expire()
    assert httpx.get(f"{url}{BASE}/ledgersLOV", headers=bearer).status_code == 401


def test_it_may_only_be_read(client):
    assert client.post(f"{BASE}/receivablesInvoices", json={}).status_code == 405


# --- and our connector against it -------------------------------------------------------------------------------------


def connector(endpoints: Endpoints, auth: str = "basic", **options: Any) -> Any:
    endpoints.apps["oracle"].account.auth = auth
    raw = {word: value for word, value in endpoints.connections()["oracle_retail"].items() if word != "unit"}
    raw["options"] = {**raw["options"], "business_units": [], **options}
    connection = Connection(name="oracle_retail", **raw)
    return connection, open_extractor(connection, endpoints.secrets["oracle_retail"])


@pytest.mark.parametrize("auth", ["basic", "oauth2_client", "oauth2_jwt", "jwt"])
def test_the_connector_proves_itself_in_every_way(endpoints, auth):
    connection, extractor = connector(endpoints, auth)
    with extractor:
        assert extractor.test().startswith("ADF REST service at http://127.0.0.1")
        assert extractor.now().isoformat() == "2026-06-30T12:00:00+00:00"


@pytest.mark.parametrize("options", [{}, {"paging": "offset"}, {"children": "links"}, {"framework_version": 9},
                                     {"framework_version": 1}, {"page_size": 7}, {"totals": True}])
def test_the_connector_reads_all_of_it_on_a_bad_day(endpoints, options):
    """Clamped, capped, unordered, weak: each record is there, whichever way is taken."""
    vars(endpoints.apps["oracle"].habits).update(vars(Habits(oracle_throttled_every=0, oracle_unavailable_every=0)))
    connection, extractor = connector(endpoints, **options)
    whole = Window(None, extractor.now(), full=True)
    with extractor:
        for name, key, count in (("receivablesInvoices", "CustomerTransactionId", INVOICES),
                                 ("receivablesInvoiceLines", "CustomerTransactionLineId", 301)):
            pages = [json.loads(page.body) for page in extractor.pages(connection.source.stream(name), whole)]
            rows = [row for page in pages for row in (page["items"] if isinstance(page, dict) else page)]
            assert len({str(row[key]) for row in rows}) == count
            assert not {row.get("CustomerTransactionId") for row in rows} & {None}


def test_a_token_that_ends_in_the_midst_is_asked_for_again(endpoints):
    connection, extractor = connector(endpoints, "oauth2_client", page_size=30)
    with extractor:
        whole = Window(None, extractor.now(), full=True)
        pages = extractor.pages(connection.source.stream("receivablesInvoices"), whole)
        rows = len(json.loads(next(pages).body)["items"])
        endpoints.apps["oracle"].auth.expire()
        assert rows + sum(len(json.loads(page.body)["items"]) for page in pages) == INVOICES
        assert extractor.facts.token_refreshes == 1


def test_a_business_unit_whose_grant_is_gone_is_noticed(endpoints):
    connection, extractor = connector(endpoints, business_units=["Stores BU", "Shops BU"])
    endpoints.apps["oracle"].account.units = {"Stores BU"}
    with extractor, pytest.raises(NotGranted, match="Shops BU"):
        list(extractor.pages(connection.source.stream("receivablesInvoices"), Window(None, extractor.now(), full=True)))
