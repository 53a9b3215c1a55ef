"""Publishing: the pointer moves only to what passed, readers see one run at a time, and nobody sees a candidate."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import psycopg
import pytest

from tests.controls import synthetic
from tieout.errors import PublishError
from tieout.publish import pointer, restatement, views
from tieout.publish.asof import as_of
from tieout.publish.exports import export
from tieout.warehouse import connect

FOREVER = synthetic.FOREVER


@pytest.fixture(scope="module")
def miniature() -> Iterator[None]:
    with synthetic.own_warehouse():
        with connect("owner") as connection:
            synthetic.fill_ops(connection)
        with connect("transformer") as connection:
            synthetic.create_marts(connection)
            synthetic.fill_marts(connection)
            connection.execute("comment on column marts.fct_revenue.net_amount is 'Net of tax'")
        _pass(1)
        assert pointer.publish(1).previous_run_id is None
        yield


def _open(as_of_date: str = "2026-07-01") -> int:
    with connect("transformer") as connection:
        return connection.execute(
            "insert into ops.run (kind, label, logical_at) values ('revenue', 'revenue', %s) returning run_id",
            (as_of_date,)).fetchone()[0]


def _pass(run_id: int, *, passed: bool = True, own: bool = True) -> None:
    """What the gate writes."""
    rows = [("marts.fct_revenue", "key_unique", passed)] + ([("gate", "all_declared_evaluated", True)] if own else [])
    with connect("transformer") as connection:
        for suite, expectation, good in rows:
            connection.execute(
                "insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed) "
                "values (%s, 'marts', %s, %s, 'critical', %s)", (run_id, suite, expectation, good))


def _restate(run_id: int, amount: int, *marts: str) -> None:
    """A new version of the invoice's amounts, in one transaction, as dbt would record it."""
    with connect("transformer") as connection:
        for mart in marts or ("fct_revenue",):
            column = "net_amount" if mart == "fct_revenue" else "amount"
            group = f"group_{column}"
            names = [name for name in synthetic.contracts()[mart] if name not in
                     ("recorded_run", "superseded_run", column, group)]
            listed = ", ".join(names)
            connection.execute(
                f"with closed as (update marts.{mart} set superseded_run = %s "
                f"where document_id = '20' and superseded_run = {FOREVER} returning *) "
                f"insert into marts.{mart} ({listed}, recorded_run, superseded_run, {column}, {group}) "
                f"select {listed}, %s, {FOREVER}, %s, %s from closed", (run_id, run_id, amount, amount))


def _facts() -> int:
    """Facts of the first run, in the marts themselves."""
    with connect("transformer") as connection:
        return _seen(
            connection, "select count(*) from marts.fct_revenue where recorded_run <= 1 and superseded_run > 1")


def _seen(connection, sql: str = "select net_amount from reporting.fct_revenue where document_id = '20'"):
    return connection.execute(sql).fetchone()[0]


def test_readers_see_the_first_publication(miniature):
    with connect("bi") as bi:
        assert _seen(bi, "select count(*) from reporting.fct_revenue") == _facts() >= 5
        assert _seen(bi, "select count(*) from reporting.publication where is_current") == 1
        assert _seen(bi, "select count(*) from reporting.gate_result") == 2
        assert _seen(bi, "select count(*) from reporting.load") == 2
        described = bi.execute(
            "select col_description('reporting.fct_revenue'::regclass, a.attnum) from pg_attribute a "
            "where a.attrelid = 'reporting.fct_revenue'::regclass and a.attname = 'net_amount'").fetchone()
        assert described == ("Net of tax",)


def test_views_belong_to_the_publisher_and_hide_the_versions(miniature):
    with connect("bi") as bi:
        owners = bi.execute("select distinct viewowner from pg_views where schemaname = 'reporting'").fetchall()
        assert owners == [("tieout_publisher",)]
        columns = [c.name for c in bi.execute("select * from reporting.fct_revenue").description]
        assert "net_amount" in columns
        assert not {"recorded_run", "superseded_run", "row_hash"} & set(columns)
        assert "minor_units" in [c.name for c in bi.execute("select * from reporting.dim_currency").description]


def test_a_failed_gate_leaves_readers_on_the_old_numbers(miniature):
    with connect("bi", autocommit=True) as bi:
        before = _seen(bi)
        run_id = _open()
        _restate(run_id, 777)
        _pass(run_id, passed=False)
        with pytest.raises(PublishError, match="marts gate of run .* failed"):
            pointer.publish(run_id)
        assert _seen(bi) == before != 777
        later = _open()  # the next run supersedes the failed candidate
        _restate(later, 101)
        _pass(later)
        pointer.publish(later)
        assert _seen(bi) == 101
        with connect("transformer") as connection:
            versions = connection.execute(
                "select recorded_run, superseded_run from marts.fct_revenue where document_id = '20' "
                "order by recorded_run").fetchall()
        assert versions == [(1, run_id), (run_id, later), (later, FOREVER)]


