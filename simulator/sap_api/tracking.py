"""Who reads a set with `Prefer: odata.track-changes` is given a token, and later what changed since it.

As operational data provisioning does it: a change names its mode (ODQ_CHANGEMODE: C, U, D), the same token may be used
again and tells it all once more, and once a younger one was used, those before it are gone; so is one that is too old.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from simulator.sap_api.entities import EntitySet
from simulator.sap_api.errors import BUSINESS, SapError
from simulator.sap_api.system import SapSystem
from simulator.served import Clock

Row = dict[str, Any]
MODE, COUNT = "ODQ_CHANGEMODE", "ODQ_ENTITYCNTR"


@dataclass
class _Token:
    """What a token's holder knows: each record's values by its key. `answer`: what it was told the last time."""

    number: int
    entity: str
    made_at: datetime
    known: dict[tuple, int]
    answer: tuple[list[Row], str] | None = field(default=None)


class Tracking:
    """Tokens of one system; they do not outlive the server."""

    def __init__(self, system: SapSystem, clock: Clock) -> None:
        self._system, self._clock = system, clock
        self._tokens: dict[str, _Token] = {}
        self._numbers, self._lock = itertools.count(1), Lock()

    def begin(self, entity: EntitySet, rows: list[Row]) -> str:
        """A token for who knows these rows."""
        with self._lock:
            number, now = next(self._numbers), self._clock.now()
            name = f"D{now:%Y%m%d%H%M%S}_{number:09d}"
            known = {_key(entity, row): hash(tuple(row.values())) for row in rows}
            self._tokens[name] = _Token(number, entity.name, now, known)
            return name

    def changes(self, entity: EntitySet, name: str, read: Callable[[], list[Row]], *, again: bool,
                ) -> tuple[list[Row], str]:
        """(what changed since the token, in any page; the next token). `again`: a later page of the same answer.

        Raises SapError, 410, for a token that is no more.
        """
        token = self._tokens.get(name)
        if token is None or token.entity != entity.name or self._is_old(token):
            raise SapError(410, BUSINESS, f"Delta token '{name}' is not valid or has expired; request the data again")
        if again and token.answer is not None:
            return token.answer
        rows = read()
        token.answer = self._compared(entity, token, rows), self.begin(entity, rows)
        with self._lock:
            self._tokens = {each: held for each, held in self._tokens.items()
                            if held.entity != entity.name or held.number >= token.number}
        return token.answer

    def _is_old(self, token: _Token) -> bool:
        return self._clock.now() - token.made_at >= timedelta(seconds=self._system.delta_seconds)

    def _compared(self, entity: EntitySet, token: _Token, rows: list[Row]) -> list[Row]:
        now = {_key(entity, row): row for row in rows}
        found = [dict.fromkeys(entity.properties) | dict(zip(entity.key, key, strict=True)) | {MODE: "D", COUNT: "-1"}
                 for key in token.known if key not in now]
        for key, row in now.items():
            if key not in token.known:
                found.append(row | {MODE: "C", COUNT: "1"})
            elif token.known[key] != hash(tuple(row.values())):
                found += [row | {MODE: "U", COUNT: "1"}] * (2 if self._system.repeats_changes else 1)
        return found


def _key(entity: EntitySet, row: Row) -> tuple:
    return tuple(row[name] for name in entity.key)
