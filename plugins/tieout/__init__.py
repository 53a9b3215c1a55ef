"""Tieout: land, tie out, gate and publish a company's CRM and ERP revenue data."""

__version__ = "0.1.0"
