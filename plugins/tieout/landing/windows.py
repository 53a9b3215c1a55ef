"""All streams of a connection in order: which window each needs, parents before lines, lists of deletions last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tieout import logs
from tieout.errors import ConfigError
from tieout.extract import Window
from tieout.extract.deliveries import Resumes, delivers
from tieout.landing import ledger
from tieout.landing.land import land_again, land_stream
from tieout.landing.ledger import LoadResult
from tieout.warehouse import connect

if TYPE_CHECKING:
    from tieout.extract import Extractor, Facts
    from tieout.landing.archive import Archived
    from tieout.spec import Connection, Stream

SWEEP_EVERY = timedelta(days=1)

Progress = Callable[[LoadResult], None]


def land_connection(connection: Connection, run_id: int | None, *, start: datetime | None = None,
                    end: datetime | None = None, streams: Iterable[str] | None = None, full: bool = False,
                    backfill: bool = False, on_progress: Progress | None = None,
                    on_facts: Callable[[Facts], None] | None = None, extractor: Extractor | None = None,
                    ) -> list[LoadResult]:
    """Land the connection's streams for [start, end); return one result per stream that the vendor offers.

    Scheduled (default): each stream starts where it last ended without a gap, at the latest at `start`, less its
    overlap; a stream that never landed starts at the beginning. `backfill`: exactly [start, end), less the overlap, and
    the lines of every document in it are read again; one that reaches past what has landed starts no later than the
    next scheduled one would. `full`: the complete set. `end` is cut to the vendor's now.
    `on_progress(result)` is told of each stream as it is done, `on_facts(facts)` at the end, also of a failure, of
    what all of it cost. Stops at the first error; what landed before it stays.
    """
    wanted = chosen(connection, streams)
    results: list[LoadResult] = []
    with extractor or _open(connection) as source, _telling(source.facts, on_facts):
        if backfill and isinstance(source, Resumes):
            raise ConfigError(f"{connection.name}: its program brings what is new, and cannot be asked for a window",
                              hint=f"`tieout land {connection.name} --full` begins anew; what is unchanged stays")
        now = source.now()
        end = now if end is None else min(end, now)
        archives: dict[str, Archived | None] = {}
        for stream in wanted:
            with logs.bound(connection=connection.name, stream=stream.name):
                if not source.available(stream):
                    source.facts.notes.setdefault("not_offered", []).append(stream.name)
                    continue
                window = (Window(None, end, full=full) if delivers(source, stream)
                          else _window(connection, stream, start, end, full=full, backfill=backfill))
                if backfill and stream.parent:
                    result = land_again(connection, stream, window, source, run_id, archives.get(stream.parent.stream))
                else:
                    result = land_stream(connection, stream, window, source, run_id)
            archives[stream.name] = result.archived
            results.append(result)
            if on_progress:
                on_progress(result)
    return results


@contextmanager
def _telling(facts: Facts, listener: Callable[[Facts], None] | None) -> Iterator[None]:
    try:
        yield
    finally:
        if listener:
            listener(facts)


def _open(connection: Connection) -> Extractor:
    from tieout.extract.open import open_extractor
    from tieout.secrets import secrets_for

    return open_extractor(connection, secrets_for(connection))


def chosen(connection: Connection, names: Iterable[str] | None) -> list[Stream]:
    """The selected streams in order: parents before children, feeds of deletions after what they delete from."""
    selected = connection.selected()
    known = {stream.name for stream in selected}
    wanted = known if names is None else set(names)
    if unknown := wanted - known:
        raise ConfigError(f"{connection.name} has no stream {', '.join(sorted(unknown))}",
                          hint=f"known: {', '.join(s.name for s in selected)}")
    feeds = {stream.deletes.feed for stream in selected if stream.deletes.feed}
    depth = {s.name: s for s in selected}

    def rank(stream: Stream) -> tuple[bool, int]:
        steps, above = 0, stream
        while above.parent and above.parent.stream in depth and steps < len(depth):
            steps, above = steps + 1, depth[above.parent.stream]
        return stream.name in feeds, steps

    return sorted((s for s in selected if s.name in wanted), key=rank)


def _window(connection: Connection, stream: Stream, start: datetime | None, end: datetime, *, full: bool,
            backfill: bool) -> Window:
    if full or stream.mode == "full":
        return Window(None, end, full=True)
    overlap = stream.overlap or connection.defaults.cursor_overlap
    with connect("loader") as db:
        covered = ledger.covered_until(db, connection.name, stream.name)
        complete = ledger.last_complete(db, connection.name, stream.name) if stream.deletes.sweep else None
    if stream.deletes.sweep and (complete is None or end - complete >= SWEEP_EVERY):
        return Window(None, end, full=True)  # in a backfill too: no window shows what is gone
    if backfill:
        low = start - overlap if start else None
        if low is not None and covered is not None and low <= covered < end:
            low = min(low, covered - overlap)  # the next scheduled window starts at this one's end: leave no seam
        return Window(low, end)
    if covered is None:
        return Window(None, end, full=True)
    return Window(min(covered, start or covered, end) - overlap, end)
