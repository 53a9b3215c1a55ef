"""`tieout documents crossref`: the company's own table of what references mean, carried in and out as CSV.

The next build applies it.
"""

from __future__ import annotations

from dataclasses import asdict, astuple
from pathlib import Path
from typing import Annotated

import typer

from tieout import show
from tieout.cli_work import By, DryRun, Json, at_work, decider, say, warehouse_as

crossref = typer.Typer(no_args_is_help=True, help="What the other system calls it: your table of what references mean.")


@crossref.command(name="import")
def import_(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The whole table as CSV.")],
    dry_run: DryRun = False,
    by: By = None,
    json: Json = False,
) -> None:
    """Make a CSV the table: what it does not name goes. All or nothing; the next build applies it."""
    from tieout.matching import crossrefs
    from tieout.settings import settings

    with at_work(json) as out:
        units = {found.unit for found in settings().company.connections.values() if found.unit}
        wanted = crossrefs.read(path, units)
        with warehouse_as("loader", "documents") as books:
            done = crossrefs.replace(books, wanted, decider(by), dry_run=dry_run)
        would = "a dry run: " if dry_run else ""
        say(out, json, done, text=f"{would}{done.added} added, {done.removed} removed, {done.unchanged} unchanged")


@crossref.command()
def export(path: Annotated[Path, typer.Argument(help="A CSV file to write.")], json: Json = False) -> None:
    """Write the table as CSV: change it, then import."""
    from tieout.matching import crossrefs

    with at_work(json) as out, warehouse_as("transformer", "documents") as books:
        count = crossrefs.export(books, path)
        say(out, json, {"rows": count, "path": path}, text=f"{count} entries in {path}")


@crossref.command(name="list")
def list_(json: Json = False) -> None:
    """The table as it stands."""
    from tieout.matching import crossrefs

    with at_work(json) as out, warehouse_as("transformer", "documents") as books:
        found = crossrefs.now(books)
        if json:
            show.as_json([asdict(one) for one in found])
            return
        show.table(out, f"{len(found)} entries", ["hop", "unit", "reference", "means", "from", "to"],
                   [["" if cell is None else str(cell) for cell in astuple(one)] for one in found])  # fmt: skip
