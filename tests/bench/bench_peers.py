"""What others need for the same rows, on the same machine in the same run: dlt and a Singer target.

The Singer stream is written once and piped into both: target-postgres, and our `kind: singer` (`ours_singer`).

They run in `.venv-peers` (`make peers`); where that does not exist, a line says so and nothing is measured. Both load
into tables without our columns, index, archive and ledger. The slow paths get fewer rows, enough for a rate.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench import bench_landing as ours
from tests.conftest import ROOT, open_folder

PYTHON = ROOT / ".venv-peers" / "bin" / "python"
PROGRAM = Path(__file__).with_name("peer_program.py")
TYPES = {"rate": {"type": "number"}, "total": {"type": "number"}, "paid": {"type": "number"},
         "issued": {"type": "string", "format": "date"}, "lastmodified": {"type": "string", "format": "date-time"}}
PEERS = (("peer_dlt_arrow", "dlt_arrow", 1), ("peer_dlt_dicts", "dlt_dicts", 5), ("peer_singer", "singer", 10))


def run(rows: int, progress: Callable[[str], Any] = print) -> list[dict[str, Any]]:
    """Rates of the peers against raw COPY, with ours beside them."""
    if not PYTHON.is_file():
        progress("  the peers are not installed: `make peers`")
        return []
    from tieout import localpg

    with open_folder() as home, ours._environment(home), tempfile.TemporaryDirectory() as place:
        try:
            return _figures(rows, Path(place), localpg.environment(home), progress)
        finally:
            localpg.stop(home)


def _figures(rows: int, place: Path, env: dict[str, str], progress: Callable[[str], Any]) -> list[dict[str, Any]]:
    from tieout.warehouse import connect

    batches = list(ours._batches(rows))
    plain = rows / min(ours._raw_copy(batches, "bench_plain") for _ in range(3))
    dsn = _address(env)
    with connect("owner", autocommit=True) as db:
        db.execute("create schema if not exists peer")
    figures = [
        _figure("ours_parquet", rows / ours._best(lambda: ours._land(ours._arrow_pages(batches))), plain, ">= 0.9"),
        _figure("ours_json", rows / ours._best(lambda: ours._land(ours._json_pages(batches))), plain, ">= 0.6"),
    ]
    for name, way, part in PEERS:
        count = max(rows // part, 1000)
        path = _file(place, way, pa.Table.from_batches(batches).slice(0, count))
        if way == "singer":
            figures.append(_figure("ours_singer", count / ours._best(lambda p=path: _land_stream(p)), plain, ">= 0.6"))
            progress(f"  ours_singer: {count:,} rows, {figures[-1]['value']:,.0f} rows/s")
        done = subprocess.run([str(PYTHON), str(PROGRAM), way, str(path), dsn], capture_output=True, text=True)
        if done.returncode:
            progress(f"  {name} did not run: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else '?'}")
            continue
        seconds = json.loads(done.stdout.splitlines()[-1])["seconds"]
        progress(f"  {name}: {count:,} rows in {seconds:.1f} s")
        figures.append(_figure(name, count / seconds, plain, ""))
    return figures


def _file(place: Path, way: str, table: pa.Table) -> Path:
    """The rows as the peer reads them: Parquet, one JSON record per line, or a tap's messages."""
    path = place / way
    if way == "dlt_arrow":
        pq.write_table(table, path)
    elif way == "singer":
        with path.open("w", encoding="utf-8") as out:
            schema = {"properties": {name: TYPES.get(name, {"type": "string"}) for name in table.column_names}}
            head = {"type": "SCHEMA", "stream": "singer", "schema": schema, "key_properties": ["id"]}
            out.write(json.dumps(head) + "\n")
            for record in table.to_pylist():
                out.write(json.dumps({"type": "RECORD", "stream": "singer", "record": record}, default=_plain) + "\n")
            out.write(json.dumps({"type": "STATE", "value": {"done": True}}) + "\n")
    else:
        with path.open("w", encoding="utf-8") as out:
            for record in table.to_pylist():
                out.write(json.dumps(record, default=_plain) + "\n")
    return path


def _land_stream(path: Path) -> float:
    """Seconds of landing a tap's output: process, pipe, archive, ledger and state included."""
    from tieout.extract.singer import SingerExtractor
    from tieout.landing import ddl
    from tieout.landing.windows import land_connection
    from tieout.spec import Company
    from tieout.warehouse import connect

    columns = {one.name: one.type for one in ours.INVOICES.columns}
    made = Company.model_validate({"version": 1, "connections": {"bench": {
        "kind": "singer", "role": "erp", "time_zone": "UTC",
        "streams": {"singer": {"key": ["id"], "columns": columns}},
        "options": {"command": ["sh", "-c", 'exec cat "$0"', str(path)], "discover": False}}}}).connection("bench")
    with connect("owner", autocommit=True) as db:
        ddl.ensure_tables(db, made.source.streams)
        db.execute("truncate raw.bench__singer, ops.load, ops.source_state cascade")
    started = time.perf_counter()
    with SingerExtractor(made, {}) as extractor:
        (found,) = land_connection(made, None, extractor=extractor)
    seconds = time.perf_counter() - started
    assert found.landed == found.received > 0, found
    return seconds


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else float(value)


def _address(env: dict[str, str]) -> str:
    word = {name.removeprefix("TIEOUT_WAREHOUSE_").lower(): value for name, value in env.items()}
    return f"postgresql://tieout_owner:{word['owner_password']}@{word['host']}:{word['port']}/{word['database']}"


def _figure(name: str, value: float, limit: float, goal: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "rows/s", "limit": limit, "ratio": value / limit, "goal": goal}
