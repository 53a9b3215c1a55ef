"""A company of a few records, written by hand, for tests of the stand-in vendors."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from simulator import store
from simulator.salesforce_api.ids import long_id

NOW = "2026-06-30 12:00:00"
DEALS = 2500
DOCUMENTS = 2500


def salesforce_id(prefix: str, number: int) -> str:
    """A valid 18-character id."""
    return long_id(f"{prefix}Hs00000{number:05d}")


ACME, GLOBEX, MERGED = (salesforce_id("001", number) for number in (1, 2, 3))
OWNER = salesforce_id("005", 1)


def build(folder: Path) -> Path:
    """Write the company; the folder."""
    database = store.create(folder)
    store.write_state(folder, store.State(seed=0, size="1k", level=1, now=NOW))
    _salesforce(database)
    _netsuite(database)
    store.finish(database)
    database.close()
    return folder


def insert(database: sqlite3.Connection, table: str, *rows: dict[str, Any]) -> None:
    """Insert or replace records; fields that are not named are NULL."""
    for row in rows:
        store.write(database, table, list(row), [list(row.values())], replace=True)


def deal(number: int, **changes: Any) -> dict[str, Any]:
    """An opportunity. Each third is won; amounts have cents that binary floating point cannot hold."""
    stamp = f"2026-05-01 {number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
    return {
        "Id": salesforce_id("006", number), "Name": f"Deal {number:05d}", "AccountId": (ACME, GLOBEX)[number % 2],
        "OwnerId": OWNER, "StageName": "Closed Won" if number % 3 == 0 else "Qualification",
        "IsWon": int(number % 3 == 0), "IsClosed": int(number % 3 == 0), "Amount": f"{number}.10",
        "CurrencyIsoCode": "EUR", "CloseDate": "2026-05-01", "IsDeleted": 0, "CreatedDate": "2026-01-01 00:00:00",
        "LastModifiedDate": stamp, "SystemModstamp": stamp, **changes,
    }


def _salesforce(database: sqlite3.Connection) -> None:
    stamps = {"CreatedDate": "2026-01-01 00:00:00", "LastModifiedDate": "2026-01-02 03:04:05",
              "SystemModstamp": "2026-01-02 03:04:05"}
    insert(database, "salesforce__User", {
        "Id": OWNER, "Username": "ada@example.com", "Name": "Ada", "IsActive": 1,
        "SystemModstamp": "2026-01-02 03:04:05"})
    insert(
        database, "salesforce__Account",
        {"Id": ACME, "Name": 'Acme "Tools", Zürich\nHead office', "OwnerId": OWNER, "BillingStreet": "Main 1",
         "BillingCity": "Zürich", "AnnualRevenue": "1234567890.12", "Phone": "+41 1", "CurrencyIsoCode": "EUR",
         "IsDeleted": 0, **stamps},
        {"Id": GLOBEX, "Name": "Globex", "IsDeleted": 0, "ParentId": ACME, "CurrencyIsoCode": "EUR", **stamps},
        {"Id": MERGED, "Name": "Acme old", "IsDeleted": 1, "MasterRecordId": ACME, **stamps,
         "SystemModstamp": "2026-06-20 00:00:00"},
    )
    with database:
        insert(database, "salesforce__Opportunity", *(deal(number) for number in range(1, DEALS + 1)))
    line = {"OpportunityId": deal(3)["Id"], "Quantity": "2", "UnitPrice": "1.55", "IsDeleted": 0, **stamps}
    insert(
        database, "salesforce__OpportunityLineItem",
        {"Id": salesforce_id("00k", 1), "TotalPrice": "3.10", "SortOrder": 1, **line},
        {"Id": salesforce_id("00k", 2), "TotalPrice": "0.00", "SortOrder": 2, **line},
    )
    for number, (code, rate) in enumerate({"USD": "1", "EUR": "0.92"}.items(), 1):
        insert(database, "salesforce__CurrencyType", {
            "Id": salesforce_id("0CE", number), "IsoCode": code, "ConversionRate": rate, "DecimalPlaces": 2,
            "IsActive": 1, "IsCorporate": int(code == "USD"), "SystemModstamp": "2026-01-01 00:00:00"})
    for number, (start, end) in enumerate((("2026-01-01", "2026-02-01"), ("2026-02-01", "9999-12-31")), 1):
        insert(database, "salesforce__DatedConversionRate", {
            "Id": salesforce_id("04w", number), "IsoCode": "EUR", "ConversionRate": f"0.9{number}", "StartDate": start,
            "NextStartDate": end, "SystemModstamp": "2026-01-01 00:00:00"})
    insert(database, "salesforce__OrderStatus", {
        "Id": salesforce_id("10J", 1), "ApiName": "Activated", "MasterLabel": "Activated", "StatusCode": "Activated"})


def document(number: int, **changes: Any) -> dict[str, Any]:
    """An invoice; stamps are a minute apart, in UTC."""
    stamp = f"2026-05-{1 + number // 1440:02d} {number // 60 % 24:02d}:{number % 60:02d}:00"
    return {
        "id": number, "tranid": f"INV{number}", "type": "CustInvc", "abbrevtype": "INV", "recordtype": "invoice",
        "status": "A", "entity": 7, "currency": 1, "postingperiod": 3, "exchangerate": "1.1", "foreigntotal": "1190.00",
        "foreignamountunpaid": "80.50", "posting": 1, "voided": 0, "trandate": "2026-01-31", "duedate": None,
        "createddate": stamp, "lastmodifieddate": stamp, **changes,
    }


def _netsuite(database: sqlite3.Connection) -> None:
    insert(
        database, "netsuite__currency",
        {"id": 1, "symbol": "USD", "name": "US Dollar", "currencyprecision": 2, "exchangerate": "1"},
        {"id": 2, "symbol": "GBP", "name": "Pound", "currencyprecision": 2, "exchangerate": "1.27"})
    insert(database, "netsuite__subsidiary", {"id": 1, "name": "Parent", "country": "US", "currency": 1})
    insert(
        database, "netsuite__accountingbook",
        {"id": 1, "name": "Primary", "isprimary": 1}, {"id": 2, "name": "Second", "isprimary": 0})
    insert(database, "netsuite__accountingperiod", {
        "id": 3, "periodname": "Jan 2026", "startdate": "2026-01-01", "enddate": "2026-01-31", "isquarter": 0,
        "isyear": 0})
    insert(database, "netsuite__customer", {
        "id": 7, "entityid": "C7", "companyname": "Acme", "altname": "Acme Ltd", "searchstage": "Customer",
        "lastmodifieddate": "2026-01-01 00:00:00"})
    with database:
        insert(database, "netsuite__transaction", *(document(number) for number in range(1, DOCUMENTS + 1)))
        for number in range(1, 11):
            line = {"transaction": number, "linelastmodifieddate": "2026-05-01 00:00:00", "subsidiary": 1}
            insert(
                database, "netsuite__transactionline",
                {"uniquekey": 10 * number, "id": 0, "mainline": 1, "taxline": 0, "iscogs": 0,
                 "foreignamount": "1190.00", **line},
                {"uniquekey": 10 * number + 1, "id": 1, "mainline": 0, "taxline": 0, "iscogs": None,
                 "foreignamount": "-1000.10", "quantity": "-1", **line},
                {"uniquekey": 10 * number + 2, "id": 2, "mainline": 0, "taxline": 1, "iscogs": 0,
                 "foreignamount": "-189.90", **line})
            for book in (1, 2):
                insert(database, "netsuite__transactionaccountingline", {
                    "accountingbook": book, "transaction": number, "transactionline": 1, "account": 5, "posting": 1,
                    "amount": "-1000.10", "credit": "1000.10", "lastmodifieddate": "2026-05-01 00:00:00"})
