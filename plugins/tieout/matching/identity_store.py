"""What identity matching reads from the warehouse, and what it leaves there."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tieout.matching.identity_cluster import Event, Golden, Record
from tieout.matching.identity_records import FIELDS

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

UNIONED = "intermediate.int_customers__unioned"
TABLE = "intermediate.int_customers__{}"
CONTENT = f"md5(cast(row({', '.join(FIELDS)}) as text))"


@dataclass(frozen=True, slots=True)
class Known:
    """A record as the last scoring left it."""

    key: str
    method: str
    score: float | None
    content: str
    feature: int
    since_run: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person said of a pair; `same` or not. `amount`: how much of a payment pays an invoice, in its currency."""

    decision_id: int
    a: Record
    b: Record
    same: bool
    amount: Decimal | None = None
    currency_code: str | None = None


def is_stale(books: psycopg.Connection, digest: str) -> bool:
    """Whether a record, a decision or the way of scoring changed since the last scoring."""
    return bool(
        books.execute(
            f"""
        select not exists (
                select from {TABLE.format("scored")}
                 where digest = %s
                   and decision_id = (
                       select coalesce(max(decision_id), 0) from ops.identity_decision where entity = 'customer'))
            or exists (
                select from (select connection, customer_id, {CONTENT} as content_hash from {UNIONED}) as u
                  full join {TABLE.format("clustered")} as c using (connection, customer_id)
                 where u.content_hash is distinct from c.content_hash)
        """,
            (digest,),
        ).fetchone()[0]
    )


def rows(books: psycopg.Connection) -> tuple[list[tuple], dict[Record, str]]:
    """(records in the order of FIELDS, {record: content hash})."""
    found = books.execute(f"select {', '.join(FIELDS)}, {CONTENT} from {UNIONED}").fetchall()
    return [row[:-1] for row in found], {(row[0], row[1]): row[-1] for row in found}


def weights(books: psycopg.Connection) -> list[tuple[str, str, float]]:
    """The seed as it was loaded."""
    return [
        (a, level, float(w))
        for a, level, w in books.execute(
            "select attribute, level, weight from intermediate.rec_identity_weights"
        ).fetchall()
    ]


def decisions(books: psycopg.Connection, entity: str = "customer") -> list[Decision]:
    """Those that count, newest first."""
    return [
        Decision(number, (a, b), (c, d), verdict == "SAME", *money)
        for number, a, b, c, d, verdict, *money in books.execute(
            "select decision_id, connection_a, record_id_a, connection_b, record_id_b, verdict, amount, currency_code"
            " from ops.identity_decision_now where entity = %s order by decision_id desc",
            (entity,),
        ).fetchall()
    ]


def newest_decision(books: psycopg.Connection) -> int:
    """The greatest id, of a decision or of one that takes another back."""
    return books.execute(
        "select coalesce(max(decision_id), 0) from ops.identity_decision where entity = 'customer'"
    ).fetchone()[0]


def last_digest(books: psycopg.Connection) -> str | None:
    """What the last scoring was made with."""
    found = books.execute(f"select digest from {TABLE.format('scored')}").fetchone()
    return found[0] if found else None


def known(books: psycopg.Connection) -> dict[Record, Known]:
    """All records of the last scoring."""
    return {
        (row[0], row[1]): Known(row[2], row[3], None if row[4] is None else float(row[4]), *row[5:])
        for row in books.execute(
            "select connection, customer_id, customer_key, method, score, content_hash, feature_hash, since_run"
            f" from {TABLE.format('clustered')}"
        ).fetchall()
    }


def golden(books: psycopg.Connection) -> dict[str, Golden]:
    """All living golden ids."""
    return {
        row[0]: Golden(row[0], row[1], (row[2], row[3]), row[4])
        for row in books.execute(
            "select customer_key, born_run, anchor_connection, anchor_customer_id, anchor_role"
            f" from {TABLE.format('golden')}"
        ).fetchall()
    }


def before_matching(books: psycopg.Connection) -> tuple[dict[Record, str], dict[str, Golden]]:
    """Golden ids of a warehouse in which names alone had decided: ({record: id}, {id: golden}); empty in a new one."""
    if books.execute("select to_regclass('intermediate.int_customers__identified')").fetchone()[0] is None:
        return {}, {}
    found = books.execute(
        "select connection, customer_id, customer_key, role, is_anchor, recorded_run"
        " from intermediate.int_customers__identified where superseded_run = 9223372036854775807"
    ).fetchall()
    return (
        {(row[0], row[1]): row[2] for row in found},
        {row[2]: Golden(row[2], row[5], (row[0], row[1]), row[3]) for row in found if row[4]},
    )


