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
  fixed       words of every request as they are: {cross-company: "true"}
  token_client    basic (default) or form: how the token endpoint is told the client's secret
  token_url, scope    templates of the connection's options of that name, see `odata_ways.filled`; `otherwise`: what
              fills them where the connection says nothing
  set         a list: the first that the service offers; a connection names another under `entity_sets`
  accept      of every request, where the service does not take numbers as text
  annotations     to be sent with the values; a column's `field` may name one: statuscode@…FormattedValue
  ordered     server paging in the order of the key
  counted     false: rows are not counted, because the service counts no further than a page
  twin_host   the server answers with and without this word in its name, and its links may bear either
  throttle_wait   seconds to wait after a 429 that does not say; `tries_500`: how often a 500 is tried

A stream with a `partition` that is its cursor and a date is compared by window: all rows of the window's days are read,
unchanged ones are counted, and those that are gone are closed. Its `overlap` says how far back.

Options of a connection: `packages` (see `odata_packages`), `base_url`, `token_url` and `scope` (see `odata_auth`),
`entity_sets`, `link_hosts`, and
those that `query` names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from tieout import logs
from tieout.errors import SourceError, UnsafeLinkError
from tieout.extract import MANNERS, Facts, Page, Window, odata_delta
from tieout.extract.address import checked_address
from tieout.extract.ahead import read_ahead
from tieout.extract.auth import Basic, Bearer
from tieout.extract.deliveries import Delivery, KnownFile
from tieout.extract.http import Answer, Call, Client, Damaged, Refused
from tieout.extract.loopguard import LoopGuard
from tieout.extract.odata_auth import fetcher
from tieout.extract.odata_errors import classifier
from tieout.extract.odata_packages import PackageFailed, Packages
from tieout.extract.odata_page import Batch, batch_of
from tieout.extract.odata_select import Select, key_groups
from tieout.extract.odata_service import Services
from tieout.extract.odata_ways import days_of, filled, other_hosts, preference, with_lots
from tieout.spec import Connection, Stream

log = logs.logger(__name__)

