"""The door of landing: `land_stream` (one window of one stream) and `land_pages` (pages from anywhere).

One batch is one transaction: its versions, its tombstones, its quarantine and its row in the ledger become visible
together or not at all. The archive is finished before the commit, so a committed batch always has its evidence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from tieout import logs, settings
from tieout.errors import ArchiveDamaged, LandingError, WarehouseError
from tieout.extract import Facts, Window, as_sent
from tieout.extract.deliveries import Resumes, by_document, delivers
from tieout.landing import (
    archive,
    deletes,
    drift,
    filebook,
    ledger,
    loader,
    mapping,
    parents,
    phases,
    quarantine,
    statebook,
)
from tieout.landing.erased import Erased
from tieout.landing.held import Held
from tieout.landing.ledger import LoadResult, Totals
from tieout.landing.parse import Chunk, Parser
from tieout.landing.shape import Shaper
from tieout.warehouse import connect

if TYPE_CHECKING:
    from tieout.extract import Extractor, Page
    from tieout.extract.deliveries import Delivery
    from tieout.spec import Connection, Stream

log = logs.logger(__name__)

__all__ = ["LoadResult", "land_connection", "land_pages", "land_stream", "reland"]


@dataclass(frozen=True)
class Job:
    """One batch to be: what, whence, and how. `at_hand`: its pages are on this machine: it will be done soon.

    delivery: the files that it lands, remembered with it.
    """

    connection: Connection
    stream: Stream
    mode: str
    window: Window | None
    run_id: int | None
    parent_batch_id: int | None = None
    source_batch: int | None = None
    replaying: Collection[int] = ()
    archived_as: archive.Archived | None = None
    at_hand: bool = False
    delivery: Delivery | None = None

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
    to read; by default those that changed since this stream last looked, from the warehouse, and with them the lines
    whose own stamp (`cursor`) lies in the window. A child stream that never landed is read as a complete set.

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
               window: Window | None = None, replaying: Collection[int] = ()) -> LoadResult:
    """Land pages that are already here (`mode`: replay, or incremental and full for pages of files).

    `pages` is read under the stream's lock. `replaying`: ids of the quarantined records in it, complete once it was
    read; their entries are settled in the same transaction.
    """
    job = Job(connection, stream, mode, window, run_id, replaying=replaying, at_hand=True)
    with connect("loader", autocommit=True, application=f"tieout land {job.where}") as db, \
            ledger.stream_lock(db, connection.name, [stream.name]):
        return _attempt(db, job, lambda: iter(pages), Facts)


def reland(connection: Connection, batch_ids: Iterable[int], run_id: int | None = None,
           on_progress: Callable[[LoadResult], None] | None = None) -> list[LoadResult]:
    """Land archived batches again, oldest first, without asking the vendor: after a column was declared, for example.

    A key whose current version is younger than the archived batch keeps it. Raises ArchiveDamaged, with the command
    that brings the records again, before a row of a damaged file is believed; what landed before it stays.
    """
    results = []
    with connect("loader", autocommit=True, application=f"tieout reland {connection.name}") as db:
        for batch_id in sorted(batch_ids):
            found = ledger.archived_batch(db, connection.name, batch_id)
            if found is None:
                raise LandingError(f"batch {batch_id} of {connection.name} has no archive", hint="see ops.load")
            stream, archived = next(s for s in connection.selected() if s.name == found.stream), found.archived
            job = Job(connection, stream, "archive", None, run_id, source_batch=batch_id, archived_as=archived)
            try:
                with ledger.stream_lock(db, connection.name, [stream.name]):
                    results.append(_attempt(db, job, lambda a=archived, s=stream: _archived(connection, a, s), Facts))
            except ArchiveDamaged as damage:
                raise ArchiveDamaged(damage.message, hint=_backfill(job, found.window)) from damage
            if on_progress:
                on_progress(results[-1])
    return results


def _backfill(job: Job, window: Window | None) -> str:
    """The command that brings a damaged batch's records again."""
    if window is None:
        return "the batch stands for no window: restore the file from a copy, or backfill the days of its records"
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
    replaced = _replace_damaged_parents(connection, stream, window, extractor, run_id) if stream.explode else set()
    with connect("loader", autocommit=True, application=f"tieout land {connection.name}.{stream.name}") as db, \
            ledger.stream_lock(db, connection.name, [stream.name]):
        job = Job(connection, stream, "full" if window.full or stream.mode == "full" else "incremental", window, run_id,
                  at_hand=extractor.at_hand)
        if stream.explode:
            return _land_exploded(db, job, replaced)
        if delivers(extractor, stream):
            return _land_delivered(db, job, extractor)
        wanted: Iterator[str] | None = None if given is None else iter(given)
        if stream.parent and given is None:
            job = replace(job, parent_batch_id=parents.latest_batch(db, connection, stream))
            since = parents.read_until(db, connection, stream)
            if since is None or job.mode == "full" or not (parent_archive is None or _is_sound(parent_archive)):
                job = replace(job, mode="full", window=Window(None, window.end, full=True))
                wanted = parents.current(connection, stream) if by_document(extractor, stream) else None
            else:
                wanted = parents.changed(connection, stream, since, parent_archive)
        before = extractor.facts.so_far()

        def pages() -> Iterator[Page]:
            if wanted is None:
                return extractor.pages(stream, job.window, None)
            if by_document(extractor, stream):
                return parents.one_by_one(connection, stream, job.window, extractor, wanted)
            return _lines(extractor, job, wanted, by_stamp=given is None and stream.cursor is not None)

        return _attempt(db, job, pages, lambda: extractor.facts.since(before))


