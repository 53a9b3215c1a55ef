"""A stand-in for QuickBooks Online: OAuth 2 with rotating refresh tokens, query, change data capture, batch, reports.

Written from Intuit's guides and schema, strict where the vendor is. Read only.
"""

from simulator.quickbooks_api.app import QuickBooksApi

__all__ = ["QuickBooksApi"]
