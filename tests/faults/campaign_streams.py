"""Random histories of vendors' changes, landed by random schedules, held against a model: see docs/faults-streams.md.

A failing history is shortened, step by step, while it still fails, and printed with its seed.
"""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import get_context

import psycopg
from fsspec.implementations.memory import MemoryFileSystem

from tests.conftest import clear_settings, demo_company, open_folder
from tests.faults.outcome import Outcome, Tell
from tests.faults.stream_drive import Broken, Drive, permuted
from tests.faults.stream_history import History, random_history
from tieout import localpg
from tieout.landing import land, parents, windows
from tieout.warehouse import connect, migrate

NIGHTLY, SHORT = 2_000, 60
FRESH_EVERY = 40  # histories; then the tables are emptied, so that they stay small
ATTEMPTS = 40  # to shorten one failing history
PART, AT_ONCE = 125, 4  # histories in one process, and how many processes
MOST_FAILURES = 4  # in one part


def run(count: int, seed: int, tell: Tell) -> Outcome:
    """Plan `count` histories from `seed`. A long form runs in parts, some at once: a load waits more than it works."""
    parts = [range(start, min(start + PART, count)) for start in range(0, count, PART)]
    if len(parts) == 1:
        return part(seed, parts[0], tell)
    outcome, facts = Outcome("streams", seed), Counter()
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(part, seed, numbers) for numbers in parts]):
            found = done.result()
            outcome.tried += found.tried
            outcome.failures += found.failures
            outcome.kinds = dict(Counter(outcome.kinds) + Counter(found.kinds))
            facts += Counter(found.facts)
            tell(f"{outcome.tried:,} histories, {facts['loads']:,} loads, {len(outcome.failures)} not survived")
            for line in found.failures:
                tell(line)
    outcome.facts = dict(facts)
    return outcome


def part(seed: int, numbers: range, tell: Tell = print) -> Outcome:
    """The histories of these numbers, in a warehouse of their own. Stops after MOST_FAILURES failures."""
    outcome = Outcome("streams", seed)
    facts: Counter[str] = Counter()
    with warehouse() as world:
        for number in numbers:
            if number % FRESH_EVERY == 0:
                world.empty()
            history = random_history(f"{seed}.{number}")
            drive, broken = world.attempt(history)
            outcome.tried += 1
            for kind, times in drive.kinds.items():
                outcome.kinds[kind] = outcome.kinds.get(kind, 0) + times
            facts["loads"] += drive.loaded
            facts["changes"] += len(drive.vendor.documents.events) + len(drive.vendor.lines.events)
            facts[f"{history.family} histories"] += 1
            if broken:
                outcome.failures.append(world.shortened(history, broken))
                tell(outcome.failures[-1])
                if len(outcome.failures) == MOST_FAILURES:
                    break
    outcome.facts = dict(facts)
    return outcome


class World:
    """The warehouse of a campaign, and a way to try a history in it."""

    def __init__(self, db: psycopg.Connection) -> None:
        self._db = db
        self._names = 0
        company = demo_company()
        self._connections = {"flag": company.connection("salesforce")}
        self._netsuite = company.connection("netsuite")

    def empty(self) -> None:
        """Empty raw and ops, and the archive."""
        with connect("owner", autocommit=True) as owner:
            tables = owner.execute("select format('%I.%I', schemaname, tablename) from pg_tables "
                                   "where schemaname in ('raw', 'ops') and tablename <> 'break_event'").fetchall()
            owner.execute(f"truncate {', '.join(name for (name,) in tables)} cascade")
        MemoryFileSystem.store.clear()

    def attempt(self, history: History) -> tuple[Drive, str | None]:
        """Drive the history under a fresh connection; what broke, or None."""
        drive = Drive(history, self._fresh(history), self._db, _guard)
        try:
            drive.run()
            if history.family in ("flag", "feed", "notice") and hash_of(history) % 5 == 0:
                permuted(drive, self._fresh(history))
        except Broken as broken:
            return drive, str(broken)
        except Exception as error:  # noqa: BLE001 - whatever it is, the history did not survive
            return drive, f"{type(error).__name__}: {error}\n{''.join(traceback.format_tb(error.__traceback__)[-3:])}"
        finally:
            _guard(80)
        return drive, None

    def shortened(self, history: History, broken: str) -> str:
        """The failure with the shortest history that was found to fail."""
        attempts, size = 0, max(len(history.steps) // 2, 1)
        while attempts < ATTEMPTS:
            for start in range(0, len(history.steps), size):
                attempts += 1
                shorter = history.without(start, size)
                with suppress(ValueError):
                    _, now_broken = self.attempt(shorter)
                    if now_broken:
                        history, broken = shorter, now_broken
                        break
            else:
                if size == 1:
                    break
                size //= 2
        return f"{broken}\n{history}"

    def _fresh(self, history: History) -> object:
        self._names += 1
        return self._connections.get(history.family, self._netsuite).model_copy(update={"name": f"s{self._names}"})


def hash_of(history: History) -> int:
    """A number that the seed alone decides."""
    return sum(map(ord, history.seed))


def _guard(percent: int) -> None:
    os.environ["TIEOUT_RELOAD_GUARD_PCT"] = str(percent)
    clear_settings()


class _Kept:
    """Stands in for `connect`: sessions are used again, because thousands of logins cost more than the loads."""

    def __init__(self) -> None:
        self._idle: list[psycopg.Connection] = []

    @contextmanager
    def __call__(self, role: str, *, autocommit: bool = False, application: str = "") -> Iterator[psycopg.Connection]:
        assert role == "loader"
        db = self._idle.pop() if self._idle else connect("loader")
        db.autocommit = autocommit
        with db.transaction() if not autocommit else nullcontext():
            yield db
        self._idle.append(db)

    def close(self) -> None:
        for db in self._idle:
            db.close()


@contextmanager
def _sessions_kept() -> Iterator[None]:
    kept = _Kept()
    before = {module: module.connect for module in (land, parents, windows)}
    for module in before:
        module.connect = kept
    try:
        yield
    finally:
        for module, own in before.items():
            module.connect = own
        kept.close()


@contextmanager
def warehouse() -> Iterator[World]:
    """A Postgres of its own. Commits do not wait for the disk and the archive is in memory: nothing crashes here."""
    with open_folder() as home:
        localpg.start(home)
        before = dict(os.environ)
        try:
            os.environ |= {**localpg.environment(home), "TIEOUT_HOME": str(home),
                           "TIEOUT_ARCHIVE_URL": "memory://tieout-streams"}
            clear_settings()
            migrate(demo_company())
            with _superuser(home) as root:
                root.execute("alter system set fsync = off")
                root.execute("alter system set synchronous_commit = off")
                root.execute("select pg_reload_conf()")
            with connect("loader", autocommit=True) as db, _sessions_kept():
                yield World(db)
        finally:
            os.environ.clear()
            os.environ.update(before)
            clear_settings()
            MemoryFileSystem.store.clear()
            localpg.stop(home)


def _superuser(home: object) -> psycopg.Connection:
    folder = home / "pg"
    return psycopg.connect(host="127.0.0.1", port=(folder / "port").read_text(), user="postgres", dbname="tieout",
                           password=(folder / "superuser").read_text(), autocommit=True)
