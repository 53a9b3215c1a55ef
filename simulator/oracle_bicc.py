"""File extracts (BICC) of the same rows."""

from __future__ import annotations

from pathlib import Path


def drop(folder: Path, target: Path) -> None:
    """Deliver extracts of `folder` to `target`."""
    raise NotImplementedError
