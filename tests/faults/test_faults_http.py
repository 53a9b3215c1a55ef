"""The short form of the campaign of HTTP faults, and proof that it sees what it looks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from unittest.mock import patch

import pytest

from tests.faults import campaign_http as campaign
from tests.faults.campaign_http import Bench, Plan, survive
from tests.faults.http_layer import KINDS, Canary, Fault
from tests.faults.http_vendors import SCENARIOS, vendors
from tieout.extract import bulk2, http
from tieout.extract.bulk2_strays import Strays
from tieout.extract.soql import SoqlExtractor
from tieout.extract.suiteql import SuiteqlExtractor

SCENARIO = {scenario.name: scenario for scenario in SCENARIOS}


def test_every_plan_ends_equal_or_fails_loudly():
    outcome = campaign.run(campaign.SHORT, seed=1, tell=print)
    assert outcome.failures == []
    assert outcome.tried == campaign.SHORT
    assert outcome.facts["landings"] >= 8
    assert outcome.facts["equal"] >= 10
    assert outcome.facts["resumed"] >= 1
    assert len(outcome.kinds) > len(KINDS) // 2


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with ExitStack() as stack:
        stack.enter_context(campaign.quiet())
        yield Bench(stack.enter_context(vendors(tmp_path_factory.mktemp("company"))), Canary())


def wrong(bench: Bench, scenario: str, *faults: Fault) -> list[str]:
    """What the campaign says of an extraction with these faults, all of which struck."""
    struck, verdict = survive(bench, Plan(1, SCENARIO[scenario], False, faults))
    assert struck == {fault.kind for fault in faults}
    return verdict.wrong


# Each case: what is broken in the product, the fault that shows it, and what the campaign must say.
CONTROLS = {
    "a page left out, and nobody counts": (
        "suiteql", Fault("ahead", "rows transaction", 1), "transaction: silently 8 records short",
        lambda: patch.object(SuiteqlExtractor, "_count", lambda *words: 0)),
    "a result that is short, and nobody counts": (
        "rest", Fault("ahead", "more", 0), "Opportunity: silently 200 records short",
        lambda: patch.object(SoqlExtractor, "_rest", _trusting)),
    "a proxy's page that switches a feature off": (
        "rest", Fault("html_404", "describe CurrencyType"), "CurrencyType was left out without a word",
        lambda: patch.object(SoqlExtractor, "available", _credulous)),
    "a job that nobody looks for": (
        "bulk", Fault("reset", "job_create"), "was left behind as",
        lambda: patch.object(Strays, "find", lambda *words: [])),
    "a link that anybody may turn": (
        "rest", Fault("elsewhere", "more", 0), "a request went to another address",
        lambda: patch.object(http.Client, "check", lambda *words: None)),
    "an error that does not say where": (
        "bulk", Fault("500", "job_results", 0, None), "no stream is named",
        lambda: patch.object(http.Client, "_where", lambda *words: "plan_1: somewhere")),
    "a page whose cut end nobody sees": (
        "bulk", Fault("last_value_lost", "job_results", 1), "different",
        lambda: patch.object(bulk2, "page_of", lambda answer, columns: (
            answer.body, int(answer.headers["sforce-numberofrecords"]), answer.headers["sforce-locator"]))),
}


def _trusting(self: SoqlExtractor, query: object, page: object) -> Iterator[object]:
    from tieout.extract import Page

    body, answer = page
    while True:
        yield Page(query.stream.name, body, records="records", noise=("attributes",))
        if answer.done:
            return
        body, answer = self._get(query.stream.name, answer.next_records_url, type(answer), with_body=True)


def _credulous(self: SoqlExtractor, stream: object) -> bool:
    try:
        return self._describe(stream.name) is not None
    except http.Refused:
        return False


@pytest.mark.parametrize("name", CONTROLS)
def test_the_campaign_sees(name, bench):
    scenario, fault, said, broken = CONTROLS[name]
    assert wrong(bench, scenario, fault) == []
    with broken():
        assert any(said in line for line in wrong(bench, scenario, fault))


def test_the_campaign_sees_paging_without_end(bench):
    with patch.object(campaign, "MOST_REQUESTS", 20):
        assert "asked without end" in wrong(bench, "suiteql", Fault("503", "rows transaction", 0))
