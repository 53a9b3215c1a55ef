"""OData 2 and 4: an entity set, read by key.

Sources: OData 2.0, OData 4.01 (protocol, URL conventions, JSON format).

Paging. Servers differ: some page by themselves and give a link, some give what `$top` asks for, some cut `$top` short
and say nothing. So a page is asked for by key (`$orderby` the key, `$filter` the key after the last one, `$top`), links
are followed wherever they come, and the rows are counted: the first answer says how many there are, and reading goes on
until that many came. Rows that change meanwhile move no page. With `paging: server` only the links are followed.

Children (items) are read for the changed parents in groups of keys, several at a time, handed on in order.

Words of a stream (`options` in source.yml; those of the source are their defaults):
  version     2 or 4
  path        of all services below `base_url`: /sap/opu/odata/sap
  service     name of the stream's service, below `path`; none where there is one for all
  service_option  the connection's option that names the service; without a value the stream is not offered
  set         the entity set; the stream's name unless told
  filter      of every request
  stamps      further properties by which a window is asked for: a record that never changed has no stamp of change
  paging      key (default) or server
  query       words of every request: {sap-client: client} takes the connection's option `client`
  feature     the set may be absent
  fixed       words of every request as they are: {cross-company: "true"}
  token_client    basic (default) or form: how the token endpoint is told the client's secret
  token_url, scope    templates of the connection's options of that name, see `odata_ways.filled`; `otherwise`: what
              fills them where the connection says nothing
  set         a list: the first that the service offers; a connection names another under `entity_sets`
  accept      of every request, where the service does not take numbers as text
  annotations     to be sent with the values; a column's `field` may name one: statuscode@…FormattedValue
  ordered     server paging in the order of the key
  counted     false: rows are not counted, because the service counts no further than a page
  track       changes are asked for by delta link (`tracking`): a complete set brings the first, and where it is no
              longer taken, the next one
  twin_host   the server answers with and without this word in its name, and its links may bear either
  throttle_wait   seconds to wait after a 429 that does not say; `tries_500`: how often a 500 is tried

A stream with a `partition` that is its cursor and a date is compared by window: all rows of the window's days are read,
unchanged ones are counted, and those that are gone are closed. Its `overlap` says how far back.

Options of a connection: `base_url`, `token_url` and `scope` (client_credentials), `entity_sets`, `link_hosts`, and
those that `query` names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import httpx
import msgspec

from tieout import logs
from tieout.errors import SchemaError, SourceError
from tieout.extract import MANNERS, Facts, Page, Window
from tieout.extract.address import checked_address
from tieout.extract.ahead import read_ahead
from tieout.extract.auth import Basic, Bearer, Token
from tieout.extract.http import Answer, Call, Client, Damaged, Refused, decode
from tieout.extract.loopguard import LoopGuard
from tieout.extract.odata_delta import Changes, changes_of, link_of, token_of
from tieout.extract.odata_dialect import query_string
from tieout.extract.odata_errors import classifier
from tieout.extract.odata_metadata import Entity, entity_sets
from tieout.extract.odata_page import Batch, batch_of
from tieout.extract.odata_select import Select, key_groups, select_of
from tieout.extract.odata_ways import days_of, filled, other_hosts, preference, sets_of, with_lots
from tieout.settings import settings
from tieout.spec import Connection, Stream

log = logs.logger(__name__)

_RESTARTS = 3


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int | str = 3600


@dataclass
class _Progress:
    """How far the reading of a statement is: the last key, rows received, rows there are in all."""

    last: tuple[Any, ...] | None = None
    received: int = 0
    announced: int | None = None


class OdataExtractor:
    """Extractor for one OData host: see the module's docstring, and `tieout.extract.Extractor`."""

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
        where = f"connection {connection.name}: options"
        self._base = checked_address(str(connection.options["base_url"]), f"{where}.base_url")
        self._rows = connection.defaults.page_size
        self._words = connection.source.options
        self._client = Client(
            connection.name, facts=self.facts,
            classify=classifier(
                renewable=connection.auth == "client_credentials", noted=self._throttled,
                throttle_wait=self._words.get("throttle_wait"), tries_500=self._words.get("tries_500", 4)),
            origins=(self._base,), transport=transport, sleep=sleep, clock=clock,
            timeout=settings().http_timeout_seconds, max_wait=settings().http_max_wait_seconds,
            max_concurrency=connection.defaults.max_concurrency,
        )
        if connection.auth == "basic":
            self._client.auth = Basic(secrets["username"], secrets["password"])
        else:
            token_url = filled(connection, "token_url", self._base, self._words)
            self._token_url = checked_address(token_url or "", f"{where}.token_url")
            self._client.allow(self._token_url)
            self._client.auth = Bearer(self._token, self.facts)
        for address in other_hosts(connection, self._base, self._words):
            self._client.allow(checked_address(address, f"{where}.link_hosts"))
        self._tokens: dict[str, str] = {}
        self._begun: dict[str, Changes] = {}
        self._services: dict[str, dict[str, Entity] | None] = {}
        self._selects: dict[str, Select | None] = {}

    def __enter__(self) -> OdataExtractor:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def now(self) -> datetime:
        """The `Date` of the latest answer: a little behind the vendor's clock, never ahead of it."""
        if self._client.date is None:
            self.test()
        return self._client.date or self._client.clock()

    def available(self, stream: Stream) -> bool:
        """False for a set that this host does not offer, where it need not."""
        word = stream.options.get("service_option")
        if word and not self._connection.options.get(word):
            return False
        return "feature" not in stream.options or self._select(stream) is not None

    def test(self) -> str:
        """Authenticate and read what the first service offers."""
        stream = self._connection.selected()[0]
        self._select(stream)
        return f"OData {stream.options['version']} at {self._base}"

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """See `Extractor.pages`. A child stream without `parents` is read whole, by key."""
        select = self._select(stream)
        if select is None:
            raise SchemaError(
                f"connection {self._connection.name}: {self._service_url(stream)} does not offer "
                f"{' or '.join(sets_of(self._connection, stream))}",
                hint="activate the service and give the technical user access to it, or leave the stream out of "
                "`streams`",
            )
        if parents is not None:
            yield from self._children(select, parents)
            return
        self._tokens.pop(stream.name, None)
        if window.resume is not None:
            yield from self._changes(select, window.resume)
        elif window.full or stream.mode == "full" or not stream.cursor:
            select = replace(select, tracked=bool(stream.options.get("track")))
            yield from (_page(stream, batch) for batch in self._read(select))
        else:
            found = (_page(stream, batch) for batch in self._read(select.within(window, self._connection.zone)))
            is_compared = stream.partition == stream.cursor and window.start is not None
            yield from with_lots(found, days_of(window, self._connection)) if is_compared else found

    # --- changes

    def can_resume(self, stream: Stream, token: str) -> bool:
        """See `tracking.Tracker`."""
        select = self._select(stream)
        link = link_of(token, select.fields) if select else None
        reason = "made for other fields"
        if link is not None:
            try:
                self._begun[stream.name] = self._ask_changes(select, link)
                return True
            except Refused as refusal:
                if refusal.status not in (400, 404, 410):
                    raise
                reason = refusal.reason
        log.warning("changes can no longer be told, reading all", extra={"stream": stream.name, "reason": reason})
        self.facts.notes.setdefault("resynced", {})[stream.name] = reason
        return False

    def token(self, stream: Stream) -> str | None:
        """See `tracking.Tracker`."""
        return self._tokens.get(stream.name)

    def _changes(self, select: Select, token: str) -> Iterator[Page]:
        """What changed since the token was made; of each page what changed, then what is gone."""
        stream, guard = select.stream, LoopGuard(self._connection.name, select.stream.name)
        found = self._begun.pop(stream.name, None) or self._ask_changes(select, token.partition(" ")[2])
        while True:
            yield Page(stream.name, found.changed, noise=MANNERS["odata"][0])
            if found.gone != b"[]":
                yield Page(stream.name, found.gone, deleted=True)
            if not found.following:
                self._tokens[stream.name] = token_of(found.delta, select.fields)
                return
            guard.place(found.following)
            found = self._ask_changes(select, found.following)

    def _ask_changes(self, select: Select, link: str) -> Changes:
        call = Call("GET", self._linked(select.stream, link), select.stream.name, headers=self._headers(select))
        return self._client.request(call, lambda answer: changes_of(answer.body, select.key))

    def _children(self, select: Select, parents: Iterator[str]) -> Iterator[Page]:
        """The rows of the parents, group by group; a group's keys are on its last page."""
        stream = select.stream

        def read(group: tuple[str, ...]) -> list[Batch]:
            return list(self._read(select.of_parents(group)))

        for group, (*batches, last) in read_ahead(key_groups(parents), read, self._client.max_concurrency):
            for batch in batches:
                yield _page(stream, batch)
            yield replace(_page(stream, last), parents=group)

    # --- one statement

    def _read(self, select: Select) -> Iterator[Batch]:
        """All answers of a statement; at least one, which may hold no record.

        Where fewer rows came than there are, all of it is read again; what came already comes twice then.
        """
        for restart in range(_RESTARTS + 1):
            progress = _Progress()
            reason = ""
            try:
                yield from self._through(select, progress)
            except Refused as refusal:
                if select.tracked and progress.last is None and refusal.status in (400, 403, 501):
                    self.facts.notes.setdefault("untracked", {})[select.stream.name] = refusal.reason
                    yield from self._read(replace(select, tracked=False))
                    return
                if progress.last is None or refusal.status not in (400, 404, 410):
                    raise
                reason = f"a link was refused after {progress.received} rows ({refusal.reason})"
            there = progress.announced or 0
            if not reason and progress.received < there:
                there = self._count(select)  # rows may have left the window meanwhile
                reason = f"{progress.received} of {there} rows came"
            if not reason or (progress.received >= there and "link" not in reason):
                return
            log.warning("reading rows again", extra={"stream": select.stream.name, "reason": reason})
            self.facts.notes.setdefault("restarts", {})[select.stream.name] = restart + 1
        raise SourceError(
            f"connection {self._connection.name}, stream {select.stream.name}: {reason}, after {_RESTARTS} restarts",
            hint="the server leaves pages out; run again, and report it to the vendor if it stays",
        )

    def _through(self, select: Select, progress: _Progress) -> Iterator[Batch]:
        """One pass through the rows."""
        guard = LoopGuard(self._connection.name, select.stream.name)
        by_key = select.stream.options.get("paging", "key") == "key"
        while True:
            top = self._rows if by_key else None
            is_counted = progress.announced is None and select.stream.options.get("counted", True)
            words = select.words(top, after=progress.last, counted=is_counted and not select.tracked)
            batch = self._ask(select, self._url(select.stream, words), progress)
            rows = len(batch.keys)
            guard.page(batch.body, rows)
            yield batch
            while batch.following:
                guard.place(batch.following)
                batch = self._ask(select, self._linked(select.stream, batch.following), progress)
                rows += len(batch.keys)
                guard.page(batch.body, len(batch.keys))
                yield batch
            if batch.delta:
                self._tokens[select.stream.name] = token_of(batch.delta, select.fields)
            is_full = rows >= self._rows
            if not by_key or not rows or (
                    not is_full and progress.announced is not None and progress.received >= progress.announced):
                return

    def _ask(self, select: Select, url: str, progress: _Progress) -> Batch:
        call = Call("GET", url, select.stream.name, headers=self._headers(select))
        batch = self._client.request(call, lambda answer: batch_of(answer.body, select.version, select.key))
        if batch.keys and batch.keys[-1] == progress.last:
            raise SourceError(
                f"connection {self._connection.name}, stream {select.stream.name}: the page after {progress.last} ends "
                "with the same record", hint="the server ignores $filter or $orderby; report it",
            )
        progress.received += len(batch.keys)
        progress.last = batch.keys[-1] if batch.keys else progress.last
        if progress.announced is None:
            progress.announced = batch.total
        return batch

    def _headers(self, select: Select) -> dict[str, str]:
        options = select.stream.options
        accept = {"accept": options["accept"]} if options.get("accept") else {}
        return {**select.dialect.headers, **accept, **preference(select.stream, self._rows, tracked=select.tracked)}

    def _count(self, select: Select) -> int:
        """How many rows there are now."""
        words = {name: text for name, text in select.words(None).items() if name == "$filter"}
        url = self._url(select.stream, words, below="/$count")
        return self._client.request(Call("GET", url, select.stream.name), _count_of)

    # --- addresses

    def _service_url(self, stream: Stream) -> str:
        options = stream.options
        word = options.get("service_option")
        service = str(self._connection.options[word]) if word else options.get("service", "")
        return "/".join(part.strip("/") for part in (self._base, options.get("path", ""), service) if part.strip("/"))

    def _url(self, stream: Stream, words: dict[str, str], below: str = "") -> str:
        query = query_string({**words, **self._extra(stream)})
        return f"{self._service_url(stream)}/{self._set_of(stream)}{below}{'?' if query else ''}{query}"

    def _linked(self, stream: Stream, link: str) -> str:
        """The address of a link, relative to the set or whole; the words that every request needs are kept on it."""
        url = urljoin(self._url(stream, {}).partition("?")[0], link)
        self._client.check(url, stream.name)
        held = httpx.URL(url).params
        lost = {name: text for name, text in self._extra(stream).items() if name not in held}
        return f"{url}{'&' if '?' in url else '?'}{query_string(lost)}" if lost else url

    def _extra(self, stream: Stream) -> dict[str, str]:
        named, fixed = stream.options.get("query", {}), stream.options.get("fixed", {})
        given = {**fixed, **{word: self._connection.options.get(option) for word, option in named.items()}}
        return {word: str(value) for word, value in given.items() if value not in (None, "")}

    # --- what is served

    def _select(self, stream: Stream) -> Select | None:
        """The statement of a stream, for what the service offers of it; None without such a service or set."""
        if stream.name not in self._selects:
            entity = (self._service(stream) or {}).get(self._set_of(stream))
            select = None if entity is None else select_of(self._connection, stream, entity)
            if select and select.absent:
                self.facts.notes.setdefault("absent_fields", {})[stream.name] = select.absent
            self._selects[stream.name] = select
        return self._selects[stream.name]

    def _set_of(self, stream: Stream) -> str:
        """The first of its sets that the service offers; the first of all where it offers none."""
        wanted = sets_of(self._connection, stream)
        if len(wanted) == 1:
            return wanted[0]
        offered = self._service(stream) or {}
        return next((name for name in wanted if name in offered), wanted[0])

    def _throttled(self, code: str) -> None:
        counts = self.facts.notes.setdefault("throttled", {})
        counts[code] = counts.get(code, 0) + 1

    def _service(self, stream: Stream) -> dict[str, Entity] | None:
        """The entity sets of the stream's service; None where the host does not know it or does not let us in."""
        root = self._service_url(stream)
        if root not in self._services:
            query = query_string(self._extra(stream))
            call = Call("GET", f"{root}/$metadata{'?' if query else ''}{query}", stream.name,
                        headers={"accept": "application/xml"})
            try:
                self._services[root] = self._client.request(call, lambda answer: entity_sets(answer.body))
            except Refused as refusal:
                if refusal.status not in (403, 404) or refusal.code.isdigit():  # a proxy's word is not the vendor's
                    raise
                log.warning("service is not offered", extra={"stream": stream.name, "reason": refusal.reason})
                self._services[root] = None
        return self._services[root]

    def _token(self) -> Token:
        """A token for the client's id and secret (RFC 6749, 4.4)."""
        client, secret = self._secrets["client_id"], self._secrets["client_secret"]
        words = {"grant_type": "client_credentials"}
        for word in ("scope", "resource"):
            if told := filled(self._connection, word, self._base, self._words):
                words[word] = told
        headers = {"accept": "application/json"}
        if self._connection.selected()[0].options.get("token_client", "basic") == "basic":
            headers["authorization"] = Basic(client, secret).header
        else:
            words |= {"client_id": client, "client_secret": secret}
        call = Call("POST", self._token_url, "authentication", form=lambda: words, signed=False, headers=headers)
        granted = self._client.request(call, lambda answer: decode(answer.body, _Granted))
        return Token(granted.access_token, float(granted.expires_in))


def _page(stream: Stream, batch: Batch) -> Page:
    return Page(stream.name, batch.body, records=batch.records, noise=MANNERS["odata"][0])


def _count_of(answer: Answer) -> int:
    try:
        return int(answer.body.decode("utf-8-sig"))
    except ValueError:
        raise Damaged(f"{answer.excerpt()!r} is no number of rows") from None
