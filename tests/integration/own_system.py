"""A company's own system in a folder: writes drops, makes the connection, lands, and looks."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

from tieout.landing.ledger import LoadResult
from tieout.landing.windows import land_connection
from tieout.spec import Company, Connection
from tieout.warehouse import connect, migrate

QUIET = {"quiet": "0s"}
ORDERS: dict[str, Any] = {
    "key": ["order_no"], "control_totals": ["net"],
    "columns": {"order_no": "text", "day": "date", "net": "amount", "currency": "text"},
    "options": {"files": "orders*.csv*"},
}


def company(folder: Path | str, streams: dict[str, Any], *, name: str = "shop", auth: str = "none", role: str = "crm",
            **options: Any) -> Company:
    """A company with one connection that reads files below `folder`; `options` over those of a quiet folder."""
    return Company.model_validate({"version": 1, "connections": {name: {
        "system": "generic", "protocol": "files", "role": role, "auth": auth, "time_zone": "Europe/Berlin",
        "streams": streams, "options": {"url": str(folder), "ready": QUIET, **options}}}})


def connected(folder: Path | str, streams: dict[str, Any], **options: Any) -> Connection:
    """Its connection, with its tables made."""
    made = company(folder, streams, **options)
    migrate(made)
    return next(iter(made.connections.values()))


def land(connection: Connection, *, full: bool = False, secrets: dict[str, str] | None = None,
         ) -> dict[str, LoadResult]:
    """Land all streams; {stream: what happened}."""
    from tieout.extract.open import open_extractor

    with open_extractor(connection, secrets or {}) as extractor:
        found = land_connection(connection, None, full=full, extractor=extractor)
    return {one.stream: one for one in found}


def figures(result: LoadResult) -> tuple[int, ...]:
    """(received, landed, unchanged, quarantined, deleted)"""
    return (result.received, result.landed, result.unchanged, result.quarantined, result.deleted)


def rows(query: str) -> list[tuple]:
    """As the loader."""
    with connect("loader") as db:
        return db.execute(query).fetchall()


def current(table: str, *columns: str) -> list[tuple]:
    """Current rows that are not deleted, by key."""
    names = ", ".join(f'"{one}"' for one in columns)
    return rows(f'select {names} from raw."{table}" where _superseded_batch is null and not _is_deleted order by _key')


def manifest(folder: Path, name: str, files: list[Path], **more: Any) -> Path:
    """Write a manifest of the files as they are."""
    told = [{"name": f.name, "bytes": f.stat().st_size, "sha256": hashlib.sha256(f.read_bytes()).hexdigest()}
            for f in files]
    path = folder / name
    path.write_text(json.dumps({"files": told, **more}))
    return path


def write(folder: Path, name: str, text: str | bytes, *, encoding: str = "utf-8") -> Path:
    """A drop; packed where its name says so."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode(encoding) if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path
