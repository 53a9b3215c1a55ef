"""Commands around the simulated company: `demo` and `score`, and what they show at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from tieout import airflow_home, logs, place, progress, settings, show
from tieout.errors import ConfigError
from tieout.place import Place

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Seed = Annotated[int, typer.Option("--seed", help="Of a new company.")]
Size = Annotated[str, typer.Option("--size", help="Orders of a new company: 1k, 50k or 1m.")]
Level = Annotated[int, typer.Option("--level", min=1, max=3, help="How differently the two systems spell names.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(demo)
    app.command()(score)


def demo(
    seed: Seed = 42,
    size: Size = "1k",
    level: Level = 2,
    next_day: Annotated[bool, typer.Option("--next-day", help="First let one day pass in the company.")] = False,
    unit: Annotated[list[str] | None, typer.Option("--unit", help="Only these business units; repeatable.")] = None,
    home: Annotated[Path, typer.Option("--home", help="Where the demo lives.")] = place.DEMO,
    json: Json = False,
) -> None:
    """The whole pipeline on a simulated company, end to end. Again: continue from its state."""
    from tieout import demo as room

    logs.configure("console", "WARNING")
    out = show.console()
    with progress.listening(show.Lines(out) if not json else _silent):
        ran = room.run(home.resolve(), seed=seed, size=size, level=level, days=int(next_day), units=unit or ())
    report = newest_report()
    if json:
        from tieout.publish import pointer, summary

        show.as_json(
            {
                "seconds": round(ran.seconds, 1),
                "now": ran.now,
                "dags": ran.dags,
                "publication": pointer.current(),
                "report": report,
                "hops": summary.hop_table(),
                "log": ran.log,
            }
        )
        return
    show_outcome(out, report)
    out.print(f"\n{ran.seconds:.0f} s in all; Airflow's log: {ran.log}", style="dim", soft_wrap=True)
    out.print(
        "Next: make demo-next-day · make psql · make up · .venv/bin/tieout status | sources | doctor | score",
        soft_wrap=True,
    )
    out.print(
        "Postgres stays up for psql and BI tools; `make down` stops it, `make clean` removes the demo.", soft_wrap=True
    )


def score(
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            help="Generate, serve, run and score this seed in a scratch "
            "database. Without it: score the demo as it stands.",
        ),
    ] = None,
    size: Size = "1k",
    level: Level = 2,
    days: Annotated[int, typer.Option("--days", help="Days to pass, each with a run, after the first run.")] = 0,
    unit: Annotated[str, typer.Option("--unit", help="Which business unit.")] = "global",
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="Score each of these seeds at each of --levels: 7,11,23.")] = None,
    levels: Annotated[str, typer.Option("--levels", help="Levels for --seeds.")] = "1,2,3",
    write: Annotated[
        Path | None, typer.Option("--write", help="With --seeds: write what came out as a page of tables.")] = None,
    json: Json = False,
) -> None:
    """Compare the reconciliation with the simulated company's answer key, per hop and break class."""
    from tieout import scratch

    logs.configure("console", "WARNING")
    if seeds is not None:
        if seed is not None or days:
            raise ConfigError("--seeds goes with --levels, --size, --unit, --write", hint="leave --seed and --days out")
        _score_all(_numbers("--seeds", seeds), _numbers("--levels", levels, most=3), size, unit, write, json)
        return
    if write is not None:
        raise ConfigError("--write needs --seeds", hint="`tieout score --seeds 7,11,23 --write docs/score.md`")
    if seed is None:
        here = place.demo()
        if not place.exists(here):
            raise ConfigError("there is no demo to score", hint="`make demo`, or `tieout score --seed 7`")
        place.enter(here)
        result = scratch.compare(here.home, unit)
    else:
        out = show.console()
        with progress.listening(_silent if json else show.Lines(out)):
            result = scratch.score(seed=seed, size=size, level=level, days=days, unit=unit)
    if json:
        show.as_json(result)
    else:
        _show_score(show.console(), result)


