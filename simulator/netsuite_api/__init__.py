"""A stand-in for NetSuite's SuiteQL and token endpoints, written from the vendor's documentation.

It answers from `sim.db` and is strict where NetSuite is: signed requests with fresh nonces, the Prefer header, offsets
in multiples of the limit, a cap on results, columns that depend on features, no LIMIT clause. Writes are refused.
"""

from simulator.netsuite_api.app import NetSuiteApi

__all__ = ["NetSuiteApi"]
