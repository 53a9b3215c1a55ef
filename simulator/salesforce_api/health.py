"""Health Cloud: the same platform over another organisation's objects."""

from __future__ import annotations

import secrets
from typing import ClassVar

from simulator.salesforce_api.app import SalesforceApi


class HealthCloudApi(SalesforceApi):
    """`SalesforceApi` of an organisation with the Health Cloud data model; persons are accounts in it."""

    system = "health_cloud"
    fields: ClassVar[dict[str, dict[str, str]]] = {
        "Account": {"erp_customer_id": "ERP_Customer_ID__c", "tax_id": "Tax_ID__c"},
        "Claim": {"selling_entity": "Selling_Entity__c"},
        "ClaimItem": {"quantity": "Quantity__c", "approved_amount": "Approved_Amount__c"},
        "ClinicalEncounter": {"erp_order_id": "ERP_Order_ID__c"},
    }
    secret_names = (*SalesforceApi.secret_names, "hash_key")

    @staticmethod
    def make_keys() -> dict[str, str]:
        """Those of the platform; and the key of the connector's hashes, which no server knows."""
        return {**SalesforceApi.make_keys(), "hash_key": secrets.token_hex(32)}
