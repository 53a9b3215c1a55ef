"""What the company's own table says that references mean: imported on the command line, applied by the next build."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration import test_documents_decided as decided
from tests.integration.transform_company import open_run, own_warehouse
from tieout.matching import crossrefs
from tieout.transform import build
from tieout.warehouse import connect

DAY = decided.DAY
HEADER = "hop,business_unit,reference,means,valid_from,valid_to"
Tieout = Callable[..., str]
tieout = decided.tieout


class Case(decided.Case):
    """What a test lands, and the table that it imports."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.path = home / "crossref.csv"

    def crm_order(self, number: str, deal: str, reference: str | None = None) -> None:
        self.world.put("salesforce__order", "crm_one", number, id=number, ordernumber=f"C{number}", accountid="91",
                       opportunityid=deal, statuscode="Activated", ponumber=reference, currencyisocode="USD",
                       totalamount=1, effectivedate=DAY, erp_order_id=None)
        self.world.put("salesforce__orderitem", "crm_one", f"{number}-1", id=f"{number}-1", orderid=number,
                       product2id="1", quantity=1, totalprice=1)

    def link(self, order: str, invoice: str) -> None:
        self.world.put("netsuite__nexttransactionlink", "erp_one", f"{order}|{invoice}|OrdBill", previousdoc=order,
                       nextdoc=invoice, previoustype="SalesOrd", nexttype="CustInvc", linktype="OrdBill",
                       foreignamount=1, nextdate=DAY)

    def table(self, tieout: Tieout, *rows: str, words: tuple[str, ...] = ("--json",)) -> dict[str, int]:
        self.path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
        return json.loads(tieout("crossref", "import", str(self.path), *words))

    def evidence(self, number: str, hop: str = "order_invoice") -> str:
        with connect("transformer") as db:
            return db.execute("select evidence from marts.rec_break where superseded_run = %s and document_id = %s"
                              " and hop = %s", (decided.OPEN, number, hop)).fetchone()[0]


@pytest.fixture(scope="module")
def case() -> Iterator[Case]:
    with own_warehouse(decided.TIEOUT_YML) as home:
        yield Case(home)


def test_the_next_build_matches_what_the_table_says(case: Case, tieout: Tieout) -> None:
    """The invoice carries the customer's word; the table says which order it means, whatever amount and customer."""
    case.document("SalesOrd", "2001", 700)
    case.document("CustInvc", "3001", 650, DAY + timedelta(5), "PO 9107")
    case.document("CustInvc", "3002", 80, DAY + timedelta(6), "PO 9108")
    case.world.put("netsuite__customer", "erp_one", "93", id="93", companyname="Omega Mills", externalid=None,
                   url="omega.example", isperson=False)
    case.world.rows("netsuite__transaction")["erp_one", "2001"]["entity"] = "93"
    case.build()
    assert case.matches("order_invoice") == set()
    assert case.reasons("order_invoice") == {"2001": "A2", "3001": "A9", "3002": "A9"}

    row = "order_invoice,,po-0009107,N2001,,"
    assert case.table(tieout, row) == {"added": 1, "removed": 0, "unchanged": 0}
    case.build()
    assert case.matches("order_invoice") == {(3, ("2001", "3001"))}
    assert case.reasons("order_invoice") == {"2001": "C1", "3001": "E2", "3002": "A9"}, "a match with its differences"
    with connect("transformer") as db:
        assert db.execute("select pass_name, confidence, difference_amount from marts.rec_match where match_pass = 3"
                          " and superseded_run = %s", (decided.OPEN,)).fetchone() == ("cross-reference table", 1, 50)
        looked_at = db.execute("select document_id from intermediate.int_documents__touched").fetchall()
    assert looked_at == [("3001",)], "a build looks at what the change of the table speaks of"
    case.build()
    with connect("transformer") as db:
        assert db.execute("select document_id from intermediate.int_documents__touched").fetchall() == []


def test_tokens_are_those_of_the_build(case: Case, tieout: Tieout) -> None:
    words = ("PO 9107", "po-00012345", "0001 2345", "A12B", "über 7", "RE-2026/001", "abc", "x-0-1")
    case.table(tieout, *(f"order_invoice,,{word},N2001,," for word in words))
    case.build()
    with connect("transformer") as db:
        found = {word for (word,) in db.execute(
            "select reference_token from intermediate.int_rec_crossrefs where superseded_run = %s", (decided.OPEN,))}
    assert found == {crossrefs.token(word) for word in words} - {None} and "12345" in found


def test_what_the_table_says_no_more_is_a_break_again(case: Case, tieout: Tieout) -> None:
    assert case.table(tieout)["removed"] == 8
    case.build()
    assert case.matches("order_invoice") == set()
    assert case.reasons("order_invoice") == {"2001": "A2", "3001": "A9", "3002": "A9"}


