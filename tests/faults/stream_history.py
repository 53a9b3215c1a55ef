"""Random histories: what people do at the vendor, and when landing looks.

Steps can be dropped one by one: a step that makes no sense any more does nothing, so a failing history shrinks.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.faults.stream_model import FLAGGED, GONE, LIVE, Clock, Event, Table

MINUTE, HOUR, DAY = 60, 3600, 86_400
PACIFIC = ZoneInfo("America/Los_Angeles")
FAMILIES = {"flag": 11, "feed": 17, "sweep": 20, "full": 16, "notice": 21, "untraced": 15}
OVERLAP = {"flag": 15 * MINUTE}  # the others: two hours
DOCUMENTS = 9


@dataclass(frozen=True)
class Step:
    """One thing that happens `wait` seconds after the one before. lag: readers see it that much later.

    what: put, delete, purge (without a trace), line, drop (a line), burst, shrink, or run. `show`: whether the change
    of a line moves its document's stamp. how, back, span, pace (between two streams), only (the places of the streams
    that take part): of a run, in seconds.
    """

    what: str
    wait: int = 0
    key: int = 0
    line: int = 0
    lag: int = 0
    show: bool = True
    how: str = "scheduled"
    back: int = 0
    span: int = 0
    pace: int = 0
    only: tuple[int, ...] = ()

    def __str__(self) -> str:
        told = f"+{self.wait // HOUR:d}:{self.wait // 60 % 60:02d}:{self.wait % 60:02d} {self.what}"
        if self.what == "run":
            return told + f" {self.how}" + "".join(
                f" {word}={getattr(self, word)}" for word in ("back", "span", "pace", "only") if getattr(self, word))
        told += f" {self.key}" + (f" line {self.line}" if self.what in ("line", "drop") else "")
        return told + ("" if self.show else ", the document's stamp stays") + (
            f", visible {self.lag} s later" if self.lag else "")


@dataclass(frozen=True)
class History:
    """A seed's history. night: it lies around the hour that Los Angeles repeats. rows: records on a page."""

    seed: str
    family: str
    steps: tuple[Step, ...]
    night: bool = False
    rows: int = 3
    stamped_notices: bool = True

    @property
    def overlap(self) -> int:
        return OVERLAP.get(self.family, 2 * HOUR)

    @property
    def clock(self) -> Clock:
        base = datetime(2025, 11, 2, 7, tzinfo=UTC) if self.night else datetime(2025, 3, 12, 9, 30, tzinfo=UTC)
        return Clock(base, None if self.family == "flag" else PACIFIC)

    def without(self, start: int, count: int) -> History:
        return replace(self, steps=self.steps[:start] + self.steps[start + count :])

    def __str__(self) -> str:
        night = ", the repeated hour" if self.night else ""
        head = f"{self.family}, seed {self.seed}, {self.rows} rows a page{night}"
        return "\n".join([head, *(f"  {step}" for step in self.steps)])


