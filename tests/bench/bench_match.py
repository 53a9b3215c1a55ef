"""Two files of that many rows, matched by keys: `tieout match` as a process, against the limit of five minutes a
million.

Bank lines with the invoice's number in free text, in other separators and without zeros; 2 % name nothing, 3 %
differ. The limits are the product's promise (300 s and 2,048 MB for a million rows a side), not a peer.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from tests.conftest import ROOT

SECONDS, MEGABYTES = 300.0, 2048.0
RULES = """
version: 1
left: {columns: {id: line, date: booked, amount: amount, currency: currency, party: payer, text: purpose}}
right: {columns: {id: id, date: issued, amount: total, currency: currency, party: customer, reference: number}}
"""


def run(rows: int, progress: Callable[[str], Any] = print) -> list[dict[str, Any]]:
    """Seconds and peak memory for `rows` lines on either side."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write(place, rows)
        seconds, work, megabytes, summary = _measured(place)
    matched = summary["rows"]["left"]["matched"]
    limit = max(SECONDS * rows / 1_000_000, 20.0)
    cost = f"{seconds:.0f} s ({work:.0f} s of processor), {megabytes:.0f} MB"
    progress(f"  match: {rows:,} × {rows:,} rows in {cost}, {matched / rows:.1%} matched")
    return [
        {"name": "match", "value": seconds, "unit": "s", "limit": limit, "ratio": seconds / limit, "goal": "<= 1.0"},
        {"name": "match_cpu", "value": work, "unit": "s", "limit": limit, "ratio": work / limit, "goal": "<= 1.0"},
        {
            "name": "match_memory",
            "value": megabytes,
            "unit": "MB",
            "limit": MEGABYTES,
            "ratio": megabytes / MEGABYTES,
            "goal": "<= 1.0",
        },
        {
            "name": "match_left",
            "value": matched,
            "unit": "rows",
            "limit": rows,
            "ratio": matched / rows,
            "goal": ">= 0.95",
        },
    ]


def write(place: Path, rows: int, seed: int = 7) -> None:
    """left.csv, right.csv and rules.yml."""
    rng = np.random.default_rng(seed)
    number = np.arange(rows)
    cents = np.round(rng.lognormal(11, 1.2, rows)).astype(np.int64) + 100
    customer = rng.integers(0, max(rows // 20, 1), rows)
    issued = np.datetime64("2025-01-01") + rng.integers(0, 360, rows)
    currency = np.where(customer % 5 == 0, "USD", "EUR").astype(object)
    order = rng.permutation(rows)
    csv.write_csv(
        pa.table(
            {
                "id": [f"d{n:08d}" for n in rng.permutation(rows)],
                "number": [f"INV-{2025}-{n:07d}" for n in number],
                "issued": issued,
                "total": [f"{c // 100}.{c % 100:02d}" for c in cents.tolist()],
                "currency": currency,
                "customer": [f"C{n:06d}" for n in customer],
            }
        ).take(pa.array(rng.permutation(rows))),
        place / "right.csv",
    )
    paid = cents + np.where(rng.random(rows) < 0.03, rng.integers(-900, 900, rows), 0)
    silent = rng.random(rows) < 0.02
    form = rng.integers(0, 3, rows)
    texts = [
        ("transfer", f"RG 2025/{n} thank you", f"INV2025{n:07d} KD {n % 977}", f"/INV/INV-2025-{n:07d}/")[
            0 if s else f + 1
        ]
        for n, f, s in zip(number.tolist(), form.tolist(), silent.tolist(), strict=True)
    ]
    csv.write_csv(
        pa.table(
            {
                "line": [f"p{n:08d}" for n in rng.permutation(rows)],
                "booked": issued + rng.integers(1, 40, rows),
                "amount": [f"{c // 100}.{c % 100:02d}" for c in np.maximum(paid, 1).tolist()],
                "currency": currency,
                "payer": [f"C{n:06d}" for n in customer],
                "purpose": texts,
            }
        ).take(pa.array(order)),
        place / "left.csv",
    )
    (place / "rules.yml").write_text(RULES, encoding="utf-8")


def _measured(place: Path) -> tuple[float, float, float, dict[str, Any]]:
    command = [
        str(ROOT / ".venv/bin/tieout"),
        "match",
        "--left",
        "left.csv",
        "--right",
        "right.csv",
        "--rules",
        "rules.yml",
        "--json",
        "--out",
        "out",
    ]
    used, before = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - before
    if done.returncode not in (0, 1):
        raise RuntimeError(f"tieout match ended with {done.returncode}: {done.stderr[-800:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    peak = after.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return seconds, work, peak, json.loads(done.stdout)
