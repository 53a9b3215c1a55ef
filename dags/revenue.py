"""**Revenue**: build the marts from what is landed, prove them, and let readers see them.

Runs when every connection has landed anew (`&` of their assets): both sides of the books are compared as of one time.

- `open_run` draws the run id that stamps every version in the marts. Fails: the warehouse is away, see `tieout doctor`.
- `build_marts`: dbt in this process, under a lock: two builds never overlap. Fails: `ops.model_run` names the model.
- `match_documents`: what the build left open, looked at by all passes of the matching library: `rec_suggestion`.
- `check_marts`: suites over the candidate, before anybody can read it. Fails: `ops.gate_result` has counts and sample
  keys; mend the data or the model and clear the task. Readers keep the last publication.
- `publish_marts` moves one pointer, in one transaction.
- `write_report`: HTML under `TIEOUT_HOME/reports`. Fails: the publication stands; clear the task.
- `close_run` (teardown) closes `ops.run`, whatever happened.

- **Run it by hand**: trigger it, or `tieout run`. A failed candidate needs no cleaning up: the next run supersedes it.
- **Numbers look wrong after publication**: `tieout publish --run-id <earlier run>` is refused on purpose.
  Mend and run again; the restatement between the two publications says what moved.
- **Everything from scratch**: `tieout build --full-refresh`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import reduce
from operator import and_, or_

import pendulum
from airflow.sdk import Asset, dag, get_current_context, setup, task, teardown

from tieout import steps
from tieout.airflow_support import heals_or_fails
from tieout.dag_words import MARTS_ASSET, REVENUE_DAG, Tag, landed_asset, task_defaults
from tieout.settings import settings

CONNECTIONS = settings().company.connections
LANDED = {name: Asset(*landed_asset(name)) for name in CONNECTIONS}
# Whose events begin a landing is waited for alone, too: others may be due in an hour.
AT_ONCE = [LANDED[name] for name, found in CONNECTIONS.items() if found.webhook]


@setup
@task
def open_run() -> int:
    run = get_current_context()["dag_run"]
    with heals_or_fails():
        return steps.open_run("revenue", dag_run_id=f"{run.dag_id}/{run.run_id}")


@task
def build_marts(tieout_run: int) -> None:
    with heals_or_fails():
        steps.build(tieout_run)


@task
def match_documents(tieout_run: int) -> None:
    with heals_or_fails():
        steps.match(tieout_run)


@task
def check_marts(tieout_run: int) -> None:
    with heals_or_fails():
        steps.check("marts", tieout_run)


@task(outlets=[Asset(*MARTS_ASSET)])
def publish_marts(tieout_run: int) -> None:
    with heals_or_fails():
        steps.publish(tieout_run)


@task
def write_report(tieout_run: int) -> str:
    with heals_or_fails():
        return str(steps.report(tieout_run))


@teardown
@task
def close_run(tieout_run: int) -> None:
    with heals_or_fails():
        steps.close_run(tieout_run)


@dag(
    dag_id=REVENUE_DAG,
    description="Build, prove and publish the revenue fact and the reconciliation",
    schedule=reduce(or_, AT_ONCE, reduce(and_, LANDED.values())),
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=task_defaults(),
    tags=[Tag.TRANSFORM, Tag.PUBLISH],
    doc_md=__doc__,
)
def revenue() -> None:
    run_id = open_run()
    done = write_report(run_id)
    build_marts(run_id) >> match_documents(run_id) >> check_marts(run_id) >> publish_marts(run_id) >> done
    done >> close_run(run_id)


revenue()
