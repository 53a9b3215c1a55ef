"""What a vendor's signed body tells of events: whose they are and what they are about. Nothing else of it is read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tieout.spec import EventForm


def events(body: bytes, forms: Iterable[EventForm]) -> list[tuple[str, str]] | None:
    """(sender, topic) of each event, in whichever of the forms it is told. None where the body is no JSON.

    What is of no form is not there: a vendor may tell more, and otherwise, some day.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = []
    for form in forms:
        for each in _records(told, form.records):
            for event in _records(each, form.below):
                sender, topic = _at(each, form.sender), _at(event, form.topic)
                if isinstance(sender, str | int) and isinstance(topic, str):
                    found.append((str(sender), topic))
    return found


def _records(value: Any, path: str) -> list[Any]:
    """The objects at a path: of a list, or the one that stands there."""
    found = _at(value, path) if path else value
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def _at(value: Any, path: str) -> Any:
    for word in path.split("."):
        value = value.get(word) if isinstance(value, dict) else None
    return value
