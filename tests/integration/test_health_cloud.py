"""The health-care unit from end to end: Health Cloud and SAP landed, built, reconciled, published; then a day later."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from simulator.company import advance, generate
from simulator.score import score
from simulator.serve import Endpoints, start
from tests.canary import Hunt
from tests.conftest import clear_settings, open_folder
from tests.integration.transform_company import change, drop_lines, new_batch, own_warehouse
from tieout import settings, steps
from tieout.errors import BuildError
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.slow
CARE, BOOKS = "health_cloud_healthcare", "sap_healthcare"
CURRENT = "superseded_run = 9223372036854775807"


def rows(sql: str, role: str = "transformer") -> list[tuple]:
    with connect(role) as db:
        return db.execute(sql).fetchall()


@pytest.fixture(scope="module")
def care() -> Iterator[tuple[Path, Endpoints]]:
    """The unit's folder, landed and published once, with its vendors still there."""
    with open_folder() as folder:
        generate(folder, seed=13, size="1k", level=1, of="healthcare")
        with start(folder) as vendors, own_warehouse(vendors.tieout_yml(folder / "tieout.yml").read_text()):
            os.environ.update(vendors.environment())
            clear_settings()
            migrate()
            for connection in (CARE, BOOKS):
                steps.land(connection)
            steps.revenue()
            yield folder, vendors


def everything_is_explained(folder: Path) -> None:
    assert rows(f"select count(*) from marts.rec_summary where {CURRENT} and unexplained_amount <> 0") == [(0,)]
    assert rows(f"select count(*) from marts.rec_gl_tieout where {CURRENT} and unexplained_amount <> 0") == [(0,)]
    assert rows("select * from intermediate.int_codes__unmapped") == []
    with connect("transformer") as db:
        told = score(folder, db)["restricted"]["classes"]
    assert len(told) >= 15
    assert {reason: (found["fn"], found["fp"]) for reason, found in told.items() if found["fn"] or found["fp"]} == {}


def test_nothing_is_unexplained_and_every_planted_difference_is_found(care):
    everything_is_explained(care[0])


def test_nothing_is_quarantined(care):
    assert rows("select stream, reason from ops.quarantine limit 5") == []


def test_no_person_is_anywhere_but_as_a_hash(care):
    """Raw, archive, ledger, staging, marts, reports, logs: neither ids of persons, nor names, nor what ails them.

    The vendor has all of it, and Tieout has the hashes: both are looked for, so that the hunt itself is no empty one.
    """
    folder, _ = care
    home = settings.settings().home
    with closing(sqlite3.connect(folder / "sim.db")) as company:
        persons = {found for (found,) in company.execute(
            'SELECT Id FROM health_cloud__Account WHERE IsPersonAccount = 1')}
    start_of_all = os.path.commonprefix(sorted(persons))
    assert len(persons) > 100 and len(start_of_all) >= 12
    hunt = Hunt({"person": start_of_all, "name": "Testpatient Fake", "reason": "Fake summary",
                 "mail": "@patient.example"})
    passwords = {f"tieout_{role}": os.environ[f"TIEOUT_WAREHOUSE_{role.upper()}_PASSWORD"]
                 for role in ("owner", "loader", "transformer", "publisher")}
    dsn = {"host": os.environ["TIEOUT_WAREHOUSE_HOST"], "port": os.environ["TIEOUT_WAREHOUSE_PORT"], "dbname": "tieout"}
    assert hunt.in_folder(folder, (home,))[:1], "the vendor's own records hold persons"
    hunt.seen.clear()
    assert hunt.in_folder(home, (home / "pg",)) + hunt.in_warehouse(dsn, passwords) == []
    assert hunt.seen[".parquet"] > 100_000 and hunt.seen["schema raw"] > 1_000_000
    told = rows("select count(distinct patientid), count(*) filter (where patientid like 'h1:%') = count(*) "
                "from raw.health_cloud__clinicalencounter", "loader")
    assert told[0][0] > 50 and told[0][1]


def test_the_payer_of_a_claim_is_who_the_first_plan_of_its_patient_names(care):
    """Second plans and plans that ended name other payers: the key's accounts are those of the claims."""
    with closing(sqlite3.connect(care[0] / "sim.db")) as company:
        plans = dict(company.execute(
            "SELECT c.Id, p.PayerId FROM health_cloud__Claim c JOIN health_cloud__ClinicalEncounter e USING (CaseId) "
            "JOIN health_cloud__MemberPlan p ON p.MemberId = e.PatientId "
            "WHERE p.PriorityOrder = 1 AND p.EffectiveTo IS NULL").fetchall())
        doubtful = company.execute("SELECT count(*) FROM health_cloud__MemberPlan "
                                   "WHERE PriorityOrder > 1 OR EffectiveTo IS NOT NULL").fetchone()
    found = dict(rows("select document_id, customer_id from staging.stg_health_cloud__documents "
                      "where document_type = 'deal'"))
    assert len(found) > 900 and doubtful[0] > 100
    assert found == {claim: payer for claim, payer in plans.items() if claim in found}


def test_what_the_mart_says_is_conserved(care):
    run_id = int(rows("select max(run_id) from ops.build_watermark")[0][0])
    report = build.test(run_id, select="assert_revenue_cycle_is_conserved fin_revenue_cycle "
                                       "path:models/staging/health_cloud,test_type:unit")
    assert len(report.nodes) >= 30


