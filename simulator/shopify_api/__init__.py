"""Shopify stand-in."""
