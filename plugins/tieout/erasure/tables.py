"""Where a person stands in tables: their own landed records, the quarantine, rows about them, and words anywhere else.

Everything is repeatable: what was hidden once is not found again. Amounts, keys, links and days are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from tieout.erasure.found import mask_of
from tieout.erasure.person import Person, Place, is_there
from tieout.erasure.words import Words
from tieout.landing.erased import ANY, INSERT, Erased, key_check
from tieout.landing.veil import hashed

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Stream

# What a row about a customer says of them, by the columns' names in staging, intermediate and marts.
PERSONAL = (
    "customer_name", "name", "legal_name", "tax_id", "domain", "email", "phone", "street", "city", "postal_code",
)  # fmt: skip
# What tells rows apart or leads from one to another. A value that stands there is reported, not changed.
KEPT = ("_key", "_connection", "connection", "record_key", "row_hash", "content_hash")
BOOKS = ("ops.break_event", "ops.erasure", "ops.erasure_work", "ops.erasure_suppressed")  # have their own ways
TEXTS = ("text", "character varying", "character", "jsonb", "json")


@dataclass(frozen=True)
class Table:
    """A table with columns of text; `json`: those that hold JSON. `names`: all of its columns."""

    schema: str
    name: str
    owner: str
    texts: tuple[str, ...]
    json: frozenset[str]
    names: frozenset[str]

    @property
    def quoted(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def tables(db: psycopg.Connection, owner: str | None = None) -> list[Table]:
    """The tables of Tieout's schemas (of one owner). Generated columns follow by themselves."""
    found: dict[tuple[str, str, str], list[tuple[str, str, bool]]] = {}
    for schema, name, who, column, kind, generated in db.execute(
            "select n.nspname, c.relname, pg_get_userbyid(c.relowner), a.attname, format_type(a.atttypid, null), "
            "a.attgenerated <> '' from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "where n.nspname in ('raw', 'ops', 'staging', 'intermediate', 'marts', 'reporting') "
            "and c.relkind in ('r', 'p') "
            "and (%s::text is null or pg_get_userbyid(c.relowner) = %s) order by 1, 2, a.attnum", (owner, owner)):
        found.setdefault((schema, name, who), []).append((column, kind, generated))
    return [Table(schema, name, who, tuple(c for c, kind, generated in columns if kind in TEXTS and not generated),
                  frozenset(c for c, kind, _ in columns if kind in ("jsonb", "json")),
                  frozenset(c for c, _, _ in columns))
            for (schema, name, who), columns in found.items() if f"{schema}.{name}" not in BOOKS]


# --- raw and the quarantine -------------------------------------------------------------------------------------------


def hide_landed(db: psycopg.Connection, one: Place, stream: Stream) -> int:
    """Hide what all versions of the person's own records say; how many versions said something."""
    theirs = one.theirs(stream)
    if theirs is None or not is_there(db, stream):
        return 0
    mark = sql.Literal(one.marks.text)
    sets, told = [], []
    for column in stream.columns:
        name = sql.Identifier(column.name)
        if column.hashed:
            this = sql.SQL("{} = any({}::text[])").format(name, sql.Literal(one.hashes[:-1]))
            sets.append(sql.SQL("{0} = case when {1} then {2} else {0} end").format(
                name, this, sql.Literal(one.marks.pseudonym)))
        elif column.pii and column.type == "text":
            this = sql.SQL("nullif({0}, '') <> {1}").format(name, mark)
            sets.append(sql.SQL("{0} = case when {1} then {2} else {0} end").format(name, this, mark))
        elif column.pii:
            this = sql.SQL("{} is not null").format(name)
            sets.append(sql.SQL("{} = null").format(name))
        else:
            continue
        told.append(sql.SQL("coalesce({}, false)").format(this))
    if stream.person:
        sets.append(sql.SQL("_extra = {}").format(_EXTRA.format(mark)))
        told.append(sql.SQL("_extra is distinct from {}").format(_EXTRA.format(mark)))
    sets.append(sql.SQL("_row_hash = (random() * 9e18)::bigint"))  # the old one was made of what went
    return db.execute(sql.SQL("update raw.{} r set {} where {} and ({})").format(
        sql.Identifier(stream.table), sql.SQL(", ").join(sets), theirs, sql.SQL(" or ").join(told))).rowcount


_EXTRA = sql.SQL(
    "(select jsonb_object_agg(e.key, case jsonb_typeof(e.value) when 'string' then to_jsonb({}::text) "
    "when 'object' then 'null' when 'array' then 'null' else e.value end) from jsonb_each(_extra) e)")


def hide_quarantined(db: psycopg.Connection, one: Place, stream: Stream, erased: Erased) -> int:
    """Hide them in refused records of a stream: payload, what was corrected by hand, the refused value, the reason."""
    mask = mask_of(db, one, stream)
    if not mask:
        return 0
    hidden = {column.field for column in stream.columns if column.pii}
    changed = 0
    for number, payload, corrected, field, value, reason in db.execute(
            "select quarantine_id, payload, corrected_payload, field, value, reason from ops.quarantine "
            "where connection = %s and stream = %s", (one.connection.name, stream.name)).fetchall():
        new, theirs = _payload(mask, erased, payload)
        mended, also = _payload(mask, erased, corrected) if corrected else (None, False)
        if not (theirs or also):
            continue
        if field in hidden and value:
            reason, value = reason.replace(value, one.marks.text), one.marks.text
        changed += db.execute(
            "update ops.quarantine set payload = %s, corrected_payload = %s, value = %s, reason = %s "
            "where quarantine_id = %s", (new, mended, value, reason, number)).rowcount
    return changed


