"""What the report says: read from schema reporting of one publication, nothing else."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from tieout.errors import PublishError
from tieout.publish import summary
from tieout.publish.summary import HopRow

if TYPE_CHECKING:
    import psycopg

TOP_BREAKS = 25
TOP_PARTIES = 8
TOP_DEBTORS = 10
BUCKETS = ("current", "1-30", "31-60", "61-90", "90+", "credit", "unapplied")


@dataclass(frozen=True)
class Shown:
    """The publication that the report is about."""

    run_id: int
    publication_id: int
    as_of_date: date
    published_at: datetime
    is_current: bool


@dataclass(frozen=True)
class BridgeStep:
    """A step of the bridge over all entities and periods, group currency. A level's order is a multiple of 100."""

    step: str
    order: int
    amount: Decimal

    @property
    def is_level(self) -> bool:
        return self.order % 100 == 0


@dataclass(frozen=True)
class Reason:
    """Breaks of one reason: number, absolute and net amount in group currency."""

    code: str
    name: str
    breaks: int
    absolute: Decimal
    net: Decimal
    expected: bool


@dataclass(frozen=True)
class Age:
    """Breaks of one age: those the business expects and the others, absolute amounts in group currency."""

    bucket: str
    breaks: int
    absolute: Decimal
    expected: Decimal


@dataclass(frozen=True)
class Party:
    """A document in the group of a break; `url`: the record in the vendor's system."""

    side: str
    document_type: str
    document_number: str | None
    currency: str
    amount: Decimal
    url: str | None