def _is_sound(archived: archive.Archived) -> bool:
    """Whether an archive is what was recorded. That it is not is in the log, and what is done about it."""
    try:
        archive.verify(archived)
    except ArchiveDamaged as damage:
        log.warning("%s: the vendor is asked again", damage.message)
        return False
    return True


def _replace_damaged_parents(connection: Connection, stream: Stream, window: Window, extractor: Extractor,
                             run_id: int | None) -> set[int]:
    """Ask the vendor again for what parent batches with damaged archives stand for, before their nested records are
    read from there: one window that covers them all. The new batch stands beside them. Returns the damaged ones.
    """
    with connect("loader", autocommit=True, application=f"tieout parents {connection.name}.{stream.name}") as db:
        damaged = [one for one in parents.unread_archives(db, connection, stream) if not _is_sound(one.archived)]
    if damaged:
        parent, again = connection.source.stream(stream.parent.stream), parents.covering(damaged, window.end)
        _land_locked(connection, parent, again, extractor, run_id, None, None)
    return {one.batch_id for one in damaged}


def _land_exploded(db: psycopg.Connection, job: Job, replaced: Collection[int]) -> LoadResult:
    """Nested records: one batch per batch of the parent that was not read yet, in order. Returns the last.

    `replaced`: batches of the parent whose damaged archives a later batch makes up for.
    """
    latest = parents.latest_batch(db, job.connection, job.stream)  # first: a batch that commits now is read next time
    gone = parents.gone(db, job.connection, job.stream, parents.read_until(db, job.connection, job.stream) or 0)
    unread = [(one.batch_id, one.archived) for one in parents.unread_archives(db, job.connection, job.stream)
              if one.batch_id not in replaced]
    for batch_id, archived in unread[:-1]:
        _attempt(db, replace(job, mode="incremental", parent_batch_id=batch_id),
                 lambda a=archived: parents.exploded(job.connection, job.stream, a, gone), Facts)
    batch_id, last = unread[-1] if unread else (latest, None)
    return _attempt(db, replace(job, mode="incremental", parent_batch_id=batch_id),
                    lambda: parents.exploded(job.connection, job.stream, last, gone, closing=True), Facts)


def _land_delivered(db: psycopg.Connection, job: Job, extractor: Any) -> LoadResult:
    """One batch per delivery that is not known, oldest first. Returns them as one, under the last batch's id.

    A batch's window ends where its delivery does: that nothing came is no news, and a drop that stays away turns late.
    """
    results: list[LoadResult] = []
    known = filebook.known(db, job.connection.name, job.stream.name)
    if isinstance(extractor, Resumes):
        extractor.resume(statebook.current(db, job.connection.name))
    before = extractor.facts.so_far()
    for delivery in extractor.deliveries(job.stream, job.window, known):
        ends = min(delivery.ends_at or job.window.end, job.window.end)
        window = None if delivery.ends_at is None else Window(None, ends, full=delivery.mode == "full")
        one = replace(job, mode=delivery.mode, window=window, delivery=delivery)
        since, before = before, extractor.facts.so_far()
        results.append(_attempt(db, one, delivery.pages, lambda s=since: extractor.facts.since(s)))
    if not results:
        results.append(_attempt(db, replace(job, mode="incremental", window=None), lambda: iter(()),
                                lambda: extractor.facts.since(before)))
    return ledger.summed(results)


