"""Reads whole collections of an ADF REST service, whatever the server clamps, shifts or cannot bear.

By key: `q=Key>last`, `orderBy=Key:asc`, always from offset 0. Rows that change meanwhile cannot push others over the
edge of a page, and a server that serves fewer rows than asked for costs only requests.
By offset, where there is no such key (finders, lists of values, children): an offset is no snapshot, so each page
begins with the last row of the one before. When it does not, rows have shifted, and the collection is read again.

A server that answers 500 gets asked for less: without `totalResults`, then without `fields`, then for smaller pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tieout import logs
from tieout.errors import SourceError
from tieout.extract.adf_errors import ServerFault
from tieout.extract.adf_page import Batch, batch_of, identity, keys_of
from tieout.extract.adf_query import conjunction, name
from tieout.extract.http import Call, Client
from tieout.extract.loopguard import LoopGuard

log = logs.logger(__name__)

MOST_ROWS = 500  # what the framework serves at once
_LEAST_ROWS = 25
_RESTARTS = 3
_STEPS = 8  # of asking for less; the last ones halve the page down to the least


@dataclass(frozen=True)
class Request:
    """A collection, and what is wanted of it.

    about: the stream. key: attributes that tell records apart; the first is the surrogate key if `is_keyed`. order:
    `orderBy` of offset paging. totals: ask how many rows there are. only_data: leave out the links.
    """

    about: str
    url: str
    key: tuple[str, ...]
    is_keyed: bool = False
    conditions: tuple[str, ...] = ()
    finder: str = ""
    fields: str = ""
    expand: str = ""
    order: str = ""
    totals: bool = False
    only_data: bool = True


class Reader:
    """One connection's reader; safe to use from several threads."""

    def __init__(self, client: Client, *, version: int, limit: int) -> None:
        self._client, self._limit = client, min(limit, MOST_ROWS)
        self._headers = {"accept": "application/json", "rest-framework-version": str(version)}
        self._eased: dict[str, int] = {}  # how much less is asked for, by stream; remembered for the run

    def all(self, request: Request) -> Iterator[Batch]:
        """All rows, as batches whose `body` holds each of them; after a restart the same row may come twice."""
        for restart in range(_RESTARTS + 1):
            found: _Shifted | None = None
            received, announced = 0, None
            try:
                for batch in self._keyed(request) if request.is_keyed else self._by_offset(request):
                    received += len(batch.items)
                    announced = batch.total if announced is None else announced
                    yield batch
            except _Shifted as shifted:
                found = shifted
            if found is None and (announced is None or received >= announced):
                return
            reason = str(found) if found else f"{received} of {announced} rows came"
            if found is None and restart:  # twice the same: the total is an estimate
                self._note("estimated_totals", request.about, f"{received} of {announced}")
                return
            self._note("restarts", request.about, restart + 1)
            log.warning("reading rows again", extra={"stream": request.about, "reason": reason})
        raise SourceError(
            f"connection {self._client.name}, stream {request.about}: {reason}, after {_RESTARTS} restarts",
            hint="rows are made or deleted faster than they can be paged; run again at a quieter time")

    def page(self, request: Request, *, limit: int, offset: int = 0) -> Batch:
        """One page, no more."""
        return self._get(request, limit, offset)

    def _keyed(self, request: Request) -> Iterator[Batch]:
        key = name(request.key[0])
        where = f"connection {self._client.name}, stream {request.about}"
        guard, last = LoopGuard(self._client.name, request.about), None
        ordered = replace(request, order=f"{key}:asc")
        while True:
            bound = () if last is None else (f"{key}>{last}",)
            batch = self._get(replace(ordered, conditions=(*request.conditions, *bound),
                                      totals=request.totals and last is None), self._limit, 0)
            guard.page(batch.body, len(batch.items))
            for found in keys_of(batch.items, key, where):
                if last is not None and found <= last:
                    raise SourceError(f"{where}: rows are not in the order of {key} ({found} after {last})",
                                      hint="the vendor ignored orderBy or q; set options.paging: offset")
                last = found
            yield batch
            if not batch.more:
                return

    def _by_offset(self, request: Request) -> Iterator[Batch]:
        guard, start, seam = LoopGuard(self._client.name, request.about), 0, None
        while True:
            batch = self._get(replace(request, totals=request.totals and start == 0), self._limit, start)
            guard.page(batch.body, len(batch.items))
            if seam is not None:
                if not batch.items or identity(batch.items[0], request.key) != seam:
                    raise _Shifted(f"rows shifted at offset {start}")
                batch = Batch(batch.rest(1), batch.items[1:], batch.more, batch.total)
                if batch.more and not batch.items:
                    raise SourceError(f"connection {self._client.name}, stream {request.about}: pages of one row",
                                      hint="the server clamps `limit` to 1: ask its administrator to raise it")
            yield batch
            if not batch.more:
                return
            # By what came, not by what was asked for: servers serve fewer.
            start += len(batch.items) - (0 if seam is not None else 1)
            seam = identity(batch.items[-1], request.key)

    # --- one request

    def _get(self, request: Request, limit: int, offset: int) -> Batch:
        while True:
            step = self._eased.get(request.about, 0)
            eased, rows = _less(request, limit, step)
            try:
                return self._ask(eased, rows, offset)
            except ServerFault:
                steps = range(step + 1, _STEPS)
                following = next((s for s in steps if _less(request, limit, s) != (eased, rows)), None)
                if following is None:
                    raise
                self._eased[request.about] = max(following, self._eased.get(request.about, 0))
                told = _less(request, limit, following)
                self._note("eased", request.about, f"fields: {bool(told[0].fields)}, limit: {told[1]}")
                log.warning("asking for less", extra={"stream": request.about, "limit": told[1]})

    def _ask(self, request: Request, limit: int, offset: int) -> Batch:
        params = {
            "q": conjunction(request.conditions), "finder": request.finder, "orderBy": request.order,
            "expand": request.expand, "fields": "" if request.expand else request.fields,  # never both
            "onlyData": "true" if request.only_data else "", "totalResults": "true" if request.totals else "",
            "limit": str(limit), "offset": str(offset),
        }
        call = Call("GET", request.url, request.about, {word: text for word, text in params.items() if text},
                    self._headers)
        return self._client.request(call, lambda answer: batch_of(answer.body, offset))

    def _note(self, word: str, stream: str, value: object) -> None:
        self._client.facts.notes.setdefault(word, {})[stream] = value


class _Shifted(Exception):
    """The seam between two pages does not fit."""


def _less(request: Request, limit: int, step: int) -> tuple[Request, int]:
    """The request and limit after so many steps of asking for less."""
    if step >= 1:
        request = replace(request, totals=False)
    if step >= 2:
        request = replace(request, fields="")
    return request, max(limit >> max(0, step - 2), min(limit, _LEAST_ROWS))
