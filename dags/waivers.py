"""**Waivers**: put each waiver over the limit to a second person, and record the answer.

Every hour, one question for each request that waits (`tieout breaks waive` of more than `breaks.waiver_limit`).
Questions stand under *Required Actions* in Airflow until they are answered, or until the next hour asks anew: nothing
is lost when nobody answers. Whoever is logged in answers; it may not be the person who asked. Both are in the log.

- `waiting`: the requests, the 200 largest. Fails: the warehouse is away, see `tieout doctor`.
- `ask_person`: waits for *Approve*, *Refuse* or *Later*, and for a word on why; then writes the answer into the log.
  Fails with "another person approves it" where requester and approver are the same: the request goes on waiting. Fails
  with "was … when the waiver was asked for" where the amount moved by more than the waiver allows: refuse it, and ask
  again. A request that was settled by hand meanwhile is left alone. Asks again after two minutes where the warehouse
  was away when the answer came.

- **Do it by hand**: `tieout breaks list --waiting`, then `tieout breaks approve <key>` or `refuse <key>`.
- **It failed, or was killed**: nothing to do, the next hour asks again.
- **What was answered**: `tieout breaks show <key>`; `tieout breaks audit` proves that it was not changed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from airflow.sdk.exceptions import TaskAwaitingInput

from tieout import steps
from tieout.airflow_support import heals_or_fails
from tieout.dag_words import WAIVERS_DAG, Tag, task_defaults

ANSWERS = ["Approve", "Refuse", "Later"]
UNTIL_ASKED_ANEW = timedelta(minutes=50)


@task
def waiting() -> list[dict[str, str]]:
    with heals_or_fails():
        return steps.waiting_waivers()


class AskPerson(HITLOperator):
    """Ask about one request, and record who answered what.

    In one task: whoever may run a DAG may write its XComs, and another task would believe them. What is asked comes
    from the register at that moment; who answered, from Airflow itself.
    """

    template_fields = ()  # what a source wrote is no template

    def __init__(self, *, request: dict[str, str], **options: Any) -> None:
        super().__init__(subject="", **options)
        self.request = request

    def execute(self, context: Any) -> Any:
        with heals_or_fails():
            question = steps.waiver_question(self.request)
        if question is None:
            return f"request {self.request['request_id']} does not wait any more"
        self.subject, self.body = question["subject"], question["body"]
        try:
            return super().execute(context)
        except TaskAwaitingInput as parked:
            parked.kwargs = {"question": question}  # Airflow keeps it with the task: the answer is to what was shown
            raise

    def execute_complete(self, context: Any, event: dict[str, Any], question: dict[str, str]) -> str:
        answer = super().execute_complete(context, event)
        with heals_or_fails():
            return steps.answer_waiver(question, answer)


@dag(
    dag_id=WAIVERS_DAG,
    description="Ask a second person for each waiver over the limit, and record the answer",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args=task_defaults(),
    tags=[Tag.REGISTER],
    doc_md=__doc__,
)
def waivers() -> None:
    AskPerson.partial(
        task_id="ask_person",
        options=ANSWERS,
        defaults="Later",
        params={"why": Param("", type=["null", "string"], title="Why", maxLength=2000)},
        response_timeout=UNTIL_ASKED_ANEW,
    ).expand(request=waiting())


waivers()
