"""Builds take turns: two never overlap, and the second starts where the first ended."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from tests.conftest import demo_company
from tieout.transform import build
from tieout.warehouse import connect

pytestmark = pytest.mark.usefixtures("clean_raw")


class Seen(list):
    """The invocations; `meet`: a barrier at which each waits."""

    meet: threading.Barrier | None = None


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch):
    """dbt replaced by a wait that notes when it began and ended, and with which variables."""
    seen = Seen()

    class Runner:
        def __init__(self, *_):
            pass

        def invoke(self, command, variables, arguments=(), progress=None):
            one = SimpleNamespace(command=command, began=time.monotonic(), **variables)
            if seen.meet:
                seen.meet.wait()
            time.sleep(0.3)
            one.ended = time.monotonic()
            seen.append(one)
            return ()

    monkeypatch.setattr(build, "_runner", lambda *_: Runner())
    monkeypatch.setattr(build, "_match_identities", lambda *_: None)  # it reads what dbt would have built
    monkeypatch.setattr(build, "settings", lambda: SimpleNamespace(
        company=demo_company(), dbt_project=_project(), home=_project(), dbt_threads=1))
    return seen


def _project():
    from tieout.settings import ROOT

    return ROOT / "dbt_project"


def open_run() -> int:
    with connect("loader") as db:
        return db.execute("insert into ops.run (kind, label) values ('revenue', 'r') returning run_id").fetchone()[0]


def landed() -> int:
    with connect("loader") as db:
        return db.execute("insert into ops.load (connection, system, stream, table_name, mode, state) values "
                          "('c', 's', 's', 't', 'full', 'committed') returning batch_id").fetchone()[0]


def test_two_builds_never_overlap_and_the_second_sees_the_firsts_watermark(builds) -> None:
    batch = landed()
    build.run(open_run())
    first, second = open_run(), open_run()
    builds.clear()
    newer = landed()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(build.run, first)
        while not _waits_or_holds():
            time.sleep(0.01)
        other = pool.submit(build.run, second)
        one.result(60), other.result(60)
    runs = [each for each in builds if each.command == "run"]
    assert [each.run_id for each in runs] == [first, second]
    assert runs[0].ended <= runs[1].began
    assert [(each.previous_batch_id, each.previous_run_id) for each in runs][1] == (newer, first)
    assert runs[0].previous_batch_id == batch


def test_without_the_lock_they_would_overlap(builds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are inside dbt at once then: the test above can fail."""
    from contextlib import contextmanager

    @contextmanager
    def unlocked():
        with connect("transformer", autocommit=True) as books:
            yield books

    landed()
    build.run(open_run())
    monkeypatch.setattr(build, "_locked", unlocked)
    inside = threading.Barrier(2, timeout=60)
    builds.meet = inside
    first = open_run()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(build.run, [first, first]))
    assert not inside.broken


def _waits_or_holds() -> bool:
    with connect("loader") as db:
        return db.execute("select exists (select from pg_locks where locktype = 'advisory' and classid = 7160 "
                          "and objid = 3 and objsubid = 2)").fetchone()[0]
