"""Erased persons stay erased: what arrives about them is hidden before parsing, wherever it arrives from.

`ops.erasure_suppressed` knows them by keyed hashes of their ids, made as landing/veil.py makes hashes. A record of
theirs keeps its keys, links, days and amounts; its declared personal data, and text in fields that nobody declared,
become one mark for all records of one person. Neither raw nor the archive or the quarantine ever sees more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from tieout.errors import SecretError
from tieout.extract import Page
from tieout.landing.spans import record_spans
from tieout.landing.veil import hashed

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Connection, Stream

ANY = "*"  # the ids of customers, which are the same in every stream of a connection
WITHHELD = "(withheld: it may name a person who was erased)"
_CHECK = "tieout"  # what is hashed to see whether the key is the one that the hashes were made with
_TOKEN = re.compile(r"[^\s\"',:;=<>{}\[\]()]+")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class Marks:
    """What stands in place of a person's data: `text`, and `pseudonym` in place of a hashed id."""

    text: str
    pseudonym: str


Find = Callable[[str, str], Marks | None]  # (stream whose column of persons it is, or ANY; id) → marks of an erased one
Seen = Callable[[Any, str], Any]  # of each value that is hidden: the value, the column's `pii` or 'hashed'


def canonical(value: Any) -> str:
    """An id as text; numbers without the zeros that some systems put in front."""
    text = str(value).strip()
    return text.lstrip("0") or "0" if text.isascii() and text.isdigit() else text


def scope(stream: Stream) -> str:
    """Whose ids the stream's column of persons holds: customers', or another stream's."""
    return stream.name if stream.person and stream.person.of else ANY


