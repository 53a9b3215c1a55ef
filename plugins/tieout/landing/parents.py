"""Child streams: which documents changed since their lines were last read, and lines nested in the documents."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg import sql

from tieout.errors import SourceError
from tieout.extract import MANNERS, Page, Window
from tieout.landing import archive, ledger
from tieout.warehouse import connect

if TYPE_CHECKING:
    import psycopg

    from tieout.extract import Extractor
    from tieout.landing.ledger import ArchivedBatch
    from tieout.spec import Connection, Stream


def latest_batch(db: psycopg.Connection, connection: Connection, stream: Stream) -> int:
    """The parent's youngest committed batch."""
    return db.execute("select coalesce(max(batch_id), 0) from ops.load where connection = %s and stream = %s "
                      "and state = 'committed'", (connection.name, stream.parent.stream)).fetchone()[0]


def read_until(db: psycopg.Connection, connection: Connection, stream: Stream) -> int | None:
    """The parent's batch up to which this stream has read the lines; None: it never landed."""
    return db.execute("select greatest((select max(parent_batch_id) from ops.load where connection = %(c)s "
                      "and stream = %(s)s and state = 'committed'), (select parent_batch_id from ops.pruned_load "
                      "where connection = %(c)s and stream = %(s)s))",
                      {"c": connection.name, "s": stream.name}).fetchone()[0]


def changed(connection: Connection, stream: Stream, since: int,
            parent_archive: archive.Archived | None) -> Iterator[str]:
    """Keys of the parents with a version after batch `since`, and of all records in `parent_archive`.

    And of those that lines of a later batch belong to and that are not there: a document made and deleted between two
    looks at the documents never lands, but its lines may have. Read through a cursor of its own, so that a million
    parents cost no memory.
    """
    parent = connection.source.stream(stream.parent.stream)
    seen: set[str] = set()
    if parent_archive:
        for key in archive.keys(parent_archive):
            if key not in seen:
                seen.add(key)
                yield key
    with connect("loader", application=f"tieout parents {connection.name}.{stream.name}") as db, \
            db.cursor("parents") as cursor:
        cursor.itersize = 5000
        cursor.execute(sql.SQL(
            "select _key from raw.{parent} where _connection = %(connection)s and _batch_id > %(since)s union "
            "select r.{column}::text from raw.{lines} r "
            "where r._connection = %(connection)s and r._batch_id > %(since)s "
            "and r._superseded_batch is null and not r._is_deleted and r.{column} is not null and not exists ("
            "select 1 from raw.{parent} p where p._key = r.{column}::text and p._connection = %(connection)s "
            "and p._superseded_batch is null and not p._is_deleted)").format(
                parent=sql.Identifier(parent.table), lines=sql.Identifier(stream.table),
                column=sql.Identifier(stream.parent.column)),
            {"connection": connection.name, "since": since})
        for (key,) in cursor:
            if key not in seen:
                yield key


def current(connection: Connection, stream: Stream) -> Iterator[str]:
    """Keys of all parents that are there."""
    with connect("loader", application=f"tieout parents {connection.name}.{stream.name}") as db, \
            db.cursor("parents") as cursor:
        cursor.itersize = 5000
        cursor.execute(_parents(connection, stream, "not _is_deleted"), {"connection": connection.name})
        for (key,) in cursor:
            yield key


def gone(db: psycopg.Connection, connection: Connection, stream: Stream, since: int) -> set[str]:
    """Keys of the parents that were deleted after batch `since`, and are."""
    found = db.execute(_parents(connection, stream, "_is_deleted and _batch_id > %(since)s"),
                       {"connection": connection.name, "since": since})
    return {key for (key,) in found}


def one_by_one(connection: Connection, stream: Stream, window: Window, extractor: Extractor, wanted: Iterator[str],
               ) -> Iterator[Page]:
    """All lines of the wanted documents, of a vendor who is asked document by document. One that is deleted here is
    not asked for: the vendor would answer that it knows no such document. It has no lines.
    """
    with connect("loader", autocommit=True) as db:
        deleted = gone(db, connection, stream, -1)
    closed: list[str] = []

    def there() -> Iterator[str]:
        for key in wanted:
            if key in deleted:
                closed.append(key)
            else:
                yield key

    yield from extractor.pages(stream, window, there())
    if closed:
        yield Page(stream.name, b"[]", parents=tuple(closed))


