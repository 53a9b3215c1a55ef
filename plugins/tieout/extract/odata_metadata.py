"""What a service offers, from its `$metadata`: entity sets, their properties, types and keys.

The document is XML from somebody else's server: a document type is refused, and with it every entity that could grow or
reach out. Source: CSDL 2.0 and 3.0 (Edmx in OData 2), CSDL 4.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from tieout.extract.http import Damaged

_LARGEST = 192 * 1024 * 1024  # the largest real ones have some tens


@dataclass
class Entity:
    """An entity type: properties with their types, the key, navigation properties. `hidden`: not to be filtered by."""

    properties: dict[str, str] = field(default_factory=dict)
    key: list[str] = field(default_factory=list)
    navigations: set[str] = field(default_factory=set)
    unfilterable: set[str] = field(default_factory=set)
    base: str | None = None


def entity_sets(document: bytes) -> dict[str, Entity]:
    """Entity set → its type. Damaged where the document is no metadata, cut short, or brings a document type."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.StartDoctypeDeclHandler = _no_doctype
    if len(document) > _LARGEST:
        raise Damaged(f"metadata of {len(document)} bytes")
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise Damaged(f"no metadata: {error}") from None
    if not reader.sets:
        raise Damaged("metadata without an entity set")
    return {name: _whole(reader.types, kind) for name, kind in reader.sets.items() if kind in reader.types}


def _no_doctype(*_: object) -> None:
    raise Damaged("metadata with a document type, which no service needs")


def _whole(types: dict[str, Entity], name: str) -> Entity:
    """The type with what it inherits."""
    found, seen = types[name], {name}
    while found.base in types and found.base not in seen:
        seen.add(found.base)
        above = types[found.base]
        found = Entity({**above.properties, **found.properties}, found.key or above.key,
                       found.navigations | above.navigations, found.unfilterable | above.unfilterable, above.base)
    return found


class _Reader:
    """Collects types by their full name (namespace or alias), and sets."""

    def __init__(self) -> None:
        self.types: dict[str, Entity] = {}
        self.sets: dict[str, str] = {}
        self._spaces: tuple[str, ...] = ()
        self._type: Entity | None = None
        self._in_key = False

    def start(self, tag: str, words: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name == "Schema":
            self._spaces = tuple(words[word] for word in ("Namespace", "Alias") if word in words)
        elif name == "EntityType":
            self._type = Entity(base=words.get("BaseType"))
            for space in self._spaces:
                self.types[f"{space}.{words['Name']}"] = self._type
        elif name == "EntitySet":
            self.sets[words["Name"]] = words["EntityType"]
        elif self._type is not None:
            self._member(name, words)

    def _member(self, name: str, words: dict[str, str]) -> None:
        if name == "Key":
            self._in_key = True
        elif name == "PropertyRef" and self._in_key:
            self._type.key.append(words["Name"])
        elif name == "Property":
            self._type.properties[words["Name"]] = words["Type"]
            if any(word.endswith("filterable") and value == "false" for word, value in words.items()):
                self._type.unfilterable.add(words["Name"])
        elif name == "NavigationProperty":
            self._type.navigations.add(words["Name"])

    def end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name == "EntityType":
            self._type = None
        elif name == "Key":
            self._in_key = False
