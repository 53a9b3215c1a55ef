"""Strange names: shown with nothing hidden, folded as a reader's eye folds them, read from every kind of page."""

from __future__ import annotations

import json
import unicodedata
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.conftest import demo_company
from tieout.errors import SchemaError, SourceError, TieoutError
from tieout.extract import Page
from tieout.landing import drift
from tieout.landing.names import folded, visible
from tieout.landing.parse import Chunk, Parser
from tieout.spec import Column, Connection, Stream

HOSTILE = {
    "sql": 'x"; drop table raw.x; --',
    "jinja expression": "{{ run_query('drop table raw.x') }}",
    "jinja statement": "{% set x = 1 %}",
    "reserved word": "select",
    "dots": "a.b.c",
    "quote": 'say "no"',
    "backslash": "a\\b",
    "newline": "a\nb",
    "tab": "a\tb",
    "nul": "a\x00b",
    "empty": "",
    "blank": " ",
    "63 bytes": "c" * 63,
    "64 bytes": "c" * 64,
    "very long": "long" * 5_000,
    "cyrillic": "\u0410mount",
    "full width": "\uff21mount",
    "zero width": "Am\u200bount",
    "direction": "Am\u202eount",
    "emoji": "💶",
    "ours": "_key",
    "our reserved word": "_tieout_mapped",
    "html": "<script>alert(1)</script>",
    "rich markup": "[/red] [bold]",
    "terminal": "\x1b[31mred\x1b[0m",
    "a spreadsheet's formula": "=1+1",
}


@pytest.fixture(scope="module")
def connection() -> Connection:
    return demo_company().connection("salesforce")


@pytest.fixture(scope="module")
def stream(connection: Connection) -> Stream:
    return next(s for s in connection.selected() if s.name == "CurrencyType")


def declared(stream: Stream, field: str) -> Stream:
    """The stream with one more column, whose vendor's word is `field`."""
    return stream.model_copy(update={"columns": (*stream.columns, Column(name="strange", type="text", field=field))})


def parsed(connection: Connection, stream: Stream, page: Page) -> tuple[Chunk, Parser]:
    parser = Parser(connection, stream)
    (chunk,) = parser.chunks([page])
    return chunk, parser


def json_page(*records: dict) -> Page:
    return Page("CurrencyType", json.dumps(list(records)).encode())


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_undeclared_name_keeps_its_value_and_is_reported_visibly(
    connection: Connection, stream: Stream, name: str
) -> None:
    chunk, parser = parsed(connection, stream, json_page({"IsoCode": "EUR", name: "{{ 7 * 7 }}"}))
    kept = json.loads(chunk.extra[0])
    assert kept == {f"_{name}" if name.startswith("_tieout") else name: "{{ 7 * 7 }}"}
    (shown,) = [*map(visible, parser.drift.new)]
    assert shown.isprintable() and len(shown) <= 201
    assert "\x00" not in json.loads(json.dumps(shown)), "jsonb takes it"


@pytest.mark.parametrize("name", [name for name in HOSTILE.values() if name])  # no `field` means: not at this vendor
def test_declared_name_is_read_whatever_it_is(connection: Connection, stream: Stream, name: str) -> None:
    wanted = declared(stream, name)
    chunk, parser = parsed(connection, wanted, json_page({"IsoCode": "EUR", name: "a", "ConversionRate": 1.10}))
    assert [str(value) for value in chunk.values["strange"]] == ["a"]
    assert Decimal(str(chunk.values["conversionrate"][0])) == Decimal("1.1")
    assert parser.drift.new == set() and (chunk.extra or [None]) == [None]


@pytest.mark.parametrize("name", [n for n in HOSTILE.values() if n != "a\x00b"])
def test_csv_and_arrow_read_any_name(connection: Connection, stream: Stream, name: str) -> None:
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["IsoCode", name], ["EUR", "1.10"]])
    csv_page = Page("CurrencyType", text.getvalue().encode(), "csv")
    arrow_page = Page("CurrencyType", pa.record_batch([["EUR"], ["1.10"]], ["IsoCode", name]), "arrow")
    for page in (csv_page, arrow_page):
        chunk, parser = parsed(connection, stream, page)
        assert [*json.loads(chunk.extra[0]).values()] == ["1.10"], "as text: no digit is lost"
        assert len(parser.drift.new) == 1


def test_line_break_in_a_quoted_csv_header_is_part_of_the_name(connection: Connection, stream: Stream) -> None:
    body = b'"IsoCode","ConversionRate","net\namount"\r\n"EUR","1.10","0.10"\r\n'
    chunk, parser = parsed(connection, stream, Page("CurrencyType", body, "csv"))
    assert chunk.values["conversionrate"].to_pylist() == ["1.10"]
    assert json.loads(chunk.extra[0]) == {"net\namount": "0.10"}
    assert parser.drift.new == {"net\namount"}


