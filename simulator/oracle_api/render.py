"""Records as JSON in the framework's forms, with links and children."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from simulator.oracle_api.resources import Resource
from simulator.schema import Field

_BIG = 9  # from this framework version on, big integers are text


class Raw(str):
    """A number as text, to be written without quotes: no digit is lost."""


def value(field: Field, stored: Any, version: int) -> Any:
    """A stored value as the framework writes it: amounts without padded decimals, stamps with milliseconds and zone."""
    if stored is None:
        return None
    if field.kind == "boolean":
        return bool(stored)
    if field.kind == "integer":
        return str(stored) if version >= _BIG and field.name.endswith("Id") else stored
    if field.kind in ("amount", "rate"):
        return Raw(plain(str(stored)))
    if field.kind == "stamp":
        return f"{stored.replace(' ', 'T')}.000+00:00"
    return stored


def plain(text: str) -> str:
    """1190.00 → 1190, 1190.50 → 1190.5."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def opaque(resource: Resource, key: Any) -> str:
    """The key in an address: for composite keys a hash that tells nothing to a client."""
    if not resource.opaque:
        return str(key)
    return "00020000000EACED" + f"{resource.name}/{key}".encode().hex().upper()


def opened(resource: Resource, word: str) -> str:
    """The key of an address."""
    if not resource.opaque:
        return word
    try:
        name, _, key = bytes.fromhex(word.removeprefix("00020000000EACED")).decode().partition("/")
    except ValueError:
        return ""
    return key if name == resource.name else ""


def links(resource: Resource, address: str, kind: str = "item") -> list[dict[str, str]]:
    """`self`, `canonical`, and each child's collection."""
    found = [{"rel": rel, "href": address, "name": resource.name, "kind": kind} for rel in ("self", "canonical")]
    found += [{"rel": "child", "href": f"{address}/child/{child.name}", "name": child.name, "kind": "collection"}
              for child in resource.children]
    return found


def text(found: Any) -> str:
    """JSON text. Amounts keep their digits."""
    import json

    if isinstance(found, Raw):
        return str.__str__(found)
    if isinstance(found, Mapping):
        return "{" + ",".join(f"{json.dumps(name)}:{text(each)}" for name, each in found.items()) + "}"
    if isinstance(found, str) or not isinstance(found, Iterable):
        return json.dumps(found)
    return "[" + ",".join(map(text, found)) + "]"
