"""`make faults`: every campaign in its long form; prints a table, writes `build/faults.json`.

A file `campaign_<name>.py` in this folder is a campaign: adding it registers it. The short forms run in `make test`.
Exit code 1 when a fault was not survived, or a campaign tried fewer faults than it planned.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.outcome import Outcome

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CAMPAIGNS = tuple(sorted(path.stem.removeprefix("campaign_") for path in HERE.glob("campaign_*.py")))


def main(arguments: list[str] | None = None) -> int:
    """Run the selected campaigns."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--only", choices=CAMPAIGNS, action="append", help="run only this campaign; may be repeated")
    parser.add_argument("--short", action="store_true", help="the short forms, as in `make test`")
    parser.add_argument("--count", type=int, help="how many faults each; default: the campaign's own number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "faults.json")
    chosen = parser.parse_args(arguments)
    console = Console()
    outcomes, complete = [], True
    for name in chosen.only or CAMPAIGNS:
        campaign = importlib.import_module(f"tests.faults.campaign_{name}")
        count = chosen.count or (campaign.SHORT if chosen.short else campaign.NIGHTLY)
        console.print(f"[dim]{name}: {count:,} faults, seed {chosen.seed} …[/]")
        started = time.monotonic()
        found = campaign.run(count, chosen.seed, lambda line: console.print(f"  [dim]{line}[/]"))
        found.seconds = round(time.monotonic() - started, 1)
        complete &= found.tried >= count
        outcomes.append(found)
        for line in found.failures:
            console.print(f"  [red]{name}[/] {line}", soft_wrap=True)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps([asdict(found) for found in outcomes], indent=2, default=str) + "\n", "utf-8")
    console.print(_table(outcomes))
    console.print(f"written: {chosen.out}", soft_wrap=True)
    return 0 if complete and not any(found.failures for found in outcomes) else 1


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Faults")
    for column in ("campaign", "seed", "tried", "not survived", "seconds", "kinds", "facts"):
        table.add_column(column, justify="right" if column in ("seed", "tried", "not survived", "seconds") else "left")
    for found in outcomes:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(found.kinds.items()))
        facts = ", ".join(f"{word} {value}" for word, value in found.facts.items())
        table.add_row(
            found.name, str(found.seed), f"{found.tried:,}", str(len(found.failures)), f"{found.seconds:,.0f}", kinds,
            facts)
    return table


if __name__ == "__main__":
    sys.exit(main())
