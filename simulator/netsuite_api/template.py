"""Query text → (text with placeholders, values), so that pages of one query differ only in values.

A connector that pages by key sends thousands of queries that are the same but for a number; each shape is parsed once.
Lists after IN become one placeholder, numbers after a comparison another; all other literals stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from simulator.netsuite_api.errors import unsupported

Values = dict[str, "int | Decimal | list[str]"]

_LITERAL = r"(?:'(?:[^']|'')*'|[+-]?\d+(?:\.\d+)?)"
_PART = re.compile(
    rf"""(?P<string>'(?:[^']|'')*')
       | (?P<quoted>"[^"]*")
       | (?P<comment>--[^\n]*|/\*.*?\*/)
       | (?P<list>\bIN\s*\(\s*(?P<items>{_LITERAL}(?:\s*,\s*{_LITERAL})*)\s*\))
       | (?P<compared>(?P<operator><=|>=|<>|!=|=|<|>)\s*(?P<number>-?\d+(?:\.\d+)?)(?![\w.]))
       | (?P<limit>\bLIMIT\b)
       | (?P<placeholder>[:?@]\w*)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_ITEM = re.compile(_LITERAL)


@dataclass(frozen=True)
class Template:
    """`text` is the key of the cache."""

    text: str
    values: Values


def template(query: str) -> Template:
    """Take the values out. NetSuiteError for LIMIT, which SuiteQL does not have, and for placeholders."""
    values: Values = {}

    def replaced(found: re.Match[str]) -> str:
        if found["comment"]:
            return " "
        if found["limit"] or found["placeholder"]:
            raise unsupported(found.group())
        if found["list"]:
            name = f"l{len(values)}"
            values[name] = [_content(item) for item in _ITEM.findall(found["items"])]
            return f"IN (:{name})"
        if found["compared"]:
            name = f"n{len(values)}"
            number = found["number"]
            values[name] = Decimal(number) if "." in number else int(number)
            return f"{found['operator']} :{name}"
        return found.group()

    return Template(_PART.sub(replaced, query), values)


def _content(literal: str) -> str:
    return literal[1:-1].replace("''", "'") if literal.startswith("'") else literal
