"""dlt sources, as far as no warehouse is needed: types, keys, dispositions, states."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import ROOT
from tieout import sampling
from tieout.errors import ConfigError, SchemaError, SourceError
from tieout.extract.dlt_source import DltExtractor
from tieout.spec import Company, Connection

MODULE = "tests.integration.dlt_shop"
NET = {"id": "integer", "net": "amount"}


def connection(source: str, streams: dict[str, Any], **arguments: Any) -> Connection:
    made = Company.model_validate({"version": 1, "connections": {"shop": {
        "kind": "dlt", "role": "crm", "time_zone": "Europe/Berlin", "streams": streams,
        "options": {"source": f"{MODULE}:{source}", "arguments": arguments}}}})
    return made.connection("shop")


def look(source: str, columns: dict[str, Any], key: str = "id", **more: Any) -> Any:
    (found,) = sampling.look(connection(source, {source: {"key": [key], "columns": columns, **more}}), 100).streams
    return found


def test_values_come_exactly_and_stamps_without_an_offset_are_local():
    found = look("typed", {
        **NET, "local": "timestamp", "at": "timestamp", "flag": "boolean", "day": "date", "mixed_name": "text",
        "more": "json", "late": "amount"}).records
    assert found[0]["net"] == Decimal("0.123456789012345678")
    assert (found[0]["local"].hour, found[0]["at"].hour) == (11, 12), "noon in Berlin, noon in UTC"
    assert found[0]["flag"] is True and str(found[0]["day"]) == "2026-03-01" and found[0]["mixed_name"] == "x"
    assert json.loads(found[0]["more"]) == {"a": [1, 2]}
    assert [one["late"] for one in found] == [Decimal(5), Decimal("5.5")], "dlt alone would set the second aside"


def test_a_value_that_does_not_fit_the_source_s_type_is_quarantined_as_it_came():
    found = look("strict", NET)
    assert [one["net"] for one in found.records] == [Decimal("1.10")]
    assert [*found.refused] == [("net", "a lot", "net: not a number")]


def test_a_source_s_precision_rounds_nothing():
    assert [one["net"] for one in look("scaled", NET).records] == [Decimal("1.23456")]


def test_another_key_than_the_source_s_is_refused():
    with pytest.raises(SchemaError, match="the source's key is id, declared is net"):
        look("typed", NET, key="net")


def test_tables_land_as_records_do():
    found = look("frames", NET)
    assert [one["net"] for one in found.records] == [Decimal("1.10"), Decimal("2.20")]


def test_lists_stay_in_their_record_whatever_the_source_says():
    found = look("nesting", {**NET, "lines": "json"}).records
    assert json.loads(found[0]["lines"]) == [{"n": 1, "parts": [{"p": 1}]}]


def test_a_table_that_nobody_declared_is_refused():
    with pytest.raises(SchemaError, match="brings the tables others, which are not declared"):
        look("sorting", NET)
    both = {name: {"key": ["id"], "columns": NET, "options": {"resource": "sorting", "table": name}}
            for name in ("sorting", "others")}
    one, two = sampling.look(connection("sorting", both), 10).streams
    assert [one.records[0]["net"], two.records[0]["net"]] == [1, 2]


def test_what_is_missing_is_told():
    with pytest.raises(ConfigError, match="no dlt source tests.integration.dlt_shop:shops"):
        look("shops", NET)
    with pytest.raises(SchemaError, match="has no resource refunds"):
        sampling.look(connection("typed", {"refunds": {"key": ["id"], "columns": NET}}), 1)


def test_without_dlt_the_error_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "dlt", None)
    with pytest.raises(ConfigError, match="pip install 'dlt"):
        look("typed", NET)


def test_a_source_that_fails_shows_no_secret(monkeypatch, tmp_path):
    from tieout.secrets import secrets_for

    monkeypatch.setenv("TIEOUT_SECRET_SHOP__SHOP_KEY", "wrong-but-secret-all-the-same")
    shop = connection("shop", {"events": {"key": ["id"], "columns": NET}}, folder=str(tmp_path),
                      key={"secret": "shop_key"})
    with DltExtractor(shop, secrets_for(shop)) as extractor, pytest.raises(SourceError) as told:
        [*extractor.pages(shop.selected()[0], None)]
    assert "PermissionError" in str(told.value) and "wrong-but-secret" not in str(told.value)


def test_a_cursor_and_a_complete_set_exclude_each_other(tmp_path):
    (tmp_path / "orders.json").write_text('[{"id": 1, "net": 1.10, "changed_at": "2026-02-01T00:00:00Z"}]')
    stream = {"key": ["id"], "mode": "full", "deletes": {"flag": "gone"},
              "columns": {**NET, "gone": {"type": "boolean", "field": "$deleted"}}}
    shop = connection("shop", {"orders": stream}, folder=str(tmp_path), key="s3cret-enough-to-see")
    with pytest.raises(ConfigError, match="reads by the cursor changed_at"):
        sampling.look(shop, 1)


def test_what_dlt_wrote_is_gone_afterwards():
    shop = connection("typed", {"typed": {"key": ["id"], "columns": NET}})
    with DltExtractor(shop, {}) as extractor:
        [*extractor.pages(shop.selected()[0], None)]
        folder = extractor._folder.path
        assert folder.is_dir() and folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_dlt_is_no_dependency_of_the_product():
    locked = (ROOT / "requirements" / "runtime.lock").read_text()
    assert "\ndlt==" not in f"\n{locked}"


def test_a_source_is_drafted_with_its_hints_and_every_draft_can_be_read(monkeypatch, tmp_path):
    import yaml
    from typer.testing import CliRunner

    from tieout.cli import app

    for name in ("orders", "customers", "events"):
        (tmp_path / f"{name}.json").write_text('[{"id": 1, "net": 1.10, "changed_at": "2026-02-01T00:00:00Z"}]')
    monkeypatch.setenv("TIEOUT_SECRET_DRAFT__SHOP_KEY", "s3cret-enough-to-see")
    told = json.dumps({"folder": str(tmp_path), "key": {"secret": "shop_key"}})
    done = CliRunner().invoke(app, ["sources", "draft", "--dlt", f"{MODULE}:shop", "--arguments", told])
    assert done.exit_code == 0, done.exception
    streams = yaml.safe_load(done.stdout)["streams"]
    assert streams["orders"] == {
        "key": ["id"], "cursor": "changed_at", "deletes": {"flag": "is_gone"}, "options": {"resource": "orders"},
        "columns": {"gone": "text", "id": "integer", "changed_at": "timestamp", "net": "amount",
                    "is_gone": {"type": "boolean", "field": "$deleted"}}}
    assert (streams["customers"]["mode"], streams["events"]["key"]) == ("full", ["digest"])
    found = sampling.look(connection("shop", streams, folder=str(tmp_path), key="s3cret-enough-to-see"), 10)
    assert {one.stream: len(one.records) for one in found.streams} == {"orders": 1, "customers": 1, "events": 1}
