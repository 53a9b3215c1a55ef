"""SAP S/4HANA's OData V2 services, stood in for: strict where SAP is, with its habits, over a company's `sim.db`."""

from simulator.sap_api.app import SapApi
from simulator.sap_api.system import SapSystem

__all__ = ["SapApi", "SapSystem"]
