"""NetSuite's master data as of a moment: chart of accounts, periods, books, currencies and rates, items, customers."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.clock import (
    DAY,
    FIRST_DAY,
    LOCK_DAYS,
    RATES_FROM,
    date_text,
    end_of,
    month_of,
    month_start,
    stamp_text,
)  # fmt: skip
from simulator.customers import Party, Record
from simulator.money import CURRENCIES, ELIMINATION, ENTITIES, rate_text
from simulator.plan import World
from simulator.schema import names_in

_BEGIN = stamp_text(end_of(FIRST_DAY - 200))
# internal ids of accounts, see `reference`
BANK, UNDEPOSITED, RECEIVABLE, SISTERS, INVENTORY, TAX, ACCRUALS = 1, 2, 3, 4, 5, 6, 7
DEFERRED, PRODUCTS, SERVICES, SOFTWARE, SISTER_SALES, COGS, EXPENSE, FX, ORDERS, ESTIMATES = (
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
)
CLEARING, MERCHANT_FEES = 18, 19
INCOME = {"Hardware": PRODUCTS, "Services": SERVICES, "Software": SOFTWARE}
PRIMARY, SECOND = 1, 2
TAX_ITEM, SHIP_ITEM = 15, 16
SCHEDULE = 7
_ACCOUNTS = (  # id, number, type, name, eliminate, special
    (BANK, "1000", "Bank", "Operating Bank", 0, None),
    (UNDEPOSITED, "1050", "OthCurrAsset", "Undeposited Funds", 0, "UndepFunds"),
    (CLEARING, "1060", "OthCurrAsset", "Card Clearing", 0, None),
    (RECEIVABLE, "1100", "AcctRec", "Accounts Receivable", 0, "AcctRec"),
    (SISTERS, "1190", "AcctRec", "Intercompany Receivable", 1, None),
    (INVENTORY, "1400", "OthCurrAsset", "Inventory", 0, "InvtAsset"),
    (TAX, "2200", "OthCurrLiab", "Sales Tax and VAT Payable", 0, "SalesTaxPay"),
    (ACCRUALS, "2300", "OthCurrLiab", "Accrued Liabilities", 0, None),
    (DEFERRED, "2400", "DeferRevenue", "Deferred Revenue", 0, None),
    (PRODUCTS, "4000", "Income", "Product Sales", 0, None),
    (SERVICES, "4100", "Income", "Service Revenue", 0, None),
    (SOFTWARE, "4200", "Income", "Software Revenue", 0, None),
    (SISTER_SALES, "4900", "Income", "Intercompany Sales", 1, None),
    (COGS, "5000", "COGS", "Cost of Goods Sold", 0, "COGS"),
    (EXPENSE, "6000", "Expense", "Operating Expenses", 0, None),
    (MERCHANT_FEES, "6100", "Expense", "Merchant Fees", 0, None),
    (FX, "7900", "OthExpense", "Realised Exchange Gain or Loss", 0, "RlzdFxGainLoss"),
    (ORDERS, "8000", "NonPosting", "Sales Orders", 0, "SalesOrders"),
    (ESTIMATES, "8010", "NonPosting", "Estimates", 0, "Estimates"),
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TYPES = (
    ("AcctRec", "Accounts Receivable", 1, 1),
    ("Bank", "Bank", 1, 1),
    ("COGS", "Cost of Goods Sold", 0, 1),
    ("DeferRevenue", "Deferred Revenue", 1, 0),
    ("Expense", "Expense", 0, 1),
    ("Income", "Income", 0, 0),
    ("NonPosting", "Non Posting", 0, 1),
    ("OthCurrAsset", "Other Current Asset", 1, 1),
    ("OthCurrLiab", "Other Current Liability", 1, 0),
    ("OthExpense", "Other Expense", 0, 1),
    ("OthIncome", "Other Income", 0, 0),
)

COLUMNS: dict[str, tuple[str, ...]] = {
    "netsuite__account": names_in("""
        id acctnumber accttype fullname accountsearchdisplayname generalrate sspecacct issummary isinactive
        eliminate lastmodifieddate
    """),
    "netsuite__accounttype": names_in("id longname seqnum balancesheet left"),
    "netsuite__accountingbook": names_in("id name isprimary isadjustmentonly isconsolidated lastmodifieddate"),
    "netsuite__accountingperiod": names_in("""
        id periodname parent startdate enddate closedondate isposting isadjust isquarter isyear isinactive
        closed arlocked aplocked alllocked lastmodifieddate
    """),
    "netsuite__subsidiary": names_in("""
        id name fullname legalname country currency parent iselimination isinactive lastmodifieddate
    """),
    "netsuite__currency": names_in("""
        id symbol name displaysymbol currencyprecision exchangerate isbasecurrency isinactive lastmodifieddate
    """),
    "netsuite__currencyrate": names_in("id basecurrency transactioncurrency effectivedate exchangerate"),
    "netsuite__item": names_in("""
        id itemid fullname displayname itemtype subtype incomeaccount expenseaccount assetaccount isinactive
        createddate lastmodifieddate
    """),
    "netsuite__customer": names_in("""
    id entityid companyname altname email phone url currency terms searchstage accountnumber externalid
    vatregnumber defaultbillingaddress defaultshippingaddress isperson isinactive datecreated lastmodifieddate
    """),
    "netsuite__customeraddressbook": names_in("""
        internalid entity addressbookaddress label defaultbilling defaultshipping
    """),
    "netsuite__customeraddressbookentityaddress": names_in("""
    nkey recordowner addressee addr1 city state zip country override lastmodifieddate
    """),
    "netsuite__customersubsidiaryrelationship": names_in("id entity subsidiary isprimarysub"),
}


def period_id(day: int) -> int:
    """Internal id of the month's accounting period."""
    year, month = month_of(day)
    return (year - 2020) * 20 + month + 100


