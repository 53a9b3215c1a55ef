"""`$metadata` of a service, and its service document."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from simulator.sap_api.entities import EntitySet, Property

_EDM = "http://schemas.microsoft.com/ado/2008/09/edm"
_EDMX = "http://schemas.microsoft.com/ado/2007/06/edmx"
_M = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"


def metadata(service: str, sets: dict[str, EntitySet]) -> str:
    """The EDMX document."""
    space = service.partition(";")[0]
    types, containers, associations = [], [], []
    for each in sets.values():
        keys = "".join(f"<PropertyRef Name={quoteattr(name)}/>" for name in each.key)
        properties = "".join(_property(prop, prop.name in each.key) for prop in each.properties.values())
        leads = ""
        for nav, (target, _) in each.navigations.items():
            name = f"assoc_{each.name}_{nav}"
            leads += (f'<NavigationProperty Name="{nav}" Relationship="{space}.{name}" FromRole="From_{name}" '
                      f'ToRole="To_{name}"/>')
            associations.append(
                f'<Association Name="{name}" sap:content-version="1"><End Type="{each.type_name}" Multiplicity="1" '
                f'Role="From_{name}"/><End Type="{space}.{target}Type" Multiplicity="*" Role="To_{name}"/>'
                "</Association>")
            containers.append(
                f'<AssociationSet Name="set_{name}" Association="{space}.{name}"><End EntitySet="{each.name}" '
                f'Role="From_{name}"/><End EntitySet="{target}" Role="To_{name}"/></AssociationSet>')
        types.append(f'<EntityType Name="{each.name}Type" sap:content-version="1"><Key>{keys}</Key>{properties}{leads}'
                     "</EntityType>")
        containers.insert(0, f'<EntitySet Name="{each.name}" EntityType="{each.type_name}" sap:creatable="false"/>')
    return (
        f'<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="1.0" xmlns:edmx="{_EDMX}" xmlns:m="{_M}" '
        'xmlns:sap="http://www.sap.com/Protocols/SAPData"><edmx:DataServices m:DataServiceVersion="2.0">'
        f'<Schema Namespace="{space}" xml:lang="en" sap:schema-version="1" xmlns="{_EDM}">{"".join(types)}'
        f'{"".join(associations)}<EntityContainer Name="{space}_Entities" m:IsDefaultEntityContainer="true">'
        f'{"".join(containers)}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>')


def _property(prop: Property, is_key: bool) -> str:
    words = {"Name": prop.name, "Type": prop.edm, "Nullable": "false" if is_key else "true"}
    if prop.size:
        words["MaxLength"] = str(prop.size)
    if prop.edm == "Edm.DateTime":
        words |= {"Precision": "0", "sap:display-format": "Date"}
    elif prop.edm == "Edm.DateTimeOffset":
        words["Precision"] = "0"
    elif prop.edm == "Edm.Decimal":
        words |= {"Precision": str(prop.precision or 16), "Scale": str(3 if prop.scale is None else prop.scale)}
    return f"<Property {' '.join(f'{name}={quoteattr(value)}' for name, value in words.items())}/>"
