"""The report: one HTML file that answers whether the books tie out, and shows why. No network, no script."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieout.publish import charts, report_data
from tieout.publish.asof import as_of
from tieout.publish.numbers import Numbers, count, percent
from tieout.publish.summary import HOPS

if TYPE_CHECKING:
    from datetime import date

    from markupsafe import Markup

    from tieout.publish.report_data import Facts, TieOut

TEMPLATES = Path(__file__).parent / "templates"
REASONS_SHOWN = 12
MOVEMENTS_SHOWN = 5


def write(run_id: int | date | None, path: Path) -> Path:
    """Write the report of a publication (a run, a day, or None for the newest) to `path`, whole or not at all.

    Raises PublishError when that run was never published.
    """
    with as_of(run_id, role="publisher") as connection:
        facts = report_data.read(connection)
    text = render(facts)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_text(text, encoding="utf-8")
    half.replace(path)
    return path


def render(facts: Facts) -> str:
    """The page. Everything that came from a source system is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    numbers = Numbers(facts.currency, facts.minor_units)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "amount": numbers.amount, "money": numbers.money, "compact": numbers.compact, "count": count, "link": safe_link,
    }
    return environment.get_template("report.html.j2").render(
        facts=facts, hop_titles={hop: words[0] for hop, words in HOPS.items()}, percent=percent,
        charts=_charts(facts, numbers), strips=[_strip(tieout, numbers) for tieout in facts.tieouts],
        zero=Decimal(0), written_at=datetime.now(UTC))


def safe_link(url: str | None) -> str | None:
    """The URL if a browser may follow it: http or https, nothing else (a source could send `javascript:`)."""
    return url if url and url.lower().startswith(("https://", "http://")) else None


def _charts(facts: Facts, numbers: Numbers) -> dict[str, Any]:
    reasons = [
        charts.Bar(f"{reason.code} {reason.name}"[:36], reason.absolute, numbers.compact(reason.absolute),
                   f"{reason.breaks:,}", "dim" if reason.expected else "bad" if reason.code == "X" else "warn")
        for reason in facts.reasons[:REASONS_SHOWN]]
    ages = [charts.Bar(age.bucket, age.absolute, numbers.compact(age.absolute), f"{age.breaks:,}",
                       "dim" if age.expected == age.absolute else "warn") for age in facts.ages]
    return {
        "bridge": charts.waterfall(_bridge(facts, numbers)),
        "reasons": charts.bars(reasons, width=540, label_width=190),
        "ages": charts.bars(ages, width=540, label_width=90),
        "months": {hop: charts.columns([charts.Share(_month(period), part, whole) for period, part, whole in months])
                   for hop, months in facts.months.items()},
        "ageing": charts.stack([
            charts.Bar(bucket, facts.ageing.totals[bucket], numbers.money(facts.ageing.totals[bucket]),
                       tone=f"age{min(place, 4)}") for place, bucket in enumerate(facts.ageing.buckets)]),
    }


def _strip(tieout: TieOut, numbers: Numbers) -> Markup:
    """A square per period: tied, explained, or not."""
    cells = []
    for period, difference, unexplained in tieout.periods:
        tone = "bad" if unexplained else "warn" if difference else "good"
        said = f"difference {numbers.money(difference, tieout.currency)}" if difference else "ties out"
        cells.append((tone, f"{period}: {said}"))
    return charts.strip(cells)


def _bridge(facts: Facts, numbers: Numbers) -> list[charts.Step]:
    """The levels, and the largest movements between two of them; the small ones as one."""
    steps: list[charts.Step] = []
    for level, movements in facts.legs:
        steps.append(charts.Step(_words(level.step), level.amount, numbers.amount(level.amount), level=True))
        ranked = sorted(movements, key=lambda movement: -abs(movement.amount))
        kept, rest = ranked[:MOVEMENTS_SHOWN], ranked[MOVEMENTS_SHOWN:]
        if len(rest) == 1:
            kept, rest = ranked, []
        shown = [(_words(movement.step), movement.amount) for movement in movements if movement in kept]
        if rest:
            shown.append((f"{len(rest)} smaller reasons", sum((movement.amount for movement in rest), Decimal(0))))
        steps += [charts.Step(words, amount, numbers.amount(amount), level=False) for words, amount in shown]
    return steps


def _words(step: str) -> str:
    """`not_billed` → `Not billed`; a reason's code stays as it is."""
    words = step.replace("_", " ")
    return words[:1].upper() + words[1:]


def _month(period: str) -> str:
    """`2026-05` → `5/26`."""
    year, _, month = period.partition("-")
    return f"{int(month)}/{year[2:]}" if month.isdigit() else period
