"""The stand-in of Shopify is as strict as Shopify, and has its habits; an independent client works with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import shopify
from graphql import execute_sync, parse

from simulator.company import generate
from simulator.serve import Endpoints, start
from simulator.shopify_api import ShopAccount
from simulator.shopify_api.schema import resolve, schema_of
from tests.conftest import open_folder

VERSION = "2026-07"
ONE = "{ orders(first: 1) { nodes { id name } } }"
BULK = "{ orders { edges { node { __typename id lineItems { edges { node { __typename id quantity } } } } } } }"
START = ("mutation($q: String!) { bulkOperationRunQuery(query: $q, groupObjects: false) { bulkOperation { id status } "
         "userErrors { field message code } } }")
POLL = ("query($id: ID!) { node(id: $id) { ... on BulkOperation { status errorCode objectCount rootObjectCount "
        "fileSize url partialDataUrl } } }")


@pytest.fixture(scope="module")
def company() -> Iterator[Path]:
    with open_folder() as folder:
        generate(folder, seed=23, size="1k", level=1, of="ecommerce")
        yield folder


class Shop:
    """A client that knows nothing of ours."""

    def __init__(self, vendors: Endpoints) -> None:
        self.app = vendors.apps["shopify"]
        self.account: ShopAccount = self.app.shop
        self.url = vendors._urls["shopify"]
        self.token = self.app._keys["access_token"]

    def post(self, query: str, version: str = VERSION, **variables: object) -> httpx.Response:
        return httpx.post(f"{self.url}/admin/api/{version}/graphql.json", timeout=60,
                          headers={"X-Shopify-Access-Token": self.token}, json={"query": query, "variables": variables})

    def data(self, query: str, **variables: object) -> dict:
        found = self.post(query, **variables).json()
        assert "errors" not in found, found["errors"]
        return found["data"]

    def codes(self, query: str, **variables: object) -> list[str]:
        return [each["extensions"]["code"] for each in self.post(query, **variables).json()["errors"]]

    def bulk(self, query: str = BULK) -> dict:
        told = self.data(START, q=query)["bulkOperationRunQuery"]
        assert told["userErrors"] == []
        for _ in range(10):
            found = self.data(POLL, id=told["bulkOperation"]["id"])["node"]
            if found["status"] not in ("CREATED", "RUNNING"):
                return found
        raise AssertionError("it never ended")


@pytest.fixture
def shop(company) -> Iterator[Shop]:
    with start(company) as vendors:
        found = Shop(vendors)
        for name, value in vars(ShopAccount.calm()).items():
            setattr(found.account, name, value)
        yield found


# --- an independent client


def test_the_vendors_own_client_reads_orders_page_by_page(shop):
    session = shopify.Session("halden.myshopify.com", VERSION, shop.token)
    session.protocol, session.url = "http", shop.url.removeprefix("http://")
    shopify.ShopifyResource.activate_session(session)
    try:
        names, after = [], None
        query = ("query($after: String) { orders(first: 100, after: $after, sortKey: CREATED_AT) { nodes { name "
                 "totalPriceSet { shopMoney { amount currencyCode } } customer { displayName } } "
                 "pageInfo { hasNextPage endCursor } } }")
        while True:
            found = json.loads(shopify.GraphQL().execute(query, {"after": after}))["data"]["orders"]
            names += [each["name"] for each in found["nodes"]]
            if not found["pageInfo"]["hasNextPage"]:
                break
            after = found["pageInfo"]["endCursor"]
    finally:
        shopify.ShopifyResource.clear_session()
    assert len(names) == len(set(names)) == shop.data("{ ordersCount(limit: null) { count } }")["ordersCount"]["count"]


def test_the_vendors_own_client_sees_a_refusal_as_one(shop):
    session = shopify.Session("halden.myshopify.com", VERSION, "shpat_wrong")
    session.protocol, session.url = "http", shop.url.removeprefix("http://")
    shopify.ShopifyResource.activate_session(session)
    try:
        with pytest.raises(Exception, match="401"):
            shopify.GraphQL().execute(ONE)
    finally:
        shopify.ShopifyResource.clear_session()


# --- strictness


def test_a_wrong_token_is_answered_with_a_text(shop):
    shop.token = "shpat_wrong"
    answer = shop.post(ONE)
    assert answer.status_code == 401
    assert answer.json()["errors"].startswith("[API] Invalid API key or access token")


def test_client_credentials_give_a_token_that_ends(shop):
    keys = shop.app._keys
    granted = httpx.post(f"{shop.url}/admin/oauth/access_token", data={
        "client_id": keys["client_id"], "client_secret": keys["client_secret"], "grant_type": "client_credentials"})
    assert granted.json()["expires_in"] == 86_399
    shop.token = granted.json()["access_token"]
    assert shop.post(ONE).status_code == 200
    shop.app._tokens[shop.token] = (shop.app.clock.now() - timedelta(seconds=1)).timestamp()
    assert shop.post(ONE).status_code == 401
    wrong = httpx.post(f"{shop.url}/admin/oauth/access_token", data={"grant_type": "client_credentials"})
    assert wrong.status_code == 400


def test_unknown_fields_are_named_with_their_path(shop):
    [error] = shop.post("{ orders(first: 1) { nodes { totalPriceSett { shopMoney { amount } } } } }").json()["errors"]
    assert error["message"] == "Field 'totalPriceSett' doesn't exist on type 'Order'"
    assert error["extensions"] == {"code": "undefinedField", "typeName": "Order", "fieldName": "totalPriceSett"}
    assert error["path"] == ["query", "orders", "nodes", "totalPriceSett"]


@pytest.mark.parametrize(("version", "status", "served"), [
    (VERSION, 200, VERSION), ("2024-01", 200, "2026-04"), ("unstable", 200, "2026-10"), ("2026-05", 404, None),
    ("latest", 404, None)])
def test_a_retired_version_falls_forward(shop, version, status, served):
    answer = shop.post(ONE, version)
    assert (answer.status_code, answer.headers.get("x-shopify-api-version")) == (status, served)


def test_a_connection_needs_first_and_no_more_than_250(shop):
    assert "first or last" in shop.post("{ orders { nodes { id } } }").text
    assert "first cannot exceed" in shop.post("{ products(first: 251) { nodes { id } } }").text


def test_a_cursor_belongs_to_its_order(shop):
    found = shop.data("{ orders(first: 1, sortKey: UPDATED_AT) { pageInfo { endCursor } } }")
    cursor = found["orders"]["pageInfo"]["endCursor"]
    text = f'{{ orders(first: 1, sortKey: CREATED_AT, after: "{cursor}") {{ nodes {{ id }} }} }}'
    assert "Invalid cursor" in shop.post(text).text


# --- cost


def test_every_answer_tells_its_cost_and_the_rest_is_given_back(shop):
    shop.account.restore = 0.001
    before = shop.post(ONE).json()["extensions"]["cost"]
    assert before["requestedQueryCost"] >= before["actualQueryCost"] > 0
    text = "{ orders(first: 10) { nodes { id lineItems(first: 50) { nodes { id } } } } }"
    told = shop.post(text).json()["extensions"]["cost"]
    assert told["requestedQueryCost"] == 10 * (1 + 50)
    spent = before["throttleStatus"]["currentlyAvailable"] - told["throttleStatus"]["currentlyAvailable"]
    assert abs(spent - told["actualQueryCost"]) <= 1 and told["actualQueryCost"] < 510


def test_a_query_over_a_thousand_points_is_refused_before_it_runs(shop):
    assert shop.codes("{ orders(first: 250) { nodes { id lineItems(first: 50) { nodes { id } } } } }") == [
        "MAX_COST_EXCEEDED"]


def test_an_empty_bucket_is_throttled_with_status_200(shop):
    shop.account.bucket = 5
    shop.app.bucket._held = 5
    answer = shop.post("{ orders(first: 50) { nodes { id } } }")
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == "THROTTLED"
    cost = answer.json()["extensions"]["cost"]
    assert cost["actualQueryCost"] is None and cost["requestedQueryCost"] == 50
    assert cost["throttleStatus"]["maximumAvailable"] == 5


# --- what is not told


def test_an_unknown_filter_is_no_error_and_filters_nothing(shop):
    answer = shop.post('{ orders(first: 1, query: "upd_at:>2030-01-01") { nodes { id } } }').json()
    assert len(answer["data"]["orders"]["nodes"]) == 1
    assert answer["extensions"]["search"][0]["warnings"][0]["field"] == "upd_at"


def test_without_the_scope_old_orders_are_just_absent(shop):
    count = "{ ordersCount(limit: null) { count } }"
    everything = shop.data(count)["ordersCount"]["count"]
    shop.account.scopes.discard("read_all_orders")
    assert 0 < shop.data(count)["ordersCount"]["count"] < everything / 4
    shop.account.scopes.add("read_all_orders")


def test_protected_data_is_null_with_an_error_beside_the_data(shop):
    shop.account.protected = False
    answer = shop.post("{ customers(first: 1) { nodes { id defaultEmailAddress { emailAddress } } } }").json()
    assert answer["data"]["customers"]["nodes"][0]["defaultEmailAddress"] is None
    assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert answer["errors"][0]["path"] == ["customers", "nodes", 0, "defaultEmailAddress"]


def test_counts_end_at_their_limit(shop):
    assert shop.data("{ ordersCount(limit: 10) { count precision } }")["ordersCount"] == {
        "count": 10, "precision": "AT_LEAST"}


# --- bulk operations


def test_a_bulk_operation_lives_and_its_file_is_read_in_parts_without_the_token(shop):
    shop.account.bulk_polls, shop.account.bulk_shuffled = 2, True
    found = shop.bulk()
    assert found["status"] == "COMPLETED"
    whole = httpx.get(found["url"]).content
    part = httpx.get(found["url"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{found['fileSize']}"
    assert httpx.get(found["url"], headers={"X-Shopify-Access-Token": shop.token}).status_code == 400
    lines = [json.loads(line) for line in whole.splitlines()]
    roots = {each["id"] for each in lines if "__parentId" not in each}
    assert len(lines) == int(found["objectCount"]) and len(roots) == int(found["rootObjectCount"])
    assert {each["__parentId"] for each in lines if "__parentId" in each} <= roots
    children_first = next(number for number, each in enumerate(lines) if "__parentId" in each)
    assert lines[children_first]["__parentId"] not in {each["id"] for each in lines[:children_first]}


def test_a_bulk_operation_gives_what_the_executor_of_the_library_gives(shop):
    query = ("{ orders(query: \"updated_at:>'2026-06-20T00:00:00Z'\") { edges { node { __typename id name test "
             "erp: metafield(namespace: \"erp\", key: \"order_id\") { value } customer { legacyResourceId } "
             "purchasingEntity { ... on PurchasingCompany { company { id } } } totalPriceSet { shopMoney { amount } } "
             "agreements { edges { node { __typename id reason sales { edges { node { __typename id lineType "
             "taxes { id amount { shopMoney { amount } } } ... on ProductSale { lineItem { id } } } } } } } } } } } }")
    context = shop.app._context(VERSION)
    context.is_bulk = True
    executed = execute_sync(schema_of(VERSION), parse(query), context_value=context, field_resolver=resolve)
    assert executed.errors is None
    assert len(executed.data["orders"]["edges"]) > 20
    assert shop.app._whole(query, VERSION) == executed.data


def test_nothing_found_is_no_file(shop):
    found = shop.bulk("{ orders(query: \"created_at:>'2030-01-01'\") { edges { node { id } } } }")
    assert (found["status"], found["url"], found["objectCount"]) == ("COMPLETED", None, "0")


def test_a_failed_operation_leaves_a_part(shop):
    shop.account.bulk_failing = 1
    found = shop.bulk()
    assert (found["status"], found["errorCode"], found["url"]) == ("FAILED", "INTERNAL_SERVER_ERROR", None)
    assert 0 < len(httpx.get(found["partialDataUrl"]).content.splitlines()) < 3_000


def test_an_operation_over_what_the_app_may_not_see_fails(shop):
    shop.account.protected = False
    found = shop.bulk("{ customers { edges { node { id defaultEmailAddress { emailAddress } } } } }")
    assert (found["status"], found["errorCode"]) == ("FAILED", "ACCESS_DENIED")


def test_an_operation_in_progress_is_told_with_its_name(shop):
    shop.account.bulk_busy = 1
    [error] = shop.data(START, q=BULK)["bulkOperationRunQuery"]["userErrors"]
    assert error["code"] == "OPERATION_IN_PROGRESS" and "gid://shopify/BulkOperation/" in error["message"]


def test_an_address_ends(shop):
    found = shop.bulk()
    shop.account.bulk_expired = 1
    assert "ExpiredToken" in httpx.get(found["url"]).text
    assert httpx.get(found["url"]).status_code == 403  # the old signature; a new one is told by a new look


# --- what the shop keeps


def test_the_ledger_of_an_order_sums_to_its_total(shop):
    query = ("{ orders(first: 3, sortKey: UPDATED_AT) { nodes { name "
             "currentTotalPriceSet { presentmentMoney { amount } } "
             "agreements(first: 3) { nodes { sales(first: 12) { nodes { totalAmount { presentmentMoney { amount } } "
             "totalTaxAmount { presentmentMoney { amount } } } } } } } } }")
    for each in shop.data(query)["orders"]["nodes"]:
        sales = [one for deal in each["agreements"]["nodes"] for one in deal["sales"]["nodes"]]
        told = sum(Decimal(one["totalAmount"]["presentmentMoney"]["amount"]) for one in sales)
        assert told == Decimal(each["currentTotalPriceSet"]["presentmentMoney"]["amount"]), each["name"]


def test_a_payout_is_what_is_in_it(shop):
    wanted = "payouts(first: 3) { nodes { legacyResourceId net { amount } } }"
    payouts = shop.data(f"{{ shopifyPaymentsAccount {{ {wanted} }} }}")
    for each in payouts["shopifyPaymentsAccount"]["payouts"]["nodes"]:
        found = shop.data(
            "{ shopifyPaymentsAccount { balanceTransactions(first: 250, query: \"payments_transfer_id:"
            f"{each['legacyResourceId']}\") {{ nodes {{ net {{ amount }} }} }} }} }}")
        movements = found["shopifyPaymentsAccount"]["balanceTransactions"]["nodes"]
        assert sum(Decimal(one["net"]["amount"]) for one in movements) == Decimal(each["net"]["amount"])


def test_the_store_holds_archived_and_cancelled_orders_without_being_asked(shop):
    """GraphQL has no open-only default."""
    found = shop.data('{ orders(first: 250, query: "name:#CANC-3") { nodes { cancelledAt test } } }')["orders"]["nodes"]
    assert [each["cancelledAt"] is not None for each in found] == [True]
