"""The habits of Oracle's ADF REST, one test each, written from its documentation and from public clients.

`Pod` answers collections as the vendor would where that is simple: rows above a key, in order, cut at what it clamps.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.unit.extract_stub import NOW, Sleeps, Wire, answer, form, pem, rsa_key
from tieout.errors import AuthError, ConfigError, RateLimitError, SchemaError, SourceError, UnsafeLinkError
from tieout.extract import Window
from tieout.extract.adf_query import chunks, combinations, finder_text, literal, stretches, window_conditions
from tieout.extract.adf_rest import AdfRestExtractor, NotGranted
from tieout.spec import Connection, Stream

BASE = "/fscmRestApi/resources/11.13.18.05"
WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
ALL = Window(None, datetime(2026, 1, 2, tzinfo=UTC), full=True)
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


def oracle(auth: str = "basic", **options: object) -> Connection:
    options = {"base_url": "https://pod.fa.ocs.oraclecloud.com", **options}
    return Connection(name="erp_retail", system="oracle", auth=auth, time_zone="UTC", options=options)


def opened(wire: httpx.BaseTransport, connection: Connection | None = None, **words) -> AdfRestExtractor:
    words.setdefault("sleep", Sleeps())
    secrets = {"username": "ops", "password": "pw-secret", "client_id": "cid", "client_secret": "cs-secret",
               "private_key": pem(rsa_key()), "certificate": certificate()}
    return AdfRestExtractor(connection or oracle(), secrets, transport=wire, clock=lambda: NOW, **words)


def certificate() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tieout")])
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(rsa_key().public_key())
            .serial_number(7).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=9)).sign(rsa_key(), SHA256()))
    return made.public_bytes(Encoding.PEM).decode()


def stream(name: str) -> Stream:
    return oracle().source.stream(name)


def items(rows: list, *, more: bool = False, offset: int = 0, **extra: object) -> httpx.Response:
    value = {"items": rows, "count": len(rows), "hasMore": more, "limit": 500, "offset": offset, "links": [], **extra}
    return answer(value, date=DATE)


def refused(status: int, detail: str = "…", path: str = "/q") -> httpx.Response:
    value = {"title": "…", "status": str(status),
             "o:errorDetails": [{"detail": detail, "o:errorCode": "27520", "o:errorPath": path}]}
    return answer(value, status, date=DATE)


def records(pages: list) -> list[dict]:
    found = [json.loads(page.body) for page in pages]
    return [row for each in found for row in (each["items"] if isinstance(each, dict) else each)]


class Pod(httpx.BaseTransport):
    """Serves `rows` of one collection, sorted by `key`, at most `clamp` at once, whatever is asked for."""

    def __init__(self, rows: list[dict], key: str, clamp: int = 100) -> None:
        self.rows, self.key, self.clamp = sorted(rows, key=lambda row: int(row[key])), key, clamp
        self.requests: list[httpx.Request] = []
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(request)
        asked = request.url.params
        found, q = self.rows, asked.get("q", "")
        if bound := re.search(rf"{self.key}>(\d+)", q):
            found = [row for row in found if int(row[self.key]) > int(bound[1])]
        if listed := re.search(rf"{self.key} IN \(([\d,]+)\)", q):
            found = [row for row in found if str(row[self.key]) in listed[1].split(",")]
        limit, offset = min(int(asked["limit"]), self.clamp), int(asked.get("offset", 0))
        cut = found[offset:offset + limit]
        total = {"totalResults": len(found)} if asked.get("totalResults") else {}
        return items(cut, more=len(found) > offset + limit, offset=offset, **total)


def ledgers(count: int, first: int = 300_000_000_000_001) -> list[dict]:
    return [{"LedgerId": first + n, "Name": f"L{n}", "CurrencyCode": "EUR"} for n in range(count)]


# --- what is asked for ------------------------------------------------------------------------------------------------


def test_a_window_is_half_open_and_told_in_utc():
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([{"CustomerTransactionId": 1}]))
    list(opened(wire).pages(stream("receivablesInvoices"), WINDOW))
    asked = wire.requests[0].url.params
    assert asked["q"] == ("LastUpdateDate>='2026-01-01T00:00:00.000+00:00';"
                          "LastUpdateDate<'2026-01-02T00:00:00.000+00:00'")
    assert asked["orderBy"] == "CustomerTransactionId:asc"
    assert asked["onlyData"] == "true"
    assert wire.requests[0].headers["rest-framework-version"] == "4"
    local = datetime(2026, 1, 1, 1, tzinfo=datetime.fromisoformat("2026-01-01T00:00:00+02:00").tzinfo)
    assert window_conditions("LastUpdateDate", local, ALL.end)[0] == "LastUpdateDate>='2025-12-31T23:00:00.000+00:00'"


def test_fields_are_never_sent_with_expand():
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([]), always=True)
    list(opened(wire).pages(stream("receivablesInvoiceLines"), WINDOW, iter(["7"])))
    asked = wire.requests[0].url.params
    assert asked["expand"] == "receivablesInvoiceLines"
    assert "fields" not in asked


def test_attributes_that_break_a_projection_are_read_without_one():
    wire = Wire().on("GET", f"{BASE}/standardReceipts", items([{"StandardReceiptId": 1, "State": "Cleared"}]))
    list(opened(wire).pages(stream("standardReceipts"), WINDOW))
    assert "fields" not in wire.requests[0].url.params


def test_every_request_names_its_framework_version_and_wants_json():
    """Without it errors are plain text and children plain lists; newer versions change shapes."""
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([{"CustomerTransactionId": 1}]), always=True)
    wire.on("GET", f"{BASE}/ledgersLOV", items([{"LedgerId": 1, "Name": "A", "CurrencyCode": "USD"}]), always=True)
    extractor = opened(wire, oracle(business_units=["Stores BU"]))
    for name in ("receivablesInvoices", "ledgersLOV"):
        list(extractor.pages(stream(name), ALL))
    assert len(wire.requests) > 2
    assert {request.headers["rest-framework-version"] for request in wire.requests} == {"4"}
    assert {request.headers["accept"] for request in wire.requests} == {"application/json"}


def test_q_is_never_sent_with_a_finder():
    """Some resources drop `q` without a word when a finder is told: what it leaves out would come all the same."""
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([{"LedgerId": 1, "Name": "A", "CurrencyCode": "USD"}]))
    wire.on("GET", f"{BASE}/currencyRates", items([{"FromCurrency": "EUR"}]), always=True)
    wire.on("GET", f"{BASE}/accountingPeriodStatusLOV", items([
        {"ApplicationId": 101, "LedgerId": 1, "PeriodName": "Jan-26", "StartDate": "2026-01-01",
         "EndDate": "2026-01-31"}]))
    wire.on("GET", f"{BASE}/ledgerBalances", items([{"LedgerName": "A"}]), always=True)
    extractor = opened(wire, oracle(currencies=["EUR"]))
    for name in ("currencyRates", "ledgerBalances"):
        list(extractor.pages(stream(name), ALL))
    found = [request.url.params for request in wire.requests if "finder" in request.url.params]
    assert len(found) >= 2
    assert [asked["q"] for asked in found if "q" in asked] == []


def test_balances_are_asked_for_by_the_calendars_own_labels():
    """`Jan-26` or `01-26`: a label that only the calendar knows, never one that we make of a date."""
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([{"LedgerId": 1, "Name": "A", "CurrencyCode": "USD"}]))
    wire.on("GET", f"{BASE}/accountingPeriodStatusLOV", items([
        {"ApplicationId": 101, "LedgerId": 1, "PeriodName": label, "StartDate": f"2026-{month}-01",
         "EndDate": f"2026-{month}-28"} for label, month in (("01-26", "01"), ("Feb 2026 FY", "02"))]))
    wire.on("GET", f"{BASE}/ledgerBalances", items([{"LedgerName": "A"}]), always=True)
    list(opened(wire).pages(stream("ledgerBalances"), ALL))
    asked = [request.url.params["finder"] for request in wire.asked("GET", f"{BASE}/ledgerBalances")]
    assert [re.search("accountingPeriod=([^,]*)", each)[1] for each in asked] == ["01-26", "Feb 2026 FY"]


def test_a_quote_in_a_value_is_doubled():
    assert literal("O'Neill; 'x'") == "'O''Neill; ''x'''"
    with pytest.raises(ConfigError, match="cannot be compared"):
        literal(None)


def test_a_finders_values_are_not_quoted_so_some_cannot_be_said():
    assert finder_text("F;a={x},b={y}", {"x": "1", "y": "%"}, {"b": "c"}) == "F;a=1,c=%"
    with pytest.raises(ConfigError, match="not quoted"):
        finder_text("F;a={x}", {"x": "Smith, Ltd"}, {})


# --- paging -----------------------------------------------------------------------------------------------------------


def test_a_server_that_clamps_the_limit_loses_no_row():
    pod = Pod(ledgers(730), "LedgerId", clamp=100)
    found = records(list(opened(pod).pages(stream("ledgersLOV"), ALL)))
    assert [row["LedgerId"] for row in found] == [row["LedgerId"] for row in pod.rows]
    assert len(pod.requests) == 8
    assert {request.url.params["offset"] for request in pod.requests} == {"0"}


def test_a_row_that_moves_while_pages_go_by_pushes_no_other_over_the_edge():
    """By offset the row at the edge would be lost: an earlier one leaves the window between two pages."""
    pod = Pod(ledgers(250), "LedgerId")
    answered = pod.handle_request

    def moving(request: httpx.Request) -> httpx.Response:
        reply = answered(request)
        pod.rows = pod.rows[1:]
        return reply

    pod.handle_request = moving
    found = {row["LedgerId"] for row in records(list(opened(pod).pages(stream("ledgersLOV"), ALL)))}
    assert found == {row["LedgerId"] for row in ledgers(250)}


def test_rows_out_of_order_are_an_error_not_a_gap():
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([{"LedgerId": 5}, {"LedgerId": 4}]))
    with pytest.raises(SourceError, match="not in the order of LedgerId"):
        list(opened(wire).pages(stream("ledgersLOV"), ALL))


def test_offsets_are_no_snapshot_so_each_page_begins_with_the_last_row_of_the_one_before():
    rows = [{"FromCurrency": "EUR", "ToCurrency": "USD", "ConversionDate": f"2026-01-{n:02d}",
             "UserConversionType": "Corporate"} for n in range(1, 8)]
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([{"LedgerId": 1, "Name": "L", "CurrencyCode": "USD"}]))
    wire.on("GET", f"{BASE}/currencyRates", items(rows[:3], more=True),
            items(rows[3:5], more=True, offset=2),  # the seam does not fit: a row before it is gone
            items(rows[1:4], more=True), items(rows[3:], offset=2))
    extractor = opened(wire, oracle(currencies=["EUR"]).model_copy(update={"start_date": "2026-01-01"}))
    found = records(list(extractor.pages(stream("currencyRates"), ALL)))
    assert [row["ConversionDate"][-2:] for row in found][-6:] == ["02", "03", "04", "05", "06", "07"]
    assert [r.url.params["offset"] for r in wire.asked("GET", f"{BASE}/currencyRates")] == ["0", "2", "0", "2"]
    assert extractor.facts.notes["restarts"] == {"currencyRates": 1}


def test_rows_that_shift_for_ever_are_an_error():
    def shifting(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        return items([{"n": offset + shifting.calls}, {"n": offset + 100 + shifting.calls}], more=True, offset=offset)

    shifting.calls = 0

    def counted(request: httpx.Request) -> httpx.Response:
        shifting.calls += 1
        return shifting(request)

    wire = Wire().on("GET", f"{BASE}/itemsV2", *[counted] * 60)
    with pytest.raises(SourceError, match="after 3 restarts"):
        list(opened(wire).pages(stream("itemsV2"), ALL))


def test_has_more_with_nothing_is_a_damaged_answer():
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([], more=True), items([{"LedgerId": 1}]))
    assert records(list(opened(wire).pages(stream("ledgersLOV"), ALL))) == [{"LedgerId": 1}]


def test_a_count_that_differs_is_a_cut_answer():
    cut = answer({"items": [{"LedgerId": 1}], "count": 2, "hasMore": False}, date=DATE)
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", cut, items([{"LedgerId": 1}, {"LedgerId": 2}]))
    assert len(records(list(opened(wire).pages(stream("ledgersLOV"), ALL)))) == 2


def test_framework_version_nine_tells_big_integers_as_text():
    rows = [{**row, "LedgerId": str(row["LedgerId"])} for row in ledgers(150, first=9_007_199_254_740_993)]
    pod = Pod(rows, "LedgerId")
    found = records(list(opened(pod, oracle(framework_version=9)).pages(stream("ledgersLOV"), ALL)))
    assert len({row["LedgerId"] for row in found}) == 150
    assert pod.requests[0].headers["rest-framework-version"] == "9"


def test_ids_beyond_two_to_the_fifty_third_keep_their_digits():
    """As numbers, too: read as binary floating point, two of these would be one."""
    first = 9_007_199_254_740_993  # 2^53 + 1
    pod = Pod(ledgers(3, first), "LedgerId", clamp=1)
    found = records(list(opened(pod).pages(stream("ledgersLOV"), ALL)))
    assert [row["LedgerId"] for row in found] == [first, first + 1, first + 2]
    assert f"LedgerId>{first + 1}" in pod.requests[2].url.params["q"]


def test_a_total_is_checked_once_and_an_estimate_is_noted():
    pod = Pod(ledgers(120), "LedgerId")
    extractor = opened(pod, oracle(totals=True))
    assert len(records(list(extractor.pages(stream("ledgersLOV"), ALL)))) == 120
    assert "restarts" not in extractor.facts.notes

    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([{"LedgerId": 1}], totalResults=5), always=True)
    extractor = opened(wire, oracle(totals=True))
    list(extractor.pages(stream("ledgersLOV"), ALL))
    assert extractor.facts.notes["estimated_totals"] == {"ledgersLOV": "1 of 5"}
    assert len(wire.requests) == 2


def test_a_quarterly_updates_new_attribute_is_tolerated():
    row = {"StandardReceiptId": 1, "State": "Cleared", "BrandNewAttribute": {"x": 1}}
    wire = Wire().on("GET", f"{BASE}/standardReceipts", items([row]))
    (page,) = opened(wire).pages(stream("standardReceipts"), WINDOW)
    assert records([page]) == [row]
    assert page.noise == ("links",)


# --- a server that cannot bear what is asked --------------------------------------------------------------------------


def test_a_server_fault_is_answered_by_asking_for_less():
    """First without the total, then without the projection, then for smaller pages."""
    fault = httpx.Response(500, text="JBO-29000: Unexpected exception caught", headers={"date": DATE})

    def weak(request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        if asked.get("totalResults") or "fields" in asked or int(asked["limit"]) > 125:
            return fault
        return items([{"LedgerId": 1}])

    wire = Wire().on("GET", f"{BASE}/ledgersLOV", *[weak] * 30)
    extractor = opened(wire, oracle(totals=True))
    assert records(list(extractor.pages(stream("ledgersLOV"), ALL))) == [{"LedgerId": 1}]
    assert extractor.facts.notes["eased"] == {"ledgersLOV": "fields: False, limit: 125"}


def test_a_server_that_fails_whatever_is_asked_is_an_error():
    fault = httpx.Response(500, text="JBO-27120", headers={"date": DATE})
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", fault, always=True)
    with pytest.raises(SourceError, match="JBO-27120"):
        list(opened(wire).pages(stream("ledgersLOV"), ALL))
    assert len(wire.requests) < 40


def test_throttling_waits_as_long_as_the_vendor_asks():
    sleeps = Sleeps()
    busy = httpx.Response(429, text="busy", headers={"retry-after": "7", "date": DATE})
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", busy, items([{"LedgerId": 1}]))
    list(opened(wire, sleep=sleeps).pages(stream("ledgersLOV"), ALL))
    assert sleeps == [7]
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", busy, always=True)
    with pytest.raises(RateLimitError):
        list(opened(wire).pages(stream("ledgersLOV"), ALL))


@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_cannot_heal_is_not_tried_again(status):
    wire = Wire().on("GET", f"{BASE}/standardReceipts", refused(status))
    with pytest.raises(SourceError, match="27520|…"):
        list(opened(wire).pages(stream("standardReceipts"), WINDOW))
    assert len(wire.requests) == 1


def test_an_attribute_that_this_release_lacks_is_named():
    described = answer({"Resources": {"ledgersLOV": {"attributes": [{"name": "LedgerId"}, {"name": "Name"}]}}})
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", refused(400, path="/fields"))
    wire.on("GET", f"{BASE}/ledgersLOV/describe", described)
    with pytest.raises(SchemaError, match="ledgersLOV has no attribute CurrencyCode"):
        list(opened(wire).pages(stream("ledgersLOV"), ALL))


def test_an_optional_attribute_that_this_release_lacks_is_left_out_and_noted():
    known = [c.field for c in stream("finBusinessUnitsLOV").columns if c.field != "LegalEntityId"]
    described = answer({"Resources": {"x": {"attributes": [{"name": name} for name in known]}}})
    wire = Wire().on("GET", f"{BASE}/finBusinessUnitsLOV", refused(400, path="/fields"), items([{"BusinessUnitId": 1}]))
    wire.on("GET", f"{BASE}/finBusinessUnitsLOV/describe", described)
    extractor = opened(wire)
    assert records(list(extractor.pages(stream("finBusinessUnitsLOV"), ALL)))
    assert extractor.facts.notes["absent_fields"] == {"finBusinessUnitsLOV": ["LegalEntityId"]}
    assert "LegalEntityId" not in wire.requests[-1].url.params["fields"]


# --- children ---------------------------------------------------------------------------------------------------------


def nest(rows: list, *, more: bool = False) -> dict:
    return {"items": rows, "count": len(rows), "hasMore": more, "limit": 25, "offset": 0, "links": []}


def test_a_line_gets_the_key_of_its_invoice_which_no_line_says():
    lines = nest([{"CustomerTransactionLineId": 8, "links": []}])
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([
        {"CustomerTransactionId": 300_000_000_000_007, "receivablesInvoiceLines": lines},
        {"CustomerTransactionId": 300_000_000_000_009, "receivablesInvoiceLines": nest([])}]))
    asked = iter(["300000000000007", "300000000000008", "300000000000009"])
    (page,) = opened(wire).pages(stream("receivablesInvoiceLines"), WINDOW, asked)
    assert records([page]) == [{"CustomerTransactionId": 300_000_000_000_007, "CustomerTransactionLineId": 8}]
    assert page.parents == ("300000000000007", "300000000000008", "300000000000009")
    listed = "300000000000007,300000000000008,300000000000009"
    assert wire.requests[0].url.params["q"] == f"CustomerTransactionId IN ({listed})"


def test_a_pod_that_answers_as_version_one_nests_a_plain_list():
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([
        {"CustomerTransactionId": 7, "receivablesInvoiceLines": [{"CustomerTransactionLineId": 8}]}]))
    (page,) = opened(wire).pages(stream("receivablesInvoiceLines"), WINDOW, iter(["7"]))
    assert records([page]) == [{"CustomerTransactionId": 7, "CustomerTransactionLineId": 8}]


def test_version_one_does_not_say_when_a_list_was_cut_so_children_are_read_by_their_own_address():
    href = f"https://pod.fa.ocs.oraclecloud.com{BASE}/receivablesInvoices/7/child/receivablesInvoiceLines"
    linked = {"CustomerTransactionId": 7, "links": [{"rel": "child", "name": "receivablesInvoiceLines", "href": href}]}
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([linked]))
    wire.on("GET", f"{BASE}/receivablesInvoices/7/child/receivablesInvoiceLines",
            items([{"CustomerTransactionLineId": 1}]))
    extractor = opened(wire, oracle(framework_version=1))
    (page,) = extractor.pages(stream("receivablesInvoiceLines"), WINDOW, iter(["7"]))
    assert len(records([page])) == 1
    assert "expand" not in wire.requests[0].url.params
    assert wire.requests[1].url.params["orderBy"] == "CustomerTransactionLineId:asc"


def test_children_beyond_the_cap_are_read_by_their_own_address():
    href = f"https://pod.fa.ocs.oraclecloud.com{BASE}/receivablesInvoices/7/child/receivablesInvoiceLines"
    lines = nest([{"CustomerTransactionLineId": 1}], more=True)
    capped = {"CustomerTransactionId": 7, "receivablesInvoiceLines": lines}
    linked = {"CustomerTransactionId": 7, "links": [{"rel": "child", "name": "receivablesInvoiceLines", "href": href}]}
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([capped]), items([linked]))
    wire.on("GET", f"{BASE}/receivablesInvoices/7/child/receivablesInvoiceLines",
            items([{"CustomerTransactionLineId": n} for n in (1, 2)], more=True),
            items([{"CustomerTransactionLineId": n} for n in (2, 3)], offset=1))
    (page,) = opened(wire).pages(stream("receivablesInvoiceLines"), WINDOW, iter(["7"]))
    assert [row["CustomerTransactionLineId"] for row in records([page])] == [1, 2, 3]


def test_grandchildren_below_opaque_keys_are_reached_over_links():
    top = f"https://pod.fa.ocs.oraclecloud.com{BASE}/journalBatches/5/child/journalHeaders"
    batch = {"JeBatchId": 5, "links": [{"rel": "child", "name": "journalHeaders", "href": top}]}
    below = {"rel": "child", "name": "journalLines", "href": f"{top}/00EACED6/child/lines"}
    header = {"JeHeaderId": 6, "links": [below]}
    wire = Wire().on("GET", f"{BASE}/journalBatches", items([batch]))
    wire.on("GET", f"{BASE}/journalBatches/5/child/journalHeaders", items([header]))
    wire.on("GET", f"{BASE}/journalBatches/5/child/journalHeaders/00EACED6/child/lines", items([{"JeLineNumber": 1}]))
    (page,) = opened(wire, oracle(children="links")).pages(stream("journalLines"), WINDOW, iter(["5"]))
    assert records([page]) == [{"JeBatchId": 5, "JeHeaderId": 6, "JeLineNumber": 1}]


def test_a_childs_link_to_another_host_gets_no_credentials():
    linked = {"JeBatchId": 5, "links": [{"rel": "child", "name": "journalHeaders", "href": "https://evil.example/x"}]}
    wire = Wire().on("GET", f"{BASE}/journalBatches", items([linked]))
    with pytest.raises(UnsafeLinkError):
        list(opened(wire, oracle(children="links")).pages(stream("journalLines"), WINDOW, iter(["5"])))


def test_children_may_change_while_their_invoice_keeps_its_stamp():
    """In a window, lines below open invoices are looked at, and those with a stamp of the window are told."""
    lines = nest([{"CustomerTransactionLineId": 1, "LastUpdateDate": "2025-12-31T00:00:00.000+00:00"},
                  {"CustomerTransactionLineId": 2, "LastUpdateDate": "2026-01-01T12:00:00.000+00:00"}])
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices",
                     items([{"CustomerTransactionId": 7, "receivablesInvoiceLines": lines}]))
    pages = list(opened(wire).pages(stream("receivablesInvoiceLines"), WINDOW))
    assert [row["CustomerTransactionLineId"] for row in records(pages)] == [2]
    assert wire.requests[0].url.params["q"] == "InvoiceBalanceAmount!=0"


def test_an_answer_without_the_child_is_no_empty_child():
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([{"CustomerTransactionId": 7}]))
    with pytest.raises(SourceError, match="no receivablesInvoiceLines"):
        list(opened(wire).pages(stream("receivablesInvoiceLines"), WINDOW, iter(["7"])))


def test_a_parents_key_that_is_no_number_never_reaches_a_request():
    with pytest.raises(SourceError, match="not a key"):
        list(chunks(iter(["1) OR (1=1"]), "parents"))


def test_a_record_without_a_simple_key_is_called_what_its_address_calls_it():
    own = {"rel": "self", "href": "https://x/inventoryOnhandBalances/00020000EACED"}
    row = {"OrganizationCode": "V1", "links": [own]}
    wire = Wire().on("GET", f"{BASE}/inventoryOnhandBalances", items([row]))
    assert records(list(opened(wire).pages(stream("inventoryOnhandBalances"), ALL))) == [
        {"UniqID": "00020000EACED", "OrganizationCode": "V1"}]
    assert "onlyData" not in wire.requests[0].url.params


def test_instalments_and_adjustments_belong_to_what_is_above_them():
    """Neither says whose it is: an instalment stands below its invoice, an adjustment below the customer's account."""
    part = nest([{"InstallmentId": 3, "OriginalAmount": 5}])
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices",
                     items([{"CustomerTransactionId": 7, "receivablesInvoiceInstallments": part}]))
    (page,) = opened(wire).pages(stream("receivablesInvoiceInstallments"), WINDOW, iter(["7"]))
    assert records([page]) == [{"CustomerTransactionId": 7, "InstallmentId": 3, "OriginalAmount": 5}]
    taken = nest([{"AdjustmentId": 4, "AdjustmentAmount": -1, "ReferenceTransactionId": 7}])
    wire = Wire().on("GET", f"{BASE}/receivablesCustomerAccountActivities",
                     items([{"AccountId": 9, "transactionAdjustments": taken}]))
    (page,) = opened(wire).pages(stream("transactionAdjustments"), WINDOW, iter(["9"]))
    assert records([page]) == [{"AccountId": 9, "AdjustmentId": 4, "AdjustmentAmount": -1, "ReferenceTransactionId": 7}]
    assert wire.requests[0].url.params["expand"] == "transactionAdjustments"


