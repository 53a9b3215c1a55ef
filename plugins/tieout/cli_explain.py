"""`tieout explain`: one document, from the deal to the ledger, with the records behind it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tieout import show
from tieout.cli_work import Json, enter


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="explain")(explain)


def explain(
    document: Annotated[str, typer.Argument(help="A document's number, connection:id, id, or key.")],
    content: Annotated[
        bool, typer.Option("--content", help="Show the landed records' fields, too. They may be personal data.")
    ] = False,
    json: Json = False,
) -> None:
    """What a document belongs to, which pass matched it, what differs and why, and where its records are.

    Each hop lists both sides and their breaks with the state of the register; then come the landed records: when, in
    which batch, from which archived file. Example: [bold]tieout explain INV-1042[/]
    """
    enter()
    from tieout.publish import explain as room

    found = room.explain(document, content=content)
    if json:
        show.as_json(found)
    else:
        _show(show.console(), found)


def _show(out: Any, found: Any) -> None:
    out.print(f"{found.document}, as of {found.as_of_date} (run {found.run_id})", style="bold", markup=False)
    if not found.groups:
        out.print("It stands in no comparison: it is out of scope, or no hop knows its kind.")
    for group in found.groups:
        _show_group(out, group, found.document.document_key)
    show.table(out, "landed records, as they are now", ["table", "key", "landed", "batch", "archive"], [
        [f"{r.table}{' (deleted)' if r.is_deleted else ''}{' (newer than published)' if r.is_newer else ''}", r.key,
         r.landed_at, str(r.batch_id), r.archive_uri] for r in found.records])  # fmt: skip
    for record in found.records:
        if record.content is not None:
            out.print_json(data=record.content, default=show.plain)
    for document, url in found.urls.items():
        out.print(f"{document}: {url}", markup=False, soft_wrap=True)


def _show_group(out: Any, group: Any, document_key: str) -> None:
    how = "nothing was matched"
    if group.pass_name:
        how = f"{group.status} by {group.pass_name} (pass {group.match_pass}), confidence {group.confidence:.2f}"
    rows = [
        [("→ " if m.document.document_key == document_key else "") + m.side, m.document.document_type,
         m.document.document_number, f"{m.document.connection}:{m.document.document_id}", m.document_date,
         show.money(m.amount), m.currency_code, m.outcome, m.reason_code] for m in group.members]  # fmt: skip
    show.table(out, f"\n{group.title}: {how}",
               ["side", "kind", "number", "record", "date", "amount", "", "outcome", "reason"], rows)  # fmt: skip
    if group.more:
        out.print(f"… and {group.more:,} more", markup=False)
    for entry in group.breaks:
        said = [f"{entry.reason_code} {entry.reason_name or ''}: {show.money(entry.amount)} {entry.currency_code}",
                entry.evidence or "", f"{entry.status.replace('_', ' ')}, {entry.owner}, due {entry.due_date}",
                entry.comment or "", f"break {entry.break_key[:12]}"]  # fmt: skip
        out.print("  " + " · ".join(filter(None, said)), markup=False, soft_wrap=True)
    for each in group.decisions:
        much = f" {show.money(each.amount)} {each.currency_code}" if each.amount else ""
        out.print(f"  {each.decided_by} decided on {each.decided_at:%Y-%m-%d}: {each.a} and {each.b}"
                  f" {'belong together' if each.is_match else 'do not belong together'}{much}: {each.reason}",
                  markup=False, soft_wrap=True)  # fmt: skip
    for each in group.suggestions:
        sure = f"{each.confidence:.2f}" if each.is_sure else "perhaps"
        out.print(f"  {each.left} and {each.right} may belong together ({each.pass_name}, {sure}), difference "
                  f"{show.money(each.difference)} {each.currency_code}: tieout documents decide",
                  markup=False, soft_wrap=True)  # fmt: skip
