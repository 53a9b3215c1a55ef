"""`tieout prune`: what the retention policy of tieout.yml no longer keeps."""

from __future__ import annotations

from typing import Annotated

import typer

from tieout import show, steps
from tieout.cli_work import Json, at_work
from tieout.settings import settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(prune)


def prune(
    apply: Annotated[bool, typer.Option("--apply", help="Really let it go. Default: only say what would go.")] = False,
    json: Json = False,
) -> None:
    """Say what the retention policy of tieout.yml would let go, and with --apply let it go.

    Current versions, closed periods, and what a kept publication shows are never touched. Safe to stop and to repeat.
    """
    with at_work(json) as out:
        policy = settings().company.retention
        found = steps.prune(apply=apply)
        if json:
            show.as_json({"applied": apply, "policy": policy.model_dump(), "gone": found})
            return
        if not any((policy.archive_days, policy.raw_days, policy.publications_days, policy.ledger_days)):
            out.print("tieout.yml has no retention policy: everything is kept, but for files of batches that never "
                      "committed. See docs/retention.md", markup=False, soft_wrap=True)
        show.table(out, "went" if apply else "would go", ["what", "name", "rows or files", "bytes", "why"],
                   [[gone.what, gone.name, gone.rows, gone.bytes, gone.why] for gone in found])
        if not apply:
            out.print("Nothing was changed: --apply does it.", markup=False)
