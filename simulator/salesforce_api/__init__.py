"""A stand-in for Salesforce's REST, Bulk 2.0 and OAuth endpoints, written from the vendor's documentation.

It answers from `sim.db` and is strict where Salesforce is: a real SOQL parser, fields that permissions hide, sessions
that end, cursors that expire. Writes are refused.
"""

from simulator.salesforce_api.app import SalesforceApi
from simulator.salesforce_api.health import HealthCloudApi

__all__ = ["HealthCloudApi", "SalesforceApi"]
