"""SIGKILL at every step of landing, gate, build and publish; then the same again, as a retry or an operator would.

A trial: a warehouse as it was before the step; the step in a process that is killed at one of its points, or at a
random moment; in most trials the repetition is killed, too, up to eight times; then the step undisturbed, with nothing
mended by hand, and every table compared with the undisturbed run.
"""

from __future__ import annotations

import random
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

from tests.faults.crash_content import broken_archives
from tests.faults.crash_world import (
    AGAIN,
    FIRST_LANDING,
    REPEATED,
    SHORT_STEPS,
    STEPS,
    Hung,
    World,
    arguments_of,
    world,
)
from tests.faults.outcome import Outcome, Tell

NIGHTLY, SHORT = 310, len(SHORT_STEPS)
# Kills by step in the nightly form: cheap steps more often.
SHARES = {FIRST_LANDING: 6, "land": 84, "check_landing": 26, "build": 26, "check_marts": 28, "publish": 140}
STREAKS = (1, 5, 9)  # kills in a row, in turns
RECOVERY_SECONDS = 60  # of the nightly form; tests share their machine, and wait for content, not for time
TEST_SECONDS = 240
TRIES = 3  # how often a strike that never came is planned anew, earlier
NOTICED_SECONDS = 5  # by then everybody sees that a killed step is dead


@dataclass(frozen=True)
class Strike:
    """At the share `place` of the step's points, or (`timed`) of its seconds."""

    place: float
    timed: bool

    def __str__(self) -> str:
        return f"{'moment' if self.timed else 'point'} {self.place:.4f}"


@dataclass(frozen=True)
class Trial:
    """Strikes in a row. `rest`: what follows: `retry` the step, retry it and `go on` to the publication, or a `new run`
    of everything from the build on.
    """

    number: int
    seed: int
    step: str
    strikes: tuple[Strike, ...]
    rest: str

    @property
    def verb(self) -> str:
        return "land" if self.step == FIRST_LANDING else self.step

    def __str__(self) -> str:
        return f"trial {self.number} of seed {self.seed}: {self.step}, {', '.join(map(str, self.strikes))}, {self.rest}"


def plan(count: int, seed: int) -> list[Trial]:
    """Trials of `count` kills, mixed. Each step's places are spread evenly over it, and drawn within their part."""
    draw = random.Random(seed)
    trials: list[Trial] = []
    for step, kills in _kills(count).items():
        places = [(at + draw.random()) / kills for at in range(kills)]
        draw.shuffle(places)
        strikes = [Strike(place, timed=at % 5 == 4) for at, place in enumerate(places)]
        lengths = cycle(STREAKS)
        for at in range(kills):
            if not strikes:
                break
            streak, strikes = strikes[:(length := next(lengths))], strikes[length:]
            trials.append(Trial(0, seed, step, tuple(streak), _rest(step, at)))
    draw.shuffle(trials)
    return [replace(trial, number=number) for number, trial in enumerate(trials, 1)]


def _kills(count: int) -> dict[str, int]:
    """How many of `count` each step gets; a short form kills each of SHORT_STEPS once."""
    if count <= SHORT:
        return dict.fromkeys(SHORT_STEPS[:count], 1)
    total, given, found = sum(SHARES.values()), 0, {}
    for share, step in sorted((share, step) for step, share in SHARES.items()):
        found[step] = max(1, round((count - given) * share / total))
        given, total = given + found[step], total - share
    return {step: found[step] for step in SHARES}


def _rest(step: str, at: int) -> str:
    if step == "land" and at % 10 == 3:
        return "go on"
    if step in ("build", "check_marts") and at % 4 == 3:
        return "new run"
    return "go on" if step == "build" and at % 4 == 1 else "retry"


def run(count: int, seed: int, tell: Tell, here: World | None = None) -> Outcome:
    """Kill `count` times. `here`: a world that exists already."""
    outcome = Outcome("crash", seed)
    longest: dict[str, float] = {}
    with nullcontext(here) if here else world() as place:
        for trial in plan(count, seed):
            started = time.monotonic()
            try:
                kills, lines, seconds = survive(trial, place)
            except Exception as error:  # noqa: BLE001 - the campaign goes on, and this trial counts for nothing
                kills, lines, seconds = 0, [f"could not be judged: {type(error).__name__}: {error}"], 0.0
            for _ in range(kills):
                outcome.struck(trial.step)
            longest[trial.step] = max(longest.get(trial.step, 0), seconds)
            if seconds > (TEST_SECONDS if here else RECOVERY_SECONDS):
                lines.append(f"recovery took {seconds:.0f} s")
            outcome.failures += [f"{trial}: {line}" for line in lines]
            tell(f"{trial}: {lines or 'survived'} ({kills} kills in {time.monotonic() - started:.1f} s,"
                 f" recovery {seconds:.1f} s; {outcome.tried} so far)")
        outcome.facts = {"longest recovery in s": round(max(longest.values()), 1),
                         "by step": {step: round(value, 1) for step, value in longest.items()},
                         "points": dict(place.points)}
    return outcome


