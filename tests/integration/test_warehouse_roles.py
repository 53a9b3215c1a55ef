"""Least privilege, as a matrix: what each role may do to each kind of object, tried for real."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import clear_settings, demo_company
from tieout import localpg
from tieout.errors import WarehouseError
from tieout.spec import staged_together
from tieout.warehouse import connect, migrate

ROLES = ("loader", "transformer", "publisher", "bi")
READ_RAW = "select 1 from raw.netsuite__item limit 1"
WRITE_RAW = (
    "insert into raw.netsuite__item (_connection, _key, _is_deleted, _batch_id, _row_hash) "
    "values ('c', 'k', false, 1, 1)"
)

# statement → roles that may run it. Everybody else must be refused.
MATRIX: dict[str, tuple[str, ...]] = {
    READ_RAW: ("loader", "transformer"),
    WRITE_RAW: ("loader",),
    "update raw.netsuite__item set _superseded_batch = 2": ("loader",),
    "update raw.netsuite__item set itemid = 'x'": (),
    "delete from raw.netsuite__item": (),
    "truncate raw.netsuite__item": (),
    "alter table raw.netsuite__item add column x text": (),
    "create table raw.mine (x int)": (),
    "insert into ops.load (connection, system, stream, table_name, mode) values ('c', 's', 't', 'n', 'full')": (
        "loader",
    ),
    "delete from ops.load": (),
    "delete from ops.quarantine": (),
    "insert into ops.quarantine_mapping (connection, stream, field, received, decided_by, reason) "
    "values ('c', 's', 'f', 'v', 'who', 'why')": ("loader",),
    "update ops.quarantine_mapping set value = 'x'": (),
    "delete from ops.quarantine_mapping": (),
    "select received from ops.quarantine_mapping": ("loader",),
    "select field from ops.drift": ("loader", "transformer", "publisher"),
    "select payload from ops.quarantine": ("loader", "transformer"),
    "select reason_code from ops.quarantine": ("loader", "transformer", "publisher"),
    "insert into ops.run (kind, label) values ('land', 'c')": ("loader", "transformer", "publisher"),
    "create table staging.mine (x int)": ("transformer",),
    "create table intermediate.mine (x int)": ("transformer",),
    "create table marts.mine (x int)": ("transformer",),
    "select 1 from marts.probe": ("transformer", "publisher"),
    "insert into marts.probe values (2)": ("transformer",),
    "create view reporting.mine as select 1 as one": ("publisher",),
    "select 1 from reporting.probe": ("publisher", "bi"),
    "delete from ops.publication": (),
    "update ops.pointer set moved_at = now()": ("publisher",),
    "update ops.build_watermark set is_full = true": ("transformer",),
    "insert into ops.model_run (run_id, node_id, resource_type, status, seconds) "
    "select 1, 'n', 'model', 'ok', 0 where false": ("transformer",),
    "insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed) "
    "select 1, 'landing', 's', 'e', 'critical', true where false": ("transformer", "publisher"),
    "create table public.mine (x int)": (),
    "create schema mine": (),
    "create temporary table mine (x int)": ("loader", "transformer", "publisher"),
    "create role mine": (),
    "select ops.settled_batch_id()": ("loader", "transformer", "publisher"),
    "select ops.prunable_batch(now())": ("loader",),
    "select ops.prune_raw('netsuite__item', now() - interval '9 days', 1)": ("loader",),
    "select ops.prune_loads(now() - interval '9 days', 'c', 's')": ("loader",),
    "select ops.prune_evidence(now() - interval '9 days')": ("loader",),
    "select ops.release_publication(1)": ("publisher",),
    "update ops.publication set pruned_at = now()": (),
    "select count(*) from ops.break_event": ("publisher",),
    "insert into ops.break_event select * from ops.break_event where false": (),
    "delete from ops.break_event where false": (),
    "truncate ops.break_event": (),
    "delete from ops.pruned_load": (),
    "delete from ops.backfill": (),
    "insert into ops.backfill (connection, source, arguments, requested_by) values ('c', 'vendor', '{}', 'me')": (
        "loader",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def probes(warehouse: dict[str, str]) -> Iterator[None]:
    """A table that a model made and a view that publishing made."""
    with connect("transformer", autocommit=True) as connection:
        connection.execute("create table marts.probe as select 1 as x")
    with connect("publisher", autocommit=True) as connection:
        connection.execute("create view reporting.probe as select x from marts.probe")
    yield
    with connect("publisher", autocommit=True) as connection:
        connection.execute("drop view reporting.probe")
    with connect("transformer", autocommit=True) as connection:
        connection.execute("drop table marts.probe")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("statement", MATRIX, ids=lambda s: s[:60])
def test_role_may_do_exactly_what_the_matrix_says(statement: str, role: str) -> None:
    with connect(role) as connection:
        try:
            connection.execute(statement)
            allowed = True
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
            allowed = False
        connection.rollback()
    assert allowed == (role in MATRIX[statement])


def test_matrix_tries_every_role_both_ways() -> None:
    assert all(any(role in allowed for allowed in MATRIX.values()) for role in ROLES)
    assert all(any(role not in allowed for allowed in MATRIX.values()) for role in ROLES)


def test_bi_reader_is_read_only_limited_in_time_and_cannot_lift_what_matters(warehouse: dict[str, str]) -> None:
    with connect("bi") as connection:
        assert connection.execute("show default_transaction_read_only").fetchone() == ("on",)
        assert connection.execute("show statement_timeout").fetchone() == ("5min",)
        assert connection.execute("select x from probe").fetchone() == (1,), "search_path finds reporting"
        connection.rollback()
        connection.execute("set default_transaction_read_only = off")
        connection.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create table reporting.mine (x int)")


def test_bi_reader_cannot_enter_the_database_of_airflow(warehouse: dict[str, str]) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(
            host="127.0.0.1",
            port=warehouse["TIEOUT_WAREHOUSE_PORT"],
            user="bi_reader",
            dbname="airflow",
            password=warehouse["TIEOUT_WAREHOUSE_BI_PASSWORD"],
        )


def test_no_raw_table_escapes_the_grants(warehouse: dict[str, str]) -> None:
    with connect("owner") as connection:
        rows = connection.execute(
            "select tablename, has_table_privilege('tieout_loader', format('raw.%I', tablename), 'insert'),"
            " has_table_privilege('tieout_transformer', format('raw.%I', tablename), 'select'),"
            " has_table_privilege('bi_reader', format('raw.%I', tablename), 'select')"
            " from pg_tables where schemaname = 'raw'"
        ).fetchall()
    company = demo_company()
    sources = [source for c in company.connections.values() for source in staged_together(c.system)]
    tables = {s.table for source in sources for s in source.streams}
    assert {row[0] for row in rows} >= tables and len(tables) > 20  # other tests' tables are held to it too
    assert {flags for _, *flags in map(tuple, rows) for flags in [tuple(flags)]} == {(True, True, False)}


def test_migrate_again_changes_nothing(warehouse: dict[str, str]) -> None:
    assert all(line.endswith(".sql") for line in migrate(demo_company()))


def test_postgres_away_names_host_port_role_and_what_to_do(warehouse: dict[str, str], monkeypatch) -> None:
    monkeypatch.setenv("TIEOUT_WAREHOUSE_PORT", "1")
    clear_settings()
    try:
        with pytest.raises(WarehouseError, match=r"127\.0\.0\.1:1/tieout.*tieout_loader(.|\n)*localpg status"):
            connect("loader")
    finally:
        monkeypatch.undo()
        clear_settings()


def test_bootstrap_of_a_server_that_is_already_set_up_keeps_data_and_changes_passwords(
    warehouse_home, warehouse
) -> None:
    from tieout.warehouse import bootstrap

    password = (warehouse_home / "pg" / "superuser").read_text()
    dsn = f"postgresql://postgres:{password}@127.0.0.1:{warehouse['TIEOUT_WAREHOUSE_PORT']}/postgres"
    bootstrap(dsn)
    with connect("transformer") as connection:
        assert connection.execute("select count(*) from marts.probe").fetchone() == (1,)
    assert localpg.status(warehouse_home).startswith("running")


def test_a_fresh_warehouse_finds_lines_by_their_document(warehouse: dict[str, str]) -> None:
    """A build looks the lines of a changed document up: without an index each build would read all of them."""
    with connect("owner") as connection:
        found = dict(connection.execute(
            "select tablename, string_agg(indexdef, ' ') from pg_indexes where schemaname = 'raw' group by 1"
        ).fetchall())
    wanted = [(stream.table, column) for each in demo_company().connections.values() for stream in each.source.streams
              for column in (*([stream.parent.column] if stream.parent else []), *stream.lookups)]
    assert {("netsuite__transactionline", "transaction"), ("salesforce__orderitem", "orderid"),
            ("salesforce__opportunitylineitem", "opportunityid")} <= set(wanted)
    for table, column in wanted:
        assert re.search(rf'\(_connection, "?{column}"?\) WHERE', found[table]), (table, column)
