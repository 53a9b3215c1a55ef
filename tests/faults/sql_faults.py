"""What goes wrong with a database: the line breaks, and rows change while pages go by key."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import psycopg

from tests.faults.file_drops import State
from tieout.errors import SourceError
from tieout.extract.sql import SqlExtractor
from tieout.spec import Connection

if TYPE_CHECKING:
    from tests.faults.campaign_files import Bench

TABLE = "theirs.orders"
COLUMNS = {"order_no": "text", "day": "date", "net": "amount", "note": "text", "changed": "timestamp"}


def connection(url: str, *, full: bool = False, page_rows: int = 3) -> Connection:
    """A connection to the table, in pages of a few rows."""
    from tests.faults.campaign_files import _company

    stream: dict[str, Any] = {"key": ["order_no"], "columns": COLUMNS, "control_totals": ["net"],
                              "options": {"table": TABLE, "page_rows": page_rows}}
    stream |= {"mode": "full"} if full else {"cursor": "changed"}
    return _company("sql", url, stream, auth="password" if "nobody" not in url else "none", protocol="sql")


class Theirs:
    """Their table: changed by random steps, and known as it is."""

    def __init__(self, db: psycopg.Connection, dice: random.Random, *, deletes: bool) -> None:
        self._db, self._dice, self._deletes = db, dice, deletes
        db.execute("create schema if not exists theirs")
        db.execute(f"drop table if exists {TABLE}")
        db.execute(f"create table {TABLE} (order_no text primary key, day date, net numeric(20, 2), note text, "
                   "changed timestamptz)")
        for _ in range(dice.randint(8, 20)):
            self.insert()

    def insert(self) -> None:
        """A row somewhere among the others."""
        self._db.execute(f"insert into {TABLE} values (%s, '2026-03-01', %s, 'x', clock_timestamp()) "
                         "on conflict do nothing", (f"{self._dice.randrange(10**6):06d}", self._amount()))

    def step(self) -> None:
        """One change. A key that changes its row's place among the stamps is the hard one."""
        kind = self._dice.choice(("insert", "update", "update", *(["delete"] if self._deletes else [])))
        if kind == "insert":
            self.insert()
            return
        where = f"order_no = (select order_no from {TABLE} order by md5(order_no || %s) limit 1)"
        salt = str(self._dice.random())
        if kind == "delete":
            self._db.execute(f"delete from {TABLE} where {where}", (salt,))
        else:
            self._db.execute(f"update {TABLE} set net = %s, changed = clock_timestamp() where {where}",
                             (self._amount(), salt))

    def state(self) -> State:
        """All rows."""
        return {key: (key, day, Decimal(net), note) for key, day, net, note in self._db.execute(
            f"select order_no, day, net, note from {TABLE}")}

    def _amount(self) -> Decimal:
        return Decimal(self._dice.randint(-10**9, 10**9)) / 100


def line_lost(bench: Bench, dice: random.Random) -> str:
    """The server hangs up while the table is read; then it answers again."""
    from tests.faults.campaign_files import broken_wire

    with psycopg.connect(bench.dsn, autocommit=True) as db:
        full = dice.random() < 0.5
        theirs = Theirs(db, dice, deletes=False)
        port, secrets = _port(bench), {"password": _password(bench)}

        def at(port: int) -> Connection:
            return connection(f"postgresql://postgres@127.0.0.1:{port}/tieout", full=full).model_copy(
                update={"name": bench.name})

        bench.lands(before := theirs.state(), connection=at(port), secrets=secrets)
        for _ in range(dice.randint(3, 9)):
            theirs.step()

        def attempt(port: int) -> str:
            try:
                bench.land(at(port), secrets)
            except SourceError as error:
                if bench.name not in str(error) or secrets["password"] in str(error):
                    raise AssertionError(f"the error does not say where, or says too much: {error}") from error
                bench.sees(before, f"after the line broke ({error.message})")
                return "refused"
            bench.sees(theirs.state(), "after a landing that reported no trouble")
            return "equal"

        ended = broken_wire(bench, port, dice, attempt, 4_000)
        bench.lands(theirs.state(), connection=at(port), secrets=secrets)
    return ended


def rows_moved(bench: Bench, dice: random.Random) -> str:
    """Rows are changed, added and deleted between two pages: one load is one moment, and the next has the rest."""
    with psycopg.connect(bench.dsn, autocommit=True) as db:
        full = dice.random() < 0.5
        theirs = Theirs(db, dice, deletes=full)
        found = connection(f"postgresql://postgres@127.0.0.1:{_port(bench)}/tieout", full=full,
                           page_rows=dice.randint(2, 5)).model_copy(update={"name": bench.name})
        more = {"connection": found, "secrets": {"password": _password(bench)}}
        rows = SqlExtractor._rows

        def moving(self: SqlExtractor, *words: Any) -> list[Any]:
            page = rows(self, *words)
            theirs.step()
            return page

        for _ in range(2):
            at_start = theirs.state()
            with patch.object(SqlExtractor, "_rows", moving):
                bench.lands(at_start, **more)
        bench.lands(theirs.state(), **more)
    return "equal"


def _port(bench: Bench) -> int:
    return int(bench.dsn.split("port=")[1].split()[0])


def _password(bench: Bench) -> str:
    return bench.dsn.split("password=")[1]


KINDS: dict[str, Callable[[Bench, random.Random], str]] = {
    "database line lost": line_lost, "rows moved while paging": rows_moved}
