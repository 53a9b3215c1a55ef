"""The erasure of one person, from the question who it is to the proof that nothing is left.

It may be cut off anywhere: what it looks for stands in `ops.erasure_work` until all of it is gone, and the same command
goes on. Landing is told first, so that nothing comes back; the streams' locks and the builds' lock are held throughout.
"""

from __future__ import annotations

import json
import secrets
import string
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tieout import settings, warehouse
from tieout.erasure import breaks, files, found, tables
from tieout.erasure.person import Person, Place, named, refuse_keys
from tieout.erasure.words import Words
from tieout.errors import ConfigError, ErasureError
from tieout.landing import ledger
from tieout.landing.erased import ANY, Erased, Marks
from tieout.landing.quarantine import who
from tieout.landing.veil import hashed
from tieout.secrets import hash_key

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Company

Tell = Callable[[str, int], None]


@dataclass(frozen=True)
class Report:
    """What an erasure did, or would do. counts: {place: rows or files}; only places that hold something.

    shared: values that are somebody else's, too: they stay where they are theirs. undeclared: streams with personal
    columns that do not say whose they are.
    """

    erasure_id: int | None
    applied: bool
    records: tuple[tuple[str, str], ...]
    values: int
    shared: int
    counts: dict[str, int]
    undeclared: tuple[str, ...] = ()


@dataclass
class _Work:
    """One run. `owner` reads and writes raw and ops."""

    owner: psycopg.Connection
    person: Person
    places: list[Place]
    apply: bool
    tell: Tell
    words: Words = Words((), "")
    known: frozenset[found.Value] = frozenset()
    shared: int = 0
    goes_on: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, place: str, count: int) -> None:
        if count:
            self.counts[place] += count
            self.tell(place, count)


def erase(company: Company, record: str | None = None, customer: str | None = None, *, reason: str = "", by: str = "",
          apply: bool = False, tell: Tell = lambda place, count: None) -> Report:
    """Erase the person whose customer record (`connection:id`) or golden customer (`customer`) is named.

    Without `apply` nothing is changed, and the report says where they are. Raises ConfigError where nobody is meant,
    SecretError without a connection's hash_key, ErasureError without a reason and where something is left.
    """
    with ExitStack() as stack:
        owner = stack.enter_context(warehouse.connect("owner", autocommit=True, application="tieout erase"))
        with warehouse.connect("transformer", application="tieout erase") as books:
            person = named(books, company, record, customer)
        if apply:
            _said(reason, by or who())
            stack.enter_context(_alone(company, person))
        places = _places(owner, company, person)
        refuse_keys(places)
        work = _Work(owner, person, places, apply, tell)
        erasure_id = _open(work, company, reason, by or who())
        try:
            with _rollback_unless(owner, apply):
                _tables_of_owner(work, erasure_id)
            _tables_of_others(work, "transformer")
            _tables_of_others(work, "publisher")
            for one in places:
                work.add(f"archive of {one.connection.name}",
                         files.hide_archived(owner, one, work.words, apply=apply))
            work.add("files", sum(files.hide_in(path, work.words, apply=apply) for path in files.at_home()))
            if apply:
                _prove(work)
                _close(work, erasure_id)
        except Exception as error:
            if erasure_id is not None:
                _note(work, erasure_id, f"{type(error).__name__}: run the same command again")
            raise
        return Report(erasure_id, apply, person.records, len(work.known), work.shared, dict(work.counts),
                      _undeclared(places))


def _said(reason: str, by: str) -> None:
    if not reason.strip() or not by.strip():
        raise ErasureError("an erasure needs a reason and a name", hint="say why with --reason, and who with --by")


@contextmanager
def _alone(company: Company, person: Person) -> Iterator[None]:
    """No load of the person's connections and no build runs meanwhile; those that run are waited for."""
    with ExitStack() as stack:
        db = stack.enter_context(warehouse.connect("loader", autocommit=True, application="tieout erase"))
        db.execute("select pg_advisory_lock(%s, %s)", warehouse.BUILD_LOCK)
        for name in sorted(person.ids):
            streams = [stream.name for stream in company.connection(name).every()]
            stack.enter_context(ledger.stream_lock(db, name, streams))
        yield


