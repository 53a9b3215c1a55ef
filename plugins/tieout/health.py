"""What `tieout status` says: freshness against promises, gates, quarantine, publication, runs. Reads the books only.

Every section is a list or an object ready for JSON. `problems` is what a monitor should wake somebody for.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from tieout import freshness, settings
from tieout.landing import drift

DAY = timedelta(days=1)

_PUBLISHED = """
select p.publication_id, p.run_id, p.as_of_date, p.published_at, r.logical_at,
       extract(epoch from clock_timestamp() - p.published_at)::bigint as age_seconds
  from ops.publication p join ops.pointer x using (run_id) join ops.run r using (run_id)"""

# The newest verdict of each gate: landing per connection, marts once.
_GATES = """
with judged as (
    select distinct on (g.stage, r.label) g.stage, r.label, g.run_id
      from ops.gate_result g join ops.run r using (run_id)
     where r.label = 'revenue' or r.label = any(%(connections)s)
     order by g.stage, r.label, g.run_id desc
)
select j.stage, j.label, j.run_id, max(g.checked_at) as checked_at,
       count(*) filter (where g.suite <> 'gate') as evaluated,
       count(*) filter (where not g.passed and g.severity = 'critical') = 0 as passed,
       coalesce(jsonb_agg(jsonb_build_object(
           'suite', g.suite, 'expectation', g.expectation, 'severity', g.severity, 'observed', g.observed)
           order by g.severity, g.suite, g.expectation) filter (where not g.passed), '[]') as failing
  from judged j join ops.gate_result g using (stage, run_id)
 group by 1, 2, 3 order by 1, 2"""

_QUARANTINE = """
select connection, stream, count(*) as records, min(first_seen_at) as oldest_at,
       extract(epoch from clock_timestamp() - min(first_seen_at))::bigint as oldest_seconds,
       array_agg(distinct reason_code order by reason_code) as reasons
  from ops.quarantine where status = 'open' group by 1, 2 order by 1, 2"""

# Runs that are not closed, with the step that they are at; `killed` where its process is gone.
_RUNNING = """
select r.run_id, r.kind, r.label, r.started_at, s.step, coalesce(s.state, 'waiting') as state,
       extract(epoch from clock_timestamp() - r.started_at)::bigint as seconds
  from ops.run r
  left join lateral (select step, state from ops.step_now n where n.run_id = r.run_id order by n.step_id desc limit 1) s
       on true
 where r.state = 'running' order by r.run_id desc limit 50"""

# Failed and killed steps, and runs that failed outside of one. `mended`: a later run of the same label succeeded.
_FAILURES = """
with failed as (
    select s.run_id, s.step, s.attempt, s.state, coalesce(s.finished_at, s.started_at) as at, s.error
      from ops.step_now s where s.state in ('failed', 'killed')
    union all
    select r.run_id, null, null, r.state, coalesce(r.finished_at, r.started_at), r.error
      from ops.run r
     where r.state = 'failed' and not exists (
           select 1 from ops.step_now s where s.run_id = r.run_id and s.state in ('failed', 'killed'))
)
select f.run_id, r.kind, r.label, f.step, f.attempt, f.state, f.at,
       split_part(coalesce(f.error, ''), E'\\n', 1) as reason,
       exists (select 1 from ops.run n
                where n.label = r.label and n.kind = r.kind and n.run_id >= r.run_id
                  and n.state = 'succeeded') as mended
  from failed f join ops.run r using (run_id)
 where f.at > clock_timestamp() - %(since)s order by f.at desc, f.run_id desc limit 50"""

_RUNS = """
select run_id, kind, label, state, logical_at, started_at,
       round(extract(epoch from coalesce(finished_at, clock_timestamp()) - started_at), 1) as seconds, error
  from ops.run order by run_id desc limit 10"""

# An erasure that was cut off, or found something left: the same command finishes it.
_ERASURES = """
select erasure_id, started_at from ops.erasure
 where state = 'running' and started_at < clock_timestamp() - interval '1 hour' order by 1"""


def overview(now: datetime) -> dict[str, Any]:
    """All sections as of `now` (aware: the clock of the company, which a simulated one moves by itself).

    `freshness` one object a stream, `gates` the newest verdict of each, `quarantine` open records by stream, `running`,
    `failures` of the last 24 hours, `runs` the newest ten, `published` or null, `drift` what changed at the vendors,
    `problems` in words, empty when all is well.
    """
    company = settings.settings().company
    paused = freshness.paused_connections()
    found: dict[str, Any] = {
        "at": now,
        "published": None,
        "freshness": [asdict(each) for each in freshness.streams(now, paused=paused)],
    }
    with _books() as books:
        published = _all(books, _PUBLISHED)
        found["published"] = published[0] if published else None
        found["gates"] = _all(books, _GATES, connections=list(company.connections))
        found["quarantine"] = _all(books, _QUARANTINE)
        found["running"] = _all(books, _RUNNING)
        found["failures"] = _all(books, _FAILURES, since=DAY)
        found["runs"] = _all(books, _RUNS)
        found["drift"] = [asdict(each) for each in drift.changes(books, company)]
        unfinished = _all(books, _ERASURES)
    found["problems"] = problems(found) + [
        f"erasure {one['erasure_id']} of {one['started_at']:%F} is not finished: run the same `tieout erase` again"
        for one in unfinished
    ]  # fmt: skip
    return found


def problems(found: dict[str, Any]) -> list[str]:
    """What is late, red, killed, or open beyond its promise: one line each."""
    lines = []
    for stream in found["freshness"]:
        where = f"{stream['connection']}.{stream['stream']}"
        if stream["state"] == "late":
            lines.append(f"{where} is late by {freshness.short(timedelta(seconds=stream['late_seconds']))}")
        elif stream["state"] == "never_landed" and stream["due_at"]:
            lines.append(f"{where} never landed")
    for gate in found["gates"]:
        if not gate["passed"]:
            names = [f"{f['suite']}.{f['expectation']}" for f in gate["failing"] if f["severity"] == "critical"]
            lines.append(f"{gate['stage']} gate of {gate['label']} is red in run {gate['run_id']}: {', '.join(names)}")
    limit = timedelta(days=settings.settings().quarantine_days)
    for held in found["quarantine"]:
        if timedelta(seconds=held["oldest_seconds"]) > limit:
            where, age = f"{held['connection']}.{held['stream']}", timedelta(seconds=held["oldest_seconds"])
            lines.append(f"{where} has {held['records']:,} records in quarantine, for {freshness.short(age)}")
    lines += [
        f"run {run['run_id']} of {run['label']} was killed in {run['step']}"
        for run in found["running"] if run["state"] == "killed"
    ]  # fmt: skip
    red = {gate["run_id"] for gate in found["gates"] if not gate["passed"]}
    latest: dict[str, Any] = {}
    for failure in found["failures"]:
        if not failure["mended"] and failure["run_id"] not in red:
            latest.setdefault(failure["label"], failure)
    lines += [
        f"run {each['run_id']} of {each['label']} {each['state']} in {each['step'] or 'no step'}: {each['reason']}"
        for each in latest.values()
    ]
    return lines


def _books() -> Any:
    from tieout.warehouse import connect

    return connect("loader", application="tieout status")


def _all(books: Any, sql: str, **words: Any) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with books.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, words or None).fetchall()
