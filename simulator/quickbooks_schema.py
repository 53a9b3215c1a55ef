"""What `sim.db` holds of a QuickBooks company: each record as the JSON that is served, with what a server looks up.

`moved` is MetaData.LastUpdatedTime in UTC. Names and types of the records' own members are Intuit's schema, as far as
statements may name them.
"""

from __future__ import annotations

from simulator.schema import Table, names_in, parsed

TRANSACTIONS = ("Invoice", "SalesReceipt", "CreditMemo", "RefundReceipt", "Estimate", "Payment", "JournalEntry",
                "Deposit")
LISTS = ("Customer", "Item", "Account", "CompanyCurrency")  # hidden while inactive, unless asked for
SINGLES = ("CompanyInfo", "Preferences")
_TABLES = """
deleted | entity,id | moved | entity:text id:text moved:stamp
rate | source,day | day | source:text day:date rate:rate
posting | entity,id,number | day | entity:text id:text number:integer day:date account:text debit:amount credit:amount
 party:text party_name:text document:text
"""
_ENTITY = "{name} | id | moved,id | id:text moved:stamp active:boolean body:text\n"
_META = "MetaData.CreateTime:stamp MetaData.LastUpdatedTime:stamp Id:id SyncToken:text"
_SALES = f"""{_META} DocNumber:text TxnDate:date DueDate:date CustomerRef:text CurrencyRef:text TotalAmt:number
    Balance:number PrivateNote:text EmailStatus:text PrintStatus:text DepartmentRef:text ClassRef:text"""
# property: what it may be compared as. Lines can never be filtered.
FILTERS: dict[str, dict[str, str]] = {
    name: dict(word.split(":") for word in text.split()) for name, text in {
        "Invoice": _SALES, "SalesReceipt": _SALES, "CreditMemo": _SALES, "RefundReceipt": _SALES,
        "Estimate": f"{_SALES} TxnStatus:text",
        "Payment": f"{_META} TxnDate:date CustomerRef:text TotalAmt:number PaymentRefNum:text UnappliedAmt:number",
        "JournalEntry": f"{_META} TxnDate:date DocNumber:text TotalAmt:number",
        "Deposit": f"{_META} TxnDate:date DocNumber:text TotalAmt:number",
        "Customer": f"{_META} DisplayName:text CompanyName:text GivenName:text FamilyName:text Active:boolean "
                    "FullyQualifiedName:text Balance:number Job:boolean",
        "Item": f"{_META} Name:text Sku:text Active:boolean Type:text FullyQualifiedName:text UnitPrice:number",
        "Account": f"{_META} Name:text AcctNum:text Active:boolean AccountType:text AccountSubType:text "
                   "Classification:text FullyQualifiedName:text",
        "CompanyCurrency": f"{_META} Code:text Name:text Active:boolean",
        "CompanyInfo": f"{_META} CompanyName:text", "Preferences": _META,
        "ExchangeRate": "SourceCurrencyCode:text AsOfDate:date",
    }.items()
}


def tables() -> tuple[Table, ...]:
    """All tables."""
    entities = "".join(_ENTITY.format(name=name) for name in (*TRANSACTIONS, *LISTS, *SINGLES))
    return tuple(parsed("quickbooks", entities + _TABLES.strip()))


def columns() -> dict[str, tuple[str, ...]]:
    """{table: its columns}."""
    made = {table.sql_name: table.columns for table in tables()}
    return made | {f"quickbooks__{name}": names_in("id moved active body")
                   for name in (*TRANSACTIONS, *LISTS, *SINGLES)}