def _places(owner: psycopg.Connection, company: Company, person: Person) -> list[Place]:
    """Where the person is, with the marks of an earlier erasure, or new ones: the same for all of their records."""
    marks: Marks | None = None
    for name, ids in person.ids.items():
        key = hash_key(company.connection(name)).encode()
        row = owner.execute(
            "select marker, pseudonym from ops.erasure_suppressed where connection = %s and stream = %s "
            "and hash = any(%s) limit 1", (name, ANY, [hashed(key, one) for one in ids])).fetchone()
        marks = marks or (Marks(*row) if row else None)
    # Letters alone, so that no rule takes it for a number, a host or two words, and no two of them look alike.
    marks = marks or Marks("".join(secrets.choice(string.ascii_lowercase) for _ in range(16)) + "erased",
                           f"h1:{secrets.token_hex(32)}")
    return [Place(company.connection(name), tuple(dict.fromkeys(ids)), marks) for name, ids in person.ids.items()]


def _open(work: _Work, company: Company, reason: str, by: str) -> int | None:
    """Find what to look for, and write down that it began. The id; None in a dry run."""
    owner, places = work.owner, work.places
    records = [{"connection": one.connection.name, "hash": hashed(one.key, id_)} for one in places for id_ in one.ids]
    begun = owner.execute(
        "select erasure_id from ops.erasure where state = 'running' and exists ("
        "select from jsonb_array_elements(records) r where r = any(%s::jsonb[])) order by 1",
        ([json.dumps(one) for one in records],)).fetchall()
    known = found.values(owner, places)
    for (number,) in begun:
        known |= {(value, kind) for value, kind in owner.execute(
            "select value, kind from ops.erasure_work where erasure_id = %s", (number,))}
    told, shared = found.telling(owner, company, places, known)
    beside = frozenset(value.strip() for value, kind in known if kind in ("place", "True") and value not in told)
    work.words = Words(tuple(sorted(told)), places[0].marks.text, beside)
    work.known, work.shared, work.goes_on = frozenset(known), len(shared), bool(begun)
    if work.words and work.words.anywhere.search(f"{reason} {by}"):
        raise ErasureError("the reason, or the name of who asks, holds personal data of who is to be erased",
                           hint="name a ticket instead; the record of an erasure is kept")
    if not known and not begun and not tables.is_suppressed(owner, places):
        raise ConfigError("nothing is known of " + ", ".join(":".join(one) for one in work.person.records),
                          hint="connection:id, as in netsuite_us:1042; see `tieout identity show`")
    if not work.apply:
        return None
    with owner.transaction():
        number = begun[0][0] if begun else owner.execute(
            "insert into ops.erasure (records, requested_by, account, reason) values (%s, %s, %s, %s) "
            "returning erasure_id",
            (json.dumps(records), by.strip(), who(), reason.strip())).fetchone()[0]
        with owner.cursor() as cursor:
            cursor.executemany("insert into ops.erasure_work values (%s, %s, %s) on conflict do nothing",
                               [(number, value, kind) for value, kind in sorted(known)])
        for one in places:
            tables.suppress(owner, one)
    return number


@contextmanager
def _rollback_unless(db: psycopg.Connection, apply: bool) -> Iterator[None]:
    """A transaction that is undone where it only was to count."""
    import psycopg

    with db.transaction():
        yield
        if not apply:
            raise psycopg.Rollback


def _tables_of_owner(work: _Work, erasure_id: int | None) -> None:
    """Landed rows, the quarantine, the books, the register."""
    keys: dict[str, set[str]] = {}
    for one in work.places:
        for stream in one.connection.every():
            keys.setdefault(stream.table, set()).update(stream.key)
            work.add(f"raw.{stream.table}", tables.hide_landed(work.owner, one, stream))
            erased = Erased.of(work.owner, one.connection, stream)
            work.add("ops.quarantine", tables.hide_quarantined(work.owner, one, stream, erased))
    for table in tables.tables(work.owner, settings.ROLE_NAMES["owner"]):
        _hide(work, work.owner, table, frozenset(keys.get(table.name, ())))
    events, chain = breaks.hide(work.owner, work.words)
    work.add("ops.break_event", events)
    if chain is not None:
        work.owner.execute(
            "update ops.erasure set register = %s::jsonb || jsonb_build_object('heads', "
            "coalesce(register -> 'heads', '{}') || %s::jsonb) where erasure_id = %s",
            (json.dumps(chain), json.dumps(chain["heads"]), erasure_id))


