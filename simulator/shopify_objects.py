"""The objects that the Admin API serves: orders, lines, entries of the ledger, movements of the balance; their ids."""

from __future__ import annotations

import json
from typing import Any

from simulator.clock import stamp_text
from simulator.money import CURRENCIES, Entity, amount_text, converted
from simulator.payouts import number_of

GID = "gid://shopify/"
PRODUCTS, VARIANTS = 8_200_000_000_000, 45_000_000_000_000
_SALES = {"PRODUCT": "ProductSale", "GIFT_CARD": "GiftCardSale", "TIP": "TipSale", "SHIPPING": "ShippingLineSale",
          "ADJUSTMENT": "AdjustmentSale"}


def gid(kind: str, number: int | str) -> str:
    """A global id."""
    return f"{GID}{kind}/{number}"


def at(moment: int) -> str:
    """A moment as the API tells it."""
    return stamp_text(moment).replace(" ", "T") + "Z"


def text(body: dict[str, Any]) -> str:
    """A record as it is kept."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


class Bags:
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
        told = amount_text(minor, CURRENCIES[currency].decimals)
        if "." in told:
            whole, _, rest = told.partition(".")
            told = f"{whole}.{rest.rstrip('0') or '0'}"
        return {"amount": told, "currencyCode": currency}


def minor(money: dict[str, str], currency: str) -> int:
    """The minor units of an amount as the API tells it."""
    whole, _, rest = money["amount"].partition(".")
    return int(whole + rest.ljust(CURRENCIES[currency].decimals, "0")[:CURRENCIES[currency].decimals])


def balance(number: int, moment: int, gross: int, fee: int, currency: str, kind: str, *,
            order: dict[str, Any] | None = None, transaction: int | None = None) -> tuple[str, tuple]:
    """(table, row) of a movement in the vendor's balance."""
    payout = number_of(moment)
    body = {
        "__typename": "ShopifyPaymentsBalanceTransaction", "type": kind, "test": False,
        "id": gid("ShopifyPaymentsBalanceTransaction", number), "transactionDate": at(moment),
        "amount": Bags.money(gross, currency), "fee": Bags.money(fee, currency),
        "net": Bags.money(gross - fee, currency), "sourceType": kind if kind in ("CHARGE", "REFUND") else "ADJUSTMENT",
        "sourceOrderTransactionId": None if transaction is None else str(transaction),
        "associatedOrder": order and {"id": order["id"], "name": order["name"]}, "adjustmentsOrders": [],
        "associatedPayout": {"id": gid("ShopifyPaymentsPayout", payout), "status": "PAID"}}
    return "shopify__balance", (number, payout, stamp_text(moment), text(body))


def line_item(number: int, units: int, whole: int, amount: int, tax: int, bags: Bags, *, sku: str | None, name: str,
              variant: dict[str, Any] | None, is_gift: bool = False, included: bool = False, code: str | None = None,
              returned: int = 0) -> dict[str, Any]:
    """A line as it was sold, `whole` before discount; `returned`: the units of it that came back."""
    extra = tax if included else 0
    application = {"__typename": "DiscountCodeApplication" if code else "ManualDiscountApplication", "index": 0,
                   "allocationMethod": "ACROSS", "targetSelection": "ALL", "targetType": "LINE_ITEM",
                   "value": {"__typename": "PricingPercentageValue", "percentage": 10.0}}
    application |= {"code": code} if code else {"title": "Agreed"}
    discount = [{"allocatedAmountSet": bags(whole - amount), "discountApplication": application}]
    product = variant and {"__typename": "Product", "id": gid("Product", 1),
                           "legacyResourceId": str(PRODUCTS + (int(variant["legacyResourceId"]) - VARIANTS) // 17)}
    return {
        "__typename": "LineItem", "id": gid("LineItem", number), "name": name, "title": name, "sku": sku,
        "quantity": units, "currentQuantity": units - returned, "isGiftCard": is_gift, "taxable": not is_gift,
        "product": product, "variant": variant, "originalUnitPriceSet": bags((whole + extra) // max(units, 1)),
        "originalTotalSet": bags(whole + extra), "discountedTotalSet": bags(amount + extra),
        "discountAllocations": discount if whole > amount else [], "taxLines": []}


def shipping_line(number: int, amount: int, tax: int, bags: Bags, *, included: bool) -> dict[str, Any]:
    """Shipping as it was charged."""
    price = bags(amount + tax if included else amount)
    return {"__typename": "ShippingLine", "id": gid("ShippingLine", number), "title": "Standard", "code": "STANDARD",
            "isRemoved": False, "custom": False, "originalPriceSet": price, "discountedPriceSet": price,
            "currentDiscountedPriceSet": price, "discountAllocations": [], "taxLines": []}


def sale(number: int, line_type: str, action: str, units: int, total: int, tax: int, discount: int, bags: Bags,
         item: dict[str, Any] | None, taxes: list[tuple[int, int]]) -> dict[str, Any]:
    """An entry of the ledger, signed; `total` includes tax. `item`: the line or the shipping, none of an adjustment."""
    kind = _SALES[line_type]
    told = [{"id": gid("SaleTax", f"{number}{place}"), "amount": bags(amount), "taxLine": {
        "title": "VAT", "rate": rate / 10_000, "ratePercentage": rate / 100, "channelLiable": False,
        "priceSet": bags(amount)}} for place, (amount, rate) in enumerate(taxes)]
    return {
        "__typename": kind, "id": gid("Sale", number), "actionType": action, "lineType": line_type, "quantity": units,
        "totalAmount": bags(total), "totalTaxAmount": bags(tax), "totalDiscountAmountBeforeTaxes": bags(discount),
        "totalDiscountAmountAfterTaxes": bags(discount), "taxes": told,
        **({} if item is None else {"shippingLine" if line_type == "SHIPPING" else "lineItem": item})}


def agreement(kind: str, number: int, reason: str, moment: int, sales: list[dict[str, Any]]) -> dict[str, Any]:
    """Entries that were made at once."""
    return {"__typename": kind, "id": gid("SalesAgreement", number), "reason": reason, "happenedAt": at(moment),
            "sales": sales}


def order_body(number: int, name: str, placed: int, changed: int, bags: Bags, total: int, tax: int,
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
