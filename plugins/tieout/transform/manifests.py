"""A project as dbt parsed it, kept in a folder for the processes to come: half a second to read, twenty to parse.

dbt keeps one of its own, for one set of variables and one server's address. Here the file's name says all that the
parsed project depends on, so what is there is never stale, and several companies of one project find theirs.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tieout import logs

PARTS = ("models", "macros", "seeds", "tests")  # what a project is made of, beside its two files
MOST_KEPT = 50  # files of a megabyte
LIBRARIES = ("dbt-core", "dbt-common", "dbt-adapters", "dbt-postgres")
# of the file, of gzip, of msgpack, and of what dbt makes of it
UNREADABLE = (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError)
log = logs.logger(__name__)


def place(folder: Path, project: Path, *depends: Sequence[str] | str) -> Path:
    """The file in `folder` for this project, as its files are now, and for what else it depends on."""
    told = repr((str(project), *map(version, LIBRARIES), *depends, digest(project, files(project))))
    return folder / f"{hashlib.sha256(told.encode()).hexdigest()[:40]}.msgpack.gz"


def digest(project: Path, paths: Sequence[Path]) -> str:
    """Of what these files of the project say, and of where they lie."""
    told = hashlib.sha256()
    for path in paths:
        told.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes() + b"\0")
    return told.hexdigest()


def files(project: Path) -> list[Path]:
    """All files of the project, in the order of their names."""
    found = [path for part in PARTS for path in (project / part).rglob("*") if path.is_file()]
    return sorted([*found, *project.glob("*.yml")])


def read(path: Path) -> Any | None:
    """The parsed project (dbt's Manifest), or None where there is none that can be read."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    try:
        os.utime(path)  # the oldest are removed
        return Manifest.from_msgpack(gzip.decompress(path.read_bytes()), decoder=extended_mashumuro_decoder)
    except FileNotFoundError:
        return None
    except UNREADABLE as fault:
        log.warning("%s cannot be read (%s); the project is parsed anew", path, fault)
        return None


def keep(path: Path, manifest: Any) -> None:
    """Write the parsed project in one step, and remove the oldest beyond MOST_KEPT."""
    from dbt.parser.manifest import extended_mashumaro_encoder

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as written:
        written.write(gzip.compress(manifest.to_msgpack(extended_mashumaro_encoder), compresslevel=1))
    os.replace(name, path)
    kept = sorted(path.parent.glob("*.msgpack.gz"), key=_written, reverse=True)
    for old in kept[MOST_KEPT:]:
        old.unlink(missing_ok=True)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process removed it
        return 0.0
