"""`source.yml` and `tieout.yml`: what is wrong is an error with file, line and key, and nothing is ignored."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import yaml

from tieout import spec_yaml
from tieout.errors import ConfigError
from tieout.spec import Company, Source, Stream, load_company, load_source, parse

SOURCE = """\
system: acme
title: Acme
role: erp
protocol: rest
auth: [token]
streams:
  Invoice:
    key: [id]
    cursor: changed
    control_totals: [total]
    columns:
      id: text
      Total: amount
      changed: {type: timestamp, field: lastChanged}
  Line:
    key: [id]
    parent: {stream: Invoice, column: invoice}
    columns: {id: text, invoice: text}
"""
COMPANY = """\
version: 1
connections:
  erp:
    system: netsuite
    auth: tba
    time_zone: America/Los_Angeles
    legal_entities: {"1": US01}
    options: {account: "1234567"}
"""


@pytest.fixture
def source(tmp_path):
    def write(text: str = SOURCE) -> Source:
        path = tmp_path / "source.yml"
        path.write_text(text, encoding="utf-8")
        return parse(path, Source)

    return write


@pytest.fixture
def company(tmp_path):
    def write(text: str = COMPANY) -> Company:
        path = tmp_path / "tieout.yml"
        path.write_text(text, encoding="utf-8")
        return load_company(path)

    return write


def test_convention_fills_table_column_name_and_field(source):
    invoice, line = source().streams
    assert invoice.table == "acme__invoice"
    assert [(c.name, c.field, c.type) for c in invoice.columns] == [
        ("id", "id", "text"),
        ("total", "Total", "amount"),
        ("changed", "lastChanged", "timestamp"),
    ]
    assert (line.parent.stream, line.mode) == ("Invoice", "incremental")


@pytest.mark.parametrize(
    ("found", "broken", "line", "says"),
    [
        ("title: Acme", "title: Acme\nkind: erp", 3, "kind: Extra inputs are not permitted"),
        ("role: erp", "role: bank", 3, "role: Input should be 'crm', 'erp' or 'both' (got 'bank')"),
        ("Total: amount", "Total: money", 13, "streams.Invoice.columns.Total"),
        ("key: [id]\n    cursor", "key: [number]\n    cursor", 7, "key names 'number', which is not a declared column"),
        ("cursor: changed", "cursor: updated", 7, "cursor names 'updated', which is not a declared column"),
        ("control_totals: [total]", "control_totals: [changed]", 7, "control total changed is not an amount"),
        ("control_totals: [total]", "lookups: [bill]", 7, "lookups names 'bill', which is not a declared column"),
        (
            "Total: amount",
            "Total: amount\n      TOTAL: amount",
            7,
            "columns declared twice (case does not count): ['total']",
        ),
        (
            "id: text\n      Total",
            "id: text\n      _batch_id: text\n      Total",
            7,
            "columns that start with _ are Tieout's own",
        ),
        ("stream: Invoice,", "stream: Bill,", 1, "stream Line: parent names 'Bill', which is not a stream"),
        ("    cursor: changed\n", "", 7, "an incremental stream needs a cursor or a parent"),
        ("title: Acme", "title: Acme\nwebhook: {signature: s, topics: [a]}", 3, "events are told by headers"),
        (
            "title: Acme",
            "title: Acme\nwebhook: {signature: s, topics: [a], id: i, sender_is: x, forms: [{sender: s, topic: t}]}",
            3,
            "events are told by headers",
        ),
        (
            "title: Acme",
            "title: Acme\nwebhook: {signature: s, topics: [a], forms: [{sender: s, topic: t}]}",
            3,
            "events are told by headers",
        ),
    ],
)
def test_a_wrong_source_names_file_line_and_key(source, found, broken, line, says):
    assert found in SOURCE
    with pytest.raises(ConfigError) as error:
        source(SOURCE.replace(found, broken, 1))
    text = str(error.value)
    assert f"source.yml:{line}: " in text and says in text


@pytest.mark.parametrize(
    ("text", "value"),
    [("no", "no"), ("on", "on"), ("007", "007"), ("12:30", "12:30"), ("1_000", "1_000"), ("7", 7), ("-1.5e3", -1500.0),
     ("true", True), ("~", None), ("2026-02-01", date(2026, 2, 1)), ('"2026-02-01"', "2026-02-01")],
)  # fmt: skip
def test_a_word_is_what_yaml_1_2_says(text, value):
    """A country `no` is no false, and an account `007` keeps its zeros."""
    assert yaml.load(f"value: {text}", spec_yaml.Loader) == {"value": value}


def test_a_duplicate_key_is_an_error_with_its_line(source):
    with pytest.raises(ConfigError, match=r"source\.yml:3: found duplicate key"):
        source(SOURCE.replace("role: erp", "title: Twice\nrole: erp", 1))


@pytest.mark.parametrize("system", ["salesforce", "netsuite"])
def test_shipped_sources_are_valid(system):
    found = load_source(system)
    assert len(found.streams) >= 10
    assert all(stream.columns and stream.description for stream in found.streams)
    assert all(column.name == column.name.lower() for stream in found.streams for column in stream.columns)


def test_an_unknown_system_lists_the_known():
    known = "dynamics_finance, dynamics_sales, generic, health_cloud, netsuite, oracle, quickbooks, salesforce, sap"
    with pytest.raises(ConfigError, match=known):
        load_source("acme")


def test_an_unknown_stream_lists_the_known():
    with pytest.raises(ConfigError, match="netsuite has no stream 'bill'"):
        load_source("netsuite").stream("bill")


def test_a_company(company):
    erp = company().connection("erp")
    assert (erp.name, erp.source.system, erp.zone.key, erp.legal_entities) == (
        "erp", "netsuite", "America/Los_Angeles", {"1": "US01"})  # fmt: skip
    assert len(erp.selected()) == len(erp.source.streams)
    assert erp.defaults.cursor_overlap == timedelta(hours=2)


@pytest.mark.parametrize(
    ("found", "broken", "line", "says"),
    [
        ("auth: tba", "auth: password", 3, "auth 'password' is not offered by netsuite; one of tba, oauth2_m2m"),
        ("America/Los_Angeles", "PST8", 6, "time_zone: unknown time zone 'PST8'"),
        ("    time_zone: America/Los_Angeles\n", "", 3, "time_zone: Field required"),
        ("system: netsuite", "system: netsuit", 3, "unknown system 'netsuit'"),
        ('account: "1234567"', "page_size: 5", 3, "options: account required by netsuite"),
        ('account: "1234567"', 'account: "1", acount: 2', 3, "options: unknown ['acount']"),
        ("auth: tba", "auth: tba\n    streams: [transaction, orders]", 3, "netsuite has no stream 'orders'"),
        ("auth: tba", "auth: tba\n    fields: {transaction: {nope: x}}", 3, "'nope' is not a declared column"),
        ("version: 1", "version: 2", 1, "version: Input should be 1"),
        ("  erp:", "  ERP-1:", 3, "connections"),
        ("auth: tba", "auth: tba\n    password: x", 6, "password: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_company_names_file_line_and_key(company, found, broken, line, says):
    assert found in COMPANY
    with pytest.raises(ConfigError) as error:
        company(COMPANY.replace(found, broken, 1))
    text = str(error.value)
    assert f"tieout.yml:{line}: " in text, text
    assert says in text, text


def test_an_absent_company_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"does not exist\n  → copy tieout\.example\.yml"):
        load_company(tmp_path / "tieout.yml")


def test_an_unknown_connection_lists_the_known(company):
    with pytest.raises(ConfigError, match="known: erp"):
        company().connection("crm")


def test_an_organisations_own_field_name_replaces_the_default(company):
    found = company(COMPANY.replace("auth: tba", "auth: tba\n    streams: [transaction]\n    fields:\n"
                                                 "      transaction: {memo: custbody_note, terms: null}"))  # fmt: skip
    (stream,) = found.connection("erp").selected()
    assert stream.column("memo").field == "custbody_note"
    assert stream.column("terms").field == ""  # the organisation has none: lands as NULL


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86400)])
def test_durations(text, seconds):
    stream = Stream.model_validate({"name": "s", "table": "t", "key": ["id"], "mode": "full", "overlap": text,
                                    "columns": [{"name": "id", "type": "text", "field": "id"}]})  # fmt: skip
    assert stream.overlap == timedelta(seconds=seconds)


def test_specs_cannot_be_changed(company):
    with pytest.raises(ValueError, match="frozen"):
        company().connection("erp").auth = "other"


def test_the_example_is_valid(root):
    assert len(load_company(root / "tieout.example.yml").connections) >= 2


@pytest.mark.parametrize(
    "word",
    [
        'x"; drop table raw.x; --',
        "{{ jinja }}",
        "c" * 64,
        "net amount",
        "a.b",
        "1st",
        "w\u00e4hrung",
        "\u0430mount",
        "ctid",
        "xmin",
    ],
)
def test_a_word_that_is_no_column_name_needs_one(source, word):
    """Postgres cuts names at 63 bytes: two that agree so far would be one. The vendor's own word may be anything."""
    quoted = "'" + word.replace("'", "''") + "'"
    place = "id: text\n      Total"
    with pytest.raises(ConfigError, match="cannot be a column's name"):
        source(SOURCE.replace(place, f"id: text\n      {quoted}: text\n      Total"))
    named = source(SOURCE.replace(place, f"id: text\n      {quoted}: {{type: text, name: x}}\n      Total"))
    assert named.stream("Invoice").column("x").field == word
