"""A company whose CRM is a shop and whose ERP is NetSuite: a business unit that only tests know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from simulator.units import UNITS, Unit

NAME = "shop"


@contextmanager
def shop_unit() -> Iterator[Unit]:
    """The unit is known while the context is open."""
    UNITS[NAME] = Unit(NAME, "Web shop", "shopify", "netsuite", "01")
    try:
        yield UNITS[NAME]
    finally:
        del UNITS[NAME]
