"""Pages of the Admin API: cost, errors in a 200, searches, versions, scopes, nested connections."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from tests.unit.extract_stub import NOW, Sleeps, Wire
from tests.unit.shopify_stub import (
    PATH,
    SHOP,
    agreement,
    answering,
    asked,
    bag,
    data,
    errors,
    line,
    opened,
    order,
    page,
    sale,
    shopify,
)
from tieout.errors import AuthError, ConfigError, RateLimitError, SchemaError, SourceError
from tieout.extract import Window
from tieout.extract.admin_graphql_select import Place, steps_of
from tieout.extract.http import Refused

SMALL = Window(datetime(2026, 2, 1, tzinfo=UTC), NOW)
COUNT = ("ordersCount", data({"ordersCount": {"count": 3, "precision": "EXACT"}}))
SCOPES = ("currentAppInstallation", data(SHOP))


def records(extractor, stream="orders", window=SMALL) -> list[dict]:
    chosen = next(each for each in extractor._connection.selected() if each.name == stream)
    return [each for found in extractor.pages(chosen, window) for each in msgspec.json.decode(found.body)]


def read(*rules, sleeps=None, connection=None, **more) -> list[dict]:
    wire = Wire().on("POST", PATH, answering(*rules), always=True)
    with opened(wire, connection, sleeps) as extractor:
        return records(extractor, **more)


def orders(*found, more="") -> tuple[str, httpx.Response]:
    return "orders(", data({"orders": page(list(found), more=more)})


def test_an_order_comes_with_its_lines_and_its_ledger():
    tax = {"id": "gid://shopify/SaleTax/5", "taxLine": {"title": "VAT", "rate": 0.19, "channelLiable": True},
           "amount": bag("1.9")}
    entry = sale(7, taxes=[tax], totalAmount=bag("-11.90", "-10.00"))
    found = read(SCOPES, COUNT, orders(order(4, lines=[line(1)], agreements=[agreement(3, page([entry]))])))
    assert [each["legacyResourceId"] for each in found] == ["4"]
    [sold] = found[0]["@sales"]
    assert (sold["^^.legacyResourceId"], sold["^.reason"], sold["lineItem.id.#"]) == ("4", "ORDER", "1")
    assert sold["totalAmount.shopMoney.amount"] == "-11.90"  # as it was sent: no digit is lost, no sign taken
    assert found[0]["@sale_taxes"][0] == {
        "id.#": "5", "^^^.legacyResourceId": "4", "^.id.#": "7", "taxLine.title": "VAT", "taxLine.rate": "0.19",
        "taxLine.channelLiable": True, "amount.shopMoney.amount": "1.9", "amount.presentmentMoney.amount": "1.9"}


def test_money_is_told_in_the_shops_currency_and_the_buyers():
    [found] = read(SCOPES, COUNT, orders(order(4)))
    assert found["totalPriceSet.shopMoney.amount"] == "119.0"
    assert found["totalPriceSet.presentmentMoney.amount"] == "100.00"


def test_whatever_may_be_null_is_null():
    """A guest's order; a line whose product and variant were deleted; a shop with one legal entity."""
    [found] = read(SCOPES, COUNT, orders(order(4, lines=[line(1)])))
    assert found["customer.legacyResourceId"] is None
    assert found["merchantBusinessEntity.id.#"] is None
    assert found["@line_items"][0]["variant.legacyResourceId"] is None


def test_quantity_and_current_quantity_are_two_things():
    [found] = read(SCOPES, COUNT, orders(order(4, lines=[line(1, quantity=5, currentQuantity=3)])))
    assert (found["@line_items"][0]["quantity"], found["@line_items"][0]["currentQuantity"]) == (5, 3)


def test_yen_have_no_decimals():
    [found] = read(SCOPES, COUNT, orders(order(4, totalPriceSet=bag("1000"))))
    assert found["totalPriceSet.shopMoney.amount"] == "1000"


def test_an_answer_that_lacks_what_was_asked_for_is_an_error_and_no_null():
    cut = order(4)
    del cut["processedAt"]
    with pytest.raises(SourceError, match=r"orders.processed_at: the answer lacks processedAt"):
        read(SCOPES, COUNT, orders(cut))


