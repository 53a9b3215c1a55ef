"""`sim.db`: where the simulated company's records are kept, and `state.json`, which says when its now is.

The generator writes, the servers read. Journal mode WAL, so that a server keeps answering while the clock advances.
Besides the vendors' tables (see `schema`) the file holds the generator's own `sim__chain` (the next moment at which a
chain of documents changes), `sim__key` (the answers, one row per chain) and `sim__issue` (what a chain took out of
stock, where an ERP tells its stock), which no server may read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from simulator import systems
from simulator.schema import Table, tables
from simulator.units import FIRST, unit

DATABASE = "sim.db"
STATE = "state.json"

_OWN = """
CREATE TABLE sim__chain (chain INTEGER PRIMARY KEY, scenario TEXT NOT NULL, next_change TEXT);
CREATE INDEX sim__chain__next ON sim__chain (next_change);
CREATE TABLE sim__key (chain INTEGER NOT NULL, kind TEXT NOT NULL, entry TEXT NOT NULL);
CREATE INDEX sim__key__chain ON sim__key (chain);
CREATE TABLE sim__issue (chain INTEGER NOT NULL, product INTEGER NOT NULL, place TEXT NOT NULL, day INTEGER NOT NULL,
    units INTEGER NOT NULL);
CREATE INDEX sim__issue__chain ON sim__issue (chain);
"""


@dataclass(frozen=True)
class State:
    """What a folder holds. `now` is the simulated clock, 'YYYY-MM-DD HH:MM:SS' in UTC; all stamps are before it."""

    seed: int
    size: str
    level: int
    now: str
    unit: str = FIRST

    def tables(self) -> list[Table]:
        """The tables of the unit's systems."""
        return [table for system in unit(self.unit).systems for table in systems.renders(system).tables()]


def write_state(folder: Path, state: State) -> None:
    """Replace `state.json` in one step."""
    draft = folder / f"{STATE}.new"
    draft.write_text(json.dumps(asdict(state)) + "\n", encoding="utf-8")
    draft.replace(folder / STATE)


def read_state(folder: Path) -> State:
    """Read `state.json`. FileNotFoundError with what to do when the folder holds no company."""
    path = folder / STATE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no simulated company: run `python -m simulator generate` first")
    return State(**json.loads(path.read_text(encoding="utf-8")))


def create(folder: Path, made: Iterable[Table] | None = None) -> sqlite3.Connection:
    """A new, empty `sim.db` for bulk writing; replaces an older one. Call `finish` when the rows are in.

    `made`: the tables; of the first unit unless given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal", "-shm"):
        (folder / f"{DATABASE}{suffix}").unlink(missing_ok=True)
    database = sqlite3.connect(folder / DATABASE, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -262144")
    for table in State(0, "", 0, "").tables() if made is None else made:
        database.execute(table.ddl())
    database.executescript(_OWN)
    return database


def finish(database: sqlite3.Connection, made: Iterable[Table] | None = None) -> None:
    """Index what `create` and `write` have filled."""
    for table in State(0, "", 0, "").tables() if made is None else made:
        for statement in table.index_ddl():
            database.execute(statement)
    database.execute("ANALYZE")


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """The existing `sim.db`, in autocommit mode: wrap changes in BEGIN and COMMIT."""
    read_state(folder)
    return sqlite3.connect(folder / DATABASE, isolation_level=None, timeout=30)


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """A read-only connection to `sim.db` whose rows are `sqlite3.Row`; may be used from several threads in turn."""
    read_state(folder)
    uri = f"{(folder / DATABASE).resolve().as_uri()}?mode=ro"
    database = sqlite3.connect(uri, uri=True, timeout=30, check_same_thread=False)
    database.row_factory = sqlite3.Row
    return database


def write(
    database: sqlite3.Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, replace: bool
) -> None:
    """Insert rows; a row of the same key is replaced, or without `replace` an error. Unnamed columns become NULL."""
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    database.executemany(f'INSERT {"OR REPLACE " if replace else ""}INTO "{table}" ({names}) VALUES ({marks})', rows)


def delete(database: sqlite3.Connection, table: str, keys: Iterable[Sequence[object]]) -> None:
    """Delete the rows of those keys."""
    where = " AND ".join(f'"{name}" = ?' for name in tables()[table].key)
    database.executemany(f'DELETE FROM "{table}" WHERE {where}', keys)
