"""Starting and stopping processes: ports are checked, groups stop with their children, strangers live."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import clear_settings, demo_company
from tieout import airflow_home, airflow_support, cli_operate, place, stack, warehouse
from tieout.errors import ConfigError

# Starts a child in its own session (as Airflow's workers do), says so, and waits.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {child!r}], start_new_session={apart})
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(60)
"""
SLEEPS = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    for process in stack.leftovers(tmp_path):
        process.kill()


def start(home, *, child=SLEEPS, apart=True) -> tuple[stack.Started, int]:
    note = home / "child"
    program = PARENT.format(child=child, apart=apart)
    started = stack.start(home, "scheduler", (sys.executable, "-c", program, str(note)), {})
    deadline = time.monotonic() + 20
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return started, int(note.read_text())


@pytest.mark.parametrize("apart", [True, False])
def test_down_leaves_no_orphan(home, apart):
    started, child = start(home, apart=apart)
    assert os.getpgid(started.pid) == started.pid != os.getpgid(0)
    assert psutil.pid_exists(child)
    assert [each.name for each in stack.running(home)] == ["scheduler"]
    assert stack.down(home) == ["scheduler"]
    assert stack.leftovers(home) == [] and stack.started(home) == []
    assert not psutil.pid_exists(child)


def test_a_process_that_ignores_term_is_killed(home, monkeypatch):
    monkeypatch.setattr(stack, "TERM_SECONDS", 0.5)
    _, child = start(home, child=STUBBORN)
    time.sleep(0.3)
    stack.down(home)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_an_orphan_is_found_by_its_mark(home):
    started, child = start(home)
    os.killpg(started.pid, signal.SIGKILL)
    wait_for(started.pid)
    assert [each.name for each in stack.stale(home)] == ["scheduler"]
    assert child in [process.pid for process in stack.leftovers(home)]
    stack.down(home)
    assert not psutil.pid_exists(child)


def test_a_pid_that_now_belongs_to_somebody_else_is_left_alone(home):
    stranger = subprocess.Popen([sys.executable, "-c", SLEEPS], start_new_session=True)
    try:
        (home / "run").mkdir()
        note = {"name": "scheduler", "pid": stranger.pid, "began": psutil.Process(stranger.pid).create_time() - 500}
        (home / "run" / "scheduler.json").write_text(json.dumps(note), encoding="utf-8")
        assert stack.running(home) == [] and len(stack.stale(home)) == 1
        stack.down(home)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_down_twice_is_no_error(home):
    assert stack.down(home) == []


def test_a_taken_port_is_named_with_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} \(api-server\) is taken") as error:
            stack.check_ports({"api-server": port})
    assert "TIEOUT_AIRFLOW_PORT" in error.value.hint and f"pid {os.getpid()}" in str(error.value)
    stack.check_ports({"api-server": port})


def wait_for(pid):
    """Until a child has ended; who ends at once was waited for by `subprocess` already."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def test_a_component_that_dies_is_reported_at_once(home):
    started = stack.start(home, "scheduler", (sys.executable, "-c", "raise SystemExit(3)"), {})
    wait_for(started.pid)
    with pytest.raises(stack.StackError, match="scheduler ended while starting") as error:
        stack.wait_healthy(home, 1)
    assert "scheduler.log" in error.value.hint


def test_output_goes_to_a_log(home):
    started = stack.start(home, "scheduler", (sys.executable, "-c", "print('hello')"), {})
    wait_for(started.pid)
    assert (home / "logs" / "scheduler.log").read_text() == "hello\n"


def test_airflows_keys_are_generated_once_and_private(tmp_path):
    first = airflow_home.variables(tmp_path, port=8080, log_port=8793)
    assert first == airflow_home.variables(tmp_path, port=8080, log_port=8793)
    assert first["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8080/execution/"
    assert first["AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"] == "8794"
    other = airflow_home.variables(tmp_path / "other", port=8080, log_port=8793)
    assert other["AIRFLOW__API_AUTH__JWT_SECRET"] != first["AIRFLOW__API_AUTH__JWT_SECRET"]
    secret, fresh = airflow_home.password(tmp_path)
    assert fresh and airflow_home.password(tmp_path) == (secret, False)
    two = airflow_home.variables(tmp_path, port=8080, log_port=8793, users="ana:user,ben:op")
    assert two["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin,ana:user,ben:op"
    assert airflow_home.password(tmp_path, "ana:user,ben:op") == (secret, False)
    told = json.loads((tmp_path / "airflow" / "passwords.json").read_text())
    assert set(told) == {"admin", "ana", "ben"} and len(set(told.values())) == 3, "else Airflow logs those it generates"
    for name in ("keys.json", "passwords.json"):
        assert (tmp_path / "airflow" / name).stat().st_mode & 0o777 == 0o600


def test_setup_in_a_container_leaves_airflow_no_password_to_print(tmp_path, monkeypatch):
    """Airflow's simple auth manager prints each password that it generates, which is the container's log."""
    told = demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})
    (tmp_path / "tieout.yml").write_text(json.dumps(told))
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "admin:admin, ana:user")
    monkeypatch.setattr(cli_operate, "enter", lambda: place.Place("environment", tmp_path, embedded=False))
    monkeypatch.setattr(warehouse, "migrate", list)
    monkeypatch.setattr(airflow_support, "migrate_metadata", lambda: "")
    monkeypatch.setattr(airflow_support, "ensure_pools", lambda names: None)
    clear_settings()
    try:
        cli_operate.setup()
    finally:
        clear_settings()
    assert set(json.loads((tmp_path / "airflow" / "passwords.json").read_text())) == {"admin", "ana"}
