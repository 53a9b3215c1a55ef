"""From pairs to golden customers: clusters that hold no contradiction, and ids that stay where they were."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tieout.matching.identity_records import Records
from tieout.matching.identity_score import AUTO, REVIEW, Pairs

Record = tuple[str, str]  # (connection, id)


@dataclass(slots=True)
class _Cluster:
    """What a cluster's members say, so that joining two asks only the clusters."""

    members: list[int]
    sources: dict[int, list[int]]
    numbers: dict[tuple[str, str], str]
    parted: set[int]
    countries: set[str]
    hosts: set[str]
    kinds: set[bool]


def clusters(
    records: Records,
    pairs: Pairs,
    same: Iterable[tuple[int, int]] = (),
    parted: Iterable[tuple[int, int]] = (),
    against: Iterable[tuple[int, int]] = (),
) -> np.ndarray:
    """The least position of each record's cluster.

    Decisions first, then the pairs of the auto zone, best first. A join is refused where the two hold two checked tax
    ids of one register, persons and organisations, one host in two countries, two records of one system that nothing
    proves to be duplicates, what a steward parted, or what the evidence is `against` (see `identity_score.against`);
    such a pair goes to review (`pairs.zone` is changed in place).
    """
    source = records.source
    apart: dict[int, set[int]] = defaultdict(set)
    for a, b in (*parted, *against):
        apart[a].add(b)
        apart[b].add(a)
    of: list[int] = list(range(len(records)))
    made: dict[int, _Cluster] = {}

    def cluster(at: int) -> _Cluster:
        root = of[at]
        if root not in made:
            number = {(records.country[at], records.register[at]): records.tax[at]} if records.register[at] else {}
            made[root] = _Cluster(
                [at],
                {int(source[at]): [at]},
                number,
                set(apart.get(at, ())),
                {records.country[at]} - {""},
                {records.site[at]} - {""},
                {bool(records.is_person[at])},
            )
        return made[root]

    def join(a: int, b: int) -> None:
        one, two = cluster(a), cluster(b)
        if len(one.members) < len(two.members):
            a, b, one, two = b, a, two, one
        root, gone = of[a], of[b]
        for member in two.members:
            of[member] = root
        one.members += two.members
        for where, found in two.sources.items():
            one.sources.setdefault(where, []).extend(found)
        one.numbers.update(two.numbers)
        one.parted |= two.parted
        one.countries |= two.countries
        one.hosts |= two.hosts
        one.kinds |= two.kinds
        del made[gone]

    forced = [(int(a), int(b)) for a, b in same]
    for a, b in forced:
        if of[a] != of[b]:
            join(a, b)
    auto = np.flatnonzero(pairs.zone == AUTO)
    within = source[pairs.left] == source[pairs.right]
    twins = {(int(pairs.left[n]), int(pairs.right[n])) for n in auto[within[auto]]} | {(min(p), max(p)) for p in forced}
    order = auto[np.lexsort((pairs.right[auto], pairs.left[auto], -pairs.margin[auto], -pairs.score[auto]))]
    for n in order:
        a, b = int(pairs.left[n]), int(pairs.right[n])
        if of[a] == of[b]:
            continue
        if _may_join(cluster(a), cluster(b), twins):
            join(a, b)
        else:
            pairs.zone[n] = REVIEW
    least = {root: min(found.members) for root, found in made.items()}
    return np.array([least.get(root, root) for root in of], dtype=np.int64)


def _may_join(one: _Cluster, two: _Cluster, twins: set[tuple[int, int]]) -> bool:
    if len(one.kinds | two.kinds) > 1 or one.parted.intersection(two.members):
        return False
    if any(two.numbers.get(register, number) != number for register, number in one.numbers.items()):
        return False
    numbers_agree = any(two.numbers.get(register) == number for register, number in one.numbers.items())
    if len(one.countries | two.countries) > 1 and one.hosts & two.hosts and not numbers_agree:
        return False
    for where in one.sources.keys() & two.sources.keys():
        others = two.sources[where]
        for a in one.sources[where]:
            if not any((min(a, b), max(a, b)) in twins for b in others):
                return False
    return True


