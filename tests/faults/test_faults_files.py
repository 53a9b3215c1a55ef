"""The short form of the campaign of files and databases; and that it sees what it looks for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest

from tests.faults import campaign_files, file_faults, sql_faults
from tests.faults.campaign_files import Bench, Broken
from tieout.errors import TieoutError
from tieout.extract import file_manifest, file_place, files, sql

TRIES = 6  # plans of a kind, until a broken product shows


def test_every_fault_of_a_drop_ends_equal_or_loudly() -> None:
    outcome = campaign_files.run(campaign_files.SHORT, 1, print)
    assert outcome.failures == []
    assert outcome.tried == campaign_files.SHORT
    assert outcome.kinds.keys() == file_faults.KINDS.keys() | sql_faults.KINDS.keys()
    assert min(outcome.facts.get(end, 0) for end in ("equal", "refused", "waited", "quarantined")) > 0


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with campaign_files.warehouse() as made:
        yield made


def _newest(self: Any, stream: Any, options: Any, fresh: list, known: Any, *, again: bool) -> Iterator[Any]:
    for lot in fresh[-1:]:
        yield self._delivery(stream, options, lot, set())


# What is broken in the product, and the kind of fault that shows it.
CONTROLS: dict[str, tuple[str, AbstractContextManager[Any]]] = {
    "nobody verifies a file": ("wrong checksum", patch.object(file_manifest, "verify", lambda *words: None)),
    "nobody adds up": ("manifest that lies", patch.object(files._Sums, "verify", lambda self: None)),
    "a file that is being written is read": (
        "still being written", patch.object(file_place, "_in_work", lambda name: False)),
    "an old complete set replaces a young one": ("late", patch.object(files.FilesExtractor, "_newest", _newest)),
    "pages of a table are of different moments": (
        "rows moved while paging", patch.object(sql, "_isolation", lambda dialect: {})),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_the_campaign_sees(name: str, bench: Bench) -> None:
    kind, broken = CONTROLS[name]
    number = 10_000 * (1 + [*CONTROLS].index(name))
    with broken:
        for at in range(TRIES * (3 if kind in ("late", "manifest that lies") else 1)):
            try:
                bench.survive(kind, random.Random(f"{name} {at}"), number + at)
            except (Broken, TieoutError):  # what the campaign counts: a wrong end, or an error where none should be
                return
    raise AssertionError(f"{name}, and no plan was broken")
