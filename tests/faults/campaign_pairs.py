"""Two operations at once, in two processes, on one connection: the end is that of one after the other.

Each pair runs three times from the same state: A then B, B then A, and both at once with seeded offsets and a vendor
that takes its time. Survived: both ended as in one of the orders (the same errors included), every raw table equals
that of one of the orders (content of all current versions), so does the quarantine, the versions and the ledger add up,
nothing hung and Postgres saw no deadlock. A pair counts only when the two really overlapped.

Pairs with a build: landing may commit while dbt reads, so a further build follows in all three runs before the marts
are compared; a build leaves behind its watermark what landed meanwhile, and the next one takes it.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import clear_settings, open_folder
from tests.faults import pairs_vendor
from tests.faults.outcome import Outcome, Tell
from tieout import localpg, settings, steps
from tieout.landing import land, replay
from tieout.landing.archive import _pages_of  # noqa: F401 - imports pyarrow before the forks
from tieout.warehouse import connect, migrate

NIGHTLY = 104
SHORT = 8
BUILDS = 4  # of the long form, at its end: each build costs seconds
PATIENCE = {False: 60.0, True: 600.0}  # seconds for a pair without and with a build
SPREAD = 0.12  # seconds within which the two begin

CONFIG = """\
version: 1
connections:
  netsuite: {system: netsuite, auth: tba, time_zone: America/Los_Angeles, legal_entities: {"1": US01}, currency: USD,
             legal_entity: US01, options: {account: "1234567"},
             streams: [transaction, transactionline, transactionaccountingline, nexttransactionlink, customer, item,
                       account, accountingperiod, subsidiary, currency, deletedrecord]}
  salesforce: {system: salesforce, auth: client_credentials, time_zone: UTC, currency: USD, legal_entity: US01,
               options: {login_url: "http://127.0.0.1:1"}}
