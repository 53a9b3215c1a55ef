"""Connections whose streams a stranger's program brings: a scripted tap, a dlt source in a folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tieout.spec import Company, Connection
from tieout.warehouse import migrate

TAP = ROOT / "tests" / "integration" / "scripted_tap.py"
ORDERS: dict[str, Any] = {
    "key": ["id"], "control_totals": ["net"], "columns": {"id": "integer", "net": "amount", "day": "date"}}
PROPERTIES = {"id": {"type": "integer"}, "net": {"type": "number"}, "day": {"type": "string", "format": "date"}}


def made(kind: str, streams: dict[str, Any], name: str = "door", **options: Any) -> Connection:
    """The connection, with its tables."""
    company = Company.model_validate({"version": 1, "connections": {name: {
        "kind": kind, "role": "crm", "time_zone": "Europe/Berlin", "streams": streams, "options": options}}})
    migrate(company)
    return company.connection(name)


def tapped(folder: Path, streams: dict[str, Any], runs: Iterable[Sequence[Any] | dict[str, Any]], **options: Any,
           ) -> Connection:
    """A connection to a tap that says these lines, run by run."""
    script(folder, runs)
    told: dict[str, Any] = {"command": [sys.executable, str(TAP)], "discover": False, "config": {}}
    told |= options
    told["config"] = {"folder": str(folder), **told["config"]}
    return made("singer", streams, **told)


def script(folder: Path, runs: Iterable[Sequence[Any] | dict[str, Any]]) -> None:
    """What the tap says from now on; its runs are counted anew."""
    (folder / "asked.jsonl").unlink(missing_ok=True)
    found = [run if isinstance(run, dict) else {"lines": run} for run in runs]
    for run in found:
        run["lines"] = [line if isinstance(line, str) else json.dumps(line) for line in run["lines"]]
    (folder / "script.json").write_text(json.dumps(found))


def asked(folder: Path) -> list[dict[str, Any]]:
    """What the tap was asked, run by run."""
    return [json.loads(line) for line in (folder / "asked.jsonl").read_text().splitlines()]


def schema(stream: str = "orders", properties: dict[str, Any] | None = None, key: Sequence[str] = ("id",),
           ) -> dict[str, Any]:
    """A SCHEMA message."""
    return {"type": "SCHEMA", "stream": stream, "key_properties": [*key],
            "schema": {"type": "object", "properties": PROPERTIES if properties is None else properties}}


def record(number: int, net: Any = 1, stream: str = "orders", version: int | None = None, **more: Any,
           ) -> dict[str, Any]:
    """A RECORD message."""
    told = {"type": "RECORD", "stream": stream, "record": {"id": number, "net": net, "day": "2026-03-01", **more}}
    return told if version is None else {**told, "version": version}


def state(value: Any) -> dict[str, Any]:
    """A STATE message."""
    return {"type": "STATE", "value": value}


def activate(version: int, stream: str = "orders") -> dict[str, Any]:
    """An ACTIVATE_VERSION message."""
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": version}
