"""How much slower this machine is just now than the one on which limits of time were set."""

from __future__ import annotations

import time
import typing

MEASURE = 0.08  # seconds that compiling typing.py four times took there


def slower() -> float:
    """At least 1: a busy or slow machine slows every piece of work alike."""
    with open(typing.__file__, encoding="utf-8") as file:
        source = file.read()
    loops = []
    for _ in range(5):
        begun = time.process_time()
        for _ in range(4):
            compile(source, "measure", "exec")
        loops.append(time.process_time() - begun)
    return max(1.0, min(loops) / MEASURE)
