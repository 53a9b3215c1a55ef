"""Jobs that were created although nobody heard of it: the answer was lost, and the creation was tried again.

Source: Bulk API 2.0 Developer Guide (Get Information About All Query Jobs). The list shows no statement. A stray is
told by who made it, of which object, how, and since when; the integration user should work for nobody else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from tieout import logs
from tieout.errors import SourceError
from tieout.extract import Facts
from tieout.extract.bulk2_page import Job
from tieout.extract.http import Answer, Call, decode

log = logs.logger(__name__)

_MARGIN = timedelta(minutes=1)
_UNSURE = timedelta(minutes=15)  # without a job of ours to compare with, the vendor's `Date` may be off
_MOST_PAGES = 20


class _Jobs(msgspec.Struct, rename="camel"):
    done: bool
    records: list[Job]
    next_records_url: str | None = None


class Mark(NamedTuple):
    """When a creation was first tried: by the vendor's clock, and by ours, waits included."""

    vendor: datetime
    monotonic: float
    waited: float


class Strays:
    """Finds strays. `user`: the id of the user that a token stands for; `now`: the vendor's clock."""

    def __init__(
        self, request: Callable[..., Any], link: Callable[[str], str], user: Callable[[], str],
        now: Callable[[], datetime], facts: Facts,
    ) -> None:
        self._request, self._link, self._user, self._now, self._facts = request, link, user, now, facts

    def mark(self) -> Mark:
        """To be taken before the first try."""
        return Mark(self._now(), time.monotonic(), self._facts.waited_seconds)

    def find(
        self, url: Callable[[], str], stream: str, operation: str, sent: Mark, ours: Job | None, known: AbstractSet[str]
    ) -> list[Job]:
        """Jobs on `stream` that our user created since `sent` and that are not `known`.

        Where the vendor does not tell, the fact is noted: "unknown" in `bulk_jobs_left_behind`.
        """
        user = (ours.created_by_id if ours else "") or self._user()
        try:
            if not user:
                raise SourceError("the vendor does not say who we are")
            since = self._since(sent, ours)
            return [
                job for job in self._all(url(), stream)
                if job.object == stream and job.operation == operation and job.created_by_id[:15] == user[:15]
                and job.id not in known and _stamp(job.created_date) >= since
            ]
        except (SourceError, ValueError) as error:
            log.warning("a bulk job may be left behind", extra={"stream": stream, "reason": str(error)})
            self._facts.notes.setdefault("bulk_jobs_left_behind", []).append("unknown")
            return []

    def _since(self, sent: Mark, ours: Job | None) -> datetime:
        """Jobs are stamped by one clock: from the job that we know it is as long back as our tries took."""
        if ours is None or not ours.created_date:
            return sent.vendor - _UNSURE
        tried = time.monotonic() - sent.monotonic + self._facts.waited_seconds - sent.waited
        return _stamp(ours.created_date) - timedelta(seconds=tried) - _MARGIN

    def _all(self, url: Callable[[], str], stream: str) -> list[Job]:
        found: list[Job] = []
        for _ in range(_MOST_PAGES):
            call = Call("GET", url, stream, headers={"accept": "application/json"}, tries=4)
            page = self._request(call, _read, always=True)
            found += page.records
            if page.done or not page.next_records_url:
                return found
            url = self._link(page.next_records_url)
        raise SourceError(f"more than {len(found):,} jobs are listed")


def _read(answer: Answer) -> _Jobs:
    return decode(answer.body, _Jobs)


def _stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
