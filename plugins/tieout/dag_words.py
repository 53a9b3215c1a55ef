"""The words that DAGs share: ids, tags, assets, pools. Names only: no Airflow is imported here."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tieout import alerts

if TYPE_CHECKING:
    from tieout.spec import Connection

REVENUE_DAG = "revenue"
RETENTION_DAG = "retention"
WAIVERS_DAG = "waivers"
MARTS_ASSET = ("marts", "tieout://marts/published")


class Tag(StrEnum):
    """The closed vocabulary of DAG tags."""

    LANDING = "landing"
    TRANSFORM = "transform"
    PUBLISH = "publish"
    RETENTION = "retention"
    REGISTER = "register"
    CRM = "crm"
    ERP = "erp"


def land_dag_id(connection: str) -> str:
    """`land_<connection>`."""
    return f"land_{connection}"


def pool(connection: str) -> str:
    """One slot for each connection: its scheduled runs, backfills and retries take turns at the vendor's rate limit."""
    return f"vendor_{connection}"


def landed_asset(connection: str) -> tuple[str, str]:
    """Name and URI of the asset that says: this connection's landing passed its checks."""
    return f"landed_{connection}", f"tieout://landed/{connection}"


def tags_of(connection: Connection) -> list[str]:
    """`landing`, and which side of the books the system keeps."""
    return [Tag.LANDING, Tag(connection.role)]


def start_of(connection: Connection) -> datetime:
    """The first instant that a backfill may ask for."""
    return datetime.fromisoformat(connection.start_date).replace(tzinfo=connection.zone)


def task_defaults() -> dict[str, Any]:
    """Retries for what heals by waiting; errors that cannot heal skip them (`airflow_support.heals_or_fails`)."""
    return {
        "owner": "tieout",
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": alerts.task_failed,
    }
