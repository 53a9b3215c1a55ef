"""Pages become chunks: nothing lost, numbers exact, cut pages refused by name."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import demo_company
from tieout.errors import SchemaError, SourceError
from tieout.extract import Page
from tieout.landing.parents import nested
from tieout.landing.parse import Chunk, Parser
from tieout.landing.spans import record_spans
from tieout.spec import Company, Connection, Stream


@pytest.fixture(scope="module")
def connection() -> Connection:
    return demo_company().connection("salesforce")


@pytest.fixture(scope="module")
def stream(connection: Connection) -> Stream:
    return next(s for s in connection.selected() if s.name == "CurrencyType")


FULL = {
    "Id": "1",
    "IsoCode": "EUR",
    "ConversionRate": 1,
    "DecimalPlaces": 2,
    "IsActive": True,
    "IsCorporate": False,
    "SystemModstamp": "2025-01-01T00:00:00Z",
}


def page(body: str | bytes, **options: object) -> Page:
    return Page("CurrencyType", body.encode() if isinstance(body, str) else body, **{"records": "records", **options})


def one(connection: Connection, stream: Stream, *pages: Page) -> tuple[Chunk, Parser]:
    parser = Parser(connection, stream)
    chunks = list(parser.chunks(pages))
    assert len(chunks) == 1
    return chunks[0], parser


def test_numbers_keep_every_digit(connection: Connection, stream: Stream) -> None:
    chunk, _ = one(
        connection,
        stream,
        page(
            '{"records":[{"IsoCode":"EUR","ConversionRate":1.10},'
            '{"IsoCode":"XXX","ConversionRate":123456789012345678.90123456789}]}'
        ),
    )
    assert chunk.is_columnar
    assert chunk.values["conversionrate"].to_pylist() == [Decimal("1.10"), Decimal("123456789012345678.90123456789")]
    chunk, _ = one(connection, stream, page('{"records":[{"ConversionRate":1.10},{"ConversionRate":1e30}]}'))
    assert chunk.values["conversionrate"] == ["1.10", "1e30"], "what Arrow would wrap around stays as received"


def test_undeclared_fields_are_kept_as_received_and_reported_noise_is_not(
    connection: Connection, stream: Stream
) -> None:
    body = '{"records":[{"attributes":{"url":"/x"},"IsoCode":"EUR","Zeta":1.50,"Alpha":{"b":[1]}},{"IsoCode":"USD"}]}'
    chunk, parser = one(connection, stream, page(body, noise=("attributes",)))
    assert chunk.extra == ['{"Alpha":{"b":[1]},"Zeta":1.50}', None]
    assert parser.drift.new == {"Alpha", "Zeta"}
    assert chunk.values["isocode"] == ["EUR", "USD"]


def test_records_are_archived_byte_for_byte(connection: Connection, stream: Stream) -> None:
    record = '{"IsoCode" : "EUR",  "ConversionRate":1.10 , "x":"\\u00e4"}'
    chunk, _ = one(connection, stream, page('{"totalSize":1,"records":[' + record + "]}"))
    assert chunk.records.to_pylist() == [record.encode()]


def test_field_missing_from_every_record_is_drift_where_nulls_are_sent(connection: Connection, stream: Stream) -> None:
    sent = {**FULL, "DecimalPlaces": None}
    del sent["IsCorporate"]
    _, parser = one(connection, stream, page(json.dumps({"records": [sent, sent]})))
    assert parser.missing() == ["IsCorporate"]
    _, parser = one(connection, stream, page(json.dumps({"records": [sent]}), omits_nulls=True))
    assert parser.missing() == []
    _, parser = one(connection, stream, page(json.dumps({"records": [FULL]})))
    assert parser.missing() == []


def test_what_is_nested_lacks_fields_as_the_records_do_that_it_is_nested_in() -> None:
    """A first load of QuickBooks' credit memos has no discount in any line: that is no lost field."""
    book = Company(version=1, connections={"books": {
        "system": "quickbooks", "auth": "refresh_token", "time_zone": "UTC", "legal_entity": "US01",
        "options": {"realm_id": "1"}}}).connection("books")
    lines = next(s for s in book.selected() if s.name == "CreditMemoLine")
    memo = {"Id": "7", "$lines": [{"Position": "1", "Kind": "line", "Amount": 5}]}
    [chunk], parser = [*nested(book, lines, [Page("CreditMemo", json.dumps([memo]).encode())])], Parser(book, lines)
    [read] = parser.chunks([chunk])
    assert (read.count, chunk.parents, parser.missing()) == (1, ("7",), [])


