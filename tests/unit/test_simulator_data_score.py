"""The score against a small key and made-up marts: each kind of mistake shows in its own figure."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal

import pytest

from simulator import score as scoring
from simulator.score import CURRENT, score

KEY = {
    "version": 1,
    "seed": 1,
    "size": "1k",
    "level": 2,
    "now": "2026-06-30 23:00:00",
    "groups": [
        {
            "id": "g1",
            "hop": "deal_order",
            "left": [["salesforce", "D1"]],
            "right": [["netsuite", "1"]],
            "names_agree": True,
        },
        {
            "id": "g2",
            "hop": "deal_order",
            "left": [["salesforce", "D2"]],
            "right": [["netsuite", "2"]],
            "names_agree": False,
        },
        {
            "id": "g3",
            "hop": "order_invoice",
            "left": [["netsuite", "1"]],
            "right": [["netsuite", "3"]],
            "names_agree": True,
        },
    ],
    "breaks": [
        {
            "id": "b1",
            "hop": "deal_order",
            "reason": "C1",
            "documents": [["salesforce", "D1"], ["netsuite", "1"]],
            "amount": "5.00",
            "currency": "EUR",
            "names_agree": True,
        },
        {
            "id": "b2",
            "hop": "deal_order",
            "reason": "A1",
            "documents": [["salesforce", "D3"]],
            "amount": "7.00",
            "currency": "USD",
            "names_agree": False,
        },
        {
            "id": "b3",
            "hop": "order_invoice",
            "reason": "H2",
            "documents": [["netsuite", "9"]],
            "amount": "-3.00",
            "currency": "USD",
            "names_agree": True,
        },
    ],
    "customers": [
        ["salesforce", "A", "netsuite", "1"],
        ["salesforce", "B", "netsuite", "2"],
    ],
    "counts": {},
}
DOCUMENTS = {
    "d1": ("salesforce", "D1"),
    "d2": ("salesforce", "D2"),
    "d3": ("salesforce", "D3"),
    "o1": ("netsuite", "1"),
    "o2": ("netsuite", "2"),
    "i3": ("netsuite", "3"),
    "e9": ("netsuite", "9"),
}


class Marts:
    """The tables that the score reads, all right unless told otherwise."""

    def __init__(self):
        self.matches = {
            "m1": ("deal_order", "d1", "o1"),
            "m2": ("deal_order", "d2", "o2"),
            "m3": ("order_invoice", "o1", "i3"),
        }
        self.breaks = [("deal_order", "C1", "d1", "o1", "5.00", "EUR"), ("deal_order", "A1", "d3", None, "7.00", "USD")]
        self.scoped = [("order_invoice", "e9", "H2")]
        self.unexplained = "0.00"
        self.customers = {("crm", "A"): "a", ("erp", "1"): "a", ("crm", "B"): "b", ("erp", "2"): "b"}
        self.reviewed = [("salesforce_global", "netsuite_global"), ("salesforce_retail", "oracle_retail")]

    def connect(self):
        sqlite3.register_converter("numeric", lambda text: Decimal(text.decode()))
        database = sqlite3.connect(":memory:", detect_types=sqlite3.PARSE_DECLTYPES)
        database.executescript("""
            attach ':memory:' as marts;
            attach ':memory:' as intermediate;
            create table intermediate.int_customers__identified (connection text, customer_id text, customer_key text,
                role text, superseded_run integer);
            create table intermediate.int_customers__compared (connection_a text, connection_b text, zone text);
            create table marts.fct_revenue (document_key text,
                source_system text, document_id text, connection text, superseded_run integer);
            create table marts.rec_match (match_key text, hop text, status text, superseded_run integer);
            create table marts.rec_match_member (match_key text, hop text, side text,
                document_key text, group_amount numeric,
                                                 superseded_run integer);
            create table marts.rec_break (break_key text, hop text, reason_code text, document_key text,
                                          counter_document_key text, amount numeric,
                currency_code text, superseded_run integer);
            create table marts.rec_document (document_key text,
                hop text, outcome text, reason_code text, superseded_run integer);
            create table marts.rec_summary (hop text, unexplained_amount numeric, superseded_run integer);
        """)
        fill = [("fct_revenue", (key, *named, f"{named[0]}_global")) for key, named in DOCUMENTS.items()]
        fill += [("rec_match", (key, hop, "confirmed")) for key, (hop, _, _) in self.matches.items()]
        for key, (hop, left, right) in self.matches.items():
            fill += [
                ("rec_match_member", (key, hop, "left", left, "100.00")),
                ("rec_match_member", (key, hop, "right", right, "-90.00")),
            ]
        fill += [("rec_break", (str(number), *one)) for number, one in enumerate(self.breaks)]
        fill += [("rec_document", (key, hop, "scoped_out", reason)) for hop, key, reason in self.scoped]
        fill += [
            ("rec_document", ("d1", "deal_order", "broken", None)),
            ("rec_document", ("d2", "deal_order", "matched", None)),
        ]
        fill += [("rec_summary", ("deal_order", self.unexplained))]
        for table, values in fill:
            database.execute(f"insert into marts.{table} values ({', '.join('?' * len(values))}, {CURRENT})", values)
        where = {"crm": "salesforce_global", "erp": "netsuite_global"}
        database.executemany(
            f"insert into intermediate.int_customers__identified values (?, ?, ?, ?, {CURRENT})",
            [(where[role], id_, key, role) for (role, id_), key in self.customers.items()],
        )
        database.executemany("insert into intermediate.int_customers__compared values (?, ?, 'review')", self.reviewed)
        # what an earlier run said must not count
        database.execute(
            "insert into intermediate.int_customers__identified values ('netsuite_global', '1', 'b', 'erp', 3)")
        database.execute("insert into marts.rec_break values ('old', 'deal_order', 'X', 'd1', null, '1.00', 'EUR', 3)")
        return database


@pytest.fixture
def marts():
    return Marts()


@pytest.fixture
def scored(marts, tmp_path):
    (tmp_path / "key.json").write_text(json.dumps(KEY))
    return lambda: score(tmp_path, marts.connect())


def test_all_right(scored):
    result = scored()
    assert result["passed"]
    assert {reason: row["f1"] for reason, row in result["classes"].items()} == {"A1": 1.0, "C1": 1.0, "H2": 1.0}
    assert result["false_auto"]["count"] == 0 and result["false_auto"]["of"] == 3
    assert {hop: row["exact_groups"] for hop, row in result["hops"].items()} == {"deal_order": 2, "order_invoice": 1}
    assert result["restricted"]["hops"]["deal_order"]["pairs"] == 1
    assert result["auto_match_rate"]["deal_order"]["rate"] == 0.5
    json.dumps(result)


def test_a_missed_break_counts_and_blocks_only_where_names_agree(marts, scored):
    marts.breaks = marts.breaks[:1]
    result = scored()
    assert (result["classes"]["A1"]["recall"], result["classes"]["A1"]["fn"]) == (0.0, 1)
    assert result["confusion"]["A1"] == {"none": 1}
    assert result["passed"]
    marts.breaks = []
    assert not scored()["passed"]


def test_another_reason_is_a_confusion_and_a_false_positive(marts, scored):
    marts.breaks[0] = ("deal_order", "C3", "d1", "o1", "5.00", "EUR")
    result = scored()
    assert result["confusion"]["C1"] == {"C3": 1}
    assert result["classes"]["C3"]["fp"] == 1 and result["classes"]["C3"]["precision"] == 0.0


def test_another_hop_is_not_found(marts, scored):
    marts.breaks[0] = ("order_invoice", "C1", "d1", "o1", "5.00", "EUR")
    assert scored()["classes"]["C1"]["tp"] == 0


def test_another_amount_is_found_but_not_exact(marts, scored):
    marts.breaks[0] = ("deal_order", "C1", "d1", "o1", "4.00", "EUR")
    row = scored()["classes"]["C1"]
    assert (row["tp"], row["amount_exact"]) == (1, 0)


def test_a_wrong_match_is_a_false_auto_by_count_and_amount(marts, scored):
    marts.matches["m2"] = ("deal_order", "d2", "o1")
    result = scored()
    assert (result["false_auto"]["count"], Decimal(result["false_auto"]["group_amount"])) == (1, 100)
    assert result["hops"]["deal_order"]["precision"] < 1 and result["hops"]["deal_order"]["fp"] == 1
    assert not result["passed"]


def test_a_scoped_document_is_found_at_any_hop_and_missed_when_in_scope(marts, scored):
    marts.scoped = [("invoice_cash", "e9", "H2"), ("invoice_ledger", "e9", "H2")]
    assert scored()["classes"]["H2"]["f1"] == 1.0
    marts.scoped = []
    assert scored()["classes"]["H2"]["recall"] == 0.0


def test_unexplained_money_does_not_pass(marts, scored):
    marts.unexplained = "0.01"
    result = scored()
    assert Decimal(result["unexplained"]["deal_order"]) == Decimal("0.01")
    assert not result["passed"]


def test_a_compressed_key_is_read(tmp_path):
    import gzip

    with gzip.open(tmp_path / "key.json.gz", "wt") as stream:
        json.dump(KEY, stream)
    assert scoring.read_key(tmp_path)["seed"] == 1


def test_a_payment_told_in_pieces_is_one_group():
    true = scoring._joined([(("i1", "i2"), ("p",)), (("i9",), ("q",))])
    pieces = scoring._joined([(("i1",), ("p",)), (("i9",), ("q",)), (("i2",), ("p",))])
    assert true == pieces == {(frozenset({"i1", "i2"}), frozenset({"p"})), (frozenset({"i9"}), frozenset({"q"}))}
    assert scoring._joined([(("i1",), ("p",)), (("i2",), ("r",))]).isdisjoint(true)


def test_identities_are_judged_by_pairs_and_by_unit(marts, tmp_path):
    (tmp_path / "key.json").write_text(json.dumps(KEY))
    found = score(tmp_path, marts.connect())["identity"]
    assert (found["pairs"], found["found"], found["false_auto"], found["f1"], found["review"]) == (2, 2, 0, 1.0, 1)
    marts.customers["erp", "2"] = "a"
    found = score(tmp_path, marts.connect())["identity"]
    assert (found["found"], found["false_auto"], found["precision"], found["recall"]) == (2, 1, 0.5, 0.5)
    assert found["false"] == [("salesforce_global", "A", "netsuite_global", "2")]
