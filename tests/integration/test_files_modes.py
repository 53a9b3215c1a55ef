"""File drops: how deliveries become versions, and that none is lost, read half, or read twice."""

from __future__ import annotations

import pytest

from tests.integration.own_system import ORDERS, connected, current, figures, land, manifest, rows, write
from tieout.errors import SourceError

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

HEAD = "order_no,day,net,currency\n"


def test_a_drop_lands_typed_and_is_remembered(tmp_path):
    write(tmp_path, "orders_1.csv", HEAD + "0001,2026-03-01,10.50,EUR\n0002,2026-03-02,-7,JPY\n")
    shop = connected(tmp_path, {"orders": ORDERS})
    assert figures(land(shop)["orders"]) == (2, 2, 0, 0, 0)
    assert [(a, str(b), str(c), d) for a, b, c, d in current("shop__orders", "order_no", "day", "net", "currency")] == [
        ("0001", "2026-03-01", "10.5", "EUR"), ("0002", "2026-03-02", "-7", "JPY")]
    assert rows("select name, state, rows from ops.load_file") == [("orders_1.csv", "landed", 2)]


def test_a_file_that_was_landed_is_not_read_again(tmp_path):
    write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n")
    shop = connected(tmp_path, {"orders": ORDERS})
    land(shop)
    assert figures(land(shop)["orders"]) == (0, 0, 0, 0, 0)
    (tmp_path / "orders_1.csv").touch()
    assert figures(land(shop)["orders"]) == (0, 0, 0, 0, 0)
    assert [r[0] for r in rows("select state from ops.load_file order by noted_at")] == ["landed", "repeated"]


def test_the_same_name_with_other_content_is_a_new_version(tmp_path):
    write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n")
    shop = connected(tmp_path, {"orders": ORDERS})
    land(shop)
    write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,2.00,EUR\n")
    assert figures(land(shop)["orders"]) == (1, 1, 0, 0, 0)
    assert [str(net) for (net,) in current("shop__orders", "net")] == ["2"]


def test_a_full_set_replaces_and_what_it_lacks_is_deleted(tmp_path):
    shop = connected(tmp_path, {"orders": {**ORDERS, "mode": "full"}})
    write(tmp_path, "orders_1.csv", HEAD + "".join(f"{i},2026-03-01,1,EUR\n" for i in range(10)))
    land(shop)
    write(tmp_path, "orders_2.csv", HEAD + "".join(f"{i},2026-03-01,1,EUR\n" for i in range(9)))
    assert figures(land(shop)["orders"]) == (9, 0, 9, 0, 1)
    assert len(current("shop__orders", "order_no")) == 9
    assert figures(land(shop)["orders"]) == (0, 0, 0, 0, 0), "no news is no empty set"
    assert len(current("shop__orders", "order_no")) == 9


def test_a_full_set_that_comes_late_does_not_bring_the_old_state_back(tmp_path):
    shop = connected(tmp_path, {"orders": {**ORDERS, "mode": "full"}})
    write(tmp_path, "orders_2.csv", HEAD + "1,2026-03-01,2,EUR\n")
    land(shop)
    write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n")
    land(shop)
    assert [str(net) for (net,) in current("shop__orders", "net")] == ["2"]
    assert rows("select name, state from ops.load_file order by noted_at") == [
        ("orders_2.csv", "landed"), ("orders_1.csv", "superseded")]


def test_a_full_set_returns_to_what_it_was(tmp_path):
    shop = connected(tmp_path, {"orders": {**ORDERS, "mode": "full"}})
    for number, net in enumerate(("1", "2", "1")):
        write(tmp_path, f"orders_{number}.csv", HEAD + f"1,2026-03-01,{net},EUR\n")
        land(shop)
    assert [str(net) for (net,) in current("shop__orders", "net")] == ["1"]


def test_an_empty_full_set_wipes_nothing(tmp_path):
    shop = connected(tmp_path, {"orders": {**ORDERS, "mode": "full"}})
    write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n")
    land(shop)
    write(tmp_path, "orders_2.csv", HEAD)
    with pytest.raises(SourceError, match="orders_2.csv is a complete set without a record"):
        land(shop)
    assert len(current("shop__orders", "order_no")) == 1


def test_a_delta_with_operation_codes_inserts_updates_and_deletes(tmp_path):
    stream = {**ORDERS, "deletes": {"flag": "op"}, "columns": {**ORDERS["columns"], "op": "boolean"},
              "options": {"files": "orders*.csv", "csv": {"words": {"op": {"I": False, "U": False, "D": True}}}}}
    shop = connected(tmp_path, {"orders": stream})
    head = "order_no,day,net,currency,op\n"
    write(tmp_path, "orders_1.csv", head + "1,2026-03-01,1,EUR,I\n2,2026-03-01,2,EUR,I\n3,2026-03-01,3,EUR,X\n")
    assert figures(land(shop)["orders"]) == (3, 2, 0, 1, 0)
    write(tmp_path, "orders_2.csv", head + "1,2026-03-01,5,EUR,U\n2,,,,D\n")
    land(shop)
    assert [(a, str(b)) for a, b in current("shop__orders", "order_no", "net")] == [("1", "5")]
    (reason,) = rows("select value || ' / ' || reason from ops.quarantine")[0]
    assert reason.startswith("X ⟨not one of the declared words⟩")


