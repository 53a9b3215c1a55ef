"""The proprietary CRM's drops: a complete set of files in a folder, whenever the company's day has moved on.

Gzipped CSV, `|` between values, decimal comma, `\\N` for nothing, German dates, stamps of Berlin's clock; a manifest
with checksums and counts comes last. What lies there stays there.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from simulator.own_crm_meaning import streams
from simulator.own_crm_rows import OwnCrm
from simulator.served import Clock, Database

ZONE = "Europe/Berlin"
BERLIN = ZoneInfo(ZONE)


class Drops:
    """Writes the drop of the current moment into `folder`."""

    def __init__(self, folder: Path, database: Database, clock: Clock) -> None:
        self.folder = folder
        self._database, self._clock = database, clock
        self._lock = threading.Lock()
        folder.mkdir(exist_ok=True)

    @staticmethod
    def words() -> dict[str, Any]:
        """How they are read: streams, and the options that say how they are written."""
        return {
            "streams": streams(lambda table: {"mode": "full", "options": {"files": f"{table}_2*.csv.gz"}}),
            "options": {"ready": {"manifest": "*.manifest.json"}, "csv": {
                "delimiter": "|", "decimal": ",", "thousands": ".", "dates": "%d.%m.%Y", "nulls": ["", "\\N"]}}}

    def deliver(self) -> None:
        """Write it, unless it is there: files first, then the manifest."""
        with self._lock:
            now = self._clock.now()
            stamp = f"{now:%Y%m%dT%H%M%SZ}"
            paper = self.folder / f"crm_{stamp}.manifest.json"
            if paper.exists():
                return
            told = [self._file(table, stamp) for table in OwnCrm.columns]
            text = json.dumps({"batch_id": stamp, "as_of": now.isoformat(), "mode": "full", "files": told})
            part = paper.with_suffix(".part")
            part.write_text(text)
            part.rename(paper)
            self._database.release()

    def _file(self, table: str, stamp: str) -> dict[str, Any]:
        columns = OwnCrm.columns[table]
        kinds = {f.name: f.kind for t in OwnCrm.tables() if t.sql_name == table for f in t.fields}
        text = io.StringIO()
        writer = csv.writer(text, delimiter="|", lineterminator="\r\n")
        writer.writerow(columns)
        names = ", ".join(f'"{one}"' for one in columns)
        count = 0
        for row in self._database.connection().execute(f'select {names} from "{table}"'):
            writer.writerow([_shown(value, kinds[name]) for name, value in zip(columns, row, strict=True)])
            count += 1
        data = gzip.compress(text.getvalue().encode(), mtime=0)
        path = self.folder / f"{table.removeprefix('generic__')}_{stamp}.csv.gz"
        path.write_bytes(data)
        return {"name": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": count}


def in_berlin(stamp: str) -> datetime:
    """A stamp of `sim.db`, which is UTC, as the CRM's own clock showed it: without an offset."""
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC).astimezone(BERLIN).replace(tzinfo=None)


def _shown(value: Any, kind: str) -> str:
    """As this CRM writes it: 1.234,50- and 31.03.2026."""
    if value is None:
        return "\\N"
    if kind == "date":
        return f"{value[8:10]}.{value[5:7]}.{value[:4]}"
    if kind == "stamp":
        return in_berlin(value).isoformat(" ")
    if kind == "amount":
        whole, _, cents = str(value).lstrip("-").partition(".")
        text = f"{int(whole):,}".replace(",", ".") + (f",{cents}" if cents else "")
        return f"{text}-" if str(value).startswith("-") else text
    return str(value)
