"""Postgres ends hard in mid-run: SIGKILL of the postmaster and its children, or `pg_ctl stop -m immediate`, in turns.

A trial: a warehouse as it was before the step; the step, during which Postgres ends at one of the step's points or at a
random moment; the process has to say so (WarehouseError, exit code 8), neither hang nor claim success; Postgres is
started again, the step is done again, and every table is compared with the undisturbed run.
"""

from __future__ import annotations

import random
import time
from contextlib import nullcontext
from typing import Any

from tests.faults import campaign_crash as crash
from tests.faults.crash_world import FIRST_LANDING, REPEATED, Hung, World, start_again, world
from tests.faults.outcome import Outcome, Tell
from tieout.errors import WarehouseError

NIGHTLY, SHORT = 55, 2
STRIKES = ("kill_postgres", "stop_postgres")
# By step, of each 11.
ORDER = ("land", "publish", "build", "check_marts", "land", "check_landing", "publish", "build", "land", "publish",
         FIRST_LANDING)


def plan(count: int, seed: int) -> list[tuple[crash.Trial, str]]:
    """`count` trials with their strikes."""
    draw = random.Random(seed)
    steps = [ORDER[number % len(ORDER)] for number in range(count)]
    done = dict.fromkeys(ORDER, 0)
    planned = []
    for number, step in enumerate(steps, 1):
        at = done[step]
        done[step] += 1
        place = (at + draw.random()) / steps.count(step)
        where = crash.Strike(place, timed=at % 4 == 3)
        trial = crash.Trial(number, seed, step, (where,), "go on" if number % 9 == 0 and step != "publish" else "retry")
        planned.append((trial, STRIKES[number % 2]))
    return planned


def run(count: int, seed: int, tell: Tell, here: World | None = None) -> Outcome:
    """Stop Postgres `count` times. `here`: a world that exists already."""
    outcome = Outcome("postgres", seed)
    longest = 0.0
    with nullcontext(here) if here else world() as place:
        for trial, strike in plan(count, seed):
            started = time.monotonic()
            try:
                struck, lines, seconds = survive(trial, strike, place)
            except Exception as error:  # noqa: BLE001 - the campaign goes on, and this trial counts for nothing
                struck, lines, seconds = False, [f"could not be judged: {type(error).__name__}: {error}"], 0.0
            if struck:
                outcome.struck(f"{strike} in {trial.step}")
            longest = max(longest, seconds)
            if seconds > (crash.TEST_SECONDS if here else crash.RECOVERY_SECONDS):
                lines.append(f"recovery took {seconds:.0f} s")
            outcome.failures += [f"{trial}, {strike}: {line}" for line in lines]
            tell(f"{trial}, {strike}: {lines or 'survived'} ({time.monotonic() - started:.1f} s,"
                 f" recovery {seconds:.1f} s; {outcome.tried} so far)")
    outcome.facts = {"longest recovery in s": round(longest, 1)}
    return outcome


def survive(trial: crash.Trial, strike: str, place: World) -> tuple[bool, list[str], float]:
    """(whether Postgres ended during the step; what is wrong afterwards; seconds of the recovery, start included)."""
    arguments = place.arguments.get(trial.verb, {})
    done: dict[str, Any] = {}
    lines: list[str] = []
    place.prepare(trial.step)
    if trial.step == "build":
        place.prepare(REPEATED)
    for missed in range(crash.TRIES):
        place.restore(f"before_{trial.step}")
        try:
            done = place.runner.do(trial.verb, arguments=arguments, strike=strike,
                                   **crash.where(trial.strikes[0], trial, place, missed))
        except Hung as hung:
            done, lines = {"struck_at": "?"}, [f"hung: {hung}"]
        if done.get("struck_at"):
            break
        if done.get("exit_code"):
            return False, [f"failed without a strike: {done}"], 0.0
    if not done.get("struck_at"):
        return False, [f"was never struck: {done}"], 0.0
    seconds = start_again(place.home)
    if not lines:
        lines = honest(done, trial, place)
    try:
        then, repeated = crash.recover(trial, place)
    except (Hung, RuntimeError) as error:
        return True, [*lines, f"did not recover: {error}"], seconds
    return True, lines + crash.judge(place, then, trial), seconds + repeated


def honest(done: dict[str, Any], trial: crash.Trial, place: World) -> list[str]:
    """A step in which Postgres ended says that the warehouse is away. It may claim success only where all was done: the
    last answer had come.
    """
    if done.get("exit_code") == WarehouseError.exit_code:
        return []
    if done.get("exit_code") == 0:
        return [f"claimed success, but {line}" for line in place.differences(f"after_{trial.step}")]
    return [f"ended with {done.get('exit_code')}, struck at {done.get('struck_at')}: {done.get('error')}"]
