"""A set whose service keeps track of changes: landed whole once, then by what changed, and whole again when the token
expired; the same rows either way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from simulator import store
from simulator.habits import Habits
from simulator.sap_api import SapSystem
from simulator.serve import Endpoints, start
from tests.conftest import clear_settings
from tests.integration.conftest import Rows
from tieout.extract.open import open_extractor
from tieout.landing.land import LoadResult, land_connection
from tieout.spec import Company, Connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")
RATES = "I_ExchangeRateRawData"
CURRENT = ("select targetcurrency, validitystartdate::text, exchangerate from raw.sap__i_exchangeraterawdata "
           "where _superseded_batch is null and not _is_deleted order by 1, 2")


def rate(currency: str, day: str, value: str) -> dict[str, Any]:
    return {"ExchangeRateType": "M", "SourceCurrency": "EUR", "TargetCurrency": currency, "ValidityStartDate": day,
            "ExchangeRate": value, "NumberOfSourceCurrencyUnits": "1", "NumberOfTargetCurrencyUnits": "1"}


class Vendor:
    """SAP with a handful of rates, which a test may change."""

    def __init__(self, folder: Path, endpoints: Endpoints) -> None:
        self.folder, self.endpoints = folder, endpoints
        self.system: SapSystem = endpoints.apps["sap"].system
        self.connection: Connection = Company(version=1, connections=endpoints.connections()).connection(
            "sap_manufacturing")

    def put(self, *rows: dict[str, Any], into: str = RATES) -> None:
        database = store.open_for_writing(self.folder)
        for row in rows:
            store.write(database, f"sap__{into}", list(row), [list(row.values())], replace=True)
        database.commit()
        database.close()

    def remove(self, value: str, *, of: str = RATES, where: str = "TargetCurrency") -> None:
        database = store.open_for_writing(self.folder)
        database.execute(f'delete from "sap__{of}" where "{where}" = ?', (value,))
        database.commit()
        database.close()

    def land(self, *, stream: str = RATES, **options: Any) -> LoadResult:
        notes: dict[str, Any] = {}
        with open_extractor(self.connection, self.endpoints.secrets["sap_manufacturing"]) as source:
            (result,) = land_connection(self.connection, None, streams=[stream], extractor=source,
                                        on_facts=lambda facts: notes.update(facts.notes), **options)
        self.notes = notes
        return result


@pytest.fixture
def vendor(tmp_path: Path, warehouse: dict[str, str]) -> Iterator[Vendor]:
    state = store.State(seed=0, size="1k", level=1, now="2026-06-30 12:00:00", unit="manufacturing")
    database = store.create(tmp_path, state.tables())
    store.write_state(tmp_path, state)
    store.finish(database, state.tables())
    database.close()
    with start(tmp_path, habits=Habits.none(), sap=SapSystem.calm()) as endpoints:
        found = Vendor(tmp_path, endpoints)
        found.put(*(rate(currency, f"2026-06-{day:02d}", "1.10000")
                    for currency, days in (("GBP", 3), ("JPY", 1), ("USD", 3)) for day in range(1, days + 1)))
        clear_settings()
        yield found


def test_only_what_changed_is_landed_and_what_is_gone_is_closed(vendor: Vendor, rows: Rows) -> None:
    first = vendor.land()
    assert (first.mode, first.received, first.landed) == ("full", 7, 7)
    vendor.put(rate("USD", "2026-06-03", "1.20000"), rate("CHF", "2026-06-03", "0.95000"))
    vendor.remove("JPY")
    second = vendor.land()
    assert (second.mode, second.received, second.landed) == ("incremental", 3, 3)  # the notice is a version too
    assert [tuple(map(str, row)) for row in rows(CURRENT)] == [
        ("CHF", "2026-06-03", "0.95"), ("GBP", "2026-06-01", "1.1"), ("GBP", "2026-06-02", "1.1"),
        ("GBP", "2026-06-03", "1.1"), ("USD", "2026-06-01", "1.1"), ("USD", "2026-06-02", "1.1"),
        ("USD", "2026-06-03", "1.2")]
    assert rows("select count(*) from raw.sap__i_exchangeraterawdata where _extra is not null") == [(0,)]
    third = vendor.land()
    assert (third.mode, third.received, third.deleted) == ("incremental", 0, 0)


def test_a_set_read_by_changes_is_the_set_read_whole(vendor: Vendor, rows: Rows) -> None:
    vendor.system.page_rows, vendor.system.repeats_changes = 2, True
    vendor.land()
    vendor.put(*(rate("USD", f"2026-06-{day:02d}", f"1.3000{day % 10}") for day in range(1, 8)))
    vendor.remove("GBP")
    assert vendor.land().mode == "incremental"
    by_changes = rows(CURRENT)
    again = vendor.land(full=True)
    assert (again.mode, again.landed, again.deleted, again.unchanged) == ("full", 0, 0, len(by_changes))
    assert rows(CURRENT) == by_changes


def test_an_expired_token_is_loud_and_what_was_deleted_meanwhile_is_found(vendor: Vendor, rows: Rows) -> None:
    vendor.land()
    vendor.remove("JPY")
    vendor.put(rate("USD", "2026-06-03", "1.20000"))
    vendor.system.delta_seconds = 0
    result = vendor.land()
    assert (result.mode, result.received, result.deleted) == ("full", 6, 1)
    assert "has expired" in vendor.notes["resynchronised"][RATES]
    assert {currency for currency, *_ in rows(CURRENT)} == {"GBP", "USD"}


def test_a_landing_that_failed_asks_for_the_same_changes_again(vendor: Vendor, rows: Rows,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    vendor.land()
    vendor.put(rate("CHF", "2026-06-03", "0.95000"))
    from tieout.landing import filebook

    def broken(*_: object) -> None:
        raise psycopg.errors.DiskFull("no space left")

    with monkeypatch.context() as patched, pytest.raises(Exception, match="no space left"):
        patched.setattr(filebook, "remember", broken)
        vendor.land()
    assert {currency for currency, *_ in rows(CURRENT)} == {"GBP", "JPY", "USD"}, "token and rows go together"
    assert vendor.land().landed == 1
    assert {currency for currency, *_ in rows(CURRENT)} == {"CHF", "GBP", "JPY", "USD"}


def test_the_a2x_services_keep_no_track_and_the_others_say_that_they_do(vendor: Vendor) -> None:
    import httpx

    keys = vendor.endpoints.secrets["sap_manufacturing"]
    with httpx.Client(base_url=f"{vendor.endpoints.urls['sap']}/sap/opu/odata/sap/",
                      auth=(keys["username"], keys["password"]),
                      headers={"prefer": "odata.track-changes", "accept": "application/json"}) as ask:
        assert "__delta" not in ask.get("API_SALES_ORDER_SRV/A_SalesOrder").json()["d"]
        vendor.system.page_rows = 6
        first = ask.get(f"ZFI_EXCHANGERATE_CDS/{RATES}").json()["d"]
        assert "__delta" not in first, "the link comes with the last page"
        last = ask.get(first["__next"]).json()["d"]
        assert "!deltatoken='D" in last["__delta"]
        vendor.remove("JPY")
        gone = ask.get(last["__delta"]).json()["d"]
        assert [row["ODQ_CHANGEMODE"] for row in gone["results"]] == ["D"]
        again = ask.get(last["__delta"]).json()["d"]
        assert again["results"] == gone["results"], "at least once: the same token tells it again"
        assert ask.get(gone["__delta"]).json()["d"]["results"] == []
        assert ask.get(last["__delta"]).status_code == 410, "a younger token was used"
        assert ask.get(f"ZFI_EXCHANGERATE_CDS/{RATES}?!deltatoken='nonsense'").status_code == 410


@pytest.mark.parametrize(("stream", "key", "left"), [("A_BillingDocument", "BillingDocument", 5),
                                                     ("A_SalesOrder", "SalesOrder", 4)])
def test_a_document_that_was_archived_is_not_cancelled_and_an_order_that_was_deleted_goes(
        vendor: Vendor, rows: Rows, stream: str, key: str, left: int) -> None:
    """SAP deletes no billing document: one that a complete set lacks was archived after years, and still counts."""
    vendor.put(*({key: f"{number:010d}", "CreationDate": "2026-06-01", "TransactionCurrency": "EUR",
                  "TotalNetAmount": "1.00"} for number in range(1, 6)), into=stream)
    assert vendor.land(stream=stream).landed == 5
    vendor.remove("0000000003", of=stream, where=key)
    assert vendor.land(stream=stream, full=True).deleted == 5 - left
    assert rows(f"select count(*) from raw.sap__{stream.lower()} where _superseded_batch is null and not _is_deleted"
                ) == [(left,)]
