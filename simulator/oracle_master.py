"""Master data as Oracle Fusion keeps it: ledgers, units, legal entities, periods, rates, items, stock, parties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.clock import DAY, FIRST_DAY, RATES_FROM, date_text, end_of, month_of, month_start, stamp_text
from simulator.money import CURRENCIES, Entity, rate_text
from simulator.oracle_schema import row
from simulator.schema import names_in

if TYPE_CHECKING:
    from simulator.customers import Party, Record
    from simulator.plan import World
    from simulator.stock import Level
    from simulator.systems import Row

LOCK_DAYS = 5  # a month is closed this many days after its end
RECEIVABLES, LEDGER = 222, 101  # ids of the applications that keep periods
_ACCOUNTS = {
    "Receivable": "12110", "Till": "11150", "Tax": "22410", "Rounding": "78210", "Hardware": "41110",
    "Services": "41210", "Software": "41310", "Intercompany": "49110", "Expense": "61110", "Accruals": "23110",
    "WriteOff": "61210",
}
_MONTHS = names_in("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec")
_BEGIN = stamp_text(end_of(FIRST_DAY - 200))
_MASTER = "VMASTER"
_PLACES = ("STORES", "RESERVE")


def combination(entity: Entity, kind: str) -> str:
    """An account combination: company, department, natural account, product."""
    return f"{100 + entity.number}.10.{_ACCOUNTS[kind]}.000"


def period_name(day: int) -> str:
    """`Jan-26`: a label."""
    year, month = month_of(day)
    return f"{_MONTHS[month - 1]}-{year % 100:02d}"


def account_id(customer: Record) -> int:
    """The surrogate key of a customer account."""
    return 300_000_000_000_000 + int(customer.id)


def party_number(customer: Record) -> str:
    """What people call the party that has the account."""
    return f"P-{int(customer.id)}"


def rows(world: World, now: int) -> Iterator[Row]:
    """(table, row) of all master data but the parties, as of `now`."""
    yield from _organisation(world)
    yield from _periods(world, now)
    yield from _rates(world, now)
    yield from _items(world, now)


def stock_rows(world: World, levels: list[Level]) -> Iterator[Row]:
    """(table, row) of what is on hand: an organisation for each legal entity, a subinventory for each of its places."""
    for level in levels:
        code, item = organisation(world, level.place), world.products[level.product].code
        place = _PLACES[int(level.place.rpartition("-")[2]) - 1]
        yield row("inventoryOnhandBalances", OrganizationCode=code, ItemNumber=item, SubinventoryCode=place,
                  PrimaryQuantity=str(level.units), PrimaryUnitOfMeasure="Each", _Key=f"{code}/{place}/{item}")


def organisation(world: World, place: str) -> str:
    """The inventory organisation that a place belongs to."""
    return f"ST{world.unit.entities[place.rpartition('-')[0]].number}"


def party_rows(party: Party, now: int) -> Iterator[Row]:
    """(table, row) of the party's accounts: a party, an account and a site for each record."""
    for record in party.erp:
        where, key, account = record.address_at(now), 310_000_000_000_000 + int(record.id), account_id(record)
        yield row(
            "accounts", PartyId=key, PartyNumber=party_number(record), OrganizationName=record.name, PartyStatus="A",
            TaxpayerIdentificationNumber=record.tax_id,
            EmailAddress=f"billing@{record.domain}" if record.domain else None,
            FormattedPhoneNumber=f"+00 {record.number:07d}", URL=f"https://{record.domain}" if record.domain else None,
            AddressLine1=where["street"], City=where["city"], State=where["state"] or None, PostalCode=where["zip"],
            Country=where["country"], SourceSystemReferenceValue=record.external,
            CreationDate=stamp_text(record.created), LastUpdateDate=stamp_text(record.changed(now)))
        yield row("customerAccountsLOV", CustomerAccountId=account, AccountNumber=str(record.id),
                   AccountName=record.name, PartyId=key, PartyNumber=party_number(record), Status="A")
        yield row("customerAccountSitesLOV", CustomerAccountSiteId=account + 1, CustomerAccountId=account,
                   SiteName="1001", SiteUseCode="BILL_TO", PrimaryFlag="Y")
        yield row("receivablesCustomerAccountActivities", AccountId=account, AccountNumber=str(record.id),
                   CustomerId=key, CustomerName=record.name)


def _organisation(world: World) -> Iterator[Row]:
    for entity in world.unit.entities.values():
        ledger, legal = 300_000_000_001_000 + entity.number, 300_000_000_002_000 + entity.number
        yield row("ledgersLOV", LedgerId=ledger, Name=f"{entity.name} Ledger", CurrencyCode=entity.currency,
                   ChartOfAccountsId=101, AccountingCalendar="Halden Monthly", LedgerCategoryCode="PRIMARY")
        yield row("legalEntitiesLOV", LegalEntityId=legal, Name=entity.legal_name,
                   LegalEntityIdentifier=str(1000 + entity.number), Country=entity.country)
        yield row("finBusinessUnitsLOV", BusinessUnitId=300_000_000_003_000 + entity.number,
                   BusinessUnitName=f"{entity.name} BU", PrimaryLedgerId=ledger, LegalEntityId=legal)


def _periods(world: World, now: int) -> Iterator[Row]:
    for entity in world.unit.entities.values():
        for application in (RECEIVABLES, LEDGER):
            for months in range(48):
                start, end = month_start(2024, 1 + months), month_start(2024, 2 + months) - 1
                status = "C" if end_of(end + LOCK_DAYS) < now else "O" if start * DAY < now else "F"
                yield row("accountingPeriodStatusLOV", ApplicationId=application,
                           LedgerId=300_000_000_001_000 + entity.number, PeriodName=period_name(start),
                           StartDate=date_text(start), EndDate=date_text(end), ClosingStatus=status,
                           AdjustmentPeriodFlag="N")


def _rates(world: World, now: int) -> Iterator[Row]:
    for day in range(RATES_FROM, now // DAY + 1):
        for base in CURRENCIES:
            for code in CURRENCIES:
                if base != code:
                    yield row("currencyRates", FromCurrency=code, ToCurrency=base, ConversionDate=date_text(day),
                               ConversionRate=rate_text(world.rates.rate(base, code, day)), ConversionType="Corporate",
                               UserConversionType="Corporate")


def _items(world: World, now: int) -> Iterator[Row]:
    organisations = [f"ST{entity.number}" for entity in world.unit.entities.values()]
    for product in world.products:
        stocked = product.item_type == "InvtPart"
        for organisation in (_MASTER, *(organisations if stocked else ())):
            yield row("itemsV2", ItemId=300_000_000_010_000 + product.number, OrganizationCode=organisation,
                       ItemNumber=product.code, ItemDescription=product.name, ItemStatusValue="Active",
                       PrimaryUOMValue="Each", ItemClass=product.family, InventoryItemFlag=int(stocked),
                       LastUpdateDateTime=_BEGIN)
