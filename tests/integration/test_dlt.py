"""dlt sources: cursors, dispositions and deletions become versions, and the state counts only with what landed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration import doors
from tests.integration.own_system import current, figures, land, rows
from tieout.errors import ReloadGuardError, SchemaError, SourceError
from tieout.landing import land as landing
from tieout.secrets import secrets_for
from tieout.spec import Connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")
KEY = "s3cret-enough-to-see"
NET = {"id": "integer", "net": "amount"}
ORDERS: dict[str, Any] = {
    "key": ["id"], "cursor": "changed_at", "deletes": {"flag": "deleted"}, "control_totals": ["net"],
    "columns": {**NET, "changed_at": "timestamp", "gone": {"type": "boolean", "optional": True},
                "deleted": {"type": "boolean", "field": "$deleted"}}}
LINES: dict[str, Any] = {"key": ["order_id", "n"], "explode": "lines",
                         "parent": {"stream": "orders", "column": "order_id"},
                         "columns": {"order_id": "text", "n": "integer", "net": "amount"}}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEOUT_SECRET_DOOR__SHOP_KEY", KEY)


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.json").write_text(text)


def shop(folder: Path, streams: dict[str, Any], source: str = "shop") -> Connection:
    arguments: dict[str, Any] = {"folder": str(folder)}
    if source == "shop":
        arguments["key"] = {"secret": "shop_key"}
    return doors.made("dlt", streams, source=f"tests.integration.dlt_shop:{source}", arguments=arguments)


def landed(connection: Connection, **more: Any) -> dict[str, tuple[int, ...]]:
    return {name: figures(one) for name, one in land(connection, secrets=secrets_for(connection), **more).items()}


def nets(table: str = "door__orders") -> list[tuple[int, str]]:
    return [(number, str(net)) for number, net in current(table, "id", "net")]


def order(number: int, net: str, day: int, **more: Any) -> str:
    told = json.dumps({"id": number, "changed_at": f"2026-02-{day:02}T00:00:00Z", **more})
    return f'{told[:-1]}, "net": {net}}}'


def listed(*orders: str) -> str:
    return f"[{', '.join(orders)}]"


def test_an_incremental_cursor_across_three_loads(tmp_path):
    connection = shop(tmp_path, {"orders": ORDERS})
    write(tmp_path, "orders", listed(order(1, "1.10", 1), order(2, "0.123456789012345678", 2)))
    assert landed(connection) == {"orders": (2, 2, 0, 0, 0)}
    write(tmp_path, "orders", listed(order(1, "99", 1), order(2, "2.20", 3), order(3, "3", 4)))
    assert landed(connection) == {"orders": (2, 2, 0, 0, 0)}, "what lies before the cursor is not read"
    write(tmp_path, "orders", listed(order(3, "3", 4), order(2, "2.20", 5, gone=True)))
    landed(connection)
    assert nets() == [(1, "1.1"), (3, "3")], "the source says that order 2 is gone"
    starts = (tmp_path / "asked.txt").read_text().split()
    assert starts == ["2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z", "2026-02-04T00:00:00Z"]
    assert "2026-02-05" in rows("select value from ops.source_state order by state_id desc limit 1")[0][0]


def test_a_crash_between_load_and_state_loses_nothing_and_brings_nothing_twice(tmp_path, monkeypatch):
    connection = shop(tmp_path, {"orders": ORDERS})
    write(tmp_path, "orders", listed(order(1, "1", 1)))
    real = landing.statebook.follow

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(landing.statebook, "follow", crash)
    with pytest.raises(KeyboardInterrupt):
        landed(connection)
    assert not nets() and not rows("select 1 from ops.source_state")
    monkeypatch.setattr(landing.statebook, "follow", real)
    assert landed(connection) == {"orders": (1, 1, 0, 0, 0)}
    assert (tmp_path / "asked.txt").read_text().split() == ["2026-01-01T00:00:00Z"] * 2


def test_replace_is_the_complete_set_and_append_adds(tmp_path):
    columns = {**NET, "digest": {"type": "text", "field": "$digest"}}
    connection = shop(tmp_path, {"customers": {"key": ["id"], "columns": NET},
                                 "events": {"key": ["digest"], "columns": columns}})
    write(tmp_path, "customers", listed(*(f'{{"id": {n}, "net": 1}}' for n in range(10))))
    write(tmp_path, "events", '[{"id": 1, "net": 1}, {"id": 1, "net": 1}]')
    assert landed(connection) == {"customers": (10, 10, 0, 0, 0), "events": (2, 2, 0, 0, 0)}
    write(tmp_path, "customers", listed(*(f'{{"id": {n}, "net": 1}}' for n in range(9))))
    write(tmp_path, "events", '[{"id": 2, "net": 1}]')
    assert landed(connection) == {"customers": (9, 0, 9, 0, 1), "events": (1, 1, 0, 0, 0)}
    assert len(nets("door__events")) == 3
    write(tmp_path, "customers", "[]")
    with pytest.raises(ReloadGuardError):
        landed(connection)
    assert len(nets("door__customers")) == 9


def test_a_resource_without_a_hint_is_whole_where_the_company_says_so(tmp_path):
    connection = shop(tmp_path, {"plain": {"key": ["id"], "mode": "full", "columns": NET}}, "plain")
    write(tmp_path, "plain", listed(*(f'{{"id": {n}, "net": 1}}' for n in range(10))))
    landed(connection)
    write(tmp_path, "plain", listed(*(f'{{"id": {n}, "net": 1}}' for n in range(9))))
    assert landed(connection) == {"plain": (9, 0, 9, 0, 1)}


def test_a_merge_key_replaces_what_it_names(tmp_path):
    columns = {**NET, "day": "date"}
    write(tmp_path, "daily", '[{"id": 1, "net": 1, "day": "2026-03-01"}, {"id": 2, "net": 2, "day": "2026-03-01"},'
                             ' {"id": 3, "net": 3, "day": "2026-03-02"}]')
    with pytest.raises(SchemaError, match="the source replaces all records of one day"):
        landed(shop(tmp_path, {"daily": {"key": ["id"], "columns": columns}}, "daily"))
    connection = shop(tmp_path, {"daily": {"key": ["id"], "partition": "day", "columns": columns}}, "daily")
    landed(connection)
    write(tmp_path, "daily", '[{"id": 2, "net": 5, "day": "2026-03-01"}]')
    assert landed(connection) == {"daily": (1, 1, 0, 0, 1)}
    assert nets("door__daily") == [(2, "5"), (3, "3")]


def test_nested_lists_are_lines_that_come_and_go_with_their_order(tmp_path):
    connection = shop(tmp_path, {"orders": ORDERS, "lines": LINES})
    write(tmp_path, "orders", listed(order(1, "3", 1, lines=[{"n": 1, "net": "1.10"}, {"n": 2, "net": "1.90"}])))
    landed(connection)
    assert [(n, str(net)) for n, net in current("door__lines", "n", "net")] == [(1, "1.1"), (2, "1.9")]
    write(tmp_path, "orders", listed(order(1, "1", 2, lines=[{"n": 1, "net": "1.00"}])))
    landed(connection)
    assert [(n, str(net)) for n, net in current("door__lines", "n", "net")] == [(1, "1")]


def test_a_source_that_fails_lands_nothing_and_goes_on_where_it_was(tmp_path):
    connection = shop(tmp_path, {"orders": ORDERS})
    write(tmp_path, "orders", listed(order(1, "1", 1)))
    landed(connection)
    write(tmp_path, "orders", "[{")
    with pytest.raises(SourceError, match="JSONDecodeError"):
        landed(connection)
    write(tmp_path, "orders", listed(order(2, "2", 2)))
    assert landed(connection) == {"orders": (1, 1, 0, 0, 0)}
    assert (tmp_path / "asked.txt").read_text().split()[-1] == "2026-02-01T00:00:00Z"
