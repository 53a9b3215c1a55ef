"""An ERP that exists only as CSV files, configured by its tieout.yml alone, tied out to its journal to the cent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.transform_company import own_warehouse
from tieout import steps
from tieout.transform import build
from tieout.warehouse import connect, migrate

EXAMPLE = ROOT / "docs" / "examples" / "own-erp"
pytestmark = pytest.mark.slow
OPEN = "superseded_run = 9223372036854775807"


@pytest.fixture(scope="module")
def drops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The example's folder, landed and built once, in a warehouse of its own."""
    folder = tmp_path_factory.mktemp("own-erp") / "drops"
    shutil.copytree(EXAMPLE / "drops", folder)
    text = (EXAMPLE / "tieout.yml").read_text(encoding="utf-8").replace("url: drops", f"url: {folder}")
    with own_warehouse(text):
        migrate()
        land_and_build()
        yield folder


def land_and_build() -> int:
    report = steps.land("ledgerworks")
    steps.check("landing", report.run_id)
    run_id = steps.open_run("revenue")
    build.run(run_id)
    return run_id


def rows(statement: str) -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(statement).fetchall()


def tieout() -> list[tuple]:
    return rows("select period, subledger_amount, ledger_amount, explained_amount, unexplained_amount "
                f"from marts.rec_gl_tieout where {OPEN} order by period")


def test_the_ledger_is_met_to_the_cent(drops: Path) -> None:
    (march,) = tieout()
    assert march[0] == "2026-03"
    assert march[2] == Decimal("3487.77")
    assert march[4] == 0
    assert march[1] == Decimal("3487.77")


def test_amounts_are_signed_and_converted(drops: Path) -> None:
    found = {(doc, event): net for doc, event, net in rows(
        "select document_id, event_type, sum(functional_net_amount) from marts.fct_revenue "
        f"where {OPEN} and scope = 'in' and event_type like 'billing%' group by 1, 2")}
    assert found == {
        ("R-1", "billing"): Decimal("1000.00"), ("R-2", "billing"): Decimal("500.00"),
        ("R-3", "billing"): Decimal("2000.00"), ("G-1", "billing_credit"): Decimal("-100.00"),
        ("R-4", "billing"): Decimal("250.00"), ("R-4", "billing_cancel"): Decimal("-250.00"),
        ("R-5", "billing"): Decimal("77.77"), ("R-6", "billing"): Decimal("10.00")}


def test_a_pro_forma_is_kept_and_out_of_scope_with_its_reason(drops: Path) -> None:
    assert rows("select scope, scope_reason, net_amount from marts.fct_revenue "
                f"where {OPEN} and document_id = 'PF-1'") == [("out", "H2", Decimal("9999.9900"))]


def test_the_look_before_landing_says_what_the_warehouse_then_has(drops: Path) -> None:
    """Two evaluations of one mapping, in Python and in SQL, agree about every line and every entry."""
    from tieout import sampling
    from tieout.settings import settings

    found = sampling.look(settings().company.connection("ledgerworks"), 1000)
    assert found.is_clean
    events = {(row["document_id"], row["line_id"], row["event_type"]): (row.get("net_amount"), row["scope_reason"])
              for one in found.contracts if one.contract == "revenue_events" for row in one.rows
              if row["event_type"] != "cash"}
    events = {(a, str(b), c): value for (a, b, c), value in events.items()}
    landed = {(doc, line, event): (net, None if reason == "H2" else reason) for doc, line, event, net, reason in rows(
        "select document_id, line_id, event_type, net_amount, scope_reason from staging.stg_generic__revenue_events "
        "where event_type not in ('cash', 'application', 'billing_cancel')")}
    assert events == landed
    ledger = {(row["entry_id"], str(row["line_id"])): (row["functional_amount"], row["account_kind"])
              for one in found.contracts if one.contract == "gl_entries" for row in one.rows}
    assert ledger == {(entry, line): (amount, kind) for entry, line, amount, kind in rows(
        "select entry_id, line_id, functional_amount, account_kind from staging.stg_generic__gl_entries")}
    rates = {(row["from_currency_code"], row["rate_date"]): round(row["rate"], 12)
             for one in found.contracts if one.contract == "fx_rates" for row in one.rows}
    assert rates == {(code, day): rate for code, day, rate in rows(
        "select from_currency_code, rate_date, rate from staging.stg_generic__fx_rates")}


def test_no_code_is_unmapped_and_no_difference_is_without_a_reason(drops: Path) -> None:
    assert rows("select code_set, code_value from intermediate.int_codes__unmapped") == []
    assert rows(f"select * from marts.rec_break where {OPEN} and reason_code = 'X'") == []


def test_cash_is_applied(drops: Path) -> None:
    assert rows("select document_id, total_amount from marts.fct_revenue "
                f"where {OPEN} and event_type = 'application' order by 1") == [
        ("Z-1", Decimal("1071.0000")), ("Z-2", Decimal("540.0000"))]


def test_a_deleted_document_leaves_and_the_ledger_is_still_met(drops: Path) -> None:
    for path in sorted((EXAMPLE / "next-day").glob("*.csv")):
        shutil.copy(path, drops)
    land_and_build()
    assert rows(f"select 1 from marts.fct_revenue where {OPEN} and document_id = 'R-6'") == []
    assert [(row[1], row[2], row[4]) for row in tieout()] == [(Decimal("3477.77"), Decimal("3477.77"), 0)]


def test_an_unknown_kind_of_document_is_named_and_the_ledger_is_not_met(drops: Path) -> None:
    """The planted faults: a kind that no map knows, and an entry of one cent that its sub-ledger lacks."""
    text = (EXAMPLE / "next-day" / "journal_20260401.csv").read_text()
    entry = "11;1;31.03.2026;8000;;0,01;R-1\n11;2;31.03.2026;1200;0,01;;R-1\n"
    (drops / "journal_20260402.csv").write_text(text + entry)
    text = (EXAMPLE / "next-day" / "belege_20260401.csv").read_text()
    (drops / "belege_20260402.csv").write_text(text + "X-1;ZZ;31.03.2026;00.00.0000;00.00.0000;00017;EUR;O;\n")
    land_and_build()
    assert rows("select code_set, code_value from intermediate.int_codes__unmapped") == [
        ("invoices: document_type", "ZZ")]
    (march,) = tieout()
    assert march[2] - march[1] == Decimal("0.01")
