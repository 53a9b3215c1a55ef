"""What an erasure looks for, and in which spellings: plain, in JSON, in HTML, in URLs; upper and lower case alike.

Only values that tell one person are looked for everywhere. A town, a first name or a bare number is somebody else's,
too: those go from the person's own records alone.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, quote_plus

SHORTEST = 6  # characters; anything shorter stands in other words by chance
_DIGITS = 6


def tells(value: str) -> bool:
    """Whether a value tells one person: several words, an address of mail, a phone's +, a number with letters."""
    text = value.strip()
    letters, digits = sum(c.isalpha() for c in text), sum(c.isdigit() for c in text)
    if len(text) < SHORTEST:
        return False
    if text.startswith("+"):
        return digits >= _DIGITS
    return letters > 0 and (len(text.split()) > 1 or "@" in text or "." in text or digits >= _DIGITS)


@dataclass(frozen=True)
class Words:
    """The values to look for; `mark` stands in their place. `beside`: values that are the person's only in a row of a
    table that holds one of the others, as towns and postal codes are.
    """

    values: tuple[str, ...]
    mark: str
    beside: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.values)

    @property
    def plain(self) -> str:
        """A regular expression, as Postgres and Python read it, over text as it is."""
        return _pattern(self.values)

    @property
    def in_json(self) -> str:
        """The same over JSON text, whose quotes and letters may be escaped."""
        return _pattern({said for value in self.values for said in _in_json(value)})

    @cached_property
    def anywhere(self) -> re.Pattern[str]:
        """All spellings, for files of any kind."""
        found = {said for value in self.values for said in (value, *_in_json(value), html.escape(value, quote=False),
                                                            html.escape(value), quote(value), quote(value, safe=""),
                                                            quote_plus(value))}
        found |= {said for value in [*found] for said in _in_json(value)}  # JSON in JSON, HTML in JSON
        return re.compile(_pattern(found, alone=False), re.IGNORECASE)

    @cached_property
    def cells(self) -> re.Pattern[str]:
        """A cell of a line of CSV that says what stands beside."""
        said = "|".join(sorted((re.escape(value.replace('"', '""')) for value in self.beside), key=len, reverse=True))
        return re.compile(rf'(?:(?<=,)|^)("?)(?:{said})\1(?=,|\r?$)', re.IGNORECASE | re.MULTILINE)

    def of_csv(self, text: str) -> str:
        """CSV without them, and without what stands beside them in their lines."""
        lines = text.split("\n")
        for at, line in enumerate(lines):
            new = self.of(line)
            if self.values and self.mark in new:
                lines[at] = self.cells.sub(self.mark, new) if self.beside else new
        return self.of("\n".join(lines))

    @cached_property
    def _json(self) -> re.Pattern[str]:
        return re.compile(self.in_json, re.IGNORECASE)

    def of_json(self, text: str) -> str:
        """JSON text without them."""
        return self._json.sub(self.mark, text) if self.values else text

    def of(self, text: str) -> str:
        """A text without them."""
        return self.anywhere.sub(self.mark, text) if self.values else text


def _in_json(value: str) -> tuple[str, str]:
    return json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]


def _pattern(values: Iterable[str], *, alone: bool = True) -> str:
    """The longest first; words may be parted by any blanks. `alone`: no digit goes on where a value begins or ends with
    one, so that a number is not found within another.
    """
    told = sorted({value.strip() for value in values if value.strip()}, key=lambda value: (-len(value), value))
    said = []
    for value in told:
        text = r"\s+".join(_escaped(word) for word in value.split())
        before, behind = (alone and value[at].isdigit() for at in (0, -1))
        said.append(r"(?<!\d)" * before + text + r"(?!\d)" * behind)
    return "|".join(said)


def _escaped(word: str) -> str:
    return re.sub(r"([^\w\s])", r"\\\1", word)


def full_names(names: Iterable[tuple[str | None, str | None]]) -> set[str]:
    """First and last name as people write them together."""
    return {said for first, last in names if first and last
            for said in (f"{first} {last}", f"{last} {first}", f"{last}, {first}")}
