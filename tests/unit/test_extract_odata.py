"""OData 2 and 4, by the wire: how it pages, what it asks for, and what it refuses to believe."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx
import pytest

from tests.unit.extract_stub import NOW, Sleeps, Wire, answer
from tieout.errors import AuthError, ConfigError, SchemaError, SourceError, UnsafeLinkError
from tieout.extract import Window
from tieout.extract.http import Damaged, Refused
from tieout.extract.odata import OdataExtractor
from tieout.extract.odata_dialect import V2, V4
from tieout.extract.odata_metadata import entity_sets
from tieout.spec import Connection, Stream

HOST = "https://s4.example.com"
ROOT = "/sap/opu/odata/sap/API_SALES_ORDER_SRV"
ORDERS = f"{ROOT}/A_SalesOrder"
SECRETS = {"username": "TIEOUT", "password": "the-password", "client_id": "the-client", "client_secret": "the-secret"}
FULL = Window(None, datetime(2026, 3, 1, tzinfo=UTC), full=True)
WINDOW = Window(datetime(2026, 1, 31, 22, 4, 5, tzinfo=UTC), datetime(2026, 2, 1, 8, tzinfo=UTC))


def sap(auth: str = "basic", **options: object) -> Connection:
    return Connection(name="erp_de", system="sap", auth=auth, time_zone="Europe/Berlin",
                      options={"base_url": HOST, "client": "100", "page_size": 3, **options})


def stream(name: str, **options: object) -> Stream:
    found = next(s for s in sap().selected() if s.name == name)
    return found.model_copy(update={"options": {**found.options, **options}})


def edmx(*streams: Stream, without: tuple[str, ...] = (), types: dict[str, str] | None = None) -> httpx.Response:
    """The metadata of a service that serves what these streams want."""
    kinds = {"amount": "Edm.Decimal", "rate": "Edm.Decimal", "boolean": "Edm.Boolean", "date": "Edm.DateTime",
             "timestamp": "Edm.DateTimeOffset"}
    body = ""
    for each in streams:
        keys = "".join(f'<PropertyRef Name="{each.column(name).field}"/>' for name in each.key)
        told = {c.field: (types or {}).get(c.field, kinds.get(c.type, "Edm.String")) for c in each.columns}
        properties = "".join(f'<Property Name="{n}" Type="{t}"/>' for n, t in told.items() if n not in without)
        body += f'<EntityType Name="{each.name}Type"><Key>{keys}</Key>{properties}</EntityType>'
        entity_set = f'<EntitySet Name="{each.name}" EntityType="N.{each.name}Type"/>'
        body += f'<EntityContainer Name="C">{entity_set}</EntityContainer>'
    text = ('<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices>'
            f'<Schema Namespace="N" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">{body}</Schema>'
            "</edmx:DataServices></edmx:Edmx>")
    return httpx.Response(200, content=text.encode(), headers={"content-type": "application/xml"})


def page(*keys: str, total: int | None = None, following: str | None = None) -> httpx.Response:
    rows = [{"__metadata": {"uri": f"{HOST}{ORDERS}('{key}')"}, "SalesOrder": key} for key in keys]
    found: dict[str, object] = {"results": rows}
    if total is not None:
        found["__count"] = str(total)
    if following:
        found["__next"] = following
    return answer({"d": found})


def opened(wire: Wire, connection: Connection | None = None) -> OdataExtractor:
    return OdataExtractor(connection or sap(), SECRETS, transport=wire, sleep=Sleeps(), clock=lambda: NOW)


def served(*pages: object, of: Stream | None = None, path: str = ORDERS) -> tuple[Wire, Stream]:
    wanted = of or stream("A_SalesOrder")
    root = path.rpartition("/")[0]
    wire = Wire().on("GET", rf"{root}/\$metadata".replace(";", "[;]"), edmx(wanted), always=True)
    return wire.on("GET", path, *pages), wanted


def keys(pages: list, field: str = "SalesOrder") -> list[str]:
    found = []
    for each in pages:
        value = json.loads(each.body)
        for step in each.records.split("."):
            value = value[step]
        found += [row[field] for row in value]
    return found


def words(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}


# --- paging


def test_pages_go_by_key_and_are_counted():
    wire, wanted = served(page("1", "2", "3", total=5), page("4", "5"))
    with opened(wire) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1", "2", "3", "4", "5"]
    first, second = (words(r) for r in wire.asked("GET", ORDERS))
    assert (first["$top"], first["$orderby"], first["$inlinecount"]) == ("3", "SalesOrder", "allpages")
    assert first["sap-client"] == "100"
    assert first["$format"] == "json"
    assert "$filter" not in first
    assert second["$filter"] == "SalesOrder gt '3'"
    assert "$inlinecount" not in second  # it costs the server a second statement


def test_next_links_are_followed_whatever_top_said():
    link = f"{HOST}{ORDERS}?$select=SalesOrder&$skiptoken=2"
    wire, wanted = served(page("1", "2", total=3, following=link), page("3"))
    with opened(wire, sap(page_size=10)) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1", "2", "3"]
    followed = wire.asked("GET", ORDERS)[1]
    assert words(followed) == {"$select": "SalesOrder", "$skiptoken": "2", "sap-client": "100"}  # SAP drops the client


def test_a_top_that_was_cut_without_a_word_loses_nothing():
    wire, wanted = served(page("1", "2", total=3), page("3"))
    with opened(wire) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1", "2", "3"]


def test_a_full_page_may_have_a_successor_even_where_the_count_is_reached():
    wire, wanted = served(page("1", "2", "3", total=3), page("4"))  # servers cap what they count
    with opened(wire) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1", "2", "3", "4"]


def test_without_a_count_reading_ends_with_an_empty_page():
    wire, wanted = served(page("1", "2"), page())
    with opened(wire) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1", "2"]


def test_a_list_without_results_is_read_too():
    wire, wanted = served(answer({"d": [{"SalesOrder": "1"}]}), answer({"d": []}))
    with opened(wire) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1"]


def test_rows_that_are_left_out_are_read_again_and_then_an_error():
    wire, wanted = served(*[page("1", total=3), page()] * 4)
    wire.on("GET", rf"{ORDERS}/\$count", httpx.Response(200, text="3"), always=True)
    with opened(wire) as source, pytest.raises(SourceError, match="1 of 3 rows came, after 3 restarts"):
        list(source.pages(wanted, FULL))


def test_rows_that_left_meanwhile_are_no_loss():
    wire, wanted = served(page("1", total=3), page())
    wire.on("GET", rf"{ORDERS}/\$count", httpx.Response(200, text="1"))
    with opened(wire) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1"]


def test_a_server_that_ignores_the_filter_is_found_out():
    wire, wanted = served(page("1", "2", "3", total=5), page("1", "2", "3"))
    with opened(wire) as source, pytest.raises(SourceError, match="same record|same page"):
        list(source.pages(wanted, FULL))


def test_composite_keys_are_compared_part_by_part():
    wanted = stream("A_SalesOrderItem")
    rows = [{"SalesOrder": "7", "SalesOrderItem": str(n)} for n in (10, 20, 30, 40)]
    path = f"{ROOT}/A_SalesOrderItem"
    wire, _ = served(answer({"d": {"results": rows[:3], "__count": "4"}}), answer({"d": {"results": rows[3:]}}),
                     of=wanted, path=path)
    with opened(wire) as source:
        assert len(list(source.pages(wanted, FULL))) == 2
    asked = words(wire.asked("GET", path)[1])["$filter"]
    assert asked == "(SalesOrder gt '7') or (SalesOrder eq '7' and SalesOrderItem gt '30')"


def test_a_link_to_another_host_is_refused():
    wire, wanted = served(page("1", total=2, following=f"https://evil.example.com{ORDERS}?$skiptoken=1"))
    with opened(wire) as source, pytest.raises(UnsafeLinkError, match="evil.example.com"):
        list(source.pages(wanted, FULL))


def test_a_link_that_comes_twice_ends_in_an_error():
    link = f"{HOST}{ORDERS}?$skiptoken=1"
    wire, wanted = served(page("1", total=9, following=link), page("2", following=link))
    with opened(wire) as source, pytest.raises(SourceError, match="same place"):
        list(source.pages(wanted, FULL))


def test_a_link_that_expired_starts_the_statement_again():
    link = f"{HOST}{ORDERS}?$skiptoken=1"
    gone = answer({"error": {"code": "X/400", "message": {"lang": "en", "value": "skiptoken expired"}}}, 400)
    wire, wanted = served(page("1", total=2, following=link), gone, page("1", "2", total=2))
    with opened(wire) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1", "1", "2"]  # landing keeps each key once
        assert source.facts.notes["restarts"] == {"A_SalesOrder": 1}


# --- windows


def test_a_window_of_stamps_is_half_open_and_asks_for_new_records_by_their_day():
    wire, wanted = served(page(total=0))
    with opened(wire) as source:
        list(source.pages(wanted, WINDOW))
    assert words(wire.asked("GET", ORDERS)[0])["$filter"] == (
        "(LastChangeDateTime ge datetimeoffset'2026-01-31T22:04:05Z' and "
        "LastChangeDateTime lt datetimeoffset'2026-02-01T08:00:00Z') or "
        "(CreationDate ge datetime'2026-01-31T00:00:00' and CreationDate le datetime'2026-02-01T00:00:00')")


def test_a_window_of_days_takes_its_last_day_and_those_of_the_systems_zone():
    wanted = stream("A_BusinessPartner")
    path = "/sap/opu/odata/sap/API_BUSINESS_PARTNER/A_BusinessPartner"
    wire, _ = served(page(total=0), of=wanted, path=path)
    late = Window(datetime(2026, 1, 31, 23, 30, tzinfo=UTC), datetime(2026, 2, 1, 8, tzinfo=UTC))
    with opened(wire) as source:
        list(source.pages(wanted, late))
    assert words(wire.asked("GET", path)[0])["$filter"].startswith(
        "(LastChangeDate ge datetime'2026-02-01T00:00:00' and LastChangeDate le datetime'2026-02-01T00:00:00')")


def test_a_window_and_a_page_are_both_conditions():
    wire, wanted = served(page("1", "2", "3", total=4), page("4"))
    with opened(wire) as source:
        list(source.pages(wanted, WINDOW))
    asked = words(wire.asked("GET", ORDERS)[1])["$filter"]
    assert asked.startswith("((LastChangeDateTime ge")
    assert asked.endswith(") and (SalesOrder gt '3')")


def test_blanks_are_no_plus_signs():
    wire, wanted = served(page(total=0))
    with opened(wire) as source:
        list(source.pages(wanted, WINDOW))
    raw = wire.asked("GET", ORDERS)[0].url.query
    assert b"+" not in raw
    assert b"%20ge%20" in raw


# --- items of documents


def test_items_come_in_groups_and_name_their_documents_on_the_last_page():
    wanted = stream("A_SalesOrderItem")
    path = f"{ROOT}/A_SalesOrderItem"

    def items(request: httpx.Request) -> httpx.Response:
        asked = words(request)["$filter"]
        rows = [{"SalesOrder": "1", "SalesOrderItem": "10"}] if "eq '1'" in asked and "gt" not in asked else []
        return answer({"d": {"results": rows, "__count": str(len(rows))}})

    wire, _ = served(items, of=wanted, path=path)
    wire.on("GET", path, items, always=True)
    with opened(wire) as source:
        found = list(source.pages(wanted, WINDOW, iter([str(n) for n in range(1, 61)])))
    assert [len(each.parents) for each in found] == [50, 10]
    assert keys(found) == ["1"]
    asked = sorted(words(request)["$filter"] for request in wire.asked("GET", path))  # groups are read side by side
    assert asked[0].startswith("SalesOrder eq '1' or SalesOrder eq '2'")


# --- what is served


def test_a_property_that_is_not_served_is_named():
    wanted = stream("A_SalesOrder")
    wire = Wire().on("GET", rf"{ROOT}/\$metadata", edmx(wanted, without=("TotalNetAmount",)))
    with opened(wire) as source, pytest.raises(SchemaError, match="TotalNetAmount"):
        list(source.pages(wanted, FULL))


def test_an_optional_property_may_be_absent():
    wire, wanted = served(page(total=0))
    wire.on("GET", rf"{ROOT}/\$metadata", edmx(wanted, without=("ExternalDocumentID",)))
    with opened(wire) as source:
        list(source.pages(wanted, FULL))
        assert source.facts.notes["absent_fields"] == {"A_SalesOrder": ["ExternalDocumentID"]}
    assert "ExternalDocumentID" not in words(wire.asked("GET", ORDERS)[0])["$select"]


def test_a_service_that_is_not_activated_says_so():
    told = ('<?xml version="1.0"?><error xmlns="x"><code>/IWFND/MED/170</code><message xml:lang="en">No service found'
            "</message></error>")
    wire = Wire().on("GET", rf"{ROOT}/\$metadata", httpx.Response(403, text=told), always=True)
    with opened(wire) as source, pytest.raises(SchemaError, match="does not offer A_SalesOrder"):
        list(source.pages(stream("A_SalesOrder"), FULL))


def test_a_proxys_404_is_not_the_vendors_word():
    wire = Wire().on("GET", r".*\$metadata", httpx.Response(404, text="<html><title>nginx</title></html>"), always=True)
    with opened(wire) as source, pytest.raises(Refused, match="nginx"):
        source.available(stream("A_MatlStkInAcctMod"))


def test_rates_are_offered_only_where_the_company_names_its_service():
    wanted = stream("I_ExchangeRateRawData")
    with opened(Wire()) as source:
        assert source.available(wanted) is False
    wire = Wire().on("GET", r"/sap/opu/odata/sap/ZFX_CDS/\$metadata", edmx(wanted))
    with opened(wire, sap(exchange_rate_service="ZFX_CDS")) as source:
        assert source.available(wanted) is True


@pytest.mark.parametrize("document", [
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><edmx>&b;</edmx>',
    b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><edmx/>',
    b"<edmx><Schema Namespace='N'><EntityType Name='A'>",
    b"<html><body>Maintenance</body></html>",
])
def test_metadata_that_could_bite_is_refused(document):
    with pytest.raises(Damaged):
        entity_sets(document)


def test_types_inherit_and_go_by_alias():
    found = entity_sets(
        b"<Edmx><Schema Namespace='N.Long' Alias='S'><EntityType Name='Base'><Key><PropertyRef Name='id'/></Key>"
        b"<Property Name='id' Type='Edm.Guid'/></EntityType><EntityType Name='Deal' BaseType='S.Base'>"
        b"<Property Name='name' Type='Edm.String'/></EntityType><EntityContainer Name='C'>"
        b"<EntitySet Name='deals' EntityType='N.Long.Deal'/></EntityContainer></Schema></Edmx>")
    assert found["deals"].key == ["id"]
    assert found["deals"].properties == {"id": "Edm.Guid", "name": "Edm.String"}


# --- errors


def test_an_html_401_is_wrong_credentials_and_is_not_tried_twice():
    page_of_401 = httpx.Response(401, text="<html><head><title>Anmeldung fehlgeschlagen</title></head></html>",
                                 headers={"content-type": "text/html"})
    wire = Wire().on("GET", r".*", page_of_401, always=True)
    with opened(wire) as source, pytest.raises(AuthError, match="Anmeldung fehlgeschlagen"):
        source.test()
    assert len(wire.requests) == 1  # a second try would lock the user


def test_a_logon_page_with_200_is_no_data():
    logon = httpx.Response(200, text="<!DOCTYPE html><html><head><title>Anmeldung</title>")
    wire = Wire().on("GET", r".*", logon, always=True)
    with opened(wire) as source, pytest.raises(SourceError, match="Anmeldung"):
        source.test()


def test_errors_say_saps_text():
    refused = answer({"error": {"code": "005056A509B11EE1B9A8FEC11C21578E", "message": {
        "lang": "en", "value": "Property Foo not found"}, "innererror": {"transactionid": "1"}}}, 400)
    wire, wanted = served(refused)
    with opened(wire) as source, pytest.raises(Refused, match="005056A509B11EE1B9A8FEC11C21578E: Prop"):
        list(source.pages(wanted, FULL))


def test_a_timeout_dump_and_a_busy_system_are_tried_again():
    dump = answer({"error": {"code": "/IWBEP/CX_MGW_TECH_EXCEPTION", "message": {"value": "TIME_OUT"}}}, 500)
    busy = httpx.Response(503, headers={"retry-after": "7"}, text="")
    wire, wanted = served(dump, busy, page("1", total=1))
    sleeps = Sleeps()
    with OdataExtractor(sap(), SECRETS, transport=wire, sleep=sleeps, clock=lambda: NOW) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1"]
    assert 7 in sleeps


def test_a_page_cut_in_half_is_asked_for_again():
    wire, wanted = served(httpx.Response(200, text='{"d":{"results":[{"SalesOrder":"1"}'), page("1", total=1))
    with opened(wire) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1"]


# --- authentication


def test_client_credentials_and_a_token_that_ends_in_the_midst():
    granted = [answer({"access_token": f"secret-{n}", "token_type": "Bearer", "expires_in": "3600"}) for n in (1, 2)]
    wire, wanted = served(httpx.Response(401, text="<html></html>"), page("1", total=1))
    wire.on("POST", "/sap/bc/sec/oauth2/token", *granted)
    token_url = f"{HOST}/sap/bc/sec/oauth2/token"
    connection = sap("client_credentials", token_url=token_url, scope="API_SALES_ORDER_SRV_0001")
    with opened(wire, connection) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1"]
    asked = wire.asked("POST", "/sap/bc/sec/oauth2/token")[0]
    assert asked.headers["authorization"].startswith("Basic ")
    assert parse_qs(asked.content.decode()) == {
        "grant_type": ["client_credentials"], "scope": ["API_SALES_ORDER_SRV_0001"]}
    assert wire.asked("GET", ORDERS)[-1].headers["authorization"] == "Bearer secret-2"


def test_client_credentials_need_the_address_of_the_token():
    with pytest.raises(ConfigError, match="token_url"):
        opened(Wire(), sap("client_credentials"))


def test_a_reader_never_asks_for_a_csrf_token():
    wire, wanted = served(page("1", total=1))
    with opened(wire) as source:
        list(source.pages(wanted, FULL))
    assert all("x-csrf-token" not in request.headers for request in wire.requests)


# --- OData 4


def test_version_4_says_value_and_follows_relative_links():
    wanted = stream("A_SalesOrder", version=4, paging="server")
    rows = [{"@odata.etag": "x", "SalesOrder": n} for n in ("1", "2")]
    wire, _ = served(
        answer({"@odata.count": 2, "value": rows[:1], "@odata.nextLink": "A_SalesOrder?$skiptoken=1"}),
        answer({"value": rows[1:]}), of=wanted)
    with opened(wire) as source:
        assert keys(list(source.pages(wanted, FULL))) == ["1", "2"]
    first, second = wire.asked("GET", ORDERS)
    assert words(first)["$count"] == "true"
    assert "$top" not in words(first)
    assert first.headers["prefer"] == "odata.maxpagesize=3"
    assert "IEEE754Compatible=true" in first.headers["accept"]  # else amounts are binary floating point
    assert words(second) == {"$skiptoken": "1", "sap-client": "100"}


def test_version_4_writes_dates_as_they_are():
    wanted = stream("A_SalesOrder", version=4)
    wire = Wire().on("GET", rf"{ROOT}/\$metadata", edmx(wanted, types={"CreationDate": "Edm.Date"}))
    wire.on("GET", ORDERS, answer({"value": [], "@odata.count": 0}))
    with opened(wire) as source:
        list(source.pages(wanted, WINDOW))
    assert words(wire.asked("GET", ORDERS)[0])["$filter"] == (
        "(LastChangeDateTime ge 2026-01-31T22:04:05Z and LastChangeDateTime lt 2026-02-01T08:00:00Z) or "
        "(CreationDate ge 2026-01-31 and CreationDate le 2026-02-01)")


@pytest.mark.parametrize(("value", "kind", "two", "four"), [
    ("O'Neill", "Edm.String", "'O''Neill'", "'O''Neill'"),
    ("12.50", "Edm.Decimal", "12.50M", "12.50"),
    ("5", "Edm.Int64", "5L", "5"),
    (True, "Edm.Boolean", "true", "true"),
    ("0050-56", "Edm.Guid", "guid'0050-56'", "0050-56"),
    ("/Date(1767225600000)/", "Edm.DateTime", "datetime'2026-01-01T00:00:00'", None),
    ("/Date(-86400000)/", "Edm.DateTime", "datetime'1969-12-31T00:00:00'", None),
    ("/Date(1767258902000+0000)/", "Edm.DateTimeOffset", "datetimeoffset'2026-01-01T09:15:02Z'", None),
    ("2026-01-31T10:00:00Z", "Edm.DateTimeOffset", None, "2026-01-31T10:00:00Z"),
    ("PT09H15M02S", "Edm.Time", "time'PT09H15M02S'", "PT09H15M02S"),
])
def test_literals(value, kind, two, four):
    assert two is None or V2.literal(value, kind) == two
    assert four is None or V4.literal(value, kind) == four