def rows(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    """(table, row) of all master data as it is at `now`, but for customers."""
    for make in (_chart, _periods, _currencies, _rates, _items):
        yield from make(world, now)


def customer_rows(party: Party, now: int) -> Iterator[tuple[str, tuple]]:
    """(table, row) of the party's customer records."""
    for record in party.erp:
        yield from _customer_rows(party, record, now)


def _chart(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    for number, code, kind, name, eliminate, special in _ACCOUNTS:
        rate = "AVERAGE" if kind in ("Income", "COGS", "Expense", "OthExpense") else "CURRENT"
        yield "netsuite__account", (number, code, kind, name, f"{code} {name}", rate, special, 0, 0, eliminate, _BEGIN)
    for position, (kind, name, sheet, left) in enumerate(_TYPES, 1):
        yield "netsuite__accounttype", (kind, name, position, sheet, left)
    yield "netsuite__accountingbook", (PRIMARY, "Primary Accounting Book", 1, 0, 0, _BEGIN)
    yield "netsuite__accountingbook", (SECOND, "Group Reporting Book", 0, 0, 0, _BEGIN)
    parent = next(iter(world.unit.entities.values()))
    for entity in (*world.unit.entities.values(), ELIMINATION):
        top = entity is parent
        yield (
            "netsuite__subsidiary",
            (
                entity.number,
                entity.name,
                entity.name if top else f"{parent.name} : {entity.name}",
                entity.legal_name,
                entity.country,
                CURRENCIES[entity.currency].number,
                None if top else parent.number,
                int(entity is ELIMINATION),
                0,
                _BEGIN,
            ),
        )


def _periods(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    for year in (2024, 2025, 2026, 2027):
        spans = [(year * 10 - 19_000, f"FY {year}", None, 1, 12, 0, 1)]
        for quarter in (1, 2, 3, 4):
            number = year * 10 - 19_000 + quarter
            spans.append((number, f"Q{quarter} {year}", spans[0][0], quarter * 3 - 2, quarter * 3, 1, 0))
            for month in range(quarter * 3 - 2, quarter * 3 + 1):
                leaf = period_id(month_start(year, month))
                spans.append((leaf, f"{_MONTHS[month - 1]} {year}", number, month, month, 0, 0))
        for number, name, parent, first, last, is_quarter, is_year in spans:
            end = month_start(year, last + 1) - 1
            locked = end_of(end + LOCK_DAYS)
            closed = int(locked < now)
            changed = stamp_text(locked) if closed else _BEGIN
            yield (
                "netsuite__accountingperiod",
                (
                    number,
                    name,
                    parent,
                    date_text(month_start(year, first)),
                    date_text(end),
                    changed if closed else None,
                    1,
                    0,
                    is_quarter,
                    is_year,
                    0,
                    closed,
                    closed,
                    closed,
                    closed,
                    changed,
                ),
            )


def _currencies(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    day = now // DAY
    bases = {entity.currency for entity in world.unit.entities.values()}
    for currency in CURRENCIES.values():
        yield (
            "netsuite__currency",
            (
                currency.number,
                currency.code,
                currency.name,
                currency.sign,
                currency.decimals,
                rate_text(world.rates.rate("USD", currency.code, day)),
                int(currency.code in bases),
                0,
                _BEGIN,
            ),
        )


def _rates(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    codes = list(CURRENCIES)
    for day in range(RATES_FROM, now // DAY + 1):
        number = (day - RATES_FROM) * 25
        for i, base in enumerate(codes):
            for j, code in enumerate(codes):
                if i != j:
                    yield (
                        "netsuite__currencyrate",
                        (
                            number + i * 5 + j + 1,
                            CURRENCIES[base].number,
                            CURRENCIES[code].number,
                            date_text(day),
                            rate_text(world.rates.rate(base, code, day)),
                        ),
                    )


def _items(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    for product in world.products:
        stocked = product.item_type == "InvtPart"
        yield (
            "netsuite__item",
            (
                product.number,
                product.code,
                product.code,
                product.name,
                product.item_type,
                "Sale",
                INCOME[product.family],
                COGS if stocked else None,
                INVENTORY if stocked else None,
                0,
                _BEGIN,
                _BEGIN,
            ),
        )
    yield (
        "netsuite__item",
        (TAX_ITEM, "TAX", "TAX", "Sales tax", "TaxItem", None, TAX, None, None, 0, _BEGIN, _BEGIN),
    )


def _customer_rows(party: Party, record: Record, now: int) -> Iterator[tuple[str, tuple]]:
    where, changed = record.address_at(now), stamp_text(record.changed(now))
    by_url = record.domain is not None and record.number % 3
    book, place = record.number * 2 + 11, record.number * 2 + 12
    yield (
        "netsuite__customer",
        (
            record.id,
            f"CUST{record.number:06d}",
            record.name,
            record.name,
            f"billing@{record.domain}" if record.domain else None,
            f"+00 {record.number:07d}",
            f"https://{record.domain}" if by_url else None,
            CURRENCIES[party.currency].number,
            party.terms,
            "CUSTOMER",
            None,
            record.external,
            record.tax_id,
            book,
            book,
            0,
            0,
            stamp_text(record.created),
            changed,
        ),
    )
    yield "netsuite__customeraddressbook", (book, record.id, place, where["street"], 1, 1)
    yield (
        "netsuite__customeraddressbookentityaddress",
        (
            place,
            book,
            record.name,
            where["street"],
            where["city"],
            where["state"] or None,
            where["zip"],
            where["country"],
            0,
            changed,
        ),
    )
    yield (
        "netsuite__customersubsidiaryrelationship",
        (record.number + 5, record.id, ENTITIES[party.entity].number, 1),
    )
