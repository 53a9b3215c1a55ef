"""What is gone at the vendor: rows of a parent read anew, keys absent from a complete set, the vendor's own list.

All of it inside the batch's transaction, after the received records were applied. Quarantined records count as
received: a record that could not be read is not a record that is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from tieout.errors import ReloadGuardError
from tieout.landing import loader

if TYPE_CHECKING:
    import psycopg

    from tieout.landing.loader import Target
    from tieout.spec import Connection, Stream

# A key of the quarantine counts as received.
_NOT_RECEIVED = ("not exists (select from stage s where s._key = {key}) "
                 "and not exists (select from bad b where b.record_key = {key})")


def absent_children(db: psycopg.Connection, target: Target, parents: list[str]) -> int:
    """Close the current rows of `parents` (documents or partitions, read in full) that were not received."""
    stream = target.stream
    owner = stream.parent.column if stream.parent else stream.partition
    if not parents or owner is None:
        return 0
    db.execute("drop table if exists parent_read; create temp table parent_read (_key text) on commit drop")
    with db.cursor() as cursor, cursor.copy("copy parent_read from stdin") as copy:
        for key in parents:
            copy.write_row((key,))
    db.execute("analyze parent_read")
    column = sql.Identifier(owner)
    kind = stream.column(owner).type
    held = sql.SQL("r.{}").format(column) if kind == "text" else sql.SQL("r.{}::text").format(column)
    return loader.close_gone(db, target, target.compose(
        "select r._key, null::timestamptz as _modified_at from {table} r "
        "join (select distinct _key from parent_read) p on "
        "{held} = p._key where r._connection = {connection} and r._superseded_batch is null and not r._is_deleted "
        "and " + _NOT_RECEIVED, held=held, key=sql.SQL("r._key")))


def absent_keys(db: psycopg.Connection, target: Target, guard_pct: int) -> int:
    """Close what a complete set did not contain, as `loader.compare` found it.

    Raises ReloadGuardError when the set holds less than `guard_pct` percent of what is current, or nothing at all.
    """
    absent = ("select v._key, null::timestamptz as _modified_at from verdict v where v.outcome = 'absent' "
              "and not exists (select from bad b where b.record_key = v._key)")
    gone = db.execute(f"select count(*) from ({absent}) a").fetchone()[0]
    if not gone:
        return 0
    before = db.execute(target.compose(
        "select count(*) from {table} where _connection = {connection} and _superseded_batch is null "
        "and not _is_deleted and _batch_id <> {batch}")).fetchone()[0]
    before += db.execute(target.compose(
        "select count(*) from {table} where _connection = {connection} and _superseded_batch = {batch} "
        "and not _is_deleted")).fetchone()[0]
    received = db.execute("select count(*) from (select _key from stage union "
                          "select record_key from bad where record_key is not null) k").fetchone()[0]
    received -= _long_gone(db, target)
    if guard_pct and received * 100 < before * max(guard_pct, 1):
        raise ReloadGuardError(
            f"{target.connection.name}.{target.stream.name}: a full load brought {received} keys, {before} are current",
            hint=f"less than {guard_pct} % is refused; if it is right, run once with TIEOUT_RELOAD_GUARD_PCT=0")
    return loader.close_gone(db, target, sql.SQL(absent))


def _long_gone(db: psycopg.Connection, target: Target) -> int:
    """Received keys that say only that they are deleted, and were not current before: no sign of a complete set."""
    return db.execute(target.compose(
        "select count(distinct s._key) from stage s where (s._is_deleted or s._notice) "
        "and not exists (select 1 from stage o where o._key = s._key and not (o._is_deleted or o._notice)) "
        "and not exists (select 1 from bad where record_key = s._key) "
        "and not exists (select 1 from {table} r where r._connection = {connection} and r._key = s._key "
        "and not r._is_deleted and r._batch_id <> {batch} "
        "and (r._superseded_batch is null or r._superseded_batch = {batch}))")).fetchone()[0]


def named(target: Target) -> sql.Composable:
    """SQL: the stream's list of deletions names the staged row `w` of the tombstone `r`, at `w`'s stamp or later."""
    if not target.stream.deletes.feed:
        return sql.SQL("false")
    feed = target.connection.source.stream(target.stream.deletes.feed)
    return target.compose(
        "exists (select 1 from {feed} f where f.{id} = w._key and {kind} and f._connection = {connection} "
        "and f._superseded_batch is null and not f._is_deleted and {older} is not true)",
        feed=sql.SQL("raw.{}").format(sql.Identifier(feed.table)), id=sql.Identifier(feed.key[0]),
        kind=_kind(target, feed), older=target.older("f._modified_at", "w._modified_at"))


def fed_streams(connection: Connection, feed: Stream) -> list[Stream]:
    """The selected streams whose deletions `feed` lists, and their children."""
    selected = connection.selected()
    named = [s for s in selected if s.deletes.feed == feed.name]
    names = {s.name for s in named}
    return named + [s for s in selected if s.parent and s.parent.stream in names]


def apply_feed(db: psycopg.Connection, connection: Connection, feed: Stream, batch_id: int, *,
               only: Stream | None = None) -> dict[str, int]:
    """Close what the landed rows of `feed` say is deleted, and the lines of it. Returns the number per stream.

    Without `only`: after the feed landed, its rows of this batch against all streams. With `only`: after that stream
    landed, the whole feed against this batch's rows (an old window landed again must not bring a deleted record back).
    """
    closed = {}
    for stream in fed_streams(connection, feed) if only is None else [only]:
        target = loader.Target(connection, stream, batch_id)
        if stream.parent and stream.deletes.feed != feed.name:
            parent = next(s for s in connection.selected() if s.name == stream.parent.stream)
            gone = _gone_children(target, parent)
        else:
            gone = _gone(target, feed, only is not None)
        if count := loader.close_gone(db, target, gone):
            closed[stream.name] = count
    return closed


def _gone(target: Target, feed: Stream, whole_feed: bool) -> sql.Composed:
    """Current rows of the stream that a row of the feed names, unless they changed after their deletion (came back)."""
    scope = sql.SQL("r._batch_id = {}" if whole_feed else "f._batch_id = {}").format(sql.Literal(target.batch_id))
    return target.compose(
        "select r._key, max(f._modified_at) as _modified_at from {table} r join {feed} f on f.{id} = r._key and {kind} "
        "where r._connection = {connection} and r._superseded_batch is null and not r._is_deleted "
        "and f._connection = {connection} and f._superseded_batch is null and not f._is_deleted and {scope} "
        "and {older} is not true group by r._key",
        feed=sql.SQL("raw.{}").format(sql.Identifier(feed.table)), id=sql.Identifier(feed.key[0]),
        kind=_kind(target, feed), scope=scope, older=target.older("f._modified_at", "r._modified_at"))


def _kind(target: Target, feed: Stream) -> sql.Composable:
    """SQL: the feed's row `f` means this kind of record, of which `r` is one; ids are unique per kind only.

    A feed's `type` names the kind: the stream's own word, one that ends in it (inventoryitem → item), or the row's own
    `recordtype` or `type`.
    """
    if "type" not in {c.name for c in feed.columns}:
        return sql.SQL("true")
    word = (target.stream.deletes.feed_type or target.stream.name).lower()
    own = [c.name for c in target.stream.columns if c.name in ("recordtype", "type")]
    return sql.SQL("(lower(f.type) = {word} or lower(f.type) like {ending}{own})").format(
        word=sql.Literal(word), ending=sql.Literal(f"%{word}"),
        own=sql.SQL("").join(sql.SQL(" or lower(f.type) = lower(r.{})").format(sql.Identifier(c)) for c in own))


def _gone_children(target: Target, parent: Stream) -> sql.Composed:
    """Lines whose document was closed by this batch."""
    return target.compose(
        "select r._key, null::timestamptz as _modified_at from {table} r join {parent} p on p._key = r.{column}::text "
        "where r._connection = {connection} and r._superseded_batch is null and not r._is_deleted "
        "and p._connection = {connection} and p._batch_id = {batch} and p._is_deleted",
        parent=sql.SQL("raw.{}").format(sql.Identifier(parent.table)),
        column=sql.Identifier(target.stream.parent.column))
