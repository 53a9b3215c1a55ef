"""A Singer tap that says what a script tells it to, run by run, and notes what it was asked. Run as a program."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    """One run: config names the folder of the script; the run's number is how often it was asked."""
    parser = argparse.ArgumentParser()
    for word in ("--config", "--state", "--catalog"):
        parser.add_argument(word)
    parser.add_argument("--discover", action="store_true")
    told = parser.parse_args()
    config = json.loads(Path(told.config).read_text())
    folder = Path(config["folder"])
    if told.discover:
        print((folder / "catalog.json").read_text())
        return 0
    log = folder / "asked.jsonl"
    run = len(log.read_text().splitlines()) if log.exists() else 0
    with log.open("a") as out:
        out.write(json.dumps({
            "config": config, "path": told.config, "mode": oct(Path(told.config).stat().st_mode & 0o777),
            "state": told.state and json.loads(Path(told.state).read_text()),
            "catalog": told.catalog and json.loads(Path(told.catalog).read_text()),
            "env": sorted(os.environ)}) + "\n")
    script: list[dict[str, Any]] = json.loads((folder / "script.json").read_text())
    one = script[min(run, len(script) - 1)]
    sys.stdout.write("".join(f"{line}\n" for line in one["lines"]))
    sys.stdout.flush()
    if one.get("sleep"):
        import time

        time.sleep(one["sleep"])
    sys.stderr.write(one.get("stderr", ""))
    return one.get("code", 0)


if __name__ == "__main__":
    sys.exit(main())
