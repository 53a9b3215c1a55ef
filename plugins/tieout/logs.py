"""Logging: one line per event, with its run, connection and stream, and never a secret.

    log = logs.logger(__name__)
    with logs.bound(connection="crm", stream="Order"):
        log.warning("retrying", extra={"status": 503, "wait": 2.0})

The command line calls `configure`: from then on every line of the process goes through one handler, also those of
other packages, Python's warnings, and the traceback of a failure that nobody caught. Inside Airflow nobody calls it:
lines go to the task's log through the root logger, and the filter that hides secrets still holds, because it sits on
the loggers themselves.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from types import MappingProxyType, TracebackType
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

HIDDEN = "***"
_SHORTEST = 4  # hiding shorter values would blank out innocent text, and they are no secrets
_LINE = 16  # a line of a PEM body that is at least this long gives part of the key away
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_URL_SAFE = str.maketrans("+/", "-_")
_bound: ContextVar[Mapping[str, Any]] = ContextVar("tieout_log_words", default=MappingProxyType({}))


class _Secrets(logging.Filter):
    """Rewrites a record so that no registered secret is left in its message, fields or traceback."""

    def __init__(self) -> None:
        super().__init__()
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = Lock()

    def add(self, value: str) -> None:
        lines = [line.strip() for line in value.splitlines()]
        pieces = {value.strip(), *(line for line in lines if len(line) >= _LINE and not line.startswith("-----"))}
        pieces = {piece for piece in pieces if len(piece) >= _SHORTEST}
        forms = {form for piece in pieces for form in _forms(piece)}
        with self._lock:
            self._forms |= forms
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def redact(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def filter(self, record: logging.LogRecord) -> bool:
        if self._pattern is None:
            return True
        record.msg, record.args = self.redact(_message(record)), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.redact(record.exc_text)
        for word, value in vars(record).items():
            if word not in _PLAIN and not isinstance(value, (int, float, bool, type(None))):
                setattr(record, word, self.redact(str(value)))
        return True


def _forms(value: str) -> Iterator[str]:
    """How a value may be written: as it is, in a URL, in JSON, and in base64 wherever it begins (`user:value`)."""
    yield from (value, quote(value), quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1])
    for before in range(3):
        whole = b"x" * before + value.encode()
        # The characters that depend on the value alone, not on what stands before and after it.
        core = base64.b64encode(whole).decode()[-(-before * 8 // 6) : len(whole) * 8 // 6]
        if len(core) >= _LINE:
            yield from (core, core.translate(_URL_SAFE))


def _message(record: logging.LogRecord) -> str:
    """The line's text; arguments that do not fit it are shown beside it, instead of an exception in the caller."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


class _Words(logging.Filter):
    """Puts the words bound to the context (run, connection, stream) on the record."""

    def filter(self, record: logging.LogRecord) -> bool:
        for word, value in _bound.get().items():
            if not hasattr(record, word):
                setattr(record, word, value)
        return True


_secrets, _words = _Secrets(), _Words()


def register_secret(value: str) -> None:
    """Hide `value` from every line logged from now on, in plain, URL-encoded and JSON-escaped form."""
    _secrets.add(value)


def redact(text: str) -> str:
    """`text` without the registered secrets, for error messages that quote what a vendor said."""
    return _secrets.redact(text)


def logger(name: str) -> logging.Logger:
    """The logger of that name, with the bound words and without secrets, whoever handles its lines."""
    found = logging.getLogger(name)
    for each in (_words, _secrets):
        found.addFilter(each)  # adding twice is a no-op
    return found


@contextmanager
def bound(**words: Any) -> Iterator[None]:
    """Bind words (run, connection, stream) to all lines logged inside."""
    token = _bound.set({**_bound.get(), **words})
    try:
        yield
    finally:
        _bound.reset(token)


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _message(record),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class _Console(logging.Formatter):
    """`12:00:01 warning retrying  connection=crm status=503`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{word}={value}" for word, value in _fields(record).items())
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {_message(record)}"
        line = f"{line}  {fields}" if fields else line
        if record.exc_info:
            line = f"{line}\n{record.exc_text or self.formatException(record.exc_info)}"
        return line


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {word: value for word, value in vars(record).items() if word not in _PLAIN}


def configure(form: str = "console", level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all lines of this process to `stream` (stderr), as `console` or `json`: warnings and uncaught failures too.
    Calling again starts afresh.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Console())
    handler.addFilter(_words)
    handler.addFilter(_secrets)
    handler.set_name("tieout")
    root = logging.getLogger()
    for old in [h for h in root.handlers if h.get_name() == "tieout"]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore"):  # they log every request's whole URL
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.unraisablehook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("tieout").critical("%s", kind.__name__, exc_info=(kind, error or kind(), trace))