class Mask:
    """Hides what records of one stream say about persons that `find` knows. `seen` is told what was hidden.

    `learned`: (stream, link) of records that lead on to rows of another stream, with the marks.
    """

    def __init__(self, connection: Connection, stream: Stream, find: Find, seen: Seen | None = None) -> None:
        streams = connection.every()
        self._find, self._seen = find, seen or (lambda value, kind: None)
        self._scope = scope(stream)
        self._person = stream.column(stream.person.column).field if stream.person else ""
        self._hidden = {c.field: c for c in stream.columns if c.pii and not c.hashed and c.field}
        self._hashed = tuple(c.field for c in stream.columns if c.hashed and c.field)
        nested = [one for one in streams if one.explode and one.parent and one.parent.stream == stream.name]
        self._nested = {one.explode or "": Mask(connection, one, find, seen) for one in nested}
        self._nested = {path: mask for path, mask in self._nested.items() if mask}
        self._known = {c.field for c in stream.columns} | {(one.explode or "").split(".")[0] for one in nested}
        self._links = [(one.name, stream.column(one.person.at).field) for one in streams
                       if one.person and one.person.of == stream.name]
        self.learned: dict[tuple[str, str], Marks] = {}

    def __bool__(self) -> bool:
        return bool(self._person or self._hashed or self._nested)

    def json(self, record: dict[str, msgspec.Raw], noise: Iterable[str] = (), told: Marks | None = None) -> bool:
        """Hide in place; whether anything was. `told`: the record belongs to a person's, whatever it says itself.

        Raises DecodeError and its kin for a value that is no JSON.
        """
        text = {name: msgspec.json.decode(record[name]) for name in (self._person, *self._hashed) if name in record}
        marks = told or self._marks(text.get(self._person))
        changed = self._pseudonyms(record, text)
        for path, mask in self._nested.items():
            changed |= self._inside(record, path, mask, marks)
        if marks is None:
            return changed
        for name in record.keys() - set(self._hashed):
            changed |= self._hide(record, name, marks, noise)
        self._learn(marks, lambda name: msgspec.json.decode(record[name]) if name in record else None)
        return changed

    def text(self, record: bytes, noise: Iterable[str] = ()) -> bytes:
        """One record as JSON text. Raises as `json` does."""
        known = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
        return msgspec.json.encode(known) if self.json(known, noise) else record

    def table(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of a file."""
        names = batch.schema.names
        people = batch.column(names.index(self._person)).to_pylist() if self._person in names else []
        marks = [self._marks(value) for value in people] or [None] * batch.num_rows
        rows = [at for at, one in enumerate(marks) if one]
        for at, name in enumerate(names):
            if name in self._hashed:
                values = batch.column(at).to_pylist()
                new = [self._pseudonym(value) for value in values]
            elif rows and (name in self._hidden or name not in self._known):
                values = batch.column(at).to_pylist()
                new = [*values]
                for row in rows:
                    new[row] = self._instead(name, values[row], marks[row])
            else:
                continue
            if new != values:
                batch = batch.set_column(at, batch.schema.field(at), pa.array(new, batch.schema.field(at).type))
        for row in rows:
            self._learn(marks[row], lambda name, r=row: batch.column(names.index(name))[r].as_py() if name in names
                        else None)
        return batch

    def _marks(self, value: Any) -> Marks | None:
        return None if value is None or value == "" else self._find(self._scope, canonical(value))

    def _pseudonym(self, value: Any) -> Any:
        marks = self._find(ANY, str(value)) if value else None
        if marks is None or value == marks.pseudonym:
            return value
        self._seen(value, "hashed")
        return marks.pseudonym

    def _pseudonyms(self, record: dict[str, msgspec.Raw], text: dict[str, Any]) -> bool:
        changed = False
        for name in self._hashed:
            if name in text and (new := self._pseudonym(text[name])) != text[name]:
                record[name], changed = msgspec.Raw(msgspec.json.encode(new)), True
        return changed

    def _hide(self, record: dict[str, msgspec.Raw], name: str, marks: Marks, noise: Iterable[str]) -> bool:
        if name in self._known and name not in self._hidden or name in noise or name.startswith("@"):
            return False
        try:
            value = msgspec.json.decode(record[name])
            new = self._instead(name, value, marks)
        except _UNREADABLE:  # nobody can say what is in it
            value, new = None, self._instead(name, "?", marks)
        if new is value:
            return False
        record[name] = msgspec.Raw(msgspec.json.encode(new))
        return True

    def _instead(self, name: str, value: Any, marks: Marks) -> Any:
        """The mark for a text, nothing for what cannot hold one. Of undeclared fields, numbers and flags stay."""
        column = self._hidden.get(name)
        if value is None or value in ("", marks.text) or (column is None and isinstance(value, (bool, int, float))):
            return value
        if column is not None:
            self._seen(value, str(column.pii))
        is_text = isinstance(value, str) if column is None else column.type == "text"
        return marks.text if is_text else None

    def _inside(self, record: dict[str, msgspec.Raw], path: str, mask: Mask, marks: Marks | None) -> bool:
        """Records nested under a path, as landing unfolds them."""
        name, _, rest = path.partition(".")
        if name not in record:
            return False
        found: Any = None
        try:
            if rest:
                found = msgspec.json.decode(record[name], type=dict[str, msgspec.Raw] | None)
                changed = found is not None and self._inside(found, rest, mask, marks)
            else:
                found = msgspec.json.decode(record[name], type=list[dict[str, msgspec.Raw]] | None)
                changed = sum(mask.json(one, (), marks) for one in found or ()) > 0
        except _UNREADABLE:  # no form that landing knows
            found, changed = None, marks is not None
        if changed:
            record[name] = msgspec.Raw(msgspec.json.encode(found))
        return changed

    def _learn(self, marks: Marks, value: Callable[[str], Any]) -> None:
        for stream, name in self._links:
            if (link := value(name)) not in (None, ""):
                self.learned[stream, canonical(link)] = marks


@dataclass
class Erased:
    """The erased persons of a connection, as one of its streams meets them. Empty: nothing is done, no key asked for.

    known: {(scope, hash): marks}.
    """

    connection: Connection
    stream: Stream
    known: dict[tuple[str, str], Marks] = field(default_factory=dict)
    checks: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._mask = Mask(self.connection, self.stream, self._find) if self.known else None
        self._key = b""

    def __bool__(self) -> bool:
        return bool(self._mask)

    @classmethod
    def of(cls, db: psycopg.Connection, connection: Connection, stream: Stream) -> Erased:
        """As the warehouse knows them."""
        rows = db.execute("select stream, hash, marker, pseudonym, key_check from ops.erasure_suppressed "
                          "where connection = %s", (connection.name,)).fetchall()
        return cls(connection, stream, {(where, value): Marks(mark, other) for where, value, mark, other, _ in rows},
                   frozenset(check for *_, check in rows))

    def json(self, page: Page, decode: Callable[[bytes, str], list[dict[str, msgspec.Raw]]]) -> Page:
        """A JSON page; the same page where it is about none of them."""
        try:
            bytes(page.body).decode()  # what is no text stays refused, and is not mended by being hidden
            records = decode(page.body, page.records)
            changed = [self._mask.json(record, page.noise) for record in records]
        except _UNREADABLE:
            return self._one_by_one(page)
        return replace(page, body=msgspec.json.encode(records), records="") if any(changed) else page

    def table(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A page of a file."""
        return self._mask.table(batch)

    def record(self, payload: str) -> str:
        """One record as JSON text, to be kept: a correction that somebody typed."""
        return self._mask.text(payload.encode()).decode() if self._mask else payload

    def withheld(self, payload: str) -> str:
        """The text of a broken record, or a note in its place where it names one of them."""
        tokens = {canonical(token) for token in _TOKEN.findall(payload)}
        return WITHHELD if any(self._find(where, token) for token in tokens for where in (ANY, self.stream.name)) \
            else payload

    def remember(self, db: psycopg.Connection) -> None:
        """Write down, with the batch, which rows of other streams their records lead on to."""
        for (stream, link), marks in (self._mask.learned if self._mask else {}).items():
            db.execute(INSERT, (self.connection.name, stream, hashed(self._secret(), link), key_check(self._secret()),
                                marks.text, marks.pseudonym))

    def _one_by_one(self, page: Page) -> Page:
        """The readable records of a page that cannot be read whole; the others are refused as they are."""
        try:
            spans = record_spans(bytes(page.body), page.records)
        except (ValueError, KeyError, RecursionError):
            return page  # not even a list: parsing says so
        return replace(page, body=b"[" + b",".join(map(self._span, spans)) + b"]", records="")

    def _span(self, record: bytes) -> bytes:
        try:
            record.decode()
            return self._mask.text(record)
        except _UNREADABLE:
            return record

    def _find(self, where: str, value: str) -> Marks | None:
        return self.known.get((where, hashed(self._secret(), value)))

    def _secret(self) -> bytes:
        if not self._key:
            from tieout.secrets import hash_key

            found = hash_key(self.connection).encode()
            if self.checks - {key_check(found)}:
                raise SecretError(
                    f"{self.connection.name}: persons were erased under another hash_key: they would come back",
                    hint="give the connection the hash_key that it had; nothing was landed")
            self._key = found
        return self._key


INSERT = ("insert into ops.erasure_suppressed (connection, stream, hash, key_check, marker, pseudonym) "
          "values (%s, %s, %s, %s, %s, %s) on conflict (connection, stream, hash) do nothing")


def key_check(key: bytes) -> str:
    """What tells a key from another."""
    return hashed(key, _CHECK)
