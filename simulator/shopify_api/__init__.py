"""Shopify's Admin API, stood in for: its own schema, executed over a shop's records, with the vendor's habits."""

from simulator.shopify_api.account import ShopAccount
from simulator.shopify_api.app import ShopifyApi

__all__ = ["ShopAccount", "ShopifyApi"]
