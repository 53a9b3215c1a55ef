"""Salesforce and SAP from the vendors' doors to the reconciliation; and SAP's two forms, which must say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from simulator.company import generate
from simulator.habits import Habits
from simulator.sap_api import SapSystem
from simulator.sap_files import write_tables
from simulator.score import score
from simulator.serve import start
from tests.conftest import clear_settings
from tests.integration import transform_company as company
from tieout import settings
from tieout.extract.open import open_extractor
from tieout.landing.windows import land_connection
from tieout.publish import views
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.slow
CURRENT = "superseded_run = 9223372036854775807"
ODATA, TABLES, UNIVERSAL = "sap_manufacturing", "sap_tables_manufacturing", "sap_acdoca_manufacturing"
# What of each contract must be the same, whichever way it came. An extract's header may hold no amount.
SAME = {
    "documents": "document_type, document_id, document_number, legal_entity_id, customer_id, currency_code, reference,"
                 " external_id, posting_period, exchange_rate, line_count, is_posting, is_voided, is_cancelled,"
                 " is_pending, is_intercompany, has_billing_schedule, document_date, due_date",
    "revenue_events": "document_type, document_id, line_id, event_type, leg, customer_id, product_id, quantity, unit,"
                      " currency_code, net_amount, tax_amount, functional_amount, event_date, period, scope,"
                      " scope_reason, source_sign",
    "document_links": "from_type, from_id, from_line_id, to_type, to_id, to_line_id, link_type",
    "settlements": "line_id, payment_type, payment_id, invoice_type, invoice_id, currency_code, applied_amount,"
                   " applied_date",
    "gl_entries": "legal_entity_id, entry_id, line_id, account_code, account_kind, amount, currency_code,"
                  " functional_amount, functional_currency_code, posting_date, period, document_type, document_id",
    "fx_rates": "from_currency_code, to_currency_code, rate_type, quoted_as, rate, rate_date",
    "legal_entities": "legal_entity_id, name, country_code, functional_currency_code",
    "customers": "customer_id, name, tax_id, city, postal_code, country_code, is_intercompany, is_active",
}


@dataclass(frozen=True)
class Unit:
    """The manufacturing unit, landed and built. `drops`: its tables as files."""

    folder: Path
    home: Path
    drops: Path
    run_id: int


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unit]:
    folder = tmp_path_factory.mktemp("manufacturing")
    generate(folder, seed=7, size="1k", level=1, of="manufacturing")
    drops = folder / "drops"
    write_tables(folder, drops)
    with start(folder, habits=Habits.none(), sap=SapSystem.calm()) as endpoints:
        text = endpoints.tieout_yml(folder / "tieout.yml").read_text(encoding="utf-8")
        with company.own_warehouse(text) as home:
            for name, connection in settings.settings().company.connections.items():
                with open_extractor(connection, endpoints.secrets[name]) as source:
                    results = land_connection(connection, None, extractor=source)
                assert sum(result.landed for result in results) > 1000
                assert sum(result.quarantined for result in results) == 0
            run_id = company.open_run()
            build.run(run_id, full_refresh=True)
            yield Unit(folder, home, drops, run_id)


@pytest.fixture(scope="module")
def both(built: Unit) -> Unit:
    """The same books once more, from table extracts, staged beside the others."""
    yaml = YAML()
    told = yaml.load((built.home / "tieout.yml").read_text(encoding="utf-8"))
    odata = told["connections"][ODATA]
    for name, options in ((TABLES, {}), (UNIVERSAL, {"journal": "ACDOCA"})):
        told["connections"][name] = {
            "system": "sap_tables", "auth": "none", "time_zone": "UTC", "unit": name,
            "legal_entity": odata["legal_entity"], "legal_entities": dict(odata["legal_entities"]),
            "options": {"url": str(built.drops), "ready": {"quiet": "0s"}, **options}}
    with (built.home / "tieout.yml").open("w", encoding="utf-8") as file:
        yaml.dump(told, file)
    clear_settings()
    migrate(settings.settings().company)
    for name in (TABLES, UNIVERSAL):
        connection = settings.settings().company.connection(name)
        with open_extractor(connection, {}) as source:
            results = land_connection(connection, None, extractor=source)
        assert [result.stream for result in results if result.quarantined] == []
        assert ("ACDOCA" in {result.stream for result in results}) == (name == UNIVERSAL)
    build.run(company.open_run(), select="path:models/staging/sap", full_refresh=True)
    return built


def rows(statement: str) -> list[tuple[Any, ...]]:
    with connect("transformer") as books:
        return books.execute(statement).fetchall()


def test_nothing_is_unexplained_and_every_planted_break_is_found(built: Unit) -> None:
    with connect("transformer") as books:
        found = score(built.folder, books)
    assert {hop for hop, amount in found["unexplained"].items() if float(amount)} == set()
    planted = found["restricted"]["classes"]
    assert sum(row["planted"] for row in planted.values()) > 300
    assert {reason: row["missed"] for reason, row in planted.items() if row["missed"]} == {}
    # SAP tells nobody which periods are locked: `close_days` does, and tells what posts past a lock from a cut-off
    assert planted["B2"]["planted"] > 0 and planted["B1"]["planted"] > 0
    # what is told in three decimals, and at five of a rate, is no price and no rounding; a cancellation is no stranger
    claimed = {reason: row["fp"] for reason, row in found["classes"].items() if row["fp"] and reason != "E1"}
    assert claimed == {} and found["false_auto"]["count"] == 0


def test_the_data_tests_of_the_books_pass(built: Unit) -> None:
    report = build.test(built.run_id, select=["test_type:singular", "path:models/staging/sap"])
    assert sum(node.resource_type == "unit_test" for node in report.nodes) == 10
    names = {node.name for node in report.nodes}
    assert {"assert_fact_equals_landed_sap_items", "every_header_of_sap_is_staged",
            "assert_ledger_entries_balance", "assert_no_code_is_unmapped"} <= names


def test_where_personal_data_reach_the_marts_readers_without_clearance_see_a_mask(built: Unit) -> None:
    """Every column of text in the marts, against every value of the columns that sources mark as personal."""
    sources = [found.source for found in settings.settings().company.connections.values()]
    personal = [(stream.table, column.name) for source in sources for stream in source.streams
                for column in stream.columns if column.pii]
    values = " union ".join(
        f"select {column} from raw.{table} where length({column}) > 5" for table, column in personal)
    with connect("transformer") as books:
        books.execute(f"create temporary table personal (value) as {values}")
        books.execute("create index on personal (value)")
        columns = books.execute("select table_name, column_name from information_schema.columns"
                                " where table_schema = 'marts' and data_type = 'text'").fetchall()
        found = {(mart, column) for mart, column in columns if books.execute(
            f"select exists (select from marts.{mart} m join personal p on p.value = m.{column})").fetchone()[0]}
    assert ("dim_customer", "name") in found
    masked = {(mart, column) for mart, column in columns
              if column in views.PERSONAL | views.PERSONAL_OF.get(mart, set())}
    assert found - masked == set()


def test_the_original_and_its_cancellation_both_stay_and_net_to_nothing(built: Unit) -> None:
    pairs = rows(
        "select original.document_id, sum(f.net_amount) from staging.stg_sap__document_links l "
        "join staging.stg_sap__documents original on original.document_id = l.from_id "
        f"join marts.fct_revenue f on f.document_id in (l.from_id, l.to_id) and f.{CURRENT} "
        "and f.event_type in ('billing', 'billing_cancel') "
        "where l.from_type = 'invoice' and l.to_type = 'invoice_cancellation' group by 1")
    assert len(pairs) >= 4
    assert {amount for _, amount in pairs} == {0}


def test_pro_forma_and_intercompany_are_kept_out_with_their_reason(built: Unit) -> None:
    found = rows(f"select distinct document_type, scope, scope_reason from marts.fct_revenue where {CURRENT} "
                 "and document_type in ('pro_forma', 'intercompany_invoice') and event_type = 'billing'")
    assert sorted(found) == [("intercompany_invoice", "out", "H1"), ("pro_forma", "out", "H2")]


@pytest.mark.parametrize("name", [TABLES, UNIVERSAL])
@pytest.mark.parametrize("contract", SAME)
def test_odata_and_table_extracts_say_the_same(both: Unit, contract: str, name: str) -> None:
    ours, theirs = (f"select {SAME[contract]} from staging.stg_sap__{contract} where connection = '{each}'"
                    for each in (ODATA, name))
    counts = rows(f"select (select count(*) from ({ours}) a), (select count(*) from ({theirs}) b)")[0]
    assert counts[0] == counts[1] > 0
    assert rows(f"({ours} except {theirs}) limit 3") == []
    assert rows(f"({theirs} except {ours}) limit 3") == []


def test_order_delivery_and_bill_follow_each_other_over_odata(both: Unit) -> None:
    chains = rows(
        "select count(*) from staging.stg_sap__document_links d join staging.stg_sap__document_links b "
        "on b.connection = d.connection and b.from_id = d.to_id and b.from_line_id = d.to_line_id "
        "join staging.stg_sap__document_links o on o.connection = d.connection and o.from_id = d.from_id "
        "and o.from_line_id = d.from_line_id and o.to_id = b.to_id and o.to_line_id = b.to_line_id "
        f"where d.connection = '{ODATA}' and d.from_type = 'order' and d.to_type = 'delivery' "
        "and b.to_type = 'invoice'")
    assert chains[0][0] > 20


def test_the_document_flow_says_what_items_say(both: Unit) -> None:
    """VBFA holds what followed directly; what goes past a delivery, the bill's own items say."""
    columns = "select from_id, from_line_id, to_id, to_line_id from staging"
    flow = f"{columns}.base_sap__documentflow where connection = '{TABLES}'"
    links = f"{columns}.stg_sap__document_links where connection = '{ODATA}'"
    followed = f"{flow} and from_category_code <> 'R' and to_category_code not in ('R', 'N', 'S')"
    assert rows(f"{followed} except {links}") == []
    assert rows(f"select count(*) from staging.base_sap__documentflow where connection = '{TABLES}' "
                "and to_category_code = 'R'")[0][0] > 0, "goods movements are there, and no document of ours"
    past = rows(f"select distinct l.from_type, l.to_type from staging.stg_sap__document_links as l "
                f"where l.connection = '{ODATA}' and l.to_line_id is not null "
                f"and (l.from_id, l.from_line_id, l.to_id, l.to_line_id) not in ({flow} "
                "and from_line_id is not null and to_line_id is not null)")
    assert {(source, target) for source, target in past if source not in ("order", None)} <= {
        ("delivery", "invoice_cancellation")}, "a cancellation names the delivery; the flow knows its bill"


def test_one_ledger_of_the_universal_journal_counts(both: Unit) -> None:
    ledgers = rows("select rldnr, count(*) from raw.sap_tables__acdoca group by 1 order by 1")
    assert [name for name, _ in ledgers] == ["0L", "2L"]
    lines = rows(f"select count(*) from staging.base_sap__accountingitem where connection = '{UNIVERSAL}'")
    assert lines[0][0] == ledgers[0][1]
