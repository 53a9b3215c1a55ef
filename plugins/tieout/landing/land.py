"""The door of landing: `land_stream` (one window of one stream) and `land_pages` (pages from anywhere).

One batch is one transaction: its versions, its tombstones, its quarantine and its row in the ledger become visible
together or not at all. The archive is finished before the commit, so a committed batch always has its evidence.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from tieout import settings
from tieout.errors import ArchiveDamaged, LandingError, WarehouseError
from tieout.extract import Window
from tieout.landing import archive, deletes, ledger, loader, parents, quarantine
from tieout.landing.ledger import LoadResult, Totals
from tieout.landing.parse import Chunk, Parser
from tieout.landing.shape import Shaper
from tieout.landing.typed import fold_is_possible
from tieout.warehouse import connect

if TYPE_CHECKING:
    from tieout.extract import Extractor, Page
    from tieout.spec import Connection, Stream

log = logging.getLogger(__name__)

__all__ = ["LoadResult", "land_connection", "land_pages", "land_stream", "reland"]


@dataclass(frozen=True)
class Job:
    """One batch to be: what, whence, and how."""

    connection: Connection
    stream: Stream
    mode: str
    window: Window | None
    run_id: int | None
    parent_batch_id: int | None = None
    source_batch: int | None = None
    floor: int = 0
    replaying: tuple[int, ...] = ()
    archived_as: archive.Archived | None = None

    @property
    def where(self) -> str:
        return f"{self.connection.name}.{self.stream.name}"


@dataclass
class Loaded:
    """What went through: the parser with its drift, the shaper with its totals, the parents read in full."""

    parser: Parser
    shaper: Shaper
    parents: list[str]


class _KeyTwice(Exception):
    """A direct load met a key twice or a notice: load again by comparison."""


def land_stream(connection: Connection, stream: Stream, window: Window, extractor: Extractor, run_id: int | None,
                parents: Iterable[str] | None = None) -> LoadResult:
    """Extract one window, archive it and land it; return what happened.

    `window.full`: the set is complete, so what it lacks is gone. `parents` (child streams): the keys of the documents
    to read; by default those that changed since this stream last looked, from the warehouse. A child stream that never
    landed is read as a complete set.

    Raises SourceError and its kin, LandingError, ReloadGuardError (nothing committed, `ops.load` says failed), and
    WarehouseError when Postgres is away.
    """
    return _land_locked(connection, stream, window, extractor, run_id, parents, None)


def land_again(connection: Connection, stream: Stream, window: Window, extractor: Extractor, run_id: int | None,
               parent_archive: archive.Archived | None) -> LoadResult:
    """As `land_stream`; a child stream also reads the lines of every document in its parent's archive. Where that is
    damaged, nobody knows which documents they are: the complete set is read.
    """
    return _land_locked(connection, stream, window, extractor, run_id, None, parent_archive)


def land_pages(connection: Connection, stream: Stream, pages: Iterable[Page], run_id: int | None = None, *, mode: str,
               window: Window | None = None, replaying: Iterable[int] = ()) -> LoadResult:
    """Land pages that are already here (`mode`: replay, or incremental and full for pages of files)."""
    job = Job(connection, stream, mode, window, run_id, replaying=tuple(replaying))
    with connect("loader", autocommit=True, application=f"tieout land {job.where}") as db, \
            ledger.stream_lock(db, connection.name, [stream.name]):
        return _attempt(db, job, lambda: iter(pages), lambda: 0)


def reland(connection: Connection, batch_ids: Iterable[int], run_id: int | None = None, *,
           instead: Callable[[Stream, Window, ArchiveDamaged], LoadResult] | None = None) -> list[LoadResult]:
    """Land archived batches again, oldest first, without asking the vendor: after a column was declared, for example.

    A key whose current version is younger than the archived batch keeps it. A damaged archive raises ArchiveDamaged,
    unless `instead` lands the window anew from the vendor; it is called while no lock is held, and may be called only
    for batches that stand for a window.
    """
    results = []
    with connect("loader", autocommit=True, application=f"tieout reland {connection.name}") as db:
        floor = db.execute("select coalesce(max(batch_id), 0) from ops.load").fetchone()[0]
        for batch_id in sorted(batch_ids):
            stream, archived, window = _archived_batch(db, connection, batch_id)
            job = Job(connection, stream, "archive", None, run_id, source_batch=batch_id, floor=floor,
                      archived_as=archived)
            try:
                with ledger.stream_lock(db, connection.name, [stream.name]):
                    results.append(_attempt(db, job, lambda a=archived, n=stream.name: archive.pages(a, n), lambda: 0))
            except ArchiveDamaged as damage:
                if instead is None or window is None:
                    raise ArchiveDamaged(str(damage).partition("\n")[0], hint=_backfill(job, window)) from damage
                log.warning("%s: asking the vendor for the window again", damage)
                results.append(instead(stream, window, damage))
    return results


def _archived_batch(db: psycopg.Connection, connection: Connection,
                    batch_id: int) -> tuple[Stream, archive.Archived, Window | None]:
    """What the ledger knows of a committed batch with an archive, and the window for which it stands."""
    found = db.execute(
        "select stream, archive_uri, archive_sha256, archive_bytes, mode, window_start, window_end from ops.load "
        "where batch_id = %s and connection = %s and state = 'committed'", (batch_id, connection.name)).fetchone()
    if found is None or found[1] is None:
        raise LandingError(f"batch {batch_id} of {connection.name} has no archive", hint="see ops.load")
    name, uri, sha256, size, mode, start, end = found
    stream = next(s for s in connection.selected() if s.name == name)
    archived = archive.Archived(uri, sha256, size, f"{connection.name}.{name}, batch {batch_id}")
    return stream, archived, Window(start, end, full=mode == "full") if end else None


def _backfill(job: Job, window: Window | None) -> str:
    """The command that brings a damaged batch's records again."""
    if window is None:
        return "the batch stands for no window: restore the file from a copy, or backfill the stream as a whole"
    if window.start is None:
        return f"ask the vendor for all of it: tieout land {job.connection.name} --full --stream {job.stream.name}"
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC) + timedelta(days=1, microseconds=-1)
    return f"tieout backfill {job.connection.name} --from {start:%F} --to {end:%F} --stream {job.stream.name}"


