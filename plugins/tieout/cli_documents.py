"""`tieout documents`: what belongs together and nothing says so. Look at proposals, decide, carry decisions out and in.

A decision always wins, survives every rerun, and is applied by the next build. Names and numbers shown here may be
personal data.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tieout import show
from tieout.cli_crossref import crossref
from tieout.cli_work import By, Json, at_work, decider, say, warehouse_as
from tieout.errors import ConfigError

documents = typer.Typer(
    no_args_is_help=True, help="What belongs together: proposals for what is open, and what people decide about them."
)
documents.add_typer(crossref, name="crossref")

Document = Annotated[str, typer.Argument(help="A document's number, connection:id, id, or key.")]
Amount = Annotated[
    str, typer.Option("--amount", help="How much of a payment. Default: all that both have open.", show_default=False)
]
Hop = Annotated[str | None, typer.Option("--hop", help="deal_order, order_invoice or invoice_cash. Default: all.")]


def register(app: typer.Typer) -> None:
    """Add `documents` to the command line."""
    app.add_typer(documents, name="documents")


@documents.command()
def review(hop: Hop = None, limit: Annotated[int, typer.Option("--limit", min=1)] = 50, json: Json = False) -> None:
    """What may belong together among open documents, the surest first: all passes of `tieout match` look at them.

    Nothing is changed: `decide` says what belongs together.
    """
    with at_work(json) as out, warehouse_as("transformer", "documents") as books:
        found = _proposals(books, hop)[:limit]
        if json:
            show.as_json(found)
            return
        show.table(
            out, f"{len(found)} proposals",
            ["hop", "pass", "sure", "left", "right", "open", "", "difference", "customer"],
            [[f.hop, f.pass_name, f"{f.confidence:.2f}" if f.is_sure else "perhaps", _named(f.left), _named(f.right),
              show.money(f.amount), f.currency_code, show.money(f.difference), f.left[0].customer] for f in found],
        )  # fmt: skip


@documents.command()
def decide(
    one: Document,
    other: Document,
    match: Annotated[bool, typer.Option("--match", help="They belong together.")] = False,
    never: Annotated[bool, typer.Option("--never", help="They do not.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the decision about them back.")] = False,
    amount: Amount = "",
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Decide about a deal and its order, an order and its billing, or a payment and its invoice; the next build applies
    it. Of a payment that the books apply themselves, the books' word counts.
    """
    from tieout.matching import cash, document_review, identity_decisions
    from tieout.publish import explain
    from tieout.publish.asof import as_of

    verdicts = [word for word, said in (("SAME", match), ("NOT SAME", never), ("REVOKED", revoke)) if said]
    if len(verdicts) != 1:
        raise ConfigError("which is it?", hint="exactly one of --match, --never, --revoke")
    with at_work(json) as out:
        with as_of(role="publisher") as db:
            a, b = ((found.connection, found.document_id) for found in (explain.find(db, one), explain.find(db, other)))
        with warehouse_as("transformer", "documents") as books:
            hop = document_review.hop_of(books, a, b)
            is_cash = hop == cash.HOP and match
            if amount and not is_cash:
                raise ConfigError("--amount is said of a payment that pays an invoice", hint="leave it out")
            applied = cash.Cash(books).share(a, b, amount) if is_cash else None
            if is_cash and applied is None:
                raise ConfigError(f"other decisions have left nothing of {':'.join(a)} or {':'.join(b)}",
                                  hint="`tieout documents list` shows them")  # fmt: skip
        with warehouse_as("loader", "documents") as books:
            made = identity_decisions.decide(books, a, b, verdicts[0], reason, decider(by), hop, applied)
        text = f"decision {made}: the next build applies it" if made else "the same decision counts already"
        if made and applied:
            text = f"decision {made}: the next build applies {show.money(applied.amount)} {applied.currency_code}"
        say(out, json, {"decision_id": made, "hop": hop, **(applied._asdict() if applied else {})}, text=text)


@documents.command()
def export(
    path: Annotated[Path, typer.Argument(help="A CSV file to write.")], hop: Hop = None, json: Json = False
) -> None:
    """Write proposals as CSV, one row a pair: fill in `verdict` (SAME, NOT SAME, REVOKED) and `reason`, then import.

    Of a payment and an invoice `applied` says how much; empty, it is all that both have open.
    """
    from tieout.matching import document_review, identity_decisions

    with at_work(json) as out, warehouse_as("transformer", "documents") as books:
        found = _proposals(books, hop)
        count = identity_decisions.write(path, document_review.COLUMNS, document_review.rows(found))
        say(out, json, {"rows": count, "proposals": len(found), "path": path},
            text=f"{len(found)} proposals, {count} pairs in {path}")  # fmt: skip


@documents.command(name="import")
def import_(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False)], by: By = None, json: Json = False
) -> None:
    """Read decisions from a CSV that `export` wrote. All or none."""
    from tieout.matching import cash, document_review, identity_decisions

    with (
        at_work(json) as out,
        warehouse_as("transformer", "documents") as marts,
        warehouse_as("loader", "documents") as books,
    ):
        done = identity_decisions.take(books, path, decider(by), document_review.HOPS, cash.Cash(marts))
        say(out, json, done, text=f"{done.decided} decided, {done.unchanged} as before, {done.empty} left open")


@documents.command(name="list")
def list_(json: Json = False) -> None:
    """The decisions that count, newest first."""
    from tieout.matching import document_review, identity_store

    with at_work(json) as out, warehouse_as("transformer", "documents") as books:
        found = [(hop, each) for hop in document_review.HOPS for each in identity_store.decisions(books, hop)]
        if json:
            show.as_json([{"hop": hop, **asdict(each)} for hop, each in found])
            return
        show.table(
            out, f"{len(found)} decisions", ["decision", "hop", "document", "document", "verdict", "applied", ""],
            [[str(each.decision_id), hop, ":".join(each.a), ":".join(each.b), "match" if each.same else "never",
              show.money(each.amount), each.currency_code] for hop, each in found],
        )  # fmt: skip


def _proposals(books: Any, hop: str | None) -> list[Any]:
    from tieout.matching import document_review

    if hop is not None and hop not in document_review.HOPS:
        raise ConfigError(f"{hop!r} is no hop with proposals", hint=", ".join(document_review.HOPS))
    return document_review.propose(books, (hop,) if hop else document_review.HOPS)


def _named(found: Any) -> str:
    """Documents by their numbers; of many the first."""
    words = [one.document_number or str(one) for one in found]
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
