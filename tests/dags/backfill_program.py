"""Ten scheduled days in one warehouse, `airflow backfill create` over the same days in its twin; then both are built.

Run as a program: `python -m tests.dags.backfill_program HOME`. Prints what differs between the two, as JSON.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from simulator import company, serve
from tieout import airflow_support, demo, place, settings, steps
from tieout.spec import load_company
from tieout.warehouse import connect, migrate

DAYS = 10
TWIN = "tieout_twin"
# When and in which batch a row was recorded is not what it says.
NOT_CONTENT = {"recorded_run", "superseded_run", "row_hash", "batch_id", "knowledge_at"}


def main(home: Path) -> dict[str, Any]:
    """States of the backfill's runs; per table of raw and marts the rows in the one, in the other, in only one of them;
    and what the comparison says after a cent was changed.
    """
    company.generate(home / "company" / "global", seed=11, size="1k", level=1)
    place.enter(place.demo(home))
    steps.check = lambda *_: None  # the gates are tested elsewhere, and take a second each
    with serve.start(home / "company" / "global") as endpoints:
        path = endpoints.tieout_yml(home / "tieout.yml")
        daily(path, demo.simulated_now(home))
        settings.apply(endpoints.environment())
        migrate()
        names = list(settings.settings().company.connections)
        for name in names:
            steps.land(name)
        twin(home)
        airflow_support.migrate_metadata()
        dags = airflow_support.load_dags(settings.ROOT / "dags")
        first = demo.simulated_now(home)
        for _ in range(DAYS):
            company.advance(home / "company" / "global", days=1)
            for name in names:
                state = airflow_support.run_dag(dags[f"land_{name}"], demo.simulated_now(home))
                assert state[""] == "success", state
        settings.apply({"TIEOUT_WAREHOUSE_DATABASE": TWIN})
        runs = {name: backfill(dags[f"land_{name}"], first, first + timedelta(days=DAYS - 1)) for name in names}
    raw = compared(
        "raw", " where _superseded_batch is null and not _is_deleted", {"_batch_id", "_superseded_batch", "_landed_at"}
    )
    for database in ("tieout", TWIN):  # dbt's parsed project, kept under TIEOUT_HOME, names its database
        settings.apply({"TIEOUT_WAREHOUSE_DATABASE": database, "TIEOUT_HOME": str(home / database)})
        run_id = steps.open_run("revenue")
        steps.build(run_id)
    marts = compared("marts", "", NOT_CONTENT)
    with connect("transformer") as db:  # the twin's: one cent in one row
        db.execute(
            "update marts.fct_revenue set net_amount = net_amount + 0.01 where event_key ="
            " (select min(event_key) from marts.fct_revenue where superseded_run = 9223372036854775807)"
        )
    planted = compared("marts", "", NOT_CONTENT)
    return {"runs": runs, "raw": raw, "marts": marts, "planted": {n: c[2] for n, c in planted.items() if c[2]}}


def daily(path: Path, now: datetime) -> None:
    """Let every connection land once a day, at the simulated time of day, said in its own zone."""
    text = path.read_text(encoding="utf-8")
    for connection in load_company(path).connections.values():
        local = now.astimezone(connection.zone)
        system = f"    system: {connection.system}\n"
        text = text.replace(system, f'{system}    schedule: "{local.minute} {local.hour} * * *"\n')
    path.write_text(text, encoding="utf-8")


def twin(home: Path) -> None:
    """A second warehouse with the same content."""
    at = settings.warehouse()
    password = (home / "pg" / "superuser").read_text(encoding="utf-8")
    dsn = f"host={at.host} port={at.port} user=postgres password={password} dbname=postgres"
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute(f"create database {TWIN} template tieout owner tieout_owner")
        for role in settings.ROLE_NAMES.values():
            server.execute(f"grant connect, temporary on database {TWIN} to {role}")


def backfill(dag: Any, start: Any, end: Any) -> list[str]:
    """`airflow backfill create` as typed, then its runs in order, without a scheduler. Returns their states."""
    from airflow.cli.cli_parser import get_parser
    from airflow.models.dagrun import DagRun
    from airflow.sdk.definitions.dag import _run_task
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.settings import Session
    from airflow.utils.state import DagRunState, TaskInstanceState
    from sqlalchemy import delete, select

    session = Session()
    session.execute(delete(DagRun).where(DagRun.dag_id == dag.dag_id))  # the first warehouse's runs of the same days
    session.commit()
    args = get_parser().parse_args(
        [
            "backfill",
            "create",
            "--dag-id",
            dag.dag_id,
            "--from-date",
            start.isoformat(),
            "--to-date",
            end.isoformat(),
            "--max-active-runs",
            "1",
        ]
    )
    args.func(args)
    serialized = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    found = session.scalars(select(DagRun).where(DagRun.dag_id == dag.dag_id).order_by(DagRun.logical_date)).all()
    for run in found:
        assert airflow_support.is_backfill(run), run.run_type
        run.dag = serialized
        run.state = DagRunState.RUNNING
        session.commit()
        while run.state == DagRunState.RUNNING:
            ready, _ = run.update_state(session=session)
            for instance in ready:
                instance.try_number += 1
                instance.state = TaskInstanceState.SCHEDULED
            session.commit()
            for instance in ready:
                _run_task(ti=instance, task=dag.task_dict[instance.task_id])
            session.expire_all()
            run.dag = serialized
    return [str(run.state) for run in found]


def compared(schema: str, where: str, without: set[str]) -> dict[str, list[int]]:
    """{table: [rows in the first, rows in the twin, rows that only one has]}."""
    contents = []
    for database in ("tieout", TWIN):
        settings.apply({"TIEOUT_WAREHOUSE_DATABASE": database})
        with connect("transformer") as db:
            contents.append({table: rows(db, schema, table, where, without) for table in tables(db, schema)})
    one, other = contents
    assert one.keys() == other.keys()
    return {name: [len(one[name]), len(other[name]), len(one[name] ^ other[name])] for name in one}


def tables(db: psycopg.Connection, schema: str) -> list[str]:
    """All tables of a schema."""
    found = db.execute("select tablename from pg_tables where schemaname = %s order by 1", (schema,))
    return [name for (name,) in found]


def rows(db: psycopg.Connection, schema: str, table: str, where: str, without: set[str]) -> set[str]:
    """The rows as text, without the columns that say when they were recorded."""
    names = [
        name
        for (name,) in db.execute(
            "select column_name from information_schema.columns where table_schema = %s and table_name = %s order by 1",
            (schema, table),
        )
        if name not in without
    ]
    chosen = ", ".join(f'"{name}"' for name in names)
    current = (
        " where superseded_run = 9223372036854775807"
        if schema == "marts"
        and any(
            db.execute(
                "select 1 from information_schema.columns where table_schema = 'marts' and table_name = %s"
                " and column_name = 'superseded_run'",
                (table,),
            )
        )
        else where
    )
    return {row for (row,) in db.execute(f'select md5(row({chosen})::text) from {schema}."{table}"{current}')}


if __name__ == "__main__":
    print("RESULT" + json.dumps(main(Path(sys.argv[1]))))
