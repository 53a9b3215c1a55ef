"""dlt sources as a company would write them. What they find stands in a folder: one JSON list per resource."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt

SINCE = dlt.sources.incremental("changed_at", initial_value="2026-01-01T00:00:00Z")


def found(folder: str, name: str) -> list[dict[str, Any]]:
    """The records; money as Decimal, as a careful source gives it."""
    return json.loads((Path(folder) / f"{name}.json").read_text(), parse_float=Decimal)


@dlt.source
def shop(folder: str, key: str = dlt.secrets.value) -> Any:
    """Orders by a cursor, with lines nested; customers whole; events added."""
    if key != "s3cret-enough-to-see":
        raise PermissionError(f"the key {key} is refused")

    @dlt.resource(primary_key="id", write_disposition="merge", columns={"gone": {"hard_delete": True}})
    def orders(since=SINCE) -> Iterator[Any]:
        with (Path(folder) / "asked.txt").open("a") as out:
            out.write(f"{since.start_value}\n")
        yield from found(folder, "orders")

    @dlt.resource(primary_key="id", write_disposition="replace")
    def customers() -> Iterator[Any]:
        yield found(folder, "customers")

    @dlt.resource(write_disposition="append")
    def events() -> Iterator[Any]:
        yield found(folder, "events")

    return orders, customers, events


@dlt.resource(write_disposition="merge", merge_key="day")
def daily(folder: str) -> Iterator[Any]:
    """All rows of a day at a time."""
    yield found(folder, "daily")


@dlt.resource
def plain(folder: str) -> Iterator[Any]:
    """No hint at all."""
    yield found(folder, "plain")


@dlt.resource(primary_key="id")
def typed() -> Iterator[Any]:
    """Values as Python has them."""
    yield {"id": 1, "net": Decimal("0.123456789012345678"), "local": datetime(2026, 3, 1, 12), "flag": True,
           "day": datetime(2026, 3, 1, tzinfo=UTC).date(), "at": datetime(2026, 3, 1, 12, tzinfo=UTC),
           "Mixed Name": "x", "more": {"a": [1, 2]}, "late": 5}
    yield {"id": 2, "net": 5, "late": Decimal("5.5")}


@dlt.resource(primary_key="id", columns={"net": {"data_type": "decimal"}})
def strict() -> Iterator[Any]:
    """A type of its own, and a value that does not fit."""
    yield {"id": 1, "net": "1.10"}
    yield {"id": 2, "net": "a lot"}


@dlt.resource(primary_key="id")
def frames() -> Iterator[Any]:
    """Tables of Arrow instead of records."""
    import pyarrow as pa

    yield pa.table({"id": [1, 2], "net": pa.array([Decimal("1.10"), Decimal("2.20")], pa.decimal128(10, 2))})


@dlt.resource(primary_key="id", max_table_nesting=3)
def nesting() -> Iterator[Any]:
    """Would make tables of its lists, if it were asked."""
    yield {"id": 1, "net": 1, "lines": [{"n": 1, "parts": [{"p": 1}]}]}


@dlt.resource(primary_key="id", table_name=lambda item: item["kind"])
def sorting() -> Iterator[Any]:
    """One resource, a table per kind."""
    yield {"id": 1, "net": 1, "kind": "sorting"}
    yield {"id": 2, "net": 2, "kind": "others"}


@dlt.resource(primary_key="id", columns={"net": {"data_type": "decimal", "precision": 10, "scale": 2}})
def scaled() -> Iterator[Any]:
    """Finer than the source's own precision."""
    yield {"id": 1, "net": Decimal("1.23456")}
