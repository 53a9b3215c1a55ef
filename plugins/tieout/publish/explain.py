"""One document, explained: what it belongs to, which pass said so, what differs and why, and the records behind it.

Everything is read from one publication; the landed records, as they are now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tieout import warehouse
from tieout.errors import PublishError
from tieout.publish.asof import as_of
from tieout.publish.summary import HOPS
from tieout.register import book
from tieout.register.book import Entry, Event

if TYPE_CHECKING:
    import psycopg

CANDIDATES = 8
ALIKE = 60.0  # of 100: from here on a number is near enough to be what was meant
DEEPEST = 8  # hops up or down: a chain has four
MOST_MEMBERS = 100  # of a group are shown
MOST_RECORDS = 200


@dataclass(frozen=True)
class Document:
    """A document of the fact."""

    document_key: str
    connection: str
    document_type: str
    document_id: str
    document_number: str | None

    def __str__(self) -> str:
        number = self.document_number or "without a number"
        return f"{self.connection}:{self.document_id} ({self.document_type} {number})"


@dataclass(frozen=True)
class Member:
    """A document in a group, on its side; its amount is what it counts for there."""

    side: str
    document: Document
    document_date: date | None
    period: str | None
    amount: Decimal
    currency_code: str
    outcome: str
    reason_code: str | None
    source_url: str | None


@dataclass(frozen=True)
class Suggestion:
    """Documents of both sides that stand open and may belong together: their numbers. Nobody has decided."""

    left: str
    right: str
    pass_name: str
    is_sure: bool
    confidence: Decimal
    difference: Decimal
    currency_code: str


@dataclass(frozen=True)
class Decided:
    """What a person said of two documents of a group, as it counts now. `amount`: of a payment that pays an invoice."""

    a: str
    b: str
    is_match: bool
    decided_by: str
    decided_at: datetime
    reason: str
    amount: Decimal | None
    currency_code: str | None


@dataclass(frozen=True)
class Group:
    """Documents of one hop that belong together, and what they differ by. No `pass_name`: nothing was matched.

    `more`: members that are not listed.
    """

    hop: str
    title: str
    group_key: str
    match_key: str | None
    pass_name: str | None
    match_pass: int | None
    confidence: Decimal | None
    status: str | None
    difference: Decimal | None
    members: tuple[Member, ...]
    more: int
    breaks: tuple[Entry, ...]
    suggestions: tuple[Suggestion, ...] = ()
    decisions: tuple[Decided, ...] = ()


@dataclass(frozen=True)
class Record:
    """A landed record: its current version, and the load that brought it. `is_newer`: than what was published."""

    connection: str
    table: str
    key: str
    batch_id: int
    landed_at: datetime
    modified_at: datetime | None
    is_deleted: bool
    is_newer: bool
    archive_uri: str | None
    archive_sha256: str | None
    content: dict[str, Any] | None = None


@dataclass(frozen=True)
class Explanation:
    """All that is known about a document, as of a publication."""

    run_id: int
    as_of_date: date
    document: Document
    groups: tuple[Group, ...]
    events: dict[str, list[Event]]
    records: tuple[Record, ...]
    urls: dict[str, str] = field(default_factory=dict)


def explain(word: str, *, content: bool = False) -> Explanation:
    """Explain the document that `word` names: its number, `connection:id`, its id, or its key.

    `content`: with the landed records' fields, which may be personal data. PublishError with candidates where nothing
    or more than one document is meant.
    """
    with as_of(role="publisher") as db:
        document = find(db, word)
        run_id, day = db.execute("select run_id, as_of_date from reporting.publication where run_id ="
                                 " (select reporting.published_run())").fetchone()
        groups = _groups(db, document.document_key)
        events = {entry.break_key: book.history(db, entry.break_key) for group in groups for entry in group.breaks}
        sources = db.execute(
            "select source_table, source_key, max(batch_id) from reporting.fct_revenue"
            " where document_key = %s and source_table is not null and source_key is not null"
            " group by source_table, source_key order by source_table, source_key limit %s",
            (document.document_key, MOST_RECORDS)).fetchall()
    members = [member for group in groups for member in group.members]
    urls = {str(member.document): member.source_url for member in members if member.source_url}
    return Explanation(run_id, day, document, groups, events, _records(document.connection, sources, content), urls)


# --- which document ---------------------------------------------------------------------------------------------------

_KNOWN = """
select distinct document_key, connection, document_type, document_id, document_number from reporting.fct_revenue
"""


def find(db: psycopg.Connection, word: str) -> Document:
    """The document that is meant. The first way to read the word that finds anything decides."""
    word = word.strip()
    connection, colon, document_id = word.partition(":")
    ways = [("document_key = %(word)s", {}), ("document_number = %(word)s", {}), ("document_id = %(word)s", {}),
            ("lower(document_number) = lower(%(word)s)", {})]
    if colon:
        ways.insert(0, ("connection = %(connection)s and document_id = %(id)s",
                        {"connection": connection, "id": document_id}))
    for where, values in ways:
        found = [Document(*row) for row in db.execute(
            f"{_KNOWN} where {where} order by connection, document_type, document_id limit %(limit)s",
            {"word": word, "limit": CANDIDATES + 1, **values})]
        if len(found) == 1:
            return found[0]
        if found:
            raise PublishError(f"{word!r} names {_many(len(found))} documents", hint=_listed(found, document_key=colon))
    near = _near(db, document_id if colon else word)
    raise PublishError(f"no document of the publication is called {word!r}",
                       hint=f"near it: {_listed(near)}" if near else "a number, connection:id, an id, or a key")


def _many(count: int) -> str:
    return f"more than {CANDIDATES}" if count > CANDIDATES else str(count)


def _listed(found: list[Document], *, document_key: Any = "") -> str:
    """Candidates, each by a word that names it alone."""
    return "; ".join(f"{each} {each.document_key}" if document_key else str(each) for each in found[:CANDIDATES])


def _near(db: psycopg.Connection, word: str) -> list[Document]:
    """Documents whose number is spelled nearly so, the nearest first."""
    from rapidfuzz import process
    from rapidfuzz.fuzz import ratio

    numbers = [number for (number,) in db.execute(
        "select distinct document_number from reporting.fct_revenue where document_number is not null order by 1")]
    near = [found for found, *_ in process.extract(word.upper(), numbers, scorer=ratio, processor=str.upper,
                                                   limit=CANDIDATES, score_cutoff=ALIKE)]
    if not near:
        return []
    found = [Document(*row) for row in db.execute(f"{_KNOWN} where document_number = any(%s)", (near,))]
    return sorted(found, key=lambda each: (near.index(each.document_number or ""), str(each)))


# --- what it belongs to -----------------------------------------------------------------------------------------------


def _groups(db: psycopg.Connection, document_key: str) -> tuple[Group, ...]:
    """The groups that the document stands in, of what it came from, and of what came of it: in the order of hops."""
    found: dict[tuple[str, str], None] = {}
    for side, other in (("right", "left"), ("left", "right")):  # up, then down
        frontier, seen = {document_key}, {document_key}
        for _ in range(DEEPEST):
            groups = _where(db, frontier, side)
            found |= dict.fromkeys(groups)
            frontier = _members_of(db, groups, other) - seen
            seen |= frontier
            if not frontier:
                break
    order = list(HOPS)
    keys = sorted(found, key=lambda each: (order.index(each[0]) if each[0] in order else len(order), each[1]))
    return tuple(_group(db, *each) for each in keys)


def _where(db: psycopg.Connection, documents: set[str], side: str) -> list[tuple[str, str]]:
    rows = db.execute("select distinct hop, group_key from reporting.rec_document where document_key = any(%s)"
                      " and side = %s and group_key is not null order by 1, 2", (sorted(documents), side))
    return rows.fetchall()


def _members_of(db: psycopg.Connection, groups: list[tuple[str, str]], side: str) -> set[str]:
    rows = db.execute(
        "select distinct r.document_key from reporting.rec_document r"
        " join unnest(%s::text[], %s::text[]) g (hop, group_key) on g.hop = r.hop and g.group_key = r.group_key"
        " where r.side = %s", ([hop for hop, _ in groups], [key for _, key in groups], side))
    return {key for (key,) in rows}


def _group(db: psycopg.Connection, hop: str, group_key: str) -> Group:
    rows = db.execute(
        "select side, document_key, connection, document_type, document_id, document_number, document_date, period,"
        " amount, currency_code, outcome, reason_code, source_url, match_key from reporting.rec_document"
        " where hop = %s and group_key = %s order by side, document_date, document_number, document_key",
        (hop, group_key)).fetchall()
    match_key = next((row[-1] for row in rows if row[-1]), None)
    match = db.execute("select pass_name, match_pass, confidence, status, difference_amount from reporting.rec_match"
                       " where match_key = %s", (match_key,)).fetchone() or (None,) * 5
    members = tuple(Member(row[0], Document(*row[1:6]), *row[6:13]) for row in rows[:MOST_MEMBERS])
    broken = tuple(book.find(db, book.Filter(hop=hop, document_keys=tuple(sorted({row[1] for row in rows})))))
    title = HOPS[hop][0] if hop in HOPS else hop
    suggested = _suggestions(db, hop, [row[1] for row in rows])
    decided = _decisions(db, hop, rows)
    more = max(len(rows) - MOST_MEMBERS, 0)
    return Group(hop, title, group_key, match_key, *match, members, more, broken, suggested, decided)


def _decisions(db: psycopg.Connection, hop: str, rows: list[tuple[Any, ...]]) -> tuple[Decided, ...]:
    found = db.execute(
        "with member as (select * from unnest(%s::text[], %s::text[]) as m (connection, document_id))"
        " select connection_a || ':' || record_id_a, connection_b || ':' || record_id_b, verdict = 'SAME', decided_by,"
        " decided_at, reason, amount, currency_code from ops.identity_decision_now where entity = %s"
        " and (connection_a, record_id_a) in (select connection, document_id from member)"
        " and (connection_b, record_id_b) in (select connection, document_id from member)"
        " order by decision_id limit %s",
        ([row[2] for row in rows], [row[4] for row in rows], hop, MOST_MEMBERS)).fetchall()
    return tuple(Decided(*row) for row in found)


def _suggestions(db: psycopg.Connection, hop: str, document_keys: list[str]) -> tuple[Suggestion, ...]:
    numbers = ("string_agg(coalesce(document_number, document_id), ' + ' order by document_date, document_number)"
               " filter (where side = '{}')")
    rows = db.execute(
        f"select {numbers.format('left')}, {numbers.format('right')}, pass_name, is_sure, confidence,"
        " difference_amount, currency_code from reporting.rec_suggestion where suggestion_key in ("
        "select suggestion_key from reporting.rec_suggestion where hop = %s and document_key = any(%s))"
        " group by suggestion_key, 3, 4, 5, 6, 7 order by is_sure desc, confidence desc, 1, 2 limit %s",
        (hop, document_keys, MOST_MEMBERS)).fetchall()
    return tuple(Suggestion(*row) for row in rows)


# --- the records ------------------------------------------------------------------------------------------------------


def _records(connection: str, sources: list[tuple[str, str, int]], content: bool) -> tuple[Record, ...]:
    """Current versions of the landed rows, with their loads."""
    from psycopg import sql

    with warehouse.present("reading records"), warehouse.connect("loader", application="tieout explain") as db:
        found = []
        for table in dict.fromkeys(table for table, _, _ in sources):
            name = table.removeprefix("raw.")
            if db.execute("select to_regclass(%s)", (f'raw."{name}"',)).fetchone()[0] is None:
                continue
            published = {key: batch for other, key, batch in sources if other == table}
            said = sql.SQL("to_jsonb(r)" if content else "null::jsonb")
            query = sql.SQL(
                "select r._key, r._batch_id, r._landed_at, r._modified_at, r._is_deleted, l.archive_uri,"
                " l.archive_sha256, {} from raw.{} r left join ops.load l on l.batch_id = r._batch_id where"
                " r._connection = %s and r._key = any(%s) and r._superseded_batch is null order by r._key")
            rows = db.execute(query.format(said, sql.Identifier(name)), (connection, list(published)))
            found += [Record(connection, f"raw.{name}", key, batch, landed, modified, deleted,
                             batch > (published[key] or 0), uri, digest, fields)
                      for key, batch, landed, modified, deleted, uri, digest, fields in rows]
    return tuple(found)
