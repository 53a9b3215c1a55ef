"""What only a superuser can do: roles, the database, and who may enter. Idempotent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tieout import settings
from tieout.errors import ConfigError, WarehouseError

if TYPE_CHECKING:
    import psycopg

SCHEMAS = ("raw", "ops", "staging", "intermediate", "marts", "reporting")

# Settings of a role hold for each of its sessions. A BI tool reads one schema, cannot write, and cannot run for ever.
ROLE_SETTINGS = {
    "transformer": {"jit": "off"},
    "bi": {"default_transaction_read_only": "on", "statement_timeout": "5min", "search_path": "reporting",
           "idle_in_transaction_session_timeout": "10min"},
}


def bootstrap(superuser_dsn: str, *, passwords: Mapping[str, str] | None = None, database: str | None = None) -> None:
    """Create or mend the roles, the database and its schemas' default rights.

    `passwords`: per role of `settings.ROLES`; default the TIEOUT_WAREHOUSE_<ROLE>_PASSWORD of this process.
    Raises ConfigError for an absent password, WarehouseError when Postgres is away or the DSN may not do this.
    """
    import psycopg

    passwords = _passwords() if passwords is None else passwords
    database = database or settings.warehouse().database
    try:
        with psycopg.connect(superuser_dsn, autocommit=True, connect_timeout=10) as connection:
            for role in settings.ROLES:
                _ensure_role(connection, settings.ROLE_NAMES[role], passwords[role], ROLE_SETTINGS.get(role, {}))
            _ensure_database(connection, database, settings.ROLE_NAMES["owner"])
        with psycopg.connect(superuser_dsn, dbname=database, autocommit=True, connect_timeout=10) as connection:
            _open_doors(connection, database)
    except psycopg.OperationalError as error:
        raise WarehouseError(f"the superuser cannot connect: {str(error).strip()}",
                             hint="check TIEOUT_WAREHOUSE_SUPERUSER_DSN") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise WarehouseError(f"bootstrap needs more rights: {str(error).strip()}",
                             hint="use a DSN of a superuser, or of a role with CREATEROLE and CREATEDB") from error


def ensure_database(superuser_dsn: str, database: str, *, role: str, password: str) -> None:
    """A database of its own for another service (Airflow's metadata), closed to everybody else."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(superuser_dsn, autocommit=True, connect_timeout=10) as connection:
        _ensure_role(connection, role, password, {})
        _ensure_database(connection, database, role)
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))


def _passwords() -> dict[str, str]:
    found = {role: getattr(settings.warehouse(), f"{role}_password") for role in settings.ROLES}
    absent = [f"TIEOUT_WAREHOUSE_{role.upper()}_PASSWORD" for role, value in found.items() if value is None]
    if absent:
        raise ConfigError(f"not set: {', '.join(absent)}", hint="bootstrap gives each role its password")
    return {role: value.get_secret_value() for role, value in found.items()}


def _ensure_role(connection: psycopg.Connection, role: str, password: str, values: Mapping[str, str]) -> None:
    from psycopg import sql

    name = sql.Identifier(role)
    if not connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone():
        connection.execute(sql.SQL("create role {}").format(name))
    # The verifier, not the password, is sent: a server that logs statements learns nothing.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    alter = sql.SQL("alter role {} login nocreatedb nocreaterole password {}")
    connection.execute(alter.format(name, sql.Literal(verifier)))
    for setting, value in values.items():
        alter = sql.SQL("alter role {} set {} = {}")
        connection.execute(alter.format(name, sql.Identifier(setting), sql.Literal(value)))
    if not connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()[0]:
        connection.execute(sql.SQL("grant {} to current_user").format(name))  # managed services: no real superuser


def _ensure_database(connection: psycopg.Connection, database: str, owner: str) -> None:
    from psycopg import sql

    if not connection.execute("select 1 from pg_database where datname = %s", (database,)).fetchone():
        connection.execute(sql.SQL("create database {} owner {} encoding 'UTF8' template template0").format(
            sql.Identifier(database), sql.Identifier(owner)))


def _open_doors(connection: psycopg.Connection, database: str) -> None:
    """Close the database to the public, then say who may enter what. Rights on tables are in migrations/."""
    from psycopg import sql

    names = settings.ROLE_NAMES
    here = sql.Identifier(database)
    run = lambda text, **parts: connection.execute(sql.SQL(text).format(here=here, **parts))  # noqa: E731
    run("revoke all on database {here} from public")
    run("revoke all on schema public from public")
    for role in settings.ROLES:
        run("grant connect on database {here} to {role}", role=sql.Identifier(names[role]))
    for role in ("loader", "transformer", "publisher"):
        run("grant temporary on database {here} to {role}", role=sql.Identifier(names[role]))
    owner = sql.Identifier(names["owner"])
    for schema in SCHEMAS:
        run("create schema if not exists {schema} authorization {owner}", schema=sql.Identifier(schema), owner=owner)
    transformer, publisher, bi = (sql.Identifier(names[role]) for role in ("transformer", "publisher", "bi"))
    run("alter default privileges for role {maker} in schema marts grant select on tables to {reader}",
        maker=transformer, reader=publisher)
    run("alter default privileges for role {maker} in schema reporting grant select on tables to {reader}",
        maker=publisher, reader=bi)
