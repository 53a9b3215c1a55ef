"""Pages of a connection, each record with all that is nested in it.

The vendor refuses a query by what it might cost at most: so many records, each with so many of each nested connection.
What is refused is asked for smaller, and it stays so. A nested connection that goes on behind its first page is read to
its end, record by record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from tieout.errors import SourceError
from tieout.extract.admin_graphql_errors import TOO_COSTLY
from tieout.extract.admin_graphql_select import Selection, Shape, Step, around, connection
from tieout.extract.http import Refused
from tieout.extract.loopguard import LoopGuard

MOST, NESTED = 250, 10  # records a page; records of a nested connection that come along

Ask = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]


class Pages:
    """Reads connections of one shop. `ask(about, query, variables)` gives the data of an answer."""

    def __init__(self, ask: Ask, name: str, rows: int) -> None:
        self._ask, self._name, self._rows = ask, name, min(rows, MOST)
        self._sizes: dict[str, tuple[int, int]] = {}

    def probe(self, shape: Shape, condition: str) -> bool:
        """Ask for one record; False where what holds the connection is null."""
        held = self._asked(shape, condition, "", (1, 1))
        return held is not None

    def all(self, shape: Shape, condition: str) -> Iterator[dict[str, Any]]:
        """All records, in the order of the stream's `sort`, nested connections complete."""
        stream = shape.root
        guard, after = LoopGuard(self._name, stream.name), ""
        while True:
            held = self._page(shape, condition, after)
            if held is None:
                return
            for edge in held["edges"]:
                self._complete(shape, edge["node"])
                yield edge["node"]
            if not held["pageInfo"]["hasNextPage"]:
                return
            after = self._next(held, stream.name, guard)

    def _page(self, shape: Shape, condition: str, after: str) -> dict[str, Any] | None:
        """One page, smaller each time that it would cost too much."""
        name = shape.root.name
        has_nested = any(True for _ in shape.selection.connections())
        rows, nested = self._sizes.get(name) or (self._rows if has_nested else MOST, NESTED)
        while True:
            try:
                held = self._asked(shape, condition, after, (rows, nested))
                self._sizes[name] = rows, nested
                return held
            except Refused as refusal:
                if refusal.code != TOO_COSTLY or (rows == 1 and nested == 1):
                    raise
                rows, nested = (rows // 2, nested) if rows > 1 else (1, max(1, nested // 2))

    def _asked(self, shape: Shape, condition: str, after: str, sizes: tuple[int, int]) -> dict[str, Any] | None:
        options = shape.root.options
        *above, last = str(options["root"]).split(".")
        given = [f"query: {msgspec.json.encode(condition).decode()}"] if condition else []
        given += [f"sortKey: {options['sort']}"] if options.get("sort") else []
        text = connection(Step(last, given=", ".join(given), many=True), shape.selection, *sizes, after)
        for word in reversed(above):
            text = f"{word} {{ {text} }}"
        found: Any = self._ask(shape.root.name, f"query {{ {text} }}", {})
        for word in (*above, last):
            if found is None:
                return None
            found = found[word]
        return found

    # --- nested connections

    def _complete(self, shape: Shape, record: dict[str, Any]) -> None:
        """Read nested connections to their end. Those of those (two levels, the vendor has no more) likewise."""
        for step, inner in shape.selection.connections():
            held = record[step.key]
            place = Within(shape, record["id"], step, inner)
            guard = LoopGuard(self._name, f"{shape.root.name}.{step.key}")
            before = ""  # the cursor of the record before
            done = 0
            while True:
                for edge in held["edges"][done:]:
                    for below, deepest in inner.connections():
                        self._complete_below(place, before, edge["node"], below, deepest)
                    before = edge["cursor"]
                done = len(held["edges"])
                if not held["pageInfo"]["hasNextPage"]:
                    break
                after = self._next(held, shape.root.name, guard)
                more = self._of_record(place, connection(step, inner, NESTED, NESTED, after))[step.key]
                held["edges"] += more["edges"]
                held["pageInfo"] = more["pageInfo"]

    def _complete_below(self, place: Within, before: str, record: dict[str, Any], step: Step, inner: Selection) -> None:
        """The rest of a connection two levels below: such records have no address of their own, but a place."""
        held = record[step.key]
        guard = LoopGuard(self._name, f"{place.shape.root.name}.{place.step.key}.{step.key}")
        while held["pageInfo"]["hasNextPage"]:
            after = self._next(held, place.shape.root.name, guard)
            text = around(place.step, connection(step, inner, NESTED, NESTED, after), 1, before)
            edges = self._of_record(place, text)[place.step.key]["edges"]
            if len(edges) != 1 or edges[0]["node"].get("id") != record.get("id"):
                raise self._error(place, "changed")
            more = edges[0]["node"][step.key]
            held["edges"] += more["edges"]
            held["pageInfo"] = more["pageInfo"]

    def _of_record(self, place: Within, text: str) -> dict[str, Any]:
        kind = place.shape.root.options["typename"]
        query = f"query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {text} }} }} }}"
        found = self._ask(place.shape.root.name, query, {"id": place.name})["node"]
        if not found:
            raise self._error(place, "went")
        return found

    def _error(self, place: Within, what: str) -> SourceError:
        where = f"connection {self._name}, stream {place.shape.root.name}"
        return SourceError(f"{where}: {place.name} {what} while it was read", hint="run again")

    @staticmethod
    def _next(held: dict[str, Any], about: str, guard: LoopGuard) -> str:
        after = held["pageInfo"]["endCursor"]
        if not after:
            raise SourceError(f"stream {about}: more is announced and no cursor given", hint="report it to the vendor")
        guard.place(after)
        return after


class Within:
    """A connection of a record."""

    def __init__(self, shape: Shape, name: str, step: Step, inner: Selection) -> None:
        self.shape, self.name, self.step, self.inner = shape, name, step, inner
