"""Our own materializations of tables and views: what a partial build leaves as it is, and what it makes anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.test_versioned_strategy import Probe, probe  # noqa: F401
from tieout.transform.runner import failed
from tieout.warehouse import connect

TABLE = """
{{ config(materialized='table', indexes=[{'columns': ['document_id']}]) }}
select document_id, count(*) as lines, 1 / (count(*) - 3) as fails_at_three
  from intermediate.versioned_candidates group by 1
"""
VIEW = "select document_id, lines * {factor} as lines from {{{{ ref('lines') }}}}"
PROPERTIES = """
version: 2
models:
  - name: lines
    description: Lines of a document, said 'simply'.
    config: {persist_docs: {relation: true, columns: true}}
    columns: [{name: document_id, description: Whose lines.}, {name: lines, description: How many.}]
  - name: seen
    description: What is read.
    config: {materialized: view, persist_docs: {relation: true, columns: true}}
    columns: [{name: lines, description: As read.}]
"""
COMMENTS = """
select c.relname::text, a.attname::text, d.description
  from pg_class c join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass
  left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid and a.attnum > 0
 where c.relnamespace = 'intermediate'::regnamespace and c.relname in ('lines', 'seen')
 order by c.relname, a.attnum nulls first
"""
SAID = [
    ("lines", None, "Lines of a document, said 'simply'."), ("lines", "document_id", "Whose lines."),
    ("lines", "lines", "How many."), ("seen", None, "What is read."), ("seen", "lines", "As read."),
]  # fmt: skip


@pytest.fixture
def pair(probe: Probe) -> Iterator[Probe]:  # noqa: F811
    models = probe.folder / "models"
    (models / "lines.sql").write_text(TABLE)
    (models / "seen.sql").write_text(VIEW.format(factor=1))
    (models / "pair.yml").write_text(PROPERTIES)
    yield probe
    with connect("transformer", autocommit=True) as books:
        books.execute("drop table if exists intermediate.lines cascade")


def asked(query: str) -> list[tuple]:
    with connect("transformer") as books:
        return books.execute(query).fetchall()


def test_a_table_made_anew_keeps_its_comments_and_indexes(pair: Probe) -> None:
    pair.good(1, [("a", "d1", "1.00")], previous=-1)
    for previous in (0, 0, -1):
        pair.good(2, [("a", "d1", "1.00"), ("b", "d1", "2.00"), ("c", "d2", "2.00")], previous=previous)
        assert asked("select document_id, lines from intermediate.lines order by 1") == [("d1", 2), ("d2", 1)]
        assert asked("select document_id, lines from intermediate.seen order by 1") == [("d1", 2), ("d2", 1)]
        assert asked(COMMENTS) == SAID
        assert [name for (name,) in asked(
            "select indexdef from pg_indexes where schemaname = 'intermediate' and tablename = 'lines'"
        ) if name.endswith("(document_id)")], "its index"
        assert asked("select relname from pg_class where relname like '%dbt\\_%'") == []


def test_a_table_that_fails_stays_as_it_was(pair: Probe) -> None:
    pair.good(1, [("a", "d1", "1.00")], previous=-1)
    bad = failed(pair.build(2, [(key, "d1", "1.00") for key in "abc"]))
    assert "lines" in {found.name for found in bad}
    assert asked("select document_id, lines from intermediate.lines") == [("d1", 1)] and asked(COMMENTS) == SAID


def test_a_view_says_what_the_project_says_now(pair: Probe) -> None:
    pair.good(1, [("a", "d1", "1.00")], previous=-1)
    (pair.folder / "models" / "seen.sql").write_text(VIEW.format(factor=7))
    pair.good(2, [("a", "d1", "1.00")], previous=-1)
    assert asked("select lines from intermediate.seen") == [(7,)] and asked(COMMENTS) == SAID


def test_another_kind_of_relation_is_made_in_its_place(pair: Probe) -> None:
    pair.good(1, [("a", "d1", "1.00")], previous=-1)
    model = pair.folder / "models" / "lines.sql"
    for kind, word in (("view", "v"), ("table", "r")):
        model.write_text(TABLE.replace("'table', indexes=[{'columns': ['document_id']}]", f"'{kind}'"))
        pair.good(2, [("a", "d1", "1.00")], previous=0)
        assert asked("select relkind::text from pg_class where relname = 'lines'"
                     " and relnamespace = 'intermediate'::regnamespace") == [(word,)]
        assert asked(COMMENTS) == SAID


def test_rows_of_a_partial_build_are_told_as_before(pair: Probe) -> None:
    pair.good(1, [("a", "d1", "1.00")], previous=-1)
    told = {found.name: found.rows for found in pair.build(2, [("a", "d1", "1.00"), ("b", "d2", "2.00")])}
    assert told["lines"] == 2 and told["items"] == 1


def test_a_contract_holds_for_a_table_made_anew(pair: Probe) -> None:
    """Its columns have the types and the order of the contract, whatever the select says."""
    (pair.folder / "models" / "kept.sql").write_text(
        "{{ config(materialized='table') }} select 1.5 as amount, document_id from {{ ref('lines') }}")
    (pair.folder / "models" / "kept.yml").write_text(
        "models: [{name: kept, config: {contract: {enforced: true}}, columns: ["
        "{name: document_id, data_type: text}, {name: amount, data_type: 'numeric(28,4)'}]}]")
    for run_id, previous in ((1, -1), (2, 0)):
        pair.good(run_id, [("a", "d1", "1.00")], previous=previous)
        assert asked("select attname::text, format_type(atttypid, atttypmod) from pg_attribute"
                     " where attrelid = 'intermediate.kept'::regclass and attnum > 0 order by attnum") == [
            ("document_id", "text"), ("amount", "numeric(28,4)")]
