"""Record ids: 15 characters in which case counts, or 18, of which the last three tell the case."""

from __future__ import annotations

import re
import secrets

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def is_id(text: str) -> bool:
    """Whether the text has the form of an id."""
    return _ID.fullmatch(text) is not None


def long_id(text: str) -> str:
    """The 18-character form. Each of the last three characters encodes which of five are capitals, lowest bit first."""
    head = text[:15]
    tail = ""
    for start in (0, 5, 10):
        capitals = sum(1 << at for at, char in enumerate(head[start:start + 5]) if char.isascii() and char.isupper())
        tail += _ALPHABET[capitals]
    return head + tail


def new_id(prefix: str) -> str:
    """A random 18-character id."""
    body = "".join(secrets.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") for _ in range(12))
    return long_id(prefix + body)
