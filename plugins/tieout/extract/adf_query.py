"""What requests to an ADF REST collection look like: pure text, nothing is sent from here.

`q` joins its conditions with `;`, which means AND; a text is quoted, and a quote in it doubled. A finder's variables
are joined with `,` and never quoted, so a value with a comma or semicolon cannot be said at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

from tieout.errors import ConfigError, SourceError

MOST_PARENTS = 40  # a parent's children come with it: few enough that an answer stays small
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def name(word: str) -> str:
    """An attribute's or resource's name, or ConfigError: names go into requests unquoted."""
    if not _NAME.fullmatch(word):
        raise ConfigError(f"{word!r} is not a name of a resource or attribute", hint="letters, digits and _ only")
    return word


def literal(value: object) -> str:
    """A value in `q`."""
    if isinstance(value, bool) or value is None:
        raise ConfigError(f"{value!r} cannot be compared in a query")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return f"'{stamp(value)}'"
    return "'" + str(value).replace("'", "''") + "'"


def stamp(moment: datetime) -> str:
    """An instant as the framework writes it: milliseconds and offset."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def window_conditions(field: str, start: datetime | None, end: datetime) -> tuple[str, ...]:
    """`start <= field < end`, widened to whole milliseconds."""
    if end.microsecond % 1000:
        end += timedelta(milliseconds=1)
    low = () if start is None else (f"{name(field)}>={literal(start)}",)
    return (*low, f"{name(field)}<{literal(end)}")


def conjunction(conditions: Iterable[str]) -> str:
    """The parameter `q`."""
    return ";".join(condition for condition in conditions if condition)


def finder_text(template: str, values: Mapping[str, str], renamed: Mapping[str, str]) -> str:
    """The parameter `finder`: the template with its values, and variables under the name that this pod knows."""
    for word, value in values.items():
        if re.search(r"[;,=]", value):
            raise ConfigError(f"the value {value!r} of {word} cannot be given to a finder",
                              hint="a finder's values are not quoted: no comma, semicolon or equals sign")
    head, _, variables = template.format_map(values).partition(";")
    pairs = [pair.partition("=") for pair in variables.split(",") if pair]
    return f"{head};" + ",".join(f"{renamed.get(word, word)}={value}" for word, _, value in pairs)


def number(value: object, what: str) -> int:
    """A surrogate key, which comes as a number or (framework version 9) as text; SourceError for anything else."""
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", text):
        raise SourceError(f"{what}: {text[:40]!r} is not a key", hint="surrogate keys are whole numbers")
    return int(text)


def chunks(ids: Iterable[str], what: str, most: int = MOST_PARENTS) -> Iterator[tuple[str, ...]]:
    """Parents' keys in groups, each checked to be a number."""
    group: list[str] = []
    for each in ids:
        number(each, what)
        group.append(each)
        if len(group) == most:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)


def combinations(factors: Sequence[Sequence[Mapping[str, str]]], differ: Sequence[str]) -> Iterator[dict[str, str]]:
    """Every combination of one mapping of each factor, once; without those whose `differ` words are equal."""
    seen: set[tuple[tuple[str, str], ...]] = set()
    for chosen in product(*factors):
        values: dict[str, str] = {}
        for part in chosen:
            values.update(part)
        if len(differ) > 1 and len({values.get(word) for word in differ}) == 1:
            continue
        if (known := tuple(sorted(values.items()))) not in seen:
            seen.add(known)
            yield values


def stretches(first: date, last: date, days: int, words: Sequence[str]) -> list[dict[str, str]]:
    """The days from `first` to `last` in stretches of at most `days`, as {start word: …, end word: …}."""
    found, low = [], first
    while low <= last:
        high = min(low + timedelta(days=days - 1), last)
        found.append({words[0]: low.isoformat(), words[1]: high.isoformat()})
        low = high + timedelta(days=1)
    return found


def nested(path: str) -> tuple[str, ...]:
    """`journalHeaders.journalLines` → its names, checked."""
    return tuple(name(word) for word in path.split("."))


def expansion(path: tuple[str, ...]) -> str:
    """The parameter `expand` of a child below the resource: a nested child brings its parents."""
    return ".".join(path)


def listing(value: Any, where: str) -> list[str]:
    """An option that is a list of words, or one word."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, (list, tuple)) or not all(isinstance(each, (str, int)) for each in found):
        raise ConfigError(f"{where} must be a list of words, not {value!r}")
    return [str(each) for each in found]