"""
FAMILY = ["transaction", "transactionline", "transactionaccountingline"]
SETS = [FAMILY, ["transaction"], ["account"], ["item", "account"], ["nexttransactionlink", "item"], None]
NOT_CONTENT = {"recorded_run", "superseded_run", "row_hash", "batch_id", "knowledge_at"}
OURS = {"_batch_id", "_superseded_batch", "_landed_at"}


@dataclass(frozen=True)
class Operation:
    """One of the two: its kind, the streams it is about, and its seed."""

    kind: str
    streams: tuple[str, ...] | None
    seed: int

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(self.streams) if self.streams else 'all'})"

    @property
    def builds(self) -> bool:
        return self.kind in ("build", "gate", "publish")


@dataclass
class Done:
    """What an operation's process said: its error's class (None: fine), when it began and ended."""

    error: str | None
    detail: str
    began: float
    ended: float


LANDINGS: dict[str, Callable[[Operation, Any], Any]] = {}


def _landing(kind: str) -> Callable[[Callable[[Operation, Any], Any]], Callable[[Operation, Any], Any]]:
    def register(function: Callable[[Operation, Any], Any]) -> Callable[[Operation, Any], Any]:
        LANDINGS[kind] = function
        return function

    return register


@_landing("land")
def _land(operation: Operation, connection: Any) -> None:
    land.land_connection(connection, None, streams=operation.streams, extractor=_vendor(operation))


@_landing("full")
def _full(operation: Operation, connection: Any) -> None:
    land.land_connection(connection, None, streams=operation.streams, full=True, extractor=_vendor(operation))


@_landing("backfill")
def _backfill(operation: Operation, connection: Any) -> None:
    low = pairs_vendor.FIRST - timedelta(days=21)
    land.land_connection(connection, None, streams=operation.streams, start=low, end=pairs_vendor.NOW, backfill=True,
                         extractor=_vendor(operation))


@_landing("archive")
def _archive(operation: Operation, connection: Any) -> None:
    with connect("loader") as db:
        batches = [row[0] for row in db.execute(
            "select batch_id from ops.load where connection = 'netsuite' and state = 'committed' and batch_id <= "
            "(select max(batch_id) from pair_base) and archive_uri is not null and mode <> 'archive' "
            "and (%(s)s::text[] is null or stream = any(%(s)s))",
            {"s": list(operation.streams) if operation.streams else None})]
    land.reland(connection, batches)


@_landing("replay")
def _replay(operation: Operation, connection: Any) -> None:
    for stream in operation.streams or ("item", "account"):
        replay.replay("netsuite", stream)


def _vendor(operation: Operation) -> pairs_vendor.Vendor:
    return pairs_vendor.Vendor(seed=operation.seed)


def perform(operation: Operation) -> None:
    """Do it, in this process, on the database of the environment."""
    connection = settings.settings().company.connection("netsuite")
    if operation.kind in LANDINGS:
        LANDINGS[operation.kind](operation, connection)
    elif operation.kind == "build":
        steps.build(_run("build", operation.seed))
    elif operation.kind == "gate":
        from tieout.quality import gate

        gate.check("marts", _built())  # its verdict on this little company does not matter; that there is one does
    else:
        steps.publish(_built())


def _built() -> int:
    with connect("loader") as db:
        return db.execute("select run_id from pair_run where word = 'built'").fetchone()[0]


def _run(word: str, seed: int) -> int:
    """The run that was opened for this build before the pair began: the same in every order."""
    with connect("loader") as db:
        return db.execute("select run_id from pair_run where word = %s", (f"{word}{seed}",)).fetchone()[0]


# --- the plan ---------------------------------------------------------------------------------------------------------


def plan(chance: random.Random, with_build: bool) -> tuple[Operation, Operation]:
    """Two operations, at least one of them a landing or both builds."""
    if with_build:
        kind = chance.choice(["build", "build", "build", "gate", "publish"])
        other = chance.choice(["land", "full", "replay", "build", "archive"])
        seeds = chance.sample(range(1, 3), 2)
        return Operation(kind, None, seeds[0]), _operation(chance, other, seeds[1])
    return tuple(_operation(chance, chance.choice([*LANDINGS, "land"])) for _ in range(2))


def _operation(chance: random.Random, kind: str, seed: int | None = None) -> Operation:
    streams = chance.choice([*SETS, ["transactionline"], ["deletedrecord"]])
    if kind == "replay":
        streams = chance.choice([["item"], ["account"], ["item", "account"]])
    if kind == "build":
        streams = None
    return Operation(kind, tuple(streams) if streams else None, chance.randrange(1 << 16) if seed is None else seed)


# --- processes --------------------------------------------------------------------------------------------------------


def together(operations: list[Operation], offsets: list[float], patience: float) -> list[Done | None]:
    """Each operation in a process of its own, begun at its offset; None for one that had not ended in time."""
    start = time.monotonic() + 0.05
    children = [_fork(each, start + offset) for each, offset in zip(operations, offsets, strict=True)]
    found: list[Done | None] = []
    for pid, pipe in children:
        left = start + patience - time.monotonic()
        ready = select.select([pipe], [], [], max(0.0, left))[0]
        text = b""
        while ready and (block := os.read(pipe, 65536)):
            text += block
        os.close(pipe)
        if not text:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        found.append(Done(**json.loads(text)) if text else None)
    return found


def _fork(operation: Operation, at: float) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        os.close(reading)
        time.sleep(max(0.0, at - time.monotonic()))
        done = Done(None, "", time.monotonic(), 0.0)
        try:
            perform(operation)
        except Exception as error:  # noqa: BLE001 - said to the parent, who judges
            done.error, done.detail = type(error).__name__, traceback.format_exc()[-3000:]
        done.ended = time.monotonic()
        os.write(writing, json.dumps(vars(done)).encode())
        code = 0
    finally:
        os._exit(code)


# --- warehouses -------------------------------------------------------------------------------------------------------


class Bench:
    """A server with templates of the state before a pair (landed; landed and built), and the one database of pairs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._built = False
        self._variables = localpg.start(home)
        (home / "tieout.yml").write_text(CONFIG, encoding="utf-8")
        settings.apply({**self._variables, "TIEOUT_HOME": str(home), "TIEOUT_CONFIG": str(home / "tieout.yml"),
                        "TIEOUT_WAREHOUSE_DATABASE": "pair", "TIEOUT_DBT_THREADS": "1"})
        # Nothing crashes here: what costs time for that is off.
        self._server("alter system set fsync = off", "alter system set synchronous_commit = off",
                     "alter system set full_page_writes = off", "alter system set autovacuum = off",
                     "select pg_reload_conf()", "create database pair owner tieout_owner")
        self._open_doors()
        migrate()
        self._first_landing()
        self._plant()
        self._server("alter database pair rename to landed")

    def fresh(self, *, marts: bool) -> None:
        """The database as it was before a pair. The marts are built when the first pair asks for them."""
        if marts and not self._built:
            self._fresh("landed")
            run_id = steps.open_run("revenue", logical_at=pairs_vendor.FIRST)
            steps.build(run_id)
            self._remember("built", run_id)
            self._pass_gate(run_id)
            for number in (1, 2, 3):  # for the builds of a pair, and for the one that settles
                self._remember(f"build{number}", steps.open_run("revenue", logical_at=pairs_vendor.NOW))
            self._server("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'pair'",
                         "alter database pair rename to built")
            self._built = True
        self._fresh("built" if marts else "landed")

    def _fresh(self, template: str) -> None:
        roles = ", ".join(settings.ROLE_NAMES.values())
        self._server("drop database if exists pair with (force)",
                     f"create database pair template {template} owner tieout_owner",
                     f"grant connect, temporary on database pair to {roles}")

    def deadlocks(self) -> int:
        """How many Postgres has seen in the pair's database."""
        with connect("owner") as db:
            return db.execute("select deadlocks from pg_stat_database where datname = 'pair'").fetchone()[0]

    def _first_landing(self) -> None:
        company = settings.settings().company
        for name in company.connections:
            vendor = pairs_vendor.Vendor(now=False, pace=0)
            land.land_connection(company.connection(name), None, extractor=vendor)

    def _plant(self) -> None:
        """The quarantined records were mended: replaying them lands them. And which batches there are."""
        with connect("owner") as db:
            mended = db.execute("update ops.quarantine set payload = replace(payload, '\"?\"', '\"F\"') "
                                "where status = 'open'").rowcount
            assert mended == 2, mended
            db.execute("create table pair_base as select batch_id from ops.load where state = 'committed'")
            db.execute("create table pair_run (word text, run_id bigint)")
            db.execute("grant usage on schema public to public")
            db.execute("grant select on pair_base, pair_run to public")

    def _remember(self, word: str, run_id: int) -> None:
        with connect("owner") as db:
            db.execute("insert into pair_run values (%s, %s)", (word, run_id))

    def _pass_gate(self, run_id: int) -> None:
        with connect("transformer") as db:
            db.execute("insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed) "
                       "values (%s, 'marts', 'gate', 'all_declared_evaluated', 'critical', true)", (run_id,))

    def _open_doors(self) -> None:
        from tieout.warehouse import bootstrap

        bootstrap(self._dsn(), database="pair", passwords={
            role: self._variables[f"TIEOUT_WAREHOUSE_{role.upper()}_PASSWORD"] for role in settings.ROLES})

    def _server(self, *statements: str) -> None:
        with psycopg.connect(self._dsn(), autocommit=True) as db:
            for statement in statements:
                db.execute(statement)

    def _dsn(self) -> str:
        at = settings.warehouse()
        password = (self.home / "pg" / "superuser").read_text(encoding="utf-8")
        return f"host={at.host} port={at.port} user=postgres password={password} dbname=postgres"


