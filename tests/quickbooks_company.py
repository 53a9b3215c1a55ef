"""A simulated unit whose ERP is QuickBooks, for tests: one legal entity, and a CRM beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from simulator.money import ENTITIES, Entity
from simulator.units import UNITS, Unit

US = Entity("US99", 1, "USD", "US", 800, "Halden Goods", "Halden Goods LLC", 100)
GB = Entity("GB99", 1, "GBP", "GB", 2000, "Halden Goods UK", "Halden Goods Limited", 100)


@contextmanager
def books(entity: Entity = US, crm: str = "salesforce") -> Iterator[Unit]:
    """A business unit `books` that is there as long as the context is."""
    unit = Unit("books", "Books", crm, "quickbooks", entity.code)
    UNITS[unit.name], ENTITIES[entity.code] = unit, entity
    try:
        yield unit
    finally:
        del UNITS[unit.name], ENTITIES[entity.code]
