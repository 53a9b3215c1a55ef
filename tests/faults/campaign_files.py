"""Random faults of file drops and databases of a company's own: see docs/faults-files.md.

Each plan is a history of drops in a random style, one of which goes wrong. What a reader sees is held against the model
after every landing: it is what the drops say, or what stood before with an error that names connection and file; once
the fault is mended, it is the model's end. A load that is short and says nothing is the failure that is looked for.
"""

from __future__ import annotations

import os
import random
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from fsspec.implementations.memory import MemoryFileSystem

from tests.conftest import clear_settings, open_folder
from tests.faults import file_faults, sql_faults
from tests.faults.file_drops import Folder, State, Style, random_days, random_style
from tests.faults.file_wires import wire
from tests.faults.outcome import Outcome, Tell
from tests.integration.file_servers import sftp
from tieout import localpg
from tieout.errors import SourceError, TieoutError
from tieout.extract.open import open_extractor
from tieout.landing.windows import land_connection
from tieout.spec import Company, Connection
from tieout.warehouse import connect, migrate

NIGHTLY, SHORT = 300, 26
MOST_FAILURES = 8
SHOP = "shop"
Landed = tuple[dict[str, int], dict[str, Any]]


class Broken(Exception):
    """A law did not hold."""


def run(count: int, seed: int, tell: Tell) -> Outcome:
    """Plan `count` faults from `seed`; every kind in turn, all else by dice."""
    outcome, ends = Outcome("files", seed), Counter()
    kinds = [*file_faults.KINDS, *sql_faults.KINDS]
    with warehouse() as bench:
        for number in range(count):
            kind, dice = kinds[number % len(kinds)], random.Random(f"files {seed} {number}")
            try:
                ends[bench.survive(kind, dice, number)] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, the plan was not survived
                where = "" if isinstance(error, Broken) else "".join(traceback.format_tb(error.__traceback__)[-4:])
                outcome.failures.append(f"plan {seed}.{number} {kind} ({bench.style}): "
                                        f"{type(error).__name__}: {error}\n{where}")
                tell(outcome.failures[-1])
                if len(outcome.failures) == MOST_FAILURES:
                    break
            outcome.struck(kind)
            if number % 50 == 49:
                tell(f"{number + 1:,} plans, {len(outcome.failures)} not survived")
    outcome.facts = dict(ends)
    return outcome


@dataclass
class Bench:
    """A warehouse, an SFTP server over all folders, and the plan that is tried."""

    base: Path
    sftp_url: str
    sftp_key: str
    dsn: str
    made: dict[str, Connection]
    db: psycopg.Connection
    style: Style | str = ""
    name: str = ""

    def survive(self, kind: str, dice: random.Random, number: int) -> str:
        """Try one plan. Raises Broken; returns how the fault ended."""
        self.name = f"{SHOP}{number}"
        if kind in sql_faults.KINDS:
            self.style = "sql"
            return sql_faults.KINDS[kind](self, dice)
        fault = file_faults.KINDS[kind]
        self.style = style = random_style(dice, **fault.styles)
        days = random_days(dice, style.mode, dice.randint(3, 4), own_days=fault.own_days)
        folder = Folder(self.base / self.name, style)
        self.folder, self.options = folder, dict(fault.options)
        at = dice.randrange(1, len(days) - (1 if fault.swaps else 0))
        try:
            for day in days[:at]:
                folder.put(day)
                self.lands(day.after)
            ended = fault.strike(self, dice, days, at)
            for day in days[at + (2 if fault.swaps else 1):]:
                folder.put(day)
                self.lands(day.after)
        finally:
            shutil.rmtree(folder.path)
        return ended

    # --- landing and looking ------------------------------------------------------------------------------------------

    def connection(self) -> Connection:
        """The plan's connection, with the options of its style and its fault."""
        made = _company(self.style.mode, str(self.folder.path), self.style.stream(**self.options))
        return made.model_copy(update={"name": self.name})

    def land(self, connection: Connection | None = None, secrets: dict[str, str] | None = None) -> Landed:
        """({figure: count}, the extractor's notes); raises as landing does."""
        connection = connection or self.connection()
        with open_extractor(connection, secrets or {}) as extractor:
            (found,) = land_connection(connection, None, extractor=extractor)
            figures = {word: getattr(found, word) for word in ("received", "landed", "quarantined", "deleted")}
            return figures, {**extractor.facts.notes, "missing": (found.drift or {}).get("missing_fields", [])}

    def lands(self, after: State, **more: Any) -> Landed:
        """It lands without a record in the quarantine, and the reader sees this state."""
        figures, notes = self.land(**more)
        if figures["quarantined"]:
            raise Broken(f"{figures['quarantined']} records were quarantined: {self.refused()}")
        if notes["missing"]:
            raise Broken(f"fields are missing: {notes['missing']}")
        self.sees(after, "after a landing that reported no trouble")
        return figures, notes

    def refuses(self, before: State, *words: str, **more: Any) -> TieoutError:
        """It fails, loudly, with connection and words in the message; nothing changed for the reader."""
        try:
            figures, notes = self.land(**more)
        except TieoutError as error:
            if not isinstance(error, SourceError):
                raise Broken(f"{type(error).__name__} is no error of the source's: {error}") from error
            if lacking := [word for word in (self.name, *words) if word not in str(error)]:
                raise Broken(f"the error names no {lacking}: {error}") from error
            self.sees(before, f"after it was refused ({error.message})")
            return error
        raise Broken(f"landed as if nothing were wrong: {figures}, {notes}")

    def sees(self, state: State, when: str) -> None:
        """What a reader sees is the state."""
        found = self.content()
        if found != state:
            lost, more = sorted(state.keys() - found.keys()), sorted(found.keys() - state.keys())
            other = [(key, found[key], state[key]) for key in found.keys() & state.keys() if found[key] != state[key]]
            raise Broken(f"{when}: {lost} lost, {more} too many, {len(other)} different: {other[:2]}")

    def content(self) -> State:
        """The current rows."""
        mode = self.style if isinstance(self.style, str) else self.style.mode
        rows = self.db.execute(
            f"select order_no, day, net, note from raw.{SHOP}_{mode}__orders where _connection = %s "
            "and _superseded_batch is null and not _is_deleted", (self.name,)).fetchall()
        found = {key: (key, day, net if net is None else Decimal(net), note or "") for key, day, net, note in rows}
        if len(found) < len(rows):
            raise Broken(f"{len(rows) - len(found)} keys are current twice")
        return found

    def refused(self) -> list[tuple]:
        """What lies in the quarantine."""
        return self.db.execute("select field, value, reason from ops.quarantine where connection = %s limit 3",
                               (self.name,)).fetchall()


