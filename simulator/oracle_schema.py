"""Oracle Fusion's resources as tables of `sim.db`, with the attributes that a strict server should know.

A name that begins with `_` is the simulator's own (a parent's key, what files hold besides); no request may name it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from simulator.schema import Table, parsed

if TYPE_CHECKING:
    from simulator.systems import Row

_TABLES = """
receivablesInvoices | CustomerTransactionId | LastUpdateDate | CustomerTransactionId:integer TransactionNumber:text
 TransactionDate:date AccountingDate:date DueDate:date BillingDate:date BusinessUnit:text TransactionSource:text
 TransactionType:text LegalEntityIdentifier:text InvoiceCurrencyCode:text ConversionRate:rate ConversionRateType:text
 ConversionDate:date EnteredAmount:amount InvoiceBalanceAmount:amount InvoiceStatus:text PaymentTerms:text
 BillToCustomerName:text BillToCustomerNumber:text BillToSite:text PurchaseOrder:text CrossReference:text Comments:text
 DocumentNumber:integer CreatedBy:text LastUpdatedBy:text CreationDate:stamp LastUpdateDate:stamp _Currency:text
 _Account:integer
receivablesInvoiceLines | CustomerTransactionLineId | _CustomerTransactionId | CustomerTransactionLineId:integer
 LineNumber:integer Description:text ItemNumber:text MemoLine:text Quantity:amount UnitSellingPrice:amount
 LineAmount:amount UnitOfMeasure:text AccountingRule:text AccountingRuleDuration:integer RuleStartDate:date
 RuleEndDate:date TaxClassificationCode:text SalesOrder:text Warehouse:text CreationDate:stamp LastUpdateDate:stamp
 _CustomerTransactionId:integer
receivablesInvoiceLineTaxLines | _CustomerTransactionLineId,TaxRateCode | | TaxRateCode:text TaxRate:rate
 TaxAmount:amount TaxableAmount:amount TaxLineNumber:integer CreationDate:stamp LastUpdateDate:stamp
 _CustomerTransactionLineId:integer _CustomerTransactionId:integer
receivablesInvoiceDistributions | DistributionId | _CustomerTransactionId | DistributionId:integer AccountClass:text
 AccountCombination:text AccountingDate:date Amount:amount AccountedAmount:amount InvoiceLineNumber:integer
 DetailedTaxLineNumber:integer Percent:rate Comments:text CreationDate:stamp LastUpdateDate:stamp
 _CustomerTransactionId:integer
receivablesInvoiceInstallments | InstallmentId | _CustomerTransactionId | InstallmentId:integer
 InstallmentSequenceNumber:integer InstallmentDueDate:date OriginalAmount:amount InstallmentBalanceDue:amount
 AccountedBalanceDue:amount AmountPaid:amount InstallmentAmountAdjusted:amount InstallmentAmountCredited:amount
 InstallmentStatus:text DisputeAmount:amount DisputeDate:date PaymentDaysLate:integer _CustomerTransactionId:integer
receivablesCreditMemos | CustomerTransactionId | LastUpdateDate | CustomerTransactionId:integer TransactionNumber:text
 TransactionDate:date AccountingDate:date BusinessUnit:text BillToCustomerName:text BillToCustomerNumber:text
 BillToSite:text CreditMemoCurrency:text CreditMemoStatus:text CreditReason:text EnteredAmount:amount
 TransactionBalanceDue:amount FreightCreditAmount:text TransactionSource:text TransactionType:text
 LegalEntityIdentifier:text CreditMemoComments:text ConversionRate:rate ConversionRateType:text ConversionRateDate:date
 PurchaseOrder:text CreationDate:stamp LastUpdateDate:stamp _Account:integer _PreviousCustomerTrxId:integer
