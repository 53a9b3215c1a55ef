"""Promises over time zones and the two nights on which clocks move, with the clock held still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.dags import programs
from tieout import freshness
from tieout.spec import Connection

BERLIN, ANGELES = "Europe/Berlin", "America/Los_Angeles"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def connection(**words) -> Connection:
    return Connection.model_validate({
        "name": "erp", "system": "netsuite", "auth": "tba", "time_zone": "UTC", "options": {"account": "1"}, **words
    })  # fmt: skip


@pytest.mark.parametrize(("schedule", "zone", "now", "tick"), [
    ("0 * * * *", "UTC", "2026-06-01 12:59:59", "2026-06-01 12:00"),
    ("0 * * * *", "UTC", "2026-06-01 12:00", "2026-06-01 12:00"),
    ("0 2 * * *", ANGELES, "2026-06-01 08:59", "2026-05-31 09:00"),  # 02:00 PDT is 09:00 UTC
    ("0 2 * * *", ANGELES, "2026-01-15 09:59", "2026-01-14 10:00"),  # 02:00 PST is 10:00 UTC
    ("0 6 * * 1-5", BERLIN, "2026-06-07 12:00", "2026-06-05 04:00"),  # Sunday: Friday's
    ("30 2 * * *", BERLIN, "2026-03-29 01:29", "2026-03-28 01:30"),  # 02:30 is skipped: at 03:30, 01:30 UTC
    ("30 2 * * *", BERLIN, "2026-03-29 01:30", "2026-03-29 01:30"),
    ("30 2 * * *", BERLIN, "2026-10-25 01:29", "2026-10-24 00:30"),  # 02:30 comes twice: the second time
    ("30 2 * * *", BERLIN, "2026-10-25 01:30", "2026-10-25 01:30"),
    ("0 * * * *", BERLIN, "2026-10-25 00:20", "2026-10-25 00:00"),  # each hour of the repeated one
    ("0 * * * *", BERLIN, "2026-10-25 01:20", "2026-10-25 01:00"),
    ("*/15 * * * *", ANGELES, "2026-03-08 10:05", "2026-03-08 10:00"),
    ("@daily", ANGELES, "2026-11-01 08:00", "2026-11-01 07:00"),
    ("@quarterly", "UTC", "2026-06-01 00:00", "2026-04-01 00:00"),
    ("0 * * * 1-5", BERLIN, "2026-03-29 20:00", "2026-03-27 22:00"),  # from Sunday over the move back to Friday 23:00
])  # fmt: skip
def test_the_last_tick(schedule, zone, now, tick):
    assert freshness.last_tick(schedule, ZoneInfo(zone), at(now)) == at(tick)


AIRFLOW = """
import json, sys
import pendulum
from airflow.timetables.interval import CronDataIntervalTimetable

answers = []
for schedule, zone, start, count in json.loads(sys.argv[1]):
    table, now, ticks = CronDataIntervalTimetable(schedule, timezone=zone), pendulum.parse(start), []
    for _ in range(count):
        now = table._get_next(now)
        ticks.append(now.isoformat())
    answers.append(ticks)
print("RESULT" + json.dumps(answers))
"""


def test_ticks_are_those_that_airflow_runs(tmp_path):
    """Airflow's own timetable, over both nights in four zones: between two ticks, the last one is the first of them."""
    starts = ("2026-03-07T00:00:00Z", "2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-10-31T00:00:00Z")
    zones = (BERLIN, ANGELES, "Australia/Lord_Howe", "UTC")
    schedules = ("0 * * * *", "5,35 * * * *", "30 2 * * *", "0 */2 * * *", "15 1 * * 0", "0 3 1 * *")
    asked = [(s, z, start, 60 if s.endswith("* * * *") else 6) for s in schedules for z in zones for start in starts]
    compared = 0
    for (schedule, zone, _, _), ticks in zip(asked, _airflow(tmp_path, asked), strict=True):
        instants = sorted({datetime.fromisoformat(tick) for tick in ticks})
        for tick, following in zip(instants, instants[1:], strict=False):
            for now in (tick, tick + (following - tick) / 2, following - timedelta(seconds=1)):
                assert freshness.last_tick(schedule, ZoneInfo(zone), now) == tick, (schedule, zone, now.isoformat())
                compared += 1
    assert compared > 3000


