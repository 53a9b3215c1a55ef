"""The command line: the steps of a run as verbs.

    0 done · 1 failed · 2 settings, tieout.yml or secrets · 3 a vendor · 4 landing · 5 dbt · 6 a gate · 7 publishing
    8 Postgres · 9 Airflow's processes · 10 a DAG of the demo · 11 a reconciliation's own check
    12 the register of breaks · 13 an erasure

An expected failure is one message with what to do next, on standard error; --debug adds the traceback. --json prints
one document on standard output and nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tieout import (
    cli_backfill,
    cli_breaks,
    cli_demo,
    cli_documents,
    cli_erase,
    cli_explain,
    cli_identity,
    cli_match,
    cli_operate,
    cli_quarantine,
    cli_retention,
    cli_sources,
    cli_status,
    cli_webhook,
    show,
    status,
    steps,
)
from tieout.cli_work import DryRun, Json, Streams
from tieout.cli_work import at_work as _at_work
from tieout.cli_work import options as _options
from tieout.cli_work import say as _say
from tieout.errors import ConfigError, TieoutError
from tieout.settings import settings

app = typer.Typer(
    name="tieout",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    help="Lands CRM and ERP records, builds one revenue fact, proves that deal, order, invoice, ledger and cash agree.",
    epilog="Exit codes: 0 done, 1 failed, 2 settings or secrets, 3 a vendor, 4 landing, 5 dbt, 6 a gate, 7 publishing, "
    "8 Postgres, 9 Airflow's processes, 10 a DAG of the demo, 11 a reconciliation's own check, "
    "12 the register of breaks, 13 an erasure.",
)

RunId = Annotated[int | None, typer.Option("--run-id", help="Default: the newest revenue run.")]
Connections = Annotated[
    list[str] | None, typer.Argument(help="Default: all connections of tieout.yml.", show_default=False)
]


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks and all log lines.")] = False,
) -> None:
    _options.debug = debug


@app.command()
def land(
    connections: Connections = None,
    streams: Streams = None,
    full: Annotated[bool, typer.Option("--full", help="Read the complete set, whatever the stamps.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Land what changed since the last committed window."""
    with _at_work(json, vendors=not dry_run) as out:
        names = connections or list(settings().company.connections)
        if dry_run:
            planned = _planned(names, streams, full)
            _say_plan(out, json, planned, planned, ["check landing"])
            return
        reports = []
        for name in names:
            reports.append(steps.land(name, streams=streams, full=full))
            steps.check("landing", reports[-1].run_id)
        _say(out, json, reports, quiet=True)


@app.command()
def check(
    stage: Annotated[str, typer.Argument(help="landing or marts")],
    run_id: RunId = None,
    json: Json = False,
) -> None:
    """Evaluate the gates of a stage; exit code 6 when a critical one fails."""
    if stage not in ("landing", "marts"):
        raise ConfigError(f"no stage {stage!r}", hint="landing or marts")
    with _at_work(json) as out:
        verdict = steps.check(stage, _run(run_id, "land" if stage == "landing" else "revenue"))
        _say(out, json, verdict, text=str(verdict))


