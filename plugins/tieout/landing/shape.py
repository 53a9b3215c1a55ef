"""A parsed chunk → typed columns with key, stamp and deleted flag; what does not fit goes to the quarantine's spool."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from tieout.landing.archive import json_texts
from tieout.landing.conventions import meant
from tieout.landing.loader import total
from tieout.landing.mapping import MAPPED, Healed, Healers, shown_in
from tieout.landing.names import visible
from tieout.landing.typed import STAMP, Fault, Refused, check_json, type_column

if TYPE_CHECKING:
    from tieout.landing.ledger import Totals
    from tieout.landing.parse import Chunk
    from tieout.landing.quarantine import Spool
    from tieout.spec import Stream


LONGEST_KEY = 2000  # bytes; a B-tree index holds no more than some 2,700
_ENDLESS = r"\d[eE][+-]?0*[1-9]\d{4}"  # see typed.check_json


@dataclass
class Shaped:
    """Typed rows. `columns` in the order of the spec; `extra` JSON text. `archive_*` hold every received record."""

    columns: list[pa.Array]
    extra: pa.Array
    key: pa.Array
    modified_at: pa.Array
    is_deleted: pa.Array
    notices: bool
    archive_key: pa.Array
    archive_modified_at: pa.Array
    archive_is_deleted: pa.Array
    records: pa.Array


@dataclass
class Shaper:
    """Shapes one stream's chunks; adds to `totals` what it received and refused, and to `spool` the refused records.

    `records`: how many could be read, notices left out. `valued`, `refused`: how many values came in these per column,
    and how many of them did not fit.
    """

    stream: Stream
    zone: ZoneInfo
    totals: Totals
    spool: Spool
    healers: Healers | None = None
    cursor_low: datetime | None = None
    cursor_high: datetime | None = None
    lost_keys: bool = False
    records: int = 0
    valued: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def shape(self, chunk: Chunk) -> Shaped:
        """Typed rows of the chunk, the faulty ones taken out."""
        for broken in chunk.broken:
            self.spool.add(None, None, None, "bad_json", broken.reason, broken.payload, None, {})
            self.totals.add("received", 1, {})
            self.totals.add("quarantined", 1, {})
            self.lost_keys = True
        columns, faults, healed = [], [], []
        self.records += 0 if chunk.notices else chunk.count
        for column in self.stream.columns:
            healer = self.healers.by_column.get(column.name) if self.healers else None
            values = meant(self.stream, column, chunk.values.get(column.name))
            typed, wrong = type_column(column, values, chunk.count, self.zone,
                                       may_hold_nul=chunk.may_hold_nul, healer=healer)
            columns.append(typed)
            faults += wrong if not chunk.notices else [one for one in wrong if column.name in self.stream.key]
            if not chunk.notices:
                self.valued[column.name] += len(typed) - typed.null_count + len(wrong)
                if wrong:
                    self.refused[column.name] += len(wrong)
            if healer is not None and (done := healer.take()):
                healed.append((column.field, done))
        extra, wrong = _extra(chunk)
        faults += wrong
        if healed:
            extra = _with_received(extra, healed)
        by_name = {column.name: typed for column, typed in zip(self.stream.columns, columns, strict=True)}
        key = key_of([by_name[name] for name in self.stream.key], blank=self.stream.blank_keys)
        faults += _keyless(key, self.stream.key, faults) + _endless(key, self.stream.key)
        if self.healers and healed:
            self.healers.count(healed, {fault.row for fault in faults})
        modified_at = by_name[self.stream.cursor] if self._stamped else pa.nulls(chunk.count, STAMP)
        is_deleted = (pc.fill_null(by_name[self.stream.deletes.flag], False) if self.stream.deletes.flag
                      else pa.array([False]).take(pa.array([0] * chunk.count, pa.int8())))
        sums = [by_name[name] for name in self.totals.columns]
        self.totals.add("received", chunk.count, dict(zip(self.totals.columns, map(total, sums), strict=True)))
        whole = Shaped(columns, extra, key, modified_at, is_deleted, chunk.notices, key, modified_at, is_deleted,
                       chunk.records)
        return self._without(whole, faults) if faults else self._noted(whole)

    @property
    def _stamped(self) -> bool:
        return self.stream.cursor is not None and self.stream.column(self.stream.cursor).type == "timestamp"

    def _noted(self, shaped: Shaped) -> Shaped:
        if self._stamped and len(shaped.modified_at) > shaped.modified_at.null_count:
            ends = pc.min_max(shaped.modified_at)
            low, high = ends["min"].as_py(), ends["max"].as_py()
            self.cursor_low = low if self.cursor_low is None else min(low, self.cursor_low)
            self.cursor_high = high if self.cursor_high is None else max(high, self.cursor_high)
        return shaped

    def _without(self, whole: Shaped, faults: Iterable[Fault]) -> Shaped:
        """Spool the faulty records, one entry each that names the first fault and lists all; go on with the rest."""
        by_row: dict[int, list[Fault]] = {}
        for fault in faults:
            by_row.setdefault(fault.row, []).append(fault)
        rows = pa.array(sorted(by_row), pa.int64())
        payloads = json_texts(whole.records.take(rows))
        keys, stamps = whole.key.take(rows).to_pylist(), whole.modified_at.take(rows).to_pylist()
        at = {column.name: place for place, column in enumerate(self.stream.columns)}
        controls = {name: whole.columns[at[name]].take(rows) for name in self.totals.columns}
        amounts = [dict(zip(controls, one, strict=True)) for one in
                   zip(*(column.to_pylist() for column in controls.values()), strict=True)] or [{}] * len(rows)
        for row, payload, key, stamp, sums in zip(sorted(by_row), payloads, keys, stamps, amounts, strict=True):
            first = by_row[row][0]
            reason = "; ".join(f"{visible(fault.field)}: {fault.reason}" for fault in by_row[row])
            key = key if key and len(key.encode()) <= LONGEST_KEY else None
            self.spool.add(key, first.field, first.value, first.code, reason, payload, stamp, sums)
            self.lost_keys |= not key
        self.totals.add("quarantined", len(by_row), {name: total(column) for name, column in controls.items()})
        keep = pa.array([row not in by_row for row in range(len(whole.key))])
        return self._noted(Shaped(
            [column.filter(keep) for column in whole.columns], whole.extra.filter(keep), whole.key.filter(keep),
            whole.modified_at.filter(keep), whole.is_deleted.filter(keep), whole.notices, whole.key, whole.modified_at,
            whole.is_deleted, whole.records))


def key_of(parts: list[pa.Array], *, blank: bool = False) -> pa.Array:
    """`_key`: the key columns as text, joined with '|' (escaped within a part). Null where a part is absent.

    blank: a part may be the empty text; the key is null where all parts are.
    """
    texts = []
    for part in parts:
        if pa.types.is_decimal(part.type):
            part = pa.array([None if v is None else f"{v.normalize():f}" for v in part.to_pylist()], pa.string())
        text = part if pa.types.is_string(part.type) else pc.cast(part, pa.string())
        empty = pc.equal(text, "")
        text = pc.if_else(empty, None, text) if pc.any(empty).as_py() and not blank else text
        if len(parts) > 1 and pc.any(pc.match_substring(text, "|")).as_py():
            text = pc.replace_substring(pc.replace_substring(text, "\\", "\\\\"), "|", "\\|")
        texts.append(text)
    key = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "|")
    return pc.if_else(pc.equal(key, "|" * (len(texts) - 1)), None, key) if blank else key


def _keyless(key: pa.Array, names: tuple[str, ...], known: list[Fault]) -> list[Fault]:
    if not key.null_count:
        return []
    named = {fault.row for fault in known if fault.column in names}
    rows = [row for row, empty in enumerate(pc.is_null(key).to_pylist()) if empty and row not in named]
    words = ", ".join(names)
    return [Fault(row, names[0], words, None, "missing_key", "the key is empty") for row in rows]


def _endless(key: pa.Array, names: tuple[str, ...]) -> list[Fault]:
    """Keys that no index can hold: a column that became a long text is no key any more."""
    longest = pc.max(pc.binary_length(key)).as_py()
    if longest is None or longest <= LONGEST_KEY:
        return []
    sizes = pc.binary_length(key).to_pylist()
    return [Fault(row, names[0], ", ".join(names), None, "out_of_range", f"the key has {size:,} bytes")
            for row, size in enumerate(sizes) if size and size > LONGEST_KEY]


def _extra(chunk: Chunk) -> tuple[pa.Array, list[Fault]]:
    if not chunk.extra:
        return pa.nulls(chunk.count, pa.string()), []
    faults, texts = [], list(chunk.extra)
    column = pa.array(texts, pa.string())
    doubtful = pc.or_(pc.match_substring(column, "\\u"), pc.match_substring_regex(column, _ENDLESS))
    rows = pc.indices_nonzero(pc.fill_null(doubtful, False)).to_pylist()
    for row in rows:
        try:
            check_json(texts[row])
        except Refused as refused:
            names = ", ".join(map(visible, json.loads(texts[row], parse_float=str, parse_int=str)))
            faults.append(Fault(row, "_extra", names, None, refused.code, str(refused)))
            texts[row] = None
    return pa.array(texts, pa.string()) if faults else column, faults


def _with_received(extra: pa.Array, healed: Sequence[tuple[str, Mapping[int, Healed]]]) -> pa.Array:
    """`extra` with the received value of each field that landed through a mapping."""
    texts = extra.to_pylist()
    for row, fields in shown_in(healed).items():
        received = f"{json.dumps(MAPPED)}:{json.dumps(fields, ensure_ascii=False, sort_keys=True)}"
        held = texts[row]
        texts[row] = f"{{{received}}}" if held is None else f"{{{received},{held[1:]}"
    return pa.array(texts, pa.string())
