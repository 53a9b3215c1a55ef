"""A company's own system in tieout.yml: every mistake is an error with file, line and key, and nothing of it is SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tieout.errors import ConfigError
from tieout.spec import Company, load_company
from tieout.transform.inputs import describe

EXAMPLE = (ROOT / "docs" / "examples" / "own-erp" / "tieout.yml").read_text(encoding="utf-8")


def load(folder: Path, text: str = EXAMPLE) -> Company:
    path = folder / "tieout.yml"
    path.write_text(text, encoding="utf-8")
    return load_company(path)


def test_tables_bear_the_connection_s_name_and_the_role_is_the_connection_s(tmp_path):
    found = load(tmp_path).connection("ledgerworks")
    assert found.role == "erp"
    assert [stream.table for stream in found.source.streams][:2] == ["ledgerworks__customers", "ledgerworks__items"]
    (shown,) = describe(load(tmp_path))["connections"]
    assert (shown["role"], shown["system"]) == ("erp", "generic")
    assert {one["contract"] for one in shown["contracts"]} == {
        "customers", "products", "fx_rates", "documents", "document_links", "revenue_events", "settlements",
        "gl_entries"}


def line_of(text: str | int) -> int:
    lines = enumerate(EXAMPLE.splitlines(), start=1)
    return text if isinstance(text, int) else next(at for at, line in lines if text in line)


@pytest.mark.parametrize(("found", "broken", "at", "says"), [
    ("protocol: files", "protocol: ftp", "protocol: files",
     "protocol: one of files, sql, rest, singer, dlt (got 'ftp')"),
    ("    role: erp\n", "", "  ledgerworks:", "role: Field required"),
    ("role: erp", "role: both", "role: erp", "role: Input should be 'crm' or 'erp'"),
    ('files: "kunden_*.csv"', 'files: "../kunden.csv"', 'files: "kunden_*',
     "options.files: '../kunden.csv' must be a path below"),
    ('files: "kunden_*.csv"', 'filez: "kunden_*.csv"', 'files: "kunden_*',
     "streams.customers.options.files: Field required"),
    ('decimal: ","', 'decimal: ";"', "csv: {delimiter", "options.csv.decimal: Input should be '.' or ','"),
    ("customer_id: kdnr, name: name", "customer_id: kdn, name: name", "customers: {columns: {customer_id",
     "contracts.customers.columns.customer_id: 'kdn' is no declared column"),
    ("unit: einheit", "unti: einheit", "products: {columns:", "columns.unti: products has no such column"),
    ("              rate_date: tag\n", "", 43, "fx_rates needs rate_date"),
    ("RE: invoice, GU: credit_memo, PF: estimate}}\n              document_id: belegnr\n              document_date",
     "RE: bill, GU: credit_memo, PF: estimate}}\n              document_id: belegnr\n              document_date",
     "document_type: {column: art, map", "'bill' is none of deal, crm_order, order"),
    ("header: {stream: invoices, on: {belegnr: belegnr}}", "header: {stream: heads, on: {belegnr: belegnr}}",
     "header: {stream: invoices", "header.stream: no such stream; known: customers"),
    ("reason: H2", "reason: Z9", "reason: H2", "reason: Input should be 'G1', 'H1', 'H2'"),
    ("map: {RE: invoice, GU: credit_memo, PF: estimate}}", "map: {RE: invoice}, negat: true}",
     "document_type: {column: art, map", "negat: Extra inputs are not permitted"),
    ("key: [kdnr]", "key: [kd]", "customers:", "key names 'kd', which is not a declared column"),
])
def test_a_mistake_names_file_line_and_key(tmp_path, found, broken, at, says):
    assert found in EXAMPLE
    with pytest.raises(ConfigError) as error:
        load(tmp_path, EXAMPLE.replace(found, broken, 1))
    assert says in str(error.value), str(error.value)
    assert f"tieout.yml:{line_of(at)}: " in str(error.value), str(error.value)


def test_two_systems_do_not_share_a_table_and_none_takes_a_vendor_s_name(tmp_path):
    with pytest.raises(ConfigError, match="netsuite is the name of a system"):
        load(tmp_path, EXAMPLE.replace("  ledgerworks:", "  netsuite:"))


def test_what_a_company_writes_is_a_value_and_never_a_template_or_sql(tmp_path):
    harmful = "{{ run_query('drop') }}'; drop table x; --"
    told = 'quoted_as: {constant: "foreign currency per euro"}'
    text = EXAMPLE.replace(told, f'quoted_as: {{constant: "{harmful}"}}')
    (shown,) = describe(load(tmp_path, text))["connections"]
    rates = next(one for one in shown["contracts"] if one["contract"] == "fx_rates")
    assert rates["columns"]["quoted_as"] == {"constant": harmful}
