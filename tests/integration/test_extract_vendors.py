"""The extractors against the stand-in vendors over HTTP, on their bad days.

Expected rows are read from the vendors' own database, so that nothing between it and the pages is taken on trust.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from simulator import company, serve
from simulator.habits import Habits, NetSuiteAccount, SalesforceOrg
from tieout.errors import AuthError, RateLimitError, SchemaError
from tieout.extract import Extractor, Page, Window
from tieout.extract.open import PROTOCOLS, open_extractor
from tieout.spec import Connection, Stream, load_company

BAD_DAYS = Habits()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company of a thousand orders."""
    made = tmp_path_factory.mktemp("company")
    company.generate(made, seed=42, size="1k")
    return made


@pytest.fixture
def vendors(folder: Path) -> Iterator:
    """`vendors(habits=…, salesforce=…, netsuite=…)`: both vendors, served until the test ends."""
    running: list[serve.Endpoints] = []

    def start(at: Path = folder, **words: object) -> serve.Endpoints:
        # A copy: the simulator counts down what fails once.
        words["habits"] = replace(words.get("habits", BAD_DAYS), failing_jobs=set(words.pop("failing_jobs", ())))
        running.append(serve.start(at, **words))
        return running[-1]

    yield start
    for endpoints in running:
        endpoints.stop()


def connected(endpoints: serve.Endpoints, system: str, auth: str | None = None, **options: object) -> Connection:
    connections = load_company(endpoints.tieout_yml(endpoints.folder / "tieout.yml")).connections.values()
    found = next(c for c in connections if c.system == system)
    return found.model_copy(update={"auth": auth or found.auth, "options": {**found.options, **options}})


def opened(endpoints: serve.Endpoints, connection: Connection, **changed: str) -> Extractor:
    """As `open_extractor`, with waits that take no time."""
    from importlib import import_module

    module, name = PROTOCOLS[connection.source.protocol]
    secrets = {**endpoints.secrets[connection.name], **changed}
    return getattr(import_module(module), name)(connection, secrets, sleep=lambda seconds: None)


def records(pages: Iterable[Page]) -> list[dict[str, object]]:
    found = []
    for page in pages:
        if page.media == "csv":
            found += list(csv.DictReader(io.StringIO(page.body.decode())))
        else:
            found += json.loads(page.body)[page.records]
    return found


def keys(stream: Stream, rows: list[dict[str, object]], zone: tzinfo = UTC) -> list[tuple[str, ...]]:
    """The rows' keys, with stamps (which come in the zone) in UTC."""

    def word(row: dict[str, object], key: str) -> str:
        text = str(row[stream.column(key).field])
        if stream.column(key).type != "timestamp":
            return text
        return f"{datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC):%F %T}"

    return sorted(tuple(word(row, key) for key in stream.key) for row in rows)


def expected(folder: Path, system: str, stream: Stream, where: str = "1") -> list[tuple[str, ...]]:
    """The keys in the vendor's database. Raw names: they come from source.yml."""
    table = f"{system}__{str(stream.options.get('table', stream.name))}"
    table = table.lower() if system == "netsuite" else table
    if "book" in stream.options:
        where = f"({where}) and accountingbook = 1"
    columns = ", ".join(f'"{stream.column(key).field}"' for key in stream.key)
    with closing(sqlite3.connect(folder / "sim.db")) as database:
        found = database.execute(f'select {columns} from "{table}" where {where}')
        return sorted(tuple(map(str, row)) for row in found)


@pytest.mark.parametrize("system", ["salesforce", "netsuite"])
def test_every_row_comes_once_on_bad_days(system, vendors, folder):
    """Sessions that end in mid-paging, 503s, 429s, short pages, slow jobs: what arrives is what is there."""
    endpoints = vendors(habits=replace(BAD_DAYS, unavailable_every=7, throttled_every=7, first_session_requests=12))
    connection = connected(endpoints, system)
    with opened(endpoints, connection) as extractor:
        window = Window(None, extractor.now() + timedelta(seconds=1))
        streams = connection.selected()
        assert len(streams) >= 10
        parents: list[str] = []
        for stream in streams:
            assert extractor.available(stream)
            pages = list(extractor.pages(stream, window, iter(parents) if stream.parent else None))
            rows = records(pages)
            assert keys(stream, rows) == expected(folder, system, stream), stream.name
            if stream.name == "transaction":
                parents = [str(row["id"]) for row in rows]
            if stream.parent:
                assert sorted(each for page in pages for each in page.parents) == sorted(parents)
    assert extractor.facts.retries > 0
    assert system == "netsuite" or extractor.facts.token_refreshes > 0


def test_real_waits_work_too(vendors, folder):
    endpoints = vendors()
    connection = connected(endpoints, "salesforce")
    with open_extractor(connection, endpoints.secrets[connection.name]) as extractor:
        stream = connection.source.stream("OrderItem")
        rows = records(extractor.pages(stream, Window(None, extractor.now() + timedelta(seconds=1))))
    assert keys(stream, rows) == expected(folder, "salesforce", stream)


