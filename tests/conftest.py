"""What every test shares: absolute paths, and one embedded Postgres for the session."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tieout import localpg, settings
from tieout.spec import Company, shipped

ROOT = Path(__file__).resolve().parents[1]
# dbt takes twenty seconds to parse the project, and it is the same one in all warehouses of all tests.
os.environ.setdefault("TIEOUT_DBT_PARSED", str(ROOT / "build" / "dbt-parsed"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that the unprivileged user of Postgres can reach (pytest's own are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="tieout-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def warehouse_home() -> Iterator[Path]:
    """A folder with a running embedded Postgres, stopped at the end of the session."""
    with open_folder() as home:
        localpg.start(home)
        try:
            yield home
        finally:
            localpg.stop(home)


@pytest.fixture(scope="session")
def warehouse(warehouse_home: Path) -> Iterator[dict[str, str]]:
    """The migrated warehouse: environment set, settings' caches cleared. Value: the environment variables."""
    from tieout.warehouse import migrate

    variables = localpg.environment(warehouse_home)
    ours = {**variables, "TIEOUT_HOME": str(warehouse_home)}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    clear_settings()
    migrate(demo_company())
    yield variables
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
    clear_settings()


@pytest.fixture
def clean_raw(warehouse: dict[str, str]) -> Iterator[None]:
    """Empty raw and ops before the test."""
    from tieout.warehouse import connect

    with connect("owner", autocommit=True) as connection:
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('raw', 'ops')"
            " and tablename <> 'break_event'",  # refuses it
        ).fetchall()
        assert tables, "the fixture `warehouse` migrated nothing"
        connection.execute(f"truncate {', '.join(name for (name,) in tables)} cascade")
    yield


def clear_settings() -> None:
    """Forget cached settings after the environment changed."""
    settings.settings.cache_clear()
    settings.warehouse.cache_clear()


def demo_company() -> Company:
    """A company with one connection of each shipped source, named after it: enough to create every raw table."""
    told = {"account": "1234567", "tenant_id": "t"}
    zones = {"netsuite": "America/Los_Angeles"}
    ways = {"salesforce": "client_credentials"}
    return Company.model_validate({
        "version": 1,
        "connections": {
            source.system: {
                "system": source.system, "auth": ways.get(source.system, source.auth[0]),
                "time_zone": zones.get(source.system, "UTC"),
                "options": {word: told.get(word, "http://127.0.0.1:1") for word in (*source.required, *source.optional)
                            if word in source.required or word in told}}
            for source in shipped() if source.streams and source.staging == source.system
        },
    })
