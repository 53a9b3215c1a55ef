"""What a QuickBooks company keeps besides transactions: preferences, accounts, items, currencies, rates, customers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from simulator.clock import DAY, FIRST_DAY, LOCK_DAYS, RATES_FROM, date_text, end_of, month_of, month_start, stamp_text
from simulator.customers import Party, Record
from simulator.money import CURRENCIES, Entity, amount_text, rate_text
from simulator.names import COUNTRIES
from simulator.plan import World
from simulator.systems import Row

PACIFIC = ZoneInfo("America/Los_Angeles")  # stamps are told by the vendor's own clock
BEGIN = end_of(FIRST_DAY - 200)
# name: id, number, type, subtype, classification
ACCOUNTS = {
    "Operating Bank": ("35", "1000", "Bank", "Checking", "Asset"),
    "Undeposited Funds": ("4", "1050", "Other Current Asset", "UndepositedFunds", "Asset"),
    "Card Clearing": ("91", "1060", "Other Current Asset", "OtherCurrentAssets", "Asset"),
    "Accounts Receivable (A/R)": ("84", "1100", "Accounts Receivable", "AccountsReceivable", "Asset"),
    "Inventory Asset": ("81", "1400", "Other Current Asset", "Inventory", "Asset"),
    "Sales Tax Payable": ("89", "2200", "Other Current Liability", "GlobalTaxPayable", "Liability"),
    "Accrued Liabilities": ("90", "2300", "Other Current Liability", "OtherCurrentLiabilities", "Liability"),
    "Sales of Product Income": ("79", "4000", "Income", "SalesOfProductIncome", "Revenue"),
    "Services": ("1", "4100", "Income", "ServiceFeeIncome", "Revenue"),
    "Software Income": ("5", "4200", "Income", "ServiceFeeIncome", "Revenue"),
    "Shipping Income": ("83", "4300", "Income", "OtherPrimaryIncome", "Revenue"),
    "Discounts given": ("86", "4800", "Income", "DiscountsRefundsGiven", "Revenue"),
    "Cost of Goods Sold": ("80", "5000", "Cost of Goods Sold", "SuppliesMaterialsCogs", "Expense"),
    "Office Expenses": ("15", "6000", "Expense", "OfficeGeneralAdministrativeExpenses", "Expense"),
    "Merchant Fees": ("92", "6100", "Expense", "BankCharges", "Expense"),
    "Exchange Gain or Loss": ("96", "7900", "Other Expense", "ExchangeGainOrLoss", "Expense"),
}
INCOME = {"Hardware": "Sales of Product Income", "Services": "Services", "Software": "Software Income"}
_TYPES = {"InvtPart": "Inventory", "NonInvtPart": "NonInventory", "Service": "Service"}
BUNDLE = "3"  # the item of bundles
SHIPPING = "SHIPPING_ITEM_ID"  # in place of an item; there is none


def text(value: Any) -> str:
    """A record as JSON, nulls left out as the vendor does."""
    return json.dumps(shown(value), separators=(",", ":"), ensure_ascii=False)


def shown(value: Any) -> Any:
    """Without what is not there."""
    if isinstance(value, dict):
        return {key: shown(inner) for key, inner in value.items() if inner is not None}
    return [shown(inner) for inner in value] if isinstance(value, list) else value


@cache
def told(moment: int) -> str:
    """A moment as the vendor writes it, with the offset of its own clock."""
    return datetime.fromtimestamp(moment, UTC).astimezone(PACIFIC).isoformat()


def number(minor: int, decimals: int) -> float:
    """A JSON number: no fixed scale. At most fifteen digits, which a float keeps."""
    return float(amount_text(minor, decimals))


def ref(account: str) -> dict[str, str]:
    """A reference to an account, with its name as a snapshot."""
    return {"value": ACCOUNTS[account][0], "name": account}


def record(entity: str, identity: str, created: int, changed: int, body: dict[str, Any]) -> Row:
    """(table, row) of a record."""
    head = {"domain": "QBO", "sparse": False, "Id": identity, "SyncToken": str(int(changed != created)),
            "MetaData": {"CreateTime": told(created), "LastUpdatedTime": told(changed)}}
    active = int(body.get("Active", True))
    return f"quickbooks__{entity}", (identity, stamp_text(changed), active, text({**body, **head}))


def rows(world: World, now: int) -> Iterator[Row]:
    """(table, row) of all of it but customers."""
    entity = next(iter(world.unit.entities.values()))
    yield from _company(entity, now)
    for name, (identity, code, kind, subtype, classification) in ACCOUNTS.items():
        yield record("Account", identity, BEGIN, BEGIN, {
            "Name": name, "FullyQualifiedName": name, "AcctNum": code, "Active": True, "SubAccount": False,
            "Classification": classification, "AccountType": kind, "AccountSubType": subtype, "CurrentBalance": 0.0,
            "CurrencyRef": _currency(entity.currency)})
    yield from _items(world, entity)
    for code, currency in CURRENCIES.items():
        if code != entity.currency:
            yield record("CompanyCurrency", str(currency.number), BEGIN, BEGIN, {
                "Code": code, "Name": currency.name, "Active": code != "KWD"})
            for day in range(RATES_FROM, now // DAY + 1):
                rate = world.rates.rate(entity.currency, code, day)
                yield "quickbooks__rate", (code, date_text(day), rate_text(rate))


def _company(entity: Entity, now: int) -> Iterator[Row]:
    closed, changed = _closed(now)
    yield record("CompanyInfo", "1", BEGIN, BEGIN, {
        "CompanyName": entity.name, "LegalName": entity.legal_name, "Country": entity.country,
        "FiscalYearStartMonth": "January", "DefaultTimeZone": "America/Los_Angeles",
        "NameValue": [{"Name": "NeoEnabled", "Value": "true"}]})
    yield record("Preferences", "1", BEGIN, changed, {
        "AccountingInfoPrefs": {"UseAccountNumbers": True, "BookCloseDate": closed, "ClassTrackingPerTxn": False},
        "CurrencyPrefs": {"MultiCurrencyEnabled": True, "HomeCurrency": {"value": entity.currency}},
        "SalesFormsPrefs": {"AllowDiscount": True, "AllowShipping": False, "CustomTxnNumbers": True}})


def _closed(now: int) -> tuple[str | None, int]:
    """The day up to which books are closed, and when that was set."""
    year, month = month_of(now // DAY)
    for back in range(3):
        start = month_start(year, month - back) if month > back else month_start(year - 1, month - back + 12)
        if (moment := end_of(start - 1 + LOCK_DAYS)) < now:
            return date_text(start - 1), moment
    return None, BEGIN


def _items(world: World, entity: Entity) -> Iterator[Row]:
    decimals = CURRENCIES[entity.currency].decimals
    for product in world.products:
        stocked = product.item_type == "InvtPart"
        yield record("Item", str(product.number), BEGIN, BEGIN, {
            "Name": product.name, "Sku": product.code, "FullyQualifiedName": product.name, "Active": True,
            "Type": _TYPES[product.item_type], "UnitPrice": number(product.cents, decimals),
            "TrackQtyOnHand": stocked, "IncomeAccountRef": ref(INCOME[product.family]),
            "ExpenseAccountRef": ref("Cost of Goods Sold") if stocked else None,
            "AssetAccountRef": ref("Inventory Asset") if stocked else None})
    yield record("Item", BUNDLE, BEGIN, BEGIN, {
        "Name": "Starter set", "FullyQualifiedName": "Starter set", "Active": True, "Type": "Group",
        "TrackQtyOnHand": False})


def _currency(code: str) -> dict[str, str]:
    return {"value": code, "name": CURRENCIES[code].name}


def customer_rows(party: Party, now: int) -> Iterator[Row]:
    """(table, row) of the party's customers."""
    for each in party.erp:
        yield record("Customer", str(each.id), each.created, each.changed(now), _customer(party, each, now))


def _customer(party: Party, record_: Record, now: int) -> dict[str, Any]:
    where = record_.address_at(now)
    return {
        "DisplayName": f"{record_.name} {record_.number}" if len(party.erp) > 1 else record_.name,
        "CompanyName": record_.name, "FullyQualifiedName": record_.name, "Active": True, "Job": False,
        "BillWithParent": False, "Taxable": party.taxed, "CurrencyRef": _currency(party.currency),
        "AcctNum": record_.external, "PrimaryTaxIdentifier": record_.tax_id, "Balance": 0.0, "BalanceWithJobs": 0.0,
        "PrimaryPhone": {"FreeFormNumber": f"+00 {record_.number:07d}"}, "PreferredDeliveryMethod": "Print",
        "PrimaryEmailAddr": {"Address": f"billing@{record_.domain}"} if record_.domain else None,
        "WebAddr": {"URI": f"https://{record_.domain}"} if record_.domain and record_.number % 3 else None,
        "BillAddr": {"Id": str(record_.number + 7), "Line1": where["street"], "City": where["city"],
                     "CountrySubDivisionCode": where["state"] or None, "PostalCode": where["zip"],
                     "Country": COUNTRIES.get(where["country"], where["country"])},
    }
