"""A small company, its stand-in vendors, a Postgres of its own, and copies of the warehouse before each step.

The company has a day behind it that is landed, built and published, and a day before it: the input of every trial (in
the short form the first day itself). The copies (`before_<step>`, `after_<step>`) come from an undisturbed run; a trial
starts from one and is compared with another.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.conftest import ROOT, open_folder
from tests.faults.crash_content import Said, differences, said
from tieout import localpg, settings

DATABASE = "tieout"
ORDERS = 80
HANGS_AFTER = 300  # seconds; a job takes at most a tenth of that on a busy machine
# In the order of a day. Each works on what the one before left.
STEPS = ("land", "check_landing", "build", "check_marts", "publish")
SHORT_STEPS = ("land", "build", "check_marts", "publish")  # the gate is known from the marts
FIRST_LANDING = "first_landing"  # `land` into an empty warehouse
REPEATED = "after_repeated"  # the build, and the same once more under its run id
AGAIN = "after_again"  # the day was built, and then a whole new run followed, of nothing new


class Hung(Exception):
    """A job that neither ended nor died."""


class Runner:
    """The process that forks one child per job. See crash_runner."""

    def __init__(self, home: Path) -> None:
        self._log = (home / "runner.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crash_runner"], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._log, env=settings.child_environment(
                PYTHONPATH=f"{ROOT / 'plugins'}{os.pathsep}{ROOT}", PYTHONDONTWRITEBYTECODE="1"))
        self._hear(HANGS_AFTER)

    def do(self, step: str, **job: Any) -> dict[str, Any]:
        """Do a step in a child of its own; what became of it. Raises Hung."""
        self._process.stdin.write(json.dumps({"step": step, **job}).encode() + b"\n")
        self._process.stdin.flush()
        pid = self._hear(HANGS_AFTER)["pid"]
        try:
            return self._hear(HANGS_AFTER)
        except Hung:
            os.killpg(pid, signal.SIGKILL)
            self._hear(HANGS_AFTER)
            raise

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._log.close()

    def _hear(self, seconds: float) -> dict[str, Any]:
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        if not ready:
            raise Hung(f"no answer within {seconds} s")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the runner died; see {self._log.name}")
        return json.loads(line)


class World:
    """Where trials happen."""

    def __init__(self, home: Path, runner: Runner | None, *, short: bool = False) -> None:
        self.home, self.runner, self.short = home, runner, short
        self.archive = home / "archive"
        self.points: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.arguments: dict[str, dict[str, Any]] = {}
        self._said: dict[str, Said] = {}

    def keep(self, name: str) -> None:
        """Copy the warehouse and its archive as they stand."""
        with self._superuser() as server:
            _alone(server)
            server.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
            server.execute(sql.SQL("create database {} template {} owner tieout_owner").format(
                sql.Identifier(name), sql.Identifier(DATABASE)))
        _linked(self.archive, self.home / "archives" / name)

    def restore(self, name: str) -> None:
        """Make the warehouse and its archive what they were. Whoever still works there is thrown out."""
        _linked(self.home / "archives" / name, self.archive)
        with self._superuser() as server:
            server.execute(f"drop database if exists {DATABASE} with (force)")
            server.execute(sql.SQL("create database {} template {} owner tieout_owner").format(
                sql.Identifier(DATABASE), sql.Identifier(name)))
            for role in settings.ROLE_NAMES.values():
                server.execute(f"grant connect, temporary on database {DATABASE} to {role}")
            # A copied sequence believes that its next values are in the log already: after a crash it would draw them
            # again. A checkpoint makes it log the next one.
            server.execute("checkpoint")

    def look(self, name: str = DATABASE) -> psycopg.Connection:
        """A connection that may read everything there."""
        return self._superuser(name)

    def differences(self, name: str, *, repeated_build: bool = False) -> list[str]:
        """Between the copy `name`, which nobody writes to, and the warehouse."""
        with ExitStack() as stack:
            expected, found = stack.enter_context(self.look(name)), stack.enter_context(self.look())
            repeated = stack.enter_context(self.look(REPEATED)) if repeated_build and not self.short else None
            return differences(expected, found, self.said(name), repeated)

    def said(self, name: str) -> Said:
        """What the copy `name` says."""
        if name not in self._said:
            with self.look(name) as db:
                self._said[name] = said(db)
        return self._said[name]

    def prepare(self, name: str) -> None:
        """Make the copies of FIRST_LANDING, REPEATED or AGAIN, which only some trials need."""
        if name == REPEATED and REPEATED not in self._said and not self.short:
            self.restore("after_build")
            self.must("build", **self.arguments["build"])
            self.keep(REPEATED)
            self.said(REPEATED)
        if name == AGAIN and AGAIN not in self._said:
            self.restore("before_check_marts")
            self.must("revenue")
            self.keep(AGAIN)
            self.said(AGAIN)
        if name == FIRST_LANDING and FIRST_LANDING not in self.points:
            self.restore(f"before_{FIRST_LANDING}")
            self.measure("land", FIRST_LANDING)

    def measure(self, step: str, name: str) -> None:
        """Do a step undisturbed, count its points, and copy what it left as `after_<name>`."""
        done = self.must(step, **self.arguments.get(step, {}))
        self.points[name], self.seconds[name] = done["points"], done["seconds"]
        self.keep(f"after_{name}")

    def files(self) -> set[Path]:
        """What lies in the archive."""
        return {path for path in self.archive.rglob("*") if path.is_file()}

    def must(self, step: str, **arguments: Any) -> dict[str, Any]:
        """Do a step undisturbed."""
        done = self.runner.do(step, arguments=arguments)
        if done.get("exit_code") != 0:
            raise RuntimeError(f"{step} failed undisturbed: {done}")
        return done

    def _superuser(self, name: str = "postgres") -> psycopg.Connection:
        password = (self.home / "pg" / "superuser").read_text(encoding="utf-8")
        return psycopg.connect(
            host="127.0.0.1", port=int((self.home / "pg" / "port").read_text()), user="postgres", password=password,
            dbname=name, autocommit=True, connect_timeout=20, options="-c TimeZone=UTC")


def _without_fsync(home: Path) -> None:
    """The kernel outlives every kill of these campaigns, and with it what Postgres wrote: only a power cut would lose
    it. Copies of a database cost a tenth.
    """
    with World(home, None).look("postgres") as server:
        server.execute("alter system set fsync = off")
        server.execute("select pg_reload_conf()")


def arguments_of(step: str, world: World, run_id: int) -> dict[str, Any]:
    """What a step is called with: the landing's check with the newest landing run, the rest with the revenue run. Each
    landing's check looks at everything that no build has consumed yet.
    """
    if step in ("land", "open_run", "revenue"):
        return {}
    if step != "check_landing":
        return {"run_id": run_id}
    with world.look(DATABASE) as db:
        return {"run_id": db.execute(
            "select max(run_id) from ops.run where kind = 'land' and state <> 'running'").fetchone()[0]}


@contextmanager
def world(*, short: bool = False) -> Iterator[World]:
    """Make it, run its two days undisturbed, the second in steps with copies; remove it at the end.

    `short`: the first day alone, in SHORT_STEPS; its build reads everything, so that REPEATED is not needed.
    """
    from simulator import company, serve
    from tieout import place
    from tieout.warehouse import migrate

    before = dict(os.environ)
    with open_folder() as home, _smaller(company):
        company.generate(home / "company", seed=11, size="1k", level=2)
        place.enter(place.demo(home))
        _without_fsync(home)
        try:
            with serve.start(home / "company") as endpoints:
                endpoints.tieout_yml(home / "tieout.yml")
                settings.apply(endpoints.environment())
                migrate()
                runner = Runner(home)
                try:
                    made = World(home, runner, short=short)
                    made.keep(f"before_{FIRST_LANDING}")
                    if not short:
                        made.must("land")
                        made.must("revenue")
                        company.advance(home / "company", days=1)
                    _last_day(made, SHORT_STEPS if short else STEPS)
                    yield made
                finally:
                    runner.close()
        finally:
            localpg.stop(home)
            os.environ.clear()
            os.environ.update(before)
            settings.apply({})


@contextmanager
def _smaller(company: Any) -> Iterator[None]:
    """The smallest company, smaller still: a build must be quick, and the gates must pass."""
    size = company.SIZES["1k"]
    company.SIZES["1k"] = ORDERS
    try:
        yield
    finally:
        company.SIZES["1k"] = size


def _last_day(made: World, steps: Sequence[str]) -> None:
    """The undisturbed run of the input, with a copy before each step and what each step passes."""
    run_id = 0
    for step in steps:
        if step == "build":
            run_id = made.must("open_run")["value"]
        made.arguments[step] = arguments_of(step, made, run_id)
        made.keep(f"before_{step}")
        made.measure(step, step)


def start_again(home: Path) -> float:
    """Start Postgres after it was stopped hard, as its keeper does; seconds."""
    started = time.monotonic()
    variables = localpg.start(home)
    assert variables["TIEOUT_WAREHOUSE_PORT"] == str(settings.warehouse().port), "it came back on another port"
    return time.monotonic() - started


def _linked(source: Path, target: Path) -> None:
    """Replace a folder by a copy of another. Archived files never change: links will do."""
    shutil.rmtree(target, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=os.link)


def _alone(server: psycopg.Connection) -> None:
    """A database can be copied only while nobody is in it."""
    for _ in range(100):
        if not server.execute(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = %s",
                (DATABASE,)).fetchone()[0]:
            return
        time.sleep(0.05)
