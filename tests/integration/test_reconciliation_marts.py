"""The reconciliation on simulated companies: it finds what was planted, whatever the order of rows and runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.integration import transform_company as company
from tieout.errors import BuildError
from tieout.transform import build
from tieout.warehouse import connect

CURRENT = "superseded_run = 9223372036854775807"
MARTS = (
    "rec_document",
    "rec_match",
    "rec_match_member",
    "rec_break",
    "rec_break_effect",
    "rec_summary",
    "rec_document_chain",
    "rec_gl_tieout",
    "rec_revenue_bridge",
    "fin_ar_ageing",
)


@dataclass(frozen=True)
class Built:
    """A company that was built. `folder` holds its answer key."""

    folder: Path
    run_id: int


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with company.own_warehouse(company.TIEOUT_YML) as folder:
        yield folder


def load(folder: Path, *, seed: int, level: int) -> Built:
    """Replace what is in raw by another company, and build everything."""
    from simulator.company import generate
    from simulator.shortcut import load_raw

    generate(folder, seed=seed, size="1k", level=level)
    load_raw(folder)
    company.new_batch()
    run_id = company.open_run()
    build.run(run_id, full_refresh=True)
    return Built(folder, run_id)


@pytest.fixture(scope="module")
def first(home: Path) -> Built:
    """A company of level 1."""
    return load(home / "first", seed=31, level=1)


@pytest.fixture(scope="module")
def second(home: Path, first: Built) -> Built:
    """Another one, of level 2, in its place."""
    return load(home / "second", seed=32, level=2)


def rows(statement: str) -> list[tuple]:
    with connect("transformer") as books:
        return books.execute(statement).fetchall()


def score_of(built: Built) -> dict[str, Any]:
    from simulator.score import score

    with connect("transformer") as books:
        return score(built.folder, books)


def assert_all_found(found: dict[str, Any]) -> None:
    planted = found["restricted"]["classes"]
    assert sum(row["planted"] for row in planted.values()) > 300
    assert {reason: row["missed"] for reason, row in planted.items() if row["missed"]} == {}
    assert found["false_auto"]["of"] > 3_000 and found["false_auto"]["count"] == 0, found["false_auto"]
    assert set(found["unexplained"]) == {"deal_order", "order_invoice", "invoice_cash", "invoice_ledger"}
    assert {hop for hop, amount in found["unexplained"].items() if float(amount)} == set()


def test_every_planted_break_is_found_with_its_reason(first: Built) -> None:
    found = score_of(first)
    assert_all_found(found)
    claimed = {reason: row["fp"] for reason, row in found["classes"].items() if row["fp"]}
    assert claimed == {}, "a break was claimed that nobody planted"


def test_every_planted_break_is_found_with_dirtier_names(second: Built) -> None:
    assert_all_found(score_of(second))


def test_no_mart_is_empty_and_the_singular_tests_pass(second: Built) -> None:
    for mart in MARTS:
        assert rows(f"select count(*) from marts.{mart} where {CURRENT}")[0][0] > 0, mart
    report = build.test(second.run_id, select="path:tests/reconciliation")
    # this company has no payouts: their test is shown red in a web shop (test_quickbooks_end_to_end)
    assert {node.name for node in report.nodes} == {*FAULTS, "assert_payouts_are_conserved"}


# What each singular test is for: the table, and SQL on it that turns the test red.
FAULTS = {
    "assert_groups_are_closed": ("intermediate.int_rec_groups", "update {0} set group_key = 'x' where side = 'right'"),
    "assert_reasons_sum_to_the_gap": (
        "marts.rec_break_effect",
        f"update {{0}} set amount = amount + 1 where reason_code = 'B1' and {CURRENT}",
    ),
    "assert_breaks_sum_to_the_match": (
        "marts.rec_break",
        f"update {{0}} set amount = amount + 0.01 where reason_code = 'C1' and {CURRENT}",
    ),
    "assert_population_is_conserved": (
        "marts.rec_document",
        "delete from {0} where document_hop_key = (select min(document_hop_key) from {0}"
        f" where hop = 'order_invoice' and {CURRENT})",
    ),
    "assert_ledger_population_is_conserved": (
        "marts.rec_document",
        "update {0} set amount = amount + 0.01 where hop = 'invoice_ledger' and side = 'right'",
    ),
    "assert_no_document_in_two_matches": (
        "marts.rec_match_member",
        "insert into {0} (member_key, match_key, hop, side, document_key, piece_key, amount, recorded_run,"
        " superseded_run) select 'x' || member_key, 'x', hop, side, document_key, piece_key, amount, recorded_run,"
        f" superseded_run from {{0}} where {CURRENT} limit 1",
    ),
    "assert_no_fan_out": ("intermediate.int_rec_members", "insert into {0} select * from {0} limit 1"),
    "assert_nothing_unexplained": ("marts.rec_gl_tieout", "update {0} set unexplained_amount = 0.01"),
    "assert_bridge_steps_sum": (
        "marts.rec_revenue_bridge",
        f"update {{0}} set group_amount = group_amount + 0.01 where step = 'billings' and {CURRENT}",
    ),
    "assert_ageing_is_what_is_open": (
        "marts.fin_ar_ageing",
        f"update {{0}} set open_amount = open_amount + 0.01 where {CURRENT}",
    ),
    "assert_cash_is_not_applied_twice": (
        "marts.rec_document",
        f"update {{0}} set amount = amount + 0.01 where hop = 'invoice_cash' and side = 'right' and {CURRENT}",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_singular_test_can_fail(second: Built, name: str) -> None:
    table, fault = FAULTS[name]
    with connect("transformer", autocommit=True) as books:
        books.execute(f"create table intermediate.before_the_fault as select * from {table}")
        assert books.execute(fault.format(table)).rowcount > 0
    try:
        with pytest.raises(BuildError, match=name):
            build.test(second.run_id, select=name)
    finally:
        with connect("transformer", autocommit=True) as books:
            books.execute(f"truncate {table}")
            books.execute(f"insert into {table} select * from intermediate.before_the_fault")
            books.execute("drop table intermediate.before_the_fault")


def test_the_order_of_rows_says_nothing(second: Built) -> None:
    """Raw and the fact in another physical order: a complete build finds the same, so that it records no version."""
    _shuffle("owner", [f"raw.{name}" for (name,) in rows("select tablename from pg_tables where schemaname = 'raw'")])
    _shuffle("transformer", ["marts.fct_revenue"])
    run_id = company.open_run()
    build.run(run_id, full_refresh=True)
    for mart in MARTS:
        changed = rows(f"select count(*) from marts.{mart} where recorded_run = {run_id} or superseded_run = {run_id}")
        assert changed == [(0,)], mart


def _shuffle(role: str, tables: list[str]) -> None:
    with connect(role) as books:
        for table in tables:
            books.execute(f"create temporary table shuffled on commit drop as select * from {table} order by random()")
            books.execute(f"truncate {table}")
            generated = books.execute(
                "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''",
                (table,),
            ).fetchone()[0]
            books.execute(f"insert into {table} ({generated}) select {generated} from shuffled")
            books.execute("drop table shuffled")


def test_a_break_keeps_its_name_and_its_first_day(second: Built) -> None:
    before = dict(rows(f"select break_key, first_seen_date from marts.rec_break where {CURRENT}"))
    not_due = rows(
        f"select count(*) from marts.rec_break where {CURRENT} and hop = 'invoice_cash' and reason_code = 'B3'"
    )[0][0]
    build.run(company.open_run("2026-08-15 23:00Z"), full_refresh=True)
    after = dict(rows(f"select break_key, first_seen_date from marts.rec_break where {CURRENT}"))
    kept, new = before.keys() & after.keys(), after.keys() - before.keys()
    assert len(kept) > 300 and not_due > 0
    assert {after[key] for key in kept} == {date(2026, 6, 30)}
    assert {after[key] for key in new} == {date(2026, 8, 15)}, "what became overdue is another break, first seen today"
    overdue = rows(
        f"select count(*) from marts.rec_break where {CURRENT} and reason_code = 'B3' and hop = 'invoice_cash'"
        f" and document_key in (select document_key from marts.fin_ar_ageing where {CURRENT} and days_overdue > 0)"
    )
    assert overdue == [(0,)]
