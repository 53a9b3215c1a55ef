"""Small SVG charts for the report: no library, no script; colours are CSS classes, for light, dark and print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup, escape


@dataclass(frozen=True)
class Step:
    """A step of a waterfall: a `level` stands on its own, a movement leads from one level to the next."""

    label: str
    amount: Decimal
    shown: str
    level: bool


@dataclass(frozen=True)
class Bar:
    """A horizontal bar. `tone`: CSS class of its colour (good, bad, calm, warn, dim)."""

    label: str
    amount: Decimal
    shown: str
    note: str = ""
    tone: str = "calm"


@dataclass(frozen=True)
class Share:
    """A column that is full at 100 %: `part` of `whole`."""

    label: str
    part: int
    whole: int


def waterfall(steps: Sequence[Step], *, width: int = 1130, label_width: int = 270) -> Markup:
    """Top to bottom: levels stand on the left edge, each movement starts where the last step ended."""
    if not steps:
        return Markup("")
    line, figures = 25, 130
    room = width - label_width - figures
    spans = _spans(steps)
    high = max(Decimal(0), *(max(span) for span in spans))
    low = min(Decimal(0), *(min(span) for span in spans))
    scale = room / float(high - low or 1)

    def x(value: Decimal) -> float:
        return round(label_width + float(value - low) * scale, 1)

    height = line * len(steps)
    parts = [f'<line class="axis" x1="{x(Decimal(0))}" x2="{x(Decimal(0))}" y1="0" y2="{height}"/>']
    for index, (step, (start, end)) in enumerate(zip(steps, spans, strict=True)):
        y = index * line
        left, right = min(x(start), x(end)), max(x(start), x(end))
        tone = "calm" if step.level else "good" if step.amount > 0 else "bad"
        weight = "strong" if step.level else "label"
        if index:
            parts.append(f'<line class="thread" x1="{x(spans[index - 1][1])}" x2="{x(spans[index - 1][1])}" '
                         f'y1="{y - 5}" y2="{y + 5}"/>')
        parts.append(
            f"<g><title>{escape(step.label)}: {escape(step.shown)}</title>"
            f'<text class="{weight} start" x="{0 if step.level else 14}" y="{y + 17}">{escape(step.label)}</text>'
            f'<rect class="{tone}" x="{left}" y="{y + 5}" width="{max(right - left, 1.5):.1f}" height="15" rx="2"/>'
            f'<text class="{weight} end" x="{width}" y="{y + 17}">{escape(step.shown)}</text></g>')
    return _svg(width, height, "Revenue bridge", parts)


def _spans(steps: Sequence[Step]) -> list[tuple[Decimal, Decimal]]:
    """(start, end) of each step; movements continue from where the last one ended."""
    spans, running = [], Decimal(0)
    for step in steps:
        start = Decimal(0) if step.level else running
        running = start + step.amount
        spans.append((start, running))
    return spans


def bars(rows: Sequence[Bar], *, width: int = 560, label_width: int = 190) -> Markup:
    """Horizontal bars of absolute size, longest first as given."""
    if not rows:
        return Markup("")
    line, room = 26, width - label_width - 120
    longest = max((abs(row.amount) for row in rows), default=Decimal(0)) or Decimal(1)
    parts = []
    for index, row in enumerate(rows):
        y = index * line
        length = max(float(abs(row.amount) / longest) * room, 1.5)
        parts.append(
            f'<g><title>{escape(row.label)}: {escape(row.shown)} {escape(row.note)}</title>'
            f'<text class="label start" x="0" y="{y + 16}">{escape(row.label)}</text>'
            f'<rect class="{row.tone}" x="{label_width}" y="{y + 4}" width="{length:.1f}" height="{line - 10}" rx="2"/>'
            f'<text class="value start" x="{label_width + length + 8:.1f}" y="{y + 16}">{escape(row.shown)}'
            f'<tspan class="note" dx="6">{escape(row.note)}</tspan></text></g>')
    return _svg(width, line * len(rows), "Bars", parts)


def columns(shares: Sequence[Share], *, width: int = 460, height: int = 110) -> Markup:
    """One column per month, full height = all documents in scope; what is not matched stays pale."""
    if not shares:
        return Markup("")
    top, foot = 6, 20
    slot = width / len(shares)
    room = height - top - foot
    parts = []
    for level in (0, 0.5, 1):
        y = top + room * (1 - level)
        parts.append(f'<line class="axis" x1="0" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"/>')
    step = max(1, -(-len(shares) // 6))
    for index, share in enumerate(shares):
        x = index * slot
        full = share.part / share.whole if share.whole else 0
        parts.append(
            f'<g><title>{escape(share.label)}: {share.part:,} of {share.whole:,} matched</title>'
            f'<rect class="pale" x="{x + slot * 0.12:.1f}" y="{top}" width="{slot * 0.76:.1f}" height="{room}"/>'
            f'<rect class="calm" x="{x + slot * 0.12:.1f}" y="{top + room * (1 - full):.1f}" width="{slot * 0.76:.1f}" '
            f'height="{room * full:.1f}"/></g>')
        if index % step == 0:
            parts.append(f'<text class="label" x="{x + slot / 2:.1f}" y="{height - 5}">{escape(share.label)}</text>')
    return _svg(width, height, "Match rate by month", parts)


def strip(cells: Sequence[tuple[str, str]], *, cell: int = 13) -> Markup:
    """A row of small squares: (tone, tooltip)."""
    parts = [f'<rect class="{tone}" x="{index * cell}" y="0" width="{cell - 3}" height="{cell - 3}" rx="2">'
             f"<title>{escape(said)}</title></rect>" for index, (tone, said) in enumerate(cells)]
    return _svg(max(len(cells), 1) * cell, cell - 3, "Periods", parts, fixed=True)


def stack(parts_of: Sequence[Bar], *, width: int = 1100, height: int = 34) -> Markup:
    """One bar cut into parts; only positive parts have a width."""
    whole = sum((part.amount for part in parts_of if part.amount > 0), Decimal(0))
    if not whole:
        return Markup("")
    x, parts = 0.0, []
    for part in parts_of:
        if part.amount <= 0:
            continue
        length = float(part.amount / whole) * width
        parts.append(
            f'<g><title>{escape(part.label)}: {escape(part.shown)}</title>'
            f'<rect class="{part.tone}" x="{x:.1f}" width="{max(length - 2, 1):.1f}" height="{height}" rx="2"/></g>')
        x += length
    return _svg(width, height, "Parts", parts)


def _svg(width: float, height: float, title: str, parts: Sequence[str], *, fixed: bool = False) -> Markup:
    size = f'width="{width}" height="{height}"' if fixed else f'width="100%" style="max-width:{width}px"'
    # Every text in `parts` was escaped where it was put in.
    return Markup(
        f'<svg class="chart" role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height}" {size} '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>')
