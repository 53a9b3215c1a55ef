"""A unit's stand-in vendors: `start(folder)` in a thread, for tests and the demo; `main(folders)` to stand alone.

Each vendor has its own port, and answers at any host name that leads there.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from ruamel.yaml import YAML

from simulator import systems
from simulator.credentials import credentials
from simulator.habits import Habits
from simulator.served import Clock
from simulator.store import read_state
from simulator.units import FIRST, unit

HOST = "127.0.0.1"
CONNECTIONS = {system: unit(FIRST).connection(system) for system in unit(FIRST).systems}
_REMEMBERED = 100_000


@dataclass(frozen=True)
class Seen:
    """One request that was answered, for tests that count."""

    system: str
    method: str
    path: str
    status: int
    seconds: float


class Endpoints:
    """A unit's running servers. A context manager; `stop()` frees ports, threads and files.

    `apps`: {system: its stand-in}, whose `habits` and account may be changed while it runs. `log` remembers the latest
    requests.
    """

    def __init__(self, folder: Path, apps: dict[str, Any], sockets: dict[str, socket.socket]) -> None:
        self.folder = folder
        self.unit = unit(read_state(folder).unit)
        self.apps = apps
        self.log: deque[Seen] = deque(maxlen=_REMEMBERED)
        self._ports = {sock.getsockname()[1]: system for system, sock in sockets.items()}
        self._urls = {system: f"http://{HOST}:{port}" for port, system in self._ports.items()}
        config = uvicorn.Config(
            self._dispatch, interface="asgi3", lifespan="off", log_level="warning", access_log=False, date_header=False,
            server_header=False, proxy_headers=False, timeout_keep_alive=75)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": list(sockets.values())}, name="vendors", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the simulated vendors did not start; see the log above")
            time.sleep(0.01)
        for system, app in apps.items():
            app.start(self._urls[system])

    async def _dispatch(self, scope: Any, receive: Any, send: Any) -> None:
        """Which vendor was called is told by the port. Remembers the request."""
        system = self._ports[scope["server"][1]]
        started = time.perf_counter()

        async def remembering(message: Any) -> None:
            if message["type"] == "http.response.start":
                taken = time.perf_counter() - started
                self.log.append(Seen(system, scope["method"], scope["path"], message["status"], taken))
            await send(message)

        await self.apps[system](scope, receive, remembering)

    def __enter__(self) -> Endpoints:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving. Safe to call twice."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(timeout=10)
        for app in self.apps.values():
            app.close()

    @property
    def salesforce(self) -> Any:
        """Salesforce's stand-in."""
        return self.apps["salesforce"]

    @property
    def netsuite(self) -> Any:
        """NetSuite's stand-in."""
        return self.apps["netsuite"]

    @property
    def salesforce_url(self) -> str:
        """Salesforce's base URL: login host and instance in one."""
        return self._urls["salesforce"]

    @property
    def netsuite_url(self) -> str:
        """NetSuite's base URL."""
        return self._urls["netsuite"]

    @property
    def urls(self) -> dict[str, str]:
        """{system: base URL}."""
        return dict(self._urls)

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        """{connection: {secret: value}} with the names of source.yml, for every way to authenticate."""
        return secrets(self.folder)

    def environment(self) -> dict[str, str]:
        """`TIEOUT_SECRET_<CONNECTION>__<NAME>` for all secrets."""
        return environment(self.folder)

    def connections(self) -> dict[str, dict[str, Any]]:
        """{name: connection} as in tieout.yml."""
        return {
            self.unit.connection(system): {**app.connection(self._urls[system], self.unit), **self._of_unit}
            for system, app in self.apps.items()
        }

    @property
    def _of_unit(self) -> dict[str, str]:
        return {} if self.unit.name == FIRST else {"unit": self.unit.name}

    def tieout_yml(self, path: Path) -> Path:
        """Write a `tieout.yml` with the unit's connections."""
        return tieout_yml(path, [self])


def start(
    folder: Path,
    *,
    habits: Habits | None = None,
    ports: Mapping[str, int] | None = None,
    **accounts: Any,
) -> Endpoints:
    """Serve a folder in a thread of this process. A port of 0, or none, is a free one.

    `accounts`: {system: switches of that vendor's edition, see `habits`}.
    """
    of = unit(read_state(folder).unit)
    if strange := set(accounts) - set(of.systems):
        raise ValueError(f"{of.name} has no {', '.join(sorted(strange))}: its systems are {', '.join(of.systems)}")
    ports = ports or {}
    sockets = {system: _listen(ports.get(system, 0)) for system in of.systems}
    keys, clock, habits = credentials(folder), Clock(folder), habits or Habits()
    apps = {
        system: systems.serves(system)(folder, keys[system], accounts.get(system), habits, clock)
        for system in of.systems
    }
    return Endpoints(folder, apps, sockets)


def main(folders: Iterable[Path], ports: Mapping[str, int] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; prints the addresses. For `python -m simulator serve`.

    `ports`: {connection: port}.
    """
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with start_all(folders, ports) as running:
        for endpoints in running:
            for system, url in endpoints.urls.items():
                print(f"{endpoints.unit.connection(system):<26} {url}", flush=True)
        done.wait()


@contextmanager
def start_all(folders: Iterable[Path], ports: Mapping[str, int] | None = None) -> Iterator[list[Endpoints]]:
    """Serve several folders, each with a thread of its own. `ports`: {connection: port}."""
    with ExitStack() as stack:
        running = []
        for folder in folders:
            of = unit(read_state(folder).unit)
            given = {system: (ports or {}).get(of.connection(system), 0) for system in of.systems}
            running.append(stack.enter_context(start(folder, ports=given)))
        yield running


def secrets(folder: Path) -> dict[str, dict[str, str]]:
    """{connection: {secret: value}} of a folder, whether it is served or not."""
    of = unit(read_state(folder).unit)
    return {
        of.connection(system): {name: keys[name] for name in systems.serves(system).secret_names if name in keys}
        for system, keys in credentials(folder).items()
    }


def environment(folder: Path) -> dict[str, str]:
    """The same secrets as environment variables."""
    return {
        f"TIEOUT_SECRET_{connection}__{name}".upper(): value
        for connection, values in secrets(folder).items() for name, value in values.items()
    }


def tieout_yml(path: Path, running: Iterable[Endpoints]) -> Path:
    """Write a `tieout.yml` with the connections of all units that run."""
    found = {name: connection for endpoints in running for name, connection in endpoints.connections().items()}
    company = {
        "version": 1, "group": {"currency": "USD", "fiscal_year_start_month": 1}, "connections": found,
    }
    yaml = YAML()
    yaml.width = 120
    with path.open("w", encoding="utf-8") as file:
        file.write("# A simulated company: written when its stand-in vendors start.\n")
        yaml.dump(company, file)
    return path


def _listen(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    return sock

