"""Landing against raw COPY of CSV, in the same run. Each figure is the best of a few repeats.

Landing does everything: parse, type, check, hash, archive (zstd, sha256), index, control totals, one transaction.
Two limits: `_plain` is COPY into a table with the declared columns only, no index; the other is COPY of the finished
rows into the very raw table, whose unique index alone costs the server more than half of a plain COPY. `_again` lands
the same window a second time: every row is compared with its current version and found unchanged.
"""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tests.conftest import ROOT, clear_settings, demo_company, open_folder
from tests.integration.fake_extractor import FakeExtractor
from tieout import settings
from tieout.extract import Page, Window
from tieout.spec import Column, Connection, Stream

BATCH = 20_000
PAGE = 2_000
REPEATS = 3
WINDOW = Window(None, datetime(2025, 6, 1, tzinfo=UTC), full=True)

INVOICES = Stream(
    name="bench", table="bench__invoice", key=("id",), mode="full", cursor="lastmodified", control_totals=("total",),
    columns=tuple(Column(name=name, type=kind, field=name) for name, kind in {
        "id": "text", "number": "text", "kind": "text", "status": "text", "customer": "text", "currency": "text",
        "period": "text", "reference": "text", "memo": "text", "rate": "rate", "total": "amount", "paid": "amount",
        "issued": "date", "lastmodified": "timestamp"}.items()))


def run(rows: int, progress: Callable[[str], Any] = print) -> list[dict[str, Any]]:
    """All figures for that many rows, in a warehouse of its own."""
    from tieout import localpg

    with open_folder() as home, _environment(home):
        try:
            return _figures(rows, progress)
        finally:
            localpg.stop(home)


