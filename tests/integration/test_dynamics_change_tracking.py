"""Tables of Dataverse landed by delta link: the same rows as when read whole, whatever became of the link."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator import store
from simulator.dataverse_api import DataverseEnvironment
from simulator.serve import Endpoints, start
from tests.conftest import clear_settings
from tests.integration.conftest import Rows
from tests.integration.test_simulator_dynamics import ACCOUNTS, NOW, SALES, account, change, put
from tieout.extract.open import open_extractor
from tieout.landing.land import LoadResult, land_connection
from tieout.spec import Company

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")
CURRENT = "select name from raw.dynamics_sales__account where _superseded_batch is null and not _is_deleted order by 1"
KEPT = "select name from ops.load_file where stream = 'account' order by batch_id desc limit 1"


class Vendor:
    """Dataverse with a handful of accounts."""

    def __init__(self, folder: Path, endpoints: Endpoints) -> None:
        self.folder, self.endpoints = folder, endpoints
        self.app = endpoints.apps["dynamics_sales"]
        self.connection = Company(version=1, connections=endpoints.connections()).connection(SALES)
        self.notes: dict[str, Any] = {}

    def land(self, **options: Any) -> LoadResult:
        self.notes.clear()
        with open_extractor(self.connection, self.endpoints.secrets[SALES]) as source:
            (result,) = land_connection(self.connection, None, streams=["account"], extractor=source,
                                        on_facts=lambda facts: self.notes.update(facts.notes), **options)
        return result

    def wait_until(self, moment: str) -> None:
        store.write_state(self.folder, replace(store.read_state(self.folder), now=moment))
        self.app.auth.seconds = 10**7


@pytest.fixture
def vendor(tmp_path: Path, warehouse: dict[str, str]) -> Iterator[Vendor]:
    state = store.State(seed=0, size="1k", level=1, now=NOW, unit="technology")
    database = store.create(tmp_path, state.tables())
    store.write_state(tmp_path, state)
    with database:
        for number in range(ACCOUNTS):
            put(database, "dynamics_sales__account", **account(number))
    store.finish(database, state.tables())
    database.close()
    with start(tmp_path, dynamics_sales=DataverseEnvironment.calm()) as endpoints:
        clear_settings()
        yield Vendor(tmp_path, endpoints)


def names(*numbers: int) -> list[tuple[str]]:
    return [(f"O'Neill {number}",) for number in numbers]


def test_a_table_read_by_changes_is_the_table_read_whole(vendor: Vendor, rows: Rows) -> None:
    assert vendor.land().mode == "full"
    change(vendor.folder)
    by_changes = vendor.land()
    # Two records, and two notices of which one is of a record that came and went between two looks.
    assert (by_changes.mode, by_changes.received) == ("incremental", 4)
    assert rows(CURRENT) == [*names(0, 3, 4, 5, 6, 99), ("Renamed",)]
    assert rows("select count(*) from raw.dynamics_sales__account where _extra is not null") == [(0,)]
    nothing = vendor.land()
    assert (nothing.mode, nothing.received, nothing.deleted) == ("incremental", 0, 0)
    again = vendor.land(full=True)
    assert (again.mode, again.landed, again.deleted, again.unchanged) == ("full", 0, 0, 7)
    assert vendor.land().mode == "incremental"


def test_an_expired_link_reads_all_and_closes_what_went_meanwhile(vendor: Vendor, rows: Rows) -> None:
    vendor.land()
    change(vendor.folder)
    vendor.app.environment.token_days = 1
    vendor.wait_until("2026-07-09 12:00:00")
    result = vendor.land()
    assert (result.mode, result.received, result.deleted) == ("full", ACCOUNTS, 1)
    assert "full sync" in vendor.notes["resynchronised"]["account"]
    assert rows(CURRENT) == [*names(0, 3, 4, 5, 6, 99), ("Renamed",)]


def test_a_column_more_means_the_complete_set(vendor: Vendor) -> None:
    """The link would go on without it."""
    vendor.land()
    whole = vendor.connection
    vendor.connection = whole.model_copy(update={"fields": {"account": {"erp_customer_id": "accountnumber"}}})
    assert vendor.land().mode == "full"
    assert vendor.land().mode == "incremental"


def test_a_table_without_tracking_goes_by_its_stamp_and_shows_deletions_once_a_day(vendor: Vendor, rows: Rows) -> None:
    vendor.app.environment.untracked.add("accounts")
    assert vendor.land().mode == "full"
    assert rows(KEPT) == [("read until",)]
    change(vendor.folder)
    vendor.wait_until("2026-06-30 18:00:00")
    with store.open_for_writing(vendor.folder) as database:
        put(database, "dynamics_sales__account", **account(3, name="By stamp", modifiedon="2026-06-30 17:00:00"))
    by_stamp = vendor.land()
    assert (by_stamp.mode, by_stamp.received, by_stamp.deleted) == ("incremental", 1, 0)
    assert ("By stamp",) in rows(CURRENT)
    vendor.wait_until("2026-07-01 12:00:00")
    assert (vendor.land().deleted, len(rows(CURRENT))) == (1, ACCOUNTS)
    vendor.app.environment.untracked.clear()
    assert vendor.land(full=True).mode == "full"
    assert rows(KEPT) == [("delta link",)]
