"""What NetSuite answers to a statement, read with suspicion: is the page whole, and the one that was asked for?

Of each record only the columns that paging needs are read: many times faster than all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from tieout.extract.http import Damaged, decode
from tieout.extract.suiteql_select import number

_FIRST = re.compile(rb'"items"\s*:\s*\[\s*(?=\{)')
_LONGEST_RECORD = 100_000  # bytes; a longer first record is not looked at


class _Records(msgspec.Struct):
    items: list[msgspec.Raw]


@dataclass(frozen=True)
class Asked:
    """What the answer to a statement must be.

    limit, offset: of the page. most: rows that one statement yields at all. keyset: the column that pages follow.
    columns: names that a record may have; empty for any. parent, parents: a column, and the only values it may have.
    """

    limit: int
    offset: int = 0
    most: int = 100_000
    keyset: str | None = None
    columns: AbstractSet[str] = frozenset()
    parent: str | None = None
    parents: AbstractSet[str] = frozenset()


@dataclass(frozen=True)
class Batch:
    """One answer: its body, whether there are more rows, the rows' values of the keyset column, and how many rows the
    statement has in all (the vendor may count no further than it serves)."""

    body: bytes
    more: bool
    keys: list[int]
    total: int

    def first(self, rows: int) -> bytes:
        """The body with the first `rows` records only, each as received."""
        if rows == len(self.keys):
            return self.body
        return b'{"items":[%s]}' % b",".join(map(bytes, decode(self.body, _Records).items[:rows]))


def batch_of(body: bytes, asked: Asked) -> Batch:
    """The answer. Damaged where it is cut short, contradicts itself, or answers another statement."""
    try:
        found = _shape(asked.keyset, asked.parent).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(str(error)) from None
    rows, end = len(found.items), asked.offset + len(found.items)
    if found.count is not None and found.count != rows:
        raise Damaged(f"{rows} of {found.count} rows")
    if found.more and rows != asked.limit:
        raise Damaged(f"more rows announced after {rows} of {asked.limit}")
    if not found.more and end < min(found.total, asked.most):
        raise Damaged(f"no more rows announced after {end} of {found.total}")
    if asked.parent and (strange := _parents(found.items, asked) - asked.parents):
        raise Damaged(f"rows of {asked.parent} {min(strange)}, which was not asked for")
    if asked.columns and (strange := _names(body) - asked.columns):
        raise Damaged(f"a column {min(strange)}, which was not asked for")
    keys = [number(row.key, asked.keyset) for row in found.items] if asked.keyset else [0] * rows
    return Batch(body, found.more, keys, found.total)


@cache
def _shape(keyset: str | None, parent: str | None) -> msgspec.json.Decoder:
    names = {"key": keyset, "parent": None if parent == keyset else parent}
    fields = [(field, int | str) for field, name in names.items() if name]
    row = msgspec.defstruct("Row", fields, rename={field: name.lower() for field, name in names.items() if name})
    words = [("more", bool), ("items", list[row]), ("total", int), ("count", int | None, None)]
    return msgspec.json.Decoder(
        msgspec.defstruct("Outline", words, rename={"more": "hasMore", "total": "totalResults"})
    )


def _parents(rows: list[Any], asked: Asked) -> set[str]:
    return {str(row.key) for row in rows} if asked.parent == asked.keyset else {str(row.parent) for row in rows}


def _names(body: bytes) -> set[str]:
    """The names in the first record; none where there is no record, or a huge one."""
    found = _FIRST.search(body)
    if found is None:
        return set()
    try:
        text = body[found.end():found.end() + _LONGEST_RECORD].decode("utf-8", "ignore")
        return set(json.JSONDecoder().raw_decode(text)[0])
    except ValueError:
        return set()
