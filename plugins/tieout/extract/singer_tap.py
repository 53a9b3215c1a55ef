"""A tap as a process: its configuration in a private folder that goes with it, its output line by line.

It sees nothing of our environment but what is nobody's secret, and no shell. Its stderr is kept for the error message,
without registered secrets. Silence longer than agreed ends it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tieout import logs
from tieout.errors import ConfigError, SourceError
from tieout.extract.private_folder import PrivateFolder
from tieout.settings import foreign_environment
from tieout.spec import Stream
from tieout.spec_transports import Tap

log = logs.logger(__name__)
_KEPT, _SHOWN = 200, 5  # lines of stderr
_GRACE = 10.0  # seconds to end by itself


class TapProcess:
    """One tap, ready to be asked once for its catalog and once for its records."""

    def __init__(self, where: str, tap: Tap, config: dict[str, Any]) -> None:
        self.failure: SourceError | None = None
        self._where, self._tap = where, tap
        self._folder = PrivateFolder()
        self._arguments = ["--config", str(self._write("config.json", config))]
        self._said: deque[str] = deque(maxlen=_KEPT)
        self._silent = False

    def close(self) -> None:
        """The folder, and with it the configuration, is gone."""
        self._folder.close()

    def choose(self, streams: Mapping[str, Stream]) -> None:
        """Say which streams are wanted: the declared ones, whole where each run is to be the complete set."""
        if self._tap.catalog is not None:
            self._arguments += ["--catalog", self._tap.catalog]
        elif self._tap.discover:
            lines = b"".join(self._run([*self._arguments, "--discover"]))
            if self.failure is not None:
                raise self.failure
            try:
                catalog = json.loads(lines)
                entries = catalog["streams"]
            except (ValueError, TypeError, KeyError):
                raise SourceError(f"{self._where}: the tap's --discover wrote no catalog",
                                  hint="name one under `catalog`, or say `discover: false`") from None
            _select(entries, streams, self._where)
            self._arguments += ["--catalog", str(self._write("catalog.json", catalog))]

    def records(self, state: str | None) -> Iterator[bytes]:
        """The lines of its output. `failure` tells afterwards why it broke off, if it did."""
        if state is not None:
            self._arguments += ["--state", str(self._write("state.json", json.loads(state)))]
        yield from self._run(self._arguments)

    def _write(self, name: str, content: Any) -> Path:
        path = self._folder.path / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
        return path

    def _run(self, arguments: list[str]) -> Iterator[bytes]:
        try:
            process = subprocess.Popen(
                [*self._tap.command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=foreign_environment(), start_new_session=True, bufsize=1 << 20)
        except OSError as error:
            raise ConfigError(f"{self._where}: {self._tap.command[0]} cannot be started: {error.strerror}",
                              hint="install the tap, best in an environment of its own, and name its program in full"
                              ) from None
        heard = [time.monotonic()]
        ended = threading.Event()
        threads = [threading.Thread(target=self._listen, args=(process.stderr, heard), daemon=True),
                   threading.Thread(target=self._watch, args=(process, heard, ended), daemon=True)]
        for thread in threads:
            thread.start()
        try:
            for line in process.stdout:
                heard[0] = time.monotonic()
                yield line
            self._judge(_ended(process))
        finally:  # also where nobody wants to hear the rest
            ended.set()
            _kill(process)
            threads[0].join(_GRACE)
            process.stdout.close()

    def _listen(self, stderr: Iterable[bytes], heard: list[float]) -> None:
        for line in stderr:
            heard[0] = time.monotonic()
            text = logs.redact(line.decode("utf-8", "replace").rstrip())
            self._said.append(text)
            log.debug("%s", text)

    def _watch(self, process: subprocess.Popen[bytes], heard: list[float], ended: threading.Event) -> None:
        longest = self._tap.silence.total_seconds()
        while not ended.wait(min(1.0, longest / 4)):
            if time.monotonic() - heard[0] > longest:
                self._silent = True
                _kill(process)
                return

    def _judge(self, code: int) -> None:
        name = Path(self._tap.command[0]).name
        if self._silent:
            self.failure = SourceError(f"{self._where}: {name} said nothing for {self._tap.silence} and was ended",
                                       hint="look at the system behind it, or allow more: options.silence")
        elif code:
            time.sleep(0.05)  # the last words may still be on their way
            last = " | ".join([*self._said][-_SHOWN:]) or "it said nothing on stderr"
            self.failure = SourceError(
                f"{self._where}: {name} ended with {f'signal {-code}' if code < 0 else f'code {code}'}: {last}",
                hint="what it vouched for (its last STATE) has landed; mend the cause and run again, it goes on there")


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit code; it closed its output and may have something left to do."""
    try:
        return process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        _kill(process)
        return process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """It and its children."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None and sign == signal.SIGTERM:
            return
        try:
            os.killpg(process.pid, sign)
            process.wait(2)
        except (ProcessLookupError, PermissionError):
            return
        except subprocess.TimeoutExpired:
            continue
        return


def _select(entries: list[dict[str, Any]], streams: Mapping[str, Stream], where: str) -> None:
    """Mark the declared streams as selected, the others as not; `selected` is said both ways that taps understand."""
    offered = {str(entry.get("stream") or entry.get("tap_stream_id")): entry for entry in entries}
    if missing := sorted(streams.keys() - offered.keys()):
        raise SourceError(f"{where}: the tap offers no stream {', '.join(missing)}",
                          hint=f"it offers: {', '.join(sorted(offered))}")
    for name, entry in offered.items():
        stream = streams.get(name)
        told: dict[str, Any] = {"selected": stream is not None}
        if stream is not None and stream.mode == "full":
            told["forced-replication-method"] = told["replication-method"] = "FULL_TABLE"
            entry["replication_method"] = "FULL_TABLE"
        entry["selected"] = stream is not None
        metadata = entry.setdefault("metadata", [])
        top = next((one for one in metadata if not one.get("breadcrumb")), None)
        if top is None:
            metadata.append(top := {"breadcrumb": [], "metadata": {}})
        top.setdefault("metadata", {}).update(told)
        if stream is not None:
            _select_fields(metadata, {column.field for column in stream.columns})


def _select_fields(metadata: list[dict[str, Any]], fields: set[str]) -> None:
    for one in metadata:
        crumb = one.get("breadcrumb") or []
        if len(crumb) == 2 and crumb[1] in fields and one.get("metadata", {}).get("inclusion") != "unsupported":
            one.setdefault("metadata", {})["selected"] = True
