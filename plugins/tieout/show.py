"""How the command line shows things: tables and lines for people on the terminal, one JSON document for programs."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout import logs
from tieout.errors import TieoutError
from tieout.landing.names import visible
from tieout.progress import Event
from tieout.settings import settings

LONGEST_CELL = 500
errors = Console(stderr=True, highlight=False)


def console() -> Console:
    """Standard output, for people. A copy of the descriptor: it stays the terminal when descriptor 1 is redirected."""
    import os

    file = os.fdopen(os.dup(1), "w", encoding="utf-8")
    return Console(file=file, highlight=False, width=None if file.isatty() else 160)


def log_lines(*, debug: bool = False) -> None:
    """Log lines to standard error. A terminal has the progress lines already: there only warnings are logged; as JSON,
    all of `TIEOUT_LOG_LEVEL`.
    """
    chosen = settings()
    level = chosen.log_level if chosen.log_format == "json" else "WARNING"
    logs.configure(chosen.log_format, "DEBUG" if debug else level)


def error(problem: TieoutError) -> None:
    """An expected failure, on standard error: what happened and what to do, without a traceback."""
    from rich.markup import escape

    text = logs.redact(str(problem))
    try:
        as_line = settings().log_format == "json"
    except TieoutError:  # the settings themselves are wrong
        as_line = False
    if as_line:
        words = {"kind": type(problem).__name__, "exit_code": problem.exit_code}
        logs.configure("json", settings().log_level)
        logs.logger("tieout.cli").error("%s", text, extra=words)
    else:
        errors.print(f"[red]error[/] {escape(text)}", soft_wrap=True)


def as_json(value: Any) -> None:
    """Print one JSON document: dataclasses as objects, money as text, instants in ISO form."""
    sys.stdout.write(json.dumps(value, default=plain, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """What json cannot write by itself. TypeError for what nobody thought of."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if not f.name.startswith("_")}
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (Decimal, Path)):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, BaseException):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def table(out: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A plain table: numbers to the right, thousands separated, absent values as a dash."""
    rows = [list(row) for row in rows]
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold", header_style="dim")
    for place, name in enumerate(columns):
        numeric = any(
            isinstance(row[place], (int, Decimal, float)) and not isinstance(row[place], bool) for row in rows
        )
        drawn.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        drawn.add_row(*(Text(cell(value)) for value in row))  # a vendor's text is no markup
    out.print(drawn)


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, Decimal)):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return visible(str(value), LONGEST_CELL)


def money(value: Decimal | None) -> str | None:
    """An amount without the zeros that storage adds: two places at least."""
    if value is None:
        return None
    text = f"{value:,.4f}"
    return text[:-2] if text.endswith("00") else text


def counts(facts: Mapping[str, int | None]) -> str:
    """`1,204 received, 12 quarantined`: what is zero is not said, but the first always is."""
    first, *rest = facts.items()
    return ", ".join(f"{value or 0:,} {word}" for word, value in [first, *((w, v) for w, v in rest if v)])


class Lines:
    """A progress listener: one line a step, written when it ends, with its facts and seconds."""

    def __init__(self, out: Console) -> None:
        self.out = out

    def __call__(self, event: Event) -> None:
        if event.state == "started":
            return
        mark = "[red]✗[/]" if event.state == "failed" else "[green]✓[/]"
        took = "" if event.seconds is None else f"{event.seconds:7.1f} s"
        self.out.print(f" {mark} {event.step:10} {event.subject:50} {took}  [dim]{event.facts}[/]", soft_wrap=True)
        self.out.file.flush()
