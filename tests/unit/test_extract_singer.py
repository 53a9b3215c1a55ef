"""Singer taps, as far as no warehouse is needed: the messages, the process, and what of a run counts."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.doors import ORDERS, TAP, activate, asked, record, schema, script, state
from tieout.errors import ConfigError, SchemaError, SourceError
from tieout.extract import Window
from tieout.extract.deliveries import Bookmark, Delivery
from tieout.extract.record_spool import Spool
from tieout.extract.singer import SingerExtractor
from tieout.spec import Company, Connection

ALL = Window(None, datetime(2026, 3, 1, tzinfo=UTC))


def shop(streams: dict[str, Any] | None = None, **options: Any) -> Connection:
    made = Company.model_validate({"version": 1, "connections": {"shop": {
        "kind": "singer", "role": "crm", "time_zone": "UTC", "streams": streams or {"orders": ORDERS},
        "options": {"command": "tap-shop", **options}}}})
    return made.connection("shop")


def fed(lines: list[Any], connection: Connection | None = None) -> SingerExtractor:
    text = [(line if isinstance(line, str) else json.dumps(line)).encode() + b"\n" for line in lines]
    return SingerExtractor(connection or shop(), {}, lines=text)


def delivered(extractor: SingerExtractor, since: Bookmark | None = None) -> Delivery:
    if since is not None:
        extractor.resume(since)
    (found,) = extractor.deliveries(extractor._connection.selected()[0], ALL, ())
    return found


def ids(delivery: Delivery) -> list[int]:
    return [one["id"] for page in delivery.pages() for one in msgspec.json.decode(page.body)]


def tapped(folder: Path, runs: list[Any], **options: Any) -> SingerExtractor:
    script(folder, runs)
    told: dict[str, Any] = {"command": [sys.executable, str(TAP)], "discover": False,
                            "config": {"folder": str(folder)}, **options}
    return SingerExtractor(shop(**told), {})


def test_a_spool_can_be_cut_anywhere():
    spool = Spool()
    for number in range(20_000):
        spool.add("s", b'{"n": %d}' % number)
    for first, last in ((0, 20_000), (8_191, 8_193), (0, 1), (19_999, 20_000), (5, 5), (0, 30_000)):
        found = [one["n"] for body in spool.bodies("s", first, last) for one in msgspec.json.decode(body)]
        assert found == [*range(first, min(last, 20_000))]
    spool.close()


def test_the_state_rides_on_the_last_stream_only():
    two = shop({"orders": ORDERS, "refunds": ORDERS})
    with fed([schema(), record(1), schema("refunds"), state({"a": 1})], two) as extractor:
        first, second = two.selected()
        (one,) = extractor.deliveries(first, ALL, ())
        assert one.progress.state is None
        (one,) = extractor.deliveries(second, ALL, ())
        assert one.progress.state == Bookmark(None, '{"a": 1}', {"streams": ["orders", "refunds"]})


def test_a_stream_that_was_not_committed_keeps_the_state_back():
    two = shop({"orders": ORDERS, "refunds": ORDERS})
    with fed([schema(), record(1), schema("refunds"), state({"a": 1})], two) as extractor:
        first, second = two.selected()
        next(extractor.deliveries(first, ALL, ()))  # and never came back: its batch failed
        (one,) = extractor.deliveries(second, ALL, ())
        assert one.progress.state is None


def test_the_state_that_the_last_stream_vouched_for_survives_a_run_without_any():
    with fed([schema()]) as extractor:
        found = delivered(extractor, Bookmark(7, '{"a": 1}', {"streams": ["orders"]}))
    assert (found.progress.since, found.progress.state.value) == (7, '{"a": 1}')


@pytest.mark.parametrize(("lines", "kind", "says"), [
    ([record(1)], SourceError, "shop.orders: line 1: RECORD before the stream's SCHEMA"),
    (["hello"], SourceError, "line 1 of the tap is no message"),
    ([[1]], SourceError, "line 1 of the tap is no message"),
    ([{"type": "SCHEMA", "stream": "orders", "schema": {}}], SourceError, "a SCHEMA without properties"),
    ([{"type": "PING"}], SourceError, "unknown message type 'PING'"),
    ([schema("others")], SchemaError, "the stream 'others', which is not declared"),
    ([schema(key=["day"])], SchemaError, "the tap's key is day, declared is id"),
    ([schema(properties={"id": {}, "net": {}})], SchemaError, "the tap no longer sends day"),
    ([schema(), {"type": "RECORD", "stream": "orders", "record": [1]}], SourceError, "a record that is no object"),
    ([schema(), {"type": "BATCH", "stream": "orders", "encoding": {"format": "parquet"}, "manifest": []}], SourceError,
     "a batch as parquet"),
])
def test_what_is_wrong_is_loud_and_lands_nothing_before_a_state(lines, kind, says):
    with fed(lines) as extractor, pytest.raises(kind, match=says):
        delivered(extractor)


def test_what_came_before_the_state_counts_then_the_failure_is_raised():
    extractor = fed([schema(), record(1), state({"a": 1}), record(2), "oops"])
    with pytest.raises(SourceError, match="line 5"), extractor:
        found = delivered(extractor)
        assert ids(found) == [1] and found.ends_at is None and found.mode == "incremental"


@pytest.mark.parametrize(("before", "lines", "mode", "restart"), [
    ({}, [schema(), record(1, version=1), activate(1), state({})], "full", False),
    ({"begun": 1, "activated": 1}, [schema(), record(1, version=1), activate(1), state({})], "incremental", False),
    ({"begun": 1, "activated": 1}, [schema(), record(1, version=2), activate(2), state({})], "full", False),
    ({"begun": 2, "activated": 1}, [schema(), record(1, version=2), activate(2), state({})], "incremental", True),
    ({"begun": 1, "activated": 1}, [schema(), record(1, version=2), state({})], "incremental", False),
])
def test_a_version_is_complete_where_all_of_it_came_in_this_run(before, lines, mode, restart):
    about = {"streams": ["orders"], "versions": {"orders": before} if before else {}}
    with fed(lines) as extractor:
        found = delivered(extractor, Bookmark(1, "{}", about))
    assert (found.mode, found.progress.state.about.get("restart", False)) == (mode, restart)


def test_a_complete_set_of_which_the_tap_says_nothing_is_none():
    two = shop({"orders": {**ORDERS, "mode": "full"}, "refunds": ORDERS})
    with fed([schema("refunds"), state({})], two) as extractor:
        assert delivered(extractor).mode == "incremental"
        assert extractor.facts.notes["streams_unheard"] == ["orders"]
    with fed([schema(), schema("refunds"), state({})], two) as extractor:
        assert delivered(extractor).mode == "full", "empty, and said to be: the guard decides"


def test_records_of_an_older_version_in_the_same_run_are_no_part_of_the_set():
    with fed([schema(), record(1, version=1), record(2, version=2), activate(2), state({})]) as extractor:
        assert ids(delivered(extractor)) == [2]


def test_the_tap_sees_its_configuration_and_nothing_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("TIEOUT_WAREHOUSE_OWNER_PASSWORD", "ours")
    with tapped(tmp_path, [[schema(), record(1), state({})]]) as extractor:
        assert ids(delivered(extractor, Bookmark(3, '{"at": 5}', {"streams": ["orders"]}))) == [1]
    (seen,) = asked(tmp_path)
    assert seen["mode"] == "0o600" and seen["state"] == {"at": 5}
    assert not Path(seen["path"]).parent.exists(), "the configuration is gone"
    assert not [name for name in seen["env"] if name.startswith(("TIEOUT_", "AIRFLOW"))]


def test_a_tap_that_fails_says_why_without_its_secrets(tmp_path):
    from tieout import logs

    logs.register_secret("very-s3cret-indeed")
    died = {"lines": [schema(), record(1)], "code": 3, "stderr": "500 for very-s3cret-indeed\n"}
    with tapped(tmp_path, [died]) as tap, \
            pytest.raises(SourceError, match="ended with code 3: 500 for") as told:
        delivered(tap)
    assert "s3cret" not in str(told.value)


def test_a_tap_that_falls_silent_is_ended(tmp_path):
    with tapped(tmp_path, [{"lines": [schema()], "sleep": 60}], silence="2s") as extractor, \
            pytest.raises(SourceError, match="said nothing for 0:00:02"):
        delivered(extractor)


def test_a_program_that_is_not_there_is_named():
    with SingerExtractor(shop(command="tap-nowhere --fast", discover=False), {}) as extractor, \
            pytest.raises(ConfigError, match="tap-nowhere cannot be started"):
        delivered(extractor)


def test_the_catalog_selects_what_is_declared(tmp_path):
    entry = {"schema": {}, "metadata": [{"breadcrumb": ["properties", "net"], "metadata": {"inclusion": "available"}}]}
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": [
        {"stream": "orders", **entry}, {"stream": "others", **entry}]}))
    with tapped(tmp_path, [[schema(), state({})]], discover=True) as extractor:
        delivered(extractor)
    streams = asked(tmp_path)[0]["catalog"]["streams"]
    assert [one["selected"] for one in streams] == [True, False]
    assert streams[0]["metadata"][0]["metadata"]["selected"] is True
    (tmp_path / "catalog.json").write_text('{"streams": []}')
    with tapped(tmp_path, [[schema()]], discover=True) as extractor, \
            pytest.raises(SourceError, match="the tap offers no stream orders"):
        delivered(extractor)


def test_a_deletion_that_nobody_hears_is_refused():
    told = schema(properties={"id": {}, "net": {}, "day": {}, "_sdc_deleted_at": {}})
    with fed([told]) as extractor, pytest.raises(SchemaError, match="nobody listens"):
        delivered(extractor)


def test_marks_are_what_is_declared():
    columns = {**ORDERS["columns"], "gone": {"type": "boolean", "field": "$deleted"},
               "digest": {"type": "text", "field": "$digest"}, "read": {"type": "timestamp", "field": "$extracted_at"}}
    marked = shop({"orders": {**ORDERS, "columns": columns, "deletes": {"flag": "gone"}}})
    told = record(1, _sdc_deleted_at="2026-03-02T00:00:00Z") | {"time_extracted": "2026-03-03T00:00:00Z"}
    with fed([schema(), record(1), record(1), told, state({})], marked) as extractor:
        (page,) = delivered(extractor).pages()
    one, two, three = msgspec.json.decode(page.body)
    assert [each["$deleted"] for each in (one, two, three)] == [False, False, True]
    assert two["$digest"] == f"{one['$digest']}-2" and three["$extracted_at"] == "2026-03-03T00:00:00Z"
    odd = shop({"orders": {**ORDERS, "columns": {**ORDERS["columns"], "x": {"type": "text", "field": "$file"}}}})
    with pytest.raises(ConfigError, match=r"no field \$file"), fed([schema()], odd) as extractor:
        delivered(extractor)


@pytest.mark.parametrize(("broken", "says"), [
    ({"kind": "sql"}, "kind: one of dlt, singer"),
    ({"kind": "singer", "protocol": "rest"}, "protocol: kind singer is protocol singer"),
    ({"kind": "singer", "options": {"command": ""}}, "options: command required by generic"),
    ({"kind": "singer", "options": {"command": "t", "silence": "long"}}, "options.silence: "),
    ({"kind": "singer", "options": {"command": "t", "source": "x"}}, "options: unknown"),
    ({"kind": "dlt", "options": {"source": "no colon"}}, "options.source: String should match"),
    ({"kind": "singer", "options": {"command": "t"}, "streams": {"orders": {**ORDERS, "deletes": {"sweep": True}}}},
     "streams.orders.deletes: the program decides what it reads"),
    ({"kind": "singer", "options": {"command": "t"}, "streams": {"orders": {**ORDERS, "options": {"files": "x"}}}},
     "streams.orders.options.files: Extra inputs are not permitted"),
])
def test_mistakes_are_errors_at_their_line(tmp_path, broken, says):
    from tieout.spec import load_company

    told = {"role": "crm", "time_zone": "UTC", "streams": {"orders": ORDERS}, **broken}
    (tmp_path / "tieout.yml").write_text(json.dumps({"version": 1, "connections": {"shop": told}}))
    with pytest.raises(ConfigError) as error:
        load_company(tmp_path / "tieout.yml")
    assert says in str(error.value)


def test_secrets_are_those_that_the_configuration_names(monkeypatch):
    from tieout.secrets import secrets_for

    monkeypatch.setenv("TIEOUT_SECRET_SHOP__TOKEN", "abcdefgh-token")
    made = shop(config={"auth": [{"token": {"secret": "token"}}], "url": "https://example.org"})
    extractor = SingerExtractor(made, secrets_for(made))
    assert extractor._config == {"auth": [{"token": "abcdefgh-token"}], "url": "https://example.org"}


def test_a_tap_s_records_reach_the_contracts_by_the_mapping_alone(tmp_path):
    """What the generic family understands of a mapping, it understands of a tap's streams."""
    from tieout import sampling
    from tieout.transform.inputs import describe

    invoices = {**ORDERS, "columns": {**ORDERS["columns"], "kind": {"type": "text", "optional": True}}, "contracts": {
        "revenue_events": {"columns": {
            "document_type": {"column": "kind", "map": {"INV": "invoice", "CRN": "credit_memo"}},
            "document_id": "id", "line_id": "id", "event_type": {"constant": "billing"},
            "net_amount": {"column": "net", "negative_when": {"kind": "CRN"}}}}}}
    properties = {"id": {}, "net": {}, "day": {}, "kind": {}}
    script(tmp_path, [[schema(properties=properties), record(1, "10.50", kind="INV"), record(2, 3, kind="CRN")]])
    made = Company.model_validate({"version": 1, "connections": {"shop": {
        "kind": "singer", "role": "erp", "time_zone": "UTC", "streams": {"orders": invoices},
        "options": {"command": [sys.executable, str(TAP)], "discover": False, "config": {"folder": str(tmp_path)}}}}})
    (found,) = sampling.look(made.connection("shop"), 10).contracts
    assert [str(amount.normalize()) for amount in found.totals.values()] == ["7.5"]
    (told,) = describe(made)["connections"]
    assert (told["system"], [one["contract"] for one in told["contracts"]]) == ("generic", ["revenue_events"])


