"""Decisions about refused records as a CSV file: written for a person to fill in, read back all or nothing.

Columns: id, connection, stream, key, field, value, reason_code, reason · decision, mapped_value, note. The last three
are the person's; `decision` is empty or one of DECISIONS. Reading a file twice changes nothing the second time.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tieout.errors import LandingError
from tieout.landing import mapping, quarantine, replay, typed
from tieout.landing.names import visible
from tieout.landing.quarantine import Entry

DECISIONS = ("map", "null", "waive", "replay")
COLUMNS = ("id", "connection", "stream", "key", "field", "value", "reason_code", "reason", "decision", "mapped_value",
           "note")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Line:
    """A filled-in line."""

    number: int
    entry: Entry
    decision: str
    mapped_value: str
    note: str


@dataclass(frozen=True)
class Applied:
    """What a file of decisions did. `settled`: lines whose record was not open any more."""

    mapped: int
    waived: int
    replayed: int
    still_refused: int
    settled: int


def write(path: Path, entries: Iterable[Entry]) -> int:
    """Write the records for a person to decide. The file holds refused values: only its owner may read it."""
    count = 0
    handle = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline="")
    with handle:
        out = csv.writer(handle)
        out.writerow(COLUMNS)
        for one in entries:
            cells = (one.record_key, one.field, one.value, one.reason_code, one.reason)
            out.writerow([one.quarantine_id, one.connection, one.stream, *map(_harmless, cells), "", "", ""])
            count += 1
    return count


def read(path: Path) -> list[Line]:
    """The lines that hold a decision. Raises LandingError with file and line for whatever could not be carried out."""
    lines: list[Line] = []
    try:
        handle = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise LandingError(f"{path}: {error.strerror}", hint="tieout quarantine export FILE writes one") from None
    with handle:
        rows = csv.DictReader(handle)
        if missing := {"id", "decision", "mapped_value", "note"} - set(rows.fieldnames or ()):
            raise LandingError(f"{path}:1: no column {', '.join(sorted(missing))}",
                               hint=f"columns: {', '.join(COLUMNS)}")
        for row in rows:
            if (row["decision"] or "").strip():
                lines.append(_line(path, rows.line_num, row))
    return lines


def _line(path: Path, number: int, row: dict[str, str | None]) -> Line:
    where = f"{path}:{number}"
    decision, value = (row["decision"] or "").strip().lower(), row["mapped_value"] or ""
    if decision not in DECISIONS:
        raise LandingError(f"{where}: no decision {decision!r}", hint=f"one of {', '.join(DECISIONS)}, or nothing")
    if not (row["id"] or "").strip().isdecimal():
        raise LandingError(f"{where}: {row['id']!r} is no id of a record", hint="tieout quarantine list")
    note = (row["note"] or "").strip()
    if decision != "replay" and not note:
        raise LandingError(f"{where}: a decision needs a reason", hint="say why in the column `note`")
    if value and decision != "map":
        raise LandingError(f"{where}: {decision} takes no mapped_value", hint="the decision `map` does")
    try:
        entry = quarantine.get(int(row["id"] or ""))
        if decision in ("map", "null") and entry.status == "open":
            place, spec = replay.place_of(entry.connection, entry.stream)
            if entry.value is None or entry.field is None:
                raise LandingError(f"record {entry.quarantine_id} has no value that could be mapped ({entry.reason})",
                                   hint="waive it, or tieout quarantine replay ID --payload FILE")
            mapping.checked(place, spec, entry.field, entry.value, value if decision == "map" else None)
    except LandingError as error:
        raise LandingError(f"{where}: {str(error).partition(chr(10))[0]}", hint=error.hint) from None
    return Line(number, entry, decision, value, note)


def apply(lines: list[Line], by: str) -> Applied:
    """Carry the decisions out: mappings, then waivers, then a replay of what was mapped or is to be replayed."""
    mapped = waived = 0
    again: list[Entry] = []
    waiting = [line for line in lines if line.entry.status == "open"]
    for line in waiting:
        entry = line.entry
        if line.decision in ("map", "null"):
            place, spec = replay.place_of(entry.connection, entry.stream)
            value = line.mapped_value if line.decision == "map" else None
            done = mapping.decide(place, spec, entry.field or "", entry.value or "", value, by=by, reason=line.note)
            mapped += done is not None
        if line.decision == "waive":
            waived += quarantine.waive([entry.quarantine_id], line.note, by)
        else:
            again.append(entry)
    replayed = refused = 0
    for (connection, stream), ids in replay.by_stream(again).items():
        result = replay.replay(connection, stream, ids=ids)
        if result is not None:
            replayed += result.received - result.quarantined
            refused += result.quarantined
    return Applied(mapped, waived, replayed, refused, len(lines) - len(waiting))


def _harmless(cell: str | None) -> str:
    """A spreadsheet must not take a vendor's text for a formula. Reading back uses the id, not this text."""
    text = visible(cell or "", typed.SHOWN)
    return f"'{text}" if text.startswith(_FORMULA) else text
