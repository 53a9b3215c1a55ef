"""Suites of tables that a company declares itself: nobody could write them beforehand; they follow from the streams.

What holds for whatever was landed (`expectations/landing/every_table.yml`) holds for them too; and the columns by which
a stream is keyed and partitioned hold a value in every row.
"""

from __future__ import annotations

from pathlib import Path

from tieout.quality import statements
from tieout.quality.suites import Declared, Expectation, Suite, SuiteFile
from tieout.spec import Company, DeclaredStream, parse

EVERY = Path("landing") / "every_table.yml"


def suites(company: Company, folder: Path) -> tuple[Suite, ...]:
    """One landing suite per declared table."""
    streams = [stream for found in company.connections.values() for stream in found.declared]
    if not streams:
        return ()
    path = folder / EVERY
    general = parse(path, SuiteFile).expectations
    return tuple(_suite(stream, general, path) for stream in sorted(streams, key=lambda one: one.table))


def _suite(stream: DeclaredStream, general: tuple[Expectation, ...], path: Path) -> Suite:
    filled = dict.fromkeys((*stream.key, *((stream.partition,) if stream.partition else ())))
    shown = [name for name in filled if not stream.column(name).pii]
    own = [Expectation(id=f"{name[:48]}_is_told", type="expect_column_values_to_not_be_null", kwargs={"column": name},
                       why="a record without it cannot be told from another") for name in shown]
    checks = [Declared(one, statements.template(one.statement, one.block_when), f"{path}") for one in (*general, *own)]
    return Suite(f"raw.{stream.table}", "landing", ("_connection", "_key"), tuple(checks))
