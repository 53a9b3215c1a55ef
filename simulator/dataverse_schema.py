"""Tables of Dataverse: logical names, set names, columns with their types, choices with their labels; `$metadata`.

A lookup `x` is the column `_x_value`; a lookup to accounts and contacts keeps beside it which of the two it is, in a
column that nobody can ask for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.sax.saxutils import quoteattr

from simulator.odata_v4 import Property
from simulator.schema import Field, Table

_FIELDS = Path(__file__).with_name("dataverse_fields.json")
_EDM = {"entityId": "Edm.Guid", "guid": "Edm.Guid", "lookup": "Edm.Guid", "customer": "Edm.Guid",
        "listLookup": "Edm.Int32", "listLookupCorrelated": "Edm.Int32", "integer": "Edm.Int32",
        "bigInteger": "Edm.Int64", "currency": "Edm.Decimal", "baseCurrency": "Edm.Decimal", "decimal": "Edm.Decimal",
        "boolean": "Edm.Boolean", "dateTime": "Edm.DateTimeOffset", "midnight": "Edm.DateTimeOffset",
        "date": "Edm.Date"}
_KINDS = {"Edm.Guid": "text", "Edm.Int32": "integer", "Edm.Int64": "integer", "Edm.Decimal": "amount",
          "Edm.Boolean": "boolean", "Edm.DateTimeOffset": "stamp", "Edm.Date": "date", "Edm.String": "text"}
TOMBSTONES = "tombstone"
HIDDEN = "customer_kind"  # beside _customerid_value


@dataclass(frozen=True)
class Entity:
    """A table. `words`: {column: the word of its type}; `targets`: {lookup: table it leads to}."""

    name: str
    set: str
    properties: dict[str, Property]
    words: dict[str, str]
    targets: dict[str, str]
    labels: dict[str, dict[str, str]]

    @property
    def key(self) -> str:
        return f"{self.name}id"

    @property
    def table(self) -> str:
        return f"dynamics_sales__{self.name}"


@cache
def entities() -> dict[str, Entity]:
    """Logical name → table."""
    found = {}
    for name, told in json.loads(_FIELDS.read_text(encoding="utf-8")).items():
        properties, words, targets = {}, {}, {}
        for text in told["fields"].split():
            column, word, *target = text.split(":")
            edm = _EDM.get(word, "Edm.String")
            kind = "date" if word == "midnight" else "rate" if word == "decimal" else _KINDS[edm]
            properties[column] = Property(column, edm, kind)
            words[column] = word
            targets |= {column: target[0]} if target else {}
        found[name] = Entity(name, told["set"], properties, words, targets, told["options"])
    return found


@cache
def sets() -> dict[str, Entity]:
    """Set name → table."""
    return {entity.set: entity for entity in entities().values()}


@cache
def tables() -> tuple[Table, ...]:
    """The tables of `sim.db`; and what was deleted, which only change tracking tells."""
    made = []
    for entity in entities().values():
        fields = tuple(Field(each.name, each.kind) for each in entity.properties.values())
        hidden = (Field(HIDDEN, "text"),) if "_customerid_value" in entity.properties else ()
        indexes = (("versionnumber",),) if "versionnumber" in entity.properties else ()
        made.append(Table("dynamics_sales", entity.name, (entity.key,), fields + hidden, indexes))
    columns = (Field("entity", "text"), Field("id", "text"), Field("versionnumber", "integer"))
    return (*made, Table("dynamics_sales", TOMBSTONES, ("entity", "id"), columns))


@cache
def columns() -> dict[str, tuple[str, ...]]:
    """Table → the columns that rendered rows have; all others are never filled."""
    told = json.loads(_FIELDS.read_text(encoding="utf-8"))
    found = {f"dynamics_sales__{name}": tuple(each["told"].split() or [f"{name}id"]) for name, each in told.items()}
    return {**found, f"dynamics_sales__{TOMBSTONES}": ("entity", "id", "versionnumber")}


def metadata(hidden: set[str]) -> str:
    """The CSDL document."""
    types, offered = [], []
    for entity in entities().values():
        if entity.set in hidden:
            continue
        columns = "".join(
            f"<Property Name={quoteattr(each.name)} Type={quoteattr(each.edm)}"
            f'{" Scale=" + quoteattr("Variable") if each.edm == "Edm.Decimal" else ""}/>'
            for each in entity.properties.values() if f"{entity.set}.{each.name}" not in hidden)
        types.append(
            f'<EntityType Name="{entity.name}" BaseType="mscrm.crmbaseentity"><Key><PropertyRef Name="{entity.key}"/>'
            f"</Key>{columns}</EntityType>")
        offered.append(f'<EntitySet Name="{entity.set}" EntityType="Microsoft.Dynamics.CRM.{entity.name}"/>')
    return (
        '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/'
        'edmx"><edmx:DataServices><Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" '
        'xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityType Name="crmbaseentity" Abstract="true"/>'
        f'{"".join(types)}<EntityContainer Name="System">{"".join(offered)}</EntityContainer></Schema>'
        "</edmx:DataServices></edmx:Edmx>")
