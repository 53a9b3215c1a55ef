"""The golden folders: small books that a finance person can check by hand, and what must be said about them.

Each folder of `reconciliation/` holds documents, lines, links, settlements and ledger rows as CSV, its story
(README.md), and the breaks and hop totals that must come out: all of them, and no others. The folders are put where the
rest of the project would put them (the fact and the canonical contracts), each under a connection and a legal entity of
its own name, and one build of the reconciliation answers for all. As of 30 June 2026; group currency USD.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import clear_settings, demo_company, open_folder
from tieout import localpg
from tieout.settings import ROOT

FOLDER = Path(__file__).parent / "reconciliation"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
INPUTS = (
    "int_documents__unioned",
    "int_document_links__unioned",
    "int_settlements__unioned",
    "int_gl_entries__unioned",
)
UNITS = ("north", "south")
VARIABLES: dict[str, Any] = {
    "run_id": 1,
    "previous_run_id": -1,
    "previous_batch_id": -1,
    "as_of_date": "2026-06-30",
    "systems": ["netsuite", "salesforce"],
    "company": {"group": {"currency": "USD", "fiscal_year_start_month": 1}, "connections": [
        {"name": f"{case}.{unit}", "unit": unit} for case in CASES for unit in UNITS]},
}
OPEN = 9223372036854775807
EVENTS = {
    "deal": "booking",
    "crm_order": "order",
    "order": "order",
    "delivery": "delivery",
    "return_delivery": "delivery",
    "invoice": "billing",
    "pro_forma": "billing",
    "cash_sale": "billing",
    "credit_memo": "billing_credit",
    "payment": "cash",
}
TO_USD = {"USD": Decimal(1), "GBP": Decimal("1.25")}


def read(case: str, name: str) -> list[dict[str, str]]:
    """Rows of a CSV of a folder; an empty cell is absent."""
    with (FOLDER / case / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return [{column: value for column, value in row.items() if value} for row in csv.DictReader(stream)]


def md5(*parts: str) -> str:
    return hashlib.md5("|".join(parts).encode()).hexdigest()


class Books:
    """One folder's rows, as the contracts want them."""

    def __init__(self, case: str) -> None:
        self.case = case
        self.documents = {row["document"]: row for row in read(case, "documents")}
        self.lines: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in read(case, "lines"):
            self.lines[row["document"]].append(row)
        assert set(self.lines) <= set(self.documents), f"{case}: lines of unknown documents"

    def connection(self, name: str) -> str:
        """The folder's, or that of a business unit of it."""
        unit = self.documents[name].get("unit")
        assert unit in (None, *UNITS), unit
        return f"{self.case}.{unit}" if unit else self.case

    def entity(self, name: str) -> str:
        """The folder's legal entity, or a sister of it."""
        sister = self.documents[name].get("entity")
        return f"{self.case}.{sister}" if sister else self.case

    def id(self, name: str) -> str:
        return self.documents[name].get("id", name)

    def key(self, name: str) -> str:
        return md5(self.connection(name), self.documents[name]["type"], self.id(name))

    def total(self, name: str) -> Decimal:
        return sum(
            (Decimal(line.get("net", "0")) + Decimal(line.get("tax", "0")) for line in self.lines[name]), Decimal(0)
        )

    def headers(self) -> Iterator[dict[str, Any]]:
        for name, row in self.documents.items():
            status = row.get("status", "")
            asked = Decimal(status.removeprefix("header ")) if status.startswith("header ") else self.total(name)
            yield {
                "document_key": self.key(name),
                "connection": self.connection(name),
                "document_type": row["type"],
                "document_id": self.id(name),
                "document_number": row["number"],
                "legal_entity_id": self.entity(name),
                "customer_id": row["customer"],
                "currency_code": row["currency"],
                "external_id": row.get("external_id"),
                "reference": row.get("reference"),
                "header_total_amount": asked,
                "exchange_rate": Decimal(row.get("posted_rate", row.get("day_rate", "1"))),
                "is_voided": status == "voided",
                "is_cancelled": status == "cancelled",
                "is_pending": status == "pending",
                "is_intercompany": status == "intercompany",
                "has_billing_schedule": row.get("schedule") == "yes",
                "document_date": row["date"],
                "due_date": row.get("due"),
                "created_at": row.get("created"),
                "source_system": "golden",
            }

    def events(self) -> Iterator[dict[str, Any]]:
        reasons = {"pending": "H2", "pro forma": "H2", "intercompany": "H1", "cancelled": "G1"}
        for name, row in self.documents.items():
            rate, functional = Decimal(row.get("day_rate", "1")), row.get("functional", "USD")
            reason = "H4" if row["type"] == "crm_order" else reasons.get(row.get("status", ""))
            for number, line in enumerate(self.lines[name]):
                net, tax = Decimal(line.get("net", "0")), Decimal(line.get("tax", "0"))
                has_value = row["type"] not in ("delivery", "return_delivery")
                yield {
                    "event_key": md5(self.key(name), str(number)),
                    "connection": self.connection(name),
                    "source_system": "golden",
                    "legal_entity_id": self.entity(name),
                    "document_key": self.key(name),
                    "document_type": row["type"],
                    "document_id": self.id(name),
                    "document_number": row["number"],
                    "line_id": str(number),
                    "event_type": EVENTS[row["type"]],
                    "leg": "receipt" if row["type"] == "payment" else "item",
                    "customer_id": row["customer"],
                    "customer_key": md5(self.case, row["customer"]),
                    "product_id": line.get("product"),
                    "product_key": line.get("product"),
                    "quantity": line.get("quantity"),
                    "currency_code": row["currency"],
                    "net_amount": net if has_value else None,
                    "tax_amount": tax if has_value else None,
                    "discount_amount": 0,
                    "freight_amount": 0,
                    "total_amount": net + tax if has_value else None,
                    "source_amount": net,
                    "source_sign": 1,
                    "functional_currency_code": functional,
                    "functional_net_amount": round(net * rate, 2),
                    "functional_total_amount": round((net + tax) * rate, 2),
                    "fx_rate": rate,
                    "group_currency_code": "USD",
                    "group_fx_rate": TO_USD[functional],
                    "event_date": row["date"],
                    "document_date": row["date"],
                    "original_period": row["date"][:7],
                    "due_date": row.get("due"),
                    "basis": "document",
                    "scope": "out" if reason else "in",
                    "scope_reason": reason,
                    "source_table": "golden",
                    "source_key": name,
                    "recorded_run": 1,
                    "superseded_run": OPEN,
                    "row_hash": "",
                }

    def links(self) -> Iterator[dict[str, Any]]:
        for row in read(self.case, "links"):
            source, target = self.documents[row["from"]], self.documents[row["to"]]
            yield {
                "connection": self.connection(row["to"]),
                "from_document_key": self.key(row["from"]),
                "from_type": source["type"],
                "from_id": self.id(row["from"]),
                "to_connection": self.connection(row["to"]),
                "to_document_key": self.key(row["to"]),
                "to_type": target["type"],
                "to_id": self.id(row["to"]),
                "link_type": row["kind"],
                "document_id": self.id(row["to"]),
            }

    def settlements(self) -> Iterator[dict[str, Any]]:
        for row in read(self.case, "settlements"):
            payment, invoice = self.documents[row["payment"]], self.documents[row["invoice"]]
            yield {
                "connection": self.connection(row["payment"]),
                "payment_document_key": self.key(row["payment"]),
                "payment_type": payment["type"],
                "payment_id": self.id(row["payment"]),
                "invoice_document_key": self.key(row["invoice"]),
                "invoice_type": invoice["type"],
                "invoice_id": self.id(row["invoice"]),
                "currency_code": payment["currency"],
                "applied_amount": Decimal(row["amount"]),
                "discount_amount": 0,
                "applied_date": row["date"],
                "document_id": self.id(row["payment"]),
            }

    def ledger(self) -> Iterator[dict[str, Any]]:
        for number, row in enumerate(read(self.case, "ledger")):
            document = self.documents[row["document"]]
            functional = document.get("functional", "USD")
            yield {
                "document_key": self.key(row["document"]),
                "connection": self.connection(row["document"]),
                "legal_entity_id": self.entity(row["document"]),
                "entry_id": self.id(row["document"]),
                "line_id": str(number),
                "account_code": "4000",
                "account_kind": "revenue",
                "amount": -Decimal(row["revenue"]),
                "currency_code": functional,
                "functional_amount": -Decimal(row["revenue"]),
                "functional_currency_code": functional,
                "posting_date": f"{row['period']}-28",
                "period": row["period"],
                "document_type": document["type"],
                "document_id": self.id(row["document"]),
                "is_manual": False,
                "ledger_book": "primary",
            }


    def locks(self) -> Iterator[dict[str, Any]]:
        for row in read(self.case, "locks") if (FOLDER / self.case / "locks.csv").is_file() else ():
            yield {
                "period_lock_key": md5(self.case, row["period"]),
                "connection": self.case,
                "period": row["period"],
                "locked_at": row["locked_at"],
                "recorded_run": 1,
                "superseded_run": OPEN,
                "row_hash": "",
            }


