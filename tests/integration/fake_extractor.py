"""An extractor that serves what a test gives it: pages per stream, no vendor, no HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from tieout.extract import Facts, Page, Window
from tieout.spec import Stream

Pages = list[Page] | Callable[[Window, list[str] | None], list[Page]]


class FakeExtractor:
    """`pages_by_stream[stream]` is a list of pages, or a function of (window, parents) that returns one.

    `asked` records (stream, window, parents) of each call. `missing`: streams that the vendor does not offer.
    """

    def __init__(self, pages_by_stream: dict[str, Pages] | None = None, *, now: datetime | None = None,
                 missing: tuple[str, ...] = (), at_hand: bool = False) -> None:
        self.facts = Facts()
        self.at_hand = at_hand
        self.pages_by_stream = pages_by_stream or {}
        self.asked: list[tuple[str, Window, list[str] | None]] = []
        self.closed = False
        self._now = now or datetime(2025, 6, 1, tzinfo=UTC)
        self._missing = missing

    def __enter__(self) -> FakeExtractor:
        return self

    def __exit__(self, *exc: object) -> None:
        self.closed = True

    def now(self) -> datetime:
        return self._now

    def available(self, stream: Stream) -> bool:
        return stream.name not in self._missing

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        keys = None if parents is None else list(parents)
        self.asked.append((stream.name, window, keys))
        found = self.pages_by_stream.get(stream.name, [])
        for page in found(window, keys) if callable(found) else found:
            self.facts.requests += 1
            yield page

    def test(self) -> str:
        return "a test's extractor"


def json_page(stream: str, records: list[dict[str, Any]], **options: Any) -> Page:
    """A page whose body is `{"items": [...]}`, nulls left out as NetSuite does unless told otherwise."""
    options = {"records": "items", "omits_nulls": True, **options}
    return Page(stream, json.dumps({"items": records}).encode(), **options)
