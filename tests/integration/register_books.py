"""A warehouse whose breaks a test sets at will: each call of `publish` is a run that finds exactly the given breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.controls import synthetic
from tieout.publish import pointer
from tieout.publish.pointer import Publication
from tieout.warehouse import connect

FIRST_DAY = date(2026, 7, 1)


def key(name: str) -> str:
    """A key of 32 letters that begins with the name."""
    return name.ljust(32, "0")


class Books:
    """`superuser`: a DSN for what only a superuser can do."""

    def __init__(self, superuser: str) -> None:
        self.superuser, self.day = superuser, FIRST_DAY

    def open_run(self, breaks: Mapping[str, Any]) -> int:
        """A run that built and passed, not yet published. {name: amount, or columns of rec_break}."""
        with connect("transformer") as db:
            run_id = db.execute(
                "insert into ops.run (kind, label, logical_at) values ('revenue', 'revenue', %s) returning run_id",
                (self.day,)).fetchone()[0]
            self.day += timedelta(days=1)
            db.execute("update marts.rec_break set superseded_run = %s where superseded_run = %s",
                       (run_id, synthetic.FOREVER))
            for name, told in breaks.items():
                row = dict(told) if isinstance(told, Mapping) else {"amount": told}
                row = {"group_amount": row["amount"], **row}
                synthetic.insert(db, "marts.rec_break", **{
                    "break_key": key(name), "hop": "order_invoice", "reason_code": "C1", "reason_name": "Price",
                    "group_key": f"g{name}", "document_key": f"d{name}", "connection": "netsuite",
                    "document_type": "invoice", "document_id": name, "document_number": f"N{name}",
                    "customer_name": "Acme", "business_unit": "", "legal_entity_id": "US01", "currency_code": "USD",
                    "owner": "sales operations", "period_opened": "2026-06", "age_bucket": "0-30", "age_days": 9,
                    "is_expected": False, "materiality": "minor", "direction": "left_exceeds_right", "confidence": 1,
                    "first_seen_date": FIRST_DAY, "due_date": FIRST_DAY + timedelta(days=5), "evidence": "by hand",
                    "recorded_run": run_id, **row})
            for suite, expectation in (("marts.rec_break", "key_unique"), ("gate", "all_declared_evaluated")):
                db.execute("insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed)"
                           " values (%s, 'marts', %s, %s, 'critical', true)", (run_id, suite, expectation))
        return run_id

    def publish(self, breaks: Mapping[str, Any]) -> Publication:
        """A run, published."""
        return pointer.publish(self.open_run(breaks))

    def empty(self) -> None:
        """As before the first publication."""
        self.day = FIRST_DAY
        self.as_superuser("truncate marts.rec_break, ops.break_event, ops.publication, ops.pointer")

    def as_superuser(self, statement: str) -> None:
        with psycopg.connect(self.superuser, autocommit=True) as db:
            db.execute(statement)

    def kinds(self, name: str) -> list[str]:
        """The kinds of a break's events, in order."""
        with connect("publisher") as db:
            return [kind for (kind,) in db.execute(
                "select kind from ops.break_event where break_key = %s order by event_id", (key(name),))]

    def read(self, name: str, *columns: str, run: int | None = None) -> tuple | None:
        """Columns of a break as a BI tool sees them, of a publication."""
        with connect("bi") as db:
            if run is not None:
                db.execute("select reporting.as_of(%s::bigint)", (run,))
            return db.execute(f"select {', '.join(columns)} from reporting.rec_break where break_key = %s",
                              (key(name),)).fetchone()


@contextmanager
def own_books() -> Iterator[Books]:
    """Books of one's own; nothing is published yet."""
    with synthetic.own_warehouse() as variables:
        with connect("owner") as db:
            synthetic.fill_ops(db)
        with connect("transformer") as db:
            synthetic.create_marts(db)
            db.execute("delete from marts.rec_break")
        yield Books(superuser(variables))


def superuser(variables: Mapping[str, str]) -> str:
    """The superuser's DSN on the embedded Postgres."""
    word = (Path(variables["TIEOUT_HOME"]) / "pg" / "superuser").read_text(encoding="utf-8")
    port, database = variables["TIEOUT_WAREHOUSE_PORT"], variables["TIEOUT_WAREHOUSE_DATABASE"]
    return f"postgresql://postgres:{word}@127.0.0.1:{port}/{database}?sslmode=disable"
