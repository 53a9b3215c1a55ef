"""Singer taps: what they send lands once, their state counts only with it, and what they break is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.integration import doors
from tests.integration.doors import ORDERS, activate, asked, record, schema, script, state, tapped
from tests.integration.own_system import current, figures, land, rows
from tieout.errors import LandingError, SchemaError, SourceError
from tieout.landing import land as landing

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")
LINES = {**ORDERS, "columns": {**ORDERS["columns"], "note": {"type": "text", "optional": True}}}


def nets() -> list[tuple[int, str]]:
    return [(key, str(net)) for key, net in current("door__orders", "id", "net")]


def states() -> list[str]:
    return [value for (value,) in rows("select value from ops.source_state order by state_id")]


def test_records_land_exactly_and_the_state_is_kept_and_given_back(tmp_path):
    exact = '{"type":"RECORD","stream":"orders","record":{"id":1,"net":0.123456789012345678,"day":"2026-03-01"}}'
    shop = tapped(tmp_path, {"orders": ORDERS}, [
        [schema(), exact, record(2, "9999999999999999.99"), state({"bookmarks": {"orders": {"at": 1.5}}})],
        [schema(), record(2, 7), state({"bookmarks": {"orders": {"at": 2}}})]])
    assert figures(land(shop)["orders"]) == (2, 2, 0, 0, 0)
    assert nets() == [(1, "0.123456789012345678"), (2, "9999999999999999.99")]
    assert figures(land(shop)["orders"]) == (1, 1, 0, 0, 0)
    assert [one["state"] for one in asked(tmp_path)] == [None, {"bookmarks": {"orders": {"at": 1.5}}}]
    assert [json.loads(value) for value in states()] == [
        {"bookmarks": {"orders": {"at": 1.5}}}, {"bookmarks": {"orders": {"at": 2}}}]


def test_without_news_the_run_still_counts_and_no_state_is_added(tmp_path):
    shop = tapped(tmp_path, {"orders": ORDERS}, [[schema(), record(1), state({"a": 1})], [schema(), state({"a": 1})]])
    land(shop)
    first = land(shop)["orders"]
    assert figures(first) == (0, 0, 0, 0, 0) and first.window_end is not None
    assert states() == ['{"a": 1}']


def test_a_crash_between_load_and_state_loses_nothing_and_brings_nothing_twice(tmp_path, monkeypatch):
    streams = {"orders": ORDERS, "refunds": ORDERS}
    run = [schema(), record(1), record(2), schema("refunds"), record(9, stream="refunds"), state({"a": 1})]
    shop = tapped(tmp_path, streams, [run])

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    real, calls = landing.statebook.follow, []

    def follow(*arguments: object) -> None:
        calls.append(arguments)
        (real if len(calls) == 1 else crash)(*arguments)

    monkeypatch.setattr(landing.statebook, "follow", follow)
    with pytest.raises(KeyboardInterrupt):
        land(shop)
    assert len(current("door__orders", "id")) == 2, "the first stream is committed"
    assert not current("door__refunds", "id") and not states()
    monkeypatch.setattr(landing.statebook, "follow", real)
    found = land(shop)
    assert [one["state"] for one in asked(tmp_path)] == [None, None], "it begins where the run before began"
    assert figures(found["orders"]) == (2, 0, 2, 0, 0)
    assert figures(found["refunds"]) == (1, 1, 0, 0, 0)
    assert states() == ['{"a": 1}']


def test_a_tap_that_dies_lands_what_it_vouched_for_and_goes_on_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TIEOUT_SECRET_DOOR__API_KEY", "s3cret-enough-to-see")
    died = {"lines": [schema(), record(1), state({"at": 1}), record(2)], "code": 3,
            "stderr": "Traceback\nHTTPError: 500 for key s3cret-enough-to-see\n"}
    shop = tapped(tmp_path, {"orders": ORDERS}, [died, [schema(), record(2), state({"at": 2})]],
                  config={"key": {"secret": "api_key"}})
    from tieout.secrets import secrets_for

    with pytest.raises(SourceError, match="ended with code 3: Traceback") as told:
        land(shop, secrets=secrets_for(shop))
    assert "s3cret" not in str(told.value)
    assert nets() == [(1, "1")], "record 2 was not vouched for"
    assert rows("select window_end from ops.load") == [(None,)], "it is no proof of being complete"
    land(shop, secrets=secrets_for(shop))
    assert nets() == [(1, "1"), (2, "1")]
    assert [one["state"] for one in asked(tmp_path)] == [None, {"at": 1}]
    seen = asked(tmp_path)[0]
    assert seen["config"]["key"] == "s3cret-enough-to-see" and seen["mode"] == "0o600"
    assert not Path(seen["path"]).parent.exists(), "the configuration is gone"
    assert not [name for name in seen["env"] if name.startswith(("TIEOUT_", "AIRFLOW"))]


def test_a_tap_that_dies_before_any_state_lands_nothing(tmp_path):
    shop = tapped(tmp_path, {"orders": ORDERS}, [{"lines": [schema(), record(1)], "code": 1, "stderr": "no route\n"}])
    with pytest.raises(SourceError, match="no route"):
        land(shop)
    assert not rows("select 1 from ops.load") and not states()


def test_a_tap_that_falls_silent_is_ended(tmp_path):
    shop = tapped(tmp_path, {"orders": ORDERS}, [{"lines": [schema()], "sleep": 60}], silence="2s")
    with pytest.raises(SourceError, match="said nothing for 0:00:02"):
        land(shop)


def test_a_line_that_is_no_message_is_loud_and_what_came_before_the_state_lands(tmp_path):
    shop = tapped(tmp_path, {"orders": ORDERS}, [
        [schema(), record(1), state({"a": 1}), '{"type": "RECORD", "stream": "orders", "record": {"id": 2', record(3)]])
    with pytest.raises(SourceError, match="line 4 of the tap is no message"):
        land(shop)
    assert nets() == [(1, "1")] and states() == ['{"a": 1}']


def test_a_value_that_does_not_fit_is_quarantined_and_a_nul_is_one(tmp_path):
    shop = tapped(tmp_path, {"orders": LINES}, [[
        schema(properties={**doors.PROPERTIES, "note": {}}), record(1, "many"), record(2, note="a\0b"), record(3),
        {"type": "RECORD", "stream": "orders", "record": {"net": 5}}, state({})]])
    assert figures(land(shop)["orders"]) == (4, 1, 0, 3, 0)
    assert sorted(code for (code,) in rows("select reason_code from ops.quarantine")) == [
        "missing_key", "nul_in_text", "type_error"]


def test_of_several_words_on_a_key_in_one_run_the_last_counts(tmp_path):
    from tieout.landing.land import reland

    run = [schema(), record(1, 1), record(1, 2), record(2), record(1, 3), state({})]
    shop = tapped(tmp_path, {"orders": ORDERS}, [run, run])
    assert figures(land(shop)["orders"]) == (4, 2, 2, 0, 0), "no doubt, and nothing for the quarantine"
    assert nets() == [(1, "3"), (2, "1")]
    assert figures(land(shop)["orders"]) == (4, 0, 4, 0, 0)
    (batch,) = rows("select batch_id from ops.load order by batch_id limit 1")[0]
    (again,) = reland(shop, [batch])
    assert again.quarantined == 0 and nets() == [(1, "3"), (2, "1")]


def test_a_schema_that_changes_in_mid_stream_keeps_what_is_new_and_refuses_what_is_lost(tmp_path):
    wider = {**doors.PROPERTIES, "colour": {"type": "string"}}
    shop = tapped(tmp_path, {"orders": ORDERS}, [
        [schema(), record(1), schema(properties=wider), record(2, colour="red"), state({"a": 1})],
        [schema(), record(3), state({"a": 2}), schema(properties={"id": {}, "day": {}}), record(4), state({"a": 3})]])
    found = land(shop)["orders"]
    assert figures(found) == (2, 2, 0, 0, 0) and found.drift["new_fields"] == ["colour"]
    assert rows("select _extra ->> 'colour' from raw.door__orders where id = 2") == [("red",)]
    with pytest.raises(SchemaError, match="no longer sends net"):
        land(shop)
    assert [key for key, _ in nets()] == [1, 2, 3] and states() == ['{"a": 1}', '{"a": 2}']


def test_another_key_is_refused(tmp_path):
    shop = tapped(tmp_path, {"orders": ORDERS}, [[schema(key=["number"]), record(1), state({})]])
    with pytest.raises(SchemaError, match="the tap's key is number, declared is id"):
        land(shop)


def test_a_stream_that_nobody_declared_is_refused_unless_it_is_named(tmp_path):
    run = [schema("others"), record(1, stream="others"), schema(), record(1), state({})]
    with pytest.raises(SchemaError, match="'others', which is not declared"):
        land(tapped(tmp_path, {"orders": ORDERS}, [run]))
    assert figures(land(tapped(tmp_path, {"orders": ORDERS}, [run], ignore=["others"]))["orders"]) == (1, 1, 0, 0, 0)


def test_a_stream_that_is_declared_later_gets_its_history(tmp_path):
    first = [schema(), record(1), state({"a": 1})]
    land(tapped(tmp_path, {"orders": ORDERS}, [first]))
    both = tapped(tmp_path, {"orders": ORDERS, "refunds": ORDERS}, [
        [schema(), record(1), schema("refunds"), record(5, stream="refunds"), state({"a": 2})]])
    found = land(both)
    assert asked(tmp_path)[0]["state"] is None
    assert figures(found["orders"]) == (1, 0, 1, 0, 0) and figures(found["refunds"]) == (1, 1, 0, 0, 0)


def test_an_activated_version_deletes_what_it_lacks_and_the_same_one_again_does_not(tmp_path):
    ten = [record(n, version=1) for n in range(10)]
    nine = [record(n, version=2) for n in range(9)]
    shop = tapped(tmp_path, {"orders": ORDERS}, [
        [schema(), *ten, activate(1), state({"a": 1})], [schema(), *nine, activate(2), state({"a": 2})],
        [schema(), record(3, 5, version=2), activate(2), state({"a": 3})]])
    land(shop)
    assert figures(land(shop)["orders"]) == (9, 0, 9, 0, 1)
    assert figures(land(shop)["orders"]) == (1, 1, 0, 0, 0), "a change of the version that counts"
    assert len(nets()) == 9


def test_a_version_that_began_in_an_earlier_run_deletes_nothing_and_the_next_run_begins_anew(tmp_path):
    died = {"lines": [schema(), *[record(n, version=2) for n in range(5)], state({"at": 5})], "code": 1}
    shop = tapped(tmp_path, {"orders": ORDERS}, [
        [schema(), *[record(n, version=1) for n in range(10)], activate(1), state({})], died,
        [schema(), *[record(n, version=2) for n in range(5, 9)], activate(2), state({"at": 9})],
        [schema(), *[record(n, version=3) for n in range(9)], activate(3), state({"at": 10})]])
    land(shop)
    with pytest.raises(SourceError):
        land(shop)
    assert figures(land(shop)["orders"]) == (4, 0, 4, 0, 0)
    assert len(nets()) == 10
    assert figures(land(shop)["orders"]) == (9, 0, 9, 0, 1)
    assert [one["state"] for one in asked(tmp_path)] == [None, {}, {"at": 5}, None]


def test_an_activated_version_that_is_much_smaller_is_refused(tmp_path):
    from tieout.errors import ReloadGuardError

    shop = tapped(tmp_path, {"orders": ORDERS}, [
        [schema(), *[record(n, version=1) for n in range(10)], activate(1), state({"a": 1})],
        [schema(), record(1, version=2), activate(2), state({"a": 2})]])
    land(shop)
    with pytest.raises(ReloadGuardError):
        land(shop)
    assert len(nets()) == 10 and states() == ['{"a": 1}']


def test_a_deletion_in_the_record_is_heard_and_must_be(tmp_path):
    told = {**doors.PROPERTIES, "_sdc_deleted_at": {}}
    run = [schema(properties=told), record(1), record(2), record(2, _sdc_deleted_at="2026-03-02T00:00:00Z"), state({})]
    with pytest.raises(SchemaError, match="nobody listens"):
        land(tapped(tmp_path, {"orders": ORDERS}, [run]))
    hearing = {**ORDERS, "deletes": {"flag": "gone"},
               "columns": {**ORDERS["columns"], "gone": {"type": "boolean", "field": "$deleted"}}}
    land(tapped(tmp_path, {"orders": hearing}, [run]))
    assert nets() == [(1, "1")]


def test_records_without_a_key_are_told_apart_by_what_they_say(tmp_path):
    digest = {"type": "text", "field": "$digest"}
    events = {**ORDERS, "key": ["digest"], "columns": {**ORDERS["columns"], "digest": digest}}
    run = [schema(key=[]), record(1), record(1), record(2), state({"a": 1})]
    shop = tapped(tmp_path, {"orders": events}, [run, run])
    assert figures(land(shop)["orders"]) == (3, 3, 0, 0, 0), "two equal events of a run are two"
    assert figures(land(shop)["orders"]) == (3, 0, 3, 0, 0), "the same run again is not"


def test_a_complete_set_is_asked_for_without_its_bookmark_and_deletes_what_it_lacks(tmp_path):
    full = {"orders": {**ORDERS, "mode": "full"}, "refunds": ORDERS}
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": [
        {"tap_stream_id": name, "stream": name, "schema": {}, "metadata": [
            {"breadcrumb": [], "metadata": {"inclusion": "available"}},
            {"breadcrumb": ["properties", "net"], "metadata": {"inclusion": "available"}}]}
        for name in ("orders", "refunds", "others")]}))
    ten = [schema(), *[record(n) for n in range(10)], schema("refunds")]
    marks = {"bookmarks": {"orders": {"at": 1}, "refunds": {"at": 2}}}
    shop = tapped(tmp_path, full, [[*ten, state(marks)], [*ten[:-2], schema("refunds"), state(marks)]], discover=True)
    land(shop)
    assert figures(land(shop)["orders"]) == (9, 0, 9, 0, 1)
    seen = asked(tmp_path)[1]
    assert seen["state"] == {"bookmarks": {"refunds": {"at": 2}}}
    by_name = {one["stream"]: one for one in seen["catalog"]["streams"]}
    assert [name for name, one in by_name.items() if one["selected"]] == ["orders", "refunds"]
    assert by_name["orders"]["replication_method"] == "FULL_TABLE"
    assert by_name["orders"]["metadata"][1]["metadata"]["selected"] is True
    assert "replication_method" not in by_name["refunds"]


def test_nested_lists_are_lines_that_come_and_go_with_their_record(tmp_path):
    lines = {"key": ["order_id", "n"], "explode": "lines", "parent": {"stream": "orders", "column": "order_id"},
             "columns": {"order_id": "text", "n": "integer"}}
    told = {**doors.PROPERTIES, "lines": {"type": "array"}}
    shop = tapped(tmp_path, {"orders": ORDERS, "lines": lines}, [
        [schema(properties=told), record(1, lines=[{"n": 1}, {"n": 2}]), record(2, lines=[{"n": 1}]), state({"a": 1})],
        [schema(properties=told), record(1, 2, lines=[{"n": 2}]), state({"a": 2})]])
    land(shop)
    land(shop)
    assert current("door__lines", "order_id", "n") == [("1", 2), ("2", 1)]
    assert len(states()) == 2


def test_a_batch_of_files_lands(tmp_path):
    packed, plain = tmp_path / "one.jsonl.gz", tmp_path / "two.jsonl"
    packed.write_bytes(gzip.compress(b'{"id": 1, "net": 1.10, "day": null}\n{"id": 2, "net": 2, "day": null}\n'))
    plain.write_text('{"id": 3, "net": 3}\n')
    shop = tapped(tmp_path, {"orders": ORDERS}, [[
        schema(), {"type": "BATCH", "stream": "orders", "encoding": {"format": "jsonl", "compression": "gzip"},
                   "manifest": [packed.as_uri()]},
        {"type": "BATCH", "stream": "orders", "encoding": {"format": "jsonl"}, "manifest": [plain.as_uri()]},
        state({})]])
    assert figures(land(shop)["orders"]) == (3, 3, 0, 0, 0)
    packed.unlink()
    with pytest.raises(SourceError, match="one.jsonl.gz cannot be read"):
        land(shop)


def test_two_runs_at_once_do_not_both_count(tmp_path):
    from tieout.extract.open import open_extractor
    from tieout.landing.windows import land_connection

    shop = tapped(tmp_path, {"orders": ORDERS}, [[schema(), record(1, 1), state({"a": 1})],
                                                 [schema(), record(1, 2), state({"a": 2})]])
    with open_extractor(shop, {}) as slow:
        slow.resume(landing.statebook.Bookmark(None, None, {}))
        slow._run(full=False)  # it has read, and not landed yet
        land(shop)
        with pytest.raises(LandingError, match="another run landed"):
            land_connection(shop, None, extractor=slow)
    assert nets() == [(1, "2")] and states() == ['{"a": 2}']


def test_full_begins_anew(tmp_path):
    shop = tapped(tmp_path, {"orders": ORDERS}, [[schema(), record(1), state({"a": 1})]])
    land(shop)
    land(shop, full=True)
    assert [one["state"] for one in asked(tmp_path)] == [None, None]


def test_a_window_of_the_past_is_refused(tmp_path):
    from tieout.errors import ConfigError
    from tieout.extract.open import open_extractor
    from tieout.landing.windows import land_connection

    shop = tapped(tmp_path, {"orders": ORDERS}, [[schema(), record(1), state({"a": 1})]])
    with open_extractor(shop, {}) as extractor, pytest.raises(ConfigError, match="land door --full"):
        land_connection(shop, None, backfill=True, extractor=extractor)
    assert not (tmp_path / "asked.jsonl").exists()


def test_a_single_stream_never_moves_the_state(tmp_path):
    from tieout.extract.open import open_extractor
    from tieout.landing.windows import land_connection

    shop = tapped(tmp_path, {"orders": ORDERS, "refunds": ORDERS}, [
        [schema(), record(1), schema("refunds"), record(2, stream="refunds"), state({"a": 1})]])
    with open_extractor(shop, {}) as extractor:
        land_connection(shop, None, streams=["orders"], extractor=extractor)
    assert len(nets()) == 1 and not states()
    script(tmp_path, [[schema(), record(1), schema("refunds"), record(2, stream="refunds"), state({"a": 1})]])
    assert figures(land(shop)["refunds"]) == (1, 1, 0, 0, 0)
    assert states() == ['{"a": 1}']


def test_the_sample_shows_what_would_land(tmp_path):
    from tieout import sampling

    shop = tapped(tmp_path, {"orders": ORDERS}, [[schema(), record(1), record(2, "x"), state({"a": 1})]])
    (found,) = sampling.look(shop, 100).streams
    assert (found.read, len(found.records), sum(found.refused.values())) == (2, 1, 1)
    assert not rows("select 1 from ops.load") and not states()