_RESTARTS = 3


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
        self._connection = connection
        where = f"connection {connection.name}: options"
        self._base = checked_address(str(connection.options["base_url"]), f"{where}.base_url")
        self._rows = connection.defaults.page_size
        self._words = connection.source.options
        self._client = Client.of(
            connection, facts=self.facts,
            classify=classifier(
                renewable=connection.auth != "basic", noted=self._throttled,
                throttle_wait=self._words.get("throttle_wait"), tries_500=self._words.get("tries_500", 4)),
            origins=(self._base,), transport=transport, sleep=sleep, clock=clock)
        if connection.auth == "basic":
            self._client.auth = Basic(secrets["username"], secrets["password"])
        else:
            told = filled(connection, "token_url", self._base, self._words)
            token_url = checked_address(told or "", f"{where}.token_url")
            self._client.allow(token_url)
            self._client.auth = Bearer(
                fetcher(connection, secrets, self._client, self.facts, url=token_url, base=self._base), self.facts)
        for address in other_hosts(connection, self._base, self._words):
            self._client.allow(checked_address(address, f"{where}.link_hosts"))
        self._services = Services(connection, self._client, self._base, self.facts)
        self._packages = None
        if connection.options.get("packages"):
            root = "/".join(part.strip("/") for part in (self._base, self._words.get("path", "")))
            self._packages = Packages(connection, self._client, root, self.facts, count=self._count,
                                      transport=transport)

    def __enter__(self) -> OdataExtractor:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()
        if self._packages:
            self._packages.close()

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
        return "feature" not in stream.options or self._services.select(stream) is not None

    def test(self) -> str:
        """Authenticate and read what the first service offers."""
        stream = self._connection.selected()[0]
        self._services.select(stream)
        return f"OData {stream.options['version']} at {self._base}"

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """See `Extractor.pages`. A child stream without `parents` is read whole, by key."""
        select = self._services.wanted(stream)
        if parents is not None:
            yield from self._children(select, parents)
            return
        if not window.full and stream.mode == "incremental" and stream.cursor:
            select = select.within(window, self._connection.zone)
        elif self._packages and self._packages.exports(stream):
            yield from self._exported(select)
            return
        found = (_page(stream, batch) for batch in self._read(select))
        is_compared = stream.partition == stream.cursor and window.start is not None
        yield from with_lots(found, days_of(window, self._connection)) if is_compared else found

    def _exported(self, select: Select) -> Iterator[Page]:
        """The complete set from packages; by pages where the service could not export it. Rows may come twice then."""
        name = select.stream.name
        try:
            yield from self._packages.pages(select)
        except PackageFailed as failure:
            log.warning("reading the set by pages", extra={"stream": name, "reason": str(failure)})
            self.facts.notes.setdefault("package_failed", {})[name] = str(failure)
            yield from (_page(select.stream, batch) for batch in self._read(select))
            return
        self.facts.notes.setdefault("packages", []).append(name)

    # --- what changed since a link

    def is_delivered(self, stream: Stream) -> bool:
        """Whether the stream is read by the service's own record of changes; see `deliveries.delivers`."""
        told = stream.options.get("delta", False)
        if told is not True:
            return told == "always"
        select = self._services.select(stream)
        return select is not None and select.tells_deletions

    def deliveries(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Iterator[Delivery]:
        """One: what changed since the link that the last one left, or the complete set and a link for the next time.

        Loud, and complete, where the service no longer knows the link: whatever was deleted meanwhile would be missed.
        A set that the service does not track is read by its stamp, where it has one, and whole once a day.
        """
        select = self._services.wanted(stream).tracked()
        since = None if window.full else odata_delta.held(known, select)
        if since and not (select.tells_deletions and since.link) and since.is_old(window.end):
            since = None
        if since and not since.link:
            yield self._stamped(replace(select, is_tracked=False), window, since)
            return
        changes = self._changes(select, since.link) if since else None
        if since is None or changes is None:
            yield self._complete(select, window)
            return
        since = replace(since, link=changes.link or since.link, until=window.end)
        yield Delivery("changes", "incremental", window.end, lambda: iter(changes.pages()),
                       [odata_delta.kept(since, select, len(changes.records))])

    def _stamped(self, select: Select, window: Window, since: odata_delta.Held) -> Delivery:
        """What changed by its own stamp since the set was last read."""
        overlap = select.stream.overlap or self._connection.defaults.cursor_overlap
        asked = Window(since.until - overlap, window.end)
        return Delivery("changes", "incremental", window.end, lambda: self.pages(select.stream, asked),
                        [odata_delta.kept(replace(since, until=window.end), select, 0)])

    def _complete(self, select: Select, window: Window) -> Delivery:
        """The complete set; its link is known once it was read to its end."""
        made = Delivery("complete set", "full", window.end, lambda: iter(()))

        def pages() -> Iterator[Page]:
            progress = _Progress()
            for batch in self._read(select, progress):
                yield replace(_page(select.stream, batch), noise=odata_delta.NOISE)
            told = odata_delta.Held(progress.delta, window.end, window.end)
            made.files = [odata_delta.kept(told, select, progress.received)]
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
                call = Call("GET", self._services.linked(stream, place), stream.name,
                            headers=self._headers(select, by_link=True))
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
                if select.is_tracked and progress.last is None and refusal.status in odata_delta.UNTRACKED:
                    log.warning("the service does not keep track of changes",
                                extra={"stream": select.stream.name, "reason": refusal.reason})
                    yield from self._read(replace(select, is_tracked=False), progress)
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
        by_key = not select.is_tracked and select.stream.options.get("paging", "key") == "key"
        while True:
            top = self._rows if by_key else None
            is_counted = progress.announced is None and select.stream.options.get("counted", True)
            words = select.words(top, after=progress.last, counted=is_counted)
            batch = self._ask(select, self._services.url(select.stream, words), progress)
            rows = len(batch.keys)
            guard.page(batch.body, rows)
            yield batch
            while batch.following:
                guard.place(batch.following)
                batch = self._ask(select, self._services.linked(select.stream, batch.following), progress)
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

    def _headers(self, select: Select, *, by_link: bool = False) -> dict[str, str]:
        options = select.stream.options
        accept = {"accept": options["accept"]} if options.get("accept") else {}
        return {**select.dialect.headers, **accept, **preference(select, self._rows, by_link=by_link)}

    def _count(self, select: Select) -> int:
        """How many rows there are now."""
        words = {name: text for name, text in select.words(None).items() if name == "$filter"}
        url = self._services.url(select.stream, words, below="/$count")
        return self._client.request(Call("GET", url, select.stream.name), _count_of)

    # --- authentication and limits

    def _throttled(self, code: str) -> None:
        counts = self.facts.notes.setdefault("throttled", {})
        counts[code] = counts.get(code, 0) + 1


def _page(stream: Stream, batch: Batch) -> Page:
    return Page(stream.name, batch.body, records=batch.records, noise=MANNERS["odata"][0])


def _count_of(answer: Answer) -> int:
    try:
        return int(answer.body.decode("utf-8-sig"))
    except ValueError:
        raise Damaged(f"{answer.excerpt()!r} is no number of rows") from None
