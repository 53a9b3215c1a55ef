"""A look at a company's own system before anything lands: records are read, typed and mapped here, and thrown away.

The mapping is evaluated in Python as dbt_project/macros/generic.sql evaluates it in the warehouse; a test holds the two
together. Reads at most `most` records of a stream; a header that is not among them is missed, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tieout.extract import Window
from tieout.extract.deliveries import by_document
from tieout.extract.open import open_extractor
from tieout.landing import parents
from tieout.landing.ledger import Totals
from tieout.landing.parse import Parser
from tieout.landing.quarantine import Spool
from tieout.landing.shape import Shaper
from tieout.landing.windows import chosen
from tieout.secrets import secrets_for
from tieout.spec import Connection, DeclaredStream
from tieout.spec_contracts import Expression, When
from tieout.spec_contracts import Mapping as Meaning

Record = dict[str, Any]
AMOUNTS = {"revenue_events": ("net_amount", "total_amount"), "settlements": ("applied_amount",),
           "gl_entries": ("functional_amount",), "documents": ("header_total_amount",)}
KINDS = {"revenue_events": "event_type", "settlements": "payment_type", "gl_entries": "account_kind",
         "documents": "document_type"}
NUMBERS = frozenset({
    "net_amount", "discount_amount", "tax_amount", "freight_amount", "total_amount", "functional_amount", "quantity",
    "fx_rate", "rate", "amount", "applied_amount", "header_total_amount", "exchange_rate", "priority"})
SHOWN = 3


@dataclass
class StreamSample:
    """What was read of a stream. refused: (field, value, reason) → how many records. missing: declared fields that no
    record has: they would land as null, and the gate would not let them pass."""

    stream: str
    read: int = 0
    records: list[Record] = field(default_factory=list, repr=False)
    refused: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    pages: list[Any] = field(default_factory=list, repr=False)


@dataclass
class ContractSample:
    """What one mapping makes of it. totals: {(kind, currency): sum}. unmapped: (column, code) → how many."""

    contract: str
    stream: str
    rows: list[Record] = field(default_factory=list, repr=False)
    left_out: int = 0
    without_header: int = 0
    scope: Counter[str] = field(default_factory=Counter)
    totals: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass
class Sample:
    """A whole look. `is_clean`: nothing would be quarantined, no field is missing, and no code is unknown."""

    connection: str
    streams: list[StreamSample]
    contracts: list[ContractSample]

    @property
    def is_clean(self) -> bool:
        return not (any(one.refused or one.missing for one in self.streams)
                    or any(one.unmapped for one in self.contracts))


def look(connection: Connection, most: int) -> Sample:
    """Read, type and map up to `most` records of every stream. Raises as landing would."""
    found: dict[str, StreamSample] = {}
    with open_extractor(connection, secrets_for(connection)) as extractor:
        for stream in chosen(connection, None):  # documents before their lines
            found[stream.name] = _read(connection, stream, extractor, most, found)
    streams = [found[stream.name] for stream in connection.declared]
    by_name = {one.stream: one.records for one in streams}
    contracts = [_mapped(connection, stream, contract, mapping, by_name)
                 for stream in connection.declared
                 for contract, mappings in stream.contracts.items() for mapping in mappings]
    _add_totals(connection, contracts)
    return Sample(connection.name, streams, contracts)


def _read(connection: Connection, stream: DeclaredStream, extractor: Any, most: int,
          others: Mapping[str, StreamSample]) -> StreamSample:
    found, spool = StreamSample(stream.name), Spool()
    parser = Parser(connection, stream)
    shaper = Shaper(stream, connection.zone, Totals(()), spool)
    pages = _some(_pages(connection, stream, extractor, others), most)
    if any(one.explode and one.parent.stream == stream.name for one in connection.declared):
        pages = found.pages = [*pages]  # lines are nested in them
    names = [column.name for column in stream.columns]
    try:
        for chunk in parser.chunks(iter(pages)):
            shaped = shaper.shape(chunk)
            kept = zip(*(c.to_pylist() for c in shaped.columns), shaped.is_deleted.to_pylist(), strict=True)
            found.records += [dict(zip(names, row, strict=False)) for row in kept if not row[-1]]
        found.read, found.missing = shaper.totals.rows["received"], sorted(parser.missing())
        for row in spool.rows():
            found.refused[(str(row[1] or ""), str(row[2] or "")[:80], str(row[4])[:200])] += 1
    finally:
        spool.close()
    return found


def _pages(connection: Connection, stream: DeclaredStream, extractor: Any, others: Mapping[str, StreamSample],
           ) -> Iterator[Any]:
    """All pages; of lines that are nested in their documents, or asked for one by one, those of the documents read."""
    if stream.explode:
        return parents.nested(connection, stream, others[stream.parent.stream].pages)
    keys = None
    if by_document(extractor, stream):
        names = connection.source.stream(stream.parent.stream).key
        keys = iter("|".join(text(one[name]) or "" for name in names) for one in others[stream.parent.stream].records)
    return extractor.pages(stream, Window(None, extractor.now(), full=True), keys)


def _some(pages: Iterator[Any], most: int) -> Iterator[Any]:
    """Pages until there are enough records; a page is not cut."""
    import pyarrow as pa

    seen = 0
    for page in pages:
        yield page
        seen += page.body.num_rows if isinstance(page.body, pa.RecordBatch) else page.body.count(b"{")
        if seen >= most:
            return


# --- the mapping, as macros/generic.sql has it ------------------------------------------------------------------------


def _mapped(connection: Connection, stream: DeclaredStream, contract: str, mapping: Meaning,
            records: dict[str, list[Record]]) -> ContractSample:
    found = ContractSample(contract, stream.name)
    headers = _headers(mapping, records)
    for record in records[stream.name]:
        row = dict(record)
        if mapping.header is not None:
            header = headers.get(tuple(text(record[ours]) for ours in mapping.header.on))
            found.without_header += header is None
            row |= {f"header.{name}": value for name, value in (header or {}).items()}
        if not holds(mapping.where, row) or (mapping.unless and holds(mapping.unless, row)):
            found.left_out += 1
            continue
        made = {name: evaluate(one, row, number=name in NUMBERS) for name, one in mapping.columns.items()}
        for name, one in mapping.columns.items():
            code = raw_code(one, row)
            if one.map and one.unmapped == "report" and code not in (None, "", *one.map):
                found.unmapped[(name, code)] += 1
        made["scope_reason"] = next((o.reason for o in mapping.out_of_scope if holds(o.when, row)), None)
        found.scope[made["scope_reason"] or "in"] += 1
        found.rows.append(made)
    return found


def _headers(mapping: Meaning, records: dict[str, list[Record]]) -> dict[tuple, Record]:
    if mapping.header is None:
        return {}
    keys = tuple(mapping.header.on.values())
    return {tuple(text(one[key]) for key in keys): one for one in records[mapping.header.stream]}


def text(value: Any) -> str | None:
    """A value as the warehouse writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return None if value is None else value.isoformat() if isinstance(value, date) else str(value)