@contextmanager
def bench() -> Iterator[Bench]:
    """A bench in a folder of its own; settings are forgotten afterwards."""
    before = dict(os.environ)
    with open_folder() as home:
        try:
            yield Bench(home)
        finally:
            localpg.stop(home)
            os.environ.clear()
            os.environ.update(before)
            clear_settings()


# --- what came of it --------------------------------------------------------------------------------------------------


def contents(with_marts: bool) -> dict[str, str]:
    """{table: digest of its content}: current versions in raw, open and settled quarantine, current marts."""
    found = {}
    with connect("owner") as db:
        db.execute("set role none")
        for schema, table in _tables(db, ("raw",)):
            found[f"{schema}.{table}"] = _digest(db, schema, table, "_superseded_batch is null", OURS)
        found["quarantine"] = _digest_of(db, "select concat_ws('|', stream, record_key, reason_code, status) as row_ "
                                             "from ops.quarantine where status = 'open'")
    if with_marts:
        with connect("transformer") as db:
            for schema, table in _tables(db, ("marts",)):
                versioned = db.execute(
                    "select count(*) from information_schema.columns where table_schema = %s and table_name = %s "
                    "and column_name = 'superseded_run'", (schema, table)).fetchone()[0]
                where = "superseded_run = 9223372036854775807" if versioned else "true"
                found[f"{schema}.{table}"] = _digest(db, schema, table, where, NOT_CONTENT)
    return found


