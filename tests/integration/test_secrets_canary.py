"""No secret gets anywhere: unique values as every secret, a whole run and six ways to fail, then all of it is searched.

The search can fail: a leak planted in each kind of place is found, in each form.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from simulator import company
from simulator.credentials import FILE, credentials
from simulator.habits import Habits
from simulator.serve import start
from tests import lineage_events
from tests.canary import Hunt, Leak, forms
from tests.conftest import ROOT, open_folder
from tieout import localpg

pytestmark = pytest.mark.slow

FAILING = """\
version: 1
connections:
  wrong: {{system: salesforce, auth: client_credentials, time_zone: UTC, options: {{login_url: "{simulator}"}}}}
  echo: {{system: salesforce, auth: client_credentials, time_zone: UTC, options: {{login_url: "{vendor}/"}}}}
  quoted: {{system: netsuite, auth: tba, time_zone: UTC, options: {{account: "1", base_url: "{vendor}"}}}}
  led_away: {{system: salesforce, auth: client_credentials, time_zone: UTC, options: {{login_url: "{other}"}}}}
  crashed: {{system: netsuite, auth: tba, time_zone: UTC, options: {{account: "1", base_url: "{vendor}"}}}}
"""
# Lands each connection, with tracebacks; `crashed` meets an exception that nobody expected and that quotes its secret.
LAND_ALL = """
import sys
from tieout import cli, secrets, settings
from tieout.extract import http

for name in ("wrong", "echo", "quoted", "led_away", "crashed"):
    if name == "crashed":
        def crash(self, call, read):
            local = secrets.secrets_for(settings.settings().company.connection("crashed"))
            raise RuntimeError(f"sent {local} to {call.url}?token={local['token_id']}")
        http.Client.request = crash
    try:
        code = cli.main(["--debug", "land", name])
        raise SystemExit(f"{name} ended with {code}")
    except Exception:
        sys.excepthook(*sys.exc_info())
"""
# One process: Great Expectations and dbt are imported once.
THE_REST = """
from tieout import cli

for verb in (["land", "netsuite_global"], ["build"], ["check", "marts"], ["publish"], ["report"], ["status"]):
    if code := cli.main(["--debug", *verb, "--json"]):
        raise SystemExit(code)
"""
RUN_DAGS = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from tieout import airflow_support, dag_words, settings

airflow_support.migrate_metadata()
airflow_support.ensure_pools(dag_words.pool(name) for name in settings.settings().company.connections)
dags = airflow_support.load_dags(Path(sys.argv[1]))
at = datetime(2026, 7, 1, tzinfo=UTC)
print("STATES" + json.dumps({name: airflow_support.run_dag(dags[f"land_{name}"], at) for name in sys.argv[2:]}))
"""


