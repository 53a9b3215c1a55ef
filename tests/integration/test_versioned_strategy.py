"""The `versioned` strategy, tried on a project of its own: what is closed, what is left alone, what is never lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, open_folder
from tieout.transform.runner import NodeResult, Runner, failed
from tieout.warehouse import connect

OPEN = 9223372036854775807
MODEL = """
{{% set touched = ref('touched') %}}
{{{{ config(materialized='incremental', incremental_strategy='versioned', unique_key='item_key', scope='{scope}',
    scope_columns=['document_id'], scope_model={scope_model}, hash_exclude=['note'], full_refresh=false,
    post_hook="{{{{ versioned_indexes() }}}}", on_schema_change='append_new_columns') }}}}
with candidates as (select item_key, document_id, amount, note{extra} from intermediate.versioned_candidates
    {{% if {touched} %}} where document_id in (select document_id from {{{{ touched }}}}) {{% endif %}})
{{{{ versioned('candidates') }}}}
"""
READER = "select item_key, amount from {{ ref_current('items') }}"
PROPERTIES = """
version: 2
models:
  - name: items
    config: {{contract: {{enforced: true}}}}
    columns:
      - {{name: item_key, data_type: text}}
      - {{name: document_id, data_type: text}}
      - {{name: amount, data_type: "numeric(28,4)"}}
      - {{name: note, data_type: text}}
{extra}
      - {{name: recorded_run, data_type: bigint}}
      - {{name: superseded_run, data_type: bigint}}
      - {{name: row_hash, data_type: text}}
unit_tests:
  - name: reader_sees_the_rows_of_a_fixture
    model: reader
    given:
      - input: ref('items')
        rows: [{{item_key: a, amount: 1}}, {{item_key: b, amount: 2}}]
    expect:
      rows: [{{item_key: a, amount: 1}}, {{item_key: b, amount: 2}}]
"""
Row = tuple[str, str, str | None]


@dataclass
class Probe:
    """A dbt project with one versioned model over a table that the test fills."""

    folder: Path
    runner: Runner
    scope: str = "all"

    def write(self, *, scope: str = "all", scope_model: str = "none", extra: str = "") -> None:
        """(Re)write the project's files; a changed model is parsed anew."""
        (self.folder / "models").mkdir(exist_ok=True)
        (self.folder / "models" / "items.sql").write_text(MODEL.format(
            scope=scope, scope_model=scope_model, extra=f", {extra}" if extra else "",
            touched="is_partial()" if scope_model != "none" else "false"))
        (self.folder / "models" / "touched.sql").write_text(
            "{{ config(materialized='table') }} select document_id from intermediate.versioned_touched")
        (self.folder / "models" / "reader.sql").write_text(READER)
        column = f"      - {{name: {extra.split(' as ')[-1]}, data_type: text}}" if extra else ""
        (self.folder / "models" / "items.yml").write_text(PROPERTIES.format(extra=column))
        self.runner = Runner(self.folder, self.folder / "out", ["salesforce"], 2)

    def build(self, run_id: int, rows: list[Row], *, previous: int = 0, touched: list[str] | None = None,
              command: str = "run", full: bool = False) -> tuple[NodeResult, ...]:
        """Build with these candidates as run `run_id`; returns dbt's results."""
        with connect("transformer", autocommit=True) as books:
            books.execute("truncate intermediate.versioned_candidates, intermediate.versioned_touched")
            for row in rows:
                books.execute("insert into intermediate.versioned_candidates values (%s, %s, %s, %s)",
                              (*row, f"note {run_id}"))
            for document in touched or []:
                books.execute("insert into intermediate.versioned_touched values (%s)", (document,))
        variables = {"run_id": run_id, "previous_batch_id": previous, "systems": ["salesforce"]}
        return self.runner.invoke(command, variables, ["--full-refresh"] if full else [])

    def good(self, run_id: int, rows: list[Row], **options: Any) -> None:
        """Build, and insist that it succeeded."""
        assert not failed(self.build(run_id, rows, **options))


