"""Every expectation can fail: the registry of planted faults covers exactly what is declared, and each turns it red."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.controls import synthetic
from tests.controls.faults import ALSO, FAULTS
from tieout.quality import engine, suites
from tieout.quality.suites import Suite
from tieout.warehouse import connect

EXPECTATIONS = ROOT / "expectations"
SUITES = suites.load(EXPECTATIONS)


def _file(where: str) -> str:
    """`…/expectations/landing/loads.yml:7` → `landing/loads`."""
    return str(re.sub(r"\.yml:\d+$", "", where)).removeprefix(f"{EXPECTATIONS}/")


CASES = [(suite, (_file(check.where), check.id)) for suite in SUITES for check in suite.expectations]


@pytest.fixture(scope="module")
def miniature() -> Iterator[None]:
    """The synthetic warehouse, with a pristine copy of every table beside it."""
    with synthetic.own_warehouse():
        with connect("owner") as connection:
            synthetic.unconstrain(connection)
            synthetic.fill_ops(connection)
            synthetic.fill_raw(connection)
        with connect("transformer") as connection:
            synthetic.create_marts(connection)
            synthetic.fill_marts(connection)
        for role, schema in (("owner", "raw"), ("owner", "ops"), ("transformer", "marts")):
            with connect(role) as connection:
                for table in _tables(connection, schema):
                    connection.execute(f"create table {_copy(table)} as select * from {table}")
        yield


def _tables(connection, schema: str) -> list[str]:
    rows = connection.execute("select schemaname || '.' || tablename from pg_tables where schemaname = %s", (schema,))
    return [name for (name,) in rows.fetchall()]


def _copy(table: str) -> str:
    return f"{table}__pristine"


@pytest.fixture
def plant(miniature: None) -> Iterator:
    """Run a fault's statements as each table's owner; afterwards the touched tables are as before."""
    touched: set[str] = set()

    def run(sql: str) -> None:
        for statement in sql.split("; "):
            table = re.match(r"(?:update|insert into|delete from) ([a-z]+\.[a-z0-9_]+)", statement)
            assert table, f"not a fault: {statement}"
            touched.add(table[1])
            with connect("transformer" if table[1].startswith("marts.") else "owner") as connection:
                done = connection.execute(statement)
                assert done.rowcount > 0, f"the fault changes nothing: {statement}"

    yield run
    for table in touched:
        with connect("transformer" if table.startswith("marts.") else "owner") as connection:
            if table.startswith("ops."):
                columns = ", ".join(_columns(connection, table))
                connection.execute(f"update {table} as t set ({columns}) = (select {columns} from {_copy(table)} as p "
                                   "where p.batch_id = t.batch_id) "
                                   f"where batch_id in (select batch_id from {_copy(table)})")
                connection.execute(f"delete from {table} where batch_id not in (select batch_id from {_copy(table)})")
            else:
                connection.execute(f"delete from {table}")
                connection.execute(f"insert into {table} select * from {_copy(table)}")


def _columns(connection, table: str) -> list[str]:
    """All but generated columns, which cannot be written back."""
    schema, name = table.split(".")
    rows = connection.execute(
        "select column_name from information_schema.columns where table_schema = %s and table_name = %s "
        "and is_identity = 'NO' and is_generated = 'NEVER'", (schema, name))
    return [column for (column,) in rows.fetchall()]


def _failed(suite: Suite) -> set[str]:
    results = engine.evaluate([suite], synthetic.RUN)
    assert len(results) == len(suite.expectations)
    unrun = [f"{result.expectation}: {result.observed}" for result in results if not result.evaluated]
    assert not unrun
    return {result.expectation for result in results if not result.passed}


def test_there_are_expectations_for_both_stages():
    assert {suite.stage for suite in SUITES} == {"landing", "marts"}
    assert len(CASES) > 100


def test_the_registry_covers_exactly_what_is_declared():
    assert set(FAULTS) == {case for _, case in CASES}
    assert set(ALSO) <= set(FAULTS)


def test_every_landed_table_has_a_suite(root):
    from tieout.spec import load_source

    systems = sorted(path.parent.name for path in (root / "plugins/tieout/sources").glob("*/source.yml"))
    tables = {f"raw.{stream.table}" for system in systems for stream in load_source(system).streams}
    assert tables
    assert tables - {suite.table for suite in SUITES if suite.stage == "landing"} == set()


def test_every_versioned_mart_of_the_books_has_a_suite():
    marts = {f"marts.{name}" for name in synthetic.contracts() if name.startswith(("fct_", "rec_", "fin_"))}
    assert marts
    assert marts - {suite.table for suite in SUITES if suite.stage == "marts"} == set()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: f"{suite.stage}-{suite.name}")
def test_the_clean_state_passes(miniature, suite):
    assert _failed(suite) == set()


@pytest.mark.parametrize(("suite", "case"), CASES, ids=[f"{suite.name}-{case[1]}" for suite, case in CASES])
def test_each_fault_turns_its_expectation_red(plant, suite, case):
    plant(FAULTS[case].replace("{table}", suite.table))
    assert _failed(suite) - ALSO.get(case, set()) == {case[1]}
