"""The gate on a real warehouse: what it covers, what it counts, what it keeps as evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.controls import synthetic
from tieout import settings
from tieout.errors import ConfigError
from tieout.quality import docs, engine, gate
from tieout.warehouse import connect


@pytest.fixture(scope="module")
def miniature() -> Iterator[None]:
    with synthetic.own_warehouse():
        with connect("owner") as connection:
            synthetic.unconstrain(connection)
            synthetic.fill_ops(connection)
            synthetic.fill_raw(connection)
        with connect("transformer") as connection:
            synthetic.create_marts(connection)
            synthetic.fill_marts(connection)
        yield


@pytest.fixture
def planted(miniature):
    """Run SQL as owner or transformer, and its undoing afterwards."""
    undo: list[tuple[str, str]] = []

    def run(role: str, sql: str, back: str) -> None:
        undo.append((role, back))
        with connect(role) as connection:
            assert connection.execute(sql).rowcount != 0, "the fault changes nothing"  # -1 for DDL

    yield run
    for role, back in undo:
        with connect(role) as connection:
            connection.execute(back)


def _stored(stage: str) -> list[tuple]:
    with connect("publisher") as connection:
        return connection.execute(
            "select suite, expectation, severity, passed, observed, failed_rows, sample_keys, statement "
            "from ops.gate_result where run_id = %s and stage = %s", (synthetic.RUN, stage)).fetchall()


def test_a_sound_candidate_passes_and_every_expectation_is_evaluated(miniature):
    verdict = gate.check("marts", synthetic.RUN)
    assert verdict.passed
    assert verdict.failures == verdict.warnings == ()
    assert verdict.evaluated == verdict.declared > 40
    assert len(_stored("marts")) == verdict.declared + 1  # and the gate's own row
    assert (verdict.docs / "index.html").is_file()


def test_a_critical_failure_blocks_and_keeps_keys_as_evidence(planted):
    planted("transformer", "update marts.fct_revenue set total_amount = 0 where document_id = '20'",
            "update marts.fct_revenue set total_amount = 110 where document_id = '20'")
    verdict = gate.check("marts", synthetic.RUN)
    assert not verdict.passed
    assert [failure.expectation for failure in verdict.failures] == ["total_is_net_and_tax"]
    (row,) = [row for row in _stored("marts") if not row[3]]
    assert row[:3] == ("marts.fct_revenue", "total_is_net_and_tax", "critical")
    assert row[5] == 1
    assert row[6][0]["document_id"] == "20"
    assert "net_amount" in row[7]
    assert "total_is_net_and_tax" in str(verdict)


def test_a_warning_alerts_and_does_not_block(planted):
    planted("owner", "update raw.salesforce__opportunity set amount = null",
            "update raw.salesforce__opportunity set amount = 100")
    verdict = gate.check("landing", synthetic.RUN)
    assert verdict.passed
    assert [warning.expectation for warning in verdict.warnings] == ["won_has_amount"]


def test_samples_hold_keys_only(planted):
    planted("owner", "update raw.netsuite__transaction set trandate = null, memo = 'call 0171 555'",
            "update raw.netsuite__transaction set trandate = '2026-05-04', memo = null")
    verdict = gate.check("landing", synthetic.RUN)
    (failure,) = verdict.failures
    assert failure.sample_keys[0] == {"_connection": "netsuite", "_key": "10"}
    assert "0171" not in json.dumps([row[6] for row in _stored("landing")])


def test_a_repeated_check_replaces_its_results(miniature):
    for _ in range(2):
        verdict = gate.check("landing", synthetic.RUN)
    assert len(_stored("landing")) == verdict.declared + 1


def test_landing_checks_what_was_loaded_and_says_what_it_skipped(miniature):
    verdict = gate.check("landing", synthetic.RUN)
    checked = {result.suite for result in verdict.results}
    assert {"raw.netsuite__transaction", "raw.salesforce__opportunity", "ops.load"} <= checked
    skipped = dict(verdict.skipped)
    assert skipped["raw.netsuite__item"] == "not loaded since the last build"
    assert not checked & set(skipped)


def test_landing_checks_everything_when_nothing_was_loaded(planted):
    planted("owner", "update ops.load set run_id = null", "update ops.load set run_id = 1")
    planted("owner", "insert into ops.run (kind, label) values ('revenue', 'revenue')", "select 1")
    with connect("owner") as connection:
        (later,) = connection.execute("select max(run_id) from ops.run").fetchone()
    verdict = gate.check("landing", later)
    assert verdict.skipped == ()
    assert "raw.netsuite__item" in {result.suite for result in verdict.results}


def test_what_another_run_loaded_and_checked_is_not_checked_again_unless_it_failed(planted):
    planted("owner", "insert into ops.run (kind, label) values ('land', 'land_other')", "select 1")
    planted("owner", "update ops.build_watermark set batch_id = -1", "update ops.build_watermark set batch_id = 2")
    with connect("owner") as connection:
        (later,) = connection.execute("select max(run_id) from ops.run").fetchone()
    assert gate.check("landing", synthetic.RUN).passed
    skipped = dict(gate.check("landing", later).skipped)
    assert skipped["raw.netsuite__transaction"] == f"passed in run {synthetic.RUN}, and not loaded since"
    planted("owner", "update raw.netsuite__transaction set trandate = null",
            "update raw.netsuite__transaction set trandate = '2026-05-04'")
    assert not gate.check("landing", synthetic.RUN).passed
    assert [failure.suite for failure in gate.check("landing", later).failures] == ["raw.netsuite__transaction"]


def test_an_absent_column_is_not_a_pass(planted):
    planted("owner", "alter table raw.salesforce__opportunity rename amount to amount_",
            "alter table raw.salesforce__opportunity rename amount_ to amount")
    verdict = gate.check("landing", synthetic.RUN)
    assert not verdict.passed
    assert verdict.evaluated == verdict.declared - 1
    assert {failure.expectation for failure in verdict.failures} == {"won_has_amount", gate.OWN_CHECK}
    (unrun,) = [failure for failure in verdict.failures if not failure.evaluated]
    assert unrun.severity == "warning", "even a warning that cannot be evaluated blocks"
    assert "amount" in unrun.observed


def test_an_absent_mart_fails_the_gate(planted):
    planted("transformer", "alter table marts.fin_ar_ageing rename to ageing_away",
            "alter table marts.ageing_away rename to fin_ar_ageing")
    verdict = gate.check("marts", synthetic.RUN)
    assert not verdict.passed
    assert {failure.suite for failure in verdict.failures} == {"marts.fin_ar_ageing", "gate"}


def test_a_dropped_expectation_fails_the_gate(miniature, monkeypatch):
    real = engine.evaluate
    monkeypatch.setattr(engine, "evaluate", lambda *a, **k: [r for r in real(*a, **k) if r.expectation != "key_unique"])
    verdict = gate.check("marts", synthetic.RUN)
    assert not verdict.passed
    (failure,) = verdict.failures
    assert failure.expectation == gate.OWN_CHECK
    assert {"suite": "marts.fct_revenue", "expectation": "key_unique"} in failure.sample_keys


def test_nothing_evaluated_fails_the_gate(miniature, monkeypatch):
    monkeypatch.setattr(gate, "_scope", lambda *a: ([], []))
    verdict = gate.check("marts", synthetic.RUN)
    assert not verdict.passed
    assert verdict.declared == 0


def test_a_misspelled_type_is_an_error_before_anything_runs(miniature, monkeypatch, tmp_path):
    (tmp_path / "a.yml").write_text(
        "table: marts.fct_revenue\nstage: marts\nexpectations:\n  - {id: abc, type: expect_nothing_to_be_wrong}\n")
    monkeypatch.setattr(settings.settings(), "expectations", tmp_path)
    with pytest.raises(ConfigError, match="knows no type"):
        gate.check("marts", synthetic.RUN)


def test_statements_cannot_write(miniature, monkeypatch, tmp_path):
    (tmp_path / "a.yml").write_text(
        "table: marts.fct_revenue\nstage: marts\nexpectations:\n  - id: evil\n    type: tieout_sql\n    statement: |\n"
        "      with gone as (delete from marts.fct_revenue returning event_key) select * from gone\n")
    monkeypatch.setattr(settings.settings(), "expectations", tmp_path)
    with connect("transformer") as connection:
        before = connection.execute("select count(*) from marts.fct_revenue").fetchone()
    verdict = gate.check("marts", synthetic.RUN)
    assert not verdict.passed
    with connect("transformer") as connection:
        assert connection.execute("select count(*) from marts.fct_revenue").fetchone() == before != (0,)


def test_data_docs_show_the_results_and_no_secret(planted):
    from tieout.settings import warehouse

    planted("transformer", "update marts.fct_revenue set total_amount = 0 where document_id = '20'",
            "update marts.fct_revenue set total_amount = 110 where document_id = '20'")
    place = gate.check("marts", synthetic.RUN).docs
    pages = [path.read_text(encoding="utf-8") for path in place.rglob("*.html")]
    assert len(pages) > 10
    assert any("key_unique" in page or "values must be unique" in page for page in pages)
    password = warehouse().transformer_password.get_secret_value()
    assert not [page for page in pages if password in page]
    assert (place / "static").is_symlink() and list((place / "static").rglob("*.css"))


def test_documents_are_capped(miniature, monkeypatch):
    monkeypatch.setattr(docs, "KEEP", 2)
    for run_id in (101, 102, 103):
        (docs.folder("marts", run_id) / "index.html").write_text("x")
    index = docs.close()
    assert [path.name for path in sorted(index.parent.glob("marts-*"))] == ["marts-00000102", "marts-00000103"]
    assert "marts-00000103/index.html" in index.read_text() and "00000101" not in index.read_text()
