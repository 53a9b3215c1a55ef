"""Suites are read strictly: whatever Great Expectations would drop or ignore is an error with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tieout.errors import ConfigError
from tieout.quality import engine, statements, suites

GOOD = """\
table: marts.fct_revenue
stage: marts
key: [event_key]
expectations:
  - id: key_unique
    type: expect_column_values_to_be_unique
    kwargs: {column: event_key}
"""


def _write(folder: Path, text: str, name: str = "a.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sound_file_is_read(tmp_path):
    _write(tmp_path, GOOD)
    (suite,) = suites.load(tmp_path)
    assert (suite.table, suite.stage, suite.key, [e.id for e in suite.expectations]) == (
        "marts.fct_revenue", "marts", ("event_key",), ["key_unique"])
    assert suite.expectations[0].spec.severity == "critical"
    engine.verify([suite])


@pytest.mark.parametrize(("line", "replacement", "said"), [
    ("stage: marts", "stage: mart", "a.yml:2: stage"),
    ("key: [event_key]", "keys: [event_key]", "a.yml:3: keys: Extra inputs"),
    ("    type: expect_column_values_to_be_unique", "    typ: x", "type: Field required"),
    ("    kwargs: {column: event_key}", "    serverity: warning", "a.yml:7"),
    ("    kwargs: {column: event_key}", "    severity: high", "a.yml:7"),
    ("    kwargs: {column: event_key}", "    statement: select 1", "takes no 'statement'"),
    ("table: marts.fct_revenue", "table: marts.fct_revenue; drop table x", "a.yml:1: table"),
    ("stage: marts", "stage: landing", "a.yml:2: marts.fct_revenue does not exist yet"),
])
def test_a_wrong_word_names_file_and_line(tmp_path, line, replacement, said):
    assert line in GOOD
    _write(tmp_path, GOOD.replace(line, replacement))
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        suites.load(tmp_path)


@pytest.mark.parametrize(("line", "replacement", "said"), [
    ("expect_column_values_to_be_unique", "expect_column_values_to_be_uniqe", "a.yml:5: key_unique: .* no type"),
    ("{column: event_key}", "{colum: event_key}", "a.yml:5: key_unique: .* takes no colum"),
    ("{column: event_key}", "{}", "a.yml:5: key_unique"),
    ("{column: event_key}", "{column: event_key, mostly: 7}", "a.yml:5: key_unique"),
])
def test_what_great_expectations_would_drop_is_an_error(tmp_path, line, replacement, said):
    _write(tmp_path, GOOD.replace(line, replacement))
    declared = suites.load(tmp_path)
    with pytest.raises(ConfigError, match=said):
        engine.verify(declared)


def test_no_expectations_is_an_error(tmp_path):
    _write(tmp_path, "table: marts.fct_revenue\nstage: marts\nexpectations: []\n")
    with pytest.raises(ConfigError, match="a.yml:3: expectations"):
        suites.load(tmp_path)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="holds no suite"):
        suites.load(tmp_path)


def test_a_stage_without_suites_is_an_error(tmp_path):
    _write(tmp_path, GOOD)
    with pytest.raises(ConfigError, match="nothing for stage landing"):
        suites.load(tmp_path, "landing")


def test_a_duplicate_id_is_an_error_in_one_file_and_over_files(tmp_path):
    again = "  - {id: key_unique, type: expect_column_to_exist, kwargs: {column: event_key}}\n"
    path = _write(tmp_path, GOOD + again)
    with pytest.raises(ConfigError, match=r"a.yml:8: id 'key_unique' is used twice; first at .*a.yml:5"):
        suites.load(tmp_path)
    path.write_text(GOOD, encoding="utf-8")
    _write(tmp_path, GOOD, "b.yml")
    with pytest.raises(ConfigError, match=r"b.yml:5: id 'key_unique' is used for marts.fct_revenue at .*a.yml:5 too"):
        suites.load(tmp_path)


def test_files_about_one_table_make_one_suite(tmp_path):
    _write(tmp_path, GOOD)
    _write(tmp_path, GOOD.replace("key_unique", "key_unique_again"), "b.yml")
    (suite,) = suites.load(tmp_path)
    assert [check.id for check in suite.expectations] == ["key_unique", "key_unique_again"]


SQL = """\
table: raw.netsuite__customer
stage: landing
expectations:
  - id: found
    type: tieout_sql
    statement: |
      {statement}
"""


@pytest.mark.parametrize(("statement", "said"), [
    ("select {rowz} from x", r"a.yml:6: unknown placeholder {rowz}"),
    ("select * from {seed.map_nothing} as m", "a.yml:6: 0 seeds named map_nothing"),
    ("select email from {rows} as r", "a.yml:4: email of raw.netsuite__customer is personal data"),
])
def test_a_statement_is_verified(tmp_path, statement, said):
    _write(tmp_path, SQL.replace("{statement}", statement))
    with pytest.raises(ConfigError, match=said):
        suites.load(tmp_path)


def test_personal_data_is_no_key(tmp_path):
    _write(tmp_path, SQL.replace("{statement}", "select 1").replace("stage:", "key: [phone]\nstage:"))
    with pytest.raises(ConfigError, match="a.yml:2: phone of raw.netsuite__customer is personal data"):
        suites.load(tmp_path)


def test_block_when_is_a_share_per_group():
    rule = suites.BlockWhen(amount="broken", of="whole", by=("hop", "period"), above_pct=5)
    assert " ".join(statements.template(None, rule).split()) == (
        "select hop, period, sum(broken) as amount, sum(whole) as whole from {rows} as r "
        "group by hop, period having sum(broken) * 100 > 5 * sum(whole)")


def test_block_when_reads_a_setting_by_name():
    rule = suites.BlockWhen(amount="broken", of="whole", above_pct="broken_amount_block_pct")
    assert "* 100 > 100 *" in statements.template(None, rule)
    with pytest.raises(ConfigError, match="neither a number nor a setting"):
        statements.template(None, rule.model_copy(update={"above_pct": "home"}))


def test_rows_under_check():
    assert statements.rows("raw.t", 3) == "select * from raw.t where _superseded_batch is null and not _is_deleted"
    assert statements.rows("marts.t", 3) == "select * from marts.t where recorded_run <= 3 and superseded_run > 3"
    assert "run_id = 3" in statements.rows("ops.load", 3)


def test_the_shipped_suites_are_sound(root):
    declared = suites.load(root / "expectations")
    assert len(declared) > 30
    engine.verify(declared)
