"""What the group sells: the same products in both systems, `ProductCode` = `itemid`."""

from __future__ import annotations

import random
from dataclasses import dataclass

from simulator.ids import salesforce_id

_LINES = {
    "Hardware": (
        "InvtPart",
        (
            "Sensor",
            "Controller",
            "Gateway",
            "Meter",
            "Valve",
            "Panel",
            "Drive",
            "Scanner",
            "Terminal",
            "Relay",
            "Probe",
            "Pump",
            "Display",
            "Battery",
            "Antenna",
            "Printer",
        ),
    ),
    "Software": (
        "NonInvtPart",
        ("Licence", "Subscription", "Add-on", "Seat pack", "Analytics", "Storage plan", "API plan", "Archive"),
    ),
    "Services": (
        "Service",
        ("Installation", "Training", "Support", "Audit", "Calibration", "Migration", "Consulting day", "Maintenance"),
    ),
}
_GRADES = (("S", 1), ("M", 2))


@dataclass(frozen=True)
class Product:
    """`cents` is the list price in US cents; `number` NetSuite's item id; `id` Salesforce's."""

    index: int
    id: str
    number: int
    code: str
    name: str
    family: str
    item_type: str
    cents: int


def catalog(seed: int) -> tuple[Product, ...]:
    """64 products of this seed."""
    draw = random.Random(f"{seed}/catalog")
    found: list[Product] = []
    numbers = draw.sample(range(20, 900), 64)
    for family, (item_type, words) in _LINES.items():
        for word in words:
            for grade, factor in _GRADES:
                index = len(found)
                cents = draw.randint(40, 900) * 100 * factor + draw.choice((0, 0, 50, 95, 99))
                code = f"{family[:2].upper()}-{word[:3].upper()}{index:02d}-{grade}"
                found.append(
                    Product(
                        index,
                        salesforce_id("01t", numbers[index] * 7_919),
                        numbers[index],
                        code,
                        f"{word} {grade}",
                        family,
                        item_type,
                        cents,
                    )
                )
    return tuple(found)