def _company(mode: str, url: str, stream: dict[str, Any], *, auth: str = "none", protocol: str = "files",
             **options: Any) -> Connection:
    name = f"{SHOP}_{mode}"
    return Company.model_validate({"version": 1, "connections": {name: {
        "system": "generic", "protocol": protocol, "role": "erp", "auth": auth, "time_zone": "Europe/Berlin",
        "streams": {"orders": stream}, "options": {"url": url, **options}}}}).connection(name)


@contextmanager
def warehouse() -> Iterator[Bench]:
    """A Postgres of the campaign's own, whose commits do not wait for the disk; archive in memory; an SFTP server."""
    with open_folder() as home:
        localpg.start(home)
        before = dict(os.environ)
        base = home / "drops"
        base.mkdir()
        try:
            os.environ |= {**localpg.environment(home), "TIEOUT_HOME": str(home),
                           "TIEOUT_ARCHIVE_URL": "memory://tieout-files"}
            clear_settings()
            made = {mode: _company(mode, str(base), Style(mode, "csv", "none", "quiet").stream())
                    for mode in ("full", "delta", "append", "partition")}
            made["sql"] = sql_faults.connection("postgresql://nobody@127.0.0.1/nothing")
            for one in made.values():
                migrate(Company(version=1, connections={one.name: one}))
            dsn = (f"host=127.0.0.1 port={(home / 'pg' / 'port').read_text()} user=postgres dbname=tieout "
                   f"password={(home / 'pg' / 'superuser').read_text()}")
            with psycopg.connect(dsn, autocommit=True) as root:
                for statement in ("alter system set fsync = off", "alter system set synchronous_commit = off",
                                  "select pg_reload_conf()"):
                    root.execute(statement)
            with connect("loader", autocommit=True) as db, sftp(base, passwords={"shop": "secret"}) as (url, key):
                yield Bench(base, url, key, dsn, made, db)
        finally:
            os.environ.clear()
            os.environ.update(before)
            clear_settings()
            MemoryFileSystem.store.clear()
            localpg.stop(home)


def over_sftp(bench: Bench, port: int) -> Connection:
    """The plan's connection, by way of an SFTP server at this port."""
    made = _company(bench.style.mode, f"sftp://127.0.0.1:{port}/{bench.name}", bench.style.stream(**bench.options),
                    auth="password", username="shop", host_key=bench.sftp_key)
    return made.model_copy(update={"name": bench.name})


def broken_wire(bench: Bench, port: int, dice: random.Random, attempt: Callable[[int], Any], most: int) -> Any:
    """`attempt(port)` over wires that break ever earlier, until one breaks within it; what it returned."""
    most = dice.randint(most // 8, most)
    while most > 20:
        with wire(port) as found:
            found.left = most
            result = attempt(found.port)
            if found.broke:
                return result
        most = most * 2 // 3
    raise Broken("no wire broke")
