"""SAP's master data as of a moment: company codes, materials and their stock, rates, business partners."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from simulator.clock import DAY, FIRST_DAY, RATES_FROM, date_text, stamp_text
from simulator.customers import Party, Record
from simulator.money import CURRENCIES, ENTITIES, RATE_SCALE, amount_text, rounded
from simulator.plan import World
from simulator.sap_api.entities import inner
from simulator.sap_numbers import company_code, plant, sales_organisation

Values = tuple[str, dict[str, Any]]

CHART, VARIANT = "YCOA", "K4"
SALES_TYPES = {"Hardware": "TRAD", "Software": "SERV", "Services": "SERV"}
_BEGIN = FIRST_DAY - 200
_LARGEST_RATE = 9_999_99999  # DEC 9,5
_FACTOR = 1000


def rows(world: World, now: int) -> Iterator[Values]:
    """(set, values) of all master data as it is at `now`, but for partners."""
    yield from _companies(world)
    yield from _products(world)
    yield from _stock(world, now)
    yield from _rates(world, now)


def partner_rows(party: Party, now: int) -> Iterator[Values]:
    """(set, values) of the party's records."""
    for record in party.erp:
        yield from _partner(party, record, now)


def _companies(world: World) -> Iterator[Values]:
    for entity in world.unit.entities.values():
        yield "A_CompanyCode", {
            "CompanyCode": company_code(entity), "CompanyCodeName": entity.name[:25], "Country": entity.country,
            "Currency": entity.currency, "Language": "EN", "ChartOfAccounts": CHART, "FiscalYearVariant": VARIANT,
            "Company": f"{entity.number:06d}",
        }


def _products(world: World) -> Iterator[Values]:
    for product in world.products:
        yield "A_Product", {
            "Product": product.code, "ProductType": SALES_TYPES[product.family], "ProductGroup": product.family[:9],
            "BaseUnit": "PC" if product.family == "Hardware" else "LE", "CreationDate": date_text(_BEGIN),
            "LastChangeDate": date_text(_BEGIN + 1), "LastChangeDateTime": f"{date_text(_BEGIN + 1)} 06:00:00",
            "IsMarkedForDeletion": 0, "ProductStandardID": None,
        }
        for language, text in (("DE", f"{product.name} (DE)"), ("EN", product.name)):
            yield "A_ProductDescription", {
                "Product": product.code, "Language": language, "ProductDescription": text}


def _stock(world: World, now: int) -> Iterator[Values]:
    """What is on hand of each stocked product in the plants of each company: a walk from day to day."""
    for product in world.products:
        if product.family != "Hardware":
            continue
        for entity in world.unit.entities.values():
            drawn = random.Random(f"{world.seed}/stock/{product.code}/{entity.code}/{now // DAY // 7}")
            yield "A_MatlStkInAcctMod", {
                "Material": product.code, "Plant": plant(entity), "StorageLocation": "101A", "Batch": "",
                "Supplier": "", "Customer": "", "WBSElementInternalID": "00000000", "SDDocument": "",
                "SDDocumentItem": "000000",
                "InventorySpecialStockType": "", "InventoryStockType": "01", "MaterialBaseUnit": "PC",
                "MatlWrhsStkQtyInMatlBaseUnit": str(drawn.choice((0, drawn.randint(1, 400)))),
            }


