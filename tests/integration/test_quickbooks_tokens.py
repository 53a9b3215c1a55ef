"""Refresh tokens of QuickBooks in the warehouse, with processes that are killed in the midst of rotating them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.company import generate
from simulator.habits import Habits
from simulator.serve import Endpoints, start
from tests.conftest import ROOT, clear_settings, open_folder
from tests.integration.transform_company import own_warehouse
from tieout.errors import SourceError
from tieout.extract.token_store import WarehouseTokens
from tieout.warehouse import connect, migrate

# A process that lands: it authenticates and asks for the company. `at`: where it stops and waits to be killed.
PROGRAM = """
import sys, time
from tieout.extract import qbo, token_store
from tieout.secrets import secrets_for
from tieout.settings import settings

at = sys.argv[1]

def stop(*_):
    print("here", flush=True)
    time.sleep(600)

if at == "answered":      # the vendor gave another token, and it is not stored yet
    token_store.WarehouseTokens.write = stop
elif at == "stored":      # stored and committed, and not used yet
    inner = token_store.WarehouseTokens.write
    token_store.WarehouseTokens.write = lambda *a: (inner(*a), stop())
elif at == "locked":      # it has the lock, and did not ask yet
    qbo.QboExtractor._exchange = stop
elif at == "uncommitted": # written, and the transaction is open
    import psycopg
    psycopg.Connection.commit = stop
connection = settings().company.connection("quickbooks_web_shop")
with qbo.QboExtractor(connection, secrets_for(connection)) as extractor:
    print(extractor.test(), flush=True)
"""


@pytest.fixture(scope="module")
def vendor() -> Iterator[Endpoints]:
    """The company with its vendors, and a warehouse of its own."""
    with open_folder() as folder:
        generate(folder, seed=5, size="1k", level=1, of="web_shop")
        with start(folder, habits=Habits.none()) as endpoints, own_warehouse(
                endpoints.tieout_yml(folder / "tieout.yml").read_text()):
            os.environ.update(endpoints.environment())
            clear_settings()
            migrate()
            yield endpoints


@pytest.fixture(autouse=True)
def connected(vendor: Endpoints) -> None:
    """Nothing is stored, and the vendor takes the configured token."""
    (vendor.folder / "quickbooks_tokens.json").unlink(missing_ok=True)
    vendor.apps["quickbooks"].auth.refreshed.clear()
    vendor.apps["quickbooks"].auth.expire_all()
    with connect("owner", autocommit=True) as db:
        db.execute("delete from ops.oauth_token")


def begun(at: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, at], stdout=subprocess.PIPE, text=True, cwd=ROOT,
                            env={**os.environ, "PYTHONPATH": str(ROOT / "plugins")})


def told(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def stored() -> list[tuple[int]]:
    with connect("loader") as db:
        return db.execute("select generation from ops.oauth_token").fetchall()


def renewals(vendor: Endpoints) -> list[str]:
    return vendor.apps["quickbooks"].auth.refreshed


@pytest.mark.parametrize(("at", "kept"), [("locked", []), ("answered", []), ("uncommitted", []), ("stored", [(1,)])])
def test_a_process_killed_while_it_rotates_never_loses_the_connection(vendor, at, kept):
    process = begun(at)
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert stored() == kept
    assert "Halden Goods" in told(begun())
    vendor.apps["quickbooks"].auth.expire_all()  # and again, when the access token has ended
    assert "Halden Goods" in told(begun())


def test_killed_again_and_again_the_connection_lives(vendor):
    for at in ("answered", "stored", "uncommitted"):
        process = begun(at)
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        vendor.apps["quickbooks"].auth.expire_all()
        assert "Halden Goods" in told(begun())
        vendor.apps["quickbooks"].auth.expire_all()
        _age_tokens()


def _age_tokens() -> None:
    """The stored access token ends, as far as anybody knows: the next process renews it."""
    secret = os.environ["TIEOUT_SECRET_QUICKBOOKS_WEB_SHOP__REFRESH_TOKEN"]
    store = WarehouseTokens("quickbooks_web_shop", secret)
    with connect("loader") as db:
        grant = store.read(db)
        store.write(db, type(grant)(grant.refresh_token, grant.access_token, time.time() - 1,
                                    grant.refresh_ends_at, grant.generation))


def test_processes_that_begin_together_rotate_once(vendor):
    processes = [begun() for _ in range(4)]
    assert all("Halden Goods" in told(process) for process in processes)
    assert len(renewals(vendor)) == 1 and stored() == [(1,)]


def test_who_waits_for_a_process_that_is_killed_goes_on(vendor):
    holder = begun("locked")
    assert holder.stdout.readline() == "here\n"
    waiting = begun()
    time.sleep(3)
    assert waiting.poll() is None and renewals(vendor) == []
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert "Halden Goods" in told(waiting)


def test_what_is_stored_is_no_token_and_others_may_not_read_it(vendor):
    told(begun())
    with connect("loader") as db:
        ((sealed, until),) = db.execute("select sealed, refresh_ends_at from ops.oauth_token").fetchall()
    assert vendor.apps["quickbooks"].auth.current.encode() not in sealed and until is not None
    for role in ("transformer", "publisher", "bi"):
        with connect(role) as db, pytest.raises(Exception, match="permission denied"):
            db.execute("select * from ops.oauth_token")


def test_a_row_that_somebody_changed_is_told(vendor):
    told(begun())
    with connect("owner", autocommit=True) as db:
        db.execute("update ops.oauth_token set generation = generation + 1")
    secret = os.environ["TIEOUT_SECRET_QUICKBOOKS_WEB_SHOP__REFRESH_TOKEN"]
    with pytest.raises(SourceError, match="changed by somebody else"), \
            WarehouseTokens("quickbooks_web_shop", secret).locked():
        pass


def test_who_connects_anew_begins_another_chain(vendor, monkeypatch):
    told(begun())
    auth = vendor.apps["quickbooks"].auth
    fresh = auth.current
    monkeypatch.setenv("TIEOUT_SECRET_QUICKBOOKS_WEB_SHOP__REFRESH_TOKEN", fresh)
    auth.expire_all()
    assert "Halden Goods" in told(begun())
    assert stored() == [(1,), (1,)]


def test_the_stand_in_started_again_knows_its_tokens(vendor):
    told(begun())
    newest = vendor.apps["quickbooks"].auth.current
    assert type(vendor.apps["quickbooks"].auth)(
        Path(vendor.folder), vendor.apps["quickbooks"]._keys, Habits.none()).current == newest
