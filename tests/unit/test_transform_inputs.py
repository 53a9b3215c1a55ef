"""What a build hands to dbt, and when it reads everything again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tieout.errors import BuildError
from tieout.spec import Company
from tieout.transform import inputs


def company(**options: object) -> Company:
    return Company.model_validate({
        "version": 1,
        "group": {"currency": "EUR", "fiscal_year_start_month": 4},
        "connections": {
            "crm": {"system": "salesforce", "auth": "jwt_bearer", "time_zone": "UTC", "legal_entity": "US01",
                    "options": {"login_url": "https://halden.my.salesforce.com/"}},
            "erp": {"system": "netsuite", "auth": "tba", "time_zone": "UTC", "legal_entities": {"1": "US01"},
                    "options": {"account": "1234567_SB1", **options}},
        },
    })


def test_the_company_is_told_without_what_only_extraction_reads() -> None:
    told = inputs.describe(company())
    assert told["group"] == {"currency": "EUR", "fiscal_year_start_month": 4}
    assert [found["name"] for found in told["connections"]] == ["crm", "erp"]
    assert told["connections"][1]["legal_entities"] == {"1": "US01"}
    assert {key for found in told["connections"] for key in found} == {
        "name", "system", "title", "role", "unit", "time_zone", "legal_entity", "legal_entities", "currency", "urls",
        "contracts", "options"}


def test_a_calendar_of_closing_is_told_with_its_beginning() -> None:
    erp = company().connection("erp").model_copy(update={"close_days": 5})
    told = inputs.describe(company().model_copy(update={"connections": {"erp": erp}}))["connections"][0]
    assert (told["close_days"], told["start_date"]) == (5, "2024-01-01")
    json.dumps(told)


def test_addresses_of_records_are_spelled_per_connection() -> None:
    crm, erp = (found["urls"] for found in inputs.describe(company())["connections"])
    assert crm["Opportunity"] == "https://halden.my.salesforce.com/lightning/r/Opportunity/{id}/view"
    assert erp["transaction"] == (
        "https://1234567-sb1.app.netsuite.com/app/accounting/transactions/transaction.nl?id={id}")


def test_fingerprints_follow_models_macros_and_seeds(tmp_path: Path) -> None:
    for name in ("models/a.sql", "macros/b.sql", "seeds/c.csv", "dbt_project.yml", "models/a.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("one")
    first = inputs.project_fingerprints(tmp_path)
    (tmp_path / "models/a.yml").write_text("a description is no meaning")
    assert inputs.project_fingerprints(tmp_path) == first
    (tmp_path / "macros/b.sql").write_text("two")
    second = inputs.project_fingerprints(tmp_path)
    assert second["project"] != first["project"] and second["seeds"] == first["seeds"]
    (tmp_path / "seeds/c.csv").write_text("two")
    assert inputs.project_fingerprints(tmp_path)["seeds"] != second["seeds"]
    (tmp_path / "models/marts").mkdir()  # another schema
    next((tmp_path / "models").glob("*.sql")).rename(tmp_path / "models/marts/a.sql")
    assert inputs.project_fingerprints(tmp_path)["project"] != second["project"]


def test_a_system_without_staging_models_is_named(tmp_path: Path) -> None:
    (tmp_path / "models" / "staging" / "salesforce").mkdir(parents=True)
    with pytest.raises(BuildError, match="no staging models for netsuite"):
        inputs._systems(company(), tmp_path)


def test_every_system_of_the_sources_has_staging_models() -> None:
    assert inputs._systems(company(), ROOT / "dbt_project") == ("netsuite", "salesforce")
