"""The closing table: hop by hop, does it tie out? Used by the command line and by the report."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from tieout.publish.asof import as_of
from tieout.publish.numbers import Numbers, count, percent

if TYPE_CHECKING:
    import psycopg
    from rich.table import Table

# hop → (title, what is on the left, what is on the right)
HOPS = {
    "deal_order": ("Deal → order", "won deals", "ERP orders"),
    "order_invoice": ("Order → invoice", "ERP orders", "invoices less credits"),
    "invoice_cash": ("Invoice → cash", "invoices with tax", "cash applied"),
    "invoice_ledger": ("Invoice → ledger", "invoices at the day's rate", "posted to revenue"),
}


@dataclass(frozen=True)
class Side:
    """One side of a hop: documents and amounts (group currency) by outcome. Population = the sum of the three."""

    count: int = 0
    amount: Decimal = Decimal(0)
    matched_count: int = 0
    matched_amount: Decimal = Decimal(0)
    broken_count: int = 0
    broken_amount: Decimal = Decimal(0)
    scoped_count: int = 0
    scoped_amount: Decimal = Decimal(0)


@dataclass(frozen=True)
class HopRow:
    """One hop of the reconciliation. Amounts are in `currency`, the group's.

    `gap_amount` = left − right in scope; `unexplained_amount`: what of it no break explains, absolute per cell, so that
    cells cannot cancel one another out; `break_count`: breaks, of which the business expects `expected_count`.
    """

    hop: str
    title: str
    left_title: str
    right_title: str
    currency: str
    left: Side
    right: Side
    gap_amount: Decimal
    unexplained_amount: Decimal
    break_count: int
    expected_count: int
    minor_units: int = field(default=2, repr=False)

    @property
    def matched_rate(self) -> Decimal | None:
        """Matched documents of those in scope, both sides, 0 to 1; None where there are none."""
        in_scope = self.left.count + self.right.count - self.left.scoped_count - self.right.scoped_count
        return Decimal(self.left.matched_count + self.right.matched_count) / in_scope if in_scope else None


def hop_table(run_id: int | date | None = None) -> list[HopRow]:
    """The hops of a publication (a run, a day, or None for the newest), in the order in which money flows."""
    with as_of(run_id, role="publisher") as connection:
        return hop_rows(connection)


def hop_rows(connection: psycopg.Connection) -> list[HopRow]:
    """The hops that this connection's schema reporting shows."""
    sides = _sides(connection)
    breaks = {hop: (broken, expected) for hop, broken, expected in connection.execute(
        "select hop, count(*), count(*) filter (where is_expected) from reporting.rec_break group by hop")}
    currency, minor_units = group_currency(connection)
    rows = []
    for hop, gap, unexplained in connection.execute(
            "select hop, coalesce(sum(group_gap_amount), 0), coalesce(sum(abs(group_unexplained_amount)), 0) "
            "from reporting.rec_summary group by hop"):
        title, left, right = HOPS.get(hop, (hop, "left", "right"))
        rows.append(HopRow(hop, title, left, right, currency, sides[hop, "left"], sides[hop, "right"], gap, unexplained,
                           *breaks.get(hop, (0, 0)), minor_units=minor_units))
    order = list(HOPS)
    return sorted(rows, key=lambda row: (order.index(row.hop) if row.hop in order else len(order), row.hop))


@dataclass(frozen=True)
class ReasonRow:
    """The breaks of one hop and reason. `amount`: their effect on the hop's gap in the group's currency, net: what is
    posted to another period (B1) adds nothing over all periods. `size`: the same without regard to sign.
    """

    hop: str
    reason_code: str
    reason_name: str
    is_expected: bool
    breaks: int
    amount: Decimal
    size: Decimal


