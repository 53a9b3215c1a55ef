"""One landing of all streams of a connection in Postgres, and what must hold after one that failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from psycopg import sql

from tests.conftest import clear_settings, demo_company, open_folder
from tests.faults.http_reading import Content, Reading, Waiting, opened
from tieout import localpg
from tieout.errors import TieoutError
from tieout.landing.windows import land_connection
from tieout.spec import Connection
from tieout.warehouse import connect, migrate

# What is asked before a load begins: who we are, what time it is, and whether a feature is switched on.
_BEFORE_A_LOAD = ("authentication", "clock", "CurrencyType", "currency", "subsidiary")


@contextmanager
def warehouse() -> Iterator[None]:
    """An embedded Postgres of the campaign's own, migrated; the environment is put back afterwards."""
    with open_folder() as home:
        localpg.start(home)
        ours = {**localpg.environment(home), "TIEOUT_HOME": str(home)}
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        clear_settings()
        try:
            migrate(demo_company())
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
            clear_settings()
            localpg.stop(home)


def land(connection: Connection, secrets: dict[str, str], clock: Callable[[], datetime]) -> Reading:
    """A scheduled run: each stream from where it last ended."""
    extractor = opened(connection, secrets, clock, Waiting())
    found = Reading(extractor.facts)
    done: list[str] = []
    try:
        land_connection(connection, None, extractor=extractor, on_progress=lambda result: done.append(result.stream))
    except TieoutError as error:
        found.error = error
    found.committed = tuple(done)
    found.content = _landed(connection, found)
    return found


def _landed(connection: Connection, found: Reading) -> Content:
    """What a reader sees, by stream: {key: (hash, deleted)}. Notes what a run may not leave behind."""
    content: Content = {}
    with connect("loader", autocommit=True) as db:
        for stream in connection.selected():
            rows = db.execute(sql.SQL(
                "select _key, _row_hash, _is_deleted from raw.{} where _connection = %s and _superseded_batch is null"
            ).format(sql.Identifier(stream.table)), (connection.name,)).fetchall()
            seen = {key: (row_hash, deleted) for key, row_hash, deleted in rows}
            if len(seen) != len(rows):
                found.wrong.append(f"{stream.name}: {len(rows) - len(seen)} records are current twice")
            if seen and found.error and stream.name not in found.committed:
                found.wrong.append(f"{stream.name} was not committed, and {len(seen)} records are to be seen")
            if stream.name in found.committed or seen:
                content[stream.name] = seen
        open_loads = db.execute("select count(*) from ops.load where connection = %s and state = 'running'",
                                (connection.name,)).fetchone()[0]
    if open_loads:
        found.wrong.append(f"{open_loads} loads are still 'running'")
    return content


def judge(name: str, failed: Reading, again: Reading) -> list[str]:
    """Whether the ledger tells the failure, and whether the rerun went on where the failed run had stopped."""
    with connect("loader", autocommit=True) as db:
        loads = db.execute("select stream, state, mode, error, window_start, received from ops.load "
                           "where connection = %s order by batch_id", (name,)).fetchall()
    wrong = []
    told = [error for _, state, _, error, _, _ in loads if state == "failed"]
    first = str(failed.error).splitlines()[0]
    if len(told) > 1 or (told and first not in told[0]):
        wrong.append(f"the ledger tells another failure: {told} instead of {first}")
    if not told and not any(word in first for word in _BEFORE_A_LOAD):
        wrong.append(f"the ledger does not tell the failure: {first}")
    committed = [load for load in loads if load[1] == "committed"]
    for stream in failed.committed:
        later = [load for load in committed if load[0] == stream][1:]
        if not later:
            wrong.append(f"{stream} was left out of the rerun")
        for _, _, mode, _, start, received in later:
            if mode == "incremental" and (received or start is None):
                wrong.append(f"the rerun read {stream} from the beginning: {received} records again")
    return wrong
