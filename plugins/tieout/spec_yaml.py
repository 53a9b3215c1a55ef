"""YAML, read once and strictly: an error names file, line and key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from yaml import CSafeLoader, MappingNode, Node, SequenceNode, YAMLError
from yaml.constructor import ConstructorError

from tieout.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
RENAMED = {"declared": "streams"}  # a model's word → the file's


class Misplaced(ValueError):
    """Problems that a model finds deeper in the file than where it looks: `loc` leads to them from the model."""

    def __init__(self, loc: Sequence[str | int], problems: Sequence[Any] | str, value: Any = None) -> None:
        self.loc = tuple(loc)
        self.problems = [{"loc": (), "msg": problems, "input": value}] if isinstance(problems, str) else [*problems]
        super().__init__("; ".join(str(one["msg"]) for one in self.problems))


class Loader(CSafeLoader):
    """YAML 1.2's core schema, dates and merges: `no` is a word and `007` a string, a key stands once.

    The parser in C: a DAG file reads every connection's source whenever Airflow parses it.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[str, Any]:
        """Keys are strings; the second of two equal ones is an error."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise ConstructorError(None, None, f'found duplicate key "{key.value}"', key.start_mark)
            seen.add(key.value)
        return {str(key): value for key, value in super().construct_mapping(node, deep=deep).items()}


SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "0123456789"),
    ("merge", "<<", "<"),
)
for word, pattern, first in SCALARS:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{word}", re.compile(rf"(?:{pattern})\Z"), list(first))


def parse(path: Path, model: type[Model]) -> Model:
    """Read YAML strictly (no duplicate keys) into `model`; an error names file, line and key."""
    loader = Loader(path.read_text(encoding="utf-8"))
    try:
        root = loader.get_single_node()
        data = loader.construct_document(root) if root else None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: {getattr(error, 'problem', error)}", hint="mend the YAML") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [one for problem in error.errors() for one in _spread(problem)]
        raise ConfigError("\n".join(_located(path, root, problem) for problem in problems)) from None


def _spread(problem: Any) -> Iterator[Any]:
    """A problem, or those that a Misplaced one carries, at their own places."""
    told = (problem.get("ctx") or {}).get("error")
    if not isinstance(told, Misplaced):
        yield problem
        return
    for inner in told.problems:
        for one in _spread(inner):
            yield {**one, "loc": (*problem["loc"], *told.loc, *one["loc"])}


def _located(path: Path, node: Node | None, problem: Any) -> str:
    """`file:line: key.path: message`, with the line of the deepest node that the location reaches."""
    line, trail = 1, []
    for step in problem["loc"]:
        trail.append(str(step))
        if isinstance(node, MappingNode):
            entries = {str(key.value): (key, value) for key, value in node.value}
            if step not in entries and RENAMED.get(step) in entries:
                step = trail[-1] = RENAMED[step]
            if step == 0 and trail[-3:-2] == ["contracts"]:
                trail.pop()  # a contract with one mapping is no list in the file
                continue
            if isinstance(step, int) and step < len(entries):
                step = trail[-1] = list(entries)[step]  # streams and columns are mappings in YAML, lists in the model
            if step not in entries:
                break
            key, node = entries[step]
            line = key.start_mark.line + 1
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    message = problem["msg"].removeprefix("Value error, ")
    value = problem.get("input")
    shown = f" (got {value!r})" if isinstance(value, (str, int, float, bool)) else ""
    return f"{path}:{line}: {'.'.join(trail)}: {message}{shown}"
