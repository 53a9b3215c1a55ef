"""From a stream's columns to a GraphQL selection, and from its answer to flat records.

A column's field is a path: `a.b` (a field of an object), `x: a(key: 'b').c` (an alias and arguments), `id.#` (the
number at the end of a global id), `^.id` (the record above), `#` (the place in its list). A stream with `path` is
nested in the records of its parent: `agreements*.sales*.taxes`, where `*` marks a connection. `types` says which types
of an interface or union have a field. What is asked for is what is declared, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tieout.errors import SourceError
from tieout.spec import Column, Stream

_STEP = re.compile(r"(?:(?P<alias>\w+):\s*)?(?P<name>\w+)(?P<given>\([^)]*\))?(?P<many>\*)?")
_DOT = re.compile(r"\.(?![^(]*\))")  # not within parentheses
NUMBER, ABOVE = "#", "^"


@dataclass(frozen=True)
class Step:
    """One step of a path: the field, its alias and arguments; `many`: a connection."""

    name: str
    alias: str = ""
    given: str = ""
    many: bool = False

    @property
    def key(self) -> str:
        """Under which name the answer has it."""
        return self.alias or self.name

    @property
    def head(self) -> str:
        """As it is asked for, without arguments of paging."""
        return f"{self.alias}: {self.name}" if self.alias else self.name


def steps_of(path: str) -> list[Step]:
    """The steps of a path. ValueError for what is none."""
    found = []
    for word in _DOT.split(path):
        told = _STEP.fullmatch(word.strip())
        if told is None:
            raise ValueError(f"{path!r} is no path of fields")
        given = (told["given"] or "").strip("()").replace("'", '"')
        found.append(Step(told["name"], told["alias"] or "", given, bool(told["many"])))
    return found


@dataclass(frozen=True)
class Place:
    """A column's place: `up` records above, then the steps; `number`: the number of the id there, or of the place."""

    field: str
    up: int
    steps: tuple[Step, ...]
    number: bool

    @classmethod
    def of(cls, told: str) -> Place:
        """Read a column's field."""
        path, up = told, len(told) - len(told.lstrip(ABOVE))
        path = path[up:].removeprefix(".")
        number = path == NUMBER or path.endswith(f".{NUMBER}")
        path = "" if path == NUMBER else path.removesuffix(f".{NUMBER}")
        return cls(told, up, tuple(steps_of(path)) if path else (), number)


@dataclass
class Selection:
    """Fields by the name that the answer has for them, and those of certain types only."""

    fields: dict[str, tuple[Step, Selection]] = field(default_factory=dict)
    typed: dict[str, Selection] = field(default_factory=dict)

    def child(self, step: Step) -> Selection:
        """What is selected below a field; the field is selected with it."""
        return self.fields.setdefault(step.key, (step, Selection()))[1]

    def of_type(self, name: str) -> Selection:
        """What is selected of a type of this interface or union."""
        return self.typed.setdefault(name, Selection())

    def add(self, steps: tuple[Step, ...], types: Mapping[str, list[str]], told: str = "") -> None:
        """Select a path."""
        if not steps:
            return
        first, *rest = steps
        path = f"{told}.{first.key}".removeprefix(".")
        for holder in [self.of_type(name) for name in types[path]] if path in types else [self]:
            holder.child(first).add(tuple(rest), types, path)

    def connections(self) -> Iterator[tuple[Step, Selection]]:
        """The connections directly below."""
        return ((step, inner) for step, inner in self.fields.values() if step.many)

    def text(self, first: int | None) -> str:
        """As GraphQL. `first`: how many of each connection; None: of a bulk operation, which gives all."""
        words = [self._field(step, inner, first) for step, inner in self.fields.values()]
        words += [f"... on {name} {{ {inner.text(first)} }}" for name, inner in self.typed.items()]
        return " ".join(words)

    def _field(self, step: Step, inner: Selection, first: int | None) -> str:
        if step.many:
            return connection(step, inner, first, first)
        given = f"({step.given})" if step.given else ""
        below = inner.text(first)
        return f"{step.head}{given} {{ {below} }}" if below else f"{step.head}{given}"


def connection(step: Step, inner: Selection, first: int | None, nested: int | None, after: str = "") -> str:
    """A connection: `first` of it from `after` on, `nested` of those inside of it."""
    if first is None:
        given = f"({step.given})" if step.given else ""
        return f"{step.head}{given} {{ edges {{ node {{ __typename id {inner.text(None)} }} }} }}"
    return around(step, inner.text(nested), first, after)


