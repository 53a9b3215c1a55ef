"""What commands of every family share: the place where they work, and how they say what they did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from tieout import cli_demo, place, progress, show
from tieout.errors import ConfigError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]
Streams = Annotated[list[str] | None, typer.Option("--stream", help="Only this stream; may be repeated.")]


@dataclass
class Options:
    """The options before the verb."""

    debug: bool = False


options = Options()


@contextmanager
def at_work(json: bool, *, vendors: bool = False) -> Iterator[Any]:
    """Enter the place where commands work; yields the console. `vendors`: the demo's stand-ins are needed too."""
    here = place.find()
    show.log_lines(debug=options.debug)
    if not place.exists(here):
        raise ConfigError("nothing is set up here", hint="`make demo`, or write tieout.yml (see tieout.example.yml)")
    out = show.console()
    with ExitStack() as stack:
        if not json:
            stack.enter_context(progress.listening(show.Lines(out)))
        place.enter(here)
        if vendors and here.kind == "demo":
            stack.enter_context(cli_demo.vendors(here))
        yield out


def say(out: Any, json: bool, value: Any, *, text: str = "", quiet: bool = False) -> None:
    """One JSON document for programs; for people `text`, or nothing where progress told it already (`quiet`)."""
    if json:
        show.as_json(value)
    elif text:
        out.print(text, markup=False, soft_wrap=True)
    elif not quiet:
        out.print_json(data=value, default=show.plain)
