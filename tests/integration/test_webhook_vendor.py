"""Events that a vendor signs in its own way: Shopify's, over the raw body, with an id that comes twice."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from simulator.shopify_api import webhooks
from tests.conftest import clear_settings, demo_company
from tieout import webhook
from tieout.warehouse import connect, migrate

KEY = "shpss_" + "k" * 32
AT = "2026-03-01T12:00:00Z"
ORDER = {"id": 450789469, "total_price": "10.00", "name": "#1001", "note": "ä"}
SHOP = {"system": "shopify", "auth": "access_token", "time_zone": "UTC", "legal_entity": "US01", "webhook": True,
        "options": {"shop": "halden"}}


@pytest.fixture
def told(warehouse, tmp_path, monkeypatch):
    """What Airflow was told, and the receiver's client."""
    company = demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})
    company["connections"]["shop"] = SHOP
    (tmp_path / "tieout.yml").write_text(json.dumps(company), encoding="utf-8")
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    monkeypatch.setenv("TIEOUT_SECRET_SHOP__WEBHOOK_SECRET", KEY)
    clear_settings()
    migrate(demo_company())
    heard: list[str] = []
    receiver = webhook.Receiver(lambda name: heard.append(name) or "a landing begins")
    yield heard, TestClient(webhook.application(receiver))
    monkeypatch.undo()
    clear_settings()


def send(client, topic="orders/updated", *, key=KEY, name="", order=ORDER, **headers):
    sent, body = webhooks.event(key, topic, order, at=AT, name=name)
    return client.post("/events/shop", content=body, headers={**sent, **headers})


def test_the_signature_is_that_of_the_vendors_page():
    """A vector that was computed elsewhere."""
    body = b'{"id":1,"total_price":"10.00"}'
    assert webhook.vendor_signature("hush", body) == "3ExhP4awn0YdYCYBfHaJzuf4Scd3dWGj2Va0su1GZEc="
    assert webhooks.signature("hush", body) == webhook.vendor_signature("hush", body)


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "orders/delete", "refunds/create"])
def test_a_changed_order_and_a_refund_begin_a_landing(told, topic):
    heard, client = told
    assert (send(client, topic).status_code, heard) == (202, ["shop"])


def test_an_event_that_comes_again_is_accepted_and_begins_nothing(told):
    """A refusal would count as a failure, and the vendor drops a subscription after eight."""
    heard, client = told
    answers = [send(client, name="b54557e4-bdd9-4b37-8a5f-bf7d70bcd043") for _ in range(3)]
    assert [each.status_code for each in answers] == [202, 202, 202]
    assert "before" in answers[1].text and heard == ["shop"]


def test_an_id_is_remembered_for_longer_than_the_vendor_repeats_an_event(told):
    heard, client = told
    send(client, name="first")
    with connect("owner") as db:
        db.execute("update ops.webhook_nonce set received_at = received_at - interval '5 hours'")
    send(client, name="other")
    send(client, name="first")
    assert heard == ["shop", "shop"]


@pytest.mark.parametrize("change", [
    {"key": "another" * 8}, {"x-shopify-hmac-sha256": ""},
    {"x-shopify-hmac-sha256": "3ExhP4awn0YdYCYBfHaJzuf4Scd3dWGj2Va0su1GZEc="},
    {"x-shopify-shop-domain": "other.myshopify.com"},
])  # fmt: skip
def test_what_this_shop_did_not_sign_is_refused(told, change):
    heard, client = told
    assert (send(client, **change).status_code, heard) == (401, [])


def test_the_raw_body_is_what_was_signed(told):
    """Another spelling of the same JSON is another body."""
    heard, client = told
    sent, body = webhooks.event(KEY, "orders/updated", ORDER, at=AT)
    assert client.post("/events/shop", content=body.replace(b",", b", "), headers=sent).status_code == 401
    assert heard == []


def test_an_event_without_its_id_is_refused(told):
    heard, client = told
    assert (send(client, **{"x-shopify-webhook-id": ""}).status_code, heard) == (400, [])


@pytest.mark.parametrize("topic", ["customers/redact", "shop/redact", "app/uninstalled"])
def test_other_topics_are_taken_and_begin_no_landing(told, topic):
    heard, client = told
    assert (send(client, topic).status_code, heard) == (202, [])


def test_an_order_of_a_thousand_lines_is_no_flood(told):
    heard, client = told
    large = {**ORDER, "line_items": [{"id": number, "name": "x" * 400} for number in range(1_000)]}
    assert (send(client, order=large).status_code, heard) == (202, ["shop"])


def test_while_airflow_is_away_the_event_may_come_again(told):
    heard, _ = told

    def away(_name):
        raise webhook.Rejected(503, "away")

    client = TestClient(webhook.application(webhook.Receiver(away)))
    assert send(client, name="again").status_code == 503
    back = TestClient(webhook.application(webhook.Receiver(lambda name: heard.append(name) or "a landing begins")))
    assert (send(back, name="again").status_code, heard) == (202, ["shop"])
