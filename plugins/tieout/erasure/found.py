"""What is known of a person: the values of declared columns in raw, in the archive and in the quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import pyarrow as pa
from psycopg import sql

from tieout import logs
from tieout.erasure import words
from tieout.erasure.person import Place, is_there
from tieout.extract import MANNERS
from tieout.landing.archive import Archived, place
from tieout.landing.erased import Mask

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Company, Stream

log = logs.logger(__name__)

Value = tuple[str, str]  # the value, and its kind: True, place, hashed
FIRST = ("firstname", "personfirstname")
LAST = ("lastname", "personlastname")


def values(db: psycopg.Connection, places: list[Place]) -> set[Value]:
    """All values of all records, in whatever version, but for the marks of an earlier attempt."""
    found: set[Value] = set()
    for one in places:
        for stream in one.connection.every():
            if is_there(db, stream):
                found |= _landed(db, one, stream)
            mask = mask_of(db, one, stream, found)
            if mask:
                for archived in archives(db, one.connection.name, stream.name):
                    _archived(mask, archived, MANNERS.get(one.connection.source.protocol, ((), False))[0])
                _quarantined(db, one.connection.name, stream, mask)
    marks = {mark for one in places for mark in (one.marks.text, one.marks.pseudonym)}
    found |= {(host, "place") for value, _ in found if (host := _host(value))}
    return {(value, kind) for value, kind in found if value.strip() and not any(mark in value for mark in marks)}


def mask_of(db: psycopg.Connection, one: Place, stream: Stream, into: set[Value] | None = None) -> Mask:
    """A mask over the person's records of a stream; what it hides is added to `into`."""

    def seen(value: Any, kind: str) -> None:
        if into is not None and isinstance(value, (str, int)) and not isinstance(value, bool):
            into.add((str(value), kind))

    return Mask(one.connection, stream, one.find(db), seen)


def archives(db: psycopg.Connection, connection: str, stream: str | None = None) -> Iterator[Archived]:
    """The files that the ledger knows and that are there, each once."""
    import fsspec

    for batch_id, name, uri, sha256, size in db.execute(
            "select min(batch_id), min(stream), archive_uri, max(archive_sha256), max(archive_bytes) from ops.load "
            "where connection = %s and (%s::text is null or stream = %s) and state = 'committed' "
            "and archive_uri is not null and archive_pruned_at is null group by archive_uri order by 1",
            (connection, stream, stream)).fetchall():
        system, path = fsspec.core.url_to_fs(uri)
        if system.exists(path):
            yield Archived(uri, sha256, size, place(connection, name, batch_id))
        else:
            log.warning("%s: the archive %s is missing: nothing of a person can be in it", connection, uri)


def _landed(db: psycopg.Connection, one: Place, stream: Stream) -> set[Value]:
    theirs = one.theirs(stream)
    hidden = [column for column in stream.columns if column.pii or column.hashed]
    if theirs is None or not hidden:
        return set()
    rows = db.execute(sql.SQL("select distinct {} from raw.{} r where {}").format(
        sql.SQL(", ").join(sql.SQL("r.{}::text").format(sql.Identifier(column.name)) for column in hidden),
        sql.Identifier(stream.table), theirs)).fetchall()
    found = {(value, "hashed" if column.hashed else str(column.pii))
             for row in rows for column, value in zip(hidden, row, strict=True)
             if value and (not column.hashed or value in one.hashes)}
    at = {column.name: place for place, column in enumerate(hidden)}
    for first in (at[name] for name in FIRST if name in at):
        found |= {(said, "True") for last in (at[name] for name in LAST if name in at)
                  for said in words.full_names((row[first], row[last]) for row in rows)}
    return found


def _archived(mask: Mask, archived: Archived, noise: tuple[str, ...]) -> None:
    import pyarrow.parquet as pq

    from tieout.landing import archive

    with archive._verified(archived) as handle:
        for batch in pq.ParquetFile(handle).iter_batches(archive.PAGE_ROWS, columns=["record"]):
            hide(mask, batch["record"], noise)


def hide(mask: Mask, records: pa.Array, noise: tuple[str, ...]) -> pa.Array:
    """An archive's column of records under a mask. A record that is no JSON stays: it was never landed."""
    if pa.types.is_struct(records.type):
        return present(records, lambda rows: pa.StructArray.from_arrays(
            *_parts(mask.table(pa.RecordBatch.from_struct_array(rows)))))
    return pa.array([None if one is None else _hidden(mask, one, noise) for one in records.to_pylist()], records.type)


def present(records: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """An array with those of its values changed that are there."""
    if not records.null_count:
        return change(records)
    there = records.is_valid().to_pylist()
    places = [at - 1 if here else None for here, at in zip(there, accumulate(there), strict=True)]
    return change(records.filter(pa.array(there))).take(pa.array(places, pa.int64()))


def _parts(batch: pa.RecordBatch) -> tuple[list[pa.Array], None, list[pa.Field]]:
    return batch.columns, None, [*batch.schema]


def _hidden(mask: Mask, record: bytes, noise: tuple[str, ...]) -> bytes:
    try:
        return mask.text(record, noise)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return record


def _quarantined(db: psycopg.Connection, connection: str, stream: Stream, mask: Mask) -> None:
    for payload, corrected in db.execute("select payload, corrected_payload from ops.quarantine where connection = %s "
                                         "and stream = %s", (connection, stream.name)).fetchall():
        for text in (payload, corrected):
            if text:
                _hidden(mask, text.encode("utf-8", "surrogatepass"), ())


def _host(value: str) -> str:
    """The host of a mail address or a site, which marts keep without the rest."""
    text = value.strip().lower()
    if "@" in text:
        return text.rpartition("@")[2]
    if "." in text and " " not in text:
        return (urlsplit(text if "://" in text else f"//{text}").hostname or "").removeprefix("www.")
    return ""


def telling(db: psycopg.Connection, company: Company, places: list[Place],
            known: set[Value]) -> tuple[set[str], set[str]]:
    """(values that are looked for everywhere, values that would tell but are somebody else's, too)."""
    wanted = {value for value, kind in known if kind == "hashed" or (kind == "True" and words.tells(value))}
    lowered = sorted({value.strip().lower() for value in wanted})
    by_name = {one.connection.name: one for one in places}
    shared: set[str] = set()
    for connection in company.connections.values():
        one = by_name.get(connection.name)
        for stream in connection.every():
            hidden = [column for column in stream.columns if column.pii and not column.hashed and column.type == "text"]
            theirs = one.theirs(stream) if one else None
            if not hidden or not stream.person or not is_there(db, stream):
                continue
            for column in hidden:
                shared |= {value for (value,) in db.execute(sql.SQL(
                    "select distinct lower(btrim(r.{0})) from raw.{1} r where r._connection = {2} "
                    "and lower(btrim(r.{0})) = any({3}::text[]) and not coalesce({4}, false)").format(
                        sql.Identifier(column.name), sql.Identifier(stream.table), sql.Literal(connection.name),
                        sql.Literal(lowered), theirs or sql.SQL("false"))).fetchall()}
    return ({value for value in wanted if value.strip().lower() not in shared},
            {value for value in wanted if value.strip().lower() in shared})
