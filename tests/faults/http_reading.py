"""One extraction of all streams of a connection, as landing would ask for them, without a warehouse."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from threading import Lock

import httpx

from tieout.errors import TieoutError
from tieout.extract import Extractor, Facts, Page, Window
from tieout.extract.open import PROTOCOLS
from tieout.spec import Connection, Stream

TIMEOUT = 2.0  # seconds of silence from a server on this machine, which may be busy
WHOLE = 1.5  # so many of them for a whole answer
Content = dict[str, dict[str, object]]


@dataclass
class Reading:
    """What a run yielded: `content` is {stream: {key: record or its hash}}.

    committed: the streams whose landing was committed. wrong: what must not be, whatever the faults were.
    """

    facts: Facts
    content: Content = field(default_factory=dict)
    error: TieoutError | None = None
    asked: list[str] = field(default_factory=list)
    committed: tuple[str, ...] = ()
    wrong: list[str] = field(default_factory=list)


class Waiting:
    """A `sleep` that takes no time and adds up."""

    def __init__(self) -> None:
        self.seconds, self._lock = 0.0, Lock()

    def __call__(self, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds


def opened(connection: Connection, secrets: dict[str, str], clock: Callable[[], datetime], sleep: Waiting) -> Extractor:
    """The connection's extractor, which waits in no time and loses patience with a silent server soon."""
    module, name = PROTOCOLS[connection.source.protocol]
    extractor = getattr(import_module(module), name)(connection, secrets, sleep=sleep, clock=clock)
    extractor._client._http.timeout = httpx.Timeout(TIMEOUT)
    return extractor


def read(connection: Connection, secrets: dict[str, str], clock: Callable[[], datetime]) -> Reading:
    """Every stream from the beginning; lines for the documents that were read."""
    sleep = Waiting()
    with opened(connection, secrets, clock, sleep) as extractor:
        found = Reading(extractor.facts)
        try:
            window, documents = Window(None, extractor.now()), []
            for stream in connection.selected():
                if not extractor.available(stream):
                    continue
                pages = list(extractor.pages(stream, window, iter(documents) if stream.parent else None))
                found.content[stream.name] = _records(stream, pages, found.wrong)
                if stream.name == "transaction":
                    documents = sorted(found.content[stream.name], key=int)
                told = [each for page in pages for each in page.parents]
                if stream.parent and sorted(told) != sorted(documents):
                    found.wrong.append(f"{stream.name} speaks for {len(told)} of {len(documents)} documents")
        except TieoutError as error:
            found.error = error
    waited = extractor.facts.waited_seconds
    if abs(waited - sleep.seconds) > 1e-6 and (connection.system == "netsuite" or waited > sleep.seconds):
        found.wrong.append(f"facts say {waited} s of waiting, {sleep.seconds} s were slept")
    return found


def _records(stream: Stream, pages: Iterable[Page], wrong: list[str]) -> dict[str, object]:
    """Records by key, their values as text, whichever form they came in."""
    found: dict[str, object] = {}
    for page in pages:
        if page.media == "csv":
            rows = list(csv.DictReader(io.StringIO(page.body.decode())))
        else:
            rows = json.loads(page.body, parse_float=str, parse_int=str)[page.records]
        for row in rows:
            record = {name: _text(value) for name, value in row.items() if name not in page.noise}
            key = "|".join(str(record.get(stream.column(each).field)) for each in stream.key)
            if found.setdefault(key, record) != record:
                wrong.append(f"{stream.name} {key} came in two forms")
    return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