@pytest.mark.parametrize(("bulk_from_rows", "media"), [(0, "csv"), (10_000_000, "json")])
def test_rest_and_bulk_serve_the_same_rows(bulk_from_rows, media, vendors, folder):
    endpoints = vendors()
    connection = connected(endpoints, "salesforce", bulk_from_rows=bulk_from_rows)
    stream = connection.source.stream("Order")
    with opened(endpoints, connection) as extractor:
        pages = list(extractor.pages(stream, Window(None, extractor.now() + timedelta(seconds=1))))
    assert {page.media for page in pages} == {media}
    assert keys(stream, records(pages)) == expected(folder, "salesforce", stream)


def test_a_failed_job_is_read_by_rest(vendors, folder):
    endpoints = vendors(failing_jobs={"OrderItem"})
    connection = connected(endpoints, "salesforce")
    stream = connection.source.stream("OrderItem")
    with opened(endpoints, connection) as extractor:
        pages = list(extractor.pages(stream, Window(None, extractor.now() + timedelta(seconds=1))))
    assert {page.media for page in pages} == {"json"}
    assert keys(stream, records(pages)) == expected(folder, "salesforce", stream)
    assert "OrderItem" in extractor.facts.notes["bulk_fallbacks"]


def test_no_job_is_left_at_the_vendor(vendors):
    endpoints = vendors()
    connection = connected(endpoints, "salesforce", bulk_from_rows=0)
    stream = connection.source.stream("Order")
    with opened(endpoints, connection) as extractor:
        pages = extractor.pages(stream, Window(None, extractor.now()))
        next(pages)
        pages.close()
    asked = [(seen.method, seen.path.count("/")) for seen in endpoints.log if "/jobs/query/" in seen.path]
    assert asked[-1][0] == "DELETE"
    assert "bulk_jobs_left_behind" not in extractor.facts.notes


@pytest.mark.parametrize("system", ["salesforce", "netsuite"])
def test_a_day_later_exactly_the_days_changes_come(system, vendors, folder, tmp_path):
    later = tmp_path / "later"
    shutil.copytree(folder, later)
    before = vendors(later)
    with opened(before, connected(before, system)) as extractor:
        start = extractor.now()
    before.stop()
    company.advance(later, days=1)
    endpoints = vendors(later)
    connection = connected(endpoints, system)
    changed = 0
    with opened(endpoints, connection) as extractor:
        end = extractor.now()
        assert end - start == timedelta(days=1)
        parents: list[str] = []
        for stream in connection.selected():
            if stream.parent:
                where = f"\"transaction\" in ({','.join(parents)})"
                rows = records(extractor.pages(stream, Window(start, end), iter(parents)))
            elif stream.mode == "incremental":
                field = stream.column(stream.cursor).field
                where = f"\"{field}\" >= '{start:%F %T}' and \"{field}\" < '{end:%F %T}'"
                rows = records(extractor.pages(stream, Window(start, end)))
                changed += len(rows)
            else:
                continue
            assert keys(stream, rows, connection.zone) == expected(later, system, stream, where), stream.name
            if stream.name == "transaction":
                parents = [str(row["id"]) for row in rows]
                assert parents
    assert changed


def test_windows_over_the_repeated_hour_lose_nothing(vendors, folder, tmp_path):
    """2 November 2025, 01:00-02:00 in Los Angeles comes twice, from 08:00Z and 09:00Z. A change every five minutes."""
    autumn = tmp_path / "autumn"
    shutil.copytree(folder, autumn)
    first, last = datetime(2025, 11, 2, 6, tzinfo=UTC), datetime(2025, 11, 2, 12, tzinfo=UTC)
    stamps = [first + timedelta(minutes=5 * n) for n in range(72)]
    with closing(sqlite3.connect(autumn / "sim.db")) as database, database:
        ids = [key for (key,) in database.execute("select id from netsuite__transaction order by id limit 72")]
        for key, stamp in zip(ids, stamps, strict=True):
            database.execute(
                "update netsuite__transaction set lastmodifieddate = ? where id = ?", (f"{stamp:%F %T}", key)
            )
    endpoints = vendors(autumn, habits=Habits.none())
    connection = connected(endpoints, "netsuite")
    assert connection.time_zone == "America/Los_Angeles"
    stream = connection.source.stream("transaction")
    with opened(endpoints, connection) as extractor:
        for start in (first + timedelta(minutes=15 * n) for n in range(24)):
            window = Window(start, start + timedelta(minutes=15))
            got = {int(row["id"]) for row in records(extractor.pages(stream, window))}
            due = {key for key, stamp in zip(ids, stamps, strict=True) if window.start <= stamp < window.end}
            assert len(due) == 3
            assert got >= due, window
    assert last == window.end


def test_dates_come_as_iso_whatever_the_users_preference(vendors, folder):
    endpoints = vendors(netsuite=NetSuiteAccount(date_format="DD-Mon-YYYY"))
    connection = connected(endpoints, "netsuite")
    with opened(endpoints, connection) as extractor:
        rows = records(extractor.pages(connection.source.stream("accountingperiod"), Window(None, extractor.now())))
    assert datetime.strptime(rows[0]["startdate"], "%Y-%m-%d")


