"""QuickBooks' reports laid flat: nested sections of cells, all of them text, the ids of entities beside the names.

Columns say which they are under `MetaData` (ColKey, and the days of a month). A report that holds too much says so in a
row of its own, with status 200; one without data says `NoReportData`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from tieout.errors import SourceError
from tieout.extract.http import Damaged

_TOO_MUCH = "unable to display more data"


class Cells(NamedTuple):
    """One row of a report. `sections`: (name, id) of what it stands below, outermost first. values: (text, id) by
    column."""

    sections: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, str], ...]


class Report(NamedTuple):
    """columns: what each says of itself (ColKey, StartDate, EndDate)."""

    columns: tuple[dict[str, str], ...]
    rows: tuple[Cells, ...]
    header: dict[str, Any]


def report_of(body: bytes, where: str) -> Report:
    """The report. Damaged where it is cut short; SourceError where it holds only part of what there is."""
    try:
        found = msgspec.json.decode(body)
        header, columns = found["Header"], found["Columns"]["Column"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise Damaged(f"no report: {error}") from None
    options = {each.get("Name"): each.get("Value") for each in header.get("Option", [])}
    rows = () if options.get("NoReportData") == "true" else tuple(
        _walked((found.get("Rows") or {}).get("Row", []), (), where))
    told = tuple({each["Name"]: each["Value"] for each in column.get("MetaData", [])} for column in columns)
    return Report(told, rows, header)


def _walked(rows: list[dict[str, Any]], above: tuple[tuple[str, str], ...], where: str) -> Iterator[Cells]:
    for row in rows:
        if "ColData" in row:
            yield _cells(row["ColData"], above, where)
            continue
        head = (row.get("Header") or {}).get("ColData") or [{}]
        below = (*above, (str(head[0].get("value") or row.get("group") or ""), str(head[0].get("id") or "")))
        if head[0].get("id") and any(cell.get("value") for cell in head[1:]):
            yield _cells(head, above, where)  # an account with others below it, and postings of its own
        yield from _walked((row.get("Rows") or {}).get("Row", []), below, where)


def _cells(cells: list[dict[str, Any]], above: tuple[tuple[str, str], ...], where: str) -> Cells:
    values = tuple((str(cell.get("value") or ""), str(cell.get("id") or "")) for cell in cells)
    if any(_TOO_MUCH in value.lower() for value, _ in values):
        raise SourceError(f"{where}: the report holds more than the vendor shows",
                          hint="nothing of it was landed; leave the stream out of `streams`")
    return Cells(above, values)


def accounts_by_month(report: Report, name: str) -> list[dict[str, str]]:
    """Amounts of accounts by month, of a report that sums by month."""
    found = []
    for row in report.rows:
        account, account_id = row.values[0]
        if not account_id:
            continue
        for column, (value, _) in zip(report.columns[1:], row.values[1:], strict=False):
            if value and "StartDate" in column and column.get("ColKey") != "total":
                found.append({
                    "report": name, "account": account_id, "account_name": account,
                    "section": row.sections[0][0] if row.sections else "", "start_date": column["StartDate"],
                    "end_date": column["EndDate"], "amount": value, **_about(report)})
    return found


def postings(report: Report, month: str, opening: str) -> list[dict[str, str]]:
    """Postings of accounts, of a general ledger of one month. `opening`: balances that it begins with are none."""
    keys = [column.get("ColKey", "") for column in report.columns]
    if missing := {"tx_date", "txn_type", "debt_amt", "credit_amt"} - set(keys):
        raise Damaged(f"the ledger has no column {min(missing)}")
    found, positions = [], dict[str, int]()
    for row in report.rows:
        told = dict(zip(keys, row.values, strict=False))
        account = next((section for section in reversed(row.sections) if section[1]), None)
        if account is None or told["tx_date"][0] in ("", opening) or not told["txn_type"][0]:
            continue
        positions[account[1]] = position = positions.get(account[1], 0) + 1
        found.append({
            "month": month, "account": account[1], "account_name": account[0], "position": str(position),
            "date": told["tx_date"][0], "transaction_type": told["txn_type"][0],
            "transaction": told["txn_type"][1], "number": told.get("doc_num", ("", ""))[0],
            "party": told.get("name", ("", ""))[1], "debit": told["debt_amt"][0], "credit": told["credit_amt"][0],
            **_about(report)})
    return [{key: value for key, value in row.items() if value} for row in found]


def _about(report: Report) -> dict[str, str]:
    return {"currency": str(report.header.get("Currency") or ""), "basis": str(report.header.get("ReportBasis") or "")}
