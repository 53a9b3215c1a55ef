"""The retail unit from end to end: its CRM and Oracle Fusion landed, built, reconciled; then a day later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.company import advance, generate
from simulator.score import score
from simulator.serve import start
from tests.conftest import clear_settings, open_folder
from tests.integration.transform_company import own_warehouse
from tieout import steps
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.slow
CONNECTIONS = ("oracle_retail", "generic_retail")
CURRENT = "superseded_run = 9223372036854775807"


def rows(sql: str) -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(sql).fetchall()


@pytest.fixture(scope="module")
def retail() -> Iterator[Path]:
    """The unit's folder, landed and published once, with its vendors still there."""
    with open_folder() as folder:
        generate(folder, seed=11, size="1k", level=1, of="retail")
        with start(folder) as vendors, own_warehouse(vendors.tieout_yml(folder / "tieout.yml").read_text()):
            os.environ.update(vendors.environment())
            clear_settings()
            migrate()
            for connection in CONNECTIONS:
                steps.land(connection)
            steps.revenue()
            yield folder


def everything_is_explained(folder: Path) -> None:
    assert rows(f"select count(*) from marts.rec_summary where {CURRENT} and unexplained_amount <> 0") == [(0,)]
    assert rows(f"select count(*) from marts.rec_gl_tieout where {CURRENT} and unexplained_amount <> 0") == [(0,)]
    assert rows("select * from intermediate.int_codes__unmapped") == []
    with connect("transformer") as db:
        told = score(folder, db)["restricted"]["classes"]
    assert len(told) >= 15
    # Oracle tells whether a period is closed, not when it was: `close_days` does.
    assert told["B2"]["planted"] > 0 and told["B1"]["planted"] > 0
    assert {reason: (found["fn"], found["fp"]) for reason, found in told.items() if found["fn"] or found["fp"]} == {}


def test_nothing_is_unexplained_and_every_planted_difference_is_found(retail):
    everything_is_explained(retail)


def test_nothing_is_quarantined(retail):
    assert rows("select stream, reason from ops.quarantine limit 5") == []


def test_distributions_by_accounting_date_are_the_revenue(retail):
    """Recognised revenue of a month is what was posted in it, to the cent; billing dates say something else."""
    posted = rows(
        "select to_char(accountingdate, 'YYYY-MM'), sum(accountedamount) from staging.stg_oracle__distributions "
        "where accountclass = 'Revenue' group by 1 order by 1")
    recognised = rows("select period, sum(functional_amount) from staging.stg_oracle__revenue_events "
                      "where event_type = 'recognition' group by 1 order by 1")
    assert len(posted) > 20
    assert recognised == posted
    in_fact = rows(f"select sum(posted_functional_amount) from marts.fct_revenue where {CURRENT} "
                   "and event_type = 'recognition'")
    assert in_fact == [(sum(amount for _, amount in posted),)]


def test_stock_is_told_by_item_and_place(retail):
    told = rows("select count(*), count(distinct place_id), min(quantity) >= 0 from staging.stg_oracle__stock_levels")
    assert told == [(160, 5, True)]


def test_stock_cover_is_told_for_each_place_that_sold_it(retail):
    """An invoice's line names its warehouse: what was sold from a place is held against what is on hand there."""
    cover = rows(f"select place_id, count(*), sum(sold_quantity), count(cover_days) from marts.fin_stock_cover "
                 f"where {CURRENT} group by 1 order by 1")
    assert len(cover) == 5 and all(place for place, *_ in cover)
    assert sum(lines for _, lines, *_ in cover) == 160
    assert sum(sold for _, _, sold, _ in cover) > 0 and sum(covered for *_, covered in cover) > 0


def test_an_adjustment_takes_its_amount_off_what_is_owed_without_cash_and_without_revenue(retail):
    adjusted = rows("select count(*), sum(amount) from staging.stg_oracle__adjustments")[0]
    assert adjusted[0] >= 4 and adjusted[1] < 0
    assert rows(f"select count(*), sum(total_amount) from marts.fct_revenue where {CURRENT} "
                "and leg = 'adjustment' and event_type = 'application'") == [adjusted]
    assert rows("select account_kind, sum(amount) from staging.stg_oracle__gl_entries "
                "where document_type = 'adjustment' group by 1 order by 1") == [
                    ("other", -adjusted[1]), ("receivable", adjusted[1])]
    assert rows(f"select count(*), sum(b.amount) from marts.rec_break as b where b.{CURRENT} "
                "and b.hop = 'invoice_cash' and b.reason_code = 'C1'") == [(adjusted[0], -adjusted[1])]


def test_what_is_open_of_an_invoice_is_what_its_instalments_say(retail):
    """Our own sum of invoice, cash, credits and adjustments against the vendor's, document by document."""
    ours = f"""
        select d.document_id, coalesce(a.open_amount, 0) as open_amount, i.due, a.due_date, i.due_date as told
        from staging.stg_oracle__documents as d
        inner join (
            select customertransactionid as id, sum(installmentbalancedue) as due,
                   min(case when installmentbalancedue <> 0 then installmentduedate end) as due_date
            from staging.base_oracle__receivablesinvoiceinstallments group by 1
        ) as i on i.id = d.document_id
        left join marts.fin_ar_ageing as a on a.document_key = d.document_key and a.{CURRENT}
        where d.document_type = 'invoice' and not d.is_intercompany and d.document_date <= '2026-06-30'"""
    assert rows(f"select count(*) > 1000, count(*) filter (where due <> 0) > 50 from ({ours}) as x") == [(True, True)]
    assert rows(f"select * from ({ours}) as x where open_amount <> due or due_date <> told limit 3") == []


def test_rules_that_move_money_hold(retail):
    report = build.test(int(rows("select max(run_id) from ops.build_watermark")[0][0]),
                        select="path:models/staging/oracle,test_type:unit")
    assert len(report.nodes) >= 7


def test_a_day_later_only_what_changed_is_built_and_all_of_it_ties_out(retail):
    advance(retail, 1)
    loads = [load for connection in CONNECTIONS for load in steps.land(connection).loads]
    assert sum(load.landed for load in loads) < 2_000
    steps.revenue()
    everything_is_explained(retail)
