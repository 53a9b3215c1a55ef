"""A tap's own description as streams of tieout.yml: every draft can be landed."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tests.unit.test_extract_singer import shop
from tieout.errors import SourceError
from tieout.extract.singer_draft import drafted

CATALOG = {"streams": [{
    "tap_stream_id": "Sales-Orders", "schema": {"properties": {
        "Id": {"type": ["null", "string"]}, "NetAmount": {"type": "number"}, "_at": {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        "lines": {"type": "array"}, "price": {"type": "string", "format": "singer.decimal"}, "any": {}}},
    "metadata": [{"breadcrumb": [], "metadata": {"table-key-properties": ["Id"], "valid-replication-keys": ["_at"]}}]}]}


def test_a_catalog_is_drafted_with_keys_types_and_names():
    found = drafted(json.dumps(CATALOG).encode())
    assert found == {"sales_orders": {"key": ["id"], "options": {"tap_stream": "Sales-Orders"}, "columns": {
        "id": {"type": "text", "field": "Id"}, "net_amount": {"type": "amount", "field": "NetAmount", "optional": True},
        "at": {"type": "timestamp", "field": "_at", "optional": True}, "lines": {"type": "json", "optional": True},
        "price": {"type": "amount", "optional": True}, "any": {"type": "text", "optional": True}}}}
    assert shop(found).selected()[0].table == "shop__sales_orders"


def test_messages_are_drafted_and_a_stream_without_a_key_gets_one():
    lines = [{"type": "SCHEMA", "stream": "events", "key_properties": [],
              "schema": {"properties": {"a": {"type": "integer"}}}},
             {"type": "RECORD", "stream": "events", "record": {"a": 1}}]
    found = drafted("\n".join(map(json.dumps, lines)).encode())
    assert found["events"]["key"] == ["digest"]
    assert shop(found).selected()[0].column("digest").field == "$digest"


def test_what_is_neither_is_an_error():
    with pytest.raises(SourceError, match="line 1 is neither"):
        drafted(b"hello")


def test_the_command_writes_what_tieout_reads():
    import yaml

    from tieout.cli import app

    done = CliRunner().invoke(app, ["sources", "draft"], input=json.dumps(CATALOG))
    assert done.exit_code == 0, done.output
    assert shop(yaml.safe_load(done.stdout)["streams"]).selected()