def around(step: Step, inner: str, first: int, after: str = "") -> str:
    """`first` records of a connection from `after` on, with `inner` of each."""
    words = [step.given] if step.given else []
    words += [f"first: {first}", *([f"after: {msgspec.json.encode(after).decode()}"] if after else [])]
    return (f"{step.head}({', '.join(words)}) {{ edges {{ cursor node {{ __typename id {inner} }} }} "
            "pageInfo { hasNextPage endCursor } }")


class Shape:
    """What a root stream and the streams nested in it ask for, and how their records are made of the answer.

    without: columns that are not asked for, by stream: the shop does not serve them.
    """

    def __init__(self, root: Stream, nested: list[Stream], without: Mapping[str, set[str]]) -> None:
        self.root, self.nested = root, nested
        self.selection = Selection()
        self._columns = {each.name: [(c, Place.of(c.field)) for c in each.columns
                                     if c.field and c.name not in without.get(each.name, ())]
                         for each in (root, *nested)}
        self._paths = {each.name: steps_of(str(each.options["path"])) for each in nested}
        self._add(root, [self.selection])
        for each in nested:
            chain = [self.selection]
            for step in self._paths[each.name]:
                chain.append(chain[-1].child(step))
            self._add(each, chain)

    def _add(self, stream: Stream, chain: list[Selection]) -> None:
        types = stream.options.get("types") or {}
        for _, place in self._columns[stream.name]:
            holder = chain[-1 - place.up]
            if place.up:
                holder.add(place.steps, {})
            else:
                holder.add(place.steps, types)

    @property
    def noise(self) -> tuple[str, ...]:
        """The names under which a record holds nested ones."""
        return (*(each.explode or "" for each in self.nested), "@")

    def record(self, value: dict[str, Any]) -> dict[str, Any]:
        """The flat record of an assembled one, with the flat records of each nested stream in a list."""
        found = self._flat(self.root, [value], 0)
        for each in self.nested:
            found[each.explode or ""] = list(self._below(each, [value], self._paths[each.name]))
        return found

    def _below(self, stream: Stream, chain: list[dict[str, Any]], path: list[Step]) -> Iterator[dict[str, Any]]:
        step, *rest = path
        for number, inner in enumerate(members(chain[-1], step, stream.name)):
            if rest:
                yield from self._below(stream, [*chain, inner], rest)
            else:
                yield self._flat(stream, [*chain, inner], number)

    def _flat(self, stream: Stream, chain: list[dict[str, Any]], number: int) -> dict[str, Any]:
        types = stream.options.get("types") or {}
        found: dict[str, Any] = {}
        for column, place in self._columns[stream.name]:
            if place.number and not place.steps:
                found[column.field] = number
                continue
            value = looked_up(chain[-1 - place.up], place, types, f"{stream.name}.{column.name}")
            found[column.field] = tail(value) if place.number else value
        return found

    def columns_at(self, path: list[Any]) -> list[tuple[str, Column]]:
        """(stream, column) that an error's path in an answer means, of whatever is there or below."""
        words = [word for word in path if isinstance(word, str) and word not in ("edges", "node", "nodes")]
        found = []
        for stream in (self.root, *self.nested):
            above = [step.key for step in self._paths.get(stream.name, [])]
            for column, place in self._columns[stream.name]:
                held = above[:len(above) - place.up] if place.up else above
                whole = [*held, *(step.key for step in place.steps)]
                if words and whole[:len(words)] == words:
                    found.append((stream.name, column))
        return found


def members(value: dict[str, Any], step: Step, about: str) -> list[dict[str, Any]]:
    """The records of a list or of an assembled connection."""
    if step.key not in value:
        raise SourceError(f"stream {about}: the answer lacks {step.key}", hint="report it to the vendor")
    held = value[step.key]
    if isinstance(held, dict):
        held = [edge["node"] for edge in held["edges"]]
    return sorted(held or [], key=_by_number) if step.many else held or []


def _by_number(record: dict[str, Any]) -> tuple[int, str]:
    """Pages have an order and bulk operations none: records of a connection go by their ids."""
    number = tail(record.get("id")) or ""
    return len(number), number


def looked_up(value: Any, place: Place, types: Mapping[str, list[str]], about: str) -> Any:
    """What is at the place; None where something above is null, or is of a type without it."""
    told = ""
    for step in place.steps:
        told = f"{told}.{step.key}".removeprefix(".")
        if value is None:
            return None
        if step.key not in value:
            if told in types:
                return None
            raise SourceError(f"{about}: the answer lacks {place.field}", hint="report it to the vendor")
        value = value[step.key]
    return value


def tail(value: Any) -> str | None:
    """The number at the end of a global id (gid://shopify/Order/450789469?x=y)."""
    return None if value is None else str(value).rpartition("/")[2].partition("?")[0]
