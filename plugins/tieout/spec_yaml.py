"""YAML, read once and strictly: an error names file, line and key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tieout.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
RENAMED = {"declared": "streams"}  # a model's word → the file's


class Misplaced(ValueError):
    """Problems that a model finds deeper in the file than where it looks: `loc` leads to them from the model."""

    def __init__(self, loc: Sequence[str | int], problems: Sequence[Any] | str, value: Any = None) -> None:
        self.loc = tuple(loc)
        self.problems = [{"loc": (), "msg": problems, "input": value}] if isinstance(problems, str) else [*problems]
        super().__init__("; ".join(str(one["msg"]) for one in self.problems))


def parse(path: Path, model: type[Model]) -> Model:
    """Read YAML strictly (no duplicate keys) into `model`; an error names file, line and key."""
    yaml = YAML(typ="rt")
    try:
        data = yaml.load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: {getattr(error, 'problem', error)}", hint="mend the YAML") from None
    try:
        return model.model_validate(_plain(data))
    except ValidationError as error:
        problems = [one for problem in error.errors() for one in _spread(problem)]
        raise ConfigError("\n".join(_located(path, data, problem) for problem in problems)) from None


def _spread(problem: Any) -> Iterator[Any]:
    """A problem, or those that a Misplaced one carries, at their own places."""
    told = (problem.get("ctx") or {}).get("error")
    if not isinstance(told, Misplaced):
        yield problem
        return
    for inner in told.problems:
        for one in _spread(inner):
            yield {**one, "loc": (*problem["loc"], *told.loc, *one["loc"])}


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


def _located(path: Path, data: Any, problem: Any) -> str:
    """`file:line: key.path: message`, with the line of the deepest node that the location reaches."""
    node, line, trail = data, 1, []
    for step in problem["loc"]:
        trail.append(str(step))
        keys = list(node) if isinstance(node, dict) else []
        if isinstance(node, dict) and step not in node and RENAMED.get(step) in node:
            step = RENAMED[step]
            trail[-1] = step
        if isinstance(node, dict) and step == 0 and trail[-3:-2] == ["contracts"]:
            trail.pop()  # a contract with one mapping is no list in the file
            continue
        if isinstance(node, dict) and isinstance(step, int) and step < len(keys):
            step = keys[step]  # streams and columns are mappings in YAML and lists in the model
            trail[-1] = str(step)
        if isinstance(node, dict) and step in node:
            line = node.lc.key(step)[0] + 1 if hasattr(node, "lc") else line
            node = node[step]
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            line = node.lc.item(step)[0] + 1 if hasattr(node, "lc") else line
            node = node[step]
        else:
            break
    message = problem["msg"].removeprefix("Value error, ")
    value = problem.get("input")
    shown = f" (got {value!r})" if isinstance(value, (str, int, float, bool)) else ""
    return f"{path}:{line}: {'.'.join(trail)}: {message}{shown}"
