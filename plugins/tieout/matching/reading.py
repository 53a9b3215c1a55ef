"""CSV, JSON lines and Parquet → Items. A row that cannot be read exactly is refused with its reason, never guessed.

received = items + replays + refused, always: `Loaded` holds all three. A replay is a row that repeats another in every
mapped column. Rows that share an id and differ are all refused: which one is right is a person's decision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieout.errors import ConfigError
from tieout.matching import money
from tieout.matching.items import NO_DATE, Items
from tieout.matching.rules import Dialect, Rules, Side

_ISO_DATE = r"^\d{4}-\d\d-\d\d"
_FIRST, _LAST = -25567, 84005  # 1900-01-01, 2199-12-31


@dataclass(frozen=True)
class Refused:
    """A row that is no item. `line`: its place in the file, the first record is 1. `record` as received."""

    line: int
    reason: str
    record: dict[str, str | None]


@dataclass(frozen=True)
class Loaded:
    """What a file held."""

    path: Path
    received: int
    items: Items
    replays: tuple[tuple[str, str], ...]  # (id, why)
    refused: tuple[Refused, ...]

    def __post_init__(self) -> None:
        if self.received != len(self.items) + len(self.replays) + len(self.refused):
            raise AssertionError(
                f"{self.path}: {self.received} rows received, {len(self.items)} items, "
                f"{len(self.replays)} replays, {len(self.refused)} refused"
            )


def load_side(path: Path, side: Side, rules: Rules, name: str) -> Loaded:
    """Read one file. Raises ConfigError where a mapped column is absent or the file cannot be read at all."""
    table = read_table(path, side.format)
    mapping = side.columns
    if absent := [column for column in mapping.names() if column not in table.column_names]:
        raise ConfigError(
            f"{path}: no column {', '.join(map(repr, absent))}, which {name}.columns maps",
            hint=f"columns there: {', '.join(map(repr, table.column_names))}",
        )
    if not mapping.currency and not rules.currency:
        raise ConfigError(
            f"{path}: no currency: {name}.columns.currency is not mapped, and there is no `currency:`",
            hint="map the column, or name the one currency of both files, as in `currency: EUR`",
        )
    return _typed(path, table, side, rules)


def read_table(path: Path, dialect: Dialect) -> pa.Table:
    """All columns as text. The suffix decides: .csv .tsv .txt, .jsonl .ndjson, .parquet; .gz is opened."""
    if not path.is_file():
        raise ConfigError(f"{path} does not exist")
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    try:
        if kind in ("parquet", "pq"):
            import pyarrow.parquet as pq

            table = pq.read_table(path)
            return pa.table({name: _as_text(table.column(name)) for name in table.column_names})
        if kind in ("jsonl", "ndjson"):
            return _json_lines(path)
        return _csv(path, dialect, "\t" if kind == "tsv" and dialect.delimiter == "," else dialect.delimiter)
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError, LookupError, ValueError) as error:
        raise ConfigError(
            f"{path}: {str(error)[:300]}",
            hint="check `format:` of this side (delimiter, quote, encoding, skip), or mend the file",
        ) from None


def _csv(path: Path, dialect: Dialect, delimiter: str) -> pa.Table:
    import pyarrow.csv as csv

    read = csv.ReadOptions(skip_rows=dialect.skip, encoding=dialect.encoding, block_size=8 << 20)
    parse = csv.ParseOptions(delimiter=delimiter, quote_char=dialect.quote, newlines_in_values=True)
    with csv.open_csv(path, read, parse) as probe:
        names = probe.schema.names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{path}: two columns are called {', '.join(twice)}", hint="rename one of them")
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    table = csv.read_csv(path, read, parse, convert)
    clean = [name.removeprefix("\ufeff").strip() for name in names]
    return table.rename_columns(clean).combine_chunks()


def _json_lines(path: Path) -> pa.Table:
    """Numbers keep their digits: 10.10 never becomes binary floating point."""
    import gzip
    import json

    rows: list[dict[str, Any]] = []
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
            except ValueError as error:
                raise ValueError(f"line {number} is no JSON: {error}") from None
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no object")
            rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([_word(row.get(name)) for row in rows], pa.string()) for name in names})


def _word(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_nested(array.type):
        return pa.array([_word(value) for value in array.to_pylist()], pa.string())
    return pc.cast(array, pa.string())  # a float: the shortest text that reads back as it


def _typed(path: Path, table: pa.Table, side: Side, rules: Rules) -> Loaded:
    mapping, count = side.columns, table.num_rows
    faults: dict[int, str] = {}

    def text(name: str | None) -> pa.Array | None:
        """The column, trimmed; null where empty."""
        if name is None:
            return None
        column = table.column(name)
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        trimmed = pc.utf8_trim_whitespace(array)
        return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)

    currency = (
        pc.utf8_upper(pc.fill_null(text(mapping.currency), rules.currency or ""))
        if mapping.currency
        else pa.array(np.full(count, rules.currency), pa.string())
    )
    for row in np.flatnonzero(~np.asarray(pc.match_substring_regex(currency, "^[A-Z]{3}$"))).tolist():
        faults[row] = f"currency: {currency[row].as_py()!r} is no ISO code of three letters"
    places = _places(currency)
    amount = _amount(text, side, places, faults)
    tax = None
    if mapping.tax:
        tax = _column(text(mapping.tax), side, places, "tax", faults, empty_is_zero=True)
        tax = -tax if side.sign == "reversed" else tax
    day = _days(text(mapping.date), side.format, faults) if mapping.date else np.full(count, NO_DATE, np.int32)
    ids = text(mapping.id) if mapping.id else pa.array([f"row {n}" for n in range(1, count + 1)], pa.string())
    for row in np.flatnonzero(np.asarray(pc.is_null(ids))).tolist():
        faults[row] = "id: it is empty"
    many = {word: tuple(text(name) for name in getattr(mapping, word)) for word in ("reference", "text", "link")}
    replays = _repeated(table, mapping.names(), ids, faults) if mapping.id else {}
    keep = np.ones(count, bool)
    keep[[*faults, *replays]] = False
    rows = np.flatnonzero(keep)
    loose = _Columns(
        ids, amount, currency, day, text(mapping.party), many, tax, text(mapping.reason), text(mapping.reverses)
    )
    refused = tuple(Refused(row + 1, why, _record(table, row)) for row, why in sorted(faults.items()))
    return Loaded(
        path, count, loose.items(rows), tuple((ids[row].as_py(), "replay") for row in sorted(replays)), refused
    )


@dataclass(frozen=True)
class _Columns:
    ids: pa.Array
    amount: np.ndarray
    currency: pa.Array
    day: np.ndarray
    party: pa.Array | None
    many: dict[str, tuple[pa.Array, ...]]
    tax: np.ndarray | None
    reason: pa.Array | None
    reverses: pa.Array | None

    def items(self, rows: np.ndarray) -> Items:
        """Only now are ids unique, so only now can these be Items."""
        at = pa.array(rows)

        def of(each: Any) -> Any:
            return None if each is None else each[rows] if isinstance(each, np.ndarray) else each.take(at)

        several = {word: tuple(of(each) for each in arrays) for word, arrays in self.many.items()}
        return Items(
            of(self.ids),
            of(self.amount),
            of(self.currency),
            of(self.day),
            of(self.party),
            several["reference"],
            several["text"],
            several["link"],
            of(self.tax),
            of(self.reason),
            of(self.reverses),
        )


def _places(currency: pa.Array) -> np.ndarray:
    coded = pc.dictionary_encode(currency)
    return np.array([money.units(code) for code in coded.dictionary.to_pylist()], np.int64)[np.asarray(coded.indices)]


def _amount(text: Any, side: Side, places: np.ndarray, faults: dict[int, str]) -> np.ndarray:
    mapping = side.columns
    if mapping.amount:
        amount = _column(text(mapping.amount), side, places, "amount", faults)
    else:
        debit, credit = text(mapping.debit), text(mapping.credit)
        none = [np.asarray(pc.is_null(each)) for each in (debit, credit) if each is not None]
        for row in np.flatnonzero(np.logical_and.reduce(none)).tolist():
            faults.setdefault(row, "amount: debit and credit are both empty")
        parts = [
            np.zeros(len(places), np.int64)
            if each is None
            else _column(each, side, places, word, faults, empty_is_zero=True)
            for word, each in (("debit", debit), ("credit", credit))
        ]
        amount = parts[0] - parts[1]
    return -amount if side.sign == "reversed" else amount


def _column(
    values: pa.Array, side: Side, places: np.ndarray, word: str, faults: dict[int, str], *, empty_is_zero: bool = False
) -> np.ndarray:
    text = money.cleaned(values, side.format.decimal, side.format.thousands)
    if empty_is_zero:
        text = pc.if_else(pc.equal(text, ""), "0", text)
    value, wrong = money.minor_units(text, places)
    for row, why in wrong.items():
        faults.setdefault(row, f"{word}: {why}")
    return value


def _days(values: pa.Array, dialect: Dialect, faults: dict[int, str]) -> np.ndarray:
    """Days since 1970; NO_DATE where empty. A stamp counts by the day that is written in it."""
    days = np.full(len(values), NO_DATE, np.int32)
    open_rows = ~np.asarray(pc.is_null(values))
    if not dialect.date:
        iso = np.asarray(pc.fill_null(pc.match_substring_regex(values, _ISO_DATE), False))
        values = pc.if_else(pa.array(iso), pc.utf8_slice_codeunits(values, 0, 10), values)
    for form in dialect.date or ("%Y-%m-%d",):
        parsed = pc.strptime(values, format=form, unit="s", error_is_null=True)
        when = np.asarray(pc.fill_null(pc.cast(parsed, pa.int64()), 0)) // 86400
        found = np.asarray(pc.is_valid(parsed)) & open_rows & (when >= _FIRST) & (when <= _LAST)  # 01.02.25: no year 25
        days[found] = when[found].astype(np.int32)
        open_rows &= ~found
    for row in np.flatnonzero(open_rows).tolist():
        forms = ", ".join(dialect.date) or "YYYY-MM-DD"
        faults.setdefault(
            row, f"date: {values[row].as_py()[:40]!r} is no date between 1900 and 2199 in the form {forms}"
        )
    return days


def _repeated(table: pa.Table, names: tuple[str, ...], ids: pa.Array, faults: dict[int, str]) -> dict[int, str]:
    """{row: replay}; rows with one id and different content go to `faults`."""
    counted = pc.value_counts(ids)
    many = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    if not len(many):
        return {}
    rows = np.flatnonzero(np.asarray(pc.fill_null(pc.is_in(ids, value_set=many), False)))
    columns = [table.column(name).take(pa.array(rows)).to_pylist() for name in names]
    contents: dict[str, dict[tuple[Any, ...], list[int]]] = {}
    for place, row in enumerate(rows.tolist()):
        content = tuple(re.sub(r"\s+", " ", column[place] or "").strip() for column in columns)
        contents.setdefault(ids[row].as_py() or "", {}).setdefault(content, []).append(row)
    replays = {}
    for name, versions in contents.items():
        for same in versions.values():
            if len(versions) > 1:
                faults.update(
                    {row: f"id: {name!r} stands on rows of different content" for row in same if row not in faults}
                )
            else:
                replays.update({row: "replay" for row in same[1:] if row not in faults})
    return replays


def _record(table: pa.Table, row: int) -> dict[str, str | None]:
    return {name: table.column(name)[row].as_py() for name in table.column_names}
