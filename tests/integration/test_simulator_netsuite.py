"""The stand-in for NetSuite over HTTP: signatures, tokens, headers, paging, throttling; a test for each known trap."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
import requests
from requests_oauthlib import OAuth1Session

from simulator.credentials import credentials
from simulator.habits import Habits, NetSuiteAccount
from simulator.netsuite_api.auth import TOKEN_PATH, signature
from simulator.serve import Endpoints, start
from tests.simulated_company import DOCUMENTS, build, document, insert

SUITEQL = "/services/rest/query/v1/suiteql"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    account = NetSuiteAccount(account="1234567_SB1")
    with start(build(tmp_path_factory.mktemp("company")), habits=Habits.none(), netsuite=account) as endpoints:
        yield endpoints


@pytest.fixture(autouse=True)
def best_day(endpoints: Endpoints) -> Iterator[None]:
    yield
    vars(endpoints.netsuite.habits).update(vars(Habits.none()))


@pytest.fixture
def keys(endpoints: Endpoints) -> dict[str, str]:
    return endpoints.secrets["netsuite_global"]


def session_of(keys: dict[str, str], **changes: Any) -> OAuth1Session:
    given = {**keys, "realm": "1234567_SB1", "signature_method": "HMAC-SHA256", **changes}
    return OAuth1Session(given["consumer_key"], given["consumer_secret"], given["token_id"], given["token_secret"],
                         signature_method=given["signature_method"], realm=given["realm"])


@pytest.fixture
def session(keys: dict[str, str]) -> OAuth1Session:
    return session_of(keys)


def ask(
    endpoints: Endpoints, session: requests.Session, query: str, path: str = SUITEQL, **headers: str | None
) -> requests.Response:
    wanted = {"Prefer": "transient", **headers}
    return session.post(f"{endpoints.netsuite_url}{path}", json={"q": query}, headers=wanted)


def detail(answer: requests.Response) -> dict[str, Any]:
    body = answer.json()
    assert body["status"] == answer.status_code
    return body["o:errorDetails"][0]


# --- token-based authentication


def test_the_vendors_test_vector_of_a_signature() -> None:
    oauth = {"realm": "1234567_SB1", "oauth_consumer_key": "ck", "oauth_token": "tk", "oauth_nonce": "abc123nonce",
             "oauth_timestamp": "1735689600", "oauth_signature_method": "HMAC-SHA256", "oauth_version": "1.0"}
    url = f"https://1234567-sb1.suitetalk.api.netsuite.com{SUITEQL}"
    made = signature("POST", url, "limit=1000&offset=0", oauth, "cs", "ts")
    assert made == "1OKD4bs//ZLYe29oxtVXWZamo4Xl6ZXMY0E5Ea9SDrw="


def test_a_signed_request_is_answered(endpoints: Endpoints, session: OAuth1Session) -> None:
    answer = ask(endpoints, session, "SELECT id, tranid FROM transaction WHERE id = 9", f"{SUITEQL}?limit=5&offset=0")
    assert answer.status_code == 200
    assert answer.json()["items"] == [{"links": [], "id": "9", "tranid": "INV9"}]


@pytest.mark.parametrize(("changes", "error"), [
    ({"consumer_secret": "x"}, "signature_invalid"),
    ({"token_secret": "x"}, "signature_invalid"),
    ({"consumer_key": "x"}, "consumer_key_unknown"),
    ({"token_id": "x"}, "token_rejected"),
    ({"realm": "1234567-sb1"}, "token_rejected"),  # the host's form of the account
    ({"realm": "7654321"}, "token_rejected"),
    ({"realm": None}, "parameter_absent"),
    ({"signature_method": "HMAC-SHA1"}, "signature_method_rejected"),
])
def test_a_wrong_signature_is_refused(
    endpoints: Endpoints, keys: dict[str, str], changes: dict[str, Any], error: str
) -> None:
    answer = ask(endpoints, session_of(keys, **changes), "SELECT id FROM item")
    assert answer.status_code == 401
    assert detail(answer)["o:errorCode"] == "INVALID_LOGIN"
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('OAuth realm="1234567_SB1"') and f'error="{error}"' in challenge


def signed_header(endpoints: Endpoints, session: OAuth1Session) -> dict[str, str]:
    request = requests.Request("POST", f"{endpoints.netsuite_url}{SUITEQL}", json={"q": "SELECT id FROM item"})
    prepared = session.prepare_request(request)
    value = prepared.headers["Authorization"]
    return {"Authorization": value.decode() if isinstance(value, bytes) else value, "Prefer": "transient"}


def test_a_stored_header_cannot_be_used_twice(endpoints: Endpoints, session: OAuth1Session) -> None:
    headers = signed_header(endpoints, session)
    address = f"{endpoints.netsuite_url}{SUITEQL}"
    first, second = (httpx.post(address, json={"q": "SELECT id FROM item"}, headers=headers) for _ in range(2))
    assert first.status_code == 200
    assert second.status_code == 401 and 'error="nonce_used"' in second.headers["WWW-Authenticate"]


def test_the_query_string_is_signed_and_the_body_is_not(endpoints: Endpoints, session: OAuth1Session) -> None:
    headers = signed_header(endpoints, session)
    body = {"q": "SELECT id FROM currency"}
    moved = httpx.post(f"{endpoints.netsuite_url}{SUITEQL}?limit=5", json=body, headers=headers)
    assert moved.status_code == 401 and 'error="signature_invalid"' in moved.headers["WWW-Authenticate"]
    assert httpx.post(f"{endpoints.netsuite_url}{SUITEQL}", json=body, headers=headers).status_code == 200


def test_a_timestamp_out_of_range_is_refused(
    endpoints: Endpoints, session: OAuth1Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oauthlib.oauth1.rfc5849.generate_timestamp", lambda: str(int(time.time()) - 900))
    answer = ask(endpoints, session, "SELECT id FROM item")
    assert answer.status_code == 401 and 'error="timestamp_refused"' in answer.headers["WWW-Authenticate"]


def test_without_credentials(endpoints: Endpoints) -> None:
    answer = httpx.post(f"{endpoints.netsuite_url}{SUITEQL}", json={"q": "SELECT id FROM item"})
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("OAuth realm=")


# --- OAuth 2.0, machine to machine


def token_request(endpoints: Endpoints, **changes: Any) -> httpx.Response:
    keys = credentials(endpoints.folder)["netsuite"]
    now = int(time.time())
    given = {"iss": keys["consumer_key"], "scope": ["rest_webservices"], "iat": now, "exp": now + 3600,
             "aud": f"{endpoints.netsuite_url}{TOKEN_PATH}", "alg": "PS256", "kid": keys["certificate_id"],
             "key": keys["private_key"], "grant_type": "client_credentials", "type": ASSERTION, **changes}
    key = keys["ec_private_key"] if given["alg"].startswith("ES") else given["key"]
    kid = keys["ec_certificate_id"] if given["alg"].startswith("ES") else given["kid"]
    claims = {name: given[name] for name in ("iss", "scope", "iat", "exp", "aud") if given[name] is not None}
    token = jwt.encode(claims, key, given["alg"], headers={"kid": kid})
    form = {"grant_type": given["grant_type"], "client_assertion_type": given["type"], "client_assertion": token}
    return httpx.post(f"{endpoints.netsuite_url}{TOKEN_PATH}", data=form)


@pytest.mark.parametrize("changes", [
    {}, {"alg": "PS384"}, {"alg": "ES256"}, {"scope": "restlets,rest_webservices"},
    {"aud": f"https://1234567-sb1.suitetalk.api.netsuite.com{TOKEN_PATH}"},
])
def test_a_certificate_buys_a_token(endpoints: Endpoints, changes: dict[str, Any]) -> None:
    granted = token_request(endpoints, **changes)
    assert granted.status_code == 200
    assert set(granted.json()) == {"access_token", "expires_in", "token_type"}, "no refresh token"
    assert granted.json()["expires_in"] == "3600" and granted.json()["token_type"] == "bearer"
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {granted.json()['access_token']}"
    assert ask(endpoints, session, "SELECT id FROM currency").json()["count"] == 2


@pytest.mark.parametrize(("changes", "error"), [
    ({"alg": "RS256"}, "invalid_client"),
    ({"kid": "another"}, "invalid_client"),
    ({"iss": "another"}, "invalid_client"),
    ({"aud": "https://example.com/token"}, "invalid_grant"),
    ({"exp": timedelta(hours=2)}, "invalid_grant"),
    ({"iat": -timedelta(hours=2), "exp": -timedelta(minutes=62)}, "invalid_grant"),
    ({"exp": None}, "invalid_grant"),
    ({"scope": ["restlets"]}, "invalid_scope"),
    ({"grant_type": "password"}, "invalid_request"),
    ({"type": "x"}, "invalid_request"),
])
def test_an_assertion_is_verified(endpoints: Endpoints, changes: dict[str, Any], error: str) -> None:
    # From now: from when tests were collected an hour may have passed.
    changes = {name: int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value
               for name, value in changes.items()}  # fmt: skip
    answer = token_request(endpoints, **changes)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_a_token_ends(endpoints: Endpoints) -> None:
    endpoints.netsuite.habits.netsuite_token_seconds = 0
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token_request(endpoints).json()['access_token']}"
    answer = ask(endpoints, session, "SELECT id FROM currency")
    assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


# --- requests


def test_prefer_transient_is_required(endpoints: Endpoints, session: OAuth1Session) -> None:
    for value in (None, "respond-async"):
        answer = ask(endpoints, session, "SELECT id FROM item", Prefer=value)
        assert answer.status_code == 400 and detail(answer)["o:errorHeader"] == "Prefer"


@pytest.mark.parametrize(("parameters", "text"), [
    ("limit=1001", "limit"), ("limit=0", "limit"), ("limit=ten", "limit"), ("limit=1000&offset=500", "not divisible"),
    ("limit=1000&offset=-1000", "offset"), ("limit=1000&offset=100000", "at most 100000"),
])
def test_limit_and_offset_are_checked(endpoints: Endpoints, session: OAuth1Session, parameters: str, text: str) -> None:
    answer = ask(endpoints, session, "SELECT id FROM transaction ORDER BY id", f"{SUITEQL}?{parameters}")
    assert answer.status_code == 400
    assert detail(answer)["o:errorCode"] == "INVALID_PARAMETER" and text in detail(answer)["detail"]


def test_unknown_names_are_refused_in_the_vendors_words(endpoints: Endpoints, session: OAuth1Session) -> None:
    answer = ask(endpoints, session, "SELECT foo FROM transaction")
    assert answer.status_code == 400 and detail(answer) == {
        "detail": "Invalid search query. Detailed unprocessed description follows. Search error occurred: "
                  "Field 'foo' for record 'transaction' was not found.",
        "o:errorQueryParam": "q", "o:errorCode": "INVALID_PARAMETER"}


def test_other_requests(endpoints: Endpoints, session: OAuth1Session) -> None:
    base = endpoints.netsuite_url
    assert session.get(f"{base}{SUITEQL}").status_code == 405
    text = {"Prefer": "transient", "Content-Type": "text/plain"}
    assert session.post(f"{base}{SUITEQL}", data="q=1", headers=text).status_code == 415
    assert ask(endpoints, session, " ").status_code == 400
    assert session.get(f"{base}/services/rest/nothing").status_code == 404
    for method in ("POST", "PATCH", "DELETE"):
        written = session.request(method, f"{base}/services/rest/record/v1/customer/7", json={"companyname": "x"})
        assert written.status_code == 403 and detail(written)["o:errorCode"] == "INSUFFICIENT_PERMISSION"
    catalogued = session.get(f"{base}/services/rest/record/v1/metadata-catalog/transaction")
    assert catalogued.json()["properties"]["posting"] == {"type": "boolean"}
    assert session.get(f"{base}/services/rest/record/v1/metadata-catalog/foo").status_code == 404


def test_the_date_header_is_the_simulated_clock(endpoints: Endpoints, session: OAuth1Session) -> None:
    assert ask(endpoints, session, "SELECT id FROM currency").headers["Date"] == "Tue, 30 Jun 2026 12:00:00 GMT"


# --- pages


def test_the_shape_of_a_page(endpoints: Endpoints, session: OAuth1Session) -> None:
    query, address = "SELECT id FROM transaction ORDER BY id", f"{endpoints.netsuite_url}{SUITEQL}"
    page = ask(endpoints, session, query, f"{SUITEQL}?limit=1000&offset=1000").json()
    assert {"rel": "next", "href": f"{address}?limit=1000&offset=2000"} in page["links"]
    assert {link["rel"] for link in page["links"]} == {"previous", "first", "next", "last", "self"}
    assert (page["count"], page["hasMore"], page["offset"], page["totalResults"]) == (1000, True, 1000, DOCUMENTS)
    assert page["items"][0] == {"links": [], "id": "1001"}
    last = ask(endpoints, session, query, f"{SUITEQL}?limit=1000&offset=2000").json()
    assert (last["count"], last["hasMore"]) == (500, False)
    beyond = ask(endpoints, session, query, f"{SUITEQL}?limit=1000&offset=3000").json()
    assert (beyond["count"], beyond["items"], beyond["totalResults"]) == (0, [], DOCUMENTS)


def test_paging_stops_at_one_hundred_thousand(endpoints: Endpoints, session: OAuth1Session) -> None:
    database = sqlite3.connect(endpoints.folder / "sim.db")
    with database:
        database.executemany(
            "INSERT INTO netsuite__currencyrate (id, basecurrency, transactioncurrency, effectivedate, exchangerate)"
            " VALUES (?, 1, 2, '2026-01-01', '1.1')", ((number,) for number in range(1, 100_501)))
    query = "SELECT id FROM currencyrate ORDER BY id"
    last = ask(endpoints, session, query, f"{SUITEQL}?limit=1000&offset=99000").json()
    by_key = ask(endpoints, session, "SELECT id FROM currencyrate WHERE id > 100000 ORDER BY id").json()
    with database:
        database.execute("DELETE FROM netsuite__currencyrate")
    database.close()
    assert (last["count"], last["hasMore"], last["totalResults"]) == (1000, False, 100_000)
    assert (by_key["count"], by_key["items"][-1]["id"]) == (500, "100500"), "paging by key goes past the cap"


def test_rows_that_change_during_paging_are_lost_by_offset_and_found_by_key(
    endpoints: Endpoints, session: OAuth1Session
) -> None:
    by_offset = "SELECT id FROM transaction ORDER BY id"
    first = ask(endpoints, session, by_offset).json()["items"]
    database = sqlite3.connect(endpoints.folder / "sim.db", isolation_level=None)
    database.execute("DELETE FROM netsuite__transaction WHERE id = 500")
    second = ask(endpoints, session, by_offset, f"{SUITEQL}?limit=1000&offset=1000").json()["items"]
    keyed = ask(endpoints, session, "SELECT id FROM transaction WHERE id > 1000 ORDER BY id").json()["items"]
    insert(database, "netsuite__transaction", document(500))
    database.close()
    assert first[-1]["id"] == "1000"
    assert second[0]["id"] == "1002", "1001 is lost between the pages"
    assert keyed[0]["id"] == "1001"


def test_a_deleted_line_is_listed_nowhere(endpoints: Endpoints, session: OAuth1Session) -> None:
    lines = "SELECT uniquekey FROM transactionline WHERE transaction IN (1) ORDER BY uniquekey"
    before = ask(endpoints, session, lines).json()["count"]
    database = sqlite3.connect(endpoints.folder / "sim.db", isolation_level=None)
    kept = database.execute("SELECT * FROM netsuite__transactionline WHERE uniquekey = 12").fetchone()
    database.execute("DELETE FROM netsuite__transactionline WHERE uniquekey = 12")
    after = ask(endpoints, session, lines).json()["count"]
    listed = ask(endpoints, session, "SELECT recordid FROM deletedrecord").json()["count"]
    database.execute(f"INSERT INTO netsuite__transactionline VALUES ({', '.join('?' * len(kept))})", kept)
    database.close()
    assert (before, after, listed) == (3, 2, 0)


# --- throttling


def test_an_occasional_429_without_retry_after(endpoints: Endpoints, session: OAuth1Session) -> None:
    endpoints.netsuite.habits.throttled_every = 3
    answers = [ask(endpoints, session, "SELECT id FROM currency") for _ in range(6)]
    throttled = [answer for answer in answers if answer.status_code == 429]
    assert len(throttled) == 2 and "Retry-After" not in throttled[0].headers
    assert throttled[0].json() == {
        "type": "https://www.rfc-editor.org/rfc/rfc9110.html#section-15.5", "title": "Too Many Requests", "status": 429,
        "o:errorDetails": [{"detail": "Concurrent request limit exceeded. Request blocked.",
                            "o:errorCode": "CONCURRENCY_LIMIT_EXCEEDED"}]}


def test_too_many_at_once_are_blocked(endpoints: Endpoints, keys: dict[str, str]) -> None:
    endpoints.netsuite.habits.concurrency = 2
    slow = "SELECT COUNT(*) FROM transaction a, transaction b WHERE a.tranid || b.tranid = 'x'"
    with ThreadPoolExecutor(6) as pool:
        states = list(pool.map(lambda _: ask(endpoints, session_of(keys), slow).status_code, range(6)))
    assert states.count(200) >= 2 and states.count(429) >= 1 and set(states) == {200, 429}
    assert ask(endpoints, session_of(keys), "SELECT id FROM currency").status_code == 200, "the pool is free again"
