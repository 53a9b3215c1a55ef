"""A small pod, written by hand, for tests of the stand-in for Oracle Fusion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator import oracle_schema, store

INVOICES = 260
FIRST = 300_000_000_000_000


def build(folder: Path) -> Path:
    """Write the pod; the folder. Invoice n has n % 3 lines; every third is of another business unit."""
    state = store.State(seed=0, size="1k", level=1, now="2026-06-30 12:00:00", unit="retail")
    database = store.create(folder, state.tables())
    store.write_state(folder, state)
    with database:
        for number in range(1, INVOICES + 1):
            put(database, "receivablesInvoices", **invoice(number))
            for line in range(number % 3 if number != 9 else 40):
                put(database, "receivablesInvoiceLines", CustomerTransactionLineId=FIRST + number * 100 + line,
                    LineNumber=line + 1, LineAmount="10.50", _CustomerTransactionId=FIRST + number)
        put(database, "ledgersLOV", LedgerId=1, Name="Stores", CurrencyCode="GBP", LedgerCategoryCode="PRIMARY")
        put(database, "accountingPeriodStatusLOV", ApplicationId=101, LedgerId=1, PeriodName="Jan-26",
            StartDate="2026-01-01", EndDate="2026-01-31", ClosingStatus="O")
        put(database, "currencyRates", FromCurrency="EUR", ToCurrency="GBP", ConversionDate="2026-01-31",
            ConversionRate="0.85", ConversionType="Corporate", UserConversionType="Corporate")
        put(database, "journalBatches", JeBatchId=5, Status="P", LastUpdateDate="2026-01-31 10:00:00")
        put(database, "journalHeaders", JeHeaderId=6, LedgerName="Stores", LedgerCurrencyCode="GBP",
            PeriodName="Jan-26", _JeBatchId=5)
        for number, (account, debit, credit) in enumerate((("A", "7.00", None), ("B", None, "7.00")), 1):
            put(database, "journalLines", JeLineNumber=number, AccountCombination=account, AccountedDr=debit,
                AccountedCr=credit, _JeHeaderId=6)
    store.finish(database, state.tables())
    database.close()
    return folder


def invoice(number: int) -> dict[str, Any]:
    """Amounts have cents; the customers are written in upper case, as entered."""
    return {
        "CustomerTransactionId": FIRST + number, "TransactionNumber": str(number % 100),
        "EnteredAmount": f"{number}.50",
        "InvoiceBalanceAmount": "0.00" if number % 2 else f"{number}.50", "InvoiceCurrencyCode": "EUR",
        "TransactionDate": "2026-01-15", "InvoiceStatus": "Complete", "Comments": "long",
        "BusinessUnit": "Shops BU" if number % 3 == 0 else "Stores BU", "BillToCustomerName": "O'NEILL LTD",
        "CreationDate": "2026-01-15 08:11:03", "LastUpdateDate": f"2026-02-{1 + number % 28:02d} 08:11:03",
    }


def put(database: Any, table: str, **values: Any) -> None:
    """One record; what is not named is NULL."""
    known = oracle_schema.columns()[f"oracle__{table}"]
    assert set(values) <= set(known), set(values) - set(known)
    store.write(database, f"oracle__{table}", list(values), [list(values.values())], replace=True)
