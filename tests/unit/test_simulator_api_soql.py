"""SOQL as the stand-in for Salesforce understands it: parser, types, texts of errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.habits import SalesforceOrg
from simulator.salesforce_api.catalog import Catalog
from simulator.salesforce_api.compile import CsvForm, compile_query
from simulator.salesforce_api.errors import ApiError
from simulator.salesforce_api.ids import long_id
from simulator.salesforce_api.soql import parse
from simulator.served import Clock, Database
from tests.simulated_company import ACME, DEALS, GLOBEX, MERGED, build, deal


class Org:
    """Answers SOQL without HTTP."""

    def __init__(self, folder: Path) -> None:
        self.settings = SalesforceOrg()
        self.catalog = Catalog(self.settings)
        self.database = Database(folder, lambda connection: None)
        self.now = Clock(folder).now()

    def rows(self, query: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        statement = compile_query(parse(query), self.catalog, version="v67.0", now=self.now, include_deleted=deleted)
        found = self.database.connection().execute(statement.select, statement.parameters).fetchall()
        return [json.loads(text) for text, in found]

    def ids(self, query: str, **how: Any) -> list[str]:
        return [row["Id"] for row in self.rows(query, **how)]

    def csv(self, query: str, delimiter: str = ",") -> tuple[tuple[str, ...], list[str]]:
        statement = compile_query(parse(query), self.catalog, version="v67.0", now=self.now, include_deleted=False,
                                  csv=CsvForm(delimiter))
        found = self.database.connection().execute(statement.select, statement.parameters).fetchall()
        return statement.columns, [text for text, in found]

    def refused(self, query: str) -> ApiError:
        with pytest.raises(ApiError) as caught:
            self.rows(query)
        return caught.value


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Org]:
    org = Org(build(tmp_path_factory.mktemp("company")))
    yield org
    org.database.close()


@pytest.fixture(autouse=True)
def every_feature(org: Org) -> Iterator[None]:
    yield
    org.settings.multicurrency, org.settings.dated_rates = True, True
    org.settings.hidden.clear()


def test_names_are_case_insensitive_and_answered_in_the_declared_case(org: Org) -> None:
    row, = org.rows(f"sElEcT iD, NAME, aCCount.name fRoM opportunity WHERE id = '{deal(3)['Id']}'")
    assert list(row) == ["attributes", "Id", "Name", "Account"]
    assert row["attributes"] == {"type": "Opportunity", "url": f"/services/data/v67.0/sobjects/Opportunity/{row['Id']}"}
    assert row["Account"]["Name"] == "Globex"


def test_decimals_leave_as_they_are_stored(org: Org) -> None:
    statement = compile_query(parse(f"SELECT AnnualRevenue FROM Account WHERE Id = '{ACME}'"), org.catalog,
                              version="v67.0", now=org.now, include_deleted=False)
    (text,), = org.database.connection().execute(statement.select, statement.parameters).fetchall()
    assert '"AnnualRevenue":1234567890.12}' in text


def test_stamps_in_json_end_in_plus_0000(org: Org) -> None:
    row, = org.rows(f"SELECT SystemModstamp, Name FROM Account WHERE Id = '{ACME}'")
    assert row["SystemModstamp"] == "2026-01-02T03:04:05.000+0000"
    assert row["Name"] == 'Acme "Tools", Zürich\nHead office'


def test_csv_quotes_every_value_and_null_is_empty(org: Org) -> None:
    fields = "Id, Name, Site, IsDeleted, Owner.Name, SystemModstamp"
    columns, lines = org.csv(f"SELECT {fields} FROM Account WHERE Id = '{ACME}'")
    assert columns == ("Id", "Name", "Site", "IsDeleted", "Owner.Name", "SystemModstamp")
    assert lines == [f'"{ACME}","Acme ""Tools"", Zürich\nHead office","","false","Ada","2026-01-02T03:04:05.000Z"']


def test_a_null_lookup_is_null_and_a_parent_nests(org: Org) -> None:
    rows = org.rows("SELECT Id, Parent.Name, Parent.Owner.Name FROM Account ORDER BY Name")
    assert [row["Parent"] and (row["Parent"]["Name"], row["Parent"]["Owner"]["Name"]) for row in rows] == [
        None, ('Acme "Tools", Zürich\nHead office', "Ada")]


def test_query_hides_deleted_rows_and_query_all_shows_them(org: Org) -> None:
    assert MERGED not in org.ids("SELECT Id FROM Account")
    gone, = org.rows("SELECT MasterRecordId FROM Account WHERE IsDeleted = TRUE", deleted=True)
    assert gone["MasterRecordId"] == ACME


def test_fifteen_characters_of_an_id_are_enough_and_case_counts(org: Org) -> None:
    assert org.ids(f"SELECT Id FROM Account WHERE Id = '{ACME[:15]}'") == [ACME]
    assert org.ids(f"SELECT Id FROM Account WHERE Id = '{ACME[:15].lower()}'") == []
    assert long_id("01gRO0000016PIA") == "01gRO0000016PIAYA2"  # recorded at the vendor
    assert org.refused("SELECT Id FROM Account WHERE Id = 'short'").code == "INVALID_QUERY_FILTER_OPERATOR"


def test_stamps_and_dates_are_bare_and_may_have_an_offset(org: Org) -> None:
    query = "SELECT Id FROM Opportunity WHERE SystemModstamp >= {0} AND SystemModstamp < {1}"
    for start, end in (("2026-05-01T00:00:10Z", "2026-05-01T00:00:12Z"),
                       ("2026-05-01T02:00:10+02:00", "2026-04-30T19:00:12.000-0500"),
                       ("2026-05-01T00:00:09.500Z", "2026-05-01T00:00:11.500Z")):
        assert org.ids(query.format(start, end)) == [deal(10)["Id"], deal(11)["Id"]]


@pytest.mark.parametrize(("condition", "expected"), [
    ("CloseDate = '2026-05-01'", "'CloseDate' must be of type date and should not be enclosed in quotes"),
    ("SystemModstamp > 2026-05-01", "'SystemModstamp' must be of type dateTime and should not be enclosed in quotes"),
    ("CloseDate > 2026-05-01T00:00:00Z", "'CloseDate' must be of type date"),
    ("Amount > '5'", "'Amount' must be of type double and should not be enclosed in quotes"),
    ("Name = 5", "'Name' must be of type string and should be enclosed in quotes"),
    ("IsWon = 'true'", "'IsWon' must be of type boolean"),
])
def test_a_literal_of_the_wrong_type_is_refused(org: Org, condition: str, expected: str) -> None:
    error = org.refused(f"SELECT Id FROM Opportunity WHERE {condition}")
    assert (error.status, error.code) == (400, "INVALID_FIELD")
    assert expected in error.message and "ERROR at Row:1:Column:" in error.message


@pytest.mark.parametrize(("query", "code", "text"), [
    ("SELECT Id, Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'Account'. If you are"),
    ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported."),
    ("SELECT Foo.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path."),
    ("SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", "MALFORMED_QUERY", "unexpected token: 'OR'"),
    ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
    ("SELECT FROM Account", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
    ("SELECT * FROM Account", "MALFORMED_QUERY", "viable alternative at character '*'"),
    ("SELECT Id FROM Account WHERE Name = \"x\"", "MALFORMED_QUERY", "viable alternative"),
    ("SELECT Id FROM Account WHERE Name = 'x", "MALFORMED_QUERY", "viable alternative"),
    ("SELECT Id FROM Account LIMIT ten", "MALFORMED_QUERY", "unexpected token: 'ten'"),
    ("SELECT Id, id FROM Account", "MALFORMED_QUERY", "duplicate field selected: Id"),
    ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
    ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
    ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "LIMIT of at most 200"),
    ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered in a query call"),
    ("SELECT Id FROM Account WHERE CreatedDate > 2026-13-45T00:00:00Z", "MALFORMED_QUERY", "Invalid date"),
])
def test_errors_carry_the_vendors_code_and_text(org: Org, query: str, code: str, text: str) -> None:
    error = org.refused(query)
    assert (error.status, error.code) == (400, code)
    assert text in error.message


def test_an_error_points_at_its_place(org: Org) -> None:
    lines = org.refused("SELECT Id, Nope FROM Account").message.splitlines()
    assert lines[1].index("Nope") == lines[2].index("^")
    assert lines[3] == "ERROR at Row:1:Column:12"


@pytest.mark.parametrize(("condition", "expected"), [
    ("Name = 'ACME OLD'", {MERGED}),
    ("Name LIKE 'glo%'", {GLOBEX}),
    ("Name LIKE '%\\%%'", set()),
    ("NOT Name LIKE 'glo%'", {ACME, MERGED}),
    ("(NOT (Name = 'Globex' OR ParentId != NULL))", {ACME, MERGED}),
    ("ParentId = NULL", {ACME, MERGED}),
    ("ParentId = ''", {ACME, MERGED}),
    ("Site != 'x'", {ACME, GLOBEX, MERGED}),
    ("AnnualRevenue > 1000 AND (Name LIKE 'A%' OR Name LIKE 'B%')", {ACME}),
    ("Name IN ('globex', 'none')", {GLOBEX}),
    ("Id NOT IN ('" + ACME + "', '" + MERGED[:15] + "')", {GLOBEX}),
    ("Id IN (SELECT AccountId FROM Opportunity WHERE Name = 'Deal 00004')", {ACME}),
    ("Parent.Name LIKE 'Acme%'", {GLOBEX}),
    ("SystemModstamp = LAST_N_DAYS:30", {MERGED}),
    ("SystemModstamp < TODAY", {ACME, GLOBEX, MERGED}),
    ("Name = 'it\\'s'", set()),
])
def test_conditions(org: Org, condition: str, expected: set[str]) -> None:
    assert set(org.ids(f"SELECT Id FROM Account WHERE {condition}", deleted=True)) == expected


def test_order_nulls_limit_and_offset(org: Org) -> None:
    assert org.ids("SELECT Id FROM Account ORDER BY ParentId") == [ACME, GLOBEX]
    assert org.ids("SELECT Id FROM Account ORDER BY ParentId DESC NULLS LAST, Id") == [GLOBEX, ACME]
    by_amount = "SELECT Id FROM Opportunity ORDER BY Amount DESC LIMIT 2 OFFSET 1"
    assert org.ids(by_amount) == [deal(DEALS - 1)["Id"], deal(DEALS - 2)["Id"]]


def test_aggregates_are_named_expr_and_exact(org: Org) -> None:
    row, = org.rows("SELECT COUNT(Id), SUM(Amount) total, MAX(SystemModstamp), MIN(Amount) FROM Opportunity")
    assert row["attributes"] == {"type": "AggregateResult"}
    assert row["expr0"] == DEALS and row["expr1"] == "2026-05-01T00:41:40.000+0000"
    assert row["total"] == pytest.approx(DEALS * (DEALS + 1) / 2 + DEALS / 10) and row["expr2"] == 1.1
    grouped = org.rows("SELECT IsWon, COUNT(Id) n FROM Opportunity GROUP BY IsWon ORDER BY IsWon")
    assert [(row["IsWon"], row["n"]) for row in grouped] == [(False, 1667), (True, 833)]


def test_a_sub_select_is_a_result_of_its_own(org: Org) -> None:
    children = "(SELECT Id, TotalPrice FROM OpportunityLineItems ORDER BY SortOrder)"
    wanted = f"('{deal(3)['Id']}', '{deal(4)['Id']}')"
    with_lines, without = org.rows(f"SELECT Id, {children} FROM Opportunity WHERE Id IN {wanted} ORDER BY Id")
    assert with_lines["OpportunityLineItems"]["totalSize"] == 2
    assert [line["TotalPrice"] for line in with_lines["OpportunityLineItems"]["records"]] == [3.1, 0.0]
    assert without["OpportunityLineItems"] is None


def test_a_compound_field_is_an_object(org: Org) -> None:
    row, = org.rows(f"SELECT BillingAddress, ShippingAddress FROM Account WHERE Id = '{ACME}'")
    assert row["BillingAddress"]["street"] == "Main 1" and row["ShippingAddress"] is None


def test_hidden_fields_behave_as_nonexistent(org: Org) -> None:
    org.settings.hidden |= {"Account.Phone", "Contract"}
    assert "No such column 'Phone'" in org.refused("SELECT Phone FROM Account").message
    assert org.refused("SELECT Id FROM Account WHERE Phone = 'x'").code == "INVALID_FIELD"
    assert org.refused("SELECT Account.Phone FROM Opportunity").code == "INVALID_FIELD"
    assert org.refused("SELECT Id FROM Contract").code == "INVALID_TYPE"
    described = [field["name"] for field in org.catalog.entities["account"].describe("v67.0", org.catalog)["fields"]]
    assert "Phone" not in described and "Name" in described


def test_a_single_currency_org_has_no_currency_fields(org: Org) -> None:
    org.settings.multicurrency = False
    assert org.refused("SELECT CurrencyIsoCode FROM Opportunity").code == "INVALID_FIELD"
    assert org.refused("SELECT Id FROM CurrencyType").code == "INVALID_TYPE"
    assert org.refused("SELECT Id FROM DatedConversionRate").code == "INVALID_TYPE"


def test_dated_rates_are_half_open_and_an_edition_lacks_them(org: Org) -> None:
    day = "StartDate <= 2026-02-01 AND NextStartDate > 2026-02-01"
    query = f"SELECT ConversionRate FROM DatedConversionRate WHERE {day}"
    assert [row["ConversionRate"] for row in org.rows(query)] == [0.92]
    org.settings.dated_rates = False
    assert org.refused(query).code == "INVALID_TYPE"
    assert org.rows("SELECT IsoCode FROM CurrencyType WHERE IsCorporate = TRUE")[0]["IsoCode"] == "USD"