def test_the_window_is_half_open_and_its_stamps_are_quoted():
    wire = Wire().on("POST", PATH, answering(SCOPES, COUNT, orders(order(4))), always=True)
    with opened(wire) as extractor:
        records(extractor)
    told = asked(wire.requests[-1])
    assert "updated_at:>='2026-02-01T00:00:00Z' AND updated_at:<'2026-03-01T12:00:00Z'" in told
    assert "sortKey: UPDATED_AT" in told


def test_no_filter_leaves_out_archived_and_cancelled_orders():
    wire = Wire().on("POST", PATH, answering(SCOPES, COUNT, orders(order(4))), always=True)
    with opened(wire) as extractor:
        records(extractor)
    assert not any("status:" in asked(request) for request in wire.requests)


# --- throttling


def test_throttled_comes_as_200_and_waits_until_the_bucket_holds_the_cost():
    cost = {"cost": {"requestedQueryCost": 800, "actualQueryCost": None, "throttleStatus": {
        "maximumAvailable": 1000.0, "currentlyAvailable": 120, "restoreRate": 50.0}}}
    replies = iter([errors("THROTTLED", "Throttled", extensions=cost), data({"orders": page([order(4)])})])
    sleeps = Sleeps()
    probe = data({"orders": page([])})
    seen = iter([probe])
    found = read(SCOPES, COUNT, ("orders(", lambda _: next(seen, None) or next(replies)), sleeps=sleeps)
    assert len(found) == 1
    assert sleeps == [(800 - 120) / 50]


def test_a_bucket_that_never_fills_is_a_rate_limit():
    cost = {"cost": {"requestedQueryCost": 800, "throttleStatus": {"currentlyAvailable": 0, "restoreRate": 1.0}}}
    with pytest.raises(RateLimitError, match="Throttled"):
        read(SCOPES, ("orders(", errors("THROTTLED", "Throttled", extensions=cost)))


def test_an_error_of_the_vendor_in_a_200_is_tried_again():
    replies = iter([errors("INTERNAL_SERVER_ERROR", "Internal error. Request ID: 1"), data({"orders": page([])})])
    assert read(SCOPES, COUNT, ("orders(", lambda _: next(replies, data({"orders": page([order(1)])})))) != []


def test_a_page_that_costs_too_much_is_asked_for_smaller_and_stays_so():
    sizes = []

    def reply(query):
        first = int(query.split("orders(")[1].split("first: ")[1].split(",")[0].split(")")[0])
        nested = int(query.split("lineItems(first: ")[1].split(")")[0])
        sizes.append((first, nested))
        if first * nested > 30:
            return errors("MAX_COST_EXCEEDED", "Query cost is 4000, which exceeds the single query max cost limit")
        return data({"orders": page([order(first)], more="next" if len(sizes) < 7 and "next" not in query else "")})

    assert len(read(SCOPES, COUNT, ("orders(", reply))) == 2
    assert sizes == [(1, 1), (20, 10), (10, 10), (5, 10), (2, 10), (2, 10)]


# --- errors that come with data


def test_a_search_that_is_not_understood_is_an_error_not_a_full_scan():
    warned = data({"orders": page([order(4)])})
    body = json.loads(warned.content)
    body["extensions"]["search"] = [{"path": ["orders"], "query": "upd_at:>1", "warnings": [
        {"field": "upd_at", "message": "Invalid search field for this query."}]}]
    with pytest.raises(Refused, match="upd_at: Invalid search field"):
        read(SCOPES, COUNT, ("orders(", httpx.Response(200, json=body)))


def test_data_beside_an_error_is_not_taken():
    partial = errors("SOMETHING", "Half of it", held={"orders": page([order(4)])})
    with pytest.raises(Refused, match="Half of it"):
        read(SCOPES, COUNT, ("orders(", partial))


def test_a_field_that_the_app_may_not_see_is_left_out_where_it_is_optional_and_told():
    denied = errors("ACCESS_DENIED", "This app is not approved to access the Customer object",
                    path=["orders", "edges", 0, "node", "customer"], held={"orders": page([])},
                    requiredAccess="protected customer data")
    wire = Wire().on("POST", PATH, answering(
        SCOPES, COUNT, ("orders(", lambda q: denied if "customer {" in q else data({"orders": page([order(4)])}))),
        always=True)
    with opened(wire) as extractor:
        [found] = records(extractor)
        assert extractor.facts.notes["absent_fields"] == {"orders": ["customer_id"]}
    assert "customer.legacyResourceId" not in found


