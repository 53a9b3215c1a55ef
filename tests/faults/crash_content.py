"""Whether two warehouses say the same: every table and view of raw, ops, staging, intermediate, marts, reporting.

Compared is what rows say, not who wrote them when:
- batch ids are replaced by their place among the batches that stored something, run ids by the publication that first
  shows them; ids drawn from a sequence, clock stamps, seconds, archive names and hashes of names are left out;
- the books may tell of more attempts: failed loads and runs, loads that stored nothing because everything was there
  already, quarantined records that were refused again, nodes of dbt that were run twice. Nothing else may be more, and
  nothing may be less. All that the books say of good loads must be there once, and every archive must be what its hash
  says.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import psycopg
from psycopg import sql

WORKING = ("staging", "intermediate")
SCHEMAS = ("raw", "ops", "staging", "intermediate", "marts", "reporting")
OPEN = 9223372036854775807
BATCHES = ("batch_id", "_batch_id", "_superseded_batch")
RUNS = ("recorded_run", "superseded_run", "run_id", "previous_run_id")
# due_at, as_of: what is promised depends on the clock on the wall.
LEFT_OUT = {"_landed_at", "row_hash", "as_of", "due_at", "published_at", "moved_at", "publication_id", "facts",
            "checked_at", "built_at", "started_at", "finished_at", "statement", "archive_uri", "archive_sha256",
            "archive_bytes", "requests", "quarantine_id", "first_seen_at", "resolved_at", "seconds", "dag_run_id",
            "recorded_at"}
# The log of breaks is chained over its clock stamps; `tieout breaks audit` proves the chain.
LEFT_OUT_OF = {("ops", "break_event"): {"at", "hash", "previous_hash"}}
# The books of attempts have rules of their own, below.
ATTEMPTS = {("ops", "load"), ("ops", "run"), ("ops", "step"), ("ops", "step_now"), ("ops", "model_run"),
            ("ops", "quarantine"), ("ops", "gate_result"), ("ops", "build_watermark"), ("reporting", "load"),
            ("reporting", "gate_result")}
_EFFECTIVE = "select batch_id from ops.load where state = 'committed' and (landed > 0 or deleted > 0)"


@dataclass(frozen=True)
class Said:
    """What a warehouse says. tables: {(schema, table): (rows, a sum of their hashes)}; books: {query: rows}."""

    tables: dict[tuple[str, str], tuple[int, str]]
    books: dict[str, Counter[tuple]]


def said(db: psycopg.Connection) -> Said:
    """Read all of it."""
    return Said(digests(db), {query: Counter(db.execute(query).fetchall()) for query in BOOKS.values()})


def differences(expected: psycopg.Connection, found: psycopg.Connection, known: Said | None = None,
                repeated: psycopg.Connection | None = None) -> list[str]:
    """In words, the first ones of each table; empty when both say the same. `known`: what `expected` says.

    `repeated`: a warehouse in which the same build was done twice undisturbed. A repeated build looks at what the first
    attempt has judged already, too: the more, the further that came. So the working tables of such a build (staging,
    intermediate) may hold more rows; but each must be there in `repeated`, and none may be missing. Marts are equal.
    """
    lines = []
    before, after = known or said(expected), said(found)
    left, right = before.tables, after.tables
    if set(left) != set(right):
        lines.append(f"tables only in one: {sorted(set(left) ^ set(right))}")
    for table in sorted(set(left) & set(right)):
        if left[table] != right[table] and (shown := _show(expected, found, table, repeated)):
            lines.append(f"{'.'.join(table)}: {shown}")
    return lines + _books(before.books, after.books)


def digests(db: psycopg.Connection) -> dict[tuple[str, str], tuple[int, str]]:
    """{(schema, table): (rows, a sum of their hashes)}: no order of rows matters. A view says what its tables say: its
    definition stands for it, and only where that differs is it read.
    """
    relations = db.execute(
        "select n.nspname, c.relname, c.relkind = 'v', case when c.relkind = 'v' then pg_get_viewdef(c.oid) end,"
        " array(select attname::text from pg_attribute a where a.attrelid = c.oid and attnum > 0 and not attisdropped"
        " order by 1) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'v', 'm') and n.nspname = any(%s)", ([*SCHEMAS],)).fetchall()
    places = _all_places(db)
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for schema, name, is_view, definition, columns in relations:
        if is_view:
            found[schema, name] = (-1, definition)
        elif (schema, name) not in ATTEMPTS:
            found[schema, name] = db.execute(sql.SQL(
                "select count(*), coalesce(sum(hashtextextended(said, 0)::numeric), 0)::text from ({}) as t").format(
                    _said((schema, name), columns, places))).fetchone()
    return found


Places = tuple[sql.Composable, sql.Composable]


def _said(table: tuple[str, str], columns: Iterable[str], places: Places) -> sql.Composed:
    """A query of one text per row."""
    batches, publications = places
    parts: list[sql.Composable] = []
    for name in columns:
        if name in BATCHES:
            parts.append(sql.SQL("width_bucket(t.{}, {})").format(sql.Identifier(name), batches))
        elif name in RUNS:  # how many publications came before it; null: still open
            parts.append(sql.SQL("case when t.{0} < {1} then width_bucket(t.{0} - 1, {2}) end").format(
                sql.Identifier(name), sql.Literal(OPEN), publications))
        elif name not in LEFT_OUT and name not in LEFT_OUT_OF.get(table, ()):
            parts.append(sql.SQL("t.{}").format(sql.Identifier(name)))
    return sql.SQL("select row({})::text as said from {}.{} as t").format(
        sql.SQL(", ").join(parts), *map(sql.Identifier, table))


def _all_places(db: psycopg.Connection) -> Places:
    return _places(db, _EFFECTIVE), _places(db, "select run_id from ops.publication")


def _places(db: psycopg.Connection, query: str) -> sql.Composable:
    """The ids of a query in order, behind an id that is none, for `width_bucket`."""
    ids = [one for (one,) in db.execute(f"select * from ({query}) as ids order by 1")]
    return sql.SQL("{}::bigint[]").format(sql.Literal([-1, *ids]))


def _show(expected: psycopg.Connection, found: psycopg.Connection, table: tuple[str, str],
          repeated: psycopg.Connection | None) -> str:
    columns, others = ([name for (name,) in db.execute(
        "select attname::text from pg_attribute where attrelid = format('%%I.%%I', %s::text, %s::text)::regclass"
        " and attnum > 0 and not attisdropped order by 1", table)] for db in (expected, found))
    if columns != others:
        return f"columns only in one: {sorted({*columns} ^ {*others})}"

    def rows(db: psycopg.Connection) -> Counter[str]:
        return Counter(text for (text,) in db.execute(_said(table, columns, _all_places(db))))

    left, right = rows(expected), rows(found)
    lost, more = left - right, right - left
    if repeated is not None and table[0] in WORKING and not lost:
        more = right - rows(repeated)
    if not lost and not more:
        return ""
    examples = [f"- {text[:300]}" for text in [*lost][:2]] + [f"+ {text[:300]}" for text in [*more][:2]]
    return f"{lost.total()} rows lost, {more.total()} more: " + "  ".join(examples)


# --- the books --------------------------------------------------------------------------------------------------------


def _books(expected: dict[str, Counter[tuple]], found: dict[str, Counter[tuple]]) -> list[str]:
    lines = []
    for table, query in BOOKS.items():
        lines += _once(table, expected[query], found[query], MAY_BE_MORE.get(table))
    return lines


_LOADS = """
select connection, stream, table_name, mode, window_start, window_end, received, landed, unchanged, replayed,
       quarantined, deleted, control_totals::text, drift::text, cursor_low, cursor_high,
       (select count(*) from ops.load p where p.state = 'committed' and p.batch_id <= l.parent_batch_id
          and p.connection = l.connection and (p.landed > 0 or p.deleted > 0)
          and p.stream = (select q.stream from ops.load q where q.batch_id = l.parent_batch_id))
  from ops.load l where state = 'committed'
