"""`tieout doctor`: what is wrong with a set-up, and what to do. Each check says what it saw, also when all is well."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from tieout import dag_words, place, settings, stack
from tieout.errors import TieoutError
from tieout.place import Place
from tieout.spec import Company, Connection

DISK_WARN, DISK_FAIL = 5 * 1024**3, 512 * 1024**2
OLDEST_POSTGRES = 15
# Schema rights that each role needs; the whole matrix is in warehouse/migrations/090_grants.sql.
NEEDED = {
    "loader": {"raw": "USAGE", "ops": "USAGE"},
    "transformer": {"raw": "USAGE", "ops": "USAGE", "staging": "CREATE", "intermediate": "CREATE", "marts": "CREATE"},
    "publisher": {"marts": "USAGE", "ops": "USAGE", "reporting": "CREATE"},
    "bi": {"reporting": "USAGE"},
}
REFUSED = {"bi": ("raw", "staging", "intermediate", "marts", "ops")}


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    state: Literal["ok", "warn", "fail"]
    message: str
    hint: str = ""


def examine(here: Place) -> list[Check]:
    """Run every check; one that fails does not stop the others."""
    found = [*_versions(), *_disk(here)]
    if not place.exists(here):
        return [*found, Check("set-up", "fail", "no tieout.yml and no demo", "`make demo`, or write tieout.yml")]
    with ExitStack() as stack_:
        try:
            place.enter(here)
            if here.kind == "demo":
                from tieout import demo

                stack_.enter_context(demo.vendors(here.home))
        except TieoutError as error:
            found.append(_failed("start", error))
        company, config = _config()
        found.append(config)
        found += _warehouse(company)
        if company:
            for connection in company.connections.values():
                found += _connection(connection)
    return [*found, *_airflow(here, company)]


def _versions() -> Iterator[Check]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield (
        Check("python", "ok", python)
        if sys.version_info >= (3, 11)
        else Check("python", "fail", f"{python} is too old", "Python 3.11 or newer, then `make env`")
    )
    wrong = []
    pins = (settings.ROOT / "requirements" / "runtime.in").read_text(encoding="utf-8")
    wanted = re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==(\S+)$", pins, flags=re.MULTILINE)
    for name, pinned in wanted:
        try:
            present = version(name)
        except PackageNotFoundError:
            present = "absent"
        if present != pinned:
            wrong.append(f"{name} {present} instead of {pinned}")
    yield (
        Check("packages", "fail", "; ".join(wrong), "`make env` installs the lock")
        if wrong
        else Check("packages", "ok", f"{len(wanted)} pinned versions are installed")
    )


def _disk(here: Place) -> Iterator[Check]:
    folder = next(path for path in (here.home, *here.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    state = "fail" if free < DISK_FAIL else "warn" if free < DISK_WARN else "ok"
    yield Check(
        "disk",
        state,
        f"{free / 1024**3:.1f} GiB free at {folder}",
        "" if state == "ok" else "the archive and Postgres live there; set TIEOUT_HOME or TIEOUT_ARCHIVE_URL",
    )


def _config() -> tuple[Company | None, Check]:
    path = settings.settings().config
    try:
        company = settings.settings().company
    except TieoutError as error:
        return None, _failed("tieout.yml", error)
    return company, Check("tieout.yml", "ok", f"{len(company.connections)} connections in {path}")


def _warehouse(company: Company | None) -> Iterator[Check]:
    from tieout.warehouse import connect

    for role in settings.ROLES:
        try:
            with connect(role) as connection:
                number = connection.info.server_version // 10000
                wrong = list(_rights(connection, role))
                if role == "owner":
                    yield _server(number)
                    yield from _tables(connection, company)
        except TieoutError as error:
            yield _failed(f"role {role}", error)
            continue
        name = settings.ROLE_NAMES[role]
        yield (
            Check(f"role {role}", "fail", f"{name}: {'; '.join(wrong)}", "`tieout setup` gives the rights")
            if wrong
            else Check(f"role {role}", "ok", f"{name} may do what it must, and no more")
        )


def _rights(connection, role: str) -> Iterator[str]:
    """What the role lacks, and what it should not have. A schema that does not exist counts as lacking."""
    ask = "select n.oid is not null and has_schema_privilege(n.oid, %s) from (select to_regnamespace(%s)) as n(oid)"
    for schema, right in NEEDED.get(role, {}).items():
        if not connection.execute(ask, (right, schema)).fetchone()[0]:
            yield f"no {right.lower()} on schema {schema}"
    for schema in REFUSED.get(role, ()):
        if connection.execute(ask, ("USAGE", schema)).fetchone()[0]:
            yield f"may use schema {schema}, and must not"


def _server(number: int) -> Check:
    if number < OLDEST_POSTGRES:
        return Check("postgres", "fail", f"version {number}", f"Postgres {OLDEST_POSTGRES} or newer")
    at = settings.warehouse()
    return Check("postgres", "ok", f"version {number} at {at.host}:{at.port}/{at.database}")


def _tables(connection, company: Company | None) -> Iterator[Check]:
    wanted = {s.table for c in company.connections.values() for s in c.selected()} if company else set()
    present = {name for (name,) in connection.execute("select tablename from pg_tables where schemaname = 'raw'")}
    missing = sorted(wanted - present)
    yield (
        Check("raw tables", "fail", f"missing: {', '.join(missing)}", "`tieout setup` creates them")
        if missing
        else Check("raw tables", "ok", f"{len(wanted)} streams have their table")
    )


def _connection(connection: Connection) -> Iterator[Check]:
    """Secrets, then one cheap call to the vendor."""
    from tieout.extract.open import open_extractor
    from tieout.secrets import secrets_for

    name = connection.name
    try:
        secrets = secrets_for(connection)
        yield Check(f"{name}: secrets", "ok", f"{len(secrets)} for {connection.auth}")
        with open_extractor(connection, secrets) as extractor:
            yield Check(f"{name}: vendor", "ok", extractor.test())
    except TieoutError as error:
        yield _failed(f"{name}", error)


def _airflow(here: Place, company: Company | None) -> Iterator[Check]:
    running, stale = stack.running(here.home), stack.stale(here.home)
    if stale:
        yield Check(
            "airflow processes",
            "warn",
            f"remembered but gone: {', '.join(each.name for each in stale)}",
            "`make down` clears them",
        )
    if orphans := [p.pid for p in stack.leftovers(here.home) if not running]:
        yield Check(
            "airflow processes", "fail", f"left behind: {', '.join(map(str, orphans))}", "`make down` stops them"
        )
    if running:
        yield Check("airflow processes", "ok", f"running: {', '.join(each.name for each in running)}")
    else:
        chosen = settings.settings()
        wanted = {
            "api-server": chosen.airflow_port,
            "task logs": chosen.airflow_log_port,
            "trigger logs": chosen.airflow_log_port + 1,
        }
        taken = {what: port for what, port in wanted.items() if not stack.is_free(port)}
        yield (
            Check(
                "ports",
                "warn",
                f"taken: {', '.join(f'{port} ({what})' for what, port in taken.items())}",
                "TIEOUT_AIRFLOW_PORT and TIEOUT_AIRFLOW_LOG_PORT choose others",
            )
            if taken
            else Check("ports", "ok", f"{', '.join(map(str, wanted.values()))} are free")
        )
    yield from _pools(company)


def _pools(company: Company | None) -> Iterator[Check]:
    """A task whose pool does not exist is never scheduled, and nothing says why."""
    dsn = settings.airflow_dsn()
    if dsn is None or company is None:
        return
    import psycopg

    wanted = {dag_words.pool(name) for name in company.connections}
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            present = {name for (name,) in connection.execute("select pool from slot_pool")}
    except psycopg.errors.UndefinedTable:
        yield Check("airflow metadata", "warn", "the database is empty", "`make up` or `tieout setup` fills it")
        return
    except psycopg.Error as error:
        yield Check("airflow metadata", "fail", str(error).strip(), "check AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
        return
    missing = sorted(wanted - present)
    yield (
        Check("airflow pools", "fail", f"missing: {', '.join(missing)}", "`tieout setup` creates them")
        if missing
        else Check("airflow pools", "ok", f"{len(wanted)} vendors have their slot")
    )


def _failed(name: str, error: TieoutError) -> Check:
    message = str(error).partition("\n  → ")[0]
    return Check(name, "fail", message, error.hint or "")
