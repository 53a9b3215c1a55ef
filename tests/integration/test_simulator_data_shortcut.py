"""The shortcut fills raw as a first landing would: current versions, typed, only the primary book."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from simulator import company, store
from simulator.shortcut import CONNECTIONS, load_raw
from tieout.warehouse import connect


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    company.generate(folder, seed=3)
    return folder


def test_every_stream_is_loaded_once_and_again(folder, warehouse):
    first, second = load_raw(folder), load_raw(folder)
    assert first == second
    assert {table for table, count in first.items() if not count} == {"raw.netsuite__deletedrecord"[4:]}
    with connect("transformer") as db:
        for table, count in first.items():
            found = db.execute(
                f"select count(*), count(distinct (_connection, _key)) from raw.{table} "
                "where _superseded_batch is null and _connection = any(%s)", (list(CONNECTIONS.values()),)).fetchone()
            assert found == (count, count), table


def test_values_are_typed_and_flags_and_stamps_kept(folder, warehouse):
    load_raw(folder)
    source = sqlite3.connect(folder / store.DATABASE)
    deal = source.execute("select Id, Amount, SystemModstamp, IsWon from salesforce__Opportunity").fetchone()
    with connect("transformer") as db:
        row = db.execute(
            "select amount, systemmodstamp, iswon, _modified_at, _is_deleted from raw.salesforce__opportunity "
            "where id = %s and _connection = 'salesforce_global'", (deal[0],)).fetchone()
        stamp = datetime.fromisoformat(deal[2]).replace(tzinfo=UTC)
        assert row == (Decimal(deal[1]), stamp, bool(deal[3]), stamp, False)
        books = db.execute("select distinct accountingbook from raw.netsuite__transactionaccountingline "
                           "where _connection = 'netsuite_global'").fetchall()
    assert books == [("1",)]
