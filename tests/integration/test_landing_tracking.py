"""Change tracking: the token is kept with the batch that it ends, deletions come with the changes, expiry reads all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.conftest import END
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.errors import SourceError
from tieout.extract import Page, Window
from tieout.landing.land import land_connection
from tieout.spec import Connection, Stream
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")
HOUR = timedelta(hours=1)


class Tracking(FakeExtractor):
    """A vendor that keeps track. `expired`: tokens that it no longer takes. `next`: what it gives at the end."""

    def __init__(self, *pages: Page, now: datetime, next_token: str | None, expired: tuple[str, ...] = ()) -> None:
        super().__init__({"account": list(pages)}, now=now)
        self._next, self._expired = next_token, expired
        self._read = False

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        yield from super().pages(stream, window, parents)
        self._read = True

    def can_resume(self, stream: Stream, token: str) -> bool:
        return token not in self._expired

    def token(self, stream: Stream) -> str | None:
        return self._next if self._read else None


@pytest.fixture
def crm(warehouse: dict[str, str]) -> Connection:
    found = Connection(name="crm", system="dynamics_sales", auth="client_credentials", time_zone="UTC",
                       options={"base_url": "https://org.crm.dynamics.com"})
    from tieout.spec import Company

    migrate(Company.model_validate({"version": 1, "connections": {"crm": {
        "system": "dynamics_sales", "auth": "client_credentials", "time_zone": "UTC",
        "options": {"base_url": "https://org.crm.dynamics.com"}}}}))
    return found


def accounts(*ids: str) -> Page:
    return json_page("account", [{"accountid": each, "name": each.upper()} for each in ids])


def gone(*ids: str) -> Page:
    return Page("account", json.dumps([{"accountid": each} for each in ids]).encode(), deleted=True)


def land(crm: Connection, source: Tracking, **options: object) -> Window:
    land_connection(crm, None, extractor=source, streams=["account"], **options)
    return source.asked[-1][1]


def current() -> list[str]:
    with connect("loader") as db:
        return [key for (key,) in db.execute(
            "select _key from raw.dynamics_sales__account where _superseded_batch is null and not _is_deleted "
            "order by 1")]


def test_changes_and_deletions_are_asked_for_from_where_the_last_batch_ended(crm: Connection) -> None:
    assert land(crm, Tracking(accounts("a", "b", "c"), now=END, next_token="t1")) == Window(None, END, full=True)
    later = END + HOUR
    asked = land(crm, Tracking(accounts("d"), gone("b"), now=later, next_token="t2"), start=END, end=later)
    assert asked == Window(END, later, resume="t1")
    assert current() == ["a", "c", "d"]
    assert land(crm, Tracking(now=later + HOUR, next_token="t3")).resume == "t2"
    assert current() == ["a", "c", "d"], "nothing changed, so nothing is gone"


def test_a_token_that_expired_reads_all_and_closes_what_is_gone(crm: Connection) -> None:
    land(crm, Tracking(accounts(*"abcdefgh"), now=END, next_token="t1"))
    later = END + timedelta(days=9)
    asked = land(crm, Tracking(accounts(*"abcdefg"), now=later, next_token="t2", expired=("t1",)))
    assert asked == Window(None, later, full=True)
    assert current() == [*"abcdefg"]
    with connect("loader") as db:
        assert db.execute("select mode, resume from ops.load order by batch_id desc limit 1").fetchone() == (
            "full", "t2")
    assert land(crm, Tracking(now=later + HOUR, next_token="t3")).resume == "t2"


def test_a_batch_that_fails_keeps_the_token_before_it(crm: Connection) -> None:
    land(crm, Tracking(accounts("a"), now=END, next_token="t1"))

    class Broken(Tracking):
        def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
            yield accounts("z")
            self._read = True
            raise SourceError("the line broke", hint="again")

    with pytest.raises(SourceError):
        land(crm, Broken(now=END + HOUR, next_token="t2"))
    assert land(crm, Tracking(now=END + 2 * HOUR, next_token="t2")).resume == "t1"
    assert current() == ["a"]


def test_a_backfill_goes_by_stamp_and_leaves_the_token(crm: Connection) -> None:
    land(crm, Tracking(accounts("a"), now=END, next_token="t1"))
    asked = land(crm, Tracking(accounts("a"), now=END + HOUR, next_token=None), backfill=True,
                 start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2025, 2, 1, tzinfo=UTC))
    assert asked.resume is None
    assert land(crm, Tracking(now=END + HOUR, next_token="t2")).resume == "t1"


def test_where_tracking_was_switched_off_the_old_token_is_forgotten(crm: Connection) -> None:
    land(crm, Tracking(accounts("a"), now=END, next_token="t1"))
    land(crm, Tracking(accounts("a"), now=END + HOUR, next_token=None), full=True)
    assert land(crm, Tracking(now=END + 2 * HOUR, next_token=None)).resume is None
