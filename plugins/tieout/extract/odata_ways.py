"""How services of one protocol differ, as words of their source: names of sets, preferences, hosts, tokens, days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from tieout.errors import ConfigError
from tieout.extract.address import is_loopback

if TYPE_CHECKING:
    from tieout.extract import Page, Window
    from tieout.extract.odata_select import Select
    from tieout.spec import Connection, Stream

TRACKING = "odata.track-changes"


def sets_of(connection: Connection, stream: Stream) -> tuple[str, ...]:
    """Names under which a service may offer the stream, the best first. A connection may name the one."""
    named = (connection.options.get("entity_sets") or {}).get(stream.name)
    told = named or stream.options.get("set") or stream.name
    return (told,) if isinstance(told, str) else tuple(told)


def preference(select: Select, rows: int, *, by_link: bool) -> dict[str, str]:
    """The `Prefer` header: sent with each page, the next ones too, else the server falls back to its own.

    by_link: of a link to changes, which says by itself that they are kept track of.
    """
    options, wanted = select.stream.options, []
    if select.is_tracked and not by_link:
        wanted.append(TRACKING)
    if select.is_tracked or options.get("paging") == "server":
        wanted.append(f"odata.maxpagesize={rows}")
    if annotations := options.get("annotations"):
        wanted.append(f'odata.include-annotations="{",".join(annotations)}"')
    return {"prefer": ",".join(wanted)} if wanted else {}


def other_hosts(connection: Connection, base: str, options: Mapping[str, Any]) -> Iterator[str]:
    """Addresses of the same server: those that the connection names, and the one with or without a word in its name."""
    yield from (str(url) for url in connection.options.get("link_hosts") or ())
    word = options.get("twin_host")
    if word and not is_loopback(base):
        url = httpx.URL(base)
        first, _, rest = url.host.partition(".")
        if rest.startswith(f"{word}."):
            yield str(url.copy_with(host=f"{first}.{rest.removeprefix(f'{word}.')}"))
        elif rest:
            yield str(url.copy_with(host=f"{first}.{word}.{rest}"))


def filled(connection: Connection, word: str, base: str, options: Mapping[str, Any]) -> str | None:
    """An option of the connection, else the source's template of it, filled with the connection's options.

    {environment} is the base address without the source's `twin_host`. ConfigError for an option that is absent.
    """
    if told := connection.options.get(word):
        return str(told)
    if not (template := options.get(word)):
        return None
    twin = f".{options['twin_host']}." if options.get("twin_host") else ""
    given = {name: told for name, told in connection.options.items() if told not in (None, "")}
    known = {**options.get("otherwise", {}), **given, "base_url": base}
    known["environment"] = base.replace(twin, ".", 1) if twin else base
    try:
        return str(template).format_map(known)
    except KeyError as absent:
        raise ConfigError(f"connection {connection.name}: options.{absent.args[0]} is needed for {word}",
                          hint=f"name it, or give options.{word}") from None


def days_of(window: Window, connection: Connection) -> list[str]:
    """The days of a window as text, both ends included, in the connection's zone."""
    first, last = (moment.astimezone(connection.zone).date() for moment in (window.start, window.end))
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def whole_days(name: str, first: date | None, last: date) -> list[str]:
    """Conditions for stamps that mean a day (12:00 UTC of it)."""
    found = [] if first is None else [f"{name} ge {first:%Y-%m-%d}T00:00:00Z"]
    return [*found, f"{name} le {last:%Y-%m-%d}T23:59:59Z"]


def with_lots(pages: Iterable[Page], lots: Iterable[str]) -> Iterator[Page]:
    """The pages, the last of which names the lots that all of them hold completely."""
    held: Page | None = None
    for page in pages:
        if held is not None:
            yield held
        held = page
    if held is not None:
        yield replace(held, parents=tuple(lots))
