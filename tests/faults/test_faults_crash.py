"""The short forms of the campaigns that kill the process or Postgres, in one world; and that the judge can say no."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.faults import campaign_crash, campaign_postgres, crash_content, crash_runner
from tests.faults.crash_world import SHORT_STEPS, STEPS, World, start_again, world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(short=True) as made:
        yield made


def test_nothing_is_lost_and_nothing_is_there_twice_after_a_kill(here: World) -> None:
    outcome = campaign_crash.run(campaign_crash.SHORT, 1, print, here)
    assert outcome.failures == []
    assert outcome.tried == campaign_crash.SHORT
    assert set(outcome.kinds) == {*SHORT_STEPS}


def test_the_end_of_postgres_is_said_and_survived(here: World) -> None:
    outcome = campaign_postgres.run(campaign_postgres.SHORT, 1, print, here)
    assert outcome.failures == []
    assert outcome.tried == campaign_postgres.SHORT


FAULTS = {
    "a cent in a mart": "update marts.fct_revenue set net_amount = net_amount + 0.01 where event_key ="
                        " (select min(event_key) from marts.fct_revenue)",
    "a lost line": "delete from raw.netsuite__transactionline where ctid ="
                   " (select min(ctid) from raw.netsuite__transactionline)",
    "a row twice": "insert into intermediate.int_rec_members select * from intermediate.int_rec_members limit 1",
    "a version twice": "insert into raw.netsuite__item select (jsonb_populate_record(i, jsonb_build_object("
                       "'_superseded_batch', i._batch_id))).* from raw.netsuite__item i limit 1",
    "half of a batch": "delete from raw.netsuite__transactionline where _superseded_batch is null"
                       " and hashtext(_key) % 2 = 0",
    "half of a build": "update marts.fct_revenue set superseded_run = recorded_run where hashtext(event_key) % 2 = 0",
    "half of a publication": "delete from ops.publication",
    "an event of a break": "delete from ops.break_event where event_id = (select max(event_id) from ops.break_event)",
    "a reader who sees nothing": "delete from ops.pointer",
    "an index left off": "insert into ops.suspended_index values ('netsuite__item', 'create index')",
    "a step that nobody did": "delete from ops.step where step = 'check_marts'",
    "a step that seems to run": "update ops.step set state = 'running' where step = 'build'",
    "a load that nobody recorded": "update ops.load set state = 'failed' where batch_id = (select max(batch_id) from"
                                   " ops.load where state = 'committed' and landed > 0)",
    "a total of a load": "update ops.load set received = received + 1 where batch_id = (select max(batch_id) from"
                         " ops.load where state = 'committed' and landed > 0)",
    "a check of the gate": "delete from ops.gate_result where ctid = (select max(ctid) from ops.gate_result)",
    "a table": "drop table intermediate.int_rec_pairs cascade",
    "a column": "alter table raw.netsuite__item add column more text",
    "a view": "alter view reporting.rec_break rename to rec_broken",
    "what a view says": "do $$ begin execute 'create or replace view reporting.rec_break as '"
                        " || rtrim(pg_get_viewdef('reporting.rec_break'::regclass), ';') || ' limit 0'; end $$",
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


MEMBER = "delete from intermediate.int_rec_members where ctid = (select min(ctid) from intermediate.int_rec_members)"


def test_a_repeated_build_may_look_at_more_but_never_at_what_is_not_so(here: World, judged: psycopg.Connection) -> None:
    """Working tables only, and only rows that an undisturbed repetition has; see `crash_content.differences`."""
    with here.look("after_publish") as repeated, here.look("after_publish") as other:
        judged.execute(MEMBER)
        assert crash_content.differences(judged, other) != []
        assert crash_content.differences(judged, other, None, repeated) == []
        assert crash_content.differences(other, judged, None, repeated) != [], "a row is missing"
        judged.rollback()
        judged.execute("set local session_replication_role = replica")
        judged.execute(FAULTS["a row twice"])
        assert crash_content.differences(other, judged, None, repeated) != [], "a row is there twice"
        judged.rollback()
        judged.execute("delete from marts.fct_revenue where ctid = (select min(ctid) from marts.fct_revenue)")
        assert crash_content.differences(judged, other, None, repeated) != [], "a mart is no working table"
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
    places = {step: {strike for trial in trials if trial.step == step for strike in trial.strikes} for step in STEPS}
    assert min(map(len, places.values())) >= 25
    assert sum(len(trial.strikes) for trial in trials) == campaign_crash.NIGHTLY >= 300
    assert {len(trial.strikes) for trial in trials} >= {*campaign_crash.STREAKS}, "kills of repetitions, too"
    assert trials == campaign_crash.plan(campaign_crash.NIGHTLY, 1) != campaign_crash.plan(campaign_crash.NIGHTLY, 2)
    strikes = [strike for _, strike in campaign_postgres.plan(campaign_postgres.NIGHTLY, 1)]
    assert len(strikes) >= 50 and {*strikes} == {*campaign_postgres.STRIKES}


@pytest.mark.parametrize("checked", [False, True])
def test_a_copied_sequence_goes_back_in_a_crash_unless_a_checkpoint_followed(here: World, checked: bool) -> None:
    """Why `restore` asks for a checkpoint: else the campaign would find ids drawn twice that no real warehouse draws.

    The copy believes that its next values were logged already, which was the original's log.
    """
    with here.look("postgres") as server:
        server.execute("drop database if exists original")
        server.execute("create database original")
        with here.look("original") as db:
            db.execute("create table drawn (id bigint generated always as identity)")
            db.execute("insert into drawn default values")
        server.execute("drop database if exists copied")
        server.execute("create database copied template original")
        if checked:
            server.execute("checkpoint")
    draw = "insert into drawn default values returning id"
    with here.look("copied") as db:
        before = db.execute(draw).fetchone()[0]
    crash_runner._stop_postgres()
    start_again(here.home)
    with here.look("copied") as db:
        assert db.execute("select max(id) from drawn").fetchone()[0] == before, "the row itself is never lost"
        assert (db.execute(draw).fetchone()[0] > before) is checked
    with here.look("postgres") as server:
        server.execute("drop database copied")
        server.execute("drop database original")
