"""The stand-in for Salesforce over HTTP: OAuth, paging, bulk jobs, replication, limits; a test for each known trap."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from simulator import store
from simulator.habits import Habits, SalesforceOrg
from simulator.serve import Endpoints, start
from tests.simulated_company import ACME, DEALS, MERGED, NOW, build, deal, insert

DATA = "/services/data/v67.0"
ALL_DEALS = "SELECT Id, Amount FROM Opportunity ORDER BY SystemModstamp, Id"


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    with start(build(tmp_path_factory.mktemp("company")), habits=Habits.none()) as endpoints:
        yield endpoints


@pytest.fixture(autouse=True)
def best_day(endpoints: Endpoints) -> Iterator[None]:
    yield
    for target, fresh in ((endpoints.salesforce.habits, Habits.none()), (endpoints.salesforce.org, SalesforceOrg())):
        vars(target).update(vars(fresh))


@pytest.fixture
def keys(endpoints: Endpoints) -> dict[str, str]:
    return endpoints.secrets["salesforce_global"]


@pytest.fixture
def client(endpoints: Endpoints, keys: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=endpoints.salesforce_url) as client:
        log_in(client, keys)
        yield client


def log_in(client: httpx.Client, keys: dict[str, str]) -> dict[str, Any]:
    form = {"grant_type": "client_credentials", "client_id": keys["consumer_key"],
            "client_secret": keys["consumer_secret"]}
    granted = client.post("/services/oauth2/token", data=form).json()
    client.headers["Authorization"] = f"Bearer {granted['access_token']}"
    return granted


def assertion(keys: dict[str, str], *, algorithm: str = "RS256", key: str | None = None, **changes: Any) -> str:
    claims = {"iss": keys["consumer_key"], "sub": keys["username"], "aud": "https://login.salesforce.com",
              "exp": int(time.time()) + 180, **changes}
    return jwt.encode({name: value for name, value in claims.items() if value is not None},
                      key or keys["private_key"], algorithm)


def bearer_grant(endpoints: Endpoints, token: str) -> httpx.Response:
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": token}
    return httpx.post(f"{endpoints.salesforce_url}/services/oauth2/token", data=form)


def pages(client: httpx.Client, query: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    found = [client.get(f"{DATA}/query", params={"q": query}, headers=headers).json()]
    while not found[-1]["done"]:
        found.append(client.get(found[-1]["nextRecordsUrl"], headers=headers).json())
    return found


# --- OAuth


def test_a_jwt_is_answered_without_refresh_token_and_without_expires_in(
    endpoints: Endpoints, keys: dict[str, str]
) -> None:
    answer = bearer_grant(endpoints, assertion(keys))
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "scope", "instance_url", "id", "token_type"}
    assert answer.json()["instance_url"] == endpoints.salesforce_url and "!" in answer.json()["access_token"]
    assert bearer_grant(endpoints, assertion(keys, aud=endpoints.salesforce_url)).status_code == 200


def other_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(("wrong", "error", "description"), [
    ({"key": other_key()}, "invalid_grant", "invalid assertion"),
    ({"algorithm": "HS256", "key": "x" * 64}, "invalid_grant", "invalid assertion"),
    ({"algorithm": "RS512"}, "invalid_grant", "invalid assertion"),
    ({"iss": "3MVG9nobody"}, "invalid_client_id", "client identifier invalid"),
    ({"sub": "nobody@example.com"}, "invalid_grant", "user hasn't approved this consumer"),
    ({"aud": "https://test.salesforce.com"}, "invalid_grant", "audience is invalid"),
    ({"exp": -600}, "invalid_grant", "expired access/refresh token"),
    ({"exp": 3600}, "invalid_grant", "invalid assertion"),
    ({"exp": None}, "invalid_grant", "invalid assertion"),
])
def test_an_assertion_is_verified(
    endpoints: Endpoints, keys: dict[str, str], wrong: dict[str, Any], error: str, description: str
) -> None:
    if wrong.get("exp"):  # seconds from now: the tests may have begun an hour ago
        wrong = {"exp": int(time.time()) + wrong["exp"]}
    answer = bearer_grant(endpoints, assertion(keys, **wrong))
    assert answer.status_code == 400
    assert answer.json() == {"error": error, "error_description": description}


def test_an_app_that_the_user_has_not_approved(endpoints: Endpoints, keys: dict[str, str]) -> None:
    endpoints.salesforce.org.unlinked = True
    assert bearer_grant(endpoints, assertion(keys)).json()["error_description"] == "user hasn't approved this consumer"


def test_client_credentials_come_as_form_or_as_basic(endpoints: Endpoints, keys: dict[str, str]) -> None:
    address, form = f"{endpoints.salesforce_url}/services/oauth2/token", {"grant_type": "client_credentials"}
    granted = httpx.post(address, data=form, auth=(keys["consumer_key"], keys["consumer_secret"])).json()
    assert granted["issued_at"].isdigit() and len(granted["issued_at"]) == 13 and "signature" in granted
    wrong = httpx.post(address, data={**form, "client_id": keys["consumer_key"], "client_secret": "x"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    assert httpx.post(address, data={"grant_type": "password"}).json()["error"] == "unsupported_grant_type"


# --- sessions, limits, errors


def test_gotcha_4_api_errors_are_an_array_and_oauth_errors_an_object(
    endpoints: Endpoints, client: httpx.Client
) -> None:
    refused = client.get(f"{DATA}/query", params={"q": "SELECT"})
    assert isinstance(refused.json(), list) and refused.json()[0]["errorCode"] == "MALFORMED_QUERY"
    assert isinstance(bearer_grant(endpoints, "x").json(), dict)


def test_without_a_session_nothing_is_told(endpoints: Endpoints) -> None:
    for headers in ({}, {"Authorization": "Bearer 00Dnobody!AR"}):
        answer = httpx.get(f"{endpoints.salesforce_url}{DATA}/limits", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    wrong = httpx.get(f"{endpoints.salesforce_url}{DATA}/limits", headers={"Authorization": "Basic eDp4"})
    assert (wrong.status_code, wrong.json()[0]["errorCode"]) == (401, "INVALID_AUTH_HEADER")


def test_gotcha_15_a_session_ends_in_the_midst_of_paging(endpoints: Endpoints, keys: dict[str, str]) -> None:
    endpoints.salesforce.habits.session_requests = 1
    with httpx.Client(base_url=endpoints.salesforce_url) as client:
        log_in(client, keys)
        first = client.get(f"{DATA}/query", params={"q": ALL_DEALS}).json()
        late = client.get(first["nextRecordsUrl"])
        assert (late.status_code, late.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
        log_in(client, keys)
        again = client.get(first["nextRecordsUrl"])
    assert again.status_code == 200, "the cursor outlives the session"
    assert len(first["records"]) + len(again.json()["records"]) == DEALS


def test_only_the_first_session_is_short_by_habit(tmp_path: Path) -> None:
    habits = Habits.none()
    habits.first_session_requests = 2
    with start(build(tmp_path), habits=habits) as endpoints, httpx.Client(base_url=endpoints.salesforce_url) as client:
        keys = endpoints.secrets["salesforce_global"]
        seen = []
        for _ in range(2):
            log_in(client, keys)
            seen.append([client.get(f"{DATA}/limits").status_code for _ in range(4)])
    assert seen == [[200, 200, 401, 401], [200, 200, 200, 200]]


def test_gotcha_14_the_limit_header_counts_up_to_the_end(endpoints: Endpoints, client: httpx.Client) -> None:
    org = endpoints.salesforce.org
    org.used_requests = org.daily_requests - 2
    answers = [client.get(f"{DATA}/limits") for _ in range(3)]
    used = [answer.headers["Sforce-Limit-Info"] for answer in answers]
    assert used == ["api-usage=99999/100000", "api-usage=100000/100000", "api-usage=100001/100000"]
    assert answers[1].json()["DailyApiRequests"] == {"Max": 100000, "Remaining": 0}
    assert answers[2].status_code == 403 and "Retry-After" not in answers[2].headers
    assert answers[2].json() == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]


def test_an_occasional_503(endpoints: Endpoints, client: httpx.Client) -> None:
    endpoints.salesforce.habits.unavailable_every = 3
    answers = [client.get(f"{DATA}/limits") for _ in range(6)]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 503, 503]
    assert {a.json()[0]["errorCode"] for a in answers if a.status_code == 503} == {"SERVER_UNAVAILABLE"}


def test_the_date_header_is_the_simulated_clock(endpoints: Endpoints, client: httpx.Client) -> None:
    assert client.get(f"{DATA}/limits").headers.get_list("Date") == ["Tue, 30 Jun 2026 12:00:00 GMT"]
    store.write_state(endpoints.folder, store.State(0, "1k", 1, "2026-07-01 06:00:00"))
    assert client.get("/services/data/").headers["Date"] == "Wed, 01 Jul 2026 06:00:00 GMT"
    store.write_state(endpoints.folder, store.State(0, "1k", 1, NOW))


def test_versions_and_paths(client: httpx.Client) -> None:
    versions = client.get("/services/data/").json()
    assert versions[-1] == {"label": "Summer '26", "url": DATA, "version": "67.0"}
    assert client.get("/services/data/v66.0/limits").status_code == 200
    for path in ("/services/data/v99.0/limits", f"{DATA}/nothing", f"{DATA}/sobjects/Nope/describe"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")
    assert client.post(f"{DATA}/sobjects/Account", json={"Name": "x"}).status_code == 403
    long = "SELECT Id FROM Account WHERE Name IN (" + "'x'," * 5000
    assert client.get(f"{DATA}/query", params={"q": long}).status_code == 414


# --- queries


def test_gotcha_1_total_of_the_whole_relative_next_page_and_fewer_rows_than_asked(
    endpoints: Endpoints, client: httpx.Client
) -> None:
    endpoints.salesforce.habits.short_pages = True
    found = pages(client, ALL_DEALS, {"Sforce-Query-Options": "batchSize=1000"})
    assert [len(page["records"]) for page in found] == [900, 900, 700]
    assert {page["totalSize"] for page in found} == {DEALS}
    following = found[0]["nextRecordsUrl"]
    assert following.startswith(f"{DATA}/query/01g") and following.endswith("-900")
    assert len(following.split("/")[-1]) == len("01gRO0000016PIAYA2-900")
    assert "nextRecordsUrl" not in found[-1]
    ids = [record["Id"] for page in found for record in page["records"]]
    assert ids == [deal(number)["Id"] for number in range(1, DEALS + 1)]


def test_a_page_has_at_most_two_thousand_rows(client: httpx.Client) -> None:
    assert [len(page["records"]) for page in pages(client, ALL_DEALS)] == [2000, 500]
    asked = client.get(f"{DATA}/query", params={"q": ALL_DEALS}, headers={"Sforce-Query-Options": "batchSize=5"})
    assert len(asked.json()["records"]) == 200, "the hint is at least 200"


def test_a_cursor_shows_the_moment_of_its_query(endpoints: Endpoints, client: httpx.Client) -> None:
    first = client.get(f"{DATA}/query", params={"q": ALL_DEALS}).json()
    database = sqlite3.connect(endpoints.folder / "sim.db", isolation_level=None)
    last = deal(DEALS)
    insert(database, "salesforce__Opportunity", {**last, "SystemModstamp": "2026-01-01 00:00:00"})
    rest = client.get(first["nextRecordsUrl"]).json()
    insert(database, "salesforce__Opportunity", last)
    database.close()
    assert rest["records"][-1]["Id"] == last["Id"]


def test_cursors_are_dropped_and_their_locators_unknown(endpoints: Endpoints, client: httpx.Client) -> None:
    endpoints.salesforce.habits.cursors = 1
    first, second = (client.get(f"{DATA}/query", params={"q": ALL_DEALS}).json() for _ in range(2))
    gone = client.get(first["nextRecordsUrl"])
    assert (gone.status_code, gone.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    assert client.get(second["nextRecordsUrl"]).status_code == 200
    assert client.get(f"{DATA}/query/01g000000000000AAA-2000").status_code == 400


def test_count_has_a_total_and_no_records(client: httpx.Client) -> None:
    answer = client.get(f"{DATA}/query", params={"q": "SELECT COUNT() FROM Opportunity WHERE IsWon = TRUE"}).json()
    assert answer == {"totalSize": 833, "done": True, "records": []}


def test_decimals_are_plain_numbers(client: httpx.Client) -> None:
    query = f"SELECT Amount FROM Opportunity WHERE Id = '{deal(3)['Id']}'"
    text = client.get(f"{DATA}/query", params={"q": query}).text
    assert '"Amount":3.10}' in text and isinstance(json.loads(text)["records"][0]["Amount"], float)


def test_gotcha_6_and_7_hidden_and_missing_fields_behave_as_nonexistent(
    endpoints: Endpoints, client: httpx.Client
) -> None:
    org = endpoints.salesforce.org
    org.multicurrency, org.hidden = False, {"Opportunity.Amount"}
    for field in ("CurrencyIsoCode", "Amount"):
        answer = client.get(f"{DATA}/query", params={"q": f"SELECT Id, {field} FROM Opportunity"})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
        assert f"No such column '{field}' on entity 'Opportunity'" in answer.json()[0]["message"]
    described = client.get(f"{DATA}/sobjects/Opportunity/describe").json()
    assert not {"CurrencyIsoCode", "Amount"} & {field["name"] for field in described["fields"]}
    assert client.get(f"{DATA}/sobjects/CurrencyType/describe").status_code == 404


def test_describe_tells_types_and_parts_of_compounds(client: httpx.Client) -> None:
    described = client.get(f"{DATA}/sobjects/account/describe").json()
    fields = {field["name"]: field for field in described["fields"]}
    assert described["name"] == "Account" and described["replicateable"] is True and described["keyPrefix"] == "001"
    assert (fields["Id"]["type"], fields["OwnerId"]["type"]) == ("id", "reference")
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    assert fields["AnnualRevenue"]["type"] == "currency" and fields["SystemModstamp"]["type"] == "datetime"
    assert fields["BillingAddress"]["type"] == "address"
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields["ERP_Customer_ID__c"]["externalId"] is True
    user = client.get(f"{DATA}/sobjects/User/describe").json()
    assert user["replicateable"] is False and "IsDeleted" not in {field["name"] for field in user["fields"]}


def test_a_batch_of_describes(client: httpx.Client) -> None:
    wanted = [{"method": "GET", "url": f"v67.0/sobjects/{name}/describe"} for name in ("Account", "Nope")]
    answer = client.post(f"{DATA}/composite/batch", json={"batchRequests": wanted}).json()
    assert answer["hasErrors"] is True and [result["statusCode"] for result in answer["results"]] == [200, 404]
    assert answer["results"][0]["result"]["name"] == "Account"
    assert client.post(f"{DATA}/composite/batch", json={"batchRequests": wanted * 13}).status_code == 400


def test_gotcha_8_a_deletion_bumps_the_stamp_and_query_all_sees_it(client: httpx.Client) -> None:
    query = "SELECT Id, IsDeleted, MasterRecordId FROM Account WHERE SystemModstamp >= 2026-06-01T00:00:00Z"
    assert client.get(f"{DATA}/query", params={"q": query}).json()["records"] == []
    record, = client.get(f"{DATA}/queryAll", params={"q": query}).json()["records"]
    assert (record["Id"], record["IsDeleted"], record["MasterRecordId"]) == (MERGED, True, ACME)


def test_gotcha_9_a_row_may_be_committed_late_with_an_older_stamp(endpoints: Endpoints, client: httpx.Client) -> None:
    window = "SELECT COUNT() FROM Opportunity WHERE SystemModstamp >= 2026-05-01T00:00:00Z AND SystemModstamp < {}"
    window = window.format("2026-05-01T00:01:00Z")
    before = client.get(f"{DATA}/query", params={"q": window}).json()["totalSize"]
    database = sqlite3.connect(endpoints.folder / "sim.db", isolation_level=None)
    insert(database, "salesforce__Opportunity", deal(9999, SystemModstamp="2026-05-01 00:00:30"))
    after = client.get(f"{DATA}/query", params={"q": window}).json()["totalSize"]
    database.execute('DELETE FROM "salesforce__Opportunity" WHERE "Id" = ?', (deal(9999)["Id"],))
    database.close()
    assert after == before + 1, "only a client whose windows overlap finds it"


# --- replication


def test_deleted_and_updated(client: httpx.Client) -> None:
    window = {"start": "2026-06-16T00:00:00+00:00", "end": "2026-06-30T12:00:00+00:00"}
    gone = client.get(f"{DATA}/sobjects/Account/deleted/", params=window).json()
    assert gone["deletedRecords"] == [{"id": MERGED, "deletedDate": "2026-06-20T00:00:00.000+0000"}]
    assert gone["latestDateCovered"] == "2026-06-30T12:00:00.000+0000"
    assert gone["earliestDateAvailable"] == "2026-06-15T12:00:00.000+0000"
    changed = client.get(f"{DATA}/sobjects/Account/updated/", params=window).json()
    assert changed["ids"] == [MERGED]


@pytest.mark.parametrize(("start", "end"), [
    ("2026-06-01T00:00:00Z", "2026-06-30T00:00:00Z"),  # more than 15 days back
    ("2026-06-30T00:00:00Z", "2026-06-30T00:00:30Z"),  # less than a minute
    ("2026-06-30T00:00:00Z", "2026-06-29T00:00:00Z"),
    ("2026-06-20T00:00:00 00:00", "2026-06-30T00:00:00 00:00"),  # a plus sign that was not encoded
    ("yesterday", "today"),
])
def test_replication_windows_are_checked(client: httpx.Client, start: str, end: str) -> None:
    answer = client.get(f"{DATA}/sobjects/Account/deleted", params={"start": start, "end": end})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")


def test_objects_without_a_recycle_bin_are_not_replicateable(client: httpx.Client) -> None:
    answer = client.get(f"{DATA}/sobjects/User/deleted", params={"start": "2026-06-20T00:00:00Z", "end": NOW})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_TYPE_FOR_OPERATION")


# --- Bulk API 2.0


def job(client: httpx.Client, query: str, operation: str = "query", **more: str) -> httpx.Response:
    return client.post(f"{DATA}/jobs/query", json={"operation": operation, "query": query, **more})


def finished(client: httpx.Client, query: str, operation: str = "query") -> str:
    name = job(client, query, operation).json()["id"]
    for _ in range(200):
        if (state := client.get(f"{DATA}/jobs/query/{name}").json()["state"]) == "JobComplete":
            return name
        assert state == "InProgress"
        time.sleep(0.01)
    raise AssertionError("the job did not finish")


def test_gotcha_16_a_job_is_in_progress_for_several_polls(endpoints: Endpoints, client: httpx.Client) -> None:
    endpoints.salesforce.habits.job_polls = 3
    created = job(client, "SELECT Id FROM Account", "queryAll")
    assert created.status_code == 200
    assert created.json() | {"id": "", "createdById": ""} == {
        "id": "", "operation": "queryAll", "object": "Account", "createdById": "", "state": "UploadComplete",
        "createdDate": "2026-06-30T12:00:00.000+0000", "systemModstamp": "2026-06-30T12:00:00.000+0000",
        "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 67.0, "lineEnding": "LF",
        "columnDelimiter": "COMMA"}
    address = f"{DATA}/jobs/query/{created.json()['id']}"
    early = client.get(f"{address}/results")
    assert early.status_code == 400, "results before JobComplete"
    endpoints.salesforce.jobs.find(created.json()["id"]).finished.wait()
    polled = [client.get(address).json() for _ in range(4)]
    assert [poll["state"] for poll in polled] == ["InProgress"] * 3 + ["JobComplete"]
    assert polled[-1]["jobType"] == "V2Query" and polled[-1]["numberRecordsProcessed"] == 3


def test_a_job_may_end_as_failed_once(endpoints: Endpoints, client: httpx.Client) -> None:
    endpoints.salesforce.habits.failing_jobs = {"Account"}
    name = job(client, "SELECT Id FROM Account").json()["id"]
    endpoints.salesforce.jobs.find(name).finished.wait()
    poll = client.get(f"{DATA}/jobs/query/{name}").json()
    assert poll["state"] == "Failed" and poll["errorMessage"]
    assert client.get(f"{DATA}/jobs/query/{name}/results").status_code == 400
    assert finished(client, "SELECT Id FROM Account")


def test_gotcha_2_and_3_a_header_on_each_page_and_the_text_null_at_the_end(client: httpx.Client) -> None:
    name = finished(client, ALL_DEALS)
    locator, ids, locators = None, [], []
    while locator != "null":
        parameters = {"maxRecords": "1000", **({"locator": locator} if locator else {})}
        page = client.get(f"{DATA}/jobs/query/{name}/results", params=parameters, headers={"Accept": "text/csv"})
        assert page.text.startswith('"Id","Amount"\n"006') and page.headers["Content-Type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(page.text)))
        assert int(page.headers["Sforce-NumberOfRecords"]) == len(rows)
        ids += [row["Id"] for row in rows]
        locator = page.headers["Sforce-Locator"]
        locators.append(locator)
    assert ids == [deal(number)["Id"] for number in range(1, DEALS + 1)] and len(locators) == 3
    again = client.get(f"{DATA}/jobs/query/{name}/results", params={"maxRecords": "1000", "locator": locators[0]})
    assert again.headers["Sforce-Locator"] == locators[1], "a page can be read again"
    assert client.get(f"{DATA}/jobs/query/{name}/results", params={"locator": "x"}).status_code == 400


def test_an_empty_result_has_its_header(client: httpx.Client) -> None:
    name = finished(client, "SELECT Id, Account.Name FROM Opportunity WHERE Name = 'none'")
    page = client.get(f"{DATA}/jobs/query/{name}/results")
    assert page.text == '"Id","Account.Name"\n'
    assert (page.headers["Sforce-Locator"], page.headers["Sforce-NumberOfRecords"]) == ("null", "0")


def test_gotcha_5_stamps_end_in_z_in_csv_and_in_plus_0000_in_json(client: httpx.Client) -> None:
    query = f"SELECT Name, Site, IsDeleted, SystemModstamp FROM Account WHERE Id = '{ACME}'"
    text = client.get(f"{DATA}/jobs/query/{finished(client, query)}/results").text
    row, = csv.DictReader(io.StringIO(text, newline=""))
    assert row == {"Name": 'Acme "Tools", Zürich\nHead office', "Site": "", "IsDeleted": "false",
                   "SystemModstamp": "2026-01-02T03:04:05.000Z"}
    record, = client.get(f"{DATA}/query", params={"q": query}).json()["records"]
    assert record["Site"] is None and record["SystemModstamp"] == "2026-01-02T03:04:05.000+0000"


def test_query_all_jobs_show_deleted_rows(client: httpx.Client) -> None:
    for operation, expected in (("query", False), ("queryAll", True)):
        name = finished(client, "SELECT Id FROM Account", operation)
        assert (MERGED in client.get(f"{DATA}/jobs/query/{name}/results").text) is expected


def test_results_are_read_with_the_jobs_version(client: httpx.Client) -> None:
    name = finished(client, "SELECT Id FROM Account")
    assert client.get(f"/services/data/v66.0/jobs/query/{name}/results").status_code == 409


def test_result_pages_can_be_read_in_parallel(endpoints: Endpoints, client: httpx.Client) -> None:
    name = finished(client, ALL_DEALS)
    listed = client.get(f"{DATA}/jobs/query/{name}/resultPages").json()
    assert listed["done"] is True and len(listed["resultPages"]) == 1
    assert client.get(listed["resultPages"][0]["resultUrl"]).headers["Sforce-NumberOfRecords"] == str(DEALS)


@pytest.mark.parametrize(("query", "code", "text"), [
    ("SELECT COUNT(Id) FROM Account", "API_ERROR", "Aggregate"),
    ("SELECT COUNT() FROM Account", "API_ERROR", "Aggregate"),
    ("SELECT Id FROM Account LIMIT 5 OFFSET 1", "API_ERROR", "OFFSET"),
    ("SELECT BillingAddress FROM Account", "API_ERROR", "Selecting compound data not supported in Bulk Query"),
    ("SELECT Id, (SELECT Id FROM OpportunityLineItems) FROM Opportunity", "API_ERROR", "Nested queries"),
    ("SELECT Id FROM OrderStatus", "INVALIDENTITY", "is not supported by the Bulk API"),
    ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column"),
    ("SELECT", "MALFORMED_QUERY", "unexpected token"),
])
def test_what_bulk_cannot_do_is_refused_at_once(client: httpx.Client, query: str, code: str, text: str) -> None:
    answer = job(client, query)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert text in answer.json()[0]["message"]


def test_jobs_are_aborted_deleted_and_listed(endpoints: Endpoints, client: httpx.Client) -> None:
    endpoints.salesforce.habits.job_polls = 1000
    name = job(client, ALL_DEALS).json()["id"]
    address = f"{DATA}/jobs/query/{name}"
    assert client.delete(address).status_code == 400, "it is not over"
    assert client.patch(address, json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert client.patch(address, json={"state": "Aborted"}).status_code == 400
    assert name in {listed["id"] for listed in client.get(f"{DATA}/jobs/query").json()["records"]}
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_other_delimiters_and_line_endings(client: httpx.Client) -> None:
    query = f"SELECT Id, Name FROM Account WHERE ParentId = '{ACME}'"
    created = job(client, query, columnDelimiter="PIPE", lineEnding="CRLF")
    name = created.json()["id"]
    while client.get(f"{DATA}/jobs/query/{name}").json()["state"] != "JobComplete":
        time.sleep(0.01)
    assert client.get(f"{DATA}/jobs/query/{name}/results").text.endswith('|"Globex"\r\n')
