"""The embedded Postgres survives what happens to it: kill -9, a taken port, a second start, a refused password."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import open_folder
from tieout import localpg
from tieout.errors import WarehouseError


@pytest.fixture
def home() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder
        localpg.stop(folder)


def _login(variables: dict[str, str], role: str = "loader") -> psycopg.Connection:
    return psycopg.connect(
        host=variables["TIEOUT_WAREHOUSE_HOST"],
        port=variables["TIEOUT_WAREHOUSE_PORT"],
        user=f"tieout_{role}",
        password=variables[f"TIEOUT_WAREHOUSE_{role.upper()}_PASSWORD"],
        dbname="tieout",
    )


def test_start_is_idempotent_and_serves_both_databases(home: Path) -> None:
    first = localpg.start(home)
    assert localpg.start(home) == first == localpg.environment(home)
    with _login(first) as connection:
        assert connection.execute("show synchronous_commit").fetchone() == ("on",)
        assert connection.execute("show jit").fetchone() == ("off",)
    airflow = first["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with psycopg.connect(airflow) as connection:
        assert connection.execute("select current_database()").fetchone() == ("airflow",)
    assert stat.S_IMODE((home / "pg" / "env").stat().st_mode) == 0o600
    assert localpg.status(home).startswith("running on 127.0.0.1:")


def test_wrong_password_is_refused(home: Path) -> None:
    variables = localpg.start(home)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        _login({**variables, "TIEOUT_WAREHOUSE_LOADER_PASSWORD": "wrong"})


def test_start_after_kill_keeps_committed_rows_and_passwords(home: Path) -> None:
    before = localpg.start(home)
    with _login(before, "owner") as connection:
        connection.execute("create table ops.kept as select 1 as one")
    pid = int((Path((home / "pg" / "place").read_text()) / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    after = localpg.start(home)
    with _login(after, "owner") as connection:
        assert connection.execute("select one from ops.kept").fetchone() == (1,)
    secrets = [name for name in before if name.endswith("PASSWORD")]
    assert {name: after[name] for name in secrets} == {name: before[name] for name in secrets}


def test_taken_port_is_left_to_its_owner(home: Path) -> None:
    before = localpg.start(home)
    localpg.stop(home)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", int(before["TIEOUT_WAREHOUSE_PORT"])))
        squatter.listen()
        after = localpg.start(home)
    assert after["TIEOUT_WAREHOUSE_PORT"] != before["TIEOUT_WAREHOUSE_PORT"]
    with _login(after):
        assert f":{after['TIEOUT_WAREHOUSE_PORT']}/airflow" in after["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


def test_broken_configuration_is_reported_at_once_with_the_servers_words(home: Path) -> None:
    localpg.start(home)
    localpg.stop(home)
    data = Path((home / "pg" / "place").read_text()) / "data"
    (data / "postgresql.auto.conf").write_text("max_connections = 'many'\n")
    with pytest.raises(WarehouseError, match="max_connections"):
        localpg.start(home)
    (data / "postgresql.auto.conf").write_text("")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_folder_closed_to_the_unprivileged_user_is_bypassed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(localpg, "ROOT_PLACE", home / "open")
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    variables = localpg.start(closed)
    try:
        with _login(variables):
            assert Path((closed / "pg" / "place").read_text()).is_relative_to(home / "open")
    finally:
        localpg.stop(closed)


def test_variables_of_a_server_never_started_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="does not exist"):
        localpg.environment(tmp_path)
    assert localpg.status(tmp_path).startswith("no embedded Postgres")