@pytest.mark.parametrize(
    ("received", "kind"),
    [
        ("ISOCODE", "case"),
        ("isocode", "case"),
        ("IsoC\u043ede", "cyrillic o"),
        ("\uff29soCode", "full width"),
        ("Iso\u200bCode", "zero width"),
        ("Iso\u202eCode", "direction"),
        ("Iso Code", "blank"),
        (" IsoCode", "leading blank"),
    ],
)
def test_a_name_that_only_looks_declared_is_called_respelled(stream: Stream, received: str, kind: str) -> None:
    assert drift._respelled(stream, {received}) == {received: "IsoCode"}


@pytest.mark.parametrize("received", ["IsoCode2", "Code", "Währung", "Is0Code"])
def test_another_name_is_another_name(stream: Stream, received: str) -> None:
    assert drift._respelled(stream, {received}) == {}


def test_composed_and_decomposed_letters_fold_together() -> None:
    name = "Währung"
    assert folded(unicodedata.normalize("NFD", name)) == folded(unicodedata.normalize("NFC", name))


def test_visible_is_the_identity_for_plain_names() -> None:
    for name in ("Amount", "Währung", "売上", "foreign amount", "a-b.c"):
        assert visible(name) == name
    assert visible("a\u202eb\x00c") == "a\\u202eb\\u0000c"
    assert visible("x" * 500) == "x" * 200 + "…"


def test_names_without_end_are_counted_not_kept(connection: Connection, stream: Stream) -> None:
    parser = Parser(connection, stream)
    list(parser.chunks([json_page(*({"IsoCode": "EUR", f"f{i}": 1} for i in range(1_000)))]))
    assert (len(parser.drift.new), parser.drift.unnamed) == (200, 800)


# --- forms ------------------------------------------------------------------------------------------------------------


def test_forms_are_those_of_the_first_records(connection: Connection, stream: Stream) -> None:
    record = {"Id": 1.0, "IsoCode": {"a": 1}, "ConversionRate": 1.5, "IsActive": True, "DecimalPlaces": "2"}
    _, parser = parsed(connection, stream, json_page(record))
    assert parser.drift.forms == {
        "Id": {"number"}, "IsoCode": {"object"}, "ConversionRate": {"number"}, "IsActive": {"flag"},
        "DecimalPlaces": {"text"},
    }  # fmt: skip


def test_decimal_keys_are_told_from_whole_ones(connection: Connection) -> None:
    user = next(s for s in connection.selected() if s.name == "User")
    for value, form in ((1, "number"), (1.0, "decimal number"), ("1", "text")):
        parser = Parser(connection, user)
        list(parser.chunks([Page("User", json.dumps([{"Id": value}]).encode())]))
        assert parser.drift.forms["Id"] == {form}


def test_a_name_twice_in_a_record_is_reported(connection: Connection, stream: Stream) -> None:
    body = b'[{"IsoCode":"EUR","ConversionRate":1.0,"ConversionRate":2.0,"x":1,"x":2}]'
    chunk, parser = parsed(connection, stream, Page("CurrencyType", body))
    assert parser.drift.twice == {"ConversionRate", "x"}
    assert chunk.values["conversionrate"] == ["2.0"], "the last one counts, as for every JSON reader"
    assert chunk.records.to_pylist() == [body[1:-1]], "the archive holds both"


# --- pages that cannot be joined or read ------------------------------------------------------------------------------


def test_table_pages_that_differ_are_refused_by_name(connection: Connection, stream: Stream) -> None:
    pages = [
        Page("CurrencyType", b"IsoCode\nEUR\n", "csv"),
        Page("CurrencyType", b"IsoCode,Seventh\nUSD,1\n", "csv"),
    ]
    with pytest.raises(SchemaError, match=r"salesforce\.CurrencyType.*Seventh"):
        list(Parser(connection, stream).chunks(pages))
    retyped = [Page("CurrencyType", pa.record_batch({"ConversionRate": v}), "arrow") for v in ([1], ["1"])]
    with pytest.raises(SchemaError, match="ConversionRate"):
        list(Parser(connection, stream).chunks(retyped))


def test_arrow_page_that_names_a_column_twice_is_refused(connection: Connection, stream: Stream) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["IsoCode", "IsoCode"])
    with pytest.raises(SchemaError, match="twice: IsoCode"):
        list(Parser(connection, stream).chunks([Page("CurrencyType", batch, "arrow")]))


def test_half_a_character_in_an_undeclared_field_breaks_its_record_only(
    connection: Connection, stream: Stream
) -> None:
    body = b'[{"IsoCode":"EUR","New":"U\xffD"},{"IsoCode":"USD","\\ud800":1},{"IsoCode":"CHF","New":"ok"}]'
    chunk, _ = parsed(connection, stream, Page("CurrencyType", body))
    assert chunk.values["isocode"] == ["CHF"]
    assert len(chunk.broken) == 2


def test_a_record_nested_without_end_is_an_error_with_a_name(connection: Connection, stream: Stream) -> None:
    body = b'[{"IsoCode":"EUR","x":' + b"[" * 3_000 + b"]" * 3_000 + b"}]"
    with pytest.raises(TieoutError, match=r"salesforce\.CurrencyType") as caught:
        list(Parser(connection, stream).chunks([Page("CurrencyType", body)]))
    assert isinstance(caught.value, SourceError)
