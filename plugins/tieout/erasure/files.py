"""Where a person stands in files: the archive, and whatever lies in the home folder: reports, Data Docs, exports, logs.

An archived file is written anew under another name; the ledger is told of it before the old one goes.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tieout import settings
from tieout.erasure.found import archives, hide, mask_of, present
from tieout.erasure.person import Place
from tieout.erasure.words import Words
from tieout.extract import MANNERS
from tieout.landing import archive
from tieout.landing.archive import Archived

if TYPE_CHECKING:
    import psycopg

# The embedded server's own files; a demo's stand-in vendors, who are not ours to change.
NOT_OURS = ("pg", "company")
LARGEST = 64 * 1024 * 1024
SAME_FILE = (".log",)  # somebody may be writing to it: the file stays, its content changes
DATABASES = (".db", ".sqlite", ".sqlite3", ".db-wal", ".db-journal")


# --- the archive ------------------------------------------------------------------------------------------------------


def hide_archived(db: psycopg.Connection, one: Place, words: Words, *, apply: bool) -> int:
    """Write the files anew that hold the person; how many there are. `db` in autocommit, the streams' locks held."""
    changed = 0
    noise = MANNERS.get(one.connection.source.protocol, ((), False))[0]
    for stream in one.connection.every():
        mask = mask_of(db, one, stream)
        for archived in archives(db, one.connection.name, stream.name):
            new = _rewritten(archived, lambda records, m=mask: _hidden(records, m, words, noise), apply=apply)
            if new is None:
                continue
            changed += 1
            if apply:
                db.execute("update ops.load set archive_uri = %s, archive_sha256 = %s, archive_bytes = %s "
                           "where archive_uri = %s", (new.uri, new.sha256, new.bytes, archived.uri))
        if apply:
            _remove_strays(db, one, stream.name)
    return changed


def _hidden(records: pa.Array, mask, words: Words, noise: tuple[str, ...]) -> pa.Array:
    records = hide(mask, records, noise) if mask else records
    if not words:
        return records
    if pa.types.is_struct(records.type):
        return present(records, lambda rows: pa.StructArray.from_arrays(
            [_swept(column, words) for column in rows.flatten()], fields=[*rows.type]))
    new = [None if one is None else words.of_json(one.decode("utf-8", "surrogateescape")).encode(
        "utf-8", "surrogateescape") for one in records.to_pylist()]
    return pa.array(new, records.type)


def _swept(column: pa.Array, words: Words) -> pa.Array:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    return pa.array([None if one is None else words.of(one) for one in column.to_pylist()], column.type)


def _rewritten(archived: Archived, change, *, apply: bool) -> Archived | None:
    """The file with changed records, finished beside the old one; None where nothing changes. Raises ArchiveDamaged."""
    with archive._verified(archived) as handle:
        file = pq.ParquetFile(handle)
        changed = any(not change(batch["record"]).equals(batch["record"])
                      for batch in file.iter_batches(archive.PAGE_ROWS, columns=["record"]))
        if not changed or not apply:
            return archived if changed else None
        parts = PurePosixPath(archived.uri).parts
        name = f"{parts[-1].split('-')[0]}-{secrets.token_hex(4)}.parquet"
        target = archive._Target(settings.settings().archive, PurePosixPath(*parts[-5:-1], name))
        sink = target.open()
        try:
            with pq.ParquetWriter(sink, file.schema_arrow, compression="zstd", compression_level=archive.LEVEL,
                                  use_dictionary=["kind"], write_statistics=False, store_schema=True) as writer:
                for batch in file.iter_batches(archive.PAGE_ROWS):
                    at = batch.schema.get_field_index("record")
                    writer.write_batch(batch.set_column(at, batch.schema.field(at), change(batch["record"])))
            sink.commit()
        except BaseException:
            sink.discard()
            raise
    return Archived(target.uri, sink.digest.hexdigest(), sink.size, archived.where)


