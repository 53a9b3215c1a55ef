"""Which resources there are: where each is served, its key in addresses, its children, finders and weak spots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from simulator.oracle_schema import is_own, tables
from simulator.schema import Field, Table


@dataclass(frozen=True)
class Resource:
    """`key` stands in addresses; `opaque`: as a hash that only links tell. `join`: (parent's column, own column).

    finders: {name: (variables that are needed, further ones)}; `by_finder`: without one nothing is served.
    weak: attributes that make `fields` fail. unit: the attribute that data grants go by.
    """

    name: str
    key: str
    api: str = "fscm"
    opaque: bool = False
    join: tuple[str, str] | None = None
    children: tuple[Resource, ...] = ()
    finders: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = ()
    by_finder: bool = False
    weak: tuple[str, ...] = ()
    unit: str = ""

    @property
    def table(self) -> Table:
        """Where its records are."""
        return _tables()[self.name]

    @property
    def fields(self) -> dict[str, Field]:
        """The attributes that it serves."""
        return {field.name: field for field in self.table.fields if not is_own(field.name)}

    def child(self, name: str) -> Resource | None:
        """The child resource of that name."""
        return next((child for child in self.children if child.name == name), None)


@cache
def _tables() -> dict[str, Table]:
    return {table.name: table for table in tables()}


_TRX = ("CustomerTransactionId", "_CustomerTransactionId")
_SEARCH = ("TransactionSource", "TransactionType", "BusinessUnit", "BillToCustomerName", "BillToCustomerNumber",
           "TransactionNumber")
_RATES = ("fromCurrency", "toCurrency", "userConversionType", "startDate", "endDate")
_BALANCES = ("accountCombination", "accountingPeriod", "currency")

RESOURCES = {
    resource.name: resource for resource in (
        Resource("receivablesInvoices", "CustomerTransactionId", children=(
            Resource("receivablesInvoiceLines", "CustomerTransactionLineId", join=_TRX, children=(
                Resource("receivablesInvoiceLineTaxLines", "TaxRateCode", opaque=True,
                         join=("CustomerTransactionLineId", "_CustomerTransactionLineId")),)),
            Resource("receivablesInvoiceDistributions", "DistributionId", join=_TRX, weak=("Comments",)),
            Resource("receivablesInvoiceInstallments", "InstallmentId", join=_TRX)),
            finders=(("invoiceSearch", (), _SEARCH),), weak=("Comments",), unit="BusinessUnit"),
        Resource("receivablesCreditMemos", "CustomerTransactionId", children=(
            Resource("receivablesCreditMemoLines", "CustomerTransactionLineId", join=_TRX),
            Resource("receivablesCreditMemoDistributions", "DistributionId", join=_TRX)),
            weak=("CreditMemoComments",), unit="BusinessUnit"),
        Resource("standardReceipts", "StandardReceiptId", weak=("Status", "State", "Comments"), unit="BusinessUnit"),
        Resource("receivablesCustomerAccountActivities", "AccountId", children=(
            Resource("standardReceiptApplications", "ApplicationId", join=("AccountId", "_AccountId")),
            Resource("creditMemoApplications", "ApplicationId", join=("AccountId", "_AccountId")),
            Resource("transactionAdjustments", "AdjustmentId", join=("AccountId", "_AccountId")))),
        Resource("accounts", "PartyId", "crm"),
        Resource("customerAccountsLOV", "CustomerAccountId"),
        Resource("customerAccountSitesLOV", "CustomerAccountSiteId"),
        Resource("itemsV2", "ItemId", opaque=True),
        Resource("salesOrdersForOrderHub", "OrderKey", children=(
            Resource("lines", "LineId", opaque=True, join=("HeaderId", "_HeaderId")),
            Resource("totals", "TotalCode", opaque=True, join=("HeaderId", "_HeaderId"))), unit="BusinessUnitName"),
        Resource("journalBatches", "JeBatchId", children=(
            Resource("journalHeaders", "JeHeaderId", opaque=True, join=("JeBatchId", "_JeBatchId"), children=(
                Resource("journalLines", "JeLineNumber", opaque=True, join=("JeHeaderId", "_JeHeaderId")),)),)),
        Resource("ledgersLOV", "LedgerId"),
        Resource("accountingPeriodStatusLOV", "PeriodName", opaque=True),
        Resource("currencyRates", "FromCurrency", opaque=True, finders=(("CurrencyRatesFinder", _RATES, ()),),
                 by_finder=True),
        Resource("finBusinessUnitsLOV", "BusinessUnitId", opaque=True),
        Resource("legalEntitiesLOV", "LegalEntityId"),
        Resource("inventoryOnhandBalances", "_Key", opaque=True),
    )
}
BALANCES = "ledgerBalances"
BALANCES_FINDER = ("AccountBalanceFinder", _BALANCES, ("ledgerName", "ledgerSetName", "mode"))
