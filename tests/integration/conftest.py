"""What integration tests of landing share: a company, its streams, and short ways to land and to look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import clear_settings, demo_company
from tests.integration.fake_extractor import FakeExtractor, Pages
from tieout.extract import Window
from tieout.landing.land import LoadResult, land_stream
from tieout.spec import Connection, Stream
from tieout.warehouse import connect

END = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def netsuite() -> Connection:
    """NetSuite in Los Angeles: strings for everything, T and F, no offsets, nulls left out."""
    return demo_company().connection("netsuite")


@pytest.fixture
def salesforce() -> Connection:
    """Salesforce in UTC: JSON types, or CSV from Bulk."""
    return demo_company().connection("salesforce")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An archive folder of its own."""
    monkeypatch.setenv("TIEOUT_ARCHIVE_URL", (tmp_path / "archive").as_uri())
    clear_settings()
    yield tmp_path / "archive"
    monkeypatch.undo()
    clear_settings()


@pytest.fixture
def loader(warehouse: dict[str, str]) -> Iterator[psycopg.Connection]:
    """A connection as the loader, to look at what happened."""
    with connect("loader", autocommit=True) as db:
        yield db


def stream_of(connection: Connection, name: str) -> Stream:
    """A selected stream."""
    return next(stream for stream in connection.selected() if stream.name == name)


def land(connection: Connection, stream: str, pages: Pages, *, full: bool = False, parents: list[str] | None = None,
         end: datetime = END) -> LoadResult:
    """Land pages as one window of a stream."""
    window = Window(None if full else datetime(2025, 1, 1, tzinfo=UTC), end, full=full)
    return land_stream(connection, stream_of(connection, stream), window, FakeExtractor({stream: pages}), None, parents)


def current(db: psycopg.Connection, table: str, column: str, *, deleted: bool = False) -> dict[str, Any]:
    """{key: column} of the current versions that are not deleted (or of those that are)."""
    return dict(db.execute(
        f'select _key, "{column}" from raw."{table}" where _superseded_batch is null and _is_deleted = %s', (deleted,)
    ).fetchall())


Rows = Callable[[str], list[tuple]]


@pytest.fixture
def rows(loader: psycopg.Connection) -> Rows:
    """Run a query as the loader."""
    return lambda query: loader.execute(query).fetchall()