def _payload(mask, erased: Erased, text: str) -> tuple[str, bool]:
    import msgspec

    try:
        new = mask.text(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        new = erased.withheld(text)
    return new, new != text


# --- rows about the person, and words anywhere ------------------------------------------------------------------------


def hide_about(db: psycopg.Connection, table: Table, person: Person, mark: str) -> int:
    """Hide the personal columns of rows that belong to one of the person's records or golden customers."""
    columns = [name for name in PERSONAL if name in table.texts]
    if table.schema in ("raw", "ops") or not columns:
        return 0
    about = []
    if "customer_key" in table.names:
        about.append(sql.SQL("customer_key = any({}::text[])").format(sql.Literal([*person.golden])))
    if {"connection", "customer_id"} <= table.names:
        about.append(sql.SQL("(connection, customer_id) in (select * from unnest({}::text[], {}::text[]))").format(
            sql.Literal([c for c, _ in person.records]), sql.Literal([i for _, i in person.records])))
    if not about:
        return 0
    told = [sql.SQL("nullif({}, '') <> {}").format(sql.Identifier(name), sql.Literal(mark)) for name in columns]
    sets = [sql.SQL("{0} = case when {1} then {2} else {0} end").format(sql.Identifier(name), said, sql.Literal(mark))
            for name, said in zip(columns, told, strict=True)]
    return db.execute(sql.SQL("update {} set {} where ({}) and ({})").format(
        table.quoted, sql.SQL(", ").join([*sets, *_rehashed(table)]), sql.SQL(" or ").join(about),
        sql.SQL(" or ").join(told))).rowcount


def _rehashed(table: Table) -> Iterator[sql.Composable]:
    """A version's digest was made of what went; with another one, the next build writes the row anew."""
    if "row_hash" in table.names:
        yield sql.SQL("row_hash = md5(random()::text)")


def forget_scores(db: psycopg.Connection, person: Person) -> int:
    """Digests of the person's records as they were compared: the next build scores them anew."""
    return db.execute(
        "update intermediate.int_customers__clustered set content_hash = md5(random()::text), feature_hash = 0 "
        "where (connection, customer_id) in (select * from unnest(%s::text[], %s::text[]))",
        ([c for c, _ in person.records], [i for _, i in person.records])).rowcount


def sweep(db: psycopg.Connection, table: Table, words: Words, kept: frozenset[str] = frozenset()) -> int:
    """Put the mark in place of the words, wherever they stand in the table; how many rows held one."""
    columns = [name for name in table.texts if name not in KEPT and name not in kept]
    if not columns or not words:
        return 0
    sets = [sql.SQL("{0} = regexp_replace({0}::text, {1}, {2}, 'gi'){3}").format(
        sql.Identifier(name), sql.Literal(_pattern(table, name, words)), sql.Literal(words.mark),
        sql.SQL("::jsonb" if name in table.json else "")) for name in columns]
    return db.execute(sql.SQL("update {} set {} where {}").format(
        table.quoted, sql.SQL(", ").join([*sets, *_rehashed(table)]), _holds(table, columns, words))).rowcount


def holding(db: psycopg.Connection, table: Table, words: Words) -> int:
    """How many rows still hold one of the words, in any column of text."""
    if not words or not table.texts:
        return 0
    return db.execute(sql.SQL("select count(*) from {} where {}").format(
        table.quoted, _holds(table, table.texts, words))).fetchone()[0]


def _holds(table: Table, columns: tuple[str, ...] | list[str], words: Words) -> sql.Composable:
    """Whether a row holds one of them. Its text is looked at as a whole first: most rows hold none, and to begin a
    search costs more than to go on with it. No word goes over a seam, which is neither a blank nor a digit.
    """
    anywhere = sql.SQL("{} ~* {}").format(_together(columns), sql.Literal(f"{words.plain}|{words.in_json}"))
    return sql.SQL("({} and ({}))").format(anywhere, sql.SQL(" or ").join(
        sql.SQL("{}::text ~* {}").format(sql.Identifier(name), sql.Literal(_pattern(table, name, words)))
        for name in columns))


def _together(columns: tuple[str, ...] | list[str]) -> sql.Composable:
    """The text of some columns, with seams. A function takes a hundred arguments."""
    texts: list[sql.Composable] = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in columns]
    while len(texts) > 1:
        texts = [sql.SQL("concat_ws(e'\\x01', {})").format(sql.SQL(", ").join(texts[at:at + 90]))
                 for at in range(0, len(texts), 90)]
    return texts[0]


def _pattern(table: Table, column: str, words: Words) -> str:
    """JSON is JSON; other columns of books may hold JSON as text."""
    return words.in_json if column in table.json else f"{words.plain}|{words.in_json}"


def is_suppressed(db: psycopg.Connection, places: list[Place]) -> bool:
    """Whether landing hides one of the records already."""
    return any(db.execute(
        "select exists (select from ops.erasure_suppressed where connection = %s and stream = %s and hash = any(%s))",
        (one.connection.name, ANY, one.hashes)).fetchone()[0] for one in places)


def suppress(db: psycopg.Connection, one: Place) -> int:
    """Tell landing whom to hide from now on: by their ids, and by what leads to their rows."""
    known = {(ANY, hashed(one.key, id_)) for id_ in one.ids}
    for stream in one.connection.every():
        if stream.person and stream.person.of and is_there(db, stream):
            known |= {(stream.name, hashed(one.key, link)) for (link,) in db.execute(one.links(stream)) if link}
    for where, value in sorted(known):
        db.execute(INSERT, (one.connection.name, where, value, key_check(one.key), one.marks.text, one.marks.pseudonym))
    return len(known)