@pytest.mark.parametrize(("system", "auth"), [("salesforce", "client_credentials"), ("netsuite", "oauth2_m2m")])
def test_the_other_way_to_authenticate(system, auth, vendors):
    endpoints = vendors()
    with opened(endpoints, connected(endpoints, system, auth)) as extractor:
        assert extractor.test()


@pytest.mark.parametrize(
    ("system", "auth", "secret", "most"),
    [
        ("salesforce", "client_credentials", "consumer_secret", 1), ("salesforce", "jwt_bearer", "consumer_key", 1),
        ("netsuite", "tba", "token_secret", 2), ("netsuite", "oauth2_m2m", "certificate_id", 1),
    ],
)
def test_wrong_secrets_are_told_and_not_tried_often(system, auth, secret, most, vendors):
    endpoints = vendors()
    connection = connected(endpoints, system, auth)
    with opened(endpoints, connection, **{secret: "wrong-secret"}) as extractor, pytest.raises(AuthError) as caught:
        extractor.test()
    assert connection.name in str(caught.value)
    assert len(endpoints.log) <= most


def test_an_organisation_with_one_currency(vendors):
    endpoints = vendors(salesforce=SalesforceOrg(multicurrency=False, dated_rates=False))
    connection = connected(endpoints, "salesforce")
    with opened(endpoints, connection) as extractor:
        absent = {s.name for s in connection.selected() if not extractor.available(s)}
        assert absent == {"CurrencyType", "DatedConversionRate"}
        rows = records(extractor.pages(connection.source.stream("Account"), Window(None, extractor.now())))
    assert rows
    assert "CurrencyIsoCode" not in rows[0]


def test_an_account_without_features(vendors, folder):
    endpoints = vendors(netsuite=NetSuiteAccount(oneworld=False, multi_currency=False, multi_book=False))
    connection = connected(endpoints, "netsuite")
    with opened(endpoints, connection) as extractor:
        absent = {s.name for s in connection.selected() if not extractor.available(s)}
        assert absent == {"accountingbook", "subsidiary", "currency", "currencyrate"}
        window = Window(None, extractor.now() + timedelta(seconds=1))
        for name in ("transaction", "transactionline", "customer", "account"):
            stream = connection.source.stream(name)
            assert keys(stream, records(extractor.pages(stream, window))) == expected(folder, "netsuite", stream)
        ledger = connection.source.stream("transactionaccountingline")
        rows = records(extractor.pages(ledger, window))
        assert rows
        assert len(set(keys(ledger, rows))) == len(rows)


@pytest.mark.parametrize(
    ("system", "stream", "hidden"),
    [("salesforce", "Account", "Account.Phone"), ("netsuite", "transaction", "transaction.foreigntotal")],
)
def test_a_hidden_field_is_a_schema_error_that_names_it(system, stream, hidden, vendors):
    endpoints = vendors(salesforce=SalesforceOrg(hidden={hidden}), netsuite=NetSuiteAccount(hidden={hidden}))
    connection = connected(endpoints, system)
    with opened(endpoints, connection) as extractor, pytest.raises(SchemaError, match=hidden.split(".")[1]):
        list(extractor.pages(connection.source.stream(stream), Window(None, extractor.now())))


def test_a_lost_cursor_starts_again(vendors, folder):
    """One open cursor per user: a second result drops the first one's."""
    endpoints = vendors(habits=replace(Habits.none(), cursors=1))
    connection = connected(endpoints, "salesforce", page_size=200, bulk_from_rows=10_000_000)
    order, account = connection.source.stream("Order"), connection.source.stream("Account")
    with opened(endpoints, connection) as extractor:
        window = Window(None, extractor.now() + timedelta(seconds=1))
        pages = extractor.pages(order, window)
        first = next(pages)
        next(extractor.pages(account, window))
        rows = records([first, *pages])
    assert extractor.facts.notes["restarts"] == {"Order": 1}
    assert sorted(set(keys(order, rows))) == expected(folder, "salesforce", order)


def test_a_share_of_the_day_is_left_to_others(vendors):
    endpoints = vendors(salesforce=SalesforceOrg(daily_requests=100, used_requests=70))
    connection = connected(endpoints, "salesforce")
    with opened(endpoints, connection) as extractor, pytest.raises(RateLimitError, match="80 %"):
        for stream in connection.selected():
            list(extractor.pages(stream, Window(None, extractor.now())))


def test_more_workers_than_the_account_allows_still_read_everything(vendors, folder):
    endpoints = vendors(habits=replace(Habits.none(), concurrency=1))
    connection = connected(endpoints, "netsuite", max_concurrency=4)
    stream = connection.source.stream("transactionline")
    parents = [key for (key,) in expected(folder, "netsuite", connection.source.stream("transaction"))]
    secrets = endpoints.secrets[connection.name]
    with open_extractor(connection, secrets) as extractor:
        rows = records(extractor.pages(stream, Window(None, extractor.now()), iter(parents)))
    assert keys(stream, rows) == expected(folder, "netsuite", stream)
