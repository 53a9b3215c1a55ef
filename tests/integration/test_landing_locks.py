"""Who waits for whom: one stream for itself, a list of deletions for what it deletes from, nobody else for anybody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.integration.conftest import END, Rows, current, land, stream_of
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.extract import Window
from tieout.landing import land as room
from tieout.landing import replay
from tieout.landing.land import land_stream
from tieout.spec import Connection, ParentLink

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")


def header(key: str, stamp: str = "2025-01-02 10:00:00") -> dict:
    return {"id": key, "recordtype": "invoice", "foreigntotal": "1", "lastmodifieddate": stamp}


def deletion(key: str) -> dict:
    return {"recordid": key, "recordtypeid": "7", "type": "invoice", "deleteddate": "2025-02-01 10:00:00"}


RECORDS = {
    "transaction": header("1"), "item": {"id": "1", "lastmodifieddate": "2025-01-02 10:00:00"},
    "customer": {"id": "1", "lastmodifieddate": "2025-01-02 10:00:00"}, "deletedrecord": deletion("9"),
}


def side_by_side(connection: Connection, streams: tuple[str, str], patience: float) -> list[Any]:
    """Land both, each waiting in mid-transaction until the other is there too; their results or errors."""
    barrier = threading.Barrier(2, timeout=patience)

    def pages(stream: str) -> Callable:
        def served(window, parents):
            yield json_page(stream, [RECORDS[stream]])
            barrier.wait()  # the first page is in the COPY of an open transaction

        return served

    def one(stream: str) -> Any:
        try:
            source = FakeExtractor({stream: pages(stream)})
            return land_stream(connection, stream_of(connection, stream), Window(None, END, full=True), source, None)
        except threading.BrokenBarrierError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, streams))


@pytest.mark.parametrize("streams", [("transaction", "item"), ("item", "customer"), ("transaction", "deletedrecord"),
                                     ("deletedrecord", "customer")], ids="+".join)
def test_landings_of_different_streams_are_in_mid_transaction_at_once(netsuite: Connection,
                                                                      streams: tuple[str, str]) -> None:
    """Also a list of deletions beside what it deletes from: while vendors answer, nobody waits."""
    assert [result.landed for result in side_by_side(netsuite, streams, 60)] == [1, 1]


def test_landings_of_one_stream_wait_for_one_another(netsuite: Connection) -> None:
    first, second = side_by_side(netsuite, ("item", "item"), 1.5)
    assert isinstance(first, threading.BrokenBarrierError) and isinstance(second, threading.BrokenBarrierError)


def test_a_list_of_deletions_waits_for_what_it_deletes_from_before_it_writes(netsuite: Connection,
                                                                           loader: psycopg.Connection) -> None:
    """The document lands while the list is being applied: deleted all the same, whoever came first."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(window, parents):
        yield json_page("transaction", [header("1"), header("2")])
        inside.set()
        go_on.wait(60)

    with ThreadPoolExecutor(2) as pool:
        documents = pool.submit(land, netsuite, "transaction", slow)
        assert inside.wait(60)
        feed = pool.submit(land, netsuite, "deletedrecord", [json_page("deletedrecord", [deletion("1")])])
        with pytest.raises(TimeoutError):
            feed.result(timeout=1.0)
        go_on.set()
        assert documents.result(60).landed == 2
        assert feed.result(60).deleted == 1
    assert set(current(loader, "netsuite__transaction", "id")) == {"2"}


def test_a_replay_of_deletions_takes_the_locks_of_what_it_deletes_from(netsuite: Connection,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(room.ledger, "lock_until_commit", lambda db, connection, streams: asked.append(sorted(streams)))
    room.land_pages(netsuite, stream_of(netsuite, "deletedrecord"), [json_page("deletedrecord", [deletion("1")])],
                    mode="replay")
    assert asked and {"transaction", "transactionline", "customer", "item"} <= set(asked[0])


def test_a_replay_reads_what_is_open_under_the_lock(netsuite: Connection, loader: psycopg.Connection, rows: Rows,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """A good version lands between the look at the quarantine and the lock: accounts have no stamp that would tell
    which is younger, so that the replayed one must not be landed at all.
    """
    from tieout import settings

    monkeypatch.setattr(settings, "settings", lambda: _Settings(netsuite, real()))
    real_lock, once = room.ledger.stream_lock, []
    bad = {"id": "1", "fullname": "old", "isinactive": "?"}
    land(netsuite, "account", [json_page("account", [bad])], full=True)
    loader.execute("update ops.quarantine set payload = replace(payload, '\"?\"', '\"F\"')")

    def lock(db, connection, streams):
        if not once:
            once.append(True)
            good = {**bad, "fullname": "new", "isinactive": "F"}
            land(netsuite, "account", [json_page("account", [good])], full=True, end=END + timedelta(hours=1))
        return real_lock(db, connection, streams)

    monkeypatch.setattr(room.ledger, "stream_lock", lock)
    result = replay.replay("netsuite", "account")
    assert once and result is not None and result.received == 0
    assert current(loader, "netsuite__account", "fullname") == {"1": "new"}
    assert rows("select status, count(*) from ops.quarantine group by 1") == [("superseded", 1)]


class _Settings:
    """The settings of this process with a company of one connection."""

    def __init__(self, connection: Connection, found: Any) -> None:
        self._connection, self._found = connection, found

    def __getattr__(self, name: str) -> Any:
        if name == "company":
            return type("Company", (), {"connection": staticmethod(lambda _: self._connection)})
        return getattr(self._found, name)


def real() -> Any:
    from tieout.settings import Settings

    return Settings()


def test_nested_records_of_a_document_that_commits_meanwhile_are_read_next_time(netsuite: Connection, rows: Rows,
                                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two looks at the ledger a batch of documents commits: it must not count as read."""
    child = stream_of(netsuite, "transactionline").model_copy(
        update={"explode": "lines", "parent": ParentLink(stream="transaction", column="transaction")})

    def explode() -> int:
        window = Window(None, END)
        return land_stream(netsuite, child, window, FakeExtractor(), None).received

    def document(key: str) -> None:
        land(netsuite, "transaction", [json_page("transaction", [
            {**header(key), "lines": [{"uniquekey": f"{key}1", "memo": key}]}])])

    document("1")
    assert explode() == 1
    real_look, looks = room.parents.unread_archives, []

    def look(db, connection, stream):
        found = real_look(db, connection, stream)
        looks.append(True)
        if len(looks) == 2:  # the first look is for damaged archives, before the lock
            document("2")
        return found

    monkeypatch.setattr(room.parents, "unread_archives", look)
    explode()
    assert len(looks) == 2 and explode() == 1
    assert rows("select count(*) from raw.netsuite__transactionline where transaction = '2'") == [(1,)]
