"""SIGKILL at every step of landing, gate, build and publish; then the same again, as a retry or an operator would.

A trial: a warehouse as it was before the step; the step in a process that is killed at one of its points, or at a
random moment; the step again, with nothing mended by hand; then every table compared with the undisturbed run.
"""

from __future__ import annotations

import random
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from tests.faults.crash_content import broken_archives
from tests.faults.crash_world import FIRST_LANDING, STEPS, Hung, World, arguments_of, world
from tests.faults.outcome import Outcome, Tell

NIGHTLY, SHORT = 310, 7
# Of each 31 kills, by step: cheap steps more often. At least 25 of each in the nightly form.
SHARES = {FIRST_LANDING: 3, "land": 7, "check_landing": 4, "build": 6, "check_marts": 4, "publish": 7}
RECOVERY_SECONDS = 60
AGAIN = 3  # how often a strike that never came is planned anew, earlier


@dataclass(frozen=True)
class Trial:
    """Where to strike: at the share `place` of the step's points, or (`timed`) of its seconds. `rest`: what follows the
    kill: `retry` the step, retry it and `go on` to the publication, or a `new run` of everything from the build on.
    """

    number: int
    seed: int
    step: str
    place: float
    timed: bool
    rest: str

    @property
    def verb(self) -> str:
        return "land" if self.step == FIRST_LANDING else self.step

    def __str__(self) -> str:
        how = "moment" if self.timed else "point"
        return f"trial {self.number} of seed {self.seed}: {self.step}, {how} {self.place:.4f}, {self.rest}"


def plan(count: int, seed: int) -> list[Trial]:
    """`count` trials. Each step's places are spread evenly over it, and drawn within their part."""
    draw = random.Random(seed)
    steps = [step for _ in range(count) for step, share in SHARES.items() for _ in range(share)]
    if count < sum(SHARES.values()):  # a short form strikes each step
        steps = [*SHARES] * count
    steps = steps[:count]
    trials, done = [], dict.fromkeys(SHARES, 0)
    for number, step in enumerate(steps, 1):
        at = done[step]
        done[step] += 1
        place = (at + draw.random()) / steps.count(step)
        trials.append(Trial(number, seed, step, place, timed=at % 5 == 4, rest=_rest(step, at)))
    return trials


def _rest(step: str, at: int) -> str:
    if step == "land" and at % 10 == 3:
        return "go on"
    if step == "build" and at % 4 == 3 or step == "check_marts" and at % 8 == 5:
        return "new run"
    return "go on" if step == "build" and at % 4 == 1 else "retry"


def run(count: int, seed: int, tell: Tell, here: World | None = None) -> Outcome:
    """Kill `count` times. `here`: a world that exists already."""
    outcome = Outcome("crash", seed)
    longest: dict[str, float] = {}
    with nullcontext(here) if here else world() as place:
        tell(f"points: {place.points}")
        for trial in plan(count, seed):
            started = time.monotonic()
            kind, lines, seconds = survive(trial, place)
            if kind:
                outcome.struck(kind)
            longest[trial.step] = max(longest.get(trial.step, 0), seconds)
            if seconds > limit(trial, place):
                lines.append(f"recovery took {seconds:.0f} s")
            outcome.failures += [f"{trial}: {line}" for line in lines]
            if lines or trial.number % 10 == 0:
                tell(f"{trial}: {lines or 'survived'} ({time.monotonic() - started:.1f} s)")
        outcome.facts = {"longest recovery in s": round(max(longest.values()), 1),
                         "by step": {step: round(value, 1) for step, value in longest.items()},
                         "points": dict(place.points)}
    return outcome


def limit(trial: Trial, place: World) -> float:
    """How long a recovery may take: a minute; on a machine so busy that the undisturbed step took a third of that, as
    many times longer.
    """
    undisturbed = sum(place.seconds[step] for step in STEPS) if trial.rest != "retry" else place.seconds[trial.step]
    return max(RECOVERY_SECONDS, 3 * undisturbed)


def survive(trial: Trial, place: World) -> tuple[str | None, list[str], float]:
    """(what was struck, or None; what is wrong afterwards; seconds of the recovery)."""
    arguments = place.arguments.get(trial.verb, {})
    done: dict[str, Any] = {}
    for attempt in range(AGAIN):
        place.restore(f"before_{trial.step}")
        earlier = replace(trial, place=trial.place / (attempt + 1))
        done = place.runner.do(trial.verb, arguments=arguments, **strike(earlier, place))
        if "signal" in done:
            break
        if done.get("exit_code"):
            return None, [f"failed without a strike: {done}"], 0.0
    if "signal" not in done:
        return None, [f"was never struck: {done}"], 0.0
    started = time.monotonic()
    try:
        then = recover(trial, place, arguments)
    except (Hung, RuntimeError) as error:
        return trial.step, [f"did not recover: {error}"], time.monotonic() - started
    seconds = time.monotonic() - started
    lines = place.differences(then)
    with place.look() as found:
        lines += broken_archives(found, place.files()) + still_running(found, then)
    return trial.step, lines, seconds


def strike(trial: Trial, place: World) -> dict[str, Any]:
    """Where, as the runner wants to be told."""
    if trial.timed:
        return {"after": place.seconds[trial.step] * trial.place}
    return {"at": 1 + int(place.points[trial.step] * trial.place)}


def recover(trial: Trial, place: World, arguments: dict[str, Any]) -> str:
    """What follows the kill; the copy with which to compare."""
    if trial.rest == "new run":
        place.must("revenue")
        return "after_publish"
    place.must(trial.verb, **arguments)
    if trial.rest == "go on":
        if trial.verb == "land":
            place.must("check_landing", **arguments_of("check_landing", place, 0))
            place.must("revenue")
        else:
            for step in STEPS[STEPS.index(trial.verb) + 1:]:
                place.must(step, **arguments)
        return "after_publish"
    return f"after_{trial.step}"


def still_running(found: Any, then: str) -> list[str]:
    """Books of attempts that nobody will ever close."""
    lines = [f"ops.load: batch {batch} reads 'running'" for (batch,) in found.execute(
        "select batch_id from ops.load where state = 'running'")]
    alive = "" if then == "after_publish" else " and kind = 'land'"
    return lines + [f"ops.run: run {run} reads 'running'" for (run,) in found.execute(
        f"select run_id from ops.run where state = 'running'{alive}")]
