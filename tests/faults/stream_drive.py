"""Drives one random history through the real landing, with the model beside it, and holds both to the laws."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg

from tests.faults.stream_answers import SHAPES, Answer, Shape, Teller
from tests.faults.stream_history import DAY, History, Step, Vendor
from tests.faults.stream_model import OUTCOMES, Counts, Event, Refused, Row, Shelf
from tests.integration.fake_extractor import FakeExtractor
from tieout.errors import ReloadGuardError
from tieout.landing.land import LoadResult, land_connection, land_pages, reland
from tieout.spec import Connection


class Broken(AssertionError):
    """A law does not hold."""


@dataclass
class Load:
    """What one load was given."""

    batch: int
    shape: Shape
    answers: list[Answer]
    complete: bool
    moment: int
    window: tuple[int | None, int]
    rows: list[Row] = field(default_factory=list)


class Drive:
    """One connection of its own, its shelves, and all loads so far."""

    def __init__(self, history: History, connection: Connection, db: psycopg.Connection,
                 guard: Callable[[int], None]) -> None:
        self.history, self.db, self._guard = history, db, guard
        self.shapes = SHAPES[history.family]
        self.connection = connection.model_copy(update={"streams": tuple(shape.stream for shape in self.shapes)})
        self.vendor = Vendor(history).play()
        self.kinds: Counter[str] = self.vendor.kinds
        self.clock = history.clock
        self.loads: list[Load] = []
        self.shelves = {shape.stream: Shelf(self.clock) for shape in self.shapes}
        self.loaded = 0
        self._guard_pct = 80

    # --- the history --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Everything, then a quiet period, then the laws. Raises Broken."""
        for number, (moment, step) in enumerate(self.vendor.runs):
            rng = random.Random(f"{self.history.seed}/{number}")
            self._land(moment, step, rng)
            if self.loads and rng.random() < 0.15:
                self._reland(rng)
        quiet = self._quiet()
        self._land(quiet, Step("run"), None, refused_is_right=True)
        differs = self._differences(quiet)
        if unexcused := {place: event for place, event in differs.items() if not self._excuse(event, place)}:
            raise Broken(f"after a quiet period {self._told(unexcused, quiet)}")
        self.kinds.update(word for event in differs.values() if (word := self._excuse(event, None)))
        if differs:
            self._land(quiet + 60, Step("run", how="full"), None, refused_is_right=True)
            if left := self._differences(quiet + 60):
                raise Broken(f"after a full load {self._told(left, quiet + 60)}")
            self.kinds["missed by windows, caught by a full load"] += len(differs)
        if random.Random(self.history.seed).random() < 0.3:
            self._again(quiet + 120)
        self._check_as_of()

    def _quiet(self) -> int:
        events = [event.seen for event in (*self.vendor.documents.events, *self.vendor.lines.events)]
        last = max([0, *events, *(moment + 4 * step.pace for moment, step in self.vendor.runs)])
        return last + self.history.overlap + (DAY + 3600 if self.history.family == "sweep" else 60)

    # --- landing ------------------------------------------------------------------------------------------------------

    def _land(self, moment: int, step: Step, rng: random.Random | None, *, refused_is_right: bool = False) -> None:
        """One run of landing at `moment`, each load compared with the model. `rng`: the vendor's whims; None: none."""
        teller = Teller(self.history, self.vendor, self.clock, rng)
        given: dict[str, list[Answer]] = {}
        places = {shape.stream: place for place, shape in enumerate(self.shapes)}

        def serve(shape: Shape) -> Callable[..., list]:
            def pages(window: Any, parents: list[str] | None) -> list:
                at = moment + places[shape.stream] * step.pace
                answer = teller.answer(shape, at, self._seconds(window.start), self._seconds(window.end), window.full,
                                       parents)
                given.setdefault(shape.stream, []).append(answer)
                return answer.pages
            return pages

        source = FakeExtractor({shape.stream: serve(shape) for shape in self.shapes}, now=self.clock.instant(moment))
        only = [self.shapes[place].stream for place in step.only if place < len(self.shapes)] or None
        options: dict[str, Any] = {"streams": only, "extractor": source, "full": step.how == "full"}
        if step.how == "backfill":
            end = max(moment - step.back, -DAY)
            options |= {"backfill": True, "start": self.clock.instant(end - step.span), "end": self.clock.instant(end)}
            self.kinds["backfills"] += 1
        told: list[str] = []

        def progress(result: LoadResult) -> None:
            self._compare(result, given.pop(result.stream, []), moment + places[result.stream] * step.pace)
            told.append(result.stream)

        try:
            land_connection(self.connection, None, on_progress=progress, **options)
        except ReloadGuardError:
            self._refused(source, given, moment)
            if refused_is_right:
                self._without_guard(lambda: self._land(moment + 1, replace(step, how="full"), None))
        self._check_tables()
        self.kinds.update(teller.kinds)

    def _refused(self, source: FakeExtractor, given: dict[str, list[Answer]], moment: int) -> None:
        """The guard spoke: the model must refuse too, and nothing may have changed (`_check_tables` sees to that)."""
        stream, window, _ = source.asked[-1]
        shape = next(shape for shape in self.shapes if shape.stream == stream)
        load = Load(2**62, shape, given[stream], window.full, moment, (None, 0))
        held = replace(self.shelves[stream], versions=[*self.shelves[stream].versions])
        try:
            self._model(load, held)
        except Refused:
            self.kinds["shrunken set refused"] += 1
            return
        raise Broken(f"{stream}: the guard refused a set that is large enough")

    def _without_guard(self, land: Callable[[], None]) -> None:
        self._guard(0)
        self._guard_pct = 0
        try:
            land()
        finally:
            self._guard(80)
            self._guard_pct = 80
        self.kinds["shrunken set accepted by hand"] += 1

    def _compare(self, result: LoadResult, answers: list[Answer], moment: int) -> None:
        shape = next(shape for shape in self.shapes if shape.stream == result.stream)
        window = (self._seconds(result.window_start), self._seconds(result.window_end))
        load = Load(result.batch_id, shape, answers, result.mode == "full", moment, window)
        load.rows = [row for answer in answers for row in answer.rows]
        before = {name: shelf.current for name, shelf in self.shelves.items()}
        try:
            counts = self._model(load, self.shelves[shape.stream])
        except Refused:
            raise Broken(f"{shape.stream}: a set under the guard was committed") from None
        self._check_counts(result, counts, shape)
        self.loads.append(load)
        self.loaded += 1
        for name, shelf in self.shelves.items():
            shelf.snapshots[result.batch_id] = shelf.current
            _check_no_step_back(name, before[name], shelf.current)
        if load.complete and counts.deleted:
            self.kinds["absent from a complete set, closed"] += 1

    def _model(self, load: Load, shelf: Shelf) -> Counts:
        """What the load must do, to its own stream and, for a list of deletions, to those it lists."""
        shape = load.shape
        rows = [row for answer in load.answers for row in answer.rows]
        documents = [key for answer in load.answers for key in answer.documents]
        buried = self._buried() if shape.kind == "fed" else {}
        counts = shelf.load(load.batch, rows, documents=documents, complete=load.complete, guard_pct=self._guard_pct,
                            buried=buried)
        if shape.kind == "fed":
            fresh = {v.key for v in shelf.current.values() if v.born == load.batch}
            counts.deleted += shelf.bury(load.batch, {key: at for key, at in buried.items() if key in fresh})
        if shape.kind == "feed":
            counts.deleted += self._apply_feed(load.batch, shelf)
        return counts

    def _buried(self, batch: int | None = None) -> dict[str, int]:
        """{document: stamp of its youngest deletion} that the landed list names; of one batch only, if given."""
        found: dict[str, int] = {}
        for version in self.shelves["deletedrecord"].current.values():
            key, kind, stamp = version.key.split("|")
            if kind == "1" and not version.deleted and batch in (None, version.born):
                found[key] = max(int(stamp), found.get(key, int(stamp)))
        return found

    def _apply_feed(self, batch: int, feed: Shelf) -> int:
        documents, lines = self.shelves["transaction"], self.shelves["transactionline"]
        named = self._buried(batch)
        closed = documents.bury(batch, named)
        dead = {v.key for v in documents.current.values() if v.born == batch and v.deleted}
        under = {v.key: None for v in lines.current.values() if v.document in dead}
        return closed + lines.bury(batch, under)

    def _reland(self, rng: random.Random) -> None:
        """An archived batch again: nothing may change, whatever has happened since."""
        load = rng.choice(self.loads)
        if not load.rows:
            return
        (result,) = reland(self.connection, [load.batch])
        self.loaded += 1
        if result.landed or result.deleted or result.received != len(load.rows):
            raise Broken(f"{load.shape.stream}: batch {load.batch} from the archive changed something: {result}")
        self.kinds["batches landed again from the archive"] += 1
        self._check_tables()

    # --- the laws -----------------------------------------------------------------------------------------------------

    def _check_counts(self, result: LoadResult, counts: Counts, shape: Shape) -> None:
        figures = {word: getattr(result, word) for word in OUTCOMES}
        if (result.received, figures, result.deleted) != (counts.received, counts.rows, counts.deleted):
            raise Broken(
                f"{result.stream}, batch {result.batch_id} ({result.mode}): received {result.received}, {figures}, "
                f"deleted {result.deleted}; due: {counts.received}, {counts.rows}, {counts.deleted}")
        if result.received != sum(figures.values()):
            raise Broken(f"{result.stream}: {figures} is not {result.received}")
        for sums in result.control_totals.values():
            amounts = {word: Decimal(text) for word, text in sums.items()}
            if amounts.pop("received") != sum(amounts.values()) or amounts != counts.sums:
                raise Broken(f"{result.stream}: control totals {sums}, due {counts.sums}")

    def _check_tables(self) -> None:
        """The stored versions are the model's, none missing, none altered but closed."""
        for shape in self.shapes:
            stored = Counter(shape.stored(self.db, self.connection.name, self.clock))
            due = Counter(self.shelves[shape.stream].versions)
            if stored != due:
                raise Broken(f"{shape.stream}: stored and not due {sorted((stored - due).elements(), key=str)}; "
                             f"due and not stored {sorted((due - stored).elements(), key=str)}")

    def _check_as_of(self) -> None:
        """A reader at any batch sees what was current when that batch was done."""
        for shape in self.shapes:
            shelf = self.shelves[shape.stream]
            stored = Shelf(self.clock, list(shape.stored(self.db, self.connection.name, self.clock)))
            for batch, snapshot in shelf.snapshots.items():
                seen = {key: (v.number, v.deleted) for key, v in stored.as_of(batch).items()}
                if seen != {key: (v.number, v.deleted) for key, v in snapshot.items()}:
                    raise Broken(f"{shape.stream}: a reader as of batch {batch} sees {seen}, not {snapshot}")
            keys = Counter(v.key for v in stored.versions if v.closed is None)
            if twice := [key for key, count in keys.items() if count > 1]:
                raise Broken(f"{shape.stream}: two current versions of {twice}")

    def _differences(self, moment: int) -> dict[tuple[str, str], Event | None]:
        """(stream, key) → the vendor's last event, where the current set is not the vendor's."""
        found = {}
        for shape in self.shapes:
            if shape.kind == "feed":
                continue
            table = self.vendor.lines if shape.kind == "lines" else self.vendor.documents
            held = self.shelves[shape.stream].living
            true = {key: event.number for key, event in table.living(moment).items()}
            for key in held.keys() | true.keys():
                if held.get(key) != true.get(key):
                    found[shape.stream, key] = table.last(key)
        return found

    def _excuse(self, event: Event | None, place: tuple[str, str] | None) -> str | None:
        """Why no window could show it: only these reasons count."""
        if event is None:
            return None
        document = self.vendor.documents.last(event.document) if event.document else None
        for one in (event, document):
            if one and not one.traced:
                return "no window could show it: without a trace"
            if one and one.seen - one.stamp > self.history.overlap:
                return "no window could show it: beyond the overlap"
        if place is None:
            return "no window could show it: unreadable when it was read"
        return self._unreadable(event, place[0]) or (
            self._unreadable(document, self.shapes[0].stream) if document else None)

    def _unreadable(self, event: Event, stream: str) -> str | None:
        read = [row for load in self.loads if load.shape.stream == stream for row in load.rows if row.key == event.key]
        return "no window could show it: unreadable when it was read" if read and read[-1].unreadable else None

    def _told(self, found: dict[tuple[str, str], Event | None], moment: int) -> str:
        return "; ".join(f"{stream} {key}: held {self.shelves[stream].living.get(key)}, the vendor's last: {event}"
                         for (stream, key), event in sorted(found.items()))

    def _again(self, moment: int) -> None:
        """A window once more: the vendor answers it as it is now, and nothing changes.

        Left out is the list of deletions itself: what it told too late may be read now, and finds nothing to close.
        """
        rng = random.Random(f"{self.history.seed}/again")
        windows = [load.window for load in self.loads if load.window[0] is not None] or [(0, moment)]
        for start, end in rng.sample(windows, 1):
            def held() -> dict:
                return {s.stream: self.shelves[s.stream].current for s in self.shapes if s.kind != "feed"}

            before = held()
            step = Step("run", how="backfill", back=moment - end, span=max(end - start - self.history.overlap, 1))
            self._land(moment, step, None)
            if before != held():
                raise Broken(f"the window [{start}, {end}) again changed something")
            self.kinds["windows landed again"] += 1

    def _seconds(self, moment: datetime | None) -> int | None:
        return None if moment is None else int((moment - self.clock.base).total_seconds())


