"""`tieout match`: reconcile any two files. Needs no warehouse, no connections and no tieout.yml."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from tieout import progress, show
from tieout.cli_work import DryRun, Json
from tieout.errors import ConfigError

File = Path | None


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="match")(match)


def match(
    left: Annotated[File, typer.Option("--left", help="CSV, JSON lines or Parquet: what pays or comes later.")] = None,
    right: Annotated[File, typer.Option("--right", help="What is paid or was there before.")] = None,
    rules: Annotated[
        File, typer.Option("--rules", help="Rules file. Columns that it does not map are guessed.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("match"),
    decisions: Annotated[File, typer.Option("--decisions", help="CSV of what people decided; it always wins.")] = None,
    crossref: Annotated[File, typer.Option("--crossref", help="CSV: which word of left means which of right.")] = None,
    truth: Annotated[
        File, typer.Option("--truth", help="CSV of labels (left_id, right_id, reason): also score.")
    ] = None,
    init: Annotated[
        bool, typer.Option("--init", help="Write a commented rules file for the two files, and stop.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Reconcile two files: bank lines with payments, a subledger with the ledger, receipts with invoices.

    Writes matches.csv, members.csv, breaks.csv, scoped.csv, quarantine.csv and summary.json into --out. Every row is
    matched, a break, out of scope or refused, by count and by amount, or the command fails.

    Start with [bold]tieout match --left bank.csv --right invoices.csv --init[/], read rules.yml, then run it with
    --rules rules.yml --dry-run: each rule shows what it would take, and nothing is written.

    Exit codes: 0 all matched or explained, 1 breaks above the materiality are left, 2 wrong use or wrong file,
    11 an invariant does not hold (nothing is written).
    """
    if left is None or right is None:
        raise ConfigError("--left and --right are both needed", hint="tieout match --help")
    if init:
        _init(left, right, rules or Path("rules.yml"), json)
        return
    from tieout.matching import job

    console = show.console()
    with ExitStack() as stack:
        if not json:
            stack.enter_context(progress.listening(show.Lines(console)))
        done = job.run(left, right, rules, decisions=decisions, crossref=crossref, truth=truth)
        if not dry_run:
            job.write(done, out)
    summary = done.summary()
    if json:
        show.as_json({**summary, "samples": done.samples()} if dry_run else summary)
    else:
        _show(console, summary, done.samples() if dry_run else {})
        console.print("Nothing was written (--dry-run)." if dry_run else f"written: {out}/", markup=False)
    if summary["left_over"]["count"]:
        raise typer.Exit(1)


def _init(left: Path, right: Path, path: Path, json: bool) -> None:
    from tieout.matching import guess

    if path.exists():
        raise ConfigError(f"{path} exists already", hint="name another file by --rules, or remove it")
    path.write_text(guess.rules_text(left, right), encoding="utf-8")
    if json:
        show.as_json({"rules": path})
    else:
        show.console().print(f"written: {path} (read it before you use it)", markup=False)


def _show(console: Any, summary: dict[str, Any], samples: dict[str, list[str]]) -> None:
    """Rules with what they took, then where everything is, then the breaks."""
    rows = []
    for each in summary["passes"]:
        amount = ", ".join(f"{value} {word}" for word, value in each["amount"].items())
        rows.append([each["pass"], each["groups"], each["left"], each["right"], amount])
    title = "what each rule would take" if samples else "what each rule took"
    show.table(console, title, ["rule", "matches", "left items", "right items", "amount"], rows)
    if samples:
        lines = [[name, line] for name, found in samples.items() for line in found]
        show.table(console, "samples", ["rule", "match"], lines)
    words = ("received", "matched", "broken", "scoped", "quarantined")
    show.table(console, "where every row is", ["side", *words],
               [[side, *(summary["rows"][side][word] for word in words)] for side in ("left", "right")])  # fmt: skip
    columns = ("currency", "reason", "meaning", "count", "amount")
    show.table(console, "breaks", columns, [[each[word] for word in columns] for each in summary["breaks"]])
    for word, gap in summary["gap"].items():
        console.print(f"left − right = {gap} {word}, all of it in the breaks above", markup=False)
    if summary["suggested"]:
        waiting = f"{summary['suggested']:,} suggestions wait for a person: matches.csv, status suggested"
        console.print(waiting, markup=False)
    if "score" in summary:
        from tieout.matching import truth

        show.table(console, "against the labels", ["what", "figure"], truth.as_lines(summary["score"]))
