"""What landing lets go by policy: archived files, closed versions, rows of the ledger, what a crash left of files.

Everything goes in small transactions that can be cut off anywhere and done again. The order matters: the ledger says
that a file is pruned before the file goes, and says which files are nobody's for as long as it has their batch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tieout import settings
from tieout.landing import ledger, parents
from tieout.landing.backfill import OPEN
from tieout.warehouse import connect

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Company, Connection, Retention

CHUNK = 20_000
_FILE = re.compile(
    r"(?P<connection>[^/]+)/(?P<stream>[^/]+)/\d{4}/\d{2}/(?P<batch>\d{12})-[0-9a-f]{8}\.parquet(\.part)?$")


@dataclass(frozen=True)
class Gone:
    """What went, or in a dry run would go. `what`: archive, orphan, raw, ledger, publication, mart; `name`: the
    file's stream, or the table; `rows` or files; `bytes` where they are known. `why`: the rule.
    """

    what: str
    name: str
    rows: int
    bytes: int | None
    why: str


Tell = Callable[[Gone], Any]


def prune(company: Company, *, apply: bool, tell: Tell) -> None:
    """Archive, orphans, raw, ledger, in this order, as the company's policy says; `tell` of each that is not empty."""
    policy = company.retention
    with connect("loader", autocommit=True, application="tieout prune") as db:
        for found in (_archives(db, company, policy, apply), _orphans(db, company, policy, apply),
                      _raw(db, policy, apply), _ledger(db, policy, apply)):
            for gone in found:
                if gone.rows:
                    tell(gone)


def horizon(days: int) -> datetime:
    """The instant before which things are old enough."""
    return datetime.now(UTC) - timedelta(days=days)


# --- the archive ------------------------------------------------------------------------------------------------------

# Files by URI: several rows may name one (a batch landed again from the archive). All of its rows must be old, and none
# needed: a stream's newest load with a file, its newest complete set, an open quarantined record, an unfinished
# backfill.
_OLD_FILES = """
with newest as (
    select distinct on (connection, stream) archive_uri from ops.load
     where state = 'committed' and archive_uri is not null and mode <> 'archive'
     order by connection, stream, batch_id desc
), complete as (
    select distinct on (connection, stream) archive_uri from ops.load
     where state = 'committed' and archive_uri is not null and mode = 'full' order by connection, stream, batch_id desc
), needed as (
    select archive_uri from newest union select archive_uri from complete
    union select l.archive_uri from ops.load l join ops.quarantine q using (batch_id) where q.status = 'open'
    union select l.archive_uri from ops.load l join ops.backfill_window w on w.source_batch_id = l.batch_id
            join ops.backfill b using (backfill_id) where w.state <> 'done' and b.state = any(%(open)s)
)
select archive_uri, max(archive_bytes)
  from ops.load
 where connection = %(connection)s and stream = %(stream)s and state = 'committed' and archive_uri is not null
   and archive_pruned_at is null and batch_id <= %(unread)s
 group by archive_uri
having max(finished_at) < %(before)s
   and archive_uri not in (select archive_uri from needed where archive_uri is not null)
 order by archive_uri
"""


def _archives(db: psycopg.Connection, company: Company, policy: Retention, apply: bool) -> Iterator[Gone]:
    if policy.archive_days is None:
        return
    why = f"older than {policy.archive_days} days, and nothing needs them"
    for connection in company.connections.values():
        for stream in connection.selected():
            values = {"connection": connection.name, "stream": stream.name, "before": horizon(policy.archive_days),
                      "open": list(OPEN), "unread": _read_by_children(db, connection, stream.name)}
            files = db.execute(_OLD_FILES, values).fetchall()
            if apply and files:
                # Under the stream's lock: nobody is landing it again from these files.
                with ledger.stream_lock(db, connection.name, [stream.name]):
                    files = db.execute(_OLD_FILES, values).fetchall()
                    for uri, _ in files:
                        db.execute("update ops.load set archive_pruned_at = clock_timestamp() where archive_uri = %s",
                                   (uri,))
                        _remove(uri)
            size = sum(size or 0 for _, size in files)
            yield Gone("archive", f"{connection.name}.{stream.name}", len(files), size, why)


def _read_by_children(db: psycopg.Connection, connection: Connection, stream: str) -> int:
    """The batch up to which the streams nested in this one have read its files."""
    nested = [s for s in connection.selected() if s.explode and s.parent and s.parent.stream == stream]
    return min((parents.read_until(db, connection, child) or 0 for child in nested), default=(1 << 63) - 1)


