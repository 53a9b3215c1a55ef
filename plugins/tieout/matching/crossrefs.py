"""The company's own table of what references mean: read from CSV, checked, and kept with who brought what and when."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.errors import ConfigError
from tieout.matching.identity_decisions import write

if TYPE_CHECKING:
    import psycopg

HOPS = ("deal_order", "order_invoice")
COLUMNS = ("hop", "business_unit", "reference", "means", "valid_from", "valid_to")
_CALMED = re.compile(r"^'(?=[=+\-@])")  # as `export` writes what a spreadsheet would take for a formula


@dataclass(frozen=True, slots=True)
class Entry:
    """`reference`, on documents of the hop's right side, means `means` of its left side.

    `business_unit`: None is all units. `valid_from`, `valid_to`: days of such documents, both included; None: no end.
    """

    hop: str
    business_unit: str | None
    reference: str
    means: str
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do."""

    added: int
    removed: int
    unchanged: int


def token(text: str) -> str | None:
    """A reference as the build compares it (dbt's macro `reference_token`); None where nothing is left of it."""
    bare = re.sub("[^A-Za-z0-9]", "", text).upper()
    digits = re.sub("^[A-Z]+", "", bare)
    return (digits.lstrip("0") if digits.isdigit() else bare) or None


def now(books: psycopg.Connection) -> list[Entry]:
    """The table as it stands."""
    return [Entry(*row) for row in books.execute(
        f"select {', '.join(COLUMNS)} from ops.document_crossref_now"
        " order by hop, business_unit nulls first, reference, valid_from nulls first, means, valid_to"
    ).fetchall()]  # fmt: skip


def export(books: psycopg.Connection, path: Path) -> int:
    """Write the table as CSV, as `read` reads it; how many entries."""
    return write(path, COLUMNS, [["" if cell is None else cell for cell in astuple(one)] for one in now(books)])


def replace(books: psycopg.Connection, wanted: Iterable[Entry], by: str, *, dry_run: bool = False) -> Imported:
    """Make `wanted` the table. What stays keeps who brought it and when. `dry_run`: only say what would change."""
    books.execute("select pg_advisory_xact_lock(7160, 8)")
    before, after = set(now(books)), set(wanted)
    come, gone = after - before, before - after
    if not dry_run:
        books.cursor().executemany(
            f"insert into ops.document_crossref ({', '.join(COLUMNS)}, is_removed, imported_by)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [(*astuple(one), one in gone, by) for one in sorted(come | gone, key=str)],
        )
    return Imported(len(come), len(gone), len(before & after))


def read(path: Path, units: Collection[str]) -> list[Entry]:
    """The entries of a CSV. `units`: the business units of the company.

    ConfigError names file and line, for what is no entry and for two entries that make a reference ambiguous.
    """
    entries: list[tuple[int, Entry]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = list(reader.fieldnames or ())
            if sorted(columns) != sorted(COLUMNS):
                found = ", ".join(columns) or "none"
                raise ConfigError(f"{path}:1: columns {found}", hint=f"exactly {', '.join(COLUMNS)}")
            for row in reader:
                try:
                    entries.append((reader.line_num, _entry(row, units)))
                except ConfigError as error:
                    raise ConfigError(f"{path}:{reader.line_num}: {error.message}", hint=error.hint) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}", hint="a CSV in UTF-8, as `export` writes it") from error
    _refuse_ambiguous(path, entries)
    return [entry for _, entry in entries]


def _entry(row: dict[str, str], units: Collection[str]) -> Entry:
    if None in row or None in row.values():
        raise ConfigError("another number of cells than columns", hint=", ".join(COLUMNS))
    cells = {name: _CALMED.sub("", (row[name] or "").strip()) for name in COLUMNS}
    if cells["hop"] not in HOPS:
        raise ConfigError(f"{cells['hop']!r} is no hop with references", hint=", ".join(HOPS))
    if cells["business_unit"] and cells["business_unit"] not in units:
        raise ConfigError(f"no business unit {cells['business_unit']!r}",
                          hint=", ".join(sorted(units)) or "tieout.yml names none: leave it empty")  # fmt: skip
    for name in ("reference", "means"):
        if token(cells[name]) is None:
            raise ConfigError(f"{name} {cells[name]!r} says nothing", hint="letters or digits, not zeros alone")
    first, last = _day("valid_from", cells["valid_from"]), _day("valid_to", cells["valid_to"])
    if first and last and first > last:
        raise ConfigError(f"valid_from {first} is after valid_to {last}", hint="both days belong to it")
    return Entry(cells["hop"], cells["business_unit"] or None, cells["reference"], cells["means"], first, last)


def _day(name: str, text: str) -> date | None:
    if not text:
        return None
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name} {text!r} is no day", hint="YYYY-MM-DD, or empty") from None


def _refuse_ambiguous(path: Path, entries: Sequence[tuple[int, Entry]]) -> None:
    """On each day a reference of a hop and unit means one thing."""
    alike: dict[tuple[str, str | None, str | None], list[tuple[int, Entry]]] = {}
    for line, one in entries:
        others = alike.setdefault((one.hop, one.business_unit, token(one.reference)), [])
        for other_line, other in others:
            if token(one.means) != token(other.means) and _overlap(one, other):
                raise ConfigError(
                    f"{path}:{line}: {one.reference} means {one.means}, and on the same days {other.means} (line"
                    f" {other_line})",
                    hint="let one end before the other begins",
                )
        others.append((line, one))


def _overlap(one: Entry, other: Entry) -> bool:
    return (one.valid_from or date.min) <= (other.valid_to or date.max) and (
        other.valid_from or date.min) <= (one.valid_to or date.max)  # fmt: skip
