"""Events on their way: through the client's own transports, in a thread of their own, with a limit on waiting."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tieout import logs
from tieout.errors import ConfigError
from tieout.settings import settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent
    from openlineage.client.transport.transport import Transport

log = logs.logger(__name__)
AWAY_SECONDS = 300  # after a failure the backend is left alone for so long, in this process


class _Sender:
    """A worker that emits events in order. The first failure ends it."""

    def __init__(self, transport: Transport) -> None:
        self.failure: str | None = None
        self._transport = transport
        self._queue: queue.Queue[RunEvent] = queue.Queue()
        threading.Thread(target=self._work, name="lineage", daemon=True).start()

    def put(self, events: Iterable[RunEvent]) -> None:
        for event in events:
            self._queue.put(event)

    def wait(self, seconds: float) -> bool:
        """True when everything was taken within that time."""
        end = time.monotonic() + seconds
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks and not self.failure:
                if (left := end - time.monotonic()) <= 0:
                    self.failure = f"no answer within {seconds:g} s, {self._queue.unfinished_tasks} events dropped"
                    return False
                self._queue.all_tasks_done.wait(left)
        return self.failure is None

    def _work(self) -> None:
        while self.failure is None:
            event = self._queue.get()
            try:
                self._transport.emit(event)
            except Exception as error:  # noqa: BLE001 - the client raises what its HTTP library, file or logger raises
                self.failure = self.failure or f"{type(error).__name__}: {error}"
            finally:
                self._queue.task_done()


_sender: _Sender | None = None
_away_until = 0.0


def is_away() -> bool:
    """The backend failed a short while ago: do not even ask the books what to tell."""
    return time.monotonic() < _away_until


def send(events: Iterable[RunEvent]) -> None:
    """Emit the events; returns when they were taken, or after `TIEOUT_OPENLINEAGE_SECONDS`. Never raises for a backend
    that fails: it is logged once, and left alone for some minutes.
    """
    global _sender, _away_until
    if _sender is None or _sender.failure:
        _sender = _Sender(_transport())
    _sender.put(events)
    if not _sender.wait(settings().openlineage_seconds):
        _away_until = time.monotonic() + AWAY_SECONDS
        log.warning(
            "the lineage backend failed (%s): no events for %s s", logs.redact(_sender.failure or ""), AWAY_SECONDS)


def reset() -> None:
    """Forget the backend and its failures."""
    global _sender, _away_until
    _sender, _away_until = None, 0.0


def _transport() -> Transport:
    """`http(s)://…`: POST to its /api/v1/lineage. `file:///path`: one JSON object a line. `console`: the log."""
    chosen = settings()
    url = chosen.openlineage_url.get_secret_value() if chosen.openlineage_url else ""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

        key = chosen.openlineage_api_key.get_secret_value() if chosen.openlineage_api_key else None
        for secret in (key, parts.password, parts.query):
            if secret:
                logs.register_secret(secret)
                logs.register_secret(unquote(secret))
        auth = ApiKeyTokenProvider({"apiKey": key}) if key else TokenProvider({})
        return HttpTransport(HttpConfig(url, timeout=chosen.openlineage_seconds, auth=auth, retry={"total": 0}))
    if parts.scheme == "file":
        from openlineage.client.transport.file import FileConfig, FileTransport

        return FileTransport(FileConfig(log_file_path=unquote(parts.path), append=True))
    if url == "console":
        import logging

        from openlineage.client.transport.console import ConsoleConfig, ConsoleTransport

        logging.getLogger("openlineage.client.transport.console").setLevel(logging.INFO)
        return ConsoleTransport(ConsoleConfig())
    raise ConfigError("TIEOUT_OPENLINEAGE_URL is neither http(s)://…, file:///… nor console", hint="see .env.example")
