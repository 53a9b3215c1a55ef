"""Which objects and fields the integration user sees, and how `describe` tells them.

A field that field-level security hides, or whose feature is off, does not exist: not in describe, not in SOQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from simulator.habits import SalesforceOrg
from simulator.schema import tables

_PREFIXES = {
    "Account": "001", "User": "005", "Opportunity": "006", "OpportunityLineItem": "00k", "Product2": "01t",
    "Contract": "800", "Order": "801", "OrderItem": "802", "CurrencyType": "0CE", "DatedConversionRate": "04w",
    # Made up, for the vendor's are not known here: objects of Health Cloud.
    "PurchaserPlan": "0hP", "MemberPlan": "0hM", "CoverageBenefit": "0hB", "ClinicalEncounter": "0hE", "Claim": "0hC",
    "ClaimItem": "0hI", "ClaimPaymentSummary": "0hS", "CareProgram": "0hG", "CareProgramEnrollee": "0hR",
    "OpportunityStage": "01J", "OrderStatus": "10J", "ContractStatus": "811",
}
_PICKLISTS = {
    "StageName", "ForecastCategory", "ForecastCategoryName", "Type", "Status", "StatusCode", "Industry", "Rating",
    "Ownership", "AccountSource", "LeadSource", "Family", "CurrencyIsoCode", "QuantityUnitOfMeasure", "TimeZoneSidKey",
    "UserType", "LanguageLocaleKey", "LocaleSidKey", "EmailEncodingKey", "IsoCode",
}
_PARTS = ("Street", "City", "State", "PostalCode", "Country")
_UNFILTERABLE = {"Description"}
_DOUBLES = {"Quantity", "AvailableQuantity", "TotalOpportunityQuantity", "ConversionRate"}


@dataclass(frozen=True)
class SalesforceField:
    """`kind` as in the schema, or `address` (compound: `parts` are its columns by the key in the answer)."""

    name: str
    kind: str
    reference: str | None = None
    parts: tuple[tuple[str, str], ...] = ()
    encrypted: bool = False  # by Shield: can be read, not searched for

    @property
    def relationship(self) -> str | None:
        """The name by which a query reaches the parent: `AccountId` → `Account`, `X__c` → `X__r`."""
        if self.reference is None:
            return None
        return f"{self.name[:-1]}r" if self.name.endswith("__c") else self.name.removesuffix("Id")

    @property
    def filterable(self) -> bool:
        return self.name not in _UNFILTERABLE and self.kind != "address" and not self.encrypted

    @property
    def soql_type(self) -> str:
        """The type that an error message names."""
        words = {"id": "string", "text": "string", "integer": "int", "amount": "double", "rate": "double",
                 "stamp": "dateTime"}
        return words.get(self.kind, self.kind)


class Entity:
    """An sObject with its visible fields."""

    def __init__(self, name: str, fields: list[SalesforceField], system: str = "salesforce") -> None:
        self.name = name
        self._system = system
        self.fields = fields
        self._by_name = {field.name.lower(): field for field in fields}
        self._by_relationship = {f.relationship.lower(): f for f in fields if f.relationship}

    @property
    def table(self) -> str:
        """Its table in `sim.db`, quoted."""
        return f'"{self._system}__{self.name}"'

    @property
    def prefix(self) -> str:
        """The first three characters of its ids."""
        return _PREFIXES.get(self.name, "a00")

    @property
    def has_recycle_bin(self) -> bool:
        """Objects without IsDeleted know neither queryAll's extra rows nor getDeleted."""
        return "isdeleted" in self._by_name

    def field(self, name: str) -> SalesforceField | None:
        """Whatever the case."""
        return self._by_name.get(name.lower())

    def parent(self, relationship: str) -> SalesforceField | None:
        """The lookup behind a relationship's name."""
        return self._by_relationship.get(relationship.lower())

    def describe(self, version: str, catalog: Catalog) -> dict[str, Any]:
        """The answer of `sobjects/<name>/describe`."""
        return {
            **self.summary(version),
            "fields": [self._describe_field(field) for field in self.fields],
            "childRelationships": [
                {"childSObject": child.name, "field": field.name, "relationshipName": plural, "cascadeDelete": False}
                for plural, child, field in catalog.children(self)
            ],
            "recordTypeInfos": [],
        }

    def summary(self, version: str) -> dict[str, Any]:
        """Its row in the global describe."""
        root = f"/services/data/{version}/sobjects/{self.name}"
        return {
            "name": self.name, "label": _label(self.name), "labelPlural": f"{_label(self.name)}s",
            "keyPrefix": self.prefix, "custom": self.name.endswith("__c"), "queryable": True, "retrieveable": True,
            "searchable": self.has_recycle_bin, "replicateable": self.has_recycle_bin, "createable": False,
            "updateable": False, "deletable": False,
            "undeletable": False, "layoutable": self.has_recycle_bin, "triggerable": self.has_recycle_bin,
            "deprecatedAndHidden": False, "customSetting": False, "feedEnabled": False, "mergeable": False,
            "urls": {"sobject": root, "describe": f"{root}/describe", "rowTemplate": f"{root}/{{ID}}"},
        }

    def _describe_field(self, field: SalesforceField) -> dict[str, Any]:
        kind = _describe_type(field)
        decimal = kind in ("currency", "double", "percent")
        custom = field.name.endswith("__c")
        compound = next((c.name for c in self.fields if any(column == field.name for _, column in c.parts)), None)
        return {
            "name": field.name, "label": _label(field.name), "type": kind,
            "soapType": {"id": "tns:ID", "reference": "tns:ID", "currency": "xsd:double", "percent": "xsd:double",
                         "datetime": "xsd:dateTime", "address": "urn:address"}.get(kind, f"xsd:{kind}"),
            "length": 18 if kind in ("id", "reference") else 255 if kind in ("string", "picklist") else 0,
            "precision": 18 if decimal else 0, "scale": 2 if decimal else 0, "digits": 9 if kind == "int" else 0,
            "nillable": field.name not in ("Id", "Name", "CreatedDate", "SystemModstamp", "IsDeleted"),
            "custom": custom, "externalId": custom and "_ID__" in field.name.upper(), "unique": False,
            "idLookup": field.name == "Id", "nameField": field.name == "Name", "compoundFieldName": compound,
            "calculated": False, "calculatedFormula": None, "autoNumber": field.name.endswith("Number") and not custom,
            "filterable": field.filterable, "sortable": field.filterable,
            "groupable": kind not in ("double", "currency"),
            "aggregatable": kind != "address", "createable": False, "updateable": False, "permissionable": True,
            "referenceTo": [field.reference] if field.reference else [], "relationshipName": field.relationship,
            "picklistValues": [], "restrictedPicklist": False, "defaultValue": None, "deprecatedAndHidden": False,
            "encrypted": field.encrypted, "polymorphicForeignKey": False, "dependentPicklist": False,
            "htmlFormatted": False,
        }


