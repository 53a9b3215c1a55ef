"""Which records and columns a query may name: they depend on the account's features and the role's permissions."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.habits import NetSuiteAccount
from simulator.schema import Table, tables

_SAME_ROWS = {"previoustransactionlinelink": "nexttransactionlinelink"}
_FEATURES = {
    "oneworld": ({"subsidiary", "customersubsidiaryrelationship"}, "subsidiary"),
    "multi_currency": ({"currency", "currencyrate"}, "currency"),
    "multi_book": ({"accountingbook"}, "accountingbook"),
}
_ALWAYS_FILLED = {"lastmodifieddate", "linelastmodifieddate", "deleteddate", "transaction"}


@dataclass(frozen=True)
class Record:
    """A record type: its rows as SQL, and {column: (kind, never NULL)}."""

    name: str
    rows: str
    columns: dict[str, tuple[str, bool]]


def visible(account: NetSuiteAccount) -> dict[str, Record]:
    """All records by lower-case name."""
    hidden = {name.lower() for name in account.hidden}
    without = [feature for feature in _FEATURES if not getattr(account, feature)]
    gone = set().union(*(_FEATURES[feature][0] for feature in without))
    columns_gone = {_FEATURES[feature][1] for feature in without}
    found = {}
    for table in tables().values():
        if table.system != "netsuite" or table.name in gone or table.name in hidden:
            continue
        columns = {
            field.name: (field.kind, field.name in table.key or field.name in _ALWAYS_FILLED) for field in table.fields
            if field.name not in columns_gone and f"{table.name}.{field.name}" not in hidden
        }
        found[table.name] = Record(table.name, _rows(table, account), columns)
    for alias, name in _SAME_ROWS.items():
        if name in found:
            found[alias] = Record(alias, found[name].rows, found[name].columns)
    return found


def _rows(table: Table, account: NetSuiteAccount) -> str:
    """Without the multi-book feature there is only the primary book, and nothing says so."""
    if table.name == "transactionaccountingline" and not account.multi_book:
        primary = "SELECT id FROM netsuite__accountingbook WHERE isprimary = 1"
        return f'(SELECT * FROM "{table.sql_name}" WHERE accountingbook = ({primary}))'
    return f'"{table.sql_name}"'