def land_connection(*args: Any, **kwargs: Any) -> list[LoadResult]:
    """Land the streams of a connection in order: see `windows.land_connection`."""
    from tieout.landing import windows

    return windows.land_connection(*args, **kwargs)


def _land_locked(connection: Connection, stream: Stream, window: Window, extractor: Extractor, run_id: int | None,
                 given: Iterable[str] | None, parent_archive: archive.Archived | None) -> LoadResult:
    if stream.explode:
        _replace_damaged_parents(connection, stream, extractor, run_id)
    locks = [stream.name, *(s.name for s in deletes.fed_streams(connection, stream))]
    with connect("loader", autocommit=True, application=f"tieout land {connection.name}.{stream.name}") as db, \
            ledger.stream_lock(db, connection.name, locks):
        job = Job(connection, stream, "full" if window.full or stream.mode == "full" else "incremental", window, run_id)
        if stream.explode:
            return _land_exploded(db, job)
        wanted: Iterator[str] | None = None if given is None else iter(given)
        if stream.parent and given is None:
            job = replace(job, parent_batch_id=parents.latest_batch(db, connection, stream))
            since = parents.read_until(db, connection, stream)
            if since is None or job.mode == "full" or not _is_sound(parent_archive):
                job = replace(job, mode="full", window=Window(None, window.end, full=True))
            else:
                wanted = parents.changed(connection, stream, since, parent_archive)
        before = extractor.facts.requests

        def pages() -> Iterator[Page]:
            if wanted is None:
                return extractor.pages(stream, job.window, None)
            first = next(wanted, None)
            return iter(()) if first is None else extractor.pages(stream, job.window, _chain(first, wanted))

        return _attempt(db, job, pages, lambda: extractor.facts.requests - before)


def _is_sound(archived: archive.Archived | None) -> bool:
    """No archive, or one that is what was recorded."""
    try:
        if archived:
            archive.verify(archived)
    except ArchiveDamaged as damage:
        log.warning("%s", damage)
        return False
    return True


def _replace_damaged_parents(connection: Connection, stream: Stream, extractor: Extractor, run_id: int | None) -> None:
    """Ask the vendor again for the windows of parent batches whose archives are damaged, before their nested records
    are read from there. The new batch stands beside the damaged one.
    """
    with connect("loader", autocommit=True, application=f"tieout parents {connection.name}.{stream.name}") as db:
        damaged = [one for one in parents.unread_archives(db, connection, stream) if not _is_sound(one.archived)]
    parent = connection.source.stream(stream.parent.stream)
    for one in damaged:
        if one.window is None:
            archive.verify(one.archived)  # raises: there is no window to ask for
        _land_locked(connection, parent, one.window, extractor, run_id, None, None)


