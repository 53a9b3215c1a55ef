"""What nothing names: matched by figures, disputed, decided by people on the command line, taken back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest

from tests.integration import random_company as company
from tests.integration.transform_company import new_batch, open_run, own_warehouse
from tieout import cli, steps
from tieout.publish import pointer
from tieout.transform import build
from tieout.warehouse import connect

OPEN = 9223372036854775807
DAY = date(2026, 5, 1)
TIEOUT_YML = """
version: 1
group: {currency: USD}
connections:
  crm_one: {system: salesforce, auth: jwt_bearer, time_zone: UTC, currency: USD, legal_entity: "1",
            options: {login_url: "https://one.my.salesforce.com"}}
  erp_one: {system: netsuite, auth: tba, time_zone: UTC, currency: USD, legal_entity: "1", options: {account: "1"}}
"""
Tieout = Callable[..., str]


class Case:
    """One customer on both sides, and what a test lands of it. Each `build` is a run, published."""

    def __init__(self) -> None:
        self.world = company.World(company.Random(1))
        put = self.world.put
        put("netsuite__currency", "erp_one", "1", id="1", symbol="USD", isbasecurrency=True)
        put("netsuite__subsidiary", "erp_one", "1", id="1", name="Unit 1", currency="1")
        put("netsuite__item", "erp_one", "1", id="1", itemid="SKU1", itemtype="Service")
        put("salesforce__product2", "crm_one", "1", id="1", name="1", productcode="SKU1", isactive=True)
        put("salesforce__account", "crm_one", "91", id="91", name="Zeta Works", billingcountrycode="US",
            erp_customer_id="92", website="zeta.example", ispersonaccount=False)
        put("netsuite__customer", "erp_one", "92", id="92", companyname="Zeta Works", externalid="91",
            url="zeta.example", isperson=False)
        self.is_first = True

    def deal(self, number: str, amount: int, day: date = DAY) -> None:
        self.world.put("salesforce__opportunity", "crm_one", number, id=number, name=f"Deal {number}", accountid="91",
                       currencyisocode="USD", selling_entity="1", amount=amount, iswon=True, closedate=day,
                       stagename="x")

    def document(self, kind: str, number: str, amount: int, day: date = DAY, reference: str | None = None) -> None:
        self.world.put("netsuite__transaction", "erp_one", number, id=number, tranid=f"N{number}", type=kind,
                       status=company.STATUS[kind], approvalstatus="2", entity="92", currency="1", postingperiod="5",
                       otherrefnum=reference, externalid=None, exchangerate=1, foreigntotal=amount,
                       posting=company.POSTING[kind], voided=False, duedate=day, trandate=day)
        for line in (0, 1):
            self.world.put("netsuite__transactionline", "erp_one", f"{number}-{line}", uniquekey=f"{number}-{line}",
                           transaction=number, id=str(line), item="1" if line else None,
                           itemtype="Service" if line else None, subsidiary="1", quantity=-line,
                           foreignamount=-amount if line else amount, mainline=not line, taxline=False, iscogs=False,
                           eliminate=False, createdfrom=None)

    def build(self) -> None:
        company.land(self.world, new_batch())
        run_id = open_run("2026-06-01 12:00Z")
        report = build.run(run_id, full_refresh=self.is_first)
        assert report.is_full == self.is_first, report.reason
        self.is_first = False
        self.suggested = steps.match(run_id)
        self.run_id = run_id
        with connect("transformer") as db:
            for suite, expectation in (("marts.rec_break", "key_unique"), ("gate", "all_declared_evaluated")):
                db.execute("insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed)"
                           " values (%s, 'marts', %s, %s, 'critical', true)", (run_id, suite, expectation))
        pointer.publish(run_id)

    def matches(self, hop: str = "deal_order") -> set[tuple[int, tuple[str, ...]]]:
        """{(pass, ids of the members, the left ones first)}."""
        with connect("transformer") as db:
            return {(number, tuple(ids)) for number, ids in db.execute(
                "select m.match_pass, array_agg(d.document_id order by d.side, d.document_id) from marts.rec_match m"
                " join marts.rec_document d using (match_key) where m.superseded_run = %(open)s"
                " and d.superseded_run = %(open)s and m.hop = %(hop)s group by m.match_key, m.match_pass",
                {"open": OPEN, "hop": hop})}

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """{hop, pass and whether it is sure: ids, the left ones first}, as readers see them."""
        with connect("publisher") as db:
            return {" ".join(key): tuple(ids) for *key, ids in db.execute(
                "select hop, pass_name, case when is_sure then 'sure' else 'perhaps' end,"
                " array_agg(document_id order by side, document_id) from reporting.rec_suggestion"
                " group by suggestion_key, 1, 2, 3")}

    def reasons(self, hop: str = "deal_order") -> dict[str, str]:
        with connect("transformer") as db:
            return dict(db.execute("select document_id, reason_code from marts.rec_break where superseded_run = %s"
                                   " and hop = %s", (OPEN, hop)))


@pytest.fixture(scope="module")
def case() -> Iterator[Case]:
    with own_warehouse(TIEOUT_YML):
        yield Case()


@pytest.fixture
def tieout(capfd: pytest.CaptureFixture) -> Tieout:
    def run(*words: str, code: int = 0) -> str:
        capfd.readouterr()
        assert cli.main(["documents", *words]) == code, capfd.readouterr()
        out, err = capfd.readouterr()
        return out if not code else err

    return run


def test_figures_that_are_alone_are_a_match(case: Case) -> None:
    case.deal("1001", 777)
    case.document("SalesOrd", "2001", 777, DAY + timedelta(15))
    case.document("CustInvc", "3001", 777, DAY + timedelta(20))
    case.deal("1002", 555)
    case.document("SalesOrd", "2002", 555, DAY + timedelta(46))  # too late for the hop's days
    case.build()
    assert case.matches() == {(7, ("1001", "2001"))}
    assert case.matches("order_invoice") == {(7, ("2001", "3001"))}
    assert case.reasons() == {"1002": "A1", "2002": "A4"}


def test_a_rival_makes_them_nobodys_and_goes(case: Case) -> None:
    case.document("SalesOrd", "2003", 777, DAY + timedelta(44))
    case.build()
    assert case.matches() == set() and case.matches("order_invoice") == set()
    assert case.reasons() == {"1001": "A1", "2001": "A4", "2003": "A4", "1002": "A1", "2002": "A4"}
    company.remove_document(case.world, "netsuite__transaction", ("erp_one", "2003"))
    case.build()
    assert case.matches() == {(7, ("1001", "2001"))}
    assert case.matches("order_invoice") == {(7, ("2001", "3001"))}


def test_what_people_decide_wins_and_is_taken_back(case: Case, tieout: Tieout) -> None:
    told = json.loads(tieout("decide", "1001", "N2001", "--never", "--reason", "another contract", "--json"))
    assert told["hop"] == "deal_order" and told["decision_id"]
    tieout("decide", "crm_one:1002", "N2002", "--match", "--reason", "signed in May", "--by", "ana")
    assert "counts already" in tieout("decide", "1002", "N2002", "--match", "--reason", "again")
    case.build()
    assert case.matches() == {(1, ("1002", "2002"))}
    assert case.reasons() == {"1001": "A1", "2001": "A4"}
    case.build()  # nothing changed, and nothing is judged again
    assert json.loads(tieout("review", "--hop", "deal_order", "--json")) == []
    assert {each["same"] for each in json.loads(tieout("list", "--json"))} == {True, False}
    tieout("decide", "1001", "N2001", "--revoke", "--reason", "that was wrong")
    case.build()
    assert case.matches() == {(1, ("1002", "2002")), (7, ("1001", "2001"))}


def test_a_decision_wins_over_a_link(case: Case, tieout: Tieout) -> None:
    """The invoice names an order by its link; a person places it at another, with a difference: a match and a break."""
    case.document("SalesOrd", "2004", 400)
    case.document("SalesOrd", "2005", 300)
    case.document("CustInvc", "3004", 400)
    case.world.put("netsuite__nexttransactionlink", "erp_one", "2004|3004|OrdBill", previousdoc="2004", nextdoc="3004",
                   previoustype="SalesOrd", nexttype="CustInvc", linktype="OrdBill", foreignamount=400, nextdate=DAY)
    case.build()
    assert (2, ("2004", "3004")) in case.matches("order_invoice")
    tieout("decide", "N2005", "N3004", "--match", "--reason", "billed from the wrong order")
    case.build()
    assert (1, ("2005", "3004")) in case.matches("order_invoice")
    assert case.reasons("order_invoice")["2004"] == "A2"
    tieout("decide", "N2005", "N3004", "--revoke", "--reason", "no")
    case.build()
    assert (2, ("2004", "3004")) in case.matches("order_invoice")


def test_what_all_passes_would_take_is_proposed_and_imported(
    case: Case, tieout: Tieout, tmp_path, capfd: pytest.CaptureFixture
) -> None:
    """A deal of 900 and two orders of 513 and 387 are one sum; figures alone never say so in a build."""
    case.deal("1010", 900)
    case.document("SalesOrd", "2010", 513, DAY + timedelta(3))
    case.document("SalesOrd", "2011", 387, DAY + timedelta(4))
    case.build()
    assert case.reasons()["1010"] == "A1"
    found = [each for each in json.loads(tieout("review", "--hop", "deal_order", "--json"))
             if {one["document_id"] for one in each["left"]} == {"1010"}]
    assert [{one["document_id"] for one in each["right"]} for each in found] == [{"2010", "2011"}]
    suggested = [name for name, ids in case.suggestions().items() if ids == ("1010", "2010", "2011")]
    assert len(suggested) == 1 and case.suggested.recorded >= 3
    assert cli.main(["explain", "N2010"]) == 0
    assert "Deal 1010 and N2010 + N2011 may belong together (" in " ".join(capfd.readouterr().out.split())
    path = tmp_path / "open.csv"
    tieout("export", str(path), "--hop", "deal_order")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if "1010" in (row["record_id_a"], row["record_id_b"]):
            row |= {"verdict": "SAME", "reason": "two deliveries"}
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    assert json.loads(tieout("import", str(path), "--json"))["decided"] == 2
    case.build()
    assert (5, ("1010", "2010", "2011")) in case.matches()
    assert not [ids for ids in case.suggestions().values() if "1010" in ids] and case.suggested.closed >= 3


@pytest.mark.parametrize(("words", "said"), [
    (("decide", "1001", "1002", "--match", "--reason", "x"), "a deal and a deal are not matched by decision"),
    (("decide", "1001", "N2001", "--match"), "needs its reason"),
    (("decide", "1001", "N2001"), "exactly one of"),
    (("decide", "1001", "N2001", "--match", "--amount", "5", "--reason", "x"), "said of a payment"),
    (("decide", "1001", "N2005", "--revoke", "--reason", "x"), "nothing was decided"),
    (("review", "--hop", "nowhere"), "no hop with proposals"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(case: Case, tieout: Tieout, words: tuple[str, ...], said: str) -> None:
    assert said in " ".join(tieout(*words, code=2).split())


def test_a_person_applies_cash_that_the_books_do_not(
    case: Case, tieout: Tieout, capfd: pytest.CaptureFixture
) -> None:
    """Payments of 600 and 150 and nothing of them applied; invoices of 500 and 250."""
    for number, amount in (("3020", 500), ("3021", 250)):
        case.document("CustInvc", number, amount)
    for number, amount in (("4020", 600), ("4021", 150)):
        case.document("CustPymt", number, amount, DAY + timedelta(9))
    case.build()
    cash = {"3020": "A10", "3021": "A10", "4020": "A7", "4021": "A7"}
    assert cash.items() <= case.reasons("invoice_cash").items()
    told = json.loads(tieout("decide", "N4020", "N3020", "--match", "--reason", "on the slip", "--by", "ana", "--json"))
    assert (told["hop"], told["amount"], told["currency_code"]) == ("invoice_cash", "500.0000", "USD")
    assert "applies 100.00 USD" in tieout("decide", "N3021", "N4020", "--match", "--reason", "the rest")
    assert "counts already" in tieout("decide", "N3021", "N4020", "--match", "--reason", "again")
    assert "have left nothing of erp_one:4020" in " ".join(
        tieout("decide", "N4020", "N3001", "--match", "--reason", "x", code=2).split())  # fmt: skip
    assert "4020 has 0.00 USD open, not 5" in tieout(
        "decide", "N4020", "N3001", "--match", "--amount", "5", "--reason", "x", code=2)  # fmt: skip
    tieout("decide", "N4021", "N3021", "--match", "--reason", "the second slip")
    case.build()
    assert not cash.keys() & case.reasons("invoice_cash").keys()
    assert case.matches("invoice_cash") == {(1, ("3020", "4020")), (5, ("3021", "4020", "4021"))}
    assert applied("3021") == {("3021", "left", 25000), ("4020", "right", 10000), ("4021", "right", 15000)}
    assert cli.main(["explain", "N3020"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "ana decided on 20" in said and "erp_one:4020 belong together 500.00 USD: on the slip" in said


def test_a_decision_about_cash_is_lowered_and_taken_back(case: Case, tieout: Tieout) -> None:
    tieout("decide", "N4021", "N3021", "--match", "--amount", "40.50", "--reason", "109.50 was for another")
    case.build()
    assert {("3021", "A10", 10950), ("4021", "A7", -10950)} <= cents("invoice_cash")
    assert "has 150.00 USD open, not 150.01" in tieout(
        "decide", "N4021", "N3021", "--match", "--amount", "150.01", "--reason", "x", code=2)  # fmt: skip
    tieout("decide", "N4021", "N3021", "--revoke", "--reason", "all of it was")
    case.build()
    assert {("3021", "A10", 15000), ("4021", "A7", -15000)} <= cents("invoice_cash")


def test_what_the_books_apply_counts_towards_the_decision(case: Case, tieout: Tieout) -> None:
    """Of the 500 that were decided the books apply 420 themselves, later all: never more than 500 is applied."""
    for amount, match_pass in ((420, 2), (500, 2)):
        case.world.put("netsuite__nexttransactionlink", "erp_one", "3020|4020|Payment", previousdoc="3020",
                       nextdoc="4020", previoustype="CustInvc", nexttype="CustPymt", linktype="Payment",
                       foreignamount=amount, nextdate=DAY)
        case.build()
        assert (match_pass, ("3020", "4020")) in case.matches("invoice_cash")
        assert applied("3020") == {("3020", "left", 50000), ("4020", "right", 50000)}
        assert applied("3021") == {("3021", "left", 10000), ("4020", "right", 10000)}


def test_an_invoice_that_goes_gives_its_cash_back(case: Case) -> None:
    """To the payment, and from there to nobody: what was decided of other invoices stays what it was."""
    company.remove_document(case.world, "netsuite__transaction", ("erp_one", "3021"))
    case.build()
    assert ("4020", "A7", -10000) in cents("invoice_cash")
    assert applied("3020") == {("3020", "left", 50000), ("4020", "right", 50000)}


def test_cash_is_decided_by_csv(case: Case, tieout: Tieout, tmp_path) -> None:
    case.document("CustInvc", "3022", 130)
    case.document("CustInvc", "3023", 70)
    case.build()
    path = tmp_path / "cash.csv"
    path.write_text("hop,connection_a,record_id_a,connection_b,record_id_b,applied,verdict,reason\n"
                    "invoice_cash,erp_one,3022,erp_one,4021,80.25,SAME,by phone\n"
                    "invoice_cash,erp_one,3023,erp_one,4021,,SAME,by phone\n"
                    "invoice_cash,erp_one,3022,erp_one,4020,,NOT SAME,by phone\n", encoding="utf-8")
    assert json.loads(tieout("import", str(path), "--json")) == {"decided": 3, "unchanged": 0, "empty": 0}
    assert json.loads(tieout("import", str(path), "--json")) == {"decided": 0, "unchanged": 3, "empty": 0}
    case.build()
    assert json.loads(tieout("import", str(path), "--json")) == {"decided": 0, "unchanged": 3, "empty": 0}
    assert {("3022", "A10", 4975), ("3023", "A10", 25)} <= cents("invoice_cash")
    assert not [ids for name, ids in case.suggestions().items() if set(ids) == {"3022", "4020"}]
    assert [each["amount"] for each in json.loads(tieout("list", "--json")) if each["b"] == ["erp_one", "4021"]] == [
        "69.7500", "80.2500"]  # fmt: skip
    path.write_text("hop,connection_a,record_id_a,connection_b,record_id_b,applied,verdict,reason\n"
                    "invoice_cash,erp_one,3022,erp_one,4020,,SAME,by phone\n"
                    "invoice_cash,erp_one,3023,erp_one,4020,a bit,SAME,by phone\n", encoding="utf-8")
    assert "cash.csv:3: 'a bit' is no amount of USD" in " ".join(tieout("import", str(path), code=2).split())


def test_every_pair_of_some_payments_and_invoices_is_decided_at_once(case: Case, tieout: Tieout, tmp_path) -> None:
    """70 and 50 for 60 and 60, as an export tells such a proposal: three pairs take something, the fourth nothing."""
    for kind, number, amount in (("CustPymt", "4040", 70), ("CustPymt", "4041", 50), ("CustInvc", "3040", 60),
                                 ("CustInvc", "3041", 60)):  # fmt: skip
        case.document(kind, number, amount)
    case.build()
    path = tmp_path / "cash.csv"
    path.write_text("hop,connection_a,record_id_a,connection_b,record_id_b,verdict,reason\n" + "".join(
        f"invoice_cash,erp_one,{invoice},erp_one,{payment},SAME,one transfer\n"
        for invoice in ("3040", "3041") for payment in ("4040", "4041")), encoding="utf-8")  # fmt: skip
    assert json.loads(tieout("import", str(path), "--json")) == {"decided": 3, "unchanged": 1, "empty": 0}
    case.build()
    assert applied("3041") == {("3041", "left", 6000), ("4040", "right", 1000), ("4041", "right", 5000)}
    assert not {"3040", "3041", "4040", "4041"} & case.reasons("invoice_cash").keys()


def test_cash_that_people_apply_keeps_every_sum(case: Case) -> None:
    """Pieces sum to the payment, breaks to the gap, what is open to the ageing, which is what the books say."""
    assert len(build.test(case.run_id, select="path:tests/reconciliation").nodes) >= 12


REFUSED = {
    "4030": ({}, "has 0.00 USD open"),  # applied by the books
    "4031": ({"currency": "2"}, "erp_one:4031 in EUR"),
    "4032": ({"trandate": date(2026, 6, 2)}, "is dated after the last publication"),
    "4033": ({"voided": True}, "is void, out of scope"),
    "4034": ({"subsidiary": "2"}, "are of two legal entities"),
    "3031": ({}, "are no payment and invoice"),
    "4035": ({}, "no payment or invoice erp_one:4035"),  # never landed
}


@pytest.fixture(scope="module")
def refused(case: Case) -> None:
    put = case.world.put
    put("netsuite__currency", "erp_one", "2", id="2", symbol="EUR", isbasecurrency=False)
    put("netsuite__subsidiary", "erp_one", "2", id="2", name="Unit 2", currency="1")
    case.document("CustInvc", "3030", 900)
    case.document("CustInvc", "3031", 900)
    for number, (told, _) in list(REFUSED.items())[:5]:
        case.document("CustPymt", number, 100)
        for table, key in (("netsuite__transaction", number), ("netsuite__transactionline", f"{number}-0"),
                           ("netsuite__transactionline", f"{number}-1")):  # fmt: skip
            row = case.world.rows(table)["erp_one", key]
            row.update({name: value for name, value in told.items() if name in row})
    put("netsuite__nexttransactionlink", "erp_one", "3031|4030|Payment", previousdoc="3031", nextdoc="4030",
        previoustype="CustInvc", nexttype="CustPymt", linktype="Payment", foreignamount=100, nextdate=DAY)
    case.build()


@pytest.mark.parametrize("number", REFUSED)
def test_what_no_person_applies(refused: None, tieout: Tieout, tmp_path, number: str) -> None:
    path = tmp_path / "cash.csv"
    path.write_text("hop,connection_a,record_id_a,connection_b,record_id_b,applied,verdict,reason\n"
                    f"invoice_cash,erp_one,3030,erp_one,{number},,SAME,x\n", encoding="utf-8")
    assert "cash.csv:2: " in (said := " ".join(tieout("import", str(path), code=2).split()))
    assert REFUSED[number][1] in said


def applied(anchor: str) -> set[tuple[str, str, int]]:
    """{(document, side, minor units)} of the match around a document."""
    with connect("transformer") as db:
        return {tuple(row) for row in db.execute(
            "select d.document_id, m.side, m.applied_minor_units from marts.rec_match_member m"
            " join marts.rec_document d on d.document_hop_key = m.member_key and d.superseded_run = %(open)s"
            " where m.superseded_run = %(open)s and m.hop = 'invoice_cash' and m.match_key in (select match_key"
            " from marts.rec_document where document_id = %(id)s and hop = 'invoice_cash'"
            " and superseded_run = %(open)s)", {"open": OPEN, "id": anchor})}


def cents(hop: str) -> set[tuple[str, str, int]]:
    """{(document, reason, hundredths)} of the breaks."""
    with connect("transformer") as db:
        return {tuple(row) for row in db.execute(
            "select document_id, reason_code, cast(amount * 100 as integer) from marts.rec_break"
            " where superseded_run = %s and hop = %s", (OPEN, hop))}


def test_a_complete_build_adds_nothing(case: Case) -> None:
    case.build()
    run_id = open_run("2026-06-01 12:00Z")
    build.run(run_id, full_refresh=True)
    for _ in range(2):  # a step may be repeated
        found = steps.match(run_id)
        assert (found.recorded, found.closed) == (0, 0)
    with connect("transformer") as db:
        for table in ("rec_match", "rec_match_member", "rec_document", "rec_break", "rec_suggestion"):
            assert db.execute(f"select count(*) from marts.{table} where %s in (recorded_run, superseded_run)",
                              (run_id,)).fetchone() == (0,), table