def test_the_last_operation_of_a_key_in_one_file_counts(tmp_path):
    stream = {**ORDERS, "deletes": {"flag": "op"}, "cursor": "seq",
              "columns": {**ORDERS["columns"], "op": "boolean", "seq": {"type": "integer", "field": "$row"}},
              "options": {"files": "orders*.csv", "csv": {"words": {"op": {"I": False, "U": False, "D": True}}}}}
    shop = connected(tmp_path, {"orders": stream})
    head = "order_no,day,net,currency,op\n"
    write(tmp_path, "orders_1.csv", head + "1,2026-03-01,1,EUR,I\n1,,,,D\n1,2026-03-01,3,EUR,I\n2,2026-03-01,1,EUR,I\n")
    land(shop)
    assert [(a, str(b)) for a, b in current("shop__orders", "order_no", "net")] == [("1", "3"), ("2", "1")]


def test_a_late_delta_does_not_overwrite_a_younger_version(tmp_path):
    stream = {**ORDERS, "cursor": "told", "columns": {**ORDERS["columns"], "told": {
        "type": "timestamp", "field": "$delivered_at"}},
        "options": {"files": "orders*.csv", "stamp": {"pattern": r"_(\d{8})", "format": "%Y%m%d"}}}
    shop = connected(tmp_path, {"orders": stream})
    write(tmp_path, "orders_20260302.csv", HEAD + "1,2026-03-01,2,EUR\n")
    land(shop)
    write(tmp_path, "orders_20260301.csv", HEAD + "1,2026-03-01,1,EUR\n9,2026-03-01,9,EUR\n")
    land(shop)
    assert [(a, str(b)) for a, b in current("shop__orders", "order_no", "net")] == [("1", "2"), ("9", "9")]


def test_a_partition_replaces_its_day_and_an_empty_file_empties_it(tmp_path):
    stream = {**ORDERS, "partition": "day", "options": {"files": "orders*.csv", "partition_from": r"_(\d{8})"}}
    shop = connected(tmp_path, {"orders": stream})
    write(tmp_path, "orders_20260301.csv", HEAD + "1,2026-03-01,1,EUR\n2,2026-03-01,2,EUR\n")
    write(tmp_path, "orders_20260302.csv", HEAD + "3,2026-03-02,3,EUR\n")
    land(shop)
    write(tmp_path, "orders_20260301.csv", HEAD + "1,2026-03-01,1,EUR\n")
    land(shop)
    assert current("shop__orders", "order_no") == [("1",), ("3",)]
    write(tmp_path, "orders_20260302.csv", HEAD)
    land(shop)
    assert current("shop__orders", "order_no") == [("1",)]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_older_word_on_a_partition_that_comes_late_is_not_believed(tmp_path, form):
    """It still tells the partitions of which nothing younger is known; a correction under its own name counts."""
    def drop(name: str, *rows: tuple[str, str, int]) -> None:
        told = HEAD + "".join(f"{number},{day},{net},EUR\n" for number, day, net in rows) if form == "csv" else "".join(
            f'{{"order_no":"{number}","day":"{day}","net":{net},"currency":"EUR"}}\n' for number, day, net in rows)
        write(tmp_path, f"orders_{name}.{form}", told)

    stream = {**ORDERS, "partition": "day", "options": {
        "files": f"orders_*.{form}", "format": form, "stamp": {"pattern": r"_(\d{8})", "format": "%Y%m%d"}}}
    shop = connected(tmp_path, {"orders": stream})
    drop("20260303", ("1", "2026-03-01", 3), ("2", "2026-03-02", 3))
    land(shop)
    drop("20260302", ("1", "2026-03-01", 2), ("9", "2026-03-01", 2), ("5", "2026-02-28", 2))
    assert figures(land(shop)["orders"]) == (1, 1, 0, 0, 0)
    assert [(a, str(b)) for a, b in current("shop__orders", "order_no", "net")] == [("1", "3"), ("2", "3"), ("5", "2")]
    drop("20260303", ("1", "2026-03-01", 4))
    land(shop)
    assert [(a, str(b)) for a, b in current("shop__orders", "order_no", "net")] == [("1", "4"), ("2", "3"), ("5", "2")]


def test_of_names_without_a_moment_the_last_to_come_counts(tmp_path):
    shop = connected(tmp_path, {"orders": {**ORDERS, "partition": "day", "options": {"files": "orders_*.csv"}}})
    write(tmp_path, "orders_9.csv", HEAD + "1,2026-03-01,9,EUR\n")
    land(shop)
    write(tmp_path, "orders_10.csv", HEAD + "1,2026-03-01,10,EUR\n")
    land(shop)
    assert [str(net) for (net,) in current("shop__orders", "net")] == ["10"]


