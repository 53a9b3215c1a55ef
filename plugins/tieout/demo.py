"""The demo: simulated business units, their vendors' stand-ins, and the real DAGs, run in this one process.

Everything lives under `.tieout/demo`. What exists is continued from: a second run lands what is new, which is nothing
until the company's clock advances. The simulator is imported here and in `scratch.py`, inside functions, and nowhere
else.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tieout import airflow_home, airflow_support, dag_words, localpg, place, settings, stack
from tieout.errors import ConfigError, TieoutError
from tieout.progress import timed

VENDORS = "vendors"
VENDORS_SECONDS = 60


class DemoError(TieoutError):
    """A DAG of the demo did not succeed. Names the task and the log."""

    exit_code = 10


@dataclass(frozen=True)
class Ran:
    """What the demo's DAG runs yielded. `dags`: state of each DAG's run, in the order in which they ran."""

    dags: dict[str, str]
    now: datetime
    log: Path
    seconds: float


def run(home: Path, *, seed: int, size: str, level: int, days: int = 0, units: Sequence[str] = ()) -> Ran:
    """Prepare what is missing, let `days` pass, run the landing DAGs and `revenue`.

    `units`: business units to have; all unless given. Those that exist already stay.

    Raises DemoError with the failed task and the path of the log; TieoutError where a part does not start.
    """
    begun = time.monotonic()
    here = place.demo(home)
    with timed("warehouse") as step:
        place.enter(here)
        step.facts = localpg.status(home)
    prepare(home, seed=seed, size=size, level=level, days=days, units=units)
    with vendors(home), quiet(home / "logs" / "demo.log") as log:
        _warehouse_tables()
        dags = _airflow(home)
        now = simulated_now(home)
        order = [*map(dag_words.land_dag_id, settings.settings().company.connections), dag_words.REVENUE_DAG]
        states = {dag_id: _run_dag(dags[dag_id], now, log) for dag_id in order}
    return Ran(states, now, log, time.monotonic() - begun)


def simulated_now(home: Path) -> datetime:
    """The companies' clock, aware, UTC."""
    now = place.simulated_now(home)
    if now is None:
        raise ConfigError("there is no simulated company yet", hint="run `make demo` first")
    return now


def prepare(
    home: Path, *, seed: int = 42, size: str = "1k", level: int = 2, days: int = 0, units: Sequence[str] = ()
) -> None:
    """Generate the units' companies unless they exist, and let `days` pass. A unit that joins later has their clock."""
    if days:
        simulated_now(home)
    _move_in(home / "company")
    from simulator.units import UNITS, unit  # noqa: TID251 - the demo makes the companies

    try:
        wanted = [unit(name).name for name in units] or list(UNITS)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    known = place.companies(home)
    clock = place.simulated_now(home)
    for name in [*known, *(name for name in wanted if name not in known)]:
        _company(home / "company" / name, name, seed, size, level, clock, days)


@contextmanager
def vendors(home: Path) -> Iterator[None]:
    """The vendors' stand-ins in a process of their own, for the duration; this process gets the connections' secrets.

    Joins those of `tieout up` where they run.
    """
    if any(each.name == VENDORS for each in stack.running(home)):
        settings.apply(settings.read_env_file(home / "vendors.env"))
        yield
        return
    with timed("vendors") as step:
        process = start_vendors(home)
        step.facts = ", ".join(settings.settings().company.connections)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        _reap(process.pid)
        stack.forget(home, VENDORS)


def start_vendors(home: Path) -> stack.Started:
    """Start the stand-ins and wait until `tieout.yml` and the secrets say where they listen."""
    ready = home / "vendors.env"
    ready.unlink(missing_ok=True)
    started = stack.start(home, VENDORS, (sys.executable, "-m", "tieout.demo", str(home)), {})
    give_up = time.monotonic() + VENDORS_SECONDS
    while not ready.is_file():
        if not stack.running(home):
            raise DemoError("the vendors' stand-ins ended while starting", hint=f"see {home / 'logs' / 'vendors.log'}")
        if time.monotonic() > give_up:
            raise DemoError("the vendors' stand-ins do not answer", hint=f"see {home / 'logs' / 'vendors.log'}")
        time.sleep(0.05)
    settings.apply(settings.read_env_file(ready))
    return started


