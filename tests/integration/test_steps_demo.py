"""The demo from end to end, as a new user runs it: twice, then a day later; and what other commands say of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from simulator.units import UNITS
from tests.conftest import open_folder
from tieout import localpg, stack

pytestmark = pytest.mark.slow
HOPS = ["deal_order", "order_invoice", "invoice_cash", "invoice_ledger"]
# Two units that have no system in common; the others have end-to-end tests of their own, and the demo has them all.
TRIED = ("global", "retail")
SYSTEMS = {UNITS[name].connection(system): system for name in TRIED for system in UNITS[name].systems}


class Demo:
    """A demo in a folder of its own, worked through the command line."""

    def __init__(self, home: Path, root: Path) -> None:
        self.home, self.root = home, root

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIEOUT_", "AIRFLOW"))}
        return {**kept, "PYTHONPATH": f"{self.root / 'plugins'}{os.pathsep}{self.root}"}

    def tieout(self, *arguments: str, code: int = 0, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tieout.cli", *arguments],
            env={**self.environment(), **more}, cwd=self.root, capture_output=True, text=True, timeout=1400,
        )  # fmt: skip
        assert done.returncode == code, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}\n{self.log()}"
        return done.stdout

    def run(self, *arguments: str) -> dict:
        chosen = [word for name in TRIED for word in ("--unit", name)]
        return json.loads(self.tieout("demo", "--home", str(self.home), "--json", *chosen, *arguments))

    def inside(self, *arguments: str, code: int = 0) -> dict:
        """A command that works on the demo's warehouse, told so by its environment."""
        here = {"TIEOUT_HOME": str(self.home), "TIEOUT_CONFIG": str(self.home / "tieout.yml")}
        return json.loads(self.tieout(*arguments, "--json", code=code, **here, **localpg.environment(self.home)))

    def query(self, sql: str) -> list[tuple]:
        at = localpg.environment(self.home)
        with psycopg.connect(
            host="127.0.0.1", port=at["TIEOUT_WAREHOUSE_PORT"], dbname="tieout", user="tieout_transformer",
            password=at["TIEOUT_WAREHOUSE_TRANSFORMER_PASSWORD"],
        ) as db:  # fmt: skip
            return db.execute(sql).fetchall()

    def log(self) -> str:
        path = self.home / "logs" / "demo.log"
        return path.read_text(encoding="utf-8", errors="replace")[-4000:] if path.exists() else ""


@pytest.fixture(scope="module")
def demo(root):
    with open_folder() as home:
        made = Demo(home, root)
        try:
            yield made
        finally:
            stack.down(home)
            localpg.stop(home)


@pytest.fixture(scope="module")
def first(demo):
    return demo.run("--seed", "42", "--size", "1k", "--level", "2")


@pytest.fixture(scope="module")
def second(demo, first):
    return demo.run()


@pytest.fixture(scope="module")
def third(demo, second):
    return demo.run("--next-day")


def test_the_real_dags_ran(first):
    assert len(SYSTEMS) == 4 and sorted(first["dags"]) == sorted([*(f"land_{name}" for name in SYSTEMS), "revenue"])
    assert set(first["dags"].values()) == {"success"}


def test_every_hop_is_explained(first):
    assert [hop["hop"] for hop in first["hops"]] == HOPS
    for hop in first["hops"]:
        assert Decimal(hop["unexplained_amount"]) == 0, hop
        for side in ("left", "right"):
            facts = hop[side]
            assert facts["count"] > 500, hop
            assert facts["count"] == facts["matched_count"] + facts["broken_count"] + facts["scoped_count"]


def test_it_is_published_with_a_report(first):
    assert first["publication"]["publication_id"] == 1
    text = Path(first["report"]).read_text(encoding="utf-8")
    assert "<svg" in text and "http://fonts" not in text


def test_again_nothing_is_new_and_nothing_changes(demo, second):
    run = second["publication"]["run_id"]
    assert second["publication"]["publication_id"] == 2
    loads = demo.query("select sum(landed), sum(deleted) from ops.load l join ops.run r using (run_id)"
                       " where r.run_id > (select min(run_id) from ops.publication)")  # fmt: skip
    assert loads == [(0, 0)]
    found = demo.query("select table_name from information_schema.columns"
                       " where table_schema = 'marts' and column_name = 'recorded_run'")  # fmt: skip
    tables = [name for (name,) in found]
    assert len(tables) >= 15
    changed = {
        name: count
        for name in tables
        for (count,) in demo.query(
            f"select count(*) from marts.{name} where recorded_run = {run} or superseded_run = {run}"
        )
        if count
    }
    assert changed == {}


def test_the_build_of_an_unchanged_company_is_incremental(demo, second):
    assert demo.query("select is_full from ops.build_watermark order by run_id") == [(True,), (False,)]


def test_a_day_later_the_changes_flow_through(demo, second, third):
    assert third["now"] > second["now"] and third["publication"]["publication_id"] == 3
    assert all(Decimal(hop["unexplained_amount"]) == 0 for hop in third["hops"])
    run = third["publication"]["run_id"]
    ((count,),) = demo.query(f"select count(*) from marts.fct_revenue where recorded_run = {run}")
    ((total,),) = demo.query("select count(*) from marts.fct_revenue")
    assert 0 < count < total / 10


def test_sources_say_how_fresh_each_stream_is(demo, third):
    found = {each["connection"]: each for each in demo.inside("sources", "freshness")}
    assert {name: each["system"] for name, each in found.items()} == SYSTEMS
    for each in found.values():
        assert each["landed_until"] == third["now"]
        assert len(each["streams"]) >= 5 and all(
            stream["landed_until"] or not stream["is_offered"] for stream in each["streams"])


def test_status(demo, third):
    facts = demo.inside("status")
    assert facts["published"]["run_id"] == third["publication"]["run_id"]
    assert {run["state"] for run in facts["runs"]} == {"succeeded"}
    assert {gate["label"]: gate["passed"] for gate in facts["gates"]} == dict.fromkeys([*SYSTEMS, "revenue"], True)
    assert {each["state"] for each in facts["freshness"]} <= {"fresh", "not_offered"}, "by the company's clock"
    assert (facts["problems"], facts["failures"], facts["running"]) == ([], [], [])


def test_doctor_says_what_is_wrong(demo, third):
    """The vendors are stopped and their secrets are not in this environment: that, and nothing else, is wrong."""
    found = demo.inside("doctor", code=1)
    failed = {check["name"]: check for check in found["checks"] if check["state"] == "fail"}
    assert set(failed) == set(SYSTEMS)
    assert all("TIEOUT_SECRET_" in check["hint"] for check in failed.values())
    well = {check["name"] for check in found["checks"] if check["state"] == "ok"}
    assert {"python", "packages", "postgres", "raw tables", "airflow pools", "role bi", "role owner"} <= well


def test_a_run_without_its_vendor_fails_with_what_to_do(demo, third):
    here = {"TIEOUT_HOME": str(demo.home), "TIEOUT_CONFIG": str(demo.home / "tieout.yml")}
    demo.tieout("land", "netsuite_global", code=2, **here, **localpg.environment(demo.home))


def test_the_vendors_are_stopped(demo, third):
    assert stack.started(demo.home) == [] and stack.leftovers(demo.home) == []
