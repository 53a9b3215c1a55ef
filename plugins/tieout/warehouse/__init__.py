"""Warehouse: the way to Postgres, its roles, and its schema. Nothing here knows a vendor."""

from __future__ import annotations

from tieout.warehouse.bootstrap import bootstrap, ensure_database
from tieout.warehouse.connect import connect, present
from tieout.warehouse.migrate import migrate

# An advisory lock: builds of one warehouse wait for one another, and for whoever removes or rewrites what they read.
BUILD_LOCK = (7160, 3)

__all__ = ["BUILD_LOCK", "bootstrap", "connect", "ensure_database", "migrate", "present"]