def pairs(books: psycopg.Connection) -> list[tuple]:
    """(pair_key, connection_a, customer_id_a, connection_b, customer_id_b, score, veto, method) of stored pairs."""
    return books.execute(
        "select pair_key, connection_a, customer_id_a, connection_b, customer_id_b, cast(score as float8), veto, method"
        f" from {TABLE.format('compared')}"
    ).fetchall()


def copy(books: psycopg.Connection, table: str, columns: pa.Table) -> None:
    """Append an Arrow table; columns by name. An empty text stays a text."""
    from pyarrow import csv

    if not columns.num_rows:
        return
    sink = io.BytesIO()
    csv.write_csv(columns, sink, csv.WriteOptions(include_header=False, quoting_style="needed"))
    names = ", ".join(columns.column_names)
    with books.cursor().copy(f"copy {table} ({names}) from stdin (format csv)") as into:
        into.write(sink.getbuffer())


def drop_pairs(books: psycopg.Connection, keys: Sequence[int] | None) -> None:
    """Forget pairs with their evidence; None: all."""
    if keys is None:
        books.execute(f"truncate {TABLE.format('compared')}, {TABLE.format('evidenced')}")
        return
    for table in ("compared", "evidenced"):
        books.execute(f"delete from {TABLE.format(table)} where pair_key = any(%s)", (list(keys),))


def set_zones(books: psycopg.Connection, keys: Sequence[int], margins: Sequence[float], zones: Sequence[str]) -> None:
    """Zones and margins of stored pairs, where they moved."""
    books.execute(
        f"update {TABLE.format('compared')} as stored set zone = now.zone, margin = now.margin"
        " from unnest(%s::bigint[], %s::numeric[], %s::text[]) as now (pair_key, margin, zone)"
        " where stored.pair_key = now.pair_key"
        " and (stored.zone, stored.margin) is distinct from (now.zone, now.margin)",
        (list(keys), list(margins), list(zones)),
    )


def replace_records(books: psycopg.Connection, gone: Iterable[Record], new: pa.Table) -> None:
    """Records that changed or went, and what they are now."""
    out = list(gone)
    books.execute(
        f"delete from {TABLE.format('clustered')} as stored"
        " using unnest(%s::text[], %s::text[]) as gone (connection, customer_id)"
        " where stored.connection = gone.connection and stored.customer_id = gone.customer_id",
        ([record[0] for record in out], [record[1] for record in out]),
    )
    copy(books, TABLE.format("clustered"), new)


def replace_golden(
    books: psycopg.Connection,
    now: Mapping[str, Golden],
    before: Mapping[str, Golden],
    run_id: int,
    events: Sequence[Event],
) -> None:
    """Golden ids that were born or went, and what became of them."""
    gone = sorted(before.keys() - now.keys())
    books.execute(f"delete from {TABLE.format('golden')} where customer_key = any(%s)", (gone,))
    new = [now[key] for key in sorted(now.keys() - before.keys())]
    with books.cursor().copy(
        f"copy {TABLE.format('golden')} (customer_key, born_run, anchor_connection, anchor_customer_id, anchor_role)"
        " from stdin"
    ) as into:
        for one in new:
            into.write_row((one.key, one.born_run, *one.anchor, one.anchor_role))
    books.execute(f"delete from {TABLE.format('events')} where run_id = %s", (run_id,))
    with books.cursor().copy(
        f"copy {TABLE.format('events')} (run_id, customer_key, event, other_key) from stdin"
    ) as into:
        for event in events:
            into.write_row((run_id, event.key, event.event, event.other_key))


def replace_affiliates(books: psycopg.Connection, found: Mapping[tuple[str, str], str]) -> None:
    """Pairs of golden customers that belong together and are not one."""
    books.execute(f"delete from {TABLE.format('affiliated')}")
    with books.cursor().copy(
        f"copy {TABLE.format('affiliated')} (customer_key_a, customer_key_b, reason) from stdin"
    ) as into:
        for (a, b), reason in sorted(found.items()):
            into.write_row((a, b, reason))


def scored(books: psycopg.Connection, run_id: int, digest: str, decision_id: int, facts: Mapping[str, Any]) -> None:
    """Remember what this scoring was made with."""
    books.execute(
        f"insert into {TABLE.format('scored')} (run_id, digest, decision_id, facts) values (%s, %s, %s, %s)"
        " on conflict (only_row) do update set run_id = excluded.run_id, digest = excluded.digest,"
        " decision_id = excluded.decision_id, facts = excluded.facts",
        (run_id, digest, decision_id, json.dumps(dict(facts))),
    )
