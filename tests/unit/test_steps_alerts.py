"""An alert is delivered or logged; it never raises, and holds no secret."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from tests.conftest import clear_settings
from tieout import alerts, logs

CONTEXT = {
    "task_instance": SimpleNamespace(dag_id="land_crm", task_id="land_streams", run_id="r1", try_number=2),
    "exception": ValueError("refused: s3cr3t-token"),
}


def ours(caplog) -> str:
    """Our lines; the test's own server logs its paths too."""
    return "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("tieout"))


@pytest.fixture
def hook(httpserver, monkeypatch):
    monkeypatch.setenv("TIEOUT_ALERT_URL", httpserver.url_for("/hook/s3cr3t-path"))
    clear_settings()
    logs.register_secret("s3cr3t-token")
    yield httpserver
    monkeypatch.undo()
    clear_settings()


def test_a_failed_task_is_told_to_the_webhook(hook, caplog):
    hook.expect_oneshot_request("/hook/s3cr3t-path", method="POST").respond_with_data("ok")
    alerts.task_failed(CONTEXT)
    hook.check_assertions()
    (request, _), = hook.log
    assert request.json == {
        "text": "Tieout: land_crm.land_streams failed: refused: ***", "dag_id": "land_crm", "task_id": "land_streams",
        "dag_run_id": "r1", "attempt": 2, "error": "refused: ***"}  # fmt: skip
    assert "land_crm.land_streams failed" in ours(caplog) and "s3cr3t" not in ours(caplog)


def test_a_webhook_that_fails_is_logged_and_hides_nothing(hook, caplog):
    hook.expect_request("/hook/s3cr3t-path").respond_with_data("no", status=500)
    with caplog.at_level(logging.WARNING):
        assert alerts.send({"text": "x"}) is False
    assert "the alert was not delivered" in ours(caplog) and "s3cr3t" not in ours(caplog)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/nobody", "no address at all", "http://["])
def test_a_wrong_address_does_not_raise(monkeypatch, url):
    monkeypatch.setenv("TIEOUT_ALERT_URL", url)
    clear_settings()
    assert alerts.send({"text": "x"}) is False
    monkeypatch.undo()
    clear_settings()


def test_wrong_settings_do_not_raise(monkeypatch):
    monkeypatch.setenv("TIEOUT_DBT_THREADS", "none")
    clear_settings()
    alerts.task_failed({})
    monkeypatch.undo()
    clear_settings()


def test_without_an_address_nothing_is_sent(monkeypatch):
    monkeypatch.delenv("TIEOUT_ALERT_URL", raising=False)
    clear_settings()
    assert alerts.send({"text": "x"}) is False
