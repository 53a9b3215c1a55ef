"""SOQL text → syntax tree. Names are not looked up here: see `compile`.

Grammar: SELECT list FROM object [alias] [WHERE] [GROUP BY] [ORDER BY] [LIMIT] [OFFSET]. As at Salesforce, AND and OR do
not mix without parentheses, dates and stamps are bare, strings are in single quotes with backslash escapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal as OneOf

from simulator.salesforce_api.errors import located, malformed

MAX_LENGTH = 100_000
_TOKEN = re.compile(
    r"""(?P<blank>\s+)
      | (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
      | (?P<date>\d{4}-\d\d-\d\d(?![\dT]))
      | (?P<number>[+-]?\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::\d+)?)
      | (?P<sign>!=|<>|<=|>=|[=<>(),])""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_AGGREGATES = {"COUNT", "COUNT_DISTINCT", "SUM", "MIN", "MAX", "AVG"}
_CLAUSES = {"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "HAVING", "WITH", "FOR", "USING", "ALL"}

Kind = OneOf["string", "stamp", "date", "number", "boolean", "null", "relative"]


@dataclass(frozen=True)
class Token:
    """`upper` for comparing with keywords; `position` counts characters from 0."""

    kind: str
    text: str
    position: int

    @property
    def upper(self) -> str:
        return self.text.upper() if self.kind == "name" else self.text


@dataclass(frozen=True)
class Path:
    """A field, perhaps over parents: `Account.Owner.Name`."""

    steps: tuple[str, ...]
    position: int

    @property
    def text(self) -> str:
        return ".".join(self.steps)


@dataclass(frozen=True)
class Value:
    """A literal. `text` is the decoded content of a string, or the word as written; `pattern` is for LIKE, where an
    escaped wildcard stays escaped.
    """

    kind: Kind
    text: str
    position: int
    pattern: str = ""


@dataclass(frozen=True)
class Aggregate:
    """`COUNT()` has no path."""

    function: str
    path: Path | None
    alias: str | None
    position: int


@dataclass(frozen=True)
class Fields:
    """FIELDS(ALL | STANDARD | CUSTOM)."""

    which: str
    position: int


@dataclass(frozen=True)
class Children:
    """A sub-select over a child relationship in the select list."""

    query: Query


@dataclass(frozen=True)
class Compare:
    path: Path
    operator: str
    value: Value


@dataclass(frozen=True)
class Within:
    """`IN` a list of literals, or a semi-join."""

    path: Path
    negated: bool
    values: tuple[Value, ...] | Query


@dataclass(frozen=True)
class Not:
    condition: Condition


@dataclass(frozen=True)
class Both:
    """A chain of one connective."""

    connective: OneOf["AND", "OR"]
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Ordering:
    path: Path
    descending: bool
    nulls_last: bool


Condition = Compare | Within | Not | Both
Item = Path | Aggregate | Fields | Children


@dataclass(frozen=True)
class Query:
    """A parsed query; `source` is its text, for error messages."""

    source: str
    items: tuple[Item, ...]
    object: Token
    alias: str | None
    where: Condition | None
    group: tuple[Path, ...]
    order: tuple[Ordering, ...]
    limit: int | None
    offset: int | None

    @property
    def counts_only(self) -> bool:
        """`SELECT COUNT() FROM …`: no records, only `totalSize`."""
        return len(self.items) == 1 and isinstance(self.items[0], Aggregate) and self.items[0].path is None


def parse(text: str) -> Query:
    """The tree of a query. ApiError MALFORMED_QUERY with Salesforce's text otherwise."""
    if len(text) > MAX_LENGTH:
        raise malformed(f"SOQL statements cannot be longer than {MAX_LENGTH} characters.")
    parser = _Parser(text)
    query = parser.query()
    parser.end()
    return query


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0

    # --- reading tokens

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.next
        self.at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Consume these tokens if they come next."""
        ahead = self.tokens[self.at:self.at + len(words)]
        if len(ahead) == len(words) and all(t.upper == word for t, word in zip(ahead, words, strict=True)):
            self.at += len(words)
            return True
        return False

    def expect(self, word: str) -> Token:
        if self.next.upper != word:
            raise self.unexpected()
        return self.take()

    def unexpected(self) -> Exception:
        token = self.next
        if token.kind == "end":
            return malformed(located(self.text, token.position, "unexpected token: '<EOF>'"))
        return malformed(located(self.text, token.position, f"unexpected token: '{token.text}'"))

    def end(self) -> None:
        if self.next.kind != "end":
            raise self.unexpected()

    # --- clauses

    def query(self) -> Query:
        self.expect("SELECT")
        items = [self.item()]
        while self.accept(","):
            items.append(self.item())
        self.expect("FROM")
        source = self.name()
        alias = None
        if self.next.kind == "name" and self.next.upper not in _CLAUSES:
            alias = self.take().text
        where = self.condition() if self.accept("WHERE") else None
        group = self.paths() if self.accept("GROUP", "BY") else ()
        order = self.orderings() if self.accept("ORDER", "BY") else ()
        limit = self.count() if self.accept("LIMIT") else None
        offset = self.count() if self.accept("OFFSET") else None
        return Query(self.text, tuple(items), source, alias, where, group, order, limit, offset)

    def item(self) -> Item:
        start = self.next
        if self.accept("("):
            inner = self.query()
            self.expect(")")
            return Children(inner)
        if start.kind == "name" and self.tokens[self.at + 1].text == "(":
            return self.call()
        return self.path()

    def call(self) -> Item:
        word = self.take()
        self.expect("(")
        if word.upper == "FIELDS":
            which = self.take().upper
            self.expect(")")
            if which not in ("ALL", "STANDARD", "CUSTOM"):
                raise malformed(located(self.text, word.position, f"unexpected token: '{which}'"))
            return Fields(which, word.position)
        if word.upper not in _AGGREGATES:
            raise malformed(located(self.text, word.position, f"Unknown function: {word.text}"))
        path = None if self.next.text == ")" and word.upper == "COUNT" else self.path()
        self.expect(")")
        alias = self.take().text if self.next.kind == "name" and self.next.upper not in _CLAUSES else None
        return Aggregate(word.upper, path, alias, word.position)

    def path(self) -> Path:
        token = self.name()
        return Path(tuple(token.text.split(".")), token.position)

    def name(self) -> Token:
        if self.next.kind != "name" or ":" in self.next.text or self.next.upper in ("FROM", "WHERE", "SELECT"):
            raise self.unexpected()
        return self.take()

    def paths(self) -> tuple[Path, ...]:
        found = [self.path()]
        while self.accept(","):
            found.append(self.path())
        return tuple(found)

    def orderings(self) -> tuple[Ordering, ...]:
        found = [self.ordering()]
        while self.accept(","):
            found.append(self.ordering())
        return tuple(found)

    def ordering(self) -> Ordering:
        path = self.path()
        descending = self.accept("DESC")
        if not descending:
            self.accept("ASC")
        nulls_last = self.accept("NULLS", "LAST")
        if not nulls_last:
            self.accept("NULLS", "FIRST")
        return Ordering(path, descending, nulls_last)

    def count(self) -> int:
        if self.next.kind != "number" or not self.next.text.isdigit():
            raise self.unexpected()
        return int(self.take().text)

    # --- conditions

    def condition(self) -> Condition:
        parts = [self.negation()]
        connective = self.next.upper if self.next.upper in ("AND", "OR") else None
        while connective and self.accept(connective):
            parts.append(self.negation())
        if self.next.upper in ("AND", "OR"):  # the other one: Salesforce wants parentheses
            raise self.unexpected()
        return parts[0] if connective is None else Both(connective, tuple(parts))

    def negation(self) -> Condition:
        if self.accept("NOT"):
            return Not(self.negation())
        if self.accept("("):
            inner = self.condition()
            self.expect(")")
            return inner
        return self.comparison()

    def comparison(self) -> Condition:
        path = self.path()
        negated = self.accept("NOT", "IN")
        if negated or self.accept("IN"):
            return Within(path, negated, self.list_or_query())
        if self.accept("LIKE"):
            return Compare(path, "LIKE", self.value())
        if self.next.text not in ("=", "!=", "<>", "<", "<=", ">", ">="):
            raise self.unexpected()
        operator = self.take().text
        return Compare(path, "!=" if operator == "<>" else operator, self.value())

    def list_or_query(self) -> tuple[Value, ...] | Query:
        self.expect("(")
        if self.next.upper == "SELECT":
            inner = self.query()
            self.expect(")")
            return inner
        values = [self.value()]
        while self.accept(","):
            values.append(self.value())
        self.expect(")")
        return tuple(values)

    def value(self) -> Value:
        token = self.take()
        if token.kind == "string":
            inside = token.text[1:-1]
            return Value("string", _decode(inside), token.position, _decode(inside, keep="%_\\"))
        if token.kind in ("stamp", "date", "number"):
            return Value(token.kind, token.text, token.position)  # type: ignore[arg-type]
        if token.upper == "NULL":
            return Value("null", "", token.position)
        if token.upper in ("TRUE", "FALSE"):
            return Value("boolean", token.upper, token.position)
        if token.kind == "name" and "." not in token.text:
            return Value("relative", token.upper, token.position)
        self.at -= 1
        raise self.unexpected()


def _decode(text: str, keep: str = "") -> str:
    def decoded(found: re.Match[str]) -> str:
        return found[0] if found[1] in keep else _ESCAPES.get(found[1], found[1])

    return re.sub(r"\\(.)", decoded, text, flags=re.DOTALL)


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise malformed(located(text, at, f"line 1:{at} no viable alternative at character '{text[at]}'"))
        if match.lastgroup != "blank":
            found.append(Token(match.lastgroup or "", match.group(), at))
        at = match.end()
    found.append(Token("end", "", len(text)))
    return found