def test_a_needed_field_that_the_app_may_not_see_is_an_error_that_names_it():
    denied = errors("ACCESS_DENIED", "Access denied", path=["orders", "edges", 0, "node", "transactions"],
                    requiredAccess="`read_orders` scope")
    with pytest.raises(SchemaError, match=r"transactions\.kind(.|\n)*read_orders"):
        read(SCOPES, COUNT, ("orders(", denied))


def test_a_field_that_a_version_lacks_is_named():
    gone = errors("undefinedField", "Field 'poNumber' doesn't exist on type 'Order'",
                  path=["query", "orders", "edges", "node", "poNumber"])
    with pytest.raises(SchemaError, match=r"orders\.po_number"):
        read(SCOPES, COUNT, ("orders(", gone))


def test_a_refused_token_is_a_text_and_no_list():
    refused = httpx.Response(401, json={"errors": "[API] Invalid API key or access token (unrecognized login or …)"})
    with pytest.raises(AuthError, match="Invalid API key"):
        read(("", refused))


def test_client_credentials_are_exchanged_for_a_token_that_is_renewed_once_when_refused():
    granted = iter(["shpat_a", "shpat_b"])
    wire = Wire().on("POST", "/admin/oauth/access_token", lambda _: httpx.Response(
        200, json={"access_token": next(granted), "scope": "read_orders", "expires_in": 86399}), always=True)
    wire.on("POST", PATH, lambda request: data(SHOP) if request.headers["x-shopify-access-token"] == "shpat_b"
            else httpx.Response(401, json={"errors": "[API] Invalid API key or access token"}), always=True)
    with opened(wire, shopify("client_credentials")) as extractor:
        assert "Acme" in extractor.test()
        assert extractor.facts.token_refreshes == 1
    assert b"hush-hush" not in b"".join(request.content for request in wire.asked("POST", PATH))


@pytest.mark.parametrize(("status", "words"), [(402, "frozen"), (403, "scope"), (404, "api_version"), (423, "locked")])
def test_each_final_status_says_what_to_do(status, words):
    with pytest.raises(Refused) as refusal:
        read(("", httpx.Response(status, json={"errors": "No"})))
    assert words in (refusal.value.hint or "")


def test_a_version_that_falls_forward_is_told():
    later = httpx.Response(200, json={"data": SHOP}, headers={"x-shopify-api-version": "2026-10"})
    wire = Wire().on("POST", PATH, later, always=True)
    with opened(wire) as extractor:
        extractor.test()
        assert extractor.facts.notes["api_version_served"] == "2026-10"


# --- what is not there


def recent(opened_at="2020-01-01T00:00:00Z"):
    return "currentAppInstallation", data({"currentAppInstallation": {"accessScopes": [{"handle": "read_orders"}]},
                                           "shop": {**SHOP["shop"], "createdAt": opened_at}})


def test_without_read_all_orders_old_orders_are_just_absent_and_that_is_an_error():
    with pytest.raises(SourceError, match="60 days ago, and says nothing(.|\n)*read_all_orders"):
        read(recent(), COUNT, orders(order(4)))


def test_a_shop_that_is_younger_than_60_days_lacks_nothing():
    assert len(read(recent("2026-02-10T00:00:00Z"), COUNT, orders(order(4)))) == 1


def test_who_accepts_recent_orders_only_is_told_in_every_run():
    wire = Wire().on("POST", PATH, answering(recent(), COUNT, orders(order(4))), always=True)
    with opened(wire, shopify(orders="recent")) as extractor:
        assert len(records(extractor)) == 1
        assert extractor.facts.notes["orders_of_60_days_only"] is True


def test_a_shop_without_the_vendors_payments_has_no_payouts():
    wire = Wire().on("POST", PATH, answering(("shopifyPaymentsAccount", data({"shopifyPaymentsAccount": None}))),
                     always=True)
    with opened(wire) as extractor:
        payouts = next(each for each in extractor._connection.selected() if each.name == "payouts")
        assert extractor.available(payouts) is False


