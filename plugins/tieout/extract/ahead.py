"""Several requests under way at once, their answers handed on in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(items: Iterator[Item], read: Callable[[Item], Result], workers: int) -> Iterator[tuple[Item, Result]]:
    """`(item, read(item))` in the order of `items`; at most `workers` are read at a time, none of them twice.

    The first failure is raised in its place, and nothing more is begun. Lines that a worker logs keep their connection
    and stream.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    waiting: deque[tuple[Item, Future[Result]]] = deque()

    def submit(item: Item) -> None:
        waiting.append((item, pool.submit(copy_context().run, read, item)))

    try:
        for item in islice(items, workers):
            submit(item)
        while waiting:
            item, future = waiting.popleft()
            result = future.result()
            for following in islice(items, 1):
                submit(following)
            yield item, result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
