"""Where a load's seconds go: what its own thread waits for. Work that other threads do meanwhile costs nothing here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
_spent: ContextVar[dict[str, float] | None] = ContextVar("tieout_load_phases", default=None)


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Measure inside; yields {phase: seconds}, which fills up."""
    spent: dict[str, float] = {}
    token = _spent.set(spent)
    try:
        yield spent
    finally:
        _spent.reset(token)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Count what is inside to the phase. Does nothing outside of a measured load."""
    spent, begun = _spent.get(), time.perf_counter()
    try:
        yield
    finally:
        if spent is not None:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - begun


def counted(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Count every call of the function to the phase."""

    def around(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> T:
            with phase(name):
                return function(*args, **kwargs)

        return timed

    return around


def each(name: str, items: Iterable[T]) -> Iterator[T]:
    """The items; the time that it takes to get each one counts to the phase."""
    walk, end = iter(items), object()
    while True:
        with phase(name):
            item = next(walk, end)
        if item is end:
            return
        yield item  # type: ignore[misc]
