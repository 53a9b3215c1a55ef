"""Salesforce's master data as of a moment: products, users, currencies and dated rates, stages, statuses, accounts."""

from __future__ import annotations

from collections.abc import Iterator

from simulator import names
from simulator.clock import DAY, FIRST_DAY, date_text, end_of, month_start, stamp_text
from simulator.customers import Party, Record
from simulator.ids import salesforce_id
from simulator.money import CURRENCIES, inverse, rate_text
from simulator.plan import World
from simulator.schema import names_in

OWNERS = [salesforce_id("005", 7_000 + 37 * n) for n in range(12)]
_BEGIN = stamp_text(end_of(FIRST_DAY - 200))
_PEOPLE = (
    "Ada Brandt",
    "Ben Osei",
    "Chloe Marchetti",
    "Daniel Iwu",
    "Emi Sato",
    "Farid Haddad",
    "Grace Lind",
    "Hugo Petit",
    "Ines Kovac",
    "Jonas Weber",
    "Kim Alder",
    "Lena Novak",
)
_STAGES = (
    ("Prospecting", 0, 0, 10, "Pipeline"),
    ("Proposal/Price Quote", 0, 0, 75, "Best Case"),
    ("Closed Won", 1, 1, 100, "Closed"),
    ("Closed Lost", 1, 0, 0, "Omitted"),
)


COLUMNS: dict[str, tuple[str, ...]] = {
    "salesforce__User": names_in("""
        Id Username Email FirstName LastName Name ManagerId TimeZoneSidKey UserType DefaultCurrencyIsoCode
        IsActive CreatedDate LastModifiedDate SystemModstamp
    """),
    "salesforce__Product2": names_in("""
        Id Name ProductCode StockKeepingUnit Family QuantityUnitOfMeasure Description IsActive IsArchived
        CurrencyIsoCode CreatedDate CreatedById LastModifiedDate LastModifiedById SystemModstamp IsDeleted
    """),
    "salesforce__CurrencyType": names_in("""
        Id IsoCode ConversionRate DecimalPlaces IsActive IsCorporate CreatedDate LastModifiedDate SystemModstamp
    """),
    "salesforce__DatedConversionRate": names_in("""
        Id IsoCode ConversionRate StartDate NextStartDate CreatedDate LastModifiedDate SystemModstamp
    """),
    "salesforce__OpportunityStage": names_in("""
        Id ApiName MasterLabel IsActive IsClosed IsWon DefaultProbability ForecastCategoryName SortOrder
        SystemModstamp
    """),
    "salesforce__OrderStatus": names_in("Id ApiName MasterLabel StatusCode IsDefault SortOrder SystemModstamp"),
    "salesforce__ContractStatus": names_in("Id ApiName MasterLabel StatusCode IsDefault SortOrder SystemModstamp"),
    "salesforce__Account": names_in("""
    Id Name AccountNumber Type OwnerId Industry BillingStreet BillingCity BillingState BillingPostalCode
    BillingCountry BillingCountryCode Phone Website IsPersonAccount CurrencyIsoCode ERP_Customer_ID__c Tax_ID__c
    CreatedDate CreatedById LastModifiedDate LastModifiedById SystemModstamp IsDeleted
    """),
}


def rows(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    """(table, row) of all master data as it is at `now`, but for accounts."""
    for make in (product_rows, _users, _crm_rates, _crm_lists):
        yield from make(world, now)


def account_rows(party: Party, now: int) -> Iterator[tuple[str, tuple]]:
    """(table, row) of the party's accounts."""
    for record in party.crm:
        yield "salesforce__Account", _account_row(party, record, now)


def product_rows(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    """(table, row) of what is sold."""
    for product in world.products:
        yield (
            "salesforce__Product2",
            (
                product.id,
                product.name,
                product.code,
                product.code,
                product.family,
                "Each",
                f"{product.family}: {product.name}",
                1,
                0,
                "USD",
                _BEGIN,
                OWNERS[0],
                _BEGIN,
                OWNERS[0],
                _BEGIN,
                0,
            ),
        )


def _users(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    for number, (key, name) in enumerate(zip(OWNERS, _PEOPLE, strict=True)):
        first, last = name.split()
        mail = f"{first}.{last}@halden.example".lower()
        yield (
            "salesforce__User",
            (
                key,
                mail,
                mail,
                first,
                last,
                name,
                OWNERS[0] if number else None,
                "America/Los_Angeles",
                "Standard",
                "USD",
                1,
                _BEGIN,
                _BEGIN,
                _BEGIN,
            ),
        )


def _crm_rates(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    day = now // DAY
    for number, currency in enumerate(CURRENCIES.values(), 1):
        yield (
            "salesforce__CurrencyType",
            (
                salesforce_id("01L", number),
                currency.code,
                currency.corporate_rate,
                currency.decimals,
                1,
                int(currency.code == "USD"),
                _BEGIN,
                _BEGIN,
                _BEGIN,
            ),
        )
        month = 0
        while (start := month_start(2024, 1 + month)) <= day:
            after = month_start(2024, 2 + month)
            rate = inverse(world.rates.rate("USD", currency.code, start))
            stamp = _BEGIN if start < FIRST_DAY - 200 else stamp_text(start * DAY + 300)
            known_end = after <= day
            yield (
                "salesforce__DatedConversionRate",
                (
                    salesforce_id("04w", number * 1_000 + month),
                    currency.code,
                    rate_text(rate),
                    date_text(start),
                    date_text(after) if known_end else "9999-12-31",
                    stamp,
                    stamp,
                    stamp_text(after * DAY + 300) if known_end else stamp,
                ),
            )
            month += 1


def _crm_lists(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    for number, (name, closed, won, probability, forecast) in enumerate(_STAGES, 1):
        yield (
            "salesforce__OpportunityStage",
            (salesforce_id("01J", number), name, name, 1, closed, won, str(probability), forecast, number, _BEGIN),
        )
    for number, name in enumerate(("Draft", "Activated"), 1):
        yield (
            "salesforce__OrderStatus",
            (salesforce_id("01O", number), name, name, name, int(number == 1), number, _BEGIN),
        )
        yield (
            "salesforce__ContractStatus",
            (salesforce_id("02C", number), name, name, name, int(number == 1), number, _BEGIN),
        )


def _account_row(party: Party, record: Record, now: int) -> tuple:
    where, changed = record.address_at(now), stamp_text(record.changed(now))
    owner = OWNERS[record.number % len(OWNERS)]
    return (
        record.id,
        record.name,
        f"A-{record.number:06d}",
        "Customer - Direct" if party.erp else "Prospect",
        owner,
        None,
        where["street"],
        where["city"],
        where["state"] or None,
        where["zip"],
        names.COUNTRIES[where["country"]],
        where["country"],
        f"+00 {record.number:07d}",
        f"https://www.{record.domain}" if record.domain else None,
        0,
        party.currency,
        record.external,
        record.tax_id,
        stamp_text(record.created),
        owner,
        changed,
        owner,
        changed,
        0,
    )
