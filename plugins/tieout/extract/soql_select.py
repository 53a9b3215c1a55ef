"""What SOQL statements look like: pure text, nothing is sent from here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tieout.errors import ConfigError, SchemaError
from tieout.extract import Window
from tieout.spec import Stream

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Query:
    """A window of an object, as a statement. `call` is `query`, or `queryAll`, which also yields deleted rows."""

    stream: Stream
    call: str
    select: str
    order: str

    @property
    def ordered(self) -> str:
        """For REST: rows in the order of the cursor."""
        return f"{self.select}{self.order}"


def query_of(stream: Stream, window: Window, fields: Mapping[str, str]) -> Query:
    """The statement for a window of a stream. `fields`: column → field, of those that are served."""
    names = list(dict.fromkeys(fields.values()))
    select = f"SELECT {', '.join(names)} FROM {name(stream.name)}"
    conditions = [f"{name(field)} = {literal(value)}" for field, value in only(stream).items()]
    order = " ORDER BY Id" if "id" in fields else ""
    if stream.mode == "incremental" and stream.cursor:
        cursor = fields[stream.cursor]
        if not window.full:
            conditions += [f"{cursor} >= {literal(window.start)}"] if window.start else []
            conditions += [f"{cursor} < {literal(_up(window.end))}"]
        order = f" ORDER BY {cursor}, Id"
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # Without a declared flag, deleted rows would land as if they lived.
    return Query(stream, "queryAll" if stream.deletes.flag else "query", f"{select}{where}", order)


def only(stream: Stream) -> Mapping[str, bool | int | str]:
    """{field: value} that a record must have: the stream's option `only`. Persons among accounts, say, stay out."""
    found = stream.options.get("only") or {}
    if not isinstance(found, dict):
        raise ConfigError(f"{stream.name}: options.only is no mapping of fields to values")
    return found


def check_only(stream: Stream, filterable: Set[str], connection: str) -> None:
    """What `only` keeps out is kept out by the organisation or not at all: SchemaError, and nothing is asked for.

    filterable: names of fields in lower case.
    """
    if lost := [word for word in only(stream) if word.lower() not in filterable]:
        raise SchemaError(
            f"connection {connection}: object {stream.name} cannot be filtered by {', '.join(lost)}, and that is what "
            "keeps records out",
            hint="give the integration user read access to it (an encrypted field cannot be filtered by), or leave "
            f"{stream.name} out of `streams`")


def name(word: str) -> str:
    """An object's or field's name, or ConfigError: names go into statements unquoted."""
    if not _NAME.fullmatch(word):
        raise ConfigError(f"{word!r} is not a name of a Salesforce object or field", hint="letters, digits and _ only")
    return word


def literal(value: datetime | date | bool | int | str) -> str:
    """A value as SOQL writes it: stamps and dates bare, text in single quotes with backslash escapes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    escapes = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    return f"'{''.join(escapes.get(letter, letter) for letter in value)}'"


def _up(value: datetime) -> datetime:
    """The next whole second, because literals have no fractions and a window's end is exclusive."""
    return value if value.microsecond == 0 else value.replace(microsecond=0) + timedelta(seconds=1)
