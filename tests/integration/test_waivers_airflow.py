"""Waivers over the limit, asked for on the command line and answered at Airflow's own REST API by whoever is logged in.

The DAG of `dags/`, its real operator and Airflow's api-server with its real logins, in one process on an embedded
Postgres. Only the scheduler is missing: `dag.test()` waits for answers, and the sweep of late questions is called.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import clear_settings, demo_company
from tests.dags import programs
from tests.integration.register_books import Books, key, own_books
from tieout import airflow_home, cli, place
from tieout.register import log

PROGRAM = """
import json, os, sys, threading, time, traceback
from datetime import UTC, datetime
from pathlib import Path
import httpx, uvicorn
from airflow import settings as airflow_settings
from airflow.api_fastapi.app import create_app
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import update
from tieout import airflow_support

told = json.loads(sys.argv[1])
airflow_support.migrate_metadata()
dag = airflow_support.load_dags(Path(sys.argv[2]))["waivers"]
server = uvicorn.Server(uvicorn.Config(create_app(), host="127.0.0.1", port=told["port"], log_level="warning"))
threading.Thread(target=server.run, daemon=True).start()
base, tokens, shown, codes, done = f"http://127.0.0.1:{told['port']}", {}, {}, {}, []


def call(user, method, path, body=None):
    if user and user not in tokens:
        words = {"username": user, "password": told["passwords"][user]}
        given = httpx.post(f"{base}/auth/token", json=words, timeout=30).raise_for_status()
        tokens[user] = given.json()["access_token"]
    headers = {"Authorization": f"Bearer {tokens[user]}"} if user else {}
    return httpx.request(method, f"{base}/api/v2{path}", json=body, headers=headers, timeout=30)


def task(detail):
    at = detail["task_instance"]
    return (f"/dags/waivers/dagRuns/{at['dag_run_id'].replace('+', '%2B')}/taskInstances/{at['task_id']}",
            at["map_index"])


def waiting(user):
    answer = call(user, "GET", "/dags/waivers/dagRuns/~/hitlDetails?response_received=false")
    return answer.raise_for_status().json()["hitl_details"]


def people():
    while not server.started:
        time.sleep(0.1)
    while len(questions := waiting("ben")) < told["questions"]:
        time.sleep(0.5)
    for detail in questions:
        where, index = task(detail)
        name = next(word for word in told["answers"] if word in detail["body"])
        shown[name] = [detail["subject"], detail["body"]]
        codes[name] = []
        for user, body in told["answers"][name]:
            if body == "typed":  # what whoever may run a DAG may write: the answer, and that the task ended well
                typed = {"chosen_options": ["Approve"], "params_input": {},
                         "responded_by_user": {"id": "ben", "name": "ben"}}
                entry = {"key": "return_value", "value": typed, "map_index": index}
                codes[name] += [call(user, "POST", f"{where}/xcomEntries", entry).status_code,
                                call(user, "PATCH", f"{where}/{index}", {"new_state": "success"}).status_code]
            else:
                codes[name].append(call(user, "PATCH", f"{where}/{index}/hitlDetails", body).status_code)
    with airflow_settings.Session() as session:  # the hour passes
        session.execute(update(TaskInstance).where(TaskInstance.state == "awaiting_input")
                        .values(trigger_timeout=datetime(2020, 1, 1, tzinfo=UTC)))
        session.commit()
    SchedulerJobRunner(job=Job()).check_awaiting_input_timeouts()
    done.extend(call("ben", "GET", "/dags/waivers/dagRuns/~/hitlDetails").json()["hitl_details"])


def guarded():
    try:
        people()
    except BaseException:
        traceback.print_exc()
        os._exit(3)


answering = threading.Thread(target=guarded)
answering.start()
for each in dag.tasks:
    each.retries = 0
    if each.is_mapped:
        each.partial_kwargs["retries"] = 0
run = dag.test(logical_date=datetime(2026, 3, 4, 12, tzinfo=UTC), run_after=datetime(2026, 3, 4, 12, tzinfo=UTC))
answering.join()
session = airflow_settings.Session()
states = sorted([i.task_id, i.map_index, str(i.state)] for i in run.get_task_instances(session=session))
print("RESULT" + json.dumps({"state": str(run.state), "states": states, "shown": shown, "codes": codes,
                             "responders": {d["body"].split("show ")[1][:6]: d["responded_by_user"] for d in done}}))