def test_the_examples_of_the_page_are_what_tieout_reads(tmp_path):
    import re

    from tests.conftest import ROOT
    from tieout.spec import load_company

    page = (ROOT / "docs" / "dlt-and-singer.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "tieout.yml").write_text("version: 1\n" + "".join(blocks), encoding="utf-8")
    found = load_company(tmp_path / "tieout.yml")
    assert {name: one.protocol for name, one in found.connections.items()} == {"shop": "singer", "desk": "dlt"}
    assert found.connection("shop").source.secrets == {"none": ("api_key",)}
    assert found.connection("desk").source.secrets == {"none": ("token",)}


def test_what_a_killed_run_left_is_removed_by_the_next_and_nothing_that_lives(monkeypatch, tmp_path):
    import os
    import subprocess
    import tempfile

    from tieout.extract.private_folder import PrivateFolder

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = ("import os, signal\nfrom tieout.extract.private_folder import PrivateFolder\nfolder = PrivateFolder()\n"
               "(folder.path / 'config.json').write_text('secret')\nprint(folder.path, flush=True)\n"
               "os.kill(os.getpid(), signal.SIGKILL)")
    killed = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": "plugins", "TMPDIR": str(tmp_path)},
                            capture_output=True, text=True, check=False)
    left = Path(killed.stdout.strip())
    assert (left / "config.json").exists()
    lives = PrivateFolder()
    assert left.exists(), "too young to be sure"
    for folder in (left, lives.path):
        os.utime(folder, (0, 0))
    other = PrivateFolder()
    assert not left.exists() and lives.path.is_dir()
    lives.close()
    other.close()
    assert not [*tmp_path.iterdir()]
