"""Lineage events in the OpenLineage form, off unless `TIEOUT_OPENLINEAGE_URL` is set.

`started` and `ended` tell of one step. A backend that is dead, slow or wrong costs a step at most
`TIEOUT_OPENLINEAGE_SECONDS`, once in a while; it never fails one. Events hold names, types and counts: no record, no
secret, no error text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieout import logs
from tieout.settings import settings

if TYPE_CHECKING:
    from tieout.stepbook import Entry

log = logs.logger(__name__)


def started(entry: Entry) -> None:
    """Tell that the step begins."""
    _tell(entry, None, begins=True)


def ended(entry: Entry, error: BaseException | None) -> None:
    """Tell what the step read and wrote, and whether it failed."""
    _tell(entry, error, begins=False)


def _tell(entry: Entry, error: BaseException | None, *, begins: bool) -> None:
    if settings().openlineage_url is None:
        return
    try:
        from tieout.lineage import events, send

        if send.is_away():
            return
        send.send(events.start(entry) if begins else events.end(entry, error))
    except Exception as problem:  # noqa: BLE001 - whatever goes wrong here, the run goes on
        log.warning("lineage of %s was not told: %s: %s", entry.step, type(problem).__name__, problem)
