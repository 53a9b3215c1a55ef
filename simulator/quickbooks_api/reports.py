"""The reports ProfitAndLoss and GeneralLedger: nested sections of cells, all of them text.

On cash basis, which is what a report without `accounting_method` has here, only what was paid at once is shown.
"""

from __future__ import annotations

import sqlite3
from calendar import monthrange
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from simulator.quickbooks_api.errors import not_supported
from simulator.quickbooks_master import ACCOUNTS

_COLUMNS = {
    "tx_date": ("Date", "Date"), "txn_type": ("Transaction Type", "String"), "doc_num": ("Num", "String"),
    "name": ("Name", "String"), "memo": ("Memo/Description", "String"), "account_name": ("Account", "String"),
    "subt_nat_amount": ("Amount", "Money"), "debt_amt": ("Debit", "Money"), "credit_amt": ("Credit", "Money"),
    "rbal_nat_amount": ("Balance", "Money"),
}
_DEFAULT = "tx_date,txn_type,doc_num,name,memo,subt_nat_amount,rbal_nat_amount"
_TYPES = {"SalesReceipt": "Sales Receipt", "CreditMemo": "Credit Memo", "RefundReceipt": "Refund",
          "JournalEntry": "Journal Entry"}
_SECTIONS = (("Income", "Income"), ("Cost of Goods Sold", "COGS"), ("Expense", "Expenses"),
             ("Other Expense", "OtherExpenses"))
_WORDS = {"start_date", "end_date", "accounting_method", "columns", "summarize_column_by", "minorversion", "sort_order",
          "date_macro"}
_PAID = ("SalesReceipt", "RefundReceipt", "JournalEntry", "Deposit")
Posting = tuple[str, str, str, str, str | None, str | None, str, str, str]


def report(database: sqlite3.Connection, name: str, words: dict[str, str], currency: str, time: str) -> dict[str, Any]:
    """The report, or the fault for a name, parameter or column that is unknown."""
    if strange := set(words) - _WORDS:
        raise not_supported(min(strange))
    method = words.get("accounting_method", "Cash")
    if name not in ("ProfitAndLoss", "GeneralLedger") or method not in ("Cash", "Accrual"):
        raise not_supported(name if method in ("Cash", "Accrual") else "accounting_method")
    try:
        start, end = (date.fromisoformat(words[word]) for word in ("start_date", "end_date"))
    except (KeyError, ValueError):
        raise not_supported("start_date") from None
    found = [row for row in database.execute(
        "SELECT entity, id, day, account, debit, credit, party, party_name, document FROM quickbooks__posting "
        "WHERE day BETWEEN ? AND ? ORDER BY account, day, entity, id, number", (str(start), str(end)))
        if method == "Accrual" or row[0] in _PAID]
    by_month = name == "ProfitAndLoss" and words.get("summarize_column_by") == "Month"
    header = {
        "Time": time, "ReportName": name, "ReportBasis": method, "StartPeriod": str(start), "EndPeriod": str(end),
        "SummarizeColumnsBy": "Month" if by_month else "Total", "Currency": currency,
        "Option": [{"Name": "AccountingStandard", "Value": "GAAP"},
                   {"Name": "NoReportData", "Value": "false" if found else "true"}],
    }
    if name == "GeneralLedger":
        return {"Header": header, **_ledger(found, words.get("columns", _DEFAULT))}
    return {"Header": header, **_profit(found, _spans(start, end) if by_month else [(start, end)], by_month=by_month)}


def _spans(start: date, end: date) -> list[tuple[date, date]]:
    found = []
    while start <= end:
        last = start.replace(day=monthrange(start.year, start.month)[1])
        found.append((start, min(last, end)))
        start = last + timedelta(days=1)
    return found


