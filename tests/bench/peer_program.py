"""Runs in .venv-peers: load a file as a peer does and print the seconds. Knows nothing of Tieout.

    python peer_program.py dlt_arrow <parquet> <dsn> | dlt_dicts <jsonl> <dsn> | singer <messages> <dsn>
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 20_000


def dlt_arrow(path: str, dsn: str) -> float:
    """Arrow batches → CSV files → COPY: the fastest path of dlt without a compiled driver."""
    import pyarrow.parquet as pq

    batches = list(pq.ParquetFile(path).iter_batches(CHUNK))
    return _dlt(iter(batches), dsn, "csv")


def dlt_dicts(path: str, dsn: str) -> float:
    """Records as a REST source yields them."""
    with open(path, encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return _dlt((records[at : at + 1000] for at in range(0, len(records), 1000)), dsn, "insert_values")


def _dlt(data: Iterator[Any], dsn: str, form: str) -> float:
    os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", DATA_WRITER__DISABLE_COMPRESSION="true",
                      RUNTIME__LOG_LEVEL="ERROR")
    import dlt

    with tempfile.TemporaryDirectory() as place:
        pipeline = dlt.pipeline("peer", pipelines_dir=place, dataset_name="peer",
                                destination=dlt.destinations.postgres(credentials=dsn))
        started = time.perf_counter()
        pipeline.run(data, table_name=f"dlt_{form}", loader_file_format=form, write_disposition="append")
        return time.perf_counter() - started


def singer(path: str, dsn: str) -> float:
    """A tap's messages, piped into target-postgres."""
    with tempfile.TemporaryDirectory() as place, open(path, "rb") as messages:
        config = Path(place) / "config.json"
        config.write_text(json.dumps({"sqlalchemy_url": dsn.replace("postgresql://", "postgresql+psycopg://"),
                                      "default_target_schema": "peer"}), encoding="utf-8")
        started = time.perf_counter()
        target = str(Path(sys.executable).with_name("target-postgres"))
        subprocess.run([target, "--config", str(config)], stdin=messages, check=True, capture_output=True)
        return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps({"seconds": globals()[sys.argv[1]](sys.argv[2], sys.argv[3])}))
