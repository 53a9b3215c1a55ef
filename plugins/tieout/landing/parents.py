"""Child streams: which documents changed since their lines were last read, and lines nested in the documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg import sql

from tieout.errors import SourceError
from tieout.extract import Page, Window
from tieout.landing import archive
from tieout.warehouse import connect

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Connection, Stream


def latest_batch(db: psycopg.Connection, connection: Connection, stream: Stream) -> int:
    """The parent's youngest committed batch."""
    return db.execute("select coalesce(max(batch_id), 0) from ops.load where connection = %s and stream = %s "
                      "and state = 'committed'", (connection.name, stream.parent.stream)).fetchone()[0]


def read_until(db: psycopg.Connection, connection: Connection, stream: Stream) -> int | None:
    """The parent's batch up to which this stream has read the lines; None: it never landed."""
    return db.execute("select max(parent_batch_id) from ops.load where connection = %s and stream = %s "
                      "and state = 'committed'", (connection.name, stream.name)).fetchone()[0]


def changed(connection: Connection, stream: Stream, since: int,
            parent_archive: archive.Archived | None) -> Iterator[str]:
    """Keys of the parents with a version after batch `since`, and of all records in `parent_archive`.

    Read through a cursor of its own, so that a million parents cost no memory.
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
            "select distinct _key from raw.{} where _connection = %s and _batch_id > %s").format(
                sql.Identifier(parent.table)), (connection.name, since))
        for (key,) in cursor:
            if key not in seen:
                yield key


@dataclass(frozen=True)
class Unread:
    """A batch of the parent whose nested records were not read yet. `window`: what it stood for, if anything."""

    batch_id: int
    archived: archive.Archived
    window: Window | None


def unread_archives(db: psycopg.Connection, connection: Connection, stream: Stream) -> list[Unread]:
    """The parent's archived batches that this stream has not read yet, in order."""
    found = db.execute(
        "select batch_id, archive_uri, archive_sha256, archive_bytes, mode, window_start, window_end from ops.load "
        "where connection = %s and stream = %s and state = 'committed' and archive_uri is not null and batch_id > %s "
        "order by batch_id",
        (connection.name, stream.parent.stream, read_until(db, connection, stream) or 0)).fetchall()
    return [
        Unread(batch_id, archive.Archived(uri, sha256, size, f"{connection.name}.{stream.parent.stream}, "
                                                             f"batch {batch_id}"),
               Window(start, end, full=mode == "full") if end else None)
        for batch_id, uri, sha256, size, mode, start, end in found]


def exploded(connection: Connection, stream: Stream, archived: archive.Archived | None) -> Iterator[Page]:
    """Pages of a stream whose records are nested in its parent's, from one archived batch of the parent.

    Each nested record gets the parent's key under the field of `parent.column`, unless it has one. Every parent record
    carries its complete content, also when that is empty.
    """
    field = stream.column(stream.parent.column).field
    parent = connection.source.stream(stream.parent.stream)
    for page in archive.pages(archived, parent.name) if archived else ():
        if page.deleted or page.media != "json":
            continue
        keys, children = [], []
        for record in msgspec.json.decode(page.body, type=list[dict[str, msgspec.Raw]]):
            key = _key(record, parent)
            keys.append(key)
            for child in _nested(record, stream.explode or "", f"{connection.name}.{stream.name}"):
                children.append({field: msgspec.Raw(json.dumps(key).encode()), **child})
        yield Page(stream.name, msgspec.json.encode(children), parents=tuple(keys))


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