@app.command()
def build(
    run_id: Annotated[int | None, typer.Option("--run-id", help="Default: open a new run.")] = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild everything from what is landed.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Run dbt: the candidate that gates judge before anybody can read it."""
    with _at_work(json) as out:
        if dry_run:
            waiting = status.waiting_batches()
            _say(
                out,
                json,
                {"waiting": waiting, "full_refresh": full_refresh},
                text="\n".join(
                    f"{table}: {rows:,} rows changed since the last build" for table, rows in waiting.items()
                )
                or "nothing was landed since the last build",
            )
            return
        _say(out, json, steps.build(run_id or steps.open_run("revenue"), full_refresh=full_refresh), quiet=True)


@app.command()
def suggest(run_id: RunId = None, json: Json = False) -> None:
    """Suggest what belongs together among the documents that the build left open: fills rec_suggestion."""
    with _at_work(json) as out:
        _say(out, json, steps.match(_run(run_id)), quiet=True)


@app.command()
def publish(run_id: RunId = None, dry_run: DryRun = False, json: Json = False) -> None:
    """Let readers see a run that passed its gates."""
    with _at_work(json) as out:
        run = _run(run_id)
        if dry_run:
            seen = status.published_run()
            _say(
                out,
                json,
                {"run_id": run, "published_run_id": seen},
                text=f"would publish run {run}; readers now see {seen or 'nothing'}",
            )
            return
        publication = steps.publish(run)
        steps.close_run(run)
        _say(out, json, publication, quiet=True)


@app.command()
def run(
    full_refresh: Annotated[bool, typer.Option("--full-refresh")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """All of it: land every connection, check, build, match, check, publish, report."""
    with _at_work(json, vendors=not dry_run) as out:
        names = list(settings().company.connections)
        if dry_run:
            then = ["check landing", "build", "match", "check marts", "publish", "report"]
            planned = _planned(names, None, False)
            _say_plan(out, json, {"land": planned, "then": then}, planned, then)
            return
        for name in names:
            steps.check("landing", steps.land(name).run_id)
        done = steps.revenue(full_refresh=full_refresh)
        if json:
            show.as_json(
                {"run_id": done.run_id, "publication": done.publication, "report": done.report, "hops": _hops()}
            )
        else:
            cli_demo.show_outcome(out, done.report)


@app.command()
def report(
    run_id: Annotated[int | None, typer.Option("--run-id", help="Default: the published run.")] = None,
    json: Json = False,
) -> None:
    """Write the HTML report and print its path."""
    with _at_work(json) as out:
        path = steps.report(run_id)
        _say(out, json, {"path": path}, text=str(path))


cli_backfill.register(app)
cli_retention.register(app)
cli_erase.register(app)
cli_operate.register(app)
cli_quarantine.register(app)
cli_identity.register(app)
cli_documents.register(app)
cli_breaks.register(app)
cli_explain.register(app)
cli_sources.register(app)
cli_match.register(app)
cli_status.register(app)
cli_webhook.register(app)
cli_demo.register(app)


def main(arguments: list[str] | None = None) -> int:
    """The console script. Returns the exit code."""
    try:
        app(args=arguments, prog_name="tieout")
    except TieoutError as error:
        if _options.debug:
            raise
        show.error(error)
        return error.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0


def _run(run_id: int | None, kind: str = "revenue") -> int:
    found = run_id or status.newest_run(kind)
    if found is None:
        raise ConfigError(f"there is no {kind} run yet", hint="tieout run")
    return found


def _hops() -> Any:
    from tieout.publish import summary

    return summary.hop_table()


def _planned(names: list[str], streams: list[str] | None, full: bool) -> list[dict[str, Any]]:
    """What landing would ask for: `since` None means from the beginning."""
    planned = []
    for name in names:
        connection = settings().company.connection(name)
        for stream in connection.selected():
            if streams and stream.name not in streams:
                continue
            complete = full or stream.mode == "full"
            since = None if complete else status.landed_until(name, stream.name)
            planned.append(
                {
                    "connection": name,
                    "stream": stream.name,
                    "mode": "full" if complete else stream.mode,
                    "since": since,
                    "overlap": stream.overlap or connection.defaults.cursor_overlap,
                }
            )
    return planned


def _say_plan(out: Any, json: bool, value: Any, planned: list[dict[str, Any]], then: list[str]) -> None:
    """What a run would do: a table for people, `value` as JSON for programs. Nothing was asked of a vendor."""
    if json:
        show.as_json(value)
        return
    words = ("connection", "stream", "mode", "since", "overlap")
    show.table(out, "would land", words, [[row[word] for word in words] for row in planned])
    out.print(f"then: {', '.join(then)}", markup=False)


def _path(text: str) -> Path:
    return Path(text).expanduser().resolve()


if __name__ == "__main__":
    sys.exit(main())