# --- empty answers ----------------------------------------------------------------------------------------------------


def test_an_empty_200_without_a_data_grant_is_an_error_that_says_so():
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([]), always=True)
    for window in (ALL, WINDOW):
        with pytest.raises(NotGranted, match="data grant"):
            list(opened(wire).pages(stream("receivablesInvoices"), window))


def test_an_empty_window_is_no_missing_grant():
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([]), items([{"CustomerTransactionId": 1}]))
    assert records(list(opened(wire).pages(stream("receivablesInvoices"), WINDOW))) == []
    assert wire.requests[1].url.params["limit"] == "1"
    assert "q" not in wire.requests[1].url.params


def test_a_stream_that_may_be_empty_is_not_held_against_the_grants():
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", items([]), always=True)
    assert list(opened(wire, oracle(may_be_empty=["receivablesInvoices"])).pages(stream("receivablesInvoices"), ALL))


def test_one_business_unit_that_is_not_granted_is_named_though_others_are():
    def granted(request: httpx.Request) -> httpx.Response:
        return items([] if "Shops" in request.url.params.get("q", "") else [{"CustomerTransactionId": 1}])

    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", *[granted] * 5)
    with pytest.raises(NotGranted, match="BusinessUnit 'Shops BU'"):
        extractor = opened(wire, oracle(business_units=["Stores BU", "Shops BU"]))
        list(extractor.pages(stream("receivablesInvoices"), WINDOW))


