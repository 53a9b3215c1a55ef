"""Answers of the Admin API, written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.unit.extract_stub import NOW, Sleeps, Wire
from tieout.extract.admin_graphql import AdminGraphqlExtractor
from tieout.spec import Connection

PATH = r"/admin/api/2026-07/graphql\.json"
STORAGE = "https://storage.googleapis.com/bulk/result.jsonl?Signature=abc"
COST = {"cost": {"requestedQueryCost": 10, "actualQueryCost": 5, "throttleStatus": {
    "maximumAvailable": 2000.0, "currentlyAvailable": 1990, "restoreRate": 100.0}}}
SHOP = {"currentAppInstallation": {"accessScopes": [{"handle": "read_all_orders"}]},
        "shop": {"createdAt": "2020-01-01T00:00:00Z", "name": "Acme", "ianaTimezone": "UTC"}}


def shopify(auth: str = "access_token", streams: Any = "all", **options: object) -> Connection:
    return Connection(name="shop_eu", system="shopify", auth=auth, time_zone="UTC", streams=streams,
                      options={"shop": "acme", **options})


def opened(wire: Wire, connection: Connection | None = None, sleeps: Sleeps | None = None) -> AdminGraphqlExtractor:
    secrets = {"access_token": "shpat_1", "client_id": "id", "client_secret": "hush-hush"}
    sleep = Sleeps() if sleeps is None else sleeps
    return AdminGraphqlExtractor(connection or shopify(), secrets, transport=wire, sleep=sleep, clock=lambda: NOW)


def data(value: Any, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": value, "extensions": COST, **more}, headers={
        "x-shopify-api-version": "2026-07", "date": "Sun, 01 Mar 2026 12:00:00 GMT"})


def errors(code: str, message: str = "…", *, extensions: dict[str, Any] | None = None, path: list[Any] | None = None,
           held: Any = None, **more: Any) -> httpx.Response:
    one: dict[str, Any] = {"message": message, "extensions": {"code": code, **more}}
    if path:
        one["path"] = path
    return httpx.Response(200, json={"errors": [one], "data": held, "extensions": extensions or COST})


def page(nodes: list[dict[str, Any]], *, more: str = "") -> dict[str, Any]:
    return {"edges": [{"cursor": f"c{number}", "node": node} for number, node in enumerate(nodes)],
            "pageInfo": {"hasNextPage": bool(more), "endCursor": more or None}}


def bag(shop: str, paid: str | None = None) -> dict[str, Any]:
    return {"shopMoney": {"amount": shop}, "presentmentMoney": {"amount": paid or shop, "currencyCode": "EUR"}}


def line(number: int, **more: Any) -> dict[str, Any]:
    return {"__typename": "LineItem", "id": f"gid://shopify/LineItem/{number}", "name": "Pump", "sku": "P",
            "quantity": 1, "currentQuantity": 1, "isGiftCard": False, "taxable": True, "product": None, "variant": None,
            "originalUnitPriceSet": bag("10.0"), "originalTotalSet": bag("10.0"), "net": bag("10.0"),
            "discountAllocations": [], **more}


def sale(number: int, kind: str = "ProductSale", **more: Any) -> dict[str, Any]:
    held = {"lineItem": {"id": "gid://shopify/LineItem/1"}} if kind == "ProductSale" else {}
    return {"__typename": kind, "id": f"gid://shopify/Sale/{number}", "actionType": "ORDER", "lineType": "PRODUCT",
            "quantity": 1, "totalAmount": bag("11.9", "10.0"), "totalTaxAmount": bag("1.9", "1.6"),
            "totalDiscountAmountBeforeTaxes": bag("0.0"), "taxes": [], **held, **more}


def agreement(number: int, sales: Any, **more: Any) -> dict[str, Any]:
    return {"__typename": "OrderAgreement", "id": f"gid://shopify/SalesAgreement/{number}", "reason": "ORDER",
            "happenedAt": "2026-01-02T10:00:00Z", "sales": sales, **more}


def order(number: int, *, lines: Any = (), agreements: Any = (), **more: Any) -> dict[str, Any]:
    """As pages have it; `lines` and `agreements` are records, or a connection."""
    found = {
        "__typename": "Order", "id": f"gid://shopify/Order/{number}", "legacyResourceId": str(number),
        "name": f"#{number}", "number": number, "createdAt": "2026-01-02T10:00:00Z", "purchasingEntity": None,
        "processedAt": "2025-12-30T10:00:00Z", "updatedAt": "2026-01-02T10:00:00Z", "cancelledAt": None,
        "cancelReason": None, "closedAt": None, "test": False, "confirmed": True, "edited": False,
        "taxesIncluded": False, "dutiesIncluded": False, "currencyCode": "USD", "presentmentCurrencyCode": "EUR",
        "displayFinancialStatus": "PAID", "displayFulfillmentStatus": "FULFILLED", "returnStatus": "NO_RETURN",
        "sourceName": "web", "poNumber": None, "customer": None, "merchantBusinessEntity": None,
        "retailLocation": None, "paymentTerms": None, "erp": None, "transactions": [], "refunds": [],
        "totalCashRoundingAdjustment": {"paymentSet": bag("0.0")}, "shippingLines": page([])}
    for word in ("totalPriceSet", "currentTotalPriceSet", "originalTotalPriceSet", "totalReceivedSet",
                 "totalRefundedSet", "totalOutstandingSet", "totalTipReceivedSet"):
        found[word] = bag("119.0", "100.00")
    found["lineItems"] = lines if isinstance(lines, dict) else page(list(lines))
    found["agreements"] = agreements if isinstance(agreements, dict) else page(list(agreements))
    return found | more


def asked(request: httpx.Request) -> str:
    return json.loads(request.content)["query"]


def answering(*rules: tuple[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
    """The first rule whose word is in the query."""

    def reply(request: httpx.Request) -> httpx.Response:
        query = asked(request)
        for word, found in rules:
            if word in query:
                return found(query) if callable(found) else found
        raise AssertionError(f"nobody expected {query[:300]}")

    return reply
