"""`advance`: it changes what a day brings and nothing else, and any way to a moment leads to the same company."""

from __future__ import annotations

import json
import sqlite3

import pytest

from simulator import company, store

INCREMENTAL = {
    "salesforce__Account": "SystemModstamp",
    "salesforce__Opportunity": "SystemModstamp",
    "salesforce__OpportunityLineItem": "SystemModstamp",
    "salesforce__Order": "SystemModstamp",
    "salesforce__OrderItem": "SystemModstamp",
    "salesforce__Contract": "SystemModstamp",
    "netsuite__transaction": "lastmodifieddate",
    "netsuite__customer": "lastmodifieddate",
    "netsuite__nexttransactionlinelink": "lastmodifieddate",
}
LATE = {"salesforce__Opportunity", "salesforce__OpportunityLineItem", "netsuite__transaction"}


def _snapshot(folder):
    database = sqlite3.connect(folder / store.DATABASE)
    database.row_factory = sqlite3.Row
    found = {}
    for table in store.read_state(folder).tables():
        rows = (dict(row) for row in database.execute(f'select * from "{table.sql_name}"'))
        found[table.sql_name] = {tuple(row[part] for part in table.key): row for row in rows}
    return found


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Snapshots and keys of four days in a row."""
    folder = tmp_path_factory.mktemp("company")
    company.generate(folder, seed=11)
    seen = [(store.read_state(folder).now, _snapshot(folder), json.loads((folder / "key.json").read_text()))]
    for _ in range(4):
        company.advance(folder)
        seen.append((store.read_state(folder).now, _snapshot(folder), json.loads((folder / "key.json").read_text())))
    return seen


def _changes(before, after):
    """{table: (new keys, changed keys, lost keys)}"""
    return {
        name: (
            after[name].keys() - before[name].keys(),
            {k for k in before[name].keys() & after[name].keys() if before[name][k] != after[name][k]},
            before[name].keys() - after[name].keys(),
        )
        for name in after
    }


def _pairs(days):
    return [(now, before, after) for (_, before, _), (now, after, _) in zip(days, days[1:], strict=False)]


def test_the_clock_moves_a_day(days):
    assert [now for now, _, _ in days] == [f"2026-{d} 23:00:00" for d in ("06-30", "07-01", "07-02", "07-03", "07-04")]


def test_several_days_at_once_lead_to_the_same_company(days, tmp_path):
    company.generate(tmp_path, seed=11)
    company.advance(tmp_path, 4)
    assert _snapshot(tmp_path) == days[-1][1]
    assert json.loads((tmp_path / "key.json").read_text()) == days[-1][2]


def test_every_day_brings_each_kind_of_change(days):
    for now, before, after in _pairs(days):
        change = _changes(before, after)
        day = now[:10]
        new, changed, lost = change["netsuite__transaction"]
        kinds = {after["netsuite__transaction"][k]["type"] for k in new}
        assert {"SalesOrd", "CustInvc", "CustPymt"} <= kinds, day
        assert any(
            after["netsuite__transaction"][k]["status"] == "B" and before["netsuite__transaction"][k]["status"] == "A"
            for k in changed
            if after["netsuite__transaction"][k]["type"] == "CustInvc"
        ), f"{day}: no open invoice paid"
        assert len(lost) == 1
        feed = change["netsuite__deletedrecord"][0]
        assert {(key[0],) for key in feed} == lost
        deals = change["salesforce__Opportunity"]
        assert sum(after["salesforce__Opportunity"][k]["IsDeleted"] for k in deals[1]) == 1
        assert any(
            after["salesforce__Opportunity"][k]["Amount"] != before["salesforce__Opportunity"][k]["Amount"]
            for k in deals[1]
        )
        assert deals[0] and not deals[2]
        assert any(
            after["salesforce__Account"][k]["BillingStreet"] != before["salesforce__Account"][k]["BillingStreet"]
            for k in change["salesforce__Account"][1]
        )
        assert len(change["netsuite__currencyrate"][0]) == 20
        assert not change["netsuite__currencyrate"][1]


def test_a_deleted_line_shows_only_in_its_headers_stamp(days):
    found = 0
    for _, before, after in _pairs(days):
        lost_documents = {key[0] for key in _changes(before, after)["netsuite__transaction"][2]}
        for key in _changes(before, after)["netsuite__transactionline"][2]:
            transaction = before["netsuite__transactionline"][key]["transaction"]
            if transaction in lost_documents:
                continue
            found += 1
            assert (
                after["netsuite__transaction"][transaction,]["lastmodifieddate"]
                > before["netsuite__transaction"][transaction,]["lastmodifieddate"]
            )
    assert found >= 4


def test_what_changed_carries_a_stamp_of_the_day_but_for_one_late_record_each(days):
    for (then, before, _), (now, after, _) in zip(days, days[1:], strict=False):
        late = set()
        for name, column in INCREMENTAL.items():
            new, changed, _ = _changes(before, after)[name]
            for key in new | changed:
                stamp = after[name][key][column]
                assert stamp < now
                if stamp < then:
                    late.add(name)
                    assert name in LATE and key in new
                    assert stamp > then[:11] + "22:15:00", "an overlap of two hours must catch it"
        assert late == LATE


def test_children_change_only_with_their_header(days):
    for _, before, after in _pairs(days):
        change = _changes(before, after)
        headers = {key[0] for keys in change["netsuite__transaction"] for key in keys}
        for name in ("netsuite__transactionline", "netsuite__transactionaccountingline"):
            for keys, rows in zip(change[name], (after, after, before), strict=True):
                assert {rows[name][key]["transaction"] for key in keys} <= headers


def test_the_key_follows_the_records(days):
    """Deleted duplicates and withdrawn deals leave it, the repriced order enters, open invoices leave when paid."""
    for (_, _, old), (_, _, new) in zip(days, days[1:], strict=False):
        before = {(b["reason"], b["scenario"], tuple(map(tuple, b["documents"]))) for b in old["breaks"]}
        after = {(b["reason"], b["scenario"], tuple(map(tuple, b["documents"]))) for b in new["breaks"]}
        gone, come = {(r, s) for r, s, _ in before - after}, {(r, s) for r, s, _ in after - before}
        assert ("F1", "corrected") in gone
        assert ("A1", "withdrawn") in gone
        assert ("C1", "repriced_order") in come
        assert {s for _, s, _ in before & after} > {"clean", "instalments"}


def test_only_forward(tmp_path):
    with pytest.raises(ValueError, match="forward"):
        company.advance(tmp_path, 0)
    with pytest.raises(FileNotFoundError, match="generate"):
        company.advance(tmp_path)
