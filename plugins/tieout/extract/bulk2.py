"""Query jobs of Salesforce's Bulk API 2.0: create, wait, read the pages, tidy up.

Source: Bulk API 2.0 Developer Guide. A page is a whole CSV with its own header; `Sforce-Locator` of the last page is
the literal text `null`. Jobs are deleted after use, and aborted when reading breaks off, so that none is left behind.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tieout import logs
from tieout.errors import SourceError
from tieout.extract import Facts
from tieout.extract.http import Answer, Call, Damaged, Refused, decode
from tieout.extract.loopguard import LoopGuard

log = logs.logger(__name__)

PAGE_ROWS = 25_000  # rows a page: a few MB of CSV, so that memory stays flat
LONGEST_JOB = 2 * 3600  # seconds
_FIRST_POLL, _SLOWEST_POLL = 0.1, 10.0
_RUNNING = frozenset({"UploadComplete", "InProgress"})
_NOT_OFFERED = frozenset({"INVALIDENTITY", "INVALID_ENTITY", "API_ERROR", "LIMIT_EXCEEDED", "FEATURENOTENABLED"})


class BulkFailed(Exception):
    """The job cannot serve this statement; nothing of it was read. The caller may read by REST."""


class _Job(msgspec.Struct, rename="camel"):
    id: str
    state: str
    error_message: str | None = None
    number_records_processed: int | None = None
    retries: int = 0


class BulkJobs:
    """Runs query jobs. `request` sends to the organisation (`always=True` even when its budget is used up)."""

    def __init__(
        self, request: Callable[..., Any], root: Callable[[], str], facts: Facts, connection: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._request, self._root, self._facts, self._connection = request, root, facts, connection
        self._sleep = sleep

    def pages(self, stream: str, operation: str, statement: str) -> Iterator[bytes]:
        """The CSV pages of `statement`, each with its header. BulkFailed comes before the first page or not at all."""
        job, pause, waited = self._create(stream, operation, statement), _FIRST_POLL, 0.0
        try:
            while job.state in _RUNNING:
                if waited > LONGEST_JOB:
                    raise self._error(stream, f"bulk job {job.id} did not finish within {LONGEST_JOB // 3600} hours")
                self._sleep(pause)
                waited, pause = waited + pause, min(pause * 1.6, _SLOWEST_POLL)
                job = self._request(Call("GET", self._url(job.id), stream, headers=_JSON), _job)
            if job.state == "Failed":
                raise BulkFailed(job.error_message or "the vendor gave no reason")
            if job.state != "JobComplete":
                raise self._error(stream, f"bulk job {job.id} ended as {job.state}")
            yield from self._results(stream, job)
        finally:
            self._tidy(stream, job, abort=job.state in _RUNNING)

    def _create(self, stream: str, operation: str, statement: str) -> _Job:
        form = {"contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"}
        body = {"operation": operation, "query": statement, **form}
        try:
            return self._request(Call("POST", self._url(), stream, json=body, headers=_JSON), _job)
        except Refused as refusal:
            if refusal.code in _NOT_OFFERED or "bulk" in refusal.reason.lower():
                raise BulkFailed(refusal.reason) from None
            raise

    def _results(self, stream: str, job: _Job) -> Iterator[bytes]:
        guard, locator, received = LoopGuard(self._connection, stream), "", 0
        while True:
            params = {"maxRecords": str(PAGE_ROWS)} | ({"locator": locator} if locator else {})
            call = Call("GET", self._url(job.id, "results"), stream, params, {"accept": "text/csv"})
            body, rows, locator = self._request(call, _page)
            guard.page(body, rows)
            received += rows
            if body.strip():
                yield body
            if locator in ("", "null"):
                break
            guard.place(locator)
        expected = job.number_records_processed
        if expected is not None and received < expected and not job.retries:
            raise self._error(stream, f"bulk job {job.id} announced {expected} rows and served {received}")

    def _tidy(self, stream: str, job: _Job, *, abort: bool) -> None:
        """Abort and delete. A failure here loses no data: it is told, and the vendor forgets the job after a week."""
        try:
            if abort:
                call = Call("PATCH", self._url(job.id), stream, json={"state": "Aborted"}, headers=_JSON, tries=2)
                self._request(call, lambda answer: None, always=True)
            self._request(Call("DELETE", self._url(job.id), stream, tries=2), lambda answer: None, always=True)
        except SourceError as error:
            log.warning("bulk job left behind", extra={"job": job.id, "reason": str(error)})
            self._facts.notes.setdefault("bulk_jobs_left_behind", []).append(job.id)

    def _url(self, *steps: str) -> str:
        return "/".join((f"{self._root()}/jobs/query", *steps))

    def _error(self, stream: str, what: str) -> SourceError:
        return SourceError(
            f"connection {self._connection}, stream {stream}: {what}", hint="run again, or see Bulk Data Load Jobs"
        )


_JSON = {"accept": "application/json"}


def _job(answer: Answer) -> _Job:
    return decode(answer.body, _Job)


def _page(answer: Answer) -> tuple[bytes, int, str]:
    """Body, number of rows, and the next locator. Damaged where the rows are not as many as the vendor announces."""
    announced = answer.headers.get("sforce-numberofrecords", "")
    rows = answer.body.count(b"\n") - 1
    if announced.isdigit() and int(announced) != rows:
        rows = count_rows(answer.body)
        if int(announced) != rows:
            raise Damaged(f"{rows} of {announced} rows")
    return answer.body, rows, answer.headers.get("sforce-locator", "").strip()


def count_rows(body: bytes) -> int:
    """Rows of a CSV below its header. Values may be quoted, with quotes in them doubled, and hold line breaks.

    Damaged for a body that ends inside a value.
    """
    if body.count(b'"') % 2:
        raise Damaged("the CSV ends inside a value")
    bare = re.sub(rb'"[^"]*"', b"", body)
    lines = bare.count(b"\n") + (0 if body.endswith(b"\n") or not body.strip() else 1)
    return max(0, lines - 1)