def _parents(connection: Connection, stream: Stream, condition: str) -> sql.Composed:
    """The keys of the parent's current versions that meet the condition."""
    parent = connection.source.stream(stream.parent.stream)
    return sql.SQL("select _key from raw.{} where _connection = %(connection)s and _superseded_batch is null and "
                   f"{condition}").format(sql.Identifier(parent.table))


def unread_archives(db: psycopg.Connection, connection: Connection, stream: Stream) -> list[ArchivedBatch]:
    """The parent's archived batches that this stream has not read yet, in order."""
    return ledger.archived_batches(db, connection.name, stream.parent.stream, read_until(db, connection, stream) or 0)


def covering(batches: Sequence[ArchivedBatch], end: datetime) -> Window:
    """One window for all that the batches stand for; everything up to `end` where one of them stands for no window."""
    windows = [batch.window or Window(None, end) for batch in batches]
    starts = [each.start for each in windows if each.start is not None and not each.full]
    end = max(each.end for each in windows)
    return Window(min(starts), end) if len(starts) == len(windows) else Window(None, end, full=True)


def exploded(connection: Connection, stream: Stream, archived: archive.Archived | None, deleted: Collection[str] = (),
             *, closing: bool = False) -> Iterator[Page]:
    """Pages of a stream whose records are nested in its parent's, from one archived batch of the parent.

    Each nested record gets the parent's key under the field of `parent.column`, unless it has one. Every parent record
    carries its complete content, also when that is empty. `deleted`: parents that are gone, and what was nested in them
    with them; `closing`: those that the batch does not have are told too.
    """
    pages = archive.pages(archived, stream.parent.stream) if archived else ()
    yield from nested(connection, stream, pages, deleted)
    if closing and deleted:
        yield Page(stream.name, b"[]", parents=tuple(sorted(deleted)))


def nested(connection: Connection, stream: Stream, pages: Iterable[Page], deleted: Collection[str] = (),
           ) -> Iterator[Page]:
    """The nested records of the parent's pages; see `exploded`."""
    field = stream.column(stream.parent.column).field
    _, omits_nulls = MANNERS.get(connection.source.protocol, ((), False))  # as the records do that they are nested in
    parent = connection.source.stream(stream.parent.stream)
    for page in pages:
        if page.deleted or page.media != "json":
            continue
        keys, children, held = [], [], page.body
        for step in page.records.split(".") if page.records else ():
            held = msgspec.json.decode(held, type=dict[str, msgspec.Raw])[step]
        for record in msgspec.json.decode(held, type=list[dict[str, msgspec.Raw]]):
            key = _key(record, parent)
            keys.append(key)
            where = f"{connection.name}.{stream.name}"
            for child in () if key in deleted else _nested(record, stream.explode or "", where):
                children.append({field: msgspec.Raw(json.dumps(key).encode()), **child})
        yield Page(stream.name, msgspec.json.encode(children), parents=tuple(keys), omits_nulls=omits_nulls)


def _key(record: dict[str, msgspec.Raw], parent: Stream) -> str:
    values = [msgspec.json.decode(record.get(parent.column(name).field, msgspec.Raw(b"null"))) for name in parent.key]
    return "|".join("" if value is None else str(value) for value in values)


def _nested(record: dict[str, msgspec.Raw], path: str, where: str) -> list[dict[str, msgspec.Raw]]:
    held: Any = record
    *steps, last = path.split(".")
    try:
        for step in steps:
            held = msgspec.json.decode(held[step], type=dict[str, msgspec.Raw]) if step in held else {}
        return msgspec.json.decode(held[last], type=list[dict[str, msgspec.Raw]] | None) or [] if last in held else []
    except msgspec.ValidationError as error:
        raise SourceError(f"{where}: {path!r} of a parent's record is no list of objects: {error}",
                          hint="see `explode` in source.yml") from error
