"""A simulated unit whose ERP is QuickBooks, for tests: one legal entity, and a CRM beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from simulator.money import ENTITIES, Entity
from simulator.units import UNITS, Unit

US = Entity("US99", 1, "USD", "US", 800, "Halden Goods", "Halden Goods LLC", 100)
GB = Entity("GB99", 1, "GBP", "GB", 2000, "Halden Goods UK", "Halden Goods Limited", 100)


@contextmanager
def books(entity: Entity = US, crm: str = "salesforce") -> Iterator[Unit]:
    """A business unit `books` that is there as long as the context is."""
    unit = Unit("books", "Books", crm, "quickbooks", entity.code)
    with mock.patch.dict(UNITS, {unit.name: unit}), mock.patch.dict(ENTITIES, {entity.code: entity}):
        yield unit