@dataclass(frozen=True, slots=True)
class Golden:
    """A golden id: born in a run from a record, whose id it is made of."""

    key: str
    born_run: int
    anchor: Record
    anchor_role: str

    @property
    def age(self) -> tuple:
        """Oldest first; of one run the ERP's first."""
        return (self.born_run, *_rank(self.anchor_role, self.anchor), self.key)


@dataclass(frozen=True, slots=True)
class Event:
    """What became of a golden id: born, merged (into `other_key`), split (off `other_key`), revived, retired."""

    key: str
    event: str
    other_key: str | None = None


@dataclass(eq=False)
class Identities:
    """key: golden id per record. golden: all that live. events: what changed."""

    key: list[str]
    golden: dict[str, Golden]
    events: list[Event] = field(default_factory=list)


def golden_key(record: Record, turn: int = 1) -> str:
    """The id that a record gives to the customer it is the first of: as the macro `hash_key` makes it."""
    text = "|".join(("customer", *record, *([str(turn)] if turn > 1 else [])))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _rank(role: str, record: Record) -> tuple:
    return (0 if role == "erp" else 1, record[0], len(record[1]), record[1])


def identities(
    records: Records, cluster: np.ndarray, before: Mapping[Record, str], known: Mapping[str, Golden], run_id: int
) -> Identities:
    """Golden ids of the clusters. An id stays with the cluster that holds its first record, else most of its records;
    a cluster that holds several ids keeps the oldest. before: {record: its id until now}; known: living ids.
    """
    keys = list(zip(records.connection, records.id, strict=True))
    members: dict[int, list[int]] = defaultdict(list)
    for at, root in enumerate(cluster):
        members[int(root)].append(at)
    holders: dict[str, list[int]] = defaultdict(list)
    for root, found in members.items():
        for key in {before[keys[at]] for at in found if keys[at] in before}:
            holders[key].append(root)
    won: dict[int, list[str]] = defaultdict(list)
    for key, roots in holders.items():
        won[_keeper(key, roots, members, keys, before, known)].append(key)
    result = Identities([""] * len(records), {})
    used = {min(found, key=lambda key: known[key].age) for found in won.values()}
    for root, found in members.items():
        chosen = _chosen(records, found, keys, won.get(root, ()), known, used, run_id)
        used.add(chosen.key)
        result.golden[chosen.key] = chosen
        for at in found:
            result.key[at] = chosen.key
    result.events = list(_events(result, keys, before, known))
    return result


def _keeper(
    key: str,
    roots: Sequence[int],
    members: Mapping[int, list[int]],
    keys: Sequence[Record],
    before: Mapping[Record, str],
    known: Mapping[str, Golden],
) -> int:
    """Which cluster an id stays with."""
    if len(roots) == 1:
        return roots[0]
    anchor = known[key].anchor
    return min(
        roots,
        key=lambda root: (
            all(keys[at] != anchor for at in members[root]),
            -sum(before.get(keys[at]) == key for at in members[root]),
            min(keys[at] for at in members[root]),
        ),
    )


def _chosen(
    records: Records,
    found: Sequence[int],
    keys: Sequence[Record],
    won: Sequence[str],
    known: Mapping[str, Golden],
    used: set[str],
    run_id: int,
) -> Golden:
    if won:
        return known[min(won, key=lambda key: known[key].age)]
    first = min(found, key=lambda at: _rank(records.role[at], keys[at]))
    turn = 1
    while golden_key(keys[first], turn) in used:
        turn += 1
    return Golden(golden_key(keys[first], turn), run_id, keys[first], records.role[first])


def _events(
    result: Identities,
    keys: Sequence[Record],
    before: Mapping[Record, str],
    known: Mapping[str, Golden],
) -> Iterable[Event]:
    came: dict[str, set[str]] = defaultdict(set)
    for at, key in enumerate(result.key):
        came[key].add(before.get(keys[at], ""))
    for key in sorted(result.golden.keys() - known.keys()):
        old = sorted(came[key] - {""})
        yield Event(key, "split" if old else "born", old[0] if old else None)
    went_to: dict[str, set[str]] = defaultdict(set)
    for at, record in enumerate(keys):
        if record in before:
            went_to[before[record]].add(result.key[at])
    for key in sorted(known.keys() - result.golden.keys()):
        went = sorted(went_to[key])
        yield Event(key, "merged" if went else "retired", went[0] if went else None)
