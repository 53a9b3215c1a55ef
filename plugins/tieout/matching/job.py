"""Two files, a rules file, a folder of results: what the command line runs around `engine.match`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tieout import progress
from tieout.errors import ConfigError
from tieout.matching import decided, guess, money, reading, tables, truth
from tieout.matching.breaks import REASONS
from tieout.matching.engine import Result, match
from tieout.matching.reading import Loaded
from tieout.matching.rules import Rules, load

SAMPLES = 3
EXPLAINED = frozenset({"C1", "C3", "C4", "C6", "D4", "E1"})  # of a matched group: found, and explained


@dataclass(frozen=True)
class Done:
    """What a run read and found."""

    rules: Rules
    left: Loaded
    right: Loaded
    result: Result
    score: truth.Score | None = None

    def summary(self) -> dict[str, Any]:
        """Everything in figures: rows per side, passes, breaks, the gap per currency, and what is left over."""
        result, words = self.result, self.result.facts.currencies
        gap = {word: int(result.breaks.amount[result.breaks.currency == n].sum()) for n, word in enumerate(words)}
        summary: dict[str, Any] = {
            "left": str(self.left.path), "right": str(self.right.path),
            "rows": {side: self._rows(side) for side in ("left", "right")},
            "passes": [{"pass": each.name, "groups": each.groups, "left": each.left, "right": each.right,
                        "scoped": each.scoped, "amount": _money(each.amount)} for each in result.reports],
            "breaks": self._breaks(),
            "gap": _money(gap),
            "suggested": sum(made.count for _, made in result.suggested),
            "left_over": self._left_over(),
            "parties_compared": bool(result.facts.parties.comparable),
        }  # fmt: skip
        return summary | ({"score": self.score} if self.score else {})

    def _rows(self, side: str) -> dict[str, int]:
        loaded: Loaded = getattr(self, side)
        scoped = getattr(self.result, f"scoped_{side}")
        matched = sum(len(getattr(made, side)) for _, made in self.result.confirmed)
        broken = int((self.result.breaks.side == side).sum())
        rows = {"received": loaded.received, "matched": matched, "broken": broken,
                "scoped": len(scoped) + len(loaded.replays), "quarantined": len(loaded.refused)}  # fmt: skip
        if rows["received"] != sum(rows.values()) - rows["received"]:
            raise AssertionError(f"{side}: {rows} do not add up")
        return rows

    def _breaks(self) -> list[dict[str, Any]]:
        found, words = self.result.breaks, self.result.facts.currencies
        rows = []
        for code in np.unique(found.reason).tolist():
            for number in np.unique(found.currency[found.reason == code]).tolist():
                chosen = (found.reason == code) & (found.currency == number)
                word = words[int(number)]
                rows.append({"currency": word, "reason": code, "meaning": REASONS[code], "count": int(chosen.sum()),
                             "amount": str(money.from_minor(int(found.amount[chosen].sum()), word))})  # fmt: skip
        return rows

    def _left_over(self) -> dict[str, Any]:
        """Breaks that nothing explains and that are above the materiality."""
        found, words = self.result.breaks, self.result.facts.currencies
        if not len(found.row):
            return {"count": 0, "amount": {}}
        limits = np.array([int(self.rules.materiality.scaleb(money.units(word))) for word in words], np.int64)
        fine = EXPLAINED | {self.rules.tolerance.reason, *self.rules.variance.reasons.values()}
        explained = (found.side == "match") & np.isin(found.reason, sorted(fine))
        left = ~explained & (np.abs(found.amount) > limits[found.currency.astype(np.int64)])
        amount = {word: int(np.abs(found.amount[left & (found.currency == n)]).sum()) for n, word in enumerate(words)}
        return {"count": int(left.sum()), "amount": _money(amount)}

    def samples(self) -> dict[str, list[str]]:
        """A few matches of each pass, as a person reads them. Chosen by the match's id: the same in every run."""
        facts, found = self.result.facts, {}
        for name, made in self.result.confirmed:
            lines = found.setdefault(name, [])
            names = np.array(tables.ids(self.result, made).to_pylist())
            for group in np.argsort(names)[:SAMPLES].tolist():
                parts = []
                for side in ("left", "right"):
                    rows = getattr(made, side)[getattr(made, f"{side}_group") == group]
                    items = getattr(facts, side)
                    shown = [f"{items.ids[int(row)].as_py()} "
                             f"{money.from_minor(int(items.amount[row]), items.currency[int(row)].as_py())}"
                             for row in rows[:4]]  # fmt: skip
                    parts.append(" + ".join(shown) + (" + …" if len(rows) > 4 else ""))
                reason = f"  ({REASONS[made.reason[group]]})" if made.reason[group] else ""
                if len(lines) < SAMPLES:
                    lines.append(f"{parts[0]} = {parts[1]}{reason}")
        return found


