"""Secrets out of a real Airflow connection, in a process of its own (Airflow reads its environment on import)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
from tieout.errors import TieoutError
from tieout.secrets import secrets_for
from tieout.spec import Connection

connection = Connection(name="erp_us", system="netsuite", auth="tba", time_zone="UTC", options={"account": "1"})
try:
    found = secrets_for(connection)
except TieoutError as error:
    found = str(error)
print("RESULT" + json.dumps(found))
"""


@pytest.fixture
def read(root: Path, tmp_path: Path):
    def run(**variables: str) -> object:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TIEOUT_", "AIRFLOW_"))}
        environment = {**kept, "PYTHONPATH": str(root / "plugins"), "AIRFLOW_HOME": str(tmp_path), **variables}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=120
        )
        line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
        return json.loads(line.removeprefix("RESULT"))

    return run


def test_login_password_and_extra_of_an_airflow_connection(read):
    stored = {
        "conn_type": "http", "login": "the-consumer-key", "password": "the-consumer-secret",
        "extra": {"token_id": "the-token", "token_secret": "the-token-secret"},
    }
    assert read(AIRFLOW_CONN_ERP_US=json.dumps(stored)) == {
        "consumer_key": "the-consumer-key", "consumer_secret": "the-consumer-secret", "token_id": "the-token",
        "token_secret": "the-token-secret",
    }


def test_no_connection_is_a_secret_error_that_says_both_ways(read):
    message = read()
    assert "connection erp_us: no secret consumer_key, consumer_secret, token_id, token_secret" in message
    assert "TIEOUT_SECRET_ERP_US__CONSUMER_KEY" in message
    assert "Airflow connection 'erp_us'" in message
