"""The register as people ask for it: the breaks of the newest publication, and those that are cleared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from tieout.errors import RegisterError

if TYPE_CHECKING:
    import psycopg

STATES = ("open", "acknowledged", "in_progress", "resolved", "waived", "cleared")
SHORTEST = 6  # letters of a key that may stand for it


@dataclass(frozen=True)
class Entry:
    """A break and its state. Amounts: in the break's currency, and the group's (None where no rate is known).

    `event_id`: its newest event, 0 where there is none. What a cleared break no longer has is None.
    """

    break_key: str
    event_id: int
    status: str
    hop: str
    reason_code: str
    reason_name: str | None
    document: str
    document_key: str | None
    counter_document: str | None
    customer: str | None
    legal_entity_id: str | None
    currency_code: str | None
    amount: Decimal | None
    group_amount: Decimal | None
    first_seen_date: date | None
    age_days: int | None
    owner: str | None
    due_date: date | None
    is_overdue: bool
    is_expected: bool
    comment: str | None
    changed_at: datetime | None
    changed_by: str | None
    request_id: int | None
    requested_by: str | None
    waived_amount: Decimal | None
    allowance: Decimal | None
    evidence: str | None
    source_url: str | None


@dataclass(frozen=True)
class Event:
    """One line of a break's life."""

    event_id: int
    at: datetime
    run_id: int
    kind: str
    from_status: str
    to_status: str
    actor: str
    account: str
    comment: str | None
    reason: str | None
    owner: str | None
    due_date: date | None
    amount: Decimal | None
    currency_code: str | None
    allowance: Decimal | None


@dataclass(frozen=True)
class Filter:
    """Which breaks. None: any. `status`: one of STATES; None: all but the cleared. `minimum`: absolute group amount;
    where that is unknown, the amount counts as large enough. `key`: the beginning of a key.
    """

    hop: str | None = None
    reason: str | None = None
    status: str | None = None
    owner: str | None = None
    entity: str | None = None
    minimum: Decimal | None = None
    overdue: bool = False
    waiting: bool = False
    key: str | None = None
    document_keys: tuple[str, ...] | None = None


_BREAKS = """
with state as (
    select distinct on (break_key) * from ops.break_event where {mine} order by break_key, event_id desc
), standing as (
    select b.break_key, coalesce(s.event_id, 0) as event_id, b.status, b.hop, b.reason_code, b.reason_name,
           b.connection || ' ' || b.document_type || ' ' || coalesce(b.document_number, b.document_id) as document,
           b.document_key, b.counter_document_number as counter_document, b.customer_name as customer,
           b.legal_entity_id, b.currency_code, b.amount, b.group_amount, b.first_seen_date, b.age_days, b.owner,
           b.due_date, b.is_overdue, coalesce(b.is_expected, false) as is_expected, b.comment, b.changed_at,
           b.changed_by, s.request_id, b.waiver_requested_by as requested_by, s.waived_amount, s.allowance, b.evidence,
           b.source_url
      from reporting.rec_break b left join state s on s.break_key = b.break_key
), gone as (
    select s.break_key, s.event_id, 'cleared', s.hop, s.reason_code, null, s.document, null, null, null,
           s.legal_entity_id, s.currency_code, s.amount, s.group_amount, null::date, null::integer, s.owner, null::date,
           false, false, null, s.at at time zone 'UTC', s.actor, null::bigint, null, null::numeric, null::numeric, null,
           null
      from state s where s.to_status = 'cleared'
)
select * from (select * from standing union all select * from gone) as found
"""


def find(db: psycopg.Connection, chosen: Filter, limit: int | None = None) -> list[Entry]:
    """The breaks that the filter names: those to act on first, by amount. RegisterError for an unknown status."""
    if chosen.status is not None and chosen.status not in STATES:
        raise RegisterError(f"no status {chosen.status!r}", hint=", ".join(STATES))
    wanted = [
        ("status = %(status)s", chosen.status),
        ("status <> 'cleared'", chosen.status is None and chosen.key is None),
        ("hop = %(hop)s", chosen.hop),
        ("reason_code = upper(%(reason)s)", chosen.reason),
        ("lower(owner) = lower(%(owner)s)", chosen.owner),
        ("legal_entity_id = %(entity)s", chosen.entity),
        ("coalesce(abs(group_amount) >= %(minimum)s, true)", chosen.minimum is not None),
        ("is_overdue", chosen.overdue),
        ("request_id is not null", chosen.waiting),
        ("starts_with(break_key, %(key)s)", chosen.key),
        ("document_key = any(%(document_keys)s)", chosen.document_keys is not None),
    ]
    where = " and ".join(["true", *(text for text, given in wanted if given)])
    values = {**vars(chosen), "limit": limit, "document_keys": list(chosen.document_keys or ())}
    mine = "starts_with(break_key, %(key)s)" if chosen.key else "true"
    rows = db.execute(
        f"{_BREAKS.format(mine=mine)} where {where}"
        " order by is_expected, abs(group_amount) desc nulls first, break_key limit %(limit)s",
        values)
    return [Entry(*row) for row in rows.fetchall()]


def get(db: psycopg.Connection, key: str) -> Entry:
    """The break whose key begins so. RegisterError where none or several do."""
    key = key.strip().lower()
    if len(key) < SHORTEST:
        raise RegisterError(f"{key!r} is too short for a key", hint=f"{SHORTEST} letters or more of it")
    found = find(db, Filter(key=key), limit=6)
    exact = [entry for entry in found if entry.break_key == key]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise RegisterError(f"{len(found)} breaks or more begin with {key}",
                            hint=", ".join(entry.break_key for entry in found))
    raise RegisterError(f"there is no break {key}", hint="tieout breaks list")


def history(db: psycopg.Connection, break_key: str) -> list[Event]:
    """All that was ever done about a break, in order."""
    rows = db.execute(
        "select event_id, at, run_id, kind, from_status, to_status, actor, account, comment, reason, owner, due_date,"
        " amount, currency_code, allowance from ops.break_event where break_key = %s order by event_id", (break_key,))
    return [Event(*row) for row in rows.fetchall()]