def _land_exploded(db: psycopg.Connection, job: Job) -> LoadResult:
    """Nested records: one batch per batch of the parent that was not read yet, in order. Returns the last."""
    unread = [one for one in parents.unread_archives(db, job.connection, job.stream) if _is_sound(one.archived)]
    for one in unread[:-1]:
        _attempt(db, replace(job, mode="incremental", parent_batch_id=one.batch_id),
                 lambda a=one.archived: parents.exploded(job.connection, job.stream, a), lambda: 0)
    last = unread[-1] if unread else None
    batch_id = last.batch_id if last else parents.latest_batch(db, job.connection, job.stream)
    return _attempt(db, replace(job, mode="incremental", parent_batch_id=batch_id),
                    lambda: parents.exploded(job.connection, job.stream, last and last.archived), lambda: 0)


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _attempt(db: psycopg.Connection, job: Job, pages: Any, requests: Any) -> LoadResult:
    """One row of the ledger: begun, then committed with its data, or failed with the reason."""
    started = time.monotonic()
    batch_id = ledger.begin(db, job.connection, job.stream, job.mode, job.window, job.run_id)
    writer = None
    if job.archived_as is None:
        writer = archive.Writer(settings.settings().archive, job.connection.name, job.stream.name, batch_id,
                                job.window.end if job.window else datetime.now(UTC))
    try:
        with db.transaction():
            result = _load(db, job, batch_id, pages, writer)
            result = replace(result, requests=requests(), seconds=round(time.monotonic() - started, 3))
            ledger.commit(db, batch_id, _ledger_values(job, result))
    except BaseException as error:
        if writer is not None:
            writer.discard(in_doubt=db.broken)  # a commit whose answer never came may have happened
        _record_failure(db, batch_id, error)
        if isinstance(error, psycopg.OperationalError):
            raise WarehouseError(f"{job.where}: Postgres went away while landing: {str(error).strip()}",
                                 hint="nothing was committed; start it and run the window again") from error
        if isinstance(error, psycopg.Error):
            raise LandingError(f"{job.where}: Postgres refused the batch: {str(error).strip()}",
                               hint="nothing was committed; `python -m tieout.warehouse migrate` mends absent columns",
                               ) from error
        raise
    log.info("%s: received %s, landed %s, unchanged %s, quarantined %s, deleted %s", job.where, result.received,
             result.landed, result.unchanged, result.quarantined, result.deleted)
    return result


def _record_failure(db: psycopg.Connection, batch_id: int, error: BaseException) -> None:
    """Postgres may be the thing that failed: then the next run of the stream finds the row and closes it."""
    try:
        ledger.fail(db, batch_id, error)
    except psycopg.Error as away:
        log.warning("the failure of batch %s could not be recorded: %s", batch_id, away)


def _load(db: psycopg.Connection, job: Job, batch_id: int, pages: Any, writer: archive.Writer | None) -> LoadResult:
    target = loader.Target(job.connection, job.stream, batch_id, job.source_batch, job.floor)
    direct = not loader.has_current(db, target) and job.mode in ("incremental", "full")
    spool = quarantine.Spool()
    with ExitStack() as stack:
        stack.callback(spool.close)
        source = pages()
        archived = job.archived_as
        try:
            loaded = _copy(db, target, source, writer, spool, direct=direct)
            archived = writer.finish() if writer else archived
        except _KeyTwice:
            archived = writer.finish() if writer else archived
            direct = False
            spool.clear()
            again = archive.pages(archived, job.stream.name) if archived else iter(())
            loaded = _copy(db, target, again, None, spool, direct=False)
        spool.load(db)
        totals = loaded.shaper.totals
        if direct:
            loader.count_direct(db, target, totals)
        else:
            loader.compare(db, target, fold_is_possible(job.connection.zone))
            loader.apply(db, target)
            loader.count_staged(db, target, totals)
        loader.refresh_statistics(db, target, totals.rows["landed"])
        quarantine.store(db, target, staged=not direct)
        deleted = _close_gone(db, job, target, loaded, direct)
        _settle_replayed(db, job, batch_id)
        totals.verify(job.where)
        return _result(job, batch_id, loaded, deleted, archived)


