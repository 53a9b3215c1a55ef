"""What a run costs when little changed, in all models of the project: `rows` is the lines of history.

Data: chains of an order, an invoice that was made from it, and a payment that settles it, eight lines each; every fifth
begins with a deal and the CRM's copy of the order. A change is an invoice whose header, lines and ledger were landed
again with other amounts. Seconds of SQL are the engine's own count of the time that it executed statements
(`pg_stat_database.active_time`), of all that dbt asks. Beside it stands what dbt reports per model, where some 0.3 s
a model are its own whatever the model does, and the time in all.
    incremental_1pct  a run after 1 % of the invoices changed, against the complete build
    history_10x       a run after so many invoices changed that they are 1 % of a tenth of the history, against the same
                      change there
    match_orders      the models that match documents, in the complete build, against five minutes a million orders;
                      dbt's seconds of two threads, added up
    match_orders_1pct the same models after 1 % of the invoices changed, against that
Each model asks the catalogue the same few questions, so small histories look worse than they are in the first and
better in the second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.bench_transform import DATA, MASTER_DATA, OURS, warehouse
from tests.conftest import ROOT, open_folder

LINES = 8
COMPANY = {
    "group": {"currency": "USD", "fiscal_year_start_month": 1},
    "connections": [
        {"name": "erp", "system": "netsuite", "title": "NetSuite", "role": "erp", "time_zone": "UTC",
         "legal_entity": "US01", "legal_entities": {"1": "US01"}, "currency": "USD", "urls": {}},
        {"name": "crm", "system": "salesforce", "title": "Salesforce", "role": "crm", "time_zone": "UTC",
         "legal_entity": "US01", "legal_entities": {}, "currency": "USD", "urls": {}},
    ],
}
HEADER = ("id, tranid, type, status, approvalstatus, entity, currency, postingperiod, otherrefnum, exchangerate,"
          f" foreigntotal, posting, voided, trandate, duedate, lastmodifieddate, _modified_at, {OURS}")
LINE = ("uniquekey, transaction, id, item, itemtype, entity, subsidiary, quantity, foreignamount, mainline, taxline,"
        f" iscogs, eliminate, createdfrom, {OURS}")
# The documents of chain n are n1 (order), n2 (invoice), n3 (payment). One in ten is still open.
CHAINS = (
    f"insert into raw.netsuite__transaction ({HEADER})"
    " select n || '' || d, (array['SO','INV','PAY'])[d] || n, (array['SalesOrd','CustInvc','CustPymt'])[d],"
    " (array['F','A','C'])[d], '2', (1 + n % 5000)::text, (1 + n % 4)::text, (n % 24)::text,"
    " case when d < 3 then 'PO' || n end, 1.05, 300, d > 1, false, date '2024-01-01' + (n % 700)::int + d,"
    " case when d = 2 then date '2024-02-01' + (n % 700)::int end, now(), now(), 'erp', n || '' || d, false, 1, 1"
    " from generate_series(1, {chains}) n, generate_series(1, 3) d where d < 3 or n % 10 > 0",
    f"insert into raw.netsuite__transactionline ({LINE})"
    " select n || '' || d || l, n || '' || d, l::text, case when l > 0 then (1 + (n + l) % 500)::text end,"
    " case when l > 0 then 'Service' end, (1 + n % 5000)::text, '1', -l, (array[300, -100, -200])[l + 1], l = 0, false,"
    " false, false, case when d = 2 then n || '1' end, 'erp', n || '' || d || l, false, 1, 1"
    " from generate_series(1, {chains}) n, generate_series(1, 2) d, generate_series(0, 2) l",
    f"insert into raw.netsuite__transactionline ({LINE})"
    " select n || '3' || l, n || '3', l::text, null, null, (1 + n % 5000)::text, '1', null, 300 - 600 * l, l = 0,"
    " false, false, false, null, 'erp', n || '3' || l, false, 1, 1"
    " from generate_series(1, {chains}) n, generate_series(0, 1) l where n % 10 > 0",
    "insert into raw.netsuite__transactionaccountingline (accountingbook, transaction, transactionline, account,"
    f" amount, posting, {OURS})"
    " select '1', n || '2', l::text, case when l = 0 then '1' else '2' end, (array[315, -105, -210])[l + 1], true,"
    " 'erp', '1|' || n || '2|' || l, false, 1, 1 from generate_series(1, {chains}) n, generate_series(0, 2) l",
    "insert into raw.netsuite__nexttransactionlink (previousdoc, previousline, previoustype, nextdoc, nextline,"
    f" nexttype, linktype, foreignamount, nextdate, {OURS})"
    " select n || '' || d, '0', (array['SalesOrd','CustInvc'])[d], n || '' || d + 1, '0',"
    " (array['CustInvc','CustPymt'])[d], (array['OrdBill','Payment'])[d], 300, date '2024-01-04' + (n % 700)::int,"
    " 'erp', n || '|' || d, false, 1, 1"
    " from generate_series(1, {chains}) n, generate_series(1, 2) d where d < 2 or n % 10 > 0",
    f"insert into raw.salesforce__account (id, name, {OURS})"
    " select 'A' || n, 'Customer ' || n, 'crm', 'A' || n, false, 1, 1 from generate_series(1, 5000) n",
    "insert into raw.salesforce__opportunity (id, name, accountid, currencyisocode, amount, iswon, closedate,"
    f" _modified_at, {OURS})"
    " select 'D' || n, 'Deal ' || n, 'A' || 1 + n % 5000, (array['USD','EUR','GBP','JPY'])[1 + n % 4], 300, true,"
    " date '2024-01-01' + (n % 700)::int, now(), 'crm', 'D' || n, false, 1, 1 from generate_series(5, {chains}, 5) n",
    "insert into raw.salesforce__order (id, ordernumber, accountid, opportunityid, statuscode, currencyisocode,"
    f" erp_order_id, totalamount, effectivedate, _modified_at, {OURS})"
    " select 'C' || n, 'C' || n, 'A' || 1 + n % 5000, 'D' || n, 'Activated', "
    " (array['USD','EUR','GBP','JPY'])[1 + n % 4], n || '1', 300, date '2024-01-01' + (n % 700)::int, now(),"
    " 'crm', 'C' || n, false, 1, 1"
    " from generate_series(5, {chains}, 5) n",
    f"insert into raw.salesforce__orderitem (id, orderid, quantity, totalprice, {OURS})"
    " select 'I' || n, 'C' || n, 1, 300, 'crm', 'I' || n, false, 1, 1 from generate_series(5, {chains}, 5) n",
)
# Invoices of every so many chains, with what was multiplied. {shift}: another choice of invoices for the next change.
CHANGED = ("_superseded_batch is null and right({column}, 1) = '2'"
           " and left({column}, -1)::bigint % {every} = {shift}")
CHILDREN = (
    ("netsuite__transaction", "id", "foreigntotal"), ("netsuite__transactionline", "transaction", "foreignamount"),
    ("netsuite__transactionaccountingline", "transaction", "amount"),
)
# Every pass, up to what belongs together and by how much; what differs, and why, comes after.
MATCHING = frozenset({
    "int_rec_documents", "int_rec_decisions", "int_rec_crossrefs", "int_rec_changes", "int_rec_affected",
    "int_rec_touched", "int_rec_sources", "int_rec_reference_candidates", "int_rec_pairs__decided",
    "int_rec_pairs__named", "int_rec_pairs__figures", "int_rec_pairs", "int_rec_groups", "int_rec_applications",
    "int_rec_populations", "int_rec_members", "int_rec_groups__touched", "rec_match", "rec_match_member",
})  # fmt: skip
SECONDS_PER_ORDER = 300 / 1_000_000
SETTLED = ("--exclude", "tag:settled,config.materialized:view")


def run(rows: int, progress: Callable[[str], Any] = print) -> list[dict[str, Any]]:
    """All figures for that many lines of history, each in a warehouse of its own."""
    chains = max(rows // LINES, 1000)
    few = chains // 10 // 100
    with open_folder() as home, warehouse(home, salesforce=True):
        history = History(home, chains // 10, progress)
        history.build()
        here = history.change(few)
    with open_folder() as home, warehouse(home, salesforce=True):
        history = History(home, chains, progress)
        complete = history.build()
        matched = history.matching
        same = history.change(few)
        one_percent = history.change(chains // 100)
        matched_again = history.matching
    limit = SECONDS_PER_ORDER * chains
    return [
        {"name": "match_orders", "value": matched, "unit": "s", "limit": limit, "ratio": matched / limit,
         "goal": "<= 1"},
        {"name": "match_orders_1pct", "value": matched_again, "unit": "s", "limit": matched,
         "ratio": matched_again / matched, "goal": "<= 0.1"},
        {"name": "incremental_1pct", "value": one_percent, "unit": "s", "limit": complete,
         "ratio": one_percent / complete, "goal": "<= 0.05"},
        {"name": "history_10x", "value": same, "unit": "s", "limit": here, "ratio": same / here, "goal": "<= 1.3"},
    ]


class History:
    """A warehouse of so many chains, built and changed run by run. `matching`: dbt's seconds of MATCHING, last run."""

    matching = 0.0

    def __init__(self, home: Path, chains: int, progress: Callable[[str], Any]) -> None:
        from tieout.transform.runner import Runner
        from tieout.warehouse import connect

        self._chains, self._progress, self._run = chains, progress, 0
        self._runner = Runner(ROOT / "dbt_project", home / "dbt", ("netsuite", "salesforce"), 2)
        with connect("owner", autocommit=True) as books:
            for statement in (*DATA[:MASTER_DATA], *CHAINS):
                books.execute(statement.replace("{chains}", str(chains)))
            books.execute("vacuum analyze")

    def build(self) -> float:
        """The complete build: seconds of SQL."""
        self._invoke("seed", ())
        return self._invoke("run", ("--full-refresh",))

    def change(self, count: int) -> float:
        """Land other amounts of so many invoices and build: seconds of SQL. Checks that they were restated."""
        from tieout.warehouse import connect

        self._run += 1
        every = self._chains // count
        with connect("owner") as books:
            for table, column, doubled in CHILDREN:
                where = CHANGED.format(column=column, every=every, shift=self._run)
                columns = [name for (name,) in books.execute(
                    "select column_name from information_schema.columns where table_schema = 'raw' and table_name = %s",
                    (table,))]
                told = {name: f'"{name}"' for name in columns}
                told |= {"_batch_id": str(self._run + 1), "_superseded_batch": "null", doubled: f"{doubled} * 2"}
                names = ", ".join(f'"{name}"' for name in columns)
                books.execute(f"create temp table fresh on commit drop as select * from raw.{table} where {where}")
                books.execute(f"update raw.{table} set _superseded_batch = {self._run + 1} where {where}")
                chosen = ', '.join(told[name] for name in columns)
                books.execute(f"insert into raw.{table} ({names}) select {chosen} from fresh")
                books.execute("drop table fresh")
        with connect("owner", autocommit=True) as books:
            books.execute(f"analyze {', '.join(f'raw.{table}' for table, _, _ in CHILDREN)}")
        seconds = self._invoke("run", SETTLED)
        with connect("transformer") as books:
            restated = books.execute(
                "select count(distinct document_id) from marts.fct_revenue where recorded_run = %s", (self._run,)
            ).fetchone()[0]
        if not abs(restated - count) <= 1:
            raise AssertionError(f"{count} invoices were changed, {restated} restated")
        return seconds

    def _invoke(self, command: str, arguments: tuple[str, ...]) -> float:
        from tieout.transform.runner import failed

        previous = self._run - 1
        variables = {"run_id": self._run, "previous_run_id": previous, "previous_batch_id": self._run or -1,
                     "as_of_date": "2026-06-30", "previous_as_of_date": "2026-06-30",
                     "company": COMPANY, "systems": ["netsuite", "salesforce"]}
        started, spent = time.monotonic(), _seconds_of_sql()
        results = self._runner.invoke(command, variables, arguments)
        if broken := failed(results):
            raise AssertionError(f"{broken[0].name}: {broken[0].message}")
        seconds = _seconds_of_sql() - spent
        self.matching = sum(found.seconds for found in results if found.name in MATCHING)
        slowest = sorted(results, key=lambda found: -found.seconds)[:12]
        if command == "run":
            self._progress(
                f"  run {self._run} of {self._chains * LINES:,} lines: {seconds:.1f} s of SQL in {len(results)} models,"
                f" {sum(found.seconds for found in results):.1f} s with dbt's own,"
                f" {time.monotonic() - started:.0f} s in all\n    "
                + ", ".join(f"{found.name} {found.seconds:.2f}" for found in slowest))
        return seconds


def _seconds_of_sql() -> float:
    """Seconds that sessions of the warehouse, those that have ended, spent executing statements so far."""
    from tieout.warehouse import connect

    with connect("owner", autocommit=True) as books:
        return books.execute(
            "select active_time / 1000 from pg_stat_database where datname = current_database()").fetchone()[0]
