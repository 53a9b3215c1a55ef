"""Change tracking: a vendor gives a token with a complete set, and for the token all that changed since, deletions too.

A token belongs to the batch that it ends (`ops.load.resume`): it is kept when that batch commits, and never before. A
token that the vendor no longer takes, or that was made for other fields, means that the complete set is read again.
"""

from __future__ import annotations

from typing import Any, Protocol

from tieout.spec_streams import Stream


class Tracker(Protocol):
    """What an extractor has, besides, whose vendor keeps track of changes."""

    def can_resume(self, stream: Stream, token: str) -> bool:
        """Whether the vendor still takes the token. Asks; the answer is what `pages` begins with."""

    def token(self, stream: Stream) -> str | None:
        """The token that ends what `pages` read last of the stream; None where it read no end, or has no tracking."""


def tracks(extractor: Any, stream: Stream) -> bool:
    """Whether changes of this stream are asked for by token."""
    return bool(stream.options.get("track")) and hasattr(extractor, "can_resume")
