"""The simulator's customers as rows of the contract `customers`, without a vendor in between."""

from __future__ import annotations

from typing import Any

from simulator.customers import COUNTS, Customers
from simulator.units import FIRST, UNITS


def company(
    seed: int, size: str, level: int, count: int | None = None
) -> tuple[list[dict[str, Any]], dict[str, str], set]:
    """(rows, units, true pairs). `count`: so many customers of the ERP instead of the size's."""
    if count is not None:
        COUNTS[size] = count
    unit = UNITS[FIRST]
    made = Customers(seed, size, level, unit, lambda n: f"001{n:012d}AAA", lambda n: n + 100)
    rows = []
    for party in made.parties:
        for role, connection, found in (("crm", unit.crm, party.crm), ("erp", unit.erp, party.erp)):
            for record in found:
                at = record.address
                rows.append(
                    {
                        "connection": connection,
                        "customer_id": str(record.id),
                        "role": role,
                        "name": record.name,
                        "tax_id": record.tax_id,
                        "domain": record.domain,
                        "street": at["street"],
                        "city": at["city"],
                        "postal_code": at["zip"],
                        "country_code": at["country"],
                        "external_customer_id": record.external,
                        "is_person": False,
                    }
                )
    truth = {((a, b), (c, d)) for a, b, c, d in made.pairs()}
    return rows, {unit.crm: "global", unit.erp: "global"}, truth
