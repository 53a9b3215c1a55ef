"""Warehouse: the way to Postgres, its roles, and its schema. Nothing here knows a vendor."""

from __future__ import annotations

from tieout.warehouse.bootstrap import bootstrap, ensure_database
from tieout.warehouse.connect import connect, present
from tieout.warehouse.migrate import migrate

__all__ = ["bootstrap", "connect", "ensure_database", "migrate", "present"]
