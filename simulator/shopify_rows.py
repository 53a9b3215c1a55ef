"""Deals as a shop keeps them: an order is the deal and the order at once, and its ledger tells what was sold when.

Orders are kept as the objects that the Admin API serves. A deal that is not won is a draft, and drafts are no orders.
Prices hold tax in some orders and not in others; tips and gift cards are sold along and are no revenue; the product of
some lines was deleted. What is deleted is gone, and an event remembers it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from simulator.clock import DAY, FIRST_DAY, end_of, stamp_text
from simulator.customers import Party, Record
from simulator.documents import QUANTITY, Chain, Deal, Doc, Line, gone
from simulator.money import CURRENCIES, ENTITIES, RATE_SCALE, Entity, amount_text, converted, tax_on
from simulator.payouts import Payout, number_of
from simulator.plan import LINE_BITS, World
from simulator.schema import Table, parsed

_TABLES = """
order | id | updated_at,id;created_at,id | id:integer created_at:stamp updated_at:stamp processed_at:stamp body:text
customer | id | updated_at,id | id:integer created_at:stamp updated_at:stamp body:text
product | id | updated_at,id | id:integer created_at:stamp updated_at:stamp body:text
balance | id | payout,id | id:integer payout:integer processed_at:stamp body:text
event | id | created_at,id | id:integer created_at:stamp subject_type:text body:text
shop | id | | id:integer body:text
"""
GID = "gid://shopify/"
SHOP_ID, GATEWAY = 61_000_001, "shopify_payments"
_ORDERS, _CUSTOMERS, _PRODUCTS, _VARIANTS, _LINES = (
    5_400_000_000_000, 7_100_000_000_000, 8_200_000_000_000, 45_000_000_000_000, 14_000_000_000_000)
_BEGIN = end_of(FIRST_DAY - 200)


def gid(kind: str, number: int | str) -> str:
    """A global id."""
    return f"{GID}{kind}/{number}"


def at(moment: int) -> str:
    """A moment as the API tells it."""
    return stamp_text(moment).replace(" ", "T") + "Z"


class Shopify:
    """The shop's records of a company; see `systems.System`."""

    system, role = "shopify", "crm"
    columns = {table.sql_name: table.columns for table in parsed("shopify", _TABLES)}

    def __init__(self, world: World) -> None:
        self._world, self._products = world, world.products
        self._entities = list(world.unit.entities.values())
        self._currency = self._entities[0].currency
        self._lines = world.slots["crm line"]

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """What the shop keeps."""
        return tuple(parsed("shopify", _TABLES))

    @staticmethod
    def account_id(number: int) -> str:
        """A customer's number."""
        return str(_CUSTOMERS + number * 32_749)

    @staticmethod
    def deal_id(number: int) -> str:
        """An order's number, as REST and webhooks know it."""
        return str(_ORDERS + number * 32_768)

    @staticmethod
    def order_id(number: int) -> str:
        """An order's global id."""
        return gid("Order", Shopify.deal_id(number))

    @staticmethod
    def order_of(deal_id: str) -> str:
        """How others name the order that a deal is: by its global id, or by its number."""
        return gid("Order", deal_id) if int(deal_id) >> 16 & 1 else deal_id

    @staticmethod
    def contract_id(number: int) -> str:
        """Shops have no contracts."""
        return gid("SubscriptionContract", number)

    def key_id(self, record: Deal | Doc) -> str:
        """A deal is named by its order's number."""
        return str(record.id)

    # --- master data

    def reference(self, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of the shop, its products, and orders of which nothing counts."""
        yield "shopify__shop", (SHOP_ID, _text({
            "__typename": "Shop", "id": gid("Shop", SHOP_ID), "name": "Halden Shop", "currencyCode": self._currency,
            "myshopifyDomain": "halden.myshopify.com", "ianaTimezone": "Etc/UTC", "taxesIncluded": False,
            "createdAt": at(_BEGIN), "plan": {"publicDisplayName": "Plus", "shopifyPlus": True},
            "email": "shop@halden.example", "contactEmail": "shop@halden.example"}))
        for product in self._products:
            yield self._product(product.index, product.name, product.family, product.code, product.cents,
                                product.item_type == "InvtPart")
        yield self._product(len(self._products), "Gift card", "Gift cards", "GIFT-50", 5_000, False, is_gift=True)
        yield from self._curious(now)

    def _product(self, index: int, name: str, family: str, code: str, cents: int, is_stocked: bool,
                 *, is_gift: bool = False) -> tuple[str, tuple]:
        number = self._variant(index)
        product = {
            "__typename": "Product", "id": gid("Product", _PRODUCTS + index),
            "legacyResourceId": str(_PRODUCTS + index), "title": name, "handle": code.lower(), "status": "ACTIVE",
            "vendor": "Halden", "productType": family,
            "isGiftCard": is_gift, "createdAt": at(_BEGIN), "updatedAt": at(_BEGIN),
            "variants": [{
                "__typename": "ProductVariant", "id": gid("ProductVariant", number), "legacyResourceId": str(number),
                "title": "Default Title", "displayName": name, "sku": code, "price": amount_text(cents, 2),
                "taxable": not is_gift, "createdAt": at(_BEGIN), "updatedAt": at(_BEGIN),
                "inventoryItem": {"__typename": "InventoryItem", "id": gid("InventoryItem", number),
                                  "tracked": is_stocked}}],
        }
        return "shopify__product", (_PRODUCTS + index, stamp_text(_BEGIN), stamp_text(_BEGIN), _text(product))

    @staticmethod
    def _variant(index: int) -> int:
        return _VARIANTS + index * 17

    def party(self, party: Party, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of a party's customers."""
        for record in party.crm:
            changed = record.changed(now)
            yield "shopify__customer", (int(record.id), stamp_text(record.created), stamp_text(changed),
                                        _text(self._customer(party, record, now)))

    def _customer(self, party: Party, record: Record, now: int) -> dict[str, Any]:
        where = record.address_at(now)
        held = {"customer_id": record.external, "tax_id": record.tax_id}
        address = {
            "__typename": "MailingAddress", "id": gid("MailingAddress", record.id), "company": record.name,
            "address1": where["street"], "city": where["city"], "provinceCode": where["state"] or None,
            "zip": where["zip"], "countryCodeV2": where["country"], "coordinatesValidated": False}
        email = {"emailAddress": f"office@{record.domain}", "validFormat": True, "marketingState": "NOT_SUBSCRIBED"}
        return {
            "__typename": "Customer", "id": gid("Customer", record.id), "legacyResourceId": str(record.id),
            "displayName": record.name, "firstName": None, "lastName": record.name, "state": "DISABLED",
            "defaultEmailAddress": email if record.domain else None, "defaultPhoneNumber": None,
            "taxExempt": not party.taxed, "numberOfOrders": "0", "locale": "en", "lifetimeDuration": "2 years",
            "amountSpent": {"amount": "0.0", "currencyCode": self._currency}, "defaultAddress": address,
            "createdAt": at(record.created), "updatedAt": at(record.changed(now)),
            "metafields": {f"erp.{key}": str(value) for key, value in held.items() if value is not None}}

    # --- orders

    def chain(self, chain: Chain, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of the orders of a chain that are seen at `now`, of their charges, and of what was deleted."""
        for deal in chain.deals:
            if not deal.seen(now) or deal.outcome != "won" or deal.closed >= now:
                continue
            order = _Order(self, self._world, chain, deal, now)
            body = order.body()
            if gone(deal, now):
                yield self._deleted(deal)
            else:
                yield self._row(int(deal.id), order.placed, order.changed, body)
            yield from order.charges(body)  # what was charged was paid out, whatever became of the order

    @staticmethod
    def payouts(database: sqlite3.Connection) -> list[Payout]:
        """What was or will be sent to the bank, by what is in the vendor's balance."""
        sums: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
        for number, text in database.execute("SELECT payout, body FROM shopify__balance"):
            body = json.loads(text)
            currency = body["amount"]["currencyCode"]
            for place, word in enumerate(("amount", "fee")):
                sums[number, currency][place] += _minor(body[word], currency)
        return [Payout(number, currency, gross, fee) for (number, currency), (gross, fee) in sorted(sums.items())]

    @staticmethod
    def _row(number: int, placed: int, changed: int, body: dict[str, Any]) -> tuple[str, tuple]:
        return "shopify__order", (number, stamp_text(placed), stamp_text(changed), stamp_text(placed), _text(body))

    @staticmethod
    def _deleted(deal: Deal) -> tuple[str, tuple]:
        event = {"__typename": "BasicEvent", "id": gid("BasicEvent", deal.id), "action": "destroy",
                 "createdAt": at(deal.deleted or 0), "subjectId": gid("Order", deal.id), "subjectType": "ORDER",
                 "message": "An order was deleted.", "attributeToApp": False, "attributeToUser": True,
                 "criticalAlert": False, "hasAdditionalContent": False}
        return "shopify__event", (int(deal.id), stamp_text(deal.deleted or 0), "ORDER", _text(event))

    # --- what others ask

    def line_number(self, slot: int, number: int) -> int:
        """The number of a line."""
        return _LINES + self._lines((slot << LINE_BITS) + number)

    def variant(self, index: int) -> dict[str, Any]:
        """A line's variant."""
        number = self._variant(index)
        return {"__typename": "ProductVariant", "id": gid("ProductVariant", number), "legacyResourceId": str(number)}

    @property
    def shop_currency(self) -> str:
        """The shop's currency."""
        return self._currency

    def _curious(self, now: int) -> Iterator[tuple[str, tuple]]:
        """A test order; a gift card that a guest bought; an order that was cancelled and returned."""
        placed = end_of(FIRST_DAY + 400) - 4 * 3600
        zero = _Bags(self._currency, self._currency, RATE_SCALE)
        stories = (("TEST", True, "PRODUCT", None), ("GIFT", False, "GIFT_CARD", None),
                   ("CANC", False, "PRODUCT", placed + 7_200))
        for place, (word, is_test, line_type, cancelled) in enumerate(stories):
            number = _ORDERS - 1_000_000 + place * 32_768
            line = _line_item(number * 10, 1, 5_000, 5_000, 0, zero, sku=None, name=word.title(), variant=None,
                              is_gift=line_type == "GIFT_CARD")
            sale = _sale(number * 10 + 1, line_type, "ORDER", 1, 5_000, 0, 0, zero, line, [])
            agreements = [_agreement("OrderAgreement", number * 10, "ORDER", placed, [sale])]
            if cancelled:
                back = _sale(number * 10 + 2, line_type, "RETURN", -1, -5_000, 0, 0, zero, line, [])
                agreements.append(_agreement("RefundAgreement", number * 10 + 1, "REFUND", cancelled, [back]))
            body = _order(number, f"#{word}-{place + 1}", placed, cancelled or placed, zero, 5_000, 0,
                          self._entities[0])
            body |= {"test": is_test, "customer": None, "lineItems": [line], "agreements": agreements,
                     "cancelledAt": at(cancelled) if cancelled else None,
                     "cancelReason": "CUSTOMER" if cancelled else None}
            yield self._row(number, placed, cancelled or placed, body)
        # Before anything was sold, a bank took a charge back: a payout below zero.
        yield balance(_ORDERS - 900_000, end_of(FIRST_DAY - 60), -5_000, 0, self._currency, "ADJUSTMENT")


class _Bags:
    """Amounts in the shop's currency and the buyer's, each rounded by itself."""

    def __init__(self, shop: str, paid: str, rate: int) -> None:
        self.shop, self.paid, self._rate = shop, paid, rate

    def in_shop(self, minor: int) -> int:
        """The shop's minor units of the buyer's."""
        return converted(minor, self.paid, self.shop, self._rate)

    def __call__(self, minor: int) -> dict[str, Any]:
        return {"shopMoney": self.money(self.in_shop(minor), self.shop),
                "presentmentMoney": self.money(minor, self.paid)}

    @staticmethod
    def money(minor: int, currency: str) -> dict[str, str]:
        """An amount without a fixed scale: '119.0', '10.05', '1000' of yen."""
        text = amount_text(minor, CURRENCIES[currency].decimals)
        if "." in text:
            whole, _, rest = text.partition(".")
            text = f"{whole}.{rest.rstrip('0') or '0'}"
        return {"amount": text, "currencyCode": currency}


class _Order:
    """One deal as an order."""

    def __init__(self, shop: Shopify, world: World, chain: Chain, deal: Deal, now: int) -> None:
        self._shop, self._world, self._chain, self._deal, self._now = shop, world, chain, deal, now
        self.placed = deal.closed
        synced = deal.order.synced if deal.order and deal.order.synced and deal.order.synced[0] < now else None
        self._synced = synced
        self._amended = deal.earlier[0] if deal.earlier and deal.earlier[0] < now else 0
        self.changed = max(self.placed, self._amended, synced[0] if synced else 0)
        rate = world.rates.rate(shop.shop_currency, deal.currency, deal.closed // DAY)
        self._bags = _Bags(shop.shop_currency, deal.currency, rate)
        self._entity = ENTITIES[deal.party.entity]
        self._rate = self._entity.tax if deal.party.taxed else 0
        self._odd = deal.slot // 64  # slots begin at multiples of 64

    def body(self) -> dict[str, Any]:
        """The order as the API's object."""
        deal, odd = self._deal, self._odd
        first = deal.earlier[1] if deal.earlier else deal.lines
        current = deal.lines if self._amended or not deal.earlier else first
        if deal.header_only:
            net = sum(line.amount for line in current)
            first = current = [Line(-1, QUANTITY, net, net, net)]
        items = [self._item(number, line) for number, line in enumerate(current)]
        entries = [self._entry(number, line, items[number], "ORDER", 0) for number, line in enumerate(first)]
        extras, extra_amount = self._extras(len(items))
        agreements = [_agreement("OrderAgreement", self._number(40), "ORDER", self.placed,
                                 [*entries, *(sale for _, sale in extras)])]
        if self._amended:
            changes = [self._entry(number, _less(line, first[number]), items[number], "UPDATE", 20)
                       for number, line in enumerate(current) if line.amount != first[number].amount]
            agreements.append(_agreement("OrderEditAgreement", self._number(41), "ORDER_EDIT", self._amended, changes))
        tax = sum(tax_on(line.amount, self._rate) for line in current)
        total = sum(line.amount for line in current) + tax + extra_amount
        number = deal.order.number if deal.order else f"9{odd:08d}"
        body = _order(int(deal.id), f"#{number}", self.placed, self.changed, self._bags, total, tax, self._entity)
        customer = {"__typename": "Customer", "id": gid("Customer", deal.account.id),
                    "legacyResourceId": str(deal.account.id)}
        body |= {"customer": customer, "number": int(number), "lineItems": items + [item for item, _ in extras],
                 "agreements": agreements, "taxesIncluded": odd % 2 == 1, "edited": bool(self._amended),
                 "poNumber": deal.order.reference if deal.order else None,
                 "transactions": self._transactions(self._charged(first, extra_amount)),
                 "metafields": {"erp.order_id": self._erp_order()} if self._synced else {}}
        if odd % 3:
            body["paymentTerms"] = {"id": gid("PaymentTerms", deal.id), "dueInDays": deal.party.terms_days}
        return body

    def _charged(self, lines: list[Line], extra_amount: int) -> int:
        """What the card was charged when the order was placed: an edit asks for no more."""
        return sum(line.amount + tax_on(line.amount, self._rate) for line in lines) + extra_amount

    def _erp_order(self) -> str:
        """The ERP's order as the ERP's own books name it."""
        number = self._synced[1] if self._synced else None
        return next((self._world.erp.key_id(doc) for doc in self._chain.docs if doc.id == number), str(number))

    def _number(self, place: int) -> int:
        return self._shop.line_number(self._deal.slot, place)

    def _item(self, number: int, line: Line) -> dict[str, Any]:
        whole = max(line.list_price * (line.quantity // QUANTITY), line.amount)
        product = self._world.products[line.product] if line.product >= 0 else None
        is_deleted = (self._odd + number) % 41 == 7
        return _line_item(
            self._number(number), line.quantity // QUANTITY, whole, line.amount, tax_on(line.amount, self._rate),
            self._bags, sku=product.code if product else None, name=product.name if product else self._deal.name,
            variant=self._shop.variant(line.product) if product and not is_deleted else None,
            included=self._odd % 2 == 1, code="SPRING" if self._odd % 5 == 0 else None)

    def _entry(self, number: int, line: Line, item: dict[str, Any], action: str, place: int) -> dict[str, Any]:
        """An entry of the ledger: of the whole line, or of what an edit changed of it."""
        units = line.quantity // QUANTITY
        whole = line.list_price * units
        discount = max(whole - line.amount, 0) if line.amount >= 0 else min(whole - line.amount, 0)
        tax = tax_on(line.amount, self._rate)
        taxes = [(tax, self._rate)] if self._rate else []
        return _sale(self._number(place + number + 6) if place else self._number(number), "PRODUCT", action, units,
                     line.amount + tax, tax, discount, self._bags, item, taxes)

    def _extras(self, place: int) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], int]:
        """(line, entry) of tips and gift cards that are sold along, and their sum."""
        unit = 10 ** CURRENCIES[self._deal.currency].decimals
        found: list[tuple[dict[str, Any], dict[str, Any]]] = []
        wanted = [("TIP", 5 * unit)] if self._odd % 29 == 3 else []
        wanted += [("GIFT_CARD", 50 * unit)] if self._odd % 31 == 5 else []
        for at_place, (kind, amount) in enumerate(wanted):
            item = _line_item(self._number(place + at_place), 1, amount, amount, 0, self._bags, sku=None,
                              name="Tip" if kind == "TIP" else "Gift card", is_gift=kind == "GIFT_CARD",
                              variant=None if kind == "TIP" else self._shop.variant(len(self._world.products)))
            sale = _sale(self._number(30 + at_place), kind, "ORDER", 1, amount, 0, 0, self._bags, item, [])
            found.append((item, sale))
        return found, sum(amount for _, amount in wanted)

    def _transactions(self, total: int) -> list[dict[str, Any]]:
        """A card is charged at once; who has terms pays elsewhere."""
        if self._odd % 3 or total <= 0:
            return []
        name = gid("OrderTransaction", self._number(50))
        charge = {"__typename": "OrderTransaction", "id": name, "kind": "SALE", "status": "SUCCESS", "gateway": GATEWAY,
                  "test": False, "processedAt": at(self.placed), "createdAt": at(self.placed),
                  "amountSet": self._bags(total), "settlementCurrency": self._shop.shop_currency,
                  "paymentId": f"c{self._deal.id}.1", "manualPaymentGateway": False, "manuallyCapturable": False,
                  "multiCapturable": False, "fees": []}
        return [charge]

    def charges(self, body: dict[str, Any]) -> Iterator[tuple[str, tuple]]:
        """(table, row) of what a charge brings into the vendor's balance, less the fee; a week's make a payout."""
        for one in body["transactions"]:
            number = int(one["id"].rpartition("/")[2])
            shop = self._bags.shop
            gross = self._bags.in_shop(_minor(one["amountSet"]["presentmentMoney"], self._bags.paid))
            fee = min(gross, gross * 29 // 1_000 + 30)
            yield balance(number, self.placed, gross, fee, shop, "CHARGE", order=body, transaction=number)


def balance(number: int, moment: int, gross: int, fee: int, currency: str, kind: str, *,
            order: dict[str, Any] | None = None, transaction: int | None = None) -> tuple[str, tuple]:
    """(table, row) of a movement in the vendor's balance."""
    payout = number_of(moment)
    body = {
        "__typename": "ShopifyPaymentsBalanceTransaction", "type": kind, "test": False,
        "id": gid("ShopifyPaymentsBalanceTransaction", number), "transactionDate": at(moment),
        "amount": _Bags.money(gross, currency), "fee": _Bags.money(fee, currency),
        "net": _Bags.money(gross - fee, currency), "sourceType": "CHARGE" if kind == "CHARGE" else "ADJUSTMENT",
        "sourceOrderTransactionId": None if transaction is None else str(transaction),
        "associatedOrder": order and {"id": order["id"], "name": order["name"]}, "adjustmentsOrders": [],
        "associatedPayout": {"id": gid("ShopifyPaymentsPayout", payout), "status": "PAID"}}
    return "shopify__balance", (number, payout, stamp_text(moment), _text(body))


def _less(line: Line, before: Line) -> Line:
    """What an edit changed of a line."""
    return Line(line.product, line.quantity - before.quantity, line.price, line.amount - before.amount, line.list_price)


def _minor(money: dict[str, str], currency: str) -> int:
    whole, _, rest = money["amount"].partition(".")
    return int(whole + rest.ljust(CURRENCIES[currency].decimals, "0")[:CURRENCIES[currency].decimals])


def _line_item(number: int, units: int, whole: int, amount: int, tax: int, bags: _Bags, *, sku: str | None, name: str,
               variant: dict[str, Any] | None, is_gift: bool = False, included: bool = False,
               code: str | None = None) -> dict[str, Any]:
    extra = tax if included else 0
    application = {"__typename": "DiscountCodeApplication" if code else "ManualDiscountApplication", "index": 0,
                   "allocationMethod": "ACROSS", "targetSelection": "ALL", "targetType": "LINE_ITEM",
                   "value": {"__typename": "PricingPercentageValue", "percentage": 10.0}}
    application |= {"code": code} if code else {"title": "Agreed"}
    discount = [{"allocatedAmountSet": bags(whole - amount), "discountApplication": application}]
    product = variant and {"__typename": "Product", "id": gid("Product", 1),
                           "legacyResourceId": str(_PRODUCTS + (int(variant["legacyResourceId"]) - _VARIANTS) // 17)}
    return {
        "__typename": "LineItem", "id": gid("LineItem", number), "name": name, "title": name, "sku": sku,
        "quantity": units, "currentQuantity": units, "isGiftCard": is_gift, "taxable": not is_gift,
        "product": product, "variant": variant, "originalUnitPriceSet": bags((whole + extra) // max(units, 1)),
        "originalTotalSet": bags(whole + extra), "discountedTotalSet": bags(amount + extra),
        "discountAllocations": discount if whole > amount else [], "taxLines": []}


def _sale(number: int, line_type: str, action: str, units: int, total: int, tax: int, discount: int, bags: _Bags,
          item: dict[str, Any], taxes: list[tuple[int, int]]) -> dict[str, Any]:
    kind = {"PRODUCT": "ProductSale", "GIFT_CARD": "GiftCardSale", "TIP": "TipSale"}[line_type]
    told = [{"id": gid("SaleTax", f"{number}{place}"), "amount": bags(amount), "taxLine": {
        "title": "VAT", "rate": rate / 10_000, "ratePercentage": rate / 100, "channelLiable": False,
        "priceSet": bags(amount)}} for place, (amount, rate) in enumerate(taxes)]
    return {
        "__typename": kind, "id": gid("Sale", number), "actionType": action, "lineType": line_type, "quantity": units,
        "totalAmount": bags(total), "totalTaxAmount": bags(tax), "totalDiscountAmountBeforeTaxes": bags(discount),
        "totalDiscountAmountAfterTaxes": bags(discount), "taxes": told, "lineItem": item}


def _agreement(kind: str, number: int, reason: str, moment: int, sales: list[dict[str, Any]]) -> dict[str, Any]:
    return {"__typename": kind, "id": gid("SalesAgreement", number), "reason": reason, "happenedAt": at(moment),
            "sales": sales}


def _order(number: int, name: str, placed: int, changed: int, bags: _Bags, total: int, tax: int,
           entity: Entity) -> dict[str, Any]:
    """An order without its lines. Everything else that the schema demands is blank."""
    return {
        "__typename": "Order", "id": gid("Order", number), "legacyResourceId": str(number), "name": name,
        "number": number % 100_000, "createdAt": at(placed), "processedAt": at(placed), "updatedAt": at(changed),
        "cancelledAt": None, "cancelReason": None, "closedAt": None, "test": False, "confirmed": True, "edited": False,
        "taxesIncluded": False, "dutiesIncluded": False, "currencyCode": bags.shop,
        "presentmentCurrencyCode": bags.paid, "displayFinancialStatus": "PENDING",
        "displayFulfillmentStatus": "UNFULFILLED", "returnStatus": "NO_RETURN",
        "sourceName": "web", "poNumber": None, "purchasingEntity": None, "retailLocation": None, "paymentTerms": None,
        "merchantBusinessEntity": {"__typename": "BusinessEntity", "id": gid("BusinessEntity", entity.number),
                                   "displayName": entity.name, "primary": entity.number == 1, "archived": False},
        "totalPriceSet": bags(total), "currentTotalPriceSet": bags(total), "originalTotalPriceSet": bags(total),
        "totalTaxSet": bags(tax), "totalReceivedSet": bags(0), "totalRefundedSet": bags(0),
        "totalOutstandingSet": bags(total), "totalTipReceivedSet": bags(0),
        "totalCashRoundingAdjustment": {"paymentSet": bags(0), "refundSet": bags(0)},
        "lineItems": [], "shippingLines": [], "agreements": [], "transactions": [], "refunds": [], "metafields": {}}


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)