# --- finders ----------------------------------------------------------------------------------------------------------


def test_rates_are_asked_for_pair_by_pair_and_year_by_year():
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([
        {"LedgerId": 1, "Name": "A", "CurrencyCode": "USD"}, {"LedgerId": 2, "Name": "B", "CurrencyCode": "USD"}]))
    wire.on("GET", f"{BASE}/currencyRates", items([{"FromCurrency": "EUR"}]), always=True)
    connection = oracle(currencies=["EUR", "USD"]).model_copy(update={"start_date": "2025-01-01"})
    list(opened(wire, connection).pages(stream("currencyRates"), ALL))
    asked = [r.url.params["finder"] for r in wire.asked("GET", f"{BASE}/currencyRates")]
    assert asked == [
        "CurrencyRatesFinder;fromCurrency=EUR,toCurrency=USD,userConversionType=Corporate,startDate=2025-01-01,"
        "endDate=2025-12-26",
        "CurrencyRatesFinder;fromCurrency=EUR,toCurrency=USD,userConversionType=Corporate,startDate=2025-12-27,"
        "endDate=2026-03-01"]


def test_a_finders_variable_that_is_called_otherwise_is_tried():
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([{"LedgerId": 1, "Name": "A", "CurrencyCode": "USD"}]))
    wire.on("GET", f"{BASE}/currencyRates", refused(400, path="/finder"), items([{"FromCurrency": "EUR"}]))
    connection = oracle(currencies=["EUR"]).model_copy(update={"start_date": "2026-01-01"})
    list(opened(wire, connection).pages(stream("currencyRates"), ALL))
    assert "currencyConversionType=Corporate" in wire.requests[-1].url.params["finder"]


