"""What a shop is and what its app may do, and how its API behaves."""

from __future__ import annotations

from dataclasses import dataclass, field

SCOPES = ("read_orders", "read_all_orders", "read_customers", "read_products", "read_inventory",
          "read_shopify_payments_payouts", "read_merchant_managed_fulfillment_orders")


@dataclass
class ShopAccount:
    """Fields may be changed while a server runs; counts are of requests or polls, so that a run is repeatable.

    scopes: without read_all_orders, orders of more than 60 days ago are not there. protected: the app may read
    protected customer data; else the fields are null, with an error beside the data. payments: the shop uses the
    vendor's own. oldest: the oldest version that is still served; an older one is answered as that one. bucket,
    restore: points of cost, and how many come back a second. most: points that one query may ask for. throttled_every:
    each n-th query is answered THROTTLED, with status 200. unavailable_every: each n-th call is answered 503.
    failing_every: each n-th query is answered INTERNAL_SERVER_ERROR, with status 200 (0: never). rows: of a connection
    at most. bulk_polls: polls that find an operation RUNNING. bulk_busy: starts that find another operation in
    progress. bulk_failing: operations that fail and leave a part of their data. bulk_expired: downloads that find their
    address ended. bulk_shuffled: lines in any order. bulk_host: where results lie. token_seconds: life of a token.
    """

    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    protected: bool = True
    payments: bool = True
    oldest: str = "2026-04"
    bucket: float = 20_000
    restore: float = 1_000
    most: float = 1_000
    throttled_every: int = 23
    unavailable_every: int = 41
    failing_every: int = 37
    rows: int = 250
    bulk_polls: int = 2
    bulk_busy: int = 1
    bulk_failing: int = 0
    bulk_expired: int = 1
    bulk_shuffled: bool = True
    bulk_host: str = ""
    token_seconds: int = 86_399

    @classmethod
    def calm(cls) -> ShopAccount:
        """A shop on its best day."""
        return cls(throttled_every=0, unavailable_every=0, failing_every=0, bulk_polls=0, bulk_busy=0, bulk_expired=0,
                   bulk_shuffled=False)
