"""Drops of an imagined system: what it knows day by day, and the files in which it says so.

The model is independent of landing: `Day.after` is what a reader must see once the day's drop has landed.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
import zipfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = tuple[str, date, Decimal, str]  # order_no, day, net, note
State = dict[str, Row]
HEADER = ("order_no", "day", "net", "note")
NOTES = ("plain", 'with "quotes"', "semi;colon", "comma, too", "line\nbreak", "Ümläut", "TRL|7", "")
MODES, FORMS = ("full", "delta", "append", "partition"), ("csv", "german", "jsonl", "parquet")
FIRST = date(2026, 3, 1)


@dataclass(frozen=True)
class Style:
    """How the drops come. ready: what says that a file is complete; CSV without papers has a last line that counts."""

    mode: str
    form: str
    pack: str
    ready: str

    @property
    def ending(self) -> str:
        kind = "csv" if self.form == "german" else self.form
        return f".{kind}" + {"none": "", "gz": ".gz", "zip": ".zip"}[self.pack]

    @property
    def counts(self) -> bool:
        """Whether the last line tells how many records there are."""
        return self.form in ("csv", "german") and self.ready == "quiet"

    def stream(self, **options: Any) -> dict[str, Any]:
        """The stream as tieout.yml would have it."""
        columns: dict[str, Any] = {"order_no": "text", "day": "date", "net": "amount", "note": "text"}
        told: dict[str, Any] = {"key": ["order_no"], "control_totals": ["net"]}
        words: dict[str, Any] = {"files": "orders_*", "format": self.form.replace("german", "csv")}
        dialect: dict[str, Any] = {}
        if self.form == "german":
            dialect |= {"delimiter": ";", "decimal": ",", "thousands": ".", "dates": "%d.%m.%Y"}
        if self.counts:
            dialect["trailer"] = r"^TRL\|(\d+)$"
        if self.mode == "full":
            told["mode"] = "full"
        elif self.mode == "partition":
            told["partition"] = "day"
            words["partition_from"] = r"_(\d{8})"
        elif self.mode == "delta":
            columns |= {"op": "boolean", "told": {"type": "timestamp", "field": "$delivered_at"}}
            told |= {"cursor": "told", "deletes": {"flag": "op"}}
            words["stamp"] = {"pattern": r"_(\d{8})", "format": "%Y%m%d"}
            dialect["words"] = {"op": {"I": False, "U": False, "D": True}}
        if self.form in ("csv", "german"):
            words["csv"] = dialect
        words["ready"] = {"manifest": {"manifest": "*.manifest.json"}, "checksum": {"checksum": "{name}.sha256"},
                          "quiet": {"quiet": "0s"}}[self.ready]
        return {**told, "columns": columns, "options": words | options}


def random_style(dice: random.Random, **wanted: tuple[str, ...]) -> Style:
    """A style among the wanted ones that a system may really have."""
    while True:
        mode, form = dice.choice(wanted.get("mode", MODES)), dice.choice(wanted.get("form", FORMS))
        pack, ready = (dice.choice(wanted.get("pack", ("none", "gz", "zip"))),
                       dice.choice(wanted.get("ready", ("manifest", "checksum", "quiet"))))
        if form == "parquet" and pack == "gz":
            continue
        if mode == "delta" and form in ("jsonl", "parquet"):
            continue  # words for operations belong to text files
        return Style(mode, form, pack, ready)


@dataclass
class Day:
    """One drop. rows: (operation, row). after: what is known once it landed."""

    stamp: date
    rows: list[tuple[str, Row]]
    after: State
    number: int = 0
    papers: list[str] = field(default_factory=list)

    def stem(self) -> str:
        return f"orders_{self.stamp:%Y%m%d}_{self.number:02d}"


def random_days(dice: random.Random, mode: str, count: int, *, own_days: bool = False) -> list[Day]:
    """The system's history. own_days: each partition comes once; otherwise an earlier one may come anew."""
    state: State = {}
    days = []
    for number in range(count):
        stamp = FIRST + timedelta(days=number)
        made: list[tuple[str, Row]] = []
        if mode == "partition" and number and not own_days and dice.random() < 0.4:
            stamp = FIRST + timedelta(days=dice.randrange(number))
        fresh = {f"{number:02d}{at:03d}": _row(dice, f"{number:02d}{at:03d}", stamp)
                 for at in range(dice.randint(6, 14) if not number else dice.randint(2, 5))}
        if mode == "partition":
            state = {key: row for key, row in state.items() if row[1] != stamp} | fresh
            made = [("I", row) for row in fresh.values()]
        else:
            old = dice.sample(sorted(state), min(len(state), 3)) if mode in ("full", "delta") else []
            changed = {key: _row(dice, key, state[key][1]) for key in old[1:]}
            gone = old[:1] if number and dice.random() < 0.8 else []
            state = {key: row for key, row in state.items() if key not in gone} | changed | fresh
            made = [("D", (key, FIRST, Decimal(0), "")) for key in gone]
            made += [("U", row) for row in changed.values()] + [("I", row) for row in fresh.values()]
            if mode == "full":
                made = [("I", row) for row in state.values()]
        dice.shuffle(made)
        days.append(Day(stamp, made, dict(state), number))
    return days


