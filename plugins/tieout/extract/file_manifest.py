"""When a file is complete: a manifest that lists it, a marker or a checksum beside it, or quiet.

A manifest (JSON): {"batch_id", "as_of", "files": [{"name", "bytes", "sha256", "rows"}], "control_totals"}. With
`manifest_format: lines`: one file a line, `name;md5` or `name;bytes;sha256`, as some extract tools write. A file that a
manifest lists and that is not there yet is waited for; one that differs from its manifest is an error that names it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tieout.errors import SourceError
from tieout.extract.file_place import Found, Place
from tieout.spec_transports import Ready

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Told:
    """What is said of a file beforehand; None: nothing."""

    bytes: int | None = None
    digest: str | None = None
    rows: int | None = None


@dataclass
class Lot:
    """Files that belong together, all complete. `as_of`: when their maker cut them. `totals`: control sums over all."""

    name: str
    files: list[tuple[Found, Told]]
    as_of: datetime | None = None
    sequence: str = ""
    mode: str | None = None
    totals: dict[str, Decimal] = field(default_factory=dict)
    paper: Found | None = None


def complete(place: Place, listed: Sequence[Found], pattern: str, ready: Ready, now: datetime,
             ) -> tuple[list[Lot], list[str]]:
    """Lots that may be read, by name, and the names of files that are waited for. pattern: of the stream's files."""
    if ready.manifest:
        return _by_manifest(place, listed, pattern, ready)
    lots, waiting = [], []
    for one in listed:
        told = _told_beside(place, one, ready)
        quiet = not ready.marker and not ready.checksum and _is_restless(one, ready, now)
        if told is None or quiet:
            waiting.append(one.name)
        else:
            lots.append(Lot(one.name, [(one, told)]))
    return lots, waiting


def verify(place: Place, found: Found, told: Told, path: Path, sha256: str) -> None:
    """SourceError where the fetched file is not what was said of it."""
    where = f"{place.where}: {found.name}"
    if told.bytes is not None and told.bytes != found.bytes:
        raise SourceError(f"{where}: {found.bytes:,} bytes, its manifest says {told.bytes:,}",
                          hint="nothing of it was landed; let it be delivered again, with its manifest")
    if told.digest is None:
        return
    kind = {32: "md5", 40: "sha1", 64: "sha256"}.get(len(told.digest))
    if kind is None:
        raise SourceError(f"{where}: {told.digest!r} is no checksum (md5, sha1 or sha256 in hexadecimal)")
    seen = sha256 if kind == "sha256" else _digest(path, kind)
    if seen.lower() != told.digest.lower():
        raise SourceError(f"{where}: its {kind} is {seen}, {told.digest} was announced",
                          hint="nothing of it was landed; it was damaged or changed on its way")


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


def _told_beside(place: Place, one: Found, ready: Ready) -> Told | None:
    """What files beside this one say; None while they are not there."""
    if ready.marker and not place.find(_beside(one, ready.marker)):
        return None
    if not ready.checksum:
        return Told()
    if not (found := place.find(_beside(one, ready.checksum))):
        return None
    words = place.read(found[0]).decode("utf-8-sig", "replace").split()
    if not words:
        return None  # created, not written yet
    return Told(digest=words[0])


def _beside(one: Found, pattern: str) -> str:
    """The path of a sidecar; marks of a pattern in the name itself mean themselves."""
    path = PurePosixPath(one.name)
    name = "".join(f"[{c}]" if c in "*?[" else c for c in path.name)
    stem = name.split(".")[0]
    return str(path.parent / pattern.replace("{name}", name).replace("{stem}", stem))


def _is_restless(one: Found, ready: Ready, now: datetime) -> bool:
    """Written to a moment ago. A stamp of the future is a wrong clock, and no reason to wait for ever."""
    if one.modified_at is None:
        return False
    stamp = one.modified_at if one.modified_at.tzinfo else one.modified_at.replace(tzinfo=UTC)
    age = (now - stamp).total_seconds()
    return -1 <= age < ready.quiet.total_seconds()


def _by_manifest(place: Place, listed: Sequence[Found], pattern: str, ready: Ready) -> tuple[list[Lot], list[str]]:
    """A manifest may list the files of several streams: those that the stream's pattern takes are its own."""
    at_hand = {one.name: one for one in listed}
    lots, waiting, claimed = [], [], set()
    for paper in place.find(ready.manifest or ""):
        lot = _read(place, paper, ready)
        base = PurePosixPath(paper.name).parent
        every = {str(base / name): told for name, told in lot.pop("files").items()}
        names = {name: told for name, told in every.items() if fnmatch.fnmatchcase(name, pattern)}
        claimed |= names.keys()
        if not names:
            continue  # another stream's manifest
        if len(names) < len(every):
            lot["totals"] = {}  # they are of other files too
        ours = [(at_hand[name], told) for name, told in names.items() if name in at_hand]
        if missing := sorted(names.keys() - at_hand.keys()):
            waiting += missing
            continue
        lots.append(Lot(paper.name, ours, paper=paper, **lot))
    return lots, waiting + sorted(at_hand.keys() - claimed)


def _read(place: Place, paper: Found, ready: Ready) -> dict[str, Any]:
    where = f"{place.where}: {paper.name}"
    try:
        text = place.read(paper).decode("utf-8-sig")
        found = _lines(text) if ready.manifest_format == "lines" else _json(text)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise SourceError(f"{where}: is no manifest that can be read: {type(error).__name__}: {error}",
                          hint="what a manifest holds: docs/proprietary-systems.md") from error
    for name in found["files"]:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise SourceError(f"{where}: lists {name!r}, which leads out of its folder", hint="nothing was read")
    return found


def _json(text: str) -> dict[str, Any]:
    data = json.loads(text, parse_float=Decimal, parse_int=int)
    files = {}
    for one in data["files"]:
        if one["name"] in files:
            raise ValueError(f"lists {one['name']!r} twice")
        files[one["name"]] = Told(one.get("bytes"), one.get("sha256") or one.get("md5"), one.get("rows"))
    as_of = datetime.fromisoformat(data["as_of"]) if data.get("as_of") else None
    if as_of is not None and as_of.tzinfo is None:
        raise ValueError("as_of has no offset; write 2026-03-31T23:59:59Z")
    totals = {name: Decimal(value) for name, value in (data.get("control_totals") or {}).items()}
    sequence = f"{as_of.astimezone(UTC).isoformat()}|" if as_of else ""
    return {"files": files, "as_of": as_of, "mode": data.get("mode"), "totals": totals,
            "sequence": f"{sequence}{data.get('batch_id', '')}" if as_of or data.get("batch_id") else ""}


def _lines(text: str) -> dict[str, Any]:
    files = {}
    for line in text.splitlines():
        words = [word.strip() for word in line.split(";")]
        if not words[0]:
            continue
        digest = words[-1] if len(words) > 1 and len(words[-1]) in (32, 40, 64) else None
        size = next((int(word) for word in words[1:] if word.isdigit() and word != digest), None)
        files[words[0]] = Told(size, digest)
    if not files:
        raise ValueError("lists no file")
    return {"files": files}
