"""`tieout breaks`: the register of differences. Look, take charge, say why, waive with four eyes, prove the log."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from tieout import settings, show
from tieout.cli_work import DryRun, Json, enter
from tieout.errors import RegisterError

breaks = typer.Typer(
    no_args_is_help=True,
    help="The register of breaks: who does what about each difference. A key may be shortened to its first letters.",
)

Key = Annotated[str, typer.Argument(help="A break's key, or its first letters (6 or more).")]
By = Annotated[str | None, typer.Option("--by", help="Who. Default: this account.", show_default=False)]
Comment = Annotated[str | None, typer.Option("--comment", help="What is to be said about it.")]
Why = Annotated[str, typer.Option("--reason", help="Why.")]
Hop = Annotated[str | None, typer.Option("--hop", help="deal_order, order_invoice, invoice_cash or invoice_ledger")]
Reason = Annotated[str | None, typer.Option("--reason", help="A code of the closed list: A1, C1, …")]
Status = Annotated[str | None, typer.Option("--status", help="One status. Default: all but cleared.")]
Owner = Annotated[str | None, typer.Option("--owner")]
Entity = Annotated[str | None, typer.Option("--entity", help="A legal entity.")]
Amount = Annotated[str | None, typer.Option("--amount", help="From this absolute amount on, in the group's currency.")]
Overdue = Annotated[bool, typer.Option("--overdue", help="Only those that are due and not waived.")]
Waiting = Annotated[bool, typer.Option("--waiting", help="Only those for which a waiver waits for approval.")]


def register(app: typer.Typer) -> None:
    """Add `breaks` to the command line."""
    app.add_typer(breaks, name="breaks")


@breaks.command(name="list")
def list_(
    hop: Hop = None,
    reason: Reason = None,
    status: Status = None,
    owner: Owner = None,
    entity: Entity = None,
    amount: Amount = None,
    overdue: Overdue = False,
    waiting: Waiting = False,
    limit: Annotated[int, typer.Option("--limit", min=1)] = 200,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")] = False,
) -> None:
    """The breaks of the newest publication, those to act on first."""
    enter()
    from tieout.register import book, log

    with log.opened() as db:
        found = book.find(db, _filter(hop, reason, status, owner, entity, amount, overdue, waiting), limit)
    if json:
        show.as_json(found)
    elif csv:
        _print_csv(found)
    else:
        title = f"{len(found)} breaks" + (f", the first {limit}" if len(found) == limit else "")
        words = ("key", "status", "reason", "document", "entity", "amount", "", "age", "owner", "due", "asks waiver")
        show.table(show.console(), title, words, [
            [e.break_key[:10], e.status.replace("_", " "), f"{e.reason_code} {e.reason_name or ''}".strip(), e.document,
             e.legal_entity_id, show.money(e.amount), e.currency_code, e.age_days, e.owner,
             f"{e.due_date or ''}{' !' if e.is_overdue else ''}", e.requested_by] for e in found])  # fmt: skip


@breaks.command(name="show")
def show_(key: Key, json: Json = False) -> None:
    """One break, with all that was ever done about it."""
    enter()
    from tieout.register import book, log

    with log.opened() as db:
        entry = book.get(db, key)
        events = book.history(db, entry.break_key)
    if json:
        show.as_json({"break": entry, "events": events})
        return
    out = show.console()
    facts = [(word.replace("_", " "), value) for word, value in vars(entry).items() if value not in (None, "")]
    show.table(out, f"break {entry.break_key}", ["what", "is"],
               [[word, str(show.cell(value))] for word, value in facts])  # fmt: skip
    words = ("event", "at, UTC", "run", "what", "led to", "by", "said", "owner", "due", "amount")
    show.table(out, "its life", words, [
        [str(e.event_id), e.at, str(e.run_id), e.kind.replace("_", " "), e.to_status.replace("_", " "), e.actor,
         " · ".join(filter(None, (e.comment, e.reason))), e.owner, e.due_date, show.money(e.amount)]
        for e in events])  # fmt: skip


@breaks.command()
def acknowledge(key: Key, comment: Comment = None, by: By = None, json: Json = False) -> None:
    """Somebody has seen it."""
    _act(key, "acknowledge", by, json, comment=comment)


@breaks.command()
def start(key: Key, comment: Comment = None, by: By = None, json: Json = False) -> None:
    """Somebody works on it."""
    _act(key, "start", by, json, comment=comment)


@breaks.command()
def resolve(key: Key, reason: Why = "", comment: Comment = None, by: By = None, json: Json = False) -> None:
    """Its cause was mended; it clears itself once a publication no longer finds it."""
    _act(key, "resolve", by, json, reason=reason, comment=comment)


@breaks.command()
def reopen(key: Key, reason: Why = "", comment: Comment = None, by: By = None, json: Json = False) -> None:
    """Take back an acknowledgement, a resolution or a waiver."""
    _act(key, "reopen", by, json, reason=reason, comment=comment)


@breaks.command()
def waive(
    key: Key,
    reason: Why = "",
    allow: Annotated[
        str, typer.Option("--allow", help="How far its amount may move, in its currency, before the waiver ends.")
    ] = "0",
    comment: Comment = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Accept it as it is. Over `breaks.waiver_limit` of tieout.yml this asks a second person for approval."""
    _act(key, "waive", by, json, reason=reason, comment=comment, allowance=_amount("--allow", allow))


