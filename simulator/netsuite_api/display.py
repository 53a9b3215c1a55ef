"""BUILTIN.DF: what the user interface shows in place of an id or a letter."""

from __future__ import annotations

from simulator.netsuite_api.catalog import Record
from simulator.netsuite_api.typed import Preferences, Typed

# Column that holds an id: (record, its column of display).
_DISPLAY = {
    "currency": ("currency", "name"), "postingperiod": ("accountingperiod", "periodname"),
    "entity": ("customer", "altname"), "item": ("item", "itemid"), "account": ("account", "accountsearchdisplayname"),
    "subsidiary": ("subsidiary", "name"), "accountingbook": ("accountingbook", "name"),
    "transaction": ("transaction", "tranid"), "createdfrom": ("transaction", "tranid"),
    "incomeaccount": ("account", "accountsearchdisplayname"),
}
_DOCUMENT_TYPES = {
    "CustInvc": "Invoice", "CashSale": "Cash Sale", "CustCred": "Credit Memo", "CashRfnd": "Cash Refund",
    "CustRfnd": "Customer Refund", "CustPymt": "Payment", "CustDep": "Customer Deposit",
    "DepAppl": "Deposit Application", "Journal": "Journal", "SalesOrd": "Sales Order", "Estimate": "Estimate",
    "Opprtnty": "Opportunity",
    "RtnAuth": "Return Authorization", "ItemShip": "Item Fulfillment", "Deposit": "Deposit",
}
_STATUSES = {
    ("CustInvc", "A"): "Open", ("CustInvc", "B"): "Paid In Full", ("CustInvc", "D"): "Pending Approval",
    ("CustInvc", "E"): "Rejected", ("CustInvc", "V"): "Voided", ("CashSale", "B"): "Not Deposited",
    ("CashSale", "C"): "Deposited", ("CustCred", "A"): "Open", ("CustCred", "B"): "Fully Applied",
    ("CustPymt", "B"): "Not Deposited", ("CustPymt", "C"): "Deposited", ("SalesOrd", "A"): "Pending Approval",
    ("SalesOrd", "B"): "Pending Fulfillment", ("SalesOrd", "C"): "Cancelled", ("SalesOrd", "D"): "Partially Fulfilled",
    ("SalesOrd", "E"): "Pending Billing/Partially Fulfilled", ("SalesOrd", "F"): "Pending Billing",
    ("SalesOrd", "G"): "Billed", ("SalesOrd", "H"): "Closed", ("Journal", "A"): "Pending Approval",
    ("Journal", "B"): "Approved for Posting",
}


def displayed(value: Typed, records: dict[str, Record], preferences: Preferences) -> Typed:
    """The display text of a column; of anything else its own text."""
    if value.kind == "boolean":
        return Typed(f"CASE {value.sql} WHEN 1 THEN 'Yes' WHEN 0 THEN 'No' END", "text")
    if value.origin in ("status", "type"):
        return _document(value)
    record, column = _DISPLAY.get(value.origin or "", ("", ""))
    if record in records:
        return Typed(f"(SELECT d.\"{column}\" FROM {records[record].rows} AS d WHERE d.id = {value.sql})", "text")
    return Typed(preferences.text(value), "text")


def _document(value: Typed) -> Typed:
    """'Invoice : Open' of a status, 'Invoice' of a type. Both columns are of the same row."""
    type_sql = f'{value.sql.rsplit(".", 1)[0]}."type"'
    types = " ".join(f"WHEN '{code}' THEN '{name}'" for code, name in _DOCUMENT_TYPES.items())
    shown = f"CASE {type_sql} {types} ELSE {type_sql} END"
    if value.origin == "type":
        return Typed(shown, "text")
    states = " ".join(f"WHEN '{code}:{letter}' THEN '{name}'" for (code, letter), name in _STATUSES.items())
    return Typed(f"({shown} || ' : ' || CASE {type_sql} || ':' || {value.sql} {states} ELSE {value.sql} END)", "text")
