"""Publications let go: every kept one reproduces to the cent, closed periods lose nothing, the others are refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from tieout.errors import PublishError
from tieout.publish import asof, restatement, retention, views
from tieout.spec import Retention
from tieout.warehouse import connect

pytestmark = pytest.mark.usefixtures("clean_raw")
FOREVER = 9223372036854775807
MONTHS = [f"2026-{month:02d}" for month in range(1, 7)]
COLUMNS = "recorded_run bigint, superseded_run bigint, row_hash text"
TABLES = {
    "dim_fiscal_period": f"period text, is_closed boolean, {COLUMNS}",
    "fct_revenue": f"event_key text, posting_period text, original_period text, net_amount numeric(28, 4), {COLUMNS}",
    "rec_match": f"match_key text, period text, {COLUMNS}",
    "rec_match_member": f"member_key text, match_key text, amount numeric(28, 4), {COLUMNS}",
    "dim_customer": f"customer_key text, name text, {COLUMNS}",
}
KEYS = {"dim_fiscal_period": "period", "fct_revenue": "event_key", "rec_match": "match_key",
        "rec_match_member": "member_key", "dim_customer": "customer_key"}


class Books:
    """Marts of the test's own, versioned as dbt would, published run by run."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def publish(self, days_ago: int, rows: dict[str, list[tuple]]) -> int:
        """One run: `rows` per mart replace the current versions of their keys; then the pointer moves to it."""
        run_id = self.build(rows)
        with connect("owner") as db:
            db.execute("insert into ops.publication (run_id, as_of_date, published_at) values "
                       "(%s, current_date - %s, now() - make_interval(days => %s))", (run_id, days_ago, days_ago))
            db.execute("insert into ops.pointer (run_id) values (%s) on conflict (only_row) do update "
                       "set run_id = excluded.run_id", (run_id,))
        views.refresh()
        self.runs.append(run_id)
        return run_id

    def build(self, rows: dict[str, list[tuple]]) -> int:
        with connect("owner") as db:
            (run_id,) = db.execute(
                "insert into ops.run (kind, label) values ('revenue', 'r') returning run_id").fetchone()
            db.execute("insert into ops.build_watermark (run_id, batch_id) values (%s, 0)", (run_id,))
        with connect("transformer") as db:
            for mart, found in rows.items():
                for row in found:
                    db.execute(f"update marts.{mart} set superseded_run = %s where {KEYS[mart]} = %s "
                               f"and superseded_run = {FOREVER}", (run_id, row[0]))
                    values = ", ".join(["%s"] * len(row))
                    db.execute(f"insert into marts.{mart} values ({values}, %s, {FOREVER}, 'h')", (*row, run_id))
        return run_id


@pytest.fixture
def books(warehouse: dict[str, str]) -> Iterator[Books]:
    with connect("transformer") as db:
        for name, columns in TABLES.items():
            db.execute(f"create table marts.{name} ({columns})")
    yield Books()
    with connect("transformer") as db:
        for name in TABLES:
            db.execute(f"drop table marts.{name} cascade")
    with connect("publisher") as db:
        for (name,) in db.execute("select viewname from pg_views where schemaname = 'reporting'").fetchall():
            db.execute(f'drop view if exists reporting."{name}" cascade')
        db.execute("drop function if exists reporting.published_run() cascade")


def prune(*, apply: bool = True, days: int = 30) -> dict[str, int]:
    found = {}
    retention.prune(Retention(publications_days=days), apply=apply,
                    tell=lambda what, name, rows, size, why: found.__setitem__(name, rows))
    return found


def shown(run_id: int) -> dict[str, list[tuple]]:
    """All that readers see of a publication."""
    with asof.as_of(run_id) as db:
        return {name: sorted(db.execute(f"select * from reporting.{name}").fetchall()) for name in TABLES}


def kept() -> list[int]:
    with connect("publisher") as db:
        rows = db.execute("select run_id from ops.publication where pruned_at is null order by 1")
        return [run_id for (run_id,) in rows]


def stored(table: str = "fct_revenue") -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(f"select * from marts.{table} order by 1, recorded_run").fetchall()


