"""Score any seed in a scratch warehouse of its own: generate, serve, land, build, compare, remove."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tieout import demo, localpg, place, settings, steps
from tieout.errors import GateError, TieoutError


def score(*, seed: int, size: str, level: int, days: int = 0, unit: str = "global") -> dict[str, Any]:
    """What `simulator.score` says about a company of that seed, with `seconds` and the gates' verdict.

    A failed gate does not end the scoring: it is a result, under `gate`.
    """
    from simulator import company  # noqa: TID251 - the score makes its own company

    begun = time.monotonic()
    home = Path(tempfile.gettempdir()) / f"tieout-score-{secrets.token_hex(6)}"
    home.mkdir(mode=0o711)
    try:
        folder = home / "company" / unit
        company.generate(folder, seed=seed, size=size, level=level, of=unit)
        place.enter(place.demo(home))
        with demo.vendors(home), demo.quiet(home / "score.log"):
            verdicts = [_once()]
            for _ in range(days):
                company.advance(folder, days=1)
                verdicts.append(_once())
        seconds = round(time.monotonic() - begun, 1)
        return {**compare(home, unit), "gate": verdicts[-1], "days": days, "seconds": seconds}
    finally:
        remove(home)


def campaign(seeds: Sequence[int], levels: Sequence[int], *, size: str, unit: str) -> Iterator[dict[str, Any]]:
    """The score of every seed at every level, one after the other, each in a process of its own: none inherits
    another's Airflow, settings or memory. Raises TieoutError that names the run which did not end well.
    """
    for seed in seeds:
        for level in levels:
            words = ["--seed", str(seed), "--level", str(level), "--size", size, "--unit", unit, "--json"]
            done = subprocess.run([sys.executable, "-m", "tieout.cli", "score", *words], capture_output=True, text=True)
            if done.returncode:
                raise TieoutError(f"seed {seed}, level {level} could not be scored:\n{done.stderr[-2000:]}",
                                  hint=f"`tieout score {' '.join(words)}` shows it alone")
            yield {**json.loads(done.stdout), "unit": unit}


def compare(home: Path, unit: str = "global") -> dict[str, Any]:
    """The marts as they stand against the key of a unit's company."""
    from simulator import score as simulator  # noqa: TID251 - the only reader of the answer key
    from tieout.warehouse import connect

    with connect("transformer", application="tieout score") as connection:
        return simulator.score(home / "company" / unit, connection)


def remove(home: Path) -> None:
    """Stop the Postgres of `home` and remove its folder, and its data where root had to keep them elsewhere."""
    elsewhere = home / "pg" / "place"
    if elsewhere.is_file():
        localpg.stop(home)
        data = Path(elsewhere.read_text(encoding="utf-8"))
        if not data.is_relative_to(home):
            shutil.rmtree(data, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


def _once() -> dict[str, Any]:
    """Land everything and build; the gates' verdict."""
    from tieout.warehouse import migrate

    migrate()
    verdict: dict[str, Any] = {"passed": True, "failures": []}
    for name in settings.settings().company.connections:
        landed = steps.land(name)
        verdict = _gate("landing", landed.run_id, verdict)
    run_id = steps.open_run("revenue")
    steps.build(run_id)
    steps.match(run_id)
    verdict = _gate("marts", run_id, verdict)
    if verdict["passed"]:
        steps.publish(run_id)
    steps.close_run(run_id)
    return verdict


def _gate(stage: steps.Stage, run_id: int, before: dict[str, Any]) -> dict[str, Any]:
    try:
        steps.check(stage, run_id)
    except GateError as error:
        return {"passed": False, "failures": [*before["failures"], str(error)]}
    return before