@dataclass
class World:
    """What was run, where it wrote, and which values must be nowhere."""

    home: Path
    secrets: dict[str, str]
    variables: dict[str, str]
    captured: Path
    codes: dict[str, int] = field(default_factory=dict)
    alerts: list[bytes] = field(default_factory=list)

    def call(self, name: str, *arguments: str, **more: str) -> None:
        """Run Python; what it prints is kept in files, and searched like the rest."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TIEOUT_", "AIRFLOW"))}
        environment = {**kept, "PYTHONPATH": f"{ROOT / 'plugins'}{os.pathsep}{ROOT}", **self.variables, **more}
        out, err = (self.captured / f"{name}.{end}" for end in ("out", "err"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            done = subprocess.run([sys.executable, *arguments], env=environment, cwd=ROOT, stdout=stdout, stderr=stderr)
        self.codes[name] = done.returncode

    def said(self, name: str) -> str:
        return (self.captured / name).read_text(encoding="utf-8", errors="replace")

    @property
    def dsn(self) -> dict[str, str]:
        return {"host": "127.0.0.1", "port": self.variables["TIEOUT_WAREHOUSE_PORT"], "dbname": "tieout"}

    @property
    def passwords(self) -> dict[str, str]:
        roles = ("loader", "transformer", "publisher", "owner")
        return {f"tieout_{r}": self.variables[f"TIEOUT_WAREHOUSE_{r.upper()}_PASSWORD"] for r in roles}

    @property
    def exempt(self) -> tuple[Path, ...]:
        """Where secrets live by design, closed to others (0600): the vendors' own files, and the server's."""
        return (self.home / "company", self.home / "pg")

    def leaks(self) -> tuple[list[Leak], Hunt]:
        hunt = Hunt(self.secrets)
        found = hunt.in_folder(self.home, self.exempt)
        found += hunt.in_warehouse(self.dsn, self.passwords)
        place = Path((self.home / "pg" / "place").read_text(encoding="utf-8"))
        for log in {*place.glob("*.log"), *(self.home / "pg").glob("*.log")}:
            found += hunt.in_file(log)
        found += [leak for message in self.alerts for leak in hunt.in_bytes(message, "alert", "alert")]
        return found, hunt


def canary(name: str) -> str:
    """A value that needs escaping in URLs and in JSON."""
    return f'CANARY/{name}+"{os.urandom(9).hex()}&é='


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with open_folder() as home, HTTPServer() as vendor, HTTPServer() as other:
        company.generate(home / "company", seed=7, size="1k", level=1)
        secrets = _plant(home / "company")
        hook = f"CANARY-hook-{os.urandom(9).hex()}"
        variables = localpg.start(home)
        try:
            with start(home / "company", habits=Habits.none()) as endpoints:
                endpoints.tieout_yml(home / "tieout.yml")
                (home / "captured").mkdir()
                variables |= {
                    **endpoints.environment(), "TIEOUT_HOME": str(home), "TIEOUT_CONFIG": str(home / "tieout.yml"),
                    "TIEOUT_OPENLINEAGE_URL": (home / "lineage.ndjson").as_uri(), "TIEOUT_LOG_FORMAT": "json",
                    "TIEOUT_ALERT_URL": vendor.url_for(f"/hook/{hook}"), "TIEOUT_OPENLINEAGE_API_KEY": canary("key"),
                }  # fmt: skip
                made = World(home, secrets, variables, home / "captured")
                secrets |= {"alert hook": hook, "lineage key": variables["TIEOUT_OPENLINEAGE_API_KEY"]}
                secrets |= {f"password of {role}": value for role, value in made.passwords.items()}
                secrets["password of bi"] = variables["TIEOUT_WAREHOUSE_BI_PASSWORD"]
                _serve_badly(vendor, other, made)
                _run(made, endpoints.salesforce_url, vendor.url_for(""), other.url_for(""))
                issued = list(endpoints.apps["salesforce"].sessions._open)
                assert issued, "a run logged in"
                secrets |= {f"issued token {number}": value for number, value in enumerate(issued)}
            yield made
        finally:
            localpg.stop(home)


def _plant(folder: Path) -> dict[str, str]:
    """Canaries as all secrets of both vendors; of private keys two lines of the body."""
    keys = credentials(folder)
    planted = {}
    for system, names in {"salesforce": ("consumer_key", "consumer_secret"),
                          "netsuite": ("consumer_key", "consumer_secret", "token_id", "token_secret")}.items():
        for name in names:
            keys[system][name] = planted[f"{system} {name}"] = canary(f"{system}-{name}")
        for number in (1, 7):
            planted[f"{system} key line {number}"] = keys[system]["private_key"].splitlines()[number]
    (folder / FILE).write_text(json.dumps(keys), encoding="utf-8")
    return planted


def _serve_badly(vendor: HTTPServer, other: HTTPServer, world: World) -> None:
    """Vendors that say back what they were told, and hand out a token that leads away."""
    token = world.secrets["token that leads away"] = canary("token")

    def echo(request: Request) -> Response:
        told = {"error": "invalid_client", "error_description": f"not {request.form.to_dict()} {request.get_data()!r}"}
        return Response(json.dumps(told), 401, content_type="application/json")

    def quoted(request: Request) -> Response:
        header = request.headers["Authorization"]
        secret = world.secrets["netsuite token_secret"]
        encoded = base64.b64encode(f"user:{secret}".encode()).decode()
        text = f"not {header}, nor {quote(secret, safe='')}, nor Basic {encoded}"
        told = {"title": text, "status": 401, "o:errorDetails": [{"detail": text, "o:errorCode": "INVALID_LOGIN"}]}
        return Response(json.dumps(told), 401, content_type="application/json",
                        headers={"WWW-Authenticate": f'OAuth realm="1", error="{secret.encode().hex()}"'})  # fmt: skip

    def lead_away(request: Request) -> Response:
        away = f"https://elsewhere.example/?access_token={quote(token, safe='')}"
        return Response(json.dumps({"access_token": token, "instance_url": away}), content_type="application/json")

    def alert(request: Request) -> Response:
        world.alerts.append(request.get_data())
        return Response("ok")

    vendor.expect_request("/services/oauth2/token", method="POST").respond_with_handler(echo)
    vendor.expect_request("/services/rest/query/v1/suiteql").respond_with_handler(quoted)
    vendor.expect_request(f"/hook/{world.variables['TIEOUT_ALERT_URL'].rpartition('/')[2]}").respond_with_handler(alert)
    other.expect_request("/services/oauth2/token", method="POST").respond_with_handler(lead_away)


def _run(world: World, simulator: str, vendor: str, other: str) -> None:
    """Five landings that fail; two DAGs, of which one fails; the rest of a whole run from the command line."""
    world.call("migrate", "-m", "tieout.warehouse", "migrate")
    failing = world.home / "failing.yml"
    failing.write_text(FAILING.format(simulator=simulator, vendor=vendor.rstrip("/"), other=other.rstrip("/")))
    wrong = world.secrets["wrong secret"] = canary("wrong")
    ours, more = world.secrets, {"TIEOUT_CONFIG": str(failing)}
    for name in ("wrong", "echo", "led_away"):
        secret = wrong if name == "wrong" else ours["salesforce consumer_secret"]
        more |= {f"TIEOUT_SECRET_{name}__CONSUMER_KEY".upper(): ours["salesforce consumer_key"],
                 f"TIEOUT_SECRET_{name}__CONSUMER_SECRET".upper(): secret}  # fmt: skip
    for name in ("quoted", "crashed"):
        more |= {f"TIEOUT_SECRET_{name}__{word}".upper(): ours[f"netsuite {word}"]
                 for word in ("consumer_key", "consumer_secret", "token_id", "token_secret")}  # fmt: skip
    world.call("failing", "-c", LAND_ALL, **more)
    airflow = {
        "AIRFLOW_HOME": str(world.home / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"), "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{world.home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(world.home / "airflow" / "logs"),
    }  # fmt: skip
    both = world.home / "both.yml"
    kept = [line for line in failing.read_text().splitlines() if line.startswith("  quoted:")]
    both.write_text((world.home / "tieout.yml").read_text() + "\n".join(kept) + "\n")
    dags = ("quoted", "salesforce_global")
    more["TIEOUT_CONFIG"] = str(both)
    world.call("airflow", "-c", RUN_DAGS, str(ROOT / "dags"), *dags, **more, **airflow)
    world.call("run", "-c", THE_REST)


def test_what_was_run_went_as_planned(world):
    ends = "".join(f"\n{name}: {world.said(f'{name}.err')[-3000:]}" for name in world.codes)
    assert world.codes == {"migrate": 0, "failing": 0, "airflow": 0, "run": 0}, ends
    failed = [line for line in map(json.loads, world.said("failing.err").splitlines()) if line["level"] == "critical"]
    assert [line["event"] for line in failed] == [
        "AuthError", "AuthError", "AuthError", "UnsafeLinkError", "RuntimeError"]  # fmt: skip
    assert "***" in failed[1]["traceback"] and "***" in failed[2]["traceback"] and "***" in failed[4]["traceback"]
    states = json.loads(next(line for line in world.said("airflow.out").splitlines() if line.startswith("STATES"))[6:])
    assert states["salesforce_global"][""] == "success" and states["quoted"]["land_streams"] == "failed"
    assert world.alerts and b"***" in world.alerts[0]


def test_no_secret_is_anywhere(world):
    found, hunt = world.leaks()
    assert found == []
    for kind in (".parquet", ".html", ".json", ".log", ".ndjson", ".out", ".err", "schema ops", "schema raw",
                 "schema marts", "schema reporting", "sqlite xcom", "sqlite rendered_task_instance_fields",
                 "sqlite task_instance", "alert"):  # fmt: skip
        assert hunt.seen.get(kind), f"nothing was searched in {kind}: {sorted(hunt.seen)}"


def test_every_line_on_standard_error_is_json_and_says_whose_it_is(world):
    lines = [json.loads(line) for name in ("run.err", "failing.err") for line in world.said(name).splitlines()]
    assert len(lines) > 100 and all({"at", "level", "logger", "event"} <= set(line) for line in lines)
    landed = [line for line in lines if line["logger"] == "tieout.landing.land"]
    assert len(landed) >= 10 and all({"run", "connection", "stream"} <= set(line) for line in landed)
    rooms = ("tieout.quality", "tieout.publish", "tieout.transform")
    ours = [line for line in lines if line["logger"].startswith(rooms)]
    assert ours and all("run" in line and "step" in line for line in ours)
    assert any(line["logger"].startswith("great_expectations") and line.get("run") for line in lines)


def test_the_lineage_of_a_whole_run_is_sound(world):
    events = lineage_events.read(world.home / "lineage.ndjson")
    names = {event.job.name for event in events}
    assert {
        "land_salesforce_global.land", "land_netsuite_global.check_landing", "revenue.build",
        "revenue.build.fct_revenue", "revenue.check_marts", "revenue.publish",
    } <= names  # fmt: skip
    ends = {}
    for event in events:
        ends.setdefault(event.run.runId, []).append(event.eventType.value)
    assert all(kinds in (["START", "COMPLETE"], ["START", "FAIL"]) for kinds in ends.values())
    build = next(e for e in events if e.job.name == "revenue.build" and e.eventType.value == "COMPLETE")
    assert {d.name.split(".")[1] for d in build.inputs} >= {"raw"} and len(build.inputs) > 15
    assert {d.name.split(".")[1] for d in build.outputs} == {"marts"} and len(build.outputs) > 10
    publish = next(e for e in events if e.job.name == "revenue.publish" and e.eventType.value == "COMPLETE")
    assert "tieout.reporting.fct_revenue" in {d.name for d in publish.outputs}


def test_the_steps_of_the_run_are_in_the_book(world):
    with psycopg.connect(**world.dsn, user="tieout_loader", password=world.passwords["tieout_loader"]) as db:
        rows = db.execute("select r.label, s.step, s.state, s.requests > 0 from ops.step_now s join ops.run r using"
                          " (run_id) order by s.step_id").fetchall()  # fmt: skip
    landed = [(label, state, asked) for label, step, state, asked in rows if step == "land"]
    assert {("salesforce_global", "succeeded", True), ("netsuite_global", "succeeded", True),
            ("quoted", "failed", True), ("crashed", "failed", False)} <= set(landed)  # fmt: skip
    assert [step for label, step, *_ in rows if label == "revenue"] == ["build", "check_marts", "publish"]


# --- the search can fail ----------------------------------------------------------------------------------------------

SECRET = canary("planted")


@pytest.mark.parametrize("form", [*forms(SECRET), "basic"])
@pytest.mark.parametrize("suffix", [".log", ".html", ".json", ".ndjson", ".err", ".parquet", ".db"])
def test_a_planted_leak_in_a_file_is_found(tmp_path, form, suffix):
    text = forms(SECRET)[form] if form != "basic" else base64.b64encode(f"user:{SECRET}:x".encode())
    path = tmp_path / "deep" / f"file{suffix}"
    path.parent.mkdir()
    _write(path, b'{"a": "before ' + text + b' after"}')
    (tmp_path / "innocent.log").write_bytes(b"nothing")
    found = Hunt({"planted": SECRET, "other": "CANARY-of-somebody-else"}).in_folder(tmp_path)
    assert {leak.secret for leak in found} == {"planted"} and all(leak.where.startswith(str(path)) for leak in found)


def _write(path: Path, text: bytes) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"key": ["1"], "record": [text]}), path, compression="zstd")
    elif path.suffix == ".db":
        import sqlite3

        with sqlite3.connect(path) as db:
            db.execute("create table xcom (value text)")
            db.execute("insert into xcom values (?)", (text.decode(),))
    else:
        path.write_bytes(text)


@pytest.mark.parametrize(("role", "table", "plant"), [
    ("loader", 'ops."run"', "update ops.run set error = %s where run_id = 1"),
    ("loader", 'ops."step"', "update ops.step set facts = jsonb_build_object('said', %s::text) where step_id = 1"),
    ("loader", 'ops."load"', "update ops.load set drift = jsonb_build_object('said', %s::text) where batch_id = 1"),
    ("transformer", 'ops."gate_result"', "insert into ops.gate_result (run_id, stage, suite, expectation, severity,"
     " passed, observed) values (1, 'landing', 's', 'planted', 'warning', true, %s)"),
    ("transformer", 'ops."model_run"',
     "insert into ops.model_run (run_id, node_id, resource_type, status, seconds, message) values"
     " (1, 'n', 'planted', 's', 0, %s)"),
])  # fmt: skip
def test_a_planted_leak_in_a_table_is_found(world, role, table, plant):
    user = f"tieout_{role}"
    with psycopg.connect(**world.dsn, user=user, password=world.passwords[user]) as db:
        assert db.execute(plant, (f"before {SECRET} after",)).rowcount == 1
    found = Hunt({"planted": SECRET}).in_warehouse(world.dsn, world.passwords)
    assert table in {leak.where for leak in found}
