"""Salesforce's habits, one test each, written from its documentation and from recorded traffic."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta, timezone

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.unit.extract_org import HOME, TOKEN, WINDOW, V, describe, ids, opened, order_org, org, page, stream
from tests.unit.extract_stub import NOW, Wire, answer, form, rsa_key, salesforce, sf_error
from tieout.errors import AuthError, ConfigError, RateLimitError, SchemaError, SourceError, UnsafeLinkError
from tieout.extract import Window
from tieout.extract.http import Refused
from tieout.extract.soql import audience
from tieout.extract.soql_select import literal
from tieout.spec import Connection

# --- authentication ---------------------------------------------------------------------------------------------------


def test_jwt_bearer_claims_are_what_the_vendor_asks_for():
    wire = org()
    opened(wire).now()
    sent = form(wire.requests[0])
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert str(wire.requests[0].url) == "https://login.salesforce.com/services/oauth2/token"
    assert wire.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"
    public = RSAKey.import_key(rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    token = jwt.decode(sent["assertion"], public, algorithms=["RS256"])
    assert token.header["alg"] == "RS256"
    assert {name: token.claims[name] for name in ("iss", "sub", "aud")} == {
        "iss": "the-consumer-key", "sub": "tieout@acme.com", "aud": "https://login.salesforce.com",
    }
    assert 0 < token.claims["exp"] - NOW.timestamp() <= 180


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://community.acme.com", "https://community.acme.com"),
    ],
)
def test_audience_is_the_login_host(login, expected):
    assert audience(login) == expected


def test_client_credentials_are_sent_to_my_domain():
    wire = org()
    opened(wire, salesforce("client_credentials", login_url=HOME)).now()
    assert form(wire.requests[0]) == {
        "grant_type": "client_credentials", "client_id": "the-consumer-key", "client_secret": "the-consumer-secret",
    }


@pytest.mark.parametrize("host", ["login", "test"])
def test_client_credentials_are_not_served_by_the_shared_login_hosts(host):
    with pytest.raises(ConfigError, match="My Domain"):
        opened(org(), salesforce("client_credentials", login_url=f"https://{host}.salesforce.com"))


def test_a_refused_token_request_is_an_object_and_is_not_tried_again():
    error = {"error": "invalid_grant", "error_description": "user hasn't approved this consumer"}
    wire = Wire().on("POST", "/services/oauth2/token", answer(error, 400))
    with pytest.raises(AuthError, match="invalid_grant: user hasn't approved.*\n.*pre-authorise"):
        opened(wire).now()
    assert len(wire.requests) == 1


@pytest.mark.parametrize(("hour", "skew"), [(11, -3600), (13, 3600)])
def test_an_assertion_takes_the_vendors_time_once_ours_is_refused(hour, skew):
    date = f"Sun, 01 Mar 2026 {hour}:00:00 GMT"
    refused = answer({"error": "invalid_grant", "error_description": "invalid assertion"}, 400, date=date)
    wire = Wire().on("POST", "/services/oauth2/token", refused, answer(TOKEN, date=date))
    subject = opened(wire)
    subject.now()
    first, second = (_claims(form(request)["assertion"]) for request in wire.requests)
    assert second["exp"] - first["exp"] == skew == subject.facts.notes["clock_skew_seconds"]


def _claims(token: str) -> dict:
    middle = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


@pytest.mark.parametrize("code", ["SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION"])
def test_trouble_that_passes_is_waited_for_whatever_the_status_says(code):
    wire, wanted = order_org(sf_error(200, code), page("Order", ["801a"], 1))
    assert ids(list(opened(wire).pages(wanted, WINDOW))) == ["801a"]


def test_the_token_endpoint_may_be_down_for_a_moment_and_gets_a_new_assertion():
    wire = Wire().on("POST", "/services/oauth2/token", httpx.Response(503), answer(TOKEN))
    opened(wire).now()
    assert len(wire.requests) == 2


def test_everything_after_login_goes_to_the_instance():
    account = stream("Account")
    wire = org().on("GET", f"{V}/sobjects/Account/describe", describe(account))
    wire.on("GET", f"{V}/queryAll", page("Account", ["001"], 1))
    list(opened(wire).pages(account, WINDOW))
    assert [r.url.host for r in wire.requests] == ["login.salesforce.com"] + ["acme.my.salesforce.com"] * 2
    assert wire.requests[1].headers["authorization"] == "Bearer 00D!AR.secret-one"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.net", "http://acme.my.salesforce.com", "https://salesforce.com.evil.net",
        "https://evilsalesforce.com", "http://127.0.0.1:8080", "https://acme.my.salesforce.com@evil.net",
        "https://[", "not an address", "",
    ],
)
def test_the_token_answer_may_not_name_an_arbitrary_instance(address):
    wire = org(token={**TOKEN, "instance_url": address})
    with pytest.raises(UnsafeLinkError, match="crm_eu"):
        opened(wire).test()
    assert len(wire.requests) == 1


def test_other_instance_hosts_are_allowed_by_configuration():
    wire = org(token={**TOKEN, "instance_url": "https://crm.acme.gov"}).on("GET", f"{V}/limits", answer({}))
    connection = salesforce(instance_hosts=["crm.acme.gov"])
    assert opened(wire, connection).test() == "Salesforce at https://crm.acme.gov"


def test_the_login_host_may_be_the_instance_itself():
    """A simulator, or an Experience site."""
    wire = org(token={**TOKEN, "instance_url": "http://127.0.0.1:8899"}).on("GET", f"{V}/limits", answer({}))
    opened(wire, salesforce(login_url="http://127.0.0.1:8899/")).test()


def test_session_expiry_in_mid_paging_is_renewed_once_and_the_page_replayed():
    account = stream("Account")
    second = {**TOKEN, "access_token": "00D!AR.secret-two"}
    wire = Wire().on("POST", "/services/oauth2/token", answer(TOKEN), answer(second))
    wire.on("GET", f"{V}/sobjects/Account/describe", describe(account))
    wire.on("GET", f"{V}/queryAll", page("Account", ["001"], 2, f"{V}/query/01gAA-1"))
    expired = sf_error(401, "INVALID_SESSION_ID", "Session expired or invalid")
    wire.on("GET", f"{V}/query/01gAA-1", expired, page("Account", ["002"], 2))
    subject = opened(wire)
    assert ids(list(subject.pages(account, WINDOW))) == ["001", "002"]
    assert wire.requests[-1].headers["authorization"] == "Bearer 00D!AR.secret-two"
    assert subject.facts.token_refreshes == 1
    assert wire.left == []


def test_a_second_expiry_of_the_same_request_stops():
    expired = sf_error(401, "INVALID_SESSION_ID", "Session expired or invalid")
    wire = org().on("GET", f"{V}/limits", expired, always=True)
    with pytest.raises(AuthError, match="INVALID_SESSION_ID"):
        opened(wire).test()
    assert len(wire.asked("POST", "/services/oauth2/token")) == 2
    assert len(wire.asked("GET", f"{V}/limits")) == 2


@pytest.mark.parametrize(
    "reply",
    [
        sf_error(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
        sf_error(401, "INVALID_SESSION_ID", "Access denied by the connected app policy"),
        httpx.Response(401, text="Bad_OAuth_Token"),
        httpx.Response(401),
    ],
)
def test_a_401_that_is_no_expiry_is_not_answered_with_another_login(reply):
    wire = org().on("GET", f"{V}/limits", reply)
    with pytest.raises(AuthError):
        opened(wire).test()
    assert len(wire.asked("POST", "/services/oauth2/token")) == 1


# --- what is asked for ------------------------------------------------------------------------------------------------


def statement(name: str, window: Window, **described: tuple[str, ...]) -> tuple[str, str]:
    wanted = stream(name)
    wire = org().on("GET", f"{V}/sobjects/{name}/describe", describe(wanted, **described))
    wire.on("GET", f"{V}/query(All)?", page(name, [], 0))
    list(opened(wire).pages(wanted, window))
    request = wire.requests[-1]
    return request.url.path.removeprefix(f"{V}/"), request.url.params["q"]


def test_an_incremental_window_is_half_open_on_systemmodstamp_and_ordered():
    call, soql = statement("Order", WINDOW)
    assert call == "queryAll"
    assert soql.startswith("SELECT Id, OrderNumber, AccountId, ")
    assert soql.endswith(
        " FROM Order WHERE SystemModstamp >= 2026-01-31T22:04:05Z AND SystemModstamp < 2026-02-01T00:00:00Z"
        " ORDER BY SystemModstamp, Id"
    )


def test_from_the_beginning_has_no_lower_bound():
    _, soql = statement("Order", Window(None, WINDOW.end))
    assert " WHERE SystemModstamp < 2026-02-01T00:00:00Z ORDER BY" in soql


def test_a_full_read_of_an_incremental_object_has_no_bounds():
    call, soql = statement("Order", Window(None, WINDOW.end, full=True))
    assert " WHERE " not in soql
    assert call == "queryAll"


def test_objects_without_isdeleted_are_read_whole_and_without_deleted_rows():
    call, soql = statement("User", Window(None, WINDOW.end))
    assert call == "query"
    assert soql.endswith(" FROM User ORDER BY Id")


def test_a_bound_between_seconds_is_widened_not_cut():
    odd = Window(datetime(2026, 1, 1, 0, 0, 0, 900000, UTC), datetime(2026, 1, 2, 0, 0, 0, 100000, UTC))
    _, soql = statement("Order", odd)
    assert "SystemModstamp >= 2026-01-01T00:00:00Z AND SystemModstamp < 2026-01-02T00:00:01Z" in soql


def test_literals_are_written_as_soql_writes_them():
    cairo = timezone(timedelta(hours=2))
    assert literal(datetime(2026, 1, 1, 1, 0, tzinfo=cairo)) == "2025-12-31T23:00:00Z"
    assert literal(date(2026, 1, 1)) == "2026-01-01"
    assert literal("O'Neil \\ Sons\n") == r"'O\'Neil \\ Sons\n'"
    assert (literal(True), literal(3)) == ("true", "3")


def test_currencyisocode_is_not_selected_where_there_is_one_currency():
    wanted = stream("Opportunity")
    wire = org().on("GET", f"{V}/sobjects/Opportunity/describe", describe(wanted, without=("CurrencyIsoCode",)))
    wire.on("GET", f"{V}/queryAll", page("Opportunity", [], 0))
    subject = opened(wire)
    list(subject.pages(wanted, WINDOW))
    assert "CurrencyIsoCode" not in wire.requests[-1].url.params["q"]
    assert subject.facts.notes["absent_fields"] == {"Opportunity": ["CurrencyIsoCode"]}


def test_a_field_hidden_by_field_level_security_is_a_schema_error_that_names_it():
    wanted = stream("Opportunity")
    wire = org().on("GET", f"{V}/sobjects/Opportunity/describe", describe(wanted, without=("Amount",)))
    with pytest.raises(SchemaError, match="connection crm_eu: object Opportunity has no field Amount"):
        list(opened(wire).pages(wanted, WINDOW))


def test_a_field_spelled_otherwise_would_land_as_nothing_and_is_an_error():
    wanted = stream("Account")
    wire = org().on(
        "GET", f"{V}/sobjects/Account/describe", describe(wanted, without=("Tax_ID__c",), plus=("TAX_Id__c",))
    )
    with pytest.raises(SchemaError, match="spells Tax_ID__c as TAX_Id__c\n.*fields.Account.tax_id: TAX_Id__c"):
        list(opened(wire).pages(wanted, WINDOW))


def test_a_field_that_a_connection_leaves_out_is_not_selected():
    connection = Connection(
        name="crm_eu", system="salesforce", auth="jwt_bearer", time_zone="UTC",
        options={"login_url": HOME}, fields={"Account": {"tax_id": None, "erp_customer_id": "SAP_No__c"}},
    )
    wanted = stream("Account", connection)
    wire = org().on("GET", f"{V}/sobjects/Account/describe", describe(stream("Account"), plus=("SAP_No__c",)))
    wire.on("GET", f"{V}/queryAll", page("Account", [], 0))
    list(opened(wire, connection).pages(wanted, WINDOW))
    soql = wire.requests[-1].url.params["q"]
    assert "SAP_No__c" in soql
    assert "Tax_ID__c" not in soql
    assert "ERP_Customer_ID__c" not in soql


def test_fields_nobody_declared_are_reported():
    wanted = stream("Order")
    wire = org().on("GET", f"{V}/sobjects/Order/describe", describe(wanted, plus=("Margin__c",)))
    wire.on("GET", f"{V}/queryAll", page("Order", [], 0))
    subject = opened(wire)
    list(subject.pages(wanted, WINDOW))
    assert subject.facts.notes["undeclared_fields"] == {"Order": ["Margin__c"]}


@pytest.mark.parametrize(
    "reply", [sf_error(404, "NOT_FOUND", "The requested resource does not exist"), sf_error(400, "INVALID_TYPE")]
)
def test_currencies_are_not_available_without_multicurrency(reply):
    wire = org().on("GET", f"{V}/sobjects/CurrencyType/describe", reply)
    assert opened(wire).available(stream("CurrencyType")) is False


def test_a_proxys_404_does_not_switch_a_feature_off():
    """The currencies would be left out without a word."""
    wire = org().on("GET", f"{V}/sobjects/CurrencyType/describe", httpx.Response(404, html="<html>no such page</html>"))
    with pytest.raises(SourceError, match="crm_eu, CurrencyType.*404"):
        opened(wire).available(stream("CurrencyType"))


def test_currencies_are_available_with_multicurrency():
    wire = org().on("GET", f"{V}/sobjects/CurrencyType/describe", describe(stream("CurrencyType")))
    assert opened(wire).available(stream("CurrencyType")) is True


def test_an_object_that_is_no_feature_must_be_served():
    wire = org().on("GET", f"{V}/sobjects/Order/describe", sf_error(404, "NOT_FOUND"))
    subject = opened(wire)
    assert subject.available(stream("Order")) is True
    with pytest.raises(SchemaError, match="object Order is not served"):
        list(subject.pages(stream("Order"), WINDOW))


# --- paging -----------------------------------------------------------------------------------------------------------


def test_next_records_url_is_followed_verbatim_and_total_size_is_the_whole_result():
    wire, wanted = order_org(page("Order", ["801a", "801b"], 5, f"{V}/query/01gRO0000016PIAYA2-2"))
    wire.on("GET", f"{V}/query/01gRO0000016PIAYA2-2", page("Order", ["801c"], 5, f"{V}/query/01gRO0000016PIAYA2-3"))
    wire.on("GET", f"{V}/query/01gRO0000016PIAYA2-3", page("Order", ["801d", "801e"], 5))
    pages = list(opened(wire).pages(wanted, WINDOW))
    assert ids(pages) == ["801a", "801b", "801c", "801d", "801e"]
    shapes = {(p.media, p.records, p.noise, p.omits_nulls) for p in pages}
    assert shapes == {("json", "records", ("attributes",), False)}
    assert wire.requests[-1].url.query == b""
    assert wire.asked("GET", f"{V}/queryAll")[0].headers["sforce-query-options"] == "batchSize=2000"


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example.net/query/01g-2", "//evil.example.net/query/01g-2", "http://acme.my.salesforce.com/q",
        "https://acme.my.salesforce.com:444/q", "https://acme.my.salesforce.com@evil.example.net/q",
    ],
)
def test_a_next_link_to_another_host_is_refused(link):
    wire, wanted = order_org(page("Order", ["801a"], 2, link))
    pages = opened(wire).pages(wanted, WINDOW)
    next(pages)
    asked = len(wire.requests)
    with pytest.raises(UnsafeLinkError, match="connection crm_eu, Order"):
        next(pages)
    assert len(wire.requests) == asked


def test_a_locator_that_comes_back_is_a_loop():
    link = f"{V}/query/01gRO-1"
    wire, wanted = order_org(page("Order", ["801a"], 9, link))
    wire.on("GET", link, page("Order", ["801b"], 9, link))
    with pytest.raises(SourceError, match="same place"):
        list(opened(wire).pages(wanted, WINDOW))


def test_a_page_that_comes_twice_is_a_loop():
    again = {"totalSize": 9, "done": False, "records": [{"Id": "801b"}]}
    wire, wanted = order_org(page("Order", ["801a"], 9, f"{V}/query/01g-1"))
    wire.on("GET", f"{V}/query/01g-1", answer({**again, "nextRecordsUrl": f"{V}/query/01g-2"}))
    wire.on("GET", f"{V}/query/01g-2", answer({**again, "nextRecordsUrl": f"{V}/query/01g-2"}))
    with pytest.raises(SourceError, match="same page came twice"):
        list(opened(wire).pages(wanted, WINDOW))


@pytest.mark.parametrize("status", [400, 404])
def test_a_lost_cursor_starts_the_window_again(status):
    wire, wanted = order_org(
        page("Order", ["801a"], 2, f"{V}/query/01gAA-1"), page("Order", ["801a"], 2, f"{V}/query/01gBB-1")
    )
    wire.on("GET", f"{V}/query/01gAA-1", sf_error(status, "INVALID_QUERY_LOCATOR", "invalid query locator"))
    wire.on("GET", f"{V}/query/01gBB-1", page("Order", ["801b"], 2))
    subject = opened(wire)
    assert ids(list(subject.pages(wanted, WINDOW))) == ["801a", "801a", "801b"]
    assert subject.facts.notes["restarts"] == {"Order": 1}


def test_a_cursor_that_is_always_lost_ends_as_an_error():
    wire, wanted = order_org(*[page("Order", ["801a"], 2, f"{V}/query/01g-1")] * 4)
    wire.on("GET", f"{V}/query/01g-1", sf_error(400, "INVALID_QUERY_LOCATOR"), always=True)
    with pytest.raises(SourceError, match="crm_eu, stream Order: the cursor expired"):
        list(opened(wire).pages(wanted, WINDOW))
    assert wire.left == []


def test_fewer_rows_than_announced_are_never_taken_for_all():
    wire, wanted = order_org(*[page("Order", ["801a"], 2)] * 4)
    with pytest.raises(SourceError, match="1 of 2 rows came"):
        list(opened(wire).pages(wanted, WINDOW))


def test_a_page_without_done_and_without_a_link_is_damaged():
    wire, wanted = order_org(answer({"totalSize": 2, "done": False, "records": []}), page("Order", ["801a"], 1))
    assert ids(list(opened(wire).pages(wanted, WINDOW))) == ["801a"]


def test_more_rows_than_announced_start_the_window_again():
    wire, wanted = order_org(page("Order", ["801a", "801b"], 1, f"{V}/query/01g-1"), page("Order", ["801a"], 1))
    subject = opened(wire)
    list(subject.pages(wanted, WINDOW))
    assert wire.asked("GET", f"{V}/query/01g-1") == []
    assert subject.facts.notes["restarts"] == {"Order": 1}


def test_a_page_of_another_object_is_not_taken_for_ours():
    wire, wanted = order_org(page("Account", ["001a"], 1), page("Order", ["801a"], 1))
    assert ids(list(opened(wire).pages(wanted, WINDOW))) == ["801a"]
    assert wire.left == []


def test_pages_without_rows_do_not_go_on_without_end():
    wire, wanted = order_org(page("Order", [], 1, f"{V}/query/01g-0"))
    for number in range(102):
        wire.on("GET", f"{V}/query/01g-{number}", page("Order", [], 1, f"{V}/query/01g-{number + 1}"))
    with pytest.raises(SourceError, match="101 pages without a row"):
        list(opened(wire).pages(wanted, WINDOW))


# --- errors -----------------------------------------------------------------------------------------------------------


def test_a_200_with_an_error_array_is_an_error():
    wire, wanted = order_org(answer([{"message": "unexpected token", "errorCode": "MALFORMED_QUERY"}], 200))
    with pytest.raises(Refused, match="MALFORMED_QUERY: unexpected token"):
        list(opened(wire).pages(wanted, WINDOW))


@pytest.mark.parametrize("status", [406, 420, 429, 500, 502, 503, 504])
def test_passing_troubles_are_tried_again(status):
    reply = httpx.Response(status, html="<html><title>Down</title></html>")
    wire = org().on("GET", f"{V}/limits", reply, sf_error(status, "SERVER_UNAVAILABLE"), answer({}))
    subject = opened(wire)
    subject.test()
    assert subject.facts.retries == 2


def test_a_used_up_day_stops_at_once():
    wire = org().on("GET", f"{V}/limits", sf_error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
    with pytest.raises(RateLimitError, match="some hours"):
        opened(wire).test()
    assert len(wire.asked("GET", f"{V}/limits")) == 1


@pytest.mark.parametrize("message", ["ConcurrentPerOrgLongTxn Limit exceeded", "ConcurrentRequests Limit exceeded"])
def test_too_many_at_once_passes(message):
    wire = org().on("GET", f"{V}/limits", sf_error(403, "REQUEST_LIMIT_EXCEEDED", message), answer({}))
    opened(wire).test()


@pytest.mark.parametrize("code", ["INSUFFICIENT_ACCESS", "API_DISABLED_FOR_ORG", "FUNCTIONALITY_NOT_ENABLED"])
def test_missing_permissions_are_final(code):
    wire = org().on("GET", f"{V}/limits", sf_error(403, code))
    with pytest.raises(SourceError, match=code):
        opened(wire).test()


def test_a_field_that_went_away_after_describe_is_a_schema_error():
    wire, wanted = order_org(sf_error(400, "INVALID_FIELD", "No such column 'PoNumber' on entity 'Order'."))
    with pytest.raises(SchemaError, match="No such column 'PoNumber'"):
        list(opened(wire).pages(wanted, WINDOW))


def test_the_share_of_daily_requests_is_watched():
    """At 80 % the answer in hand is still good; the next request is not made."""
    wire, wanted = order_org(page("Order", ["801a"], 2, f"{V}/query/01g-1"))
    wire.on("GET", f"{V}/queryAll", answer(
        {"totalSize": 2, "done": False, "nextRecordsUrl": f"{V}/query/01g-1", "records": [{"Id": "801a"}]},
        sforce_limit_info="api-usage=4000/5000; per-app-api-usage=17/250(appName=tieout)",
    ))
    subject = opened(wire)
    pages = subject.pages(wanted, WINDOW)
    next(pages)
    with pytest.raises(RateLimitError, match="4,000 of 5,000 API requests .* 80 % is the limit"):
        next(pages)
    assert wire.asked("GET", f"{V}/query/01g-1") == []
    assert subject.facts.notes["api_usage"] == "4000/5000"


def test_below_the_share_nothing_happens():
    wire = org().on("GET", f"{V}/limits", answer({}, sforce_limit_info="api-usage=3999/5000"), always=True)
    subject = opened(wire)
    subject.test()
    subject.test()


def test_the_clock_is_the_vendors():
    token = answer(TOKEN, date="Sun, 01 Mar 2026 08:00:00 GMT")
    wire = Wire().on("POST", "/services/oauth2/token", token)
    assert opened(wire).now() == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_limits_make_the_doctors_line():
    daily = {"Max": 100000, "Remaining": 99876}
    wire = org().on("GET", f"{V}/limits", answer({"DailyApiRequests": daily, "DailyBulkV2QueryJobs": daily}))
    assert opened(wire).test() == f"Salesforce at {HOME}, 124 of 100,000 API requests used today"