def serve(home: Path) -> None:
    """Serve the companies until TERM or INT; `tieout.yml` and `vendors.env` (0600) appear when it is ready."""
    from simulator import serve as simulator  # noqa: TID251 - the demo starts the stand-ins

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with simulator.start_all(place.companies(home).values(), _remembered_ports(home)) as running:
        ports = {
            endpoints.unit.connection(system): int(url.rpartition(":")[2])
            for endpoints in running for system, url in endpoints.urls.items()
        }
        (home / "vendors.json").write_text(json.dumps(ports), encoding="utf-8")
        simulator.tieout_yml(home / "tieout.yml", running)
        known = {name: value for endpoints in running for name, value in endpoints.environment().items()}
        lines = [f"{name}={value}".replace("\n", "\\n") for name, value in known.items()]
        half = home / "vendors.env.half"
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as handle:
            handle.write("\n".join(lines) + "\n")
        half.replace(home / "vendors.env")
        stop.wait()


def _remembered_ports(home: Path) -> dict[str, int]:
    """The ports of last time where they are still free: a `tieout.yml` that does not change rebuilds nothing."""
    path = home / "vendors.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {connection: port for connection, port in known.items() if stack.is_free(port)}


def _company(
    folder: Path, name: str, seed: int, size: str, level: int, clock: datetime | None, days: int
) -> None:
    """Generate a unit's company up to `clock`, or let days pass in it."""
    from simulator import company, store  # noqa: TID251 - the demo makes the companies

    with timed("company", name) as step:
        if (folder / "state.json").is_file():
            verb = f"{days} day{'s' if days > 1 else ''} passed" if days else "exists"
        else:
            state = company.generate(folder, seed=seed, size=size, level=level, of=name)
            began = datetime.fromisoformat(state.now).replace(tzinfo=UTC)
            days += (clock - began).days if clock else 0
            verb = "generated"
        if days:
            company.advance(folder, days=days)
        facts = store.read_state(folder)
        step.facts = f"{verb}: {facts.size} orders, seed {facts.seed}, level {facts.level}; now {facts.now} UTC"


def _move_in(folder: Path) -> None:
    """The company of a demo that was made before there were units is the first unit's."""
    from simulator.units import FIRST  # noqa: TID251

    if (folder / "state.json").is_file():
        aside = folder.with_name("company.first")
        folder.rename(aside)
        folder.mkdir()
        aside.rename(folder / FIRST)


def _warehouse_tables() -> None:
    from tieout.warehouse import migrate

    with timed("tables") as step:
        step.facts = f"{len(migrate())} migrations and tables"


def _airflow(home: Path) -> dict[str, object]:
    """Airflow's metadata in the same Postgres, its schema made once; the DAGs as Airflow loads them."""
    ports = settings.settings()
    settings.apply(airflow_home.variables(home, port=ports.airflow_port, log_port=ports.airflow_log_port))
    with timed("airflow") as step:
        revision = airflow_metadata(home)
        dags = airflow_support.load_dags(settings.ROOT / "dags")
        airflow_support.ensure_pools(dag_words.pool(name) for name in settings.settings().company.connections)
        step.facts = f"metadata at {revision}, {len(dags)} DAGs"
    return dags


def airflow_metadata(home: Path) -> str:
    """Make or upgrade Airflow's schema unless it is known to be current; `db migrate` costs seconds even then."""
    from importlib.metadata import version

    known = home / "airflow" / "schema"
    current = airflow_support.metadata_revision()
    if current and known.is_file() and known.read_text(encoding="utf-8") == f"{version('apache-airflow')} {current}":
        return current
    current = airflow_support.migrate_metadata()
    known.write_text(f"{version('apache-airflow')} {current}", encoding="utf-8")
    return current


def _run_dag(dag: object, now: datetime, log: Path) -> str:
    """Run one DAG for the interval that holds the simulated now. Retries are off: the reader sees the first failure."""
    dag_id = dag.dag_id
    with timed("dag", dag_id) as step:
        # The interval must end at or after now: landing never asks for more than the vendor's own now.
        whole_hour = now.replace(minute=0, second=0, microsecond=0)
        end = whole_hour if whole_hour == now else whole_hour + timedelta(hours=1)
        states = airflow_support.run_dag(dag, end)
        failed = [task for task, state in states.items() if task and state == "failed"]
        step.facts = f"{sum(state == 'success' for task, state in states.items() if task)} tasks succeeded"
        if states[""] != "success":
            raise DemoError(f"{dag_id}: task {', '.join(failed) or '?'} failed", hint=f"the whole log is in {log}")
    return states[""]


@contextmanager
def quiet(log: Path) -> Iterator[Path]:
    """Send what this process prints to a file: Airflow writes hundreds of lines. Progress has its own copy."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(number) for number in (1, 2)]
    with log.open("ab") as output:
        for number in (1, 2):
            os.dup2(output.fileno(), number)
    try:
        yield log
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