def test_days_belong_to_it_on_both_ends(case: Case, tieout: Tieout) -> None:
    day, before, after = (f"{DAY + timedelta(number)}" for number in (0, -1, 1))
    days = {"3041": f"{day},{day}", "3042": f"{day},", "3043": f",{day}", "3044": f"{after},", "3045": f",{before}"}
    for number in days:
        case.document("SalesOrd", f"2{number[1:]}", int(number))
        case.document("CustInvc", number, 5, DAY, f"ON {number}")
    case.table(tieout, *(f"order_invoice,,ON {number},N2{number[1:]},{each}" for number, each in days.items()))
    case.build()
    assert case.matches("order_invoice") == {(3, (f"2{number[1:]}", number)) for number in ("3041", "3042", "3043")}


def test_an_entry_that_ends_gives_way_to_the_next(case: Case, tieout: Tieout) -> None:
    case.document("SalesOrd", "2002", 650)
    case.table(tieout, "order_invoice,,PO 9107,N2001,,2026-05-05", "order_invoice,,PO 9107,N2002,2026-05-06,")
    case.build()
    assert (3, ("2002", "3001")) in case.matches("order_invoice")


def test_what_it_names_is_not_there(case: Case, tieout: Tieout) -> None:
    """Then nothing else is taken for it, by figures either, and the break says what was looked for."""
    case.document("CustInvc", "3003", 31, DAY, "PO 9201")
    case.document("SalesOrd", "2003", 31, DAY)
    case.table(tieout)
    case.build()
    assert (7, ("2003", "3003")) in case.matches("order_invoice")
    case.table(tieout, "order_invoice,,PO 9201,N7777,,")
    case.build()
    assert case.reasons("order_invoice")["3003"] == "A9"
    assert case.evidence("3003") == "refers to PO 9201, by the cross-reference table 7777, which no document carries"
    case.document("SalesOrd", "7777", 31, DAY - timedelta(300))  # it arrives later
    case.build()
    assert (3, ("7777", "3003")) in case.matches("order_invoice")


def test_a_deal_is_named_by_its_order_in_the_crm(case: Case, tieout: Tieout) -> None:
    """An order's own reference stays its name, by which its invoice finds it."""
    case.deal("1001", 900)
    case.crm_order("5001", "1001", "WEB-77")
    case.document("SalesOrd", "2010", 890, DAY, "PO 9303")
    case.document("CustInvc", "3010", 890, DAY, "PO 9303")
    case.build()
    assert case.matches() == set() and (4, ("2010", "3010")) in case.matches("order_invoice")
    for means in ("C5001", "WEB-77"):
        case.table(tieout, f"deal_order,,PO 9303,{means},,")
        case.build()
        assert case.matches() == {(3, ("1001", "2010"))}
        assert (4, ("2010", "3010")) in case.matches("order_invoice"), "an entry of the other hop says nothing of it"


def test_several_of_that_name_are_nobody_but_by_amount(case: Case, tieout: Tieout) -> None:
    case.document("SalesOrd", "2021", 10, DAY, "LOT-5X")
    case.document("SalesOrd", "2022", 20, DAY, "LOT-5X")
    case.document("CustInvc", "3021", 30, DAY, "PO 9401")
    case.document("CustInvc", "3022", 20, DAY, "PO 9402")
    case.table(tieout, "order_invoice,,PO 9401,LOT-5X,,", "order_invoice,,PO 9402,LOT-5X,,")
    case.build()
    assert (3, ("2022", "3022")) in case.matches("order_invoice")
    assert case.reasons("order_invoice")["3021"] == "A4"
    assert case.evidence("3021") == (
        "refers to PO 9401, by the cross-reference table LOT5X, which several documents carry")


def test_people_and_links_go_before_it(case: Case, tieout: Tieout) -> None:
    case.document("SalesOrd", "2031", 40)
    case.document("SalesOrd", "2032", 40)
    case.document("CustInvc", "3031", 40, DAY, "PO 9501")
    case.table(tieout, "order_invoice,,PO 9501,N2031,,")
    case.build()
    assert (3, ("2031", "3031")) in case.matches("order_invoice")
    case.link("2032", "3031")
    case.build()
    assert (2, ("2032", "3031")) in case.matches("order_invoice")
    case.world.drop("netsuite__nexttransactionlink", "erp_one", "2032|3031|OrdBill")
    case.build()
    tieout("decide", "N2032", "N3031", "--match", "--reason", "the customer wrote the wrong word")
    case.build()
    assert (1, ("2032", "3031")) in case.matches("order_invoice")
    tieout("decide", "N2032", "N3031", "--revoke", "--reason", "no")
    tieout("decide", "N2031", "N3031", "--never", "--reason", "no")
    case.build()
    assert "3031" not in {one for _, ids in case.matches("order_invoice") for one in ids}
    assert case.reasons("order_invoice")["3031"] == "A4"


