"""The log of the register: nobody changes it, everybody takes turns, and whatever was tampered with is named."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.register_books import Books, key, own_books
from tieout.errors import TieoutError
from tieout.register import log
from tieout.warehouse import connect

# Another actor, and the hash that goes with it.
FORGED = """
update ops.break_event e set actor = 'eve', hash = ops.break_event_hash(jsonb_populate_record(e, '{{"actor": "eve"}}'))
 where event_id = {}
"""


@pytest.fixture(scope="module")
def books() -> Iterator[Books]:
    with own_books() as found:
        found.publish({"aaaaaa": "100.00", "bbbbbb": "7.5", "cccccc": "1"})
        with log.opened() as db:
            said = "ünïcode ✓ </b>\t\x07"
            log.record(db, "commented", key("aaaaaa"), "Ana Ö. \"quoted\"\n\\ line", "ana", comment=said)
            log.record(db, "assigned", key("bbbbbb"), "ana", "ana", owner="ben", due_date="2026-08-01")
        yield found


@pytest.fixture
def tampered(books: Books) -> Iterator[Books]:
    """Afterwards the log is as it was."""
    books.as_superuser("create table public.kept as select * from ops.break_event")
    yield books
    books.as_superuser("delete from ops.break_event")
    books.as_superuser("insert into ops.break_event select * from public.kept order by event_id")
    books.as_superuser("drop table public.kept")
    with log.opened() as db:
        assert log.audit(db).broken is None


def audit(known: str | None = None) -> log.Verdict:
    with log.opened() as db:
        return log.audit(db, known)


def test_the_log_is_whole_and_python_computes_the_same_hashes(books):
    verdict = audit()
    assert (verdict.events, verdict.broken) == (5, None)
    assert audit(verdict.hash).broken is None


@pytest.mark.parametrize(("fault", "said"), [
    ("update ops.break_event set comment = 'never mind' where event_id = 4", "event 4 (commented of break aaaaaa"),
    ("update ops.break_event set amount = 7.4 where event_id = 2", "event 2 (opened of break bbbbbb"),
    ("update ops.break_event set at = at + interval '1 microsecond' where event_id = 3", "event 3"),
    ("update ops.break_event set comment = '', reason = null where event_id = 2", "event 2"),
    ("delete from ops.break_event where event_id = 2", "event 2 is missing"),
    ("delete from ops.break_event where event_id <= 2", "event 1 is missing"),
    ("delete from ops.break_event where event_id >= 3", "a publication noted event 3, and the log ends with 2"),
    ("update ops.break_event set event_id = 9 where event_id = 5", "event 5 is missing"),
    # Whoever changes an event and its hash breaks the next one; whoever mends all of them meets what was noted.
    (FORGED.format(1), "event 2"),
    (FORGED.format(3), "is not the one that a publication noted"),
])  # fmt: skip
def test_what_was_tampered_with_is_named(tampered, fault, said):
    tampered.as_superuser(fault)
    assert said in audit().broken


def test_a_hash_that_was_kept_elsewhere_tells_a_cut_end(tampered):
    kept = audit().hash
    tampered.as_superuser("delete from ops.break_event where event_id = 5")
    assert audit().broken is None, "nothing in the warehouse noted it"
    assert kept in audit(kept).broken


@pytest.mark.parametrize("role", ["owner", "loader", "transformer", "publisher", "bi"])
@pytest.mark.parametrize("statement", [
    "update ops.break_event set actor = 'eve' where event_id = 1",
    "delete from ops.break_event where event_id = 1",
    "truncate ops.break_event",
])  # fmt: skip
def test_nobody_but_a_superuser_changes_what_was_said(books, role, statement):
    with connect(role) as db, pytest.raises((psycopg.errors.InsufficientPrivilege,
                                             psycopg.errors.ReadOnlySqlTransaction)):
        db.execute(statement)


@pytest.mark.parametrize("role", ["loader", "transformer", "bi"])
def test_only_the_publisher_records_and_only_through_the_function(books, role):
    statement = "select ops.record_break_event('commented', 'k', 'eve', 'eve', comment => 'x')"
    with connect(role) as db, pytest.raises((psycopg.errors.InsufficientPrivilege,
                                             psycopg.errors.ReadOnlySqlTransaction)):
        db.execute(statement)
    with connect("publisher") as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("insert into ops.break_event select * from ops.break_event")


def test_migrating_again_changes_nothing(books):
    from tieout.warehouse import migrate

    before = audit()
    migrate()
    assert audit() == before


def test_writers_take_turns(books):
    before, failures = audit().events, []

    def talk(number: int) -> None:
        try:
            for _ in range(10):
                with log.opened() as db:
                    log.record(db, "commented", key("cccccc"), f"writer {number}", "t", comment="hello")
        except (psycopg.Error, TieoutError) as error:
            failures.append(error)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = audit()
    assert (failures, verdict.broken, verdict.events) == ([], None, before + 40)


def test_a_transaction_with_an_old_picture_may_not_write(books):
    with connect("publisher") as db:
        db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.errors.RaiseException, match="read what is committed"):
            log.record(db, "commented", key("aaaaaa"), "ana", "ana", comment="x")
