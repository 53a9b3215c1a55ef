"""Both stand-in vendors over HTTP: `start(folder)` in a thread, for tests and the demo; `main(folder)` to stand alone.

Each vendor has its own port, and answers at any host name that leads there.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from simulator.credentials import credentials
from simulator.habits import Habits, NetSuiteAccount, SalesforceOrg
from simulator.money import ENTITIES
from simulator.netsuite_api import NetSuiteApi
from simulator.salesforce_api import SalesforceApi
from simulator.served import Clock
from simulator.store import read_state

HOST = "127.0.0.1"
CONNECTIONS = {"salesforce": "salesforce_global", "netsuite": "netsuite_global"}
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
    """Running servers. A context manager; `stop()` frees ports, threads and files.

    `salesforce` and `netsuite` are the apps, whose `habits`, `org` and `account` may be changed while they run.
    `log` remembers the latest requests.
    """

    def __init__(self, folder: Path, apps: dict[str, Any], sockets: dict[str, socket.socket]) -> None:
        self.folder = folder
        self.salesforce: SalesforceApi = apps["salesforce"]
        self.netsuite: NetSuiteApi = apps["netsuite"]
        self.log: deque[Seen] = deque(maxlen=_REMEMBERED)
        self._apps = apps
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

    async def _dispatch(self, scope: Any, receive: Any, send: Any) -> None:
        """Which vendor was called is told by the port. Remembers the request."""
        system = self._ports[scope["server"][1]]
        started = time.perf_counter()

        async def remembering(message: Any) -> None:
            if message["type"] == "http.response.start":
                taken = time.perf_counter() - started
                self.log.append(Seen(system, scope["method"], scope["path"], message["status"], taken))
            await send(message)

        await self._apps[system](scope, receive, remembering)

    def __enter__(self) -> Endpoints:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving. Safe to call twice."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(timeout=10)
        for app in self._apps.values():
            app.close()

    @property
    def salesforce_url(self) -> str:
        """Salesforce's base URL: login host and instance in one."""
        return self._urls["salesforce"]

    @property
    def netsuite_url(self) -> str:
        """NetSuite's base URL."""
        return self._urls["netsuite"]

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        """{connection: {secret: value}} with the names of source.yml, for every way to authenticate."""
        return secrets(self.folder)

    def environment(self) -> dict[str, str]:
        """`TIEOUT_SECRET_<CONNECTION>__<NAME>` for all secrets."""
        return environment(self.folder)

    def tieout_yml(self, path: Path) -> Path:
        """Write a `tieout.yml` with both connections."""
        path.write_text(_tieout_yml(self._urls, self.netsuite.account), encoding="utf-8")
        return path


def start(
    folder: Path,
    *,
    habits: Habits | None = None,
    salesforce: SalesforceOrg | None = None,
    netsuite: NetSuiteAccount | None = None,
    ports: Mapping[str, int] | None = None,
) -> Endpoints:
    """Serve a folder in a thread of this process. A port of 0, or none, is a free one."""
    read_state(folder)
    ports = ports or {}
    sockets = {system: _listen(ports.get(system, 0)) for system in CONNECTIONS}
    keys, clock, habits = credentials(folder), Clock(folder), habits or Habits()
    apps = {
        "salesforce": SalesforceApi(folder, keys["salesforce"], salesforce or SalesforceOrg(), habits, clock),
        "netsuite": NetSuiteApi(folder, keys["netsuite"], netsuite or NetSuiteAccount(), habits, clock),
    }
    return Endpoints(folder, apps, sockets)


def main(folder: Path, ports: Mapping[str, int] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; prints the addresses. For `python -m simulator serve`."""
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with start(folder, ports=ports) as endpoints:
        print(f"Salesforce {endpoints.salesforce_url}\nNetSuite   {endpoints.netsuite_url}", flush=True)
        done.wait()


def secrets(folder: Path) -> dict[str, dict[str, str]]:
    """{connection: {secret: value}} of a folder, whether it is served or not."""
    keys = credentials(folder)
    names = {
        "salesforce": ("consumer_key", "consumer_secret", "username", "private_key"),
        "netsuite": ("consumer_key", "consumer_secret", "token_id", "token_secret", "certificate_id", "private_key"),
    }
    return {CONNECTIONS[system]: {name: keys[system][name] for name in wanted} for system, wanted in names.items()}


def environment(folder: Path) -> dict[str, str]:
    """The same secrets as environment variables."""
    return {
        f"TIEOUT_SECRET_{connection}__{name}".upper(): value
        for connection, values in secrets(folder).items() for name, value in values.items()
    }


def _listen(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    return sock


def _tieout_yml(urls: dict[str, str], account: NetSuiteAccount) -> str:
    entities = {str(entity.number): entity.code for entity in ENTITIES.values()}
    mapped = ", ".join(f'"{number}": {code}' for number, code in entities.items())
    default = next(iter(entities.values()))
    return f"""\
# A simulated company: written when its stand-in vendors start.
version: 1
group: {{currency: USD, fiscal_year_start_month: 1}}
connections:
  {CONNECTIONS["salesforce"]}:
    system: salesforce
    auth: jwt_bearer
    time_zone: UTC
    legal_entity: {default}
    fields:
      Account: {{erp_customer_id: ERP_Customer_ID__c, tax_id: Tax_ID__c}}
      Opportunity: {{selling_entity: Selling_Entity__c}}
      Order: {{erp_order_id: ERP_Order_ID__c}}
    options: {{login_url: "{urls["salesforce"]}"}}
  {CONNECTIONS["netsuite"]}:
    system: netsuite
    auth: tba
    time_zone: {account.time_zone}
    legal_entity: {default}
    legal_entities: {{{mapped}}}
    options: {{account: "{account.account}", base_url: "{urls["netsuite"]}"}}
"""
