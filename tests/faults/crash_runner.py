"""A process with all heavy imports done, that forks one child per job: a kill costs the step and not its imports.

`python -m tests.faults.crash_runner`, spoken to in lines of JSON. A job: {step, arguments, at, after, strike}. Answers:
{pid}, then {signal | code, points, kinds, struck_at, value, error, exit_code, seconds}. The child does one step through
`tieout.steps` and is struck at its `at`-th point or `after` so many seconds: by SIGKILL, or by the end of Postgres.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.faults.crash_points import Points, watch
from tieout import localpg, settings, steps
from tieout.errors import TieoutError


def land() -> dict[str, int]:
    """Land every connection, as their DAGs do."""
    return {name: steps.land(name).run_id for name in settings.settings().company.connections}


def check_landing(run_id: int) -> None:
    """The gate of the landing."""
    steps.check("landing", run_id)


def open_run() -> int:
    """A revenue run."""
    return steps.open_run("revenue")


def build(run_id: int) -> None:
    """Build and match."""
    steps.build(run_id)
    steps.match(run_id)


def check_marts(run_id: int) -> None:
    """The gate of the marts."""
    steps.check("marts", run_id)


def publish(run_id: int) -> str:
    """Publish, report, close."""
    steps.publish(run_id)
    steps.report(run_id)
    return steps.close_run(run_id)


def revenue() -> int:
    """The whole revenue run in one process, as `tieout run` does."""
    return steps.revenue().run_id


STEPS = {step.__name__: step for step in (land, check_landing, open_run, build, check_marts, publish, revenue)}


def main() -> None:
    """Serve jobs until the pipe closes. The pipe is kept apart from what steps print."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    _prepare()
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        _serve(json.loads(line), answers)


def _prepare() -> None:
    """Import what the steps import, and parse the dbt project once. Nothing here speaks to Postgres."""
    import great_expectations  # noqa: F401
    import psycopg2  # noqa: F401

    from tieout.extract import bulk2, open, soql, suiteql  # noqa: F401
    from tieout.landing import land, windows  # noqa: F401
    from tieout.publish import pointer, report  # noqa: F401
    from tieout.quality import engine, gate, suites  # noqa: F401
    from tieout.transform import build, inputs

    for stage in ("landing", "marts"):
        engine.verify(suites.load(stage=stage))
    chosen = settings.settings()
    build._runner(
        chosen.dbt_project, chosen.home / "dbt", inputs._systems(chosen.company, chosen.dbt_project),
        chosen.dbt_threads).parsed()


def _serve(job: dict[str, Any], answers: Any) -> None:
    reading, writing = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.setpgid(0, 0)
        _child(job, writing)
    os.close(writing)
    print(json.dumps({"pid": pid}), file=answers)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    ended = {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"code": os.WEXITSTATUS(status)}
    told = json.loads(said) if said else {}
    print(json.dumps({**ended, **told, "seconds": round(time.monotonic() - started, 3)}), file=answers)


def _child(job: dict[str, Any], writing: int) -> None:
    """Never returns."""
    points = Points(job.get("at"), STRIKES[job.get("strike", "kill")])
    if job.get("watched", True):
        watch(points)
    if job.get("after") is not None:
        timer = threading.Timer(job["after"], points.now, ("a moment",))
        timer.daemon = True
        timer.start()
    told: dict[str, Any] = {}
    try:
        told["value"] = STEPS[job["step"]](**job.get("arguments", {}))
        told["exit_code"] = 0
    except TieoutError as error:
        told |= {"error": f"{type(error).__name__}: {error}"[:2000], "exit_code": error.exit_code}
    except BaseException as error:  # noqa: BLE001 - whatever it is, the campaign is told
        told |= {"error": f"{type(error).__name__}: {error}"[:2000], "exit_code": 1}
    told |= {"points": points.count, "kinds": dict(points.kinds), "struck_at": points.struck_at}
    try:
        os.write(writing, json.dumps(told).encode())
    finally:
        os._exit(min(told["exit_code"], 99))


# --- strikes ----------------------------------------------------------------------------------------------------------


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_postgres() -> None:
    """SIGKILL for the postmaster and all of its children, at once."""
    postmaster = int((_server().data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGSTOP)  # so that it replaces nobody
    for child in _children(postmaster):
        os.kill(child, signal.SIGKILL)
    os.kill(postmaster, signal.SIGKILL)


def _stop_postgres() -> None:
    """`pg_ctl stop -m immediate`: no checkpoint, no word to the clients."""
    server = _server()
    drop = {} if server.uid is None else {"user": server.uid, "group": localpg._group(server.uid), "extra_groups": []}
    subprocess.run(
        [str(server.binaries / "pg_ctl"), "-D", str(server.data), "-m", "immediate", "-W", "stop"], check=True,
        cwd=server.place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **drop)


def _server() -> localpg.Server:
    return localpg._server(settings.settings().home)


def _children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(pid):
                    found.append(int(folder.name))
            except OSError:
                continue  # it ended meanwhile
    return found


STRIKES = {"kill": _kill, "kill_postgres": _kill_postgres, "stop_postgres": _stop_postgres}

if __name__ == "__main__":
    main()
