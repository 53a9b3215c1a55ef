"""Query jobs of Salesforce's Bulk API 2.0: create, wait, read the pages, tidy up.

Source: Bulk API 2.0 Developer Guide. A page is a whole CSV with its own header; `Sforce-Locator` of the last page is
the literal text `null`. Jobs are deleted after use, and aborted when reading breaks off, so that none is left behind:
also not one whose creation was never answered (bulk2_strays.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from tieout import logs
from tieout.errors import SourceError
from tieout.extract import Facts
from tieout.extract.bulk2_page import Job, job_of, page_of
from tieout.extract.bulk2_strays import Strays
from tieout.extract.http import Answer, Call, Damaged, Refused
from tieout.extract.loopguard import LoopGuard

log = logs.logger(__name__)

PAGE_ROWS = 25_000  # rows a page: a few MB of CSV, so that memory stays flat
LONGEST_JOB = 2 * 3600  # seconds
_FIRST_POLL, _SLOWEST_POLL = 0.1, 10.0
_RUNNING = frozenset({"UploadComplete", "InProgress"})
_NOT_OFFERED = frozenset({"INVALIDENTITY", "INVALID_ENTITY", "API_ERROR", "LIMIT_EXCEEDED", "FEATURENOTENABLED"})
_JSON = {"accept": "application/json"}


class BulkFailed(Exception):
    """The job cannot serve this statement; nothing of it was read. The caller may read by REST."""


class BulkJobs:
    """Runs query jobs. `request` sends to the organisation (`always=True` even when its budget is used up).

    strays: knows whose jobs ours are, should the answer to a creation be lost.
    """

    def __init__(
        self, request: Callable[..., Any], root: Callable[[], str], facts: Facts, connection: str, strays: Strays,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._request, self._root, self._facts, self._connection = request, root, facts, connection
        self._strays, self._sleep = strays, sleep
        self._used: set[str] = set()
        self._open: dict[str, tuple[str, Job]] = {}

    def pages(self, stream: str, operation: str, statement: str) -> Iterator[bytes]:
        """The CSV pages of `statement`, each with its header. BulkFailed comes before the first page or not at all."""
        job, pause, waited = self._create(stream, operation, statement), _FIRST_POLL, 0.0
        try:
            while job.state in _RUNNING:
                if waited > LONGEST_JOB:
                    raise self._error(stream, f"bulk job {job.id} did not finish within {LONGEST_JOB // 3600} hours")
                self._sleep(pause)
                waited, pause = waited + pause, min(pause * 1.6, _SLOWEST_POLL)
                job = self._poll(stream, job)
            if job.state == "Failed":
                raise BulkFailed(job.error_message or "the vendor gave no reason")
            if job.state != "JobComplete":
                raise self._error(stream, f"bulk job {job.id} ended as {job.state}")
            yield from self._results(stream, job, statement)
        finally:
            self._tidy(job.id)

    def close(self) -> None:
        """Tidy up after readers that were never told to stop."""
        for name in list(self._open):
            self._tidy(name)

    def _create(self, stream: str, operation: str, statement: str) -> Job:
        """The job. A creation that was tried more than once may have made more than one: the others are tidied up."""
        form = {"contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"}
        body = {"operation": operation, "query": statement, **form}
        call = Call("POST", self._url(), stream, json=body, headers=_JSON)

        def read(answer: Answer) -> Job:
            job = job_of(answer)
            if job.id in self._used or (job.object or stream, job.operation or operation) != (stream, operation):
                raise Damaged(f"the answer speaks of another job, {job.id}")
            return job

        before, sent, job = self._facts.requests, self._strays.mark(), None
        try:
            job = self._request(call, read)
            self._used.add(job.id)
            self._open[job.id] = stream, job
            return job
        except Refused as refusal:
            if refusal.code in _NOT_OFFERED or "bulk" in refusal.reason.lower():
                raise BulkFailed(refusal.reason) from None
            raise
        finally:
            if self._facts.requests > before + 1:
                self._tidy_strays(stream, operation, sent, job)

    def _tidy_strays(self, stream: str, operation: str, sent: Any, job: Job | None) -> None:
        for stray in self._strays.find(self._url, stream, operation, sent, job, self._used):
            self._open[stray.id] = stream, stray
            self._tidy(stray.id)

    def _poll(self, stream: str, job: Job) -> Job:
        def read(answer: Answer) -> Job:
            found = job_of(answer)
            if found.id[:15] != job.id[:15]:
                raise Damaged(f"asked for job {job.id}, told of {found.id}")
            return found

        found = self._request(Call("GET", self._url(job.id), stream, headers=_JSON), read)
        self._open[job.id] = stream, found
        return found

    def _results(self, stream: str, job: Job, statement: str) -> Iterator[bytes]:
        guard, locator, received = LoopGuard(self._connection, stream), "", 0
        columns = frozenset(statement.partition(" FROM ")[0].removeprefix("SELECT ").lower().split(", "))
        expected = None if job.retries else job.number_records_processed
        while True:
            params = {"maxRecords": str(PAGE_ROWS)} | ({"locator": locator} if locator else {})
            call = Call("GET", self._url(job.id, "results"), stream, params, {"accept": "text/csv"})
            body, rows, locator = self._request(call, lambda answer: page_of(answer, columns))
            guard.page(body, rows)
            received += rows
            if expected is not None and received > expected:
                raise self._error(stream, f"bulk job {job.id} announced {expected} rows and served more")
            if body.strip():
                yield body
            if locator in ("", "null"):
                break
            guard.place(locator)
        if expected is not None and received < expected:
            raise self._error(stream, f"bulk job {job.id} announced {expected} rows and served {received}")

    def _tidy(self, name: str) -> None:
        """Abort and delete. A failure here loses no data: it is told, and the vendor forgets the job after a week."""
        stream, job = self._open.pop(name, ("", None))
        if job is None:
            return
        if job.state in _RUNNING:  # refused where it ended meanwhile: then it can be deleted all the same
            call = Call("PATCH", self._url(name), stream, json={"state": "Aborted"}, headers=_JSON, tries=2)
            self._quietly(call)
        refusal = self._quietly(Call("DELETE", self._url(name), stream, tries=3))
        if refusal is None or (isinstance(refusal, Refused) and refusal.code == "NOT_FOUND"):
            return  # not there: a lost answer, and the second try found it gone
        log.warning("bulk job left behind", extra={"job": name, "reason": str(refusal)})
        self._facts.notes.setdefault("bulk_jobs_left_behind", []).append(name)

    def _quietly(self, call: Call) -> SourceError | None:
        try:
            self._request(call, lambda answer: None, always=True)
        except SourceError as error:
            return error
        return None

    def _url(self, *steps: str) -> str:
        return "/".join((f"{self._root()}/jobs/query", *steps))

    def _error(self, stream: str, what: str) -> SourceError:
        return SourceError(
            f"connection {self._connection}, stream {stream}: {what}", hint="run again, or see Bulk Data Load Jobs"
        )
