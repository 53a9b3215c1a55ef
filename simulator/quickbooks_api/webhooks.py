"""What QuickBooks sends when records change: signed over the raw body, with the events of all companies of an app.

Source: developer.intuit.com, "Webhooks": intuit-signature is the base64 of HMAC-SHA256 of the raw body with the app's
verifier token. The payload was `eventNotifications`, and becomes CloudEvents.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

Event = tuple[str, str, str, str]  # realm, entity, id, operation
_VERBS = {"Create": "created", "Update": "updated", "Delete": "deleted", "Merge": "merged", "Void": "voided",
          "Emailed": "emailed"}


def signature(verifier: str, body: bytes) -> str:
    """The header's value."""
    return base64.b64encode(hmac.new(verifier.encode(), body, hashlib.sha256).digest()).decode()


def notifications(events: Iterable[Event], at: str) -> dict[str, Any]:
    """The older payload: a company, and below it what changed there."""
    by_realm: dict[str, list[dict[str, str]]] = {}
    for realm, entity, name, operation in events:
        by_realm.setdefault(realm, []).append(
            {"name": entity, "id": name, "operation": operation, "lastUpdated": at})
    return {"eventNotifications": [
        {"realmId": realm, "dataChangeEvent": {"entities": entities}} for realm, entities in by_realm.items()]}


def cloud_events(events: Iterable[Event], at: str) -> list[dict[str, Any]]:
    """The newer payload: each event by itself."""
    return [
        {"specversion": "1.0", "id": str(uuid4()), "source": "intuit.halden=", "datacontenttype": "application/json",
         "type": f"qbo.{entity.lower()}.{_VERBS[operation]}.v1", "time": at, "intuitentityid": name,
         "intuitaccountid": realm, "data": {}}
        for realm, entity, name, operation in events]


def delivery(verifier: str, payload: Any) -> tuple[dict[str, str], bytes]:
    """(headers, body) of one delivery."""
    body = json.dumps(payload, separators=(",", ":")).encode()
    return {"content-type": "application/json", "intuit-signature": signature(verifier, body)}, body