def holds(conditions: When, row: Record) -> bool:
    """Every column has one of the values; '' stands for nothing."""
    return all((text(row.get(name)) or "") in values for name, values in conditions.items())


def raw_code(told: Expression, row: Record) -> str | None:
    """The text that a map translates."""
    if told.column:
        return text(row.get(told.column))
    if told.first:
        return next((found for one in told.first if (found := text(row.get(one)))), None)
    if told.join:
        parts = [text(row.get(one)) for one in told.join]
        return None if None in parts else told.separator.join(parts)
    return None


def evaluate(told: Expression, row: Record, *, number: bool) -> Any:
    """The value of an expression over a record (header fields as header.<column>)."""
    value: Any
    if told.constant is not None:
        value = told.constant
    elif told.true_when:
        return holds(told.true_when, row)
    elif told.map:
        code = raw_code(told, row) or ""
        value = told.map.get(code, code if told.unmapped == "keep" else None)
    elif told.column:
        value = row.get(told.column)
    else:
        value = raw_code(told, row)
    if not number:
        return (value.strip() or None) if isinstance(value, str) else value
    return _number(told, None if value is None else Decimal(str(value)), row)


def _number(told: Expression, value: Decimal | None, row: Record) -> Decimal | None:
    def other(name: str) -> Decimal | None:
        return None if row.get(name) is None else Decimal(str(row[name]))

    if told.minus:
        value = (value or Decimal(0)) - (other(told.minus) or Decimal(0))
    if value is None:
        return None
    if told.multiply_by:
        factor = other(told.multiply_by)
        value = None if factor is None else value * factor
    if told.divide_by and value is not None:
        divisor = other(told.divide_by)
        value = value / divisor if divisor else None
    if told.invert and value is not None:
        value = 1 / value if value else None
    if value is None:
        return None
    value = abs(value) if told.absolute else value
    value = -value if told.negate else value
    return -value if told.negative_when and holds(told.negative_when, row) else value


def _add_totals(connection: Connection, contracts: Sequence[ContractSample]) -> None:
    """Sums per kind and currency; of lines in the currency of their document."""
    documents = {row["document_id"]: row for one in contracts if one.contract == "documents" for row in one.rows}
    for one in contracts:
        for row in one.rows if one.contract in AMOUNTS else ():
            amount = next((row[name] for name in AMOUNTS[one.contract] if row.get(name) is not None), None)
            if amount is None or row["scope_reason"]:
                continue
            document = documents.get(row.get("document_id") or row.get("payment_id"), {})
            own = row.get("functional_currency_code") if one.contract == "gl_entries" else row.get("currency_code")
            currency = own or document.get("currency_code") or connection.currency or "?"
            place = (str(row.get(KINDS[one.contract]) or "?"), str(currency))
            one.totals[place] = one.totals.get(place, Decimal(0)) + amount
