"""Transactions of a QuickBooks company.

Amounts are positive whatever the document is, discounts too: what a record is says which way it goes. A voided document
stays with zeros and a note. A credit memo is applied by a payment of zero, whose lines name both. Orders are estimates
that were accepted. What is not planted for anybody to find is awkward in its own ways: a discount for the whole of a
document on a line of its own, two lines in a bundle, a line that only describes, prices that include tax.

Books are kept by the day of the document: it cannot post to another month, wait for approval, or be left out of the
ledger; a company has one currency of its own, and a customer one for ever (`lacks`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from simulator import quickbooks_deposits, quickbooks_master, quickbooks_schema
from simulator.clock import date_text, stamp_text
from simulator.customers import Party
from simulator.documents import BILLS, FREIGHT, QUANTITY, Chain, Deal, Doc, Line, lines_at
from simulator.money import CURRENCIES, amount_text, converted, decimal_text, rate_text, tax_on
from simulator.payouts import Deposit
from simulator.plan import World
from simulator.quickbooks_master import ACCOUNTS, BUNDLE, INCOME, SHIPPING, number, record, ref
from simulator.schema import Table
from simulator.systems import Row

ENTITY = {
    "SalesOrd": "Estimate", "Estimate": "Estimate", "CustInvc": "Invoice", "CashSale": "SalesReceipt",
    "CustCred": "CreditMemo", "CashRfnd": "RefundReceipt", "CustPymt": "Payment", "Journal": "JournalEntry",
}
_APPLYING = 1 << 40  # from a credit memo's id to that of the payment of zero that applies it
_CASH = ("CashSale", "CashRfnd")
Posting = tuple[str, int, int | None]  # account, amount (debit positive), in the home currency where not by the rate


class QuickBooks:
    """The ERP's records of a company; see `systems.System`. Holds no state of its own."""

    system, role, kinds = "quickbooks", "erp", frozenset()
    lacks = frozenset({"posting period", "drafts", "unposted", "header", "other currencies"})
    columns = quickbooks_schema.columns()

    def __init__(self, world: World) -> None:
        if len(world.unit.entities) != 1:
            raise ValueError(f"unit {world.unit.name}: a QuickBooks company is one legal entity, "
                             f"not {', '.join(world.unit.entities)}")
        self._world, self._products = world, world.products

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """All entities."""
        return quickbooks_schema.tables()

    @staticmethod
    def customer_id(number: int) -> str:
        """The Id of a customer."""
        return str(number + 20)

    @staticmethod
    def document_id(kind: str, number: int) -> str:
        """What a transaction is, and its Id: as links name it."""
        return f"{ENTITY[kind]}-{number + 130}"

    @staticmethod
    def document_number(kind: str, number: int) -> str:
        """DocNumber."""
        return str(number + 1_000)

    def key_id(self, record: Deal | Doc) -> str:
        """A transaction is named by what it is and its Id."""
        return str(record.id)

    def reference(self, now: int) -> Iterator[Row]:
        """(table, row) of all but customers and transactions."""
        return quickbooks_master.rows(self._world, now)

    def party(self, party: Party, now: int) -> Iterator[Row]:
        """(table, row) of the party's customers."""
        return quickbooks_master.customer_rows(party, now)

    def chain(self, chain: Chain, now: int) -> Iterator[Row]:
        """(table, row) of all transactions of the chain that are seen at `now`."""
        seen = [doc for doc in chain.docs if doc.seen(now)]
        for doc in seen:
            if doc.kind == "CustPymt":
                yield from self._payment(doc, chain, seen, now)
            elif doc.kind == "Journal":
                yield from self._journal(doc)
            else:
                yield from self._sale(doc, chain, seen, now)
        for doc in chain.docs:
            if doc.deleted is not None and doc.deleted < now:
                yield "quickbooks__deleted", (ENTITY[doc.kind], _id(doc), stamp_text(doc.deleted))

    # --- sales documents

    def _sale(self, doc: Doc, chain: Chain, seen: list[Doc], now: int) -> Iterator[Row]:
        entity, decimals, void = ENTITY[doc.kind], CURRENCIES[doc.currency].decimals, doc.is_void(now)
        lines = self._lines(doc, chain, seen, now)
        total, tax = 0 if void else abs(doc.total(now)), 0 if void else abs(doc.tax(now))
        applied = sum(amount for other in seen for target, amount in other.applied if target is doc)
        used = sum(amount for target, amount in doc.applied if target.seen(now))
        body: dict[str, Any] = {
            "DocNumber": doc.number, "TxnDate": date_text(doc.day), "CustomerRef": _customer(doc),
            "CurrencyRef": {"value": doc.currency, "name": CURRENCIES[doc.currency].name}, **_rated(doc, total),
            "TotalAmt": number(total, decimals), "PrivateNote": "Voided" if void else None,
            "DueDate": date_text(doc.due_day) if doc.due_day else None, "ApplyTaxAfterDiscount": False,
            "PrintStatus": "NeedToPrint", "EmailStatus": "NotSet", "Line": lines,
            "CustomField": self._custom(doc), "LinkedTxn": self._links(doc, chain, seen),
            "TxnTaxDetail": self._tax(doc, tax, decimals, now),
            "RecurDataRef": {"value": str(doc.slot)} if doc.schedule else None,
            "BillAddr": {"Id": "9", "Line1": doc.customer.name},
        }
        if self._is_inclusive(doc):
            body["GlobalTaxCalculation"] = "TaxInclusive"
        elif doc.entity.country != "US":
            body["GlobalTaxCalculation"] = "TaxExcluded"
        if doc.kind in ("CustInvc", "CustCred"):
            left = total - applied if doc.kind == "CustInvc" else total - used
            body |= {"Balance": number(0 if void else left, decimals),
                     "ARAccountRef": ref("Accounts Receivable (A/R)") if doc.slot % 2 else None}
        if doc.kind == "CustCred":
            body["RemainingCredit"] = number(total - used, decimals)
        if doc.kind in _CASH:
            body |= {"Balance": 0.0, "DepositToAccountRef": ref("Undeposited Funds"),
                     "PaymentMethodRef": {"value": "2", "name": "Credit Card"}}
        if entity == "Estimate":
            body["TxnStatus"] = self._status(doc, seen, now)
        changed = _changed(doc, chain, now)
        yield record(entity, _id(doc), doc.created, changed, body)
        if entity != "Estimate" and not void:
            yield from self._posted(doc, entity, _id(doc), self._sale_entries(doc, lines, tax, now))
        if doc.kind == "CustCred":
            yield from self._application(doc, seen, now)

    def _lines(self, doc: Doc, chain: Chain, seen: list[Doc], now: int) -> list[dict[str, Any]]:
        decimals, void, found = CURRENCIES[doc.currency].decimals, doc.is_void(now), []
        lines, links = lines_at(doc, now), self._line_links(doc, seen, now)
        plain = not chain.planted and not void
        discounted = plain and doc.slot % 3 == 0 and any(line.discount for line in lines) and all(
            line.amount == line.price * (line.quantity // QUANTITY) and line.quantity % QUANTITY == 0 for line in lines)
        gross = 0
        for place, line in enumerate(lines, 1):
            price = line.list_price if discounted else line.price
            amount = price * (line.quantity // QUANTITY) if discounted else line.amount
            gross += amount
            told = (0, 0) if void else (amount, price)
            found.append(self._item_line(doc, line, place, *told, links, void=void))
        if plain and len(lines) > 2 and doc.slot % 4 == 1:
            found[:2] = [_bundle(found[:2], decimals)]
        if plain and doc.slot % 5 == 2:
            found.append({"Id": "90", "LineNum": 90, "Description": "Thank you", "DetailType": "DescriptionOnly",
                          "DescriptionLineDetail": {}})
        found.append({"Amount": number(0 if void else gross, decimals), "DetailType": "SubTotalLineDetail",
                      "SubTotalLineDetail": {}})
        if discounted and (off := gross - sum(line.amount for line in lines)):
            found.append({"Amount": number(off, decimals), "DetailType": "DiscountLineDetail", "DiscountLineDetail": {
                "PercentBased": False, "DiscountAccountRef": ref("Discounts given")}})
        return found

    def _item_line(self, doc: Doc, line: Line, place: int, amount: int, price: int, links: dict[int, Any], *,
                   void: bool) -> dict[str, Any]:
        decimals, taxed = CURRENCIES[doc.currency].decimals, {"value": "TAX" if doc.taxed else "NON"}
        if line.product == FREIGHT:
            return {"Id": str(place), "LineNum": place, "Amount": number(amount, decimals),
                    "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {
                        "ItemRef": {"value": SHIPPING}, "ItemAccountRef": ref("Shipping Income"), "TaxCodeRef": taxed}}
        product = self._products[line.product]
        detail: dict[str, Any] = {
            "ItemRef": {"value": str(product.number), "name": product.name}, "UnitPrice": number(price, decimals),
            "Qty": 0.0 if void else float(decimal_text(line.quantity, 5)),
            "ItemAccountRef": ref(INCOME[product.family]) if doc.slot % 2 else None,
            "TaxCodeRef": taxed,
        }
        if self._is_inclusive(doc) and not void:
            detail["TaxInclusiveAmt"] = number(amount + tax_on(amount, doc.entity.tax), decimals)
        return {"Id": str(place), "LineNum": place, "Description": product.name, "Amount": number(amount, decimals),
                "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail, "LinkedTxn": links.get(place)}

    @staticmethod
    def _is_inclusive(doc: Doc) -> bool:
        return doc.taxed and doc.entity.country != "US" and doc.slot % 3 == 1

    @staticmethod
    def _tax(doc: Doc, tax: int, decimals: int, now: int) -> dict[str, Any]:
        if not doc.taxed:
            return {"TotalTax": 0.0}
        net = 0 if doc.is_void(now) else abs(doc.net(now))
        return {"TotalTax": number(tax, decimals), "TaxLine": [{
            "Amount": number(tax, decimals), "DetailType": "TaxLineDetail", "TaxLineDetail": {
                "TaxRateRef": {"value": "3"}, "PercentBased": True, "TaxPercent": doc.entity.tax / 100,
                "NetAmountTaxable": number(net, decimals)}}]}

    @staticmethod
    def _custom(doc: Doc) -> list[dict[str, Any]]:
        told = (("1", "Customer PO", doc.reference), ("2", "CRM order", doc.external))
        return [{"DefinitionId": key, "Name": name, "Type": "StringType", **({"StringValue": value} if value else {})}
                for key, name, value in told]

    @staticmethod
    def _line_links(doc: Doc, seen: list[Doc], now: int) -> dict[int, Any]:
        """{line: the line of the estimate that it bills}: where somebody made the invoice from parts of it."""
        order = doc.source
        if order is None or order.kind != "SalesOrd" or order not in seen or doc.slot % 2:
            return {}
        places = [line.source for line in lines_at(order, now)]
        return {place: [{"TxnId": _id(order), "TxnType": "Estimate", "TxnLineId": str(places.index(line.source) + 1)}]
                for place, line in enumerate(doc.lines, 1) if line.source in places}

    @staticmethod
    def _links(doc: Doc, chain: Chain, seen: list[Doc]) -> list[dict[str, str]]:
        found = []
        if doc.dangling:
            found.append(("Estimate", str(doc.dangling).partition("-")[2]))
        elif doc.source in seen and doc.source.kind == "SalesOrd":
            found.append(("Estimate", _id(doc.source)))
        if doc.kind == "SalesOrd":
            found += [(ENTITY[bill.kind], _id(bill)) for bill in seen if bill.source is doc and bill.kind in BILLS]
        for other in seen:
            if any(target is doc for target, _ in other.applied):
                found.append(("Payment", _id(other) if other.kind == "CustPymt" else _applying(other)))
        if doc.kind == "CustCred" and any(target in seen for target, _ in doc.applied):
            found.append(("Payment", _applying(doc)))
        return [{"TxnId": identity, "TxnType": kind} for kind, identity in found]

    @staticmethod
    def _status(doc: Doc, seen: list[Doc], now: int) -> str:
        if doc.kind == "Estimate":
            return "Pending"
        if doc.is_cancelled(now):
            return "Rejected"
        bills = [bill for bill in seen if bill.source is doc and not bill.is_void(now)]
        billed = sum(line.quantity for bill in bills for line in bill.lines)
        return "Closed" if billed >= sum(line.quantity for line in lines_at(doc, now)) else "Accepted"

    # --- payments and journals

    def _payment(self, doc: Doc, chain: Chain, seen: list[Doc], now: int) -> Iterator[Row]:
        decimals = CURRENCIES[doc.currency].decimals
        applied = [(target, amount) for target, amount in doc.applied if target in seen]
        rest = doc.amount - sum(amount for _, amount in applied)
        yield record("Payment", _id(doc), doc.created, _changed(doc, chain, now), {
            "TxnDate": date_text(doc.day), "CustomerRef": _customer(doc), "PaymentRefNum": doc.reference,
            "CurrencyRef": {"value": doc.currency, "name": CURRENCIES[doc.currency].name}, **_rated(doc, None),
            "TotalAmt": number(doc.amount, decimals), "UnappliedAmt": number(rest, decimals), "ProcessPayment": False,
            "DepositToAccountRef": ref("Undeposited Funds"),
            "Line": [{"Amount": number(amount, decimals),
                      "LinkedTxn": [{"TxnId": _id(target), "TxnType": ENTITY[target.kind]}]}
                     for target, amount in applied]})
        entries: list[Posting] = [("Undeposited Funds", doc.amount, None)]
        entries += [("Accounts Receivable (A/R)", -amount, -converted(amount, doc.currency, doc.base, target.rate))
                    for target, amount in applied]
        if rest:
            entries.append(("Accounts Receivable (A/R)", -rest, None))
        yield from self._posted(doc, "Payment", _id(doc), entries)

    def _application(self, doc: Doc, seen: list[Doc], now: int) -> Iterator[Row]:
        """The payment of zero by which a credit memo settles invoices."""
        applied = [(target, amount) for target, amount in doc.applied if target in seen]
        if not applied:
            return
        decimals = CURRENCIES[doc.currency].decimals
        lines = [{"Amount": number(amount, decimals), "LinkedTxn": [{"TxnId": _id(target), "TxnType": "Invoice"}]}
                 for target, amount in applied]
        lines.append({"Amount": number(sum(amount for _, amount in applied), decimals),
                      "LinkedTxn": [{"TxnId": _id(doc), "TxnType": "CreditMemo"}]})
        moment = max([doc.created, *(target.created for target, _ in applied)])
        yield record("Payment", _applying(doc), moment, moment, {
            "TxnDate": date_text(doc.day), "CustomerRef": _customer(doc), "TotalAmt": 0.0, "UnappliedAmt": 0.0,
            "CurrencyRef": {"value": doc.currency, "name": CURRENCIES[doc.currency].name}, **_rated(doc, None),
            "ProcessPayment": False, "PrivateNote": "Created by QB Online to link credits to charges.", "Line": lines})

    def _journal(self, doc: Doc) -> Iterator[Row]:
        decimals = CURRENCIES[doc.currency].decimals
        sides = (("Debit", "Office Expenses"), ("Credit", "Accrued Liabilities"))
        yield record("JournalEntry", _id(doc), doc.created, doc.created, {
            "DocNumber": doc.number, "TxnDate": date_text(doc.day), "Adjustment": False,
            "CurrencyRef": {"value": doc.currency, "name": CURRENCIES[doc.currency].name}, **_rated(doc, None),
            "Line": [{"Id": str(place), "Description": "Accrual", "Amount": number(doc.amount, decimals),
                      "DetailType": "JournalEntryLineDetail",
                      "JournalEntryLineDetail": {"PostingType": side, "AccountRef": ref(account)}}
                     for place, (side, account) in enumerate(sides)]})
        yield from self._posted(doc, "JournalEntry", _id(doc), [
            ("Office Expenses", doc.amount, None), ("Accrued Liabilities", -doc.amount, None)])

    # --- what reached the bank

    def deposits(self, database: sqlite3.Connection, found: list[Deposit]) -> Iterator[Row]:
        """(table, row) of deposits; see `quickbooks_deposits`."""
        return quickbooks_deposits.rows(self._world, database, found)

    # --- what the ledger shows

    def _sale_entries(self, doc: Doc, lines: list[dict[str, Any]], tax: int, now: int) -> list[Posting]:
        sign, scale = doc.sign, 10 ** CURRENCIES[doc.currency].decimals
        found: list[Posting] = []
        for line in lines:
            below = line.get("GroupLineDetail", {}).get("Line", [line])
            for each in below:
                amount = round(each.get("Amount", 0) * scale)
                if each["DetailType"] == "SalesItemLineDetail":
                    item = each["SalesItemLineDetail"]["ItemRef"]["value"]
                    family = next((p.family for p in self._products if str(p.number) == item), None)
                    found.append((INCOME[family] if family else "Shipping Income", -sign * amount, None))
                elif each["DetailType"] == "DiscountLineDetail":
                    found.append(("Discounts given", sign * amount, None))
        if tax:
            found.append(("Sales Tax Payable", -sign * tax, None))
        side = "Undeposited Funds" if doc.kind in _CASH else "Accounts Receivable (A/R)"
        booked = -sum(self._home(doc, entry) for entry in found)
        return [(side, -sum(entry[1] for entry in found), booked), *found]

    @staticmethod
    def _home(doc: Doc, entry: Posting) -> int:
        return converted(entry[1], doc.currency, doc.base, doc.rate) if entry[2] is None else entry[2]

    def _posted(self, doc: Doc, entity: str, identity: str, entries: list[Posting]) -> Iterator[Row]:
        """In the home currency. What the rates of a payment and its invoices leave is gain or loss."""
        booked = [(entry[0], self._home(doc, entry)) for entry in entries]
        if difference := sum(amount for _, amount in booked):
            booked.append(("Exchange Gain or Loss", -difference))
        decimals = CURRENCIES[doc.base].decimals
        for place, (account, amount) in enumerate(booked):
            yield "quickbooks__posting", (
                entity, identity, place, date_text(doc.day), ACCOUNTS[account][0],
                amount_text(amount, decimals) if amount > 0 else None,
                amount_text(-amount, decimals) if amount < 0 else None,
                str(doc.customer.id), doc.customer.name, doc.number)


def _id(doc: Doc) -> str:
    return str(doc.id).partition("-")[2]


def _applying(doc: Doc) -> str:
    return str(int(_id(doc)) + _APPLYING)


def _customer(doc: Doc) -> dict[str, str]:
    return {"value": str(doc.customer.id), "name": doc.customer.name}


def _rated(doc: Doc, total: int | None) -> dict[str, Any]:
    """Rate and total in the home currency, of foreign documents only."""
    if doc.currency == doc.base:
        return {}
    home = {} if total is None else {"HomeTotalAmt": number(
        converted(total, doc.currency, doc.base, doc.rate), CURRENCIES[doc.base].decimals)}
    return {"ExchangeRate": float(rate_text(doc.rate)), **home}


def _bundle(lines: list[dict[str, Any]], decimals: int) -> dict[str, Any]:
    whole = sum(round(line["Amount"] * 10**decimals) for line in lines)
    return {"Id": "70", "LineNum": 1, "Description": "Starter set", "Amount": number(whole, decimals),
            "DetailType": "GroupLineDetail", "GroupLineDetail": {
                "GroupItemRef": {"value": BUNDLE, "name": "Starter set"}, "Quantity": 1.0, "Line": lines}}


def _changed(doc: Doc, chain: Chain, now: int) -> int:
    """When the record moved last: by itself, or because its balance did, or what it is linked to."""
    moments = [doc.created, doc.earlier[0] if doc.earlier else 0, doc.cancelled or 0, doc.voided or 0]
    for other in chain.docs:
        if other.source is doc or any(target is doc for target, _ in other.applied) or any(
                target is other for target, _ in doc.applied):
            moments += [other.created, other.voided or 0, other.deleted or 0]
    return max(moment for moment in moments if moment < now)
