"""Delta tokens of OData 2 and delta links of OData 4, by the wire: what is asked, what is kept, what is gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.unit.extract_stub import Wire, answer
from tests.unit.test_extract_odata import HOST, edmx, opened, sap, stream
from tieout.errors import SourceError
from tieout.extract import Window
from tieout.extract.deliveries import Delivery, delivers
from tieout.extract.http import Refused
from tieout.spec import Stream

SERVICE = "/sap/opu/odata/sap/ZFX_CDS"
RATES = f"{SERVICE}/I_ExchangeRateRawData"
LINK = f"{HOST}{RATES}?!deltatoken='D20260301_000001'"
NEXT = f"{HOST}{RATES}?!deltatoken='D20260302_000002'"
END = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = {"ExchangeRateType": "M", "SourceCurrency": "EUR", "TargetCurrency": "USD",
       "ValidityStartDate": "/Date(1767225600000)/"}


def metadata(of: Stream, *, mode: bool = True) -> httpx.Response:
    """With or without the property that tells how a record changed."""
    found = edmx(of)
    prop = '<Property Name="ODQ_CHANGEMODE" Type="Edm.String"/>' if mode else ""
    return httpx.Response(200, text=found.text.replace("</Key>", f"</Key>{prop}"), headers=found.headers)


def rate(value: str, mode: str = "", **other: str) -> dict[str, str]:
    return {**KEY, "ExchangeRate": value, "ODQ_CHANGEMODE": mode, "ODQ_ENTITYCNTR": "1", "NeverAsked": "x", **other}


def page(*rows: dict, following: str | None = None, delta: str | None = None) -> httpx.Response:
    words = {"__next": following, "__delta": delta}
    return answer({"d": {"results": list(rows), **{word: text for word, text in words.items() if text}}})


def served(*pages: object, mode: bool = True, **options: object) -> tuple[Wire, Stream]:
    wanted = stream("I_ExchangeRateRawData", **options)
    wire = Wire().on("GET", rf"{SERVICE}/\$metadata", metadata(wanted, mode=mode), always=True)
    return wire.on("GET", RATES, *pages), wanted


def delivered(wire: Wire, wanted: Stream, known: list, end: datetime = END, *, full: bool = False,
              notes: dict | None = None) -> tuple[Delivery, dict, list]:
    """(the delivery, key's currency → rate, keys that are gone)."""
    with opened(wire, sap(exchange_rate_service="ZFX_CDS")) as source:
        assert delivers(source, wanted)
        (made,) = source.deliveries(wanted, Window(None, end, full=full), known)
        found, gone = {}, []
        for each in made.pages():
            value = json.loads(each.body)
            for step in filter(None, each.records.split(".")):
                value = value[step]
            gone += value if each.deleted else []
            found |= {} if each.deleted else {row["TargetCurrency"]: row for row in value}
        if notes is not None:
            notes |= source.facts.notes
        return made, found, gone


def test_the_complete_set_asks_the_service_to_keep_track_and_keeps_the_link_of_the_last_page():
    wire, wanted = served(page(rate("1.1"), following=f"{HOST}{RATES}?$skiptoken=1"),
                          page(rate("0.9", TargetCurrency="GBP"), delta=LINK))
    made, found, _ = delivered(wire, wanted, [])
    assert (made.mode, sorted(found), made.ends_at) == ("full", ["GBP", "USD"], END)
    assert [one.version for one in made.files] == [LINK]
    first = wire.asked("GET", RATES)[0]
    assert first.headers["prefer"] == "odata.track-changes,odata.maxpagesize=3"
    assert b"top" not in first.url.query  # the link comes with the last page of the server's own


def test_a_delta_brings_what_changed_and_what_is_gone_and_the_next_link():
    wire, wanted = served(page(rate("1.1"), delta=LINK))
    first, *_ = delivered(wire, wanted, [])
    wire.on("GET", RATES, page(rate("1.2", "U"), rate("7", "C", TargetCurrency="JPY"),
                               rate("", "D", TargetCurrency="GBP"), delta=NEXT))
    made, found, gone = delivered(wire, wanted, first.files, END + timedelta(hours=1))
    assert made.mode == "incremental"
    assert {name: row["ExchangeRate"] for name, row in found.items()} == {"USD": "1.2", "JPY": "7"}
    assert set(found["USD"]) == {c.field for c in wanted.columns} & set(rate("1")), "only what the complete set held"
    assert gone == [{**KEY, "TargetCurrency": "GBP"}]
    assert made.files[0].version == NEXT
    asked = wire.asked("GET", RATES)[-1].url
    assert asked.params["!deltatoken"] == "'D20260301_000001'"
    assert b"sap-client=100" in asked.query  # SAP drops the client from its links


def test_a_record_that_changed_twice_counts_as_it_was_last():
    wire, wanted = served(page(rate("1.1"), delta=LINK))
    first, *_ = delivered(wire, wanted, [])
    gone_twice = [rate("", "D", TargetCurrency="GBP")] * 2
    wire.on("GET", RATES, page(rate("1.2", "U"), rate("", "D"), following=f"{LINK}&$skiptoken=2"),
            page(rate("1.3", "C"), *gone_twice, delta=NEXT))
    _, found, gone = delivered(wire, wanted, first.files)
    assert found["USD"]["ExchangeRate"] == "1.3"
    assert [row["TargetCurrency"] for row in gone] == ["GBP"]


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_token_that_expired_is_loud_and_everything_is_read_again(status, caplog):
    wire, wanted = served(page(rate("1.1"), delta=LINK))
    first, *_ = delivered(wire, wanted, [])
    expired = answer({"error": {"code": "X", "message": {"lang": "en", "value": "Delta token has expired"}}}, status)
    wire.on("GET", RATES, expired, page(rate("1.5"), delta=NEXT))
    notes: dict = {}
    made, found, _ = delivered(wire, wanted, first.files, notes=notes)
    assert (made.mode, found["USD"]["ExchangeRate"], made.files[0].version) == ("full", "1.5", NEXT)
    assert "Delta token has expired" in notes["resynchronised"]["I_ExchangeRateRawData"]
    assert "reading the complete set" in caplog.text


def test_another_refusal_is_no_expiry():
    wire, wanted = served(page(rate("1.1"), delta=LINK))
    first, *_ = delivered(wire, wanted, [])
    wire.on("GET", RATES, answer({"error": {"code": "X", "message": {"value": "no authorisation"}}}, 403))
    with pytest.raises(Refused, match="no authorisation"):
        delivered(wire, wanted, first.files)


def test_a_link_to_a_host_that_we_left_is_not_followed():
    wire, wanted = served(page(rate("1.1"), delta=LINK.replace(HOST, "https://old.example.com")))
    first, *_ = delivered(wire, wanted, [])
    wire.on("GET", RATES, page(rate("1.5"), delta=NEXT))
    made, *_ = delivered(wire, wanted, first.files)
    assert made.mode == "full"


def test_full_is_full_whatever_was_kept():
    wire, wanted = served(page(rate("1.1"), delta=LINK), page(rate("1.2"), delta=NEXT))
    first, *_ = delivered(wire, wanted, [])
    made, *_ = delivered(wire, wanted, first.files, full=True)
    assert made.mode == "full"


def test_a_service_that_does_not_tell_how_records_change_is_read_by_key_as_ever():
    wire, wanted = served(mode=False)
    with opened(wire, sap(exchange_rate_service="ZFX_CDS")) as source:
        assert not delivers(source, wanted)


def test_a_service_that_gives_no_link_is_read_whole_each_time():
    wire, wanted = served(page(rate("1.1")), page(rate("1.2")))
    notes: dict = {}
    first, *_ = delivered(wire, wanted, [], notes=notes)
    assert notes["no_change_tracking"] == ["I_ExchangeRateRawData"]
    made, found, _ = delivered(wire, wanted, first.files)
    assert (made.mode, found["USD"]["ExchangeRate"]) == ("full", "1.2")


def test_a_set_that_tells_no_deletions_is_read_whole_once_a_day():
    wire, wanted = served(page(rate("1.1"), delta=LINK), page(delta=NEXT), page(rate("1.2"), delta=LINK), mode=False,
                          delta="always")
    first, *_ = delivered(wire, wanted, [])
    second, *_ = delivered(wire, wanted, first.files, END + timedelta(hours=23))
    third, *_ = delivered(wire, wanted, [*first.files, *second.files], END + timedelta(hours=24))
    assert [first.mode, second.mode, third.mode] == ["full", "incremental", "full"]


@pytest.mark.parametrize("address", [
    f"{HOST}{RATES}(ExchangeRateType='M',SourceCurrency='EUR',TargetCurrency='U''D',"
    "ValidityStartDate=datetime'2026-01-01T00:00:00')",
    "I_ExchangeRateRawData(ExchangeRateType='M',SourceCurrency='EUR',TargetCurrency='U%27%27D',"
    "ValidityStartDate=datetime'2026-01-01T00%3A00%3A00')",
])
def test_a_deleted_entity_may_be_told_by_its_address_alone(address):
    wire, wanted = served(page(rate("1.1"), delta=LINK))
    first, *_ = delivered(wire, wanted, [])
    wire.on("GET", RATES, page({"@odata.context": "$metadata#I_ExchangeRateRawData/$deletedEntity", "id": address},
                               delta=NEXT))
    _, _, gone = delivered(wire, wanted, first.files)
    assert gone == [{**KEY, "TargetCurrency": "U'D", "ValidityStartDate": "2026-01-01"}]


def test_a_deletion_without_a_key_is_an_error_and_no_silence():
    wire, wanted = served(page(rate("1.1"), delta=LINK))
    first, *_ = delivered(wire, wanted, [])
    wire.on("GET", RATES, page({"ODQ_CHANGEMODE": "D"}, delta=NEXT))
    with pytest.raises(SourceError, match="does not tell the key"):
        delivered(wire, wanted, first.files)


def test_version_4_marks_what_was_removed():
    wanted = stream("I_ExchangeRateRawData", version=4)
    wire = Wire().on("GET", rf"{SERVICE}/\$metadata", metadata(wanted, mode=False), always=True)
    wire.on("GET", RATES, answer({"value": [rate("1.1")], "@odata.deltaLink": "I_ExchangeRateRawData?$deltatoken=1"}),
            answer({"value": [{**KEY, "ExchangeRate": "1.2"},
                              {"@removed": {"reason": "deleted"}, **KEY, "TargetCurrency": "GBP"}],
                    "@odata.deltaLink": "I_ExchangeRateRawData?$deltatoken=2"}))
    first, *_ = delivered(wire, wanted, [])
    made, found, gone = delivered(wire, wanted, first.files)
    assert (found["USD"]["ExchangeRate"], [row["TargetCurrency"] for row in gone]) == ("1.2", ["GBP"])
    assert made.files[0].version.endswith("$deltatoken=2")
