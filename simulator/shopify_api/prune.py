"""Makes the schema that lies beside this file from the vendor's own introspection, which its package carries.

    npm pack @shopify/dev-mcp && tar xzf shopify-dev-mcp-*.tgz
    python -m simulator.shopify_api.prune package/dist/data/admin_2026-07.json.gz …

The types of `KEPT` are complete: all of their fields, arguments and deprecations, as the vendor tells them. A type that
they lead to and that is not kept is a stub with the fields `id` and `__typename` only; the roots have the fields of
`ROOTS` only. Descriptions are left out. The package is under the ISC licence, whose text stands in `LICENSE.schema`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from simulator.schema import names_in

ROOTS = {
    "QueryRoot": names_in("""bulkOperation bulkOperations currentAppInstallation currentBulkOperation customer customers
        customersCount events node order orders ordersCount product products productsCount publicApiVersions shop
        shopifyPaymentsAccount tenderTransactions"""),
    "Mutation": ("bulkOperationCancel", "bulkOperationRunQuery"),
}
KEPT = frozenset(names_in("""
    AccessScope AdditionalFeeSale AdjustmentSale ApiVersion AppInstallation AutomaticDiscountApplication BasicEvent
    BulkOperation BulkOperationCancelPayload BulkOperationConnection BulkOperationEdge BulkOperationRunQueryPayload
    BulkOperationUserError BusinessEntity CashRoundingAdjustment CommentEvent Company CompanyLocation Count
    CurrencyExchangeAdjustment Customer CustomerConnection CustomerEdge CustomerEmailAddress CustomerPhoneNumber
    DiscountAllocation DiscountApplication DiscountApplicationConnection DiscountApplicationEdge
    DiscountCodeApplication DutySale Event EventConnection EventEdge FeeSale GiftCardSale HasEvents InventoryItem
    LineItem LineItemConnection LineItemEdge Location MailingAddress ManualDiscountApplication Metafield MoneyBag
    MoneyV2 Node Order OrderAdjustment OrderAdjustmentConnection OrderAdjustmentEdge OrderAgreement OrderApp
    OrderConnection OrderEdge OrderEditAgreement OrderTransaction OrderTransactionConnection OrderTransactionEdge
    PageInfo PaymentSchedule PaymentScheduleConnection PaymentScheduleEdge PaymentTerms PricingPercentageValue
    PricingValue Product ProductConnection ProductEdge ProductSale ProductVariant ProductVariantConnection
    ProductVariantEdge PurchasingCompany PurchasingEntity Refund RefundAgreement RefundLineItem
    RefundLineItemConnection RefundLineItemEdge RefundShippingLine RefundShippingLineConnection
    RefundShippingLineEdge Return ReturnAgreement Sale SaleConnection SaleEdge SaleTax SalesAgreement
    SalesAgreementConnection SalesAgreementEdge ScriptDiscountApplication ShippingLine ShippingLineConnection
    ShippingLineEdge ShippingLineSale Shop ShopPlan ShopifyPaymentsAccount ShopifyPaymentsAdjustmentOrder
    ShopifyPaymentsAssociatedOrder ShopifyPaymentsBalanceTransaction
    ShopifyPaymentsBalanceTransactionAssociatedPayout ShopifyPaymentsBalanceTransactionConnection
    ShopifyPaymentsBalanceTransactionEdge ShopifyPaymentsPayout ShopifyPaymentsPayoutConnection
    ShopifyPaymentsPayoutEdge ShopifyPaymentsPayoutSummary TaxLine TenderTransaction TenderTransactionConnection
    TenderTransactionEdge TipSale TransactionFee UnknownSale UserError
