"""The names by which finance and operations knows a legal entity and its books."""

from __future__ import annotations

from simulator.money import Entity

RECORDS = 5_637_144_576  # the first RecId of a table
CHART = "Shared"
RATE_TYPE = "Default"


def company(entity: Entity) -> str:
    """LegalEntityId: at most four letters. In rows it is written in lower case (dataAreaId)."""
    return f"{entity.country}TC"


def area(entity: Entity) -> str:
    """dataAreaId."""
    return company(entity).lower()


def ledger(entity: Entity) -> int:
    """RecId of the company's ledger."""
    return RECORDS + 900 + entity.number