def _airflow(tmp_path, asked):
    import json

    return programs.run(AIRFLOW, tmp_path, json.dumps(asked))


def test_an_interval_is_due_a_grace_after_its_end():
    hourly = connection(schedule="0 * * * *")
    landed = at("2026-06-01 11:00")
    assert freshness.judge(hourly, "s", landed, at("2026-06-01 12:29")).state == "fresh"
    late = freshness.judge(hourly, "s", landed, at("2026-06-01 12:31"))
    assert (late.state, late.due_at, late.late_seconds, late.broken) == ("late", at("2026-06-01 11:50"), 3000, True)
    assert freshness.judge(hourly, "s", at("2026-06-01 11:50"), at("2026-06-01 12:31")).state == "fresh", "clock skew"


def test_a_daily_schedule_is_kept_over_the_move_of_the_clock():
    """The 25th of October has 25 hours; yesterday's data are not late a moment too early."""
    nightly = connection(schedule="0 3 * * *", time_zone=BERLIN)
    landed = at("2026-10-24 01:00")  # 03:00 in summer
    assert freshness.judge(nightly, "s", landed, at("2026-10-25 02:29")).state == "fresh"  # 03:29 in winter
    late = freshness.judge(nightly, "s", landed, at("2026-10-25 02:31"))
    assert (late.state, late.late_seconds) == ("late", 25 * 3600 - 600)


def test_a_promise_of_its_own_wins_over_the_schedule():
    own = connection(schedule="0 2 * * *", freshness="2h")
    assert freshness.judge(own, "s", at("2026-06-01 10:00"), at("2026-06-01 12:00")).state == "fresh"
    late = freshness.judge(own, "s", at("2026-06-01 10:00"), at("2026-06-01 12:01"))
    assert (late.state, late.late_seconds, late.promise) == ("late", 60, "at most 2h old")


def test_states_without_a_promise():
    hourly, by_hand = connection(), connection(schedule=None)
    now = at("2026-06-01 12:00")
    states = {
        "never_landed": freshness.judge(hourly, "s", None, now),
        "not_offered": freshness.judge(hourly, "s", None, now, absent=True),
        "paused": freshness.judge(hourly, "s", at("2026-01-01 00:00"), now, paused=True),
        "unscheduled": freshness.judge(by_hand, "s", at("2026-01-01 00:00"), now),
    }
    assert {word: found.state for word, found in states.items()} == {word: word for word in states}
    assert {word for word, found in states.items() if found.broken} == {"never_landed"}
    assert not freshness.judge(by_hand, "s", None, now).broken, "nothing is promised of it"


@pytest.mark.parametrize("length", ["2 hours", 7200, "0h", "PT2H", "-1h", "2", True])
def test_a_freshness_that_is_no_plain_length_is_refused(length):
    with pytest.raises(ValueError, match="is not a length of time above zero; write 30m, 2h or 1d"):
        connection(freshness=length)


@pytest.mark.parametrize("schedule", ["hourly", "61 * * * *", "* * *", ""])
def test_a_schedule_that_is_no_cron_is_refused(schedule):
    with pytest.raises(ValueError, match="is no cron expression"):
        connection(schedule=schedule)


@pytest.mark.parametrize(("length", "words"), [
    (timedelta(seconds=40), "40s"), (timedelta(minutes=90), "1h 30m"), (timedelta(days=3, hours=4, minutes=5), "3d 4h"),
    (timedelta(days=2), "2d"), (timedelta(seconds=-5), "0s"),
])  # fmt: skip
def test_lengths_in_words(length, words):
    assert freshness.short(length) == words
