"""The fact through dbt against the same SQL by hand.

Data: invoices of two item lines in four currencies, each line billed and recognised, so four events a document. `rows`
is the number of events. Times are what dbt reports per model: starting and parsing is not counted.
    fact_build        dbt's fct_revenue against `create table as` of its compiled select with the same indexes
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, clear_settings, open_folder

OPEN = 9223372036854775807
REPEATS = 3
COMPANY = {
    "group": {"currency": "USD", "fiscal_year_start_month": 1},
    "connections": [{"name": "erp", "system": "netsuite", "title": "NetSuite", "role": "erp", "time_zone": "UTC",
                     "legal_entity": "US01", "legal_entities": {"1": "US01"}, "currency": "USD", "urls": {}}],
}
MASTER_DATA = 7  # so many of these statements are about no document
OURS = "_connection, _key, _is_deleted, _batch_id, _row_hash"
# {documents}: how many; ids run from 1. A document's lines are 0 (the receivable), 1 and 2.
DATA = (
    f"insert into raw.netsuite__currency (id, symbol, isbasecurrency, {OURS})"
    " select n::text, (array['USD','EUR','GBP','JPY'])[n], n = 1, 'erp', n::text, false, 1, 1"
    " from generate_series(1, 4) n",
    "insert into raw.netsuite__currencyrate (id, basecurrency, transactioncurrency, effectivedate, exchangerate,"
    f" {OURS})"
    " select d * 10 + n || '', '1', n::text, date '2024-01-01' + d, (array[1, 1.1, 1.3, 0.007])[n],"
    " 'erp', d * 10 + n || '', false, 1, 1 from generate_series(2, 4) n, generate_series(0, 900) d",
    f"insert into raw.netsuite__subsidiary (id, name, country, currency, {OURS})"
    " values ('1', 'Bench', 'US', '1', 'erp', '1', false, 1, 1)",
    f"insert into raw.netsuite__account (id, acctnumber, accttype, {OURS}) values"
    " ('1', '1100', 'AcctRec', 'erp', '1', false, 1, 1), ('2', '4000', 'Income', 'erp', '2', false, 1, 1)",
    f"insert into raw.netsuite__accountingperiod (id, periodname, startdate, enddate, isquarter, isyear, {OURS})"
    " select n::text, 'P' || n, (date '2024-01-01' + n * interval '1 month')::date,"
    " (date '2024-01-01' + (n + 1) * interval '1 month')::date - 1, false, false, 'erp', n::text, false, 1, 1"
    " from generate_series(0, 30) n",
    f"insert into raw.netsuite__customer (id, companyname, isperson, {OURS})"
    " select n::text, 'Customer ' || n, false, 'erp', n::text, false, 1, 1 from generate_series(1, 5000) n",
    f"insert into raw.netsuite__item (id, itemid, itemtype, {OURS})"
    " select n::text, 'SKU-' || n, 'Service', 'erp', n::text, false, 1, 1 from generate_series(1, 500) n",
    "insert into raw.netsuite__transaction (id, tranid, type, status, approvalstatus, entity, currency, postingperiod,"
    f" exchangerate, foreigntotal, posting, voided, trandate, duedate, lastmodifieddate, _modified_at, {OURS})"
    " select n::text, 'INV' || n, 'CustInvc', 'A', '2', (1 + n % 5000)::text, (1 + n % 4)::text, (n % 24)::text, 1.05,"
    " 300, true, false, date '2024-01-01' + (n % 700)::int, date '2024-02-01' + (n % 700)::int, now(), now(),"
    " 'erp', n::text, false, 1, 1 from generate_series(1, {documents}) n",
    "insert into raw.netsuite__transactionline (uniquekey, transaction, id, item, itemtype, entity, subsidiary,"
    f" quantity, foreignamount, mainline, taxline, iscogs, eliminate, {OURS})"
    " select n * 10 + l || '', n::text, l::text, case when l > 0 then (1 + (n + l) % 500)::text end,"
    " case when l > 0 then 'Service' end, (1 + n % 5000)::text, '1', -l, (array[300, -100, -200])[l + 1], l = 0, false,"
    " false, false, 'erp', n * 10 + l || '', false, 1, 1"
    " from generate_series(1, {documents}) n, generate_series(0, 2) l",
    "insert into raw.netsuite__transactionaccountingline (accountingbook, transaction, transactionline, account,"
    f" amount, posting, {OURS})"
    " select '1', n::text, l::text, case when l = 0 then '1' else '2' end, (array[315, -105, -210])[l + 1], true,"
    " 'erp', '1|' || n || '|' || l, false, 1, 1 from generate_series(1, {documents}) n, generate_series(0, 2) l",
)


def run(rows: int, progress: Callable[[str], Any] = print) -> list[dict[str, Any]]:
    """The figure for that many events, in a warehouse of its own."""
    from tieout.transform.runner import Runner

    documents = max(rows // 4, 100)
    with open_folder() as home, warehouse(home):
        _fill(documents)
        runner = Runner(ROOT / "dbt_project", home / "dbt", ("netsuite",), 2)
        _invoke(runner, "seed", 1, ())
        complete = _invoke(runner, "run", 1, ("--full-refresh", "--select", "+fct_revenue"))
        progress(f"  complete build: {sum(complete.values()):.1f} s of SQL in {len(complete)} models")
        compiled = home / "dbt" / "target" / "compiled" / "tieout" / "models"
        select = (compiled / "marts" / "core" / "fct_revenue.sql").read_text(encoding="utf-8")
        by_dbt = min(_rebuild(runner) for _ in range(REPEATS))
        by_hand = min(_by_hand(select) for _ in range(REPEATS))
        progress(f"  fact: {by_dbt:.2f} s through dbt, {by_hand:.2f} s by hand")
    return [
        {"name": "fact_build", "value": by_dbt, "unit": "s", "limit": by_hand, "ratio": by_dbt / by_hand,
         "goal": "<= 1.2"},
    ]


@contextmanager
def warehouse(home: Path, *, salesforce: bool = False) -> Iterator[None]:
    """A migrated warehouse in `home` with the raw tables of NetSuite, and of Salesforce."""
    from tieout import localpg
    from tieout.spec import Company
    from tieout.warehouse import migrate

    variables = localpg.start(home)
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    clear_settings()
    try:
        connections: dict[str, Any] = {
            "erp": {"system": "netsuite", "auth": "tba", "time_zone": "UTC", "options": {"account": "1"}}}
        if salesforce:
            connections["crm"] = {"system": "salesforce", "auth": "jwt_bearer", "time_zone": "UTC",
                                  "options": {"login_url": "https://bench.my.salesforce.com"}}
        migrate(Company.model_validate({"version": 1, "connections": connections}))
        yield
    finally:
        localpg.stop(home)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
        clear_settings()


def _fill(documents: int) -> None:
    from tieout.warehouse import connect

    with connect("owner", autocommit=True) as books:
        for statement in DATA:
            books.execute(statement.replace("{documents}", str(documents)))
        books.execute("vacuum analyze")


def _invoke(runner: Any, command: str, run_id: int, arguments: tuple[str, ...]) -> dict[str, float]:
    from tieout.transform.runner import failed

    variables = {"run_id": run_id, "previous_run_id": -1, "previous_batch_id": -1,
                 "as_of_date": "2026-06-30", "company": COMPANY, "systems": ["netsuite"]}
    results = runner.invoke(command, variables, arguments)
    if broken := failed(results):
        raise AssertionError(f"{broken[0].name}: {broken[0].message}")
    return {found.name: found.seconds for found in results}


def _rebuild(runner: Any) -> float:
    from tieout.warehouse import connect

    with connect("transformer", autocommit=True) as books:
        books.execute("drop table marts.fct_revenue")
    return _invoke(runner, "run", 1, ("--select", "fct_revenue"))["fct_revenue"]


def _by_hand(select: str) -> float:
    from tieout.warehouse import connect

    with connect("transformer", autocommit=True) as books:
        books.execute("drop table if exists marts.bench_fact")
        books.execute("set jit = off; set work_mem = '64MB'")
        books.execute("set join_collapse_limit = 12; set from_collapse_limit = 12")
        started = time.perf_counter()
        books.execute(f"create table marts.bench_fact as {select}")
        books.execute(f"create unique index on marts.bench_fact (event_key) where superseded_run = {OPEN}")
        books.execute("create index on marts.bench_fact (recorded_run)")
        books.execute(f"create index on marts.bench_fact (superseded_run) where superseded_run < {OPEN}")
        books.execute(f"create index on marts.bench_fact (connection, document_id) where superseded_run = {OPEN}")
        books.execute("analyze marts.bench_fact")
        seconds = time.perf_counter() - started
        books.execute("drop table marts.bench_fact")
    return seconds
