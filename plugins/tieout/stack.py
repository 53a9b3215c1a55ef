"""`tieout up` and `tieout down`: Airflow's four components on this machine, each in a process group of its own.

`airflow standalone` leaves its children behind when it is stopped, so the components are started one by one, remembered
in `HOME/run/<component>.json` with the time at which the process began (a pid alone may be somebody else's by now), and
stopped group by group: TERM, then KILL. Every process carries TIEOUT_STACK, by which a leftover is found.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tieout import settings
from tieout.errors import ConfigError, TieoutError

if TYPE_CHECKING:
    import psutil

COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler",),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer",),
}
MARK = "TIEOUT_STACK"
HEALTHY_SECONDS = 240
TERM_SECONDS = 25


class StackError(TieoutError):
    """A component did not start or did not stop."""

    exit_code = 9


@dataclass(frozen=True)
class Started:
    """A process that was started: `began` tells it from a later one with the same pid."""

    name: str
    pid: int
    began: float


def check_ports(ports: Mapping[str, int]) -> None:
    """ConfigError that names every port which is taken, by whom, and what to do."""
    taken = [f"port {port} ({what}) is taken{_by(port)}" for what, port in ports.items() if not is_free(port)]
    if taken:
        raise ConfigError(
            "; ".join(taken),
            hint="stop what listens there (`make down` if it is an earlier `make up`), or choose others: "
            "TIEOUT_AIRFLOW_PORT=8090 TIEOUT_AIRFLOW_LOG_PORT=8893 make up",
        )


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def start(home: Path, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Started:
    """Start one process in its own session, its output in `HOME/logs/<name>.log`."""
    import psutil

    for folder in ("run", "logs"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    with (home / "logs" / f"{name}.log").open("ab") as output:
        process = subprocess.Popen(
            list(command),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**settings.child_environment(), **environment, MARK: str(home)},
        )
    began = Started(name, process.pid, psutil.Process(process.pid).create_time())
    _file(home, name).write_text(json.dumps(asdict(began)), encoding="utf-8")
    return began


def start_airflow(home: Path, environment: Mapping[str, str]) -> list[Started]:
    """Start the four components. `environment` holds AIRFLOW_*, the warehouse's and the connections' variables."""
    airflow = str(Path(sys.executable).with_name("airflow"))
    return [start(home, name, (airflow, *arguments), environment) for name, arguments in COMPONENTS.items()]


def wait_healthy(home: Path, port: int, *, progress: Callable[[str], None] = lambda _: None) -> float:
    """Wait until the api-server reports all four components and the database healthy; returns the seconds taken."""
    import httpx

    begun, last = time.monotonic(), ""
    while time.monotonic() - begun < HEALTHY_SECONDS:
        if dead := [each.name for each in started(home) if each.name in COMPONENTS and not _process(each)]:
            raise StackError(
                f"{', '.join(dead)} ended while starting", hint=f"see {home / 'logs' / (dead[0] + '.log')}"
            )
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            answer = {}
        states = {name: part.get("status") for name, part in answer.items() if isinstance(part, dict)}
        if len(states) >= 4 and all(state == "healthy" for state in states.values()):
            return time.monotonic() - begun
        shown = ", ".join(f"{name} {state}" for name, state in states.items()) or "the api-server does not answer yet"
        if shown != last:
            progress(shown)
            last = shown
        time.sleep(1)
    raise StackError(f"not healthy after {HEALTHY_SECONDS} s: {last}", hint=f"see {home / 'logs'}")


def started(home: Path) -> list[Started]:
    """What was started here and not stopped, running or not."""
    return [Started(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted((home / "run").glob("*.json"))]


def running(home: Path) -> list[Started]:
    """What was started here and still runs."""
    return [each for each in started(home) if _process(each)]


def stale(home: Path) -> list[Started]:
    """Remembered processes that no longer run: the machine was restarted, or somebody killed them."""
    return [each for each in started(home) if not _process(each)]


def down(home: Path) -> list[str]:
    """Stop all that was started here, with all descendants. Returns the names. StackError if a process survives."""
    import psutil

    known = started(home)
    alive = {process.pid: process for each in known if (process := _process(each))}
    for process in [*alive.values()]:
        alive |= {child.pid: child for child in _children(process)}
    alive |= {process.pid: process for process in leftovers(home)}
    groups = {each.pid for each in known if each.pid in alive}
    for group in groups:
        _signal_group(group, signal.SIGTERM)
    for pid, process in alive.items():
        if pid not in groups and not any(_in_group(process, group) for group in groups):
            _signal(process, signal.SIGTERM)
    _, left = psutil.wait_procs(list(alive.values()), timeout=TERM_SECONDS)
    for process in {p.pid: p for p in [*left, *leftovers(home)]}.values():
        _signal(process, signal.SIGKILL)
    _, left = psutil.wait_procs([*left, *leftovers(home)], timeout=5)
    if left:
        raise StackError(f"still running: {', '.join(str(process.pid) for process in left)}", hint="kill -9 them")
    for each in known:
        _file(home, each.name).unlink(missing_ok=True)
    return [each.name for each in known]


def forget(home: Path, name: str) -> None:
    """A process that its starter has stopped itself."""
    _file(home, name).unlink(missing_ok=True)


def leftovers(home: Path) -> list[psutil.Process]:
    """All processes that carry this home's mark, whoever their parent is now."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # it ended meanwhile, or it is another user's: not ours
    return found


def _process(each: Started) -> psutil.Process | None:
    import psutil

    try:
        process = psutil.Process(each.pid)
        same = abs(process.create_time() - each.began) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return process if same else None


def _children(process: psutil.Process) -> Iterator[psutil.Process]:
    import psutil

    try:
        yield from process.children(recursive=True)
    except psutil.Error:
        return


def _in_group(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group
    except ProcessLookupError:
        return True


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    import psutil

    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _file(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.json"


def _by(port: int) -> str:
    """` by airflow (pid 12)` where the system lets us see it."""
    import psutil

    try:
        owners = [
            c.pid
            for c in psutil.net_connections("tcp")
            if c.laddr and c.laddr.port == port and c.status == psutil.CONN_LISTEN and c.pid
        ]
        return f" by {psutil.Process(owners[0]).name()} (pid {owners[0]})" if owners else ""
    except psutil.Error:
        return ""
