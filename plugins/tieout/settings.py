"""The only reader of the environment. Every setting is `TIEOUT_<SECTION>_<FIELD>`, listed in `.env.example`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tieout.errors import ConfigError
from tieout.spec import Company, load_company

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("owner", "loader", "transformer", "publisher", "bi")
ROLE_NAMES = {
    "owner": "tieout_owner", "loader": "tieout_loader", "transformer": "tieout_transformer",
    "publisher": "tieout_publisher", "bi": "bi_reader",
}


class Warehouse(BaseSettings):
    """Where Postgres is. Passwords are per role; an absent one means the role is not used from this process."""

    model_config = SettingsConfigDict(env_prefix="TIEOUT_WAREHOUSE_", extra="ignore", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(default=5432, ge=1, le=65535)
    database: str = "tieout"
    sslmode: str = "prefer"
    owner_password: SecretStr | None = None
    loader_password: SecretStr | None = None
    transformer_password: SecretStr | None = None
    publisher_password: SecretStr | None = None
    bi_password: SecretStr | None = None
    airflow_password: SecretStr | None = None  # bootstrap then makes a database for Airflow's metadata
    superuser_dsn: SecretStr | None = None  # only `python -m tieout.warehouse bootstrap` uses it


# A person and a role, in the words of Airflow's simple auth manager.
_USER = r"\w[\w.@+-]*:(viewer|user|op|admin)"


class Settings(BaseSettings):
    """Paths and behaviour. `home` holds all that a run writes outside the warehouse."""

    model_config = SettingsConfigDict(env_prefix="TIEOUT_", extra="ignore", hide_input_in_errors=True)

    home: Path = ROOT / ".tieout"
    config: Path = ROOT / "tieout.yml"
    archive_url: str = ""
    dbt_project: Path = ROOT / "dbt_project"
    expectations: Path = ROOT / "expectations"
    dbt_threads: int = Field(default=2, ge=1)
    dbt_parsed: Path | None = None  # where parsed projects are kept; None: home/dbt/parsed
    log_format: str = Field(default="console", pattern="^(console|json)$")
    log_level: str = "INFO"
    alert_url: SecretStr | None = None
    openlineage_url: SecretStr | None = None  # http(s)://…, file:///… or console; may hold a password
    openlineage_api_key: SecretStr | None = None
    openlineage_namespace: str = "tieout"
    openlineage_seconds: float = Field(default=3, gt=0, le=60)
    airflow_port: int = Field(default=8080, ge=1, le=65535)
    # Who else may log in at `make up`, beside admin; a waiver needs two people.
    airflow_users: str = Field(default="", pattern=f"^({_USER}(,{_USER})*)?$")
    airflow_url: str = ""  # where `tieout webhook` finds Airflow; default: `make up` on this machine
    airflow_user: str = "admin"
    airflow_password: SecretStr | None = None  # default: what `make up` generated
    airflow_log_port: int = Field(default=8793, ge=1, le=65534)  # the triggerer's log server takes the next one
    http_timeout_seconds: int = Field(default=60, ge=1)
    http_max_wait_seconds: int = Field(default=300, ge=0)
    reload_guard_pct: int = Field(default=80, ge=0, le=100)
    quarantine_days: int = Field(default=3, ge=0)
    broken_amount_block_pct: int = Field(default=100, ge=0, le=100)

    @property
    def archive(self) -> str:
        """The archive's fsspec URL; a local folder under `home` unless set."""
        return self.archive_url or (self.home / "archive").as_uri()

    @property
    def company(self) -> Company:
        """`tieout.yml`, parsed."""
        return load_company(self.config)


@cache
def settings() -> Settings:
    """Settings of this process (cached: call `settings.cache_clear()` after changing the environment)."""
    return _read(Settings)


@cache
def warehouse() -> Warehouse:
    """Warehouse settings of this process (cached)."""
    return _read(Warehouse)


def secret_from_env(connection: str, name: str) -> str | None:
    """`TIEOUT_SECRET_<CONNECTION>__<NAME>`, or the contents of the file that `…__<NAME>_FILE` names."""
    variable = f"TIEOUT_SECRET_{connection}__{name}".upper()
    if path := os.environ.get(f"{variable}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{variable}_FILE: {error.strerror}: {path}", hint="mount the secret file") from None
    return os.environ.get(variable)


def child_environment(**more: str) -> dict[str, str]:
    """The environment to hand to a child process (dbt, Airflow), with `more` on top."""
    return {**os.environ, **more}


def foreign_environment(**more: str) -> dict[str, str]:
    """The environment to hand to a stranger's program: nothing of ours or of Airflow's, where our secrets stand."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TIEOUT_", "AIRFLOW"))} | more


def is_set(variable: str) -> bool:
    """Whether the variable is in the environment at all."""
    return variable in os.environ


def apply(variables: Mapping[str, str], *, override: bool = True) -> None:
    """Put variables into this process's environment, for the settings read from now on. Existing ones may be kept."""
    os.environ.update({name: value for name, value in variables.items() if override or name not in os.environ})
    settings.cache_clear()
    warehouse.cache_clear()


def airflow_dsn() -> str | None:
    """Airflow's metadata database as a libpq URL, where it is a Postgres."""
    url = os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "")
    scheme, separator, rest = url.partition("://")
    return f"postgresql://{rest}" if separator and scheme.startswith("postgres") else None


def read_env_file(path: Path) -> dict[str, str]:
    """Lines `NAME=value`; blank lines and lines that begin with # do not count. Quotes around a value are dropped."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(f"{path}:{number}: expected NAME=value", hint="see .env.example")
        value = value.strip()
        found[name.strip()] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    return found


def _read(model):
    try:
        return model()
    except ValidationError as error:
        prefix = model.model_config["env_prefix"]
        lines = [f"{prefix}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n".join(lines), hint="see .env.example") from None