def event(key: str, period: str, amount: str) -> tuple:
    return key, period, period, Decimal(amount)


def test_old_versions_go_and_kept_publications_show_the_same(books: Books) -> None:
    for n, days in enumerate((90, 80, 70, 20, 10, 1)):
        books.publish(days, {"fct_revenue": [event("a", "2026-06", f"{n}.01")]})
    before = {run_id: shown(run_id) for run_id in books.runs}
    assert prune(apply=False) == {"ops.publication": 2, "marts.fct_revenue": 2}
    assert kept() == books.runs and len(stored()) == 6, "a dry run changes nothing"
    assert prune() == {"ops.publication": 2, "marts.fct_revenue": 2}
    assert kept() == books.runs[2:], "the last one before the horizon stays: its day may be asked for"
    assert {run_id: shown(run_id) for run_id in kept()} == {run_id: before[run_id] for run_id in kept()}
    assert prune() == {}


def test_a_publication_that_went_is_refused_and_never_half_shown(books: Books) -> None:
    for n, days in enumerate((90, 80, 20, 10)):
        books.publish(days, {"fct_revenue": [event("a", "2026-06", f"{n}.01")]})
    prune()
    gone = books.runs[0]
    with pytest.raises(PublishError, match="no longer kept"), asof.as_of(gone):
        pass
    with connect("bi") as db:
        day = db.execute("select current_date - 85").fetchone()[0]
        with pytest.raises(psycopg.errors.RaiseException, match="no longer kept"):
            db.execute("select reporting.as_of(%s::date)", (day,))
        db.rollback()
        db.execute("select set_config('tieout.as_of_run', %s, false)", (str(gone),))
        with pytest.raises(psycopg.errors.RaiseException, match="no longer kept"):
            db.execute("select * from reporting.fct_revenue")
    with connect("bi") as db:
        assert [r for (r,) in db.execute("select run_id from reporting.publication order by 1")] == books.runs[1:]
    with pytest.raises(PublishError, match="no longer kept"):
        restatement.between(gone, books.runs[-1])


def test_closed_periods_lose_no_version_and_their_closing_is_kept(books: Books) -> None:
    books.publish(200, {"dim_fiscal_period": [("2026-01", False), ("2026-02", False)],
                        "fct_revenue": [event("a", "2026-01", "1.00"), event("b", "2026-02", "1.00")],
                        "rec_match": [("m", "2026-01"), ("n", "2026-02")],
                        "rec_match_member": [("x", "m", Decimal(1)), ("y", "n", Decimal(1))]})
    books.publish(190, {"fct_revenue": [event("a", "2026-01", "2.00"), event("b", "2026-02", "2.00")]})
    books.publish(180, {"dim_fiscal_period": [("2026-01", True)], "fct_revenue": [event("b", "2026-02", "3.00")],
                        "rec_match_member": [("x", "m", Decimal(2)), ("y", "n", Decimal(2))]})
    for n, days in enumerate((170, 160, 150, 9, 1)):
        events = [event("a", "2026-01", f"{n + 3}.00"), event("b", "2026-02", f"{n + 4}.00")]
        books.publish(days, {"fct_revenue": events})
    closing = books.runs[1:3]
    before = {run_id: shown(run_id) for run_id in books.runs}
    prune()
    assert set(closing) <= set(kept()), "the publication that first showed it closed, and the one that was current then"
    assert books.runs[0] not in kept() and books.runs[3] not in kept()
    assert len([row for row in stored() if row[0] == "a"]) == 7, "every version of the closed period"
    assert len([row for row in stored() if row[0] == "b"]) < 7
    members = stored("rec_match_member")
    assert [row[0] for row in members].count("x") == 2, "a member belongs to the period of its match"
    assert {run_id: shown(run_id) for run_id in kept()} == {run_id: before[run_id] for run_id in kept()}


