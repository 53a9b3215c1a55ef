"""Generate the simulated company, and let its clock advance.

The state of the company is a function of (seed, size, level, unit, now): every chain of documents is planned from its
number alone, for its whole life, and rendered as of `now`. Advancing renders the chains that change between two moments
twice and writes the difference, so that a day costs what changed.
"""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from simulator import key, payouts, stock, store, systems
from simulator.clock import DAY, FIRST_DAY, LAST_DAY, end_of, moment_of, stamp_text
from simulator.customers import Party
from simulator.documents import Chain
from simulator.plan import CHAIN_BITS, Plan, World
from simulator.scenarios import MINIMUM, SCENARIOS, Scenario, told_by
from simulator.schema import tables
from simulator.store import State
from simulator.systems import Row
from simulator.units import FIRST, unit

SIZES = {"1k": 1_000, "50k": 50_000, "1m": 1_000_000}
HORIZON = 100  # days ahead of now for which chains are planned: deals are opened before they are won
SETTLED = 270  # days before the end by which the first chains of a scenario start, so that each class has ripened
_BATCH = 4_000



class Company:
    """A company of a seed, size and level. Chains below `history` are of the 24 months, others of the days after."""

    def __init__(self, seed: int, size: str, level: int, of: str = FIRST) -> None:
        if size not in SIZES or level not in (1, 2, 3):
            raise ValueError(f"size is one of {', '.join(SIZES)} and level 1, 2 or 3, not {size!r} and {level!r}")
        place = unit(of)
        self.world = World(place.seed(seed), size, level, place, market=seed)
        self._systems = (self.world.crm, self.world.erp)
        self._scenarios = told_by(systems.kinds(place.crm) | systems.kinds(place.erp), systems.lacks(place))
        self._schedule = _schedule(self._scenarios, self.world.seed, SIZES[size])
        self.history = len(self._schedule)
        self._daily = [s.name for s in self._scenarios if s.daily]
        self._ordinary = max(2, self.history // (LAST_DAY - FIRST_DAY))
        self.per_day = len(self._daily) + self._ordinary

    def numbers(self, last_day: int) -> range:
        """Numbers of all chains whose day is up to `last_day`."""
        count = self.history + max(0, last_day - LAST_DAY) * self.per_day
        if count >> CHAIN_BITS[self.world.size]:
            raise OverflowError(f"a company of size {self.world.size} has no numbers left: generate a new one")
        return range(count)

    def chain(self, number: int) -> Chain:
        """Plan a chain."""
        if number < self.history:
            name, ordinal = self._schedule[number]
            draw = random.Random((self.world.seed << 41) + number)
            day = draw.randint(FIRST_DAY, LAST_DAY - SETTLED if ordinal < MINIMUM else LAST_DAY)
        else:
            ahead, place = divmod(number - self.history, self.per_day)
            day, ordinal = LAST_DAY + 1 + ahead, MINIMUM + ahead
            name = self._daily[place] if place < len(self._daily) else self._drawn(number)
        plan = Plan(self.world, number, name, ordinal, day)
        SCENARIOS[name].play(plan)
        return plan.chain

    def _drawn(self, number: int) -> str:
        weighed = [s for s in self._scenarios if s.weight]
        draw = random.Random((self.world.seed << 41) + number)
        return draw.choices(weighed, [s.weight for s in weighed])[0].name

    def rows(self, chain: Chain, now: int) -> Iterator[Row]:
        """All records of a chain as of `now`."""
        for system in self._systems:
            yield from system.chain(chain, now)

    def reference(self, now: int) -> Iterator[Row]:
        """All master data as of `now`, but for parties."""
        for system in self._systems:
            yield from system.reference(now)

    def party(self, party: Party, now: int) -> Iterator[Row]:
        """All records of a party as of `now`."""
        for system in self._systems:
            yield from system.party(party, now)

    @property
    def tells_stock(self) -> bool:
        """Whether the ERP shows what is on hand."""
        return hasattr(self.world.erp, "stock")

    def stock(self, database: sqlite3.Connection, now: int) -> list[Row]:
        """What is on hand as of `now`, by what the chains that are written took out."""
        if not self.tells_stock:
            return []
        issues = database.execute("SELECT product, place, day, units FROM sim__issue")
        return list(self.world.erp.stock(stock.levels(self.world, issues, now // DAY), now))  # type: ignore[attr-defined]

    def deposits(self, database: sqlite3.Connection, now: int) -> list[Row]:
        """What the ERP's books say as of `now` of the payouts of the CRM's provider, where one has payouts."""
        crm, erp = self._systems
        if not (hasattr(crm, "payouts") and hasattr(erp, "deposits")):
            return []
        return list(erp.deposits(database, list(payouts.deposits(crm.payouts(database), now))))

    def issues(self, chain: Chain, now: int) -> Iterator[stock.Issue]:
        """What a chain took out of stock, where the ERP tells its stock."""
        if self.tells_stock:
            delivers = "Delivery" in systems.kinds(self.world.unit.erp)
            yield from stock.issues(self.world, chain, now, delivers=delivers)

    def moved(self, from_day: int, to_day: int) -> list[int]:
        """Let one customer move on each day after `from_day`, up to `to_day`; their places among the parties."""
        places = []
        for day in range(from_day + 1, to_day + 1):
            drawn = random.Random(f"{self.world.seed}/moves/{day}").randrange(10**6)
            places.append(self.world.customers.move(drawn, day * DAY + 50_000).index)
        return places


def generate(folder: Path, *, seed: int = 42, size: str = "1k", level: int = 1, of: str = FIRST) -> State:
    """Write 24 months of a unit's company to `folder`: sim.db, key.json, state.json. Replaces what is there."""
    folder = Path(folder)
    company = Company(seed, size, level, of)
    now = end_of(LAST_DAY)
    state = State(seed, size, level, stamp_text(now), of)
    (folder / store.STATE).unlink(missing_ok=True)
    for name in ("key.json", "key.json.gz"):
        (folder / name).unlink(missing_ok=True)
    database = store.create(folder, state.tables())
    database.execute("BEGIN")
    _write(database, company.reference(now))
    parties = company.world.customers
    _write(database, (row for party in parties.parties for row in company.party(party, now)))
    pending: list[Row] = []
    for number in company.numbers(LAST_DAY + HORIZON):
        chain = company.chain(number)
        pending += company.rows(chain, now)
        _note(database, company, chain, now)
        if len(pending) > _BATCH * 50:
            _write(database, pending)
            pending = []
    _write(database, pending)
    _write(database, company.stock(database, now))
    _write(database, company.deposits(database, now))
    key.write_key(folder, database, state, parties)
    database.execute("COMMIT")
    store.finish(database, state.tables())
    database.close()
    store.write_state(folder, state)
    return state


def advance(folder: Path, days: int = 1) -> State:
    """Let `days` pass. Writes what they bring, regenerates the key, moves the clock."""
    if days < 1:
        raise ValueError("time goes forward: days must be at least 1")
    folder = Path(folder)
    before = store.read_state(folder)
    old, new = moment_of(before.now), moment_of(before.now) + days * DAY
    company = Company(before.seed, before.size, before.level, before.unit)
    state = replace(before, now=stamp_text(new))
    company.moved(LAST_DAY, old // DAY)
    database = store.open_for_writing(folder)
    database.execute("BEGIN IMMEDIATE")
    _replace(database, company.reference(old), company.reference(new))
    on_hand, deposited = company.stock(database, old), company.deposits(database, old)
    parties = company.world.customers
    standing = {i: list(company.party(parties.parties[i], old)) for i in range(len(parties.parties))}
    for index in company.moved(old // DAY, new // DAY):
        _replace(database, standing[index], company.party(parties.parties[index], new))
    known = company.numbers(old // DAY + HORIZON)
    changed = [n for (n,) in database.execute("SELECT chain FROM sim__chain WHERE next_change < ?", (stamp_text(new),))]
    for number in (*changed, *company.numbers(new // DAY + HORIZON)[len(known) :]):
        chain = company.chain(number)
        _replace(database, company.rows(chain, old), company.rows(chain, new))
        _note(database, company, chain, new)
    _replace(database, on_hand, company.stock(database, new))
    _replace(database, deposited, company.deposits(database, new))
    key.write_key(folder, database, state, parties)
    database.execute("COMMIT")
    database.close()
    store.write_state(folder, state)
    return state


def _schedule(scenarios: list[Scenario], seed: int, orders: int) -> list[tuple[str, int]]:
    """(scenario, ordinal) of every chain of the history, in an order that the seed draws; about `orders` orders."""
    weighed = [s for s in scenarios if s.weight]
    wanted = orders / sum(s.weight * s.orders for s in weighed)
    found = [(s.name, i) for s in weighed for i in range(max(MINIMUM, round(s.weight * wanted)))]
    random.Random(f"{seed}/schedule").shuffle(found)
    return found


def _note(database: sqlite3.Connection, company: Company, chain: Chain, now: int) -> None:
    upcoming = chain.next_change(now)
    text = stamp_text(upcoming) if upcoming is not None else None
    database.execute("INSERT OR REPLACE INTO sim__chain VALUES (?, ?, ?)", (chain.number, chain.scenario, text))
    database.execute("DELETE FROM sim__key WHERE chain = ?", (chain.number,))
    database.executemany("INSERT INTO sim__key VALUES (?, ?, ?)", key.answers(company.world, chain, now))
    database.execute("DELETE FROM sim__issue WHERE chain = ?", (chain.number,))
    taken = ((chain.number, *issue) for issue in company.issues(chain, now))
    database.executemany("INSERT INTO sim__issue VALUES (?, ?, ?, ?, ?)", taken)


def _write(database: sqlite3.Connection, rows: Iterable[Row], *, replace: bool = False) -> None:
    """Insert, sorted by key within the batch: tables are clustered by it."""
    by_table: dict[str, list[tuple]] = defaultdict(list)
    for table, row in rows:
        by_table[table].append(row)
    for table, found in by_table.items():
        places = _key_places(table)
        found.sort(key=lambda row, places=places: [row[place] for place in places])
        store.write(database, table, _columns(table), found, replace=replace or tables()[table].shared)


def _replace(database: sqlite3.Connection, before: Iterable[Row], after: Iterable[Row]) -> None:
    """Write the difference of two renderings."""
    old, new = set(before), set(after)
    _write(database, new - old, replace=True)
    kept = {_key(row) for row in new}
    lost: dict[str, list[tuple]] = defaultdict(list)
    for table, values in {_key(row) for row in old - new} - kept:
        if not tables()[table].shared:
            lost[table].append(values)
    for table, keys in lost.items():
        store.delete(database, table, keys)


def _columns(table: str) -> tuple[str, ...]:
    return systems.renders(table.partition("__")[0]).columns[table]


def _key_places(table: str) -> list[int]:
    return [_columns(table).index(name) for name in tables()[table].key]


def _key(row: Row) -> tuple[str, tuple]:
    table, values = row
    return table, tuple(values[place] for place in _key_places(table))