@pytest.mark.parametrize("gate", [None, {"own": False}])
def test_a_run_without_a_complete_gate_is_not_published(miniature, gate):
    run_id = _open()
    if gate is not None:
        _pass(run_id, **gate)
    with pytest.raises(PublishError, match="result of the marts gate"):
        pointer.publish(run_id)


def test_other_runs_are_not_published(miniature):
    with pytest.raises(PublishError, match="there is no run 999999"):
        pointer.publish(999999)
    with connect("loader") as connection:
        (landing,) = connection.execute(
            "insert into ops.run (kind, label) values ('land', 'netsuite') returning run_id").fetchone()
    with pytest.raises(PublishError, match="only revenue runs"):
        pointer.publish(landing)


def test_publishing_again_changes_nothing(miniature):
    now = pointer.current()
    again = pointer.publish(now.run_id)
    assert (again.publication_id, again.is_new, again.views_changed) == (now.publication_id, False, ())


def test_an_older_run_is_not_published_over_a_newer(miniature):
    older, newer = _open(), _open()
    _pass(older)
    _pass(newer)
    pointer.publish(newer)
    with pytest.raises(PublishError, match=f"run {newer} is published already"):
        pointer.publish(older)


@pytest.mark.parametrize("statement", [
    "select * from marts.fct_revenue", "select * from raw.netsuite__customer", "select * from ops.publication",
    "select * from ops.gate_result", "create table reporting.mine (a int)", "create temporary table mine (a int)",
    "set default_transaction_read_only = off; update ops.pointer set run_id = 1",
    "set default_transaction_read_only = off; delete from reporting.fct_revenue", "select ops.settled_batch_id()",
])
def test_bi_reads_reporting_and_nothing_else(miniature, statement):
    with connect("bi", autocommit=True) as bi, pytest.raises(
            (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        bi.execute(statement)


def test_bi_cannot_see_an_unpublished_candidate(miniature):
    run_id = _open()
    _restate(run_id, 555)
    with connect("bi", autocommit=True) as bi:
        seen = _seen(bi)
        assert seen != 555
        with pytest.raises(psycopg.errors.RaiseException, match=f"run {run_id} was never published"):
            bi.execute("select reporting.as_of(%s::bigint)", (run_id,))
        # Not even by setting what as_of() sets.
        bi.execute(f"set tieout.as_of_run = '{run_id}'")
        with pytest.raises(psycopg.errors.RaiseException, match="was never published"):
            _seen(bi)
        for word in ("9999999999999999999999", "1 or 1=1", "-1"):
            bi.execute("select set_config('tieout.as_of_run', %s, false)", (word,))
            with pytest.raises(psycopg.errors.RaiseException, match="was never published"):
                _seen(bi)
        bi.execute("select reporting.as_of_now()")
        assert _seen(bi) == seen
    _restate(run_id, seen)  # leave the candidate as it was


def test_an_old_publication_reproduces_to_the_cent(miniature):
    totals = {}
    for day, amount in (("2026-08-01", 120), ("2026-08-02", Decimal("120.01")), ("2026-08-03", 90)):
        run_id = _open(day)
        _restate(run_id, amount)
        _pass(run_id)
        pointer.publish(run_id)
        with connect("bi") as bi:
            totals[run_id] = (date.fromisoformat(day), _digest(bi))
    assert len({digest for _, digest in totals.values()}) == 3
    for run_id, (day, digest) in totals.items():
        with as_of(run_id) as bi:
            assert _digest(bi) == digest
        with as_of(day) as bi:
            assert _digest(bi) == digest
        with connect("bi") as bi:
            assert bi.execute("select reporting.as_of(%s)", (str(day),)).fetchone() == (run_id,)
            assert _digest(bi) == digest
    with as_of(date(2026, 8, 31)) as bi:
        assert _digest(bi) == digest, "between publications the newest before the day counts"
    with as_of() as bi:
        assert _digest(bi) == digest


def _digest(connection) -> str:
    return _seen(connection, "select md5(string_agg(r::text, '|' order by event_key)) from reporting.fct_revenue r")


@pytest.mark.parametrize(("when", "said"), [
    (999999, "run 999999 was never published"), (date(1999, 1, 1), "nothing was published as of 1999-01-01")])
def test_as_of_a_wrong_moment_is_an_error(miniature, when, said):
    with pytest.raises(PublishError, match=said), as_of(when):
        pass


def test_as_of_a_wrong_word_is_an_error(miniature):
    with connect("bi") as bi, pytest.raises(psycopg.errors.RaiseException, match="'soon' is neither a run nor a date"):
        bi.execute("select reporting.as_of('soon')")


def test_readers_never_see_two_runs_mixed(miniature):
    """Fifty publications, each changing two marts, under a reader that joins them as fast as it can."""
    reads: list[tuple] = []
    slowest = 0.0
    stop = threading.Event()
    sql = ("select f.net_amount, d.amount from reporting.fct_revenue f join reporting.rec_document d "
           "on d.document_id = f.document_id and d.hop = 'invoice_ledger' and d.side = 'left' "
           "where f.document_id = '20'")

    def read() -> None:
        nonlocal slowest
        with connect("bi", autocommit=True) as bi:
            while not stop.is_set():
                started = time.monotonic()
                reads.append(tuple(bi.execute(sql).fetchone()))
                slowest = max(slowest, time.monotonic() - started)

    first = _open("2026-08-31")
    _restate(first, 1000, "fct_revenue", "rec_document")
    _pass(first)
    pointer.publish(first)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        for amount in range(1001, 1051):
            run_id = _open("2026-09-01")
            _restate(run_id, amount, "fct_revenue")
            _restate(run_id, amount, "rec_document")  # in a later transaction, as another model would be
            _pass(run_id)
            pointer.publish(run_id)
    finally:
        stop.set()
        reader.join()
    assert len(reads) > 100
    assert len(set(reads)) > 10, "the reader saw too few publications to prove anything"
    assert [pair for pair in reads if pair[0] != pair[1]] == []
    assert [pair[0] for pair in reads] == sorted(pair[0] for pair in reads)
    assert slowest < 1.0


def test_a_reader_of_the_marts_would_see_them_mixed(miniature):
    """The control of the test above: what the pointer protects from does happen without it."""
    run_id = _open("2026-09-02")
    _restate(run_id, 2000, "fct_revenue")
    with connect("transformer") as connection:
        pair = connection.execute(
            "select f.net_amount, d.amount from marts.fct_revenue f join marts.rec_document d "
            "on d.document_id = f.document_id and d.hop = 'invoice_ledger' and d.side = 'left' "
            f"where f.document_id = '20' and f.superseded_run = {FOREVER} and d.superseded_run = {FOREVER}").fetchone()
    assert pair[0] != pair[1]
    _restate(run_id, 2000, "rec_document")


def test_restatement_names_the_documents(miniature):
    before = pointer.current().run_id
    with as_of(before) as bi:
        old = _seen(bi)
    failed, run_id = _open("2026-10-01"), _open("2026-10-01")
    _restate(failed, 1)  # a candidate that nobody saw
    _restate(run_id, 3000)
    with connect("transformer") as connection:
        synthetic.insert(
            connection, "marts.fct_revenue", event_key="e21", connection="netsuite", document_type="invoice",
            document_id="21", document_number="N21", legal_entity_id="US01", currency_code="EUR", net_amount=50,
            posting_period="2026-06", group_net_amount=55, batch_id=9, event_type="billing", recorded_run=run_id)
        connection.execute("update marts.fct_revenue set superseded_run = %s where document_id = '30' "
                           f"and superseded_run = {FOREVER}", (run_id,))
    _pass(run_id)
    pointer.publish(run_id)
    found = restatement.between(before, run_id)
    assert [(d.document_id, d.change, d.rows_added, d.rows_removed, d.rows_changed) for d in found.documents] == [
        ("20", "changed", 0, 0, 1), ("21", "added", 1, 0, 0), ("30", "removed", 0, 1, 0)]
    invoice, added, _ = found.documents
    assert (invoice.old_amount, invoice.new_amount, invoice.difference) == (old, 3000, 3000 - old)
    assert added.batches == (9,)
    assert [(c.kind, c.period, c.currency_code, c.difference) for c in found.cells] == [
        ("billing", "2026-05", "USD", 3000 - old), ("billing", "2026-06", "EUR", 50)]
    assert found.group_differences == {"billing": sum(d.group_difference for d in found.documents)}
    assert found.group_differences["billing"] == 3000 - old + 55


def test_restatement_of_nothing_is_empty(miniature):
    run_id = _open("2026-10-02")
    _pass(run_id)
    before = pointer.current().run_id
    pointer.publish(run_id)
    found = restatement.between(before, run_id)
    assert (found.documents, found.cells, found.group_differences) == ((), (), {})


@pytest.mark.parametrize(("old", "new", "table", "said"), [
    (1, 999999, "fct_revenue", "999999 was never published"), (2, 1, "fct_revenue", "not before"),
    (1, 2, "dim_date", "not known")])
def test_restatement_of_the_wrong_thing_is_an_error(miniature, old, new, table, said):
    with pytest.raises(PublishError, match=said):
        restatement.between(old, new, table)


def test_views_follow_the_marts(miniature):
    assert views.refresh() == []
    with connect("transformer") as connection:
        connection.execute("alter table marts.dim_product add column colour text")
        connection.execute("comment on column marts.dim_product.colour is 'Colour'")
        connection.execute("alter table marts.dim_customer drop column legal_name cascade")
        connection.execute("create table marts.fin_extra (a integer, recorded_run bigint, superseded_run bigint)")
    assert set(views.refresh()) == {
        "replaced reporting.dim_product", "described reporting.dim_product", "created reporting.dim_customer",
        "created reporting.fin_extra"}
    with connect("bi") as bi:
        assert _seen(bi, "select count(colour) from reporting.dim_product") == 0
        assert _seen(bi, "select count(*) from reporting.fin_extra") == 0
    with connect("transformer") as connection:
        connection.execute("drop table marts.fin_extra cascade")
    assert views.refresh() == []


def test_a_mart_without_versions_survives_its_rebuild_and_changes_with_the_pointer(miniature):
    def rebuild(name: str) -> None:
        """As dbt replaces a table: under another name, then the old one is dropped with all that hangs on it."""
        with connect("transformer") as connection:
            connection.execute(
                "create table marts.dim_currency__new as select * from marts.dim_currency; "
                "drop table marts.dim_currency cascade; alter table marts.dim_currency__new rename to dim_currency")
            connection.execute("update marts.dim_currency set currency_name = %s", (name,))
            connection.execute("comment on table marts.dim_currency is 'Currencies'")

    seen = "select currency_name from reporting.dim_currency"
    with connect("bi", autocommit=True) as bi:
        assert _seen(bi, seen) == "US Dollar"
        rebuild("Dollar")
        assert _seen(bi, seen) == "US Dollar", "a build changes nothing for readers"
        run_id = _open("2026-11-01")
        _pass(run_id)
        assert pointer.publish(run_id).views_changed == (
            "described reporting.dim_currency", "copied marts.dim_currency")
        assert _seen(bi, seen) == "Dollar"
        assert _seen(bi, "select obj_description('reporting.dim_currency'::regclass)") == "Currencies"
        rebuild("Dollar")
        run_id = _open("2026-11-01")
        _pass(run_id)
        assert pointer.publish(run_id).views_changed == ()
        with connect("transformer") as connection:
            connection.execute("alter table marts.dim_currency add column symbol text")
        assert views.refresh() == ["copied marts.dim_currency", "described reporting.dim_currency"]
        assert _seen(bi, "select count(symbol) from reporting.dim_currency") == 0


def test_a_changed_view_waits_for_its_readers_without_stopping_others(miniature):
    """A view that changes under a running query gives way; new readers get through within the lock timeout."""
    with connect("transformer") as connection:
        connection.execute("alter table marts.dim_product add column size text")
    with connect("bi") as long_reader:
        long_reader.execute("select * from reporting.dim_product")  # holds its lock until the transaction ends
        done: list[list[str]] = []
        refresher = threading.Thread(target=lambda: done.append(views.refresh()))
        refresher.start()
        waits = []
        with connect("bi", autocommit=True) as other:
            for _ in range(20):
                started = time.monotonic()
                other.execute("select count(*) from reporting.dim_product")
                waits.append(time.monotonic() - started)
                time.sleep(0.02)
        assert done == []
        long_reader.rollback()
        refresher.join(timeout=10)
    assert done == [["replaced reporting.dim_product"]]
    assert max(waits) < 0.3


def test_exports(miniature, tmp_path):
    import pyarrow.parquet as pq

    rows = export("fct_revenue", tmp_path / "facts.csv")
    lines = (tmp_path / "facts.csv").read_text().splitlines()
    assert lines[0].startswith("event_key,connection,")
    assert len(lines) == rows + 1 > 2
    assert export("fct_revenue", tmp_path / "facts.parquet", when=1) == _facts()
    table = pq.read_table(tmp_path / "facts.parquet")
    assert str(table.schema.field("net_amount").type) == "decimal128(28, 4)"
    amounts = dict(zip(table["document_id"].to_pylist(), table["net_amount"].to_pylist(), strict=True))
    assert amounts["20"] == Decimal("100.0000")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["facts.csv", "facts.parquet"]
    with pytest.raises(PublishError, match="there is no reporting.nothing"):
        export("nothing", tmp_path / "x.csv")
    with pytest.raises(PublishError, match="what form"):
        export("fct_revenue", tmp_path / "x.doc")
