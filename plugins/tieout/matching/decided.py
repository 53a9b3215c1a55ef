"""What people wrote down: decisions about items, and which word of one file means which of the other.

decisions.csv   decision (match, never, exclude), left_id, right_id, by, at, why
crossref.csv    kind (party, reference), left, right, valid_from, valid_to
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

from tieout.errors import ConfigError
from tieout.matching.engine import Decisions
from tieout.matching.facts import Alias

DECISIONS = ("decision", "left_id", "right_id", "by", "at", "why")
CROSSREF = ("kind", "left", "right", "valid_from", "valid_to")


def read_columns(path: Path, columns: tuple[str, ...], *, needed: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Rows of these columns, in their order, trimmed. Raises ConfigError for unknown or absent columns."""
    if not path.is_file():
        raise ConfigError(f"{path} does not exist")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        names = rows.fieldnames or []
        if unknown := [name for name in names if name not in columns]:
            raise ConfigError(f"{path}:1: unknown column {unknown[0]!r}", hint=f"columns: {', '.join(columns)}")
        if absent := [name for name in needed if name not in names]:
            raise ConfigError(f"{path}:1: no column {absent[0]!r}", hint=f"columns: {', '.join(columns)}")
        found = []
        for row in rows:
            if None in row or None in row.values():
                raise ConfigError(f"{path}:{rows.line_num}: the row has not the {len(names)} columns of the first line")
            found.append(tuple((row.get(name) or "").strip() for name in columns))
        return found


def decisions(path: Path) -> Decisions:
    """Read decisions; ConfigError names file, line and value. `by` and `why` are not optional: nobody decides in
    secret.
    """
    match, never, out_left, out_right = [], [], [], []
    rows = read_columns(path, DECISIONS, needed=("decision", "left_id", "right_id", "by", "why"))
    for line, (verb, left, right, by, _, why) in enumerate(rows, start=2):
        if not by or not why:
            raise ConfigError(f"{path}:{line}: {'by' if not by else 'why'} is empty", hint="who decided, and why")
        if verb in ("match", "never"):
            if not left or not right:
                raise ConfigError(f"{path}:{line}: {verb} needs left_id and right_id")
            (match if verb == "match" else never).append((left, right))
        elif verb == "exclude":
            if bool(left) == bool(right):
                raise ConfigError(f"{path}:{line}: exclude needs left_id or right_id, and one of them")
            (out_left if left else out_right).append(left or right)
        else:
            raise ConfigError(f"{path}:{line}: decision {verb!r}", hint="match, never or exclude")
    if both := sorted(set(match) & set(never)):
        raise ConfigError(f"{path}: {both[0][0]} and {both[0][1]} are decided both match and never", hint="remove one")
    return Decisions(tuple(match), tuple(never), tuple(out_left), tuple(out_right))


def crossref(path: Path) -> tuple[Alias, ...]:
    """Read a cross-reference table; ConfigError names file, line and value."""
    found = []
    for line, (kind, left, right, since, until) in enumerate(
            read_columns(path, CROSSREF, needed=("kind", "left", "right")), start=2):  # fmt: skip
        if kind not in ("party", "reference") or not left or not right:
            raise ConfigError(f"{path}:{line}: kind {kind!r}, left {left!r}, right {right!r}",
                              hint="kind is party or reference; left and right are not empty")  # fmt: skip
        found.append(Alias(kind, left, right, _date(path, line, since), _date(path, line, until)))
    return tuple(found)


def _date(path: Path, line: int, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigError(f"{path}:{line}: {text!r} is no date", hint="YYYY-MM-DD, or empty") from None