@pytest.mark.parametrize(
    "body",
    [
        '{"records":[{"IsoCode":"EUR"},{"IsoCode":"US',
        '{"records":[{"IsoCode":"EUR"}]',
        '{"records":[{"IsoCode":"EUR"}',
        "",
        "[]",
        '{"other":[]}',
        '{"records":{"IsoCode":"EUR"}}',
        "<html>Bad gateway</html>",
        '{"records":["EUR"',
    ],
)
def test_cut_or_foreign_page_names_connection_and_stream(connection: Connection, stream: Stream, body: str) -> None:
    with pytest.raises(SourceError, match=r"salesforce\.CurrencyType"):
        list(Parser(connection, stream).chunks([page(body)]))


def test_record_with_half_a_character_does_not_stop_the_others(connection: Connection, stream: Stream) -> None:
    body = (
        b'{"done":true,"records":[{"IsoCode":"EUR","ConversionRate":1.10},{"IsoCode":"\\ud800"},'
        b'{"IsoCode":"U\xffD"},{"IsoCode":"USD"}]}'
    )
    chunk, _ = one(connection, stream, page(body))
    assert chunk.values["isocode"] == ["EUR", "USD"]
    assert chunk.values["conversionrate"] == ["1.10", None]
    assert [b.payload for b in chunk.broken] == ['{"IsoCode":"\\ud800"}', '{"IsoCode":"U\\xffD"}']


def test_record_that_is_no_object_is_broken_alone(connection: Connection, stream: Stream) -> None:
    chunk, _ = one(connection, stream, page('{"records":[{"IsoCode":"EUR"},42]}'))
    assert chunk.values["isocode"] == ["EUR"]
    assert [b.payload for b in chunk.broken] == ["42"]


def test_pages_are_joined_until_their_kind_changes(connection: Connection, stream: Stream) -> None:
    parser = Parser(connection, stream)
    pages = [
        page('{"records":[{"IsoCode":"A"}]}'),
        page('{"records":[{"IsoCode":"B","New":1}]}', parents=("p",)),
        page('{"records":[{"IsoCode":"A"}]}', deleted=True),
    ]
    chunks = list(parser.chunks(pages))
    assert [(c.count, c.notices, c.parents, c.extra) for c in chunks] == [
        (1, False, (), None),
        (1, False, ("p",), ['{"New":1}']),
        (1, True, (), [None]),
    ]


def test_csv_has_empty_as_null_quotes_and_newlines(connection: Connection, stream: Stream) -> None:
    body = '"IsoCode","ConversionRate","Note"\n"EUR","1.10","two\nlines, ""quoted"""\n"USD","",""\n'
    chunk, parser = one(connection, stream, Page("CurrencyType", body.encode(), "csv"))
    assert chunk.values["isocode"].to_pylist() == ["EUR", "USD"]
    assert chunk.values["conversionrate"].to_pylist() == ["1.10", None]
    assert chunk.extra == ['{"Note":"two\\nlines, \\"quoted\\""}', None]
    assert "IsActive" in parser.missing() and "IsoCode" not in parser.missing()


@pytest.mark.parametrize("body", ['"IsoCode","ConversionRate"\n"EUR"\n', '"IsoCode"\n"EU', b'"IsoCode"\n"\xff"\n'])
def test_cut_csv_names_connection_and_stream(connection: Connection, stream: Stream, body: str | bytes) -> None:
    with pytest.raises(SourceError, match=r"salesforce\.CurrencyType"):
        list(Parser(connection, stream).chunks([page(body, media="csv")]))


def test_csv_that_names_a_column_twice_is_refused(connection: Connection, stream: Stream) -> None:
    with pytest.raises(SchemaError, match="twice"):
        list(Parser(connection, stream).chunks([page('"Id","Id"\n"1","2"\n', media="csv")]))


def test_header_only_csv_and_empty_page_are_no_records(connection: Connection, stream: Stream) -> None:
    for empty in (page('"Id","IsoCode"\n', media="csv"), page("", media="csv"), page('{"records":[]}')):
        chunk, _ = one(connection, stream, empty)
        assert chunk.count == 0


def test_arrow_batch(connection: Connection, stream: Stream) -> None:
    batch = pa.record_batch({"IsoCode": ["EUR"], "Other": [5]})
    chunk, _ = one(connection, stream, Page("CurrencyType", batch, "arrow"))
    assert chunk.values["isocode"].to_pylist() == ["EUR"]
    assert chunk.extra == ['{"Other":5}']


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5),
            st.recursive(
                st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9)),
                lambda inner: st.lists(inner, max_size=3),
            ),
            max_size=4,
        ),
        max_size=6,
    ),
    st.sampled_from(["", "a", "a.b"]),
    st.sampled_from([None, 1]),
)
def test_spans_are_the_records(records: list[dict], path: str, indent: int | None) -> None:
    body: object = records
    for step in reversed(path.split(".") if path else []):
        body = {"before": "]}", step: body, "after": [1]}
    spans = record_spans(json.dumps(body, indent=indent).encode(), path)
    assert [json.loads(span) for span in spans] == records
