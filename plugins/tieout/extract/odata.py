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
  delta       true: where the service tells that it keeps track of changes, only those are read, by the link that it
              gave the last time. always: it keeps track, and does not say so in its metadata
  token_client    basic (default) or form: how the token endpoint is told the client's secret

Options of a connection: `base_url`, `token_url` and `scope` (client_credentials), and those that `query` names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import httpx
import msgspec

from tieout import logs
from tieout.errors import SchemaError, SourceError, UnsafeLinkError
from tieout.extract import MANNERS, Facts, Page, Window, odata_delta
from tieout.extract.address import checked_address
from tieout.extract.ahead import read_ahead
from tieout.extract.auth import Basic, Bearer, Token
from tieout.extract.deliveries import Delivery, KnownFile
from tieout.extract.http import Answer, Call, Client, Damaged, Refused, decode
from tieout.extract.loopguard import LoopGuard
from tieout.extract.odata_dialect import query_string
from tieout.extract.odata_errors import classifier
from tieout.extract.odata_metadata import Entity, entity_sets
from tieout.extract.odata_page import Batch, batch_of
from tieout.extract.odata_select import Select, key_groups, select_of
from tieout.settings import settings
from tieout.spec import Connection, Stream

log = logs.logger(__name__)

_RESTARTS = 3


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int | str = 3600


