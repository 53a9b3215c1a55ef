"""Lineage: what each step tells, that the client's own classes agree, and that no backend can hold up a run."""

from __future__ import annotations

import json
import socket
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from pytest_httpserver import HTTPServer

from tests import lineage_events
from tests.conftest import clear_settings
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout import steps
from tieout.errors import BuildError, GateError, SourceError
from tieout.landing import windows
from tieout.lineage import send
from tieout.matching import suggestions
from tieout.warehouse import connect

pytestmark = pytest.mark.usefixtures("clean_raw")
COMPANY = """\
version: 1
connections:
  erp: {system: netsuite, auth: tba, time_zone: UTC, streams: [item, customer], options: {account: "1"}}
"""


@pytest.fixture(autouse=True)
def company(warehouse, tmp_path, monkeypatch):
    (tmp_path / "tieout.yml").write_text(COMPANY, encoding="utf-8")
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    monkeypatch.setenv("TIEOUT_HOME", str(tmp_path))
    monkeypatch.setenv("TIEOUT_OPENLINEAGE_SECONDS", "0.5")
    use(monkeypatch, (tmp_path / "events.ndjson").as_uri())
    yield
    monkeypatch.undo()
    clear_settings()
    send.reset()


@pytest.fixture(autouse=True)
def nothing_to_match(monkeypatch):
    """`match` is the step that tests take which ask for any: nothing was built, and it finds nothing."""
    monkeypatch.setattr(steps, "_newest_build", lambda run_id: None)
    monkeypatch.setattr(suggestions, "refresh", lambda books, run_id: suggestions.Suggested(0, 0, 0, 0, 0))


def use(monkeypatch, url: str) -> None:
    monkeypatch.setenv("TIEOUT_OPENLINEAGE_URL", url)
    clear_settings()
    send.reset()


def told(tmp_path) -> list:
    return lineage_events.read(tmp_path / "events.ndjson")


def item(number: int, name: str = "Widget") -> dict[str, str]:
    return {"id": str(number), "itemid": name, "lastmodifieddate": "2025-02-01 00:00:00"}


@pytest.fixture
def vendor(monkeypatch):
    """Two items and a customer, or whatever a test puts here."""
    pages = {"item": [json_page("item", [item(1, "SECRET-NAME"), item(2)])],
             "customer": [json_page("customer", [{"id": "7", "lastmodifieddate": "2025-02-01 00:00:00"}])]}  # fmt: skip
    monkeypatch.setattr(windows, "_open", lambda connection: FakeExtractor(pages))
    return pages


def test_landing_tells_streams_tables_columns_and_counts(vendor, tmp_path):
    run_id = steps.land("erp").run_id
    begun, done = told(tmp_path)
    assert (begun.eventType.value, done.eventType.value) == ("START", "COMPLETE")
    assert begun.run.runId == done.run.runId and done.job.name == "land_erp.land"
    facet = done.run.facets["tieout"]
    assert (facet.run_id, facet.step, facet.attempt, facet.label, len(facet.batch_ids)) == (run_id, "land", 1, "erp", 2)
    read = {(d.namespace, d.name): d.inputFacets["inputStatistics"].rowCount for d in done.inputs}
    assert read == {("netsuite://erp", "item"): 2, ("netsuite://erp", "customer"): 1}
    wrote = {d.name.partition(".")[2]: d for d in done.outputs}
    assert set(wrote) == {"raw.netsuite__item", "raw.netsuite__customer"}
    table = wrote["raw.netsuite__item"]
    assert table.outputFacets["outputStatistics"].rowCount == 2
    assert {f.name: f.type for f in table.facets["schema"].fields}["lastmodifieddate"] == "timestamp"
    (source,) = table.facets["columnLineage"].fields["itemid"].inputFields
    assert (source.namespace, source.name, source.field) == ("netsuite://erp", "item", "itemid")


