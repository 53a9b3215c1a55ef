"""What commands of every family share: the place where they work, and how they say what they did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from tieout import cli_demo, place, progress, show
from tieout.errors import ConfigError
from tieout.place import Place

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]
By = Annotated[str | None, typer.Option("--by", help="Who decided. Default: this account.", show_default=False)]
Streams = Annotated[list[str] | None, typer.Option("--stream", help="Only this stream; may be repeated.")]


@dataclass
class Options:
    """The options before the verb."""

    debug: bool = False


options = Options()


def enter(*, debug: bool = False) -> Place:
    """Enter the place where commands work. Raises ConfigError where nothing is set up."""
    here = place.find()
    show.log_lines(debug=debug)
    if not place.exists(here):
        raise ConfigError("nothing is set up here", hint="`make demo`, or write tieout.yml (see tieout.example.yml)")
    place.enter(here)
    return here


@contextmanager
def at_work(json: bool, *, vendors: bool = False) -> Iterator[Any]:
    """Enter the place and tell progress; yields the console. `vendors`: the demo's stand-ins are needed too."""
    out = show.console()
    with ExitStack() as stack:
        if not json:
            stack.enter_context(progress.listening(show.Lines(out)))
        here = enter(debug=options.debug)
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


def warehouse_as(role: str, verb: str) -> Any:
    """A connection to the warehouse as `role`, named after the verb. Its driver is imported when one is wanted."""
    from tieout.warehouse import connect

    return connect(role, application=f"tieout {verb}")


def decider(by: str | None) -> str:
    """Who decides: who is named, or this account."""
    from tieout.landing.quarantine import who

    return by or who()