def _rates(world: World, now: int) -> Iterator[Values]:
    """Type M, every day. DEC 9,5 holds a rate of eight digits only with a factor; one pair is quoted indirectly."""
    for day in range(RATES_FROM, now // DAY + 1):
        for source in CURRENCIES:
            for target in CURRENCIES:
                if source != target:
                    yield "I_ExchangeRateRawData", _rate(source, target, world.rates.rate(target, source, day), day)


def quoted(source: str, target: str, rate: int) -> tuple[int, int, int]:
    """(rate in 1/100,000, units of the source, units of the target); below zero where it is quoted indirectly."""
    if (source, target) == ("GBP", "EUR"):
        return -rounded(_FACTOR * RATE_SCALE * 10**5, rate), 1, _FACTOR
    fine = rounded(rate * _FACTOR * 10**5, RATE_SCALE)
    return (fine, _FACTOR, 1) if fine <= _LARGEST_RATE else (rounded(rate * 10**5, RATE_SCALE), 1, 1)


def held(source: str, target: str, rate: int) -> int:
    """What `quoted` says of a rate, as a rate again: five decimals of a quotation are all that SAP knows of it."""
    told, units, targets = quoted(source, target, rate)
    if told < 0:
        return rounded(RATE_SCALE * targets * 10**5, -told * units)
    return rounded(RATE_SCALE * targets * told, units * 10**5)


def rate_text(rate: int) -> str:
    """A rate in 1/100,000 as text."""
    return amount_text(rate, 5)


def _rate(source: str, target: str, rate: int, day: int) -> dict[str, Any]:
    told, units, targets = quoted(source, target, rate)
    return {
        "ExchangeRateType": "M", "SourceCurrency": source, "TargetCurrency": target,
        "ValidityStartDate": date_text(day), "ExchangeRate": rate_text(told),
        "NumberOfSourceCurrencyUnits": str(units), "NumberOfTargetCurrencyUnits": str(targets),
    }


def _partner(party: Party, record: Record, now: int) -> Iterator[Values]:
    where, number = record.address_at(now), inner(str(record.id), 10)
    address = inner(str(record.number + 20_000), 10)
    created, changed = record.created, record.changed(now)
    entity = ENTITIES[party.entity]
    yield "A_BusinessPartner", {
        "BusinessPartner": number, "Customer": number, "BusinessPartnerCategory": "2",
        "BusinessPartnerFullName": record.name, "BusinessPartnerName": record.name,
        "OrganizationBPName1": record.name[:40],
        "SearchTerm1": record.name[:20].upper(), "BusinessPartnerIDByExtSystem": record.external,
        "TradingPartner": trading_partner(party), "BusinessPartnerIsBlocked": 0, "IsMarkedForArchiving": 0,
        "CreationDate": date_text(created // DAY), "CreationTime": stamp_text(created)[11:],
        "LastChangeDate": date_text(changed // DAY) if changed > created else None,
        "LastChangeTime": stamp_text(changed)[11:] if changed > created else None,
    }
    yield "A_Customer", {
        "Customer": number, "CustomerName": record.name, "CustomerFullName": record.name,
        "CustomerAccountGroup": "CUST",
        "VATRegistration": (record.tax_id or "")[:20] or None, "PostingIsBlocked": 0, "DeletionIndicator": 0,
        "CreationDate": date_text(created // DAY),
    }
    yield "A_CustomerSalesArea", {
        "Customer": number, "SalesOrganization": sales_organisation(entity), "DistributionChannel": "10",
        "Division": "00", "Currency": party.currency, "CustomerGroup": "01", "DeletionIndicator": 0,
        "CompleteDeliveryIsDefined": 0, "OrderCombinationIsAllowed": 1,
    }
    yield "A_BusinessPartnerAddress", {
        "BusinessPartner": number, "AddressID": address, "StreetName": where["street"], "CityName": where["city"],
        "PostalCode": where["zip"], "Region": (where["state"] or "")[:3] or None, "Country": where["country"],
        "ValidityStartDate": "2020-01-01 00:00:00", "ValidityEndDate": "9999-12-31 23:59:59",
    }
    if record.domain:
        yield "A_AddressEmailAddress", {
            "AddressID": address, "Person": "", "OrdinalNumber": "001", "IsDefaultEmailAddress": 1,
            "EmailAddress": f"billing@{record.domain}"}


def trading_partner(party: Party) -> str | None:
    """The company that a partner is, where it is one of the group."""
    if not party.intercompany:
        return None
    name = party.name.removeprefix("IC ")
    return next((f"{e.number:06d}" for e in ENTITIES.values() if e.name == name), None)