def _copy(db: psycopg.Connection, target: loader.Target, pages: Iterator[Page], writer: archive.Writer | None,
          spool: quarantine.Spool, *, direct: bool) -> Loaded:
    """Pages through parse, typing, archive and COPY. Raises _KeyTwice after all pages were archived."""
    parser = Parser(target.connection, target.stream)
    shaper = Shaper(target.stream, target.connection.zone, Totals(target.stream.control_totals), spool)
    found = Loaded(parser, shaper, [])
    broken = False
    with ExitStack() as stack:
        if direct:
            stack.enter_context(db.transaction())  # a savepoint: the copied rows go when a key comes twice
        else:
            loader.prepare(db, target)
        copier = loader.Copier(db, target, direct=direct)
        try:
            for chunk in parser.chunks(pages):
                broken = broken or copier.refused or (direct and chunk.notices and chunk.count > 0)
                _one_chunk(chunk, found, None if broken else copier, writer)
            if broken or copier.refused:
                raise _KeyTwice
            copier.close()
        except psycopg.errors.UniqueViolation as error:
            raise _KeyTwice from error
        except BaseException as error:
            copier.abort(error)
            raise
    return found


def _one_chunk(chunk: Chunk, found: Loaded, copier: loader.Copier | None, writer: archive.Writer | None) -> None:
    shaped = found.shaper.shape(chunk)
    found.parents.extend(chunk.parents)
    if writer is not None and chunk.count:
        writer.write(archive.NOTICE if chunk.notices else archive.RECORD, chunk.media, shaped.archive_key,
                     shaped.archive_modified_at, shaped.archive_is_deleted, shaped.records)
    if writer is not None and chunk.parents:
        writer.parents([*chunk.parents])
    if copier is not None:
        copier.write(shaped)


def _close_gone(db: psycopg.Connection, job: Job, target: loader.Target, loaded: Loaded, direct: bool) -> int:
    """Deletions that no record announces. Held back while a record without a readable key is in the batch."""
    deleted = 0
    if not direct and not loaded.shaper.lost_keys:
        if job.mode == "full":
            deleted += deletes.absent_keys(db, target, settings.settings().reload_guard_pct)
        elif loaded.parents:
            deleted += deletes.absent_children(db, target, loaded.parents)
    if job.stream.deletes.feed:
        feed = job.connection.source.stream(job.stream.deletes.feed)
        deleted += sum(deletes.apply_feed(db, job.connection, feed, target.batch_id, only=job.stream).values())
    deleted += sum(deletes.apply_feed(db, job.connection, job.stream, target.batch_id).values())
    return deleted


def _settle_replayed(db: psycopg.Connection, job: Job, batch_id: int) -> None:
    """Quarantined records that were replayed and not refused again are done."""
    if job.replaying:
        db.execute("update ops.quarantine set status = 'replayed', note = 'replayed in batch ' || %s, "
                   "resolved_at = clock_timestamp() where quarantine_id = any(%s) and status = 'open'",
                   (str(batch_id), [*job.replaying]))


def _result(job: Job, batch_id: int, loaded: Loaded, deleted: int, archived: archive.Archived | None) -> LoadResult:
    totals, shaper, parser = loaded.shaper.totals, loaded.shaper, loaded.parser
    drift = {"new_fields": sorted(parser.drift.new), "missing_fields": parser.missing()}
    if shaper.lost_keys and (job.mode == "full" or loaded.parents):
        drift["deletes_withheld"] = ["a record without a readable key may be one of those that seem gone"]
    return LoadResult(
        batch_id=batch_id, connection=job.connection.name, stream=job.stream.name, mode=job.mode, **totals.rows,
        deleted=deleted, control_totals=totals.as_json(), drift={k: v for k, v in drift.items() if v},
        archive_uri=archived.uri if archived else None, archive_sha256=archived.sha256 if archived else None,
        archive_bytes=archived.bytes if archived else None,
        cursor_low=shaper.cursor_low, cursor_high=shaper.cursor_high,
        window_start=job.window.start if job.window else None, window_end=job.window.end if job.window else None,
        requests=0, seconds=0.0)


def _ledger_values(job: Job, result: LoadResult) -> dict[str, Any]:
    return {
        "mode": result.mode, "received": result.received, "landed": result.landed, "unchanged": result.unchanged,
        "replayed": result.replayed, "quarantined": result.quarantined, "deleted": result.deleted,
        "control_totals": result.control_totals, "drift": result.drift, "archive_uri": result.archive_uri,
        "archive_sha256": result.archive_sha256, "archive_bytes": result.archive_bytes, "cursor_low": result.cursor_low,
        "cursor_high": result.cursor_high, "requests": result.requests, "parent_batch_id": job.parent_batch_id,
        "window_start": result.window_start, "window_end": result.window_end,
    }

