"""The rules that name a break's owner: seed `rec_owner_rules`. dbt applies them; here they are read strictly."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from tieout.errors import ConfigError

COLUMNS = (
    "rule_order", "reason_code", "hop", "legal_entity_id", "min_group_amount", "owner", "due_days", "description",
)  # fmt: skip
FOLDER = Path("seeds", "reconciliation")
LONGEST = 3_650  # days


@dataclass(frozen=True)
class Rule:
    """One rule; None fits everything. `minimum`: absolute, in the group's currency."""

    order: int
    reason: str | None
    hop: str | None
    entity: str | None
    minimum: Decimal | None
    owner: str
    due_days: int


def read(project: Path) -> list[Rule]:
    """The rules of a dbt project in their order. ConfigError names file, line, column and what to do."""
    folder = project / FOLDER
    path = folder / "rec_owner_rules.csv"
    if not path.is_file():
        return []  # a project that names owners by reason alone
    reasons, hops = _known(folder / "rec_break_reasons.csv"), _known(folder / "rec_hop_tolerances.csv")
    rules: list[Rule] = []
    for line, row in _rows(path):
        where = f"{path}:{line}"
        rule = _rule(where, row, reasons, hops)
        for other in rules:
            if other.order == rule.order:
                raise ConfigError(f"{where}: rule_order {rule.order} is taken", hint="each rule has its own place")
            if (other.reason, other.hop, other.entity, other.minimum) == (
                    rule.reason, rule.hop, rule.entity, rule.minimum):
                raise ConfigError(f"{where}: fits exactly what rule {other.order} fits", hint="remove one of them")
        rules.append(rule)
    rules.sort(key=lambda rule: rule.order)
    for at, rule in enumerate(rules):
        if hidden := next((first for first in rules[:at] if _covers(first, rule)), None):
            raise ConfigError(f"{path}: rule {rule.order} can never count: rule {hidden.order} fits all that it fits",
                              hint="put the narrower rule first")
    return rules


def _rule(where: str, row: dict[str, str], reasons: set[str], hops: set[str]) -> Rule:
    said = {name: (row[name] or "").strip() for name in COLUMNS}
    if said["reason_code"] and said["reason_code"] not in reasons:
        raise ConfigError(f"{where}: reason_code {said['reason_code']!r} is not of the closed list",
                          hint="see rec_break_reasons.csv")
    if said["hop"] and said["hop"] not in hops:
        raise ConfigError(f"{where}: there is no hop {said['hop']!r}", hint=", ".join(sorted(hops)))
    if not said["owner"]:
        raise ConfigError(f"{where}: no owner", hint="a rule that names nobody is no rule")
    return Rule(
        _number(where, "rule_order", said["rule_order"]), said["reason_code"] or None, said["hop"] or None,
        said["legal_entity_id"] or None, _amount(where, said["min_group_amount"]), said["owner"],
        _number(where, "due_days", said["due_days"], LONGEST))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        handle = path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    with handle:
        rows = csv.DictReader(handle)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise ConfigError(f"{path}:1: the columns are not as they should be", hint=", ".join(COLUMNS))
        for row in rows:
            if None in row or None in row.values():
                raise ConfigError(f"{path}:{rows.line_num}: {len(COLUMNS)} cells are needed", hint=", ".join(COLUMNS))
            yield rows.line_num, row


def _known(path: Path) -> set[str]:
    """The first column of another seed."""
    with path.open(encoding="utf-8", newline="") as handle:
        return {row[0] for row in csv.reader(handle) if row}


def _number(where: str, name: str, text: str, most: int = 1_000_000) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > most:
        raise ConfigError(f"{where}: {name} {text!r} is no whole number up to {most}", hint="for example 10")
    return int(text)


def _amount(where: str, text: str) -> Decimal | None:
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise ConfigError(f"{where}: min_group_amount {text!r} is no amount", hint="for example 50000 or 0.01")
    return value


def _covers(first: Rule, second: Rule) -> bool:
    """Whether the first fits whatever the second fits."""
    pairs = ((first.reason, second.reason), (first.hop, second.hop), (first.entity, second.entity))
    alike = all(mine is None or mine == other for mine, other in pairs)
    return alike and (first.minimum is None or (second.minimum is not None and first.minimum <= second.minimum))
