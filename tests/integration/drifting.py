"""A stream of every type, its sound records, and ways to send them in each form of page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from tests.conftest import demo_company
from tests.integration.fake_extractor import FakeExtractor
from tieout.extract import Page, Window
from tieout.landing.land import LoadResult, land_stream
from tieout.spec import Column, Connection, Stream

END = datetime(2025, 6, 1, tzinfo=UTC)
COUNT = 20
Record = dict[str, Any]
Change = Callable[[Record], Record]

COLUMNS = (
    Column(name="id", type="text", field="Id"),
    Column(name="amount", type="amount", field="Amount"),
    Column(name="qty", type="integer", field="Qty"),
    Column(name="ratio", type="rate", field="Ratio"),
    Column(name="flag", type="boolean", field="Flag"),
    Column(name="day", type="date", field="Day"),
    Column(name="changed", type="timestamp", field="Changed"),
    Column(name="memo", type="text", field="Memo"),
    Column(name="doc", type="json", field="Doc"),
    Column(name="note", type="text", field="Note", optional=True),
)
STREAM = Stream(name="Drifting", table="netsuite__drifting", key=("id",), cursor="changed", columns=COLUMNS,
                control_totals=("amount",))


class Chosen(Connection):
    """A connection whose streams a test chooses."""

    chosen: tuple[Stream, ...] = ()

    def selected(self) -> tuple[Stream, ...]:
        return self.chosen


def connection_of(*streams: Stream) -> Chosen:
    """The demo's NetSuite connection with these streams."""
    return Chosen(**demo_company().connection("netsuite").model_dump(), chosen=streams or (STREAM,))


def with_columns(*more: Column, without: str = "") -> Stream:
    """STREAM with columns added or one taken away."""
    return STREAM.model_copy(update={"columns": (*(c for c in COLUMNS if c.name != without), *more)})


def sound(number: int, hour: int = 10) -> Record:
    """A record that fits; `hour` makes it younger."""
    return {
        "Id": str(number), "Amount": "10.50", "Qty": 5, "Ratio": "0.5", "Flag": True, "Day": "2025-01-02",
        "Changed": f"2025-01-02T{hour:02}:00:00Z", "Memo": f"m{number}", "Doc": {"a": [1]}, "Note": "n",
    }  # fmt: skip


def sounds(hour: int = 10, count: int = COUNT) -> list[Record]:
    """Sound records 1 to `count`."""
    return [sound(number, hour) for number in range(1, count + 1)]


def json_pages(records: Iterable[Record], pages: int = 1, **options: Any) -> list[Page]:
    """The records in so many pages."""
    records = [*records]
    size = -(-len(records) // pages)
    return [Page("Drifting", json.dumps(records[at : at + size]).encode(), **options)
            for at in range(0, len(records), size)]


def csv_pages(records: Iterable[Record]) -> list[Page]:
    """One CSV page; structures as JSON text."""
    records = [*records]
    text = io.StringIO()
    out = csv.DictWriter(text, [*dict.fromkeys(name for record in records for name in record)], quoting=csv.QUOTE_ALL)
    out.writeheader()
    out.writerows({name: json.dumps(v) if isinstance(v, (dict, list)) else v for name, v in record.items()}
                  for record in records)
    return [Page("Drifting", text.getvalue().encode(), "csv")]


def arrow_pages(records: Iterable[Record]) -> list[Page]:
    """One Arrow page, typed as Arrow infers."""
    return [Page("Drifting", pa.RecordBatch.from_pylist([*records]), "arrow")]


FORMS = {"json": json_pages, "csv": csv_pages, "arrow": arrow_pages}


def land(pages: list[Page], *, stream: Stream = STREAM, full: bool = False, connection: Connection | None = None,
         start: datetime = datetime(2025, 1, 1, tzinfo=UTC), end: datetime = END) -> LoadResult:
    """Land pages as one window."""
    window = Window(None if full else start, end, full=full)
    return land_stream(connection or connection_of(stream), stream, window, FakeExtractor({stream.name: pages}), None)


# --- changes to a record ----------------------------------------------------------------------------------------------


def put(**fields: Any) -> Change:
    """Set fields."""
    return lambda record: {**record, **fields}


def name(word: str, value: Any) -> Change:
    """Set a field whose name is no Python word."""
    return lambda record: {**record, word: value}


def drop(*names: str) -> Change:
    """Leave fields out."""
    return lambda record: {word: value for word, value in record.items() if word not in names}


def rename(old: str, new: str) -> Change:
    """The same value under another name."""
    return lambda record: {new if word == old else word: value for word, value in record.items()}