def test_a_file_is_not_read_until_its_manifest_and_all_its_files_are_there(tmp_path):
    shop = connected(tmp_path, {"orders": ORDERS}, ready={"manifest": "*.manifest.json"})
    one = write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n")
    two = write(tmp_path, "orders_2.csv", HEAD + "2,2026-03-01,2,EUR\n")
    with pytest.raises(SourceError, match="no complete file matches"):
        land(shop)
    manifest(tmp_path, "m1.manifest.json", [one, two])
    two.rename(tmp_path / "away")
    with pytest.raises(SourceError, match="waited for: orders_1.csv, orders_2.csv|waited for: orders_2.csv"):
        land(shop)
    (tmp_path / "away").rename(two)
    assert figures(land(shop)["orders"]) == (2, 2, 0, 0, 0)


@pytest.mark.parametrize(("more", "says"), [
    ({"rows": 3}, "2 records, its manifest says 3"), ({"sha256": "0" * 64}, "its sha256 is"),
    ({"bytes": 7}, "its manifest says 7"),
])
def test_a_file_that_differs_from_its_manifest_is_an_error_that_names_it(tmp_path, more, says):
    import json

    shop = connected(tmp_path, {"orders": ORDERS}, ready={"manifest": "*.manifest.json"})
    one = write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n2,2026-03-01,1,EUR\n")
    paper = manifest(tmp_path, "a.manifest.json", [one])
    told = json.loads(paper.read_text())
    told["files"][0] |= more
    paper.write_text(json.dumps(told))
    with pytest.raises(SourceError, match=says) as error:
        land(shop)
    assert "orders_1.csv" in str(error.value)
    assert not current("shop__orders", "order_no")
    assert not rows("select 1 from ops.load_file")


def test_control_totals_of_a_manifest_are_held_against_what_came(tmp_path):
    shop = connected(tmp_path, {"orders": ORDERS}, ready={"manifest": "*.manifest.json"})
    one = write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,0.10,EUR\n2,2026-03-01,0.20,EUR\n")
    manifest(tmp_path, "a.manifest.json", [one], control_totals={"net": "0.31"})
    with pytest.raises(SourceError, match=r"net adds up to 0.30, its manifest says 0.31"):
        land(shop)
    manifest(tmp_path, "a.manifest.json", [one], control_totals={"net": "0.30"})
    assert figures(land(shop)["orders"]) == (2, 2, 0, 0, 0)


def test_a_checksum_beside_the_file_and_a_marker_are_waited_for(tmp_path):
    import hashlib

    shop = connected(tmp_path, {"orders": ORDERS}, ready={"checksum": "{name}.sha256", "marker": "{name}.done"})
    one = write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n")
    for sidecar, text in (("orders_1.csv.done", ""), ("orders_1.csv.sha256", "f" * 64)):
        with pytest.raises(SourceError, match="waited for: orders_1.csv"):
            land(connected(tmp_path, {"orders": {**ORDERS, "options": {"files": "orders*.csv"}}},
                           ready={"checksum": "{name}.sha256", "marker": "{name}.done"}))
        write(tmp_path, sidecar, text)
    shop = connected(tmp_path, {"orders": {**ORDERS, "options": {"files": "orders*.csv"}}},
                     ready={"checksum": "{name}.sha256", "marker": "{name}.done"})
    with pytest.raises(SourceError, match="orders_1.csv: its sha256 is"):
        land(shop)
    write(tmp_path, "orders_1.csv.sha256", f"{hashlib.sha256(one.read_bytes()).hexdigest()}  orders_1.csv\n")
    assert figures(land(shop)["orders"]) == (1, 1, 0, 0, 0)


def test_a_file_that_was_written_a_moment_ago_is_waited_for(tmp_path):
    shop = connected(tmp_path, {"orders": ORDERS}, ready={"quiet": "1h"})
    write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n")
    write(tmp_path, "orders_2.csv.part", HEAD + "2,2026-03-01,1,EUR\n")
    with pytest.raises(SourceError, match="waited for: orders_1.csv\n|waited for: orders_1.csv$"):
        land(shop)


def test_what_a_broken_file_came_after_stays_landed(tmp_path):
    shop = connected(tmp_path, {"orders": ORDERS})
    write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n")
    write(tmp_path, "orders_2.csv", HEAD + '2,2026-03-01,1,"EUR\n')
    with pytest.raises(SourceError, match="orders_2.csv: a quoted value does not end"):
        land(shop)
    assert current("shop__orders", "order_no") == [("1",)]
    write(tmp_path, "orders_2.csv", HEAD + '2,2026-03-01,1,"EUR"\n')
    land(shop)
    assert current("shop__orders", "order_no") == [("1",), ("2",)]


def test_a_window_ends_where_its_delivery_does(tmp_path):
    shop = connected(tmp_path, {"orders": ORDERS}, ready={"manifest": "*.manifest.json"})
    one = write(tmp_path, "orders_1.csv", HEAD + "1,2026-03-01,1,EUR\n")
    manifest(tmp_path, "a.manifest.json", [one], as_of="2026-03-01T23:59:59Z")
    land(shop)
    land(shop)
    assert rows("select window_end::text from ops.load where window_end is not null") == [("2026-03-01 23:59:59+00",)]
