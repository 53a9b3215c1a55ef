"""**Retention**: weekly, let go what the policy `retention:` of `tieout.yml` no longer keeps.

A dry run unless the policy says `apply: true`: the task's log then lists by table what would go, and nothing changes.

- `prune_old`: archived files, closed versions in `raw`, old publications with the versions of the marts that only they
  showed, rows of the ledger. Current versions, closed fiscal periods and all that a kept publication shows stay.
  It works in small transactions under the same locks as landing and building: those wait for a chunk at most.

- **It failed, or was killed**: clear the task, or wait for next week. What went is gone, what did not goes then.
- **It fails with "which periods are closed is unknown"**: the marts were not built. Nothing was pruned.
- **See it first**: `tieout prune`. **Do it by hand**: `tieout prune --apply`.
- **A file is needed again**: `ops.load` keeps its hash and says in `archive_pruned_at` when it went; the vendor can be
  asked for the window with `tieout backfill`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, dag, task

from tieout import steps
from tieout.airflow_support import heals_or_fails
from tieout.dag_words import RETENTION_DAG, Tag, task_defaults


@task
def prune_old() -> int:
    """Rows and files that went, or would go."""
    with heals_or_fails():
        return sum(gone.rows for gone in steps.prune(progress=steps.tell_gone))


@dag(
    dag_id=RETENTION_DAG,
    description="Let go what the retention policy no longer keeps",
    schedule=CronDataIntervalTimetable("30 3 * * 0", timezone="UTC"),
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=task_defaults(),
    tags=[Tag.RETENTION],
    doc_md=__doc__,
)
def retention() -> None:
    prune_old()


retention()
