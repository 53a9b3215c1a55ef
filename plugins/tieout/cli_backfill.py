"""`tieout backfill`: past windows again, from the vendor or from the archive; look at those that were asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tieout import show, steps
from tieout.cli_work import DryRun, Json, Streams, at_work, say
from tieout.errors import ConfigError
from tieout.settings import settings

if TYPE_CHECKING:
    from rich.console import Console

    from tieout.landing.backfill import Request, Unit, Work
    from tieout.landing.estimate import Expected

INTERRUPTED = 130  # as a shell says of a process that was stopped by Ctrl-C


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(backfill)


def backfill(
    connection: Annotated[str, typer.Argument(help="A connection of tieout.yml; or `list`, or `show` with an ID.")],
    number: Annotated[int | None, typer.Argument(metavar="[ID]", help="Only for show.", show_default=False)] = None,
    start: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day after the last, YYYY-MM-DD.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="Days per window.")] = 1,
    zone: Annotated[str, typer.Option("--time-zone", help="Whose midnights: utc, or connection for its own.")] = "utc",
    streams: Streams = None,
    from_archive: Annotated[bool, typer.Option("--from-archive", help="Land the archive; ask no vendor.")] = False,
    or_vendor: Annotated[
        bool, typer.Option("--or-vendor", help="With --from-archive: ask the vendor where a file is damaged or gone.")
    ] = False,
    resume: Annotated[
        bool | None,
        typer.Option("--resume/--restart", help="Only go on, or begin afresh. Default: go on or begin."),
    ] = None,
    publish: Annotated[bool, typer.Option(help="Build, check and publish afterwards.")] = True,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Land past windows again, exactly, and let changes flow through as restatements. The cursor stays where it is.

    Stopped at any point, the same command goes on where it stopped. `tieout backfill list` shows all,
    `tieout backfill show ID` one with its windows.
    """
    if connection in ("list", "show") and start is None and end is None:
        _look(connection, number, json)
        return
    with at_work(json, vendors=not dry_run and (or_vendor or not from_archive)) as out:
        request = _request(connection, number, start, end, days, zone, streams, from_archive, or_vendor)
        if dry_run:
            _foretell(out, json, request, or_vendor)
            return
        _work(out, json, request, resume=resume, or_vendor=or_vendor, publish=publish)


def _request(connection: str, number: int | None, start: str | None, end: str | None, days: int, zone: str,
             streams: list[str] | None, from_archive: bool, or_vendor: bool) -> Request:
    from tieout.landing.backfill import Request

    if number is not None:
        raise ConfigError(f"{number} is an argument too many", hint="an id belongs to `tieout backfill show`")
    if start is None or end is None:
        raise ConfigError("--from and --to are needed", hint="for example --from 2026-03-01 --to 2026-03-10, half-open")
    if or_vendor and not from_archive:
        raise ConfigError("--or-vendor belongs to --from-archive", hint="without both, the vendor is asked anyway")
    chosen = settings().company.connection(connection)
    if zone.lower() not in ("utc", "connection"):
        raise ConfigError(f"--time-zone {zone!r}", hint=f"utc, or connection for {chosen.time_zone}")
    return Request(connection, _day("--from", start), _day("--to", end), days,
                   chosen.time_zone if zone.lower() == "connection" else "UTC", tuple(streams) if streams else None,
                   "archive" if from_archive else "vendor")


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text!r} is not a day", hint="YYYY-MM-DD, for example 2026-03-01") from None


def _work(out: Console, json: bool, request: Request, *, resume: bool | None, or_vendor: bool, publish: bool) -> None:
    from tieout.landing import backfill as room

    chosen = settings().company.connection(request.connection)
    using = room.Steps(steps.land, steps.reland, lambda run_id: steps.check("landing", run_id))
    number = None
    try:
        with room.opened(chosen, request, resume=resume) as work:
            number = work.backfill_id
            if not json:
                out.print(_opening(work), markup=False, soft_wrap=True)
            with _shown(out, work, json) as tell:
                room.run(chosen, work, using, or_vendor=or_vendor, tell=tell)
            done = steps.revenue() if publish else None
    except KeyboardInterrupt:
        left = f"backfill {number} is stopped" if number else "nothing was begun"
        show.errors.print(f"{left}; what was landed stays. Give the same command again to go on.", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    landed = sum(unit.received or 0 for unit in work.units)
    say(out, json,
        {"backfill": work.backfill_id, "resumed": work.resumed, "units": work.units,
         "publication": done and done.publication},
        text=f"backfill {work.backfill_id}: {len(work.units):,} of {len(work.units):,} done, {landed:,} rows received"
             + (f"; published as run {done.run_id}" if done else "; nothing was published"))


def _opening(work: Work) -> str:
    asked = work.request
    what = (f"{asked.connection} from {asked.first} to {asked.last}, from the {asked.source}, "
            f"{len(work.units):,} {'windows × streams' if asked.source == 'vendor' else 'archived batches'}")
    if not work.resumed:
        return f"backfill {work.backfill_id}: {what}"
    return f"going on with backfill {work.backfill_id}: {what}, {work.left:,} left (--restart begins afresh)"


@contextmanager
def _shown(out: Console, work: Work, json: bool) -> Iterator[Callable[[Unit], None]]:
    """Progress by the unit: a bar on a terminal, plain lines elsewhere, nothing with --json."""
    if json:
        yield lambda unit: None
        return
    meter = _Meter(len(work.units), len(work.units) - work.left)
    if not out.is_terminal:
        def line(unit: Unit) -> None:
            out.print(f"   {meter.add(unit)}", markup=False, soft_wrap=True)
            out.file.flush()

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("{task.description}", markup=False),
               TimeRemainingColumn(compact=True))
    with Progress(*columns, console=out) as bar:
        task = bar.add_task("", total=meter.total, completed=meter.done)

        def advance(unit: Unit) -> None:
            bar.update(task, description=meter.add(unit), advance=1)

        yield advance


