"""The entity sets that are served: properties with their Edm types, keys, and what leads from one to another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from simulator.schema import Field, Table, names_in

_FIELDS = Path(__file__).parent.parent / "sap_fields.json"
_KINDS = {"S": "text", "Dec": "amount", "Date": "date", "DTO": "stamp", "Bool": "boolean", "Time": "text",
          "Guid": "text", "Double": "rate"}
_EDM = {"S": "Edm.String", "Dec": "Edm.Decimal", "Date": "Edm.DateTime", "DTO": "Edm.DateTimeOffset",
        "Bool": "Edm.Boolean", "Time": "Edm.Time", "Guid": "Edm.Guid", "Double": "Edm.Double"}
# Document numbers and master data are CHAR 10 filled with zeros inside, and shown without them (conversion exit ALPHA).
_ALPHA = frozenset(names_in("""
    BusinessPartner Customer Supplier SoldToParty ShipToParty PayerParty SalesOrder SalesDocument DeliveryDocument
    BillingDocument CancelledBillingDocument ReferenceSDDocument OriginSDDocument AccountingDocument
    ClearingAccountingDocument InvoiceReference ReverseDocument GLAccount OperationalGLAccount CustomerCorporateGroup
    AddressID
"""))
_ALPHA_ITEMS = frozenset(names_in("""
    SalesOrderItem SalesDocumentItem DeliveryDocumentItem BillingDocumentItem ReferenceSDDocumentItem
    OriginSDDocumentItem
"""))
_SHOWN_AS_KEPT = frozenset({"A_OperationalAcctgDocItemCube"})  # this view has no conversion exit on its item numbers
# (set, navigation) → (set it leads to, the property there that holds the key here)
NAVIGATIONS = {
    ("A_SalesOrder", "to_Item"): ("A_SalesOrderItem", "SalesOrder"),
    ("A_BillingDocument", "to_Item"): ("A_BillingDocumentItem", "BillingDocument"),
    ("A_OutbDeliveryHeader", "to_DeliveryDocumentItem"): ("A_OutbDeliveryItem", "DeliveryDocument"),
    ("A_BusinessPartner", "to_BusinessPartnerAddress"): ("A_BusinessPartnerAddress", "BusinessPartner"),
    ("A_Product", "to_Description"): ("A_ProductDescription", "Product"),
}


@dataclass(frozen=True)
class Property:
    """edm: its type. size: letters of a text. scale: decimals that the wire always shows; None: the currency's."""

    name: str
    edm: str
    kind: str
    size: int | None = None
    precision: int | None = None
    scale: int | None = None
    alpha: int = 0


@dataclass(frozen=True)
class EntitySet:
    """A set of a service; its table in `sim.db` is `sap__<name>`."""

    service: str
    name: str
    key: tuple[str, ...]
    properties: dict[str, Property]

    @property
    def type_name(self) -> str:
        return f"{self.service.partition(';')[0]}.{self.name}Type"

    @property
    def table(self) -> str:
        return f"sap__{self.name}"

    @property
    def navigations(self) -> dict[str, tuple[str, str]]:
        """Navigation property → (set, its property that holds our key)."""
        return {nav: target for (name, nav), target in NAVIGATIONS.items() if name == self.name}


@cache
def services() -> dict[str, dict[str, EntitySet]]:
    """Service → set's name → set."""
    found: dict[str, dict[str, EntitySet]] = {}
    for service, sets in json.loads(_FIELDS.read_text(encoding="utf-8")).items():
        for name, told in sets.items():
            words = " ".join(told["fields"]).split()
            properties = [_property(name, *word.split(":")) for word in words]
            found.setdefault(service, {})[name] = EntitySet(
                service, name, tuple(told["key"]), {each.name: each for each in properties})
    return found


def entity_set(name: str) -> EntitySet:
    """The set of that name, whatever its service."""
    return next(sets[name] for sets in services().values() if name in sets)


@cache
def tables() -> dict[str, Table]:
    """The tables of `sim.db` by the set's name, keyed and typed; document numbers in their inner form, with zeros."""
    indexes = {target: (by,) for target, by in NAVIGATIONS.values()}
    return {
        each.name: Table(
            "sap", each.name, each.key, tuple(Field(p.name, p.kind) for p in each.properties.values()),
            (indexes[each.name],) if each.name in indexes and indexes[each.name][0] != each.key[0] else ())
        for sets in services().values() for each in sets.values()
    }


def inner(text: str | None, length: int) -> str | None:
    """ALPHA's inner form: digits are filled with zeros to the field's length, all else is left as it is."""
    return text.zfill(length) if text and text.isdigit() else text


def outer(text: str) -> str:
    """ALPHA's outer form: digits without their leading zeros."""
    return text.lstrip("0") or "0" if text.isdigit() else text


def _property(owner: str, name: str, word: str) -> Property:
    base, _, numbers = word.rstrip(")").partition("(")
    letters = base.rstrip("0123456789")
    size = int(base[len(letters):]) if letters == "S" else None
    precision, scale = (int(one) for one in numbers.split(",")) if numbers else (None, None)
    alpha = 0
    if name in _ALPHA:
        alpha = 10
    elif name in _ALPHA_ITEMS:
        alpha = 6 if owner not in _SHOWN_AS_KEPT else 0
    return Property(name, _EDM[letters], _KINDS[letters], size, precision,
                    scale if owner in _SHOWN_AS_KEPT or "Quantity" in name or "Qty" in name else None, alpha)
