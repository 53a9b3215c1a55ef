"""Alerts: a failed task says so in the log, and at `TIEOUT_ALERT_URL` where one is set. An alert never raises."""

from __future__ import annotations

from typing import Any

from tieout import logs
from tieout.errors import TieoutError
from tieout.settings import settings

log = logs.logger(__name__)
SECONDS = 10


def task_failed(context: dict[str, Any]) -> None:
    """Airflow's failure callback: one line in the log, one JSON message to the webhook. No secret is in either."""
    instance = context.get("task_instance") or context.get("ti")
    words = {
        "dag_id": getattr(instance, "dag_id", "?"),
        "task_id": getattr(instance, "task_id", "?"),
        "dag_run_id": getattr(instance, "run_id", "?"),
        "attempt": getattr(instance, "try_number", None),
        "error": logs.redact(str(context.get("exception") or "no exception given")),
    }
    log.error(
        "%s.%s failed", words["dag_id"], words["task_id"], extra={"task": words["task_id"], "reason": words["error"]}
    )
    send({"text": f"Tieout: {words['dag_id']}.{words['task_id']} failed: {words['error']}", **words})


def send(message: dict[str, Any]) -> bool:
    """POST the message as JSON to `TIEOUT_ALERT_URL`; True if it was taken.

    The failure of an alert is logged, not raised: it must not hide, or change the state of, the task that it reports.
    """
    import httpx

    try:
        url = settings().alert_url
        if url is None:
            return False
        logs.register_secret(url.get_secret_value())  # a webhook's URL is its password
        httpx.post(url.get_secret_value(), json=message, timeout=SECONDS).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL, TieoutError, TypeError, ValueError) as error:
        log.warning("the alert was not delivered: %s", logs.redact(str(error)))
        return False
    return True
