"""QuickBooks Online: one test for each way in which its interface can mislead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.unit.extract_stub import NOW, Sleeps, Wire, answer
from tieout.errors import AuthError, ConfigError, RateLimitError, SourceError
from tieout.extract import Window
from tieout.extract.qbo import QboExtractor
from tieout.extract.rotating import Grant
from tieout.spec import Connection, Stream

BASE = "/v3/company/9130357766900456"
QUERY, CDC = f"{BASE}/query", f"{BASE}/cdc"
PREFERENCES = {"CurrencyPrefs": {"MultiCurrencyEnabled": True, "HomeCurrency": {"value": "USD"}}}
ALL = Window(None, NOW, full=True)


class Held:
    """Tokens that are there already."""

    def __init__(self) -> None:
        self.current = Grant("rt", "at", NOW.timestamp() + 3000)

    @contextmanager
    def locked(self) -> Iterator[Held]:
        yield self

    def save(self, grant: Grant) -> None:
        self.current = grant


def quickbooks(**options: object) -> Connection:
    return Connection(name="books", system="quickbooks", auth="refresh_token", time_zone="America/Los_Angeles",
                      start_date="2026-02-01", options={"realm_id": "9130357766900456", **options})


def opened(wire: Wire, sleep: Any = None, **options: object) -> QboExtractor:
    secrets = {"client_id": "id", "client_secret": "secret", "refresh_token": "rt"}
    return QboExtractor(quickbooks(**options), secrets, transport=wire, tokens=Held(), clock=lambda: NOW,
                        sleep=Sleeps() if sleep is None else sleep)


def stream(name: str) -> Stream:
    return quickbooks().source.stream(name)


def told(entity: str, *records: dict[str, Any], time: str = "2026-03-01T04:00:00.000-08:00") -> httpx.Response:
    """An answer to a query; without a record the key is absent."""
    found = {entity: list(records), "startPosition": 1, "maxResults": len(records)} if records else {}
    return answer({"QueryResponse": found, "time": time})


def record(number: int, at: str = "2026-02-10T08:00:00-08:00", **more: Any) -> dict[str, Any]:
    return {"Id": str(number), "domain": "QBO", "sparse": False, "MetaData": {"LastUpdatedTime": at}, **more}


def fault(status: int, code: str, kind: str = "ValidationFault", message: str = "…", **headers: str) -> httpx.Response:
    error = {"Message": message, "Detail": "…", "code": code}
    return answer({"Fault": {"Error": [error], "type": kind}, "time": "…"}, status, **headers)


def records(pages: Any) -> list[dict[str, Any]]:
    return [each for page in pages for each in json.loads(page.body)]


def asked(wire: Wire) -> list[str]:
    return [request.url.params["query"] for request in wire.asked("GET", QUERY)]


# --- pages are no snapshot


class Books:
    """A vendor's table that somebody changes between pages. rows: id → stamp."""

    def __init__(self, rows: dict[str, str], limit: int = 1000) -> None:
        self.rows, self.limit, self.between = rows, limit, []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        import re

        text = request.url.params["query"]
        low = re.search(r">= '([^']+)'", text)
        start, most = int(re.search(r"startposition (\d+)", text)[1]), int(re.search(r"maxresults (\d+)", text)[1])
        found = sorted((at, int(key)) for key, at in self.rows.items()
                       if not low or datetime.fromisoformat(at) >= datetime.fromisoformat(low[1]))
        page = found[start - 1:start - 1 + min(most, self.limit)]
        if self.between:
            self.between.pop(0)(self.rows)
        return told("Invoice", *(record(key, at) for at, key in page))


def at(second: int) -> str:
    return f"2026-02-10T08:00:{second:02d}-08:00"


def test_a_record_that_changes_between_pages_moves_nobody_out_of_sight():
    books = Books({str(n): at(n) for n in range(1, 10)})
    books.between = [lambda rows: rows.update({"1": at(50)})]  # after the first page: all others move up by one
    found = records(opened(Wire().on("GET", QUERY, books, always=True), page_size=3).pages(stream("Invoice"), ALL))
    assert {each["Id"] for each in found} == {str(n) for n in range(1, 10)}
    assert [each["Id"] for each in found].count("1") == 2, "its later state comes at the end"