def test_rates_without_a_list_of_currencies_are_a_question_not_a_silence():
    with pytest.raises(ConfigError, match="options.currencies is needed"):
        list(opened(Wire()).pages(stream("currencyRates"), ALL))


def test_a_balance_that_failed_is_told_inside_of_a_200():
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([{"LedgerId": 1, "Name": "A", "CurrencyCode": "USD"}]))
    wire.on("GET", f"{BASE}/accountingPeriodStatusLOV", items([
        {"ApplicationId": 101, "LedgerId": 1, "PeriodName": "Jan-26", "StartDate": "2026-01-01",
         "EndDate": "2026-01-31"}]))
    wire.on("GET", f"{BASE}/ledgerBalances", items([{"ErrorDetail": "The period is not valid."}]))
    with pytest.raises(SourceError, match=r"ledger A, currency USD, period Jan-26\): The period is not valid"):
        list(opened(wire).pages(stream("ledgerBalances"), ALL))


def test_combinations_and_stretches():
    assert list(combinations([[{"a": "1"}, {"a": "2"}], [{"b": "2"}]], ["a", "b"])) == [{"a": "1", "b": "2"}]
    days = stretches(datetime(2026, 1, 1).date(), datetime(2026, 1, 5).date(), 2, ["x", "y"])
    assert [tuple(each.values()) for each in days] == [
        ("2026-01-01", "2026-01-02"), ("2026-01-03", "2026-01-04"), ("2026-01-05", "2026-01-05")]