def _lines(extractor: Extractor, job: Job, wanted: Iterator[str], *, by_stamp: bool) -> Iterator[Page]:
    """Lines that changed by their own stamp, where they have one; then all lines of the documents that changed.

    The second part alone says which lines are gone; the first finds a change that left its document untouched.
    """
    if by_stamp:
        yield from extractor.pages(job.stream, job.window, None)
    first = next(wanted, None)
    if first is not None:
        yield from extractor.pages(job.stream, job.window, _chain(first, wanted))


def _archived(connection: Connection, archived: archive.Archived, stream: Stream) -> Iterator[Page]:
    return (as_sent(connection.source.protocol, page) for page in archive.pages(archived, stream.name))


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _attempt(db: psycopg.Connection, job: Job, pages: Any, cost: Callable[[], Facts]) -> LoadResult:
    """One row of the ledger: begun, then committed with its data, or failed with the reason. `cost`: so far."""
    started = time.monotonic()
    batch_id = ledger.begin(db, job.connection, job.stream, job.mode, job.window, job.run_id)
    writer = None
    if job.archived_as is None:
        writer = archive.Writer(settings.settings().archive, job.connection.name, job.stream.name, batch_id,
                                job.window.end if job.window else datetime.now(UTC))
    try:
        with db.transaction(), phases.measured() as spent:
            result = _load(db, job, batch_id, pages, writer)
            result = replace(result, **ledger.cost_values(cost(), spent), seconds=round(time.monotonic() - started, 3))
            ledger.commit(db, batch_id, _ledger_values(job, result))
            if job.delivery is not None:
                filebook.remember(db, job.connection.name, job.stream.name, batch_id, job.delivery.files)
                if job.delivery.progress is not None:
                    statebook.follow(db, job.connection.name, batch_id, job.delivery.progress)
    except BaseException as error:
        if writer is not None:
            writer.discard(in_doubt=db.broken)  # a commit whose answer never came may have happened
        _record_failure(db, batch_id, error, cost())
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


def _record_failure(db: psycopg.Connection, batch_id: int, error: BaseException, cost: Facts) -> None:
    """Postgres may be the thing that failed: then the next run of the stream finds the row and closes it."""
    try:
        ledger.fail(db, batch_id, error, cost)
    except psycopg.Error as away:
        log.warning("the failure of batch %s could not be recorded: %s", batch_id, away)


def _load(db: psycopg.Connection, job: Job, batch_id: int, pages: Any, writer: archive.Writer | None) -> LoadResult:
    target = loader.Target(job.connection, job.stream, batch_id, job.source_batch)
    spool = quarantine.Spool()
    db.execute("set local work_mem = '64MB'")  # joins of a million keys in memory, whatever the server's default is
    with ExitStack() as stack:
        stack.callback(spool.close)
        source = pages()
        archived = job.archived_as
        held: Held | None = None
        try:
            if job.mode not in ("incremental", "full") or loader.was_landed(db, target):
                held = stack.enter_context(closing(Held()))
            loaded = _copy(db, job, target, source, writer, spool, held)
            archived = writer.finish() if writer else archived
        except _KeyTwice:
            archived = writer.finish() if writer else archived
            held = stack.enter_context(closing(Held()))
            spool.clear()
            again = _archived(job.connection, archived, job.stream) if archived else iter(())
            loaded = _copy(db, job, target, again, None, spool, held)
        spool.load(db)
        totals = loaded.shaper.totals
        if held is None:
            loader.count_direct(db, target, totals)
        else:
            with phases.phase("compare"):
                loader.compare(db, target, deletes.named(target), complete=job.mode == "full")
                loader.apply(db, target, held)
                loader.count_compared(db, target, totals)
        loader.refresh_statistics(db, target, totals.rows["landed"])
        quarantine.store(db, target, held, replaying=job.replaying)
        mapping.count_use(db, batch_id, loaded.shaper.healers.used if loaded.shaper.healers else {})
        deleted = _close_gone(db, job, target, loaded, direct=held is None)
        _settle_replayed(db, job, batch_id)
        totals.verify(job.where)
        changed = drift.found(db, job.connection, job.stream, loaded.parser, loaded.shaper, job.mode)
        return _result(job, batch_id, loaded, deleted, archived, changed)


