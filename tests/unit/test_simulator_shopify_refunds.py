"""What the simulated shop gives back: the ledger, the order's totals, the money and the key say the same. No server."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from simulator.clock import LAST_DAY, end_of
from simulator.company import Company
from simulator.key import Answers
from simulator.units import UNITS, unit

NOW = end_of(LAST_DAY)
SHOPS = [name for name, each in UNITS.items() if each.crm == "shopify"]
Rendered = tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture(scope="module", params=SHOPS)
def shop(request) -> Rendered:
    """(orders, movements of the vendor's balance, what the key says was given back) of a unit's two years."""
    company = Company(5, "1k", 1, request.param)
    orders, movements, told = [], [], []
    for number in range(company.history):
        chain = company.chain(number)
        for table, row in company.world.crm.chain(chain, NOW):
            if table in ("shopify__order", "shopify__balance"):
                (orders if table == "shopify__order" else movements).append(json.loads(row[-1]))
        told += Answers(company.world, chain, NOW).refunds
    return orders, movements, told


def paid(bag: dict[str, Any]) -> Decimal:
    return Decimal(bag["presentmentMoney"]["amount"])


def sales(order: dict[str, Any], *reasons: str) -> list[dict[str, Any]]:
    return [sale for each in order["agreements"] if not reasons or each["reason"] in reasons for sale in each["sales"]]


def total(found: list[dict[str, Any]], word: str = "totalAmount") -> Decimal:
    return sum((paid(each[word]) for each in found), Decimal(0))


def test_there_are_shops():
    assert SHOPS == ["ecommerce", "web_shop"]


def test_the_ledger_is_what_an_order_is_worth_now(shop):
    orders, _, _ = shop
    assert len(orders) > 800
    for order in orders:
        assert total(sales(order)) == paid(order["currentTotalPriceSet"]), order["name"]
        assert total(sales(order, "ORDER", "ORDER_EDIT")) == paid(order["totalPriceSet"]), order["name"]


def test_money_that_came_and_went_is_what_the_transactions_say(shop):
    orders, _, _ = shop
    for order in orders:
        came, went = ([each for each in order["transactions"] if each["kind"] == kind] for kind in ("SALE", "REFUND"))
        received, returned = total(came, "amountSet"), total(went, "amountSet")
        assert received == paid(order["totalReceivedSet"]) and returned == paid(order["totalRefundedSet"])
        assert total(order["refunds"], "totalRefundedSet") == returned
        left = paid(order["currentTotalPriceSet"]) - received + returned
        assert left == paid(order["totalOutstandingSet"]) >= 0, order["name"]
        assert {each["parentTransaction"]["id"] for each in went} <= {each["id"] for each in came}


def test_a_refund_says_what_its_entries_of_the_ledger_say(shop):
    orders, _, _ = shop
    refunded = [order for order in orders if order["refunds"]]
    assert len(refunded) > 15
    for order in refunded:
        [refund] = order["refunds"]
        [entries] = [each for each in order["agreements"] if each["reason"] == "REFUND"]
        assert entries["refund"]["id"] == refund["id"] and entries["happenedAt"] == refund["createdAt"]
        by_kind: dict[str, Decimal] = defaultdict(Decimal)
        for each in entries["sales"]:
            by_kind[each["lineType"]] += paid(each["totalAmount"])
        goods = total(refund["refundLineItems"], "subtotalSet") + total(refund["refundLineItems"], "totalTaxSet")
        freight = refund["refundShippingLines"]
        assert -by_kind["PRODUCT"] == goods
        assert -by_kind["SHIPPING"] == total(freight, "subtotalAmountSet") + total(freight, "taxAmountSet")
        assert total(freight, "subtotalAmountSet") == paid(order["totalRefundedShippingSet"])
        assert by_kind["ADJUSTMENT"] == total(refund["orderAdjustments"], "amountSet")
        back = {each["lineItem"]["id"]: each["quantity"] for each in refund["refundLineItems"]}
        for line in order["lineItems"]:
            assert line["quantity"] - line["currentQuantity"] == back.get(line["id"], 0)


def test_refunds_come_in_all_their_forms(shop):
    """Lines and no money, money and no lines, shipping alone, a part of a line, and orders that are left whole."""
    orders, _, _ = shop
    found = [(order, refund) for order in orders for refund in order["refunds"]]
    assert any(refund["refundLineItems"] and not refund["transactions"] for _, refund in found)
    assert any(not refund["refundLineItems"] and not refund["refundShippingLines"] and refund["transactions"]
               for _, refund in found)
    assert any(refund["refundShippingLines"] and not refund["refundLineItems"] for _, refund in found)
    assert any(0 < line["currentQuantity"] < line["quantity"] for order, _ in found for line in order["lineItems"])
    assert {order["displayFinancialStatus"] for order in orders} >= {"PENDING", "PAID", "PARTIALLY_REFUNDED"}
    assert sum(bool(order["shippingLines"]) for order in orders) > 40


def test_what_goes_back_leaves_the_vendors_balance_and_its_fee_stays_spent(shop):
    orders, movements, _ = shop
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in movements:
        assert Decimal(each["net"]["amount"]) == Decimal(each["amount"]["amount"]) - Decimal(each["fee"]["amount"])
        by_kind[each["type"]].append(each)
    transactions = {each["id"].rpartition("/")[2]: each for order in orders for each in order["transactions"]}
    assert len(by_kind["CHARGE"]) + len(by_kind["REFUND"]) == len(transactions) and len(by_kind["REFUND"]) > 5
    for each in by_kind["REFUND"]:
        told = transactions[each["sourceOrderTransactionId"]]
        assert told["kind"] == "REFUND" and Decimal(each["fee"]["amount"]) == 0
        assert Decimal(each["amount"]["amount"]) == -Decimal(told["amountSet"]["shopMoney"]["amount"])


def test_the_key_says_what_was_given_back_and_who_was_told(shop):
    orders, _, told = shop
    by_order = {order["legacyResourceId"]: order for order in orders}
    assert {each["deal"] for each in told} == {name for name, order in by_order.items() if order["refunds"]}
    for each in told:
        entries = sales(by_order[each["deal"]], "REFUND")
        assert -total(entries, "totalTaxAmount") == Decimal(each["tax"])
        assert -total(entries) == Decimal(each["net"]) + Decimal(each["tax"])
        freight = [sale for sale in entries if sale["lineType"] == "SHIPPING"]
        assert -(total(freight) - total(freight, "totalTaxAmount")) == Decimal(each["freight"])
        assert (each["credit"] is None) == (each["scenario"] == "goodwill")


def test_numbers_are_told_once(shop):
    orders, _, _ = shop
    for take in (lambda order: [sale["id"] for sale in sales(order)],
                 lambda order: [each["id"] for each in order["agreements"]],
                 lambda order: [each["id"] for each in order["transactions"]],
                 lambda order: [each["id"] for each in order["lineItems"]]):
        found = [name for order in orders for name in take(order)]
        assert len(found) == len(set(found)) > 100


@pytest.mark.parametrize("name", [name for name in UNITS if name not in SHOPS])
def test_what_is_no_shop_charges_no_shipping(name):
    scenarios = {each.name for each in Company(5, "1k", 1, name)._scenarios}
    assert not scenarios & {"shipped", "shipping_refunded", "goodwill", "sent_back"}
    assert unit(name).crm != "shopify"
