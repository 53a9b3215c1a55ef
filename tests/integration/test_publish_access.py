"""Who sees what in schema reporting: masks without clearance, and rows of one's own legal entities only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import demo_company
from tests.controls import synthetic
from tieout.errors import ConfigError
from tieout.publish import pointer, views
from tieout.spec import load_company
from tieout.warehouse import connect, migrate

MASK = views.MASK
READERS = {
    "analyst": {}, "collector": {"cleared": True, "legal_entities": ["GB20"]},
    "auditor": {"cleared": True, "legal_entities": []}, "manager": {"cleared": True},
}  # fmt: skip


def declare(**readers) -> list[str]:
    company = demo_company()
    told = company.model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}}) | {"readers": readers}
    return migrate(type(company).model_validate(told))


@pytest.fixture(scope="module")
def superuser() -> Iterator[psycopg.Connection]:
    """A published miniature, with a document of a second legal entity; a connection that may become any role."""
    with synthetic.own_warehouse() as variables:
        with connect("owner") as connection:
            synthetic.fill_ops(connection)
        with connect("transformer") as connection:
            synthetic.create_marts(connection)
            synthetic.fill_marts(connection)
            connection.execute("insert into marts.dim_customer (customer_key, recorded_run, superseded_run)"
                               f" values ('nameless', 1, {synthetic.FOREVER})")
            connection.execute("update marts.fct_revenue set legal_entity_id = 'GB20' where document_id = '30'")
            connection.execute("update marts.fct_revenue set legal_entity_id = null where document_id = '21'")
            connection.execute(
                "insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed) values"
                " (1, 'marts', 'marts.fct_revenue', 'key_unique', 'critical', true),"
                " (1, 'marts', 'gate', 'all_declared_evaluated', 'critical', true)")
        pointer.publish(1)
        home = Path(variables["TIEOUT_HOME"])
        with psycopg.connect(
            host="127.0.0.1", port=int(variables["TIEOUT_WAREHOUSE_PORT"]), dbname="tieout", user="postgres",
            password=(home / "pg" / "superuser").read_text().strip(), autocommit=True,
        ) as db:  # fmt: skip
            for role in (*READERS, "stranger"):
                db.execute(f"create role {role} in role bi_reader")
            yield db


@pytest.fixture
def ask(superuser):
    declare(**READERS)

    def ask(role: str, sql: str) -> list[tuple]:
        superuser.execute(f"set role {role}")
        try:
            return superuser.execute(sql).fetchall()
        finally:
            superuser.execute("reset role")

    return ask


ENTITIES = "select distinct legal_entity_id from reporting.fct_revenue order by 1"
NAMES = "select name, legal_name from reporting.dim_customer order by customer_key"


def test_without_clearance_personal_data_are_masked_and_nothing_else(ask):
    assert ask("analyst", NAMES) == [(MASK, None), (None, None)], "what is not there is not masked"
    assert ask("analyst", "select distinct customer_name, currency_code, amount from reporting.rec_break")[0][0] == MASK
    amounts = "select sum(net_amount), count(*) from reporting.fct_revenue"
    assert ask("analyst", amounts) == ask("manager", amounts)
    assert ask("manager", NAMES) == [("Acme", None), (None, None)]


def test_a_reader_of_some_legal_entities_sees_their_rows_only(ask):
    assert ask("manager", ENTITIES) == [("GB20",), ("US01",), (None,)]
    assert ask("collector", ENTITIES) == [("GB20",)]
    assert ask("auditor", ENTITIES) == [], "an empty list is none, not all"


def test_every_mart_with_a_legal_entity_is_told_apart(ask):
    marts = [name for name, columns in synthetic.contracts().items()
             if "legal_entity_id" in columns and name != "dim_legal_entity"]
    assert len(marts) > 10
    for mart in marts:
        assert ask("auditor", f"select count(*) from reporting.{mart}") == [(0,)], mart
    assert sum(count for mart in marts for (count,) in ask("manager", f"select count(*) from reporting.{mart}")) > 20


def test_no_condition_is_asked_about_rows_of_others(ask):
    """Without a barrier the division would fail on a row that the reader must not know of."""
    trap = ("select count(*) from reporting.fct_revenue"
            " where 1 / (case when legal_entity_id = 'GB20' then 1 else 0 end) = 1")
    assert ask("collector", trap) == [(1,)]
    with pytest.raises(psycopg.errors.DivisionByZero):
        ask("manager", trap)


def test_who_is_not_declared_sees_what_bi_reader_sees(ask, superuser):
    assert ask("stranger", NAMES)[0] == ("Acme", None)
    assert "reader bi_reader" in declare(**READERS, bi_reader={"legal_entities": ["GB20"]})
    assert ask("stranger", NAMES)[0] == (MASK, None) and ask("stranger", ENTITIES) == [("GB20",)]
    with connect("bi") as bi:
        assert bi.execute(ENTITIES).fetchall() == [("GB20",)]
    assert ask("manager", ENTITIES) == [("GB20",), ("US01",), (None,)]
    assert [line for line in declare(**READERS) if line.startswith("reader")] == ["reader bi_reader"]
    assert ask("stranger", ENTITIES) == [("GB20",), ("US01",), (None,)]


def test_again_nothing_changes(ask):
    assert not [line for line in declare(**READERS) if line.startswith("reader")]
    assert [line for line in views.refresh() if "my_access" in line or "replaced" in line] == []


def test_a_reader_cannot_declare_itself(ask):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask("analyst", "update ops.reader set is_cleared = true returning 1")
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
        ask("analyst", "update reporting.my_access set is_cleared = true returning 1")


def test_a_misspelt_right_is_an_error(tmp_path):
    (tmp_path / "tieout.yml").write_text("version: 1\nreaders: {analyst: {clear: true}}\nconnections: {}\n", "utf-8")
    with pytest.raises(ConfigError, match=r"tieout.yml:2: readers.analyst.clear"):
        load_company(tmp_path / "tieout.yml")