def _copy(db: psycopg.Connection, job: Job, target: loader.Target, pages: Iterator[Page],
          writer: archive.Writer | None, spool: quarantine.Spool, held: Held | None) -> Loaded:
    """Pages through parse, typing, archive and COPY; `held` None: straight into the table.

    Raises _KeyTwice after all pages were archived.
    """
    erased = Erased.of(db, target.connection, target.stream)
    parser = Parser(target.connection, target.stream, erased)
    shaper = Shaper(target.stream, target.connection.zone, Totals(target.stream.control_totals), spool,
                    mapping.healers(db, target.connection, target.stream))
    found = Loaded(parser, shaper, [])
    broken = suspended = False
    with ExitStack() as stack:
        if held is None:
            stack.enter_context(db.transaction())  # a savepoint: the copied rows go when a key comes twice
            suspended = job.at_hand and loader.suspend_indexes(db, target)
        copier = loader.Direct(db, target) if held is None else loader.Compared(db, target, held)
        try:
            for chunk in phases.each("extract", parser.chunks(pages)):
                broken = broken or copier.refused or (held is None and chunk.notices and chunk.count > 0)
                _one_chunk(chunk, found, None if broken else copier, writer)
            if broken or copier.refused:
                raise _KeyTwice
            copier.close()
            if suspended:
                loader.resume_indexes(db, target)
        except psycopg.errors.UniqueViolation as error:
            raise _KeyTwice from error
        except BaseException as error:
            copier.abort(error)
            raise
    erased.remember(db)
    return found


def _one_chunk(chunk: Chunk, found: Loaded, copier: loader.Direct | loader.Compared | None,
               writer: archive.Writer | None) -> None:
    shaped = found.shaper.shape(chunk)
    found.parents.extend(chunk.parents)
    if writer is not None and chunk.count:
        writer.write(archive.NOTICE if chunk.notices else archive.RECORD, chunk.media, shaped.archive_key,
                     shaped.archive_modified_at, shaped.archive_is_deleted, shaped.records)
    if writer is not None and chunk.parents:
        writer.parents([*chunk.parents])
    if copier is not None and len(shaped.key):
        copier.write(shaped)


def _close_gone(db: psycopg.Connection, job: Job, target: loader.Target, loaded: Loaded, *, direct: bool) -> int:
    """Deletions that no record announces. Held back while a record without a readable key is in the batch."""
    deleted = 0
    if not direct and not loaded.shaper.lost_keys:
        if job.mode == "full" and not job.stream.deletes.never:
            deleted += deletes.absent_keys(db, target, settings.settings().reload_guard_pct)
        elif loaded.parents:
            deleted += deletes.absent_children(db, target, loaded.parents)
    if job.stream.deletes.feed:
        feed = job.connection.source.stream(job.stream.deletes.feed)
        deleted += sum(deletes.apply_feed(db, job.connection, feed, target.batch_id, only=job.stream).values())
    # A feed writes to other streams: it has their locks for these statements only, not while the vendor answers.
    ledger.lock_until_commit(db, job.connection.name, [s.name for s in deletes.fed_streams(job.connection, job.stream)])
    deleted += sum(deletes.apply_feed(db, job.connection, job.stream, target.batch_id).values())
    return deleted


def _settle_replayed(db: psycopg.Connection, job: Job, batch_id: int) -> None:
    """Quarantined records that were replayed and not refused again are done."""
    if job.replaying:
        db.execute("update ops.quarantine set status = 'replayed', note = 'replayed in batch ' || %s, "
                   "resolved_at = clock_timestamp() where quarantine_id = any(%s) and status = 'open'",
                   (str(batch_id), [*job.replaying]))


def _result(job: Job, batch_id: int, loaded: Loaded, deleted: int, archived: archive.Archived | None,
            changed: dict[str, Any]) -> LoadResult:
    totals, shaper = loaded.shaper.totals, loaded.shaper
    if shaper.lost_keys and (job.mode == "full" or loaded.parents):
        changed["deletes_withheld"] = ["a record without a readable key may be one of those that seem gone"]
    return LoadResult(
        batch_id=batch_id, connection=job.connection.name, stream=job.stream.name, mode=job.mode, **totals.rows,
        deleted=deleted, control_totals=totals.as_json(), drift=changed, fields=drift.fields_of(loaded.parser, shaper),
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
        "cursor_high": result.cursor_high, "parent_batch_id": job.parent_batch_id,
        "window_start": result.window_start, "window_end": result.window_end, "fields": result.fields,
        "source_batch_id": job.source_batch, **{name: getattr(result, name) for name in ledger.COST},
    }

