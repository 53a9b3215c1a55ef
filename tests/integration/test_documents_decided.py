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
    (("decide", "1001", "N2005", "--revoke", "--reason", "x"), "nothing was decided"),
    (("review", "--hop", "nowhere"), "no hop with proposals"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(case: Case, tieout: Tieout, words: tuple[str, ...], said: str) -> None:
    assert said in " ".join(tieout(*words, code=2).split())


def test_a_csv_that_decides_about_cash_is_refused(case: Case, tieout: Tieout, tmp_path) -> None:
    path = tmp_path / "cash.csv"
    path.write_text("hop,connection_a,record_id_a,connection_b,record_id_b,verdict,reason\n"
                    "invoice_cash,erp_one,1,erp_one,2,SAME,why\n", encoding="utf-8")
    assert "invoice_cash' is no hop to decide about" in " ".join(tieout("import", str(path), code=2).split())


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
