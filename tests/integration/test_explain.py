"""`tieout explain`: the story of tests/controls/synthetic.py, told from each of its documents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controls import synthetic
from tieout.errors import PublishError
from tieout.publish import explain as room
from tieout.publish import pointer
from tieout.register import acts, book, log
from tieout.spec import BreakPolicy
from tieout.warehouse import connect


@pytest.fixture(scope="module")
def published() -> Iterator[None]:
    with synthetic.own_warehouse():
        with connect("owner") as db:
            synthetic.fill_ops(db)
            synthetic.fill_raw(db)
        with connect("transformer") as db:
            synthetic.create_marts(db)
            synthetic.fill_marts(db)
            db.execute("update marts.fct_revenue set source_table = 'netsuite__transaction', source_key = document_id"
                       " where connection = 'netsuite'")
            db.execute("update marts.rec_break set break_key = md5('the break')")
            for suite, expectation in (("marts.rec_break", "key_unique"), ("gate", "all_declared_evaluated")):
                db.execute("insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed)"
                           " values (1, 'marts', %s, %s, 'critical', true)", (suite, expectation))
        pointer.publish(1)
        yield


def hops(found: room.Explanation) -> list[str]:
    return [group.hop for group in found.groups]


@pytest.mark.parametrize("word", ["N20", "netsuite:20", "20", "n20", " N20 "])
def test_a_document_is_found_by_number_record_and_id(published, word):
    assert room.explain(word).document.document_key == "20"


def test_the_chain_from_the_invoice(published):
    found = room.explain("N20")
    assert hops(found) == ["deal_order", "order_invoice", "invoice_cash", "invoice_ledger"]
    assert [m.document.document_number for m in found.groups[0].members] == ["ND1", "N10"]
    cash = found.groups[2]
    assert (cash.pass_name, cash.match_pass, cash.confidence, cash.difference) == ("link", 2, 1, 40)
    (broken,) = cash.breaks
    assert (broken.reason_code, broken.amount, broken.status, broken.owner) == ("A10", 40, "open", "collections")
    (record,) = found.records
    assert (record.table, record.key, record.batch_id, record.archive_uri) == (
        "raw.netsuite__transaction", "20", 1, "file:///a")
    assert record.content is None and record.is_newer is False


@pytest.mark.parametrize(("word", "expected"), [
    ("ND1", ["deal_order", "order_invoice", "invoice_cash", "invoice_ledger"]),
    ("N10", ["deal_order", "order_invoice", "invoice_cash", "invoice_ledger"]),
    ("N30", ["deal_order", "order_invoice", "invoice_cash"]),
])  # fmt: skip
def test_the_chain_from_every_other_document(published, word, expected):
    found = room.explain(word)
    assert [hop for hop in expected if hop not in hops(found)] == []


def test_the_register_is_told_with_the_break(published):
    with log.opened() as db:
        entry = book.find(db, book.Filter())[0]
        acts.carry_out(db, entry, acts.Act("acknowledge", "ana", "ana", comment="called them"), BreakPolicy())
    found = room.explain("N20")
    (broken,) = found.groups[2].breaks
    assert (broken.status, broken.comment) == ("acknowledged", "called them")
    assert [event.kind for event in found.events[broken.break_key]] == ["opened", "acknowledged"]


def test_the_records_fields_only_when_asked_for(published):
    (record,) = room.explain("N20", content=True).records
    assert record.content["foreigntotal"] == 110


def test_a_record_that_changed_since_is_told(published):
    with connect("owner") as db:
        db.execute("update raw.netsuite__transaction set _batch_id = 2 where id = '30'")
    assert [record.is_newer for record in room.explain("N30").records] == [True]


@pytest.mark.parametrize(("word", "said"), [
    ("N2O", "near it: "), ("N-20", "netsuite:20 (invoice N20)"), ("crm:99999999", "a number, connection:id"),
    ("", "no document"),
])  # fmt: skip
def test_nothing_found_names_what_is_near(published, word, said):
    with pytest.raises(PublishError, match="no document of the publication") as refused:
        room.explain(word)
    assert said in str(refused.value)


def test_several_found_are_listed_and_told_apart(published):
    with connect("transformer") as db:
        db.execute("update marts.fct_revenue set document_number = 'N10' where document_id = '21'")
    try:
        with pytest.raises(PublishError, match="names 2 documents") as refused:
            room.explain("N10")
        assert "netsuite:10" in str(refused.value) and "sap:21" in str(refused.value)
        assert room.explain("sap:21").document.document_id == "21"
    finally:
        with connect("transformer") as db:
            db.execute("update marts.fct_revenue set document_number = 'N21' where document_id = '21'")


def test_the_command_line_tells_it_all(published, monkeypatch, capfd):
    from tieout import cli, cli_explain

    monkeypatch.setattr(cli_explain, "enter", lambda: None)
    assert cli.main(["explain", "N20"]) == 0
    out = capfd.readouterr().out
    for words in ("Invoice → cash: confirmed by link (pass 2), confidence 1.00", "A10 Overdue: 40.00 USD",
                  "due 2026-06-03", "file:///a", "netsuite:20"):  # fmt: skip
        assert words in out, words
    assert cli.main(["explain", "N20", "--json"]) == 0
    assert '"pass_name": "link"' in capfd.readouterr().out
    assert cli.main(["explain", "nothing like it"]) == 7
