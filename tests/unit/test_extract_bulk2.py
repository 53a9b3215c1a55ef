"""Bulk API 2.0 query jobs, one test a habit, written from its documentation and from recorded traffic."""

from __future__ import annotations

import httpx
import pytest

from tests.unit.extract_org import WINDOW, V, ids, opened, order_org, page, stream
from tests.unit.extract_stub import Sleeps, Wire, answer, body, salesforce, sf_error
from tieout.errors import SourceError
from tieout.extract.bulk2_page import count_rows
from tieout.extract.http import Damaged
from tieout.spec import Stream

JOBS = f"{V}/jobs/query"
CREATED = {
    "id": "750R0000000zlh9IAA", "operation": "queryAll", "object": "Order", "state": "UploadComplete",
    "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 67.0, "lineEnding": "LF",
    "columnDelimiter": "COMMA",
}
JOB = f"{JOBS}/750R0000000zlh9IAA"
# The header of an Order as it is declared; rows hold only what a test looks at.
CSV = (",".join(f'"{column.field}"' for column in stream("Order").columns) + "\n").encode()


def state(name: str, **words: object) -> httpx.Response:
    return answer({**CREATED, "jobType": "V2Query", "retries": 0, "state": name, **words})


def csv(rows: bytes, count: int, locator: str | None) -> httpx.Response:
    headers = {"content-type": "text/csv", "sforce-numberofrecords": str(count)}
    if locator is not None:
        headers["sforce-locator"] = locator
    return httpx.Response(200, headers=headers, content=CSV + rows)


def bulk_org(*results: httpx.Response, states: tuple[httpx.Response, ...] = ()) -> tuple[Wire, Stream]:
    wire, wanted = order_org(page("Order", ["801a"], 2000, f"{V}/query/01g-1"))
    wire.on("POST", JOBS, answer(CREATED))
    wire.on("GET", JOB, *(states or (state("InProgress"), state("JobComplete"))))
    wire.on("DELETE", JOB, httpx.Response(204))
    return wire.on("GET", f"{JOB}/results", *results), wanted


@pytest.mark.parametrize("last", ["null", "", None])
def test_the_literal_null_locator_ends_the_result(last):
    wire, wanted = bulk_org(csv(b'"801a","x"\n', 1, "MTAwMDA"), csv(b'"801b","y"\n', 1, last))
    pages = list(opened(wire).pages(wanted, WINDOW))
    assert [p.body for p in pages] == [CSV + b'"801a","x"\n', CSV + b'"801b","y"\n']
    assert {p.media for p in pages} == {"csv"}
    first, second = wire.asked("GET", f"{JOB}/results")
    assert "locator" not in first.url.params
    assert second.url.params["locator"] == "MTAwMDA"
    assert first.headers["accept"] == "text/csv"
    assert wire.left == []


def test_the_job_is_asked_for_as_documented_and_without_order():
    wire, wanted = bulk_org(csv(b"", 0, "null"))
    list(opened(wire).pages(wanted, WINDOW))
    sent = body(wire.asked("POST", JOBS)[0])
    assert {name: sent[name] for name in ("operation", "contentType", "columnDelimiter", "lineEnding")} == {
        "operation": "queryAll", "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF",
    }
    assert sent["query"].endswith(
        "WHERE SystemModstamp >= 2026-01-31T22:04:05Z AND SystemModstamp < 2026-02-01T00:00:00Z"
    )


def test_a_job_is_polled_ever_more_slowly_until_complete():
    wire, wanted = bulk_org(csv(b"", 0, "null"), states=(*[state("InProgress")] * 6, state("JobComplete")))
    sleeps = Sleeps()
    list(opened(wire, sleep=sleeps).pages(wanted, WINDOW))
    assert len(sleeps) == 7
    assert sleeps == sorted(sleeps)


def test_each_csv_page_keeps_its_own_header():
    wire, wanted = bulk_org(csv(b'"1","x"\n', 1, "A"), csv(b'"2","x"\n', 1, "B"), csv(b'"3","x"\n', 1, "null"))
    assert all(p.body.startswith(CSV) for p in opened(wire).pages(wanted, WINDOW))


def test_a_small_result_is_read_by_rest():
    wire, wanted = order_org(page("Order", ["801a"], 1))
    list(opened(wire).pages(wanted, WINDOW))
    assert wire.asked("POST", JOBS) == []


def test_the_threshold_is_an_option():
    connection = salesforce(bulk_from_rows=1)
    wire, wanted = order_org(page("Order", ["801a"], 1))
    wire.on("POST", JOBS, answer(CREATED)).on("GET", JOB, state("JobComplete")).on("DELETE", JOB, httpx.Response(204))
    wire.on("GET", f"{JOB}/results", csv(b'"801a","x"\n', 1, "null"))
    assert [p.media for p in opened(wire, connection).pages(wanted, WINDOW)] == ["csv"]


def test_threshold_zero_never_asks_by_rest():
    wire, wanted = bulk_org(csv(b'"801a","x"\n', 1, "null"))
    list(opened(wire, salesforce(bulk_from_rows=0)).pages(wanted, WINDOW))
    assert wire.asked("GET", f"{V}/queryAll") == []