def unsound() -> list[str]:
    """What does not add up, whatever the order: versions against the ledger, one current version a key, outcomes."""
    wrong = []
    with connect("owner") as db:
        versions = 0
        for schema, table in _tables(db, ("raw",)):
            rows, keys = db.execute(
                f'select count(*), '
                f'count(*) filter (where _superseded_batch is null) - count(distinct (_connection, _key)) '
                f'from {schema}."{table}"').fetchone()
            versions += rows
            if keys:
                wrong.append(f"{table}: {keys} keys without exactly one current version")
            twice = db.execute(
                f'select count(*) from {schema}."{table}" a join {schema}."{table}" b on a._connection = b._connection '
                f"and a._key = b._key and a._superseded_batch = b._batch_id and a._row_hash = b._row_hash "
                f"and a._is_deleted = b._is_deleted and a._batch_id <> b._batch_id").fetchone()[0]
            if twice:
                wrong.append(f"{table}: {twice} versions that say what the one before said")
        landed, uneven, running = db.execute(
            "select coalesce(sum(landed + deleted) filter (where state = 'committed'), 0), "
            "count(*) filter (where state = 'committed' and received <> landed + unchanged + replayed + quarantined), "
            "count(*) filter (where state <> 'committed') from ops.load").fetchone()
    if versions != landed:
        wrong.append(f"{versions} versions in raw, {landed} landed and deleted in the ledger")
    if uneven:
        wrong.append(f"{uneven} loads whose outcomes do not add up")
    if running:
        wrong.append(f"{running} loads that did not commit")
    return wrong


def _tables(db: psycopg.Connection, schemas: tuple[str, ...]) -> list[tuple[str, str]]:
    return db.execute("select schemaname, tablename from pg_tables where schemaname = any(%s) "
                      "and tablename !~ '__dbt_|__candidate$' order by 1, 2", (list(schemas),)).fetchall()


def _digest(db: psycopg.Connection, schema: str, table: str, where: str, without: set[str]) -> str:
    names = [name for (name,) in db.execute(
        "select column_name from information_schema.columns where table_schema = %s and table_name = %s order by 1",
        (schema, table)) if name not in without]
    listed = ", ".join(f'"{name}"' for name in names)
    return _digest_of(db, f'select row({listed})::text as row_ from {schema}."{table}" where {where}')


def _digest_of(db: psycopg.Connection, query: str) -> str:
    count, digest = db.execute(
        f"select count(*), md5(string_agg(row_, '\n' order by row_)) from ({query}) q").fetchone()
    return f"{count}:{digest}"


# --- one pair ---------------------------------------------------------------------------------------------------------


