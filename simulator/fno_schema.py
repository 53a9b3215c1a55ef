"""Entity sets of finance and operations: names, keys, types, enums; `$metadata`.

The wire knows no null: a text is empty, a number 0, a date 1900-01-01, an enum its first word. A day is its noon.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.sax.saxutils import quoteattr

from simulator.odata_v4 import Property
from simulator.schema import Field, Table

_FIELDS = Path(__file__).with_name("fno_fields.json")
_EDM = {"S": ("Edm.String", "text", ""), "D": ("Edm.Decimal", "amount", "0"), "L": ("Edm.Int64", "integer", 0),
        "I": ("Edm.Int32", "integer", 0), "G": ("Edm.Guid", "text", "00000000-0000-0000-0000-000000000000")}
SPACE = "Microsoft.Dynamics.DataEntities"
_STAMPS = {"SysModifiedDateTime", "CreatedOn", "OrderCreationDateTime"}  # all others mean a day
# Sets that releases offer beside each other, over one table.
_TWINS = {"SalesOrderHeadersV2": "SalesOrderHeadersV3"}
_SHARED = {"CustomerPaymentJournalHeaders"}
_INDEXES = {
    "CustInvoiceTransBiEntities": ("InvoiceId",), "SalesOrderLines": ("SalesOrderNumber",),
    "GeneralJournalAccountEntryBiEntities": ("GeneralJournalEntry",), "FreeTextInvoiceLines": ("ParentRecId",),
}


@dataclass(frozen=True)
class EntitySet:
    """A set; `table` in `sim.db`."""

    name: str
    key: tuple[str, ...]
    properties: dict[str, Property]
    table: str

    @property
    def type_name(self) -> str:
        return f"{SPACE}.{self.name.removesuffix('s')}"

    @property
    def has_company(self) -> bool:
        return "dataAreaId" in self.properties


@cache
def enums() -> dict[str, list[str]]:
    """Enum → its words, the first of which stands for nothing."""
    told = json.loads(_FIELDS.read_text(encoding="utf-8"))["enums"]
    return {name: words.split() for name, words in told.items()}


@cache
def sets() -> dict[str, EntitySet]:
    """All sets by name."""
    found = {}
    for name, told in json.loads(_FIELDS.read_text(encoding="utf-8"))["sets"].items():
        properties = {prop.name: prop for prop in map(_property, told["fields"].split())}
        found[name] = EntitySet(name, tuple(told["key"]), properties, f"dynamics_finance__{name}")
    for twin, name in _TWINS.items():
        found[twin] = EntitySet(twin, found[name].key, found[name].properties, found[name].table)
    return found


@cache
def tables() -> tuple[Table, ...]:
    """The tables of `sim.db`."""
    return tuple(
        Table("dynamics_finance", each.name, each.key, tuple(Field(p.name, p.kind) for p in each.properties.values()),
              ((_INDEXES[each.name],) if each.name in _INDEXES else ()), shared=each.name in _SHARED)
        for each in sets().values() if each.name not in _TWINS)


@cache
def columns() -> dict[str, tuple[str, ...]]:
    """Table → the columns that rendered rows have; all others are never filled."""
    told = json.loads(_FIELDS.read_text(encoding="utf-8"))["sets"]
    return {f"dynamics_finance__{name}": tuple(each["told"].split() or each["key"]) for name, each in told.items()}


def metadata(hidden: set[str]) -> str:
    """The CSDL document."""
    types, offered = [], []
    for each in sets().values():
        if each.name in hidden:
            continue
        keys = "".join(f"<PropertyRef Name={quoteattr(name)}/>" for name in each.key)
        columns = "".join(
            f"<Property Name={quoteattr(prop.name)} Type={quoteattr(prop.enum or prop.edm)}/>"
            for prop in each.properties.values() if f"{each.name}.{prop.name}" not in hidden)
        short = each.type_name.rpartition(".")[2]
        types.append(f"<EntityType Name={quoteattr(short)}><Key>{keys}</Key>{columns}</EntityType>")
        offered.append(f"<EntitySet Name={quoteattr(each.name)} EntityType={quoteattr(each.type_name)}/>")
    members = "".join(
        f"<EnumType Name={quoteattr(name)}>{''.join(f'<Member Name={quoteattr(word)}/>' for word in words)}</EnumType>"
        for name, words in enums().items())
    return (
        '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/'
        f'edmx"><edmx:DataServices><Schema Namespace="{SPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
        f'{"".join(types)}{members}<EntityContainer Name="Resources">{"".join(offered)}</EntityContainer></Schema>'
        "</edmx:DataServices></edmx:Edmx>")


def _property(word: str) -> Property:
    name, _, told = word.partition(":")
    if told.startswith("E"):
        return Property(name, "enum", "text", enums()[told[1:]][0], enum=f"{SPACE}.{told[1:]}")
    if told == "T":
        is_stamp = name in _STAMPS
        return Property(name, "Edm.DateTimeOffset", "stamp" if is_stamp else "date", "1900", noon=not is_stamp)
    edm, kind, empty = _EDM[told]
    return Property(name, edm, kind, empty)
