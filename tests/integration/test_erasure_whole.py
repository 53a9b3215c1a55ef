"""A person planted in every place of a whole company is erased: nothing of them is left, and the figures stand.

The company is landed over HTTP, built, checked, published and reported; then the person goes, and comes in again from
the vendors, from the archive, and by hand. The search can fail: it finds the person before, and what a place left out.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from simulator import company
from simulator.habits import Habits
from simulator.serve import Endpoints, start
from tests.canary import Hunt
from tests.conftest import clear_settings, open_folder
from tieout import localpg, settings, steps
from tieout.erasure import files, job
from tieout.errors import ErasureError, SecretError
from tieout.extract import Page
from tieout.landing.land import land_pages, reland
from tieout.publish.exports import export
from tieout.register import log
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.slow

CRM, ERP = "salesforce_global", "netsuite_global"
KEY = "a key of hashes that nobody guesses, for tests"
TOLD = {
    "name": "Zora Quillfeather", "mail": "zora.q@quillfeather-mail.example", "phone": "+49 30 5550199123",
    "street": "17 Planted Canary Lane", "site": "www.quillfeather-site.example", "tax": "DE987654321098",
    "town": "Canaryville-upon-Test", "postcode": "CANARY-ZIP-77", "memo": "CANARYMEMO-0001",
}  # fmt: skip
# What marts make of a site; and a name in another case.
MADE = {"site's host": "quillfeather-site.example", "small": "zora quillfeather"}
PLANTING = """
update salesforce__Account set Name = :name, BillingStreet = :street, Phone = :phone, Website = :site,
    BillingCity = :town, BillingPostalCode = :postcode, Tax_ID__c = :tax where Id = :account;
update netsuite__customer set companyname = :name, altname = :name, entityid = 'C ' || :name, firstname = 'Zora',
    lastname = 'Quillfeather', email = :mail, phone = :phone, url = :site, vatregnumber = :tax where id = :customer;
update netsuite__customeraddressbookentityaddress set addr1 = :street, city = :town, zip = :postcode where nkey in
    (select addressbookaddress from netsuite__customeraddressbook where entity = :customer);
update netsuite__transaction set memo = :memo || ' ' || :name where entity = :customer
"""
TABLES = """
select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname in ('raw', 'ops', 'staging', 'intermediate', 'marts', 'reporting')
   and (c.relkind in ('r', 'p', 'm') or n.nspname = 'reporting' and c.relkind = 'v')
   and pg_get_userbyid(c.relowner) = current_user order by 1
"""
AMOUNTS = """
select table_name, column_name from information_schema.columns
 where table_schema = 'marts' and data_type = 'numeric' order by 1, 2