def run(left: Path, right: Path, rules: Path | None, *, decisions: Path | None = None, crossref: Path | None = None,
        truth: Path | None = None) -> Done:  # fmt: skip
    """Read, match, score. Raises ConfigError for wrong files and MatchError where an invariant does not hold."""
    chosen = guess.filled(load(rules) if rules else Rules(), left, right)
    made = decided.decisions(decisions) if decisions else None
    aliases = decided.crossref(crossref) if crossref else ()
    labels = _truth(truth) if truth else None
    loaded = {}
    for name, path in (("left", left), ("right", right)):
        with progress.timed("read", str(path)) as step:
            loaded[name] = reading.load_side(path, getattr(chosen, name), chosen, name)
            step.facts = f"{loaded[name].received:,} rows, {len(loaded[name].refused):,} refused"
    with progress.timed("match", "") as step:
        result = match(loaded["left"].items, loaded["right"].items, chosen, decisions=made, aliases=aliases,
                       tell=lambda name, facts: progress.tell(progress.Event("rule", name, facts)))  # fmt: skip
        step.facts = f"{sum(made.count for _, made in result.confirmed):,} matches, {len(result.breaks.row):,} breaks"
    return Done(chosen, loaded["left"], loaded["right"], result, _scored(result, labels, truth))


def _truth(path: Path) -> list[tuple[str, str, str]]:
    return truth.load(path)


def _scored(result: Result, labels: list[tuple[str, str, str]] | None, path: Path | None) -> truth.Score | None:
    if labels is None:
        return None
    unknown = truth.ids_known(result, labels)
    if labels and sum(unknown) >= len({each for row in labels for each in row[:2] if each}):
        raise ConfigError(f"{path}: none of its ids is in the two files", hint="are these the labels of other files?")
    return truth.score(result, labels)


def write(done: Done, out: Path) -> None:
    """Write all results, each file whole or not at all."""
    import pyarrow.csv as csv

    out.mkdir(parents=True, exist_ok=True)
    with progress.timed("write", str(out)) as step:
        made = {"matches": tables.matches, "members": tables.members, "breaks": tables.breaks}
        for name, table in made.items():
            with _whole(out / f"{name}.csv") as path:
                csv.write_csv(table(done.result), path, csv.WriteOptions(quoting_style="needed"))
        with _whole(out / "scoped.csv") as path:
            csv.write_csv(_scoped(done), path, csv.WriteOptions(quoting_style="needed"))
        with _whole(out / "quarantine.csv") as path:
            csv.write_csv(_quarantine(done), path, csv.WriteOptions(quoting_style="needed"))
        with _whole(out / "summary.json") as path:
            summary = done.summary()
            if done.score:
                summary["score"] = asdict(done.score)
            path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        step.facts = f"{len(made) + 3} files"


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A name to write under; the file appears when it is complete."""
    part = path.with_name(path.name + ".part")
    yield part
    os.replace(part, path)


def _scoped(done: Done) -> pa.Table:
    rows = []
    for side in ("left", "right"):
        loaded: Loaded = getattr(done, side)
        rows += [(side, name, why) for name, why in loaded.replays]
        scoped = getattr(done.result, f"scoped_{side}")
        rows += [(side, loaded.items.ids[row].as_py(), why) for row, why in sorted(scoped.items())]
    return _table(("side", "id", "reason"), rows)


def _quarantine(done: Done) -> pa.Table:
    rows = [(side, str(each.line), each.reason, json.dumps(each.record, ensure_ascii=False))
            for side in ("left", "right") for each in getattr(done, side).refused]  # fmt: skip
    return _table(("side", "row", "reason", "record"), rows)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> pa.Table:
    return pa.table({name: pa.array([row[n] for row in rows], pa.string()) for n, name in enumerate(columns)})


def _money(amount: dict[str, int]) -> dict[str, str]:
    return {word: str(money.from_minor(minor, word)) for word, minor in sorted(amount.items())}
