"""The stand-in of a Health Cloud organisation is as strict as the platform; simple-salesforce reads it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import jwt
import pytest
import requests
from simple_salesforce import Salesforce, SalesforceMalformedRequest, SalesforceResourceNotFound

from simulator.company import generate
from simulator.habits import Habits
from simulator.serve import Endpoints, start
from tests.integration.test_simulator_clients import Plain


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    folder = tmp_path_factory.mktemp("care")
    generate(folder, seed=3, size="1k", level=1, of="healthcare")
    with start(folder, habits=Habits.none()) as endpoints:
        yield endpoints


@pytest.fixture
def care(endpoints: Endpoints) -> Salesforce:
    keys, url = endpoints.secrets["health_cloud_healthcare"], endpoints.urls["health_cloud"]
    claims = {"iss": keys["consumer_key"], "sub": keys["username"], "aud": "https://login.salesforce.com",
              "exp": int(time.time()) + 180}
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": jwt.encode(claims, keys["private_key"], "RS256")}
    token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=10).json()
    session = requests.Session()
    session.mount("https://", Plain())
    return Salesforce(instance_url=token["instance_url"], session_id=token["access_token"], session=session,
                      version="67.0")


@pytest.mark.parametrize("name", ["ClaimHeader__x", "ClaimLine__x", "Remittance", "Opportunity", "Order"])
def test_objects_that_do_not_exist_do_not_exist(care: Salesforce, name: str) -> None:
    """Claim lines are external objects of a package that is gone; remittances are nobody's."""
    with pytest.raises(SalesforceMalformedRequest) as caught:
        care.query(f"SELECT Id FROM {name}")
    assert caught.value.content[0]["errorCode"] == "INVALID_TYPE"
    with pytest.raises(SalesforceResourceNotFound):
        getattr(care, name).describe()


def test_a_claims_item_has_no_amount_of_its_own(care: Salesforce) -> None:
    fields = {field["name"]: field for field in care.ClaimItem.describe()["fields"]}
    assert [name for name, field in fields.items() if field["type"] == "currency" and not field["custom"]] == []
    encounter = care.ClinicalEncounter.describe()["fields"]
    assert [field["name"] for field in encounter if field["type"] == "currency" and field["name"] != "Duration"] == []


def test_two_fields_of_coverage_have_cut_names(care: Salesforce) -> None:
    for name in ("IndividualOutofNetworkDeductibleRemaining", "IndividualOutofNetworkOutofPocketRemaining"):
        with pytest.raises(SalesforceMalformedRequest) as caught:
            care.query(f"SELECT {name} FROM CoverageBenefit")
        assert caught.value.content[0]["errorCode"] == "INVALID_FIELD"
    assert care.query("SELECT IndividualOutofNetworkDeductibleRemain FROM CoverageBenefit LIMIT 1")["totalSize"] == 1


def test_persons_are_accounts_and_a_claim_does_not_name_its_encounter(care: Salesforce) -> None:
    persons = care.query("SELECT COUNT() FROM Account WHERE IsPersonAccount = true")["totalSize"]
    assert persons > care.query("SELECT COUNT() FROM Account WHERE IsPersonAccount = false")["totalSize"] > 100
    lookups = {to for field in care.Claim.describe()["fields"] for to in field["referenceTo"]}
    assert "ClinicalEncounter" not in lookups and "Case" in lookups


def test_an_encrypted_field_can_be_read_and_not_searched_for(endpoints: Endpoints, care: Salesforce) -> None:
    org = endpoints.apps["health_cloud"].org
    org.encrypted.add("Claim.Name")
    try:
        described = {field["name"]: field for field in care.Claim.describe()["fields"]}
        assert described["Name"]["encrypted"] and not described["Name"]["filterable"]
        assert care.query("SELECT Name FROM Claim LIMIT 1")["records"][0]["Name"]
        with pytest.raises(SalesforceMalformedRequest) as caught:
            care.query("SELECT Id FROM Claim WHERE Name = 'CLM-1'")
        assert caught.value.content[0]["errorCode"] == "INVALID_FIELD"
    finally:
        org.encrypted.clear()


def test_who_pays_is_told_by_order_and_dates(care: Salesforce) -> None:
    """Some persons have a second plan, and some an old one whose order is first, too."""
    assert care.query("SELECT COUNT() FROM MemberPlan WHERE PriorityOrder = 2")["totalSize"] > 20
    assert care.query("SELECT COUNT() FROM MemberPlan WHERE PriorityOrder = 1 AND EffectiveTo < 2024-01-01")[
        "totalSize"] > 20
