"""File extracts (BICC) of the same rows: zip files of CSV, a manifest of the job with their MD5, and extracts of keys.

Columns bear the prefix of their entity. An extract holds what changed since the last one; the first one holds all. The
extract of a store's keys holds all of them each time. What BICC knows by id and REST by name is looked up: units,
customers, items, types, accounts, ledgers.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from simulator.clock import moment_of
from simulator.store import open_for_reading, read_state

_AR, _GL = "fscmtopmodelam_finextractam_arbiccextractam_", "fscmtopmodelam_finextractam_glbiccextractam_"
_ITEM = 'SELECT min("ItemId") FROM "oracle__itemsV2" i WHERE i."ItemNumber" = l."ItemNumber"'
_UNIT = 'SELECT "BusinessUnitId" FROM "oracle__finBusinessUnitsLOV" u WHERE u."BusinessUnitName" = t."BusinessUnit"'
_ENTITY = ('SELECT "LegalEntityId" FROM "oracle__legalEntitiesLOV" e '
           'WHERE e."LegalEntityIdentifier" = t."LegalEntityIdentifier"')
_SET_UP = "2023-01-01 00:00:00"  # types and accounts are older than any transaction
_STATUS = {"Applied": "APP", "Unapplied": "UNAPP", "Unidentified": "UNID", "Reversed": "REV", "NSF": "NSF"}
_CLASSES = {"Revenue": "REV", "Receivable": "REC", "Tax": "TAX", "Rounding": "ROUND", "Unearned Revenue": "UNEARN"}
TYPES = {"Invoice": (1, "INV"), "Debit Memo": (2, "DM"), "Credit Memo": (3, "CM"), "Till Sale": (4, "INV"),
         "Till Refund": (5, "CM"), "Intercompany": (6, "INV"), "Pro Forma": (7, "INV")}


@dataclass(frozen=True)
class Store:
    """A data store: its prefix and columns, the statement that yields them, which of them are its key.

    A column that begins with a dot bears no prefix; `LastUpdateDate` is the stamp. `keys`: so many of the first columns
    are the key; 0: no extract of keys is made.
    """

    name: str
    prefix: str
    columns: str
    statement: str
    keys: int = 1

    @property
    def header(self) -> list[str]:
        """The header line."""
        return [name[1:] if name.startswith(".") else f"{self.prefix}{name}" for name in self.columns.split()]

    @property
    def stamp(self) -> int:
        """The place of the stamp."""
        return self.columns.split().index("LastUpdateDate")


_TRANSACTIONS = f"""
SELECT "CustomerTransactionId", "TransactionNumber", "TransactionDate", kind("TransactionType"), "_Account",
 "InvoiceCurrencyCode", "ConversionRate", CASE WHEN "InvoiceStatus" = 'Incomplete' THEN 'N' ELSE 'Y' END,
 CASE WHEN "InvoiceStatus" = 'Void' THEN 'VD' ELSE 'OP' END, ({_UNIT}), ({_ENTITY}), "PurchaseOrder", "CreationDate",
 "LastUpdateDate" FROM "oracle__receivablesInvoices" t
UNION ALL
SELECT "CustomerTransactionId", "TransactionNumber", "TransactionDate", kind("TransactionType"), "_Account",
 "CreditMemoCurrency", "ConversionRate", 'Y', 'OP', ({_UNIT}), ({_ENTITY}), "PurchaseOrder", "CreationDate",
 "LastUpdateDate" FROM "oracle__receivablesCreditMemos" t
"""
_LINES = f"""
SELECT "CustomerTransactionLineId", "_CustomerTransactionId", 'LINE', "LineNumber", ({_ITEM}), "LineAmount",
 "LineAmount", "Quantity", NULL, "UnitOfMeasure", "SalesOrder", CASE WHEN "AccountingRule" IS NOT NULL THEN 3 END, NULL,
 "LastUpdateDate" FROM "oracle__receivablesInvoiceLines" l
