"""The numbers by which SAP knows a legal entity: company code, sales organisation, plant."""

from __future__ import annotations

from simulator.money import Entity


def company_code(entity: Entity) -> str:
    """BUKRS of a legal entity."""
    return f"{entity.number}010"


def sales_organisation(entity: Entity) -> str:
    """VKORG: another number than its company code's, as anywhere."""
    return f"{entity.number}011"


def plant(entity: Entity) -> str:
    """WERKS."""
    return f"{entity.number}P10"
