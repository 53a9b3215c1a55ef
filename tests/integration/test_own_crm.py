"""The retail unit's CRM, which no vendor sells: files over a real SFTP server, connected by tieout.yml alone, against
an ERP; held to the simulated company itself and to its answer key. At the end the same CRM comes by every other way in.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from ruamel.yaml import YAML

from simulator import company, serve, store, units
from simulator.habits import Habits, OwnCrmSite
from simulator.score import score
from tests.conftest import clear_settings, open_folder
from tests.integration import database_servers
from tests.integration.transform_company import own_warehouse
from tieout import steps
from tieout.settings import settings
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.slow
OPEN = "superseded_run = 9223372036854775807"
CURRENT = "_superseded_batch is null and not _is_deleted"
UNIT = units.Unit("trial", "A CRM of its own beside NetSuite", "generic", "netsuite", "01")


@pytest.fixture(scope="module")
def trial() -> Iterator[tuple[Path, int]]:
    """(folder of the company, run) after both systems landed and were built."""
    units.UNITS[UNIT.name] = UNIT
    try:
        with open_folder() as home:
            folder = home / "company"
            company.generate(folder, size="1k", level=1, of=UNIT.name)
            with serve.start(folder) as running:
                text = running.tieout_yml(home / "tieout.yml").read_text(encoding="utf-8")
                with own_warehouse(text):
                    os.environ |= running.environment()
                    migrate()
                    for name in running.connections():
                        steps.check("landing", steps.land(name).run_id)
                    run_id = steps.open_run("revenue")
                    build.run(run_id)
                    yield folder, run_id
    finally:
        del units.UNITS[UNIT.name]


def rows(statement: str) -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(statement).fetchall()


def test_every_record_of_the_crm_landed_as_it_is(trial: tuple[Path, int]) -> None:
    with sqlite3.connect(trial[0] / "sim.db") as theirs:
        for table in ("customer", "article", "deal", "deal_line", "sales_order", "sales_order_line"):
            known = theirs.execute(f'select count(*) from "generic__{table}"').fetchone()[0]
            assert known > 0
            assert rows(f"select count(*) from raw.generic_trial__{table} where {CURRENT}") == [(known,)], table
        nets = {key: Decimal(net) for key, net in theirs.execute('select deal_no, net from "generic__deal"')}
    assert dict(rows(f"select deal_no, net from raw.generic_trial__deal where {CURRENT}")) == nets
    assert rows("select count(*) from ops.quarantine") == [(0,)]


def test_bookings_are_the_won_deals_to_the_cent(trial: tuple[Path, int]) -> None:
    with sqlite3.connect(trial[0] / "sim.db") as theirs:
        won: dict[str, Decimal] = {}
        for currency, net in theirs.execute(
                "select currency, net from generic__deal where stage = 'WON' and gone is null"):
            won[currency] = won.get(currency, Decimal(0)) + Decimal(net)
    found = dict(rows("select currency_code, sum(net_amount) from marts.fct_revenue "
                      f"where {OPEN} and event_type = 'booking' and scope = 'in' group by 1"))
    assert found == won


def test_the_reconciliation_finds_what_was_planted(trial: tuple[Path, int]) -> None:
    with connect("transformer") as db:
        result = score(trial[0], db)
    classes = result["restricted"]["classes"].items()
    missed = {name: row for name, row in classes if row["planted"] and row["recall"] < 1}
    assert (missed, result["false_auto"]["count"]) == ({}, 0), result
    assert rows(f"select count(*) from marts.rec_break where {OPEN} and reason_code = 'X'") == [(0,)]
    assert result["passed"], result["unexplained"]


def test_landing_again_reads_nothing_anew(trial: tuple[Path, int]) -> None:
    report = steps.land("generic_trial")
    assert report.total("received") == 0


# --- the same CRM by its other ways in --------------------------------------------------------------------------------

SFTP = "generic_trial"
FACES = ("crm_s3", "crm_postgres", "crm_mariadb", "crm_rest")
CONTRACTS = ("customers", "products", "documents", "revenue_events", "document_links")
# What names the way itself, or the moment of landing.
OF_THE_WAY = {"connection", "to_connection", "document_key", "from_document_key", "to_document_key", "modified_at",
              "batch_id", "source_table", "source_url"}


@pytest.fixture(scope="module")
def faces(trial: tuple[Path, int]) -> Iterator[dict[str, serve.Endpoints]]:
    """The other ways into the trial's CRM, all open, landed once and staged."""
    home = settings().home
    owner = sa.URL.create(
        "postgresql+psycopg", "postgres", (home / "pg" / "superuser").read_text(), "127.0.0.1",
        int(os.environ["TIEOUT_WAREHOUSE_PORT"]), os.environ["TIEOUT_WAREHOUSE_DATABASE"])
    with ExitStack() as stack:
        mariadb = stack.enter_context(database_servers.mariadb())
        sites = dict(zip(FACES, (
            OwnCrmSite("s3"), OwnCrmSite("database", database=owner.render_as_string(hide_password=False)),
            OwnCrmSite("database", database=str(mariadb)), OwnCrmSite("rest")), strict=True))
        running = {name: stack.enter_context(serve.start(trial[0], habits=Habits.none(), generic=site))
                   for name, site in sites.items()}
        yaml = YAML()
        told = yaml.load((home / "tieout.yml").read_text(encoding="utf-8"))
        for name, endpoints in running.items():
            told["connections"][name] = endpoints.connections()[SFTP]
            os.environ |= {f"TIEOUT_SECRET_{name}__{word}".upper(): secret
                           for word, secret in endpoints.secrets[SFTP].items()}
        with (home / "tieout.yml").open("w", encoding="utf-8") as file:
            yaml.dump(told, file)
        clear_settings()
        migrate(settings().company)
        stage(FACES)
        yield running


