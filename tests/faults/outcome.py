"""What a campaign of faults found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

Tell = Callable[[str], Any]


@dataclass
class Outcome:
    """One campaign's figures. A fault was survived unless it stands in `failures`, one line each with its seed.

    tried: faults that really struck (one that never struck proves nothing). kinds: how many of each sort.
    facts: what else is worth reading, such as the longest recovery in seconds.
    """

    name: str
    seed: int
    tried: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    def struck(self, kind: str) -> None:
        """Count a fault of that sort."""
        self.tried += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1


class Campaign(Protocol):
    """A module `campaign_<name>.py` here. `NIGHTLY` and `SHORT`: how many faults the two forms plan."""

    NIGHTLY: int
    SHORT: int

    def run(self, count: int, seed: int, tell: Tell) -> Outcome:
        """Plan `count` faults from `seed`, survive them, and say what happened. The same seed plans the same faults."""
        ...