def test_an_import_is_the_whole_table_and_a_dry_run_changes_nothing(case: Case, tieout: Tieout) -> None:
    first = ("order_invoice,,ONE,N2001,,", "order_invoice,,'-TWO,N2001,2026-01-01,2026-02-01")
    case.table(tieout, *first)
    before = json.loads(tieout("crossref", "list", "--json"))
    assert [(each["reference"], each["valid_to"]) for each in before] == [("-TWO", "2026-02-01"), ("ONE", None)]
    done = case.table(tieout, first[1], "deal_order,,THREE,C5001,,", words=("--json", "--dry-run"))
    assert done == {"added": 1, "removed": 1, "unchanged": 1}
    assert json.loads(tieout("crossref", "list", "--json")) == before
    assert "1 added, 1 removed, 1 unchanged" in tieout("crossref", "import", str(case.path), "--by", "ana")
    exported = case.path.with_name("out.csv")
    assert json.loads(tieout("crossref", "export", str(exported), "--json"))["rows"] == 2
    assert exported.read_text(encoding="utf-8-sig").splitlines() == [
        HEADER, "deal_order,,THREE,C5001,,", "order_invoice,,'-TWO,N2001,2026-01-01,2026-02-01"]
    assert json.loads(tieout("crossref", "import", str(exported), "--json"))["unchanged"] == 2
    assert "THREE" in tieout("crossref", "list")
    with connect("loader") as db:
        assert db.execute("select imported_by, is_removed from ops.document_crossref where reference = 'ONE'"
                          " order by crossref_id").fetchall()[-1] == ("ana", True)


@pytest.mark.parametrize(("rows", "line", "said"), [
    (("order_invoice,,A1,B1,,", "invoice_cash,,A1,B1,,"), 3, "'invoice_cash' is no hop with references"),
    (("order_invoice,,-,B1,,",), 2, "reference '-' says nothing"),
    (("order_invoice,,A1,000,,",), 2, "means '000' says nothing"),
    (("order_invoice,north,A1,B1,,",), 2, "no business unit 'north'"),
    (("order_invoice,,A1,B1,1.5.2026,",), 2, "valid_from '1.5.2026' is no day"),
    (("order_invoice,,A1,B1,,2026-02-30",), 2, "valid_to '2026-02-30' is no day"),
    (("order_invoice,,A1,B1,2026-02-02,2026-02-01",), 2, "valid_from 2026-02-02 is after valid_to 2026-02-01"),
    (("order_invoice,,A1,B1,",), 2, "another number of cells than columns"),
    (("order_invoice,,A1,B1,,,",), 2, "another number of cells than columns"),
    (("order_invoice,,PO-1,B1,,2026-02-01", "deal_order,,1,B2,,", "order_invoice,,0001,B2,2026-02-01,"), 4,
     "0001 means B2, and on the same days B1 (line 2)"),
    (('order_invoice,,"A"1,B1,,',), None, "',' expected after"),
])  # fmt: skip
def test_wrong_files_are_refused_with_their_line(
    case: Case, tieout: Tieout, rows: tuple[str, ...], line: int | None, said: str
) -> None:
    before = json.loads(tieout("crossref", "list", "--json"))
    case.path.write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    told = " ".join(tieout("crossref", "import", str(case.path), code=2).split())
    assert said in told and (line is None or f"{case.path.name}:{line}: " in told.replace("- ", "")), told
    assert json.loads(tieout("crossref", "list", "--json")) == before


def test_other_columns_are_refused(case: Case, tieout: Tieout) -> None:
    case.path.write_text(f"{HEADER},note\norder_invoice,,A1,B1,,,x\n", encoding="utf-8")
    assert "exactly hop, business_unit" in " ".join(tieout("crossref", "import", str(case.path), code=2).split())


def test_what_means_the_same_may_overlap(case: Case, tieout: Tieout) -> None:
    assert case.table(tieout, "order_invoice,,PO-1,SO 7,,2026-02-01", "order_invoice,,1,7,2026-02-01,")["added"] == 2


def test_a_complete_build_adds_nothing(case: Case) -> None:
    case.build()
    run_id = open_run("2026-06-01 12:00Z")
    build.run(run_id, full_refresh=True)
    with connect("transformer") as db:
        for table in ("intermediate.int_rec_documents", "intermediate.int_rec_crossrefs", "marts.rec_match",
                      "marts.rec_match_member", "marts.rec_document", "marts.rec_break"):
            assert db.execute(f"select count(*) from {table} where %s in (recorded_run, superseded_run)",
                              (run_id,)).fetchone() == (0,), table
