"""QuickBooks Online: its query language, change data capture, reports, and refresh tokens that rotate.

Source: Intuit's Accounting API v3 and OAuth 2.0 guides.

What changed is asked for by change data capture: complete records, and which ones are gone. It looks back thirty days
and tells a thousand objects, without a word about what it left out. So streams of it come as deliveries (`until` in
`ops.load_file`): where the last one lies too far back, or a thousand came of one entity, the complete set is read by
query, and what it lacks is gone. Objects of several entities share the thousand: where they may have, each is asked for
alone.

A stream's `options` say how it is asked for:
    entity     its name in statements; the stream's own unless told
    by         changes (change data capture), whole (all of it each time), rates, or a report: profit_and_loss,
               general_ledger
    inactive   list entities hide inactive records unless these are asked for
    has_lines  a document: its lines come along, laid flat (qbo_page.py)
    feature    multi_currency: not offered without it

Options of a connection: realm_id, environment (production, sandbox), base_url and token_url (instead of the vendor's
own), minor_version, lookback_days.
"""

from __future__ import annotations

import time
from calendar import monthrange
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import islice
from urllib.parse import quote

import httpx
import msgspec

from tieout import logs
from tieout.errors import ConfigError, SourceError
from tieout.extract import MANNERS, Facts, Page, Window
from tieout.extract.address import checked_address
from tieout.extract.ahead import read_ahead
from tieout.extract.auth import Basic
from tieout.extract.deliveries import Delivery, KnownFile
from tieout.extract.http import Call, Client, decode
from tieout.extract.qbo_book import kept, last_of, months
from tieout.extract.qbo_errors import classify
from tieout.extract.qbo_page import Changed, Row, changes_of, dig, laid_flat, notices, quoted, rows_of, text
from tieout.extract.qbo_read import Walk
from tieout.extract.qbo_reports import Report, accounts_by_month, postings, report_of
from tieout.extract.rotating import Grant, Rotating, TokenStore, ends_at
from tieout.extract.token_store import WarehouseTokens
from tieout.spec import Connection, Stream

log = logs.logger(__name__)

HOSTS = {"production": "https://quickbooks.api.intuit.com", "sandbox": "https://sandbox-quickbooks.api.intuit.com"}
TOKEN_URL = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
FLOOR = 75  # lower minor versions are ignored
MOST_OBJECTS = 1000  # of an answer of change data capture, which has no pages
LOOKBACK = 30  # days that it looks back
_MARGIN = timedelta(days=1)
_RATES_AGAIN = timedelta(days=7)  # rates of the last days may be corrected
_LEDGER_MONTHS = 2  # read anew each time; all of them once a day
_DAILY = timedelta(days=1)
_RATE_KEY = ("SourceCurrencyCode", "AsOfDate")
_LEDGER_COLUMNS = "tx_date,txn_type,doc_num,name,debt_amt,credit_amt"


class _Granted(msgspec.Struct):
    access_token: str
    refresh_token: str
    expires_in: float = 3600
    x_refresh_token_expires_in: float | None = None
    x_refresh_token_hard_expires_in: float | None = None


@dataclass(frozen=True)
class _Company:
    """What the preferences say. `currencies`: the foreign ones, where there are any."""

    home_currency: str
    is_multi_currency: bool