def stage(names: tuple[str, ...]) -> None:
    """Land these connections, then make the staging contracts of all."""
    for name in names:
        steps.land(name)
    build.run(steps.open_run("revenue"), select="path:models/staging/generic")


def content(contract: str) -> dict[str, list[tuple]]:
    """{connection: rows in order}, of the columns that do not name the way."""
    names = [name for (name,) in rows(
        "select column_name from information_schema.columns where table_schema = 'staging' "
        f"and table_name = 'stg_generic__{contract}' order by ordinal_position")]
    kept = [name for name in names if name not in OF_THE_WAY]
    assert len(kept) > 5
    found: dict[str, list[tuple]] = {}
    for name, *row in rows(f"select connection, {', '.join(kept)} from staging.stg_generic__{contract}"):
        found.setdefault(name, []).append(tuple(row))
    return {name: sorted(those, key=repr) for name, those in found.items()}


def differing(contract: str) -> dict[str, tuple[int, list[tuple]]]:
    """The faces that do not tell what SFTP tells: how many rows they have, and some that only one of the two has."""
    found = content(contract)
    assert set(found) == {SFTP, *FACES}
    return {name: (len(those), sorted(set(those) ^ set(found[SFTP]), key=repr)[:4])
            for name, those in found.items() if those != found[SFTP]}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_way_in_tells_the_same(faces, contract):
    assert differing(contract) == {}
    assert len(content(contract)[SFTP]) > 40


def test_a_single_record_less_is_seen(faces):
    """The planted fault: an article that one way in did not bring."""
    with connect("owner", autocommit=True) as db:
        lost = db.execute("select min(_key) from raw.crm_rest__article").fetchone()
        db.execute("update raw.crm_rest__article set _superseded_batch = 0 where _key = %s", lost)
        found = differing("products")
        db.execute("update raw.crm_rest__article set _superseded_batch = null where _key = %s", lost)
    assert [*found] == ["crm_rest"]
    assert lost[0] in str(found)


def test_after_the_next_days_every_way_in_still_tells_the_same(faces, trial):
    """New, amended and deleted deals; a line, a customer and an article that are gone without a trace."""
    looks = {"deals": "select deal_no from generic__deal where gone is null", "amounts": "select * from generic__deal",
             "lines": "select deal_no, line_no from generic__deal_line",
             "customers": "select customer_no from generic__customer",
             "articles": "select article_no from generic__article"}
    before, booked = known(trial[0], looks), content("revenue_events")[SFTP]
    with store.open_for_writing(trial[0]) as theirs:  # before the clock moves: nobody looks until then
        (deal,) = theirs.execute("select min(deal_no) from generic__deal_line where line_no = 2 and deal_no in ("
                                 "select deal_no from generic__deal where stage = 'WON' and gone is null)").fetchone()
        theirs.execute("delete from generic__deal_line where deal_no = ? and line_no = 2", (deal,))
        theirs.execute("update generic__deal set changed_at = '2026-07-01 08:00:00' where deal_no = ?", (deal,))
        for table in ("customer", "article"):
            theirs.execute(f"delete from generic__{table} where {table}_no = (select max({table}_no) "
                           f"from generic__{table})")
    company.advance(trial[0], days=9)
    after = known(trial[0], looks)
    for name in looks:
        assert before[name] - after[name], f"nothing of {name} went: the test shows nothing"
    assert after["deals"] - before["deals"]
    for endpoints in faces.values():
        endpoints.apps["generic"].follow()
    stage((SFTP, *FACES))
    for contract in CONTRACTS:
        assert differing(contract) == {}, contract
    told = content("revenue_events")[SFTP]
    assert told != booked
    assert {len(those) for those in content("customers").values()} == {len(after["customers"])}
    modes = dict(rows("select connection, mode from ops.load where stream = 'deal' and batch_id in ("
                      "select max(batch_id) from ops.load where stream = 'deal' group by connection)"))
    assert [modes[name] for name in (SFTP, *FACES)] == ["full", "full", "incremental", "incremental", "incremental"]


def known(folder: Path, looks: dict[str, str]) -> dict[str, set[tuple]]:
    with sqlite3.connect(folder / "sim.db") as theirs:
        return {name: set(theirs.execute(look)) for name, look in looks.items()}
