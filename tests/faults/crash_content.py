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
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlparse

import psycopg
from psycopg import sql

SCHEMAS = ("raw", "ops", "staging", "intermediate", "marts", "reporting")
OPEN = 9223372036854775807
BATCHES = ("batch_id", "_batch_id", "_superseded_batch")
RUNS = ("recorded_run", "superseded_run", "run_id", "previous_run_id")
LEFT_OUT = {"_landed_at", "row_hash", "published_at", "moved_at", "publication_id", "facts", "checked_at", "built_at",
            "started_at", "finished_at", "statement", "archive_uri", "archive_sha256", "archive_bytes", "requests",
            "quarantine_id", "first_seen_at", "resolved_at", "seconds", "dag_run_id"}
# The books of attempts have rules of their own, below.
ATTEMPTS = {("ops", "load"), ("ops", "run"), ("ops", "model_run"), ("ops", "quarantine"), ("ops", "gate_result"),
            ("ops", "build_watermark"), ("reporting", "load"), ("reporting", "gate_result")}
_EFFECTIVE = "select batch_id from ops.load where state = 'committed' and (landed > 0 or deleted > 0)"


Digests = dict[tuple[str, str], tuple[int, str]]


def differences(expected: psycopg.Connection, found: psycopg.Connection, known: Digests | None = None) -> list[str]:
    """In words, the first ones of each table; empty when both say the same. `known`: the digests of `expected`."""
    lines = []
    left, right = known or digests(expected), digests(found)
    if set(left) != set(right):
        lines.append(f"tables only in one: {sorted(set(left) ^ set(right))}")
    for table in sorted(set(left) & set(right)):
        if left[table] != right[table]:
            lines.append(f"{'.'.join(table)}: {_show(expected, found, table)}")
    return lines + _books(expected, found)


def digests(db: psycopg.Connection) -> Digests:
    """{(schema, table): (rows, a sum of their hashes)}: no order of rows matters."""
    tables = db.execute(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'v', 'm') and n.nspname = any(%s)", ([*SCHEMAS],)).fetchall()
    found: Digests = {}
    for table in tables:
        if table in ATTEMPTS:
            continue
        count, total = db.execute(sql.SQL(
            "select count(*), coalesce(sum(hashtextextended(said, 0)::numeric), 0)::text from ({}) as t").format(
                _said(db, table))).fetchone()
        found[table] = (count, total)
    return found


def _said(db: psycopg.Connection, table: tuple[str, str]) -> sql.Composed:
    """A query of one text per row."""
    columns = [name for (name,) in db.execute(
        "select attname from pg_attribute where attrelid = format('%%I.%%I', %s::text, %s::text)::regclass"
        " and attnum > 0 and not attisdropped order by attname", table)]
    batches, publications = _places(db, _EFFECTIVE), _places(db, "select run_id from ops.publication")
    parts: list[sql.Composable] = []
    for name in columns:
        if name in BATCHES:
            parts.append(sql.SQL("width_bucket(t.{}, {})").format(sql.Identifier(name), batches))
        elif name in RUNS:  # how many publications came before it; null: still open
            parts.append(sql.SQL("case when t.{0} < {1} then width_bucket(t.{0} - 1, {2}) end").format(
                sql.Identifier(name), sql.Literal(OPEN), publications))
        elif name not in LEFT_OUT:
            parts.append(sql.SQL("t.{}").format(sql.Identifier(name)))
    return sql.SQL("select row({})::text as said from {}.{} as t").format(
        sql.SQL(", ").join(parts), *map(sql.Identifier, table))


def _places(db: psycopg.Connection, query: str) -> sql.Composable:
    """The ids of a query in order, behind an id that is none, for `width_bucket`."""
    ids = [one for (one,) in db.execute(f"select * from ({query}) as ids order by 1")]
    return sql.SQL("{}::bigint[]").format(sql.Literal([-1, *ids]))


def _show(expected: psycopg.Connection, found: psycopg.Connection, table: tuple[str, str]) -> str:
    left, right = (Counter(text for (text,) in db.execute(_said(db, table))) for db in (expected, found))
    lost, more = left - right, right - left
    examples = [f"- {text[:300]}" for text in [*lost][:2]] + [f"+ {text[:300]}" for text in [*more][:2]]
    return f"{lost.total()} rows lost, {more.total()} more: " + "  ".join(examples)


# --- the books --------------------------------------------------------------------------------------------------------


def _books(expected: psycopg.Connection, found: psycopg.Connection) -> list[str]:
    lines = _once("ops.load", _rows(expected, _LOADS), _rows(found, _LOADS), may_be_more=_stored_nothing)
    lines += _once("ops.quarantine", _rows(expected, _QUARANTINE), _rows(found, _QUARANTINE))
    lines += _once("ops.run", _rows(expected, _RUNS), _rows(found, _RUNS))
    lines += _once("ops.gate_result", _rows(expected, _GATES), _rows(found, _GATES), may_be_more=lambda row: row[0])
    lines += _once("ops.build_watermark", _rows(expected, _WATERMARKS), _rows(found, _WATERMARKS))
    lines += _once("ops.model_run", _rows(expected, _MODELS), _rows(found, _MODELS), may_be_more=_went_well)
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


def _rows(db: psycopg.Connection, query: str) -> Counter[tuple]:
    return Counter(db.execute(query).fetchall())


def _stored_nothing(row: tuple) -> bool:
    """landed and deleted are 0: everything was there already."""
    return row[7] == row[11] == 0


def _went_well(row: tuple) -> bool:
    return row[2] in ("success", "begun", "used")


def _once(table: str, expected: Counter[tuple], found: Counter[tuple], may_be_more: object = None) -> list[str]:
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
