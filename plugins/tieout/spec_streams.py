"""Streams: the landed tables of a system, their columns, keys, and how deletions arrive."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tieout.spec_contracts import Mappings, one_or_many
from tieout.spec_transports import DOORS, Duration, Frozen

PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")  # Postgres cuts names at 63 bytes; plain ASCII, so bytes are letters
SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
DELIVERED = {"files", *(word for _, word in DOORS.values())}  # options of streams that come in deliveries
ColumnType = Literal["text", "integer", "amount", "rate", "boolean", "date", "timestamp", "json"]


class Column(Frozen):
    """A declared column of a landed table.

    `name` is the column in Postgres, `field` the vendor's word. `optional` columns may be absent at a vendor (a custom
    field, an edition's feature): they land as NULL. A column that is not optional and not served is a SchemaError.
    `hashed`: a person's id. It is replaced by its keyed hash before anything is stored (landing/veil.py).
    `pii`: personal data; `place`: those that many people share (a town, a postal code); `text`: free text, which may
    name a person. An erasure hides all of them in the person's own records, and looks for the first everywhere else.
    """

    name: str
    type: ColumnType
    field: str
    optional: bool = False
    pii: bool | Literal["place", "text"] = False
    hashed: bool = False
    description: str = ""


class Person(Frozen):
    """Whose a record is: `column` holds the customer's id, or what stands in column `at` of the person's rows of the
    stream `of`.
    """

    column: str
    of: str | None = None
    at: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Person:
        if (self.of is None) != (self.at is None):
            raise ValueError("person: `of` and `at` go together")
        return self


def _person(told: Any) -> Any:
    return {"column": told} if isinstance(told, str) else told


class Deletes(Frozen):
    """How deletions arrive: `flag` (a column of the record), `feed` (rows of another stream), `sweep` (all keys).

    never: records are not deleted; what a complete set lacks was archived there, and stays.
    """

    flag: str | None = None
    feed: str | None = None
    feed_type: str | None = None
    sweep: bool = False
    never: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Deletes:
        if self.never and (self.flag or self.feed or self.sweep):
            raise ValueError("deletes: `never` stands alone")
        return self


class Stream(Frozen):
    """One landed table. `mode` is `incremental` (windows on `cursor`) or `full` (each load is the complete set).

    `parent`: rows belong to a parent document, whose change re-reads and replaces all of its rows
    (`parent.stream`, and `parent.column`, the column here that holds the parent's key).
    `explode`: rows are nested in the parent's records under this path; the parent's pages feed this stream.
    `blank_keys`: a blank part of the key is a value like any other, unless all of them are (ABAP's initial values).
    `partition`: a column whose values name complete lots: a delivery with rows of a value holds all rows of it.
    `touch`: columns that move without news (a nightly upsert of everything): a record in which nothing else changed is
    unchanged.
    `person`: whose record it is, for an erasure: the column that holds the customer's id, or the way there.
    `lookups`: columns by which a build finds current rows, where `parent` is not one already; each gets an index.
    `dates`: how the vendor writes days and their absence, where not plainly; see `landing/conventions.py`.
    `options`: protocol words, read only by the protocol in `extract/`.
    """

    name: str
    table: str
    key: tuple[str, ...] = Field(min_length=1)
    mode: Literal["incremental", "full"] = "incremental"
    cursor: str | None = None
    overlap: Duration | None = None
    deletes: Deletes = Deletes()
    parent: ParentLink | None = None
    explode: str | None = None
    blank_keys: bool = False
    partition: str | None = None
    person: Annotated[Person | None, BeforeValidator(_person)] = None
    lookups: tuple[str, ...] = ()
    dates: Literal["", "noon_utc"] = ""
    touch: tuple[str, ...] = ()
    columns: tuple[Column, ...]
    control_totals: tuple[str, ...] = ()
    url: str | None = None
    description: str = ""
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Stream:
        names = [column.name for column in self.columns]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"stream {self.name}: columns declared twice (case does not count): {sorted(twice)}")
        needed = {"key": self.key, "cursor": (self.cursor,), "deletes.flag": (self.deletes.flag,),
                  "control_totals": self.control_totals, "lookups": self.lookups, "partition": (self.partition,),
                  "touch": self.touch}
        if self.parent:
            needed["parent.column"] = (self.parent.column,)
        if self.person:
            needed["person"] = (self.person.column,)
        for where, columns in needed.items():
            for column in columns:
                if column is not None and column not in names:
                    raise ValueError(f"stream {self.name}: {where} names {column!r}, which is not a declared column")
        if any(name.startswith("_") for name in names):
            raise ValueError(f"stream {self.name}: columns that start with _ are Tieout's own")
        for name in names:
            if not PLAIN_NAME.fullmatch(name) or name in SYSTEM_COLUMNS:
                raise ValueError(f"stream {self.name}: {name[:80]!r} cannot be a column's name (a to z, digits and _, "
                                 "63 at most, none of Postgres's own); keep the vendor's word and add a plain `name:`")
        if self.mode == "incremental" and not (
                self.cursor or self.parent or self.explode or DELIVERED & self.options.keys()):
            raise ValueError(f"stream {self.name}: an incremental stream needs a cursor or a parent")
        for column in self.columns:
            if column.hashed and (column.type != "text" or column.name in (*self.key, self.cursor, self.partition)):
                raise ValueError(f"stream {self.name}: {column.name} cannot be hashed: a text that is neither key, "
                                 "cursor nor partition can")
        for column in self.control_totals:
            if self.column(column).type not in ("amount", "integer"):
                raise ValueError(f"stream {self.name}: control total {column} is not an amount")
        return self

    def column(self, name: str) -> Column:
        """The declared column of that Postgres name."""
        return next(column for column in self.columns if column.name == name)


class ParentLink(Frozen):
    """A child stream's link: the parent's stream, and the column here that holds the parent's key."""

    stream: str
    column: str


Stream.model_rebuild()


class DeclaredStream(Stream):
    """A stream that a connection declares itself. `contracts`: what its records mean, by contract."""

    contracts: Annotated[Mappings, BeforeValidator(one_or_many)] = {}


def expanded(streams: dict[str, Any], prefix: str, shared: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Streams as YAML writes them → as the model holds them. Raises ValueError for what is no mapping.

    shared: options of every stream, under its own.
    """
    found = []
    for name, raw in streams.items():
        if not isinstance(raw, dict):
            raise ValueError(f"stream {name}: expected a mapping")
        columns = []
        for word, column in (raw.get("columns") or {}).items():
            column = {"type": column} if isinstance(column, str) else dict(column or {})
            columns.append({"name": str(word).lower(), "field": str(word), **column})
        options = {**shared, **(raw.get("options") or {})} if shared else raw.get("options", {})
        found.append({**raw, "name": name, "columns": columns, "options": options,
                      "table": raw.get("table", f"{prefix}{name.lower()}")})
    return found


def delivered(streams: dict[str, Any], protocol: str) -> dict[str, Any]:
    """Streams that a stranger's program brings: each bears the program's name of it, its own where none is said."""
    word = DOORS[protocol][1]
    return {name: {**raw, "options": {word: name, **(raw.get("options") or {})}}
            if isinstance(raw, dict) and not raw.get("explode") else raw for name, raw in streams.items()}


def check_links(streams: tuple[Stream, ...]) -> None:
    """ValueError for a parent or a list of deletions that is no stream."""
    names = {stream.name for stream in streams}
    for stream in streams:
        parent = stream.parent.stream if stream.parent else None
        for where, target in (("parent", parent), ("deletes.feed", stream.deletes.feed)):
            if target and target not in names:
                raise ValueError(f"stream {stream.name}: {where} names {target!r}, which is not a stream")
        check_person(stream, streams)


def check_person(stream: Stream, streams: tuple[Stream, ...]) -> None:
    """ValueError where the way from a record to its person leads nowhere, or in a circle."""
    by_name, passed, at = {one.name: one for one in streams}, [stream.name], stream
    while at.person and at.person.of:
        above = by_name.get(at.person.of)
        if above is None or at.person.at not in {column.name for column in above.columns} or not above.person:
            raise ValueError(f"stream {at.name}: person names {at.person.of}.{at.person.at}, which leads to no person")
        if above.name in passed:
            raise ValueError(f"stream {stream.name}: person leads in a circle: {' → '.join([*passed, above.name])}")
        passed.append(above.name)
        at = above


def check_choices(streams: tuple[Stream, ...], either: Mapping[str, Mapping[str, tuple[str, ...]]]) -> None:
    """ValueError for a choice between streams that are none."""
    names = {stream.name for stream in streams}
    for word, ways in either.items():
        if unknown := {name for chosen in ways.values() for name in chosen} - names:
            raise ValueError(f"either.{word} names {', '.join(sorted(unknown))}, which is no stream")


def unchosen(either: Mapping[str, Mapping[str, tuple[str, ...]]], options: Mapping[str, Any]) -> dict[str, str]:
    """Streams that the connection's options leave out → the word that would bring them. ValueError for a wrong word."""
    found: dict[str, str] = {}
    for word, ways in either.items():
        chosen = options.get(word) or next(iter(ways))
        if chosen not in ways:
            raise ValueError(f"options.{word}: {chosen!r} is not one of {', '.join(ways)}")
        found |= {name: f"{word}: {way}" for way, names in ways.items() if way != chosen
                  for name in names if name not in ways[chosen]}
    return found
