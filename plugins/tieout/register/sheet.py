"""The register as a CSV file: written for people to fill in, read back line by line.

A line is carried out if it can be; one that cannot is refused with its number and the reason, and the others are not
held up by it. `event_id` and `amount` say what the person saw: a line whose break changed since is refused as stale. So
is one that was carried out before: reading a file twice does nothing the second time.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.errors import RegisterError
from tieout.register import acts, book
from tieout.register.acts import Act, Done
from tieout.register.book import Entry, Filter

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import BreakPolicy

# What the register says, and then what a person fills in.
TOLD = (
    "break_key", "event_id", "amount", "currency_code", "group_amount", "status", "hop", "reason_code", "reason_name",
    "document", "counter_document", "customer", "legal_entity_id", "first_seen_date", "owner", "due_date", "is_overdue",
    "requested_by", "comment", "evidence", "source_url",
)  # fmt: skip
ASKED = ("act", "new_owner", "new_due_date", "new_comment", "why", "allowance")
NEEDED = ("break_key", "event_id", "amount", *ASKED)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBERS = ("event_id", "amount", "group_amount")


@dataclass(frozen=True)
class Refused:
    """A line that was not carried out."""

    line: int
    break_key: str
    why: str


@dataclass(frozen=True)
class Read:
    """What a file did, or would do. `untouched`: lines without an act."""

    done: tuple[Done, ...]
    refused: tuple[Refused, ...]
    untouched: int


def write(path: Path, entries: Iterable[Entry]) -> int:
    """Write the breaks, one a line, with empty columns to fill in; returns their number. Only its owner may read it."""
    count = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as handle:
        out = csv.writer(handle)
        out.writerow([*TOLD, *ASKED])
        for entry in entries:
            out.writerow([*(cell(name, getattr(entry, name)) for name in TOLD), *("" for _ in ASKED)])
            count += 1
    return count


def read(db: psycopg.Connection, path: Path, by: str, account: str, policy: BreakPolicy) -> Read:
    """Carry out what the file asks for, in the caller's transaction: rolled back, it was a dry run.

    Raises RegisterError with file and line for a file that cannot be read as such; nothing of it is carried out.
    """
    lines = list(_lines(path))
    seen: set[str] = set()
    done: list[Done] = []
    refused: list[Refused] = []
    untouched = 0
    standing = {entry.break_key: entry for entry in book.find(db, Filter())}
    for number, row in lines:
        if not row["act"]:
            if any(row[name] for name in ASKED):
                refused.append(Refused(number, row["break_key"], "something is filled in, but no act"))
            else:
                untouched += 1
            continue
        try:
            if row["break_key"] in seen:
                raise RegisterError("the break stands in an earlier line, too")
            seen.add(row["break_key"])
            entry = _unchanged(standing.get(row["break_key"]), row)
            done.append(acts.carry_out(db, entry, _act(row, by, account), policy))
        except RegisterError as error:
            refused.append(Refused(number, row["break_key"], error.message))
    return Read(tuple(done), tuple(refused), untouched)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        handle = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise RegisterError(f"{path}: {error.strerror}", hint="tieout breaks export FILE writes one") from None
    with handle:
        rows = csv.DictReader(handle, strict=True)
        try:
            if missing := [name for name in NEEDED if name not in (rows.fieldnames or ())]:
                raise RegisterError(f"{path}:1: no column {', '.join(missing)}", hint=f"columns: {', '.join(NEEDED)}")
            for row in rows:
                if None in row or None in row.values():
                    raise RegisterError(f"{path}:{rows.line_num}: {len(rows.fieldnames or ())} cells are needed",
                                        hint="a cell with a comma stands in quotes")
                yield rows.line_num, {name: row[name].strip() for name in NEEDED}
        except (csv.Error, UnicodeDecodeError) as error:
            raise RegisterError(f"{path}:{rows.line_num + 1}: {error}", hint="CSV in UTF-8, with commas") from None


def _unchanged(entry: Entry | None, row: dict[str, str]) -> Entry:
    """The break, if it is what the person saw."""
    if entry is None:
        raise RegisterError("the break is not in the register any more, or never was: export again")
    if row["event_id"] != str(entry.event_id):
        raise RegisterError(
            f"stale: since the export it was changed by {entry.changed_by} at {entry.changed_at:%Y-%m-%d %H:%M};"
            f" it is {entry.status.replace('_', ' ')} now" if entry.changed_at else "stale: export again")
    if _decimal("amount", row["amount"]) != entry.amount:
        raise RegisterError(f"stale: the amount was {row['amount']}, and is {entry.amount} now")
    return entry


def _act(row: dict[str, str], by: str, account: str) -> Act:
    due = row["new_due_date"]
    try:
        day = date.fromisoformat(due) if due else None
    except ValueError:
        raise RegisterError(f"new_due_date {due!r} is no day: YYYY-MM-DD") from None
    allowance = _decimal("allowance", row["allowance"]) if row["allowance"] else Decimal(0)
    word = row["act"].lower()
    if row["allowance"] and word != "waive":
        raise RegisterError(f"{word} takes no allowance: a waiver does")
    return Act(word, by, account, row["new_comment"] or None, row["why"] or None, row["new_owner"] or None, day,
               allowance, seen=int(row["event_id"]))


def _decimal(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise RegisterError(f"{name} {text!r} is no amount: 1234.56")
    return value


def cell(name: str, value: object) -> str:
    """A spreadsheet must not take a vendor's text for a formula. Numbers stay numbers."""
    text = "" if value is None else str(value)
    return f"'{text}" if name not in _NUMBERS and text.startswith(_FORMULA) else text