def test_a_second_that_fills_pages_is_read_by_position_and_again_where_it_moved():
    books = Books({str(n): at(1) for n in range(1, 8)})
    books.between = [lambda rows: None, lambda rows: None, lambda rows: rows.update({"2": at(50)})]
    found = records(opened(Wire().on("GET", QUERY, books, always=True), page_size=2).pages(stream("Invoice"), ALL))
    assert {each["Id"] for each in found} == {str(n) for n in range(1, 8)}


def test_a_server_that_serves_less_than_asked_for_is_read_to_its_end():
    books = Books({str(n): at(n) for n in range(1, 10)}, limit=2)
    found = records(opened(Wire().on("GET", QUERY, books, always=True)).pages(stream("Invoice"), ALL))
    assert [each["Id"] for each in found] == [str(n) for n in range(1, 10)]


def test_maxresults_never_exceeds_what_the_vendor_takes():
    wire = Wire().on("GET", QUERY, told("Invoice"))
    assert records(opened(wire, page_size=5000).pages(stream("Invoice"), ALL)) == []
    assert asked(wire) == [
        "select * from Invoice orderby MetaData.LastUpdatedTime, Id startposition 1 maxresults 1000"]


def test_records_out_of_order_are_an_error():
    wire = Wire().on("GET", QUERY, told("Invoice", record(1, at(5)), record(2, at(3))), always=True)
    with pytest.raises(SourceError, match="not in the order"):
        records(opened(wire).pages(stream("Invoice"), ALL))


def test_a_window_compares_instants_with_the_companys_offset():
    wire = Wire().on("GET", QUERY, told("Invoice"))
    window = Window(datetime(2026, 2, 1, 12, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC))
    records(opened(wire).pages(stream("Invoice"), window))
    assert "LastUpdatedTime >= '2026-02-01T04:00:00-08:00' and " in asked(wire)[0]
    assert "LastUpdatedTime < '2026-02-01T16:00:00-08:00'" in asked(wire)[0]


def test_a_plus_in_a_stamp_is_encoded():
    connection = quickbooks().model_copy(update={"time_zone": "Europe/Berlin"})
    wire = Wire().on("GET", QUERY, told("Invoice"))
    secrets = {"client_id": "id", "client_secret": "secret", "refresh_token": "rt"}
    extractor = QboExtractor(connection, secrets, transport=wire, tokens=Held(), clock=lambda: NOW)
    records(extractor.pages(stream("Invoice"), Window(NOW - timedelta(days=1), NOW)))
    assert b"2026-02-28T13%3A00%3A00%2B01%3A00" in wire.requests[0].url.query


def test_inactive_records_of_lists_are_asked_for():
    wire = Wire().on("GET", QUERY, told("Customer"))
    records(opened(wire).pages(stream("Customer"), ALL))
    assert "where Active in (true, false)" in asked(wire)[0]


def test_a_sparse_record_is_only_part_of_one():
    wire = Wire().on("GET", QUERY, told("Invoice", {**record(1), "sparse": True}), always=True)
    with pytest.raises(SourceError, match="sparse"):
        records(opened(wire).pages(stream("Invoice"), ALL))


def test_an_answer_that_is_cut_is_asked_for_again():
    whole = told("Invoice", record(1))
    wire = Wire().on("GET", QUERY, httpx.Response(200, content=whole.content[:-30]), whole, told("Invoice"))
    assert len(records(opened(wire).pages(stream("Invoice"), ALL))) == 1


def test_without_accept_the_answer_would_be_xml_and_minor_versions_below_the_floor_are_ignored():
    wire = Wire().on("GET", QUERY, told("Invoice"))
    records(opened(wire).pages(stream("Invoice"), ALL))
    assert wire.requests[0].headers["accept"] == "application/json"
    assert wire.requests[0].url.params["minorversion"] == "75"
    with pytest.raises(ConfigError, match="ignores versions below 75"):
        opened(Wire(), minor_version=65)


# --- records laid flat


