"""**Land one connection**: everything that changed at the vendor since the last committed window, into `raw`.

One DAG `land_<connection>` per connection of `tieout.yml`, on the connection's own schedule.

- `land_streams`: extract → archive → load, one transaction per stream, with its row in `ops.load`. If it fails, nothing
  of that stream is visible, and the next run reaches back to what was last committed: nothing is lost.
- `check_landing`: suites and control totals (received = landed + unchanged + quarantined). If it fails, the asset is
  not emitted, so `revenue` waits: `tieout quarantine list`, `ops.gate_result`.

- **Run it again**: clear the task. A window landed twice changes nothing.
- **At once**: `webhook: true` in tieout.yml, and `tieout webhook`: see docs/near-real-time.md.
- **Backfill**: `airflow backfill create --dag-id land_<connection> --from-date 2026-01-01 --to-date 2026-01-31`, or
  `tieout backfill <connection> --from … --to …`. A backfill lands exactly its intervals and leaves the cursor alone.
- **Wrong secret, dropped field**: fails at once, without retries. `tieout doctor` says what to do.
- **Rate limit**: all runs of a connection share the one slot of the pool `vendor_<connection>`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Asset, AssetOrTimeSchedule, CronDataIntervalTimetable, dag, get_current_context, task

from tieout import steps
from tieout.airflow_support import heals_or_fails, interval_of, is_backfill
from tieout.dag_words import event_asset, land_dag_id, landed_asset, pool, start_of, tags_of, task_defaults
from tieout.settings import settings
from tieout.spec import Connection


def _schedule(connection: Connection) -> CronDataIntervalTimetable | AssetOrTimeSchedule | Asset | None:
    """By the clock, by the vendor's events, by both, or by hand."""
    clock = (
        CronDataIntervalTimetable(connection.schedule, timezone=connection.time_zone) if connection.schedule else None
    )
    if not connection.webhook:
        return clock
    told = Asset(*event_asset(connection.name))
    return AssetOrTimeSchedule(timetable=clock, assets=told) if clock else told


def land_dag(connection: Connection) -> None:
    """Register the DAG of one connection."""
    name = connection.name
    landed = Asset(*landed_asset(name))

    @task(task_id="land_streams", pool=pool(name))
    def land_streams(connection: str) -> int:
        context = get_current_context()
        run = context["dag_run"]
        start, end = interval_of(run)
        with heals_or_fails():
            return steps.land(
                connection,
                start=start,
                end=end,
                backfill=is_backfill(run),
                dag_run_id=f"{run.dag_id}/{run.run_id}",
            ).run_id

    @task(task_id="check_landing", outlets=[landed])
    def check_landing(tieout_run: int) -> None:
        with heals_or_fails():
            steps.check("landing", tieout_run)

    @dag(
        dag_id=land_dag_id(name),
        description=f"Land {connection.source.title} ({name})",
        schedule=_schedule(connection),
        start_date=start_of(connection),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=6),
        default_args=task_defaults(),
        tags=tags_of(connection),
        doc_md=__doc__,
    )
    def land() -> None:
        check_landing(land_streams(name))

    land()


for _connection in settings().company.connections.values():
    land_dag(_connection)
