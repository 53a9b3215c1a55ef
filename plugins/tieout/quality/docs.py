"""Data Docs: Great Expectations' static HTML, one folder per check, the last KEEP checks of each stage kept.

The pages are Great Expectations' own and ask public CDNs for their style when a browser opens them; nothing is sent.
"""

from __future__ import annotations

import html
import shutil
from pathlib import Path

from tieout import settings
from tieout.quality.suites import Stage

KEEP = 20


def folder(stage: Stage, run_id: int) -> Path:
    """The empty folder for the Data Docs of one check."""
    place = _root() / f"{stage}-{run_id:08d}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def close() -> Path:
    """Drop what is older than KEEP checks per stage; write the list of the rest. Returns its path."""
    for place in _root().glob("*-????????"):
        _share_static(place)
    places = []
    for stage in ("landing", "marts"):
        ours = sorted(_root().glob(f"{stage}-????????"), reverse=True)
        for old in ours[KEEP:]:
            shutil.rmtree(old, ignore_errors=True)
        places += ours[:KEEP]
    places.sort(key=lambda place: (place.name.split("-")[1], place.name), reverse=True)
    items = "\n".join(
        f'<li><a href="{html.escape(place.name)}/index.html">run {int(place.name.split("-")[1])}: '
        f'{html.escape(place.name.split("-")[0])}</a></li>' for place in places)
    index = _root() / "index.html"
    head = '<!doctype html><meta charset="utf-8"><title>Tieout gates</title><h1>Gates</h1>'
    index.write_text(f"{head}\n<ul>\n{items}\n</ul>\n", encoding="utf-8")
    return index


def _share_static(place: Path) -> None:
    """Fonts and styles are 5 MB and the same for every check: kept once, beside the folders."""
    ours, shared = place / "static", _root() / "static"
    if not ours.is_dir() or ours.is_symlink():
        return
    shutil.rmtree(shared, ignore_errors=True)
    ours.rename(shared)
    ours.symlink_to(Path("..") / "static", target_is_directory=True)


def _root() -> Path:
    return settings.settings().home / "data_docs"
