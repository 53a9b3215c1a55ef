"""Bulk API 2.0 query jobs.

A job runs in its own thread; what a poll tells lags behind (`Habits.job_polls`). Each page of results is a complete CSV
with its header line, and the last page's locator is the literal text `null`.
"""

from __future__ import annotations

import base64
import binascii
import sqlite3
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulator.habits import Habits
from simulator.salesforce_api.catalog import Catalog
from simulator.salesforce_api.compile import CsvForm, Statement, compile_query
from simulator.salesforce_api.errors import ApiError, not_found
from simulator.salesforce_api.ids import new_id
from simulator.salesforce_api.results import Spool
from simulator.salesforce_api.sessions import USER
from simulator.salesforce_api.soql import parse
from simulator.served import Clock, Database

MOST_RECORDS = 250_000
_SHORT_PAGE = 20_000
_BATCH = 2_000
_UNSUPPORTED = {"OrderStatus", "ContractStatus", "CaseStatus", "TaskStatus", "RecentlyViewed"}
_DELIMITERS = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
_LINE_ENDINGS = {"LF": b"\n", "CRLF": b"\r\n"}
_FINAL = ("JobComplete", "Failed", "Aborted")


@dataclass
class Job:
    """A query job. `polls` counts how often it was looked at."""

    id: str
    operation: str
    statement: Statement
    version: str
    delimiter: str
    line_ending: str
    created: datetime
    spool: Spool
    state: str = "UploadComplete"
    polls: int = 0
    error: str | None = None
    finished: threading.Event = field(default_factory=threading.Event)

    def header(self) -> bytes:
        """The CSV's first line."""
        names = _DELIMITERS[self.delimiter].join(f'"{name}"' for name in self.statement.columns)
        return names.encode() + _LINE_ENDINGS[self.line_ending]

    def created_form(self) -> dict[str, Any]:
        """What creation answers."""
        stamp = self.created.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        return {
            "id": self.id, "operation": self.operation, "object": self.statement.entity, "createdById": USER,
            "createdDate": stamp, "systemModstamp": stamp, "state": self.state, "concurrencyMode": "Parallel",
            "contentType": "CSV", "apiVersion": float(self.version.removeprefix("v")), "lineEnding": self.line_ending,
            "columnDelimiter": self.delimiter,
        }

    def polled_form(self) -> dict[str, Any]:
        """What a poll answers."""
        done = self.state == "JobComplete"
        more = {
            "jobType": "V2Query", "numberRecordsProcessed": len(self.spool) if done else 0, "retries": 0,
            "totalProcessingTime": 120 * self.polls, "isPkChunkingSupported": False,
        }
        return {**self.created_form(), **more, **({"errorMessage": self.error} if self.error else {})}


