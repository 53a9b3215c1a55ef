"""`tieout identity`: who is who among customers. Look at what waits, decide, carry decisions out and in, explain.

A decision always wins, survives every rerun, and is applied by the next build. Names and numbers shown here may be
personal data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tieout import show
from tieout.cli_work import By, Json, at_work, decider, say, warehouse_as
from tieout.errors import ConfigError
from tieout.settings import settings

identity = typer.Typer(no_args_is_help=True, help="Who is who: pairs to review, decisions, explanations, weights.")

Record = Annotated[str, typer.Argument(help="connection:id, as in netsuite_us:1042")]


def register(app: typer.Typer) -> None:
    """Add `identity` to the command line."""
    app.add_typer(identity, name="identity")


@identity.command()
def review(limit: Annotated[int, typer.Option("--limit", min=1)] = 50, json: Json = False) -> None:
    """The pairs that wait for a person, best first."""
    from tieout.matching import identity_decisions as room

    with at_work(json) as out, warehouse_as("transformer", "identity") as books:
        found = room.review(books, limit)
        if json:
            show.as_json([_plain(row) for row in found])
            return
        show.table(
            out,
            f"{len(found)} pairs to review",
            ["record", "name", "record", "name", "score", "margin"],
            [[":".join(r.a), r.name_a, ":".join(r.b), r.name_b, f"{r.score:.1f}", f"{r.margin:.1f}"] for r in found],
        )


@identity.command()
def decide(
    a: Record,
    b: Record,
    same: Annotated[bool, typer.Option("--same", help="They are one company.")] = False,
    not_same: Annotated[bool, typer.Option("--not-same", help="They are two.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the decision about them back.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Decide about two records; the next build applies it."""
    from tieout.matching import identity_decisions as room

    verdicts = [word for word, said in (("SAME", same), ("NOT SAME", not_same), ("REVOKED", revoke)) if said]
    if len(verdicts) != 1:
        raise ConfigError("which is it?", hint="exactly one of --same, --not-same, --revoke")
    with at_work(json) as out:
        one, two = room.record(a), room.record(b)
        with warehouse_as("transformer", "identity") as books:
            room.require(books, (one, two))
        with warehouse_as("loader", "identity") as books:
            made = room.decide(books, one, two, verdicts[0], reason, decider(by))
        say(out, json, {"decision_id": made}, text=f"decision {made}" if made else "the same decision counts already")


@identity.command()
def export(
    path: Annotated[Path, typer.Argument(help="A CSV file to write.")],
    decided: Annotated[bool, typer.Option("--decided", help="The pairs that were decided too.")] = False,
    json: Json = False,
) -> None:
    """Write the pairs in review as CSV: fill in `verdict` (SAME, NOT SAME, REVOKED) and `reason`, then import it."""
    from tieout.matching import identity_decisions as room

    with at_work(json) as out, warehouse_as("transformer", "identity") as books:
        count = room.export(room.review(books, decided=decided), path)
        say(out, json, {"rows": count, "path": path}, text=f"{count} pairs in {path}")


@identity.command(name="import")
def import_(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False)], by: By = None, json: Json = False
) -> None:
    """Read decisions from a CSV that `export` wrote. All or none."""
    from tieout.matching import identity_decisions as room

    with at_work(json) as out, warehouse_as("loader", "identity") as books:
        done = room.take(books, path, decider(by))
        say(out, json, done, text=f"{done.decided} decided, {done.unchanged} as before, {done.empty} left open")


@identity.command()
def explain(
    a: Record,
    b: Annotated[str | None, typer.Argument(help="Another record: explain the pair.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Why two records are one customer or two; or what a record belongs to, and why."""
    from tieout.matching import identity_decisions, identity_explain

    with at_work(json) as out, warehouse_as("transformer", "identity") as books:
        units = {found.name: found.unit for found in settings().company.connections.values()}
        one = identity_decisions.record(a)
        if b is not None:
            told = identity_explain.pair(books, units, one, identity_decisions.record(b))
            say(out, json, told, text=told.text())
            return
        cluster = identity_explain.record(books, one)
        others = [(row[0], row[1]) for row in cluster.members if (row[0], row[1]) != one]
        pairs = [identity_explain.pair(books, units, one, other) for other in [*others, *cluster.candidates[:5]]]
        if json:
            show.as_json({"cluster": cluster, "pairs": pairs})
            return
        show.table(
            out,
            f"golden customer {cluster.customer_key}",
            ["connection", "id", "name", "joined by", "score"],
            [list(row) for row in cluster.members],
        )
        for other, reason in cluster.affiliates:
            out.print(f"affiliated with {other} ({reason})", markup=False)
        for found in pairs:
            out.print(found.text(), markup=False, soft_wrap=True)


def _plain(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("a", "name_a", "b", "name_b", "score", "margin", "zone")}





@identity.command()
def train(
    out: Annotated[Path | None, typer.Option("--out", help="Write the proposed seed here.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Learn weights from the records on file, offline. Shows a diff of the seed; changes nothing by itself."""
    import csv
    import difflib

    from tieout.matching import identity_records, identity_score, identity_store, identity_train

    seed = settings().dbt_project / "seeds" / "reconciliation" / "rec_identity_weights.csv"
    with at_work(json) as console, warehouse_as("transformer", "identity") as books:
        units = {found.name: found.unit for found in settings().company.connections.values()}
        records = identity_records.read(identity_store.rows(books)[0], units)
        found = identity_train.propose(records, identity_score.weights(identity_store.weights(books)))
        before = seed.read_text(encoding="utf-8")
        after = identity_train.seed_csv(list(csv.DictReader(before.splitlines())), found)
        if out is not None:
            out.write_text(after, encoding="utf-8")
        diff = difflib.unified_diff(before.splitlines(), after.splitlines(), seed.name, "proposed", lineterm="", n=0)
        say(console, json, found, text="\n".join(diff) or "the weights as they are fit these records")
