"""Deliveries: complete lots of files, each landed as a batch of its own and remembered by name and content.

And what one run of a stranger's program brought of a stream, remembered by the state in which it ended.
"""

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
    """A file that was dealt with. `version`: what tells without reading that it is the same (size, stamp, tag).

    partitions: those that it replaced, of a stream that comes by partition.
    """

    name: str
    version: str
    sha256: str
    sequence: str
    state: State
    rows: int = 0
    bytes: int = 0
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bookmark:
    """Where a program left off. number: of the note; None: there is none. value: the program's own words.

    about: what we know of it: `streams` that it goes for, their `versions`, `restart` where the next run should begin
    anew.
    """

    number: int | None
    value: str | None
    about: dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """What a batch means for the state. since: the note that the run began with. state: where the run ended; it rides
    on the run's last batch, so that nothing that is not committed is ever taken for done."""

    since: int | None
    state: Bookmark | None = None


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
    progress: Progress | None = None


@runtime_checkable
class Delivers(Protocol):
    """An extractor whose streams come in deliveries, not in windows."""

    def deliveries(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Iterator[Delivery]:
        """The deliveries that were not landed, oldest first; all there are where `window.full`.

        Raises SourceError for a file that differs from its manifest or cannot be read; those before it were yielded.
        """


@runtime_checkable
class Resumes(Protocol):
    """An extractor that goes on from a state of the whole connection."""

    def resume(self, state: Bookmark) -> None:
        """Told before each stream's deliveries are asked for."""


def by_document(extractor: Any, stream: Stream) -> bool:
    """Whether a child stream can only be read parent by parent. An extractor that knows such has `by_document`."""
    told = getattr(extractor, "by_document", None)
    return stream.parent is not None and not stream.explode and told is not None and told(stream)


def delivers(extractor: Any, stream: Stream) -> bool:
    """Whether this stream comes in deliveries. An extractor of which only some do has `is_delivered(stream)`."""
    told = getattr(extractor, "is_delivered", None)
    return isinstance(extractor, Delivers) and (told is None or told(stream))
