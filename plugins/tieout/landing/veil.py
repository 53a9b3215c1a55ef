"""Persons' ids → keyed hashes, before parsing: neither raw nor archive, quarantine or `_extra` ever holds the plain id.

Equal ids have equal hashes (HMAC-SHA256, RFC 2104) in all streams of a connection, so that hashes join and count as ids
do. The key is the connection's secret `hash_key`: whoever has it can test a guess. What is a hash already stays, so
that an archived batch and a quarantined record land again as they were.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from tieout.errors import SecretError, SourceError
from tieout.extract import Page

if TYPE_CHECKING:
    from tieout.spec import Connection, Stream

SECRET = "hash_key"  # noqa: S105 - its name
_MARK = "h1:"
_HASHED = re.compile(r"h1:[0-9a-f]{64}")


def hashed(key: bytes, value: str) -> str:
    """The hash of an id, or the id where it is a hash already; empty stays empty."""
    if not value or _HASHED.fullmatch(value):
        return value
    return _MARK + hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


class Veil:
    """Hashes the columns of one stream that its spec declares as hashed. Does nothing, and asks for no key, without."""

    def __init__(self, connection: Connection, stream: Stream) -> None:
        self._where = f"{connection.name}.{stream.name}"
        self._connection = connection
        self._fields = frozenset(c.field for c in stream.columns if c.hashed and c.field)
        self._key = b""

    def __bool__(self) -> bool:
        return bool(self._fields)

    def json(self, page: Page, decode: Callable[[bytes, str], list[dict[str, msgspec.Raw]]]) -> Page:
        """A JSON page whose body is the list of its records, hashed. SourceError for one that cannot be read whole:
        the careful way would keep what it cannot read as it came.
        """
        try:
            records = decode(page.body, page.records)
            for record in records:
                for name in self._fields & record.keys():
                    record[name] = msgspec.Raw(msgspec.json.encode(self._of(msgspec.json.decode(record[name]))))
            body = msgspec.json.encode(records)
            body.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SourceError(
                f"{self._where}: a page with persons' ids cannot be read: {type(error).__name__}",
                hint="nothing was landed, and nothing of it is kept: run again, and ask the vendor if it stays",
            ) from None  # the cause may quote the page
        return replace(page, body=body, records="")

    def typed_by_hand(self, record: str) -> str:
        """One record as JSON text that a person wrote, hashed as a landed one is: it will be kept."""
        if not self:
            return record
        known: dict[str, msgspec.Raw] = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
        for name in self._fields & known.keys():
            known[name] = msgspec.Raw(msgspec.json.encode(self._of(msgspec.json.decode(known[name]))))
        return msgspec.json.encode(known).decode()

    def value(self, field: str, value: str | None) -> str | None:
        """A single value of a field, hashed where the field is."""
        return self._of(value) if field in self._fields else value

    def table(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of text columns with hashes in place of ids."""
        for at, name in enumerate(batch.schema.names):
            if name in self._fields:
                values = pa.array([self._of(value) for value in batch.column(at).to_pylist()], pa.string())
                batch = batch.set_column(at, pa.field(name, pa.string()), values)
        return batch

    def withheld(self, page: Page) -> tuple[tuple[str, str], ...]:
        """A page's broken records: that they came, and not what was in them."""
        return tuple(("(withheld: it may name a person)", reason) for _, reason in page.broken)

    def _of(self, value: Any) -> str | None:
        return None if value is None else hashed(self._secret(), value if isinstance(value, str) else str(value))

    def _secret(self) -> bytes:
        if not self._key:
            from tieout.secrets import SHORTEST_KEY, secrets_for

            found = secrets_for(self._connection).get(SECRET, "")
            if len(found) < SHORTEST_KEY:
                raise SecretError(
                    f"{self._where}: the secret {SECRET} has {len(found)} characters, too few to hash "
                    f"{', '.join(sorted(self._fields))}",
                    hint=f"at least {SHORTEST_KEY} random ones, for example from `openssl rand -hex 32`; keep it: with "
                    "another key every person is somebody else")
            self._key = found.encode()
        return self._key