def test_a_cycle_that_lost_a_cent_is_found(care):
    """The conservation test fails for each of the sums that it holds."""
    run_id = int(rows("select max(run_id) from ops.build_watermark")[0][0])
    one = f"where cycle_key = (select max(cycle_key) from marts.fin_revenue_cycle where {CURRENT} and open_amount > 1)"
    for column in ("charged_amount", "billed_amount", "not_due_amount", "open_amount"):
        with connect("transformer") as db:
            db.execute(f"update marts.fin_revenue_cycle set {column} = {column} + 0.01 {one}")
        with pytest.raises(BuildError, match="assert_revenue_cycle_is_conserved"):
            build.test(run_id, select="assert_revenue_cycle_is_conserved")
        with connect("transformer") as db:
            db.execute(f"update marts.fin_revenue_cycle set {column} = {column} - 0.01 {one}")


def test_readers_see_the_cycle_by_payer_and_age(care):
    with connect("bi") as db:
        told = db.execute(
            "select payer_name, currency_code, sum(open_amount), sum(overdue_30_amount + overdue_60_amount + "
            "overdue_90_amount + overdue_more_amount) from reporting.fin_revenue_cycle group by 1, 2 "
            "having sum(open_amount) <> 0").fetchall()
        statuses = {name for (name,) in db.execute("select distinct cycle_status from reporting.fin_revenue_cycle")}
        days = db.execute(
            "select min(encounter_to_claim_days), max(bill_to_payment_days) > 20, "
            "count(*) filter (where denied_amount > 0) > 10, count(*) filter (where reduced_amount > 0) > 10, "
            "count(*) filter (where short_paid_amount > 0) > 10 from reporting.fin_revenue_cycle").fetchone()
    assert len(told) > 10 and all(payer for payer, *_ in told)
    assert {"not claimed", "pending", "denied", "approved", "ordered", "billed", "paid in part", "paid"} <= statuses
    assert days[0] >= 0 and all(days[1:])


def test_an_object_that_is_not_licensed_is_skipped_with_a_note(care):
    _, vendors = care
    vendors.apps["health_cloud"].org.hidden.add("CareProgram")
    try:
        done = steps.land(CARE)
    finally:
        vendors.apps["health_cloud"].org.hidden.clear()
    assert "CareProgram" not in {load.stream for load in done.loads}
    facts = rows("select facts from ops.step where facts ? 'not_offered' order by started_at desc limit 1", "owner")
    assert facts and facts[0][0]["not_offered"] == ["CareProgram"]


def test_a_day_later_only_what_changed_is_built_and_all_of_it_ties_out(care):
    """An interface wrote all plans again in the night: their stamps moved, and nothing is new about them."""
    folder, _ = care
    advance(folder, 1)
    loads = {load.stream: load for connection in (CARE, BOOKS) for load in steps.land(connection).loads}
    for stream in ("MemberPlan", "PurchaserPlan", "CoverageBenefit"):
        assert loads[stream].received > 100, "the night moved every stamp"
        assert (loads[stream].landed, loads[stream].unchanged) == (0, loads[stream].received)
    assert 0 < loads["Claim"].landed < 200
    steps.revenue()
    everything_is_explained(folder)
    run_id = int(rows("select max(run_id) from ops.build_watermark")[0][0])
    assert build.test(run_id, select="assert_revenue_cycle_is_conserved").nodes


def test_a_partial_build_says_what_a_complete_one_says(care):
    """Claims, encounters and plans lead to one another: whichever changed, all of them were looked at again."""
    ours = {name: f"select * from staging.{name} order by 1, 2, 3" for name in (
        "stg_health_cloud__documents", "stg_health_cloud__document_links", "stg_health_cloud__encounters")}
    partial = {name: rows(sql) for name, sql in ours.items()}
    cycle = f"select cycle_key, row_hash from marts.fin_revenue_cycle where {CURRENT} order by 1"
    before = rows(cycle)
    run_id = steps.open_run("revenue")
    steps.build(run_id, full_refresh=True)
    steps.close_run(run_id)
    assert partial == {name: rows(sql) for name, sql in ours.items()}
    assert before == rows(cycle)


def test_a_claim_without_lines_is_explained_as_a_whole(care):
    """Last: it takes the items of claims away. What was price or quantity by product becomes header and lines."""
    found = rows("select document_key, document_id, sum(amount) from marts.rec_break "
                 f"where {CURRENT} and hop = 'deal_order' and reason_code in ('C1', 'C2') group by 1, 2 order by 1")
    assert found, "some claims and orders differ by product"
    ids = ", ".join(f"'{document}'" for _, document, _ in found)
    batch = new_batch()
    assert drop_lines("health_cloud__claimitem", f"claimid in ({ids})", batch)
    assert change("health_cloud__claim", f"id in ({ids})", batch, lastmodifieddate="lastmodifieddate + interval '1 s'")
    steps.revenue()
    keys = ", ".join(f"'{key}'" for key, *_ in found)
    now = rows("select document_key, reason_code, sum(amount) from marts.rec_break "
               f"where {CURRENT} and hop = 'deal_order' and document_key in ({keys}) and reason_code <> 'C6' "
               "group by 1, 2 order by 1")
    assert now == [(key, "C8", amount) for key, _, amount in found]
    assert rows(f"select count(*) from marts.rec_summary where {CURRENT} and unexplained_amount <> 0") == [(0,)]
