"""Paging that never ends is a vendor's bug that must not become ours."""

from __future__ import annotations

import xxhash

from tieout.errors import SourceError

_MOST_EMPTY = 100  # pages in a row


class LoopGuard:
    """Remembers the places and pages that one extraction has seen. One instance a statement.

    A continuation (a link, a locator) that comes twice, a page whose bytes come twice, or ever more pages without a
    row, mean that paging turns in a circle: SourceError, instead of landing the same rows for ever.
    """

    def __init__(self, connection: str, stream: str) -> None:
        self._where = f"connection {connection}, stream {stream}"
        self._places: set[str] = set()
        self._pages: set[int] = set()
        self._empty = 0

    def place(self, value: str) -> None:
        """The continuation that is about to be followed."""
        if value in self._places:
            raise SourceError(f"{self._where}: paging came back to the same place", hint="report it to the vendor")
        self._places.add(value)

    def page(self, body: bytes, rows: int) -> None:
        """The page that was received. Empty pages may repeat, but not without end."""
        seen = xxhash.xxh3_64_intdigest(body)
        if rows and seen in self._pages:
            raise SourceError(f"{self._where}: the same page came twice", hint="report it to the vendor")
        self._pages.add(seen)
        self._empty = 0 if rows else self._empty + 1
        if self._empty > _MOST_EMPTY:
            raise SourceError(f"{self._where}: {self._empty} pages without a row", hint="report it to the vendor")
