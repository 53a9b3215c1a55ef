"""How long a change at the vendor takes to the readers, with Airflow running: p95 of the whole way.

The unit technology (Dynamics 365 Sales and Finance), each of its connections with `webhook: true`; Airflow's four
components as `tieout up` starts them, `tieout webhook` beside them. A change is a simulated day: the clock advances,
the ERP sends one signed event. The time runs from there until the publication of a build that was opened after the
landing which that event began. Rows are not used: the company has a thousand orders.
    realtime_p95      seconds, against a minute
"""

from __future__ import annotations

import json
import math
import os
import secrets
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, open_folder

UNIT, ERP = "technology", "dynamics_finance_technology"
CHANGES = int(os.environ.get("REALTIME_CHANGES", "20"))
LIMIT_SECONDS, GIVE_UP_SECONDS, UP_SECONDS = 60.0, 600, 300
PORT = 18_080
# The publication that shows what landed after {sent}: of a run opened once the landing was committed.
SHOWN = """
select p.published_at from ops.publication p join ops.run b using (run_id)
where b.started_at > (
    select min(l.finished_at) from ops.run l
    where l.kind = 'land' and l.label = %(erp)s and l.started_at >= %(sent)s and l.state = 'succeeded'
    and exists (select 1 from ops.load where run_id = l.run_id and landed > 0))
order by p.published_at limit 1
"""


def run(rows: int, progress: Callable[[str], Any] = print) -> list[dict[str, Any]]:
    """One figure, of `REALTIME_CHANGES` changes."""
    del rows
    with open_folder() as home, _company(home) as (variables, folder), _stack(variables, progress):
        seconds = [_change(folder, variables, number, progress) for number in range(CHANGES)]
    p95 = sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]
    return [{"name": "realtime_p95", "value": p95, "unit": "s", "limit": LIMIT_SECONDS, "ratio": p95 / LIMIT_SECONDS,
             "goal": "<= 1.0"}]


@contextmanager
def _company(folder: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """The unit's vendors, served, and its first publication: the variables of its set-up, and the company's folder."""
    from ruamel.yaml import YAML

    from tieout import demo, localpg, settings, stack

    home, own = folder / "vendors", folder / "tieout"
    for each in (home, own):
        each.mkdir(mode=0o711)
    demo.prepare(home, units=(UNIT,))
    demo.start_vendors(home)
    try:
        yaml = YAML()
        company = yaml.load((home / "tieout.yml").read_text(encoding="utf-8"))
        keys = {}
        for name, connection in company["connections"].items():
            connection.update(webhook=True, schedule=None)
            keys[f"TIEOUT_SECRET_{name}__WEBHOOK_SECRET".upper()] = secrets.token_hex(32)
        with (home / "own.yml").open("w", encoding="utf-8") as file:
            yaml.dump(company, file)
        variables = settings.child_environment(
            **settings.read_env_file(home / "vendors.env"), **keys, TIEOUT_HOME=str(own),
            TIEOUT_CONFIG=str(home / "own.yml"), TIEOUT_AIRFLOW_PORT=str(PORT), TIEOUT_AIRFLOW_LOG_PORT=str(PORT + 1))
        for command in ("setup", "run"):
            _tieout(variables, command)
        yield variables, home / "company" / UNIT
    finally:
        stack.down(home)
        localpg.stop(own)


@contextmanager
def _stack(variables: dict[str, str], progress: Callable[[str], Any]) -> Iterator[None]:
    """Airflow and the receiver of events."""
    progress("  " + _tieout(variables, "up").strip().splitlines()[0].partition(":")[0])
    receiver = subprocess.Popen([*_PROGRAM, "webhook", "--port", str(PORT + 3)], env=variables, cwd=ROOT,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        receiver.terminate()
        receiver.wait(30)
        _tieout(variables, "down")


_PROGRAM = (sys.executable, "-m", "tieout.cli")


def _tieout(variables: dict[str, str], *words: str) -> str:
    done = subprocess.run([*_PROGRAM, *words], env=variables, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"tieout {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _change(folder: Path, variables: dict[str, str], number: int, progress: Callable[[str], Any]) -> float:
    """Let a day pass, say so, wait for the readers: seconds."""
    import psycopg

    from simulator.company import advance
    from tieout import localpg

    advance(folder)
    began = time.monotonic()
    home = Path(variables["TIEOUT_HOME"])
    at = localpg.environment(home)
    with psycopg.connect(
            host=at["TIEOUT_WAREHOUSE_HOST"], port=at["TIEOUT_WAREHOUSE_PORT"], user="tieout_owner",
            dbname=at["TIEOUT_WAREHOUSE_DATABASE"], password=at["TIEOUT_WAREHOUSE_OWNER_PASSWORD"],
            autocommit=True) as reader:
        sent = reader.execute("select clock_timestamp()").fetchone()[0]
        _send(variables)
        while time.monotonic() - began < GIVE_UP_SECONDS:
            if shown := reader.execute(SHOWN, {"erp": ERP, "sent": sent}).fetchone():
                seconds = (shown[0] - sent).total_seconds()
                progress(f"  change {number + 1} of {CHANGES}: {seconds:.1f} s")
                return seconds
            time.sleep(0.5)
    raise AssertionError(f"change {number + 1} is not published after {GIVE_UP_SECONDS} s; see {home / 'logs'}")


def _send(variables: dict[str, str]) -> None:
    """One signed event; the DAGs may not be parsed yet at the first."""
    import httpx

    from tieout.webhook import signature

    body, give_up = json.dumps({"event": "change"}).encode(), time.monotonic() + UP_SECONDS
    key = variables[f"TIEOUT_SECRET_{ERP}__WEBHOOK_SECRET".upper()]
    while True:
        stamp, nonce = str(int(time.time())), uuid.uuid4().hex
        headers = {"Tieout-Timestamp": stamp, "Tieout-Nonce": nonce,
                   "Tieout-Signature": signature(key, stamp, nonce, body)}
        try:
            answer = httpx.post(f"http://127.0.0.1:{PORT + 3}/events/{ERP}", content=body, headers=headers, timeout=30)
        except httpx.ConnectError:
            answer = None
        if answer is not None and answer.status_code == 202:
            return
        if time.monotonic() > give_up:
            raise AssertionError(f"the event is not taken: {answer and answer.text}")
        time.sleep(1)
