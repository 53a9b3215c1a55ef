"""SuiteQL: NetSuite's SQL over REST, read by key.

Source: SuiteTalk REST Web Services API Guide (SuiteQL, token-based authentication, OAuth 2.0 client credentials).

Paging. A statement yields at most 100,000 rows whatever the offset, and rows that change while it is paged are doubled
or lost. So pages go by key: `WHERE t.id > last ORDER BY t.id`, always from offset 0. Where the keyset column is not
unique (`previousdoc`), a page is cut before its last value, whose rows may go on; only a value that fills whole pages
is read by offset, in the order of the full key. Each row comes once.

Children (lines) are read for the changed parents in chunks `IN (…)`, several at a time, handed on in order.

Stamps come in the integration user's zone, which is the connection's `time_zone`.

Options: `account`, `base_url` (instead of the account's own address), `accounting_books` (`all`, or a list of ids; the
primary book unless set).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import msgspec

from tieout import logs
from tieout.errors import ConfigError, SchemaError, SourceError
from tieout.extract import MANNERS, Facts, Page, Window
from tieout.extract.address import checked_address
from tieout.extract.ahead import read_ahead
from tieout.extract.auth import Bearer, OAuth1, Token, assertion
from tieout.extract.http import Call, Client, Refused, decode
from tieout.extract.loopguard import LoopGuard
from tieout.extract.suiteql_errors import classify
from tieout.extract.suiteql_page import Asked, Batch, batch_of
from tieout.extract.suiteql_select import Select, chunks, number, table, window_filters
from tieout.spec import Column, Connection, Stream

log = logs.logger(__name__)

MOST_ROWS = 100_000  # the vendor's cap on offset paging
_NO_FIELD = re.compile(r"Field '([^']+)' for record '[^']+' was not found", re.IGNORECASE)
_NO_RECORD = re.compile(r"Record '([^']+)' was not found", re.IGNORECASE)
_PING = "SELECT t.id FROM transaction t WHERE 1 = 0"
_PRIMARY_BOOK = "SELECT t.id FROM accountingbook t WHERE t.isprimary = 'T' ORDER BY t.id"
_NOTHING = Asked(1)
_RESTARTS = 3
_ASSERTION_LIFE = 300  # seconds; the vendor allows an hour


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int | str = 3600


class SuiteqlExtractor:
    """Extractor for one NetSuite account: see the module's docstring, and `tieout.extract.Extractor`."""

    at_hand = False

    def __init__(
        self,
        connection: Connection,
        secrets: dict[str, str],
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.facts = Facts()
        self._connection, self._secrets = connection, secrets
        self._account = str(connection.options["account"])
        self._base = address(connection)
        self._rows = min(connection.defaults.page_size, 1000)
        self._client = Client.of(
            connection, classify=classify, facts=self.facts, origins=(self._base,), transport=transport,
            sleep=sleep, clock=clock)
        self._client.auth = self._signature() if connection.auth == "tba" else Bearer(self._token, self.facts)
        self._selects: dict[str, Select | None] = {}
        self._books: tuple[int, ...] | None = None

    def __enter__(self) -> SuiteqlExtractor:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def now(self) -> datetime:
        """The `Date` of the latest answer: a little behind the vendor's clock, never ahead of it."""
        if self._client.date is None:
            self._query("clock", _PING)
        return self._client.date or self._client.clock()

    def available(self, stream: Stream) -> bool:
        """False for a table of a feature (OneWorld, multi-currency, multi-book) that is not switched on."""
        return "feature" not in stream.options or self._select(stream) is not None

    def test(self) -> str:
        """Authenticate and ask for nothing."""
        self._query("test", _PING)
        return f"NetSuite account {self._account} at {self._base}"

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """See `Extractor.pages`. A child stream without `parents` is read whole, by key."""
        select = self._select(stream)
        if select is None:
            raise SchemaError(
                f"connection {self._connection.name}: table {table(stream)} is not served",
                hint="give the integration's role access to it, or leave the stream out of `streams`",
            )
        if parents is not None:
            yield from self._children(select, parents)
            return
        filters: tuple[str, ...] = ()
        if stream.mode == "incremental" and stream.cursor and not window.full:
            field = stream.column(stream.cursor).field
            filters = window_filters(field, window.start, window.end, self._connection.zone)
        for body in self._read(select, filters):
            yield self._page(stream, body)

    def _page(self, stream: Stream, body: bytes, parents: tuple[str, ...] = ()) -> Page:
        return Page(stream.name, body, records="items", parents=parents, noise=MANNERS["suiteql"][0],
                    omits_nulls=True)

    def _children(self, select: Select, parents: Iterator[str]) -> Iterator[Page]:
        """The rows of the parents, chunk by chunk; a chunk's ids are on its last page."""
        column = select.stream.column(select.stream.parent.column).field
        groups = chunks(parents, f"connection {self._connection.name}, parents of {select.stream.name}")

        def read(group: tuple[str, ...]) -> list[bytes]:
            return list(self._read(select, (f"t.{column} IN ({','.join(group)})",), column.lower(), frozenset(group)))

        for group, (*bodies, last) in read_ahead(groups, read, self._client.max_concurrency):
            for body in bodies:
                yield self._page(select.stream, body)
            yield self._page(select.stream, last, parents=group)

    def _read(
        self, select: Select, filters: tuple[str, ...], parent: str | None = None,
        parents: AbstractSet[str] = frozenset(),
    ) -> Iterator[bytes]:
        """All bodies of a statement, by key; at least one, which may hold no record. Each row comes once.

        Rows are counted in stretches of what one statement yields. Where fewer came than were announced, or the vendor
        does not count that far, it is asked how many there are in the stretch. Rows that left the window meanwhile are
        no loss; where rows are missing, the stretch is read again.
        """
        stream, key = select.stream.name, f"t.{select.keyset}"
        guard = LoopGuard(self._connection.name, stream)
        asked = Asked(self._rows, 0, MOST_ROWS, select.keyset, select.names, parent, parents)
        low = last = announced = None
        offset = received = restarts = 0
        is_long = False
        while True:
            bound = () if last is None else (f"{key} > {last}",)
            batch = self._query(stream, select.statement(*filters, *bound), replace(asked, offset=offset))
            guard.page(batch.body, len(batch.keys))
            self._check_order(select, batch, last)
            announced = batch.total if announced is None else announced
            is_long = is_long or announced >= MOST_ROWS
            whole = len(batch.keys)
            if batch.more and not select.is_unique:
                whole = batch.keys.index(batch.keys[-1])
            if batch.more and not whole:
                yield batch.body  # one value fills the page: go on in it
                offset, received = offset + self._rows, received + len(batch.keys)
                self._check_offset(select, batch, offset)
                continue
            yield batch.first(whole)
            last, offset, received = (batch.keys[whole - 1] if whole else last), 0, received + whole
            if batch.more and received < MOST_ROWS:
                continue
            in_doubt = is_long or received < announced
            there = self._count(select, filters, low, last) if in_doubt else received
            if there > received:
                restarts += 1
                self._note_restart(select, received, there, restarts)
                guard, last, received, announced = LoopGuard(self._connection.name, stream), low, 0, None
                continue
            if not batch.more:
                return
            low, received, announced = last, 0, None

    def _count(self, select: Select, filters: tuple[str, ...], low: int | None, last: int | None) -> int:
        """How many rows there are after `low`, up to `last`. New ones have higher keys."""
        key = f"t.{select.keyset}"
        bounds = [f"{key} {sign} {value}" for sign, value in ((">", low), ("<=", last)) if value is not None]
        statement = select.counting(*filters, *bounds)
        asked = Asked(1, keyset="rows_there", columns={"rows_there", "links"})
        found = self._query(select.stream.name, statement, asked)
        return found.keys[0] if found.keys else 0

    def _note_restart(self, select: Select, received: int, there: int, restarts: int) -> None:
        stream, reason = select.stream.name, f"{received} of {there} rows came"
        if restarts > _RESTARTS:
            raise SourceError(
                f"connection {self._connection.name}, stream {stream}: {reason}, after {_RESTARTS} restarts",
                hint="pages are left out; run again, and report it to the vendor if it stays",
            )
        log.warning("reading rows again", extra={"stream": stream, "reason": reason})
        self.facts.notes.setdefault("restarts", {})[stream] = restarts

    def _check_offset(self, select: Select, batch: Batch, offset: int) -> None:
        if offset >= MOST_ROWS:
            raise SourceError(
                f"connection {self._connection.name}, stream {select.stream.name}: {select.keyset} {batch.keys[-1]} "
                f"has over {MOST_ROWS:,} rows, and NetSuite serves no more of one statement",
                hint="leave the stream out of `streams`",
            )

    def _check_order(self, select: Select, batch: Batch, last: int | None) -> None:
        """Paging by key stands and falls with the order: a row out of it would be lost without a word."""
        previous = last
        for position, key in enumerate(batch.keys):
            strict = select.is_unique or position == 0
            if previous is not None and (key < previous or (strict and key == previous)):
                raise SourceError(
                    f"connection {self._connection.name}, stream {select.stream.name}: rows are not in the order of "
                    f"{select.keyset} ({key} after {previous})",
                    hint="the vendor ignored ORDER BY or the bound; report it",
                )
            previous = key

    def _query(self, about: str, statement: str, asked: Asked = _NOTHING) -> Batch:
        """One page of a statement."""
        call = Call(
            "POST", f"{self._base}/services/rest/query/v1/suiteql", about,
            {"limit": str(asked.limit), "offset": str(asked.offset)},
            {"prefer": "transient", "accept": "application/json"}, json={"q": statement},
        )
        return self._client.request(call, lambda answer: batch_of(answer.body, asked))

    def _select(self, stream: Stream) -> Select | None:
        """What this account serves of the stream, found out once by asking for no rows; None without such a table.

        Columns are a matter of features and permissions: an optional one that is not served is left out, another one
        is a SchemaError that names it.
        """
        if stream.name not in self._selects:
            columns = tuple(column for column in stream.columns if column.field)
            for column in columns:
                if column.field != column.field.lower():  # answers are in lower case, and would land as nothing at all
                    raise ConfigError(
                        f"connection {self._connection.name}: {stream.name}.{column.name} names {column.field!r}",
                        hint=f"NetSuite answers in lower case: write {column.field.lower()}",
                    )
            self._selects[stream.name] = self._probed(Select(stream, columns))
        return self._selects[stream.name]

    def _probed(self, select: Select) -> Select | None:
        stream, book = select.stream, select.stream.options.get("book")
        while True:
            try:
                self._query(stream.name, f"{select.head()} WHERE 1 = 0")
                break
            except Refused as refusal:
                if refusal.status != 400:
                    raise
                if found := _NO_FIELD.search(refusal.reason):
                    select = self._without(select, found[1], book)
                elif _NO_RECORD.search(refusal.reason):
                    return None
                else:
                    select = self._without_unnamed(select, refusal)
        if book and not select.constants and (books := self._books_wanted()):
            select = Select(stream, select.columns, filters=(f"t.{book} IN ({','.join(map(str, books))})",))
        return select

    def _without(self, select: Select, word: str, book: str | None) -> Select:
        """The selection without a column that the account does not serve."""
        lost = [column for column in select.columns if column.field.lower() == word.lower()]
        kept = tuple(column for column in select.columns if column not in lost)
        stream = select.stream
        if book and lost and lost[0].name == book:  # no multi-book: one book, whose id is 1
            return Select(stream, kept, constants=((lost[0].field.lower(), 1),))
        if not lost or not all(column.optional for column in lost):
            raise SchemaError(
                f"connection {self._connection.name}: table {table(stream)} has no column {word}",
                hint="a feature is off, or the integration's role may not see it; "
                f"another name is told under `fields.{stream.name}`",
            )
        self._note("absent_fields", stream.name, sorted(column.field for column in lost))
        return Select(stream, kept, select.constants)

    def _without_unnamed(self, select: Select, refusal: Refused) -> Select:
        """The vendor refuses and does not say which column it means: find out which optional ones it takes."""
        kept = [column for column in select.columns if not column.optional]
        optional = [column for column in select.columns if column.optional]
        if not optional:
            raise refusal
        accepted: list[Column] = []
        for trial in ([], *([column] for column in optional)):
            try:
                columns = (*kept, *trial)
                self._query(select.stream.name, f"{Select(select.stream, columns).head()} WHERE 1 = 0")
                accepted += trial
            except Refused as refused:
                if not trial or refused.status != 400:
                    raise (refusal if not trial else refused) from None
        self._note("absent_fields", select.stream.name, sorted(c.field for c in optional if c not in accepted))
        return Select(select.stream, tuple(c for c in select.columns if c in kept or c in accepted), select.constants)

    def _books_wanted(self) -> tuple[int, ...]:
        """Ids of the accounting books to read; empty for all of them, or where there are no books."""
        wanted = self._connection.options.get("accounting_books")
        if wanted == "all":
            return ()
        if wanted:
            where = f"connection {self._connection.name}: options.accounting_books"
            return tuple(number(each, where) for each in (wanted if isinstance(wanted, (list, tuple)) else [wanted]))
        if self._books is None:
            try:
                asked = Asked(self._rows, keyset="id", columns={"id", "links"})
                self._books = tuple(self._query("accountingbook", _PRIMARY_BOOK, asked).keys)
            except Refused as refusal:
                if not _NO_RECORD.search(refusal.reason):
                    raise
                self._books = ()
        return self._books

    def _signature(self) -> OAuth1:
        secrets = self._secrets
        return OAuth1(
            realm=self._account.upper().replace("-", "_"), consumer_key=secrets["consumer_key"],
            consumer_secret=secrets["consumer_secret"], token=secrets["token_id"], token_secret=secrets["token_secret"],
            clock=self._client.time,
        )

    def _token(self) -> Token:
        """A token for a signed assertion; there is no refresh token, a new one is asked for."""
        url = f"{self._base}/services/rest/auth/oauth2/v1/token"

        def form() -> dict[str, str]:
            issued = int(self._client.time().timestamp())
            claims = {
                "iss": self._secrets["consumer_key"], "scope": ["rest_webservices"], "aud": url, "iat": issued,
                "exp": issued + _ASSERTION_LIFE,
            }
            return {
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion(
                    self._secrets["private_key"], claims, rsa="PS256", kid=self._secrets["certificate_id"]
                ),
            }

        call = Call("POST", url, "authentication", form=form, signed=False, headers={"accept": "application/json"})
        granted = self._client.request(call, lambda answer: decode(answer.body, _Granted))
        return Token(granted.access_token, float(granted.expires_in))

    def _note(self, word: str, stream: str, names: list[str]) -> None:
        noted = self.facts.notes.setdefault(word, {})
        noted[stream] = sorted({*noted.get(stream, ()), *names})


def address(connection: Connection) -> str:
    """The account's REST address: `1234567_SB1` is served at `1234567-sb1.suitetalk.api.netsuite.com`."""
    account = str(connection.options["account"])
    if not re.fullmatch(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*", account):
        raise ConfigError(
            f"connection {connection.name}: options.account {account!r} is no account id", hint="such as 1234567_SB1"
        )
    host = account.lower().replace("_", "-")
    url = str(connection.options.get("base_url") or f"https://{host}.suitetalk.api.netsuite.com").rstrip("/")
    return checked_address(url, f"connection {connection.name}: options.base_url")
