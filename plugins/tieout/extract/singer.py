"""Any Singer tap, through its standard output. See `one_run.py` for when its state counts.

A version that a tap activates is the complete set of its stream, where all records of that version came in this run.
Where an earlier run brought some of them, nothing is deleted, and the next run begins anew: then it is complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import httpx
import msgspec

from tieout.errors import ConfigError, TieoutError
from tieout.extract.deliveries import Bookmark
from tieout.extract.one_run import OneRun, Taken
from tieout.extract.singer_messages import Messages
from tieout.extract.singer_tap import TapProcess
from tieout.spec import Connection, Defaults
from tieout.spec_transports import Tap, with_secrets


class SingerExtractor(OneRun):
    """See the module's docstring. `lines`: a tap's output that is already here, instead of a program's."""

    def __init__(self, connection: Connection, secrets: dict[str, str], *, transport: httpx.BaseTransport | None = None,
                 lines: Iterable[bytes] | None = None) -> None:
        super().__init__(connection)
        told = {word: value for word, value in connection.options.items() if word not in Defaults.model_fields}
        self._tap = Tap.model_validate(told)
        self._config = with_secrets(self._tap.config, secrets)
        self._by_name = {stream.options["tap_stream"]: stream for stream in self._streams.values()}
        if len(self._by_name) < len(self._streams):
            raise ConfigError(f"{connection.name}: two streams read the same stream of the tap")
        self._lines = lines
        self._messages: Messages | None = None

    def close(self) -> None:
        """Let go of the records that are held."""
        if self._messages is not None:
            self._messages.close()

    def test(self) -> str:
        """Whether the program is there."""
        found = shutil.which(self._tap.command[0])
        if found is None:
            raise ConfigError(f"{self._connection.name}: no program {self._tap.command[0]}",
                              hint="install the tap, and name its program in full under options.command")
        return f"{found} is there; what it reads shows `tieout sources check {self._connection.name}`"

    def take(self, state: Bookmark | None) -> Taken:
        """See `OneRun.take`."""
        self.close()
        read = self._messages = Messages(self._connection.name, self._by_name, frozenset(self._tap.ignore))
        failure = self._read(read, state)
        if failure is not None and read.state is None:
            raise failure  # it vouched for nothing
        self.facts.notes["tap_lines"] = read.lines
        if read.ignored_records:
            self.facts.notes["records_of_ignored_streams"] = read.ignored_records
        made = Taken(lambda stream: read.pages(stream, vouched=failure is not None),
                     read.state.decode() if read.state else state and state.value, failure=failure)
        made.unheard = {stream.name for name, stream in self._by_name.items() if name not in read.known}
        if made.unheard:
            self.facts.notes["streams_unheard"] = sorted(made.unheard)
        self._settle_versions(read, made, (state.about if state else {}).get("versions", {}))
        return made

    def _read(self, read: Messages, state: Bookmark | None) -> TieoutError | None:
        """All lines; why there are no more, if the tap did not end well."""
        if self._lines is not None:
            return _taken(read, self._lines)
        with closing(TapProcess(self._connection.name, self._tap, self._config)) as tap:
            tap.choose(self._by_name)
            value = state.value if state else None
            with closing(tap.records(self._without_full(value) if value else None)) as lines:
                failure = _taken(read, lines)
            return failure or tap.failure

    def _without_full(self, value: str) -> str:
        """The state without bookmarks of streams whose every run is to be the complete set."""
        told = msgspec.json.decode(value)
        bookmarks = told.get("bookmarks") if isinstance(told, dict) else None
        if isinstance(bookmarks, dict):
            for name, stream in self._by_name.items():
                if stream.mode == "full":
                    bookmarks.pop(name, None)
        return msgspec.json.encode(told).decode()

    def _settle_versions(self, read: Messages, made: Taken, before: dict[str, Any]) -> None:
        withheld = []
        for name, stream in self._by_name.items():
            known = before.get(name, {})
            version = read.activated.get(name, read.versions.get(name, known.get("begun")))
            told = {"begun": version, "activated": known.get("activated")}
            if name in read.activated and version != known.get("activated") and made.failure is None:
                if known.get("begun") == version:
                    made.restart = True
                    withheld.append(stream.name)
                else:
                    made.complete.add(stream.name)
                    told["activated"] = version
            if told["begun"] is not None:
                made.versions[name] = told
        if withheld:
            self.facts.notes["deletes_withheld"] = withheld


def _taken(read: Messages, lines: Iterable[bytes]) -> TieoutError | None:
    try:
        for line in lines:
            read.take(line)
    except TieoutError as error:
        return error
    return None
