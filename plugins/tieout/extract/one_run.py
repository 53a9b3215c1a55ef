"""What a stranger's program brings in one run: all streams of a connection, and the state in which it ended.

The program runs when the first stream is asked for; what it sends is held until each stream has landed. The state rides
on the last stream's batch. Until that is committed, the next run begins where this one began: what has landed by then
comes again, and is known by its key.

Where the program broke off, what it had vouched for by then lands and counts; then the failure is raised.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tieout.errors import TieoutError
from tieout.extract import Facts, Page, Window
from tieout.extract.deliveries import Bookmark, Delivery, KnownFile, Progress
from tieout.spec import Connection, Stream


@dataclass
class Taken:
    """What one run brought. pages: of a stream. state: the program's own words where it ended.

    complete: streams of which it brought the whole set, so that what they lack is gone. unheard: of which it said
    nothing at all. failure: why it broke off.
    """

    pages: Callable[[Stream], Iterator[Page]]
    state: str | None
    complete: set[str] = field(default_factory=set)
    unheard: set[str] = field(default_factory=set)
    versions: dict[str, Any] = field(default_factory=dict)
    restart: bool = False
    failure: TieoutError | None = None


class OneRun(ABC):
    """See the module's docstring, `extract.Extractor`, `deliveries.Delivers` and `deliveries.Resumes`."""

    at_hand = True

    def __init__(self, connection: Connection) -> None:
        self.facts = Facts()
        self._connection = connection
        self._streams = {stream.name: stream for stream in connection.selected() if not stream.explode}
        self._left = set(self._streams)
        self._state = Bookmark(None, None, {})
        self._taken: Taken | None = None
        self._began = datetime.now(UTC)

    def __enter__(self) -> OneRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        self.close()
        if kind is None and self._taken is not None and self._taken.failure is not None:
            raise self._taken.failure

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held."""

    @abstractmethod
    def take(self, state: Bookmark | None) -> Taken:
        """Run the program from the state, or from the beginning. Raises SourceError where it brought nothing usable."""

    def now(self) -> datetime:
        """Our clock: the program tells none."""
        return datetime.now(UTC)

    def available(self, stream: Stream) -> bool:
        """A stream that the program lacks is an error when it is read."""
        return True

    def resume(self, state: Bookmark) -> None:
        """Counts until the program runs."""
        if self._taken is None:
            self._state = state

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """All that a first run brings: for a look at a sample."""
        yield from self._run(full=True).pages(stream)

    def deliveries(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Iterator[Delivery]:
        """One: what the run brought of this stream. That there was no news is news, unless the program broke off."""
        taken = self._run(full=window.full)
        complete = taken.failure is None and stream.name not in taken.unheard and (
            stream.mode == "full" or stream.name in taken.complete)
        made = Delivery(stream.name, "full" if complete else "incremental",
                        None if taken.failure else self._began, lambda: taken.pages(stream))
        last = self._left <= {stream.name}
        made.progress = Progress(self._state.number, self._ended(taken) if last else None)
        yield made
        self._left.discard(stream.name)  # only after its commit does the loop come back here

    def _run(self, *, full: bool) -> Taken:
        if self._taken is None:
            self._began = datetime.now(UTC)
            about = self._state.about
            anew = full or about.get("restart") or not self._streams.keys() <= {*about.get("streams", ())}
            self._taken = self.take(None if anew or self._state.number is None else self._state)
        return self._taken

    def _ended(self, taken: Taken) -> Bookmark:
        about: dict[str, Any] = {"streams": sorted(self._streams)}
        if taken.versions:
            about["versions"] = taken.versions
        if taken.restart:
            about["restart"] = True
        return Bookmark(None, taken.state, about)
