"""A source joins by its source folder, its staging folder and one word in dbt's vars: nothing else is touched."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tieout import spec
from tieout.errors import BuildError
from tieout.quality import suites
from tieout.transform.runner import Runner

SOURCE = """\
system: acme
title: Acme
role: erp
protocol: soql
auth: [client_credentials]
secrets: {client_credentials: [client_id, client_secret]}
required: [login_url]
streams:
  Customer: {key: [id], mode: full, columns: {id: text, name: text}}
"""
SOURCES = "version: 2\nsources:\n  - {name: acme, schema: raw, tables: [{name: acme__customer}]}\n"
CUSTOMERS = "select _connection as connection, _key as customer_id, name from {{ source('acme', 'acme__customer') }}"
CONTRACTS = re.findall(r"^ {8}'(\w+)': \{", (ROOT / "dbt_project/macros/contracts.sql").read_text("utf-8"), re.M)
FEW = ("sales_by_day", "payouts", "payout_movements", "bank_deposits", "bank_deposit_lines")
BESIDES = {
    "documents_touched": "select '' as connection, '' as document_id where 1 = 0",
    "codes_unmapped": "select '' as connection, '' as code_set, '' as code_value, 0 as document_count where 1 = 0",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one more folder of staging, and one more word."""
    copy = tmp_path_factory.mktemp("joined") / "dbt_project"
    shutil.copytree(ROOT / "dbt_project", copy, ignore=shutil.ignore_patterns("target", "logs"))
    staging = copy / "models" / "staging" / "acme"
    staging.mkdir()
    (staging / "_acme__sources.yml").write_text(SOURCES, "utf-8")
    for contract in CONTRACTS:
        (staging / f"stg_acme__{contract}.sql").write_text(f"{{{{ silent('{contract}') }}}}\n", "utf-8")
    for name, statement in (*BESIDES.items(), ("customers", CUSTOMERS)):
        (staging / f"stg_acme__{name}.sql").write_text(statement, "utf-8")
    told = (copy / "dbt_project.yml").read_text("utf-8")
    few = "|".join(FEW)
    (copy / "dbt_project.yml").write_text(re.sub(rf"(systems|{few}): \[(.*)\]", r"\1: [\2, acme]", told), "utf-8")
    return copy


def manifest(project: Path, folder: Path, systems: tuple[str, ...]) -> dict:
    return {name: {"path": node["path"], "reads": node["depends_on"].get("nodes", [])}
            for name, node in Runner(project, folder, systems, 1).manifest()["nodes"].items()}


def test_its_staging_joins_every_union(project, tmp_path):
    assert len(CONTRACTS) > 10
    nodes = manifest(project, tmp_path, ("netsuite", "acme"))
    readers = {read for name, node in nodes.items()
               if name.startswith("model.") and "staging" not in node["path"] for read in node["reads"]}
    ours = {f"model.tieout.stg_acme__{name}" for name in (*CONTRACTS, *BESIDES)}
    assert ours & set(nodes) == ours and ours - readers == set()
    assert not [read for read in readers if "stg_oracle" in read], "a system that the company has not joins nothing"


def test_without_its_word_nothing_reads_it(project, tmp_path):
    nodes = manifest(project, tmp_path, ("netsuite",))
    assert not [node for node in nodes.values() if "acme" not in node["path"]
                and any("acme" in read for read in node["reads"])]


def test_a_contract_that_nobody_speaks_of_is_an_error(project, tmp_path):
    lacking = tmp_path / "dbt_project"
    shutil.copytree(project, lacking)
    (lacking / "models/staging/acme/stg_acme__settlements.sql").unlink()
    with pytest.raises(BuildError, match="stg_acme__settlements"):
        manifest(lacking, tmp_path / "out", ("netsuite", "acme"))


def test_a_contract_that_few_tell_needs_no_model_of_the_others(project, tmp_path):
    lacking = tmp_path / "dbt_project"
    shutil.copytree(project, lacking)
    for contract in FEW:
        (lacking / f"models/staging/acme/stg_acme__{contract}.sql").unlink()
    shutil.copy(ROOT / "dbt_project/dbt_project.yml", lacking / "dbt_project.yml")
    nodes = manifest(lacking, tmp_path / "out", ("netsuite", "acme"))
    unions = {f"model.tieout.int_{contract}__unioned" for contract in FEW}
    assert unions <= set(nodes) and not [read for union in unions for read in nodes[union]["reads"]]


def test_staging_of_absent_systems_is_left_alone(project):
    said = Runner(project, project / "out", ("netsuite", "acme"), 1)._elsewhere()
    assert said[0] == "--exclude" and "path:models/staging/sap" in said
    assert not {"path:models/staging/netsuite", "path:models/staging/acme"} & set(said)


def test_its_tables_have_the_expectations_of_every_table(tmp_path, monkeypatch):
    shutil.copytree(spec.SOURCES, tmp_path / "sources")
    (tmp_path / "sources" / "acme").mkdir()
    (tmp_path / "sources" / "acme" / "source.yml").write_text(SOURCE, "utf-8")
    together = [spec.load_source(path.parent.name, tmp_path / "sources")
                for path in sorted((tmp_path / "sources").glob("*/source.yml"))]
    monkeypatch.setattr(suites, "shipped", lambda: together)
    found = {suite.table: suite for suite in suites.load(ROOT / "expectations", "landing")}
    assert {check.id for check in found["raw.acme__customer"].expectations} >= {"key_present", "batch_is_committed"}
