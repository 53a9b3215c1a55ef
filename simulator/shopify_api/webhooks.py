"""What the shop sends when an order changes: signed over the raw body, sometimes twice, in any order.

Source: shopify.dev, "Webhooks": X-Shopify-Hmac-Sha256 is the base64 of HMAC-SHA256 of the raw body with the app's
secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from uuid import uuid4

from simulator.shopify_api.app import SHOP


def signature(secret: str, body: bytes) -> str:
    """The header's value."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def event(
    secret: str, topic: str, order: dict[str, object], *, at: str, name: str = ""
) -> tuple[dict[str, str], bytes]:
    """(headers, body) of one delivery. `name`: the webhook's id, which a repetition has again."""
    body = json.dumps(order, separators=(",", ":")).encode()
    headers = {
        "content-type": "application/json", "x-shopify-topic": topic, "x-shopify-hmac-sha256": signature(secret, body),
        "x-shopify-shop-domain": f"{SHOP}.myshopify.com", "x-shopify-api-version": "2026-07",
        "x-shopify-webhook-id": name or str(uuid4()), "x-shopify-event-id": str(uuid4()),
        "x-shopify-triggered-at": at}
    return headers, body
