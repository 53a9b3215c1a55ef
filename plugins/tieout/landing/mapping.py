"""What people decided about values that typing refuses: this received value lands as that one, or as nothing.

Decisions are rows of `ops.quarantine_mapping`, append-only: the latest one about (connection, stream, field, received)
counts, and a `revoke` ends it. They are asked only about a value that does not fit. A landed row shows what was
received under `_extra` → `_tieout_mapped`, and `ops.quarantine_mapping_use` counts the applications per load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from tieout.errors import LandingError
from tieout.landing import typed
from tieout.landing.veil import Veil

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Column, Connection, Stream

MAPPED = "_tieout_mapped"  # the key in `_extra`: {field: the value as received}


@dataclass(frozen=True)
class Decision:
    """A row of `ops.quarantine_mapping` that counts. `value` None: nothing lands. `applied`: how often, in all."""

    mapping_id: int
    connection: str
    stream: str
    field: str
    received: str
    value: str | None
    decided_by: str
    reason: str
    decided_at: datetime
    applied: int = 0


class Healed(NamedTuple):
    """One application: the value as received, and the mapping."""

    received: str
    mapping_id: int


@dataclass
class Healer:
    """The decisions about one column, {received: (mapping, typed value)}. Notes each application until `take`."""

    known: Mapping[str, tuple[int, Any]]
    healed: dict[int, Healed] = field(default_factory=dict)

    def knows(self, received: str | None) -> bool:
        """Whether somebody decided about this value."""
        return received in self.known and len(received or "") < typed.SHOWN

    def heal(self, row: int, received: str) -> Any:
        """The typed value that lands instead."""
        mapping_id, value = self.known[received]
        self.healed[row] = Healed(received, mapping_id)
        return value

    def take(self) -> dict[int, Healed]:
        """{row: application} of the chunk that was just typed."""
        healed, self.healed = self.healed, {}
        return healed


@dataclass
class Healers:
    """The healers of one stream's columns. `used`: how often each mapping let a value land, {mapping: times}."""

    by_column: Mapping[str, Healer]
    used: Counter[int] = field(default_factory=Counter)

    def count(self, healed: Iterable[tuple[str, Mapping[int, Healed]]], refused: Set[int]) -> None:
        """Count applications, except those of records that were refused for another field."""
        for _, by_row in healed:
            self.used.update(one.mapping_id for row, one in by_row.items() if row not in refused)

    @classmethod
    def of(cls, stream: Stream, zone: ZoneInfo, decisions: Iterable[Decision]) -> Healers:
        """Decisions whose field is no longer declared, or whose value no longer fits, heal nothing."""
        found: dict[str, dict[str, tuple[int, Any]]] = {}
        by_field = {column.field: column for column in stream.columns}
        for one in decisions:
            column = by_field.get(one.field)
            if column is None:
                continue
            try:
                value = None if one.value is None else typed.convert(column, one.value, zone)
            except typed.Refused:
                continue  # the column's type was changed after the decision
            found.setdefault(column.name, {})[one.received] = (one.mapping_id, value)
        return cls({name: Healer(known) for name, known in found.items()})


_ACTIVE = """
select m.mapping_id, m.connection, m.stream, m.field, m.received, m.value, m.decided_by, m.reason, m.decided_at,
       coalesce((select sum(u.applied) from ops.quarantine_mapping_use u where u.mapping_id = m.mapping_id), 0)::bigint
           as applied
  from (select distinct on (connection, stream, field, received) * from ops.quarantine_mapping
         where (%(c)s::text is null or connection = %(c)s) and (%(s)s::text is null or stream = %(s)s)
         order by connection, stream, field, received, mapping_id desc) m
 where m.action = 'map' order by m.mapping_id
"""


def active(db: psycopg.Connection, connection: str | None = None, stream: str | None = None) -> list[Decision]:
    """The decisions that count, oldest first."""
    from psycopg.rows import class_row

    with db.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(_ACTIVE, {"c": connection, "s": stream}).fetchall()