def _figures(rows: int, progress: Callable[[str], Any]) -> list[dict[str, Any]]:
    batches = list(_batches(rows))
    plain = _best(lambda: _raw_copy(batches, "bench_plain"))
    same = _best(lambda: _raw_copy(batches, "bench__invoice"))
    progress(f"  raw COPY csv: {rows / plain:,.0f} rows/s plain, {rows / same:,.0f} rows/s into the same table")
    figures = []
    kinds = (("land_parquet", ">= 0.9", _arrow_pages(batches)), ("land_json", ">= 0.6", _json_pages(batches)))
    for name, goal, pages in kinds:
        first = _best(lambda given=pages: _land(given))
        again = _best(lambda given=pages: _land(given, truncate=False))
        progress(f"  {name}: {rows / first:,.0f} rows/s, unchanged {rows / again:,.0f} rows/s")
        for suffix, seconds, limit, bound in (("", first, same, goal), ("_plain", first, plain, goal),
                                              ("_again", again, same, ">= 0.4")):
            figures.append({"name": name + suffix, "value": rows / seconds, "unit": "rows/s", "limit": rows / limit,
                            "ratio": limit / seconds, "goal": bound})
    peaks = {}
    for media, bound in (("json", 100.0), ("parquet", 300.0)):
        small, large = (_memory(media, count) for count in (max(rows // 5, BATCH), rows))
        peaks[media] = large
        figures.append(_megabytes(f"land_memory_{media}", large, bound, "<= 1.0"))
        figures.append(_megabytes(f"land_memory_{media}_growth", large, small, "<= 1.3"))
    figures.append(_megabytes("land_memory", max(peaks.values()), 300.0, "<= 1.0"))
    return figures


def _megabytes(name: str, value: float, limit: float, goal: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "MB", "limit": limit, "ratio": value / limit, "goal": goal}


class _environment:
    """A warehouse in `home`, its settings, and the two tables."""

    def __init__(self, home: Any) -> None:
        self.home = home

    def __enter__(self) -> None:
        import os

        from tieout import localpg
        from tieout.landing import ddl
        from tieout.warehouse import connect, migrate

        os.environ.update(localpg.start(self.home))
        os.environ.update(TIEOUT_HOME=str(self.home), TIEOUT_CONFIG=str(self.home / "none.yml"))
        clear_settings()
        migrate()
        with connect("owner") as db:
            ddl.ensure_tables(db, [INVOICES])
            columns = ", ".join(f"{c.name} {ddl.PG_TYPES[c.type]}" for c in INVOICES.columns)
            db.execute(f"create table raw.bench_plain ({columns})")
            db.execute("grant select, insert, truncate on raw.bench_plain to tieout_loader")

    def __exit__(self, *exc: object) -> None:
        clear_settings()


def _connection() -> Connection:
    return demo_company().connection("netsuite")


def _best(work: Callable[[], float]) -> float:
    return min(work() for _ in range(REPEATS))


def _batches(rows: int) -> Iterator[pa.RecordBatch]:
    """Invoices of 14 columns, some 160 bytes as CSV."""
    random = np.random.default_rng(7)
    for start in range(0, rows, BATCH):
        ids = np.arange(start, min(start + BATCH, rows))
        count = len(ids)
        text = pc.cast(pa.array(ids), pa.string())
        cents = random.integers(100, 10_000_000, count)
        words = np.column_stack([cents, np.zeros(count, np.int64)])
        money = pa.Array.from_buffers(pa.decimal128(18, 2), count, [None, pa.py_buffer(words)])
        same = lambda value, count=count: pa.array([value] * count)  # noqa: E731
        rates = pc.cast(pa.array(random.integers(9000, 11000, count)), pa.decimal128(20, 0))
        yield pa.record_batch({
            "id": text, "number": pc.binary_join_element_wise("INV", text, ""), "kind": same("CustInvc"),
            "status": same("B"), "customer": pc.cast(pa.array(ids % 5000), pa.string()),
            "currency": same("1"), "period": same("123"),
            "reference": pc.binary_join_element_wise("PO-", text, ""), "memo": same("some memo text here"),
            "rate": rates, "total": money, "paid": money,
            "issued": pc.cast(pa.array((20_000 + ids % 300).astype(np.int32)), pa.date32()),
            "lastmodified": pc.cast(pa.array(1_735_689_600_000_000 + ids * 1_000_000), pa.timestamp("us", "UTC"))})


def _raw_copy(batches: list[pa.RecordBatch], name: str) -> float:
    """Seconds of COPY from ready CSV; into the raw table with ready values for our columns, too."""
    from tieout.warehouse import connect

    table = pa.Table.from_batches(batches)
    if name == "bench__invoice":
        count = table.num_rows
        for column, values in {
                "_connection": pa.repeat("netsuite", count), "_key": table["id"], "_modified_at": table["lastmodified"],
                "_is_deleted": pa.repeat(False, count), "_batch_id": pa.repeat(1, count),
                "_row_hash": pa.array(range(count)),
        }.items():
            table = table.append_column(column, values)
    body = io.BytesIO()
    pyarrow.csv.write_csv(table, body)
    data = body.getbuffer()
    with connect("owner", autocommit=True) as db:
        db.execute(f"truncate raw.{name}")
        started = time.perf_counter()
        columns = ", ".join(table.column_names)
        with db.cursor() as cursor, cursor.copy(f"copy raw.{name} ({columns}) from stdin (format csv, header)") as copy:
            for at in range(0, len(data), 1 << 20):
                copy.write(data[at : at + (1 << 20)])
        return time.perf_counter() - started


def _arrow_pages(batches: list[pa.RecordBatch]) -> list[Page]:
    return [Page("bench", batch, "arrow") for batch in batches]


def _json_pages(batches: list[pa.RecordBatch]) -> list[Page]:
    import orjson

    pages = []
    for batch in batches:
        for at in range(0, batch.num_rows, PAGE):
            records = batch.slice(at, PAGE).to_pylist()
            for record in records:
                record["total"], record["paid"], record["rate"] = (
                    float(record["total"]), float(record["paid"]), float(record["rate"]))
            pages.append(Page("bench", orjson.dumps({"items": records}), records="items", omits_nulls=True))
    return pages


def _land(pages: Any, *, truncate: bool = True) -> float:
    from tieout.landing.land import land_stream
    from tieout.warehouse import connect

    if truncate:
        with connect("owner", autocommit=True) as db:
            db.execute("truncate raw.bench__invoice, ops.load cascade")
    started = time.perf_counter()
    land_stream(_connection(), INVOICES, WINDOW, FakeExtractor({"bench": pages}, at_hand=True), None)
    return time.perf_counter() - started


def _memory(media: str, rows: int) -> float:
    """Peak resident MB of a process, imports and generator included, that lands generated rows."""
    command = [sys.executable, "-m", __name__, media, str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True,
                          env=settings.child_environment() | {"PYTHONPATH": "plugins:."}, cwd=ROOT)
    return float(done.stdout.split()[-1])


def _land_once(media: str, rows: int) -> None:
    make = _json_pages if media == "json" else _arrow_pages
    pages = (page for batch in _batches(rows) for page in make([batch]))
    _land(lambda window, parents: pages)
    status = Path("/proc/self/status").read_text()  # not ru_maxrss, which a child inherits from its parent
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


if __name__ == "__main__":
    _land_once(sys.argv[1], int(sys.argv[2]))
