"""Erased persons are hidden as they arrive: in each form of a page, nested or broken, and nobody else is."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from tieout import spec_streams
from tieout.errors import SecretError
from tieout.extract import Page
from tieout.landing.erased import ANY, WITHHELD, Erased, Marks, canonical, key_check
from tieout.landing.parse import Parser
from tieout.landing.veil import hashed
from tieout.spec import Connection, Stream, shipped

KEY = "0123456789abcdef" * 4
MARKS = Marks("qwertyuiopasdfgherased", "h1:" + "0" * 64)
NAME, MAIL = "Zora Quillfeather", "zora@quill.example"


def hashes(*ids: str, where: str = ANY) -> dict[tuple[str, str], Marks]:
    return {(where, hashed(KEY.encode(), one)): MARKS for one in ids}


def parsed(connection: Connection, name: str, page: Page, known: dict) -> tuple[object, Erased]:
    stream = next(one for one in connection.every() if one.name == name)
    erased = Erased(connection, stream, known, frozenset({key_check(KEY.encode())}))
    (chunk,) = Parser(connection, stream, erased).chunks([page])
    return chunk, erased


def everything(chunk) -> str:
    return repr((chunk.values, chunk.extra, chunk.records.to_pylist(), chunk.broken))


def values(chunk, column: str) -> list:
    found = chunk.values[column]
    return found if isinstance(found, list) else found.to_pylist()


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setenv("TIEOUT_SECRET_CRM__HASH_KEY", KEY)
    return Connection.model_validate({
        "name": "crm", "system": "salesforce", "auth": "client_credentials", "time_zone": "UTC",
        "fields": {"Account": {"tax_id": "VAT__c"}}, "options": {"login_url": "https://acme.my.salesforce.com"}})


@pytest.fixture
def erp(monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setenv("TIEOUT_SECRET_ERP__HASH_KEY", KEY)
    return Connection.model_validate({
        "name": "erp", "system": "netsuite", "auth": "tba", "time_zone": "UTC", "options": {"account": "1"}})


ROWS = [
    {"Id": "A1", "Name": NAME, "BillingCity": "Town", "VAT__c": "DE1", "Phone": None, "Website": "", "Odd__c": MAIL},
    {"Id": "A2", "Name": "Other", "BillingCity": "Town", "VAT__c": "DE2", "Phone": "+1", "Website": "x", "Odd__c": "y"},
]


@pytest.mark.parametrize("page", [
    Page("Account", json.dumps({"records": ROWS}).encode(), records="records"),
    Page("Account", pa.RecordBatch.from_pylist(ROWS), "arrow"),
    Page("Account", b"Id,Name,BillingCity,VAT__c,Phone,Website,Odd__c\n"
         + "".join(",".join(v or "" for v in row.values()) + "\n" for row in ROWS).encode(), "csv"),
], ids=["json", "arrow", "csv"])
def test_the_person_is_hidden_in_every_form_and_nobody_else_is(crm, page):
    chunk, _ = parsed(crm, "Account", page, hashes("A1"))
    assert values(chunk, "id") == ["A1", "A2"]
    assert values(chunk, "name") == [MARKS.text, "Other"] and values(chunk, "billingcity") == [MARKS.text, "Town"]
    assert values(chunk, "tax_id") == [MARKS.text, "DE2"], "by the connection's own name of the field"
    assert values(chunk, "phone") == [None, "+1"] and values(chunk, "website")[0] in (None, ""), "nothing stays nothing"
    assert json.loads(chunk.extra[0])["Odd__c"] == MARKS.text and json.loads(chunk.extra[1])["Odd__c"] == "y"
    assert NAME not in everything(chunk) and MAIL not in everything(chunk) and "DE1" not in everything(chunk)


def test_amounts_days_and_what_vendors_wrap_around_a_record_stay_as_they_came(crm):
    body = (b'[{"attributes":{"type":"Opportunity","url":"u"},"Id":"O1","AccountId":"A1","Name":"Deal",'
            b'"Said__c":"Zora","Amount":1234.5000,"CloseDate":"2026-01-31","Score__c":7.10,"Nested__c":{"who":"Zora"}}]')
    chunk, _ = parsed(crm, "Opportunity", Page("Opportunity", body, noise=("attributes",)), hashes("A1"))
    record = chunk.records.to_pylist()[0]
    assert b'"Amount":1234.5000' in record and b'"attributes":{"type":"Opportunity","url":"u"}' in record
    assert values(chunk, "amount") == ["1234.5000"] and values(chunk, "closedate") == ["2026-01-31"]
    assert values(chunk, "name") == ["Deal"] and "Zora" not in everything(chunk)
    assert json.loads(chunk.extra[0]) == {"Nested__c": None, "Said__c": MARKS.text, "Score__c": 7.1}


def test_a_page_about_nobody_is_the_page_that_came(crm):
    page = Page("Account", json.dumps({"records": ROWS}).encode(), records="records")
    erased = Erased(crm, next(one for one in crm.every() if one.name == "Account"), hashes("A9"))
    assert erased.json(page, lambda body, path: [{} for _ in ROWS]) is page
    assert not Erased(crm, erased.stream), "where nobody was erased, nothing is asked"


def test_a_record_that_is_no_json_is_withheld_where_it_names_the_person(crm):
    name = NAME.encode()
    body = (b'[{"Id":"A1","Name":"%s","Type":"\xff"},{"Id":"A2","Name":"b\xff"},{"Id":"A1","Name":"%s\xff"},'
            b'{"Id":"A1","Name":"%s"}]' % (name, name, name))
    chunk, _ = parsed(crm, "Account", Page("Account", body), hashes("A1"))
    assert [one.payload for one in chunk.broken] == [WITHHELD, '{"Id":"A2","Name":"b\\xff"}', WITHHELD]
    assert values(chunk, "name") == [MARKS.text]
    assert NAME not in everything(chunk)


def test_broken_rows_of_files_are_withheld_too(crm):
    page = Page("Account", b"[]", broken=((f"A1;{NAME}", "too few values"), ("A2;x", "too few values")))
    chunk, _ = parsed(crm, "Account", page, hashes("A1"))
    assert [one.payload for one in chunk.broken] == [WITHHELD, "A2;x"]


def test_what_leads_from_the_person_to_other_rows_is_learned(erp):
    book = Page("b", b'[{"internalid":"1","entity":"7","addressbookaddress":"55"},'
                     b'{"internalid":"2","entity":"8","addressbookaddress":"56"}]')
    _, erased = parsed(erp, "customeraddressbook", book, hashes("7"))
    assert erased._mask.learned == {("customeraddressbookentityaddress", "55"): MARKS}
    address = Page("a", b'[{"nkey":"55","addr1":"17 Lane","city":"T"},{"nkey":"7","addr1":"elsewhere","city":"U"}]')
    known = hashes("7") | hashes("55", where="customeraddressbookentityaddress")
    chunk, _ = parsed(erp, "customeraddressbookentityaddress", address, known)
    assert values(chunk, "addr1") == [MARKS.text, "elsewhere"], "an address with the customer's number is another thing"


def test_a_hashed_person_gets_another_pseudonym_that_lands_again_as_it_is(monkeypatch):
    for name in ("consumer_key", "consumer_secret"):
        monkeypatch.setenv(f"TIEOUT_SECRET_CARE__{name}".upper(), f"a secret {name}")
    monkeypatch.setenv("TIEOUT_SECRET_CARE__HASH_KEY", KEY)
    care = Connection.model_validate({
        "name": "care", "system": "health_cloud", "auth": "client_credentials", "time_zone": "UTC",
        "options": {"login_url": "https://acme.my.salesforce.com"}})
    page = Page("m", b'[{"Id":"1","MemberId":"P1","SubscriberId":"P2"},{"Id":"2","MemberId":"P3","SubscriberId":"P1"}]')
    chunk, _ = parsed(care, "MemberPlan", page, hashes("P1"))
    assert values(chunk, "memberid") == [MARKS.pseudonym, hashed(KEY.encode(), "P3")]
    assert values(chunk, "subscriberid") == [hashed(KEY.encode(), "P2"), MARKS.pseudonym]
    again, _ = parsed(care, "MemberPlan", Page("m", b"[" + b",".join(chunk.records.to_pylist()) + b"]"), hashes("P1"))
    assert values(again, "memberid") == values(chunk, "memberid")


def test_nested_records_of_the_person_are_hidden_in_their_parents(monkeypatch):
    """A company's own system: lines in the orders, each with its own contact."""
    monkeypatch.setenv("TIEOUT_SECRET_SHOP__HASH_KEY", KEY)
    columns = {"id": "text", "customer": "text"}
    shop = Connection.model_validate({
        "name": "shop", "system": "generic", "role": "crm", "protocol": "rest", "auth": "none", "time_zone": "UTC",
        "options": {"base_url": "http://127.0.0.1:1"},
        "streams": {
            "orders": {"key": ["id"], "mode": "full", "columns": columns, "person": "customer",
                       "options": {"path": "/orders"}},
            "lines": {"key": ["id"], "explode": "data.lines", "parent": {"stream": "orders", "column": "order_id"},
                      "person": "customer",
                      "columns": {**columns, "order_id": "text", "note": {"type": "text", "pii": "text"}}}}})
    line = {"id": "1", "customer": "P1", "note": NAME}
    orders = [{"id": "o1", "customer": "P9", "data": {"lines": [line, {**line, "customer": "P8", "note": "ours"}]}},
              {"id": "o2", "customer": "P1", "data": {"lines": [{**line, "customer": None}]}},
              {"id": "o3", "customer": "P1", "data": "no lines, but a word"}]
    chunk, _ = parsed(shop, "orders", Page("orders", json.dumps(orders).encode()), hashes("P1"))
    found = [json.loads(record) for record in chunk.records.to_pylist()]
    assert [one["note"] for one in found[0]["data"]["lines"]] == [MARKS.text, "ours"]
    assert found[1]["data"]["lines"][0]["note"] == MARKS.text and found[2]["data"] is None
    assert NAME not in everything(chunk)