def survive(trial: Trial, place: World) -> tuple[int, list[str], float]:
    """(kills that struck; what is wrong afterwards; seconds of the longest recovery).

    Where a repetition is done before its strike comes, the strikes that are left begin anew.
    """
    place.prepare(trial.step)
    if trial.rest == "new run":
        place.prepare(AGAIN)
    if trial.step == "build":
        place.prepare(REPEATED)
    left, kills, lines, longest, missed = list(trial.strikes), 0, [], 0.0, 0
    while left:
        place.restore(f"before_{trial.step}")
        struck, wrong = _strike_all(left, trial, place, missed)
        lines += wrong
        if not struck:
            missed += 1
            if wrong or missed == TRIES:
                return kills, [*lines, "was never struck"], longest
            continue
        kills += struck
        left = left[struck:]
        wrong, seconds = _recovered(trial, place)
        lines += wrong
        longest = max(longest, seconds)
    return kills, lines, longest


def _strike_all(strikes: list[Strike], trial: Trial, place: World, missed: int) -> tuple[int, list[str]]:
    """Kill the step and its repetitions, until one is done before its strike; how many were killed."""
    for number, strike in enumerate(strikes):
        done = place.runner.do(trial.verb, arguments=place.arguments.get(trial.verb, {}),
                               **where(strike, trial, place, missed if number == 0 else 0))
        if "signal" not in done:
            return number, [f"failed without a strike: {done}"] if done.get("exit_code") else []
        if seen := _seems_alive(place):
            return number + 1, seen
    return len(strikes), []


def _recovered(trial: Trial, place: World) -> tuple[list[str], float]:
    started = time.monotonic()
    try:
        then, seconds = recover(trial, place)
    except (Hung, RuntimeError) as error:
        return [f"did not recover: {error}"], time.monotonic() - started
    return judge(place, then, trial), seconds


def judge(place: World, then: str, trial: Trial) -> list[str]:
    """What differs from the copy `then`, in tables, archive and books."""
    lines = place.differences(then, repeated_build=trial.step == "build")
    with place.look() as found:
        return lines + broken_archives(found, place.files()) + still_running(found, then)


def where(strike: Strike, trial: Trial, place: World, missed: int = 0) -> dict[str, Any]:
    """Where to strike, as the runner wants to be told; earlier after it was missed."""
    share = strike.place / (missed + 1)
    if strike.timed:
        return {"after": place.seconds[trial.step] * share}
    return {"at": 1 + int(place.points[trial.step] * share)}


def recover(trial: Trial, place: World) -> tuple[str, float]:
    """What follows the kill: the copy with which to compare, and the seconds until what was cut off is done."""
    arguments = place.arguments.get(trial.verb, {})
    started = time.monotonic()
    if trial.rest == "new run":
        with place.look() as found:  # where the build was complete, the new run finds nothing new
            built = found.execute("select exists (select from ops.build_watermark where run_id = %s)",
                                  (arguments["run_id"],)).fetchone()[0]
        place.must("revenue")
        return AGAIN if built else "after_publish", time.monotonic() - started
    place.must(trial.verb, **arguments)
    seconds = time.monotonic() - started
    if trial.rest == "retry":
        return f"after_{trial.step}", seconds
    if trial.verb == "land":
        place.must("check_landing", **arguments_of("check_landing", place, 0))
        place.must("revenue")
    else:
        for step in STEPS[STEPS.index(trial.verb) + 1:]:
            place.must(step, **arguments)
    return "after_publish", seconds


def still_running(found: Any, then: str) -> list[str]:
    """Books of attempts that nobody will ever close."""
    lines = [f"ops.load: batch {batch} reads 'running'" for (batch,) in found.execute(
        "select batch_id from ops.load where state = 'running'")]
    alive = "" if then in ("after_publish", AGAIN) else " and kind = 'land'"
    return lines + [f"ops.run: run {run} reads 'running'" for (run,) in found.execute(
        f"select run_id from ops.run where state = 'running'{alive}")]


def _seems_alive(place: World) -> list[str]:
    """Steps that still seem to run although their process was killed."""
    until = time.monotonic() + NOTICED_SECONDS
    with place.look() as found:
        while rows := found.execute("select step, run_id from ops.step_now where state = 'running'").fetchall():
            if time.monotonic() > until:
                return [f"{step} of run {run_id} still seems to run after its kill" for step, run_id in rows]
            time.sleep(0.02)
    return []
