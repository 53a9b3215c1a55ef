"""HTTP faults between the extractors and their vendors: what arrives is what is there, or the run says why not.

A plan is one way to read one vendor, and one to four faults. It is survived when every record and total equals the
undisturbed run's; or when the run fails loudly: an error of the right kind that names connection and stream, nothing of
the failed stream to be seen, and a rerun that goes on where the first one stopped and ends like the undisturbed run.
A short load that nobody noticed, a request that went elsewhere, a paging without end, a job left running at the vendor:
each is a failure. Waiting takes no time.
"""

from __future__ import annotations

import logging
import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulator.serve import CONNECTIONS, Endpoints
from tests.faults import http_landing
from tests.faults.http_layer import KINDS, Canary, Fault, Layer
from tests.faults.http_reading import TIMEOUT, Reading, read
from tests.faults.http_vendors import MANNERS, SCENARIOS, Scenario, set_clock, vendors
from tests.faults.outcome import Outcome, Tell
from tieout import logs
from tieout.errors import AuthError, RateLimitError, SourceError, TieoutError, UnsafeLinkError

NIGHTLY, SHORT = 1000, 40
MOST_REQUESTS = 3_000  # of one plan; an undisturbed run needs about fifty
_CLOCKS = {"clock_ahead": 600, "clock_behind": -600}
_EVERY = (*KINDS, *_CLOCKS)
_SLOW = {"dripping_on", "silent"}
_LANDS_EVERY = 4
_AIMS = {  # kinds that need a certain sort of request; all others strike anywhere
    "ahead": ("more", "job_results", "rows"), "elsewhere": ("token", "query", "more", "rows"),
    "repeated": ("more", "job", "rows", "query"), "out_of_turn": ("more", "job", "rows", "query"),
}
_RIGHT = {  # what a fault that stays may end in, where it is alone
    "429_seconds": RateLimitError, "429_date": RateLimitError, "429_bare": RateLimitError,
    "429_long": RateLimitError, "429_long_date": RateLimitError, "expired": AuthError, "html_401": AuthError,
}


@dataclass(frozen=True)
class Plan:
    """What is read how, and what goes wrong. `skew`: seconds by which our own clock is wrong."""

    number: int
    scenario: Scenario
    lands: bool
    faults: tuple[Fault, ...]
    skew: int = 0

    def __str__(self) -> str:
        what = "land" if self.lands else "read"
        clock = f"; our clock {self.skew:+d} s" if self.skew else ""
        return f"plan {self.number}, {what} {self.scenario.name}: {'; '.join(map(str, self.faults))}{clock}"


@dataclass
class Bench:
    """The vendors, and what an undisturbed run of each scenario asks and yields; read when first needed."""

    endpoints: Endpoints
    canary: Canary
    clean: dict[tuple[str, bool], Reading] = field(default_factory=dict)

    @contextmanager
    def layer(self, scenario: Scenario, faults: tuple[Fault, ...] = ()) -> Iterator[Layer]:
        """A layer in front of the scenario's vendor."""
        url = getattr(self.endpoints, f"{scenario.system}_url")
        with Layer(url, MANNERS[scenario.system], faults, canary=self.canary.url, silence=TIMEOUT + 0.3,
                   most=MOST_REQUESTS) as layer:
            yield layer

    def run(self, scenario: Scenario, name: str, layer: Layer, *, lands: bool, skew: int = 0) -> Reading:
        """One extraction, or one landing, through the layer."""
        secrets = self.endpoints.secrets[CONNECTIONS[scenario.system]]
        connection = scenario.connection(name, layer.url)
        act = http_landing.land if lands else read
        return act(connection, secrets, lambda: datetime.now(UTC) + timedelta(seconds=skew))

    def undisturbed(self, scenario: Scenario, *, lands: bool) -> Reading:
        """What the scenario yields without faults, and what it asks for."""
        key = scenario.name, lands
        if key not in self.clean:
            with self.layer(scenario) as layer:
                found = self.run(scenario, f"clean_{scenario.name}", layer, lands=lands)
            assert found.error is None, found.error
            assert all(found.content.values()), "a stream of the undisturbed run is empty"
            found.asked = list(layer.log)
            self.clean[key] = found
        return self.clean[key]