"""


def chosen(option: str, why: str = "", **more: Any) -> dict[str, Any]:
    return {"chosen_options": [option], "params_input": {"why": why}, **more}


# By whom, and what; a question that nobody answers has nobody.
ANSWERS: dict[str, list[tuple[str | None, Any]]] = {
    "aaaaaa": [(None, chosen("Approve")), ("eve", chosen("Approve")), ("ben", chosen("Approve", "seen")),
               ("ben", chosen("Refuse"))],
    "bbbbbb": [("ben", chosen("Refuse", "bill it again"))],
    "cccccc": [("ana", chosen("Approve", "mine", responded_by={"id": "ben", "name": "ben"}))],
    "dddddd": [("ben", chosen("Later"))],
    "eeeeee": [],
    "ffffff": [("ben", chosen("Approve"))],
    "abcabc": [("ana", "typed")],
}  # fmt: skip


@pytest.fixture(scope="module")
def books() -> Iterator[Books]:
    with own_books() as found:
        yield found


@pytest.fixture(scope="module")
def lived(books: Books, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Seven requests of ana's in one run of the DAG, and what became of each; the amount of one moved meanwhile."""
    home = tmp_path_factory.mktemp("waivers")
    told = demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})
    (home / "tieout.yml").write_text(json.dumps(told | {"breaks": {"waiver_limit": 50}}))
    amounts = {name: Decimal(900 - 100 * place) for place, name in enumerate(ANSWERS)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIEOUT_CONFIG", str(home / "tieout.yml"))
        patch.setattr(place, "find", lambda: place.Place("own", home, embedded=False))
        patch.setattr(place, "enter", lambda here: None)
        patch.setattr(place, "exists", lambda here: True)
        clear_settings()
        books.publish(amounts)
        for name in ANSWERS:
            assert cli.main(["breaks", "waive", name, "--reason", f"why {name} {{{{ 1 + 1 }}}}", "--by", "ana"]) == 0
        books.publish(amounts | {"ffffff": amounts["ffffff"] + 1})
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        users = "ana:user,ben:user,eve:viewer"
        airflow = airflow_home.variables(home, port=port, log_port=8793, users=users)
        airflow_home.password(home, users)
        passwords = json.loads((home / "airflow" / "passwords.json").read_text())
        ours = {name: value for name, value in os.environ.items() if name.startswith("TIEOUT_WAREHOUSE_")}
        ours["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        asked = {"port": port, "passwords": passwords, "answers": ANSWERS, "questions": len(ANSWERS)}
        found = programs.run(PROGRAM, home, json.dumps(asked), str(programs.ROOT / "dags"),
                             **{**airflow, **ours})  # fmt: skip
        yield found
    clear_settings()
    root = logging.getLogger()
    for handler in [h for h in root.handlers if h.get_name() == "tieout"]:
        root.removeHandler(handler)


def last(name: str) -> tuple:
    """Kind, actor, account, comment and reason of a break's newest event."""
    with log.opened() as db:
        return db.execute("select kind, actor, account, comment, reason from ops.break_event where break_key = %s"
                          " order by event_id desc limit 1", (key(name),)).fetchone()  # fmt: skip


def test_each_request_is_asked_in_its_own_words(lived):
    assert set(lived["shown"]) == set(ANSWERS)
    for name, (subject, body) in lived["shown"].items():
        assert "asked for by ana" in subject and f"N{name}" in body and f"why {name} {{{{ 1 + 1 }}}}" in body
    assert "900.00 USD" in lived["shown"]["aaaaaa"][0] and "401.00 USD" in lived["shown"]["ffffff"][0]


def test_who_is_logged_in_approves_and_only_once(lived):
    assert lived["codes"]["aaaaaa"] == [401, 403, 200, 409], "nobody, a viewer, ben, and ben again"
    assert last("aaaaaa") == ("waived", "ben", "airflow:ben", "seen", "why aaaaaa {{ 1 + 1 }}")
    assert lived["responders"]["aaaaaa"] == {"id": "ben", "name": "ben"}


def test_a_refusal_is_recorded_with_its_reason(lived):
    assert last("bbbbbb") == ("waiver_refused", "ben", "airflow:ben", None, "bill it again")


@pytest.mark.parametrize("name", ["cccccc", "dddddd", "eeeeee", "ffffff", "abcabc"])
def test_the_same_person_later_nobody_a_moved_amount_and_a_typed_answer_leave_it_waiting(lived, books, name):
    assert last(name)[:2] == ("waiver_requested", "ana")
    assert books.read(name, "status", "waiver_requested_by") == ("open", "ana")


def test_what_may_not_be_recorded_fails_and_the_rest_goes_on(lived):
    states = {index: state for task, index, state in lived["states"] if task == "ask_person"}
    places = dict(zip(ANSWERS, sorted(states), strict=True))  # the largest first
    assert {name: states[places[name]] for name in ANSWERS} == {
        "aaaaaa": "success", "bbbbbb": "success", "cccccc": "failed", "dddddd": "success", "eeeeee": "success",
        "ffffff": "failed", "abcabc": "success"}  # fmt: skip
    assert lived["state"] == "failed" and lived["responders"]["eeeeee"] is None


def test_the_log_is_whole(lived):
    with log.opened() as db:
        verdict = log.audit(db, None)
    assert verdict.broken is None and verdict.events == 16