def _remove_strays(db: psycopg.Connection, one: Place, stream: str) -> None:
    """Files of committed batches that the ledger does not name (any more): what was before, what a crash left."""
    import fsspec

    known = {uri.rsplit("/", 1)[-1] for (uri,) in db.execute(
        "select archive_uri from ops.load where connection = %s and stream = %s and archive_uri is not null",
        (one.connection.name, stream))}
    batches = {f"{batch:012d}" for (batch,) in db.execute(
        "select batch_id from ops.load where connection = %s and stream = %s and state = 'committed'",
        (one.connection.name, stream))}
    system, root = fsspec.core.url_to_fs(settings.settings().archive)
    for path in system.glob(f"{root.rstrip('/')}/{one.connection.name}/{stream}/*/*/*"):
        name = str(path).rsplit("/", 1)[-1].removesuffix(".part")
        if name.split("-")[0] in batches and (name not in known or str(path).endswith(".part")):
            system.rm(path)


# --- the home folder --------------------------------------------------------------------------------------------------


def at_home() -> Iterator[Path]:
    """The files of the home folder that an erasure looks into; the archive has its own way."""
    home = settings.settings().home.resolve()
    for path in sorted(home.rglob("*")):
        inside = path.relative_to(home).parts
        if inside[0] in NOT_OURS or not path.is_file() or path.is_symlink() or _is_archive(path):
            continue
        yield path


def _is_archive(path: Path) -> bool:
    root = settings.settings().archive
    return root.startswith("file://") and path.as_uri().startswith(f"{root.rstrip('/')}/")


def hide_in(path: Path, words: Words, *, apply: bool) -> bool:
    """Whether a file holds one of the words; with `apply`, they go. A database of others is never written."""
    if not words:
        return False
    try:
        if path.suffix == ".parquet":
            return _parquet(path, words, apply=apply)
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as handle:
            # A large file is read line by line; in others a value may go on in the next line.
            lines = handle if path.stat().st_size > LARGEST else [handle.read()]
            if all(_said(path, words, line) == line for line in lines):
                return False
    except FileNotFoundError:  # somebody's temporary file
        return False
    if apply and path.suffix not in DATABASES:
        _replace(path, words)
    return True


def _said(path: Path, words: Words, text: str) -> str:
    return words.of_csv(text) if path.suffix == ".csv" else words.of(text)


def _replace(path: Path, words: Words) -> None:
    half = path.with_name(f".{path.name}.half")
    mode = path.stat().st_mode & 0o777
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as source, \
            os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as target:
        for line in source if path.stat().st_size > LARGEST else [source.read()]:
            target.write(_said(path, words, line).encode("utf-8", "surrogateescape"))
        target.flush()
        os.fsync(target.fileno())
    if path.suffix in SAME_FILE:
        with half.open("rb") as source, path.open("r+b") as target:
            shutil.copyfileobj(source, target)
            target.truncate()
        half.unlink()
    else:
        half.replace(path)


def _parquet(path: Path, words: Words, *, apply: bool) -> bool:
    table = pq.read_table(path)
    new = [pa.chunked_array([_swept(chunk, words) for chunk in column.chunks], column.type) for column in table.columns]
    theirs = {row for column in new if pa.types.is_string(column.type)
              for row, value in enumerate(column.to_pylist()) if value and words.mark in value}
    new = [_beside(column, theirs, words) if theirs else column for column in new]
    changed = any(not one.equals(column) for one, column in zip(new, table.columns, strict=True))
    if changed and apply:
        half = path.with_name(f".{path.name}.half")
        pq.write_table(pa.table(new, schema=table.schema), half, compression="zstd")
        half.replace(path)
    return changed


def _beside(column: pa.ChunkedArray, rows: set[int], words: Words) -> pa.ChunkedArray:
    """The mark in the person's rows, where a cell says what stands beside."""
    if not pa.types.is_string(column.type):
        return column
    told = {value.lower() for value in words.beside}
    values = column.to_pylist()
    for row in rows:
        values[row] = words.mark if values[row] and values[row].strip().lower() in told else values[row]
    return pa.chunked_array([pa.array(values, column.type)])