"""


@dataclass
class World:
    """A company with a person in it; `before`: its figures as they were."""

    home: Path
    endpoints: Endpoints
    account: str
    customer: str
    before: dict[str, tuple] = field(default_factory=dict)
    found_before: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    keys: list[tuple] = field(default_factory=list)

    def hunt(self) -> set[str]:
        """Where any of the words stands: tables of all schemas, what readers see, statistics, and all files but the
        vendors' and the server's own. `seen`: which of the words, in tables.
        """
        words = TOLD | MADE
        self.seen = set()
        found = {leak.where.removeprefix(str(self.home)) for leak in
                 Hunt(words).in_folder(self.home, (self.home / "company", self.home / "pg"))}  # fmt: skip
        pattern = "|".join(value.replace(".", r"\.").replace("+", r"\+") for value in words.values())
        searched = set()
        for role in ("owner", "transformer", "publisher"):
            with connect(role, autocommit=True) as db:
                for (table,) in db.execute(TABLES).fetchall():
                    said = {word for (word,) in db.execute(
                        f"select distinct lower(m.found[1]) from {table} t, "
                        "regexp_matches(t::text, %s, 'gi') as m (found)", (f"({pattern})",))}  # fmt: skip
                    self.seen |= said
                    found |= {table} if said else set()
                    searched.add(table)
                found |= {f"statistics of {where}" for (where,) in db.execute(
                    "select concat_ws('.', schemaname, tablename, attname) from pg_stats where concat_ws(' ', "
                    "most_common_vals::text, histogram_bounds::text) ~* %s", (pattern,)).fetchall()}
        schemas = {name.partition(".")[0] for name in searched}
        assert schemas == {"raw", "ops", "staging", "intermediate", "marts", "reporting"}
        return found

    def figures(self) -> dict[str, tuple]:
        """Rows, and the sum of each amount, of what each mart shows now."""
        found = {}
        with connect("transformer") as db:
            columns: dict[str, list[str]] = {}
            for table, column in db.execute(AMOUNTS):
                columns.setdefault(table, []).append(column)
            for table, names in columns.items():
                versioned = db.execute(
                    "select exists (select from information_schema.columns where table_schema = 'marts'"
                    " and table_name = %s and column_name = 'superseded_run')", (table,)).fetchone()[0]
                where = "where superseded_run = 9223372036854775807" if versioned else ""
                sums = ", ".join(f"sum({name})" for name in names)
                found[table] = db.execute(f"select count(*), {sums} from marts.{table} {where}").fetchone()
        return found

    def golden(self) -> list[tuple]:
        with connect("transformer") as db:
            return db.execute("select connection, customer_id, customer_key from intermediate.int_customers__identified"
                              " where superseded_run = 9223372036854775807 order by 1, 2").fetchall()

    def land(self, *, full: bool = False) -> None:
        for name in (CRM, ERP):
            steps.check("landing", steps.land(name, full=full).run_id)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with open_folder() as home:
        company.generate(home / "company", seed=7, size="1k", level=1)
        account, customer = _plant(home / "company" / "sim.db")
        before = dict(os.environ)
        os.environ.update(localpg.start(home))
        try:
            with start(home / "company", habits=Habits.none()) as endpoints:
                endpoints.tieout_yml(home / "tieout.yml")
                os.environ.update(endpoints.environment(), TIEOUT_HOME=str(home),
                                  TIEOUT_CONFIG=str(home / "tieout.yml"))
                for name in (CRM, ERP):
                    os.environ[f"TIEOUT_SECRET_{name}__HASH_KEY".upper()] = KEY
                clear_settings()
                migrate()
                made = World(home, endpoints, account, customer)
                made.land()
                _quarantine(made)
                steps.revenue()
                _say_it_everywhere(made)
                made.before, made.keys = made.figures(), made.golden()
                yield made
        finally:
            localpg.stop(home)
            os.environ.clear()
            os.environ.update(before)
            clear_settings()


def _plant(database: Path) -> tuple[str, str]:
    """The customer with the most deals, of those that both systems know."""
    with sqlite3.connect(database) as db:
        account, customer = db.execute(
            'select a.Id, a.ERP_Customer_ID__c from salesforce__Account a '
            'join salesforce__Opportunity o on o.AccountId = a.Id '
            'join netsuite__customer c on cast(c.id as text) = a.ERP_Customer_ID__c where not a.IsDeleted '
            'group by 1, 2 order by count(*) desc, 1 limit 1').fetchone()
        values = TOLD | {"account": account, "customer": customer}
        for statement in PLANTING.split(";"):
            db.execute(statement, values)
    return account, str(customer)


def _quarantine(world: World) -> None:
    """Records that typing refuses, one of which is no JSON."""
    crm = settings.settings().company.connection(CRM)
    stream = next(one for one in crm.selected() if one.name == "Account")
    stamp = "2026-01-01T00:00:00.000+0000"
    refused = {"Id": world.account, "Name": TOLD["name"], "Phone": TOLD["phone"], "IsDeleted": "perhaps",
               "SystemModstamp": stamp, "BillingStreet": TOLD["street"], "Odd__c": TOLD["mail"]}  # fmt: skip
    broken = b'{"Id": "%s", "Name": "%s\xff"}' % (world.account.encode(), TOLD["name"].encode())
    body = b"[" + json.dumps(refused).encode() + b"," + broken + b"]"
    result = land_pages(crm, stream, [Page("Account", body)], mode="incremental")
    assert result.quarantined == 2


def _say_it_everywhere(world: World) -> None:
    """In the books, by people and by machines; in files."""
    with connect("publisher") as db:
        key = db.execute("select break_key from ops.break_event order by event_id limit 1").fetchone()[0]
        log.record(db, "commented", key, "J. Doe", "jdoe", comment=f"called {TOLD['name']} ({TOLD['mail']})")
        log.record(db, "commented", key, "J. Doe", "jdoe", comment="nobody was in")
    with connect("loader") as db:
        db.execute("update ops.run set error = %s where run_id = 1", (f"{TOLD['name'].upper()}, {TOLD['phone']}",))
        db.execute("insert into ops.quarantine_mapping (connection, stream, field, received, value, decided_by, reason)"
                   " values (%s, 'Account', 'Phone', %s, null, 'J. Doe', 'no phone')", (CRM, TOLD["phone"]))
        db.execute("insert into ops.identity_decision (verdict, connection_a, record_id_a, connection_b, record_id_b, "
                   "decided_by, reason) values ('NOT SAME', %s, 'x1', %s, 'x2', 'J. Doe', %s)",
                   (ERP, CRM, f"not {TOLD['name']}"))
    with connect("transformer") as db:
        db.execute("insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed, sample_keys) "
                   "values (1, 'landing', 's', 'planted', 'warning', false, %s)", (json.dumps([TOLD["tax"]]),))
    export("dim_customer", world.home / "exports" / "customers.csv")
    export("dim_customer", world.home / "exports" / "customers.parquet")
    (world.home / "logs").mkdir(exist_ok=True)
    (world.home / "logs" / "landing.log").write_text(json.dumps({"event": f"{TOLD['name']}\n{TOLD['street']}"}) + "\n")
    (world.home / "dbt" / "said.html").write_text(f"<p>{TOLD['name']}&nbsp;q=zora.q%40quillfeather-mail.example</p>")


# --- in this order ----------------------------------------------------------------------------------------------------


def test_the_person_is_everywhere_before(world):
    found = world.found_before = world.hunt()
    expected = {
        "raw.salesforce__account", "raw.netsuite__customer",
        "raw.netsuite__customeraddressbookentityaddress", "raw.netsuite__transaction", "ops.quarantine",
        "ops.run", "ops.quarantine_mapping", "ops.identity_decision", "ops.gate_result", "ops.break_event",
        "marts.dim_customer", "reporting.dim_customer", "/exports/customers.csv",
        "/exports/customers.parquet", "/logs/landing.log", "/dbt/said.html",
    }  # fmt: skip
    assert expected <= found, sorted(expected - found)
    for part in ("/archive/salesforce_global/Account/", "/archive/netsuite_global/customer/", "/reports/"):
        assert any(where.startswith(part) for where in found), part
    assert any(where.startswith("statistics of raw.") for where in found)
    assert {word.lower() for word in (TOLD | MADE).values()} == world.seen, "each of them stands somewhere"


def test_a_dry_run_says_where_and_changes_nothing(world):
    before = world.figures()
    done = steps.erase(f"{CRM}:{world.account}")
    assert set(done.records) == {(CRM, world.account), (ERP, world.customer)}, "all records of the golden customer"
    assert done.counts["raw.salesforce__account"] and done.counts["ops.quarantine"] and done.counts["ops.break_event"]
    assert done.counts[f"archive of {CRM}"] and done.counts["files"] and done.counts["marts.dim_customer"]
    # Statistics come and go by the engine's own clock.
    assert world.figures() == before and _but_statistics(world.hunt()) == _but_statistics(world.found_before)
    with connect("owner") as db:
        assert db.execute("select count(*) from ops.erasure").fetchone() == (0,)


def _but_statistics(found: set[str]) -> set[str]:
    return {where for where in found if not where.startswith("statistics of ")}


def test_a_reason_that_names_the_person_is_refused(world):
    with pytest.raises(ErasureError, match="holds personal data"):
        steps.erase(f"{CRM}:{world.account}", reason=f"asked for by {TOLD['name']}", apply=True)
    with pytest.raises(ErasureError, match="needs a reason"):
        steps.erase(f"{CRM}:{world.account}", apply=True)


@pytest.mark.parametrize("at", ["the books", "marts", "archive", "files", "proof"])
def test_it_may_be_cut_off_anywhere(world, monkeypatch, at):
    def cut(*arguments, **words):
        raise KeyboardInterrupt(at)

    def half(path, words, *, apply):
        cut() if apply and path.suffix == ".parquet" else None
        return whole(path, words, apply=apply)

    whole = files.hide_in
    if at == "files":
        monkeypatch.setattr(files, "hide_in", half)
    else:
        room, name = {"the books": (job.breaks, "hide"), "marts": (job, "_tables_of_others"),
                      "archive": (files, "_remove_strays"), "proof": (job, "_prove")}[at]  # fmt: skip
        monkeypatch.setattr(room, name, cut)
    with pytest.raises(KeyboardInterrupt):
        steps.erase(f"{ERP}:{world.customer}", reason="ticket 4711", by="DPO", apply=True)
    with connect("owner") as db:
        assert db.execute("select state, count(*) from ops.erasure group by 1").fetchall() == [("running", 1)]
        assert db.execute("select count(*) > 5 from ops.erasure_work").fetchone() == (True,)


def test_what_is_left_out_turns_its_own_proof_red(world, monkeypatch):
    (world.home / "exports" / "customers.csv").write_text(f"who\n{TOLD['name']}\n")
    whole = files.hide_in
    monkeypatch.setattr(files, "hide_in", lambda path, words, *, apply:
                        False if apply else whole(path, words, apply=False))
    with pytest.raises(ErasureError, match=r"still in exports/customers\.csv"):
        steps.erase(f"{CRM}:{world.account}", reason="ticket 4711", by="DPO", apply=True)


def test_repeating_finishes_it_and_nothing_is_left(world):
    done = steps.erase(f"{CRM}:{world.account}", reason="ticket 4711", by="DPO", apply=True)
    assert world.hunt() == set()
    assert world.figures() == world.before, "amounts and counts stand"
    with connect("owner") as db:
        row = db.execute("select erasure_id, requested_by, reason, state, records::text from ops.erasure").fetchall()
        assert [one[:4] for one in row] == [(done.erasure_id, "DPO", "ticket 4711", "finished")]
        assert world.account not in row[0][4] and world.customer not in row[0][4]
        assert db.execute("select count(*) from ops.erasure_work").fetchone() == (0,)


def test_the_register_is_a_sound_chain_again(world):
    with connect("publisher") as db:
        assert log.audit(db).broken is None
        old = db.execute("select register ->> 'old_head' from ops.erasure").fetchone()[0]
        assert log.audit(db, old).broken is None, "a head that somebody kept is known as what was before an erasure"
        assert "no event has the hash" in log.audit(db, "0" * 64).broken


def test_builds_go_on_with_the_same_customers_and_figures(world):
    steps.revenue()
    assert world.golden() == world.keys and world.figures() == world.before and world.hunt() == set()


def test_a_vendor_that_still_has_the_person_does_not_bring_it_back(world):
    world.land(full=True)
    with connect("loader") as db:
        seen = db.execute("select distinct stream from ops.load where mode = 'full' and received > 0 and run_id = "
                          "(select max(run_id) from ops.run where label = %s)", (ERP,)).fetchall()
        assert ("customer",) in seen and ("transaction",) in seen
        off = db.execute("select count(*) from ops.load where state = 'committed' "
                         "and received <> landed + unchanged + replayed + quarantined").fetchone()[0]
    assert off == 0 and world.hunt() == set()
    steps.revenue()
    assert world.golden() == world.keys and world.figures() == world.before and world.hunt() == set()


def test_a_backfill_from_the_archive_does_not_bring_it_back(world):
    for name in (CRM, ERP):
        with connect("loader") as db:
            batches = [batch for (batch,) in db.execute(
                "select batch_id from ops.load where connection = %s and state = 'committed'"
                " and archive_uri is not null and stream in ('Account', 'Opportunity', 'customer',"
                " 'customeraddressbookentityaddress',"
                " 'transaction')",
                (name,))]  # fmt: skip
        assert len(batches) >= 2
        reland(settings.settings().company.connection(name), batches)
    assert world.hunt() == set()
    steps.revenue(full_refresh=True)
    assert world.golden() == world.keys and world.figures() == world.before and world.hunt() == set()


def test_refused_and_broken_records_of_the_person_are_hidden_too(world):
    _quarantine(world)
    assert world.hunt() == set()


def test_another_key_lands_nothing(world, monkeypatch):
    monkeypatch.setenv(f"TIEOUT_SECRET_{CRM}__HASH_KEY".upper(), "x" * 40)
    with pytest.raises(SecretError, match="another hash_key"):
        _quarantine(world)
    monkeypatch.delenv(f"TIEOUT_SECRET_{CRM}__HASH_KEY".upper())
    with pytest.raises(SecretError, match="hash_key is missing"):
        _quarantine(world)


@pytest.mark.parametrize("where", ["raw", "quarantine", "archive", "mart", "report", "statistics"])
def test_the_search_finds_what_one_place_holds(world, where):
    """What is planted is taken away again."""
    if where == "report":
        (world.home / "exports" / "more.html").write_text(f"<td>{TOLD['name']}</td>")
    elif where == "archive":
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = next((world.home / "archive").rglob("*.parquet"))
        pq.write_table(pa.table({"record": [TOLD["mail"].encode()]}), path.with_name("planted.parquet"))
    else:
        statement = {
            "raw": "update raw.netsuite__customer set phone = %s where _key = %s",
            "quarantine": "update ops.quarantine set payload = payload || %s where status = 'open' and %s <> ''",
            "mart": "update marts.dim_customer set name = %s where erp_customer_id = %s",
            "statistics": "create table raw.planted as select %s::text as a, %s::text as b from generate_series(1, 50)",
        }[where]
        with connect("transformer" if where == "mart" else "owner") as db:
            assert db.execute(statement, (TOLD["phone"], world.customer)).rowcount
            db.execute("analyze raw.planted; delete from raw.planted" if where == "statistics" else "select 1")
    found = world.hunt()
    assert found
    with connect("transformer" if where == "mart" else "owner") as db:
        for name in ("raw.netsuite__customer set phone", "ops.quarantine set payload"):
            if where in ("raw", "quarantine"):
                column = name.rpartition(" ")[2]
                db.execute(f"update {name} = replace({column}, %s, '')", (TOLD["phone"],))
        if where == "mart":
            db.execute("update marts.dim_customer set name = null where name = %s", (TOLD["phone"],))
        if where == "statistics":
            db.execute("drop table raw.planted")
    for path in [*world.home.rglob("planted.parquet"), *world.home.rglob("more.html")]:
        path.unlink()


def test_the_clock_of_the_books(world):
    """An erasure says when."""
    with connect("publisher") as db:
        started, finished = db.execute("select started_at, finished_at from ops.erasure").fetchone()
    assert started <= finished <= datetime.now(UTC)