def _profit(found: list[Posting], spans: list[tuple[date, date]], *, by_month: bool) -> dict[str, Any]:
    columns = [{"ColTitle": "", "ColType": "Account", "MetaData": [{"Name": "ColKey", "Value": "account"}]}]
    for first, last in spans if by_month else ():
        columns.append({"ColTitle": f"{first:%b %Y}", "ColType": "Money", "MetaData": [
            {"Name": "StartDate", "Value": str(first)}, {"Name": "EndDate", "Value": str(last)},
            {"Name": "ColKey", "Value": f"{first:%b %Y}"}]})
    columns.append({"ColTitle": "Total", "ColType": "Money", "MetaData": [{"Name": "ColKey", "Value": "total"}]})
    sums: dict[str, dict[int, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for _, _, day, account, debit, credit, *_ in found:
        place = next(i for i, (first, last) in enumerate(spans) if str(first) <= day <= str(last))
        sums[account][place] += Decimal(credit or 0) - Decimal(debit or 0)
    sections = [_section(kind, group, sums, len(spans), by_month=by_month) for kind, group in _SECTIONS]
    return {"Columns": {"Column": columns}, "Rows": {"Row": [section for section in sections if section]}}


def _section(kind: str, group: str, sums: dict[str, dict[int, Decimal]], spans: int, *, by_month: bool,
             ) -> dict[str, Any] | None:
    sign = 1 if kind == "Income" else -1
    data, totals = [], [Decimal(0)] * spans
    for name, (identity, _, of, _, _) in ACCOUNTS.items():
        if of != kind or identity not in sums:
            continue
        amounts = [sign * sums[identity].get(place, Decimal(0)) for place in range(spans)]
        totals = [a + b for a, b in zip(totals, amounts, strict=True)]
        data.append({"type": "Data", "ColData": [{"value": name, "id": identity}, *_cells(amounts, by_month=by_month)]})
    if not data:
        return None
    return {"type": "Section", "group": group, "Header": {"ColData": [{"value": kind}]}, "Rows": {"Row": data},
            "Summary": {"ColData": [{"value": f"Total {kind}"}, *_cells(totals, by_month=by_month)]}}


def _cells(amounts: list[Decimal], *, by_month: bool) -> list[dict[str, str]]:
    told = [{"value": f"{amount:f}" if amount else ""} for amount in amounts] if by_month else []
    return [*told, {"value": f"{sum(amounts):f}"}]


def _ledger(found: list[Posting], wanted: str) -> dict[str, Any]:
    keys = wanted.split(",")
    if strange := [key for key in keys if key not in _COLUMNS]:
        raise not_supported(strange[0])
    columns = [{"ColTitle": _COLUMNS[key][0], "ColType": _COLUMNS[key][1],
                "MetaData": [{"Name": "ColKey", "Value": key}]} for key in keys]
    by_account: dict[str, list[Posting]] = defaultdict(list)
    for row in found:
        by_account[row[3]].append(row)
    names = {identity: name for name, (identity, *_) in ACCOUNTS.items()}
    rows = []
    for account, postings in by_account.items():
        opening = [{"value": "Beginning Balance"}, *[{"value": ""} for _ in keys[1:]]]
        data = [{"type": "Data", "ColData": opening}]
        data += [{"type": "Data", "ColData": [_cell(key, row, names[account]) for key in keys]} for row in postings]
        empty = [{"value": ""} for _ in keys[1:]]
        rows.append({"type": "Section", "Header": {"ColData": [{"value": names[account], "id": account}, *empty]},
                     "Rows": {"Row": data}, "Summary": {"ColData": [{"value": f"Total for {names[account]}"}, *empty]}})
    return {"Columns": {"Column": columns}, "Rows": {"Row": rows} if rows else {}}


def _cell(key: str, row: Posting, account: str) -> dict[str, str]:
    entity, identity, day, _, debit, credit, party, party_name, number = row
    amount = Decimal(debit or 0) - Decimal(credit or 0)
    told = {"tx_date": day, "doc_num": number, "memo": "", "account_name": account, "debt_amt": debit or "",
            "credit_amt": credit or "", "subt_nat_amount": f"{amount:f}", "rbal_nat_amount": ""}
    if key == "txn_type":
        return {"value": _TYPES.get(entity, entity), "id": identity}
    if key == "name":
        return {"value": party_name, "id": party}
    return {"value": told[key]}
