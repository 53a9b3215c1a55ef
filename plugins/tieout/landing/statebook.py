"""Where a stranger's program left off: `ops.source_state`, written in the transaction of the last batch of its run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tieout.errors import LandingError
from tieout.extract.deliveries import Bookmark, Progress

if TYPE_CHECKING:
    import psycopg


def current(db: psycopg.Connection, connection: str) -> Bookmark:
    """The connection's last state; one without a number where there is none."""
    found = db.execute("select state_id, value, about from ops.source_state where connection = %s "
                       "order by state_id desc limit 1", (connection,)).fetchone()
    return Bookmark(*found) if found else Bookmark(None, None, {})


def follow(db: psycopg.Connection, connection: str, batch_id: int, progress: Progress) -> None:
    """Note a batch's progress; the state itself where it is the run's last batch.

    Raises LandingError where another run moved the state meanwhile: its records may be younger than these.
    """
    db.execute("select pg_advisory_xact_lock(ops.stream_lock(%s, %s))", (connection, "source_state"))
    known = current(db, connection)
    if known.number != progress.since:
        raise LandingError(f"{connection}: another run landed while this one was reading",
                           hint="nothing of this batch was committed; run again, one at a time")
    if progress.state is not None and (known.value, known.about) != (progress.state.value, progress.state.about):
        db.execute("insert into ops.source_state (connection, batch_id, value, about) values (%s, %s, %s, %s)",
                   (connection, batch_id, progress.state.value, json.dumps(progress.state.about)))
