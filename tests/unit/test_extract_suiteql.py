"""NetSuite's habits, one test each, written from its documentation and from public clients.

`Account` answers statements as the vendor would where that is simple (rows above a bound, in order, cut at the limit);
what the statements say is tested separately.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.unit.extract_stub import NOW, Sleeps, Wire, answer, body, form, netsuite, ns_error, pem, rsa_key
from tieout.errors import AuthError, ConfigError, RateLimitError, SchemaError, SourceError
from tieout.extract import Window
from tieout.extract.suiteql import SuiteqlExtractor
from tieout.extract.suiteql_select import MOST_PARENTS, chunks, local_bounds, window_filters
from tieout.spec import Connection, Stream

SUITEQL = "/services/rest/query/v1/suiteql"
HOST = "1234567-sb1.suitetalk.api.netsuite.com"
WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
ALL = Window(None, datetime(2026, 1, 2, tzinfo=UTC))
SECRETS = {
    "consumer_key": "ck-consumer", "consumer_secret": "cs-consumer", "token_id": "tk-token", "token_secret": "ts-token",
    "certificate_id": "cert-77",
}
Rows = list[dict[str, object]]


def items(
    rows: Rows, *, limit: int = 1000, offset: int = 0, more: bool = False, total: int | None = None
) -> httpx.Response:
    """As documented: links in the answer and in each item, strings for numbers, nulls left out."""
    href = f"https://{HOST}{SUITEQL}?limit={limit}&offset={offset + limit}"
    links = [{"rel": "next", "href": href}] if more else []
    value = {
        "links": links, "count": len(rows), "hasMore": more, "items": [{"links": [], **row} for row in rows],
        "offset": offset, "totalResults": total if total is not None else len(rows),
    }
    return answer(value, date="Sun, 01 Mar 2026 12:00:00 GMT")


class Account(httpx.BaseTransport):
    """Serves one table, sorted by `order`, through bounds on `order[0]`, `IN` lists on `parent`, limit and offset."""

    most = 100_000

    def __init__(self, rows: Rows, *order: str, parent: str = "transaction") -> None:
        self.rows = sorted(rows, key=lambda row: [int(row[word]) for word in order])
        self.order, self.parent = order, parent
        self.requests: list[httpx.Request] = []
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        with self._lock:
            self.requests.append(request)
        text = body(request)["q"]
        limit, offset = int(request.url.params["limit"]), int(request.url.params["offset"])
        if not 1 <= limit <= 1000 or offset % limit or offset + limit > self.most:
            return ns_error(400, "INVALID_PARAMETER", "Invalid limit or offset")
        if "1 = 0" in text:
            return items([], limit=limit)
        if "FROM accountingbook" in text:
            return items([{"id": "1"}], limit=limit)
        found = self.rows
        if bound := re.search(rf"t\.{self.order[0]} > (-?\d+)", text):
            found = [row for row in found if int(row[self.order[0]]) > int(bound[1])]
        if listed := re.search(rf"t\.{self.parent} IN \(([\d,]+)\)", text):
            found = [row for row in found if str(row[self.parent]) in listed[1].split(",")]
        cut = found[offset : offset + limit]
        return items(cut, limit=limit, offset=offset, more=len(found) > offset + limit, total=len(found))

    @property
    def statements(self) -> list[str]:
        return [body(r)["q"] for r in self.requests]


def opened(wire: httpx.BaseTransport, connection: Connection | None = None, **words) -> SuiteqlExtractor:
    secrets = {**SECRETS, "private_key": pem(rsa_key())}
    words.setdefault("sleep", Sleeps())
    return SuiteqlExtractor(connection or netsuite(), secrets, transport=wire, clock=lambda: NOW, **words)


def stream(name: str) -> Stream:
    return netsuite().source.stream(name)


def rows(pages: list) -> Rows:
    return [row for page in pages for row in json.loads(page.body)["items"]]


def probe(*replies: object) -> Wire:
    return Wire().on("POST", SUITEQL, *replies)


# --- addresses and signatures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "host"),
    [("1234567",) * 2, ("1234567_SB1", "1234567-sb1"), ("TSTDRV123", "tstdrv123"), ("1234567-sb1", "1234567-sb1")],
)
def test_the_host_is_the_account_in_lower_case_with_hyphens(account, host):
    wire = probe(items([]))
    opened(wire, netsuite(account=account)).test()
    assert wire.requests[0].url.host == f"{host}.suitetalk.api.netsuite.com"


def test_the_realm_is_the_account_in_upper_case_with_underscores():
    wire = probe(items([]))
    opened(wire, netsuite(account="1234567-sb1")).test()
    assert wire.requests[0].headers["authorization"].startswith('OAuth realm="1234567_SB1", ')


@pytest.mark.parametrize("account", ["evil.net/", "1234567.evil", "", "a b", "x@y"])
def test_an_account_that_is_no_account_cannot_become_a_host(account):
    with pytest.raises((ConfigError, ValueError)):
        opened(probe(), netsuite(account=account))


def test_prefer_transient_is_sent_with_limit_and_offset():
    account = Account([{"id": "1"}], "id")
    list(opened(account).pages(stream("item"), WINDOW))
    request = account.requests[-1]
    assert request.headers["prefer"] == "transient"
    assert request.headers["content-type"] == "application/json"
    assert dict(request.url.params) == {"limit": "1000", "offset": "0"}


def test_every_try_has_its_own_nonce_and_signature():
    wire = probe(ns_error(429, "CONCURRENCY_LIMIT_EXCEEDED"), httpx.ReadError("reset"), items([]))
    opened(wire).test()
    headers = [r.headers["authorization"] for r in wire.requests]
    nonces = {re.search('oauth_nonce="([^"]+)"', header)[1] for header in headers}
    assert len(nonces) == len(set(headers)) == 3


def test_a_refused_signature_is_signed_again_once_and_then_stops():
    """Repeated failures lock the token."""
    refused = ns_error(401, "INVALID_LOGIN", "Invalid login attempt.", www_authenticate='OAuth error="token_rejected"')
    wire = probe(refused, refused)
    with pytest.raises(AuthError, match="INVALID_LOGIN"):
        opened(wire).test()
    assert wire.left == []
    healed = probe(refused, items([]))
    opened(healed).test()


TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"


def test_m2m_assertion_is_what_the_vendor_asks_for():
    granted = {"access_token": "eyJ-one", "expires_in": "3600", "token_type": "bearer"}
    wire = probe(items([])).on("POST", TOKEN_PATH, answer(granted))
    opened(wire, netsuite("oauth2_m2m")).test()
    sent = form(wire.requests[0])
    assert sent["grant_type"] == "client_credentials"
    assert sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    public = RSAKey.import_key(rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    token = jwt.decode(sent["client_assertion"], public, algorithms=["PS256"])
    assert token.header == {"typ": "JWT", "alg": "PS256", "kid": "cert-77"}
    assert token.claims["iss"] == "ck-consumer"
    assert token.claims["scope"] == ["rest_webservices"]
    assert token.claims["aud"] == f"https://{HOST}{TOKEN_PATH}"
    assert 0 < token.claims["exp"] - token.claims["iat"] <= 3600
    assert wire.requests[1].headers["authorization"] == "Bearer eyJ-one"


def test_m2m_asks_for_another_token_once_when_one_is_refused():
    tokens = [answer({"access_token": f"eyJ-{n}", "expires_in": "3600", "token_type": "bearer"}) for n in (1, 2)]
    wire = probe(ns_error(401, "INVALID_LOGIN"), items([])).on("POST", TOKEN_PATH, *tokens)
    subject = opened(wire, netsuite("oauth2_m2m"))
    subject.test()
    assert wire.requests[-1].headers["authorization"] == "Bearer eyJ-2"
    assert subject.facts.token_refreshes == 1


@pytest.mark.parametrize("error", ["invalid_request", "invalid_client", "invalid_grant"])
def test_m2m_refusals_are_final(error):
    wire = Wire().on("POST", TOKEN_PATH, answer({"error": error}, 400))
    with pytest.raises(AuthError, match=error):
        opened(wire, netsuite("oauth2_m2m")).test()
    assert len(wire.requests) == 1


# --- statements -------------------------------------------------------------------------------------------------------


def test_dates_and_stamps_are_formatted_because_their_plain_form_is_a_preference():
    account = Account([], "id")
    list(opened(account).pages(stream("transaction"), WINDOW))
    text = account.statements[-1]
    assert "TO_CHAR(t.trandate, 'YYYY-MM-DD') AS trandate" in text
    assert "TO_CHAR(t.lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS lastmodifieddate" in text
    assert "t.foreigntotal, " in text
    assert "*" not in text


def test_an_incremental_window_is_local_time_of_the_connection_and_half_open():
    account = Account([], "id")
    list(opened(account).pages(stream("transaction"), WINDOW))
    assert (
        "WHERE t.lastmodifieddate >= TO_TIMESTAMP('2025-12-31 16:00:00', 'YYYY-MM-DD HH24:MI:SS') "
        "AND t.lastmodifieddate < TO_TIMESTAMP('2026-01-01 16:00:00', 'YYYY-MM-DD HH24:MI:SS') ORDER BY t.id"
    ) in account.statements[-1]


def test_from_the_beginning_rows_without_a_stamp_come_too():
    account = Account([], "id")
    list(opened(account).pages(stream("item"), ALL))
    assert "(t.lastmodifieddate < TO_TIMESTAMP(" in account.statements[-1]
    assert "OR t.lastmodifieddate IS NULL)" in account.statements[-1]


def test_a_full_read_has_no_window():
    account = Account([], "id")
    list(opened(account).pages(stream("transaction"), Window(None, ALL.end, full=True)))
    assert " WHERE " not in account.statements[-1]


def test_a_stream_may_have_another_table_name_and_a_column_another_field():
    account = Account([], "previousdoc")
    subject = opened(account)
    list(subject.pages(stream("nexttransactionlink"), WINDOW))
    assert " FROM NextTransactionLineLink t WHERE " in account.statements[-1]
    assert account.statements[-1].endswith(
        " ORDER BY t.previousdoc, t.previousline, t.nextdoc, t.nextline, t.linktype"
    )
    list(subject.pages(stream("customer"), WINDOW))
    assert "t.vatregnumber" in account.statements[-1]


@pytest.mark.parametrize("field", ["x FROM employee --", "a,b", "a b", "1a", "custentity_x)"])
def test_a_configured_field_name_cannot_carry_a_statement(field):
    connection = Connection(
        name="erp_us", system="netsuite", auth="tba", time_zone="UTC", options={"account": "1"},
        fields={"customer": {"tax_id": field}},
    )
    wanted = next(s for s in connection.selected() if s.name == "customer")
    with pytest.raises(ConfigError):
        list(opened(probe(), connection).pages(wanted, WINDOW))


def test_a_configured_field_in_capitals_would_land_as_nothing_and_is_an_error():
    connection = Connection(
        name="erp_us", system="netsuite", auth="tba", time_zone="UTC", options={"account": "1"},
        fields={"customer": {"tax_id": "custentity_TaxNo"}},
    )
    wanted = next(s for s in connection.selected() if s.name == "customer")
    with pytest.raises(ConfigError, match="write custentity_taxno"):
        list(opened(probe(), connection).pages(wanted, WINDOW))


# --- local time -------------------------------------------------------------------------------------------------------

ZONES = ["America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "UTC"]


@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)),
    length=st.integers(1, 72 * 60),
    inside=st.floats(0, 1, exclude_max=True),
)
def test_every_instant_of_a_window_lies_between_its_local_bounds(zone, start, length, inside):
    start = start.replace(tzinfo=UTC)
    end = start + timedelta(minutes=length)
    instant = start + (end - start) * inside
    low, high = local_bounds(start, end, ZoneInfo(zone))
    local = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert low <= local < high


def test_an_hour_that_happens_twice_is_read_twice():
    """1 November 2026 in Los Angeles: 01:00-02:00 comes at 08:00Z and again at 09:00Z."""
    zone = ZoneInfo("America/Los_Angeles")
    low, high = local_bounds(datetime(2026, 11, 1, 8, 30, tzinfo=UTC), datetime(2026, 11, 1, 9, 15, tzinfo=UTC), zone)
    assert low <= datetime(2026, 11, 1, 1, 0)
    assert high >= datetime(2026, 11, 1, 2, 0)


def test_far_from_a_clock_change_bounds_are_exact():
    zone = ZoneInfo("America/Los_Angeles")
    assert local_bounds(datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 7, 1, 13, tzinfo=UTC), zone) == (
        datetime(2026, 7, 1, 5), datetime(2026, 7, 1, 6),
    )


@given(st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)))
def test_a_bound_never_falls_into_the_hour_that_is_missing(start):
    """TO_TIMESTAMP of a local time that does not exist is an error at some databases. 8 March 2026, 02:00-03:00."""
    zone = ZoneInfo("America/Los_Angeles")
    start = start.replace(tzinfo=UTC)
    for bound in local_bounds(start, start + timedelta(hours=1), zone):
        back = bound.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
        assert back == bound


def test_the_window_of_a_deleted_feed_is_on_its_own_stamp():
    low, high = window_filters("deleteddate", WINDOW.start, WINDOW.end, ZoneInfo("UTC"))
    assert low == "t.deleteddate >= TO_TIMESTAMP('2026-01-01 00:00:00', 'YYYY-MM-DD HH24:MI:SS')"
    assert high == "t.deleteddate < TO_TIMESTAMP('2026-01-02 00:00:00', 'YYYY-MM-DD HH24:MI:SS')"


# --- paging -----------------------------------------------------------------------------------------------------------


def test_pages_go_by_key_from_offset_zero():
    account = Account([{"id": str(n)} for n in range(1, 2501)], "id")
    pages = list(opened(account).pages(stream("item"), Window(None, ALL.end, full=True)))
    assert [int(row["id"]) for row in rows(pages)] == list(range(1, 2501))
    assert [len(rows([page])) for page in pages] == [1000, 1000, 500]
    assert {r.url.params["offset"] for r in account.requests} == {"0"}
    assert "t.id > 1000 ORDER BY t.id" in account.statements[-2]


def test_ids_are_numbers_not_texts():
    """As texts, "10" comes before "9". NetSuite sends texts and orders by number; its own records have negative ids."""
    account = Account([{"id": str(n)} for n in (-5, -1, 9, 10, 100)], "id")
    page = next(opened(account, netsuite(page_size=2)).pages(stream("item"), ALL))
    assert [row["id"] for row in rows([page])] == ["-5", "-1"]
    account = Account([{"id": n} for n in (9, 10, 100)], "id")
    assert len(rows(list(opened(account, netsuite(page_size=1)).pages(stream("item"), ALL)))) == 3


def test_more_rows_than_one_statement_may_yield_come_whole(monkeypatch):
    """NetSuite refuses offsets from 100,000 on; here from 100 on."""
    monkeypatch.setattr(Account, "most", 100)
    account = Account([{"id": n} for n in range(1, 1016)], "id")
    pages = opened(account, netsuite(page_size=10)).pages(stream("item"), Window(None, ALL.end, full=True))
    assert [int(row["id"]) for row in rows(list(pages))] == list(range(1, 1016))


def test_one_key_with_more_rows_than_a_statement_may_yield_is_an_error(monkeypatch):
    monkeypatch.setattr(Account, "most", 20)
    monkeypatch.setattr("tieout.extract.suiteql.MOST_ROWS", 20)
    account = Account(links([3, 21]), *LINK_ORDER)
    with pytest.raises(SourceError, match="previousdoc 2 has over 20 rows"):
        list(opened(account, netsuite(page_size=4)).pages(stream("nexttransactionlink"), ALL))


def links(groups: list[int]) -> Rows:
    """Links with so many rows per previousdoc."""
    return [
        {"previousdoc": str(doc), "previousline": "1", "nextdoc": str(n), "nextline": "1", "linktype": 7}
        for doc, size in enumerate(groups, start=1)
        for n in range(size)
    ]


LINK_ORDER = ("previousdoc", "previousline", "nextdoc", "nextline", "linktype")


@settings(max_examples=50, deadline=None)
@given(groups=st.lists(st.integers(1, 12), max_size=12), page_size=st.integers(1, 5))
def test_a_key_that_spans_pages_loses_and_doubles_nothing(groups, page_size):
    wanted = links(groups)
    account = Account(list(reversed(wanted)), *LINK_ORDER)
    got = rows(list(opened(account, netsuite(page_size=page_size)).pages(stream("nexttransactionlink"), ALL)))
    assert [{k: v for k, v in row.items() if k != "links"} for row in got] == wanted


def test_a_page_that_is_cut_keeps_each_record_as_received():
    account = Account(links([2, 2]), *LINK_ORDER)
    first = next(opened(account, netsuite(page_size=3)).pages(stream("nexttransactionlink"), ALL))
    assert json.loads(first.body) == {"items": [{"links": [], **row} for row in links([2])]}


def test_links_are_protocol_noise_and_nulls_are_left_out():
    page = next(opened(Account([{"id": "1"}], "id")).pages(stream("item"), ALL))
    assert (page.records, page.noise, page.omits_nulls, page.media) == ("items", ("links",), True, "json")


def test_a_next_link_to_another_host_is_not_even_looked_at():
    evil = {
        "links": [{"rel": "next", "href": "https://evil.example.net/"}], "count": 1000, "hasMore": True, "offset": 0,
        "totalResults": 1001, "items": [{"id": str(n)} for n in range(1, 1001)],
    }
    wire = probe(items([]), answer(evil), items([{"id": "1001"}]))
    assert len(rows(list(opened(wire).pages(stream("item"), ALL)))) == 1001
    assert {r.url.host for r in wire.requests} == {HOST}


def full_page(first: int) -> httpx.Response:
    return items([{"id": str(n)} for n in range(first, first + 1000)], more=True)


def test_a_page_that_comes_again_is_a_loop():
    wire = probe(items([]), full_page(1), full_page(1))
    with pytest.raises(SourceError, match="same page|not in the order"):
        list(opened(wire).pages(stream("item"), ALL))


def test_rows_out_of_order_are_never_skipped_silently():
    shuffled = items([{"id": str(n)} for n in range(1000, 0, -1)], more=True)
    wire = probe(items([]), shuffled)
    with pytest.raises(SourceError, match="erp_us, stream item: rows are not in the order of id"):
        list(opened(wire).pages(stream("item"), ALL))


def test_a_count_that_disagrees_with_the_items_is_a_damaged_page():
    wrong = {"count": 3, "hasMore": False, "items": [{"id": "1"}], "offset": 0, "totalResults": 3}
    wire = probe(items([]), answer(wrong), items([{"id": "1"}]))
    assert len(list(opened(wire).pages(stream("item"), ALL))) == 1


def test_more_rows_after_a_short_page_are_not_believed():
    wire = probe(items([]), *[items([{"id": "1"}], more=True)] * 4)
    with pytest.raises(SourceError, match="more rows announced after 1 of 1000"):
        list(opened(wire).pages(stream("item"), ALL))


# --- children ---------------------------------------------------------------------------------------------------------


def lines(parents: dict[int, int]) -> Rows:
    pairs = [(parent, n) for parent, size in parents.items() for n in range(size)]
    return [{"uniquekey": str(k), "transaction": str(parent)} for k, (parent, _) in enumerate(pairs, start=1)]


def test_children_are_read_for_the_changed_parents_only():
    account = Account(lines({1: 2, 2: 3, 3: 4}), "uniquekey")
    pages = list(opened(account).pages(stream("transactionline"), WINDOW, iter(["1", "3"])))
    assert [row["transaction"] for row in rows(pages)] == ["1"] * 2 + ["3"] * 4
    assert "WHERE t.transaction IN (1,3) ORDER BY t.uniquekey" in account.statements[-1]
    assert "lastmodifieddate >=" not in account.statements[-1]


def test_a_parent_without_rows_is_named_all_the_same():
    pages = list(opened(Account([], "uniquekey")).pages(stream("transactionline"), WINDOW, iter(["7"])))
    assert [(page.parents, rows([page])) for page in pages] == [(("7",), [])]


def test_a_chunks_parents_ride_on_its_last_page_when_all_of_their_rows_are_there():
    parents = [str(n) for n in range(1, 11)]
    account = Account(lines(dict.fromkeys(range(1, 11), 7)), "uniquekey")
    pages = list(opened(account, netsuite(page_size=20)).pages(stream("transactionline"), WINDOW, iter(parents)))
    assert [page.parents for page in pages] == [(), (), (), tuple(parents)]
    assert len(rows(pages)) == 70


def test_many_parents_come_in_bounded_statements_and_in_order():
    parents = {n: n % 4 for n in range(1, 1301)}
    account = Account(lines(parents), "uniquekey")
    pages = list(opened(account).pages(stream("transactionline"), WINDOW, map(str, parents)))
    named = [parent for page in pages for parent in page.parents]
    assert named == [str(n) for n in parents]
    assert len(rows(pages)) == sum(parents.values())
    seen: set[str] = set()
    for page in pages:
        assert not {row["transaction"] for row in rows([page])} & seen
        seen |= set(page.parents)
    asked = [re.search(r"IN \((.*?)\)", text)[1].split(",") for text in account.statements if " IN (" in text]
    children = [ids for ids in asked if len(ids) > 1]
    assert max(map(len, children)) <= MOST_PARENTS
    assert max(map(len, account.statements)) < 8000


def test_no_changed_parents_ask_for_no_rows():
    account = Account(lines({1: 1}), "uniquekey")
    assert list(opened(account).pages(stream("transactionline"), WINDOW, iter([]))) == []


def test_children_without_parents_are_read_whole():
    account = Account(lines(dict.fromkeys(range(1, 500), 3)), "uniquekey")
    pages = list(opened(account).pages(stream("transactionline"), ALL))
    assert len(rows(pages)) == 499 * 3
    assert all(page.parents == () for page in pages)


def test_a_failing_chunk_fails_the_stream():
    def reply(request: httpx.Request) -> httpx.Response:
        return ns_error(403, "INSUFFICIENT_PERMISSION") if " IN (" in body(request)["q"] else items([])

    wire = Wire().on("POST", SUITEQL, reply, always=True)
    with pytest.raises(SourceError, match="INSUFFICIENT_PERMISSION"):
        list(opened(wire).pages(stream("transactionline"), WINDOW, iter(["1"])))


@pytest.mark.parametrize("bad", ["1) OR (1=1", "abc", "", "1,2", "1.5"])
def test_a_parent_that_is_no_id_never_reaches_a_statement(bad):
    with pytest.raises(SourceError, match="is not an internal id"):
        list(opened(Account([], "uniquekey")).pages(stream("transactionline"), WINDOW, iter([bad])))


def test_long_ids_make_smaller_chunks():
    sizes = [len(chunk) for chunk in chunks((f"{n:020d}" for n in range(1000)), "x")]
    assert sum(sizes) == 1000
    assert max(sizes) < 300


# --- accounting books -------------------------------------------------------------------------------------------------


def ledger(connection: Connection | None = None, *, book: Callable[[], httpx.Response] | None = None) -> list[str]:
    class Books(Account):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            text = json.loads(request.read())["q"]
            if "FROM accountingbook" in text and book:
                self.requests.append(request)
                return book()
            return super().handle_request(request)

    account = Books([], "transaction", "accountingbook", "transactionline")
    list(opened(account, connection).pages(stream("transactionaccountingline"), WINDOW, iter(["5"])))
    return account.statements


def test_only_the_primary_book_is_read_unless_told_otherwise():
    asked = ledger()
    assert "isprimary = 'T'" in asked[1]
    assert "WHERE t.accountingbook IN (1) AND t.transaction IN (5) ORDER BY" in asked[-1]
    assert asked[-1].endswith("ORDER BY t.transaction, t.accountingbook, t.transactionline")


def test_all_books_on_request():
    asked = ledger(netsuite(accounting_books="all"))
    assert not any("isprimary" in text for text in asked)
    assert "WHERE t.transaction IN (5) ORDER BY" in asked[-1]


def test_named_books_on_request():
    assert "t.accountingbook IN (1,3)" in ledger(netsuite(accounting_books=[1, "3"]))[-1]


def test_without_multi_book_there_is_no_filter():
    asked = ledger(book=lambda: ns_error(400, "INVALID_PARAMETER", "Record 'accountingbook' was not found."))
    assert "t.accountingbook IN" not in asked[-1]


def test_without_a_book_column_every_line_is_of_book_one():
    """Then the column is no column there, and it is part of the key."""
    detail = "Search error occurred: Field 'accountingbook' for record 'transactionaccountingline' was not found."
    wire = probe(ns_error(400, "INVALID_PARAMETER", detail), items([]), items([]))
    list(opened(wire).pages(stream("transactionaccountingline"), WINDOW, iter(["5"])))
    asked = body(wire.requests[-1])["q"]
    assert "1 AS accountingbook" in asked
    assert asked.endswith("WHERE t.transaction IN (5) ORDER BY t.transaction, t.transactionline")


# --- what an account serves -------------------------------------------------------------------------------------------


def lost(word: str, table: str = "customer") -> httpx.Response:
    return ns_error(400, "INVALID_PARAMETER", (
        "Invalid search query. Detailed unprocessed description follows. "
        f"Search error occurred: Field '{word}' for record '{table}' was not found. Reason: REMOVED - Field is removed"
    ))


def test_an_optional_column_that_is_not_served_is_left_out():
    wire = probe(lost("currency"), lost("vatregnumber"), items([]), items([]))
    subject = opened(wire)
    list(subject.pages(stream("customer"), WINDOW))
    asked = body(wire.requests[-1])["q"]
    assert "t.currency" not in asked
    assert "vatregnumber" not in asked
    assert "t.companyname" in asked
    assert subject.facts.notes["absent_fields"] == {"customer": ["currency", "vatregnumber"]}


def test_an_account_is_probed_once_per_stream():
    account = Account([], "id")
    subject = opened(account)
    subject.available(stream("currency"))
    list(subject.pages(stream("currency"), WINDOW))
    list(subject.pages(stream("currency"), WINDOW))
    assert sum("1 = 0" in text for text in account.statements) == 1


def test_another_column_that_is_not_served_is_a_schema_error_that_names_it():
    wire = probe(lost("companyname"))
    with pytest.raises(SchemaError, match="connection erp_us: table customer has no column companyname"):
        list(opened(wire).pages(stream("customer"), WINDOW))


def test_a_refusal_without_a_name_is_narrowed_down_to_the_optional_column():
    def reply(request: httpx.Request) -> httpx.Response:
        refused = ns_error(400, "INVALID_PARAMETER", "Invalid or unsupported search")
        return refused if "vatregnumber" in body(request)["q"] else items([])

    wire = Wire().on("POST", SUITEQL, reply, always=True)
    subject = opened(wire)
    list(subject.pages(stream("customer"), WINDOW))
    assert "t.currency" in body(wire.requests[-1])["q"]
    assert subject.facts.notes["absent_fields"] == {"customer": ["vatregnumber"]}


def test_a_refusal_that_is_no_matter_of_columns_stays_an_error():
    wire = Wire().on("POST", SUITEQL, ns_error(400, "INVALID_PARAMETER", "Invalid or unsupported search"), always=True)
    with pytest.raises(SourceError, match="Invalid or unsupported search"):
        list(opened(wire).pages(stream("customer"), WINDOW))


@pytest.mark.parametrize("name", ["subsidiary", "currency", "accountingbook"])
def test_tables_of_features_that_are_off_are_not_available(name):
    wire = probe(ns_error(400, "INVALID_PARAMETER", f"Search error occurred: Record '{name}' was not found."))
    assert opened(wire).available(stream(name)) is False


def test_a_table_that_is_no_feature_must_be_served():
    wire = probe(ns_error(400, "INVALID_PARAMETER", "Search error occurred: Record 'item' was not found."))
    subject = opened(wire)
    assert subject.available(stream("item")) is True
    with pytest.raises(SchemaError, match="connection erp_us: table item is not served"):
        list(subject.pages(stream("item"), WINDOW))


# --- errors -----------------------------------------------------------------------------------------------------------


def test_too_many_requests_at_once_backs_off():
    wire = probe(ns_error(429, "CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded."), items([]))
    sleeps = Sleeps()
    opened(wire, sleep=sleeps).test()
    assert len(sleeps) == 1


@pytest.mark.parametrize("code", ["SSS_REQUEST_LIMIT_EXCEEDED", "CONCURRENCY_LIMIT_EXCEEDED"])
def test_a_limit_may_come_as_another_status(code):
    opened(probe(ns_error(400, code), items([]))).test()


def test_a_limit_that_does_not_pass_is_a_rate_limit_error():
    wire = Wire().on("POST", SUITEQL, ns_error(429, "CONCURRENCY_LIMIT_EXCEEDED"), always=True)
    with pytest.raises(RateLimitError, match="CONCURRENCY_LIMIT_EXCEEDED"):
        opened(wire).test()


def test_an_unexpected_error_is_tried_a_few_times_and_hints_at_a_column():
    wire = Wire().on("POST", SUITEQL, ns_error(500, "UNEXPECTED_ERROR", "Error ID: abc"), always=True)
    with pytest.raises(SourceError, match="UNEXPECTED_ERROR: Error ID: abc\n.*fields"):
        opened(wire).test()
    assert len(wire.requests) == 4


@pytest.mark.parametrize("status", [502, 503, 504])
def test_maintenance_is_waited_for(status):
    opened(probe(httpx.Response(status, html="<html><title>Maintenance</title></html>"), items([]))).test()


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "INVALID_HEADER"), (403, "INSUFFICIENT_PERMISSION"), (404, "NONEXISTENT_ID"), (405, "METHOD_NOT_ALLOWED")],
)
def test_other_refusals_are_final(status, code):
    wire = probe(ns_error(status, code))
    with pytest.raises(SourceError, match=code):
        opened(wire).test()
    assert len(wire.requests) == 1


def test_a_200_with_an_error_body_is_an_error():
    value = {"status": 400, "o:errorDetails": [{"detail": "nope", "o:errorCode": "INVALID_PARAMETER"}]}
    with pytest.raises(SourceError, match="INVALID_PARAMETER: nope"):
        opened(probe(answer(value, 200))).test()


def test_the_clock_is_the_vendors():
    assert opened(probe(items([]))).now() == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_doctors_line():
    assert opened(probe(items([]))).test() == f"NetSuite account 1234567_SB1 at https://{HOST}"