def test_no_record_and_no_error_text_is_told(vendor, tmp_path):
    vendor["item"].append(json_page("item", [item(3)]))
    vendor["customer"] = lambda *_: (_ for _ in ()).throw(SourceError("refused SECRET-NAME"))
    with pytest.raises(SourceError):
        steps.land("erp", streams=["item", "customer"])
    failed = told(tmp_path)[-1]
    assert failed.eventType.value == "FAIL"
    assert failed.run.facets["errorMessage"].message.startswith("SourceError; see ops.step of run ")
    assert "SECRET-NAME" not in (tmp_path / "events.ndjson").read_text(encoding="utf-8")


def revenue_run() -> int:
    return steps.open_run("revenue", logical_at=datetime(2026, 3, 1, tzinfo=UTC))


MANIFEST = {
    "nodes": {
        "model.t.stg": {"name": "stg", "alias": "stg", "schema": "staging", "resource_type": "model",
                        "depends_on": {"nodes": ["source.t.raw.item", "macro.t.x"]}},
        "model.t.fct": {"name": "fct", "alias": "fct_revenue", "schema": "marts", "resource_type": "model",
                        "depends_on": {"nodes": ["model.t.stg"]}},
    },
    "sources": {"source.t.raw.item": {"name": "item", "identifier": "netsuite__item", "schema": "raw",
                                      "resource_type": "source"}},
}  # fmt: skip


@pytest.mark.parametrize("status", ["success", "error"])
def test_a_build_tells_each_model(tmp_path, monkeypatch, status):
    folder, end = tmp_path / "dbt" / "target", "COMPLETE" if status == "success" else "FAIL"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")

    def run(run_id, full_refresh):
        with connect("transformer") as db:
            for node, state, rows in (("model.t.stg", "success", None), ("model.t.fct", status, 5)):
                db.execute(
                    "insert into ops.model_run (run_id, node_id, resource_type, status, seconds, rows_affected)"
                    " values (%s, %s, 'model', %s, 1, %s)", (run_id, node, state, rows))  # fmt: skip
        if status == "error":
            raise BuildError("1 models failed")
        return SimpleNamespace(models=2, rows=5, is_full=True, reason="r")

    monkeypatch.setattr("tieout.transform.build.run", run)
    if status == "success":
        steps.build(revenue_run())
    else:
        with pytest.raises(BuildError):
            steps.build(revenue_run())
    events = told(tmp_path)
    assert [(e.job.name, e.eventType.value) for e in events] == [
        ("revenue.build", "START"), ("revenue.build.stg", "START"), ("revenue.build.stg", "COMPLETE"),
        ("revenue.build.fct", "START"), ("revenue.build.fct", end), ("revenue.build", end)]  # fmt: skip
    by_name = {e.job.name: e for e in events}
    assert [d.name for d in by_name["revenue.build.stg"].inputs] == ["tieout.raw.netsuite__item"]
    assert [d.name for d in by_name["revenue.build.fct"].inputs] == ["tieout.staging.stg"]
    (mart,) = by_name["revenue.build.fct"].outputs
    assert (mart.name, mart.outputFacets["outputStatistics"].rowCount) == ("tieout.marts.fct_revenue", 5)
    whole = events[-1]
    assert [d.name for d in whole.inputs] == ["tieout.raw.netsuite__item"]
    assert [d.name for d in whole.outputs] == ["tieout.marts.fct_revenue"]
    assert by_name["revenue.build.stg"].run.facets["parent"].run.runId == whole.run.runId


def test_a_gate_tells_its_assertions_and_no_observed_value(tmp_path, monkeypatch):
    run_id = steps.open_run("land", "erp")

    def check(stage, run):
        with connect("transformer") as db:
            db.execute("insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed, observed,"
                       " failed_rows) values (%s, 'landing', 'ops.load', 'key_present', 'critical', false,"
                       " 'SECRET-NAME', 3)", (run,))  # fmt: skip
        failures = (SimpleNamespace(suite="ops.load", expectation="key_present"),)
        return SimpleNamespace(passed=False, failures=failures, warnings=(), evaluated=1, declared=1, docs="d")

    monkeypatch.setattr("tieout.quality.gate.check", check)
    with pytest.raises(GateError):
        steps.check("landing", run_id)
    failed = told(tmp_path)[-1]
    (table,) = failed.inputs
    (check_,) = table.inputFacets["dataQualityAssertions"].assertions
    assert (failed.eventType.value, table.name) == ("FAIL", "tieout.ops.load")
    assert (check_.assertion, check_.success, check_.severity) == ("key_present", False, "error")
    assert check_.actual == "3 rows"
    assert "SECRET-NAME" not in (tmp_path / "events.ndjson").read_text(encoding="utf-8")


