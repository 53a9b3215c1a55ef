"""ERP documents as Oracle Fusion keeps them: receivables transactions with lines and distributions, receipts, journals.

Amounts of invoices are positive, those of credit memos negative. A distribution's amount is positive on an invoice,
whatever its class: whether it is a debit follows from the class. Functional amounts are each line's amount times the
document's rate, rounded; the receivable takes the sum. Till sales settle themselves against the till's clearing
account. A sale that the ledger never saw has no distributions. An adjustment has its own sign: negative takes off what
is owed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulator import oracle_master, oracle_schema
from simulator.clock import DAY, date_text, stamp_text
from simulator.documents import CREDITS, Chain, Deal, Doc, Line, lines_at
from simulator.money import CURRENCIES, amount_text, converted, decimal_text, rate_text, tax_on
from simulator.oracle_due import FIRST, installment_id, installments, surrogate
from simulator.oracle_master import combination, period_name
from simulator.oracle_schema import row
from simulator.stock import place_of

if TYPE_CHECKING:
    from simulator.customers import Party
    from simulator.plan import World
    from simulator.schema import Table
    from simulator.stock import Level
    from simulator.systems import Row

TRANSACTIONS = ("CustInvc", "CashSale", "Estimate")
_PREFIXES = {"CustPymt": "RCT", "SalesOrd": "ORD", "Journal": "JE", "Adjustment": "ADJ"}
_TYPES = {"CustInvc": "Invoice", "CashSale": "Till Sale", "Estimate": "Pro Forma", "CustCred": "Credit Memo",
          "CashRfnd": "Till Refund"}
_MANUAL = "Spreadsheet"


class Oracle:
    """The ERP's records of a company; see `systems.System`. Holds no state of its own."""

    system, role, kinds = "oracle", "erp", frozenset({"Adjustment"})
    tells_locks = False  # whether a period is closed, not when it was
    columns = oracle_schema.columns()

    def __init__(self, world: World) -> None:
        self._world, self._products, self._lines = world, world.products, world.slots["line"]

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """The resources that the pod serves."""
        return oracle_schema.tables()

    @staticmethod
    def customer_id(number: int) -> str:
        """An account number, by which transactions name their customer."""
        return str(100_000 + number)

    @staticmethod
    def document_id(kind: str, number: int) -> str:
        """CUSTOMER_TRX_ID of transactions; ids of receipts, orders and journals are others, and carry a prefix."""
        key = str(FIRST + number)
        return f"{_PREFIXES[kind]}-{key}" if kind in _PREFIXES else key

    @staticmethod
    def document_number(kind: str, number: int) -> str:
        """Numbers of transactions are plain, and repeat over sources."""
        return str(100_000 + number)

    def key_id(self, record: Deal | Doc) -> str:
        """A document is named by its id."""
        return str(record.id)

    def reference(self, now: int) -> Iterator[Row]:
        """(table, row) of ledgers, units, periods, rates and items."""
        return oracle_master.rows(self._world, now)

    def stock(self, levels: list[Level], now: int) -> Iterator[Row]:
        """(table, row) of what is on hand."""
        return oracle_master.stock_rows(self._world, levels)

    def party(self, party: Party, now: int) -> Iterator[Row]:
        """(table, row) of a party's records."""
        return oracle_master.party_rows(party, now)

    def chain(self, chain: Chain, now: int) -> Iterator[Row]:
        """(table, row) of all ERP documents of the chain that are seen at `now`."""
        seen = [doc for doc in chain.docs if doc.seen(now)]
        for doc in seen:
            changed = stamp_text(_changed(doc, chain, now))
            if doc.kind == "SalesOrd":
                yield from self._order(doc, changed, now)
            elif doc.kind == "CustPymt":
                yield from self._receipt(doc, seen, changed, now)
            elif doc.kind == "Journal":
                yield from self._journal(doc, changed)
            elif doc.kind == "Adjustment":
                yield from self._adjustment(doc, changed)
            elif doc.kind in CREDITS:
                yield from self._credit(doc, seen, changed, now)
            else:
                yield from self._invoice(doc, seen, changed, now)
                yield from installments(doc, chain, now)

    # --- orders

    def _order(self, doc: Doc, changed: str, now: int) -> Iterator[Row]:
        key, decimals = surrogate(doc.id), CURRENCIES[doc.currency].decimals
        closed = doc.is_cancelled(now)
        yield row(
            "salesOrdersForOrderHub", HeaderId=key, OrderKey=f"OPS:{doc.number}", OrderNumber=doc.number,
            SourceTransactionNumber=doc.external or doc.number,
            SourceTransactionSystem="CRM" if doc.external else "OPS", BusinessUnitName=f"{doc.entity.name} BU",
            RequestingLegalEntity=doc.entity.legal_name, BuyingPartyName=doc.customer.name,
            BuyingPartyNumber=oracle_master.party_number(doc.customer), CustomerPONumber=doc.reference,
            TransactionalCurrencyCode=doc.currency, TransactionOn=f"{date_text(doc.day)} 00:00:00",
            StatusCode="CANCELED" if closed else "OPEN", OpenFlag=int(not closed), CanceledFlag=int(closed),
            LastUpdateDate=changed)
        for number, line in enumerate(lines_at(doc, now)):
            line_key = self._line_key(doc, number)
            yield row(
                "lines", LineId=line_key, FulfillLineId=line_key + 1, ProductNumber=self._products[line.product].code,
                OrderedQuantity=decimal_text(line.quantity, 5), OrderedUOM="Each",
                UnitSellingPrice=amount_text(line.price, decimals), ExtendedAmount=amount_text(line.amount, decimals),
                InvoicingRule="Advance Invoice" if doc.schedule else None,
                StatusCode="CANCELED" if closed else "AWAIT_BILLING", CanceledFlag=int(closed), _HeaderId=key)
        for code, name, amount in (("QP_TOTAL_NET_PRICE", "Total Net Price", doc.net(now)),
                                   ("QP_TOTAL_TAX", "Total Tax", doc.tax(now))):
            yield row("totals", TotalCode=code, TotalName=name, TotalAmount=amount_text(amount, decimals),
                      CurrencyCode=doc.currency, _HeaderId=key)

    # --- transactions

    def _invoice(self, doc: Doc, seen: list[Doc], changed: str, now: int) -> Iterator[Row]:
        decimals, void = CURRENCIES[doc.currency].decimals, doc.is_void(now)
        total = 0 if void else doc.total(now) + doc.header_extra
        paid = sum(amount for other in seen for target, amount in other.applied if target is doc)
        is_open = doc.kind == "CustInvc" and not void
        yield row(
            "receivablesInvoices", **self._header(doc, changed),
            DueDate=date_text(doc.due_day) if doc.due_day else None, BillingDate=date_text(doc.day),
            TransactionSource="Spreadsheet" if doc.slot % 7 else "Order Management",
            InvoiceCurrencyCode=doc.currency, ConversionDate=_foreign(doc, date_text(doc.day)),
            EnteredAmount=amount_text(total, decimals),
            InvoiceBalanceAmount=amount_text(total - paid if is_open else 0, decimals),
            InvoiceStatus="Void" if void else "Complete" if doc.approved else "Incomplete",
            PaymentTerms=f"{doc.party.terms_days} Net" if doc.kind == "CustInvc" else "IMMEDIATE",
            CreatedBy="ops", LastUpdatedBy="ops")
        tax = self._tax_parts(doc, now)
        for number, line in enumerate(lines_at(doc, now)):
            key, zero = self._line_key(doc, number), 0 if void else 1
            yield row(
                "receivablesInvoiceLines", CustomerTransactionLineId=key, LineNumber=number + 1,
                Description=self._products[line.product].name, ItemNumber=self._products[line.product].code,
                Quantity=decimal_text(line.quantity * zero, 5), UnitSellingPrice=amount_text(line.price, decimals),
                LineAmount=amount_text(line.amount * zero, decimals), UnitOfMeasure="Each",
                AccountingRule="Monthly" if doc.schedule else None, AccountingRuleDuration=3 if doc.schedule else None,
                TaxClassificationCode="STANDARD" if doc.taxed else None, SalesOrder=_order_number(doc),
                Warehouse=self._warehouse(doc, line), CreationDate=stamp_text(doc.created), LastUpdateDate=changed,
                _CustomerTransactionId=surrogate(doc.id))
            if doc.taxed:
                yield row(
                    "receivablesInvoiceLineTaxLines", TaxRateCode=f"{doc.entity.country}-STANDARD",
                    TaxRate=decimal_text(doc.entity.tax, 2), TaxAmount=amount_text(tax[number], decimals),
                    TaxableAmount=amount_text(line.amount * zero, decimals), TaxLineNumber=1,
                    CreationDate=stamp_text(doc.created), LastUpdateDate=changed, _CustomerTransactionLineId=key,
                    _CustomerTransactionId=surrogate(doc.id))
        yield from self._accounting(doc, changed, now, "receivablesInvoiceDistributions", "InvoiceLineNumber")

    def _credit(self, doc: Doc, seen: list[Doc], changed: str, now: int) -> Iterator[Row]:
        decimals = CURRENCIES[doc.currency].decimals
        used = sum(amount for target, amount in doc.applied if target.seen(now))
        total = doc.total(now) + doc.header_extra
        left = total + used if doc.kind == "CustCred" else 0
        source = doc.source if doc.source and doc.source.seen(now) else None
        yield row(
            "receivablesCreditMemos", **self._header(doc, changed), TransactionSource="Manual",
            CreditMemoCurrency=doc.currency, CreditMemoStatus="Complete", CreditReason="Return",
            ConversionRateDate=_foreign(doc, date_text(doc.day)), EnteredAmount=amount_text(total, decimals),
            TransactionBalanceDue=amount_text(left, decimals), FreightCreditAmount="0",
            _PreviousCustomerTrxId=surrogate(source.id) if source else None)
        for number, line in enumerate(lines_at(doc, now)):
            yield row(
                "receivablesCreditMemoLines", CustomerTransactionLineId=self._line_key(doc, number),
                LineNumber=number + 1, LineDescription=self._products[line.product].name,
                ItemNumber=self._products[line.product].code, LineAmountCredit=amount_text(-line.amount, decimals),
                LineQuantityCredit=decimal_text(-line.quantity, 5), UnitSellingPrice=amount_text(line.price, decimals),
                UnitOfMeasure="Each", LineCreditReason="Return", CreationDate=stamp_text(doc.created),
                LastUpdateDate=changed, _CustomerTransactionId=surrogate(doc.id))
        applied = [(target, amount) for target, amount in doc.applied if target.seen(now)]
        if doc.kind == "CashRfnd" and source:
            applied = [(source, -total)]
        for number, (target, amount) in enumerate(applied):
            yield row(
                "creditMemoApplications", ApplicationId=self._line_key(doc, 40 + number),
                CreditMemoId=surrogate(doc.id), CreditMemoNumber=doc.number,
                ApplicationAmount=amount_text(amount, decimals),
                EnteredCurrency=doc.currency, ApplicationDate=date_text(doc.day), AccountingDate=date_text(doc.day),
                ApplicationStatus="Applied", IsLatestApplication="Y", ReferenceTransactionId=surrogate(target.id),
                ReferenceTransactionNumber=target.number, _AccountId=oracle_master.account_id(doc.customer),
                _LastUpdateDate=changed)
        yield from self._accounting(doc, changed, now, "receivablesCreditMemoDistributions", "CreditMemoLineNumber")

    def _header(self, doc: Doc, changed: str) -> dict[str, Any]:
        return {
            "CustomerTransactionId": surrogate(doc.id), "TransactionNumber": doc.number,
            "TransactionDate": date_text(doc.day), "AccountingDate": date_text(doc.posting_day),
            "BusinessUnit": f"{doc.entity.name} BU", "LegalEntityIdentifier": str(1000 + doc.entity.number),
            "TransactionType": "Intercompany" if doc.intercompany else _TYPES[doc.kind],
            "ConversionRate": _foreign(doc, rate_text(doc.rate)), "ConversionRateType": _foreign(doc, "Corporate"),
            "BillToCustomerName": doc.customer.name.upper(), "BillToCustomerNumber": str(doc.customer.id),
            "BillToSite": "1001", "PurchaseOrder": doc.reference, "CreationDate": stamp_text(doc.created),
            "LastUpdateDate": changed, "_Account": oracle_master.account_id(doc.customer),
        }

    def _tax_parts(self, doc: Doc, now: int) -> list[int]:
        """The document's tax by line, so that the parts sum to the whole."""
        lines = lines_at(doc, now)
        if not doc.taxed or doc.is_void(now):
            return [0] * len(lines)
        parts = [doc.sign * tax_on(line.amount, doc.entity.tax) for line in lines]
        parts[0] += doc.tax(now) - sum(parts)
        return parts

    # --- accounting

    def _entries(self, doc: Doc, now: int) -> list[tuple[str, str, int, int, int | None]]:
        """(class, account, amount, functional amount, line) in the transaction's own sign."""
        if not doc.posted or not doc.approved or doc.kind == "Estimate" or doc.is_void(now):
            return []
        found: list[tuple[str, str, int, int, int | None]] = []
        for number, line in enumerate(lines_at(doc, now)):
            family = "Intercompany" if doc.intercompany else self._products[line.product].family
            amount = doc.sign * line.amount
            booked = self._functional(doc, amount)
            found.append(("Revenue", combination(doc.entity, family), amount, booked, number + 1))
            if part := self._tax_parts(doc, now)[number]:
                found.append(("Tax", combination(doc.entity, "Tax"), part, self._functional(doc, part), number + 1))
        if doc.header_extra:
            found.append(("Rounding", combination(doc.entity, "Rounding"), doc.header_extra,
                          self._functional(doc, doc.header_extra), None))
        clearing = "Till" if doc.kind in ("CashSale", "CashRfnd") else "Receivable"
        found.insert(0, ("Receivable", combination(doc.entity, clearing), sum(each[2] for each in found),
                         sum(each[3] for each in found), None))
        return found

    @staticmethod
    def _functional(doc: Doc, minor: int) -> int:
        return converted(minor, doc.currency, doc.base, doc.rate)

    def _accounting(self, doc: Doc, changed: str, now: int, table: str, line_field: str) -> Iterator[Row]:
        decimals, base = CURRENCIES[doc.currency].decimals, CURRENCIES[doc.base].decimals
        entries = self._entries(doc, now)
        for number, (kind, account, amount, functional, line) in enumerate(entries):
            yield row(
                table, DistributionId=self._line_key(doc, 20 + number), AccountClass=kind, AccountCombination=account,
                AccountingDate=date_text(doc.posting_day), Amount=amount_text(amount, decimals),
                AccountedAmount=amount_text(functional, base), **{line_field: line}, Percent="100",
                DetailedTaxLineNumber=1 if kind == "Tax" else None, CreationDate=stamp_text(doc.created),
                LastUpdateDate=changed, _CustomerTransactionId=surrogate(doc.id))
        if entries:
            sides = [(account, amount if kind == "Receivable" else -amount, functional if kind == "Receivable" else
                      -functional) for kind, account, amount, functional, _ in entries]
            category = "Credit Memos" if doc.kind in CREDITS else "Sales Invoices"
            yield from self._posted(doc, sides, "Receivables", category, changed)

    def _journal(self, doc: Doc, changed: str) -> Iterator[Row]:
        sides = [(combination(doc.entity, "Expense"), doc.amount, doc.amount),
                 (combination(doc.entity, "Accruals"), -doc.amount, -doc.amount)]
        return self._posted(doc, sides, _MANUAL, "Accrual", changed)

    def _posted(
        self, doc: Doc, sides: list[tuple[str, int, int]], source: str, category: str, changed: str
    ) -> Iterator[Row]:
        """A batch of one journal. Debits are positive."""
        key = surrogate(doc.id)
        decimals, base = CURRENCIES[doc.currency].decimals, CURRENCIES[doc.base].decimals
        debits = amount_text(sum(max(each[2], 0) for each in sides), base)
        posted = date_text(doc.created // DAY)
        yield row(
            "journalBatches", JeBatchId=key, BatchName=f"{source} A {key}",
            DefaultPeriodName=period_name(doc.posting_day), Status="P", StatusMeaning="Posted",
            UserJeSourceName=source, PostedDate=posted,
            ApprovalStatusMeaning="Not required", CompletionStatusMeaning="Complete",
            ChartOfAccountsName="Halden", RunningTotalAccountedDr=debits, RunningTotalAccountedCr=debits,
            CreationDate=stamp_text(doc.created), LastUpdateDate=changed)
        yield row(
            "journalHeaders", JeHeaderId=key + 1, JournalName=f"{category} {doc.number}",
            LedgerName=f"{doc.entity.name} Ledger", LedgerCurrencyCode=doc.base, LegalEntityName=doc.entity.legal_name,
            CurrencyCode=doc.currency, CurrencyConversionRate=_foreign(doc, rate_text(doc.rate)),
            PeriodName=period_name(doc.posting_day), DefaultEffectiveDate=date_text(doc.posting_day),
            UserJeCategoryName=category, _JeBatchId=key)
        for number, (account, amount, functional) in enumerate(sides, 1):
            yield row(
                "journalLines", JeLineNumber=number, AccountCombination=account, CurrencyCode=doc.currency,
                EnteredDr=amount_text(amount, decimals) if amount > 0 else None,
                EnteredCr=amount_text(-amount, decimals) if amount < 0 else None,
                AccountedDr=amount_text(functional, base) if functional > 0 else None,
                AccountedCr=amount_text(-functional, base) if functional < 0 else None, _JeHeaderId=key + 1)

    # --- what is taken off a receivable

    def _adjustment(self, doc: Doc, changed: str) -> Iterator[Row]:
        decimals, booked = CURRENCIES[doc.currency].decimals, self._functional(doc, doc.amount)
        yield row(
            "transactionAdjustments", AdjustmentId=surrogate(doc.id), AdjustmentNumber=doc.number,
            AdjustmentAmount=amount_text(-doc.amount, decimals), AdjustmentReason="Small amounts remaining",
            AdjustmentType="Invoice", AccountingDate=date_text(doc.posting_day),
            ReferenceTransactionId=surrogate(doc.applied[0][0].id), _AccountId=oracle_master.account_id(doc.customer))
        sides = [(combination(doc.entity, "Receivable"), -doc.amount, -booked),
                 (combination(doc.entity, "WriteOff"), doc.amount, booked)]
        yield from self._posted(doc, sides, "Receivables", "Adjustment", changed)

    # --- receipts

    def _receipt(self, doc: Doc, seen: list[Doc], changed: str, now: int) -> Iterator[Row]:
        decimals, base = CURRENCIES[doc.currency].decimals, CURRENCIES[doc.base].decimals
        applied = [(target, amount) for target, amount in doc.applied if target.seen(now)]
        left = doc.amount - sum(amount for _, amount in applied)
        yield row(
            "standardReceipts", StandardReceiptId=surrogate(doc.id), ReceiptNumber=doc.reference or doc.number,
            Amount=amount_text(doc.amount, decimals), UnappliedAmount=amount_text(left, decimals),
            Currency=doc.currency, AccountedAmount=amount_text(self._functional(doc, doc.amount), base),
            ConversionRate=_foreign(doc, rate_text(doc.rate)), ConversionRateType=_foreign(doc, "Corporate"),
            ConversionDate=_foreign(doc, date_text(doc.day)), BusinessUnit=f"{doc.entity.name} BU",
            ReceiptDate=date_text(doc.day), AccountingDate=date_text(doc.posting_day), MaturityDate=date_text(doc.day),
            ReceiptMethod="Bank Transfer", CustomerName=doc.customer.name.upper(),
            CustomerAccountNumber=str(doc.customer.id), CustomerSite="1001",
            LegalEntityIdentifier=str(1000 + doc.entity.number), State="Remitted",
            Status="Unapplied" if left else "Applied", CreationDate=stamp_text(doc.created), LastUpdateDate=changed,
            _Account=oracle_master.account_id(doc.customer))
        for number, (target, amount) in enumerate(applied):
            yield row(
                "standardReceiptApplications", ApplicationId=self._line_key(doc, number),
                StandardReceiptId=surrogate(doc.id), ReceiptNumber=doc.reference or doc.number,
                ApplicationAmount=amount_text(amount, decimals), EnteredCurrency=doc.currency,
                ApplicationDate=date_text(doc.day), AccountingDate=date_text(doc.posting_day),
                ApplicationStatus="Applied", ProcessStatus="Processed", IsLatestApplication="Y",
                ReferenceTransactionId=surrogate(target.id), ReferenceTransactionNumber=target.number,
                ReferenceTransactionStatus="Closed", ReferenceInstallmentId=installment_id(target, 0),
                _AccountId=oracle_master.account_id(doc.customer), _LastUpdateDate=changed)

    def _warehouse(self, doc: Doc, line: Line) -> str | None:
        stocked = self._products[line.product].item_type == "InvtPart"
        return oracle_master.organisation(self._world, place_of(doc)) if stocked else None

    def _line_key(self, doc: Doc, number: int) -> int:
        return FIRST + self._lines((doc.slot << 6) + number) * 2


def _order_number(doc: Doc) -> str | None:
    """What an invoice's line says of its order: a number that people see."""
    if doc.dangling:
        return str(surrogate(doc.dangling))
    return doc.source.number if doc.source and doc.source.kind == "SalesOrd" else None


def _foreign(doc: Doc, text: str) -> str | None:
    """Rates are told of foreign currency only."""
    return text if doc.currency != doc.base else None


def _changed(doc: Doc, chain: Chain, now: int) -> int:
    """When the document's own record changed last: by itself, or by what is applied to it or what it is applied to."""
    moments = [doc.created, doc.earlier[0] if doc.earlier else 0, doc.cancelled or 0, doc.voided or 0]
    for other in chain.docs:
        if any(target is doc for target, _ in other.applied) or any(target is other for target, _ in doc.applied):
            moments += [other.created, other.deleted or 0]
    return max(moment for moment in moments if moment < now)
