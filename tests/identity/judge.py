"""Match records in memory and compare with the truth."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.conftest import ROOT
from tieout.matching import identity_blocks, identity_cluster, identity_compare, identity_records, identity_score

SEED = ROOT / "dbt_project" / "seeds" / "reconciliation" / "rec_identity_weights.csv"
Record = tuple[str, str]


@dataclass(frozen=True)
class Verdict:
    """pairs across systems: true, claimed by a common cluster, right; pairs of records in review."""

    true: int
    claimed: int
    right: int
    review: int
    records: int
    false: tuple = ()
    missed: tuple = ()

    @property
    def precision(self) -> float:
        return self.right / self.claimed if self.claimed else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def rows() -> list[tuple[str, str, float]]:
    """The shipped seed: (attribute, level, weight)."""
    with SEED.open(encoding="utf-8", newline="") as stream:
        return [(row["attribute"], row["level"], float(row["weight"])) for row in csv.DictReader(stream)]


def weights() -> identity_score.Weights:
    """The shipped seed, checked."""
    return identity_score.weights(rows())


def matched(told: Iterable[dict[str, Any]], units: dict[str, str], by: identity_score.Weights | None = None):
    """(records, pairs, cluster per record) of a complete scoring in memory."""
    by = by or weights()
    records = identity_records.read([{**dict.fromkeys(identity_records.FIELDS), **row} for row in told], units)
    left, right = identity_blocks.pairs(identity_blocks.make(records))
    levels = identity_compare.levels(records, left, right)
    found = identity_score.Pairs(
        left, right, identity_score.score(levels, by), identity_score.vetoes(levels), np.empty(0), np.empty(0)
    )
    identity_score.zones(records, found, by)
    return (
        records,
        found,
        levels,
        identity_cluster.clusters(records, found, against=identity_score.against(records, found, by)),
    )


def judge(
    told: Iterable[dict[str, Any]],
    units: dict[str, str],
    truth: set[tuple[Record, Record]],
    by: identity_score.Weights | None = None,
) -> Verdict:
    """truth: pairs of records of two systems, the CRM's first."""
    records, pairs, _, cluster = matched(told, units, by)
    members: dict[int, list[int]] = {}
    for at, root in enumerate(cluster):
        members.setdefault(int(root), []).append(at)
    key = list(zip(records.connection, records.id, strict=True))
    claimed = {
        (key[a], key[b])
        for found in members.values()
        for a in found
        for b in found
        if records.role[a] == "crm" and records.role[b] == "erp"
    }
    return Verdict(
        len(truth),
        len(claimed),
        len(claimed & truth),
        int((pairs.zone == identity_score.REVIEW).sum()),
        len(records),
        tuple(sorted(claimed - truth)),
        tuple(sorted(truth - claimed)),
    )