def _row(dice: random.Random, key: str, day: date) -> Row:
    cents = dice.choice((dice.randint(-99_999_999, 99_999_999), dice.randint(100_001, 9_999_999)))
    return key, day, Decimal(cents) / 100, dice.choice(NOTES)


# --- files ------------------------------------------------------------------------------------------------------------


def written(style: Style, day: Day, **other: Any) -> bytes:
    """The drop's file. `other`: what is written unlike it was agreed (delimiter, decimal, dates, encoding, header,
    extra, order), which is the fault."""
    plain = {"jsonl": _jsonl, "parquet": _parquet}.get(style.form, _csv)(style, day, other)
    return packed(style, plain, day.stem() + style.ending.removesuffix(".zip").removesuffix(".gz"))


def packed(style: Style, plain: bytes, member: str) -> bytes:
    """Compressed as the style says."""
    if style.pack == "gz":
        return gzip.compress(plain, mtime=0)
    if style.pack == "zip":
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(member, (2026, 3, 1, 0, 0, 0)), plain, zipfile.ZIP_DEFLATED)
        return sink.getvalue()
    return plain


def _csv(style: Style, day: Day, other: dict[str, Any]) -> bytes:
    german = style.form == "german"
    decimal = other.get("decimal", "," if german else ".")
    form = other.get("dates", "%d.%m.%Y" if german else "%Y-%m-%d")
    names = [*HEADER, *(["op"] if style.mode == "delta" else [])]
    order = other.get("order", [*range(len(names))])
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=other.get("delimiter", ";" if german else ","), lineterminator="\n")
    writer.writerow([other.get("header", {}).get(names[at], names[at]) for at in order] + other.get("extra", []))
    for op, (key, at, net, note) in day.rows:
        amount = f"{net:,.2f}".replace(",", "_") if german else f"{net:.2f}"
        amount = amount.replace(".", decimal).replace("_", "." if decimal == "," else ",")
        values = [key, at.strftime(form), other.get("net", {}).get(key, amount), note]
        values += [other.get("op", {}).get(key, op)] if style.mode == "delta" else []
        writer.writerow([values[place] for place in order] + other.get("extra", []))
    if style.counts:
        sink.write(f"TRL|{len(day.rows)}\n")
    return sink.getvalue().encode(other.get("encoding", "utf-8"))


def _jsonl(style: Style, day: Day, other: dict[str, Any]) -> bytes:
    lines = []
    for _, (key, at, net, note) in day.rows:
        told = f"{net:.2f}" if key not in other.get("net", {}) else json.dumps(other["net"][key])
        lines.append(f'{{"order_no": "{key}", "day": "{at.isoformat()}", "net": {told}, '
                     f'"note": {json.dumps(note or None)}}}\n')
    return "".join(lines).encode()


def _parquet(style: Style, day: Day, other: dict[str, Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [row for _, row in day.rows]
    net = pa.array([other.get("net", {}).get(row[0], f"{row[2]:.2f}") for row in rows], pa.string())
    if not other.get("net"):
        net = pa.array([row[2] for row in rows], pa.decimal128(18, 2))
    sink = io.BytesIO()
    pq.write_table(pa.table({"order_no": pa.array([row[0] for row in rows], pa.string()),
                             "day": pa.array([row[1] for row in rows], pa.date32()), "net": net,
                             "note": pa.array([row[3] or None for row in rows], pa.string())}), sink)
    return sink.getvalue()


class Folder:
    """Where the drops are put, with what says that they are complete."""

    def __init__(self, path: Path, style: Style) -> None:
        self.path, self.style = path, style
        path.mkdir(parents=True)

    def name(self, day: Day) -> str:
        return day.stem() + self.style.ending

    def put(self, day: Day, data: bytes | None = None, *, name: str = "", paper: dict[str, Any] | None = None,
            told: dict[str, Any] | None = None, papers: bool = True) -> Path:
        """The file, and then its papers. `paper`, `told`: what a manifest says otherwise, of itself and of the file."""
        data = written(self.style, day) if data is None else data
        path = self.path / (name or self.name(day))
        path.write_bytes(data)
        if papers:
            self.paper(day, path, data, paper or {}, told or {})
        return path

    def paper(self, day: Day, path: Path, data: bytes, paper: dict[str, Any], told: dict[str, Any]) -> None:
        """Manifest or checksum of a file as it should be."""
        digest = hashlib.sha256(data).hexdigest()
        if self.style.ready == "checksum":
            (self.path / f"{path.name}.sha256").write_text(f"{told.get('sha256', digest)}  {path.name}\n")
        elif self.style.ready == "manifest":
            one = {"name": path.name, "bytes": len(data), "sha256": digest, "rows": len(day.rows)} | told
            total = sum((row[2] for _, row in day.rows), Decimal(0))
            stem = path.name.partition(".")[0]
            text = json.dumps({"batch_id": stem, "mode": self.style.mode, "files": [one],
                               "control_totals": {"net": str(total)}} | paper)
            (self.path / f"{stem}.manifest.json").write_text(text)
