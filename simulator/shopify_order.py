"""One deal as an order of a shop: the object that the API serves, and what it moves in the vendor's balance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulator.clock import DAY
from simulator.documents import FREIGHT, QUANTITY, Chain, Deal, Line
from simulator.money import CURRENCIES, ENTITIES, tax_on
from simulator.plan import World
from simulator.shopify_objects import (
    Bags,
    agreement,
    at,
    balance,
    gid,
    line_item,
    minor,
    order_body,
    sale,
    shipping_line,
)  # fmt: skip
from simulator.shopify_refunds import GivenBack

if TYPE_CHECKING:
    from simulator.shopify_rows import Shopify

GATEWAY = "shopify_payments"


class Order:
    """One deal as an order."""

    def __init__(self, shop: Shopify, world: World, chain: Chain, deal: Deal, now: int) -> None:
        self._shop, self._world, self._chain, self._deal, self._now = shop, world, chain, deal, now
        self.placed = deal.closed
        synced = deal.order.synced if deal.order and deal.order.synced and deal.order.synced[0] < now else None
        self._synced = synced
        self._amended = deal.earlier[0] if deal.earlier and deal.earlier[0] < now else 0
        refunds = [refund for refund in deal.refunds if refund.moment < now]
        moments = [refund.moment for refund in refunds]
        self.changed = max(self.placed, self._amended, synced[0] if synced else 0, *moments)
        rate = world.rates.rate(shop.shop_currency, deal.currency, deal.closed // DAY)
        self._bags = Bags(shop.shop_currency, deal.currency, rate)
        self._entity = ENTITIES[deal.party.entity]
        self._rate = self._entity.tax if deal.party.taxed else 0
        self._odd = deal.slot // 64  # slots begin at multiples of 64
        # A card is charged at once; who has terms pays elsewhere. Money that is given back for nothing was paid here.
        is_charged = self._odd % 3 == 0 or any(not refund.lines for refund in deal.refunds)
        self._charge = gid("OrderTransaction", self._number(50)) if is_charged else None
        self._back = GivenBack(refunds, self._bags, self._rate, self._number, self._charge)

    def body(self) -> dict[str, Any]:
        """The order as the API's object."""
        deal, odd, back = self._deal, self._odd, self._back
        first = deal.earlier[1] if deal.earlier else deal.lines
        current = deal.lines if self._amended or not deal.earlier else first
        if deal.header_only:
            net = sum(line.amount for line in current)
            first = current = [Line(-1, QUANTITY, net, net, net)]
        items = [self._item(number, line) for number, line in enumerate(current)]
        goods = [item for item in items if item["__typename"] == "LineItem"]
        shipping = next((item for item in items if item["__typename"] == "ShippingLine"), None)
        entries = [self._entry(number, line, items[number], "ORDER", 0) for number, line in enumerate(first)]
        extras, extra_amount = self._extras(len(items))
        agreements = [agreement("OrderAgreement", self._number(40), "ORDER", self.placed,
                                [*entries, *(sold for _, sold in extras)])]
        if self._amended:
            changes = [self._entry(number, _less(line, first[number]), items[number], "UPDATE", 20)
                       for number, line in enumerate(current) if line.amount != first[number].amount]
            agreements.append(agreement("OrderEditAgreement", self._number(41), "ORDER_EDIT", self._amended, changes))
        agreements += back.agreements(items, shipping)
        tax = sum(tax_on(line.amount, self._rate) for line in current)
        total = sum(line.amount for line in current) + tax + extra_amount
        # what the card was charged when the order was placed: an edit asks for no more
        charged = sum(line.amount + tax_on(line.amount, self._rate) for line in first) + extra_amount
        number = deal.order.number if deal.order else f"9{odd:08d}"
        body = order_body(int(deal.id), f"#{number}", self.placed, self.changed, self._bags, total, tax, self._entity)
        customer = {"__typename": "Customer", "id": gid("Customer", deal.account.id),
                    "legacyResourceId": str(deal.account.id)}
        body |= {"customer": customer, "number": int(number), "lineItems": goods + [item for item, _ in extras],
                 "shippingLines": [shipping] if shipping else [],
                 "agreements": agreements, "taxesIncluded": odd % 2 == 1, "edited": bool(self._amended),
                 "poNumber": deal.order.reference if deal.order else None,
                 "transactions": self._transactions(charged), "refunds": back.bodies(items, shipping),
                 "metafields": {"erp.order_id": self._erp_order()} if self._synced else {},
                 **self._totals(total, charged)}
        if odd % 3:
            body["paymentTerms"] = {"id": gid("PaymentTerms", deal.id), "dueInDays": deal.party.terms_days}
        return body

    def _totals(self, total: int, charged: int) -> dict[str, Any]:
        """What was received and given back, and what is left to pay."""
        bags, back = self._bags, self._back
        received, returned = (charged, back.amount) if self._charge else (0, 0)
        left = total - back.amount
        paid = "PAID" if received >= total else "PARTIALLY_PAID"
        status = "PENDING" if not received else paid if not returned else "PARTIALLY_REFUNDED"
        return {
            "currentTotalPriceSet": bags(left), "totalReceivedSet": bags(received), "totalRefundedSet": bags(returned),
            "netPaymentSet": bags(received - returned), "totalOutstandingSet": bags(left - received + returned),
            "totalRefundedShippingSet": bags(back.freight),
            "displayFinancialStatus": "REFUNDED" if received and returned == received else status}

    def _erp_order(self) -> str:
        """The ERP's order as the ERP's own books name it."""
        number = self._synced[1] if self._synced else None
        return next((self._world.erp.key_id(doc) for doc in self._chain.docs if doc.id == number), str(number))

    def _number(self, place: int) -> int:
        return self._shop.line_number(self._deal.slot, place)

    def _item(self, number: int, line: Line) -> dict[str, Any]:
        tax, included = tax_on(line.amount, self._rate), self._odd % 2 == 1
        if line.product == FREIGHT:
            return shipping_line(self._number(number), line.amount, tax, self._bags, included=included)
        whole = max(line.list_price * (line.quantity // QUANTITY), line.amount)
        product = self._world.products[line.product] if line.product >= 0 else None
        is_deleted = (self._odd + number) % 41 == 7
        return line_item(
            self._number(number), line.quantity // QUANTITY, whole, line.amount, tax, self._bags,
            sku=product.code if product else None, name=product.name if product else self._deal.name,
            variant=self._shop.variant(line.product) if product and not is_deleted else None,
            included=included, code="SPRING" if self._odd % 5 == 0 else None, returned=self._back.units(number))

    def _entry(self, number: int, line: Line, item: dict[str, Any], action: str, place: int) -> dict[str, Any]:
        """An entry of the ledger: of the whole line, or of what an edit changed of it."""
        units = line.quantity // QUANTITY
        whole = line.list_price * units
        discount = max(whole - line.amount, 0) if line.amount >= 0 else min(whole - line.amount, 0)
        tax = tax_on(line.amount, self._rate)
        taxes = [(tax, self._rate)] if self._rate else []
        return sale(self._number(place + number + 6) if place else self._number(number),
                    "SHIPPING" if line.product == FREIGHT else "PRODUCT", action, units, line.amount + tax, tax,
                    discount, self._bags, item, taxes)

    def _extras(self, place: int) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], int]:
        """(line, entry) of tips and gift cards that are sold along, and their sum."""
        unit = 10 ** CURRENCIES[self._deal.currency].decimals
        found: list[tuple[dict[str, Any], dict[str, Any]]] = []
        wanted = [("TIP", 5 * unit)] if self._odd % 29 == 3 else []
        wanted += [("GIFT_CARD", 50 * unit)] if self._odd % 31 == 5 else []
        for at_place, (kind, amount) in enumerate(wanted):
            item = line_item(self._number(place + at_place), 1, amount, amount, 0, self._bags, sku=None,
                              name="Tip" if kind == "TIP" else "Gift card", is_gift=kind == "GIFT_CARD",
                              variant=None if kind == "TIP" else self._shop.variant(len(self._world.products)))
            sold = sale(self._number(30 + at_place), kind, "ORDER", 1, amount, 0, 0, self._bags, item, [])
            found.append((item, sold))
        return found, sum(amount for _, amount in wanted)

    def _transactions(self, charged: int) -> list[dict[str, Any]]:
        if self._charge is None or charged <= 0:
            return []
        charge = {"__typename": "OrderTransaction", "id": self._charge, "kind": "SALE", "status": "SUCCESS",
                  "gateway": GATEWAY, "test": False, "processedAt": at(self.placed), "createdAt": at(self.placed),
                  "amountSet": self._bags(charged), "settlementCurrency": self._shop.shop_currency,
                  "paymentId": f"c{self._deal.id}.1", "manualPaymentGateway": False, "manuallyCapturable": False,
                  "multiCapturable": False, "fees": []}
        return [charge, *self._back.transactions(charge)]

    def movements(self, body: dict[str, Any]) -> Iterator[tuple[str, tuple]]:
        """(table, row) of what moves the vendor's balance: charges less the fee, which a refund does not give back."""
        shop = self._bags.shop
        for one in body["transactions"][:1]:
            number = int(one["id"].rpartition("/")[2])
            gross = self._bags.in_shop(minor(one["amountSet"]["presentmentMoney"], self._bags.paid))
            fee = min(gross, gross * 29 // 1_000 + 30)
            yield balance(number, self.placed, gross, fee, shop, "CHARGE", order=body, transaction=number)
        for number, moment, amount in self._back.movements():
            yield balance(number, moment, -amount, 0, shop, "REFUND", order=body, transaction=number)


def _less(line: Line, before: Line) -> Line:
    """What an edit changed of a line."""
    return Line(line.product, line.quantity - before.quantity, line.price, line.amount - before.amount, line.list_price)