def _score_all(
    seeds: list[int], levels: list[int], size: str, unit: str, write: Path | None, as_json: bool
) -> None:
    """Every seed at every level; the page goes to a file, or to standard output."""
    from tieout import score_table, scratch

    if write is not None and not write.parent.is_dir():
        raise ConfigError(f"--write {write}: there is no folder {write.parent}", hint="make it first")
    out, results = show.console(), []
    for result in scratch.campaign(seeds, levels, size=size, unit=unit):
        results.append(result)
        if not as_json:
            f1, seconds = score_table.overall_f1(result), result["seconds"]
            out.print(f"{score_table.name_of(result)}: pair F1 {f1}, {seconds} s", style="dim", soft_wrap=True)
    told = score_table.page(results, _campaign_command(seeds, levels, size, unit, write))
    if write is not None:
        write.write_text(told, encoding="utf-8")
    if as_json:
        show.as_json(results)
    elif write is None:
        out.print(told, markup=False, soft_wrap=True)
    else:
        out.print(f"Written: {write}", soft_wrap=True)


def _campaign_command(seeds: list[int], levels: list[int], size: str, unit: str, write: Path | None) -> str:
    words = ["tieout score --seeds", ",".join(map(str, seeds)), "--levels", ",".join(map(str, levels))]
    words += ["--size", size] if size != "1k" else []
    words += ["--unit", unit] if unit != "global" else []
    return " ".join([*words, *(["--write", str(write)] if write else [])])


def _numbers(option: str, text: str, most: int | None = None) -> list[int]:
    """Comma-separated whole numbers, each once. ConfigError names the option and the word."""
    found = []
    for word in text.split(","):
        if not word.strip().isdigit() or (most and not 1 <= int(word) <= most):
            wanted = f"whole numbers from 1 to {most}" if most else "whole numbers"
            raise ConfigError(f"{option}: {word.strip()!r}", hint=f"{wanted}, with commas between: 1,2,3")
        found.append(int(word))
    return list(dict.fromkeys(found))


def show_outcome(out: Any, report: Path | None) -> None:
    """The hop table, the publication and the report's path."""
    from tieout.publish import pointer, summary

    hops = summary.hop_table()
    out.print()
    out.print(summary.render(hops))
    if hops:
        out.print()
        out.print(summary.render_reasons(summary.reason_table(), hops[0].currency, hops[0].minor_units))
    seen = pointer.current()
    if seen:
        out.print(f"\nPublication {seen.publication_id} (run {seen.run_id}), as of {seen.as_of_date}", style="bold")
    if report:
        out.print(f"Report: {report}", soft_wrap=True)


def newest_report() -> Path | None:
    """The report written last, if any."""
    found = sorted((settings.settings().home / "reports").glob("run-*.html"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


@contextmanager
def vendors(here: Place) -> Iterator[None]:
    """The demo's stand-ins, while a command needs the vendors."""
    from tieout import demo as room

    with room.vendors(here.home):
        yield


def ensure_vendors(here: Place) -> None:
    """Start the stand-ins and leave them running: `tieout down` stops them."""
    from tieout import demo as room

    room.prepare(here.home)
    room.start_vendors(here.home)


def quiet(log: Path) -> AbstractContextManager[Path]:
    """Send this process's output to a file meanwhile."""
    from tieout import demo as room

    return room.quiet(log)


def airflow_metadata(home: Path) -> str:
    """Airflow's schema, made once."""
    from tieout import demo as room

    return room.airflow_metadata(home)


def password(home: Path) -> tuple[str, bool]:
    """Airflow's admin password, and whether it is new."""
    return airflow_home.password(home, settings.settings().airflow_users)


def remove(home: Path) -> None:
    """Stop the demo's Postgres and remove its folder, the data that went elsewhere included."""
    from tieout import scratch

    scratch.remove(home)


def _silent(event: progress.Event) -> None:
    """Nobody is watching: standard output belongs to the JSON document."""


def _show_score(out: Any, result: dict[str, Any]) -> None:
    classes = result.get("classes", {})
    show.table(
        out,
        f"seed {result.get('seed')}, size {result.get('size')}, level {result.get('level')}",
        ["class", "planted", "found", "right", "precision", "recall"],
        [
            [
                name,
                row.get("planted"),
                row.get("found"),
                row.get("tp"),
                _ratio(row.get("precision")),
                _ratio(row.get("recall")),
            ]
            for name, row in classes.items()
        ],
    )
    words = ("false_auto", "unexplained", "identity", "passed")
    out.print(" · ".join(f"{word.replace('_', '-')} {result.get(word)}" for word in words), soft_wrap=True)


def _ratio(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(round(value, 4)))
