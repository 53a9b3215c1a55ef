"""Bulk jobs when answers are lost, late or somebody else's: no row is lost, and no job is left running."""

from __future__ import annotations

import httpx
import pytest

from tests.unit.extract_org import TOKEN, WINDOW, opened, stream
from tests.unit.extract_stub import answer, body, sf_error
from tests.unit.test_extract_bulk2 import CREATED, CSV, JOB, JOBS, bulk_org, csv, state
from tieout.errors import SourceError
from tieout.extract.bulk2_page import page_of
from tieout.extract.http import Answer, Damaged

ME, LATER = "005", "2026-03-01T12:00:00.000+0000"
MINE = {**CREATED, "object": "Order", "createdById": ME, "createdDate": LATER}
STRAY = {**MINE, "id": "750R0000000strayAA"}
ROW = b'"801a","x"\n'
COLUMNS = frozenset(column.field.lower() for column in stream("Order").columns)


def org(*creations: object, listed: tuple[dict, ...] = ()):
    """An organisation whose creations of jobs are answered like this, and that lists these jobs."""
    wire, wanted = bulk_org(csv(ROW, 1, "null"))
    wire.on("POST", JOBS, *creations)
    wire.on("GET", JOBS, answer({"done": True, "records": [MINE, *listed], "nextRecordsUrl": None}))
    return wire, wanted


def test_a_creation_whose_answer_was_lost_leaves_no_job_running():
    wire, wanted = org(httpx.ReadError("reset"), answer(MINE), listed=(STRAY,))
    stray = f"{JOBS}/{STRAY['id']}"
    wire.on("PATCH", stray, answer(STRAY)).on("DELETE", stray, httpx.Response(204))
    subject = opened(wire)
    assert len(list(subject.pages(wanted, WINDOW))) == 1
    assert body(wire.asked("PATCH", stray)[0]) == {"state": "Aborted"}
    assert len(wire.asked("DELETE", stray)) == 1
    assert "bulk_jobs_left_behind" not in subject.facts.notes


def test_a_creation_at_the_first_try_asks_for_no_list():
    wire, wanted = org(answer(MINE))
    list(opened(wire).pages(wanted, WINDOW))
    assert wire.asked("GET", JOBS) == []


@pytest.mark.parametrize(
    "other",
    [
        {**STRAY, "createdById": "005000000000001"}, {**STRAY, "object": "Account"}, {**STRAY, "operation": "query"},
        {**STRAY, "createdDate": "2026-03-01T11:50:00.000+0000"},
    ],
)
def test_jobs_of_others_are_left_alone(other):
    wire, wanted = org(httpx.ReadError("reset"), answer(MINE), listed=(other,))
    list(opened(wire).pages(wanted, WINDOW))
    assert wire.asked("PATCH", f"{JOBS}/{STRAY['id']}") == wire.asked("DELETE", f"{JOBS}/{STRAY['id']}") == []


def test_a_creation_that_is_never_answered_leaves_no_job_running_either():
    """Who we are is then known from the token, and since when from the vendor's clock."""
    wire, wanted = org(*[httpx.ReadError("reset")] * 12, listed=(STRAY,))
    for name in (CREATED["id"], STRAY["id"]):
        wire.on("PATCH", f"{JOBS}/{name}", answer(STRAY)).on("DELETE", f"{JOBS}/{name}", httpx.Response(204))
    with pytest.raises(SourceError, match="connection broke"):
        list(opened(wire).pages(wanted, WINDOW))
    assert TOKEN["id"].endswith(f"/{ME}")
    assert len(wire.asked("DELETE", f"{JOBS}/{STRAY['id']}")) == 1


def test_where_strays_cannot_be_listed_it_is_told():
    wire, wanted = org(httpx.ReadError("reset"), answer(MINE))
    wire.on("GET", JOBS, sf_error(403, "INSUFFICIENT_ACCESS"))
    subject = opened(wire)
    assert len(list(subject.pages(wanted, WINDOW))) == 1
    assert subject.facts.notes["bulk_jobs_left_behind"] == ["unknown"]


