"""How values look on the wire of OData V2, and how a filter writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.sap_api.entities import EntitySet, Property, inner, outer
from simulator.sap_api.errors import BAD_OPTION, SapError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPED = re.compile(r"(datetimeoffset|datetime|time|guid)'([^']*)'", re.IGNORECASE)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?(\.\d+)?")


def shown(prop: Property, value: Any) -> Any:
    """A value of `sim.db` as the wire shows it; NULL is ABAP's initial value, or null for dates."""
    if prop.edm == "Edm.DateTime":
        return None if value is None else f"/Date({_ms(f'{value} 00:00:00')})/"
    if prop.edm == "Edm.DateTimeOffset":
        return None if value is None else f"/Date({_ms(value)}+0000)/"
    if prop.edm == "Edm.Boolean":
        return bool(value)
    if prop.edm == "Edm.Time":
        hours, minutes, seconds = (value or "00:00:00").split(":")
        return f"PT{hours}H{minutes}M{seconds}S"
    if prop.edm == "Edm.Decimal":
        return _decimal(prop, value)
    if value is None:
        return ""
    return outer(value) if prop.alpha else str(value)


def record(entity: EntitySet, root: str, row: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """One record with its `__metadata`."""
    uri = f"{root}/{entity.name}({key_text(entity, row)})"
    return {"__metadata": {"id": uri, "uri": uri, "type": entity.type_name}} | {
        name: shown(entity.properties[name], row[name]) for name in names}


def key_text(entity: EntitySet, row: dict[str, Any]) -> str:
    """The key as an address writes it."""
    told = []
    for name in entity.key:
        prop = entity.properties[name]
        value = shown(prop, row[name])
        text = f"datetime'{row[name]}T00:00:00'" if prop.edm == "Edm.DateTime" else "'" + str(value) + "'"
        told.append((name, text))
    return told[0][1] if len(told) == 1 else ",".join(f"{name}={text}" for name, text in told)


def read_literal(prop: Property, text: str) -> Any:
    """A literal of a filter as `sim.db` keeps it. SapError where it is not of the property's type."""
    if text == "null":
        return None
    typed = _TYPED.fullmatch(text)
    wanted = {"Edm.DateTime": "datetime", "Edm.DateTimeOffset": "datetimeoffset", "Edm.Time": "time",
              "Edm.Guid": "guid"}.get(prop.edm)
    if wanted:
        if typed is None or typed[1].lower() != wanted:
            raise _wrong(prop, text)
        return _moment(prop, typed[2], text)
    if prop.edm == "Edm.Boolean":
        if text not in ("true", "false"):
            raise _wrong(prop, text)
        return int(text == "true")
    if prop.edm == "Edm.String":
        if not (text.startswith("'") and text.endswith("'") and len(text) > 1):
            raise _wrong(prop, text)
        found = text[1:-1].replace("''", "'")
        return inner(found, prop.alpha) if prop.alpha else found
    if not re.fullmatch(r"-?\d+(\.\d+)?[mMdDfFlL]?", text):
        raise _wrong(prop, text)
    return text.rstrip("mMdDfFlL")


def _moment(prop: Property, text: str, literal: str) -> str:
    if prop.edm == "Edm.Time":
        found = re.fullmatch(r"PT(\d\d?)H(\d\d?)M(\d\d?)S", text)
        if not found:
            raise _wrong(prop, literal)
        return ":".join(part.zfill(2) for part in found.groups())
    if prop.edm == "Edm.Guid":
        return text.lower()
    bare = text.removesuffix("Z")
    found = _DATE.fullmatch(bare)
    if not found or (prop.edm == "Edm.DateTimeOffset") != text.endswith("Z"):
        raise _wrong(prop, literal)
    return found[1] if prop.edm == "Edm.DateTime" else f"{found[1]} {found[2]}{found[3] or ':00'}"


def _decimal(prop: Property, value: str | None) -> str:
    if value is None:
        return f"0.{'0' * prop.scale}" if prop.scale else "0.00" if prop.scale is None else "0"
    if not prop.scale:
        return value
    whole, _, rest = value.partition(".")
    return f"{whole}.{rest.ljust(prop.scale, '0')}"


def _ms(stamp: str) -> int:
    moment = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _wrong(prop: Property, text: str) -> SapError:
    return SapError(400, BAD_OPTION, f"Invalid parametertype used at function 'eq' (Position: 1): {prop.name}, {text}")
