"""What the campaign of HTTP faults needs to know of each vendor: its families of requests, its own error bodies, how a
page is skipped; and a small company whose streams come in several pages.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from simulator import serve, store
from simulator.habits import Habits
from simulator.salesforce_api import SalesforceApi
from tests import simulated_company
from tests.faults.http_layer import Manners, Reply, Request
from tests.faults.http_reading import WHOLE
from tieout.extract import bulk2, http, suiteql_select
from tieout.spec import Connection

DEALS, DOCUMENTS = 650, 110  # four pages of 200, five of 25
SALESFORCE_PAGE, NETSUITE_PAGE, PARENTS_A_CHUNK = 200, 25, 40
_LINE = {"linelastmodifieddate": "2026-05-01 00:00:00", "subsidiary": 1, "taxline": 0, "iscogs": 0}


@dataclass(frozen=True)
class Scenario:
    """One way to read one vendor. `feature` streams may be absent at a vendor: they are asked for first."""

    name: str
    system: str
    auth: str
    streams: tuple[str, ...]
    options: dict[str, object]

    def connection(self, name: str, url: str) -> Connection:
        """The connection, at the layer's address."""
        address = "login_url" if self.system == "salesforce" else "base_url"
        zone = "UTC" if self.system == "salesforce" else "America/Los_Angeles"
        return Connection(name=name, system=self.system, auth=self.auth, time_zone=zone, streams=self.streams,
                          options={**self.options, address: url})


_CRM = ("Account", "Opportunity", "OpportunityLineItem", "CurrencyType")
_ERP = ("transaction", "transactionline", "transactionaccountingline", "currency", "subsidiary", "customer")
_ACCOUNT = {"account": "1234567", "page_size": NETSUITE_PAGE, "max_concurrency": 2}
SCENARIOS = (
    Scenario("rest", "salesforce", "jwt_bearer", _CRM, {"page_size": SALESFORCE_PAGE, "bulk_from_rows": 1_000_000}),
    Scenario("bulk", "salesforce", "client_credentials", _CRM, {"page_size": SALESFORCE_PAGE, "bulk_from_rows": 300}),
    Scenario("suiteql", "netsuite", "tba", _ERP, _ACCOUNT),
    Scenario("suiteql_m2m", "netsuite", "oauth2_m2m", _ERP, _ACCOUNT),
)


@contextmanager
def vendors(folder: Path) -> Iterator[serve.Endpoints]:
    """Both vendors, serving a company whose streams come in several pages, at their best."""
    simulated_company.build(folder)
    with closing(sqlite3.connect(folder / store.DATABASE)) as database, database:
        database.execute('delete from "salesforce__Opportunity" where cast(substr("Name", 6) as int) > ?', (DEALS,))
        database.execute('delete from "netsuite__transaction" where id > ?', (DOCUMENTS,))
        for number in range(11, DOCUMENTS + 1):
            simulated_company.insert(database, "netsuite__transactionline", *(
                {"uniquekey": 10 * number + each, "id": each, "mainline": int(each == 0), "transaction": number,
                 "foreignamount": f"{(-1) ** each * number}.0{each}", **_LINE} for each in range(3)))
            simulated_company.insert(database, "netsuite__transactionaccountingline", *(
                {"accountingbook": book, "transaction": number, "transactionline": each, "account": 5, "posting": 1,
                 "amount": f"-{number}.1{each}", "lastmodifieddate": "2026-05-01 00:00:00"}
                for book in (1, 2) for each in range(3)))
    habits = replace(Habits.none(), job_polls=2, cursors=1000, concurrency=50)
    # The stand-in forgets the size that was asked for with the first page; the real cursor keeps it.
    with patch.object(SalesforceApi, "_page_size", lambda self, call: SALESFORCE_PAGE), \
            serve.start(folder, habits=habits) as endpoints, \
            patch.object(bulk2, "PAGE_ROWS", SALESFORCE_PAGE), \
            patch.object(suiteql_select, "MOST_PARENTS", PARENTS_A_CHUNK), \
            patch.object(http, "_ANSWER_TIMEOUTS", WHOLE):
        set_clock(folder)
        yield endpoints


