"""Who imports whom, read from the source: imports inside functions count too, and are marked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """`module` imports `target`. `lazy`: inside a function. `typing`: only under TYPE_CHECKING."""

    module: str
    target: str
    line: int
    lazy: bool
    typing: bool


def modules(folder: Path, package: str = "") -> dict[str, Path]:
    """{dotted name: file} of all Python files under `folder`."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = (
            [package, *path.relative_to(folder).with_suffix("").parts]
            if package
            else [*path.relative_to(folder).with_suffix("").parts]
        )
        found[".".join(part for part in parts if part and part != "__init__")] = path
    return found


def imports(module: str, path: Path) -> Iterator[Import]:
    """All imports of one file. `from a import b` counts as `a.b`, so that submodules are seen."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from _walk(tree, module, lazy=False, typing=False)


def _walk(node: ast.AST, module: str, *, lazy: bool, typing: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for name in child.names:
                yield Import(module, name.name, child.lineno, lazy, typing)
        elif isinstance(child, ast.ImportFrom):
            for name in child.names:
                yield Import(module, f"{child.module}.{name.name}", child.lineno, lazy, typing)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _walk(ast.Module([part], []), module, lazy=lazy, typing=True)
            for part in child.orelse:
                yield from _walk(ast.Module([part], []), module, lazy=lazy, typing=typing)
        else:
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _walk(child, module, lazy=lazy or inside, typing=typing)


def within(target: str, package: str) -> bool:
    """Whether a dotted name is that package or below it."""
    return target == package or target.startswith(f"{package}.")


def reads_environment(path: Path) -> list[int]:
    """Lines that touch os.environ, os.environb, os.getenv, os.putenv or os.unsetenv."""
    words = {"environ", "environb", "getenv", "putenv", "unsetenv"}
    lines = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in words
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
        ):
            lines.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module == "os" and {n.name for n in node.names} & words:
            lines.append(node.lineno)
    return lines
