"""`python -m tests.identity.figures`: the table of docs/identity.md. Nobody who set weights looked at these seeds."""

from __future__ import annotations

import sys

from tests.identity import judge, register, simulated

SEEDS = (201, 202, 203)


def main() -> int:
    """Print the table."""
    print("| data | records | pairs | precision | recall | F1 | wrong | in review |")
    print("|---|---|---|---|---|---|---|---|")
    cases = [(f"simulator, level {level}, seeds of 4,000", level) for level in (1, 2, 3)]
    for name, level in cases:
        _row(name, [simulated.company(seed, "bench", level, count=4000) for seed in SEEDS])
    made = [register.Register(seed, 2000) for seed in SEEDS]
    _row("register (other names, other errors), 2,000 firms", [(one.rows, one.units, one.truth) for one in made])
    return 0


def _row(name: str, companies: list) -> None:
    found = [judge.judge(*company) for company in companies]
    true, claimed, right = (sum(getattr(one, word) for one in found) for word in ("true", "claimed", "right"))
    whole = judge.Verdict(true, claimed, right, sum(one.review for one in found), sum(one.records for one in found))
    print(f"| {name} | {whole.records:,} | {true:,} | {whole.precision:.4f} | {whole.recall:.4f} | {whole.f1:.4f}"
          f" | {claimed - right} | {whole.review:,} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