def run(count: int, seed: int, tell: Tell) -> Outcome:
    """See `tests.faults.outcome.Campaign`."""
    outcome = Outcome("http", seed)
    facts = outcome.facts = dict.fromkeys(("equal", "failed_loudly", "landings", "resumed", "strikes", "requests"), 0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(quiet())
        bench = Bench(stack.enter_context(vendors(folder)), Canary())
        stack.callback(bench.canary.close)
        stack.enter_context(http_landing.warehouse())
        number = 0
        while outcome.tried < count and number < 2 * count:
            number += 1
            set_clock(folder)
            plan = draw(bench, seed, number)
            struck, verdict = survive(bench, plan)
            if not struck:
                continue  # an answer in which there was nothing to harm
            outcome.tried += 1
            for kind in struck:
                outcome.kinds[kind] = outcome.kinds.get(kind, 0) + 1
            facts["strikes"] += verdict.strikes
            facts["landings"] += plan.lands
            facts["requests"] += verdict.requests
            facts["equal"] += verdict.error is None
            facts["failed_loudly"] += verdict.error is not None
            facts["resumed"] += verdict.resumed
            for wrong in verdict.wrong:
                outcome.failures.append(f"seed {seed}, {plan}: {wrong}")
                tell(f"not survived: {outcome.failures[-1]}")
            if outcome.tried % 200 == 0:
                tell(f"{outcome.tried:,} plans, {len(outcome.failures)} not survived")
    return outcome


@contextmanager
def quiet() -> Iterator[None]:
    """Without thousands of warnings: each is expected here."""
    root = logging.getLogger("tieout")
    before = root.level
    root.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        root.setLevel(before)


def draw(bench: Bench, seed: int, number: int) -> Plan:
    """The plan of that number. The kinds of the first faults come in turn, so that each is tried; all else is dice."""
    dice = random.Random(f"http {seed} {number}")
    scenario = dice.choice(SCENARIOS)
    lands = number % _LANDS_EVERY == 0
    asked = bench.undisturbed(scenario, lands=lands).asked
    kind = _EVERY[number % len(_EVERY)]
    skew = _CLOCKS.get(kind, 0)
    more = dice.choices((0, 1, 2, 3), (60, 20, 12, 8))[0]
    kinds = ([] if skew else [kind]) + [dice.choice(KINDS) for _ in range(more)]
    return Plan(number, scenario, lands, tuple(_aim(dice, each, asked) for each in kinds), skew)


def _aim(dice: random.Random, kind: str, asked: list[str]) -> Fault:
    sorts = _AIMS.get(kind)
    fitting = [place for place, family in enumerate(asked) if sorts is None or family.startswith(sorts)] or [0]
    if dice.random() < 0.5:  # each family alike, however often it is asked
        family = dice.choice(sorted({asked[place] for place in fitting}))
        fitting = [place for place in fitting if asked[place] == family]
    place = dice.choice(fitting)
    family, first = asked[place], asked[:place].count(asked[place])
    if sorts is None and "job_create" in asked and dice.random() < 0.1:  # what only a fault makes necessary
        family, first = dice.choice(("job_list", "job_abort")), 0
    times = dice.choices((1, dice.randint(2, 4), None), (60, 20, 20))[0]
    if kind in _SLOW:
        times = 1
    return Fault(kind, family, first, times)


@dataclass
class Verdict:
    """How a plan ended. `wrong`: why it was not survived."""

    error: TieoutError | None = None
    resumed: bool = False
    requests: int = 0
    strikes: int = 0
    wrong: list[str] = field(default_factory=list)


def survive(bench: Bench, plan: Plan) -> tuple[set[str], Verdict]:
    """Run the plan and judge it: the kinds of faults that struck, and what came of them."""
    logs._secrets._forms.clear()  # thousands of tokens in one process: no real run has them
    clean = bench.undisturbed(plan.scenario, lands=plan.lands)
    name, visits = f"plan_{plan.number}", bench.canary.visits
    with bench.layer(plan.scenario, plan.faults) as layer:
        found = bench.run(plan.scenario, name, layer, lands=plan.lands, skew=plan.skew)
    struck = {fault.kind for fault, _ in layer.struck} | {kind for kind, skew in _CLOCKS.items() if skew == plan.skew}
    verdict = Verdict(found.error, requests=len(layer.log), strikes=len(layer.struck), wrong=list(found.wrong))
    verdict.wrong += differences(clean, found) if found.error is None else loudness(plan, name, struck, found.error)
    secrets = bench.endpoints.secrets[CONNECTIONS[plan.scenario.system]].values()
    if any(secret in str(found.error) for secret in secrets):
        verdict.wrong.append("the error tells a secret")
    if layer.overrun:
        verdict.wrong.append("asked without end")
    elif found.facts.requests != len(layer.log):
        verdict.wrong.append(f"facts say {found.facts.requests} requests, {len(layer.log)} were made")
    if bench.canary.visits != visits:
        verdict.wrong.append("a request went to another address")
    verdict.wrong += jobs_left(bench, found)
    if plan.lands and found.error is not None:
        with bench.layer(plan.scenario) as layer:
            again = bench.run(plan.scenario, name, layer, lands=True)
        verdict.wrong += http_landing.judge(name, found, again) + differences(clean, again)
        verdict.resumed = again.error is None
    return struck, verdict


def differences(clean: Reading, found: Reading) -> list[str]:
    """What is not as in the undisturbed run, by stream."""
    if found.error is not None:
        return [f"without faults: {found.error}"]
    wrong = []
    for stream, expected in clean.content.items():
        got = found.content.get(stream)
        if got is None:
            wrong.append(f"{stream} was left out without a word")
        elif got != expected:
            lost, more = len(expected.keys() - got.keys()), len(got.keys() - expected.keys())
            other = sum(got[key] != value for key, value in expected.items() if key in got)
            wrong.append(f"{stream}: silently {lost} records short, {more} too many, {other} different")
    return wrong


def loudness(plan: Plan, name: str, struck: set[str], error: TieoutError) -> list[str]:
    """Whether the error is one that an operator can use."""
    text, wrong = str(error), []
    if not isinstance(error, SourceError):
        wrong.append(f"{type(error).__name__} is no error of the vendor's: {text}")
    if name not in text:
        wrong.append(f"the connection is not named: {text}")
    if not any(word in text for word in (*plan.scenario.streams, "authentication", "clock", "accountingbook")):
        wrong.append(f"no stream is named: {text}")
    if len(struck) == 1 and not isinstance(error, right := _RIGHT.get(next(iter(struck)), SourceError)):
        wrong.append(f"{right.__name__} was due: {type(error).__name__}: {text}")
    if struck and struck <= {"429_long", "429_long_date"} and "7,200" not in text:
        wrong.append(f"the time to wait is not told: {text}")
    if isinstance(error, UnsafeLinkError) and "elsewhere" not in struck:
        wrong.append(f"no link was turned: {text}")
    return wrong


def jobs_left(bench: Bench, found: Reading) -> list[str]:
    """Jobs at the vendor that nobody tidied up, and that nobody was told of. They are removed here."""
    told = found.facts.notes.get("bulk_jobs_left_behind", [])
    jobs = bench.endpoints.salesforce.jobs
    left = [f"job {job.id} was left behind as {job.state}, untold" for job in jobs.all()
            if job.id not in told and "unknown" not in told]
    for job in jobs.all():
        job.state = "Aborted"
        jobs.delete(job.id)
    return left