def test_the_list_of_jobs_comes_in_pages():
    wire, wanted = org(httpx.ReadError("reset"), answer(MINE))
    following = f"{JOBS}?queryLocator=2"
    wire.on("GET", JOBS, answer({"done": False, "records": [MINE], "nextRecordsUrl": following}),
            answer({"done": True, "records": [STRAY]}))
    stray = f"{JOBS}/{STRAY['id']}"
    wire.on("PATCH", stray, answer(STRAY)).on("DELETE", stray, httpx.Response(204))
    list(opened(wire).pages(wanted, WINDOW))
    assert len(wire.asked("DELETE", stray)) == 1


def test_an_answer_about_another_job_is_not_taken_for_ours():
    wire, wanted = org(answer({**MINE, "object": "Account"}), answer(MINE))
    assert len(list(opened(wire).pages(wanted, WINDOW))) == 1
    wire, wanted = bulk_org(csv(ROW, 1, "null"), states=(answer({**MINE, "id": "750x", "state": "JobComplete"}),
                                                        state("JobComplete")))
    assert len(list(opened(wire).pages(wanted, WINDOW))) == 1
    assert wire.left == []


def test_a_job_that_ended_before_it_was_aborted_is_deleted_all_the_same():
    wire, wanted = bulk_org(states=(state("InProgress"), sf_error(403, "API_DISABLED_FOR_ORG")))
    wire.on("PATCH", JOB, sf_error(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed"))
    subject = opened(wire)
    with pytest.raises(SourceError):
        list(subject.pages(wanted, WINDOW))
    assert len(wire.asked("DELETE", JOB)) == 1
    assert "bulk_jobs_left_behind" not in subject.facts.notes


def test_a_job_that_is_gone_was_not_left_behind():
    """The answer to the deletion was lost, and the second try finds nothing to delete."""
    wire, wanted = bulk_org(csv(ROW, 1, "null"))
    wire.on("DELETE", JOB, httpx.ReadError("reset"), sf_error(404, "NOT_FOUND"))
    subject = opened(wire)
    list(subject.pages(wanted, WINDOW))
    assert "bulk_jobs_left_behind" not in subject.facts.notes


def test_a_reader_that_was_never_told_to_stop_leaves_no_job():
    """Whoever reads may fail and keep the half-read pages; the job goes before the sockets do."""
    wire, wanted = bulk_org(csv(ROW, 1, "more"), csv(ROW, 1, "null"))
    with opened(wire) as subject:
        pages = subject.pages(wanted, WINDOW)
        next(pages)
    assert len(wire.asked("DELETE", JOB)) == 1
    pages.close()
    assert len(wire.asked("DELETE", JOB)) == 1


def test_more_rows_than_the_job_processed_are_an_error():
    pages = (csv(ROW, 1, "A"), csv(b'"801b","x"\n', 1, "null"))
    wire, wanted = bulk_org(*pages, states=(state("JobComplete", numberRecordsProcessed=1),))
    with pytest.raises(SourceError, match="announced 1 rows and served more"):
        list(opened(wire).pages(wanted, WINDOW))


def results(content: bytes, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(200, httpx.Headers(named), content, "https://acme.my.salesforce.com/results")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (results(CSV + ROW), "does not say how many rows"),
        (results(b"", sforce_numberofrecords="1"), "0 of 1 rows"),
        (results(CSV + b'"801a","x","1190.', sforce_numberofrecords="1"), "ends inside a value"),
        (results(CSV + b'"801a"', sforce_numberofrecords="1"), "the last row is cut"),
        (results(b'"Id","Phone"\n"001a","1"\n', sforce_numberofrecords="1"), "other columns.*phone"),
        (results(b'[{"errorCode":"X"}]\n', sforce_numberofrecords="0"), "other columns"),
    ],
)
def test_a_page_of_csv_that_is_cut_or_anothers_is_damaged(given, why):
    with pytest.raises(Damaged, match=why):
        page_of(given, COLUMNS)


def test_line_breaks_in_values_never_make_up_for_rows_that_are_missing():
    """As many line ends as rows are announced, but half of them inside values."""
    text = b'"Id"\n"a\nb"\n"c\nd"\n'
    with pytest.raises(Damaged, match="2 of 4 rows"):
        page_of(results(text, sforce_numberofrecords="4"), frozenset({"id"}))
    assert page_of(results(text, sforce_numberofrecords="2", sforce_locator="x"), frozenset({"id"}))[1:] == (2, "x")
