"""What an order gave back: as refunds, as entries of its ledger on the day of each, and as money that moved.

A line that comes back is an entry of its own, with its tax; so is shipping. What is paid back and is no line's is an
adjustment. Money goes back where it came from: of an order that is paid elsewhere there are refunds without money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from simulator.documents import FREIGHT, QUANTITY, Line, Refund
from simulator.money import tax_on
from simulator.shopify_objects import Bags, agreement, at, gid, sale

# places of an order's numbers: agreements, refunds, lines of refunds, transactions, entries
_AGREEMENT, _REFUND, _LINE, _TRANSACTION, _ENTRY = 42, 44, 32, 51, 54


class GivenBack:
    """`number`: the number of a place of the order; `paid_by`: the transaction that paid it, None where none did."""

    def __init__(
        self, refunds: list[Refund], bags: Bags, rate: int, number: Callable[[int], int], paid_by: str | None
    ) -> None:
        self._refunds, self._bags, self._rate, self._number, self._paid_by = refunds, bags, rate, number, paid_by

    @property
    def amount(self) -> int:
        """All of it, with tax."""
        return sum(map(self._worth, self._refunds))

    @property
    def freight(self) -> int:
        """Shipping that was given back, without tax."""
        return sum(line.amount for refund in self._refunds for line in refund.lines if line.product == FREIGHT)

    def units(self, place: int) -> int:
        """Units of the order's line that came back."""
        return sum(line.quantity // QUANTITY for refund in self._refunds for line in refund.lines
                   if line.product != FREIGHT and line.source == place)

    def agreements(self, items: list[dict[str, Any]], shipping: dict[str, Any] | None) -> list[dict[str, Any]]:
        """The entries of the ledger. `items`: the order's lines by place."""
        return [
            agreement("RefundAgreement", self._number(_AGREEMENT + place), "REFUND", refund.moment,
                      list(self._entries(place, refund, items, shipping))) | {
                          "refund": {"__typename": "Refund", "id": gid("Refund", self._number(_REFUND + place))}}
            for place, refund in enumerate(self._refunds)]

    def _entries(
        self, place: int, refund: Refund, items: list[dict[str, Any]], shipping: dict[str, Any] | None
    ) -> Iterator[dict[str, Any]]:
        for count, line in enumerate(refund.lines):
            tax, units = tax_on(line.amount, self._rate), line.quantity // QUANTITY
            is_freight = line.product == FREIGHT
            yield sale(
                self._number(_ENTRY + 4 * place + count), "SHIPPING" if is_freight else "PRODUCT", "RETURN", -units,
                -line.amount - tax, -tax, min(line.amount - line.list_price * units, 0), self._bags,
                shipping if is_freight else items[line.source], [(-tax, self._rate)] if self._rate else [])
        if refund.amount:
            yield sale(self._number(_ENTRY + 4 * place + 3), "ADJUSTMENT", "UPDATE", 0, -refund.amount, 0, 0,
                       self._bags, None, [])

    def bodies(self, items: list[dict[str, Any]], shipping: dict[str, Any] | None) -> list[dict[str, Any]]:
        """The refunds themselves."""
        return [self._body(place, refund, items, shipping) for place, refund in enumerate(self._refunds)]

    def _body(
        self, place: int, refund: Refund, items: list[dict[str, Any]], shipping: dict[str, Any] | None
    ) -> dict[str, Any]:
        number, bags, moment = self._number(_REFUND + place), self._bags, at(refund.moment)
        goods = [line for line in refund.lines if line.product != FREIGHT]
        freight = [line for line in refund.lines if line.product == FREIGHT]
        adjustments = [{"__typename": "OrderAdjustment", "id": gid("OrderAdjustment", number),
                        "reason": "REFUND_DISCREPANCY", "amountSet": bags(-refund.amount), "taxAmountSet": bags(0)}]
        return {
            "__typename": "Refund", "id": gid("Refund", number), "legacyResourceId": str(number), "createdAt": moment,
            "processedAt": moment, "updatedAt": moment, "note": None if refund.lines else "Goodwill", "return": None,
            "totalRefundedSet": bags(self._worth(refund) if self._paid_by else 0),
            "refundLineItems": [self._line(place, count, line, items) for count, line in enumerate(goods)],
            "refundShippingLines": [
                {"__typename": "RefundShippingLine", "id": gid("RefundShippingLine", number), "shippingLine": shipping,
                 "subtotalAmountSet": bags(line.amount), "taxAmountSet": bags(tax_on(line.amount, self._rate))}
                for line in freight],
            "orderAdjustments": adjustments if refund.amount else [],
            "transactions": [self._transaction(place, refund)] if self._paid_by else []}

    def _line(self, place: int, count: int, line: Line, items: list[dict[str, Any]]) -> dict[str, Any]:
        units = line.quantity // QUANTITY
        return {
            "__typename": "RefundLineItem", "id": gid("RefundLineItem", self._number(_LINE + 4 * place + count)),
            "lineItem": items[line.source], "quantity": units, "restockType": "RETURN", "restocked": True,
            "priceSet": self._bags(line.amount // units), "subtotalSet": self._bags(line.amount),
            "totalTaxSet": self._bags(tax_on(line.amount, self._rate))}

    def transactions(self, charge: dict[str, Any]) -> list[dict[str, Any]]:
        """What was paid back; amounts are positive. `charge`: the transaction that paid."""
        return [{**charge, **self._transaction(place, refund)} for place, refund in enumerate(self._refunds)]

    def _transaction(self, place: int, refund: Refund) -> dict[str, Any]:
        return {
            "__typename": "OrderTransaction", "id": gid("OrderTransaction", self._number(_TRANSACTION + place)),
            "kind": "REFUND", "status": "SUCCESS", "processedAt": at(refund.moment), "createdAt": at(refund.moment),
            "parentTransaction": {"__typename": "OrderTransaction", "id": self._paid_by},
            "amountSet": self._bags(self._worth(refund))}

    def movements(self) -> Iterator[tuple[int, int, int]]:
        """(number of the transaction, moment, the shop's minor units) of what was paid back."""
        for place, refund in enumerate(self._refunds if self._paid_by else ()):
            yield self._number(_TRANSACTION + place), refund.moment, self._bags.in_shop(self._worth(refund))

    def _worth(self, refund: Refund) -> int:
        return refund.amount + sum(line.amount + tax_on(line.amount, self._rate) for line in refund.lines)