@dataclass(frozen=True)
class Break:
    """One row of the register. `parties`: the documents that it is between, of which `more` are not listed; `match`:
    the pass that put them together, or None; `suggested`: what the document may belong to, and nobody has decided.
    """

    hop: str
    code: str
    name: str
    document_type: str
    document_number: str
    counter_number: str | None
    customer: str | None
    entity: str | None
    currency: str
    amount: Decimal
    group_amount: Decimal
    age_days: int | None
    owner: str | None
    status: str | None
    expected: bool
    url: str | None
    evidence: str | None
    key: str
    due_date: date | None
    overdue: bool
    comment: str | None
    match: str | None
    suggested: str | None
    parties: tuple[Party, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class TieOut:
    """Sub-ledger against ledger of one entity and account kind, in the entity's currency; `periods` in order."""

    entity: str
    account_kind: str
    currency: str
    subledger: Decimal
    ledger: Decimal
    manual: Decimal
    difference: Decimal
    explained: Decimal
    unexplained: Decimal
    periods: tuple[tuple[str, Decimal, Decimal], ...]


@dataclass(frozen=True)
class Ageing:
    """Open receivables in group currency: buckets in order, amounts per bucket and entity, the largest debtors."""

    as_of_date: date | None
    buckets: tuple[str, ...]
    totals: dict[str, Decimal]
    entities: dict[str, dict[str, Decimal]]
    debtors: tuple[tuple[str, int, Decimal, Decimal, int], ...]

    @property
    def total(self) -> Decimal:
        return sum(self.totals.values(), Decimal(0))


@dataclass(frozen=True)
class Gate:
    """Results of one suite at one stage; `failed`: (expectation, severity, observed)."""

    stage: str
    suite: str
    passed: int
    total: int
    failed: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Load:
    """What was landed of one stream for this publication."""

    connection: str
    stream: str
    loads: int
    received: int
    landed: int
    unchanged: int
    replayed: int
    quarantined: int
    deleted: int
    requests: int
    seconds: Decimal


@dataclass(frozen=True)
class Facts:
    """All that the template shows."""

    shown: Shown
    currency: str
    minor_units: dict[str, int]
    hops: list[HopRow]
    bridge: list[BridgeStep]
    months: dict[str, list[tuple[str, int, int]]]
    reasons: list[Reason]
    ages: list[Age]
    breaks: list[Break]
    break_count: int
    tieouts: list[TieOut]
    ageing: Ageing
    gates: list[Gate]
    loads: list[Load]

    @property
    def legs(self) -> list[tuple[BridgeStep, list[BridgeStep]]]:
        """Each level of the bridge with the movements that follow it."""
        found: list[tuple[BridgeStep, list[BridgeStep]]] = []
        for step in self.bridge:
            if step.is_level:
                found.append((step, []))
            elif found:
                found[-1][1].append(step)
        return found

    @property
    def unexplained(self) -> Decimal:
        """Over all hops."""
        return sum((hop.unexplained_amount for hop in self.hops), Decimal(0))


def read(connection: psycopg.Connection) -> Facts:
    """Everything, in the caller's transaction. PublishError before the first publication."""
    shown = connection.execute(
        "select p.run_id, p.publication_id, p.as_of_date, p.published_at, p.is_current from reporting.publication p "
        "where p.run_id = (select reporting.published_run())").fetchone()
    if shown is None:
        raise PublishError("nothing was published yet", hint="run the pipeline once")
    currency, _ = summary.group_currency(connection)
    minor_units = connection.execute("select currency_code, minor_units from reporting.dim_currency").fetchall()
    return Facts(
        shown=Shown(*shown), currency=currency,
        minor_units=dict(minor_units),
        hops=summary.hop_rows(connection), bridge=_bridge(connection), months=_months(connection),
        reasons=_reasons(connection), ages=_ages(connection), breaks=_breaks(connection),
        break_count=connection.execute("select count(*) from reporting.rec_break").fetchone()[0],
        tieouts=_tieouts(connection), ageing=_ageing(connection), gates=_gates(connection), loads=_loads(connection))


def _bridge(connection: psycopg.Connection) -> list[BridgeStep]:
    rows = connection.execute(
        "select step, step_order, coalesce(sum(group_amount), 0) from reporting.rec_revenue_bridge "
        "group by step, step_order having step_order % 100 = 0 or sum(group_amount) <> 0 order by step_order, step")
    return [BridgeStep(*row) for row in rows.fetchall()]


def _months(connection: psycopg.Connection) -> dict[str, list[tuple[str, int, int]]]:
    """{hop: [(period, matched, in scope)]}; both sides count."""
    found: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for hop, period, matched, whole in connection.execute(
            "select hop, period, count(*) filter (where outcome = 'matched'), count(*) from reporting.rec_document "
            "where outcome <> 'scoped_out' and period is not null group by hop, period order by hop, period"):
        found[hop].append((period, matched, whole))
    return dict(found)


def _reasons(connection: psycopg.Connection) -> list[Reason]:
    rows = connection.execute(
        "select reason_code, coalesce(max(reason_name), reason_code), count(*), coalesce(sum(abs(group_amount)), 0), "
        "coalesce(sum(group_amount), 0), coalesce(bool_and(is_expected), false) from reporting.rec_break "
        "group by reason_code order by 4 desc, 1").fetchall()
    return [Reason(*row) for row in rows]


def _ages(connection: psycopg.Connection) -> list[Age]:
    rows = connection.execute(
        "select coalesce(age_bucket, 'unknown'), count(*), coalesce(sum(abs(group_amount)), 0), "
        "coalesce(sum(abs(group_amount)) filter (where is_expected), 0) from reporting.rec_break "
        "group by 1 order by min(age_days), 1").fetchall()
    return [Age(*row) for row in rows]


def _breaks(connection: psycopg.Connection) -> list[Break]:
    rows = connection.execute(
        "select b.hop, b.reason_code, coalesce(b.reason_name, b.reason_code), b.document_type, b.document_number, "
        "b.counter_document_number, b.customer_name, b.legal_entity_id, b.currency_code, b.amount, b.group_amount, "
        "b.age_days, b.owner, b.status, coalesce(b.is_expected, false), b.source_url, b.evidence, b.break_key, "
        "b.due_date, b.is_overdue, b.comment, m.pass_name || ', confidence ' || round(m.confidence, 2), "
        "(select string_agg(distinct coalesce(o.document_number, o.document_id), ', ') from reporting.rec_suggestion s "
        "join reporting.rec_suggestion o on o.suggestion_key = s.suggestion_key and o.side <> s.side "
        "where s.hop = b.hop and s.document_key = b.document_key), b.group_key "
        "from (select * from reporting.rec_break order by coalesce(is_expected, false), "
        "abs(group_amount) desc nulls last, break_key limit %s) b "
        "left join reporting.rec_match m on m.match_key = b.match_key "
        "order by coalesce(b.is_expected, false), abs(b.group_amount) desc nulls last, b.break_key",
        (TOP_BREAKS,)).fetchall()
    parties = _parties(connection, {(row[0], row[-1]) for row in rows if row[-1]})
    found = []
    for row in rows:
        group = parties.get((row[0], row[-1]), [])
        found.append(Break(*row[:-1], tuple(group[:TOP_PARTIES]), max(len(group) - TOP_PARTIES, 0)))
    return found


def _parties(connection: psycopg.Connection, groups: set[tuple[str, str]]) -> dict[tuple[str, str], list[Party]]:
    """{(hop, group): its documents}, the left side first."""
    found: dict[tuple[str, str], list[Party]] = defaultdict(list)
    hops, keys = [hop for hop, _ in groups], [key for _, key in groups]
    for hop, key, *party in connection.execute(
            "select r.hop, r.group_key, r.side, r.document_type, r.document_number, r.currency_code, r.amount, "
            "r.source_url from reporting.rec_document r "
            "join unnest(%s::text[], %s::text[]) g (hop, group_key) on g.hop = r.hop and g.group_key = r.group_key "
            "order by r.side, abs(r.amount) desc, r.document_number, r.document_hop_key", (hops, keys)):
        found[hop, key].append(Party(*party))
    return found


def _tieouts(connection: psycopg.Connection) -> list[TieOut]:
    rows = connection.execute(
        "select legal_entity_id, account_kind, functional_currency_code, coalesce(sum(subledger_amount), 0), "
        "coalesce(sum(ledger_amount), 0), coalesce(sum(manual_amount), 0), coalesce(sum(difference_amount), 0), "
        "coalesce(sum(explained_amount), 0), coalesce(sum(unexplained_amount), 0), array_agg(period order by period), "
        "array_agg(difference_amount order by period), array_agg(unexplained_amount order by period) "
        "from reporting.rec_gl_tieout group by 1, 2, 3 order by 1, 2, 3").fetchall()
    return [TieOut(*row[:9], tuple(zip(*row[9:], strict=True))) for row in rows]


def _ageing(connection: psycopg.Connection) -> Ageing:
    rows = connection.execute(
        "select bucket, legal_entity_id, coalesce(sum(group_open_amount), 0), max(as_of_date) "
        "from reporting.fin_ar_ageing group by bucket, legal_entity_id order by bucket, legal_entity_id").fetchall()
    present = {row[0] for row in rows}
    buckets = [bucket for bucket in BUCKETS if bucket in present] + sorted(present - set(BUCKETS))
    totals: dict[str, Decimal] = defaultdict(Decimal)
    entities: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for bucket, entity, amount, _ in rows:
        totals[bucket] += amount
        entities[entity or ""][bucket] = amount
    debtors = connection.execute(
        "select coalesce(max(customer_name), customer_key), count(*), sum(group_open_amount), "
        "coalesce(sum(group_open_amount) filter (where days_overdue > 0), 0), coalesce(max(days_overdue), 0) "
        "from reporting.fin_ar_ageing group by customer_key having sum(group_open_amount) > 0 "
        "order by 3 desc, 1 limit %s", (TOP_DEBTORS,)).fetchall()
    as_of_date = max((row[3] for row in rows if row[3]), default=None)
    return Ageing(as_of_date, tuple(buckets), dict(totals), dict(sorted(entities.items())), tuple(debtors))


def _gates(connection: psycopg.Connection) -> list[Gate]:
    found: dict[tuple[str, str], list[tuple]] = defaultdict(list)
    for stage, suite, *rest in connection.execute(
            "select stage, suite, expectation, severity, observed, passed from reporting.gate_result "
            "where suite <> 'gate' order by stage, suite, expectation"):
        found[stage, suite].append(tuple(rest))
    return [Gate(stage, suite, sum(row[3] for row in rows), len(rows), tuple(row[:3] for row in rows if not row[3]))
            for (stage, suite), rows in found.items()]


def _loads(connection: psycopg.Connection) -> list[Load]:
    rows = connection.execute(
        "select connection, stream, count(*), sum(received), sum(landed), sum(unchanged), sum(replayed), "
        "sum(quarantined), sum(deleted), sum(requests), coalesce(sum(seconds), 0) from reporting.load "
        "group by connection, stream order by connection, stream").fetchall()
    return [Load(*row[:3], *(int(value or 0) for value in row[3:10]), row[10]) for row in rows]
