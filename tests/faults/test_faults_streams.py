"""The short form of the campaign of streams; and that its laws can fail: each planted fault of landing breaks one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from psycopg import sql

from tests.faults import campaign_streams
from tests.faults.stream_history import History, Step
from tieout.extract import Window
from tieout.landing import deletes, land, loader, parents, windows

# The short form meets all of these; the long one counts them in docs/faults-streams.md.
MET = (
    "backfills", "batches landed again from the archive", "changed while it was read: both states in one load",
    "committed after the window closed, within the overlap", "committed beyond the overlap", "deleted by complete set",
    "deleted by feed", "deleted by flag", "deleted by key sweep", "deleted by notice", "deleted without a trace",
    "document deleted with its lines", "equal stamps across a page boundary", "inserted again after a deletion",
    "key reused for another record", "landed in another order", "line changed, its document's stamp stayed",
    "line vanished with its document", "missed by windows, caught by a full load", "out of order",
    "shrunken set accepted by hand", "shrunken set refused", "the same page twice", "undeleted", "unreadable records",
    "windows landed again", "written in the repeated hour",
)


def test_histories_of_change_land_as_the_model_says() -> None:
    outcome = campaign_streams.run(campaign_streams.SHORT, 1, print)
    assert outcome.failures == []
    assert outcome.tried == campaign_streams.SHORT
    assert [kind for kind in MET if not outcome.kinds.get(kind)] == []


@pytest.fixture(scope="module")
def world() -> Iterator[campaign_streams.World]:
    """A warehouse for the planted faults."""
    with campaign_streams.warehouse() as made:
        yield made


Plant = Callable[[pytest.MonkeyPatch], None]


def stale_states_win(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loader, "_VERDICT", loader._VERDICT.replace("{late} or {stays}", "false"))


def the_repeated_hour_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loader.Target, "older", lambda self, one, other: sql.SQL(f"({one} < {other})"))


def no_overlap(patch: pytest.MonkeyPatch) -> None:
    real = windows._window

    def narrow(connection: Any, stream: Any, *args: Any, **options: Any) -> Window:
        found = real(connection, stream, *args, **options)
        overlap = stream.overlap or connection.defaults.cursor_overlap
        return found if found.start is None else Window(min(found.start + overlap, found.end), found.end)

    patch.setattr(windows, "_window", narrow)


def sweeps_never_come(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(windows, "SWEEP_EVERY", timedelta(days=9999))


def the_feed_is_not_applied(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deletes, "apply_feed", lambda *args, **options: {})


def absent_keys_live_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deletes, "absent_keys", lambda *args: 0)


def absent_lines_live_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deletes, "absent_children", lambda *args: 0)


def changed_documents_keep_their_lines(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parents, "changed", lambda *args: iter(()))


def lines_have_no_stamp_of_their_own(patch: pytest.MonkeyPatch) -> None:
    real = land._lines
    patch.setattr(land, "_lines", lambda *args, by_stamp: real(*args, by_stamp=False))


def the_guard_sleeps(patch: pytest.MonkeyPatch) -> None:
    real = deletes.absent_keys
    patch.setattr(deletes, "absent_keys", lambda db, target, percent: real(db, target, 0))


def notices_of_unknown_keys_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loader, "_VERDICT", loader._VERDICT.replace("then 'buried'", "then 'unchanged'"))


def repeats_are_not_told_apart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loader, "_VERDICT", loader._VERDICT.replace("then 'replayed'", "then 'unchanged'"))


def closed_versions_stay_open(patch: pytest.MonkeyPatch) -> None:
    real = loader.close_gone

    def only_counted(db: Any, target: loader.Target, gone: sql.Composed) -> int:
        with db.transaction(force_rollback=True):
            return real(db, target, gone)

    patch.setattr(loader, "close_gone", only_counted)


PUT, OTHER, RUN = Step("put", 1, 1, 2), Step("put", 60, 2), Step("run", 60)
SEVERAL = Step("burst", 1)
# Which fault, in which family, and the shortest history that shows it. A quiet run follows each history.
PLANTS: dict[Plant, tuple[str, tuple[Step, ...]]] = {
    stale_states_win: ("notice", (PUT, RUN, Step("put", 60, 1), RUN, Step("put", 60, 1), RUN)),
    the_repeated_hour_is_ignored: ("untraced", (Step("put", 6600, 1), RUN, Step("put", 1140, 1))),
    no_overlap: ("untraced", (PUT, RUN, Step("put", 60, 2, lag=2400), RUN)),
    sweeps_never_come: ("sweep", (SEVERAL, RUN, Step("delete", 60, 1))),
    the_feed_is_not_applied: ("feed", (SEVERAL, RUN, Step("delete", 60, 1))),
    absent_keys_live_on: ("full", (SEVERAL, Step("burst", 1, 4), RUN, Step("delete", 60, 1))),
    absent_lines_live_on: ("feed", (PUT, RUN, Step("drop", 60, 1, 1))),
    changed_documents_keep_their_lines: ("feed", (PUT, RUN, Step("drop", 60, 1, 1))),
    lines_have_no_stamp_of_their_own: ("feed", (PUT, RUN, Step("line", 60, 1, 1, show=False))),
    the_guard_sleeps: ("full", (SEVERAL, RUN, Step("shrink", 60))),
    notices_of_unknown_keys_are_forgotten: ("notice", (PUT, RUN, OTHER, Step("delete", 60, 2))),
    repeats_are_not_told_apart: ("full", (PUT, *[RUN] * 12)),
    closed_versions_stay_open: ("sweep", (SEVERAL, RUN, Step("delete", 60, 1))),
}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(
    world: campaign_streams.World, monkeypatch: pytest.MonkeyPatch, plant: Plant
) -> None:
    family, steps = PLANTS[plant]
    history = History("nd", family, steps, night=plant is the_repeated_hour_is_ignored)
    assert world.attempt(history)[1] is None, "without the fault the history survives"
    plant(monkeypatch)
    assert world.attempt(history)[1] is not None, f"the fault was not found:\n{history}"
