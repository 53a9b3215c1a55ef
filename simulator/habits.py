"""How the stand-in vendors behave: bad habits that are on by default, and switches of editions and permissions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Habits:
    """What a client must survive. Counts are of requests or polls, so that a run is repeatable.

    Fields may be changed while a server runs; the next request sees the change.

    session_requests, session_seconds: life of a Salesforce session.
    first_session_requests: the first session ends after that many requests, in the midst of whatever is paged.
    short_pages: Salesforce serves fewer rows than asked for, and bulk results come in several pieces.
    cursors: open query cursors a Salesforce user may keep; the oldest is dropped.
    job_polls: polls that find a bulk job InProgress. failing_jobs: objects whose next bulk job ends as Failed, once.
    unavailable_every: each n-th Salesforce call is answered 503 (0: never).
    throttled_every: each n-th NetSuite query is answered 429 (0: never).
    concurrency: NetSuite calls at once before 429.
    netsuite_token_seconds: life of an OAuth 2.0 token.
    """

    session_requests: int | None = None
    session_seconds: float = 7200.0
    first_session_requests: int | None = 20
    short_pages: bool = True
    cursors: int = 50
    job_polls: int = 2
    failing_jobs: set[str] = field(default_factory=set)
    unavailable_every: int = 30
    throttled_every: int = 60
    concurrency: int = 5
    netsuite_token_seconds: int = 3600

    @classmethod
    def none(cls) -> Habits:
        """A vendor on its best day."""
        return cls(first_session_requests=None, short_pages=False, job_polls=0, unavailable_every=0, throttled_every=0)


@dataclass
class SalesforceOrg:
    """Features of the organisation and permissions of the integration user.

    hidden: fields ('Account.Phone') or objects ('Contract') that field-level security hides: they do not exist.
    unlinked: secrets of the connected app are known, but the user has not approved it.
    """

    multicurrency: bool = True
    dated_rates: bool = True
    hidden: set[str] = field(default_factory=set)
    daily_requests: int = 100_000
    used_requests: int = 17
    unlinked: bool = False


@dataclass
class NetSuiteAccount:
    """Features of the account and preferences of the integration user.

    date_format: how a date looks when the query does not say (TO_CHAR). time_zone: in which stamps are told
    (read when the server starts).
    json_numbers: columns that come as JSON numbers; all others are strings.
    """

    account: str = "1234567"
    time_zone: str = "America/Los_Angeles"
    date_format: Literal["M/D/YYYY", "D/M/YYYY", "DD.MM.YYYY", "DD-Mon-YYYY", "YYYY-MM-DD"] = "M/D/YYYY"
    oneworld: bool = True
    multi_currency: bool = True
    multi_book: bool = True
    hidden: set[str] = field(default_factory=set)
    json_numbers: frozenset[str] = frozenset({"linesequencenumber", "currencyprecision"})
