"""Which column holds what, guessed from names and from the first rows: a start for a rules file, to be read by a
person.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tieout.errors import ConfigError
from tieout.matching.reading import read_table
from tieout.matching.rules import Dialect, Mapping, Rules, Side

ROWS = 2000
# Words of column names, best first; a column is taken by the first field that it fits.
WORDS: dict[str, tuple[str, ...]] = {
    "currency": ("currency", "curr", "ccy", "currency_code", "waehrung", "währung", "devise"),
    "debit": ("debit", "soll", "money_out", "withdrawal"),
    "credit": ("credit", "haben", "money_in", "deposit"),
    "amount": ("amount", "total", "gross", "betrag", "value", "sum", "montant", "importe"),
    "tax": ("tax", "vat", "mwst", "ust"),
    "date": ("booking_date", "invoice_date", "payment_date", "posting_date", "value_date", "date", "datum", "booked",
             "issued", "day", "fecha"),
    "id": ("id", "line_id", "key", "uuid", "transaction_id", "entry"),
    "party": ("party", "customer", "counterparty", "name", "payer", "client", "debtor", "vendor", "supplier", "kunde",
              "partner", "account_name"),
    "reference": ("reference", "ref", "invoice_no", "invoice_number", "number", "document", "invoice", "doc", "nummer",
                  "beleg", "order", "po"),
    "text": ("text", "purpose", "description", "memo", "narrative", "details", "remittance", "verwendungszweck", "note",
             "message", "info"),
}  # fmt: skip
SEVERAL = ("reference", "text")
FORMS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%y", "%Y%m%d", "%d-%m-%Y", "%d-%b-%Y")


def guess_side(path: Path, dialect: Dialect | None = None) -> Side:
    """How the file is written and what its columns hold. Raises ConfigError where there is no amount."""
    dialect = dialect or sniff(path)
    table = read_table(path, dialect).slice(0, ROWS)
    mapping = _columns(table)
    if "amount" in mapping:
        mapping.pop("debit", None)
        mapping.pop("credit", None)
    elif not mapping.keys() & {"debit", "credit"}:
        raise ConfigError(f"{path}: no column looks like an amount",
                          hint=f"map it: columns there are {', '.join(table.column_names)}")  # fmt: skip
    marks = _marks(table, [mapping[word] for word in ("amount", "debit", "credit") if word in mapping])
    dates = _date_form(table.column(mapping["date"])) if "date" in mapping else ()
    columns = Mapping.model_validate({word: list(v) if isinstance(v, tuple) else v for word, v in mapping.items()})
    return Side(columns=columns, format=dialect.model_copy(update={**marks, "date": dates}))


def filled(rules: Rules, left: Path, right: Path) -> Rules:
    """The rules with guesses for the sides that they do not describe."""
    sides = {name: getattr(rules, name) or guess_side(path) for name, path in (("left", left), ("right", right))}
    return rules.model_copy(update=sides)


def sniff(path: Path) -> Dialect:
    """Delimiter and encoding of a CSV; anything else has none."""
    if path.suffix.lower() not in (".csv", ".txt"):
        return Dialect()
    if not path.is_file():
        raise ConfigError(f"{path} does not exist")
    with path.open("rb") as file:
        start = file.read(200_000)
    encoding = "utf-8"
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        encoding = "utf-8" if error.start > len(start) - 4 else "cp1252"
        text = start.decode(encoding, errors="ignore")
    head = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t|", key=lambda mark: len(next(csv.reader([head], delimiter=mark), [])))
    return Dialect(delimiter=delimiter, encoding=encoding)


def _columns(table: pa.Table) -> dict[str, str | tuple[str, ...]]:
    left = dict.fromkeys(table.column_names)
    found: dict[str, str | tuple[str, ...]] = {}
    for field, words in WORDS.items():
        ranked = [
            (rank, name)
            for name in left
            if (rank := _rank(name, words)) is not None and _fits(field, table, name, rank)
        ]
        ranked.sort(key=lambda each: each[0])
        if not ranked:
            continue
        names = [name for _, name in ranked]
        found[field] = tuple(names) if field in SEVERAL else names[0]
        for name in names if field in SEVERAL else names[:1]:
            left.pop(name)
    if "date" not in found:
        dated = [name for name in left if _some(table.column(name)) and _all_dates(table.column(name))]
        if dated:
            found["date"] = dated[0]
            left.pop(dated[0])
    if "id" not in found:
        for name in left:
            if _unique(table.column(name)):
                found["id"] = name
                break
    return found


def _rank(name: str, words: tuple[str, ...]) -> int | None:
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    plain = re.sub(r"[^\w]+", "_", plain).strip("_")
    parts = plain.split("_")
    for rank, word in enumerate(words):
        if plain == word:
            return rank
    for rank, word in enumerate(words):
        if word in parts:
            return 100 + rank
    return None


def _fits(field: str, table: pa.Table, name: str, rank: int) -> bool:
    values = _some(table.column(name))
    if not values:
        return False
    if field in ("amount", "debit", "credit", "tax"):
        return all(re.fullmatch(r"[-+(]?[\d.,'\s]*\d[\d.,'\s]*\)?-?(\s?(CR|DR|cr|dr))?", value) for value in values)
    if field == "currency":
        return all(re.fullmatch(r"[A-Za-z]{3}", value) for value in values)
    if field == "date":
        return any(re.search(r"\d{2}", value) for value in values)
    return field != "id" or rank == 0 or _unique(table.column(name))


def _some(column: pa.ChunkedArray) -> list[str]:
    return [value.strip() for value in column.slice(0, 200).to_pylist() if value and value.strip()]


def _unique(column: pa.ChunkedArray) -> bool:
    return column.null_count == 0 and len(column) > 0 and pc.count_distinct(column).as_py() >= 0.98 * len(column)


def _marks(table: pa.Table, names: list[str]) -> dict[str, str]:
    """Decimal mark and thousands mark, from values that leave no doubt; else a point and none."""
    values = [value for name in names for value in _some(table.column(name))]
    comma = sum(bool(re.search(r",\d{1,2}\)?-?$", value)) for value in values)
    point = sum(bool(re.search(r"\.\d{1,2}\)?-?$", value)) for value in values)
    decimal = "," if comma > point else "."
    other = "." if decimal == "," else ","
    for mark in (other, "'"):
        if any(re.search(rf"\d{re.escape(mark)}\d{{3}}(\D|$)", value) for value in values):
            return {"decimal": decimal, "thousands": mark}
    return {"decimal": decimal, "thousands": ""}


def _date_form(column: pa.ChunkedArray) -> tuple[str, ...]:
    values = _some(column)
    if all(re.match(r"\d{4}-\d\d-\d\d", value) for value in values):
        return ()
    text = pa.array(values, pa.string())
    best = max(
        FORMS, key=lambda form: len(values) - pc.strptime(text, format=form, unit="s", error_is_null=True).null_count
    )
    return (best,)


def _all_dates(column: pa.ChunkedArray) -> bool:
    values = pa.array(_some(column), pa.string())
    forms = _date_form(column) or FORMS[:1]
    return pc.strptime(values, format=forms[0], unit="s", error_is_null=True).null_count == 0


def rules_text(left: Path, right: Path) -> str:
    """A rules file for two files, with a comment beside what a person should look at."""
    sides = {"left": (left, guess_side(left)), "right": (right, guess_side(right))}
    lines = [
        f"# How to reconcile {left.name} (left) with {right.name} (right). Guessed from columns: read it, mend it.",
        "version: 1",
        "kind: payments          # payments, bank, ledger, documents: what an item without a partner means",
    ]
    if not all(side.columns.currency for _, side in sides.values()):
        lines.append("currency: EUR           # of rows without a currency: not guessed, write your own")
    for name, (path, side) in sides.items():
        lines += _side_lines(name, path, side)
    return "\n".join([*lines, _REST])


def _side_lines(name: str, path: Path, side: Side) -> list[str]:
    lines = [f"{name}:", "  columns:"]
    for word, value in side.columns.model_dump().items():
        if value:
            shown = (
                "[" + ", ".join(_quoted(each) for each in value) + "]" if isinstance(value, tuple) else _quoted(value)
            )
            lines.append(f"    {word}: {shown}")
    given = {k: v for k, v in side.format.model_dump().items() if v != getattr(Dialect(), k)}
    if given:
        lines.append("  format:")
        lines += [f"    {word}: {_quoted(', '.join(value) if isinstance(value, tuple) else str(value))}"
                  for word, value in given.items()]  # fmt: skip
    negative = _mostly_negative(path, side)
    if negative:
        lines.append("  sign: as_is           # most amounts are negative: `reversed` turns them round")
    return lines


def _mostly_negative(path: Path, side: Side) -> bool:
    column = side.columns.amount
    values = _some(read_table(path, side.format).column(column)) if column else []
    return bool(values) and sum(value.startswith(("-", "(")) or value.endswith("-") for value in values) * 2 > len(
        values
    )


def _quoted(text: str) -> str:
    import json

    return text if re.fullmatch(r"[A-Za-z_][\w ]*", text) and text.lower() not in _YAML_WORDS else json.dumps(text)


_YAML_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
_REST = """\
window: {before: 5, after: 120}      # days from the right item's date to the left one's; business: true counts Mon-Fri
materiality: 0                       # breaks up to this amount do not fail the command
# off: [scored]                      # passes that do not run; `order:` names those that do
# tolerance: {absolute: 0.05, percent: 1}    # of named items; the smaller wins
# variance:
#   discounts: [{percent: 2, days: 14}]
#   fees: [{percent: 2.9, fixed: 0.30}]
#   tax_rates: [19, 7]
#   fx: {bp: 50, rates: {USD/EUR: 0.92}}
#   reasons: {SP01: C1}              # the payer's code in the column `reason` → a reason of a break
# scored: {confirm: 6, suggest: 3, margin: 1.5}
# exact: {items: 12, members: 6, chance: 0.01}
"""
