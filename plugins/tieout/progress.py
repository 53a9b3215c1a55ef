"""Progress: a step says what it did; whoever is listening shows it. Without a listener it goes to the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from tieout import logs

log = logs.logger(__name__)


@dataclass(frozen=True)
class Event:
    """One line: `land netsuite · 1,204 received, 1,204 landed · 0.8 s`. `seconds` None: it has just begun."""

    step: str
    subject: str
    facts: str = ""
    seconds: float | None = None
    state: Literal["started", "done", "failed"] = "done"


Listener = Callable[[Event], None]
_listeners: list[Listener] = []


def tell(event: Event) -> None:
    """Hand the event to every listener; to the log when there is none."""
    for listener in _listeners:
        listener(event)
    if not _listeners:
        took = {} if event.seconds is None else {"seconds": round(event.seconds, 2)}
        log.info("%s %s: %s %s", event.step, event.subject, event.state, event.facts, extra=took)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand all events told inside, in any thread of this process, to `listener`."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@dataclass
class Step:
    """What `timed` yields: set `facts` before the block ends."""

    facts: str = ""
    started: float = field(default_factory=time.monotonic)


@contextmanager
def timed(step: str, subject: str = "") -> Iterator[Step]:
    """Tell that a step starts, and then that it is done (with its facts and seconds) or failed."""
    running = Step()
    tell(Event(step, subject, state="started"))
    try:
        yield running
    except BaseException:
        tell(Event(step, subject, running.facts, time.monotonic() - running.started, "failed"))
        raise
    tell(Event(step, subject, running.facts, time.monotonic() - running.started))