class QboExtractor:
    """Extractor for one company (realm): see the module's docstring, and `tieout.extract.Extractor`.

    tokens: where its refresh tokens are kept; in the warehouse unless given.
    """

    at_hand = False

    def __init__(
        self,
        connection: Connection,
        secrets: dict[str, str],
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        tokens: TokenStore | None = None,
    ) -> None:
        self.facts = Facts()
        self._connection, self._secrets, options = connection, secrets, connection.options
        where = f"connection {connection.name}: options"
        self._realm = str(options["realm_id"])
        if not self._realm.isdigit():
            raise ConfigError(f"{where}.realm_id {self._realm!r} is no company id", hint="such as 9130357766900456")
        self._minor = int(options.get("minor_version") or FLOOR)
        if self._minor < FLOOR:
            raise ConfigError(f"{where}.minor_version {self._minor}: the vendor ignores versions below {FLOOR}",
                              hint="leave it out")
        environment = str(options.get("environment") or "production")
        if environment not in HOSTS:
            raise ConfigError(f"{where}.environment {environment!r}: one of {', '.join(HOSTS)}")
        self._lookback = timedelta(days=min(int(options.get("lookback_days") or LOOKBACK), LOOKBACK))
        base = checked_address(str(options.get("base_url") or HOSTS[environment]), f"{where}.base_url")
        self._base = f"{base}/v3/company/{self._realm}"
        self._token_url = checked_address(str(options.get("token_url") or TOKEN_URL), f"{where}.token_url")
        self._client = Client.of(
            connection, classify=classify, facts=self.facts, origins=(base, self._token_url), transport=transport,
            sleep=sleep, clock=clock)
        seed = secrets["refresh_token"]
        self._client.auth = self._tokens = Rotating(
            tokens or WarehouseTokens(connection.name, seed), seed, self._exchange, self.facts,
            lambda: self._client.time().timestamp())
        self._vendor_now: datetime | None = None
        self._changes: dict[str, tuple[datetime, Changed, datetime]] = {}

    def __enter__(self) -> QboExtractor:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def now(self) -> datetime:
        """The `Date` of the latest answer: a little behind the vendor's clock, never ahead of it."""
        if self._client.date is None:
            self._company  # noqa: B018 - asks
        return self._client.date or self._client.clock()

    def available(self, stream: Stream) -> bool:
        """False for currencies and rates of a company that has one currency."""
        return stream.options.get("feature") != "multi_currency" or self._company.is_multi_currency

    def test(self) -> str:
        """Authenticate and ask for the company."""
        (company,) = self._query("test", "CompanyInfo", "select * from CompanyInfo")[:1] or [None]
        name = text(dig(company.record, "CompanyName")) if company else "without a name"
        grant = self._tokens.grant
        until = f", connected until {datetime.fromtimestamp(grant.refresh_ends_at, UTC):%Y-%m-%d} at least" if (
            grant and grant.refresh_ends_at) else ""
        return f"QuickBooks company {name} ({self._realm}), home currency {self._company.home_currency}{until}"

    # --- what the stand-ins for windows are: see deliveries.py

    def is_delivered(self, stream: Stream) -> bool:
        """All but the few small sets that are read whole each time."""
        return not stream.explode and stream.options.get("by") in ("changes", "rates", "general_ledger")

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """The complete set, or the window of a stream that bears a stamp."""
        by = stream.options.get("by", "whole")
        if by == "profit_and_loss":
            yield self._flat_page(stream, self._profit_and_loss(stream, window))
            return
        if by == "changes" and not window.full:
            yield from self._walked(stream, window.start, window.end)
            return
        yield from self._walked(stream, None, None)

    def deliveries(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Iterator[Delivery]:
        """One: what changed since the last one, or the complete set."""
        if stream.options["by"] == "rates":
            yield self._rates(stream, window, known)
        elif stream.options["by"] == "general_ledger":
            yield self._ledger(stream, window, known)
        else:
            yield self._since(stream, window, known)

    def _since(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Delivery:
        last = None if window.full else last_of(known, stream)
        overlap = stream.overlap or self._connection.defaults.cursor_overlap
        since = last.until - overlap if last else None
        if since is not None and window.end - since > self._lookback - _MARGIN:
            self._note_resync(stream, f"the last reading lies {(window.end - since).days} days back, and changes are "
                                      f"told for {self._lookback.days}")
            since = None
        if since is not None:
            changed, until = self._changed(stream, since)
            if changed.told < MOST_OBJECTS:
                pages = list(self._pages_of(stream, changed))
                return Delivery("changes", "incremental", min(until, window.end), lambda: iter(pages),
                                [kept(stream, until, changed.told)])
            self._note_resync(stream, f"{changed.told} objects changed since {since:%F %H:%M}, no more are told")
        return self._complete(stream, window)

    def _complete(self, stream: Stream, window: Window) -> Delivery:
        """The complete set; the next changes are those since its reading began."""
        made = Delivery("complete set", "full", window.end, lambda: iter(()))

        def pages() -> Iterator[Page]:
            began = self._vendor_clock()
            count = 0
            for rows in self._walk(stream).pages(None, None):
                count += len(rows)
                yield self._page(stream, rows)
            made.files = [kept(stream, min(began, window.end), count)]

        made.pages = pages
        return made

    def _note_resync(self, stream: Stream, reason: str) -> None:
        log.warning("reading the complete set", extra={"stream": stream.name, "reason": reason})
        self.facts.notes.setdefault("resynchronised", {})[stream.name] = reason

    def _changed(self, stream: Stream, since: datetime) -> tuple[Changed, datetime]:
        """What changed of the stream's entity, and the vendor's clock. Entities with the same `since` are asked for
        together, unless the answer may have been cut."""
        entity = _entity(stream)
        if (found := self._changes.get(entity)) and found[0] <= since:
            return found[1], found[2]
        together = [_entity(each) for each in self._connection.selected() if each.options.get("by") == "changes"
                    and not each.explode] if not self._changes else [entity]
        changes, until = self._cdc(stream.name, together, since)
        if len(together) > 1 and sum(each.told for each in changes.values()) >= MOST_OBJECTS:
            changes, until = self._cdc(stream.name, [entity], since)
        for name, changed in changes.items():
            self._changes[name] = since, changed, until
        return changes[entity], until

    def _cdc(self, about: str, entities: list[str], since: datetime) -> tuple[dict[str, Changed], datetime]:
        words = {"entities": ",".join(entities),
                 "changedSince": since.astimezone(self._connection.zone).replace(microsecond=0).isoformat()}
        changes, told = self._client.request(self._call("cdc", about, words),
                                             lambda answer: changes_of(answer.body, entities))
        return changes, told or self.now()

    def _pages_of(self, stream: Stream, changed: Changed) -> Iterator[Page]:
        if changed.rows:
            yield self._page(stream, changed.rows)
        if changed.deleted:
            yield Page(stream.name, notices(changed.deleted), noise=MANNERS["qbo"][0], omits_nulls=True, deleted=True)

    # --- queries

    def _walked(self, stream: Stream, start: datetime | None, end: datetime | None) -> Iterator[Page]:
        for rows in self._walk(stream).pages(start, end):
            yield self._page(stream, rows)

    def _walk(self, stream: Stream) -> Walk:
        entity = _entity(stream)
        where = ("Active in (true, false)",) if stream.options.get("inactive") else ()
        return Walk(entity, f"connection {self._connection.name}, stream {stream.name}",
                    lambda statement: self._query(stream.name, entity, statement, stamped=True),
                    zone=self._connection.zone, rows=self._connection.defaults.page_size, where=where)

    def _page(self, stream: Stream, rows: list[Row]) -> Page:
        paths = tuple(column.field for column in stream.columns if column.field and "." in column.field)
        body = laid_flat(rows, paths, has_lines=bool(stream.options.get("has_lines")))
        return Page(stream.name, body, noise=MANNERS["qbo"][0], omits_nulls=True)

    def _flat_page(self, stream: Stream, records: list[dict[str, str]], parents: tuple[str, ...] = ()) -> Page:
        return Page(stream.name, msgspec.json.encode(records), noise=MANNERS["qbo"][0], omits_nulls=True,
                    parents=parents)

    def _query(self, about: str, entity: str, statement: str, *, stamped: bool = False) -> list[Row]:
        rows, told = self._client.request(self._call("query", about, {"query": statement}),
                                          lambda answer: rows_of(answer.body, entity, stamped=stamped))
        self._vendor_now = told or self._client.date
        return rows

    def _call(self, path: str, about: str, words: dict[str, str]) -> Call:
        # Without the header the answer is XML.
        return Call("GET", f"{self._base}/{quote(path)}", about, {**words, "minorversion": str(self._minor)},
                    {"accept": "application/json"})

    def _vendor_clock(self) -> datetime:
        """The vendor's clock, as an answer of now tells it."""
        self._query("clock", "CompanyInfo", "select * from CompanyInfo")
        return self._vendor_now or self.now()

    @cached_property
    def _company(self) -> _Company:
        found = self._query("preferences", "Preferences", "select * from Preferences")
        if not found:
            raise SourceError(f"connection {self._connection.name}: the company has no preferences",
                              hint="report it to the vendor")
        prefs = found[0].record
        home = text(dig(prefs, "CurrencyPrefs.HomeCurrency.value")) or self._connection.currency
        if not home:
            raise SourceError(f"connection {self._connection.name}: the company does not say its home currency",
                              hint="say it as `currency` of the connection")
        many = dig(prefs, "CurrencyPrefs.MultiCurrencyEnabled")
        return _Company(home, many is not None and bytes(many) == b"true")

    # --- rates

    def _rates(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Delivery:
        """The rates of each day since the last reading, and of the week before it; first since `start_date`."""
        last = None if window.full else last_of(known, stream)
        today = window.end.astimezone(self._connection.zone).date()
        first = date.fromisoformat(self._connection.start_date)
        if last:
            first = max(first, (last.until - _RATES_AGAIN).astimezone(self._connection.zone).date())
        made = Delivery("rates", "incremental" if last else "full", window.end, lambda: iter(()))

        def pages() -> Iterator[Page]:
            codes = [code for row in self._query(stream.name, "CompanyCurrency", "select * from CompanyCurrency where "
                                                 "Active in (true, false) maxresults 1000")
                     if (code := text(row.record.get("Code"))) and code != self._company.home_currency]
            told: dict[tuple[str | None, ...], Row] = {}
            if codes:
                days = iter(first + timedelta(days=n) for n in range((today - first).days + 1))
                for _, rows in read_ahead(days, lambda day: self._rates_of(stream, codes, day),
                                          self._client.max_concurrency):
                    told |= {tuple(text(row.record.get(word)) for word in _RATE_KEY): row for row in rows}
            rates = iter(told.values())
            while part := list(islice(rates, 5_000)):
                yield self._page(stream, part)
            made.files = [kept(stream, window.end, len(told))]

        made.pages = pages
        return made

    def _rates_of(self, stream: Stream, codes: list[str], day: date) -> list[Row]:
        wanted = ", ".join(quoted(code) for code in codes)
        return self._query(stream.name, "ExchangeRate", f"select * from ExchangeRate where SourceCurrencyCode in "
                           f"({wanted}) and AsOfDate = '{day}'")

    # --- reports

    def _profit_and_loss(self, stream: Stream, window: Window) -> list[dict[str, str]]:
        """All months, a report a year."""
        today = window.end.astimezone(self._connection.zone).date()
        first = date.fromisoformat(self._connection.start_date)
        found: list[dict[str, str]] = []
        for year in range(first.year, today.year + 1):
            start, end = max(first.replace(day=1), date(year, 1, 1)), date(year, 12, 31)
            report = self._report(stream, "ProfitAndLoss", start, end, {"summarize_column_by": "Month"})
            found += accounts_by_month(report, "ProfitAndLoss")
        return found

    def _ledger(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Delivery:
        """The postings of the latest months; of all of them once a day, for what changed long ago."""
        last = None if window.full else last_of(known, stream)
        whole = last is None or window.end - last.complete >= _DAILY
        today = window.end.astimezone(self._connection.zone).date()
        first = date.fromisoformat(self._connection.start_date)
        wanted = list(months(first, today))
        wanted = wanted if whole else wanted[-_LEDGER_MONTHS:]
        made = Delivery("postings", "full" if whole else "incremental", window.end, lambda: iter(()))

        def read(start: date) -> list[dict[str, str]]:
            end = start.replace(day=monthrange(start.year, start.month)[1])
            report = self._report(stream, "GeneralLedger", start, end, {"columns": _LEDGER_COLUMNS})
            return postings(report, f"{start:%Y-%m}", "Beginning Balance")

        def pages() -> Iterator[Page]:
            count = 0
            for start, rows in read_ahead(iter(wanted), read, self._client.max_concurrency):
                count += len(rows)
                yield self._flat_page(stream, rows, parents=() if whole else (f"{start:%Y-%m}",))
            complete = window.end if whole or last is None else last.complete
            made.files = [kept(stream, window.end, count, complete)]

        made.pages = pages
        return made

    def _report(self, stream: Stream, name: str, start: date, end: date, more: dict[str, str]) -> Report:
        """Without `accounting_method` the report follows a preference, and may be on cash basis."""
        words = {"start_date": str(start), "end_date": str(end), "accounting_method": "Accrual", **more}
        where = f"connection {self._connection.name}, stream {stream.name}, {start:%Y-%m}"
        return self._client.request(self._call(f"reports/{name}", stream.name, words),
                                    lambda answer: report_of(answer.body, where))

    # --- tokens

    def _exchange(self, refresh_token: str) -> Grant:
        """A refresh token for its successor. AuthError where it is dead: a person has to connect anew."""
        headers = {"accept": "application/json", "authorization": Basic(
            self._secrets["client_id"], self._secrets["client_secret"]).header}
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        call = Call("POST", self._token_url, "authentication", form=lambda: form, signed=False, headers=headers,
                    tries=4)
        granted = self._client.request(call, lambda answer: decode(answer.body, _Granted))
        now = self._client.time().timestamp()
        lives = [each for each in (granted.x_refresh_token_expires_in, granted.x_refresh_token_hard_expires_in) if each]
        return Grant(granted.refresh_token, granted.access_token, ends_at(now, granted.expires_in),
                     now + min(lives) if lives else None)


def _entity(stream: Stream) -> str:
    return str(stream.options.get("entity", stream.name))