receivablesCreditMemoLines | CustomerTransactionLineId | _CustomerTransactionId | CustomerTransactionLineId:integer
 LineNumber:integer LineDescription:text ItemNumber:text MemoLine:text LineAmountCredit:amount
 LineQuantityCredit:amount UnitSellingPrice:amount UnitOfMeasure:text LineCreditReason:text
 LineFreightCreditAmount:amount TaxClassificationCode:text CreationDate:stamp LastUpdateDate:stamp
 _CustomerTransactionId:integer
receivablesCreditMemoDistributions | DistributionId | _CustomerTransactionId | DistributionId:integer AccountClass:text
 AccountCombination:text AccountingDate:date Amount:amount AccountedAmount:amount CreditMemoLineNumber:integer
 DetailedTaxLineNumber:integer Percent:rate CreationDate:stamp LastUpdateDate:stamp _CustomerTransactionId:integer
standardReceipts | StandardReceiptId | LastUpdateDate | StandardReceiptId:integer ReceiptNumber:text Amount:amount
 AccountedAmount:amount UnappliedAmount:amount Currency:text ConversionRate:rate ConversionRateType:text
 ConversionDate:date BusinessUnit:text ReceiptDate:date AccountingDate:date MaturityDate:date ReceiptMethod:text
 CustomerName:text CustomerAccountNumber:text CustomerSite:text LegalEntityIdentifier:text State:text Status:text
 Comments:text CreationDate:stamp LastUpdateDate:stamp _Account:integer
receivablesCustomerAccountActivities | AccountId | | AccountId:integer AccountNumber:text CustomerId:integer
 CustomerName:text TotalOpenReceivablesForAccount:amount TotalTransactionsDueForAccount:amount
standardReceiptApplications | ApplicationId | _AccountId | ApplicationId:integer StandardReceiptId:integer
 ReceiptNumber:text ApplicationAmount:amount EnteredCurrency:text ApplicationDate:date AccountingDate:date
 ApplicationStatus:text ProcessStatus:text IsLatestApplication:text ReferenceTransactionId:integer
 ReferenceTransactionNumber:text ReferenceTransactionStatus:text ReferenceInstallmentId:integer _AccountId:integer
 _LastUpdateDate:stamp
creditMemoApplications | ApplicationId | _AccountId | ApplicationId:integer CreditMemoId:integer CreditMemoNumber:text
 ApplicationAmount:amount EnteredCurrency:text ApplicationDate:date AccountingDate:date ApplicationStatus:text
 IsLatestApplication:text ReferenceTransactionId:integer ReferenceTransactionNumber:text _AccountId:integer
 _LastUpdateDate:stamp
transactionAdjustments | AdjustmentId | _AccountId | AdjustmentId:integer AdjustmentNumber:text AdjustmentAmount:amount
 AdjustmentReason:text AdjustmentType:text AccountingDate:date ReferenceTransactionId:integer _AccountId:integer
accounts | PartyId | LastUpdateDate | PartyId:integer PartyNumber:text OrganizationName:text PartyStatus:text
 TaxpayerIdentificationNumber:text EmailAddress:text FormattedPhoneNumber:text URL:text AddressLine1:text City:text
 State:text PostalCode:text Country:text ParentAccountPartyId:integer SourceSystemReferenceValue:text
 CreationDate:stamp LastUpdateDate:stamp
customerAccountsLOV | CustomerAccountId | PartyId | CustomerAccountId:integer AccountNumber:text AccountName:text
 PartyId:integer PartyNumber:text Status:text
customerAccountSitesLOV | CustomerAccountSiteId | | CustomerAccountSiteId:integer CustomerAccountId:integer
 SiteName:text SiteUseCode:text PrimaryFlag:text
itemsV2 | ItemId,OrganizationCode | LastUpdateDateTime | ItemId:integer OrganizationCode:text ItemNumber:text
 ItemDescription:text ItemStatusValue:text PrimaryUOMValue:text ItemClass:text InventoryItemFlag:boolean
 LastUpdateDateTime:stamp
