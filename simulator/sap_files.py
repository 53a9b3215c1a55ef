"""SAP's tables as an extraction tool writes them, from the same records that the OData services serve.

    python -m simulator.sap_files --folder .tieout/manufacturing --to drops

One file a table, `;` between values. As the database holds them: numbers with their zeros, amounts as if every currency
had two decimals, a minus behind the number, 00000000 for no date, ledger amounts without a sign, headers of billing
documents without an amount every now and then, rates quoted indirectly below zero, and the day of a rate inverted.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulator import store
from simulator.money import CURRENCIES

Record = dict[str, Any]
NO_DATE = "00000000"


def write_tables(folder: Path, target: Path) -> dict[str, int]:
    """Write all tables of a company's folder as of its now; {table: rows}."""
    target.mkdir(parents=True, exist_ok=True)
    counts = {}
    database = store.open_for_reading(folder)
    day = store.read_state(folder).now[:10].replace("-", "")
    for table, (names, rows) in _TABLES.items():
        with (target / f"{table}_{day}.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, delimiter=";", lineterminator="\r\n")
            out.writerow(names.split())
            counts[table] = 0
            for values in rows(lambda name: _records(database, name)):
                out.writerow(values)
                counts[table] += 1
    database.close()
    return counts


def _records(database: Any, name: str) -> Iterator[Record]:
    found = database.execute(f'SELECT * FROM "sap__{name}"')
    names = [column for column, *_ in found.description]
    for row in found:  # by place: a name is looked for among all names
        yield dict(zip(names, row, strict=True))


def _kept(amount: str | None, currency: str, *, unsigned: bool = False) -> str:
    """An amount as a CURR column holds it: 12.340 dinar as 123.40, 1234 yen as 12.34; the minus behind it."""
    value = Decimal(amount or "0") * Decimal(10) ** (CURRENCIES[currency].decimals - 2)
    text = f"{abs(value):.2f}"
    return text if unsigned or value >= 0 else f"{text}-"


def _quantity(value: str | None) -> str:
    return f"{Decimal(value or '0'):.3f}"


def _rate(value: str) -> str:
    return f"{value[1:]}-" if value.startswith("-") else value


def _date(value: str | None) -> str:
    return value.replace("-", "") if value else NO_DATE


def _inverted(value: str) -> str:
    return str(99999999 - int(_date(value)))


def _kna1(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    places = {each["BusinessPartner"]: each for each in read("A_BusinessPartnerAddress")}
    partners = {each["Customer"]: each for each in read("A_BusinessPartner")}
    for each in read("A_Customer"):
        place, partner = places.get(each["Customer"], {}), partners[each["Customer"]]
        yield ["100", each["Customer"], each["CustomerName"], "", place.get("Country"), place.get("CityName"),
               place.get("PostalCode"), place.get("Region"), place.get("StreetName"), each["VATRegistration"],
               partner["TradingPartner"], "", "", _date(each["CreationDate"])]


def _t001(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for each in read("A_CompanyCode"):
        yield ["100", each["CompanyCode"], each["CompanyCodeName"], each["Country"], each["Currency"],
               each["ChartOfAccounts"], each["FiscalYearVariant"]]


def _tcurx(_read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for currency in CURRENCIES.values():
        if currency.decimals != 2:
            yield [currency.code, currency.decimals]


def _tcurr(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for each in read("I_ExchangeRateRawData"):
        yield ["100", each["ExchangeRateType"], each["SourceCurrency"], each["TargetCurrency"],
               _inverted(each["ValidityStartDate"]), _rate(each["ExchangeRate"]), "0", "0"]


def _tcurf(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    """What counts: TCURR's own factors are 0 here, as they often are."""
    last: dict[tuple[str, str], Record] = {}
    for each in read("I_ExchangeRateRawData"):
        pair = each["SourceCurrency"], each["TargetCurrency"]
        if pair not in last or last[pair]["ValidityStartDate"] < each["ValidityStartDate"]:
            last[pair] = each
    for (source, target), each in sorted(last.items()):
        yield ["100", each["ExchangeRateType"], source, target, _inverted("2000-01-01"),
               each["NumberOfSourceCurrencyUnits"], each["NumberOfTargetCurrencyUnits"]]


def _vbak(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for each in read("A_SalesOrder"):
        yield ["100", each["SalesOrder"], "TA", "C", each["SalesOrganization"], "", each["SoldToParty"],
               each["TransactionCurrency"], each["PurchaseOrderByCustomer"], each["OverallSDProcessStatus"],
               each["ExternalDocumentID"], _kept(each["TotalNetAmount"], each["TransactionCurrency"]),
               _date(each["SalesOrderDate"]), _date(each["CreationDate"])]


def _vbap(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for each in read("A_SalesOrderItem"):
        currency = each["TransactionCurrency"]
        yield ["100", each["SalesOrder"], each["SalesOrderItem"], each["Material"], each["SalesOrderItemText"],
               each["SalesOrderItemCategory"], each["RequestedQuantityUnit"], each["ProductionPlant"], currency,
               each["SalesDocumentRjcnReason"], _quantity(each["RequestedQuantity"]),
               _kept(each["NetAmount"], currency), _kept(each["TaxAmount"], currency)]


def _likp(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for each in read("A_OutbDeliveryHeader"):
        yield ["100", each["DeliveryDocument"], each["DeliveryDocumentType"], each["SDDocumentCategory"],
               each["SalesOrganization"], each["SoldToParty"], each["TransactionCurrency"], _date(each["DocumentDate"]),
               _date(each["ActualGoodsMovementDate"]), _date(each["CreationDate"])]


def _lips(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for each in read("A_OutbDeliveryItem"):
        yield ["100", each["DeliveryDocument"], each["DeliveryDocumentItem"], each["Material"], each["Plant"],
               each["DeliveryQuantityUnit"], each["ReferenceSDDocument"], each["ReferenceSDDocumentItem"],
               each["ReferenceSDDocumentCategory"], _quantity(each["ActualDeliveryQuantity"])]


def _vbrk(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for number, each in enumerate(read("A_BillingDocument")):
        currency = each["TransactionCurrency"]
        rate = each["AbsltAccountingExchangeRate"]
        net = "0.00" if number % 50 == 7 else _kept(each["TotalNetAmount"], currency)  # the lines hold the money
        yield ["100", each["BillingDocument"], each["BillingDocumentType"], each["SDDocumentCategory"],
               each["SalesOrganization"], each["CompanyCode"], each["SoldToParty"], each["PayerParty"], currency,
               each["PurchaseOrderByCustomer"], each["AccountingTransferStatus"],
               "X" if each["BillingDocumentIsCancelled"] else "", each["CancelledBillingDocument"],
               f"{rate}-" if each["AcctgExchangeRateIsIndrctQtan"] else rate, net, _kept(each["TaxAmount"], currency),
               _date(each["BillingDocumentDate"]), _date(each["CreationDate"])]


def _vbrp(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for each in read("A_BillingDocumentItem"):
        currency = each["TransactionCurrency"]
        yield ["100", each["BillingDocument"], each["BillingDocumentItem"], each["Material"], each["Plant"],
               each["BillingQuantityUnit"], each["SalesDocument"], each["SalesDocumentItem"],
               each["ReferenceSDDocument"], each["ReferenceSDDocumentItem"], each["ReferenceSDDocumentCategory"],
               _quantity(each["BillingQuantity"]), _kept(each["NetAmount"], currency),
               _kept(each["TaxAmount"], currency)]


def _bkpf(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    """And a parked document (BSTAT V), which is none yet."""
    for each in read("A_OperationalAcctgDocItemCube"):
        if each["AccountingDocumentItem"] == "001":
            yield ["100", each["CompanyCode"], each["AccountingDocument"], each["FiscalYear"],
                   each["AccountingDocumentType"], "", each["ReferenceDocumentType"], each["OriginalReferenceDocument"],
                   each["DocumentReferenceID"], each["TransactionCurrency"], each["CompanyCodeCurrency"],
                   _date(each["PostingDate"]), _date(each["DocumentDate"]),
                   _date(each["AccountingDocumentCreationDate"])]
    yield ["100", "1010", "1900000001", "2026", "SA", "V", "BKPFF", "", "", "EUR", "EUR", "20260601", "20260601",
           "20260601"]


def _bseg(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    for each in read("A_OperationalAcctgDocItemCube"):
        currency, base = each["TransactionCurrency"], each["CompanyCodeCurrency"]
        yield ["100", each["CompanyCode"], each["AccountingDocument"], each["FiscalYear"],
               each["AccountingDocumentItem"], each["FinancialAccountType"], each["TransactionTypeDetermination"],
               each["DebitCreditCode"], each["GLAccount"], each["Customer"], each["PartnerCompany"], each["Material"],
               each["AssignmentReference"], each["InvoiceReference"], each["InvoiceReferenceFiscalYear"],
               each["InvoiceItemReference"], each["ClearingAccountingDocument"], each["ClearingDocFiscalYear"],
               "X" if each["IsBalanceSheetAccount"] else "",
               _kept(each["AmountInCompanyCodeCurrency"], base, unsigned=True),
               _kept(each["AmountInTransactionCurrency"], currency, unsigned=True), _date(each["NetDueDate"]),
               _date(each["ClearingDate"])]
    yield ["100", "1010", "1900000001", "2026", "001", "S", "", "H", "0041000000", "", "", "", "", "", "", "", "", "",
           "", "999.99", "999.99", NO_DATE, NO_DATE]


def _acdoca(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    """Every line for the leading ledger, and once more for a parallel one; signed, as the services show it."""
    for each in read("A_OperationalAcctgDocItemCube"):
        currency, base, year = each["TransactionCurrency"], each["CompanyCodeCurrency"], each["FiscalYear"]
        period, bill = each["FiscalPeriod"], each["BillingDocument"]
        for ledger in ("0L", "2L"):
            yield ["100", ledger, each["CompanyCode"], year, each["AccountingDocument"],
                   f"{int(each['AccountingDocumentItem']):06d}", year, period, f"{year}{period}",
                   each["AccountingDocumentType"], each["ReferenceDocumentType"],
                   bill or each["AccountingDocument"], each["GLAccount"],
                   each["Customer"], each["Material"], currency, currency, base, each["ChartOfAccounts"],
                   each["FinancialAccountType"], each["TransactionTypeDetermination"],
                   "X" if each["IsBalanceSheetAccount"] else "P", each["PartnerCompany"], each["AssignmentReference"],
                   each["DocumentReferenceID"], each["InvoiceReference"], each["InvoiceReferenceFiscalYear"],
                   each["InvoiceItemReference"], each["ClearingAccountingDocument"], each["ClearingDocFiscalYear"], "",
                   f"{_date(each['AccountingDocumentCreationDate'])}{each['CreationTime'].replace(':', '')}",
                   _kept(each["AmountInTransactionCurrency"], currency),
                   _kept(each["AmountInTransactionCurrency"], currency),
                   _kept(each["AmountInCompanyCodeCurrency"], base), each["DebitCreditCode"],
                   _date(each["PostingDate"]), _date(each["DocumentDate"]), _date(each["NetDueDate"]),
                   _date(each["ClearingDate"])]


def _vbfa(read: Callable[[str], Iterator[Record]]) -> Iterator[list[Any]]:
    """What followed directly from what; and what never concerns us: the goods issue that posted a delivery."""
    for each in read("A_OutbDeliveryItem"):
        quantity = _quantity(each["ActualDeliveryQuantity"])
        if each["ReferenceSDDocument"]:
            yield ["100", each["ReferenceSDDocument"], each["ReferenceSDDocumentItem"], each["DeliveryDocument"],
                   each["DeliveryDocumentItem"], "J", "C", quantity]
        if each["GoodsMovementStatus"] == "C":
            yield ["100", each["DeliveryDocument"], each["DeliveryDocumentItem"], f"49{each['DeliveryDocument'][2:]}",
                   "000001", "R", "J", quantity]
    headers = {each["BillingDocument"]: each for each in read("A_BillingDocument")}
    for each in read("A_BillingDocumentItem"):
        number, item = each["BillingDocument"], each["BillingDocumentItem"]
        category, cancelled = (headers[number][name] for name in ("SDDocumentCategory", "CancelledBillingDocument"))
        if cancelled:
            source = cancelled, item, headers[cancelled]["SDDocumentCategory"]
        else:
            source = each["ReferenceSDDocument"], each["ReferenceSDDocumentItem"], each["ReferenceSDDocumentCategory"]
        if source[0]:
            yield ["100", *source[:2], number, item, category, source[2], _quantity(each["BillingQuantity"])]


_TABLES: dict[str, tuple[str, Callable[[Callable[[str], Iterator[Record]]], Iterator[list[Any]]]]] = {
    "KNA1": ("MANDT KUNNR NAME1 NAME2 LAND1 ORT01 PSTLZ REGIO STRAS STCEG VBUND LOEVM SPERR ERDAT", _kna1),
    "T001": ("MANDT BUKRS BUTXT LAND1 WAERS KTOPL PERIV", _t001),
    "TCURX": ("CURRKEY CURRDEC", _tcurx),
    "TCURR": ("MANDT KURST FCURR TCURR GDATU UKURS FFACT TFACT", _tcurr),
    "TCURF": ("MANDT KURST FCURR TCURR GDATU FFACT TFACT", _tcurf),
    "VBAK": ("MANDT VBELN AUART VBTYP VKORG BUKRS_VF KUNNR WAERK BSTNK GBSTK EXT_REF_DOC_ID NETWR AUDAT ERDAT", _vbak),
    "VBAP": ("MANDT VBELN POSNR MATNR ARKTX PSTYV VRKME WERKS WAERK ABGRU KWMENG NETWR MWSBP", _vbap),
    "LIKP": ("MANDT VBELN LFART VBTYP VKORG KUNAG WAERK BLDAT WADAT_IST ERDAT", _likp),
    "LIPS": ("MANDT VBELN POSNR MATNR WERKS VRKME VGBEL VGPOS VGTYP LFIMG", _lips),
    "VBRK": ("MANDT VBELN FKART VBTYP VKORG BUKRS KUNAG KUNRG WAERK BSTNK_VF RFBSK FKSTO SFAKN KURRF NETWR MWSBK FKDAT "
             "ERDAT", _vbrk),
    "VBRP": ("MANDT VBELN POSNR MATNR WERKS VRKME AUBEL AUPOS VGBEL VGPOS VGTYP FKIMG NETWR MWSBP", _vbrp),
    "BKPF": ("MANDT BUKRS BELNR GJAHR BLART BSTAT AWTYP AWKEY XBLNR WAERS HWAER BUDAT BLDAT CPUDT", _bkpf),
    "BSEG": ("MANDT BUKRS BELNR GJAHR BUZEI KOART KTOSL SHKZG HKONT KUNNR VBUND MATNR ZUONR REBZG REBZJ REBZZ AUGBL "
             "AUGGJ XBILK DMBTR WRBTR NETDT AUGDT", _bseg),
    "ACDOCA": ("RCLNT RLDNR RBUKRS GJAHR BELNR DOCLN RYEAR POPER FISCYEARPER BLART AWTYP AWREF RACCT KUNNR MATNR RTCUR "
               "RWCUR RHCUR KTOPL KOART KTOSL GLACCOUNT_TYPE RASSC ZUONR XBLNR REBZG REBZJ REBZZ AUGBL AUGGJ BSTAT "
               "TIMESTAMP TSL WSL HSL DRCRK BUDAT BLDAT NETDT AUGDT", _acdoca),
    "VBFA": ("MANDT VBELV POSNV VBELN POSNN VBTYP_N VBTYP_V RFMNG", _vbfa),
}


def main() -> int:
    """Write a folder's tables and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m simulator.sap_files", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    told = parser.parse_args()
    for table, count in write_tables(told.folder, told.to).items():
        print(f"{count:>9,}  {table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
