"""The health-care unit from end to end: Health Cloud and SAP landed, built, reconciled, published; then a day later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.company import generate
from simulator.score import score
from simulator.serve import Endpoints, start
from tests.conftest import clear_settings, open_folder
from tests.integration.transform_company import own_warehouse
from tieout import steps
from tieout.warehouse import connect, migrate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CARE, BOOKS = "health_cloud_healthcare", "sap_healthcare"
CURRENT = "superseded_run = 9223372036854775807"


def rows(sql: str, role: str = "transformer") -> list[tuple]:
    with connect(role) as db:
        return db.execute(sql).fetchall()


@pytest.fixture(scope="module")
def care() -> Iterator[tuple[Path, Endpoints]]:
    """The unit's folder, landed and published once, with its vendors still there."""
    with open_folder() as folder:
        generate(folder, seed=13, size="1k", level=1, of="healthcare")
        with start(folder) as vendors, own_warehouse(vendors.tieout_yml(folder / "tieout.yml").read_text()):
            os.environ.update(vendors.environment())
            clear_settings()
            migrate()
            for connection in (CARE, BOOKS):
                steps.land(connection)
            steps.revenue()
            yield folder, vendors


def everything_is_explained(folder: Path) -> None:
    assert rows(f"select count(*) from marts.rec_summary where {CURRENT} and unexplained_amount <> 0") == [(0,)]
    assert rows(f"select count(*) from marts.rec_gl_tieout where {CURRENT} and unexplained_amount <> 0") == [(0,)]
    assert rows("select * from intermediate.int_codes__unmapped") == []
    with connect("transformer") as db:
        told = score(folder, db)["restricted"]["classes"]
    assert len(told) >= 15
    assert {reason: (found["fn"], found["fp"]) for reason, found in told.items() if found["fn"] or found["fp"]} == {}


def test_nothing_is_unexplained_and_every_planted_difference_is_found(care):
    everything_is_explained(care[0])


def test_nothing_is_quarantined(care):
    assert rows("select stream, reason from ops.quarantine limit 5") == []
