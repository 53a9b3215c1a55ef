"""Who is who among customers: read the records, score what changed, cluster, write.

A record is scored again when anything that a comparison of it depends on changed: its own fields, how rare its words
are, whom it meets in a block. Zones, margins and clusters are made anew from all pairs each time, so that a scoring of
changes ends where a scoring of everything would.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from tieout import logs
from tieout.matching import identity_blocks as blocks
from tieout.matching import identity_cluster as cluster
from tieout.matching import identity_compare as compare
from tieout.matching import identity_records as reading
from tieout.matching import identity_score as scoring
from tieout.matching import identity_store as store
from tieout.matching.identity_cluster import Record
from tieout.matching.identity_score import Pairs, Weights

if TYPE_CHECKING:
    import psycopg

VERSION = 1  # of the way of comparing; another one scores everything anew
CHUNK = 1_000_000
log = logs.logger(__name__)


@dataclass(frozen=True)
class Scoring:
    """What one scoring did. `compared`: pairs whose levels were found in this run; `kept`: stored pairs."""

    records: int
    changed: int
    compared: int
    kept: int
    auto: int
    review: int
    customers: int
    events: dict[str, int]
    seconds: float

    def facts(self) -> dict[str, Any]:
        """Flat, for the books."""
        return {**{word: value for word, value in vars(self).items() if word != "events"}, **self.events}


@dataclass(eq=False)
class _Work:
    """Compared pairs with their levels; for a pair that was kept from before, only score, veto and method are known."""

    pairs: Pairs
    method: np.ndarray
    levels: dict[str, np.ndarray]
    fresh: int  # the first so many are from this run


def run(
    books: psycopg.Connection, run_id: int, units: Mapping[str, str], *, everything: bool = False
) -> Scoring | None:
    """Match customers in one transaction; None where nothing changed. `units`: {connection: business unit}."""
    started = time.monotonic()
    by = scoring.weights(store.weights(books))
    digest = hashlib.sha256(repr((VERSION, by.digest, sorted(units.items()))).encode()).hexdigest()
    if not everything and not store.is_stale(books, digest):
        return None
    with books.transaction():
        told, content = store.rows(books)
        records = reading.read(told, units)
        keys: list[Record] = list(zip(records.connection, records.id, strict=True))
        known = store.known(books)
        before = {record: one.key for record, one in known.items()}
        stored = store.golden(books) if known else {}
        golden = stored
        if not known:
            before, golden = store.before_matching(books)
        found = blocks.make(records)
        _tell_skipped(found)
        feature = features(records, found)
        anew = everything or store.last_digest(books) != digest
        changed = np.array(
            [
                anew or record not in known or known[record].feature != int(number)
                for record, number in zip(keys, feature, strict=True)
            ],
            dtype=bool,
        )
        place = {record: at for at, record in enumerate(keys)}
        decided = [one for one in store.decisions(books) if one.a in place and one.b in place]
        same = [(place[one.a], place[one.b]) for one in decided if one.same]
        parted = [(place[one.a], place[one.b]) for one in decided if not one.same]
        work, gone = _work(books, records, found, changed, by, place, same + parted, anew)
        of, zones = resolve(records, work.pairs, by, same, parted)
        result = cluster.identities(records, of, before, golden, run_id)
        _write_pairs(books, records, work, zones, by, run_id, gone, anew)
        _write_records(books, records, work, of, zones, result, known, content, feature, run_id)
        store.replace_golden(books, result.golden, stored, run_id, result.events)
        store.replace_affiliates(books, affiliates(records, work.pairs, result.key, told))
        done = Scoring(
            len(records),
            int(changed.sum()),
            work.fresh,
            len(work.pairs),
            int((zones == "auto").sum()),
            int((zones == "review").sum()),
            len(result.golden),
            dict(Counter(event.event for event in result.events)),
            round(time.monotonic() - started, 3),
        )
        store.scored(books, run_id, digest, store.newest_decision(books), done.facts())
    log.info("identity: %s", ", ".join(f"{word} {value}" for word, value in done.facts().items()))
    return done


def features(records: reading.Records, found: blocks.Blocks) -> np.ndarray:
    """Per record a digest of all that a comparison of it depends on, as a signed 64-bit number."""
    met = blocks.of_record(found, len(records))
    rank = np.append(records.rank, -1)
    claims = [f"{records.connection[to]}\x1f{records.id[to]}" if to >= 0 else "" for to in records.claims]
    columns = (
        records.unit,
        records.role,
        records.name,
        records.form,
        records.initials,
        records.tax,
        records.register,
        records.site,
        records.phone,
        records.street,
        records.city,
        records.postcode,
        records.country,
        claims,
    )
    digests = np.empty(len(records), dtype=np.uint64)
    for at, texts in enumerate(zip(*columns, strict=True)):
        words = sorted(records.vocabulary[word] for word in records.words[at] if word >= 0)
        more = f"{records.chance[at]}/{records.has_twin_host[at]}/{records.is_person[at]}/{met[at]}"
        shape = sorted(zip(words, [int(r) for r in rank[records.words[at]] if r >= 0], strict=False))
        digests[at] = xxhash.xxh3_64_intdigest("\x1e".join((*texts, more, repr(shape))).encode())
    return digests.view(np.int64)


def resolve(
    records: reading.Records,
    pairs: Pairs,
    by: Weights,
    same: Sequence[tuple[int, int]],
    parted: Sequence[tuple[int, int]],
) -> tuple[np.ndarray, np.ndarray]:
    """(cluster per record, zone per pair as a word), decisions first."""
    spoken = {(min(p), max(p)): "same" for p in same} | {(min(p), max(p)): "not_same" for p in parted}
    at = {}
    if spoken:
        at = {
            n: spoken[pair]
            for n, pair in enumerate(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
            if pair in spoken
        }
    mask = np.zeros(len(pairs), dtype=bool)
    mask[[n for n, word in at.items() if word == "not_same"]] = True
    scoring.zones(records, pairs, by, mask)
    of = cluster.clusters(records, pairs, same, parted, scoring.against(records, pairs, by, same))
    words = np.array(scoring.ZONES, dtype=object)[pairs.zone]
    for n, word in at.items():
        words[n] = word
    return of, words


def levels_of(
    records: reading.Records, left: np.ndarray, right: np.ndarray, by: Weights, forced: set[tuple[int, int]]
) -> tuple[Pairs, np.ndarray, dict[str, np.ndarray]]:
    """Compare in pieces; what stays is worth a look: in the review zone or above, affiliates, and `forced` pairs."""
    kept: list[tuple] = []
    for low in range(0, max(len(left), 1), CHUNK):
        a, b = left[low : low + CHUNK], right[low : low + CHUNK]
        levels = compare.levels(records, a, b)
        points, veto = scoring.score(levels, by), scoring.vetoes(levels)
        plain = points - np.where(veto == 1, by.of["tax_id"][levels["tax_id"]], 0)
        keep = (plain >= by.review) | (veto == scoring.VETOES.index("affiliate"))
        if forced:
            keep |= np.array([pair in forced for pair in zip(a.tolist(), b.tolist(), strict=True)], dtype=bool)
        kept.append((a[keep], b[keep], points[keep], veto[keep], {word: found[keep] for word, found in levels.items()}))
    one, two, points, veto = (np.concatenate([part[n] for part in kept]) for n in range(4))
    levels = {word: np.concatenate([part[4][word] for part in kept]) for word in compare.ATTRIBUTES}
    return Pairs(one, two, points, veto, np.zeros(len(one), np.int8), np.zeros(len(one))), methods(levels), levels


def methods(levels: Mapping[str, np.ndarray]) -> np.ndarray:
    """What joins a pair, in a word."""
    has = {
        word: np.isin(levels[attribute], [compare.ATTRIBUTES[attribute].index(level) for level in found])
        for word, attribute, found in (
            ("name", "name", ("equal", "equal_usual", "equal_common")),
            ("country", "country", ("same",)),
            ("site", "site", ("same", "same_shared")),
            ("id", "external_id", ("both", "one")),
            ("tax", "tax_id", ("same", "same_checked")),
        )
    }
    rules = (
        (has["id"] & has["name"], "id_and_name"),
        (has["id"] & has["site"] & has["country"], "id_and_domain"),
        (has["name"] & has["country"], "name_and_country"),
        (has["tax"], "tax_id"),
    )
    return np.select([rule for rule, _ in rules], [word for _, word in rules], "scored").astype(object)


def affiliates(
    records: reading.Records, pairs: Pairs, key: Sequence[str], told: Sequence[Sequence[Any]]
) -> dict[tuple[str, str], str]:
    """{two golden customers: why they belong together} without being one."""
    found: dict[tuple[str, str], str] = {}

    def add(a: int, b: int, reason: str) -> None:
        one, two = sorted((key[a], key[b]))
        if one != two:
            found.setdefault((one, two), reason)

    place = {record: at for at, record in enumerate(zip(records.connection, records.id, strict=True))}
    parent = reading.FIELDS.index("parent_customer_id")
    for row in told:
        if row[parent] and (row[0], row[parent]) in place:
            add(place[row[0], row[1]], place[row[0], row[parent]], "parent")
    relative = (
        (pairs.veto == scoring.RELATIVE)
        & (records.site[pairs.left] == records.site[pairs.right])
        & (records.site[pairs.left] != "")
    )
    for mask, reason in ((pairs.veto == scoring.VETOES.index("affiliate"), "host"), (relative, "relative")):
        for a, b in zip(pairs.left[mask].tolist(), pairs.right[mask].tolist(), strict=True):
            add(a, b, reason)
    return found


def pair_key(a: Record, b: Record) -> int:
    """One number for two records, whichever comes first."""
    one, two = sorted((a, b))
    return xxhash.xxh3_64_intdigest("\x1f".join((*one, *two)).encode()) - (1 << 63)


def _tell_skipped(found: blocks.Blocks) -> None:
    for one in found.skipped:
        log.warning(
            "identity: %s blocks by %s stayed too large: %s records were not compared by that key alone",
            one.blocks,
            one.kind,
            one.records,
        )


def _work(
    books: psycopg.Connection,
    records: reading.Records,
    found: blocks.Blocks,
    changed: np.ndarray,
    by: Weights,
    place: Mapping[Record, int],
    decided: Sequence[tuple[int, int]],
    anew: bool,
) -> tuple[_Work, list[int]]:
    """All pairs worth a look, compared now or kept; and the keys of stored pairs that are no longer true."""
    left, right = blocks.pairs(found, None if anew else changed)
    forced = {(min(pair), max(pair)) for pair in decided}
    if forced:
        more = np.array(sorted(forced), dtype=np.int64)
        both = np.unique(np.r_[left << 32 | right, more[:, 0] << 32 | more[:, 1]])
        left, right = both >> 32, both & 0xFFFFFFFF
    fresh, method, levels = levels_of(records, left, right, by, forced)
    again = set(zip(fresh.left.tolist(), fresh.right.tolist(), strict=True)) & forced
    kept, gone = [], []
    for key, connection_a, id_a, connection_b, id_b, points, veto, how in [] if anew else store.pairs(books):
        a, b = place.get((connection_a, id_a)), place.get((connection_b, id_b))
        if a is None or b is None or changed[a] or changed[b] or (min(a, b), max(a, b)) in again:
            gone.append(key)
        else:
            kept.append((min(a, b), max(a, b), points, scoring.VETOES.index(veto), how))
    if kept:
        columns = list(zip(*kept, strict=True))
        pairs = Pairs(
            np.r_[fresh.left, np.array(columns[0], np.int64)],
            np.r_[fresh.right, np.array(columns[1], np.int64)],
            np.r_[fresh.score, np.array(columns[2])],
            np.r_[fresh.veto, np.array(columns[3], np.int8)],
            np.zeros(len(fresh) + len(kept), np.int8),
            np.zeros(len(fresh) + len(kept)),
        )
        method = np.r_[method, np.array(columns[4], dtype=object)]
        return _Work(pairs, method, levels, len(fresh)), gone
    return _Work(fresh, method, levels, len(fresh)), gone


def _write_pairs(
    books: psycopg.Connection,
    records: reading.Records,
    work: _Work,
    zones: np.ndarray,
    by: Weights,
    run_id: int,
    gone: Sequence[int],
    anew: bool,
) -> None:
    import pyarrow as pa

    pairs, fresh = work.pairs, work.fresh
    ids = list(zip(records.connection, records.id, strict=True))
    keys = [pair_key(ids[a], ids[b]) for a, b in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)]
    store.drop_pairs(books, None if anew else gone)
    a, b = pairs.left[:fresh], pairs.right[:fresh]
    store.copy(
        books,
        store.TABLE.format("compared"),
        pa.table(
            {
                "pair_key": pa.array(keys[:fresh], pa.int64()),
                "connection_a": list(records.connection[a]),
                "customer_id_a": list(records.id[a]),
                "connection_b": list(records.connection[b]),
                "customer_id_b": list(records.id[b]),
                "score": pairs.score[:fresh],
                "margin": np.round(pairs.margin[:fresh], 3),
                "veto": [scoring.VETOES[n] for n in pairs.veto[:fresh]],
                "zone": list(zones[:fresh]),
                "method": list(work.method[:fresh]),
                "run_id": pa.array([run_id] * fresh, pa.int64()),
            }
        ),
    )
    number = np.array(keys[:fresh], dtype=np.int64)
    for attribute, names in compare.ATTRIBUTES.items():
        said = np.flatnonzero(work.levels[attribute])
        level = work.levels[attribute][said]
        store.copy(
            books,
            store.TABLE.format("evidenced"),
            pa.table(
                {
                    "pair_key": number[said],
                    "attribute": [attribute] * len(said),
                    "level": list(np.array(names, dtype=object)[level]),
                    "weight": by.of[attribute][level],
                }
            ),
        )
    store.set_zones(books, keys[fresh:], np.round(pairs.margin[fresh:], 3).tolist(), list(zones[fresh:]))


def _write_records(
    books: psycopg.Connection,
    records: reading.Records,
    work: _Work,
    of: np.ndarray,
    zones: np.ndarray,
    result: cluster.Identities,
    known: Mapping[Record, store.Known],
    content: Mapping[Record, str],
    feature: np.ndarray,
    run_id: int,
) -> None:
    import pyarrow as pa

    best: list[tuple[float, str] | None] = [None] * len(records)
    pairs = work.pairs
    joined = (of[pairs.left] == of[pairs.right]) & np.isin(zones, ("auto", "same", "review"))
    for n in np.flatnonzero(joined):
        how = "decided" if zones[n] == "same" else work.method[n]
        score = float("inf") if zones[n] == "same" else float(pairs.score[n])
        for at in (int(pairs.left[n]), int(pairs.right[n])):
            if best[at] is None or best[at] < (score, how):
                best[at] = (score, how)
    keys = list(zip(records.connection, records.id, strict=True))
    new, gone = [], set(known) - set(keys)
    for at, record in enumerate(keys):
        score, how = best[at] or (None, "own")
        score = None if score is None or score == float("inf") else round(score, 3)
        was = known.get(record)
        since = was.since_run if was and was.key == result.key[at] else run_id
        now = store.Known(result.key[at], how, score, content[record], int(feature[at]), since)
        if now != was:
            gone.add(record)
            new.append((*record, now.key, how, score, now.content, now.feature, since))
    names = (
        "connection",
        "customer_id",
        "customer_key",
        "method",
        "score",
        "content_hash",
        "feature_hash",
        "since_run",
    )
    kinds = (pa.string(),) * 4 + (pa.float64(), pa.string(), pa.int64(), pa.int64())
    columns = list(zip(*new, strict=True)) or [()] * len(names)
    store.replace_records(
        books,
        gone,
        pa.table(
            {name: pa.array(list(values), kind) for name, values, kind in zip(names, columns, kinds, strict=True)}
        ),
    )
