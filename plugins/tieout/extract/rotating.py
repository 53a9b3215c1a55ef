"""Refresh tokens that are replaced at each use (RFC 6749, section 6; RFC 9700, section 4.14).

Such a token is a thread that must not break: who loses the newest one has to ask a person to connect anew. So:

- The newest token is committed to the store before the access token that came with it is used. A process that is killed
  before that leaves the former one, which vendors take for a while longer for this very reason.
- One process asks at a time: the store's lock is held from reading the newest token to committing its successor, and
  ends with the process that holds it. Who waited finds a fresh access token, and asks for none.
- The configured token is where a chain begins. Where a person connects anew, its value is another, and so is the chain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import RLock
from typing import Protocol

import httpx

from tieout import logs
from tieout.extract import Facts

_EARLY = 0.9  # renew when so much of an access token's life is over


@dataclass(frozen=True)
class Grant:
    """What a token endpoint gave. Moments are seconds since the epoch, by our clock.

    refresh_ends_at: until when the refresh token must be used, where the vendor says so.
    """

    refresh_token: str
    access_token: str
    access_ends_at: float
    refresh_ends_at: float | None = None
    generation: int = 1


class Chain(Protocol):
    """The connection's tokens while the lock is held."""

    current: Grant | None

    def save(self, grant: Grant) -> None:
        """Durable when it returns."""


class TokenStore(Protocol):
    """Where the newest tokens of one connection are kept."""

    def locked(self) -> AbstractContextManager[Chain]:
        """Waits for its turn. SourceError where it never comes."""


class Rotating:
    """`Authorization: Bearer …` from a chain of refresh tokens. Safe to use from several threads and processes.

    seed: the configured token. exchange: a refresh token → what the vendor gave for it; AuthError where it is dead.
    """

    def __init__(self, store: TokenStore, seed: str, exchange: Callable[[str], Grant], facts: Facts,
                 clock: Callable[[], float] = time.time) -> None:
        self._store, self._seed, self._exchange, self._facts, self._clock = store, seed, exchange, facts, clock
        self._grant: Grant | None = None
        self._lock = RLock()

    def apply(self, request: httpx.Request) -> str:
        """Sets the header; returns the token, which `renew` takes."""
        with self._lock:
            if not self._is_good(self._grant):
                self._grant = self._next(refused=None)
            value = self._grant.access_token
        request.headers["Authorization"] = f"Bearer {value}"
        return value

    def renew(self, used: str) -> None:
        """The vendor no longer takes `used`."""
        with self._lock:
            if self._grant is None or self._grant.access_token == used:
                self._grant = self._next(refused=used)

    @property
    def grant(self) -> Grant | None:
        """The tokens in use."""
        return self._grant

    def _is_good(self, grant: Grant | None, refused: str | None = None) -> bool:
        return grant is not None and grant.access_token != refused and self._clock() < grant.access_ends_at

    def _next(self, refused: str | None) -> Grant:
        with self._store.locked() as chain:
            if (stored := chain.current) is not None:
                self._hide(stored)
                if self._is_good(stored, refused):
                    return stored  # somebody else asked meanwhile
            fresh = self._exchange(stored.refresh_token if stored else self._seed)
            fresh = Grant(fresh.refresh_token, fresh.access_token, fresh.access_ends_at, fresh.refresh_ends_at,
                          (stored.generation if stored else 0) + 1)
            self._hide(fresh)
            chain.save(fresh)
            self._facts.token_refreshes += 1
            return fresh

    @staticmethod
    def _hide(grant: Grant) -> None:
        logs.register_secret(grant.refresh_token)
        logs.register_secret(grant.access_token)


def ends_at(now: float, lifetime: float) -> float:
    """When an access token of that many seconds is renewed: somewhat before its end."""
    return now + lifetime * _EARLY