@dataclass
class Vendor:
    """The vendor's tables after all steps, the runs with their moments, and which kinds of change really happened."""

    history: History
    documents: Table = field(default_factory=Table)
    lines: Table = field(default_factory=Table)
    feed: list[tuple[str, int, int]] = field(default_factory=list)  # key, stamp, seen
    runs: list[tuple[int, Step]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    now: int = 0
    _number: int = 0

    def play(self) -> Vendor:
        """Let the whole history happen."""
        for step in self.history.steps:
            self.now += step.wait
            getattr(self, f"_{step.what}")(step)
        return self

    # --- what people do -----------------------------------------------------------------------------------------------

    def _put(self, step: Step) -> None:
        key = str(100 + step.key)
        last = self._free(self.documents, key)
        if last is None:
            return
        known = last if isinstance(last, Event) else None
        if known and known.state != LIVE:
            if not self._may_come_back(known):
                return
            self.kinds["inserted again after a deletion" if known.state == GONE else "undeleted"] += 1
            if step.line % 2 and known.state == GONE:
                self.kinds["key reused for another record"] += 1
        self._document(key, step.lag)
        if self.history.family in ("feed", "flag") and not (known and known.state == LIVE):
            for line in range(1 + step.line % 3):
                self._write_line(key, line, step.lag)

    def _burst(self, step: Step) -> None:
        """Several records in one second."""
        done = 0
        for key in range(step.key, step.key + 4):
            if self._free(self.documents, str(100 + key % DOCUMENTS)) is not None:
                self._put(replace(step, key=key % DOCUMENTS))
                done += 1
        if done > 1:
            self.kinds["equal stamps"] += 1
            if self.history.rows < 4:
                self.kinds["equal stamps across a page boundary"] += 1

    def _delete(self, step: Step) -> None:
        self._remove(str(100 + step.key), step.lag, traced=True)

    def _purge(self, step: Step) -> None:
        self._remove(str(100 + step.key), 0, traced=self.history.family in ("full", "sweep"))

    def _shrink(self, step: Step) -> None:
        """Half of the table, or a tenth, is gone at once."""
        living = sorted(self.documents.living(self.now))
        for key in living[:: 2 if step.show else 10]:
            self._remove(key, 0, traced=self.history.family in ("full", "sweep"))

    def _line(self, step: Step) -> None:
        self._change_line(step, drop=False)

    def _drop(self, step: Step) -> None:
        self._change_line(step, drop=True)

    def _run(self, step: Step) -> None:
        last = self.runs[-1] if self.runs else None
        moment = max(self.now, last[0] + 4 * last[1].pace + 1) if last else self.now
        self.runs.append((moment, step))

    # --- how it is written --------------------------------------------------------------------------------------------

    def _free(self, table: Table, key: str) -> Event | bool | None:
        """The record's last event, True where there is none; None while another transaction holds the record."""
        last = table.last(key)
        return None if last and last.seen > self.now else last or True

    def _may_come_back(self, known: Event) -> bool:
        """A record comes back in a later second than its deletion, and never within the hour that the clock repeats."""
        clock = self.history.clock
        return self.now > known.stamp and not clock.is_ambiguous(clock.read(self.now))

    def _event(self, table: Table, key: str, lag: int, state: str = LIVE, document: str | None = None, *,
               traced: bool = True) -> None:
        self._number += 1
        table.events.append(Event(key, self._number, self.now, self.now + lag, state, document, traced))
        self.kinds["committed after the window closed, within the overlap" if 0 < lag <= self.history.overlap
                   else "committed beyond the overlap" if lag else "plain changes"] += 1
        if self.history.clock.is_ambiguous(self.history.clock.read(self.now)):
            self.kinds["written in the repeated hour"] += 1

    def _document(self, key: str, lag: int) -> None:
        self._event(self.documents, key, lag)

    def _write_line(self, document: str, line: int, lag: int) -> None:
        key = f"{document}{line}"
        if self._free(self.lines, key) is not None:
            self._event(self.lines, key, lag, document=document)

    def _change_line(self, step: Step, *, drop: bool) -> None:
        document, key = str(100 + step.key), f"{100 + step.key}{step.line}"
        if self.history.family not in ("feed", "flag") or document not in self.documents.living(self.now):
            return
        held, last = self._free(self.documents, document), self._free(self.lines, key)
        if held is None or last is None or (drop and not (isinstance(last, Event) and last.state == LIVE)):
            return
        flag = self.history.family == "flag"
        if flag and isinstance(last, Event) and last.state != LIVE and not self._may_come_back(last):
            return
        state = (FLAGGED if flag else GONE) if drop else LIVE
        shown = step.show or flag or not drop
        self._event(self.lines, key, step.lag, state, document, traced=shown)
        if step.show:
            self._document(document, step.lag)
        what = "line vanished" if drop else "line changed"
        self.kinds[f"{what} with its document" if step.show else f"{what}, its document's stamp stayed"] += 1

    def _remove(self, key: str, lag: int, *, traced: bool) -> None:
        last = self._free(self.documents, key)
        if not isinstance(last, Event) or last.state == GONE or (last.state != LIVE and traced):
            return
        family = self.history.family
        if family == "untraced":
            traced = False
        lines = [event for event in self.lines.living(self.now).values() if event.document == key]
        if any(event.document == key and event.seen > self.now for event in self.lines.events):
            return  # somebody is writing a line of it: the deletion has to wait
        flagged = family == "flag" and traced
        self._event(self.documents, key, lag, FLAGGED if flagged else GONE, traced=traced)
        for line in lines:
            self._event(self.lines, line.key, lag, FLAGGED if flagged else GONE, key, traced=traced)
        if family == "feed" and traced:
            self.feed.append((key, self.now, self.now + lag))
            self.kinds["document deleted with its lines"] += bool(lines)
        word = {"flag": "flag", "feed": "feed", "notice": "notice", "sweep": "key sweep", "full": "complete set"}
        self.kinds[f"deleted by {word[family]}" if traced else "deleted without a trace"] += 1


def random_history(seed: str) -> History:
    """The history of a seed."""
    rng = random.Random(seed)
    family = rng.choices([*FAMILIES], [*FAMILIES.values()])[0]
    night = family != "flag" and rng.random() < 0.2
    history = History(seed, family, (), night, rng.choice((1, 2, 3, 5)), rng.random() < 0.7)
    steps = [Step("burst", 1, rng.randrange(2), rng.randrange(4))]
    steps += [_change(rng, history) for _ in range(rng.randint(3, 8))]
    for _ in range(rng.choice((1, 1, 2))):
        steps.append(_look(rng, history))
        steps += [_change(rng, history) for _ in range(rng.randint(3, 7))]
    return replace(history, steps=tuple(steps))


def _wait(rng: random.Random, history: History) -> int:
    if history.night:
        return rng.choice((0, 1, 300, 600, 1200, 1500))
    return rng.choice((0, 0, 1, 59, 600, 1800, 3 * HOUR))


def _change(rng: random.Random, history: History) -> Step:
    with_lines = history.family in ("feed", "flag")
    weights = (5, 1, 4, 1, 6, 5, 1) if with_lines else (9, 2, 5, 1, 0, 0, 2 if history.family == "full" else 1)
    what = rng.choices(("put", "burst", "delete", "purge", "line", "drop", "shrink"), weights)[0]
    lag = rng.choices((0, history.overlap // 3, history.overlap * 2), (8, 2, 1))[0]
    key = rng.randrange(5 if with_lines else DOCUMENTS)
    return Step(what, _wait(rng, history), key, rng.randrange(3), lag, rng.random() < 0.5)


def _look(rng: random.Random, history: History) -> Step:
    how = rng.choices(("scheduled", "backfill", "full"), (6, 2, 1))[0]
    only = tuple(rng.sample(range(3), rng.randint(1, 2))) if history.family == "feed" and rng.random() < 0.3 else ()
    wait = rng.choice((0, 1, 300, 1200)) if history.night else rng.choice((0, 0, 1, 600, 2 * HOUR, DAY + HOUR))
    return Step("run", wait, how=how, back=rng.choice((0, HOUR, 6 * HOUR, 3 * DAY)), span=rng.choice((HOUR, DAY)),
                pace=rng.choice((0, 0, 7 * MINUTE)), only=only)