def reason_table(run_id: int | date | None = None) -> list[ReasonRow]:
    """Why the two sides of each hop differ, in the order of the hops; the reasons of a hop add up to its gap."""
    with as_of(run_id, role="publisher") as connection:
        rows = [ReasonRow(*row) for row in connection.execute(
            "select b.hop, b.reason_code, max(b.reason_name), bool_and(b.is_expected), count(*), "
            "coalesce(sum(e.net), 0), coalesce(sum(abs(b.group_amount)), 0) from reporting.rec_break as b "
            "left join (select break_key, sum(group_amount) as net from reporting.rec_break_effect group by 1) as e "
            "on e.break_key = b.break_key group by b.hop, b.reason_code")]
    order = list(HOPS)
    return sorted(rows, key=lambda row: (order.index(row.hop) if row.hop in order else len(order), row.reason_code))


def _sides(connection: psycopg.Connection) -> dict[tuple[str, str], Side]:
    found: dict[tuple[str, str], dict] = defaultdict(dict)
    for hop, side, outcome, documents, amount in connection.execute(
            "select hop, side, outcome, count(*), coalesce(sum(group_amount), 0) from reporting.rec_document "
            "group by hop, side, outcome"):
        facts = found[hop, side]
        word = "scoped" if outcome == "scoped_out" else outcome
        facts[f"{word}_count"], facts[f"{word}_amount"] = documents, amount
        facts["count"] = facts.get("count", 0) + documents
        facts["amount"] = facts.get("amount", Decimal(0)) + amount
    sides = defaultdict(Side)
    sides.update({place: Side(**facts) for place, facts in found.items()})
    return sides


def group_currency(connection: psycopg.Connection) -> tuple[str, int]:
    """The currency of group figures and its minor units."""
    row = connection.execute(
        "select f.group_currency_code, c.minor_units from (select group_currency_code from reporting.fct_revenue "
        "where group_currency_code is not null limit 1) as f "
        "left join reporting.dim_currency as c on c.currency_code = f.group_currency_code").fetchone()
    return (row[0], 2 if row[1] is None else row[1]) if row else ("", 2)


def render(rows: list[HopRow]) -> Table:
    """The table for a terminal."""
    from rich.table import Table

    currency = rows[0].currency if rows else ""
    numbers = Numbers(currency, {currency: rows[0].minor_units if rows else 2})
    table = Table(title=f"Reconciliation, {currency}" if rows else "Nothing is published", title_justify="left",
                  title_style="bold", header_style="dim", box=None, pad_edge=False)
    table.add_column("hop")
    for name in ("left", "amount", "right", "amount", "matched", "breaks", "gap", "unexplained"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        left, right = row.left, row.right
        in_scope = left.count + right.count - left.scoped_count - right.scoped_count
        clear = row.unexplained_amount == 0
        table.add_row(
            row.title, count(left.count - left.scoped_count), numbers.amount(left.amount - left.scoped_amount),
            count(right.count - right.scoped_count), numbers.amount(right.amount - right.scoped_amount),
            percent(left.matched_count + right.matched_count, in_scope), count(row.break_count),
            numbers.amount(row.gap_amount), numbers.amount(row.unexplained_amount),
            style="" if clear else "bold red")
    return table


def render_reasons(rows: list[ReasonRow], currency: str, minor_units: int = 2) -> Table:
    """The reasons for a terminal: one line per hop and reason."""
    from rich.table import Table

    numbers = Numbers(currency, {currency: minor_units})
    table = Table(title=f"What explains each gap, {currency}", title_justify="left", title_style="bold",
                  header_style="dim", box=None, pad_edge=False)
    columns = {"hop": "left", "reason": "left", "breaks": "right", "net effect": "right", "size": "right", "": "left"}
    for name, justify in columns.items():
        table.add_column(name, justify=justify, no_wrap=True)
    shown = None
    for row in rows:
        title = HOPS.get(row.hop, (row.hop,))[0]
        table.add_row(
            "" if title == shown else title, f"{row.reason_code} {row.reason_name}", count(row.breaks),
            numbers.amount(row.amount), numbers.amount(row.size), "expected" if row.is_expected else "",
            style="dim" if row.is_expected else "")
        shown = title
    return table