UNION ALL
SELECT "_CustomerTransactionLineId" + 500000000000000, "_CustomerTransactionId", 'TAX', NULL, NULL, "TaxAmount", NULL,
 NULL, NULL, NULL, NULL, NULL, NULL, "LastUpdateDate" FROM "oracle__receivablesInvoiceLineTaxLines"
UNION ALL
SELECT "CustomerTransactionLineId", "_CustomerTransactionId", 'LINE', "LineNumber", ({_ITEM}), "LineAmountCredit",
 "LineAmountCredit", NULL, "LineQuantityCredit", "UnitOfMeasure", NULL, NULL,
 (SELECT "_PreviousCustomerTrxId" FROM "oracle__receivablesCreditMemos" m
  WHERE m."CustomerTransactionId" = "_CustomerTransactionId"), "LastUpdateDate"
 FROM "oracle__receivablesCreditMemoLines" l
UNION ALL
SELECT "DistributionId" + 600000000000000, "_CustomerTransactionId", 'TAX', NULL, NULL, "Amount", NULL, NULL, NULL,
 NULL, NULL, NULL, NULL, "LastUpdateDate" FROM "oracle__receivablesCreditMemoDistributions" WHERE "AccountClass" = 'Tax'
"""
_DISTRIBUTIONS = """
SELECT d."DistributionId", d."_CustomerTransactionId", l."CustomerTransactionLineId", class(d."AccountClass"), 'N',
 d."Amount", d."AccountedAmount", d."AccountingDate", account(d."AccountCombination"), d."LastUpdateDate"
 FROM "oracle__receivablesInvoiceDistributions" d LEFT JOIN "oracle__receivablesInvoiceLines" l
 ON l."_CustomerTransactionId" = d."_CustomerTransactionId" AND l."LineNumber" = d."InvoiceLineNumber"
UNION ALL
SELECT d."DistributionId", d."_CustomerTransactionId", l."CustomerTransactionLineId", class(d."AccountClass"), 'N',
 d."Amount", d."AccountedAmount", d."AccountingDate", account(d."AccountCombination"), d."LastUpdateDate"
 FROM "oracle__receivablesCreditMemoDistributions" d LEFT JOIN "oracle__receivablesCreditMemoLines" l
 ON l."_CustomerTransactionId" = d."_CustomerTransactionId" AND l."LineNumber" = d."CreditMemoLineNumber"
UNION ALL
SELECT "CustomerTransactionLineId" + 700000000000000, "_CustomerTransactionId", "CustomerTransactionLineId", 'REV', 'Y',
 "LineAmount", "LineAmount", NULL, 1, "LastUpdateDate" FROM "oracle__receivablesInvoiceLines"
 WHERE "AccountingRule" IS NOT NULL
"""
_SCHEDULES = """
SELECT i."InstallmentId", i."_CustomerTransactionId", i."OriginalAmount", i."InstallmentBalanceDue",
 i."InstallmentDueDate", t."LastUpdateDate" FROM "oracle__receivablesInvoiceInstallments" i
 JOIN "oracle__receivablesInvoices" t ON t."CustomerTransactionId" = i."_CustomerTransactionId"
UNION ALL
SELECT "CustomerTransactionId" + 800000000000000, "CustomerTransactionId", "EnteredAmount", "TransactionBalanceDue",
 NULL, "LastUpdateDate" FROM "oracle__receivablesCreditMemos"
"""
_APPLICATIONS = """
SELECT "ApplicationId", 'CASH', "StandardReceiptId", NULL, "ReferenceTransactionId", "ApplicationAmount",
 "ApplicationDate", 'APP', "IsLatestApplication", "_LastUpdateDate" FROM "oracle__standardReceiptApplications"
UNION ALL
SELECT "ApplicationId", 'CM', NULL, "CreditMemoId", "ReferenceTransactionId", "ApplicationAmount", "ApplicationDate",
 'APP', "IsLatestApplication", "_LastUpdateDate" FROM "oracle__creditMemoApplications"
