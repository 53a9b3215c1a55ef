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
    oracle_rows: rows that Oracle serves at once, whatever `limit` says. oracle_child_rows: children inside of a record.
    oracle_any_order: without `orderBy`, each request has rows in another order.
    oracle_weak_fields: a projection that names an attribute of long text fails. oracle_no_totals: resources that
    fail when their total is asked for.
    oracle_throttled_every, oracle_unavailable_every: each n-th Oracle call is answered 429 or 503 (0: never).
    oracle_token_seconds: life of a token.
    quickbooks_token_seconds, quickbooks_token_requests: life of an access token; None: however many requests.
    quickbooks_rotate_every: each n-th refresh brings another refresh token. quickbooks_grace_seconds: how long the
    former one is still taken, unless its successor is used before.
    quickbooks_moving: the first record of each full page changes as soon as the page is served, once.
    quickbooks_throttled_every: each n-th call is answered 403 with code 3001, or 429, in turn; quickbooks_retry_after:
    the header that comes with it, None as the vendor often does. quickbooks_faults_in_200_every: each n-th call fails
    with status 200. (0: never.)
    own_crm_rows: records that the proprietary CRM's REST interface gives at once, whatever is asked for.
    own_crm_throttled_every: each n-th call of it is answered 429 (0: never).
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
    oracle_rows: int = 100
    oracle_child_rows: int = 25
    oracle_any_order: bool = True
    oracle_weak_fields: bool = True
    oracle_no_totals: set[str] = field(default_factory=lambda: {"receivablesInvoices"})
    oracle_throttled_every: int = 90
    oracle_unavailable_every: int = 70
    oracle_token_seconds: int = 3600
    quickbooks_token_seconds: int = 3600
    quickbooks_token_requests: int | None = 500
    quickbooks_rotate_every: int = 1
    quickbooks_grace_seconds: float = 300
    quickbooks_moving: bool = True
    quickbooks_throttled_every: int = 97
    quickbooks_retry_after: float | None = 1
    quickbooks_faults_in_200_every: int = 151
    own_crm_rows: int = 80
    own_crm_throttled_every: int = 40

    @classmethod
    def none(cls) -> Habits:
        """A vendor on its best day."""
        return cls(
            first_session_requests=None, short_pages=False, job_polls=0, unavailable_every=0, throttled_every=0,
            oracle_rows=500, oracle_child_rows=500, oracle_any_order=False, oracle_weak_fields=False,
            oracle_no_totals=set(), oracle_throttled_every=0, oracle_unavailable_every=0, own_crm_rows=500,
            own_crm_throttled_every=0, quickbooks_token_requests=None, quickbooks_moving=False,
            quickbooks_throttled_every=0, quickbooks_faults_in_200_every=0,
        )


@dataclass
class SalesforceOrg:
    """Features of the organisation and permissions of the integration user.

    hidden: fields ('Account.Phone') or objects ('Contract') that field-level security hides: they do not exist.
    encrypted: fields that Shield Platform Encryption keeps: a query may not filter by them.
    unlinked: secrets of the connected app are known, but the user has not approved it.
    """

    multicurrency: bool = True
    dated_rates: bool = True
    hidden: set[str] = field(default_factory=set)
    encrypted: set[str] = field(default_factory=set)
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


@dataclass
class OraclePod:
    """Permissions of the integration user and what the pod delivers.

    units: business units that are granted; None: all of them. Rows of others are not there, and nothing says so.
    hidden: resources, or attributes ('receivablesInvoices.PaymentTerms') that this release does not have.
    denied: resources that the user's role may not see: 403.
    extracts: file extracts are delivered to `bicc/` of the folder when the servers start.
    """

    auth: Literal["basic", "oauth2_client", "oauth2_jwt", "jwt"] = "basic"
    units: set[str] | None = None
    hidden: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    extracts: bool = False


@dataclass
class QuickBooksApp:
    """How the company is connected. sandbox: the other environment's discovery document is the one that serves it."""

    sandbox: bool = False


@dataclass
class OwnCrmSite:
    """How others reach the proprietary CRM.

    face: the way in that tieout.yml names. REST is always open, and its `paging` is how its lists go on.
    database: of the face `database`, the SQLAlchemy url of one who may make a schema and a user there.
    """

    face: Literal["sftp", "s3", "database", "rest"] = "sftp"
    paging: Literal["page", "offset", "cursor", "link", "body"] = "cursor"
    database: str = ""