def insert(connection: Any, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows that may name some of the columns."""
    for row in rows:
        columns, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        connection.execute(f"insert into {table} ({columns}) values ({marks})", list(row.values()))


@pytest.fixture(scope="module")
def answered() -> Iterator[Any]:
    """A connection to a warehouse of its own in which all folders are reconciled."""
    from tieout.transform.runner import Runner, failed
    from tieout.warehouse import connect, migrate

    with open_folder() as home:
        before = dict(os.environ)
        os.environ.update(localpg.start(home), TIEOUT_HOME=str(home))
        clear_settings()
        try:
            migrate(demo_company())
            dbt = Runner(ROOT / "dbt_project", home / "dbt", ("netsuite", "salesforce"), 2)

            def run(command: str, *arguments: str) -> None:
                broken = failed(dbt.invoke(command, VARIABLES, arguments))
                assert not broken, broken

            run("seed")
            run(
                "run", "--select", "+fct_revenue", "+dim_customer", "dim_currency", "+int_periods__locked",
                "+int_stock_levels__unioned", "+int_claims__unioned", "+int_sales_by_day__unioned", "+dim_product",
                "+int_payouts__unioned", "+int_payout_movements__unioned", "+int_bank_deposits__unioned",
                "+int_bank_deposit_lines__unioned",
                *(f"+{name}" for name in INPUTS),
            )
            with connect("transformer", autocommit=True) as connection:
                _replace_inputs(connection)
                run(
                    "run",
                    "--select",
                    "path:models/intermediate/reconciliation",
                    "path:models/marts/reconciliation",
                    "path:models/marts/finance",
                )
                run("test", "--select", "path:tests/reconciliation")
                yield connection
        finally:
            localpg.stop(home)
            os.environ.clear()
            os.environ.update(before)
            clear_settings()


def _replace_inputs(connection: Any) -> None:
    for name in INPUTS:
        connection.execute(f"create table intermediate.{name}__rows as select * from intermediate.{name}")
        connection.execute(f"drop view intermediate.{name} cascade")
        connection.execute(f"alter table intermediate.{name}__rows rename to {name}")
    for case in CASES:
        books = Books(case)
        insert(connection, "intermediate.int_documents__unioned", list(books.headers()))
        insert(connection, "intermediate.int_document_links__unioned", list(books.links()))
        insert(connection, "intermediate.int_settlements__unioned", list(books.settlements()))
        insert(connection, "intermediate.int_gl_entries__unioned", list(books.ledger()))
        insert(connection, "intermediate.int_periods__locked", list(books.locks()))
        insert(connection, "marts.fct_revenue", list(books.events()))


def test_there_are_folders() -> None:
    assert len(CASES) >= 15


@pytest.mark.parametrize("case", CASES)
def test_breaks(answered: Any, case: str) -> None:
    found = answered.execute(
        "select hop, business_unit, reason_code, document_id, amount, currency_code, period_opened from marts.rec_break"
        f" where superseded_run = {OPEN} and legal_entity_id = %s",
        (case,),
    ).fetchall()
    expected = [
        (
            row["hop"], row.get("unit", ""), row["reason"], row["document"], Decimal(row["amount"]), row["currency"],
            row["period"],
        )
        for row in read(case, "expected_breaks")
    ]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("case", CASES)
def test_summary(answered: Any, case: str) -> None:
    found = answered.execute(
        "select hop, business_unit, period, currency_code, left_amount - scoped_left_amount,"
        " right_amount - scoped_right_amount, gap_amount, unexplained_amount from marts.rec_summary"
        f" where superseded_run = {OPEN} and legal_entity_id = %s"
        " and left_count + right_count > scoped_left_count + scoped_right_count",
        (case,),
    ).fetchall()
    expected = [
        (
            row["hop"],
            row.get("unit", ""),
            row["period"],
            row["currency"],
            Decimal(row["left"]),
            Decimal(row["right"]),
            Decimal(row["gap"]),
            Decimal(0),
        )
        for row in read(case, "expected_summary")
    ]
    assert expected, "a folder without totals proves nothing"
    assert sorted(found) == sorted(expected)