def set_clock(folder: Path) -> None:
    """The vendors' clock shows the time: assertions and signatures are judged by it."""
    now = datetime.now(UTC)
    store.write_state(folder, replace(store.read_state(folder), now=f"{now:%Y-%m-%d %H:%M:%S}"))


def _json(status: int, value: object, **headers: str) -> Reply:
    return Reply(status, (("content-type", "application/json"),), json.dumps(value).encode()).having(**headers)


_JOB = re.compile(r"(\w+) \S*/jobs/query(/\w+)?(/results)?")
_JOB_FAMILIES = {("POST", False, False): "job_create", ("GET", True, False): "job_poll",
                 ("GET", False, False): "job_list", ("GET", True, True): "job_results",
                 ("PATCH", True, False): "job_abort", ("DELETE", True, False): "job_delete"}


def _salesforce_family(request: Request) -> str:
    text = request.text
    if "/services/oauth2/token" in text:
        return "token"
    if found := _JOB.match(text):
        return _JOB_FAMILIES[found[1], bool(found[2]), bool(found[3])]
    if found := re.search(r"/sobjects/(\w+)/describe", text):
        return f"describe {found[1]}"
    if found := re.search(r"/query(?:All)?\?q=.* FROM (\w+)", text):
        return f"query {found[1]}"
    return "more"


def _salesforce_ahead(request: Request) -> Request | None:
    """The request for the page after next, of a cursor or of a job's result."""
    if found := re.search(r"-(\d+)$", request.target):
        after = int(found[1]) + SALESFORCE_PAGE
        return replace(request, target=f"{request.target[:found.start()]}-{after}") if after < DEALS else None
    if found := re.search(r"locator=([\w=%-]+)", request.target):
        text = base64.urlsafe_b64decode(found[1].replace("%3D", "=") + "==").decode()
        after = int(text.removeprefix("at")) + SALESFORCE_PAGE
        locator = base64.urlsafe_b64encode(f"at{after}".encode()).decode().rstrip("=")
        return replace(request, target=request.target.replace(found[1], locator)) if after < DEALS else None
    return None


def _turned(reply: Reply, canary: str, pattern: bytes, turned: bytes) -> Reply | None:
    body, count = re.subn(pattern, turned.replace(b"CANARY", canary.encode()), reply.body)
    return replace(reply, body=body) if count else None


def _netsuite_family(request: Request) -> str:
    if "/oauth2/v1/token" in request.target:
        return "token"
    found = re.search(r"FROM (\w+)", request.text)
    table = found[1] if found else "nothing"
    return f"probe {table}" if "1 = 0" in request.text else f"rows {table}"


def _netsuite_ahead(request: Request) -> Request | None:
    """The statement with a bound one page further on. A JSON body is not signed."""
    found = re.search(rb"t\.(\w+) > (\d+)", request.body)
    if not found:
        return None
    step = 10 * NETSUITE_PAGE // 3 if found[1] == b"uniquekey" else NETSUITE_PAGE // 3
    bound = b"t.%s > %d" % (found[1], int(found[2]) + step)
    return replace(request, body=request.body.replace(found[0], bound))


_ENDED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
_FAILED = [{"message": "An unexpected error occurred.", "errorCode": "UNKNOWN_EXCEPTION"}]
_REALM = 'OAuth realm="1234567", error="token_rejected", error_description="Invalid login attempt."'


def _netsuite_error(status: int, code: str, detail: str, **headers: str) -> Reply:
    return _json(status, {"type": "about:blank", "title": "…", "status": status,
                          "o:errorDetails": [{"detail": detail, "o:errorCode": code}]}, **headers)


MANNERS = {
    "salesforce": Manners(
        _salesforce_family, _json(401, _ENDED), _json(500, _FAILED), _salesforce_ahead,
        lambda reply, canary: _turned(reply, canary, rb'"(nextRecordsUrl|instance_url)":"(http://[^/"]*)?',
                                      rb'"\1":"CANARY')),
    "netsuite": Manners(
        _netsuite_family, _netsuite_error(401, "INVALID_LOGIN", "Invalid login attempt.", www_authenticate=_REALM),
        _netsuite_error(500, "UNEXPECTED_ERROR", "An unexpected error occurred. Error ID: abc"), _netsuite_ahead,
        lambda reply, canary: _turned(reply, canary, rb'"href":"http://[^/"]*', rb'"href":"CANARY')),
}
