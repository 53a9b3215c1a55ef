"""Extracts of Oracle Fusion (BICC): read by other tools as by us, and in staging the same as what REST says."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import polars
import pytest

from simulator.company import advance, generate
from simulator.habits import Habits, OraclePod
from simulator.oracle_bicc import drop
from simulator.serve import start
from simulator.store import open_for_writing, read_state
from tests.conftest import clear_settings, open_folder
from tests.integration.transform_company import open_run, own_warehouse
from tieout import steps
from tieout.errors import SourceError
from tieout.landing.land import land_connection
from tieout.settings import settings
from tieout.transform import build
from tieout.warehouse import connect, migrate

pytestmark = pytest.mark.slow
LINES = "arbiccextractam_transactionlineextractpvo-batch"
KEYED = ("TransactionHeader", "TransactionLine", "TransactionDistribution", "PaymentSchedule", "ReceiptHeader",
         "ReceivableApplication", "JournalBatch", "JournalHeader", "JournalLine", "DailyRate")
STORES = (*KEYED, *(f"{name}Keys" for name in KEYED), "TransactionType", "CodeCombination")


def rows(sql: str) -> list[tuple]:
    with connect("transformer") as db:
        return db.execute(sql).fetchall()


@pytest.fixture(scope="module")
def pod() -> Iterator[Path]:
    """One pod, landed twice: `oracle_retail` over REST, `oracle_files` from extracts, and master data over REST."""
    with open_folder() as folder:
        generate(folder, seed=12, size="1k", level=1, of="retail")
        with start(folder, habits=Habits.none(), oracle=OraclePod()) as vendors:
            connections = vendors.tieout_yml(folder / "tieout.yml").read_text()
            before, _, found = connections.partition("  oracle_retail:")
            files = found.replace("options:", f"options:\n      extracts: {folder / 'bicc'}", 1)
            drop(folder, folder / "bicc")
            with own_warehouse(f"{before}  oracle_retail:{found}\n  oracle_files:{files}"):
                secrets = vendors.environment()
                os.environ.update(secrets | {name.replace("ORACLE_RETAIL", "ORACLE_FILES"): value
                                             for name, value in secrets.items()})
                clear_settings()
                migrate()
                for connection in ("oracle_retail", "oracle_files"):
                    steps.land(connection)
                build.run(open_run(), select="+path:models/staging/oracle")
                yield folder


def test_each_form_lands_its_own_streams_and_not_the_others(pod):
    landed = dict(rows("select connection, array_agg(distinct stream) from ops.load group by connection"))
    assert set(landed["oracle_files"]) >= {*STORES, "salesOrdersForOrderHub", "itemsV2", "ledgersLOV"}
    assert not {"receivablesInvoices", "receivablesInvoiceInstallments", "standardReceipts", "currencyRates",
                "journalBatches", "journalLines"} & set(landed["oracle_files"])
    assert {"ledgerBalances", "transactionAdjustments"} <= set(landed["oracle_files"])
    assert not set(STORES) & set(landed["oracle_retail"])
    assert rows("select stream, reason from ops.quarantine limit 5") == []


def test_duckdb_and_polars_read_the_files_as_we_landed_them(pod, tmp_path):
    """Row for row: keys, amounts, dates."""
    (path,) = (pod / "bicc").glob(f"*{LINES}*")
    zipfile.ZipFile(path).extractall(tmp_path)
    (csv,) = tmp_path.glob("*.csv")
    fields = ("CustomerTrxLineId", "CustomerTrxId", "LineType", "ExtendedAmount", "LastUpdateDate")
    wanted = [f"RaCustomerTrxLine{field}" for field in fields]
    listed = ", ".join(f'"{name}"' for name in wanted)
    by_duckdb = duckdb.sql(f"select {listed} from read_csv('{csv}', all_varchar=true)").fetchall()
    by_polars = polars.read_csv(csv, infer_schema=False).select(wanted).rows()
    ours = rows(f"select {', '.join(name.lower() for name in wanted)} from raw.oracle__transactionline "
                "where _superseded_batch is null and _connection = 'oracle_files'")

    def plain(found: list[tuple]) -> list[tuple]:
        return sorted((key, of, kind, Decimal(amount), str(stamp)[:19]) for key, of, kind, amount, stamp in found)

    assert len(ours) > 6_000
    assert plain(by_duckdb) == plain(by_polars) == plain(ours)


@pytest.mark.parametrize(("model", "columns"), [
    ("documents", "document_id, document_type, document_number, legal_entity_id, customer_id, currency_code, status, "
     "reference, posting_period, header_total_amount, exchange_rate, is_posting, is_voided, is_pending, document_date, "
     "case when not is_pending then due_date end"),  # an incomplete transaction has no payment schedule yet
    ("revenue_events", "document_id, event_type, leg, product_id, quantity, currency_code, net_amount, tax_amount, "
     "total_amount, functional_amount, event_date, posting_date, period, scope, scope_reason"),
    ("gl_entries", "document_id, account_code, account_kind, amount, functional_amount, functional_currency_code, "
     "posting_date, period, is_manual"),
    ("settlements", "payment_id, invoice_id, currency_code, applied_amount, discount_amount, applied_date"),
    ("document_links", "from_type, from_id, to_type, to_id, link_type, amount"),
    ("fx_rates", "from_currency_code, to_currency_code, rate, rate_date"),
])  # fmt: skip
def test_both_forms_feed_the_same_contract(pod, model, columns):
    rest, files = (f"select {columns}, count(*) from staging.stg_oracle__{model} where connection = '{name}' "
                   f"group by {columns}" for name in ("oracle_retail", "oracle_files"))
    assert rows(f"select count(*) > 1000 from ({rest}) as r") == [(True,)]
    assert rows(f"select * from (({rest}) except all ({files})) as x limit 3") == []
    assert rows(f"select * from (({files}) except all ({rest})) as x limit 3") == []


def test_a_later_extract_holds_what_changed_and_a_vanished_key_is_a_deletion(pod):
    since = read_state(pod).now
    advance(pod, 1)
    database = open_for_writing(pod)
    (gone,) = database.execute('SELECT min("CustomerTransactionId") FROM "oracle__receivablesInvoices"').fetchone()
    database.execute('DELETE FROM "oracle__receivablesInvoices" WHERE "CustomerTransactionId" = ?', (gone,))
    database.close()
    drop(pod, pod / "bicc", since)
    loads = {load.stream: load for load in land_connection(
        settings().company.connection("oracle_files"), None, streams=STORES)}
    assert 0 < loads["TransactionHeader"].landed < 60
    assert loads["TransactionHeaderKeys"].deleted == 2  # ours, and the duplicate that the day itself takes back
    assert loads["TransactionHeader"].deleted == 0  # what an extract does not hold is unchanged, not gone
    there = ("select count(*) from staging.stg_oracle__documents "
             f"where connection = 'oracle_files' and document_id = '{gone}'")
    assert rows(there) == [(1,)]
    build.run(open_run(), select="+path:models/staging/oracle")
    assert rows(there) == [(0,)]
    again = land_connection(settings().company.connection("oracle_files"), None, streams=["TransactionHeader"])
    assert (again[0].received, again[0].landed) == (0, 0)


def test_a_file_that_is_not_what_its_manifest_says_is_refused(pod):
    (path, *_) = sorted((pod / "bicc").glob(f"*{LINES}*"))
    damaged = path.with_name(path.name.replace("-2026", "-2099"))
    damaged.write_bytes(path.read_bytes()[:-1] + b"x")
    (pod / "bicc" / "20990101_000000-MANIFEST.MF").write_text(f"{damaged.name};{'0' * 32}\n")
    with pytest.raises(SourceError, match="was announced"):
        land_connection(settings().company.connection("oracle_files"), None, streams=["TransactionLine"])