@pytest.fixture
def probe(warehouse: dict[str, str]) -> Iterator[Probe]:
    with open_folder() as folder:
        shutil.copytree(ROOT / "dbt_project" / "macros", folder / "macros")
        shutil.copy(ROOT / "dbt_project" / "profiles.yml", folder)
        (folder / "dbt_project.yml").write_text(
            "name: tieout\nversion: '1.0.0'\nprofile: tieout\nflags: {send_anonymous_usage_stats: false}\n"
            "vars: {run_id: 0, previous_run_id: -1, previous_batch_id: -1, systems: []}\n"
            "models: {tieout: {+schema: intermediate}}\n")
        with connect("transformer", autocommit=True) as books:
            books.execute("drop table if exists intermediate.items cascade")
            books.execute("create table if not exists intermediate.versioned_candidates "
                          "(item_key text, document_id text, amount numeric, note text)")
            books.execute("create table if not exists intermediate.versioned_touched (document_id text)")
        made = Probe(folder, Runner(folder, folder, [], 2))
        made.write()
        yield made
        with connect("transformer", autocommit=True) as books:
            books.execute("drop table if exists intermediate.items, intermediate.versioned_candidates, "
                          "intermediate.versioned_touched, intermediate.touched cascade")


def versions() -> list[tuple]:
    with connect("transformer") as books:
        return books.execute("select item_key, amount::text, recorded_run, superseded_run from intermediate.items "
                             "order by item_key, recorded_run").fetchall()


def valid_at(run_id: int) -> list[tuple]:
    with connect("transformer") as books:
        return books.execute("select item_key, amount::numeric(10,2)::text from intermediate.items "
                             "where recorded_run <= %s and superseded_run > %s order by 1", (run_id, run_id)).fetchall()


def test_scope_all_closes_what_changed_and_what_is_gone(probe: Probe) -> None:
    probe.good(1, [("a", "d1", "1.00"), ("b", "d1", "2.00"), ("c", "d2", "3.00")])
    probe.good(2, [("a", "d1", "1.00"), ("b", "d1", "2.50")])
    assert versions() == [
        ("a", "1.0000", 1, OPEN),
        ("b", "2.0000", 1, 2), ("b", "2.5000", 2, OPEN),
        ("c", "3.0000", 1, 2),
    ]
    assert valid_at(1) == [("a", "1.00"), ("b", "2.00"), ("c", "3.00")]
    assert valid_at(2) == [("a", "1.00"), ("b", "2.50")]


def test_a_build_without_changes_touches_nothing(probe: Probe) -> None:
    rows = [("a", "d1", "1.00"), ("b", "d1", "2.00")]
    probe.good(1, rows)
    before = versions()
    probe.good(2, rows)  # the note differs: it is excluded from the hash
    assert versions() == before


def test_scope_document_leaves_other_documents_alone(probe: Probe) -> None:
    probe.write(scope="document")
    probe.good(1, [("a", "d1", "1.00"), ("b", "d1", "2.00"), ("c", "d2", "3.00")])
    probe.good(2, [("a", "d1", "1.00")])
    assert [row for row in versions() if row[3] == 2] == [("b", "2.0000", 1, 2)]
    assert valid_at(2) == [("a", "1.00"), ("c", "3.00")]


def test_a_document_without_any_row_left_is_closed_by_the_scope_model(probe: Probe) -> None:
    probe.write(scope="document", scope_model="'touched'")
    probe.good(1, [("a", "d1", "1.00"), ("c", "d2", "3.00")], previous=-1)
    probe.good(2, [("c", "d2", "3.00")], touched=["d1"])
    assert valid_at(2) == [("c", "3.00")]


def test_everything_is_in_scope_of_a_complete_build(probe: Probe) -> None:
    probe.write(scope="document", scope_model="'touched'")
    probe.good(1, [("a", "d1", "1.00"), ("c", "d2", "3.00")], previous=-1)
    probe.good(2, [("a", "d1", "1.00")], previous=-1)
    assert valid_at(2) == [("a", "1.00")]


def test_a_repeated_run_replaces_what_it_recorded(probe: Probe) -> None:
    probe.good(1, [("a", "d1", "1.00")])
    probe.good(2, [("a", "d1", "2.00"), ("b", "d1", "5.00")])
    probe.good(2, [("a", "d1", "3.00")])
    assert versions() == [("a", "1.0000", 1, 2), ("a", "3.0000", 2, OPEN)]


def test_a_failed_candidate_is_superseded_by_the_next_run(probe: Probe) -> None:
    """DECISIONS.md, 1: readers of run 4 never see what run 5 tried."""
    probe.good(2, [("order 17", "d1", "100.00")])
    probe.good(5, [("order 17", "d1", "110.00")])
    probe.good(6, [("order 17", "d1", "105.00")])
    assert valid_at(4) == [("order 17", "100.00")]
    assert valid_at(6) == [("order 17", "105.00")]


