"""What filters of OData 2 and 4 have in common: words joined by `and`, `or`, `not` and parentheses.

What a condition is, and how a service refuses one, its version says (`sap_api.filters`, `odata_v4`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar

SIGNS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class Grammar(ABC):
    """A filter's SQL and its values. A version's words for what is wrong: `left`, `short` and `strange`."""

    token: ClassVar[re.Pattern[str]]
    left: ClassVar[str] = "unexpected '{}'"
    short: ClassVar[str] = "it ends too early"
    strange: ClassVar[str] = "at position {}"

    def __init__(self, text: str) -> None:
        self.values: list[Any] = []
        self._tokens, self._at = self._split(text.strip()), 0
        self.sql = self._either()
        if self._at < len(self._tokens):
            raise self._refusal(self.left.format(self._tokens[self._at]))

    @abstractmethod
    def _condition(self, word: str) -> str:
        """The SQL of a condition that begins with `word`."""

    @abstractmethod
    def _refusal(self, problem: str) -> Exception:
        """The service's own error."""

    def _either(self) -> str:
        found = self._both()
        while self._take("or"):
            found = f"({found} OR {self._both()})"
        return found

    def _both(self) -> str:
        found = self._one()
        while self._take("and"):
            found = f"({found} AND {self._one()})"
        return found

    def _one(self) -> str:
        if self._take("not"):
            return f"NOT ({self._one()})"
        if self._take("("):
            found = self._either()
            self._need(")")
            return found
        return self._condition(self._next())

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise self._refusal(self.short)
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, word: str) -> bool:
        if self._peek() == word:
            self._at += 1
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self._refusal(f"'{word}' expected at '{self._peek()}'")

    def _split(self, text: str) -> list[str]:
        found, at = [], 0
        while at < len(text):
            match = self.token.match(text, at)
            if match is None or match.end() == at:
                raise self._refusal(self.strange.format(at))
            found.append(next(group for group in match.groups() if group is not None))
            at = match.end()
            while at < len(text) and text[at] == " ":
                at += 1
        return found