"""))


def named(told: dict[str, Any]) -> str:
    """The name of a type without its wrappers."""
    return named(told["ofType"]) if told["ofType"] else told["name"]


def text_of(told: dict[str, Any]) -> str:
    """A type as the schema language writes it."""
    if told["kind"] == "NON_NULL":
        return f"{text_of(told['ofType'])}!"
    return f"[{text_of(told['ofType'])}]" if told["kind"] == "LIST" else told["name"]


class Pruner:
    """One version's schema; `sdl` after what is kept was followed."""

    def __init__(self, types: list[dict[str, Any]]) -> None:
        self._types = {each["name"]: each for each in types}
        self._done: dict[str, str] = {}

    def sdl(self) -> str:
        """The schema, types by name."""
        waiting = ["QueryRoot", "Mutation", *KEPT]
        while waiting:
            name = waiting.pop()
            if name in self._done or name not in self._types or name in ("String", "Int", "Float", "Boolean", "ID"):
                continue
            self._done[name], leads = self._written(self._types[name])
            waiting += leads
        blocks = [self._done[name] for name in sorted(self._done)]
        return "\n".join(["schema { query: QueryRoot mutation: Mutation }", *blocks]) + "\n"

    def _written(self, told: dict[str, Any]) -> tuple[str, list[str]]:
        name, kind = told["name"], told["kind"]
        if kind == "SCALAR":
            return f"scalar {name}", []
        if kind == "ENUM":
            return f"enum {name} {{ {' '.join(each['name'] for each in told['enumValues'])} }}", []
        if kind == "UNION":
            kept = [each["name"] for each in told["possibleTypes"]]
            return f"union {name} = {' | '.join(kept)}", kept
        if kind == "INPUT_OBJECT":
            fields = [self._argument(each) for each in told["inputFields"]]
            return f"input {name} {{ {' '.join(fields)} }}", [named(each["type"]) for each in told["inputFields"]]
        return self._object(told)

    def _object(self, told: dict[str, Any]) -> tuple[str, list[str]]:
        name = told["name"]
        is_stub = name not in KEPT and name not in ROOTS
        wanted = [each for each in told["fields"] if name not in ROOTS or each["name"] in ROOTS[name]]
        if is_stub:
            wanted = [{**each, "isDeprecated": False} for each in wanted if each["name"] == "id"]
        lines, leads = [], []
        for each in wanted:
            leads += [named(each["type"]), *(named(one["type"]) for one in each["args"])]
            given = f"({', '.join(map(self._argument, each['args']))})" if each["args"] else ""
            why = json.dumps(each["deprecationReason"] or "")
            gone = f" @deprecated(reason: {why})" if each["isDeprecated"] else ""
            lines.append(f"  {each['name']}{given}: {text_of(each['type'])}{gone}")
        above = [each["name"] for each in told.get("interfaces") or [] if each["name"] in KEPT]
        if is_stub:
            above = [word for word in above if word == "Node"]
        said = f" implements {' & '.join(above)}" if above else ""
        word = "interface" if told["kind"] == "INTERFACE" else "type"
        body = "\n".join(lines) or "  id: ID"
        return f"{word} {name}{said} {{\n{body}\n}}", [*leads, *above]

    @staticmethod
    def _argument(told: dict[str, Any]) -> str:
        default = f" = {told['defaultValue']}" if told["defaultValue"] is not None else ""
        return f"{told['name']}: {text_of(told['type'])}{default}"


def prune(source: Path) -> str:
    """The text of the pruned schema, with where it came from. `source`: admin_<version>.json.gz of the package."""
    packed = source.read_bytes()
    told = json.loads(gzip.decompress(packed))
    types = told.get("data", told)["__schema"]["types"]
    head = f"# Pruned from {source.name} of the package @shopify/dev-mcp; sha256 {hashlib.sha256(packed).hexdigest()}\n"
    return head + Pruner(types).sdl()


if __name__ == "__main__":
    for word in sys.argv[1:]:
        given = Path(word)
        version = given.name.removeprefix("admin_").removesuffix(".json.gz")
        made = gzip.compress(prune(given).encode(), 9, mtime=0)
        target = Path(__file__).with_name(f"admin_{version}.graphql.gz")
        target.write_bytes(made)
        print(f"{target.name}: {len(made):,} bytes")
