"""Traps of Health Cloud that SOQL has to know: objects by other names, persons among accounts, encrypted fields."""

from __future__ import annotations

import httpx
import pytest

from tests.unit.extract_org import HOME, WINDOW, V, opened, org, page
from tests.unit.extract_stub import Wire, answer
from tieout.errors import SchemaError
from tieout.spec import Connection, Stream, load_source

# What tells who somebody is or what ails them: never asked for.
PHI = {
    "firstname", "lastname", "personbirthdate", "personemail", "personmailingstreet", "phone", "membernumber",
    "groupnumber", "externalidentifier", "notes", "benefitnotes", "coinsurancenotes", "claimreason", "claimreasontype",
    "summary", "servicetype", "typeid", "description", "primarycarephysician", "losstype", "incidentsite",
}
PERSONS = {"MemberId", "PatientId", "SubscriberId"}


def care(**options: object) -> Connection:
    return Connection.model_validate({
        "name": "care", "system": "health_cloud", "auth": "client_credentials", "time_zone": "UTC",
        "options": {"login_url": HOME, **options}})


def stream(name: str, connection: Connection) -> Stream:
    return next(s for s in connection.selected() if s.name == name)


def described(stream: Stream, **changed: dict[str, object]) -> httpx.Response:
    fields = [{"name": c.field, "type": "string", "filterable": True, **changed.get(c.field, {})}
              for c in stream.columns if changed.get(c.field) != {}]
    return answer({"name": stream.name, "fields": fields})


def asked(wire: Wire) -> list[str]:
    return [request.url.params["q"] for request in wire.requests if "q" in request.url.params]


def test_phi_is_never_selected_by_default():
    streams = load_source("health_cloud").streams
    assert len(streams) == 12
    found = [(s.name, c.field) for s in streams for c in s.columns if c.field.lower() in PHI]
    assert found == []
    names = [s.name for s in streams if any(c.field == "Name" for c in s.columns)]
    # Names of encounters, plans of members, coverage, payments and enrollees hold names of persons.
    assert sorted(names) == ["Account", "CareProgram", "Claim", "Product2", "PurchaserPlan"]


def test_every_id_of_a_person_is_hashed():
    columns = [(s.name, c) for s in load_source("health_cloud").streams for c in s.columns]
    lookups = [(name, c.field, c.hashed) for name, c in columns if c.field in PERSONS | {"AccountId"}]
    assert len(lookups) == 5
    assert [one for one in lookups if not one[2]] == []


def test_an_encounter_has_no_money_and_a_claims_item_only_what_the_organisation_added():
    source = load_source("health_cloud")
    assert [c.name for c in source.stream("ClinicalEncounter").columns if c.type == "amount"] == []
    assert {c.field: c.optional for c in source.stream("ClaimItem").columns if c.type == "amount"} == {
        "Quantity__c": True, "Approved_Amount__c": True}


def test_two_names_of_coverage_are_cut():
    fields = {c.field for c in load_source("health_cloud").stream("CoverageBenefit").columns}
    assert {"IndividualOutofNetworkDeductibleRemain", "IndividualOutofNetworkOutofPocketRemain"} <= fields
    assert {"IndividualInNetworkDeductibleRemaining", "IndividualInNetworkOutofPocketRemaining"} <= fields


def test_persons_among_accounts_are_left_out_by_the_query():
    connection = care()
    accounts = stream("Account", connection)
    wire = org().on("GET", f"{V}/sobjects/Account/describe", described(accounts))
    wire.on("GET", f"{V}/queryAll", page("Account", ["001A"], 1))
    with opened(wire, connection) as extractor:
        assert len(list(extractor.pages(accounts, WINDOW))) == 1
    (statement,) = asked(wire)
    assert " WHERE IsPersonAccount = false AND SystemModstamp >= " in statement


@pytest.mark.parametrize("changed", [{}, {"filterable": False}], ids=["hidden", "encrypted"])
def test_accounts_are_not_read_where_persons_cannot_be_left_out(changed):
    """Hidden by field-level security, or kept by Shield so that nothing can be filtered by it."""
    connection = care()
    accounts = stream("Account", connection)
    accounts = accounts.model_copy(update={"columns": tuple(
        c.model_copy(update={"optional": True}) if c.field == "IsPersonAccount" else c for c in accounts.columns)})
    wire = org().on("GET", f"{V}/sobjects/Account/describe", described(accounts, IsPersonAccount=changed))
    with opened(wire, connection) as extractor, pytest.raises(SchemaError, match="filtered by IsPersonAccount"):
        list(extractor.pages(accounts, WINDOW))
    assert asked(wire) == []


def test_an_object_that_is_not_licensed_is_not_available():
    connection = care()
    programme = stream("CareProgram", connection)
    missing = answer([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}], 404)
    with opened(org().on("GET", f"{V}/sobjects/CareProgram/describe", missing), connection) as extractor:
        assert extractor.available(programme) is False


def test_an_older_organisation_has_objects_of_the_managed_package():
    managed = "HealthCloudGA__EhrEncounter__c"
    connection = care(objects={"ClinicalEncounter": managed})
    encounters = stream("ClinicalEncounter", connection)
    wire = org().on("GET", f"{V}/sobjects/{managed}/describe", described(encounters))
    wire.on("GET", f"{V}/queryAll", page(managed, ["a00A"], 1))
    with opened(wire, connection) as extractor:
        assert extractor.available(encounters) is True
        assert len(list(extractor.pages(encounters, WINDOW))) == 1
    (statement,) = asked(wire)
    assert f" FROM {managed} WHERE " in statement