class _Meter:
    """Counts units and rows since this process began."""

    def __init__(self, total: int, done: int) -> None:
        self.total, self.done, self.rows = total, done, 0
        self._started = time.monotonic()

    def add(self, unit: Unit) -> str:
        """`12/240 transaction 2026-03-01 00:00 – 2026-03-02 00:00: 1,204 rows, 412 rows/s`."""
        self.done += 1
        self.rows += unit.received or 0
        rate = self.rows / max(time.monotonic() - self._started, 0.001)
        span = f"{show.cell(unit.start)} – {show.cell(unit.end)}"
        note = f" ({unit.note})" if unit.note else ""
        return (f"{self.done:,}/{self.total:,} {unit.stream} {span}: {unit.received or 0:,} rows, "
                f"{rate:,.0f} rows/s{note}")


def _foretell(out: Console, json: bool, request: Request, or_vendor: bool) -> None:
    """The dry run: what would be asked and read."""
    from tieout.landing import estimate

    chosen = settings().company.connection(request.connection)
    found = estimate.expected(chosen, request, or_vendor=or_vendor)
    spans = request.windows()
    total = {"requests": sum(one.requests for one in found), "rows": sum(one.rows or 0 for one in found),
             "bytes": sum(one.bytes for one in found)}
    if json:
        show.as_json({"connection": request.connection, "source": request.source, "windows": spans, "streams": found,
                      "total": total})
        return
    show.table(out, f"would land {request.connection} again, from the {request.source}",
               ["stream", "windows" if request.source == "vendor" else "batches", "requests", "rows", "archive bytes",
                "files gone", "from"], [_row(one) for one in found])
    low, high = request.span
    out.print(f"{len(spans):,} windows of {request.days} day(s), {low:%Y-%m-%d %H:%M} to {high:%Y-%m-%d %H:%M} UTC, "
              f"half-open; in all {total['requests']:,} requests, {total['rows']:,} rows, {total['bytes']:,} bytes of "
              "archive. Nothing was asked of the vendor, nothing was written.", markup=False, soft_wrap=True)


def _row(one: Expected) -> list[Any]:
    return [one.stream, one.units, one.requests, one.rows, one.bytes or None, one.unreadable or None, one.basis]


def _look(verb: str, number: int | None, json: bool) -> None:
    from tieout.landing import backfill as room
    from tieout.warehouse import connect

    with at_work(json) as out:
        if verb == "list":
            found = room.overview()
            if json:
                show.as_json(found)
                return
            show.table(out, f"{len(found)} backfills",
                       ["id", "connection", "from", "to", "source", "state", "done", "of", "rows", "who", "started"],
                       [[str(b["backfill_id"]), b["connection"], b["arguments"]["first"], b["arguments"]["last"],
                         b["source"], b["state"], b["done"], b["units"], b["received"], b["requested_by"],
                         b["started_at"]] for b in found])
            return
        found = room.overview(number) if number is not None else []
        if not found:
            raise ConfigError(f"no backfill {number}" if number else "show needs an id", hint="tieout backfill list")
        with connect("loader") as db:
            units = room.units(db, number)
        if json:
            show.as_json({**found[0], "windows": units})
            return
        out.print_json(data=found[0], default=show.plain)
        show.table(out, "its units", ["stream", "from", "to", "archive of", "state", "batch", "rows", "note"],
                   [[u.stream, u.start, u.end, u.source_batch_id and str(u.source_batch_id), u.state,
                     u.batch_id and str(u.batch_id), u.received, u.note] for u in units])
