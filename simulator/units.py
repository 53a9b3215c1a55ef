"""The group's business units: each has a CRM and an ERP of its own, its legal entities, and a folder of its own.

A unit's connections are called `<system>_<unit>`. A company of a seed is another one in every unit, so that the units'
customers, numbers and ids are unrelated, and may collide as those of unrelated systems do.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

from simulator.money import ENTITIES, Entity


@dataclass(frozen=True)
class Unit:
    """`crm` and `erp` name systems (see `systems`); `entities` are the legal entities whose code ends so."""

    name: str
    title: str
    crm: str
    erp: str
    ends: str

    @cached_property
    def entities(self) -> dict[str, Entity]:
        """{code: legal entity}, the first one is the parent."""
        return {code: entity for code, entity in ENTITIES.items() if code.endswith(self.ends)}

    @property
    def systems(self) -> tuple[str, str]:
        """The CRM and the ERP."""
        return self.crm, self.erp

    def connection(self, system: str) -> str:
        """The connection's name in tieout.yml."""
        return f"{system}_{self.name}"

    def seed(self, seed: int) -> int:
        """What this unit's company is drawn from."""
        return seed if self.name == FIRST else zlib.crc32(f"{seed}/{self.name}".encode())


FIRST = "global"
UNITS = {
    unit.name: unit
    for unit in (
        Unit(FIRST, "Global sales", "salesforce", "netsuite", "01"),
        Unit("manufacturing", "Manufacturing", "salesforce", "sap", "10"),
        Unit("retail", "Retail", "generic", "oracle", "20"),
        Unit("technology", "Technology", "dynamics_sales", "dynamics_finance", "30"),
        Unit("healthcare", "Health care", "health_cloud", "sap", "40"),
        Unit("ecommerce", "E-commerce", "shopify", "netsuite", "50"),
        Unit("web_shop", "Web shop", "shopify", "quickbooks", "60"),
    )
}


def unit(name: str) -> Unit:
    """The unit of that name. ValueError names the known ones."""
    if name not in UNITS:
        raise ValueError(f"there is no business unit {name!r}: one of {', '.join(UNITS)}")
    return UNITS[name]
