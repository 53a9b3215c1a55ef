"""What is found by a finder, and what is computed: rates, balances, what an account owes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from simulator.oracle_api.errors import OracleError, invalid
from simulator.oracle_api.query import missing
from simulator.oracle_api.render import Raw, plain
from simulator.oracle_api.resources import BALANCES_FINDER, Resource

Rows = Callable[..., list[Any]]
_LONGEST = 366  # days of rates in one call
_COLUMNS = {"fromCurrency": ("FromCurrency", "="), "toCurrency": ("ToCurrency", "="),
            "userConversionType": ("UserConversionType", "="), "startDate": ("ConversionDate", ">="),
            "endDate": ("ConversionDate", "<=")}


def condition(resource: Resource, name: str, values: dict[str, str], told: str) -> tuple[str, list[Any]]:
    """SQL of a finder of that resource. OracleError 400 where it is unknown, or a variable is missing."""
    if name == "PrimaryKey":
        if set(values) != {resource.key}:
            raise missing(name, resource.key)
        return f'CAST("{resource.key}" AS TEXT) = ?', [values[resource.key]]
    known = {each: (needed, more) for each, needed, more in resource.finders}
    if name not in known:
        raise invalid("finder", told)
    needed, more = known[name]
    for word in needed:
        if not values.get(word):
            raise missing(name, word)
    if strange := set(values) - {*needed, *more}:
        raise OracleError(400, f"Finder {name} has no variable {min(strange)}.", code="27521", path="/finder")
    if name == "CurrencyRatesFinder":
        return _rates(values, told)
    return " AND ".join(f'"{word}" = ?' for word in values) or "1 = 1", list(values.values())


def _rates(values: dict[str, str], told: str) -> tuple[str, list[Any]]:
    try:
        first, last = (date.fromisoformat(values[word]) for word in ("startDate", "endDate"))
    except ValueError:
        raise invalid("finder", told) from None
    if (last - first).days > _LONGEST:
        raise OracleError(400, "The range of dates is longer than a year.", code="27524", path="/finder")
    parts = [f'"{column}" {sign} ?' for column, sign in _COLUMNS.values()]
    return " AND ".join(parts), [values[word] for word in _COLUMNS]


def balances(rows: Rows, name: str, values: dict[str, str]) -> list[dict[str, Any]]:
    """Balances of a ledger's accounts in a period. What cannot be found is told in `ErrorDetail`, with 200."""
    finder, needed, more = BALANCES_FINDER
    if name != finder:
        raise invalid("finder", name)
    for word in needed:
        if not values.get(word):
            raise missing(name, word)
    if not values.get("ledgerName") and not values.get("ledgerSetName"):
        raise missing(name, "ledgerName")
    if strange := set(values) - {*needed, *more}:
        raise OracleError(400, f"Finder {name} has no variable {min(strange)}.", code="27521", path="/finder")
    ledger, period, currency = values.get("ledgerName"), values["accountingPeriod"], values["currency"]
    base = {"LedgerName": ledger, "PeriodName": period, "Currency": currency, "Scenario": "Actual",
            "AmountType": "PTD", "CurrencyType": "Total"}
    known = rows('SELECT "StartDate" FROM "oracle__accountingPeriodStatusLOV" JOIN "oracle__ledgersLOV" USING '
                 '("LedgerId") WHERE "Name" = ? AND "PeriodName" = ?', [ledger, period])
    if not known:
        return [base | {"ErrorDetail": f"The period {period} or the ledger {ledger} is not valid."}]
    starts = dict(rows('SELECT "PeriodName", "StartDate" FROM "oracle__accountingPeriodStatusLOV"'))
    before: dict[str, Decimal] = defaultdict(Decimal)
    during: dict[str, Decimal] = defaultdict(Decimal)
    for account, of, debit, credit in rows(
            'SELECT l."AccountCombination", h."PeriodName", l."AccountedDr", l."AccountedCr" '
            'FROM "oracle__journalLines" l JOIN "oracle__journalHeaders" h ON h."JeHeaderId" = l."_JeHeaderId" '
            'JOIN "oracle__journalBatches" b '
            'ON b."JeBatchId" = h."_JeBatchId" WHERE h."LedgerName" = ? AND h."LedgerCurrencyCode" = ? '
            'AND b."Status" = \'P\'', [ledger, currency]):
        if starts[of] > known[0][0]:
            continue
        place = during if of == period else before
        place[account] += Decimal(debit or 0) - Decimal(credit or 0)
    wanted = values["accountCombination"]
    return [
        base | {"AccountCombination": wanted, "DetailAccountCombination": account,
                "BeginningBalance": str(before[account]), "PeriodActivity": str(during[account]),
                "EndingBalance": str(before[account] + during[account]), "ErrorDetail": None}
        for account in sorted({*before, *during}) if wanted in ("%", account)
    ]


def account_totals(rows: Rows, account: int) -> dict[str, Any]:
    """What an account owes, in the documents' own amounts."""
    balances = rows('SELECT "InvoiceBalanceAmount" FROM "oracle__receivablesInvoices" WHERE "_Account" = ?', [account])
    left = rows('SELECT "UnappliedAmount" FROM "oracle__standardReceipts" WHERE "_Account" = ?', [account])
    due, unused = (sum((Decimal(each) for each, in found), Decimal(0)) for found in (balances, left))
    return {"TotalOpenReceivablesForAccount": Raw(plain(str(due - unused))),
            "TotalTransactionsDueForAccount": Raw(plain(str(due)))}


def exact(sign: str, left: Any, right: Any) -> str | None:
    """Decimal arithmetic in SQL."""
    if left is None or right is None:
        return None
    one, other = Decimal(str(left)), Decimal(str(right))
    found = {"+": one + other, "-": one - other, "*": one * other}[sign]
    return format(found.quantize(Decimal("0.0001"), ROUND_HALF_UP), "f")
