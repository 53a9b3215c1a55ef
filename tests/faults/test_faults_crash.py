"""The short forms of the campaigns that kill the process or Postgres, in one world; and that the judge can say no."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.faults import campaign_crash, campaign_postgres, crash_content
from tests.faults.crash_world import FIRST_LANDING, STEPS, World, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as made:
        yield made


def test_nothing_is_lost_and_nothing_is_there_twice_after_a_kill(here: World) -> None:
    outcome = campaign_crash.run(campaign_crash.SHORT, 1, print, here)
    assert outcome.failures == []
    assert outcome.tried == campaign_crash.SHORT
    assert set(outcome.kinds) == {FIRST_LANDING, *STEPS}


def test_the_end_of_postgres_is_said_and_survived(here: World) -> None:
    outcome = campaign_postgres.run(campaign_postgres.SHORT, 1, print, here)
    assert outcome.failures == []
    assert outcome.tried == campaign_postgres.SHORT


FAULTS = {
    "a cent in a mart": "update marts.fct_revenue set net_amount = net_amount + 0.01 where event_key ="
                        " (select min(event_key) from marts.fct_revenue)",
    "a lost line": "delete from raw.netsuite__transactionline where ctid ="
                   " (select min(ctid) from raw.netsuite__transactionline)",
    "a version twice": "insert into raw.netsuite__item select * from raw.netsuite__item where"
                       " _superseded_batch is not null limit 1;"
                       " update raw.netsuite__item set _superseded_batch = _batch_id where ctid ="
                       " (select min(ctid) from raw.netsuite__item)",
    "a reader who sees the day before": "update ops.pointer set run_id = (select min(run_id) from ops.publication)",
    "a load that nobody recorded": "update ops.load set state = 'failed' where batch_id = (select max(batch_id) from"
                                   " ops.load where state = 'committed' and landed > 0)",
    "a total of a load": "update ops.load set received = received + 1 where batch_id = (select max(batch_id) from"
                         " ops.load where state = 'committed' and landed > 0)",
    "a check of the gate": "delete from ops.gate_result where ctid = (select max(ctid) from ops.gate_result)",
    "a table": "drop table intermediate.int_rec_pairs cascade",
}


@pytest.fixture(scope="module")
def judged(here: World) -> Iterator[psycopg.Connection]:
    """The warehouse as it should be; changes are rolled back."""
    here.restore("after_publish")
    assert here.differences("after_publish") == []
    with here.look() as db:
        db.autocommit = False
        yield db
        db.rollback()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_sees(here: World, judged: psycopg.Connection, fault: str) -> None:
    judged.execute("set local session_replication_role = replica")
    judged.execute(FAULTS[fault])
    with here.look("after_publish") as expected:
        assert crash_content.differences(expected, judged, here.said("after_publish")) != []
    judged.rollback()


def test_the_judge_sees_a_damaged_a_lost_and_an_unknown_archive(here: World) -> None:
    here.restore("after_publish")
    with here.look() as db:
        assert crash_content.broken_archives(db, here.files()) == []
        first, second, *_ = sorted(here.files())
        stray = first.with_name("000000000999-0badcafe.parquet.part")
        content = first.read_bytes()
        first.unlink()  # a link: what it names elsewhere stays
        first.write_bytes(content[:-1])
        second.unlink()
        stray.write_bytes(b"")
        lines = crash_content.broken_archives(db, here.files())
    assert len(lines) == 3 and all(any(word in line for line in lines) for word in ("not what", "is gone", "no batch"))


def test_every_step_is_struck_at_many_places() -> None:
    trials = campaign_crash.plan(campaign_crash.NIGHTLY, 1)
    places = {step: {trial.place for trial in trials if trial.step == step} for step in campaign_crash.SHARES}
    assert min(map(len, places.values())) >= 25
    assert trials == campaign_crash.plan(campaign_crash.NIGHTLY, 1) != campaign_crash.plan(campaign_crash.NIGHTLY, 2)
    strikes = [strike for _, strike in campaign_postgres.plan(campaign_postgres.NIGHTLY, 1)]
    assert len(strikes) >= 50 and {*strikes} == {*campaign_postgres.STRIKES}