def test_a_repeated_step_is_another_run_of_the_same_parent(tmp_path):
    run_id = revenue_run()
    steps.match(run_id)
    steps.match(run_id)
    first, _, second, _ = told(tmp_path)
    assert first.run.runId != second.run.runId
    assert first.run.facets["parent"].run.runId == second.run.facets["parent"].run.runId


def test_the_round_trip_can_fail(tmp_path):
    steps.match(revenue_run())
    path = tmp_path / "events.ndjson"
    event = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    for broken in (
        {**event, "eventType": "BEGUN"}, {**event, "color": "red"}, {k: event[k] for k in event if k != "job"},
        {**event, "run": {**event["run"], "runId": "seven"}},
    ):  # fmt: skip
        path.write_text(json.dumps(broken) + "\n", encoding="utf-8")
        with pytest.raises((TypeError, ValueError)):
            lineage_events.read(path)


def test_events_reach_a_backend_with_its_key(httpserver: HTTPServer, monkeypatch):
    key = {"Authorization": "Bearer key-of-lineage"}
    httpserver.expect_request("/api/v1/lineage", headers=key).respond_with_data("")
    monkeypatch.setenv("TIEOUT_OPENLINEAGE_API_KEY", "key-of-lineage")
    use(monkeypatch, httpserver.url_for("/"))
    steps.match(revenue_run())
    assert [json.loads(request.data)["eventType"] for request, _ in httpserver.log] == ["START", "COMPLETE"]
    httpserver.check_assertions()


def refused() -> tuple[str, None]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}", None


def hanging() -> tuple[str, socket.socket]:
    """Takes connections and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    return f"http://127.0.0.1:{server.getsockname()[1]}", server


@pytest.mark.parametrize("backend", [refused, hanging], ids=["dead", "hanging"])
def test_a_backend_that_is_away_neither_fails_nor_holds_up_a_run(backend, monkeypatch, caplog):
    url, server = backend()
    use(monkeypatch, url)
    begun = time.monotonic()
    for _ in range(5):
        steps.match(revenue_run())
    took = time.monotonic() - begun
    if server:
        server.close()
    assert took < 0.5 + 4, "one wait in all, not one for each event"
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("tieout.lineage")]
    assert len(warnings) == 1 and warnings[0].startswith("the lineage backend failed")
    with connect("loader") as db:
        assert db.execute("select count(*), bool_and(state = 'succeeded') from ops.step").fetchone() == (5, True)


def test_a_backend_that_refuses_is_told_nothing_more(httpserver: HTTPServer, monkeypatch, caplog):
    httpserver.expect_request("/api/v1/lineage").respond_with_data("no", status=500)
    use(monkeypatch, httpserver.url_for("/"))
    for _ in range(3):
        steps.match(revenue_run())
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("url", ["ftp://x", "nonsense"])
def test_an_address_that_cannot_work_is_a_warning(monkeypatch, caplog, url):
    use(monkeypatch, url)
    steps.match(revenue_run())
    assert "neither http(s)://" in caplog.text


def test_off_means_off(monkeypatch):
    """By default nothing is built, imported or asked of the books."""
    monkeypatch.delenv("TIEOUT_OPENLINEAGE_URL")
    clear_settings()
    monkeypatch.setattr(send, "send", lambda events: pytest.fail("something was sent"))
    monkeypatch.setattr(send, "is_away", lambda: pytest.fail("something was asked"))
    steps.match(revenue_run())


def test_console_is_a_log_line(monkeypatch, caplog):
    use(monkeypatch, "console")
    steps.match(revenue_run())
    lines = [r.getMessage() for r in caplog.records if r.name == "openlineage.client.transport.console"]
    assert [json.loads(line)["eventType"] for line in lines] == ["START", "COMPLETE"]
