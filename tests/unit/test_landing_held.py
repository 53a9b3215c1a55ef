"""Rows that wait for the database's verdict come back exactly, and only those that were chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.landing import held as room
from tieout.landing.encode import Rows
from tieout.landing.held import Held, Positions


def rows(texts: list[bytes]) -> Rows:
    starts = np.cumsum([0, *map(len, texts)])[:-1].astype(np.int64)
    return Rows(memoryview(b"".join(texts)), starts, np.zeros(len(texts), np.int64))


CHUNKS = st.lists(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=20))


@given(chunks=CHUNKS, data=st.data())
def test_the_chosen_rows_come_back_in_order(chunks, data):
    kept = Held()
    expected: list[tuple[int, bytes]] = []
    for texts in chunks:
        expected += list(enumerate(texts, kept.total))
        kept.add(rows(texts))
    known = [at for at, _ in expected]
    chosen = data.draw(st.sets(st.sampled_from(known))) if known else set()
    wanted = Positions(kept.total)
    for at in chosen:
        wanted.add(np.array([at], np.int64))
    assert wanted.count == len(chosen)
    found = b"".join(map(bytes, kept.blocks(wanted)))
    assert found == b"".join(text for at, text in expected if at in chosen)
    kept.close()


def test_rows_beyond_memory_are_on_disk(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "IN_MEMORY", 100)
    kept = Held()
    for chunk in range(5):
        kept.add(rows([bytes([chunk]) * 30, bytes([chunk + 100]) * 30]))
    assert kept._file._rolled, "the file is still in memory"
    wanted = Positions(kept.total)
    wanted.add(np.array([1, 2, 3, 8], np.int64))
    assert b"".join(map(bytes, kept.blocks(wanted))) == b"".join(bytes([v]) * 30 for v in (100, 1, 101, 4))