salesOrdersForOrderHub | HeaderId | LastUpdateDate | HeaderId:integer OrderKey:text OrderNumber:text
 SourceTransactionNumber:text SourceTransactionSystem:text BusinessUnitName:text RequestingLegalEntity:text
 BuyingPartyName:text BuyingPartyNumber:text CustomerPONumber:text TransactionalCurrencyCode:text TransactionOn:stamp
 StatusCode:text OpenFlag:boolean CanceledFlag:boolean LastUpdateDate:stamp
lines | LineId | _HeaderId | LineId:integer FulfillLineId:integer ProductNumber:text OrderedQuantity:amount
 OrderedUOM:text UnitSellingPrice:amount ExtendedAmount:amount AccountingRule:text
 InvoicingRule:text StatusCode:text CanceledFlag:boolean
 FulfillmentActualDate:stamp _HeaderId:integer
totals | _HeaderId,TotalCode | | TotalCode:text TotalName:text TotalAmount:amount CurrencyCode:text _HeaderId:integer
journalBatches | JeBatchId | LastUpdateDate | JeBatchId:integer BatchName:text BatchDescription:text
 DefaultPeriodName:text Status:text StatusMeaning:text UserJeSourceName:text PostedDate:date
 ApprovalStatusMeaning:text CompletionStatusMeaning:text ChartOfAccountsName:text RunningTotalAccountedDr:amount
 RunningTotalAccountedCr:amount CreationDate:stamp LastUpdateDate:stamp
journalHeaders | JeHeaderId | _JeBatchId | JeHeaderId:integer JournalName:text LedgerName:text LedgerCurrencyCode:text
 LegalEntityName:text CurrencyCode:text CurrencyConversionRate:rate CurrencyConversionDate:date
 CurrencyConversionType:text PeriodName:text DefaultEffectiveDate:date UserJeCategoryName:text Description:text
 _JeBatchId:integer
journalLines | _JeHeaderId,JeLineNumber | | JeLineNumber:integer AccountCombination:text EnteredDr:amount
 EnteredCr:amount AccountedDr:amount AccountedCr:amount CurrencyCode:text Description:text _JeHeaderId:integer
ledgersLOV | LedgerId | | LedgerId:integer Name:text CurrencyCode:text ChartOfAccountsId:integer AccountingCalendar:text
 LedgerCategoryCode:text
accountingPeriodStatusLOV | ApplicationId,LedgerId,PeriodName | | ApplicationId:integer LedgerId:integer PeriodName:text
 StartDate:date EndDate:date ClosingStatus:text AdjustmentPeriodFlag:text
currencyRates | FromCurrency,ToCurrency,ConversionDate,UserConversionType | | FromCurrency:text ToCurrency:text
 ConversionDate:date ConversionRate:rate ConversionType:text UserConversionType:text
finBusinessUnitsLOV | BusinessUnitId | | BusinessUnitId:integer BusinessUnitName:text PrimaryLedgerId:integer
 LegalEntityId:integer
legalEntitiesLOV | LegalEntityId | | LegalEntityId:integer Name:text LegalEntityIdentifier:text Country:text
inventoryOnhandBalances | OrganizationCode,SubinventoryCode,ItemNumber | | OrganizationCode:text ItemNumber:text
 SubinventoryCode:text LotNumber:text Locator:text PrimaryQuantity:amount PrimaryUnitOfMeasure:text _Key:text
"""


@cache
def tables() -> tuple[Table, ...]:
    """All tables."""
    return tuple(parsed("oracle", _TABLES))


@cache
def columns() -> dict[str, tuple[str, ...]]:
    """{table in sim.db: its columns in order}: rows are rendered whole."""
    return {table.sql_name: table.columns for table in tables()}


def row(table: str, **values: Any) -> Row:
    """A whole row of a table; what is not named is NULL. TypeError for a column that it does not have."""
    name = f"oracle__{table}"
    known = columns()[name]
    if strange := set(values) - set(known):
        raise TypeError(f"{table} has no {', '.join(sorted(strange))}")
    return name, tuple(values.get(column) for column in known)


def is_own(name: str) -> bool:
    """A column of the simulator, which no request may name."""
    return name.startswith("_")