# --- who asks ---------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_an_auth_error_without_the_password():
    wire = Wire().on("GET", f"{BASE}/receivablesInvoices", httpx.Response(401, text="Unauthorized"), always=True)
    with pytest.raises(AuthError) as caught:
        opened(wire).test()
    assert "pw-secret" not in str(caught.value)
    assert wire.requests[0].headers["authorization"] == "Basic " + base64.b64encode(b"ops:pw-secret").decode()


def test_a_token_of_the_identity_domain_is_asked_for_again_when_it_ends():
    connection = oracle("oauth2_client", token_url="https://idcs-1.identity.oraclecloud.com/oauth2/v1/token", scope="s")
    wire = Wire().on("POST", "/oauth2/v1/token", answer({"access_token": "t1", "expires_in": 3600}),
                     answer({"access_token": "t2", "expires_in": 3600}))
    wire.on("GET", f"{BASE}/ledgersLOV", httpx.Response(401, text="expired"), items([{"LedgerId": 1}]))
    extractor = opened(wire, connection)
    list(extractor.pages(stream("ledgersLOV"), ALL))
    tokens = wire.asked("POST", "/oauth2/v1/token")
    assert form(tokens[0]) == {"grant_type": "client_credentials", "scope": "s"}
    assert tokens[0].headers["authorization"] == "Basic " + base64.b64encode(b"cid:cs-secret").decode()
    assert [r.headers["authorization"] for r in wire.asked("GET", f"{BASE}/ledgersLOV")] == ["Bearer t1", "Bearer t2"]
    assert extractor.facts.token_refreshes == 1


