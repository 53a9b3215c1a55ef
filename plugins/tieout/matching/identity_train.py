"""Learn the weights anew from what is on file, without labels: expectation and maximisation over compared pairs.

Two kinds of pairs are assumed, the same and not. `m` is how often each level is seen among the same, `u` among the
others; a weight is log2(m / u). `u` is counted among pairs drawn at random, which are practically never the same; `m`
is estimated among candidates. What comes out is a proposal: a new seed to review line by line, never written over the
old one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tieout.errors import ConfigError
from tieout.matching import identity_blocks as blocks
from tieout.matching import identity_compare as compare
from tieout.matching import identity_records as reading
from tieout.matching import identity_score as scoring

ROUNDS = 25
DRAWN = 200_000
LEAST = 30  # pairs of a level below which its old weight is kept
SEEN = 5  # pairs that a share needs to be more than a guess
STEP = 6.0  # a weight moves no further than this from the old one
LIMIT = 20.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A level's weight before and after. `seen`: expected pairs of it among the same, `m` and `u` its shares."""

    attribute: str
    level: str
    before: float
    after: float
    seen: float
    m: float
    u: float


def propose(records: reading.Records, by: scoring.Weights) -> list[Proposal]:
    """Weights that these records speak for. ConfigError for fewer than a hundred pairs that are probably the same."""
    left, right = blocks.pairs(blocks.make(records))
    source = records.source
    across = source[left] != source[right]
    levels = compare.levels(records, left[across], right[across])
    random = _random_levels(records)
    weight = {attribute: found.copy() for attribute, found in by.of.items()}
    same = _odds(levels, by.of, by.prior - by.auto + 3)
    if same.sum() < 100:
        raise ConfigError(
            f"{same.sum():.0f} pairs are probably the same: too few to learn from",
            hint="train where both systems are landed",
        )
    m: dict[str, np.ndarray] = {}
    u: dict[str, np.ndarray] = {}
    other = 1 - _odds(random, by.of, by.prior)  # a few that were drawn are the same after all
    for _ in range(ROUNDS):
        for attribute in compare.ATTRIBUTES:
            m[attribute] = _shares(levels[attribute], same, attribute)
            u[attribute] = _shares(random[attribute], other, attribute)
            drawn = np.bincount(random[attribute], other, minlength=len(u[attribute]))
            weight[attribute] = _weights(m[attribute], u[attribute], by.of[attribute], levels[attribute], same, drawn)
        same, other = _odds(levels, weight, by.prior), 1 - _odds(random, weight, by.prior)
    found = []
    for attribute, names in compare.ATTRIBUTES.items():
        for n, level in enumerate(names):
            if n and (attribute, level) != ("kind", "same"):
                seen = float(same[levels[attribute] == n].sum())
                found.append(
                    Proposal(
                        attribute,
                        level,
                        float(by.of[attribute][n]),
                        float(round(weight[attribute][n] * 2) / 2),
                        round(seen, 1),
                        float(m[attribute][n]),
                        float(u[attribute][n]),
                    )
                )
    return found


def _odds(levels: Mapping[str, np.ndarray], weight: Mapping[str, np.ndarray], prior: float) -> np.ndarray:
    """The probability that each pair is the same; none for one that is vetoed."""
    total = np.full(len(levels["name"]), prior)
    for attribute in compare.ATTRIBUTES:
        total += weight[attribute][levels[attribute]]
    total[scoring.vetoes(dict(levels)) > 0] = -60
    return 1 / (1 + 2.0 ** -np.clip(total, -60, 60))


def _random_levels(records: reading.Records) -> dict[str, np.ndarray]:
    """Levels of pairs drawn by a generator of fixed seed: two systems where there are two."""
    draw = np.random.default_rng(7)
    left = draw.integers(0, len(records), DRAWN)
    right = draw.integers(0, len(records), DRAWN)
    source = records.source
    kept = (source[left] != source[right]) & (left != right)
    return compare.levels(records, left[kept], right[kept])


def _shares(level: np.ndarray, mass: np.ndarray, attribute: str) -> np.ndarray:
    """The share of each level among pairs where both say something; half a pair is added to each: none is zero."""
    count = np.bincount(level, mass, minlength=len(compare.ATTRIBUTES[attribute]))
    count[0] = 0
    count[1:] += 0.5
    return count / count.sum()


def _weights(
    m: np.ndarray, u: np.ndarray, old: np.ndarray, level: np.ndarray, same: np.ndarray, drawn: np.ndarray
) -> np.ndarray:
    """log2(m / u), where enough pairs speak; near the old weight, so that one odd data set turns nothing upside down.

    A share too small to be seen is known from one side only: where no pair drawn at random has a level, its weight may
    only rise; where no same pair has it, only fall.
    """
    pairs, seen = np.bincount(level, minlength=len(m)), np.bincount(level, same, minlength=len(m))
    new = np.zeros(len(m))
    new[1:] = np.log2(m[1:] / u[1:])
    new = np.clip(np.clip(new, old - STEP, old + STEP), -LIMIT, LIMIT)
    new = np.where(drawn < SEEN, np.maximum(new, old), new)
    new = np.where(seen < SEEN, np.minimum(new, old), new)
    keep = pairs < LEAST
    keep[0] = True
    return np.where(keep, old, new)


def seed_csv(before: Sequence[Mapping[str, str]], proposals: Sequence[Proposal]) -> str:
    """The seed's text with the proposed weights; everything else as it was, so that a diff shows the weights alone."""
    after = {(one.attribute, one.level): one.after for one in proposals}
    out = io.StringIO()
    writer = csv.DictWriter(out, list(before[0]), lineterminator="\n")
    writer.writeheader()
    for row in before:
        new = after.get((row["attribute"], row["level"]))
        moved = new is not None and new != float(row["weight"])
        writer.writerow({**row, "weight": f"{new:g}" if moved else row["weight"]})
    return out.getvalue()
