"""Suites: what `expectations/**/*.yml` declares, read strictly.

One file per table or family of tables. Great Expectations drops an expectation whose type it does not know and passes;
here every mistake is a ConfigError with file, line and key: an unknown word, type, argument, table, seed or setting, an
id used twice, a suite without expectations, a statement that reads a column marked as personal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ruamel.yaml import YAML

from tieout import settings
from tieout.errors import ConfigError
from tieout.quality import statements
from tieout.spec import SOURCES, load_source, parse, shipped

Stage = Literal["landing", "marts"]
Severity = Literal["critical", "warning"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,59}$")]
Table = Annotated[str, Field(pattern=r"^(raw|marts|ops)\.[a-z][a-z0-9_]*$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BlockWhen(_Frozen):
    """Fails where sum(`amount`) is more than `above_pct` percent of sum(`of`), per group of the columns `by`.

    `amount` and `of` are SQL expressions over the table's rows; `above_pct` is a number or the name of a setting.
    """

    amount: str
    of: str
    by: tuple[str, ...] = ()
    above_pct: int | str


class Expectation(_Frozen):
    """One check. `type` is Great Expectations' name, or one of ours:

    `tieout_sql`: `statement` returns the offending rows; placeholders: see `quality.statements`.
    `tieout_share`: `block_when` weighs an amount against another.
    """

    id: Name
    type: str
    kwargs: dict[str, Any] = {}
    statement: str | None = None
    block_when: BlockWhen | None = None
    severity: Severity = "critical"
    why: str = ""

    @model_validator(mode="after")
    def _words_fit_type(self) -> Expectation:
        wanted = {"tieout_sql": "statement", "tieout_share": "block_when"}.get(self.type)
        for word in ("statement", "block_when"):
            given = getattr(self, word) is not None
            if given != (word == wanted):
                raise ValueError(f"type {self.type} {'takes no' if given else 'needs a'} {word!r}")
        if wanted and self.kwargs:
            raise ValueError(f"type {self.type} takes no 'kwargs'")
        return self


class SuiteFile(_Frozen):
    """A file: one `table`, `tables` that share all the expectations, or `every: landed` one of every shipped source."""

    table: Table | None = None
    tables: tuple[Table, ...] = ()
    every: Literal["landed"] | None = None
    stage: Stage
    key: tuple[str, ...] = ()
    expectations: tuple[Expectation, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_or_many(self) -> SuiteFile:
        if sum(map(bool, (self.table, self.tables, self.every))) != 1:
            raise ValueError("exactly one of 'table', 'tables' (not empty) and 'every' is needed")
        if len(set(self.tables)) < len(self.tables):
            raise ValueError("a table is listed twice")
        return self


@dataclass(frozen=True)
class Declared:
    """An expectation of one table, with the SQL that it runs (None for Great Expectations' own types) and its place."""

    spec: Expectation
    template: str | None
    where: str

    @property
    def id(self) -> str:
        return self.spec.id


@dataclass(frozen=True)
class Suite:
    """All that is expected of one table at one stage. `key`: what names a row in samples; never personal data.

    A landed table may be checked at stage `marts` too: what was landed must have reached the candidate.
    """

    table: str
    stage: Stage
    key: tuple[str, ...]
    expectations: tuple[Declared, ...]

    @property
    def name(self) -> str:
        """The table: suites are named by what they check."""
        return self.table


def load(folder: Path | None = None, stage: Stage | None = None) -> tuple[Suite, ...]:
    """Every suite under `folder` (default: settings), of one stage or of all, ordered by stage and table.

    Files that speak of the same table make one suite. Raises ConfigError, also when there is no expectation at all.
    """
    folder = folder or settings.settings().expectations
    paths = sorted(folder.rglob("*.yml"))
    if not paths:
        raise ConfigError(f"{folder} holds no suite", hint="a gate without expectations would always pass")
    found: dict[tuple[str, str], Suite] = {}
    for path in paths:
        for suite in _read(path):
            place = (suite.stage, suite.table)
            found[place] = _joined(found[place], suite) if place in found else suite
    chosen = tuple(found[place] for place in sorted(found) if stage in (None, place[0]))
    if not chosen:
        raise ConfigError(f"{folder} declares nothing for stage {stage}",
                          hint="a gate without expectations would always pass")
    return chosen


def _joined(first: Suite, second: Suite) -> Suite:
    known = {declared.id: declared.where for declared in first.expectations}
    for declared in second.expectations:
        if declared.id in known:
            raise ConfigError(
                f"{declared.where}: id {declared.id!r} is used for {first.table} at {known[declared.id]} too")
    return Suite(first.table, first.stage, first.key, first.expectations + second.expectations)


def _read(path: Path) -> list[Suite]:
    declared = parse(path, SuiteFile)
    lines = _Lines(path)
    seen: dict[str, str] = {}
    for index, expectation in enumerate(declared.expectations):
        if expectation.id in seen:
            raise ConfigError(
                f"{lines.at(index, 'id')}: id {expectation.id!r} is used twice; first at {seen[expectation.id]}")
        seen[expectation.id] = lines.at(index, "id")
    return [_suite(declared, table, lines) for table in _tables(declared)]


def _tables(declared: SuiteFile) -> tuple[str, ...]:
    if declared.every:
        return tuple(sorted(f"raw.{stream.table}" for source in shipped() for stream in source.streams))
    return (declared.table,) if declared.table else declared.tables


def _suite(declared: SuiteFile, table: str, lines: _Lines) -> Suite:
    schema = table.split(".")[0]
    if schema == "marts" and declared.stage == "landing":
        raise ConfigError(f"{lines.top('stage')}: {table} does not exist yet at stage landing")
    personal = _personal_columns(table)
    key = declared.key or (("_connection", "_key") if schema == "raw" else ())
    if shown := personal & set(key):
        raise ConfigError(f"{lines.top('key')}: {', '.join(sorted(shown))} of {table} is personal data; keys are shown")
    checks = []
    for index, spec in enumerate(declared.expectations):
        where = lines.at(index, "id")
        try:
            template = statements.template(spec.statement, spec.block_when)
        except ConfigError as error:
            raise ConfigError(f"{lines.at(index, 'statement', 'block_when')}: {error}") from None
        said = template or " ".join(map(str, spec.kwargs.values()))
        if shown := {column for column in personal if re.search(rf"\b{column}\b", said)}:
            raise ConfigError(f"{where}: {', '.join(sorted(shown))} of {table} is personal data",
                              hint="results and samples of gates are stored and shown")
        checks.append(Declared(spec, template, where))
    return Suite(table, declared.stage, key, tuple(checks))


def _personal_columns(table: str) -> set[str]:
    """Columns of a landed table that its source marks `pii`."""
    schema, name = table.split(".")
    system = name.split("__")[0]
    if schema != "raw" or not (SOURCES / system / "source.yml").is_file():
        return set()
    streams = [stream for stream in load_source(system).streams if stream.table == name]
    return {column.name for stream in streams for column in stream.columns if column.pii}


class _Lines:
    """Where in the file an expectation's word stands, for errors that pydantic cannot see."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = YAML(typ="rt").load(path.read_text(encoding="utf-8"))

    def at(self, index: int, *words: str) -> str:
        node = self.data["expectations"][index]
        word = next((word for word in words if word in node), None)
        line = node.lc.key(word)[0] if word else node.lc.line
        return f"{self.path}:{line + 1}"

    def top(self, word: str) -> str:
        line = self.data.lc.key(word)[0] if word in self.data else 0
        return f"{self.path}:{line + 1}"
