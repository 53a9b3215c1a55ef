"""What Tieout asks of Airflow from inside the package: connections, and hiding secrets in task logs.

The only module under `plugins/tieout` that may import airflow, and only when it is called: the import costs seconds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tieout.errors import (
    AuthError,
    ConfigError,
    GateError,
    PublishError,
    RegisterError,
    ReloadGuardError,
    SchemaError,
    SecretError,
    UnsafeLinkError,
)

FINAL = (
    ConfigError, AuthError, SchemaError, UnsafeLinkError, ReloadGuardError, GateError, PublishError, RegisterError,
)  # fmt: skip


def connection_fields(name: str) -> dict[str, str] | None:
    """The fields of Airflow's connection `name`: what its extra (a JSON object) holds, and `login` and `password`.

    None where there is no such connection, or no Airflow in this environment.
    """
    try:
        from airflow.sdk import Connection
        from airflow.sdk.exceptions import AirflowNotFoundException
    except ImportError:
        return None
    try:
        found = Connection.get(name)
    except AirflowNotFoundException:
        return None
    fields = _extra(name, found.extra)
    for word in ("login", "password"):
        if value := getattr(found, word, None):
            fields.setdefault(word, value)
    return fields


def _extra(name: str, text: str | None) -> dict[str, str]:
    try:
        extra = json.loads(text or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        # The extra holds secrets: say where, never what.
        raise SecretError(f"connection {name}: its Airflow connection's extra is not a JSON object", hint="mend it")
    return {str(key): value for key, value in extra.items() if isinstance(value, str)}


def mask(values: Iterable[str]) -> None:
    """Hide values in Airflow's own task logs and rendered fields. Does nothing outside of an Airflow process."""
    if "airflow.sdk" not in sys.modules:
        return
    from airflow.sdk.log import mask_secret

    for value in values:
        mask_secret(value)


# --- for DAG files ----------------------------------------------------------------------------------------------------


@contextmanager
def heals_or_fails() -> Iterator[None]:
    """Errors that waiting cannot heal fail the task at once, without its retries."""
    try:
        yield
    except FINAL as error:
        from airflow.sdk.exceptions import AirflowFailException

        raise AirflowFailException(str(error)) from error


def is_backfill(dag_run: Any) -> bool:
    """True for a run made by `airflow backfill create`, which stands for exactly its interval."""
    return _run_type(dag_run) == "backfill"


def interval_of(dag_run: Any) -> tuple[datetime | None, datetime | None]:
    """The interval that a run stands for; (None, None), everything until now, for one that an event began.

    Airflow gives such a run the moment of its event, and what happened while it waited would be left for the next.
    """
    if _run_type(dag_run) == "asset_triggered":
        return None, None
    return dag_run.data_interval_start, dag_run.data_interval_end


def _run_type(dag_run: Any) -> str:
    return str(getattr(dag_run.run_type, "value", dag_run.run_type))


# --- for the demo and the setup ---------------------------------------------------------------------------------------


def migrate_metadata() -> str:
    """Create or upgrade Airflow's own tables; returns the schema's revision. Six seconds even with nothing to do."""
    from airflow.utils import db

    db.upgradedb()
    return db._get_current_revision(session=_session()) or ""


def metadata_revision() -> str | None:
    """The revision that the metadata database is at; None when it is empty or away."""
    from airflow import settings as airflow_settings
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    airflow_settings.configure_orm()
    try:
        with airflow_settings.get_engine().connect() as connection:
            return connection.execute(text("select version_num from alembic_version")).scalar()
    except SQLAlchemyError:
        return None


def ensure_pools(names: Iterable[str]) -> None:
    """One slot each. A task whose pool does not exist is never scheduled."""
    from airflow.models.pool import Pool

    for name in names:
        Pool.create_or_update_pool(
            name, slots=1, description="One run at a time at this vendor", include_deferred=False)


def load_dags(folder: Path) -> dict[str, Any]:
    """All DAGs of the folder by id. ConfigError with the errors of files that do not load, or for no DAGs."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(folder), load_op_links=False)
    if bag.import_errors:
        raise ConfigError("\n".join(f"{path}: {error}" for path, error in bag.import_errors.items()))
    if not bag.dags:
        raise ConfigError(f"no DAG in {folder}", hint="is it the repository's folder dags/?")
    return dict(bag.dags)


def run_dag(dag: Any, at: datetime) -> dict[str, str]:
    """Run one DAG here and now through `dag.test()`, with the last interval that ended at or before `at`.

    Returns the state of the run under "" and of each task under its id. Retries are off: the caller is watching.
    """
    for each in dag.tasks:
        each.retries = 0
    done = dag.test(logical_date=at, run_after=at)
    states = {instance.task_id: str(instance.state) for instance in done.get_task_instances(session=_session())}
    return {"": str(done.state), **states}


def _session() -> Any:
    from airflow import settings as airflow_settings

    return airflow_settings.Session()
