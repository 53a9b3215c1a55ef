"""Restatement: what changed between two publications, and the documents that caused it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from tieout import warehouse
from tieout.errors import PublishError

if TYPE_CHECKING:
    import psycopg

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class Measured:
    """How a mart is compared: its key, the column that names a cell's period, its amount and that in group currency.

    `kind`: what may be added up only with its like: an event type (bookings are not billings), a hop.
    """

    key: str
    period: str
    amount: str
    group_amount: str
    kind: str


MEASURES = {
    "fct_revenue": Measured("event_key", "posting_period", "net_amount", "group_net_amount", "event_type"),
    "rec_document": Measured("document_hop_key", "period", "amount", "group_amount", "hop"),
    "rec_break": Measured("break_key", "period_opened", "amount", "group_amount", "hop"),
}


@dataclass(frozen=True)
class DocumentChange:
    """A document's difference of one kind: rows of the mart added, removed or changed, the amounts before and after.

    Amounts are in the document's currency, `group_difference` in the group's. `batches`: the landed batches that
    brought the new versions (fct_revenue only).
    """

    connection: str
    document_type: str
    document_id: str
    kind: str
    document_number: str | None
    legal_entity_id: str | None
    currency_code: str | None
    period: str | None
    change: Change
    rows_added: int
    rows_removed: int
    rows_changed: int
    old_amount: Decimal
    new_amount: Decimal
    group_difference: Decimal
    batches: tuple[int, ...] = ()

    @property
    def difference(self) -> Decimal:
        return self.new_amount - self.old_amount


@dataclass(frozen=True)
class CellChange:
    """One (kind, entity, period, currency): the published sum before and after."""

    kind: str
    legal_entity_id: str | None
    period: str | None
    currency_code: str | None
    old_amount: Decimal
    new_amount: Decimal
    group_difference: Decimal

    @property
    def difference(self) -> Decimal:
        return self.new_amount - self.old_amount


@dataclass(frozen=True)
class Restatement:
    """The difference of two publications of one mart. Documents explain the cells exactly: their sums are equal."""

    table: str
    old_run: int
    new_run: int
    documents: tuple[DocumentChange, ...]
    cells: tuple[CellChange, ...]

    @property
    def group_differences(self) -> dict[str, Decimal]:
        """What the restatement moves in group currency, by kind."""
        found: dict[str, Decimal] = {}
        for cell in self.cells:
            found[cell.kind] = found.get(cell.kind, Decimal(0)) + cell.group_difference
        return found


def between(old: int, new: int, table: str = "fct_revenue") -> Restatement:
    """Compare the publications `old` and `new` (runs, in this order) of `table`. Raises PublishError.

    Reads only versions that were recorded or superseded between the two, so that the cost grows with what changed.
    """
    if table not in MEASURES:
        raise PublishError(f"restatements of {table} are not known", hint=f"one of {', '.join(MEASURES)}")
    if old >= new:
        raise PublishError(f"run {old} is not before run {new}", hint="name the older publication first")
    with warehouse.connect("publisher", application="tieout restatement") as connection:
        for run_id in (old, new):
            if not connection.execute("select 1 from ops.publication where run_id = %s and pruned_at is null",
                                      (run_id,)).fetchone():
                raise PublishError(f"run {run_id} was never published, or is no longer kept",
                                   hint="see reporting.publication")
        return _compare(connection, old, new, table)


# What is valid at `old` but no longer at `new`, against the reverse. A failed run between the two leaves versions that
# are valid at neither: they do not appear.
_CHANGED = """
create temporary table changed_ on commit drop as
with before_ as (
    select * from marts.{table}
     where recorded_run <= %(old)s and superseded_run > %(old)s and superseded_run <= %(new)s
), after_ as (
    select * from marts.{table}
     where recorded_run > %(old)s and recorded_run <= %(new)s and superseded_run > %(new)s
)
select coalesce(a.connection, b.connection) as connection,
       coalesce(a.document_type, b.document_type) as document_type,
       coalesce(a.document_id, b.document_id) as document_id,
       coalesce(a.{kind}, b.{kind}) as kind, coalesce(a.document_number, b.document_number) as document_number,
       b.legal_entity_id as old_entity, a.legal_entity_id as new_entity,
       b.{period} as old_period, a.{period} as new_period,
       b.currency_code as old_currency, a.currency_code as new_currency,
       b.{key} is not null as had, a.{key} is not null as has,
       coalesce(b.{amount}, 0) as old_amount, coalesce(a.{amount}, 0) as new_amount,
       coalesce(b.{group_amount}, 0) as old_group, coalesce(a.{group_amount}, 0) as new_group, {batch} as batch_id
  from before_ b full join after_ a on a.{key} = b.{key}
"""
_DOCUMENTS = """
select connection, document_type, document_id, kind, max(document_number), max(coalesce(new_entity, old_entity)),
       max(coalesce(new_currency, old_currency)), max(coalesce(new_period, old_period)),
       case when bool_and(not had) then 'added' when bool_and(not has) then 'removed' else 'changed' end,
       count(*) filter (where not had), count(*) filter (where not has), count(*) filter (where had and has),
       sum(old_amount), sum(new_amount), sum(new_group - old_group),
       array_remove(array_agg(distinct batch_id order by batch_id), null)
  from changed_
 group by connection, document_type, document_id, kind
 order by abs(sum(new_group - old_group)) desc, connection, document_type, document_id, kind
"""
_CELLS = """
select kind, entity, period, currency, sum(old_amount), sum(new_amount), sum(new_group - old_group)
  from (select kind, old_entity, old_period, old_currency, old_amount, 0, old_group, 0 from changed_ where had
        union all
        select kind, new_entity, new_period, new_currency, 0, new_amount, 0, new_group from changed_ where has
       ) as moves (kind, entity, period, currency, old_amount, new_amount, old_group, new_group)
 group by kind, entity, period, currency
having sum(old_amount) <> sum(new_amount) or sum(old_group) <> sum(new_group)
 order by kind, entity, period, currency
"""


def _compare(connection: psycopg.Connection, old: int, new: int, table: str) -> Restatement:
    measured = MEASURES[table]
    connection.execute(
        _CHANGED.format(table=table, key=measured.key, period=measured.period, amount=measured.amount,
                        group_amount=measured.group_amount, kind=measured.kind,
                        batch="a.batch_id" if table == "fct_revenue" else "null::bigint"),
        {"old": old, "new": new})
    documents = connection.execute(_DOCUMENTS).fetchall()
    cells = connection.execute(_CELLS).fetchall()
    return Restatement(
        table, old, new, tuple(DocumentChange(*row[:-1], batches=tuple(row[-1])) for row in documents),
        tuple(CellChange(*row) for row in cells))
