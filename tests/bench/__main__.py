"""`make bench`: run the benchmarks, print a table, write `build/bench.json`.

Each figure is a ratio to a limit measured in the same run on the same machine; only ratios travel between machines.
The JSON is a list of `{name, value, unit, limit, ratio, goal}`. A missed goal is reported, not hidden, and is no
failure: benchmarks are not timed tests.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "bench_landing", "bench_peers", "bench_transform", "bench_history", "bench_match", "bench_identity",
    "bench_realtime",
)


def main() -> int:
    """Run the selected modules; exit code 1 only when a benchmark could not run."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows to land, and lines of history")
    parser.add_argument("--only", choices=MODULES, action="append", help="run only this module")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    chosen = parser.parse_args()
    console = Console()
    figures = []
    for name in chosen.only or MODULES:
        started = time.monotonic()
        console.print(f"[dim]{name}: {chosen.rows:,} rows …[/dim]")
        figures += importlib.import_module(f"tests.bench.{name}").run(chosen.rows, progress=console.print)
        console.print(f"[dim]{name}: {time.monotonic() - started:.0f} s[/dim]")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    console.print(_table(figures))
    console.print(f"written: {chosen.out.relative_to(ROOT) if chosen.out.is_relative_to(ROOT) else chosen.out}")
    return 0


def _table(figures: list[dict]) -> Table:
    table = Table(title=f"Benchmarks, Python {sys.version_info.major}.{sys.version_info.minor}")
    for column in ("name", "value", "unit", "limit", "ratio", "goal", "reached"):
        table.add_column(column, justify="left" if column in ("name", "unit", "goal") else "right")
    for one in figures:
        table.add_row(
            one["name"], f"{one['value']:,.2f}", one["unit"], f"{one['limit']:,.2f}", f"{one['ratio']:.2f}",
            one["goal"], ("yes" if reached(one) else "no") if one["goal"] else "a peer",
        )
    return table


def reached(figure: dict) -> bool:
    """Whether `ratio` fulfils `goal`, which reads `>= 0.6` or `<= 1.2`."""
    sign, bound = figure["goal"].split()
    return figure["ratio"] >= float(bound) if sign == ">=" else figure["ratio"] <= float(bound)


if __name__ == "__main__":
    sys.exit(main())
