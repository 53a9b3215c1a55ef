"""`tieout status`: is everything fresh, green and done? For people as tables, for monitors as JSON and an exit code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from tieout import freshness, health, place, show
from tieout.cli_work import enter
from tieout.place import Place

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Check = Annotated[
    bool, typer.Option("--check", help="Exit code 1 when something is late, red, killed or open beyond its promise.")
]
Full = Annotated[bool, typer.Option("--all", help="Every stream; by default only those that are not fresh.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(status)


def status(json: Json = False, check: Check = False, every: Full = False) -> None:
    """Freshness against promises, gates, open quarantine, the publication, runs and failures."""
    facts = health.overview(_now(enter()))
    if json:
        show.as_json(facts)
    else:
        out = show.console()
        _publication(out, facts)
        _freshness(out, facts, every)
        for section in SECTIONS:
            section(out, facts)
        _problems(out, facts)
    if check and facts["problems"]:
        raise typer.Exit(1)


def _now(here: Place) -> datetime:
    """The company's clock: that of a simulated one stands still, and its data are fresh by it."""
    return place.simulated_now(here.home) or datetime.now(UTC)


def _publication(out: Any, facts: dict[str, Any]) -> None:
    seen = facts["published"]
    out.print(
        f"publication {seen['publication_id']}: run {seen['run_id']}, as of {seen['as_of_date']}, "
        f"published {seen['published_at']:%Y-%m-%d %H:%M}, {_age(seen['age_seconds'])} ago"
        if seen
        else "nothing is published yet",
        soft_wrap=True,
    )


def _freshness(out: Any, facts: dict[str, Any], every: bool) -> None:
    """One line a connection; the streams that are not fresh below, or all of them."""
    found = facts["freshness"]
    names = list(dict.fromkeys(each["connection"] for each in found))
    rows = []
    for name in names:
        streams = [each for each in found if each["connection"] == name]
        landed = [each["landed_until"] for each in streams if each["landed_until"]]
        late = max((each["late_seconds"] for each in streams), default=0)
        count = {state: sum(each["state"] == state for each in streams) for state in ("fresh", "late", "never_landed")}
        due = next((each["due_at"] for each in streams if each["due_at"]), None)
        rows.append([name, streams[0]["promise"], min(landed, default=None), due, *count.values(), _age(late)])
    show.table(
        out, "freshness",
        ["connection", "promise", "landed until", "due", "fresh", "late", "never landed", "late by"], rows,
    )  # fmt: skip
    shown = [each for each in found if every or each["state"] != "fresh"]
    if shown:
        show.table(
            out, "streams" if every else "streams that are not fresh",
            ["connection", "stream", "state", "late by", "landed until", "due"],
            [[s["connection"], s["stream"], s["state"].replace("_", " "), _age(s["late_seconds"]), s["landed_until"],
              s["due_at"]] for s in shown],
        )  # fmt: skip


def _gates(out: Any, facts: dict[str, Any]) -> None:
    verdicts = {True: "passed", False: "RED"}
    show.table(
        out, "gates: the newest verdict of each",
        ["stage", "of", "run", "checked", "verdict", "checks", "block", "warn"],
        [[g["stage"], g["label"], str(g["run_id"]), g["checked_at"], verdicts[g["passed"]], g["evaluated"],
          *(sum(f["severity"] == severity for f in g["failing"]) for severity in ("critical", "warning"))]
         for g in facts["gates"]],
    )  # fmt: skip
    failing = [[str(g["run_id"]), f["suite"], f["expectation"], f["severity"], f["observed"]]
               for g in facts["gates"] for f in g["failing"]]  # fmt: skip
    if failing:
        show.table(out, "failing checks", ["run", "suite", "expectation", "severity", "observed"], failing)


def _quarantine(out: Any, facts: dict[str, Any]) -> None:
    if facts["quarantine"]:
        show.table(
            out, "open quarantine", ["connection", "stream", "records", "oldest", "age", "reasons"],
            [[q["connection"], q["stream"], q["records"], q["oldest_at"], _age(q["oldest_seconds"]),
              ", ".join(q["reasons"])] for q in facts["quarantine"]],
        )  # fmt: skip


def _runs(out: Any, facts: dict[str, Any]) -> None:
    if facts["running"]:
        show.table(
            out, "in progress", ["run", "kind", "of", "step", "state", "since", "for"],
            [[str(r["run_id"]), r["kind"], r["label"], r["step"], r["state"], r["started_at"], _age(r["seconds"])]
             for r in facts["running"]],
        )  # fmt: skip
    if facts["failures"]:
        show.table(
            out, "failures of the last day", ["run", "of", "step", "attempt", "state", "at", "mended", "reason"],
            [[str(f["run_id"]), f["label"], f["step"], f["attempt"], f["state"], f["at"], f["mended"],
              f["reason"][:100]] for f in facts["failures"]],
        )  # fmt: skip
    show.table(
        out, "runs", ["run", "kind", "of", "state", "stands for", "started", "seconds"],
        [[str(r["run_id"]), r["kind"], r["label"], r["state"], r["logical_at"], r["started_at"], r["seconds"]]
         for r in facts["runs"]],
    )  # fmt: skip


def _drift(out: Any, facts: dict[str, Any]) -> None:
    """What changed at the vendors, and what to do about each kind."""
    if not facts["drift"]:
        return
    words = ("connection", "stream", "kind", "field", "detail", "since_batch", "loads")
    show.table(out, "drift", ["connection", "stream", "what", "field", "detail", "since load", "loads"],
               [[str(c[word]) if word == "since_batch" else c[word] for word in words] for c in facts["drift"]])
    for kind, to_do in {c["kind"]: c["to_do"] for c in facts["drift"]}.items():
        out.print(f"  {kind}: {to_do}", markup=False, soft_wrap=True)


def _problems(out: Any, facts: dict[str, Any]) -> None:
    if facts["problems"]:
        out.print("\n[bold]look at[/]")
        for line in facts["problems"]:
            out.print(f"  ! {line}", markup=False, soft_wrap=True)


def _age(seconds: int | None) -> str | None:
    return freshness.short(timedelta(seconds=int(seconds))) if seconds else None


# What else there is to see: a section reads its part of `health.overview` and prints a table. Add one at the end.
SECTIONS = (_gates, _quarantine, _runs, _drift)
