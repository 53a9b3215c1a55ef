"""Who is to be erased: the customer records that are one person, and which landed rows are theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from tieout.errors import ConfigError, ErasureError
from tieout.landing.erased import ANY, Marks, canonical, scope
from tieout.landing.veil import hashed
from tieout.secrets import hash_key

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Company, Connection, Stream

CROSSWALK = "intermediate.int_customers__identified"
CANONICAL = ("case when {0}::text ~ '^[0-9]+$' then coalesce(nullif(ltrim({0}::text, '0'), ''), '0') "
             "else btrim({0}::text) end")


@dataclass(frozen=True)
class Person:
    """records: (connection, id), the one that was named first. golden: the customer keys that they ever had."""

    records: tuple[tuple[str, str], ...]
    golden: tuple[str, ...]

    @property
    def ids(self) -> dict[str, list[str]]:
        """{connection: ids as they are compared}"""
        found: dict[str, list[str]] = {}
        for connection, id_ in self.records:
            found.setdefault(connection, []).append(canonical(id_))
        return found


def named(db: psycopg.Connection, company: Company, record: str | None, customer: str | None) -> Person:
    """The person whose record (`connection:id`) or golden customer that is, with all records of the golden customer.

    `db` may read the crosswalk. ConfigError where nobody is meant, or several might be.
    """
    if (record is None) == (customer is None):
        raise ConfigError("who is to be erased?", hint="a record (connection:id), or --customer KEY; one of them")
    known = db.execute("select to_regclass(%s) is not null", (CROSSWALK,)).fetchone()[0]
    if record is not None:
        connection, colon, id_ = record.partition(":")
        if not colon or not id_:
            raise ConfigError(f"{record!r} names no record", hint="connection:id, as in netsuite_us:1042")
        company.connection(connection)
        keys = _keys(db, [(connection, id_)]) if known else []
        first = [(connection, id_)]
    else:
        first, keys = [], [customer] if known and customer else []
    others = db.execute(
        f"select distinct connection, customer_id from {CROSSWALK} where customer_key = any(%s) "
        "and superseded_run = 9223372036854775807 order by 1, 2", (keys,)).fetchall() if keys else []
    records = tuple(dict.fromkeys([*first, *(row for row in others if row[0] in company.connections)]))
    if not records:
        raise ConfigError(f"no customer {customer!r}", hint="the key of dim_customer; see `tieout identity show`")
    return Person(records, tuple(_keys(db, records)) if known else ())


def _keys(db: psycopg.Connection, records: list | tuple) -> list[str]:
    return [key for (key,) in db.execute(
        f"select distinct customer_key from {CROSSWALK} c join unnest(%s::text[], %s::text[]) as r (connection, id) "
        "on c.connection = r.connection and c.customer_id = r.id order by 1",
        ([one[0] for one in records], [one[1] for one in records])).fetchall()]


@dataclass(frozen=True)
class Place:
    """A person at one connection. ids: as compared; hashes: of the ids, as hashed columns hold them."""

    connection: Connection
    ids: tuple[str, ...]
    marks: Marks

    @property
    def key(self) -> bytes:
        """The connection's key of hashes. SecretError where it is absent."""
        return hash_key(self.connection).encode()

    @property
    def hashes(self) -> list[str]:
        """What hashed columns hold of the person: before, and after an erasure."""
        return [*(hashed(self.key, one) for one in self.ids), self.marks.pseudonym]

    def stream(self, name: str) -> Stream:
        return self.connection.source.stream(name)

    def theirs(self, stream: Stream, row: str = "r") -> sql.Composed | None:
        """SQL that says whether the landed row is the person's; None for streams whose rows are nobody's."""
        told: list[sql.Composable] = []
        if stream.person:
            column = sql.SQL(CANONICAL).format(sql.Identifier(row, stream.person.column))
            if stream.person.of is None:
                told.append(sql.SQL("{} = any({}::text[])").format(column, sql.Literal([*self.ids])))
            else:
                told.append(sql.SQL("{} in ({})").format(column, self.links(stream, f"{row}_")))
        for one in stream.columns:
            if one.hashed:
                told.append(sql.SQL("{} = any({}::text[])").format(
                    sql.Identifier(row, one.name), sql.Literal(self.hashes)))
        if not told:
            return None
        return sql.SQL("({}._connection = {} and ({}))").format(
            sql.Identifier(row), sql.Literal(self.connection.name), sql.SQL(" or ").join(told))

    def links(self, stream: Stream, row: str = "r") -> sql.Composed:
        """A query for what leads from the person to rows of a stream that has no id of theirs."""
        above = self.stream(stream.person.of)
        return sql.SQL("select {} from raw.{} {} where {}").format(
            sql.SQL(CANONICAL).format(sql.Identifier(row, stream.person.at)), sql.Identifier(above.table),
            sql.Identifier(row), self.theirs(above, row))

    def find(self, db: psycopg.Connection) -> Callable[[str, str], Marks | None]:
        """For masks: whether an id, or a link to a stream's rows, is the person's."""
        known: Mapping[str, set[str]] = {ANY: {*self.ids, *self.hashes}}
        for stream in self.connection.every():
            if stream.person and stream.person.of and is_there(db, stream):
                known[scope(stream)] = {one for (one,) in db.execute(self.links(stream)) if one}  # type: ignore[index]
        return lambda where, value: self.marks if value in known.get(where, ()) else None


def is_there(db: psycopg.Connection, stream: Stream) -> bool:
    """Whether the stream's table, and those on the way to its person, exist."""
    return db.execute("select to_regclass(%s) is not null", (f'raw."{stream.table}"',)).fetchone()[0]


def refuse_keys(places: list[Place]) -> None:
    """ErasureError where personal data is the key of records: they could not be told apart without it."""
    for place in places:
        for stream in place.connection.every():
            for column in stream.columns:
                if column.pii and not column.hashed and column.name in stream.key:
                    raise ErasureError(
                        f"{place.connection.name}.{stream.name}: {column.name} is personal data and a key",
                        hint="declare another key, or the column as `hashed: true`, and land the stream again")