def test_a_token_of_our_own_names_its_certificate_and_its_user():
    wire = Wire().on("GET", f"{BASE}/ledgersLOV", items([{"LedgerId": 1}]))
    list(opened(wire, oracle("jwt", issuer="tieout")).pages(stream("ledgersLOV"), ALL))
    token = wire.requests[0].headers["authorization"].removeprefix("Bearer ")
    key = RSAKey.import_key(rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    read = jwt.decode(token, key, algorithms=["RS256"])
    der = x509.load_pem_x509_certificate(certificate().encode()).public_bytes(Encoding.DER)
    assert read.header["typ"] == "JWT"
    assert len(base64.b64decode(read.header["x5t"])) == len(hashlib.sha1(der, usedforsecurity=False).digest())
    assert read.claims["prn"] == "ops"
    assert read.claims["iss"] == "tieout"
    assert read.claims["exp"] - read.claims["iat"] == 300


def test_a_way_to_authenticate_says_which_option_it_needs():
    with pytest.raises(ConfigError, match="auth oauth2_client needs options.token_url"):
        opened(Wire(), oracle("oauth2_client"))


def test_a_company_without_a_credit_memo_is_no_company_without_a_grant():
    wire = Wire().on("GET", f"{BASE}/receivablesCreditMemos", items([]), always=True)
    extractor = opened(wire, oracle(business_units=["Stores BU"]))
    for name in ("receivablesCreditMemos", "receivablesCreditMemoLines"):
        assert records(list(extractor.pages(stream(name), ALL))) == []