"""
_RECEIPTS = f"""
SELECT "StandardReceiptId", "ReceiptNumber", "Amount", "Currency", "ConversionRate",
 CASE WHEN "State" = 'Reversed' THEN 'REV' ELSE status("Status") END, "ReceiptDate", "ReceiptDate", "_Account",
 ({_UNIT}), ({_ENTITY}), "CreationDate", "LastUpdateDate" FROM "oracle__standardReceipts" t
"""
_RATES = """
SELECT "FromCurrency", "ToCurrency", "ConversionType", "ConversionDate", "ConversionRate",
 "ConversionDate" || ' 06:00:00' FROM "oracle__currencyRates"
"""
_BATCHES = """
SELECT "JeBatchId", "BatchName", "Status", "UserJeSourceName", "DefaultPeriodName", "PostedDate",
 "RunningTotalAccountedDr", "RunningTotalAccountedCr", "CreationDate", "LastUpdateDate" FROM "oracle__journalBatches"
"""
_JOURNALS = """
SELECT h."JeHeaderId", h."_JeBatchId", h."JournalName", (SELECT "LedgerId" FROM "oracle__ledgersLOV" g
 WHERE g."Name" = h."LedgerName"), h."CurrencyCode", h."CurrencyConversionRate", h."PeriodName",
 h."DefaultEffectiveDate", b."UserJeSourceName", h."UserJeCategoryName", 'A', b."Status", b."LastUpdateDate"
 FROM "oracle__journalHeaders" h
 JOIN "oracle__journalBatches" b ON b."JeBatchId" = h."_JeBatchId"
"""
_JOURNAL_LINES = """
SELECT l."_JeHeaderId", l."JeLineNumber", account(l."AccountCombination"), l."EnteredDr", l."EnteredCr",
 l."AccountedDr", l."AccountedCr", l."CurrencyCode", h."DefaultEffectiveDate", b."LastUpdateDate"
 FROM "oracle__journalLines" l
 JOIN "oracle__journalHeaders" h ON h."JeHeaderId" = l."_JeHeaderId"
 JOIN "oracle__journalBatches" b ON b."JeBatchId" = h."_JeBatchId"
