"""The shop's records behind the roots of the schema: searched, sorted, paged by cursor."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from simulator import payouts
from simulator.clock import moment_of
from simulator.served import Clock, Database
from simulator.shopify_api.account import ShopAccount
from simulator.shopify_api.schema import cursor_of, paged, place_of
from simulator.shopify_api.search import parse
from simulator.shopify_objects import GID, Bags, at, gid, minor

_TABLES = {"orders": "order", "customers": "customer", "products": "product", "events": "event"}
_SORTS = {"UPDATED_AT": "updated_at", "CREATED_AT": "created_at", "PROCESSED_AT": "processed_at", "ID": "id"}
_KINDS = {"Order": "order", "Customer": "customer", "Product": "product"}
DENIED = ("This app is not approved to access the Customer object. See "
          "https://shopify.dev/docs/apps/launch/protected-customer-data")


class Context:
    """One request. `searches`: what the answer's extensions say of its searches; `is_bulk`: connections are whole."""

    is_bulk = False

    def __init__(self, records: Records, operations: Any, account: ShopAccount) -> None:
        self.records, self.operations, self.account = records, operations, account
        self.most_rows = account.rows
        self.searches: list[dict[str, Any]] = []

    def root(self, name: str, info: GraphQLResolveInfo, given: dict[str, Any]) -> Any:
        """A field of the query or the mutation."""
        if name in _TABLES:
            return self.records.connection(name, given, self)
        if name.endswith("Count") and f"{name.removesuffix('Count')}" in _TABLES:
            return self.records.count(name.removesuffix("Count"), given, self)
        if name in ("order", "customer", "product"):
            return self.records.node(given["id"])
        if name == "node":
            return self.operations.found(given["id"]) or self.records.node(given["id"])
        if name == "shop":
            return self.records.shop()
        if name == "currentAppInstallation":
            return {"id": gid("AppInstallation", 1), "accessScopes": [
                {"handle": each, "description": each} for each in sorted(self.account.scopes)]}
        if name == "shopifyPaymentsAccount":
            if "read_shopify_payments_payouts" not in self.account.scopes:
                raise denied("Access denied for shopifyPaymentsAccount field.", "`read_shopify_payments_payouts` scope")
            return {"id": gid("ShopifyPaymentsAccount", 1), "activated": True} if self.account.payments else None
        if name == "publicApiVersions":
            from simulator.shopify_api.schema import versions

            return [{"handle": each, "displayName": each, "supported": each >= self.account.oldest}
                    for each in versions()]
        return self.operations.root(name, given, info)

    def payments(self, name: str, given: dict[str, Any]) -> Any:
        """A field of the vendor's payments."""
        if name in ("payouts", "balanceTransactions"):
            return self.records.connection(name, given, self)
        return {"id": gid("ShopifyPaymentsAccount", 1), "activated": True, "country": "US"}.get(name)

    def check_protected(self, name: str) -> None:
        """Raises GraphQLError, beside which the data is served, where the app may not see a person's data."""
        if not self.account.protected:
            raise denied(DENIED, "approval for protected customer data")


def denied(text: str, needed: str) -> GraphQLError:
    """The vendor's refusal of a field."""
    return GraphQLError(text, extensions={"code": "ACCESS_DENIED", "requiredAccess": needed,
                                          "documentation": "https://shopify.dev/api/usage/access-scopes"})