def _orphans(db: psycopg.Connection, company: Company, policy: Retention, apply: bool) -> Iterator[Gone]:
    """Files that belong to no committed batch. Only of batches that the ledger knows to have no such file: a file of
    another warehouse that shares the folder is left alone, and so is whatever is not named as the archive names files.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for path, size, connection, stream, batch_id in _files(company, horizon(policy.orphan_days)):
        row = db.execute(
            "select state, archive_uri, archive_pruned_at from ops.load where batch_id = %s and connection = %s "
            "and stream = %s", (batch_id, connection, stream)).fetchone()
        if row is None or row[0] == "running" or (row[0] == "committed" and row[2] is None and path.uri == row[1]):
            continue
        if apply:
            path.remove()
        found.setdefault((connection, stream), []).append(size)
    for (connection, stream), sizes in found.items():
        yield Gone("orphan", f"{connection}.{stream}", len(sizes), sum(sizes), "files that no committed batch has")


@dataclass(frozen=True)
class _Path:
    system: Any
    path: str
    uri: str

    def remove(self) -> None:
        if self.system.exists(self.path):
            self.system.rm(self.path)


def _files(company: Company, before: datetime) -> Iterator[tuple[_Path, int, str, str, int]]:
    """The archive's files that were written before: path, size, connection, stream, batch."""
    from pathlib import Path

    import fsspec

    system, root = fsspec.core.url_to_fs(settings.settings().archive)
    protocol = system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)
    for name, facts in system.find(root, detail=True).items():
        match = _FILE.search(name)
        if match is None or match["connection"] not in company.connections or _written(facts) >= before:
            continue
        uri = Path(name).as_uri() if "file" in protocol else system.unstrip_protocol(name)
        size = int(facts.get("size") or 0)
        yield _Path(system, name, uri), size, match["connection"], match["stream"], int(match["batch"])


def _written(facts: dict[str, Any]) -> datetime:
    """When a file was last written, as its system says; now where it does not say, so that it stays."""
    for word in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = facts.get(word)
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.now(UTC)


def _remove(uri: str) -> None:
    import fsspec

    system, path = fsspec.core.url_to_fs(uri)
    if system.exists(path):
        system.rm(path)


# --- raw and the ledger -----------------------------------------------------------------------------------------------


def _raw(db: psycopg.Connection, policy: Retention, apply: bool) -> Iterator[Gone]:
    """Closed versions. The current one of a key, a tombstone too, never goes."""
    from psycopg import sql

    if policy.raw_days is None:
        return
    before = horizon(policy.raw_days)
    why = f"superseded more than {policy.raw_days} days ago, and built from"
    for (table,) in db.execute("select tablename from pg_tables where schemaname = 'raw' order by 1").fetchall():
        rows, size = db.execute(sql.SQL(
            "select count(*), coalesce(sum(pg_column_size(r.*)), 0) from raw.{} r "
            "where _superseded_batch <= ops.prunable_batch(%s)").format(sql.Identifier(table)), (before,)).fetchone()
        if apply and rows:
            rows = sum(_chunks(lambda t=table: db.execute(
                "select ops.prune_raw(%s, %s, %s)", (t, before, CHUNK)).fetchone()[0]))
        yield Gone("raw", f"raw.{table}", rows, int(size), why)


def _ledger(db: psycopg.Connection, policy: Retention, apply: bool) -> Iterator[Gone]:
    if policy.ledger_days is None:
        return
    before = horizon(policy.ledger_days)
    why = f"older than {policy.ledger_days} days, and nothing rests on them"
    streams = db.execute("select l.connection, l.stream, count(*) from ops.load l "
                         "join ops.prunable_loads(%s) p(batch_id) using (batch_id) group by 1, 2 order by 1, 2",
                         (before,)).fetchall()
    rows = sum(count for _, _, count in streams)
    if apply:
        rows = sum(_forget(db, connection, stream, before) for connection, stream, _ in streams)
    yield Gone("ledger", "ops.load", rows, None, why)
    (rows,) = db.execute("with old as (select * from ops.prunable_runs(%s) r(run_id)) "
                         "select (select count(*) from ops.gate_result join old using (run_id)) "
                         "+ (select count(*) from ops.model_run join old using (run_id))", (before,)).fetchone()
    if apply and rows:
        (rows,) = db.execute("select ops.prune_evidence(%s)", (before,)).fetchone()
    yield Gone("ledger", "ops.gate_result, ops.model_run", rows, None, why)


def _forget(db: psycopg.Connection, connection: str, stream: str, before: datetime) -> int:
    """A stream's old rows, after what they proved together was written down: in one transaction, under its lock."""
    with ledger.stream_lock(db, connection, [stream]), db.transaction():
        db.execute(
            "insert into ops.pruned_load as p (connection, stream, covered_until, last_complete, parent_batch_id) "
            "values (%(c)s, %(s)s, %(u)s, %(f)s, (select max(parent_batch_id) from ops.load where connection = %(c)s "
            "and stream = %(s)s and state = 'committed')) on conflict (connection, stream) do update set "
            "covered_until = greatest(p.covered_until, excluded.covered_until), "
            "last_complete = greatest(p.last_complete, excluded.last_complete), "
            "parent_batch_id = greatest(p.parent_batch_id, excluded.parent_batch_id)",
            {"c": connection, "s": stream, "u": ledger.covered_until(db, connection, stream),
             "f": ledger.last_complete(db, connection, stream)})
        gone = db.execute("select ops.prune_loads(%s, %s, %s)", (before, connection, stream)).fetchone()[0]
        db.execute("update ops.pruned_load set loads = loads + %s where connection = %s and stream = %s",
                   (gone, connection, stream))
    return gone


def _chunks(step: Callable[[], int]) -> Iterable[int]:
    """Until nothing is left."""
    while gone := step():
        yield gone