def _tables_of_others(work: _Work, role: str) -> None:
    """Staging, intermediate and marts; what is copied for readers."""
    with warehouse.connect(role, autocommit=True, application="tieout erase") as db, _rollback_unless(db, work.apply):
        for table in tables.tables(db, settings.ROLE_NAMES[role]):
            _hide(work, db, table, frozenset())


def _hide(work: _Work, db: psycopg.Connection, table: tables.Table, kept: frozenset[str]) -> None:
    rows = tables.hide_about(db, table, work.person, work.places[0].marks.text)
    rows += tables.sweep(db, table, work.words, kept)
    if (table.schema, table.name) == ("intermediate", "int_customers__clustered"):
        tables.forget_scores(db, work.person)
    work.add(f"{table.schema}.{table.name}", rows)


def _prove(work: _Work) -> None:
    """ErasureError that names every place where one of the words still stands."""
    left = {f"{table.schema}.{table.name}": rows for role in ("owner", "transformer", "publisher")
            for table, rows in _holding(work, role) if rows}
    if events := breaks.holding(work.owner, work.words):
        left["ops.break_event"] = events
    with _rollback_unless(work.owner, False):
        left |= {f"raw.{stream.table}": rows for one in work.places for stream in one.connection.every()
                 if (rows := tables.hide_landed(work.owner, one, stream))}
    left |= {f"archive of {one.connection.name}": count for one in work.places
             if (count := files.hide_archived(work.owner, one, work.words, apply=False))}
    home = settings.settings().home
    left |= {str(path.relative_to(home.resolve())): 1 for path in files.at_home()
             if files.hide_in(path, work.words, apply=False)}
    if left:
        raise ErasureError(
            "the person is still in " + ", ".join(f"{place} ({count:,})" for place, count in sorted(left.items())[:20]),
            hint="what stands in keys, in Airflow's own database or in files of others is not changed: see "
            "docs/security.md; then run the same command again")


def _holding(work: _Work, role: str) -> Iterator[tuple[tables.Table, int]]:
    with warehouse.connect(role, autocommit=True, application="tieout erase") as db:
        for table in tables.tables(db, settings.ROLE_NAMES[role]):
            yield table, tables.holding(db, table, work.words)


def _close(work: _Work, erasure_id: int) -> None:
    """Dead rows and statistics go, which hold values, too; then what was looked for. That it was done is kept."""
    for role in ("owner", "transformer", "publisher"):
        with warehouse.connect(role, autocommit=True, application="tieout erase") as db:
            for table in tables.tables(db, settings.ROLE_NAMES[role]):
                if work.goes_on or f"{table.schema}.{table.name}" in work.counts:
                    db.execute(tables.sql.SQL("vacuum (analyze) {}").format(table.quoted))
    with work.owner.transaction():
        work.owner.execute("delete from ops.erasure_work where erasure_id = %s", (erasure_id,))
        _note(work, erasure_id, None)
        work.owner.execute("update ops.erasure set state = 'finished', finished_at = clock_timestamp() "
                           "where erasure_id = %s", (erasure_id,))
    work.owner.execute("vacuum (analyze) ops.erasure_work")
    work.owner.execute("vacuum (analyze) ops.break_event")


def _note(work: _Work, erasure_id: int, error: str | None) -> None:
    """What this attempt changed, on top of those before it."""
    before = work.owner.execute("select counts from ops.erasure where erasure_id = %s", (erasure_id,)).fetchone()[0]
    work.owner.execute("update ops.erasure set error = %s, counts = %s where erasure_id = %s",
                       (error, json.dumps(dict(Counter(before) + work.counts)), erasure_id))


def _undeclared(places: list[Place]) -> tuple[str, ...]:
    return tuple(f"{one.connection.name}.{stream.name}" for one in places for stream in one.connection.every()
                 if not stream.person and any(column.pii and not column.hashed for column in stream.columns))