def test_a_key_that_comes_back_opens_a_new_version(probe: Probe) -> None:
    probe.good(1, [("a", "d1", "1.00")])
    probe.good(2, [("b", "d1", "9.00")])
    probe.good(3, [("a", "d1", "1.00"), ("b", "d1", "9.00")])
    assert [row for row in versions() if row[0] == "a"] == [("a", "1.0000", 1, 2), ("a", "1.0000", 3, OPEN)]


def test_a_full_refresh_never_drops_history(probe: Probe) -> None:
    probe.good(1, [("a", "d1", "1.00")])
    probe.good(2, [("a", "d1", "2.00")])
    probe.good(3, [("a", "d1", "2.00")], full=True)
    assert valid_at(1) == [("a", "1.00")]


def test_two_candidates_of_one_key_fail_and_change_nothing(probe: Probe) -> None:
    probe.good(1, [("a", "d1", "1.00")])
    before = versions()
    results = failed(probe.build(2, [("b", "d1", "2.00"), ("b", "d1", "3.00"), ("a", "d1", "7.00")]))
    assert [found.name for found in results] == ["items"]
    assert "items__current" in (results[0].message or "")
    assert versions() == before


def test_an_appended_column_arrives_with_new_versions(probe: Probe) -> None:
    probe.good(1, [("a", "d1", "1.00")])
    probe.write(extra="upper(item_key) as shout")
    probe.good(2, [("a", "d1", "1.00")], previous=-1)  # another project, hence a complete build
    with connect("transformer") as books:
        rows = books.execute("select shout, recorded_run, superseded_run from intermediate.items order by 2").fetchall()
    assert rows == [(None, 1, 2), ("A", 2, OPEN)]


def test_an_equal_amount_with_another_scale_is_no_change(probe: Probe) -> None:
    probe.good(1, [("a", "d1", "1.0")])
    probe.good(2, [("a", "d1", "1.000")])
    assert versions() == [("a", "1.0000", 1, OPEN)]


@pytest.mark.parametrize(("before", "after"), [(None, "0"), ("0", None), (None, "NaN"), ("0", "NaN"), ("1", "-1")])
def test_nothing_zero_and_another_sign_are_changes(probe: Probe, before: str | None, after: str | None) -> None:
    """What digests that are quicker than md5 over the text of a row take for the same."""
    probe.good(1, [("a", "d1", before)])
    probe.good(2, [("a", "d1", after)])
    assert [row[2:] for row in versions()] == [(1, 2), (2, OPEN)]


def test_ref_current_reads_current_rows_and_works_in_unit_tests(probe: Probe) -> None:
    probe.good(1, [("a", "d1", "1.00"), ("b", "d1", "2.00")])
    probe.good(2, [("a", "d1", "4.00")])
    with connect("transformer") as books:
        seen = books.execute("select item_key, amount::numeric(5,2)::text from intermediate.reader").fetchall()
    assert seen == [("a", "4.00")]
    results = probe.build(2, [], command="test")
    assert [(found.name, found.status) for found in results] == [("reader_sees_the_rows_of_a_fixture", "pass")]


def test_the_planner_knows_how_much_a_run_changed(probe: Probe) -> None:
    """Without a look at the table: its rows are counted by the indexes."""
    probe.write(scope="document")
    rows = [(f"i{n}", f"d{n}", "1.00") for n in range(400)]
    probe.good(1, rows)
    with connect("transformer", autocommit=True) as books:
        books.execute("analyze intermediate.items")
        probe.good(2, [(key, document, "2.00") for key, document, _ in rows[:40]])
        for condition, count in (("recorded_run > 1", 40), ("superseded_run = 2", 40), ("recorded_run <= 1", 400)):
            assert expected(books, condition) == pytest.approx(count, abs=30), condition
        probe.good(3, rows[40:41])
        assert expected(books, "recorded_run > 2") <= 2 and expected(books, f"superseded_run = {OPEN}") >= 380


def expected(books: Any, condition: str) -> int:
    """How many rows the planner expects."""
    (plan,) = books.execute(f"explain (format json) select from intermediate.items where {condition}").fetchone()
    return plan[0]["Plan"]["Plan Rows"]
