"""Master data of finance and operations as of a moment: companies, ledgers, accounts, products, rates, customers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.clock import DAY, RATES_FROM, date_text
from simulator.customers import Party, Record
from simulator.fno_numbers import CHART, RATE_TYPE, RECORDS, area, company, ledger
from simulator.money import CURRENCIES, RATE_SCALE, Entity, amount_text, rate_text, rounded
from simulator.plan import World

Values = tuple[str, dict[str, Any]]
# role: (account, type, name)
ACCOUNTS = {
    "receivable": ("130100", "Asset", "Accounts receivable"), "sisters": ("130900", "Asset", "Due from the group"),
    "tax": ("202100", "Liability", "Sales tax payable"), "bank": ("110110", "Asset", "Operating account"),
    "cash": ("110180", "Asset", "Petty cash"), "fx": ("801500", "ProfitAndLoss", "Realised gain and loss"),
    "expense": ("606300", "Expense", "Accrued services"), "accrual": ("200170", "Liability", "Accrued liabilities"),
    "Hardware": ("401100", "Revenue", "Sales of hardware"), "Services": ("401200", "Revenue", "Sales of services"),
    "Software": ("401300", "Revenue", "Sales of licences"),
    "sister sales": ("401900", "Revenue", "Sales to group companies"),
}
_HUNDRED = ("JPY", "USD")  # this pair is kept for a hundred units
_ONE_WAY = ("GBP", "EUR")  # of this pair only the other direction is kept


def account_record(role: str) -> int:
    """RecId of a main account."""
    return RECORDS + 100 + list(ACCOUNTS).index(role)


def rows(world: World, now: int) -> Iterator[Values]:
    """(set, values) of all master data as it is at `now`, but for customers."""
    yield from _companies(world)
    yield from _accounts()
    yield from _products(world)
    yield from _rates(world, now)


def customer_rows(world: World, party: Party, now: int) -> Iterator[Values]:
    """(set, values) of the party's records: a customer of every company, and one party."""
    for record in party.erp:
        for entity in world.unit.entities.values():
            yield "CustomersV3", _customer(party, record, entity, now)


def customer_account(record: Record) -> str:
    """The account number, the same in each company."""
    return f"C{str(record.id)[1:]}"


def _companies(world: World) -> Iterator[Values]:
    sisters = {party.name.removeprefix("IC "): party.erp[0].id for party in world.customers.intercompany}
    for entity in world.unit.entities.values():
        yield "LegalEntities", {
            "LegalEntityId": company(entity), "Name": entity.name, "CompanyName": entity.legal_name,
            "PartyNumber": str(sisters.get(entity.name, f"LE{entity.number}")), "LanguageId": "en-us",
            "AddressCountryRegionISOCode": entity.country, "AddressCountryRegionId": entity.country,
            "UseForFinancialEliminationProcess": "No",
        }
        yield "Ledgers", {
            "LegalEntityId": company(entity), "Name": company(entity), "LedgerRecId": ledger(entity),
            "ChartOfAccounts": CHART, "AccountingCurrency": entity.currency, "ReportingCurrency": "USD",
            "ExchangeRateType": RATE_TYPE, "FiscalCalendar": "Fiscal",
        }


def _accounts() -> Iterator[Values]:
    for role, (number, kind, name) in ACCOUNTS.items():
        yield "MainAccounts", {
            "ChartOfAccounts": CHART, "MainAccountId": number, "MainAccountRecId": account_record(role), "Name": name,
            "MainAccountType": kind, "IsSuspended": "No",
        }


def _products(world: World) -> Iterator[Values]:
    for product in world.products:
        for entity in world.unit.entities.values():
            yield "ReleasedProductsV2", {
                "dataAreaId": area(entity), "ItemNumber": product.code, "ProductNumber": product.code,
                "SearchName": product.name, "ProductGroupId": product.family,
                "ProductType": "Item" if product.family == "Hardware" else "Service",
                "SalesUnitSymbol": "ea" if product.family == "Hardware" else "svc",
            }


def _rates(world: World, now: int) -> Iterator[Values]:
    """Each day's rate. Some are kept for a hundred units, one pair only the other way round."""
    for day in range(RATES_FROM, now // DAY + 1):
        for source in CURRENCIES:
            for target in CURRENCIES:
                if source == target or (source, target) == _ONE_WAY:
                    continue
                rate = world.rates.rate(target, source, day)
                text, factor = rate_text(rate), "One"
                if (target, source) == _ONE_WAY:  # so many digits that turning it round gives the same rate again
                    back = world.rates.rate(source, target, day)
                    text = amount_text(rounded(RATE_SCALE * 10**14, back), 14)
                if (source, target) == _HUNDRED:
                    text, factor = rate_text(rate * 100), "Hundred"
                yield "ExchangeRates", {
                    "RateTypeName": RATE_TYPE, "FromCurrency": source, "ToCurrency": target,
                    "StartDate": date_text(day), "EndDate": date_text(day), "Rate": text, "ConversionFactor": factor,
                }


def _customer(party: Party, record: Record, entity: Entity, now: int) -> dict[str, Any]:
    where = record.address_at(now)
    return {
        "dataAreaId": area(entity), "CustomerAccount": customer_account(record), "PartyNumber": str(record.id),
        "PartyType": "Organization", "OrganizationName": record.name, "NameAlias": record.name[:20],
        "CustomerGroupId": "IC" if party.intercompany else "10", "SalesCurrencyCode": party.currency,
        "InvoiceAccount": "", "PaymentTerms": terms(party), "OnHoldStatus": "No",
        "TaxExemptNumber": record.tax_id, "AddressStreet": where["street"], "AddressCity": where["city"],
        "AddressState": where["state"] or None, "AddressZipCode": where["zip"],
        "AddressCountryRegionISOCode": where["country"], "AddressCountryRegionId": where["country"],
        "PrimaryContactEmail": f"billing@{record.domain}" if record.domain else None, "CRMAccountId": record.external,
    }


def terms(party: Party) -> str:
    """Terms of payment."""
    return f"Net{party.terms_days}"