class Records:
    """Reads a shop's `sim.db`."""

    def __init__(self, database: Database, clock: Clock, account: ShopAccount) -> None:
        self._database, self._clock, self._account = database, clock, account

    def shop(self) -> dict[str, Any]:
        """The shop."""
        return json.loads(self._select("SELECT body FROM shopify__shop", [])[0][0])

    def node(self, name: str) -> dict[str, Any] | None:
        """A record by its global id."""
        kind, _, number = name.removeprefix(GID).partition("/")
        if not name.startswith(GID) or not number.isdigit():
            raise GraphQLError(f"Invalid global id '{name}'", extensions={"code": "argumentLiteralsIncompatible"})
        if kind not in _KINDS:
            return None
        where, values = ("1 = 1", []) if kind != "Order" else self._window()
        text = f'SELECT body FROM "shopify__{_KINDS[kind]}" WHERE id = ? AND {where}'
        found = self._select(text, [int(number), *values])
        return json.loads(found[0][0]) if found else None

    def count(self, root: str, given: dict[str, Any], context: Context) -> dict[str, Any]:
        """How many there are, up to a limit."""
        where, values = self._where(root, given.get("query"), context)
        found = self._select(f'SELECT count(*) FROM "shopify__{_TABLES[root]}" WHERE {where}', values)[0][0]
        limit = given.get("limit", 10_000)
        is_over = limit is not None and found > limit
        return {"count": limit if is_over else found, "precision": "AT_LEAST" if is_over else "EXACT"}

    def connection(self, root: str, given: dict[str, Any], context: Context) -> dict[str, Any]:
        """A page of a root's records, or all of them."""
        if root == "payouts":
            return self._payouts(given, context)
        table = "balance" if root == "balanceTransactions" else _TABLES[root]
        where, values = self._where(root, given.get("query"), context)
        if context.is_bulk:
            rows = self._select(f'SELECT body FROM "shopify__{table}" WHERE {where} ORDER BY id', values)
            return {"edges": [{"node": json.loads(body)} for (body,) in rows]}
        first = given.get("first")
        if first is None:
            raise GraphQLError("you must provide one of first or last")
        if not 0 < first <= context.most_rows:
            raise GraphQLError(f"first cannot exceed {context.most_rows}")
        sort = _SORTS.get(str(given.get("sortKey")), "id")
        if given.get("after"):
            place = place_of(given["after"])
            if not isinstance(place, dict) or place.get("sort") != sort:
                raise GraphQLError("Invalid cursor for current pagination sort.")
            where += f" AND ({sort}, id) > (?, ?)"
            values = [*values, place["value"], place["id"]]
        text = f'SELECT {sort}, id, body FROM "shopify__{table}" WHERE {where} ORDER BY {sort}, id LIMIT ?'
        rows = self._select(text, [*values, first + 1])
        edges = [{"cursor": cursor_of({"sort": sort, "value": value, "id": number}), "node": json.loads(body)}
                 for value, number, body in rows[:first]]
        return paged(edges, more=len(rows) > first, before=bool(given.get("after")))

    def _where(self, root: str, query: str | None, context: Context) -> tuple[str, list[Any]]:
        search = parse(root, query)
        if query:
            told: dict[str, Any] = {"path": [root], "query": query, "parsed": {}}
            context.searches.append(told | ({"warnings": search.warnings} if search.warnings else {}))
        where, values = search.sql, search.values
        if root == "orders":
            inside, bounds = self._window()
            where, values = f"{where} AND {inside}", [*values, *bounds]
        return where, values

    def _window(self) -> tuple[str, list[Any]]:
        """Without the scope, orders of the last 60 days only, and no word of the others."""
        if "read_all_orders" in self._account.scopes:
            return "1 = 1", []
        since: datetime = self._clock.now() - timedelta(days=60)
        return "created_at >= ?", [f"{since:%Y-%m-%d %H:%M:%S}"]

    def _payouts(self, given: dict[str, Any], context: Context) -> dict[str, Any]:
        """Weekly payouts, each the sum of what is in it."""
        from simulator.shopify_api.schema import page

        rows = self._select("SELECT payout, body FROM shopify__balance ORDER BY payout, id", [])
        by_payout: dict[int, list[dict[str, Any]]] = {}
        for number, body in rows:
            by_payout.setdefault(number, []).append(json.loads(body))
        now = f"{self._clock.now():%Y-%m-%d %H:%M:%S}"
        return page([payout(number, parts, now) for number, parts in by_payout.items()], given, context)

    def _select(self, text: str, values: list[Any]) -> list[tuple]:
        return self._database.connection().execute(text, values).fetchall()


def payout(number: int, parts: list[dict[str, Any]], now: str) -> dict[str, Any]:
    """A payout over its movements; on its way for three days, and then there."""
    issued = payouts.issued(number)
    age = moment_of(now) - issued
    currency = parts[0]["net"]["currencyCode"]

    def total(word: str, kind: str | None = None) -> dict[str, str]:
        amount = sum(minor(each[word], currency) for each in parts if kind in (None, each["type"]))
        return Bags.money(amount, currency)

    summary = {"chargesGross": total("amount", "CHARGE"), "chargesFee": total("fee", "CHARGE"),
               "refundsFeeGross": total("amount", "REFUND"), "refundsFee": total("fee", "REFUND"),
               "adjustmentsGross": total("amount", "ADJUSTMENT"), "adjustmentsFee": total("fee", "ADJUSTMENT")}
    blank, net = Bags.money(0, currency), total("net")
    for word in ("reservedFundsGross", "reservedFundsFee", "retriedPayoutsGross", "retriedPayoutsFee", "advanceGross",
                 "advanceFees", "usdcRebateCreditAmount"):
        summary[word] = blank
    return {
        "__typename": "ShopifyPaymentsPayout", "id": gid("ShopifyPaymentsPayout", number),
        "legacyResourceId": str(number), "issuedAt": at(issued), "net": net, "summary": summary,
        "status": "SCHEDULED" if age < 0 else "IN_TRANSIT" if age < 3 * 86_400 else "PAID",
        "transactionType": "WITHDRAWAL" if net["amount"].startswith("-") else "DEPOSIT",
        "businessEntity": {"__typename": "BusinessEntity", "id": gid("BusinessEntity", 1)}}