def healers(db: psycopg.Connection, connection: Connection, stream: Stream) -> Healers:
    """What to ask while this stream is typed."""
    return Healers.of(stream, connection.zone, active(db, connection.name, stream.name))


def count_use(db: psycopg.Connection, batch_id: int, used: Mapping[int, int]) -> None:
    """Write down how often each mapping was applied by this batch, in its transaction."""
    for mapping_id, times in sorted(used.items()):
        db.execute("insert into ops.quarantine_mapping_use (mapping_id, batch_id, applied) values (%s, %s, %s)",
                   (mapping_id, batch_id, times))


def checked(connection: Connection, stream: Stream, field: str, received: str, value: str | None) -> Column:
    """The column that a mapping speaks of. Raises LandingError where the mapping could never apply or never land."""
    where = f"{connection.name}.{stream.name}, field {field!r}"
    column = next((one for one in stream.columns if field in (one.field, one.name)), None)
    if column is None:
        raise LandingError(f"{where}: not a declared field",
                           hint=f"declared: {', '.join(sorted(c.field for c in stream.columns))}")
    if len(received) >= typed.SHOWN:
        raise LandingError(f"{where}: the value is longer than {typed.SHOWN} characters",
                           hint="correct the record: tieout quarantine replay ID --payload FILE")
    if value is None:
        if column.name in stream.key:
            raise LandingError(f"{where}: a key cannot land as nothing", hint="give the key's right value")
        return column
    try:
        typed.convert(column, value, connection.zone)
    except typed.Refused as refused:
        raise LandingError(f"{where}: {value!r} for {received!r} does not fit {column.type} either: {refused}",
                           hint="give a value of the declared type") from None
    return column


def decide(connection: Connection, stream: Stream, field: str, received: str, value: str | None, *, by: str,
           reason: str) -> int | None:
    """Add a mapping; returns its id, or None where the same one already counts. Raises LandingError.

    Of a field that lands hashed, the mapping holds hashes, too.
    """
    from tieout.warehouse import connect

    said(by, reason)
    column = checked(connection, stream, field, received, value)
    veil = Veil(connection, stream)
    received, value = veil.value(column.field, received) or "", veil.value(column.field, value)
    with connect("loader") as db:
        same = [one for one in active(db, connection.name, stream.name)
                if (one.field, one.received, one.value) == (column.field, received, value)]
        if same:
            return None
        return db.execute(
            "insert into ops.quarantine_mapping (connection, stream, field, received, value, decided_by, reason) "
            "values (%s, %s, %s, %s, %s, %s, %s) returning mapping_id",
            (connection.name, stream.name, column.field, received, value, by, reason)).fetchone()[0]


def revoke(mapping_id: int, *, by: str, reason: str) -> Decision:
    """End a mapping by a later row; what has landed through it stays. Raises LandingError where it does not count."""
    from tieout.warehouse import connect

    said(by, reason)
    with connect("loader") as db:
        found = next((one for one in active(db) if one.mapping_id == mapping_id), None)
        if found is None:
            raise LandingError(f"no mapping {mapping_id} that counts", hint="tieout quarantine mappings")
        db.execute(
            "insert into ops.quarantine_mapping (connection, stream, field, received, action, decided_by, reason) "
            "values (%s, %s, %s, %s, 'revoke', %s, %s)",
            (found.connection, found.stream, found.field, found.received, by, reason))
    return found


def said(by: str, reason: str) -> None:
    """Raises LandingError unless somebody said who decided, and why."""
    if not reason.strip() or not by.strip():
        raise LandingError("a decision needs a reason and a name", hint="say why with --note, and who with --by")


def shown_in(healed: Sequence[tuple[str, Mapping[int, Healed]]]) -> dict[int, dict[str, str]]:
    """{row: {field: value as received}} of what a chunk's healers did."""
    rows: dict[int, dict[str, str]] = {}
    for name, by_row in healed:
        for row, one in by_row.items():
            rows.setdefault(row, {})[name] = one.received
    return rows
