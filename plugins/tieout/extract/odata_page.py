"""One answer of an OData service, read with suspicion: is it whole, and a list of what was asked for?

Of each record only its key is read; the rest stays as received.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from tieout.extract.http import Damaged

_TOTAL = {2: "__count", 4: "@odata.count"}
_LIST = re.compile(rb'\s*\{\s*"d"\s*:\s*\[')


@dataclass(frozen=True)
class Batch:
    """An answer: its body, the path of its list, the rows' keys, where it goes on, how many rows there are in all.

    `delta`: where to ask later for what changed meanwhile, where the service keeps track.
    """

    body: bytes
    records: str
    keys: list[tuple[Any, ...]]
    following: str | None = None
    total: int | None = None
    delta: str | None = None


def batch_of(body: bytes, version: int, key: tuple[str, ...]) -> Batch:
    """The answer. Damaged where it is cut short or no list, or a record lacks its key."""
    path = "value" if version == 4 else "d" if _LIST.match(body) else "d.results"
    try:
        found = _shape(path, key).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(str(error)) from None
    if path == "d":
        return Batch(body, path, [msgspec.structs.astuple(row) for row in found.d])
    held = found.d if path == "d.results" else found
    return Batch(body, path, [msgspec.structs.astuple(row) for row in held.rows], held.following or None,
                 _number(held.total), held.delta or None)


def _number(total: Any) -> int | None:
    """OData 2 counts in text."""
    try:
        return None if total is None else int(total)
    except (TypeError, ValueError):
        raise Damaged(f"{total!r} rows in all") from None


@cache
def _shape(path: str, key: tuple[str, ...]) -> msgspec.json.Decoder:
    row = msgspec.defstruct("Row", [(f"k{i}", Any) for i in range(len(key))],
                            rename={f"k{i}": name for i, name in enumerate(key)})
    if path == "d":
        return msgspec.json.Decoder(msgspec.defstruct("Outline", [("d", list[row])]))
    words = [("rows", list[row]), ("following", str | None, None), ("total", Any, None), ("delta", str | None, None)]
    version = 4 if path == "value" else 2
    outline = msgspec.defstruct("Outline", words, rename={"total": _TOTAL[version], **names_of(version)})
    return msgspec.json.Decoder(outline if version == 4 else msgspec.defstruct("Wrapped", [("d", outline)]))


def names_of(version: int) -> dict[str, str]:
    """How an answer names its rows, where it goes on, and where to ask for what changes later."""
    if version == 4:
        return {"rows": "value", "following": "@odata.nextLink", "delta": "@odata.deltaLink"}
    return {"rows": "results", "following": "__next", "delta": "__delta"}