@dataclass
class _Progress:
    """How far the reading of a statement is: the last key, rows received, rows there are in all; the link for later."""

    last: tuple[Any, ...] | None = None
    received: int = 0
    announced: int | None = None
    delta: str | None = None


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
        self._client = Client(
            connection.name, classify=classifier(renewable=connection.auth == "client_credentials"), facts=self.facts,
            origins=(self._base,), transport=transport, sleep=sleep, clock=clock,
            timeout=settings().http_timeout_seconds, max_wait=settings().http_max_wait_seconds,
            max_concurrency=connection.defaults.max_concurrency,
        )
        if connection.auth == "basic":
            self._client.auth = Basic(secrets["username"], secrets["password"])
        else:
            self._token_url = checked_address(str(connection.options.get("token_url") or ""), f"{where}.token_url")
            self._client.allow(self._token_url)
            self._client.auth = Bearer(self._token, self.facts)
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
        select = self._wanted(stream)
        if parents is not None:
            yield from self._children(select, parents)
            return
        if not window.full and stream.mode == "incremental" and stream.cursor:
            select = select.within(window, self._connection.zone)
        for batch in self._read(select):
            yield _page(stream, batch)

    # --- what changed since a link

    def is_delivered(self, stream: Stream) -> bool:
        """Whether the stream is read by the service's own record of changes; see `deliveries.delivers`."""
        told = stream.options.get("delta", False)
        if told is not True:
            return told == "always"
        select = self._select(stream)
        return select is not None and select.tells_deletions

    def deliveries(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Iterator[Delivery]:
        """One: what changed since the link that the last one left, or the complete set and a link for the next time.

        Loud, and complete, where the service no longer knows the link: whatever was deleted meanwhile would be missed.
        """
        select = self._wanted(stream).tracked()
        since = None if window.full else odata_delta.held(known)
        if since and not select.tells_deletions and window.end - since.complete_at >= odata_delta.COMPLETE_EVERY:
            since = None
        changes = self._changes(select, since.link) if since else None
        if since is None or changes is None:
            yield self._complete(select, window)
            return
        link = changes.link or since.link
        yield Delivery("changes", "incremental", window.end, lambda: iter(changes.pages()),
                       [odata_delta.kept(link, since.complete_at, len(changes.records))])

    def _complete(self, select: Select, window: Window) -> Delivery:
        """The complete set; its link is known once it was read to its end."""
        made = Delivery("complete set", "full", window.end, lambda: iter(()))

        def pages() -> Iterator[Page]:
            progress = _Progress()
            for batch in self._read(select, progress):
                yield replace(_page(select.stream, batch), noise=odata_delta.NOISE)
            made.files = [odata_delta.kept(progress.delta, window.end, progress.received)]
            if progress.delta is None:
                self.facts.notes.setdefault("no_change_tracking", []).append(select.stream.name)

        made.pages = pages
        return made

    def _changes(self, select: Select, link: str) -> odata_delta.Changes | None:
        """All changes since the link, held together: they become one batch. None where the link leads nowhere now."""
        stream, changes, place = select.stream, odata_delta.Changes(select), link
        guard = LoopGuard(self._connection.name, stream.name)
        try:
            while place:
                guard.place(place)
                call = Call("GET", self._linked(stream, place), stream.name, headers=self._headers(select))
                page = self._client.request(call, lambda answer: odata_delta.changed_of(answer.body, select.version))
                guard.page(page.body, len(page.rows))
                changes.add(page)
                place = page.following
        except (Refused, UnsafeLinkError) as refusal:
            if isinstance(refusal, Refused) and refusal.status not in odata_delta.GONE:
                raise
            reason = refusal.reason if isinstance(refusal, Refused) else str(refusal)
            log.warning("the service no longer knows where we were: reading the complete set",
                        extra={"stream": stream.name, "reason": reason})
            self.facts.notes.setdefault("resynchronised", {})[stream.name] = reason
            return None
        return changes

    # --- children

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

    def _read(self, select: Select, progress: _Progress | None = None) -> Iterator[Batch]:
        """All answers of a statement; at least one, which may hold no record. `progress`: told how the last pass went.

        Where fewer rows came than there are, all of it is read again; what came already comes twice then.
        """
        progress = progress or _Progress()
        for restart in range(_RESTARTS + 1):
            progress.last, progress.received, progress.announced, progress.delta = None, 0, None, None
            reason = ""
            try:
                yield from self._through(select, progress)
            except Refused as refusal:
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
        by_key = not select.is_tracked and select.stream.options.get("paging", "key") == "key"
        while True:
            top = self._rows if by_key else None
            words = select.words(top, after=progress.last, counted=progress.announced is None)
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
        progress.delta = batch.delta
        return batch

    def _headers(self, select: Select) -> dict[str, str]:
        headers = dict(select.dialect.headers)
        wishes = [odata_delta.TRACKING] if select.is_tracked else []
        if select.is_tracked or select.stream.options.get("paging") == "server":
            wishes.append(f"odata.maxpagesize={self._rows}")
        return headers | ({"prefer": ",".join(wishes)} if wishes else {})

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
        return f"{self._service_url(stream)}/{_set_of(stream)}{below}{'?' if query else ''}{query}"

    def _linked(self, stream: Stream, link: str) -> str:
        """The address of a link, relative to the set or whole; the words that every request needs are kept on it."""
        url = urljoin(self._url(stream, {}).partition("?")[0], link)
        self._client.check(url, stream.name)
        held = httpx.URL(url).params
        lost = {name: text for name, text in self._extra(stream).items() if name not in held}
        return f"{url}{'&' if '?' in url else '?'}{query_string(lost)}" if lost else url

    def _extra(self, stream: Stream) -> dict[str, str]:
        named = stream.options.get("query", {})
        given = {word: self._connection.options.get(option) for word, option in named.items()}
        return {word: str(value) for word, value in given.items() if value not in (None, "")}

    # --- what is served

    def _wanted(self, stream: Stream) -> Select:
        """The statement of a stream that must be there. Raises SchemaError."""
        select = self._select(stream)
        if select is None:
            raise SchemaError(
                f"connection {self._connection.name}: {self._service_url(stream)} does not offer {_set_of(stream)}",
                hint="activate the service and give the technical user access to it, or leave the stream out of "
                "`streams`",
            )
        return select

    def _select(self, stream: Stream) -> Select | None:
        """The statement of a stream, for what the service offers of it; None without such a service or set."""
        if stream.name not in self._selects:
            entity = (self._service(stream) or {}).get(_set_of(stream))
            select = None if entity is None else select_of(self._connection, stream, entity)
            if select and select.absent:
                self.facts.notes.setdefault("absent_fields", {})[stream.name] = select.absent
            self._selects[stream.name] = select
        return self._selects[stream.name]

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
        if scope := self._connection.options.get("scope"):
            words["scope"] = str(scope)
        headers = {"accept": "application/json"}
        if self._connection.selected()[0].options.get("token_client", "basic") == "basic":
            headers["authorization"] = Basic(client, secret).header
        else:
            words |= {"client_id": client, "client_secret": secret}
        call = Call("POST", self._token_url, "authentication", form=lambda: words, signed=False, headers=headers)
        granted = self._client.request(call, lambda answer: decode(answer.body, _Granted))
        return Token(granted.access_token, float(granted.expires_in))


def _set_of(stream: Stream) -> str:
    return str(stream.options.get("set", stream.name))


def _page(stream: Stream, batch: Batch) -> Page:
    return Page(stream.name, batch.body, records=batch.records, noise=MANNERS["odata"][0])


def _count_of(answer: Answer) -> int:
    try:
        return int(answer.body.decode("utf-8-sig"))
    except ValueError:
        raise Damaged(f"{answer.excerpt()!r} is no number of rows") from None