@dataclass
class End:
    """How a run of a pair ended: the errors, the content, what is wrong by itself."""

    errors: list[str | None]
    content: dict[str, str]
    wrong: list[str]


def serial(place: Bench, operations: list[Operation], order: list[int]) -> End:
    """One after the other."""
    marts = any(each.builds for each in operations)
    place.fresh(marts=marts)
    patience = PATIENCE[marts]
    done: dict[int, Done | None] = {}
    for at in order:
        (done[at],) = together([operations[at]], [0.0], patience)
    return _end(operations, [done[at] for at in range(len(operations))])


def at_once(place: Bench, operations: list[Operation], offsets: list[float]) -> tuple[End, bool, float]:
    """Both at once: how it ended, whether they overlapped, and the seconds it took."""
    marts = any(each.builds for each in operations)
    place.fresh(marts=marts)
    started = time.monotonic()
    done = together(operations, offsets, PATIENCE[marts])
    seconds = time.monotonic() - started
    if place.deadlocks():
        return End([], {}, ["Postgres saw a deadlock"]), True, seconds
    if None in done:
        return End([], {}, ["one of the two had not ended in time"]), True, seconds
    overlapped = max(each.began for each in done) < min(each.ended for each in done)
    return _end(operations, done), overlapped, seconds


def _end(operations: list[Operation], done: list[Done | None]) -> End:
    wrong = [f"{operation}: {one.detail}" for operation, one in zip(operations, done, strict=True)
             if one and one.error and operation.kind in LANDINGS]
    marts = any(each.builds for each in operations)
    if marts:
        (settled,) = together([Operation("build", None, 3)], [0.0], PATIENCE[True])
        if settled is None or settled.error:
            wrong.append(f"the build afterwards: {settled and settled.detail}")
    return End([one.error if one else "hung" for one in done], contents(marts), wrong + unsound())


def judge(operations: list[Operation], ends: list[End], found: End) -> list[str]:
    """Why the end is not that of some serial order; empty when it is."""
    problems = list(found.wrong)
    for end in ends:
        problems += [f"one after the other: {line}" for line in end.wrong]
    if found.content and not problems:
        if found.errors not in [end.errors for end in ends]:
            problems.append(f"errors {found.errors}, one after the other {[end.errors for end in ends]}")
        different = [table for table, digest in found.content.items()
                     if digest not in [end.content[table] for end in ends]]
        if different:
            problems.append(f"content of neither order: {', '.join(different)}")
    return problems


def run(count: int, seed: int, tell: Tell, *, builds: int | None = None) -> Outcome:
    """See the module. One failure is one line with the pair's own seed: `count=1, seed=<it>` repeats it."""
    outcome = Outcome("pairs", seed)
    with_builds = builds if builds is not None else BUILDS * (count >= NIGHTLY // 2)
    longest, waits = 0.0, 0
    with bench() as place:
        tell("the company is landed")
        for number in range(count):
            own = seed * 1_000 + number
            chance = random.Random(own)
            operations = list(plan(chance, number >= count - with_builds))
            ends = [serial(place, operations, order) for order in ([0, 1], [1, 0])]
            overlapped = False
            for spread in (SPREAD, SPREAD / 4, 0.0, 0.0):
                offsets = [chance.random() * spread for _ in operations]
                found, overlapped, seconds = at_once(place, operations, offsets)
                if overlapped:
                    break
            longest = max(longest, seconds)
            if overlapped:
                outcome.struck(" + ".join(sorted(each.kind for each in operations)))
            problems = judge(operations, ends, found)
            waits += found.errors != [None, None]
            for line in problems:
                outcome.failures.append(f"pair seed {own}: {operations[0]} beside {operations[1]}: {line}")
            if problems or number % 10 == 9:
                tell(f"{number + 1} of {count} pairs, {len(outcome.failures)} failures")
    outcome.facts = {"longest pair s": round(longest, 1), "pairs with an expected error": waits}
    return outcome
