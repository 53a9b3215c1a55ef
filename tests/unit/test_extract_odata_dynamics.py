"""What Dataverse and finance and operations do with OData 4, by the wire: each trap of theirs that the client meets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import pyarrow as pa
import pytest

from tests.unit.extract_stub import NOW, Sleeps, Wire, answer
from tieout.errors import AuthError, ConfigError, RateLimitError, SchemaError, SourceError, UnsafeLinkError
from tieout.extract import MANNERS, Page, Window
from tieout.extract.deliveries import Delivery, KnownFile, delivers
from tieout.extract.http import Refused
from tieout.extract.odata import OdataExtractor
from tieout.landing.conventions import meant
from tieout.landing.parse import Parser
from tieout.spec import Connection, Stream

CRM, ERP, LOGIN = "https://org.api.crm4.dynamics.com", "https://env.operations.dynamics.com", "https://login.example"
API = "/api/data/v9.2"
SECRETS = {"client_id": "the-client", "client_secret": "the-secret"}
FULL = Window(None, datetime(2026, 3, 1, tzinfo=UTC), full=True)
WINDOW = Window(datetime(2026, 1, 31, 22, 4, 5, tzinfo=UTC), datetime(2026, 2, 1, 8, tzinfo=UTC))
KINDS = {"amount": "Edm.Decimal", "rate": "Edm.Decimal", "boolean": "Edm.Boolean", "integer": "Edm.Int64",
         "timestamp": "Edm.DateTimeOffset", "date": "Edm.DateTimeOffset"}


def sales(**options: object) -> Connection:
    options = {"base_url": CRM, "tenant_id": "T", "authority": LOGIN, "page_size": 3, **options}
    return Connection(name="crm", system="dynamics_sales", auth="client_credentials", time_zone="UTC", options=options)


def finance(**options: object) -> Connection:
    options = {"base_url": ERP, "tenant_id": "T", "authority": LOGIN, "page_size": 3, **options}
    return Connection(name="erp", system="dynamics_finance", auth="client_credentials", time_zone="UTC",
                      options=options)


def stream(connection: Connection, name: str) -> Stream:
    return next(s for s in connection.selected() if s.name == name)


def edmx(each: Stream, *sets: str, without: tuple[str, ...] = ()) -> httpx.Response:
    told = {c.field: KINDS.get(c.type, "Edm.String") for c in each.columns if "@" not in c.field}
    keys = "".join(f'<PropertyRef Name="{each.column(name).field}"/>' for name in each.key)
    properties = "".join(f'<Property Name="{n}" Type="{t}"/>' for n, t in told.items() if n not in without)
    offered = "".join(f'<EntitySet Name="{name}" EntityType="N.T"/>' for name in sets)
    text = ('<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
            f'<Schema Namespace="N" xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityType Name="T"><Key>{keys}'
            f'</Key>{properties}</EntityType><EntityContainer Name="C">{offered}</EntityContainer></Schema>'
            "</edmx:DataServices></edmx:Edmx>")
    return httpx.Response(200, content=text.encode(), headers={"content-type": "application/xml"})


def granted() -> httpx.Response:
    return answer({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "eyJ-secret"})


def wired(connection: Connection, name: str, *pages: object, sets: tuple[str, ...] = ()) -> tuple[Wire, Stream]:
    wanted = stream(connection, name)
    told = wanted.options.get("set", wanted.name)
    sets = sets or ((told,) if isinstance(told, str) else tuple(told))
    root = wanted.options["path"]
    wire = Wire().on("POST", "/T/oauth2/v2.0/token", granted(), always=True)
    wire.on("GET", rf"{root}/\$metadata", edmx(wanted, *sets), always=True)
    return wire.on("GET", f"{root}/{sets[0]}", *pages), wanted


def opened(wire: Wire, connection: Connection, sleeps: Sleeps | None = None) -> OdataExtractor:
    sleeps = Sleeps() if sleeps is None else sleeps
    return OdataExtractor(connection, SECRETS, transport=wire, sleep=sleeps, clock=lambda: NOW)


def rows(*ids: str, key: str = "accountid", **more: object) -> httpx.Response:
    context = "https://org.crm4.dynamics.com/api/data/v9.2/$metadata#accounts"
    return answer({"@odata.context": context, "value": [{"@odata.etag": 'W/"1"', key: each} for each in ids], **more})


def ids(pages: list[Page], key: str = "accountid") -> list[str]:
    found = []
    for page in pages:
        held = json.loads(page.body)
        found += [row[key] for row in (held[page.records] if page.records else held)]
    return found


def words(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}


GONE = {"@odata.context": f"{CRM}{API}/$metadata#accounts/$deletedEntity", "id": "a9", "reason": "deleted"}
DELTA = f"{CRM}{API}/accounts?$select=name&$deltatoken=919042%2108%2f22%2f2017%2008%3a10%3a44"


# --- authentication


def test_client_credentials_go_in_the_form_and_the_scope_is_the_environment_without_api():
    wire, wanted = wired(sales(), "account", rows("a1"))
    with opened(wire, sales()) as source:
        assert ids(list(source.pages(wanted, FULL))) == ["a1"]
    asked = wire.asked("POST", "/T/oauth2/v2.0/token")[0]
    assert asked.url.host == "login.example"
    assert "authorization" not in asked.headers
    assert parse_qs(asked.content.decode()) == {
        "grant_type": ["client_credentials"], "client_id": ["the-client"], "client_secret": ["the-secret"],
        "scope": ["https://org.crm4.dynamics.com/.default"]}


def test_without_a_tenant_or_a_token_url_nothing_is_sent():
    with pytest.raises(ConfigError, match=r"options\.tenant_id is needed for token_url"):
        opened(Wire(), sales(tenant_id=""))


def test_an_older_endpoint_takes_the_resource_without_a_slash():
    connection = finance(token_url=f"{LOGIN}/T/oauth2/token", resource=ERP)
    wire, wanted = wired(connection, "LegalEntities", rows("USMF", key="LegalEntityId"))
    wire.on("POST", "/T/oauth2/token", granted())
    with opened(wire, connection) as source:
        list(source.pages(wanted, FULL))
    assert parse_qs(wire.asked("POST", "/T/oauth2/token")[0].content.decode())["resource"] == [ERP]


def test_a_wrong_secret_is_final_and_named():
    refused = answer({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.",
                      "error_codes": [7000215]}, 401)
    wire = Wire().on("POST", "/T/oauth2/v2.0/token", refused, always=True)
    with opened(wire, sales()) as source, pytest.raises(AuthError, match="AADSTS7000215"):
        source.test()
    assert len(wire.requests) == 1


def test_a_user_who_is_no_member_of_the_organisation_is_told_what_is_missing():
    wire, wanted = wired(sales(), "account", answer(
        {"error": {"code": "0x80072560", "message": "The user is not a member of the organization."}}, 403))
    source_stream = wanted.model_copy(update={"options": {**wanted.options, "track": False}})
    with opened(wire, sales()) as source, pytest.raises(Refused, match="not a member") as refusal:
        list(source.pages(source_stream, FULL))
    assert "authorisation" in str(refusal.value.hint)


# --- pages and links


def test_preferences_go_with_every_page_else_the_next_one_is_longer():
    link = f"{CRM}{API}/accounts?$select=name&$skiptoken=%3Ccookie%20pagenumber=%222%22%20/%3E"
    wire, wanted = wired(sales(), "account", rows("a1", **{"@odata.nextLink": link}), rows("a2"))
    assert ids(delivered(wire, wanted, [])[1]) == ["a1", "a2"]
    first, second = wire.asked("GET", f"{API}/accounts")
    assert first.headers["prefer"] == second.headers["prefer"] == (
        "odata.track-changes,odata.maxpagesize=3,odata.include-annotations="
        '"OData.Community.Display.V1.FormattedValue,Microsoft.Dynamics.CRM.lookuplogicalname"')
    assert str(second.url) == link  # unchanged: the cookie is not ours to encode again
    assert first.headers["accept"] == "application/json"
    assert first.headers["odata-maxversion"] == "4.0"
    assert set(words(first)) == {"$select"}  # no order, no condition, no count with tracking


def test_a_next_link_may_name_the_server_without_api_and_no_other():
    other = f"https://org.crm4.dynamics.com{API}/accounts?$skiptoken=2"
    wire, wanted = wired(sales(), "account", rows("a1", **{"@odata.nextLink": other}), rows("a2"))
    with opened(wire, sales()) as source:
        assert ids(list(source.pages(wanted, FULL))) == ["a1", "a2"]
    foreign = f"https://org2.crm4.dynamics.com{API}/accounts?$skiptoken=2"
    wire, wanted = wired(sales(), "account", rows("a1", **{"@odata.nextLink": foreign}))
    with opened(wire, sales()) as source, pytest.raises(UnsafeLinkError, match="org2"):
        list(source.pages(wanted, FULL))


def test_a_link_may_be_relative():
    wire, wanted = wired(sales(), "account", rows("a1", **{"@odata.nextLink": "accounts?$skiptoken=2"}), rows("a2"))
    with opened(wire, sales()) as source:
        assert ids(list(source.pages(wanted, FULL))) == ["a1", "a2"]


def test_an_annotation_is_landed_where_it_is_declared_and_is_no_new_field_elsewhere():
    wanted = stream(sales(), "opportunity")
    label, kind = "statuscode@OData.Community.Display.V1.FormattedValue", "Microsoft.Dynamics.CRM.lookuplogicalname"
    record = {"opportunityid": "o1", "statuscode": 3, label: "Won", "_customerid_value": "c1",
              f"_customerid_value@{kind}": "contact", "statecode": 1,
              "statecode@OData.Community.Display.V1.FormattedValue": "Won", "@odata.etag": "x"}
    page = Page(wanted.name, json.dumps([record, {**record, "totalamount": 5}]).encode(), noise=MANNERS["odata"][0])
    parser = Parser(sales(), wanted)
    (chunk,) = parser.chunks([page])
    held = {name: values if isinstance(values, list) else values.to_pylist() for name, values in chunk.values.items()}
    assert held["status_label"] == ["Won", "Won"]
    assert held["customer_type"] == ["contact", "contact"]
    assert not any(chunk.extra or [])
    assert parser.drift.new == set()


def test_the_value_of_an_annotation_is_selected_and_the_annotation_is_not():
    wire, wanted = wired(sales(), "opportunity", rows("o1", key="opportunityid"))
    with opened(wire, sales()) as source:
        list(source.pages(wanted, FULL))
    asked = words(wire.asked("GET", f"{API}/opportunities")[0])["$select"].split(",")
    assert "statuscode" in asked
    assert "_customerid_value" in asked
    assert not [name for name in asked if "@" in name]


# --- change tracking


def delivered(wire: Wire, wanted: Stream, known: list[KnownFile], end: datetime = FULL.end, *,
              notes: dict | None = None) -> tuple[Delivery, list[Page]]:
    """The one delivery, read to its end."""
    with opened(wire, sales()) as source:
        assert delivers(source, wanted)
        (made,) = source.deliveries(wanted, Window(None, end), known)
        pages = list(made.pages())
        if notes is not None:
            notes |= source.facts.notes
    return made, pages


def linked(*answers: object, link: str = DELTA) -> tuple[Wire, Stream, list[KnownFile]]:
    """A complete set was read and left a link; then come the answers."""
    wire, wanted = wired(sales(), "account", rows("a1", **{"@odata.deltaLink": link}), *answers)
    made, _ = delivered(wire, wanted, [])
    return wire, wanted, made.files


def test_a_complete_set_is_read_without_order_and_ends_with_a_link_for_what_comes_after():
    wire, wanted = wired(sales(), "account", rows("a1", **{"@odata.deltaLink": DELTA}))
    made, pages = delivered(wire, wanted, [])
    assert (made.mode, ids(pages), [one.version for one in made.files]) == ("full", ["a1"], [DELTA])
    (asked,) = wire.asked("GET", f"{API}/accounts")
    assert asked.headers["prefer"].startswith("odata.track-changes,odata.maxpagesize=3,odata.include-annotations=")
    assert set(words(asked)) == {"$select"}


@pytest.mark.parametrize("is_relative", [False, True])
def test_changes_and_deletions_come_by_the_link_and_the_next_link_ends_them(is_relative):
    page = f"{API}/accounts?$skiptoken=9"
    changed = answer({"value": [{"accountid": "a1"}], "@odata.nextLink": page if is_relative else CRM + page})
    last = answer({"value": [{"accountid": "a2"}, GONE], "@odata.deltaLink": DELTA + "0"})
    wire, wanted, known = linked(changed, last, link=DELTA.removeprefix(f"{CRM}{API}/") if is_relative else DELTA)
    made, pages = delivered(wire, wanted, known)
    assert made.mode == "incremental"
    assert ids([p for p in pages if not p.deleted]) == ["a1", "a2"]
    assert [json.loads(p.body) for p in pages if p.deleted] == [[{"accountid": "a9"}]]
    assert made.files[0].version == DELTA + "0"
    asked = wire.asked("GET", f"{API}/accounts")
    assert [str(one.url) for one in asked[1:]] == [DELTA, CRM + page]
    assert "track-changes" not in asked[1].headers["prefer"], "the link says it by itself"
    assert "maxpagesize=3" in asked[1].headers["prefer"]


def test_a_change_lands_the_annotations_that_the_complete_set_landed():
    label, other = (f"{word}@OData.Community.Display.V1.FormattedValue" for word in ("statuscode", "statecode"))
    deal = {"opportunityid": "o1", "statuscode": 3, label: "Won", other: "Closed"}
    wire, wanted = wired(sales(), "opportunity", rows(key="opportunityid", **{"@odata.deltaLink": DELTA}))
    made, _ = delivered(wire, wanted, [])
    wire.on("GET", f"{API}/accounts", answer({"value": [deal], "@odata.deltaLink": DELTA}))
    _, (page,) = delivered(wire, wanted, made.files)
    assert json.loads(page.body) == [{"opportunityid": "o1", "statuscode": 3, label: "Won"}]


@pytest.mark.parametrize(("status", "text"), [(400, "The delta token has expired."), (410, "gone"), (404, "unknown")])
def test_a_link_that_is_no_longer_taken_means_a_full_resync(status, text):
    refused = answer({"error": {"code": "0x80044352", "message": text}}, status)
    wire, wanted, known = linked(refused, rows("a1", "a3", **{"@odata.deltaLink": DELTA + "0"}))
    notes: dict = {}
    made, pages = delivered(wire, wanted, known, notes=notes)
    assert (made.mode, ids(pages), made.files[0].version) == ("full", ["a1", "a3"], DELTA + "0")
    assert text in notes["resynchronised"]["account"]


def test_a_link_of_other_fields_is_not_used():
    wire, wanted, known = linked(rows("a1", **{"@odata.deltaLink": DELTA}))
    fewer = wanted.model_copy(update={"columns": wanted.columns[:-1]})
    made, _ = delivered(wire, fewer, known)
    assert made.mode == "full"
    assert [str(one.url) for one in wire.asked("GET", f"{API}/accounts")].count(DELTA) == 0


def test_a_delta_link_to_another_host_is_never_followed():
    wire, wanted, known = linked(rows("a1", **{"@odata.deltaLink": DELTA}), link="https://evil.example/x")
    made, _ = delivered(wire, wanted, known)
    assert made.mode == "full"
    assert {one.url.host for one in wire.requests} == {httpx.URL(CRM).host, httpx.URL(LOGIN).host}


def test_a_delta_link_may_name_the_server_without_api():
    wire, wanted, known = linked(answer({"value": [], "@odata.deltaLink": DELTA}), link=DELTA.replace(".api.", "."))
    made, pages = delivered(wire, wanted, known)
    assert (made.mode, pages) == ("incremental", [])


UNTRACKED = answer({"error": {"code": "0x80060888", "message": "Change tracking is not enabled."}}, 400)


def test_a_table_without_tracking_is_read_all_the_same_then_by_its_stamp_and_whole_once_a_day(caplog):
    wire, wanted = wired(sales(), "account", UNTRACKED, rows("a1"), rows("a2"), rows("a3"), UNTRACKED, rows("a1"))
    notes: dict = {}
    first, pages = delivered(wire, wanted, [], notes=notes)
    assert (first.mode, ids(pages), notes["no_change_tracking"]) == ("full", ["a1"], ["account"])
    assert "0x80060888: Change tracking is not enabled." in [getattr(one, "reason", "") for one in caplog.records]
    second, pages = delivered(wire, wanted, first.files, FULL.end + timedelta(hours=2))
    assert (second.mode, ids(pages)) == ("incremental", ["a2"])
    third, _ = delivered(wire, wanted, [*first.files, *second.files], FULL.end + timedelta(hours=5))
    fourth, _ = delivered(wire, wanted, [*first.files, *second.files, *third.files], FULL.end + timedelta(hours=24))
    assert (third.mode, fourth.mode) == ("incremental", "full")
    asked = wire.asked("GET", f"{API}/accounts")
    assert ["odata.track-changes" in one.headers["prefer"] for one in asked] == [True, *[False] * 3, True, False]
    assert words(asked[1])["$orderby"] == "accountid"
    assert [words(one)["$filter"] for one in asked[2:4]] == [
        "modifiedon ge 2026-02-28T23:45:00Z and modifiedon lt 2026-03-01T02:00:00Z",
        "modifiedon ge 2026-03-01T01:45:00Z and modifiedon lt 2026-03-01T05:00:00Z"]


def test_a_table_that_is_tracked_from_now_on_leaves_a_link():
    wire, wanted = wired(sales(), "account", UNTRACKED, rows("a1"), rows("a1", **{"@odata.deltaLink": DELTA}))
    first, _ = delivered(wire, wanted, [])
    second, _ = delivered(wire, wanted, first.files, FULL.end + timedelta(days=1))
    assert (second.mode, second.files[0].version) == ("full", DELTA)


def test_a_window_goes_by_modifiedon():
    wire, wanted = wired(sales(), "account", rows("a1"))
    with opened(wire, sales()) as source:
        list(source.pages(wanted, WINDOW))
    asked = words(wire.asked("GET", f"{API}/accounts")[0])
    assert asked["$filter"] == "modifiedon ge 2026-01-31T22:04:05Z and modifiedon lt 2026-02-01T08:00:00Z"
    assert "$count" not in asked  # it would stop at 5,000


@pytest.mark.parametrize("row", [
    {"name": "x"},
    {"@odata.context": "x#accounts/$deletedEntity", "reason": "deleted"},
])
def test_a_change_without_a_key_is_an_error(row):
    wire, wanted, known = linked(answer({"value": [row], "@odata.deltaLink": DELTA}))
    with pytest.raises(SourceError, match="key"):
        delivered(wire, wanted, known)


def test_changes_that_are_cut_are_asked_for_again():
    cut = httpx.Response(200, content=b'{"value":[{"accountid":"a1"}', headers={"content-type": "application/json"})
    wire, wanted, known = linked(cut, answer({"value": [{"accountid": "a2"}], "@odata.deltaLink": DELTA}))
    _, pages = delivered(wire, wanted, known)
    assert ids(pages) == ["a2"]


def test_changes_that_end_without_a_link_are_asked_for_again_by_the_same_one():
    wire, wanted, known = linked(answer({"value": [{"accountid": "a1"}]}))
    made, _ = delivered(wire, wanted, known)
    assert made.files[0].version == DELTA


@pytest.mark.parametrize("notice", [
    {"@removed": {"reason": "deleted"}, "@odata.id": "accounts(a9)"},
    {"@removed": {"reason": "deleted"}, "id": f"{CRM}{API}/accounts(a9)"},
    {"@odata.removed": {"reason": "deleted"}, "accountid": "a9"},
])
def test_removed_of_the_newer_format_is_a_deletion_too(notice):
    wire, wanted, known = linked(answer({"value": [notice], "@odata.deltaLink": DELTA}))
    _, (page,) = delivered(wire, wanted, known)
    assert (page.deleted, json.loads(page.body)) == (True, [{"accountid": "a9"}])


# --- limits and errors


@pytest.mark.parametrize("code", ["0x80072322", "0x80072321", "0x80072326"])
def test_each_limit_waits_as_long_as_it_says_and_is_counted_by_its_code(code):
    busy = answer({"error": {"code": code, "message": "exceeded the limit"}}, 429, retry_after="17")
    wire, wanted = wired(sales(), "account", busy, rows("a1"))
    sleeps = Sleeps()
    with opened(wire, sales(), sleeps) as source:
        assert ids(list(source.pages(wanted, FULL))) == ["a1"]
        assert source.facts.notes["throttled"] == {code: 1}
    assert sleeps == [17]


def test_a_429_without_retry_after_waits_half_a_minute():
    wire, wanted = wired(finance(), "LegalEntities", answer({"error": {"message": "Too many requests"}}, 429),
                         rows("USMF", key="LegalEntityId"))
    sleeps = Sleeps()
    with opened(wire, finance(), sleeps) as source:
        list(source.pages(wanted, FULL))
    assert sleeps == [30]


def test_a_limit_beyond_patience_is_a_rate_limit_error():
    busy = answer({"error": {"code": "0x80072321", "message": "x"}}, 429, retry_after="9999")
    wire, wanted = wired(sales(), "account", busy)
    with opened(wire, sales()) as source, pytest.raises(RateLimitError, match="0x80072321"):
        list(source.pages(wanted, FULL))


def test_the_useful_text_is_in_the_inner_error():
    refused = answer({"error": {"code": "", "message": "An error has occurred.", "innererror": {
        "message": "Could not find a property named 'X'", "type": "AxODataException", "stacktrace": "…"}}}, 400)
    wire, wanted = wired(finance(), "LegalEntities", refused)
    with opened(wire, finance()) as source, pytest.raises(Refused, match="Could not find a property named 'X'"):
        list(source.pages(wanted, FULL))


def test_an_error_of_the_business_logic_is_tried_twice_more_and_no_longer():
    broken = answer({"error": {"code": "", "message": "An error has occurred."}}, 500)
    wire, wanted = wired(finance(), "LegalEntities", *[broken] * 3)
    with opened(wire, finance()) as source, pytest.raises(SourceError, match="An error has occurred"):
        list(source.pages(wanted, FULL))
    assert len(wire.asked("GET", "/data/LegalEntities")) == 3


def test_a_maintenance_page_is_waited_for():
    page = httpx.Response(503, text="<html><title>We are updating</title></html>")
    wire, wanted = wired(finance(), "LegalEntities", page, rows("USMF", key="LegalEntityId"))
    with opened(wire, finance()) as source:
        assert len(list(source.pages(wanted, FULL))) == 1


# --- finance and operations


def test_all_companies_are_asked_for_on_every_page():
    link = f"{ERP}/data/LegalEntities?$skiptoken=2"
    wire, wanted = wired(finance(), "LegalEntities", rows("A", key="LegalEntityId", **{"@odata.nextLink": link}),
                         rows("B", key="LegalEntityId"))
    with opened(wire, finance()) as source:
        list(source.pages(wanted, FULL))
    assert [words(r)["cross-company"] for r in wire.asked("GET", "/data/LegalEntities")] == ["true", "true"]


def test_the_best_set_that_the_release_offers_is_taken():
    connection = finance()
    wire, wanted = wired(connection, "SalesOrderHeaders", sets=("SalesOrderHeadersV2", "SalesOrderHeadersV3"))
    wire.on("GET", "/data/SalesOrderHeadersV3", answer({"value": []}))
    with opened(wire, connection) as source:
        list(source.pages(wanted, FULL))
    assert len(wire.asked("GET", "/data/SalesOrderHeadersV3")) == 1


def test_a_set_that_is_named_in_the_connection_is_taken_and_no_other():
    connection = finance(entity_sets={"SalesOrderHeaders": "ContosoOrders"})
    wire, wanted = wired(connection, "SalesOrderHeaders", answer({"value": []}), sets=("ContosoOrders",))
    with opened(wire, connection) as source:
        list(source.pages(wanted, FULL))
    wire, wanted = wired(connection, "SalesOrderHeaders", sets=("SalesOrderHeadersV4",))
    with opened(wire, connection) as source, pytest.raises(SchemaError, match="does not offer ContosoOrders"):
        list(source.pages(wanted, FULL))


def test_a_release_with_none_of_the_sets_is_told_which_were_looked_for():
    wire, wanted = wired(finance(), "SalesOrderLines", sets=("SalesOrderLinesV9",))
    with opened(wire, finance()) as source, pytest.raises(SchemaError, match="SalesOrderLinesV3 or SalesOrderLines"):
        list(source.pages(wanted, FULL))


def test_a_window_of_noon_stamps_is_whole_days_and_names_them_as_complete():
    """No stamp of change: all of the days is read and compared, and what is no longer there is gone."""
    wire, wanted = wired(finance(), "FreeTextInvoiceHeaders", answer({"value": []}))
    with opened(wire, finance()) as source:
        (page,) = source.pages(wanted, WINDOW)
    assert words(wire.asked("GET", "/data/FreeTextInvoiceHeaders")[0])["$filter"] == (
        "InvoiceDate ge 2026-01-31T00:00:00Z and InvoiceDate le 2026-02-01T23:59:59Z")
    assert page.parents == ("2026-01-31", "2026-02-01")


def test_lines_of_vouchers_are_asked_for_by_the_number_of_their_record():
    connection = finance()
    wire, wanted = wired(connection, "GeneralJournalAccountEntry", answer({"value": []}))
    with opened(wire, connection) as source:
        list(source.pages(wanted, WINDOW, iter(["5637144576", "9007199254740993"])))
    asked = words(wire.asked("GET", "/data/GeneralJournalAccountEntryBiEntities")[0])["$filter"]
    assert asked == "GeneralJournalEntry eq 5637144576 or GeneralJournalEntry eq 9007199254740993"


@pytest.mark.parametrize(("kind", "sent", "means"), [
    ("date", "2024-02-22T12:00:00Z", "2024-02-22"), ("date", "1900-01-01T00:00:00Z", None),
    ("date", "1900-01-01T12:00:00Z", None), ("date", "2154-12-31T23:59:59Z", "2154-12-31"),
    ("date", "2024-02-22T12:00:01Z", "2024-02-22T12:00:01Z"),  # no day: typing refuses it
    ("timestamp", "1900-01-01T00:00:00Z", None), ("timestamp", "2024-02-22T12:00:00Z", "2024-02-22T12:00:00Z"),
    ("text", "1900-01-01T00:00:00Z", "1900-01-01T00:00:00Z"),
])
def test_days_are_noon_and_no_date_is_1900(kind, sent, means):
    wanted = stream(finance(), "CustTrans")
    column = next(c for c in wanted.columns if c.type == kind)
    assert meant(wanted, column, [sent, None]) == [means, None]
    assert meant(wanted, column, pa.array([sent, None])).to_pylist() == [means, None]
    other = stream(sales(), "account")
    assert meant(other, next(c for c in other.columns if c.type == "timestamp"), [sent]) == [sent]