def test_another_key_is_refused_before_anything_lands(crm, monkeypatch):
    monkeypatch.setenv("TIEOUT_SECRET_CRM__HASH_KEY", "x" * 40)
    with pytest.raises(SecretError, match="crm: persons were erased under another hash_key"):
        parsed(crm, "Account", Page("Account", json.dumps(ROWS).encode()), hashes("A1"))


@pytest.mark.parametrize(("one", "other"), [
    ("0000123", "123"), (123, "123"), (" A1 ", "A1"), ("000", "0"), ("0A", "0A"),
])
def test_ids_are_compared_without_the_zeros_in_front(one, other):
    assert canonical(one) == other


def test_every_personal_column_of_every_source_says_whose_it_is():
    silent = [f"{source.system}.{stream.name}" for source in shipped() for stream in source.streams
              if any(column.pii and not column.hashed for column in stream.columns) and not stream.person]
    assert silent == []
    led = [stream.name for source in shipped() for stream in source.streams if stream.person]
    assert len(led) > 20


@pytest.mark.parametrize(("person", "problem"), [
    ({"column": "a", "of": "other"}, "`of` and `at` go together"),
    ({"column": "b"}, "person names 'b', which is not a declared column"),
])
def test_a_way_to_a_person_is_whole(person, problem):
    with pytest.raises(ValueError, match=problem):
        Stream.model_validate({"name": "s", "table": "s", "key": ["a"], "mode": "full", "person": person,
                               "columns": [{"name": "a", "field": "a", "type": "text"}]})


@pytest.mark.parametrize(("ways", "problem"), [
    ({"s": ("a", "t", "a")}, "leads to no person"),
    ({"s": ("a", "t", "a"), "t": ("a", "s", "a")}, "in a circle: s → t → s"),
])
def test_a_way_to_a_person_ends_at_one(ways, problem):
    streams = tuple(Stream.model_validate({
        "name": name, "table": name, "key": ["a"], "mode": "full",
        "columns": [{"name": "a", "field": "a", "type": "text"}],
        "person": dict(zip(("column", "of", "at"), ways[name], strict=True)) if name in ways else None})
        for name in ("s", "t"))
    with pytest.raises(ValueError, match=problem):
        spec_streams.check_links(streams)
