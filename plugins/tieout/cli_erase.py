"""`tieout erase`: a person goes, from everything that was landed and made of it; amounts stay."""

from __future__ import annotations

from typing import Annotated

import typer

from tieout import show, steps
from tieout.cli_work import Json, at_work


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(erase)


def erase(
    record: Annotated[str | None, typer.Argument(help="A customer record, connection:id.", show_default=False)] = None,
    customer: Annotated[str | None, typer.Option("--customer", help="Or a golden customer, by its key.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept, so name a ticket and no person.")] = "",
    by: Annotated[str | None, typer.Option("--by", help="Who asks. Default: this account.", show_default=False)] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Really do it. Default: only say where they are.")] = False,
    json: Json = False,
) -> None:
    """Erase a person: all customer records that matching holds for one, in every version and every file.

    Amounts, keys and links stay; what arrives about the person later is hidden as it lands. Safe to stop and to repeat.
    """
    with at_work(json) as out:
        done = steps.erase(record, customer, reason=reason, by=by or "", apply=apply)
        if json:
            show.as_json(done)
            return
        show.table(out, "was changed" if apply else "would be changed", ["where", "rows or files"],
                   sorted(done.counts.items()))
        out.print("records: " + ", ".join(":".join(one) for one in done.records), markup=False, soft_wrap=True)
        if done.shared:
            out.print(f"{done.shared:,} values are somebody else's, too: they stay there.", markup=False)
        if done.undeclared:
            out.print(f"whose these records are is not declared (`person:`): {', '.join(done.undeclared)}",
                      markup=False, soft_wrap=True)
        if not apply:
            out.print("Nothing was changed: --apply does it. It cannot be undone.", markup=False)
