"""The retail unit's CRM, which no vendor sells: files over a real SFTP server, connected by tieout.yml alone, against
an ERP; held to the simulated company itself and to its answer key.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from simulator import company, serve, units
from simulator.score import score
from tests.conftest import open_folder
from tests.integration.transform_company import own_warehouse
from tieout import steps
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
OPEN = "superseded_run = 9223372036854775807"
CURRENT = "_superseded_batch is null and not _is_deleted"
UNIT = units.Unit("trial", "A CRM of its own beside NetSuite", "generic", "netsuite", "01")


@pytest.fixture(scope="module")
def trial() -> Iterator[tuple[Path, int]]:
    """(folder of the company, run) after both systems landed and were built."""
    units.UNITS[UNIT.name] = UNIT
    try:
        with open_folder() as home:
            folder = home / "company"
            company.generate(folder, size="1k", level=1, of=UNIT.name)
            with serve.start(folder) as running:
                text = running.tieout_yml(home / "tieout.yml").read_text(encoding="utf-8")
                with own_warehouse(text):
                    os.environ |= running.environment()
                    migrate()
                    for name in running.connections():
                        steps.check("landing", steps.land(name).run_id)
                    run_id = steps.open_run("revenue")
                    build.run(run_id)
                    yield folder, run_id
    finally:
        del units.UNITS[UNIT.name]


def rows(statement: str) -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(statement).fetchall()


def test_every_record_of_the_crm_landed_as_it_is(trial: tuple[Path, int]) -> None:
    with sqlite3.connect(trial[0] / "sim.db") as theirs:
        for table in ("customer", "article", "deal", "deal_line", "sales_order", "sales_order_line"):
            known = theirs.execute(f'select count(*) from "generic__{table}"').fetchone()[0]
            assert known > 0
            assert rows(f"select count(*) from raw.generic_trial__{table} where {CURRENT}") == [(known,)], table
        nets = {key: Decimal(net) for key, net in theirs.execute('select deal_no, net from "generic__deal"')}
    assert dict(rows(f"select deal_no, net from raw.generic_trial__deal where {CURRENT}")) == nets
    assert rows("select count(*) from ops.quarantine") == [(0,)]


def test_bookings_are_the_won_deals_to_the_cent(trial: tuple[Path, int]) -> None:
    with sqlite3.connect(trial[0] / "sim.db") as theirs:
        won: dict[str, Decimal] = {}
        for currency, net in theirs.execute(
                "select currency, net from generic__deal where stage = 'WON' and gone is null"):
            won[currency] = won.get(currency, Decimal(0)) + Decimal(net)
    found = dict(rows("select currency_code, sum(net_amount) from marts.fct_revenue "
                      f"where {OPEN} and event_type = 'booking' and scope = 'in' group by 1"))
    assert found == won


def test_the_reconciliation_finds_what_was_planted(trial: tuple[Path, int]) -> None:
    with connect("transformer") as db:
        result = score(trial[0], db)
    classes = result["restricted"]["classes"].items()
    missed = {name: row for name, row in classes if row["planted"] and row["recall"] < 1}
    assert (missed, result["false_auto"]["count"]) == ({}, 0), result
    assert rows(f"select count(*) from marts.rec_break where {OPEN} and reason_code = 'X'") == [(0,)]
    assert result["passed"], result["unexplained"]


def test_landing_again_reads_nothing_anew(trial: tuple[Path, int]) -> None:
    report = steps.land("generic_trial")
    assert report.total("received") == 0
