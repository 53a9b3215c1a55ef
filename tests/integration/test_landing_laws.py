"""Laws that hold for any data: conservation, idempotence, and no dependence on how records are cut into pages."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.conftest import land
from tests.integration.fake_extractor import json_page
from tieout.landing.land import LoadResult
from tieout.spec import Connection
from tieout.warehouse import connect

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

RECORD = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", "3", ""]),
        "foreigntotal": st.sampled_from(["1.10", "2.20", 3, "x", None]),
        "lastmodifieddate": st.sampled_from(["2025-01-02 10:00:00", "2025-01-03 10:00:00", "?"]),
        "memo": st.sampled_from(["a", "b", "\x00"]),
    }
)
PAGES = st.lists(st.lists(RECORD, max_size=4), min_size=1, max_size=4)


def run(netsuite: Connection, pages: list[list[dict]]) -> LoadResult:
    return land(netsuite, "transaction", [json_page("transaction", page) for page in pages])


def state(db: psycopg.Connection) -> list[tuple]:
    return db.execute(
        "select _key, foreigntotal, lastmodifieddate, memo from raw.netsuite__transaction "
        "where _superseded_batch is null and not _is_deleted order by 1"
    ).fetchall()


def empty() -> None:
    with connect("owner", autocommit=True) as db:
        db.execute("truncate raw.netsuite__transaction, ops.load, ops.quarantine cascade")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=PAGES, second=PAGES)
def test_laws(
    netsuite: Connection, loader: psycopg.Connection, first: list[list[dict]], second: list[list[dict]]
) -> None:
    empty()
    for pages in (first, second):
        result = run(netsuite, pages)
        assert result.received == sum(map(len, pages))
        assert result.received == result.landed + result.unchanged + result.replayed + result.quarantined
        sums = {outcome: Decimal(text) for outcome, text in result.control_totals.get("foreigntotal", {}).items()}
        assert sums.pop("received", 0) == sum(sums.values())
        kept = loader.execute("select count(*) from ops.quarantine where batch_id = %s", (result.batch_id,)).fetchone()
        assert kept == (result.quarantined,)
        landed = loader.execute(
            "select count(*) from raw.netsuite__transaction where _batch_id = %s", (result.batch_id,)
        ).fetchone()
        assert landed == (result.landed,)
    after = state(loader)
    assert run(netsuite, second).landed == 0, "the same window again changes nothing"
    assert state(loader) == after

    empty()
    for pages in (first, second):
        run(netsuite, [[record for page in pages for record in page]])
    assert state(loader) == after, "the cut into pages does not matter"


def night(stamp: str, total: str) -> dict:
    return {"id": "1", "foreigntotal": total, "lastmodifieddate": f"2025-11-02 {stamp}"}


def test_both_states_of_the_repeated_hour_in_one_batch(netsuite: Connection, loader: psycopg.Connection) -> None:
    """01:50, and twenty minutes later 01:10, read in one go: the last to arrive is the younger."""
    result = run(netsuite, [[night("01:50:00", "1"), night("01:10:00", "2")]])
    assert (result.received, result.landed, result.unchanged, result.quarantined) == (2, 1, 1, 0)
    assert [total for _, total, _, _ in state(loader)] == [Decimal(2)]


def test_state_of_the_evening_does_not_overwrite_one_of_the_repeated_hour(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    run(netsuite, [[night("01:50:00", "1")]])
    result = run(netsuite, [[night("00:30:00", "0")]])
    assert (result.landed, result.unchanged) == (0, 1)
    assert [total for _, total, _, _ in state(loader)] == [Decimal(1)]


def test_states_around_the_repeated_hour_keep_their_order(netsuite: Connection, loader: psycopg.Connection) -> None:
    run(netsuite, [[night("02:10:00", "3"), night("01:50:00", "1"), night("01:10:00", "2"), night("00:59:00", "0")]])
    assert [total for _, total, _, _ in state(loader)] == [Decimal(3)]
    assert run(netsuite, [[night("01:10:00", "2")]]).landed == 0