"""
_QUARANTINE = """
select connection, stream, record_key, field, value, reason_code, reason, payload, status, modified_at
  from ops.quarantine where not (status = 'replayed' and note like 'received again in batch %')
"""
# A landing that was repeated is one more run; so runs are compared as a set.
_RUNS = "select distinct kind, label, logical_at, state, error from ops.run where state <> 'failed'"
_GATES = """
select distinct kind = 'land', label, stage, suite, expectation, severity, passed,
       case when kind = 'revenue' then observed end, (select count(*) from ops.publication p where p.run_id < g.run_id)
  from ops.gate_result g join ops.run using (run_id)
"""
# A build that was given up before it was published was overtaken by another.
_WATERMARKS = f"""
select distinct (select count(*) from ({_EFFECTIVE}) e where e.batch_id <= w.batch_id), is_full,
       (select count(*) from ops.publication p where p.run_id < w.run_id) from ops.build_watermark w
"""
_MODELS = "select distinct node_id, resource_type, status from ops.model_run"
# A step that was killed or refused is one more attempt; what counts is that each run's step succeeded once in the end.
_STEPS = """
select distinct r.kind, r.label, s.step, s.state,
       (select count(*) from ops.publication p where p.run_id < r.run_id and r.kind = 'revenue')
  from ops.step_now s join ops.run r using (run_id)
"""
BOOKS = {"ops.load": _LOADS, "ops.quarantine": _QUARANTINE, "ops.run": _RUNS, "ops.gate_result": _GATES,
         "ops.build_watermark": _WATERMARKS, "ops.model_run": _MODELS, "ops.step": _STEPS}


def _stored_nothing(row: tuple) -> bool:
    """landed and deleted are 0: everything was there already."""
    return row[7] == row[11] == 0


def _went_well(row: tuple) -> bool:
    return row[2] in ("success", "begun", "used")


MAY_BE_MORE: dict[str, Callable[[tuple], bool]] = {
    "ops.load": _stored_nothing, "ops.gate_result": lambda row: row[0], "ops.model_run": _went_well,
    "ops.step": lambda row: row[3] in ("killed", "failed"),
}


def _once(table: str, expected: Counter[tuple], found: Counter[tuple],
          may_be_more: Callable[[tuple], bool] | None = None) -> list[str]:
    lines = [f"{table}: lost {row}" for row in (expected - found)]
    lines += [f"{table}: too much {row}" for row in (found - expected) if not (may_be_more and may_be_more(row))]
    return lines[:4]


def broken_archives(db: psycopg.Connection, files: Iterable[Path]) -> list[str]:
    """What the ledger says of archives that is not so; and `files` of which it knows nothing."""
    lines, known = [], set()
    for batch_id, uri, sha256 in db.execute(
            "select batch_id, archive_uri, archive_sha256 from ops.load"
            " where state = 'committed' and archive_uri is not null"):
        path = Path(unquote(urlparse(uri).path))
        known.add(path)
        if not path.is_file():
            lines.append(f"the archive of batch {batch_id} is gone: {path}")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            lines.append(f"the archive of batch {batch_id} is not what was recorded: {path}")
    return lines + [f"no batch knows the file {path}" for path in sorted(set(files) - known)]