"""

STORES = (
    Store(f"{_AR}transactionheaderextractpvo", "RaCustomerTrx", "CustomerTrxId TrxNumber TrxDate CustTrxTypeSeqId "
          "BillToCustomerId InvoiceCurrencyCode ExchangeRate CompleteFlag StatusTrx OrgId LegalEntityId PurchaseOrder "
          "CreationDate LastUpdateDate", _TRANSACTIONS),
    Store(f"{_AR}transactionlineextractpvo", "RaCustomerTrxLine", "CustomerTrxLineId CustomerTrxId LineType LineNumber "
          "InventoryItemId ExtendedAmount RevenueAmount QuantityInvoiced QuantityCredited UomCode SalesOrder "
          "AccountingRuleId PreviousCustomerTrxId LastUpdateDate", _LINES),
    Store(f"{_AR}transactiondistributionextractpvo", "RaCustTrxLineGlDist", "CustTrxLineGlDistId CustomerTrxId "
          "CustomerTrxLineId AccountClass AccountSetFlag Amount AcctdAmount GlDate CodeCombinationId LastUpdateDate",
          _DISTRIBUTIONS),
    Store(f"{_AR}paymentscheduleextractpvo", "ArPaymentSchedule", "PaymentScheduleId CustomerTrxId AmountDueOriginal "
          "AmountDueRemaining DueDate LastUpdateDate", _SCHEDULES),
    Store(f"{_AR}receiptheaderextractpvo", "ArCashReceipt", "CashReceiptId ReceiptNumber Amount CurrencyCode "
          "ExchangeRate Status DepositDate ReceiptDate PayFromCustomer OrgId LegalEntityId CreationDate LastUpdateDate",
          _RECEIPTS),
    Store(f"{_AR}receivableapplicationextractpvo", "ArReceivableApplication", "ReceivableApplicationId ApplicationType "
          "CashReceiptId CustomerTrxId AppliedCustomerTrxId AmountApplied ApplyDate Status Display LastUpdateDate",
          _APPLICATIONS),
    Store(f"{_AR}transactiontypeextractpvo", "RaCustTrxType", "CustTrxTypeSeqId Name Type LastUpdateDate", "types",
          0),
    Store(f"{_GL}journalbatchextractpvo", "JournalBatch", "JeBatchId Name Status JeSource DefaultPeriodName PostedDate "
          "RunningTotalAccountedDr RunningTotalAccountedCr CreationDate LastUpdateDate", _BATCHES),
    Store(f"{_GL}journalheaderextractpvo", "GlJeHeaders", ".JeHeaderId JeBatchId Name LedgerId CurrencyCode "
          "CurrencyConversionRate PeriodName DefaultEffectiveDate JeSource JeCategory ActualFlag Status LastUpdateDate",
          _JOURNALS),
    Store(f"{_GL}journallineextractpvo", "GlJeLines", ".JeHeaderId .JeLineNum CodeCombinationId EnteredDr EnteredCr "
          "AccountedDr AccountedCr CurrencyCode EffectiveDate LastUpdateDate", _JOURNAL_LINES, 2),
    Store(f"{_GL}codecombinationextractpvo", "CodeCombination", "CodeCombinationId ChartOfAccountsId Segment1 Segment2 "
          "Segment3 Segment4 EnabledFlag LastUpdateDate", "accounts", 0),
    Store(f"{_GL}dailyrateextractpvo", "DailyRate", "FromCurrency ToCurrency ConversionType ConversionDate "
          "ConversionRate LastUpdateDate", _RATES, 4),
)


def drop(folder: Path, target: Path, since: str | None = None) -> list[Path]:
    """Deliver what changed after `since` ('YYYY-MM-DD HH:MM:SS'; None: everything) of `folder` to `target`.

    Returns the files. The manifest comes last, so that nobody reads half of a job.
    """
    target.mkdir(parents=True, exist_ok=True)
    now = read_state(folder).now
    stamp = now.replace("-", "").replace(":", "").replace(" ", "_")
    database = open_for_reading(folder)
    accounts = _Accounts()
    for name, found in (("kind", lambda t: TYPES[t][0]), ("class", lambda c: _CLASSES.get(c, c)),
                        ("status", lambda s: _STATUS.get(s, s)), ("account", accounts.number)):
        database.create_function(name, 1, found)
    made = []
    for number, store in enumerate(STORES, 1):
        everything = _rows(database, store, accounts)
        rows = [row for row in everything if since is None or row[store.stamp] > since]
        made.append(_write(target / f"file_{store.name}-batch{number}-{stamp}.zip", store.header, rows))
        if store.keys:
            keys = [row[:store.keys] for row in everything]
            path = target / f"file_{store.name}_pk-batch{number}-{stamp}.zip"
            made.append(_write(path, store.header[:store.keys], keys))
    database.close()
    listed = "".join(f"{path.name};{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}\n"
                     for path in made)
    manifest = target / f"{stamp}-MANIFEST.MF"
    manifest.write_text(listed, encoding="utf-8")
    for path in (*made, manifest):
        os.utime(path, (moment_of(now), moment_of(now)))
    return [*made, manifest]


class _Accounts:
    """Ids of account combinations: the same in every job."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def number(self, combination: str) -> int:
        return self.known.setdefault(combination, zlib.crc32(combination.encode()))


def _rows(database: sqlite3.Connection, store: Store, accounts: _Accounts) -> list[tuple]:
    if store.statement == "types":
        return [(number, name, kind, _SET_UP) for name, (number, kind) in TYPES.items()]
    if store.statement == "accounts":  # after distributions and journals, which say what there is
        return [(number, 101, *name.split("."), "Y", _SET_UP) for name, number in accounts.known.items()]
    return [tuple(row) for row in database.execute(store.statement)]


def _write(path: Path, header: list[str], rows: Iterable[tuple]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(f"{path.stem}.csv", text.getvalue())
    return path
