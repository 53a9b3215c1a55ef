"""Deliveries: complete lots of files, each landed as a batch of its own and remembered by name and content."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from tieout.extract import Page, Window
    from tieout.spec import Stream

State = Literal["landed", "repeated", "superseded"]


@dataclass(frozen=True)
class KnownFile:
    """A file that was dealt with. `version`: what tells without reading that it is the same (size, stamp, tag)."""

    name: str
    version: str
    sha256: str
    sequence: str
    state: State
    rows: int = 0
    bytes: int = 0


@dataclass
class Delivery:
    """One lot. `files` is complete once `pages` was read to its end. `ends_at`: up to when it is complete.

    mode full: the pages are the complete set, so what they lack is gone. Without pages: nothing came that was not
    known; the files are remembered all the same.
    """

    name: str
    mode: Literal["incremental", "full"]
    ends_at: datetime | None
    pages: Callable[[], Iterator[Page]]
    files: list[KnownFile] = field(default_factory=list)


@runtime_checkable
class Delivers(Protocol):
    """An extractor whose streams come in deliveries, not in windows."""

    def deliveries(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Iterator[Delivery]:
        """The deliveries that were not landed, oldest first; all there are where `window.full`.

        Raises SourceError for a file that differs from its manifest or cannot be read; those before it were yielded.
        """


def by_document(extractor: Any, stream: Stream) -> bool:
    """Whether a child stream can only be read parent by parent. An extractor that knows such has `by_document`."""
    told = getattr(extractor, "by_document", None)
    return stream.parent is not None and not stream.explode and told is not None and told(stream)


def delivers(extractor: Any, stream: Stream) -> bool:
    """Whether this stream comes in deliveries. An extractor of which only some do has `is_delivered(stream)`."""
    told = getattr(extractor, "is_delivered", None)
    return isinstance(extractor, Delivers) and (told is None or told(stream))