INVOICE = record(
    130, TotalAmt=97.20, CustomerRef={"value": "24", "name": "Sonnenschein"},
    TxnTaxDetail={"TotalTax": 7.2, "TaxLine": [
        {"Amount": 7.2, "DetailType": "TaxLineDetail", "TaxLineDetail": {"TaxRateRef": {"value": "3"}}}]},
    CustomField=[{"DefinitionId": "1", "Name": "Customer PO", "Type": "StringType", "StringValue": "PO-7"}],
    LinkedTxn=[{"TxnId": "140", "TxnType": "Payment"}],
    Line=[
        {"Id": "1", "LineNum": 1, "Amount": 100.00, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {
            "ItemRef": {"value": "10", "name": "Pest Control"}, "Qty": 2}, "LinkedTxn": [
                {"TxnId": "99", "TxnType": "Estimate", "TxnLineId": "4"}]},
        {"Id": "2", "Amount": 30, "DetailType": "GroupLineDetail", "GroupLineDetail": {
            "GroupItemRef": {"value": "3"}, "Quantity": 1, "Line": [
                {"Id": "3", "Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {}},
                {"Id": "4", "Amount": 20, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {}}]}},
        {"Amount": 10.00, "DetailType": "DiscountLineDetail", "DiscountLineDetail": {
            "PercentBased": True, "DiscountPercent": 10, "DiscountAccountRef": {"value": "86"}}},
        {"Amount": 100.00, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}])


def test_numbers_keep_every_digit_and_paths_stand_beside():
    body = told("Invoice", INVOICE).content.replace(b"97.2", b"97.200000000000000001")
    wire = Wire().on("GET", QUERY, httpx.Response(200, content=body), told("Invoice"))
    (page,) = opened(wire).pages(stream("Invoice"), ALL)
    assert b'"TotalAmt":97.200000000000000001' in page.body
    (found,) = json.loads(page.body)
    assert (found["CustomerRef.value"], found["TxnTaxDetail.TotalTax"], found["CustomField.Customer PO"]) == (
        "24", 7.2, "PO-7")
    assert found["MetaData.LastUpdatedTime"] == "2026-02-10T08:00:00-08:00"


def test_a_bundles_components_are_lines_and_the_bundle_is_none():
    wire = Wire().on("GET", QUERY, told("Invoice", INVOICE), told("Invoice"))
    (found,) = records(opened(wire).pages(stream("Invoice"), ALL))
    lines = {line["Position"]: line for line in found["$lines"]}
    assert [line["Kind"] for line in lines.values()] == [
        "line", "link", "bundle", "line", "line", "line", "line", "tax", "link"]
    assert (lines["2.1"]["Amount"], lines["2.1"]["Group"], lines["2"]["GroupItemRef"]) == (10, "2", "3")
    assert (lines["1"]["ItemRef"], lines["1"]["ItemRef.name"], lines["1"]["Qty"]) == ("10", "Pest Control", 2)
    assert (lines["3"]["Amount"], lines["3"]["DiscountAccountRef"]) == (10, "86")
    assert (lines["1/l1"]["TxnId"], lines["1/l1"]["TxnLineId"], lines["h/l1"]["TxnType"]) == ("99", "4", "Payment")
    assert lines["t1"]["TaxRateRef"] == "3"


# --- changes


def changes(*parts: dict[str, Any], time: str = "2026-03-01T04:00:00.000-08:00") -> httpx.Response:
    return answer({"CDCResponse": [{"QueryResponse": list(parts)}], "time": time})


def delivered(extractor: QboExtractor, name: str = "Invoice", known: Any = (), window: Window | None = None) -> Any:
    (found,) = extractor.deliveries(stream(name), window or Window(None, NOW), known)
    return found, list(found.pages())


def first(extractor: QboExtractor) -> Any:
    """A complete set of long ago, and what is remembered of it."""
    made, _ = delivered(extractor, window=Window(None, NOW - timedelta(days=10)))
    return made.files


def test_what_is_gone_is_told_by_changes_and_as_a_notice():
    gone = {"domain": "QBO", "status": "Deleted", "Id": "99", "MetaData": {"LastUpdatedTime": at(9)}}
    wire = Wire().on("GET", QUERY, told("Invoice"), told("CompanyInfo"), always=True)
    wire.on("GET", QUERY, told("CompanyInfo", record(1)), told("Invoice"))
    wire.on("GET", CDC, changes({"Invoice": [record(131), gone], "startPosition": 1, "maxResults": 2}, {}))
    extractor = opened(wire)
    known = first(extractor)
    made, pages = delivered(extractor, known=known)
    assert made.mode == "incremental" and [page.deleted for page in pages] == [False, True]
    assert json.loads(pages[1].body) == [{"Id": "99"}]
    asked_since = wire.asked("GET", CDC)[0].url.params["changedSince"]
    assert asked_since.endswith("-08:00")
    assert datetime.fromisoformat(asked_since) == NOW - timedelta(days=10, hours=1)


def test_a_thousand_objects_of_several_entities_may_be_cut_so_each_is_asked_for_alone():
    many = {"Payment": [record(n) for n in range(999)], "maxResults": 999}
    wire = Wire().on("GET", QUERY, told("CompanyInfo", record(1)), told("Invoice"))
    wire.on("GET", CDC, changes(many, {"Invoice": [record(131)]}), changes({"Invoice": [record(131), record(132)]}))
    extractor = opened(wire)
    made, pages = delivered(extractor, known=first(extractor))
    assert made.mode == "incremental" and len(records(pages)) == 2
    assert [request.url.params["entities"] for request in wire.asked("GET", CDC)][1] == "Invoice"


def test_a_thousand_objects_of_one_entity_bring_the_complete_set():
    cut = changes({"Invoice": [record(n) for n in range(1000)], "maxResults": 1000})
    wire = Wire().on("GET", QUERY, told("CompanyInfo", record(1)), told("Invoice"), told("CompanyInfo", record(1)),
                     told("Invoice", record(1)), told("Invoice"))
    wire.on("GET", CDC, cut, cut)
    extractor = opened(wire)
    made, pages = delivered(extractor, known=first(extractor))
    assert made.mode == "full" and len(records(pages)) == 1
    assert "no more are told" in extractor.facts.notes["resynchronised"]["Invoice"]


def test_changes_of_more_than_a_month_bring_the_complete_set():
    wire = Wire().on("GET", QUERY, told("CompanyInfo", record(1)), told("Invoice"))
    extractor = opened(wire)
    made, _ = delivered(extractor, window=Window(None, NOW - timedelta(days=40)))
    wire.on("GET", QUERY, told("CompanyInfo", record(1)), told("Invoice"))
    made, _ = delivered(extractor, known=made.files)
    assert made.mode == "full" and not wire.asked("GET", CDC)
    assert "changes are told for 30" in extractor.facts.notes["resynchronised"]["Invoice"]


def test_the_next_changes_begin_where_the_reading_of_the_complete_set_began():
    clock = told("CompanyInfo", record(1), time="2026-03-01T03:00:00.000-08:00")
    wire = Wire().on("GET", QUERY, clock, told("Invoice", record(1), time="2026-03-01T03:59:00.000-08:00"),
                     told("Invoice"))
    made, _ = delivered(opened(wire))
    assert datetime.fromisoformat(made.files[0].version) == datetime(2026, 3, 1, 11, tzinfo=UTC)


# --- faults


def test_a_403_with_code_3001_is_throttling_and_waits_a_minute():
    lower = {"fault": {"error": [{"message": "message=ThrottleExceeded; errorCode=003001; statusCode=403",
                                  "detail": "", "code": "3001"}], "type": "SERVICE"}, "time": 1}
    wire, sleeps = Wire().on("GET", QUERY, answer(lower, 403), told("Invoice")), Sleeps()
    assert records(opened(wire, sleep=sleeps).pages(stream("Invoice"), ALL)) == []
    assert sleeps == [60.0]


def test_a_429_without_a_body_waits_a_minute_or_what_it_says():
    wire, sleeps = Wire(), Sleeps()
    wire.on("GET", QUERY, httpx.Response(429), httpx.Response(429, headers={"retry-after": "7"}), told("Invoice"))
    assert records(opened(wire, sleep=sleeps).pages(stream("Invoice"), ALL)) == []
    assert sleeps == [60.0, 7.0]
    with pytest.raises(RateLimitError):
        records(opened(Wire().on("GET", QUERY, httpx.Response(429), always=True)).pages(stream("Invoice"), ALL))


def test_a_403_with_code_3100_is_final():
    error = {"message": "ApplicationAuthorizationFailed", "code": "3100"}
    refused = httpx.Response(403, headers={"intuit_tid": "1-abc"}, json={
        "fault": {"error": [error], "type": "AUTHORIZATION"}})
    wire = Wire().on("GET", QUERY, refused)
    with pytest.raises(AuthError, match="1-abc") as wrong:
        records(opened(wire).pages(stream("Invoice"), ALL))
    assert "sandbox" in str(wrong.value)


def test_a_fault_inside_of_200_is_a_fault():
    wire = Wire().on("GET", QUERY, fault(200, "10000", "SystemFault"), told("Invoice"))
    assert records(opened(wire).pages(stream("Invoice"), ALL)) == []
    with pytest.raises(SourceError, match="4001"):
        records(opened(Wire().on("GET", QUERY, fault(200, "4001"))).pages(stream("Invoice"), ALL))


def test_an_expired_token_is_refreshed_once():
    expired = answer({"fault": {"error": [{"message": "AuthenticationFailed", "code": "3200"}],
                                "type": "AUTHENTICATION"}}, 401)
    wire = Wire().on("GET", QUERY, expired, told("Invoice"))
    wire.on("POST", "/oauth2/v1/tokens/bearer", answer({
        "access_token": "at-2", "refresh_token": "rt-2", "expires_in": 3600, "x_refresh_token_expires_in": 8726400}))
    extractor = opened(wire)
    assert records(extractor.pages(stream("Invoice"), ALL)) == []
    assert [request.headers["authorization"] for request in wire.asked("GET", QUERY)] == ["Bearer at", "Bearer at-2"]
    form = wire.asked("POST", "/oauth2/.*")[0]
    assert form.content == b"grant_type=refresh_token&refresh_token=rt"
    assert form.url.host == "oauth.platform.intuit.com"


def test_invalid_grant_needs_a_person_and_is_not_tried_again():
    expired = answer({"fault": {"error": [{"message": "…", "code": "3200"}], "type": "AUTHENTICATION"}}, 401)
    wire = Wire().on("GET", QUERY, expired)
    wire.on("POST", "/oauth2/v1/tokens/bearer", answer(
        {"error": "invalid_grant", "error_description": "Token invalid"}, 400))
    with pytest.raises(AuthError, match="a person has to connect"):
        records(opened(wire).pages(stream("Invoice"), ALL))
    assert len(wire.asked("POST", "/oauth2/.*")) == 1


# --- currencies and reports


def test_a_company_with_one_currency_has_no_rates():
    one = {"CurrencyPrefs": {"HomeCurrency": {"value": "USD"}}}
    wire = Wire().on("GET", QUERY, told("Preferences", record(1, **one)))
    extractor = opened(wire)
    assert not extractor.available(stream("ExchangeRate")) and extractor.available(stream("Invoice"))


def test_rates_are_asked_for_day_by_day_and_again_for_a_week():
    def vendor(request: httpx.Request) -> httpx.Response:
        text = request.url.params["query"]
        if "Preferences" in text:
            return told("Preferences", record(1, **PREFERENCES))
        if "CompanyCurrency" in text:
            return told("CompanyCurrency", {"Id": "1", "Code": "EUR"}, {"Id": "2", "Code": "USD"})
        day = text[-11:-1]
        return told("ExchangeRate", {"SourceCurrencyCode": "EUR", "TargetCurrencyCode": "USD", "Rate": 1.0875,
                                     "AsOfDate": day})

    wire = Wire().on("GET", QUERY, vendor, always=True)
    made, pages = delivered(opened(wire), "ExchangeRate", window=Window(None, NOW))
    assert made.mode == "full" and len(records(pages)) == 29  # 1 February to 1 March
    assert "SourceCurrencyCode in ('EUR') and" in asked(wire)[-1]
    made, pages = delivered(opened(wire), "ExchangeRate", known=made.files)
    assert made.mode == "incremental" and len(records(pages)) == 8


PROFIT = {
    "Header": {"ReportName": "ProfitAndLoss", "ReportBasis": "Accrual", "Currency": "USD",
               "Option": [{"Name": "NoReportData", "Value": "false"}]},
    "Columns": {"Column": [
        {"ColTitle": "", "MetaData": [{"Name": "ColKey", "Value": "account"}]},
        {"ColTitle": "Feb 2026", "MetaData": [{"Name": "StartDate", "Value": "2026-02-01"},
                                              {"Name": "EndDate", "Value": "2026-02-28"}]},
        {"ColTitle": "Total", "MetaData": [{"Name": "ColKey", "Value": "total"}]}]},
    "Rows": {"Row": [{"type": "Section", "Header": {"ColData": [{"value": "Income"}]}, "Rows": {"Row": [
        {"type": "Section",
         "Header": {"ColData": [{"value": "Sales", "id": "1"}, {"value": "5.00"}, {"value": "5.00"}]},
         "Rows": {"Row": [{"type": "Data", "ColData": [{"value": "Goods", "id": "2"}, {"value": "7.50"},
                                                       {"value": "7.50"}]}]}}]}}]},
}


def test_a_report_is_sections_of_text_and_an_account_with_others_below_it_counts():
    wire = Wire().on("GET", f"{BASE}/reports/ProfitAndLoss", answer(PROFIT))
    found = records(opened(wire).pages(stream("ProfitAndLoss"), Window(None, NOW, full=True)))
    assert [(row["account"], row["amount"], row["start_date"], row["section"]) for row in found] == [
        ("1", "5.00", "2026-02-01", "Income"), ("2", "7.50", "2026-02-01", "Income")]
    assert wire.requests[0].url.params["accounting_method"] == "Accrual", "a preference would decide"


def test_a_report_that_shows_only_part_is_an_error():
    cut = json.loads(json.dumps(PROFIT))
    cut["Rows"]["Row"].append({"type": "Data", "ColData": [{"value": "Unable to display more data. Please reduce …"}]})
    wire = Wire().on("GET", f"{BASE}/reports/ProfitAndLoss", answer(cut))
    with pytest.raises(SourceError, match="more than the vendor shows"):
        records(opened(wire).pages(stream("ProfitAndLoss"), Window(None, NOW, full=True)))


def test_a_report_without_data_is_none():
    empty = {"Header": {"Option": [{"Name": "NoReportData", "Value": "true"}]}, "Columns": {"Column": []}, "Rows": {}}
    wire = Wire().on("GET", f"{BASE}/reports/ProfitAndLoss", answer(empty))
    assert records(opened(wire).pages(stream("ProfitAndLoss"), Window(None, NOW, full=True))) == []


def test_the_general_ledger_is_read_by_month_and_its_opening_balance_is_no_posting():
    def vendor(request: httpx.Request) -> httpx.Response:
        keys = request.url.params["columns"].split(",")
        cells = {"tx_date": "2026-02-03", "txn_type": "Invoice", "credit_amt": "9.00"}
        data = [{"ColData": [{"value": "Beginning Balance"}, *[{"value": ""}] * 5]},
                {"ColData": [{"value": cells.get(key, ""), "id": "77" if key == "txn_type" else ""} for key in keys]}]
        columns = [{"MetaData": [{"Name": "ColKey", "Value": key}]} for key in keys]
        return answer({"Header": {"Currency": "USD"}, "Columns": {"Column": columns}, "Rows": {"Row": [
            {"Header": {"ColData": [{"value": "Sales", "id": "1"}]}, "Rows": {"Row": data}}]}})

    wire = Wire().on("GET", f"{BASE}/reports/GeneralLedger", vendor, always=True)
    made, pages = delivered(opened(wire), "GeneralLedger")
    found = records(pages)
    assert made.mode == "full" and [row["month"] for row in found] == ["2026-02", "2026-03"]
    assert (found[0]["account"], found[0]["transaction"], found[0]["credit"]) == ("1", "77", "9.00")
    made, pages = delivered(opened(wire), "GeneralLedger", known=made.files)
    assert made.mode == "incremental" and [page.parents for page in pages] == [("2026-02",), ("2026-03",)]


# --- configuration


@pytest.mark.parametrize("options", [
    {"realm_id": "Sandbox Company"}, {"environment": "staging"}, {"base_url": "http://books.example"}])
def test_what_cannot_be_a_connection_is_refused(options):
    with pytest.raises(ConfigError):
        opened(Wire(), **options)


def test_production_and_sandbox_have_hosts_of_their_own():
    hosts = {"production": "quickbooks.api.intuit.com", "sandbox": "sandbox-quickbooks.api.intuit.com"}
    for environment, host in hosts.items():
        wire = Wire().on("GET", QUERY, told("Invoice"))
        records(opened(wire, environment=environment).pages(stream("Invoice"), ALL))
        assert wire.requests[0].url.host == host
