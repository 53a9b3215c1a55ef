"""The life of a break: publications open, clear and reopen it, people do the rest, and it outlives every rebuild."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.integration.register_books import Books, key, own_books
from tieout.errors import RegisterError
from tieout.publish import pointer
from tieout.register import acts, book, log
from tieout.register.acts import Act, Done
from tieout.spec import BreakPolicy
from tieout.warehouse import connect

POLICY = BreakPolicy(waiver_limit=Decimal(50))


@pytest.fixture(scope="module")
def shared() -> Iterator[Books]:
    with own_books() as found:
        yield found


@pytest.fixture
def books(shared: Books) -> Books:
    """Nothing is published."""
    shared.empty()
    return shared


def do(name: str, word: str, by: str = "ana", **facts: Any) -> Done:
    with log.opened() as db:
        return acts.carry_out(db, book.get(db, key(name)), Act(word, by, by, **facts), POLICY)


def status(books: Books, name: str) -> Any:
    row = books.read(name, "status")
    return row and row[0]


def test_the_life_of_a_break(books):
    books.publish({"aaaaaa": 100, "bbbbbb": 7})
    assert books.read("aaaaaa", "status", "owner", "comment", "changed_by") == (
        "open", "sales operations", None, "publication")
    do("aaaaaa", "acknowledge", comment="seen")
    do("aaaaaa", "assign", owner="ben", due_date=date(2026, 9, 1))
    do("aaaaaa", "start", by="ben")
    assert books.read("aaaaaa", "status", "owner", "due_date", "comment", "changed_by") == (
        "in_progress", "ben", date(2026, 9, 1), "seen", "ben")
    do("aaaaaa", "resolve", by="ben", reason="credited by hand")
    books.publish({"bbbbbb": 7})
    assert books.read("aaaaaa", "status") is None, "its cause is gone"
    with log.opened() as db:
        assert [entry.break_key for entry in book.find(db, book.Filter(status="cleared"))] == [key("aaaaaa")]
    books.publish({"aaaaaa": 100, "bbbbbb": 7})
    assert books.read("aaaaaa", "status", "owner", "comment") == ("open", "ben", "credited by hand")
    assert books.kinds("aaaaaa") == [
        "opened", "acknowledged", "assigned", "started", "resolved", "cleared", "returned"]
    assert books.kinds("bbbbbb") == ["opened"]
    with log.opened() as db:
        assert log.audit(db).broken is None


def test_what_returns_has_its_days_anew(books):
    books.publish({"aaaaaa": 100})
    books.publish({})
    books.publish({"aaaaaa": 100})
    assert books.read("aaaaaa", "due_date", "is_overdue") == (date(2026, 7, 8), False), "as of 3 July, five days"


def test_overdue_is_as_of_the_publication_and_a_waived_break_is_not(books):
    books.publish({"aaaaaa": {"amount": 10, "due_date": date(2026, 7, 1)}})
    assert books.read("aaaaaa", "is_overdue") == (False,), "due today"
    books.publish({"aaaaaa": {"amount": 10, "due_date": date(2026, 7, 1)}})
    assert books.read("aaaaaa", "is_overdue") == (True,)
    do("aaaaaa", "resolve", reason="mended in the ERP")
    assert books.read("aaaaaa", "is_overdue") == (True,), "whoever calls it resolved is believed when it is gone"
    do("aaaaaa", "waive", reason="not worth it")
    assert books.read("aaaaaa", "is_overdue") == (False,)


@pytest.mark.parametrize(("before", "word"), [
    ((), "reopen"), (("start",), "acknowledge"), (("start",), "start"), (("resolve",), "start"),
    (("resolve",), "acknowledge"), (("waive",), "resolve"), (("waive",), "waive"), ((), "approve"), ((), "refuse"),
])  # fmt: skip
def test_what_does_not_follow_is_refused(shared, before, word):
    name = f"{abs(hash((before, word))):x}"[:8]
    shared.publish({name: 10})
    for each in before:
        do(name, each, reason="so")
    with pytest.raises(RegisterError):
        do(name, word, reason="so")
    assert len(shared.kinds(name)) == 1 + len(before)


@pytest.mark.parametrize(("word", "facts"), [
    ("resolve", {}), ("waive", {}), ("waive", {"reason": " "}), ("comment", {}), ("assign", {}), ("dance", {}),
    ("waive", {"reason": "so", "allowance": Decimal(-1)}), ("acknowledge", {"by": " "}),
])  # fmt: skip
def test_an_act_says_what_it_must(shared, word, facts):
    shared.publish({"eeeeee": 10})
    with pytest.raises((RegisterError, psycopg.errors.CheckViolation)):
        do("eeeeee", word, **facts)
    assert status(shared, "eeeeee") == "open"


def test_a_waiver_ends_when_the_amount_moves_by_more_than_it_allowed(books):
    books.publish({"aaaaaa": "10.00", "bbbbbb": "10.00", "cccccc": "10.00"})
    for name, allowance in (("aaaaaa", "0"), ("bbbbbb", "0.50"), ("cccccc", "0.50")):
        assert do(name, "waive", reason="immaterial", allowance=Decimal(allowance)).kind == "waived"
    do("bbbbbb", "comment", comment="still is")
    books.publish({"aaaaaa": "10.00", "bbbbbb": "10.50", "cccccc": "9.50"})
    assert [status(books, name) for name in ("aaaaaa", "bbbbbb", "cccccc")] == ["waived"] * 3
    books.publish({"aaaaaa": "10.01", "bbbbbb": "10.51", "cccccc": {"amount": "10.00", "currency_code": "EUR"}})
    assert [status(books, name) for name in ("aaaaaa", "bbbbbb", "cccccc")] == ["open"] * 3
    assert books.kinds("bbbbbb")[-1] == "exceeded"
    assert books.read("bbbbbb", "waived_amount") == (None,)


def test_a_waiver_over_the_limit_needs_another_person(books):
    books.publish({"aaaaaa": "-50.01", "bbbbbb": "50.00", "cccccc": {"amount": 1, "group_amount": None}})
    assert do("bbbbbb", "waive", reason="so").kind == "waived", "at the limit"
    assert do("cccccc", "waive", reason="so").kind == "waiver_requested", "unknown in group currency"
    assert do("aaaaaa", "waive", reason="so").kind == "waiver_requested"
    assert books.read("aaaaaa", "status", "waiver_requested_by") == ("open", "ana")
    do("aaaaaa", "comment", comment="please")
    with pytest.raises(RegisterError, match="another person"):
        do("aaaaaa", "approve", by="ANA")
    with pytest.raises(RegisterError, match="ana asked for this waiver already"):
        do("aaaaaa", "waive", reason="so")
    assert do("aaaaaa", "approve", by="ben").kind == "waived"
    assert books.read("aaaaaa", "status", "changed_by", "waiver_requested_by", "waived_amount") == (
        "waived", "ben", None, Decimal("-50.01"))
    do("cccccc", "refuse", by="ben", reason="find the rate first")
    assert books.read("cccccc", "status", "comment", "waiver_requested_by") == ("open", "find the rate first", None)


def test_the_database_itself_holds_the_limit_and_the_second_person(books):
    books.publish({"aaaaaa": 100})
    facts = {"reason": "so", "amount": 100, "group_amount": 100, "allowance": 0, "currency_code": "USD"}
    with pytest.raises(RegisterError, match="over the limit"), log.opened() as db:
        log.record(db, "waived", key("aaaaaa"), "ana", "ana", waiver_limit=50, **facts)
    do("aaaaaa", "waive", reason="so")
    with pytest.raises(RegisterError, match="another person"), log.opened() as db:
        log.record(db, "waived", key("aaaaaa"), " ana ", "ana", amount=100, group_amount=100, currency_code="USD")


def test_a_request_whose_amount_moved_cannot_be_approved(books):
    books.publish({"aaaaaa": 100})
    do("aaaaaa", "waive", reason="so", allowance=Decimal(5))
    books.publish({"aaaaaa": 106})
    with pytest.raises(RegisterError, match="was 100.0000 USD when the waiver was asked for"):
        do("aaaaaa", "approve", by="ben")
    books.publish({"aaaaaa": 104})
    do("aaaaaa", "approve", by="ben")
    books.publish({"aaaaaa": 96})
    assert status(books, "aaaaaa") == "waived", "the allowance counts from what was asked for"
    books.publish({"aaaaaa": 94})
    assert status(books, "aaaaaa") == "open"


def test_one_account_with_two_names_is_told_by_the_audit(books):
    books.publish({"aaaaaa": 100})
    with log.opened() as db:
        acts.carry_out(db, book.get(db, key("aaaaaa")), Act("waive", "ana", "root", reason="so"), POLICY)
    with log.opened() as db:
        made = acts.carry_out(db, book.get(db, key("aaaaaa")), Act("approve", "ben", "root"), POLICY)
    with log.opened() as db:
        assert log.audit(db).shared == (made.event_id,)


def test_an_earlier_publication_shows_what_was_known_while_readers_saw_it(books):
    first = books.publish({"aaaaaa": 10}).run_id
    do("aaaaaa", "acknowledge")
    second = books.publish({"aaaaaa": 10}).run_id
    do("aaaaaa", "start", comment="second")
    third = books.publish({}).run_id
    seen = [books.read("aaaaaa", "status", "comment", run=run) for run in (first, second, third)]
    assert seen == [("acknowledged", None), ("in_progress", "second"), None]
    with connect("bi") as db:
        db.execute("select reporting.as_of(%s::bigint)", (second,))
        kinds = [kind for (kind,) in db.execute("select kind from reporting.break_event order by event_id")]
    assert kinds == ["opened", "acknowledged", "started"]


def test_publishing_again_or_after_a_kill_records_nothing_twice(books, monkeypatch):
    run = books.open_run({"aaaaaa": 10, "bbbbbb": 20})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pointer.views, "copy_plain", killed)  # after the register, before the commit
        with pytest.raises(KeyboardInterrupt):
            pointer.publish(run)
    assert books.kinds("aaaaaa") == [] and pointer.current() is None
    assert pointer.publish(run).breaks.opened == 2
    assert pointer.publish(run).is_new is False
    assert books.kinds("aaaaaa") == ["opened"]


def test_two_publications_at_once_record_once(books):
    run = books.open_run({"aaaaaa": 10})
    threads = [threading.Thread(target=pointer.publish, args=(run,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert books.kinds("aaaaaa") == ["opened"]


def test_a_candidate_that_is_not_published_changes_no_state(books):
    books.publish({"aaaaaa": 10})
    books.open_run({})
    assert status(books, "aaaaaa") is not None and books.kinds("aaaaaa") == ["opened"]


def test_a_warehouse_published_before_there_was_a_register_catches_up(books):
    books.publish({"aaaaaa": 10, "bbbbbb": 10})
    books.as_superuser("truncate ops.break_event")
    assert books.read("aaaaaa", "status", "changed_by") == ("open", None)
    do("aaaaaa", "acknowledge")
    books.publish({"aaaaaa": 10, "bbbbbb": 10})
    assert (books.kinds("aaaaaa"), books.kinds("bbbbbb")) == (["acknowledged"], ["opened"])


def test_readers_cannot_reach_the_log_itself(books):
    books.publish({"aaaaaa": 10})
    with connect("bi") as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("select * from ops.break_event")


def test_a_key_may_be_shortened_as_long_as_it_is_one_break(books):
    books.publish({"aaaaaa1": 10, "aaaaaa2": 10})
    with log.opened() as db:
        assert book.get(db, "AAAAAA1").break_key == key("aaaaaa1")
        for word, said in (("aaaaaa", "2 breaks or more"), ("aaa", "too short"), ("ffffff", "there is no break")):
            with pytest.raises(RegisterError, match=said):
                book.get(db, word)