def test_a_failed_job_falls_back_to_rest_with_the_page_in_hand():
    wire, wanted = bulk_org(states=(state("Failed", errorMessage="InternalServerError: retries exceeded"),))
    wire.on("GET", f"{V}/query/01g-1", page("Order", [f"801{i}" for i in range(1999)], 2000))
    subject = opened(wire)
    pages = list(subject.pages(wanted, WINDOW))
    assert len(ids(pages)) == 2000
    assert len(wire.asked("GET", f"{V}/queryAll")) == 1
    assert len(wire.asked("DELETE", JOB)) == 1
    assert subject.facts.notes["bulk_fallbacks"] == {"Order": "InternalServerError: retries exceeded"}


@pytest.mark.parametrize(
    "refusal",
    [
        sf_error(400, "INVALIDENTITY", "Entity 'Order' is not supported by the Bulk API."),
        sf_error(400, "API_ERROR", "Selecting compound data not supported in Bulk Query"),
    ],
)
def test_an_object_that_bulk_does_not_offer_is_read_by_rest(refusal):
    wire, wanted = order_org(page("Order", ["801a"], 2000, f"{V}/query/01g-1"))
    wire.on("POST", JOBS, refusal)
    wire.on("GET", f"{V}/query/01g-1", page("Order", [f"801{i}" for i in range(1999)], 2000))
    assert len(ids(list(opened(wire).pages(wanted, WINDOW)))) == 2000


@pytest.mark.parametrize("code", ["QUERY_TIMEOUT", "QUERY_TOO_COMPLICATED", "OPERATION_TOO_LARGE"])
def test_a_query_too_big_for_rest_goes_bulk(code):
    wire, wanted = bulk_org(csv(b'"801a","x"\n', 1, "null"))
    wire.on("GET", f"{V}/queryAll", sf_error(400, code))
    assert [p.media for p in opened(wire).pages(wanted, WINDOW)] == ["csv"]


def test_a_job_that_somebody_aborted_is_an_error_not_an_empty_result():
    wire, wanted = bulk_org(states=(state("Aborted"),))
    with pytest.raises(SourceError, match="crm_eu, stream Order: bulk job 750R0000000zlh9IAA ended as Aborted"):
        list(opened(wire).pages(wanted, WINDOW))
    assert wire.asked("PATCH", JOB) == []


def test_breaking_off_aborts_and_deletes_the_job():
    wire, wanted = bulk_org(states=(state("InProgress"), sf_error(403, "API_DISABLED_FOR_ORG")))
    wire.on("PATCH", JOB, state("Aborted"))
    with pytest.raises(SourceError):
        list(opened(wire).pages(wanted, WINDOW))
    assert body(wire.asked("PATCH", JOB)[0]) == {"state": "Aborted"}
    assert len(wire.asked("DELETE", JOB)) == 1


def test_stopping_in_the_middle_of_results_deletes_the_job():
    wire, wanted = bulk_org(csv(b'"801a","x"\n', 1, "A"), csv(b'"801b","x"\n', 1, "null"))
    pages = opened(wire).pages(wanted, WINDOW)
    next(pages)
    pages.close()
    assert len(wire.asked("DELETE", JOB)) == 1


def test_a_job_left_behind_is_told_and_costs_no_data():
    wire, wanted = bulk_org(csv(b'"801a","x"\n', 1, "null"))
    wire.on("DELETE", JOB, sf_error(403, "INSUFFICIENT_ACCESS"))
    subject = opened(wire)
    assert len(list(subject.pages(wanted, WINDOW))) == 1
    assert subject.facts.notes["bulk_jobs_left_behind"] == ["750R0000000zlh9IAA"]


def test_a_csv_page_cut_in_half_is_read_again():
    cut = csv(b'"801a","x"\n', 2, "null")
    wire, wanted = bulk_org(cut, csv(b'"801a","x"\n"801b","y"\n', 2, "null"))
    assert len(list(opened(wire).pages(wanted, WINDOW))) == 1


def test_fewer_rows_than_the_job_processed_are_never_taken_for_all():
    wire, wanted = bulk_org(csv(b'"801a","x"\n', 1, "null"), states=(state("JobComplete", numberRecordsProcessed=2),))
    with pytest.raises(SourceError, match="announced 2 rows and served 1"):
        list(opened(wire).pages(wanted, WINDOW))


def test_a_locator_that_comes_back_is_a_loop_in_bulk_too():
    wire, wanted = bulk_org(csv(b'"1","x"\n', 1, "A"), csv(b'"2","x"\n', 1, "A"))
    with pytest.raises(SourceError, match="same place"):
        list(opened(wire).pages(wanted, WINDOW))


def test_results_read_with_another_version_are_a_bug_and_final():
    wire, wanted = bulk_org(httpx.Response(409, json=[{"errorCode": "API_VERSION", "message": "version mismatch"}]))
    with pytest.raises(SourceError, match="409"):
        list(opened(wire).pages(wanted, WINDOW))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"", 0), (b'"Id"\n', 0), (b'"Id"\n"1"\n', 1), (b'"Id"\n"1"', 1),
        (b'"Id","Note"\n"1","two\nlines"\n', 1), (b'"Id","Note"\n"1","a ""quoted\n"" word"\n"2",""\n', 2),
    ],
)
def test_rows_of_a_csv_are_counted_with_line_breaks_in_values(text, rows):
    assert count_rows(text) == rows


def test_a_csv_that_ends_inside_a_value_is_damaged():
    with pytest.raises(Damaged):
        count_rows(b'"Id","Note"\n"1","two\nli')


def test_line_breaks_in_values_do_not_count_as_rows():
    wire, wanted = bulk_org(csv(b'"801a","two\nlines"\n', 1, "null"))
    assert len(list(opened(wire).pages(wanted, WINDOW))) == 1