class Jobs:
    """All query jobs of the org."""

    def __init__(self, database: Database, catalog: Catalog, clock: Clock, habits: Habits) -> None:
        self._database, self._catalog, self._clock, self._habits = database, catalog, clock, habits
        self._jobs: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def create(self, version: str, wanted: dict[str, Any]) -> Job:
        """Start a job, or refuse what the Bulk API cannot do."""
        operation = wanted.get("operation")
        if operation not in ("query", "queryAll"):
            raise ApiError(400, "INVALIDJOB", f"Unsupported operation for a query job: {operation}")
        delimiter, ending = wanted.get("columnDelimiter", "COMMA"), wanted.get("lineEnding", "LF")
        if wanted.get("contentType", "CSV") != "CSV" or delimiter not in _DELIMITERS or ending not in _LINE_ENDINGS:
            raise ApiError(400, "INVALIDJOB", "Unsupported contentType, columnDelimiter or lineEnding")
        query = parse(str(wanted.get("query", "")))
        form = CsvForm(_DELIMITERS[delimiter])
        statement = compile_query(query, self._catalog, version=version, now=self._clock.now(),
                                  include_deleted=operation == "queryAll", csv=form)
        _refuse(statement)
        job = Job(new_id("750"), operation, statement, version, delimiter, ending, self._clock.now(),
                  Spool(_LINE_ENDINGS[ending]))
        if statement.entity in self._habits.failing_jobs:
            self._habits.failing_jobs.discard(statement.entity)
            job.error = "Unable to process the job: the query ran out of its retries (15)"
        thread = threading.Thread(target=self._run, args=(job,), name=f"bulk-{job.id}", daemon=True)
        with self._lock:
            self._jobs[job.id] = job
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()
        return job

    def find(self, name: str) -> Job:
        """The job of that id. ApiError 404."""
        with self._lock:
            job = self._jobs.get(name)
        if job is None:
            raise not_found()
        return job

    def poll(self, name: str) -> Job:
        """Look at a job; looking moves its visible state on."""
        job = self.find(name)
        with self._lock:
            if job.state in _FINAL:
                return job
            job.polls += 1
            if job.polls <= self._habits.job_polls or not job.finished.is_set():
                job.state = "InProgress"
            else:
                job.state = "Failed" if job.error else "JobComplete"
        return job

    def abort(self, name: str, wanted: dict[str, Any]) -> Job:
        """`{"state": "Aborted"}`, while the job is not over."""
        job = self.find(name)
        if wanted.get("state") != "Aborted":
            raise ApiError(400, "INVALIDJOBSTATE", "Only the state Aborted may be set on a query job")
        with self._lock:
            if job.state in _FINAL:
                raise ApiError(400, "INVALIDJOBSTATE", f"Aborting already {job.state} Job not allowed")
            job.state = "Aborted"
        return job

    def delete(self, name: str) -> None:
        """Forget a job that is over, results included."""
        job = self.find(name)
        if job.state not in _FINAL:
            raise ApiError(400, "INVALIDJOBSTATE", f"Deleting a job in state {job.state} is not allowed")
        with self._lock:
            del self._jobs[name]
        job.finished.wait()
        job.spool.close()

    def all(self) -> list[Job]:
        """Every job, in no order that means anything."""
        with self._lock:
            return list(self._jobs.values())

    def results(self, name: str, version: str, locator: str | None, most: int) -> tuple[bytes, int, str]:
        """(CSV with header, records in it, locator of the next page or the text "null")."""
        job = self._readable(name, version)
        start = _offset(locator, len(job.spool)) if locator else 0
        records, count = job.spool.read(start, self._page(most))
        ending = _LINE_ENDINGS[job.line_ending]
        following = start + count
        after = _locator(following) if following < len(job.spool) else "null"
        return job.header() + records + (ending if count else b""), count, after

    def result_pages(self, name: str, version: str, start: str | None) -> dict[str, Any]:
        """Up to five addresses of result pages, for reading in parallel."""
        job = self._readable(name, version)
        root, size = f"/services/data/{version}/jobs/query/{name}", self._page(MOST_RECORDS)
        first = _offset(start, len(job.spool)) if start else 0
        starts = list(range(first, max(len(job.spool), 1), size))
        pages = [{"resultUrl": f"{root}/results" + (f"?locator={_locator(at)}" if at else "")} for at in starts[:5]]
        done = len(starts) <= 5
        following = None if done else f"{root}/resultPages?locator={_locator(starts[5])}"
        return {"resultPages": pages, "nextRecordsUrl": following, "done": done}

    def close(self) -> None:
        """Wait for running jobs and drop all results."""
        for thread in self._threads:
            thread.join()
        with self._lock:
            for job in self._jobs.values():
                job.spool.close()
            self._jobs.clear()

    def _page(self, most: int) -> int:
        return min(most, _SHORT_PAGE if self._habits.short_pages else MOST_RECORDS)

    def _readable(self, name: str, version: str) -> Job:
        job = self.find(name)
        if version != job.version:
            raise ApiError(409, "INVALIDVERSION", f"Results must be read with the job's API version, {job.version}")
        if job.state != "JobComplete":
            raise ApiError(400, "INVALIDJOBSTATE", f"Job {name} is {job.state}: its results cannot be read")
        return job

    def _run(self, job: Job) -> None:
        """In the job's thread: compute the result."""
        try:
            rows = self._database.connection().execute(job.statement.select, job.statement.parameters)
            while not job.error and job.state != "Aborted" and (batch := rows.fetchmany(_BATCH)):
                job.spool.extend(record for record, in batch)
        except sqlite3.Error as error:
            job.error = f"InternalServerError : {error}"
        finally:
            self._database.release()
            job.finished.set()


def _refuse(statement: Statement) -> None:
    if statement.entity in _UNSUPPORTED:
        raise ApiError(400, "INVALIDENTITY", f"Entity '{statement.entity}' is not supported by the Bulk API.")
    refused = {
        "Aggregate Relationships not supported in Bulk Query": statement.has_aggregates or statement.counts_only,
        "OFFSET is not supported in Bulk Query": statement.has_offset,
        "Nested queries are not supported in Bulk Query": statement.has_children,
        "Selecting compound data not supported in Bulk Query": statement.has_compound,
    }
    for message, found in refused.items():
        if found:
            raise ApiError(400, "API_ERROR", message)


def _locator(offset: int) -> str:
    """Opaque to clients."""
    return base64.urlsafe_b64encode(f"at{offset}".encode()).decode().rstrip("=")


def _offset(locator: str, rows: int) -> int:
    try:
        text = base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode()
        offset = int(text.removeprefix("at"))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        offset = -1
    if not 0 < offset < rows:
        raise ApiError(400, "INVALID_QUERY_LOCATOR", f"invalid locator: {locator}")
    return offset