@breaks.command()
def approve(key: Key, comment: Comment = None, by: By = None, json: Json = False) -> None:
    """Approve a waiver that somebody else asked for."""
    _act(key, "approve", by, json, comment=comment)


@breaks.command()
def refuse(key: Key, reason: Why = "", comment: Comment = None, by: By = None, json: Json = False) -> None:
    """Refuse a waiver that waits for approval, or take one's own request back."""
    _act(key, "refuse", by, json, reason=reason, comment=comment)


@breaks.command()
def comment(key: Key, text: Annotated[str, typer.Argument()], by: By = None, json: Json = False) -> None:
    """Say something about it."""
    _act(key, "comment", by, json, comment=text)


@breaks.command()
def assign(
    key: Key,
    owner: Annotated[str | None, typer.Option("--to", help="Who looks after it.")] = None,
    due: Annotated[str | None, typer.Option("--due", help="Until when: YYYY-MM-DD.")] = None,
    comment: Comment = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Name an owner, a due date, or both, in place of the rules'."""
    try:
        day = date.fromisoformat(due) if due else None
    except ValueError:
        raise RegisterError(f"--due {due!r} is no day", hint="YYYY-MM-DD") from None
    _act(key, "assign", by, json, owner=owner, due_date=day, comment=comment)


@breaks.command()
def export(
    file: Path,
    hop: Hop = None,
    reason: Reason = None,
    status: Status = None,
    owner: Owner = None,
    entity: Entity = None,
    amount: Amount = None,
    overdue: Overdue = False,
    waiting: Waiting = False,
    json: Json = False,
) -> None:
    """Write breaks to a CSV file to be filled in and imported."""
    enter()
    from tieout.register import book, log, sheet

    with log.opened() as db:
        found = book.find(db, _filter(hop, reason, status, owner, entity, amount, overdue, waiting))
    written = sheet.write(file, found)
    if json:
        show.as_json({"file": file, "breaks": written})
    else:
        show.console().print(f"{written:,} breaks in {file}; fill in {', '.join(sheet.ASKED)}", markup=False,
                             soft_wrap=True)  # fmt: skip


@breaks.command(name="import")
def import_(file: Path, by: By = None, dry_run: DryRun = False, json: Json = False) -> None:
    """Carry out what a filled-in file says. Lines that cannot be are named; exit code 1 if there are any."""
    enter()
    from tieout.register import log, sheet

    with log.opened() as db:
        result = sheet.read(db, file, by or log.account(), log.account(), settings.settings().company.breaks)
        if dry_run:
            db.rollback()
    if json:
        show.as_json({"dry_run": dry_run, "done": [vars(one) for one in result.done], "refused": result.refused,
                      "untouched": result.untouched})  # fmt: skip
    else:
        out = show.console()
        for one in result.refused:
            out.print(f"{file}:{one.line}: {one.break_key[:10]}: {one.why}", markup=False, soft_wrap=True)
        words = "would be carried out" if dry_run else "carried out"
        asked = sum(one.kind == "waiver_requested" for one in result.done)
        out.print(f"{len(result.done):,} {words} ({asked:,} wait for a second person), "
                  f"{len(result.refused):,} refused, {result.untouched:,} without an act", markup=False,
                  soft_wrap=True)  # fmt: skip
    if result.refused:
        raise typer.Exit(1)


@breaks.command()
def audit(
    known: Annotated[
        str | None, typer.Option("--hash", help="A hash that an earlier audit printed: it must still be there.")
    ] = None,
    json: Json = False,
) -> None:
    """Prove that no event of the log was changed, removed or put in between; exit code 1 names the first broken row."""
    enter()
    from tieout.register import log

    with log.opened() as db:
        verdict = log.audit(db, known)
    if json:
        show.as_json(verdict)
    else:
        out = show.console()
        out.print(verdict.broken or f"{verdict.events:,} events, none changed\nhash {verdict.hash or '(none)'}",
                  markup=False, soft_wrap=True)  # fmt: skip
        for event in verdict.shared:
            out.print(f"event {event}: a waiver was asked for and approved from one account", markup=False)
    if verdict.broken:
        raise typer.Exit(1)


@breaks.command()
def rules(json: Json = False) -> None:
    """The rules that name owners (seed rec_owner_rules), read as strictly as a build reads them."""
    enter()
    from tieout.register import rules as room

    found = room.read(settings.settings().dbt_project)
    if json:
        show.as_json(found)
        return
    show.table(show.console(), f"{len(found)} rules, the first that fits counts",
               ["order", "reason", "hop", "entity", "from amount", "owner", "days"],
               [[r.order, r.reason or "any", r.hop or "any", r.entity or "any", r.minimum, r.owner, r.due_days]
                for r in found])  # fmt: skip


def _act(key: str, word: str, by: str | None, json: bool, **facts: Any) -> None:
    enter()
    from tieout.register import acts, book, log

    with log.opened() as db:
        entry = book.get(db, key)
        act = acts.Act(word, by or log.account(), log.account(), **facts)
        done = acts.carry_out(db, entry, act, settings.settings().company.breaks)
    if json:
        show.as_json(done)
        return
    said = f"break {done.break_key[:10]}: {done.kind.replace('_', ' ')} (event {done.event_id})"
    if done.kind == "waiver_requested":
        said += "; it is over the limit: another person runs tieout breaks approve, or answers in Airflow"
    show.console().print(said, markup=False, soft_wrap=True)


def _filter(
    hop: str | None, reason: str | None, status: str | None, owner: str | None, entity: str | None,
    amount: str | None, overdue: bool, waiting: bool,
) -> Any:  # fmt: skip
    from tieout.register.book import Filter

    minimum = None if amount is None else _amount("--amount", amount)
    return Filter(hop, reason, status, owner, entity, minimum, overdue, waiting)


def _amount(option: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise RegisterError(f"{option} {text!r} is no amount", hint="for example 0.50")
    return value


def _print_csv(entries: list[Any]) -> None:
    import csv
    import sys

    from tieout.register import sheet

    out = csv.writer(sys.stdout)
    out.writerow(sheet.TOLD)
    out.writerows([sheet.cell(name, getattr(entry, name)) for name in sheet.TOLD] for entry in entries)