def test_what_a_payout_is_made_of_is_read_payout_by_payout():
    def movement(number):
        money = {"amount": "1.0", "currencyCode": "USD"}
        return {"__typename": "X", "id": f"gid://shopify/X/{number}", "associatedPayout": {"id": "gid://shopify/P/9"},
                "type": "CHARGE", "test": False, "transactionDate": "2026-02-01T00:00:00Z", "amount": money,
                "fee": money, "net": money, "sourceType": None, "sourceOrderTransactionId": None,
                "associatedOrder": None, "adjustmentReason": None}

    wire = Wire().on("POST", PATH, answering(("payments_transfer_id:9", data({"shopifyPaymentsAccount": {
        "balanceTransactions": page([movement(1), movement(2)])}})), ("balanceTransactions", data({
            "shopifyPaymentsAccount": {"balanceTransactions": page([])}}))), always=True)
    with opened(wire) as extractor:
        stream = next(each for each in extractor._connection.selected() if each.name == "balance_transactions")
        assert extractor.by_document(stream)
        found = list(extractor.pages(stream, SMALL, iter(["9", "8"])))
    assert [(each.parents, len(msgspec.json.decode(each.body))) for each in found] == [(("9",), 2), (("8",), 0)]


# --- nested connections


def test_lines_behind_the_first_page_are_read_too():
    first = order(4, lines=page([line(1)], more="l1"))
    rest = data({"node": {"lineItems": page([line(2), line(3)])}})
    [found] = read(SCOPES, COUNT, ("node(id:", rest), orders(first))
    assert [each["id.#"] for each in found["@line_items"]] == ["1", "2", "3"]


def test_entries_of_a_ledger_behind_the_first_page_are_read_by_the_place_of_their_agreement():
    """A sales agreement has no address of its own: it is the one after the one before it."""
    told = []

    def rest(query):
        told.append(query)
        return data({"node": {"agreements": page([agreement(2, page([sale(22)]))])}})

    first = order(4, agreements=[agreement(1, page([sale(11)])), agreement(2, page([sale(21)], more="s1"))])
    [found] = read(SCOPES, COUNT, ("node(id:", rest), orders(first))
    assert [each["id.#"] for each in found["@sales"]] == ["11", "21", "22"]
    assert 'agreements(first: 1, after: "c0")' in told[0] and 'after: "s1"' in told[0]


def test_an_agreement_that_is_no_longer_at_its_place_is_an_error():
    first = order(4, agreements=[agreement(1, page([sale(11)], more="s1"))])
    moved = data({"node": {"agreements": page([agreement(9, page([sale(22)]))])}})
    with pytest.raises(SourceError, match="changed while it was read"):
        read(SCOPES, COUNT, ("node(id:", moved), orders(first))


def test_a_cursor_that_turns_in_a_circle_ends():
    with pytest.raises(SourceError, match="same place"):
        read(SCOPES, COUNT, orders(order(4), more="again"))


# --- configuration


@pytest.mark.parametrize("shop", ["acme.myshopify.com", "https://acme", "a/b", "evil.example/", ""])
def test_a_shop_is_a_name_and_no_address(shop):
    with pytest.raises((ConfigError, ValueError)):
        opened(Wire(), shopify(shop=shop))


def test_how_to_read_is_one_of_three_words():
    with pytest.raises(ConfigError, match="auto, always or never"):
        opened(Wire(), shopify(bulk="sometimes"))


def test_another_path_is_told_in_the_connection():
    """Where a shop keeps the ERP's number is its own affair; paths have aliases and arguments."""
    told = steps_of("x: metafield(namespace: 'a.b', key: 'c').value")
    assert [(each.head, each.given, each.many) for each in told] == [
        ("x: metafield", 'namespace: "a.b", key: "c"', False), ("value", "", False)]
    with pytest.raises(ValueError, match="no path"):
        steps_of("a..b")


def test_places_are_told_by_signs():
    up = Place.of("^^.id.#")
    assert (up.up, [step.name for step in up.steps], up.number) == (2, ["id"], True)
    assert (Place.of("#").steps, Place.of("#").number) == ((), True)
