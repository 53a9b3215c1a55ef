"""Items for tests of matching, and a result as sets that can be compared."""

from __future__ import annotations

from typing import Any

from tieout.matching.engine import Result


def item(name: str, amount: Any, **more: Any) -> dict[str, Any]:
    """A record; euros unless it says otherwise."""
    return {"id": name, "amount": str(amount), "currency": "EUR", **more}


def groups_of(result: Result, status: str = "confirmed") -> set[tuple[frozenset[str], frozenset[str]]]:
    """{(left ids, right ids)} of all groups."""
    left, right = result.facts.left.ids.to_pylist(), result.facts.right.ids.to_pylist()
    found = set()
    for _, made in getattr(result, status):
        for group in range(made.count):
            ours = frozenset(left[row] for row in made.left[made.left_group == group])
            found.add((ours, frozenset(right[row] for row in made.right[made.right_group == group])))
    return found


def reasons_of(result: Result) -> set[tuple[str, str, int]]:
    """{(side, reason, minor units)} of all breaks."""
    found = result.breaks
    return set(zip(found.side.tolist(), found.reason.tolist(), found.amount.tolist(), strict=True))
