"""Deals as a shop keeps them: an order is the deal and the order at once, and its ledger tells what was sold when.

Orders are kept as the objects that the Admin API serves. A deal that is not won is a draft, and drafts are no orders.
Prices hold tax in some orders and not in others; tips and gift cards are sold along and are no revenue; the product of
some lines was deleted; a part of an order may be given back (`shopify_refunds`). What is deleted is gone, and an event
remembers it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from simulator.clock import FIRST_DAY, end_of, stamp_text
from simulator.customers import Party, Record
from simulator.documents import Chain, Deal, Doc, gone
from simulator.money import RATE_SCALE, amount_text
from simulator.payouts import Payout
from simulator.plan import LINE_BITS, World
from simulator.schema import Table, parsed
from simulator.shopify_objects import (
    PRODUCTS,
    VARIANTS,
    Bags,
    agreement,
    at,
    balance,
    gid,
    line_item,
    minor,
    order_body,
    sale,
    text,
)  # fmt: skip
from simulator.shopify_order import Order

_TABLES = """
order | id | updated_at,id;created_at,id | id:integer created_at:stamp updated_at:stamp processed_at:stamp body:text
customer | id | updated_at,id | id:integer created_at:stamp updated_at:stamp body:text
product | id | updated_at,id | id:integer created_at:stamp updated_at:stamp body:text
balance | id | payout,id | id:integer payout:integer processed_at:stamp body:text
event | id | created_at,id | id:integer created_at:stamp subject_type:text body:text
shop | id | | id:integer body:text
"""
SHOP_ID = 61_000_001
_ORDERS, _CUSTOMERS, _LINES = 5_400_000_000_000, 7_100_000_000_000, 14_000_000_000_000
_BEGIN = end_of(FIRST_DAY - 200)


class Shopify:
    """The shop's records of a company; see `systems.System`."""

    system, role, kinds = "shopify", "crm", frozenset({"Shipping"})
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
        yield "shopify__shop", (SHOP_ID, text({
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
            "__typename": "Product", "id": gid("Product", PRODUCTS + index),
            "legacyResourceId": str(PRODUCTS + index), "title": name, "handle": code.lower(), "status": "ACTIVE",
            "vendor": "Halden", "productType": family,
            "isGiftCard": is_gift, "createdAt": at(_BEGIN), "updatedAt": at(_BEGIN),
            "variants": [{
                "__typename": "ProductVariant", "id": gid("ProductVariant", number), "legacyResourceId": str(number),
                "title": "Default Title", "displayName": name, "sku": code, "price": amount_text(cents, 2),
                "taxable": not is_gift, "createdAt": at(_BEGIN), "updatedAt": at(_BEGIN),
                "inventoryItem": {"__typename": "InventoryItem", "id": gid("InventoryItem", number),
                                  "tracked": is_stocked}}],
        }
        return "shopify__product", (PRODUCTS + index, stamp_text(_BEGIN), stamp_text(_BEGIN), text(product))

    @staticmethod
    def _variant(index: int) -> int:
        return VARIANTS + index * 17

    def party(self, party: Party, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of a party's customers."""
        for record in party.crm:
            changed = record.changed(now)
            yield "shopify__customer", (int(record.id), stamp_text(record.created), stamp_text(changed),
                                        text(self._customer(party, record, now)))

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
            order = Order(self, self._world, chain, deal, now)
            body = order.body()
            if gone(deal, now):
                yield self._deleted(deal)
            else:
                yield self._row(int(deal.id), order.placed, order.changed, body)
            yield from order.movements(body)  # what was charged was paid out, whatever became of the order

    @staticmethod
    def payouts(database: sqlite3.Connection) -> list[Payout]:
        """What was or will be sent to the bank, by what is in the vendor's balance."""
        sums: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
        for number, told in database.execute("SELECT payout, body FROM shopify__balance"):
            body = json.loads(told)
            currency = body["amount"]["currencyCode"]
            for place, word in enumerate(("amount", "fee")):
                sums[number, currency][place] += minor(body[word], currency)
        return [Payout(number, currency, gross, fee) for (number, currency), (gross, fee) in sorted(sums.items())]

    @staticmethod
    def _row(number: int, placed: int, changed: int, body: dict[str, Any]) -> tuple[str, tuple]:
        return "shopify__order", (number, stamp_text(placed), stamp_text(changed), stamp_text(placed), text(body))

    @staticmethod
    def _deleted(deal: Deal) -> tuple[str, tuple]:
        event = {"__typename": "BasicEvent", "id": gid("BasicEvent", deal.id), "action": "destroy",
                 "createdAt": at(deal.deleted or 0), "subjectId": gid("Order", deal.id), "subjectType": "ORDER",
                 "message": "An order was deleted.", "attributeToApp": False, "attributeToUser": True,
                 "criticalAlert": False, "hasAdditionalContent": False}
        return "shopify__event", (int(deal.id), stamp_text(deal.deleted or 0), "ORDER", text(event))

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
        zero = Bags(self._currency, self._currency, RATE_SCALE)
        stories = (("TEST", True, "PRODUCT", None), ("GIFT", False, "GIFT_CARD", None),
                   ("CANC", False, "PRODUCT", placed + 7_200))
        for place, (word, is_test, line_type, cancelled) in enumerate(stories):
            number = _ORDERS - 1_000_000 + place * 32_768
            line = line_item(number * 10, 1, 5_000, 5_000, 0, zero, sku=None, name=word.title(), variant=None,
                             is_gift=line_type == "GIFT_CARD")
            sold = sale(number * 10 + 1, line_type, "ORDER", 1, 5_000, 0, 0, zero, line, [])
            agreements = [agreement("OrderAgreement", number * 10, "ORDER", placed, [sold])]
            if cancelled:
                back = sale(number * 10 + 2, line_type, "RETURN", -1, -5_000, 0, 0, zero, line, [])
                agreements.append(agreement("RefundAgreement", number * 10 + 1, "REFUND", cancelled, [back]))
            body = order_body(number, f"#{word}-{place + 1}", placed, cancelled or placed, zero, 5_000, 0,
                              self._entities[0])
            body |= {"test": is_test, "customer": None, "lineItems": [line], "agreements": agreements,
                     "cancelledAt": at(cancelled) if cancelled else None,
                     "cancelReason": "CUSTOMER" if cancelled else None}
            yield self._row(number, placed, cancelled or placed, body)
        # Before anything was sold, a bank took a charge back: a payout below zero.
        yield balance(_ORDERS - 900_000, end_of(FIRST_DAY - 60), -5_000, 0, self._currency, "ADJUSTMENT")