def test_a_period_that_is_opened_and_closed_again_keeps_both_closings(books: Books) -> None:
    history = ((200, False), (190, True), (180, True), (170, False), (160, True), (150, True), (5, True), (1, True))
    for days, closed in history:
        books.publish(days, {"dim_fiscal_period": [("2026-01", closed)]})
    prune()
    assert [books.runs.index(run_id) for run_id in kept()] == [0, 1, 3, 4, 5, 6, 7]


def test_candidates_that_nobody_published_and_current_versions_stay(books: Books) -> None:
    books.publish(90, {"fct_revenue": [event("a", "2026-06", "1.00")]})
    books.publish(80, {"fct_revenue": [event("b", "2026-06", "1.00")]})
    books.publish(70, {"dim_customer": [("c", "C")]})
    first, second = (books.build({"fct_revenue": [event("a", "2026-06", amount)]}) for amount in ("2.00", "3.00"))
    prune()
    found = {(row[0], row[4], row[5]) for row in stored()}
    assert ("a", first, second) in found and ("a", second, FOREVER) in found, "what the pointer has not passed yet"


def test_without_the_periods_nothing_goes(books: Books) -> None:
    for days in (90, 80, 1):
        books.publish(days, {"fct_revenue": [event("a", "2026-06", f"{days}.00")]})
    with connect("transformer") as db:
        db.execute("alter table marts.dim_fiscal_period rename to dim_other")
    try:
        with pytest.raises(PublishError, match="which periods are closed is unknown"):
            prune()
    finally:
        with connect("transformer") as db:
            db.execute("alter table marts.dim_other rename to dim_fiscal_period")
    assert kept() == books.runs


def test_a_publisher_cannot_let_the_current_or_a_young_publication_go(books: Books) -> None:
    old = books.publish(90, {"fct_revenue": [event("a", "2026-06", "1.00")]})
    with connect("publisher") as db:
        assert db.execute("select ops.release_publication(%s)", (old,)).fetchone() == (False,), "readers see it"
    books.publish(0, {"fct_revenue": [event("a", "2026-06", "2.00")]})
    books.publish(0, {"fct_revenue": [event("a", "2026-06", "3.00")]})
    with connect("publisher") as db:
        assert db.execute("select ops.release_publication(%s)", (books.runs[1],)).fetchone() == (False,), "of today"


@pytest.mark.parametrize("seed", range(4))
def test_random_histories_reproduce_to_the_cent(books: Books, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amounts, customers, matches and periods change at random; pruned in tiny chunks, killed once, and done again."""
    chance = random.Random(seed)
    for number in range(24):
        rows: dict[str, list[tuple]] = {
            "fct_revenue": [event(f"e{chance.randrange(12)}", chance.choice(MONTHS), f"{chance.randrange(9999)}.37")
                            for _ in range(4)],
            "dim_customer": [(f"c{chance.randrange(3)}", str(number))],
            "rec_match": [(f"m{chance.randrange(4)}", chance.choice(MONTHS))],
            "rec_match_member": [(f"x{chance.randrange(6)}", f"m{chance.randrange(4)}", Decimal(number))],
            "dim_fiscal_period": [(chance.choice(MONTHS), chance.random() < 0.4)],
        }
        rows = {mart: list({row[0]: row for row in found}.values()) for mart, found in rows.items()}
        (books.publish(120 - 5 * number, rows) if chance.random() < 0.8 else books.build(rows))
    books.publish(0, {})
    before = {run_id: shown(run_id) for run_id in books.runs}
    closed = {row[0] for row in stored("dim_fiscal_period") if row[1]}
    of_closed = [row for row in stored() if row[1] in closed or row[2] in closed]
    monkeypatch.setattr(retention, "CHUNK", 3)
    real, calls = retention._pointer, []

    def killed(db):
        calls.append(db)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(db)

    monkeypatch.setattr(retention, "_pointer", killed)
    with pytest.raises(KeyboardInterrupt):
        prune()
    monkeypatch.setattr(retention, "_pointer", real)
    prune()
    assert prune() == {}
    assert len(kept()) < len(books.runs)
    for run_id in kept():
        assert shown(run_id) == before[run_id]
    assert [row for row in stored() if row[1] in closed or row[2] in closed] == of_closed
