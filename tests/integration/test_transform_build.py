"""Builds on the simulated company: a partial build equals a complete one, costs what changed, and says what it did."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.conftest import clear_settings, open_folder
from tests.integration import transform_company as company
from tieout.errors import BuildError
from tieout.transform import build
from tieout.warehouse import connect

OPEN = 9223372036854775807
CURRENT = f"superseded_run = {OPEN}"
VERSIONED = (
    "marts.fct_revenue", "marts.dim_customer", "marts.dim_product", "marts.dim_legal_entity", "marts.dim_fiscal_period",
    "intermediate.int_customers__identified", "intermediate.int_fx_rates__daily",
)
LINES = ("revenue_events", "document_links", "settlements", "gl_entries", "documents")


@pytest.fixture(scope="module")
def built(warehouse: dict[str, str]) -> Iterator[int]:
    """The company, built once. Value: the run."""
    with open_folder() as folder:
        path = folder / "tieout.yml"
        path.write_text(company.TIEOUT_YML)
        os.environ["TIEOUT_CONFIG"] = str(path)
        clear_settings()
        with connect("owner", autocommit=True) as books:
            books.execute("truncate ops.load, ops.run cascade")
        company.load(folder / "company")
        run_id = company.open_run()
        report = build.run(run_id)
        assert report.is_full and report.reason == "first build"
        yield run_id
        del os.environ["TIEOUT_CONFIG"]
        clear_settings()


def rows(statement: str) -> list[tuple]:
    with connect("transformer") as books:
        return books.execute(statement).fetchall()


def one(statement: str) -> object:
    return rows(statement)[0][0]


def state() -> dict[str, list[tuple]]:
    """What every versioned mart and every line table says now, without who recorded it."""
    found = {}
    for table in VERSIONED:
        found[table] = sorted(rows(f"select row_hash from {table} where {CURRENT}"))
    for contract in LINES:
        table = f"intermediate.int_{contract}__unioned"
        found[table] = sorted(rows(f"select md5(cast(t as text)) from {table} as t"))
    assert all(found.values()), "a table is empty: the comparison would compare nothing"
    return found


def built_from(batch: int) -> tuple[int, build.BuildReport]:
    run_id = company.open_run()
    report = build.run(run_id)
    assert not report.is_full, report.reason
    assert report.batch_id == batch
    return run_id, report


def closed_by(run_id: int) -> set[str]:
    return {key for (key,) in rows(f"select document_id from marts.fct_revenue where superseded_run = {run_id}")}


def recorded_by(run_id: int) -> set[str]:
    return {key for (key,) in rows(f"select document_id from marts.fct_revenue where recorded_run = {run_id}")}


def an_invoice(condition: str = "true") -> str:
    return str(one(
        f"select document_id from marts.fct_revenue where {CURRENT} and document_type = 'invoice' and scope = 'in'"
        f" and {condition} order by event_key limit 1"))


def test_a_build_writes_its_books(built: int) -> None:
    watermark = rows(f"select batch_id, is_full from ops.build_watermark where run_id = {built}")
    assert len(watermark) == 1 and watermark[0][1] is True
    models = dict(rows(f"select node_id, status from ops.model_run where run_id = {built} and resource_type = 'model'"))
    assert models["model.tieout.fct_revenue"] == "success"
    assert len(models) > 40
    inputs = dict(rows(
        f"select node_id, message from ops.model_run where run_id = {built} and resource_type = 'input'"))
    digests = {word: inputs[word] for word in ("company", "project", "seeds")}
    assert set(inputs) == {*digests, "build"} and all(len(digest) == 64 for digest in digests.values())


# What each data test is for: SQL that makes it fail, and SQL that mends it again.
FAULTS = {
    "assert_fact_bookings_equal_landed_deals":
        ("marts.fct_revenue", f"net_amount = net_amount + 1 where event_type = 'booking' and {CURRENT}"),
    "assert_fact_sales_equal_landed_lines":
        ("marts.fct_revenue", f"total_amount = total_amount + 1 where event_type = 'order' and {CURRENT}"),
    "assert_recognition_equals_the_ledger":
        ("marts.fct_revenue", f"posted_functional_amount = 0 where event_type = 'recognition' and {CURRENT}"),
    "assert_ledger_entries_balance":
        ("staging.stg_netsuite__gl_entries",
         "functional_amount = functional_amount + 1 where account_kind = 'revenue'"),
    "assert_total_is_net_and_tax":
        ("marts.fct_revenue", f"tax_amount = tax_amount + 1 where event_type = 'billing' and {CURRENT}"),
    "assert_no_code_is_unmapped":
        ("staging.stg_netsuite__documents", "source_type_code = 'Zzz' where document_type = 'estimate'"),
    "every_header_of_netsuite_is_staged":
        ("staging.stg_netsuite__documents", "document_id = 'nowhere' where document_id = "
         "(select min(document_id) from staging.stg_netsuite__documents)"),
    "unique_current_fct_revenue_event_key": ("marts.fct_revenue", f"event_key = 'same' where {CURRENT}"),
}


def test_the_data_tests_pass(built: int) -> None:
    report = build.test(int(str(one("select max(run_id) from ops.build_watermark"))))
    names = {node.name for node in report.nodes}
    assert set(FAULTS) <= names
    assert sum(node.resource_type == "unit_test" for node in report.nodes) >= 10


def test_nothing_landed_nothing_recorded(built: int) -> None:
    before = state()
    run_id, report = built_from(company.new_batch())
    assert state() == before
    for table in VERSIONED:
        assert one(f"select count(*) from {table} where recorded_run = {run_id} or superseded_run = {run_id}") == 0
    assert report.previous_run_id >= built


def test_a_changed_line_restates_its_document_alone(built: int) -> None:
    invoice = an_invoice()
    batch = company.new_batch()
    assert company.change("netsuite__transactionline", f"transaction = '{invoice}' and itemtype is not null", batch,
                          foreignamount="foreignamount * 2") >= 1
    before = Decimal(str(one(f"select sum(net_amount) from marts.fct_revenue where {CURRENT} and event_type = 'billing'"
                             f" and document_id = '{invoice}'")))
    run_id, _ = built_from(batch)
    assert recorded_by(run_id) == closed_by(run_id) == {invoice}
    after = one(f"select sum(net_amount) from marts.fct_revenue where {CURRENT} and event_type = 'billing'"
                f" and document_id = '{invoice}'")
    assert after == before * 2


def test_a_deleted_document_is_closed_and_stays_readable_as_of(built: int) -> None:
    invoice = an_invoice()
    last = one("select max(run_id) from ops.build_watermark")
    before = one(f"select sum(total_amount) from marts.fct_revenue where {CURRENT} and document_id = '{invoice}'")
    batch = company.new_batch()
    company.delete("netsuite__transaction", f"id = '{invoice}'", batch)
    company.drop_lines("netsuite__transactionline", f"transaction = '{invoice}'", batch)
    company.drop_lines("netsuite__transactionaccountingline", f"transaction = '{invoice}'", batch)
    run_id, _ = built_from(batch)
    assert invoice in closed_by(run_id) and invoice not in recorded_by(run_id)
    assert one(f"select count(*) from marts.fct_revenue where {CURRENT} and document_id = '{invoice}'") == 0
    assert one(f"select sum(total_amount) from marts.fct_revenue where document_id = '{invoice}'"
               f" and recorded_run <= {last} and superseded_run > {last}") == before


def test_a_lost_line_and_a_lost_link_are_noticed(built: int) -> None:
    order, line = rows(
        f"select document_id, source_key from marts.fct_revenue where {CURRENT} and document_type = 'order'"
        " and leg = 'item' and scope = 'in' order by event_key limit 1")[0]
    payment, link = rows(
        f"select document_id, source_key from marts.fct_revenue where {CURRENT} and event_type = 'application'"
        " and leg = 'cash' order by event_key limit 1")[0]
    batch = company.new_batch()
    company.drop_lines("netsuite__transactionline", f"uniquekey = '{line}'", batch)
    company.drop_lines("netsuite__nexttransactionlink", f"_key = '{link}'", batch)
    run_id, _ = built_from(batch)
    assert closed_by(run_id) >= {order, payment}
    assert one(f"select count(*) from marts.fct_revenue where {CURRENT} and source_key in ('{line}', '{link}')"
               " and event_type in ('order', 'application')") == 0


def test_a_customer_who_finds_another_identity_takes_the_documents_along(built: int) -> None:
    customer, key = rows(
        "select c.customer_id, c.customer_key from intermediate.int_customers__identified as c"
        f" where {CURRENT} and role = 'crm' and method = 'name_and_country'"
        f" and exists (select 1 from marts.fct_revenue as f where f.{CURRENT} and f.customer_id = c.customer_id)"
        " order by 1 limit 1")[0]
    batch = company.new_batch()
    company.change("salesforce__account", f"id = '{customer}'", batch,
                   name="'Quite Another Name'", erp_customer_id="null")
    run_id, _ = built_from(batch)
    keys = rows(f"select distinct customer_key from marts.fct_revenue where {CURRENT} and customer_id = '{customer}'")
    assert len(keys) == 1 and keys[0][0] != key
    assert recorded_by(run_id)


def test_a_corrected_rate_restates_the_documents_of_that_day(built: int) -> None:
    day, currency, entity_currency = rows(
        f"select document_date, currency_code, functional_currency_code from marts.fct_revenue where {CURRENT}"
        " and currency_code = 'EUR' and functional_currency_code = 'GBP' and event_type = 'billing'"
        " order by event_key limit 1")[0]
    batch = company.new_batch()
    ids = dict(rows("select symbol, id from raw.netsuite__currency"))
    assert company.change(
        "netsuite__currencyrate", f"effectivedate = '{day}' and transactioncurrency = '{ids[currency]}'"
        f" and basecurrency = '{ids[entity_currency]}'", batch, exchangerate="exchangerate * 1.5") == 1
    run_id, _ = built_from(batch)
    restated = rows(
        f"select distinct document_date, currency_code from marts.fct_revenue where recorded_run = {run_id}")
    assert restated == [(day, currency)]


def test_a_changed_meaning_of_an_account_looks_at_every_document(built: int) -> None:
    batch = company.new_batch()
    assert company.change("netsuite__account", "acctnumber = '4100'", batch, accttype="'DeferRevenue'") == 1
    built_from(batch)
    assert one(f"select count(*) from marts.fct_revenue where {CURRENT} and event_type = 'deferral'") > 0
    batch = company.new_batch()
    company.change("netsuite__account", "acctnumber = '4100'", batch, accttype="'Income'")
    built_from(batch)
    assert one(f"select count(*) from marts.fct_revenue where {CURRENT} and event_type = 'deferral'") == 0


def test_after_all_changes_a_complete_build_finds_nothing_to_do(built: int) -> None:
    """The law of incremental builds. Runs after the tests above, whose changes it judges."""
    before = state()
    run_id = company.open_run()
    report = build.run(run_id, full_refresh=True)
    assert report.is_full and report.reason == "asked for"
    after = state()
    for table in before:
        assert after[table] == before[table], table
    assert recorded_by(run_id) == closed_by(run_id) == set()


def test_history_is_never_dropped_by_a_complete_build(built: int) -> None:
    assert one(f"select count(*) from marts.fct_revenue where recorded_run = {built} and {CURRENT}") > 0
    assert one("select min(recorded_run) from marts.fct_revenue") == built


def test_an_older_run_is_refused_after_a_newer_build(built: int) -> None:
    with pytest.raises(BuildError, match="was built after run"):
        build.run(built)


def test_an_unknown_run_is_refused(built: int) -> None:
    with pytest.raises(BuildError, match="does not exist"):
        build.run(999_999)


def test_a_failing_model_is_named_and_moves_no_watermark(built: int) -> None:
    last = one("select max(run_id) from ops.build_watermark")
    batch = company.new_batch()
    company.change("netsuite__currency", "symbol = 'USD'", batch, symbol="null")
    with connect("transformer", autocommit=True) as books:
        books.execute("alter table marts.fct_revenue add constraint planted check (fx_rate is not null) not valid")
    try:
        with pytest.raises(BuildError, match=r"(?s)fct_revenue: .*planted"):
            build.run(company.open_run())
    finally:
        with connect("transformer", autocommit=True) as books:
            books.execute("alter table marts.fct_revenue drop constraint planted")
        repaired = company.new_batch()
        company.change("netsuite__currency", "symbol is null", repaired, symbol="'USD'")
    assert one("select max(run_id) from ops.build_watermark") == last
    built_from(repaired)


def test_progress_tells_every_model(built: int) -> None:
    told: list[tuple[str, str]] = []
    company.new_batch()
    build.run(company.open_run(), progress=lambda name, status, seconds, rows: told.append((name, status)))
    assert ("fct_revenue", "success") in told
    assert len(told) > 20


def test_settled_views_are_made_again_only_after_trouble(built: int) -> None:
    company.new_batch()
    quick = {node.name for node in build.run(company.open_run()).nodes}
    assert {name for name in quick if name.startswith("base_")} == {"base_netsuite__nexttransactionlink"}
    begun = company.open_run()
    with connect("transformer", autocommit=True) as books:
        books.execute("insert into ops.model_run (run_id, node_id, resource_type, status, seconds)"
                      " values (%s, 'build', 'input', 'begun', 0)", (begun,))
        books.execute("drop view staging.base_netsuite__account cascade")
    repaired = {node.name for node in build.run(company.open_run()).nodes}
    assert "base_netsuite__account" in repaired and "stg_netsuite__products" in repaired


@pytest.mark.parametrize("name", FAULTS)
def test_each_data_test_can_fail(built: int, name: str) -> None:
    table, fault = FAULTS[name]
    run_id = int(str(one("select max(run_id) from ops.build_watermark")))
    with connect("transformer", autocommit=True) as books:
        books.execute(f"create table intermediate.before_the_fault as select * from {table}")
        if "event_key = 'same'" in fault:
            books.execute("drop index marts.fct_revenue__current")
        assert books.execute(f"update {table} set {fault}").rowcount > 0
    try:
        with pytest.raises(BuildError, match=name):
            build.test(run_id, select=name)
    finally:
        with connect("transformer", autocommit=True) as books:
            books.execute(f"truncate {table}")
            books.execute(f"insert into {table} select * from intermediate.before_the_fault")
            books.execute("drop table intermediate.before_the_fault")
            books.execute("create unique index if not exists fct_revenue__current on marts.fct_revenue (event_key)"
                          f" where {CURRENT}")




def test_builds_after_pruning_say_the_same_and_kept_publications_too(built: int) -> None:
    """The marts stand, a complete rebuild finds nothing to correct, a rerun nothing to do."""
    from tieout.landing import retention as landed
    from tieout.publish import asof, views
    from tieout.publish import retention as published
    from tieout.settings import settings
    from tieout.spec import Retention

    runs = []
    for step in range(3):
        batch = company.new_batch()
        company.change("netsuite__transaction", f"_key = '{an_invoice()}'", batch, memo=f"'changed {step}'",
                       exchangerate=f"1.{step + 1}")
        runs.append(built_from(batch)[0])
    with connect("owner") as books:
        for ago, run_id in zip((90, 80, 1), runs, strict=True):
            books.execute("insert into ops.publication (run_id, as_of_date, published_at) "
                          "values (%s, current_date - %s, now() - make_interval(days => %s))", (run_id, ago, ago))
        books.execute("insert into ops.pointer (run_id) values (%s) on conflict (only_row) do update "
                      "set run_id = excluded.run_id", (runs[-1],))
        books.execute("update ops.load set finished_at = now() - interval '60 days'")
    views.refresh()

    def shown(run_id: int) -> dict[str, list[tuple]]:
        with asof.as_of(run_id) as db:
            return {name: db.execute(f"select md5(t::text) from reporting.{name} t order by 1").fetchall()
                    for name in ("fct_revenue", "rec_break", "rec_summary", "rec_match_member", "dim_customer")}

    before, seen = state(), {run_id: shown(run_id) for run_id in runs}
    summed = f"select posting_period, sum(net_amount) from marts.fct_revenue where {CURRENT} group by 1 order by 1"
    sums = rows(summed)
    gone: list[landed.Gone] = []
    published.prune(Retention(publications_days=30), apply=True, tell=lambda *facts: gone.append(landed.Gone(*facts)))
    policy = settings().company.model_copy(update={"retention": Retention(raw_days=30)})
    landed.prune(policy, apply=True, tell=gone.append)
    names = {each.name: each.rows for each in gone}
    assert names["raw.netsuite__transaction"] >= 2, "the last two builds may be repeated; what was closed before goes"
    assert state() == before
    assert rows(summed) == sums
    kept = [run_id for (run_id,) in rows("select run_id from ops.publication where pruned_at is null order by 1")]
    assert runs[-1] in kept and {run_id: shown(run_id) for run_id in kept} == {run_id: seen[run_id] for run_id in kept}
    again = company.open_run()
    build.run(again)
    assert recorded_by(again) == closed_by(again) == set()
    complete = company.open_run()
    build.run(complete, full_refresh=True)
    assert recorded_by(complete) == closed_by(complete) == set() and state() == before
    with connect("publisher") as db:  # other modules make marts of their own
        for (name,) in db.execute("select viewname from pg_views where schemaname = 'reporting'").fetchall():
            db.execute(f'drop view if exists reporting."{name}" cascade')
        for (name,) in db.execute("select tablename from pg_tables where schemaname = 'reporting'").fetchall():
            db.execute(f'drop table reporting."{name}" cascade')
        db.execute("drop function if exists reporting.published_run() cascade")
