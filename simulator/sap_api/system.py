"""One SAP system: its client, what its users may do, and its bad habits."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class SapSystem:
    """Fields may be changed while a server runs; counts are of requests, so that a run is repeatable.

    client: the only SAP client. hidden: services that are not activated.
    page_rows: rows of a page that the server makes by itself, whatever `$top` says; None: it pages only as it is asked.
    most_top: `$top` above it is cut without a word; None: never.
    unavailable_every, dumps_every, throttled_every: each n-th call is answered 503, 500 with an ABAP dump, or 429
    (0: never).
    tracked: sets whose service keeps track of changes: those that a company publishes itself; SAP's own A2X services do
    not. delta_seconds: how long a token of theirs is good. repeats_changes: a changed record may come twice.
    token_seconds: life of an OAuth token. token_requests: a token ends after that many requests.
    """

    client: str = "100"
    hidden: set[str] = field(default_factory=set)
    page_rows: int | None = 100
    most_top: int | None = None
    unavailable_every: int = 40
    dumps_every: int = 0
    throttled_every: int = 0
    tracked: set[str] = field(default_factory=lambda: {"I_ExchangeRateRawData"})
    delta_seconds: int = 7 * 86_400
    repeats_changes: bool = True
    token_seconds: int = 3600
    token_requests: int | None = None

    @classmethod
    def calm(cls) -> SapSystem:
        """A system on its best day."""
        return cls(page_rows=None, unavailable_every=0, repeats_changes=False)