class Catalog:
    """The org as its settings are now. `system`: whose tables hold its objects."""

    def __init__(self, org: SalesforceOrg, system: str = "salesforce") -> None:
        self.org, self._system = org, system
        self._built_for: object = None
        self._entities: dict[str, Entity] = {}

    @property
    def entities(self) -> dict[str, Entity]:
        """Visible objects by lower-case name; rebuilt when a switch was turned."""
        org = self.org
        state = (org.multicurrency, org.dated_rates, frozenset(org.hidden), frozenset(org.encrypted))
        if state != self._built_for:
            self._entities, self._built_for = _visible(org, self._system), state
        return self._entities

    def entity(self, name: str) -> Entity | None:
        """Whatever the case."""
        return self.entities.get(name.lower())

    def children(self, parent: Entity) -> list[tuple[str, Entity, SalesforceField]]:
        """(relationship name, child object, its lookup) of every child relationship."""
        found = []
        for child in self.entities.values():
            lookups = [f for f in child.fields if f.reference == parent.name]
            main = next((f for f in lookups if f.name == f"{parent.name}Id"), None)
            if main is not None:
                found.append((_plural(child.name), child, main))
        return found


class _Hidden:
    def __init__(self, org: SalesforceOrg) -> None:
        self.names = {name.lower() for name in org.hidden}

    @cached_property
    def objects(self) -> set[str]:
        return {name for name in self.names if "." not in name}


def _visible(org: SalesforceOrg, system: str) -> dict[str, Entity]:
    hidden, encrypted = _Hidden(org), {name.lower() for name in org.encrypted}
    if not org.multicurrency:
        hidden.names.add("currencytype")
    if not (org.multicurrency and org.dated_rates):
        hidden.names.add("datedconversionrate")
    found = {}
    for table in tables().values():
        name = table.name.lower()
        if table.system != system or name in hidden.objects:
            continue
        fields = [
            SalesforceField(f.name, f.kind, f.reference, encrypted=f"{name}.{f.name.lower()}" in encrypted)
            for f in table.fields if f"{name}.{f.name.lower()}" not in hidden.names
            and (org.multicurrency or f.name not in ("CurrencyIsoCode", "DefaultCurrencyIsoCode"))
        ]
        found[name] = Entity(table.name, fields + _compounds(fields), system)
    return found


def _compounds(fields: list[SalesforceField]) -> list[SalesforceField]:
    names = {field.name for field in fields}
    found = []
    for name in sorted(names):
        start = name.removesuffix("Street")
        if name.endswith("Street") and f"{start}City" in names:
            present = [part for part in _PARTS if f"{start}{part}" in names]
            parts = tuple((part[0].lower() + part[1:], f"{start}{part}") for part in present)
            found.append(SalesforceField(f"{start}Address", "address", None, parts))
    return found


def _describe_type(field: SalesforceField) -> str:
    if field.kind == "id":
        return "reference" if field.name != "Id" else "id"
    if field.kind == "text":
        return "picklist" if field.name in _PICKLISTS else "string"
    if field.kind == "amount":
        return "double" if field.name in _DOUBLES else "currency"
    if field.kind == "rate":
        return "double" if field.name in _DOUBLES else "percent"
    return {"integer": "int", "stamp": "datetime"}.get(field.kind, field.kind)


def _label(name: str) -> str:
    words = name.removesuffix("__c").replace("_", " ")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", words)


def _plural(name: str) -> str:
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