def _check_no_step_back(stream: str, before: dict, after: dict) -> None:
    for key, old in before.items():
        new = after[key]
        if (new.number or 0, new.deleted) < (old.number or 0, old.deleted):
            raise Broken(f"{stream} {key}: a later state lost to an earlier one: {old} became {new}")


def permuted(drive: Drive, connection: Connection) -> None:
    """The loads of documents and deletions as they were received, landed under another name in another order.

    Raises Broken where the current set differs. Left out: what no stamp can order (equal stamps, the repeated hour).
    """
    streams = [s for s in drive.shapes if s.kind in ("fed", "feed", "flagged", "noticed")]
    other = Drive(replace(drive.history, steps=()), connection, drive.db, drive._guard)
    loads = [load for load in drive.loads if load.shape in streams and load.rows]
    random.Random(f"{drive.history.seed}/order").shuffle(loads)
    by_name = {stream.name: stream for stream in other.connection.selected()}
    for load in loads:
        pages = [page for answer in load.answers for page in answer.pages]
        land_pages(other.connection, by_name[load.shape.stream], pages, mode="incremental")
        drive.loaded += 1
    for shape in streams:
        if shape.kind == "feed":
            continue
        rows = [row for load in drive.loads if load.shape == shape for row in load.rows if not row.unreadable]
        due = {key: row for key in {row.key for row in rows} if (row := _ordered(drive, rows, key)) is not None}
        held = {v.key: v for v in shape.stored(drive.db, other.connection.name, drive.clock) if v.closed is None}
        for key, row in due.items():
            found = held.get(key)
            alive = None if found is None or found.deleted else found.number
            if alive != (None if row.deleted or row.notice else row.number):
                raise Broken(f"{shape.stream} {key}: in another order {found} is current, due is {row}")
    drive.kinds["landed in another order"] += 1


def _ordered(drive: Drive, rows: list[Row], key: str) -> Row | None:
    """The row that must win whatever the order; None where stamps cannot say."""
    mine = {row for row in rows if row.key == key}
    if drive.history.family == "feed":
        mine |= {Row(key, None, stamp, notice=True) for named, stamp in drive._buried().items() if named == key}
    stamps = [row.stamp for row in mine]
    if None in stamps or len(set(stamps)) < len(stamps) or any(map(drive.clock.is_ambiguous, stamps)):
        return None
    return max(mine, key=lambda row: row.stamp)
