"""Master data of both systems as of a moment: chart of accounts, periods, books, currencies and rates, items, users."""

from __future__ import annotations

from collections.abc import Iterator

from simulator import netsuite_rows as n
from simulator.clock import DAY, FIRST_DAY, RATES_FROM, date_text, end_of, month_start, stamp_text
from simulator.ids import salesforce_id
from simulator.money import CURRENCIES, ELIMINATION, ENTITIES, RATE_SCALE, rate_text, rounded
from simulator.plan import OWNERS, World
from simulator.schema import names_in

LOCK_DAYS = 5  # a month is locked this many days after its end
_BEGIN = stamp_text(end_of(FIRST_DAY - 200))
_ACCOUNTS = (  # id, number, type, name, eliminate, special
    (n.BANK, "1000", "Bank", "Operating Bank", 0, None),
    (n.UNDEPOSITED, "1050", "OthCurrAsset", "Undeposited Funds", 0, "UndepFunds"),
    (n.RECEIVABLE, "1100", "AcctRec", "Accounts Receivable", 0, "AcctRec"),
    (n.SISTERS, "1190", "AcctRec", "Intercompany Receivable", 1, None),
    (n.INVENTORY, "1400", "OthCurrAsset", "Inventory", 0, "InvtAsset"),
    (n.TAX, "2200", "OthCurrLiab", "Sales Tax and VAT Payable", 0, "SalesTaxPay"),
    (n.ACCRUALS, "2300", "OthCurrLiab", "Accrued Liabilities", 0, None),
    (n.DEFERRED, "2400", "DeferRevenue", "Deferred Revenue", 0, None),
    (n.PRODUCTS, "4000", "Income", "Product Sales", 0, None),
    (n.SERVICES, "4100", "Income", "Service Revenue", 0, None),
    (n.SOFTWARE, "4200", "Income", "Software Revenue", 0, None),
    (n.SISTER_SALES, "4900", "Income", "Intercompany Sales", 1, None),
    (n.COGS, "5000", "COGS", "Cost of Goods Sold", 0, "COGS"),
    (n.EXPENSE, "6000", "Expense", "Operating Expenses", 0, None),
    (n.FX, "7900", "OthExpense", "Realised Exchange Gain or Loss", 0, "RlzdFxGainLoss"),
    (n.ORDERS, "8000", "NonPosting", "Sales Orders", 0, "SalesOrders"),
    (n.ESTIMATES, "8010", "NonPosting", "Estimates", 0, "Estimates"),
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
}


def rows(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    """(table, row) of all master data as it is at `now`."""
    for make in (_chart, _periods, _currencies, _rates, _items, _users, _crm_rates, _crm_lists):
        yield from make(world, now)


def _chart(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    for number, code, kind, name, eliminate, special in _ACCOUNTS:
        rate = "AVERAGE" if kind in ("Income", "COGS", "Expense", "OthExpense") else "CURRENT"
        yield "netsuite__account", (number, code, kind, name, f"{code} {name}", rate, special, 0, 0, eliminate, _BEGIN)
    for position, (kind, name, sheet, left) in enumerate(_TYPES, 1):
        yield "netsuite__accounttype", (kind, name, position, sheet, left)
    yield "netsuite__accountingbook", (n.PRIMARY, "Primary Accounting Book", 1, 0, 0, _BEGIN)
    yield "netsuite__accountingbook", (n.SECOND, "Group Reporting Book", 0, 0, 0, _BEGIN)
    for entity in (*ENTITIES.values(), ELIMINATION):
        top = entity.code == "US01"
        yield (
            "netsuite__subsidiary",
            (
                entity.number,
                entity.name,
                entity.name if top else f"{ENTITIES['US01'].name} : {entity.name}",
                entity.legal_name,
                entity.country,
                CURRENCIES[entity.currency].number,
                None if top else 1,
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
                leaf = n.period_id(month_start(year, month))
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
    bases = {entity.currency for entity in ENTITIES.values()}
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
                n.INCOME[product.family],
                n.COGS if stocked else None,
                n.INVENTORY if stocked else None,
                0,
                _BEGIN,
                _BEGIN,
            ),
        )
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
    yield (
        "netsuite__item",
        (n.TAX_ITEM, "TAX", "TAX", "Sales tax", "TaxItem", None, n.TAX, None, None, 0, _BEGIN, _BEGIN),
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
            rate = rounded(RATE_SCALE * RATE_SCALE, world.rates.rate("USD", currency.code, start))
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
