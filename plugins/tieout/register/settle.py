"""What a publication does to the register: breaks that came, went, returned, or outgrew their waiver.

Runs in the transaction that moves the pointer: readers see a publication together with its register, and a publication
that was cut off leaves neither. Nothing is asked of the clock: the same publication finds the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tieout.register import log

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class Settled:
    """How many breaks a publication opened, cleared, saw again, or took a waiver from."""

    opened: int = 0
    cleared: int = 0
    returned: int = 0
    exceeded: int = 0


# The register against the breaks of the run. A waiver bears a change of up to its allowance, in the break's currency;
# where a break returns, the days to do it count anew.
_FOUND = """
with present as materialized (
    select break_key, hop, reason_code, legal_entity_id,
           connection || ' ' || document_type || ' ' || coalesce(document_number, document_id) as document,
           currency_code, amount, group_amount, due_date - first_seen_date as days
      from marts.rec_break
     where recorded_run <= %(run)s and superseded_run > %(run)s
), state as materialized (
    select distinct on (break_key) break_key, to_status, currency_code, waived_amount, allowance
      from ops.break_event order by break_key, event_id desc
), found as (
    select coalesce(p.break_key, s.break_key) as break_key, p.hop, p.reason_code, p.legal_entity_id, p.document,
           p.currency_code, p.amount, p.group_amount, p.days,
           case when p.break_key is null and s.to_status <> 'cleared' then 'cleared'
                when p.break_key is null then null
                when s.break_key is null then 'opened'
                when s.to_status = 'cleared' then 'returned'
                when s.to_status = 'waived' and (p.currency_code is distinct from s.currency_code
                     or abs(p.amount - s.waived_amount) > s.allowance) then 'exceeded'
           end as kind
      from present p full join state s on s.break_key = p.break_key
), ordered as (
    select * from found where kind is not null order by kind, break_key offset 0
)
select kind, count(ops.record_break_event(
         kind => kind, break_key => break_key, actor => %(actor)s, account => %(account)s, for_run => %(run)s,
         due_date => case when kind = 'returned' then %(day)s::date + days end, hop => hop, reason_code => reason_code,
         legal_entity_id => legal_entity_id, document => document, currency_code => currency_code, amount => amount,
         group_amount => group_amount))
  from ordered group by kind
"""


def settle(db: psycopg.Connection, run_id: int, as_of_date: object) -> Settled:
    """Record what run `run_id` changed, in the caller's transaction. Repeated, it finds nothing more to record."""
    if db.execute("select to_regclass('marts.rec_break')").fetchone()[0] is None:
        return Settled()
    # Before reading: who waits for the log behind another writer would compare with what that one changed.
    db.execute("select pg_advisory_xact_lock(7160, 80)")
    rows = db.execute(_FOUND, {"run": run_id, "day": as_of_date, "actor": log.PUBLICATION, "account": log.account()})
    return Settled(**dict(rows.fetchall()))
