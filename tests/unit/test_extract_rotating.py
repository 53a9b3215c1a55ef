"""Refresh tokens that rotate: the newest is stored before it is used, one process asks at a time, nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tieout.errors import AuthError, SourceError
from tieout.extract import Facts
from tieout.extract.rotating import Grant, Rotating


class Vendor:
    """Rotates at each refresh; the former token is taken until its successor is used."""

    def __init__(self) -> None:
        self.current, self.former, self.count, self.taken = "rt-0", "", 0, []

    def exchange(self, token: str) -> Grant:
        self.taken.append(token)
        if token == self.current:
            self.count += 1
            self.former, self.current = self.current, f"rt-{self.count}"
        elif token != self.former:
            raise AuthError("Token invalid")
        return Grant(self.current, f"at-{self.count}", access_ends_at=1_000.0)


class Memory:
    """A store in memory that outlives its users, as the warehouse does."""

    def __init__(self) -> None:
        self.current: Grant | None = None
        self.log: list[str] = []
        self._lock = threading.Lock()
        self.is_down = False

    @contextmanager
    def locked(self) -> Iterator[Memory]:
        with self._lock:
            yield self

    def save(self, grant: Grant) -> None:
        if self.is_down:
            raise SourceError("away")
        self.log.append(grant.refresh_token)
        self.current = grant


def used(auth: Rotating) -> str:
    request = httpx.Request("GET", "https://vendor.example")
    auth.apply(request)
    return request.headers["authorization"].removeprefix("Bearer ")


def opened(vendor: Vendor, store: Memory, seed: str = "rt-0", now: float = 0.0) -> Rotating:
    return Rotating(store, seed, vendor.exchange, Facts(), lambda: now)


def test_the_newest_token_is_stored_before_the_access_token_is_used():
    vendor, store = Vendor(), Memory()
    assert used(opened(vendor, store)) == "at-1"
    assert store.current.refresh_token == "rt-1"
    store.is_down = True
    fresh = opened(vendor, store, now=2_000)
    with pytest.raises(SourceError):
        used(fresh)
    assert fresh.grant is None, "an access token whose successor is not stored must not be used"


def test_a_crash_between_answer_and_commit_loses_nothing():
    vendor, store = Vendor(), Memory()
    used(opened(vendor, store))
    store.is_down = True
    with pytest.raises(SourceError):
        used(opened(vendor, store, now=2_000))  # the vendor rotated to rt-2, which nobody knows
    store.is_down = False
    assert vendor.current == "rt-2"
    assert used(opened(vendor, store, now=2_000)) == "at-2"
    assert store.current.refresh_token == "rt-2"


def test_another_process_takes_the_access_token_that_is_there():
    vendor, store = Vendor(), Memory()
    used(opened(vendor, store))
    assert used(opened(vendor, store)) == "at-1"
    assert vendor.taken == ["rt-0"]


def test_a_refused_token_is_renewed_once_whoever_asks():
    vendor, store = Vendor(), Memory()
    one, other = opened(vendor, store), opened(vendor, store)
    assert used(one) == used(other) == "at-1"
    one.renew("at-1")
    other.renew("at-1")
    assert used(one) == used(other) == "at-2"
    assert vendor.taken == ["rt-0", "rt-1"]


def test_many_threads_rotate_one_after_the_other():
    vendor, store = Vendor(), Memory()
    users = [opened(vendor, store) for _ in range(8)]
    threads = [threading.Thread(target=used, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vendor.taken == ["rt-0"]


def test_a_dead_token_is_not_tried_again():
    vendor, store = Vendor(), Memory()
    with pytest.raises(AuthError):
        used(opened(vendor, store, seed="of last year"))
    assert vendor.taken == ["of last year"] and store.current is None
